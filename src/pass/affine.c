/* affine.c: finds affine functions of the index by looking through the nodes that make a value. */
#include "pass/affine.h"

#include "kir/interp.h"
#include "kir/simplify.h"

/* Chains of exporters are short; this bounds the work on graphs that share operands many times. */
enum { MOST_DEPTH = 12 };

static bool find(tn_syms *syms, const tn_value *value, int depth, tn_affine *out);

static bool is_int(tn_dtype dtype) {
    return dtype == TN_I64 || dtype == TN_I32;
}

static tn_affine constant(tn_syms *syms, uint32_t rank, const tn_sym *number) {
    tn_affine a = {.rank = rank, .constant = number};
    for (uint32_t d = 0; d < TN_MAX_RANK; d++)
        a.coef[d] = tn_sym_const(syms, 0);
    return a;
}

bool tn_affine_is_constant(const tn_affine *affine) {
    for (uint32_t d = 0; d < affine->rank; d++)
        if (!tn_sym_is(affine->coef[d], 0))
            return false;
    return true;
}

/* Leading dims are added so that both have one rank. */
static tn_affine widen(tn_syms *syms, const tn_affine *a, uint32_t rank) {
    tn_affine wide = constant(syms, rank, a->constant);
    for (uint32_t d = 0; d < a->rank; d++)
        wide.coef[rank - a->rank + d] = a->coef[d];
    return wide;
}

static tn_affine combine(tn_syms *syms, const tn_affine *a, const tn_affine *b, bool is_sub) {
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    tn_affine x = widen(syms, a, rank), y = widen(syms, b, rank);
    x.constant = is_sub ? tn_sym_sub(syms, x.constant, y.constant)
                        : tn_sym_add(syms, x.constant, y.constant);
    for (uint32_t d = 0; d < rank; d++)
        x.coef[d] = is_sub ? tn_sym_sub(syms, x.coef[d], y.coef[d])
                           : tn_sym_add(syms, x.coef[d], y.coef[d]);
    return x;
}

static tn_affine scale(tn_syms *syms, tn_affine a, const tn_sym *factor) {
    a.constant = tn_sym_mul(syms, a.constant, factor);
    for (uint32_t d = 0; d < a.rank; d++)
        a.coef[d] = tn_sym_mul(syms, a.coef[d], factor);
    return a;
}

static bool is_whole(const tn_affine *a) {
    bool is_made = a->constant != NULL;
    for (uint32_t d = 0; d < a->rank; d++)
        is_made = is_made && a->coef[d];
    return is_made;
}

bool tn_affine_sub(tn_syms *syms, const tn_affine *a, const tn_affine *b, tn_affine *out) {
    *out = combine(syms, a, b, true);
    return is_whole(out);
}

/* ---- constants and creation ------------------------------------------------------------------ */

/* A constant whose elements are such a function: the second element along each dim gives its
 * coefficient, and every other element must agree. */
static bool find_const(tn_syms *syms, const tn_value *value, tn_affine *out) {
    const tn_type *type = &value->type;
    int64_t bytes = (int64_t)tn_dtype_bytes(type->dtype), index[TN_MAX_RANK] = {0};
    const uint8_t *first = value->data->data;
    uint64_t coef[TN_MAX_RANK] = {0};
    for (uint32_t d = 0; d < type->rank; d++)
        if (type->dims[d]->value == 0)
            return false;
    uint64_t start = (uint64_t)tn_elem_get_i64(type->dtype, first);
    *out = constant(syms, type->rank, tn_sym_const(syms, (int64_t)start));
    for (uint32_t d = 0; d < type->rank; d++) {
        if (type->dims[d]->value == 1)
            continue;
        const uint8_t *second = first + value->data->strides[d] * bytes;
        coef[d] = (uint64_t)tn_elem_get_i64(type->dtype, second) - start;
        out->coef[d] = tn_sym_const(syms, (int64_t)coef[d]);
    }
    for (uint32_t d = type->rank; d-- > 0;) { /* every index but the first */
        if (++index[d] == type->dims[d]->value) {
            index[d] = 0;
            continue;
        }
        uint64_t wanted = start;
        int64_t offset = 0;
        for (uint32_t e = 0; e < type->rank; e++) {
            wanted += coef[e] * (uint64_t)index[e];
            offset += index[e] * value->data->strides[e];
        }
        if ((uint64_t)tn_elem_get_i64(type->dtype, first + offset * bytes) != wanted)
            return false;
        d = type->rank;
    }
    return true;
}

static bool find_iota(tn_syms *syms, const tn_node *iota, tn_affine *out) {
    if (iota->args[2].kind != TN_ARG_INT || iota->args[3].kind != TN_ARG_INT)
        return false;
    *out = constant(syms, iota->results[0]->type.rank, iota->args[2].i);
    out->coef[iota->args[1].i->value] = iota->args[3].i;
    return true;
}

/* ---- views ----------------------------------------------------------------------------------- */

/* A reshape that only adds and removes dims of size 1. */
static bool find_reshape(tn_syms *syms, const tn_node *node, const tn_affine *x, tn_affine *out) {
    const tn_type *from = &node->operands[0]->type, *to = &node->results[0]->type;
    uint32_t d = 0;
    *out = constant(syms, to->rank, x->constant);
    for (uint32_t e = 0; e < to->rank; e++) {
        if (tn_sym_is(to->dims[e], 1))
            continue;
        while (d < from->rank && tn_sym_is(from->dims[d], 1))
            d++;
        if (d == from->rank || from->dims[d] != to->dims[e])
            return false;
        out->coef[e] = x->coef[d++];
    }
    while (d < from->rank && tn_sym_is(from->dims[d], 1))
        d++;
    return d == from->rank;
}

static bool find_view(tn_syms *syms, const tn_node *node, int depth, tn_affine *out) {
    tn_affine x;
    uint32_t rank = node->results[0]->type.rank;
    if (!find(syms, node->operands[0], depth, &x))
        return false;
    switch (tn_node_prim(node)) {
    case TN_PRIM_RESHAPE:
        return find_reshape(syms, node, &x, out);
    case TN_PRIM_EXPAND:
        *out = widen(syms, &x, rank);
        return true;
    case TN_PRIM_PERMUTE:
        *out = constant(syms, rank, x.constant);
        for (uint32_t d = 0; d < rank; d++)
            out->coef[d] = x.coef[node->args[1].ints[d]->value];
        return true;
    default: /* slice */
        *out = x;
        for (uint32_t d = 0; d < rank; d++) {
            const tn_sym *start = tn_sym_mul(syms, x.coef[d], node->args[1].ints[d]);
            out->constant = tn_sym_add(syms, out->constant, start);
            out->coef[d] = tn_sym_mul(syms, x.coef[d], node->args[3].ints[d]);
        }
        return true;
    }
}

/* Parts that continue each other: part k at offset o is c + coef * (o + i). The coefficient along
 * the joined dim comes from the first part that has more than one element. */
static bool find_concat(tn_syms *syms, const tn_node *node, int depth, tn_affine *out) {
    uint32_t dim = (uint32_t)node->args[1].i->value, count = node->operand_count;
    tn_affine part, first;
    const tn_sym *coef = NULL, *offset = tn_sym_const(syms, 0);
    for (uint32_t i = 0; i < count && !coef; i++) {
        if (!find(syms, node->operands[i], depth, &part))
            return false;
        if (!tn_sym_is(node->operands[i]->type.dims[dim], 1))
            coef = part.coef[dim];
    }
    if (!coef || !find(syms, node->operands[0], depth, &first))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const tn_sym *size = node->operands[i]->type.dims[dim];
        if (!find(syms, node->operands[i], depth, &part))
            return false;
        const tn_sym *wanted = tn_sym_add(syms, first.constant, tn_sym_mul(syms, coef, offset));
        if (!wanted || part.constant != wanted || (!tn_sym_is(size, 1) && part.coef[dim] != coef))
            return false;
        for (uint32_t d = 0; d < part.rank; d++)
            if (d != dim && part.coef[d] != first.coef[d])
                return false;
        offset = tn_sym_add(syms, offset, size);
    }
    *out = first;
    out->coef[dim] = coef;
    return true;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static bool find_map(tn_syms *syms, const tn_node *node, int depth, tn_affine *out) {
    tn_affine a, b;
    tn_prim prim = tn_node_prim(node);
    if (!find(syms, node->operands[0], depth, &a))
        return false;
    if (prim == TN_PRIM_NEG) {
        *out = scale(syms, a, tn_sym_const(syms, -1));
        return true;
    }
    if (prim == TN_PRIM_CAST) {
        *out = a;
        return tn_dtype_holds(node->results[0]->type.dtype, node->operands[0]->type.dtype);
    }
    if (!find(syms, node->operands[1], depth, &b))
        return false;
    if (prim == TN_PRIM_MUL) {
        if (!tn_affine_is_constant(&a) && !tn_affine_is_constant(&b))
            return false;
        uint32_t rank = node->results[0]->type.rank;
        *out = tn_affine_is_constant(&b) ? scale(syms, widen(syms, &a, rank), b.constant)
                                         : scale(syms, widen(syms, &b, rank), a.constant);
        return true;
    }
    *out = combine(syms, &a, &b, prim == TN_PRIM_SUB);
    return true;
}

static bool find_node(tn_syms *syms, const tn_node *node, int depth, tn_affine *out) {
    switch (tn_node_prim(node)) {
    case TN_PRIM_IOTA:
        return find_iota(syms, node, out);
    case TN_PRIM_SYM_VALUE:
        *out = constant(syms, 0, node->args[0].i);
        return true;
    case TN_PRIM_RESHAPE:
    case TN_PRIM_EXPAND:
    case TN_PRIM_PERMUTE:
    case TN_PRIM_SLICE:
        return find_view(syms, node, depth, out);
    case TN_PRIM_CONCAT:
        return find_concat(syms, node, depth, out);
    case TN_PRIM_NEG:
    case TN_PRIM_CAST:
    case TN_PRIM_ADD:
    case TN_PRIM_SUB:
    case TN_PRIM_MUL:
        return find_map(syms, node, depth, out);
    default:
        return false;
    }
}

static bool find(tn_syms *syms, const tn_value *value, int depth, tn_affine *out) {
    if (depth == 0 || !is_int(value->type.dtype))
        return false;
    bool is_found = value->kind == TN_VALUE_CONST    ? find_const(syms, value, out)
                    : value->kind == TN_VALUE_RESULT ? find_node(syms, value->def, depth - 1, out)
                                                     : false;
    if (!is_found || !is_whole(out))
        return false;
    for (uint32_t d = 0; d < out->rank; d++)
        if (tn_sym_is(value->type.dims[d], 1))
            out->coef[d] = tn_sym_const(syms, 0);
    return is_whole(out);
}

bool tn_affine_of(tn_syms *syms, const tn_value *value, tn_affine *out) {
    return find(syms, value, MOST_DEPTH, out);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static const tn_sym *bound(tn_syms *syms, const tn_affine *affine, const tn_sym *const *dims,
                           bool is_max) {
    const tn_sym *sum = affine->constant;
    for (uint32_t d = 0; d < affine->rank; d++) {
        const tn_sym *coef = affine->coef[d];
        bool rises = coef->min >= 0, falls = coef->max <= 0;
        if (!rises && !falls)
            return NULL;
        if (is_max ? !falls : !rises)
            sum = tn_sym_add(syms, sum, tn_sym_mul(syms, coef, tn_sym_addi(syms, dims[d], -1)));
    }
    return sum;
}

const tn_sym *tn_affine_min(tn_syms *syms, const tn_affine *affine, const tn_sym *const *dims) {
    return bound(syms, affine, dims, false);
}

const tn_sym *tn_affine_max(tn_syms *syms, const tn_affine *affine, const tn_sym *const *dims) {
    return bound(syms, affine, dims, true);
}
