/* interp_impl.h: inside of the interpreter: one call, walking over strided tensors, and the
 * function of each class.
 *
 * Every primitive computes on short runs of elements converted to double, float or int64 (a chunk),
 * so that dtypes and strides are dealt with in one place and the arithmetic is a plain loop over an
 * array.
 */
#ifndef TN_KIR_INTERP_IMPL_H
#define TN_KIR_INTERP_IMPL_H

#include "kir/interp.h"

typedef struct tn_interp_call {
    const tn_allocator *allocator;
    tn_prim prim;
    const tn_tensor *const *operands;
    uint32_t operand_count;
    const tn_resolved_arg *args;
    const tn_tensor *results;
} tn_interp_call;

tn_status tn_interp_map(const tn_interp_call *call);
tn_status tn_interp_view(const tn_interp_call *call);
tn_status tn_interp_create(const tn_interp_call *call);
tn_status tn_interp_reduce(const tn_interp_call *call);
tn_status tn_interp_scan(const tn_interp_call *call);
tn_status tn_interp_index(const tn_interp_call *call);
tn_status tn_interp_contract(const tn_interp_call *call);
tn_status tn_interp_window(const tn_interp_call *call);
tn_status tn_interp_norm(const tn_interp_call *call);
tn_status tn_interp_order(const tn_interp_call *call);
/* Parts of tn_interp_contract, tn_interp_scan and tn_interp_window with files of their own. */
tn_status tn_interp_recurrent(const tn_interp_call *call);
tn_status tn_interp_attention(const tn_interp_call *call);
tn_status tn_interp_resize(const tn_interp_call *call);

/* The tensor argument i, NULL for None. */
const tn_tensor *tn_interp_operand(const tn_interp_call *call, uint32_t i);
/* TN_UNSUPPORTED: "k::name: dtype f8e4m3 is not taken". */
tn_status tn_interp_refuse_dtype(const tn_interp_call *call, tn_dtype dtype);
/* An error about this call, its primitive's name in front. */
tn_status tn_interp_error(const tn_interp_call *call, tn_code code, const char *format, ...)
    TN_PRINTF(3, 4);

/* ---- tensors --------------------------------------------------------------------------------- */

int64_t tn_tensor_elems(const tn_tensor *tensor);
static inline uint8_t *tn_tensor_at(const tn_tensor *tensor, int64_t elem_offset) {
    return (uint8_t *)tensor->data + elem_offset * (int64_t)tn_dtype_bytes(tensor->dtype);
}
/* The same elements with dim moved to the end. */
tn_tensor tn_tensor_dim_last(const tn_tensor *tensor, uint32_t dim);
/* The sub-tensor of `size` elements of dim, from start in steps of step. */
tn_tensor tn_tensor_slice(const tn_tensor *tensor, uint32_t dim, int64_t start, int64_t size,
                          int64_t step);
/* The sub-tensor at one index of dim, which disappears. */
tn_tensor tn_tensor_select(const tn_tensor *tensor, uint32_t dim, int64_t index);
/* Row-major tensor over memory that the caller owns. */
tn_tensor tn_tensor_row_major(tn_dtype dtype, uint32_t rank, const int64_t *dims, void *data);
/* Copies elements in row-major order; the dtypes and counts agree, the shapes need not. */
void tn_tensor_copy(const tn_tensor *from, const tn_tensor *to);

/* ---- walks ----------------------------------------------------------------------------------- */

enum { TN_CHUNK = 512 }; /* elements converted at a time: a few buffers stay within L1 */

/* A position in a tensor that moves in row-major order. Dims that are one dim in memory are merged.
 */
typedef struct tn_walk {
    tn_dtype dtype;
    uint32_t rank; /* at least 1 */
    int64_t dims[TN_MAX_RANK];
    int64_t strides[TN_MAX_RANK]; /* in bytes */
    int64_t index[TN_MAX_RANK];
    uint8_t *next;
} tn_walk;

/* Over the tensor broadcast to a shape, or as it is. */
tn_walk tn_walk_broadcast(const tn_tensor *tensor, uint32_t rank, const int64_t *dims);
tn_walk tn_walk_over(const tn_tensor *tensor);

/* Move count elements (no further than the end) between memory and a buffer. */
void tn_walk_load_f64(tn_walk *walk, int64_t count, double *out);
void tn_walk_load_f32(tn_walk *walk, int64_t count, float *out); /* of float dtypes but f64 */
void tn_walk_load_i64(tn_walk *walk, int64_t count, int64_t *out);
void tn_walk_store_f64(tn_walk *walk, int64_t count, const double *in);
void tn_walk_store_f32(tn_walk *walk, int64_t count, const float *in);
void tn_walk_store_i64(tn_walk *walk, int64_t count, const int64_t *in);
/* Bytes as they are, tn_dtype_bytes(walk->dtype) of them per element. */
void tn_walk_load_raw(tn_walk *walk, int64_t count, void *out);
void tn_walk_store_raw(tn_walk *walk, int64_t count, const void *in);

/* Steps through the index tuples of a shape in row-major order. Start with zeroed index; false when
 * past the last. */
bool tn_index_next(int64_t *index, const int64_t *dims, uint32_t rank);

static inline int64_t tn_min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t tn_max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

#endif
