/* ops_reduce.c: sums, means, extremes and other folds over dims, and running ones along a dim. */
#include "ops/op_families.h"

#include <math.h>

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* Overloads without a dim fold everything; without a keepdim they drop the dims. */
static bool has_param(const tn_cv *cv, const char *name) {
    return tn_schema_find_param(cv->node->op->schema, tn_str_of(name)) >= 0;
}

static uint32_t reduced_dims(tn_cv *cv, const tn_value *x) {
    if (!has_param(cv, "dim"))
        return (1u << x->type.rank) - 1;
    return tn_cv_dim_mask(cv, "dim", x->type.rank);
}

static bool is_kept(const tn_cv *cv) {
    return has_param(cv, "keepdim") && tn_cv_bool(cv, "keepdim");
}

/* self in the dtype argument, or in i64 where PyTorch sums integers. */
static tn_value *sum_operand(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_value_dtype(x);
    return tn_kb_cast(cv->kb, x,
                      tn_cv_dtype(cv, "dtype", tn_dtype_is_float(dtype) ? dtype : TN_I64));
}

/* The primitives give i64 for every integer; the dtype argument may want less. */
static tn_status set_cast(tn_cv *cv, tn_value *y, tn_dtype dtype) {
    return set_result(cv, tn_kb_cast(cv->kb, y, dtype));
}

static tn_status convert_sum(tn_cv *cv) {
    tn_value *x = sum_operand(cv);
    uint32_t mask = reduced_dims(cv, tn_cv_tensor(cv, "self"));
    tn_value *y = tn_kb_reduce(cv->kb, tn_cv_prim(cv), x, mask, is_kept(cv));
    return set_cast(cv, y, tn_value_dtype(x));
}

static tn_status convert_mean(tn_cv *cv) {
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", self->type.dtype);
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats, or a float as dtype",
                            tn_dtype_name(dtype));
    tn_value *x = tn_kb_cast(cv->kb, self, dtype);
    return set_result(
        cv, tn_kb_reduce(cv->kb, TN_PRIM_REDUCE_MEAN, x, reduced_dims(cv, self), is_kept(cv)));
}

/* One dim of prod.dim_int, cumsum and so on. */
static tn_status convert_prod_dim(tn_cv *cv) {
    tn_value *x = sum_operand(cv);
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(x));
    uint32_t mask = tn_value_rank(x) ? 1u << dim : 0;
    return set_cast(cv, tn_kb_reduce(cv->kb, TN_PRIM_REDUCE_PROD, x, mask, is_kept(cv)),
                    tn_value_dtype(x));
}

static tn_status convert_extreme(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t mask = reduced_dims(cv, x);
    return set_result(cv, tn_kb_reduce(cv->kb, tn_cv_prim(cv), x, mask, is_kept(cv)));
}

/* argmax and argmin; without a dim of the flattened tensor. */
static tn_status convert_arg(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t rank = x->type.rank;
    if (x->type.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self is bool, accepted are numbers");
    if (rank == 0)
        return set_result(cv, tn_kb_int(kb, TN_I64, 0));
    if (!tn_cv_is_none(cv, "dim"))
        return set_result(
            cv, tn_kb_reduce(kb, tn_cv_prim(cv), x, 1u << tn_cv_dim(cv, "dim", rank), is_kept(cv)));
    tn_value *y = tn_kb_reduce(kb, tn_cv_prim(cv), tn_cv_flatten(cv, x, 0, rank - 1), 1, false);
    const tn_sym *ones[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        ones[d] = tn_cv_size(cv, 1);
    return set_result(cv, is_kept(cv) ? tn_kb_reshape(kb, y, ones, rank) : y);
}

/* max.dim and min.dim: the value and where it stands. */
static tn_status convert_extreme_dim(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    bool is_max = tn_cv_prim(cv) == TN_PRIM_REDUCE_MAX;
    if (x->type.rank == 0) {
        tn_cv_set_result(cv, 1, tn_kb_int(kb, TN_I64, 0));
        return set_result(cv, x);
    }
    /* The index primitive takes numbers. */
    tn_value *numbers = x->type.dtype == TN_BOOL ? tn_kb_cast(kb, x, TN_U8) : x;
    tn_prim arg = is_max ? TN_PRIM_ARGMAX : TN_PRIM_ARGMIN;
    tn_cv_set_result(cv, 1, tn_kb_reduce(kb, arg, numbers, 1u << dim, is_kept(cv)));
    return set_result(cv, tn_kb_reduce(kb, tn_cv_prim(cv), x, 1u << dim, is_kept(cv)));
}

/* any and all; u8 stays u8 in PyTorch. */
static tn_status convert_any(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t mask = reduced_dims(cv, x);
    tn_value *y =
        tn_kb_reduce(cv->kb, tn_cv_prim(cv), tn_kb_cast(cv->kb, x, TN_BOOL), mask, is_kept(cv));
    return set_cast(cv, y, x->type.dtype == TN_U8 ? TN_U8 : TN_BOOL);
}

/* ---- spread and size
 * ------------------------------------------------------------------------------------ */

/* Variance in the dtype that PyTorch computes in. A rank-0 tensor folds like one of one element. */
static tn_value *variance(tn_cv *cv, tn_value *x, uint32_t mask, double correction) {
    tn_kb *kb = cv->kb;
    int64_t dims[TN_MAX_RANK];
    uint32_t count = 0;
    for (uint32_t d = 0; d < tn_value_rank(x); d++)
        if (mask >> d & 1)
            dims[count++] = d;
    tn_arg args[] = {tn_arg_value(0), tn_arg_ints(kb, dims, count), tn_arg_bool(is_kept(cv)),
                     tn_arg_float(correction)};
    return tn_kb_node(kb, TN_PRIM_REDUCE_VAR, &x, 1, args, 4);
}

/* var, std, var_mean, std_mean: the prim is sqrt for a standard deviation. */
static tn_status convert_var(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_dtype dtype = self->type.dtype;
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(dtype));
    double correction = 1;
    if (has_param(cv, "correction"))
        correction = tn_cv_is_none(cv, "correction") ? 1 : tn_cv_float(cv, "correction");
    else
        correction = tn_cv_bool(cv, "unbiased") ? 1 : 0;
    uint32_t mask = reduced_dims(cv, self);
    tn_value *x = tn_cv_math(cv, self);
    tn_value *y = variance(cv, x, mask, correction);
    if (tn_cv_prim(cv) == TN_PRIM_SQRT)
        y = tn_kb_map1(kb, TN_PRIM_SQRT, y);
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, dtype));
    if (cv->node->result_count > 1)
        tn_cv_set_result(cv, 1, tn_kb_reduce(kb, TN_PRIM_REDUCE_MEAN, self, mask, is_kept(cv)));
    return NULL;
}

/* log(sum(exp(x))), shifted by the largest where that is finite. */
static tn_status convert_logsumexp(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self"), *x = tn_cv_math(cv, self);
    tn_dtype compute = tn_value_dtype(x);
    uint32_t mask = reduced_dims(cv, self);
    tn_value *top = tn_kb_reduce(kb, TN_PRIM_REDUCE_MAX, x, mask, true);
    tn_value *is_infinite = tn_kb_map2(kb, TN_PRIM_EQ, tn_kb_map1(kb, TN_PRIM_ABS, top),
                                       tn_kb_float(kb, compute, INFINITY));
    top = tn_kb_select(kb, is_infinite, tn_kb_float(kb, compute, 0), top);
    tn_value *e = tn_kb_map1(kb, TN_PRIM_EXP, tn_kb_map2(kb, TN_PRIM_SUB, x, top));
    tn_value *sum = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, e, mask, true);
    tn_value *y = tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map1(kb, TN_PRIM_LOG, sum), top);
    if (y && !is_kept(cv)) {
        const tn_sym *dims[TN_MAX_RANK];
        uint32_t rank = 0;
        for (uint32_t d = 0; d < y->type.rank; d++)
            if (!(mask >> d & 1))
                dims[rank++] = y->type.dims[d];
        y = tn_kb_reshape(kb, y, dims, rank);
    }
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

/* (sum |x|^p)^(1/p), and its limits for p 0 and the infinities. */
static tn_value *vector_norm(tn_cv *cv, tn_value *x, double p, uint32_t mask) {
    tn_kb *kb = cv->kb;
    bool keep = is_kept(cv);
    tn_dtype dtype = tn_value_dtype(x);
    tn_value *a = tn_kb_map1(kb, TN_PRIM_ABS, x);
    if (p == 2)
        return tn_kb_map1(
            kb, TN_PRIM_SQRT,
            tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_map2(kb, TN_PRIM_MUL, x, x), mask, keep));
    if (p == 1)
        return tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, a, mask, keep);
    if (isinf(p))
        return tn_kb_reduce(kb, p > 0 ? TN_PRIM_REDUCE_MAX : TN_PRIM_REDUCE_MIN, a, mask, keep);
    if (p == 0) {
        tn_value *is_there = tn_kb_map2(kb, TN_PRIM_NE, x, tn_kb_float(kb, dtype, 0));
        return tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_cast(kb, is_there, dtype), mask, keep);
    }
    tn_value *power = tn_kb_map2(kb, TN_PRIM_POW, a, tn_kb_float(kb, dtype, p));
    tn_value *sum = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, power, mask, keep);
    return tn_kb_map2(kb, TN_PRIM_POW, sum, tn_kb_float(kb, dtype, 1 / p));
}

static tn_status norm(tn_cv *cv, const char *order_name) {
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_dtype dtype = self->type.dtype;
    if (has_param(cv, "dtype"))
        dtype = tn_cv_dtype(cv, "dtype", dtype);
    if (!tn_dtype_is_float(self->type.dtype) || !tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(self->type.dtype));
    double p = tn_cv_is_none(cv, order_name) ? 2 : tn_cv_float(cv, order_name);
    tn_value *x = tn_cv_math(cv, tn_kb_cast(cv->kb, self, dtype));
    return set_cast(cv, vector_norm(cv, x, p, reduced_dims(cv, self)), dtype);
}

static tn_status convert_vector_norm(tn_cv *cv) {
    return norm(cv, "ord");
}

static tn_status convert_norm(tn_cv *cv) {
    return norm(cv, "p");
}

/* ---- running folds
 * ----------------------------------------------------------------------------------------- */

static tn_value *scan(tn_cv *cv, tn_prim prim, tn_value *x, uint32_t dim) {
    tn_arg args[] = {tn_arg_value(0), tn_arg_int(cv->kb, dim)};
    return tn_kb_node(cv->kb, prim, &x, 1, args, 2);
}

static tn_status convert_cumsum(tn_cv *cv) {
    tn_value *x = sum_operand(cv);
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(x));
    if (tn_value_rank(x) == 0)
        return set_result(cv, x);
    return set_cast(cv, scan(cv, tn_cv_prim(cv), x, dim), tn_value_dtype(x));
}

static tn_status convert_cummax(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    if (x->type.rank == 0) {
        tn_cv_set_result(cv, 1, tn_kb_int(cv->kb, TN_I64, 0));
        return set_result(cv, x);
    }
    tn_value *y = scan(cv, tn_cv_prim(cv), x, dim);
    tn_cv_set_result(cv, 1, y ? y->def->results[1] : NULL);
    return set_result(cv, y);
}

/* Differences of neighbours, n times; of bool: whether they differ. */
static tn_status convert_diff(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self"), *parts[3];
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank), count = 0;
    int64_t n = tn_cv_int(cv, "n");
    if (n < 0 || x->type.rank == 0)
        return tn_cv_refuse(cv, "n is %lld and the rank %u, accepted are n from 0 and rank from 1",
                            (long long)n, x->type.rank);
    if (tn_cv_tensor(cv, "prepend"))
        parts[count++] = tn_kb_cast(kb, tn_cv_tensor(cv, "prepend"), x->type.dtype);
    parts[count++] = x;
    if (tn_cv_tensor(cv, "append"))
        parts[count++] = tn_kb_cast(kb, tn_cv_tensor(cv, "append"), x->type.dtype);
    x = count == 1 ? x : tn_kb_concat(kb, parts, count, dim);
    tn_prim prim = tn_value_dtype(x) == TN_BOOL ? TN_PRIM_NE : TN_PRIM_SUB;
    for (int64_t i = 0; i < n; i++) {
        tn_value *later = tn_cv_slice(cv, x, dim, tn_cv_size(cv, 1), NULL, 1);
        tn_value *earlier = tn_cv_slice(cv, x, dim, NULL, tn_cv_size(cv, -1), 1);
        x = tn_kb_map2(kb, prim, later, earlier);
    }
    return set_result(cv, x);
}

/* ---- the family
 * ---------------------------------------------------------------------------------------------- */

/* The order of the sum differs from PyTorch's. */
#define TOLERANCE "@rtol=1e-5 atol=1e-5\n"
#define ALL_DIMS                                                                                   \
    "(f32[2,3])\n"                                                                                 \
    "(f32[4,5]{nc})\n"                                                                             \
    "(f32[3]{nan,inf})\n"                                                                          \
    "(f32[])\n"                                                                                    \
    "(f32[1])\n"                                                                                   \
    "(f64[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f16[40])\n"                                                                                  \
    "(bf16[40])\n"                                                                                 \
    "(f32[7,70])\n"
#define INT_DIMS                                                                                   \
    "(i64[5])\n"                                                                                   \
    "(i32[2,3]{nc})\n"                                                                             \
    "(bool[5])\n"                                                                                  \
    "(u8[3])\n"
#define DIM_LISTS                                                                                  \
    "(f32[2,3,4], [1])\n"                                                                          \
    "(f32[2,3,4]{nc,nan}, [0,-1], True)\n"                                                         \
    "(f32[2,3], [])\n"                                                                             \
    "(f32[], [])\n"                                                                                \
    "(f32[], [0], True)\n"                                                                         \
    "(f32[1,2,1,2,1,2,1,2], [1,4,7])\n"                                                            \
    "(bf16[3,40], [1])\n"                                                                          \
    "(f16[3,40], [-1], True)\n"                                                                    \
    "(f64[3,4], [0])\n"                                                                            \
    "(f32[70,3], [0])\n"                                                                           \
    "(f32[2,3,4], [1,2], True)\n"
#define ONE_DIM                                                                                    \
    "(f32[2,3,4], 1)\n"                                                                            \
    "(f32[2,3,4]{nc,nan}, -1, True)\n"                                                             \
    "(f32[3,1], 0)\n"                                                                              \
    "(f32[], 0)\n"                                                                                 \
    "(f64[1,2,1,2,1,2,1,2], 5, True)\n"                                                            \
    "(bf16[3,40], 1)@rtol=2e-2\n"                                                                  \
    "(f16[3,40], 1)@rtol=1e-2\n"                                                                   \
    "(i64[3,4]{few}, 0)\n"                                                                         \
    "(i32[5]{few}, 0)\n"                                                                           \
    "(u8[5]{few}, 0)\n"                                                                            \
    "(bf16[9]{few}, 0)\n"                                                                          \
    "(f32[3,0], 0)\n"
#define EMPTY                                                                                      \
    "(f32[0])\n"                                                                                   \
    "(f32[3,0])\n"
#define EMPTY_DIMS                                                                                 \
    "(f32[0,3], [0])\n"                                                                            \
    "(f32[0,3], [1], True)\n"                                                                      \
    "(f32[2,0,3], [0,1])\n"
#define DIM_LISTS_VAR                                                                              \
    "(f32[2,3,4], [1])\n"                                                                          \
    "(f32[2,3,4]{nc,nan}, [0,-1], False, True)\n"                                                  \
    "(f32[2,3], [])\n"                                                                             \
    "(f32[0,3], [0])\n"                                                                            \
    "(f32[1,2,1,2,1,2,1,2], [1,4,7])\n"                                                            \
    "(bf16[3,40], [1])\n"                                                                          \
    "(f16[3,40], [-1], True, True)\n"                                                              \
    "(f64[3,4], [0])\n"
#define CORRECTIONS                                                                                \
    "(f32[2,3,4], [1])\n"                                                                          \
    "(f32[2,3,4]{nc,nan}, [0,-1], correction=0, keepdim=True)\n"                                   \
    "(f32[2,3], None, correction=1)\n"                                                             \
    "(f32[0,3], [0])\n"                                                                            \
    "(f32[1], [0], correction=0)\n"                                                                \
    "(f32[1,2,1,2,1,2,1,2], [1,4,7], correction=2)\n"                                              \
    "(bf16[3,40], [1], correction=0)\n"                                                            \
    "(f16[3,40], [-1])\n"                                                                          \
    "(f64[3,4], [0], correction=0.5)\n"
#define SCANS                                                                                      \
    "(f32[2,5], 1)\n"                                                                              \
    "(f32[5,2]{nc,nan}, 0)\n"                                                                      \
    "(f32[0,3], 0)\n"                                                                              \
    "(f32[], 0)\n"                                                                                 \
    "(f32[1,2,1,2,1,2,1,2], -3)\n"                                                                 \
    "(f64[9], 0)\n"                                                                                \
    "(bf16[9], 0)\n"                                                                               \
    "(f16[9], 0)\n"                                                                                \
    "(f32[2,37], 1)\n"                                                                             \
    "(f64[3,37]{nc}, -1)\n"                                                                        \
    "(f32[3,5,37]{nan1}, 1)\n"                                                                     \
    "(f32[2,37]{nan1}, 1)\n"                                                                       \
    "(i64[5,37], 0)\n"                                                                             \
    "(i32[37]{few}, 0)\n"                                                                          \
    "(i16[37]{few}, 0)\n"
#define EXTREME_SCANS                                                                              \
    SCANS "(i64[9]{few}, 0)\n"                                                                     \
          "(f32[9]{few}, 0)\n"                                                                     \
          "(f32[3,70]{few}, 1)\n"                                                                  \
          "(f32[3,70]{nan}, 1)\n"                                                                  \
          "(f32[9,70]{few,nan}, 0)\n"                                                              \
          "(f64[2,37]{inf}, 1)\n"                                                                  \
          "(u8[37,3]{few}, 0)\n"                                                                   \
          "(bool[37], 0)\n"
#define ARGS                                                                                       \
    ONE_DIM "(f32[2,3])\n"                                                                         \
            "(f32[2,3]{nc,nan}, None, True)\n"                                                     \
            "(f32[4]{inf})\n"                                                                      \
            "(f32[3,70]{few}, 1)\n"                                                                \
            "(f32[3,70]{nan}, 1)\n"                                                                \
            "(f32[3,70]{nan1}, 0, True)\n"                                                         \
            "(f32[70,3]{nc,few}, 1)\n"                                                             \
            "(f64[2,37]{few,nan1}, -1)\n"                                                          \
            "(i64[37,19]{few}, 0)\n"                                                               \
            "(i8[2,37]{lo=-128,hi=127}, 1)\n"                                                      \
            "(i16[37]{few})\n"
#define BOOLS                                                                                      \
    "(f32[2,3]{few,nan})\n"                                                                        \
    "(bool[0])\n"                                                                                  \
    "(bool[2,3]{nc})\n"                                                                            \
    "(i64[3]{few})\n"                                                                              \
    "(bool[])\n"                                                                                   \
    "(u8[3]{few})\n"                                                                               \
    "(bf16[1,2,1,2,1,2,1,2]{few})\n"
#define BOOL_DIM                                                                                   \
    "(f32[2,3]{few,nan}, 1)\n"                                                                     \
    "(bool[0,2], 0)\n"                                                                             \
    "(bool[2,3]{nc}, -1, True)\n"                                                                  \
    "(i64[3]{few}, 0)\n"                                                                           \
    "(bool[], 0)\n"                                                                                \
    "(u8[3]{few}, 0)\n"                                                                            \
    "(bf16[1,2,1,2,1,2,1,2]{few}, 5)\n"
#define BOOL_DIMS                                                                                  \
    "(f32[2,3]{few,nan}, [1])\n"                                                                   \
    "(bool[0,2], [0,1])\n"                                                                         \
    "(bool[2,3]{nc}, [-1], True)\n"                                                                \
    "(i64[3,2]{few})\n"                                                                            \
    "(u8[3]{few}, [0])\n"                                                                          \
    "(bf16[1,2,1,2,1,2,1,2]{few}, [5,1])\n"

static const tn_op_entry entries[] = {
    {"aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", convert_sum,
     TOLERANCE ALL_DIMS INT_DIMS EMPTY "(f32[3], dtype=torch.float64)\n"
                                       "(i32[3], dtype=torch.int32)\n"
                                       "(bool[3], dtype=torch.float32)\n",
     TN_PRIM_REDUCE_SUM},
    {"aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? "
     "dtype=None) -> Tensor",
     convert_sum,
     TOLERANCE DIM_LISTS EMPTY_DIMS "(i64[2,3], [0])\n"
                                    "(bool[2,3], [1])\n"
                                    "(f32[2,3], None)\n"
                                    "(bf16[2,3], [1], dtype=torch.float32)\n"
                                    "(i32[4], [0], dtype=torch.int32)\n",
     TN_PRIM_REDUCE_SUM},
    {"aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", convert_mean,
     TOLERANCE ALL_DIMS EMPTY "(i64[3], dtype=torch.float32)\n", TN_PRIM_NONE},
    {"aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
     "Tensor",
     convert_mean,
     TOLERANCE DIM_LISTS EMPTY_DIMS "(f32[2,3], None)\n"
                                    "(i64[2,3], [1], dtype=torch.float32)\n",
     TN_PRIM_NONE},
    {"aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", convert_sum,
     TOLERANCE ALL_DIMS INT_DIMS EMPTY, TN_PRIM_REDUCE_PROD},
    {"aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
     "Tensor",
     convert_prod_dim,
     TOLERANCE ONE_DIM "(bool[3], 0)\n"
                       "(f32[0,3], 0)\n"
                       "(i32[4], 0, dtype=torch.int32)\n",
     TN_PRIM_NONE},
    {"aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", convert_extreme,
     DIM_LISTS "(i64[3,4], [0])\n"
               "(i64[3,37], [1])\n"
               "(f64[3,37]{nan1}, [1])\n"
               "(u8[37,3], [0])\n"
               "(i32[3,37], [0])\n"
               "(bool[2,37], [1])\n"
               "(bool[3], [0])\n"
               "(f32[3,0], [0])\n",
     TN_PRIM_REDUCE_MAX},
    {"aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", convert_extreme,
     DIM_LISTS "(i64[3,4], [0])\n"
               "(i64[3,37], [1])\n"
               "(f64[3,37]{nan1}, [1])\n"
               "(u8[37,3], [0])\n"
               "(i32[3,37], [0])\n"
               "(bool[2,37], [1])\n"
               "(bool[3], [0])\n"
               "(f32[3,0], [0])\n",
     TN_PRIM_REDUCE_MIN},
    {"aten::max(Tensor self) -> Tensor", convert_extreme,
     ALL_DIMS "(i64[5])\n"
              "(i32[2,3]{nc})\n"
              "(u8[3])\n"
              "(bool[3])\n",
     TN_PRIM_REDUCE_MAX},
    {"aten::min(Tensor self) -> Tensor", convert_extreme,
     ALL_DIMS "(i64[5])\n"
              "(i32[2,3]{nc})\n"
              "(u8[3])\n"
              "(bool[3])\n",
     TN_PRIM_REDUCE_MIN},
    {"aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     convert_extreme_dim, ONE_DIM, TN_PRIM_REDUCE_MAX},
    {"aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     convert_extreme_dim, ONE_DIM, TN_PRIM_REDUCE_MIN},
    {"aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", convert_arg, ARGS,
     TN_PRIM_ARGMAX},
    {"aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", convert_arg, ARGS,
     TN_PRIM_ARGMIN},
    {"aten::any(Tensor self) -> Tensor", convert_any, BOOLS, TN_PRIM_REDUCE_ANY},
    {"aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", convert_any, BOOL_DIM,
     TN_PRIM_REDUCE_ANY},
    {"aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", convert_any,
     BOOL_DIMS, TN_PRIM_REDUCE_ANY},
    {"aten::all(Tensor self) -> Tensor", convert_any, BOOLS, TN_PRIM_REDUCE_ALL},
    {"aten::all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", convert_any, BOOL_DIM,
     TN_PRIM_REDUCE_ALL},
    {"aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", convert_any,
     BOOL_DIMS, TN_PRIM_REDUCE_ALL},
    {"aten::var(Tensor self, bool unbiased=True) -> Tensor", convert_var,
     TOLERANCE "(f32[2,3])\n"
               "(f32[2,3]{nc,nan}, False)\n"
               "(f32[0])\n"
               "(f32[1])\n"
               "(bf16[40])\n"
               "(f64[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
     convert_var, TOLERANCE DIM_LISTS_VAR, TN_PRIM_NONE},
    {"aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     convert_var, TOLERANCE CORRECTIONS, TN_PRIM_NONE},
    {"aten::std(Tensor self, bool unbiased=True) -> Tensor", convert_var,
     TOLERANCE "(f32[2,3])\n"
               "(f32[2,3]{nc,nan}, False)\n"
               "(f32[0])\n"
               "(f32[1])\n"
               "(bf16[40])\n"
               "(f64[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_SQRT},
    {"aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
     convert_var, TOLERANCE DIM_LISTS_VAR, TN_PRIM_SQRT},
    {"aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     convert_var, TOLERANCE CORRECTIONS, TN_PRIM_SQRT},
    {"aten::var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", convert_var,
     TOLERANCE "(f32[2,3])\n(f32[2,3]{nc,nan}, False)\n(bf16[40])\n", TN_PRIM_NONE},
    {"aten::var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> "
     "(Tensor, Tensor)",
     convert_var, TOLERANCE DIM_LISTS_VAR, TN_PRIM_NONE},
    {"aten::std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", convert_var,
     TOLERANCE "(f32[2,3])\n(f32[2,3]{nc,nan}, False)\n(bf16[40])\n", TN_PRIM_SQRT},
    {"aten::std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> "
     "(Tensor, Tensor)",
     convert_var, TOLERANCE DIM_LISTS_VAR, TN_PRIM_SQRT},
    {"aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     convert_var, TOLERANCE CORRECTIONS, TN_PRIM_NONE},
    {"aten::std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     convert_var, TOLERANCE CORRECTIONS, TN_PRIM_SQRT},
    {"aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", convert_logsumexp,
     TOLERANCE "(f32[2,3,4], [1])\n"
               "(f32[2,3,4]{nc,nan}, [0,-1], True)\n"
               "(f32[], [0], True)\n"
               "(f32[1,2,1,2,1,2,1,2], [1,4,7])\n"
               "(bf16[3,40], [1])\n"
               "(f16[3,40], [-1], True)\n"
               "(f64[3,4], [0])\n"
               "(f32[3,4]{inf}, [1])\n"
               "(i64[2,3], [1])\n"
               "(f32[0,3], [1])\n",
     TN_PRIM_NONE},
    {"aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, "
     "ScalarType? dtype=None) -> Tensor",
     convert_vector_norm,
     TOLERANCE "(f32[2,3])\n"
               "(f32[2,3]{nc,nan}, 2, [1], True)\n"
               "(f32[2,3], 1, [0])\n"
               "(f32[2,3], float('inf'), [1])\n"
               "(f32[2,3], float('-inf'), [1])\n"
               "(f32[2,3]{few}, 0, [1])\n"
               "(f32[2,3], 3, [0,1])\n"
               "(f32[0,3], 2, [0])\n"
               "(f32[])\n"
               "(bf16[2,40], 2, [1])\n"
               "(f16[2,40], 1, [1])\n"
               "(f64[1,2,1,2,1,2,1,2], 2, [1,7])\n"
               "(bf16[2,40], 2, [1], dtype=torch.float32)\n",
     TN_PRIM_NONE},
    {"aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor", convert_norm,
     TOLERANCE "(f32[2,3])\n"
               "(f32[2,3]{nc,nan}, 1)\n"
               "(f32[0], 2)\n"
               "(bf16[40], 2)\n"
               "(f64[1,2,1,2,1,2,1,2], 3)\n",
     TN_PRIM_NONE},
    {"aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor",
     convert_norm,
     TOLERANCE "(f32[2,3], 2, [1])\n"
               "(f32[2,3]{nc,nan}, None, [1], True)\n"
               "(f32[0,3], 2, [0])\n"
               "(bf16[2,40], 1, [1])\n"
               "(f64[1,2,1,2,1,2,1,2], 3, [1,5])\n",
     TN_PRIM_NONE},
    {"aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", convert_cumsum,
     TOLERANCE SCANS "(i64[5], 0)\n"
                     "(i32[5], 0)\n"
                     "(bool[5], 0)\n"
                     "(i32[4], 0, dtype=torch.int32)\n"
                     "(bf16[4], 0, dtype=torch.float32)\n",
     TN_PRIM_CUMSUM},
    {"aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", convert_cumsum,
     TOLERANCE SCANS "(i64[5], 0)\n"
                     "(bool[5], 0)\n",
     TN_PRIM_CUMPROD},
    {"aten::cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)", convert_cummax,
     EXTREME_SCANS, TN_PRIM_CUMMAX},
    {"aten::cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)", convert_cummax,
     EXTREME_SCANS, TN_PRIM_CUMMIN},
    {"aten::diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> "
     "Tensor",
     convert_diff,
     "(f32[5])\n"
     "(f32[2,5]{nc,nan}, 2)\n"
     "(f32[5,2], 1, 0)\n"
     "(i64[5], 1, -1, i64[1])\n"
     "(f32[2,5], 1, -1, f32[2,2], f32[2,1])@static\n"
     "(bool[6])\n"
     "(f32[1])\n"
     "(f32[0])\n"
     "(bf16[5])\n"
     "(f32[1,2,1,2,1,2,1,3], 1, 7)\n"
     "(f32[5], 0)\n"
     "(f32[3], 3)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_reduce = {"reduce", entries, sizeof entries / sizeof *entries};
