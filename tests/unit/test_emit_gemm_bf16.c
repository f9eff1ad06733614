/* test_emit_gemm_bf16.c: matrix products of bf16 against double: tails in every size, rows around
 * the tile and block sizes, constant and computed right sides of any strides, batches, pairs of
 * columns, symbolic sizes, NaN behind the rows of the left side. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/compile/emit_bf16.h"
#include "emitted.h"

typedef struct gemm_case {
    const char *name;
    int64_t batch, m, n, k;
    bool is_const;     /* the right side */
    bool is_paired;    /* the result is the product of both columns of a pair */
    bool is_dynamic_m; /* a symbol; run with other_rows */
    bool is_dynamic_k; /* a symbol, and n too */
    bool is_left_transposed, is_right_transposed;
    int64_t left_gap; /* elements between the rows of the left side: they are NaN */
} gemm_case;

static const gemm_case cases[] = {
    {"one", 1, 1, 1, 1, true, false, false, false, false, false, 0},
    {"steps", 1, 64, 64, 64, true, false, false, false, false, false, 0},
    {"tails", 1, 37, 45, 71, true, false, false, false, false, false, 3},
    {"passes", 1, 33, 96, 800, true, false, false, false, false, true, 32},
    {"blocks", 1, 300, 33, 40, true, false, false, false, false, false, 0},
    {"uneven_blocks", 1, 301, 33, 40, true, false, false, false, false, false, 0},
    {"whole_block", 1, 197, 40, 300, true, false, false, false, false, false, 0},
    {"half_tile", 1, 5, 20, 96, true, false, false, false, false, false, 0},
    {"left_transposed", 1, 40, 40, 50, true, false, false, false, true, false, 5},
    {"paired", 1, 20, 96, 64, true, true, false, false, false, false, 0},
    {"rows", 1, 1, 70, 96, true, false, true, false, false, false, 0},
    {"ragged_rows", 1, 1, 70, 35, true, false, true, false, false, false, 1},
    {"batched", 3, 50, 40, 64, false, false, false, false, false, false, 0},
    {"batched_transposed", 2, 140, 70, 33, false, false, false, false, false, true, 1},
    {"all_dynamic", 2, 1, 17, 19, false, false, true, true, false, false, 0},
};
enum { CASES = sizeof cases / sizeof *cases };
static const int64_t other_rows[] = {1, 2, 3, 4, 5, 16, 17, 31, 32, 33, 128, 129, 150};
enum { OTHER_ROWS = sizeof other_rows / sizeof *other_rows };

/* The left side is [batch][m][k + gap] or, transposed, [batch][k][m + gap]; the right side
 * [batch][k][n] or [batch][n][k]. */
static void set_operands(tn_test_unit *unit, const gemm_case *c, tn_gemm_spec *spec) {
    tn_syms *syms = unit->syms;
    const tn_sym *zero = tn_test_size(unit, 0), *one = tn_test_size(unit, 1);
    const tn_sym *left = tn_sym_addi(syms, c->is_left_transposed ? spec->m : spec->k, c->left_gap);
    const tn_sym *right = c->is_right_transposed ? spec->k : spec->n;
    const tn_sym *left_rows = c->is_left_transposed ? spec->k : spec->m;
    spec->a = (tn_cg_tensor){.buf = 0, .dtype = TN_BF16, .offset = zero};
    spec->a.strides[0] = tn_sym_mul(syms, left, left_rows);
    spec->a.strides[1] = c->is_left_transposed ? one : left;
    spec->a.strides[2] = c->is_left_transposed ? left : one;
    spec->b = (tn_cg_tensor){.buf = 1, .dtype = TN_BF16, .offset = zero};
    spec->b.strides[0] = tn_sym_mul(syms, spec->k, spec->n);
    spec->b.strides[1] = c->is_right_transposed ? one : right;
    spec->b.strides[2] = c->is_right_transposed ? right : one;
}

static void emit(tn_test_unit *unit, const gemm_case *c) {
    tn_cg *cg = &unit->cg;
    tn_syms *syms = unit->syms;
    tn_gemm_spec spec = {
        .name = c->name,
        .dtype = TN_BF16,
        .batch_rank = 1,
        .batch = {tn_test_size(unit, c->batch)},
        .m = c->is_dynamic_m ? tn_sym_var(syms, TN_STR("s0"), 1, 1024) : tn_test_size(unit, c->m),
        .n = c->is_dynamic_k ? tn_sym_var(syms, TN_STR("s1"), 1, 1024) : tn_test_size(unit, c->n),
        .k = c->is_dynamic_k ? tn_sym_var(syms, TN_STR("s2"), 1, 1024) : tn_test_size(unit, c->k),
        .b_is_const = c->is_const,
        .is_paired = c->is_paired,
        .store = tn_cg_text(cg, "store_%s", c->name),
    };
    set_operands(unit, c, &spec);
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "TN_INLINE void %s(void *const *buf, const int64_t *sym, "
                   "int64_t i0, int64_t m, int64_t n, int64_t lanes, tn_vf value%s)",
                   spec.store, c->is_paired ? ", tn_vf other" : ""));
    tn_cg_line(cg, "float *out = (float *)buf[2] + (i0 * %s + m) * (%s / %d) + n;",
               tn_cg_sym(cg, spec.m), tn_cg_sym(cg, spec.n), c->is_paired ? 2 : 1);
    /* Adding shows what is stored twice. */
    tn_cg_line(cg, "tn_store_f32(out, 1, lanes, tn_load_f32(out, 1, lanes) + value%s);",
               c->is_paired ? " * other" : "");
    tn_cg_end_function(cg, &function);
    tn_cg_kernel facts;
    tn_status status = tn_emit_gemm_bf16(cg, &spec, &facts);
    tn_test_unit_add(unit, c->name, status, &facts);
}

typedef struct operands {
    uint16_t *a, *b;
    int64_t a_batch, a_row, a_column, b_batch, b_row, b_column;
} operands;

static operands make_operands(const gemm_case *c) {
    unsigned long long random = 99;
    const int64_t lead = (c->is_left_transposed ? c->m : c->k) + c->left_gap;
    const int64_t lines = c->is_left_transposed ? c->k : c->m;
    /* The last row ends where the buffer ends: the address sanitizer sees an overrun. */
    const int64_t a_count = c->batch * lines * lead - c->left_gap, b_count = c->batch * c->k * c->n;
    operands o = {malloc((size_t)a_count * 2),       malloc((size_t)b_count * 2),      lines * lead,
                  c->is_left_transposed ? 1 : lead,  c->is_left_transposed ? lead : 1, c->k * c->n,
                  c->is_right_transposed ? 1 : c->n, c->is_right_transposed ? c->k : 1};
    assert_true(o.a && o.b);
    for (int64_t i = 0; i < a_count; i++)
        o.a[i] = i % lead < lead - c->left_gap ? tn_test_random_bf16(&random) : 0x7fc0;
    for (int64_t i = 0; i < b_count; i++)
        o.b[i] = tn_test_random_bf16(&random);
    return o;
}

static double product(const gemm_case *c, const operands *o, int64_t batch, int64_t m, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < c->k; k++)
        sum += tn_test_widen_bf16(o->a[batch * o->a_batch + m * o->a_row + k * o->a_column]) *
               tn_test_widen_bf16(o->b[batch * o->b_batch + k * o->b_row + n * o->b_column]);
    return sum;
}

static void check(const tn_test_unit *unit, const tn_test_kernel *kernel, const gemm_case *c,
                  int64_t shares) {
    operands o = make_operands(c);
    const int64_t columns = c->is_paired ? c->n / 2 : c->n;
    float *out = calloc((size_t)(c->batch * c->m * columns), sizeof *out);
    assert_non_null(out);
    void *b = o.b;
    if (c->is_const) {
        tn_tensor weight = {TN_BF16, 2, {c->k, c->n}, {o.b_row, o.b_column}, o.b};
        b = tn_test_pack(&kernel->facts.packs[0], &weight);
    }
    void *bufs[] = {o.a, b, out};
    const int64_t symbols[] = {c->m, c->n, c->k};
    tn_test_run(unit, kernel, bufs, symbols, shares);
    for (int64_t batch = 0; batch < c->batch; batch++)
        for (int64_t m = 0; m < c->m; m++)
            for (int64_t n = 0; n < columns; n++) {
                double exact = product(c, &o, batch, m, n);
                if (c->is_paired)
                    exact *= product(c, &o, batch, m, n + columns);
                double got = (double)out[(batch * c->m + m) * columns + n];
                if (!(fabs(got - exact) <= 2e-5 * (1 + fabs(exact))))
                    fail_msg(
                        "%s on %s, %lld x %lld x %lld: result [%lld, %lld, %lld] is %g, wanted %g",
                        c->name, unit->isa.name, (long long)c->m, (long long)c->n, (long long)c->k,
                        (long long)batch, (long long)m, (long long)n, got, exact);
            }
    if (c->is_const)
        free(b);
    free(o.a);
    free(o.b);
    free(out);
}

static void test_gemm(void **state) {
    (void)state;
    const tn_test_isa *isas;
    size_t isa_count = tn_test_isas(&isas);
    for (size_t i = 0; i < isa_count; i++) {
        if (strcmp(isas[i].name, "avx512bf16") == 0)
            continue; /* no other code than avx512 here */
        static tn_test_unit unit;
        tn_test_unit_begin(&unit, &isas[i]);
        for (int c = 0; c < CASES; c++)
            emit(&unit, &cases[c]);
        tn_test_unit_compile(&unit, "gemm_bf16");
        for (int c = 0; c < CASES; c++) {
            if (!cases[c].is_dynamic_m) {
                check(&unit, &unit.kernels[c], &cases[c], 3);
                continue;
            }
            for (int rows = 0; rows < OTHER_ROWS; rows++) {
                gemm_case sized = cases[c];
                sized.m = other_rows[rows];
                if (sized.is_dynamic_k)
                    sized.k += rows * 7, sized.n += rows * 5;
                check(&unit, &unit.kernels[c], &sized, 1 + rows % 4);
            }
        }
        tn_test_unit_end(&unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gemm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
