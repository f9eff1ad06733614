/* test_cpu_states.c: states that change where they lie: over several runs the outputs are those of
 * the interpreter, and nothing is copied that need not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend_run.h"

enum { RUNS = 4 };

typedef struct state_case {
    const char *name, *text;
    uint32_t steps;
} state_case;

#define CACHE " state %s: f32[2, 9, 5] = zeros\n input %x: f32[2, 3, 5]\n"

static const state_case cases[] = {
    {"a slice of a cache, read after it was written",
     "graph g {\n" CACHE " %n: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     2},
    {"a slice of a cache whose old content is read later",
     "graph g {\n" CACHE " %n: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%s, [1], false)\n next %s = %n\n return %o\n}\n",
     4},
    {"a slice of a cache whose old content was read before",
     "graph g {\n" CACHE " %o: f32[2, 5] = k::reduce_sum(%s, [1], false)\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n next %s = %n\n"
     " return %o\n}\n",
     2},
    {"a slice made of the old content",
     "graph g {\n" CACHE " %a: f32[2, 3, 5] = k::slice(%s, [0, 1, 0], [2, 3, 5], [1, 1, 1])\n"
     " %b: f32[2, 3, 5] = k::add(%a, %x)\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%s, %b, [0, 4, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     3},
    {"a slice that is a view of the old content",
     "graph g {\n" CACHE " %a: f32[2, 3, 5] = k::slice(%s, [0, 1, 0], [2, 3, 5], [1, 1, 1])\n"
     " %m: f32[2, 9, 5] = k::scatter_slice(%s, %a, [0, 2, 0], [1, 1, 1])\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%m, %x, [0, 0, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     5},
    {"two slices, one after the other",
     "graph g {\n" CACHE " %m: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%m, %x, [0, 6, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     3},
    {"a slice of the first content and one of the second, which is kept",
     "graph g {\n" CACHE " %m: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%m, %x, [0, 6, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %m\n return %o\n}\n",
     4},
    {"a slice of a content that is not kept",
     "graph g {\n" CACHE " %m: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %t: f32[2, 9, 5] = k::add(%s, %s)\n %o: f32[2, 5] = k::reduce_sum(%m, [1], false)\n"
     " next %s = %t\n return %o\n}\n",
     4},
    {"positions of a permuted cache",
     "graph g {\n" CACHE " input %i: i64[3]\n %p: f32[9, 2, 5] = k::permute(%s, [1, 0, 2])\n"
     " %y: f32[3, 2, 5] = k::permute(%x, [1, 0, 2])\n"
     " %r: i64[3, 1, 1] = k::reshape(%i, [3, 1, 1])\n"
     " %j: i64[3, 2, 5] = k::expand(%r, [3, 2, 5])\n"
     " %q: f32[9, 2, 5] = k::scatter(%p, %j, %y, 0, \"none\")\n"
     " %n: f32[2, 9, 5] = k::permute(%q, [1, 0, 2])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     2},
    {"positions that are added to",
     "graph g {\n" CACHE
     " input %i: i64[2, 3, 5]\n %n: f32[2, 9, 5] = k::scatter(%s, %i, %x, 1, \"add\")\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     2},
    {"a slice of every row of one",
     "graph g {\n state %s: f32[1, 9, 5] = zeros\n input %x: f32[2, 3, 5]\n"
     " %w: f32[2, 9, 5] = k::expand(%s, [2, 9, 5])\n"
     " %m: f32[2, 9, 5] = k::scatter_slice(%w, %x, [0, 4, 0], [1, 1, 1])\n"
     " %n: f32[1, 9, 5] = k::reduce_max(%m, [0], true)\n"
     " %o: f32[2, 5] = k::reduce_sum(%m, [1], false)\n next %s = %n\n return %o\n}\n",
     4},
    {"a part put between what is left of the old content",
     "graph g {\n" CACHE " %a: f32[2, 4, 5] = k::slice(%s, [0, 0, 0], [2, 4, 5], [1, 1, 1])\n"
     " %b: f32[2, 2, 5] = k::slice(%s, [0, 7, 0], [2, 2, 5], [1, 1, 1])\n"
     " %y: f32[2, 3, 5] = k::exp(%x)\n %n: f32[2, 9, 5] = k::concat([%a, %y, %b], 1)\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     2},
    {"a content that moves up",
     "graph g {\n" CACHE " %a: f32[2, 6, 5] = k::slice(%s, [0, 3, 0], [2, 6, 5], [1, 1, 1])\n"
     " %n: f32[2, 9, 5] = k::concat([%a, %x], 1)\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n next %s = %n\n return %o\n}\n",
     3},
    {"a running mean and a counter",
     "graph g {\n input %x: f32[7, 5]\n state %m: f32[5] = zeros\n state %c: i64[] = [3]\n"
     " const %one: i64[] = [1]\n const %k: f32[] = [0.25]\n"
     " %a: f32[5] = k::reduce_mean(%x, [0], false)\n %b: f32[5] = k::sub(%a, %m)\n"
     " %d: f32[5] = k::mul(%b, %k)\n %n: f32[5] = k::add(%m, %d)\n"
     " %e: i64[] = k::add(%c, %one)\n %f: f32[7, 5] = k::sub(%x, %n)\n next %m = %n\n"
     " next %c = %e\n return %f\n}\n",
     3},
    {"a product with the old content in its kernel",
     "graph g {\n input %x: f32[5, 5]\n state %s: f32[5, 5] = zeros\n"
     " %a: f32[5, 5] = k::matmul(%x, %s, none)\n %b: f32[5, 5] = k::add(%a, %x)\n"
     " %o: f32[5, 5] = k::tanh(%s)\n next %s = %b\n return %o\n}\n",
     3},
    {"a product of the old content",
     "graph g {\n input %x: f32[5, 5]\n state %s: f32[5, 5] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, "
     "5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
     " %o: f32[5, 5] = k::tanh(%s)\n %b: f32[5, 5] = k::matmul(%x, %s, none)\n next %s = %b\n"
     " return %o\n}\n",
     3},
    {"rows of the old content, along columns",
     "graph g {\n input %x: f32[5, 5]\n state %s: f32[5, 5] = zeros\n"
     " %o: f32[5, 5] = k::add(%s, %x)\n %p: f32[5, 5] = k::softmax(%s, 0)\n"
     " %b: f32[5, 5] = k::cumsum(%p, 1)\n next %s = %b\n return %o\n}\n",
     3},
    {"the old content in order",
     "graph g {\n input %x: f32[5]\n state %s: f32[5] = [3, 1, 2, 7, 5]\n"
     " %o: f32[5] = k::add(%s, %x)\n %b: f32[5], %i: i64[5] = k::sort(%s, 0, false)\n"
     " next %s = %b\n return %o, %i\n}\n",
     3},
    {"a product that only adds to the old content",
     "graph g {\n input %x: f32[5, 5]\n state %s: f32[5, 5] = zeros\n"
     " %o: f32[5, 5] = k::tanh(%s)\n %a: f32[5, 5] = k::matmul(%x, %x, none)\n"
     " %b: f32[5, 5] = k::add(%a, %s)\n next %s = %b\n return %o\n}\n",
     2},
    {"a scan of the old content, and one of the input",
     "graph g {\n input %x: f32[5, 5]\n state %s: f32[5, 5] = zeros\n"
     " state %t: f32[5, 5] = zeros\n %o: f32[5, 5] = k::add(%s, %t)\n"
     " %u: f32[5, 5] = k::add(%s, %x)\n %a: f32[5, 5] = k::cumsum(%u, 0)\n"
     " %b: f32[5, 5] = k::cumsum(%s, 1)\n next %s = %a\n next %t = %b\n return %o\n}\n",
     4},
    {"two states that change places",
     "graph g {\n input %x: f32[4]\n state %s: f32[4] = [1, 2, 3, 4]\n"
     " state %t: f32[4] = zeros\n %o: f32[4] = k::sub(%s, %x)\n next %s = %t\n next %t = %s\n"
     " return %o\n}\n",
     5},
    {"a state that turns round",
     "graph g {\n input %x: f32[4]\n state %s: f32[4] = [1, 2, 3, 4]\n"
     " %f: f32[4] = k::flip(%s, [0])\n %o: f32[4] = k::sub(%s, %x)\n next %s = %f\n"
     " return %o\n}\n",
     3},
    {"a content that is an output, too",
     "graph g {\n" CACHE
     " %n: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n next %s = %n\n"
     " return %n\n}\n",
     2},
    {"two states with the same content",
     "graph g {\n input %x: f32[4]\n state %s: f32[4] = [1, 2, 3, 4]\n"
     " state %t: f32[4] = zeros\n %o: f32[4] = k::sub(%s, %t)\n %n: f32[4] = k::exp(%x)\n"
     " next %s = %n\n next %t = %n\n return %o\n}\n",
     3},
    {"a slice of an intermediate that ends with it",
     "graph g {\n input %y: f32[2, 9, 5]\n input %x: f32[2, 3, 5]\n"
     " %s: f32[2, 9, 5] = k::softmax(%y, 1)\n"
     " %n: f32[2, 9, 5] = k::scatter_slice(%s, %x, [0, 4, 0], [1, 1, 1])\n"
     " %o: f32[2, 5] = k::reduce_sum(%n, [1], false)\n return %o\n}\n",
     3},
};

static void run_case(const state_case *c, const char *target, uint32_t threads) {
    backend_run compiled, reference;
    backend_run_open(&reference, c->text, NULL, 1);
    backend_run_open(&compiled, c->text, target, threads);
    if (compiled.step_count != c->steps)
        print_error("%s: %u steps, wanted %u\n", c->name, compiled.step_count, c->steps);
    assert_int_equal(compiled.step_count, c->steps);
    uint64_t a = 17, b = 17;
    for (int round = 0; round < RUNS; round++) {
        for (size_t i = 0; i < tn_engine_input_count(reference.engine); i++) {
            backend_run_set_random(&reference, i, NULL, 9, &a);
            backend_run_set_random(&compiled, i, NULL, 9, &b);
        }
        backend_run_execute(&reference);
        backend_run_execute(&compiled);
        for (size_t i = 0; i < tn_engine_output_count(reference.engine); i++) {
            double distance = backend_run_distance(&compiled, &reference, i);
            if (!(distance <= 1e-5))
                print_error("%s, run %d, output %zu: distance %g, wanted at most 1e-5\n", c->name,
                            round, i, distance);
            assert_true(distance <= 1e-5);
        }
    }
    backend_run_close(&compiled);
    backend_run_close(&reference);
}

static void test_native(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], "native", 2);
}

static void test_portable(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], "portable", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
