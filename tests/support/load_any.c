/* load_any.c: loads what a fuzzer made up. */
#include "load_any.h"

#include <stdio.h>
#include <stdlib.h>

#include "front/front.h"
#include "ir/verify.h"
#include "ops/convert.h"
#include "pass/model_passes.h"

/* Made once: filling the table takes longer than most loads. */
static const tn_op_table *known_ops(void) {
    static tn_arena arena;
    static tn_op_table ops;
    if (!arena.blocks) {
        tn_arena_init(&arena, tn_allocator_system());
        tn_op_table_init(&ops, &arena);
        if (tn_op_list_fill(&ops))
            abort();
    }
    return &ops;
}

static void must_verify(const tn_graph *graph) {
    tn_status status = tn_graph_verify(graph, NULL);
    if (!status)
        return;
    fprintf(stderr, "%s\n", tn_status_message(status));
    abort();
}

void tn_test_load_any(const uint8_t *data, size_t bytes) {
    tn_allocator allocator = tn_allocator_system();
    tn_pass_ctx ctx = {.allocator = &allocator, .ops = known_ops()};
    tn_env *env = NULL;
    tn_arena arena;
    tn_model model = {0};
    tn_arena_init(&arena, allocator);
    tn_status status = tn_env_create(NULL, &env);
    if (!status)
        status = tn_front_load_memory(env, &arena, data, bytes, TN_STR("fuzz"), ctx.ops, &model);
    if (!status) {
        must_verify(model.graph);
        status = tn_pass_functionalise.run(&ctx, model.graph);
        if (!status)
            must_verify(model.graph);
    }
    tn_status_free(status);
    tn_model_unload(&model);
    tn_arena_deinit(&arena);
    tn_env_destroy(env);
}
