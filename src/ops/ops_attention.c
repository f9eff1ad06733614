/* ops_attention.c: softmax, and attention in the forms that PyTorch exports. */
#include "ops/op_families.h"

#include <math.h>

/* ---- softmax
 * -----------------------------------------------------------------------------------------------
 */

static tn_status softmax(tn_cv *cv, tn_dtype dtype) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_kb_cast(kb, tn_cv_tensor(cv, "self"), dtype);
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(x));
    bool is_log = tn_cv_prim(cv) == TN_PRIM_LOG_SOFTMAX;
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(dtype));
    if (tn_value_rank(x) == 0) { /* one element: as a vector of one, so that NaN and Inf stay */
        tn_value *y = tn_kb_softmax(kb, tn_kb_unsqueeze(kb, x, 0), 0, is_log);
        tn_cv_set_result(cv, 0, tn_kb_squeeze(kb, y, 0));
        return NULL;
    }
    tn_cv_set_result(cv, 0, tn_kb_softmax(kb, x, dim, is_log));
    return NULL;
}

static tn_status convert_softmax(tn_cv *cv) {
    return softmax(cv, tn_cv_dtype(cv, "dtype", tn_value_dtype(tn_cv_tensor(cv, "self"))));
}

/* half_to_float: the result of a half softmax in f32. */
static tn_status convert_native_softmax(tn_cv *cv) {
    return softmax(cv, tn_cv_bool(cv, "half_to_float") ? TN_F32
                                                       : tn_value_dtype(tn_cv_tensor(cv, "self")));
}

/* ---- attention
 * ------------------------------------------------------------------------------------------------
 */

typedef struct tn_sdpa {
    tn_value *q, *k, *v, *mask;
    double scale;
    bool is_causal;
} tn_sdpa;

static tn_status read_sdpa(tn_cv *cv, const char *mask_name, tn_sdpa *sdpa) {
    sdpa->q = tn_cv_tensor(cv, "query");
    sdpa->k = tn_cv_tensor(cv, "key");
    sdpa->v = tn_cv_tensor(cv, "value");
    sdpa->mask = tn_cv_tensor(cv, mask_name);
    sdpa->is_causal = tn_cv_bool(cv, "is_causal");
    uint32_t rank = sdpa->q->type.rank;
    if (rank < 2 || sdpa->k->type.rank != rank || sdpa->v->type.rank != rank)
        return tn_cv_refuse(
            cv, "query, key and value have rank %u, %u and %u, accepted is one rank from 2", rank,
            sdpa->k->type.rank, sdpa->v->type.rank);
    if (!tn_dtype_is_float(sdpa->q->type.dtype))
        return tn_cv_refuse(cv, "query is %s, accepted are floats",
                            tn_dtype_name(sdpa->q->type.dtype));
    if (tn_cv_float(cv, "dropout_p") != 0)
        return tn_cv_refuse(cv, "dropout_p is %g, accepted is 0 (export after model.eval())",
                            tn_cv_float(cv, "dropout_p"));
    const tn_sym *depth = sdpa->q->type.dims[rank - 1];
    if (!tn_cv_is_none(cv, "scale"))
        sdpa->scale = tn_cv_float(cv, "scale");
    else if (tn_sym_is_const(depth))
        sdpa->scale = 1 / sqrt((double)depth->value);
    else
        return tn_cv_refuse(
            cv, "the head's size depends on the input's shape, accepted is a constant or "
                "a given scale");
    if (sdpa->is_causal && sdpa->mask)
        return tn_cv_refuse(cv, "a mask and is_causal are given, accepted is one of them");
    return NULL;
}

/* x with q's sizes before the head dim (dim rank - 3): PyTorch broadcasts them. */
static tn_value *expand_batch(tn_cv *cv, tn_value *x, const tn_value *q) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_value_rank(x);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d + 3 < rank ? q->type.dims[d] : x->type.dims[d];
    return tn_kb_expand(cv->kb, x, dims, rank);
}

/* The primitive wants a head dim; a mask in the dtype of the scores, or bool. */
static tn_value *attend(tn_cv *cv, const tn_sdpa *sdpa) {
    tn_kb *kb = cv->kb;
    tn_value *q = sdpa->q, *k = sdpa->k, *v = sdpa->v, *mask = sdpa->mask;
    bool has_heads = q->type.rank > 2;
    if (!has_heads) {
        q = tn_kb_unsqueeze(kb, q, 0);
        k = tn_kb_unsqueeze(kb, k, 0);
        v = tn_kb_unsqueeze(kb, v, 0);
    } else {
        k = expand_batch(cv, k, q);
        v = expand_batch(cv, v, q);
    }
    if (mask && mask->type.dtype != TN_BOOL)
        mask = tn_kb_cast(kb, mask, sdpa->q->type.dtype);
    tn_kb_attention_args args = {
        .q = q, .k = k, .v = v, .mask = mask, .scale = sdpa->scale, .is_causal = sdpa->is_causal};
    tn_value *y = tn_kb_attention(kb, &args);
    return has_heads ? y : tn_kb_squeeze(kb, y, 0);
}

static tn_status convert_sdpa(tn_cv *cv) {
    tn_sdpa sdpa;
    TN_TRY(read_sdpa(cv, "attn_mask", &sdpa));
    uint32_t rank = sdpa.q->type.rank;
    if (rank > 2 && !tn_cv_bool(cv, "enable_gqa")) {
        const tn_sym *heads = sdpa.q->type.dims[rank - 3], *groups = sdpa.k->type.dims[rank - 3];
        bool is_same = tn_sym_is(groups, 1) || tn_sym_is(heads, 1) ||
                       tn_sym_known_eq(cv->kb->graph->syms, heads, groups) != 0;
        if (!is_same || (tn_sym_is(heads, 1) && !tn_sym_is(groups, 1)))
            return tn_cv_refuse(
                cv, "query and key have different head counts, accepted are equal ones, "
                    "or enable_gqa");
    }
    tn_cv_set_result(cv, 0, attend(cv, &sdpa));
    return NULL;
}

/* The keys of grouped heads [B, G, S, D] once for each of q's heads. */
static tn_value *repeat_heads(tn_cv *cv, tn_value *k, const tn_value *q) {
    tn_kb *kb = cv->kb;
    const tn_sym *heads = tn_value_size(q, 1), *groups = tn_value_size(k, 1);
    if (heads == groups)
        return k;
    const tn_sym *split[5] = {tn_value_size(k, 0), groups,
                              tn_sym_floordiv(kb->graph->syms, heads, groups), tn_value_size(k, 2),
                              tn_value_size(k, 3)};
    const tn_sym *whole[4] = {split[0], heads, split[3], split[4]};
    k = tn_kb_expand(kb, tn_kb_unsqueeze(kb, k, 2), split, 5);
    return tn_kb_reshape(kb, k, whole, 4);
}

/* scale * q @ k^T + mask in f32: what the second results of the _scaled_dot_product ops are made
 * of. They are seldom used, and then removed. Heads must agree. */
static tn_value *scores(tn_cv *cv, const tn_sdpa *sdpa) {
    tn_kb *kb = cv->kb;
    uint32_t rank = sdpa->q->type.rank;
    tn_value *q = tn_cv_math(cv, sdpa->q), *k = tn_cv_math(cv, sdpa->k);
    tn_dtype compute = tn_value_dtype(q);
    tn_value *s = tn_kb_matmul(kb, q, tn_kb_transpose(kb, k, rank - 2, rank - 1), NULL);
    s = tn_kb_map2(kb, TN_PRIM_MUL, s, tn_kb_float(kb, compute, sdpa->scale));
    tn_value *minus_inf = tn_kb_float(kb, compute, -INFINITY);
    if (sdpa->is_causal) {
        const tn_sym *one = tn_cv_size(cv, 1);
        const tn_sym *rows[2] = {tn_value_size(s, rank - 2), one};
        const tn_sym *columns[2] = {one, tn_value_size(s, rank - 1)};
        tn_value *is_seen = tn_kb_map2(kb, TN_PRIM_LE, tn_kb_iota(kb, TN_I64, columns, 2, 1, 0, 1),
                                       tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, 1));
        return tn_kb_select(kb, is_seen, s, minus_inf);
    }
    if (!sdpa->mask)
        return s;
    if (sdpa->mask->type.dtype == TN_BOOL)
        return tn_kb_select(kb, sdpa->mask, s, minus_inf);
    return tn_kb_map2(kb, TN_PRIM_ADD, s, tn_kb_cast(kb, sdpa->mask, compute));
}

/* The result and the log of the sum of exp(scores) of each row. */
static tn_status convert_flash_cpu(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_sdpa sdpa;
    TN_TRY(read_sdpa(cv, "attn_mask", &sdpa));
    if (sdpa.q->type.rank != 4)
        return tn_cv_refuse(cv, "query has rank %u, accepted is 4", sdpa.q->type.rank);
    tn_cv_set_result(cv, 0, attend(cv, &sdpa));
    sdpa.k = repeat_heads(cv, sdpa.k, sdpa.q);
    tn_value *s = scores(cv, &sdpa);
    tn_value *top = tn_kb_reduce(kb, TN_PRIM_REDUCE_MAX, s, 8, true);
    tn_value *e = tn_kb_map1(kb, TN_PRIM_EXP, tn_kb_map2(kb, TN_PRIM_SUB, s, top));
    tn_value *sum = tn_kb_map1(kb, TN_PRIM_LOG, tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, e, 8, true));
    tn_cv_set_result(cv, 1, tn_kb_squeeze(kb, tn_kb_map2(kb, TN_PRIM_ADD, sum, top), 3));
    return NULL;
}

/* The result and the weights. */
static tn_status convert_math_attention(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_sdpa sdpa;
    TN_TRY(read_sdpa(cv, "attn_mask", &sdpa));
    uint32_t rank = sdpa.q->type.rank;
    if (sdpa.mask && sdpa.mask->type.dtype == TN_BOOL) /* PyTorch would add its 0 and 1 */
        return tn_cv_refuse(cv, "attn_mask is bool, accepted are floats");
    if (!tn_cv_is_none(cv, "dropout_mask") || tn_cv_bool(cv, "enable_gqa"))
        return tn_cv_refuse(cv, "dropout_mask or enable_gqa is given, accepted are neither");
    tn_cv_set_result(cv, 0, attend(cv, &sdpa));
    tn_value *weights = tn_kb_softmax(kb, scores(cv, &sdpa), rank - 1, false);
    tn_cv_set_result(cv, 1, tn_kb_cast(kb, weights, sdpa.q->type.dtype));
    return NULL;
}

/* ---- the family
 * ------------------------------------------------------------------------------------------------
 */

#define SOFTMAXES(LAST)                                                                            \
    "@rtol=1e-5\n"                                                                                 \
    "(f32[2,5], 1" LAST ")\n"                                                                      \
    "(f32[2,3,4]{nc}, 1" LAST ")\n"                                                                \
    "(f32[3,4]{inf}, -1" LAST ")\n"                                                                \
    "(f32[2,3]{nan}, 1" LAST ")\n"                                                                 \
    "(f32[0,3], 1" LAST ")\n"                                                                      \
    "(f32[3,0], 1" LAST ")\n"                                                                      \
    "(f32[], 0" LAST ")\n"                                                                         \
    "(f32[1,2,1,2,1,2,1,2], 5" LAST ")\n"                                                          \
    "(f64[9], 0" LAST ")\n"                                                                        \
    "(f16[2,40], 1" LAST ")\n"                                                                     \
    "(bf16[2,40], 1" LAST ")\n"                                                                    \
    "(f32[2,3]{lo=-99,hi=99}, 0" LAST ")\n"
/* In bf16 the probabilities are rounded before the second product, in an order of its own: half of
 * a percent of the values, which are near 1, whatever the result's size. */
#define ATTENTION                                                                                  \
    "(f32[2,3,4,8], f32[2,3,4,8], f32[2,3,4,8])@seq\n"                                             \
    "(f32[1,2,5,8]{nc}, f32[1,2,7,8]{nc}, f32[1,2,7,8])@seq\n"                                     \
    "(f32[2,2,5,8], f32[2,2,5,8], f32[2,2,5,8], is_causal=True)@seq\n"                             \
    "(f32[2,2,5,8], f32[2,2,5,8], f32[2,2,5,8], scale=0.3)@seq\n"                                  \
    "(bf16[2,2,5,8], bf16[2,2,5,8], bf16[2,2,5,8])@seq atol=4e-3\n"                                \
    "(f64[1,1,1,1], f64[1,1,1,1], f64[1,1,1,1])@seq\n"

static const tn_op_entry entries[] = {
    {"aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", convert_softmax,
     SOFTMAXES("") "(bf16[2,9], 1, dtype=torch.float32)\n"
                   "(i64[2,3], 1, dtype=torch.float32)\n",
     TN_PRIM_SOFTMAX},
    {"aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", convert_native_softmax,
     SOFTMAXES(", False"), TN_PRIM_SOFTMAX},
    {"aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
     convert_softmax, SOFTMAXES("") "(bf16[2,9], 1, dtype=torch.float32)\n", TN_PRIM_LOG_SOFTMAX},
    {"aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor",
     convert_native_softmax, SOFTMAXES(", False"), TN_PRIM_LOG_SOFTMAX},
    /* Two products and a softmax, summed in another order. */
    {"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
     "attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool "
     "enable_gqa=False) -> Tensor",
     convert_sdpa,
     "@rtol=1e-5 atol=2e-6\n" ATTENTION
     "(f32[2,3,4,8], f32[2,3,6,8], f32[2,3,6,8], bool[4,6]{tail})@seq\n"
     "(f32[2,3,4,8], f32[2,3,6,8], f32[2,3,6,8], f32[2,1,4,6])@seq\n"
     "(f32[2,3,4,8], f32[2,3,6,8], f32[2,3,6,5], f32[1,1,1,6]{tail})@seq\n"
     "(f32[2,4,5,8], f32[2,2,5,8], f32[2,2,5,8], enable_gqa=True)@seq\n"
     "(f32[3,4,8], f32[3,6,8], f32[3,6,8])@seq\n"
     "(f32[4,8], f32[6,8], f32[6,8])@static\n"
     "(f16[1,2,5,8], f16[1,2,5,8], f16[1,2,5,8], is_causal=True)@seq\n"
     "(f16[2,4,37,64], f16[2,2,70,64], f16[2,2,70,48], bool[37,70]{tail}, enable_gqa=True)@seq\n"
     "(f16[1,2,4,24], f16[1,2,90,24], f16[1,2,90,24], f16[1,1,4,90])@seq atol=1e-3\n"
     "(f32[0,2,4,8], f32[0,2,4,8], f32[0,2,4,8])@static\n"
     "(f32[1,2,3,8], f32[1,2,3,8], f32[1,2,3,8], bool[3,3]{zero})@static\n"
     "(f32[1,2,5,8], f32[1,2,3,8], f32[1,2,3,8], is_causal=True)@static\n",
     TN_PRIM_NONE},
    {"aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, "
     "float dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> "
     "(Tensor output, Tensor logsumexp)",
     convert_flash_cpu,
     "@rtol=1e-5 atol=2e-6\n"
     "(f32[2,3,4,8], f32[2,3,4,8], f32[2,3,4,8])@static\n"
     "(f32[2,3,4,8], f32[2,3,6,8], f32[2,3,6,8], attn_mask=f32[2,1,4,6])@static\n"
     "(f32[2,6,4,8], f32[2,2,4,8], f32[2,2,4,8])@static\n"
     "(f32[B=2,6,S=4,8], f32[B,2,S,8], f32[B,2,S,8])\n"
     "(bf16[1,2,5,8], bf16[1,2,5,8], bf16[1,2,5,8], 0.0, True)@static atol=4e-3\n"
     "(f64[1,1,1,1], f64[1,1,1,1], f64[1,1,1,1], scale=0.5)@static\n"
     "(f32[B=2,2,S=4,8], f32[B,2,S,8], f32[B,2,S,8])\n",
     TN_PRIM_NONE},
    {"aten::_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? "
     "attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, "
     "float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)",
     convert_math_attention,
     "@rtol=1e-5 atol=2e-6\n" ATTENTION
     "(f32[2,3,4,8], f32[2,3,6,8], f32[2,3,6,8], f32[2,1,4,6])@seq\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_attention = {"attention", entries, sizeof entries / sizeof *entries};
