/* graph_case.c: cases of cmocka tests that are graphs. */
#include "graph_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/text.h"
#include "ir/verify.h"

static void assert_fine(tn_status status, const char *text) {
    if (status)
        print_error("%s\nin: %s\n", tn_status_message(status), text);
    assert_null(status);
}

void tn_test_graph_begin(tn_test_graph *test, const char *text) {
    *test = (tn_test_graph){0};
    tn_arena_init(&test->arena, tn_allocator_system());
    tn_op_table_init(&test->prims, &test->arena);
    assert_fine(tn_prim_table_fill(&test->prims), text);
    const tn_op_table *tables[1] = {&test->prims};
    assert_fine(tn_graph_parse(&test->arena, tn_str_of(text), tables, 1, &test->graph), text);
    assert_fine(tn_graph_verify(test->graph, tn_prim_verify), text);
}

void tn_test_graph_end(tn_test_graph *test) {
    tn_op_table_deinit(&test->prims);
    tn_arena_deinit(&test->arena);
}

void tn_test_pairs(const char *text, double tolerance) {
    tn_test_graph test;
    tn_tensor outputs[16];
    tn_test_graph_begin(&test, text);
    assert_true(test.graph->output_count <= 16 && test.graph->output_count % 2 == 0);
    assert_fine(tn_test_graph_run(test.graph, &test.arena, NULL, NULL, outputs), text);
    for (size_t i = 0; i < test.graph->output_count; i += 2)
        if (!tn_test_same(&outputs[i], &outputs[i + 1], tolerance)) {
            print_error("pair %zu of: %s\n", i / 2, text);
            fail();
        }
    tn_test_graph_end(&test);
}
