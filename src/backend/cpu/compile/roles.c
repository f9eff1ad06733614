/* roles.c: one walk against the order of the graph: a pointwise value whose uses all end in one
 * kernel is computed there, any other is a root. */
#include "backend/cpu/compile/segment.h"

tn_node_kind tn_segment_kind(const tn_node *node) {
    tn_view view;
    if (tn_view_of_node(node, &view))
        return TN_KIND_VIEW;
    if (tn_expr_can_render(node))
        return TN_KIND_POINTWISE;
    return tn_anchor_node_kind(node);
}

/* Costs nothing to compute again in every kernel that uses it. */
static bool is_free(const tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    return prim == TN_PRIM_IOTA || prim == TN_PRIM_SYM_VALUE;
}

/* Whether a contraction ends in this value: the work is better done once in its kernel's stores
 * than in every read of the kernel over rows that follows (a window reads an element several
 * times). */
static bool ends_contraction(const tn_value *value) {
    for (uint32_t i = 0; i < value->def->operand_count; i++) {
        const tn_value *operand = value->def->operands[i];
        while (operand && operand->use_count == 1 && operand->def) {
            tn_node_kind kind = tn_segment_kind(operand->def);
            if (kind == TN_KIND_POINTERS)
                return true;
            if (kind != TN_KIND_VIEW && kind != TN_KIND_POINTWISE)
                break;
            operand = operand->def->operands[0];
        }
    }
    return false;
}

typedef struct sink_set {
    const tn_value *sink;
    bool is_forced; /* an address is wanted, or sinks differ */
} sink_set;

static void add_sink(sink_set *set, const tn_value *sink) {
    if (!sink || (set->sink && set->sink != sink))
        set->is_forced = true;
    set->sink = sink;
}

/* Where one use of a value ends. NULL: in several places, or where an address is wanted. */
static const tn_value *sink_of_use(const tn_segment *segment, const tn_use *use) {
    const tn_node *node = use->node;
    const tn_value *result = node->results[0];
    switch (tn_segment_kind(node)) {
    case TN_KIND_VIEW:
        return segment->roles[result->id].sink;
    case TN_KIND_POINTWISE: {
        tn_prim prim = tn_node_prim(node);
        bool wants_address = (prim == TN_PRIM_TAKE || prim == TN_PRIM_GATHER) && use->operand == 0;
        if (wants_address)
            return NULL;
        return segment->roles[result->id].is_root ? result : segment->roles[result->id].sink;
    }
    case TN_KIND_ROWS:
        return use->operand == 0 ? result : NULL;
    case TN_KIND_POINTERS:
    case TN_KIND_PRIM:
        break;
    }
    return NULL;
}

bool tn_node_has_other_uses(const tn_node *node) {
    for (uint32_t r = 1; r < node->result_count; r++)
        if (node->results[r]->use_count > 0 || tn_value_is_output(node->graph, node->results[r]))
            return true;
    return false;
}

tn_status tn_segment_assign_roles(tn_segment *segment) {
    for (const tn_node *node = segment->graph->last; node; node = node->prev) {
        tn_node_kind kind = tn_segment_kind(node);
        for (uint32_t r = 0; r < node->result_count; r++) {
            const tn_value *value = node->results[r];
            tn_role *role = &segment->roles[value->id];
            sink_set set = {.is_forced = tn_value_is_output(segment->graph, value)};
            for (uint32_t u = 0; u < value->use_count; u++)
                add_sink(&set, sink_of_use(segment, &value->uses[u]));
            role->sink = set.is_forced || tn_node_has_other_uses(node) ? NULL : set.sink;
            bool is_used = set.is_forced || set.sink;
            if (kind == TN_KIND_POINTWISE && role->sink &&
                tn_segment_kind(role->sink->def) == TN_KIND_ROWS && ends_contraction(value))
                role->sink = NULL;
            if (kind == TN_KIND_POINTWISE)
                role->is_root = is_used && !role->sink && !is_free(node);
            else
                /* Calls are numbered as they stand, sizes may come from them. */
                role->is_root =
                    kind != TN_KIND_VIEW && (is_used || tn_node_prim(node) == TN_PRIM_CALL);
        }
    }
    return NULL;
}
