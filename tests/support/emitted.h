/* emitted.h: tests of kernel emitters: many kernels are printed into one translation unit, which is
 * compiled once per instruction set, and then run with tasks shared out in various ways. */
#ifndef TN_TESTS_EMITTED_H
#define TN_TESTS_EMITTED_H

#include "backend/cpu/compile/cgen.h"
#include "generated.h"

typedef void tn_test_kernel_function(void *const *buf, const int64_t *sym, int64_t task_begin,
                                     int64_t task_end, void *scratch);

typedef struct tn_test_kernel {
    const char *name;
    tn_cg_kernel facts;
    const tn_sym **syms; /* sym[i] of the kernel */
    size_t sym_count;
    tn_test_kernel_function *run;
} tn_test_kernel;

enum { TN_TEST_MAX_KERNELS = 128 };

typedef struct tn_test_unit {
    tn_test_isa isa;
    tn_cpu_target target;
    tn_arena arena;
    tn_syms *syms;
    tn_buf out;
    tn_cg cg;
    tn_test_kernel kernels[TN_TEST_MAX_KERNELS];
    size_t kernel_count;
    void *handle;
} tn_test_unit;

void tn_test_unit_begin(tn_test_unit *unit, const tn_test_isa *isa);
/* Registers the kernel that was just printed; asserts that status is a success. */
tn_test_kernel *tn_test_unit_add(tn_test_unit *unit, const char *name, tn_status status,
                                 const tn_cg_kernel *facts);
/* Compiles as NAME_ISA.c in the current folder. Fails the test when the compiler refuses. */
void tn_test_unit_compile(tn_test_unit *unit, const char *name);
void tn_test_unit_end(tn_test_unit *unit);

/* A size that is known when the kernel is printed. */
const tn_sym *tn_test_size(tn_test_unit *unit, int64_t value);
/* Uniform in [-1, 1), cut to bf16; and its value. */
uint16_t tn_test_random_bf16(unsigned long long *state);
double tn_test_widen_bf16(uint16_t x);
/* The weight in the form that the kernel asked for; aligned_alloc'ed, the caller frees. */
void *tn_test_pack(const tn_cg_pack *pack, const tn_tensor *weight);
/* Runs all tasks in `shares` calls (capped by the number of tasks), the last share first, each with
 * scratch of exactly the size asked for, filled with NaNs. values: of the unit's symbols, in order
 * of their creation; NULL when there are none. */
void tn_test_run(const tn_test_unit *unit, const tn_test_kernel *kernel, void *const *bufs,
                 const int64_t *values, int64_t shares);

#endif
