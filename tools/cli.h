/* cli.h: what the subcommands of `tenon` share: options, exit codes, errors, the environment.
 *
 * A function that can fail here has printed what went wrong when it returns, and returns the exit
 * code: 0 is success. Messages are one line on standard error ("tenon: ..."), then notes,
 * indented. */
#ifndef TN_TOOLS_CLI_H
#define TN_TOOLS_CLI_H

#include <stdio.h>

#include "tenon/compile.h"
#include "tenon/experimental.h"
#include "tenon/runtime.h"

/* X(enumerator, exit code, meaning): docs/cli.md and `tenon help` say the same. */
#define CLI_EXIT_LIST(X)                                                                           \
    X(CLI_OK, 0, "done")                                                                           \
    X(CLI_FAILED, 1, "the work failed")                                                            \
    X(CLI_USAGE, 2, "the command line is wrong")                                                   \
    X(CLI_UNSUPPORTED, 3, "valid, but tenon cannot do it (an operator, a target, a version)")      \
    X(CLI_BAD_FILE, 4, "a file is missing, unreadable, unwritable or damaged")                     \
    X(CLI_NO_COMPILER, 5, "the system's C compiler is missing or failed")                          \
    X(CLI_BUG, 70, "a bug in tenon: please report it")                                             \
    X(CLI_CANCELLED, 130, "interrupted")

typedef enum cli_exit {
#define X(enumerator, code, meaning) enumerator = code,
    CLI_EXIT_LIST(X)
#undef X
} cli_exit;

/* ---- options --------------------------------------------------------------------------------- */

typedef enum cli_option_kind {
    CLI_FLAG,  /* bool */
    CLI_TRUE,  /* const char *: "true" when given */
    CLI_TEXT,  /* const char * */
    CLI_COUNT, /* uint64_t */
    CLI_REAL,  /* double, not negative */
    CLI_LIST,  /* cli_list: may be given several times */
} cli_option_kind;

typedef struct cli_list {
    const char **items;
    size_t count;
} cli_list;

void cli_list_free(cli_list *list);

typedef struct cli_option {
    const char *name;  /* "--output-dir"; a second one after a comma: "--output,-o" */
    const char *value; /* what it takes: "DIR"; NULL for CLI_FLAG and CLI_TRUE */
    const char *help;
    cli_option_kind kind;
    size_t offset; /* of its field in the command's settings */
} cli_option;

typedef struct cli_command {
    const char *name;
    const char *operands; /* "FILE|MODEL"; "" for none */
    size_t operands_min, operands_max;
    const char *summary;
    const char *details; /* more lines of help, or "" */
    const cli_option *options;
    size_t option_count;
    int (*main)(int argc, char **argv); /* argv[0] is the command's name */
} cli_command;

extern const cli_command cli_bench_command, cli_compile_command, cli_inspect_command,
    cli_ops_command, cli_passes_command, cli_report_command, cli_run_command;

/* Fills settings and operands (NULL for those left out). false: there is nothing more to do than to
 * return *out_exit (help was asked for, or an error printed). */
bool cli_parse(const cli_command *command, int argc, char **argv, void *settings,
               const char **out_operands, int *out_exit);
void cli_print_help(const cli_command *command);
/* The name nearest to `text`, or NULL if none is near. names ends with NULL. */
const char *cli_nearest(const char *text, const char *const *names);
/* All of text is a number. */
bool cli_to_count(const char *text, uint64_t *out_value);

/* Rows of cli_option for the settings of a compile, in a field `compile` of the settings. */
#define CLI_COMPILE_OPTIONS(settings)                                                              \
    {"--target", "TARGET",                                                                         \
     "cpu:native (default), cpu:x86-64-v3, cpu:x86-64-v4, cpu:portable, ...", CLI_TEXT,            \
     offsetof(settings, compile.target)},                                                          \
        {"--codegen", "c|none", "none: no C compiler, every step runs on the interpreter, slowly", \
         CLI_TEXT, offsetof(settings, compile.codegen)},                                           \
        {"--compiler", "CC", "the C compiler (default: $CC, cc, gcc, clang)", CLI_TEXT,            \
         offsetof(settings, compile.compiler)},                                                    \
        {"--cache", "DIR", "keep compiled code there, and find it again", CLI_TEXT,                \
         offsetof(settings, compile.cache_dir)},                                                   \
        {"--disable-pass", "A,B", "leave passes out (`tenon passes` lists them)", CLI_TEXT,        \
         offsetof(settings, compile.disabled_passes)},                                             \
        {"--ranges", "S=MIN:MAX,...", "narrow the ranges of symbolic sizes", CLI_TEXT,             \
         offsetof(settings, compile.ranges)},                                                      \
        {"--executed-ops", "A,B", "leave these operators to an executor (aten::gelu, *::*norm*)",  \
         CLI_TEXT, offsetof(settings, compile.executed_ops)},                                      \
        {"--min-block-size", "N", "and what stands in blocks of fewer nodes than this (1)",        \
         CLI_TEXT, offsetof(settings, compile.min_block_size)},                                    \
    {                                                                                              \
        "--require-full-compilation", NULL, "refuse a model that needs an executor", CLI_TRUE,     \
            offsetof(settings, compile.require_full_compilation)                                   \
    }

/* ---- errors ---------------------------------------------------------------------------------- */

/* Prints one line and returns the code. */
int cli_error(cli_exit code, const char *format, ...) TN_PRINTF(2, 3);
/* The same for a command line that is wrong, with a hint to the command's help. */
int cli_usage(const cli_command *command, const char *format, ...) TN_PRINTF(2, 3);
/* Prints an error of the library with its notes, frees it, and returns its exit code; 0 for
 * NULL. */
int cli_fail(tn_status status);
/* "out of memory" */
int cli_no_memory(void);

/* ---- environment ----------------------------------------------------------------------------- */

/* An environment that prints warnings, shows progress when standard error is a terminal, and stops
 * long work at the first interrupt (Control-C). */
int cli_env_open(tn_env **out_env);
void cli_env_close(tn_env *env);
/* Takes the progress line off the terminal, when long work is over. */
void cli_progress_end(void);
bool cli_is_interrupted(void);
double cli_seconds(void); /* since some moment */

/* ---- engines and inputs ---------------------------------------------------------------------- */

/* Opens an engine file, or compiles a model into a temporary one: the file's content says which it
 * is. Compile options that are given for an engine file are an error. */
int cli_engine_open(tn_env *env, const char *path, const tn_compile_options *options,
                    tn_engine **out_engine);

/* How the inputs of a run are chosen. */
typedef struct cli_feed {
    cli_list inputs; /* NAME=x.npy */
    cli_list shapes; /* NAME=1x128 */
    uint64_t seed;
} cli_feed;

#define CLI_FEED_OPTIONS(settings)                                                                 \
    {"--input", "NAME=X.npy", "an input's content, from a NumPy file; the others are random",      \
     CLI_LIST, offsetof(settings, feed.inputs)},                                                   \
        {"--shape", "NAME=1x128", "the shape of a random input (default: the smallest sizes)",     \
         CLI_LIST, offsetof(settings, feed.shapes)},                                               \
    {                                                                                              \
        "--seed", "N", "of random inputs (default 0): floats in [-1, 1), integers 0 or 1",         \
            CLI_COUNT, offsetof(settings, feed.seed)                                               \
    }

/* The tensors of all inputs of an engine. */
typedef struct cli_inputs {
    struct cli_input *items;
    size_t count;
} cli_inputs;

int cli_inputs_make(tn_env *env, const tn_engine *engine, const cli_feed *feed,
                    cli_inputs *out_inputs);
/* The context borrows them. */
int cli_inputs_set(const cli_inputs *inputs, tn_context *context);
/* "x=1x128;y=2x3", for tn_engine_describe; the caller frees it; NULL without memory. */
char *cli_inputs_shapes(const cli_inputs *inputs);
void cli_inputs_free(cli_inputs *inputs);
/* The same of --shape options alone, to describe an engine without running it. */
char *cli_shapes_text(const cli_list *shapes);

/* Element i of a tensor of any type as a double. */
double cli_element(const DLTensor *tensor, int64_t i);
int64_t cli_elem_count(const DLTensor *tensor);

/* ---- printing -------------------------------------------------------------------------------- */

enum { CLI_NUMBER_BYTES = 32 };
/* "1.23 G", "456", with three digits; a thousand is 1000. Returns out. */
const char *cli_count_text(double value, char out[CLI_NUMBER_BYTES]);
/* "1.23 MiB" */
const char *cli_bytes_text(double bytes, char out[CLI_NUMBER_BYTES]);

#endif
