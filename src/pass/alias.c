/* alias.c: facts of PyTorch's operators about memory: the naming rule of those that write in place,
 * the views, and the inverse of each view, by which a write through it reaches its source. Schemas
 * say which results may be views; the reader of models has made explicit where they are copies
 * after all. */
#include "pass/alias.h"

#include <string.h>

enum { SCATTER_ARGS_MAX = 8 };

static bool is_one_of(tn_str name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (tn_str_is(name, names[i]))
            return true;
    return false;
}

#define IS_ONE_OF(name, names) is_one_of((name), (names), sizeof(names) / sizeof *(names))

/* ---- operators that write ---------------------------------------------------------------------
 */

/* "add_" of "aten::add_.Tensor"; empty for other namespaces. */
static tn_str aten_base(tn_str name) {
    static const char space[] = "aten::";
    if (!tn_str_starts(name, space))
        return TN_STR("");
    tn_str base;
    (void)tn_str_split((tn_str){name.data + (sizeof space - 1), name.len - (sizeof space - 1)}, '.',
                       &base);
    return base;
}

/* relu_, add_, __iadd__; not __and__. */
static bool has_writing_name(tn_str name) {
    tn_str base = aten_base(name);
    if (tn_str_ends(base, "__"))
        return base.len > 5 && tn_str_starts(base, "__i") && !tn_str_is(base, "__invert__");
    return base.len > 1 && tn_str_ends(base, "_");
}

int32_t tn_alias_written_param(const tn_op *op) {
    for (uint32_t i = 0; i < op->schema->param_count; i++)
        if (op->schema->params[i].is_written)
            return (int32_t)i;
    /* An operator that no table knows has a schema made from its use, which tells nothing. */
    return has_writing_name(op->name) && op->schema->param_count > 0 ? 0 : -1;
}

static tn_status functional_name(tn_arena *arena, tn_str name, tn_str *out_name) {
    tn_str base = aten_base(name);
    size_t before = (size_t)(base.data - name.data);
    size_t after = before + base.len;
    bool is_dunder = tn_str_ends(base, "__");
    tn_str kept =
        is_dunder ? (tn_str){base.data + 3, base.len - 3} : (tn_str){base.data, base.len - 1};
    const char *text =
        tn_arena_printf(arena, "%.*s%s%.*s%.*s", (int)before, name.data, is_dunder ? "__" : "",
                        TN_STR_ARG(kept), (int)(name.len - after), name.data + after);
    *out_name = text ? tn_str_of(text) : TN_STR("");
    return text ? NULL : tn_error_out_of_memory();
}

tn_status tn_alias_functional_op(const tn_pass_ctx *ctx, tn_graph *graph, const tn_op *op,
                                 const tn_op **out_op) {
    *out_op = NULL;
    if (!has_writing_name(op->name))
        return tn_error_make(
            TN_UNSUPPORTED,
            "%.*s writes to its argument '%.*s'; operators that write in place are "
            "supported if they are PyTorch's own and their names end in _",
            TN_STR_ARG(op->name), TN_STR_ARG(op->schema->params[tn_alias_written_param(op)].name));
    tn_str name;
    TN_TRY(functional_name(graph->arena, op->name, &name));
    const tn_schema *schema = op->schema;
    const tn_op *known = tn_op_table_find(ctx->ops, name);
    if (known && known->schema->param_count == schema->param_count) {
        *out_op = known;
        return NULL;
    }
    tn_str *names = NULL;
    TN_ARENA_TRY(graph->arena, names, schema->param_count);
    for (uint32_t i = 0; i < schema->param_count; i++)
        names[i] = schema->params[i].is_keyword_only ? schema->params[i].name : TN_STR("");
    return tn_op_make_opaque(graph->arena, name, names, schema->param_count, 1, out_op);
}

/* ---- views ------------------------------------------------------------------------------------
 */

static const tn_arg *find_arg(const tn_node *node, const char *name) {
    int32_t i = tn_schema_find_param(node->op->schema, tn_str_of(name));
    return i < 0 ? NULL : &node->args[i];
}

static bool is_true(const tn_arg *arg) {
    return arg && arg->kind == TN_ARG_BOOL && arg->b;
}

/* Conversions give their operand back when there is nothing to convert. */
static bool is_conversion(tn_str name) {
    static const char *const names[] = {"aten::to.dtype",        "aten::to.device",
                                        "aten::to.dtype_layout", "aten::to.other",
                                        "aten::to.prim_Device",  "aten::type_as"};
    return IS_ONE_OF(name, names);
}

bool tn_alias_is_view(const tn_node *node) {
    const tn_schema *schema = node->op->schema;
    if (schema->param_count == 0 || node->args[0].kind != TN_ARG_VALUE || node->result_count == 0)
        return false;
    const tn_value *source = node->operands[node->args[0].operand];
    if (is_conversion(node->op->name))
        return source->type.dtype == node->results[0]->type.dtype &&
               !is_true(find_arg(node, "copy"));
    if (tn_str_is(node->op->name, "aten::dropout"))
        return !is_true(find_arg(node, "train"));
    if (schema->params[0].alias == 0 || schema->params[0].is_written)
        return false;
    return schema->result_count == 1 && schema->results[0].alias == schema->params[0].alias;
}

/* ---- writing through views --------------------------------------------------------------------
 */

tn_status tn_alias_insert(const tn_pass_ctx *ctx, const tn_node *like, tn_node *before,
                          const char *op_name, tn_value *const *operands, uint32_t operand_count,
                          const tn_arg *args, uint32_t arg_count, const tn_type *type,
                          tn_value **out_value) {
    const tn_op *op = tn_op_table_find(ctx->ops, tn_str_of(op_name));
    *out_value = NULL;
    if (!op || op->schema->param_count < operand_count + arg_count)
        return tn_error_make(TN_UNSUPPORTED,
                             "writing in place through %.*s needs %s, which is not known",
                             TN_STR_ARG(like->op->name), op_name);
    tn_arg all[SCATTER_ARGS_MAX];
    for (uint32_t i = 0; i < operand_count; i++)
        all[i] = (tn_arg){.kind = TN_ARG_VALUE, .operand = i};
    for (uint32_t i = 0; i < arg_count; i++)
        all[operand_count + i] = args[i];
    tn_node_desc desc = {
        .op = op,
        .operands = operands,
        .operand_count = operand_count,
        .args = all,
        .arg_count = operand_count + arg_count,
        .result_types = type,
        .result_count = 1,
        .locs = like->locs,
    };
    tn_node *node = NULL;
    TN_TRY(tn_graph_add_node(like->graph, before, &desc, &node));
    *out_value = node->results[0];
    return NULL;
}

/* What the inverses below work on. */
typedef struct scatter {
    const tn_pass_ctx *ctx;
    const tn_node *view;
    uint32_t index;
    tn_value *source;
    tn_value *content;
    tn_node *before;
} scatter;

static tn_status insert_one(const scatter *s, const char *op_name, const tn_arg *args,
                            uint32_t arg_count, tn_value **out_value) {
    return tn_alias_insert(s->ctx, s->view, s->before, op_name, &s->content, 1, args, arg_count,
                           &s->source->type, out_value);
}

static tn_status insert_two(const scatter *s, const char *op_name, const tn_arg *args,
                            uint32_t arg_count, tn_value **out_value) {
    tn_value *operands[] = {s->source, s->content};
    return tn_alias_insert(s->ctx, s->view, s->before, op_name, operands, 2, args, arg_count,
                           &s->source->type, out_value);
}

static tn_status unreshape(const scatter *s, tn_value **out_value) {
    const tn_type *type = &s->source->type;
    tn_arg size = {.kind = TN_ARG_INTS, .count = type->rank, .ints = type->dims};
    return insert_one(s, "aten::view", &size, 1, out_value);
}

static tn_status unpermute(const scatter *s, tn_value **out_value) {
    const tn_arg *dims = &s->view->args[1];
    tn_syms *syms = s->view->graph->syms;
    uint32_t rank = s->source->type.rank;
    const tn_sym *inverse[TN_MAX_RANK] = {NULL};
    for (uint32_t i = 0; dims->kind == TN_ARG_INTS && dims->count == rank && i < rank; i++) {
        int64_t dim = tn_sym_is_const(dims->ints[i]) ? dims->ints[i]->value : rank;
        dim += dim < 0 ? rank : 0;
        if (dim >= 0 && dim < rank)
            inverse[dim] = tn_sym_const(syms, i);
    }
    for (uint32_t i = 0; i < rank; i++)
        if (!inverse[i])
            return tn_error_make(TN_CORRUPT,
                                 "%%%.*s: aten::permute with dims that are no permutation",
                                 TN_STR_ARG(s->view->results[0]->name));
    tn_arg arg = {.kind = TN_ARG_INTS, .count = rank, .ints = inverse};
    return insert_one(s, "aten::permute", &arg, 1, out_value);
}

/* Their own inverses, given the same arguments. */
static tn_status reapply(const scatter *s, tn_value **out_value) {
    return insert_one(s, s->view->op->name.data, s->view->args + 1,
                      s->view->op->schema->param_count - 1, out_value);
}

static tn_status unmovedim(const scatter *s, tn_value **out_value) {
    tn_arg swapped[2] = {s->view->args[2], s->view->args[1]};
    return insert_one(s, s->view->op->name.data, swapped, 2, out_value);
}

static tn_status unslice(const scatter *s, tn_value **out_value) {
    return insert_two(s, "aten::slice_scatter", s->view->args + 1, 4, out_value);
}

static tn_status unselect(const scatter *s, tn_value **out_value) {
    return insert_two(s, "aten::select_scatter", s->view->args + 1, 2, out_value);
}

static tn_status undiagonal(const scatter *s, tn_value **out_value) {
    return insert_two(s, "aten::diagonal_scatter", s->view->args + 1, 3, out_value);
}

static tn_status unstride(const scatter *s, tn_value **out_value) {
    return insert_two(s, "aten::as_strided_scatter", s->view->args + 1, 3, out_value);
}

static tn_status scatter_range(const scatter *s, const tn_arg *dim, const tn_sym *start,
                               const tn_sym *size, tn_value **out_value) {
    tn_syms *syms = s->view->graph->syms;
    const tn_arg args[] = {
        *dim,
        {.kind = TN_ARG_INT, .i = start},
        {.kind = TN_ARG_INT, .i = tn_sym_add(syms, start, size)},
        {.kind = TN_ARG_INT, .i = tn_sym_const(syms, 1)},
    };
    if (!args[1].i || !args[2].i || !args[3].i)
        return tn_syms_status(syms);
    return insert_two(s, "aten::slice_scatter", args, 4, out_value);
}

/* narrow(self, dim, start, length); a negative start counts from the end, as a slice's does. */
static tn_status unnarrow(const scatter *s, tn_value **out_value) {
    const tn_arg *args = s->view->args;
    const tn_sym *start = args[2].i;
    if (start->min < 0)
        return tn_error_make(TN_UNSUPPORTED,
                             "%%%.*s: writing through aten::narrow with a start below 0",
                             TN_STR_ARG(s->view->results[0]->name));
    return scatter_range(s, &args[1], start, args[3].i, out_value);
}

/* The pieces of split and chunk lie one after the other. */
static tn_status unsplit(const scatter *s, tn_value **out_value) {
    tn_syms *syms = s->view->graph->syms;
    const tn_arg *dim_arg = find_arg(s->view, "dim");
    int64_t rank = s->source->type.rank;
    int64_t dim = dim_arg && dim_arg->kind == TN_ARG_INT && tn_sym_is_const(dim_arg->i)
                      ? dim_arg->i->value
                      : rank;
    dim += dim < 0 ? rank : 0;
    if (dim < 0 || dim >= rank)
        return tn_error_make(TN_CORRUPT, "%%%.*s: %.*s along a dimension that the operand lacks",
                             TN_STR_ARG(s->view->results[0]->name), TN_STR_ARG(s->view->op->name));
    const tn_sym *start = tn_sym_const(syms, 0);
    for (uint32_t i = 0; i < s->index; i++) {
        if (s->view->results[i]->type.rank != (uint32_t)rank)
            return tn_error_make(TN_CORRUPT, "%%%.*s: the rank of a piece differs from the whole",
                                 TN_STR_ARG(s->view->results[i]->name));
        start = tn_sym_add(syms, start, s->view->results[i]->type.dims[dim]);
    }
    return scatter_range(s, dim_arg, start, s->content->type.dims[dim], out_value);
}

static tn_status ununbind(const scatter *s, tn_value **out_value) {
    tn_arg args[2] = {s->view->args[1],
                      {.kind = TN_ARG_INT, .i = tn_sym_const(s->view->graph->syms, s->index)}};
    if (!args[1].i)
        return tn_syms_status(s->view->graph->syms);
    return insert_two(s, "aten::select_scatter", args, 2, out_value);
}

static tn_status same(const scatter *s, tn_value **out_value) {
    *out_value = s->content;
    return NULL;
}

static const struct {
    const char *name;
    uint32_t param_count; /* at least */
    tn_status (*invert)(const scatter *s, tn_value **out_value);
} inverses[] = {
    {"aten::alias", 1, same},
    {"aten::detach", 1, same},
    {"aten::lift_fresh", 1, same},
    {"aten::positive", 1, same},
    {"aten::contiguous", 1, same},
    {"aten::dropout", 1, same},
    {"aten::view", 1, unreshape},
    {"aten::reshape", 1, unreshape},
    {"aten::view_as", 1, unreshape},
    {"aten::reshape_as", 1, unreshape},
    {"aten::flatten.using_ints", 1, unreshape},
    {"aten::unflatten.int", 1, unreshape},
    {"aten::squeeze", 1, unreshape},
    {"aten::squeeze.dim", 1, unreshape},
    {"aten::squeeze.dims", 1, unreshape},
    {"aten::unsqueeze", 1, unreshape},
    {"aten::permute", 2, unpermute},
    {"aten::transpose.int", 3, reapply},
    {"aten::swapaxes", 3, reapply},
    {"aten::swapdims", 3, reapply},
    {"aten::t", 1, reapply},
    {"aten::mT", 1, reapply},
    {"aten::numpy_T", 1, reapply},
    {"aten::movedim.int", 3, unmovedim},
    {"aten::movedim.intlist", 3, unmovedim},
    {"aten::slice.Tensor", 5, unslice},
    {"aten::select.int", 3, unselect},
    {"aten::diagonal", 4, undiagonal},
    {"aten::as_strided", 4, unstride},
    {"aten::narrow", 4, unnarrow},
    {"aten::split.Tensor", 3, unsplit},
    {"aten::split.sizes", 3, unsplit},
    {"aten::split_with_sizes", 3, unsplit},
    {"aten::chunk", 3, unsplit},
    {"aten::unbind.int", 2, ununbind},
};

static tn_status invert_view(const scatter *s, tn_value **out_value) {
    const tn_op *op = s->view->op;
    if (is_conversion(op->name))
        return same(s, out_value);
    for (size_t i = 0; i < sizeof inverses / sizeof *inverses; i++)
        if (tn_str_is(op->name, inverses[i].name) &&
            op->schema->param_count >= inverses[i].param_count)
            return inverses[i].invert(s, out_value);
    return tn_error_make(TN_UNSUPPORTED,
                         "%%%.*s is written in place, but is a view made by %.*s, "
                         "through which writing is not supported",
                         TN_STR_ARG(s->view->results[s->index]->name), TN_STR_ARG(op->name));
}

tn_status tn_alias_scatter(const tn_pass_ctx *ctx, const tn_node *view, uint32_t index,
                           tn_value *source, tn_value *content, tn_node *before,
                           tn_value **out_value) {
    const scatter s = {ctx, view, index, source, content, before};
    *out_value = NULL;
    return invert_view(&s, out_value);
}
