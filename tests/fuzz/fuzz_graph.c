/* fuzz_graph.c: any bytes to the parser of textual graphs; what it accepts goes through the
 * verifier, and prints and parses back to the same print. */
#include <stdlib.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "ir_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the graph of this text prints as, in the arena; data is NULL if the text is refused. */
static tn_str print_of(tn_arena *arena, const tn_op_table *ops, tn_str text) {
    tn_graph *graph = NULL;
    tn_status status = tn_graph_parse(arena, text, &ops, 1, &graph);
    if (status) {
        tn_status_free(status);
        return (tn_str){NULL, 0};
    }
    tn_status_free(tn_graph_verify(graph, NULL)); /* may refuse, must return */
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_graph_print(&buf, graph, &(tn_text_options){.with_locs = true, .const_elems_max = SIZE_MAX});
    tn_str print = tn_arena_str(arena, tn_buf_view(&buf));
    tn_buf_deinit(&buf);
    return print;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_arena arena;
    tn_op_table ops;
    tn_arena_init(&arena, tn_allocator_system());
    tn_op_table_init(&ops, &arena);
    if (tn_test_ops_fill(&ops))
        abort();
    tn_str once = print_of(&arena, &ops, (tn_str){(const char *)data, size});
    if (once.data && !tn_str_equal(once, print_of(&arena, &ops, once)))
        abort();
    tn_op_table_deinit(&ops);
    tn_arena_deinit(&arena);
    return 0;
}
