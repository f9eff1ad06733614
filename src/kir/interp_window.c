/* interp_window.c: pooling over the trailing spatial dims, a plane at a time; absent dims have
 * size 1. */
#include <math.h>

#include "kir/interp_impl.h"

/* One plane of x and of the result, both with three spatial dims. */
typedef struct pool {
    tn_prim prim;
    tn_tensor x, values, indices; /* [d, h, w] */
    int64_t kernel[3], stride[3], pad[3], dilation[3];
    int64_t divisor; /* of avg_pool */
    bool is_adaptive;
} pool;

/* The taps of a window in one dim: positions start, start + step, ... below end. */
typedef struct span {
    int64_t start, end, step;
} span;

static span span_of(const pool *p, uint32_t d, int64_t out) {
    int64_t size = p->x.dims[d];
    if (p->is_adaptive) {
        int64_t outs = p->values.dims[d];
        return (span){out * size / outs, ((out + 1) * size + outs - 1) / outs, 1};
    }
    int64_t start = out * p->stride[d] - p->pad[d], step = p->dilation[d];
    int64_t end = tn_min_i64(start + (p->kernel[d] - 1) * step + 1, size);
    if (start < 0)
        start += (-start + step - 1) / step * step;
    return (span){start, end, step};
}

/* Elements that PyTorch counts for avg_pool's own divisor (divisor 0): the window cut at the padded
 * plane's end, padding included. */
static int64_t padded_count(const pool *p, uint32_t d, int64_t out) {
    int64_t start = out * p->stride[d] - p->pad[d];
    return tn_min_i64(start + p->kernel[d], p->x.dims[d] + p->pad[d]) - start;
}

static double average(const pool *p, const int64_t at[3], const span spans[3]) {
    double sum = 0;
    int64_t inside = 1, padded = 1;
    for (int64_t i = spans[0].start; i < spans[0].end; i++)
        for (int64_t j = spans[1].start; j < spans[1].end; j++)
            for (int64_t k = spans[2].start; k < spans[2].end; k++)
                sum += tn_elem_get_f64(p->x.dtype, tn_tensor_at(&p->x, i * p->x.strides[0] +
                                                                           j * p->x.strides[1] +
                                                                           k * p->x.strides[2]));
    for (uint32_t d = 0; d < 3; d++) {
        inside *= tn_max_i64(0, spans[d].end - spans[d].start);
        padded *= p->is_adaptive ? 1 : padded_count(p, d, at[d]);
    }
    if (p->is_adaptive || p->divisor == -1)
        return sum / (double)inside;
    return sum / (double)(p->divisor == 0 ? padded : p->divisor);
}

/* The element that wins a window: the first of equals; a NaN wins over numbers, the last NaN over
 * others. Without elements the window's first position and -inf, the lowest integer for integers.
 */
typedef struct winner {
    double real;
    int64_t whole, index;
} winner;

static winner maximum(const pool *p, const span spans[3]) {
    bool is_float = tn_dtype_is_float(p->x.dtype), is_first = true;
    winner best = {-INFINITY, INT64_MIN, 0};
    uint64_t flip = p->x.dtype == TN_U64 ? (uint64_t)1 << 63 : 0;
    for (int64_t i = spans[0].start; i < spans[0].end; i += spans[0].step)
        for (int64_t j = spans[1].start; j < spans[1].end; j += spans[1].step)
            for (int64_t k = spans[2].start; k < spans[2].end; k += spans[2].step) {
                const void *element = tn_tensor_at(
                    &p->x, i * p->x.strides[0] + j * p->x.strides[1] + k * p->x.strides[2]);
                winner seen = {.index = (i * p->x.dims[1] + j) * p->x.dims[2] + k};
                bool is_better;
                if (is_float) {
                    seen.real = tn_elem_get_f64(p->x.dtype, element);
                    is_better = is_first || seen.real > best.real || isnan(seen.real);
                } else {
                    seen.whole = tn_elem_get_i64(p->x.dtype, element);
                    is_better = is_first || (int64_t)((uint64_t)seen.whole ^ flip) >
                                                (int64_t)((uint64_t)best.whole ^ flip);
                }
                if (is_better)
                    best = seen;
                is_first = false;
            }
    return best;
}

static void run_plane(const pool *p) {
    int64_t at[3] = {0};
    bool is_max = p->prim == TN_PRIM_MAX_POOL || p->prim == TN_PRIM_ADAPTIVE_MAX_POOL;
    if (tn_tensor_elems(&p->values) == 0)
        return;
    do {
        span spans[3];
        int64_t offset = 0, index_offset = 0;
        for (uint32_t d = 0; d < 3; d++) {
            spans[d] = span_of(p, d, at[d]);
            offset += at[d] * p->values.strides[d];
            index_offset += is_max ? at[d] * p->indices.strides[d] : 0;
        }
        void *element = tn_tensor_at(&p->values, offset);
        if (!is_max) {
            tn_elem_set_f64(p->values.dtype, element, average(p, at, spans));
            continue;
        }
        winner best = maximum(p, spans);
        if (tn_dtype_is_float(p->x.dtype))
            tn_elem_set_f64(p->values.dtype, element, best.real);
        else
            tn_elem_set_i64(p->values.dtype, element, best.whole);
        tn_elem_set_i64(TN_I64, tn_tensor_at(&p->indices, index_offset), best.index);
    } while (tn_index_next(at, p->values.dims, 3));
}

/* The trailing `spatial` dims at one index of the leading ones, as three. */
static tn_tensor plane_at(const tn_tensor *tensor, const int64_t *index, uint32_t spatial) {
    tn_tensor plane = {.dtype = tensor->dtype, .rank = 3, .dims = {1, 1, 1}};
    uint32_t lead = tensor->rank - spatial;
    int64_t offset = 0;
    for (uint32_t d = 0; d < lead; d++)
        offset += index[d] * tensor->strides[d];
    for (uint32_t d = 0; d < spatial; d++) {
        plane.dims[3 - spatial + d] = tensor->dims[lead + d];
        plane.strides[3 - spatial + d] = tensor->strides[lead + d];
    }
    plane.data = tn_tensor_at(tensor, offset);
    return plane;
}

static int64_t spatial_arg(const tn_resolved_arg *arg, uint32_t i, int64_t absent) {
    uint32_t missing = 3 - arg->count;
    return i < missing ? absent : arg->ints[i - missing];
}

tn_status tn_interp_window(const tn_interp_call *call) {
    if (call->prim == TN_PRIM_RESIZE)
        return tn_interp_resize(call);
    const tn_tensor *x = tn_interp_operand(call, 0), *result = &call->results[0];
    bool is_max = call->prim == TN_PRIM_MAX_POOL || call->prim == TN_PRIM_ADAPTIVE_MAX_POOL;
    bool is_adaptive =
        call->prim == TN_PRIM_ADAPTIVE_AVG_POOL || call->prim == TN_PRIM_ADAPTIVE_MAX_POOL;
    uint32_t spatial = call->args[is_adaptive ? 1 : 5].count, lead = x->rank - spatial;
    pool p = {.prim = call->prim, .is_adaptive = is_adaptive};
    for (uint32_t d = 0; d < 3 && !is_adaptive; d++) {
        p.kernel[d] = spatial_arg(&call->args[1], d, 1);
        p.stride[d] = spatial_arg(&call->args[2], d, 1);
        p.pad[d] = spatial_arg(&call->args[3], d, 0);
        p.dilation[d] = is_max ? spatial_arg(&call->args[4], d, 1) : 1;
    }
    if (call->prim == TN_PRIM_AVG_POOL)
        p.divisor = call->args[4].i;
    if (is_max && tn_tensor_elems(x) == 0 && tn_tensor_elems(result) > 0)
        return tn_interp_error(call, TN_OUT_OF_RANGE, "the operand is empty");
    int64_t index[TN_MAX_RANK] = {0};
    bool has_planes = tn_tensor_elems(result) > 0;
    while (has_planes) {
        p.x = plane_at(x, index, spatial);
        p.values = plane_at(result, index, spatial);
        if (is_max)
            p.indices = plane_at(&call->results[1], index, spatial);
        run_plane(&p);
        has_planes = tn_index_next(index, result->dims, lead);
    }
    return NULL;
}
