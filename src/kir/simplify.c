/* simplify.c: local rules that replace a node by its operand, or a view of a view by one view.
 *
 * Every rule is exact for NaN and infinities; x + 0 takes -0 for 0. A rule that removes a node
 * demands that the operand has the very type of the result, so broadcasting is never lost. */
#include "kir/simplify.h"

#include <math.h>

#include "base/checked.h"
#include "kir/infer.h"
#include "kir/interp.h"

/* ---- facts about values ---------------------------------------------------------------------- */

static bool is_view(tn_prim prim) {
    return prim == TN_PRIM_RESHAPE || prim == TN_PRIM_PERMUTE || prim == TN_PRIM_EXPAND ||
           prim == TN_PRIM_SLICE || prim == TN_PRIM_FLIP;
}

/* Elements are compared as they are stored, row by row through the strides. */
static bool const_splat(const tn_value *value, double *out_number) {
    const tn_const *data = value->data;
    const tn_type *type = &value->type;
    size_t bytes = tn_dtype_bytes(type->dtype);
    int64_t index[TN_MAX_RANK] = {0};
    for (uint32_t d = 0; d < type->rank; d++)
        if (type->dims[d]->value == 0)
            return false;
    const uint8_t *element = data->data;
    double first = tn_elem_get_f64(type->dtype, element);
    for (;;) {
        if (tn_elem_get_f64(type->dtype, element) != first)
            return false; /* NaN included */
        uint32_t d = type->rank;
        while (d > 0) {
            d--;
            element += data->strides[d] * (int64_t)bytes;
            if (data->strides[d] != 0 && ++index[d] < type->dims[d]->value)
                break;
            element -= data->strides[d] * (int64_t)bytes * (data->strides[d] ? index[d] : 1);
            index[d] = 0;
            if (d == 0)
                goto all_equal;
        }
        if (type->rank == 0)
            break;
    }
all_equal:
    *out_number = first;
    return true;
}

bool tn_value_splat(const tn_value *value, double *out_number) {
    while (value->kind == TN_VALUE_RESULT && is_view(tn_node_prim(value->def)))
        value = value->def->operands[0];
    return value->kind == TN_VALUE_CONST && const_splat(value, out_number);
}

/* What a dtype can represent: digits of the significand in bits (integers: without the sign),
 * powers of two of the largest value and of the smallest step. */
typedef struct dtype_range {
    bool is_float, is_signed;
    int digits, max_exp, min_exp;
} dtype_range;

static dtype_range range_of(tn_dtype dtype) {
    switch (dtype) {
    case TN_F64:
        return (dtype_range){true, true, 53, 1024, -1074};
    case TN_F32:
        return (dtype_range){true, true, 24, 128, -149};
    case TN_F16:
        return (dtype_range){true, true, 11, 16, -24};
    case TN_BF16:
        return (dtype_range){true, true, 8, 128, -133};
    case TN_F8E4M3:
        return (dtype_range){true, true, 4, 9, -9};
    case TN_F8E5M2:
        return (dtype_range){true, true, 3, 16, -16};
    case TN_BOOL:
        return (dtype_range){false, false, 1, 1, 0};
    default: {
        int bits = 8 * (int)tn_dtype_bytes(dtype);
        bool is_signed = dtype == TN_I64 || dtype == TN_I32 || dtype == TN_I16 || dtype == TN_I8;
        return (dtype_range){false, is_signed, bits - is_signed, bits - is_signed, 0};
    }
    }
}

bool tn_dtype_holds(tn_dtype wide, tn_dtype narrow) {
    dtype_range w = range_of(wide), n = range_of(narrow);
    return wide == narrow ||
           ((w.is_float || !n.is_float) && (w.is_signed || !n.is_signed) && w.digits >= n.digits &&
            w.max_exp >= n.max_exp && w.min_exp <= n.min_exp);
}

static bool is_splat(const tn_value *value, double number) {
    double seen;
    return tn_value_splat(value, &seen) && seen == number;
}

/* The node that made value if it is this primitive. */
static const tn_node *def_as(const tn_value *value, tn_prim prim) {
    return value->kind == TN_VALUE_RESULT && tn_node_prim(value->def) == prim ? value->def : NULL;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static tn_value *operand_if(const tn_prim_use *use, uint32_t i, bool applies) {
    return applies && tn_type_equal(&use->operands[i]->type, use->type) ? use->operands[i] : NULL;
}

static tn_value *simplify_cast(tn_kb *kb, const tn_prim_use *use) {
    tn_value *x = use->operands[0];
    if (x->type.dtype == use->type->dtype)
        return x;
    const tn_node *inner = def_as(x, TN_PRIM_CAST);
    if (inner && tn_dtype_holds(x->type.dtype, inner->operands[0]->type.dtype))
        return tn_kb_cast(kb, inner->operands[0], use->type->dtype);
    return NULL;
}

/* x op identity is x: on the right, and on the left too if the operation commutes. */
static tn_value *simplify_identity(const tn_prim_use *use, double identity, bool commutes) {
    if (is_splat(use->operands[1], identity)) {
        tn_value *x = operand_if(use, 0, true);
        if (x)
            return x;
    }
    return operand_if(use, 1, commutes && is_splat(use->operands[0], identity));
}

/* Bit operations on bool: with true, false and the operand itself. */
static tn_value *simplify_logic(const tn_prim_use *use) {
    bool is_and = use->prim == TN_PRIM_AND;
    if (use->type->dtype != TN_BOOL)
        return NULL;
    if (use->operands[0] == use->operands[1])
        return use->operands[0];
    for (uint32_t i = 0; i < 2; i++) {
        double number;
        if (!tn_value_splat(use->operands[i], &number))
            continue;
        bool is_identity = (number != 0) == is_and;
        tn_value *value = operand_if(use, is_identity ? 1 - i : i, true);
        if (value)
            return value;
    }
    return NULL;
}

/* select between truth values is logic: select(c, true, false) is c, select(c, a, false) is c and
 * a. */
static tn_value *simplify_bool_select(tn_kb *kb, const tn_prim_use *use) {
    tn_value *cond = use->operands[0], *y = NULL;
    double a = -1, b = -1; /* neither true nor false */
    (void)tn_value_splat(use->operands[1], &a);
    (void)tn_value_splat(use->operands[2], &b);
    if (a == 1 && b == 0)
        y = cond;
    else if (a == 0 && b == 1)
        y = tn_kb_map1(kb, TN_PRIM_NOT, cond);
    else if (b == 0)
        y = tn_kb_map2(kb, TN_PRIM_AND, cond, use->operands[1]);
    else if (a == 1)
        y = tn_kb_map2(kb, TN_PRIM_OR, cond, use->operands[2]);
    return y ? tn_kb_expand(kb, y, use->type->dims, use->type->rank) : NULL;
}

static tn_value *simplify_select(tn_kb *kb, const tn_prim_use *use) {
    double number;
    if (use->operands[1] == use->operands[2])
        return operand_if(use, 1, true);
    if (tn_value_splat(use->operands[0], &number))
        return operand_if(use, number != 0 ? 1 : 2, true);
    return use->type->dtype == TN_BOOL ? simplify_bool_select(kb, use) : NULL;
}

static bool compare(tn_prim prim, double a, double b) {
    return prim == TN_PRIM_EQ   ? a == b
           : prim == TN_PRIM_NE ? a != b
           : prim == TN_PRIM_LT ? a < b
                                : a <= b;
}

/* A comparison of select(c, 1, 0) with a number: c, not c, or known. Numbers beyond 2^53 may have
 * lost bits as doubles. */
static tn_value *simplify_comparison(tn_kb *kb, const tn_prim_use *use) {
    static const double exact = 9007199254740992.0;
    for (uint32_t i = 0; i < 2; i++) {
        tn_value *x = use->operands[i];
        const tn_node *reshape = def_as(x, TN_PRIM_RESHAPE);
        const tn_node *select = def_as(reshape ? reshape->operands[0] : x, TN_PRIM_SELECT);
        double number, a, b;
        if (!select || !tn_value_splat(use->operands[1 - i], &number) ||
            !tn_value_splat(select->operands[1], &a) || !tn_value_splat(select->operands[2], &b))
            continue;
        bool is_whole = x->type.dtype > TN_F8E5M2;
        if (is_whole && !(fabs(number) < exact && fabs(a) < exact && fabs(b) < exact))
            continue;
        bool if_a = i == 0 ? compare(use->prim, a, number) : compare(use->prim, number, a);
        bool if_b = i == 0 ? compare(use->prim, b, number) : compare(use->prim, number, b);
        const tn_type *inner = &select->results[0]->type;
        tn_value *y = tn_kb_select(kb, select->operands[0], tn_kb_int(kb, TN_BOOL, if_a),
                                   tn_kb_int(kb, TN_BOOL, if_b));
        y = tn_kb_expand(kb, y, inner->dims, inner->rank);
        y = tn_kb_reshape(kb, y, x->type.dims, x->type.rank);
        return tn_kb_expand(kb, y, use->type->dims, use->type->rank);
    }
    return NULL;
}

/* neg(neg(x)), not(not(x)), also with a reshape between. */
static tn_value *simplify_twice(tn_kb *kb, const tn_prim_use *use) {
    const tn_node *reshape = def_as(use->operands[0], TN_PRIM_RESHAPE);
    const tn_node *inner = def_as(reshape ? reshape->operands[0] : use->operands[0], use->prim);
    return inner ? tn_kb_reshape(kb, inner->operands[0], use->type->dims, use->type->rank) : NULL;
}

static tn_value *simplify_map(tn_kb *kb, const tn_prim_use *use) {
    const tn_node *inner;
    switch (use->prim) {
    case TN_PRIM_CAST:
        return simplify_cast(kb, use);
    case TN_PRIM_ADD:
        return simplify_identity(use, 0, true);
    case TN_PRIM_SUB:
        return simplify_identity(use, 0, false);
    case TN_PRIM_MUL:
        return simplify_identity(use, 1, true);
    case TN_PRIM_DIV:
    case TN_PRIM_POW:
        return simplify_identity(use, 1, false);
    case TN_PRIM_EQ:
    case TN_PRIM_NE:
    case TN_PRIM_LT:
    case TN_PRIM_LE:
        return simplify_comparison(kb, use);
    case TN_PRIM_AND:
    case TN_PRIM_OR:
        return simplify_logic(use);
    case TN_PRIM_SELECT:
        return simplify_select(kb, use);
    case TN_PRIM_NEG:
    case TN_PRIM_NOT:
        return simplify_twice(kb, use);
    case TN_PRIM_RELU:
        inner = def_as(use->operands[0], TN_PRIM_RELU);
        return inner ? use->operands[0] : NULL;
    case TN_PRIM_FLOOR:
    case TN_PRIM_CEIL:
    case TN_PRIM_TRUNC:
    case TN_PRIM_ROUND:
        return operand_if(use, 0, tn_dtype_is_int(use->type->dtype));
    default:
        return NULL;
    }
}

/* ---- views ----------------------------------------------------------------------------------- */

static tn_value *simplify_permute(tn_kb *kb, const tn_prim_use *use) {
    tn_value *x = use->operands[0];
    const tn_sym *const *order = use->args[1].ints;
    bool is_identity = true, is_in_order = true;
    int64_t last = -1; /* of the dims that are not 1 */
    for (uint32_t i = 0; i < x->type.rank; i++) {
        int64_t dim = order[i]->value;
        is_identity = is_identity && dim == (int64_t)i;
        if (tn_sym_is(x->type.dims[dim], 1))
            continue;
        is_in_order = is_in_order && dim > last;
        last = dim;
    }
    if (is_identity)
        return x;
    if (is_in_order) /* nothing but dims of size 1 moves */
        return tn_kb_reshape(kb, x, use->type->dims, use->type->rank);
    const tn_node *inner = def_as(x, TN_PRIM_PERMUTE);
    if (!inner)
        return NULL;
    uint32_t joined[TN_MAX_RANK];
    for (uint32_t i = 0; i < x->type.rank; i++)
        joined[i] = (uint32_t)inner->args[1].ints[order[i]->value]->value;
    return tn_kb_permute(kb, inner->operands[0], joined);
}

static tn_value *simplify_slice(tn_kb *kb, const tn_prim_use *use) {
    tn_value *x = use->operands[0];
    tn_syms *syms = kb->graph->syms;
    const tn_arg *starts = &use->args[1], *sizes = &use->args[2], *steps = &use->args[3];
    bool is_identity = tn_type_equal(&x->type, use->type);
    for (uint32_t d = 0; d < x->type.rank; d++)
        is_identity = is_identity && tn_sym_is(starts->ints[d], 0) &&
                      (tn_sym_is(steps->ints[d], 1) || tn_sym_is(sizes->ints[d], 1));
    if (is_identity)
        return x;
    const tn_node *inner = def_as(x, TN_PRIM_SLICE);
    if (!inner)
        return NULL;
    const tn_sym *joined_starts[TN_MAX_RANK];
    int64_t joined_steps[TN_MAX_RANK];
    for (uint32_t d = 0; d < x->type.rank; d++) {
        const tn_sym *start = inner->args[1].ints[d];
        int64_t step = inner->args[3].ints[d]->value;
        if (!tn_mul_i64(step, steps->ints[d]->value, &joined_steps[d]))
            return NULL;
        joined_starts[d] = tn_sym_add(syms, start, tn_sym_muli(syms, starts->ints[d], step));
    }
    tn_arg args[4] = {tn_arg_value(0), tn_arg_syms(kb, joined_starts, x->type.rank), *sizes,
                      tn_arg_ints(kb, joined_steps, x->type.rank)};
    return tn_kb_node(kb, TN_PRIM_SLICE, inner->operands, 1, args, 4);
}

static tn_value *simplify_flip(const tn_prim_use *use) {
    const tn_arg *dims = &use->args[1];
    for (uint32_t i = 0; i < dims->count; i++)
        if (!tn_sym_is(use->type->dims[dims->ints[i]->value], 1))
            return NULL;
    return use->operands[0];
}

static tn_value *simplify_pad(const tn_prim_use *use) {
    for (uint32_t d = 0; d < use->type->rank; d++)
        if (!tn_sym_is(use->args[1].ints[d], 0) || !tn_sym_is(use->args[2].ints[d], 0))
            return NULL;
    return use->operands[0];
}

/* Parts that are known to be empty go. */
static tn_value *simplify_concat(tn_kb *kb, const tn_prim_use *use) {
    uint32_t dim = (uint32_t)use->args[1].i->value, kept = 0;
    if (use->operand_count == 1)
        return use->operands[0];
    for (uint32_t i = 0; i < use->operand_count; i++)
        kept += !tn_sym_is(use->operands[i]->type.dims[dim], 0);
    if (kept == use->operand_count || kept == 0)
        return NULL;
    tn_value **parts = tn_arena_alloc(kb->graph->arena, kept, sizeof *parts);
    if (!parts) {
        tn_kb_fail(kb, tn_error_out_of_memory());
        return NULL;
    }
    kept = 0;
    for (uint32_t i = 0; i < use->operand_count; i++)
        if (!tn_sym_is(use->operands[i]->type.dims[dim], 0))
            parts[kept++] = use->operands[i];
    return tn_kb_concat(kb, parts, kept, dim);
}

static tn_value *simplify_view(tn_kb *kb, const tn_prim_use *use) {
    tn_value *x = use->operands[0];
    const tn_node *inner;
    switch (use->prim) {
    case TN_PRIM_RESHAPE:
        if (tn_type_equal(&x->type, use->type))
            return x;
        inner = def_as(x, TN_PRIM_RESHAPE);
        return inner ? tn_kb_reshape(kb, inner->operands[0], use->type->dims, use->type->rank)
                     : NULL;
    case TN_PRIM_EXPAND:
        if (tn_type_equal(&x->type, use->type))
            return x;
        inner = def_as(x, TN_PRIM_EXPAND);
        return inner ? tn_kb_expand(kb, inner->operands[0], use->type->dims, use->type->rank)
                     : NULL;
    case TN_PRIM_PERMUTE:
        return simplify_permute(kb, use);
    case TN_PRIM_SLICE:
        return simplify_slice(kb, use);
    case TN_PRIM_FLIP:
        return simplify_flip(use);
    case TN_PRIM_PAD:
        return simplify_pad(use);
    default:
        return simplify_concat(kb, use);
    }
}

/* A reduction over no dims, or (without arithmetic on the elements) over dims of size 1. */
static tn_value *simplify_reduce(tn_kb *kb, const tn_prim_use *use) {
    const tn_type *x = &use->operands[0]->type;
    const tn_arg *dims = &use->args[1];
    if (use->prim == TN_PRIM_REDUCE_VAR || use->prim == TN_PRIM_ARGMIN ||
        use->prim == TN_PRIM_ARGMAX || x->dtype != use->type->dtype)
        return NULL;
    for (uint32_t i = 0; i < dims->count; i++)
        if (!tn_sym_is(x->dims[dims->ints[i]->value], 1))
            return NULL;
    return tn_kb_reshape(kb, use->operands[0], use->type->dims, use->type->rank);
}

tn_value *tn_kb_simplify(tn_kb *kb, const tn_prim_use *use) {
    switch (tn_prim_class_of(use->prim)) {
    case TN_CLASS_MAP:
        return simplify_map(kb, use);
    case TN_CLASS_VIEW:
        return simplify_view(kb, use);
    case TN_CLASS_REDUCE:
        return simplify_reduce(kb, use);
    default:
        return NULL;
    }
}
