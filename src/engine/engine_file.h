/* engine_file.h: an engine on disk.
 *
 *   header      magic, format version, section count, checksum of the section table
 *   sections    table: id, record size, offset, bytes, XXH3 checksum
 *   data        each section at a multiple of 64, the weights at a multiple of 4096 and last
 *
 * Sections hold the arrays of tn_program as they are in memory, so that loading is mapping and
 * checking. A minor format version may add sections and add fields at the end of records: a reader
 * one minor version away ignores sections that it does not know, and widens or cuts records to its
 * own size.
 */
#ifndef TN_ENGINE_FILE_H
#define TN_ENGINE_FILE_H

#include "engine/program.h"

#define TN_ENGINE_FORMAT_MAJOR 1
#define TN_ENGINE_FORMAT_MINOR 0

/* Sections of records: X(id, field, record type, count field). Ids are never reused. */
#define TN_RECORD_SECTIONS(X)                                                                      \
    X(1, instrs, tn_rec_instr, instr_count)                                                        \
    X(2, symbols, tn_rec_symbol, symbol_count)                                                     \
    X(3, buffers, tn_rec_buffer, buffer_count)                                                     \
    X(4, tensors, tn_rec_tensor, tensor_count)                                                     \
    X(5, inputs, tn_rec_io, input_count)                                                           \
    X(6, outputs, tn_rec_io, output_count)                                                         \
    X(7, states, tn_rec_state, state_count)                                                        \
    X(8, args, tn_rec_arg, arg_count)                                                              \
    X(9, steps, tn_rec_step, step_count)                                                           \
    X(10, kernels, tn_rec_kernel, kernel_count)                                                    \
    X(11, sources, tn_rec_source, source_count)                                                    \
    X(12, blobs, tn_rec_blob, blob_count)                                                          \
    X(13, indices, uint32_t, index_count)                                                          \
    X(14, floats, double, float_count)                                                             \
    X(15, calls, tn_rec_call, call_count)

/* Sections of bytes: X(id, field, size field). */
#define TN_BYTE_SECTIONS(X)                                                                        \
    X(32, strings, string_bytes)                                                                   \
    X(33, code, code_bytes)                                                                        \
    X(34, weights, weight_bytes)

/* The section of single texts: tn_rec_str name, options, metadata. */
#define TN_SECTION_TEXTS 48

/* A part of the weight section; the gaps between parts are zeros. */
typedef struct tn_weight_part {
    uint64_t offset, bytes; /* in the order of offset, without overlap */
    const void *data;
} tn_weight_part;

/* Writes program to path, atomically. program->weights is ignored: the parts are written instead.
 * TN_IO, TN_OUT_OF_MEMORY. */
TN_MUST_USE tn_status tn_engine_file_write(const tn_allocator *allocator, const char *path,
                                           const tn_program *program, const tn_weight_part *parts,
                                           size_t part_count);

/* An opened file: a program whose arrays point into the bytes (or into widened copies). */
typedef struct tn_engine_file {
    tn_program program;
    tn_allocator allocator;
    const uint8_t *bytes; /* of the whole file */
    size_t byte_count;
    void *widened[16]; /* copies made because record sizes differ */
    size_t widened_bytes[16];
    size_t widened_count;
} tn_engine_file;

/* Checks header, table, bounds, checksums (of the weights only if verify_weights) and every record.
 * bytes must outlive the file and be aligned to 64. TN_CORRUPT, TN_UNSUPPORTED (format version),
 * TN_OUT_OF_MEMORY. */
TN_MUST_USE tn_status tn_engine_file_open(const tn_allocator *allocator, const uint8_t *bytes,
                                          size_t byte_count, bool verify_weights,
                                          tn_engine_file *out_file);
void tn_engine_file_close(tn_engine_file *file);

/* What the header and the table of an opened file say. */
typedef struct tn_engine_section_info {
    const char *name; /* "unknown" for one that this version does not know */
    uint32_t record_bytes;
    uint64_t offset, bytes;
} tn_engine_section_info;
typedef struct tn_engine_file_info {
    char tenon_version[24]; /* who wrote it */
    uint32_t format_major, format_minor;
    uint32_t section_count;
} tn_engine_file_info;
tn_engine_file_info tn_engine_file_about(const tn_engine_file *file);
/* i below section_count. */
tn_engine_section_info tn_engine_file_section(const tn_engine_file *file, uint32_t i);

#endif
