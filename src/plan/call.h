/* call.h: nodes of a model as calls: what stands in the engine for an operator that it leaves to
 * the session's executor (docs/calls.md). */
#ifndef TN_PLAN_CALL_H
#define TN_PLAN_CALL_H

#include "ir/graph.h"
#include "kir/prim.h"

/* "aten::gelu.default": with the overload, as PyTorch names it. */
TN_MUST_USE tn_status tn_call_op_name(tn_arena *arena, const tn_op *op, tn_str *out_name);

/* NULL if an executor could serve the node, else TN_UNSUPPORTED with the reason. */
TN_MUST_USE tn_status tn_call_check(const tn_node *node);

/* Adds the k::call of a model's node to a graph of kernel IR. operands are the graph's values of
 * node->operands, NULL for None; out_results has room for node->result_count. */
TN_MUST_USE tn_status tn_call_add(tn_graph *kir, const tn_op_table *prims, const tn_node *node,
                                  tn_value *const *operands, tn_value **out_results);

#endif
