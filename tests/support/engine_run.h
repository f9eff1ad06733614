/* engine_run.h: runs graphs of kernel IR as users do: through the passes, the CPU backend, an
 * engine file and a context. */
#ifndef TN_TESTS_ENGINE_RUN_H
#define TN_TESTS_ENGINE_RUN_H

#include "base/env.h"
#include "ir/graph.h"
#include "kir/interp.h"

/* Compiles graph, which the passes change, for a target ("native", "portable"; NULL: the
 * interpreter) and runs it. Inputs may have any strides; outputs, one per output of the graph, live
 * in memory. The engine file stands at `path` while it runs. */
TN_MUST_USE tn_status tn_test_engine_run(tn_env *env, tn_arena *memory, const tn_op_table *prims,
                                         tn_graph *graph, const char *target, const char *path,
                                         const tn_tensor *inputs, tn_tensor *outputs);

#endif
