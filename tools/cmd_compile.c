/* cmd_compile.c: `tenon compile`: a model becomes an engine file. */
#include <stdlib.h>

#include "cli.h"
#include "json_view.h"

typedef struct compile_settings {
    tn_compile_options compile;
    const char *output;
} compile_settings;

static const cli_option options[] = {
    {"--output,-o", "FILE", "the engine file (needed)", CLI_TEXT,
     offsetof(compile_settings, output)},
    CLI_COMPILE_OPTIONS(compile_settings),
    {"--keep-source", "DIR", "keep the generated C source there", CLI_TEXT,
     offsetof(compile_settings, compile.keep_source_dir)},
    {"--dump", "DIR", "write the graph there after every pass", CLI_TEXT,
     offsetof(compile_settings, compile.dump_dir)},
};

/* One line about what was written; opening it again also proves that it can be. */
static int print_summary(tn_env *env, const char *path, double seconds) {
    tn_engine *engine = NULL;
    char *text = NULL;
    tn_status status = tn_engine_load(env, path, NULL, &engine);
    if (!status)
        status = tn_engine_describe(engine, NULL, &text);
    if (!status) {
        char size[CLI_NUMBER_BYTES];
        size_t kernels = 0, primitives = 0, calls = 0;
        json_view root = json_root(text);
        for (json_view step = json_first(json_member(root, "steps")); step.at;
             step = json_next(step)) {
            json_view kind = json_member(step, "kind");
            kernels += json_is(kind, "kernel");
            primitives += json_is(kind, "primitive");
            calls += json_is(kind, "call");
        }
        printf("%s: %s, %zu kernel%s", path,
               cli_bytes_text(json_number(json_member(root, "file_bytes")), size), kernels,
               kernels == 1 ? "" : "s");
        if (primitives > 0)
            printf(", %zu step%s on the interpreter", primitives, primitives == 1 ? "" : "s");
        if (calls > 0)
            printf(", %zu call%s of an executor", calls, calls == 1 ? "" : "s");
        printf(", compiled in %.2f s\n", seconds);
    }
    tn_text_free(engine, text);
    tn_engine_release(engine);
    return cli_fail(status);
}

static int compile_main(int argc, char **argv) {
    compile_settings settings = {.compile.size = sizeof settings.compile};
    const char *model = NULL;
    int code = CLI_OK;
    if (!cli_parse(&cli_compile_command, argc, argv, &settings, &model, &code))
        return code;
    if (!settings.output)
        return cli_usage(&cli_compile_command, "--output FILE is missing");
    tn_env *env = NULL;
    code = cli_env_open(&env);
    double began = cli_seconds();
    if (!code)
        code = cli_fail(tn_compile_file(env, model, &settings.compile, settings.output));
    cli_progress_end();
    if (!code)
        code = print_summary(env, settings.output, cli_seconds() - began);
    cli_env_close(env);
    return code;
}

const cli_command cli_compile_command = {
    .name = "compile",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "makes an engine file of a model",
    .details = "MODEL is a .pt2 file (torch.export.save). FILE is replaced whole, or not at all.\n"
               "What the engine cannot compute it leaves to whoever runs it, with a warning.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .main = compile_main,
};
