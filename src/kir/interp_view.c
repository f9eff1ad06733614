/* interp_view.c: views. Most are a copy from a restrided operand; padding by reflection and its kin
 * reads through one table of positions per dim. */
#include <string.h>

#include "kir/interp_impl.h"

static void run_permute(const tn_interp_call *call, tn_tensor x) {
    tn_tensor turned = x;
    for (uint32_t d = 0; d < x.rank; d++) {
        turned.dims[d] = x.dims[call->args[1].ints[d]];
        turned.strides[d] = x.strides[call->args[1].ints[d]];
    }
    tn_tensor_copy(&turned, &call->results[0]);
}

static void run_expand(const tn_interp_call *call, tn_tensor x) {
    const tn_tensor *result = &call->results[0];
    tn_tensor wide = *result;
    uint32_t missing = result->rank - x.rank;
    wide.data = x.data;
    for (uint32_t d = 0; d < result->rank; d++)
        wide.strides[d] =
            d < missing || x.dims[d - missing] != result->dims[d] ? 0 : x.strides[d - missing];
    tn_tensor_copy(&wide, result);
}

static tn_status run_slice(const tn_interp_call *call, tn_tensor x) {
    const int64_t *starts = call->args[1].ints, *sizes = call->args[2].ints;
    const int64_t *steps = call->args[3].ints;
    for (uint32_t d = 0; d < x.rank; d++) {
        bool is_inside =
            starts[d] >= 0 && sizes[d] >= 0 &&
            (sizes[d] == 0 ||
             (starts[d] < x.dims[d] && sizes[d] - 1 <= (x.dims[d] - 1 - starts[d]) / steps[d]));
        if (!is_inside)
            return tn_interp_error(call, TN_OUT_OF_RANGE,
                                   "start %lld, size %lld, step %lld leave dim %u of size %lld",
                                   (long long)starts[d], (long long)sizes[d], (long long)steps[d],
                                   d, (long long)x.dims[d]);
        x = tn_tensor_slice(&x, d, starts[d], sizes[d], steps[d]);
    }
    tn_tensor_copy(&x, &call->results[0]);
    return NULL;
}

static void run_flip(const tn_interp_call *call, tn_tensor x) {
    if (tn_tensor_elems(&x) == 0)
        return;
    for (uint32_t i = 0; i < call->args[1].count; i++) {
        uint32_t d = (uint32_t)call->args[1].ints[i];
        x.data = tn_tensor_at(&x, (x.dims[d] - 1) * x.strides[d]);
        x.strides[d] = -x.strides[d];
    }
    tn_tensor_copy(&x, &call->results[0]);
}

static void fill(const tn_tensor *tensor, double number) {
    uint64_t element = 0;
    tn_elem_set_f64(tensor->dtype, &element, number);
    tn_tensor one = {.dtype = tensor->dtype, .rank = tensor->rank, .data = &element};
    memcpy(one.dims, tensor->dims, sizeof one.dims); /* strides 0 */
    tn_tensor_copy(&one, tensor);
}

/* Position in the operand of position i of the padded dim, lo elements before it. */
static int64_t pad_source(tn_str mode, int64_t i, int64_t size) {
    if (tn_str_is(mode, "replicate"))
        return tn_max_i64(0, tn_min_i64(i, size - 1));
    if (tn_str_is(mode, "circular"))
        return i < 0 ? i + size : i >= size ? i - size : i;
    return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i; /* reflect */
}

static tn_status pad_limits(const tn_interp_call *call, const tn_tensor *x) {
    tn_str mode = call->args[3].s;
    for (uint32_t d = 0; d < x->rank; d++) {
        int64_t lo = call->args[1].ints[d], hi = call->args[2].ints[d];
        int64_t most = tn_str_is(mode, "reflect") ? x->dims[d] - 1 : x->dims[d];
        bool is_bounded = tn_str_is(mode, "reflect") || tn_str_is(mode, "circular");
        if (lo < 0 || hi < 0 || (is_bounded && (lo > most || hi > most)) ||
            (!tn_str_is(mode, "constant") && x->dims[d] == 0 && lo + hi > 0))
            return tn_interp_error(
                call, TN_OUT_OF_RANGE, "padding %lld and %lld of dim %u (size %lld) in mode %.*s",
                (long long)lo, (long long)hi, d, (long long)x->dims[d], TN_STR_ARG(mode));
    }
    return NULL;
}

static tn_status run_pad(const tn_interp_call *call, const tn_tensor *x) {
    const tn_tensor *result = &call->results[0];
    const int64_t *lo = call->args[1].ints;
    TN_TRY(pad_limits(call, x));
    if (tn_str_is(call->args[3].s, "constant")) {
        tn_tensor inside = *result;
        fill(result, call->args[4].f);
        for (uint32_t d = 0; d < x->rank; d++)
            inside = tn_tensor_slice(&inside, d, lo[d], x->dims[d], 1);
        tn_tensor_copy(x, &inside);
        return NULL;
    }
    /* One dim after another needs no more than whole rows: every row of the result along the last
     * dim is gathered from the row of x that the tables of the outer dims name. */
    int64_t *offsets = NULL, *starts[TN_MAX_RANK], total = 0;
    for (uint32_t d = 0; d < result->rank; d++)
        total += result->dims[d];
    TN_TRY(tn_alloc_array(call->allocator, (size_t)total, sizeof *offsets, &offsets));
    int64_t *next = offsets;
    for (uint32_t d = 0; d < result->rank; d++) {
        starts[d] = next;
        for (int64_t i = 0; i < result->dims[d]; i++)
            *next++ = pad_source(call->args[3].s, i - lo[d], x->dims[d]) * x->strides[d];
    }
    int64_t index[TN_MAX_RANK] = {0};
    uint32_t last = result->rank - 1;
    size_t bytes = tn_dtype_bytes(x->dtype);
    bool has_rows = tn_tensor_elems(result) > 0;
    while (has_rows) {
        int64_t from = 0, to = 0;
        for (uint32_t d = 0; d < last; d++) {
            from += starts[d][index[d]];
            to += index[d] * result->strides[d];
        }
        for (int64_t i = 0; i < result->dims[last]; i++)
            memcpy(tn_tensor_at(result, to + i * result->strides[last]),
                   tn_tensor_at(x, from + starts[last][i]), bytes);
        has_rows = tn_index_next(index, result->dims, last);
    }
    tn_alloc_free(call->allocator, offsets, (size_t)total * sizeof *offsets);
    return NULL;
}

static void run_concat(const tn_interp_call *call) {
    uint32_t dim = (uint32_t)call->args[1].i;
    int64_t start = 0;
    for (uint32_t i = 0; i < call->args[0].count; i++) {
        const tn_tensor *x = call->operands[call->args[0].operand + i];
        tn_tensor part = tn_tensor_slice(&call->results[0], dim, start, x->dims[dim], 1);
        tn_tensor_copy(x, &part);
        start += x->dims[dim];
    }
}

tn_status tn_interp_view(const tn_interp_call *call) {
    if (call->prim == TN_PRIM_CONCAT) {
        run_concat(call);
        return NULL;
    }
    const tn_tensor *x = tn_interp_operand(call, 0);
    switch (call->prim) {
    case TN_PRIM_RESHAPE:
        tn_tensor_copy(x, &call->results[0]);
        return NULL;
    case TN_PRIM_PERMUTE:
        run_permute(call, *x);
        return NULL;
    case TN_PRIM_EXPAND:
        run_expand(call, *x);
        return NULL;
    case TN_PRIM_SLICE:
        return run_slice(call, *x);
    case TN_PRIM_FLIP:
        run_flip(call, *x);
        return NULL;
    default:
        return run_pad(call, x);
    }
}
