/* verify_prim.c: checks one primitive node against the rules that typed it. */
#include "kir/infer.h"

static tn_status check_result(const tn_node *node, uint32_t i, const tn_type *wanted) {
    const tn_type *seen = &node->results[i]->type;
    bool is_same = seen->dtype == wanted->dtype && seen->rank == wanted->rank;
    for (uint32_t d = 0; is_same && d < wanted->rank; d++)
        is_same = tn_sym_known_eq(node->graph->syms, seen->dims[d], wanted->dims[d]) != 0;
    if (is_same)
        return NULL;
    return tn_error_make(TN_INTERNAL, "%.*s: result %%%.*s is %s, wanted %s",
                         TN_STR_ARG(node->op->name), TN_STR_ARG(node->results[i]->name),
                         TN_TYPE_TEXT(seen), TN_TYPE_TEXT(wanted));
}

/* Types are given, so there is nothing to compare them with. */
static tn_status verify_call(const tn_node *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!node->operands[i])
            return tn_error_make(TN_INTERNAL, "k::call: operand %u is missing", i);
    if (node->result_count == 0 || node->args[TN_CALL_OP].s.len == 0)
        return tn_error_make(TN_INTERNAL,
                             "k::call of \"%.*s\": %u results, wanted an operator and "
                             "at least one",
                             TN_STR_ARG(node->args[TN_CALL_OP].s), node->result_count);
    return NULL;
}

tn_status tn_prim_verify(const tn_node *node) {
    if (tn_node_prim(node) == TN_PRIM_CALL)
        return verify_call(node);
    const tn_allocator allocator = node->graph->arena->allocator;
    const tn_type **operands = NULL;
    tn_type wanted[TN_PRIM_RESULTS_MAX];
    uint32_t count = 0;
    tn_status status = tn_alloc_array(&allocator, node->operand_count, sizeof *operands, &operands);
    if (status)
        return status;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        if (!node->operands[i]) {
            status = tn_error_make(TN_INTERNAL, "%.*s: operand %u is missing",
                                   TN_STR_ARG(node->op->name), i);
            goto done;
        }
        operands[i] = &node->operands[i]->type;
    }
    TN_GOTO(tn_prim_infer(node->graph->syms, tn_node_prim(node), operands, node->operand_count,
                          node->args, node->op->schema->param_count, wanted, &count));
    if (count != node->result_count) {
        status = tn_error_make(TN_INTERNAL, "%.*s: node has %u results, wanted %u",
                               TN_STR_ARG(node->op->name), node->result_count, count);
        goto done;
    }
    for (uint32_t i = 0; i < count; i++)
        TN_GOTO(check_result(node, i, &wanted[i]));
done:
    tn_alloc_free(&allocator, operands, node->operand_count * sizeof *operands);
    if (status && node->result_count)
        status = tn_status_annotate(status, "while verifying %%%.*s",
                                    TN_STR_ARG(node->results[0]->name));
    return status;
}
