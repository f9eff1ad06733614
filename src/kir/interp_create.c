/* interp_create.c: iota, symbolic values, random numbers.
 *
 * Random numbers are Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * 2011). Element i of a tensor uses the block with the counter words {low i, high i, high seed,
 * high stream} and the key {low seed, low stream}, so any element can be made by itself. Of the
 * block's words w0, w1: uniform f64     ((w0 >> 5) * 2^26 + (w1 >> 6)) * 2^-53 uniform others  the
 * top p bits of w0, times 2^-p, where p is the significand of the dtype (f32 24, f16 11, bf16 8,
 * f8e4m3 4, f8e5m2 3): exact, so never 1 normal          sqrt(-2 ln((w0 + 1) * 2^-32)) * cos(2 pi
 * w1 * 2^-32), in double, rounded once
 */
#include <math.h>

#include "kir/interp_impl.h"

enum { PHILOX_ROUNDS = 10 };

static void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * counter[0], b = (uint64_t)0xCD9E8D57u * counter[2];
        uint32_t first = (uint32_t)(b >> 32) ^ counter[1] ^ key0;
        uint32_t third = (uint32_t)(a >> 32) ^ counter[3] ^ key1;
        counter[0] = first;
        counter[1] = (uint32_t)b;
        counter[2] = third;
        counter[3] = (uint32_t)a;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

static int significand_bits(tn_dtype dtype) {
    switch (dtype) {
    case TN_F32:
        return 24;
    case TN_F16:
        return 11;
    case TN_BF16:
        return 8;
    case TN_F8E4M3:
        return 4;
    default:
        return 3;
    }
}

static double uniform(tn_dtype dtype, const uint32_t words[4]) {
    if (dtype == TN_F64)
        return ldexp((double)(words[0] >> 5) * 67108864.0 + (double)(words[1] >> 6), -53);
    int bits = significand_bits(dtype);
    return ldexp((double)(words[0] >> (32 - bits)), -bits);
}

static double normal(const uint32_t words[4]) {
    double radius = sqrt(-2 * log(ldexp((double)words[0] + 1, -32)));
    return radius * cos(6.283185307179586476925 * ldexp((double)words[1], -32));
}

static void run_random(const tn_interp_call *call) {
    const tn_tensor *result = &call->results[0];
    bool is_normal = tn_str_is(call->args[1].s, "normal");
    uint64_t seed = (uint64_t)call->args[2].i, stream = (uint64_t)call->args[3].i;
    int64_t elems = tn_tensor_elems(result);
    tn_walk out = tn_walk_over(result);
    double chunk[TN_CHUNK];
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        for (int64_t i = 0; i < count; i++) {
            uint64_t element = (uint64_t)(done + i);
            uint32_t words[4] = {(uint32_t)element, (uint32_t)(element >> 32),
                                 (uint32_t)(seed >> 32), (uint32_t)(stream >> 32)};
            philox(words, (uint32_t)seed, (uint32_t)stream);
            chunk[i] = is_normal ? normal(words) : uniform(result->dtype, words);
        }
        tn_walk_store_f64(&out, count, chunk);
    }
}

static double number_of(const tn_resolved_arg *arg) {
    return arg->kind == TN_ARG_INT ? (double)arg->i : arg->f;
}

/* All elements along the other dims are equal: one row is made and broadcast. */
static tn_status run_iota(const tn_interp_call *call) {
    const tn_tensor *result = &call->results[0];
    uint32_t dim = (uint32_t)call->args[1].i;
    const tn_resolved_arg *start = &call->args[2], *step = &call->args[3];
    bool is_exact =
        start->kind == TN_ARG_INT && step->kind == TN_ARG_INT && !tn_dtype_is_float(result->dtype);
    int64_t size = result->dims[dim];
    size_t bytes = tn_dtype_bytes(result->dtype);
    uint8_t *row = NULL;
    TN_TRY(tn_alloc_array(call->allocator, (size_t)size, bytes, &row));
    for (int64_t i = 0; i < size; i++) {
        uint8_t *element = row + (size_t)i * bytes;
        if (is_exact)
            tn_elem_set_i64(result->dtype, element,
                            (int64_t)((uint64_t)start->i + (uint64_t)step->i * (uint64_t)i));
        else
            tn_elem_set_f64(result->dtype, element, number_of(start) + number_of(step) * (double)i);
    }
    tn_tensor wide = *result;
    wide.data = row;
    for (uint32_t d = 0; d < wide.rank; d++)
        wide.strides[d] = d == dim;
    tn_tensor_copy(&wide, result);
    tn_alloc_free(call->allocator, row, (size_t)size * bytes);
    return NULL;
}

tn_status tn_interp_create(const tn_interp_call *call) {
    if (call->prim == TN_PRIM_IOTA)
        return run_iota(call);
    if (call->prim == TN_PRIM_RANDOM)
        run_random(call);
    else
        tn_elem_set_i64(call->results[0].dtype, call->results[0].data, call->args[0].i);
    return NULL;
}
