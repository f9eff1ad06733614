/* alias.h: which operators of a model write in place, which give views, and how writing through a
 * view changes what it is a view of. */
#ifndef TN_PASS_ALIAS_H
#define TN_PASS_ALIAS_H

#include "pass/pass.h"

/* The parameter that the operator writes to, -1 if there is none. */
int32_t tn_alias_written_param(const tn_op *op);
/* The operator that gives the result instead of writing it ("aten::add.Tensor" for
 * "aten::add_.Tensor"), an opaque one if the table lacks it. TN_UNSUPPORTED for operators of other
 * conventions. */
TN_MUST_USE tn_status tn_alias_functional_op(const tn_pass_ctx *ctx, tn_graph *graph,
                                             const tn_op *op, const tn_op **out_op);
/* True if the results are views of the first operand (all of its memory included). */
bool tn_alias_is_view(const tn_node *node);
/* Inserts, before `before`, what turns `source` into itself with `content` in the place that result
 * `index` of the view shows. */
TN_MUST_USE tn_status tn_alias_scatter(const tn_pass_ctx *ctx, const tn_node *view, uint32_t index,
                                       tn_value *source, tn_value *content, tn_node *before,
                                       tn_value **out_value);
/* Inserts a node of a known operator with operands as its first arguments, then `args`; what is
 * missing takes its default. */
TN_MUST_USE tn_status tn_alias_insert(const tn_pass_ctx *ctx, const tn_node *like, tn_node *before,
                                      const char *op_name, tn_value *const *operands,
                                      uint32_t operand_count, const tn_arg *args,
                                      uint32_t arg_count, const tn_type *type,
                                      tn_value **out_value);

#endif
