/* infer_contract.c: result types of contractions, windows and normalisations. */
#include "kir/infer.h"

/* ---- contractions ---------------------------------------------------------------------------- */

static void infer_matmul(tn_infer *in) {
    const tn_type *a = tn_infer_operand(in, 0), *b = tn_infer_operand(in, 1);
    const tn_type *bias = tn_infer_operand(in, 2);
    if (!a || !b)
        return;
    if (a->rank < 2 || b->rank < 2 ||
        !tn_infer_same_dim(in, a->dims[a->rank - 1], b->dims[b->rank - 2])) {
        tn_infer_fail(in, "a is %s and b is %s, wanted [.., M, K] and [.., K, N]", TN_TYPE_TEXT(a),
                      TN_TYPE_TEXT(b));
        return;
    }
    tn_type result = *a, batch = *b;
    result.rank -= 2;
    batch.rank -= 2;
    if (!tn_infer_same_dtype(in, "b", b, a->dtype) || !tn_infer_broadcast(in, &batch, &result))
        return;
    result.dims[result.rank++] = a->dims[a->rank - 2];
    result.dims[result.rank++] = b->dims[b->rank - 1];
    in->results[0] = result;
    if (!bias || !tn_infer_same_dtype(in, "bias", bias, a->dtype))
        return;
    bool fits = bias->rank <= result.rank;
    for (uint32_t i = 0; fits && i < bias->rank; i++) {
        const tn_sym *dim = bias->dims[bias->rank - 1 - i];
        fits = tn_sym_is(dim, 1) || tn_infer_same_dim(in, dim, result.dims[result.rank - 1 - i]);
    }
    if (!fits)
        tn_infer_fail(in, "bias is %s, wanted a shape that expands to %s", TN_TYPE_TEXT(bias),
                      TN_TYPE_TEXT(&result));
}

/* Size of one spatial dim of a convolution's result. */
static const tn_sym *conv_dim(tn_infer *in, uint32_t i, const tn_sym *size, const tn_sym *kernel) {
    int64_t stride = tn_infer_int_at(in, 3, i);
    int64_t pad = tn_infer_int_at(in, 4, i) + tn_infer_int_at(in, 5, i);
    int64_t dilation = tn_infer_int_at(in, 6, i), extra = tn_infer_int_at(in, 9, i);
    bool is_transposed = in->args[8].b;
    if (stride < 1 || dilation < 1)
        tn_infer_fail(in, "stride is %lld and dilation %lld in spatial dim %u, wanted at least 1",
                      (long long)stride, (long long)dilation, i);
    if (in->status)
        return NULL;
    const tn_sym *reach = tn_sym_muli(in->syms, tn_sym_addi(in->syms, kernel, -1), dilation);
    if (is_transposed) {
        const tn_sym *span = tn_sym_muli(in->syms, tn_sym_addi(in->syms, size, -1), stride);
        return tn_sym_addi(in->syms, tn_sym_add(in->syms, span, reach), extra + 1 - pad);
    }
    const tn_sym *span = tn_sym_addi(in->syms, tn_sym_sub(in->syms, size, reach), pad - 1);
    const tn_sym *steps = tn_sym_floordiv(in->syms, span, tn_sym_const(in->syms, stride));
    return tn_sym_addi(in->syms, steps, 1);
}

static bool conv_lists_fit(tn_infer *in, uint32_t spatial) {
    return tn_infer_list(in, 3, spatial, "stride") && tn_infer_list(in, 4, spatial, "pad_lo") &&
           tn_infer_list(in, 5, spatial, "pad_hi") && tn_infer_list(in, 6, spatial, "dilation") &&
           tn_infer_list(in, 9, spatial, "output_padding");
}

/* The number of output channels; NULL and an error where x, w and groups do not match. */
static const tn_sym *conv_channels(tn_infer *in, const tn_type *x, const tn_type *w) {
    int64_t groups = tn_infer_int(in, 7);
    bool is_transposed = in->args[8].b;
    const tn_sym *first = w->dims[0], *second = tn_sym_muli(in->syms, w->dims[1], groups);
    const tn_sym *in_channels = is_transposed ? first : second;
    if (groups >= 1 && second && tn_infer_same_dim(in, in_channels, x->dims[1]) &&
        (!tn_sym_is_const(first) || first->value % groups == 0))
        return is_transposed ? second : first;
    tn_infer_fail(in, "x is %s and w is %s: channels do not match with %lld groups",
                  TN_TYPE_TEXT(x), TN_TYPE_TEXT(w), (long long)groups);
    return NULL;
}

static void infer_conv(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0), *w = tn_infer_operand(in, 1);
    const tn_type *bias = tn_infer_operand(in, 2);
    if (!x || !w || !tn_infer_same_dtype(in, "w", w, x->dtype))
        return;
    if (x->rank < 3 || x->rank > 5 || w->rank != x->rank) {
        tn_infer_fail(in,
                      "x is %s and w is %s, wanted [N, C, ..] and [O, C/groups, ..] with 1 to 3 "
                      "spatial dims",
                      TN_TYPE_TEXT(x), TN_TYPE_TEXT(w));
        return;
    }
    uint32_t spatial = x->rank - 2;
    const tn_sym *channels = conv_lists_fit(in, spatial) ? conv_channels(in, x, w) : NULL;
    if (!channels)
        return;
    tn_type *result = &in->results[0];
    *result = (tn_type){.dtype = x->dtype, .rank = x->rank};
    result->dims[0] = x->dims[0];
    result->dims[1] = channels;
    for (uint32_t i = 0; i < spatial; i++)
        result->dims[2 + i] = conv_dim(in, i, x->dims[2 + i], w->dims[2 + i]);
    if (!bias || !tn_infer_same_dtype(in, "bias", bias, x->dtype))
        return;
    if (bias->rank != 1 || !tn_infer_same_dim(in, bias->dims[0], channels))
        tn_infer_fail(in, "bias is %s, wanted one element per output channel of w, %s",
                      TN_TYPE_TEXT(bias), TN_TYPE_TEXT(w));
}

/* q [B.., H, S, D], k [B.., G, T, D], v [B.., G, T, E]. */
static bool attention_shapes_fit(tn_infer *in, const tn_type *q, const tn_type *k,
                                 const tn_type *v) {
    uint32_t rank = q->rank;
    if (rank < 3 || k->rank != rank || v->rank != rank)
        return false;
    for (uint32_t d = 0; d < rank - 3; d++)
        if (!tn_infer_same_dim(in, q->dims[d], k->dims[d]) ||
            !tn_infer_same_dim(in, q->dims[d], v->dims[d]))
            return false;
    const tn_sym *heads = q->dims[rank - 3], *groups = k->dims[rank - 3];
    bool is_multiple = heads == groups || !tn_sym_is_const(heads) || !tn_sym_is_const(groups) ||
                       (groups->value > 0 && heads->value % groups->value == 0);
    return is_multiple && tn_infer_same_dim(in, groups, v->dims[rank - 3]) &&
           tn_infer_same_dim(in, k->dims[rank - 2], v->dims[rank - 2]) &&
           tn_infer_same_dim(in, q->dims[rank - 1], k->dims[rank - 1]);
}

static void infer_attention(tn_infer *in) {
    const tn_type *q = tn_infer_operand(in, 0), *k = tn_infer_operand(in, 1);
    const tn_type *v = tn_infer_operand(in, 2), *mask = tn_infer_operand(in, 3);
    if (!q || !k || !v || !tn_infer_dtype(in, "q", q, TN_SET_FLOAT) ||
        !tn_infer_same_dtype(in, "k", k, q->dtype) || !tn_infer_same_dtype(in, "v", v, q->dtype))
        return;
    if (!attention_shapes_fit(in, q, k, v)) {
        tn_infer_fail(in, "q is %s, k %s, v %s, wanted [.., H, S, D], [.., G, T, D], [.., G, T, E]",
                      TN_TYPE_TEXT(q), TN_TYPE_TEXT(k), TN_TYPE_TEXT(v));
        return;
    }
    uint32_t rank = q->rank;
    in->results[0] = *q;
    in->results[0].dims[rank - 1] = v->dims[rank - 1];
    if (!mask)
        return;
    tn_type scores = *q;
    scores.dims[rank - 1] = k->dims[rank - 2];
    bool fits = mask->rank <= rank &&
                (mask->dtype == TN_BOOL || mask->dtype == q->dtype || mask->dtype == TN_F32);
    for (uint32_t i = 0; fits && i < mask->rank; i++) {
        const tn_sym *dim = mask->dims[mask->rank - 1 - i];
        fits = tn_sym_is(dim, 1) || tn_infer_same_dim(in, dim, scores.dims[rank - 1 - i]);
    }
    if (!fits)
        tn_infer_fail(in, "mask is %s, wanted bool, f32 or q's dtype in a shape that expands to %s",
                      TN_TYPE_TEXT(mask), TN_TYPE_TEXT(&scores));
}

void tn_infer_contract(tn_infer *in) {
    if (in->prim == TN_PRIM_MATMUL)
        infer_matmul(in);
    else if (in->prim == TN_PRIM_CONV)
        infer_conv(in);
    else
        infer_attention(in);
}

/* ---- windows --------------------------------------------------------------------------------- */

/* The trailing dims of x replaced by the sizes in list argument i. */
static void windows_result(tn_infer *in, const tn_type *x, uint32_t i) {
    const tn_arg *sizes = &in->args[i];
    if (sizes->count < 1 || sizes->count > 3 || sizes->count > x->rank) {
        tn_infer_fail(in, "out_sizes has %u elements, wanted 1 to 3, at most x's rank %u",
                      sizes->count, x->rank);
        return;
    }
    in->results[0] = *x;
    for (uint32_t d = 0; d < sizes->count; d++)
        in->results[0].dims[x->rank - sizes->count + d] = sizes->ints[d];
}

/* A second result with the indices of the first. */
static void add_indices(tn_infer *in) {
    in->results[1] = in->results[0];
    in->results[1].dtype = TN_I64;
    in->result_count = 2;
}

/* kernel, stride, pad_lo and perhaps dilation agree in length and are sensible. */
static void check_window(tn_infer *in, uint32_t spatial, bool has_dilation) {
    if (!tn_infer_list(in, 1, spatial, "kernel") || !tn_infer_list(in, 2, spatial, "stride") ||
        !tn_infer_list(in, 3, spatial, "pad_lo") ||
        (has_dilation && !tn_infer_list(in, 4, spatial, "dilation")))
        return;
    for (uint32_t i = 0; i < spatial; i++) {
        int64_t dilation = has_dilation ? tn_infer_int_at(in, 4, i) : 1;
        int64_t kernel = tn_infer_int_at(in, 1, i), pad = tn_infer_int_at(in, 3, i);
        if (kernel < 1 || tn_infer_int_at(in, 2, i) < 1 || dilation < 1 || pad < 0)
            tn_infer_fail(
                in, "kernel, stride and dilation must be at least 1 and pad_lo 0 in dim %u", i);
    }
}

static void infer_resize(tn_infer *in, const tn_type *x) {
    uint32_t spatial = in->args[1].count;
    windows_result(in, x, 1);
    if (!tn_infer_word(in, 2, "nearest nearest_exact linear cubic"))
        return;
    if (in->args[4].kind != TN_ARG_FLOATS || in->args[4].count != spatial)
        tn_infer_fail(in, "scales has %u elements, wanted %u", in->args[4].count, spatial);
    if (tn_str_is(in->args[2].s, "cubic") && spatial != 2)
        tn_infer_fail(in, "mode cubic has %u spatial dims, wanted 2", spatial);
    bool is_nearest = tn_str_starts(in->args[2].s, "nearest");
    tn_infer_dtype(in, "x", x, is_nearest ? TN_SET_FLOAT | TN_SET_INT : TN_SET_FLOAT);
}

void tn_infer_window(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x)
        return;
    switch (in->prim) {
    case TN_PRIM_MAX_POOL:
        tn_infer_dtype(in, "x", x, TN_SET_FLOAT | TN_SET_INT);
        check_window(in, in->args[5].count, true);
        windows_result(in, x, 5);
        add_indices(in);
        break;
    case TN_PRIM_AVG_POOL:
        tn_infer_dtype(in, "x", x, TN_SET_FLOAT);
        tn_infer_int(in, 4);
        check_window(in, in->args[5].count, false);
        windows_result(in, x, 5);
        break;
    case TN_PRIM_ADAPTIVE_AVG_POOL:
        tn_infer_dtype(in, "x", x, TN_SET_FLOAT);
        windows_result(in, x, 1);
        break;
    case TN_PRIM_ADAPTIVE_MAX_POOL:
        tn_infer_dtype(in, "x", x, TN_SET_FLOAT | TN_SET_INT);
        windows_result(in, x, 1);
        add_indices(in);
        break;
    default:
        infer_resize(in, x);
        break;
    }
}

/* ---- normalisations -------------------------------------------------------------------------- */

/* weight or bias of a normalisation over the trailing dims. */
static void check_affine(tn_infer *in, const char *name, const tn_type *x, const tn_type *affine,
                         int64_t dim_count) {
    if (in->status || !affine)
        return;
    bool fits = affine->dtype == x->dtype && affine->rank == dim_count;
    for (uint32_t d = 0; fits && d < affine->rank; d++)
        fits = tn_infer_same_dim(in, affine->dims[d], x->dims[x->rank - affine->rank + d]);
    if (!fits)
        tn_infer_fail(in, "%s is %s, wanted the last %lld dims of %s", name, TN_TYPE_TEXT(affine),
                      (long long)dim_count, TN_TYPE_TEXT(x));
}

void tn_infer_norm(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x || !tn_infer_dtype(in, "x", x, TN_SET_FLOAT))
        return;
    in->results[0] = *x;
    if (in->prim == TN_PRIM_SOFTMAX || in->prim == TN_PRIM_LOG_SOFTMAX) {
        tn_infer_dim(in, 1, x->rank);
        return;
    }
    bool has_bias = in->prim == TN_PRIM_LAYER_NORM;
    int64_t dim_count = tn_infer_int(in, has_bias ? 3 : 2);
    if (dim_count < 1 || dim_count > x->rank)
        tn_infer_fail(in, "dims is %lld, wanted 1 to %u", (long long)dim_count, x->rank);
    check_affine(in, "weight", x, tn_infer_operand(in, 1), dim_count);
    if (has_bias)
        check_affine(in, "bias", x, tn_infer_operand(in, 2), dim_count);
}
