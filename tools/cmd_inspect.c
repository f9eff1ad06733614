/* cmd_inspect.c: `tenon inspect`: what is in an engine: kernels with the nodes that each computes,
 * memory, sections. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json_view.h"

typedef struct inspect_settings {
    tn_compile_options compile;
    cli_list shapes;
    bool is_json;
} inspect_settings;

static const cli_option options[] = {
    {"--json", NULL, "everything, as JSON (docs/inspect.md)", CLI_FLAG,
     offsetof(inspect_settings, is_json)},
    {"--shape", "NAME=1x128", "sizes for these shapes (default: the smallest)", CLI_LIST,
     offsetof(inspect_settings, shapes)},
    CLI_COMPILE_OPTIONS(inspect_settings),
};

enum { TEXT_BYTES = 512, LINE_COLUMNS = 100 };

static const char *text_of(json_view object, const char *key, char out[TEXT_BYTES]) {
    return json_text(json_member(object, key), out, TEXT_BYTES);
}

static const char *bytes_of(json_view object, const char *key, char out[CLI_NUMBER_BYTES]) {
    return cli_bytes_text(json_number(json_member(object, key)), out);
}

/* "  x: f32[s0, 24]  1x24", a line each. */
static void print_values(json_view root, const char *key) {
    char text[TEXT_BYTES];
    json_view list = json_member(root, key);
    if (!json_first(list).at)
        return;
    printf("%s\n", key);
    for (json_view value = json_first(list); value.at; value = json_next(value)) {
        printf("  %s: ", text_of(value, "name", text));
        printf("%s[", text_of(value, "dtype", text));
        json_view shape = json_member(value, "shape");
        for (json_view dim = json_first(shape); dim.at; dim = json_next(dim))
            printf("%s%s", dim.at == json_first(shape).at ? "" : ", ",
                   json_text(dim, text, sizeof text));
        char size[CLI_NUMBER_BYTES];
        printf("]  %s\n", bytes_of(value, "bytes", size));
    }
}

static void print_symbols(json_view root) {
    char text[TEXT_BYTES];
    json_view list = json_member(root, "symbols");
    if (!json_first(list).at)
        return;
    printf("sizes\n");
    for (json_view symbol = json_first(list); symbol.at; symbol = json_next(symbol)) {
        printf("  %s: ", text_of(symbol, "name", text));
        printf("%s to ", text_of(symbol, "min", text));
        text_of(symbol, "max", text);
        printf("%s", strcmp(text, "null") == 0 ? "any" : text);
        printf(", here %s\n", text_of(symbol, "value", text));
    }
}

/* The names of a step's nodes, wrapped. */
static void print_nodes(json_view step) {
    enum { INDENT = 6 };
    char text[TEXT_BYTES];
    size_t column = 0;
    for (json_view node = json_first(json_member(step, "nodes")); node.at; node = json_next(node)) {
        text_of(node, "node", text);
        if (column > 0 && column + strlen(text) + 2 > LINE_COLUMNS) {
            printf(",\n");
            column = 0;
        }
        if (column == 0)
            column = (size_t)printf("%*s%s", INDENT, "", text);
        else
            column += (size_t)printf(", %s", text);
    }
    if (column > 0)
        printf("\n");
}

static void print_steps(json_view root) {
    char text[TEXT_BYTES], number[CLI_NUMBER_BYTES];
    double flops = 0, moved = 0;
    size_t count = 0, kernels = 0, calls = 0;
    printf("%4s  %9s %11s %11s  %s\n", "step", "FLOP", "read", "written", "kernel, its nodes");
    for (json_view step = json_first(json_member(root, "steps")); step.at; step = json_next(step)) {
        flops += json_number(json_member(step, "flops"));
        moved += json_number(json_member(step, "bytes_read")) +
                 json_number(json_member(step, "bytes_written"));
        printf("%4zu  %9s", count++,
               cli_count_text(json_number(json_member(step, "flops")), number));
        printf(" %11s", bytes_of(step, "bytes_read", number));
        printf(" %11s", bytes_of(step, "bytes_written", number));
        printf("  %s", text_of(step, "name", text));
        bool is_call = json_is(json_member(step, "kind"), "call");
        kernels += json_is(json_member(step, "kind"), "kernel");
        calls += is_call;
        text_of(step, "summary", text);
        printf("%s%s%s", *text ? ": " : "", text, is_call ? ": called" : "");
        text_of(step, "in_place", text);
        printf("%s\n", strcmp(text, "true") == 0 ? ", in place" : "");
        print_nodes(step);
    }
    printf("%zu steps: %zu kernels, %zu on the interpreter", count, kernels,
           count - kernels - calls);
    if (calls > 0)
        printf(", %zu by an executor", calls);
    printf("; ");
    printf("%s FLOP, ", cli_count_text(flops, number));
    printf("%s moved\n", cli_bytes_text(moved, number));
}

static void print_description(const char *json) {
    char text[TEXT_BYTES], number[CLI_NUMBER_BYTES];
    json_view root = json_root(json);
    json_view memory = json_member(root, "memory");
    printf("%s: ", text_of(root, "name", text));
    printf("engine file of tenon %s", text_of(root, "tenon", text));
    printf(", %s\n", bytes_of(root, "file_bytes", number));
    printf("options: %s\n", text_of(root, "options", text));
    for (json_view code = json_first(json_member(root, "code")); code.at; code = json_next(code)) {
        printf("code for %s, ", text_of(code, "target", text));
        printf("%s, ", bytes_of(code, "bytes", number));
        printf("by %s\n", text_of(code, "compiler", text));
    }
    print_values(root, "inputs");
    print_values(root, "outputs");
    print_values(root, "states");
    print_symbols(root);
    printf("\n");
    print_steps(root);
    double live = json_number(json_member(memory, "live_bytes"));
    double arena = json_number(json_member(memory, "arena_bytes"));
    printf("arena %s", cli_bytes_text(arena, number));
    printf(", largest sum of live values %s", cli_bytes_text(live, number));
    if (live > 0)
        printf(" (%.3f)", arena / live);
    printf(", weights %s", bytes_of(memory, "weight_bytes", number));
    printf(", states %s\n", bytes_of(memory, "state_bytes", number));
}

static int inspect_main(int argc, char **argv) {
    inspect_settings settings = {.compile.size = sizeof settings.compile};
    const char *path = NULL;
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    char *json = NULL, *shapes = NULL;
    int code = CLI_OK;
    if (cli_parse(&cli_inspect_command, argc, argv, &settings, &path, &code)) {
        code = cli_env_open(&env);
        if (!code)
            code = cli_engine_open(env, path, &settings.compile, &engine);
        if (!code && !(shapes = cli_shapes_text(&settings.shapes)))
            code = cli_no_memory();
        if (!code)
            code = cli_fail(tn_engine_describe(engine, shapes, &json));
        if (!code && settings.is_json)
            fputs(json, stdout);
        else if (!code)
            print_description(json);
        tn_text_free(engine, json);
        free(shapes);
        tn_engine_release(engine);
        cli_env_close(env);
    }
    cli_list_free(&settings.shapes);
    return code;
}

const cli_command cli_inspect_command = {
    .name = "inspect",
    .operands = "FILE|MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "lists an engine's kernels, memory and sections",
    .details = "Each kernel with the nodes of the model that it computes, its operations and the "
               "bytes that it\nreads and writes (each operand and result counted once).",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .main = inspect_main,
};
