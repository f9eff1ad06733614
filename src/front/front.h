/* front.h: model files as graphs, whatever wrote them.
 *
 * A .pt2 archive of torch.export (PyTorch 2.9 to 2.13) is recognised by its zip signature, a
 * textual graph (ir/text.h) by its first word. The graph may still write in place, as the training
 * dialect of torch.export does: run the functionalise pass next.
 *
 * What a .pt2 file holds beside tensors is treated so: inputs that are literals (None, numbers,
 * strings) are dropped, since the export specialised the graph to them; a number returned by the
 * model is a tensor of rank 0; a returned None is dropped. Assertions of metadata and of sizes are
 * dropped once the declared ranges imply them or have been narrowed to do so, and logged otherwise.
 * The guards that the exporter wrote as Python text are not read: symbols and ranges say the same.
 */
#ifndef TN_FRONT_FRONT_H
#define TN_FRONT_FRONT_H

#include "base/env.h"
#include "base/file.h"
#include "ir/graph.h"

/* A loaded model. Constants of the graph point into the mapping and into the arena that the caller
 * gave. Thread-compatible. */
typedef struct tn_model {
    tn_mapping mapping;
    tn_graph *graph;
    tn_str producer; /* "PyTorch 2.13.0+cpu"; empty for textual graphs */
} tn_model;

/* Loads the model file; ops are the operators that are known, any other becomes an opaque node. The
 * model must be unloaded before the arena goes, and after the last use of its graph's constants.
 * Codes: TN_NOT_FOUND, TN_IO, TN_CORRUPT, TN_UNSUPPORTED, TN_INVALID_ARGUMENT, TN_OUT_OF_RANGE,
 * TN_OUT_OF_MEMORY. */
TN_MUST_USE tn_status tn_front_load(tn_env *env, tn_arena *arena, const char *path,
                                    const tn_op_table *ops, tn_model *out_model);
/* The same from memory, which must outlive the model; name is for messages. */
TN_MUST_USE tn_status tn_front_load_memory(tn_env *env, tn_arena *arena, const uint8_t *data,
                                           size_t bytes, tn_str name, const tn_op_table *ops,
                                           tn_model *out_model);
void tn_model_unload(tn_model *model);

#endif
