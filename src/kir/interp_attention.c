/* interp_attention.c: attention, one head after another, one query row after another.
 *
 * Keys are turned so that scores, like the weighted sum of values, are sums of rows: loops over
 * neighbouring elements that vectorise without reordering a sum. */
#include <math.h>
#include <string.h>

#include "kir/interp_impl.h"

/* The shapes and scratch of one call. */
typedef struct heads {
    int64_t s, t, d, e; /* queries, keys, their width, the values' width */
    double *q, *k, *v;  /* one row, [d, t], [t, e] */
    double *scores, *mask, *sums;
    double scale;
    bool is_causal;
    int64_t causal_offset;
} heads;

/* A tensor [.., rows, columns] at one index of its leading dims; dims of size 1 are broadcast. */
static tn_tensor head_at(const tn_tensor *tensor, const int64_t *index, uint32_t lead) {
    tn_tensor head = *tensor;
    uint32_t missing = lead + 2 - tensor->rank;
    int64_t offset = 0;
    for (uint32_t d = 0; d + 2 < tensor->rank; d++)
        offset += tensor->dims[d] == 1 ? 0 : index[missing + d] * tensor->strides[d];
    head.rank = 2;
    for (uint32_t d = 0; d < 2; d++) {
        head.dims[d] = tensor->dims[tensor->rank - 2 + d];
        head.strides[d] = tensor->strides[tensor->rank - 2 + d];
    }
    head.data = tn_tensor_at(tensor, offset);
    return head;
}

static void score_row(heads *h) {
    memset(h->scores, 0, (size_t)h->t * sizeof *h->scores);
    for (int64_t d = 0; d < h->d; d++)
        for (int64_t t = 0; t < h->t; t++)
            h->scores[t] += h->q[d] * h->k[d * h->t + t];
    for (int64_t t = 0; t < h->t; t++)
        h->scores[t] *= h->scale;
}

/* Hidden positions become -inf. The walk moves one row of the mask on. */
static void mask_row(heads *h, int64_t row, tn_walk *mask) {
    if (mask)
        tn_walk_load_f64(mask, h->t, h->mask);
    for (int64_t t = 0; t < h->t; t++) {
        if (mask && mask->dtype == TN_BOOL)
            h->scores[t] = h->mask[t] != 0 ? h->scores[t] : -INFINITY;
        else if (mask)
            h->scores[t] += h->mask[t];
        if (h->is_causal && t > row + h->causal_offset)
            h->scores[t] = -INFINITY;
    }
}

static void weigh_values(heads *h) {
    double highest = -INFINITY, sum = 0;
    memset(h->sums, 0, (size_t)h->e * sizeof *h->sums);
    for (int64_t t = 0; t < h->t; t++)
        highest = isnan(h->scores[t]) || h->scores[t] > highest ? h->scores[t] : highest;
    if (highest == -INFINITY)
        return; /* nothing to attend to */
    for (int64_t t = 0; t < h->t; t++) {
        double weight = exp(h->scores[t] - highest);
        sum += weight;
        for (int64_t e = 0; e < h->e; e++)
            h->sums[e] += weight * h->v[t * h->e + e];
    }
    for (int64_t e = 0; e < h->e; e++)
        h->sums[e] /= sum;
}

/* q [S, D], k [T, D], v [T, E], mask [S or 1, T or 1] or NULL, result [S, E]. */
static void run_head(heads *h, const tn_tensor *q, const tn_tensor *k, const tn_tensor *v,
                     const tn_tensor *mask, const tn_tensor *result) {
    tn_tensor turned = tn_tensor_dim_last(k, 0);
    int64_t score_dims[2] = {h->s, h->t};
    tn_walk in_q = tn_walk_over(q), in_k = tn_walk_over(&turned), in_v = tn_walk_over(v);
    tn_walk in_mask = in_q, out = tn_walk_over(result);
    if (mask)
        in_mask = tn_walk_broadcast(mask, 2, score_dims);
    tn_walk_load_f64(&in_k, h->d * h->t, h->k);
    tn_walk_load_f64(&in_v, h->t * h->e, h->v);
    for (int64_t row = 0; row < h->s; row++) {
        tn_walk_load_f64(&in_q, h->d, h->q);
        score_row(h);
        mask_row(h, row, mask ? &in_mask : NULL);
        weigh_values(h);
        tn_walk_store_f64(&out, h->e, h->sums);
    }
}

/* A mask of fewer than two dims gets leading ones. */
static tn_tensor mask_matrix(const tn_tensor *mask) {
    tn_tensor wide = *mask;
    while (wide.rank < 2) {
        if (wide.rank == 1) {
            wide.dims[1] = wide.dims[0];
            wide.strides[1] = wide.strides[0];
        }
        wide.dims[0] = 1;
        wide.strides[0] = 0;
        wide.rank++;
    }
    return wide;
}

tn_status tn_interp_attention(const tn_interp_call *call) {
    const tn_tensor *q = tn_interp_operand(call, 0), *k = tn_interp_operand(call, 1);
    const tn_tensor *v = tn_interp_operand(call, 2), *mask = tn_interp_operand(call, 3);
    const tn_tensor *result = &call->results[0];
    uint32_t lead = q->rank - 2;
    heads h = {.s = q->dims[lead],
               .t = k->dims[lead],
               .d = q->dims[lead + 1],
               .e = v->dims[lead + 1],
               .scale = call->args[4].f,
               .is_causal = call->args[5].b,
               .causal_offset = call->args[6].i};
    int64_t repeats = k->dims[lead - 1] ? q->dims[lead - 1] / k->dims[lead - 1] : 1;
    size_t elems = (size_t)(h.d + h.d * h.t + h.t * h.e + 2 * h.t + h.e);
    double *memory = NULL;
    int64_t index[TN_MAX_RANK] = {0};
    tn_tensor mask_wide;
    if (tn_tensor_elems(result) == 0)
        return NULL;
    if (mask)
        mask_wide = mask_matrix(mask);
    TN_TRY(tn_alloc_array(call->allocator, elems, sizeof *memory, &memory));
    h.q = memory;
    h.k = h.q + h.d;
    h.v = h.k + h.d * h.t;
    h.scores = h.v + h.t * h.e;
    h.mask = h.scores + h.t;
    h.sums = h.mask + h.t;
    do {
        int64_t group[TN_MAX_RANK];
        memcpy(group, index, sizeof group);
        group[lead - 1] /= repeats;
        tn_tensor q_head = head_at(q, index, lead), k_head = head_at(k, group, lead);
        tn_tensor v_head = head_at(v, group, lead), result_head = head_at(result, index, lead);
        tn_tensor mask_head;
        if (mask)
            mask_head = head_at(&mask_wide, index, lead);
        run_head(&h, &q_head, &k_head, &v_head, mask ? &mask_head : NULL, &result_head);
    } while (tn_index_next(index, result->dims, lead));
    tn_alloc_free(call->allocator, memory, elems * sizeof *memory);
    return NULL;
}
