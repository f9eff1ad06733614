/* cpu_compile.h: the CPU backend's compiler: kernel IR to generated C to a program with native
 * code. */
#ifndef TN_CPU_COMPILE_H
#define TN_CPU_COMPILE_H

#include "base/env.h"
#include "engine/program_builder.h"

typedef struct tn_cpu_options {
    const char *target;          /* "native", ... (cpu_target.h) */
    const char *compiler;        /* NULL: find one */
    const char *keep_source_dir; /* NULL: the source is not kept */
    const char *cache_dir;       /* NULL: no cache */
} tn_cpu_options;

/* Fills the builder with records, weights and code for the graph. TN_TOOLCHAIN, TN_UNSUPPORTED,
 * TN_INVALID_ARGUMENT (target), TN_OUT_OF_MEMORY. */
TN_MUST_USE tn_status tn_cpu_compile(const tn_env *env, tn_arena *arena, const tn_graph *graph,
                                     const tn_cpu_options *options, tn_pb *pb);

#endif
