/* tenon/compile.h: compile a model into an engine file. Needs libtenon. */
#ifndef TENON_COMPILE_H
#define TENON_COMPILE_H

#include "tenon/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Settings of a compile; zero takes the default. Unknown names given as text are errors
 * (tn_compile_options_set). */
typedef struct tn_compile_options {
    size_t size; /* sizeof(tn_compile_options) */
    /* "cpu:native" (default: the features of this machine), "cpu:x86-64-v3", "cpu:x86-64-v4",
     * "cpu:x86-64-v4+amx-bf16", "cpu:portable". */
    const char *target;
    /* "c" (default): generated C built by the system's compiler. "none": every step runs on the
     * interpreter; needs no compiler, runs anywhere, slowly. */
    const char *codegen;
    /* The C compiler; NULL: $CC, then cc, gcc, clang, the first that exists. */
    const char *compiler;
    /* Folder that keeps the generated source (made if missing); NULL: it is not kept. */
    const char *keep_source_dir;
    /* Folder where compiled code is kept and found again; NULL: no cache. */
    const char *cache_dir;
    /* Folder where the graph is written after every pass; NULL: not at all. */
    const char *dump_dir;
    /* Comma-separated names of passes to leave out (see `tenon passes`). */
    const char *disabled_passes;
    /* Largest size of each dynamic dimension is known from the model; a model without ranges may be
     * given some: "s0=1:8,s1=1:512". */
    const char *ranges;
    /* What the engine cannot compute it leaves to the session's executor (docs/calls.md); these say
     * what more, or forbid it.
     * Nodes between the same calls form a block; a block with fewer nodes that compute something
     * (views do not count) than this number becomes calls too. NULL: "1". */
    const char *min_block_size;
    /* Comma-separated operators kept out of the engine: one overload ("aten::gelu.default"), all of
     * an operator ("aten::gelu"), or a pattern with * and ? ("aten::*norm*"). One that matches no
     * node is TN_NOT_FOUND. */
    const char *executed_ops;
    /* "true": a node that would be a call is an error that names it, its source line and what would
     * help. NULL: "false". */
    const char *require_full_compilation;
    /* Text that the engine carries along for whoever compiled it (tn_engine_metadata): how to call
     * it, where it comes from. tenon does not look at it. NULL: "". */
    const char *metadata;
} tn_compile_options;

/* Sets one option by its name as above from text; TN_INVALID_ARGUMENT with the nearest name.
 * Strings are borrowed. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_compile_options_set(tn_compile_options *options, const char *name,
                                                    const char *value);

/* Compiles a .pt2 file (or a graph in tenon's textual form) into an engine file. The engine is
 * written to a temporary file and renamed, so that a failure leaves what was there. Codes:
 * TN_NOT_FOUND, TN_IO, TN_CORRUPT (the model file), TN_UNSUPPORTED (an operator that cannot be
 * compiled nor left to an executor: the message names it, its source line and what would help),
 * TN_TOOLCHAIN (no C compiler, or it failed), TN_CANCELLED, TN_OUT_OF_MEMORY. Each operator that is
 * left to an executor is a warning in the env's log. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_compile_file(tn_env *env, const char *model_path,
                                             const tn_compile_options *options,
                                             const char *engine_path);

/* What would happen to each node of a model, and why: JSON text (format in docs/report.md), owned
 * by the caller; free with tn_report_free(). Nothing is compiled. */
TN_API TN_MUST_USE tn_status tn_report_file(tn_env *env, const char *model_path,
                                            const tn_compile_options *options, char **out_json);
TN_API void tn_report_free(tn_env *env, char *text);

/* Calls visit for each operator that has an entry: its schema, its family, whether it has a
 * converter. Stops when visit returns false. */
TN_API TN_MUST_USE tn_status tn_list_ops(tn_env *env,
                                         bool (*visit)(void *user, const char *family,
                                                       const char *schema, const char *cases,
                                                       bool has_converter),
                                         void *user);
/* Calls visit for each pass in order. */
TN_API TN_MUST_USE tn_status tn_list_passes(tn_env *env,
                                            bool (*visit)(void *user, const char *stage,
                                                          const char *name, const char *summary),
                                            void *user);

#ifdef __cplusplus
}
#endif
#endif
