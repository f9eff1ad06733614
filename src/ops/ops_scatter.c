/* ops_scatter.c: elements, slices and diagonals written to places of a tensor. */
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

/* Scatters take rank-0 tensors like vectors of one. */
static tn_value *at_least_vector(tn_cv *cv, tn_value *x) {
    return tn_value_rank(x) == 0 ? tn_kb_unsqueeze(cv->kb, x, 0) : x;
}

static tn_value *with_rank_of(tn_cv *cv, tn_value *y, const tn_value *x) {
    return x->type.rank == 0 ? tn_kb_squeeze(cv->kb, y, 0) : y;
}

/* ---- elements
 * ------------------------------------------------------------------------------------
 */

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
    tn_value *y = tn_cv_scatter(cv, at_least_vector(cv, self), index, src, dim, reduce);
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

/* "add" and its kin of "sum" and its kin; NULL for others. */
static const char *reduce_name(tn_str reduce) {
    static const char *const names[][2] = {{"sum", "add"},      {"add", "add"},   {"prod", "mul"},
                                           {"multiply", "mul"}, {"amax", "amax"}, {"amin", "amin"},
                                           {"mean", "add"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tn_str_is(reduce, names[i][0]))
            return names[i][1];
    return NULL;
}

static tn_status scatter_reduce_value(tn_cv *cv) {
    tn_str reduce = tn_cv_str(cv, "reduce");
    return scatter_op(cv, "value", tn_str_is(reduce, "add") ? "add" : "mul");
}

static tn_status scatter_reduce_src(tn_cv *cv) {
    tn_str reduce = tn_cv_str(cv, "reduce");
    return scatter_op(cv, "src", tn_str_is(reduce, "add") ? "add" : "mul");
}

static tn_value *filled_like(tn_cv *cv, double value, tn_dtype dtype, const tn_value *like) {
    return tn_cv_expand_as(cv, tn_kb_cast(cv->kb, tn_kb_float(cv->kb, TN_F64, value), dtype), like);
}

/* Without self, what was there gives way to what the reduction begins with: for extremes that may
 * be any of the sources. The mean is a sum that is divided by the number of its terms. */
static tn_status convert_scatter_reduce(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self"), *index = tn_cv_tensor(cv, "index");
    uint32_t dim = tn_cv_dim(cv, "dim", self->type.rank);
    tn_str reduce = tn_cv_str(cv, "reduce");
    const char *name = reduce_name(reduce);
    bool has_self = tn_cv_bool(cv, "include_self"), is_mean = tn_str_is(reduce, "mean");
    tn_dtype dtype = self->type.dtype;
    TN_TRY(check_index(cv, "index", index));
    if (!name || index->type.rank != self->type.rank)
        return tn_cv_refuse(cv,
                            "reduce is \"%.*s\", self and index have rank %u and %u, accepted are "
                            "sum, prod, mean, amax and amin, and equal ranks",
                            TN_STR_ARG(reduce), self->type.rank, index->type.rank);
    index = at_least_vector(cv, index);
    tn_value *x = at_least_vector(cv, self), *src = scatter_source(cv, "src", dtype, index);
    tn_value *start = x;
    if (!has_self) {
        bool is_extreme = tn_str_is(reduce, "amax") || tn_str_is(reduce, "amin");
        double neutral = tn_str_is(reduce, "prod") ? 1 : 0;
        start = tn_cv_scatter(
            cv, x, index, is_extreme ? src : filled_like(cv, neutral, dtype, index), dim, "none");
    }
    tn_value *y = tn_cv_scatter(cv, start, index, src, dim, name);
    if (is_mean) {
        tn_value *count = tn_cv_scatter(cv, filled_like(cv, has_self, TN_I64, x), index,
                                        filled_like(cv, 1, TN_I64, index), dim, "add");
        count = tn_kb_map2(kb, TN_PRIM_MAX, count, tn_kb_int(kb, TN_I64, 1));
        y = tn_kb_map2(kb, tn_dtype_is_float(dtype) ? TN_PRIM_DIV : TN_PRIM_FLOORDIV, y,
                       tn_kb_cast(kb, count, dtype));
    }
    return set_result(cv, with_rank_of(cv, y, self));
}

/* The n-th true element of the mask gets the n-th element of source. */
static tn_status convert_masked_scatter(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self"), *mask = tn_cv_tensor(cv, "mask");
    tn_value *source = tn_cv_tensor(cv, "source");
    uint32_t rank = self->type.rank;
    if (mask->type.dtype != TN_BOOL || source->type.dtype != self->type.dtype)
        return tn_cv_refuse(cv, "mask is %s and source is %s, accepted are bool and %s",
                            tn_dtype_name(mask->type.dtype), tn_dtype_name(source->type.dtype),
                            tn_dtype_name(self->type.dtype));
    mask = tn_cv_expand_as(cv, mask, self);
    tn_value *flat = tn_cv_flatten(cv, mask, 0, rank ? rank - 1 : 0);
    source = tn_cv_flatten(cv, source, 0, source->type.rank ? source->type.rank - 1 : 0);
    tn_value *counted = tn_kb_cast(kb, flat, TN_I64);
    tn_arg args[] = {tn_arg_value(0), tn_arg_int(kb, 0)};
    tn_value *place =
        tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_node(kb, TN_PRIM_CUMSUM, &counted, 1, args, 2),
                   tn_kb_int(kb, TN_I64, 1));
    /* Elements that are not taken read a place that exists: the last one before, or the first. */
    place = tn_kb_map2(kb, TN_PRIM_MAX, place, tn_kb_int(kb, TN_I64, 0));
    tn_value *taken = tn_kb_reshape(kb, tn_kb_take(kb, source, place, 0), self->type.dims, rank);
    return set_result(cv, tn_kb_select(kb, mask, taken, self));
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
    index = tn_cv_spread_index(cv, index, dim, source);
    return set_result(cv, tn_cv_scatter(cv, self, index, source, dim, reduce));
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
    return set_result(cv, tn_cv_scatter(cv, self, tn_cv_spread_index(cv, index, dim, source),
                                        source, dim, "none"));
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

/* src in place of a diagonal: a scatter into the rows of the other dims, by the diagonal's place.
 */
static tn_status convert_diagonal_scatter(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *src = tn_kb_cast(kb, tn_cv_tensor(cv, "src"), self->type.dtype);
    uint32_t rank = self->type.rank, dim1 = tn_cv_dim(cv, "dim1", rank);
    uint32_t dim2 = tn_cv_dim(cv, "dim2", rank), order[TN_MAX_RANK], back[TN_MAX_RANK], next = 0;
    int64_t offset = tn_cv_int(cv, "offset");
    if (rank < 2 || dim1 == dim2)
        return tn_cv_refuse(cv,
                            "self has rank %u, dim1 and dim2 are %u and %u, accepted are rank "
                            "from 2 and different dims",
                            rank, dim1, dim2);
    for (uint32_t d = 0; d < rank; d++)
        if (d != dim1 && d != dim2)
            order[next++] = d;
    order[rank - 2] = dim1;
    order[rank - 1] = dim2;
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        back[order[d]] = d;
        dims[d] = self->type.dims[order[d]];
    }
    tn_value *flat = tn_cv_flatten(cv, tn_kb_permute(kb, self, order), rank - 2, rank - 1);
    /* Element i of the diagonal stands at row i (or i - offset) and column i + offset (or i). */
    const tn_sym *columns = dims[rank - 1], *count = tn_value_size(src, rank - 2);
    const tn_sym *first =
        offset >= 0 ? tn_cv_size(cv, offset) : tn_sym_mul(syms, tn_cv_size(cv, -offset), columns);
    tn_value *step = tn_kb_sym(kb, tn_sym_addi(syms, columns, 1));
    tn_value *index = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_iota(kb, TN_I64, &count, 1, 0, 0, 1), step);
    index = tn_kb_map2(kb, TN_PRIM_ADD, index, tn_kb_sym(kb, first));
    index = tn_cv_spread_index(cv, index, rank - 2, src);
    tn_value *y = tn_cv_scatter(cv, flat, index, src, rank - 2, "none");
    return set_result(cv, tn_kb_permute(kb, tn_kb_reshape(kb, y, dims, rank), back));
}

/* ---- the family
 * ----------------------------------------------------------------------------------
 */

static const tn_op_entry entries[] = {
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
     "(f32[5], 0, i64[0], f32[0], 'sum')\n"
     "(f32[], 0, i64[]{lo=0,hi=0}, f32[], 'mean')\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, f32[9], 'mean')\n"
     "(i64[5], 0, i64[9]{lo=0,hi=4}, i64[9], 'mean')\n"
     "(f32[5], 0, i64[3]{lo=0,hi=4}, f32[3], 'mean', include_self=False)\n"
     "(f32[5], 0, i64[3]{lo=0,hi=4}, f32[3], 'sum', include_self=False)\n"
     "(f32[5], 0, i64[3]{lo=0,hi=4}, f32[3], 'prod', include_self=False)\n"
     "(f32[3,5], 1, i64[3,9]{lo=0,hi=4}, f32[3,9]{nan}, 'amax', include_self=False)\n"
     "(i64[5], 0, i64[4]{lo=0,hi=4}, i64[4], 'amin', include_self=False)\n",
     TN_PRIM_NONE},
    {"aten::scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> "
     "Tensor",
     scatter_reduce_src,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, f32[9], reduce='add')\n"
     "(f32[3,5]{nc,nan}, 1, i64[3,9]{lo=0,hi=4}, f32[3,9], reduce='multiply')\n"
     "(i64[5], 0, i64[0], i64[0], reduce='add')\n",
     TN_PRIM_NONE},
    {"aten::scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) "
     "-> Tensor",
     scatter_reduce_value,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[5], 0, i64[9]{lo=0,hi=4}, 1.5, reduce='add')\n"
     "(f32[3,5]{nc,nan}, 1, i64[3,9]{lo=0,hi=4}, 2, reduce='multiply')\n"
     "(i64[5], 0, i64[0], 3, reduce='add')\n",
     TN_PRIM_NONE},
    {"aten::masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
     convert_masked_scatter,
     "(f32[2,3], bool[2,3], f32[6])\n"
     "(f32[4,5]{nc,nan}, bool[5], f32[4,5]{nc})\n"
     "(i64[1], bool[1], i64[1])\n"
     "(bf16[1,2,1,2,1,2,1,2], bool[2], bf16[16])\n"
     "(f32[], bool[], f32[1])\n",
     TN_PRIM_NONE},
    {"aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> "
     "Tensor",
     convert_diagonal_scatter,
     "(f32[3,4], f32[3])\n"
     "(f32[3,4]{nc,nan}, f32[2], -1)\n"
     "(f32[3,4], f32[2], 2)\n"
     "(f32[2,3,4], f32[3,1], 1, 2, 0)@static\n"
     "(i64[1,1], i64[1])\n"
     "(f32[0,3], f32[0])@static\n",
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
};

const tn_op_family tn_ops_scatter = {"scatter", entries, sizeof entries / sizeof *entries};
