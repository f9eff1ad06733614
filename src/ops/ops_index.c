/* ops_index.c: elements addressed by data: embedding, gather, and NumPy's advanced indexing. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

static tn_status check_index(const tn_cv *cv, const char *name, const tn_value *index) {
    if (index->type.dtype != TN_I64 && index->type.dtype != TN_I32)
        return tn_cv_refuse(cv, "%s is %s, accepted are i64 and i32", name,
                            tn_dtype_name(index->type.dtype));
    return NULL;
}

/* ---- along one dim
 * ----------------------------------------------------------------------------------------- */

static tn_status convert_embedding(tn_cv *cv) {
    tn_value *weight = tn_cv_tensor(cv, "weight"), *indices = tn_cv_tensor(cv, "indices");
    TN_TRY(check_index(cv, "indices", indices));
    if (weight->type.rank != 2)
        return tn_cv_refuse(cv, "weight has rank %u, accepted is 2", weight->type.rank);
    return set_result(cv, tn_kb_take(cv->kb, weight, indices, 0));
}

static tn_status convert_index_select(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    TN_TRY(check_index(cv, "index", index));
    if (index->type.rank > 1 || x->type.rank == 0)
        return tn_cv_refuse(cv,
                            "self and index have rank %u and %u, accepted are from 1, and up to 1",
                            x->type.rank, index->type.rank);
    if (index->type.rank == 0)
        index = tn_kb_unsqueeze(kb, index, 0);
    return set_result(cv, tn_kb_take(kb, x, index, dim));
}

/* gather and scatter take rank-0 tensors like vectors of one. */
static tn_value *at_least_vector(tn_cv *cv, tn_value *x) {
    return tn_value_rank(x) == 0 ? tn_kb_unsqueeze(cv->kb, x, 0) : x;
}

static tn_value *with_rank_of(tn_cv *cv, tn_value *y, const tn_value *x) {
    return x->type.rank == 0 ? tn_kb_squeeze(cv->kb, y, 0) : y;
}

static tn_status convert_gather(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    TN_TRY(check_index(cv, "index", index));
    if (index->type.rank != x->type.rank)
        return tn_cv_refuse(cv, "self and index have rank %u and %u, accepted are equal ones",
                            x->type.rank, index->type.rank);
    tn_value *y = tn_kb_gather(cv->kb, at_least_vector(cv, x), at_least_vector(cv, index), dim);
    return set_result(cv, with_rank_of(cv, y, index));
}

/* torch.take_along_dim: gather after broadcasting all dims but the addressed one. */
static tn_status convert_take_along_dim(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "indices");
    TN_TRY(check_index(cv, "indices", index));
    if (tn_cv_is_none(cv, "dim")) {
        x = tn_cv_flatten(cv, x, 0, x->type.rank ? x->type.rank - 1 : 0);
        index = tn_cv_flatten(cv, index, 0, index->type.rank ? index->type.rank - 1 : 0);
        return set_result(cv, tn_kb_gather(kb, x, index, 0));
    }
    uint32_t rank = x->type.rank, dim = tn_cv_dim(cv, "dim", rank);
    const tn_sym *x_dims[TN_MAX_RANK], *index_dims[TN_MAX_RANK];
    if (index->type.rank != rank || rank == 0)
        return tn_cv_refuse(cv,
                            "self and indices have rank %u and %u, accepted are equal ones from 1",
                            rank, index->type.rank);
    for (uint32_t d = 0; d < rank; d++) {
        const tn_sym *a = x->type.dims[d], *b = index->type.dims[d];
        x_dims[d] = d != dim && tn_sym_is(a, 1) ? b : a;
        index_dims[d] = d != dim && tn_sym_is(b, 1) ? a : b;
    }
    return set_result(cv, tn_kb_gather(kb, tn_kb_expand(kb, x, x_dims, rank),
                                       tn_kb_expand(kb, index, index_dims, rank), dim));
}

/* ---- advanced indexing
 * ------------------------------------------------------------------------------------------ */

/* x[..., index tensors, ...] brought into one form: the indexed dims of x first and flattened to
 * one, and one index into it. */
typedef struct tn_advanced {
    uint32_t count;              /* index tensors */
    uint32_t dims[TN_MAX_RANK];  /* dims that they index, ascending */
    uint32_t order[TN_MAX_RANK]; /* of x: indexed dims, then the others */
    uint32_t place;              /* where the index's dims stand in the result */
    tn_value *x;                 /* [product of indexed dims, others...] */
    tn_value *index;             /* i64, broadcast of all index tensors */
} tn_advanced;

static tn_status read_indices(tn_cv *cv, const tn_value *x, tn_value *const *indices,
                              uint32_t count, tn_advanced *advanced) {
    for (uint32_t i = 0; i < count; i++) {
        if (!indices[i])
            continue;
        if (indices[i]->type.dtype == TN_BOOL || indices[i]->type.dtype == TN_U8)
            return tn_cv_refuse(
                cv,
                "indices[%u] is a mask, so that the result's shape depends on data, "
                "accepted are i64 and i32",
                i);
        TN_TRY(check_index(cv, "an index", indices[i]));
        if (i >= x->type.rank)
            return tn_cv_refuse(cv, "indices[%u] for rank %u, accepted is one per dim", i,
                                x->type.rank);
        advanced->dims[advanced->count++] = i;
    }
    if (advanced->count == 0)
        return tn_cv_refuse(cv, "there is no index, accepted is at least one");
    return NULL;
}

/* The order of dims, and the place of the index's dims: NumPy puts them where the indexed dims
 * stand if those stand side by side, else first. */
static void place_dims(const tn_value *x, tn_advanced *advanced) {
    uint32_t next = 0, mask = 0;
    for (uint32_t i = 0; i < advanced->count; i++) {
        advanced->order[next++] = advanced->dims[i];
        mask |= 1u << advanced->dims[i];
    }
    for (uint32_t d = 0; d < x->type.rank; d++)
        if (!(mask >> d & 1))
            advanced->order[next++] = d;
    uint32_t last = advanced->dims[advanced->count - 1];
    bool is_adjacent = last - advanced->dims[0] + 1 == advanced->count;
    advanced->place = is_adjacent ? advanced->dims[0] : 0;
}

static tn_status read_advanced(tn_cv *cv, tn_advanced *advanced) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self"), *const * indices;
    uint32_t count = tn_cv_tensors(cv, "indices", &indices);
    TN_TRY(read_indices(cv, x, indices, count, advanced));
    place_dims(x, advanced);
    advanced->index = NULL;
    for (uint32_t i = 0; i < advanced->count; i++) {
        tn_value *index = indices[advanced->dims[i]];
        if (advanced->count == 1) {
            advanced->index = index;
            break;
        }
        index = tn_kb_cast(kb, index, TN_I64);
        tn_value *size = tn_kb_sym(kb, x->type.dims[advanced->dims[i]]);
        tn_value *is_negative = tn_kb_map2(kb, TN_PRIM_LT, index, tn_kb_int(kb, TN_I64, 0));
        index = tn_kb_select(kb, is_negative, tn_kb_map2(kb, TN_PRIM_ADD, index, size), index);
        if (advanced->index)
            index = tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map2(kb, TN_PRIM_MUL, advanced->index, size),
                               index);
        advanced->index = index;
    }
    x = tn_kb_permute(kb, x, advanced->order);
    advanced->x = advanced->count == 1 ? x : tn_cv_flatten(cv, x, 0, advanced->count - 1);
    return NULL;
}

static tn_status convert_index(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_advanced advanced = {0};
    TN_TRY(read_advanced(cv, &advanced));
    if (!advanced.x || !advanced.index)
        return NULL;
    uint32_t index_rank = tn_value_rank(advanced.index), x_rank = tn_value_rank(advanced.x);
    if (x_rank - 1 + index_rank > TN_MAX_RANK)
        return tn_cv_refuse(cv, "the result has rank %u, accepted are up to %d",
                            x_rank - 1 + index_rank, TN_MAX_RANK);
    if (advanced.count == 1) /* nothing to bring in order: the primitive takes along any dim */
        return set_result(
            cv, tn_kb_take(kb, tn_cv_tensor(cv, "self"), advanced.index, advanced.dims[0]));
    tn_value *y = tn_kb_take(kb, advanced.x, advanced.index, 0);
    uint32_t order[TN_MAX_RANK], next = 0;
    for (uint32_t d = 0; d < advanced.place; d++)
        order[next++] = index_rank + d;
    for (uint32_t d = 0; d < index_rank; d++)
        order[next++] = d;
    for (uint32_t d = index_rank + advanced.place; d < tn_value_rank(y); d++)
        order[next++] = d;
    return set_result(cv, tn_kb_permute(kb, y, order));
}

/* self with value where a mask over its leading dims is true. */
static tn_status put_masked(tn_cv *cv, tn_value *mask, tn_value *value) {
    tn_value *x = tn_cv_tensor(cv, "self");
    for (uint32_t d = 0; d < value->type.rank; d++)
        if (!tn_sym_is(value->type.dims[d], 1))
            return tn_cv_refuse(cv, "values has several elements for a mask, accepted is one");
    if (tn_cv_bool(cv, "accumulate") || mask->type.rank > x->type.rank)
        return tn_cv_refuse(
            cv,
            "a mask with accumulate or of rank %u, accepted are neither nor more than "
            "%u",
            mask->type.rank, x->type.rank);
    while (tn_value_rank(mask) < x->type.rank && mask)
        mask = tn_kb_unsqueeze(cv->kb, mask, tn_value_rank(mask));
    value = tn_kb_reshape(cv->kb, tn_kb_cast(cv->kb, value, x->type.dtype), NULL, 0);
    return set_result(cv, tn_kb_select(cv->kb, mask, value, x));
}

/* The dims of the values as the flattened form wants them: the index's first, then the others. */
static tn_value *put_values(tn_cv *cv, const tn_advanced *advanced, tn_value *values) {
    tn_kb *kb = cv->kb;
    uint32_t index_rank = tn_value_rank(advanced->index), x_rank = tn_value_rank(advanced->x);
    uint32_t rank = index_rank + x_rank - 1, order[TN_MAX_RANK], next = 0;
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        if (d < advanced->place)
            dims[d] = tn_value_size(advanced->x, 1 + d);
        else if (d < advanced->place + index_rank)
            dims[d] = tn_value_size(advanced->index, d - advanced->place);
        else
            dims[d] = tn_value_size(advanced->x, 1 + d - index_rank);
    }
    values = tn_kb_expand(kb, values, dims, rank);
    for (uint32_t d = 0; d < index_rank; d++)
        order[next++] = advanced->place + d;
    for (uint32_t d = 0; d < rank; d++)
        if (d < advanced->place || d >= advanced->place + index_rank)
            order[next++] = d;
    values = tn_kb_permute(kb, values, order);
    return index_rank == 0 ? tn_kb_unsqueeze(kb, values, 0)
                           : tn_cv_flatten(cv, values, 0, index_rank - 1);
}

static tn_status convert_index_put(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self"), *const * indices;
    tn_value *values = tn_kb_cast(kb, tn_cv_tensor(cv, "values"), self->type.dtype);
    uint32_t count = tn_cv_tensors(cv, "indices", &indices);
    if (!values)
        return NULL;
    if (count == 1 && indices[0] && indices[0]->type.dtype == TN_BOOL)
        return put_masked(cv, indices[0], values);
    tn_advanced advanced = {0};
    TN_TRY(read_advanced(cv, &advanced));
    if (!advanced.x || !advanced.index)
        return NULL;
    if (tn_value_rank(advanced.index) + tn_value_rank(advanced.x) > TN_MAX_RANK + 1)
        return tn_cv_refuse(
            cv, "self and indices have rank %u and %u together, accepted are up to %d",
            tn_value_rank(advanced.x), tn_value_rank(advanced.index), TN_MAX_RANK + 1);
    values = put_values(cv, &advanced, values);
    uint32_t index_rank = tn_value_rank(advanced.index);
    tn_value *index = index_rank == 0 ? tn_kb_unsqueeze(kb, advanced.index, 0)
                                      : tn_cv_flatten(cv, advanced.index, 0, index_rank - 1);
    index = tn_cv_spread_index(cv, index, 0, values);
    tn_value *y = tn_cv_scatter(cv, advanced.x, index, values, 0,
                                tn_cv_bool(cv, "accumulate") ? "add" : "none");
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t back[TN_MAX_RANK];
    for (uint32_t d = 0; d < self->type.rank; d++) {
        dims[d] = self->type.dims[advanced.order[d]];
        back[advanced.order[d]] = d;
    }
    return set_result(cv, tn_kb_permute(kb, tn_kb_reshape(kb, y, dims, self->type.rank), back));
}

/* ---- the family
 * --------------------------------------------------------------------------------------------------
 */

static const tn_op_entry entries[] = {
    {"aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool "
     "scale_grad_by_freq=False, bool sparse=False) -> Tensor",
     convert_embedding,
     "(f32[9,4], i64[2,3]{lo=0,hi=8})\n"
     "(f32[9,4]{nc,nan}, i32[5]{lo=0,hi=8}, 0)\n"
     "(f32[9,4], i64[0])\n"
     "(f32[1,1], i64[]{lo=0,hi=0})\n"
     "(bf16[9,4], i64[B=2,S=3]{lo=0,hi=8})\n"
     "(f16[9,4], i64[1,2,1,2,1,2,1]{lo=0,hi=8})\n"
     "(f64[9,4], i64[3]{lo=0,hi=8})\n"
     "(i64[9,2], i64[3]{lo=0,hi=8})\n",
     TN_PRIM_NONE},
    {"aten::index_select(Tensor self, int dim, Tensor index) -> Tensor", convert_index_select,
     "(f32[5,3], 0, i64[4]{lo=0,hi=4})\n"
     "(f32[5,3]{nc,nan}, -1, i32[2]{lo=0,hi=2})\n"
     "(f32[5], 0, i64[]{lo=0,hi=4})\n"
     "(i64[5], 0, i64[0])\n"
     "(bf16[1,2,1,2,1,2,1,2], 5, i64[3]{lo=0,hi=1})\n"
     "(bool[5], 0, i64[3]{lo=0,hi=4})\n"
     "(f16[2,3], 1, i64[3]{lo=0,hi=2})\n",
     TN_PRIM_NONE},
    {"aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
     convert_gather,
     "(f32[5,3], 0, i64[2,3]{lo=0,hi=4})\n"
     "(f32[5,3]{nc,nan}, -1, i64[4,5]{lo=0,hi=2})\n"
     "(f32[5], 0, i64[0])\n"
     "(f32[], 0, i64[]{lo=0,hi=0})\n"
     "(i64[3,2], 1, i64[3,1]{lo=0,hi=1})\n"
     "(bool[5], 0, i64[3]{lo=0,hi=4})\n"
     "(bf16[1,2,1,2,1,2,1,2], 5, i64[1,2,1,2,1,3,1,2]{lo=0,hi=1})\n"
     "(f16[4], 0, i64[2]{lo=0,hi=3})\n",
     TN_PRIM_NONE},
    {"aten::take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor",
     convert_take_along_dim,
     "(f32[5,3], i64[2,3]{lo=0,hi=4}, 0)\n"
     "(f32[5,3]{nc,nan}, i64[1,2]{lo=0,hi=2}, 1)\n"
     "(f32[2,3], i64[4]{lo=0,hi=5})\n"
     "(f32[5,1], i64[1,3]{lo=0,hi=4}, 0)\n"
     "(i64[4], i64[0], 0)\n"
     "(bf16[4], i64[2]{lo=0,hi=3}, 0)\n",
     TN_PRIM_NONE},
    {"aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", convert_index,
     "(f32[5,3], [i64[4]{lo=-5,hi=4}])\n"
     "(f32[5,3]{nc,nan}, [None, i64[2,2]{lo=0,hi=2}])\n"
     "(f32[5,3], [i64[4]{lo=-5,hi=4}, i64[4]{lo=-3,hi=2}])\n"
     "(f32[5,3], [i64[4,1]{lo=0,hi=4}, i64[2]{lo=0,hi=2}])\n"
     "(f32[2,5,3], [None, i64[4]{lo=0,hi=4}, i64[4]{lo=0,hi=2}])\n"
     "(f32[2,5,3,4], [i64[4]{lo=0,hi=1}, None, i64[4]{lo=0,hi=2}])\n"
     "(f32[2,5,3,4], [None, i64[2,1]{lo=0,hi=4}, i64[3]{lo=0,hi=2}])\n"
     "(f32[5,3], [i64[0]])\n"
     "(f32[5], [i64[]{lo=0,hi=4}])\n"
     "(bool[5,3], [i64[2,1,1,1]{lo=0,hi=4}, i64[1,1,1,3]{lo=0,hi=2}])\n"
     "(i64[5], [i32[3]{lo=0,hi=4}])\n"
     "(bf16[5,2], [i64[3]{lo=0,hi=4}])\n"
     "(f32[1,2,1,2,1,2,1,2], [None, None, None, i64[3]{lo=0,hi=1}, None, i64[1]{lo=0,hi=1}])\n"
     "(f16[5,2], [i64[3]{lo=0,hi=4}])\n",
     TN_PRIM_NONE},
    {"aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> "
     "Tensor",
     convert_index_put,
     "(f32[5,3], [i64[2]{perm=5}], f32[2,3])\n"
     "(f32[5,3]{nc,nan}, [None, i64[2]{perm=3}], f32[5,2])\n"
     "(f32[5,3], [i64[3]{perm=5}, i64[3]{perm=3}], f32[3])\n"
     "(f32[5,3], [i64[2,1]{perm=5}, i64[3]{perm=3}], f32[])\n"
     "(f32[2,5,3], [None, i64[4]{perm=5}], f32[4,3])\n"
     "(f32[5], [i64[9]{lo=-5,hi=4}], f32[9], True)@rtol=1e-5 atol=1e-6\n"
     "(f32[2,3], [bool[2,3]], f32[])\n"
     "(f32[2,3], [bool[2]], f32[1])\n"
     "(i64[5], [i64[0]], i64[0])\n"
     "(bf16[1,2,8,4], [None, None, i64[2]{perm=8}], bf16[1,2,2,4])\n"
     "(f32[4,5,3], [i64[2]{perm=4}, None, i64[2]{perm=3}], f32[2,5])\n"
     "(f32[5,3], [i64[]{lo=0,hi=4}], f32[3])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_index = {"index", entries, sizeof entries / sizeof *entries};
