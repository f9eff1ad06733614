/* op_families.h: the families, one per file of this folder; op_list.c walks them. */
#ifndef TN_OPS_OP_FAMILIES_H
#define TN_OPS_OP_FAMILIES_H

#include "ops/convert.h"

/* X(name): the file ops_NAME.c ends with the table tn_ops_NAME. */
#define TN_OP_FAMILY_LIST(X)                                                                       \
    X(pointwise)                                                                                   \
    X(unary)                                                                                       \
    X(special)                                                                                     \
    X(loss)                                                                                        \
    X(compare)                                                                                     \
    X(reduce)                                                                                      \
    X(view)                                                                                        \
    X(permute)                                                                                     \
    X(part)                                                                                        \
    X(join)                                                                                        \
    X(stack)                                                                                       \
    X(create)                                                                                      \
    X(cast)                                                                                        \
    X(index)                                                                                       \
    X(bag)                                                                                         \
    X(scatter)                                                                                     \
    X(fold)                                                                                        \
    X(search)                                                                                      \
    X(linear)                                                                                      \
    X(matrix)                                                                                      \
    X(distance)                                                                                    \
    X(recurrent)                                                                                   \
    X(experts)                                                                                     \
    X(einsum)                                                                                      \
    X(random)                                                                                      \
    X(conv)                                                                                        \
    X(pool)                                                                                        \
    X(grid)                                                                                        \
    X(norm)                                                                                        \
    X(attention)                                                                                   \
    X(activation)                                                                                  \
    X(order)                                                                                       \
    X(statistic)                                                                                   \
    X(inplace)

#define X(name) extern const tn_op_family tn_ops_##name;
TN_OP_FAMILY_LIST(X)
#undef X

#endif
