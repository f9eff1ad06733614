/* ops_join.c: tensors made by joining, padding, rolling and masking others. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* The arguments of a list in their common dtype, in the arena. */
static tn_status promoted_list(tn_cv *cv, const char *name, tn_value ***out_values,
                               uint32_t *out_count) {
    tn_value *const *given;
    uint32_t count = tn_cv_tensors(cv, name, &given);
    tn_promotion promotion = {0};
    *out_count = count;
    *out_values = NULL;
    if (count == 0)
        return tn_cv_refuse(cv, "%s is empty, accepted is at least one tensor", name);
    for (uint32_t i = 0; i < count; i++)
        tn_promote_tensor(&promotion, given[i]);
    tn_dtype dtype = tn_promoted(&promotion);
    if (dtype == TN_DTYPE_NONE)
        return tn_cv_refuse(cv,
                            "%s have dtypes without a common one, accepted are dtypes that PyTorch "
                            "promotes",
                            name);
    tn_value **values;
    TN_ARENA_TRY(cv->kb->graph->arena, values, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = tn_kb_cast(cv->kb, given[i], dtype);
    *out_values = values;
    return NULL;
}

static tn_status convert_cat(tn_cv *cv) {
    tn_value **values;
    uint32_t count, kept = 0;
    TN_TRY(promoted_list(cv, "tensors", &values, &count));
    /* PyTorch skips tensors of shape [0] whatever the others' rank is. */
    for (uint32_t i = 0; i < count; i++)
        if (tn_value_rank(values[i]) != 1 || !tn_sym_is(values[i]->type.dims[0], 0))
            values[kept++] = values[i];
    if (kept == 0)
        return set_result(cv, values[0]);
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(values[0]));
    if (tn_value_rank(values[0]) == 0)
        return tn_cv_refuse(cv, "tensors have rank 0, accepted is rank from 1");
    return set_result(cv, kept == 1 ? values[0] : tn_kb_concat(cv->kb, values, kept, dim));
}

static tn_status convert_stack(tn_cv *cv) {
    tn_value **values;
    uint32_t count;
    TN_TRY(promoted_list(cv, "tensors", &values, &count));
    uint32_t dim = tn_cv_dim(cv, "dim", tn_value_rank(values[0]) + 1);
    for (uint32_t i = 0; i < count; i++)
        values[i] = tn_kb_unsqueeze(cv->kb, values[i], dim);
    return set_result(cv, count == 1 ? values[0] : tn_kb_concat(cv->kb, values, count, dim));
}

/* Tensor i of meshgrid varies along dim i, except that "xy" swaps the first two dims. */
static tn_status meshgrid(tn_cv *cv, bool is_swapped) {
    tn_value *const *given;
    uint32_t rank = tn_cv_tensors(cv, "tensors", &given);
    const tn_sym *dims[TN_MAX_RANK];
    if (rank > TN_MAX_RANK)
        return tn_cv_refuse(cv, "%u tensors, accepted are up to %d", rank, TN_MAX_RANK);
    bool is_xy = is_swapped && rank >= 2;
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t place = is_xy && i < 2 ? 1 - i : i;
        dims[place] = tn_value_rank(given[i]) ? given[i]->type.dims[0] : tn_cv_size(cv, 1);
    }
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t place = is_xy && i < 2 ? 1 - i : i;
        const tn_sym *shape[TN_MAX_RANK];
        for (uint32_t d = 0; d < rank; d++)
            shape[d] = d == place ? dims[d] : tn_cv_size(cv, 1);
        tn_value *x = tn_kb_reshape(cv->kb, given[i], shape, rank);
        tn_cv_set_result(cv, i, tn_kb_expand(cv->kb, x, dims, rank));
    }
    return NULL;
}

static tn_status convert_meshgrid(tn_cv *cv) {
    return meshgrid(cv, false);
}

static tn_status convert_meshgrid_indexing(tn_cv *cv) {
    tn_str indexing = tn_cv_str(cv, "indexing");
    if (!tn_str_is(indexing, "ij") && !tn_str_is(indexing, "xy"))
        return tn_cv_refuse(cv, "indexing is \"%.*s\", accepted are ij and xy",
                            TN_STR_ARG(indexing));
    return meshgrid(cv, tn_str_is(indexing, "xy"));
}

/* ---- padding
 * ------------------------------------------------------------------------------------------ */

/* pads: lo and hi of the last dim, then of the one before, ...; negative ones cut. */
static tn_status pad(tn_cv *cv, const tn_sym *const *pads, uint32_t count, const char *mode,
                     double value) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *lo[TN_MAX_RANK], *hi[TN_MAX_RANK], *zero = tn_cv_size(cv, 0);
    uint32_t rank = x->type.rank;
    if (count % 2 != 0 || count / 2 > rank)
        return tn_cv_refuse(cv, "pad has %u elements, accepted are two per dim of rank %u", count,
                            rank);
    for (uint32_t d = 0; d < rank; d++)
        lo[d] = hi[d] = zero;
    for (uint32_t i = 0; i < count / 2; i++) {
        uint32_t d = rank - 1 - i;
        const tn_sym *before = pads[2 * i], *after = pads[2 * i + 1];
        const tn_sym *cut_lo = tn_sym_max(syms, zero, tn_sym_muli(syms, before, -1));
        const tn_sym *cut_hi = tn_sym_max(syms, zero, tn_sym_muli(syms, after, -1));
        const tn_sym *size = tn_value_size(x, d);
        size = tn_sym_sub(syms, size, tn_sym_add(syms, cut_lo, cut_hi));
        x = tn_kb_slice(cv->kb, x, d, cut_lo, size, 1);
        lo[d] = tn_sym_max(syms, zero, before);
        hi[d] = tn_sym_max(syms, zero, after);
    }
    return set_result(cv, tn_kb_pad(cv->kb, x, lo, hi, mode, value));
}

enum { PADS_MAX = 2 * TN_MAX_RANK };

static tn_status convert_pad(tn_cv *cv) {
    const tn_sym *pads[PADS_MAX];
    uint32_t count = tn_cv_syms(cv, "pad", pads, PADS_MAX);
    tn_str mode = tn_cv_str(cv, "mode");
    double value = tn_cv_is_none(cv, "value") ? 0 : tn_cv_float(cv, "value");
    if (tn_str_is(mode, "constant"))
        return pad(cv, pads, count, "constant", value);
    if (tn_str_is(mode, "reflect"))
        return pad(cv, pads, count, "reflect", 0);
    if (tn_str_is(mode, "replicate"))
        return pad(cv, pads, count, "replicate", 0);
    if (tn_str_is(mode, "circular"))
        return pad(cv, pads, count, "circular", 0);
    return tn_cv_refuse(cv,
                        "mode is \"%.*s\", accepted are constant, reflect, replicate and circular",
                        TN_STR_ARG(mode));
}

static tn_status convert_constant_pad(tn_cv *cv) {
    const tn_sym *pads[PADS_MAX];
    uint32_t count = tn_cv_syms(cv, "pad", pads, PADS_MAX);
    return pad(cv, pads, count, "constant", tn_cv_float(cv, "value"));
}

static tn_status convert_reflection_pad(tn_cv *cv) {
    const tn_sym *pads[PADS_MAX];
    return pad(cv, pads, tn_cv_syms(cv, "padding", pads, PADS_MAX), "reflect", 0);
}

static tn_status convert_replication_pad(tn_cv *cv) {
    const tn_sym *pads[PADS_MAX];
    return pad(cv, pads, tn_cv_syms(cv, "padding", pads, PADS_MAX), "replicate", 0);
}

/* ---- order along a dim
 * ----------------------------------------------------------------------------------- */

static tn_status convert_flip(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dims[TN_MAX_RANK], count = 0, mask = 0;
    const tn_arg *arg = tn_cv_arg(cv, "dims");
    if (arg->count)
        mask = tn_cv_dim_mask(cv, "dims", x->type.rank);
    for (uint32_t d = 0; d < x->type.rank; d++)
        if (mask >> d & 1)
            dims[count++] = d;
    return set_result(cv, count ? tn_kb_flip(cv->kb, x, dims, count) : x);
}

/* The last `shift` elements go to the front. */
static tn_value *roll_dim(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *shift) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *size = tn_value_size(x, dim), *zero = tn_cv_size(cv, 0);
    if (!size || tn_sym_is(size, 0))
        return x;
    size = tn_sym_max(syms, size, tn_cv_size(cv, 1)); /* no division by 0 where it may be empty */
    const tn_sym *start = tn_sym_mod(syms, tn_sym_muli(syms, shift, -1), size);
    size = tn_value_size(x, dim);
    if (start && tn_sym_is(start, 0))
        return x;
    tn_value *parts[2] = {
        tn_kb_slice(cv->kb, x, dim, start, tn_sym_sub(syms, size, start), 1),
        tn_kb_slice(cv->kb, x, dim, zero, start, 1),
    };
    return tn_kb_concat(cv->kb, parts, 2, dim);
}

static tn_status convert_roll(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *shifts[TN_MAX_RANK];
    int64_t dims[TN_MAX_RANK];
    uint32_t count = tn_cv_syms(cv, "shifts", shifts, TN_MAX_RANK), rank = x->type.rank;
    uint32_t dim_count =
        tn_cv_arg(cv, "dims")->count ? tn_cv_ints(cv, "dims", dims, TN_MAX_RANK) : 0;
    if (rank == 0)
        return set_result(cv, x);
    if (dim_count == 0 && count == 1) {
        tn_value *flat = roll_dim(cv, tn_cv_flatten(cv, x, 0, rank - 1), 0, shifts[0]);
        return set_result(cv, tn_kb_reshape(cv->kb, flat, x->type.dims, rank));
    }
    if (dim_count != count)
        return tn_cv_refuse(cv, "%u shifts and %u dims, accepted is one shift per dim", count,
                            dim_count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t dim = dims[i] < 0 ? dims[i] + rank : dims[i];
        if (dim < 0 || dim >= rank)
            return tn_cv_refuse(cv, "dims[%u] is %lld, accepted are dims of rank %u", i,
                                (long long)dims[i], rank);
        x = roll_dim(cv, x, (uint32_t)dim, shifts[i]);
    }
    return set_result(cv, x);
}

/* ---- triangles
 * ------------------------------------------------------------------------------------------- */

/* tril keeps column - row <= diagonal, triu column - row >= diagonal. */
static tn_status triangle(tn_cv *cv, bool is_lower) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t rank = x->type.rank;
    if (rank < 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted is rank from 2", rank);
    const tn_sym *one = tn_cv_size(cv, 1);
    const tn_sym *rows[2] = {x->type.dims[rank - 2], one},
                 *columns[2] = {one, x->type.dims[rank - 1]};
    tn_value *row = tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, 1);
    tn_value *column = tn_kb_iota(kb, TN_I64, columns, 2, 1, 0, 1);
    tn_value *edge = tn_kb_map2(kb, TN_PRIM_ADD, row, tn_cv_scalar(cv, "diagonal", TN_I64));
    tn_value *is_kept = is_lower ? tn_kb_map2(kb, TN_PRIM_LE, column, edge)
                                 : tn_kb_map2(kb, TN_PRIM_LE, edge, column);
    return set_result(cv, tn_kb_select(kb, is_kept, x, tn_kb_float(kb, x->type.dtype, 0)));
}

static tn_status convert_tril(tn_cv *cv) {
    return triangle(cv, true);
}

static tn_status convert_triu(tn_cv *cv) {
    return triangle(cv, false);
}

/* ---- pixels and windows
 * ------------------------------------------------------------------------------------ */

static tn_status convert_pixel_shuffle(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t r = tn_cv_int(cv, "upscale_factor");
    uint32_t rank = x->type.rank;
    if (rank < 3 || r < 1)
        return tn_cv_refuse(cv,
                            "self has rank %u and the factor is %lld, accepted are rank from 3 and "
                            "factor from 1",
                            rank, (long long)r);
    const tn_sym *lead[TN_MAX_RANK];
    for (uint32_t d = 0; d + 3 < rank; d++)
        lead[d] = x->type.dims[d];
    const tn_sym *c = tn_sym_floordiv(syms, x->type.dims[rank - 3], tn_cv_size(cv, r * r));
    const tn_sym *h = x->type.dims[rank - 2], *w = x->type.dims[rank - 1], *s = tn_cv_size(cv, r);
    const tn_sym *flat = tn_cv_size(cv, 1);
    for (uint32_t d = 0; d + 3 < rank; d++)
        flat = tn_sym_mul(syms, flat, lead[d]);
    const tn_sym *split[6] = {tn_sym_mul(syms, flat, c), s, s, h, w, NULL};
    static const uint32_t order[5] = {0, 3, 1, 4, 2};
    tn_value *y = tn_kb_permute(cv->kb, tn_kb_reshape(cv->kb, x, split, 5), order);
    lead[rank - 3] = c;
    lead[rank - 2] = tn_sym_muli(syms, h, r);
    lead[rank - 1] = tn_sym_muli(syms, w, r);
    return set_result(cv, tn_kb_reshape(cv->kb, y, lead, rank));
}

static tn_status convert_pixel_unshuffle(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    int64_t r = tn_cv_int(cv, "downscale_factor");
    uint32_t rank = x->type.rank;
    if (rank < 3 || r < 1)
        return tn_cv_refuse(cv,
                            "self has rank %u and the factor is %lld, accepted are rank from 3 and "
                            "factor from 1",
                            rank, (long long)r);
    const tn_sym *dims[TN_MAX_RANK], *s = tn_cv_size(cv, r), *flat = tn_cv_size(cv, 1);
    for (uint32_t d = 0; d + 2 < rank; d++) {
        dims[d] = x->type.dims[d];
        flat = tn_sym_mul(syms, flat, dims[d]);
    }
    const tn_sym *h = tn_sym_floordiv(syms, x->type.dims[rank - 2], s);
    const tn_sym *w = tn_sym_floordiv(syms, x->type.dims[rank - 1], s);
    const tn_sym *split[5] = {flat, h, s, w, s};
    static const uint32_t order[5] = {0, 2, 4, 1, 3};
    tn_value *y = tn_kb_permute(cv->kb, tn_kb_reshape(cv->kb, x, split, 5), order);
    dims[rank - 3] = tn_sym_muli(syms, dims[rank - 3], r * r);
    dims[rank - 2] = h;
    dims[rank - 1] = w;
    return set_result(cv, tn_kb_reshape(cv->kb, y, dims, rank));
}

/* Windows of `size` every `step` elements of a dim; the position within the window goes last. */
static tn_status convert_unfold(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dimension", x->type.rank);
    int64_t size = tn_cv_int(cv, "size"), step = tn_cv_int(cv, "step");
    if (x->type.rank == 0 || x->type.rank == TN_MAX_RANK || size < 1 || step < 1)
        return tn_cv_refuse(
            cv,
            "rank %u, size %lld, step %lld, accepted are rank 1 to %d, size and step "
            "from 1",
            x->type.rank, (long long)size, (long long)step, TN_MAX_RANK - 1);
    const tn_sym *count = tn_sym_addi(syms, x->type.dims[dim], -size);
    count = tn_sym_addi(syms, tn_sym_floordiv(syms, count, tn_sym_const(syms, step)), 1);
    const tn_sym *rows[2] = {count, tn_cv_size(cv, 1)};
    const tn_sym *columns[2] = {tn_cv_size(cv, 1), tn_cv_size(cv, size)};
    tn_value *index =
        tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, (double)step),
                   tn_kb_iota(kb, TN_I64, columns, 2, 1, 0, 1));
    tn_value *y = tn_kb_take(kb, x, index, dim);
    return set_result(cv, tn_cv_move_dim(cv, y, dim + 1, x->type.rank));
}

/* ---- the family
 * ---------------------------------------------------------------------------------------------- */

#define TRIANGLES                                                                                  \
    "(f32[3,4])\n"                                                                                 \
    "(f32[3,4]{nc,nan}, 1)\n"                                                                      \
    "(f32[2,4,3], -1)\n"                                                                           \
    "(f32[0,3])\n"                                                                                 \
    "(f32[1,1], -1)\n"                                                                             \
    "(i64[3,3], 2)\n"                                                                              \
    "(bool[3,3])\n"                                                                                \
    "(bf16[3,3])\n"                                                                                \
    "(f16[3,3], -9)\n"                                                                             \
    "(f64[1,2,1,2,1,2,3,2])\n"                                                                     \
    "(u8[2,2])\n"

static const tn_op_entry entries[] = {
    {"aten::cat(Tensor[] tensors, int dim=0) -> Tensor", convert_cat,
     "([f32[2,3], f32[2,4]], 1)@static\n"
     "([f32[2,3]{nc,nan}, f32[1,3]])@static\n"
     "([f32[0,3], f32[2,3]])@static\n"
     "([f32[0], f32[2,3]], 1)@static\n"
     "([f32[2]])\n"
     "([i64[2], f32[3]])@static\n"
     "([bf16[2], f32[2]], -1)\n"
     "([bool[2], bool[1], bool[3]])@static\n"
     "([i64[2,3], i64[2,3]], -2)\n"
     "([f32[1,2,1,2,1,2,1,2], f32[1,2,1,2,1,2,1,2]], 6)\n"
     "([f32[B=2,3], f32[B,3], f32[S=4,3]])\n"
     "([f16[2], f16[2]])\n"
     "([f64[2], f64[2]])\n"
     "([u8[2], i8[2]])\n",
     TN_PRIM_NONE},
    {"aten::stack(Tensor[] tensors, int dim=0) -> Tensor", convert_stack,
     "([f32[2,3], f32[2,3]])\n"
     "([f32[2,3]{nc,nan}, f32[2,3]], -1)\n"
     "([f32[0], f32[0]], 1)\n"
     "([f32[], f32[]])\n"
     "([i64[2], f32[2]], 1)\n"
     "([bf16[2]], 0)\n"
     "([bool[2], bool[2]])\n"
     "([f32[1,2,1,2,1,2,1], f32[1,2,1,2,1,2,1]], 3)\n",
     TN_PRIM_NONE},
    {"aten::meshgrid(Tensor[] tensors) -> Tensor[]", convert_meshgrid,
     "([f32[2], f32[3]])\n"
     "([i64[2], i64[], i64[3]])\n"
     "([f32[0], f32[2]])\n"
     "([f32[1]])\n",
     TN_PRIM_NONE},
    {"aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]",
     convert_meshgrid_indexing,
     "([f32[2], f32[3]], indexing='ij')\n"
     "([f32[2]{nan}, f32[3], f32[4]], indexing='xy')\n"
     "([i64[0], i64[2]], indexing='xy')\n"
     "([bf16[3]], indexing='xy')\n"
     "([f32[1],f32[2],f32[1],f32[2],f32[1],f32[2],f32[1],f32[2]], indexing='ij')\n",
     TN_PRIM_NONE},
    {"aten::pad(Tensor self, SymInt[] pad, str mode=\"constant\", float? value=None) -> Tensor",
     convert_pad,
     "(f32[2,3], [1,2])\n"
     "(f32[2,3]{nc,nan}, [1,2,3,4], 'constant', 1.5)\n"
     "(f32[2,5], [-1,2])@static\n"
     "(f32[0,3], [1,1])\n"
     "(i64[3], [1,0], 'constant', 7.0)\n"
     "(f32[2,5], [2,1], 'reflect')@static\n"
     "(f32[1,2,4,5], [1,2,1,0], 'reflect')@static\n"
     "(f32[2,5], [2,1], 'replicate')@static\n"
     "(f32[2,5], [2,1], 'circular')@static\n"
     "(bf16[3], [1,1])\n"
     "(f32[2,3,4,5], [1,0,0,1], 'circular')@static\n"
     "(bool[2], [1,1], 'constant', 1.0)\n"
     "(f32[1,2,1,2,1,2,1,2], [1,1,0,2])\n"
     "(f32[2,3], [])\n"
     "(f64[2], [1,1])\n"
     "(f16[2], [1,1])\n",
     TN_PRIM_NONE},
    {"aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
     convert_constant_pad,
     "(f32[2,3], [1,2])\n"
     "(f32[2,3]{nc,nan}, [1,2,3,4], 1.5)\n"
     "(f32[2,5], [-1,-2])@static\n"
     "(i64[3], [1,0], 7)\n"
     "(bool[2], [1,1], True)\n"
     "(f32[0], [2,1])\n"
     "(f32[B=3,2], [0,0,0,B])\n"
     "(bf16[1,2,1,2,1,2,1,2], [1,1,0,2], 0.5)\n",
     TN_PRIM_NONE},
    {"aten::reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor", convert_reflection_pad,
     "(f32[2,5], [2,1])@static\n"
     "(f32[2,3,5]{nc,nan}, [0,4])@static\n"
     "(f64[1,5], [1,1])@static\n"
     "(bf16[1,2,5], [1,1])@static\n"
     "(f32[B=2,3,4], [1,1])\n",
     TN_PRIM_NONE},
    {"aten::reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor", convert_reflection_pad,
     "(f32[2,4,5], [2,1,0,3])@static\n"
     "(f32[2,3,4,5]{nc,nan}, [0,4,1,1])@static\n"
     "(bf16[1,4,5], [1,1,1,1])@static\n",
     TN_PRIM_NONE},
    {"aten::reflection_pad3d(Tensor self, SymInt[6] padding) -> Tensor", convert_reflection_pad,
     "(f32[2,3,4,5], [2,1,0,3,1,1])@static\n"
     "(f32[1,2,3,4,5]{nc,nan}, [0,4,1,1,0,0])@static\n",
     TN_PRIM_NONE},
    {"aten::replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor", convert_replication_pad,
     "(f32[2,5], [2,7])\n"
     "(f32[2,3,5]{nc,nan}, [0,4])\n"
     "(bf16[1,2,5], [1,1])\n",
     TN_PRIM_NONE},
    {"aten::replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor", convert_replication_pad,
     "(f32[2,4,5], [2,1,0,3])\n"
     "(f32[2,3,4,5]{nc,nan}, [0,4,1,1])\n"
     "(bf16[1,4,5], [1,1,1,1])\n",
     TN_PRIM_NONE},
    {"aten::replication_pad3d(Tensor self, SymInt[6] padding) -> Tensor", convert_replication_pad,
     "(f32[2,3,4,5], [2,1,0,3,1,1])\n"
     "(f32[1,2,3,4,5]{nc,nan}, [0,4,1,1,0,0])\n",
     TN_PRIM_NONE},
    {"aten::flip(Tensor self, int[] dims) -> Tensor", convert_flip,
     "(f32[2,3], [0])\n"
     "(f32[2,3]{nc,nan}, [0,-1])\n"
     "(f32[0,3], [0])\n"
     "(f32[2], [])\n"
     "(i64[3], [0])\n"
     "(bool[3], [0])\n"
     "(bf16[2,3,4], [1])\n"
     "(f32[1,2,1,2,1,2,1,2], [1,3,6])\n",
     TN_PRIM_NONE},
    {"aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor", convert_roll,
     "(f32[5], [2])\n"
     "(f32[2,3]{nc,nan}, [1])\n"
     "(f32[4,5], [1,-2], [0,1])\n"
     "(f32[4], [-9], [0])\n"
     "(f32[0,3], [1], [0])\n"
     "(i64[3], [0], [0])\n"
     "(f32[4,3], [1,1], [0,0])\n"
     "(bf16[4], [1], [-1])\n"
     "(bool[3], [1], [0])\n"
     "(f32[1,2,1,2,1,2,1,2], [1,1], [1,7])\n"
     "(f32[B=5,2], [B-1], [0])\n"
     "(f32[], [1])\n",
     TN_PRIM_NONE},
    {"aten::tril(Tensor self, SymInt diagonal=0) -> Tensor", convert_tril, TRIANGLES, TN_PRIM_NONE},
    {"aten::triu(Tensor self, SymInt diagonal=0) -> Tensor", convert_triu, TRIANGLES, TN_PRIM_NONE},
    {"aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor", convert_pixel_shuffle,
     "(f32[1,8,2,3], 2)@static\n"
     "(f32[9,2,2]{nc,nan}, 3)@static\n"
     "(f32[B=2,4,H=3,5], 2)\n"
     "(f32[0,4,2,2], 2)@static\n"
     "(bf16[1,2,1,1,2,4,2,2], 2)@static\n"
     "(i64[1,4,1,1], 1)@static\n",
     TN_PRIM_NONE},
    {"aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor", convert_pixel_unshuffle,
     "(f32[1,2,4,6], 2)@static\n"
     "(f32[1,3,3]{nc,nan}, 3)@static\n"
     "(f32[B=2,4,6,4], 2)\n"
     "(bf16[1,2,1,1,2,4,2,2], 2)@static\n"
     "(i64[1,4,1,1], 1)@static\n",
     TN_PRIM_NONE},
    {"aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", convert_unfold,
     "(f32[7], 0, 3, 2)\n"
     "(f32[2,7]{nc,nan}, 1, 2, 1)\n"
     "(f32[5,3], 0, 5, 1)\n"
     "(i64[6,2], -2, 2, 3)\n"
     "(bf16[0,4], 1, 2, 2)\n"
     "(f32[1,2,1,2,1,4,1], 5, 2, 1)\n"
     "(bool[4], 0, 1, 1)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_join = {"join", entries, sizeof entries / sizeof *entries};
