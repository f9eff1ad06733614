/* json.h: a JSON text as an array of tokens, with readers that name the place of what is wrong.
 *
 * The text is untrusted and is checked whole before anything is read from it: separators, literals,
 * escapes, UTF-8, depth and size. Strings without escapes are views of the text, numbers stay text
 * until asked for, so that 64-bit integers arrive whole.
 */
#ifndef TN_FORMAT_JSON_H
#define TN_FORMAT_JSON_H

#include "base/arena.h"

typedef enum tn_json_kind {
    TN_JSON_ABSENT = 0, /* a member that an object does not have */
    TN_JSON_OBJECT,
    TN_JSON_ARRAY,
    TN_JSON_STRING,
    TN_JSON_NUMBER,
    TN_JSON_BOOL,
    TN_JSON_NULL,
} tn_json_kind;

typedef struct tn_json_token tn_json_token;

/* Thread-safe once open, except for tn_json_str() into a shared arena. */
typedef struct tn_json {
    tn_allocator allocator;
    tn_str text; /* borrowed */
    tn_str name; /* borrowed: the file, for messages */
    tn_json_token *tokens;
    uint32_t token_count;
    uint32_t token_capacity;
} tn_json;

/* A value within a document; cheap to copy. */
typedef struct tn_json_value {
    const tn_json *doc;
    uint32_t index; /* of its token; UINT32_MAX for an absent one */
} tn_json_value;

/* Walks the elements of an array or the members of an object (where key is set). */
typedef struct tn_json_walk {
    tn_json_value value;
    tn_json_value key;
    uint32_t next, end;
    bool is_object;
} tn_json_walk;

/* Parses and checks. TN_CORRUPT names the offset; TN_OUT_OF_MEMORY. Close it in any case. */
TN_MUST_USE tn_status tn_json_open(const tn_allocator *allocator, tn_str text, tn_str name,
                                   tn_json *out_doc);
void tn_json_close(tn_json *doc);
tn_json_value tn_json_root(const tn_json *doc);

tn_json_kind tn_json_kind_of(tn_json_value value);
/* Elements of an array, members of an object, else 0. */
uint32_t tn_json_count(tn_json_value value);
/* The member of that name, absent if there is none or the value is no object. Keys are compared as
 * they are written. The first of several wins. */
tn_json_value tn_json_find(tn_json_value object, const char *key);
bool tn_json_is_missing(tn_json_value value); /* absent or null */
/* The text as it is written; without quotes for strings. */
tn_str tn_json_raw(tn_json_value value);

tn_json_walk tn_json_begin(tn_json_value container);
/* Steps to the next element or member; false at the end. */
bool tn_json_step(tn_json_walk *walk);

/* TN_CORRUPT, naming file and path, seen and wanted, unless the value is of the kind. */
TN_MUST_USE tn_status tn_json_expect(tn_json_value value, tn_json_kind kind);
/* The same with find: the member must be there and be of the kind. */
TN_MUST_USE tn_status tn_json_member(tn_json_value object, const char *key, tn_json_kind kind,
                                     tn_json_value *out_value);
/* The string, unescaped; in the arena when it has escapes, else a view of the text. */
TN_MUST_USE tn_status tn_json_str(tn_arena *arena, tn_json_value value, tn_str *out_str);
TN_MUST_USE tn_status tn_json_i64(tn_json_value value, int64_t *out_value);
/* A number, or "Infinity", "-Infinity", "NaN" as a string. */
TN_MUST_USE tn_status tn_json_f64(tn_json_value value, double *out_value);
TN_MUST_USE tn_status tn_json_bool(tn_json_value value, bool *out_value);

/* TN_CORRUPT (or another code) with "FILE: PATH: " before the message. */
TN_MUST_USE tn_status tn_json_error(tn_json_value value, tn_code code, const char *format, ...)
    TN_PRINTF(3, 4);

#endif
