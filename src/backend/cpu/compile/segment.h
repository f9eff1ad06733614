/* segment.h: kernel IR graph to kernels and steps: the heart of the CPU backend.
 *
 *   roles.c     which values get memory of their own, and which are computed where they are used
 *   segment.c   storage, kernels and steps
 *   pointwise.c pointwise kernels
 *   comment.c   what stands above a kernel in the source
 *   scatter.c   scatters
 *   in_place.c  results that are written over operands, states that change where they lie
 *   anchors.c   contractions, convolutions, attention, rows, pools, reductions, scans, sorts, with
 *               the pointwise work that follows fused into their stores
 *
 * Values are emitted in the order of the graph. A value is stored when several kernels read it,
 * when a kernel wants its address, or when it leaves the engine; everything else is an expression
 * inside the one kernel that uses it.
 */
#ifndef TN_CPU_SEGMENT_H
#define TN_CPU_SEGMENT_H

#include "backend/cpu/compile/nest.h"
#include "base/env.h"
#include "engine/program_builder.h"

/* What becomes of a value; by value id. */
typedef struct tn_role {
    bool is_root;         /* stored by a kernel of its own or as the end of an anchor's */
    const tn_value *sink; /* not a root: the one root, or row anchor's result, that it is computed
                           * in; NULL: several, or none */
} tn_role;

/* A result that may be written over an operand, if that is the operand's last use. */
typedef struct tn_heir {
    uint32_t operand, result; /* program buffers */
} tn_heir;

typedef struct tn_segment {
    const tn_env *env;
    tn_arena *arena;
    tn_syms *syms;
    const tn_graph *graph;
    const tn_cpu_target *target;
    tn_pb *pb;
    tn_cg cg;
    tn_place *places;  /* by value id */
    tn_role *roles;    /* by value id */
    tn_place *outputs; /* by value id: where it lies if it is stored as an output, or as what an
                        * output is a view of; not stored: neither */
    uint32_t
        *weight_buffers; /* by value id of constants: program buffer once some kernel reads it */
    tn_map kernels;      /* text of a kernel without its name, to its index + 1 */
    tn_buf source;       /* the translation unit's kernels */
    bool *is_emitted;    /* by node id */
    tn_heir *heirs;
    size_t heir_count, heir_capacity;
} tn_segment;

/* Buffers in expressions and kernel arguments are program buffers, except that constants appear as
 * TN_CONST_BUFFER + value id until a step needs them (so that packed weights are not stored twice),
 * and the error report as TN_ERROR_BUFFER. */
#define TN_CONST_BUFFER 0x80000000u
#define TN_ERROR_BUFFER 0x7fffffffu

/* ---- roles.c ------------------------------------------------------------------------------------
 */

typedef enum tn_node_kind {
    TN_KIND_VIEW,      /* a change of layout */
    TN_KIND_POINTWISE, /* an expression */
    TN_KIND_ROWS,      /* an anchor that reads operand 0 through a load function */
    TN_KIND_POINTERS,  /* an anchor that reads its operands through pointers */
    TN_KIND_PRIM,      /* run by the interpreter, or by the session's executor */
} tn_node_kind;

tn_node_kind tn_segment_kind(const tn_node *node);
/* Whether results of a node but its first are used. */
bool tn_node_has_other_uses(const tn_node *node);
/* Fills segment->roles. */
TN_MUST_USE tn_status tn_segment_assign_roles(tn_segment *segment);

/* ---- segment.c ----------------------------------------------------------------------------------
 */

/* Emits every kernel and step of the graph. */
TN_MUST_USE tn_status tn_segment_emit(tn_segment *segment);

/* Gives a value storage in row-major order by a kernel of its own, now. */
TN_MUST_USE tn_status tn_segment_materialise(tn_segment *segment, const tn_value *value);
/* Where a value, or the view of a stored value that it is, lies; stores what must be stored for
 * that. */
TN_MUST_USE tn_status tn_segment_place(tn_segment *segment, const tn_value *value,
                                       tn_place *out_place);
/* Runs a node on the interpreter, a call on the executor. */
TN_MUST_USE tn_status tn_segment_emit_prim(tn_segment *segment, const tn_node *node);

/* Storage in the arena for a root that a kernel is about to write, with dims in memory ordered by
 * `order` (NULL: row-major). */
void tn_segment_store(tn_segment *segment, const tn_value *value, const uint32_t *order,
                      tn_place *out_place);
/* The output's memory that a value which is not stored yet may lie in; NULL: none.
 * wants_row_major: no other order will do. */
const tn_place *tn_segment_output(tn_segment *segment, const tn_value *value, bool wants_row_major);
/* The order that lets the views which follow a root be layouts; false if nothing is preferred. */
bool tn_segment_preferred_order(const tn_segment *segment, const tn_value *value,
                                uint32_t *out_order);

/* Begins printing a kernel, named KERNEL until it is known to be new. */
void tn_segment_begin_kernel(tn_segment *segment, tn_kernel_print *kernel, tn_buf *text);
/* A value that a kernel stores, and where. */
typedef struct tn_stored {
    const tn_value *value;
    tn_place place;
} tn_stored;

/* What a step says about itself. */
typedef struct tn_step_info {
    const char *summary; /* "matmul_add_gelu" */
    tn_locs locs;
    const tn_sym *flops, *bytes_read, *bytes_written;
} tn_step_info;
/* Ends it: finds or adds the kernel, packs its weights, appends the step; the stored values have
 * their places from now on. weights: per pack of `emitted`, the constant. */
TN_MUST_USE tn_status tn_segment_end_kernel(tn_segment *segment, tn_kernel_print *kernel,
                                            tn_buf *text, const tn_cg_kernel *emitted,
                                            const tn_value *const *weights,
                                            const tn_step_info *info, const tn_stored *stored,
                                            size_t stored_count);
/* Name and provenance of the kernel that stores root (from anchor on, if there is one), with its
 * bytes written and everything else 0. */
TN_MUST_USE tn_status tn_segment_describe(tn_segment *segment, const tn_value *root,
                                          const tn_value *anchor, tn_step_info *out_info);
/* Adds the operations and bytes read of a kernel's expressions. */
void tn_segment_account(tn_segment *segment, const tn_value *root, const tn_expr_builder *builder,
                        tn_step_info *inout_info);

/* ---- comment.c ----------------------------------------------------------------------------------
 */

/* Appends the comment above a kernel that is new to the source. */
void tn_segment_comment(tn_segment *segment, const char *name, const tn_kernel_print *kernel,
                        const tn_step_info *info, const tn_stored *stored, size_t stored_count);

/* ---- in_place.c ---------------------------------------------------------------------------------
 */

/* The kernel whose step comes next may write `result` over `operand` (program buffers). */
TN_MUST_USE tn_status tn_segment_note_heir(tn_segment *segment, uint32_t operand, uint32_t result);
/* After the last step: sets the `over` of buffers. */
void tn_segment_choose_heirs(tn_segment *segment);

/* Whether a node is a scatter that may write into its first operand (stored, like the others, at
 * `operands`), because nothing else has yet to read that; its result then lies there. */
TN_MUST_USE tn_status tn_segment_may_update(tn_segment *segment, const tn_node *node,
                                            const tn_place *operands, bool *out_may);
/* The buffer of the state whose next content a value is, if nothing has yet to read the old one but
 * the value's own node, a primitive or pointwise work; else TN_NO_INDEX. What is written there is
 * row-major. */
TN_MUST_USE tn_status tn_segment_next_buffer(tn_segment *segment, const tn_value *value,
                                             uint32_t *out_buffer);
/* Whether expressions read the stored buffer, if they do, only at the point that writes it. */
bool tn_segment_may_write(const tn_expr_builder *builder, const tn_store *store);
/* After all outputs: copies the next contents that do not lie in their states yet. */
TN_MUST_USE tn_status tn_segment_emit_states(tn_segment *segment);

/* ---- pointwise.c --------------------------------------------------------------------------------
 */

/* A kernel that stores a pointwise value or a copy of a view; the interpreter where no kernel can.
 * is_row_major: views of it must be layouts, so no other order will do. */
TN_MUST_USE tn_status tn_segment_emit_pointwise(tn_segment *segment, const tn_value *value,
                                                bool is_row_major);
/* Copies a value, which keeps its place, to another one that others own (an output that is also
 * something else, a state, part of a larger value). locs: where the copy comes from; NULL: from
 * nowhere. */
TN_MUST_USE tn_status tn_segment_emit_copy(tn_segment *segment, const tn_value *value,
                                           const tn_place *place, const tn_locs *locs);
/* Row-major storage in a buffer. */
tn_place tn_segment_row_major(tn_segment *segment, const tn_value *value, uint32_t buffer);

/* ---- scatter.c ----------------------------------------------------------------------------------
 */

/* Whether a node is a scatter, of elements or of a slice, that kernels can do. */
bool tn_segment_can_scatter(const tn_node *node);
/* Emits them, into the storage of its result: that of operand 0, or row-major elsewhere. */
TN_MUST_USE tn_status tn_segment_emit_scatter(tn_segment *segment, const tn_node *node,
                                              const tn_place *operands, const tn_place *result);

/* ---- anchors.c ----------------------------------------------------------------------------------
 */

/* ROWS or POINTERS where an anchor takes this node, which is no view and no expression; else PRIM.
 */
tn_node_kind tn_anchor_node_kind(const tn_node *node);

/* Emits the kernel of an anchor that ends in `root` (its own result, or a pointwise value that
 * follows). out_is_fused false: the pointwise work could not be fused, nothing was emitted. Always
 * works for root == the anchor's own result. */
TN_MUST_USE tn_status tn_segment_emit_anchor(tn_segment *segment, const tn_node *anchor,
                                             const tn_value *root, bool *out_is_fused);

#endif
