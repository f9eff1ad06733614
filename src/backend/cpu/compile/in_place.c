/* in_place.c: results that are written over what they replace.
 *
 * Over operands: kernels say, while they are printed, which operands they read only at the point
 * that writes the same place of the result (nest.h); whether that was the operand's last use is
 * known after the last step.
 *
 * Over states: a buffer that the model changes has its next content written where the old one lies,
 * if nothing has yet to read the old one. A scatter then writes only what it replaces, and a value
 * that is the next content needs no copy at the end of a run. */
#include "backend/cpu/compile/segment.h"

/* ---- operands -----------------------------------------------------------------------------------
 */

tn_status tn_segment_note_heir(tn_segment *s, uint32_t operand, uint32_t result) {
    s->heirs =
        tn_arena_grow(s->arena, s->heirs, s->heir_count, &s->heir_capacity, sizeof *s->heirs);
    if (!s->heirs)
        return tn_error_out_of_memory();
    s->heirs[s->heir_count++] = (tn_heir){operand, result};
    return NULL;
}

/* The first candidate of each result that holds; an operand has one at most. */
void tn_segment_choose_heirs(tn_segment *s) {
    for (size_t i = 0; i < s->heir_count; i++) {
        uint32_t index = s->heirs[i].operand;
        const tn_rec_buffer *operand = tn_pb_buffer_at(s->pb, index);
        tn_rec_buffer *result = tn_pb_buffer_at(s->pb, s->heirs[i].result);
        bool is_last_use = operand->kind == TN_BUFFER_ARENA && result->kind == TN_BUFFER_ARENA &&
                           operand->last_step == result->first_step;
        if (is_last_use && result->over == 0 && index < s->heirs[i].result &&
            operand->bytes == result->bytes)
            result->over = index + 1;
    }
}

/* ---- states -------------------------------------------------------------------------------------
 */

/* Whether what a node computes from the content of a buffer is still to be computed. */
static bool is_pending(const tn_segment *s, const tn_node *node) {
    const tn_value *result = node->results[0];
    switch (tn_segment_kind(node)) {
    case TN_KIND_VIEW:
        return false;
    case TN_KIND_POINTWISE:
        return s->roles[result->id].is_root && !s->places[result->id].is_stored;
    default:
        return !s->is_emitted[node->id];
    }
}

/* Whether a result is nothing but the content itself: a view of it, or part of an expression that
 * some kernel has yet to compute or has computed. */
static bool passes_on(const tn_segment *s, const tn_node *node) {
    tn_node_kind kind = tn_segment_kind(node);
    return (kind == TN_KIND_VIEW || kind == TN_KIND_POINTWISE) &&
           !s->places[node->results[0]->id].is_stored;
}

/* Whether an anchor, which may read its operands anywhere. */
static bool is_anchor(const tn_node *node) {
    tn_node_kind kind = tn_segment_kind(node);
    return kind == TN_KIND_ROWS || kind == TN_KIND_POINTERS;
}

/* Whether anything has yet to read what the buffer holds, but for `writer` if it is no anchor.
 * Outputs and other states are copied after all steps. */
static tn_status find_readers(tn_segment *s, uint32_t buffer, const tn_node *writer,
                              bool *out_is_read) {
    const tn_graph *graph = s->graph;
    bool *holds = NULL; /* by value id: computed from the content, and not stored elsewhere */
    TN_ARENA_TRY(s->arena, holds, graph->value_id_end + 1);
    for (uint32_t id = 0; id < graph->value_id_end; id++)
        holds[id] = s->places[id].is_stored && s->places[id].buffer == buffer;
    *out_is_read = true;
    for (const tn_node *node = graph->first; node; node = node->next) {
        bool reads = false;
        for (uint32_t i = 0; i < node->operand_count; i++)
            reads |= node->operands[i] && holds[node->operands[i]->id];
        if (!reads || (node == writer && !is_anchor(node)))
            continue;
        if (is_pending(s, node))
            return NULL;
        holds[node->results[0]->id] |= passes_on(s, node);
    }
    for (size_t i = 0; i < graph->output_count; i++)
        if (holds[graph->outputs[i].value->id])
            return NULL;
    for (size_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].next != graph->states[i].value && holds[graph->states[i].next->id])
            return NULL;
    *out_is_read = false;
    return NULL;
}

static bool is_scatter(const tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    return prim == TN_PRIM_SCATTER || prim == TN_PRIM_SCATTER_SLICE;
}

/* Whether the value becomes the state's next content, maybe after further scatters. */
static bool leads_to(const tn_value *value, const tn_state *state) {
    tn_view view;
    const tn_value *at = state->next;
    while (at != value) {
        if (!at->def || !(is_scatter(at->def) || tn_view_of_node(at->def, &view)))
            return false;
        at = at->def->operands[0];
    }
    return true;
}

/* Whether no two elements of a view of a stored value lie at the same place. */
static bool is_distinct(const tn_segment *s, const tn_value *value) {
    tn_view view;
    while (!s->places[value->id].is_stored) {
        if (!tn_view_of_node(value->def, &view) || view.kind == TN_VIEW_EXPAND)
            return false;
        value = value->def->operands[0];
    }
    return true;
}

tn_status tn_segment_may_update(tn_segment *s, const tn_node *node, const tn_place *operands,
                                bool *out_may) {
    *out_may = false;
    uint32_t buffer = operands[0].buffer;
    if (s->pb->status || !is_scatter(node) || buffer >= TN_ERROR_BUFFER ||
        !is_distinct(s, node->operands[0]))
        return NULL;
    for (uint32_t i = 1; i < node->operand_count; i++)
        if (operands[i].buffer == buffer)
            return NULL;
    const tn_rec_buffer *record = tn_pb_buffer_at(s->pb, buffer);
    bool may = record->kind == TN_BUFFER_ARENA ||
               (record->kind == TN_BUFFER_STATE &&
                leads_to(node->results[0], &s->graph->states[record->index]));
    bool is_read = true;
    if (may)
        TN_TRY(find_readers(s, buffer, node, &is_read));
    *out_may = may && !is_read;
    return NULL;
}

tn_status tn_segment_next_buffer(tn_segment *s, const tn_value *value, uint32_t *out_buffer) {
    *out_buffer = TN_NO_INDEX;
    if (s->pb->status || s->outputs[value->id].is_stored || s->places[value->id].is_stored)
        return NULL;
    for (size_t i = 0; i < s->graph->state_count; i++) {
        const tn_state *state = &s->graph->states[i];
        uint32_t buffer = s->places[state->value->id].buffer;
        if (state->next != value || tn_pb_buffer_at(s->pb, buffer)->kind != TN_BUFFER_STATE)
            continue;
        bool is_read = true;
        TN_TRY(find_readers(s, buffer, value->def, &is_read));
        if (!is_read)
            *out_buffer = buffer;
        return NULL;
    }
    return NULL;
}

bool tn_segment_may_write(const tn_expr_builder *builder, const tn_store *store) {
    for (size_t i = 0; i < builder->count; i++) {
        const tn_expr *e = builder->exprs[i];
        bool reads = e->kind == TN_EXPR_LOAD || e->kind == TN_EXPR_TAKE;
        if (reads && e->buffer == store->buffer && !tn_nest_is_in_step(e, store))
            return false;
    }
    return true;
}

/* What is left to do of a state. */
typedef struct pending_state {
    uint32_t buffer;
    bool is_copied; /* its next content does not lie in it yet */
} pending_state;

/* Whether a next content lies in a state that is going to be overwritten with another one. */
static bool lies_in_overwritten(const tn_segment *s, const pending_state *states,
                                const tn_place *place) {
    for (size_t i = 0; i < s->graph->state_count; i++)
        if (states[i].buffer == place->buffer)
            return states[i].is_copied;
    return false;
}

static tn_status copy_to_state(tn_segment *s, const tn_value *next, uint32_t buffer) {
    tn_place place = tn_segment_row_major(s, next, buffer);
    return tn_segment_emit_copy(s, next, &place, NULL);
}

tn_status tn_segment_emit_states(tn_segment *s) {
    const tn_graph *graph = s->graph;
    pending_state *states = NULL;
    tn_place place;
    TN_ARENA_TRY(s->arena, states, graph->state_count + 1);
    for (size_t i = 0; i < graph->state_count; i++) {
        const tn_state *state = &graph->states[i];
        tn_layout dense;
        tn_layout_dense(s->syms, &state->value->type, NULL, &dense);
        states[i].buffer = s->places[state->value->id].buffer;
        TN_TRY(tn_segment_place(s, state->next, &place));
        states[i].is_copied =
            place.buffer != states[i].buffer || !tn_layout_equal(&place.layout, &dense);
    }
    for (size_t i = 0; i < graph->state_count; i++) {
        TN_TRY(tn_segment_place(s, graph->states[i].next, &place));
        if (states[i].is_copied && lies_in_overwritten(s, states, &place))
            TN_TRY(tn_segment_materialise(s, graph->states[i].next));
    }
    for (size_t i = 0; i < graph->state_count; i++)
        if (states[i].is_copied)
            TN_TRY(copy_to_state(s, graph->states[i].next, states[i].buffer));
    return NULL;
}
