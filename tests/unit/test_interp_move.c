/* test_interp_move.c: views, reductions, scans, indices and order on the interpreter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph_case.h"

#define X23 "const %x: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] "

static void views(void **state) {
    (void)state;
    tn_test_pairs("graph g { " X23 "%t: f32[3, 2] = k::permute(%x, [1, 0])\n"
                  "const %w0: f32[3, 2] = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]\n"
                  "%r: f32[6] = k::reshape(%t, [6])\n"
                  "const %w1: f32[6] = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]\n"
                  "%f: f32[2, 3] = k::flip(%x, [0, 1])\n"
                  "const %w2: f32[2, 3] = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]\n"
                  "%s: f32[1, 2] = k::slice(%x, [1, 0], [1, 2], [1, 2])\n"
                  "const %w3: f32[1, 2] = [4.0, 6.0]\n"
                  "%e: f32[2, 1, 2] = k::expand(%s, [2, 1, 2])\n"
                  "const %w4: f32[2, 1, 2] = [4.0, 6.0, 4.0, 6.0]\n"
                  "return %t, %w0, %r, %w1, %f, %w2, %s, %w3, %e, %w4 }",
                  0);
}

static void concats(void **state) {
    (void)state;
    tn_test_pairs("graph g { " X23 "const %n: f32[2, 0] = []\n"
                  "%s: f32[2, 1] = k::slice(%x, [0, 1], [2, 1], [1, 1])\n"
                  "%c: f32[2, 4] = k::concat([%s, %n, %x], 1)\n"
                  "const %w: f32[2, 4] = [2.0, 1.0, 2.0, 3.0, 5.0, 4.0, 5.0, 6.0] return %c, %w }",
                  0);
}

static void pads(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: i32[3] = [1, 2, 3]\n"
                  "%c: i32[6] = k::pad(%x, [1], [2], \"constant\", 9.0)\n"
                  "const %w0: i32[6] = [9, 1, 2, 3, 9, 9]\n"
                  "%r: i32[7] = k::pad(%x, [2], [2], \"reflect\", 0.0)\n"
                  "const %w1: i32[7] = [3, 2, 1, 2, 3, 2, 1]\n"
                  "%e: i32[6] = k::pad(%x, [2], [1], \"replicate\", 0.0)\n"
                  "const %w2: i32[6] = [1, 1, 1, 2, 3, 3]\n"
                  "%o: i32[8] = k::pad(%x, [3], [2], \"circular\", 0.0)\n"
                  "const %w3: i32[8] = [1, 2, 3, 1, 2, 3, 1, 2]\n"
                  "return %c, %w0, %r, %w1, %e, %w2, %o, %w3 }",
                  0);
    tn_test_pairs("graph g { const %x: i32[2, 2] = [1, 2, 3, 4]\n"
                  "%r: i32[3, 4] = k::pad(%x, [1, 1], [0, 1], \"reflect\", 0.0)\n"
                  "const %w: i32[3, 4] = [4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3] return %r, %w }",
                  0);
}

static void reductions(void **state) {
    (void)state;
    tn_test_pairs(
        "graph g { " X23 "%s: f32[3] = k::reduce_sum(%x, [0], false)\n"
        "const %w0: f32[3] = [5.0, 7.0, 9.0]\n"
        "%m: f32[2, 1] = k::reduce_mean(%x, [1], true) const %w1: f32[2, 1] = [2.0, 5.0]\n"
        "%p: f32[] = k::reduce_prod(%x, [0, 1], false) const %w2: f32[] = [720.0]\n"
        "%v: f32[2] = k::reduce_var(%x, [1], false, 1.0) const %w3: f32[2] = [1.0, 1.0]\n"
        "%u: f32[2] = k::reduce_var(%x, [1], false, 5.0) const %w4: f32[2] = [inf, inf]\n"
        "return %s, %w0, %m, %w1, %p, %w2, %v, %w3, %u, %w4 }",
        0);
    tn_test_pairs("graph g { const %x: f32[4] = [1.0, nan, 3.0, nan]\n"
                  "%max: f32[] = k::reduce_max(%x, [0], false) const %w0: f32[] = [nan]\n"
                  "%a: i64[] = k::argmax(%x, [0], false) const %w1: i64[] = [1]\n"
                  "%b: i64[1] = k::argmin(%x, [0], true) const %w2: i64[1] = [1]\n"
                  "const %y: f32[4] = [2.0, -inf, 2.0, -inf]\n"
                  "%c: i64[] = k::argmax(%y, [0], false) const %w3: i64[] = [0]\n"
                  "%d: i64[] = k::argmin(%y, [0], false) const %w4: i64[] = [1]\n"
                  "return %max, %w0, %a, %w1, %b, %w2, %c, %w3, %d, %w4 }",
                  0);
    tn_test_pairs(
        "graph g { const %x: i8[2, 2] = [100, 100, -128, 3]\n"
        "%s: i64[2] = k::reduce_sum(%x, [1], false) const %w0: i64[2] = [200, -125]\n"
        "%n: i8[2] = k::reduce_min(%x, [0], false) const %w1: i8[2] = [-128, 3]\n"
        "const %b: bool[2, 2] = [true, false, true, true]\n"
        "%any: bool[2] = k::reduce_any(%b, [0], false) const %w2: bool[2] = [true, true]\n"
        "%all: bool[2] = k::reduce_all(%b, [1], false) const %w3: bool[2] = [false, true]\n"
        "%count: i64[] = k::reduce_sum(%b, [0, 1], false) const %w4: i64[] = [3]\n"
        "return %s, %w0, %n, %w1, %any, %w2, %all, %w3, %count, %w4 }",
        0);
    tn_test_pairs(
        "graph g { const %x: f32[2, 0] = []\n"
        "%s: f32[2] = k::reduce_sum(%x, [1], false) const %w0: f32[2] = [0.0, 0.0]\n"
        "%p: f32[2] = k::reduce_prod(%x, [1], false) const %w1: f32[2] = [1.0, 1.0]\n"
        "%m: f32[2] = k::reduce_mean(%x, [1], false) const %w2: f32[2] = [nan, nan]\n"
        "%a: bool[2] = k::reduce_all(%x, [1], false) const %w3: bool[2] = [true, true]\n"
        "%n: bool[2] = k::reduce_any(%x, [1], false) const %w4: bool[2] = [false, false]\n"
        "return %s, %w0, %p, %w1, %m, %w2, %a, %w3, %n, %w4 }",
        0);
    /* Three dims, the outer and the inner one reduced; accumulated beyond the dtype. */
    tn_test_pairs("graph g { %i: f32[3, 2, 4] = k::iota([3, 2, 4], 1, 1.0, 1.0, f32)\n"
                  "%s: f32[2] = k::reduce_sum(%i, [0, 2], false) const %w0: f32[2] = [12.0, 24.0]\n"
                  "const %o: bf16[] = [1.0] %e: bf16[1000] = k::expand(%o, [1000])\n"
                  "%t: bf16[] = k::reduce_sum(%e, [0], false) const %w1: bf16[] = [1000.0]\n"
                  "return %s, %w0, %t, %w1 }",
                  0);
}

static void scans(void **state) {
    (void)state;
    tn_test_pairs("graph g { " X23 "%s: f32[2, 3] = k::cumsum(%x, 0)\n"
                  "const %w0: f32[2, 3] = [1.0, 2.0, 3.0, 5.0, 7.0, 9.0]\n"
                  "%p: f32[2, 3] = k::cumprod(%x, 1)\n"
                  "const %w1: f32[2, 3] = [1.0, 2.0, 6.0, 4.0, 20.0, 120.0]\n"
                  "const %b: bool[3] = [true, false, true]\n"
                  "%c: i64[3] = k::cumsum(%b, 0) const %w2: i64[3] = [1, 1, 2]\n"
                  "return %s, %w0, %p, %w1, %c, %w2 }",
                  0);
    tn_test_pairs("graph g { const %x: f32[6] = [1.0, 3.0, 3.0, nan, 2.0, nan]\n"
                  "%v: f32[6], %i: i64[6] = k::cummax(%x, 0)\n"
                  "const %w0: f32[6] = [1.0, 3.0, 3.0, nan, nan, nan]\n"
                  "const %w1: i64[6] = [0, 1, 2, 3, 3, 5]\n"
                  "const %y: i32[4] = [3, 5, 1, 1] %m: i32[4], %j: i64[4] = k::cummin(%y, 0)\n"
                  "const %w2: i32[4] = [3, 3, 1, 1] const %w3: i64[4] = [0, 0, 2, 3]\n"
                  "return %v, %w0, %i, %w1, %m, %w2, %j, %w3 }",
                  0);
}

static void indices(void **state) {
    (void)state;
    tn_test_pairs("graph g { " X23 "const %i: i64[2, 2] = [2, -3, 1, 1]\n"
                  "%t: f32[2, 2, 2] = k::take(%x, %i, 1)\n"
                  "const %w0: f32[2, 2, 2] = [3.0, 1.0, 2.0, 2.0, 6.0, 4.0, 5.0, 5.0]\n"
                  "const %j: i32[] = [1] %r: f32[3] = k::take(%x, %j, 0)\n"
                  "const %w1: f32[3] = [4.0, 5.0, 6.0]\n"
                  "const %k: i64[1, 3] = [1, 0, -1] %g: f32[1, 3] = k::gather(%x, %k, 0)\n"
                  "const %w2: f32[1, 3] = [4.0, 2.0, 6.0]\n"
                  "const %l: i64[2, 1] = [2, 0] %h: f32[2, 1] = k::gather(%x, %l, 1)\n"
                  "const %w3: f32[2, 1] = [3.0, 4.0] return %t, %w0, %r, %w1, %g, %w2, %h, %w3 }",
                  0);
    tn_test_pairs("graph g { " X23 "const %i: i64[2, 2] = [0, 0, 2, 0]\n"
                  "const %s: f32[2, 2] = [10.0, 20.0, 30.0, 40.0]\n"
                  "%n: f32[2, 3] = k::scatter(%x, %i, %s, 1, \"none\")\n"
                  "const %w0: f32[2, 3] = [20.0, 2.0, 3.0, 40.0, 5.0, 30.0]\n"
                  "%a: f32[2, 3] = k::scatter(%x, %i, %s, 1, \"add\")\n"
                  "const %w1: f32[2, 3] = [31.0, 2.0, 3.0, 44.0, 5.0, 36.0]\n"
                  "%m: f32[2, 3] = k::scatter(%x, %i, %s, 1, \"amin\")\n"
                  "const %w2: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
                  "const %r: f32[1, 2] = [7.0, 8.0]\n"
                  "%t: f32[2, 3] = k::scatter_slice(%x, %r, [1, 0], [1, 2])\n"
                  "const %w3: f32[2, 3] = [1.0, 2.0, 3.0, 7.0, 5.0, 8.0]\n"
                  "return %n, %w0, %a, %w1, %m, %w2, %t, %w3 }",
                  0);
}

static void order(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[6] = [1.0, nan, -0.0, 0.0, nan, -1.0]\n"
                  "%v: f32[6], %i: i64[6] = k::sort(%x, 0, false)\n"
                  "const %w0: f32[6] = [-1.0, -0.0, 0.0, 1.0, nan, nan]\n"
                  "const %w1: i64[6] = [5, 2, 3, 0, 1, 4]\n"
                  "%d: f32[6], %j: i64[6] = k::sort(%x, 0, true)\n"
                  "const %w2: f32[6] = [nan, nan, 1.0, -0.0, 0.0, -1.0]\n"
                  "const %w3: i64[6] = [1, 4, 0, 2, 3, 5]\n"
                  "return %v, %w0, %i, %w1, %d, %w2, %j, %w3 }",
                  0);
    tn_test_pairs("graph g { const %x: i64[2, 3] = [5, -9223372036854775808, 7, 1, 1, 0]\n"
                  "%v: i64[2, 2], %i: i64[2, 2] = k::topk(%x, 2, 1, true)\n"
                  "const %w0: i64[2, 2] = [7, 5, 1, 1] const %w1: i64[2, 2] = [2, 0, 0, 1]\n"
                  "%l: i64[1, 3], %j: i64[1, 3] = k::topk(%x, 1, 0, false)\n"
                  "const %w2: i64[1, 3] = [1, -9223372036854775808, 0]\n"
                  "const %w3: i64[1, 3] = [1, 0, 1] return %v, %w0, %i, %w1, %l, %w2, %j, %w3 }",
                  0);
    tn_test_pairs("graph g { const %x: u64[3] = [1, 18446744073709551615, 0]\n"
                  "%v: u64[3], %i: i64[3] = k::sort(%x, 0, false)\n"
                  "const %w: u64[3] = [0, 1, 18446744073709551615] return %v, %w }",
                  0);
}

/* What indices and empty dims make fail, with the words of the message. */
static void failures(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"graph g { " X23 "const %i: i64[1] = [3] %r: f32[2, 1] = k::take(%x, %i, 1) return %r }",
         "k::take: index 3 is outside dim 1 of size 3"},
        {"graph g { " X23 "const %i: i64[1, 1] = [-3] %r: f32[1, 1] = k::gather(%x, %i, 0)\n"
         "return %r }",
         "k::gather: index -3 is outside dim 0 of size 2"},
        {"graph g { const %x: f32[2, 0] = [] %r: f32[2] = k::reduce_max(%x, [1], false) return %r "
         "}",
         "k::reduce_max: the reduced dims are empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tn_test_graph test;
        tn_tensor output;
        tn_test_graph_begin(&test, cases[i][0]);
        tn_status status = tn_test_graph_run(test.graph, &test.arena, NULL, NULL, &output);
        assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
        assert_string_equal(tn_status_message(status), cases[i][1]);
        tn_status_free(status);
        tn_test_graph_end(&test);
    }
}

/* A call whose arguments are not the schema's is refused, not run. */
static void malformed_calls(void **state) {
    (void)state;
    tn_allocator system = tn_allocator_system();
    float data[2] = {1, 2};
    tn_tensor x = {.dtype = TN_F32, .rank = 1, .dims = {2}, .strides = {1}, .data = data}, out = x;
    const tn_tensor *operands[1] = {&x};
    tn_resolved_arg args[2] = {{.kind = TN_ARG_VALUE, .operand = 0},
                               {.kind = TN_ARG_VALUE, .operand = 1}};
    struct {
        tn_prim prim;
        uint32_t arg_count, result_count;
    } calls[] = {{TN_PRIM_ADD, 2, 1},  {TN_PRIM_ADD, 1, 1}, {TN_PRIM_NEG, 2, 1},
                 {TN_PRIM_CAST, 2, 1}, {TN_PRIM_NEG, 1, 2}, {TN_PRIM_COUNT, 1, 1}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        tn_status status = tn_interp_run(&system, calls[i].prim, operands, 1, args,
                                         calls[i].arg_count, &out, calls[i].result_count);
        assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),      cmocka_unit_test(concats),  cmocka_unit_test(pads),
        cmocka_unit_test(reductions), cmocka_unit_test(scans),    cmocka_unit_test(indices),
        cmocka_unit_test(order),      cmocka_unit_test(failures), cmocka_unit_test(malformed_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
