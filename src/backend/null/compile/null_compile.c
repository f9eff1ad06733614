/* null_compile.c: one row-major buffer per value, one step per node. */
#include "backend/null/compile/null_compile.h"

#include "engine/program_graph.h"
#include "kir/prim.h"

typedef struct null_compiler {
    const tn_graph *graph;
    tn_pb *pb;
    uint32_t *tensors; /* by value id: its tensor record, TN_NO_INDEX before it has one */
} null_compiler;

static uint32_t add_tensor(null_compiler *c, const tn_type *type, const int64_t *strides,
                           uint32_t buffer) {
    tn_syms *syms = c->graph->syms;
    tn_rec_tensor tensor = {.buffer = buffer,
                            .dtype = (uint32_t)type->dtype,
                            .rank = type->rank,
                            .offset = tn_pb_const(c->pb, 0)};
    const tn_sym *stride = tn_sym_const(syms, 1);
    for (uint32_t d = type->rank; d-- > 0;) {
        tensor.dims[d] = tn_pb_sym(c->pb, type->dims[d]);
        tensor.strides[d] = strides ? tn_pb_const(c->pb, strides[d]) : tn_pb_sym(c->pb, stride);
        stride = tn_sym_mul(syms, stride, type->dims[d]);
    }
    return tn_pb_tensor(c->pb, &tensor);
}

/* Bytes from the first to past the last element that strides reach. */
static size_t reach_bytes(const tn_value *value) {
    int64_t last = 0;
    for (uint32_t d = 0; d < value->type.rank; d++) {
        if (value->type.dims[d]->value == 0)
            return 0;
        last += (value->type.dims[d]->value - 1) * value->data->strides[d];
    }
    return (size_t)(last + 1) * tn_dtype_bytes(value->type.dtype);
}

static uint32_t tensor_of(null_compiler *c, const tn_value *value) {
    if (c->tensors[value->id] == TN_NO_INDEX && value->kind == TN_VALUE_CONST) {
        uint32_t buffer = tn_pb_weight(c->pb, value->data->data, reach_bytes(value));
        c->tensors[value->id] = add_tensor(c, &value->type, value->data->strides, buffer);
    }
    return c->tensors[value->id];
}

static void note_use(null_compiler *c, uint32_t tensor) {
    if (c->pb->status)
        return;
    tn_rec_buffer *buffer = tn_pb_buffer_at(c->pb, c->pb->program.tensors[tensor].buffer);
    if (buffer->kind == TN_BUFFER_ARENA)
        buffer->last_step = c->pb->program.step_count;
}

/* What the next step makes. */
static uint32_t add_result(null_compiler *c, const tn_type *type) {
    const tn_sym *bytes = tn_sym_muli(c->graph->syms, tn_type_elems(c->graph->syms, type),
                                      (int64_t)tn_dtype_bytes(type->dtype));
    tn_rec_buffer buffer = {.kind = TN_BUFFER_ARENA,
                            .bytes = tn_pb_sym(c->pb, bytes),
                            .first_step = c->pb->program.step_count,
                            .last_step = c->pb->program.step_count};
    return add_tensor(c, type, NULL, tn_pb_buffer(c->pb, &buffer));
}

static tn_status add_step(null_compiler *c, const tn_node *node) {
    tn_rec_step step = {.kind = TN_STEP_PRIM, .prim = tn_pb_str(c->pb, node->op->name)};
    uint32_t *list =
        tn_arena_alloc(c->pb->arena, node->operand_count + node->result_count + 1, sizeof *list);
    if (!list)
        return tn_error_out_of_memory();
    for (uint32_t i = 0; i < node->operand_count; i++) {
        list[i] = node->operands[i] ? tensor_of(c, node->operands[i]) : TN_NO_INDEX;
        if (list[i] != TN_NO_INDEX)
            note_use(c, list[i]);
    }
    step.operands = tn_pb_indices(c->pb, list, node->operand_count);
    for (uint32_t i = 0; i < node->result_count; i++) {
        list[i] = add_result(c, &node->results[i]->type);
        c->tensors[node->results[i]->id] = list[i];
    }
    step.results = tn_pb_indices(c->pb, list, node->result_count);
    if (tn_node_prim(node) == TN_PRIM_CALL) {
        step.kind = TN_STEP_CALL;
        step.kernel = tn_pb_call(c->pb, node);
    } else {
        step.args = tn_pb_node_args(c->pb, node);
    }
    step.sources = tn_pb_sources(c->pb, &node->locs);
    step.flops = step.bytes_read = step.bytes_written = tn_pb_const(c->pb, 0);
    tn_pb_step(c->pb, &step);
    return NULL;
}

/* A step that copies a value to an output or state: a reshape to its own shape. */
static void add_copy(null_compiler *c, const tn_value *value, uint32_t to) {
    uint32_t from = tensor_of(c, value);
    note_use(c, from);
    tn_rec_step step = {.kind = TN_STEP_PRIM, .prim = tn_pb_str(c->pb, TN_STR("k::reshape"))};
    step.operands = tn_pb_indices(c->pb, &from, 1);
    step.results = tn_pb_indices(c->pb, &to, 1);
    tn_rec_arg operand = {.kind = TN_ARG_VALUE, .text = tn_pb_str(c->pb, TN_STR(""))};
    step.args.first = tn_pb_arg(c->pb, &operand);
    tn_rec_arg shape = {.kind = TN_ARG_INTS, .text = operand.text};
    uint32_t dims[TN_MAX_RANK];
    for (uint32_t d = 0; d < value->type.rank; d++)
        dims[d] = tn_pb_sym(c->pb, value->type.dims[d]);
    shape.list = tn_pb_indices(c->pb, dims, value->type.rank);
    tn_pb_arg(c->pb, &shape);
    step.args.count = 2;
    step.flops = step.bytes_read = step.bytes_written = tn_pb_const(c->pb, 0);
    tn_pb_step(c->pb, &step);
}

/* States take their next contents after all else; the old content of one that is the next content
 * of another is saved before any changes. */
static void add_states(null_compiler *c) {
    const tn_graph *graph = c->graph;
    for (size_t i = 0; i < graph->state_count && !c->pb->status; i++) {
        const tn_value *next = graph->states[i].next;
        if (next->kind != TN_VALUE_STATE || next == graph->states[i].value)
            continue;
        uint32_t saved = add_result(c, &next->type);
        add_copy(c, next, saved);
        c->tensors[next->id] = saved;
    }
    for (size_t i = 0; i < graph->state_count && !c->pb->status; i++)
        if (graph->states[i].next != graph->states[i].value)
            add_copy(c, graph->states[i].next, c->pb->program.states[i].tensor);
}

tn_status tn_null_compile(tn_arena *arena, const tn_graph *graph, tn_pb *pb) {
    null_compiler c = {.graph = graph, .pb = pb};
    TN_ARENA_TRY(arena, c.tensors, graph->value_id_end + 1);
    for (uint32_t i = 0; i <= graph->value_id_end; i++)
        c.tensors[i] = TN_NO_INDEX;
    tn_graph_buffers buffers;
    TN_TRY(tn_pb_add_graph(pb, graph, &buffers));
    for (size_t i = 0; i < graph->input_count; i++)
        c.tensors[graph->inputs[i]->id] = pb->program.inputs[i].tensor;
    for (size_t i = 0; i < graph->state_count; i++)
        c.tensors[graph->states[i].value->id] = pb->program.states[i].tensor;
    for (const tn_node *node = graph->first; node && !pb->status; node = node->next)
        TN_TRY(add_step(&c, node));
    for (size_t i = 0; i < graph->output_count && !pb->status; i++)
        add_copy(&c, graph->outputs[i].value, pb->program.outputs[i].tensor);
    add_states(&c);
    return NULL;
}
