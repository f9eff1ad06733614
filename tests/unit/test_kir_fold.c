/* test_kir_fold.c: constants from constants: views share bytes, the rest is computed, and what
 * cannot be folded is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_case.h"
#include "kir/fold.h"

/* Folds the graph's only node; out_values as tn_kir_fold gives them. */
static void fold(tn_test_graph *test, const char *text, tn_value **out_values) {
    tn_kb kb;
    tn_test_graph_begin(test, text);
    tn_kb_init(&kb, test->graph, &test->prims);
    assert_null(tn_kir_fold(&kb, test->graph->first, out_values));
    assert_null(tn_kb_status(&kb));
}

static void views_share_bytes(void **state) {
    (void)state;
    static const char *const texts[3] = {
        "graph g { const %x: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
        "%r: f32[3, 2] = k::permute(%x, [1, 0]) return %r }",
        "graph g { const %x: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
        "%r: f32[6] = k::reshape(%x, [6]) return %r }",
        "graph g { const %x: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
        "%r: f32[1, 2] = k::slice(%x, [1, 0], [1, 2], [1, 2]) return %r }"};
    static const float wanted[3][6] = {{1, 4, 2, 5, 3, 6}, {1, 2, 3, 4, 5, 6}, {4, 6}};
    for (int i = 0; i < 3; i++) {
        tn_test_graph test;
        tn_value *values[1];
        fold(&test, texts[i], values);
        assert_non_null(values[0]);
        const uint8_t *first = test.graph->consts[0]->data->data;
        assert_true(values[0]->data->data >= first && values[0]->data->data < first + 24);
        assert_int_equal(values[0]->data->is_contiguous, i == 1);
        tn_tensor seen = tn_tensor_of_const(values[0]), row = seen;
        float copy[6];
        for (int e = 0; e < 6; e++)
            copy[e] = wanted[i][e];
        row.data = copy;
        int64_t stride = 1;
        for (uint32_t d = row.rank; d-- > 0; stride *= row.dims[d])
            row.strides[d] = stride;
        assert_true(tn_test_same(&seen, &row, 0));
        tn_test_graph_end(&test);
    }
}

static void several_results(void **state) {
    (void)state;
    tn_test_graph test;
    tn_value *values[2];
    fold(&test,
         "graph g { const %x: i64[3] = [2, 9, 4]\n"
         "%v: i64[3], %i: i64[3] = k::sort(%x, 0, true) return %v, %i }",
         values);
    assert_non_null(values[0]);
    assert_int_equal(((const int64_t *)(const void *)values[0]->data->data)[0], 9);
    assert_int_equal(((const int64_t *)(const void *)values[1]->data->data)[1], 2);
    tn_test_graph_end(&test);
}

static void left_alone(void **state) {
    (void)state;
    static const char *const texts[] = {
        /* An operand that is no constant, a size that is not known, random numbers. */
        "graph g { input %x: f32[2] %r: f32[2] = k::neg(%x) return %r }",
        "graph g { symbol s0 in [1, 8] %r: i64[] = k::sym_value(s0) return %r }",
        "graph g { symbol s0 in [1, 8] %r: i64[s0] = k::iota([s0], 0, 0, 1, i64) return %r }",
        "graph g { %r: f32[2] = k::random([2], \"normal\", 1, 2, f32) return %r }",
        /* 4 GiB, and an index that is outside: an error to report at run time. */
        "graph g { %r: f32[1073741824] = k::iota([1073741824], 0, 0.0, 1.0, f32) return %r }",
        ("graph g { const %x: f32[2] = [1.0, 2.0] const %i: i64[1] = [2]\n"
         "%r: f32[1] = k::take(%x, %i, 0) return %r }")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tn_test_graph test;
        tn_value *values[1];
        fold(&test, texts[i], values);
        assert_null(values[0]);
        tn_test_graph_end(&test);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(views_share_bytes),
                                       cmocka_unit_test(several_results),
                                       cmocka_unit_test(left_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
