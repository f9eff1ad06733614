/* ops_special.c: functions of elements that are formulas of several primitives. */
#include "ops/op_families.h"

#include <math.h>

/* Both operands in the dtype of the result, a float, and in the one that PyTorch computes in. */
typedef struct tn_pair {
    tn_value *a, *b;
    tn_dtype dtype;
} tn_pair;

static tn_status float_pair(tn_cv *cv, const char *a, const char *b, tn_pair *out_pair) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, a);
    tn_cv_promote(cv, &promotion, b);
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv, "%s and %s have dtypes without a common one", a, b);
    out_pair->dtype = tn_dtype_is_float(dtype) ? dtype : TN_F32;
    out_pair->a = tn_cv_math(cv, tn_cv_operand(cv, a, out_pair->dtype));
    out_pair->b = tn_cv_math(cv, tn_cv_operand(cv, b, out_pair->dtype));
    return NULL;
}

static tn_status set_cast(tn_cv *cv, tn_value *value, tn_dtype dtype) {
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, value, dtype));
    return NULL;
}

static tn_value *number(tn_cv *cv, const tn_value *like, double value) {
    return tn_kb_float(cv->kb, tn_value_dtype(like), value);
}

/* ---- of two operands --------------------------------------------------------------------------
 */

/* The larger side times sqrt(1 + ratio^2): squares do not overflow. An infinite side wins over NaN,
 * as in C. */
static tn_status convert_hypot(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pair p = {0};
    TN_TRY(float_pair(cv, "self", "other", &p));
    tn_value *a = tn_kb_map1(kb, TN_PRIM_ABS, p.a), *b = tn_kb_map1(kb, TN_PRIM_ABS, p.b);
    tn_value *large = tn_kb_map2(kb, TN_PRIM_MAX, a, b), *small = tn_kb_map2(kb, TN_PRIM_MIN, a, b);
    tn_value *ratio = tn_kb_map2(kb, TN_PRIM_DIV, small, large);
    tn_value *square = tn_kb_map2(kb, TN_PRIM_MUL, ratio, ratio);
    tn_value *root =
        tn_kb_map1(kb, TN_PRIM_SQRT, tn_kb_map2(kb, TN_PRIM_ADD, square, number(cv, large, 1)));
    tn_value *is_zero = tn_kb_map2(kb, TN_PRIM_EQ, large, number(cv, large, 0));
    tn_value *infinity = number(cv, large, (double)INFINITY);
    tn_value *is_infinite = tn_kb_map2(kb, TN_PRIM_OR, tn_kb_map2(kb, TN_PRIM_EQ, a, infinity),
                                       tn_kb_map2(kb, TN_PRIM_EQ, b, infinity));
    tn_value *y = tn_kb_select(kb, is_zero, large, tn_kb_map2(kb, TN_PRIM_MUL, large, root));
    return set_cast(cv, tn_kb_select(kb, is_infinite, infinity, y), p.dtype);
}

/* x * f(y); 0 where x is 0, NaN where y is. The entry's prim is f: log or log1p. */
static tn_status convert_xlogy(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pair p = {0};
    TN_TRY(float_pair(cv, "self", "other", &p));
    tn_value *product = tn_kb_map2(kb, TN_PRIM_MUL, p.a, tn_kb_map1(kb, tn_cv_prim(cv), p.b));
    tn_value *is_zero = tn_kb_map2(kb, TN_PRIM_EQ, p.a, number(cv, p.a, 0));
    tn_value *y = tn_kb_select(kb, is_zero, number(cv, p.a, 0), product);
    return set_cast(cv, tn_kb_select(kb, tn_kb_map1(kb, TN_PRIM_ISNAN, p.b), p.b, y), p.dtype);
}

/* max + log(1 + exp(-|a - b|)), in base e or 2; equal infinities give themselves. The entry's prim
 * is the logarithm. */
static tn_status convert_logaddexp(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pair p = {0};
    TN_TRY(float_pair(cv, "self", "other", &p));
    double base = tn_cv_prim(cv) == TN_PRIM_LOG2 ? log(2.0) : 1;
    tn_value *far = tn_kb_map1(kb, TN_PRIM_ABS, tn_kb_map2(kb, TN_PRIM_SUB, p.a, p.b));
    tn_value *small =
        tn_kb_map1(kb, TN_PRIM_EXP, tn_kb_map2(kb, TN_PRIM_MUL, far, number(cv, far, -base)));
    tn_value *rest = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map1(kb, TN_PRIM_LOG1P, small),
                                number(cv, far, 1 / base));
    tn_value *y = tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map2(kb, TN_PRIM_MAX, p.a, p.b), rest);
    tn_value *is_same = tn_kb_map2(kb, TN_PRIM_AND, tn_kb_map2(kb, TN_PRIM_EQ, p.a, p.b),
                                   tn_kb_map2(kb, TN_PRIM_EQ, tn_kb_map1(kb, TN_PRIM_ABS, p.a),
                                              number(cv, p.a, (double)INFINITY)));
    return set_cast(cv, tn_kb_select(kb, is_same, p.a, y), p.dtype);
}

/* Whether the sign is negative, that of zeros too; 1/x tells -0 from 0. A NaN counts as positive.
 */
static tn_value *has_sign(tn_cv *cv, tn_value *x) {
    tn_kb *kb = cv->kb;
    if (!x)
        return NULL;
    if (x->type.dtype == TN_BOOL)
        return tn_kb_map2(kb, TN_PRIM_AND, x, tn_kb_int(kb, TN_BOOL, 0));
    if (!tn_dtype_is_float(x->type.dtype))
        return tn_kb_map2(kb, TN_PRIM_LT, x, tn_kb_int(kb, x->type.dtype, 0));
    x = tn_cv_math(cv, x);
    tn_value *zero = number(cv, x, 0);
    tn_value *is_minus_zero =
        tn_kb_map2(kb, TN_PRIM_AND, tn_kb_map2(kb, TN_PRIM_EQ, x, zero),
                   tn_kb_map2(kb, TN_PRIM_LT, tn_kb_map1(kb, TN_PRIM_RECIP, x), zero));
    return tn_kb_map2(kb, TN_PRIM_OR, tn_kb_map2(kb, TN_PRIM_LT, x, zero), is_minus_zero);
}

static tn_status convert_signbit(tn_cv *cv) {
    tn_cv_set_result(cv, 0, has_sign(cv, tn_cv_tensor(cv, "self")));
    return NULL;
}

static tn_status convert_copysign(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pair p = {0};
    TN_TRY(float_pair(cv, "self", "other", &p));
    tn_value *size = tn_kb_map1(kb, TN_PRIM_ABS, p.a);
    tn_value *y = tn_kb_select(kb, has_sign(cv, p.b), tn_kb_map1(kb, TN_PRIM_NEG, size), size);
    return set_cast(cv, y, p.dtype);
}

/* 0 below 0, 1 above, `values` at 0. */
static tn_status convert_heaviside(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self"), *values = tn_cv_tensor(cv, "values");
    if (x->type.dtype != values->type.dtype)
        return tn_cv_refuse(cv, "self is %s and values are %s, accepted are equal ones",
                            tn_dtype_name(x->type.dtype), tn_dtype_name(values->type.dtype));
    tn_dtype dtype = x->type.dtype;
    if (dtype == TN_BOOL)
        x = tn_kb_cast(kb, x, TN_U8);
    tn_value *zero = tn_kb_cast(kb, tn_kb_int(kb, TN_I64, 0), tn_value_dtype(x));
    tn_value *step = tn_kb_cast(kb, tn_kb_map2(kb, TN_PRIM_LT, zero, x), dtype);
    tn_cv_set_result(cv, 0, tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, x, zero), values, step));
    return NULL;
}

/* self * 2^other. */
static tn_status convert_ldexp(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pair p = {0};
    TN_TRY(float_pair(cv, "self", "other", &p));
    tn_value *power = tn_kb_map2(kb, TN_PRIM_POW, number(cv, p.b, 2), p.b);
    return set_cast(cv, tn_kb_map2(kb, TN_PRIM_MUL, p.a, power), p.dtype);
}

/* ---- of one operand ---------------------------------------------------------------------------
 */

/* sin(pi x) / (pi x), 1 at 0. */
static tn_status convert_sinc(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *x = tn_cv_math(cv, tn_kb_cast(kb, self, tn_cv_float_dtype(self)));
    tn_value *angle = tn_kb_map2(kb, TN_PRIM_MUL, x, number(cv, x, 3.14159265358979323846));
    tn_value *y = tn_kb_map2(kb, TN_PRIM_DIV, tn_kb_map1(kb, TN_PRIM_SIN, angle), angle);
    tn_value *is_zero = tn_kb_map2(kb, TN_PRIM_EQ, x, number(cv, x, 0));
    y = tn_kb_select(kb, is_zero, number(cv, x, 1), y);
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

static tn_status scaled(tn_cv *cv, double factor) {
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *x = tn_cv_math(cv, tn_kb_cast(cv->kb, self, tn_cv_float_dtype(self)));
    tn_value *y = tn_kb_map2(cv->kb, TN_PRIM_MUL, x, number(cv, x, factor));
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

static tn_status convert_deg2rad(tn_cv *cv) {
    return scaled(cv, 3.14159265358979323846 / 180);
}

static tn_status convert_rad2deg(tn_cv *cv) {
    return scaled(cv, 180 / 3.14159265358979323846);
}

static tn_status is_infinity(tn_cv *cv, double infinity) {
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_EQ, x, number(cv, x, infinity)));
    return NULL;
}

static tn_status convert_isposinf(tn_cv *cv) {
    return is_infinity(cv, (double)INFINITY);
}

static tn_status convert_isneginf(tn_cv *cv) {
    return is_infinity(cv, -(double)INFINITY);
}

/* -x log x; 0 at 0, -inf below, NaN stays. */
static tn_status convert_entr(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *x = tn_cv_math(cv, tn_kb_cast(kb, self, tn_cv_float_dtype(self)));
    tn_value *zero = number(cv, x, 0);
    tn_value *y =
        tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map1(kb, TN_PRIM_NEG, x), tn_kb_map1(kb, TN_PRIM_LOG, x));
    y = tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, x, zero), zero, y);
    y = tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_LT, x, zero), number(cv, x, -(double)INFINITY), y);
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

/* The area of the normal distribution left of x: erfc(-x / sqrt(2)) / 2, where erfc(t) is
 * 1 - erf(t). */
static tn_status convert_ndtr(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *x = tn_cv_math(cv, tn_kb_cast(kb, self, tn_cv_float_dtype(self)));
    tn_value *t = tn_kb_map2(kb, TN_PRIM_MUL, x, number(cv, x, 0.70710678118654752440));
    tn_value *y = tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map1(kb, TN_PRIM_ERF, t), number(cv, x, 1));
    y = tn_kb_map2(kb, TN_PRIM_MUL, y, number(cv, x, 0.5));
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

/* The phase of a real number: pi below 0, NaN stays. */
static tn_status convert_angle(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *x = tn_cv_math(cv, tn_kb_cast(kb, self, tn_cv_float_dtype(self)));
    tn_value *is_below = tn_kb_map2(kb, TN_PRIM_LT, x, number(cv, x, 0));
    tn_value *y =
        tn_kb_select(kb, is_below, number(cv, x, 3.14159265358979323846), number(cv, x, 0));
    y = tn_kb_select(kb, tn_kb_map1(kb, TN_PRIM_ISNAN, x), x, y);
    return set_cast(cv, y, tn_cv_float_dtype(self));
}

#define FLOAT_PAIRS                                                                                \
    "(f32[2,3], f32[3])\n"                                                                         \
    "(f32[0], f32[1])\n"                                                                           \
    "(f32[], f32[2])\n"                                                                            \
    "(f32[4,5]{nc,nan}, f32[4,1]{inf})\n"                                                          \
    "(f32[9]{few}, f32[9]{few})\n"                                                                 \
    "(f64[9]{inf}, f64[9])\n"                                                                      \
    "(bf16[9], bf16[9])\n"                                                                         \
    "(f16[9], f16[9])\n"                                                                           \
    "(f32[1,2,1,2,1,2,1,2], f32[2])\n"
#define FLOAT_SINGLES                                                                              \
    "(f32[2,3]{nc})\n"                                                                             \
    "(f32[0])\n"                                                                                   \
    "(f32[1])\n"                                                                                   \
    "(f32[9]{nan})\n"                                                                              \
    "(f32[9]{few})\n"                                                                              \
    "(f64[9])\n"                                                                                   \
    "(bf16[9])\n"                                                                                  \
    "(f16[9])\n"                                                                                   \
    "(i64[9])\n"                                                                                   \
    "(bool[3])\n"                                                                                  \
    "(f32[1,2,1,2,1,2,1,2])\n"

static const tn_op_entry entries[] = {
    {"aten::hypot(Tensor self, Tensor other) -> Tensor", convert_hypot,
     FLOAT_PAIRS "(f32[2]{lo=1e30,hi=2e30}, f32[2]{lo=1e30,hi=2e30})\n", TN_PRIM_NONE},
    {"aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor", convert_xlogy,
     FLOAT_PAIRS "(i64[9]{few}, i64[9]{lo=0,hi=9})\n(f32[2,3]{zero}, f32[2,3]{nan})\n",
     TN_PRIM_LOG},
    {"aten::xlogy.Scalar_Other(Tensor self, Scalar other) -> Tensor", convert_xlogy,
     "(f32[9]{few}, 2.5)\n(f32[0], 1)\n(i64[5]{few}, 2)\n(f32[2,3]{nc,nan}, 0)\n", TN_PRIM_LOG},
    {"aten::xlogy.Scalar_Self(Scalar self, Tensor other) -> Tensor", convert_xlogy,
     "(2.5, f32[9])\n(0, f32[5]{nan})\n(1, i64[5]{lo=0,hi=9})\n(2, f32[0])\n", TN_PRIM_LOG},
    {"aten::special_xlog1py(Tensor self, Tensor other) -> Tensor", convert_xlogy,
     "(f32[2,3], f32[3])\n(f32[0], f32[1])\n(f32[9]{few}, f32[9]{few,nan})\n(f64[9], f64[9]{nc})\n",
     TN_PRIM_LOG1P},
    {"aten::logaddexp(Tensor self, Tensor other) -> Tensor", convert_logaddexp, FLOAT_PAIRS,
     TN_PRIM_LOG},
    {"aten::logaddexp2(Tensor self, Tensor other) -> Tensor", convert_logaddexp, FLOAT_PAIRS,
     TN_PRIM_LOG2},
    {"aten::signbit(Tensor self) -> Tensor", convert_signbit,
     "(f32[2,3]{nc})\n(f32[0])\n(f32[1])\n(f32[9]{few})\n(f32[9]{inf})\n(f64[9])\n(bf16[9])\n"
     "(f16[9])\n(i64[9])\n(u8[9])\n(bool[3])\n(f32[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::copysign.Tensor(Tensor self, Tensor other) -> Tensor", convert_copysign,
     "(f32[2,3], f32[3])\n(f32[0], f32[1])\n(f32[4,5]{nc,nan}, f32[4,1]{inf})\n"
     "(f32[9]{few}, f32[9]{few})\n(i64[9], i64[9])\n(bf16[9], bf16[9])\n(f64[9], f64[9])\n",
     TN_PRIM_NONE},
    {"aten::copysign.Scalar(Tensor self, Scalar other) -> Tensor", convert_copysign,
     "(f32[9], -2.5)\n(f32[0], 1)\n(f32[9]{nan}, -0.0)\n(i64[5], -3)\n", TN_PRIM_NONE},
    {"aten::heaviside(Tensor self, Tensor values) -> Tensor", convert_heaviside,
     "(f32[9]{few}, f32[])\n(f32[2,3]{zero}, f32[3])\n(f32[0], f32[1])\n(f32[9]{nan}, "
     "f32[9]{nan})\n"
     "(i64[9]{few}, i64[9])\n(bool[9], bool[9])\n(bf16[9]{few}, bf16[9])\n",
     TN_PRIM_NONE},
    {"aten::ldexp.Tensor(Tensor self, Tensor other) -> Tensor", convert_ldexp,
     "(f32[2,3], i64[3])\n(f32[0], i64[1])\n(f32[9]{nan,inf}, f32[9]{few})\n(i64[9], i64[9])\n",
     TN_PRIM_NONE},
    /* far from 0, pi x in f32 has few digits left after the point */
    {"aten::sinc(Tensor self) -> Tensor", convert_sinc,
     "@atol=1e-6\n"
     "(f32[2,3]{nc})\n(f32[0])\n(f32[1])\n(f32[9]{nan})\n(f32[9]{zero})\n(f64[9])\n(bf16[9])\n"
     "(f16[9])\n(i64[9])\n(bool[3])\n(f32[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::deg2rad(Tensor self) -> Tensor", convert_deg2rad, FLOAT_SINGLES "(f32[9]{inf})\n",
     TN_PRIM_NONE},
    {"aten::rad2deg(Tensor self) -> Tensor", convert_rad2deg, FLOAT_SINGLES "(f32[9]{inf})\n",
     TN_PRIM_NONE},
    {"aten::isposinf(Tensor self) -> Tensor", convert_isposinf, FLOAT_SINGLES "(f32[9]{inf})\n",
     TN_PRIM_NONE},
    {"aten::isneginf(Tensor self) -> Tensor", convert_isneginf, FLOAT_SINGLES "(f32[9]{inf})\n",
     TN_PRIM_NONE},
    {"aten::special_entr(Tensor self) -> Tensor", convert_entr, FLOAT_SINGLES "(f32[9]{inf})\n",
     TN_PRIM_NONE},
    /* the far left tail is 1 - erf, which cancels; PyTorch continues it with erfc */
    {"aten::special_ndtr(Tensor self) -> Tensor", convert_ndtr,
     "@atol=1e-6\n"
     "(f32[2,3]{nc})\n(f32[0])\n(f32[1])\n(f32[9]{nan,inf})\n(f64[9]{lo=-2,hi=2})\n(i64[9])\n",
     TN_PRIM_NONE},
    {"aten::angle(Tensor self) -> Tensor", convert_angle,
     "(f32[2,3]{nc})\n(f32[0])\n(f32[1])\n(f32[9]{nan,inf})\n(f64[9])\n(i64[9])\n(bool[3])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_special = {"special", entries, sizeof entries / sizeof *entries};
