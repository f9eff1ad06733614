/* expr_impl.h: between expr.c and expr_parts.c; nobody else includes it. */
#ifndef TN_CPU_EXPR_IMPL_H
#define TN_CPU_EXPR_IMPL_H

#include "backend/cpu/compile/expr.h"

/* ---- expr.c -------------------------------------------------------------------------------------
 */

/* The builder's own copy of an expression, one for all that are equal; NULL without memory. */
const tn_expr *tn_expr_intern(tn_expr_builder *builder, const tn_expr *expr);
/* The chain with a view put before it; NULL without memory. */
const tn_chain *tn_expr_push(tn_expr_builder *builder, const tn_view *view, const tn_value *operand,
                             const tn_chain *chain);
/* The layout after a chain; NULL if all went well, else the link that cannot be applied. */
const tn_chain *tn_expr_apply_chain(tn_expr_builder *builder, const tn_layout *layout,
                                    const tn_chain *chain, tn_layout *out_layout);
/* A layout that counts along one dim and ignores the others. */
void tn_expr_counting_layout(tn_syms *syms, const tn_type *type, uint32_t dim, tn_layout *out);

/* ---- expr_parts.c -------------------------------------------------------------------------------
 */

const tn_expr *tn_expr_build_concat(tn_expr_builder *builder, const tn_node *node,
                                    const tn_chain *chain);
const tn_expr *tn_expr_build_pad(tn_expr_builder *builder, const tn_node *node,
                                 const tn_chain *chain);
/* Whether a pad has all elements that its mode repeats, whatever the sizes. */
bool tn_expr_can_pad(const tn_node *node);

#endif
