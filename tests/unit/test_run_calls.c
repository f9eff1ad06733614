/* test_run_calls.c: engines that call an executor: where results may lie, what may be wrong with
 * them, when memory is given back, threads, and what sessions refuse. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_graphs.h"
#include "engine_make.h"
#include "executor.h"

enum { COLUMNS = 6, MOST_ROWS = 64, THREADS = 8, RUNS = 30 };

static const char *const targets[] = {NULL, "portable", "native"};
enum { TARGET_COUNT = sizeof targets / sizeof *targets };

/* An engine with what runs it. */
typedef struct fixture {
    tn_env *env;
    tn_engine *engine;
    tn_session *session;
    tn_context *context;
    test_executor executor;
} fixture;

static void succeeds(tn_status status) {
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);
}

static void refuses(tn_status status, tn_code code, const char *part) {
    if (tn_status_code(status) != code || !strstr(tn_status_message(status), part))
        print_error("\"%s\", wanted \"%s\"\n", tn_status_message(status), part);
    assert_int_equal(tn_status_code(status), code);
    assert_non_null(strstr(tn_status_message(status), part));
    tn_status_free(status);
}

static void load(fixture *f, const char *graph, const char *target) {
    uint32_t steps = 0;
    *f = (fixture){0};
    succeeds(tn_env_create(NULL, &f->env));
    succeeds(engine_make(f->env, graph, target, "calls.tenon", &steps));
    succeeds(tn_engine_load(f->env, "calls.tenon", NULL, &f->engine));
    unlink("calls.tenon");
}

static void begin(fixture *f, const char *graph, const char *target, executor_mode mode) {
    load(f, graph, target);
    test_executor_init(&f->executor, mode);
    tn_session_options options = {
        .size = sizeof options, .threads = 2, .spin_us = 20, .executor = &f->executor.table};
    succeeds(tn_session_create(f->engine, &options, &f->session));
    succeeds(tn_context_create(f->session, &f->context));
}

static void end(fixture *f) {
    tn_context_destroy(f->context);
    tn_session_destroy(f->session);
    tn_engine_release(f->engine);
    tn_env_destroy(f->env);
    assert_int_equal(f->executor.held, f->executor.released);
}

/* Row i of x is full of value + i. */
static tn_status set_rows(tn_context *context, float *x, int64_t rows, float value) {
    int64_t dims[] = {rows, COLUMNS};
    for (int64_t i = 0; i < rows * COLUMNS; i++)
        x[i] = value + (float)(i / COLUMNS);
    DLTensor tensor = {.data = x,
                       .device = {kDLCPU, 0},
                       .ndim = 2,
                       .dtype = tn_dtype_to_dlpack(TN_F32),
                       .shape = dims};
    return tn_context_set_input(context, 0, &tensor);
}

static tn_status compare(const DLTensor *output, int64_t i, double wanted) {
    double seen = (double)((const float *)output->data)[i];
    if (seen > wanted - 1e-2 && seen < wanted + 1e-2)
        return NULL;
    return tn_error_make(TN_INTERNAL, "element %lld is %g, wanted %g", (long long)i, seen, wanted);
}

/* Runs ENGINE_GRAPH_CALLS, whose every element is known. */
static tn_status run_rows(tn_context *context, int64_t rows, float value) {
    float x[MOST_ROWS * COLUMNS];
    DLTensor sums, c, b;
    TN_TRY(set_rows(context, x, rows, value));
    TN_TRY(tn_context_run(context));
    TN_TRY(tn_context_get_output(context, 0, &sums));
    TN_TRY(tn_context_get_output(context, 1, &c));
    TN_TRY(tn_context_get_output(context, 2, &b));
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        double t = 6.0 * ((double)value + (double)i), n = 2.0 * (double)rows;
        for (int64_t k = 0; k < 4; k++) {
            TN_TRY(compare(&b, k * rows + i, 2 * t + n));
            TN_TRY(compare(&c, k * rows + i, 3 * t + 2 * n));
        }
        sum += 3 * t + 2 * n;
    }
    for (int64_t k = 0; k < 4; k++)
        TN_TRY(compare(&sums, k, sum));
    return NULL;
}

/* ---- where results lie -------------------------------------------------------------------------
 */

static void check_memory(executor_mode mode, int held_per_run) {
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        begin(&f, ENGINE_GRAPH_CALLS, targets[t], mode);
        assert_int_equal(f.executor.prepared, 2);
        for (int run = 0; run < 6; run++) { /* shapes that change, and stay */
            succeeds(run_rows(f.context, run < 4 ? 3 + 5 * (run / 2) : 1, (float)run));
            assert_int_equal(f.executor.runs, 2 * (run + 1));
            assert_int_equal(f.executor.held, held_per_run * (run + 1));
            assert_int_equal(f.executor.released, f.executor.held);
        }
        end(&f);
    }
}

static void planned_memory(void **state) {
    (void)state;
    check_memory(EXECUTOR_PLANNED, 0);
}

static void memory_of_its_own(void **state) {
    (void)state;
    check_memory(EXECUTOR_OWN, 2);
}

static void memory_that_nothing_holds(void **state) {
    (void)state;
    check_memory(EXECUTOR_LOOSE, 0);
}

/* Ways of giving results may alternate from run to run. */
static void memory_that_alternates(void **state) {
    (void)state;
    static const executor_mode modes[] = {EXECUTOR_OWN, EXECUTOR_PLANNED, EXECUTOR_LOOSE,
                                          EXECUTOR_PLANNED, EXECUTOR_OWN};
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        begin(&f, ENGINE_GRAPH_CALLS, targets[t], EXECUTOR_PLANNED);
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            f.executor.mode = modes[i];
            succeeds(run_rows(f.context, 5, (float)i));
        }
        end(&f);
    }
}

/* The operand's memory is used again while the result, which is the operand, is still read. */
static void results_that_are_operands(void **state) {
    (void)state;
    static const char graph[] =
        "graph same {\n input %x: f32[4, 6]\n"
        " %0: f32[4, 6] = k::mul(%x, %x)\n"
        " %c: f32[4, 6] = k::call([%0], \"test::same.default\", \"[]\", [])\n"
        " %1: f32[4, 6] = k::cumsum(%x, 1)\n"
        " %2: f32[4, 6] = k::cumsum(%1, 0)\n"
        " %3: f32[4, 6] = k::cumsum(%2, 1)\n"
        " %4: f32[4, 6] = k::sub(%3, %3)\n"
        " %5: f32[4, 6] = k::add(%c, %4)\n return %5\n}\n";
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        float x[4 * COLUMNS];
        DLTensor output;
        begin(&f, graph, targets[t], EXECUTOR_OPERAND);
        succeeds(set_rows(f.context, x, 4, 2));
        succeeds(tn_context_run(f.context));
        succeeds(tn_context_get_output(f.context, 0, &output));
        for (int64_t i = 0; i < 4 * COLUMNS; i++)
            succeeds(compare(&output, i, (double)(x[i] * x[i])));
        end(&f);
    }
}

/* ---- what may be wrong -------------------------------------------------------------------------
 */

static void wrong_results(void **state) {
    (void)state;
    static const struct {
        executor_mode mode;
        tn_code code;
        const char *message;
    } cases[] = {
        {EXECUTOR_FAIL, TN_IO, "the disk is on fire"},
        {EXECUTOR_SHAPE, TN_INVALID_ARGUMENT,
         "the executor's result 0 is f32[5, 3], of another shape; wanted f32[4, 3]"},
        {EXECUTOR_DTYPE, TN_INVALID_ARGUMENT, "f64[4, 3], of another dtype; wanted f32[4, 3]"},
        {EXECUTOR_RANK, TN_INVALID_ARGUMENT, "f32[4], of another rank; wanted f32[4, 3]"},
        {EXECUTOR_STRIDES, TN_INVALID_ARGUMENT, "not row-major contiguous"},
        {EXECUTOR_NULL, TN_INVALID_ARGUMENT, "without memory (NULL)"},
        {EXECUTOR_DEVICE, TN_INVALID_ARGUMENT, "not in host memory"},
    };
    fixture f;
    begin(&f, ENGINE_GRAPH_CALLS, NULL, EXECUTOR_PLANNED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.executor.mode = cases[i].mode;
        tn_status status = run_rows(f.context, 3, 1);
        assert_string_equal(tn_status_note(status, 0), "while reading net.py:7: two(t)");
        assert_string_equal(tn_status_note(status, 1),
                            "while running node two_1 (test::two.default)");
        refuses(status, cases[i].code, cases[i].message);
        assert_int_equal(f.executor.held, (int)i + 1);
        assert_int_equal(f.executor.released, (int)i + 1);
    }
    f.executor.mode = EXECUTOR_OWN; /* the context stays usable */
    succeeds(run_rows(f.context, 3, 1));
    end(&f);
}

/* What a kernel read from a bad index is not handed on. */
static void errors_before_a_call(void **state) {
    (void)state;
    static const char graph[] =
        "graph index {\n input %x: f32[4, 6]\n input %i: i64[2]\n"
        " %0: f32[2, 6] = k::take(%x, %i, 0)\n"
        " %1: f32[2, 6] = k::exp(%0)\n"
        " %c: f32[2, 6] = k::call([%1], \"test::one.default\", \"[]\", [])\n"
        " return %c\n}\n";
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        float x[4 * COLUMNS];
        int64_t indices[] = {0, 4}, dims[] = {2};
        DLTensor tensor = {.data = indices,
                           .device = {kDLCPU, 0},
                           .ndim = 1,
                           .dtype = tn_dtype_to_dlpack(TN_I64),
                           .shape = dims};
        begin(&f, graph, targets[t], EXECUTOR_OWN);
        succeeds(set_rows(f.context, x, 4, 0));
        succeeds(tn_context_set_input(f.context, 1, &tensor));
        refuses(tn_context_run(f.context), TN_OUT_OF_RANGE, "4 is out");
        assert_int_equal(f.executor.runs, 0);
        indices[1] = 3;
        succeeds(tn_context_run(f.context));
        assert_int_equal(f.executor.runs, 1);
        end(&f);
    }
}

/* An executor that uses the context that calls it. */
typedef struct reentrant {
    tn_context *context;
    tn_status status;
} reentrant;

static tn_status run_again(void *user, tn_call *call) {
    reentrant *self = user;
    (void)call;
    self->status = tn_context_run(self->context);
    return tn_status_create(TN_UNSUPPORTED, "enough");
}

static void not_reentrant(void **state) {
    (void)state;
    fixture f;
    reentrant self = {0};
    tn_executor executor = {.size = sizeof executor, .user = &self, .run = run_again};
    tn_session_options options = {.size = sizeof options, .threads = 1, .executor = &executor};
    float x[3 * COLUMNS];
    load(&f, ENGINE_GRAPH_CALLS, NULL);
    succeeds(tn_session_create(f.engine, &options, &f.session));
    succeeds(tn_context_create(f.session, &f.context));
    self.context = f.context;
    succeeds(set_rows(f.context, x, 3, 0));
    refuses(tn_context_run(f.context), TN_UNSUPPORTED, "enough");
    refuses(self.status, TN_INVALID_ARGUMENT, "the context is running");
    end(&f);
}

/* ---- sizes that calls decide on ----------------------------------------------------------------
 */

/* Runs ENGINE_GRAPH_SIZES: call 0 gives u rows, call 1 u numbers, call 2 the number 4. */
static tn_status run_sizes(fixture *f, int64_t rows, int64_t u) {
    float x[MOST_ROWS * COLUMNS];
    DLTensor sums, fixed, steps, picked;
    f->executor.size = u;
    TN_TRY(set_rows(f->context, x, rows, 0));
    TN_TRY(tn_context_run(f->context));
    TN_TRY(tn_context_get_output(f->context, 0, &sums));
    TN_TRY(tn_context_get_output(f->context, 1, &fixed));
    TN_TRY(tn_context_get_output(f->context, 2, &steps));
    TN_TRY(tn_context_get_output(f->context, 3, &picked));
    if (sums.shape[0] != 2 * u || fixed.shape[0] != COLUMNS || steps.shape[0] != u ||
        steps.shape[1] != rows || picked.shape[0] != u)
        return tn_error_make(TN_INTERNAL, "%lld, %lld, %lld sizes", (long long)sums.shape[0],
                             (long long)steps.shape[0], (long long)picked.shape[0]);
    double sum = 0;
    for (int64_t i = 0; i < u; i++) { /* row i is 6i, 6i + 1, ... times 1, 2, ... */
        sum += 6.0 * (double)i * 21 + 70;
        TN_TRY(compare(&sums, i, sum));
        if (((const int64_t *)picked.data)[i] != i)
            return tn_error_make(TN_INTERNAL, "picked %lld", (long long)i);
        for (int64_t k = 0; k < rows; k++)
            TN_TRY(compare(&steps, i * rows + k, (double)i));
    }
    for (int64_t i = 0; i < u; i++) {
        sum += (double)i;
        TN_TRY(compare(&sums, u + i, sum));
    }
    DLTensor number, rows_of_two;
    TN_TRY(tn_context_get_output(f->context, 4, &number));
    TN_TRY(tn_context_get_output(f->context, 5, &rows_of_two));
    if (*(const int64_t *)number.data != 4 + u || rows_of_two.shape[0] != 4)
        return tn_error_make(TN_INTERNAL, "number %lld", (long long)*(int64_t *)number.data);
    for (int64_t i = 0; i < 8; i++)
        TN_TRY(compare(&rows_of_two, i, (double)(i / 2)));
    return NULL;
}

static void sizes_from_calls(void **state) {
    (void)state;
    static const executor_mode modes[] = {EXECUTOR_OWN, EXECUTOR_LOOSE};
    for (int t = 0; t < 2 * TARGET_COUNT; t++) {
        fixture f;
        begin(&f, ENGINE_GRAPH_SIZES, targets[t / 2], modes[t % 2]);
        static const int64_t sizes[] = {3, 3, 0, 5, 1, 0, 24, 24, 2};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (sizes[i] <= 5 || modes[t % 2] == EXECUTOR_OWN)
                succeeds(run_sizes(&f, 1 + (int64_t)i / 2, sizes[i]));
        end(&f);
    }
}

static void sizes_before_and_after(void **state) {
    (void)state;
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        float x[4 * COLUMNS], given[4];
        DLTensor output;
        tn_io_info info = {.size = sizeof info};
        begin(&f, ENGINE_GRAPH_SIZES, targets[t], EXECUTOR_OWN);
        succeeds(tn_engine_output_info(f.engine, 3, &info));
        assert_int_equal(info.dims[0], -1);
        assert_int_equal(info.dims_max[0], 24);
        assert_string_equal(info.dim_names[0], "u0");
        succeeds(set_rows(f.context, x, 4, 0));
        succeeds(tn_context_infer_outputs(f.context));
        succeeds(tn_context_get_output(f.context, 2, &output));
        assert_int_equal(output.shape[0], -1);
        assert_int_equal(output.shape[1], 4);
        assert_null(output.data);
        succeeds(run_sizes(&f, 4, 2));
        int64_t dims[] = {4}; /* the caller's memory is right for one size only */
        DLTensor memory = {.data = given,
                           .device = {kDLCPU, 0},
                           .ndim = 1,
                           .dtype = tn_dtype_to_dlpack(TN_F32),
                           .shape = dims};
        succeeds(tn_context_set_output(f.context, 0, &memory));
        succeeds(run_sizes(&f, 4, 2));
        succeeds(tn_context_get_output(f.context, 0, &output));
        assert_ptr_equal(output.data, given);
        refuses(run_sizes(&f, 4, 3), TN_INVALID_ARGUMENT,
                "the given memory is 4, the output's is 6");
        succeeds(run_sizes(&f, 4, 2));
        succeeds(tn_context_set_output(f.context, 0, NULL));
        f.executor.mode = EXECUTOR_OWN;
        refuses(run_sizes(&f, 4, 25), TN_OUT_OF_RANGE,
                "result 0 of test::pick.default: dimension 0 (u0) is 25, expected 0 to 24");
        f.executor.mode = EXECUTOR_PLANNED; /* there is no planned memory */
        refuses(run_sizes(&f, 4, 2), TN_INVALID_ARGUMENT, "without memory (NULL)");
        f.executor.mode = EXECUTOR_RANK;
        refuses(run_sizes(&f, 4, 2), TN_INVALID_ARGUMENT,
                "f32[2], of another rank; wanted f32[2, 6]");
        f.executor.mode = EXECUTOR_SHAPE; /* of the first result alone */
        refuses(run_sizes(&f, 4, 2), TN_INVALID_ARGUMENT,
                "result 1 is i64[2], of another shape; wanted i64[3]");
        f.executor.mode = EXECUTOR_OWN;
        succeeds(run_sizes(&f, 4, 5));
        end(&f);
    }
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

static void sessions_need_an_executor(void **state) {
    (void)state;
    fixture f;
    tn_session_options options = {.size = sizeof options, .threads = 1};
    load(&f, ENGINE_GRAPH_CALLS, NULL);
    refuses(tn_session_create(f.engine, NULL, &f.session), TN_UNSUPPORTED,
            "leaves 2 nodes to an executor, for test::two.default, test::one.default: give one");
    test_executor_init(&f.executor, EXECUTOR_OWN);
    options.executor = &f.executor.table;
    f.executor.refused_op = "test::one.default";
    refuses(tn_session_create(f.engine, &options, &f.session), TN_UNSUPPORTED, "the test refuses");
    assert_int_equal(f.executor.prepared, 2);
    f.executor.table.run = NULL;
    refuses(tn_session_create(f.engine, &options, &f.session), TN_INVALID_ARGUMENT, "run is NULL");
    f.executor.table.size = 8;
    refuses(tn_session_create(f.engine, &options, &f.session), TN_INVALID_ARGUMENT,
            "tn_executor.size is 8");
    assert_null(f.session);
    end(&f);
}

static void calls_say_what_they_are(void **state) {
    (void)state;
    fixture f;
    tn_call_info info = {.size = sizeof info};
    load(&f, ENGINE_GRAPH_CALLS, "portable");
    assert_int_equal(tn_engine_call_count(f.engine), 2);
    succeeds(tn_engine_call_info(f.engine, 0, &info));
    assert_string_equal(info.op, "test::two.default");
    assert_string_equal(info.node, "two_1");
    assert_string_equal(info.module, "net.two");
    assert_string_equal(info.source, "net.py:7: two(t)");
    assert_string_equal(info.arguments, "[]");
    assert_int_equal(info.operand_count, 1);
    assert_int_equal(info.result_count, 2);
    assert_int_equal(info.int_count, 1);
    succeeds(tn_engine_call_info(f.engine, 1, &info));
    assert_int_equal(info.index, 1);
    assert_string_equal(info.node, "");
    assert_int_equal(info.int_count, 0);
    refuses(tn_engine_call_info(f.engine, 2, &info), TN_OUT_OF_RANGE, "the engine has 2");
    info.size = 1;
    refuses(tn_engine_call_info(f.engine, 0, &info), TN_INVALID_ARGUMENT, "tn_call_info.size is 1");
    end(&f);
}

static void calls_are_profiled(void **state) {
    (void)state;
    fixture f;
    const uint64_t *ns = NULL;
    size_t count = 0;
    begin(&f, ENGINE_GRAPH_CALLS, NULL, EXECUTOR_OWN);
    tn_context_set_profiling(f.context, true);
    succeeds(run_rows(f.context, 9, 1));
    succeeds(tn_context_step_times(f.context, &ns, &count));
    assert_true(count >= 5);
    for (size_t i = 0; i < count; i++)
        assert_true(ns[i] > 0);
    end(&f);
}

/* ---- threads -----------------------------------------------------------------------------------
 */

typedef struct user {
    pthread_t thread;
    int number;
    tn_session *session;
    tn_status status;
} user;

static void *use(void *argument) {
    user *u = argument;
    tn_context *context = NULL;
    tn_status status = tn_context_create(u->session, &context);
    for (int run = 0; run < RUNS && !status; run++)
        status = run_rows(context, run % 2 ? 1 : 3 + 7 * u->number, (float)(run % 5));
    tn_context_destroy(context);
    u->status = status;
    return NULL;
}

static void many_threads(void **state) {
    (void)state;
    for (int t = 0; t < TARGET_COUNT; t++) {
        fixture f;
        user users[THREADS];
        begin(&f, ENGINE_GRAPH_CALLS, targets[t], t == 1 ? EXECUTOR_PLANNED : EXECUTOR_OWN);
        for (int i = 0; i < THREADS; i++) {
            users[i] = (user){.number = i, .session = f.session};
            assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(users[i].thread, NULL);
        for (int i = 0; i < THREADS; i++)
            succeeds(users[i].status);
        assert_int_equal(f.executor.runs, 2 * THREADS * RUNS);
        end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_memory),
        cmocka_unit_test(memory_of_its_own),
        cmocka_unit_test(memory_that_nothing_holds),
        cmocka_unit_test(memory_that_alternates),
        cmocka_unit_test(results_that_are_operands),
        cmocka_unit_test(wrong_results),
        cmocka_unit_test(errors_before_a_call),
        cmocka_unit_test(not_reentrant),
        cmocka_unit_test(sizes_from_calls),
        cmocka_unit_test(sizes_before_and_after),
        cmocka_unit_test(sessions_need_an_executor),
        cmocka_unit_test(calls_say_what_they_are),
        cmocka_unit_test(calls_are_profiled),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
