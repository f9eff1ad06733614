/* cpu_code.h: native code of an engine, loaded from memory: never through a file that others could
 * change. */
#ifndef TN_CPU_CODE_H
#define TN_CPU_CODE_H

#include "engine/program.h"

/* The type of every generated kernel; see src/backend/cpu/compile/cgen.h. */
typedef void (*tn_kernel_fn)(void *const *buf, const int64_t *sym, int64_t task_begin,
                             int64_t task_end, void *scratch);

/* A loaded shared object. Thread-safe once loaded. */
typedef struct tn_cpu_code {
    void *handle;            /* of dlopen; NULL when the program has no kernels */
    int fd;                  /* memory that the code was loaded from; open as long as the handle */
    tn_kernel_fn *functions; /* one per kernel of the program */
    uint32_t function_count;
    tn_allocator allocator;
} tn_cpu_code;

/* Picks the first blob whose features this machine has, loads it and resolves every kernel.
 * TN_UNSUPPORTED names the missing features, TN_CORRUPT a missing symbol, TN_IO what the loader
 * said. */
TN_MUST_USE tn_status tn_cpu_code_load(const tn_allocator *allocator, const tn_program *program,
                                       tn_cpu_code *out_code);
void tn_cpu_code_unload(tn_cpu_code *code);

#endif
