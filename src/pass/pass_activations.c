/* pass_activations.c: sigmoid, SiLU and both GELUs from the maps that they are spelt with.
 *
 *   sigmoid    1 / (1 + exp(-x)), recip(1 + exp(-x))
 *   silu       x * sigmoid(x), x / (1 + exp(-x))
 *   gelu_erf   0.5 * x * (1 + erf(x * sqrt(1/2)))
 *   gelu_tanh  0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))
 * in any order of the factors. In a model of a half dtype every step may be rounded by casts to f32
 * and back: when both x and the result are half, these are looked through (the primitive rounds
 * once). The constants must agree to 1e-6 of their value, in half models to half a step of the
 * dtype. */
#include <math.h>

#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* How one result is looked at. */
typedef struct look {
    const tn_graph *graph;
    bool has_casts; /* looks through casts between floats */
    double tolerance;
} look;

static look look_at(const tn_rewrite *rw, const tn_value *root) {
    bool is_half = tn_match_half(root->type.dtype);
    double step = root->type.dtype == TN_BF16 ? 1.0 / 256 : 1.0 / 2048;
    return (look){rw->graph, is_half, is_half ? step : 1e-6};
}

static bool is_float_cast(const tn_value *value) {
    const tn_node *cast = tn_match(value, TN_PRIM_CAST);
    return cast && cast->operands[0]->type.dtype <= TN_BF16 && value->type.dtype <= TN_BF16;
}

static tn_value *see(const look *l, tn_value *value) {
    while (l->has_casts && is_float_cast(value))
        value = value->def->operands[0];
    return value;
}

/* A product written as factors and one number. */
enum { MOST_FACTORS = 4 };
typedef struct product {
    double number;
    tn_value *factors[MOST_FACTORS];
    uint32_t count;
    bool is_full; /* more factors than there is room for */
} product;

static bool is_used_once(const look *l, tn_value *value) {
    while (tn_match_once(l->graph, value)) {
        if (!l->has_casts || !is_float_cast(value))
            return true;
        value = value->def->operands[0];
    }
    return false;
}

/* Products within the product are opened if nothing else uses them; so x, which several parts use,
 * stays whole even when it is a product. depth bounds the recursion. */
static void collect(const look *l, tn_value *value, bool is_root, int depth, product *p) {
    double number;
    tn_value *x, *seen = see(l, value);
    bool is_open = (is_root || is_used_once(l, value)) && depth > 0;
    if (tn_value_splat(seen, &number)) {
        p->number *= number;
    } else if (is_open && tn_match(seen, TN_PRIM_MUL)) {
        collect(l, seen->def->operands[0], false, depth - 1, p);
        collect(l, seen->def->operands[1], false, depth - 1, p);
    } else if (is_open && tn_match_scalar(seen, TN_PRIM_DIV, &x, &number)) {
        p->number /= number;
        collect(l, x, false, depth - 1, p);
    } else if (p->count < MOST_FACTORS) {
        p->factors[p->count++] = seen;
    } else {
        p->is_full = true;
    }
}

static product product_of(const look *l, tn_value *value) {
    product p = {.number = 1};
    collect(l, value, true, 6, &p);
    return p;
}

static bool is_near(const look *l, double number, double wanted) {
    return fabs(number - wanted) <= l->tolerance * fabs(wanted);
}

/* The y of 1 + y. */
static tn_value *one_plus(const look *l, tn_value *value) {
    tn_value *y;
    return tn_match_number(see(l, value), TN_PRIM_ADD, 1, 0, &y) ? see(l, y) : NULL;
}

/* x of 1 + exp(-x). */
static tn_value *one_plus_exp_neg(const look *l, tn_value *value) {
    const tn_node *e = tn_match(one_plus(l, value), TN_PRIM_EXP);
    const tn_node *neg = e ? tn_match(see(l, e->operands[0]), TN_PRIM_NEG) : NULL;
    return neg ? see(l, neg->operands[0]) : NULL;
}

/* y is 1 + erf(sqrt(1/2) * x). */
static bool is_erf_part(const look *l, tn_value *y, const tn_value *x) {
    const tn_node *erf_node = tn_match(one_plus(l, y), TN_PRIM_ERF);
    if (!erf_node)
        return false;
    product p = product_of(l, erf_node->operands[0]);
    return !p.is_full && p.count == 1 && p.factors[0] == x && is_near(l, p.number, sqrt(0.5));
}

/* value is number * x^count. */
static bool is_power(const look *l, tn_value *value, const tn_value *x, uint32_t count,
                     double number) {
    product p = product_of(l, value);
    bool is_same = !p.is_full && p.count == count && is_near(l, p.number, number);
    for (uint32_t i = 0; is_same && i < count; i++)
        is_same = p.factors[i] == x;
    return is_same;
}

/* value is x + 0.044715 * x^3. */
static bool is_cubic(const look *l, tn_value *value, const tn_value *x) {
    const tn_node *add = tn_match(value, TN_PRIM_ADD);
    for (uint32_t i = 0; add && i < 2; i++)
        if (see(l, add->operands[i]) == x && is_power(l, add->operands[1 - i], x, 3, 0.044715))
            return true;
    return false;
}

/* y is 1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)); the sum may also be x * (1 + 0.044715 * x^2).
 */
static bool is_tanh_part(const look *l, tn_value *y, const tn_value *x) {
    const tn_node *tanh_node = tn_match(one_plus(l, y), TN_PRIM_TANH);
    if (!tanh_node)
        return false;
    product p = product_of(l, tanh_node->operands[0]);
    if (p.is_full || !is_near(l, p.number, 0.79788456080286535588))
        return false;
    if (p.count == 1)
        return is_cubic(l, p.factors[0], x);
    for (uint32_t i = 0; p.count == 2 && i < 2; i++) {
        tn_value *square = one_plus(l, p.factors[1 - i]);
        if (p.factors[i] == x && square && is_power(l, square, x, 2, 0.044715))
            return true;
    }
    return false;
}

/* The primitive of x with the dtype of the root. */
static tn_value *apply(tn_rewrite *rw, tn_prim prim, tn_value *x, const tn_value *root) {
    if (!tn_match_half(x->type.dtype) && x->type.dtype != root->type.dtype)
        return NULL; /* x is wider: casts that were looked through matter */
    return tn_kb_map1(&rw->kb, prim, tn_kb_cast(&rw->kb, x, root->type.dtype));
}

static tn_value *match_product(tn_rewrite *rw, const look *l, tn_value *root) {
    product p = product_of(l, root);
    if (p.is_full || p.count != 2)
        return NULL;
    for (uint32_t i = 0; i < 2; i++) {
        tn_value *x = p.factors[i], *y = p.factors[1 - i];
        const tn_node *sigmoid = tn_match(y, TN_PRIM_SIGMOID);
        if (p.number == 1 && sigmoid && see(l, sigmoid->operands[0]) == x)
            return apply(rw, TN_PRIM_SILU, x, root);
        if (p.number == 0.5 && is_erf_part(l, y, x))
            return apply(rw, TN_PRIM_GELU_ERF, x, root);
        if (p.number == 0.5 && is_tanh_part(l, y, x))
            return apply(rw, TN_PRIM_GELU_TANH, x, root);
    }
    return NULL;
}

static tn_value *match_quotient(tn_rewrite *rw, const look *l, const tn_node *div,
                                const tn_value *root) {
    double number;
    tn_value *above = see(l, div->operands[0]), *x = one_plus_exp_neg(l, div->operands[1]);
    if (!x)
        return NULL;
    if (above == x)
        return apply(rw, TN_PRIM_SILU, x, root);
    bool is_one = tn_value_splat(above, &number) && number == 1;
    return is_one ? apply(rw, TN_PRIM_SIGMOID, x, root) : NULL;
}

static tn_value *match_activation(tn_rewrite *rw, tn_node *node) {
    tn_value *root = node->results[0];
    if (root->type.dtype > TN_BF16)
        return NULL;
    look l = look_at(rw, root);
    tn_value *seen = see(&l, root);
    const tn_node *inner;
    if (tn_match(seen, TN_PRIM_MUL))
        return match_product(rw, &l, root);
    if ((inner = tn_match(seen, TN_PRIM_DIV)))
        return match_quotient(rw, &l, inner, root);
    if ((inner = tn_match(seen, TN_PRIM_RECIP))) {
        tn_value *x = one_plus_exp_neg(&l, inner->operands[0]);
        return x ? apply(rw, TN_PRIM_SIGMOID, x, root) : NULL;
    }
    return NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, match_activation);
}

const tn_pass tn_pass_activations = {"activations", "recognises sigmoid, SiLU and GELU", run};
