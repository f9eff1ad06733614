/* ops_permute.c: dims in another order, and repeated. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* ---- order of dims
 * ----------------------------------------------------------------------------------------- */

static tn_status convert_permute(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t dims[TN_MAX_RANK];
    uint32_t order[TN_MAX_RANK], count = tn_cv_ints(cv, "dims", dims, TN_MAX_RANK), seen = 0;
    if (count != x->type.rank)
        return tn_cv_refuse(cv, "dims has %u elements, accepted is the rank %u", count,
                            x->type.rank);
    for (uint32_t i = 0; i < count; i++) {
        int64_t dim = dims[i] < 0 ? dims[i] + count : dims[i];
        if (dim < 0 || dim >= count || (seen >> dim & 1))
            return tn_cv_refuse(cv, "dims[%u] is %lld, accepted is each dim once", i,
                                (long long)dims[i]);
        seen |= 1u << dim;
        order[i] = (uint32_t)dim;
    }
    return set_result(cv, tn_kb_permute(cv->kb, x, order));
}

static tn_status swap_dims(tn_cv *cv, const char *first, const char *second) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t a = tn_cv_dim(cv, first, x->type.rank), b = tn_cv_dim(cv, second, x->type.rank);
    return set_result(cv, a == b ? x : tn_kb_transpose(cv->kb, x, a, b));
}

static tn_status convert_transpose(tn_cv *cv) {
    return swap_dims(cv, "dim0", "dim1");
}

static tn_status convert_swapaxes(tn_cv *cv) {
    return swap_dims(cv, "axis0", "axis1");
}

static tn_status convert_t(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (x->type.rank > 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted are up to 2", x->type.rank);
    return set_result(cv, x->type.rank == 2 ? tn_kb_transpose(cv->kb, x, 0, 1) : x);
}

static tn_status convert_numpy_t(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t order[TN_MAX_RANK];
    for (uint32_t d = 0; d < x->type.rank; d++)
        order[d] = x->type.rank - 1 - d;
    return set_result(cv, tn_kb_permute(cv->kb, x, order));
}

static tn_status convert_mt(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (x->type.rank < 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted are 2 and more", x->type.rank);
    return set_result(cv, tn_kb_transpose(cv->kb, x, x->type.rank - 2, x->type.rank - 1));
}

static tn_status convert_movedim(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t from[TN_MAX_RANK], to[TN_MAX_RANK], rank = x->type.rank;
    uint32_t count = tn_cv_ints(cv, "source", from, TN_MAX_RANK);
    uint32_t order[TN_MAX_RANK], moved = 0, placed = 0, next = 0;
    if (tn_cv_ints(cv, "destination", to, TN_MAX_RANK) != count)
        return tn_cv_refuse(cv, "source and destination differ in length, accepted is the same");
    for (uint32_t i = 0; i < count; i++) {
        int64_t source = from[i] < 0 ? from[i] + rank : from[i];
        int64_t target = to[i] < 0 ? to[i] + rank : to[i];
        if (source < 0 || source >= rank || target < 0 || target >= rank || (moved >> source & 1) ||
            (placed >> target & 1))
            return tn_cv_refuse(cv,
                                "source %lld to destination %lld, accepted is each dim of rank "
                                "%lld once",
                                (long long)from[i], (long long)to[i], (long long)rank);
        order[target] = (uint32_t)source;
        moved |= 1u << source;
        placed |= 1u << target;
    }
    for (uint32_t d = 0; d < x->type.rank; d++) {
        if (placed >> d & 1)
            continue;
        while (moved >> next & 1)
            next++;
        order[d] = next++;
    }
    return set_result(cv, tn_kb_permute(cv->kb, x, order));
}

/* ---- repetition
 * ---------------------------------------------------------------------------------------------- */

static tn_value *expand_to(tn_cv *cv, tn_value *x, const tn_sym **sizes, uint32_t rank) {
    uint32_t lead = rank - x->type.rank;
    for (uint32_t d = lead; d < rank; d++)
        if (tn_sym_is(sizes[d], -1))
            sizes[d] = x->type.dims[d - lead];
    return tn_kb_expand(cv->kb, x, sizes, rank);
}

static tn_status convert_expand(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *sizes[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", sizes, TN_MAX_RANK);
    if (rank < x->type.rank)
        return tn_cv_refuse(cv, "size has %u elements, accepted are %u and more", rank,
                            x->type.rank);
    return set_result(cv, expand_to(cv, x, sizes, rank));
}

static tn_status convert_expand_as(tn_cv *cv) {
    return set_result(cv, tn_cv_expand_as(cv, tn_cv_tensor(cv, "self"), tn_cv_tensor(cv, "other")));
}

static tn_status repeat(tn_cv *cv, const char *name) {
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *times[TN_MAX_RANK], *dims[TN_MAX_RANK];
    uint32_t count = tn_cv_syms(cv, name, times, TN_MAX_RANK);
    uint32_t rank = count > x->type.rank ? count : x->type.rank;
    for (uint32_t d = 0; d < rank; d++)
        dims[d] =
            d < rank - x->type.rank ? tn_cv_size(cv, 1) : x->type.dims[d - (rank - x->type.rank)];
    x = tn_kb_reshape(cv->kb, x, dims, rank);
    for (uint32_t i = 0; i < count; i++)
        x = tn_cv_repeat(cv, x, rank - count + i, times[i], false);
    return set_result(cv, x);
}

static tn_status convert_repeat(tn_cv *cv) {
    return repeat(cv, "repeats");
}

static tn_status convert_tile(tn_cv *cv) {
    return repeat(cv, "dims");
}

static tn_status convert_repeat_interleave(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = 0;
    if (tn_cv_is_none(cv, "dim"))
        x = tn_cv_flatten(cv, x, 0, x->type.rank ? x->type.rank - 1 : 0);
    else
        dim = tn_cv_dim(cv, "dim", x->type.rank);
    return set_result(cv, tn_cv_repeat(cv, x, dim, tn_cv_sym(cv, "repeats"), true));
}

/* ---- the family
 * -----------------------------------------------------------------------------------
 */

#define TWO_DIMS                                                                                   \
    "(f32[2,3], 0, 1)\n"                                                                           \
    "(f32[2,3,4]{nc,nan}, -1, 0)\n"                                                                \
    "(f32[0,3], 1, 0)\n"                                                                           \
    "(f32[2], 0, 0)\n"                                                                             \
    "(f32[], 0, -1)\n"                                                                             \
    "(i64[2,3,4], 1, 2)\n"                                                                         \
    "(bool[2,3], 0, 1)\n"                                                                          \
    "(bf16[2,3], 0, 1)\n"                                                                          \
    "(f32[1,2,3,1,2,1,2,1], 2, 5)\n"                                                               \
    "(f64[2,3], 0, 1)\n"                                                                           \
    "(f16[2,3], 0, 1)\n"                                                                           \
    "(u8[2,3], 0, 1)\n"
#define REPEATS                                                                                    \
    "(f32[2,3], [2,1])\n"                                                                          \
    "(f32[2,3]{nc,nan}, [2,1,3])\n"                                                                \
    "(f32[0,3], [2,2])\n"                                                                          \
    "(f32[], [3])\n"                                                                               \
    "(f32[3], [0])\n"                                                                              \
    "(i64[2], [2,2])\n"                                                                            \
    "(bool[2], [3])\n"                                                                             \
    "(bf16[2,1], [1,4])\n"                                                                         \
    "(f32[1,2,1,2,1,2,1,2], [1,2,3,1,1,2,1,1])\n"                                                  \
    "(f32[B=3,2], [B,1])\n"                                                                        \
    "(f64[2], [2])\n"                                                                              \
    "(f16[2], [2])\n"

static const tn_op_entry entries[] = {
    {"aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)", convert_permute,
     "(f32[2,3,4], [2,0,1])\n"
     "(f32[2,3,4]{nc,nan}, [0,-1,1])\n"
     "(f32[0,3], [1,0])\n"
     "(f32[], [])\n"
     "(i64[2,3], [1,0])\n"
     "(bool[2,3], [1,0])\n"
     "(bf16[2,3,4], [1,2,0])\n"
     "(f32[1,2,3,1,2,1,2,1], [7,2,4,1,3,5,6,0])\n"
     "(f64[3], [0])\n"
     "(f16[2,3], [1,0])\n"
     "(u8[2,3], [1,0])\n",
     TN_PRIM_NONE},
    {"aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", convert_transpose,
     TWO_DIMS, TN_PRIM_NONE},
    {"aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", convert_transpose, TWO_DIMS,
     TN_PRIM_NONE},
    {"aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", convert_swapaxes,
     TWO_DIMS, TN_PRIM_NONE},
    {"aten::t(Tensor(a) self) -> Tensor(a)", convert_t,
     "(f32[2,3])\n"
     "(f32[2,3]{nc,nan})\n"
     "(f32[3])\n"
     "(f32[])\n"
     "(i64[0,3])\n"
     "(bf16[1,2])\n",
     TN_PRIM_NONE},
    {"aten::numpy_T(Tensor(a) self) -> Tensor(a)", convert_numpy_t,
     "(f32[2,3])\n"
     "(f32[2,3]{nc,nan})\n"
     "(i64[0,3])\n"
     "(bf16[1,2])\n",
     TN_PRIM_NONE},
    {"aten::mT(Tensor(a) self) -> Tensor(a)", convert_mt,
     "(f32[2,3])\n"
     "(f32[4,2,3]{nc,nan})\n"
     "(i64[0,3])\n"
     "(bf16[1,2])\n"
     "(f32[1,2,1,2,1,2,3,2])\n",
     TN_PRIM_NONE},
    {"aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)", convert_movedim,
     "(f32[2,3,4], 0, 2)\n"
     "(f32[2,3,4]{nc,nan}, -1, 0)\n"
     "(f32[0,3], 1, 0)\n"
     "(i64[2], 0, 0)\n"
     "(f32[1,2,3,1,2,1,2,1], 2, 5)\n",
     TN_PRIM_NONE},
    {"aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
     convert_movedim,
     "(f32[2,3,4], [0,1], [2,0])\n"
     "(f32[2,3,4]{nc,nan}, [-1], [0])\n"
     "(f32[0,3], [1,0], [0,1])\n"
     "(i64[2], [], [])\n"
     "(f32[1,2,3,1,2,1,2,1], [2,4,7], [5,0,1])\n",
     TN_PRIM_NONE},
    {"aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)",
     convert_expand,
     "(f32[2,1], [2,3])@static\n"
     "(f32[3]{nan}, [2,3])@static\n"
     "(f32[2,1]{nc}, [4,-1,5])\n"
     "(f32[1], [0])\n"
     "(f32[], [2,2])\n"
     "(i64[1,2], [3,-1])\n"
     "(bool[1], [3])\n"
     "(bf16[1], [2,2])\n"
     "(f32[1,3], [B=4,-1])\n"
     "(f32[B=2,1,3], [B,4,3])\n"
     "(f32[1,2,1,2], [2,1,2,1,3,-1,2,-1])@static\n"
     "(f32[B=3,2], [-1,-1])\n"
     "(f64[1], [2])\n"
     "(f16[1], [2])\n",
     TN_PRIM_NONE},
    {"aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", convert_expand,
     "(f32[2,1], [2,3])@static\n"
     "(f32[3]{nan,nc}, [2,3])@static\n"
     "(f32[1], [0])\n"
     "(i64[1,2], [3,-1])\n"
     "(f32[1,2,1,2], [2,1,2,1,3,-1,2,-1])@static\n",
     TN_PRIM_NONE},
    {"aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)", convert_expand_as,
     "(f32[2,1], f32[2,3])\n"
     "(f32[3]{nan,nc}, i64[2,3])\n"
     "(f32[1], f32[0])\n"
     "(bf16[], f32[1,2,1,2,1,2,1,2])\n",
     TN_PRIM_NONE},
    {"aten::repeat(Tensor self, SymInt[] repeats) -> Tensor", convert_repeat, REPEATS,
     TN_PRIM_NONE},
    {"aten::tile(Tensor self, SymInt[] dims) -> Tensor", convert_tile, REPEATS "(f32[2,3], [2])\n",
     TN_PRIM_NONE},
    {"aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? "
     "output_size=None) -> Tensor",
     convert_repeat_interleave,
     "(f32[2,3], 2)\n"
     "(f32[2,3]{nc,nan}, 3, 1)\n"
     "(f32[0,3], 2, 0)\n"
     "(i64[3], 1, 0)\n"
     "(bool[2], 2)\n"
     "(bf16[2,2], 2, -1)\n"
     "(f32[1,2,1,2,1,2,1,2], 2, 5)\n"
     "(f32[B=3,2], B, 1)\n"
     "(f32[3], 0, 0)\n"
     "(f32[], 3)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_permute = {"permute", entries, sizeof entries / sizeof *entries};
