/* kb.h: builder of kernel IR, for converters and passes.
 *
 * Errors are sticky: after the first one every call returns NULL, NULL operands give NULL, and
 * tn_kb_status() tells what went wrong, so that a converter reads as the formula it implements.
 * Trivial nodes are not made: a reshape to the same shape, a cast to the same dtype, a permute in
 * order, x + 0 are the operand itself; views of views are joined where that is one view.
 */
#ifndef TN_KIR_KB_H
#define TN_KIR_KB_H

#include "kir/prim.h"

typedef struct tn_kb {
    tn_graph *graph;
    tn_node *before; /* insertion point; NULL is the end */
    const tn_op_table *prims;
    tn_locs locs;     /* given to every node made */
    tn_status status; /* sticky; taken with tn_kb_status() */
} tn_kb;

void tn_kb_init(tn_kb *kb, tn_graph *graph, const tn_op_table *prims);
/* Hands over the sticky error (or NULL) and clears it. */
TN_MUST_USE tn_status tn_kb_status(tn_kb *kb);
/* Makes the builder fail with this status (unless it has failed already). */
void tn_kb_fail(tn_kb *kb, tn_status status);

/* A rank-0 constant of this dtype; integers beyond 2^53 go through _int. */
tn_value *tn_kb_float(tn_kb *kb, tn_dtype dtype, double value);
tn_value *tn_kb_int(tn_kb *kb, tn_dtype dtype, int64_t value);
/* A constant from row-major bytes, copied into the arena. */
tn_value *tn_kb_const(tn_kb *kb, const tn_type *type, const void *bytes, size_t byte_count);
/* A rank-0 i64 with a symbolic integer (a constant if it is one). */
tn_value *tn_kb_sym(tn_kb *kb, const tn_sym *value);
/* value broadcast to a shape. */
tn_value *tn_kb_full(tn_kb *kb, tn_dtype dtype, double value, const tn_sym *const *dims,
                     uint32_t rank);

tn_value *tn_kb_map1(tn_kb *kb, tn_prim prim, tn_value *x);
tn_value *tn_kb_map2(tn_kb *kb, tn_prim prim, tn_value *a, tn_value *b);
tn_value *tn_kb_select(tn_kb *kb, tn_value *cond, tn_value *a, tn_value *b);
tn_value *tn_kb_cast(tn_kb *kb, tn_value *x, tn_dtype dtype);

tn_value *tn_kb_reshape(tn_kb *kb, tn_value *x, const tn_sym *const *dims, uint32_t rank);
tn_value *tn_kb_permute(tn_kb *kb, tn_value *x, const uint32_t *order);
tn_value *tn_kb_transpose(tn_kb *kb, tn_value *x, uint32_t dim_a, uint32_t dim_b);
tn_value *tn_kb_expand(tn_kb *kb, tn_value *x, const tn_sym *const *dims, uint32_t rank);
tn_value *tn_kb_unsqueeze(tn_kb *kb, tn_value *x, uint32_t dim);
tn_value *tn_kb_squeeze(tn_kb *kb, tn_value *x, uint32_t dim);
/* One dim: elements start, start + step, ..., size of them. */
tn_value *tn_kb_slice(tn_kb *kb, tn_value *x, uint32_t dim, const tn_sym *start, const tn_sym *size,
                      int64_t step);
tn_value *tn_kb_flip(tn_kb *kb, tn_value *x, const uint32_t *dims, uint32_t dim_count);
tn_value *tn_kb_pad(tn_kb *kb, tn_value *x, const tn_sym *const *lo, const tn_sym *const *hi,
                    const char *mode, double value);
tn_value *tn_kb_concat(tn_kb *kb, tn_value *const *xs, uint32_t count, uint32_t dim);

tn_value *tn_kb_iota(tn_kb *kb, tn_dtype dtype, const tn_sym *const *dims, uint32_t rank,
                     uint32_t dim, double start, double step);
/* dim_mask: bit d set reduces dim d. */
tn_value *tn_kb_reduce(tn_kb *kb, tn_prim prim, tn_value *x, uint32_t dim_mask, bool keep_dim);
tn_value *tn_kb_take(tn_kb *kb, tn_value *x, tn_value *index, uint32_t dim);
tn_value *tn_kb_gather(tn_kb *kb, tn_value *x, tn_value *index, uint32_t dim);
tn_value *tn_kb_matmul(tn_kb *kb, tn_value *a, tn_value *b, tn_value *bias);
tn_value *tn_kb_softmax(tn_kb *kb, tn_value *x, uint32_t dim, bool is_log);
tn_value *tn_kb_layer_norm(tn_kb *kb, tn_value *x, tn_value *weight, tn_value *bias,
                           uint32_t dim_count, double eps);
tn_value *tn_kb_rms_norm(tn_kb *kb, tn_value *x, tn_value *weight, uint32_t dim_count, double eps);
typedef struct tn_kb_attention_args {
    tn_value *q, *k, *v, *mask; /* mask NULL: none */
    double scale;
    bool is_causal;
    const tn_sym *causal_offset; /* NULL: 0 */
} tn_kb_attention_args;
tn_value *tn_kb_attention(tn_kb *kb, const tn_kb_attention_args *args);

/* Any primitive, arguments in schema order; tensor arguments refer to operands as in tn_node_desc.
 * The result (result 0) or NULL; further results through ->def->results. */
tn_value *tn_kb_node(tn_kb *kb, tn_prim prim, tn_value *const *operands, uint32_t operand_count,
                     const tn_arg *args, uint32_t arg_count);

/* Arguments for tn_kb_node. */
tn_arg tn_arg_value(uint32_t operand);
tn_arg tn_arg_int(tn_kb *kb, int64_t value);
tn_arg tn_arg_sym(const tn_sym *value);
tn_arg tn_arg_float(double value);
tn_arg tn_arg_bool(bool value);
tn_arg tn_arg_str(const char *literal);
tn_arg tn_arg_dtype(tn_dtype dtype);
tn_arg tn_arg_ints(tn_kb *kb, const int64_t *values, uint32_t count);
tn_arg tn_arg_syms(tn_kb *kb, const tn_sym *const *values, uint32_t count);

#endif
