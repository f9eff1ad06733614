/* cli_env.c: errors, progress and interrupts: everything that the command says on standard
 * error. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* Set by Control-C; long work looks at it through the progress callback. */
static volatile sig_atomic_t is_interrupted;
/* A progress line stands on the terminal and must go before anything else is printed. */
static bool has_progress_line;

void cli_progress_end(void) {
    if (has_progress_line)
        fputs("\r\033[K", stderr);
    has_progress_line = false;
}

bool cli_is_interrupted(void) {
    return is_interrupted != 0;
}

/* ---- errors ---------------------------------------------------------------------------------- */

int cli_error(cli_exit code, const char *format, ...) {
    cli_progress_end();
    va_list args;
    va_start(args, format);
    fputs("tenon: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

int cli_usage(const cli_command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "tenon %s: ", command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n  see: tenon %s --help\n", command->name);
    va_end(args);
    return CLI_USAGE;
}

int cli_no_memory(void) {
    return cli_error(CLI_FAILED, "out of memory");
}

static cli_exit exit_of(tn_code code) {
    switch (code) {
    case TN_OK:
        return CLI_OK;
    case TN_UNSUPPORTED:
        return CLI_UNSUPPORTED;
    case TN_IO:
    case TN_CORRUPT:
    case TN_NOT_FOUND:
        return CLI_BAD_FILE;
    case TN_TOOLCHAIN:
        return CLI_NO_COMPILER;
    case TN_CANCELLED:
        return CLI_CANCELLED;
    case TN_INTERNAL:
        return CLI_BUG;
    case TN_INVALID_ARGUMENT:
    case TN_OUT_OF_MEMORY:
    case TN_OUT_OF_RANGE:
        break;
    }
    return CLI_FAILED;
}

int cli_fail(tn_status status) {
    if (!status)
        return CLI_OK;
    cli_exit code = exit_of(tn_status_code(status));
    cli_error(code, "%s", tn_status_message(status));
    for (size_t i = 0; tn_status_note(status, i); i++)
        fprintf(stderr, "  %s\n", tn_status_note(status, i));
    tn_status_free(status);
    return code;
}

/* ---- environment ----------------------------------------------------------------------------- */

static void print_log(void *user, tn_log_level level, const char *message) {
    (void)user;
    if (level > TN_LOG_WARNING)
        return;
    cli_progress_end();
    fprintf(stderr, "tenon: %s%s\n", level == TN_LOG_WARNING ? "warning: " : "", message);
}

static bool show_progress(void *user, double fraction, const char *what) {
    (void)user;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K[%3.0f%%] %.70s", 100 * fraction, what);
        has_progress_line = true;
    }
    return !is_interrupted;
}

/* The first interrupt asks, the second one kills as usual. */
static void interrupt(int number) {
    (void)number;
    is_interrupted = 1;
}

int cli_env_open(tn_env **out_env) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    /* A file that grows past the limit is an error to report, as a full disk is, not a death that
     * leaves temporary files. */
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGXFSZ, &action, NULL);
    tn_env_options options = {.size = sizeof options, .log = print_log, .progress = show_progress};
    return cli_fail(tn_env_create(&options, out_env));
}

void cli_env_close(tn_env *env) {
    cli_progress_end();
    tn_env_destroy(env);
}

double cli_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
