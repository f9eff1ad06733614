/* pt2_copies.c: makes copies explicit where strides decide between a view and a copy.
 *
 * reshape, flatten and contiguous give a view if the strides of their operand allow, else a copy.
 * Who writes into one of the two afterwards must know which. The graph has no strides, but the
 * program records those of every tensor: a result that is contiguous, of an operand that is not,
 * was copied. Such an operand gets an aten::clone of its own, after which the operator is a view in
 * any case. */
#include "front/pt2.h"

static bool is_contiguous(tn_pt2 *pt2, const tn_type *type, const tn_sym *const *strides) {
    const tn_sym *expected = tn_sym_const(pt2->syms, 1);
    for (uint32_t i = type->rank; i-- > 0;) {
        if (!tn_sym_is(type->dims[i], 1) && strides[i] != expected)
            return false;
        expected = tn_sym_mul(pt2->syms, expected, type->dims[i]);
    }
    return true;
}

/* Whether the program records contiguous strides for a tensor. */
static tn_status recorded_contiguous(const tn_pt2_scope *scope, const tn_type *type, tn_str name,
                                     bool *out_is_contiguous) {
    tn_json_value meta = tn_pt2_scope_meta(scope, name);
    const tn_sym *strides[TN_MAX_RANK];
    *out_is_contiguous = true;
    if (tn_json_kind_of(meta) == TN_JSON_ABSENT)
        return NULL; /* made by this reader: a number as a tensor */
    TN_TRY(tn_pt2_strides(scope->pt2, meta, type->rank, strides));
    *out_is_contiguous = is_contiguous(scope->pt2, type, strides);
    return tn_syms_status(scope->pt2->syms);
}

static tn_status insert_clone(tn_pt2 *pt2, tn_node *node) {
    const tn_op *op = tn_op_table_find(pt2->ops, TN_STR("aten::clone"));
    int32_t format = op ? tn_schema_find_param(op->schema, TN_STR("memory_format")) : -1;
    if (format < 1)
        return tn_error_make(TN_UNSUPPORTED,
                             "%.*s makes a copy, for which aten::clone must be known",
                             TN_STR_ARG(node->results[0]->name));
    tn_arg *args = NULL;
    TN_ARENA_TRY(pt2->arena, args, op->schema->param_count);
    for (uint32_t i = 1; i < op->schema->param_count; i++)
        TN_TRY(tn_arg_default(node->graph, op, &op->schema->params[i], &args[i]));
    args[0] = (tn_arg){.kind = TN_ARG_VALUE, .operand = 0};
    args[format] = (tn_arg){.kind = TN_ARG_STR, .s = TN_STR("contiguous_format")};
    tn_value *operand = node->operands[0];
    tn_node_desc desc = {.op = op,
                         .operands = &operand,
                         .operand_count = 1,
                         .args = args,
                         .arg_count = op->schema->param_count,
                         .result_types = &operand->type,
                         .result_count = 1,
                         .locs = node->locs};
    tn_node *clone = NULL;
    TN_TRY(tn_graph_add_node(node->graph, node, &desc, &clone));
    return tn_node_set_operand(node, 0, clone->results[0]);
}

static bool may_copy(const tn_node *node) {
    static const char *const names[] = {"aten::reshape", "aten::reshape_as", "aten::contiguous",
                                        "aten::flatten.using_ints"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tn_str_is(node->op->name, names[i]))
            return node->operand_count > 0 && node->result_count == 1;
    return false;
}

tn_status tn_pt2_copies_show(tn_pt2_scope *scope) {
    /* The names of this scope; its graph may hold nodes of others, which have shown theirs. */
    tn_map names; /* value id -> entry of scope->values */
    tn_map_init(&names, tn_arena_allocator(scope->pt2->arena));
    for (size_t i = 0; i < scope->values.count; i++) {
        tn_map_entry *entry = &scope->values.entries[i];
        const tn_value *value = entry->value;
        TN_TRY(tn_map_set_u64(&names, value->id, entry));
    }
    for (size_t i = 0; i < scope->values.count; i++) {
        const tn_map_entry *entry = &scope->values.entries[i];
        const tn_value *value = entry->value;
        tn_node *node = value->def;
        if (!node || !may_copy(node))
            continue;
        const tn_map_entry *operand = tn_map_get_u64(&names, node->operands[0]->id);
        bool is_result_contiguous = false;
        bool is_operand_contiguous = true;
        TN_TRY(recorded_contiguous(scope, &value->type, entry->key, &is_result_contiguous));
        if (operand)
            TN_TRY(recorded_contiguous(scope, &node->operands[0]->type, operand->key,
                                       &is_operand_contiguous));
        if (is_result_contiguous && !is_operand_contiguous)
            TN_TRY(insert_clone(scope->pt2, node));
    }
    return NULL;
}
