/* test_ir_graph.c: building and changing graphs, with the verifier after each change; and the
 * verifier itself, on graphs broken in one place each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/verify.h"
#include "ir_ops.h"

typedef struct fixture {
    tn_arena arena;
    tn_op_table ops;
    tn_syms *syms;
    tn_graph *graph;
    tn_type type; /* f32[2, 3] */
} fixture;

static tn_status open_graph(fixture *f, tn_allocator allocator) {
    tn_arena_init(&f->arena, allocator);
    tn_op_table_init(&f->ops, &f->arena);
    TN_TRY(tn_test_ops_fill(&f->ops));
    TN_TRY(tn_syms_create(&f->arena, &f->syms));
    f->type = (tn_type){.dtype = TN_F32, .rank = 2};
    f->type.dims[0] = tn_sym_const(f->syms, 2);
    f->type.dims[1] = tn_sym_const(f->syms, 3);
    TN_TRY(tn_syms_status(f->syms));
    return tn_graph_create(&f->arena, f->syms, TN_STR("g"), &f->graph);
}

static void close_graph(fixture *f) {
    tn_op_table_deinit(&f->ops);
    tn_arena_deinit(&f->arena);
}

static int setup(void **state) {
    static fixture f;
    *state = &f;
    return open_graph(&f, tn_allocator_system()) ? -1 : 0;
}

static int teardown(void **state) {
    close_graph(*state);
    return 0;
}

static tn_value *add_input(fixture *f, const char *name) {
    tn_value *value = NULL;
    assert_null(tn_graph_add_input(f->graph, tn_str_of(name), &f->type, &value));
    return value;
}

/* A node with one result whose leading arguments are the operands, one each. */
static tn_status add_node(fixture *f, const char *op, tn_node *before, tn_value *const *operands,
                          uint32_t count, tn_node **out_node) {
    tn_arg args[4] = {{0}};
    tn_str name = TN_STR("r");
    for (uint32_t i = 0; i < count; i++)
        args[i] = (tn_arg){.kind = TN_ARG_VALUE, .operand = i};
    tn_node_desc desc = {.op = tn_op_table_find(&f->ops, tn_str_of(op)),
                         .operands = operands,
                         .operand_count = count,
                         .args = args,
                         .arg_count = count,
                         .result_types = &f->type,
                         .result_names = &name,
                         .result_count = 1};
    return tn_graph_add_node(f->graph, before, &desc, out_node);
}

static tn_node *relu(fixture *f, tn_node *before, tn_value *x) {
    tn_node *node = NULL;
    assert_null(add_node(f, "aten::relu", before, &x, 1, &node));
    return node;
}

static tn_node *add(fixture *f, tn_value *a, tn_value *b) {
    tn_node *node = NULL;
    tn_value *operands[] = {a, b};
    assert_null(add_node(f, "aten::add.Tensor", NULL, operands, 2, &node));
    return node;
}

static void add_output(fixture *f, tn_value *value) {
    assert_null(tn_graph_add_output(f->graph, &(tn_output){.value = value, .name = value->name}));
}

static void assert_valid(fixture *f) {
    tn_status status = tn_graph_verify(f->graph, NULL);
    if (status)
        fail_msg("%s", tn_status_message(status));
}

static void assert_broken(fixture *f, const char *message) {
    tn_status status = tn_graph_verify(f->graph, NULL);
    assert_int_equal(tn_status_code(status), TN_INTERNAL);
    assert_string_equal(tn_status_message(status), message);
    tn_status_free(status);
}

/* ---- building ------------------------------------------------------------------------------- */

static void types(void **state) {
    fixture *f = *state;
    tn_type other = f->type;
    assert_true(tn_type_equal(&f->type, &other));
    assert_true(tn_type_is_static(&other));
    other.dims[1] = tn_sym_var(f->syms, TN_STR("s0"), 1, 8);
    assert_false(tn_type_equal(&f->type, &other));
    assert_false(tn_type_is_static(&other));
    assert_ptr_equal(tn_type_elems(f->syms, &other), tn_sym_muli(f->syms, other.dims[1], 2));
    assert_true(tn_sym_is(tn_type_elems(f->syms, &(tn_type){.dtype = TN_F32}), 1));
    other.rank = 1;
    assert_false(tn_type_equal(&f->type, &other));
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_type_print(&buf, &f->type);
    assert_string_equal(tn_buf_cstr(&buf), "f32[2, 3]");
    tn_buf_deinit(&buf);
}

static void names_are_unique(void **state) {
    fixture *f = *state;
    assert_string_equal(add_input(f, "x")->name.data, "x");
    assert_string_equal(add_input(f, "x")->name.data, "x_1");
    assert_string_equal(add_input(f, "x_2")->name.data, "x_2");
    assert_string_equal(add_input(f, "x")->name.data, "x_3");
    assert_string_equal(add_input(f, "")->name.data, "4");
    assert_string_equal(add_input(f, "6")->name.data, "6");
    assert_string_equal(add_input(f, "")->name.data, "6_1");
    for (int i = 0; i < 3000; i++) /* linear, or this would take a minute */
        (void)add_input(f, "x");
    assert_valid(f);
}

static void arguments_are_completed_and_copied(void **state) {
    fixture *f = *state;
    tn_value *operands[] = {add_input(f, "x"), add_input(f, "w")};
    const tn_sym *strides[] = {f->type.dims[0], f->type.dims[1]};
    tn_arg args[] = {{.kind = TN_ARG_VALUE, .operand = 0},
                     {.kind = TN_ARG_VALUE, .operand = 1},
                     {.kind = TN_ARG_NONE},
                     {.kind = TN_ARG_INTS, .count = 2, .ints = strides}};
    tn_node_desc desc = {.op = tn_op_table_find(&f->ops, TN_STR("aten::conv2d")),
                         .operands = operands,
                         .operand_count = 2,
                         .args = args,
                         .arg_count = 4,
                         .result_types = &f->type,
                         .result_count = 1};
    tn_node *node = NULL;
    assert_null(tn_graph_add_node(f->graph, NULL, &desc, &node));
    strides[0] = NULL;
    assert_true(tn_sym_is(node->args[3].ints[0], 2));
    assert_int_equal(node->args[4].kind, TN_ARG_INTS); /* padding=[0, 0] */
    assert_int_equal(node->args[4].count, 2);
    assert_true(tn_sym_is(node->args[5].i, 1)); /* groups=1 */
    assert_ptr_equal(tn_node_arg_value(node, 1), operands[1]);
    assert_null(tn_node_arg_value(node, 2));
    desc.arg_count = 3;
    assert_null(tn_graph_add_node(f->graph, NULL, &desc, &node));
    assert_int_equal(node->args[3].count, 2); /* stride=1 of int[2] */
    assert_true(tn_sym_is(node->args[3].ints[1], 1));
    assert_valid(f);

    desc.arg_count = 1;
    tn_status status = tn_graph_add_node(f->graph, NULL, &desc, &node);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_string_equal(tn_status_message(status),
                        "aten::conv2d: argument 'weight' is missing and has no default");
    assert_null(node);
    tn_status_free(status);
    desc.arg_count = 7;
    status = tn_graph_add_node(f->graph, NULL, &desc, &node);
    assert_string_equal(tn_status_message(status),
                        "aten::conv2d: got 7 arguments, expected at most 6");
    tn_status_free(status);
    assert_int_equal(f->graph->node_count, 2);
    assert_valid(f);
}

static void defaults_of_every_kind(void **state) {
    fixture *f = *state;
    tn_node *node = NULL;
    tn_value *x = add_input(f, "x");
    tn_arg args[] = {{.kind = TN_ARG_VALUE}, {.kind = TN_ARG_NONE}};
    tn_node_desc desc = {.op = tn_op_table_find(&f->ops, TN_STR("aten::resize")),
                         .operands = &x,
                         .operand_count = 1,
                         .args = args,
                         .arg_count = 2,
                         .result_types = &f->type,
                         .result_count = 1};
    assert_null(tn_graph_add_node(f->graph, NULL, &desc, &node));
    assert_int_equal(node->args[2].kind, TN_ARG_BOOLS);
    assert_true(node->args[2].bools[0] && !node->args[2].bools[1]);
    assert_true(tn_str_is(node->args[3].s, "linear"));
    assert_int_equal(node->args[4].kind, TN_ARG_STRS);
    assert_int_equal(node->args[4].count, 0);
    assert_int_equal(node->args[5].dtype, TN_F32);
    assert_int_equal(node->args[6].count, 2);
    assert_true(node->args[6].floats[1] == 0.5);
    assert_valid(f);
}

/* ---- changing ------------------------------------------------------------------------------- */

static void order_of_nodes(void **state) {
    fixture *f = *state;
    tn_value *x = add_input(f, "x");
    tn_node *a = relu(f, NULL, x), *c = relu(f, NULL, x), *b = relu(f, c, x);
    assert_ptr_equal(f->graph->first, a);
    assert_ptr_equal(a->next, b);
    assert_ptr_equal(b->next, c);
    assert_ptr_equal(f->graph->last, c);
    tn_graph_move_node(f->graph, a, NULL);
    assert_ptr_equal(f->graph->last, a);
    assert_ptr_equal(f->graph->first, b);
    tn_graph_move_node(f->graph, a, b);
    assert_ptr_equal(f->graph->first, a);
    tn_graph_move_node(f->graph, a, b); /* where it is */
    tn_graph_move_node(f->graph, a, a);
    assert_valid(f);
    tn_graph_remove_node(f->graph, b);
    assert_ptr_equal(a->next, c);
    assert_ptr_equal(c->prev, a);
    tn_graph_remove_node(f->graph, a);
    tn_graph_remove_node(f->graph, c);
    assert_null(f->graph->first);
    assert_null(f->graph->last);
    assert_int_equal(f->graph->node_count, 0);
    assert_int_equal(x->use_count, 0);
    assert_valid(f);
}

static void uses_follow(void **state) {
    fixture *f = *state;
    tn_value *x = add_input(f, "x"), *y = add_input(f, "y");
    tn_node *both = add(f, x, x);
    assert_int_equal(x->use_count, 2);
    assert_null(tn_node_set_operand(both, 1, y));
    assert_int_equal(x->use_count, 1);
    assert_int_equal(y->use_count, 1);
    assert_valid(f);
    add_output(f, x);
    tn_const zeros = {.data = (const uint8_t[24]){0}, .strides = {3, 1}, .is_contiguous = true};
    tn_value *state_value = NULL;
    assert_null(tn_graph_add_state(f->graph, TN_STR("s"), &f->type, &zeros, &state_value));
    assert_ptr_equal(f->graph->states[0].next, state_value);
    f->graph->states[0].next = x;
    assert_true(tn_value_is_output(f->graph, x));
    assert_false(tn_value_is_output(f->graph, y));
    assert_null(tn_value_replace(f->graph, x, y));
    assert_null(tn_value_replace(f->graph, y, y));
    assert_int_equal(x->use_count, 0);
    assert_int_equal(y->use_count, 2);
    assert_ptr_equal(both->operands[0], y);
    assert_ptr_equal(f->graph->outputs[0].value, y);
    assert_ptr_equal(f->graph->states[0].next, y);
    assert_false(tn_value_is_output(f->graph, x));
    assert_valid(f);
    for (int i = 0; i < 100; i++)
        relu(f, NULL, both->results[0]);
    assert_int_equal(both->results[0]->use_count, 100);
    assert_null(tn_value_replace(f->graph, both->results[0], y));
    tn_graph_remove_node(f->graph, both);
    assert_int_equal(y->use_count, 100);
    assert_valid(f);
}

static void provenance_merges(void **state) {
    fixture *f = *state;
    static const tn_loc a, b, c;
    const tn_loc *const first[] = {&b, &a}, *const second[] = {&a, &c};
    tn_locs parts[] = {{first, 2}, {NULL, 0}, {second, 2}}, merged;
    assert_null(tn_locs_merge(&f->arena, parts, 3, &merged));
    assert_int_equal(merged.count, 3);
    assert_ptr_equal(merged.items[0], &b);
    assert_ptr_equal(merged.items[1], &a);
    assert_ptr_equal(merged.items[2], &c);
    assert_null(tn_locs_merge(&f->arena, parts, 0, &merged));
    assert_int_equal(merged.count, 0);
}

/* ---- the verifier --------------------------------------------------------------------------- */

/* x -> relu -> r, r + x -> r_1, returned. */
static tn_node *small_graph(fixture *f) {
    tn_value *x = add_input(f, "x");
    tn_node *node = add(f, relu(f, NULL, x)->results[0], x);
    add_output(f, node->results[0]);
    assert_valid(f);
    return node;
}

static void finds_order(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    tn_graph_move_node(f->graph, last, last->prev);
    assert_broken(f, "verify: node 1 (aten::add.Tensor): operand 0, %r, is not defined before it");
}

static void finds_uses(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    tn_value *x = f->graph->inputs[0];
    last->operands[0] = x;
    assert_broken(f, "verify: %r: a use names a node or operand that does not use it");
    last->operands[0] = last->prev->results[0];
    x->use_count = 1;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): operand 1 is not in the uses of %x");
    x->use_count = 2;
    x->uses[1] = x->uses[0];
    assert_broken(f, "verify: node 0 (aten::relu): operand 0 is twice in the uses of %x");
}

static void finds_names_and_ids(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    last->results[0]->name = TN_STR("x");
    assert_broken(f, "verify: %x: two values have this name");
    last->results[0]->name = TN_STR("");
    assert_broken(f, "verify: value 2 has no name");
    last->results[0]->name = TN_STR("ok");
    last->results[0]->id = 0;
    assert_broken(f, "verify: %ok: id 0 is taken or not below 3");
    last->results[0]->id = 3;
    assert_broken(f, "verify: %ok: id 3 is taken or not below 3");
    last->results[0]->id = 2;
    last->id = 0;
    assert_broken(f, "verify: node 0 (aten::add.Tensor): its id is taken or not below 2");
}

static void finds_links(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    f->graph->node_count = 3;
    assert_broken(f, "verify: graph g: node_count is 3, expected 2");
    f->graph->node_count = 2;
    f->graph->last = last->prev;
    assert_broken(f, "verify: graph g: last is not the last node");
    f->graph->last = last;
    tn_node *first = last->prev;
    last->prev = NULL;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): prev is not the node before it");
    last->prev = first;
    last->graph = NULL;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): belongs to another graph");
    last->graph = f->graph;
    last->results[0]->def = first;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): result 0, %r_1, names another definition");
    last->results[0]->def = last;
    last->results[0]->kind = TN_VALUE_INPUT;
    assert_broken(f, "verify: %r_1: kind is 1, expected 0 where it stands");
}

static void finds_arguments(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    last->args[2] = (tn_arg){.kind = TN_ARG_INT};
    assert_broken(f, "verify: node 1 (aten::add.Tensor): argument 'alpha' is a NULL expression");
    last->args[2] = (tn_arg){.kind = TN_ARG_STR, .s = TN_STR("1")};
    assert_broken(f, "verify: node 1 (aten::add.Tensor): argument 'alpha' is a string, which its "
                     "type does not take");
    last->args[2] = (tn_arg){.kind = TN_ARG_FLOAT, .f = 1};
    assert_valid(f);
    last->args[1].operand = 2;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): argument 'other' refers to operands 2 to "
                     "2 of 2");
    last->args[1].operand = UINT32_MAX;
    assert_broken(f, "verify: node 1 (aten::add.Tensor): argument 'other' refers to operands "
                     "4294967295 to 4294967295 of 2");
    last->args[1].operand = 1;
    tn_node *first = last->prev;
    first->args[0] = (tn_arg){.kind = TN_ARG_NONE};
    assert_broken(f, "verify: node 0 (aten::relu): argument 'self' is None, which its type does "
                     "not take");
}

static void finds_types(void **state) {
    fixture *f = *state;
    tn_value *x = small_graph(f)->results[0];
    x->type.dtype = TN_DTYPE_NONE;
    assert_broken(f, "verify: %r_1: dtype is 0, expected one of tn_dtype");
    x->type.dtype = TN_F32;
    x->type.rank = 9;
    assert_broken(f, "verify: %r_1: rank is 9, expected at most 8");
    x->type.rank = 3;
    assert_broken(f, "verify: %r_1: dimension 2 is NULL");
    x->type.dims[2] = tn_sym_const(f->syms, -1);
    assert_broken(f, "verify: %r_1: dimension 2 is at most -1, expected a size");
}

static void finds_data(void **state) {
    fixture *f = *state;
    static const uint8_t bytes[24];
    tn_const data = {.data = bytes, .strides = {3, 1}, .is_contiguous = true};
    tn_value *value = NULL;
    assert_null(tn_graph_add_const(f->graph, TN_STR("c"), &f->type, &data, &value));
    assert_valid(f);
    tn_const broken = data;
    value->data = &broken;
    broken.strides[0] = 1;
    assert_broken(f, "verify: %c: is marked contiguous, but its strides are not");
    broken.is_contiguous = false;
    assert_valid(f);
    broken.data = NULL;
    assert_broken(f, "verify: %c: the data of 6 elements is NULL");
    value->data = NULL;
    assert_broken(f, "verify: %c has no data");
    value->data = &data;
    value->type.dims[0] = tn_sym_var(f->syms, TN_STR("s0"), 1, 2);
    assert_broken(f, "verify: %c: a dimension is symbolic, expected numbers");
    value->type.dims[0] = value->type.dims[1] = tn_sym_const(f->syms, INT64_MAX);
    assert_broken(f, "verify: %c has more elements than 64 bits count");
}

static void finds_outputs(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    f->graph->outputs[0].value = NULL;
    assert_broken(f, "verify: output 0 (r_1) is not a value of the graph");
    f->graph->outputs[0] = (tn_output){.kind = TN_OUTPUT_INPUT_MUTATION,
                                       .value = last->results[0],
                                       .name = TN_STR("o"),
                                       .target = last->results[0]};
    assert_broken(f, "verify: output 0 (o) changes what is no input");
    f->graph->outputs[0].target = f->graph->inputs[0];
    assert_valid(f);
}

static tn_status refuse(const tn_node *node) {
    return tn_error_make(TN_INVALID_ARGUMENT, "%.*s is refused", TN_STR_ARG(node->op->name));
}

static void asks_for_primitives(void **state) {
    fixture *f = *state;
    tn_node *last = small_graph(f);
    assert_null(tn_graph_verify(f->graph, refuse)); /* there are none */
    tn_op prim = *last->op;
    prim.op_class = TN_OP_PRIM;
    last->op = &prim;
    tn_status status = tn_graph_verify(f->graph, refuse);
    assert_string_equal(tn_status_message(status), "aten::add.Tensor is refused");
    assert_string_equal(tn_status_note(status, 0), "while verifying node 1");
    tn_status_free(status);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Builds, changes and verifies; after a failure the graph must still be whole. */
static tn_status churn(fixture *f) {
    tn_value *x = NULL, *y = NULL;
    TN_TRY(tn_graph_add_input(f->graph, TN_STR("x"), &f->type, &x));
    TN_TRY(tn_graph_add_input(f->graph, TN_STR("y"), &f->type, &y));
    for (int i = 0; i < 40; i++) {
        tn_node *node = NULL;
        tn_value *operands[] = {x, y};
        TN_TRY(add_node(f, "aten::add.Tensor", NULL, operands, 2, &node));
        TN_TRY(tn_node_set_operand(node, 0, y));
        TN_TRY(tn_value_replace(f->graph, y, x));
        if (i % 3 == 0)
            tn_graph_remove_node(f->graph, node);
        TN_TRY(tn_graph_add_output(f->graph, &(tn_output){.value = x, .name = x->name}));
    }
    return tn_graph_verify(f->graph, NULL);
}

static void failing_allocations(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        fixture f = {0};
        tn_status status =
            open_graph(&f, tn_test_allocator_init(&counter, tn_allocator_system(), n));
        bool is_open = status == NULL;
        if (!status)
            status = churn(&f);
        if (status && is_open) {
            counter.fail_at = 0;
            assert_valid(&f);
        }
        assert_true(!status || tn_status_code(status) == TN_OUT_OF_MEMORY);
        close_graph(&f);
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (!status) {
            assert_true(n > 10);
            return;
        }
        tn_status_free(status);
    }
}

#define GRAPH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        GRAPH_TEST(types),
        GRAPH_TEST(names_are_unique),
        GRAPH_TEST(arguments_are_completed_and_copied),
        GRAPH_TEST(defaults_of_every_kind),
        GRAPH_TEST(order_of_nodes),
        GRAPH_TEST(uses_follow),
        GRAPH_TEST(provenance_merges),
        GRAPH_TEST(finds_order),
        GRAPH_TEST(finds_uses),
        GRAPH_TEST(finds_names_and_ids),
        GRAPH_TEST(finds_links),
        GRAPH_TEST(finds_arguments),
        GRAPH_TEST(finds_types),
        GRAPH_TEST(finds_data),
        GRAPH_TEST(finds_outputs),
        GRAPH_TEST(asks_for_primitives),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
