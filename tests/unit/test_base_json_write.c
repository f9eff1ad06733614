/* test_base_json_write.c: what the writer of JSON prints, byte for byte, and that the reader of
 * JSON takes it back whatever the strings hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json_write.h"
#include "format/json.h"

static void forms(void **state) {
    (void)state;
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_json_writer w;
    tn_json_writer_init(&w, &buf);
    tn_json_begin_object(&w, NULL);
    tn_json_write_str(&w, "name", TN_STR("a"));
    tn_json_begin_list(&w, "empty");
    tn_json_end_list(&w);
    tn_json_begin_list(&w, "steps");
    for (int i = 0; i < 2; i++) {
        tn_json_begin_object(&w, NULL);
        tn_json_write_i64(&w, "low", INT64_MIN);
        tn_json_write_u64(&w, "high", UINT64_MAX);
        tn_json_begin_list(&w, "dims");
        tn_json_write_i64(&w, NULL, 1);
        tn_json_write_null(&w, NULL);
        tn_json_write_bool(&w, NULL, true);
        tn_json_end_list(&w);
        tn_json_end_object(&w);
    }
    tn_json_end_list(&w);
    tn_json_end_object(&w);
    assert_string_equal(tn_buf_cstr(&buf),
                        "{\n \"name\": \"a\",\n \"empty\": [],\n \"steps\": [\n"
                        "  {\"low\": -9223372036854775808, \"high\": 18446744073709551615, "
                        "\"dims\": [1, null, true]},\n"
                        "  {\"low\": -9223372036854775808, \"high\": 18446744073709551615, "
                        "\"dims\": [1, null, true]}\n ]\n}\n");
    tn_buf_deinit(&buf);
}

/* A string of these bytes, written and read back. */
static void check_string(tn_str text, const char *wanted) {
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_json_writer w;
    tn_json_writer_init(&w, &buf);
    tn_json_begin_list(&w, NULL);
    tn_json_write_str(&w, NULL, text);
    tn_json_end_list(&w);
    tn_allocator allocator = tn_allocator_system();
    tn_json doc;
    assert_null(tn_json_open(&allocator, tn_buf_view(&buf), TN_STR("test"), &doc));
    tn_arena arena;
    tn_arena_init(&arena, allocator);
    tn_json_walk walk = tn_json_begin(tn_json_root(&doc));
    assert_true(tn_json_step(&walk));
    tn_str read;
    assert_null(tn_json_str(&arena, walk.value, &read));
    assert_true(tn_str_is(read, wanted));
    tn_arena_deinit(&arena);
    tn_json_close(&doc);
    tn_buf_deinit(&buf);
}

static void strings(void **state) {
    (void)state;
    check_string(TN_STR("plain"), "plain");
    check_string((tn_str){NULL, 0}, "");
    check_string(TN_STR("a\"b\\c\nd\te\x01"), "a\"b\\c\nd\te\x01");
    check_string(TN_STR("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
                 "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    check_string(TN_STR("\x80z"), "\xef\xbf\xbdz");
}

static void short_memory(void **state) {
    (void)state;
    tn_test_allocator counted;
    tn_buf buf;
    tn_buf_init(&buf, tn_test_allocator_init(&counted, tn_allocator_system(), 1));
    tn_json_writer w;
    tn_json_writer_init(&w, &buf);
    tn_json_begin_object(&w, NULL);
    tn_json_write_str(&w, "name", TN_STR("a"));
    tn_json_end_object(&w);
    tn_status status = tn_buf_status(&buf);
    assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
    tn_status_free(status);
    tn_buf_deinit(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(strings),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
