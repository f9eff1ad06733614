/* cli_engine.c: FILE|MODEL: an engine file is opened, a model is compiled into a temporary one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The first bytes of every engine file. */
static const char engine_magic[] = "TENON\r\n\x1a";
enum { MAGIC_BYTES = 8 };

static int begins_as_engine(const char *path, bool *out_is_engine) {
    char head[MAGIC_BYTES] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return cli_error(CLI_BAD_FILE, "%s: %s", path, strerror(errno));
    size_t bytes = fread(head, 1, sizeof head, file);
    bool has_failed = ferror(file) != 0;
    fclose(file);
    if (has_failed)
        return cli_error(CLI_BAD_FILE, "%s: %s", path, strerror(errno));
    /* A file cut short within the magic is a damaged engine, not a model. */
    *out_is_engine = bytes >= 5 && memcmp(head, engine_magic, bytes) == 0;
    return CLI_OK;
}

/* The name of an option that is given, or NULL. */
static const char *given_option(const tn_compile_options *options) {
    const struct {
        const char *value, *name;
    } all[] = {{options->target, "--target"},
               {options->codegen, "--codegen"},
               {options->compiler, "--compiler"},
               {options->cache_dir, "--cache"},
               {options->disabled_passes, "--disable-pass"},
               {options->ranges, "--ranges"},
               {options->executed_ops, "--executed-ops"},
               {options->min_block_size, "--min-block-size"},
               {options->require_full_compilation, "--require-full-compilation"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value)
            return all[i].name;
    return NULL;
}

static int compile_and_load(tn_env *env, const char *path, const tn_compile_options *options,
                            tn_engine **out_engine) {
    const char *parent = getenv("TMPDIR");
    char folder[512], file[600];
    int length =
        snprintf(folder, sizeof folder, "%s/tenon-XXXXXX", parent && *parent ? parent : "/tmp");
    if (length < 0 || (size_t)length >= sizeof folder)
        return cli_error(CLI_BAD_FILE, "$TMPDIR is longer than %zu bytes", sizeof folder);
    if (!mkdtemp(folder))
        return cli_error(CLI_BAD_FILE, "making a temporary folder %s: %s", folder, strerror(errno));
    snprintf(file, sizeof file, "%s/model.tenon", folder);
    tn_status status = tn_compile_file(env, path, options, file);
    cli_progress_end();
    if (!status)
        status = tn_engine_load(env, file, NULL, out_engine);
    /* The engine stays mapped. */
    unlink(file);
    rmdir(folder);
    return cli_fail(status);
}

int cli_engine_open(tn_env *env, const char *path, const tn_compile_options *options,
                    tn_engine **out_engine) {
    bool is_engine = false;
    *out_engine = NULL;
    int code = begins_as_engine(path, &is_engine);
    if (code)
        return code;
    if (!is_engine)
        return compile_and_load(env, path, options, out_engine);
    const char *option = given_option(options);
    if (option)
        return cli_error(CLI_USAGE, "%s is for models; %s is an engine, compiled already", option,
                         path);
    return cli_fail(tn_engine_load(env, path, NULL, out_engine));
}
