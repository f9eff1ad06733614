/* pass_contract_views.c: brings views around products into one form.
 *
 * Exporters flatten the operands of a product to two or three dims and unflatten the result. Here
 * the flattening moves behind the product, where it meets the unflattening and vanishes:
 *   matmul(reshape(a: [.., M, K] -> [P, M, K]), reshape(b: [.., K, N] -> [P, K, N]))
 *   matmul(reshape(a: [.., K] -> [P, K]), b: [K, N]), where several dims may also make the K
 *   add(reshape(y), vector) where the vector runs along a last dim that the reshape keeps
 * and a weight that was expanded over a batch is one matrix again (the simplify pass does that,
 * once the reshape between has gone). */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* value as the reshape of an operand with more dims, of which the last `kept` are the same. */
static tn_value *flattened(const tn_value *value, uint32_t kept) {
    const tn_node *reshape = tn_match(value, TN_PRIM_RESHAPE);
    if (!reshape)
        return NULL;
    tn_value *x = reshape->operands[0];
    if (x->type.rank <= value->type.rank || x->type.rank < kept)
        return NULL;
    for (uint32_t i = 1; i <= kept; i++)
        if (x->type.dims[x->type.rank - i] != value->type.dims[value->type.rank - i])
            return NULL;
    return x;
}

/* The operand of a reshape to [P, K], given as [.., K] where more than one dim makes P; NULL if the
 * reshape does not join whole dims. */
static tn_value *unflattened(tn_rewrite *rw, const tn_value *value) {
    const tn_node *reshape = tn_match(value, TN_PRIM_RESHAPE);
    const tn_sym *dims[TN_MAX_RANK], *product = tn_sym_const(rw->graph->syms, 1);
    if (!reshape)
        return NULL;
    tn_value *x = reshape->operands[0];
    uint32_t lead = x->type.rank;
    while (lead > 0 && product && product != value->type.dims[1])
        product = tn_sym_mul(rw->graph->syms, x->type.dims[--lead], product);
    if (product != value->type.dims[1] || lead < 2)
        return NULL;
    for (uint32_t d = 0; d < lead; d++)
        dims[d] = x->type.dims[d];
    dims[lead] = product;
    return tn_kb_reshape(&rw->kb, x, dims, lead + 1);
}

static bool same_lead(const tn_type *a, const tn_type *b, uint32_t behind) {
    bool is_same = a->rank == b->rank;
    for (uint32_t d = 0; is_same && d + behind < a->rank; d++)
        is_same = a->dims[d] == b->dims[d];
    return is_same;
}

/* [P, X, Y] as [.., X, Y] with the leading dims of another, whose product is P too. */
static tn_value *with_lead(tn_rewrite *rw, tn_value *value, const tn_type *other) {
    const tn_sym *dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < other->rank; d++)
        dims[d] = d + 2 < other->rank ? other->dims[d] : value->type.dims[d + 3 - other->rank];
    return tn_kb_reshape(&rw->kb, value, dims, other->rank);
}

/* A bias along the last dim alone means the same for any leading dims. */
static bool is_vector(const tn_value *value) {
    for (uint32_t d = 0; d + 1 < value->type.rank; d++)
        if (!tn_sym_is(value->type.dims[d], 1))
            return false;
    return true;
}

static tn_value *as_vector(tn_kb *kb, tn_value *value) {
    uint32_t rank = value->type.rank;
    return rank <= 1 ? value : tn_kb_reshape(kb, value, &value->type.dims[rank - 1], 1);
}

static tn_value *product_behind(tn_rewrite *rw, const tn_node *node) {
    tn_kb *kb = &rw->kb;
    tn_value *a = node->operands[0], *b = node->operands[1], *bias = tn_node_arg_value(node, 2);
    const tn_type *result = &node->results[0]->type;
    if (bias && !is_vector(bias))
        return NULL;
    tn_value *y = NULL;
    if (a->type.rank == 2 && b->type.rank == 2) {
        y = unflattened(rw, a);
    } else if (a->type.rank == 3 && b->type.rank == 3) {
        tn_value *wide_a = flattened(a, 2), *wide_b = flattened(b, 2);
        if (!wide_a && !wide_b)
            return NULL;
        /* Only one side may show its dims; and heads on one side may be groups and repeats on the
         * other: the shorter list joins those. */
        if (!wide_b || (wide_a && wide_a->type.rank < wide_b->type.rank))
            wide_b = with_lead(rw, b, &wide_a->type);
        else if (!wide_a || wide_b->type.rank < wide_a->type.rank)
            wide_a = with_lead(rw, a, &wide_b->type);
        if (!wide_a || !wide_b || !same_lead(&wide_a->type, &wide_b->type, 2))
            return NULL;
        y = wide_a;
        b = wide_b;
    }
    if (!y)
        return NULL;
    y = tn_kb_matmul(kb, y, b, bias ? as_vector(kb, bias) : NULL);
    return tn_kb_reshape(kb, y, result->dims, result->rank);
}

/* The same reshape moved behind a broadcast product: [B, S, K] x [B, K, N] where the second is a
 * reshape of an expanded matrix. */
static tn_value *without_batch(tn_rewrite *rw, const tn_node *node) {
    tn_value *a = node->operands[0], *b = node->operands[1];
    const tn_node *reshape = tn_match(b, TN_PRIM_RESHAPE);
    const tn_node *expand = tn_match(reshape ? reshape->operands[0] : b, TN_PRIM_EXPAND);
    if (!reshape || !expand || expand->operands[0]->type.rank != 2 || !flattened(b, 2))
        return NULL;
    return tn_kb_matmul(&rw->kb, a, expand->operands[0], tn_node_arg_value(node, 2));
}

/* Bias adds see the product again. */
static tn_value *add_behind(tn_rewrite *rw, const tn_node *node) {
    tn_kb *kb = &rw->kb;
    const tn_type *result = &node->results[0]->type;
    for (uint32_t i = 0; i < 2; i++) {
        const tn_node *reshape = tn_match(node->operands[i], TN_PRIM_RESHAPE);
        tn_value *vector = node->operands[1 - i];
        if (!reshape || !tn_match(reshape->operands[0], TN_PRIM_MATMUL) || !is_vector(vector) ||
            vector->type.rank == 0 || !tn_type_equal(&node->operands[i]->type, result))
            continue;
        tn_value *y = reshape->operands[0];
        if (y->type.dims[y->type.rank - 1] != result->dims[result->rank - 1] ||
            !tn_match_once(rw->graph, y))
            continue;
        y = tn_kb_map2(kb, TN_PRIM_ADD, y, as_vector(kb, vector));
        return tn_kb_reshape(kb, y, result->dims, result->rank);
    }
    return NULL;
}

static tn_value *move_views(tn_rewrite *rw, tn_node *node) {
    if (tn_node_prim(node) == TN_PRIM_ADD)
        return add_behind(rw, node);
    if (tn_node_prim(node) != TN_PRIM_MATMUL)
        return NULL;
    tn_value *y = without_batch(rw, node);
    return y ? y : product_behind(rw, node);
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, move_views);
}

const tn_pass tn_pass_contract_views = {
    "contract-views", "moves flattening from before products to behind them", run};
