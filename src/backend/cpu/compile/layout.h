/* layout.h: where the elements of a value lie in its buffer, and what views do to that.
 *
 * A layout is an offset and one stride per dimension, all symbolic and in elements. Views of a
 * stored value are other layouts on the same buffer; fusion pushes views through pointwise work
 * down to the stored values, so that a view costs nothing wherever its layout can be written this
 * way. Thread-compatible.
 */
#ifndef TN_CPU_LAYOUT_H
#define TN_CPU_LAYOUT_H

#include "kir/prim.h"

typedef struct tn_layout {
    uint32_t rank;
    const tn_sym *dims[TN_MAX_RANK];
    const tn_sym *strides[TN_MAX_RANK];
    const tn_sym *offset;
} tn_layout;

/* Dense, dims in memory from slowest to fastest as `order` says (NULL: 0, 1, 2 ...: row-major). */
void tn_layout_dense(tn_syms *syms, const tn_type *type, const uint32_t *order,
                     tn_layout *out_layout);

/* One step from a value to a view of it. */
typedef enum tn_view_kind {
    TN_VIEW_RESHAPE,
    TN_VIEW_PERMUTE,
    TN_VIEW_EXPAND, /* right-aligned; also what a map's operands undergo */
    TN_VIEW_SLICE,
    TN_VIEW_FLIP,
    TN_VIEW_EMBED, /* the value is a part, beginning at starts[d], of a larger box of size dims[d]
                    */
} tn_view_kind;

typedef struct tn_view {
    tn_view_kind kind;
    uint32_t rank;                     /* of the result */
    const tn_sym *dims[TN_MAX_RANK];   /* of the result */
    const tn_sym *starts[TN_MAX_RANK]; /* SLICE, EMBED */
    int64_t steps[TN_MAX_RANK];        /* SLICE */
    uint32_t order[TN_MAX_RANK];       /* PERMUTE: result dim i is operand dim order[i] */
    uint32_t flip_mask;                /* FLIP */
} tn_view;

/* The view that a view primitive's node is of its operand. False for any other node. */
bool tn_view_of_node(const tn_node *node, tn_view *out_view);
/* The view that turns results of `view` back into its operand, which has these dims; false if
 * `view` loses or repeats elements. */
bool tn_view_invert(const tn_view *view, uint32_t operand_rank, const tn_sym *const *operand_dims,
                    tn_view *out_view);
/* The layout after a view; false if it cannot be written with one stride per dimension (a reshape
 * across dims that do not lie next to each other in memory). */
bool tn_layout_apply(tn_syms *syms, const tn_layout *layout, const tn_view *view,
                     tn_layout *out_layout);

/* Same dims, strides (of dims other than 1) and offset. */
bool tn_layout_equal(const tn_layout *a, const tn_layout *b);
/* Rows of the last `rank - first` dims lie densely in row-major order. */
bool tn_layout_is_row_major(tn_syms *syms, const tn_layout *layout, uint32_t first);
/* Elements of the smallest buffer, starting at 0, that holds a dense layout. */
const tn_sym *tn_layout_elems(tn_syms *syms, const tn_layout *layout);

#endif
