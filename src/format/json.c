/* json.c: tokens by jsmn, then one pass over them that accepts JSON and nothing else.
 *
 * jsmn finds where values begin and end, without recursion and without allocating. It is lenient
 * about what stands between and within them ("[1 2]", "[tru]"), so check_tokens() walks tokens and
 * text together: between two tokens there may be white space and exactly the separator that belongs
 * there. The same pass turns jsmn's parent links, which nothing needs afterwards, into the number
 * of the token that follows a value, which makes stepping over a value one load. */
#include "format/json.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/checked.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <jsmn.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { DEPTH_MAX = 128, TOKEN_COUNT_MAX = 1 << 27 };

/* A jsmntok_t whose parent has become the index of the token after the value and whose size is the
 * number of elements or members. */
struct tn_json_token {
    jsmntok_t token;
};

/* ---- checking ---------------------------------------------------------------------------------
 */

typedef struct checker {
    const tn_json *doc;
    const char *text;
    size_t position; /* everything before it has been accepted */
    uint32_t open[DEPTH_MAX];
    uint32_t seen[DEPTH_MAX]; /* tokens met in the container, keys and values alike */
    uint32_t depth;
} checker;

static tn_status syntax_error(const tn_json *doc, size_t offset, const char *wanted) {
    if (offset >= doc->text.len)
        return tn_error_make(TN_CORRUPT, "%.*s: the JSON text ends at byte %zu, expected %s",
                             TN_STR_ARG(doc->name), doc->text.len, wanted);
    return tn_error_make(TN_CORRUPT, "%.*s: byte 0x%02x at offset %zu, expected %s",
                         TN_STR_ARG(doc->name), (unsigned)(unsigned char)doc->text.data[offset],
                         offset, wanted);
}

static void skip_space(checker *check, size_t end) {
    while (check->position < end) {
        char c = check->text[check->position];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
        check->position++;
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t skip_digits(tn_str s, size_t i) {
    while (i < s.len && is_digit(s.data[i]))
        i++;
    return i;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(tn_str s) {
    size_t i = s.len > 0 && s.data[0] == '-' ? 1 : 0;
    size_t end = skip_digits(s, i);
    if (end == i || (s.data[i] == '0' && end > i + 1))
        return false;
    if (end < s.len && s.data[end] == '.') {
        i = end + 1;
        end = skip_digits(s, i);
        if (end == i)
            return false;
    }
    if (end < s.len && (s.data[end] == 'e' || s.data[end] == 'E')) {
        i = end + 1;
        if (i < s.len && (s.data[i] == '+' || s.data[i] == '-'))
            i++;
        end = skip_digits(s, i);
        if (end == i)
            return false;
    }
    return end == s.len;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < len)
        return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

/* jsmn has checked the letters of escapes, but not that four digits follow \u before the end. */
static tn_status check_string(const tn_json *doc, const jsmntok_t *token) {
    const unsigned char *text = (const unsigned char *)doc->text.data;
    size_t end = (size_t)token->end;
    for (size_t i = (size_t)token->start; i < end;) {
        if (text[i] < 0x20)
            return syntax_error(doc, i, "no control characters in strings");
        if (text[i] == '\\') {
            size_t len = text[i + 1] == 'u' ? 6 : 2;
            if (end - i < len)
                return syntax_error(doc, end, "four hexadecimal digits");
            i += len;
        } else if (text[i] < 0x80) {
            i++;
        } else {
            size_t len = utf8_sequence(text + i, end - i);
            if (len == 0)
                return syntax_error(doc, i, "UTF-8");
            i += len;
        }
    }
    return NULL;
}

static tn_status check_primitive(const tn_json *doc, const jsmntok_t *token) {
    tn_str text = {doc->text.data + token->start, (size_t)(token->end - token->start)};
    if (tn_str_is(text, "true") || tn_str_is(text, "false") || tn_str_is(text, "null") ||
        is_number(text))
        return NULL;
    return syntax_error(doc, (size_t)token->start, "a number, true, false or null");
}

/* Closes the innermost container, whose children have all been met: nothing but white space may
 * stand before its bracket. */
static tn_status close_container(checker *check, uint32_t next) {
    uint32_t index = check->open[check->depth - 1];
    uint32_t seen = check->seen[check->depth - 1];
    jsmntok_t *token = &check->doc->tokens[index].token;
    size_t end = (size_t)token->end;
    bool is_object = token->type == JSMN_OBJECT;
    if (is_object && seen % 2 != 0)
        return syntax_error(check->doc, end - 1, "':' and a value");
    skip_space(check, end);
    if (check->position != end - 1)
        return syntax_error(check->doc, check->position, is_object ? "'}'" : "']'");
    check->position = end;
    token->size = (int)(is_object ? seen / 2 : seen);
    token->parent = (int)next;
    check->depth--;
    return NULL;
}

/* The separator before a token within the innermost container. */
static tn_status check_separator(checker *check, const jsmntok_t *token, size_t start) {
    if (check->depth == 0)
        return NULL;
    uint32_t seen = check->seen[check->depth - 1]++;
    bool is_object = check->doc->tokens[check->open[check->depth - 1]].token.type == JSMN_OBJECT;
    bool is_key = is_object && seen % 2 == 0;
    if (seen == 0 && !is_key)
        return NULL;
    if (seen > 0) {
        char wanted = is_object && !is_key ? ':' : ',';
        if (check->position >= start || check->text[check->position] != wanted)
            return syntax_error(check->doc, check->position, wanted == ':' ? "':'" : "','");
        check->position++;
    }
    if (is_key && token->type != JSMN_STRING)
        return syntax_error(check->doc, start, "a string as a key");
    return NULL;
}

static tn_status check_token(checker *check, uint32_t index) {
    jsmntok_t *token = &check->doc->tokens[index].token;
    bool is_string = token->type == JSMN_STRING;
    size_t start = (size_t)token->start - (is_string ? 1 : 0); /* of its quote */
    while (check->depth > 0 &&
           (size_t)check->doc->tokens[check->open[check->depth - 1]].token.end <= start)
        TN_TRY(close_container(check, index));
    if (check->depth == 0 && index > 0)
        return syntax_error(check->doc, check->position, "the end of the text");
    skip_space(check, start);
    TN_TRY(check_separator(check, token, start));
    skip_space(check, start);
    if (check->position != start)
        return syntax_error(check->doc, check->position, "a value");
    if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY) {
        assert(check->depth < DEPTH_MAX); /* check_depth() */
        check->open[check->depth] = index;
        check->seen[check->depth++] = 0;
        check->position = start + 1;
        return NULL;
    }
    token->size = 0;
    token->parent = (int)(index + 1);
    check->position = (size_t)token->end + (is_string ? 1 : 0);
    return is_string ? check_string(check->doc, token) : check_primitive(check->doc, token);
}

static tn_status check_tokens(const tn_json *doc) {
    checker check = {.doc = doc, .text = doc->text.data};
    for (uint32_t i = 0; i < doc->token_count; i++)
        TN_TRY(check_token(&check, i));
    while (check.depth > 0)
        TN_TRY(close_container(&check, doc->token_count));
    skip_space(&check, doc->text.len);
    if (doc->token_count == 0 || check.position != doc->text.len)
        return syntax_error(doc, check.position,
                            doc->token_count ? "the end of the text" : "a value");
    return NULL;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* jsmn walks up from the innermost value at every closing bracket, so a hostile depth must be found
 * before it runs. Text that is not JSON may be counted wrongly; it is refused later in any case. */
static tn_status check_depth(const tn_json *doc) {
    uint32_t depth = 0;
    bool is_string = false;
    for (size_t i = 0; i < doc->text.len; i++) {
        char c = doc->text.data[i];
        if (is_string) {
            if (c == '\\')
                i++;
            is_string = c != '"';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '[' || c == '{') {
            if (depth++ == DEPTH_MAX)
                return tn_error_make(TN_CORRUPT, "%.*s: at offset %zu values nest deeper than %d",
                                     TN_STR_ARG(doc->name), i, DEPTH_MAX);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return NULL;
}

static tn_status parse(tn_json *doc) {
    _Static_assert(sizeof(tn_json_token) == sizeof(jsmntok_t), "jsmn fills the array of tokens");
    jsmn_parser parser;
    jsmn_init(&parser);
    for (;;) {
        int result = jsmn_parse(&parser, doc->text.data, doc->text.len,
                                doc->tokens ? &doc->tokens->token : NULL, doc->token_capacity);
        if (result != JSMN_ERROR_NOMEM) {
            doc->token_count = parser.toknext;
            if (result >= 0)
                return NULL;
            return syntax_error(doc, result == JSMN_ERROR_PART ? doc->text.len : parser.pos,
                                "well-formed JSON");
        }
        if (doc->token_capacity >= TOKEN_COUNT_MAX)
            return tn_error_make(TN_CORRUPT, "%.*s: more than %d JSON values",
                                 TN_STR_ARG(doc->name), TOKEN_COUNT_MAX);
        uint32_t capacity = doc->token_capacity * 2;
        TN_TRY(tn_alloc_resize(&doc->allocator, &doc->tokens,
                               doc->token_capacity * sizeof *doc->tokens,
                               capacity * sizeof *doc->tokens));
        doc->token_capacity = capacity;
    }
}

tn_status tn_json_open(const tn_allocator *allocator, tn_str text, tn_str name, tn_json *out_doc) {
    *out_doc = (tn_json){.allocator = *allocator, .text = text, .name = name};
    if (text.len >= INT_MAX)
        return tn_error_make(TN_UNSUPPORTED, "%.*s: %zu bytes of JSON, at most %d are accepted",
                             TN_STR_ARG(name), text.len, INT_MAX - 1);
    /* Exports have about one value in twelve bytes: one allocation for most of them. */
    uint32_t capacity = (uint32_t)(text.len / 10) + 16;
    TN_TRY(tn_alloc_array(allocator, capacity, sizeof *out_doc->tokens, &out_doc->tokens));
    out_doc->token_capacity = capacity;
    TN_TRY(check_depth(out_doc));
    TN_TRY(parse(out_doc));
    return check_tokens(out_doc);
}

void tn_json_close(tn_json *doc) {
    tn_alloc_free(&doc->allocator, doc->tokens, doc->token_capacity * sizeof *doc->tokens);
    *doc = (tn_json){.allocator = doc->allocator};
}

/* ---- walking ----------------------------------------------------------------------------------
 */

static const jsmntok_t *token_of(tn_json_value value) {
    return &value.doc->tokens[value.index].token;
}

tn_json_value tn_json_root(const tn_json *doc) {
    return (tn_json_value){doc, 0};
}

tn_json_kind tn_json_kind_of(tn_json_value value) {
    if (value.index == UINT32_MAX)
        return TN_JSON_ABSENT;
    const jsmntok_t *token = token_of(value);
    switch (token->type) {
    case JSMN_OBJECT:
        return TN_JSON_OBJECT;
    case JSMN_ARRAY:
        return TN_JSON_ARRAY;
    case JSMN_STRING:
        return TN_JSON_STRING;
    default:
        break;
    }
    char first = value.doc->text.data[token->start];
    if (first == 'n')
        return TN_JSON_NULL;
    return first == 't' || first == 'f' ? TN_JSON_BOOL : TN_JSON_NUMBER;
}

uint32_t tn_json_count(tn_json_value value) {
    return value.index == UINT32_MAX ? 0 : (uint32_t)token_of(value)->size;
}

tn_str tn_json_raw(tn_json_value value) {
    if (value.index == UINT32_MAX)
        return TN_STR("");
    const jsmntok_t *token = token_of(value);
    return (tn_str){value.doc->text.data + token->start, (size_t)(token->end - token->start)};
}

tn_json_walk tn_json_begin(tn_json_value container) {
    tn_json_walk walk = {.value = {container.doc, UINT32_MAX}, .key = {container.doc, UINT32_MAX}};
    tn_json_kind kind = tn_json_kind_of(container);
    if (kind != TN_JSON_OBJECT && kind != TN_JSON_ARRAY)
        return walk;
    walk.is_object = kind == TN_JSON_OBJECT;
    walk.next = container.index + 1;
    walk.end = (uint32_t)token_of(container)->parent;
    return walk;
}

bool tn_json_step(tn_json_walk *walk) {
    if (walk->next >= walk->end)
        return false;
    if (walk->is_object)
        walk->key.index = walk->next++;
    walk->value.index = walk->next;
    walk->next = (uint32_t)token_of(walk->value)->parent;
    return true;
}

tn_json_value tn_json_find(tn_json_value object, const char *key) {
    if (tn_json_kind_of(object) == TN_JSON_OBJECT) {
        tn_json_walk walk = tn_json_begin(object);
        while (tn_json_step(&walk))
            if (tn_str_is(tn_json_raw(walk.key), key))
                return walk.value;
    }
    return (tn_json_value){object.doc, UINT32_MAX};
}

bool tn_json_is_missing(tn_json_value value) {
    tn_json_kind kind = tn_json_kind_of(value);
    return kind == TN_JSON_ABSENT || kind == TN_JSON_NULL;
}

/* ---- typed readers ----------------------------------------------------------------------------
 */

static const char *kind_name(tn_json_kind kind) {
    switch (kind) {
    case TN_JSON_ABSENT:
        return "nothing";
    case TN_JSON_OBJECT:
        return "an object";
    case TN_JSON_ARRAY:
        return "an array";
    case TN_JSON_STRING:
        return "a string";
    case TN_JSON_NUMBER:
        return "a number";
    case TN_JSON_BOOL:
        return "true or false";
    case TN_JSON_NULL:
        return "null";
    }
    return "nothing";
}

/* "graph_module.graph.nodes[3].inputs": found by descending from the root, since errors are rare.
 */
static void print_path(tn_buf *buf, tn_json_value target) {
    tn_json_value at = tn_json_root(target.doc);
    while (at.index != target.index) {
        tn_json_walk walk = tn_json_begin(at);
        uint32_t i = 0;
        bool is_inside = false;
        while (!is_inside && tn_json_step(&walk)) {
            is_inside = target.index < walk.next;
            i++;
        }
        if (!is_inside)
            return;
        if (!walk.is_object)
            tn_buf_printf(buf, "[%u]", (unsigned)(i - 1));
        else
            tn_buf_printf(buf, "%s%.*s", buf->len ? "." : "", TN_STR_ARG(tn_json_raw(walk.key)));
        if (target.index < walk.value.index)
            return; /* the key itself */
        at = walk.value;
    }
}

tn_status tn_json_error(tn_json_value value, tn_code code, const char *format, ...) {
    tn_buf message;
    tn_buf_init(&message, tn_allocator_system());
    if (value.index != UINT32_MAX)
        print_path(&message, value);
    if (message.len)
        tn_buf_printf(&message, ": ");
    char text[512];
    va_list args;
    va_start(args, format);
    (void)tn_vformat(text, sizeof text, format, args);
    va_end(args);
    tn_buf_printf(&message, "%s", text);
    tn_status status =
        tn_error_make(code, "%.*s: %s", TN_STR_ARG(value.doc->name), tn_buf_cstr(&message));
    tn_buf_deinit(&message);
    return status;
}

tn_status tn_json_expect(tn_json_value value, tn_json_kind kind) {
    tn_json_kind seen = tn_json_kind_of(value);
    if (seen == kind)
        return NULL;
    return tn_json_error(value, TN_CORRUPT, "found %s, expected %s", kind_name(seen),
                         kind_name(kind));
}

tn_status tn_json_member(tn_json_value object, const char *key, tn_json_kind kind,
                         tn_json_value *out_value) {
    *out_value = (tn_json_value){object.doc, UINT32_MAX};
    TN_TRY(tn_json_expect(object, TN_JSON_OBJECT));
    *out_value = tn_json_find(object, key);
    if (tn_json_kind_of(*out_value) == TN_JSON_ABSENT)
        return tn_json_error(object, TN_CORRUPT, "it has no member '%s', expected %s", key,
                             kind_name(kind));
    return tn_json_expect(*out_value, kind);
}

static uint32_t hex4(const char *digits) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        uint32_t digit = is_digit(c) ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The character of \uXXXX at raw[i], with its second half if it is a pair; lone halves become
 * U+FFFD. */
static uint32_t unicode_escape(tn_str raw, size_t *inout_i) {
    uint32_t code = hex4(raw.data + *inout_i + 2);
    *inout_i += 6;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    size_t i = *inout_i;
    if (code < 0xdc00 && raw.len - i >= 6 && raw.data[i] == '\\' && raw.data[i + 1] == 'u') {
        uint32_t low = hex4(raw.data + i + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *inout_i += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

static char simple_escape(char letter) {
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

tn_status tn_json_str(tn_arena *arena, tn_json_value value, tn_str *out_str) {
    *out_str = TN_STR("");
    TN_TRY(tn_json_expect(value, TN_JSON_STRING));
    tn_str raw = tn_json_raw(value);
    if (raw.len == 0 || !memchr(raw.data, '\\', raw.len)) {
        *out_str = raw;
        return NULL;
    }
    /* Every escape is longer than what it stands for. */
    char *text = NULL;
    TN_ARENA_TRY(arena, text, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len;) {
        if (raw.data[i] != '\\') {
            text[len++] = raw.data[i++];
        } else if (raw.data[i + 1] == 'u') {
            len += put_utf8(text + len, unicode_escape(raw, &i));
        } else {
            text[len++] = simple_escape(raw.data[i + 1]);
            i += 2;
        }
    }
    *out_str = (tn_str){text, len};
    return NULL;
}

tn_status tn_json_i64(tn_json_value value, int64_t *out_value) {
    *out_value = 0;
    TN_TRY(tn_json_expect(value, TN_JSON_NUMBER));
    tn_str raw = tn_json_raw(value);
    if (tn_str_to_i64(raw, out_value))
        return NULL;
    return tn_json_error(value, TN_CORRUPT, "%.*s is not an integer of 64 bits",
                         (int)(raw.len < 64 ? raw.len : 64), raw.data);
}

tn_status tn_json_f64(tn_json_value value, double *out_value) {
    *out_value = 0;
    tn_str raw = tn_json_raw(value);
    tn_json_kind kind = tn_json_kind_of(value);
    if (kind == TN_JSON_NUMBER && tn_str_to_f64(raw, out_value))
        return NULL;
    if (kind == TN_JSON_STRING) {
        bool is_negative = tn_str_starts(raw, "-");
        if (tn_str_is(raw, "NaN"))
            *out_value = (double)NAN;
        else if (tn_str_is(raw, "Infinity") || tn_str_is(raw, "-Infinity"))
            *out_value = is_negative ? -(double)INFINITY : (double)INFINITY;
        else
            return tn_json_error(value, TN_CORRUPT,
                                 "found '%.*s', expected a number, Infinity, -Infinity or NaN",
                                 (int)(raw.len < 64 ? raw.len : 64), raw.data);
        return NULL;
    }
    TN_TRY(tn_json_expect(value, TN_JSON_NUMBER));
    return tn_json_error(value, TN_CORRUPT, "%.*s is not a number of 64 bits",
                         (int)(raw.len < 64 ? raw.len : 64), raw.data);
}

tn_status tn_json_bool(tn_json_value value, bool *out_value) {
    *out_value = false;
    TN_TRY(tn_json_expect(value, TN_JSON_BOOL));
    *out_value = tn_str_is(tn_json_raw(value), "true");
    return NULL;
}
