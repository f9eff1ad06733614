/* program_graph.h: the records that every backend makes alike: what goes in and out of an engine.
 */
#ifndef TN_ENGINE_PROGRAM_GRAPH_H
#define TN_ENGINE_PROGRAM_GRAPH_H

#include "engine/program_builder.h"

/* Program buffers of a graph's inputs, outputs and states, in its order; arrays in the builder's
 * arena. */
typedef struct tn_graph_buffers {
    uint32_t *inputs, *outputs, *states;
} tn_graph_buffers;

/* Binds every symbol to the dimension of an input or of a call's result that it is the size of, and
 * adds records for inputs,
 * outputs and states (with their first contents as weights). TN_UNSUPPORTED for a symbol that no
 * input binds. */
TN_MUST_USE tn_status tn_pb_add_graph(tn_pb *pb, const tn_graph *graph,
                                      tn_graph_buffers *out_buffers);

/* The content of a value with data (a constant, a state) in row-major order: its own bytes where
 * they are so already, else a copy in the arena. */
TN_MUST_USE tn_status tn_value_bytes(tn_arena *arena, const tn_value *value, const void **out_data,
                                     size_t *out_bytes);

#endif
