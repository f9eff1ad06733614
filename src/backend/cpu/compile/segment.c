/* segment.c: storage, kernels, steps, and the walk over the graph. */
#include "backend/cpu/compile/segment.h"

#include <string.h>

#include "engine/program_graph.h"

/* ---- storage ------------------------------------------------------------------------------------
 */

static const tn_sym *bytes_of(tn_segment *s, const tn_type *type) {
    return tn_sym_muli(s->syms, tn_type_elems(s->syms, type), (int64_t)tn_dtype_bytes(type->dtype));
}

void tn_segment_store(tn_segment *s, const tn_value *value, const uint32_t *order,
                      tn_place *out_place) {
    tn_rec_buffer buffer = {.kind = TN_BUFFER_ARENA,
                            .bytes = tn_pb_sym(s->pb, bytes_of(s, &value->type)),
                            .first_step = TN_NO_INDEX};
    *out_place = (tn_place){.is_stored = true, .buffer = tn_pb_buffer(s->pb, &buffer)};
    tn_layout_dense(s->syms, &value->type, order, &out_place->layout);
}

const tn_place *tn_segment_output(tn_segment *s, const tn_value *value, bool wants_row_major) {
    const tn_place *output = &s->outputs[value->id];
    bool may_be = output->is_stored && !s->places[value->id].is_stored &&
                  (!wants_row_major || tn_layout_is_row_major(s->syms, &output->layout, 0));
    return may_be ? output : NULL;
}

tn_place tn_segment_row_major(tn_segment *s, const tn_value *value, uint32_t buffer) {
    tn_place place = {.is_stored = true, .buffer = buffer};
    tn_layout_dense(s->syms, &value->type, NULL, &place.layout);
    return place;
}

bool tn_segment_preferred_order(const tn_segment *s, const tn_value *value, uint32_t *out_order) {
    (void)s;
    for (uint32_t d = 0; d < value->type.rank; d++)
        out_order[d] = d;
    bool is_permuted = false;
    const tn_value *at = value;
    while (at->use_count == 1) {
        const tn_node *node = at->uses[0].node;
        tn_prim prim = tn_node_prim(node);
        if (prim == TN_PRIM_RESHAPE)
            return is_permuted;
        if (prim != TN_PRIM_PERMUTE)
            return false;
        uint32_t composed[TN_MAX_RANK] = {0};
        for (uint32_t d = 0; d < value->type.rank; d++)
            composed[d] = out_order[node->args[1].ints[d]->value];
        memcpy(out_order, composed, sizeof composed);
        is_permuted = true;
        at = node->results[0];
    }
    return false;
}

/* The program buffer behind a buffer of expressions and kernels. */
static tn_status resolve_buffer(tn_segment *s, uint32_t buffer, uint32_t *out_buffer) {
    *out_buffer = buffer;
    if (buffer < TN_CONST_BUFFER || buffer == TN_NO_INDEX)
        return NULL;
    uint32_t id = buffer - TN_CONST_BUFFER;
    if (s->weight_buffers[id] == TN_NO_INDEX) {
        const tn_value *value = NULL;
        for (size_t i = 0; i < s->graph->const_count && !value; i++)
            if (s->graph->consts[i]->id == id)
                value = s->graph->consts[i];
        if (!value)
            return tn_error_make(TN_INTERNAL, "constant %u is not of the graph", id);
        const void *data = NULL;
        size_t bytes = 0;
        TN_TRY(tn_value_bytes(s->arena, value, &data, &bytes));
        s->weight_buffers[id] = tn_pb_weight(s->pb, data, bytes);
    }
    *out_buffer = s->weight_buffers[id];
    return NULL;
}

/* A step touches a buffer: widens its life. */
static void note_use(tn_segment *s, uint32_t buffer, uint32_t step) {
    if (s->pb->status)
        return;
    tn_rec_buffer *record = tn_pb_buffer_at(s->pb, buffer);
    if (record->kind != TN_BUFFER_ARENA)
        return;
    if (record->first_step == TN_NO_INDEX)
        record->first_step = step;
    record->last_step = step;
}

tn_status tn_segment_place(tn_segment *s, const tn_value *value, tn_place *out_place) {
    for (int attempt = 0; attempt < 2; attempt++) {
        *out_place = s->places[value->id];
        if (out_place->is_stored)
            return NULL;
        tn_view view;
        if (value->def && tn_view_of_node(value->def, &view)) {
            tn_place base;
            const tn_value *operand = value->def->operands[0];
            TN_TRY(tn_segment_place(s, operand, &base));
            *out_place = base;
            if (tn_layout_apply(s->syms, &base.layout, &view, &out_place->layout))
                return NULL;
            /* Only a reshape fails, and it cannot fail on row-major storage. */
            TN_TRY(tn_segment_materialise(s, operand));
        } else {
            TN_TRY(tn_segment_materialise(s, value));
        }
    }
    return tn_error_make(TN_INTERNAL, "value %.*s cannot be stored", TN_STR_ARG(value->name));
}

/* ---- kernels and steps --------------------------------------------------------------------------
 */

void tn_segment_begin_kernel(tn_segment *s, tn_kernel_print *kernel, tn_buf *text) {
    tn_buf_init(text, s->arena->allocator);
    s->cg.out = text;
    s->cg.indent = 0;
    s->cg.kernel_sym_count = 0;
    s->cg.kernel_syms = NULL;
    s->cg.kernel_sym_capacity = 0;
    *kernel = (tn_kernel_print){.cg = &s->cg, .error_buffer = TN_ERROR_BUFFER};
}

/* Appends text with every "KERNEL" replaced by name. */
static void append_named(tn_buf *out, const char *text, const char *name) {
    static const char placeholder[] = "KERNEL";
    for (const char *at; (at = strstr(text, placeholder)); text = at + sizeof placeholder - 1) {
        tn_buf_append(out, text, (size_t)(at - text));
        tn_buf_printf(out, "%s", name);
    }
    tn_buf_printf(out, "%s", text);
}

static tn_status find_or_add_kernel(tn_segment *s, const tn_kernel_print *kernel,
                                    const tn_buf *text, const tn_step_info *info,
                                    const tn_stored *stored, size_t stored_count,
                                    uint32_t *out_kernel) {
    uintptr_t known = (uintptr_t)tn_map_get(&s->kernels, tn_buf_view(text));
    if (known) {
        *out_kernel = (uint32_t)(known - 1);
        return NULL;
    }
    uint32_t index = s->pb->program.kernel_count;
    const char *name = tn_arena_printf(s->arena, "k%u_%s", index, info->summary);
    tn_str key = tn_arena_str(s->arena, tn_buf_view(text));
    if (!name || !key.data)
        return tn_error_out_of_memory();
    tn_segment_comment(s, name, kernel, info, stored, stored_count);
    append_named(&s->source, key.data, name);
    tn_rec_kernel record = {.name = tn_pb_str(s->pb, tn_str_of(name)),
                            .summary = tn_pb_str(s->pb, tn_str_of(info->summary))};
    *out_kernel = tn_pb_kernel(s->pb, &record);
    return tn_map_set(&s->kernels, key, (void *)(uintptr_t)(index + 1));
}

static tn_status pack_weight(tn_segment *s, const tn_cg_pack *pack, const tn_value *value,
                             uint32_t *out_buffer) {
    tn_tensor weight = {.dtype = value->type.dtype,
                        .rank = value->type.rank,
                        .data = (void *)(uintptr_t)value->data->data};
    for (uint32_t d = 0; d < weight.rank; d++) {
        weight.dims[d] = value->type.dims[d]->value;
        weight.strides[d] = value->data->strides[d];
    }
    uint8_t *memory = tn_arena_alloc(s->arena, pack->bytes + 64, 1);
    if (!memory)
        return tn_error_out_of_memory();
    uint8_t *aligned = memory + (64 - (uintptr_t)memory % 64) % 64;
    pack->pack(pack, &weight, aligned);
    *out_buffer = tn_pb_weight(s->pb, aligned, pack->bytes);
    return NULL;
}

tn_status tn_segment_end_kernel(tn_segment *s, tn_kernel_print *kernel, tn_buf *text,
                                const tn_cg_kernel *emitted, const tn_value *const *weights,
                                const tn_step_info *info, const tn_stored *stored,
                                size_t stored_count) {
    tn_status status = s->cg.failed ? tn_error_out_of_memory() : tn_buf_status(text);
    tn_rec_step step = {.kind = TN_STEP_KERNEL};
    uint32_t index = s->pb->program.step_count;
    if (!status)
        status = find_or_add_kernel(s, kernel, text, info, stored, stored_count, &step.kernel);
    for (size_t i = 0; !status && i < kernel->arg_count; i++) {
        uint32_t *buffer = &kernel->args[i].buffer;
        if (*buffer == TN_ERROR_BUFFER)
            *buffer = tn_pb_buffer(
                s->pb, &(tn_rec_buffer){.kind = TN_BUFFER_ERROR,
                                        .index = index,
                                        .bytes = tn_pb_const(s->pb, sizeof(tn_kernel_error))});
        uint32_t packed = emitted->pack_count;
        for (uint32_t p = 0; p < emitted->pack_count; p++)
            if (emitted->packs[p].buf == i)
                packed = p;
        if (packed < emitted->pack_count)
            status = pack_weight(s, &emitted->packs[packed], weights[packed], buffer);
        else
            status = resolve_buffer(s, *buffer, buffer);
        if (!status)
            note_use(s, *buffer, index);
        if (!status && kernel->args[i].heir != TN_NO_INDEX)
            status = tn_segment_note_heir(s, *buffer, kernel->args[i].heir);
    }
    tn_buf_deinit(text);
    TN_TRY(status);
    step.buffers.first = s->pb->program.index_count;
    step.buffers.count = (uint32_t)kernel->arg_count;
    for (size_t i = 0; i < kernel->arg_count; i++)
        tn_pb_indices(s->pb, &kernel->args[i].buffer, 1);
    uint32_t first_sym = s->pb->program.index_count;
    for (size_t i = 0; i < s->cg.kernel_sym_count; i++) {
        uint32_t value = tn_pb_sym(s->pb, s->cg.kernel_syms[i]);
        tn_pb_indices(s->pb, &value, 1);
    }
    step.syms = (tn_rec_range){first_sym, (uint32_t)s->cg.kernel_sym_count};
    step.task_count = tn_pb_sym(s->pb, emitted->task_count);
    step.scratch_bytes = tn_pb_sym(s->pb, emitted->scratch_bytes);
    step.flops = tn_pb_sym(s->pb, info->flops);
    step.bytes_read = tn_pb_sym(s->pb, info->bytes_read);
    step.bytes_written = tn_pb_sym(s->pb, info->bytes_written);
    step.sources = tn_pb_sources(s->pb, &info->locs);
    step.prim = tn_pb_str(s->pb, TN_STR(""));
    tn_pb_step(s->pb, &step);
    for (size_t i = 0; i < stored_count; i++)
        s->places[stored[i].value->id] = stored[i].place;
    return NULL;
}

/* ---- accounting ---------------------------------------------------------------------------------
 */

void tn_segment_account(tn_segment *s, const tn_value *root, const tn_expr_builder *builder,
                        tn_step_info *info) {
    const tn_sym *elems = tn_type_elems(s->syms, &root->type);
    for (size_t i = 0; i < builder->count; i++) {
        const tn_expr *e = builder->exprs[i];
        if (e->kind == TN_EXPR_MAP)
            info->flops = tn_sym_add(s->syms, info->flops, elems);
        if (e->kind == TN_EXPR_LOAD) {
            bool is_counted = false;
            for (size_t j = 0; j < i; j++)
                is_counted |=
                    builder->exprs[j]->kind == TN_EXPR_LOAD && builder->exprs[j]->value == e->value;
            if (!is_counted)
                info->bytes_read =
                    tn_sym_add(s->syms, info->bytes_read, bytes_of(s, &e->value->type));
        }
        if (e->kind == TN_EXPR_TAKE)
            info->bytes_read = tn_sym_add(
                s->syms, info->bytes_read,
                tn_sym_muli(s->syms, elems, (int64_t)tn_dtype_bytes(e->value->type.dtype)));
    }
}

/* Collects the provenance of a root and of all pointwise nodes and views that are computed in its
 * kernel, down to stored values and the anchor; and the kernel's name from its operations. */
typedef struct collector {
    tn_segment *segment;
    const tn_value *anchor; /* may be NULL */
    tn_locs parts[64];
    size_t part_count;
    tn_buf name;
    uint32_t named;
} collector;

static void collect(collector *c, const tn_value *value) {
    const tn_node *node = value->def;
    if (!node || c->part_count == 64 || c->segment->places[value->id].is_stored)
        return;
    bool is_anchor = value == c->anchor;
    tn_node_kind kind = tn_segment_kind(node);
    bool goes_on = kind == TN_KIND_VIEW || kind == TN_KIND_POINTWISE || is_anchor;
    if (!goes_on)
        return;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i] && (!is_anchor || kind == TN_KIND_ROWS))
            collect(c, node->operands[i]);
    if (c->part_count < 64)
        c->parts[c->part_count++] = node->locs;
    if (kind == TN_KIND_VIEW || tn_node_prim(node) == TN_PRIM_CAST || c->named >= 6)
        return;
    const char *schema = tn_prim_schema(tn_node_prim(node)) + strlen("k::");
    tn_buf_printf(&c->name, "%s%.*s", c->named++ ? "_" : "", (int)strcspn(schema, "("), schema);
}

tn_status tn_segment_describe(tn_segment *s, const tn_value *root, const tn_value *anchor,
                              tn_step_info *info) {
    *info = (tn_step_info){0};
    collector *c = tn_arena_alloc(s->arena, 1, sizeof *c);
    if (!c)
        return tn_error_out_of_memory();
    c->segment = s;
    c->anchor = anchor;
    tn_buf_init(&c->name, s->arena->allocator);
    collect(c, root);
    if (c->named == 0)
        tn_buf_printf(&c->name, "copy");
    tn_status status = tn_buf_status(&c->name);
    info->summary = tn_arena_printf(s->arena, "%s", tn_buf_cstr(&c->name));
    tn_buf_deinit(&c->name);
    TN_TRY(status);
    if (!info->summary)
        return tn_error_out_of_memory();
    info->flops = info->bytes_read = tn_sym_const(s->syms, 0);
    info->bytes_written = bytes_of(s, &root->type);
    return tn_locs_merge(s->arena, c->parts, c->part_count, &info->locs);
}

/* ---- values on demand
 * -----------------------------------------------------------------------------
 */

tn_status tn_segment_materialise(tn_segment *s, const tn_value *value) {
    if (value->def && !s->places[value->id].is_stored) {
        tn_node_kind kind = tn_segment_kind(value->def);
        bool is_fused = false;
        if (kind == TN_KIND_PRIM)
            return tn_segment_emit_prim(s, value->def);
        if (kind == TN_KIND_ROWS || kind == TN_KIND_POINTERS)
            return tn_segment_emit_anchor(s, value->def, value, &is_fused);
    }
    if (value->def && tn_segment_kind(value->def) == TN_KIND_POINTWISE)
        s->is_emitted[value->def->id] = true;
    return tn_segment_emit_pointwise(s, value, true);
}

/* ---- primitives on the interpreter --------------------------------------------------------------
 */

static uint32_t tensor_record(tn_segment *s, const tn_value *value, const tn_place *place) {
    tn_rec_tensor tensor = {.dtype = (uint32_t)value->type.dtype, .rank = value->type.rank};
    uint32_t buffer = 0;
    tn_pb_fail(s->pb, resolve_buffer(s, place->buffer, &buffer));
    tensor.buffer = buffer;
    tensor.offset = tn_pb_sym(s->pb, place->layout.offset);
    for (uint32_t d = 0; d < tensor.rank; d++) {
        tensor.dims[d] = tn_pb_sym(s->pb, place->layout.dims[d]);
        tensor.strides[d] = tn_pb_sym(s->pb, place->layout.strides[d]);
    }
    note_use(s, buffer, s->pb->program.step_count);
    return tn_pb_tensor(s->pb, &tensor);
}

/* Where result i of a primitive goes: to the output that it is, into the state whose next content
 * it is, or memory of its own. */
static tn_status place_result(tn_segment *s, const tn_node *node, uint32_t i,
                              const tn_place *operands, tn_place *out_place) {
    const tn_value *result = node->results[i];
    uint32_t state = TN_NO_INDEX;
    TN_TRY(tn_segment_next_buffer(s, result, &state));
    for (uint32_t k = 0; k < node->operand_count; k++)
        if (node->operands[k] && operands[k].buffer == state)
            state = TN_NO_INDEX;
    const tn_place *output = tn_segment_output(s, result, true);
    if (output) {
        *out_place = *output;
    } else if (state == TN_NO_INDEX) {
        tn_segment_store(s, result, NULL, out_place);
    } else {
        *out_place = tn_segment_row_major(s, result, state);
    }
    return NULL;
}

tn_status tn_segment_emit_prim(tn_segment *s, const tn_node *node) {
    if (s->is_emitted[node->id] && s->places[node->results[0]->id].is_stored)
        return NULL;
    s->is_emitted[node->id] = true;
    uint32_t *operands = NULL, *results = NULL;
    tn_place *places = NULL;
    TN_ARENA_TRY(s->arena, operands, node->operand_count + 1);
    TN_ARENA_TRY(s->arena, results, node->result_count);
    TN_ARENA_TRY(s->arena, places, node->operand_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i])
            TN_TRY(tn_segment_place(s, node->operands[i], &places[i]));
    bool is_update = false;
    TN_TRY(tn_segment_may_update(s, node, places, &is_update));
    if (tn_segment_can_scatter(node)) {
        tn_place place = places[0];
        if (!is_update)
            TN_TRY(place_result(s, node, 0, places, &place));
        return tn_segment_emit_scatter(s, node, places, &place);
    }
    tn_rec_step step = {.kind = TN_STEP_PRIM, .prim = tn_pb_str(s->pb, node->op->name)};
    const tn_sym *read = tn_sym_const(s->syms, 0), *written = read;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        operands[i] =
            node->operands[i] ? tensor_record(s, node->operands[i], &places[i]) : TN_NO_INDEX;
        if (node->operands[i] && !(is_update && i == 0))
            read = tn_sym_add(s->syms, read, bytes_of(s, &node->operands[i]->type));
    }
    for (uint32_t i = 0; i < node->result_count; i++) {
        tn_place place = places[0];
        if (!is_update)
            TN_TRY(place_result(s, node, i, places, &place));
        s->places[node->results[i]->id] = place;
        results[i] = tensor_record(s, node->results[i], &place);
        const tn_value *content = is_update
                                      ? node->operands[node->operand_count - 1] /* the source */
                                      : node->results[i];
        written = tn_sym_add(s->syms, written, bytes_of(s, &content->type));
    }
    step.operands = tn_pb_indices(s->pb, operands, node->operand_count);
    step.results = tn_pb_indices(s->pb, results, node->result_count);
    if (tn_node_prim(node) == TN_PRIM_CALL) {
        step.kind = TN_STEP_CALL;
        step.kernel = tn_pb_call(s->pb, node);
    } else {
        step.args = tn_pb_node_args(s->pb, node);
    }
    step.sources = tn_pb_sources(s->pb, &node->locs);
    step.flops = tn_pb_const(s->pb, 0);
    step.bytes_read = tn_pb_sym(s->pb, read);
    step.bytes_written = tn_pb_sym(s->pb, written);
    tn_pb_step(s->pb, &step);
    return NULL;
}

/* ---- the graph ----------------------------------------------------------------------------------
 */

/* Emits a pointwise root, as the end of an anchor's kernel if one leads to it and nowhere else. */
static tn_status emit_root(tn_segment *s, const tn_value *root) {
    const tn_node *last = NULL;
    for (const tn_node *node = s->graph->first; node != root->def; node = node->next) {
        if (s->is_emitted[node->id] || node->result_count == 0)
            continue;
        const tn_role *role = &s->roles[node->results[0]->id];
        if (!role->is_root || role->sink != root)
            continue;
        bool is_fused = false;
        if (last)
            TN_TRY(tn_segment_emit_anchor(s, last, last->results[0], &is_fused));
        last = node;
    }
    if (last) {
        bool is_fused = false;
        TN_TRY(tn_segment_emit_anchor(s, last, root, &is_fused));
        if (is_fused)
            return NULL;
        if (!s->is_emitted[last->id])
            TN_TRY(tn_segment_emit_anchor(s, last, last->results[0], &is_fused));
    }
    return tn_segment_emit_pointwise(s, root, false);
}

static tn_status emit_node(tn_segment *s, const tn_node *node) {
    bool is_wanted = false;
    for (uint32_t r = 0; r < node->result_count; r++)
        is_wanted |= s->roles[node->results[r]->id].is_root;
    if (s->is_emitted[node->id] || !is_wanted)
        return NULL;
    const tn_value *value = node->results[0];
    bool is_fused = false;
    switch (tn_segment_kind(node)) {
    case TN_KIND_VIEW:
        return NULL;
    case TN_KIND_POINTWISE:
        if (s->places[value->id].is_stored)
            return NULL;
        s->is_emitted[node->id] = true;
        return emit_root(s, value);
    case TN_KIND_ROWS:
    case TN_KIND_POINTERS: {
        const tn_value *sink = s->roles[value->id].sink;
        bool may_fuse =
            sink && sink->def != node && tn_segment_kind(sink->def) == TN_KIND_POINTWISE;
        return may_fuse ? NULL : tn_segment_emit_anchor(s, node, value, &is_fused);
    }
    case TN_KIND_PRIM:
        return tn_segment_emit_prim(s, node);
    }
    return NULL;
}

/* A kernel that was given up may leave storage that no step uses. */
static void close_buffers(tn_segment *s) {
    for (uint32_t i = 0; i < s->pb->program.buffer_count; i++) {
        tn_rec_buffer *buffer = tn_pb_buffer_at(s->pb, i);
        if (buffer->kind != TN_BUFFER_ARENA || buffer->first_step != TN_NO_INDEX)
            continue;
        buffer->first_step = buffer->last_step = 0;
        buffer->bytes = tn_pb_const(s->pb, 0);
    }
}

tn_status tn_segment_emit(tn_segment *s) {
    for (const tn_node *node = s->graph->first; node; node = node->next) {
        TN_TRY(emit_node(s, node));
        if (s->pb->status)
            return tn_pb_finish(s->pb);
    }
    for (size_t i = 0; i < s->graph->output_count; i++) {
        const tn_rec_io *io = &s->pb->program.outputs[i];
        uint32_t buffer = s->pb->program.tensors[io->tensor].buffer;
        const tn_value *value = s->graph->outputs[i].value;
        tn_place place, output = tn_segment_row_major(s, value, buffer);
        TN_TRY(tn_segment_place(s, value, &place));
        if (place.buffer != buffer || !tn_layout_equal(&place.layout, &output.layout))
            TN_TRY(tn_segment_emit_copy(s, value, &output, NULL));
    }
    TN_TRY(tn_segment_emit_states(s));
    close_buffers(s);
    tn_segment_choose_heirs(s);
    return NULL;
}
