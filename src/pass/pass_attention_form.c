/* pass_attention_form.c: brings attention into the form that kernels are fastest on.
 *
 *   scales of q and k go into the scale, casts of a half dtype to f32 and back go,
 *   keys and values repeated for groups of heads are read where they are,
 *   masks of 0 and -inf become bool, what they broadcast from is enough,
 *   t <= s + c, computed from positions or written out in a constant, becomes the causal flag,
 *   masks that hide nothing go. */
#include "pass/affine.h"
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

#include <math.h>

#include "kir/fold.h"

/* ---- operands -------------------------------------------------------------------------------- */

static tn_value *permuted_like(tn_rewrite *rw, const tn_node *permute, tn_value *x) {
    uint32_t order[TN_MAX_RANK];
    for (uint32_t d = 0; d < x->type.rank; d++)
        order[d] = (uint32_t)permute->args[1].ints[d]->value;
    return tn_kb_permute(&rw->kb, x, order);
}

/* value without constant factors, which go into the scale. */
static tn_value *unscaled(tn_rewrite *rw, tn_value *value, double *inout_scale) {
    for (;;) {
        tn_value *x;
        double number;
        const tn_node *permute = tn_match(value, TN_PRIM_PERMUTE);
        const tn_value *inner = permute ? permute->operands[0] : value;
        if (tn_match_scalar(inner, TN_PRIM_MUL, &x, &number))
            *inout_scale *= number;
        else if (tn_match_scalar(inner, TN_PRIM_DIV, &x, &number))
            *inout_scale /= number;
        else
            return value;
        value = permute ? permuted_like(rw, permute, x) : x;
        if (!value)
            return NULL;
    }
}

/* [.., G, T, D] of [.., G * R, T, D] where each group is repeated R times; NULL when it is not. */
static tn_value *ungrouped(tn_rewrite *rw, const tn_value *value) {
    const tn_node *reshape = tn_match(value, TN_PRIM_RESHAPE);
    const tn_node *expand = reshape ? tn_match(reshape->operands[0], TN_PRIM_EXPAND) : NULL;
    uint32_t rank = value->type.rank;
    if (!expand || rank < 3 || expand->results[0]->type.rank != rank + 1)
        return NULL;
    tn_value *x = expand->operands[0];
    const tn_type *wide = &expand->results[0]->type;
    if (x->type.rank != rank + 1 || !tn_sym_is(x->type.dims[rank - 2], 1))
        return NULL;
    for (uint32_t d = 0; d < rank + 1; d++) {
        bool is_repeat = d == rank - 2;
        if (!is_repeat && x->type.dims[d] != wide->dims[d])
            return NULL;
        /* The reshape joins the groups' dim and the repeats, and nothing else. */
        uint32_t after = d < rank - 2 ? d : d - 1;
        if (d != rank - 3 && !is_repeat && wide->dims[d] != value->type.dims[after])
            return NULL;
    }
    return tn_kb_squeeze(&rw->kb, x, rank - 2);
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* Attention's mask and causal flag while they are being rewritten. */
typedef struct masking {
    const tn_sym *queries, *keys; /* sizes */
    tn_value *mask;
    bool is_causal;
    const tn_sym *offset;
} masking;

/* A reshape that only puts dims of size 1 in front. */
static bool adds_lead(const tn_node *reshape) {
    const tn_type *from = &reshape->operands[0]->type, *to = &reshape->results[0]->type;
    if (to->rank < from->rank)
        return false;
    uint32_t lead = to->rank - from->rank;
    for (uint32_t d = 0; d < to->rank; d++)
        if (d < lead ? !tn_sym_is(to->dims[d], 1) : to->dims[d] != from->dims[d - lead])
            return false;
    return true;
}

/* What a mask broadcasts from. */
static tn_value *unexpanded(tn_value *value) {
    for (;;) {
        const tn_node *expand = tn_match(value, TN_PRIM_EXPAND);
        const tn_node *reshape = tn_match(value, TN_PRIM_RESHAPE);
        if (expand)
            value = expand->operands[0];
        else if (reshape && adds_lead(reshape))
            value = reshape->operands[0];
        else
            return value;
    }
}

/* The last two dims are queries and keys. */
static bool is_by_position(const masking *m, const tn_type *type) {
    return type->rank >= 2 && type->dims[type->rank - 1] == m->keys &&
           type->dims[type->rank - 2] == m->queries;
}

/* Nothing before queries and keys but dims of size 1. */
static bool has_no_lead(const tn_type *type) {
    for (uint32_t d = 0; d + 2 < type->rank; d++)
        if (!tn_sym_is(type->dims[d], 1))
            return false;
    return true;
}

/* The c of t <= s + c that a comparison of positions says; NULL when it says something else. */
static const tn_sym *compared_offset(tn_rewrite *rw, const masking *m, const tn_value *value) {
    tn_syms *syms = rw->graph->syms;
    const tn_node *not_node = tn_match(value, TN_PRIM_NOT);
    const tn_value *inner = not_node ? not_node->operands[0] : value;
    const tn_node *less = tn_match(inner, TN_PRIM_LT), *compare = less;
    if (!compare)
        compare = tn_match(inner, TN_PRIM_LE);
    tn_affine a, b, diff;
    if (!compare || !is_by_position(m, &value->type))
        return NULL;
    uint32_t swap = not_node ? 1 : 0; /* not (a < b) is b <= a */
    if (!tn_affine_of(syms, compare->operands[swap], &a) ||
        !tn_affine_of(syms, compare->operands[1 - swap], &b) ||
        !tn_affine_sub(syms, &a, &b, &diff) || diff.rank != value->type.rank)
        return NULL;
    /* t - s + c <= 0, or < 0 */
    uint32_t s = diff.rank - 2, t = diff.rank - 1;
    bool counts = (tn_sym_is(diff.coef[t], 1) || tn_sym_is(m->keys, 1)) &&
                  (tn_sym_is(diff.coef[s], -1) || tn_sym_is(m->queries, 1));
    for (uint32_t d = 0; d < s; d++)
        counts = counts && tn_sym_is(diff.coef[d], 0);
    bool is_strict = (less != NULL) != (not_node != NULL);
    return counts ? tn_sym_addi(syms, tn_sym_muli(syms, diff.constant, -1), is_strict ? -1 : 0)
                  : NULL;
}

/* Constant masks, row by row. */
typedef enum const_mask { MASK_OTHER, MASK_ALL_SEEN, MASK_CAUSAL } const_mask;

/* How many keys the row sees: all before some position and none after; -1 when it is not so. */
static int64_t seen_keys(const tn_tensor *mask, int64_t row, bool *out_is_soft) {
    int64_t keys = mask->dims[mask->rank - 1], seen = 0;
    bool is_over = false;
    for (int64_t t = 0; t < keys; t++) {
        int64_t offset = row * mask->strides[mask->rank - 2] + t * mask->strides[mask->rank - 1];
        const uint8_t *element =
            (const uint8_t *)mask->data + offset * (int64_t)tn_dtype_bytes(mask->dtype);
        double number = tn_elem_get_f64(mask->dtype, element);
        bool is_seen = mask->dtype == TN_BOOL ? number != 0 : number == 0;
        if (!is_seen && mask->dtype != TN_BOOL && !(number <= -1e30))
            return -1;
        *out_is_soft |= !is_seen && mask->dtype != TN_BOOL && !isinf(number);
        if (is_seen && is_over)
            return -1;
        is_over = is_over || !is_seen;
        seen += is_seen;
    }
    return seen;
}

/* A finite fill differs from -inf in rows that see nothing: then the mask stays as it is. */
static const_mask classify(const tn_tensor *mask, int64_t *out_offset) {
    int64_t queries = mask->dims[mask->rank - 2], keys = mask->dims[mask->rank - 1];
    bool is_all = true, is_soft = false, is_blind = false, has_offset = false;
    for (int64_t s = 0; s < queries; s++) {
        int64_t seen = seen_keys(mask, s, &is_soft);
        if (seen < 0)
            return MASK_OTHER;
        is_all = is_all && seen == keys;
        is_blind = is_blind || seen == 0;
        if (!has_offset && seen > 0 && seen < keys) {
            *out_offset = seen - 1 - s;
            has_offset = true;
        }
    }
    if (is_all)
        return MASK_ALL_SEEN;
    if (!has_offset || (is_soft && is_blind))
        return MASK_OTHER;
    for (int64_t s = 0; s < queries; s++) {
        int64_t wanted = s + *out_offset + 1;
        wanted = wanted < 0 ? 0 : wanted > keys ? keys : wanted;
        if (seen_keys(mask, s, &is_soft) != wanted)
            return MASK_OTHER;
    }
    return MASK_CAUSAL;
}

static bool add_causal(tn_rewrite *rw, masking *m, const tn_sym *offset) {
    if (!offset)
        return false;
    m->offset = m->is_causal ? tn_sym_min(rw->graph->syms, m->offset, offset) : offset;
    m->is_causal = true;
    return true;
}

/* True if the mask (one term of a conjunction, or an added constant) says no more than what the
 * causal flag can; it is then done with. */
static bool absorb(tn_rewrite *rw, masking *m, const tn_value *value) {
    double number;
    if (tn_value_splat(value, &number) && number == (value->type.dtype == TN_BOOL ? 1 : 0))
        return true;
    if (value->kind != TN_VALUE_CONST)
        return value->type.dtype == TN_BOOL && add_causal(rw, m, compared_offset(rw, m, value));
    if (!is_by_position(m, &value->type) || !has_no_lead(&value->type))
        return false;
    tn_tensor tensor = tn_tensor_of_const(value);
    int64_t offset = 0;
    const_mask kind = classify(&tensor, &offset);
    return kind == MASK_ALL_SEEN ||
           (kind == MASK_CAUSAL && add_causal(rw, m, tn_sym_const(rw->graph->syms, offset)));
}

/* The terms of a conjunction that remain, joined; *inout_changed when some went. */
static tn_value *remaining(tn_rewrite *rw, masking *m, tn_value *value, int depth,
                           bool *inout_changed) {
    tn_value *plain = unexpanded(value);
    const tn_node *and_node = tn_match(plain, TN_PRIM_AND);
    if (plain != value)
        *inout_changed = true;
    if (and_node && depth > 0) {
        bool changed = false;
        tn_value *a = remaining(rw, m, and_node->operands[0], depth - 1, &changed);
        tn_value *b = remaining(rw, m, and_node->operands[1], depth - 1, &changed);
        if (!changed)
            return plain;
        *inout_changed = true;
        return a && b ? tn_kb_map2(&rw->kb, TN_PRIM_AND, a, b) : a ? a : b;
    }
    if (!absorb(rw, m, plain))
        return plain;
    *inout_changed = true;
    return NULL;
}

/* select(cond, 0, fill) in either order, with a fill that hides; cond is true where keys are seen.
 */
static tn_value *selecting(tn_rewrite *rw, const tn_value *value, double *out_fill) {
    const tn_node *select = tn_match(value, TN_PRIM_SELECT);
    double first, second;
    if (!select || !tn_value_splat(select->operands[1], &first) ||
        !tn_value_splat(select->operands[2], &second))
        return NULL;
    bool is_plain = first == 0 && second <= -1e30, is_turned = second == 0 && first <= -1e30;
    *out_fill = is_plain ? second : first;
    return is_plain    ? select->operands[0]
           : is_turned ? tn_kb_map1(&rw->kb, TN_PRIM_NOT, select->operands[0])
                       : NULL;
}

/* True if every query sees a key by the causal flag alone. */
static bool none_is_blind(const masking *m) {
    return !m->mask && m->is_causal && m->offset->min >= 0 && m->keys->min >= 1;
}

static bool clean_mask(tn_rewrite *rw, masking *m) {
    bool changed = false;
    double fill;
    if (m->mask->type.dtype == TN_BOOL) {
        m->mask = remaining(rw, m, m->mask, 8, &changed);
        return changed;
    }
    tn_value *plain = unexpanded(m->mask);
    const tn_node *cast = tn_match(plain, TN_PRIM_CAST);
    tn_value *seen = cast ? unexpanded(cast->operands[0]) : plain;
    tn_value *cond = seen->type.dtype <= TN_BF16 ? selecting(rw, seen, &fill) : NULL;
    if (cond) {
        masking with_bool = *m;
        with_bool.mask = remaining(rw, &with_bool, cond, 8, &changed);
        if (isinf(fill) || (!m->is_causal && none_is_blind(&with_bool))) {
            *m = with_bool;
            return true;
        }
    }
    changed = plain != m->mask;
    if (absorb(rw, m, seen)) {
        m->mask = NULL;
        return true;
    }
    m->mask = plain;
    return changed;
}

/* ---- the node -------------------------------------------------------------------------------- */

static tn_value *clean(tn_rewrite *rw, const tn_node *node) {
    tn_value *q = node->operands[0], *k = node->operands[1], *v = node->operands[2];
    uint32_t rank = q->type.rank;
    double scale = node->args[4].f;
    masking m = {.queries = q->type.dims[rank - 2],
                 .keys = k->type.dims[rank - 2],
                 .mask = tn_node_arg_value(node, 3),
                 .is_causal = node->args[5].b,
                 .offset = node->args[6].i};
    bool changed = m.mask && clean_mask(rw, &m);
    tn_value *new_q = unscaled(rw, q, &scale), *new_k = unscaled(rw, k, &scale);
    if (!new_q || !new_k)
        return NULL;
    tn_value *few_k = ungrouped(rw, new_k), *few_v = ungrouped(rw, v);
    if (few_k && few_v && few_k->type.dims[rank - 3] == few_v->type.dims[rank - 3]) {
        new_k = few_k;
        v = few_v;
    }
    if (!changed && new_q == q && new_k == k && v == node->operands[2])
        return NULL;
    tn_kb_attention_args args = {.q = new_q,
                                 .k = new_k,
                                 .v = v,
                                 .mask = m.mask,
                                 .scale = scale,
                                 .is_causal = m.is_causal,
                                 .causal_offset = m.offset};
    return tn_kb_attention(&rw->kb, &args);
}

/* What a cast from half widened, through a permute; NULL when value is no such thing. */
static tn_value *before_widening(tn_rewrite *rw, tn_value *value, tn_dtype half) {
    const tn_node *permute = tn_match(value, TN_PRIM_PERMUTE);
    const tn_node *cast = tn_match(permute ? permute->operands[0] : value, TN_PRIM_CAST);
    if (!cast || cast->operands[0]->type.dtype != half)
        return NULL;
    return permute ? permuted_like(rw, permute, cast->operands[0]) : cast->operands[0];
}

/* half(attention(f32(q), f32(k), f32(v))): the primitive accumulates in f32 anyway. */
static tn_value *narrow(tn_rewrite *rw, const tn_node *cast) {
    tn_dtype half = cast->results[0]->type.dtype;
    const tn_node *node = tn_match(cast->operands[0], TN_PRIM_ATTENTION);
    if (!tn_match_half(half) || !node || !tn_match_once(rw->graph, node->results[0]))
        return NULL;
    tn_value *q = before_widening(rw, node->operands[0], half);
    tn_value *k = before_widening(rw, node->operands[1], half);
    tn_value *v = before_widening(rw, node->operands[2], half);
    if (!q || !k || !v)
        return NULL;
    tn_kb_attention_args args = {.q = q,
                                 .k = k,
                                 .v = v,
                                 .mask = tn_node_arg_value(node, 3),
                                 .scale = node->args[4].f,
                                 .is_causal = node->args[5].b,
                                 .causal_offset = node->args[6].i};
    return tn_kb_attention(&rw->kb, &args);
}

static tn_value *form(tn_rewrite *rw, tn_node *node) {
    if (tn_node_prim(node) == TN_PRIM_ATTENTION)
        return clean(rw, node);
    return tn_node_prim(node) == TN_PRIM_CAST ? narrow(rw, node) : NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, form);
}

const tn_pass tn_pass_attention_form = {
    "attention-form", "cleans attention's operands: scales, repeated heads, masks", run};
