/* pt2.h: the reader of .pt2 archives, split over the files pt2_*.c: what they share.
 *
 * The archive is untrusted. Its JSON documents are parsed whole and freed when loading ends; what
 * the graph keeps of them lies in the arena or in the mapped file. */
#ifndef TN_FRONT_PT2_H
#define TN_FRONT_PT2_H

#include "format/json.h"
#include "format/zip.h"
#include "front/front.h"
#include "front/pt2_expr.h"

/* One load. */
typedef struct tn_pt2 {
    tn_env *env;
    tn_arena *arena;
    const tn_op_table *ops;
    tn_syms *syms;
    tn_zip zip;
    tn_str root; /* folder of everything in the archive, without a slash */
    tn_json program, weights, constants;
    tn_map tensors;  /* name of a parameter, buffer or constant -> tn_pt2_stored * */
    tn_map exprs;    /* text of an expression -> tn_pt2_number * */
    bool has_writes; /* some node writes in place */
} tn_pt2;

/* Where a tensor of the archive lies. */
typedef struct tn_pt2_stored {
    tn_json_value entry; /* in one of the two configuration files */
    const char *folder;  /* "weights" or "constants" */
} tn_pt2_stored;

/* A graph of the program while it is being read: the whole one, a branch, or one that is inlined
 * (then its nodes go into the outer scope's graph). */
typedef struct tn_pt2_scope {
    tn_pt2 *pt2;
    tn_graph *graph;
    tn_json_value json;
    tn_map values;  /* name -> tn_value * */
    tn_map metas;   /* name -> token of its TensorMeta + 1 */
    tn_map scalars; /* name -> token of its SymInt, SymBool or SymFloat + 1 */
    int depth;
} tn_pt2_scope;

/* pt2.c: the whole. data must outlive the model. */
TN_MUST_USE tn_status tn_pt2_load(tn_env *env, tn_arena *arena, const uint8_t *data, size_t bytes,
                                  const tn_op_table *ops, tn_model *out_model);

/* pt2_archive.c: opens the archive and its documents, indexes the stored tensors. */
TN_MUST_USE tn_status tn_pt2_open_archive(tn_pt2 *pt2, const uint8_t *data, size_t bytes);
/* The type and the view of a stored tensor's bytes. */
TN_MUST_USE tn_status tn_pt2_stored_data(tn_pt2 *pt2, tn_str name, tn_type *out_type,
                                         tn_const *out_data);

/* pt2_json.c: pieces of the schema. */
/* The one member of a union, and its name. */
TN_MUST_USE tn_status tn_pt2_union(tn_json_value value, tn_str *out_tag,
                                   tn_json_value *out_content);
/* A name as a reference to a tensor has it: {"name": ...}. */
TN_MUST_USE tn_status tn_pt2_name(tn_pt2 *pt2, tn_json_value holder, tn_str *out_name);
TN_MUST_USE tn_status tn_pt2_dtype(tn_json_value value, tn_dtype *out_dtype);
/* A SymInt, SymBool or SymFloat: as_expr or a literal. */
TN_MUST_USE tn_status tn_pt2_number_of(tn_pt2 *pt2, tn_json_value value, tn_pt2_number *out_number);
/* A SymInt as an integer. */
TN_MUST_USE tn_status tn_pt2_sym(tn_pt2 *pt2, tn_json_value value, const tn_sym **out_sym);
/* A TensorMeta. */
TN_MUST_USE tn_status tn_pt2_type(tn_pt2 *pt2, tn_json_value meta, tn_type *out_type);
/* Its strides, as many as it has dimensions. */
TN_MUST_USE tn_status tn_pt2_strides(tn_pt2 *pt2, tn_json_value meta, uint32_t rank,
                                     const tn_sym **out_strides);

/* pt2_scope.c: names of a graph. */
TN_MUST_USE tn_status tn_pt2_scope_open(tn_pt2_scope *scope, tn_pt2 *pt2, tn_graph *graph,
                                        tn_json_value json, int depth);
TN_MUST_USE tn_status tn_pt2_scope_value(const tn_pt2_scope *scope, tn_json_value ref,
                                         tn_value **out_value);
TN_MUST_USE tn_status tn_pt2_scope_bind(tn_pt2_scope *scope, tn_str name, tn_value *value);
/* The type that the graph declares for a tensor. */
TN_MUST_USE tn_status tn_pt2_scope_type(const tn_pt2_scope *scope, tn_json_value ref, tn_str name,
                                        tn_type *out_type);
/* The TensorMeta of a name; absent if there is none. */
tn_json_value tn_pt2_scope_meta(const tn_pt2_scope *scope, tn_str name);
/* A SymIntArgument, SymBoolArgument or SymFloatArgument: as_name, or a literal. */
TN_MUST_USE tn_status tn_pt2_scope_number(const tn_pt2_scope *scope, tn_json_value arg,
                                          tn_pt2_number *out_number);

/* pt2_args.c: arguments of a node. */
typedef struct tn_pt2_args {
    tn_pt2_scope *scope;
    tn_arg *args; /* by parameter of the schema */
    tn_value **operands;
    size_t operand_count, operand_capacity;
} tn_pt2_args;
/* Reads one Argument into what the parameter takes; TN_PARAM_ANY takes what there is. */
TN_MUST_USE tn_status tn_pt2_arg_read(tn_pt2_args *args, const tn_param *param, tn_json_value value,
                                      tn_arg *out_arg);
/* Room for one more operand at the end. */
TN_MUST_USE tn_status tn_pt2_args_push(tn_pt2_args *args, tn_value *value, uint32_t *out_operand);

/* pt2_op.c: operators by the names that exports use. */
/* "aten::add.Tensor" of "torch.ops.aten.add.Tensor"; in the arena. */
TN_MUST_USE tn_status tn_pt2_op_name(tn_pt2 *pt2, tn_str target, tn_str *out_name);
/* The same operator with a number where it takes a tensor ("aten::add.Scalar"), NULL if there is
 * none. */
TN_MUST_USE tn_status tn_pt2_op_scalar_overload(tn_pt2 *pt2, tn_str name, const tn_op **out_op);

/* pt2_node.c: reads one node into the scope's graph. */
TN_MUST_USE tn_status tn_pt2_node_read(tn_pt2_scope *scope, tn_json_value node);
/* A number as a tensor of rank 0. */
TN_MUST_USE tn_status tn_pt2_scalar_tensor(tn_pt2 *pt2, tn_graph *graph, tn_str name,
                                           const tn_pt2_number *number, tn_dtype dtype,
                                           tn_value **out_value);

/* pt2_graph.c: reads graphs. */
TN_MUST_USE tn_status tn_pt2_program_read(tn_pt2 *pt2, tn_graph **out_graph);
/* All nodes of the scope's graph. */
TN_MUST_USE tn_status tn_pt2_nodes_read(tn_pt2_scope *scope);
/* A graph that is an argument of a node. */
TN_MUST_USE tn_status tn_pt2_subgraph_read(tn_pt2_scope *outer, tn_json_value named_graph,
                                           tn_graph **out_graph);

/* pt2_copies.c: where an operator gives a view or a copy as strides decide (reshape, contiguous,
 * flatten), and it is a copy, says so by an aten::clone. Only graphs that write in place need it.
 */
TN_MUST_USE tn_status tn_pt2_copies_show(tn_pt2_scope *scope);

#endif
