/* executor.h: an executor for tests. Whatever the operator, element j of result i is (i + 1) times
 * the sum of the elements j of all operands of the result's shape, plus the sum of the call's
 * integers: enough to see each operand, its strides and the integers in what comes out. Where the
 * call decides on sizes, they are `size`, and element j is j. */
#ifndef TN_TESTS_EXECUTOR_H
#define TN_TESTS_EXECUTOR_H

#include <stdatomic.h>

#include "kir/interp.h"
#include "tenon/runtime.h"

/* Where results are put, or what is wrong with them. */
typedef enum executor_mode {
    EXECUTOR_PLANNED = 0, /* the memory that is given */
    EXECUTOR_OWN,         /* memory of its own, held */
    EXECUTOR_LOOSE,       /* small memory of its own, not held, used again by the next call */
    EXECUTOR_OPERAND,     /* operand 0's memory, held: the result is operand 0 itself */
    EXECUTOR_FAIL,        /* fails after it has held */
    EXECUTOR_SHAPE,
    EXECUTOR_DTYPE,
    EXECUTOR_RANK,
    EXECUTOR_STRIDES,
    EXECUTOR_NULL,
    EXECUTOR_DEVICE,
} executor_mode;

/* Thread-safe but for `mode`, `size` and `loose`. */
typedef struct test_executor {
    tn_executor table; /* for tn_session_options */
    executor_mode mode;
    int64_t size;
    const char *refused_op; /* prepare refuses it; NULL: none */
    atomic_int prepared, runs, held, released;
    double loose[256];
} test_executor;

void test_executor_init(test_executor *executor, executor_mode mode);

/* What it computes. Results are row-major. */
void test_call_eval(const tn_tensor *const *operands, size_t operand_count, const int64_t *ints,
                    size_t int_count, const tn_tensor *results, size_t result_count);

#endif
