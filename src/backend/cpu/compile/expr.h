/* expr.h: pointwise work as expressions over an iteration space.
 *
 * A kernel's loops run over an iteration space: a box of symbolic sizes whose last dimension is
 * walked in vectors. An expression says what is computed at one point of it. It is built by
 * *pulling* from a value: maps become operations, views become changes of layout that are pushed
 * down to the stored values, so the leaves are loads with one stride per iteration dimension.
 * Concatenation and padding are resolved by splitting the box until each part reads one operand
 * only.
 */
#ifndef TN_CPU_EXPR_H
#define TN_CPU_EXPR_H

#include "backend/cpu/compile/layout.h"
#include "kir/interp.h"

/* Where a value is stored, if it is. */
typedef struct tn_place {
    bool is_stored;
    uint32_t buffer; /* of the program */
    tn_layout layout;
} tn_place;

typedef enum tn_expr_kind {
    TN_EXPR_LOAD,
    TN_EXPR_CONST, /* the same scalar everywhere */
    TN_EXPR_IOTA,  /* start + step * (offset + sum of index * stride) */
    TN_EXPR_SYM,   /* a symbolic integer */
    TN_EXPR_ACC,   /* what the kernel's anchor computed: vector number `acc` */
    TN_EXPR_MAP,
    TN_EXPR_TAKE, /* load whose position along one dim is another expression, the same for all lanes
                   */
} tn_expr_kind;

typedef struct tn_expr tn_expr;
struct tn_expr {
    tn_expr_kind kind;
    tn_dtype dtype;
    uint32_t id;  /* names its variable in the generated code */
    tn_prim prim; /* MAP */
    const tn_expr *args[3];
    uint32_t arg_count;
    tn_layout layout;          /* LOAD, IOTA, TAKE: over the iteration space */
    uint32_t buffer;           /* LOAD, TAKE: of the program */
    const tn_value *value;     /* LOAD, TAKE: what is read, for accounting */
    double number, step;       /* CONST of floats; IOTA */
    int64_t integer;           /* CONST of integers and bool */
    const tn_sym *sym;         /* SYM; TAKE: size of the indexed dim */
    const tn_sym *take_stride; /* TAKE: elements between two entries of the indexed dim */
    uint32_t acc;              /* ACC */
};

/* A chain of views, the one next to the value first. */
typedef struct tn_chain tn_chain;
struct tn_chain {
    const tn_view *view;
    const tn_value
        *operand; /* what a view node applies the view to; NULL for views of fusion's own */
    const tn_chain *next;
};

/* What the anchor of a kernel offers to expressions. */
typedef struct tn_anchor_result {
    const tn_value *value; /* the anchor's result */
    tn_layout expected[2]; /* of acc 0 and 1: its dense layout seen from the iteration space */
    uint32_t acc_count;
    const tn_value *scale, *bias; /* multiplied, then added; broadcast to the result; may be NULL */
    const tn_view *bias_view;     /* applied to bias before it is broadcast; may be NULL */
} tn_anchor_result;

/* State of building the expressions of one kernel; thread-compatible. */
typedef struct tn_expr_builder {
    tn_arena *arena;
    tn_syms *syms;
    const tn_place *places;         /* by value id */
    const tn_anchor_result *anchor; /* NULL: none */
    tn_expr **exprs;                /* in the order of dependence; equal ones once */
    size_t count, capacity;
    /* Why the last build failed, if it did. */
    bool is_out_of_memory;
    const tn_value *blocking; /* storing this value in row-major order would make it possible; NULL:
                               * nothing would in this iteration space */
    bool wants_split;         /* the box must be split: along iteration dim split_dim at split_at */
    uint32_t split_dim;
    const tn_sym *split_at;
} tn_expr_builder;

/* The expression for `value` seen through the chain; NULL if it cannot be had (see the builder). */
const tn_expr *tn_expr_build(tn_expr_builder *builder, const tn_value *value,
                             const tn_chain *chain);
/* An operation on expressions made by hand. */
const tn_expr *tn_expr_map(tn_expr_builder *builder, tn_prim prim, tn_dtype dtype, const tn_expr *a,
                           const tn_expr *b);

/* A map primitive, or one that expressions treat like it, that can be rendered on these dtypes.
 * Other nodes are anchors, views or run on the interpreter. */
bool tn_expr_can_render(const tn_node *node);
/* Class of vector that holds a dtype: 'f', 'd', 'l', 'i', 'm' (bool); 0 if none does. */
char tn_expr_class(tn_dtype dtype);

#endif
