/* test_run.c: each allocation of loading, describing and running an engine fails once: an error
 * comes back, nothing leaks, and a context whose run failed runs when memory is there again. And a
 * warm run allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine_graphs.h"
#include "engine_make.h"
#include "executor.h"

enum { MOST_ALLOCATIONS = 10000 };

/* A run's fixed inputs: x is f32[rows, 6], i is i64[rows]. */
static float x_data[8 * 6];
static int64_t i_data[8];

static tn_status set_rows(tn_context *context, size_t input_count, int64_t rows) {
    int64_t x_dims[] = {rows, 6}, i_dims[] = {rows};
    DLTensor x = {.data = x_data,
                  .device = {kDLCPU, 0},
                  .ndim = 2,
                  .dtype = tn_dtype_to_dlpack(TN_F32),
                  .shape = x_dims};
    DLTensor i = {.data = i_data,
                  .device = {kDLCPU, 0},
                  .ndim = 1,
                  .dtype = tn_dtype_to_dlpack(TN_I64),
                  .shape = i_dims};
    TN_TRY(tn_context_set_input(context, 0, &x));
    return input_count > 1 ? tn_context_set_input(context, 1, &i) : NULL;
}

/* Everything that the public API does with an engine. */
static tn_status use_engine(tn_env *env, const char *path) {
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    char *text = NULL;
    size_t arena_bytes = 0, live_bytes = 0;
    test_executor executor;
    test_executor_init(&executor, EXECUTOR_OWN);
    tn_session_options options = {
        .size = sizeof options, .threads = 2, .spin_us = 50, .executor = &executor.table};
    tn_status status = NULL;
    TN_GOTO(tn_engine_load(env, path, NULL, &engine));
    size_t inputs = tn_engine_input_count(engine);
    TN_GOTO(tn_engine_describe(engine, "x=3x6", &text));
    TN_GOTO(tn_session_create(engine, &options, &session));
    TN_GOTO(tn_context_create(session, &context));
    TN_GOTO(set_rows(context, inputs, 3));
    TN_GOTO(tn_context_run(context));
    TN_GOTO(set_rows(context, inputs, 8));
    TN_GOTO(tn_context_infer_outputs(context));
    TN_GOTO(tn_context_run(context));
    TN_GOTO(tn_context_memory(context, &arena_bytes, &live_bytes));
done:
    if (engine)
        tn_text_free(engine, text);
    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    assert_int_equal(executor.held, executor.released);
    return status;
}

static tn_env *open_env(tn_test_allocator *counted, size_t fail_at) {
    tn_env_options options = {.size = sizeof options};
    options.allocator = tn_test_allocator_init(counted, tn_allocator_system(), 0);
    tn_env *env = NULL;
    assert_null(tn_env_create(&options, &env));
    atomic_store(&counted->request_count, 0);
    counted->fail_at = fail_at;
    return env;
}

static void make(const char *path, const char *graph, const char *target) {
    tn_env *env = NULL;
    uint32_t steps = 0;
    assert_null(tn_env_create(NULL, &env));
    tn_status status = engine_make(env, graph, target, path, &steps);
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);
    tn_env_destroy(env);
}

static void check_each_allocation(const char *graph, const char *target) {
    const char *path = "oom.tenon";
    make(path, graph, target);
    for (size_t fail_at = 1;; fail_at++) {
        assert_true(fail_at < MOST_ALLOCATIONS);
        tn_test_allocator counted;
        tn_env *env = open_env(&counted, fail_at);
        size_t blocks = atomic_load(&counted.live_blocks);
        tn_status status = use_engine(env, path);
        tn_code code = tn_status_code(status);
        if (code != TN_OK && code != TN_OUT_OF_MEMORY)
            print_error("allocation %zu: %s\n", fail_at, tn_status_message(status));
        assert_true(code == TN_OK || code == TN_OUT_OF_MEMORY);
        tn_status_free(status);
        assert_int_equal(atomic_load(&counted.live_blocks), blocks);
        counted.fail_at = 0;
        tn_env_destroy(env);
        assert_int_equal(atomic_load(&counted.live_blocks), 0);
        if (code == TN_OK) {
            assert_true(fail_at > 20);
            break;
        }
    }
    unlink(path);
}

static void interpreter(void **state) {
    (void)state;
    check_each_allocation(ENGINE_GRAPH_ALL, NULL);
}

static void kernels(void **state) {
    (void)state;
    check_each_allocation(ENGINE_GRAPH_ALL, "portable");
}

static void calls(void **state) {
    (void)state;
    check_each_allocation(ENGINE_GRAPH_CALLS, NULL);
    check_each_allocation(ENGINE_GRAPH_CALLS, "portable");
    check_each_allocation(ENGINE_GRAPH_SIZES, NULL);
    check_each_allocation(ENGINE_GRAPH_SIZES, "portable");
}

/* One context through failures at every allocation of its run with new shapes. */
static void context_survives(void **state) {
    (void)state;
    make("survive.tenon", ENGINE_GRAPH_ALL, NULL);
    tn_test_allocator counted;
    tn_env *env = open_env(&counted, 0);
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    tn_session_options options = {.size = sizeof options, .threads = 1};
    assert_null(tn_engine_load(env, "survive.tenon", NULL, &engine));
    assert_null(tn_session_create(engine, &options, &session));
    for (size_t fail_at = 1;; fail_at++) {
        assert_null(tn_context_create(session, &context));
        assert_null(set_rows(context, 2, 2));
        assert_null(tn_context_run(context));
        assert_null(set_rows(context, 2, 7));
        counted.fail_at = atomic_load(&counted.request_count) + fail_at;
        tn_status status = tn_context_run(context);
        tn_code code = tn_status_code(status);
        tn_status_free(status);
        counted.fail_at = 0;
        DLTensor output;
        assert_null(tn_context_run(context));
        assert_null(tn_context_get_output(context, 0, &output));
        assert_int_equal(output.shape[0], 7 + 3);
        tn_context_destroy(context);
        if (code == TN_OK)
            break;
        assert_int_equal(code, TN_OUT_OF_MEMORY);
        assert_true(fail_at < MOST_ALLOCATIONS);
    }
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
    unlink("survive.tenon");
}

/* Compiled kernels, so that the interpreter's scratch does not count. */
static void warm_runs_allocate_nothing(void **state) {
    (void)state;
    tn_test_allocator counted;
    tn_env *env = open_env(&counted, 0);
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    uint32_t steps = 0;
    static const char graph[] =
        "graph warm {\n symbol s0 in [1, 64]\n input %x: f32[s0, 24]\n input %w: f32[24, 40]\n"
        " %0: f32[s0, 40] = k::matmul(%x, %w, none)\n %1: f32[s0, 40] = k::softmax(%0, 1)\n"
        " %2: f32[s0] = k::reduce_sum(%1, [1], false)\n"
        " %3: f32[s0] = k::call([%2], \"test::one.default\", \"[]\", [s0])\n"
        " %4: f32[s0] = k::exp(%3)\n return %1, %4\n}\n";
    assert_null(engine_make(env, graph, "native", "warm.tenon", &steps));
    test_executor executor;
    test_executor_init(&executor, EXECUTOR_OWN);
    tn_session_options options = {
        .size = sizeof options, .threads = 2, .spin_us = 50, .executor = &executor.table};
    assert_null(tn_engine_load(env, "warm.tenon", NULL, &engine));
    assert_null(tn_session_create(engine, &options, &session));
    assert_null(tn_context_create(session, &context));
    static float x[64 * 24], w[24 * 40], other[64 * 24];
    int64_t x_dims[] = {40, 24}, w_dims[] = {24, 40};
    DLTensor tensor = {.data = w,
                       .device = {kDLCPU, 0},
                       .ndim = 2,
                       .dtype = tn_dtype_to_dlpack(TN_F32),
                       .shape = w_dims};
    assert_null(tn_context_set_input(context, 1, &tensor));
    tensor.shape = x_dims;
    tensor.data = x;
    assert_null(tn_context_set_input(context, 0, &tensor));
    assert_null(tn_context_run(context));
    size_t before = atomic_load(&counted.request_count);
    assert_true(before > 0);
    for (int run = 0; run < 20; run++) { /* new addresses are not new shapes */
        tensor.data = run % 2 ? x : other;
        assert_null(tn_context_set_input(context, 0, &tensor));
        assert_null(tn_context_run(context));
        DLTensor output;
        assert_null(tn_context_get_output(context, 0, &output));
    }
    assert_int_equal(atomic_load(&counted.request_count), before);
    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
    unlink("warm.tenon");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interpreter),
        cmocka_unit_test(kernels),
        cmocka_unit_test(calls),
        cmocka_unit_test(context_survives),
        cmocka_unit_test(warm_runs_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
