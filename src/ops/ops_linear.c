/* ops_linear.c: products of matrices and vectors. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* Products take operands of one dtype, and no bool. */
static tn_status check_dtypes(const tn_cv *cv, const tn_value *a, const tn_value *b) {
    if (a->type.dtype != b->type.dtype || a->type.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "operands are %s and %s, accepted are two of one dtype of numbers",
                            tn_dtype_name(a->type.dtype), tn_dtype_name(b->type.dtype));
    return NULL;
}

static tn_status check_ranks(const tn_cv *cv, const tn_value *a, uint32_t a_rank, const tn_value *b,
                             uint32_t b_rank) {
    if (a->type.rank != a_rank || b->type.rank != b_rank)
        return tn_cv_refuse(cv, "operands have rank %u and %u, accepted are %u and %u",
                            a->type.rank, b->type.rank, a_rank, b_rank);
    return check_dtypes(cv, a, b);
}

/* mm and bmm; the entry's prim tells: reshape for bmm. */
static tn_status convert_mm(tn_cv *cv) {
    tn_value *a = tn_cv_tensor(cv, "self"), *b = tn_cv_tensor(cv, "mat2");
    uint32_t rank = tn_cv_prim(cv) == TN_PRIM_RESHAPE ? 3 : 2;
    TN_TRY(check_ranks(cv, a, rank, b, rank));
    return set_result(cv, tn_kb_matmul(cv->kb, a, b, NULL));
}

/* NumPy's matmul: vectors are a row on the left and a column on the right, and give up that dim. */
static tn_value *matmul(tn_cv *cv, tn_value *a, tn_value *b) {
    tn_kb *kb = cv->kb;
    bool a_is_vector = tn_value_rank(a) == 1, b_is_vector = tn_value_rank(b) == 1;
    if (a_is_vector)
        a = tn_kb_unsqueeze(kb, a, 0);
    if (b_is_vector)
        b = tn_kb_unsqueeze(kb, b, 1);
    tn_value *y = tn_kb_matmul(kb, a, b, NULL);
    if (b_is_vector)
        y = tn_kb_squeeze(kb, y, tn_value_rank(y) - 1);
    if (a_is_vector)
        y = tn_kb_squeeze(kb, y, tn_value_rank(y) - (b_is_vector ? 1 : 2));
    return y;
}

static tn_status product(tn_cv *cv, const char *a_name, const char *b_name) {
    tn_value *a = tn_cv_tensor(cv, a_name), *b = tn_cv_tensor(cv, b_name);
    TN_TRY(check_dtypes(cv, a, b));
    if (a->type.rank == 0 || b->type.rank == 0)
        return tn_cv_refuse(cv, "operands have rank %u and %u, accepted is rank from 1",
                            a->type.rank, b->type.rank);
    return set_result(cv, matmul(cv, a, b));
}

static tn_status convert_matmul(tn_cv *cv) {
    return product(cv, "self", "other");
}

static tn_status convert_mv(tn_cv *cv) {
    return product(cv, "self", "vec");
}

static tn_status convert_dot(tn_cv *cv) {
    return product(cv, "self", "tensor");
}

static tn_status convert_outer(tn_cv *cv) {
    tn_value *a = tn_cv_tensor(cv, "self"), *b = tn_cv_tensor(cv, "vec2");
    TN_TRY(check_ranks(cv, a, 1, b, 1));
    return set_result(cv, tn_kb_map2(cv->kb, TN_PRIM_MUL, tn_kb_unsqueeze(cv->kb, a, 1), b));
}

/* beta * self + alpha * (a @ b). beta 0 drops self, NaN in it too. */
static tn_status add_product(tn_cv *cv, tn_value *a, tn_value *b) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_value_dtype(a);
    TN_TRY(check_dtypes(cv, self, a));
    double beta = tn_cv_float(cv, "beta"), alpha = tn_cv_float(cv, "alpha");
    if (beta == 1 && alpha == 1)
        return set_result(cv, tn_kb_matmul(kb, a, b, self));
    tn_value *y = tn_kb_matmul(kb, a, b, NULL);
    tn_dtype compute = tn_dtype_is_half(dtype) ? TN_F32 : dtype;
    if (alpha != 1)
        y = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_cast(kb, y, compute),
                       tn_cv_scalar(cv, "alpha", compute));
    if (beta != 0) {
        self = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_cast(kb, self, compute),
                          tn_cv_scalar(cv, "beta", compute));
        y = tn_kb_map2(kb, TN_PRIM_ADD, self, tn_kb_cast(kb, y, compute));
    }
    return set_result(cv, tn_kb_cast(kb, y, dtype));
}

static tn_status convert_addmm(tn_cv *cv) {
    tn_value *a = tn_cv_tensor(cv, "mat1"), *b = tn_cv_tensor(cv, "mat2");
    TN_TRY(check_ranks(cv, a, 2, b, 2));
    return add_product(cv, a, b);
}

static tn_status convert_baddbmm(tn_cv *cv) {
    tn_value *a = tn_cv_tensor(cv, "batch1"), *b = tn_cv_tensor(cv, "batch2");
    TN_TRY(check_ranks(cv, a, 3, b, 3));
    return add_product(cv, a, b);
}

static tn_status convert_addmv(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *a = tn_cv_tensor(cv, "mat"), *b = tn_cv_tensor(cv, "vec");
    TN_TRY(check_ranks(cv, a, 2, b, 1));
    double beta = tn_cv_float(cv, "beta"), alpha = tn_cv_float(cv, "alpha");
    if (beta != 1 || alpha != 1)
        return tn_cv_refuse(cv, "beta is %g and alpha %g, accepted are 1 and 1", beta, alpha);
    return set_result(cv, tn_kb_map2(kb, TN_PRIM_ADD, tn_cv_tensor(cv, "self"), matmul(cv, a, b)));
}

static tn_status convert_linear(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "input"), *w = tn_cv_tensor(cv, "weight");
    tn_value *bias = tn_cv_tensor(cv, "bias");
    TN_TRY(check_dtypes(cv, x, w));
    if (x->type.rank == 0 || w->type.rank == 0 || w->type.rank > 2)
        return tn_cv_refuse(cv,
                            "input and weight have rank %u and %u, accepted are from 1, and 1 or 2",
                            x->type.rank, w->type.rank);
    if (w->type.rank == 1) {
        tn_value *y = matmul(cv, x, w);
        return set_result(cv, bias ? tn_kb_map2(kb, TN_PRIM_ADD, y, bias) : y);
    }
    w = tn_kb_transpose(kb, w, 0, 1);
    if (x->type.rank > 1)
        return set_result(cv, tn_kb_matmul(kb, x, w, bias));
    tn_value *y = tn_kb_matmul(kb, tn_kb_unsqueeze(kb, x, 0), w, bias);
    return set_result(cv, tn_kb_squeeze(kb, y, 0));
}

/* ---- the family
 * ---------------------------------------------------------------------------------------- */

/* Sums of many products: the order of the sum differs from PyTorch's. */
#define TOLERANCE "@rtol=1e-5 atol=1e-5\n"

static const tn_op_entry entries[] = {
    {"aten::mm(Tensor self, Tensor mat2) -> Tensor", convert_mm,
     TOLERANCE "(f32[3,4], f32[4,5])\n"
               "(f32[3,4]{nc}, f32[4,5]{nc,nan})\n"
               "(f32[0,4], f32[4,5])\n"
               "(f32[3,0], f32[0,5])\n"
               "(f32[1,1], f32[1,1])\n"
               "(f64[3,70], f64[70,5])\n"
               "(bf16[3,4], bf16[4,5])\n"
               "(f16[3,4], f16[4,5])\n"
               "(i64[3,4], i64[4,5])\n"
               "(i32[3,4], i32[4,5])\n"
               "(f32[33,65], f32[65,17])\n",
     TN_PRIM_NONE},
    {"aten::bmm(Tensor self, Tensor mat2) -> Tensor", convert_mm,
     TOLERANCE "(f32[2,3,4], f32[2,4,5])\n"
               "(f32[2,3,4]{nc}, f32[2,4,5]{nc,nan})\n"
               "(f32[0,3,4], f32[0,4,5])\n"
               "(f32[1,1,1], f32[1,1,1])\n"
               "(bf16[2,3,4], bf16[2,4,5])\n"
               "(f16[2,3,4], f16[2,4,5])\n"
               "(f16[2,19,70], f16[2,70,35]{nc})\n"
               "(f64[2,3,4], f64[2,4,5])\n"
               "(i64[2,3,4], i64[2,4,5])\n",
     TN_PRIM_RESHAPE},
    {"aten::matmul(Tensor self, Tensor other) -> Tensor", convert_matmul,
     TOLERANCE "(f32[3,4], f32[4,5])\n"
               "(f32[4], f32[4])\n"
               "(f32[4]{nc}, f32[4,5])\n"
               "(f32[3,4], f32[4]{nan})\n"
               "(f32[2,3,4], f32[4,5])\n"
               "(f32[2,1,3,4], f32[5,4,2])\n"
               "(f32[2,3,4], f32[4])\n"
               "(f32[4], f32[2,4,3])\n"
               "(f32[0,4], f32[4,3])\n"
               "(bf16[2,3,4], bf16[4,5])\n"
               "(f16[3,4], f16[4,5])\n"
               "(f64[1,2,1,2,1,2,3,4], f64[2,1,2,1,2,1,4,2])\n"
               "(i64[3,4], i64[4,5])\n",
     TN_PRIM_NONE},
    {"aten::mv(Tensor self, Tensor vec) -> Tensor", convert_mv,
     TOLERANCE "(f32[3,4], f32[4])\n"
               "(f32[3,4]{nc,nan}, f32[4])\n"
               "(f32[0,4], f32[4])\n"
               "(bf16[3,4], bf16[4])\n"
               "(f64[1,1], f64[1])\n",
     TN_PRIM_NONE},
    {"aten::dot(Tensor self, Tensor tensor) -> Tensor", convert_dot,
     TOLERANCE "(f32[4], f32[4])\n"
               "(f32[4]{nan}, f32[4])\n"
               "(f32[0], f32[0])\n"
               "(bf16[4], bf16[4])\n"
               "(i64[4], i64[4])\n"
               "(f64[1], f64[1])\n",
     TN_PRIM_NONE},
    {"aten::outer(Tensor self, Tensor vec2) -> Tensor", convert_outer,
     "(f32[4], f32[3])\n"
     "(f32[4]{nan}, f32[1])\n"
     "(f32[0], f32[2])\n"
     "(bf16[4], bf16[4])\n"
     "(i64[4], i64[4])\n",
     TN_PRIM_NONE},
    {"aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> "
     "Tensor",
     convert_addmm,
     TOLERANCE "(f32[5], f32[3,4], f32[4,5])\n"
               "(f32[3,5]{nc}, f32[3,4]{nc}, f32[4,5]{nc})\n"
               "(f32[1], f32[3,4]{nan}, f32[4,5], beta=0.5, alpha=2)\n"
               "(f32[3,1]{nan}, f32[3,4], f32[4,5], beta=0)\n"
               "(f32[5], f32[0,4], f32[4,5])\n"
               "(f32[5], f32[3,0], f32[0,5])\n"
               "(bf16[5], bf16[3,4], bf16[4,5])\n"
               "(f16[5], f16[3,4], f16[4,5], beta=0.3)\n"
               "(f64[5], f64[3,4], f64[4,5])\n"
               "(i64[5], i64[3,4], i64[4,5], beta=2, alpha=3)\n",
     TN_PRIM_NONE},
    {"aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) "
     "-> Tensor",
     convert_baddbmm,
     TOLERANCE "(f32[2,3,5], f32[2,3,4], f32[2,4,5])\n"
               "(f32[5], f32[2,3,4]{nc}, f32[2,4,5]{nan}, beta=0.5, alpha=2)\n"
               "(f32[1,3,1]{nan}, f32[2,3,4], f32[2,4,5], beta=0)\n"
               "(f32[5], f32[0,3,4], f32[0,4,5])\n"
               "(bf16[2,3,5], bf16[2,3,4], bf16[2,4,5])\n"
               "(f64[2,3,5], f64[2,3,4], f64[2,4,5])\n",
     TN_PRIM_NONE},
    {"aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     convert_addmv,
     TOLERANCE "(f32[3], f32[3,4], f32[4])\n"
               "(f32[1]{nan}, f32[3,4]{nc}, f32[4])\n"
               "(f32[0], f32[0,4], f32[4])\n"
               "(bf16[3], bf16[3,4], bf16[4])\n",
     TN_PRIM_NONE},
    {"aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", convert_linear,
     TOLERANCE "(f32[3,4], f32[5,4], f32[5])\n"
               "(f32[2,3,4]{nc,nan}, f32[5,4]{nc})\n"
               "(f32[4], f32[5,4], f32[5])\n"
               "(f32[0,4], f32[5,4], f32[5])\n"
               "(f32[2,1,2,1,2,1,3,4], f32[5,4], f32[5])\n"
               "(bf16[3,4], bf16[5,4], bf16[5])\n"
               "(f16[3,4], f16[5,4])\n"
               "(f64[3,4], f64[5,4], f64[5])\n"
               "(f32[3,4], f32[4])\n"
               "(f32[1,1], f32[1,1], f32[1])\n"
               "(f32[3,0], f32[5,0], f32[5])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_linear = {"linear", entries, sizeof entries / sizeof *entries};
