/* null_compile.h: the backend that generates nothing: every primitive is a step of the interpreter
 * (`--codegen=none`). It is what a new backend starts from. */
#ifndef TN_NULL_COMPILE_H
#define TN_NULL_COMPILE_H

#include "engine/program_builder.h"

/* Fills the builder with records and weights for the graph; there is no code. */
TN_MUST_USE tn_status tn_null_compile(tn_arena *arena, const tn_graph *graph, tn_pb *pb);

#endif
