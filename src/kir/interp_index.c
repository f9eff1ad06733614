/* interp_index.c: take, gather, scatter: addresses from data, each checked. */
#include <math.h>
#include <string.h>

#include "kir/interp_impl.h"

/* The index counted from 0; negative ones count from the end. */
static tn_status resolve(const tn_interp_call *call, int64_t index, uint32_t dim, int64_t size,
                         int64_t *out_index) {
    if (index < -size || index >= size)
        return tn_interp_error(call, TN_OUT_OF_RANGE, "index %lld is outside dim %u of size %lld",
                               (long long)index, dim, (long long)size);
    *out_index = index < 0 ? index + size : index;
    return NULL;
}

/* Each index moves one slab of x: all its dims but `dim`. */
static tn_status run_take(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0), *index = tn_interp_operand(call, 1);
    uint32_t dim = (uint32_t)call->args[2].i;
    int64_t at[TN_MAX_RANK] = {0}, elems = tn_tensor_elems(index);
    tn_walk indices = tn_walk_over(index);
    for (int64_t i = 0; i < elems; i++) {
        int64_t wanted, position = 0;
        tn_walk_load_i64(&indices, 1, &wanted);
        TN_TRY(resolve(call, wanted, dim, x->dims[dim], &position));
        tn_tensor from = tn_tensor_select(x, dim, position), to = call->results[0];
        for (uint32_t d = 0; d < index->rank; d++)
            to = tn_tensor_select(&to, dim, at[d]);
        tn_tensor_copy(&from, &to);
        tn_index_next(at, index->dims, index->rank);
    }
    return NULL;
}

static double combine_real(tn_str reduce, double held, double a) {
    if (tn_str_is(reduce, "add"))
        return held + a;
    if (tn_str_is(reduce, "mul"))
        return held * a;
    if (isnan(held) || isnan(a))
        return NAN;
    return tn_str_is(reduce, "amin") ? fmin(held, a) : fmax(held, a);
}

static int64_t combine_whole(tn_str reduce, bool is_u64, int64_t held, int64_t a) {
    if (tn_str_is(reduce, "add"))
        return (int64_t)((uint64_t)held + (uint64_t)a);
    if (tn_str_is(reduce, "mul"))
        return (int64_t)((uint64_t)held * (uint64_t)a);
    bool is_less = is_u64 ? (uint64_t)a < (uint64_t)held : a < held;
    return is_less == tn_str_is(reduce, "amin") ? a : held;
}

/* target becomes target (reduce) source. */
static void combine(tn_dtype dtype, tn_str reduce, uint8_t *target, const uint8_t *source) {
    if (tn_dtype_is_float(dtype))
        tn_elem_set_f64(
            dtype, target,
            combine_real(reduce, tn_elem_get_f64(dtype, target), tn_elem_get_f64(dtype, source)));
    else
        tn_elem_set_i64(dtype, target,
                        combine_whole(reduce, dtype == TN_U64, tn_elem_get_i64(dtype, target),
                                      tn_elem_get_i64(dtype, source)));
}

/* gather and scatter walk the index tensor in row-major order with two addresses: `across` in the
 * tensor that the index addresses (without dim's part), `along` in the one that lies beside the
 * index. */
static tn_status run_indexed(const tn_interp_call *call, const tn_tensor *addressed,
                             const tn_tensor *beside, uint32_t dim, tn_str reduce) {
    const tn_tensor *index = tn_interp_operand(call, 1);
    bool is_gather = call->prim == TN_PRIM_GATHER, is_plain = tn_str_is(reduce, "none");
    size_t bytes = tn_dtype_bytes(addressed->dtype);
    int64_t at[TN_MAX_RANK] = {0}, elems = tn_tensor_elems(index);
    uint32_t last = index->rank - 1;
    tn_walk indices = tn_walk_over(index);
    for (int64_t done = 0; done < elems; done += index->dims[last]) {
        int64_t across = 0, along = 0;
        for (uint32_t d = 0; d < last; d++) {
            across += d == dim ? 0 : at[d] * addressed->strides[d];
            along += at[d] * beside->strides[d];
        }
        for (int64_t i = 0; i < index->dims[last]; i++) {
            int64_t wanted, position = 0;
            tn_walk_load_i64(&indices, 1, &wanted);
            TN_TRY(resolve(call, wanted, dim, addressed->dims[dim], &position));
            int64_t inner = dim == last ? 0 : i * addressed->strides[last];
            uint8_t *far_end =
                tn_tensor_at(addressed, across + inner + position * addressed->strides[dim]);
            uint8_t *near_end = tn_tensor_at(beside, along + i * beside->strides[last]);
            if (is_gather)
                memcpy(near_end, far_end, bytes);
            else if (is_plain)
                memcpy(far_end, near_end, bytes);
            else
                combine(addressed->dtype, reduce, far_end, near_end);
        }
        tn_index_next(at, index->dims, last);
    }
    return NULL;
}

/* The result begins as a copy of x, unless it lies where x does. */
static void copy_unless_in_place(const tn_tensor *x, const tn_tensor *result) {
    if (x->data != result->data ||
        memcmp(x->strides, result->strides, x->rank * sizeof *x->strides) != 0)
        tn_tensor_copy(x, result);
}

static tn_status run_scatter_slice(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0), *src = tn_interp_operand(call, 1);
    const int64_t *starts = call->args[2].ints, *steps = call->args[3].ints;
    tn_tensor part = call->results[0];
    copy_unless_in_place(x, &part);
    for (uint32_t d = 0; d < x->rank; d++) {
        int64_t size = src->dims[d];
        if (starts[d] < 0 || (size > 0 && (starts[d] >= x->dims[d] ||
                                           size - 1 > (x->dims[d] - 1 - starts[d]) / steps[d])))
            return tn_interp_error(call, TN_OUT_OF_RANGE,
                                   "start %lld, size %lld, step %lld leave dim %u of size %lld",
                                   (long long)starts[d], (long long)size, (long long)steps[d], d,
                                   (long long)x->dims[d]);
        part = tn_tensor_slice(&part, d, starts[d], size, steps[d]);
    }
    tn_tensor_copy(src, &part);
    return NULL;
}

tn_status tn_interp_index(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0);
    switch (call->prim) {
    case TN_PRIM_TAKE:
        return run_take(call);
    case TN_PRIM_SCATTER_SLICE:
        return run_scatter_slice(call);
    case TN_PRIM_GATHER:
        return run_indexed(call, x, &call->results[0], (uint32_t)call->args[2].i, TN_STR("none"));
    default:
        copy_unless_in_place(x, &call->results[0]);
        return run_indexed(call, &call->results[0], tn_interp_operand(call, 2),
                           (uint32_t)call->args[3].i, call->args[4].s);
    }
}
