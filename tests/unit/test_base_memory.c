/* test_base_memory.c: arena, map and text buffer, each also with every allocation failing once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/map.h"

static void arena_zeroes_and_aligns(void **state) {
    (void)state;
    tn_test_allocator counter;
    tn_arena arena;
    tn_arena_init(&arena, tn_test_allocator_init(&counter, tn_allocator_system(), 0));
    size_t total = 0;
    for (size_t i = 0; i < 3000; i++) {
        size_t bytes = (i * 37) % 1000;
        unsigned char *p = tn_arena_alloc(&arena, bytes, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, bytes);
        total += bytes;
    }
    assert_true(atomic_load(&counter.live_bytes) >= total);
    assert_true(atomic_load(&counter.request_count) < 16); /* blocks double */
    tn_arena_deinit(&arena);
    assert_int_equal(atomic_load(&counter.live_bytes), 0);
    assert_int_equal(atomic_load(&counter.live_blocks), 0);
}

static void arena_large_request_keeps_block(void **state) {
    (void)state;
    tn_test_allocator counter;
    tn_arena arena;
    tn_arena_init(&arena, tn_test_allocator_init(&counter, tn_allocator_system(), 0));
    char *a = tn_arena_alloc(&arena, 16, 1);
    assert_non_null(tn_arena_alloc(&arena, 1 << 20, 1));
    char *b = tn_arena_alloc(&arena, 16, 1);
    assert_ptr_equal(b, a + 16);
    assert_int_equal(atomic_load(&counter.request_count), 2);
    assert_null(tn_arena_alloc(&arena, SIZE_MAX, 2));
    assert_null(tn_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(tn_arena_alloc(&arena, SIZE_MAX - 20, 1));
    char *none = tn_arena_alloc(&arena, 0, 8);
    assert_non_null(none);
    tn_arena_deinit(&arena);
}

static void arena_text(void **state) {
    (void)state;
    tn_arena arena;
    tn_arena_init(&arena, tn_allocator_system());
    assert_string_equal(tn_arena_str(&arena, (tn_str){"abcd", 3}).data, "abc");
    tn_str empty = tn_arena_str(&arena, (tn_str){NULL, 0});
    assert_non_null(empty.data);
    assert_int_equal(empty.len, 0);
    assert_string_equal(tn_arena_printf(&arena, "%s %d", "x", 12), "x 12");
    tn_arena_deinit(&arena);
}

static void arena_grow(void **state) {
    (void)state;
    tn_arena arena;
    tn_arena_init(&arena, tn_allocator_system());
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        items = tn_arena_grow(&arena, items, i, &capacity, sizeof *items);
        assert_non_null(items);
        assert_true(capacity > i);
        items[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    assert_int_equal(capacity, 1024);
    tn_arena_deinit(&arena);
}

/* A container over an arena: growing copies, freeing does nothing, all goes with the arena. */
static void arena_as_allocator(void **state) {
    (void)state;
    tn_test_allocator counter;
    tn_arena arena;
    tn_map map;
    tn_arena_init(&arena, tn_test_allocator_init(&counter, tn_allocator_system(), 0));
    tn_allocator allocator = tn_arena_allocator(&arena);
    tn_map_init(&map, allocator);
    for (uint64_t i = 0; i < 1000; i++)
        assert_null(tn_map_set_u64(&map, i, &arena));
    assert_ptr_equal(tn_map_get_u64(&map, 999), &arena);
    char *block = allocator.resize(allocator.self, NULL, 0, 10);
    block[9] = 'x';
    assert_ptr_equal(allocator.resize(allocator.self, block, 10, 5), block);
    char *larger = allocator.resize(allocator.self, block, 10, 5000);
    assert_ptr_not_equal(larger, block);
    assert_int_equal(larger[9], 'x');
    assert_null(allocator.resize(allocator.self, larger, 5000, 0));
    tn_arena_deinit(&arena);
    assert_int_equal(atomic_load(&counter.live_blocks), 0);
}

/* Does everything an arena can; true when nothing failed. */
static bool use_arena(tn_allocator allocator) {
    tn_arena arena;
    tn_arena_init(&arena, allocator);
    bool is_whole = tn_arena_alloc(&arena, 100, 40) && tn_arena_alloc(&arena, 5000, 4) &&
                    tn_arena_str(&arena, TN_STR("text")).data &&
                    tn_arena_printf(&arena, "%5000d", 1);
    size_t capacity = 0;
    char *items = NULL;
    for (size_t i = 0; is_whole && i < 20000; i++) {
        char *larger = tn_arena_grow(&arena, items, i, &capacity, 1);
        is_whole = larger != NULL;
        if (is_whole) {
            items = larger;
            items[i] = (char)i;
        }
    }
    tn_arena_deinit(&arena);
    return is_whole;
}

/* Fails requests from the n-th on for n = 1, 2, ... until the work succeeds: each n must report
 * failure, and none may leak. */
static void fail_at_every_request(bool (*work)(tn_allocator)) {
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        bool is_whole = work(tn_test_allocator_init(&counter, tn_allocator_system(), n));
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (is_whole) {
            assert_int_equal(atomic_load(&counter.request_count), n - 1);
            assert_true(n > 3);
            return;
        }
        assert_true(atomic_load(&counter.request_count) >= n);
    }
}

static void arena_failing(void **state) {
    (void)state;
    fail_at_every_request(use_arena);
}

static void map_of_strings(void **state) {
    (void)state;
    enum { N = 5000 };
    static char keys[N][16];
    tn_map map;
    tn_map_init(&map, tn_allocator_system());
    assert_null(tn_map_get(&map, TN_STR("x")));
    assert_false(tn_map_has(&map, TN_STR("x")));
    for (int i = 0; i < N; i++) {
        int len = snprintf(keys[i], sizeof keys[i], "key%d", i * 7);
        assert_null(tn_map_set(&map, (tn_str){keys[i], (size_t)len}, &keys[i]));
    }
    assert_int_equal(map.count, N);
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(tn_map_get(&map, tn_str_of(keys[i])), &keys[i]);
        assert_ptr_equal(map.entries[i].value, &keys[i]); /* insertion order */
    }
    assert_null(tn_map_set(&map, TN_STR("key7"), &map));
    assert_int_equal(map.count, N);
    assert_ptr_equal(tn_map_get(&map, TN_STR("key7")), &map);
    assert_false(tn_map_has(&map, TN_STR("key8")));
    assert_false(tn_map_has(&map, TN_STR("")));
    assert_null(tn_map_set(&map, (tn_str){NULL, 0}, NULL));
    assert_true(tn_map_has(&map, TN_STR("")));
    assert_null(tn_map_get(&map, TN_STR("")));
    tn_map_deinit(&map);
    assert_int_equal(map.count, 0);
}

static void map_of_numbers(void **state) {
    (void)state;
    static int values[3000];
    tn_map map;
    tn_map_init(&map, tn_allocator_system());
    assert_null(tn_map_get_u64(&map, 0));
    for (uint64_t i = 0; i < 3000; i++)
        assert_null(tn_map_set_u64(&map, i << 32, &values[i]));
    for (uint64_t i = 0; i < 3000; i++)
        assert_ptr_equal(tn_map_get_u64(&map, i << 32), &values[i]);
    assert_null(tn_map_get_u64(&map, 1));
    assert_null(tn_map_set_u64(&map, 0, &map));
    assert_ptr_equal(tn_map_get_u64(&map, 0), &map);
    assert_int_equal(map.count, 3000);
    tn_map_deinit(&map);
}

static bool use_map(tn_allocator allocator) {
    tn_map map;
    tn_map_init(&map, allocator);
    tn_status status = NULL;
    uint64_t i = 0;
    for (; !status && i < 200; i++)
        status = tn_map_set_u64(&map, i * i, &map);
    /* what went in before a failure is still there, and nothing else */
    uint64_t stored = status ? i - 1 : i;
    assert_int_equal(map.count, stored);
    for (uint64_t k = 0; k < stored; k++)
        assert_ptr_equal(tn_map_get_u64(&map, k * k), &map);
    tn_map_deinit(&map);
    tn_status_free(status);
    return status == NULL;
}

static void map_failing(void **state) {
    (void)state;
    fail_at_every_request(use_map);
}

static void hash_is_fixed(void **state) {
    (void)state;
    /* Hashes go into files: they may not change. */
    assert_true(tn_hash_bytes("", 0, 0) == 0x53dff9225ba8ab6eu);
    assert_true(tn_hash_bytes("tenon hashes", 12, 1) == 0x79b18e87c7861ca5u);
    assert_true(tn_hash_bytes("a", 1, 0) != tn_hash_bytes("a\0", 2, 0));
    assert_true(tn_hash_bytes("a", 1, 0) != tn_hash_bytes("a", 1, 1));
}

static void buffer(void **state) {
    (void)state;
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    assert_string_equal(tn_buf_cstr(&buf), "");
    assert_int_equal(tn_buf_view(&buf).len, 0);
    tn_buf_printf(&buf, "%d,", 5);
    tn_buf_str_append(&buf, TN_STR("abc"));
    tn_buf_append(&buf, NULL, 0);
    assert_string_equal(tn_buf_cstr(&buf), "5,abc");
    for (int i = 0; i < 500; i++)
        tn_buf_printf(&buf, "%04d", i);
    assert_int_equal(buf.len, 2005);
    assert_string_equal(tn_buf_cstr(&buf) + 2001, "0499");
    tn_buf_clear(&buf);
    assert_string_equal(tn_buf_cstr(&buf), "");
    assert_null(tn_buf_status(&buf));
    tn_buf_deinit(&buf);
}

static bool use_buffer(tn_allocator allocator) {
    tn_buf buf;
    tn_buf_init(&buf, allocator);
    for (int i = 0; i < 100; i++)
        tn_buf_printf(&buf, "line %d\n", i);
    bool is_whole = !buf.failed;
    assert_int_equal(tn_status_code(tn_buf_status(&buf)), is_whole ? TN_OK : TN_OUT_OF_MEMORY);
    size_t len = buf.len;
    tn_buf_append(&buf, "x", 1);
    assert_int_equal(buf.len, is_whole ? len + 1 : len); /* sticky */
    tn_buf_clear(&buf);
    assert_null(tn_buf_status(&buf));
    tn_buf_deinit(&buf);
    return is_whole;
}

static void buffer_failing(void **state) {
    (void)state;
    fail_at_every_request(use_buffer);
}

static void checked_arithmetic(void **state) {
    (void)state;
    size_t size = 0;
    int64_t value = 0;
    assert_true(tn_add_size(SIZE_MAX - 1, 1, &size));
    assert_true(size == SIZE_MAX);
    assert_false(tn_add_size(SIZE_MAX, 1, &size));
    assert_false(tn_mul_size(SIZE_MAX / 2 + 1, 2, &size));
    assert_false(tn_add_i64(INT64_MAX, 1, &value));
    assert_false(tn_sub_i64(INT64_MIN, 1, &value));
    assert_false(tn_mul_i64(INT64_MIN, -1, &value));
    assert_true(tn_align_size(65, 64, &size));
    assert_int_equal(size, 128);
    assert_true(tn_align_size(0, 64, &size));
    assert_int_equal(size, 0);
    assert_false(tn_align_size(SIZE_MAX - 3, 64, &size));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_zeroes_and_aligns),
        cmocka_unit_test(arena_large_request_keeps_block),
        cmocka_unit_test(arena_text),
        cmocka_unit_test(arena_grow),
        cmocka_unit_test(arena_as_allocator),
        cmocka_unit_test(arena_failing),
        cmocka_unit_test(map_of_strings),
        cmocka_unit_test(map_of_numbers),
        cmocka_unit_test(map_failing),
        cmocka_unit_test(hash_is_fixed),
        cmocka_unit_test(buffer),
        cmocka_unit_test(buffer_failing),
        cmocka_unit_test(checked_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
