/* cmd_run.c: `tenon run`: one execution; what came out is summarised, and saved if asked. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

typedef struct run_settings {
    tn_compile_options compile;
    cli_feed feed;
    const char *output_dir;
    uint64_t threads;
} run_settings;

static const cli_option options[] = {
    CLI_FEED_OPTIONS(run_settings),
    {"--output-dir", "DIR", "write every output there, as NAME.npy", CLI_TEXT,
     offsetof(run_settings, output_dir)},
    {"--threads", "N", "threads of the run (default: one per processor)", CLI_COUNT,
     offsetof(run_settings, threads)},
    CLI_COMPILE_OPTIONS(run_settings),
};

/* A name from the engine becomes a file name only if it can be nothing else. */
static bool is_plain(const char *name) {
    if (*name == 0 || *name == '.' || strlen(name) > 200)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-' && *name != '.')
            return false;
    return true;
}

static int save_output(tn_env *env, const char *folder, const char *name, size_t i,
                       const DLTensor *tensor) {
    size_t bytes = strlen(folder) + strlen(name) + 40;
    char *path = malloc(bytes);
    if (!path)
        return cli_no_memory();
    if (is_plain(name))
        snprintf(path, bytes, "%s/%s.npy", folder, name);
    else
        snprintf(path, bytes, "%s/output_%zu.npy", folder, i);
    int code = cli_fail(tn_npy_save(env, path, tensor));
    if (!code)
        printf("  %s\n", path);
    free(path);
    return code;
}

/* "logits: f32[2, 8]  min -0.31  mean 0.012  max 0.44" */
static void print_output(const char *name, const DLTensor *tensor) {
    int64_t count = cli_elem_count(tensor), nan_count = 0, number_count = 0;
    double least = (double)INFINITY, most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double value = cli_element(tensor, i);
        if (isnan(value)) {
            nan_count++;
            continue;
        }
        number_count++;
        least = value < least ? value : least;
        most = value > most ? value : most;
        sum += value;
    }
    printf("%s: %s[", name, tn_dtype_name(tn_dtype_from_dlpack(tensor->dtype)));
    for (int32_t d = 0; d < tensor->ndim; d++)
        printf("%s%lld", d ? ", " : "", (long long)tensor->shape[d]);
    printf("]");
    if (number_count > 0)
        printf("  min %.6g  mean %.6g  max %.6g", least, sum / (double)number_count, most);
    if (nan_count > 0)
        printf("  %lld NaN", (long long)nan_count);
    printf("\n");
}

static int take_outputs(tn_env *env, const tn_engine *engine, tn_context *context,
                        const char *folder) {
    if (folder && mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_error(CLI_BAD_FILE, "making the folder %s: %s", folder, strerror(errno));
    for (size_t i = 0; i < tn_engine_output_count(engine); i++) {
        tn_io_info info = {.size = sizeof info};
        DLTensor tensor;
        int code = cli_fail(tn_engine_output_info(engine, i, &info));
        if (!code)
            code = cli_fail(tn_context_get_output(context, i, &tensor));
        if (code)
            return code;
        print_output(info.name, &tensor);
        if (folder)
            code = save_output(env, folder, info.name, i, &tensor);
        if (code)
            return code;
    }
    return CLI_OK;
}

static int run_engine(tn_env *env, tn_engine *engine, const run_settings *settings) {
    cli_inputs inputs = {0};
    tn_session *session = NULL;
    tn_context *context = NULL;
    tn_session_options session_options = {
        .size = sizeof session_options, .threads = (uint32_t)settings->threads, .spin_us = 200};
    int code = cli_inputs_make(env, engine, &settings->feed, &inputs);
    if (!code)
        code = cli_fail(tn_session_create(engine, &session_options, &session));
    if (!code)
        code = cli_fail(tn_context_create(session, &context));
    if (!code)
        code = cli_inputs_set(&inputs, context);
    if (!code)
        code = cli_fail(tn_context_run(context));
    if (!code)
        code = take_outputs(env, engine, context, settings->output_dir);
    tn_context_destroy(context);
    tn_session_destroy(session);
    cli_inputs_free(&inputs);
    return code;
}

static int run_main(int argc, char **argv) {
    run_settings settings = {.compile.size = sizeof settings.compile};
    const char *path = NULL;
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    int code = CLI_OK;
    if (cli_parse(&cli_run_command, argc, argv, &settings, &path, &code)) {
        if (settings.threads > UINT32_MAX)
            settings.threads = UINT32_MAX; /* refused below, with the limit named */
        code = cli_env_open(&env);
        if (!code)
            code = cli_engine_open(env, path, &settings.compile, &engine);
        if (!code)
            code = run_engine(env, engine, &settings);
        tn_engine_release(engine);
        cli_env_close(env);
    }
    cli_list_free(&settings.feed.inputs);
    cli_list_free(&settings.feed.shapes);
    return code;
}

const cli_command cli_run_command = {
    .name = "run",
    .operands = "FILE|MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "runs an engine or a model once",
    .details = "Inputs that are not given are random. Two-byte voids in .npy files (\"|V2\", as "
               "ml_dtypes writes\nthem) are bfloat16.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .main = run_main,
};
