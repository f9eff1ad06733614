/* interp_norm.c: softmax and normalisations, a row at a time in double. */
#include <math.h>

#include "kir/interp_impl.h"

/* A row of -inf alone gives NaN, as does one with +inf or NaN in it. */
static void softmax_row(double *row, int64_t count, bool is_log) {
    double highest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        highest = isnan(row[i]) || row[i] > highest ? row[i] : highest;
    for (int64_t i = 0; i < count; i++)
        sum += exp(row[i] - highest);
    /* cppcheck-suppress invalidFunctionArg ; a row has an element, so the sum is not 0 */
    double log_sum = log(sum);
    for (int64_t i = 0; i < count; i++)
        row[i] = is_log ? row[i] - highest - log_sum : exp(row[i] - highest) / sum;
}

static tn_status run_softmax(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0);
    uint32_t dim = (uint32_t)call->args[1].i;
    int64_t size = x->dims[dim], elems = tn_tensor_elems(x);
    tn_tensor from = tn_tensor_dim_last(x, dim), to = tn_tensor_dim_last(&call->results[0], dim);
    tn_walk in = tn_walk_over(&from), out = tn_walk_over(&to);
    double *row = NULL;
    if (elems == 0)
        return NULL;
    TN_TRY(tn_alloc_array(call->allocator, (size_t)size, sizeof *row, &row));
    for (int64_t lane = 0; lane < elems / size; lane++) {
        tn_walk_load_f64(&in, size, row);
        softmax_row(row, size, call->prim == TN_PRIM_LOG_SOFTMAX);
        tn_walk_store_f64(&out, size, row);
    }
    tn_alloc_free(call->allocator, row, (size_t)size * sizeof *row);
    return NULL;
}

/* weight and bias may be NULL. */
static void normalize_row(double *row, int64_t count, bool is_layer_norm, double eps,
                          const double *weight, const double *bias) {
    double mean = 0, squares = 0;
    if (is_layer_norm) {
        for (int64_t i = 0; i < count; i++)
            mean += row[i];
        mean /= (double)count;
    }
    for (int64_t i = 0; i < count; i++)
        squares += (row[i] - mean) * (row[i] - mean);
    double scale = 1 / sqrt(squares / (double)count + eps);
    for (int64_t i = 0; i < count; i++) {
        row[i] = (row[i] - mean) * scale;
        if (weight)
            row[i] *= weight[i];
        if (bias)
            row[i] += bias[i];
    }
}

static tn_status run_normalize(const tn_interp_call *call) {
    const tn_tensor *x = tn_interp_operand(call, 0), *weight = tn_interp_operand(call, 1);
    bool is_layer_norm = call->prim == TN_PRIM_LAYER_NORM;
    const tn_tensor *bias = is_layer_norm ? tn_interp_operand(call, 2) : NULL;
    uint32_t dims = (uint32_t)call->args[is_layer_norm ? 3 : 2].i;
    double eps = call->args[is_layer_norm ? 4 : 3].f;
    int64_t size = 1, elems = tn_tensor_elems(x);
    for (uint32_t d = x->rank - dims; d < x->rank; d++)
        size *= x->dims[d];
    if (elems == 0)
        return NULL;
    double *row = NULL;
    TN_TRY(tn_alloc_array(call->allocator, (size_t)size, 3 * sizeof *row, &row));
    double *scale = row + size, *shift = scale + size;
    tn_walk in = tn_walk_over(x), out = tn_walk_over(&call->results[0]);
    if (weight) {
        tn_walk walk = tn_walk_over(weight);
        tn_walk_load_f64(&walk, size, scale);
    }
    if (bias) {
        tn_walk walk = tn_walk_over(bias);
        tn_walk_load_f64(&walk, size, shift);
    }
    for (int64_t lane = 0; lane < elems / size; lane++) {
        tn_walk_load_f64(&in, size, row);
        normalize_row(row, size, is_layer_norm, eps, weight ? scale : NULL, bias ? shift : NULL);
        tn_walk_store_f64(&out, size, row);
    }
    tn_alloc_free(call->allocator, row, (size_t)size * 3 * sizeof *row);
    return NULL;
}

tn_status tn_interp_norm(const tn_interp_call *call) {
    if (call->prim == TN_PRIM_SOFTMAX || call->prim == TN_PRIM_LOG_SOFTMAX)
        return run_softmax(call);
    return run_normalize(call);
}
