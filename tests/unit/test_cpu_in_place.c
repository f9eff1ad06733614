/* test_cpu_in_place.c: which results may lie over operands, and that not a bit changes when they
 * do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/env.h"
#include "in_place_check.h"

typedef struct in_place_case {
    const char *name, *text;
    uint32_t count; /* results over operands */
} in_place_case;

#define PRODUCTS                                                                                   \
    " input %x: f32[37, 24]\n input %u: f32[24, 24]\n"                                             \
    " %a: f32[37, 24] = k::matmul(%x, %u, none)\n %b: f32[37, 24] = k::matmul(%x, %u, none)\n"

static const in_place_case cases[] = {
    {"a residual that ends in the epilogue",
     "graph g {\n" PRODUCTS " %c: f32[37, 24] = k::matmul(%b, %u, none)\n"
     " %d: f32[37, 24] = k::add(%c, %a)\n %e: f32[37, 24] = k::matmul(%d, %u, none)\n return "
     "%e\n}\n",
     1},
    {"a residual that is read again later",
     "graph g {\n" PRODUCTS " %c: f32[37, 24] = k::matmul(%b, %u, none)\n"
     " %d: f32[37, 24] = k::add(%c, %a)\n %e: f32[37, 24] = k::matmul(%d, %u, none)\n"
     " %f: f32[37, 24] = k::add(%e, %a)\n return %f\n}\n",
     0},
    {"a residual that the product reads too",
     "graph g {\n" PRODUCTS " %c: f32[37, 24] = k::matmul(%b, %u, none)\n"
     " %d: f32[37, 24] = k::add(%c, %b)\n %e: f32[37, 24] = k::add(%d, %a)\n"
     " %f: f32[37, 24] = k::matmul(%e, %u, none)\n return %f\n}\n",
     1},
    {"a residual in another order",
     "graph g {\n input %x: f32[24, 24]\n input %u: f32[24, 24]\n"
     " %a: f32[24, 24] = k::matmul(%x, %u, none)\n %b: f32[24, 24] = k::matmul(%u, %x, none)\n"
     " %p: f32[24, 24] = k::permute(%a, [1, 0])\n %c: f32[24, 24] = k::matmul(%b, %u, none)\n"
     " %d: f32[24, 24] = k::add(%c, %p)\n %e: f32[24, 24] = k::matmul(%d, %u, none)\n return "
     "%e\n}\n",
     0},
    {"rows that are read before they are written, then a product",
     "graph g {\n symbol s in [1, 64]\n input %x: f32[s, 33]\n input %u: f32[33, 33]\n"
     " input %w: f32[33]\n %a: f32[s, 33] = k::matmul(%x, %u, none)\n"
     " %b: f32[s, 33] = k::layer_norm(%a, %w, %w, 1, 1e-5)\n"
     " %c: f32[s, 33] = k::matmul(%b, %u, none)\n %d: f32[s, 33] = k::softmax(%c, 1)\n"
     " %e: f32[s, 33] = k::matmul(%d, %u, none)\n return %e\n}\n",
     2},
    {"softmax along columns",
     "graph g {\n input %x: f32[17, 33]\n input %u: f32[33, 33]\n"
     " %a: f32[17, 33] = k::matmul(%x, %u, none)\n %b: f32[17, 33] = k::softmax(%a, 0)\n"
     " %c: f32[17, 33] = k::matmul(%b, %u, none)\n return %c\n}\n",
     1},
    {"windows that reach into their neighbours",
     "graph g {\n input %x: f32[1, 19, 9, 9]\n %a: f32[1, 19, 9, 9] = k::softmax(%x, 1)\n"
     " %b: f32[1, 19, 9, 9] = k::avg_pool(%a, [3, 3], [1, 1], [1, 1], 0, [9, 9])\n"
     " %c: f32[1, 19, 9, 9] = k::softmax(%b, 1)\n return %c\n}\n",
     0},
    {"halves that change places",
     "graph g {\n input %x: f32[40, 16]\n %y: f32[40, 16] = k::softmax(%x, 1)\n"
     " %a: f32[40, 8] = k::slice(%y, [0, 0], [40, 8], [1, 1])\n"
     " %b: f32[40, 8] = k::slice(%y, [0, 8], [40, 8], [1, 1])\n"
     " %c: f32[40, 16] = k::concat([%b, %a], 1)\n %d: f32[40, 16] = k::mul(%c, %y)\n"
     " %e: f32[40, 16] = k::softmax(%d, 0)\n return %e\n}\n",
     0},
    {"a part that is replaced",
     "graph g {\n input %x: f32[40, 16]\n %y: f32[40, 16] = k::softmax(%x, 1)\n"
     " %a: f32[40, 8] = k::slice(%y, [0, 0], [40, 8], [1, 1])\n"
     " %b: f32[40, 8] = k::slice(%x, [0, 8], [40, 8], [1, 1])\n"
     " %c: f32[40, 16] = k::concat([%a, %b], 1)\n %d: f32[40, 16] = k::mul(%c, %c)\n"
     " %e: f32[40, 16] = k::softmax(%d, 0)\n %f: f32[40, 16] = k::softmax(%d, 1)\n"
     " return %e, %f\n}\n",
     1},
    {"a cast to half the size",
     "graph g {\n input %x: f32[40, 16]\n %y: f32[40, 16] = k::softmax(%x, 1)\n"
     " %a: bf16[40, 16] = k::cast(%y, bf16)\n %b: bf16[40, 16] = k::softmax(%a, 0)\n"
     " %c: bf16[40, 16] = k::softmax(%a, 1)\n return %b, %c\n}\n",
     0},
    {"rows of two operands, both at their end",
     "graph g {\n input %x: f32[37, 24]\n %a: f32[37, 24] = k::softmax(%x, 0)\n"
     " %b: f32[37, 24] = k::softmax(%x, 1)\n %c: f32[37, 24] = k::add(%a, %b)\n"
     " %d: f32[37, 24] = k::softmax(%c, 1)\n %e: f32[37, 24] = k::softmax(%d, 0)\n"
     " return %e\n}\n",
     1},
    {"bf16 product with its residual",
     "graph g {\n input %x: bf16[40, 48]\n input %u: bf16[48, 48]\n"
     " %a: bf16[40, 48] = k::matmul(%x, %u, none)\n %b: bf16[40, 48] = k::matmul(%x, %u, none)\n"
     " %c: bf16[40, 48] = k::matmul(%b, %u, none)\n %d: bf16[40, 48] = k::add(%c, %a)\n"
     " %e: bf16[40, 48] = k::softmax(%d, 1)\n %f: bf16[40, 48] = k::matmul(%e, %u, none)\n"
     " return %f\n}\n",
     2},
};

static void compare_on(const char *target) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        engine_bytes bytes = engine_bytes_make(cases[i].text, target);
        tn_env *env = NULL;
        assert_null(tn_env_create(NULL, &env));
        for (uint32_t threads = 1; threads <= 2; threads++) {
            uint32_t count = 0;
            tn_status status = in_place_compare(env, bytes, threads, &count);
            if (status || count != cases[i].count)
                print_error("%s: %u results over operands, wanted %u; %s\n", cases[i].name, count,
                            cases[i].count, tn_status_message(status));
            assert_null(status);
            assert_int_equal(count, cases[i].count);
        }
        tn_env_destroy(env);
        engine_bytes_free(&bytes);
    }
}

static void test_native(void **state) {
    (void)state;
    compare_on("native");
}

static void test_portable(void **state) {
    (void)state;
    compare_on("portable");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
