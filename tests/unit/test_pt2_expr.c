/* test_pt2_expr.c: size expressions as torch.export writes them, against tenon's own notation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "front/pt2_expr.h"

#define S0 "Symbol('s0', positive=True, integer=True)"
#define S1 "Symbol('s1', positive=True, integer=True)"

static const struct {
    const char *text;
    const char *wanted; /* tenon's notation */
} integers[] = {
    {"Integer(-3)", "-3"},
    {S0, "s0"},
    {"Add(Mul(Integer(2), " S0 "), Integer(1))", "2*s0 + 1"},
    {"Pow(" S0 ", Integer(2))", "s0*s0"},
    {"FloorDiv(" S0 ", Integer(2))", "s0 // 2"},
    {"CleanDiv(" S0 ", Integer(2))", "s0 // 2"},
    {"Mul(Rational(1, 2), " S0 ")", "s0 // 2"},
    {"Add(Rational(1, 2), Mul(Rational(1, 2), " S0 "))", "(s0 + 1) // 2"},
    {"CeilDiv(" S0 ", Integer(4))", "(s0 + 3) // 4"},
    {"Mod(" S0 ", Integer(3))", "s0 % 3"},
    {"PythonMod(" S0 ", Integer(3))", "s0 % 3"},
    {"ModularIndexing(" S0 ", Integer(2), Integer(3))", "(s0 // 2) % 3"},
    {"Max(Integer(1), " S0 ")", "s0"},
    {"Min(Integer(5), " S0 ", " S1 ")", "min(min(s0, s1), 5)"},
    {"TruncToInt(Mul(Float('2.0', precision=53), ToFloat(" S0 ")))", "2*s0"},
    {"FloorToInt(IntTrueDiv(" S0 ", Integer(2)))", "s0 // 2"},
    {"CeilToInt(IntTrueDiv(" S0 ", Integer(2)))", "(s0 + 1) // 2"},
    {"LShift(" S0 ", Integer(3))", "8*s0"},
    {"RShift(" S0 ", Integer(3))", "s0 // 8"},
    {"Equality(" S0 ", " S0 ")", "1"},
    {"StrictLessThan(" S0 ", Integer(1))", "0"},
    {"GreaterThan(" S0 ", Integer(1))", "1"},
    {"And(GreaterThan(" S0 ", Integer(1)), Unequality(" S0 ", Integer(0)))", "1"},
    {"Not(true)", "0"},
    {"Where(GreaterThan(" S0 ", Integer(9)), Integer(1), Integer(2))", "select(9 <= s0, 1, 2)"},
    {"Piecewise(ExprCondPair(Integer(1), GreaterThan(" S0 ", Integer(9))), "
     "ExprCondPair(Integer(2), true))",
     "select(9 <= s0, 1, 2)"},
    {"Identity(Abs(Integer(-4)))", "4"},
};

static void integer_expressions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        tn_arena arena;
        tn_syms *syms = NULL;
        tn_pt2_number number;
        const tn_sym *wanted = NULL;
        tn_arena_init(&arena, tn_allocator_system());
        assert_null(tn_syms_create(&arena, &syms));
        assert_non_null(tn_sym_var(syms, TN_STR("s0"), 1, INT64_MAX));
        assert_non_null(tn_sym_var(syms, TN_STR("s1"), 1, INT64_MAX));
        tn_status status = tn_pt2_expr_parse(syms, tn_str_of(integers[i].text), &number);
        if (status)
            fail_msg("%s: %s", integers[i].text, tn_status_message(status));
        assert_null(tn_sym_parse(syms, tn_str_of(integers[i].wanted), false, &wanted));
        const tn_sym *got = tn_pt2_number_sym(syms, &number);
        if (got != wanted) {
            tn_buf buf;
            tn_buf_init(&buf, tn_allocator_system());
            if (got)
                tn_sym_print(&buf, got);
            fail_msg("%s: got %s, expected %s", integers[i].text, tn_buf_cstr(&buf),
                     integers[i].wanted);
        }
        tn_arena_deinit(&arena);
    }
}

static void constants_that_are_no_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double wanted;
    } cases[] = {
        {"Rational(1, 4)", 0.25},
        {"Float('0.1', precision=53)", 0.1},
        {"Pow(Integer(2), Integer(-1))", 0.5},
        {"OpaqueUnaryFn_sqrt(Integer(16))", 4},
        {"Mul(Float('0.1', precision=53), Integer(2))", 0.2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_arena arena;
        tn_syms *syms = NULL;
        tn_pt2_number number;
        double value = 0;
        tn_arena_init(&arena, tn_allocator_system());
        assert_null(tn_syms_create(&arena, &syms));
        assert_null(tn_pt2_expr_parse(syms, tn_str_of(cases[i].text), &number));
        assert_true(tn_pt2_number_constant(&number, &value));
        assert_true(value == cases[i].wanted);
        tn_arena_deinit(&arena);
    }
}

static void wrong_texts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        tn_code code;
    } cases[] = {
        {"", TN_CORRUPT},
        {"Integer(", TN_CORRUPT},
        {"Integer(1.5)", TN_CORRUPT},
        {"Integer(99999999999999999999)", TN_CORRUPT},
        {"Integer(1) 2", TN_CORRUPT},
        {"Symbol(s0)", TN_CORRUPT},
        {"Symbol('s0', positive)", TN_CORRUPT},
        {"Add()", TN_CORRUPT},
        {"FloorDiv(Integer(1))", TN_CORRUPT},
        {"Rational(1, 0)", TN_CORRUPT},
        {"nonsense", TN_CORRUPT},
        {"Gamma(Integer(1))", TN_UNSUPPORTED},
        {"FloorDiv(Integer(1), Integer(0))", TN_OUT_OF_RANGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_arena arena;
        tn_syms *syms = NULL;
        tn_pt2_number number;
        tn_arena_init(&arena, tn_allocator_system());
        assert_null(tn_syms_create(&arena, &syms));
        tn_status status = tn_pt2_expr_parse(syms, tn_str_of(cases[i].text), &number);
        if (tn_status_code(status) != cases[i].code)
            fail_msg("%s: %s", cases[i].text, tn_status_message(status));
        tn_status_free(status);
        tn_arena_deinit(&arena);
    }
}

static void depth_is_limited(void **state) {
    (void)state;
    static char text[70000 * 4 + 1];
    for (size_t i = 0; i < 70000; i++)
        memcpy(text + 4 * i, "Abs(", 4);
    tn_arena arena;
    tn_syms *syms = NULL;
    tn_pt2_number number;
    tn_arena_init(&arena, tn_allocator_system());
    assert_null(tn_syms_create(&arena, &syms));
    tn_status status = tn_pt2_expr_parse(syms, tn_str_of(text), &number);
    assert_int_equal(tn_status_code(status), TN_CORRUPT);
    assert_non_null(strstr(tn_status_message(status), "nested"));
    tn_status_free(status);
    tn_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_expressions),
        cmocka_unit_test(constants_that_are_no_integers),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(depth_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
