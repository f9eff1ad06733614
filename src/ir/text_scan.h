/* text_scan.h: the characters under the parser of textual graphs: positions, words, errors. */
#ifndef TN_IR_TEXT_SCAN_H
#define TN_IR_TEXT_SCAN_H

#include "base/arena.h"

typedef struct tn_scan {
    tn_arena *arena;
    tn_str text;
    size_t at;
} tn_scan;

/* Skips blanks, newlines and comments; the character there, 0 at the end. */
char tn_scan_peek(tn_scan *scan);
/* Takes the token if it is next. A token of letters must not go on as a longer word. */
bool tn_scan_take(tn_scan *scan, const char *token);
/* TN_INVALID_ARGUMENT "line:column: seen 'x', expected ..." at the next character. */
TN_MUST_USE tn_status tn_scan_wrong(tn_scan *scan, const char *format, ...) TN_PRINTF(2, 3);
/* TN_INVALID_ARGUMENT "line:column: ..." at a position, for what is wrong with its meaning. */
TN_MUST_USE tn_status tn_scan_error(const tn_scan *scan, size_t at, const char *format, ...)
    TN_PRINTF(3, 4);
TN_MUST_USE tn_status tn_scan_expect(tn_scan *scan, const char *token);
/* A run of letters, digits, _ and the extra characters; empty when there is none. Borrowed. */
tn_str tn_scan_word(tn_scan *scan, const char *extra);
/* "..." with \" \\ \n \xHH; in the arena. */
TN_MUST_USE tn_status tn_scan_string(tn_scan *scan, tn_str *out_string);
/* A word, or a quoted string. */
TN_MUST_USE tn_status tn_scan_name(tn_scan *scan, const char *expected, tn_str *out_name);

#endif
