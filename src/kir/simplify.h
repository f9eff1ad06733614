/* simplify.h: nodes that need not be made: what the builder applies before it makes a node and the
 * simplify pass to nodes that exist. */
#ifndef TN_KIR_SIMPLIFY_H
#define TN_KIR_SIMPLIFY_H

#include "kir/kb.h"

/* A node that is about to be made, with the types of its results. */
typedef struct tn_prim_use {
    tn_prim prim;
    tn_value *const *operands;
    uint32_t operand_count;
    const tn_arg *args;
    uint32_t arg_count;
    const tn_type *type; /* of result 0 */
} tn_prim_use;

/* The value that result 0 of this single-result node equals, made of fewer or cheaper nodes; NULL
 * when no rule applies (or the builder has failed). */
tn_value *tn_kb_simplify(tn_kb *kb, const tn_prim_use *use);

/* True if all elements of value are known to be one number: a constant, or views of one. */
bool tn_value_splat(const tn_value *value, double *out_number);
/* True if dtype `wide` holds every value of `narrow`. */
bool tn_dtype_holds(tn_dtype wide, tn_dtype narrow);

#endif
