/* lower.h: a model's graph becomes kernel IR: every node through its converter. */
#ifndef TN_PLAN_LOWER_H
#define TN_PLAN_LOWER_H

#include "base/env.h"
#include "ir/graph.h"

/* Makes the kernel IR of a whole model, in the arena and with the model's symbols. Inputs,
 * constants (still views of the same bytes), states and outputs keep their names; nodes carry the
 * model's provenance. prims (tn_prim_table_fill) must outlive the graph. The model must be
 * functional, its operators known: TN_UNSUPPORTED names the first that is not, with its source line
 * and what would help. */
TN_MUST_USE tn_status tn_lower(tn_env *env, tn_arena *arena, const tn_op_table *prims,
                               const tn_graph *model, tn_graph **out_kir);

#endif
