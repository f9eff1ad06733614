/* anchor.h: between anchors.c and the kinds of anchors; nobody else includes it. */
#ifndef TN_CPU_ANCHOR_H
#define TN_CPU_ANCHOR_H

#include "backend/cpu/compile/segment.h"

/* One attempt at an anchor's kernel. */
typedef struct tn_anchor_attempt {
    tn_segment *s;
    const tn_node *node;
    const tn_value *result, *root;
    tn_view space[2]; /* from the result to the iteration space */
    uint32_t space_count;
    bool is_paired;
    tn_anchor_result anchor;
    const tn_chain *chain; /* from root to the iteration space */
    tn_expr_builder builder;
    const tn_expr *expr;
    uint32_t state; /* buffer of the state that root may be written to; TN_NO_INDEX: none */
    tn_stored stored;
    tn_store store;
    struct tn_anchor_attempt *other; /* stores the node's second result; NULL: nobody does */
} tn_anchor_attempt;

static inline const tn_sym *tn_anchor_size(tn_segment *s, int64_t value) {
    return tn_sym_const(s->syms, value);
}

/* ---- anchors.c ----------------------------------------------------------------------------------
 */

/* Everything before printing, in the space that the attempt describes: the chain from root, its
 * expression (storing side operands that block it), its storage. natural: the order in which the
 * anchor produces, of the result's dims; NULL: none. out_is_ready false: not in this space. */
TN_MUST_USE tn_status tn_anchor_prepare(tn_anchor_attempt *attempt, const uint32_t *natural,
                                        bool *out_is_ready);
/* A stored operand, as emitters want it. */
TN_MUST_USE tn_status tn_anchor_operand(tn_segment *segment, tn_kernel_print *kernel,
                                        const tn_place *place, const tn_value *value,
                                        const tn_layout *layout, tn_cg_tensor *out_tensor);
bool tn_anchor_expand(tn_syms *syms, const tn_layout *layout, const tn_sym *const *dims,
                      uint32_t rank, tn_layout *out_layout);
/* The expression of an operand through views, for a load function. Stores what blocks. */
TN_MUST_USE tn_status tn_anchor_source(tn_segment *segment, const tn_value *operand,
                                       const tn_view *views, uint32_t view_count,
                                       tn_expr_builder *builder, const tn_expr **out_expr);
/* The order of dims in memory, of images [N, C, H, W] or [N, C, W], that has channels last. */
const uint32_t *tn_anchor_channels_last_order(uint32_t rank);
/* The views (one or two) from images of either rank to [n, y, x, c]; returns how many. */
uint32_t tn_anchor_channels_last(tn_segment *segment, const tn_type *type, tn_view *out_views);
/* Element i (0: height, 1: width) of a list of spatial numbers, of which 1-D windows have no
 * height: `absent`. */
int64_t tn_anchor_spatial(const tn_arg *arg, uint32_t i, int64_t absent);
/* The view that moves a dim behind the others; returns how many views that takes: 1 or 0. */
uint32_t tn_anchor_dim_last(const tn_type *type, uint32_t dim, tn_view *out_view);
/* Whether one of these dims of a source (built without views) lies densely in memory; moves it to
 * their end. */
bool tn_anchor_dense_dim_last(const tn_expr_builder *source, uint32_t rank, uint32_t *inout_dims,
                              uint32_t dim_count);
/* Begins the kernel and prints the store function, KERNEL_epilogue. */
void tn_anchor_begin(tn_anchor_attempt *attempt, tn_kernel_print *kernel, tn_buf *text);
/* Ends it and appends the step. source: of the load function; NULL: the anchor reads pointers. */
TN_MUST_USE tn_status tn_anchor_finish(tn_anchor_attempt *attempt, tn_kernel_print *kernel,
                                       tn_buf *text, const tn_cg_kernel *emitted,
                                       const tn_value *const *weights, const tn_sym *flops,
                                       const tn_expr_builder *source);

/* ---- kinds --------------------------------------------------------------------------------------
 */

/* What is known of a primitive that can be an anchor. */
typedef struct tn_anchor_kind {
    tn_prim prim;
    tn_node_kind kind; /* ROWS or POINTERS */
    bool (*takes)(const tn_node *node);
    tn_status (*emit)(tn_anchor_attempt *attempt, bool *out_is_fused);
} tn_anchor_kind;

bool tn_anchor_takes_product(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_matmul(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_attention(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_attention(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_conv(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_conv(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_pool(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_pool(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_resize(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_resize(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_rows(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_rows(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_reduce(const tn_node *node);
bool tn_anchor_takes_mean(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_reduce(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_scan(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_scan(tn_anchor_attempt *attempt, bool *out_is_fused);
bool tn_anchor_takes_order(const tn_node *node);
TN_MUST_USE tn_status tn_anchor_order(tn_anchor_attempt *attempt, bool *out_is_fused);

#endif
