/* str.h: string views, and a growable text buffer with printf. */
#ifndef TN_BASE_STR_H
#define TN_BASE_STR_H

#include <stdarg.h>

#include "base/alloc.h"

/* Borrowed bytes; not necessarily zero terminated. */
typedef struct tn_str {
    const char *data;
    size_t len;
} tn_str;

#define TN_STR(literal) ((tn_str){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", TN_STR_ARG(s)). */
#define TN_STR_ARG(s) (int)(s).len, (s).data

tn_str tn_str_of(const char *zero_terminated);
bool tn_str_equal(tn_str a, tn_str b);
bool tn_str_is(tn_str a, const char *zero_terminated);
bool tn_str_starts(tn_str s, const char *prefix);
bool tn_str_ends(tn_str s, const char *suffix);
int tn_str_compare(tn_str a, tn_str b); /* bytewise, like strcmp */
/* Splits at the first separator: *out_head before it, the rest after it is returned. Without a
 * separator head is all of s and the rest is empty. */
tn_str tn_str_split(tn_str s, char separator, tn_str *out_head);
tn_str tn_str_trim(tn_str s);
/* Whole-string conversions: false unless all of s is one number in range. Independent of the
 * locale. The second also takes "inf" and "nan" with a sign; hexadecimal is refused. */
bool tn_str_to_i64(tn_str s, int64_t *out_value);
bool tn_str_to_f64(tn_str s, double *out_value);
/* '*' matches any run, '?' any one byte. */
bool tn_str_glob(tn_str pattern, tn_str s);
/* Edit distance, for "did you mean"; capped at 16. */
size_t tn_str_distance(tn_str a, tn_str b);

/* vsnprintf in the C locale, whatever the program's is: a decimal point stays a point. */
int tn_vformat(char *out, size_t bytes, const char *format, va_list args) TN_PRINTF(3, 0);
int tn_format(char *out, size_t bytes, const char *format, ...) TN_PRINTF(3, 4);
/* The shortest decimal that reads back as the same double ("0.1", "1e-05", "2.0", "inf", "nan"):
 * always with a point, an exponent or letters, so that it is no integer. Returns the length; bytes
 * >= 32. */
size_t tn_format_f64(char *out, size_t bytes, double value);

/* Growable zero-terminated text. Errors are sticky: after one failed growth further appends do
 * nothing, and tn_buf_status() tells. Thread-compatible. */
typedef struct tn_buf {
    tn_allocator allocator;
    char *data; /* "" semantics: may be NULL while len is 0; use tn_buf_str() */
    size_t len;
    size_t capacity;
    bool failed;
} tn_buf;

void tn_buf_init(tn_buf *buf, tn_allocator allocator);
void tn_buf_deinit(tn_buf *buf);
void tn_buf_clear(tn_buf *buf);
void tn_buf_append(tn_buf *buf, const void *bytes, size_t len);
void tn_buf_str_append(tn_buf *buf, tn_str s);
void tn_buf_printf(tn_buf *buf, const char *format, ...) TN_PRINTF(2, 3);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void tn_buf_json(tn_buf *buf, tn_str s);
/* Zero-terminated content, never NULL. Valid until the next change. */
const char *tn_buf_cstr(const tn_buf *buf);
tn_str tn_buf_view(const tn_buf *buf);
TN_MUST_USE tn_status tn_buf_status(const tn_buf *buf);

#endif
