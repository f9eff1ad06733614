/* nest.h: prints expressions as C: the bodies of load and store functions, and whole kernels for
 * pointwise work. */
#ifndef TN_CPU_NEST_H
#define TN_CPU_NEST_H

#include "backend/cpu/compile/cgen.h"
#include "backend/cpu/compile/expr.h"
#include "engine/program.h"

/* An argument of a kernel. */
typedef struct tn_kernel_arg {
    uint32_t buffer; /* of the program */
    uint32_t heir;   /* the result that may be written over this operand: the kernel reads an
                      * element only at the point that writes the result's at the same place;
                      * TN_NO_INDEX: none */
} tn_kernel_arg;

/* A kernel that is being printed: which program buffers it has taken as arguments. */
typedef struct tn_kernel_print {
    tn_cg *cg;
    tn_kernel_arg *args; /* in the order of buf[] */
    size_t arg_count, arg_capacity;
    uint32_t
        error_buffer; /* program buffer for tn_kernel_error, used when a kernel reads indices */
} tn_kernel_print;

/* The position of a program buffer in buf[]; adds it. The kernel may use it in any way. */
uint32_t tn_kernel_buf(tn_kernel_print *kernel, uint32_t program_buffer);

/* Where a result goes. */
typedef struct tn_store {
    uint32_t buffer; /* of the program */
    tn_dtype dtype;
    tn_layout layout; /* over the iteration space */
} tn_store;

/* Whether what an expression of that space reads lies, in its buffer, where the store writes in its
 * own: the two may be one. */
bool tn_nest_is_in_step(const tn_expr *expr, const tn_store *store);

/* "static inline void NAME(void *const *buf, const int64_t *sym, int64_t i0, ..., int64_t lanes,
 * tn_vf x0[, tn_vf x1])": computes expr from the anchor's vectors (of its dtype's class) and stores
 * it. rank: index arguments. */
void tn_nest_store_function(tn_kernel_print *kernel, const char *name, uint32_t rank,
                            uint32_t acc_count, tn_expr_builder *builder, const tn_expr *expr,
                            const tn_store *store);
/* "static inline tn_vf NAME(void *const *buf, const int64_t *sym, int64_t i0, ..., int64_t lanes)",
 * the vector being of the expression's class. row_store: of a kernel that reads a whole row through
 * this function before it stores that row, in the same space, and never reads it again; NULL of any
 * other. */
void tn_nest_load_function(tn_kernel_print *kernel, const char *name, uint32_t rank,
                           tn_expr_builder *builder, const tn_expr *expr,
                           const tn_store *row_store);

/* One loop nest of a pointwise kernel: for every point of the box, store = expr. */
typedef struct tn_nest {
    uint32_t rank;
    const tn_sym *dims[TN_MAX_RANK];
    tn_expr_builder builder;
    const tn_expr *expr;
    tn_store store;
} tn_nest;

/* Orders the nest's dims by the store's strides, drops dims of size 1, and joins dims that lie
 * densely one over the other in every operand, so that loops are few and the innermost long. */
void tn_nest_simplify(tn_syms *syms, tn_nest *nest);

/* A kernel of one or more nests; the tasks of all are numbered one after the other. */
void tn_nest_emit_pointwise(tn_kernel_print *kernel, const char *name, const tn_nest *nests,
                            size_t count, tn_cg_kernel *out_kernel);

#endif
