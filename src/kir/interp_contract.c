/* interp_contract.c: matmul and convolution of floats through one blocked product in double;
 * integer matmul as plain loops that wrap.
 *
 * The right operand is brought in panels of PANEL_K x PANEL_N doubles by a function that knows
 * where its elements lie (a strided matrix, or an image seen through a convolution's taps), so a
 * convolution is never unfolded as a whole. The innermost loop is over a constant number of columns
 * and vectorises. */
#include <string.h>

#include "kir/interp_impl.h"

enum { PANEL_K = 256, PANEL_N = 64, UNIT_N = 16 };

/* Writes elements [k0, k0 + kn) x [n0, n0 + nn) of the right operand as rows of PANEL_N. */
typedef void (*panel_loader)(const void *source, int64_t k0, int64_t kn, int64_t n0, int64_t nn,
                             double *panel);

typedef struct product {
    int64_t m, k;
    const double *a; /* m x k, row-major */
    panel_loader load;
    const void *source;
} product;

/* out[PANEL_N] += a[kn] * panel[kn][PANEL_N], UNIT_N columns at a time so that the sums stay in
 * registers. */
static void row_times_panel(const double *a, const double *panel, int64_t kn, double *out) {
    for (int unit = 0; unit < PANEL_N; unit += UNIT_N) {
        double sums[UNIT_N];
        memcpy(sums, out + unit, sizeof sums);
        for (int64_t k = 0; k < kn; k++)
            for (int j = 0; j < UNIT_N; j++)
                sums[j] += a[k] * panel[k * PANEL_N + unit + j];
        memcpy(out + unit, sums, sizeof sums);
    }
}

/* Columns [n0, n0 + nn) of the product into out, m rows of PANEL_N. panel is scratch. */
static void product_columns(const product *p, int64_t n0, int64_t nn, double *panel, double *out) {
    memset(out, 0, (size_t)(p->m * PANEL_N) * sizeof *out);
    memset(panel, 0, PANEL_K * PANEL_N * sizeof *panel);
    for (int64_t k0 = 0; k0 < p->k; k0 += PANEL_K) {
        int64_t kn = tn_min_i64(PANEL_K, p->k - k0);
        p->load(p->source, k0, kn, n0, nn, panel);
        for (int64_t i = 0; i < p->m; i++)
            row_times_panel(p->a + i * p->k + k0, panel, kn, out + i * PANEL_N);
    }
}

/* Scratch of products: the left operand, one panel, one block of columns. */
typedef struct scratch {
    double *memory;
    size_t elems;
    double *a, *panel, *columns;
} scratch;

static tn_status scratch_make(const tn_interp_call *call, int64_t m, int64_t k, scratch *out) {
    size_t a = (size_t)m * (size_t)k, panel = PANEL_K * PANEL_N, columns = (size_t)m * PANEL_N;
    *out = (scratch){.elems = a + panel + columns};
    TN_TRY(tn_alloc_array(call->allocator, out->elems, sizeof(double), &out->memory));
    out->panel = out->memory;
    out->columns = out->panel + panel;
    out->a = out->columns + columns;
    return NULL;
}

static void scratch_free(const tn_interp_call *call, scratch *s) {
    tn_alloc_free(call->allocator, s->memory, s->elems * sizeof(double));
}

/* ---- matmul ---------------------------------------------------------------------------------- */

static void load_matrix_panel(const void *source, int64_t k0, int64_t kn, int64_t n0, int64_t nn,
                              double *panel) {
    const tn_tensor *b = source; /* [K, N] */
    bool is_column_major = b->strides[0] == 1 && b->strides[1] != 1;
    tn_tensor part = tn_tensor_slice(b, 0, k0, kn, 1);
    part = tn_tensor_slice(&part, 1, n0, nn, 1);
    if (!is_column_major) {
        tn_walk walk = tn_walk_over(&part);
        for (int64_t k = 0; k < kn; k++)
            tn_walk_load_f64(&walk, nn, panel + k * PANEL_N);
        return;
    }
    double column[PANEL_K];
    part = tn_tensor_dim_last(&part, 0);
    tn_walk walk = tn_walk_over(&part);
    for (int64_t n = 0; n < nn; n++) {
        tn_walk_load_f64(&walk, kn, column);
        for (int64_t k = 0; k < kn; k++)
            panel[k * PANEL_N + n] = column[k];
    }
}

/* One matrix of the batch: result [M, N], a [M, K], b [K, N], bias [M, N] or NULL. */
static void matmul_one(const scratch *s, const tn_tensor *a, const tn_tensor *b,
                       const tn_tensor *bias, const tn_tensor *result) {
    int64_t m = a->dims[0], k = a->dims[1], n = b->dims[1];
    product p = {m, k, s->a, load_matrix_panel, b};
    tn_walk in = tn_walk_over(a);
    tn_walk_load_f64(&in, m * k, s->a);
    for (int64_t n0 = 0; n0 < n; n0 += PANEL_N) {
        int64_t nn = tn_min_i64(PANEL_N, n - n0);
        product_columns(&p, n0, nn, s->panel, s->columns);
        tn_tensor part = tn_tensor_slice(result, 1, n0, nn, 1);
        tn_walk out = tn_walk_over(&part), add = out;
        if (bias) {
            tn_tensor bias_part = tn_tensor_slice(bias, 1, n0, nn, 1);
            add = tn_walk_over(&bias_part);
        }
        for (int64_t i = 0; i < m; i++) {
            double *row = s->columns + i * PANEL_N, extra[PANEL_N];
            if (bias)
                tn_walk_load_f64(&add, nn, extra);
            for (int64_t j = 0; bias && j < nn; j++)
                row[j] += extra[j];
            tn_walk_store_f64(&out, nn, row);
        }
    }
}

static uint64_t whole_at(const tn_tensor *t, int64_t i, int64_t j) {
    return (uint64_t)tn_elem_get_i64(t->dtype,
                                     tn_tensor_at(t, i * t->strides[0] + j * t->strides[1]));
}

static void matmul_whole(const tn_tensor *a, const tn_tensor *b, const tn_tensor *bias,
                         const tn_tensor *result) {
    for (int64_t i = 0; i < result->dims[0]; i++)
        for (int64_t j = 0; j < result->dims[1]; j++) {
            uint64_t sum = bias ? whole_at(bias, i, j) : 0;
            for (int64_t k = 0; k < a->dims[1]; k++)
                sum += whole_at(a, i, k) * whole_at(b, k, j);
            tn_elem_set_i64(result->dtype,
                            tn_tensor_at(result, i * result->strides[0] + j * result->strides[1]),
                            (int64_t)sum);
        }
}

/* The last two dims of a tensor at one index of the batch, which has `rank` dims. */
static tn_tensor matrix_at(const tn_tensor *tensor, const int64_t *index, uint32_t rank) {
    tn_tensor matrix = {.dtype = tensor->dtype, .rank = 2};
    uint32_t batch = tensor->rank - 2;
    int64_t offset = 0;
    for (uint32_t d = 0; d < batch; d++)
        offset += tensor->dims[d] == 1 ? 0 : index[rank - batch + d] * tensor->strides[d];
    for (uint32_t d = 0; d < 2; d++) {
        matrix.dims[d] = tensor->dims[batch + d];
        matrix.strides[d] = tensor->strides[batch + d];
    }
    matrix.data = tn_tensor_at(tensor, offset);
    return matrix;
}

/* bias as it stretches over the result. */
static tn_tensor stretched(const tn_tensor *bias, const tn_tensor *result) {
    tn_tensor wide = *result;
    uint32_t missing = result->rank - bias->rank;
    wide.data = bias->data;
    for (uint32_t d = 0; d < result->rank; d++)
        wide.strides[d] = d < missing || bias->dims[d - missing] != result->dims[d]
                              ? 0
                              : bias->strides[d - missing];
    return wide;
}

static tn_status run_matmul(const tn_interp_call *call) {
    const tn_tensor *a = tn_interp_operand(call, 0), *b = tn_interp_operand(call, 1);
    const tn_tensor *bias = tn_interp_operand(call, 2), *result = &call->results[0];
    bool is_float = tn_dtype_is_float(a->dtype);
    uint32_t batch = result->rank - 2;
    int64_t index[TN_MAX_RANK] = {0};
    scratch s;
    tn_tensor wide_bias;
    if (tn_tensor_elems(result) == 0)
        return NULL;
    if (bias)
        wide_bias = stretched(bias, result);
    TN_TRY(scratch_make(call, a->dims[a->rank - 2], a->dims[a->rank - 1], &s));
    do {
        tn_tensor a_one = matrix_at(a, index, batch), b_one = matrix_at(b, index, batch);
        tn_tensor result_one = matrix_at(result, index, batch), bias_one;
        if (bias)
            bias_one = matrix_at(&wide_bias, index, batch);
        if (is_float)
            matmul_one(&s, &a_one, &b_one, bias ? &bias_one : NULL, &result_one);
        else
            matmul_whole(&a_one, &b_one, bias ? &bias_one : NULL, &result_one);
    } while (tn_index_next(index, result->dims, batch));
    scratch_free(call, &s);
    return NULL;
}

/* ---- convolution ----------------------------------------------------------------------------- */

/* The channels of one group of one image, with absent spatial dims of size 1: row k of the right
 * operand is a (channel, tap), column n a position of the result. */
typedef struct taps {
    tn_tensor x; /* [channels, d, h, w] */
    int64_t kernel[3], stride[3], pad[3], dilation[3], out[3];
    bool is_transposed;
} taps;

/* The input position that a result position sees through tap t of dim d; false: none, a zero. */
static bool tap_source(const taps *t, uint32_t d, int64_t out, int64_t tap, int64_t *out_position) {
    int64_t position;
    if (t->is_transposed) {
        position = out + t->pad[d] - tap * t->dilation[d];
        if (position < 0 || position % t->stride[d] != 0)
            return false;
        position /= t->stride[d];
    } else {
        position = out * t->stride[d] - t->pad[d] + tap * t->dilation[d];
    }
    *out_position = position;
    return position >= 0 && position < t->x.dims[1 + d];
}

static void load_tap_row(const taps *t, int64_t k, int64_t n0, int64_t nn, double *row) {
    int64_t tap[3], at[3], offset;
    for (uint32_t d = 3; d-- > 0; k /= t->kernel[d])
        tap[d] = k % t->kernel[d];
    int64_t channel = k * t->x.strides[0], n = n0;
    for (uint32_t d = 3; d-- > 0; n /= t->out[d])
        at[d] = n % t->out[d];
    for (int64_t i = 0; i < nn; i++) {
        bool is_inside = true;
        offset = channel;
        for (uint32_t d = 0; d < 3 && is_inside; d++) {
            int64_t position = 0;
            is_inside = tap_source(t, d, at[d], tap[d], &position);
            offset += position * t->x.strides[1 + d];
        }
        row[i] = is_inside ? tn_elem_get_f64(t->x.dtype, tn_tensor_at(&t->x, offset)) : 0;
        tn_index_next(at, t->out, 3);
    }
}

static void load_taps_panel(const void *source, int64_t k0, int64_t kn, int64_t n0, int64_t nn,
                            double *panel) {
    for (int64_t k = 0; k < kn; k++)
        load_tap_row(source, k0 + k, n0, nn, panel + k * PANEL_N);
}

/* Inserts spatial dims of size 1 after the first two until there are three. */
static tn_tensor three_spatial(const tn_tensor *tensor) {
    tn_tensor wide = *tensor;
    wide.rank = 5;
    for (uint32_t d = 0; d < 3; d++) {
        bool is_absent = d < 5 - tensor->rank;
        wide.dims[2 + d] = is_absent ? 1 : tensor->dims[2 + d - (5 - tensor->rank)];
        wide.strides[2 + d] = is_absent ? 0 : tensor->strides[2 + d - (5 - tensor->rank)];
    }
    return wide;
}

/* Weights of one group as a matrix: output channels by (input channel, taps). */
static void load_weights(const tn_tensor *w, bool is_transposed, int64_t groups, int64_t group,
                         double *out) {
    tn_tensor part = three_spatial(w);
    int64_t size = w->dims[0] / groups; /* [O, C/g] or, transposed, [C, O/g] */
    part = tn_tensor_slice(&part, 0, group * size, size, 1);
    if (is_transposed) {
        tn_tensor turned = part;
        turned.dims[0] = part.dims[1];
        turned.strides[0] = part.strides[1];
        turned.dims[1] = part.dims[0];
        turned.strides[1] = part.strides[0];
        part = turned;
    }
    tn_walk walk = tn_walk_over(&part);
    tn_walk_load_f64(&walk, tn_tensor_elems(&part), out);
}

/* One group of one image: result [channels, d, h, w], bias at the group's first channel or NULL. */
static void conv_one(const scratch *s, const product *p, const tn_tensor *result,
                     const tn_tensor *bias) {
    int64_t spatial = result->dims[1] * result->dims[2] * result->dims[3];
    for (int64_t n0 = 0; n0 < spatial; n0 += PANEL_N) {
        int64_t nn = tn_min_i64(PANEL_N, spatial - n0), at[3], n = n0;
        product_columns(p, n0, nn, s->panel, s->columns);
        for (uint32_t d = 3; d-- > 0; n /= result->dims[1 + d])
            at[d] = n % result->dims[1 + d];
        for (int64_t j = 0; j < nn; j++) {
            int64_t offset = 0;
            for (uint32_t d = 0; d < 3; d++)
                offset += at[d] * result->strides[1 + d];
            for (int64_t i = 0; i < p->m; i++) {
                double add =
                    bias ? tn_elem_get_f64(bias->dtype, tn_tensor_at(bias, i * bias->strides[0]))
                         : 0;
                tn_elem_set_f64(result->dtype,
                                tn_tensor_at(result, offset + i * result->strides[0]),
                                s->columns[i * PANEL_N + j] + add);
            }
            tn_index_next(at, result->dims + 1, 3);
        }
    }
}

/* Element i of a list that has one entry per spatial dim, counted within three of them. */
static int64_t spatial_arg(const tn_resolved_arg *arg, uint32_t i, int64_t absent) {
    uint32_t missing = 3 - arg->count;
    return i < missing ? absent : arg->ints[i - missing];
}

static tn_status run_conv(const tn_interp_call *call) {
    const tn_tensor *w = tn_interp_operand(call, 1), *bias = tn_interp_operand(call, 2);
    tn_tensor x = three_spatial(tn_interp_operand(call, 0)), kernel = three_spatial(w);
    tn_tensor result = three_spatial(&call->results[0]);
    int64_t groups = call->args[7].i;
    taps t = {.is_transposed = call->args[8].b};
    for (uint32_t d = 0; d < 3; d++) {
        t.kernel[d] = kernel.dims[2 + d];
        t.out[d] = result.dims[2 + d];
        t.stride[d] = spatial_arg(&call->args[3], d, 1);
        t.pad[d] = spatial_arg(&call->args[4], d, 0);
        t.dilation[d] = spatial_arg(&call->args[6], d, 1);
    }
    if (!tn_dtype_is_float(w->dtype))
        return tn_interp_refuse_dtype(call, w->dtype);
    if (tn_tensor_elems(&result) == 0)
        return NULL;
    int64_t m = result.dims[1] / groups, channels = x.dims[1] / groups;
    product p = {.m = m,
                 .k = channels * t.kernel[0] * t.kernel[1] * t.kernel[2],
                 .load = load_taps_panel,
                 .source = &t};
    scratch s;
    TN_TRY(scratch_make(call, m, p.k, &s));
    p.a = s.a;
    for (int64_t group = 0; group < groups; group++) {
        tn_tensor x_group = tn_tensor_slice(&x, 1, group * channels, channels, 1);
        tn_tensor result_group = tn_tensor_slice(&result, 1, group * m, m, 1), bias_group;
        if (bias)
            bias_group = tn_tensor_slice(bias, 0, group * m, m, 1);
        load_weights(w, t.is_transposed, groups, group, s.a);
        for (int64_t image = 0; image < x.dims[0]; image++) {
            tn_tensor result_one = tn_tensor_select(&result_group, 0, image);
            t.x = tn_tensor_select(&x_group, 0, image);
            conv_one(&s, &p, &result_one, bias ? &bias_group : NULL);
        }
    }
    scratch_free(call, &s);
    return NULL;
}

tn_status tn_interp_contract(const tn_interp_call *call) {
    switch (call->prim) {
    case TN_PRIM_MATMUL:
        return run_matmul(call);
    case TN_PRIM_CONV:
        return run_conv(call);
    default:
        return tn_interp_attention(call);
    }
}
