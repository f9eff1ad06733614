/* ops_statistic.c: counts, sums that skip NaN, extremes in pairs, and what stands at a place of the
 * sorted elements: medians and the k-th value. */
#include "ops/op_families.h"

static bool has_param(const tn_cv *cv, const char *name) {
    return tn_schema_find_param(cv->node->op->schema, tn_str_of(name)) >= 0;
}

static bool is_kept(const tn_cv *cv) {
    return has_param(cv, "keepdim") && tn_cv_bool(cv, "keepdim");
}

/* The dims of an argument that is one dim, a list or None. */
static uint32_t dims_of(tn_cv *cv, uint32_t rank) {
    return has_param(cv, "dim") ? tn_cv_dim_mask(cv, "dim", rank) : (1u << rank) - 1;
}

static tn_value *zero_like(tn_cv *cv, const tn_value *x) {
    return tn_kb_cast(cv->kb, tn_kb_int(cv->kb, TN_I64, 0), tn_value_dtype(x));
}

/* ---- counts and sums --------------------------------------------------------------------------
 */

static tn_status convert_count_nonzero(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_value *is_there = tn_kb_cast(kb, x, TN_BOOL);
    tn_cv_set_result(cv, 0,
                     tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_cast(kb, is_there, TN_I64),
                                  dims_of(cv, x->type.rank), false));
    return NULL;
}

/* The sum of what is a number; for a mean (the entry's prim) divided by how many there are. */
static tn_status convert_nansum(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    bool is_float = tn_dtype_is_float(self->type.dtype);
    bool is_mean = tn_cv_prim(cv) == TN_PRIM_REDUCE_MEAN;
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", is_float ? self->type.dtype : TN_I64);
    uint32_t mask = dims_of(cv, self->type.rank);
    if (is_mean && !is_float)
        return tn_cv_refuse(cv, "self is %s, accepted are floats", tn_dtype_name(self->type.dtype));
    tn_value *x = tn_kb_cast(kb, self, dtype);
    if (!is_float) {
        tn_cv_set_result(cv, 0, tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, x, mask, is_kept(cv)));
        return NULL;
    }
    x = tn_cv_math(cv, x);
    tn_value *is_nan = tn_kb_map1(kb, TN_PRIM_ISNAN, x);
    tn_value *y = tn_kb_select(kb, is_nan, zero_like(cv, x), x);
    y = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, y, mask, is_kept(cv));
    if (is_mean) {
        tn_value *count = tn_kb_cast(kb, tn_kb_map1(kb, TN_PRIM_NOT, is_nan), tn_value_dtype(x));
        count = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, count, mask, is_kept(cv));
        y = tn_kb_map2(kb, TN_PRIM_DIV, y, count);
    }
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, dtype));
    return NULL;
}

static tn_status convert_aminmax(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t mask = dims_of(cv, x->type.rank);
    tn_cv_set_result(cv, 0, tn_kb_reduce(kb, TN_PRIM_REDUCE_MIN, x, mask, is_kept(cv)));
    tn_cv_set_result(cv, 1, tn_kb_reduce(kb, TN_PRIM_REDUCE_MAX, x, mask, is_kept(cv)));
    return NULL;
}

/* ---- places of the sorted elements ------------------------------------------------------------
 */

/* self with a dim, and the dim that is sorted: all of self as a vector where there is no argument.
 */
static tn_value *sorted_operand(tn_cv *cv, uint32_t *out_dim) {
    tn_value *x = tn_cv_tensor(cv, "self");
    *out_dim = has_param(cv, "dim") ? tn_cv_dim(cv, "dim", x->type.rank) : 0;
    if (has_param(cv, "dim") && x->type.rank > 0)
        return x;
    return tn_cv_flatten(cv, x, 0, x->type.rank ? x->type.rank - 1 : 0);
}

/* Values and indices at place [.., 1, ..] (or at a constant place) of the sorted elements. */
static tn_status set_picked(tn_cv *cv, tn_value *x, uint32_t dim, tn_value *place,
                            const tn_sym *constant) {
    tn_kb *kb = cv->kb;
    bool has_dim = has_param(cv, "dim");
    bool keeps = is_kept(cv) && tn_value_rank(tn_cv_tensor(cv, "self")) > 0;
    tn_arg args[] = {tn_arg_value(0), tn_arg_int(kb, dim), tn_arg_bool(false)};
    tn_value *y[2] = {tn_kb_node(kb, TN_PRIM_SORT, &x, 1, args, 3), NULL};
    y[1] = y[0] ? y[0]->def->results[1] : NULL;
    for (uint32_t i = 0; i < (has_dim ? 2u : 1u); i++) {
        y[i] = place ? tn_kb_gather(kb, y[i], place, dim)
                     : tn_kb_slice(kb, y[i], dim, constant, tn_cv_size(cv, 1), 1);
        tn_cv_set_result(cv, i, keeps ? y[i] : tn_kb_squeeze(kb, y[i], dim));
    }
    return NULL;
}

static tn_status convert_kthvalue(tn_cv *cv) {
    uint32_t dim;
    tn_value *x = sorted_operand(cv, &dim);
    const tn_sym *k = tn_cv_sym(cv, "k");
    if (!x || !k)
        return NULL;
    return set_picked(cv, x, dim, NULL, tn_sym_addi(cv->kb->graph->syms, k, -1));
}

/* The lower of two middles. NaN is sorted last: median (prim none) gives the first NaN if there is
 * one, nanmedian takes the middle of the numbers, or NaN if there are none. */
static tn_status convert_median(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    uint32_t dim;
    tn_value *x = sorted_operand(cv, &dim);
    const tn_sym *size = tn_value_size(x, dim);
    if (!x || !size)
        return NULL;
    if (size->min < 1)
        return tn_cv_refuse(cv, "self may be empty, accepted is at least one element");
    tn_value *is_number = tn_kb_map1(kb, TN_PRIM_NOT, tn_kb_map1(kb, TN_PRIM_ISNAN, x));
    tn_value *count =
        tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_cast(kb, is_number, TN_I64), 1u << dim, true);
    tn_value *one = tn_kb_int(kb, TN_I64, 1), *two = tn_kb_int(kb, TN_I64, 2);
    tn_value *middle =
        tn_kb_map2(kb, TN_PRIM_FLOORDIV, tn_kb_map2(kb, TN_PRIM_SUB, count, one), two);
    middle = tn_kb_map2(kb, TN_PRIM_MAX, middle, tn_kb_int(kb, TN_I64, 0));
    if (tn_cv_prim(cv) == TN_PRIM_NONE) {
        tn_value *is_whole = tn_kb_map2(kb, TN_PRIM_EQ, count, tn_kb_sym(kb, size));
        middle = tn_kb_select(kb, is_whole, middle, count);
    }
    return set_picked(cv, x, dim, middle, NULL);
}

#define DIM_MEANS                                                                                  \
    "(f32[2,3,4], [1])\n(f32[2,3,4]{nc,nan}, [0,-1], True)\n(f32[0,3], [1])\n(f32[1])\n"           \
    "(f64[1,2,1,2,1,2,1,2], [1,7])\n(bf16[3,40], [1])\n(f32[])\n"
/* Where two are equal, PyTorch may give either's index. */
#define MEDIANS                                                                                    \
    "(f32[9])\n(f32[8]{nc})\n(f32[3,5])\n(f32[9]{nan1})\n(f32[])\n(f32[1])\n(i64[7]{perm=9})\n"    \
    "(f64[4]{inf})\n(bf16[9])\n"
#define DIM_MEDIANS                                                                                \
    "(f32[9], 0)\n(f32[2,3,4]{nc}, 1)\n(f32[3,5]{nan1}, -1, True)\n(f32[], 0)\n(f32[1], 0)\n"      \
    "(i64[3,7]{perm=9}, 1)\n(f64[1,2,1,2,1,5,1,2], 5)\n(bf16[2,9]{perm=9}, 1)\n(f32[0,3], 1)\n"

static const tn_op_entry entries[] = {
    {"aten::count_nonzero(Tensor self, int? dim=None) -> Tensor", convert_count_nonzero,
     "(f32[2,3]{few})\n(f32[2,3]{few,nan,nc}, 1)\n(i64[0])\n(bool[3,4], 0)\n(f32[], 0)\n"
     "(bf16[1,2,1,2,1,2,1,2]{few}, 3)\n",
     TN_PRIM_NONE},
    {"aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor", convert_count_nonzero,
     "(f32[2,3,4]{few}, [0,2])\n(i64[2,3]{few,nc}, [-1])\n(bool[0,3], [0])\n", TN_PRIM_NONE},
    {"aten::nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) "
     "-> Tensor",
     convert_nansum,
     "@rtol=1e-5 atol=1e-6\n" DIM_MEANS
     "(i64[2,3], [0])\n(bool[9])\n(f32[9]{nan}, dtype=torch.float64)\n",
     TN_PRIM_NONE},
    {"aten::nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) "
     "-> Tensor",
     convert_nansum, "@rtol=1e-5 atol=1e-6\n" DIM_MEANS, TN_PRIM_REDUCE_MEAN},
    {"aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
     convert_aminmax,
     "(f32[2,3])\n(f32[2,3]{nc,nan1}, dim=1)\n(i64[2,3], dim=0, keepdim=True)\n(f32[1])\n"
     "(f32[0,3], dim=1)@static\n(bf16[9])\n(f64[1,2,1,2,1,2,1,2], dim=5)\n",
     TN_PRIM_NONE},
    {"aten::kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, "
     "Tensor indices)",
     convert_kthvalue,
     "(f32[9], 3)\n(f32[3,5]{nc}, 2, 0, True)\n(f32[9]{nan1}, 9)\n(f32[], 1)\n(f32[1], 1)\n"
     "(i64[7]{perm=9}, 4)\n(f64[1,2,1,2,1,5,1,2], 3, 5)\n(bf16[2,9]{perm=9}, 1)\n",
     TN_PRIM_NONE},
    {"aten::median(Tensor self) -> Tensor", convert_median, MEDIANS, TN_PRIM_NONE},
    {"aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor "
     "indices)",
     convert_median, DIM_MEDIANS, TN_PRIM_NONE},
    {"aten::nanmedian(Tensor self) -> Tensor", convert_median, MEDIANS "(f32[9]{nan})\n",
     TN_PRIM_ISNAN},
    {"aten::nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor "
     "indices)",
     convert_median, DIM_MEDIANS "(f32[3,8]{nan}, 1)\n", TN_PRIM_ISNAN},
};

const tn_op_family tn_ops_statistic = {"statistic", entries, sizeof entries / sizeof *entries};
