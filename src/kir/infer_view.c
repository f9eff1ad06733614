/* infer_view.c: result types of views, of index primitives, and of sort and topk. */
#include "kir/infer.h"

/* ---- views ----------------------------------------------------------------------------------- */

static bool check_rank(tn_infer *in, uint32_t rank) {
    if (rank > TN_MAX_RANK)
        tn_infer_fail(in, "rank is %u, wanted at most %d", rank, TN_MAX_RANK);
    return !in->status;
}

/* Result dims are list argument 1. */
static bool result_from_shape(tn_infer *in, tn_dtype dtype) {
    const tn_arg *shape = &in->args[1];
    if (!check_rank(in, shape->count))
        return false;
    in->results[0] = (tn_type){.dtype = dtype, .rank = shape->count};
    for (uint32_t d = 0; d < shape->count; d++)
        in->results[0].dims[d] = shape->ints[d];
    return true;
}

static void infer_reshape(tn_infer *in, const tn_type *x) {
    if (!result_from_shape(in, x->dtype))
        return;
    const tn_sym *from = tn_type_elems(in->syms, x);
    const tn_sym *to = tn_type_elems(in->syms, &in->results[0]);
    if (!from || !to || tn_infer_same_dim(in, from, to))
        return; /* a failed product shows as a NULL dim or in the table's status */
    tn_infer_fail(in, "x is %s, wanted the number of elements of %s", TN_TYPE_TEXT(x),
                  TN_TYPE_TEXT(&in->results[0]));
}

static void infer_permute(tn_infer *in, const tn_type *x) {
    if (!tn_infer_list(in, 1, x->rank, "order"))
        return;
    uint32_t seen = 0;
    in->results[0] = *x;
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t dim = tn_infer_int_at(in, 1, i);
        if (in->status)
            return;
        if (dim < 0 || dim >= x->rank || (seen >> dim & 1)) {
            tn_infer_fail(in, "order is no permutation of %u dims: element %u is %lld", x->rank, i,
                          (long long)dim);
            return;
        }
        seen |= 1u << dim;
        in->results[0].dims[i] = x->dims[dim];
    }
}

static void infer_expand(tn_infer *in, const tn_type *x) {
    if (!result_from_shape(in, x->dtype))
        return;
    const tn_type *result = &in->results[0];
    bool fits = result->rank >= x->rank;
    for (uint32_t i = 0; fits && i < x->rank; i++) {
        const tn_sym *from = x->dims[i], *to = result->dims[result->rank - x->rank + i];
        fits = tn_sym_is(from, 1) || tn_infer_same_dim(in, from, to) || from->min <= 1;
    }
    if (!fits)
        tn_infer_fail(in, "x is %s, wanted a type that expands to %s", TN_TYPE_TEXT(x),
                      TN_TYPE_TEXT(result));
}

static void infer_slice(tn_infer *in, const tn_type *x) {
    if (!tn_infer_list(in, 1, x->rank, "starts") || !tn_infer_list(in, 2, x->rank, "sizes") ||
        !tn_infer_list(in, 3, x->rank, "steps"))
        return;
    in->results[0] = *x;
    for (uint32_t d = 0; d < x->rank; d++) {
        const tn_sym *start = in->args[1].ints[d], *size = in->args[2].ints[d];
        int64_t step = tn_infer_int_at(in, 3, d);
        if (step < 1)
            tn_infer_fail(in, "step of dim %u is %lld, wanted at least 1", d, (long long)step);
        const tn_sym *last = tn_sym_add(
            in->syms, start, tn_sym_muli(in->syms, tn_sym_addi(in->syms, size, -1), step));
        const tn_sym *end = last ? tn_sym_addi(in->syms, last, 1) : NULL;
        bool is_outside = start->max < 0 || size->max < 0;
        if (end && size->min >= 1)
            is_outside = is_outside || tn_sym_known_le(in->syms, end, x->dims[d]) == 0;
        if (is_outside)
            tn_infer_fail(in, "slice leaves dim %u", d);
        if (in->status)
            return;
        in->results[0].dims[d] = size;
    }
}

static void infer_flip(tn_infer *in, const tn_type *x) {
    uint32_t seen = 0;
    for (uint32_t i = 0; i < in->args[1].count; i++) {
        int64_t dim = tn_infer_int_at(in, 1, i);
        if (in->status)
            return;
        if (dim < 0 || dim >= x->rank || (seen >> dim & 1)) {
            tn_infer_fail(in, "dims: element %u is %lld, wanted each of 0 to %d at most once", i,
                          (long long)dim, (int)x->rank - 1);
            return;
        }
        seen |= 1u << dim;
    }
    in->results[0] = *x;
}

static void infer_pad(tn_infer *in, const tn_type *x) {
    if (!tn_infer_list(in, 1, x->rank, "lo") || !tn_infer_list(in, 2, x->rank, "hi") ||
        !tn_infer_word(in, 3, "constant reflect replicate circular"))
        return;
    in->results[0] = *x;
    for (uint32_t d = 0; d < x->rank; d++) {
        const tn_sym *lo = in->args[1].ints[d], *hi = in->args[2].ints[d];
        if (lo->max < 0 || hi->max < 0) {
            tn_infer_fail(in, "padding of dim %u is negative", d);
            return;
        }
        bool is_reflect = tn_str_is(in->args[3].s, "reflect");
        bool is_circular = tn_str_is(in->args[3].s, "circular");
        const tn_sym *limit = tn_sym_addi(in->syms, x->dims[d], is_reflect ? -1 : 0);
        if ((is_reflect || is_circular) && limit &&
            (tn_sym_known_le(in->syms, lo, limit) == 0 ||
             tn_sym_known_le(in->syms, hi, limit) == 0)) {
            tn_infer_fail(in, "padding of dim %u is larger than the dim allows", d);
            return;
        }
        in->results[0].dims[d] = tn_sym_add(in->syms, tn_sym_add(in->syms, lo, x->dims[d]), hi);
    }
}

static void infer_concat(tn_infer *in) {
    const tn_arg *xs = &in->args[0];
    if (xs->kind != TN_ARG_VALUES || xs->count == 0) {
        tn_infer_fail(in, "xs is empty, wanted at least one tensor");
        return;
    }
    const tn_type *first = in->operands[xs->operand];
    uint32_t dim = tn_infer_dim(in, 1, first->rank);
    if (in->status)
        return;
    tn_type *result = &in->results[0];
    *result = *first;
    for (uint32_t i = 1; i < xs->count; i++) {
        const tn_type *x = in->operands[xs->operand + i];
        bool fits = x->dtype == first->dtype && x->rank == first->rank;
        for (uint32_t d = 0; fits && d < x->rank; d++)
            fits = d == dim || tn_infer_same_dim(in, x->dims[d], first->dims[d]);
        if (!fits) {
            tn_infer_fail(in, "xs[%u] is %s, wanted %s in all but dim %u", i, TN_TYPE_TEXT(x),
                          TN_TYPE_TEXT(first), dim);
            return;
        }
        result->dims[dim] = tn_sym_add(in->syms, result->dims[dim], x->dims[dim]);
    }
}

void tn_infer_view(tn_infer *in) {
    if (in->prim == TN_PRIM_CONCAT) {
        infer_concat(in);
        return;
    }
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x)
        return;
    switch (in->prim) {
    case TN_PRIM_RESHAPE:
        infer_reshape(in, x);
        break;
    case TN_PRIM_PERMUTE:
        infer_permute(in, x);
        break;
    case TN_PRIM_EXPAND:
        infer_expand(in, x);
        break;
    case TN_PRIM_SLICE:
        infer_slice(in, x);
        break;
    case TN_PRIM_FLIP:
        infer_flip(in, x);
        break;
    default:
        infer_pad(in, x);
        break;
    }
}

/* ---- index primitives ------------------------------------------------------------------------ */

static bool check_index(tn_infer *in, const tn_type *index) {
    if (!in->status && index->dtype != TN_I64 && index->dtype != TN_I32)
        tn_infer_fail(in, "index is %s, wanted i64 or i32", TN_TYPE_TEXT(index));
    return !in->status;
}

static void infer_take(tn_infer *in, const tn_type *x, const tn_type *index) {
    uint32_t dim = tn_infer_dim(in, 2, x->rank);
    if (in->status || !check_rank(in, x->rank - 1 + index->rank))
        return;
    tn_type *result = &in->results[0];
    *result = (tn_type){.dtype = x->dtype};
    for (uint32_t d = 0; d < dim; d++)
        result->dims[result->rank++] = x->dims[d];
    for (uint32_t d = 0; d < index->rank; d++)
        result->dims[result->rank++] = index->dims[d];
    for (uint32_t d = dim + 1; d < x->rank; d++)
        result->dims[result->rank++] = x->dims[d];
}

/* gather and scatter: index has x's rank, and fits into x in every dim but the addressed one. */
static bool check_index_shape(tn_infer *in, const tn_type *x, const tn_type *index, uint32_t dim) {
    bool fits = index->rank == x->rank;
    for (uint32_t d = 0; fits && d < x->rank; d++)
        fits = d == dim || tn_sym_known_le(in->syms, index->dims[d], x->dims[d]) != 0;
    if (!fits)
        tn_infer_fail(in,
                      "index is %s, wanted the rank of %s and sizes within it in all but dim %u",
                      TN_TYPE_TEXT(index), TN_TYPE_TEXT(x), dim);
    return !in->status;
}

static void infer_scatter(tn_infer *in, const tn_type *x, const tn_type *index) {
    const tn_type *src = tn_infer_operand(in, 2);
    uint32_t dim = tn_infer_dim(in, 3, x->rank);
    if (in->status || !tn_infer_word(in, 4, "none add mul amin amax") ||
        !tn_infer_same_dtype(in, "src", src, x->dtype) || !check_index_shape(in, x, index, dim))
        return;
    bool fits = src->rank == index->rank;
    for (uint32_t d = 0; fits && d < src->rank; d++)
        fits = tn_infer_same_dim(in, src->dims[d], index->dims[d]);
    if (!fits)
        tn_infer_fail(in, "src is %s, wanted the shape of index, %s", TN_TYPE_TEXT(src),
                      TN_TYPE_TEXT(index));
    in->results[0] = *x;
}

static void infer_scatter_slice(tn_infer *in, const tn_type *x, const tn_type *src) {
    if (!tn_infer_same_dtype(in, "src", src, x->dtype) ||
        !tn_infer_list(in, 2, x->rank, "starts") || !tn_infer_list(in, 3, x->rank, "steps"))
        return;
    bool fits = src->rank == x->rank;
    for (uint32_t d = 0; fits && d < x->rank; d++) {
        int64_t step = tn_infer_int_at(in, 3, d);
        const tn_sym *start = in->args[2].ints[d], *size = src->dims[d];
        const tn_sym *last = tn_sym_add(
            in->syms, start, tn_sym_muli(in->syms, tn_sym_addi(in->syms, size, -1), step));
        const tn_sym *end = last ? tn_sym_addi(in->syms, last, 1) : NULL;
        fits = step >= 1 && start->max >= 0 &&
               (!end || size->min < 1 || tn_sym_known_le(in->syms, end, x->dims[d]) != 0);
    }
    if (!fits)
        tn_infer_fail(in, "src is %s, wanted a shape whose slice lies within %s", TN_TYPE_TEXT(src),
                      TN_TYPE_TEXT(x));
    in->results[0] = *x;
}

void tn_infer_index(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0), *index = tn_infer_operand(in, 1);
    if (!x || !index)
        return;
    if (in->prim == TN_PRIM_SCATTER_SLICE) {
        infer_scatter_slice(in, x, index);
        return;
    }
    if (!check_index(in, index))
        return;
    if (in->prim == TN_PRIM_TAKE) {
        infer_take(in, x, index);
    } else if (in->prim == TN_PRIM_SCATTER) {
        infer_scatter(in, x, index);
    } else {
        uint32_t dim = tn_infer_dim(in, 2, x->rank);
        if (in->status || !check_index_shape(in, x, index, dim))
            return;
        in->results[0] = *index;
        in->results[0].dtype = x->dtype;
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

void tn_infer_order(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x)
        return;
    bool is_topk = in->prim == TN_PRIM_TOPK;
    uint32_t dim = tn_infer_dim(in, is_topk ? 2 : 1, x->rank);
    if (in->status)
        return;
    in->results[0] = *x;
    if (is_topk) {
        const tn_sym *k = in->args[1].i;
        if (k->max < 0 || tn_sym_known_le(in->syms, k, x->dims[dim]) == 0) {
            tn_infer_fail(in, "k is out of range for dim %u of %s", dim, TN_TYPE_TEXT(x));
            return;
        }
        in->results[0].dims[dim] = k;
    }
    in->results[1] = in->results[0];
    in->results[1].dtype = TN_I64;
    in->result_count = 2;
}
