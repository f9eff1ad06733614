/* cli_parse.c: command lines against a command's table of options, and the help that the same table
 * makes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { NAMES_MAX = 64, HELP_COLUMN = 28, WORD_MAX = 32 };

void cli_list_free(cli_list *list) {
    free(list->items);
    *list = (cli_list){0};
}

static int list_add(cli_list *list, const char *item) {
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return cli_no_memory();
    list->items = items;
    items[list->count++] = item;
    return CLI_OK;
}

/* ---- nearest name ---------------------------------------------------------------------------- */

/* Levenshtein's distance of the first WORD_MAX bytes. */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    size_t a_len = strnlen(a, WORD_MAX), b_len = strnlen(b, WORD_MAX);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *cli_nearest(const char *text, const char *const *names) {
    const char *nearest = NULL;
    size_t length = strlen(text), least = length / 3 + 2;
    for (; *names; names++) {
        /* The beginning of a name is nearer than any other word. */
        size_t d = length >= 3 && strncmp(text, *names, length) == 0 ? 0 : distance(text, *names);
        if (d < least) {
            least = d;
            nearest = *names;
        }
    }
    return nearest;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool cli_to_count(const char *text, uint64_t *out_value) {
    char *end = NULL;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out_value = strtoull(text, &end, 10);
    return errno == 0 && *end == 0;
}

static bool to_real(const char *text, double *out_value) {
    char *end = NULL;
    if (*text == 0)
        return false;
    errno = 0;
    *out_value = strtod(text, &end);
    return errno == 0 && *end == 0 && *out_value >= 0 && *out_value < 1e12;
}

static int store(const cli_command *command, const cli_option *option, const char *value,
                 void *settings) {
    void *field = (char *)settings + option->offset;
    bool is_good = true;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)field = true;
        break;
    case CLI_TRUE:
        *(const char **)field = "true";
        break;
    case CLI_TEXT:
        *(const char **)field = value;
        break;
    case CLI_COUNT:
        is_good = cli_to_count(value, field);
        break;
    case CLI_REAL:
        is_good = to_real(value, field);
        break;
    case CLI_LIST:
        return list_add(field, value);
    }
    if (is_good)
        return CLI_OK;
    return cli_usage(command, "%s: \"%s\", expected a number that is not negative", option->name,
                     value);
}

/* ---- options --------------------------------------------------------------------------------- */

/* text (length bytes) is one of the option's names. */
static bool is_named(const cli_option *option, const char *text, size_t length) {
    for (const char *name = option->name; name; name = strchr(name, ',')) {
        name += *name == ',';
        if (strcspn(name, ",") == length && strncmp(name, text, length) == 0)
            return true;
    }
    return false;
}

static int unknown_option(const cli_command *command, const char *text) {
    const char *names[NAMES_MAX + 2] = {"--help"};
    size_t count = 1;
    char copies[NAMES_MAX][WORD_MAX];
    for (size_t i = 0; i < command->option_count && count < NAMES_MAX; i++) {
        size_t length = strcspn(command->options[i].name, ",");
        if (length >= WORD_MAX)
            length = WORD_MAX - 1;
        memcpy(copies[count], command->options[i].name, length);
        copies[count][length] = 0;
        names[count] = copies[count];
        count++;
    }
    int length = (int)strcspn(text, "=");
    char word[WORD_MAX * 2];
    snprintf(word, sizeof word, "%.*s", length, text);
    const char *nearest = cli_nearest(word, names);
    if (nearest)
        return cli_usage(command, "unknown option %.*s; did you mean %s?", length, text, nearest);
    return cli_usage(command, "unknown option %.*s", length, text);
}

/* One option at argv[*at]; moves *at past its value. */
static int take_option(const cli_command *command, int argc, char **argv, int *at, void *settings) {
    const char *text = argv[*at];
    size_t length = strcspn(text, "=");
    const cli_option *option = NULL;
    for (size_t i = 0; i < command->option_count; i++)
        if (is_named(&command->options[i], text, length))
            option = &command->options[i];
    if (!option)
        return unknown_option(command, text);
    const char *value = text[length] ? text + length + 1 : NULL;
    if (!option->value && value)
        return cli_usage(command, "%.*s takes no value, given \"%s\"", (int)length, text, value);
    if (option->value && !value) {
        if (*at + 1 >= argc)
            return cli_usage(command, "%s lacks its value %s", text, option->value);
        value = argv[++*at];
    }
    return store(command, option, value, settings);
}

bool cli_parse(const cli_command *command, int argc, char **argv, void *settings,
               const char **out_operands, int *out_exit) {
    size_t count = 0;
    bool has_ended = false; /* "--" was seen */
    for (size_t i = 0; i < command->operands_max; i++)
        out_operands[i] = NULL;
    *out_exit = CLI_OK;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (!has_ended && strcmp(text, "--") == 0) {
            has_ended = true;
        } else if (!has_ended && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            cli_print_help(command);
            return false;
        } else if (!has_ended && text[0] == '-' && text[1]) {
            *out_exit = take_option(command, argc, argv, &i, settings);
            if (*out_exit)
                return false;
        } else if (count < command->operands_max) {
            out_operands[count++] = text;
        } else {
            *out_exit = cli_usage(command, "unexpected argument \"%s\"", text);
            return false;
        }
    }
    if (count >= command->operands_min)
        return true;
    *out_exit = cli_usage(command, "%s is missing", command->operands);
    return false;
}

/* ---- help ------------------------------------------------------------------------------------ */

void cli_print_help(const cli_command *command) {
    printf("tenon %s%s%s%s: %s\n", command->name, *command->operands ? " " : "", command->operands,
           command->option_count ? " [OPTIONS]" : "", command->summary);
    if (*command->details)
        printf("\n%s\n", command->details);
    if (command->option_count)
        printf("\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const cli_option *option = &command->options[i];
        size_t long_length = strcspn(option->name, ",");
        char left[80];
        snprintf(left, sizeof left, "%s%s%.*s%s%s",
                 option->name[long_length] ? option->name + long_length + 1 : "",
                 option->name[long_length] ? ", " : "", (int)long_length, option->name,
                 option->value ? " " : "", option->value ? option->value : "");
        printf("  %-*s %s\n", HELP_COLUMN, left, option->help);
    }
}
