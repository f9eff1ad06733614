/* pass_norms.c: softmax, RMSNorm and LayerNorm from reductions and maps.
 *
 *   softmax     e / sum(e), e = exp(x - max(x)), over one dim
 *   rms_norm    x * rsqrt(mean(x * x) + eps), x / sqrt(mean(x * x) + eps), over trailing dims
 *   layer_norm  the same of d = x - mean(x), or with the population variance of x
 * then a product with a tensor of the trailing dims' shape is their weight, a sum their bias, and
 * casts of a half dtype to f32 before and back behind go (the primitives compute in f32). Weights
 * join even where PyTorch rounds to half before the product. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* In a half dtype every step may be rounded by casts to f32 and back, which are then looked
 * through. */
static tn_value *see(bool is_half, tn_value *value) {
    const tn_node *cast = is_half ? tn_match(value, TN_PRIM_CAST) : NULL;
    while (cast && cast->operands[0]->type.dtype <= TN_BF16) {
        value = cast->operands[0];
        cast = tn_match(value, TN_PRIM_CAST);
    }
    return value;
}

/* The v and eps of rsqrt(v + eps) or, for quotients, sqrt(v + eps). */
static tn_value *rooted(bool is_half, tn_value *value, tn_prim root, double *out_eps) {
    tn_value *v;
    const tn_node *node = tn_match(see(is_half, value), root);
    if (!node || !tn_match_scalar(see(is_half, node->operands[0]), TN_PRIM_ADD, &v, out_eps) ||
        *out_eps < 0)
        return NULL;
    return see(is_half, v);
}

/* value is mean(x * x) over the trailing count dims. */
static bool is_mean_square(bool is_half, tn_value *value, const tn_value *x, uint32_t *out_count) {
    const tn_node *mean = tn_match_trailing(value, TN_PRIM_REDUCE_MEAN, out_count);
    const tn_node *square = mean ? tn_match(see(is_half, mean->operands[0]), TN_PRIM_MUL) : NULL;
    return square && see(is_half, square->operands[0]) == x &&
           see(is_half, square->operands[1]) == x;
}

/* The x of d = x - mean(x) over the trailing count dims. */
static tn_value *centred(bool is_half, tn_value *d, uint32_t *out_count) {
    const tn_node *sub = tn_match(d, TN_PRIM_SUB);
    if (!sub)
        return NULL;
    tn_value *x = see(is_half, sub->operands[0]), *mean = see(is_half, sub->operands[1]);
    const tn_node *reduce = tn_match_trailing(mean, TN_PRIM_REDUCE_MEAN, out_count);
    return reduce && see(is_half, reduce->operands[0]) == x ? x : NULL;
}

static bool is_variance(bool is_half, tn_value *value, const tn_value *x, uint32_t *out_count) {
    const tn_node *var = tn_match_trailing(value, TN_PRIM_REDUCE_VAR, out_count);
    return var && see(is_half, var->operands[0]) == x && var->args[3].f == 0;
}

/* The normalised y divided by the root of v + eps, in the dtype of the result. */
static tn_value *match_norm_of(tn_rewrite *rw, tn_value *y, tn_value *v, double eps,
                               tn_dtype dtype) {
    tn_kb *kb = &rw->kb;
    bool is_half = tn_match_half(dtype);
    uint32_t count, centre_count;
    y = see(is_half, y);
    tn_value *x = centred(is_half, y, &centre_count);
    bool is_centred =
        x && (is_variance(is_half, v, x, &count) || is_mean_square(is_half, v, y, &count)) &&
        count == centre_count;
    if (!is_centred && !is_mean_square(is_half, v, y, &count))
        return NULL;
    x = is_centred ? x : y;
    if (x->type.dtype != dtype && !tn_match_half(x->type.dtype))
        return NULL; /* x is wider: casts that were looked through matter */
    x = tn_kb_cast(kb, x, dtype);
    return is_centred ? tn_kb_layer_norm(kb, x, NULL, NULL, count, eps)
                      : tn_kb_rms_norm(kb, x, NULL, count, eps);
}

static tn_value *match_norm(tn_rewrite *rw, const tn_node *node) {
    double eps;
    tn_dtype dtype = node->results[0]->type.dtype;
    bool is_half = tn_match_half(dtype);
    if (dtype > TN_BF16)
        return NULL;
    if (tn_node_prim(node) == TN_PRIM_DIV) {
        tn_value *v = rooted(is_half, node->operands[1], TN_PRIM_SQRT, &eps);
        return v ? match_norm_of(rw, node->operands[0], v, eps, dtype) : NULL;
    }
    for (uint32_t i = 0; i < 2; i++) {
        tn_value *v = rooted(is_half, node->operands[1 - i], TN_PRIM_RSQRT, &eps);
        tn_value *y = v ? match_norm_of(rw, node->operands[i], v, eps, dtype) : NULL;
        if (y)
            return y;
    }
    return NULL;
}

/* A reduction of x over one dim with keep_dim. */
static bool is_reduction(const tn_value *value, tn_prim prim, const tn_value *x,
                         int64_t *inout_dim) {
    const tn_node *reduce = tn_match(value, prim);
    if (!reduce || reduce->operands[0] != x || !reduce->args[2].b || reduce->args[1].count != 1)
        return false;
    int64_t dim = reduce->args[1].ints[0]->value;
    bool is_same = *inout_dim < 0 || dim == *inout_dim;
    *inout_dim = dim;
    return is_same;
}

static tn_value *match_softmax(tn_rewrite *rw, const tn_node *div) {
    int64_t dim = -1;
    const tn_value *e = div->operands[0];
    const tn_node *exp_node = tn_match(e, TN_PRIM_EXP);
    const tn_node *sub = exp_node ? tn_match(exp_node->operands[0], TN_PRIM_SUB) : NULL;
    if (!sub || !is_reduction(div->operands[1], TN_PRIM_REDUCE_SUM, e, &dim) ||
        !is_reduction(sub->operands[1], TN_PRIM_REDUCE_MAX, sub->operands[0], &dim))
        return NULL;
    return tn_kb_softmax(&rw->kb, sub->operands[0], (uint32_t)dim, false);
}

/* ---- what joins a normalisation -------------------------------------------------------------- */

/* value has the shape of x's trailing `count` dims, but for leading dims of size 1; given without
 * those, or NULL. */
static tn_value *as_affine(tn_rewrite *rw, tn_value *value, const tn_type *x, uint32_t count) {
    if (value->type.dtype != x->dtype || value->type.rank < count)
        return NULL;
    uint32_t lead = value->type.rank - count;
    for (uint32_t d = 0; d < lead; d++)
        if (!tn_sym_is(value->type.dims[d], 1))
            return NULL;
    for (uint32_t d = 0; d < count; d++)
        if (value->type.dims[lead + d] != x->dims[x->rank - count + d])
            return NULL;
    return tn_kb_reshape(&rw->kb, value, &value->type.dims[lead], count);
}

/* norm(x) * w, norm(x) + b: operand i is the normalisation. */
static tn_value *join_affine(tn_rewrite *rw, const tn_node *node, uint32_t i) {
    tn_kb *kb = &rw->kb;
    bool is_weight = tn_node_prim(node) == TN_PRIM_MUL;
    const tn_node *rms = tn_match(node->operands[i], TN_PRIM_RMS_NORM);
    const tn_node *layer = tn_match(node->operands[i], TN_PRIM_LAYER_NORM);
    const tn_node *norm = rms ? rms : layer;
    if (!norm || !tn_match_once(rw->graph, norm->results[0]) || (rms && !is_weight))
        return NULL;
    tn_value *weight = tn_node_arg_value(norm, 1);
    tn_value *bias = layer ? tn_node_arg_value(norm, 2) : NULL;
    if (bias || (is_weight && weight))
        return NULL;
    const tn_type *type = &norm->results[0]->type;
    uint32_t count = (uint32_t)norm->args[rms ? 2 : 3].i->value;
    tn_value *affine = tn_type_equal(type, &node->results[0]->type)
                           ? as_affine(rw, node->operands[1 - i], type, count)
                           : NULL;
    if (!affine)
        return NULL;
    if (rms)
        return tn_kb_rms_norm(kb, norm->operands[0], affine, count, norm->args[3].f);
    return tn_kb_layer_norm(kb, norm->operands[0], is_weight ? affine : weight,
                            is_weight ? NULL : affine, count, norm->args[4].f);
}

/* half(norm(f32(x))) with x half and no weight: the primitive on x itself. */
static tn_value *join_casts(tn_rewrite *rw, const tn_node *cast) {
    const tn_value *y = cast->operands[0];
    tn_dtype half = cast->results[0]->type.dtype;
    if (!tn_match_half(half) || y->type.dtype != TN_F32 || y->kind != TN_VALUE_RESULT ||
        tn_prim_class_of(tn_node_prim(y->def)) != TN_CLASS_NORM || y->def->operand_count != 1 ||
        !tn_match_once(rw->graph, y))
        return NULL;
    const tn_node *widen = tn_match(y->def->operands[0], TN_PRIM_CAST);
    if (!widen || widen->operands[0]->type.dtype != half)
        return NULL;
    return tn_kb_node(&rw->kb, tn_node_prim(y->def), widen->operands, 1, y->def->args,
                      y->def->op->schema->param_count);
}

static tn_value *match(tn_rewrite *rw, tn_node *node) {
    tn_value *y = NULL;
    switch (tn_node_prim(node)) {
    case TN_PRIM_CAST:
        return join_casts(rw, node);
    case TN_PRIM_DIV:
        y = match_softmax(rw, node);
        return y ? y : match_norm(rw, node);
    case TN_PRIM_MUL:
        y = match_norm(rw, node); /* and then as a weight */
        break;
    case TN_PRIM_ADD:
        break;
    default:
        return NULL;
    }
    for (uint32_t i = 0; i < 2 && !y; i++)
        y = join_affine(rw, node, i);
    return y;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, match);
}

const tn_pass tn_pass_norms = {"norms", "recognises softmax, RMSNorm and LayerNorm", run};
