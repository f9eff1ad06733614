/* test_emit_gemm.c: generated fp32 matrix products against float64 sums, for every instruction set
 * of this machine: tails in every dimension, every way that an operand can lie in memory, sizes
 * known at compile time and at run time. Results must not depend on how tasks are shared out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emitted.h"
#include "guarded.h"

enum { STATIC = 0, DYNAMIC_M = 1, DYNAMIC_N = 2, DYNAMIC_K = 4, DYNAMIC_BATCH = 8 };
enum b_layout { B_PACKED, B_PACKED_FROM_COLUMNS, B_ROWS, B_COLUMNS, B_SHARED };

static const struct gemm_case {
    const char *name;
    int64_t m, n, k, batch; /* batch 0: rank 0 */
    int dynamic;
    enum b_layout b;
    bool a_is_transposed;
    bool is_paired;
    bool has_epilogue;
    int64_t a_padding; /* floats between the end of a row and the next */
} cases[] = {
    {"whole", 32, 96, 40, 0, STATIC, B_PACKED, false, false, false, 0},
    {"one", 1, 1, 1, 0, STATIC, B_PACKED, false, false, false, 0},
    {"vector", 1, 200, 33, 0, STATIC, B_PACKED, false, false, true, 0},
    {"column", 37, 1, 19, 0, STATIC, B_PACKED, false, false, false, 3},
    {"tails", 29, 101, 67, 0, STATIC, B_PACKED, false, false, true, 0},
    {"from_columns", 13, 50, 21, 0, STATIC, B_PACKED_FROM_COLUMNS, false, false, true, 5},
    {"aliased", 20, 70, 1024, 0, STATIC, B_PACKED, false, false, false, 0},
    {"blocks", 700, 20, 600, 0, STATIC, B_PACKED, false, false, false, 0},
    {"depth_1", 9, 40, 1, 0, STATIC, B_PACKED, false, false, false, 0},
    {"no_rows", 0, 40, 8, 0, DYNAMIC_M, B_PACKED, false, false, false, 0},
    {"dynamic_m", 45, 100, 24, 0, DYNAMIC_M, B_PACKED, false, false, true, 0},
    {"dynamic_one", 1, 100, 24, 0, DYNAMIC_M, B_PACKED, false, false, false, 0},
    {"dynamic_blocks", 301, 70, 16, 0, DYNAMIC_M, B_PACKED, false, false, false, 0},
    {"paired", 11, 96, 20, 0, STATIC, B_PACKED, false, true, false, 0},
    {"paired_dynamic", 23, 160, 20, 0, DYNAMIC_M, B_PACKED_FROM_COLUMNS, false, true, false, 0},
    {"a_transposed", 35, 40, 26, 0, STATIC, B_PACKED, true, false, false, 2},
    {"batched", 5, 33, 18, 3, STATIC, B_PACKED, false, false, true, 0},
    {"b_rows", 31, 75, 29, 2, STATIC, B_ROWS, false, false, true, 0},
    {"b_columns", 31, 75, 29, 2, STATIC, B_COLUMNS, false, false, false, 4},
    {"b_shared", 10, 20, 30, 4, DYNAMIC_BATCH, B_SHARED, false, false, false, 0},
    {"b_blocks", 600, 40, 500, 0, STATIC, B_ROWS, true, false, false, 0},
    {"all_dynamic", 27, 90, 41, 3, 15, B_ROWS, false, false, true, 0},
    {"all_dynamic_t", 14, 35, 22, 2, 15, B_COLUMNS, true, false, false, 0},
    {"dynamic_k", 12, 64, 100, 0, DYNAMIC_K, B_COLUMNS, false, false, false, 0},
};
enum { CASE_COUNT = sizeof cases / sizeof *cases, BUF_A = 0, BUF_B, BUF_OUT, BUF_BIAS };

static int64_t batch_count(const struct gemm_case *c) {
    return c->batch == 0 ? 1 : c->batch;
}
static bool b_is_const(const struct gemm_case *c) {
    return c->b == B_PACKED || c->b == B_PACKED_FROM_COLUMNS;
}
/* The distance of a's rows (of its columns if it is transposed). */
static int64_t a_pitch(const struct gemm_case *c) {
    return (c->a_is_transposed ? c->m : c->k) + c->a_padding;
}
static int64_t a_batch_stride(const struct gemm_case *c) {
    return a_pitch(c) * (c->a_is_transposed ? c->k : c->m);
}
static int64_t out_columns(const struct gemm_case *c) {
    return c->is_paired ? c->n / 2 : c->n;
}

static const tn_sym *size(tn_cg *cg, const struct gemm_case *c, int flag, const char *letter,
                          int64_t value) {
    if (!(c->dynamic & flag))
        return tn_sym_const(cg->syms, value);
    return tn_sym_var(cg->syms, tn_str_of(tn_cg_text(cg, "%s_%s", letter, c->name)), 0, INT64_MAX);
}

/* Adds the bias and clamps, if wanted; pairs become a - 2 b. */
static void print_store(tn_cg *cg, const struct gemm_case *c, const tn_sym *m, const tn_sym *n) {
    const char *indices = c->batch ? "int64_t i0, " : "";
    const char *extra = c->is_paired ? ", tn_vf gate" : "";
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "TN_INLINE void store_%s(void *const *buf, const int64_t *sym, "
                                    "%sint64_t m, int64_t n, int64_t lanes, tn_vf x%s)",
                                    c->name, indices, extra));
    const char *columns = tn_cg_sym(cg, n);
    if (c->is_paired)
        tn_cg_line(cg, "x = x - 2.0f * gate;");
    if (c->has_epilogue) {
        tn_cg_line(cg, "x += tn_load_f32((const float *)buf[%d] + n, 1, lanes);", BUF_BIAS);
        tn_cg_line(cg, "x = tn_greater_f(x, (tn_vf){0});");
    }
    const char *batch = c->batch ? tn_cg_text(cg, "i0 * %s + ", tn_cg_sym(cg, m)) : "";
    tn_cg_line(cg, "tn_store_f32((float *)buf[%d] + (%sm) * %s + n, 1, lanes, x);", BUF_OUT, batch,
               c->is_paired ? tn_cg_text(cg, "%lld", (long long)c->n / 2) : columns);
    tn_cg_end_function(cg, &function);
}

static void print_case(tn_test_unit *unit, const struct gemm_case *c) {
    tn_cg *cg = &unit->cg;
    tn_cg_kernel kernel;
    const tn_sym *m = size(cg, c, DYNAMIC_M, "m", c->m), *n = size(cg, c, DYNAMIC_N, "n", c->n);
    const tn_sym *k = size(cg, c, DYNAMIC_K, "k", c->k);
    const tn_sym *one = tn_sym_const(cg->syms, 1), *zero = tn_sym_const(cg->syms, 0);
    const tn_sym *pitch = tn_sym_addi(cg->syms, c->a_is_transposed ? m : k, c->a_padding);
    print_store(cg, c, m, n);
    tn_gemm_spec spec = {.name = c->name,
                         .dtype = TN_F32,
                         .m = m,
                         .n = n,
                         .k = k,
                         .a = {.buf = BUF_A, .dtype = TN_F32, .offset = zero},
                         .b = {.buf = BUF_B, .dtype = TN_F32, .offset = zero},
                         .b_is_const = b_is_const(c),
                         .is_paired = c->is_paired,
                         .store = tn_cg_text(cg, "store_%s", c->name)};
    uint32_t rank = 0;
    if (c->batch) {
        spec.batch[0] = size(cg, c, DYNAMIC_BATCH, "batch", c->batch);
        spec.a.strides[0] = tn_sym_mul(cg->syms, pitch, c->a_is_transposed ? k : m);
        spec.b.strides[0] = c->b == B_SHARED ? zero : tn_sym_mul(cg->syms, k, n);
        rank = 1;
    }
    spec.batch_rank = rank;
    spec.a.strides[rank] = c->a_is_transposed ? one : pitch;
    spec.a.strides[rank + 1] = c->a_is_transposed ? pitch : one;
    spec.b.strides[rank] = c->b == B_COLUMNS ? one : n;
    spec.b.strides[rank + 1] = c->b == B_COLUMNS ? k : one;
    tn_status status = tn_emit_gemm(cg, &spec, &kernel);
    tn_test_unit_add(unit, c->name, status, &kernel);
    assert_int_equal(kernel.pack_count, b_is_const(c) ? 1 : 0);
}

static void reference(const struct gemm_case *c, const float *a, const float *b, const float *bias,
                      double *out) {
    int64_t b_batch = c->b == B_SHARED || b_is_const(c) ? 0 : c->k * c->n;
    bool b_columns = c->b == B_COLUMNS || c->b == B_PACKED_FROM_COLUMNS;
    for (int64_t i = 0; i < batch_count(c); i++)
        for (int64_t m = 0; m < c->m; m++)
            for (int64_t n = 0; n < c->n; n++) {
                double sum = 0;
                for (int64_t k = 0; k < c->k; k++) {
                    int64_t at = c->a_is_transposed ? k * a_pitch(c) + m : m * a_pitch(c) + k;
                    int64_t bt = b_columns ? n * c->k + k : k * c->n + n;
                    sum += (double)a[i * a_batch_stride(c) + at] * b[i * b_batch + bt];
                }
                if (c->has_epilogue)
                    sum = sum + bias[n] > 0 ? sum + bias[n] : 0;
                double *to = &out[(i * c->m + m) * out_columns(c) + n % out_columns(c)];
                *to = n >= out_columns(c) ? *to - 2 * sum : sum;
            }
}

/* The packed weight: guarded, since kernels may read it to its end and no further. */
static float *pack(const struct gemm_case *c, const tn_cg_pack *how, float *weight) {
    float *packed = tn_test_guarded(how->bytes / sizeof(float));
    bool columns = c->b == B_PACKED_FROM_COLUMNS;
    tn_tensor tensor = {.dtype = TN_F32,
                        .rank = 2,
                        .dims = {c->k, c->n},
                        .strides = {columns ? 1 : c->n, columns ? c->k : 1},
                        .data = weight};
    how->pack(how, &tensor, packed);
    return packed;
}

static void run_case(const tn_test_unit *unit, const struct gemm_case *c,
                     const tn_test_kernel *kernel, const int64_t *sym_values) {
    unsigned long long state = 88172645463325252ull;
    const tn_cg_pack *how = &kernel->facts.packs[0];
    size_t a_count = (size_t)(batch_count(c) * a_batch_stride(c) - (c->m ? c->a_padding : 0));
    size_t b_count = (size_t)(c->k * c->n * (b_is_const(c) ? 1 : batch_count(c)));
    size_t out_count = (size_t)(batch_count(c) * c->m * out_columns(c));
    float *a = tn_test_guarded_random(a_count, &state);
    float *b = tn_test_guarded_random(b_count, &state);
    float *bias = tn_test_guarded_random((size_t)c->n, &state);
    float *out = tn_test_guarded(out_count), *again = tn_test_guarded(out_count);
    double *want = calloc(out_count + 1, sizeof *want);
    assert_non_null(want);
    reference(c, a, b, bias, want);
    float *packed = b_is_const(c) ? pack(c, how, b) : b;
    tn_test_run(unit, kernel, (void *[]){a, packed, out, bias}, sym_values, 1);
    double error = tn_test_relative_error(out, want, out_count);
    if (error > 1e-6)
        fail_msg("%s on %s: relative L2 error %.2e", c->name, unit->isa.name, error);
    tn_test_run(unit, kernel, (void *[]){a, packed, again, bias}, sym_values, INT64_MAX);
    assert_memory_equal(out, again, out_count * sizeof *out);
    if (packed != b)
        tn_test_guarded_free(packed, how->bytes / sizeof(float));
    tn_test_guarded_free(a, a_count);
    tn_test_guarded_free(b, b_count);
    tn_test_guarded_free(bias, (size_t)c->n);
    tn_test_guarded_free(out, out_count);
    tn_test_guarded_free(again, out_count);
    free(want);
}

/* Values of the table's symbols, which are named LETTER_CASE. */
static int64_t symbol_value(const tn_sym *symbol) {
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const struct gemm_case *c = &cases[i];
        tn_str letter, name = tn_str_split(symbol->name, '_', &letter);
        if (tn_str_is(name, c->name))
            return tn_str_is(letter, "m")   ? c->m
                   : tn_str_is(letter, "n") ? c->n
                   : tn_str_is(letter, "k") ? c->k
                                            : c->batch;
    }
    fail_msg("symbol of no case");
    return 0;
}

static void check_isa(const tn_test_isa *isa) {
    static tn_test_unit unit;
    tn_test_unit_begin(&unit, isa);
    for (size_t i = 0; i < CASE_COUNT; i++)
        print_case(&unit, &cases[i]);
    tn_test_unit_compile(&unit, "gemm");
    int64_t values[64];
    size_t count = tn_sym_var_count(unit.syms);
    assert_true(count <= sizeof values / sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = symbol_value(tn_sym_var_at(unit.syms, i));
    for (size_t i = 0; i < CASE_COUNT; i++)
        run_case(&unit, &cases[i], &unit.kernels[i], values);
    tn_test_unit_end(&unit);
}

static void products(void **state) {
    (void)state;
    const tn_test_isa *isas;
    size_t count = tn_test_isas(&isas);
    for (size_t i = 0; i < count && i < 3; i++) /* the later ones add nothing to fp32 */
        check_isa(&isas[i]);
}

/* Equal specs print equal text. */
static void is_deterministic(void **state) {
    (void)state;
    static tn_test_unit first, second;
    const tn_test_isa *isas;
    tn_test_isas(&isas);
    tn_test_unit_begin(&first, &isas[0]);
    tn_test_unit_begin(&second, &isas[0]);
    print_case(&first, &cases[4]);
    print_case(&second, &cases[4]);
    assert_string_equal(tn_buf_cstr(&first.out), tn_buf_cstr(&second.out));
    tn_test_unit_end(&first);
    tn_test_unit_end(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(is_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
