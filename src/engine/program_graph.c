/* program_graph.c: see program_graph.h. */
#include "engine/program_graph.h"

#include <string.h>

#include "kir/prim.h"

static void bind_symbols(tn_pb *pb, const tn_graph *graph) {
    for (size_t i = 0; i < graph->input_count; i++) {
        const tn_type *type = &graph->inputs[i]->type;
        for (uint32_t d = 0; d < type->rank; d++)
            if (type->dims[d]->kind == TN_SYM_VAR)
                tn_pb_bind_input(pb, type->dims[d], (uint32_t)i, d);
    }
}

/* What is bound already follows from an input or an earlier result. */
static void bind_results(tn_pb *pb, const tn_graph *graph) {
    uint32_t call = 0;
    for (const tn_node *node = graph->first; node; node = node->next) {
        if (tn_node_prim(node) != TN_PRIM_CALL)
            continue;
        for (uint32_t r = 0; r < node->result_count; r++) {
            const tn_value *result = node->results[r];
            if (result->symbol)
                tn_pb_bind_item(pb, result->symbol, call, r);
            for (uint32_t d = 0; d < result->type.rank; d++)
                if (result->type.dims[d]->kind == TN_SYM_VAR)
                    tn_pb_bind_result(pb, result->type.dims[d], call, r, d);
        }
        call++;
    }
}

/* A row-major tensor on a new buffer. */
static uint32_t add_tensor(tn_pb *pb, const tn_graph *graph, const tn_type *type,
                           tn_buffer_kind kind, uint32_t index, uint32_t *out_buffer) {
    const tn_sym *elems = tn_type_elems(graph->syms, type);
    const tn_sym *bytes = tn_sym_muli(graph->syms, elems, (int64_t)tn_dtype_bytes(type->dtype));
    tn_rec_buffer buffer = {.kind = (uint32_t)kind, .index = index, .bytes = tn_pb_sym(pb, bytes)};
    *out_buffer = tn_pb_buffer(pb, &buffer);
    tn_rec_tensor tensor = {.buffer = *out_buffer,
                            .dtype = (uint32_t)type->dtype,
                            .rank = type->rank,
                            .offset = tn_pb_const(pb, 0)};
    const tn_sym *stride = tn_sym_const(graph->syms, 1);
    for (uint32_t d = type->rank; d-- > 0;) {
        tensor.dims[d] = tn_pb_sym(pb, type->dims[d]);
        tensor.strides[d] = tn_pb_sym(pb, stride);
        stride = tn_sym_mul(graph->syms, stride, type->dims[d]);
    }
    return tn_pb_tensor(pb, &tensor);
}

tn_status tn_value_bytes(tn_arena *arena, const tn_value *value, const void **out_data,
                         size_t *out_bytes) {
    size_t elems = 1, elem_bytes = tn_dtype_bytes(value->type.dtype);
    for (uint32_t d = 0; d < value->type.rank; d++)
        elems *= (size_t)value->type.dims[d]->value;
    *out_bytes = elems * elem_bytes;
    *out_data = value->data->data;
    if (value->data->is_contiguous || elems == 0)
        return NULL;
    uint8_t *copy = tn_arena_alloc(arena, elems, elem_bytes);
    if (!copy)
        return tn_error_out_of_memory();
    int64_t index[TN_MAX_RANK] = {0};
    for (size_t i = 0; i < elems; i++) {
        int64_t at = 0;
        for (uint32_t d = 0; d < value->type.rank; d++)
            at += index[d] * value->data->strides[d];
        memcpy(copy + i * elem_bytes, value->data->data + at * (int64_t)elem_bytes, elem_bytes);
        for (uint32_t d = value->type.rank; d-- > 0;) {
            if (++index[d] < value->type.dims[d]->value)
                break;
            index[d] = 0;
        }
    }
    *out_data = copy;
    return NULL;
}

/* The first content of a state as a weight; TN_NO_INDEX when it has none or is empty. */
static tn_status add_initial(tn_pb *pb, const tn_value *value, uint32_t *out_buffer) {
    *out_buffer = TN_NO_INDEX;
    if (!value->data || !value->data->data)
        return NULL;
    const void *data = NULL;
    size_t bytes = 0;
    TN_TRY(tn_value_bytes(pb->arena, value, &data, &bytes));
    if (bytes > 0)
        *out_buffer = tn_pb_weight(pb, data, bytes);
    return NULL;
}

static uint32_t input_index(const tn_graph *graph, const tn_value *value) {
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i] == value)
            return (uint32_t)i;
    return TN_NO_INDEX;
}

tn_status tn_pb_add_graph(tn_pb *pb, const tn_graph *graph, tn_graph_buffers *out_buffers) {
    TN_ARENA_TRY(pb->arena, out_buffers->inputs, graph->input_count + 1);
    TN_ARENA_TRY(pb->arena, out_buffers->outputs, graph->output_count + 1);
    TN_ARENA_TRY(pb->arena, out_buffers->states, graph->state_count + 1);
    pb->program.name = tn_pb_str(pb, graph->name);
    bind_symbols(pb, graph);
    bind_results(pb, graph);
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const tn_value *value = graph->inputs[i];
        tn_rec_io io = {.name = tn_pb_str(pb, value->name), .mutates_input = TN_NO_INDEX};
        io.tensor =
            add_tensor(pb, graph, &value->type, TN_BUFFER_INPUT, i, &out_buffers->inputs[i]);
        tn_pb_input(pb, &io);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const tn_output *output = &graph->outputs[i];
        tn_rec_io io = {.name = tn_pb_str(pb, output->name), .mutates_input = TN_NO_INDEX};
        if (output->kind == TN_OUTPUT_INPUT_MUTATION)
            io.mutates_input = input_index(graph, output->target);
        io.tensor = add_tensor(pb, graph, &output->value->type, TN_BUFFER_OUTPUT, i,
                               &out_buffers->outputs[i]);
        tn_pb_output(pb, &io);
    }
    for (uint32_t i = 0; i < graph->state_count; i++) {
        const tn_value *value = graph->states[i].value;
        tn_rec_state state = {.name = tn_pb_str(pb, graph->states[i].name)};
        TN_TRY(add_initial(pb, value, &state.initial_buffer));
        state.tensor =
            add_tensor(pb, graph, &value->type, TN_BUFFER_STATE, i, &out_buffers->states[i]);
        tn_pb_state(pb, &state);
    }
    tn_status status = pb->status;
    pb->status = NULL;
    return status;
}
