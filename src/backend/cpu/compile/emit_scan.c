/* emit_scan.c: running sums, products and extremes. A task is one row, which is scanned vector
 * after vector; or, where another dim lies densely in memory, TN_W columns, each lane with a scan
 * of its own. Sums and products are held in double, as PyTorch's CPU kernels do, or in 64 bits. */
#include "backend/cpu/compile/cgen.h"

typedef struct scan {
    char class;          /* that is held */
    char result;         /* class of the first result */
    const char *element; /* its C type */
    const char *name;    /* of the prelude's functions */
    const char *start;
    bool is_extreme;
} scan;

static scan scan_of(tn_cg *cg, const tn_scan_spec *spec) {
    scan s = {.class = spec->class == 'm' ? 'i' : spec->class, .result = spec->class};
    bool is_max = spec->prim == TN_PRIM_CUMMAX;
    s.is_extreme = is_max || spec->prim == TN_PRIM_CUMMIN;
    if (!s.is_extreme && s.class == 'f')
        s.class = 'd';
    else if (!s.is_extreme && s.class == 'i')
        s.class = s.result = 'l';
    switch (s.class) {
    case 'f':
        s.element = "float";
        s.start = is_max ? "-__builtin_inff()" : "__builtin_inff()";
        break;
    case 'd':
        s.element = "double";
        s.start = is_max ? "-__builtin_inf()" : "__builtin_inf()";
        break;
    default:
        s.element = s.class == 'l' ? "int64_t" : "int32_t";
        s.start = tn_cg_text(cg, "INT%d_%s", s.class == 'l' ? 64 : 32, is_max ? "MIN" : "MAX");
        break;
    }
    if (s.is_extreme) {
        s.name = is_max ? "max" : "min";
    } else {
        s.name = spec->prim == TN_PRIM_CUMPROD ? "product" : "sum";
        s.start = spec->prim == TN_PRIM_CUMPROD ? "1" : "0";
    }
    return s;
}

static const char *cast(tn_cg *cg, char from, char to, const char *text) {
    return from == to ? text : tn_cg_text(cg, "tn_cast_%c_%c(%s)", from, to, text);
}

/* Stores what the spec wants of x and at; args: from "buf" to "lanes". */
static void print_stores(tn_cg *cg, const tn_scan_spec *spec, const scan *s, const char *args) {
    if (spec->store)
        tn_cg_line(cg, "%s(%s, %s);", spec->store, args, cast(cg, s->class, s->result, "x"));
    if (spec->store_indices)
        tn_cg_line(cg, "%s(%s, indices);", spec->store_indices, args);
}

static void print_row(tn_cg *cg, const tn_scan_spec *spec, const scan *s) {
    const char *args = tn_cg_text(cg, "%s, j, lanes", tn_cg_arguments(cg, spec->outer_rank));
    tn_cg_line(cg, "%s held = %s;", s->element, s->start);
    if (s->is_extreme)
        tn_cg_line(cg, "int64_t at = 0;");
    tn_cg_line(cg, "for (int64_t j = 0; j < n; j += TN_W) {");
    tn_cg_line(cg, "const int64_t lanes = tn_min_i64(n - j, TN_W);");
    tn_cg_line(cg, "%s x = %s;", tn_cg_vector(s->class),
               cast(cg, spec->class, s->class, tn_cg_text(cg, "%s(%s)", spec->load, args)));
    if (s->is_extreme) {
        tn_cg_line(cg, "tn_vl indices;");
        tn_cg_line(cg, "x = tn_scan_%s_%c(x, &held, j, &at, &indices);", s->name, s->class);
    } else {
        tn_cg_line(cg, "x = tn_scan_%s_%c(x, &held);", s->name, s->class);
    }
    print_stores(cg, spec, s, args);
    tn_cg_close(cg, "");
}

static void print_columns(tn_cg *cg, const tn_scan_spec *spec, const scan *s) {
    const char *args = tn_cg_text(cg, "%s, j, c, lanes", tn_cg_arguments(cg, spec->outer_rank));
    tn_cg_line(cg, "%s x = tn_set_%c(%s);", tn_cg_vector(s->class), s->class, s->start);
    if (s->is_extreme)
        tn_cg_line(cg, "tn_vl indices = {0};");
    tn_cg_line(cg, "for (int64_t j = 0; j < n; j++) {");
    tn_cg_line(cg, "const %s next = %s;", tn_cg_vector(s->class),
               cast(cg, spec->class, s->class, tn_cg_text(cg, "%s(%s)", spec->load, args)));
    if (s->is_extreme) {
        tn_cg_line(cg, "const tn_vi takes = tn_reaches_%s_%c(next, x);", s->name, s->class);
        tn_cg_line(cg, "x = tn_sel_%c(takes, next, x);", s->class);
        tn_cg_line(cg, "indices = tn_sel_l(takes, tn_set_l(j), indices);");
    } else if (s->class == 'd') {
        tn_cg_line(cg, "x = x %s next;", spec->prim == TN_PRIM_CUMPROD ? "*" : "+");
    } else {
        tn_cg_line(cg, "x = tn_%s_%c(x, next);", spec->prim == TN_PRIM_CUMPROD ? "mul" : "add",
                   s->class);
    }
    print_stores(cg, spec, s, args);
    tn_cg_close(cg, "");
}

tn_status tn_emit_scan(tn_cg *cg, const tn_scan_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){.scratch_bytes = tn_sym_const(cg->syms, 0),
                                 .task_count = tn_cg_points(cg, spec->outer_rank, spec->outer)};
    cg->parts |= TN_CG_PART_SCAN;
    scan s = scan_of(cg, spec);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "const int64_t n = %s;", tn_cg_sym(cg, spec->n));
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    if (spec->columns) {
        const tn_sym *vectors =
            tn_sym_ceildiv(cg->syms, spec->columns, tn_sym_const(cg->syms, cg->target->lanes));
        out_kernel->task_count = tn_sym_mul(cg->syms, out_kernel->task_count, vectors);
        const char *count = tn_cg_sym(cg, vectors);
        tn_cg_line(cg, "const int64_t c = task %% %s * TN_W;", count);
        tn_cg_line(cg, "const int64_t lanes = tn_min_i64(%s - c, TN_W);",
                   tn_cg_sym(cg, spec->columns));
        tn_cg_indices(cg, spec->outer_rank, spec->outer, tn_cg_text(cg, "(task / %s)", count));
        print_columns(cg, spec, &s);
    } else {
        tn_cg_indices(cg, spec->outer_rank, spec->outer, "task");
        print_row(cg, spec, &s);
    }
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    return tn_cg_status(cg);
}
