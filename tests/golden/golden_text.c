/* golden_text.c: textual graphs, parsed, verified and printed; what is printed must parse and print
 * the same again. Several inputs in a file are parted by lines of "====". */
#include "golden.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ir_ops.h"

static const tn_text_options options = {.with_locs = true, .const_elems_max = 16};

static tn_status print_again(tn_arena *arena, const tn_op_table *ops, const tn_buf *text) {
    tn_graph *graph = NULL;
    tn_buf again;
    TN_TRY_CTX(tn_graph_parse(arena, tn_buf_view(text), &ops, 1, &graph), "while reading it back");
    tn_buf_init(&again, tn_allocator_system());
    tn_graph_print(&again, graph, &options);
    tn_status status = tn_buf_status(&again);
    if (!status && !tn_str_equal(tn_buf_view(text), tn_buf_view(&again)))
        status = tn_error_make(TN_INTERNAL, "printed again it is:\n%s", tn_buf_cstr(&again));
    tn_buf_deinit(&again);
    return status;
}

static tn_status run_one(tn_arena *arena, const tn_op_table *ops, tn_str input, tn_buf *out) {
    tn_graph *graph = NULL;
    TN_TRY(tn_graph_parse(arena, input, &ops, 1, &graph));
    TN_TRY(tn_graph_verify(graph, NULL));
    tn_graph_print(out, graph, &options);
    bool has_hash = false;
    for (size_t i = 0; i < graph->const_count; i++)
        has_hash = has_hash || graph->consts[i]->type.rank == 3; /* by agreement in these files */
    return has_hash ? NULL : print_again(arena, ops, out);
}

/* Up to the next line of "====". */
static tn_str next_input(tn_str *rest) {
    tn_str all = *rest, line;
    size_t used = 0;
    while (rest->len) {
        *rest = tn_str_split(*rest, '\n', &line);
        if (tn_str_is(line, "===="))
            return (tn_str){all.data, used};
        used += line.len + 1;
    }
    return all;
}

static tn_status run(tn_arena *arena, tn_str input, tn_buf *out) {
    tn_op_table ops;
    tn_op_table_init(&ops, arena);
    tn_status status = tn_test_ops_fill(&ops);
    for (bool is_first = true; !status && input.len; is_first = false) {
        tn_buf one;
        tn_buf_init(&one, tn_allocator_system());
        tn_status failure = run_one(arena, &ops, next_input(&input), &one);
        tn_buf_printf(out, "%s%s%s", is_first ? "" : "====\n",
                      failure ? tn_status_message(failure) : tn_buf_cstr(&one),
                      failure ? "\n" : "");
        tn_status_free(failure);
        tn_buf_deinit(&one);
    }
    tn_op_table_deinit(&ops);
    return status;
}

int main(int argc, char **argv) {
    return tn_golden_main(argc, argv, run);
}
