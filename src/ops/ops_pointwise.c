/* ops_pointwise.c: arithmetic of two tensors, or of a tensor and a number. */
#include "ops/op_families.h"

#include "kir/interp.h"

#include <math.h>

/* ---- operands in their common dtype
 * -------------------------------------------------------------- */

typedef struct tn_binary {
    tn_value *a, *b;
    tn_dtype dtype; /* of the result */
} tn_binary;

/* The dtype that the two arguments promote to. */
static tn_status common_dtype(tn_cv *cv, const char *a, const char *b, tn_dtype *out_dtype) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, a);
    tn_cv_promote(cv, &promotion, b);
    *out_dtype = tn_promoted(&promotion);
    if (*out_dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv,
                            "%s and %s have dtypes without a common one, accepted are pairs that "
                            "PyTorch promotes",
                            a, b);
    return NULL;
}

static tn_status common_operands(tn_cv *cv, const char *a, const char *b, tn_binary *out_binary) {
    TN_TRY(common_dtype(cv, a, b, &out_binary->dtype));
    out_binary->a = tn_cv_operand(cv, a, out_binary->dtype);
    out_binary->b = tn_cv_operand(cv, b, out_binary->dtype);
    return NULL;
}

/* A number that the half dtype cannot hold. */
static bool is_finer(tn_cv *cv, const char *name, tn_dtype dtype) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind == TN_ARG_VALUE) {
        const tn_value *x = tn_cv_tensor(cv, name);
        return tn_value_rank(x) == 0 && tn_value_dtype(x) != dtype;
    }
    if (arg->kind == TN_ARG_INT && !tn_sym_is_const(arg->i))
        return true;
    double value = tn_cv_float(cv, name);
    uint64_t element = 0;
    tn_elem_set_f64(dtype, &element, value);
    return tn_elem_get_f64(dtype, &element) != value;
}

/* PyTorch's arithmetic kernels hold the number of a half tensor in f32: x * 0.1 does not round 0.1.
 */
static tn_dtype arithmetic_dtype(tn_cv *cv, const char *a, const char *b, tn_dtype dtype) {
    if (tn_dtype_is_half(dtype) && (is_finer(cv, a, dtype) || is_finer(cv, b, dtype)))
        return TN_F32;
    return dtype;
}

static void arithmetic_operands(tn_cv *cv, const char *a, const char *b, tn_binary *inout_binary) {
    tn_dtype compute = arithmetic_dtype(cv, a, b, inout_binary->dtype);
    inout_binary->a = tn_cv_operand(cv, a, compute);
    inout_binary->b = tn_cv_operand(cv, b, compute);
}

static tn_status set_cast(tn_cv *cv, tn_value *value, tn_dtype dtype) {
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, value, dtype));
    return NULL;
}

/* Two-operand maps whose result has the common dtype. */
static tn_status convert_binary(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_operands(cv, "self", "other", &binary));
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, tn_cv_prim(cv), binary.a, binary.b));
    return NULL;
}

/* a + alpha * b; also for sub and rsub, with a and b as they stand in the formula a - alpha * b. */
static tn_status add_scaled(tn_cv *cv, tn_prim prim, const char *a, const char *b) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, a, b, &binary.dtype));
    arithmetic_operands(cv, a, b, &binary);
    const tn_arg *alpha = tn_cv_arg(cv, "alpha");
    if (binary.dtype == TN_BOOL) {
        if (prim == TN_PRIM_SUB || !tn_cv_bool(cv, "alpha"))
            return tn_cv_refuse(cv, "operands are bool, accepted are numbers");
        tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_OR, binary.a, binary.b));
        return NULL;
    }
    if (alpha->kind == TN_ARG_FLOAT && !tn_dtype_is_float(binary.dtype))
        return tn_cv_refuse(cv, "alpha is a float and the operands are %s, accepted is an integer",
                            tn_dtype_name(binary.dtype));
    bool is_one =
        alpha->kind == TN_ARG_INT ? tn_sym_is(alpha->i, 1) : tn_cv_float(cv, "alpha") == 1.0;
    if (!is_one && tn_dtype_is_half(binary.dtype)) {
        binary.a = tn_cv_math(cv, binary.a);
        binary.b = tn_cv_math(cv, binary.b);
    }
    if (!is_one)
        binary.b = tn_kb_map2(cv->kb, TN_PRIM_MUL, binary.b,
                              tn_cv_scalar(cv, "alpha", tn_value_dtype(binary.b)));
    return set_cast(cv, tn_kb_map2(cv->kb, prim, binary.a, binary.b), binary.dtype);
}

static tn_status convert_add(tn_cv *cv) {
    return add_scaled(cv, tn_cv_prim(cv), "self", "other");
}

static tn_status convert_rsub(tn_cv *cv) {
    return add_scaled(cv, TN_PRIM_SUB, "other", "self");
}

static tn_status convert_mul(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, "self", "other", &binary.dtype));
    arithmetic_operands(cv, "self", "other", &binary);
    tn_prim prim = binary.dtype == TN_BOOL ? TN_PRIM_AND : TN_PRIM_MUL;
    return set_cast(cv, tn_kb_map2(cv->kb, prim, binary.a, binary.b), binary.dtype);
}

/* ---- division -----------------------------------------------------------------------------------
 */

static tn_status true_divide(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, "self", "other", &binary.dtype));
    if (!tn_dtype_is_float(binary.dtype))
        binary.dtype = TN_F32;
    arithmetic_operands(cv, "self", "other", &binary);
    return set_cast(cv, tn_kb_map2(cv->kb, TN_PRIM_DIV, binary.a, binary.b), binary.dtype);
}

static tn_status divide_rounded(tn_cv *cv, tn_prim prim) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, "self", "other", &binary.dtype));
    if (binary.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "operands are bool, accepted are numbers");
    arithmetic_operands(cv, "self", "other", &binary);
    return set_cast(cv, tn_kb_map2(cv->kb, prim, binary.a, binary.b), binary.dtype);
}

static tn_status convert_div_mode(tn_cv *cv) {
    tn_str mode = tn_cv_str(cv, "rounding_mode");
    if (mode.len == 0)
        return true_divide(cv);
    if (!tn_str_is(mode, "floor") && !tn_str_is(mode, "trunc"))
        return tn_cv_refuse(cv, "rounding_mode is \"%.*s\", accepted are floor and trunc",
                            TN_STR_ARG(mode));
    return divide_rounded(cv, tn_str_is(mode, "floor") ? TN_PRIM_FLOORDIV : TN_PRIM_TRUNCDIV);
}

static tn_status convert_floor_divide(tn_cv *cv) {
    return divide_rounded(cv, TN_PRIM_FLOORDIV);
}

static tn_status convert_atan2(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, "self", "other", &binary.dtype));
    if (!tn_dtype_is_float(binary.dtype))
        binary.dtype = TN_F32;
    binary.a = tn_cv_operand(cv, "self", binary.dtype);
    binary.b = tn_cv_operand(cv, "other", binary.dtype);
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_ATAN2, binary.a, binary.b));
    return NULL;
}

/* ---- powers
 * -------------------------------------------------------------------------------------- */

/* The powers that PyTorch computes without pow(); NULL for the others. */
static tn_value *simple_power(tn_cv *cv, tn_value *x, double exponent) {
    tn_kb *kb = cv->kb;
    bool is_float = tn_dtype_is_float(tn_value_dtype(x));
    if (exponent == 1.0)
        return x;
    if (exponent == 2.0)
        return tn_kb_map2(kb, TN_PRIM_MUL, x, x);
    if (exponent == 3.0)
        return tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_MUL, x, x), x);
    if (is_float && exponent == 0.5)
        return tn_kb_map1(kb, TN_PRIM_SQRT, x);
    if (is_float && exponent == -0.5)
        return tn_kb_map1(kb, TN_PRIM_RSQRT, x);
    if (is_float && exponent == -1.0)
        return tn_kb_map1(kb, TN_PRIM_RECIP, x);
    if (is_float && exponent == -2.0)
        return tn_kb_map1(kb, TN_PRIM_RECIP, tn_kb_map2(kb, TN_PRIM_MUL, x, x));
    return NULL;
}

static tn_status convert_pow_scalar(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_dtype(cv, "self", "exponent", &binary.dtype));
    const tn_arg *arg = tn_cv_arg(cv, "exponent");
    bool is_symbolic = arg->kind == TN_ARG_INT && !tn_sym_is_const(arg->i);
    double exponent = is_symbolic ? (double)NAN : tn_cv_float(cv, "exponent");
    if (!tn_dtype_is_float(binary.dtype) && exponent < 0)
        return tn_cv_refuse(cv, "exponent is %g and self is %s, accepted are exponents from 0",
                            exponent, tn_dtype_name(binary.dtype));
    if (binary.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self and exponent are bool, accepted are numbers");
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype compute = tn_dtype_is_half(binary.dtype) ? TN_F32 : binary.dtype;
    tn_value *simple = simple_power(cv, tn_kb_cast(cv->kb, x, compute), exponent);
    if (simple)
        return set_cast(cv, simple, binary.dtype);
    binary.a = tn_kb_cast(cv->kb, x, binary.dtype);
    binary.b = tn_cv_scalar(cv, "exponent", binary.dtype);
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_POW, binary.a, binary.b));
    return NULL;
}

static tn_status convert_pow(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_operands(cv, "self", "exponent", &binary));
    if (binary.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self and exponent are bool, accepted are numbers");
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, TN_PRIM_POW, binary.a, binary.b));
    return NULL;
}

/* ---- extremes
 * ------------------------------------------------------------------------------------- */

/* fmax, fmin: a NaN yields to the other operand. */
static tn_status convert_fmax(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_binary binary = {0};
    TN_TRY(common_operands(cv, "self", "other", &binary));
    tn_value *y = tn_kb_map2(kb, tn_cv_prim(cv), binary.a, binary.b);
    if (tn_dtype_is_float(binary.dtype)) {
        y = tn_kb_select(kb, tn_kb_map1(kb, TN_PRIM_ISNAN, binary.b), binary.a, y);
        y = tn_kb_select(kb, tn_kb_map1(kb, TN_PRIM_ISNAN, binary.a), binary.b, y);
    }
    tn_cv_set_result(cv, 0, y);
    return NULL;
}

/* A bound of clamp on x, if it is given. */
static tn_value *clamp_to(tn_cv *cv, tn_prim prim, tn_value *x, const char *name, tn_dtype dtype) {
    if (tn_cv_is_none(cv, name))
        return x;
    return tn_kb_map2(cv->kb, prim, x, tn_cv_operand(cv, name, dtype));
}

static tn_status clamp(tn_cv *cv, const char *min, const char *max) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "self");
    if (min)
        tn_cv_promote(cv, &promotion, min);
    if (max)
        tn_cv_promote(cv, &promotion, max);
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE || dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self and the bounds have no common dtype of numbers, accepted are "
                                "dtypes that PyTorch promotes");
    tn_value *x = tn_cv_operand(cv, "self", dtype);
    if (min)
        x = clamp_to(cv, TN_PRIM_MAX, x, min, dtype);
    if (max)
        x = clamp_to(cv, TN_PRIM_MIN, x, max, dtype);
    tn_cv_set_result(cv, 0, x);
    return NULL;
}

static tn_status convert_clamp(tn_cv *cv) {
    return clamp(cv, "min", "max");
}

static tn_status convert_clamp_min(tn_cv *cv) {
    return clamp(cv, "min", NULL);
}

static tn_status convert_clamp_max(tn_cv *cv) {
    return clamp(cv, NULL, "max");
}

/* ---- three operands
 * --------------------------------------------------------------------------------- */

/* self + value * (tensor1 op tensor2) */
static tn_status convert_addc(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_promotion promotion = {0};
    tn_promote_tensor(&promotion, tn_cv_tensor(cv, "self"));
    tn_promote_tensor(&promotion, tn_cv_tensor(cv, "tensor1"));
    tn_promote_tensor(&promotion, tn_cv_tensor(cv, "tensor2"));
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE || dtype == TN_BOOL ||
        (tn_cv_prim(cv) == TN_PRIM_DIV && !tn_dtype_is_float(dtype)))
        return tn_cv_refuse(cv,
                            "the operands promote to %s, accepted are numbers (floats to divide)",
                            tn_dtype_name(dtype));
    tn_dtype compute = tn_dtype_is_half(dtype) ? TN_F32 : dtype;
    tn_value *a = tn_kb_cast(kb, tn_cv_tensor(cv, "tensor1"), compute);
    tn_value *b = tn_kb_cast(kb, tn_cv_tensor(cv, "tensor2"), compute);
    tn_value *self = tn_kb_cast(kb, tn_cv_tensor(cv, "self"), compute);
    if (tn_cv_float(cv, "value") != 1.0)
        a = tn_kb_map2(kb, TN_PRIM_MUL, tn_cv_scalar(cv, "value", compute), a);
    tn_value *y = tn_kb_map2(kb, TN_PRIM_ADD, self, tn_kb_map2(kb, tn_cv_prim(cv), a, b));
    return set_cast(cv, y, dtype);
}

/* PyTorch takes the form whose rounding error is smaller on either side of weight 1/2. */
static tn_status convert_lerp(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *start = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_value_dtype(start);
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(dtype));
    tn_value *a = tn_cv_math(cv, start), *b = tn_cv_math(cv, tn_cv_tensor(cv, "end"));
    tn_dtype compute = tn_value_dtype(a);
    tn_value *w = tn_cv_operand(cv, "weight", compute);
    tn_value *d = tn_kb_map2(kb, TN_PRIM_SUB, b, a);
    tn_value *low = tn_kb_map2(kb, TN_PRIM_ADD, a, tn_kb_map2(kb, TN_PRIM_MUL, w, d));
    tn_value *rest = tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_float(kb, compute, 1), w);
    tn_value *high = tn_kb_map2(kb, TN_PRIM_SUB, b, tn_kb_map2(kb, TN_PRIM_MUL, d, rest));
    tn_value *is_low =
        tn_kb_map2(kb, TN_PRIM_LT, tn_kb_map1(kb, TN_PRIM_ABS, w), tn_kb_float(kb, compute, 0.5));
    return set_cast(cv, tn_kb_select(kb, is_low, low, high), dtype);
}

/* ---- bits
 * ------------------------------------------------------------------------------------------- */

static tn_status convert_bitwise(tn_cv *cv) {
    tn_binary binary = {0};
    TN_TRY(common_operands(cv, "self", "other", &binary));
    if (tn_dtype_is_float(binary.dtype))
        return tn_cv_refuse(cv, "operands are %s, accepted are integers and bool",
                            tn_dtype_name(binary.dtype));
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, tn_cv_prim(cv), binary.a, binary.b));
    return NULL;
}

/* ---- the family
 * ---------------------------------------------------------------------------------------- */

#define PAIRS /* two tensors of numbers */                                                         \
    "(f32[2,3], f32[2,3])\n"                                                                       \
    "(f32[2,3]{nc}, f32[3])\n"                                                                     \
    "(f32[4,1,3], f32[5,1]{nan})\n"                                                                \
    "(f32[0,3], f32[1])\n"                                                                         \
    "(f32[1], f32[])\n"                                                                            \
    "(f32[2,1,2,1,2,1,2,1], f32[1,2,1,2,1,2,1,2])\n"                                               \
    "(f64[3,4], f32[3,4])\n"                                                                       \
    "(f16[7], f16[7])\n"                                                                           \
    "(bf16[3,4], bf16[3,4])\n"                                                                     \
    "(bf16[3,4], f32[])\n"                                                                         \
    "(bf16[2,3], f16[2,3])\n"                                                                      \
    "(i64[5], i64[5]{lo=1,hi=9})\n"                                                                \
    "(i32[5], i64[5]{lo=1,hi=9})\n"                                                                \
    "(i32[5], i64[]{lo=1,hi=9})\n"                                                                 \
    "(u8[5], i8[5]{lo=1,hi=9})\n"                                                                  \
    "(i16[2,2], f16[2,2])\n"                                                                       \
    "(i64[2,2], f32[])\n"

#define TENSOR_SCALAR(SCALAR, FLOAT_SCALAR)                                                        \
    "(f32[2,3], " FLOAT_SCALAR ")\n"                                                               \
    "(f32[2,3]{nc,nan}, " SCALAR ")\n"                                                             \
    "(f32[0], " SCALAR ")\n"                                                                       \
    "(f32[], " SCALAR ")\n"                                                                        \
    "(f32[1,2,1,2,1,2,1,2], " SCALAR ")\n"                                                         \
    "(f64[4], " FLOAT_SCALAR ")\n"                                                                 \
    "(f16[4], " FLOAT_SCALAR ")\n"                                                                 \
    "(bf16[40], " FLOAT_SCALAR ")\n"                                                               \
    "(i64[4], " SCALAR ")\n"                                                                       \
    "(i32[4], " FLOAT_SCALAR ")\n"                                                                 \
    "(i16[4], " SCALAR ")\n"                                                                       \
    "(i8[4], " SCALAR ")\n"                                                                        \
    "(u8[4], " SCALAR ")\n"

#define BOOLS "(bool[2,3], bool[3])\n"
#define INT_PAIRS                                                                                  \
    "(i64[2,3], i64[2,3])\n"                                                                       \
    "(i32[2,3]{nc}, i32[3])\n"                                                                     \
    "(i16[0,3], i16[1])\n"                                                                         \
    "(u8[4], i8[4])\n"                                                                             \
    "(i64[1,2,1,2,1,2,1,2], i64[])\n"                                                              \
    "(i32[4], bool[4])\n"
#define SHIFTS                                                                                     \
    "(i64[2,3], i64[2,3]{lo=0,hi=8})\n"                                                            \
    "(i32[2,3]{nc}, i32[3]{lo=0,hi=8})\n"                                                          \
    "(i16[0,3], i16[1]{lo=0,hi=8})\n"                                                              \
    "(u8[4], u8[4]{lo=0,hi=7})\n"                                                                  \
    "(i64[1,2,1,2,1,2,1,2], i64[]{lo=0,hi=8})\n"
#define SHIFT_SCALAR                                                                               \
    "(i64[4], 5)\n"                                                                                \
    "(u8[2,3]{nc}, 3)\n"                                                                           \
    "(i32[0], 1)\n"                                                                                \
    "(i8[1,2,1,2,1,2,1,2], 2)\n"
#define BIT_SCALAR SHIFT_SCALAR "(bool[3], True)\n"
#define EXTREMES PAIRS BOOLS "(f32[4]{inf}, f32[4]{nan})\n"
#define CLAMP_TENSOR                                                                               \
    "(f32[2,3]{nan}, f32[2,3])\n"                                                                  \
    "(f32[0], f32[1])\n"                                                                           \
    "(i64[4], i64[4])\n"                                                                           \
    "(f32[2,3]{nc}, f32[3])\n"                                                                     \
    "(i32[3], f32[3])\n"                                                                           \
    "(bf16[3], bf16[3])\n"                                                                         \
    "(f64[1,2,1,2,1,2,1,2], f64[])\n"                                                              \
    "(f16[3], f16[3])\n"
#define CLAMP_SCALAR                                                                               \
    "(f32[2,3]{nan,nc}, 0.25)\n"                                                                   \
    "(f32[0], 1)\n"                                                                                \
    "(i64[4], 2)\n"                                                                                \
    "(i32[3], 0.5)\n"                                                                              \
    "(bf16[9], 0.3)\n"                                                                             \
    "(f64[1,2,1,2,1,2,1,2], -1)\n"                                                                 \
    "(f16[3], 0)\n"                                                                                \
    "(u8[4], 3)\n"                                                                                 \
    "(f32[], 0)\n"
/* Division rounds once more before it is cut: quotients just below an integer may land on either
 * side. */
#define ROUNDED                                                                                    \
    "(f32[9], f32[9]{lo=1,hi=5})\n"                                                                \
    "(f32[4]{inf,nan}, f32[4])\n"                                                                  \
    "(f32[4], f32[4]{zero})\n"                                                                     \
    "(i64[20], i64[20]{lo=-9,hi=-1})\n"

static const tn_op_entry entries[] = {
    {"aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", convert_add,
     PAIRS BOOLS "(f32[2,3], f32[3], alpha=2)\n"
                 "(i64[3], i64[3], alpha=-2)\n"
                 "(bf16[2,3], bf16[3], alpha=0.3)\n",
     TN_PRIM_ADD},
    {"aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", convert_add,
     TENSOR_SCALAR("3", "0.1") "(f32[2], 1.5, 2)\n"
                               "(bool[3], 2)\n",
     TN_PRIM_ADD},
    {"aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", convert_add,
     PAIRS "(f32[2,3], f32[3], alpha=2)\n", TN_PRIM_SUB},
    {"aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", convert_add,
     TENSOR_SCALAR("3", "0.1"), TN_PRIM_SUB},
    {"aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", convert_rsub,
     PAIRS "(f32[2,3], f32[3], alpha=2)\n", TN_PRIM_NONE},
    {"aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", convert_rsub,
     TENSOR_SCALAR("3", "0.1") "(f32[2,3], 1.0, 2)\n", TN_PRIM_NONE},
    {"aten::mul.Tensor(Tensor self, Tensor other) -> Tensor", convert_mul, PAIRS BOOLS,
     TN_PRIM_NONE},
    {"aten::mul.Scalar(Tensor self, Scalar other) -> Tensor", convert_mul,
     TENSOR_SCALAR("3", "0.1") "(bool[3], 2)\n", TN_PRIM_NONE},
    {"aten::div.Tensor(Tensor self, Tensor other) -> Tensor", true_divide, PAIRS BOOLS,
     TN_PRIM_NONE},
    {"aten::div.Scalar(Tensor self, Scalar other) -> Tensor", true_divide,
     TENSOR_SCALAR("3", "0.1"), TN_PRIM_NONE},
    {"aten::true_divide.Tensor(Tensor self, Tensor other) -> Tensor", true_divide, PAIRS,
     TN_PRIM_NONE},
    {"aten::true_divide.Scalar(Tensor self, Scalar other) -> Tensor", true_divide,
     TENSOR_SCALAR("3", "0.1"), TN_PRIM_NONE},
    {"aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor",
     convert_div_mode,
     "(f32[9], f32[9]{lo=1,hi=5}, rounding_mode='floor')\n"
     "(f32[9], f32[9]{lo=1,hi=5}, rounding_mode='trunc')\n"
     "(f32[9]{nan}, f32[1]{inf}, rounding_mode='trunc')\n"
     "(f32[9]{nan}, f32[9]{zero}, rounding_mode='floor')\n"
     "(f32[2,3], f32[3], rounding_mode=None)\n"
     "(i64[20], i64[20]{lo=-9,hi=-1}, rounding_mode='floor')\n"
     "(i64[20], i64[20]{lo=-9,hi=-1}, rounding_mode='trunc')\n"
     "(i32[0], i32[1], rounding_mode='floor')\n"
     "(bf16[9], bf16[9]{lo=1,hi=5}, rounding_mode='floor')\n"
     "(f16[9]{nc}, f16[9]{lo=1,hi=5}, rounding_mode='trunc')\n"
     "(u8[4], u8[4]{lo=1,hi=5}, rounding_mode='floor')\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2]{lo=1,hi=5}, rounding_mode='floor')\n",
     TN_PRIM_NONE},
    {"aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor",
     convert_div_mode,
     "(f32[2,3]{nan}, 0.7, rounding_mode='floor')\n"
     "(f32[0], 2, rounding_mode='trunc')\n"
     "(i64[9], -3, rounding_mode='floor')\n"
     "(i64[9]{nc}, 3, rounding_mode='trunc')\n"
     "(i32[9], 2.5, rounding_mode='floor')\n"
     "(f32[], 2, rounding_mode=None)\n"
     "(f32[1,2,1,2,1,2,1,2], 3, rounding_mode='floor')\n"
     "(bf16[9], 0.7, rounding_mode='trunc')\n",
     TN_PRIM_NONE},
    {"aten::floor_divide(Tensor self, Tensor other) -> Tensor", convert_floor_divide,
     ROUNDED "(f32[0,3], f32[1])\n"
             "(f64[1,2,1,2,1,2,1,2], f64[2]{lo=1,hi=5})\n"
             "(i32[2,3]{nc}, i64[])\n"
             "(u8[4], u8[4]{lo=1,hi=5})\n",
     TN_PRIM_NONE},
    {"aten::floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", convert_floor_divide,
     TENSOR_SCALAR("3", "0.7") "(i64[9], -2)\n", TN_PRIM_NONE},
    {"aten::remainder.Tensor(Tensor self, Tensor other) -> Tensor", convert_binary,
     ROUNDED "(f32[0,3], f32[1])\n"
             "(f64[1,2,1,2,1,2,1,2], f64[2])\n"
             "(i32[2,3]{nc}, i64[]{lo=1,hi=5})\n",
     TN_PRIM_REMAINDER},
    {"aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor", convert_binary,
     TENSOR_SCALAR("3", "0.75") "(i64[9], -2)\n", TN_PRIM_REMAINDER},
    {"aten::remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", convert_binary,
     "(7, i64[4]{lo=1,hi=5})\n"
     "(2.5, f32[2,3]{nc})\n"
     "(1, f32[0])\n"
     "(3, f32[1,2,1,2,1,2,1,2]{nan})\n",
     TN_PRIM_REMAINDER},
    {"aten::fmod.Tensor(Tensor self, Tensor other) -> Tensor", convert_binary,
     ROUNDED "(f32[0,3], f32[1])\n"
             "(f64[1,2,1,2,1,2,1,2], f64[2])\n"
             "(i32[2,3]{nc}, i64[]{lo=1,hi=5})\n",
     TN_PRIM_FMOD},
    {"aten::fmod.Scalar(Tensor self, Scalar other) -> Tensor", convert_binary,
     TENSOR_SCALAR("3", "0.75") "(i64[9], -2)\n", TN_PRIM_FMOD},
    {"aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", convert_pow_scalar,
     TENSOR_SCALAR("2", "0.5") "(f32[9], 3)\n"
                               "(f32[9], -1)\n"
                               "(f32[9], -0.5)\n"
                               "(f32[9], -2)\n"
                               "(f32[9], 0)\n"
                               "(f32[9]{lo=0,hi=3}, 1.7)\n"
                               "(f32[9], 5)\n"
                               "(i64[9], 4)\n"
                               "(i64[9], 0)\n"
                               "(bf16[9], 3)\n"
                               "(bool[3], 2)\n"
                               "(f64[4], 1)\n"
                               "(f16[6]{lo=0,hi=2}, 2.5)\n",
     TN_PRIM_NONE},
    {"aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", convert_pow,
     "(f32[9]{lo=0,hi=3}, f32[9])\n"
     "(f32[2,3]{nan,nc}, f32[3])\n"
     "(f32[0,3], f32[1])\n"
     "(f32[9], i64[9]{lo=-3,hi=3})\n"
     "(i64[9], i64[9]{lo=0,hi=4})\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2])\n"
     "(bf16[9]{lo=0,hi=3}, bf16[9])\n"
     "(f16[9]{lo=0,hi=3}, f16[9])\n"
     "(f32[9]{lo=0,hi=3}, f32[])\n",
     TN_PRIM_NONE},
    {"aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor", convert_pow,
     "(2, f32[9])\n"
     "(0.5, f32[2,3]{nan,nc})\n"
     "(2, i64[9]{lo=0,hi=9})\n"
     "(1.5, i64[9]{lo=0,hi=9})\n"
     "(3, f32[0])\n"
     "(2, bf16[9])\n"
     "(2, f64[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::atan2(Tensor self, Tensor other) -> Tensor", convert_atan2,
     PAIRS "(f32[4]{inf}, f32[4]{inf})\n"
           "(f32[4]{zero}, f32[4])\n",
     TN_PRIM_NONE},
    {"aten::maximum(Tensor self, Tensor other) -> Tensor", convert_binary, EXTREMES, TN_PRIM_MAX},
    {"aten::minimum(Tensor self, Tensor other) -> Tensor", convert_binary, EXTREMES, TN_PRIM_MIN},
    {"aten::max.other(Tensor self, Tensor other) -> Tensor", convert_binary, EXTREMES, TN_PRIM_MAX},
    {"aten::min.other(Tensor self, Tensor other) -> Tensor", convert_binary, EXTREMES, TN_PRIM_MIN},
    {"aten::fmax(Tensor self, Tensor other) -> Tensor", convert_fmax, EXTREMES, TN_PRIM_MAX},
    {"aten::fmin(Tensor self, Tensor other) -> Tensor", convert_fmax, EXTREMES, TN_PRIM_MIN},
    {"aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", convert_clamp,
     CLAMP_SCALAR "(f32[2,3]{nan}, -0.5, 0.5)\n"
                  "(f32[9], 1, -1)\n"
                  "(f32[9], max=0.5)\n"
                  "(i64[9], max=2.5)\n"
                  "(i64[B=4], 0, B)\n",
     TN_PRIM_NONE},
    {"aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", convert_clamp,
     CLAMP_TENSOR "(f32[9], None, f32[9])\n"
                  "(f32[9]{nan}, f32[9], f32[1])\n",
     TN_PRIM_NONE},
    {"aten::clamp_min(Tensor self, Scalar min) -> Tensor", convert_clamp_min, CLAMP_SCALAR,
     TN_PRIM_NONE},
    {"aten::clamp_min.Tensor(Tensor self, Tensor min) -> Tensor", convert_clamp_min, CLAMP_TENSOR,
     TN_PRIM_NONE},
    {"aten::clamp_max(Tensor self, Scalar max) -> Tensor", convert_clamp_max, CLAMP_SCALAR,
     TN_PRIM_NONE},
    {"aten::clamp_max.Tensor(Tensor self, Tensor max) -> Tensor", convert_clamp_max, CLAMP_TENSOR,
     TN_PRIM_NONE},
    {"aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
     convert_addc,
     "(f32[2,3], f32[2,3], f32[3])\n"
     "(f32[2,3]{nc}, f32[2,1], f32[3]{nan}, value=0.5)\n"
     "(f32[0], f32[1], f32[])\n"
     "(bf16[9], bf16[9], bf16[9], value=0.3)\n"
     "(f16[9], f16[9], f16[9])\n"
     "(i64[4], i64[4], i64[4], value=2)\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2], f64[1])\n",
     TN_PRIM_MUL},
    {"aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
     convert_addc,
     "(f32[2,3], f32[2,3], f32[3]{lo=1,hi=2})\n"
     "(f32[2,3]{nc}, f32[2,1], f32[3]{nan}, value=0.5)\n"
     "(f32[0], f32[1], f32[])\n"
     "(bf16[9], bf16[9], bf16[9]{lo=1,hi=2}, value=0.3)\n"
     "(f16[9], f16[9], f16[9]{lo=1,hi=2})\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2], f64[1])\n",
     TN_PRIM_DIV},
    {"aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", convert_lerp,
     "(f32[2,3], f32[2,3], 0.25)\n"
     "(f32[2,3]{nc}, f32[3]{nan}, 0.75)\n"
     "(f32[0], f32[1], 1)\n"
     "(bf16[9], bf16[9], 0.3)\n"
     "(f16[9], f16[9], 0.3)\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2], 0.5)\n",
     TN_PRIM_NONE},
    {"aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", convert_lerp,
     "(f32[2,3], f32[2,3], f32[2,3])\n"
     "(f32[2,3]{nc}, f32[3]{nan}, f32[])\n"
     "(f32[0], f32[1], f32[1])\n"
     "(bf16[9], bf16[9], bf16[9])\n"
     "(f16[9], f16[9], f16[9])\n"
     "(f64[1,2,1,2,1,2,1,2], f64[2], f64[1])\n",
     TN_PRIM_NONE},
    {"aten::bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise,
     INT_PAIRS BOOLS, TN_PRIM_AND},
    {"aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_AND},
    {"aten::bitwise_or.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise,
     INT_PAIRS BOOLS, TN_PRIM_OR},
    {"aten::bitwise_or.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_OR},
    {"aten::bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise,
     INT_PAIRS BOOLS, TN_PRIM_XOR},
    {"aten::bitwise_xor.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_XOR},
    {"aten::__and__.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise, INT_PAIRS BOOLS,
     TN_PRIM_AND},
    {"aten::__and__.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_AND},
    {"aten::__or__.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise, INT_PAIRS BOOLS,
     TN_PRIM_OR},
    {"aten::__or__.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_OR},
    {"aten::__xor__.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise, INT_PAIRS BOOLS,
     TN_PRIM_XOR},
    {"aten::__xor__.Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise, BIT_SCALAR,
     TN_PRIM_XOR},
    {"aten::bitwise_left_shift.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise,
     SHIFTS, TN_PRIM_SHL},
    {"aten::bitwise_left_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor", convert_bitwise,
     SHIFT_SCALAR, TN_PRIM_SHL},
    {"aten::bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor", convert_bitwise,
     SHIFTS, TN_PRIM_SHR},
    {"aten::bitwise_right_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor",
     convert_bitwise, SHIFT_SCALAR, TN_PRIM_SHR},
};

const tn_op_family tn_ops_pointwise = {"pointwise", entries, sizeof entries / sizeof *entries};
