/* backend_run.h: compiles a textual kernel IR graph with a backend and runs it on given bytes; used
 * to hold backends against each other. */
#ifndef TN_TESTS_BACKEND_RUN_H
#define TN_TESTS_BACKEND_RUN_H

#include "base/env.h"
#include "engine/program_builder.h"
#include "tenon/runtime.h"

/* One run: engine from text, inputs with these sizes, outputs as doubles. */
typedef struct backend_run {
    tn_env *env;
    tn_engine *engine;
    tn_session *session;
    tn_context *context;
    uint32_t step_count;
} backend_run;

/* target NULL: the interpreter; else "native", "portable", ... Prints the error and fails the test
 * on one. */
void backend_run_open(backend_run *run, const char *text, const char *target, uint32_t threads);
void backend_run_close(backend_run *run);
/* Fills input i (dims; NULL: the sizes of the graph) with random values of its dtype from *state:
 * floats in
 * [-1, 1), integers in [0, int_bound), and keeps them alive in the run. */
void backend_run_set_random(backend_run *run, size_t i, const int64_t *dims, int64_t int_bound,
                            uint64_t *state);
void backend_run_execute(backend_run *run);
/* Relative L2 distance of output i of two runs; NaN in the same places counts as equal. */
double backend_run_distance(backend_run *a, backend_run *b, size_t i);

#endif
