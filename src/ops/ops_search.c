/* ops_search.c: values looked up among others, and counted into bins. Every element is compared
 * with every candidate: a fused reduction needs no memory for that, and the candidates are few. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* Both in the dtype that they promote to. */
static tn_status common_pair(tn_cv *cv, const char *a, const char *b, tn_value **out_a,
                             tn_value **out_b) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, a);
    tn_cv_promote(cv, &promotion, b);
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv, "%s and %s have dtypes without a common one", a, b);
    *out_a = tn_cv_operand(cv, a, dtype);
    *out_b = tn_cv_operand(cv, b, dtype);
    return NULL;
}

/* How many boundaries of a row lie before each value: those that are not greater (right), or not
 * greater or equal. NaN comes after all, as in PyTorch. x [.., V], sorted [.., S]. */
static tn_value *count_before(tn_cv *cv, tn_value *sorted, tn_value *x, bool is_right) {
    tn_kb *kb = cv->kb;
    uint32_t rank = tn_value_rank(x);
    sorted = tn_kb_unsqueeze(kb, sorted, tn_value_rank(sorted) - 1);
    x = tn_kb_unsqueeze(kb, x, rank);
    tn_value *is_after =
        is_right ? tn_kb_map2(kb, TN_PRIM_LT, x, sorted) : tn_kb_map2(kb, TN_PRIM_LE, x, sorted);
    tn_value *is_before = tn_kb_map1(kb, TN_PRIM_NOT, is_after);
    return tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_cast(kb, is_before, TN_I64), 1u << rank,
                        false);
}

static tn_value *as_index(tn_cv *cv, tn_value *x) {
    return tn_kb_cast(cv->kb, x, tn_cv_bool(cv, "out_int32") ? TN_I32 : TN_I64);
}

static tn_status convert_bucketize(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = NULL, *boundaries = NULL;
    TN_TRY(common_pair(cv, "self", "boundaries", &x, &boundaries));
    if (tn_value_rank(boundaries) != 1 || tn_value_rank(x) == TN_MAX_RANK)
        return tn_cv_refuse(cv,
                            "boundaries and self have rank %u and %u, accepted are 1, and up "
                            "to %d",
                            tn_value_rank(boundaries), tn_value_rank(x), TN_MAX_RANK - 1);
    tn_value *row = tn_value_rank(x) == 0 ? tn_kb_unsqueeze(kb, x, 0) : x;
    tn_value *y = count_before(cv, boundaries, row, tn_cv_bool(cv, "right"));
    return set_result(cv, as_index(cv, tn_value_rank(x) == 0 ? tn_kb_squeeze(kb, y, 0) : y));
}

static tn_status convert_searchsorted(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *sorted = NULL, *x = NULL;
    tn_str side = tn_cv_str(cv, "side");
    bool is_right = tn_cv_bool(cv, "right") || tn_str_is(side, "right");
    TN_TRY(common_pair(cv, "sorted_sequence", "self", &sorted, &x));
    if (!tn_cv_is_none(cv, "sorter"))
        sorted = tn_kb_gather(kb, sorted, tn_cv_tensor(cv, "sorter"), tn_value_rank(sorted) - 1);
    uint32_t rank = tn_value_rank(x);
    if (tn_value_rank(sorted) == 0 || rank == TN_MAX_RANK ||
        (tn_value_rank(sorted) != 1 && tn_value_rank(sorted) != rank))
        return tn_cv_refuse(cv,
                            "sorted_sequence and self have rank %u and %u, accepted are 1, or "
                            "equal ranks up to %d",
                            tn_value_rank(sorted), rank, TN_MAX_RANK - 1);
    tn_value *row = rank == 0 ? tn_kb_unsqueeze(kb, x, 0) : x;
    tn_value *y = count_before(cv, sorted, row, is_right);
    return set_result(cv, as_index(cv, rank == 0 ? tn_kb_squeeze(kb, y, 0) : y));
}

static tn_status convert_isin(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    bool has_elements = tn_schema_find_param(cv->node->op->schema, TN_STR("elements")) >= 0;
    bool has_tests = tn_schema_find_param(cv->node->op->schema, TN_STR("test_elements")) >= 0;
    tn_value *x = NULL, *tests = NULL;
    TN_TRY(common_pair(cv, has_elements ? "elements" : "element",
                       has_tests ? "test_elements" : "test_element", &x, &tests));
    uint32_t rank = tn_value_rank(x), test_rank = tn_value_rank(tests);
    if (rank == TN_MAX_RANK)
        return tn_cv_refuse(cv, "elements has rank %u, accepted are up to %d", rank,
                            TN_MAX_RANK - 1);
    tests = tn_cv_flatten(cv, tests, 0, test_rank ? test_rank - 1 : 0);
    tn_value *is_same = tn_kb_map2(kb, TN_PRIM_EQ, tn_kb_unsqueeze(kb, x, rank), tests);
    tn_value *y = tn_kb_reduce(kb, TN_PRIM_REDUCE_ANY, is_same, 1u << rank, false);
    return set_result(cv, tn_cv_bool(cv, "invert") ? tn_kb_map1(kb, TN_PRIM_NOT, y) : y);
}

/* What lies outside the range goes to a bin of its own, which is cut off. */
static tn_status convert_histc(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_dtype dtype = self->type.dtype;
    int64_t bins = tn_cv_int(cv, "bins");
    double low = tn_cv_float(cv, "min"), high = tn_cv_float(cv, "max");
    if (!tn_dtype_is_float(dtype) || low >= high || bins < 1)
        return tn_cv_refuse(cv,
                            "self is %s, bins, min and max are %lld, %g and %g, accepted are "
                            "floats, bins from 1 and min below max",
                            tn_dtype_name(dtype), (long long)bins, low, high);
    tn_value *x = tn_cv_math(cv, self);
    x = tn_cv_flatten(cv, x, 0, self->type.rank ? self->type.rank - 1 : 0);
    tn_dtype math = tn_value_dtype(x);
    tn_value *least = tn_kb_float(kb, math, low), *most = tn_kb_float(kb, math, high);
    tn_value *place = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, x, least),
                                 tn_kb_float(kb, math, (double)bins));
    place = tn_kb_map2(kb, TN_PRIM_DIV, place, tn_kb_map2(kb, TN_PRIM_SUB, most, least));
    /* max itself belongs to the last bin */
    place = tn_kb_map2(kb, TN_PRIM_MIN, tn_kb_map1(kb, TN_PRIM_TRUNC, place),
                       tn_kb_float(kb, math, (double)bins - 1));
    tn_value *is_inside = tn_kb_map2(kb, TN_PRIM_AND, tn_kb_map2(kb, TN_PRIM_LE, least, x),
                                     tn_kb_map2(kb, TN_PRIM_LE, x, most));
    place = tn_kb_select(kb, is_inside, place, tn_kb_float(kb, math, (double)bins));
    tn_value *index = tn_kb_cast(kb, place, TN_I64);
    const tn_sym *size = tn_cv_size(cv, bins + 1);
    tn_value *ones = tn_cv_expand_as(cv, tn_kb_float(kb, math, 1), index);
    tn_value *y = tn_cv_scatter(cv, tn_kb_full(kb, math, 0, &size, 1), index, ones, 0, "add");
    y = tn_kb_slice(kb, y, 0, tn_cv_size(cv, 0), tn_cv_size(cv, bins), 1);
    return set_result(cv, tn_kb_cast(kb, y, dtype));
}

#define SEARCHES                                                                                   \
    "(f32[5]{sorted}, f32[2,3])\n"                                                                 \
    "(f32[0], f32[9]{nan})\n"                                                                      \
    "(f32[6]{few,sorted}, f32[9]{few,nan,inf})\n"                                                  \
    "(f32[6]{few,sorted}, f32[9]{few}, right=True)\n"                                              \
    "(i64[4]{few,sorted}, i64[9]{few}, out_int32=True)\n"                                          \
    "(i64[4]{few,sorted}, f32[9]{few}, right=True)\n"                                              \
    "(f64[4]{sorted}, f64[])\n"                                                                    \
    "(f32[4]{sorted}, f32[0])\n"

static const tn_op_entry entries[] = {
    {"aten::bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool "
     "right=False) -> Tensor",
     convert_bucketize,
     "(f32[2,3], f32[5]{sorted})\n"
     "(f32[9]{nan}, f32[0])\n"
     "(f32[9]{few,nan,inf}, f32[6]{few,sorted})\n"
     "(f32[3,3]{few,nc}, f32[6]{few,sorted}, right=True)\n"
     "(i64[9]{few}, i64[4]{few,sorted}, out_int32=True)\n"
     "(f64[], f64[4]{sorted})\n"
     "(f32[0], f32[1])\n",
     TN_PRIM_NONE},
    {"aten::bucketize.Scalar(Scalar self, Tensor boundaries, *, bool out_int32=False, bool "
     "right=False) -> Tensor",
     convert_bucketize,
     "(0.5, f32[5]{sorted})\n(1, i64[4]{few,sorted})\n(0, i64[4]{few,sorted}, right=True)\n",
     TN_PRIM_NONE},
    {"aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool "
     "right=False, str? side=None, Tensor? sorter=None) -> Tensor",
     convert_searchsorted,
     SEARCHES "(i64[2,4]{few,sorted}, i64[2,3]{few}, side='right')@static\n"
              "(i64[4]{lo=3,hi=3}, i64[9], sorter=i64[4]{perm=4})\n",
     TN_PRIM_NONE},
    {"aten::searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool "
     "right=False, str? side=None, Tensor? sorter=None) -> Tensor",
     convert_searchsorted, "(f32[5]{sorted}, 0.5)\n(i64[4]{few,sorted}, 0, right=True)\n",
     TN_PRIM_NONE},
    {"aten::isin.Tensor_Tensor(Tensor elements, Tensor test_elements, *, bool assume_unique=False, "
     "bool invert=False) -> Tensor",
     convert_isin,
     "(i64[2,9], i64[5])\n(i64[3,3]{nc}, i64[2,2], invert=True)\n(f32[9]{few,nan}, "
     "f32[5]{few,nan})\n"
     "(i64[0], i64[5])\n(i64[5], i64[0])\n(i64[], i64[1])\n",
     TN_PRIM_NONE},
    {"aten::isin.Tensor_Scalar(Tensor elements, Scalar test_element, *, bool assume_unique=False, "
     "bool invert=False) -> Tensor",
     convert_isin, "(i64[9]{few}, 1)\n(f32[9]{few}, 1.0, invert=True)\n(i64[0], 2)\n",
     TN_PRIM_NONE},
    {"aten::isin.Scalar_Tensor(Scalar element, Tensor test_elements, *, bool assume_unique=False, "
     "bool invert=False) -> Tensor",
     convert_isin, "(1, i64[9]{few})\n(1.0, f32[9]{few})\n(2, i64[0])\n", TN_PRIM_NONE},
    {"aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor", convert_histc,
     "(f32[40], 4, -1, 2)\n"
     "(f32[5,8]{nc,half}, 8, -2, 2.0)\n"
     "(f32[40]{inf}, 3, 0, 1)\n"
     "(f32[0], 3, 0, 1)\n"
     "(f32[], 3, -9, 9)\n"
     "(f64[40], 10, 0, 1)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_search = {"search", entries, sizeof entries / sizeof *entries};
