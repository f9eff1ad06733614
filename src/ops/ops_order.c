/* ops_order.c: sorting and its kin. */
#include "ops/op_families.h"

/* Both results of an ordering primitive; a rank-0 tensor is a vector of one. k is for topk only. */
static void order(tn_cv *cv, tn_prim prim, const tn_sym *k, bool is_descending,
                  tn_value *out_results[2]) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", self->type.rank);
    tn_value *x = self->type.dtype == TN_BOOL ? tn_kb_cast(kb, self, TN_U8) : self;
    if (self->type.rank == 0)
        x = tn_kb_unsqueeze(kb, x, 0);
    tn_arg sort_args[] = {tn_arg_value(0), tn_arg_int(kb, dim), tn_arg_bool(is_descending)};
    tn_arg topk_args[] = {tn_arg_value(0), tn_arg_sym(k), tn_arg_int(kb, dim),
                          tn_arg_bool(is_descending)};
    tn_value *y = prim == TN_PRIM_SORT ? tn_kb_node(kb, prim, &x, 1, sort_args, 3)
                                       : tn_kb_node(kb, prim, &x, 1, topk_args, 4);
    tn_value *indices = y ? y->def->results[1] : NULL;
    y = tn_kb_cast(kb, y, self->type.dtype);
    bool is_scalar = self->type.rank == 0;
    out_results[0] = is_scalar ? tn_kb_squeeze(kb, y, 0) : y;
    out_results[1] = is_scalar ? tn_kb_squeeze(kb, indices, 0) : indices;
}

static tn_status convert_sort(tn_cv *cv) {
    order(cv, TN_PRIM_SORT, NULL, tn_cv_bool(cv, "descending"), cv->results);
    return NULL;
}

static tn_status convert_argsort(tn_cv *cv) {
    tn_value *results[2];
    order(cv, TN_PRIM_SORT, NULL, tn_cv_bool(cv, "descending"), results);
    tn_cv_set_result(cv, 0, results[1]);
    return NULL;
}

/* sorted=False allows any order, so sorted will do. */
static tn_status convert_topk(tn_cv *cv) {
    order(cv, TN_PRIM_TOPK, tn_cv_sym(cv, "k"), tn_cv_bool(cv, "largest"), cv->results);
    return NULL;
}

/* Of equal elements PyTorch's topk may give any index, and its sort too unless it is told to be
 * stable: so all elements differ here. */
#define SORTS                                                                                      \
    "(f32[9])\n"                                                                                   \
    "(f32[3,5]{nc}, 0)\n"                                                                          \
    "(f32[9]{nan1})\n"                                                                             \
    "(f32[0])\n"                                                                                   \
    "(f32[], 0)\n"                                                                                 \
    "(f32[1])\n"                                                                                   \
    "(i64[9]{perm=9}, 0, True)\n"                                                                  \
    "(bool[1])\n"                                                                                  \
    "(bf16[2,9]{perm=9}, -1)\n"                                                                    \
    "(f16[9]{perm=9}, 0, True)\n"                                                                  \
    "(f64[1,2,1,2,1,5,1,2], 5)\n"                                                                  \
    "(u8[9]{perm=9})\n"                                                                            \
    "(i32[9]{perm=9})\n"

static const tn_op_entry entries[] = {
    {"aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
     "indices)",
     convert_sort, SORTS, TN_PRIM_NONE},
    {"aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> "
     "(Tensor values, Tensor indices)",
     convert_sort,
     "(f32[9]{few}, stable=True)\n"
     "(f32[3,5]{nc,nan,inf}, stable=True, dim=0)\n"
     "(f32[0], stable=True)\n"
     "(f32[], stable=True, dim=0)\n"
     "(i64[40]{few}, stable=True, dim=0, descending=True)\n"
     "(bool[9], stable=True)\n"
     "(bf16[2,9], stable=True, dim=-1)\n"
     "(f64[1,2,1,2,1,5,1,2], stable=True, dim=5)\n"
     "(f32[2,300]{few,nan}, stable=True, dim=1)\n"
     "(f32[2,300]{nan,inf}, stable=True, dim=1, descending=True)\n"
     "(f64[300,2]{few,nan1}, stable=True, dim=0)\n"
     "(i64[300]{lo=-1000000000000,hi=1000000000000}, stable=True, dim=0, descending=True)\n"
     "(i8[3,300], stable=True, dim=1)\n"
     "(bf16[2,300], stable=True, dim=1)\n",
     TN_PRIM_NONE},
    {"aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor", convert_argsort,
     SORTS, TN_PRIM_NONE},
    {"aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> "
     "(Tensor values, Tensor indices)",
     convert_topk,
     "(f32[9], 3)\n"
     "(f32[3,5]{nc}, 2, 0)\n"
     "(f32[9], 4, -1, False)\n"
     "(f32[3,5], 5, 1, True, True)\n"
     "(f32[2,3], 0)\n"
     "(f32[], 1, 0)\n"
     "(i64[7]{perm=9}, 2)\n"
     "(f64[1,2,1,2,1,5,1,2], 3, 5)\n"
     "(f32[9]{nan1}, 2)\n"
     "(f32[2,3000], 5)\n"
     "(f32[3000,2]{nc}, 40, 0, False)\n"
     "(f32[2,1000]{nan1}, 3, 1, False)\n"
     "(f64[2000], 300)\n"
     "(i64[2000]{perm=2000}, 10)\n"
     "(i32[2,500]{perm=500}, 499, 1, False)\n"
     "(f32[2,300], 300)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_order = {"order", entries, sizeof entries / sizeof *entries};
