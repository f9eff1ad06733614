/* interp.h: the interpreter of kernel IR: the reference that every backend is held against, and the
 * executor of last resort. Part of the runtime: it knows primitives and tensors, not graphs.
 *
 * Plain loops over strided tensors; low-precision floats compute in f32 (reductions and
 * contractions accumulate in f64 for f32 and f64), and round once. Clear before fast, but not
 * quadratic where the problem is not.
 */
#ifndef TN_KIR_INTERP_H
#define TN_KIR_INTERP_H

#include "kir/prim.h"

/* A tensor with concrete sizes; strides in elements, may be 0 (broadcast) or negative. */
typedef struct tn_tensor {
    tn_dtype dtype;
    uint32_t rank;
    int64_t dims[TN_MAX_RANK];
    int64_t strides[TN_MAX_RANK];
    void *data; /* of the element [0, 0, ...] */
} tn_tensor;

/* An argument with every symbolic integer resolved. */
typedef struct tn_resolved_arg {
    tn_arg_kind kind; /* not TN_ARG_GRAPH */
    uint32_t count;
    union {
        uint32_t operand;
        int64_t i; /* TN_ARG_INT */
        const int64_t *ints;
        double f;
        const double *floats;
        bool b;
        tn_str s;
        tn_dtype dtype;
    };
} tn_resolved_arg;

/* Runs one primitive. results have dims, strides and memory set by the caller (as tn_prim_infer
 * says), and overlap no operand. operands[i] is NULL for None. Scratch comes from the allocator.
 * TN_OUT_OF_RANGE for an index outside (names primitive, index, bound), TN_UNSUPPORTED for a dtype
 * that a primitive does not take. Thread-safe. */
TN_MUST_USE tn_status tn_interp_run(const tn_allocator *allocator, tn_prim prim,
                                    const tn_tensor *const *operands, uint32_t operand_count,
                                    const tn_resolved_arg *args, uint32_t arg_count,
                                    const tn_tensor *results, uint32_t result_count);

/* The part of that which needs no sizes: the arguments are of the kinds that the primitive's schema
 * demands, their operands are there, and results are as many. tn_interp_run checks it too; whoever
 * gives calls to tn_prim_infer that come from a file does so first. */
TN_MUST_USE tn_status tn_interp_check(tn_prim prim, const tn_tensor *const *operands,
                                      uint32_t operand_count, const tn_resolved_arg *args,
                                      uint32_t arg_count, uint32_t result_count);

/* Element access with conversion; used by the interpreter, constant folding, packing and tests. */
double tn_elem_get_f64(tn_dtype dtype, const void *element);
void tn_elem_set_f64(tn_dtype dtype, void *element, double value); /* rounds to nearest even */
int64_t tn_elem_get_i64(tn_dtype dtype, const void *element);
void tn_elem_set_i64(tn_dtype dtype, void *element, int64_t value);
float tn_bf16_to_f32(uint16_t bits);
uint16_t tn_f32_to_bf16(float value); /* nearest even, NaN stays NaN */
float tn_f16_to_f32(uint16_t bits);
uint16_t tn_f32_to_f16(float value);
float tn_f8e4m3_to_f32(uint8_t bits);
uint8_t tn_f32_to_f8e4m3(float value);
float tn_f8e5m2_to_f32(uint8_t bits);
uint8_t tn_f32_to_f8e5m2(float value);
/* Truncate; NaN and what does not fit give the lowest integer, as x86 and PyTorch on it do
 * (integers narrower than i32 go through i32 and wrap). */
int64_t tn_f64_to_i64(double value);
int32_t tn_f64_to_i32(double value);
uint64_t tn_f64_to_u64(double value);

#endif
