/* ops_stack.c: tensors put together, turned and spread, as NumPy's helpers of those names do. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* ---- at least so many dims --------------------------------------------------------------------
 */

/* Where NumPy adds dims: [x] to [1, x] and [1, x, 1], [x, y] to [x, y, 1]. */
static tn_value *at_least(tn_cv *cv, tn_value *x, uint32_t rank) {
    tn_kb *kb = cv->kb;
    if (tn_value_rank(x) == 0 && rank >= 1)
        x = tn_kb_unsqueeze(kb, x, 0);
    if (tn_value_rank(x) == 1 && rank >= 2)
        x = tn_kb_unsqueeze(kb, x, 0);
    return tn_value_rank(x) == 2 && rank >= 3 ? tn_kb_unsqueeze(kb, x, 2) : x;
}

/* aten::atleast_3d: 3. */
static uint32_t wanted_rank(const tn_cv *cv) {
    tn_str name = cv->node->op->schema->name;
    return (uint32_t)(name.data[name.len - 2] - '0');
}

static tn_status convert_atleast(tn_cv *cv) {
    return set_result(cv, at_least(cv, tn_cv_tensor(cv, "self"), wanted_rank(cv)));
}

static tn_status convert_atleast_list(tn_cv *cv) {
    tn_value *const *xs;
    uint32_t count = tn_cv_tensors(cv, "tensors", &xs);
    for (uint32_t i = 0; i < count; i++)
        tn_cv_set_result(cv, i, at_least(cv, xs[i], wanted_rank(cv)));
    return NULL;
}

/* ---- stacks -----------------------------------------------------------------------------------
 */

enum { MOST_PARTS = 64 };

/* The tensors in their common dtype. */
static tn_status read_parts(tn_cv *cv, tn_value **out_parts, uint32_t *out_count) {
    tn_value *const *xs;
    tn_promotion promotion = {0};
    uint32_t count = tn_cv_tensors(cv, "tensors", &xs);
    for (uint32_t i = 0; i < count; i++)
        tn_promote_tensor(&promotion, xs[i]);
    tn_dtype dtype = tn_promoted(&promotion);
    if (count == 0 || count > MOST_PARTS || dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv, "there are %u tensors, accepted are 1 to %d with a common dtype",
                            count, MOST_PARTS);
    for (uint32_t i = 0; i < count; i++)
        out_parts[i] = tn_kb_cast(cv->kb, xs[i], dtype);
    *out_count = count;
    return NULL;
}

/* Along dim, or along 0 where there is no such dim. */
static tn_status stacked(tn_cv *cv, uint32_t rank, uint32_t dim) {
    tn_value *parts[MOST_PARTS];
    uint32_t count = 0;
    TN_TRY(read_parts(cv, parts, &count));
    for (uint32_t i = 0; i < count; i++)
        parts[i] = at_least(cv, parts[i], rank);
    if (dim >= tn_value_rank(parts[0]))
        dim = 0;
    return set_result(cv, tn_kb_concat(cv->kb, parts, count, dim));
}

static tn_status convert_hstack(tn_cv *cv) {
    return stacked(cv, 1, 1);
}

static tn_status convert_vstack(tn_cv *cv) {
    return stacked(cv, 2, 0);
}

static tn_status convert_dstack(tn_cv *cv) {
    return stacked(cv, 3, 2);
}

/* Vectors become columns. */
static tn_status convert_column_stack(tn_cv *cv) {
    tn_value *parts[MOST_PARTS];
    uint32_t count = 0;
    TN_TRY(read_parts(cv, parts, &count));
    for (uint32_t i = 0; i < count; i++) {
        while (parts[i] && parts[i]->type.rank < 2)
            parts[i] = tn_kb_unsqueeze(cv->kb, parts[i], parts[i]->type.rank);
    }
    return set_result(cv, tn_kb_concat(cv->kb, parts, count, 1));
}

/* Matrices along the diagonal, zeros elsewhere. */
static tn_status convert_block_diag(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *parts[MOST_PARTS];
    uint32_t count = 0;
    const tn_sym *zero = tn_cv_size(cv, 0), *width = zero, *left = zero;
    TN_TRY(read_parts(cv, parts, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (tn_value_rank(parts[i]) > 2)
            return tn_cv_refuse(cv, "tensor %u has rank %u, accepted are up to 2", i,
                                tn_value_rank(parts[i]));
        parts[i] = at_least(cv, parts[i], 2);
        if (parts[i])
            width = tn_sym_add(syms, width, parts[i]->type.dims[1]);
    }
    for (uint32_t i = 0; i < count && parts[i]; i++) {
        const tn_sym *own = parts[i]->type.dims[1];
        const tn_sym *lo[2] = {zero, left};
        const tn_sym *hi[2] = {zero, tn_sym_sub(syms, width, tn_sym_add(syms, left, own))};
        parts[i] = tn_kb_pad(kb, parts[i], lo, hi, "constant", 0);
        left = tn_sym_add(syms, left, own);
    }
    return set_result(cv, tn_kb_concat(kb, parts, count, 0));
}

/* All in the shape that they broadcast to. */
static tn_status convert_broadcast_tensors(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *const *xs;
    uint32_t count = tn_cv_tensors(cv, "tensors", &xs), rank = 0;
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t i = 0; i < count; i++)
        rank = xs[i]->type.rank > rank ? xs[i]->type.rank : rank;
    for (uint32_t d = 0; d < rank; d++) {
        dims[d] = tn_cv_size(cv, 1);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t missing = rank - xs[i]->type.rank;
            if (d >= missing && tn_sym_is(dims[d], 1))
                dims[d] = xs[i]->type.dims[d - missing];
        }
    }
    for (uint32_t i = 0; i < count; i++)
        tn_cv_set_result(cv, i, tn_kb_expand(kb, xs[i], dims, rank));
    return NULL;
}

/* ---- turns ------------------------------------------------------------------------------------
 */

/* k quarter turns in the plane of two dims, from the first towards the second. */
static tn_status convert_rot90(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t k = ((tn_cv_int(cv, "k") % 4) + 4) % 4, dims[TN_MAX_RANK];
    uint32_t rank = x->type.rank, count = tn_cv_ints(cv, "dims", dims, TN_MAX_RANK);
    for (uint32_t i = 0; i < count; i++)
        dims[i] = dims[i] < 0 ? dims[i] + rank : dims[i];
    if (count != 2 || dims[0] == dims[1] || dims[0] < 0 || dims[1] < 0 || dims[0] >= rank ||
        dims[1] >= rank)
        return tn_cv_refuse(cv, "dims are no plane of rank %u, accepted are two different dims",
                            rank);
    uint32_t a = (uint32_t)dims[0], b = (uint32_t)dims[1], both[2] = {a, b};
    if (k == 2)
        return set_result(cv, tn_kb_flip(kb, x, both, 2));
    if (k == 1)
        x = tn_kb_transpose(kb, tn_kb_flip(kb, x, &b, 1), a, b);
    else if (k == 3)
        x = tn_kb_transpose(kb, tn_kb_flip(kb, x, &a, 1), a, b);
    return set_result(cv, x);
}

static tn_status flipped(tn_cv *cv, uint32_t dim) {
    tn_value *x = tn_cv_tensor(cv, "self");
    if (x->type.rank <= dim)
        return tn_cv_refuse(cv, "self has rank %u, accepted is rank from %u", x->type.rank,
                            dim + 1);
    return set_result(cv, tn_kb_flip(cv->kb, x, &dim, 1));
}

static tn_status convert_flipud(tn_cv *cv) {
    return flipped(cv, 0);
}

static tn_status convert_fliplr(tn_cv *cv) {
    return flipped(cv, 1);
}

static tn_status convert_ravel(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    return set_result(cv, tn_cv_flatten(cv, x, 0, x->type.rank ? x->type.rank - 1 : 0));
}

/* [N, C, ..] seen as [N, groups, C / groups, ..] with those two dims swapped. */
static tn_status convert_channel_shuffle(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t groups = tn_cv_int(cv, "groups");
    uint32_t rank = x->type.rank;
    if (rank < 3 || rank == TN_MAX_RANK || groups < 1)
        return tn_cv_refuse(cv,
                            "self has rank %u and groups is %lld, accepted are ranks 3 to %d "
                            "and groups from 1",
                            rank, (long long)groups, TN_MAX_RANK - 1);
    const tn_sym *dims[TN_MAX_RANK] = {x->type.dims[0], tn_cv_size(cv, groups)};
    dims[2] = tn_sym_floordiv(syms, x->type.dims[1], dims[1]);
    for (uint32_t d = 2; d < rank; d++)
        dims[d + 1] = x->type.dims[d];
    tn_value *y = tn_kb_transpose(kb, tn_kb_reshape(kb, x, dims, rank + 1), 1, 2);
    return set_result(cv, tn_kb_reshape(kb, y, x->type.dims, rank));
}

/* ---- diagonals --------------------------------------------------------------------------------
 */

/* True where row + offset == column, of a matrix of these sizes. */
static tn_value *is_diagonal(tn_cv *cv, const tn_sym *rows, const tn_sym *columns, int64_t offset) {
    tn_kb *kb = cv->kb;
    const tn_sym *down[2] = {rows, tn_cv_size(cv, 1)}, *across[2] = {tn_cv_size(cv, 1), columns};
    return tn_kb_map2(kb, TN_PRIM_EQ, tn_kb_iota(kb, TN_I64, down, 2, 0, (double)offset, 1),
                      tn_kb_iota(kb, TN_I64, across, 2, 1, 0, 1));
}

/* x [.., n] on a diagonal of [.., m, m], m = n + |offset|. */
static tn_value *spread_diagonal(tn_cv *cv, tn_value *x, int64_t offset) {
    tn_kb *kb = cv->kb;
    uint32_t rank = tn_value_rank(x);
    const tn_sym *pads[2][TN_MAX_RANK];
    if (!x)
        return NULL;
    for (uint32_t d = 0; d < rank; d++)
        pads[0][d] = pads[1][d] = tn_cv_size(cv, 0);
    /* Above the diagonal the values keep their rows, below it their columns. */
    pads[1][rank - 1] = tn_cv_size(cv, offset < 0 ? -offset : offset);
    x = tn_kb_pad(kb, x, pads[0], pads[1], "constant", 0);
    const tn_sym *size = tn_value_size(x, rank - 1);
    x = tn_kb_unsqueeze(kb, x, offset >= 0 ? rank : rank - 1);
    return tn_kb_select(kb, is_diagonal(cv, size, size, offset), x,
                        tn_kb_cast(kb, tn_kb_int(kb, TN_I64, 0), tn_value_dtype(x)));
}

static tn_status convert_diag_embed(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t rank = x->type.rank, dim1 = tn_cv_dim(cv, "dim1", rank + 1);
    uint32_t dim2 = tn_cv_dim(cv, "dim2", rank + 1), order[TN_MAX_RANK], next = 0;
    int64_t offset = tn_cv_int(cv, "offset");
    if (rank == 0 || rank == TN_MAX_RANK || dim1 == dim2)
        return tn_cv_refuse(cv,
                            "self has rank %u, dim1 and dim2 are %u and %u, accepted are ranks "
                            "1 to %d and different dims",
                            rank, dim1, dim2, TN_MAX_RANK - 1);
    tn_value *y = spread_diagonal(cv, x, offset);
    for (uint32_t d = 0; d <= rank; d++)
        order[d] = d == dim1 ? rank - 1 : d == dim2 ? rank : next++;
    return set_result(cv, tn_kb_permute(cv->kb, y, order));
}

/* The diagonal of a matrix, which starts in the first row or the first column. */
static tn_value *take_diagonal(tn_cv *cv, tn_value *x, int64_t offset) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    const tn_sym *zero = tn_cv_size(cv, 0), *one = tn_cv_size(cv, 1);
    const tn_sym *row = tn_cv_size(cv, offset < 0 ? -offset : 0);
    const tn_sym *column = tn_cv_size(cv, offset > 0 ? offset : 0);
    const tn_sym *rows = tn_value_size(x, 0), *columns = tn_value_size(x, 1);
    if (!rows || !columns)
        return NULL;
    const tn_sym *count =
        tn_sym_min(syms, tn_sym_sub(syms, rows, row), tn_sym_sub(syms, columns, column));
    count = tn_sym_max(syms, count, zero);
    tn_value *index = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_iota(kb, TN_I64, &count, 1, 0, 0, 1),
                                 tn_kb_sym(kb, tn_sym_add(syms, columns, one)));
    const tn_sym *first = tn_sym_add(syms, tn_sym_mul(syms, row, columns), column);
    index = tn_kb_map2(kb, TN_PRIM_ADD, index, tn_kb_sym(kb, first));
    return tn_kb_take(kb, tn_cv_flatten(cv, x, 0, 1), index, 0);
}

static tn_status convert_diag(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t offset = tn_cv_int(cv, "diagonal");
    if (x->type.rank != 1 && x->type.rank != 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted are 1 and 2", x->type.rank);
    return set_result(cv, x->type.rank == 1 ? spread_diagonal(cv, x, offset)
                                            : take_diagonal(cv, x, offset));
}

static tn_status convert_trace(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    if (x->type.rank != 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted is 2", x->type.rank);
    tn_dtype dtype = tn_dtype_is_float(x->type.dtype) ? x->type.dtype : TN_I64;
    tn_value *y = tn_kb_cast(kb, take_diagonal(cv, x, 0), dtype);
    return set_result(cv, tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, y, 1, false));
}

/* ---- the family -------------------------------------------------------------------------------
 */

#define RANKS                                                                                      \
    "(f32[])\n(f32[3]{nan})\n(i64[2,3]{nc})\n(bf16[0,3])\n(bool[1,2,3])\n(f32[1,2,1,2,1,2,1,2])\n"
#define LISTS "([f32[], i64[3], bf16[2,3]])\n([f32[1,2,1,2,1,2,1,2]])\n([f32[0], bool[1,2,3]])\n"

static const tn_op_entry entries[] = {
    {"aten::atleast_1d(Tensor self) -> Tensor", convert_atleast, RANKS, TN_PRIM_NONE},
    {"aten::atleast_2d(Tensor self) -> Tensor", convert_atleast, RANKS, TN_PRIM_NONE},
    {"aten::atleast_3d(Tensor self) -> Tensor", convert_atleast, RANKS, TN_PRIM_NONE},
    {"aten::atleast_1d.Sequence(Tensor[] tensors) -> Tensor[]", convert_atleast_list, LISTS,
     TN_PRIM_NONE},
    {"aten::atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]", convert_atleast_list, LISTS,
     TN_PRIM_NONE},
    {"aten::atleast_3d.Sequence(Tensor[] tensors) -> Tensor[]", convert_atleast_list, LISTS,
     TN_PRIM_NONE},
    {"aten::hstack(Tensor[] tensors) -> Tensor", convert_hstack,
     "([f32[3], f32[2]{nan}])\n([f32[2,3]{nc}, i64[2,1]])\n([f32[], f32[]])\n([bf16[0], bf16[2]])\n"
     "([f32[1,2,1,2,1,2,1,2], f32[1,2,1,2,1,2,1,2]])\n",
     TN_PRIM_NONE},
    {"aten::vstack(Tensor[] tensors) -> Tensor", convert_vstack,
     "([f32[3], f32[2,3]{nan,nc}])\n([f32[2,3], i64[1,3]])\n([f32[], f32[]])\n([bool[0,2], "
     "bool[2]])\n",
     TN_PRIM_NONE},
    {"aten::row_stack(Tensor[] tensors) -> Tensor", convert_vstack,
     "([f32[3], f32[2,3]{nan,nc}])\n([f32[], f32[]])\n", TN_PRIM_NONE},
    {"aten::dstack(Tensor[] tensors) -> Tensor", convert_dstack,
     "([f32[3], f32[3]{nan}])\n([f32[2,3]{nc}, i64[2,3]])\n([f32[], f32[]])\n([f32[2,3,0], "
     "f32[2,3,4]])\n",
     TN_PRIM_NONE},
    {"aten::column_stack(Tensor[] tensors) -> Tensor", convert_column_stack,
     "([f32[3], f32[3,2]{nan,nc}])\n([f32[3], i64[3]])\n([f32[], f32[]])\n([bf16[0], bf16[0]])\n",
     TN_PRIM_NONE},
    {"aten::block_diag(Tensor[] tensors) -> Tensor", convert_block_diag,
     "([f32[2,3], f32[3,1]{nan,nc}])\n([f32[3], i64[], f32[2,2]])\n([bf16[1,1]])\n"
     "([f32[0,2], f32[2,1]])\n",
     TN_PRIM_NONE},
    {"aten::broadcast_tensors(Tensor[] tensors) -> Tensor[]", convert_broadcast_tensors,
     "([f32[2,3], f32[3]{nan}])\n([f32[2,1]{nc}, i64[1,3]])\n([f32[], f32[0]])\n([bool[1,2,1], "
     "bf16[3,1,4]])\n",
     TN_PRIM_NONE},
    {"aten::rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", convert_rot90,
     "(f32[2,3])\n(f32[2,3]{nc,nan}, 2)\n(f32[2,3,4], 3, [2,0])\n(i64[2,3], -3)\n(bf16[0,3], 4)\n"
     "(bool[1,2,1,2,1,2,1,2], 1, [-1,1])\n",
     TN_PRIM_NONE},
    {"aten::fliplr(Tensor self) -> Tensor", convert_fliplr,
     "(f32[2,3])\n(f32[2,3,4]{nc,nan})\n(i64[0,3])\n", TN_PRIM_NONE},
    {"aten::flipud(Tensor self) -> Tensor", convert_flipud,
     "(f32[3])\n(f32[2,3,4]{nc,nan})\n(i64[0,3])\n", TN_PRIM_NONE},
    {"aten::ravel(Tensor(a) self) -> Tensor(a)", convert_ravel, RANKS, TN_PRIM_NONE},
    {"aten::channel_shuffle(Tensor self, SymInt groups) -> Tensor", convert_channel_shuffle,
     "(f32[2,6,3,4], 2)@static\n(f32[2,6,5]{nc,nan}, 3)@static\n(bf16[1,4,1,1], 1)@static\n"
     "(f32[B=2,6,H=3,4], 2)\n(f32[2,4,0], 2)@static\n",
     TN_PRIM_NONE},
    {"aten::diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
     convert_diag_embed,
     "(f32[3])\n(f32[2,3]{nc,nan}, 1)\n(i64[2,3], -2, 0, 2)\n(bf16[2,3], 0, 1, 0)\n(f32[0])\n"
     "(bool[1,2,1,2,1,2,3], 1)\n(f32[1])\n",
     TN_PRIM_NONE},
    {"aten::diag(Tensor self, int diagonal=0) -> Tensor", convert_diag,
     "(f32[3])\n(f32[3], -2)\n(i64[3], 1)\n(f32[3,4]{nc,nan})\n(f32[3,4], 2)\n(bf16[4,3], -1)\n"
     "(f32[0])\n(f32[1,1])\n(bool[2,5])\n",
     TN_PRIM_NONE},
    {"aten::trace(Tensor self) -> Tensor", convert_trace,
     "@rtol=1e-6 atol=1e-6\n"
     "(f32[3,4])\n(f32[3,3]{nc,nan})\n(i64[4,3])\n(f32[0,3])\n(f64[1,1])\n(i32[3,3])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_stack = {"stack", entries, sizeof entries / sizeof *entries};
