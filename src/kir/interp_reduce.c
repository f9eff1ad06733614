/* interp_reduce.c: reductions and scans.
 *
 * The reduced dims are moved to the end, so that a reduction reads a run of elements per result.
 * Floats accumulate in double, integers in 64 bits that wrap. */
#include <math.h>

#include "kir/interp_impl.h"

/* ---- reductions ------------------------------------------------------------------------------ */

/* What one result is made from; which members matter depends on the primitive. */
typedef struct fold {
    double real;
    int64_t whole;
    int64_t best; /* index of argmin and argmax */
    bool is_first;
} fold;

static fold fold_start(tn_prim prim) {
    bool is_one = prim == TN_PRIM_REDUCE_PROD || prim == TN_PRIM_REDUCE_ALL;
    return (fold){.real = is_one, .whole = is_one, .is_first = true};
}

static void fold_real(tn_prim prim, const double *x, int64_t count, int64_t position, fold *f) {
    for (int64_t i = 0; i < count; i++) {
        double a = x[i];
        bool is_better = false;
        switch (prim) {
        case TN_PRIM_REDUCE_PROD:
            f->real *= a;
            break;
        case TN_PRIM_REDUCE_MIN:
        case TN_PRIM_ARGMIN:
            is_better = f->is_first || a < f->real;
            break;
        case TN_PRIM_REDUCE_MAX:
        case TN_PRIM_ARGMAX:
            is_better = f->is_first || a > f->real;
            break;
        case TN_PRIM_REDUCE_ANY:
            f->whole |= a != 0;
            break;
        case TN_PRIM_REDUCE_ALL:
            f->whole &= a != 0;
            break;
        default:
            f->real += a;
            break;
        }
        if (is_better || (isnan(a) && !isnan(f->real))) { /* the first NaN wins and stays */
            f->real = a;
            f->best = position + i;
            f->is_first = false;
        }
    }
}

static void fold_whole(tn_prim prim, bool is_u64, const int64_t *x, int64_t count, int64_t position,
                       fold *f) {
    uint64_t flip = is_u64 ? (uint64_t)1 << 63 : 0; /* makes signed comparisons unsigned ones */
    for (int64_t i = 0; i < count; i++) {
        int64_t a = x[i];
        int64_t key = (int64_t)((uint64_t)a ^ flip), held = (int64_t)((uint64_t)f->whole ^ flip);
        bool is_better = false;
        switch (prim) {
        case TN_PRIM_REDUCE_PROD:
            f->whole = (int64_t)((uint64_t)f->whole * (uint64_t)a);
            break;
        case TN_PRIM_REDUCE_MIN:
        case TN_PRIM_ARGMIN:
            is_better = f->is_first || key < held;
            break;
        case TN_PRIM_REDUCE_MAX:
        case TN_PRIM_ARGMAX:
            is_better = f->is_first || key > held;
            break;
        case TN_PRIM_REDUCE_ANY:
            f->whole |= a != 0;
            break;
        case TN_PRIM_REDUCE_ALL:
            f->whole &= a != 0;
            break;
        default:
            f->whole = (int64_t)((uint64_t)f->whole + (uint64_t)a);
            break;
        }
        if (is_better) {
            f->whole = a;
            f->best = position + i;
            f->is_first = false;
        }
    }
}

/* Reads `elems` elements of the walk into the fold. */
static void fold_run(tn_prim prim, tn_walk *walk, int64_t elems, fold *f) {
    union {
        double real[TN_CHUNK];
        int64_t whole[TN_CHUNK];
    } chunk;
    bool is_float = tn_dtype_is_float(walk->dtype);
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        if (is_float) {
            tn_walk_load_f64(walk, count, chunk.real);
            fold_real(prim, chunk.real, count, done, f);
        } else {
            tn_walk_load_i64(walk, count, chunk.whole);
            fold_whole(prim, walk->dtype == TN_U64, chunk.whole, count, done, f);
        }
    }
}

/* Sum of squared distances from the mean: a second pass over the same elements. */
static double squares(tn_walk walk, int64_t elems, double mean) {
    double chunk[TN_CHUNK], sum = 0;
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        tn_walk_load_f64(&walk, count, chunk);
        for (int64_t i = 0; i < count; i++)
            sum += (chunk[i] - mean) * (chunk[i] - mean);
    }
    return sum;
}

static void store_fold(const tn_interp_call *call, const fold *f, int64_t elems, tn_dtype x_dtype,
                       tn_walk *out) {
    double real = f->real;
    int64_t whole = f->whole;
    bool is_real = tn_dtype_is_float(x_dtype);
    switch (call->prim) {
    case TN_PRIM_REDUCE_MEAN:
        real = f->real / (double)elems;
        break;
    case TN_PRIM_ARGMIN:
    case TN_PRIM_ARGMAX:
        whole = f->best;
        is_real = false;
        break;
    case TN_PRIM_REDUCE_ANY:
    case TN_PRIM_REDUCE_ALL:
        is_real = false;
        break;
    default:
        break;
    }
    if (is_real)
        tn_walk_store_f64(out, 1, &real);
    else
        tn_walk_store_i64(out, 1, &whole);
}

/* x with the reduced dims behind the others; the number of elements reduced to one. */
static tn_tensor reduced_last(const tn_interp_call *call, const tn_tensor *x, int64_t *out_elems) {
    const tn_resolved_arg *dims = &call->args[1];
    tn_tensor moved = *x;
    *out_elems = 1;
    for (uint32_t i = dims->count; i-- > 0;) {
        uint32_t d = (uint32_t)dims->ints[i];
        *out_elems *= x->dims[d];
        /* Dims behind d that moved before are still behind it: the last of the front part. */
        uint32_t front = x->rank - (dims->count - 1 - i);
        tn_tensor head = moved;
        head.rank = front;
        head = tn_tensor_dim_last(&head, d);
        head.rank = moved.rank;
        moved = head;
    }
    return moved;
}

static bool has_no_empty_value(tn_prim prim) {
    return prim == TN_PRIM_REDUCE_MIN || prim == TN_PRIM_REDUCE_MAX || prim == TN_PRIM_ARGMIN ||
           prim == TN_PRIM_ARGMAX;
}

tn_status tn_interp_reduce(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0), *result = &call->results[0];
    int64_t elems, results = tn_tensor_elems(result);
    tn_tensor moved = reduced_last(call, x, &elems);
    if (elems == 0 && results > 0 && has_no_empty_value(call->prim))
        return tn_interp_error(call, TN_OUT_OF_RANGE, "the reduced dims are empty");
    tn_walk in = tn_walk_over(&moved), out = tn_walk_over(result);
    for (int64_t i = 0; i < results; i++) {
        fold f = fold_start(call->prim);
        tn_walk start = in;
        fold_run(call->prim, &in, elems, &f);
        if (call->prim == TN_PRIM_REDUCE_VAR) {
            double freedom = fmax(0, (double)elems - call->args[3].f);
            f.real = squares(start, elems, f.real / (double)elems) / freedom;
        }
        store_fold(call, &f, elems, x->dtype, &out);
    }
    return NULL;
}

/* ---- scans ----------------------------------------------------------------------------------- */

static void scan_real(tn_prim prim, double *row, int64_t count) {
    double held = prim == TN_PRIM_CUMPROD;
    for (int64_t i = 0; i < count; i++) {
        held = prim == TN_PRIM_CUMPROD ? held * row[i] : held + row[i];
        row[i] = held;
    }
}

static void scan_whole(tn_prim prim, int64_t *row, int64_t count) {
    uint64_t held = prim == TN_PRIM_CUMPROD;
    for (int64_t i = 0; i < count; i++) {
        held = prim == TN_PRIM_CUMPROD ? held * (uint64_t)row[i] : held + (uint64_t)row[i];
        row[i] = (int64_t)held;
    }
}

/* Running extreme: the later of equals, and any NaN, takes over; nothing takes over from a NaN but
 * a NaN. */
static void extreme_real(bool is_max, double *row, int64_t count, int64_t *indices) {
    int64_t best = 0;
    for (int64_t i = 0; i < count; i++) {
        double held = row[best];
        if (isnan(row[i]) || (!isnan(held) && (is_max ? row[i] >= held : row[i] <= held)))
            best = i;
        indices[i] = best;
        row[i] = row[best];
    }
}

static void extreme_whole(bool is_max, bool is_u64, int64_t *row, int64_t count, int64_t *indices) {
    uint64_t flip = is_u64 ? (uint64_t)1 << 63 : 0;
    int64_t best = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t a = (int64_t)((uint64_t)row[i] ^ flip),
                held = (int64_t)((uint64_t)row[best] ^ flip);
        if (is_max ? a >= held : a <= held)
            best = i;
        indices[i] = best;
        row[i] = row[best];
    }
}

tn_status tn_interp_scan(const tn_interp_call *call) {
    if (call->prim == TN_PRIM_RECURRENT)
        return tn_interp_recurrent(call);
    const tn_tensor *x = tn_interp_operand(call, 0);
    uint32_t dim = (uint32_t)call->args[1].i;
    int64_t size = x->dims[dim], elems = tn_tensor_elems(x);
    bool is_float = tn_dtype_is_float(x->dtype), is_max = call->prim == TN_PRIM_CUMMAX;
    bool is_extreme = is_max || call->prim == TN_PRIM_CUMMIN;
    tn_tensor from = tn_tensor_dim_last(x, dim), to = tn_tensor_dim_last(&call->results[0], dim);
    tn_tensor to_indices = to;
    if (is_extreme)
        to_indices = tn_tensor_dim_last(&call->results[1], dim);
    tn_walk in = tn_walk_over(&from), out = tn_walk_over(&to), out_i = tn_walk_over(&to_indices);
    union {
        double *real;
        int64_t *whole;
    } row;
    int64_t *memory = NULL;
    if (elems == 0)
        return NULL;
    TN_TRY(tn_alloc_array(call->allocator, (size_t)size, 2 * sizeof *memory, &memory));
    int64_t *indices = memory + size;
    row.whole = memory;
    for (int64_t lane = 0; lane < elems / size; lane++) {
        if (is_float) {
            row.real = (double *)(void *)memory;
            tn_walk_load_f64(&in, size, row.real);
            if (is_extreme)
                extreme_real(is_max, row.real, size, indices);
            else
                scan_real(call->prim, row.real, size);
            tn_walk_store_f64(&out, size, row.real);
        } else {
            tn_walk_load_i64(&in, size, row.whole);
            if (is_extreme)
                extreme_whole(is_max, x->dtype == TN_U64, row.whole, size, indices);
            else
                scan_whole(call->prim, row.whole, size);
            tn_walk_store_i64(&out, size, row.whole);
        }
        if (is_extreme)
            tn_walk_store_i64(&out_i, size, indices);
    }
    tn_alloc_free(call->allocator, memory, (size_t)size * 2 * sizeof *memory);
    return NULL;
}
