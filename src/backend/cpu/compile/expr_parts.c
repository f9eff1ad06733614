/* expr_parts.c: concatenation and padding in expressions. A box that sees one part only (an operand
 * of the concatenation; the middle, the edges of the padding) is that part seen through views; any
 * other box asks to be split. */
#include "backend/cpu/compile/expr_impl.h"

typedef enum part_position { PART_INSIDE, PART_OUTSIDE, PART_ACROSS, PART_UNKNOWN } part_position;

/* Whether the box sees only the part [begin, end) of dim `dim` of a value. Across: notes where to
 * split. */
static part_position position_of(tn_expr_builder *b, const tn_type *type, uint32_t dim,
                                 const tn_sym *begin, const tn_sym *end, const tn_chain *chain) {
    tn_layout counting, seen;
    tn_expr_counting_layout(b->syms, type, dim, &counting);
    if (tn_expr_apply_chain(b, &counting, chain, &seen))
        return PART_UNKNOWN;
    uint32_t along = TN_MAX_RANK;
    for (uint32_t d = 0; d < seen.rank; d++) {
        if (tn_sym_is(seen.strides[d], 0) || tn_sym_is(seen.dims[d], 1))
            continue;
        if (along != TN_MAX_RANK || !tn_sym_is(seen.strides[d], 1))
            return PART_UNKNOWN;
        along = d;
    }
    const tn_sym *first = seen.offset;
    const tn_sym *past = along == TN_MAX_RANK ? tn_sym_addi(b->syms, first, 1)
                                              : tn_sym_add(b->syms, first, seen.dims[along]);
    if (!past || !begin || !end)
        return PART_UNKNOWN;
    bool starts_in = tn_sym_known_le(b->syms, begin, first) == 1;
    bool ends_in = tn_sym_known_le(b->syms, past, end) == 1;
    if (starts_in && ends_in)
        return PART_INSIDE;
    if (tn_sym_known_le(b->syms, past, begin) == 1 || tn_sym_known_le(b->syms, end, first) == 1)
        return PART_OUTSIDE;
    if (along == TN_MAX_RANK)
        return PART_UNKNOWN;
    b->wants_split = true;
    b->split_dim = along;
    b->split_at = tn_sym_sub(b->syms, starts_in ? end : begin, first);
    return PART_ACROSS;
}

/* The operand as a part of the larger value that begins at `start` along dim. */
static const tn_expr *build_part(tn_expr_builder *b, const tn_value *operand, const tn_type *whole,
                                 uint32_t dim, const tn_sym *start, const tn_chain *chain) {
    tn_view view = {.kind = TN_VIEW_EMBED, .rank = whole->rank};
    for (uint32_t d = 0; d < whole->rank; d++) {
        view.dims[d] = d == dim ? whole->dims[d] : operand->type.dims[d];
        view.starts[d] = d == dim ? start : tn_sym_const(b->syms, 0);
    }
    const tn_chain *pushed = tn_expr_push(b, &view, NULL, chain);
    return pushed ? tn_expr_build(b, operand, pushed) : NULL;
}

const tn_expr *tn_expr_build_concat(tn_expr_builder *b, const tn_node *node,
                                    const tn_chain *chain) {
    const tn_value *value = node->results[0];
    uint32_t dim = (uint32_t)node->args[1].i->value;
    const tn_sym *start = tn_sym_const(b->syms, 0);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const tn_sym *end = tn_sym_add(b->syms, start, node->operands[i]->type.dims[dim]);
        switch (position_of(b, &value->type, dim, start, end, chain)) {
        case PART_INSIDE:
            return build_part(b, node->operands[i], &value->type, dim, start, chain);
        case PART_OUTSIDE:
            break;
        case PART_ACROSS:
            return NULL;
        case PART_UNKNOWN:
            b->blocking = value;
            return NULL;
        }
        start = end;
    }
    b->blocking = value;
    return NULL;
}

/* ---- padding ------------------------------------------------------------------------------------
 */

static bool has_mode(const tn_node *node, const char *mode) {
    return tn_str_is(node->args[3].s, mode);
}

bool tn_expr_can_pad(const tn_node *node) {
    const tn_type *inner = &node->operands[0]->type;
    if (has_mode(node, "constant"))
        return true;
    int64_t spared = has_mode(node, "reflect"); /* elements at the edge that are not repeated */
    tn_syms *syms = node->graph->syms;
    for (uint32_t d = 0; d < inner->rank; d++) {
        const tn_sym *lo = node->args[1].ints[d], *hi = node->args[2].ints[d];
        bool is_padded = !tn_sym_is(lo, 0) || !tn_sym_is(hi, 0);
        if (is_padded && has_mode(node, "replicate") && inner->dims[d]->min < 1)
            return false;
        if (is_padded && !has_mode(node, "replicate") &&
            (tn_sym_known_le(syms, tn_sym_addi(syms, lo, spared), inner->dims[d]) != 1 ||
             tn_sym_known_le(syms, tn_sym_addi(syms, hi, spared), inner->dims[d]) != 1))
            return false;
    }
    return true;
}

static const tn_expr *pad_constant(tn_expr_builder *b, const tn_node *node) {
    char class = tn_expr_class(node->results[0]->type.dtype);
    tn_expr expr = {.kind = TN_EXPR_CONST, .dtype = node->results[0]->type.dtype};
    if (class == 'f' || class == 'd')
        expr.number = node->args[4].f;
    else
        expr.integer = (int64_t)node->args[4].f;
    return tn_expr_intern(b, &expr);
}

/* What a box inside one part of a pad (low, middle, high in each dim) is of the operand: a slice,
 * maybe reversed, maybe one element repeated, which lies at the box's place in the result. */
typedef struct pad_views {
    tn_view slice, flip, expand, embed;
} pad_views;

static void begin_pad_views(tn_syms *syms, const tn_node *node, pad_views *views) {
    const tn_type *inner = &node->operands[0]->type, *whole = &node->results[0]->type;
    views->slice = (tn_view){.kind = TN_VIEW_SLICE, .rank = whole->rank};
    for (uint32_t d = 0; d < whole->rank; d++) {
        views->slice.dims[d] = inner->dims[d];
        views->slice.starts[d] = tn_sym_const(syms, 0);
        views->slice.steps[d] = 1;
    }
    views->flip = views->expand = views->embed = views->slice;
    views->flip.kind = TN_VIEW_FLIP;
    views->expand.kind = TN_VIEW_EXPAND;
    views->embed.kind = TN_VIEW_EMBED;
    for (uint32_t d = 0; d < whole->rank; d++) {
        views->embed.dims[d] = whole->dims[d];
        views->embed.starts[d] = node->args[1].ints[d];
    }
}

/* Dim d of the views: the part before the operand, or behind it. */
static void set_edge(tn_syms *syms, const tn_node *node, uint32_t d, bool is_low,
                     pad_views *views) {
    const tn_sym *size = node->operands[0]->type.dims[d], *lo = node->args[1].ints[d];
    const tn_sym *count = is_low ? lo : node->args[2].ints[d], *one = tn_sym_const(syms, 1);
    const tn_sym *start = tn_sym_const(syms, 0); /* circular, behind the operand */
    if (has_mode(node, "reflect"))
        start = is_low ? one : tn_sym_addi(syms, tn_sym_sub(syms, size, count), -1);
    else if (has_mode(node, "circular") && is_low)
        start = tn_sym_sub(syms, size, count);
    else if (has_mode(node, "replicate") && !is_low)
        start = tn_sym_addi(syms, size, -1);
    views->slice.starts[d] = start;
    views->slice.dims[d] = views->flip.dims[d] = has_mode(node, "replicate") ? one : count;
    views->expand.dims[d] = count;
    views->embed.starts[d] = is_low ? tn_sym_const(syms, 0) : tn_sym_add(syms, lo, size);
    if (has_mode(node, "reflect"))
        views->flip.flip_mask |= 1u << d;
}

/* Finds the part of dim d that the box is in; INSIDE: views are set. */
static part_position place_pad(tn_expr_builder *b, const tn_node *node, uint32_t d,
                               const tn_chain *chain, pad_views *views) {
    const tn_type *whole = &node->results[0]->type;
    const tn_sym *lo = node->args[1].ints[d];
    const tn_sym *end = tn_sym_add(b->syms, lo, node->operands[0]->type.dims[d]);
    if (tn_sym_is(lo, 0) && tn_sym_is(node->args[2].ints[d], 0))
        return PART_INSIDE;
    part_position position = position_of(b, whole, d, lo, end, chain);
    if (position != PART_OUTSIDE || has_mode(node, "constant"))
        return position;
    position = position_of(b, whole, d, tn_sym_const(b->syms, 0), lo, chain);
    if (position == PART_INSIDE || position == PART_OUTSIDE)
        set_edge(b->syms, node, d, position == PART_INSIDE, views);
    return position == PART_OUTSIDE ? PART_INSIDE : position;
}

const tn_expr *tn_expr_build_pad(tn_expr_builder *b, const tn_node *node, const tn_chain *chain) {
    const tn_value *value = node->results[0];
    pad_views views;
    begin_pad_views(b->syms, node, &views);
    for (uint32_t d = 0; d < value->type.rank; d++) {
        switch (place_pad(b, node, d, chain, &views)) {
        case PART_INSIDE:
            break;
        case PART_OUTSIDE:
            return pad_constant(b, node);
        case PART_ACROSS:
            return NULL;
        case PART_UNKNOWN:
            b->blocking = value;
            return NULL;
        }
    }
    const tn_chain *pushed = tn_expr_push(b, &views.embed, NULL, chain);
    if (!has_mode(node, "constant")) {
        pushed = pushed ? tn_expr_push(b, &views.expand, NULL, pushed) : NULL;
        pushed = pushed ? tn_expr_push(b, &views.flip, NULL, pushed) : NULL;
        pushed = pushed ? tn_expr_push(b, &views.slice, NULL, pushed) : NULL;
    }
    return pushed ? tn_expr_build(b, node->operands[0], pushed) : NULL;
}
