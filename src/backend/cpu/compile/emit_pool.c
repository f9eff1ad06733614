/* emit_pool.c: max and average windows over channels-last images. A task is one output row; vectors
 * run along channels, so a window is a handful of loads per vector and there is no shuffling.
 * Windows are clipped to the image by their bounds, not by tests per element. */
#include "backend/cpu/compile/cgen.h"

/* "first = max(0, ceil(-origin / dilation))" and "past" of the window's taps inside [0, size). */
static void print_clipped(tn_cg *cg, const char *axis, const char *out_index, int64_t stride,
                          int64_t pad, int64_t dilation, int64_t kernel, const tn_sym *size) {
    long long d = (long long)dilation;
    tn_cg_line(cg, "const int64_t %s0 = %s * %lld - %lld;", axis, out_index, (long long)stride,
               (long long)pad);
    tn_cg_line(cg, "const int64_t %s_first = %s0 < 0 ? (-%s0 + %lld) / %lld : 0;", axis, axis, axis,
               d - 1, d);
    tn_cg_line(cg, "const int64_t %s_past = tn_min_i64(%lld, tn_floordiv(%s - %s0 + %lld, %lld));",
               axis, (long long)kernel, tn_cg_sym(cg, size), axis, d - 1, d);
}

/* The same of the windows that cut [0, size) into `parts`. */
static void print_part(tn_cg *cg, const char *axis, const char *out_index, const tn_sym *parts,
                       const tn_sym *size) {
    const char *in = tn_cg_sym(cg, size), *out = tn_cg_sym(cg, parts);
    tn_cg_line(cg, "const int64_t %s0 = 0, %s_first = %s * %s / %s;", axis, axis, out_index, in,
               out);
    tn_cg_line(cg, "const int64_t %s_past = ((%s + 1) * %s + %s - 1) / %s;", axis, out_index, in,
               out, out);
}

static void print_window_y(tn_cg *cg, const tn_pool_spec *spec) {
    if (spec->is_adaptive)
        print_part(cg, "y", "oy", spec->out_h, spec->in_h);
    else
        print_clipped(cg, "y", "oy", spec->stride_h, spec->pad_top, spec->dilation_h,
                      spec->kernel_h, spec->in_h);
}

static void print_window_x(tn_cg *cg, const tn_pool_spec *spec) {
    if (spec->is_adaptive)
        print_part(cg, "x", "ox", spec->out_w, spec->in_w);
    else
        print_clipped(cg, "x", "ox", spec->stride_w, spec->pad_left, spec->dilation_w,
                      spec->kernel_w, spec->in_w);
}

/* The window's extent in one dim, cut where the padded image ends (rounding up the number of
 * windows can let the last ones hang over). */
static const char *padded_extent(tn_cg *cg, const char *axis, int64_t kernel, int64_t pad,
                                 const tn_sym *size) {
    return tn_cg_text(cg, "tn_min_i64(%lld, %s + %lld - %s0)", (long long)kernel,
                      tn_cg_sym(cg, size), (long long)pad, axis);
}

/* What a window's sum is divided by. */
static const char *divisor(tn_cg *cg, const tn_pool_spec *spec) {
    if (spec->divisor == -1 || spec->is_adaptive)
        return "(float)((y_past - y_first) * (x_past - x_first))";
    if (spec->divisor == 0)
        return tn_cg_text(cg, "(float)(%s * %s)",
                          padded_extent(cg, "y", spec->kernel_h, spec->pad_top, spec->in_h),
                          padded_extent(cg, "x", spec->kernel_w, spec->pad_left, spec->in_w));
    return tn_cg_text(cg, "%lld.0f", (long long)spec->divisor);
}

tn_status tn_emit_pool(tn_cg *cg, const tn_pool_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){.task_count = tn_sym_mul(cg->syms, spec->batch, spec->out_h),
                                 .scratch_bytes = tn_sym_const(cg->syms, 0)};
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    const char *rows = tn_cg_sym(cg, spec->out_h);
    tn_cg_line(cg, "const int64_t n = task / %s, oy = task %% %s;", rows, rows);
    print_window_y(cg, spec);
    tn_cg_line(cg, "for (int64_t ox = 0; ox < %s; ox++) {", tn_cg_sym(cg, spec->out_w));
    print_window_x(cg, spec);
    const char *channels = tn_cg_sym(cg, spec->channels);
    tn_cg_line(cg, "for (int64_t c = 0; c < %s; c += TN_W) {", channels);
    tn_cg_line(cg, "const int64_t lanes = tn_min_i64(%s - c, TN_W);", channels);
    tn_cg_line(cg, "tn_vf acc = tn_set_f(%s);", spec->is_max ? "-__builtin_inff()" : "0.0f");
    tn_cg_line(cg, "for (int64_t ky = y_first; ky < y_past; ky++) {");
    tn_cg_line(cg, "for (int64_t kx = x_first; kx < x_past; kx++) {");
    tn_cg_line(cg, "const tn_vf v = %s(buf, sym, n, y0 + ky * %lld, x0 + kx * %lld, c, lanes);",
               spec->load, (long long)spec->dilation_h, (long long)spec->dilation_w);
    tn_cg_line(cg, "acc = %s;", spec->is_max ? "tn_max_f(v, acc)" : "acc + v");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    if (!spec->is_max)
        tn_cg_line(cg, "acc = acc / %s;", divisor(cg, spec));
    tn_cg_line(cg, "%s(buf, sym, n, oy, ox, c, lanes, acc);", spec->store);
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    return tn_cg_status(cg);
}
