/* emit_reduce.c: reductions. A task is one result, for which vectors run along the last reduced dim
 * and are folded at the end; or TN_W results at a time where a kept dim is the one that lies
 * densely in memory. Sums and products of integers are in 64 bits, everything else in the operand's
 * class.
 */
#include "backend/cpu/compile/cgen.h"

/* The class that is accumulated. */
static char work_class(const tn_reduce_spec *spec) {
    bool is_small = spec->class == 'i' || spec->class == 'm';
    switch (spec->prim) {
    case TN_PRIM_REDUCE_SUM:
    case TN_PRIM_REDUCE_PROD:
        return is_small ? 'l' : spec->class;
    case TN_PRIM_REDUCE_ANY:
    case TN_PRIM_REDUCE_ALL:
        return 'm';
    default:
        return spec->class == 'm' ? 'i' : spec->class;
    }
}

static bool is_arg(tn_prim prim) {
    return prim == TN_PRIM_ARGMIN || prim == TN_PRIM_ARGMAX;
}

/* Suffix of the functions of a class: masks are integer lanes. */
static char suffix_of(char class) {
    return class == 'm' ? 'i' : class;
}

static const char *set(tn_cg *cg, char class, const char *value) {
    return tn_cg_text(cg, "tn_set_%c(%s)", suffix_of(class), value);
}

/* What every element beats (sign "-") or none does (""). */
static const char *bound(tn_cg *cg, char class, const char *sign) {
    if (class == 'f' || class == 'd')
        return set(cg, class, tn_cg_text(cg, "%s__builtin_inf%s()", sign, class == 'f' ? "f" : ""));
    return set(cg, class,
               tn_cg_text(cg, "INT%d_%s", class == 'l' ? 64 : 32, *sign ? "MIN" : "MAX"));
}

static const char *identity(tn_cg *cg, tn_prim prim, char class) {
    switch (prim) {
    case TN_PRIM_REDUCE_PROD:
        return set(cg, class, "1");
    case TN_PRIM_REDUCE_ALL:
        return set(cg, class, "-1");
    case TN_PRIM_REDUCE_MIN:
    case TN_PRIM_ARGMIN:
        return bound(cg, class, "");
    case TN_PRIM_REDUCE_MAX:
    case TN_PRIM_ARGMAX:
        return bound(cg, class, "-");
    default:
        return set(cg, class, class == 'f' ? "0.0f" : "0");
    }
}

/* acc and x into one. */
static const char *combine(tn_cg *cg, tn_prim prim, char class) {
    bool is_float = class == 'f' || class == 'd';
    switch (prim) {
    case TN_PRIM_REDUCE_PROD:
        return is_float ? "acc * x" : "tn_mul_l(acc, x)";
    case TN_PRIM_REDUCE_ANY:
        return "acc | x";
    case TN_PRIM_REDUCE_ALL:
        return "acc & x";
    case TN_PRIM_REDUCE_MIN:
        return tn_cg_text(cg, "tn_min_%c(acc, x)", class);
    case TN_PRIM_REDUCE_MAX:
        return tn_cg_text(cg, "tn_max_%c(acc, x)", class);
    default:
        return is_float ? "acc + x" : "tn_add_l(acc, x)";
    }
}

/* How many of the kept dims are numbered by tasks one by one; the reduced dims follow them. */
static uint32_t numbered_dims(const tn_reduce_spec *spec) {
    return spec->rank - spec->reduced - spec->lanes_along_kept;
}

/* Opens the loops over the reduced dims, x in the innermost; lanes past the end of a row are
 * `fill`. */
static void open_loops(tn_cg *cg, const tn_reduce_spec *spec, char class, const char *fill) {
    uint32_t first = numbered_dims(spec), last = first + spec->reduced - 1;
    for (uint32_t d = first; d <= last; d++) {
        bool is_vector = d == last && !spec->lanes_along_kept;
        tn_cg_line(cg, "for (int64_t i%u = 0; i%u < %s; i%u += %s) {", d, d,
                   tn_cg_sym(cg, spec->dims[d]), d, is_vector ? "TN_W" : "1");
    }
    const char *args = tn_cg_arguments(cg, spec->rank);
    const char *vector = tn_cg_vector(class), *x = NULL;
    if (spec->lanes_along_kept) {
        x = tn_cg_text(cg, "%s(%s, lanes)", spec->load, args);
    } else {
        tn_cg_line(cg, "const int64_t n = tn_min_i64(%s - i%u, TN_W);",
                   tn_cg_sym(cg, spec->dims[last]), last);
        x = tn_cg_text(cg, "%s(%s, n)", spec->load, args);
    }
    if (spec->class != class)
        x = tn_cg_text(cg, "tn_cast_%c_%c(%s)", spec->class, class, x);
    if (!spec->lanes_along_kept)
        x = tn_cg_text(cg, "tn_first_lanes_%c(%s, n, %s)", suffix_of(class), x, fill);
    tn_cg_line(cg, "const %s x = %s;", vector, x);
}

static void close_loops(tn_cg *cg, const tn_reduce_spec *spec) {
    for (uint32_t d = 0; d < spec->reduced; d++)
        tn_cg_close(cg, "");
}

/* All lanes of acc become the reduction of all of them. */
static void print_fold(tn_cg *cg, const tn_reduce_spec *spec, char class) {
    const char *quick = NULL;
    if (class == 'f' && spec->prim == TN_PRIM_REDUCE_MAX)
        quick = "tn_hmax_f(acc)";
    else if (class == 'f' && spec->prim == TN_PRIM_REDUCE_MIN)
        quick = "-tn_hmax_f(-acc)";
    else if (class == 'f' && spec->prim != TN_PRIM_REDUCE_PROD)
        quick = "tn_hsum_f(acc)";
    if (quick) {
        tn_cg_line(cg, "acc = tn_set_f(%s);", quick);
        return;
    }
    tn_cg_line(cg, "for (int half = TN_W / 2; half > 0; half /= 2) {");
    tn_cg_line(cg, "const %s x = tn_turn_%c(acc, half);", tn_cg_vector(class), suffix_of(class));
    tn_cg_line(cg, "acc = %s;", combine(cg, spec->prim, class));
    tn_cg_close(cg, "");
}

/* Elements per result. */
static const char *reduced_points(tn_cg *cg, const tn_reduce_spec *spec) {
    return tn_cg_sym(cg, tn_cg_points(cg, spec->reduced, spec->dims + numbered_dims(spec)));
}

static void print_accumulation(tn_cg *cg, const tn_reduce_spec *spec) {
    char class = work_class(spec);
    const char *start = identity(cg, spec->prim, class);
    tn_cg_line(cg, "%s acc = %s;", tn_cg_vector(class), start);
    open_loops(cg, spec, class, start);
    tn_cg_line(cg, "acc = %s;", combine(cg, spec->prim, class));
    close_loops(cg, spec);
    if (!spec->lanes_along_kept)
        print_fold(cg, spec, class);
    const char *real = class == 'd' ? "double" : "float", *points = reduced_points(cg, spec);
    if (spec->prim == TN_PRIM_REDUCE_MEAN)
        tn_cg_line(cg, "acc = acc / (%s)%s;", real, points);
    if (spec->prim != TN_PRIM_REDUCE_VAR)
        return;
    tn_cg_line(cg, "const %s mean = acc / (%s)%s;", tn_cg_vector(class), real, points);
    tn_cg_line(cg, "acc = %s;", start);
    open_loops(cg, spec, class, "mean");
    tn_cg_line(cg, "acc = acc + (x - mean) * (x - mean);");
    close_loops(cg, spec);
    if (!spec->lanes_along_kept)
        print_fold(cg, spec, class);
    tn_cg_line(cg, "const %s freedom = (%s)%s - (%s)%.17g;", real, real, points, real,
               spec->correction);
    tn_cg_line(cg, "acc = acc / (freedom > 0 ? freedom : 0);");
}

/* The position of the extreme: of a column, which row it was; of a row, which vector, in lane. */
static void print_arg(tn_cg *cg, const tn_reduce_spec *spec) {
    char class = work_class(spec);
    const char *name = spec->prim == TN_PRIM_ARGMAX ? "max" : "min";
    const char *start = identity(cg, spec->prim, class);
    tn_cg_line(cg, "%s best = %s;", tn_cg_vector(class), start);
    tn_cg_line(cg, "tn_vi at = {0};");
    tn_cg_line(cg, "int32_t step = 0;");
    open_loops(cg, spec, class, start);
    tn_cg_line(cg, "const tn_vi beats = tn_beats_%s_%c(x, best);", name, class);
    tn_cg_line(cg, "best = tn_sel_%c(beats, x, best);", class);
    tn_cg_line(cg, "at = tn_sel_i(beats, tn_set_i(step++), at);");
    close_loops(cg, spec);
    if (spec->lanes_along_kept)
        tn_cg_line(cg, "const tn_vl acc = tn_cast_i_l(at);");
    else
        tn_cg_line(cg, "const tn_vl acc = tn_set_l(tn_first_%s_%c(best, at));", name, class);
}

/* Declares the indices of a task and returns how many tasks there are. */
static const tn_sym *print_task(tn_cg *cg, const tn_reduce_spec *spec) {
    uint32_t numbered = numbered_dims(spec);
    const tn_sym *count = tn_cg_points(cg, numbered, spec->dims);
    const char *number = "task";
    if (spec->lanes_along_kept) { /* a task is one vector along the last kept dim */
        uint32_t lane_dim = spec->rank - 1;
        const tn_sym *vectors = tn_sym_ceildiv(cg->syms, spec->dims[lane_dim],
                                               tn_sym_const(cg->syms, cg->target->lanes));
        const char *text = tn_cg_sym(cg, vectors);
        tn_cg_line(cg, "const int64_t i%u = task %% %s * TN_W;", lane_dim, text);
        tn_cg_line(cg, "const int64_t lanes = tn_min_i64(%s - i%u, TN_W);",
                   tn_cg_sym(cg, spec->dims[lane_dim]), lane_dim);
        number = tn_cg_text(cg, "(task / %s)", text);
        count = tn_sym_mul(cg->syms, count, vectors);
    }
    tn_cg_indices(cg, numbered, spec->dims, number);
    return count;
}

tn_status tn_emit_reduce(tn_cg *cg, const tn_reduce_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){.scratch_bytes = tn_sym_const(cg->syms, 0)};
    cg->parts |= TN_CG_PART_REDUCE;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    out_kernel->task_count = print_task(cg, spec);
    if (spec->reports_empty)
        tn_cg_line(cg, "tn_checked_index(0, %s, buf[%u]);", reduced_points(cg, spec),
                   spec->error_buf);
    if (is_arg(spec->prim))
        print_arg(cg, spec);
    else
        print_accumulation(cg, spec);
    const char *args = tn_cg_arguments(cg, numbered_dims(spec));
    if (spec->lanes_along_kept)
        tn_cg_line(cg, "%s(%s, i%u, lanes, acc);", spec->store, args, spec->rank - 1);
    else
        tn_cg_line(cg, "%s(%s, 1, acc);", spec->store, args);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    return tn_cg_status(cg);
}
