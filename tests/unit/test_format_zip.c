/* test_format_zip.c: the directory of a zip archive: good ones are read in place, lying ones
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "archive.h"
#include "format/zip.h"

static const tn_test_entry entries[] = {
    {"a/one", {"first", 5}},
    {"a/empty", {"", 0}},
    {"a/two", {"second!", 7}},
};

/* The central header of entry i. */
static char *central(tn_buf *archive, size_t i) {
    for (size_t at = 0; at + 4 <= archive->len; at++)
        if (memcmp(archive->data + at, "PK\x01\x02", 4) == 0 && i-- == 0)
            return archive->data + at;
    fail_msg("no central header");
    return NULL;
}

static void reads_in_place(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    tn_buf archive;
    tn_zip zip;
    tn_buf_init(&archive, allocator);
    tn_test_archive_make(entries, 3, &archive);
    assert_null(tn_zip_open(&allocator, (const uint8_t *)archive.data, archive.len, &zip));
    assert_int_equal(zip.entry_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const tn_zip_entry *entry = tn_zip_find(&zip, tn_str_of(entries[i].name));
        assert_ptr_equal(entry, &zip.entries[i]);
        assert_int_equal(entry->bytes, entries[i].content.len);
        assert_memory_equal(entry->data, entries[i].content.data, entry->bytes);
        assert_int_equal((entry->data - (const uint8_t *)archive.data) % 64, 0);
        assert_null(tn_zip_entry_check_stored(entry));
        assert_null(tn_zip_entry_check_crc(entry));
    }
    assert_null(tn_zip_find(&zip, TN_STR("a/three")));
    tn_zip_close(&zip);
    tn_buf_deinit(&archive);
}

/* Overwrites bytes of the central header of entry i and expects the message. */
static void expect_refusal(size_t i, size_t at, const char *bytes, size_t count, const char *part) {
    tn_allocator allocator = tn_allocator_system();
    tn_buf archive;
    tn_zip zip;
    tn_buf_init(&archive, allocator);
    tn_test_archive_make(entries, 3, &archive);
    memcpy(central(&archive, i) + at, bytes, count);
    tn_status status = tn_zip_open(&allocator, (const uint8_t *)archive.data, archive.len, &zip);
    if (tn_status_code(status) != TN_CORRUPT || !strstr(tn_status_message(status), part))
        fail_msg("got '%s', expected '%s'", tn_status_message(status), part);
    tn_status_free(status);
    tn_zip_close(&zip);
    tn_buf_deinit(&archive);
}

static void refuses_lies(void **state) {
    (void)state;
    enum { PACKED = 20, SIZE = 24, NAME = 46 };
    expect_refusal(0, NAME, "a/two", 5, "a/two");
    expect_refusal(2, PACKED, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8, "a/two");
    expect_refusal(0, SIZE, "\x06", 1, "a/one");
    expect_refusal(0, 0, "QK", 2, "directory");
}

/* Two entries that name the same bytes: a small archive must not stand for a large one. */
static void refuses_overlap(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    const tn_test_entry twins[] = {{"a/x", {"same", 4}}, {"a/y", {"same", 4}}};
    tn_buf archive;
    tn_zip zip;
    tn_buf_init(&archive, allocator);
    tn_test_archive_make(twins, 2, &archive);
    memset(central(&archive, 1) + 42, 0, 4); /* the local header of the first */
    tn_status status = tn_zip_open(&allocator, (const uint8_t *)archive.data, archive.len, &zip);
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    assert_non_null(strstr(tn_status_message(status), "overlap"));
    tn_status_free(status);
    tn_zip_close(&zip);
    tn_buf_deinit(&archive);
}

static void refuses_double_names(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    const tn_test_entry twins[] = {{"a/x", {"one", 3}}, {"a/x", {"two", 3}}};
    tn_buf archive;
    tn_zip zip;
    tn_buf_init(&archive, allocator);
    tn_test_archive_make(twins, 2, &archive);
    tn_status status = tn_zip_open(&allocator, (const uint8_t *)archive.data, archive.len, &zip);
    assert_string_equal(tn_status_message(status), "zip entry 'a/x' appears twice");
    tn_status_free(status);
    tn_zip_close(&zip);
    tn_buf_deinit(&archive);
}

static void finds_wrong_content(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    tn_buf archive;
    tn_zip zip;
    tn_buf_init(&archive, allocator);
    tn_test_archive_make(entries, 3, &archive);
    archive.data[64] ^= 1;
    assert_null(tn_zip_open(&allocator, (const uint8_t *)archive.data, archive.len, &zip));
    tn_status status = tn_zip_entry_check_crc(&zip.entries[0]);
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    tn_status_free(status);
    tn_zip_close(&zip);
    tn_buf_deinit(&archive);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_place),      cmocka_unit_test(refuses_lies),
        cmocka_unit_test(refuses_overlap),     cmocka_unit_test(refuses_double_names),
        cmocka_unit_test(finds_wrong_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
