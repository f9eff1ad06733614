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
};

const tn_op_family tn_ops_random = {"random", entries, sizeof entries / sizeof *entries};
