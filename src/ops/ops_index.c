/* ops_index.c: elements addressed by data: embedding, gather, scatter, and NumPy's advanced
 * indexing. */
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

/* ---- scatter
 * -------------------------------------------------------------------------------------------------
 */

static tn_value *scatter(tn_cv *cv, tn_value *x, tn_value *index, tn_value *src, uint32_t dim,
                         const char *reduce) {
    tn_value *operands[3] = {x, index, src};
    tn_arg args[] = {tn_arg_value(0), tn_arg_value(1), tn_arg_value(2), tn_arg_int(cv->kb, dim),
                     tn_arg_str(reduce)};
    return tn_kb_node(cv->kb, TN_PRIM_SCATTER, operands, 3, args, 5);
}

/* src may be larger than index, and is cut to its sizes; a number is given to every index. */
static tn_value *scatter_source(tn_cv *cv, const char *name, tn_dtype dtype,
                                const tn_value *index) {
    if (tn_cv_arg(cv, name)->kind != TN_ARG_VALUE)
        return tn_cv_expand_as(cv, tn_cv_scalar(cv, name, dtype), index);
    tn_value *src = at_least_vector(cv, tn_kb_cast(cv->kb, tn_cv_tensor(cv, name), dtype));
    const tn_sym *zero = tn_cv_size(cv, 0);
    for (uint32_t d = 0; d < tn_value_rank(src); d++)
        src = tn_kb_slice(cv->kb, src, d, zero, tn_value_size(index, d), 1);
    return src;
}

static tn_status scatter_op(tn_cv *cv, const char *src_name, const char *reduce) {
    tn_value *self = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", self->type.rank);
    TN_TRY(check_index(cv, "index", index));
    if (index->type.rank != self->type.rank)
        return tn_cv_refuse(cv, "self and index have rank %u and %u, accepted are equal ones",
                            self->type.rank, index->type.rank);
    index = at_least_vector(cv, index);
    tn_value *src = scatter_source(cv, src_name, self->type.dtype, index);
    tn_value *y = scatter(cv, at_least_vector(cv, self), index, src, dim, reduce);
    return set_result(cv, with_rank_of(cv, y, self));
}

static tn_status convert_scatter_src(tn_cv *cv) {
    return scatter_op(cv, "src", "none");
}

static tn_status convert_scatter_value(tn_cv *cv) {
    return scatter_op(cv, "value", "none");
}

static tn_status convert_scatter_add(tn_cv *cv) {
    return scatter_op(cv, "src", "add");
}

static tn_status convert_scatter_reduce(tn_cv *cv) {
    tn_str reduce = tn_cv_str(cv, "reduce");
    const char *name = tn_str_is(reduce, "sum")    ? "add"
                       : tn_str_is(reduce, "prod") ? "mul"
                       : tn_str_is(reduce, "amax") ? "amax"
                       : tn_str_is(reduce, "amin") ? "amin"
                                                   : NULL;
    if (!name || !tn_cv_bool(cv, "include_self"))
        return tn_cv_refuse(cv,
                            "reduce is \"%.*s\" with%s self, accepted are sum, prod, amax and amin "
                            "with self",
                            TN_STR_ARG(reduce), tn_cv_bool(cv, "include_self") ? "" : "out");
    return scatter_op(cv, "src", name);
}

/* A vector of positions along dim becomes an index of the shape of `like`. */
static tn_value *spread_index(tn_cv *cv, tn_value *index, uint32_t dim, const tn_value *like) {
    const tn_sym *dims[TN_MAX_RANK];
    if (!like)
        return NULL;
    for (uint32_t d = 0; d < like->type.rank; d++)
        dims[d] = d == dim ? tn_value_size(at_least_vector(cv, index), 0) : tn_cv_size(cv, 1);
    tn_value *y = tn_kb_reshape(cv->kb, index, dims, like->type.rank);
    return tn_kb_expand(cv->kb, y, like->type.dims, like->type.rank);
}

/* index_add, index_copy: slices along dim go to the positions of a vector. */
static tn_status scatter_slices(tn_cv *cv, const char *reduce, bool has_alpha) {
    tn_value *self = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", self->type.rank);
    TN_TRY(check_index(cv, "index", index));
    if (self->type.rank == 0 || index->type.rank > 1 ||
        tn_value_rank(tn_cv_tensor(cv, "source")) != self->type.rank)
        return tn_cv_refuse(cv,
                            "self and index have rank %u and %u, accepted are from 1, and up to 1",
                            self->type.rank, index->type.rank);
    tn_value *source = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "source"), self->type.dtype);
    if (has_alpha && !(tn_cv_arg(cv, "alpha")->kind == TN_ARG_INT && tn_cv_int(cv, "alpha") == 1))
        source =
            tn_kb_map2(cv->kb, TN_PRIM_MUL, source, tn_cv_scalar(cv, "alpha", self->type.dtype));
    index = spread_index(cv, index, dim, source);
    return set_result(cv, scatter(cv, self, index, source, dim, reduce));
}

static tn_status convert_index_add(tn_cv *cv) {
    return scatter_slices(cv, "add", true);
}

static tn_status convert_index_copy(tn_cv *cv) {
    return scatter_slices(cv, "none", false);
}

/* index_fill: one number at the positions of a vector. */
static tn_status convert_index_fill(tn_cv *cv) {
    tn_value *self = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", self->type.rank);
    TN_TRY(check_index(cv, "index", index));
    if (self->type.rank == 0 || index->type.rank > 1)
        return tn_cv_refuse(cv,
                            "self and index have rank %u and %u, accepted are from 1, and up to 1",
                            self->type.rank, index->type.rank);
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < self->type.rank; d++)
        dims[d] = d == dim ? tn_value_size(at_least_vector(cv, index), 0) : self->type.dims[d];
    tn_value *source =
        tn_kb_expand(cv->kb, tn_cv_operand(cv, "value", self->type.dtype), dims, self->type.rank);
    return set_result(cv,
                      scatter(cv, self, spread_index(cv, index, dim, source), source, dim, "none"));
}

/* ---- slices
 * ---------------------------------------------------------------------------------------------------
 */

/* src in place of self[start:end:step] along dim. The slice itself tells where it begins and how
 * long it is, with all of Python's rules. */
static tn_status convert_slice_scatter(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *src = tn_kb_cast(kb, tn_cv_tensor(cv, "src"), self->type.dtype);
    uint32_t rank = self->type.rank, dim = tn_cv_dim(cv, "dim", rank);
    int64_t step = tn_cv_int(cv, "step"), steps[TN_MAX_RANK];
    const tn_sym *starts[TN_MAX_RANK], *start, *size;
    if (rank == 0 || step < 1)
        return tn_cv_refuse(cv, "rank %u and step %lld, accepted are rank and step from 1", rank,
                            (long long)step);
    tn_cv_slice_bounds(cv, tn_value_size(self, dim), tn_cv_sym(cv, "start"), tn_cv_sym(cv, "end"),
                       step, &start, &size);
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        starts[d] = d == dim ? start : tn_cv_size(cv, 0);
        dims[d] = d == dim ? size : self->type.dims[d];
        steps[d] = d == dim ? step : 1;
    }
    tn_value *operands[2] = {self, tn_kb_expand(kb, src, dims, rank)};
    tn_arg args[] = {tn_arg_value(0), tn_arg_value(1), tn_arg_syms(kb, starts, rank),
                     tn_arg_ints(kb, steps, rank)};
    return set_result(cv, tn_kb_node(kb, TN_PRIM_SCATTER_SLICE, operands, 2, args, 4));
}

static tn_status convert_select_scatter(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    uint32_t rank = self->type.rank, dim = tn_cv_dim(cv, "dim", rank);
    tn_value *src = tn_kb_cast(kb, tn_cv_tensor(cv, "src"), self->type.dtype);
    const tn_sym *index = tn_cv_sym(cv, "index"), *starts[TN_MAX_RANK];
    int64_t steps[TN_MAX_RANK];
    if (rank == 0)
        return tn_cv_refuse(cv, "self has rank 0, accepted is rank from 1");
    if (index && index->max < 0)
        index = tn_sym_add(kb->graph->syms, index, self->type.dims[dim]);
    for (uint32_t d = 0; d < rank; d++) {
        starts[d] = d == dim ? index : tn_cv_size(cv, 0);
        steps[d] = 1;
    }
    tn_value *operands[2] = {self, tn_kb_unsqueeze(kb, src, dim)};
    tn_arg args[] = {tn_arg_value(0), tn_arg_value(1), tn_arg_syms(kb, starts, rank),
                     tn_arg_ints(kb, steps, rank)};
    return set_result(cv, tn_kb_node(kb, TN_PRIM_SCATTER_SLICE, operands, 2, args, 4));
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
    index = spread_index(cv, index, 0, values);
    tn_value *y =
        scatter(cv, advanced.x, index, values, 0, tn_cv_bool(cv, "accumulate") ? "add" : "none");
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
    {"aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
     convert_scatter_src,
     "(f32[5,3], 0, i64[2,3]{perm=5}, f32[2,3])\n"
     "(f32[3,5]{nc,nan}, 1, i64[3,2]{perm=5}, f32[3,4])\n"
     "(f32[5], 0, i64[0], f32[0])\n"
     "(f32[], 0, i64[]{lo=0,hi=0}, f32[])\n"
     "(i64[5], 0, i64[3]{perm=5}, i64[3])\n"
     "(bf16[5], 0, i64[3]{perm=5}, bf16[5])\n"
     "(bool[5], 0, i64[3]{perm=5}, bool[3])\n",
     TN_PRIM_NONE},
    {"aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
     convert_scatter_value,
     "(f32[5,3], 0, i64[2,3]{lo=0,hi=4}, 1.5)\n"
     "(f32[3,5]{nc,nan}, -1, i64[3,2]{lo=0,hi=4}, 2)\n"
     "(f32[5], 0, i64[0], 1)\n"
     "(f32[], 0, i64[]{lo=0,hi=0}, 3)\n"
     "(i64[5], 0, i64[3]{lo=0,hi=4}, 7)\n"
     "(bf16[5], 0, i64[3]{lo=0,hi=4}, 0.1)\n"
     "(bool[5], 0, i64[3]{lo=0,hi=4}, True)\n",
     TN_PRIM_NONE},
    {"aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
     convert_scatter_add,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[5,3], 0, i64[2,3]{lo=0,hi=4}, f32[2,3])\n"
     "(f32[3,5]{nc,nan}, 1, i64[3,9]{lo=0,hi=4}, f32[3,9])\n"
     "(f32[5], 0, i64[0], f32[0])\n"
     "(f32[], 0, i64[]{lo=0,hi=0}, f32[])\n"
     "(i64[5], 0, i64[9]{lo=0,hi=4}, i64[9])\n",
     TN_PRIM_NONE},
    {"aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool "
     "include_self=True) -> Tensor",
     convert_scatter_reduce,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, f32[9], 'sum')\n"
     "(f32[3,5]{nc,nan}, 1, i64[3,9]{lo=0,hi=4}, f32[3,9], 'amax')\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, f32[9], 'amin')\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, f32[9], 'prod')\n"
     "(i64[5], 0, i64[9]{lo=0,hi=4}, i64[9], 'amax')\n"
     "(f32[5], 0, i64[0], f32[0], 'sum')\n",
     TN_PRIM_NONE},
    {"aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> "
     "Tensor",
     convert_index_add,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[5,3], 0, i64[4]{lo=0,hi=4}, f32[4,3])\n"
     "(f32[2,5]{nc,nan}, -1, i64[3]{lo=0,hi=4}, f32[2,3], alpha=2)\n"
     "(f32[5], 0, i64[0], f32[0])\n"
     "(i64[5], 0, i64[9]{lo=0,hi=4}, i64[9])\n"
     "(f64[1,2,1,2,1,2,1,2], 5, i64[1]{lo=0,hi=1}, f64[1,2,1,2,1,1,1,2])\n",
     TN_PRIM_NONE},
    {"aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
     convert_index_copy,
     "(f32[5,3], 0, i64[4]{perm=5}, f32[4,3])\n"
     "(f32[2,5]{nc,nan}, -1, i64[3]{perm=5}, f32[2,3])\n"
     "(f32[5], 0, i64[0], f32[0])\n"
     "(i64[5], 0, i64[3]{perm=5}, i64[3])\n"
     "(bf16[1,2,8,4], 2, i64[1]{lo=3,hi=3}, bf16[1,2,1,4])\n",
     TN_PRIM_NONE},
    {"aten::index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
     convert_index_fill,
     "(f32[5,3], 0, i64[4]{lo=0,hi=4}, 1.5)\n"
     "(f32[2,5]{nc,nan}, -1, i64[3]{lo=0,hi=4}, 2)\n"
     "(f32[5], 0, i64[0], 1)\n"
     "(i64[5], 0, i64[3]{lo=0,hi=4}, 7)\n"
     "(bf16[1,2,1,2,1,2,1,2], 5, i64[1]{lo=0,hi=1}, 0.1)\n",
     TN_PRIM_NONE},
    {"aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? "
     "end=None, SymInt step=1) -> Tensor",
     convert_slice_scatter,
     "(f32[5,3], f32[2,3], 0, 1, 3)@static\n"
     "(f32[5,6]{nc,nan}, f32[5,2], 1, -4, -1, 2)@static\n"
     "(f32[5], f32[5])\n"
     "(f32[5], f32[0], 0, 3, 1)@static\n"
     "(i64[6], i64[2], 0, 4, 99)@static\n"
     "(bf16[1,8,2], bf16[1,1,2], 1, 3, 4)@static\n"
     "(f32[B=5,2], f32[1,2], 0, B-1, B)\n",
     TN_PRIM_NONE},
    {"aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor",
     convert_select_scatter,
     "(f32[5,3], f32[3], 0, 1)\n"
     "(f32[5,6]{nc,nan}, f32[5], 1, -1)\n"
     "(i64[6], i64[], 0, 4)\n"
     "(bf16[1,2,1,2,1,2,1,2], bf16[1,2,1,2,1,1,2], 5, 0)\n"
     "(f32[B=5,2], f32[2], 0, B-1)\n",
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
