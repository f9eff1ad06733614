/* context.h: the inside of tn_context.
 *
 * Shapes are resolved in two stages. When an input's shape has changed, context_shape.c evaluates
 * the shape program, plans the arena and fills one launch record per step: function, sizes,
 * strides, task count. When only addresses have changed, the records' pointers are filled again. A
 * warm run then walks the records and allocates nothing.
 */
#ifndef TN_RUN_CONTEXT_H
#define TN_RUN_CONTEXT_H

#include "kir/interp.h"
#include "run/engine.h"

/* One step, ready to run. */
typedef struct tn_launch {
    /* kernels */
    tn_kernel_fn fn;
    void **buf;
    const int64_t *sym;
    int64_t task_count;
    /* primitives */
    tn_prim prim;
    const tn_tensor **operands;
    tn_tensor *results;
    const tn_resolved_arg *args;
} tn_launch;

/* An input or output as the caller gave it. */
typedef struct tn_binding {
    int64_t dims[TN_MAX_RANK];
    void *data; /* NULL: not given (inputs), owned by the context (outputs) */
} tn_binding;

/* Memory that only grows. */
typedef struct tn_block {
    void *base;    /* as allocated */
    uint8_t *data; /* aligned */
    size_t bytes;  /* allocated, of base */
} tn_block;

struct tn_context {
    tn_session *session;
    tn_binding *inputs, *outputs;
    int64_t (*input_dims)[TN_MAX_RANK];
    int64_t (*output_dims)[TN_MAX_RANK];
    int64_t (*output_strides)[TN_MAX_RANK];
    int64_t *values;       /* of the shape program */
    void **addresses;      /* per buffer */
    size_t *buffer_bytes;  /* per buffer */
    size_t *arena_offsets; /* per buffer */
    tn_launch *launches;   /* per step */
    tn_tensor *tensors;    /* per tensor record */
    void **pointers;       /* launches' buf, operands */
    int64_t *numbers;      /* launches' sym, arguments' lists */
    tn_tensor *step_results;
    tn_resolved_arg *args; /* per argument record */
    size_t pointer_count, number_count, step_result_count;
    tn_block arena, scratch;
    tn_block *output_memory; /* per output */
    tn_block *states;        /* per state */
    size_t scratch_bytes_per_thread;
    size_t arena_bytes, live_bytes;
    bool shapes_are_stale, addresses_are_stale;
    tn_kernel_error *kernel_errors; /* per step */
    /* of the run that is under way */
    tn_status run_status;
    atomic_uint failed_step; /* UINT32_MAX: none */
    bool is_profiling;
    uint64_t *step_ns;
};

/* Evaluates shapes, plans memory, fills the launch records. */
TN_MUST_USE tn_status tn_context_resolve(tn_context *context);
/* Every primitive's operands, arguments and results agree with its rules for these shapes.
 * TN_CORRUPT, or TN_INVALID_ARGUMENT from the rule. */
TN_MUST_USE tn_status tn_context_check_prims(tn_context *context);
/* Places the program's arena buffers: an offset per buffer (0 for those of other kinds), the
 * arena's bytes and the largest sum of sizes alive at once. */
TN_MUST_USE tn_status tn_arena_plan(const tn_allocator *allocator, const tn_program *program,
                                    const size_t *buffer_bytes, size_t *out_offsets,
                                    size_t *out_arena_bytes, size_t *out_live_bytes);
/* Gives the block at least this many bytes, aligned to 64 (large ones to 2 MiB); content is lost.
 */
TN_MUST_USE tn_status tn_block_reserve(const tn_allocator *allocator, tn_block *block,
                                       size_t bytes);
void tn_block_free(const tn_allocator *allocator, tn_block *block);

#endif
