/* json_write.c: see json_write.h. */
#include "base/json_write.h"

#include <string.h>

enum { DEPTH_OF_LINES = 2 };

void tn_json_writer_init(tn_json_writer *writer, tn_buf *buf) {
    *writer = (tn_json_writer){.buf = buf};
}

static void break_line(tn_json_writer *writer) {
    static const char indent[] = "\n  ";
    tn_buf_append(writer->buf, indent, 1 + writer->depth);
}

/* Length of the UTF-8 sequence at the start of s; 0 if it is none (RFC 3629). */
static size_t utf8_length(tn_str s) {
    const uint8_t *byte = (const uint8_t *)s.data;
    if (byte[0] < 0x80)
        return 1;
    size_t length = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc2 || byte[0] > 0xf4 || s.len < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies past U+10FFFF. */
    bool is_bad = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f) ||
                  (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f);
    return is_bad ? 0 : length;
}

static void write_quoted(tn_buf *buf, tn_str s) {
    tn_buf_append(buf, "\"", 1);
    while (s.len > 0) {
        size_t length = utf8_length(s);
        unsigned char c = (unsigned char)s.data[0];
        if (length == 0)
            tn_buf_append(buf, "\xef\xbf\xbd", 3);
        else if (c == '"' || c == '\\')
            tn_buf_printf(buf, "\\%c", c);
        else if (c == '\n')
            tn_buf_append(buf, "\\n", 2);
        else if (c < 0x20)
            tn_buf_printf(buf, "\\u%04x", c);
        else
            tn_buf_append(buf, s.data, length);
        size_t step = length ? length : 1;
        s = (tn_str){s.data + step, s.len - step};
    }
    tn_buf_append(buf, "\"", 1);
}

/* What comes before every value. */
static void begin_value(tn_json_writer *writer, const char *key) {
    bool takes_line = writer->depth > 0 && writer->depth <= DEPTH_OF_LINES;
    if (writer->has_value)
        tn_buf_append(writer->buf, ", ", takes_line ? 1 : 2);
    if (takes_line)
        break_line(writer);
    if (key) {
        write_quoted(writer->buf, tn_str_of(key));
        tn_buf_append(writer->buf, ": ", 2);
    }
    writer->has_value = true;
}

static void begin(tn_json_writer *writer, const char *key, const char *bracket) {
    begin_value(writer, key);
    tn_buf_append(writer->buf, bracket, 1);
    writer->depth++;
    writer->has_value = false;
}

static void end(tn_json_writer *writer, const char *bracket) {
    writer->depth--;
    if (writer->has_value && writer->depth < DEPTH_OF_LINES)
        break_line(writer);
    tn_buf_append(writer->buf, bracket, 1);
    writer->has_value = true;
    if (writer->depth == 0)
        tn_buf_append(writer->buf, "\n", 1);
}

void tn_json_begin_object(tn_json_writer *writer, const char *key) {
    begin(writer, key, "{");
}
void tn_json_end_object(tn_json_writer *writer) {
    end(writer, "}");
}
void tn_json_begin_list(tn_json_writer *writer, const char *key) {
    begin(writer, key, "[");
}
void tn_json_end_list(tn_json_writer *writer) {
    end(writer, "]");
}

void tn_json_write_str(tn_json_writer *writer, const char *key, tn_str value) {
    begin_value(writer, key);
    write_quoted(writer->buf, value);
}

void tn_json_write_i64(tn_json_writer *writer, const char *key, int64_t value) {
    begin_value(writer, key);
    tn_buf_printf(writer->buf, "%lld", (long long)value);
}

void tn_json_write_u64(tn_json_writer *writer, const char *key, uint64_t value) {
    begin_value(writer, key);
    tn_buf_printf(writer->buf, "%llu", (unsigned long long)value);
}

void tn_json_write_bool(tn_json_writer *writer, const char *key, bool value) {
    begin_value(writer, key);
    tn_buf_printf(writer->buf, "%s", value ? "true" : "false");
}

void tn_json_write_null(tn_json_writer *writer, const char *key) {
    begin_value(writer, key);
    tn_buf_printf(writer->buf, "null");
}
