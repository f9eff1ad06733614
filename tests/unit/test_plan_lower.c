/* test_plan_lower.c: lowering and assignment on textual models: what is carried over, what refusals
 * say. */
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
#include "plan/assign.h"
#include "plan/lower.h"

typedef struct fixture {
    tn_env *env;
    tn_arena arena;
    tn_op_table ops, prims;
    tn_graph *model;
} fixture;

static const tn_assign_options engine_only = {.requires_engine = true};

static void begin(fixture *f, const char *text) {
    *f = (fixture){0};
    assert_null(tn_env_create(NULL, &f->env));
    tn_arena_init(&f->arena, tn_allocator_system());
    tn_op_table_init(&f->ops, &f->arena);
    tn_op_table_init(&f->prims, &f->arena);
    assert_null(tn_op_list_fill(&f->ops));
    assert_null(tn_prim_table_fill(&f->prims));
    const tn_op_table *tables[1] = {&f->ops};
    tn_status status = tn_graph_parse(&f->arena, tn_str_of(text), tables, 1, &f->model);
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);
}

static void end(fixture *f) {
    tn_op_table_deinit(&f->ops);
    tn_op_table_deinit(&f->prims);
    tn_arena_deinit(&f->arena);
    tn_env_destroy(f->env);
}

/* Assigns with these settings (NULL: the defaults), then lowers. */
static tn_status lower(fixture *f, tn_arena *arena, const tn_assign_options *options,
                       tn_graph **out_kir) {
    static const tn_assign_options defaults;
    tn_assignment *assignment = NULL;
    *out_kir = NULL;
    TN_TRY(
        tn_assign(f->env, arena, &f->prims, f->model, options ? options : &defaults, &assignment));
    return tn_lower(f->env, arena, &f->prims, f->model, assignment, out_kir);
}

/* Lowers a model that must be refused where no call is allowed; every word must stand in the
 * message or in a note. */
static void refused(const char *text, tn_code code, const char *const *words) {
    fixture f;
    tn_graph *kir;
    char all[2048] = "";
    begin(&f, text);
    tn_status status = lower(&f, &f.arena, &engine_only, &kir);
    assert_int_equal(tn_status_code(status), code);
    assert_null(kir);
    strncat(all, tn_status_message(status), sizeof all - 1);
    for (size_t i = 0; tn_status_note(status, i); i++) {
        strncat(all, "\n", sizeof all - strlen(all) - 1);
        strncat(all, tn_status_note(status, i), sizeof all - strlen(all) - 1);
    }
    for (size_t i = 0; words[i]; i++) {
        if (!strstr(all, words[i]))
            print_error("'%s' is missing in: %s\n", words[i], all);
        assert_non_null(strstr(all, words[i]));
    }
    tn_status_free(status);
    end(&f);
}

static void an_unknown_operator_names_all(void **state) {
    (void)state;
    static const char *const words[] = {"aten::softplux",
                                        "no converter",
                                        "plug-in",
                                        "tenon report",
                                        "aten::softplus",
                                        "soft_1",
                                        "encoder.layer.0",
                                        "model.py:7: y = softplux(x)",
                                        NULL};
    refused("graph g { input %x: f32[2]\n"
            "%y: f32[2] = aten::softplux(%x) loc(\"soft_1\", \"aten::softplux\", "
            "\"encoder.layer.0\", \"model.py:7: y = softplux(x)\")\n"
            "return %y }",
            TN_UNSUPPORTED, words);
}

static void an_operator_like_no_other_has_no_suggestion(void **state) {
    (void)state;
    fixture f;
    tn_graph *kir;
    begin(&f,
          "graph g { input %x: f32[2]\n%y: f32[2] = mylib::scale_mul_everything(%x)\nreturn %y }");
    tn_status status = lower(&f, &f.arena, &engine_only, &kir);
    assert_non_null(strstr(tn_status_message(status), "mylib::scale_mul_everything"));
    assert_null(strstr(tn_status_message(status), "nearest"));
    tn_status_free(status);
    end(&f);
}

static void refusals_say_what_was_seen_and_accepted(void **state) {
    (void)state;
    static const char *const dropout[] = {"aten::dropout", "train is True", "accepted is False",
                                          NULL};
    refused("graph g { input %x: f32[2]\n%y: f32[2] = aten::dropout(%x, 0.5, true)\nreturn %y }",
            TN_UNSUPPORTED, dropout);
    static const char *const in_place[] = {"aten::relu_", "in place", "functionalise", NULL};
    refused("graph g { input %x: f32[2]\n%y: f32[2] = aten::relu_(%x)\nreturn %y }", TN_UNSUPPORTED,
            in_place);
    static const char *const mask[] = {"aten::index.Tensor", "mask", "depends on data", NULL};
    refused("graph g { input %x: f32[4]\ninput %m: bool[4]\nsymbol u in [0, 4]\n"
            "%y: f32[u] = aten::index.Tensor(%x, [%m])\nreturn %y }",
            TN_UNSUPPORTED, mask);
    static const char *const dim[] = {"aten::softmax.int", "dim is 2", "-2 to 1", NULL};
    refused("graph g { input %x: f32[2, 3]\n%y: f32[2, 3] = aten::softmax.int(%x, 2)\nreturn %y }",
            TN_INVALID_ARGUMENT, dim);
}

static void a_wrong_declared_type_is_an_error(void **state) {
    (void)state;
    static const char *const words[] = {"aten::add.Tensor", "f32[2, 3]", "f32[2, 4]", NULL};
    refused("graph g { input %a: f32[2, 1]\ninput %b: f32[3]\n"
            "%y: f32[2, 4] = aten::add.Tensor(%a, %b)\nreturn %y }",
            TN_INTERNAL, words);
}

/* PyTorch's tracer gives statistics the input's dtype where its kernels give the parameters'. */
static void saved_statistics_have_the_declared_dtype(void **state) {
    (void)state;
    static const char *const declared[] = {"bf16", "f32"};
    for (size_t i = 0; i < 2; i++) {
        char text[400];
        fixture f;
        tn_graph *kir;
        snprintf(text, sizeof text,
                 "graph g { input %%x: bf16[2, 4]\nconst %%w: f32[4] = [1.0, 2.0, 3.0, 4.0]\n"
                 "%%y: bf16[2, 4], %%m: %s[2, 1], %%r: %s[2, 1] = "
                 "aten::native_layer_norm(%%x, [4], %%w, %%w, 1e-5)\nreturn %%y, %%m }",
                 declared[i], declared[i]);
        begin(&f, text);
        assert_null(lower(&f, &f.arena, &engine_only, &kir));
        assert_string_equal(tn_dtype_name(kir->outputs[1].value->type.dtype), declared[i]);
        end(&f);
    }
}

static void names_states_and_provenance_are_carried(void **state) {
    (void)state;
    fixture f;
    tn_graph *kir;
    begin(&f,
          "graph net { symbol s0 in [1, 8]\ninput %x: f32[s0, 2]\n"
          "const %w: f32[2] = [1.0, 2.0]\nstate %cache \"attn.cache\": f32[2] = zeros\n"
          "%y: f32[s0, 2] = aten::mul.Tensor(%x, %w) loc(\"mul_1\", \"aten::mul.Tensor\", \"fc\", "
          "\"m.py:3: y\")\n"
          "%n: f32[2] = aten::add.Tensor(%cache, %w)\nnext %cache = %n\n"
          "return %y as \"logits\" }");
    assert_null(lower(&f, &f.arena, NULL, &kir));
    assert_null(tn_graph_verify(kir, tn_prim_verify));
    assert_true(tn_str_is(kir->name, "net"));
    assert_true(tn_str_is(kir->inputs[0]->name, "x"));
    assert_ptr_equal(kir->consts[0]->data->data, f.model->consts[0]->data->data);
    assert_true(tn_str_is(kir->states[0].name, "attn.cache"));
    assert_int_equal(tn_node_prim(kir->states[0].next->def), TN_PRIM_ADD);
    assert_true(tn_str_is(kir->outputs[0].name, "logits"));
    assert_int_equal(kir->first->locs.count, 1);
    assert_true(tn_str_is(kir->first->locs.items[0]->node, "mul_1"));
    end(&f);
}

static void one_refusal_does_not_hide_the_rest(void **state) {
    (void)state;
    fixture f;
    tn_assignment *assignment;
    begin(&f, "graph g { input %x: f32[2]\n%a: f32[2] = aten::relu(%x)\n"
              "%b: f32[2] = mylib::op(%a)\n%c: f32[2] = aten::dropout(%b, 0.5, true)\n"
              "%d: f32[2] = aten::sigmoid(%c)\nreturn %d }");
    assert_null(
        tn_assign(f.env, &f.arena, &f.prims, f.model, &(tn_assign_options){0}, &assignment));
    assert_int_equal(assignment->count, 4);
    assert_int_equal(assignment->fallback_count, 2);
    static const tn_fate fates[4] = {TN_FATE_ENGINE, TN_FATE_FALLBACK, TN_FATE_FALLBACK,
                                     TN_FATE_ENGINE};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(assignment->fates[i].fate, fates[i]);
        assert_int_equal(assignment->fates[i].code, fates[i] ? TN_UNSUPPORTED : TN_OK);
        assert_int_equal(assignment->fates[i].reason[0] != 0, fates[i] == TN_FATE_FALLBACK);
    }
    assert_non_null(strstr(assignment->fates[2].reason, "train is True"));
    end(&f);
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static const tn_node *call_of(const tn_graph *kir) {
    const tn_node *node = kir->first;
    while (node && tn_node_prim(node) != TN_PRIM_CALL)
        node = node->next;
    assert_non_null(node);
    return node;
}

static void arguments_are_written(void **state) {
    (void)state;
    fixture f;
    tn_graph *kir;
    begin(&f, "graph g { symbol s in [1, 8]\ninput %x: f32[s, 2]\ninput %y: f32[2]\n"
              "%a: f32[s, 2], %b: i64[2*s] = mylib::op(%x, none, 3, 2*s, [1, s], 1.0, -inf, [0.5, "
              "nan], true, [false], \"a\\\"b\", [\"c\"], dtype(bf16), [%y, none, %x], ints[], "
              "key=%x) loc(\"op_1\", \"mylib::op\", \"net\", \"m.py:1: op\")\n"
              "%c: f32[s, 2] = aten::relu(%a)\nreturn %c, %b }");
    assert_null(lower(&f, &f.arena, NULL, &kir));
    assert_null(tn_graph_verify(kir, tn_prim_verify));
    const tn_node *call = call_of(kir);
    assert_true(tn_str_is(call->args[TN_CALL_OP].s, "mylib::op.default"));
    static const char *const values[] = {"{\"tensor\": 0}",
                                         "null",
                                         "3",
                                         "{\"int\": 0}",
                                         "{\"ints\": [1, {\"int\": 1}]}",
                                         "1.0",
                                         "{\"float\": \"-inf\"}",
                                         "{\"floats\": [0.5, {\"float\": \"nan\"}]}",
                                         "true",
                                         "{\"bools\": [false]}",
                                         "\"a\\\"b\"",
                                         "{\"strings\": [\"c\"]}",
                                         "{\"dtype\": \"bf16\"}",
                                         "{\"tensors\": [1, null, 2]}",
                                         "{\"ints\": []}"};
    tn_buf wanted;
    tn_buf_init(&wanted, tn_allocator_system());
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        tn_buf_printf(&wanted, "%s{\"name\": \"arg%zu\", \"keyword\": false, \"value\": %s}",
                      i ? ", " : "[", i, values[i]);
    tn_buf_printf(&wanted, ", {\"name\": \"key\", \"keyword\": true, \"value\": {\"tensor\": 3}}]");
    tn_str seen = call->args[TN_CALL_ARGUMENTS].s;
    if (!tn_str_equal(seen, tn_buf_view(&wanted)))
        print_error("%.*s\n", TN_STR_ARG(seen));
    assert_true(tn_str_equal(seen, tn_buf_view(&wanted)));
    tn_buf_deinit(&wanted);
    assert_int_equal(call->operand_count, 4);
    assert_ptr_equal(call->operands[3], kir->inputs[0]);
    assert_int_equal(call->args[TN_CALL_INTS].count, 2);
    assert_int_equal(call->result_count, 2);
    assert_true(tn_str_is(call->results[1]->name, "b"));
    assert_true(tn_str_is(call->locs.items[0]->source, "m.py:1: op"));
    end(&f);
}

static void a_known_operator_has_all_its_arguments(void **state) {
    (void)state;
    fixture f;
    tn_graph *kir;
    tn_assign_options options = {.executed_ops = " aten::gelu.default , aten::*.Tensor"};
    begin(&f, "graph g { input %x: f32[2]\n%a: f32[2] = aten::gelu(%x)\n"
              "%b: f32[2] = aten::add.Tensor(%a, %x)\nreturn %b }");
    assert_null(lower(&f, &f.arena, &options, &kir));
    assert_int_equal(kir->node_count, 2);
    assert_true(tn_str_is(kir->first->args[TN_CALL_OP].s, "aten::gelu.default"));
    assert_true(tn_str_is(kir->first->args[TN_CALL_ARGUMENTS].s,
                          "[{\"name\": \"self\", \"keyword\": false, \"value\": {\"tensor\": 0}}, "
                          "{\"name\": \"approximate\", \"keyword\": true, \"value\": \"none\"}]"));
    assert_true(tn_str_is(kir->last->args[TN_CALL_OP].s, "aten::add.Tensor"));
    end(&f);
}

/* One letter per node: e engine, f fallback, r refused. */
static void check_fates(const char *text, const tn_assign_options *options, const char *wanted) {
    fixture f;
    char seen[32] = "";
    tn_assignment *assignment = NULL;
    begin(&f, text);
    assert_null(tn_assign(f.env, &f.arena, &f.prims, f.model, options, &assignment));
    for (size_t i = 0; i < assignment->count; i++)
        seen[i] = "efr"[assignment->fates[i].fate];
    assert_string_equal(seen, wanted);
    end(&f);
}

/* The table of sizes is shared, but not its failures. */
static void an_overflow_is_of_one_node_alone(void **state) {
    (void)state;
    check_fates("graph g { input %x: f32[3000000000]\n"
                "%a: f32[4] = aten::repeat(%x, [5000000000])\n"
                "%b: f32[3000000000] = aten::relu(%x)\nreturn %b }",
                &engine_only, "re");
}

static void small_blocks_become_calls(void **state) {
    (void)state;
    static const char graph[] =
        "graph g { input %x: f32[2, 3]\n"
        "%a: f32[2, 3] = aten::relu(%x)\n"           /* level 0 */
        "%p: f32[2, 3] = mylib::op(%a)\n"            /* a call */
        "%b: f32[2, 3] = aten::exp(%p)\n"            /* level 1 */
        "%v: f32[3, 2] = aten::t(%b)\n"              /* a view there */
        "%c: f32[2, 3] = aten::sin(%x)\n"            /* level 0, after the call in order */
        "%q: f32[3, 2] = mylib::op(%v)\n"            /* a call */
        "%w: f32[2, 3] = aten::t(%q)\n"              /* a view of level 2 */
        "%d: f32[2, 3] = aten::add.Tensor(%c, %w)\n" /* level 2 */
        "%e: f32[2, 3] = aten::mul.Tensor(%d, %d)\n"
        "%g: f32[2, 3] = aten::sub.Tensor(%e, %c)\nreturn %g }";
    check_fates(graph, &(tn_assign_options){.min_block_size = 1}, "efeeefeeee");
    check_fates(graph, &(tn_assign_options){.min_block_size = 2}, "effeefeeee");
    check_fates(graph, &(tn_assign_options){.min_block_size = 3}, "fffeffeeee");
    check_fates(graph, &(tn_assign_options){.min_block_size = 4}, "fffeffefff");
    check_fates(graph, &(tn_assign_options){.requires_engine = true}, "ereeereeee");
}

static void what_no_executor_serves_is_refused(void **state) {
    (void)state;
    static const tn_assign_options defaults;
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"graph g { input %x: f32[2]\n%y: f32[2] = mylib::add_(%x)\nreturn %y }",
         "mylib::add_: no converter is known"},
        {"graph g { input %x: f32[2]\n%y: f32[2] = mylib::add_(%x)\nreturn %y }",
         "nor can it be left to an executor: it writes to its argument"},
        {"graph g { input %x: f32[2]\n%y: f32[2] = aten::relu_(%x)\nreturn %y }",
         "it writes to its argument"},
        {"graph g { input %x: f32[2]\nmylib::log(%x)\nreturn %x }", "it gives no result"},
        {"graph g { input %x: f32[2]\n%y: f32[2] = mylib::map(%x, graph inner { input %a: f32[2]\n"
         "return %a })\nreturn %y }",
         "its argument arg1 is a graph"},
        {"graph g { symbol u in [0, 4]\ninput %x: f32[2]\n%y: f32[2] = mylib::op(%x, u)\n"
         "return %y }",
         "its arguments depend on u, which is no input's size nor that of an earlier result"},
        {"graph g { symbol u in [0, 4]\ninput %x: f32[2]\n%y: f32[2*u] = mylib::op(%x)\n"
         "return %y }",
         "its results depend on u"},
        {"graph g { input %x: f32[2, 3]\n%y: f32[2, 3] = aten::softmax.int(%x, 2)\nreturn %y }",
         "dim is 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        tn_assignment *assignment = NULL;
        begin(&f, cases[i].text);
        assert_null(tn_assign(f.env, &f.arena, &f.prims, f.model, &defaults, &assignment));
        assert_int_equal(assignment->fates[0].fate, TN_FATE_REFUSED);
        assert_int_equal(assignment->refused_count, 1);
        if (!strstr(assignment->fates[0].reason, cases[i].reason))
            print_error("\"%s\", wanted \"%s\"\n", assignment->fates[0].reason, cases[i].reason);
        assert_non_null(strstr(assignment->fates[0].reason, cases[i].reason));
        end(&f);
    }
}

static void sizes_may_come_from_calls(void **state) {
    (void)state;
    check_fates("graph g { symbol u in [0, 4]\nsymbol v in [0, 4]\ninput %x: f32[2, 2]\n"
                "%n: i64[u, 2] = aten::nonzero(%x)\n%a: f32[u] = aten::zeros([u])\n"
                "%b: f32[2*u] = mylib::op(%a, [u, 1])\n%c: f32[2*u] = aten::relu(%b)\n"
                "%i: i64[] holds v = aten::item(%x)\n%d: f32[v] = mylib::op(%c, v)\nreturn %d }",
                &(tn_assign_options){0}, "fefeff");
}

static void a_pattern_without_a_node_is_an_error(void **state) {
    (void)state;
    fixture f;
    tn_graph *kir;
    tn_assign_options options = {.executed_ops = "aten::relu,aten::gelu.*"};
    begin(&f, "graph g { input %x: f32[2]\n%y: f32[2] = aten::relu(%x)\nreturn %y }");
    tn_status status = lower(&f, &f.arena, &options, &kir);
    assert_int_equal(tn_status_code(status), TN_NOT_FOUND);
    assert_non_null(
        strstr(tn_status_message(status), "no node of the model matches \"aten::gelu.*\""));
    tn_status_free(status);
    end(&f);
}

/* Every allocation of the arena's blocks fails once: the error comes back, nothing leaks. */
static void short_memory_is_an_error(void **state) {
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        fixture f;
        tn_test_allocator counter;
        tn_graph *kir;
        tn_arena arena;
        begin(&f, "graph g { input %x: f32[2, 8]\n%a: f32[2, 8] = aten::softmax.int(%x, 1)\n"
                  "%b: f32[2, 1] = aten::logsumexp(%x, [1], true)\n"
                  "%c: f32[2, 8] = mylib::op(%a, none, [1, 2], [0.5, nan], key=\"k\")\n"
                  "%d: f32[2, 8] = aten::relu(%c)\nreturn %a, %d }");
        tn_assign_options options = {.min_block_size = 2, .executed_ops = "aten::soft*"};
        tn_arena_init(&arena, tn_test_allocator_init(&counter, tn_allocator_system(), fail_at));
        tn_status status = lower(&f, &arena, &options, &kir);
        tn_arena_deinit(&arena);
        end(&f);
        assert_int_equal(counter.live_blocks, 0);
        if (!status)
            break;
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
        assert_true(fail_at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_operator_names_all),
        cmocka_unit_test(an_operator_like_no_other_has_no_suggestion),
        cmocka_unit_test(refusals_say_what_was_seen_and_accepted),
        cmocka_unit_test(a_wrong_declared_type_is_an_error),
        cmocka_unit_test(saved_statistics_have_the_declared_dtype),
        cmocka_unit_test(names_states_and_provenance_are_carried),
        cmocka_unit_test(one_refusal_does_not_hide_the_rest),
        cmocka_unit_test(arguments_are_written),
        cmocka_unit_test(a_known_operator_has_all_its_arguments),
        cmocka_unit_test(an_overflow_is_of_one_node_alone),
        cmocka_unit_test(small_blocks_become_calls),
        cmocka_unit_test(what_no_executor_serves_is_refused),
        cmocka_unit_test(sizes_may_come_from_calls),
        cmocka_unit_test(a_pattern_without_a_node_is_an_error),
        cmocka_unit_test(short_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
