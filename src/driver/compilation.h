/* compilation.h: what a compile and a report share: settings checked, the model loaded, its passes
 * run. */
#ifndef TN_DRIVER_COMPILATION_H
#define TN_DRIVER_COMPILATION_H

#include "base/arena.h"
#include "base/env.h"
#include "front/front.h"
#include "pass/pass.h"
#include "plan/assign.h"
#include "tenon/compile.h"

/* Everything that lives as long as one compile or report. Thread-compatible. */
typedef struct tn_compilation {
    tn_env *env;
    tn_compile_options options; /* with defaults filled in */
    const char *cpu_target;     /* "native": options.target without "cpu:" */
    tn_assign_options assign;   /* options as numbers */
    tn_arena arena;
    tn_op_table ops, prims;
    tn_model model; /* graph functional: no writes in place */
    uint32_t dump_count;
} tn_compilation;

/* Checks the options, loads the model and runs the model-level passes. End it whatever happens. */
TN_MUST_USE tn_status tn_compilation_begin(tn_compilation *compilation, tn_env *env,
                                           const char *model_path,
                                           const tn_compile_options *options);
void tn_compilation_end(tn_compilation *compilation);
/* Runs passes, leaving out those that the options disable, dumping if they ask for it. */
TN_MUST_USE tn_status tn_compilation_run_passes(tn_compilation *compilation, tn_graph *graph,
                                                const tn_pass *const *passes, size_t count);
/* The options as the engine records them. */
void tn_compilation_print_options(const tn_compilation *compilation, tn_buf *out);

#endif
