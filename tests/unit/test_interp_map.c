/* test_interp_map.c: maps, casts and creation on the interpreter: dtypes, broadcasts, edge values.
 * Each case is a graph that returns what was computed beside what is wanted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_case.h"

static void broadcasts(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %a: f32[2, 1] = [1.0, 10.0] const %b: f32[3] = [1.0, 2.0, 3.0]\n"
                  "%r: f32[2, 3] = k::add(%a, %b)\n"
                  "const %w: f32[2, 3] = [2.0, 3.0, 4.0, 11.0, 12.0, 13.0] return %r, %w }",
                  0);
    tn_test_pairs("graph g { const %a: f32[0, 3] = [] const %b: f32[] = [1.0]\n"
                  "%r: f32[0, 3] = k::mul(%a, %b) const %w: f32[0, 3] = [] return %r, %w }",
                  0);
    tn_test_pairs("graph g { const %c: bool[2, 1] = [true, false] const %a: i64[] = [7]\n"
                  "const %b: i64[2] = [1, 2] %r: i64[2, 2] = k::select(%c, %a, %b)\n"
                  "const %w: i64[2, 2] = [7, 7, 1, 2] return %r, %w }",
                  0);
}

static void float_edges(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[5] = [nan, -0.0, -inf, inf, -2.5]\n"
                  "%relu: f32[5] = k::relu(%x) const %w0: f32[5] = [nan, -0.0, 0.0, inf, 0.0]\n"
                  "%sign: f32[5] = k::sign(%x) const %w1: f32[5] = [0.0, 0.0, -1.0, 1.0, -1.0]\n"
                  "%round: f32[5] = k::round(%x) const %w2: f32[5] = [nan, -0.0, -inf, inf, -2.0]\n"
                  "%nan: bool[5] = k::isnan(%x)\n"
                  "const %w3: bool[5] = [true, false, false, false, false]\n"
                  "%abs: f32[5] = k::abs(%x) const %w4: f32[5] = [nan, 0.0, inf, inf, 2.5]\n"
                  "return %relu, %w0, %sign, %w1, %round, %w2, %nan, %w3, %abs, %w4 }",
                  0);
    tn_test_pairs("graph g { const %a: f32[4] = [nan, 1.0, nan, 2.0]\n"
                  "const %b: f32[4] = [1.0, nan, nan, 3.0]\n"
                  "%min: f32[4] = k::min(%a, %b) const %w0: f32[4] = [nan, nan, nan, 2.0]\n"
                  "%max: f32[4] = k::max(%a, %b) const %w1: f32[4] = [nan, nan, nan, 3.0]\n"
                  "%eq: bool[4] = k::eq(%a, %b) const %w2: bool[4] = [false, false, false, false]\n"
                  "%ne: bool[4] = k::ne(%a, %b) const %w3: bool[4] = [true, true, true, true]\n"
                  "%le: bool[4] = k::le(%a, %b) const %w4: bool[4] = [false, false, false, true]\n"
                  "return %min, %w0, %max, %w1, %eq, %w2, %ne, %w3, %le, %w4 }",
                  0);
}

static void float_division(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %a: f64[7] = [5.0, -5.0, 5.0, -5.0, 1.0, -5.0, inf]\n"
                  "const %b: f64[7] = [3.0, 3.0, -3.0, -3.0, 0.0, inf, 3.0]\n"
                  "%floor: f64[7] = k::floordiv(%a, %b)\n"
                  "const %w0: f64[7] = [1.0, -2.0, -2.0, 1.0, inf, -1.0, nan]\n"
                  "%rest: f64[7] = k::remainder(%a, %b)\n"
                  "const %w1: f64[7] = [2.0, 1.0, -1.0, -2.0, nan, inf, nan]\n"
                  "%fmod: f64[7] = k::fmod(%a, %b)\n"
                  "const %w2: f64[7] = [2.0, -2.0, 2.0, -2.0, nan, -5.0, nan]\n"
                  "%trunc: f64[7] = k::truncdiv(%a, %b)\n"
                  "const %w3: f64[7] = [1.0, -1.0, -1.0, 1.0, inf, -0.0, inf]\n"
                  "return %floor, %w0, %rest, %w1, %fmod, %w2, %trunc, %w3 }",
                  0);
}

static void integers_wrap(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %a: i64[3] = [9223372036854775807, -9223372036854775808, 7]\n"
                  "const %b: i64[3] = [1, -1, 0]\n"
                  "%add: i64[3] = k::add(%a, %b)\n"
                  "const %w0: i64[3] = [-9223372036854775808, 9223372036854775807, 7]\n"
                  "%div: i64[3] = k::floordiv(%a, %b)\n"
                  "const %w1: i64[3] = [9223372036854775807, -9223372036854775808, 0]\n"
                  "%rest: i64[3] = k::remainder(%a, %b) const %w2: i64[3] = [0, 0, 0]\n"
                  "%neg: i64[3] = k::neg(%a)\n"
                  "const %w3: i64[3] = [-9223372036854775807, -9223372036854775808, -7]\n"
                  "return %add, %w0, %div, %w1, %rest, %w2, %neg, %w3 }",
                  0);
    tn_test_pairs(
        "graph g { const %a: i8[4] = [127, -128, 100, -7] const %b: i8[4] = [1, -1, 2, 2]\n"
        "%add: i8[4] = k::add(%a, %b) const %w0: i8[4] = [-128, 127, 102, -5]\n"
        "%mul: i8[4] = k::mul(%a, %b) const %w1: i8[4] = [127, -128, -56, -14]\n"
        "%floor: i8[4] = k::floordiv(%a, %b) const %w2: i8[4] = [127, -128, 50, -4]\n"
        "%trunc: i8[4] = k::truncdiv(%a, %b) const %w3: i8[4] = [127, -128, 50, -3]\n"
        "return %add, %w0, %mul, %w1, %floor, %w2, %trunc, %w3 }",
        0);
    tn_test_pairs(
        "graph g { const %a: u64[2] = [18446744073709551615, 4] const %b: u64[2] = [2, 3]\n"
        "%div: u64[2] = k::floordiv(%a, %b) const %w0: u64[2] = [9223372036854775807, 1]\n"
        "%lt: bool[2] = k::lt(%a, %b) const %w1: bool[2] = [false, false]\n"
        "%shr: u64[2] = k::shr(%a, %b) const %w2: u64[2] = [4611686018427387903, 0]\n"
        "return %div, %w0, %lt, %w1, %shr, %w2 }",
        0);
    tn_test_pairs("graph g { const %a: i32[4] = [1, -8, 1, 3] const %b: i32[4] = [33, 70, -1, 2]\n"
                  "%shl: i32[4] = k::shl(%a, %b) const %w0: i32[4] = [0, 0, 0, 12]\n"
                  "%shr: i32[4] = k::shr(%a, %b) const %w1: i32[4] = [0, -1, 0, 0]\n"
                  "return %shl, %w0, %shr, %w1 }",
                  0);
    tn_test_pairs(
        "graph g { const %a: i64[5] = [2, -1, 2, 1, 3] const %b: i64[5] = [10, 3, -1, -5, 0]\n"
        "%pow: i64[5] = k::pow(%a, %b) const %w: i64[5] = [1024, -1, 0, 1, 1]\n"
        "const %c: bool[2] = [true, false] %not: bool[2] = k::not(%c)\n"
        "const %v: bool[2] = [false, true] return %pow, %w, %not, %v }",
        0);
}

/* What PyTorch 2.13 gives on x86. */
static void casts(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[5] = [nan, 3000000000.0, 300.0, -1.9, inf]\n"
                  "%i32: i32[5] = k::cast(%x, i32)\n"
                  "const %w0: i32[5] = [-2147483648, -2147483648, 300, -1, -2147483648]\n"
                  "%u8: u8[5] = k::cast(%x, u8) const %w1: u8[5] = [0, 0, 44, 255, 0]\n"
                  "%bool: bool[5] = k::cast(%x, bool)\n"
                  "const %w2: bool[5] = [true, true, true, true, true]\n"
                  "%bf: bf16[5] = k::cast(%x, bf16)\n"
                  "const %w3: bf16[5] = [nan, 3003121664.0, 300.0, -1.8984375, inf]\n"
                  "return %i32, %w0, %u8, %w1, %bool, %w2, %bf, %w3 }",
                  0);
    tn_test_pairs(
        "graph g { const %x: f32[5] = [464.0, 465.0, 500.0, inf, -1000.0]\n"
        "%f8: f8e4m3[5] = k::cast(%x, f8e4m3)\n"
        "const %w: f8e4m3[5] = [448.0, 448.0, 448.0, 448.0, -448.0]\n"
        "const %y: f32[3] = [61439.0, 61440.0, nan] %e5: f8e5m2[3] = k::cast(%y, f8e5m2)\n"
        "const %v: f8e5m2[3] = [57344.0, inf, nan] return %f8, %w, %e5, %v }",
        0);
    /* Rounded once: through f32 the f64 would become the tie 1 + 2^-8 and then 1. */
    tn_test_pairs(
        "graph g { const %x: f64[1] = [1.00390625000001] %r: bf16[1] = k::cast(%x, bf16)\n"
        "const %w: bf16[1] = [1.0078125] const %i: i64[1] = [16777217]\n"
        "%f: f32[1] = k::cast(%i, f32) const %v: f32[1] = [16777216.0]\n"
        "return %r, %w, %f, %v }",
        0);
}

/* Every f16, bf16 and f8 number survives the way to f32 and back; between two neighbours the nearer
 * wins, the even one in the middle. */
static void narrow_floats(void **state) {
    (void)state;
    static const tn_dtype dtypes[4] = {TN_F16, TN_BF16, TN_F8E4M3, TN_F8E5M2};
    for (int t = 0; t < 4; t++) {
        tn_dtype dtype = dtypes[t];
        uint32_t count = tn_dtype_bytes(dtype) == 1 ? 1u << 7 : 1u << 15; /* positive ones */
        for (uint32_t bits = 0; bits + 1 < count; bits++) {
            uint32_t next = bits + 1, back = 0;
            double low = tn_elem_get_f64(dtype, &bits), high = tn_elem_get_f64(dtype, &next);
            tn_elem_set_f64(dtype, &back, low);
            if (isnan(low)) {
                assert_true(isnan(tn_elem_get_f64(dtype, &back)));
                continue;
            }
            assert_int_equal(back, bits);
            if (isnan(high) || isinf(high) || isinf(low))
                continue;
            tn_elem_set_f64(dtype, &back, (low + high) / 2);
            assert_int_equal(back, bits & 1 ? next : bits);
            tn_elem_set_f64(dtype, &back, (low + high) / 2 + (high - low) * 1e-9);
            assert_int_equal(back, next);
            back = 0;
            tn_elem_set_f64(dtype, &back, -(low + high) / 2 + (high - low) * 1e-9);
            assert_int_equal(back, bits | count);
        }
    }
}

static void functions(void **state) {
    (void)state;
    static const struct {
        tn_prim prim;
        double at, wanted;
    } cases[] = {
        {TN_PRIM_SQRT, 2, 1.4142135623730951},
        {TN_PRIM_RSQRT, 4, 0.5},
        {TN_PRIM_RECIP, 8, 0.125},
        {TN_PRIM_EXP, 1, 2.718281828459045},
        {TN_PRIM_EXPM1, 1e-12, 1.0000000000005e-12},
        {TN_PRIM_LOG, 10, 2.302585092994046},
        {TN_PRIM_LOG2, 8, 3},
        {TN_PRIM_LOG10, 1000, 3},
        {TN_PRIM_LOG1P, 1e-12, 9.999999999995e-13},
        {TN_PRIM_SIN, 1, 0.8414709848078965},
        {TN_PRIM_COS, 1, 0.5403023058681398},
        {TN_PRIM_TAN, 1, 1.5574077246549023},
        {TN_PRIM_ASIN, 0.5, 0.5235987755982989},
        {TN_PRIM_ACOS, 0.5, 1.0471975511965979},
        {TN_PRIM_ATAN, 1, 0.7853981633974483},
        {TN_PRIM_SINH, 1, 1.1752011936438014},
        {TN_PRIM_COSH, 1, 1.5430806348152437},
        {TN_PRIM_TANH, 0.5, 0.46211715726000976},
        {TN_PRIM_ERF, 0.5, 0.5204998778130465},
        {TN_PRIM_SIGMOID, 2, 0.8807970779778823},
        {TN_PRIM_SILU, 2, 1.7615941559557646},
        {TN_PRIM_GELU_ERF, 1, 0.8413447460685429},
        {TN_PRIM_GELU_TANH, 1, 0.8411919906082768},
        {TN_PRIM_FLOOR, -1.5, -2},
        {TN_PRIM_CEIL, -1.5, -1},
        {TN_PRIM_TRUNC, -1.5, -1},
        {TN_PRIM_ROUND, 2.5, 2},
        {TN_PRIM_NEG, 2, -2},
    };
    tn_allocator system = tn_allocator_system();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (tn_dtype dtype = TN_F64; dtype <= TN_BF16; dtype++) {
            uint64_t in = 0, out = 0, rounded = 0;
            tn_tensor x = {.dtype = dtype, .data = &in}, result = {.dtype = dtype, .data = &out};
            const tn_tensor *operands[1] = {&x};
            tn_resolved_arg arg = {.kind = TN_ARG_VALUE};
            tn_elem_set_f64(dtype, &in, cases[i].at);
            assert_null(tn_interp_run(&system, cases[i].prim, operands, 1, &arg, 1, &result, 1));
            tn_elem_set_f64(dtype, &rounded, cases[i].wanted);
            double wanted = tn_elem_get_f64(dtype, &rounded), seen = tn_elem_get_f64(dtype, &out);
            /* One step of the dtype, or, for f32, two; the operand may have been rounded too. */
            double step = dtype == TN_F64   ? 1e-15
                          : dtype == TN_F32 ? 2.4e-7
                          : dtype == TN_F16 ? 1e-3
                                            : 8e-3;
            if (fabs(seen - wanted) > step * fmax(fabs(wanted), 1e-30) * 1.5)
                print_error("%s(%g) in %s is %.17g\n", tn_prim_schema(cases[i].prim), cases[i].at,
                            tn_dtype_name(dtype), seen);
            assert_true(fabs(seen - wanted) <= step * fmax(fabs(wanted), 1e-30) * 1.5);
        }
}

static void creation(void **state) {
    (void)state;
    tn_test_pairs("graph g { %a: i64[2, 3] = k::iota([2, 3], 1, 5, -2, i64)\n"
                  "const %w0: i64[2, 3] = [5, 3, 1, 5, 3, 1]\n"
                  "%b: f32[3, 1] = k::iota([3, 1], 0, 0.5, 0.25, f32)\n"
                  "const %w1: f32[3, 1] = [0.5, 0.75, 1.0]\n"
                  "%c: i64[] = k::sym_value(42) const %w2: i64[] = [42]\n"
                  "return %a, %w0, %b, %w1, %c, %w2 }",
                  0);
}

/* The first words of Philox4x32-10 with zero counter and key are 6627e8d5 e169c58d (Random123's
 * known answers). */
static void random_numbers(void **state) {
    (void)state;
    tn_test_pairs("graph g { %u: f64[1] = k::random([1], \"uniform\", 0, 0, f64)\n"
                  "const %w: f64[1] = [0.39904647231489565]\n"
                  "%f: f32[1] = k::random([1], \"uniform\", 0, 0, f32)\n"
                  "const %v: f32[1] = [0.3990464210510254] return %u, %w, %f, %v }",
                  0);
    tn_test_graph test;
    tn_tensor outputs[2];
    tn_test_graph_begin(&test,
                        "graph g { %u: bf16[20000] = k::random([20000], \"uniform\", 7, 1, bf16)\n"
                        "%n: f32[20000] = k::random([20000], \"normal\", 7, 2, f32)\n"
                        "return %u, %n }");
    assert_null(tn_test_graph_run(test.graph, &test.arena, NULL, NULL, outputs));
    double sum = 0, sum_normal = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        double u = tn_elem_get_f64(TN_BF16, (uint16_t *)outputs[0].data + i);
        double n = ((float *)outputs[1].data)[i];
        assert_true(u >= 0 && u < 1 && isfinite(n));
        sum += u;
        sum_normal += n;
        squares += n * n;
    }
    assert_true(fabs(sum / 20000 - 0.5) < 0.02);
    assert_true(fabs(sum_normal / 20000) < 0.04 && fabs(squares / 20000 - 1) < 0.06);
    tn_test_graph_end(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcasts),     cmocka_unit_test(float_edges),
        cmocka_unit_test(float_division), cmocka_unit_test(integers_wrap),
        cmocka_unit_test(casts),          cmocka_unit_test(narrow_floats),
        cmocka_unit_test(functions),      cmocka_unit_test(creation),
        cmocka_unit_test(random_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
