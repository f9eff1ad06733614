/* ops_view.c: the same elements in another shape, and what changes nothing at all. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* Values do not alias, so a view, a copy and the value itself are the same. */
static tn_status convert_same(tn_cv *cv) {
    return set_result(cv, tn_cv_tensor(cv, "self"));
}

static tn_status convert_dropout(tn_cv *cv) {
    if (tn_cv_bool(cv, "train") && tn_cv_float(cv, "p") != 0)
        return tn_cv_refuse(cv, "train is True, accepted is False (export after model.eval())");
    return set_result(cv, tn_cv_tensor(cv, "input"));
}

/* The second result tells what was kept: all. */
static tn_status convert_native_dropout(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "input");
    if (tn_cv_bool(cv, "train") && tn_cv_float(cv, "p") != 0)
        return tn_cv_refuse(cv, "train is True, accepted is False (export after model.eval())");
    tn_cv_set_result(cv, 1, tn_kb_full(cv->kb, TN_BOOL, 1, x->type.dims, x->type.rank));
    return set_result(cv, x);
}

/* ---- reshape
 * ------------------------------------------------------------------------------------------- */

static tn_status reshape_to(tn_cv *cv, const char *name) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, name, dims, TN_MAX_RANK);
    return set_result(cv, tn_cv_reshape(cv, tn_cv_tensor(cv, "self"), dims, rank));
}

static tn_status convert_view(tn_cv *cv) {
    return reshape_to(cv, "size");
}

static tn_status convert_reshape(tn_cv *cv) {
    return reshape_to(cv, "shape");
}

static tn_status convert_view_as(tn_cv *cv) {
    tn_value *other = tn_cv_tensor(cv, "other");
    return set_result(
        cv, tn_kb_reshape(cv->kb, tn_cv_tensor(cv, "self"), other->type.dims, other->type.rank));
}

static tn_status convert_flatten(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t first = tn_cv_dim(cv, "start_dim", x->type.rank);
    uint32_t last = tn_cv_dim(cv, "end_dim", x->type.rank);
    if (first > last)
        return tn_cv_refuse(cv, "start_dim is %u and end_dim %u, accepted is start_dim first",
                            first, last);
    return set_result(cv, tn_cv_flatten(cv, x, first, last));
}

static tn_status convert_unflatten(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank), rank = 0;
    const tn_sym *sizes[TN_MAX_RANK], *dims[TN_MAX_RANK], *known = tn_cv_size(cv, 1);
    uint32_t count = tn_cv_syms(cv, "sizes", sizes, TN_MAX_RANK);
    if (count == 0 || x->type.rank == 0 || x->type.rank - 1 + count > TN_MAX_RANK)
        return tn_cv_refuse(cv, "rank %u with %u sizes, accepted is up to rank %d", x->type.rank,
                            count, TN_MAX_RANK);
    for (uint32_t i = 0; i < count; i++)
        if (!tn_sym_is(sizes[i], -1))
            known = tn_sym_mul(syms, known, sizes[i]);
    for (uint32_t d = 0; d < x->type.rank; d++) {
        if (d != dim)
            dims[rank++] = x->type.dims[d];
        for (uint32_t i = 0; d == dim && i < count; i++)
            dims[rank++] =
                tn_sym_is(sizes[i], -1) ? tn_sym_floordiv(syms, x->type.dims[d], known) : sizes[i];
    }
    return set_result(cv, tn_kb_reshape(cv->kb, x, dims, rank));
}

static tn_status convert_unsqueeze(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    return set_result(cv, tn_kb_unsqueeze(cv->kb, x, tn_cv_dim(cv, "dim", x->type.rank + 1)));
}

/* Drops the dims of the mask that are 1. A symbolic size is not 1: torch.export specialises sizes
 * of 1. */
static tn_status squeeze(tn_cv *cv, uint32_t mask) {
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; d < x->type.rank; d++)
        if (!(mask >> d & 1) || !tn_sym_is(x->type.dims[d], 1))
            dims[rank++] = x->type.dims[d];
    return set_result(cv, tn_kb_reshape(cv->kb, x, dims, rank));
}

static tn_status convert_squeeze(tn_cv *cv) {
    return squeeze(cv, UINT32_MAX);
}

static tn_status convert_squeeze_dim(tn_cv *cv) {
    return squeeze(cv, 1u << tn_cv_dim(cv, "dim", tn_value_rank(tn_cv_tensor(cv, "self"))));
}

static tn_status convert_squeeze_dims(tn_cv *cv) {
    const tn_arg *dims = tn_cv_arg(cv, "dim");
    if (dims->kind == TN_ARG_INTS && dims->count == 0)
        return squeeze(cv, 0);
    return squeeze(cv, tn_cv_dim_mask(cv, "dim", tn_value_rank(tn_cv_tensor(cv, "self"))));
}

/* The graph keeps no strides, so only the view that changes nothing can be told for sure: same
 * sizes, row-major strides where they count, of a value that is laid out anew and is no view
 * itself. */
static tn_status convert_as_strided(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *sizes[TN_MAX_RANK], *strides[TN_MAX_RANK], *wanted = tn_cv_size(cv, 1);
    uint32_t rank = tn_cv_syms(cv, "size", sizes, TN_MAX_RANK), long_dims = 0;
    bool is_same = tn_cv_syms(cv, "stride", strides, TN_MAX_RANK) == rank && rank == x->type.rank;
    const tn_sym *offset = tn_cv_sym(cv, "storage_offset");
    is_same = is_same && (!offset || tn_sym_is(offset, 0));
    for (uint32_t d = rank; is_same && d-- > 0;) {
        is_same = tn_sym_known_eq(cv->kb->graph->syms, sizes[d], x->type.dims[d]) == 1;
        if (tn_sym_is(sizes[d], 1))
            continue;
        long_dims++;
        is_same = is_same && wanted && strides[d] == wanted;
        wanted = tn_sym_mul(cv->kb->graph->syms, wanted, sizes[d]);
    }
    tn_prim maker = x->def ? tn_node_prim(x->def) : TN_PRIM_NONE;
    bool is_view = maker == TN_PRIM_PERMUTE || maker == TN_PRIM_EXPAND || maker == TN_PRIM_SLICE;
    if (!is_same || (is_view && long_dims > 1))
        return tn_cv_refuse(cv, "size, stride and storage_offset make another view of the memory, "
                                "accepted are those of the tensor itself");
    return set_result(cv, x);
}

/* ---- the family
 * -----------------------------------------------------------------------------------
 */

#define SAME                                                                                       \
    "(f32[2,3])\n"                                                                                 \
    "(f32[2,3]{nc,nan,inf})\n"                                                                     \
    "(f32[0,3])\n"                                                                                 \
    "(f32[])\n"                                                                                    \
    "(f64[1])\n"                                                                                   \
    "(f16[3])\n"                                                                                   \
    "(bf16[3])\n"                                                                                  \
    "(i64[3])\n"                                                                                   \
    "(i32[3])\n"                                                                                   \
    "(i16[3])\n"                                                                                   \
    "(i8[3])\n"                                                                                    \
    "(u8[3])\n"                                                                                    \
    "(bool[3])\n"                                                                                  \
    "(f32[1,2,1,2,1,2,1,2])\n"
#define RESHAPES                                                                                   \
    RESHAPES_VIEW "(f32[2,6]{nc}, [-1])\n"                                                         \
                  "(f32[4,3,2]{nc}, [4,6])@static\n"
#define RESHAPES_VIEW                                                                              \
    "(f32[2,6], [3,4])@static\n"                                                                   \
    "(f32[2,6]{nan}, [-1])\n"                                                                      \
    "(f32[0,3], [3,0])@static\n"                                                                   \
    "(f32[1], [])@static\n"                                                                        \
    "(f32[], [1,1])\n"                                                                             \
    "(i64[4,3], [2,-1,3])@static\n"                                                                \
    "(bool[2,3], [6])@static\n"                                                                    \
    "(bf16[2,3], [3,2])@static\n"                                                                  \
    "(f32[B=4,6], [B,2,3])\n"                                                                      \
    "(f32[B=4,6], [B*6])\n"                                                                        \
    "(f32[B=4,6], [-1,3])\n"                                                                       \
    "(f32[B=4,S=3,8], [B,S,2,4])\n"                                                                \
    "(f32[256], [2,2,2,2,2,2,2,2])@static\n"                                                       \
    "(f64[6], [2,3])@static\n"                                                                     \
    "(f16[6], [2,3])@static\n"                                                                     \
    "(u8[6], [2,3])@static\n"

static const tn_op_entry entries[] = {
    {"aten::alias(Tensor(a) self) -> Tensor(a)", convert_same, SAME, TN_PRIM_NONE},
    {"aten::detach(Tensor(a) self) -> Tensor(a)", convert_same, SAME, TN_PRIM_NONE},
    {"aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", convert_same,
     SAME "(f32[2,3,4,5], memory_format=torch.contiguous_format)\n", TN_PRIM_NONE},
    {"aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)", convert_same,
     SAME, TN_PRIM_NONE},
    {"aten::lift_fresh(Tensor(a) self) -> Tensor(a)", convert_same, SAME, TN_PRIM_NONE},
    {"aten::lift_fresh_copy(Tensor self) -> Tensor", convert_same, SAME, TN_PRIM_NONE},
    {"aten::dropout(Tensor input, float p, bool train) -> Tensor", convert_dropout,
     "(f32[2,3], 0.5, False)\n"
     "(f32[2,3]{nc,nan}, 0.0, True)\n"
     "(f32[0], 0.1, False)\n"
     "(bf16[1,2,1,2,1,2,1,2], 0.1, False)\n"
     "(f64[], 0.1, False)\n"
     "(f16[2], 0.1, False)\n",
     TN_PRIM_NONE},
    {"aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
     convert_native_dropout,
     "(f32[2,3], 0.5, False)\n"
     "(f32[3]{nc,nan}, 0.1, False)\n"
     "(bf16[1,2,1,2,1,2,1,2], 0.1, False)\n",
     TN_PRIM_NONE},
    {"aten::feature_dropout(Tensor input, float p, bool train) -> Tensor", convert_dropout,
     "(f32[2,3,4], 0.5, False)\n"
     "(bf16[2,3,0]{nc}, 0.0, True)\n"
     "(f32[1,2,1,2,1,2,1,2]{nan}, 0.1, False)\n",
     TN_PRIM_NONE},
    {"aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", convert_view, RESHAPES_VIEW,
     TN_PRIM_NONE},
    {"aten::_unsafe_view(Tensor self, SymInt[] size) -> Tensor", convert_view, RESHAPES_VIEW,
     TN_PRIM_NONE},
    {"aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", convert_reshape, RESHAPES,
     TN_PRIM_NONE},
    {"aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)", convert_view_as,
     "(f32[2,6], f32[3,4])@static\n"
     "(f32[0,3]{nan}, i64[3,0])@static\n"
     "(i64[6], f32[2,3])@static\n"
     "(f32[], f32[1,1])\n"
     "(bf16[1,2,1,2,1,2,1,2], f32[16])@static\n",
     TN_PRIM_NONE},
    {"aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)", convert_view_as,
     "(f32[2,6]{nc}, f32[3,4])@static\n"
     "(f32[0,3]{nan}, i64[3,0])@static\n"
     "(i64[6], f32[2,3])@static\n"
     "(f32[], f32[1,1])\n"
     "(bf16[1,2,1,2,1,2,1,2], f32[16])@static\n",
     TN_PRIM_NONE},
    {"aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
     convert_flatten,
     "(f32[2,3,4])\n"
     "(f32[2,3,4]{nc,nan}, 1)\n"
     "(f32[2,3,4], 0, -2)\n"
     "(f32[])\n"
     "(f32[0,3])\n"
     "(i64[2,3,4], 1, 1)\n"
     "(bool[2,3])\n"
     "(bf16[2,3])\n"
     "(f32[1,2,1,2,1,2,1,2], 2, 6)\n"
     "(f64[2,3])\n"
     "(f16[2,3])\n",
     TN_PRIM_NONE},
    {"aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", convert_unflatten,
     "(f32[2,12], 1, [3,4])@static\n"
     "(f32[B=2,12]{nc,nan}, -1, [3,-1])\n"
     "(f32[0,12], 0, [0,2])@static\n"
     "(i64[6], 0, [-1,3])@static\n"
     "(bool[4], 0, [4])@static\n"
     "(bf16[4], 0, [2,2])@static\n"
     "(f32[1,2,1,2,1,2,4], 6, [2,2])@static\n",
     TN_PRIM_NONE},
    {"aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", convert_unsqueeze,
     "(f32[2,3], 0)\n"
     "(f32[2,3]{nc,nan}, -1)\n"
     "(f32[0], 1)\n"
     "(f32[], 0)\n"
     "(i64[2], -2)\n"
     "(bool[2], 0)\n"
     "(bf16[2], 1)\n"
     "(f32[2,1,2,1,2,1,2], 3)\n"
     "(f64[2], 0)\n"
     "(f16[2], 0)\n"
     "(u8[2], 0)\n",
     TN_PRIM_NONE},
    {"aten::squeeze(Tensor(a) self) -> Tensor(a)", convert_squeeze,
     "(f32[1,3,1])\n"
     "(f32[2,1]{nc,nan})\n"
     "(f32[0,1])\n"
     "(f32[])\n"
     "(i64[1])\n"
     "(bool[1,2])\n"
     "(bf16[1,2])\n"
     "(f32[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", convert_squeeze_dim,
     "(f32[1,3,1], 0)\n"
     "(f32[2,1]{nc,nan}, -1)\n"
     "(f32[0,1], 0)\n"
     "(f32[], 0)\n"
     "(i64[1], 0)\n"
     "(bool[1,2], 1)\n"
     "(bf16[1,2], 0)\n"
     "(f32[1,2,1,2,1,2,1,2], 4)\n",
     TN_PRIM_NONE},
    {"aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", convert_squeeze_dims,
     "(f32[1,3,1], [0,2])\n"
     "(f32[2,1]{nc,nan}, [-1,0])\n"
     "(f32[0,1], [0])\n"
     "(f32[], [])\n"
     "(i64[1], [0])\n"
     "(f32[1,2,1], [])\n"
     "(bf16[1,2], [0])\n"
     "(f32[1,2,1,2,1,2,1,2], [4,6])\n",
     TN_PRIM_NONE},
    {"aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? "
     "storage_offset=None) -> Tensor(a)",
     convert_as_strided,
     "(f32[2,3], [2,3], [3,1])@static\n"
     "(f32[5,1,1]{nan}, [5,1,1], [1,7,9])@static\n"
     "(f32[0], [0], [1])@static\n"
     "(f32[], [], [])@static\n"
     "(bf16[1,2,1,2,1,2,1,2], [1,2,1,2,1,2,1,2], [16,8,8,4,4,2,2,1])@static\n"
     "(i64[B=3,4], [B,4], [4,1], 0)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_view = {"view", entries, sizeof entries / sizeof *entries};
