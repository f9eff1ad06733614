/* ops_compare.c: comparisons, logic, and choosing by a condition. */
#include "ops/op_families.h"

#include <math.h>

static tn_status common_operands(tn_cv *cv, tn_value **out_a, tn_value **out_b) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "self");
    tn_cv_promote(cv, &promotion, "other");
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv,
                            "self and other have dtypes without a common one, accepted are pairs "
                            "that PyTorch promotes");
    *out_a = tn_cv_operand(cv, "self", dtype);
    *out_b = tn_cv_operand(cv, "other", dtype);
    return NULL;
}

/* eq, ne, lt, le */
static tn_status convert_compare(tn_cv *cv) {
    tn_value *a, *b;
    TN_TRY(common_operands(cv, &a, &b));
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, tn_cv_prim(cv), a, b));
    return NULL;
}

/* gt is lt, and ge is le, of the operands in the other order. */
static tn_status convert_compare_swapped(tn_cv *cv) {
    tn_value *a, *b;
    TN_TRY(common_operands(cv, &a, &b));
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, tn_cv_prim(cv), b, a));
    return NULL;
}

/* ---- logic
 * ------------------------------------------------------------------------------------------ */

static tn_status convert_logical(tn_cv *cv) {
    tn_value *a = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "self"), TN_BOOL);
    tn_value *b = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "other"), TN_BOOL);
    tn_cv_set_result(cv, 0, tn_kb_map2(cv->kb, tn_cv_prim(cv), a, b));
    return NULL;
}

static tn_status convert_logical_not(tn_cv *cv) {
    tn_value *x = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "self"), TN_BOOL);
    tn_cv_set_result(cv, 0, tn_kb_map1(cv->kb, TN_PRIM_NOT, x));
    return NULL;
}

static tn_status convert_bitwise_not(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (tn_dtype_is_float(tn_value_dtype(x)))
        return tn_cv_refuse(cv, "self is %s, accepted are integers and bool",
                            tn_dtype_name(tn_value_dtype(x)));
    tn_cv_set_result(cv, 0, tn_kb_map1(cv->kb, TN_PRIM_NOT, x));
    return NULL;
}

/* ---- kinds of numbers
 * --------------------------------------------------------------------------------- */

static tn_status convert_isnan(tn_cv *cv) {
    tn_cv_set_result(cv, 0, tn_kb_map1(cv->kb, TN_PRIM_ISNAN, tn_cv_tensor(cv, "self")));
    return NULL;
}

/* |x| == inf; integers have none. */
static tn_value *is_infinite(tn_cv *cv, tn_value *x) {
    tn_dtype dtype = tn_value_dtype(x);
    if (!tn_dtype_is_float(dtype))
        return x ? tn_kb_full(cv->kb, TN_BOOL, 0, x->type.dims, x->type.rank) : NULL;
    return tn_kb_map2(cv->kb, TN_PRIM_EQ, tn_kb_map1(cv->kb, TN_PRIM_ABS, x),
                      tn_kb_float(cv->kb, dtype, INFINITY));
}

static tn_status convert_isinf(tn_cv *cv) {
    tn_cv_set_result(cv, 0, is_infinite(cv, tn_cv_tensor(cv, "self")));
    return NULL;
}

static tn_status convert_isfinite(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_value *is_odd =
        tn_kb_map2(kb, TN_PRIM_OR, is_infinite(cv, x), tn_kb_map1(kb, TN_PRIM_ISNAN, x));
    tn_cv_set_result(cv, 0, tn_kb_map1(kb, TN_PRIM_NOT, is_odd));
    return NULL;
}

/* ---- where
 * -----------------------------------------------------------------------------------------------
 */

static tn_status convert_where(tn_cv *cv) {
    tn_value *a, *b;
    TN_TRY(common_operands(cv, &a, &b));
    tn_value *cond = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "condition"), TN_BOOL);
    tn_cv_set_result(cv, 0, tn_kb_select(cv->kb, cond, a, b));
    return NULL;
}

static tn_status convert_masked_fill(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self"), *mask = tn_cv_tensor(cv, "mask");
    if (tn_value_dtype(mask) != TN_BOOL)
        return tn_cv_refuse(cv, "mask is %s, accepted is bool",
                            tn_dtype_name(tn_value_dtype(mask)));
    tn_value *value = tn_cv_operand(cv, "value", tn_value_dtype(x));
    if (tn_value_rank(value) != 0)
        return tn_cv_refuse(cv, "value has rank %u, accepted is 0", tn_value_rank(value));
    tn_cv_set_result(cv, 0, tn_kb_select(cv->kb, mask, value, x));
    return NULL;
}

/* ---- the family
 * -------------------------------------------------------------------------------------------- */

#define TENSORS                                                                                    \
    "(f32[2,3]{few}, f32[2,3]{few})\n"                                                             \
    "(f32[2,3]{nc,nan}, f32[3])\n"                                                                 \
    "(f32[0,3], f32[1])\n"                                                                         \
    "(f32[1], f32[])\n"                                                                            \
    "(f32[4]{inf}, f32[4]{inf})\n"                                                                 \
    "(f64[1,2,1,2,1,2,1,2]{few}, f32[2]{few})\n"                                                   \
    "(f16[9]{few}, f16[9]{few})\n"                                                                 \
    "(bf16[9]{few}, bf16[9]{few})\n"                                                               \
    "(i64[9]{few}, i64[9]{few})\n"                                                                 \
    "(i32[9]{few}, f32[9]{few})\n"                                                                 \
    "(u8[9]{few}, i8[9]{few})\n"                                                                   \
    "(i16[3], i16[3])\n"                                                                           \
    "(bool[9], bool[9])\n"
#define SCALARS                                                                                    \
    "(f32[2,3]{few}, 1)\n"                                                                         \
    "(f32[2,3]{nc,nan}, 0.5)\n"                                                                    \
    "(f32[0], 1)\n"                                                                                \
    "(f32[], 0)\n"                                                                                 \
    "(f64[9]{few}, 1)\n"                                                                           \
    "(f16[9]{few}, 1)\n"                                                                           \
    "(bf16[9]{few}, 0.1)\n"                                                                        \
    "(i64[9]{few}, 1)\n"                                                                           \
    "(i32[9]{few}, 0.5)\n"                                                                         \
    "(i64[1,2,1,2,1,2,1,2]{few}, -1)\n"                                                            \
    "(u8[9]{few}, 1)\n"                                                                            \
    "(i8[9]{few}, 1)\n"                                                                            \
    "(bool[9], 1)\n"                                                                               \
    "(i64[B=5]{few}, B)\n"                                                                         \
    "(f32[4]{inf}, float('inf'))\n"
#define LOGICAL                                                                                    \
    "(bool[2,3], bool[2,3])\n"                                                                     \
    "(bool[2,3]{nc}, bool[3])\n"                                                                   \
    "(bool[0,3], bool[1])\n"                                                                       \
    "(f32[9]{few,nan}, bool[9])\n"                                                                 \
    "(i64[9]{few}, f32[9]{few})\n"                                                                 \
    "(bool[1,2,1,2,1,2,1,2], bool[])\n"                                                            \
    "(u8[3]{few}, i32[3]{few})\n"
#define ANY                                                                                        \
    "(f32[2,3]{nan,inf})\n"                                                                        \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,4])\n"                                                                                 \
    "(f32[])\n"                                                                                    \
    "(f32[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f64[9]{nan,inf})\n"                                                                          \
    "(f16[9]{nan,inf})\n"                                                                          \
    "(bf16[9]{nan,inf})\n"                                                                         \
    "(i64[4]{few})\n"                                                                              \
    "(i32[4]{few})\n"                                                                              \
    "(bool[4])\n"

static const tn_op_entry entries[] = {
    {"aten::eq.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare, TENSORS, TN_PRIM_EQ},
    {"aten::eq.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare, SCALARS, TN_PRIM_EQ},
    {"aten::ne.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare, TENSORS, TN_PRIM_NE},
    {"aten::ne.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare, SCALARS, TN_PRIM_NE},
    {"aten::lt.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare, TENSORS, TN_PRIM_LT},
    {"aten::lt.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare, SCALARS, TN_PRIM_LT},
    {"aten::le.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare, TENSORS, TN_PRIM_LE},
    {"aten::le.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare, SCALARS, TN_PRIM_LE},
    {"aten::gt.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare_swapped, TENSORS,
     TN_PRIM_LT},
    {"aten::gt.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare_swapped, SCALARS,
     TN_PRIM_LT},
    {"aten::ge.Tensor(Tensor self, Tensor other) -> Tensor", convert_compare_swapped, TENSORS,
     TN_PRIM_LE},
    {"aten::ge.Scalar(Tensor self, Scalar other) -> Tensor", convert_compare_swapped, SCALARS,
     TN_PRIM_LE},
    {"aten::logical_and(Tensor self, Tensor other) -> Tensor", convert_logical, LOGICAL,
     TN_PRIM_AND},
    {"aten::logical_or(Tensor self, Tensor other) -> Tensor", convert_logical, LOGICAL, TN_PRIM_OR},
    {"aten::logical_xor(Tensor self, Tensor other) -> Tensor", convert_logical, LOGICAL,
     TN_PRIM_XOR},
    {"aten::logical_not(Tensor self) -> Tensor", convert_logical_not, ANY, TN_PRIM_NONE},
    {"aten::bitwise_not(Tensor self) -> Tensor", convert_bitwise_not,
     "(i64[4])\n"
     "(i32[2,3]{nc})\n"
     "(i16[0])\n"
     "(i8[])\n"
     "(u8[4])\n"
     "(bool[4])\n"
     "(i64[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::isnan(Tensor self) -> Tensor", convert_isnan, ANY, TN_PRIM_NONE},
    {"aten::isinf(Tensor self) -> Tensor", convert_isinf, ANY, TN_PRIM_NONE},
    {"aten::isfinite(Tensor self) -> Tensor", convert_isfinite, ANY, TN_PRIM_NONE},
    {"aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", convert_where,
     "(bool[2,3], f32[2,3], f32[2,3])\n"
     "(bool[3], f32[2,3]{nc,nan}, f32[])\n"
     "(bool[0], f32[1], f32[0])\n"
     "(bool[2,1], f32[3], i64[2,3])\n"
     "(bool[1,2,1,2,1,2,1,2], f64[2,1], f64[1])\n"
     "(bool[4], bf16[4], bf16[])\n"
     "(bool[4], f16[4], f16[4])\n"
     "(bool[4], i32[4], i64[4])\n"
     "(bool[4], bool[4], bool[4])\n"
     "(bool[4], u8[4], u8[4])\n"
     "(bool[4], i64[], f32[])\n",
     TN_PRIM_NONE},
    {"aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", convert_where,
     "(bool[2,3], 1.5, f32[2,3])\n"
     "(bool[3], 2, f32[2,3]{nc,nan})\n"
     "(bool[0], 1, i64[0])\n"
     "(bool[4], 1.5, i64[4])\n"
     "(bool[4], 0.1, bf16[4])\n"
     "(bool[1,2,1,2,1,2,1,2], 1, f64[2])\n",
     TN_PRIM_NONE},
    {"aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor",
     convert_where,
     "(bool[2,3], f32[2,3], 1.5)\n"
     "(bool[3], f32[2,3]{nc,nan}, 2)\n"
     "(bool[0], i64[0], 1)\n"
     "(bool[4], i64[4], 1.5)\n"
     "(bool[4], bf16[4], float('-inf'))\n"
     "(bool[1,2,1,2,1,2,1,2], f64[2], 1)\n",
     TN_PRIM_NONE},
    {"aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", convert_where,
     "(bool[2,3], 1.5, 2)\n"
     "(bool[2,3]{nc}, 1, 0)\n"
     "(bool[0], 1, 0.5)\n"
     "(bool[], True, False)\n"
     "(bool[1,2,1,2,1,2,1,2], 1, 2)\n",
     TN_PRIM_NONE},
    {"aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor",
     convert_masked_fill,
     "(f32[2,3], bool[2,3], 0.5)\n"
     "(f32[2,3]{nc,nan}, bool[3], float('-inf'))\n"
     "(f32[0], bool[1], 1)\n"
     "(i64[4], bool[4], 2)\n"
     "(bf16[4], bool[4], -1e9)\n"
     "(f16[4], bool[4], 0)\n"
     "(bool[4], bool[4], True)\n"
     "(f32[3], bool[2,1], 1)\n"
     "(f64[1,2,1,2,1,2,1,2], bool[2], 7)\n"
     "(f32[], bool[], 1)\n",
     TN_PRIM_NONE},
    {"aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor",
     convert_masked_fill,
     "(f32[2,3], bool[2,3], f32[])\n"
     "(f32[2,3]{nc,nan}, bool[3], i64[])\n"
     "(f32[0], bool[1], f32[])\n"
     "(i64[4], bool[4], i64[])\n"
     "(bf16[4], bool[4], bf16[])\n"
     "(f64[1,2,1,2,1,2,1,2], bool[2], f64[])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_compare = {"compare", entries, sizeof entries / sizeof *entries};
