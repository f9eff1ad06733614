/* cmd_listing.c: `tenon ops` and `tenon passes`: what this build of tenon knows. */
#include <string.h>

#include "cli.h"

/* A JSON string; the library's own names and schemas, so ASCII. */
static void print_quoted(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

typedef struct ops_settings {
    bool is_json;
    const char *part; /* only operators whose schema contains it */
    const char *family;
    size_t count;
} ops_settings;

static const cli_option ops_options[] = {
    {"--json", NULL, "as a list of objects: family, schema, converter", CLI_FLAG,
     offsetof(ops_settings, is_json)},
};

static bool print_op(void *user, const char *family, const char *schema, const char *cases,
                     bool has_converter) {
    ops_settings *settings = user;
    (void)cases;
    if (settings->part && !strstr(schema, settings->part))
        return true;
    if (settings->is_json) {
        printf("%s\n {\"family\": ", settings->count ? "," : "[");
        print_quoted(family);
        printf(", \"schema\": ");
        print_quoted(schema);
        printf(", \"converter\": %s}", has_converter ? "true" : "false");
    } else {
        if (!settings->family || strcmp(settings->family, family) != 0)
            printf("%s%s\n", settings->count ? "\n" : "", family);
        printf("  %s%s\n", schema, has_converter ? "" : "  (functionalised)");
    }
    settings->family = family;
    settings->count++;
    return true;
}

static int ops_main(int argc, char **argv) {
    ops_settings settings = {0};
    int code = CLI_OK;
    if (!cli_parse(&cli_ops_command, argc, argv, &settings, &settings.part, &code))
        return code;
    tn_env *env = NULL;
    code = cli_env_open(&env);
    if (!code)
        code = cli_fail(tn_list_ops(env, print_op, &settings));
    cli_env_close(env);
    if (!code && settings.is_json)
        printf("%s]\n", settings.count ? "\n" : "[");
    else if (!code && settings.count == 0)
        code = cli_error(CLI_FAILED, "no operator's schema contains \"%s\"", settings.part);
    return code;
}

const cli_command cli_ops_command = {
    .name = "ops",
    .operands = "[PART]",
    .operands_max = 1,
    .summary = "lists the operators that can be compiled",
    .details = "Only those whose schema contains PART, if it is given. In-place operators are "
               "rewritten as their\nfunctional forms first.",
    .options = ops_options,
    .option_count = sizeof ops_options / sizeof *ops_options,
    .main = ops_main,
};

static bool print_pass(void *user, const char *stage, const char *name, const char *summary) {
    (void)user;
    printf("%-8s%-24s%s\n", stage, name, summary);
    return true;
}

static int passes_main(int argc, char **argv) {
    int code = CLI_OK;
    if (!cli_parse(&cli_passes_command, argc, argv, NULL, NULL, &code))
        return code;
    tn_env *env = NULL;
    code = cli_env_open(&env);
    if (!code)
        code = cli_fail(tn_list_passes(env, print_pass, NULL));
    cli_env_close(env);
    return code;
}

const cli_command cli_passes_command = {
    .name = "passes",
    .operands = "",
    .summary = "lists the passes in the order in which they run",
    .details =
        "`tenon compile --disable-pass NAME` leaves one out, --dump DIR shows what each did.",
    .main = passes_main,
};
