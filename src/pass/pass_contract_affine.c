/* pass_contract_affine.c: constant scales behind convolutions and products go into the weights,
 * sums into the bias: batch norm (scale and shift per channel), scaled projections, biases.
 *
 * New weights are computed in f32 (f64 for f64) and rounded once to the weights' dtype. A widening
 * cast between the contraction and the map moves behind it (the result was rounded there already),
 * and so does a permute.
 *
 * Maps in f32 behind a contraction of halves are not put into its weights, whose rounding would
 * cost more accuracy than the model has: they become one product and one sum, which kernels do on
 * the f32 accumulators. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* A contraction with constant weights that only one map uses. */
typedef struct contraction {
    const tn_node *node;
    bool is_conv;
    const tn_node *permute; /* of the result, before the map; NULL: none */
    uint32_t channel_dim;   /* of what the map sees */
    const tn_sym *channels; /* size of that dim */
    tn_value *weight, *bias;
    tn_dtype widened; /* of the cast behind it, or its own dtype */
} contraction;

static bool match_contraction(const tn_rewrite *rw, const tn_value *value, contraction *out) {
    const tn_node *cast = tn_match(value, TN_PRIM_CAST);
    *out = (contraction){.widened = value->type.dtype};
    if (!tn_match_once(rw->graph, value))
        return false;
    if (cast) {
        const tn_value *x = cast->operands[0];
        if (!tn_match_half(x->type.dtype) || value->type.dtype != TN_F32 ||
            !tn_match_once(rw->graph, x))
            return false;
        value = x;
    }
    out->permute = tn_match(value, TN_PRIM_PERMUTE);
    if (out->permute) {
        value = out->permute->operands[0];
        if (!tn_match_once(rw->graph, value))
            return false;
    }
    const tn_node *conv = tn_match(value, TN_PRIM_CONV), *matmul = tn_match(value, TN_PRIM_MATMUL);
    out->node = conv ? conv : matmul;
    if (!out->node || value->type.dtype > TN_BF16)
        return false;
    out->is_conv = conv != NULL;
    out->channel_dim = conv ? 1 : value->type.rank - 1;
    out->channels = value->type.dims[out->channel_dim];
    for (uint32_t d = 0; out->permute && d < value->type.rank; d++)
        if (out->permute->args[1].ints[d]->value == (conv ? 1 : (int64_t)value->type.rank - 1))
            out->channel_dim = d;
    out->weight = out->node->operands[1];
    out->bias = tn_node_arg_value(out->node, 2);
    return conv ? !conv->args[8].b || conv->args[7].i->value == 1 : true;
}

/* value holds one number per channel of the contraction's result (or one for all), in the result's
 * rank or less. */
static bool is_per_channel(const contraction *c, const tn_value *value) {
    uint32_t rank = c->node->results[0]->type.rank;
    if (value->type.rank > rank)
        return false;
    uint32_t missing = rank - value->type.rank;
    for (uint32_t d = 0; d < value->type.rank; d++) {
        const tn_sym *size = value->type.dims[d];
        if (!tn_sym_is(size, 1) && (missing + d != c->channel_dim || size != c->channels))
            return false;
    }
    return true;
}

/* There is no bias, or one number per channel. */
static bool has_vector_bias(const contraction *c) {
    const tn_type *type = c->bias ? &c->bias->type : NULL;
    if (!type || c->is_conv)
        return true;
    for (uint32_t d = 0; d + 1 < type->rank; d++)
        if (!tn_sym_is(type->dims[d], 1))
            return false;
    return type->rank > 0 && type->dims[type->rank - 1] == c->channels;
}

static tn_value *vector_bias(tn_rewrite *rw, const contraction *c) {
    return tn_rewrite_fold(rw, tn_kb_reshape(&rw->kb, c->bias, &c->channels, 1));
}

/* The channels as a vector; a single number is expanded. */
static tn_value *as_vector(tn_rewrite *rw, const contraction *c, tn_value *value) {
    tn_kb *kb = &rw->kb;
    uint32_t missing = c->node->results[0]->type.rank - value->type.rank;
    bool has_channels = value->type.rank > 0 && c->channel_dim >= missing &&
                        value->type.dims[c->channel_dim - missing] == c->channels;
    if (has_channels)
        return tn_rewrite_fold(rw, tn_kb_reshape(kb, value, &c->channels, 1));
    value = tn_rewrite_fold(rw, tn_kb_reshape(kb, value, NULL, 0));
    return tn_rewrite_fold(rw, tn_kb_expand(kb, value, &c->channels, 1));
}

/* prim(a, b) in the wide dtype, rounded to dtype; constants give a constant. */
static tn_value *compute(tn_rewrite *rw, tn_prim prim, tn_value *a, tn_value *b, tn_dtype dtype) {
    tn_kb *kb = &rw->kb;
    tn_dtype wide = dtype == TN_F64 ? TN_F64 : TN_F32;
    if (!a || !b)
        return NULL;
    a = tn_rewrite_fold(rw, tn_kb_cast(kb, a, wide));
    b = tn_rewrite_fold(rw, tn_kb_cast(kb, b, wide));
    tn_value *y = tn_rewrite_fold(rw, tn_kb_map2(kb, prim, a, b));
    return tn_rewrite_fold(rw, tn_kb_cast(kb, y, dtype));
}

/* The contraction with these weights and this bias, cast as before. */
static tn_value *rebuild(tn_rewrite *rw, const contraction *c, tn_value *weight, tn_value *bias) {
    tn_kb *kb = &rw->kb;
    tn_value *operands[3] = {c->node->operands[0], weight, bias};
    tn_arg args[10];
    uint32_t arg_count = c->node->op->schema->param_count;
    for (uint32_t i = 0; i < arg_count; i++)
        args[i] = c->node->args[i];
    args[2] = bias ? tn_arg_value(2) : (tn_arg){.kind = TN_ARG_NONE};
    tn_prim prim = c->is_conv ? TN_PRIM_CONV : TN_PRIM_MATMUL;
    tn_value *y = tn_kb_node(kb, prim, operands, bias ? 3 : 2, args, arg_count);
    uint32_t order[TN_MAX_RANK];
    for (uint32_t d = 0; c->permute && d < c->permute->results[0]->type.rank; d++)
        order[d] = (uint32_t)c->permute->args[1].ints[d]->value;
    if (c->permute)
        y = tn_kb_permute(kb, y, order);
    return tn_kb_cast(kb, y, c->widened);
}

/* The vector shaped to run along the weights' output channels. */
static tn_value *along_weight(tn_rewrite *rw, const contraction *c, tn_value *vector) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = c->weight->type.rank;
    if (!c->is_conv)
        return vector; /* [K, N] has them last */
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = tn_sym_const(rw->graph->syms, 1);
    dims[c->node->args[8].b ? 1 : 0] = c->channels;
    return tn_rewrite_fold(rw, tn_kb_reshape(&rw->kb, vector, dims, rank));
}

static tn_value *join_scale(tn_rewrite *rw, const contraction *c, tn_prim prim, tn_value *scale) {
    tn_dtype dtype = c->weight->type.dtype;
    bool is_simple = tn_is_const(c->weight) && c->weight->use_count == 1 && tn_is_const(scale) &&
                     (c->is_conv || c->weight->type.rank == 2) &&
                     (!c->bias || (tn_is_const(c->bias) && has_vector_bias(c)));
    if (!is_simple || !tn_sym_is_const(c->channels) || !is_per_channel(c, scale))
        return NULL;
    tn_value *vector = as_vector(rw, c, scale);
    if (!vector)
        return NULL;
    tn_value *weight = compute(rw, prim, c->weight, along_weight(rw, c, vector), dtype);
    tn_value *bias = c->bias ? compute(rw, prim, vector_bias(rw, c), vector, dtype) : NULL;
    if (rw->kb.status)
        return NULL;
    tn_rewrite_swap_names(weight, c->weight); /* nothing else uses the old one */
    return rebuild(rw, c, weight, bias);
}

static tn_value *join_shift(tn_rewrite *rw, const contraction *c, tn_prim prim, tn_value *shift) {
    tn_dtype dtype = c->weight->type.dtype;
    bool is_const = tn_is_const(shift);
    bool has_const_bias = !c->bias || (tn_is_const(c->bias) && is_const && has_vector_bias(c));
    if (!tn_sym_is_const(c->channels) || !is_per_channel(c, shift) || !has_const_bias ||
        (!is_const && (prim != TN_PRIM_ADD || shift->type.dtype != dtype)))
        return NULL;
    tn_value *vector = as_vector(rw, c, shift), *bias = NULL;
    if (c->bias)
        bias = compute(rw, prim, vector_bias(rw, c), vector, dtype);
    else if (is_const)
        bias = compute(rw, prim, tn_kb_float(&rw->kb, dtype, 0), vector, dtype);
    else
        bias = vector;
    return rw->kb.status ? NULL : rebuild(rw, c, c->weight, bias);
}

/* value as x * scale + shift, with constants; NULL stands for 1 and 0. */
typedef struct scaled {
    tn_value *x, *scale, *shift;
} scaled;

/* The constant operand of a map, if it has one in a place where prim takes it; the other is *out_x.
 */
static tn_value *constant_operand(const tn_node *node, tn_value **out_x) {
    tn_prim prim = tn_node_prim(node);
    bool commutes = prim == TN_PRIM_MUL || prim == TN_PRIM_ADD;
    for (uint32_t i = 0; i < (commutes ? 2u : 1u); i++) {
        *out_x = node->operands[i];
        if (tn_is_const(node->operands[1 - i]) &&
            tn_type_equal(&node->operands[i]->type, &node->results[0]->type))
            return node->operands[1 - i];
    }
    return NULL;
}

static scaled match_scaled(const tn_rewrite *rw, tn_value *value) {
    scaled result = {.x = value};
    const tn_node *add = tn_match(value, TN_PRIM_ADD);
    if (add && tn_match_once(rw->graph, value)) {
        tn_value *x = NULL;
        result.shift = constant_operand(add, &x);
        if (result.shift)
            result.x = x;
    }
    const tn_node *mul = tn_match(result.x, TN_PRIM_MUL);
    if (mul && tn_match_once(rw->graph, result.x)) {
        tn_value *x = NULL;
        result.scale = constant_operand(mul, &x);
        if (result.scale)
            result.x = x;
    }
    return result;
}

/* A constant map behind x * scale + shift, where x is a contraction of halves widened to f32. */
static tn_value *combine(tn_rewrite *rw, tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    tn_value *y = NULL, *other = constant_operand(node, &y);
    if (!other || node->results[0]->type.dtype != TN_F32)
        return NULL;
    scaled s = match_scaled(rw, y);
    contraction c;
    bool is_normal = prim == TN_PRIM_ADD ? !s.shift : prim == TN_PRIM_MUL && !s.scale && !s.shift;
    if (is_normal || !match_contraction(rw, s.x, &c) || c.widened == c.weight->type.dtype)
        return NULL;
    tn_kb *kb = &rw->kb;
    if (prim == TN_PRIM_MUL || prim == TN_PRIM_DIV) {
        tn_value *one = tn_kb_float(kb, TN_F32, 1);
        s.scale = compute(rw, prim, s.scale ? s.scale : one, other, TN_F32);
        s.shift = s.shift ? compute(rw, prim, s.shift, other, TN_F32) : NULL;
    } else {
        s.shift = compute(rw, prim, s.shift ? s.shift : tn_kb_float(kb, TN_F32, 0), other, TN_F32);
    }
    tn_value *product = s.scale ? tn_kb_map2(kb, TN_PRIM_MUL, s.x, s.scale) : s.x;
    return s.shift ? tn_kb_map2(kb, TN_PRIM_ADD, product, s.shift) : product;
}

static tn_value *join(tn_rewrite *rw, tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    if (prim != TN_PRIM_MUL && prim != TN_PRIM_DIV && prim != TN_PRIM_ADD && prim != TN_PRIM_SUB)
        return NULL;
    tn_value *combined = combine(rw, node);
    if (combined || rw->kb.status)
        return combined;
    bool commutes = prim == TN_PRIM_MUL || prim == TN_PRIM_ADD;
    for (uint32_t i = 0; i < (commutes ? 2u : 1u); i++) {
        contraction c;
        tn_value *other = node->operands[1 - i];
        if (!match_contraction(rw, node->operands[i], &c) || c.widened != c.weight->type.dtype ||
            !tn_type_equal(&node->operands[i]->type, &node->results[0]->type))
            continue;
        bool is_scale = prim == TN_PRIM_MUL || prim == TN_PRIM_DIV;
        tn_value *y = is_scale ? join_scale(rw, &c, prim, other) : join_shift(rw, &c, prim, other);
        if (y || rw->kb.status)
            return y;
    }
    return NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, join);
}

const tn_pass tn_pass_contract_affine = {
    "contract-affine", "folds batch norm, scales and biases into contractions", run};
