/* file_layout.h: the fixed structures of an engine file, shared by its writer and its reader. */
#ifndef TN_ENGINE_FILE_LAYOUT_H
#define TN_ENGINE_FILE_LAYOUT_H

#include "engine/engine_file.h"

/* The last bytes show a text-mode transfer, as in PNG. */
#define TN_ENGINE_MAGIC "TENON\r\n\x1a"

typedef struct tn_file_header {
    char magic[8];
    uint32_t format_major, format_minor;
    uint32_t section_count;
    uint32_t reserved;
    uint64_t file_bytes;     /* of the whole file: a truncated one is seen at once */
    uint64_t table_checksum; /* XXH3 of the section table */
    char tenon_version[24];  /* who wrote it; zero padded */
} tn_file_header;

typedef struct tn_file_section {
    uint32_t id;
    uint32_t record_bytes; /* 1 for sections of bytes */
    uint64_t offset, bytes;
    uint64_t checksum; /* XXH3 of the bytes */
} tn_file_section;

typedef struct tn_file_texts {
    tn_rec_str name, options, metadata;
} tn_file_texts;

enum {
    TN_FILE_SECTIONS_MAX = 64,
    TN_FILE_ALIGNMENT = 64,
    TN_FILE_WEIGHT_ALIGNMENT = 4096,
};

#endif
