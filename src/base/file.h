/* file.h: files as the library uses them: mapped for reading, written whole or not at all. */
#ifndef TN_BASE_FILE_H
#define TN_BASE_FILE_H

#include "base/str.h"

/* A read-only private mapping of a regular file. The data outlives the file's name, not its
 * content: a file that is truncated while mapped raises SIGBUS, as with any mapping. Thread-safe
 * once open. */
typedef struct tn_mapping {
    const uint8_t *data; /* NULL for an empty file */
    size_t bytes;
} tn_mapping;

/* TN_NOT_FOUND, TN_IO; a directory or device is TN_INVALID_ARGUMENT. */
TN_MUST_USE tn_status tn_mapping_open(const char *path, tn_mapping *out_mapping);
void tn_mapping_close(tn_mapping *mapping);

/* Writes to a temporary file beside path, syncs, renames over path, syncs the folder. On any error
 * the temporary file is removed and what stood at path before is whole. Thread-compatible. */
typedef struct tn_file_writer {
    int fd;
    char *final_path;
    char *temp_path;
    uint64_t position; /* bytes written so far */
    tn_allocator allocator;
} tn_file_writer;

TN_MUST_USE tn_status tn_file_writer_open(tn_file_writer *out_writer, const tn_allocator *allocator,
                                          const char *path);
TN_MUST_USE tn_status tn_file_writer_append(tn_file_writer *writer, const void *data, size_t bytes);
/* Zeroes up to the next multiple of alignment. */
TN_MUST_USE tn_status tn_file_writer_align(tn_file_writer *writer, size_t alignment);
/* Overwrites bytes already written (a header whose fields are known last). */
TN_MUST_USE tn_status tn_file_writer_patch(tn_file_writer *writer, uint64_t position,
                                           const void *data, size_t bytes);
TN_MUST_USE tn_status tn_file_writer_commit(tn_file_writer *writer);
/* Removes the temporary file unless committed; always call it. */
void tn_file_writer_close(tn_file_writer *writer);

#endif
