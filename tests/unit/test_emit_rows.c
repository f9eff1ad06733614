/* test_emit_rows.c: softmax, log-softmax, LayerNorm and RMSNorm kernels against double, for row
 * lengths around the vector width, for fixed and symbolic sizes, and for rows with infinities and
 * NaN. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emitted.h"

static const int64_t lengths[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 67, 100, 768, 1003};
enum { LENGTHS = sizeof lengths / sizeof *lengths, KINDS = 4, ROWS = 6 };
static const double eps = 0x1p-17;

/* x and out are [2, 3, n], row-major; load adds 1 to show that it is called. */
static void print_io(tn_cg *cg, const char *name, const tn_sym *n) {
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "TN_INLINE tn_vf load_%s(void *const *buf, const int64_t *sym, int64_t i0, "
                   "int64_t i1, int64_t j, int64_t lanes)",
                   name));
    tn_cg_line(cg, "const float *x = (const float *)buf[0] + (i0 * 3 + i1) * %s + j;",
               tn_cg_sym(cg, n));
    tn_cg_line(cg, "return tn_load_f32(x, 1, lanes) + 1.0f;");
    tn_cg_end_function(cg, &function);
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "TN_INLINE void store_%s(void *const *buf, const int64_t *sym, int64_t i0, "
                   "int64_t i1, int64_t j, int64_t lanes, tn_vf value)",
                   name));
    tn_cg_line(cg, "float *out = (float *)buf[1] + (i0 * 3 + i1) * %s + j;", tn_cg_sym(cg, n));
    tn_cg_line(cg, "tn_store_f32(out, 1, lanes, value);");
    tn_cg_end_function(cg, &function);
}

static void emit(tn_test_unit *unit, const char *name, tn_row_kind kind, const tn_sym *n) {
    tn_cg *cg = &unit->cg;
    print_io(cg, name, n);
    tn_row_spec spec = {
        .name = name,
        .kind = kind,
        .outer_rank = 2,
        .outer = {tn_sym_const(unit->syms, 2), tn_sym_const(unit->syms, 3)},
        .n = n,
        .eps = eps,
        .load = tn_cg_text(cg, "load_%s", name),
        .store = tn_cg_text(cg, "store_%s", name),
    };
    tn_cg_kernel facts;
    tn_status status = tn_emit_rows(cg, &spec, &facts);
    tn_test_unit_add(unit, name, status, &facts);
}

static void reference(tn_row_kind kind, const float *x, int64_t n, double *out) {
    double max = -INFINITY, sum = 0, mean = 0, square = 0;
    for (int64_t j = 0; j < n; j++) {
        out[j] = (double)x[j] + 1;
        max = out[j] > max || isnan(out[j]) ? out[j] : max;
        mean += out[j] / (double)n;
    }
    for (int64_t j = 0; j < n; j++) {
        double center = kind == TN_ROW_RMS_NORM ? 0 : mean;
        sum += exp(out[j] - max);
        square += (out[j] - center) * (out[j] - center) / (double)n;
    }
    for (int64_t j = 0; j < n; j++)
        switch (kind) {
        case TN_ROW_SOFTMAX:
            out[j] = exp(out[j] - max) / sum;
            break;
        case TN_ROW_LOG_SOFTMAX:
            out[j] = out[j] - max - log(sum);
            break;
        case TN_ROW_LAYER_NORM:
            out[j] = (out[j] - mean) / sqrt(square + eps);
            break;
        case TN_ROW_RMS_NORM:
            out[j] = out[j] / sqrt(square + eps);
            break;
        }
}

/* Row 1 holds -inf, row 2 NaN, row 3 only -inf, row 4 +inf; the others are finite. */
static void fill(float *x, int64_t n, unsigned long long *random) {
    for (int64_t i = 0; i < ROWS * n; i++)
        x[i] = tn_test_uniform(random) * 8;
    x[1 * n] = -INFINITY;
    x[2 * n + n / 2] = NAN;
    for (int64_t j = 0; j < n; j++)
        x[3 * n + j] = -INFINITY;
    x[4 * n + n - 1] = INFINITY;
}

static void check(const tn_test_unit *unit, const tn_test_kernel *kernel, tn_row_kind kind,
                  int64_t n, int64_t shares) {
    unsigned long long random = 77;
    /* Exact sizes: the address sanitizer sees a read or write past the last row. */
    float *x = malloc(sizeof *x * ROWS * (size_t)n), *out = malloc(sizeof *out * ROWS * (size_t)n);
    double *exact = malloc(sizeof *exact * (size_t)n);
    assert_true(x && out && exact);
    fill(x, n, &random);
    void *bufs[] = {x, out};
    tn_test_run(unit, kernel, bufs, &n, shares);
    for (int row = 0; row < ROWS; row++) {
        reference(kind, x + row * n, n, exact);
        for (int64_t j = 0; j < n; j++) {
            double got = (double)out[row * n + j], limit = 2e-6 * (fabs(exact[j]) + 1);
            bool same = isnan(exact[j])   ? isnan(got)
                        : isinf(exact[j]) ? got == exact[j]
                                          : fabs(got - exact[j]) <= limit;
            if (!same)
                fail_msg("%s on %s, n = %lld, row %d, element %lld: %g, wanted %g", kernel->name,
                         unit->isa.name, (long long)n, row, (long long)j, got, exact[j]);
        }
    }
    free(x);
    free(out);
    free(exact);
}

static void test_rows(void **state) {
    (void)state;
    const tn_test_isa *isas;
    size_t isa_count = tn_test_isas(&isas);
    for (size_t i = 0; i < isa_count; i++) {
        static tn_test_unit unit;
        tn_test_unit_begin(&unit, &isas[i]);
        for (int kind = 0; kind < KINDS; kind++) {
            emit(&unit, tn_cg_text(&unit.cg, "dynamic_%d", kind), (tn_row_kind)kind,
                 tn_sym_var(unit.syms, TN_STR("s0"), 1, 4096));
            emit(&unit, tn_cg_text(&unit.cg, "fixed_%d", kind), (tn_row_kind)kind,
                 tn_sym_const(unit.syms, 100));
        }
        tn_test_unit_compile(&unit, "rows");
        for (int kind = 0; kind < KINDS; kind++) {
            for (int length = 0; length < LENGTHS; length++)
                check(&unit, &unit.kernels[2 * kind], (tn_row_kind)kind, lengths[length],
                      1 + length % 6);
            check(&unit, &unit.kernels[2 * kind + 1], (tn_row_kind)kind, 100, 6);
        }
        tn_test_unit_end(&unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
