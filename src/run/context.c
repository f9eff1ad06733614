/* context.c: making contexts, giving them inputs and outputs. */
#include "run/context.h"

#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

/* ---- memory ------------------------------------------------------------------------------------
 */

tn_status tn_block_reserve(const tn_allocator *allocator, tn_block *block, size_t bytes) {
    enum { SMALL_ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : SMALL_ALIGNMENT;
    size_t needed = 0;
    if (!tn_add_size(bytes, alignment, &needed))
        return tn_error_make(TN_OUT_OF_RANGE, "%zu bytes of memory overflow", bytes);
    if (block->base && block->bytes >= needed)
        return NULL;
    tn_block_free(allocator, block);
    TN_TRY(tn_alloc(allocator, needed, &block->base));
    block->bytes = needed;
    uintptr_t address = (uintptr_t)block->base;
    block->data = (uint8_t *)block->base + (alignment - address % alignment) % alignment;
    /* Fewer TLB misses; without huge pages everything works the same. */
    if (alignment == HUGE_PAGE)
        (void)madvise(block->data, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return NULL;
}

void tn_block_free(const tn_allocator *allocator, tn_block *block) {
    tn_alloc_free(allocator, block->base, block->bytes);
    *block = (tn_block){0};
}

/* ---- life --------------------------------------------------------------------------------------
 */

/* How many pointers, numbers and results the launch records need altogether. */
static void count_launch_parts(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        if (step->kind == TN_STEP_KERNEL) {
            context->pointer_count += step->buffers.count;
            context->number_count += step->syms.count;
        } else {
            context->pointer_count += step->operands.count;
            context->step_result_count += step->results.count;
        }
        if (step->kind == TN_STEP_CALL)
            context->lent_count += step->operands.count + step->results.count;
    }
    for (uint32_t i = 0; i < p->call_count; i++)
        context->number_count += p->calls[i].ints.count;
    for (uint32_t i = 0; i < p->arg_count; i++)
        if (p->args[i].kind == TN_ARG_INTS)
            context->number_count += p->args[i].list.count;
}

/* X(field, element count): the arrays of a context, allocated and freed together. */
#define TN_CONTEXT_ARRAYS(X)                                                                       \
    X(inputs, p->input_count)                                                                      \
    X(outputs, p->output_count)                                                                    \
    X(input_dims, p->input_count)                                                                  \
    X(output_dims, p->output_count)                                                                \
    X(output_strides, p->output_count)                                                             \
    X(values, p->instr_count)                                                                      \
    X(addresses, p->buffer_count)                                                                  \
    X(buffer_bytes, p->buffer_count)                                                               \
    X(arena_offsets, p->buffer_count)                                                              \
    X(launches, p->step_count)                                                                     \
    X(tensors, p->tensor_count)                                                                    \
    X(pointers, context->pointer_count)                                                            \
    X(numbers, context->number_count)                                                              \
    X(step_results, context->step_result_count)                                                    \
    X(args, p->arg_count)                                                                          \
    X(lent, context->lent_count)                                                                   \
    X(held, p->call_count)                                                                         \
    X(value_rounds, p->instr_count)                                                                \
    X(tensor_rounds, p->tensor_count)                                                              \
    X(step_rounds, p->step_count)                                                                  \
    X(call_brings_sizes, p->call_count)                                                            \
    X(round_is_known, p->call_count + 1)                                                           \
    X(arenas, p->call_count + 1)                                                                   \
    X(output_memory, p->output_count)                                                              \
    X(states, p->state_count)                                                                      \
    X(step_ns, p->step_count)                                                                      \
    X(kernel_errors, p->step_count)

static tn_status allocate_arrays(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    const tn_allocator *allocator = &context->session->engine->env->allocator;
#define X(field, count)                                                                            \
    TN_TRY(tn_alloc_array(allocator, count, sizeof *context->field, &context->field));
    TN_CONTEXT_ARRAYS(X)
#undef X
    for (uint32_t i = 0; i < p->state_count; i++) {
        uint32_t buffer = p->tensors[p->states[i].tensor].buffer;
        size_t bytes = (size_t)p->instrs[p->buffers[buffer].bytes].value;
        TN_TRY_CTX(tn_block_reserve(allocator, &context->states[i], bytes),
                   "while allocating state %s", tn_program_str(p, p->states[i].name).data);
    }
    return NULL;
}

tn_status tn_context_create(tn_session *session, tn_context **out_context) {
    *out_context = NULL;
    if (!session)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_context_create: session is NULL");
    const tn_allocator *allocator = &session->engine->env->allocator;
    tn_context *context = NULL;
    TN_TRY(tn_alloc(allocator, sizeof *context, &context));
    context->session = session;
    context->shapes_are_stale = context->addresses_are_stale = true;
    count_launch_parts(context);
    tn_status status = allocate_arrays(context);
    if (!status)
        status = tn_context_assign_rounds(context);
    if (!status)
        status = tn_context_reset_state(context);
    if (status) {
        tn_context_destroy(context);
        return status;
    }
    *out_context = context;
    return NULL;
}

void tn_context_destroy(tn_context *context) {
    if (!context)
        return;
    const tn_program *p = &context->session->engine->file.program;
    const tn_allocator *allocator = &context->session->engine->env->allocator;
    for (uint32_t i = 0; context->output_memory && i < p->output_count; i++)
        tn_block_free(allocator, &context->output_memory[i]);
    for (uint32_t i = 0; context->states && i < p->state_count; i++)
        tn_block_free(allocator, &context->states[i]);
    for (uint32_t i = 0; context->arenas && i <= p->call_count; i++)
        tn_block_free(allocator, &context->arenas[i]);
    tn_block_free(allocator, &context->scratch);
#define X(field, count) tn_alloc_free(allocator, context->field, (count) * sizeof *context->field);
    TN_CONTEXT_ARRAYS(X)
#undef X
    tn_alloc_free(allocator, context, sizeof *context);
}

tn_status tn_context_reset_state(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    for (uint32_t i = 0; i < p->state_count; i++) {
        const tn_rec_state *state = &p->states[i];
        const tn_rec_buffer *buffer = &p->buffers[p->tensors[state->tensor].buffer];
        size_t bytes = (size_t)p->instrs[buffer->bytes].value;
        if (state->initial_buffer == TN_NO_INDEX)
            memset(context->states[i].data, 0, bytes);
        else
            memcpy(context->states[i].data,
                   p->weights + p->buffers[state->initial_buffer].weight_offset, bytes);
    }
    return NULL;
}

/* ---- inputs and outputs ------------------------------------------------------------------------
 */

/* An error that quotes what the engine wants. */
static tn_status refuse(const tn_context *context, const char *kind, const tn_rec_io *io,
                        tn_code code, const char *seen) {
    const tn_engine *engine = context->session->engine;
    tn_buf wanted;
    tn_buf_init(&wanted, engine->env->allocator);
    tn_io_print(&wanted, &engine->file.program, io);
    tn_status status = tn_error_make(code, "%s %s: given %s", kind, tn_buf_cstr(&wanted), seen);
    tn_buf_deinit(&wanted);
    return status;
}

bool tn_dlpack_is_contiguous(const DLTensor *tensor) {
    int64_t expected = 1;
    bool is_dense = true, is_empty = false; /* no stride of an empty tensor is wrong */
    for (int32_t d = tensor->ndim; tensor->strides && d-- > 0;) {
        is_empty = is_empty || tensor->shape[d] == 0;
        is_dense = is_dense && (tensor->shape[d] == 1 || tensor->strides[d] == expected);
        expected *= is_dense ? tensor->shape[d] : 1;
    }
    return is_dense || is_empty;
}

static void print_shape(tn_buf *buf, const DLTensor *tensor) {
    tn_buf_printf(buf, "shape [");
    for (int32_t d = 0; d < tensor->ndim; d++)
        tn_buf_printf(buf, "%s%lld", d ? ", " : "", (long long)tensor->shape[d]);
    tn_buf_printf(buf, "]");
}

/* What is wrong with a tensor for this input or output, in `seen`; TN_OK if nothing. */
static tn_code judge(const tn_program *p, const tn_rec_io *io, const DLTensor *tensor,
                     tn_buf *seen) {
    const tn_rec_tensor *wanted = &p->tensors[io->tensor];
    tn_dtype dtype = tn_dtype_from_dlpack(tensor->dtype);
    if (tensor->device.device_type != kDLCPU) {
        tn_buf_printf(seen, "memory of DLPack device %d, expected host memory (%d)",
                      (int)tensor->device.device_type, (int)kDLCPU);
        return TN_INVALID_ARGUMENT;
    }
    if (dtype != (tn_dtype)wanted->dtype) {
        tn_buf_printf(seen, "dtype %s", tn_dtype_name(dtype));
        return TN_INVALID_ARGUMENT;
    }
    if (tensor->ndim < 0 || (uint32_t)tensor->ndim != wanted->rank) {
        tn_buf_printf(seen, "rank %d, expected %u", (int)tensor->ndim, wanted->rank);
        return TN_INVALID_ARGUMENT;
    }
    bool has_elements = true;
    for (uint32_t d = 0; d < wanted->rank; d++) {
        int64_t size = tensor->shape[d];
        const tn_rec_instr *instr = &p->instrs[wanted->dims[d]];
        if (size < 0 || (instr->op == TN_SHAPE_CONST && size != instr->value)) {
            print_shape(seen, tensor);
            return TN_INVALID_ARGUMENT;
        }
        if (size == 0)
            has_elements = false;
    }
    if (!tn_dlpack_is_contiguous(tensor)) {
        tn_buf_printf(seen, "strides that are not row-major contiguous");
        return TN_INVALID_ARGUMENT;
    }
    size_t elem_bytes = tn_dtype_bytes(dtype);
    if (has_elements && !tensor->data) {
        tn_buf_printf(seen, "a NULL pointer");
        return TN_INVALID_ARGUMENT;
    }
    if (((uintptr_t)tensor->data + tensor->byte_offset) % elem_bytes != 0) {
        tn_buf_printf(seen, "an address that is not aligned to %zu bytes", elem_bytes);
        return TN_INVALID_ARGUMENT;
    }
    return TN_OK;
}

/* out_is_new: nothing of this shape was bound before. */
static tn_status bind(tn_context *context, const char *kind, const tn_rec_io *io,
                      tn_binding *binding, const DLTensor *tensor, bool *out_is_new) {
    *out_is_new = false;
    const tn_engine *engine = context->session->engine;
    const tn_program *p = &engine->file.program;
    tn_buf seen;
    tn_buf_init(&seen, engine->env->allocator);
    tn_code code = judge(p, io, tensor, &seen);
    tn_status status = code == TN_OK ? NULL : refuse(context, kind, io, code, tn_buf_cstr(&seen));
    tn_buf_deinit(&seen);
    if (status)
        return status;
    /* An empty tensor may have no memory; any address tells it apart from one that was not given.
     */
    void *data = tensor->data ? (uint8_t *)tensor->data + tensor->byte_offset : (void *)context;
    bool is_new = !binding->data;
    for (int32_t d = 0; d < tensor->ndim; d++) {
        is_new = is_new || binding->dims[d] != tensor->shape[d];
        binding->dims[d] = tensor->shape[d];
    }
    *out_is_new = is_new;
    if (is_new || binding->data != data)
        context->addresses_are_stale = true;
    binding->data = data;
    return NULL;
}

static tn_status check_index(const char *kind, size_t i, size_t count) {
    if (i < count)
        return NULL;
    return tn_error_make(TN_OUT_OF_RANGE, "%s %zu: the engine has %zu", kind, i, count);
}

tn_status tn_context_set_input(tn_context *context, size_t i, const DLTensor *tensor) {
    const tn_program *p = &context->session->engine->file.program;
    TN_TRY(check_index("input", i, p->input_count));
    if (!tensor)
        return tn_error_make(TN_INVALID_ARGUMENT, "input %zu: tensor is NULL", i);
    bool is_new = false;
    TN_TRY(bind(context, "input", &p->inputs[i], &context->inputs[i], tensor, &is_new));
    context->shapes_are_stale = context->shapes_are_stale || is_new;
    return NULL;
}

tn_status tn_context_set_output(tn_context *context, size_t i, const DLTensor *tensor) {
    const tn_program *p = &context->session->engine->file.program;
    TN_TRY(check_index("output", i, p->output_count));
    if (!tensor) {
        context->outputs[i] = (tn_binding){.data = NULL};
        context->addresses_are_stale = true;
        return NULL;
    }
    bool is_new = false;
    return bind(context, "output", &p->outputs[i], &context->outputs[i], tensor, &is_new);
}

tn_status tn_context_infer_outputs(tn_context *context) {
    return tn_context_resolve_shapes(context);
}

tn_status tn_context_get_output(tn_context *context, size_t i, DLTensor *out_tensor) {
    const tn_program *p = &context->session->engine->file.program;
    TN_TRY(check_index("output", i, p->output_count));
    *out_tensor = (DLTensor){.device = {kDLCPU, 0}};
    if (context->shapes_are_stale)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "output %zu: asked for before a run with these input shapes", i);
    const tn_rec_tensor *tensor = &p->tensors[p->outputs[i].tensor];
    if (context->round_is_known[context->tensor_rounds[p->outputs[i].tensor]])
        out_tensor->data = context->addresses[tensor->buffer];
    out_tensor->ndim = (int32_t)tensor->rank;
    out_tensor->dtype = tn_dtype_to_dlpack((tn_dtype)tensor->dtype);
    out_tensor->shape = context->output_dims[i];
    out_tensor->strides = context->output_strides[i];
    return NULL;
}

tn_status tn_context_memory(tn_context *context, size_t *out_arena_bytes, size_t *out_live_bytes) {
    *out_arena_bytes = *out_live_bytes = 0;
    TN_TRY(tn_context_resolve_shapes(context));
    *out_arena_bytes = context->arena_bytes;
    *out_live_bytes = context->live_bytes;
    return NULL;
}

void tn_context_set_profiling(tn_context *context, bool is_on) {
    context->is_profiling = is_on;
}

tn_status tn_context_step_times(const tn_context *context, const uint64_t **out_ns,
                                size_t *out_count) {
    *out_ns = NULL;
    *out_count = 0;
    if (!context->is_profiling)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "step times: profiling is off; tn_context_set_profiling turns it on");
    *out_ns = context->step_ns;
    *out_count = context->session->engine->file.program.step_count;
    return NULL;
}
