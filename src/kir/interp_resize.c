/* interp_resize.c: resampling of the trailing dims. Every mode is separable: one table per dim
 * holds the source positions and weights of each result position (1 for nearest, 2 for linear, 4
 * for cubic). */
#include <math.h>

#include "kir/interp_impl.h"

enum { MOST_TAPS = 4 };

typedef struct tap_row {
    int64_t position[MOST_TAPS];
    double weight[MOST_TAPS];
} tap_row;

typedef enum mode { NEAREST, NEAREST_EXACT, LINEAR, CUBIC } mode;

static mode mode_of(tn_str name) {
    return tn_str_is(name, "nearest")         ? NEAREST
           : tn_str_is(name, "nearest_exact") ? NEAREST_EXACT
           : tn_str_is(name, "linear")        ? LINEAR
                                              : CUBIC;
}

/* Source elements per result element, as PyTorch computes it. */
static double scale_of(mode kind, bool align_corners, double scale, int64_t in, int64_t out) {
    bool aligns = align_corners && (kind == LINEAR || kind == CUBIC);
    if (aligns)
        return out > 1 ? (double)(in - 1) / (double)(out - 1) : 0;
    return scale > 0 ? 1 / scale : (double)in / (double)out;
}

/* Keys' cubic with A = -0.75, at distance t - 1 behind to 2 - t before. */
static void cubic_weights(double t, double *out) {
    const double a = -0.75;
    double near_end = t, far_end = 1 - t;
    out[0] = ((a * (near_end + 1) - 5 * a) * (near_end + 1) + 8 * a) * (near_end + 1) - 4 * a;
    out[1] = ((a + 2) * near_end - (a + 3)) * near_end * near_end + 1;
    out[2] = ((a + 2) * far_end - (a + 3)) * far_end * far_end + 1;
    out[3] = ((a * (far_end + 1) - 5 * a) * (far_end + 1) + 8 * a) * (far_end + 1) - 4 * a;
}

static int64_t clamp(int64_t i, int64_t size) {
    return tn_max_i64(0, tn_min_i64(i, size - 1));
}

static tap_row taps_at(mode kind, bool align_corners, double scale, int64_t i, int64_t size) {
    tap_row row = {.weight = {1}};
    if (kind == NEAREST || kind == NEAREST_EXACT) {
        /* PyTorch computes these positions in float, whatever the tensor's dtype. */
        float offset = kind == NEAREST ? 0.0f : 0.5f;
        row.position[0] = clamp((int64_t)floorf(((float)i + offset) * (float)scale), size);
        return row;
    }
    double source = align_corners ? scale * (double)i : scale * ((double)i + 0.5) - 0.5;
    if (kind == LINEAR) {
        source = fmax(source, 0);
        row.position[0] = clamp((int64_t)source, size);
        row.position[1] = clamp(row.position[0] + 1, size);
        row.weight[1] = fmin(fmax(source - (double)row.position[0], 0), 1);
        row.weight[0] = 1 - row.weight[1];
        return row;
    }
    double whole = floor(source);
    for (int tap = 0; tap < MOST_TAPS; tap++)
        row.position[tap] = clamp((int64_t)whole - 1 + tap, size);
    cubic_weights(source - whole, row.weight);
    return row;
}

static int tap_count(mode kind) {
    return kind == CUBIC ? 4 : kind == LINEAR ? 2 : 1;
}

/* The weighted sum over the taps of dims d.. at one result position. */
static double sample(const tn_tensor *x, int64_t offset, tap_row *const *tables, const int64_t *at,
                     uint32_t d, uint32_t lead, int taps) {
    if (d == x->rank)
        return tn_elem_get_f64(x->dtype, tn_tensor_at(x, offset));
    const tap_row *row = &tables[d - lead][at[d]];
    double sum = 0;
    for (int tap = 0; tap < taps; tap++)
        sum += row->weight[tap] * sample(x, offset + row->position[tap] * x->strides[d], tables, at,
                                         d + 1, lead, taps);
    return sum;
}

/* Whole numbers do not go through double. */
static void copy_nearest(const tn_tensor *x, tap_row *const *tables, const int64_t *at,
                         uint32_t lead, int64_t offset, void *element) {
    for (uint32_t d = lead; d < x->rank; d++)
        offset += tables[d - lead][at[d]].position[0] * x->strides[d];
    tn_elem_set_i64(x->dtype, element, tn_elem_get_i64(x->dtype, tn_tensor_at(x, offset)));
}

tn_status tn_interp_resize(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0), *result = &call->results[0];
    uint32_t spatial = call->args[1].count, lead = x->rank - spatial;
    mode kind = mode_of(call->args[2].s);
    bool align_corners = call->args[3].b;
    int64_t total = 0, at[TN_MAX_RANK] = {0};
    tap_row *rows = NULL, *tables[TN_MAX_RANK];
    if (tn_tensor_elems(result) == 0)
        return NULL;
    if (tn_tensor_elems(x) == 0)
        return tn_interp_error(call, TN_OUT_OF_RANGE, "the operand is empty");
    for (uint32_t d = lead; d < x->rank; d++)
        total += result->dims[d];
    TN_TRY(tn_alloc_array(call->allocator, (size_t)total, sizeof *rows, &rows));
    tap_row *next = rows;
    for (uint32_t d = lead; d < x->rank; d++) {
        double scale = scale_of(kind, align_corners, call->args[4].floats[d - lead], x->dims[d],
                                result->dims[d]);
        tables[d - lead] = next;
        for (int64_t i = 0; i < result->dims[d]; i++)
            *next++ = taps_at(kind, align_corners, scale, i, x->dims[d]);
    }
    do {
        int64_t from = 0, to = 0;
        for (uint32_t d = 0; d < x->rank; d++) {
            from += d < lead ? at[d] * x->strides[d] : 0;
            to += at[d] * result->strides[d];
        }
        void *element = tn_tensor_at(result, to);
        if (tn_dtype_is_float(x->dtype))
            tn_elem_set_f64(x->dtype, element,
                            sample(x, from, tables, at, lead, lead, tap_count(kind)));
        else
            copy_nearest(x, tables, at, lead, from, element);
    } while (tn_index_next(at, result->dims, result->rank));
    tn_alloc_free(call->allocator, rows, (size_t)total * sizeof *rows);
    return NULL;
}
