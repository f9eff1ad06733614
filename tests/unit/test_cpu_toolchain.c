/* test_cpu_toolchain.c: finding and running the C compiler, what is said when it cannot be done,
 * and that the result is the same every time. Compilers that misbehave are shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/cpu/compile/toolchain.h"
#include "base/file.h"
#include "tenon/compile.h"
#include "tenon/runtime.h"

typedef struct fixture {
    tn_env *env;
    tn_arena arena;
    char *path, *cc; /* of the environment, to be put back */
} fixture;

static const char *const no_flags[] = {NULL};

static void set_variable(const char *name, const char *value) {
    if (value)
        assert_int_equal(setenv(name, value, 1), 0);
    else
        assert_int_equal(unsetenv(name), 0);
}

static int set_up(void **state) {
    static fixture f;
    f.path = getenv("PATH") ? strdup(getenv("PATH")) : NULL;
    f.cc = getenv("CC") ? strdup(getenv("CC")) : NULL;
    assert_null(tn_env_create(NULL, &f.env));
    tn_arena_init(&f.arena, tn_allocator_system());
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    set_variable("PATH", f->path);
    set_variable("CC", f->cc);
    free(f->path);
    free(f->cc);
    tn_arena_deinit(&f->arena);
    tn_env_destroy(f->env);
    return 0;
}

static void write_script(const char *name, const char *body) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", body);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, 0755), 0);
}

static void assert_fails(tn_status status, const char *first, const char *second) {
    assert_int_equal(tn_status_code(status), TN_TOOLCHAIN);
    const char *wanted[] = {first, second};
    for (int i = 0; i < 2; i++)
        if (!strstr(tn_status_message(status), wanted[i]))
            fail_msg("\"%s\" does not say \"%s\"", tn_status_message(status), wanted[i]);
    tn_status_free(status);
}

static void no_compiler(void **state) {
    fixture *f = *state;
    tn_toolchain toolchain;
    set_variable("PATH", "/nowhere");
    set_variable("CC", NULL);
    assert_fails(tn_toolchain_find(&f->arena, NULL, &toolchain), "no C compiler found",
                 "--codegen=none");
    assert_fails(tn_toolchain_find(&f->arena, "my-own-cc", &toolchain), "my-own-cc",
                 "No such file");
}

static void version_fails(void **state) {
    fixture *f = *state;
    tn_toolchain toolchain;
    write_script("no-version", "exit 3");
    assert_fails(tn_toolchain_find(&f->arena, "./no-version", &toolchain), "./no-version --version",
                 "exit code 3");
}

static void cc_of_the_environment(void **state) {
    fixture *f = *state;
    tn_toolchain toolchain;
    write_script("own-cc", "echo own compiler 1.2; echo second line");
    set_variable("CC", "./own-cc");
    assert_null(tn_toolchain_find(&f->arena, NULL, &toolchain));
    assert_string_equal(toolchain.path, "./own-cc");
    assert_string_equal(toolchain.version, "own compiler 1.2");
    /* The one asked for comes first; one that cannot run is passed over. */
    write_script("asked-for", "echo asked 3");
    assert_null(tn_toolchain_find(&f->arena, "./asked-for", &toolchain));
    assert_string_equal(toolchain.version, "asked 3");
    set_variable("CC", "./missing");
    assert_null(tn_toolchain_find(&f->arena, NULL, &toolchain));
    assert_string_equal(toolchain.path, "cc");
}

static tn_status build(fixture *f, const tn_toolchain *toolchain, const char *source,
                       const char *cache, const uint8_t **out_code, size_t *out_bytes) {
    return tn_toolchain_build(f->env, &f->arena, toolchain, no_flags, tn_str_of(source), cache,
                              out_code, out_bytes);
}

static void compiler_fails(void **state) {
    fixture *f = *state;
    const uint8_t *code = NULL;
    size_t bytes = 0;
    write_script("failing-cc", "echo 'segment.c:1: internal trouble' >&2; exit 1");
    assert_fails(build(f, &(tn_toolchain){"./failing-cc", "1"}, "int x;", NULL, &code, &bytes),
                 "./failing-cc failed with exit code 1", "internal trouble");
    write_script("dying-cc", "kill -9 $$");
    assert_fails(build(f, &(tn_toolchain){"./dying-cc", "1"}, "int x;", NULL, &code, &bytes),
                 "exit code 137", "");
    /* More output than is kept. */
    write_script("noisy-cc", "i=0; while [ $i -lt 3000 ]; do echo a long line of errors $i; "
                             "i=$((i+1)); done; exit 1");
    assert_fails(build(f, &(tn_toolchain){"./noisy-cc", "1"}, "int x;", NULL, &code, &bytes),
                 "a long line of errors 0", "exit code 1");
    /* One that says that all is well and writes nothing. */
    tn_status status = build(f, &(tn_toolchain){"/bin/true", "1"}, "int x;", NULL, &code, &bytes);
    assert_int_equal(tn_status_code(status), TN_NOT_FOUND);
    tn_status_free(status);
    /* A source that the real compiler refuses. */
    tn_toolchain toolchain;
    assert_null(tn_toolchain_find(&f->arena, NULL, &toolchain));
    assert_fails(build(f, &toolchain, "int f(void) { return missing; }", NULL, &code, &bytes),
                 "on generated code", "missing");
}

static void no_temporary_folder(void **state) {
    fixture *f = *state;
    const uint8_t *code = NULL;
    size_t bytes = 0;
    char *kept = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    set_variable("TMPDIR", "/nowhere/at/all");
    tn_status status = build(f, &(tn_toolchain){"cc", "1"}, "int x;", NULL, &code, &bytes);
    assert_int_equal(tn_status_code(status), TN_IO);
    assert_non_null(strstr(tn_status_message(status), "/nowhere/at/all"));
    tn_status_free(status);
    set_variable("TMPDIR", kept);
    free(kept);
}

static void cache(void **state) {
    fixture *f = *state;
    const uint8_t *first = NULL, *second = NULL, *third = NULL;
    size_t first_bytes = 0, second_bytes = 0, third_bytes = 0;
    tn_toolchain toolchain;
    assert_null(tn_toolchain_find(&f->arena, NULL, &toolchain));
    const char *source = "int answer(void) { return 42; }";
    assert_null(build(f, &toolchain, source, "cache", &first, &first_bytes));
    assert_true(first_bytes > 100);
    /* The second build has no compiler to run: it must come from the cache. */
    tn_toolchain gone = {"./missing", toolchain.version};
    assert_null(build(f, &gone, source, "cache", &second, &second_bytes));
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second, first_bytes);
    /* Another source, another compiler: not from the cache. */
    assert_fails(build(f, &gone, "int answer(void) { return 43; }", "cache", &third, &third_bytes),
                 "./missing", "");
    gone.version = "another compiler";
    assert_fails(build(f, &gone, source, "cache", &third, &third_bytes), "./missing", "");
    /* Without a cache the same source gives the same bytes. */
    assert_null(build(f, &toolchain, source, NULL, &third, &third_bytes));
    assert_int_equal(first_bytes, third_bytes);
    assert_memory_equal(first, third, first_bytes);
    /* A cache that cannot be made. */
    tn_status status = build(f, &toolchain, source, "own-cc/cache", &third, &third_bytes);
    assert_int_equal(tn_status_code(status), TN_IO);
    tn_status_free(status);
}

/* Two compiles of one model, in other folders and by the other way round a cache, are one file. */
static void engines_are_equal(void **state) {
    fixture *f = *state;
    char model[1024];
    snprintf(model, sizeof model, "%s/data/counter-core.pt2", getenv("TENON_TESTS"));
    tn_compile_options options = {.size = sizeof options, .cache_dir = "engines"};
    assert_null(tn_compile_file(f->env, model, &options, "first.tenon"));
    assert_null(tn_compile_file(f->env, model, &options, "cached.tenon"));
    options.cache_dir = NULL;
    assert_null(tn_compile_file(f->env, model, &options, "third.tenon"));
    tn_mapping maps[3];
    const char *names[] = {"first.tenon", "cached.tenon", "third.tenon"};
    for (int i = 0; i < 3; i++) {
        assert_null(tn_mapping_open(names[i], &maps[i]));
        assert_int_equal(maps[i].bytes, maps[0].bytes);
        assert_memory_equal(maps[i].data, maps[0].data, maps[0].bytes);
    }
    for (int i = 0; i < 3; i++)
        tn_mapping_close(&maps[i]);
}

/* An engine carries its maker's text, and has none unless given. */
static void metadata_is_kept(void **state) {
    fixture *f = *state;
    char model[1024];
    snprintf(model, sizeof model, "%s/data/counter-core.pt2", getenv("TENON_TESTS"));
    static const char *const texts[] = {NULL, "{\"by\": \"a test\"}"};
    for (int i = 0; i < 2; i++) {
        tn_compile_options options = {.size = sizeof options, .codegen = "none"};
        assert_null(tn_compile_options_set(&options, "metadata", texts[i]));
        assert_null(tn_compile_file(f->env, model, &options, "with_metadata.tenon"));
        tn_engine *engine = NULL;
        assert_null(tn_engine_load(f->env, "with_metadata.tenon", NULL, &engine));
        assert_string_equal(tn_engine_metadata(engine), texts[i] ? texts[i] : "");
        tn_engine_release(engine);
    }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_compiler),
        TEST(version_fails),
        TEST(cc_of_the_environment),
        TEST(compiler_fails),
        TEST(cache),
        TEST(no_temporary_folder),
        TEST(engines_are_equal),
        TEST(metadata_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
