/* affine.h: integer tensors that are an affine function of their index: counters (iota) and what
 * adding, scaling, slicing and reshaping makes of them. Masks and gathers that exporters compute
 * from positions are known at compile time through this, even where sizes are symbolic. */
#ifndef TN_PASS_AFFINE_H
#define TN_PASS_AFFINE_H

#include "ir/graph.h"

/* Element [i0, i1, ...] is constant + sum of coef[d] * i_d. A coefficient of a dim of size 1 is 0.
 */
typedef struct tn_affine {
    uint32_t rank;
    const tn_sym *constant;
    const tn_sym *coef[TN_MAX_RANK];
} tn_affine;

/* False when the value is not known to be one. Failures of symbolic arithmetic stay in the table.
 */
bool tn_affine_of(tn_syms *syms, const tn_value *value, tn_affine *out);
/* True if all coefficients are 0. */
bool tn_affine_is_constant(const tn_affine *affine);
/* a - b, broadcast; false when sizes make that impossible to tell. */
bool tn_affine_sub(tn_syms *syms, const tn_affine *a, const tn_affine *b, tn_affine *out);
/* Bounds over all indices below dims (of the affine's rank); NULL when a sign is not known. */
const tn_sym *tn_affine_min(tn_syms *syms, const tn_affine *affine, const tn_sym *const *dims);
const tn_sym *tn_affine_max(tn_syms *syms, const tn_affine *affine, const tn_sym *const *dims);

#endif
