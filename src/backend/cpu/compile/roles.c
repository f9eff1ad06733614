/* roles.c: one walk against the order of the graph: a pointwise value whose uses all end in one
 * kernel is computed there, any other is a root. */
#include "backend/cpu/compile/segment.h"

static bool is_float(const tn_value *value) {
    return tn_expr_class(value->type.dtype) == 'f';
}

static bool all_results_unused(const tn_node *node, uint32_t first) {
    for (uint32_t i = first; i < node->result_count; i++)
        if (node->results[i]->use_count > 0 || tn_value_is_output(node->graph, node->results[i]))
            return false;
    return true;
}

static bool contraction_is_compiled(const tn_node *node) {
    tn_dtype dtype = node->results[0]->type.dtype;
    if (dtype != TN_F32 && dtype != TN_BF16)
        return false;
    if (tn_node_prim(node) != TN_PRIM_CONV)
        return true;
    bool is_transposed = node->args[8].b;
    const tn_value *x = node->operands[0], *w = node->operands[1];
    return !is_transposed && x->type.rank <= 4 && w->kind == TN_VALUE_CONST &&
           tn_sym_is_const(x->type.dims[1]);
}

static bool reduction_is_compiled(const tn_node *node) {
    switch (tn_node_prim(node)) {
    case TN_PRIM_REDUCE_SUM:
    case TN_PRIM_REDUCE_MEAN:
    case TN_PRIM_REDUCE_MAX:
    case TN_PRIM_REDUCE_MIN:
        return is_float(node->operands[0]) && node->args[1].count > 0;
    default:
        return false;
    }
}

/* Windows of channels-last images: rank 4, two spatial dims. */
static bool pool_is_compiled(const tn_node *node) {
    return is_float(node->operands[0]) && node->operands[0]->type.rank == 4 &&
           node->args[1].count == 2 && all_results_unused(node, 1);
}

static bool pools_everything(const tn_node *node) {
    for (uint32_t i = 0; i < node->args[1].count; i++)
        if (!tn_sym_is(node->args[1].ints[i], 1))
            return false;
    return is_float(node->operands[0]);
}

tn_node_kind tn_segment_kind(const tn_node *node) {
    tn_view view;
    if (tn_view_of_node(node, &view))
        return TN_KIND_VIEW;
    if (tn_expr_can_render(node))
        return TN_KIND_POINTWISE;
    switch (tn_node_prim(node)) {
    case TN_PRIM_MATMUL:
    case TN_PRIM_CONV:
    case TN_PRIM_ATTENTION:
        return contraction_is_compiled(node) ? TN_KIND_POINTERS : TN_KIND_PRIM;
    case TN_PRIM_SOFTMAX:
    case TN_PRIM_LOG_SOFTMAX:
    case TN_PRIM_LAYER_NORM:
    case TN_PRIM_RMS_NORM:
        return is_float(node->operands[0]) ? TN_KIND_ROWS : TN_KIND_PRIM;
    case TN_PRIM_MAX_POOL:
    case TN_PRIM_AVG_POOL:
        return pool_is_compiled(node) ? TN_KIND_ROWS : TN_KIND_PRIM;
    case TN_PRIM_ADAPTIVE_AVG_POOL:
        return pools_everything(node) ? TN_KIND_ROWS : TN_KIND_PRIM;
    default:
        return reduction_is_compiled(node) ? TN_KIND_ROWS : TN_KIND_PRIM;
    }
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
        bool wants_address = tn_node_prim(node) == TN_PRIM_TAKE && use->operand == 0;
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

tn_status tn_segment_assign_roles(tn_segment *segment) {
    for (const tn_node *node = segment->graph->last; node; node = node->prev) {
        tn_node_kind kind = tn_segment_kind(node);
        for (uint32_t r = 0; r < node->result_count; r++) {
            const tn_value *value = node->results[r];
            tn_role *role = &segment->roles[value->id];
            sink_set set = {.is_forced = tn_value_is_output(segment->graph, value)};
            for (uint32_t u = 0; u < value->use_count; u++)
                add_sink(&set, sink_of_use(segment, &value->uses[u]));
            role->sink = set.is_forced ? NULL : set.sink;
            bool is_used = set.is_forced || set.sink;
            if (kind == TN_KIND_POINTWISE && role->sink &&
                tn_segment_kind(role->sink->def) == TN_KIND_ROWS && ends_contraction(value))
                role->sink = NULL;
            if (kind == TN_KIND_POINTWISE)
                role->is_root = is_used && !role->sink && !is_free(node);
            else
                role->is_root = kind != TN_KIND_VIEW && is_used;
        }
    }
    return NULL;
}
