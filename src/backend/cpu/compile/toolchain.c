/* toolchain.c: runs the compiler with posix_spawn (no shell) in a private temporary folder. The
 * result depends on source, flags and compiler alone: fixed file names, no build id, no debug
 * information. */
#include "backend/cpu/compile/toolchain.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"

extern char **environ;

enum { ARGS_MAX = 64, OUTPUT_MAX = 16 << 10 };

/* Flags that do not depend on the target. Strict floating point, except that multiply and add may
 * be contracted and errno is not set. */
static const char *const common_flags[] = {"-std=gnu11",
                                           "-O3",
                                           "-fPIC",
                                           "-shared",
                                           "-ffp-contract=fast",
                                           "-fno-math-errno",
                                           "-fno-trapping-math",
                                           "-fno-asynchronous-unwind-tables",
                                           "-fvisibility=default",
                                           "-w",
                                           "-Wl,--build-id=none",
                                           "-Wl,-s",
                                           NULL};

/* ---- processes ----------------------------------------------------------------------------------
 */

/* Runs argv, its output (both streams) into *out_text up to OUTPUT_MAX bytes. */
static tn_status run(tn_arena *arena, char *const *argv, const char **out_text, int *out_exit) {
    *out_text = "";
    *out_exit = -1;
    char *text = tn_arena_alloc(arena, OUTPUT_MAX + 1, 1);
    if (!text)
        return tn_error_out_of_memory();
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return tn_error_make(TN_IO, "pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
    pid_t pid = 0;
    int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        return tn_error_make(TN_TOOLCHAIN, "running %s: %s", argv[0], strerror(error));
    }
    size_t len = 0;
    char overflow[512] = {0};
    for (;;) {
        bool is_full = len == OUTPUT_MAX;
        ssize_t got = read(fds[0], is_full ? overflow : text + len,
                           is_full ? sizeof overflow : OUTPUT_MAX - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!is_full)
            len += (size_t)got;
    }
    close(fds[0]);
    int state = 0;
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {
    }
    *out_exit = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    *out_text = text;
    return NULL;
}

static tn_status ask_version(tn_arena *arena, const char *compiler, const char **out_version) {
    *out_version = NULL;
    char *const argv[] = {(char *)(uintptr_t)compiler, (char *)(uintptr_t) "--version", NULL};
    const char *text = NULL;
    int exit_code = 0;
    TN_TRY(run(arena, argv, &text, &exit_code));
    if (exit_code != 0)
        return tn_error_make(TN_TOOLCHAIN, "%s --version ends with exit code %d", compiler,
                             exit_code);
    *out_version = tn_arena_printf(arena, "%.*s", (int)strcspn(text, "\n"), text);
    return *out_version ? NULL : tn_error_out_of_memory();
}

tn_status tn_toolchain_find(tn_arena *arena, const char *wanted, tn_toolchain *out_toolchain) {
    *out_toolchain = (tn_toolchain){0};
    const char *from_environment = getenv("CC");
    const char *const candidates[] = {
        from_environment && *from_environment ? from_environment : "cc", "cc", "gcc", "clang"};
    if (wanted) {
        out_toolchain->path = wanted;
        return tn_status_annotate(ask_version(arena, wanted, &out_toolchain->version),
                                  "while looking for the C compiler that was asked for");
    }
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        tn_status status = ask_version(arena, candidates[i], &out_toolchain->version);
        if (!status) {
            out_toolchain->path = candidates[i];
            return NULL;
        }
        if (tn_status_code(status) == TN_OUT_OF_MEMORY)
            return status;
        tn_status_free(status);
    }
    return tn_error_make(TN_TOOLCHAIN,
                         "no C compiler found (tried $CC, cc, gcc, clang): install gcc or "
                         "clang, name one with --compiler, or use --codegen=none, which "
                         "runs on the interpreter");
}

/* ---- building -----------------------------------------------------------------------------------
 */

static tn_status write_text(const char *path, tn_str text) {
    FILE *file = fopen(path, "wbe");
    if (!file)
        return tn_error_make(TN_IO, "creating %s: %s", path, strerror(errno));
    size_t written = fwrite(text.data, 1, text.len, file);
    int error = errno;
    if (fclose(file) != 0 || written != text.len)
        return tn_error_make(TN_IO, "writing %zu bytes to %s: %s", text.len, path, strerror(error));
    return NULL;
}

static tn_status read_file(tn_arena *arena, const char *path, const uint8_t **out_data,
                           size_t *out_bytes) {
    tn_mapping mapping;
    TN_TRY(tn_mapping_open(path, &mapping));
    uint8_t *copy = tn_arena_alloc(arena, mapping.bytes + 1, 1);
    if (copy && mapping.bytes > 0)
        memcpy(copy, mapping.data, mapping.bytes);
    *out_data = copy;
    *out_bytes = mapping.bytes;
    tn_mapping_close(&mapping);
    return copy ? NULL : tn_error_out_of_memory();
}

static tn_status compile_in(tn_arena *arena, const char *dir, const tn_toolchain *toolchain,
                            const char *const *flags, tn_str source, const uint8_t **out_code,
                            size_t *out_bytes) {
    const char *c_path = tn_arena_printf(arena, "%s/segment.c", dir);
    const char *so_path = tn_arena_printf(arena, "%s/segment.so", dir);
    if (!c_path || !so_path)
        return tn_error_out_of_memory();
    tn_status status = write_text(c_path, source);
    const char *argv[ARGS_MAX];
    size_t count = 0;
    argv[count++] = toolchain->path;
    for (size_t i = 0; common_flags[i]; i++)
        argv[count++] = common_flags[i];
    for (size_t i = 0; flags[i] && count + 6 < ARGS_MAX; i++)
        argv[count++] = flags[i];
    argv[count++] = "-o";
    argv[count++] = so_path;
    argv[count++] = c_path;
    argv[count++] = "-lm";
    argv[count] = NULL;
    const char *text = "";
    int exit_code = 0;
    if (!status)
        status = run(arena, (char *const *)(uintptr_t)argv, &text, &exit_code);
    if (!status && exit_code != 0)
        status = tn_error_make(TN_TOOLCHAIN, "%s failed with exit code %d on generated code:\n%s",
                               toolchain->path, exit_code, text);
    if (!status)
        status = read_file(arena, so_path, out_code, out_bytes);
    unlink(c_path);
    unlink(so_path);
    return status;
}

/* The cache's key is everything that decides the code. */
static const char *cache_path(tn_arena *arena, const char *cache_dir, const tn_toolchain *toolchain,
                              const char *const *flags, tn_str source) {
    uint64_t low = tn_hash_bytes(source.data, source.len, 1);
    uint64_t high = tn_hash_bytes(source.data, source.len, 2);
    const char *const *lists[] = {common_flags, flags};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l][i]; i++) {
            low = tn_hash_bytes(lists[l][i], strlen(lists[l][i]) + 1, low);
            high = tn_hash_bytes(lists[l][i], strlen(lists[l][i]) + 1, high);
        }
    low = tn_hash_bytes(toolchain->version, strlen(toolchain->version), low);
    high = tn_hash_bytes(toolchain->version, strlen(toolchain->version), high);
    return tn_arena_printf(arena, "%s/%016llx%016llx.so", cache_dir, (unsigned long long)high,
                           (unsigned long long)low);
}

/* A cache that cannot be written is no reason to fail. */
static void store_in_cache(const tn_env *env, const char *path, const uint8_t *code, size_t bytes) {
    tn_file_writer writer;
    tn_status status = tn_file_writer_open(&writer, &env->allocator, path);
    if (!status) {
        status = tn_file_writer_append(&writer, code, bytes);
        if (!status)
            status = tn_file_writer_commit(&writer);
        tn_file_writer_close(&writer);
    }
    if (status)
        tn_log(env, TN_LOG_WARNING, "compile cache: %s", tn_status_message(status));
    tn_status_free(status);
}

tn_status tn_toolchain_build(const tn_env *env, tn_arena *arena, const tn_toolchain *toolchain,
                             const char *const *flags, tn_str source, const char *cache_dir,
                             const uint8_t **out_code, size_t *out_bytes) {
    *out_code = NULL;
    *out_bytes = 0;
    const char *cached = NULL;
    if (cache_dir) {
        if (mkdir(cache_dir, 0777) != 0 && errno != EEXIST)
            return tn_error_make(TN_IO, "making the cache folder %s: %s", cache_dir,
                                 strerror(errno));
        cached = cache_path(arena, cache_dir, toolchain, flags, source);
        if (!cached)
            return tn_error_out_of_memory();
        if (access(cached, R_OK) == 0)
            return read_file(arena, cached, out_code, out_bytes);
    }
    const char *root = getenv("TMPDIR");
    char *dir =
        (char *)(uintptr_t)tn_arena_printf(arena, "%s/tenon-XXXXXX", root && *root ? root : "/tmp");
    if (!dir)
        return tn_error_out_of_memory();
    if (!mkdtemp(dir))
        return tn_error_make(TN_IO, "making a temporary folder %s: %s", dir, strerror(errno));
    tn_status status = compile_in(arena, dir, toolchain, flags, source, out_code, out_bytes);
    rmdir(dir);
    if (!status && cached)
        store_in_cache(env, cached, *out_code, *out_bytes);
    return status;
}
