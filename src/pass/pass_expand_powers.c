/* pass_expand_powers.c: powers with a constant exponent as products and roots: what PyTorch itself
 * computes for these exponents, cheaper than pow, and the form that the recognisers know. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

static tn_value *expand_power(tn_rewrite *rw, tn_node *node) {
    tn_kb *kb = &rw->kb;
    tn_value *x;
    double exponent;
    if (!tn_match_scalar(node->results[0], TN_PRIM_POW, &x, &exponent))
        return NULL;
    bool is_float = x->type.dtype <= TN_F8E5M2;
    if (exponent == 2)
        return tn_kb_map2(kb, TN_PRIM_MUL, x, x);
    if (exponent == 3)
        return tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_MUL, x, x), x);
    if (!is_float)
        return NULL;
    if (exponent == 0.5)
        return tn_kb_map1(kb, TN_PRIM_SQRT, x);
    if (exponent == -0.5)
        return tn_kb_map1(kb, TN_PRIM_RSQRT, x);
    if (exponent == -1)
        return tn_kb_map1(kb, TN_PRIM_RECIP, x);
    return NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, expand_power);
}

const tn_pass tn_pass_expand_powers = {"expand-powers",
                                       "turns constant powers into products and roots", run};
