/* test_run_threads.c: one engine used by eight threads at once, each with its own context and its
 * own shapes, on one session and on one each; shapes that alternate; inputs that are missing or do
 * not fit. Meant for ThreadSanitizer too (preset tsan). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_make.h"

enum { THREADS = 8, RUNS = 40, COLUMNS = 24, MOST_ROWS = 64 };

static const char graph[] = "graph rows {\n symbol s0 in [1, 64]\n symbol s1 in [1, 64]\n"
                            " input %x: f32[s0, 24]\n input %y: f32[s0, s1]\n"
                            " %0: f32[s0, 24] = k::mul(%x, %x)\n"
                            " %1: f32[s0] = k::reduce_sum(%0, [1], false)\n"
                            " %2: f32[s0] = k::reduce_max(%y, [1], false)\n"
                            " %3: f32[s0] = k::add(%1, %2)\n return %3\n}\n";

static float ones[MOST_ROWS * MOST_ROWS];

static tn_status set_input(tn_context *context, size_t i, int64_t rows, int64_t columns,
                           float *data) {
    int64_t dims[] = {rows, columns};
    DLTensor tensor = {.data = data,
                       .device = {kDLCPU, 0},
                       .ndim = 2,
                       .dtype = tn_dtype_to_dlpack(TN_F32),
                       .shape = dims};
    return tn_context_set_input(context, i, &tensor);
}

/* x is full of `value`, y of ones: every element of the result is known. NULL or what went wrong.
 */
static tn_status run_rows(tn_context *context, int64_t rows, float value) {
    float x[MOST_ROWS * COLUMNS];
    for (int64_t i = 0; i < rows * COLUMNS; i++)
        x[i] = value;
    TN_TRY(set_input(context, 0, rows, COLUMNS, x));
    TN_TRY(set_input(context, 1, rows, 1 + rows % 7, ones));
    TN_TRY(tn_context_run(context));
    DLTensor output;
    TN_TRY(tn_context_get_output(context, 0, &output));
    if (output.ndim != 1 || output.shape[0] != rows)
        return tn_error_make(TN_INTERNAL, "the output has another shape");
    for (int64_t i = 0; i < rows; i++) {
        float seen = ((const float *)output.data)[i], wanted = COLUMNS * value * value + 1;
        if (!(seen > wanted - 1e-3f && seen < wanted + 1e-3f))
            return tn_error_make(TN_INTERNAL, "row %lld of %lld is %g, wanted %g", (long long)i,
                                 (long long)rows, (double)seen, (double)wanted);
    }
    return NULL;
}

typedef struct user {
    pthread_t thread;
    int number;
    tn_engine *engine;
    tn_session *shared; /* NULL: a session of its own */
    tn_status status;
} user;

static tn_status use(const user *u) {
    tn_session *own = NULL;
    tn_context *context = NULL;
    tn_session_options options = {.size = sizeof options, .threads = 2, .spin_us = 20};
    tn_status status = NULL;
    if (!u->shared)
        TN_GOTO(tn_session_create(u->engine, &options, &own));
    TN_GOTO(tn_context_create(u->shared ? u->shared : own, &context));
    for (int run = 0; run < RUNS; run++) /* two shapes alternate, as prefill and decode do */
        TN_GOTO(run_rows(context, run % 2 ? 1 : 3 + 7 * u->number, (float)(u->number + run % 5)));
done:
    tn_context_destroy(context);
    tn_session_destroy(own);
    return status;
}

static void *thread_main(void *argument) {
    user *u = argument;
    u->status = use(u);
    return NULL;
}

static void open_engine(const char *target, tn_env **out_env, tn_engine **out_engine) {
    uint32_t steps = 0;
    assert_null(tn_env_create(NULL, out_env));
    assert_null(engine_make(*out_env, graph, target, "threads.tenon", &steps));
    assert_null(tn_engine_load(*out_env, "threads.tenon", NULL, out_engine));
    unlink("threads.tenon");
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        ones[i] = 1;
}

static void run_users(const char *target, bool is_shared) {
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    user users[THREADS];
    open_engine(target, &env, &engine);
    tn_session_options options = {.size = sizeof options, .threads = 2, .spin_us = 20};
    if (is_shared)
        assert_null(tn_session_create(engine, &options, &session));
    for (int i = 0; i < THREADS; i++) {
        users[i] = (user){.number = i, .engine = engine, .shared = session};
        assert_int_equal(pthread_create(&users[i].thread, NULL, thread_main, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(users[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (users[i].status)
            print_error("thread %d: %s\n", i, tn_status_message(users[i].status));
        assert_null(users[i].status);
    }
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
}

static void one_session(void **state) {
    (void)state;
    run_users("portable", true);
    run_users(NULL, true);
}

static void sessions_of_their_own(void **state) {
    (void)state;
    run_users("portable", false);
    run_users(NULL, false);
}

static void refuses(tn_status status, tn_code code, const char *part) {
    if (tn_status_code(status) != code || !strstr(tn_status_message(status), part))
        print_error("\"%s\", wanted \"%s\"\n", tn_status_message(status), part);
    assert_int_equal(tn_status_code(status), code);
    assert_non_null(strstr(tn_status_message(status), part));
    tn_status_free(status);
}

/* A context that has refused inputs runs with good ones. */
static void inputs_that_do_not_fit(void **state) {
    (void)state;
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    open_engine(NULL, &env, &engine);
    assert_null(tn_session_create(engine, NULL, &session));
    assert_null(tn_context_create(session, &context));
    DLTensor output;
    refuses(tn_context_run(context), TN_INVALID_ARGUMENT, "input x has not been set");
    refuses(tn_context_get_output(context, 0, &output), TN_INVALID_ARGUMENT, "before a run");
    assert_null(set_input(context, 0, 3, COLUMNS, ones));
    refuses(tn_context_run(context), TN_INVALID_ARGUMENT, "input y has not been set");
    refuses(set_input(context, 0, 3, COLUMNS + 1, ones), TN_INVALID_ARGUMENT,
            "input x: f32[s0, 24]: given shape [3, 25]");
    refuses(set_input(context, 2, 3, 3, ones), TN_OUT_OF_RANGE, "the engine has 2");
    refuses(set_input(context, 0, 3, COLUMNS, NULL), TN_INVALID_ARGUMENT, "a NULL pointer");
    assert_null(set_input(context, 1, 4, 5, ones));
    refuses(tn_context_infer_outputs(context), TN_INVALID_ARGUMENT,
            "input y: dimension 0 is 4, expected 3");
    assert_null(set_input(context, 1, 3, 65, ones));
    refuses(tn_context_run(context), TN_OUT_OF_RANGE, "dimension 1 (s1) is 65, expected 1 to 64");
    int64_t dims[] = {3};
    DLTensor vector = {.data = ones,
                       .device = {kDLCPU, 0},
                       .ndim = 1,
                       .dtype = tn_dtype_to_dlpack(TN_F32),
                       .shape = dims};
    refuses(tn_context_set_input(context, 1, &vector), TN_INVALID_ARGUMENT, "rank 1, expected 2");
    vector.dtype = tn_dtype_to_dlpack(TN_F64);
    refuses(tn_context_set_input(context, 1, &vector), TN_INVALID_ARGUMENT, "dtype f64");
    vector.device.device_type = 2;
    refuses(tn_context_set_input(context, 1, &vector), TN_INVALID_ARGUMENT, "device 2");
    tn_status status = run_rows(context, 5, 2);
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);
    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
}

/* Memory given for an output is written to; when the inputs' shapes change, it may stay bound while
 * the new shape is asked for, but a run refuses it. */
static void outputs_of_the_caller(void **state) {
    (void)state;
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    open_engine(NULL, &env, &engine);
    assert_null(tn_session_create(engine, NULL, &session));
    assert_null(tn_context_create(session, &context));
    float x[6 * COLUMNS], memory[6] = {0};
    for (int i = 0; i < 6 * COLUMNS; i++)
        x[i] = 2;
    int64_t dims[] = {5};
    DLTensor given = {.data = memory,
                      .device = {kDLCPU, 0},
                      .ndim = 1,
                      .dtype = tn_dtype_to_dlpack(TN_F32),
                      .shape = dims};
    assert_null(set_input(context, 0, 5, COLUMNS, x));
    assert_null(set_input(context, 1, 5, 3, ones));
    assert_null(tn_context_set_output(context, 0, &given));
    assert_null(tn_context_run(context));
    assert_true(memory[4] == 4 * COLUMNS + 1 && memory[5] == 0);

    assert_null(set_input(context, 0, 6, COLUMNS, x));
    assert_null(set_input(context, 1, 6, 3, ones));
    assert_null(tn_context_infer_outputs(context));
    DLTensor output;
    assert_null(tn_context_get_output(context, 0, &output));
    assert_int_equal(output.shape[0], 6);
    refuses(tn_context_run(context), TN_INVALID_ARGUMENT,
            "output 3: dimension 0 of the given memory is 5, the output's is 6");
    dims[0] = 6;
    assert_null(tn_context_set_output(context, 0, &given));
    assert_null(tn_context_run(context));
    assert_true(memory[5] == 4 * COLUMNS + 1);

    memory[5] = 0;
    assert_null(tn_context_set_output(context, 0, NULL));
    assert_null(tn_context_run(context));
    assert_null(tn_context_get_output(context, 0, &output));
    assert_true(((const float *)output.data)[5] == 4 * COLUMNS + 1 && memory[5] == 0);
    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_of_the_caller),
        cmocka_unit_test(one_session),
        cmocka_unit_test(sessions_of_their_own),
        cmocka_unit_test(inputs_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
