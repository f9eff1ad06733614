/* ops_view.c: other shapes, other order of dims, and parts of a tensor; nothing is computed. */
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

/* ---- parts
 * ------------------------------------------------------------------------------------------------------
 */

static tn_status convert_slice(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    int64_t step = tn_cv_int(cv, "step");
    if (x->type.rank == 0 || step < 1)
        return tn_cv_refuse(cv, "rank %u and step %lld, accepted are rank and step from 1",
                            x->type.rank, (long long)step);
    return set_result(cv,
                      tn_cv_slice(cv, x, dim, tn_cv_sym(cv, "start"), tn_cv_sym(cv, "end"), step));
}

static tn_status convert_narrow(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    const tn_sym *start = tn_cv_sym(cv, "start"), *length = tn_cv_sym(cv, "length");
    if (start->max < 0)
        start = tn_sym_add(syms, start, tn_value_size(x, dim));
    return set_result(cv, tn_kb_slice(cv->kb, x, dim, start, length, 1));
}

static tn_value *select_at(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *index) {
    tn_syms *syms = cv->kb->graph->syms;
    if (index && index->max < 0)
        index = tn_sym_add(syms, index, tn_value_size(x, dim));
    else if (index && index->min < 0)
        index = tn_sym_select(syms, tn_sym_lt(syms, index, tn_cv_size(cv, 0)),
                              tn_sym_add(syms, index, tn_value_size(x, dim)), index);
    return tn_kb_squeeze(cv->kb, tn_kb_slice(cv->kb, x, dim, index, tn_cv_size(cv, 1), 1), dim);
}

static tn_status convert_select(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    if (x->type.rank == 0)
        return tn_cv_refuse(cv, "self has rank 0, accepted is rank from 1");
    return set_result(cv, select_at(cv, x, dim, tn_cv_sym(cv, "index")));
}

static tn_status convert_unbind(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    if (!tn_value_size(x, dim) || !tn_sym_is(x->type.dims[dim], cv->node->result_count))
        return tn_cv_refuse(cv,
                            "dim %u has a size that depends on the input's shape, accepted is a "
                            "constant",
                            dim);
    for (uint32_t i = 0; i < cv->node->result_count; i++)
        tn_cv_set_result(cv, i, select_at(cv, x, dim, tn_cv_size(cv, i)));
    return NULL;
}

/* Parts of this size, the last one with what is left. */
static tn_status split_even(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *part) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *total = tn_value_size(x, dim);
    for (uint32_t i = 0; i < cv->node->result_count; i++) {
        const tn_sym *start = tn_sym_min(syms, tn_sym_muli(syms, part, i), total);
        const tn_sym *size = tn_sym_min(syms, part, tn_sym_sub(syms, total, start));
        tn_cv_set_result(cv, i, tn_kb_slice(cv->kb, x, dim, start, size, 1));
    }
    return NULL;
}

static tn_status convert_split(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    return split_even(cv, x, dim, tn_cv_sym(cv, "split_size"));
}

static tn_status convert_chunk(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    int64_t chunks = tn_cv_int(cv, "chunks");
    if (chunks < 1)
        return tn_cv_refuse(cv, "chunks is %lld, accepted are from 1", (long long)chunks);
    return split_even(cv, x, dim,
                      tn_sym_ceildiv(syms, tn_value_size(x, dim), tn_sym_const(syms, chunks)));
}

static tn_status split_sizes(tn_cv *cv, const char *name) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    const tn_arg *sizes = tn_cv_arg(cv, name);
    const tn_sym *start = tn_cv_size(cv, 0);
    for (uint32_t i = 0; i < sizes->count; i++) {
        tn_cv_set_result(cv, i, tn_kb_slice(cv->kb, x, dim, start, sizes->ints[i], 1));
        start = tn_sym_add(syms, start, sizes->ints[i]);
    }
    return NULL;
}

static tn_status convert_split_with_sizes(tn_cv *cv) {
    return split_sizes(cv, "split_sizes");
}

static tn_status convert_split_sizes(tn_cv *cv) {
    return split_sizes(cv, "split_size");
}

static tn_status convert_diagonal(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t rank = x->type.rank;
    uint32_t dim1 = tn_cv_dim(cv, "dim1", rank), dim2 = tn_cv_dim(cv, "dim2", rank);
    int64_t offset = tn_cv_int(cv, "offset");
    if (rank < 2 || dim1 == dim2)
        return tn_cv_refuse(cv, "dims %u and %u of rank %u, accepted are two different ones", dim1,
                            dim2, rank);
    /* The two dims go last; element i of the diagonal is flat element i * (columns + 1). */
    x = tn_cv_move_dim(cv, x, dim1, rank - 1);
    x = tn_cv_move_dim(cv, x, dim2 > dim1 ? dim2 - 1 : dim2, rank - 1);
    x = tn_cv_slice(cv, x, rank - (offset < 0 ? 2 : 1),
                    tn_cv_size(cv, offset < 0 ? -offset : offset), NULL, 1);
    const tn_sym *rows = tn_value_size(x, rank - 2), *columns = tn_value_size(x, rank - 1);
    if (!columns || !tn_sym_is_const(columns))
        return tn_cv_refuse(cv,
                            "dim %u has a size that depends on the input's shape, accepted is a "
                            "constant",
                            dim2);
    const tn_sym *count = tn_sym_min(syms, rows, columns);
    x = tn_kb_slice(kb, x, rank - 2, tn_cv_size(cv, 0), count, 1);
    x = tn_cv_flatten(cv, x, rank - 2, rank - 1);
    const tn_sym *zero = tn_cv_size(cv, 0);
    return set_result(cv, tn_kb_slice(kb, x, rank - 2, zero, count, columns->value + 1));
}

/* ---- the family
 * ----------------------------------------------------------------------------------------------------
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
#define SPLITS                                                                                     \
    "(f32[7,3], 3)@static\n"                                                                       \
    "(f32[2,7]{nc,nan}, 2, 1)@static\n"                                                            \
    "(f32[6,2], 6, -2)@static\n"                                                                   \
    "(i64[4], 1)@static\n"                                                                         \
    "(f32[B=3,8], 4, 1)\n"                                                                         \
    "(bool[5], 2)@static\n"                                                                        \
    "(bf16[4], 3)@static\n"                                                                        \
    "(f32[1,2,1,2,1,2,1,2], 1, 3)@static\n"                                                        \
    "(f32[0,4], 2, 1)@static\n"                                                                    \
    "(f64[4], 2)@static\n"                                                                         \
    "(f16[4], 2)@static\n"                                                                         \
    "(i32[4], 2)@static\n"
#define SIZES                                                                                      \
    "(f32[7,3], [3,4])@static\n"                                                                   \
    "(f32[2,7]{nc,nan}, [2,0,5], 1)@static\n"                                                      \
    "(i64[4], [4])@static\n"                                                                       \
    "(f32[B=3,8], [3,5], -1)\n"                                                                    \
    "(f32[B=4,2], [B-1,1])\n"                                                                      \
    "(bool[5], [2,3])@static\n"                                                                    \
    "(bf16[4], [3,1])@static\n"                                                                    \
    "(f32[0,4], [2,2], 1)@static\n"                                                                \
    "(f32[1,2,1,2,1,2,1,2], [1,1], 3)@static\n"
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
    {"aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt "
     "step=1) -> Tensor(a)",
     convert_slice,
     "(f32[5,4], 0, 1, 3)@static\n"
     "(f32[5,4]{nc,nan}, 1, -3, -1)\n"
     "(f32[5], 0, 0, 9223372036854775807)\n"
     "(f32[5], 0, 1, 99, 2)\n"
     "(f32[5], 0, 3, 1)@static\n"
     "(f32[5], 0, -99, 2)\n"
     "(f32[0], 0, 0, 4)\n"
     "(i64[7], 0, None, None, 3)\n"
     "(bool[5], 0, 1)\n"
     "(bf16[5], 0, None, 2)\n"
     "(f32[1,2,1,2,1,2,1,4], 7, 1, 3)@static\n"
     "(f32[B=5,2], 0, 0, B-1)\n"
     "(f32[B=5,2], 0, B-2, B)\n"
     "(f32[B=5], 0, 99, 100)\n"
     "(f32[B=5], 0, -2, B+7)\n"
     "(f64[5], 0, 1, -1)\n"
     "(f16[5], 0, 2)\n"
     "(u8[5], -1, 2)\n",
     TN_PRIM_NONE},
    {"aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)",
     convert_narrow,
     "(f32[5,4], 0, 1, 3)\n"
     "(f32[5,4]{nc,nan}, 1, -3, 2)\n"
     "(f32[5], 0, 5, 0)@static\n"
     "(i64[7], -1, 0, 7)@static\n"
     "(f32[1,2,1,2,1,2,1,4], 7, 1, 3)\n"
     "(bf16[B=5], 0, 1, B-1)\n",
     TN_PRIM_NONE},
    {"aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", convert_select,
     "(f32[5,4], 0, 1)\n"
     "(f32[5,4]{nc,nan}, 1, -1)\n"
     "(f32[3], 0, 2)\n"
     "(f32[0,3], 1, 1)\n"
     "(i64[3,2], -1, 0)\n"
     "(bool[3], 0, 0)\n"
     "(bf16[3,2], 0, 1)\n"
     "(f32[1,2,1,2,1,2,1,2], 5, 1)\n"
     "(f32[B=4,2], 0, B-1)\n"
     "(f64[2], 0, 0)\n"
     "(f16[2], 0, 0)\n",
     TN_PRIM_NONE},
    {"aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]", convert_unbind,
     "(f32[3,2])@static\n"
     "(f32[2,3]{nc,nan}, 1)@static\n"
     "(f32[2,0], 0)@static\n"
     "(i64[3])@static\n"
     "(bool[2])@static\n"
     "(bf16[B=4,2], -1)\n"
     "(f32[1,2,1,2,1,2,1,2], 5)@static\n",
     TN_PRIM_NONE},
    {"aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
     convert_split, SPLITS, TN_PRIM_NONE},
    {"aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]",
     convert_split_sizes, SIZES, TN_PRIM_NONE},
    {"aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]",
     convert_split_with_sizes, SIZES, TN_PRIM_NONE},
    {"aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]", convert_chunk,
     "(f32[7,3], 3)@static\n"
     "(f32[2,7]{nc,nan}, 2, 1)@static\n"
     "(f32[5], 4)@static\n"
     "(f32[2], 5)@static\n"
     "(i64[4], 1)\n"
     "(bool[5], 2)@static\n"
     "(f32[B=3,8], 2, -1)\n"
     "(bf16[1,2,1,2,1,2,1,2], 2, 3)@static\n"
     "(f32[0,4], 2, 1)@static\n"
     "(f32[B=6,2], 2)\n",
     TN_PRIM_NONE},
    {"aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
     convert_diagonal,
     "(f32[3,4])@static\n"
     "(f32[3,4]{nc,nan}, 1)@static\n"
     "(f32[4,3], -2)@static\n"
     "(f32[2,3,4], 0, 1, 2)@static\n"
     "(f32[2,3,4], 1, 2, 0)@static\n"
     "(f32[0,3])@static\n"
     "(i64[2,2])@static\n"
     "(bf16[B=3,4])\n"
     "(f32[1,2,1,2,1,2,1,2], 0, 1, 3)@static\n"
     "(f32[3,4], 9)@static\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_view = {"view", entries, sizeof entries / sizeof *entries};
