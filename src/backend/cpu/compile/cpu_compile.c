/* cpu_compile.c: one segment: the whole graph as one translation unit. */
#include "backend/cpu/compile/cpu_compile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/cpu/compile/cpu_target.h"
#include "backend/cpu/compile/segment.h"
#include "backend/cpu/compile/toolchain.h"
#include "base/file.h"
#include "engine/program_graph.h"

static tn_status prepare_segment(tn_segment *s) {
    uint32_t values = s->graph->value_id_end;
    TN_ARENA_TRY(s->arena, s->places, values + 1);
    TN_ARENA_TRY(s->arena, s->roles, values + 1);
    TN_ARENA_TRY(s->arena, s->outputs, values + 1);
    TN_ARENA_TRY(s->arena, s->weight_buffers, values + 1);
    TN_ARENA_TRY(s->arena, s->is_emitted, s->graph->node_id_end + 1);
    for (uint32_t i = 0; i < values; i++)
        s->weight_buffers[i] = TN_NO_INDEX;
    return NULL;
}

static void store_row_major(tn_segment *s, const tn_value *value, uint32_t buffer) {
    s->places[value->id] = tn_segment_row_major(s, value, buffer);
}

/* The stored value that an output is a view of, if not itself, is stored so that the view is
 * row-major in the output's memory; if a view between the two cannot be inverted, or another output
 * has claimed the value, the output will be a copy. */
static void claim_output(tn_segment *s, const tn_value *value, uint32_t buffer) {
    tn_place place = tn_segment_row_major(s, value, buffer);
    tn_view view, inverse;
    while (value->def && tn_view_of_node(value->def, &view)) {
        tn_layout layout;
        value = value->def->operands[0];
        if (!tn_view_invert(&view, value->type.rank, value->type.dims, &inverse) ||
            !tn_layout_apply(s->syms, &place.layout, &inverse, &layout))
            return;
        place.layout = layout;
    }
    /* Others read the value best in the order that its kernel would choose. */
    bool suits_others = value->use_count <= 1 || tn_layout_is_row_major(s->syms, &place.layout, 0);
    if (s->roles[value->id].is_root && suits_others && !s->outputs[value->id].is_stored)
        s->outputs[value->id] = place;
}

/* Inputs, states and constants are stored from the beginning; outputs that are no views claim their
 * memory before those that are. */
static tn_status place_graph(tn_segment *s) {
    tn_graph_buffers buffers;
    TN_TRY(tn_pb_add_graph(s->pb, s->graph, &buffers));
    for (size_t i = 0; i < s->graph->input_count; i++)
        store_row_major(s, s->graph->inputs[i], buffers.inputs[i]);
    for (size_t i = 0; i < s->graph->state_count; i++)
        store_row_major(s, s->graph->states[i].value, buffers.states[i]);
    for (size_t i = 0; i < s->graph->const_count; i++)
        store_row_major(s, s->graph->consts[i], TN_CONST_BUFFER + s->graph->consts[i]->id);
    TN_TRY(tn_segment_assign_roles(s));
    for (size_t i = 0; i < s->graph->output_count; i++) {
        const tn_value *value = s->graph->outputs[i].value;
        if (s->roles[value->id].is_root)
            claim_output(s, value, buffers.outputs[i]);
    }
    for (size_t i = 0; i < s->graph->output_count; i++)
        claim_output(s, s->graph->outputs[i].value, buffers.outputs[i]);
    return NULL;
}

static tn_status assemble(tn_segment *s, tn_buf *out) {
    TN_TRY(tn_cg_prelude(s->target, out));
    tn_cg_print_parts(s->cg.parts, out);
    tn_buf_str_append(out, tn_buf_view(&s->source));
    return tn_buf_status(out);
}

static tn_status keep_source(const tn_env *env, tn_arena *arena, const char *dir, tn_str source) {
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return tn_error_make(TN_IO, "making the folder %s: %s", dir, strerror(errno));
    const char *path = tn_arena_printf(arena, "%s/segment0.c", dir);
    if (!path)
        return tn_error_out_of_memory();
    tn_file_writer writer;
    TN_TRY(tn_file_writer_open(&writer, &env->allocator, path));
    tn_status status = tn_file_writer_append(&writer, source.data, source.len);
    if (!status)
        status = tn_file_writer_commit(&writer);
    tn_file_writer_close(&writer);
    return status;
}

static tn_status add_code(tn_segment *s, const tn_cpu_options *options, tn_str source) {
    const tn_env *env = s->env;
    if (s->pb->program.kernel_count == 0)
        return NULL;
    if (options->keep_source_dir)
        TN_TRY(keep_source(env, s->arena, options->keep_source_dir, source));
    tn_toolchain toolchain;
    TN_TRY(tn_toolchain_find(s->arena, options->compiler, &toolchain));
    TN_TRY(tn_progress(env, 0.5, "compiling %u kernels with %s", s->pb->program.kernel_count,
                       toolchain.path));
    tn_rec_blob blob = {.target = tn_pb_str(s->pb, tn_str_of(tn_cpu_target_name(s->target))),
                        .compiler = tn_pb_str(s->pb, tn_str_of(toolchain.version)),
                        .features = tn_cpu_target_features(s->target)};
    size_t bytes = 0;
    TN_TRY(tn_toolchain_build(env, s->arena, &toolchain, tn_cpu_target_flags(s->target), source,
                              options->cache_dir, &s->pb->program.code, &bytes));
    blob.bytes = s->pb->program.code_bytes = bytes;
    tn_pb_blob(s->pb, &blob);
    return NULL;
}

tn_status tn_cpu_compile(const tn_env *env, tn_arena *arena, const tn_graph *graph,
                         const tn_cpu_options *options, tn_pb *pb) {
    tn_cpu_target target;
    TN_TRY(tn_cpu_target_parse(options->target, &target));
    tn_segment *s = NULL;
    TN_ARENA_TRY(arena, s, 1);
    s->env = env;
    s->arena = arena;
    s->syms = graph->syms;
    s->graph = graph;
    s->target = &target;
    s->pb = pb;
    s->cg = (tn_cg){.arena = arena, .syms = graph->syms, .target = &target, .out = &s->source};
    tn_map_init(&s->kernels, env->allocator);
    tn_buf_init(&s->source, env->allocator);
    tn_buf whole;
    tn_buf_init(&whole, env->allocator);
    tn_status status = NULL;
    TN_GOTO(prepare_segment(s));
    TN_GOTO(place_graph(s));
    TN_GOTO(tn_segment_emit(s));
    TN_GOTO(tn_syms_status(graph->syms));
    TN_GOTO(assemble(s, &whole));
    TN_GOTO(add_code(s, options, tn_buf_view(&whole)));
done:
    tn_buf_deinit(&whole);
    tn_buf_deinit(&s->source);
    tn_map_deinit(&s->kernels);
    return status;
}
