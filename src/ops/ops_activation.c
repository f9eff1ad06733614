/* ops_activation.c: activation functions. What has no primitive is computed in f32 and rounded
 * once. */
#include "ops/op_families.h"

#include <math.h>

static tn_value *map1(tn_cv *cv, tn_prim prim, tn_value *x) {
    return tn_kb_map1(cv->kb, prim, x);
}

static tn_value *map2(tn_cv *cv, tn_prim prim, tn_value *a, tn_value *b) {
    return tn_kb_map2(cv->kb, prim, a, b);
}

/* x op number, in x's dtype */
static tn_value *with_number(tn_cv *cv, tn_prim prim, tn_value *x, double number) {
    return tn_kb_map2(cv->kb, prim, x, tn_kb_float(cv->kb, tn_value_dtype(x), number));
}

static tn_value *is_above(tn_cv *cv, tn_value *x, double number) {
    return tn_kb_map2(cv->kb, TN_PRIM_LT, tn_kb_float(cv->kb, tn_value_dtype(x), number), x);
}

/* x cut to [low, high]; NaN stays. */
static tn_value *cut(tn_cv *cv, tn_value *x, double low, double high) {
    return with_number(cv, TN_PRIM_MIN, with_number(cv, TN_PRIM_MAX, x, low), high);
}

/* self in the dtype to compute in; *out_status refuses anything but floats. */
static tn_status float_operand(tn_cv *cv, tn_value **out_x) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (!tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(x->type.dtype));
    *out_x = tn_cv_math(cv, x);
    return NULL;
}

static tn_status set_rounded(tn_cv *cv, tn_value *y) {
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, y, tn_value_dtype(tn_cv_tensor(cv, "self"))));
    return NULL;
}

/* ---- with a primitive of their own
 * ---------------------------------------------------------------------- */

static tn_status convert_relu(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (x->type.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self is bool, accepted are numbers");
    tn_cv_set_result(cv, 0, map1(cv, TN_PRIM_RELU, x));
    return NULL;
}

static tn_status convert_silu(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (!tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(x->type.dtype));
    tn_cv_set_result(cv, 0, map1(cv, TN_PRIM_SILU, x));
    return NULL;
}

static tn_status convert_gelu(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_str form = tn_cv_str(cv, "approximate");
    if (!tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(x->type.dtype));
    if (!tn_str_is(form, "none") && !tn_str_is(form, "tanh"))
        return tn_cv_refuse(cv, "approximate is \"%.*s\", accepted are none and tanh",
                            TN_STR_ARG(form));
    tn_prim prim = tn_str_is(form, "tanh") ? TN_PRIM_GELU_TANH : TN_PRIM_GELU_ERF;
    tn_cv_set_result(cv, 0, map1(cv, prim, x));
    return NULL;
}

/* ---- piecewise linear
 * -------------------------------------------------------------------------------------- */

static tn_status hardtanh(tn_cv *cv, double low, double high) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = x->type.dtype;
    if (dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self is bool, accepted are numbers");
    if (tn_dtype_is_float(dtype)) {
        tn_cv_set_result(cv, 0, cut(cv, x, low, high));
        return NULL;
    }
    x = tn_kb_map2(kb, TN_PRIM_MAX, x, tn_kb_int(kb, dtype, (int64_t)low));
    tn_cv_set_result(cv, 0, tn_kb_map2(kb, TN_PRIM_MIN, x, tn_kb_int(kb, dtype, (int64_t)high)));
    return NULL;
}

static tn_status convert_hardtanh(tn_cv *cv) {
    return hardtanh(cv, tn_cv_float(cv, "min_val"), tn_cv_float(cv, "max_val"));
}

static tn_status convert_relu6(tn_cv *cv) {
    return hardtanh(cv, 0, 6);
}

/* min(max(x + 3, 0), 6) / 6 */
static tn_value *hard_gate(tn_cv *cv, tn_value *x) {
    return cut(cv, with_number(cv, TN_PRIM_ADD, x, 3), 0, 6);
}

static tn_status convert_hardsigmoid(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    return set_rounded(cv, with_number(cv, TN_PRIM_DIV, hard_gate(cv, x), 6));
}

static tn_status convert_hardswish(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_value *y = map2(cv, TN_PRIM_MUL, x, hard_gate(cv, x));
    return set_rounded(cv, with_number(cv, TN_PRIM_DIV, y, 6));
}

static tn_status convert_leaky_relu(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_value *low = with_number(cv, TN_PRIM_MUL, x, tn_cv_float(cv, "negative_slope"));
    return set_rounded(cv, tn_kb_select(cv->kb, is_above(cv, x, 0), x, low));
}

/* weight: one number, or one per channel (dim 1). */
static tn_status convert_prelu(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x, *weight = tn_cv_math(cv, tn_cv_tensor(cv, "weight"));
    const tn_sym *dims[TN_MAX_RANK];
    TN_TRY(float_operand(cv, &x));
    uint32_t rank = tn_value_rank(x);
    bool is_one = tn_value_rank(weight) == 0 || tn_sym_is(tn_value_size(weight, 0), 1);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == 1 && !is_one ? tn_value_size(weight, 0) : tn_cv_size(cv, 1);
    tn_value *low = map2(cv, TN_PRIM_MUL, x, tn_kb_reshape(kb, weight, dims, rank));
    return set_rounded(cv, tn_kb_select(kb, is_above(cv, x, 0), x, low));
}

static tn_status convert_threshold(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = x->type.dtype;
    tn_value *is_low = tn_kb_map2(kb, TN_PRIM_LE, x, tn_cv_scalar(cv, "threshold", dtype));
    tn_cv_set_result(cv, 0, tn_kb_select(kb, is_low, tn_cv_scalar(cv, "value", dtype), x));
    return NULL;
}

/* 0 where |x| <= lambd, and NaN where x is NaN */
static tn_status convert_hardshrink(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_kb *kb = cv->kb;
    tn_value *lambda = tn_kb_float(kb, tn_value_dtype(x), tn_cv_float(cv, "lambd"));
    tn_value *is_small = map2(cv, TN_PRIM_LE, map1(cv, TN_PRIM_ABS, x), lambda);
    return set_rounded(cv, tn_kb_select(kb, is_small, tn_kb_float(kb, tn_value_dtype(x), 0), x));
}

/* x - lambd above lambd, x + lambd below -lambd, else x * 0 so that NaN stays */
static tn_status convert_softshrink(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_kb *kb = cv->kb;
    double lambda = tn_cv_float(cv, "lambd");
    tn_value *is_below = map2(cv, TN_PRIM_LT, x, tn_kb_float(kb, tn_value_dtype(x), -lambda));
    tn_value *y = tn_kb_select(kb, is_below, with_number(cv, TN_PRIM_ADD, x, lambda),
                               with_number(cv, TN_PRIM_MUL, x, 0));
    y = tn_kb_select(kb, is_above(cv, x, lambda), with_number(cv, TN_PRIM_SUB, x, lambda), y);
    return set_rounded(cv, y);
}

/* ---- smooth
 * ---------------------------------------------------------------------------------------------------
 */

/* scale * (x where x > 0, else alpha * (exp(x * input_scale) - 1)) */
static tn_status elu(tn_cv *cv, double alpha, double scale, double input_scale) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_value *e = map1(cv, TN_PRIM_EXPM1, with_number(cv, TN_PRIM_MUL, x, input_scale));
    tn_value *low = with_number(cv, TN_PRIM_MUL, e, alpha * scale);
    tn_value *high = with_number(cv, TN_PRIM_MUL, x, scale);
    return set_rounded(cv, tn_kb_select(cv->kb, is_above(cv, x, 0), high, low));
}

static tn_status convert_elu(tn_cv *cv) {
    return elu(cv, tn_cv_float(cv, "alpha"), tn_cv_float(cv, "scale"),
               tn_cv_float(cv, "input_scale"));
}

static tn_status convert_selu(tn_cv *cv) {
    return elu(cv, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1);
}

static tn_status convert_celu(tn_cv *cv) {
    double alpha = tn_cv_float(cv, "alpha");
    if (alpha == 0)
        return tn_cv_refuse(cv, "alpha is 0, accepted is any other");
    return elu(cv, alpha, 1, 1 / alpha);
}

/* log1p(exp(x)), by way of -|x| so that nothing overflows: max(x, 0) + log1p(exp(-|x|)) */
static tn_value *softplus(tn_cv *cv, tn_value *x) {
    tn_value *small = map1(cv, TN_PRIM_NEG, map1(cv, TN_PRIM_ABS, x));
    return map2(cv, TN_PRIM_ADD, map1(cv, TN_PRIM_RELU, x),
                map1(cv, TN_PRIM_LOG1P, map1(cv, TN_PRIM_EXP, small)));
}

static tn_status convert_softplus(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    double beta = tn_cv_float(cv, "beta"), threshold = tn_cv_float(cv, "threshold");
    tn_value *scaled = with_number(cv, TN_PRIM_MUL, x, beta);
    tn_value *y = with_number(cv, TN_PRIM_DIV, softplus(cv, scaled), beta);
    return set_rounded(cv, tn_kb_select(cv->kb, is_above(cv, scaled, threshold), x, y));
}

static tn_status convert_log_sigmoid(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    tn_value *y = softplus(cv, map1(cv, TN_PRIM_NEG, x));
    return set_rounded(cv, map1(cv, TN_PRIM_NEG, y));
}

static tn_status convert_mish(tn_cv *cv) {
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    return set_rounded(cv, map2(cv, TN_PRIM_MUL, x, map1(cv, TN_PRIM_TANH, softplus(cv, x))));
}

/* The first half times the sigmoid of the second. */
static tn_status convert_glu(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x;
    TN_TRY(float_operand(cv, &x));
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(x));
    if (tn_value_rank(x) == 0)
        return tn_cv_refuse(cv, "self has rank 0, accepted is rank from 1");
    const tn_sym *half = tn_sym_floordiv(syms, tn_value_size(x, dim), tn_cv_size(cv, 2));
    tn_value *a = tn_kb_slice(cv->kb, x, dim, tn_cv_size(cv, 0), half, 1);
    tn_value *b = tn_kb_slice(cv->kb, x, dim, half, half, 1);
    return set_rounded(cv, map2(cv, TN_PRIM_MUL, a, map1(cv, TN_PRIM_SIGMOID, b)));
}

/* ---- the family
 * ---------------------------------------------------------------------------------------------------
 */

#define FLOATS                                                                                     \
    "(f32[2,30])\n"                                                                                \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,4])\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f32[99]{lo=-30,hi=30})\n"                                                                    \
    "(f64[40])\n"                                                                                  \
    "(f16[40])\n"                                                                                  \
    "(bf16[40])\n"
/* Infinity times a gate of 0 is computed in another order. */
#define FLOATS_FINITE                                                                              \
    "(f32[2,30])\n"                                                                                \
    "(f32[2,3]{nc,nan})\n"                                                                         \
    "(f32[0,4])\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f32[99]{lo=-30,hi=30})\n"                                                                    \
    "(f64[40])\n"                                                                                  \
    "(f16[40])\n"                                                                                  \
    "(bf16[40])\n"
#define INTS                                                                                       \
    "(i64[5])\n"                                                                                   \
    "(i32[2,3]{nc})\n"                                                                             \
    "(i8[5])\n"                                                                                    \
    "(u8[5])\n"
/* Several functions in a row, each correct to an ulp or two. */
#define TOLERANCE "@rtol=1e-5 atol=1e-6\n"

static const tn_op_entry entries[] = {
    {"aten::relu(Tensor self) -> Tensor", convert_relu, FLOATS INTS, TN_PRIM_NONE},
    {"aten::relu6(Tensor self) -> Tensor", convert_relu6, FLOATS "(i64[5])\n", TN_PRIM_NONE},
    {"aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor", convert_hardtanh,
     FLOATS "(f32[9], 0., 6.)\n"
            "(i64[9], -2, 2)\n"
            "(bf16[9], -0.5, 0.5)\n",
     TN_PRIM_NONE},
    {"aten::silu(Tensor self) -> Tensor", convert_silu, TOLERANCE FLOATS, TN_PRIM_NONE},
    {"aten::gelu(Tensor self, *, str approximate=\"none\") -> Tensor", convert_gelu,
     TOLERANCE FLOATS "(f32[40], approximate='tanh')\n"
                      "(f32[9]{nc,nan}, approximate='tanh')\n"
                      "(bf16[40], approximate='tanh')\n",
     TN_PRIM_NONE},
    {"aten::hardsigmoid(Tensor self) -> Tensor", convert_hardsigmoid, FLOATS, TN_PRIM_NONE},
    {"aten::hardswish(Tensor self) -> Tensor", convert_hardswish, FLOATS_FINITE, TN_PRIM_NONE},
    {"aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor", convert_leaky_relu,
     FLOATS "(f32[9], 0.2)\n"
            "(bf16[9], 0.2)\n",
     TN_PRIM_NONE},
    {"aten::prelu(Tensor self, Tensor weight) -> Tensor", convert_prelu,
     "(f32[2,3], f32[1])\n"
     "(f32[2,3,4]{nc,nan}, f32[3])\n"
     "(f32[0,3], f32[3])\n"
     "(bf16[2,3], bf16[3])\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2])\n"
     "(f32[5], f32[1])\n",
     TN_PRIM_NONE},
    {"aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor", convert_threshold,
     "(f32[2,3], 0.1, 20)\n"
     "(f32[2,3]{nc,nan}, 0, 0)\n"
     "(f32[0], 1, 2)\n"
     "(i64[5], 1, 2)\n"
     "(bf16[9], 0.1, 0.2)\n"
     "(f64[1,2,1,2,1,2,1,2], 0, -1)\n",
     TN_PRIM_NONE},
    {"aten::hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor", convert_hardshrink,
     FLOATS "(f32[9], 0.2)\n", TN_PRIM_NONE},
    {"aten::softshrink(Tensor self, Scalar lambd=0.5) -> Tensor", convert_softshrink,
     FLOATS_FINITE "(f32[9], 0.2)\n", TN_PRIM_NONE},
    {"aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
     convert_elu, TOLERANCE FLOATS "(f32[9], 0.5, 2, 1.5)\n", TN_PRIM_NONE},
    {"aten::selu(Tensor self) -> Tensor", convert_selu, TOLERANCE FLOATS, TN_PRIM_NONE},
    {"aten::celu(Tensor self, Scalar alpha=1.) -> Tensor", convert_celu,
     TOLERANCE FLOATS "(f32[9], 0.5)\n", TN_PRIM_NONE},
    {"aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor", convert_softplus,
     TOLERANCE FLOATS "(f32[9], 2, 1)\n"
                      "(f32[9], 0.5)\n",
     TN_PRIM_NONE},
    {"aten::log_sigmoid(Tensor self) -> Tensor", convert_log_sigmoid, TOLERANCE FLOATS,
     TN_PRIM_NONE},
    {"aten::mish(Tensor self) -> Tensor", convert_mish, TOLERANCE FLOATS_FINITE, TN_PRIM_NONE},
    {"aten::glu(Tensor self, int dim=-1) -> Tensor", convert_glu,
     TOLERANCE "(f32[2,6])\n"
               "(f32[4,3]{nc,nan}, 0)\n"
               "(f32[0,4])\n"
               "(bf16[2,40])\n"
               "(f64[1,2,1,2,1,2,1,2], -3)\n"
               "(f16[8])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_activation = {"activation", entries, sizeof entries / sizeof *entries};
