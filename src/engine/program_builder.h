/* program_builder.h: fills a program while an engine is compiled. Arrays grow in an arena; equal
 * texts, constants and expressions are stored once. Errors are sticky, as in the kernel IR builder.
 * Thread-compatible. */
#ifndef TN_ENGINE_PROGRAM_BUILDER_H
#define TN_ENGINE_PROGRAM_BUILDER_H

#include "base/arena.h"
#include "base/map.h"
#include "engine/engine_file.h"
#include "ir/graph.h"

typedef struct tn_pb {
    tn_arena *arena;
    tn_program program; /* the arrays so far */
    size_t capacities[16];
    tn_buf strings;
    tn_map string_offsets; /* text to offset + 1 */
    tn_map sym_values;     /* expression (by address) to value + 1 */
    tn_map const_values;   /* integer to value + 1 */
    tn_weight_part *parts;
    size_t part_count, part_capacity;
    tn_status status; /* sticky */
} tn_pb;

void tn_pb_init(tn_pb *pb, tn_arena *arena);
void tn_pb_deinit(tn_pb *pb);
/* Makes the builder fail with this status unless it has failed already. */
void tn_pb_fail(tn_pb *pb, tn_status status);
/* Closes the program (program.strings and counts are then final) and hands over the sticky
 * error. */
TN_MUST_USE tn_status tn_pb_finish(tn_pb *pb);

tn_rec_str tn_pb_str(tn_pb *pb, tn_str text);
/* Values of the shape program. Symbols must have been bound before an expression names them. */
uint32_t tn_pb_const(tn_pb *pb, int64_t value);
uint32_t tn_pb_sym(tn_pb *pb, const tn_sym *expr);
void tn_pb_bind_input(tn_pb *pb, const tn_sym *symbol, uint32_t input, uint32_t dim);
/* call: its number, in the order of the graph. */
void tn_pb_bind_result(tn_pb *pb, const tn_sym *symbol, uint32_t call, uint32_t result,
                       uint32_t dim);
void tn_pb_bind_item(tn_pb *pb, const tn_sym *symbol, uint32_t call, uint32_t result);

/* Each appends one record and returns its index. */
uint32_t tn_pb_buffer(tn_pb *pb, const tn_rec_buffer *buffer);
uint32_t tn_pb_tensor(tn_pb *pb, const tn_rec_tensor *tensor);
uint32_t tn_pb_input(tn_pb *pb, const tn_rec_io *io);
uint32_t tn_pb_output(tn_pb *pb, const tn_rec_io *io);
uint32_t tn_pb_state(tn_pb *pb, const tn_rec_state *state);
uint32_t tn_pb_arg(tn_pb *pb, const tn_rec_arg *arg);
uint32_t tn_pb_step(tn_pb *pb, const tn_rec_step *step);
uint32_t tn_pb_kernel(tn_pb *pb, const tn_rec_kernel *kernel);
uint32_t tn_pb_blob(tn_pb *pb, const tn_rec_blob *blob);
/* The sources of a step, from provenance. */
tn_rec_range tn_pb_sources(tn_pb *pb, const tn_locs *locs);
/* A list in the index section. */
tn_rec_range tn_pb_indices(tn_pb *pb, const uint32_t *indices, uint32_t count);
tn_rec_range tn_pb_floats(tn_pb *pb, const double *floats, uint32_t count);

/* What a k::call asks for, as the call that the next step makes; returns its index. */
uint32_t tn_pb_call(tn_pb *pb, const tn_node *node);
/* The arguments of a primitive's node. TN_INTERNAL for a kind that primitives do not have. */
tn_rec_range tn_pb_node_args(tn_pb *pb, const tn_node *node);

/* Bytes for the weight section, which must outlive the builder; returns a weight buffer. */
uint32_t tn_pb_weight(tn_pb *pb, const void *data, size_t bytes);

/* Changing a record made before. */
tn_rec_buffer *tn_pb_buffer_at(tn_pb *pb, uint32_t buffer);

#endif
