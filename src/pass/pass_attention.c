/* pass_attention.c: attention from products and softmax, whichever way it is spelt.
 *
 *   matmul(softmax(scores), v) where scores is matmul(q, k turned), scaled and masked:
 *     s * c, s / c                     the scale; q and k may be scaled instead or too
 *     s + m                            a mask that is added, m with the shape that it broadcasts
 * from select(hide, -inf, s) and kin    a mask by condition; fills of -1e30 and below count and
 * casts between floats in between. The safe softmax of PyTorch's decomposition is known:
 *     select(not(any(not(scores == -inf))), 0, softmax(scores)), rows that see nothing give 0
 * as the primitive does for every spelling. It fires only if nothing else uses the scores, the
 * weights or what lies between. attention-form then cleans the operands. */
#include <math.h>

#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* What has been found on the way from the weights to the product of q and k. */
typedef struct scores {
    double scale;
    tn_value *mask; /* added to the scaled scores; NULL: none */
} scores;

/* A fill that hides: -inf, or so low that nothing added to it shows. */
static bool is_hiding(const tn_value *value, double *out_fill) {
    return tn_value_splat(value, out_fill) && *out_fill <= -1e30;
}

static tn_value *see(tn_value *value) {
    const tn_node *cast = tn_match(value, TN_PRIM_CAST);
    bool is_float =
        cast && cast->operands[0]->type.dtype <= TN_BF16 && value->type.dtype <= TN_BF16;
    return is_float ? cast->operands[0] : value;
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* Adds a mask to those found further out. */
static void add_mask(tn_rewrite *rw, scores *s, tn_value *mask) {
    s->mask = s->mask ? tn_kb_map2(&rw->kb, TN_PRIM_ADD,
                                   tn_kb_cast(&rw->kb, s->mask, mask->type.dtype), mask)
                      : mask;
}

static bool leads_to_product(const tn_value *value, int depth) {
    tn_value *x;
    double number;
    if (depth == 0 || tn_match(value, TN_PRIM_MATMUL))
        return depth > 0;
    if (tn_match(value, TN_PRIM_CAST))
        return leads_to_product(value->def->operands[0], depth - 1);
    if (tn_match_scalar(value, TN_PRIM_MUL, &x, &number) ||
        tn_match_scalar(value, TN_PRIM_DIV, &x, &number))
        return leads_to_product(x, depth - 1);
    const tn_node *node = tn_match(value, TN_PRIM_ADD);
    if (node)
        return leads_to_product(node->operands[0], depth - 1) ||
               leads_to_product(node->operands[1], depth - 1);
    node = tn_match(value, TN_PRIM_SELECT);
    return node && (leads_to_product(node->operands[1], depth - 1) ||
                    leads_to_product(node->operands[2], depth - 1));
}

/* One step inwards from `value`; the operand that leads on, or NULL. */
static tn_value *step_inwards(tn_rewrite *rw, tn_value *value, scores *s) {
    enum { DEPTH = 6 };
    tn_kb *kb = &rw->kb;
    tn_value *x;
    double number;
    if (see(value) != value)
        return see(value);
    if (tn_match_scalar(value, TN_PRIM_MUL, &x, &number)) {
        s->scale *= number;
        return x;
    }
    if (tn_match_scalar(value, TN_PRIM_DIV, &x, &number)) {
        s->scale /= number;
        return x;
    }
    const tn_node *node = tn_match(value, TN_PRIM_ADD);
    for (uint32_t i = 0; node && i < 2; i++) {
        x = node->operands[i];
        if (!leads_to_product(x, DEPTH) || !tn_type_equal(&x->type, &value->type))
            continue;
        if (s->scale != 1)
            return NULL; /* the mask would be scaled too */
        add_mask(rw, s, node->operands[1 - i]);
        return x;
    }
    node = tn_match(value, TN_PRIM_SELECT);
    for (uint32_t i = 1; node && i < 3; i++) {
        x = node->operands[i];
        if (!is_hiding(node->operands[3 - i], &number) || s->scale != 1 ||
            !tn_type_equal(&x->type, &value->type))
            continue;
        tn_value *zero = tn_kb_float(kb, value->type.dtype, 0);
        tn_value *fill = tn_kb_float(kb, value->type.dtype, number);
        add_mask(rw, s,
                 tn_kb_select(kb, node->operands[0], i == 1 ? zero : fill, i == 1 ? fill : zero));
        return x;
    }
    return NULL;
}

/* The product that the scores come from; NULL unless it and each step on the way have no other use.
 */
static const tn_node *private_product(const tn_rewrite *rw, const tn_value *value) {
    for (int depth = 0; depth < 12; depth++) {
        tn_value *x;
        double number;
        if (depth > 0 && !tn_match_once(rw->graph, value))
            return NULL;
        const tn_node *node = value->def;
        if (!node || tn_match(value, TN_PRIM_MATMUL))
            return node;
        if (tn_match(value, TN_PRIM_CAST))
            value = node->operands[0];
        else if (tn_match_scalar(value, TN_PRIM_MUL, &x, &number) ||
                 tn_match_scalar(value, TN_PRIM_DIV, &x, &number))
            value = x;
        else if (tn_match(value, TN_PRIM_ADD))
            value = node->operands[leads_to_product(node->operands[0], 6) ? 0 : 1];
        else if (tn_match(value, TN_PRIM_SELECT))
            value = node->operands[leads_to_product(node->operands[1], 6) ? 1 : 2];
        else
            return NULL;
    }
    return NULL;
}

/* Scale and mask of the scores, down to the product. */
static bool match_scores(tn_rewrite *rw, tn_value *value, const tn_node *product, scores *out) {
    *out = (scores){.scale = 1};
    while (value && value->def != product && !rw->kb.status)
        value = step_inwards(rw, value, out);
    return value != NULL;
}

/* ---- weights --------------------------------------------------------------------------------- */

/* cond is true for the rows of s that are -inf throughout; inverted: for the others. */
static bool is_blind_rows(const tn_value *cond, const tn_value *s, bool inverted) {
    const tn_node *not_node = tn_match(cond, TN_PRIM_NOT);
    if (not_node)
        return is_blind_rows(not_node->operands[0], s, !inverted);
    uint32_t count;
    tn_prim prim = inverted ? TN_PRIM_REDUCE_ANY : TN_PRIM_REDUCE_ALL;
    const tn_node *reduce = tn_match_trailing(cond, prim, &count);
    if (!reduce || count != 1)
        return false;
    tn_value *x;
    double number;
    const tn_value *hidden = reduce->operands[0];
    not_node = tn_match(hidden, TN_PRIM_NOT);
    if (inverted && not_node)
        hidden = not_node->operands[0];
    else if (inverted)
        return tn_match_scalar(hidden, TN_PRIM_NE, &x, &number) && x == s && number == -INFINITY;
    return tn_match_scalar(hidden, TN_PRIM_EQ, &x, &number) && x == s && number == -INFINITY;
}

/* The softmax over the last dim that the weights are, alone or guarded against blind rows. */
static const tn_node *match_weights(const tn_rewrite *rw, tn_value *weights) {
    double number;
    if (!tn_match_once(rw->graph, weights))
        return NULL;
    weights = see(weights);
    if (!tn_match_once(rw->graph, weights))
        return NULL;
    const tn_node *select = tn_match(weights, TN_PRIM_SELECT), *softmax = NULL;
    for (uint32_t i = 1; select && i < 3; i++) {
        const tn_node *inner = tn_match(select->operands[i], TN_PRIM_SOFTMAX);
        if (inner && tn_value_splat(select->operands[3 - i], &number) && number == 0 &&
            is_blind_rows(select->operands[0], inner->operands[0], i == 1))
            softmax = inner;
    }
    if (!select)
        softmax = tn_match(weights, TN_PRIM_SOFTMAX);
    if (!softmax || !tn_match_once(rw->graph, softmax->results[0]))
        return NULL;
    const tn_value *s = softmax->operands[0];
    bool is_last = softmax->args[1].i->value == (int64_t)s->type.rank - 1;
    bool is_private_to_it = s->use_count == (select ? 2u : 1u) && !tn_value_is_output(rw->graph, s);
    return is_last && is_private_to_it ? softmax : NULL;
}

static bool leads_agree(const tn_type *a, const tn_type *b) {
    bool is_same = a->rank == b->rank && a->rank >= 3;
    for (uint32_t d = 0; is_same && d + 2 < a->rank; d++)
        is_same = a->dims[d] == b->dims[d];
    return is_same;
}

static tn_value *match_attention(tn_rewrite *rw, tn_node *node) {
    tn_kb *kb = &rw->kb;
    scores s;
    if (tn_node_prim(node) != TN_PRIM_MATMUL || node->operand_count != 2 ||
        node->results[0]->type.dtype > TN_BF16)
        return NULL;
    const tn_node *softmax = match_weights(rw, node->operands[0]);
    const tn_node *product = softmax ? private_product(rw, softmax->operands[0]) : NULL;
    if (!product || product->operand_count != 2)
        return NULL;
    tn_value *q = product->operands[0], *k = product->operands[1], *v = node->operands[1];
    if (!leads_agree(&q->type, &k->type) || !leads_agree(&q->type, &v->type) ||
        !match_scores(rw, softmax->operands[0], product, &s))
        return NULL;
    uint32_t rank = k->type.rank;
    k = tn_kb_transpose(kb, k, rank - 2, rank - 1);
    tn_dtype dtype = v->type.dtype;
    if (s.mask && s.mask->type.dtype != dtype && s.mask->type.dtype != TN_F32)
        s.mask = tn_kb_cast(kb, s.mask, dtype);
    tn_kb_attention_args args = {.q = tn_kb_cast(kb, q, dtype),
                                 .k = tn_kb_cast(kb, k, dtype),
                                 .v = v,
                                 .mask = s.mask,
                                 .scale = s.scale};
    return tn_kb_attention(kb, &args);
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, match_attention);
}

const tn_pass tn_pass_attention = {"attention", "recognises attention written out", run};
