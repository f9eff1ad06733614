/* test_engine_describe.c: what an engine says about itself: JSON that parses, with the sizes of the
 * shapes asked for, and errors that name the input for shapes that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend_run.h"
#include "format/json.h"

static const char graph[] = "graph two_inputs {\n symbol s0 in [2, 64]\n input %x: f32[s0, 24]\n"
                            " input %y: f32[s0, 24]\n %0: f32[s0, 24] = k::add(%x, %y)\n"
                            " %1: f32[s0] = k::reduce_sum(%0, [1], false)\n return %0, %1\n}\n";

/* The integer at this path of members, the last one in element i of a list if i >= 0. */
static int64_t number(const tn_json *doc, const char *member, int i, const char *key) {
    tn_json_value value = tn_json_find(tn_json_root(doc), member);
    if (i >= 0) {
        tn_json_walk walk = tn_json_begin(value);
        for (int k = 0; k <= i; k++)
            assert_true(tn_json_step(&walk));
        value = walk.value;
    }
    int64_t result = -1;
    assert_null(tn_json_i64(tn_json_find(value, key), &result));
    return result;
}

static void check_description(const tn_engine *engine, const char *dims, int64_t rows) {
    char *text = NULL;
    tn_status status = tn_engine_describe(engine, dims, &text);
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);
    tn_allocator allocator = tn_allocator_system();
    tn_json doc;
    assert_null(tn_json_open(&allocator, tn_str_of(text), TN_STR("description"), &doc));
    assert_int_equal(number(&doc, "inputs", 0, "bytes"), rows * 24 * 4);
    assert_int_equal(number(&doc, "inputs", 1, "bytes"), rows * 24 * 4);
    assert_int_equal(number(&doc, "outputs", 1, "bytes"), rows * 4);
    assert_int_equal(number(&doc, "symbols", 0, "value"), rows);
    assert_int_equal(number(&doc, "symbols", 0, "max"), 64);
    assert_int_equal(number(&doc, "memory", -1, "weight_bytes"), 0);
    /* The sum of the interpreter's one intermediate, and of what it adds up to. */
    assert_true(number(&doc, "memory", -1, "arena_bytes") >=
                number(&doc, "memory", -1, "live_bytes"));
    assert_true(number(&doc, "memory", -1, "live_bytes") >= rows * 24 * 4);
    tn_json_walk steps = tn_json_begin(tn_json_find(tn_json_root(&doc), "steps"));
    assert_true(tn_json_step(&steps));
    assert_true(tn_str_is(tn_json_raw(tn_json_find(steps.value, "name")), "k::add"));
    assert_true(
        tn_str_is(tn_json_raw(tn_json_find(tn_json_root(&doc), "tenon")), TN_VERSION_STRING));
    tn_json_close(&doc);
    tn_text_free(engine, text);
}

static void check_refusal(const tn_engine *engine, const char *dims, tn_code code,
                          const char *part) {
    char *text = NULL;
    tn_status status = tn_engine_describe(engine, dims, &text);
    assert_null(text);
    assert_int_equal(tn_status_code(status), code);
    if (!strstr(tn_status_message(status), part))
        print_error("\"%s\" lacks \"%s\"\n", tn_status_message(status), part);
    assert_non_null(strstr(tn_status_message(status), part));
    tn_status_free(status);
}

static void descriptions(void **state) {
    (void)state;
    backend_run run;
    backend_run_open(&run, graph, NULL, 1);
    check_description(run.engine, NULL, 2);
    check_description(run.engine, "x=7x24", 7);
    check_description(run.engine, "y=9x24", 9);
    check_description(run.engine, "x=64x24;y=64x24", 64);
    check_refusal(run.engine, "x=1x24", TN_OUT_OF_RANGE, "size s0 is 1, expected 2 to 64");
    check_refusal(run.engine, "x=3x24;y=4x24", TN_INVALID_ARGUMENT, "input x: dimension 0");
    check_refusal(run.engine, "y=3x25", TN_INVALID_ARGUMENT, "input y: dimension 1 is 25");
    check_refusal(run.engine, "x=3", TN_INVALID_ARGUMENT, "rank 1, expected 2");
    check_refusal(run.engine, "x=3xa", TN_INVALID_ARGUMENT, "\"3xa\", expected sizes");
    check_refusal(run.engine, "z=3", TN_NOT_FOUND, "no input has that name");
    backend_run_close(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(descriptions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
