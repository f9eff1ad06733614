/* fold.h: constants computed at compile time. */
#ifndef TN_KIR_FOLD_H
#define TN_KIR_FOLD_H

#include "kir/interp.h"
#include "kir/kb.h"

/* Results larger than this are left to run time. */
#define TN_FOLD_BYTES_MAX ((size_t)1 << 30)

/* Evaluates a primitive node whose operands are all constants. A permute, a slice and a reshape of
 * contiguous data become views of the same bytes, so that mapped weights stay mapped; everything
 * else is run by the interpreter into the graph's arena. out_values has room for node->result_count
 * constants, which the caller puts in the results' place; all are NULL when the node cannot be
 * folded: an operand that is not constant, a symbolic argument, random numbers, a call, a result
 * that is too large, or a primitive that fails on these values (it then fails at run time, where it
 * can be reported). */
TN_MUST_USE tn_status tn_kir_fold(tn_kb *kb, const tn_node *node, tn_value **out_values);

/* A tensor over a constant's data. */
tn_tensor tn_tensor_of_const(const tn_value *value);

#endif
