/* test_format_json.c: JSON is read as RFC 8259 has it, and nothing else is taken for JSON. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/json.h"

static tn_status open_text(const char *text, tn_json *doc) {
    tn_allocator allocator = tn_allocator_system();
    return tn_json_open(&allocator, tn_str_of(text), TN_STR("t.json"), doc);
}

static void accepts(const char *text) {
    tn_json doc;
    tn_status status = open_text(text, &doc);
    if (status)
        fail_msg("%s: %s", text, tn_status_message(status));
    tn_json_close(&doc);
}

static void refuses(const char *text) {
    tn_json doc;
    tn_status status = open_text(text, &doc);
    if (tn_status_code(status) != TN_CORRUPT)
        fail_msg("accepted, or wrong code: %s", text);
    tn_status_free(status);
    tn_json_close(&doc);
}

static void grammar(void **state) {
    (void)state;
    accepts("{}");
    accepts("[]");
    accepts(" [ ] \n");
    accepts("[1,2 , 3]");
    accepts("[0,-0,1e5,1E+5,-1.5e-3,0.5,120]");
    accepts("{\"a\":1,\"b\":[{}],\"c\":{\"d\":null}}");
    accepts("[true,false,null,\"\"]");
    accepts("\"x\"");
    accepts("[\"\\u00e9\\n\\\\\\\"\\/\",\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]");
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1 2]",
        "[1,,2]",
        "[,1]",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\" \"b\"}",
        "{,}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{\"a\":1:2}",
        "[tru]",
        "[nul]",
        "[truee]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[--1]",
        "[1]]",
        "[1] 2",
        "[1][2]",
        "{}{}",
        "[}",
        "{]",
        "[\"a]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"\n\"]",
        "[\"\xff\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\xe2\x82\"]",
        "['a']",
        "[\"a\":1]",
        "{\"a\",1}",
        "{[]:1}",
        "[1:2]",
        "[\"a\" \"b\"]",
        "{\"a\":1,\"b\"}",
        "[0x1]",
        "[1;2]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuses(wrong[i]);
    tn_allocator allocator = tn_allocator_system();
    tn_json doc;
    tn_status status = tn_json_open(&allocator, TN_STR("[1]\0[2]"), TN_STR("t.json"), &doc);
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    tn_status_free(status);
    tn_json_close(&doc);
}

static void depth_is_limited(void **state) {
    (void)state;
    char text[400];
    for (int depth = 127; depth <= 130; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        if (depth <= 128)
            accepts(text);
        else
            refuses(text);
    }
    size_t bytes = 4 << 20;
    char *deep = test_malloc(bytes + 1);
    memset(deep, '[', bytes);
    deep[bytes] = 0;
    refuses(deep);
    memset(deep + bytes / 2, ']', bytes / 2);
    refuses(deep);
    test_free(deep);
}

static void walks_and_finds(void **state) {
    (void)state;
    tn_json doc;
    assert_null(open_text("{\"a\":[10,[20,21],{\"x\":1}],\"b\":{},\"c\":null}", &doc));
    tn_json_value root = tn_json_root(&doc);
    assert_int_equal(tn_json_count(root), 3);
    tn_json_value list = tn_json_find(root, "a");
    assert_int_equal(tn_json_count(list), 3);
    int64_t sum = 0;
    uint32_t steps = 0;
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk); steps++) {
        int64_t value = 0;
        if (tn_json_kind_of(walk.value) == TN_JSON_NUMBER)
            assert_null(tn_json_i64(walk.value, &value));
        sum += value;
    }
    assert_int_equal(steps, 3);
    assert_int_equal(sum, 10);
    assert_int_equal(tn_json_kind_of(tn_json_find(root, "d")), TN_JSON_ABSENT);
    assert_true(tn_json_is_missing(tn_json_find(root, "c")));
    assert_int_equal(tn_json_count(tn_json_find(root, "b")), 0);
    tn_json_walk none = tn_json_begin(tn_json_find(root, "c"));
    assert_false(tn_json_step(&none));
    assert_int_equal(tn_json_kind_of(tn_json_find(tn_json_find(root, "d"), "e")), TN_JSON_ABSENT);
    tn_json_close(&doc);
}

static void reads_strings(void **state) {
    (void)state;
    tn_arena arena;
    tn_arena_init(&arena, tn_allocator_system());
    tn_json doc;
    assert_null(
        open_text("[\"plain\",\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\",\"\\u00e9\\u20ac\\ud83d\\ude00\","
                  "\"\\ud83dx\\ude00\"]",
                  &doc));
    static const char *const wanted[] = {"plain", "a\n\t\"\\/\b\f\r",
                                         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                                         "\xef\xbf\xbdx\xef\xbf\xbd"};
    size_t i = 0;
    for (tn_json_walk walk = tn_json_begin(tn_json_root(&doc)); tn_json_step(&walk); i++) {
        tn_str text;
        assert_null(tn_json_str(&arena, walk.value, &text));
        assert_true(tn_str_is(text, wanted[i]));
    }
    assert_int_equal(i, 4);
    tn_json_close(&doc);
    tn_arena_deinit(&arena);
}

static void reads_numbers(void **state) {
    (void)state;
    tn_json doc;
    assert_null(open_text("[9223372036854775807,-9223372036854775808,9223372036854775808,1.5,"
                          "\"-Infinity\",\"NaN\",\"abc\",true]",
                          &doc));
    tn_json_walk walk = tn_json_begin(tn_json_root(&doc));
    int64_t i = 0;
    double f = 0;
    assert_true(tn_json_step(&walk));
    assert_null(tn_json_i64(walk.value, &i));
    assert_true(i == INT64_MAX);
    assert_true(tn_json_step(&walk));
    assert_null(tn_json_i64(walk.value, &i));
    assert_true(i == INT64_MIN);
    assert_true(tn_json_step(&walk));
    tn_status status = tn_json_i64(walk.value, &i);
    assert_string_equal(tn_status_message(status),
                        "t.json: [2]: 9223372036854775808 is not an integer of 64 bits");
    tn_status_free(status);
    assert_true(tn_json_step(&walk));
    assert_null(tn_json_f64(walk.value, &f));
    assert_true(f == 1.5);
    assert_true(tn_json_step(&walk));
    assert_null(tn_json_f64(walk.value, &f));
    assert_true(isinf(f) && f < 0);
    assert_true(tn_json_step(&walk));
    assert_null(tn_json_f64(walk.value, &f));
    assert_true(isnan(f));
    assert_true(tn_json_step(&walk));
    status = tn_json_f64(walk.value, &f);
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    tn_status_free(status);
    assert_true(tn_json_step(&walk));
    status = tn_json_f64(walk.value, &f);
    assert_string_equal(tn_status_message(status),
                        "t.json: [7]: found true or false, expected a number");
    tn_status_free(status);
    tn_json_close(&doc);
}

static void errors_name_the_path(void **state) {
    (void)state;
    tn_json doc;
    assert_null(open_text("{\"graph\":{\"nodes\":[{},{\"inputs\":{\"name\":3}}]}}", &doc));
    tn_json_value nodes = tn_json_find(tn_json_find(tn_json_root(&doc), "graph"), "nodes");
    tn_json_walk walk = tn_json_begin(nodes);
    assert_true(tn_json_step(&walk));
    assert_true(tn_json_step(&walk));
    tn_json_value inputs = tn_json_find(walk.value, "inputs");
    tn_json_value name;
    tn_status status = tn_json_member(inputs, "name", TN_JSON_STRING, &name);
    assert_string_equal(tn_status_message(status),
                        "t.json: graph.nodes[1].inputs.name: found a number, expected a string");
    tn_status_free(status);
    status = tn_json_member(inputs, "arg", TN_JSON_STRING, &name);
    assert_string_equal(tn_status_message(status),
                        "t.json: graph.nodes[1].inputs: it has no member 'arg', expected a string");
    tn_status_free(status);
    tn_json_close(&doc);
}

static void tokens_grow_and_allocations_fail(void **state) {
    (void)state;
    /* More values than the first allocation has room for. */
    char text[4001];
    memset(text, '[', 1);
    for (size_t i = 0; i < 1999; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    memcpy(text + 3998, "1]", 3);
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        tn_allocator allocator = tn_test_allocator_init(&counter, tn_allocator_system(), n);
        tn_json doc;
        tn_status status = tn_json_open(&allocator, tn_str_of(text), TN_STR("t.json"), &doc);
        if (!status)
            assert_int_equal(tn_json_count(tn_json_root(&doc)), 1999);
        tn_json_close(&doc);
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
        if (!status) {
            assert_true(n > 2);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(walks_and_finds),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(errors_name_the_path),
        cmocka_unit_test(tokens_grow_and_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
