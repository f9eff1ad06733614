/* assign.h: the fate of every node of a model, with its reason: what a report shows and what a
 * compile acts on, found by running each node's converter on a graph that is thrown away. */
#ifndef TN_PLAN_ASSIGN_H
#define TN_PLAN_ASSIGN_H

#include "base/env.h"
#include "ir/graph.h"

typedef enum tn_fate {
    TN_FATE_ENGINE = 0, /* its converter accepts it */
    TN_FATE_FALLBACK,   /* it needs somebody else's kernel */
} tn_fate;

typedef struct tn_node_fate {
    const tn_node *node;
    tn_fate fate;
    tn_code code;       /* of the refusal; TN_OK */
    const char *reason; /* the refusal's message; "" */
} tn_node_fate;

typedef struct tn_assignment {
    tn_node_fate *fates; /* in the order of the graph */
    size_t count;
    size_t fallback_count;
} tn_assignment;

/* Probes every node. Refusals are fates, not errors; the status is for all else (memory). The
 * result lives in the arena. */
TN_MUST_USE tn_status tn_assign(tn_env *env, tn_arena *arena, const tn_op_table *prims,
                                const tn_graph *model, tn_assignment **out_assignment);

#endif
