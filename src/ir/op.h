/* op.h: what an operator is to the graph, and tables that find one by name.
 *
 * Two vocabularies share the graph: graph ops (open: ATen, custom ops, unknown ones) have class
 * TN_OP_GRAPH; kernel IR primitives (closed, src/kir/prim.h) have TN_OP_PRIM and a code.
 */
#ifndef TN_IR_OP_H
#define TN_IR_OP_H

#include "base/map.h"
#include "ir/schema.h"

typedef enum tn_op_class {
    TN_OP_GRAPH = 0, /* an operator of a model with a known schema */
    TN_OP_OPAQUE, /* an operator of a model that no table knows; its schema is made from the use */
    TN_OP_PRIM,   /* a kernel IR primitive */
} tn_op_class;

typedef struct tn_op {
    tn_str name; /* "aten::add.Tensor", "k::add" */
    tn_op_class op_class;
    uint16_t code; /* tn_prim for primitives, else 0 */
    const tn_schema *schema;
    const void *entry; /* the tn_op_entry of src/ops, NULL for primitives and opaque ops */
} tn_op;

/* Name to operator. Set-up-only, then thread-safe. */
typedef struct tn_op_table {
    tn_arena *arena;
    tn_map by_name; /* of const tn_op * */
} tn_op_table;

void tn_op_table_init(tn_op_table *table, tn_arena *arena);
void tn_op_table_deinit(tn_op_table *table);
/* Parses the schema and adds the op; a name that is there already is TN_INVALID_ARGUMENT. */
TN_MUST_USE tn_status tn_op_table_add(tn_op_table *table, const char *schema, tn_op_class op_class,
                                      uint16_t code, const void *entry);
/* An operator that no table knows, made from one use of it: parameter i is called names[i] and is
 * keyword-only, or is positional and called arg0, arg1, ... where names[i] is empty; all take any
 * argument. Results are tensors. */
TN_MUST_USE tn_status tn_op_make_opaque(tn_arena *arena, tn_str name, const tn_str *names,
                                        uint32_t param_count, uint32_t result_count,
                                        const tn_op **out_op);
/* NULL when unknown. */
const tn_op *tn_op_table_find(const tn_op_table *table, tn_str name);

#endif
