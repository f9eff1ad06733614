/* ops_matrix.c: products of vectors and blocks, and grids and indices of matrices. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* ---- products ---------------------------------------------------------------------------------
 */

static tn_status check_pair(const tn_cv *cv, const tn_value *a, uint32_t a_rank, const tn_value *b,
                            uint32_t b_rank) {
    if (a->type.rank != a_rank || b->type.rank != b_rank || a->type.dtype != b->type.dtype)
        return tn_cv_refuse(cv,
                            "the operands are %s of rank %u and %s of rank %u, accepted are "
                            "ranks %u and %u of one dtype",
                            tn_dtype_name(a->type.dtype), a->type.rank,
                            tn_dtype_name(b->type.dtype), b->type.rank, a_rank, b_rank);
    return NULL;
}

/* The product of a column and a row. */
static tn_value *outer(tn_cv *cv, tn_value *column, tn_value *row) {
    return tn_kb_map2(cv->kb, TN_PRIM_MUL, tn_kb_unsqueeze(cv->kb, column, 1),
                      tn_kb_unsqueeze(cv->kb, row, 0));
}

static tn_status convert_ger(tn_cv *cv) {
    tn_value *a = tn_cv_tensor(cv, "self"), *b = tn_cv_tensor(cv, "vec2");
    TN_TRY(check_pair(cv, a, 1, b, 1));
    return set_result(cv, outer(cv, a, b));
}

/* beta * self + alpha * y; with beta 0, self does not count, NaN neither. */
static tn_value *scaled_sum(tn_cv *cv, tn_value *self, tn_value *y) {
    tn_kb *kb = cv->kb;
    tn_dtype dtype = tn_value_dtype(y);
    y = tn_kb_map2(kb, TN_PRIM_MUL, y, tn_cv_scalar(cv, "alpha", dtype));
    if (tn_cv_float(cv, "beta") == 0)
        return tn_cv_expand_as(cv, y, y);
    self =
        tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_cast(kb, self, dtype), tn_cv_scalar(cv, "beta", dtype));
    return tn_kb_map2(kb, TN_PRIM_ADD, self, y);
}

static tn_status convert_addr(tn_cv *cv) {
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *a = tn_cv_tensor(cv, "vec1"), *b = tn_cv_tensor(cv, "vec2");
    TN_TRY(check_pair(cv, a, 1, b, 1));
    if (self->type.dtype != a->type.dtype)
        return tn_cv_refuse(cv, "self is %s, accepted is %s", tn_dtype_name(self->type.dtype),
                            tn_dtype_name(a->type.dtype));
    tn_dtype dtype = a->type.dtype;
    bool is_half = tn_dtype_is_half(dtype);
    tn_value *y = outer(cv, is_half ? tn_cv_math(cv, a) : a, is_half ? tn_cv_math(cv, b) : b);
    return set_result(cv, tn_kb_cast(cv->kb, scaled_sum(cv, self, y), dtype));
}

/* The sum of all products of a batch: one product of a [M, B K] and a [B K, N]. */
static tn_status convert_addbmm(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *a = tn_cv_tensor(cv, "batch1"), *b = tn_cv_tensor(cv, "batch2");
    TN_TRY(check_pair(cv, a, 3, b, 3));
    if (self->type.dtype != a->type.dtype || !tn_dtype_is_float(a->type.dtype))
        return tn_cv_refuse(cv, "self is %s and batch1 is %s, accepted are equal floats",
                            tn_dtype_name(self->type.dtype), tn_dtype_name(a->type.dtype));
    a = tn_cv_flatten(cv, tn_cv_move_dim(cv, a, 0, 1), 1, 2);
    b = tn_cv_flatten(cv, b, 0, 1);
    tn_value *y = tn_cv_math(cv, tn_kb_matmul(kb, a, b, NULL));
    return set_result(cv, tn_kb_cast(kb, scaled_sum(cv, self, y), self->type.dtype));
}

/* Rows of one with rows of the other: [.., K] and [.., K] to [.., ..]. */
static tn_status convert_inner(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *a = tn_cv_tensor(cv, "self"), *b = tn_cv_tensor(cv, "other");
    uint32_t a_rank = a->type.rank, b_rank = b->type.rank;
    if (a->type.dtype != b->type.dtype || a->type.dtype == TN_BOOL)
        return tn_cv_refuse(cv, "self and other are %s and %s, accepted are equal numbers",
                            tn_dtype_name(a->type.dtype), tn_dtype_name(b->type.dtype));
    if (a_rank == 0 || b_rank == 0)
        return set_result(cv, tn_kb_map2(kb, TN_PRIM_MUL, a, b));
    if (a_rank + b_rank - 2 > TN_MAX_RANK)
        return tn_cv_refuse(cv, "the result has rank %u, accepted are up to %d",
                            a_rank + b_rank - 2, TN_MAX_RANK);
    const tn_sym *dims[2 * TN_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; d + 1 < a_rank; d++)
        dims[rank++] = a->type.dims[d];
    for (uint32_t d = 0; d + 1 < b_rank; d++)
        dims[rank++] = b->type.dims[d];
    const tn_sym *shapes[2][2] = {{tn_cv_size(cv, -1), a->type.dims[a_rank - 1]},
                                  {tn_cv_size(cv, -1), b->type.dims[b_rank - 1]}};
    a = a_rank == 1   ? tn_kb_unsqueeze(kb, a, 0)
        : a_rank == 2 ? a
                      : tn_cv_reshape(cv, a, shapes[0], 2);
    b = b_rank == 1   ? tn_kb_unsqueeze(kb, b, 0)
        : b_rank == 2 ? b
                      : tn_cv_reshape(cv, b, shapes[1], 2);
    tn_value *y = tn_kb_matmul(kb, a, tn_kb_transpose(kb, b, 0, 1), NULL);
    return set_result(cv, tn_kb_reshape(kb, y, dims, rank));
}

static tn_status convert_vdot(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *a = tn_cv_tensor(cv, "self"), *b = tn_cv_tensor(cv, "other");
    TN_TRY(check_pair(cv, a, 1, b, 1));
    tn_value *y = tn_kb_matmul(kb, tn_kb_unsqueeze(kb, a, 0), tn_kb_unsqueeze(kb, b, 1), NULL);
    return set_result(cv, tn_kb_reshape(kb, y, NULL, 0));
}

/* Every element of one times all of the other: their dims side by side, then joined in pairs. */
static tn_status convert_kron(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "self");
    tn_cv_promote(cv, &promotion, "other");
    tn_dtype dtype = tn_promoted(&promotion);
    tn_value *x[2] = {tn_cv_tensor(cv, "self"), tn_cv_tensor(cv, "other")};
    uint32_t ranks[2] = {x[0]->type.rank, x[1]->type.rank};
    uint32_t rank = ranks[0] > ranks[1] ? ranks[0] : ranks[1];
    const tn_sym *dims[TN_MAX_RANK], *split[TN_MAX_RANK];
    if (dtype == TN_DTYPE_NONE || dtype == TN_BOOL || 2 * rank > TN_MAX_RANK)
        return tn_cv_refuse(cv,
                            "the operands have rank %u and promote to %s, accepted are numbers "
                            "of rank up to %d",
                            rank, tn_dtype_name(dtype), TN_MAX_RANK / 2);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = tn_cv_size(cv, 1);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t d = 0; d < rank; d++) {
            uint32_t missing = rank - ranks[i];
            const tn_sym *size = d < missing ? tn_cv_size(cv, 1) : x[i]->type.dims[d - missing];
            split[2 * d + i] = size;
            split[2 * d + 1 - i] = tn_cv_size(cv, 1);
            dims[d] = tn_sym_mul(syms, dims[d], size);
        }
        x[i] = tn_kb_reshape(kb, tn_kb_cast(kb, x[i], dtype), split, 2 * rank);
    }
    return set_result(cv, tn_kb_reshape(kb, tn_kb_map2(kb, TN_PRIM_MUL, x[0], x[1]), dims, rank));
}

/* Element i of dim, which has three. */
static tn_value *component(tn_cv *cv, tn_value *x, uint32_t dim, uint32_t i) {
    return tn_kb_slice(cv->kb, x, dim, tn_cv_size(cv, i), tn_cv_size(cv, 1), 1);
}

/* cross without a dim means the first one of size 3. */
static tn_status convert_cross(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "self");
    tn_cv_promote(cv, &promotion, "other");
    tn_dtype dtype = tn_promoted(&promotion);
    tn_value *a = tn_kb_cast(kb, tn_cv_tensor(cv, "self"), dtype);
    tn_value *b = tn_kb_cast(kb, tn_cv_tensor(cv, "other"), dtype), *parts[3];
    if (!a || !b)
        return NULL;
    uint32_t rank = a->type.rank, dim = 0;
    if (tn_cv_is_none(cv, "dim"))
        while (dim < rank && !tn_sym_is(a->type.dims[dim], 3))
            dim++;
    else
        dim = tn_cv_dim(cv, "dim", rank);
    if (rank != b->type.rank || dim >= rank || !tn_sym_is(a->type.dims[dim], 3) ||
        !tn_sym_is(b->type.dims[dim], 3) || dtype == TN_BOOL)
        return tn_cv_refuse(cv,
                            "ranks are %u and %u and dim is %u, accepted are equal ranks and a "
                            "dim of 3 numbers",
                            rank, b->type.rank, dim);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t j = (i + 1) % 3, k = (i + 2) % 3;
        parts[i] = tn_kb_map2(
            kb, TN_PRIM_SUB,
            tn_kb_map2(kb, TN_PRIM_MUL, component(cv, a, dim, j), component(cv, b, dim, k)),
            tn_kb_map2(kb, TN_PRIM_MUL, component(cv, a, dim, k), component(cv, b, dim, j)));
    }
    return set_result(cv, tn_kb_concat(kb, parts, 3, dim));
}

/* ---- grids ------------------------------------------------------------------------------------
 */

/* Positions of `size` pixels from -1 to 1: of their centres, or with the outer ones at the ends. */
static tn_value *positions(tn_cv *cv, const tn_sym *size, tn_dtype dtype, bool aligns_corners) {
    tn_kb *kb = cv->kb;
    tn_value *count = tn_kb_cast(kb, tn_kb_sym(kb, size), dtype);
    tn_value *one = tn_kb_float(kb, dtype, 1), *two = tn_kb_float(kb, dtype, 2);
    tn_value *i = tn_kb_cast(kb, tn_kb_iota(kb, TN_I64, &size, 1, 0, 0, 1), dtype);
    if (aligns_corners) { /* one pixel stands in the middle */
        tn_value *last = tn_kb_map2(kb, TN_PRIM_SUB, count, one);
        tn_value *y = tn_kb_map2(kb, TN_PRIM_DIV, tn_kb_map2(kb, TN_PRIM_MUL, i, two),
                                 tn_kb_map2(kb, TN_PRIM_MAX, last, one));
        y = tn_kb_map2(kb, TN_PRIM_SUB, y, one);
        return tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, last, tn_kb_float(kb, dtype, 0)),
                            tn_kb_float(kb, dtype, 0), y);
    }
    tn_value *y = tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map2(kb, TN_PRIM_MUL, i, two), one);
    return tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_map2(kb, TN_PRIM_DIV, y, count), one);
}

/* theta [N, D, D + 1] applied to all pixels (x, y, .., 1) of size [N, C, .., H, W]: [N, .., D]. */
static tn_status convert_affine_grid(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *theta = tn_cv_tensor(cv, "theta");
    const tn_sym *sizes[TN_MAX_RANK], *dims[5];
    uint32_t rank = tn_cv_syms(cv, "size", sizes, TN_MAX_RANK), axes = rank - 2;
    if ((rank != 4 && rank != 5) || theta->type.rank != 3 || !tn_dtype_is_float(theta->type.dtype))
        return tn_cv_refuse(cv,
                            "size has %u elements and theta is %s of rank %u, accepted are 4 "
                            "and 5, and floats of rank 3",
                            rank, tn_dtype_name(theta->type.dtype), theta->type.rank);
    dims[0] = sizes[0];
    for (uint32_t d = 0; d < axes; d++)
        dims[1 + d] = sizes[2 + d];
    tn_value *x = tn_cv_math(cv, theta), *parts[3];
    const tn_sym *place[4], *vector[5];
    for (uint32_t d = 0; d <= axes; d++)
        place[d] = d == 0 ? sizes[0] : tn_cv_size(cv, 1);
    for (uint32_t row = 0; row < axes; row++) {
        tn_value *sum = NULL;
        for (uint32_t column = 0; column <= axes; column++) {
            tn_value *weight = component(cv, component(cv, x, 1, row), 2, column);
            weight = tn_kb_reshape(kb, weight, place, axes + 1);
            if (column < axes) { /* x is the last axis */
                uint32_t axis = axes - 1 - column;
                for (uint32_t d = 0; d < axes; d++)
                    vector[d] = d == axis ? dims[1 + d] : tn_cv_size(cv, 1);
                tn_value *at = positions(cv, dims[1 + axis], tn_value_dtype(x),
                                         tn_cv_bool(cv, "align_corners"));
                weight = tn_kb_map2(kb, TN_PRIM_MUL, weight, tn_kb_reshape(kb, at, vector, axes));
            }
            sum = sum ? tn_kb_map2(kb, TN_PRIM_ADD, sum, weight) : weight;
        }
        parts[row] = tn_kb_unsqueeze(kb, tn_kb_expand(kb, sum, dims, axes + 1), axes + 1);
    }
    tn_value *y = tn_kb_concat(kb, parts, axes, axes + 1);
    return set_result(cv, tn_kb_cast(kb, y, theta->type.dtype));
}

/* ---- indices ----------------------------------------------------------------------------------
 */

enum { MOST_INDICES = 1 << 20 };

/* Rows and columns of a triangle: a constant, as all its arguments are. The entry's prim is lt for
 * the lower one. */
static tn_status convert_triangle_indices(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    int64_t rows = tn_cv_int(cv, "row"), columns = tn_cv_int(cv, "col");
    int64_t offset = tn_cv_int(cv, "offset"), count = 0, *indices = NULL;
    bool is_lower = tn_cv_prim(cv) == TN_PRIM_LT;
    if (rows < 0 || columns < 0 || rows > MOST_INDICES || columns > MOST_INDICES ||
        rows * columns > MOST_INDICES)
        return tn_cv_refuse(cv, "the matrix is %lld by %lld, accepted are up to %d elements",
                            (long long)rows, (long long)columns, MOST_INDICES);
    TN_ARENA_TRY(kb->graph->arena, indices, (size_t)(2 * rows * columns) + 1);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                if (is_lower ? c - r <= offset : c - r >= offset)
                    indices[count++] = pass == 0 ? r : c;
    tn_type type = {.dtype = TN_I64, .rank = 2};
    type.dims[0] = tn_cv_size(cv, 2);
    type.dims[1] = tn_cv_size(cv, count / 2);
    tn_value *y = tn_kb_const(kb, &type, indices, (size_t)count * sizeof *indices);
    return set_result(cv, tn_kb_cast(kb, y, tn_cv_dtype(cv, "dtype", TN_I64)));
}

#define CROSSES                                                                                    \
    "@rtol=1e-5 atol=1e-6\n"                                                                       \
    "(f32[2,3], f32[2,3])@batch\n"                                                                 \
    "(f32[4,3]{nc,nan}, f32[1,3])@batch\n"                                                         \
    "(i64[2,3], i64[2,3])@batch\n"                                                                 \
    "(f32[0,3], f32[0,3])@static\n"
#define TRIANGLES "(3, 4)\n(4, 3, 1)\n(4, 3, -2)\n(0, 3)\n(1, 1, dtype=torch.int32)\n"

static const tn_op_entry entries[] = {
    {"aten::ger(Tensor self, Tensor vec2) -> Tensor", convert_ger,
     "(f32[3], f32[4]{nan})\n(i64[1], i64[2])\n(f32[0], f32[3])\n(bf16[3], bf16[2])\n",
     TN_PRIM_NONE},
    {"aten::addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> "
     "Tensor",
     convert_addr,
     "(f32[3,4], f32[3], f32[4])\n(f32[4]{nan}, f32[3], f32[4], beta=0)\n"
     "(f32[3,4]{nc}, f32[3], f32[4], beta=0.5, alpha=2)\n(i64[2,1], i64[2], i64[1])\n"
     "(f32[0,4], f32[0], f32[4])\n(bf16[3,4], bf16[3], bf16[4], beta=0.5)\n",
     TN_PRIM_NONE},
    {"aten::addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> "
     "Tensor",
     convert_addbmm,
     "@rtol=1e-5 atol=2e-6\n"
     "(f32[2,4], f32[3,2,5], f32[3,5,4])\n(f32[4]{nan}, f32[3,2,5], f32[3,5,4], beta=0)\n"
     "(f64[1,1], f64[1,1,1], f64[1,1,1], beta=2, alpha=0.5)\n",
     TN_PRIM_NONE},
    {"aten::inner(Tensor self, Tensor other) -> Tensor", convert_inner,
     "@rtol=1e-5 atol=2e-6\n"
     "(f32[3], f32[3])\n(f32[2,3], f32[4,3]{nc})\n(f32[2,4,3], f32[3])\n(f32[], f32[2])\n"
     "(f32[2,0], f32[3,0])\n(f64[2,2,3], f64[2,1,3])\n",
     TN_PRIM_NONE},
    {"aten::vdot(Tensor self, Tensor other) -> Tensor", convert_vdot,
     "@rtol=1e-5 atol=2e-6\n(f32[5], f32[5])\n(f32[1], f32[1]{nan})\n(f32[0], f32[0])\n"
     "(f64[9], f64[9])\n(i64[4], i64[4])\n",
     TN_PRIM_NONE},
    {"aten::kron(Tensor self, Tensor other) -> Tensor", convert_kron,
     "(f32[2,3], f32[4,5]{nan})\n(f32[3], i64[2,2])\n(f32[], f32[2])\n(i64[2,1,2], i64[1,3,2])\n"
     "(f32[0,2], f32[2,2])\n(bf16[2], bf16[3])\n",
     TN_PRIM_NONE},
    {"aten::cross(Tensor self, Tensor other, int? dim=None) -> Tensor", convert_cross,
     CROSSES "(f32[3,2], f32[3,2])@static\n(f32[2,3,4], f32[2,3,4], 1)@batch\n", TN_PRIM_NONE},
    {"aten::linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor", convert_cross,
     CROSSES "(f64[3,2], f64[3,2], dim=0)@static\n", TN_PRIM_NONE},
    {"aten::affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor",
     convert_affine_grid,
     "@rtol=1e-5 atol=2e-6\n"
     "(f32[2,2,3], [2,3,4,5], False)\n(f32[1,2,3]{nc}, [1,1,3,1], True)\n"
     "(f64[1,3,4], [1,2,2,3,4], True)\n(f32[1,3,4], [1,2,2,3,1], False)\n",
     TN_PRIM_NONE},
    {"aten::tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_triangle_indices, TRIANGLES, TN_PRIM_LT},
    {"aten::triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_triangle_indices, TRIANGLES, TN_PRIM_LE},
};

const tn_op_family tn_ops_matrix = {"matrix", entries, sizeof entries / sizeof *entries};
