/* test_format_npy.c: .npy files: what NumPy writes is read, what it would not write is refused, and
 * a written file reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "format/npy.h"

/* A file of version 1.0 with this header and so many zero bytes of elements. */
static size_t make_file(uint8_t *out, const char *header, size_t elem_bytes) {
    size_t len = strlen(header);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (uint8_t)(len & 0xff);
    out[9] = (uint8_t)(len >> 8);
    memcpy(out + 10, header, len);
    memset(out + 10 + len, 0, elem_bytes);
    return 10 + len + elem_bytes;
}

static void expect_error(const char *header, size_t elem_bytes, tn_code code, const char *part) {
    uint8_t file[512];
    size_t bytes = make_file(file, header, elem_bytes);
    tn_npy array;
    tn_status status = tn_npy_read(file, bytes, TN_STR("x.npy"), &array);
    assert_int_equal(tn_status_code(status), code);
    if (!strstr(tn_status_message(status), part))
        fail_msg("message '%s' lacks '%s'", tn_status_message(status), part);
    tn_status_free(status);
}

static void reads_headers(void **state) {
    (void)state;
    uint8_t file[512];
    tn_npy array;
    size_t bytes = make_file(
        file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }            \n", 24);
    assert_null(tn_npy_read(file, bytes, TN_STR("x.npy"), &array));
    assert_int_equal(array.dtype, TN_F32);
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.dims[0], 2);
    assert_int_equal(array.dims[1], 3);
    assert_int_equal(array.bytes, 24);
    assert_ptr_equal(array.data, file + bytes - 24);
    bytes = make_file(file, "{\"shape\": (5,), 'fortran_order':False,'descr': '<V2'}", 10);
    assert_null(tn_npy_read(file, bytes, TN_STR("x.npy"), &array));
    assert_int_equal(array.dtype, TN_BF16);
    assert_int_equal(array.rank, 1);
    bytes = make_file(file, "{'descr': '|b1', 'fortran_order': False, 'shape': ()}", 1);
    assert_null(tn_npy_read(file, bytes, TN_STR("x.npy"), &array));
    assert_int_equal(array.dtype, TN_BOOL);
    assert_int_equal(array.rank, 0);
}

static void refuses_others(void **state) {
    (void)state;
    const char *order = "{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}";
    expect_error(order, 8, TN_UNSUPPORTED, "Fortran order");
    const char *big = "{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}";
    expect_error(big, 8, TN_UNSUPPORTED, "'>f4'");
    const char *records = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}";
    expect_error(records, 8, TN_UNSUPPORTED, "records");
    const char *rank = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}";
    expect_error(rank, 4, TN_UNSUPPORTED, "dimensions");
    const char *two = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    expect_error(two, 7, TN_CORRUPT, "7 bytes of elements, the shape needs 8");
    expect_error(two, 9, TN_CORRUPT, "9 bytes of elements, the shape needs 8");
    const char *huge =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4)}";
    expect_error(huge, 0, TN_CORRUPT, "overflows");
    const char *negative = "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}";
    expect_error(negative, 0, TN_CORRUPT, "expected a word");
    expect_error("{'descr': '<f4', 'shape': (2,)}", 8, TN_CORRUPT, "lacks fortran_order");
    expect_error("{'descr': '<f4' 'shape': (2,)}", 8, TN_CORRUPT, "','");
    expect_error("{'other': 1}", 0, TN_CORRUPT, "key");
    expect_error("", 8, TN_CORRUPT, "'{'");
}

/* Every beginning of a good file is refused without reading past its end (the sanitizers watch). */
static void refuses_truncation(void **state) {
    (void)state;
    uint8_t file[512];
    size_t bytes =
        make_file(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8);
    for (size_t len = 0; len < bytes; len++) {
        uint8_t *copy = test_malloc(len ? len : 1);
        memcpy(copy, file, len);
        tn_npy array;
        tn_status status = tn_npy_read(copy, len, TN_STR("x.npy"), &array);
        assert_int_equal(tn_status_code(status), TN_CORRUPT);
        tn_status_free(status);
        test_free(copy);
    }
}

static void writes_what_it_reads(void **state) {
    (void)state;
    static const uint8_t data[24] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    tn_allocator allocator = tn_allocator_system();
#define X(enumerator, value, name, elem_bytes, code, bits)                                         \
    {                                                                                              \
        tn_npy array = {.dtype = enumerator,                                                       \
                        .rank = 2,                                                                 \
                        .dims = {3, 24 / elem_bytes / 3},                                          \
                        .data = data,                                                              \
                        .bytes = 24 / elem_bytes / 3 * 3 * elem_bytes};                            \
        assert_null(tn_npy_write(&allocator, "written.npy", &array));                              \
        tn_mapping mapping;                                                                        \
        assert_null(tn_mapping_open("written.npy", &mapping));                                     \
        tn_npy again;                                                                              \
        tn_status status = tn_npy_read(mapping.data, mapping.bytes, TN_STR(name), &again);         \
        if (enumerator == TN_F8E4M3 || enumerator == TN_F8E5M2) {                                  \
            assert_int_equal(tn_status_code(status), TN_UNSUPPORTED);                              \
            tn_status_free(status);                                                                \
        } else {                                                                                   \
            assert_null(status);                                                                   \
            assert_int_equal(again.dtype, enumerator);                                             \
            assert_memory_equal(again.dims, array.dims, 2 * sizeof *array.dims);                   \
            assert_int_equal(again.bytes, array.bytes);                                            \
            assert_memory_equal(again.data, data, array.bytes);                                    \
            assert_int_equal((again.data - mapping.data) % 64, 0);                                 \
        }                                                                                          \
        tn_mapping_close(&mapping);                                                                \
    }
    TN_DTYPE_LIST(X)
#undef X
}

static void survives_failed_allocations(void **state) {
    (void)state;
    static const uint8_t data[4];
    tn_npy array = {.dtype = TN_F32, .rank = 1, .dims = {1}, .data = data, .bytes = 4};
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        tn_allocator allocator = tn_test_allocator_init(&counter, tn_allocator_system(), n);
        tn_status status = tn_npy_write(&allocator, "failing.npy", &array);
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
        if (!status) {
            assert_true(n > 1);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_headers),
        cmocka_unit_test(refuses_others),
        cmocka_unit_test(refuses_truncation),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
