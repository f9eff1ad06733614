/* ops_experts.c: the grouped product of mixtures of experts: rows sorted by expert, each group of
 * rows times its expert's matrix. */
#include "ops/op_families.h"

/* Where the groups end depends on data, which no shape may. So every expert multiplies all rows,
 * and a row keeps the product of its own expert: the choice is made in the epilogue, one product
 * after the other, and memory stays that of the result. It is work times the number of experts;
 * rows behind the last group are 0. */
enum { MOST_EXPERTS = 256 };

static tn_status grouped(tn_cv *cv, tn_value *x, tn_value *weights, tn_value *ends) {
    tn_kb *kb = cv->kb;
    if (x->type.rank != 2 || weights->type.rank != 3 || !ends || ends->type.rank != 1 ||
        !tn_sym_is_const(weights->type.dims[0]) || weights->type.dims[0]->value > MOST_EXPERTS)
        return tn_cv_refuse(cv,
                            "the operands have rank %u, %u and %u, accepted are rows [S, K], "
                            "matrices [E, K, N] of up to %d experts, and where each group ends [E]",
                            x->type.rank, weights->type.rank, tn_value_rank(ends), MOST_EXPERTS);
    uint32_t experts = (uint32_t)weights->type.dims[0]->value;
    const tn_sym *rows[2] = {x->type.dims[0], tn_cv_size(cv, 1)};
    const tn_sym *sizes[2] = {x->type.dims[0], weights->type.dims[2]};
    tn_value *row = tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, 1);
    tn_value *y = tn_kb_full(kb, x->type.dtype, 0, sizes, 2);
    /* From the last group to the first: of several ends beyond a row, the least counts. */
    for (uint32_t e = experts; e-- > 0;) {
        const tn_sym *at = tn_cv_size(cv, e), *one = tn_cv_size(cv, 1);
        tn_value *weight = tn_kb_squeeze(kb, tn_kb_slice(kb, weights, 0, at, one, 1), 0);
        tn_value *end = tn_kb_cast(kb, tn_kb_slice(kb, ends, 0, at, one, 1), TN_I64);
        tn_value *is_mine = tn_kb_map2(kb, TN_PRIM_LT, row, end);
        y = tn_kb_select(kb, is_mine, tn_kb_matmul(kb, x, weight, NULL), y);
    }
    tn_cv_set_result(cv, 0, y);
    return NULL;
}

static tn_status convert_grouped_mm(tn_cv *cv) {
    tn_dtype dtype = tn_cv_dtype(cv, "out_dtype", tn_value_dtype(tn_cv_tensor(cv, "self")));
    if (!tn_cv_is_none(cv, "bias") || dtype != tn_value_dtype(tn_cv_tensor(cv, "self")))
        return tn_cv_refuse(cv,
                            "there is a bias, or out_dtype is %s; accepted are none, and that "
                            "of self",
                            tn_dtype_name(dtype));
    return grouped(cv, tn_cv_tensor(cv, "self"), tn_cv_tensor(cv, "mat2"),
                   tn_cv_tensor(cv, "offs"));
}

/* What transformers calls where PyTorch has no grouped product. */
static tn_status convert_fallback(tn_cv *cv) {
    return grouped(cv, tn_cv_tensor(cv, "input"), tn_cv_tensor(cv, "weight"),
                   tn_cv_tensor(cv, "offs"));
}

static const tn_op_entry entries[] = {
    {"aten::_grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, "
     "ScalarType? out_dtype=None) -> Tensor",
     convert_grouped_mm,
     "@rtol=1e-5 atol=1e-6\n"
     "(bf16[8,16], bf16[3,16,8], offs=i32[3]{lo=8,hi=8})@static rtol=1e-2 atol=1e-2\n",
     TN_PRIM_NONE},
    {"transformers::grouped_mm_fallback(Tensor input, Tensor weight, Tensor offs) -> Tensor",
     convert_fallback,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[8,6], f32[3,6,5], i32[3]{lo=0,hi=8,sorted})@batch\n"
     "(f32[8,6]{nc}, f32[3,6,5]{nc}, i32[3]{lo=0,hi=4,sorted})@batch\n"
     "(f32[1,1], f32[1,1,1], i32[1]{lo=1,hi=1})\n"
     "(f32[0,4], f32[2,4,3], i32[2]{zero})@static\n"
     "(bf16[8,6], bf16[2,6,5], i32[2]{lo=0,hi=8,sorted})@batch rtol=1e-2 atol=1e-2\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_experts = {"experts", entries, sizeof entries / sizeof *entries};
