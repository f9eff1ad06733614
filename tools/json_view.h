/* json_view.h: walks the JSON texts that the library returns (descriptions, reports), without
 * memory of its own. It trusts them to be valid, and is no reader for anybody else's JSON. */
#ifndef TN_TOOLS_JSON_VIEW_H
#define TN_TOOLS_JSON_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value, by its place in the text; at is NULL for one that is absent. */
typedef struct json_view {
    const char *at;
} json_view;

json_view json_root(const char *text);
/* The member of an object; absent if there is none or this is no object. */
json_view json_member(json_view object, const char *key);
/* The first element of a list, and the one after an element; absent past the last. */
json_view json_first(json_view list);
json_view json_next(json_view element);
size_t json_length(json_view list);
/* 0 for what is no number. */
double json_number(json_view value);
int64_t json_integer(json_view value);
/* A string's content, or the text of a number or word, unescaped and cut to bytes - 1; "" if it is
 * absent. Returns out. */
const char *json_text(json_view value, char *out, size_t bytes);
bool json_is(json_view value, const char *text);

#endif
