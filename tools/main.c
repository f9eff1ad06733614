/* main.c: the `tenon` command: a table of subcommands, one file each (cmd_NAME.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int main_help(int argc, char **argv);
static int main_version(int argc, char **argv);

static const cli_command help_command = {.name = "help",
                                         .operands = "[COMMAND]",
                                         .operands_max = 1,
                                         .summary = "what a command does and takes",
                                         .details = "",
                                         .main = main_help};
static const cli_command version_command = {.name = "version",
                                            .operands = "",
                                            .summary = "which version of tenon this is",
                                            .details = "",
                                            .main = main_version};

static const cli_command *const commands[] = {
    &cli_compile_command, &cli_run_command,    &cli_bench_command,
    &cli_inspect_command, &cli_report_command, &cli_ops_command,
    &cli_passes_command,  &version_command,    &help_command,
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const cli_command *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name) {
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    const char *nearest = cli_nearest(name, names);
    if (nearest)
        cli_error(CLI_USAGE, "no command is named \"%s\"; did you mean %s?", name, nearest);
    else
        cli_error(CLI_USAGE, "no command is named \"%s\"", name);
    fprintf(stderr, "  see: tenon help\n");
    return CLI_USAGE;
}

static void print_overview(FILE *out) {
    fprintf(out, "tenon compiles models exported from PyTorch into engine files, and runs those.\n"
                 "\n  tenon COMMAND [OPTIONS] ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s%-14s%s\n", commands[i]->name, commands[i]->operands,
                commands[i]->summary);
    fprintf(out, "\nFILE is an engine file, MODEL a .pt2 file; where both will do, a model is "
                 "compiled first.\n`tenon help COMMAND` says more. Exit codes:\n\n");
#define X(enumerator, code, meaning) fprintf(out, "  %3d  %s\n", code, meaning);
    CLI_EXIT_LIST(X)
#undef X
}

static int main_help(int argc, char **argv) {
    const char *name = NULL;
    int code = CLI_OK;
    if (!cli_parse(&help_command, argc, argv, NULL, &name, &code))
        return code;
    if (!name) {
        print_overview(stdout);
        return CLI_OK;
    }
    const cli_command *command = find_command(name);
    if (!command)
        return unknown_command(name);
    cli_print_help(command);
    return CLI_OK;
}

static int main_version(int argc, char **argv) {
    int code = CLI_OK;
    if (!cli_parse(&version_command, argc, argv, NULL, NULL, &code))
        return code;
    printf("tenon %s\n", tn_version());
    return CLI_OK;
}

/* Standard output is complete, or somebody is told. */
static int finish(int code) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return cli_error(code ? (cli_exit)code : CLI_BAD_FILE, "writing to standard output: %s",
                     strerror(errno));
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const cli_command *command = find_command(name);
    if (!command)
        return unknown_command(name);
    return finish(command->main(argc - 1, argv + 1));
}
