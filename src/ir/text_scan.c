/* text_scan.c: scanning textual graphs character by character; there are no separate tokens,
 * because symbolic expressions inside are scanned by their own parser. */
#include "ir/text_scan.h"

#include <stdarg.h>
#include <string.h>

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static char char_at(const tn_scan *scan, size_t at) {
    return at < scan->text.len ? scan->text.data[at] : 0;
}

char tn_scan_peek(tn_scan *scan) {
    for (;;) {
        char c = char_at(scan, scan->at);
        if (c == '/' && char_at(scan, scan->at + 1) == '/') {
            while (scan->at < scan->text.len && scan->text.data[scan->at] != '\n')
                scan->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            scan->at++;
        } else {
            return c;
        }
    }
}

bool tn_scan_take(tn_scan *scan, const char *token) {
    size_t len = strlen(token);
    (void)tn_scan_peek(scan);
    if (scan->text.len - scan->at < len || memcmp(scan->text.data + scan->at, token, len) != 0)
        return false;
    if (is_word_char(token[len - 1]) && is_word_char(char_at(scan, scan->at + len)))
        return false;
    scan->at += len;
    return true;
}

static void find_position(const tn_scan *scan, size_t at, size_t *out_line, size_t *out_column) {
    size_t line_start = 0;
    *out_line = 1;
    for (size_t i = 0; i < at && i < scan->text.len; i++) {
        if (scan->text.data[i] != '\n')
            continue;
        line_start = i + 1;
        ++*out_line;
    }
    *out_column = at - line_start + 1;
}

tn_status tn_scan_error(const tn_scan *scan, size_t at, const char *format, ...) {
    char message[512];
    size_t line = 0, column = 0;
    find_position(scan, at, &line, &column);
    va_list args;
    va_start(args, format);
    (void)tn_vformat(message, sizeof message, format, args);
    va_end(args);
    return tn_error_make(TN_INVALID_ARGUMENT, "%zu:%zu: %s", line, column, message);
}

tn_status tn_scan_wrong(tn_scan *scan, const char *format, ...) {
    char expected[256];
    va_list args;
    va_start(args, format);
    (void)tn_vformat(expected, sizeof expected, format, args);
    va_end(args);
    (void)tn_scan_peek(scan);
    size_t at = scan->at;
    if (at >= scan->text.len)
        return tn_scan_error(scan, at, "seen the end of the text, expected %s", expected);
    size_t len = 1;
    while (len < 40 && is_word_char(scan->text.data[at]) && is_word_char(char_at(scan, at + len)))
        len++;
    return tn_scan_error(scan, at, "seen '%.*s', expected %s", (int)len, scan->text.data + at,
                         expected);
}

tn_status tn_scan_expect(tn_scan *scan, const char *token) {
    return tn_scan_take(scan, token) ? NULL : tn_scan_wrong(scan, "'%s'", token);
}

tn_str tn_scan_word(tn_scan *scan, const char *extra) {
    (void)tn_scan_peek(scan);
    size_t start = scan->at;
    for (char c; (c = char_at(scan, scan->at)) != 0; scan->at++)
        if (!is_word_char(c) && !strchr(extra, c))
            break;
    return (tn_str){scan->text.data + start, scan->at - start};
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The character after a backslash at the position; -1 when it is no escape. */
static int scan_escape(tn_scan *scan) {
    char c = char_at(scan, ++scan->at);
    if (c == '"' || c == '\\')
        return c;
    if (c == 'n')
        return '\n';
    if (c != 'x')
        return -1;
    int high = hex_digit(char_at(scan, scan->at + 1));
    int low = hex_digit(char_at(scan, scan->at + 2));
    scan->at += 2;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Bytes between the quotes, escapes counted as written: enough room for what they stand for. */
static size_t quoted_bytes(const tn_scan *scan) {
    size_t at = scan->at + 1;
    while (at < scan->text.len && scan->text.data[at] != '"')
        at += scan->text.data[at] == '\\' ? 2 : 1;
    return at - scan->at;
}

tn_status tn_scan_string(tn_scan *scan, tn_str *out_string) {
    *out_string = (tn_str){NULL, 0};
    if (tn_scan_peek(scan) != '"')
        return tn_scan_wrong(scan, "a string");
    size_t start = scan->at;
    char *copy = tn_arena_alloc(scan->arena, quoted_bytes(scan) + 1, 1);
    if (!copy)
        return tn_error_out_of_memory();
    size_t len = 0;
    for (scan->at++; scan->at < scan->text.len; scan->at++) {
        char c = scan->text.data[scan->at];
        if (c == '"') {
            scan->at++;
            *out_string = (tn_str){copy, len};
            return NULL;
        }
        if (c == '\\') {
            size_t at = scan->at;
            int escaped = scan_escape(scan);
            if (escaped < 0)
                return tn_scan_error(scan, at, "unknown escape, expected \\\" \\\\ \\n or \\xHH");
            c = (char)escaped;
        }
        copy[len++] = c;
    }
    return tn_scan_error(scan, start, "a string that does not end");
}

tn_status tn_scan_name(tn_scan *scan, const char *expected, tn_str *out_name) {
    if (tn_scan_peek(scan) != '"') {
        *out_name = tn_scan_word(scan, ".");
        return out_name->len ? NULL : tn_scan_wrong(scan, "%s", expected);
    }
    size_t at = scan->at;
    TN_TRY(tn_scan_string(scan, out_name));
    return out_name->len ? NULL : tn_scan_error(scan, at, "an empty name, expected %s", expected);
}
