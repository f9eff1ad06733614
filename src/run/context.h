/* context.h: the inside of tn_context.
 *
 * Shapes are resolved in two stages. When an input's shape has changed, context_shape.c evaluates
 * the shape program, plans the arena and fills one launch record per step: function, sizes,
 * strides, task count. When only addresses have changed, the records' pointers are filled again. A
 * warm run then walks the records and allocates nothing. Sizes that a call decides on are resolved
 * in the same way when it has been made, as a round of their own.
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
    const int64_t *sym; /* of calls: the integers of the arguments */
    int64_t task_count;
    /* primitives; the tensors also of calls */
    tn_prim prim;
    const tn_tensor **operands;
    tn_tensor *results;
    const tn_resolved_arg *args;
    /* calls: operands, then results, as the executor sees them */
    DLTensor *lent;
} tn_launch;

/* What keeps memory of the executor alive, and the last step that reads it. */
typedef struct tn_held {
    void *handle;
    uint32_t last_step;
} tn_held;

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
    DLTensor *lent;        /* launches' */
    tn_held *held;         /* room for one per call */
    uint32_t held_count;
    size_t pointer_count, number_count, step_result_count, lent_count;
    /* Which round each value, tensor and step is of: how many calls must have been made before its
     * sizes are known. Round 0 is all of a model whose sizes follow from the inputs'. */
    uint32_t *value_rounds, *tensor_rounds, *step_rounds;
    bool *call_brings_sizes; /* per call: it makes the sizes of a round known */
    bool *round_is_known;    /* its sizes are those of the last run */
    tn_block *arenas;        /* per round */
    tn_block scratch;
    tn_block *output_memory; /* per output */
    tn_block *states;        /* per state */
    size_t scratch_bytes_per_thread;
    size_t arena_bytes, live_bytes; /* of round 0 */
    bool shapes_are_stale, addresses_are_stale;
    tn_kernel_error *kernel_errors; /* per step */
    /* of the run that is under way */
    bool is_running;
    uint32_t first_step, end_step; /* of the stretch between two calls */
    tn_call call;                  /* as the executor sees it */
    tn_status run_status;
    atomic_uint failed_step; /* UINT32_MAX: none */
    bool is_profiling;
    uint64_t *step_ns;
};

/* Evaluates shapes, plans memory, fills the launch records but for their addresses. */
TN_MUST_USE tn_status tn_context_resolve_shapes(tn_context *context);
/* The same, and all addresses: ready to run. */
TN_MUST_USE tn_status tn_context_resolve(tn_context *context);
/* Computes the rounds. TN_CORRUPT when a step would run before its sizes are known. */
TN_MUST_USE tn_status tn_context_assign_rounds(tn_context *context);
/* The same as tn_context_resolve for the sizes that a call has just brought. */
TN_MUST_USE tn_status tn_context_resolve_round(tn_context *context, uint32_t round);
static inline uint32_t tn_context_buffer_round(const tn_context *context, uint32_t buffer) {
    const tn_program *p = &context->session->engine->file.program;
    return context->value_rounds[p->buffers[buffer].bytes];
}
/* Fills the launch records but for pointers, as far as sizes are known; TN_UNSUPPORTED names a
 * primitive of another version. */
TN_MUST_USE tn_status tn_context_fill_launches(tn_context *context);
/* Fills the pointers of what is of one round, or of everything known. */
#define TN_ROUNDS_KNOWN UINT32_MAX
void tn_context_fill_addresses(tn_context *context, uint32_t round);
/* Where the plan puts a buffer, wherever it lies now. */
void *tn_context_planned_address(const tn_context *context, uint32_t buffer);
/* Has the executor make a call, and its results ready for the steps after it. */
TN_MUST_USE tn_status tn_context_call(tn_context *context, uint32_t call);
/* Gives back the executor's memory that no step from next_step on reads. */
void tn_context_release_held(tn_context *context, uint32_t next_step);
bool tn_dlpack_is_contiguous(const DLTensor *tensor);
/* The operands, arguments and results of every primitive of a round agree with its rules for these
 * shapes.
 * TN_CORRUPT, or TN_INVALID_ARGUMENT from the rule. */
TN_MUST_USE tn_status tn_context_check_prims(tn_context *context, uint32_t round);
/* Places the program's arena buffers whose size is of a round (rounds, by value, NULL: all): an
 * offset for each, the arena's bytes and the largest sum of sizes alive at once. */
TN_MUST_USE tn_status tn_arena_plan(const tn_allocator *allocator, const tn_program *program,
                                    const size_t *buffer_bytes, const uint32_t *rounds,
                                    uint32_t round, size_t *out_offsets, size_t *out_arena_bytes,
                                    size_t *out_live_bytes);
/* Gives the block at least this many bytes, aligned to 64 (large ones to 2 MiB); content is lost.
 */
TN_MUST_USE tn_status tn_block_reserve(const tn_allocator *allocator, tn_block *block,
                                       size_t bytes);
void tn_block_free(const tn_allocator *allocator, tn_block *block);

#endif
