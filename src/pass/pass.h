/* pass.h: passes: named functions that change a graph, and the pipelines they are run in.
 *
 * A pass leaves a graph that verifies and computes the same, within the rounding that prim.h
 * allows. It must be deterministic, and may be run any number of times.
 */
#ifndef TN_PASS_PASS_H
#define TN_PASS_PASS_H

#include "base/env.h"
#include "kir/kb.h"

typedef struct tn_pass_ctx tn_pass_ctx;

typedef struct tn_pass {
    const char *name;    /* "fold-constants" */
    const char *summary; /* one line for `tenon passes` */
    tn_status (*run)(tn_pass_ctx *ctx, tn_graph *graph);
} tn_pass;

struct tn_pass_ctx {
    const tn_allocator *allocator; /* for what a pass needs while it runs */
    const tn_op_table *prims;
    const tn_op_table *ops; /* of models; NULL where only passes on kernel IR are run */
    /* Called after each pass of a pipeline, for dumps; NULL: none. */
    tn_status (*after)(void *user, const tn_pass *pass, const tn_graph *graph);
    void *after_user;
};

/* The passes on the model's operators, and those on kernel IR, in the order in which they run; one
 * may stand several times. Thread-safe. */
const tn_pass *const *tn_pass_model_pipeline(size_t *out_count);
const tn_pass *const *tn_pass_kernel_pipeline(size_t *out_count);
/* Every pass of both once, in order of first use. out_passes has room for capacity; the count is
 * returned.
 */
size_t tn_pass_list(const tn_pass **out_passes, size_t capacity);
/* NULL when there is no pass of that name. */
const tn_pass *tn_pass_find(tn_str name);
/* Runs passes in order and verifies the graph after each, operators of models by their schemas and
 * primitives by their own rules too. The error of a failing pass names it. */
TN_MUST_USE tn_status tn_pass_run(tn_pass_ctx *ctx, tn_graph *graph, const tn_pass *const *passes,
                                  size_t count);

#endif
