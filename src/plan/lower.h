/* lower.h: a model's graph becomes kernel IR: every node through its converter, or as a call. */
#ifndef TN_PLAN_LOWER_H
#define TN_PLAN_LOWER_H

#include "plan/assign.h"

/* Makes the kernel IR of a whole model, in the arena and with the model's symbols. Inputs,
 * constants (still views of the same bytes), states and outputs keep their names; nodes carry the
 * model's provenance. prims (tn_prim_table_fill) must outlive the graph. The assignment is the
 * model's (tn_assign): a refused node is its error, with its source line and what would help. */
TN_MUST_USE tn_status tn_lower(tn_env *env, tn_arena *arena, const tn_op_table *prims,
                               const tn_graph *model, const tn_assignment *assignment,
                               tn_graph **out_kir);

#endif
