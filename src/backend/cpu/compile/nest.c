/* nest.c: printing expressions. Each expression becomes one line with a variable; a vector has TN_W
 * lanes that run along the innermost index. */
#include "backend/cpu/compile/nest.h"

#include <math.h>
#include <string.h>

enum {
    /* Elements of one task: enough to pay for starting it, few enough to share out. */
    TASK_ELEMS = 8192,
};

/* The position of a buffer that is used in a way that leaves it this heir; an heir is one only if
 * all uses leave it. */
static uint32_t add_arg(tn_kernel_print *kernel, uint32_t program_buffer, uint32_t heir) {
    for (size_t i = 0; i < kernel->arg_count; i++) {
        tn_kernel_arg *arg = &kernel->args[i];
        if (arg->buffer != program_buffer)
            continue;
        if (arg->heir != heir)
            arg->heir = TN_NO_INDEX;
        return (uint32_t)i;
    }
    tn_kernel_arg *args = tn_arena_grow(kernel->cg->arena, kernel->args, kernel->arg_count,
                                        &kernel->arg_capacity, sizeof *args);
    if (!args) {
        kernel->cg->failed = true;
        return 0;
    }
    kernel->args = args;
    args[kernel->arg_count] = (tn_kernel_arg){program_buffer, heir};
    return (uint32_t)kernel->arg_count++;
}

uint32_t tn_kernel_buf(tn_kernel_print *kernel, uint32_t program_buffer) {
    return add_arg(kernel, program_buffer, TN_NO_INDEX);
}

bool tn_nest_is_in_step(const tn_expr *expr, const tn_store *store) {
    return expr->kind == TN_EXPR_LOAD && expr->dtype == store->dtype &&
           tn_layout_equal(&expr->layout, &store->layout);
}

/* The position of what a load reads, at the point that ends in this store (NULL: at others, too).
 */
static uint32_t loaded_buf(tn_kernel_print *kernel, const tn_expr *load, const tn_store *store) {
    bool is_in_step = store && tn_nest_is_in_step(load, store);
    return add_arg(kernel, load->buffer, is_in_step ? store->buffer : TN_NO_INDEX);
}

/* ---- text of one point -------------------------------------------------------------------------
 */

/* "off + i0 * 768 + i1" for an element's position; index names are i0 ... */
static const char *position(tn_cg *cg, const tn_layout *layout) {
    const char *text = tn_sym_is(layout->offset, 0) ? NULL : tn_cg_sym(cg, layout->offset);
    for (uint32_t d = 0; d < layout->rank; d++) {
        const tn_sym *stride = layout->strides[d];
        if (tn_sym_is(stride, 0) || tn_sym_is(layout->dims[d], 1))
            continue;
        const char *term = tn_sym_is(stride, 1)
                               ? tn_cg_text(cg, "i%u", d)
                               : tn_cg_text(cg, "i%u * %s", d, tn_cg_sym(cg, stride));
        text = text ? tn_cg_text(cg, "%s + %s", text, term) : term;
    }
    return text ? text : "0";
}

static const char *address(tn_cg *cg, uint32_t buf, tn_dtype dtype, const char *element,
                           bool is_const) {
    return tn_cg_text(cg, "(%s%s *)buf[%u] + %s", is_const ? "const " : "", tn_cg_element(dtype),
                      buf, element);
}

static const char *lane_stride(tn_cg *cg, const tn_layout *layout) {
    if (layout->rank == 0 || tn_sym_is(layout->dims[layout->rank - 1], 1))
        return "0";
    return tn_cg_sym(cg, layout->strides[layout->rank - 1]);
}

static const char *float_literal(tn_cg *cg, double value, bool is_double) {
    const char *suffix = is_double ? "" : "f";
    if (isnan(value))
        return tn_cg_text(cg, "__builtin_nan%s(\"\")", suffix);
    if (isinf(value))
        return tn_cg_text(cg, "%s__builtin_inf%s()", value < 0 ? "-" : "", suffix);
    const char *digits =
        is_double ? tn_cg_text(cg, "%.17g", value) : tn_cg_text(cg, "%.9g", (double)(float)value);
    bool has_point = strpbrk(digits, ".e") != NULL;
    return tn_cg_text(cg, "%s%s%s", digits, has_point ? "" : ".0", suffix);
}

static const char *constant(tn_cg *cg, const tn_expr *e) {
    switch (tn_expr_class(e->dtype)) {
    case 'f':
        return tn_cg_text(cg, "tn_set_f(%s)", float_literal(cg, e->number, false));
    case 'd':
        return tn_cg_text(cg, "tn_set_d(%s)", float_literal(cg, e->number, true));
    case 'l':
        return e->integer == INT64_MIN ? "tn_set_l(INT64_MIN)"
                                       : tn_cg_text(cg, "tn_set_l(%lld)", (long long)e->integer);
    case 'm':
        return tn_cg_text(cg, "tn_set_i(%d)", e->integer ? -1 : 0);
    default:
        return e->integer == INT32_MIN ? "tn_set_i(INT32_MIN)"
                                       : tn_cg_text(cg, "tn_set_i(%lld)", (long long)e->integer);
    }
}

/* Integers narrower than a lane wrap after arithmetic. */
static const char *wrap(tn_cg *cg, tn_dtype dtype, const char *text) {
    if (dtype == TN_I16 || dtype == TN_I8 || dtype == TN_U8)
        return tn_cg_text(cg, "tn_wrap_%s(%s)", tn_dtype_name(dtype), text);
    return text;
}

/* C's operator, if it does what the primitive does: sums and products of integers wrap, C's need
 * not. */
static const char *infix_operator(tn_prim prim, char class) {
    bool is_float = class == 'f' || class == 'd';
    switch (prim) {
    case TN_PRIM_ADD:
        return is_float ? "+" : NULL;
    case TN_PRIM_SUB:
        return is_float ? "-" : NULL;
    case TN_PRIM_MUL:
        return is_float ? "*" : NULL;
    case TN_PRIM_DIV:
        return is_float ? "/" : NULL;
    case TN_PRIM_AND:
        return "&";
    case TN_PRIM_OR:
        return "|";
    case TN_PRIM_XOR:
        return "^";
    default:
        return NULL;
    }
}

/* "gelu_erf" of "k::gelu_erf(Tensor x) -> Tensor"; or the faster form of a function whose result is
 * rounded to bf16. */
static const char *short_name(tn_cg *cg, tn_prim prim, tn_dtype dtype) {
    const char *schema = tn_prim_schema(prim) + strlen("k::");
    const bool is_rounded = prim == TN_PRIM_GELU_ERF && dtype == TN_BF16;
    return tn_cg_text(cg, "%.*s%s", (int)strcspn(schema, "("), schema, is_rounded ? "_bf16" : "");
}

static const char *map_text(tn_cg *cg, const tn_expr *e) {
    const tn_expr *typical = e->args[e->arg_count - 1];
    char class = tn_expr_class(typical->dtype);
    const char *name = short_name(cg, e->prim, e->dtype);
    if (e->prim == TN_PRIM_CAST) {
        char to = tn_expr_class(e->dtype);
        const char *text = class == to
                               ? tn_cg_text(cg, "x%u", typical->id)
                               : tn_cg_text(cg, "tn_cast_%c_%c(x%u)", class, to, typical->id);
        return wrap(cg, e->dtype, text);
    }
    if (e->prim == TN_PRIM_NEG && (class == 'f' || class == 'd'))
        return wrap(cg, e->dtype, tn_cg_text(cg, "-x%u", typical->id));
    if (e->prim == TN_PRIM_NOT)
        return wrap(cg, e->dtype, tn_cg_text(cg, "~x%u", typical->id));
    const char *operator= infix_operator(e->prim, class);
    if (operator)
        return wrap(cg, e->dtype,
                    tn_cg_text(cg, "x%u %s x%u", e->args[0]->id, operator, e->args[1]->id));
    char suffix = class == 'm' && e->prim != TN_PRIM_SELECT ? 'i' : class;
    if (e->prim == TN_PRIM_SELECT)
        name = "sel";
    if (suffix == 'm')
        suffix = 'i';
    switch (e->arg_count) {
    case 1:
        return wrap(cg, e->dtype, tn_cg_text(cg, "tn_%s_%c(x%u)", name, suffix, e->args[0]->id));
    case 2:
        return wrap(
            cg, e->dtype,
            tn_cg_text(cg, "tn_%s_%c(x%u, x%u)", name, suffix, e->args[0]->id, e->args[1]->id));
    default:
        return tn_cg_text(cg, "tn_%s_%c(x%u, x%u, x%u)", name, suffix, e->args[0]->id,
                          e->args[1]->id, e->args[2]->id);
    }
}

static const char *load_text(tn_cg *cg, const tn_expr *e, uint32_t buf, const char *element) {
    return tn_cg_text(cg, "tn_load_%s(%s, %s, lanes)", tn_dtype_name(e->dtype),
                      address(cg, buf, e->dtype, element, true), lane_stride(cg, &e->layout));
}

/* Whether the lanes of an expression differ. */
static bool varies_by_lane(const tn_expr *e) {
    bool has_layout = e->kind == TN_EXPR_LOAD || e->kind == TN_EXPR_IOTA || e->kind == TN_EXPR_TAKE;
    uint32_t rank = e->layout.rank;
    if (e->kind == TN_EXPR_ACC)
        return true;
    if (has_layout && rank > 0 && !tn_sym_is(e->layout.strides[rank - 1], 0) &&
        !tn_sym_is(e->layout.dims[rank - 1], 1))
        return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (varies_by_lane(e->args[i]))
            return true;
    return false;
}

/* One entry for all lanes is a load at its position; otherwise each lane reads an entry of its own.
 * An index outside is reported and reads entry 0. */
static const char *take_text(tn_kernel_print *kernel, const tn_expr *e) {
    tn_cg *cg = kernel->cg;
    const tn_expr *index = e->args[0];
    uint32_t error = tn_kernel_buf(kernel, kernel->error_buffer);
    uint32_t table = tn_kernel_buf(kernel, e->buffer);
    const char *bound = tn_cg_sym(cg, e->sym), *stride = tn_cg_sym(cg, e->take_stride);
    if (!varies_by_lane(index)) {
        const char *entry = tn_cg_text(cg, "tn_checked_index((int64_t)x%u[0], %s, buf[%u])",
                                       index->id, bound, error);
        return load_text(cg, e, table,
                         tn_cg_text(cg, "%s + %s * %s", position(cg, &e->layout), entry, stride));
    }
    bool is_wide = tn_expr_class(index->dtype) == 'l';
    const char *entries = tn_cg_text(cg, is_wide ? "x%u" : "tn_cast_i_l(x%u)", index->id);
    return tn_cg_text(cg, "tn_take_%s(%s, %s, lanes, %s, %s, %s, buf[%u])", tn_dtype_name(e->dtype),
                      address(cg, table, e->dtype, position(cg, &e->layout), true),
                      lane_stride(cg, &e->layout), entries, bound, stride, error);
}

static const char *iota_text(tn_cg *cg, const tn_expr *e) {
    const tn_layout *layout = &e->layout;
    const char *lanes = layout->rank == 0 ? "0" : lane_stride(cg, layout);
    const char *base = tn_cg_text(cg, "tn_iota_l(%s, %s)", position(cg, layout), lanes);
    if (tn_expr_class(e->dtype) == 'f')
        return tn_cg_text(cg, "tn_cast_l_f(%s) * %s + %s", base, float_literal(cg, e->step, false),
                          float_literal(cg, e->number, false));
    const char *scaled =
        tn_cg_text(cg, "%s * %lld + %lld", base, (long long)e->step, (long long)e->number);
    return e->dtype == TN_I64 ? scaled : tn_cg_text(cg, "tn_cast_l_i(%s)", scaled);
}

/* The expressions that `root` needs, marked by id. */
static void mark_needed(const tn_expr *e, bool *needed) {
    if (needed[e->id])
        return;
    needed[e->id] = true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        mark_needed(e->args[i], needed);
}

/* One line per expression that root needs, in the order of dependence. store: see loaded_buf. */
static void print_exprs(tn_kernel_print *kernel, const tn_expr_builder *builder,
                        const tn_expr *root, const tn_store *store) {
    tn_cg *cg = kernel->cg;
    bool *needed = tn_arena_alloc(cg->arena, builder->count + 1, sizeof *needed);
    if (!needed) {
        cg->failed = true;
        return;
    }
    mark_needed(root, needed);
    for (size_t i = 0; i < builder->count; i++) {
        const tn_expr *e = builder->exprs[i];
        if (!needed[i])
            continue;
        const char *text = "";
        switch (e->kind) {
        case TN_EXPR_LOAD:
            text = load_text(cg, e, loaded_buf(kernel, e, store), position(cg, &e->layout));
            break;
        case TN_EXPR_CONST:
            text = constant(cg, e);
            break;
        case TN_EXPR_IOTA:
            text = iota_text(cg, e);
            break;
        case TN_EXPR_SYM:
            text = tn_cg_text(cg, "tn_set_l(%s)", tn_cg_sym(cg, e->sym));
            break;
        case TN_EXPR_ACC:
            text = tn_cg_text(cg, "acc%u", e->acc);
            break;
        case TN_EXPR_MAP:
            text = map_text(cg, e);
            break;
        case TN_EXPR_TAKE:
            text = take_text(kernel, e);
            break;
        }
        tn_cg_line(cg, "const %s x%u = %s;", tn_cg_vector(tn_expr_class(e->dtype)), e->id, text);
    }
}

static void print_store(tn_kernel_print *kernel, const tn_store *store, const tn_expr *expr) {
    tn_cg *cg = kernel->cg;
    tn_cg_line(cg, "tn_store_%s(%s, %s, lanes, x%u);", tn_dtype_name(store->dtype),
               address(cg, tn_kernel_buf(kernel, store->buffer), store->dtype,
                       position(cg, &store->layout), false),
               lane_stride(cg, &store->layout), expr->id);
}

static const char *index_parameters(tn_cg *cg, uint32_t rank) {
    const char *text = "void *const *buf, const int64_t *sym";
    for (uint32_t d = 0; d < rank; d++)
        text = tn_cg_text(cg, "%s, int64_t i%u", text, d);
    return tn_cg_text(cg, "%s, int64_t lanes", text);
}

void tn_nest_store_function(tn_kernel_print *kernel, const char *name, uint32_t rank,
                            uint32_t acc_count, tn_expr_builder *builder, const tn_expr *expr,
                            const tn_store *store) {
    tn_cg *cg = kernel->cg;
    const char *acc = tn_cg_vector(tn_expr_class(builder->anchor->value->type.dtype));
    const char *parameters = tn_cg_text(cg, "%s, %s acc0", index_parameters(cg, rank), acc);
    if (acc_count > 1)
        parameters = tn_cg_text(cg, "%s, %s acc1", parameters, acc);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_text(cg, "TN_INLINE void %s(%s)", name, parameters));
    print_exprs(kernel, builder, expr, store);
    print_store(kernel, store, expr);
    tn_cg_end_function(cg, &function);
}

void tn_nest_load_function(tn_kernel_print *kernel, const char *name, uint32_t rank,
                           tn_expr_builder *builder, const tn_expr *expr,
                           const tn_store *row_store) {
    tn_cg *cg = kernel->cg;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg, "TN_INLINE %s %s(%s)",
                                    tn_cg_vector(tn_expr_class(expr->dtype)), name,
                                    index_parameters(cg, rank)));
    print_exprs(kernel, builder, expr, row_store);
    tn_cg_line(cg, "return x%u;", expr->id);
    tn_cg_end_function(cg, &function);
}

/* ---- simplifying a nest ------------------------------------------------------------------------
 */

/* Every layout of a nest, the store's last. */
static size_t collect_layouts(tn_nest *nest, tn_layout **out, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < nest->builder.count && count + 1 < capacity; i++) {
        tn_expr *e = nest->builder.exprs[i];
        if (e->kind == TN_EXPR_LOAD || e->kind == TN_EXPR_IOTA || e->kind == TN_EXPR_TAKE)
            out[count++] = &e->layout;
    }
    out[count++] = &nest->store.layout;
    return count;
}

static void remove_dim(tn_layout *layout, uint32_t dim) {
    for (uint32_t d = dim; d + 1 < layout->rank; d++) {
        layout->dims[d] = layout->dims[d + 1];
        layout->strides[d] = layout->strides[d + 1];
    }
    layout->rank--;
}

static void swap_dims(tn_layout *layout, uint32_t a, uint32_t b) {
    const tn_sym *dim = layout->dims[a], *stride = layout->strides[a];
    layout->dims[a] = layout->dims[b];
    layout->strides[a] = layout->strides[b];
    layout->dims[b] = dim;
    layout->strides[b] = stride;
}

static bool can_join(tn_syms *syms, tn_layout *const *layouts, size_t count, uint32_t outer) {
    for (size_t i = 0; i < count; i++) {
        const tn_layout *l = layouts[i];
        if (l->strides[outer] != tn_sym_mul(syms, l->strides[outer + 1], l->dims[outer + 1]))
            return false;
    }
    return true;
}

void tn_nest_simplify(tn_syms *syms, tn_nest *nest) {
    enum { LAYOUTS_MAX = 256 };
    tn_layout *layouts[LAYOUTS_MAX];
    if (nest->builder.count + 1 >= LAYOUTS_MAX)
        return;
    size_t count = collect_layouts(nest, layouts, LAYOUTS_MAX);
    tn_layout *store = &nest->store.layout;
    for (uint32_t d = store->rank; d-- > 0;)
        if (tn_sym_is(store->dims[d], 1))
            for (size_t i = 0; i < count; i++)
                remove_dim(layouts[i], d);
    /* Slowest stride of the store first. */
    for (uint32_t a = 0; a < store->rank; a++)
        for (uint32_t b = a + 1; b < store->rank; b++)
            if (tn_sym_known_le(syms, store->strides[b], store->strides[a]) != 1 &&
                tn_sym_known_le(syms, store->strides[a], store->strides[b]) == 1)
                for (size_t i = 0; i < count; i++)
                    swap_dims(layouts[i], a, b);
    for (uint32_t d = store->rank > 1 ? store->rank - 1 : 0; d-- > 0;) {
        if (!can_join(syms, layouts, count, d))
            continue;
        for (size_t i = 0; i < count; i++) {
            tn_layout *l = layouts[i];
            l->dims[d] = tn_sym_mul(syms, l->dims[d], l->dims[d + 1]);
            l->strides[d] = l->strides[d + 1];
            if (d + 2 < l->rank) {
                memmove(&l->dims[d + 1], &l->dims[d + 2], (l->rank - d - 2) * sizeof *l->dims);
                memmove(&l->strides[d + 1], &l->strides[d + 2],
                        (l->rank - d - 2) * sizeof *l->strides);
            }
            l->rank--;
        }
    }
    nest->rank = store->rank;
    memcpy(nest->dims, store->dims, sizeof nest->dims);
}

/* ---- pointwise kernels -------------------------------------------------------------------------
 */

/* How a nest is cut into tasks: the outer dims [0, split) are numbered; a single long dim is cut in
 * runs. */
typedef struct task_plan {
    uint32_t split;
    bool is_cut; /* rank 1: tasks are runs of TASK_ELEMS */
    const tn_sym *count;
} task_plan;

static task_plan plan_tasks(tn_syms *syms, uint32_t rank, const tn_sym *const *dims) {
    task_plan plan = {.count = tn_sym_const(syms, 1)};
    if (rank == 0)
        return plan;
    if (rank == 1) {
        plan.is_cut = true;
        plan.count = tn_sym_ceildiv(syms, dims[0], tn_sym_const(syms, TASK_ELEMS));
        return plan;
    }
    /* Inner dims stay in a task until it is large enough. */
    int64_t inner = tn_sym_is_const(dims[rank - 1]) ? dims[rank - 1]->value : 256;
    plan.split = rank - 1;
    while (plan.split > 1 && tn_sym_is_const(dims[plan.split - 1]) &&
           inner * dims[plan.split - 1]->value <= TASK_ELEMS) {
        inner *= dims[plan.split - 1]->value;
        plan.split--;
    }
    for (uint32_t d = 0; d < plan.split; d++)
        plan.count = tn_sym_mul(syms, plan.count, dims[d]);
    return plan;
}

static void print_nest_body(tn_kernel_print *kernel, const tn_nest *nest, const task_plan *plan,
                            const char *number, const char *point) {
    tn_cg *cg = kernel->cg;
    const char *args = tn_cg_arguments(cg, nest->rank);
    if (nest->rank == 0) {
        tn_cg_line(cg, "%s(%s, 1);", point, args);
        return;
    }
    uint32_t last = nest->rank - 1;
    const char *size = tn_cg_sym(cg, nest->dims[last]);
    tn_cg_indices(cg, plan->split, nest->dims, number);
    const char *begin = "0", *end = size;
    if (plan->is_cut) {
        tn_cg_line(cg, "const int64_t first = %s * %d;", number, TASK_ELEMS);
        begin = "first";
        end = tn_cg_text(cg, "tn_min_i64(first + %d, %s)", TASK_ELEMS, size);
    }
    for (uint32_t d = plan->split; d < last; d++)
        tn_cg_line(cg, "for (int64_t i%u = 0; i%u < %s; i%u++) {", d, d,
                   tn_cg_sym(cg, nest->dims[d]), d);
    tn_cg_line(cg, "int64_t i%u = %s;", last, begin);
    tn_cg_line(cg, "const int64_t end = %s;", end);
    tn_cg_line(cg, "for (; i%u + TN_W <= end; i%u += TN_W)", last, last);
    tn_cg_line(cg, "    %s(%s, TN_W);", point, args);
    tn_cg_line(cg, "if (i%u < end) %s(%s, end - i%u);", last, point, args, last);
    for (uint32_t d = plan->split; d < last; d++)
        tn_cg_close(cg, "");
}

void tn_nest_emit_pointwise(tn_kernel_print *kernel, const char *name, const tn_nest *nests,
                            size_t count, tn_cg_kernel *out_kernel) {
    tn_cg *cg = kernel->cg;
    tn_syms *syms = cg->syms;
    for (size_t n = 0; n < count; n++) {
        const tn_nest *nest = &nests[n];
        tn_cg_function point;
        tn_cg_begin_function(cg, &point,
                             tn_cg_text(cg, "TN_INLINE void %s_point%zu(%s)", name, n,
                                        index_parameters(cg, nest->rank)));
        print_exprs(kernel, &nest->builder, nest->expr, &nest->store);
        print_store(kernel, &nest->store, nest->expr);
        tn_cg_end_function(cg, &point);
    }
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "void %s(void *const *buf, const int64_t *sym, int64_t "
                                    "task_begin, int64_t task_end, void *scratch)",
                                    name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    const tn_sym *total = tn_sym_const(syms, 0);
    for (size_t n = 0; n < count; n++) {
        task_plan plan = plan_tasks(syms, nests[n].rank, nests[n].dims);
        const tn_sym *past = tn_sym_add(syms, total, plan.count);
        const char *point = tn_cg_text(cg, "%s_point%zu", name, n);
        bool is_last = n + 1 == count;
        const char *number =
            tn_sym_is(total, 0) ? "task" : tn_cg_text(cg, "(task - %s)", tn_cg_sym(cg, total));
        if (!is_last)
            tn_cg_line(cg, "if (task < %s) {", tn_cg_sym(cg, past));
        print_nest_body(kernel, &nests[n], &plan, number, point);
        if (!is_last)
            tn_cg_close(cg, " else {");
        total = past;
    }
    for (size_t n = 0; n < count; n++)
        tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    *out_kernel = (tn_cg_kernel){.task_count = total, .scratch_bytes = tn_sym_const(syms, 0)};
}
