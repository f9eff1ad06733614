/* test_ir_schema.c: schemas as data: what the golden tests cannot see in the printed form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/op.h"

static const tn_schema *parse(tn_arena *arena, const char *text) {
    const tn_schema *schema = NULL;
    tn_status status = tn_schema_parse(arena, tn_str_of(text), &schema);
    if (status)
        fail_msg("%s", tn_status_message(status));
    return schema;
}

static void parts(void **state) {
    (void)state;
    tn_arena arena;
    tn_arena_init(&arena, tn_allocator_system());
    const tn_schema *schema =
        parse(&arena, "aten::f.Tensor(Tensor(a!) self, int[2]? size=None, *, Tensor?[] xs, "
                      "ScalarType t=long, float p=1) -> (Tensor(a!) out, Tensor)");
    assert_true(tn_str_is(schema->name, "aten::f"));
    assert_true(tn_str_is(schema->overload, "Tensor"));
    assert_true(tn_str_is(schema->full_name, "aten::f.Tensor"));
    assert_int_equal(schema->param_count, 5);
    assert_int_equal(schema->result_count, 2);
    const tn_param *params = schema->params;
    assert_true(params[0].is_written && params[0].alias == 'a' && !params[0].is_optional);
    assert_int_equal(params[0].default_value.kind, TN_DEFAULT_ABSENT);
    assert_true(params[1].is_list && params[1].is_optional && !params[1].is_keyword_only);
    assert_int_equal(params[1].list_size, 2);
    assert_int_equal(params[1].default_value.kind, TN_DEFAULT_NONE);
    assert_true(params[2].is_element_optional && !params[2].is_optional);
    assert_true(params[2].is_keyword_only && params[2].list_size == -1);
    assert_int_equal(params[3].default_value.kind, TN_DEFAULT_STR);
    assert_true(tn_str_is(params[3].default_value.s, "i64"));
    assert_int_equal(params[4].default_value.kind, TN_DEFAULT_FLOAT); /* an int became one */
    assert_true(params[4].default_value.f == 1.0);
    assert_true(tn_str_is(schema->results[0].name, "out"));
    assert_int_equal(schema->results[1].name.len, 0);
    assert_int_equal(tn_schema_find_param(schema, TN_STR("xs")), 2);
    assert_int_equal(tn_schema_find_param(schema, TN_STR("out")), -1);
    tn_arena_deinit(&arena);
}

static void op_tables(void **state) {
    (void)state;
    static const int entry = 0;
    tn_arena arena;
    tn_op_table table;
    tn_arena_init(&arena, tn_allocator_system());
    tn_op_table_init(&table, &arena);
    assert_null(tn_op_table_add(&table, "k::neg(Tensor x) -> Tensor", TN_OP_PRIM, 7, &entry));
    const tn_op *op = tn_op_table_find(&table, TN_STR("k::neg"));
    assert_int_equal(op->op_class, TN_OP_PRIM);
    assert_int_equal(op->code, 7);
    assert_ptr_equal(op->entry, &entry);
    assert_null(tn_op_table_find(&table, TN_STR("k::abs")));
    tn_status status = tn_op_table_add(&table, "k::neg(Tensor y) -> Tensor", TN_OP_PRIM, 8, NULL);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_string_equal(tn_status_message(status), "operator k::neg is in the table already");
    tn_status_free(status);
    assert_int_equal(tn_op_table_find(&table, TN_STR("k::neg"))->code, 7);
    status = tn_op_table_add(&table, "k::neg", TN_OP_PRIM, 8, NULL);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
    tn_op_table_deinit(&table);
    tn_arena_deinit(&arena);
}

static void opaque_ops(void **state) {
    (void)state;
    tn_arena arena;
    tn_arena_init(&arena, tn_allocator_system());
    const tn_str names[] = {{NULL, 0}, TN_STR("alpha"), {NULL, 0}};
    const tn_op *op = NULL;
    assert_null(tn_op_make_opaque(&arena, TN_STR("my::op.Tensor"), names, 3, 2, &op));
    assert_int_equal(op->op_class, TN_OP_OPAQUE);
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_schema_print(&buf, op->schema);
    assert_string_equal(tn_buf_cstr(&buf),
                        "my::op.Tensor(Any arg0, *, Any alpha, Any arg2) -> (Tensor, Tensor)");
    assert_true(tn_str_is(op->schema->name, "my::op"));
    assert_true(tn_str_is(op->schema->overload, "Tensor"));
    tn_buf_deinit(&buf);
    tn_arena_deinit(&arena);
}

/* Enough schemas to need several blocks of the arena, one of them with a long list. */
static bool use_parser(tn_allocator allocator) {
    tn_arena arena;
    tn_op_table table;
    tn_arena_init(&arena, allocator);
    tn_op_table_init(&table, &arena);
    tn_status status = NULL;
    for (int i = 0; i < 60 && !status; i++) {
        char text[200];
        tn_format(text, sizeof text,
                  "ns::op%d(Tensor(a!)[] x, int[] y=[1, 2, 3, 4, 5, 6, 7, 8, 9], str z=\"abc\", "
                  "*, Scalar s=1.5) -> (Tensor(a!), int n)",
                  i);
        status = tn_op_table_add(&table, text, TN_OP_GRAPH, 0, NULL);
    }
    bool is_whole = status == NULL;
    assert_true(is_whole || tn_status_code(status) == TN_OUT_OF_MEMORY);
    tn_status_free(status);
    tn_op_table_deinit(&table);
    tn_arena_deinit(&arena);
    return is_whole;
}

static void failing_allocations(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        bool is_whole = use_parser(tn_test_allocator_init(&counter, tn_allocator_system(), n));
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (!is_whole)
            continue;
        assert_true(n > 5);
        return;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(op_tables),
        cmocka_unit_test(opaque_ops),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
