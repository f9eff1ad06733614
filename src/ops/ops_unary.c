/* ops_unary.c: functions of one tensor, element by element. */
#include "ops/op_families.h"

#include <math.h>

/* Integers and bool compute in f32, as PyTorch's float-valued functions do. */
static tn_value *float_operand(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    return tn_kb_cast(cv->kb, x, tn_cv_float_dtype(x));
}

static tn_status convert_float(tn_cv *cv) {
    tn_cv_set_result(cv, 0, tn_kb_map1(cv->kb, tn_cv_prim(cv), float_operand(cv)));
    return NULL;
}

static tn_status convert_number(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (tn_value_dtype(x) == TN_BOOL)
        return tn_cv_refuse(cv, "self is bool, accepted are numbers");
    tn_cv_set_result(cv, 0, tn_kb_map1(cv->kb, tn_cv_prim(cv), x));
    return NULL;
}

/* abs and sign leave bool as it is; the rounding functions also integers. */
static tn_status convert_number_or_bool(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    bool is_same = tn_value_dtype(x) == TN_BOOL;
    tn_cv_set_result(cv, 0, is_same ? x : tn_kb_map1(cv->kb, tn_cv_prim(cv), x));
    return NULL;
}

static tn_status convert_rounding(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (tn_value_dtype(x) == TN_BOOL)
        return tn_cv_refuse(cv, "self is bool, accepted are numbers");
    bool is_float = tn_dtype_is_float(tn_value_dtype(x));
    tn_cv_set_result(cv, 0, is_float ? tn_kb_map1(cv->kb, tn_cv_prim(cv), x) : x);
    return NULL;
}

static tn_status set_rounded(tn_cv *cv, tn_value *y) {
    tn_dtype dtype = tn_cv_float_dtype(tn_cv_tensor(cv, "self"));
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, y, dtype));
    return NULL;
}

/* Digits after the point; negative ones before it. */
static tn_status convert_round_decimals(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    if (!tn_dtype_is_float(tn_value_dtype(self)))
        return tn_cv_refuse(cv, "self is %s, accepted are floats",
                            tn_dtype_name(tn_value_dtype(self)));
    int64_t decimals = tn_cv_int(cv, "decimals");
    tn_value *x = tn_cv_math(cv, self);
    if (decimals == 0)
        return set_rounded(cv, tn_kb_map1(kb, TN_PRIM_ROUND, x));
    tn_value *scale = tn_kb_float(kb, tn_value_dtype(x), pow(10.0, fabs((double)decimals)));
    tn_prim up = decimals > 0 ? TN_PRIM_MUL : TN_PRIM_DIV;
    tn_prim down = decimals > 0 ? TN_PRIM_DIV : TN_PRIM_MUL;
    tn_value *y = tn_kb_map1(kb, TN_PRIM_ROUND, tn_kb_map2(kb, up, x, scale));
    return set_rounded(cv, tn_kb_map2(kb, down, y, scale));
}

static tn_status convert_frac(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (!tn_dtype_is_float(tn_value_dtype(x)))
        return tn_cv_refuse(cv, "self is %s, accepted are floats",
                            tn_dtype_name(tn_value_dtype(x)));
    tn_cv_set_result(cv, 0,
                     tn_kb_map2(cv->kb, TN_PRIM_SUB, x, tn_kb_map1(cv->kb, TN_PRIM_TRUNC, x)));
    return NULL;
}

static tn_status convert_square(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (tn_value_dtype(x) == TN_BOOL)
        x = tn_kb_cast(cv->kb, x, TN_I64);
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_MUL, x, x));
    return NULL;
}

static tn_status convert_positive(tn_cv *cv) {
    tn_cv_set_result(cv, 0, tn_cv_tensor(cv, "self"));
    return NULL;
}

static tn_status convert_exp2(tn_cv *cv) {
    tn_value *x = float_operand(cv);
    tn_value *two = tn_kb_float(cv->kb, tn_value_dtype(x), 2);
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_POW, two, x));
    return NULL;
}

static tn_status convert_erfc(tn_cv *cv) {
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_value *one = tn_kb_float(cv->kb, tn_value_dtype(x), 1);
    return set_rounded(cv,
                       tn_kb_map2(cv->kb, TN_PRIM_SUB, one, tn_kb_map1(cv->kb, TN_PRIM_ERF, x)));
}

/* asinh(x) = sign(x) * log1p(a + a / (1/a + sqrt(1 + 1/a^2))), a = |x|: exact near 0, no overflow.
 */
static tn_status convert_asinh(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_value *one = tn_kb_float(kb, tn_value_dtype(x), 1);
    tn_value *a = tn_kb_map1(kb, TN_PRIM_ABS, x), *r = tn_kb_map1(kb, TN_PRIM_RECIP, a);
    tn_value *root = tn_kb_map1(
        kb, TN_PRIM_SQRT, tn_kb_map2(kb, TN_PRIM_ADD, one, tn_kb_map2(kb, TN_PRIM_MUL, r, r)));
    tn_value *quotient = tn_kb_map2(kb, TN_PRIM_DIV, a, tn_kb_map2(kb, TN_PRIM_ADD, r, root));
    tn_value *y = tn_kb_map1(kb, TN_PRIM_LOG1P, tn_kb_map2(kb, TN_PRIM_ADD, a, quotient));
    tn_value *is_negative = tn_kb_map2(kb, TN_PRIM_LT, x, tn_kb_float(kb, tn_value_dtype(x), 0));
    return set_rounded(cv, tn_kb_select(kb, is_negative, tn_kb_map1(kb, TN_PRIM_NEG, y), y));
}

/* acosh(x) = log1p(t + sqrt(t) * sqrt(t + 2)), t = x - 1 */
static tn_status convert_acosh(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_dtype dtype = tn_value_dtype(x);
    tn_value *t = tn_kb_map2(kb, TN_PRIM_SUB, x, tn_kb_float(kb, dtype, 1));
    tn_value *t2 = tn_kb_map2(kb, TN_PRIM_ADD, t, tn_kb_float(kb, dtype, 2));
    tn_value *roots = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map1(kb, TN_PRIM_SQRT, t),
                                 tn_kb_map1(kb, TN_PRIM_SQRT, t2));
    return set_rounded(cv, tn_kb_map1(kb, TN_PRIM_LOG1P, tn_kb_map2(kb, TN_PRIM_ADD, t, roots)));
}

/* atanh(x) = log1p(2x / (1 - x)) / 2 */
static tn_status convert_atanh(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_dtype dtype = tn_value_dtype(x);
    tn_value *rest = tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_float(kb, dtype, 1), x);
    tn_value *ratio = tn_kb_map2(kb, TN_PRIM_DIV, tn_kb_map2(kb, TN_PRIM_ADD, x, x), rest);
    tn_value *y = tn_kb_map1(kb, TN_PRIM_LOG1P, ratio);
    return set_rounded(cv, tn_kb_map2(kb, TN_PRIM_MUL, y, tn_kb_float(kb, dtype, 0.5)));
}

/* log(x / (1 - x)), x first cut to [eps, 1 - eps] if eps is given */
static tn_status convert_logit(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_math(cv, tn_cv_tensor(cv, "self"));
    tn_dtype dtype = tn_value_dtype(x);
    if (!tn_cv_is_none(cv, "eps")) {
        double eps = tn_cv_float(cv, "eps");
        x = tn_kb_map2(kb, TN_PRIM_MAX, x, tn_kb_float(kb, dtype, eps));
        x = tn_kb_map2(kb, TN_PRIM_MIN, x, tn_kb_float(kb, dtype, 1 - eps));
    }
    tn_value *rest = tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_float(kb, dtype, 1), x);
    return set_rounded(cv, tn_kb_map1(kb, TN_PRIM_LOG, tn_kb_map2(kb, TN_PRIM_DIV, x, rest)));
}

/* NaN, inf and -inf become numbers; the infinities by default the dtype's largest. */
static tn_status convert_nan_to_num(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_value_dtype(x);
    if (!tn_dtype_is_float(dtype)) {
        tn_cv_set_result(cv, 0, x);
        return NULL;
    }
    double largest = dtype == TN_F64    ? 0x1.fffffffffffffp1023
                     : dtype == TN_F32  ? 0x1.fffffep127
                     : dtype == TN_BF16 ? 0x1.fep127
                                        : 65504;
    double nan = tn_cv_is_none(cv, "nan") ? 0 : tn_cv_float(cv, "nan");
    double high = tn_cv_is_none(cv, "posinf") ? largest : tn_cv_float(cv, "posinf");
    double low = tn_cv_is_none(cv, "neginf") ? -largest : tn_cv_float(cv, "neginf");
    tn_value *inf = tn_kb_float(kb, dtype, INFINITY),
             *minus_inf = tn_kb_float(kb, dtype, -INFINITY);
    tn_value *y =
        tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, x, inf), tn_kb_float(kb, dtype, high), x);
    y = tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, x, minus_inf), tn_kb_float(kb, dtype, low), y);
    y = tn_kb_select(kb, tn_kb_map1(kb, TN_PRIM_ISNAN, x), tn_kb_float(kb, dtype, nan), y);
    tn_cv_set_result(cv, 0, y);
    return NULL;
}

/* ---- the family
 * ---------------------------------------------------------------------------------- */

#define FLOATS                                                                                     \
    "(f32[2,3])\n"                                                                                 \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,4])\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f64[40])\n"                                                                                  \
    "(f16[40])\n"                                                                                  \
    "(bf16[40])\n"
#define POSITIVE                                                                                   \
    "(f32[2,3]{lo=0,hi=9})\n"                                                                      \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,4])\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f64[40]{lo=0,hi=9})\n"                                                                       \
    "(f16[40]{lo=0,hi=9})\n"                                                                       \
    "(bf16[40]{lo=0,hi=9})\n"
#define UNIT /* within (-1, 1) */                                                                  \
    "(f32[2,3]{lo=-1,hi=1})\n"                                                                     \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,4])\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2]{lo=-1,hi=1})\n"                                                         \
    "(f64[40]{lo=-1,hi=1})\n"                                                                      \
    "(f16[40]{lo=-1,hi=1})\n"                                                                      \
    "(bf16[40]{lo=-1,hi=1})\n"
#define FROM_INTS                                                                                  \
    "(i64[5]{lo=1,hi=5})\n"                                                                        \
    "(i32[5]{lo=1,hi=5})\n"                                                                        \
    "(bool[3])\n"                                                                                  \
    "(u8[3]{lo=1,hi=5})\n"
#define INTS                                                                                       \
    "(i64[5])\n"                                                                                   \
    "(i32[2,3]{nc})\n"                                                                             \
    "(i16[0])\n"                                                                                   \
    "(i8[5])\n"                                                                                    \
    "(u8[5])\n"

static const tn_op_entry entries[] = {
    {"aten::neg(Tensor self) -> Tensor", convert_number, FLOATS INTS, TN_PRIM_NEG},
    {"aten::abs(Tensor self) -> Tensor", convert_number_or_bool, FLOATS INTS, TN_PRIM_ABS},
    {"aten::sign(Tensor self) -> Tensor", convert_number_or_bool, FLOATS INTS "(bool[3])\n",
     TN_PRIM_SIGN},
    {"aten::sgn(Tensor self) -> Tensor", convert_number_or_bool, FLOATS INTS "(bool[3])\n",
     TN_PRIM_SIGN},
    {"aten::positive(Tensor(a) self) -> Tensor(a)", convert_positive, FLOATS INTS, TN_PRIM_NONE},
    {"aten::square(Tensor self) -> Tensor", convert_square, FLOATS INTS "(bool[3])\n",
     TN_PRIM_NONE},
    {"aten::sqrt(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_SQRT},
    {"aten::rsqrt(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_RSQRT},
    {"aten::reciprocal(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_RECIP},
    {"aten::exp(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_EXP},
    {"aten::exp2(Tensor self) -> Tensor", convert_exp2, FLOATS FROM_INTS, TN_PRIM_NONE},
    {"aten::expm1(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_EXPM1},
    {"aten::log(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_LOG},
    {"aten::log2(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_LOG2},
    {"aten::log10(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_LOG10},
    {"aten::log1p(Tensor self) -> Tensor", convert_float, POSITIVE FROM_INTS, TN_PRIM_LOG1P},
    {"aten::sin(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_SIN},
    {"aten::cos(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_COS},
    {"aten::tan(Tensor self) -> Tensor", convert_float, UNIT FROM_INTS, TN_PRIM_TAN},
    {"aten::asin(Tensor self) -> Tensor", convert_float, UNIT, TN_PRIM_ASIN},
    {"aten::acos(Tensor self) -> Tensor", convert_float, UNIT, TN_PRIM_ACOS},
    {"aten::atan(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_ATAN},
    {"aten::sinh(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_SINH},
    {"aten::cosh(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_COSH},
    {"aten::tanh(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_TANH},
    {"aten::asinh(Tensor self) -> Tensor", convert_asinh,
     FLOATS FROM_INTS "(f32[9]{lo=-1e30,hi=1e30})\n", TN_PRIM_NONE},
    {"aten::acosh(Tensor self) -> Tensor", convert_acosh,
     POSITIVE FROM_INTS "(f32[9]{lo=1,hi=1e30})\n", TN_PRIM_NONE},
    {"aten::atanh(Tensor self) -> Tensor", convert_atanh, UNIT, TN_PRIM_NONE},
    {"aten::erf(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_ERF},
    /* 1 - erf(x) has no relative accuracy where it is small. */
    {"aten::erfc(Tensor self) -> Tensor", convert_erfc, "@atol=1e-6\n" FLOATS FROM_INTS,
     TN_PRIM_NONE},
    {"aten::sigmoid(Tensor self) -> Tensor", convert_float, FLOATS FROM_INTS, TN_PRIM_SIGMOID},
    {"aten::logit(Tensor self, float? eps=None) -> Tensor", convert_logit,
     UNIT "(f32[9]{lo=0,hi=1})\n"
          "(f32[9], 0.1)\n"
          /* PyTorch rounds the quotient to bf16 before the logarithm. */
          "(bf16[9]{lo=0,hi=1}, 0.01)@rtol=5e-2\n",
     TN_PRIM_NONE},
    {"aten::floor(Tensor self) -> Tensor", convert_rounding, FLOATS INTS, TN_PRIM_FLOOR},
    {"aten::ceil(Tensor self) -> Tensor", convert_rounding, FLOATS INTS, TN_PRIM_CEIL},
    {"aten::trunc(Tensor self) -> Tensor", convert_rounding, FLOATS INTS, TN_PRIM_TRUNC},
    {"aten::fix(Tensor self) -> Tensor", convert_rounding, FLOATS INTS, TN_PRIM_TRUNC},
    {"aten::round(Tensor self) -> Tensor", convert_rounding, FLOATS INTS "(f32[8]{half})\n",
     TN_PRIM_ROUND},
    {"aten::round.decimals(Tensor self, *, int decimals) -> Tensor", convert_round_decimals,
     "(f32[9], decimals=2)\n"
     "(f32[9]{lo=-999,hi=999,nc}, decimals=-2)\n"
     "(f32[0], decimals=1)\n"
     "(f32[9]{nan,inf}, decimals=0)\n"
     "(f64[1,2,1,2,1,2,1,2], decimals=3)\n"
     "(bf16[9], decimals=1)\n"
     "(f16[9], decimals=1)\n"
     "(f32[], decimals=1)\n",
     TN_PRIM_NONE},
    {"aten::frac(Tensor self) -> Tensor", convert_frac,
     "@atol=1e-7\n"
     "(f32[2,3])\n"
     "(f32[2,3]{nc,nan})\n"
     "(f32[0,4])\n"
     "(f32[])\n"
     "(f32[1,2,1,2,1,2,1,2])\n"
     "(f64[40])\n"
     "(f16[40])\n"
     "(bf16[40])\n",
     TN_PRIM_NONE},
    {"aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> "
     "Tensor",
     convert_nan_to_num,
     FLOATS INTS "(f32[9]{nan,inf}, nan=1.5, posinf=2.0, neginf=-3.0)\n"
                 "(bf16[9]{nan,inf}, 0.5)\n"
                 "(f16[9]{nan,inf})\n"
                 "(f64[9]{nan,inf})\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_unary = {"unary", entries, sizeof entries / sizeof *entries};
