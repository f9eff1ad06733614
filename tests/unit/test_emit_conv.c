/* test_emit_conv.c: generated fp32 convolutions, dense, grouped and depthwise, against float64
 * sums, for every instruction set of this machine: tails in every dimension, strides, dilation,
 * padding that differs on every side, both layouts of the input, sizes known at compile time and at
 * run time. Results must not depend on how tasks are shared out. */
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

enum { STATIC = 0, DYNAMIC_BATCH = 1, DYNAMIC_SIZE = 2 };
enum layout { NHWC, NCHW, APART }; /* apart: channels last, 3 floats between pixels */
enum { BUF_X = 0, BUF_WEIGHT, BUF_OUT, BUF_BIAS };

static const struct conv_case {
    const char *name;
    int64_t batch, in_h, in_w, in_c, out_c, groups;
    int64_t kernel[2], stride[2], pad_lo[2], pad_hi[2], dilation[2];
    enum layout layout;
    int dynamic;
    bool has_epilogue;
} cases[] = {
    /* clang-format off */
    {"point", 1, 7, 9, 20, 33, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, true},
    {"point_s2", 2, 8, 9, 5, 16, 1, {1, 1}, {2, 2}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"one", 1, 1, 1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"vector", 1, 1, 1, 70, 150, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, true},
    {"same3", 1, 14, 14, 16, 40, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, true},
    {"valid3", 2, 9, 8, 6, 20, 1, {3, 3}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"valid3_apart", 2, 9, 8, 6, 20, 1, {3, 3}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, APART, STATIC, false},
    {"stem", 1, 30, 31, 3, 64, 1, {7, 7}, {2, 2}, {3, 3}, {3, 3}, {1, 1}, NCHW, STATIC, true},
    {"patches", 2, 12, 16, 3, 24, 1, {4, 4}, {4, 4}, {0, 0}, {0, 0}, {1, 1}, NCHW, STATIC, false},
    {"uneven", 1, 11, 13, 9, 17, 1, {3, 5}, {2, 3}, {2, 0}, {1, 4}, {1, 1}, NHWC, STATIC, false},
    {"dilated", 1, 16, 17, 8, 24, 1, {3, 3}, {1, 1}, {2, 3}, {2, 3}, {2, 3}, APART, STATIC, true},
    {"cropped", 1, 10, 10, 4, 8, 1, {2, 2}, {3, 3}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"line", 2, 1, 50, 12, 20, 1, {1, 5}, {1, 2}, {0, 2}, {0, 2}, {1, 1}, NHWC, STATIC, false},
    {"rows_padded", 2, 9, 10, 7, 18, 1, {4, 1}, {2, 1}, {2, 0}, {3, 0}, {1, 1}, NHWC, STATIC, true},
    {"outside", 1, 2, 3, 5, 9, 1, {2, 2}, {9, 9}, {4, 4}, {4, 4}, {1, 1}, NHWC, STATIC, false},
    {"grouped", 1, 9, 9, 24, 60, 3, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, true},
    {"grouped_point", 2, 6, 5, 12, 8, 4, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"multiplier", 1, 8, 8, 6, 12, 6, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, false},
    {"aliased", 1, 7, 7, 1024, 20, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, STATIC, false},
    {"big_rows", 1, 12, 300, 64, 16, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, false},
    {"dynamic_batch", 3, 10, 10, 8, 20, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, DYNAMIC_BATCH, true},
    {"dynamic_size", 2, 11, 23, 8, 20, 1, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, NHWC, 3, true},
    {"dynamic_point", 2, 11, 23, 8, 20, 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, NHWC, 3, false},
    {"dynamic_first", 1, 11, 23, 3, 20, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NCHW, 3, false},
    {"dw3", 1, 14, 14, 40, 40, 40, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, true},
    {"dw3_s2", 2, 15, 33, 32, 32, 32, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, NHWC, STATIC, false},
    {"dw7", 1, 7, 7, 19, 19, 19, {7, 7}, {1, 1}, {3, 3}, {3, 3}, {1, 1}, NHWC, STATIC, true},
    {"dw7_wide", 1, 9, 61, 16, 16, 16, {7, 7}, {1, 1}, {3, 3}, {3, 3}, {1, 1}, APART, STATIC, false},
    {"dw_uneven", 2, 11, 13, 21, 21, 21, {5, 3}, {3, 2}, {0, 4}, {5, 1}, {1, 1}, NHWC, STATIC, false},
    {"dw_dilated", 1, 20, 21, 8, 8, 8, {3, 3}, {1, 2}, {4, 2}, {4, 2}, {4, 2}, NHWC, STATIC, false},
    {"dw_outside", 1, 2, 3, 5, 5, 5, {2, 2}, {1, 1}, {4, 4}, {4, 4}, {1, 1}, NHWC, STATIC, false},
    {"dw_large", 1, 40, 40, 6, 6, 6, {31, 31}, {1, 1}, {15, 15}, {15, 15}, {1, 1}, NHWC, STATIC, false},
    {"dw_first", 1, 12, 12, 5, 5, 5, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NCHW, STATIC, false},
    {"dw_dynamic", 2, 13, 40, 20, 20, 20, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, NHWC, 3, true},
    {"dw_dynamic_small", 1, 3, 3, 20, 20, 20, {7, 7}, {1, 1}, {3, 3}, {3, 3}, {1, 1}, NHWC, 3, false},
    /* clang-format on */
};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

static int64_t out_size(const struct conv_case *c, int dim) {
    int64_t in = dim ? c->in_w : c->in_h, under = (c->kernel[dim] - 1) * c->dilation[dim] + 1;
    return (in + c->pad_lo[dim] + c->pad_hi[dim] - under) / c->stride[dim] + 1;
}

/* Floats from one element of x to the next along n, y, x, c. */
static void x_strides(const struct conv_case *c, int64_t *strides) {
    int64_t pixel = c->layout == APART ? c->in_c + 3 : c->in_c;
    if (c->layout == NCHW) {
        strides[0] = c->in_c * c->in_h * c->in_w, strides[1] = c->in_w;
        strides[2] = 1, strides[3] = c->in_h * c->in_w;
    } else {
        strides[0] = c->in_h * c->in_w * pixel, strides[1] = c->in_w * pixel;
        strides[2] = pixel, strides[3] = 1;
    }
}

static const tn_sym *size(tn_cg *cg, const struct conv_case *c, int flag, const char *letter,
                          int64_t value) {
    if (!(c->dynamic & flag))
        return tn_sym_const(cg->syms, value);
    return tn_sym_var(cg->syms, tn_str_of(tn_cg_text(cg, "%s_%s", letter, c->name)), 1, 4096);
}

static const tn_sym *out_sym(tn_cg *cg, const struct conv_case *c, int dim, const tn_sym *in) {
    int64_t under = (c->kernel[dim] - 1) * c->dilation[dim] + 1;
    const tn_sym *room = tn_sym_addi(cg->syms, in, c->pad_lo[dim] + c->pad_hi[dim] - under);
    const tn_sym *stride = tn_sym_const(cg->syms, c->stride[dim]);
    return tn_sym_addi(cg->syms, tn_sym_floordiv(cg->syms, room, stride), 1);
}

static void print_store(tn_cg *cg, const struct conv_case *c, const tn_sym *out_h,
                        const tn_sym *out_w) {
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "TN_INLINE void store_%s(void *const *buf, const int64_t *sym, "
                                    "int64_t n, int64_t y, int64_t x, int64_t c, int64_t lanes, "
                                    "tn_vf v)",
                                    c->name));
    if (c->has_epilogue) {
        tn_cg_line(cg, "v += tn_load_f32((const float *)buf[%d] + c, 1, lanes);", BUF_BIAS);
        tn_cg_line(cg, "v = tn_greater_f(v, (tn_vf){0});");
    }
    tn_cg_line(cg,
               "tn_store_f32((float *)buf[%d] + ((n * %s + y) * %s + x) * %lld + c, 1, lanes, v);",
               BUF_OUT, tn_cg_sym(cg, out_h), tn_cg_sym(cg, out_w), (long long)c->out_c);
    tn_cg_end_function(cg, &function);
}

static void print_case(tn_test_unit *unit, const struct conv_case *c) {
    tn_cg *cg = &unit->cg;
    const tn_sym *in_h = size(cg, c, DYNAMIC_SIZE, "h", c->in_h);
    const tn_sym *in_w = size(cg, c, DYNAMIC_SIZE, "w", c->in_w);
    const tn_sym *out_h = out_sym(cg, c, 0, in_h), *out_w = out_sym(cg, c, 1, in_w);
    print_store(cg, c, out_h, out_w);
    int64_t strides[4];
    x_strides(c, strides);
    tn_conv_spec spec = {.name = c->name,
                         .dtype = TN_F32,
                         .batch = size(cg, c, DYNAMIC_BATCH, "n", c->batch),
                         .in_h = in_h,
                         .in_w = in_w,
                         .out_h = out_h,
                         .out_w = out_w,
                         .in_c = c->in_c,
                         .out_c = c->out_c,
                         .groups = c->groups,
                         .kernel_h = c->kernel[0],
                         .kernel_w = c->kernel[1],
                         .stride_h = c->stride[0],
                         .stride_w = c->stride[1],
                         .pad_top = c->pad_lo[0],
                         .pad_left = c->pad_lo[1],
                         .dilation_h = c->dilation[0],
                         .dilation_w = c->dilation[1],
                         .x = {.buf = BUF_X, .dtype = TN_F32, .offset = tn_sym_const(cg->syms, 0)},
                         .weight_buf = BUF_WEIGHT,
                         .store = tn_cg_text(cg, "store_%s", c->name)};
    for (int i = 0; i < 4; i++)
        spec.x.strides[i] = tn_sym_const(cg->syms, strides[i]);
    if (c->dynamic & DYNAMIC_SIZE) { /* strides are expressions of the sizes, too */
        const tn_sym *plane = tn_sym_mul(cg->syms, in_h, in_w);
        bool is_first = c->layout == NCHW;
        spec.x.strides[0] = tn_sym_muli(cg->syms, plane, c->in_c);
        spec.x.strides[1] = is_first ? in_w : tn_sym_muli(cg->syms, in_w, c->in_c);
        if (is_first)
            spec.x.strides[3] = plane;
    }
    tn_cg_kernel kernel;
    tn_status status = tn_emit_conv(cg, &spec, &kernel);
    tn_test_unit_add(unit, c->name, status, &kernel);
    assert_int_equal(kernel.pack_count, 1);
}

/* One output before the epilogue. */
static double reference_at(const struct conv_case *c, const float *x, const float *weight,
                           int64_t n, int64_t oy, int64_t ox, int64_t o) {
    int64_t group_in = c->in_c / c->groups, first = o / (c->out_c / c->groups) * group_in;
    int64_t strides[4];
    x_strides(c, strides);
    double sum = 0;
    for (int64_t ky = 0; ky < c->kernel[0]; ky++)
        for (int64_t kx = 0; kx < c->kernel[1]; kx++) {
            int64_t y = oy * c->stride[0] - c->pad_lo[0] + ky * c->dilation[0];
            int64_t column = ox * c->stride[1] - c->pad_lo[1] + kx * c->dilation[1];
            if (y < 0 || y >= c->in_h || column < 0 || column >= c->in_w)
                continue;
            for (int64_t i = 0; i < group_in; i++)
                sum += (double)x[n * strides[0] + y * strides[1] + column * strides[2] +
                                 (first + i) * strides[3]] *
                       weight[((o * group_in + i) * c->kernel[0] + ky) * c->kernel[1] + kx];
        }
    return sum;
}

static void reference(const struct conv_case *c, const float *x, const float *weight,
                      const float *bias, double *out) {
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t oy = 0; oy < out_size(c, 0); oy++)
            for (int64_t ox = 0; ox < out_size(c, 1); ox++)
                for (int64_t o = 0; o < c->out_c; o++) {
                    double sum = reference_at(c, x, weight, n, oy, ox, o);
                    if (c->has_epilogue)
                        sum = sum + bias[o] > 0 ? sum + bias[o] : 0;
                    *out++ = sum;
                }
}

static void run_case(const tn_test_unit *unit, const struct conv_case *c,
                     const tn_test_kernel *kernel, const int64_t *sym_values) {
    unsigned long long state = 88172645463325252ull;
    int64_t strides[4], group_in = c->in_c / c->groups;
    x_strides(c, strides);
    const tn_cg_pack *how = &kernel->facts.packs[0];
    size_t x_count = (size_t)(c->batch * strides[0] - (c->layout == APART ? 3 : 0));
    size_t weight_count = (size_t)(c->out_c * group_in * c->kernel[0] * c->kernel[1]);
    size_t out_count = (size_t)(c->batch * out_size(c, 0) * out_size(c, 1) * c->out_c);
    float *x = tn_test_guarded_random(x_count, &state);
    float *weight = tn_test_guarded_random(weight_count, &state);
    float *bias = tn_test_guarded_random((size_t)c->out_c, &state);
    float *out = tn_test_guarded(out_count), *again = tn_test_guarded(out_count);
    float *packed = tn_test_guarded(how->bytes / sizeof(float));
    double *want = calloc(out_count, sizeof *want);
    assert_non_null(want);
    reference(c, x, weight, bias, want);
    tn_tensor tensor = {.dtype = TN_F32,
                        .rank = 4,
                        .dims = {c->out_c, group_in, c->kernel[0], c->kernel[1]},
                        .strides = {group_in * c->kernel[0] * c->kernel[1],
                                    c->kernel[0] * c->kernel[1], c->kernel[1], 1},
                        .data = weight};
    if (c->kernel[0] == 1 && c->in_h == 1) { /* 1-D */
        tensor.rank = 3;
        tensor.dims[2] = c->kernel[1];
        tensor.strides[2] = 1;
    }
    how->pack(how, &tensor, packed);
    tn_test_run(unit, kernel, (void *[]){x, packed, out, bias}, sym_values, 1);
    double error = tn_test_relative_error(out, want, out_count);
    if (error > 1e-6)
        fail_msg("%s on %s: relative L2 error %.2e", c->name, unit->isa.name, error);
    tn_test_run(unit, kernel, (void *[]){x, packed, again, bias}, sym_values, INT64_MAX);
    assert_memory_equal(out, again, out_count * sizeof *out);
    tn_test_guarded_free(x, x_count);
    tn_test_guarded_free(weight, weight_count);
    tn_test_guarded_free(bias, (size_t)c->out_c);
    tn_test_guarded_free(packed, how->bytes / sizeof(float));
    tn_test_guarded_free(out, out_count);
    tn_test_guarded_free(again, out_count);
    free(want);
}

/* Values of the table's symbols, which are named LETTER_CASE. */
static int64_t symbol_value(const tn_sym *symbol) {
    for (size_t i = 0; i < CASE_COUNT; i++) {
        tn_str letter, name = tn_str_split(symbol->name, '_', &letter);
        if (tn_str_is(name, cases[i].name))
            return tn_str_is(letter, "h")   ? cases[i].in_h
                   : tn_str_is(letter, "w") ? cases[i].in_w
                                            : cases[i].batch;
    }
    fail_msg("symbol of no case");
    return 0;
}

static void check_isa(const tn_test_isa *isa) {
    static tn_test_unit unit;
    tn_test_unit_begin(&unit, isa);
    for (size_t i = 0; i < CASE_COUNT; i++)
        print_case(&unit, &cases[i]);
    tn_test_unit_compile(&unit, "conv");
    int64_t values[64];
    size_t count = tn_sym_var_count(unit.syms);
    assert_true(count <= sizeof values / sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = symbol_value(tn_sym_var_at(unit.syms, i));
    for (size_t i = 0; i < CASE_COUNT; i++)
        run_case(&unit, &cases[i], &unit.kernels[i], values);
    tn_test_unit_end(&unit);
}

static void convolutions(void **state) {
    (void)state;
    const tn_test_isa *isas;
    size_t count = tn_test_isas(&isas);
    for (size_t i = 0; i < count && i < 3; i++) /* the later ones add nothing to fp32 */
        check_isa(&isas[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
