/* emit_harness.h: what the tests of kernel emitters share: a writer per instruction set, memory
 * whose end is guarded, and a run of a kernel in two different partitions of its tasks. */
#ifndef TN_TESTS_EMIT_HARNESS_H
#define TN_TESTS_EMIT_HARNESS_H

#include "backend/cpu/compile/cgen.h"
#include "generated.h"

typedef struct emit_harness {
    const tn_test_isa *isa;
    tn_cpu_target target;
    tn_arena arena;
    tn_buf source;
    tn_cg cg;
    void *library;
} emit_harness;

/* Starts a translation unit for one instruction set: prelude printed, writer ready. */
void emit_harness_open(emit_harness *harness, const tn_test_isa *isa);
/* Compiles what was printed; fails the test with the compiler's messages if that fails. */
void emit_harness_compile(emit_harness *harness, const char *name);
void emit_harness_close(emit_harness *harness);

/* count floats that end where an inaccessible page begins: reading past them stops the test. */
float *emit_guarded(size_t count);
void emit_guarded_free(float *data, size_t count);
/* Uniform in [-1, 1). */
void emit_fill(float *data, size_t count, unsigned long long *state);

/* Runs all tasks of a kernel; sym_values are the values of the table's symbols in order of
 * creation. As one call, or task by task from the last to the first. Scratch is full of NaN before
 * each call. */
void emit_run(emit_harness *harness, const char *name, const tn_cg_kernel *kernel, void *const *buf,
              const int64_t *sym_values, bool is_single_call);
/* Fails the test, naming the case, if the relative L2 error of got is over the limit or any element
 * is not finite. */
void emit_compare(const char *name, const float *got, const double *want, size_t count,
                  double limit);

#endif
