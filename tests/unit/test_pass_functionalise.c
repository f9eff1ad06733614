/* test_pass_functionalise.c: graphs that write in place, as text, and what the pass and the removal
 * of dead code make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "ops/convert.h"
#include "pass/model_passes.h"

static tn_arena op_arena;
static tn_op_table ops;

static int fill_ops(void **state) {
    (void)state;
    tn_arena_init(&op_arena, tn_allocator_system());
    tn_op_table_init(&ops, &op_arena);
    tn_status status = tn_op_list_fill(&ops);
    if (status)
        print_error("%s\n", tn_status_message(status));
    int result = status ? 1 : 0;
    tn_status_free(status);
    return result;
}

static int free_ops(void **state) {
    (void)state;
    tn_op_table_deinit(&ops);
    tn_arena_deinit(&op_arena);
    return 0;
}

/* Drops nodes without uses, so that expectations show what matters. */
static void drop_dead(tn_graph *graph) {
    for (tn_node *node = graph->last, *prev; node; node = prev) {
        prev = node->prev;
        bool is_used = false;
        for (uint32_t i = 0; i < node->result_count; i++)
            is_used = is_used || node->results[i]->use_count > 0 ||
                      tn_value_is_output(graph, node->results[i]);
        if (!is_used)
            tn_graph_remove_node(graph, node);
    }
}

/* Parses body as the inside of a graph, runs the pass, prints the inside into out. */
static tn_status run_on(const char *body, tn_allocator allocator, tn_buf *out) {
    tn_arena arena;
    tn_arena_init(&arena, allocator);
    const char *text = tn_arena_printf(&arena, "graph g {\n%s}\n", body);
    const tn_op_table *table = &ops;
    tn_graph *graph = NULL;
    tn_pass_ctx ctx = {.allocator = &allocator, .ops = &ops};
    tn_status status = text ? tn_graph_parse(&arena, tn_str_of(text), &table, 1, &graph)
                            : tn_error_out_of_memory();
    if (!status)
        status = tn_pass_functionalise.run(&ctx, graph);
    if (!status)
        status = tn_graph_verify(graph, NULL);
    if (!status) {
        drop_dead(graph);
        tn_text_options options = {.const_elems_max = 16};
        tn_graph_print(out, graph, &options);
        status = tn_buf_status(out);
    }
    tn_arena_deinit(&arena);
    return status;
}

static void expect(const char *body, const char *wanted) {
    tn_buf out;
    tn_buf whole;
    tn_buf_init(&out, tn_allocator_system());
    tn_buf_init(&whole, tn_allocator_system());
    tn_status status = run_on(body, tn_allocator_system(), &out);
    if (status)
        fail_msg("%s", tn_status_message(status));
    tn_buf_printf(&whole, "graph g {\n%s}\n", wanted);
    assert_string_equal(tn_buf_cstr(&out), tn_buf_cstr(&whole));
    tn_buf_deinit(&whole);
    tn_buf_deinit(&out);
}

static void expect_error(const char *body, tn_code code, const char *part) {
    tn_buf out;
    tn_buf_init(&out, tn_allocator_system());
    tn_status status = run_on(body, tn_allocator_system(), &out);
    if (tn_status_code(status) != code || !strstr(tn_status_message(status), part))
        fail_msg("got %s '%s', expected '%s'", tn_code_name(tn_status_code(status)),
                 tn_status_message(status), part);
    tn_status_free(status);
    tn_buf_deinit(&out);
}

static void nothing_to_do(void **state) {
    (void)state;
    const char *body = "  input %x: f32[2]\n  %y: f32[2] = aten::relu(%x)\n  return %y\n";
    expect(body, body);
}

static void writes_a_fresh_value(void **state) {
    (void)state;
    /* Later users of the old name and of the result see the new content; earlier ones the old. */
    expect("  input %x: f32[2]\n"
           "  %a: f32[2] = aten::abs(%x)\n"
           "  %b: f32[2] = aten::exp(%a)\n"
           "  %c: f32[2] = aten::add_.Tensor(%a, %b)\n"
           "  %d: f32[2] = aten::neg(%a)\n"
           "  %e: f32[2] = aten::relu_(%c)\n"
           "  return %a, %b, %c, %d\n",
           "  input %x: f32[2]\n"
           "  %a: f32[2] = aten::abs(%x)\n"
           "  %b: f32[2] = aten::exp(%a)\n"
           "  %c: f32[2] = aten::add.Tensor(%a, %b)\n"
           "  %d: f32[2] = aten::neg(%c)\n"
           "  %e: f32[2] = aten::relu(%c)\n"
           "  return %e as \"a\", %b, %e as \"c\", %d\n");
}

static void input_is_mutated(void **state) {
    (void)state;
    expect("  input %x: f32[2, 3]\n"
           "  %r: f32[3] = aten::select.int(%x, 0, 1)\n"
           "  %z: f32[3] = aten::zero_(%r)\n"
           "  return %x\n",
           "  input %x: f32[2, 3]\n"
           "  %r: f32[3] = aten::select.int(%x, 0, 1)\n"
           "  %z: f32[3] = aten::zero(%r)\n"
           "  %3: f32[2, 3] = aten::select_scatter(%x, %z, 0, 1)\n"
           "  return %3 as \"x\", %3 as \"x\" into %x\n");
}

static void constant_becomes_state(void **state) {
    (void)state;
    expect("  input %x: f32[2]\n"
           "  const %count: f32[2] = [1.0, 2.0]\n"
           "  %y: f32[2] = aten::add_.Tensor(%count, %x)\n"
           "  %z: f32[2] = aten::mul.Tensor(%count, %x)\n"
           "  return %z\n",
           "  input %x: f32[2]\n"
           "  state %count: f32[2] = [1.0, 2.0]\n"
           "  %y: f32[2] = aten::add.Tensor(%count, %x)\n"
           "  %z: f32[2] = aten::mul.Tensor(%y, %x)\n"
           "  next %count = %y\n"
           "  return %z\n");
}

static void write_through_views_reaches_all(void **state) {
    (void)state;
    /* Two views of one base; a write through one shows in the other, in the base and in what was
     * made of both before the write. */
    expect("  input %x: f32[4, 6]\n"
           "  %base: f32[4, 6] = aten::exp(%x)\n"
           "  %t: f32[6, 4] = aten::transpose.int(%base, 0, 1)\n"
           "  %s: f32[2, 4] = aten::slice.Tensor(%t, 0, 1, 3)\n"
           "  %flat: f32[24] = aten::view(%base, [24])\n"
           "  %w: f32[2, 4] = aten::mul_.Scalar(%s, 2)\n"
           "  return %base, %flat, %w\n",
           "  input %x: f32[4, 6]\n"
           "  %base: f32[4, 6] = aten::exp(%x)\n"
           "  %t: f32[6, 4] = aten::transpose.int(%base, 0, 1)\n"
           "  %s: f32[2, 4] = aten::slice.Tensor(%t, 0, 1, 3)\n"
           "  %w: f32[2, 4] = aten::mul.Scalar(%s, 2)\n"
           "  %6: f32[6, 4] = aten::slice_scatter(%t, %w, 0, 1, 3)\n"
           "  %7: f32[4, 6] = aten::transpose.int(%6, 0, 1)\n"
           "  %8: f32[24] = aten::view(%7, [24])\n"
           "  return %7 as \"base\", %8 as \"flat\", %w\n");
}

static void pieces_of_a_split(void **state) {
    (void)state;
    expect("  symbol s0 in [4, 64]\n"
           "  input %x: f32[s0, 5]\n"
           "  %y: f32[s0, 5] = aten::exp(%x)\n"
           "  %a: f32[s0, 2], %b: f32[s0, 2], %c: f32[s0, 1] = aten::split.Tensor(%y, 2, -1)\n"
           "  %d: f32[s0, 2] = aten::relu_(%b)\n"
           "  %e: f32[s0, 2] = aten::add.Tensor(%a, %b)\n"
           "  return %y, %e\n",
           "  symbol s0 in [4, 64]\n"
           "  input %x: f32[s0, 5]\n"
           "  %y: f32[s0, 5] = aten::exp(%x)\n"
           "  %a: f32[s0, 2], %b: f32[s0, 2], %c: f32[s0, 1] = aten::split.Tensor(%y, 2, -1)\n"
           "  %d: f32[s0, 2] = aten::relu(%b)\n"
           "  %7: f32[s0, 5] = aten::slice_scatter(%y, %d, -1, 2, 4)\n"
           "  %8: f32[s0, 2], %9: f32[s0, 2], %10: f32[s0, 1] = aten::split.Tensor(%7, 2, -1)\n"
           "  %e: f32[s0, 2] = aten::add.Tensor(%8, %d)\n"
           "  return %7 as \"y\", %e\n");
}

static void every_view_has_its_inverse(void **state) {
    (void)state;
    static const struct {
        const char *view;    /* of %y: f32[2, 3, 4] */
        const char *type;    /* of the view */
        const char *inverse; /* how the base is made of %w */
    } cases[] = {
        {"aten::permute(%y, [2, 0, -2])", "f32[4, 2, 3]", "aten::permute(%w, [1, 2, 0])"},
        {"aten::movedim.int(%y, 0, 2)", "f32[3, 4, 2]", "aten::movedim.int(%w, 2, 0)"},
        {"aten::mT(%y)", "f32[2, 4, 3]", "aten::mT(%w)"},
        {"aten::unsqueeze(%y, 0)", "f32[1, 2, 3, 4]", "aten::view(%w, [2, 3, 4])"},
        {"aten::flatten.using_ints(%y)", "f32[24]", "aten::view(%w, [2, 3, 4])"},
        {"aten::reshape(%y, [6, 4])", "f32[6, 4]", "aten::view(%w, [2, 3, 4])"},
        {"aten::unflatten.int(%y, 2, [2, 2])", "f32[2, 3, 2, 2]", "aten::view(%w, [2, 3, 4])"},
        {"aten::narrow(%y, 2, 1, 2)", "f32[2, 3, 2]", "aten::slice_scatter(%y, %w, 2, 1, 3)"},
        {"aten::select.int(%y, 1, -1)", "f32[2, 4]", "aten::select_scatter(%y, %w, 1, -1)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[512];
        char wanted[512];
        snprintf(body, sizeof body,
                 "  input %%x: f32[2, 3, 4]\n  %%y: f32[2, 3, 4] = aten::exp(%%x)\n  %%v: %s = %s\n"
                 "  %%w: %s = aten::relu_(%%v)\n  return %%y\n",
                 cases[i].type, cases[i].view, cases[i].type);
        snprintf(wanted, sizeof wanted,
                 "  input %%x: f32[2, 3, 4]\n  %%y: f32[2, 3, 4] = aten::exp(%%x)\n  %%v: %s = %s\n"
                 "  %%w: %s = aten::relu(%%v)\n  %%4: f32[2, 3, 4] = %s\n  return %%4 as \"y\"\n",
                 cases[i].type, cases[i].view, cases[i].type, cases[i].inverse);
        expect(body, wanted);
    }
}

static void conversions_alias_only_without_work(void **state) {
    (void)state;
    expect("  input %x: f32[2]\n"
           "  %y: f32[2] = aten::exp(%x)\n"
           "  %same: f32[2] = aten::to.dtype(%y, f32)\n"
           "  %half: f16[2] = aten::to.dtype(%y, f16)\n"
           "  %a: f32[2] = aten::relu_(%same)\n"
           "  %b: f16[2] = aten::relu_(%half)\n"
           "  return %y, %b\n",
           "  input %x: f32[2]\n"
           "  %y: f32[2] = aten::exp(%x)\n"
           "  %same: f32[2] = aten::to.dtype(%y, f32)\n"
           "  %half: f16[2] = aten::to.dtype(%y, f16)\n"
           "  %a: f32[2] = aten::relu(%same)\n"
           "  %b: f16[2] = aten::relu(%half)\n"
           "  return %a as \"y\", %b\n");
}

static void writes_keep_the_dtype(void **state) {
    (void)state;
    expect("  input %x: f16[2]\n  input %f: f32[2]\n"
           "  %y: f16[2] = aten::exp(%x)\n"
           "  %a: f16[2] = aten::add_.Tensor(%y, %f)\n"
           "  %b: f16[2] = aten::lt_.Scalar(%a, 1)\n"
           "  return %b\n",
           "  input %x: f16[2]\n  input %f: f32[2]\n"
           "  %y: f16[2] = aten::exp(%x)\n"
           "  %a: f32[2] = aten::add.Tensor(%y, %f)\n"
           "  %5: f16[2] = aten::_to_copy(%a, dtype=f16)\n"
           "  %b: bool[2] = aten::lt.Scalar(%5, 1)\n"
           "  %6: f16[2] = aten::_to_copy(%b, dtype=f16)\n"
           "  return %6 as \"b\"\n");
}

static void unknown_writers_and_errors(void **state) {
    (void)state;
    expect("  input %x: f32[2]\n"
           "  %y: f32[2] = aten::exp(%x)\n"
           "  %z: f32[2] = aten::uniform_(%y, 0.0, 1.0)\n"
           "  return %y\n",
           "  input %x: f32[2]\n"
           "  %y: f32[2] = aten::exp(%x)\n"
           "  %z: f32[2] = aten::uniform(%y, 0.0, 1.0)\n"
           "  return %z as \"y\"\n");
    expect_error("  input %x: f32[2, 1]\n  %y: f32[2, 4] = aten::expand(%x, [2, 4])\n"
                 "  %z: f32[2, 4] = aten::relu_(%y)\n  return %z\n",
                 TN_UNSUPPORTED, "aten::expand");
    expect_error("  const %c: f32[2, 2] = [1.0, 2.0, 3.0, 4.0]\n  input %x: f32[2]\n"
                 "  %v: f32[2] = aten::unfold(%c, 0, 2, 1)\n"
                 "  %z: f32[2] = aten::relu_(%v)\n  return %z\n",
                 TN_UNSUPPORTED, "aten::unfold");
}

static void survives_failed_allocations(void **state) {
    (void)state;
    const char *body = "  input %x: f32[4, 6]\n"
                       "  const %c: f32[2] = [1.0, 2.0]\n"
                       "  %base: f32[4, 6] = aten::exp(%x)\n"
                       "  %s: f32[4, 2] = aten::slice.Tensor(%base, 1, 1, 3)\n"
                       "  %flat: f32[24] = aten::view(%base, [24])\n"
                       "  %w: f32[4, 2] = aten::add_.Tensor(%s, %c)\n"
                       "  %n: f32[2] = aten::relu_(%c)\n"
                       "  return %base, %flat, %w\n";
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        tn_buf out;
        tn_buf_init(&out, tn_allocator_system());
        tn_status status =
            run_on(body, tn_test_allocator_init(&counter, tn_allocator_system(), n), &out);
        tn_buf_deinit(&out);
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
        if (!status) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(writes_a_fresh_value),
        cmocka_unit_test(input_is_mutated),
        cmocka_unit_test(constant_becomes_state),
        cmocka_unit_test(write_through_views_reaches_all),
        cmocka_unit_test(pieces_of_a_split),
        cmocka_unit_test(every_view_has_its_inverse),
        cmocka_unit_test(conversions_alias_only_without_work),
        cmocka_unit_test(writes_keep_the_dtype),
        cmocka_unit_test(unknown_writers_and_errors),
        cmocka_unit_test(survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, fill_ops, free_ops);
}
