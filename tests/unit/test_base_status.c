/* test_base_status.c: errors, allocator, environment: what every caller relies on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"
#include "base/status.h"

static void message_and_notes(void **state) {
    (void)state;
    tn_status status = tn_error_make(TN_CORRUPT, "x is %d, expected %s", 3, "4");
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    assert_string_equal(tn_status_message(status), "x is 3, expected 4");
    assert_null(tn_status_note(status, 0));
    status = tn_status_annotate(status, "while reading %s", "a");
    status = tn_status_annotate(status, "while opening %s", "b");
    assert_string_equal(tn_status_message(status), "x is 3, expected 4");
    assert_string_equal(tn_status_note(status, 0), "while reading a");
    assert_string_equal(tn_status_note(status, 1), "while opening b");
    assert_null(tn_status_note(status, 2));
    assert_null(tn_status_note(status, SIZE_MAX));
    tn_status_free(status);
}

static void success_is_null(void **state) {
    (void)state;
    assert_int_equal(tn_status_code(NULL), TN_OK);
    assert_string_equal(tn_status_message(NULL), "");
    assert_null(tn_status_note(NULL, 0));
    assert_null(tn_status_annotate(NULL, "while"));
    tn_status_free(NULL);
}

static void out_of_memory_is_constant(void **state) {
    (void)state;
    tn_status status = tn_error_out_of_memory();
    assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
    assert_ptr_equal(tn_status_annotate(status, "while testing"), status);
    assert_string_equal(tn_status_message(status), "out of memory");
    assert_null(tn_status_note(status, 0));
    tn_status_free(status);
    assert_string_equal(tn_status_message(tn_error_out_of_memory()), "out of memory");
}

static void code_names(void **state) {
    (void)state;
    assert_string_equal(tn_code_name(TN_OK), "TN_OK");
    assert_string_equal(tn_code_name(TN_INTERNAL), "TN_INTERNAL");
    assert_string_equal(tn_code_name((tn_code)99), "unknown code");
}

static tn_status with_context(tn_status inner) {
    TN_TRY_CTX(inner, "while in %s", "context");
    return NULL;
}

static void try_adds_context(void **state) {
    (void)state;
    assert_null(with_context(NULL));
    tn_status status = with_context(tn_error_make(TN_IO, "inner"));
    assert_string_equal(tn_status_note(status, 0), "while in context");
    tn_status_free(status);
}

static void allocator_counts(void **state) {
    (void)state;
    tn_test_allocator counter;
    tn_allocator allocator = tn_test_allocator_init(&counter, tn_allocator_system(), 0);
    unsigned char *block = NULL;
    assert_null(tn_alloc(&allocator, 100, &block));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(block[i], 0);
    block[99] = 7;
    assert_null(tn_alloc_resize(&allocator, &block, 100, 300));
    assert_int_equal(block[99], 7);
    assert_int_equal(atomic_load(&counter.live_bytes), 300);
    assert_int_equal(atomic_load(&counter.live_blocks), 1);
    assert_int_equal(atomic_load(&counter.request_count), 2);
    assert_null(tn_alloc_resize(&allocator, &block, 300, 10));
    assert_int_equal(atomic_load(&counter.request_count), 2);
    assert_int_equal(atomic_load(&counter.live_bytes), 10);
    assert_null(tn_alloc_resize(&allocator, &block, 10, 0));
    assert_null(block);
    assert_int_equal(atomic_load(&counter.live_blocks), 0);
    assert_int_equal(atomic_load(&counter.live_bytes), 0);
    assert_int_equal(atomic_load(&counter.peak_bytes), 300);
    assert_null(tn_alloc(&allocator, 0, &block));
    assert_null(block);
}

static void allocator_fails_from_n_on(void **state) {
    (void)state;
    tn_test_allocator counter;
    tn_allocator allocator = tn_test_allocator_init(&counter, tn_allocator_system(), 2);
    char *a = NULL, *b = (char *)1;
    assert_null(tn_alloc(&allocator, 8, &a));
    assert_int_equal(tn_status_code(tn_alloc(&allocator, 8, &b)), TN_OUT_OF_MEMORY);
    assert_null(b);
    a[7] = 5;
    char *before = a;
    assert_int_equal(tn_status_code(tn_alloc_resize(&allocator, &a, 8, 16)), TN_OUT_OF_MEMORY);
    assert_ptr_equal(a, before);
    assert_int_equal(a[7], 5);
    tn_alloc_free(&allocator, a, 8);
    assert_int_equal(atomic_load(&counter.live_bytes), 0);
}

static void array_size_overflow(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    char *a = (char *)1;
    assert_int_equal(tn_status_code(tn_alloc_array(&allocator, SIZE_MAX / 2, 3, &a)),
                     TN_OUT_OF_MEMORY);
    assert_null(a);
}

typedef struct seen {
    int count;
    tn_log_level level;
    char text[64];
} seen;

static void keep_log(void *user, tn_log_level level, const char *message) {
    seen *s = user;
    s->count++;
    s->level = level;
    assert_true(strlen(message) < sizeof s->text);
    memcpy(s->text, message, strlen(message) + 1);
}

static bool stop_at_half(void *user, double fraction, const char *what) {
    (void)what;
    ++*(int *)user;
    return fraction < 0.5;
}

static void env_log_and_progress(void **state) {
    (void)state;
    seen log = {0};
    int calls = 0;
    tn_env_options options = {.size = sizeof options,
                              .log = keep_log,
                              .log_user = &log,
                              .progress = stop_at_half,
                              .progress_user = &calls};
    tn_env *env = NULL;
    assert_null(tn_env_create(&options, &env));
    tn_log(env, TN_LOG_WARNING, "%d of %s", 3, "four");
    assert_int_equal(log.count, 1);
    assert_int_equal(log.level, TN_LOG_WARNING);
    assert_string_equal(log.text, "3 of four");
    assert_null(tn_progress(env, 0.25, "building"));
    tn_status status = tn_progress(env, 0.5, "building kernel %d", 2);
    assert_int_equal(tn_status_code(status), TN_CANCELLED);
    assert_string_equal(tn_status_message(status), "cancelled while building kernel 2");
    assert_int_equal(calls, 2);
    tn_status_free(status);
    tn_env_destroy(env);
}

static void env_defaults_are_silent(void **state) {
    (void)state;
    tn_env *env = NULL;
    assert_null(tn_env_create(NULL, &env));
    tn_log(env, TN_LOG_ERROR, "nobody listens");
    assert_null(tn_progress(env, 1, "nothing"));
    tn_env_destroy(env);
    tn_env_destroy(NULL);
}

static void env_checks_its_options(void **state) {
    (void)state;
    tn_env *env = (tn_env *)1;
    tn_env_options options = {.size = 1};
    tn_status status = tn_env_create(&options, &env);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_non_null(strstr(tn_status_message(status), "size is 1"));
    assert_null(env);
    tn_status_free(status);

    struct {
        tn_env_options known;
        size_t future;
    } newer = {.known = {.size = sizeof newer}};
    assert_null(tn_env_create(&newer.known, &env));
    tn_env_destroy(env);
    newer.future = 1;
    status = tn_env_create(&newer.known, &env);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_null(env);
    tn_status_free(status);

    tn_test_allocator counter;
    tn_env_options starved = {.size = sizeof starved};
    starved.allocator = tn_test_allocator_init(&counter, tn_allocator_system(), 1);
    assert_int_equal(tn_status_code(tn_env_create(&starved, &env)), TN_OUT_OF_MEMORY);
    assert_null(env);
    status = tn_env_create(NULL, NULL);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
}

static void dtypes(void **state) {
    (void)state;
    assert_string_equal(tn_dtype_name(TN_F8E5M2), "f8e5m2");
    assert_string_equal(tn_dtype_name((tn_dtype)77), "none");
    assert_int_equal(tn_dtype_bytes(TN_BF16), 2);
    assert_int_equal(tn_dtype_bytes(TN_DTYPE_NONE), 0);
    assert_int_equal(tn_dtype_from_name("f8e4m3"), TN_F8E4M3);
    assert_int_equal(tn_dtype_from_name("float"), TN_DTYPE_NONE);
    assert_int_equal(tn_dtype_from_name(NULL), TN_DTYPE_NONE);
    for (int i = TN_F64; i <= TN_BOOL; i++)
        assert_int_equal(tn_dtype_from_name(tn_dtype_name((tn_dtype)i)), i);
    assert_string_equal(tn_version(), TN_VERSION_STRING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_and_notes),         cmocka_unit_test(success_is_null),
        cmocka_unit_test(out_of_memory_is_constant), cmocka_unit_test(code_names),
        cmocka_unit_test(try_adds_context),          cmocka_unit_test(allocator_counts),
        cmocka_unit_test(allocator_fails_from_n_on), cmocka_unit_test(array_size_overflow),
        cmocka_unit_test(env_log_and_progress),      cmocka_unit_test(env_defaults_are_silent),
        cmocka_unit_test(env_checks_its_options),    cmocka_unit_test(dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
