/* ops_distance.c: distances and similarities of vectors. */
#include "ops/op_families.h"

#include <math.h>

static tn_status set_cast(tn_cv *cv, tn_value *value, tn_dtype dtype) {
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, value, dtype));
    return NULL;
}

static tn_value *number(tn_cv *cv, const tn_value *like, double value) {
    return tn_kb_float(cv->kb, tn_value_dtype(like), value);
}

/* The p-norm over one dim of what is not negative. */
static tn_value *norm_of(tn_cv *cv, tn_value *x, uint32_t dim, double p, bool keep_dim) {
    tn_kb *kb = cv->kb;
    uint32_t mask = 1u << dim;
    if (isinf(p))
        return tn_kb_reduce(kb, TN_PRIM_REDUCE_MAX, x, mask, keep_dim);
    if (p == 0) {
        tn_value *is_far = tn_kb_map2(kb, TN_PRIM_NE, x, number(cv, x, 0));
        return tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_cast(kb, is_far, tn_value_dtype(x)), mask,
                            keep_dim);
    }
    if (p == 1)
        return tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, x, mask, keep_dim);
    if (p == 2)
        return tn_kb_map1(kb, TN_PRIM_SQRT,
                          tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_map2(kb, TN_PRIM_MUL, x, x),
                                       mask, keep_dim));
    tn_value *sum = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM,
                                 tn_kb_map2(kb, TN_PRIM_POW, x, number(cv, x, p)), mask, keep_dim);
    return tn_kb_map2(kb, TN_PRIM_POW, sum, number(cv, sum, 1 / p));
}

/* x1 [.., P, M] and x2 [.., R, M]: [.., P, R]. */
static tn_status convert_cdist(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *a = tn_cv_tensor(cv, "x1"), *b = tn_cv_tensor(cv, "x2");
    uint32_t a_rank = a->type.rank, b_rank = b->type.rank;
    double p = tn_cv_float(cv, "p");
    tn_dtype dtype = a->type.dtype;
    if (a_rank < 2 || b_rank < 2 || a_rank == TN_MAX_RANK || b_rank == TN_MAX_RANK || !(p >= 0))
        return tn_cv_refuse(cv,
                            "x1 and x2 have rank %u and %u, p is %g, accepted are ranks 2 to "
                            "%d and p from 0",
                            a_rank, b_rank, p, TN_MAX_RANK - 1);
    if (b->type.dtype != dtype || !tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "x1 and x2 are %s and %s, accepted are equal floats",
                            tn_dtype_name(dtype), tn_dtype_name(b->type.dtype));
    a = tn_kb_unsqueeze(kb, tn_cv_math(cv, a), a_rank - 1);
    b = tn_kb_unsqueeze(kb, tn_cv_math(cv, b), b_rank - 2);
    if (tn_sym_is(tn_value_size(a, a_rank), 0))
        p = 1; /* the maximum of nothing is an error, the sum 0 */
    tn_value *far = tn_kb_map1(kb, TN_PRIM_ABS, tn_kb_map2(kb, TN_PRIM_SUB, a, b));
    if (!far)
        return NULL;
    return set_cast(cv, norm_of(cv, far, tn_value_rank(far) - 1, p, false), dtype);
}

/* |x1 - x2 + eps| over the last dim. */
static tn_status convert_pairwise_distance(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *a = tn_cv_tensor(cv, "x1"), *b = tn_cv_tensor(cv, "x2");
    tn_dtype dtype = a->type.dtype;
    if (b->type.dtype != dtype || !tn_dtype_is_float(dtype) || !(tn_cv_float(cv, "p") >= 0))
        return tn_cv_refuse(cv,
                            "x1 and x2 are %s and %s, p is %g, accepted are equal floats and p "
                            "from 0",
                            tn_dtype_name(dtype), tn_dtype_name(b->type.dtype),
                            tn_cv_float(cv, "p"));
    tn_value *far = tn_kb_map2(kb, TN_PRIM_SUB, tn_cv_math(cv, a), tn_cv_math(cv, b));
    far = tn_kb_map2(kb, TN_PRIM_ADD, far, number(cv, far, tn_cv_float(cv, "eps")));
    far = tn_kb_map1(kb, TN_PRIM_ABS, far);
    if (!far)
        return NULL;
    if (far->type.rank == 0)
        return tn_cv_refuse(cv, "x1 and x2 have rank 0, accepted is rank from 1");
    return set_cast(
        cv,
        norm_of(cv, far, tn_value_rank(far) - 1, tn_cv_float(cv, "p"), tn_cv_bool(cv, "keepdim")),
        dtype);
}

/* x1 . x2 over one dim, of vectors divided by their lengths, which count as eps at least. */
static tn_status convert_cosine_similarity(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "x1");
    tn_cv_promote(cv, &promotion, "x2");
    tn_dtype dtype = tn_promoted(&promotion);
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "x1 and x2 promote to %s, accepted are floats",
                            tn_dtype_name(dtype));
    tn_value *x[2] = {tn_cv_math(cv, tn_cv_operand(cv, "x1", dtype)),
                      tn_cv_math(cv, tn_cv_operand(cv, "x2", dtype))};
    tn_value *product = tn_kb_map2(kb, TN_PRIM_MUL, x[0], x[1]);
    if (!product)
        return NULL;
    if (product->type.rank == 0)
        return tn_cv_refuse(cv, "x1 and x2 have rank 0, accepted is rank from 1");
    uint32_t dim = tn_cv_dim(cv, "dim", product->type.rank);
    for (uint32_t i = 0; i < 2; i++) {
        tn_value *length = norm_of(cv, tn_cv_expand_as(cv, x[i], product), dim, 2, true);
        length = tn_kb_map2(kb, TN_PRIM_MAX, length, number(cv, length, tn_cv_float(cv, "eps")));
        x[i] = tn_kb_map2(kb, TN_PRIM_DIV, x[i], length);
    }
    tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, x[0], x[1]);
    return set_cast(cv, tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, y, 1u << dim, false), dtype);
}

/* Slices along dim that are longer than maxnorm become that long. */
static tn_status convert_renorm(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    uint32_t rank = self->type.rank, dim = tn_cv_dim(cv, "dim", rank);
    double p = tn_cv_float(cv, "p"), most = tn_cv_float(cv, "maxnorm");
    if (rank < 2 || !tn_dtype_is_float(self->type.dtype) || !(p > 0) || !(most >= 0))
        return tn_cv_refuse(cv,
                            "self is %s of rank %u, p is %g, maxnorm is %g, accepted are floats "
                            "of rank from 2, p above 0 and maxnorm from 0",
                            tn_dtype_name(self->type.dtype), rank, p, most);
    tn_value *x = tn_cv_math(cv, self), *size = tn_kb_map1(kb, TN_PRIM_ABS, x);
    tn_value *rows = tn_cv_flatten(cv, tn_cv_move_dim(cv, size, dim, 0), 1, rank - 1);
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == dim ? self->type.dims[d] : tn_cv_size(cv, 1);
    tn_value *length = tn_kb_reshape(kb, norm_of(cv, rows, 1, p, false), dims, rank);
    tn_value *limit = number(cv, x, most), *one = number(cv, x, 1);
    tn_value *factor = tn_kb_map2(kb, TN_PRIM_DIV, limit,
                                  tn_kb_map2(kb, TN_PRIM_ADD, length, number(cv, x, 1e-7)));
    factor = tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_LT, limit, length), factor, one);
    return set_cast(cv, tn_kb_map2(kb, TN_PRIM_MUL, x, factor), self->type.dtype);
}

/* With p 2 and more than 25 vectors PyTorch computes distances from products, less exactly. */
#define MATRICES                                                                                   \
    "@rtol=1e-5 atol=1e-5\n"                                                                       \
    "(f32[3,4], f32[5,4], 2.0, None)\n"                                                            \
    "(f32[2,3,4]{nc}, f32[5,4]{nan1}, 1.0, None)\n"                                                \
    "(f32[3,4], f32[5,4], 0.0, None)\n"                                                            \
    "(f32[3,4], f32[5,4], 3.0, None)\n"                                                            \
    "(f32[3,4], f32[5,4], float('inf'), None)\n"                                                   \
    "(f64[1,1], f64[1,1], 2.0, None)\n"                                                            \
    "(f32[0,4], f32[5,4], 2.0, None)@static\n"

static const tn_op_entry entries[] = {
    {"aten::cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor",
     convert_cdist, MATRICES "(f32[3,4], f32[5,4])\n", TN_PRIM_NONE},
    {"aten::_cdist_forward(Tensor x1, Tensor x2, float p, int? compute_mode) -> Tensor",
     convert_cdist, MATRICES, TN_PRIM_NONE},
    {"aten::pairwise_distance(Tensor x1, Tensor x2, float p=2., float "
     "eps=9.9999999999999995e-07, bool "
     "keepdim=False) -> Tensor",
     convert_pairwise_distance,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[3,4], f32[3,4])\n(f32[2,3,4]{nc}, f32[3,4]{nan1}, 1.0, 1e-6, True)\n(f64[4], f64[4])\n"
     "(f32[0,4], f32[0,4])\n(f32[1,1], f32[1,1], 3.0)\n",
     TN_PRIM_NONE},
    {"aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
     convert_cosine_similarity,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[3,4], f32[3,4])\n(f32[2,3,4]{nc}, f32[3,1]{nan1}, -1)@static\n(f64[4], f64[4], 0)\n"
     "(f32[0,4], f32[0,4])\n(f32[2,3]{zero}, f32[2,3])\n(bf16[3,4], bf16[3,4])\n",
     TN_PRIM_NONE},
    {"aten::renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor", convert_renorm,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[3,4], 2, 0, 1.5)\n(f32[2,3,4]{nc}, 1, -1, 2)\n(f64[3,4], 3, 1, 0.5)\n"
     "(f32[1,1], 2, 0, 0.1)\n(f32[3,4]{nan1}, 2, 0, 1)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_distance = {"distance", entries, sizeof entries / sizeof *entries};
