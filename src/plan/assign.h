/* assign.h: the fate of every node of a model, with its reason: what a report shows and what a
 * compile acts on.
 *
 * Whether the engine can hold a node is found by running its converter on a graph that is thrown
 * away. What it cannot hold, or is told to leave out, becomes a call that the session's executor
 * serves, if an executor can. */
#ifndef TN_PLAN_ASSIGN_H
#define TN_PLAN_ASSIGN_H

#include "base/env.h"
#include "ir/graph.h"

typedef enum tn_fate {
    TN_FATE_ENGINE = 0, /* its converter accepts it */
    TN_FATE_FALLBACK,   /* a call of the session's executor */
    TN_FATE_REFUSED,    /* neither: the model cannot be compiled */
} tn_fate;

typedef struct tn_node_fate {
    const tn_node *node;
    tn_fate fate;
    tn_code code;        /* of the converter's refusal; TN_OK if there was none */
    const char *reason;  /* why it is not in the engine; "" */
    const char *setting; /* the setting that decided ("min_block_size"); "" */
} tn_node_fate;

typedef struct tn_assignment {
    tn_node_fate *fates; /* in the order of the graph */
    size_t count;
    size_t fallback_count, refused_count;
} tn_assignment;

/* The settings that decide fates; all zero: whatever has a converter is in the engine. */
typedef struct tn_assign_options {
    /* Nodes in the engine between the same calls form a block; one with fewer nodes that compute
     * something (views only move it) than this becomes calls, its views apart. */
    uint64_t min_block_size;
    /* Comma-separated operators kept out of the engine: an overload ("aten::gelu.default"), all
     * overloads of one ("aten::add"), or either with * and ?. NULL: none. */
    const char *executed_ops;
    /* A node that would be a call is refused. */
    bool requires_engine;
} tn_assign_options;

/* Decides the fate of every node. Refusals are fates, not errors; TN_NOT_FOUND names a pattern of
 * executed_ops that matches no node. The result lives in the arena. */
TN_MUST_USE tn_status tn_assign(tn_env *env, tn_arena *arena, const tn_op_table *prims,
                                const tn_graph *model, const tn_assign_options *options,
                                tn_assignment **out_assignment);

/* The error of the first refused node, with its source line and module; NULL if there is none. */
TN_MUST_USE tn_status tn_assignment_check(const tn_assignment *assignment);

#endif
