/* test_compile.c: compiling with too little memory: of whole files with the env's allocator failing
 * at every request in turn; of the CPU backend's code generator in an arena with room for so many
 * bytes and no more, so that each allocation inside of a block fails too. Every time the error is
 * TN_OUT_OF_MEMORY and nothing leaks. ctest: standard timeout=200 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/cpu/compile/cpu_compile.h"
#include "base/env.h"
#include "engine/program_builder.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "kir/prim.h"
#include "tenon/compile.h"

#define ENGINE "compiled.tenon"
#define NO_COMPILER "./no-such-compiler"

/* ---- whole files --------------------------------------------------------------------------------
 */

/* Compiles with the fail_at-th request failing (0: none), returning how many there were. */
static tn_status compile(const char *model, const char *codegen, const char *executed_ops,
                         size_t fail_at, size_t *out_requests) {
    tn_test_allocator failing;
    tn_env_options env_options = {
        .size = sizeof env_options,
        .allocator = tn_test_allocator_init(&failing, tn_allocator_system(), fail_at)};
    tn_env *env = NULL;
    tn_status status = tn_env_create(&env_options, &env);
    tn_compile_options options = {.size = sizeof options,
                                  .codegen = codegen,
                                  .target = "cpu:portable",
                                  .cache_dir = "cache",
                                  .executed_ops = executed_ops};
    if (!status)
        status = tn_compile_file(env, model, &options, ENGINE);
    tn_env_destroy(env);
    assert_int_equal(atomic_load(&failing.live_blocks), 0);
    *out_requests = atomic_load(&failing.request_count);
    return status;
}

static void check_success(tn_status status, const char *what) {
    if (status)
        print_error("%s: %s\n", what, tn_status_message(status));
    assert_null(status);
}

static void check_file(const char *name, const char *codegen, const char *executed_ops) {
    char path[1024];
    size_t requests = 0, ignored = 0;
    snprintf(path, sizeof path, "%s/data/%s", getenv("TENON_TESTS"), name);
    check_success(compile(path, codegen, executed_ops, 0, &requests), name); /* fills the cache */
    check_success(compile(path, codegen, executed_ops, 0, &requests), name);
    assert_true(requests > 20);
    for (size_t fail_at = 1; fail_at <= requests; fail_at++) {
        unlink(ENGINE);
        tn_status status = compile(path, codegen, executed_ops, fail_at, &ignored);
        if (tn_status_code(status) != TN_OUT_OF_MEMORY)
            print_error("%s, request %zu of %zu: %s\n", name, fail_at, requests,
                        status ? tn_status_message(status) : "succeeds");
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
        assert_int_equal(access(ENGINE, F_OK), -1); /* no half an engine */
    }
    check_success(compile(path, codegen, executed_ops, 0, &requests), name);
    unlink(ENGINE);
}

static void files_for_the_interpreter(void **state) {
    (void)state;
    check_file("counter-train.pt2", "none", NULL);
    check_file("counter-core.pt2", "none", NULL);
    check_file("counter-train.pt2", "none", "aten::linear,aten::mul*");
}

/* The C compiler runs once; from then on its result is cached. */
static void files_as_code(void **state) {
    (void)state;
    check_file("counter-train.pt2", "c", NULL);
    check_file("counter-train.pt2", "c", "aten::linear");
}

/* ---- generated code -----------------------------------------------------------------------------
 */

/* Each is small and meets some kinds of kernels. */
static const char *const graphs[] = {
    /* Maps with a broadcast; a take; a scan; an output twice. */
    "graph g {\n symbol s in [1, 9]\n input %x: f32[s, 3]\n input %i: i64[s]\n"
    " const %c: f32[3] = [1.0, 2.0, 3.0]\n const %two: f32[] = [2.0]\n"
    " %0: f32[s, 3] = k::mul(%x, %c)\n %1: f32[s, 3] = k::gelu_erf(%0)\n"
    " %2: f32[s, 3] = k::take(%1, %i, 0)\n %3: f32[s, 3] = k::cumsum(%2, 1)\n"
    " %4: f32[s, 3] = k::pow(%3, %two)\n return %4, %4, %x\n}\n",
    /* Boxes that are split; views that are pushed down and one that is not. */
    "graph g {\n input %x: f32[2, 3]\n input %y: f32[2, 4]\n"
    " %0: f32[2, 7] = k::concat([%x, %y], 1)\n"
    " %1: f32[4, 9] = k::pad(%0, [1, 1], [1, 1], \"constant\", 0.5)\n"
    " %2: f32[9, 4] = k::permute(%1, [1, 0])\n %3: f32[36] = k::reshape(%2, [36])\n"
    " %4: f32[36] = k::flip(%3, [0])\n %5: f32[36] = k::tanh(%4)\n return %5\n}\n",
    /* A product with epilogue, a pair of columns, a product of two values. */
    "graph g {\n input %x: f32[5, 8]\n const %w: f32[8, 32] = @256\n const %b: f32[32] = @32\n"
    " %0: f32[5, 32] = k::matmul(%x, %w, %b)\n"
    " %g: f32[5, 16] = k::slice(%0, [0, 0], [5, 16], [1, 1])\n"
    " %u: f32[5, 16] = k::slice(%0, [0, 16], [5, 16], [1, 1])\n"
    " %s: f32[5, 16] = k::silu(%g)\n %1: f32[5, 16] = k::mul(%s, %u)\n"
    " %t: f32[16, 5] = k::permute(%1, [1, 0])\n %2: f32[5, 5] = k::matmul(%1, %t, none)\n"
    " return %2\n}\n",
    /* Attention between views of one buffer. */
    "graph g {\n symbol s in [1, 9]\n input %x: f32[1, s, 2, 12]\n"
    " %p: f32[1, 2, s, 12] = k::permute(%x, [0, 2, 1, 3])\n"
    " %q: f32[1, 2, s, 4] = k::slice(%p, [0, 0, 0, 0], [1, 2, s, 4], [1, 1, 1, 1])\n"
    " %k: f32[1, 2, s, 4] = k::slice(%p, [0, 0, 0, 4], [1, 2, s, 4], [1, 1, 1, 1])\n"
    " %v: f32[1, 2, s, 4] = k::slice(%p, [0, 0, 0, 8], [1, 2, s, 4], [1, 1, 1, 1])\n"
    " %a: f32[1, 2, s, 4] = k::attention(%q, %k, %v, none, 0.5, true, 0)\n return %a\n}\n",
    /* Convolutions, dense and depthwise, pools. */
    "graph g {\n input %x: f32[1, 2, 5, 5]\n const %w: f32[4, 2, 3, 3] = @72\n"
    " const %b: f32[4] = @4\n const %d: f32[4, 1, 3, 3] = @36\n"
    " %0: f32[1, 4, 5, 5] = k::conv(%x, %w, %b, [1, 1], [1, 1], [1, 1], [1, 1], 1, false, [0, 0])\n"
    " %1: f32[1, 4, 5, 5] = k::relu(%0)\n"
    " %2: f32[1, 4, 5, 5] = k::conv(%1, %d, none, [1, 1], [1, 1], [1, 1], [1, 1], 4, false, [0, "
    "0])\n"
    " %3: f32[1, 4, 5, 5] = k::add(%2, %1)\n"
    " %4: f32[1, 4, 2, 2], %i: i64[1, 4, 2, 2] = k::max_pool(%3, [3, 3], [2, 2], [0, 0], [1, 1], "
    "[2, 2])\n"
    " %5: f32[1, 4] = k::reduce_mean(%4, [2, 3], false)\n return %5\n}\n",
    /* Rows: softmax, normalisation with weights, a reduction. */
    "graph g {\n symbol s in [1, 9]\n input %x: f32[s, 3, 5]\n const %w: f32[5] = @5\n"
    " %0: f32[s, 3, 5] = k::softmax(%x, 1)\n %1: f32[s, 3, 5] = k::layer_norm(%0, %w, %w, 1, "
    "1e-05)\n"
    " %2: f32[s, 5] = k::reduce_max(%1, [1], false)\n %3: f32[s, 5] = k::exp(%2)\n return %3\n}\n",
    /* Positions, scans, orders; what is gathered, scattered, resampled, reflected. */
    "graph g {\n symbol s in [4, 9]\n input %x: f32[2, 3, s]\n input %i: i64[2, 3, s]\n"
    " %0: f32[2, 3, s] = k::exp(%x)\n %1: f32[2, 3, s], %2: i64[2, 3, s] = k::cummax(%0, 1)\n"
    " %3: i64[2, 3] = k::argmax(%1, [2], false)\n"
    " %4: f32[2, 3, 2], %5: i64[2, 3, 2] = k::topk(%1, 2, 2, true)\n"
    " %6: f32[2, 3, s] = k::gather(%1, %2, 1)\n"
    " %7: f32[2, 3, s] = k::scatter(%6, %i, %x, 1, \"add\")\n"
    " %8: f32[2, 3, s + 4] = k::pad(%7, [0, 0, 3], [0, 0, 1], \"reflect\", 0.0)\n"
    " %9: f32[2, 3, 5] = k::resize(%8, [5], \"linear\", false, [0.0])\n"
    " %a: f32[2, 3, 5] = k::scatter_slice(%9, %4, [0, 0, 1], [1, 1, 2])\n"
    " return %3, %5, %a\n}\n",
    /* A call between kernels, with integers, two results and a weight. */
    "graph g {\n symbol s in [1, 9]\n input %x: f32[s, 5]\n const %w: f32[5] = @5\n"
    " %0: f32[s, 5] = k::exp(%x)\n %t: f32[5, s] = k::permute(%0, [1, 0])\n"
    " %a: f32[s], %b: f32[5, s] = k::call([%t, %w], \"m::op\", \"[]\", [2*s, s])\n"
    " %1: f32[5, s] = k::add(%a, %b)\n return %1, %a\n}\n",
};

/* Numbers in place of "@N". */
static void expand_constants(const char *text, char *out, size_t capacity) {
    size_t used = 0;
    while (*text && used + 16 < capacity) {
        if (*text != '@') {
            out[used++] = *text++;
            continue;
        }
        char *end = NULL;
        long count = strtol(text + 1, &end, 10);
        for (long i = 0; i < count && used + 16 < capacity; i++)
            used += (size_t)snprintf(out + used, capacity - used, "%s%ld.5", i ? ", " : "[", i % 7);
        out[used++] = ']';
        text = end;
    }
    assert_true(*text == 0);
    out[used] = 0;
}

/* An arena has one block of ROOM bytes; past it, the next would be larger than anything else that
 * is asked for. */
enum { ROOM = 4 << 20 };

/* What runs short: the arena, or the small requests beside it (maps, texts), or nothing. */
typedef struct shortage {
    bool is_armed;
    size_t small_count, fail_small_at; /* 0: never */
} shortage;

static void *short_resize(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    shortage *s = self;
    if (s->is_armed && new_bytes >= ROOM)
        return NULL;
    if (s->is_armed && new_bytes > old_bytes && ++s->small_count == s->fail_small_at)
        return NULL;
    tn_allocator system = tn_allocator_system();
    return system.resize(system.self, ptr, old_bytes, new_bytes);
}

/* What all runs share. */
typedef struct fixture {
    tn_env *env;
    tn_arena arena;
    tn_op_table prims;
} fixture;

/* Parses the graph, then generates its code with `bytes` of the arena. Only the compiler is missing
 * for success: TN_TOOLCHAIN. */
static tn_status generate(const fixture *f, const char *text, const char *target, size_t bytes,
                          shortage *s) {
    tn_arena arena;
    tn_arena_init(&arena, (tn_allocator){.resize = short_resize, .self = s});
    const tn_op_table *tables[] = {&f->prims};
    tn_graph *graph = NULL;
    tn_pb pb;
    tn_cpu_options options = {.target = target, .compiler = NO_COMPILER};
    assert_non_null(tn_arena_alloc(&arena, ROOM, 1));
    arena.used = 0;
    check_success(tn_graph_parse(&arena, tn_str_of(text), tables, 1, &graph), "parsing");
    check_success(tn_graph_verify(graph, tn_prim_verify), "verifying");
    assert_true(arena.used + bytes < ROOM);
    arena.used = ROOM - bytes;
    s->is_armed = true;
    tn_pb_init(&pb, &arena);
    tn_status status = tn_cpu_compile(f->env, &arena, graph, &options, &pb);
    tn_status sticky = tn_pb_finish(&pb);
    if (sticky) {
        tn_status_free(status);
        status = sticky;
    }
    tn_pb_deinit(&pb);
    tn_arena_deinit(&arena);
    return status;
}

static void expect(tn_status status, tn_code wanted, size_t graph, size_t amount) {
    if (tn_status_code(status) != wanted)
        print_error("graph %zu with %zu: %s\n", graph, amount, tn_status_message(status));
    assert_int_equal(tn_status_code(status), wanted);
    tn_status_free(status);
}

/* step: bytes more in each run; an arena's alignment, 16, meets every allocation. */
static void starve(const char *target, size_t step) {
    fixture f;
    static char text[16 << 10];
    check_success(tn_env_create(NULL, &f.env), "env");
    tn_arena_init(&f.arena, tn_allocator_system());
    tn_op_table_init(&f.prims, &f.arena);
    check_success(tn_prim_table_fill(&f.prims), "primitives");
    for (size_t g = 0; g < sizeof graphs / sizeof graphs[0]; g++) {
        expand_constants(graphs[g], text, sizeof text);
        size_t bytes = 0;
        for (;; bytes += step) {
            shortage s = {0};
            tn_status status = generate(&f, text, target, bytes, &s);
            if (tn_status_code(status) == TN_TOOLCHAIN) {
                tn_status_free(status);
                break;
            }
            expect(status, TN_OUT_OF_MEMORY, g, bytes);
        }
        assert_true(bytes > 8192);
        shortage s = {0};
        expect(generate(&f, text, target, ROOM / 2, &s), TN_TOOLCHAIN, g, 0);
        size_t count = s.small_count;
        assert_true(count > 10);
        for (size_t i = 1; i <= count; i++) {
            s = (shortage){.fail_small_at = i};
            expect(generate(&f, text, target, ROOM / 2, &s), TN_OUT_OF_MEMORY, g, i);
        }
    }
    tn_op_table_deinit(&f.prims);
    tn_arena_deinit(&f.arena);
    tn_env_destroy(f.env);
}

static void generator_avx512(void **state) {
    (void)state;
    starve("x86-64-v4", 16);
}

static void generator_portable(void **state) {
    (void)state;
    starve("portable", 112);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_for_the_interpreter),
        cmocka_unit_test(files_as_code),
        cmocka_unit_test(generator_avx512),
        cmocka_unit_test(generator_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
