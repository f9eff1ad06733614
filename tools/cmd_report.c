/* cmd_report.c: `tenon report`: what would happen to each node of a model, and why, before anything
 * is compiled. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json_view.h"

typedef struct report_settings {
    tn_compile_options compile;
    bool is_json, has_nodes;
} report_settings;

static const cli_option options[] = {
    {"--json", NULL, "everything, as JSON (docs/report.md)", CLI_FLAG,
     offsetof(report_settings, is_json)},
    {"--nodes", NULL, "every node's fate, not only those that fall back", CLI_FLAG,
     offsetof(report_settings, has_nodes)},
    CLI_COMPILE_OPTIONS(report_settings),
};

enum { NAME_BYTES = 128, TEXT_BYTES = 4096 };

typedef enum fate { REFUSED, FALLBACK, ENGINE } fate;

/* How often an operator occurs with one fate. */
typedef struct op_count {
    char op[NAME_BYTES];
    fate fate;
    size_t count;
} op_count;

static fate fate_of(json_view node) {
    json_view text = json_member(node, "fate");
    return json_is(text, "engine") ? ENGINE : json_is(text, "fallback") ? FALLBACK : REFUSED;
}

static int by_fate_and_count(const void *a, const void *b) {
    const op_count *x = a, *y = b;
    if (x->fate != y->fate)
        return x->fate < y->fate ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->op, y->op);
}

/* One entry per operator and fate, in the order of fates. NULL without memory. */
static op_count *count_ops(json_view nodes, size_t *out_count) {
    *out_count = 0;
    op_count *counts = calloc(json_length(nodes) + 1, sizeof *counts);
    for (json_view node = json_first(nodes); counts && node.at; node = json_next(node)) {
        op_count entry = {.fate = fate_of(node), .count = 1};
        json_text(json_member(node, "op"), entry.op, sizeof entry.op);
        size_t i = 0;
        while (i < *out_count &&
               (counts[i].fate != entry.fate || strcmp(counts[i].op, entry.op) != 0))
            i++;
        if (i < *out_count)
            counts[i].count++;
        else
            counts[(*out_count)++] = entry;
    }
    if (counts)
        qsort(counts, *out_count, sizeof *counts, by_fate_and_count);
    return counts;
}

static void print_op_counts(const op_count *counts, size_t count, fate wanted, const char *title) {
    bool has_title = false;
    for (size_t i = 0; i < count; i++) {
        if (counts[i].fate != wanted)
            continue;
        if (!has_title)
            printf("\n%s\n", title);
        has_title = true;
        printf("  %s: %zu\n", counts[i].op, counts[i].count);
    }
}

/* Text that may hold line breaks (a stack trace), each line indented. */
static void print_indented(const char *text) {
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length > 0)
            printf("      %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_node(json_view node) {
    static const char *const words[] = {
        [REFUSED] = "refused", [FALLBACK] = "falls back", [ENGINE] = "engine"};
    char text[TEXT_BYTES];
    printf("  %s", json_text(json_member(node, "node"), text, sizeof text));
    printf(" (%s): ", json_text(json_member(node, "op"), text, sizeof text));
    printf("%s\n", words[fate_of(node)]);
    json_text(json_member(node, "module"), text, sizeof text);
    if (*text)
        printf("      in %s\n", text);
    if (fate_of(node) == ENGINE)
        return;
    print_indented(json_text(json_member(node, "reason"), text, sizeof text));
    print_indented(json_text(json_member(node, "source"), text, sizeof text));
}

static void print_nodes(json_view nodes, bool has_all, const char *title) {
    bool has_title = false;
    for (json_view node = json_first(nodes); node.at; node = json_next(node)) {
        if (!has_all && fate_of(node) == ENGINE)
            continue;
        if (!has_title)
            printf("\n%s\n", title);
        has_title = true;
        print_node(node);
    }
}

static void print_interface(json_view root) {
    char text[TEXT_BYTES];
    printf("\nInputs:\n");
    json_view inputs = json_member(root, "inputs");
    for (json_view input = json_first(inputs); input.at; input = json_next(input)) {
        printf("  %s: ", json_text(json_member(input, "name"), text, sizeof text));
        printf("%s\n", json_text(json_member(input, "type"), text, sizeof text));
    }
    json_view symbols = json_member(root, "symbols");
    for (json_view symbol = json_first(symbols); symbol.at; symbol = json_next(symbol)) {
        printf("  %s: ", json_text(json_member(symbol, "name"), text, sizeof text));
        printf("%s to ", json_text(json_member(symbol, "min"), text, sizeof text));
        json_view max = json_member(symbol, "max");
        printf("%s\n", max.at ? json_text(max, text, sizeof text) : "any");
    }
    printf("Outputs:\n");
    json_view outputs = json_member(root, "outputs");
    for (json_view output = json_first(outputs); output.at; output = json_next(output))
        printf("  %s\n", json_text(output, text, sizeof text));
}

static int print_report(const char *json, bool has_nodes) {
    char text[TEXT_BYTES];
    json_view root = json_root(json), nodes = json_member(root, "nodes");
    size_t total = json_length(nodes), op_total = 0;
    op_count *ops = count_ops(nodes, &op_total);
    if (!ops)
        return cli_no_memory();
    size_t fallbacks = (size_t)json_integer(json_member(root, "fallback_count"));
    size_t refusals = (size_t)json_integer(json_member(root, "refused_count"));
    size_t inside = total - fallbacks - refusals;
    printf("%s", json_text(json_member(root, "model"), text, sizeof text));
    if (*json_text(json_member(root, "producer"), text, sizeof text))
        printf(" (%s)", text);
    printf(": %zu nodes, of which %zu run in the engine, %.2f%% coverage\n", total, inside,
           total ? 100 * (double)inside / (double)total : 100.0);
    printf("Settings: %s\n", json_text(json_member(root, "options"), text, sizeof text));
    print_interface(root);
    print_op_counts(ops, op_total, REFUSED,
                    "Operators that are refused, with the number of their nodes:");
    print_op_counts(ops, op_total, FALLBACK,
                    "Operators that fall back to an executor, with the number of their nodes:");
    print_op_counts(ops, op_total, ENGINE, "Operators in the engine:");
    print_nodes(nodes, has_nodes, has_nodes ? "Nodes:" : "Nodes that are not in the engine:");
    if (refusals > 0)
        printf("\nA compile would refuse this model because of what is refused.\n");
    else if (fallbacks > 0)
        printf(
            "\nThe engine runs where an executor serves what falls back (in Python, PyTorch).\n");
    free(ops);
    return CLI_OK;
}

static int report_main(int argc, char **argv) {
    report_settings settings = {.compile.size = sizeof settings.compile};
    const char *model = NULL;
    tn_env *env = NULL;
    char *json = NULL;
    int code = CLI_OK;
    if (!cli_parse(&cli_report_command, argc, argv, &settings, &model, &code))
        return code;
    code = cli_env_open(&env);
    if (!code)
        code = cli_fail(tn_report_file(env, model, &settings.compile, &json));
    cli_progress_end();
    if (!code && settings.is_json)
        fputs(json, stdout);
    else if (!code)
        code = print_report(json, settings.has_nodes);
    tn_report_free(env, json);
    cli_env_close(env);
    return code;
}

const cli_command cli_report_command = {
    .name = "report",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "says what would happen to each node of a model, and why",
    .details = "Nothing is compiled. What it says is what `tenon compile` with the same options "
               "acts on.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .main = report_main,
};
