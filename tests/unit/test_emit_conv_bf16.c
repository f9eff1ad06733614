/* test_emit_conv_bf16.c: convolutions of bf16 against double: kernels, strides, dilations,
 * one-sided borders, groups, channels that are no whole number of steps, first layers in either
 * layout, slices of wider images, symbolic sizes; one input pixel is NaN and must reach its windows
 * alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emitted.h"

typedef struct conv_case {
    const char *name;
    int64_t batch, in_h, in_w, in_c, out_c, groups, kernel_h, kernel_w, stride_h, stride_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w;
    bool is_dynamic;       /* batch and both sizes are symbols; run with several */
    bool is_channel_first; /* the input lies as [n, c, y, x] */
    int64_t gap;           /* channels between two pixels that belong to another tensor: NaN */
} conv_case;

static const conv_case cases[] = {
    {"point", 2, 9, 7, 64, 40, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, false, false, 0},
    {"point_slice", 1, 12, 12, 32, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, false, false, 8},
    {"point_tail", 1, 5, 5, 20, 33, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, false, false, 4},
    {"point_stride", 2, 9, 8, 32, 32, 1, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, false, false, 0},
    {"square", 2, 14, 14, 64, 64, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"square_stride", 1, 15, 13, 32, 48, 1, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"one_sided", 1, 8, 9, 40, 16, 1, 3, 2, 1, 2, 0, 1, 2, 0, 1, 1, false, false, 3},
    {"dilated", 1, 13, 17, 32, 32, 1, 3, 3, 2, 1, 2, 2, 2, 2, 2, 3, false, false, 0},
    {"first", 1, 30, 27, 3, 64, 1, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, false, true, 0},
    {"first_last", 2, 16, 16, 3, 24, 1, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"first_dilated", 1, 16, 16, 3, 8, 1, 3, 3, 1, 2, 2, 2, 2, 2, 2, 2, false, true, 0},
    {"patches", 1, 24, 24, 3, 96, 1, 8, 8, 8, 8, 0, 0, 0, 0, 1, 1, false, true, 0},
    {"groups", 2, 6, 6, 24, 90, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"line", 2, 1, 40, 48, 32, 1, 1, 5, 1, 1, 0, 2, 0, 2, 1, 1, false, false, 0},
    {"large_kernel", 1, 4, 4, 32, 32, 1, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, false, false, 0},
    {"passes", 1, 7, 7, 160, 32, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"point_panels", 1, 7, 9, 64, 763, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, false, false, 0},
    {"stride_panels", 2, 9, 9, 40, 768, 1, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, false, false, 0},
    {"depthwise", 2, 9, 30, 24, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"depthwise_stride", 1, 11, 12, 37, 37, 37, 5, 5, 2, 2, 2, 2, 2, 2, 1, 1, false, false, 3},
    {"depthwise_dynamic", 1, 1, 1, 20, 20, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, true, false, 0},
    {"one_channel", 1, 9, 9, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, false, 0},
    {"dynamic", 1, 1, 1, 32, 40, 1, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, true, false, 0},
    {"dynamic_first", 1, 1, 1, 3, 16, 1, 4, 4, 4, 4, 1, 1, 1, 1, 1, 1, true, true, 0},
};
enum { CASES = sizeof cases / sizeof *cases };
static const int64_t other_sizes[][3] = {{1, 3, 3}, {2, 8, 20}, {1, 40, 37}};
enum { OTHER_SIZES = sizeof other_sizes / sizeof *other_sizes };

static int64_t out_size(int64_t in, int64_t pads, int64_t kernel, int64_t stride,
                        int64_t dilation) {
    return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}
static int64_t out_h(const conv_case *c) {
    return out_size(c->in_h, c->pad_top + c->pad_bottom, c->kernel_h, c->stride_h, c->dilation_h);
}
static int64_t out_w(const conv_case *c) {
    return out_size(c->in_w, c->pad_left + c->pad_right, c->kernel_w, c->stride_w, c->dilation_w);
}

static const tn_sym *out_sym(tn_test_unit *unit, const tn_sym *in, int64_t pads, int64_t kernel,
                             int64_t stride, int64_t dilation) {
    tn_syms *syms = unit->syms;
    const tn_sym *span = tn_sym_addi(syms, in, pads - (kernel - 1) * dilation - 1);
    return tn_sym_addi(syms, tn_sym_floordiv(syms, span, tn_test_size(unit, stride)), 1);
}

static void emit(tn_test_unit *unit, const conv_case *c) {
    tn_cg *cg = &unit->cg;
    tn_syms *syms = unit->syms;
    const bool is_dynamic = c->is_dynamic;
    const tn_sym *batch =
        is_dynamic ? tn_sym_var(syms, TN_STR("s0"), 1, 8) : tn_test_size(unit, c->batch);
    const tn_sym *h =
        is_dynamic ? tn_sym_var(syms, TN_STR("s1"), 3, 64) : tn_test_size(unit, c->in_h);
    const tn_sym *w =
        is_dynamic ? tn_sym_var(syms, TN_STR("s2"), 3, 64) : tn_test_size(unit, c->in_w);
    tn_conv_spec spec = {
        .name = c->name,
        .dtype = TN_BF16,
        .batch = batch,
        .in_h = h,
        .in_w = w,
        .out_h =
            out_sym(unit, h, c->pad_top + c->pad_bottom, c->kernel_h, c->stride_h, c->dilation_h),
        .out_w =
            out_sym(unit, w, c->pad_left + c->pad_right, c->kernel_w, c->stride_w, c->dilation_w),
        .in_c = c->in_c,
        .out_c = c->out_c,
        .groups = c->groups,
        .kernel_h = c->kernel_h,
        .kernel_w = c->kernel_w,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .pad_top = c->pad_top,
        .pad_left = c->pad_left,
        .dilation_h = c->dilation_h,
        .dilation_w = c->dilation_w,
        .x = {.buf = 0, .dtype = TN_BF16, .offset = tn_test_size(unit, 0)},
        .weight_buf = 1,
        .store = tn_cg_text(cg, "store_%s", c->name),
    };
    const tn_sym *pixel = tn_test_size(unit, c->is_channel_first ? 1 : c->in_c + c->gap);
    const tn_sym *plane = tn_sym_mul(syms, h, w);
    spec.x.strides[2] = pixel;
    spec.x.strides[1] = tn_sym_mul(syms, w, pixel);
    spec.x.strides[3] = c->is_channel_first ? plane : tn_test_size(unit, 1);
    spec.x.strides[0] = tn_sym_muli(syms, plane, c->in_c + c->gap);
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "TN_INLINE void %s(void *const *buf, const int64_t *sym, int64_t n, "
                   "int64_t y, int64_t x, int64_t o, int64_t lanes, tn_vf value)",
                   spec.store));
    tn_cg_line(cg, "float *out = (float *)buf[2] + ((n * %s + y) * %s + x) * %lld + o;",
               tn_cg_sym(cg, spec.out_h), tn_cg_sym(cg, spec.out_w), (long long)c->out_c);
    tn_cg_line(cg, "tn_store_f32(out, 1, lanes, value);");
    tn_cg_end_function(cg, &function);
    tn_cg_kernel facts;
    tn_status status = tn_emit_conv(cg, &spec, &facts);
    tn_test_unit_add(unit, c->name, status, &facts);
}

static int64_t input_at(const conv_case *c, int64_t n, int64_t y, int64_t x, int64_t channel) {
    if (c->is_channel_first)
        return ((n * c->in_c + channel) * c->in_h + y) * c->in_w + x;
    return ((n * c->in_h + y) * c->in_w + x) * (c->in_c + c->gap) + channel;
}

static double reference(const conv_case *c, const uint16_t *x, const uint16_t *w, int64_t n,
                        int64_t oy, int64_t ox, int64_t o) {
    const int64_t channels = c->in_c / c->groups, group = o / (c->out_c / c->groups);
    double sum = 0;
    for (int64_t ky = 0; ky < c->kernel_h; ky++)
        for (int64_t kx = 0; kx < c->kernel_w; kx++) {
            const int64_t iy = oy * c->stride_h + ky * c->dilation_h - c->pad_top;
            const int64_t ix = ox * c->stride_w + kx * c->dilation_w - c->pad_left;
            if (iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w)
                continue;
            for (int64_t i = 0; i < channels; i++)
                sum += tn_test_widen_bf16(x[input_at(c, n, iy, ix, group * channels + i)]) *
                       tn_test_widen_bf16(
                           w[((o * channels + i) * c->kernel_h + ky) * c->kernel_w + kx]);
        }
    return sum;
}

static void check(const tn_test_unit *unit, const tn_test_kernel *kernel, const conv_case *c,
                  int64_t shares) {
    unsigned long long random = 5;
    const int64_t channels = c->in_c / c->groups, h = out_h(c), w = out_w(c);
    /* Ends with the last pixel's channels: the address sanitizer sees an overrun. */
    const int64_t x_count = c->batch * c->in_h * c->in_w * (c->in_c + c->gap) - c->gap;
    const int64_t w_count = c->out_c * channels * c->kernel_h * c->kernel_w;
    uint16_t *x = malloc((size_t)x_count * 2), *weight = malloc((size_t)w_count * 2);
    float *out = malloc((size_t)(c->batch * h * w * c->out_c) * sizeof *out);
    assert_true(x && weight && out);
    for (int64_t i = 0; i < x_count; i++)
        x[i] = c->gap && i % (c->in_c + c->gap) >= c->in_c ? 0x7fc0 : tn_test_random_bf16(&random);
    for (int64_t i = 0; i < w_count; i++)
        weight[i] = tn_test_random_bf16(&random);
    x[input_at(c, 0, c->in_h / 2, c->in_w / 2, c->in_c / 2)] = 0x7fc0;
    tn_tensor tensor = {
        TN_BF16,
        4,
        {c->out_c, channels, c->kernel_h, c->kernel_w},
        {channels * c->kernel_h * c->kernel_w, c->kernel_h * c->kernel_w, c->kernel_w, 1},
        weight};
    void *packed = tn_test_pack(&kernel->facts.packs[0], &tensor);
    void *bufs[] = {x, packed, out};
    const int64_t symbols[] = {c->batch, c->in_h, c->in_w};
    tn_test_run(unit, kernel, bufs, symbols, shares);
    for (int64_t i = 0; i < c->batch * h * w * c->out_c; i++) {
        const int64_t o = i % c->out_c, ox = i / c->out_c % w, oy = i / c->out_c / w % h;
        const int64_t n = i / c->out_c / w / h;
        double exact = reference(c, x, weight, n, oy, ox, o), got = (double)out[i];
        bool same = isnan(exact) ? isnan(got) : fabs(got - exact) <= 2e-5 * (1 + fabs(exact));
        if (!same)
            fail_msg("%s on %s, %lld x %lld: result [%lld, %lld, %lld, %lld] is %g, wanted %g",
                     c->name, unit->isa.name, (long long)c->in_h, (long long)c->in_w, (long long)n,
                     (long long)oy, (long long)ox, (long long)o, got, exact);
    }
    free(packed);
    free(x);
    free(weight);
    free(out);
}

static void test_conv(void **state) {
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
        tn_test_unit_compile(&unit, "conv_bf16");
        for (int c = 0; c < CASES; c++) {
            if (!cases[c].is_dynamic) {
                check(&unit, &unit.kernels[c], &cases[c], 3);
                continue;
            }
            for (int size = 0; size < OTHER_SIZES; size++) {
                conv_case sized = cases[c];
                sized.batch = other_sizes[size][0];
                sized.in_h = other_sizes[size][1];
                sized.in_w = other_sizes[size][2];
                check(&unit, &unit.kernels[c], &sized, 1 + size);
            }
        }
        tn_test_unit_end(&unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
