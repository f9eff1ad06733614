/* graph.h: the one graph structure: SSA values and nodes in an arena.
 *
 * A node's arguments stand in the order of its op's schema, completed with defaults. Tensor
 * arguments refer to the node's flat operand list, so rewriting and walking uses never looks into
 * arguments. Weights are values with data, views of the mapped model file. Model state (buffers
 * that the model changes) is a value whose next content is another value; nothing in a graph writes
 * in place once the functionalise pass has run.
 *
 * Everything lives in the graph's arena; pointers are valid until the arena goes.
 * Thread-compatible.
 */
#ifndef TN_IR_GRAPH_H
#define TN_IR_GRAPH_H

#include "ir/op.h"
#include "ir/sym.h"

typedef struct tn_graph tn_graph;
typedef struct tn_node tn_node;
typedef struct tn_value tn_value;

/* ---- types ---------------------------------------------------------------------------------- */

typedef struct tn_type {
    tn_dtype dtype;
    uint32_t rank;
    const tn_sym *dims[TN_MAX_RANK];
} tn_type;

bool tn_type_equal(const tn_type *a, const tn_type *b);
bool tn_type_is_static(const tn_type *type);
/* Number of elements as an expression; 1 for rank 0. */
const tn_sym *tn_type_elems(tn_syms *syms, const tn_type *type);
/* "f32[1, s0, 768]" */
void tn_type_print(tn_buf *buf, const tn_type *type);

/* ---- arguments ------------------------------------------------------------------------------ */

typedef enum tn_arg_kind {
    TN_ARG_NONE = 0,
    TN_ARG_VALUE,  /* operand: index into the node's operands */
    TN_ARG_VALUES, /* operand: index of the first, count; a NULL operand is None */
    TN_ARG_INT,
    TN_ARG_INTS,
    TN_ARG_FLOAT,
    TN_ARG_FLOATS,
    TN_ARG_BOOL,
    TN_ARG_BOOLS,
    TN_ARG_STR, /* also layouts, memory formats, devices by their names: "strided", "cpu" */
    TN_ARG_STRS,
    TN_ARG_DTYPE,
    TN_ARG_GRAPH,
} tn_arg_kind;

typedef struct tn_arg {
    tn_arg_kind kind;
    uint32_t count; /* of lists */
    union {
        uint32_t operand;
        const tn_sym *i;
        const tn_sym *const *ints;
        double f;
        const double *floats;
        bool b;
        const bool *bools;
        tn_str s;
        const tn_str *strs;
        tn_dtype dtype;
        tn_graph *graph;
    };
} tn_arg;

/* ---- provenance ------------------------------------------------------------------------------ */

/* Where a node comes from in the user's model; for reports, errors and comments in generated
 * code. */
typedef struct tn_loc {
    tn_str node;   /* name of the model's node: "linear_3" */
    tn_str op;     /* its operator: "aten::linear" */
    tn_str module; /* nn.Module path: "encoder.layer.0.attention" */
    tn_str source; /* last line of the stack trace: "modeling_bert.py:214: q = self.query(x)" */
} tn_loc;

/* Several, for a node that a pass made of several. In order of the model, each once. */
typedef struct tn_locs {
    const tn_loc *const *items;
    uint32_t count;
} tn_locs;

/* ---- values and nodes ------------------------------------------------------------------------ */

/* Constant data: a strided view of bytes that outlive the graph (the mapped model or the arena). */
typedef struct tn_const {
    const uint8_t *data;          /* of the element [0, 0, ...] */
    int64_t strides[TN_MAX_RANK]; /* in elements */
    bool is_contiguous;
} tn_const;

typedef enum tn_value_kind {
    TN_VALUE_RESULT = 0, /* made by node def */
    TN_VALUE_INPUT,      /* given by the caller at run time */
    TN_VALUE_CONST,      /* data; static dims */
    TN_VALUE_STATE,      /* a context's state: data is its first content */
} tn_value_kind;

typedef struct tn_use {
    tn_node *node;
    uint32_t operand;
} tn_use;

struct tn_value {
    tn_value_kind kind;
    uint32_t id; /* unique in its graph, dense enough to index side tables of graph->value_id_end */
    tn_type type;
    tn_str name;           /* unique in its graph */
    tn_node *def;          /* TN_VALUE_RESULT */
    uint32_t result_index; /* TN_VALUE_RESULT */
    const tn_const *data;  /* TN_VALUE_CONST, TN_VALUE_STATE */
    /* TN_VALUE_RESULT of type i64[]: the symbol whose value it holds when the graph runs; NULL */
    const tn_sym *symbol;
    tn_use *uses; /* in no order; graph outputs and states are not among them */
    uint32_t use_count;
    size_t use_capacity;
};

struct tn_node {
    const tn_op *op;
    tn_graph *graph;
    tn_node *prev, *next; /* in execution order */
    uint32_t id;          /* unique in its graph */
    tn_value **operands;
    uint32_t operand_count;
    tn_arg *args; /* op->schema->param_count of them */
    tn_value **results;
    uint32_t result_count;
    tn_locs locs;
};

typedef enum tn_output_kind {
    TN_OUTPUT_USER = 0,
    TN_OUTPUT_INPUT_MUTATION, /* the new content of the input `target` */
} tn_output_kind;

typedef struct tn_output {
    tn_output_kind kind;
    tn_value *value;
    tn_str name;
    tn_value *target; /* TN_OUTPUT_INPUT_MUTATION */
} tn_output;

/* A state and its content after the run. */
typedef struct tn_state {
    tn_value *value;
    tn_value *next;
    tn_str name; /* the buffer's name in the model */
} tn_state;

struct tn_graph {
    tn_arena *arena;
    tn_syms *syms;
    tn_str name;
    tn_value **inputs;
    size_t input_count, input_capacity;
    tn_value **consts;
    size_t const_count, const_capacity;
    tn_state *states;
    size_t state_count, state_capacity;
    tn_output *outputs;
    size_t output_count, output_capacity;
    tn_node *first, *last;
    size_t node_count;
    uint32_t value_id_end;
    uint32_t node_id_end;
    tn_map names; /* every name ever given, to the number that makes the next one like it unique */
};

/* ---- building and changing ------------------------------------------------------------------- */

TN_MUST_USE tn_status tn_graph_create(tn_arena *arena, tn_syms *syms, tn_str name,
                                      tn_graph **out_graph);

/* Names are copied into the arena and made unique ("x", "x_1"); an empty name gets a number. */
TN_MUST_USE tn_status tn_graph_add_input(tn_graph *graph, tn_str name, const tn_type *type,
                                         tn_value **out_value);
TN_MUST_USE tn_status tn_graph_add_const(tn_graph *graph, tn_str name, const tn_type *type,
                                         const tn_const *data, tn_value **out_value);
TN_MUST_USE tn_status tn_graph_add_state(tn_graph *graph, tn_str name, const tn_type *type,
                                         const tn_const *data, tn_value **out_value);
/* Turns a constant into a state of the same name, whose first content is the constant's. */
TN_MUST_USE tn_status tn_graph_make_state(tn_graph *graph, tn_value *constant);
TN_MUST_USE tn_status tn_graph_add_output(tn_graph *graph, const tn_output *output);

/* What a new node is made of; arrays are copied. */
typedef struct tn_node_desc {
    const tn_op *op;
    tn_value *const *operands; /* NULL entries are None of a list */
    uint32_t operand_count;
    const tn_arg *args;
    uint32_t arg_count;
    const tn_type *result_types;
    const tn_str *result_names; /* NULL: numbers */
    uint32_t result_count;
    tn_locs locs;
} tn_node_desc;

/* The argument that stands for a parameter's default; one int for int[2] becomes two.
 * TN_INVALID_ARGUMENT, naming op and parameter, when it has none. */
TN_MUST_USE tn_status tn_arg_default(tn_graph *graph, const tn_op *op, const tn_param *param,
                                     tn_arg *out_arg);

/* Inserts before `before`, at the end if NULL. The node's results are out_node->results. Arguments
 * that are missing at the end become defaults; TN_INVALID_ARGUMENT when one has none. */
TN_MUST_USE tn_status tn_graph_add_node(tn_graph *graph, tn_node *before, const tn_node_desc *desc,
                                        tn_node **out_node);
/* Unlinks a node whose results have no uses left. */
void tn_graph_remove_node(tn_graph *graph, tn_node *node);
/* Moves a node before another (the end if NULL). */
void tn_graph_move_node(tn_graph *graph, tn_node *node, tn_node *before);
TN_MUST_USE tn_status tn_node_set_operand(tn_node *node, uint32_t operand, tn_value *value);
/* Gives a value another name, copied and made unique as above; the old one stays taken. */
TN_MUST_USE tn_status tn_value_rename(tn_graph *graph, tn_value *value, tn_str name);
/* Every use of from, outputs and states included, becomes to. */
TN_MUST_USE tn_status tn_value_replace(tn_graph *graph, tn_value *from, tn_value *to);
/* True if the value is a graph output or the next content of a state. */
bool tn_value_is_output(const tn_graph *graph, const tn_value *value);
/* A symbol of the expression that is the size of no input's dimension, so that its value is known
 * only when the graph runs; NULL if there is none. */
const tn_sym *tn_graph_unbound_symbol(const tn_graph *graph, const tn_sym *expr);
/* Union of provenances, in the order of first appearance. */
TN_MUST_USE tn_status tn_locs_merge(tn_arena *arena, const tn_locs *parts, size_t part_count,
                                    tn_locs *out_locs);
/* The value of argument i of kind TN_ARG_VALUE; NULL for TN_ARG_NONE. */
tn_value *tn_node_arg_value(const tn_node *node, uint32_t i);

#endif
