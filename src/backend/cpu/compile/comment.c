/* comment.c: what stands above a kernel in the source, in the words of the model: the nodes that it
 * computes, and what its buffers are where it is used first. Names come from the model and may hold
 * anything, so none may end the comment. */
#include "backend/cpu/compile/segment.h"

enum { MOST_NODES = 12 };

static void append_name(tn_buf *out, tn_str name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_plain = c >= ' ' && c <= '~' && c != '*' && c != '/';
        tn_buf_append(out, is_plain ? &c : "?", 1);
    }
}

static void append_nodes(tn_buf *out, const tn_locs *locs) {
    for (uint32_t i = 0; i < locs->count && i < MOST_NODES; i++) {
        tn_buf_printf(out, i ? ", " : " ");
        append_name(out, locs->items[i]->node);
        tn_buf_printf(out, " (");
        append_name(out, locs->items[i]->op);
        tn_buf_printf(out, ")");
    }
    if (locs->count > MOST_NODES)
        tn_buf_printf(out, ", ...");
    if (locs->count > 0 && locs->items[0]->module.len > 0) {
        tn_buf_printf(out, "\n * first used by ");
        append_name(out, locs->items[0]->module);
    }
}

static const tn_value *result_in(const tn_segment *s, uint32_t buffer) {
    for (const tn_node *node = s->graph->first; node; node = node->next)
        for (uint32_t r = 0; r < node->result_count; r++) {
            const tn_place *place = &s->places[node->results[r]->id];
            if (place->is_stored && place->buffer == buffer)
                return node->results[r];
        }
    return NULL;
}

/* A value that lies in a buffer of expressions and kernels; NULL: none, errors are reported there.
 */
static const tn_value *value_in(const tn_segment *s, uint32_t buffer, const tn_stored *stored,
                                size_t stored_count) {
    const tn_graph *graph = s->graph;
    for (size_t i = 0; i < stored_count; i++)
        if (stored[i].place.buffer == buffer)
            return stored[i].value;
    for (size_t i = 0; i < graph->const_count; i++)
        if (s->places[graph->consts[i]->id].buffer == buffer)
            return graph->consts[i];
    for (size_t i = 0; i < graph->input_count; i++)
        if (s->places[graph->inputs[i]->id].buffer == buffer)
            return graph->inputs[i];
    for (size_t i = 0; i < graph->state_count; i++)
        if (s->places[graph->states[i].value->id].buffer == buffer)
            return graph->states[i].value;
    return result_in(s, buffer);
}

void tn_segment_comment(tn_segment *s, const char *name, const tn_kernel_print *kernel,
                        const tn_step_info *info, const tn_stored *stored, size_t stored_count) {
    tn_buf *out = &s->source;
    tn_buf_printf(out, "/* %s:", name);
    append_nodes(out, &info->locs);
    for (size_t i = 0; i < kernel->arg_count; i++) {
        const tn_value *value = value_in(s, kernel->args[i].buffer, stored, stored_count);
        tn_buf_printf(out, "\n *   buf[%zu]: ", i);
        if (value) {
            append_name(out, value->name);
            tn_buf_printf(out, " ");
            tn_type_print(out, &value->type);
        } else {
            tn_buf_printf(out, "errors");
        }
    }
    tn_buf_printf(out, " */\n");
}
