/* engine_write.c: writes an engine file: header and table are reserved first, and patched in when
 * the sections' places and checksums are known. */
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* the hash state on the stack */
#include <xxhash.h>

#include "base/checked.h"
#include "base/file.h"
#include "engine/file_layout.h"

typedef struct engine_writer {
    tn_file_writer file;
    tn_file_section sections[TN_FILE_SECTIONS_MAX];
    uint32_t section_count;
} engine_writer;

static tn_file_section *begin_section(engine_writer *w, uint32_t id, size_t record_bytes) {
    tn_file_section *section = &w->sections[w->section_count++];
    *section = (tn_file_section){
        .id = id, .record_bytes = (uint32_t)record_bytes, .offset = w->file.position};
    return section;
}

static tn_status write_section(engine_writer *w, uint32_t id, size_t record_bytes, const void *data,
                               size_t count) {
    size_t bytes = 0;
    if (!tn_mul_size(record_bytes, count, &bytes))
        return tn_error_make(TN_OUT_OF_RANGE, "section %u: %zu records overflow", id, count);
    TN_TRY(tn_file_writer_align(&w->file, TN_FILE_ALIGNMENT));
    tn_file_section *section = begin_section(w, id, record_bytes);
    section->bytes = bytes;
    section->checksum = XXH3_64bits(data, bytes);
    return tn_file_writer_append(&w->file, data, bytes);
}

static tn_status pad_weights(engine_writer *w, XXH3_state_t *hash, uint64_t bytes) {
    static const uint8_t zeros[4096];
    while (bytes > 0) {
        size_t chunk = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        XXH3_64bits_update(hash, zeros, chunk);
        TN_TRY(tn_file_writer_append(&w->file, zeros, chunk));
        bytes -= chunk;
    }
    return NULL;
}

static tn_status write_weights(engine_writer *w, const tn_program *program,
                               const tn_weight_part *parts, size_t part_count) {
    TN_TRY(tn_file_writer_align(&w->file, TN_FILE_WEIGHT_ALIGNMENT));
    tn_file_section *section = begin_section(w, 34, 1);
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    uint64_t position = 0;
    for (size_t i = 0; i < part_count; i++) {
        TN_TRY(pad_weights(w, &hash, parts[i].offset - position));
        XXH3_64bits_update(&hash, parts[i].data, (size_t)parts[i].bytes);
        TN_TRY(tn_file_writer_append(&w->file, parts[i].data, (size_t)parts[i].bytes));
        position = parts[i].offset + parts[i].bytes;
    }
    TN_TRY(pad_weights(w, &hash, program->weight_bytes - position));
    section->bytes = program->weight_bytes;
    section->checksum = XXH3_64bits_digest(&hash);
    return NULL;
}

static tn_status write_header(engine_writer *w) {
    tn_file_header header = {
        .format_major = TN_ENGINE_FORMAT_MAJOR,
        .format_minor = TN_ENGINE_FORMAT_MINOR,
        .section_count = w->section_count,
        .file_bytes = w->file.position,
        .table_checksum = XXH3_64bits(w->sections, w->section_count * sizeof *w->sections),
        .tenon_version = TN_VERSION_STRING,
    };
    memcpy(header.magic, TN_ENGINE_MAGIC, sizeof header.magic);
    TN_TRY(tn_file_writer_patch(&w->file, 0, &header, sizeof header));
    return tn_file_writer_patch(&w->file, sizeof header, w->sections,
                                w->section_count * sizeof *w->sections);
}

static tn_status write_all(engine_writer *w, const tn_program *p, const tn_weight_part *parts,
                           size_t part_count) {
    static const uint8_t
        reserved[sizeof(tn_file_header) + TN_FILE_SECTIONS_MAX * sizeof(tn_file_section)];
    TN_TRY(tn_file_writer_append(&w->file, reserved, sizeof reserved));
    const tn_file_texts texts = {p->name, p->options, p->metadata};
    TN_TRY(write_section(w, TN_SECTION_TEXTS, sizeof texts, &texts, 1));
#define X(id, field, type, count) TN_TRY(write_section(w, id, sizeof(type), p->field, p->count));
    TN_RECORD_SECTIONS(X)
#undef X
    TN_TRY(write_section(w, 32, 1, p->strings, (size_t)p->string_bytes));
    TN_TRY(write_section(w, 33, 1, p->code, (size_t)p->code_bytes));
    TN_TRY(write_weights(w, p, parts, part_count));
    TN_TRY(write_header(w));
    return tn_file_writer_commit(&w->file);
}

tn_status tn_engine_file_write(const tn_allocator *allocator, const char *path,
                               const tn_program *program, const tn_weight_part *parts,
                               size_t part_count) {
    engine_writer writer = {.section_count = 0};
    TN_TRY(tn_file_writer_open(&writer.file, allocator, path));
    tn_status status = write_all(&writer, program, parts, part_count);
    tn_file_writer_close(&writer.file);
    return tn_status_annotate(status, "while writing %s", path);
}
