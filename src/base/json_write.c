/* json_write.c: see json_write.h. */
#include "base/json_write.h"

enum { DEPTH_OF_LINES = 2 };

void tn_json_writer_init(tn_json_writer *writer, tn_buf *buf) {
    *writer = (tn_json_writer){.buf = buf};
}

static void break_line(tn_json_writer *writer) {
    static const char indent[] = "\n  ";
    tn_buf_append(writer->buf, indent, 1 + writer->depth);
}

/* What comes before every value. */
static void begin_value(tn_json_writer *writer, const char *key) {
    bool takes_line = writer->depth > 0 && writer->depth <= DEPTH_OF_LINES;
    if (writer->has_value)
        tn_buf_append(writer->buf, ", ", takes_line ? 1 : 2);
    if (takes_line)
        break_line(writer);
    if (key) {
        tn_buf_json(writer->buf, tn_str_of(key));
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
    tn_buf_json(writer->buf, value);
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
