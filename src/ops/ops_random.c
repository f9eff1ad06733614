/* ops_random.c: random numbers. Their generator is tenon's (Philox, counted by element, seeded with
 * 0, one stream per node), so values differ from PyTorch's and repeat from run to run; the
 * distribution is the same. */
#include "ops/op_families.h"

/* The entry's prim tells normal numbers (exp) from uniform ones. */
static tn_status random(tn_cv *cv, tn_dtype dtype, const tn_sym *const *dims, uint32_t rank) {
    tn_kb *kb = cv->kb;
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "dtype is %s, accepted are floats", tn_dtype_name(dtype));
    tn_arg args[] = {tn_arg_syms(kb, dims, rank),
                     tn_arg_str(tn_cv_prim(cv) == TN_PRIM_EXP ? "normal" : "uniform"),
                     tn_arg_int(kb, 0), tn_arg_int(kb, cv->node->id), tn_arg_dtype(dtype)};
    tn_cv_set_result(cv, 0,
                     tn_kb_node(kb, TN_PRIM_RANDOM, NULL, 0, args, sizeof args / sizeof *args));
    return NULL;
}

static tn_status convert_random(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    return random(cv, tn_cv_dtype(cv, "dtype", TN_F32), dims, rank);
}

static tn_status convert_random_like(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    return random(cv, tn_cv_dtype(cv, "dtype", x->type.dtype), x->type.dims, x->type.rank);
}

/* Integers below a bound: a uniform number in f64, which holds every one up to 2^53, rounded
 * down. */
static tn_status integers(tn_cv *cv, tn_dtype dtype, const tn_sym *const *dims, uint32_t rank) {
    tn_kb *kb = cv->kb;
    bool has_low = tn_schema_find_param(cv->node->op->schema, TN_STR("low")) >= 0;
    const tn_sym *low = has_low ? tn_cv_sym(cv, "low") : tn_cv_size(cv, 0);
    const tn_sym *span = tn_sym_sub(kb->graph->syms, tn_cv_sym(cv, "high"), low);
    tn_arg args[] = {tn_arg_syms(kb, dims, rank), tn_arg_str("uniform"), tn_arg_int(kb, 0),
                     tn_arg_int(kb, cv->node->id), tn_arg_dtype(TN_F64)};
    tn_value *y = tn_kb_node(kb, TN_PRIM_RANDOM, NULL, 0, args, sizeof args / sizeof *args);
    y = tn_kb_map2(kb, TN_PRIM_MUL, y, tn_kb_cast(kb, tn_kb_sym(kb, span), TN_F64));
    y = tn_kb_map1(kb, TN_PRIM_FLOOR, y);
    y = tn_kb_map2(kb, TN_PRIM_ADD, y, tn_kb_cast(kb, tn_kb_sym(kb, low), TN_F64));
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, dtype));
    return NULL;
}

static tn_status convert_randint(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    return integers(cv, tn_cv_dtype(cv, "dtype", TN_I64), dims, rank);
}

static tn_status convert_randint_like(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    return integers(cv, tn_cv_dtype(cv, "dtype", x->type.dtype), x->type.dims, x->type.rank);
}

/* The order of random numbers. */
static tn_status convert_randperm(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    const tn_sym *size = tn_cv_sym(cv, "n");
    tn_arg args[] = {tn_arg_syms(kb, &size, 1), tn_arg_str("uniform"), tn_arg_int(kb, 0),
                     tn_arg_int(kb, cv->node->id), tn_arg_dtype(TN_F64)};
    tn_value *x = tn_kb_node(kb, TN_PRIM_RANDOM, NULL, 0, args, sizeof args / sizeof *args);
    tn_arg sort_args[] = {tn_arg_value(0), tn_arg_int(kb, 0), tn_arg_bool(false)};
    tn_value *y = tn_kb_node(kb, TN_PRIM_SORT, &x, 1, sort_args, 3);
    tn_cv_set_result(
        cv, 0, tn_kb_cast(kb, y ? y->def->results[1] : NULL, tn_cv_dtype(cv, "dtype", TN_I64)));
    return NULL;
}

/* 1 with the probability that self (or p) holds. */
static tn_status convert_bernoulli(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    bool has_p = tn_schema_find_param(cv->node->op->schema, TN_STR("p")) >= 0;
    tn_arg args[] = {tn_arg_syms(kb, x->type.dims, x->type.rank), tn_arg_str("uniform"),
                     tn_arg_int(kb, 0), tn_arg_int(kb, cv->node->id), tn_arg_dtype(TN_F32)};
    tn_value *draw = tn_kb_node(kb, TN_PRIM_RANDOM, NULL, 0, args, sizeof args / sizeof *args);
    tn_value *p = has_p ? tn_cv_scalar(cv, "p", TN_F32) : tn_kb_cast(kb, x, TN_F32);
    tn_value *y = tn_kb_map2(kb, TN_PRIM_LT, draw, p);
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, x->type.dtype));
    return NULL;
}

#define SIZES                                                                                      \
    "@moments\n"                                                                                   \
    "([2000])\n"                                                                                   \
    "([40,50], dtype=torch.float64)\n"                                                             \
    "([0])\n"                                                                                      \
    "([])\n"                                                                                       \
    "([2000], dtype=torch.bfloat16)\n"                                                             \
    "([2,5,2,5,2,5,2,2])\n"
#define LIKE                                                                                       \
    "@moments\n"                                                                                   \
    "(f32[2000])\n"                                                                                \
    "(f64[40,50]{nc})\n"                                                                           \
    "(f32[0])\n"                                                                                   \
    "(bf16[2000])\n"                                                                               \
    "(i64[2000], dtype=torch.float32)\n"

static const tn_op_entry entries[] = {
    {"aten::rand(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_random, SIZES, TN_PRIM_NONE},
    {"aten::randn(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_random, SIZES, TN_PRIM_EXP},
    {"aten::rand_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_random_like, LIKE, TN_PRIM_NONE},
    {"aten::randn_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_random_like, LIKE, TN_PRIM_EXP},
    {"aten::randint(SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_randint, "@moments\n(2, [4000])\n(9, [0])\n(3, [])\n(5, [2,3], dtype=torch.int32)\n",
     TN_PRIM_NONE},
    {"aten::randint.low(SymInt low, SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_randint, "@moments\n(-1, 2, [4000])\n(2, 9, [0])\n(0, 5, [2], dtype=torch.float32)\n",
     TN_PRIM_NONE},
    {"aten::randint_like(Tensor self, SymInt high, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_randint_like, "@moments\n(i64[4000], 2)\n(f32[0], 3)\n(f32[2,3], 3)\n", TN_PRIM_NONE},
    {"aten::randint_like.low_dtype(Tensor self, SymInt low, SymInt high, *, ScalarType? "
     "dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? "
     "memory_format=None) -> Tensor",
     convert_randint_like, "@moments\n(i64[4000], -1, 2)\n(f32[0], 1, 3)\n", TN_PRIM_NONE},
    {"aten::randperm(SymInt n, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None) -> Tensor",
     convert_randperm, "@moments\n(2000)\n(0)\n(1)\n(9, dtype=torch.int32)\n", TN_PRIM_NONE},
    {"aten::bernoulli(Tensor self, *, Generator? generator=None) -> Tensor", convert_bernoulli,
     "@shape\n(f32[4000]{lo=0,hi=1})\n(f32[0])\n(bf16[2,3]{lo=0,hi=1})\n", TN_PRIM_NONE},
    {"aten::bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor",
     convert_bernoulli, "@shape\n(f32[4000], 0.25)\n(f32[0], 0.5)\n(i64[2,3], 0.5)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_random = {"random", entries, sizeof entries / sizeof *entries};
