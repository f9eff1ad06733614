/* emit_scatter.c: scatters. Only elements along the indexed dim can meet, so a task walks that dim
 * in order, at one position of the other dims, or at COLUMNS neighbours of the last: the result
 * does not depend on how tasks are shared out. Where all neighbours have one index (rows are
 * scattered), they are taken in vectors. */
#include "backend/cpu/compile/cgen.h"

enum { COLUMNS = 64 };

/* "((float *)buf[2] + i0 * 7 + i1)", with `entry` in the place of the index of dim `dim` (NULL: as
 * it is). */
static const char *address(tn_cg *cg, const tn_scatter_spec *spec, const tn_cg_tensor *tensor,
                           const char *qualifier, const char *entry) {
    const char *text =
        tn_cg_text(cg, "(%s%s *)buf[%u]", qualifier, tn_cg_element(tensor->dtype), tensor->buf);
    if (!tn_sym_is(tensor->offset, 0))
        text = tn_cg_text(cg, "%s + %s", text, tn_cg_sym(cg, tensor->offset));
    for (uint32_t d = 0; d < spec->rank; d++) {
        const char *index = d == spec->dim && entry ? entry : tn_cg_text(cg, "i%u", d);
        if (!tn_sym_is(tensor->strides[d], 0))
            text = tn_cg_text(cg, "%s + %s * %s", text, index, tn_cg_sym(cg, tensor->strides[d]));
    }
    return text;
}

/* held and x into one. */
static const char *combined(tn_cg *cg, const tn_scatter_spec *spec) {
    bool is_float = spec->class == 'f' || spec->class == 'd';
    switch (spec->combine) {
    case TN_PRIM_ADD:
        return is_float ? "held + x" : tn_cg_text(cg, "tn_add_%c(held, x)", spec->class);
    case TN_PRIM_MUL:
        return is_float ? "held * x" : tn_cg_text(cg, "tn_mul_%c(held, x)", spec->class);
    case TN_PRIM_MIN:
        return tn_cg_text(cg, "tn_min_%c(held, x)", spec->class);
    case TN_PRIM_MAX:
        return tn_cg_text(cg, "tn_max_%c(held, x)", spec->class);
    default:
        return "x";
    }
}

static void print_entry(tn_cg *cg, const tn_scatter_spec *spec) {
    tn_cg_line(cg, "const int64_t entry = tn_checked_index(*(%s), %s, buf[%u]);",
               address(cg, spec, &spec->index, "const ", NULL), tn_cg_sym(cg, spec->size),
               spec->error_buf);
}

/* Joins what lies at `to` and at `from`: `lanes` elements along the last dim. */
static void print_elements(tn_cg *cg, const tn_scatter_spec *spec, const char *lanes) {
    const char *element = tn_cg_element(spec->out.dtype), *dtype = tn_dtype_name(spec->out.dtype);
    const char *vector = tn_cg_vector(spec->class);
    uint32_t last = spec->rank - 1;
    tn_cg_line(cg, "%s *to = %s;", element, address(cg, spec, &spec->out, "", "entry"));
    tn_cg_line(cg, "const %s *from = %s;", element, address(cg, spec, &spec->src, "const ", NULL));
    tn_cg_line(cg, "const %s x = tn_load_%s(from, %s, %s);", vector, dtype,
               tn_cg_sym(cg, spec->src.strides[last]), lanes);
    const char *stride = tn_cg_sym(cg, spec->out.strides[last]);
    if (spec->combine != TN_PRIM_NONE)
        tn_cg_line(cg, "const %s held = tn_load_%s(to, %s, %s);", vector, dtype, stride, lanes);
    tn_cg_line(cg, "tn_store_%s(to, %s, %s, %s);", dtype, stride, lanes, combined(cg, spec));
}

/* The same for one element, without vectors where C has the operation. */
static void print_element(tn_cg *cg, const tn_scatter_spec *spec) {
    bool is_plain = spec->combine == TN_PRIM_NONE;
    bool is_native = (spec->out.dtype == TN_F32 || spec->out.dtype == TN_F64) &&
                     (spec->combine == TN_PRIM_ADD || spec->combine == TN_PRIM_MUL);
    if (!is_plain && !is_native) {
        print_elements(cg, spec, "1");
        return;
    }
    tn_cg_line(cg, "*(%s) %s *(%s);", address(cg, spec, &spec->out, "", "entry"),
               is_plain                       ? "="
               : spec->combine == TN_PRIM_ADD ? "+="
                                              : "*=",
               address(cg, spec, &spec->src, "const ", NULL));
}

/* Declares the indices of a task, but those that are looped over; returns how many tasks there are.
 */
static const tn_sym *print_task(tn_cg *cg, const tn_scatter_spec *spec, bool has_columns) {
    const tn_sym *count = tn_sym_const(cg->syms, 1);
    const char *rest = "task";
    if (has_columns) {
        count =
            tn_sym_ceildiv(cg->syms, spec->dims[spec->rank - 1], tn_sym_const(cg->syms, COLUMNS));
        const char *blocks = tn_cg_sym(cg, count);
        tn_cg_line(cg, "const int64_t first = task %% %s * %d;", blocks, COLUMNS);
        tn_cg_line(cg, "const int64_t past = tn_min_i64(first + %d, %s);", COLUMNS,
                   tn_cg_sym(cg, spec->dims[spec->rank - 1]));
        rest = tn_cg_text(cg, "(task / %s)", blocks);
    }
    for (uint32_t d = spec->rank - has_columns; d-- > 0;) {
        if (d == spec->dim)
            continue;
        const char *size = tn_cg_sym(cg, spec->dims[d]);
        tn_cg_line(cg, "const int64_t i%u = %s %% %s;", d, rest, size);
        rest = tn_cg_text(cg, "(%s / %s)", rest, size);
        count = tn_sym_mul(cg->syms, count, spec->dims[d]);
    }
    return count;
}

tn_status tn_emit_scatter(tn_cg *cg, const tn_scatter_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){.scratch_bytes = tn_sym_const(cg->syms, 0)};
    uint32_t last = spec->rank - 1;
    bool has_columns = spec->dim != last;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    out_kernel->task_count = print_task(cg, spec, has_columns);
    tn_cg_line(cg, "for (int64_t i%u = 0; i%u < %s; i%u++) {", spec->dim, spec->dim,
               tn_cg_sym(cg, spec->dims[spec->dim]), spec->dim);
    if (!has_columns) {
        print_entry(cg, spec);
        print_element(cg, spec);
    } else if (tn_sym_is(spec->index.strides[last], 0)) {
        tn_cg_line(cg, "int64_t i%u = first;", last);
        print_entry(cg, spec);
        tn_cg_line(cg, "for (; i%u < past; i%u += TN_W) {", last, last);
        tn_cg_line(cg, "const int64_t lanes = tn_min_i64(past - i%u, TN_W);", last);
        print_elements(cg, spec, "lanes");
        tn_cg_close(cg, "");
    } else {
        tn_cg_line(cg, "for (int64_t i%u = first; i%u < past; i%u++) {", last, last, last);
        print_entry(cg, spec);
        print_element(cg, spec);
        tn_cg_close(cg, "");
    }
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    return tn_cg_status(cg);
}
