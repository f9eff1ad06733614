/* convert.c: what converters are written with: arguments by name, and running one converter. */
#include "ops/convert.h"

#include <assert.h>
#include <math.h>

/* ---- errors ---------------------------------------------------------------------------------- */

tn_status tn_cv_refuse(const tn_cv *cv, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    tn_vformat(text, sizeof text, format, args);
    va_end(args);
    return tn_error_make(TN_UNSUPPORTED, "%.*s: %s", TN_STR_ARG(cv->node->op->name), text);
}

/* ---- arguments ------------------------------------------------------------------------------- */

const tn_arg *tn_cv_arg(const tn_cv *cv, const char *name) {
    int32_t i = tn_schema_find_param(cv->node->op->schema, tn_str_of(name));
    assert(i >= 0 && "a converter asks for an argument that its schema lacks");
    return &cv->node->args[i];
}

tn_prim tn_cv_prim(const tn_cv *cv) {
    return ((const tn_op_entry *)cv->node->op->entry)->prim;
}

tn_value *tn_cv_tensor(tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    return arg->kind == TN_ARG_VALUE ? cv->operands[arg->operand] : NULL;
}

uint32_t tn_cv_tensors(tn_cv *cv, const char *name, tn_value *const **out_values) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    *out_values = NULL;
    if (arg->kind != TN_ARG_VALUES)
        return 0;
    *out_values = cv->operands + arg->operand;
    return arg->count;
}

bool tn_cv_is_none(const tn_cv *cv, const char *name) {
    return tn_cv_arg(cv, name)->kind == TN_ARG_NONE;
}

/* A symbolic size where only a number will do. */
static void fail_symbolic(tn_cv *cv, const char *name) {
    tn_kb_fail(cv->kb,
               tn_cv_refuse(cv, "%s depends on the input's shape, accepted is a constant", name));
}

bool tn_cv_bool(const tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind == TN_ARG_INT)
        return arg->i && !tn_sym_is(arg->i, 0);
    return arg->kind == TN_ARG_BOOL && arg->b;
}

static double number_of(const tn_arg *arg) {
    if (arg->kind == TN_ARG_FLOAT)
        return arg->f;
    if (arg->kind == TN_ARG_BOOL)
        return arg->b;
    return arg->kind == TN_ARG_INT && tn_sym_is_const(arg->i) ? (double)arg->i->value : (double)NAN;
}

double tn_cv_float(const tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind == TN_ARG_INT && !tn_sym_is_const(arg->i))
        tn_kb_fail(
            cv->kb,
            tn_cv_refuse(cv, "%s depends on the input's shape, accepted is a constant", name));
    return number_of(arg);
}

const tn_sym *tn_cv_sym(tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind == TN_ARG_INT)
        return arg->i;
    return arg->kind == TN_ARG_BOOL ? tn_cv_size(cv, arg->b) : NULL;
}

int64_t tn_cv_int(tn_cv *cv, const char *name) {
    const tn_sym *value = tn_cv_sym(cv, name);
    if (value && tn_sym_is_const(value))
        return value->value;
    if (value)
        fail_symbolic(cv, name);
    return 0;
}

uint32_t tn_cv_syms(tn_cv *cv, const char *name, const tn_sym **out_values, uint32_t capacity) {
    int32_t index = tn_schema_find_param(cv->node->op->schema, tn_str_of(name));
    const tn_param *param = &cv->node->op->schema->params[index];
    const tn_arg *arg = tn_cv_arg(cv, name);
    uint32_t given = arg->kind == TN_ARG_INT ? 1 : arg->kind == TN_ARG_INTS ? arg->count : 0;
    uint32_t count = given == 1 && param->list_size > 1 ? (uint32_t)param->list_size : given;
    if (count > capacity) {
        tn_kb_fail(cv->kb, tn_cv_refuse(cv, "%s has %u elements, accepted are up to %u", name,
                                        count, capacity));
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (arg->kind == TN_ARG_INT)
            out_values[i] = arg->i;
        else
            out_values[i] = arg->ints[given == 1 ? 0 : i];
    }
    return count;
}

uint32_t tn_cv_ints(tn_cv *cv, const char *name, int64_t *out_values, uint32_t capacity) {
    const tn_sym *values[16];
    assert(capacity <= sizeof values / sizeof *values);
    uint32_t count = tn_cv_syms(cv, name, values, capacity);
    for (uint32_t i = 0; i < count; i++) {
        bool is_const = tn_sym_is_const(values[i]);
        if (!is_const)
            fail_symbolic(cv, name);
        out_values[i] = is_const ? values[i]->value : 1;
    }
    return count;
}

tn_str tn_cv_str(const tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    return arg->kind == TN_ARG_STR ? arg->s : TN_STR("");
}

tn_dtype tn_cv_dtype(const tn_cv *cv, const char *name, tn_dtype default_dtype) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    return arg->kind == TN_ARG_DTYPE ? arg->dtype : default_dtype;
}

/* dim in [-rank, rank), or in [-1, 0] for rank 0, as a dim from 0. */
static uint32_t normal_dim(tn_cv *cv, const char *name, int64_t dim, uint32_t rank) {
    int64_t bound = rank ? (int64_t)rank : 1;
    if (dim < -bound || dim >= bound) {
        tn_kb_fail(cv->kb,
                   tn_error_make(TN_INVALID_ARGUMENT, "%.*s: %s is %lld, wanted %lld to %lld",
                                 TN_STR_ARG(cv->node->op->name), name, (long long)dim,
                                 (long long)-bound, (long long)bound - 1));
        return 0;
    }
    return (uint32_t)(dim < 0 ? dim + bound : dim);
}

uint32_t tn_cv_dim(tn_cv *cv, const char *name, uint32_t rank) {
    return normal_dim(cv, name, tn_cv_int(cv, name), rank);
}

uint32_t tn_cv_dim_mask(tn_cv *cv, const char *name, uint32_t rank) {
    int64_t dims[TN_MAX_RANK];
    uint32_t count = tn_cv_ints(cv, name, dims, TN_MAX_RANK), mask = 0;
    for (uint32_t i = 0; i < count; i++)
        mask |= 1u << normal_dim(cv, name, dims[i], rank);
    uint32_t all = (1u << rank) - 1;
    return count ? mask & all : all; /* a rank-0 tensor has dim 0 in PyTorch, and none here */
}

const tn_type *tn_cv_result_type(const tn_cv *cv, uint32_t i) {
    return &cv->node->results[i]->type;
}

void tn_cv_set_result(tn_cv *cv, uint32_t i, tn_value *value) {
    assert(i < cv->node->result_count);
    cv->results[i] = value;
}

/* ---- running one converter ---------------------------------------------------------------------
 */

/* "aten::add.Tensor" of a schema's text. */
static tn_str schema_name(const char *schema) {
    tn_str name;
    tn_str_split(tn_str_of(schema), '(', &name);
    return name;
}

/* The known operator whose name is nearest, if one is near enough to be what was meant. */
static tn_str nearest_name(tn_str name) {
    size_t family_count, best_distance = 6;
    tn_str best = TN_STR("");
    const tn_op_family *const *families = tn_op_families(&family_count);
    for (size_t f = 0; f < family_count; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            tn_str candidate = schema_name(families[f]->entries[i].schema);
            size_t distance = tn_str_distance(name, candidate);
            if (distance < best_distance) {
                best_distance = distance;
                best = candidate;
            }
        }
    }
    return best;
}

static tn_status no_converter(const tn_node *node) {
    tn_str name = node->op->name;
    if (node->op->entry)
        return tn_error_make(TN_UNSUPPORTED,
                             "%.*s: works in place, accepted after the functionalise pass only",
                             TN_STR_ARG(name));
    tn_str near = nearest_name(name);
    return tn_error_make(TN_UNSUPPORTED,
                         "%.*s: no converter is known; a plug-in or a converter for it would help, "
                         "`tenon report` shows every such node%s%.*s%s",
                         TN_STR_ARG(name), near.len ? " (nearest known: " : "", TN_STR_ARG(near),
                         near.len ? ")" : "");
}

/* True unless the two are known to differ; a declared type without a dtype says nothing. */
static bool fits_declared(tn_syms *syms, const tn_type *declared, const tn_type *seen) {
    if (declared->dtype == TN_DTYPE_NONE)
        return true;
    if (declared->dtype != seen->dtype || declared->rank != seen->rank)
        return false;
    for (uint32_t d = 0; d < seen->rank; d++)
        if (tn_sym_known_eq(syms, declared->dims[d], seen->dims[d]) == 0)
            return false;
    return true;
}

static tn_status result_mismatch(const tn_kb *kb, const tn_node *node, uint32_t i,
                                 const tn_type *seen) {
    tn_buf text;
    tn_buf_init(&text, kb->graph->arena->allocator);
    tn_type_print(&text, seen);
    tn_buf_printf(&text, ", the model declares ");
    tn_type_print(&text, &node->results[i]->type);
    tn_status status = tn_error_make(TN_INTERNAL, "%.*s: result %u converts to %s",
                                     TN_STR_ARG(node->op->name), i, tn_buf_cstr(&text));
    tn_buf_deinit(&text);
    return status;
}

static tn_status check_results(const tn_cv *cv) {
    for (uint32_t i = 0; i < cv->node->result_count; i++) {
        assert(cv->results[i] && "a converter left a result unset without failing the builder");
        const tn_type *seen = &cv->results[i]->type;
        if (!fits_declared(cv->kb->graph->syms, tn_cv_result_type(cv, i), seen))
            return result_mismatch(cv->kb, cv->node, i, seen);
    }
    return NULL;
}

static tn_status run_converter(tn_cv *cv) {
    const tn_op_entry *entry = cv->node->op->op_class == TN_OP_GRAPH ? cv->node->op->entry : NULL;
    if (!entry || !entry->convert)
        return no_converter(cv->node);
    tn_status status = entry->convert(cv);
    tn_status built = tn_kb_status(cv->kb);
    /* A refusal says more than what the builder met on the way there; but once memory is short,
     * converters see values that are not there, and refuse what they would accept. */
    if (status && tn_status_code(built) != TN_OUT_OF_MEMORY) {
        tn_status_free(built);
        return status;
    }
    tn_status_free(status);
    if (built)
        return tn_status_annotate(built, "while converting %.*s", TN_STR_ARG(cv->node->op->name));
    TN_TRY(tn_syms_status(cv->kb->graph->syms));
    return check_results(cv);
}

tn_status tn_convert_node(tn_kb *kb, const tn_node *node, tn_value *const *operands, bool is_probe,
                          tn_value **out_results) {
    for (uint32_t i = 0; i < node->result_count; i++)
        out_results[i] = NULL;
    tn_cv cv = {
        .kb = kb, .node = node, .operands = operands, .results = out_results, .is_probe = is_probe};
    return tn_convert_annotate(run_converter(&cv), node);
}

tn_status tn_convert_annotate(tn_status status, const tn_node *node) {
    if (!status || node->locs.count == 0)
        return status;
    const tn_loc *loc = node->locs.items[0];
    if (loc->source.len)
        status = tn_status_annotate(status, "while reading %.*s", TN_STR_ARG(loc->source));
    if (loc->module.len)
        status = tn_status_annotate(status, "while in module %.*s", TN_STR_ARG(loc->module));
    return tn_status_annotate(status, "while at node %.*s", TN_STR_ARG(loc->node));
}
