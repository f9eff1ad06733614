/* str.c: string views, locale-independent formatting and number parsing, and the text buffer.
 *
 * The program around the library may have set a locale with a decimal comma; what is printed here
 * is parsed again (generated C, textual IR, JSON), so formatting and parsing always use the C
 * locale. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtod_l */
#endif
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

tn_str tn_str_of(const char *zero_terminated) {
    return (tn_str){zero_terminated, strlen(zero_terminated)};
}

bool tn_str_equal(tn_str a, tn_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool tn_str_is(tn_str a, const char *zero_terminated) {
    return tn_str_equal(a, tn_str_of(zero_terminated));
}

bool tn_str_starts(tn_str s, const char *prefix) {
    size_t len = strlen(prefix);
    return s.len >= len && tn_str_is((tn_str){s.data, len}, prefix);
}

bool tn_str_ends(tn_str s, const char *suffix) {
    size_t len = strlen(suffix);
    return s.len >= len && (len == 0 || tn_str_is((tn_str){s.data + (s.len - len), len}, suffix));
}

int tn_str_compare(tn_str a, tn_str b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

tn_str tn_str_split(tn_str s, char separator, tn_str *out_head) {
    const char *found = s.len ? memchr(s.data, separator, s.len) : NULL;
    if (!found) {
        *out_head = s;
        return s.len ? (tn_str){s.data + s.len, 0} : s;
    }
    size_t head = (size_t)(found - s.data);
    *out_head = (tn_str){s.data, head};
    return (tn_str){found + 1, s.len - head - 1};
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

tn_str tn_str_trim(tn_str s) {
    while (s.len && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool tn_str_to_i64(tn_str s, int64_t *out_value) {
    *out_value = 0;
    size_t i = 0;
    bool is_negative = s.len && s.data[0] == '-';
    if (s.len && (s.data[0] == '-' || s.data[0] == '+'))
        i++;
    if (i == s.len)
        return false;
    int64_t value = 0; /* kept negative, whose range is the larger one */
    for (; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        if (!tn_mul_i64(value, 10, &value) || !tn_sub_i64(value, s.data[i] - '0', &value))
            return false;
    }
    if (!is_negative && !tn_sub_i64(0, value, &value))
        return false;
    *out_value = value;
    return true;
}

bool tn_str_to_f64(tn_str s, double *out_value) {
    *out_value = 0;
    char text[1100]; /* the longest exact decimal of a double has fewer characters */
    if (s.len == 0 || s.len >= sizeof text || is_space(s.data[0]) || memchr(s.data, 'x', s.len) ||
        memchr(s.data, 'X', s.len) || memchr(s.data, '(', s.len))
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = 0;
    /* In glibc and musl this is a constant object: no allocation, and it cannot fail. */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return false;
    int saved_errno = errno;
    errno = 0;
    char *end = NULL;
    double value = strtod_l(text, &end, c_locale);
    bool is_overflow = errno == ERANGE && isinf(value);
    errno = saved_errno;
    freelocale(c_locale);
    if (end != text + s.len || is_overflow)
        return false;
    *out_value = value;
    return true;
}

bool tn_str_glob(tn_str pattern, tn_str s) {
    size_t p = 0, i = 0;
    size_t star = pattern.len, star_i = 0; /* where to resume: the last '*' and what it has eaten */
    while (i < s.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            star_i = i;
        } else if (p < pattern.len && (pattern.data[p] == '?' || pattern.data[p] == s.data[i])) {
            p++;
            i++;
        } else if (star < pattern.len) {
            p = star + 1;
            i = ++star_i;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

/* Levenshtein's recurrence on the diagonal band that distances below the cap can reach: cell k of
 * row i is column i + k - CAP. */
size_t tn_str_distance(tn_str a, tn_str b) {
    enum { CAP = 16, BAND = 2 * CAP + 1 };
    size_t row[BAND + 1];
    for (size_t k = 0; k <= BAND; k++)
        row[k] = k >= CAP && k < BAND && k - CAP <= b.len ? k - CAP : CAP;
    for (size_t i = 1; i <= a.len; i++) {
        for (size_t k = 0; k < BAND; k++) {
            size_t column = i + k; /* the true column plus CAP */
            if (column < CAP || column - CAP > b.len) {
                row[k] = CAP;
                continue;
            }
            size_t best = row[k + 1] + 1; /* deletion: same column of the row above */
            if (column > CAP) {
                size_t j = column - CAP;
                size_t replaced = row[k] + (a.data[i - 1] != b.data[j - 1]);
                size_t inserted = k ? row[k - 1] + 1 : CAP;
                best = replaced < best ? replaced : best;
                best = inserted < best ? inserted : best;
            }
            row[k] = best < CAP ? best : CAP;
        }
    }
    /* column b.len of row a.len */
    if (b.len + CAP < a.len || b.len + CAP - a.len >= BAND)
        return CAP;
    return row[b.len + CAP - a.len];
}

int tn_vformat(char *out, size_t bytes, const char *format, va_list args) {
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return -1;
    locale_t before = uselocale(c_locale);
    int len = vsnprintf(out, bytes, format, args);
    uselocale(before);
    freelocale(c_locale);
    return len;
}

int tn_format(char *out, size_t bytes, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = tn_vformat(out, bytes, format, args);
    va_end(args);
    return len;
}

size_t tn_format_f64(char *out, size_t bytes, double value) {
    if (isnan(value) || isinf(value)) {
        tn_format(out, bytes, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return strlen(out);
    }
    for (int precision = 1; precision <= 17; precision++) {
        tn_format(out, bytes, "%.*g", precision, value);
        double back = 0;
        if (tn_str_to_f64(tn_str_of(out), &back) && back == value)
            break;
    }
    if (!strpbrk(out, ".e"))
        memcpy(out + strlen(out), ".0", 3);
    return strlen(out);
}

/* ---- buffer --------------------------------------------------------------------------------- */

void tn_buf_init(tn_buf *buf, tn_allocator allocator) {
    *buf = (tn_buf){.allocator = allocator};
}

void tn_buf_deinit(tn_buf *buf) {
    tn_alloc_free(&buf->allocator, buf->data, buf->capacity);
    *buf = (tn_buf){.allocator = buf->allocator};
}

void tn_buf_clear(tn_buf *buf) {
    buf->len = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = 0;
}

/* Makes room for extra bytes and the final zero. */
static bool reserve(tn_buf *buf, size_t extra) {
    size_t wanted = 0;
    if (buf->failed)
        return false;
    buf->failed = true;
    if (!tn_add_size(buf->len, extra, &wanted) || !tn_add_size(wanted, 1, &wanted))
        return false;
    if (wanted > buf->capacity) {
        size_t doubled = 0;
        if (tn_mul_size(buf->capacity, 2, &doubled) && wanted < doubled)
            wanted = doubled;
        if (wanted < 64)
            wanted = 64;
        char *data = buf->allocator.resize(buf->allocator.self, buf->data, buf->capacity, wanted);
        if (!data)
            return false;
        buf->data = data;
        buf->capacity = wanted;
    }
    buf->failed = false;
    return true;
}

void tn_buf_append(tn_buf *buf, const void *bytes, size_t len) {
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

void tn_buf_str_append(tn_buf *buf, tn_str s) {
    tn_buf_append(buf, s.data, s.len);
}

void tn_buf_printf(tn_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = tn_vformat(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)len)) {
        tn_vformat(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

const char *tn_buf_cstr(const tn_buf *buf) {
    return buf->data ? buf->data : "";
}

tn_str tn_buf_view(const tn_buf *buf) {
    return (tn_str){tn_buf_cstr(buf), buf->len};
}

tn_status tn_buf_status(const tn_buf *buf) {
    return buf->failed ? tn_error_out_of_memory() : NULL;
}

/* Bytes of the UTF-8 sequence at the start of s (1 to 4), 0 if it is none. Overlong forms,
 * surrogates and code points past U+10FFFF are none. */
static size_t utf8_bytes(tn_str s) {
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    const uint8_t *bytes = (const uint8_t *)s.data;
    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        if ((bytes[0] & forms[len - 1].mask) != forms[len - 1].lead)
            continue;
        uint32_t code = bytes[0] & (uint8_t)~forms[len - 1].mask;
        for (size_t i = 1; i < len; i++) {
            if ((bytes[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (bytes[i] & 0x3f);
        }
        bool is_surrogate = code >= 0xd800 && code < 0xe000;
        return code >= forms[len - 1].least && code <= 0x10ffff && !is_surrogate ? len : 0;
    }
    return 0;
}

void tn_buf_json(tn_buf *buf, tn_str s) {
    tn_buf_append(buf, "\"", 1);
    while (s.len > 0) {
        size_t len = utf8_bytes(s);
        char c = s.data[0];
        if (len == 0)
            tn_buf_append(buf, "\\ufffd", 6);
        else if (c == '"' || c == '\\')
            tn_buf_printf(buf, "\\%c", c);
        else if (len == 1 && (unsigned char)c < 0x20)
            tn_buf_printf(buf, "\\u%04x", (unsigned)c);
        else
            tn_buf_append(buf, s.data, len);
        len = len ? len : 1;
        s = (tn_str){s.data + len, s.len - len};
    }
    tn_buf_append(buf, "\"", 1);
}
