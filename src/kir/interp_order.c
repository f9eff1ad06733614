/* interp_order.c: sort and topk. Every element becomes an unsigned key with the same order (NaN the
 * greatest, -0 equal to 0), so that one stable merge sort serves all dtypes and both directions. */
#include <math.h>
#include <string.h>

#include "kir/interp_impl.h"

typedef struct item {
    uint64_t key;
    int64_t index;
} item;

static uint64_t real_key(double value) {
    uint64_t bits;
    if (isnan(value))
        return UINT64_MAX;
    value += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static void load_keys(tn_walk *walk, int64_t size, bool descending, item *items) {
    union {
        double real[TN_CHUNK];
        int64_t whole[TN_CHUNK];
    } chunk;
    uint64_t flip = walk->dtype == TN_U64 ? 0 : (uint64_t)1 << 63;
    for (int64_t done = 0; done < size; done += TN_CHUNK) {
        int64_t count = tn_min_i64(size - done, TN_CHUNK);
        bool is_float = tn_dtype_is_float(walk->dtype);
        if (is_float)
            tn_walk_load_f64(walk, count, chunk.real);
        else
            tn_walk_load_i64(walk, count, chunk.whole);
        for (int64_t i = 0; i < count; i++) {
            uint64_t key = is_float ? real_key(chunk.real[i]) : (uint64_t)chunk.whole[i] ^ flip;
            items[done + i] = (item){descending ? ~key : key, done + i};
        }
    }
}

/* Merges items[0, middle) and items[middle, size) into out; the left one of equals comes first. */
static void merge(const item *items, int64_t middle, int64_t size, item *out) {
    int64_t a = 0, b = middle;
    for (int64_t i = 0; i < size; i++)
        out[i] =
            b == size || (a < middle && items[a].key <= items[b].key) ? items[a++] : items[b++];
}

/* Bottom-up; the result is in the array that is returned, one of the two. */
static item *merge_sort(item *items, item *spare, int64_t size) {
    for (int64_t width = 1; width < size; width *= 2) {
        for (int64_t start = 0; start < size; start += 2 * width) {
            int64_t length = tn_min_i64(2 * width, size - start);
            merge(items + start, tn_min_i64(width, length), length, spare + start);
        }
        item *sorted = spare;
        spare = items;
        items = sorted;
    }
    return items;
}

tn_status tn_interp_order(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0);
    bool is_topk = call->prim == TN_PRIM_TOPK;
    uint32_t dim = (uint32_t)call->args[is_topk ? 2 : 1].i;
    bool descending = call->args[is_topk ? 3 : 2].b;
    int64_t size = x->dims[dim], kept = call->results[0].dims[dim], elems = tn_tensor_elems(x);
    if (kept > size)
        return tn_interp_error(call, TN_OUT_OF_RANGE, "k is %lld, wanted at most %lld",
                               (long long)kept, (long long)size);
    if (elems == 0 || kept == 0)
        return NULL;
    tn_tensor from = tn_tensor_dim_last(x, dim);
    tn_tensor to = tn_tensor_dim_last(&call->results[0], dim);
    tn_tensor to_indices = tn_tensor_dim_last(&call->results[1], dim);
    tn_walk in = tn_walk_over(&from), out = tn_walk_over(&to), out_i = tn_walk_over(&to_indices);
    size_t bytes = tn_dtype_bytes(x->dtype);
    item *items = NULL;
    TN_TRY(tn_alloc_array(call->allocator, (size_t)size, 2 * sizeof *items, &items));
    int64_t at[TN_MAX_RANK] = {0};
    for (int64_t lane = 0; lane < elems / size; lane++) {
        int64_t base = 0;
        for (uint32_t d = 0; d + 1 < from.rank; d++)
            base += at[d] * from.strides[d];
        load_keys(&in, size, descending, items);
        const item *sorted = merge_sort(items, items + size, size);
        for (int64_t i = 0; i < kept; i++) {
            uint64_t element = 0;
            memcpy(&element,
                   tn_tensor_at(&from, base + sorted[i].index * from.strides[from.rank - 1]),
                   bytes);
            tn_walk_store_raw(&out, 1, &element);
            tn_walk_store_i64(&out_i, 1, &sorted[i].index);
        }
        tn_index_next(at, from.dims, from.rank - 1);
    }
    tn_alloc_free(call->allocator, items, (size_t)size * 2 * sizeof *items);
    return NULL;
}
