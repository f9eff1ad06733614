/* interp_walk.c: strided tensors read and written in row-major order, converted by the row.
 *
 * A walk merges dims that lie in memory like one, so contiguous tensors are one row and a broadcast
 * operand is a row of stride 0. Dispatch on the dtype happens once per row. */
#include <assert.h>
#include <string.h>

#include "kir/interp_impl.h"

/* ---- tensors --------------------------------------------------------------------------------- */

int64_t tn_tensor_elems(const tn_tensor *tensor) {
    int64_t elems = 1;
    for (uint32_t d = 0; d < tensor->rank; d++)
        elems *= tensor->dims[d];
    return elems;
}

tn_tensor tn_tensor_dim_last(const tn_tensor *tensor, uint32_t dim) {
    tn_tensor moved = *tensor;
    for (uint32_t d = dim; d + 1 < tensor->rank; d++) {
        moved.dims[d] = tensor->dims[d + 1];
        moved.strides[d] = tensor->strides[d + 1];
    }
    moved.dims[tensor->rank - 1] = tensor->dims[dim];
    moved.strides[tensor->rank - 1] = tensor->strides[dim];
    return moved;
}

tn_tensor tn_tensor_slice(const tn_tensor *tensor, uint32_t dim, int64_t start, int64_t size,
                          int64_t step) {
    tn_tensor part = *tensor;
    part.dims[dim] = size;
    if (size > 0)
        part.data = tn_tensor_at(tensor, start * tensor->strides[dim]);
    part.strides[dim] *= step;
    return part;
}

tn_tensor tn_tensor_select(const tn_tensor *tensor, uint32_t dim, int64_t index) {
    tn_tensor part = *tensor;
    part.data = tn_tensor_at(tensor, index * tensor->strides[dim]);
    part.rank--;
    for (uint32_t d = dim; d < part.rank; d++) {
        part.dims[d] = tensor->dims[d + 1];
        part.strides[d] = tensor->strides[d + 1];
    }
    return part;
}

tn_tensor tn_tensor_row_major(tn_dtype dtype, uint32_t rank, const int64_t *dims, void *data) {
    tn_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
    int64_t stride = 1;
    for (uint32_t d = rank; d-- > 0;) {
        tensor.dims[d] = dims[d];
        tensor.strides[d] = stride;
        stride *= dims[d];
    }
    return tensor;
}

void tn_tensor_copy(const tn_tensor *from, const tn_tensor *to) {
    uint64_t chunk[TN_CHUNK]; /* holds elements of any dtype */
    tn_walk in = tn_walk_over(from), out = tn_walk_over(to);
    int64_t elems = tn_tensor_elems(to);
    assert(elems == tn_tensor_elems(from) && from->dtype == to->dtype);
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        tn_walk_load_raw(&in, count, chunk);
        tn_walk_store_raw(&out, count, chunk);
    }
}

bool tn_index_next(int64_t *index, const int64_t *dims, uint32_t rank) {
    for (uint32_t d = rank; d-- > 0;) {
        if (++index[d] < dims[d])
            return true;
        index[d] = 0;
    }
    return false;
}

/* ---- walks ----------------------------------------------------------------------------------- */

tn_walk tn_walk_broadcast(const tn_tensor *tensor, uint32_t rank, const int64_t *dims) {
    tn_walk walk = {.dtype = tensor->dtype, .next = tensor->data};
    int64_t bytes = (int64_t)tn_dtype_bytes(tensor->dtype);
    uint32_t missing = rank - tensor->rank;
    for (uint32_t d = 0; d < rank; d++) {
        bool is_stretched = d < missing || tensor->dims[d - missing] != dims[d];
        int64_t stride = is_stretched ? 0 : tensor->strides[d - missing] * bytes;
        if (dims[d] == 1)
            continue;
        uint32_t last = walk.rank - 1;
        if (walk.rank > 0 && walk.strides[last] == stride * dims[d]) {
            walk.dims[last] *= dims[d];
            walk.strides[last] = stride;
        } else {
            walk.dims[walk.rank] = dims[d];
            walk.strides[walk.rank++] = stride;
        }
    }
    if (walk.rank == 0)
        walk.dims[walk.rank++] = 1;
    return walk;
}

tn_walk tn_walk_over(const tn_tensor *tensor) {
    return tn_walk_broadcast(tensor, tensor->rank, tensor->dims);
}

/* Elements up to the end of the row, at most count. */
static int64_t row_count(const tn_walk *walk, int64_t count) {
    return tn_min_i64(count, walk->dims[walk->rank - 1] - walk->index[walk->rank - 1]);
}

static void advance(tn_walk *walk, int64_t count) {
    uint32_t d = walk->rank - 1;
    walk->index[d] += count;
    walk->next += count * walk->strides[d];
    while (walk->index[d] == walk->dims[d] && d > 0) {
        walk->next -= walk->dims[d] * walk->strides[d];
        walk->index[d] = 0;
        d--;
        walk->index[d]++;
        walk->next += walk->strides[d];
    }
}

/* A loop over one row whose elements are of a C type; `value` is the element loaded. */
#define LOAD_ROW(type, expression)                                                                 \
    for (int64_t i = 0; i < count; i++) {                                                          \
        type value;                                                                                \
        memcpy(&value, from + i * stride, sizeof value);                                           \
        out[i] = (expression);                                                                     \
    }                                                                                              \
    break

#define STORE_ROW(type, expression)                                                                \
    for (int64_t i = 0; i < count; i++) {                                                          \
        type value = (type)(expression);                                                           \
        memcpy(to + i * stride, &value, sizeof value);                                             \
    }                                                                                              \
    break

static void load_row_f64(tn_dtype dtype, const uint8_t *from, int64_t stride, int64_t count,
                         double *out) {
    switch (dtype) {
    case TN_F64:
        LOAD_ROW(double, value);
    case TN_F32:
        LOAD_ROW(float, (double)value);
    case TN_BF16:
        LOAD_ROW(uint16_t, (double)tn_bf16_to_f32(value));
    case TN_F16:
        LOAD_ROW(uint16_t, (double)tn_f16_to_f32(value));
    default:
        for (int64_t i = 0; i < count; i++)
            out[i] = tn_elem_get_f64(dtype, from + i * stride);
    }
}

static void load_row_f32(tn_dtype dtype, const uint8_t *from, int64_t stride, int64_t count,
                         float *out) {
    switch (dtype) {
    case TN_F32:
        LOAD_ROW(float, value);
    case TN_BF16:
        LOAD_ROW(uint16_t, tn_bf16_to_f32(value));
    case TN_F16:
        LOAD_ROW(uint16_t, tn_f16_to_f32(value));
    case TN_F8E4M3:
        LOAD_ROW(uint8_t, tn_f8e4m3_to_f32(value));
    default:
        LOAD_ROW(uint8_t, tn_f8e5m2_to_f32(value));
    }
}

static void load_row_i64(tn_dtype dtype, const uint8_t *from, int64_t stride, int64_t count,
                         int64_t *out) {
    switch (dtype) {
    case TN_U64:
    case TN_I64:
        LOAD_ROW(int64_t, value);
    case TN_I32:
        LOAD_ROW(int32_t, value);
    case TN_I16:
        LOAD_ROW(int16_t, value);
    case TN_I8:
        LOAD_ROW(int8_t, value);
    case TN_U32:
        LOAD_ROW(uint32_t, value);
    case TN_U16:
        LOAD_ROW(uint16_t, value);
    case TN_U8:
        LOAD_ROW(uint8_t, value);
    case TN_BOOL:
        LOAD_ROW(uint8_t, value != 0);
    default:
        for (int64_t i = 0; i < count; i++)
            out[i] = tn_elem_get_i64(dtype, from + i * stride);
    }
}

static void store_row_f64(tn_dtype dtype, uint8_t *to, int64_t stride, int64_t count,
                          const double *in) {
    switch (dtype) {
    case TN_F64:
        STORE_ROW(double, in[i]);
    case TN_F32:
        STORE_ROW(float, in[i]);
    default:
        for (int64_t i = 0; i < count; i++)
            tn_elem_set_f64(dtype, to + i * stride, in[i]);
    }
}

static void store_row_f32(tn_dtype dtype, uint8_t *to, int64_t stride, int64_t count,
                          const float *in) {
    switch (dtype) {
    case TN_F32:
        STORE_ROW(float, in[i]);
    case TN_BF16:
        STORE_ROW(uint16_t, tn_f32_to_bf16(in[i]));
    case TN_F16:
        STORE_ROW(uint16_t, tn_f32_to_f16(in[i]));
    case TN_F8E4M3:
        STORE_ROW(uint8_t, tn_f32_to_f8e4m3(in[i]));
    default:
        STORE_ROW(uint8_t, tn_f32_to_f8e5m2(in[i]));
    }
}

static void store_row_i64(tn_dtype dtype, uint8_t *to, int64_t stride, int64_t count,
                          const int64_t *in) {
    switch (dtype) {
    case TN_U64:
    case TN_I64:
        STORE_ROW(int64_t, in[i]);
    case TN_U32:
    case TN_I32:
        STORE_ROW(uint32_t, (uint64_t)in[i]);
    case TN_U16:
    case TN_I16:
        STORE_ROW(uint16_t, (uint64_t)in[i]);
    case TN_U8:
    case TN_I8:
        STORE_ROW(uint8_t, (uint64_t)in[i]);
    case TN_BOOL:
        STORE_ROW(uint8_t, in[i] != 0);
    default:
        for (int64_t i = 0; i < count; i++)
            tn_elem_set_i64(dtype, to + i * stride, in[i]);
    }
}

static void copy_row(size_t bytes, const uint8_t *from, int64_t from_stride, uint8_t *to,
                     int64_t to_stride, int64_t count) {
    if (from_stride == (int64_t)bytes && to_stride == (int64_t)bytes) {
        memcpy(to, from, (size_t)count * bytes);
        return;
    }
    switch (bytes) { /* a constant size makes memcpy one move */
    case 8:
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, 8);
        break;
    case 4:
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, 4);
        break;
    case 2:
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, 2);
        break;
    default:
        for (int64_t i = 0; i < count; i++)
            to[i * to_stride] = from[i * from_stride];
    }
}

#define WALK_ROWS(row_call)                                                                        \
    while (count > 0) {                                                                            \
        int64_t n = row_count(walk, count);                                                        \
        int64_t stride = walk->strides[walk->rank - 1];                                            \
        row_call;                                                                                  \
        advance(walk, n);                                                                          \
        count -= n;                                                                                \
    }

void tn_walk_load_f64(tn_walk *walk, int64_t count, double *out) {
    WALK_ROWS(load_row_f64(walk->dtype, walk->next, stride, n, out); out += n)
}

void tn_walk_load_f32(tn_walk *walk, int64_t count, float *out) {
    WALK_ROWS(load_row_f32(walk->dtype, walk->next, stride, n, out); out += n)
}

void tn_walk_load_i64(tn_walk *walk, int64_t count, int64_t *out) {
    WALK_ROWS(load_row_i64(walk->dtype, walk->next, stride, n, out); out += n)
}

void tn_walk_store_f64(tn_walk *walk, int64_t count, const double *in) {
    WALK_ROWS(store_row_f64(walk->dtype, walk->next, stride, n, in); in += n)
}

void tn_walk_store_f32(tn_walk *walk, int64_t count, const float *in) {
    WALK_ROWS(store_row_f32(walk->dtype, walk->next, stride, n, in); in += n)
}

void tn_walk_store_i64(tn_walk *walk, int64_t count, const int64_t *in) {
    WALK_ROWS(store_row_i64(walk->dtype, walk->next, stride, n, in); in += n)
}

void tn_walk_load_raw(tn_walk *walk, int64_t count, void *out) {
    size_t bytes = tn_dtype_bytes(walk->dtype);
    uint8_t *to = out;
    WALK_ROWS(copy_row(bytes, walk->next, stride, to, (int64_t)bytes, n); to += n * (int64_t)bytes)
}

void tn_walk_store_raw(tn_walk *walk, int64_t count, const void *in) {
    size_t bytes = tn_dtype_bytes(walk->dtype);
    const uint8_t *from = in;
    WALK_ROWS(copy_row(bytes, from, (int64_t)bytes, walk->next, stride, n);
              from += n * (int64_t)bytes)
}
