/* test_base_str.c: string views, number parsing whatever the locale, globs and edit distance. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void comparing(void **state) {
    (void)state;
    tn_str nothing = {NULL, 0};
    assert_true(tn_str_equal(nothing, TN_STR("")));
    assert_true(tn_str_is(TN_STR("abc"), "abc"));
    assert_false(tn_str_is(TN_STR("abc"), "ab"));
    assert_true(tn_str_starts(TN_STR("abc"), "ab"));
    assert_true(tn_str_starts(nothing, ""));
    assert_false(tn_str_starts(TN_STR("a"), "ab"));
    assert_true(tn_str_ends(TN_STR("abc"), "bc"));
    assert_true(tn_str_ends(nothing, ""));
    assert_false(tn_str_ends(TN_STR("c"), "bc"));
    assert_true(tn_str_compare(TN_STR("a"), TN_STR("b")) < 0);
    assert_true(tn_str_compare(TN_STR("a"), TN_STR("aa")) < 0);
    assert_true(tn_str_compare(TN_STR("\xff"), TN_STR("a")) > 0);
    assert_int_equal(tn_str_compare(nothing, nothing), 0);
}

static void splitting(void **state) {
    (void)state;
    tn_str head;
    tn_str rest = tn_str_split(TN_STR("a.b.c"), '.', &head);
    assert_true(tn_str_is(head, "a") && tn_str_is(rest, "b.c"));
    rest = tn_str_split(TN_STR("abc"), '.', &head);
    assert_true(tn_str_is(head, "abc") && tn_str_is(rest, ""));
    rest = tn_str_split(TN_STR(".b"), '.', &head);
    assert_true(tn_str_is(head, "") && tn_str_is(rest, "b"));
    rest = tn_str_split((tn_str){NULL, 0}, '.', &head);
    assert_true(tn_str_is(head, "") && tn_str_is(rest, ""));
    assert_true(tn_str_is(tn_str_trim(TN_STR(" \t a b\r\n")), "a b"));
    assert_true(tn_str_is(tn_str_trim(TN_STR("  ")), ""));
}

static void integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-17", true, -17},
        {"+8", true, 8},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 99;
        assert_int_equal(tn_str_to_i64(tn_str_of(cases[i].text), &value), cases[i].is_number);
        assert_true(value == cases[i].value);
    }
}

static void doubles(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
        double value;
    } cases[] = {
        {"0", true, 0},
        {"-1.5e3", true, -1500},
        {".5", true, 0.5},
        {"1e-400", true, 0}, /* too small to tell from zero is not out of range */
        {"4.9406564584124654e-324", true, 4.9406564584124654e-324},
        {"1e400", false, 0},
        {"inf", true, INFINITY},
        {"-Infinity", true, -INFINITY},
        {"0x10", false, 0},
        {"nan(1)", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1,5", false, 0},
        {"", false, 0},
        {"e5", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 99;
        assert_int_equal(tn_str_to_f64(tn_str_of(cases[i].text), &value), cases[i].is_number);
        assert_true(value == cases[i].value);
    }
    double value = 0;
    assert_true(tn_str_to_f64(TN_STR("nan"), &value));
    assert_true(isnan(value));
    char digits[2000];
    memset(digits, '1', sizeof digits);
    digits[1] = '.';
    assert_true(tn_str_to_f64((tn_str){digits, 1000}, &value));
    assert_true(value == 1.0 + 1.0 / 9);
    assert_false(tn_str_to_f64((tn_str){digits, sizeof digits}, &value));
    assert_true(tn_str_to_f64((tn_str){"1.55", 3}, &value)); /* not zero terminated */
    assert_true(value == 1.5);
}

/* In a locale with a decimal comma, where one is installed, numbers keep their point. */
static void numbers_ignore_the_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "de_DE"};
    bool is_set = false;
    for (size_t i = 0; !is_set && i < sizeof names / sizeof *names; i++)
        is_set = setlocale(LC_ALL, names[i]) != NULL;
    if (!is_set)
        skip();
    double value = 0;
    assert_true(tn_str_to_f64(TN_STR("1.5"), &value));
    assert_true(value == 1.5);
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_buf_printf(&buf, "%.1f", 1.5);
    assert_string_equal(tn_buf_cstr(&buf), "1.5");
    tn_buf_deinit(&buf);
    setlocale(LC_ALL, "C");
}

static void shortest_decimals(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {2, "2.0"},
        {0.1, "0.1"},
        {1e-5, "1e-05"},
        {1e300, "1e+300"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {4.9406564584124654e-324, "5e-324"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        size_t len = tn_format_f64(text, sizeof text, cases[i].value);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(len, strlen(text));
    }
    uint64_t bits = 1;
    for (int i = 0; i < 2000; i++) {
        char text[32];
        double value = 0, back = 0;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        tn_format_f64(text, sizeof text, value);
        assert_true(tn_str_to_f64(tn_str_of(text), &back));
        assert_memory_equal(&back, &value, sizeof value);
    }
}

static void globs(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool is_match;
    } cases[] = {
        {"aten::add.*", "aten::add.Tensor", true},
        {"aten::add.*", "aten::add", false},
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"?", "", false},
        {"a?c", "abc", true},
        {"*b*b", "abcb", true},
        {"*b*b", "abc", false},
        {"**x", "x", true},
        {"a*", "ba", false},
        {"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(tn_str_glob(tn_str_of(cases[i].pattern), tn_str_of(cases[i].text)),
                         cases[i].is_match);
}

/* The textbook recurrence, to hold the banded one against. */
static size_t plain_distance(const char *a, const char *b) {
    if (!*a || !*b) {
        size_t rest = strlen(a) + strlen(b);
        return rest < 16 ? rest : 16;
    }
    if (*a == *b)
        return plain_distance(a + 1, b + 1);
    size_t best = plain_distance(a + 1, b + 1);
    size_t other = plain_distance(a + 1, b);
    best = other < best ? other : best;
    other = plain_distance(a, b + 1);
    best = other < best ? other : best;
    return best < 15 ? best + 1 : 16;
}

static void distances(void **state) {
    (void)state;
    static const char *const words[] = {"",      "a",    "abc",   "kitten",  "sitting", "relu",
                                        "relu_", "gelu", "nepal", "softmax", "xaften",  "conv2d"};
    size_t n = sizeof words / sizeof *words;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            assert_int_equal(tn_str_distance(tn_str_of(words[i]), tn_str_of(words[j])),
                             plain_distance(words[i], words[j]));
    char long_a[101], long_b[101];
    memset(long_a, 'a', sizeof long_a);
    memset(long_b, 'b', sizeof long_b);
    assert_int_equal(tn_str_distance((tn_str){long_a, 100}, (tn_str){long_a, 100}), 0);
    assert_int_equal(tn_str_distance((tn_str){long_a, 100}, (tn_str){long_a, 88}), 12);
    assert_int_equal(tn_str_distance((tn_str){long_a, 88}, (tn_str){long_a, 100}), 12);
    assert_int_equal(tn_str_distance((tn_str){long_a, 100}, (tn_str){long_a, 50}), 16);
    assert_int_equal(tn_str_distance((tn_str){long_a, 50}, (tn_str){long_a, 100}), 16);
    assert_int_equal(tn_str_distance((tn_str){long_a, 100}, (tn_str){long_b, 100}), 16);
    assert_int_equal(tn_str_distance((tn_str){NULL, 0}, (tn_str){long_b, 15}), 15);
    assert_int_equal(tn_str_distance((tn_str){long_b, 16}, (tn_str){NULL, 0}), 16);
}

static void test_json(void **state) {
    (void)state;
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_buf_json(&buf, TN_STR("a\"b\\c\n\x01 \xc3\xa9 \xff \xc0\x80 \xed\xa0\x80 \xe2\x82"));
    assert_string_equal(tn_buf_cstr(&buf),
                        "\"a\\\"b\\\\c\\u000a\\u0001 \xc3\xa9 \\ufffd \\ufffd\\ufffd "
                        "\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"");
    tn_buf_deinit(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json), cmocka_unit_test(comparing),
        cmocka_unit_test(splitting), cmocka_unit_test(integers),
        cmocka_unit_test(doubles),   cmocka_unit_test(shortest_decimals),
        cmocka_unit_test(globs),     cmocka_unit_test(numbers_ignore_the_locale),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
