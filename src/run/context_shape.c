/* context_shape.c: from input shapes to launch records. Runs when a shape or an address has
 * changed; a failure leaves the context stale, so that the next run tries again. */
#include <string.h>

#include "base/checked.h"
#include "engine/memory_plan.h"
#include "run/context.h"

static const tn_program *program_of(const tn_context *context) {
    return &context->session->engine->file.program;
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

static tn_status check_inputs_given(const tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->input_count; i++)
        if (!context->inputs[i].data)
            return tn_error_make(TN_INVALID_ARGUMENT, "input %s has not been set",
                                 tn_program_str(p, p->inputs[i].name).data);
    return NULL;
}

static tn_status check_symbol_ranges(const tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->symbol_count; i++) {
        const tn_rec_symbol *symbol = &p->symbols[i];
        int64_t value = context->values[symbol->value];
        if (value >= symbol->min && value <= symbol->max)
            continue;
        const tn_rec_instr *instr = &p->instrs[symbol->value];
        tn_str name = tn_program_str(p, symbol->name);
        tn_str input = tn_program_str(p, p->inputs[instr->a < p->input_count ? instr->a : 0].name);
        if (symbol->max == INT64_MAX)
            return tn_error_make(
                TN_OUT_OF_RANGE, "input %s: dimension %u (%s) is %lld, expected at least %lld",
                input.data, instr->b, name.data, (long long)value, (long long)symbol->min);
        return tn_error_make(TN_OUT_OF_RANGE,
                             "input %s: dimension %u (%s) is %lld, expected %lld to %lld",
                             input.data, instr->b, name.data, (long long)value,
                             (long long)symbol->min, (long long)symbol->max);
    }
    return NULL;
}

/* Every input's size must be what the program computes for it: symbols that several inputs share
 * must agree, and expressions of symbols must hold. */
static tn_status check_input_dims(const tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->input_count; i++) {
        const tn_rec_tensor *tensor = &p->tensors[p->inputs[i].tensor];
        for (uint32_t d = 0; d < tensor->rank; d++) {
            int64_t wanted = context->values[tensor->dims[d]];
            int64_t seen = context->inputs[i].dims[d];
            if (seen != wanted)
                return tn_error_make(TN_INVALID_ARGUMENT,
                                     "input %s: dimension %u is %lld, expected %lld as the other "
                                     "inputs' shapes demand",
                                     tn_program_str(p, p->inputs[i].name).data, d, (long long)seen,
                                     (long long)wanted);
        }
    }
    return NULL;
}

static tn_status evaluate_sizes(tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->input_count; i++)
        memcpy(context->input_dims[i], context->inputs[i].dims, sizeof context->input_dims[i]);
    TN_TRY(tn_program_eval(p, (const int64_t(*)[TN_MAX_RANK])context->input_dims, context->values));
    TN_TRY(check_symbol_ranges(context));
    TN_TRY(check_input_dims(context));
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        int64_t bytes = context->values[p->buffers[i].bytes];
        if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 2)
            return tn_error_make(TN_OUT_OF_RANGE, "buffer %u has %lld bytes for these input shapes",
                                 i, (long long)bytes);
        context->buffer_bytes[i] = (size_t)bytes;
    }
    return NULL;
}

/* A tensor's elements must lie in its buffer: records are checked when the engine is opened, but
 * sizes are known only now. */
static tn_status resolve_tensor(tn_context *context, uint32_t index) {
    const tn_program *p = program_of(context);
    const tn_rec_tensor *record = &p->tensors[index];
    tn_tensor *tensor = &context->tensors[index];
    tensor->dtype = (tn_dtype)record->dtype;
    tensor->rank = record->rank;
    int64_t lowest = context->values[record->offset], highest = lowest;
    bool is_empty = false, fits = true;
    for (uint32_t d = 0; d < record->rank; d++) {
        int64_t size = context->values[record->dims[d]];
        int64_t stride = context->values[record->strides[d]];
        tensor->dims[d] = size;
        tensor->strides[d] = stride;
        if (size < 0)
            return tn_error_make(TN_OUT_OF_RANGE,
                                 "tensor %u: dimension %u is %lld for these input "
                                 "shapes",
                                 index, d, (long long)size);
        int64_t reach = 0;
        if (size == 0)
            is_empty = true;
        if (size > 0)
            fits = fits && tn_mul_i64(size - 1, stride, &reach);
        fits =
            fits && tn_add_i64(reach < 0 ? lowest : highest, reach, reach < 0 ? &lowest : &highest);
    }
    int64_t elems =
        (int64_t)(context->buffer_bytes[record->buffer] / tn_dtype_bytes(tensor->dtype));
    if (!is_empty && (!fits || lowest < 0 || highest >= elems))
        return tn_error_make(TN_CORRUPT,
                             "tensor %u reaches from element %lld to %lld of a buffer of "
                             "%lld",
                             index, (long long)lowest, (long long)highest, (long long)elems);
    /* A stride that no element needs may be anything; none may overflow an address. */
    for (uint32_t d = 0; d < record->rank; d++)
        if ((is_empty || tensor->dims[d] == 1) &&
            (tensor->strides[d] > elems || tensor->strides[d] < -elems))
            tensor->strides[d] = 0;
    return NULL;
}

/* What the caller gives for an input or output, or the executor for a result, is as large as its
 * shape says; the engine's record of the buffer must say the same, and that its elements, if it has
 * any, lie in row-major order. */
static bool is_whole_buffer(const tn_context *context, uint32_t index) {
    const tn_rec_tensor *record = &program_of(context)->tensors[index];
    const tn_tensor *tensor = &context->tensors[index];
    int64_t stride = 1;
    bool is_dense = context->values[record->offset] == 0;
    bool is_empty = context->buffer_bytes[record->buffer] == 0;
    for (uint32_t d = tensor->rank; d-- > 0;) {
        is_dense = is_dense && (is_empty || tensor->dims[d] <= 1 || tensor->strides[d] == stride) &&
                   tn_mul_i64(stride, tensor->dims[d], &stride);
    }
    size_t bytes = 0;
    return is_dense && tn_mul_size((size_t)stride, tn_dtype_bytes(tensor->dtype), &bytes) &&
           bytes == context->buffer_bytes[record->buffer];
}

static tn_status check_io(const tn_context *context, const char *kind, const tn_rec_io *io) {
    if (is_whole_buffer(context, io->tensor))
        return NULL;
    return tn_error_make(TN_CORRUPT, "%s %s: its record is not that of a contiguous tensor", kind,
                         tn_program_str(program_of(context), io->name).data);
}

static tn_status check_calls(const tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->call_count; i++) {
        tn_rec_range results = p->steps[p->calls[i].step].results;
        for (uint32_t r = 0; r < results.count; r++)
            if (!is_whole_buffer(context, p->indices[results.first + r]))
                return tn_error_make(TN_CORRUPT,
                                     "call %u: the record of result %u is not that of a contiguous "
                                     "tensor",
                                     i, r);
    }
    return NULL;
}

static tn_status check_ios(const tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->input_count; i++)
        TN_TRY(check_io(context, "input", &p->inputs[i]));
    for (uint32_t i = 0; i < p->output_count; i++)
        TN_TRY(check_io(context, "output", &p->outputs[i]));
    return NULL;
}

static void resolve_outputs(tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->output_count; i++) {
        const tn_tensor *tensor = &context->tensors[p->outputs[i].tensor];
        for (uint32_t d = 0; d < tensor->rank; d++) {
            context->output_dims[i][d] = tensor->dims[d];
            context->output_strides[i][d] = tensor->strides[d];
        }
    }
}

/* Memory for every output: the caller's, if its shape is right, else the context's own. */
static tn_status take_outputs(tn_context *context) {
    const tn_program *p = program_of(context);
    const tn_allocator *allocator = &context->session->engine->env->allocator;
    for (uint32_t i = 0; i < p->output_count; i++) {
        const tn_rec_tensor *record = &p->tensors[p->outputs[i].tensor];
        const tn_binding *given = &context->outputs[i];
        const char *name = tn_program_str(p, p->outputs[i].name).data;
        if (!given->data)
            TN_TRY_CTX(tn_block_reserve(allocator, &context->output_memory[i],
                                        context->buffer_bytes[record->buffer]),
                       "while allocating output %s", name);
        for (uint32_t d = 0; given->data && d < record->rank; d++)
            if (given->dims[d] != context->output_dims[i][d])
                return tn_error_make(TN_INVALID_ARGUMENT,
                                     "output %s: dimension %u of the given memory is %lld, the "
                                     "output's is %lld",
                                     name, d, (long long)given->dims[d],
                                     (long long)context->output_dims[i][d]);
    }
    return NULL;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

tn_status tn_arena_plan(const tn_allocator *allocator, const tn_program *p,
                        const size_t *buffer_bytes, size_t *out_offsets, size_t *out_arena_bytes,
                        size_t *out_live_bytes) {
    tn_plan_item *items = NULL;
    TN_TRY(tn_alloc_array(allocator, p->buffer_count, sizeof *items, &items));
    size_t count = 0; /* of items; out_offsets holds each buffer's item until all are placed */
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        const tn_rec_buffer *buffer = &p->buffers[i];
        if (buffer->kind != TN_BUFFER_ARENA)
            continue;
        size_t item = buffer->over > 0 ? out_offsets[buffer->over - 1] : count;
        if (item == count || items[item].last_step != buffer->first_step)
            items[item = count++] =
                (tn_plan_item){.bytes = buffer_bytes[i], .first_step = buffer->first_step};
        items[item].last_step = buffer->last_step;
        out_offsets[i] = item;
    }
    tn_status status = tn_memory_plan(allocator, items, count, out_arena_bytes, out_live_bytes);
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (p->buffers[i].kind == TN_BUFFER_ARENA)
            out_offsets[i] = items[out_offsets[i]].offset;
    tn_alloc_free(allocator, items, p->buffer_count * sizeof *items);
    return status;
}

static tn_status plan_arena(tn_context *context) {
    const tn_allocator *allocator = &context->session->engine->env->allocator;
    TN_TRY(tn_arena_plan(allocator, program_of(context), context->buffer_bytes,
                         context->arena_offsets, &context->arena_bytes, &context->live_bytes));
    TN_TRY_CTX(tn_block_reserve(allocator, &context->arena, context->arena_bytes),
               "while allocating the arena (%zu bytes)", context->arena_bytes);
    return NULL;
}

static tn_status reserve_scratch(tn_context *context) {
    const tn_program *p = program_of(context);
    size_t most = 0;
    for (uint32_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].kind != TN_STEP_KERNEL)
            continue;
        int64_t bytes = context->values[p->steps[i].scratch_bytes];
        if (bytes < 0)
            return tn_error_make(TN_OUT_OF_RANGE, "step %u: scratch of %lld bytes", i,
                                 (long long)bytes);
        if ((size_t)bytes > most)
            most = (size_t)bytes;
    }
    /* A page between threads, so that they share no cache line and no prefetch. */
    size_t total = 0;
    if (!tn_align_size(most, 4096, &most) || !tn_add_size(most, 4096, &most) ||
        !tn_mul_size(most, tn_cpu_pool_threads(context->session->pool), &total))
        return tn_error_make(TN_OUT_OF_RANGE, "scratch of %zu bytes per thread overflows", most);
    context->scratch_bytes_per_thread = most;
    return tn_block_reserve(&context->session->engine->env->allocator, &context->scratch, total);
}

/* ---- launch records ----------------------------------------------------------------------------
 */

/* The values of a list, one after the other from *inout_numbers on. */
static const int64_t *resolve_list(tn_context *context, tn_rec_range list,
                                   int64_t **inout_numbers) {
    const tn_program *p = program_of(context);
    const int64_t *first = *inout_numbers;
    for (uint32_t i = 0; i < list.count; i++)
        *(*inout_numbers)++ = context->values[p->indices[list.first + i]];
    return first;
}

static void resolve_arg(tn_context *context, const tn_rec_arg *record, int64_t **numbers,
                        tn_resolved_arg *out) {
    const tn_program *p = program_of(context);
    *out = (tn_resolved_arg){.kind = (tn_arg_kind)record->kind, .count = record->list.count};
    switch (out->kind) {
    case TN_ARG_VALUES:
        out->count = record->count;
        out->operand = record->operand;
        break;
    case TN_ARG_VALUE:
        out->operand = record->operand;
        break;
    case TN_ARG_INT:
        out->i = context->values[record->operand];
        break;
    case TN_ARG_INTS:
        out->ints = resolve_list(context, record->list, numbers);
        break;
    case TN_ARG_FLOAT:
        out->f = record->f;
        break;
    case TN_ARG_FLOATS:
        out->floats = p->floats + record->list.first;
        break;
    case TN_ARG_BOOL:
        out->b = record->i != 0;
        break;
    case TN_ARG_STR:
        out->s = tn_program_str(p, record->text);
        break;
    case TN_ARG_DTYPE:
        out->dtype = (tn_dtype)record->i;
        break;
    default:
        break;
    }
}

static tn_status resolve_launches(tn_context *context) {
    const tn_program *p = program_of(context);
    void **pointers = context->pointers;
    int64_t *numbers = context->numbers;
    tn_tensor *results = context->step_results;
    DLTensor *lent = context->lent;
    for (uint32_t i = 0; i < p->arg_count; i++)
        resolve_arg(context, &p->args[i], &numbers, &context->args[i]);
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        tn_launch *launch = &context->launches[i];
        *launch = (tn_launch){.buf = pointers};
        if (step->kind == TN_STEP_KERNEL) {
            launch->fn = context->session->code.functions[step->kernel];
            launch->sym = resolve_list(context, step->syms, &numbers);
            launch->task_count = context->values[step->task_count];
            pointers += step->buffers.count;
            continue;
        }
        launch->operands = (const tn_tensor **)pointers;
        launch->results = results;
        pointers += step->operands.count;
        results += step->results.count;
        if (step->kind == TN_STEP_CALL) {
            launch->sym = resolve_list(context, p->calls[step->kernel].ints, &numbers);
            launch->lent = lent;
            lent += step->operands.count + step->results.count;
            continue;
        }
        launch->args = context->args + step->args.first;
        launch->prim = tn_prim_from_name(tn_program_str(p, step->prim));
        if (launch->prim == TN_PRIM_NONE)
            return tn_error_make(TN_UNSUPPORTED,
                                 "step %u: primitive %s is not known to this version", i,
                                 tn_program_str(p, step->prim).data);
    }
    return NULL;
}

/* ---- addresses ---------------------------------------------------------------------------------
 */

void *tn_context_planned_address(const tn_context *context, uint32_t index) {
    const tn_program *p = program_of(context);
    const tn_rec_buffer *buffer = &p->buffers[index];
    switch ((tn_buffer_kind)buffer->kind) {
    case TN_BUFFER_ARENA:
        return context->arena.data + context->arena_offsets[index];
    case TN_BUFFER_INPUT:
        return context->inputs[buffer->index].data;
    case TN_BUFFER_OUTPUT:
        return context->outputs[buffer->index].data ? context->outputs[buffer->index].data
                                                    : context->output_memory[buffer->index].data;
    case TN_BUFFER_WEIGHT: /* kernels never write through it */
        return (void *)(uintptr_t)(p->weights + buffer->weight_offset);
    case TN_BUFFER_STATE:
        return context->states[buffer->index].data;
    case TN_BUFFER_ERROR:
        return &context->kernel_errors[buffer->index];
    case TN_BUFFER_KIND_COUNT:
        break;
    }
    return NULL;
}

static void fill_addresses(tn_context *context) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->buffer_count; i++)
        context->addresses[i] = tn_context_planned_address(context, i);
    for (uint32_t i = 0; i < p->tensor_count; i++) {
        tn_tensor *tensor = &context->tensors[i];
        const tn_rec_tensor *record = &p->tensors[i];
        tensor->data = (uint8_t *)context->addresses[record->buffer] +
                       context->values[record->offset] * (int64_t)tn_dtype_bytes(tensor->dtype);
    }
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        tn_launch *launch = &context->launches[i];
        if (step->kind == TN_STEP_KERNEL) {
            for (uint32_t b = 0; b < step->buffers.count; b++)
                launch->buf[b] = context->addresses[p->indices[step->buffers.first + b]];
            continue;
        }
        for (uint32_t o = 0; o < step->operands.count; o++) {
            uint32_t tensor = p->indices[step->operands.first + o];
            launch->operands[o] = tensor == TN_NO_INDEX ? NULL : &context->tensors[tensor];
        }
        for (uint32_t r = 0; r < step->results.count; r++)
            launch->results[r] = context->tensors[p->indices[step->results.first + r]];
    }
}

tn_status tn_context_resolve_shapes(tn_context *context) {
    const tn_program *p = program_of(context);
    if (context->is_running)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "the context is running: an executor must not use the context that "
                             "calls it");
    if (!context->shapes_are_stale)
        return NULL;
    TN_TRY(check_inputs_given(context));
    TN_TRY(evaluate_sizes(context));
    for (uint32_t i = 0; i < p->tensor_count; i++)
        TN_TRY(resolve_tensor(context, i));
    TN_TRY(check_ios(context));
    TN_TRY(check_calls(context));
    resolve_outputs(context);
    TN_TRY(plan_arena(context));
    TN_TRY(reserve_scratch(context));
    TN_TRY(resolve_launches(context));
    TN_TRY(tn_context_check_prims(context));
    context->shapes_are_stale = false;
    context->addresses_are_stale = true;
    return NULL;
}

tn_status tn_context_resolve(tn_context *context) {
    TN_TRY(tn_context_resolve_shapes(context));
    if (!context->addresses_are_stale)
        return NULL;
    TN_TRY(take_outputs(context));
    fill_addresses(context);
    context->addresses_are_stale = false;
    return NULL;
}
