/* engine_open.c: opens an engine file: the bytes may be anything, so nothing is used before it is
 * checked. */
#include <string.h>

#include <xxhash.h>

#include "engine/file_layout.h"

typedef struct opener {
    tn_engine_file *file;
    const uint8_t *bytes;
    size_t byte_count;
    tn_file_header header;
    bool verify_weights;
} opener;

static tn_status check_header(opener *o) {
    if (o->byte_count < sizeof o->header)
        return tn_error_make(TN_CORRUPT, "engine file has %zu bytes, expected at least %zu",
                             o->byte_count, sizeof o->header);
    memcpy(&o->header, o->bytes, sizeof o->header);
    if (memcmp(o->header.magic, TN_ENGINE_MAGIC, sizeof o->header.magic) != 0)
        return tn_error_make(TN_CORRUPT, "not an engine file: it does not begin with \"TENON\"");
    int64_t minor_distance = (int64_t)o->header.format_minor - TN_ENGINE_FORMAT_MINOR;
    if (o->header.format_major != TN_ENGINE_FORMAT_MAJOR || minor_distance > 1 ||
        minor_distance < -1)
        return tn_error_make(TN_UNSUPPORTED,
                             "engine file has format %u.%u (written by tenon %.23s), this library "
                             "reads %d.%d and its neighbours: compile the model again",
                             o->header.format_major, o->header.format_minor,
                             o->header.tenon_version, TN_ENGINE_FORMAT_MAJOR,
                             TN_ENGINE_FORMAT_MINOR);
    if (o->header.file_bytes != o->byte_count)
        return tn_error_make(TN_CORRUPT, "engine file has %zu bytes, its header says %llu",
                             o->byte_count, (unsigned long long)o->header.file_bytes);
    size_t table_bytes = o->header.section_count * sizeof(tn_file_section);
    if (o->header.section_count > TN_FILE_SECTIONS_MAX ||
        table_bytes > o->byte_count - sizeof o->header)
        return tn_error_make(TN_CORRUPT, "engine file has %u sections, expected at most %d",
                             o->header.section_count, TN_FILE_SECTIONS_MAX);
    if (XXH3_64bits(o->bytes + sizeof o->header, table_bytes) != o->header.table_checksum)
        return tn_error_make(TN_CORRUPT, "engine file: checksum of the section table is wrong");
    return NULL;
}

/* The section of that id, checked; TN_CORRUPT if it is missing. */
static tn_status find_section(const opener *o, uint32_t id, const char *name,
                              tn_file_section *out_section) {
    for (uint32_t i = 0; i < o->header.section_count; i++) {
        tn_file_section section;
        memcpy(&section, o->bytes + sizeof o->header + i * sizeof section, sizeof section);
        if (section.id != id)
            continue;
        if (section.offset % TN_FILE_ALIGNMENT != 0 || section.offset > o->byte_count ||
            section.bytes > o->byte_count - section.offset || section.record_bytes == 0 ||
            section.bytes % section.record_bytes != 0)
            return tn_error_make(TN_CORRUPT,
                                 "section %s: [%llu, +%llu) of %u-byte records does not fit a file "
                                 "of %zu bytes",
                                 name, (unsigned long long)section.offset,
                                 (unsigned long long)section.bytes, section.record_bytes,
                                 o->byte_count);
        bool is_checked = id != 34 || o->verify_weights;
        if (is_checked &&
            XXH3_64bits(o->bytes + section.offset, (size_t)section.bytes) != section.checksum)
            return tn_error_make(TN_CORRUPT, "section %s: checksum is wrong", name);
        *out_section = section;
        return NULL;
    }
    return tn_error_make(TN_CORRUPT, "section %s is missing", name);
}

/* Points *out_records at records of record_bytes each: in place if the file's are that size. */
static tn_status open_records(opener *o, uint32_t id, const char *name, size_t record_bytes,
                              const void **out_records, uint32_t *out_count) {
    tn_file_section section;
    TN_TRY(find_section(o, id, name, &section));
    uint64_t count = section.bytes / section.record_bytes;
    if (count >= TN_NO_INDEX)
        return tn_error_make(TN_CORRUPT, "section %s: %llu records are too many", name,
                             (unsigned long long)count);
    *out_count = (uint32_t)count;
    const uint8_t *data = o->bytes + section.offset;
    *out_records = data;
    if (section.record_bytes == record_bytes || count == 0)
        return NULL;
    tn_engine_file *file = o->file;
    uint8_t *copy = NULL;
    TN_TRY(tn_alloc_array(&file->allocator, (size_t)count, record_bytes, &copy));
    file->widened[file->widened_count] = copy;
    file->widened_bytes[file->widened_count++] = (size_t)count * record_bytes;
    size_t shared = section.record_bytes < record_bytes ? section.record_bytes : record_bytes;
    for (size_t i = 0; i < count; i++)
        memcpy(copy + i * record_bytes, data + i * section.record_bytes, shared);
    *out_records = copy;
    return NULL;
}

static tn_status open_bytes(const opener *o, uint32_t id, const char *name, const void **out_bytes,
                            uint64_t *out_count) {
    tn_file_section section;
    TN_TRY(find_section(o, id, name, &section));
    *out_bytes = o->bytes + section.offset;
    *out_count = section.bytes;
    return NULL;
}

static tn_status open_all(opener *o) {
    TN_TRY(check_header(o));
    tn_program *p = &o->file->program;
    const void *data = NULL;
#define X(id, field, type, count)                                                                  \
    TN_TRY(open_records(o, id, #field, sizeof(type), &data, &p->count));                           \
    p->field = data;
    TN_RECORD_SECTIONS(X)
#undef X
#define X(id, field, count)                                                                        \
    TN_TRY(open_bytes(o, id, #field, &data, &p->count));                                           \
    p->field = data;
    TN_BYTE_SECTIONS(X)
#undef X
    uint32_t text_count = 0;
    TN_TRY(open_records(o, TN_SECTION_TEXTS, "texts", sizeof(tn_file_texts), &data, &text_count));
    if (text_count != 1)
        return tn_error_make(TN_CORRUPT, "section texts: %u records, expected 1", text_count);
    const tn_file_texts *texts = data;
    p->name = texts->name;
    p->options = texts->options;
    p->metadata = texts->metadata;
    return tn_program_verify(p);
}

tn_status tn_engine_file_open(const tn_allocator *allocator, const uint8_t *bytes,
                              size_t byte_count, bool verify_weights, tn_engine_file *out_file) {
    *out_file = (tn_engine_file){.allocator = *allocator, .bytes = bytes, .byte_count = byte_count};
    if ((uintptr_t)bytes % TN_FILE_ALIGNMENT != 0)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "engine bytes at %p, expected an address aligned "
                             "to %d",
                             (const void *)bytes, TN_FILE_ALIGNMENT);
    opener o = {.file = out_file,
                .bytes = bytes,
                .byte_count = byte_count,
                .verify_weights = verify_weights};
    tn_status status = open_all(&o);
    if (status)
        tn_engine_file_close(out_file);
    return status;
}

void tn_engine_file_close(tn_engine_file *file) {
    for (size_t i = 0; i < file->widened_count; i++)
        tn_alloc_free(&file->allocator, file->widened[i], file->widened_bytes[i]);
    *file = (tn_engine_file){.allocator = file->allocator};
}

/* ---- what an opened file says -----------------------------------------------------------------
 */

static const char *section_name(uint32_t id) {
    switch (id) {
#define X(number, field, ...)                                                                      \
    case number:                                                                                   \
        return #field;
        TN_RECORD_SECTIONS(X)
        TN_BYTE_SECTIONS(X)
#undef X
    case TN_SECTION_TEXTS:
        return "texts";
    }
    return "unknown";
}

tn_engine_file_info tn_engine_file_about(const tn_engine_file *file) {
    tn_file_header header;
    memcpy(&header, file->bytes, sizeof header);
    tn_engine_file_info info = {.format_major = header.format_major,
                                .format_minor = header.format_minor,
                                .section_count = header.section_count};
    memcpy(info.tenon_version, header.tenon_version, sizeof info.tenon_version - 1);
    return info;
}

tn_engine_section_info tn_engine_file_section(const tn_engine_file *file, uint32_t i) {
    tn_file_section section;
    memcpy(&section, file->bytes + sizeof(tn_file_header) + i * sizeof section, sizeof section);
    return (tn_engine_section_info){.name = section_name(section.id),
                                    .record_bytes = section.record_bytes,
                                    .offset = section.offset,
                                    .bytes = section.bytes};
}
