/* cmd_bench.c: `tenon bench`: how long a run takes, over many runs, and where the time goes. */
#include <math.h>
#include <stdlib.h>

#include "cli.h"
#include "json_view.h"

typedef struct bench_settings {
    tn_compile_options compile;
    cli_feed feed;
    uint64_t threads, iterations;
    double warmup_ms, duration_s;
    bool has_profile, is_json;
} bench_settings;

static const cli_option options[] = {
    {"--threads", "N", "threads of a run (default: one per processor)", CLI_COUNT,
     offsetof(bench_settings, threads)},
    {"--iterations", "N", "run at least so often (default 10)", CLI_COUNT,
     offsetof(bench_settings, iterations)},
    {"--duration", "S", "and at least so many seconds (default 3)", CLI_REAL,
     offsetof(bench_settings, duration_s)},
    {"--warmup", "MS", "run so many milliseconds before measuring (default 200)", CLI_REAL,
     offsetof(bench_settings, warmup_ms)},
    {"--profile", NULL, "the time of each kernel, with its GFLOP/s and GB/s", CLI_FLAG,
     offsetof(bench_settings, has_profile)},
    {"--json", NULL, "the summary as JSON", CLI_FLAG, offsetof(bench_settings, is_json)},
    CLI_FEED_OPTIONS(bench_settings),
    CLI_COMPILE_OPTIONS(bench_settings),
};

/* Seconds per run. */
typedef struct latencies {
    double *items;
    size_t count, capacity;
} latencies;

static int add_latency(latencies *list, double seconds) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        double *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return cli_no_memory();
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = seconds;
    return CLI_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank of a sorted list. */
static double percentile(const latencies *sorted, double percent) {
    double rank = ceil(percent / 100 * (double)sorted->count);
    return sorted->items[rank < 1 ? 0 : (size_t)rank - 1];
}

/* ---- measuring ------------------------------------------------------------------------------- */

static int measure(tn_context *context, const bench_settings *settings, latencies *out) {
    double began = cli_seconds(), now = began;
    do { /* at least once: shapes are resolved and memory is touched for the first time */
        int code = cli_fail(tn_context_run(context));
        if (code)
            return code;
        now = cli_seconds();
    } while (now - began < settings->warmup_ms * 1e-3 && !cli_is_interrupted());
    began = now;
    while (out->count < settings->iterations || now - began < settings->duration_s) {
        int code = cli_fail(tn_context_run(context));
        double ended = cli_seconds();
        if (!code)
            code = add_latency(out, ended - now);
        if (code)
            return code;
        now = ended;
        if (cli_is_interrupted())
            return cli_error(CLI_CANCELLED, "interrupted after %zu runs", out->count);
    }
    return CLI_OK;
}

/* Mean nanoseconds of each step; the caller frees them. */
static int profile(tn_context *context, const bench_settings *settings, double **out_ns,
                   size_t *out_count) {
    const uint64_t *ns = NULL;
    uint64_t runs = settings->iterations ? settings->iterations : 1;
    double *sums = NULL;
    tn_context_set_profiling(context, true);
    for (uint64_t run = 0; run < runs; run++) {
        tn_status status = tn_context_run(context);
        if (!status)
            status = tn_context_step_times(context, &ns, out_count);
        if (status) {
            free(sums);
            return cli_fail(status);
        }
        if (!sums)
            sums = calloc(*out_count + 1, sizeof *sums);
        if (!sums)
            return cli_no_memory();
        for (size_t i = 0; i < *out_count; i++)
            sums[i] += (double)ns[i] / (double)runs;
    }
    *out_ns = sums;
    return CLI_OK;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_profile(json_view root, const double *ns, size_t count) {
    enum { TEXT_BYTES = 96 };
    char text[TEXT_BYTES];
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += ns[i];
    printf("\n%4s %10s %6s %9s %8s  %s\n", "step", "us", "%", "GFLOP/s", "GB/s", "kernel");
    size_t i = 0;
    for (json_view step = json_first(json_member(root, "steps")); step.at && i < count;
         step = json_next(step), i++) {
        double flops = json_number(json_member(step, "flops"));
        double bytes = json_number(json_member(step, "bytes_read")) +
                       json_number(json_member(step, "bytes_written"));
        double time = ns[i] > 0 ? ns[i] : 1; /* flop/ns is GFLOP/s */
        printf("%4zu %10.1f %6.2f %9.1f %8.2f  %s", i, ns[i] * 1e-3,
               total > 0 ? 100 * ns[i] / total : 0, flops / time, bytes / time,
               json_text(json_member(step, "name"), text, sizeof text));
        json_text(json_member(step, "summary"), text, sizeof text);
        printf("%s%s\n", *text ? ": " : "", text);
    }
    printf("%4s %10.1f\n", "all", total * 1e-3);
}

static void print_profile_json(json_view root, const double *ns, size_t count) {
    size_t i = 0;
    printf(",\n \"steps\": [");
    for (json_view step = json_first(json_member(root, "steps")); step.at && i < count;
         step = json_next(step), i++) {
        char name[256];
        printf("%s\n  {\"name\": \"%s\", \"ns\": %.0f, \"flops\": %lld, \"bytes\": %lld}",
               i ? "," : "", json_text(json_member(step, "name"), name, sizeof name), ns[i],
               (long long)json_integer(json_member(step, "flops")),
               (long long)(json_integer(json_member(step, "bytes_read")) +
                           json_integer(json_member(step, "bytes_written"))));
    }
    printf("\n ]");
}

typedef struct summary {
    const char *shapes;
    double start_ms, mean_ms;
    latencies sorted;
    size_t arena_bytes;
} summary;

static void print_summary(const summary *s) {
    char arena[CLI_NUMBER_BYTES];
    const latencies *l = &s->sorted;
    printf("inputs      %s\n", *s->shapes ? s->shapes : "none");
    printf("session     started in %.2f ms, arena %s\n", s->start_ms,
           cli_bytes_text((double)s->arena_bytes, arena));
    printf("latency ms  min %.4f  mean %.4f  median %.4f  p90 %.4f  p99 %.4f  max %.4f\n",
           1e3 * l->items[0], s->mean_ms, 1e3 * percentile(l, 50), 1e3 * percentile(l, 90),
           1e3 * percentile(l, 99), 1e3 * l->items[l->count - 1]);
    printf("throughput  %.2f runs per second, over %zu runs\n", 1e3 / s->mean_ms, l->count);
}

static void print_summary_json(const summary *s) {
    const latencies *l = &s->sorted;
    printf("{\n \"shapes\": \"");
    for (const char *c = s->shapes; *c; c++)
        printf("%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
    printf("\",\n \"runs\": %zu,\n \"start_ms\": %.4f,\n \"arena_bytes\": %zu,\n"
           " \"latency_ms\": {\"min\": %.6f, \"mean\": %.6f, \"median\": %.6f, \"p90\": %.6f, "
           "\"p99\": %.6f, \"max\": %.6f},\n \"runs_per_second\": %.4f",
           l->count, s->start_ms, s->arena_bytes, 1e3 * l->items[0], s->mean_ms,
           1e3 * percentile(l, 50), 1e3 * percentile(l, 90), 1e3 * percentile(l, 99),
           1e3 * l->items[l->count - 1], 1e3 / s->mean_ms);
}

static int print_results(const bench_settings *settings, tn_engine *engine, tn_context *context,
                         summary *s) {
    double *ns = NULL, sum = 0;
    size_t step_count = 0, live_bytes = 0;
    char *json = NULL;
    int code = cli_fail(tn_context_memory(context, &s->arena_bytes, &live_bytes));
    if (!code && settings->has_profile)
        code = profile(context, settings, &ns, &step_count);
    if (!code && settings->has_profile)
        code = cli_fail(tn_engine_describe(engine, s->shapes, &json));
    if (!code) {
        for (size_t i = 0; i < s->sorted.count; i++)
            sum += s->sorted.items[i];
        s->mean_ms = 1e3 * sum / (double)s->sorted.count;
        qsort(s->sorted.items, s->sorted.count, sizeof *s->sorted.items, by_value);
        if (settings->is_json)
            print_summary_json(s);
        else
            print_summary(s);
        if (json && settings->is_json)
            print_profile_json(json_root(json), ns, step_count);
        else if (json)
            print_profile(json_root(json), ns, step_count);
        if (settings->is_json)
            printf("\n}\n");
    }
    tn_text_free(engine, json);
    free(ns);
    return code;
}

static int bench_engine(tn_env *env, tn_engine *engine, const bench_settings *settings) {
    cli_inputs inputs = {0};
    tn_session *session = NULL;
    tn_context *context = NULL;
    summary s = {0};
    char *shapes = NULL;
    tn_session_options session_options = {
        .size = sizeof session_options, .threads = (uint32_t)settings->threads, .spin_us = 200};
    int code = cli_inputs_make(env, engine, &settings->feed, &inputs);
    double began = cli_seconds();
    if (!code)
        code = cli_fail(tn_session_create(engine, &session_options, &session));
    if (!code)
        code = cli_fail(tn_context_create(session, &context));
    s.start_ms = 1e3 * (cli_seconds() - began);
    if (!code)
        code = cli_inputs_set(&inputs, context);
    if (!code && !(shapes = cli_inputs_shapes(&inputs)))
        code = cli_no_memory();
    s.shapes = shapes;
    if (!code)
        code = measure(context, settings, &s.sorted);
    if (!code)
        code = print_results(settings, engine, context, &s);
    free(shapes);
    free(s.sorted.items);
    tn_context_destroy(context);
    tn_session_destroy(session);
    cli_inputs_free(&inputs);
    return code;
}

static int bench_main(int argc, char **argv) {
    bench_settings settings = {.compile.size = sizeof settings.compile,
                               .iterations = 10,
                               .warmup_ms = 200,
                               .duration_s = 3};
    const char *path = NULL;
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    int code = CLI_OK;
    if (cli_parse(&cli_bench_command, argc, argv, &settings, &path, &code)) {
        if (settings.threads > UINT32_MAX)
            settings.threads = UINT32_MAX; /* refused by the session, with the limit named */
        if (settings.iterations == 0)
            settings.iterations = 1;
        code = cli_env_open(&env);
        if (!code)
            code = cli_engine_open(env, path, &settings.compile, &engine);
        if (!code)
            code = bench_engine(env, engine, &settings);
        tn_engine_release(engine);
        cli_env_close(env);
    }
    cli_list_free(&settings.feed.inputs);
    cli_list_free(&settings.feed.shapes);
    return code;
}

const cli_command cli_bench_command = {
    .name = "bench",
    .operands = "FILE|MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "measures how long a run takes",
    .details = "One context, one run after another, inputs given once. Percentiles are by nearest "
               "rank. --profile\nmeasures --iterations further runs, whose clock readings cost a "
               "little.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .main = bench_main,
};
