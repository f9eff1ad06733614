/* json_view.c: see json_view.h. */
#include "json_view.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

/* Past the string whose opening quote stands at `at`. */
static const char *skip_string(const char *at) {
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

static const char *skip_value(const char *at) {
    int depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        else if (depth == 0)
            return at + strcspn(at, ",]} \t\r\n");
        at++;
    } while (depth > 0);
    return at;
}

json_view json_root(const char *text) {
    return (json_view){skip_space(text)};
}

json_view json_first(json_view list) {
    if (!list.at || (*list.at != '[' && *list.at != '{'))
        return (json_view){NULL};
    const char *at = skip_space(list.at + 1);
    return (json_view){*at == ']' || *at == '}' ? NULL : at};
}

json_view json_next(json_view element) {
    const char *at = skip_space(skip_value(element.at));
    return (json_view){*at == ',' ? skip_space(at + 1) : NULL};
}

size_t json_length(json_view list) {
    size_t length = 0;
    for (json_view v = json_first(list); v.at; v = json_next(v))
        length++;
    return length;
}

json_view json_member(json_view object, const char *key) {
    if (!object.at || *object.at != '{')
        return (json_view){NULL};
    for (json_view name = json_first(object); name.at;) {
        /* Past the key and its colon. */
        json_view value = {skip_space(skip_space(skip_string(name.at)) + 1)};
        size_t length = strlen(key);
        if (strncmp(name.at + 1, key, length) == 0 && name.at[1 + length] == '"')
            return value;
        name = json_next(value);
    }
    return (json_view){NULL};
}

double json_number(json_view value) {
    return value.at ? strtod(value.at, NULL) : 0;
}

int64_t json_integer(json_view value) {
    return value.at ? strtoll(value.at, NULL, 10) : 0;
}

/* The bytes of a \u escape below U+0080 (the library escapes nothing else so), else '?'. */
static char escaped(const char **at) {
    char c = *(*at)++;
    if (c == 'n')
        return '\n';
    if (c == 't')
        return '\t';
    if (c != 'u')
        return c;
    char digits[5] = {0};
    memcpy(digits, *at, 4);
    *at += 4;
    long code = strtol(digits, NULL, 16);
    return code < 0x80 ? (char)code : '?';
}

const char *json_text(json_view value, char *out, size_t bytes) {
    size_t used = 0;
    const char *at = value.at;
    if (at && *at == '"') {
        for (at++; *at != '"' && used + 1 < bytes;) {
            char c = *at++;
            out[used++] = c == '\\' ? escaped(&at) : c;
        }
    } else if (at) {
        size_t length = (size_t)(skip_value(at) - at);
        used = length < bytes ? length : bytes - 1;
        memcpy(out, at, used);
    }
    out[used] = 0;
    return out;
}

bool json_is(json_view value, const char *text) {
    size_t length = strlen(text);
    return value.at && *value.at == '"' && strncmp(value.at + 1, text, length) == 0 &&
           value.at[1 + length] == '"';
}
