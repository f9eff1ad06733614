/* pt2.c: one load of a .pt2 archive, from opening it to freeing what only the load needed. */
#include "front/pt2.h"

static tn_status read_producer(tn_pt2 *pt2, tn_str *out_producer) {
    tn_json_value version = tn_json_find(tn_json_root(&pt2->program), "torch_version");
    tn_str text = TN_STR("of an unknown version");
    if (tn_json_kind_of(version) == TN_JSON_STRING)
        TN_TRY(tn_json_str(pt2->arena, version, &text));
    const char *producer = tn_arena_printf(pt2->arena, "PyTorch %.*s", TN_STR_ARG(text));
    if (!producer)
        return tn_error_out_of_memory();
    *out_producer = tn_str_of(producer);
    return NULL;
}

tn_status tn_pt2_load(tn_env *env, tn_arena *arena, const uint8_t *data, size_t bytes,
                      const tn_op_table *ops, tn_model *out_model) {
    tn_pt2 pt2 = {.env = env, .arena = arena, .ops = ops};
    tn_allocator in_arena = tn_arena_allocator(arena);
    tn_map_init(&pt2.tensors, in_arena);
    tn_map_init(&pt2.exprs, in_arena);
    pt2.zip.allocator = pt2.program.allocator = env->allocator;
    pt2.weights.allocator = pt2.constants.allocator = env->allocator;
    tn_map_init(&pt2.zip.by_name, env->allocator);
    tn_status status = NULL;
    TN_GOTO(tn_syms_create(arena, &pt2.syms));
    TN_GOTO(tn_pt2_open_archive(&pt2, data, bytes));
    TN_GOTO(read_producer(&pt2, &out_model->producer));
    TN_GOTO(tn_pt2_program_read(&pt2, &out_model->graph));
done:
    tn_json_close(&pt2.constants);
    tn_json_close(&pt2.weights);
    tn_json_close(&pt2.program);
    tn_zip_close(&pt2.zip);
    return status;
}
