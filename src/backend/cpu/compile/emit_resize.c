/* emit_resize.c: nearest, linear and cubic resampling of channels-last images. A task is one row of
 * the result; vectors run along channels. What the positions along a row read, and with which
 * weights, is found once per thread and kept in scratch. */
#include "backend/cpu/compile/cgen.h"

enum { TAPS_BYTES = 48 }; /* of tn_taps (prelude_resize.c.in) */

/* Operand elements per element of the result, as PyTorch computes it. */
static const char *step(tn_cg *cg, const tn_resize_spec *spec, double scale, const tn_sym *in,
                        const tn_sym *out) {
    bool has_corners = spec->mode == TN_RESIZE_LINEAR || spec->mode == TN_RESIZE_CUBIC;
    const char *from = tn_cg_sym(cg, in), *to = tn_cg_sym(cg, out);
    if (spec->align_corners && has_corners)
        return tn_cg_text(cg, "%s > 1 ? (double)(%s - 1) / (double)(%s - 1) : 0", to, from, to);
    if (scale > 0)
        return tn_cg_text(cg, "1 / %a", scale);
    return tn_cg_text(cg, "(double)%s / (double)%s", from, to);
}

/* "tn_taps_linear(oy, 14, step_h, 0)" */
static const char *taps(tn_cg *cg, const tn_resize_spec *spec, const char *position,
                        const tn_sym *size, const char *step_name) {
    static const char *const names[] = {"nearest", "nearest", "linear", "cubic"};
    const char *last = spec->align_corners ? "1" : "0";
    if (spec->mode == TN_RESIZE_NEAREST || spec->mode == TN_RESIZE_NEAREST_EXACT)
        last = spec->mode == TN_RESIZE_NEAREST ? "0.0f" : "0.5f";
    return tn_cg_text(cg, "tn_taps_%s(%s, %s, %s, %s)", names[spec->mode], position,
                      tn_cg_sym(cg, size), step_name, last);
}

/* The sum over the taps of both dims; rows first, as the interpreter does. */
static void print_sum(tn_cg *cg, const tn_resize_spec *spec) {
    int count = spec->mode == TN_RESIZE_CUBIC ? 4 : 2;
    tn_cg_line(cg, "tn_vf acc = {0};");
    tn_cg_line(cg, "for (int i = 0; i < %d; i++) {", count);
    tn_cg_line(cg, "tn_vf row = {0};");
    tn_cg_line(cg, "for (int j = 0; j < %d; j++)", count);
    tn_cg_line(
        cg, "    row += x->weight[j] * %s(buf, sym, n, y.position[i], x->position[j], c, lanes);",
        spec->load);
    tn_cg_line(cg, "acc += y.weight[i] * row;");
    tn_cg_close(cg, "");
}

tn_status tn_emit_resize(tn_cg *cg, const tn_resize_spec *spec, tn_cg_kernel *out_kernel) {
    cg->parts |= TN_CG_PART_RESIZE;
    *out_kernel = (tn_cg_kernel){.task_count = tn_sym_mul(cg->syms, spec->batch, spec->out_h),
                                 .scratch_bytes = tn_sym_muli(cg->syms, spec->out_w, TAPS_BYTES)};
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    const char *rows = tn_cg_sym(cg, spec->out_h), *columns = tn_cg_sym(cg, spec->out_w);
    const char *channels = tn_cg_sym(cg, spec->channels);
    tn_cg_line(cg, "const double step_h = %s;",
               step(cg, spec, spec->scale_h, spec->in_h, spec->out_h));
    tn_cg_line(cg, "const double step_w = %s;",
               step(cg, spec, spec->scale_w, spec->in_w, spec->out_w));
    tn_cg_line(cg, "tn_taps *columns = scratch;");
    tn_cg_line(cg, "for (int64_t ox = 0; ox < %s; ox++)", columns);
    tn_cg_line(cg, "    columns[ox] = %s;", taps(cg, spec, "ox", spec->in_w, "step_w"));
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    tn_cg_line(cg, "const int64_t n = task / %s, oy = task %% %s;", rows, rows);
    tn_cg_line(cg, "const tn_taps y = %s;", taps(cg, spec, "oy", spec->in_h, "step_h"));
    tn_cg_line(cg, "for (int64_t ox = 0; ox < %s; ox++) {", columns);
    tn_cg_line(cg, "const tn_taps *x = &columns[ox];");
    tn_cg_line(cg, "for (int64_t c = 0; c < %s; c += TN_W) {", channels);
    tn_cg_line(cg, "const int64_t lanes = tn_min_i64(%s - c, TN_W);", channels);
    if (spec->mode == TN_RESIZE_LINEAR || spec->mode == TN_RESIZE_CUBIC)
        print_sum(cg, spec);
    else
        tn_cg_line(cg, "const %s acc = %s(buf, sym, n, y.position[0], x->position[0], c, lanes);",
                   tn_cg_vector(spec->class), spec->load);
    tn_cg_line(cg, "%s(buf, sym, n, oy, ox, c, lanes, acc);", spec->store);
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    return tn_cg_status(cg);
}
