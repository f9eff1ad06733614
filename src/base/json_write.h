/* json_write.h: JSON text, written front to back into a buffer: commas, escapes and line breaks are
 * the writer's. The two outer levels take a line per value, so that a record of a list is one line
 * that tools like grep can find; what lies deeper stays on that line. Thread-compatible. */
#ifndef TN_BASE_JSON_WRITE_H
#define TN_BASE_JSON_WRITE_H

#include "base/str.h"

typedef struct tn_json_writer {
    tn_buf *buf; /* its sticky failure is the writer's */
    uint32_t depth;
    bool has_value; /* the open object or list has one, so a comma comes before the next */
} tn_json_writer;

void tn_json_writer_init(tn_json_writer *writer, tn_buf *buf);

/* Each writes one value: a member of that key in an object; key is NULL in a list and at the
 * root. */
void tn_json_begin_object(tn_json_writer *writer, const char *key);
void tn_json_end_object(tn_json_writer *writer);
void tn_json_begin_list(tn_json_writer *writer, const char *key);
void tn_json_end_list(tn_json_writer *writer);
/* Bytes that are not UTF-8 become U+FFFD, so that the text is JSON whatever a file contained. */
void tn_json_write_str(tn_json_writer *writer, const char *key, tn_str value);
void tn_json_write_i64(tn_json_writer *writer, const char *key, int64_t value);
void tn_json_write_u64(tn_json_writer *writer, const char *key, uint64_t value);
void tn_json_write_bool(tn_json_writer *writer, const char *key, bool value);
void tn_json_write_null(tn_json_writer *writer, const char *key);

#endif
