/* convert_math.c: dtypes of operators, and the small formulas that converters share. */
#include "ops/convert.h"

#include "kir/interp.h"

/* ---- promotion --------------------------------------------------------------------------------
 */

static bool is_wide_unsigned(tn_dtype dtype) {
    return dtype == TN_U16 || dtype == TN_U32 || dtype == TN_U64;
}

/* Of the signed integers and u8: the smallest that holds both. */
static tn_dtype promote_ints(tn_dtype a, tn_dtype b) {
    if (a == TN_U8 || b == TN_U8) {
        tn_dtype other = a == TN_U8 ? b : a;
        return other == TN_I8 ? TN_I16 : other;
    }
    return tn_dtype_bytes(a) > tn_dtype_bytes(b) ? a : b;
}

/* c10::promoteTypes. TN_DTYPE_NONE when PyTorch has no common dtype. */
static tn_dtype promote_types(tn_dtype a, tn_dtype b) {
    if (a == TN_DTYPE_NONE || a == b)
        return b;
    if (b == TN_DTYPE_NONE)
        return a;
    if (tn_dtype_bytes(a) == 1 && tn_dtype_is_half(a))
        return TN_DTYPE_NONE; /* f8 goes with nothing but itself */
    if (tn_dtype_bytes(b) == 1 && tn_dtype_is_half(b))
        return TN_DTYPE_NONE;
    bool a_is_float = tn_dtype_is_float(a), b_is_float = tn_dtype_is_float(b);
    if (a_is_float && b_is_float) {
        if (tn_dtype_bytes(a) == tn_dtype_bytes(b))
            return TN_F32; /* f16 and bf16 */
        return tn_dtype_bytes(a) > tn_dtype_bytes(b) ? a : b;
    }
    if (a_is_float || b_is_float)
        return a_is_float ? a : b;
    if (is_wide_unsigned(a) || is_wide_unsigned(b))
        return TN_DTYPE_NONE;
    if (a == TN_BOOL || b == TN_BOOL)
        return a == TN_BOOL ? b : a;
    return promote_ints(a, b);
}

static void promote_into(tn_promotion *promotion, tn_dtype *running, tn_dtype dtype) {
    tn_dtype result = promote_types(*running, dtype);
    if (result == TN_DTYPE_NONE)
        promotion->failed = true;
    *running = result;
}

void tn_promote_tensor(tn_promotion *promotion, const tn_value *value) {
    if (!value)
        return;
    promote_into(promotion, value->type.rank ? &promotion->dim_dtype : &promotion->zero_dim_dtype,
                 value->type.dtype);
}

void tn_promote_scalar(tn_promotion *promotion, const tn_arg *arg) {
    if (arg->kind == TN_ARG_INT)
        promote_into(promotion, &promotion->scalar_dtype, TN_I64);
    else if (arg->kind == TN_ARG_FLOAT)
        promote_into(promotion, &promotion->scalar_dtype, TN_F32);
    else if (arg->kind == TN_ARG_BOOL)
        promote_into(promotion, &promotion->scalar_dtype, TN_BOOL);
}

/* The lower priority counts only where its category is higher. */
static tn_dtype combine_categories(tn_dtype higher, tn_dtype lower, bool *inout_failed) {
    if (higher == TN_DTYPE_NONE || tn_dtype_is_float(higher))
        return higher == TN_DTYPE_NONE ? lower : higher;
    if (higher == TN_BOOL || tn_dtype_is_float(lower)) {
        tn_dtype result = promote_types(higher, lower);
        *inout_failed |= result == TN_DTYPE_NONE;
        return result;
    }
    return higher;
}

tn_dtype tn_promoted(const tn_promotion *promotion) {
    bool failed = promotion->failed;
    tn_dtype low = combine_categories(promotion->zero_dim_dtype, promotion->scalar_dtype, &failed);
    tn_dtype result = combine_categories(promotion->dim_dtype, low, &failed);
    return failed ? TN_DTYPE_NONE : result;
}

tn_dtype tn_cv_float_dtype(const tn_value *x) {
    return tn_dtype_is_float(tn_value_dtype(x)) ? tn_value_dtype(x) : TN_F32;
}

tn_value *tn_cv_math(tn_cv *cv, tn_value *x) {
    return tn_kb_cast(cv->kb, x, tn_value_dtype(x) == TN_F64 ? TN_F64 : TN_F32);
}

tn_value *tn_cv_scalar(tn_cv *cv, const char *name, tn_dtype dtype) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind != TN_ARG_INT)
        return tn_kb_float(cv->kb, dtype, tn_cv_float(cv, name));
    if (!tn_sym_is_const(arg->i))
        return tn_kb_cast(cv->kb, tn_kb_sym(cv->kb, arg->i), dtype);
    if (tn_dtype_is_float(dtype))
        return tn_kb_float(cv->kb, dtype, (double)arg->i->value);
    return tn_kb_int(cv->kb, dtype, dtype == TN_BOOL ? arg->i->value != 0 : arg->i->value);
}

void tn_cv_promote(tn_cv *cv, tn_promotion *promotion, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    if (arg->kind == TN_ARG_VALUE)
        tn_promote_tensor(promotion, tn_cv_tensor(cv, name));
    else
        tn_promote_scalar(promotion, arg);
}

tn_value *tn_cv_operand(tn_cv *cv, const char *name, tn_dtype dtype) {
    if (tn_cv_arg(cv, name)->kind == TN_ARG_VALUE)
        return tn_kb_cast(cv->kb, tn_cv_tensor(cv, name), dtype);
    return tn_cv_scalar(cv, name, dtype);
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

const tn_sym *tn_cv_size(tn_cv *cv, int64_t size) {
    return tn_sym_const(cv->kb->graph->syms, size);
}

tn_value *tn_cv_reshape(tn_cv *cv, tn_value *x, const tn_sym *const *dims, uint32_t rank) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *sizes[TN_MAX_RANK];
    const tn_sym *known = tn_sym_const(syms, 1);
    int32_t unknown = -1;
    if (!x || rank > TN_MAX_RANK)
        return tn_kb_reshape(cv->kb, x, dims, rank);
    for (uint32_t d = 0; d < rank; d++) {
        sizes[d] = dims[d];
        if (dims[d] && tn_sym_is(dims[d], -1))
            unknown = (int32_t)d;
        else
            known = tn_sym_mul(syms, known, dims[d]);
    }
    if (unknown >= 0)
        sizes[unknown] = tn_sym_floordiv(syms, tn_type_elems(syms, &x->type), known);
    return tn_kb_reshape(cv->kb, x, sizes, rank);
}

tn_value *tn_cv_flatten(tn_cv *cv, tn_value *x, uint32_t first, uint32_t last) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = 0;
    const tn_sym *product = tn_cv_size(cv, 1);
    for (uint32_t d = 0; d < tn_value_rank(x); d++) {
        if (d < first || d > last) {
            dims[rank++] = x->type.dims[d];
            continue;
        }
        product = tn_sym_mul(cv->kb->graph->syms, product, x->type.dims[d]);
        if (d == last)
            dims[rank++] = product;
    }
    if (tn_value_rank(x) == 0)
        dims[rank++] = product;
    return tn_kb_reshape(cv->kb, x, dims, rank);
}

/* A position of Python counted from the front and cut to [low, size]. */
static const tn_sym *clamp_position(tn_syms *syms, const tn_sym *position, const tn_sym *low,
                                    const tn_sym *size) {
    if (!position || !size)
        return NULL;
    if (position->max < 0)
        position = tn_sym_add(syms, position, size);
    else if (position->min < 0)
        position = tn_sym_select(syms, tn_sym_lt(syms, position, tn_sym_const(syms, 0)),
                                 tn_sym_add(syms, position, size), position);
    return tn_sym_max(syms, low, tn_sym_min(syms, position, size));
}

void tn_cv_slice_bounds(tn_cv *cv, const tn_sym *size, const tn_sym *start, const tn_sym *end,
                        int64_t step, const tn_sym **out_start, const tn_sym **out_count) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *zero = tn_sym_const(syms, 0);
    bool is_to_end = !end || tn_sym_is(end, INT64_MAX);
    start = start ? clamp_position(syms, start, zero, size) : zero;
    end = is_to_end ? size : clamp_position(syms, end, start, size);
    *out_start = start;
    *out_count = tn_sym_sub(syms, end, start);
    if (step > 1)
        *out_count = tn_sym_ceildiv(syms, *out_count, tn_sym_const(syms, step));
}

tn_value *tn_cv_slice(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *start, const tn_sym *end,
                      int64_t step) {
    const tn_sym *count;
    tn_cv_slice_bounds(cv, tn_value_size(x, dim), start, end, step, &start, &count);
    return tn_kb_slice(cv->kb, x, dim, start, count, step);
}

tn_value *tn_cv_move_dim(tn_cv *cv, tn_value *x, uint32_t from, uint32_t to) {
    uint32_t order[TN_MAX_RANK], next = 0;
    for (uint32_t d = 0; d < tn_value_rank(x); d++) {
        if (next == from)
            next++;
        order[d] = d == to ? from : next++;
    }
    return tn_kb_permute(cv->kb, x, order);
}

tn_value *tn_cv_repeat(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *times,
                       bool is_interleaved) {
    tn_syms *syms = cv->kb->graph->syms;
    if (!x || !times || tn_sym_is(times, 1))
        return x;
    const tn_sym *outer = tn_cv_size(cv, 1), *inner = tn_cv_size(cv, 1);
    const tn_sym *size = x->type.dims[dim], *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < x->type.rank; d++) {
        dims[d] = x->type.dims[d];
        if (d < dim)
            outer = tn_sym_mul(syms, outer, dims[d]);
        else if (d > dim)
            inner = tn_sym_mul(syms, inner, dims[d]);
    }
    dims[dim] = tn_sym_mul(syms, size, times);
    if (is_interleaved)
        outer = tn_sym_mul(syms, outer, size);
    else
        inner = tn_sym_mul(syms, size, inner);
    const tn_sym *one[3] = {outer, tn_cv_size(cv, 1), inner}, *many[3] = {outer, times, inner};
    tn_value *y = tn_kb_expand(cv->kb, tn_kb_reshape(cv->kb, x, one, 3), many, 3);
    return tn_kb_reshape(cv->kb, y, dims, x->type.rank);
}

tn_value *tn_cv_expand_as(tn_cv *cv, tn_value *x, const tn_value *like) {
    return like ? tn_kb_expand(cv->kb, x, like->type.dims, like->type.rank) : NULL;
}

/* ---- scattering
 * ---------------------------------------------------------------------------------
 */

tn_value *tn_cv_scatter(tn_cv *cv, tn_value *x, tn_value *index, tn_value *src, uint32_t dim,
                        const char *reduce) {
    tn_value *operands[3] = {x, index, src};
    tn_arg args[] = {tn_arg_value(0), tn_arg_value(1), tn_arg_value(2), tn_arg_int(cv->kb, dim),
                     tn_arg_str(reduce)};
    return tn_kb_node(cv->kb, TN_PRIM_SCATTER, operands, 3, args, 5);
}

tn_value *tn_cv_spread_index(tn_cv *cv, tn_value *index, uint32_t dim, const tn_value *like) {
    const tn_sym *dims[TN_MAX_RANK];
    const tn_sym *size = tn_value_rank(index) == 0 ? tn_cv_size(cv, 1) : tn_value_size(index, 0);
    if (!like)
        return NULL;
    for (uint32_t d = 0; d < like->type.rank; d++)
        dims[d] = d == dim ? size : tn_cv_size(cv, 1);
    tn_value *y = tn_kb_reshape(cv->kb, index, dims, like->type.rank);
    return tn_kb_expand(cv->kb, y, like->type.dims, like->type.rank);
}
