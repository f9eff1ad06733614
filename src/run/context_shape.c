/* context_shape.c: from input shapes, and those of calls' results, to sizes and memory. Runs when a
 * shape has changed; a failure leaves the context stale, so that the next run tries again. Each
 * function here takes care of what is of one round (context_rounds.c). */
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

/* "input x: dimension 0", or "result 1 of mylib::op: dimension 0": what binds a symbol. */
static void print_binding(tn_buf *buf, const tn_program *p, const tn_rec_instr *instr) {
    if (instr->op == TN_SHAPE_INPUT)
        tn_buf_printf(buf, "input %s: dimension %u",
                      tn_program_str(p, p->inputs[instr->a].name).data, instr->b);
    else if (instr->op == TN_SHAPE_RESULT)
        tn_buf_printf(buf, "result %u of %s: dimension %u", instr->b,
                      tn_program_str(p, p->calls[instr->a].op).data, instr->c);
    else if (instr->op == TN_SHAPE_ITEM)
        tn_buf_printf(buf, "the number that %s gives",
                      tn_program_str(p, p->calls[instr->a].op).data);
    else
        tn_buf_printf(buf, "size");
}

static tn_status check_symbol_range(const tn_context *context, const tn_rec_symbol *symbol) {
    const tn_program *p = program_of(context);
    int64_t value = context->values[symbol->value];
    if (value >= symbol->min && value <= symbol->max)
        return NULL;
    tn_buf what;
    tn_buf_init(&what, context->session->engine->env->allocator);
    print_binding(&what, p, &p->instrs[symbol->value]);
    tn_buf_printf(&what, " (%s) is %lld, expected ", tn_program_str(p, symbol->name).data,
                  (long long)value);
    if (symbol->max == INT64_MAX)
        tn_buf_printf(&what, "at least %lld", (long long)symbol->min);
    else
        tn_buf_printf(&what, "%lld to %lld", (long long)symbol->min, (long long)symbol->max);
    tn_status status = tn_error_make(TN_OUT_OF_RANGE, "%s", tn_buf_cstr(&what));
    tn_buf_deinit(&what);
    return status;
}

static tn_status check_symbol_ranges(const tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->symbol_count; i++)
        if (context->value_rounds[p->symbols[i].value] == round)
            TN_TRY(check_symbol_range(context, &p->symbols[i]));
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

static tn_status evaluate_sizes(tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; round == 0 && i < p->input_count; i++)
        memcpy(context->input_dims[i], context->inputs[i].dims, sizeof context->input_dims[i]);
    TN_TRY(tn_program_eval(p, (const int64_t(*)[TN_MAX_RANK])context->input_dims,
                           context->value_rounds, round, context->values));
    TN_TRY(check_symbol_ranges(context, round));
    if (round == 0)
        TN_TRY(check_input_dims(context));
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        if (tn_context_buffer_round(context, i) != round)
            continue;
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

static tn_status check_io(const tn_context *context, uint32_t round, const char *kind,
                          const tn_rec_io *io) {
    if (context->tensor_rounds[io->tensor] != round || is_whole_buffer(context, io->tensor))
        return NULL;
    return tn_error_make(TN_CORRUPT, "%s %s: its record is not that of a contiguous tensor", kind,
                         tn_program_str(program_of(context), io->name).data);
}

static tn_status check_calls(const tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->call_count; i++) {
        tn_rec_range results = p->steps[p->calls[i].step].results;
        for (uint32_t r = 0; r < results.count; r++) {
            uint32_t tensor = p->indices[results.first + r];
            if (context->tensor_rounds[tensor] == round && !is_whole_buffer(context, tensor))
                return tn_error_make(TN_CORRUPT,
                                     "call %u: the record of result %u is not that of a contiguous "
                                     "tensor",
                                     i, r);
        }
    }
    return NULL;
}

static tn_status check_ios(const tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->input_count; i++)
        TN_TRY(check_io(context, round, "input", &p->inputs[i]));
    for (uint32_t i = 0; i < p->output_count; i++)
        TN_TRY(check_io(context, round, "output", &p->outputs[i]));
    return NULL;
}

/* Sizes that a later round brings are -1. */
static void resolve_outputs(tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->output_count; i++) {
        const tn_rec_tensor *record = &p->tensors[p->outputs[i].tensor];
        const tn_tensor *tensor = &context->tensors[p->outputs[i].tensor];
        bool is_known = context->tensor_rounds[p->outputs[i].tensor] <= round;
        for (uint32_t d = 0; d < record->rank; d++) {
            bool has_size = context->value_rounds[record->dims[d]] <= round;
            context->output_dims[i][d] = has_size ? context->values[record->dims[d]] : -1;
            context->output_strides[i][d] = is_known ? tensor->strides[d] : 0;
        }
    }
}

/* The caller's memory for an output must have the output's shape. */
static tn_status check_given(const tn_context *context, uint32_t i) {
    const tn_program *p = program_of(context);
    const tn_rec_tensor *record = &p->tensors[p->outputs[i].tensor];
    for (uint32_t d = 0; d < record->rank; d++)
        if (context->outputs[i].dims[d] != context->output_dims[i][d])
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "output %s: dimension %u of the given memory is %lld, the "
                                 "output's is %lld",
                                 tn_program_str(p, p->outputs[i].name).data, d,
                                 (long long)context->outputs[i].dims[d],
                                 (long long)context->output_dims[i][d]);
    return NULL;
}

/* Memory for every output whose size is known: the caller's, if its shape is right, else the
 * context's own. */
static tn_status take_outputs(tn_context *context) {
    const tn_program *p = program_of(context);
    const tn_allocator *allocator = &context->session->engine->env->allocator;
    for (uint32_t i = 0; i < p->output_count; i++) {
        uint32_t tensor = p->outputs[i].tensor, buffer = p->tensors[tensor].buffer;
        if (context->outputs[i].data && context->round_is_known[context->tensor_rounds[tensor]])
            TN_TRY(check_given(context, i));
        if (!context->outputs[i].data &&
            context->round_is_known[tn_context_buffer_round(context, buffer)])
            TN_TRY_CTX(tn_block_reserve(allocator, &context->output_memory[i],
                                        context->buffer_bytes[buffer]),
                       "while allocating output %s", tn_program_str(p, p->outputs[i].name).data);
    }
    return NULL;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static bool is_planned(const tn_rec_buffer *buffer, const uint32_t *rounds, uint32_t round) {
    return buffer->kind == TN_BUFFER_ARENA && (!rounds || rounds[buffer->bytes] == round);
}

tn_status tn_arena_plan(const tn_allocator *allocator, const tn_program *p,
                        const size_t *buffer_bytes, const uint32_t *rounds, uint32_t round,
                        size_t *out_offsets, size_t *out_arena_bytes, size_t *out_live_bytes) {
    tn_plan_item *items = NULL;
    TN_TRY(tn_alloc_array(allocator, p->buffer_count, sizeof *items, &items));
    size_t count = 0; /* of items; out_offsets holds each buffer's item until all are placed */
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        const tn_rec_buffer *buffer = &p->buffers[i];
        if (!is_planned(buffer, rounds, round))
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
        if (is_planned(&p->buffers[i], rounds, round))
            out_offsets[i] = items[out_offsets[i]].offset;
    tn_alloc_free(allocator, items, p->buffer_count * sizeof *items);
    return status;
}

/* What is of one round has an arena of its own, planned when its sizes are known. */
static tn_status plan_arena(tn_context *context, uint32_t round) {
    const tn_allocator *allocator = &context->session->engine->env->allocator;
    size_t bytes = 0, live_bytes = 0;
    TN_TRY(tn_arena_plan(allocator, program_of(context), context->buffer_bytes,
                         context->value_rounds, round, context->arena_offsets, &bytes,
                         &live_bytes));
    if (round == 0) {
        context->arena_bytes = bytes;
        context->live_bytes = live_bytes;
    }
    TN_TRY_CTX(tn_block_reserve(allocator, &context->arenas[round], bytes),
               "while allocating the arena (%zu bytes)", bytes);
    return NULL;
}

static tn_status reserve_scratch(tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    size_t most = 0;
    for (uint32_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].kind != TN_STEP_KERNEL ||
            context->value_rounds[p->steps[i].scratch_bytes] > round)
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

/* ---- all together ------------------------------------------------------------------------------
 */

static tn_status resolve_round(tn_context *context, uint32_t round) {
    const tn_program *p = program_of(context);
    for (uint32_t r = round; r <= p->call_count; r++) /* later ones may follow from this one */
        context->round_is_known[r] = false;
    TN_TRY(evaluate_sizes(context, round));
    for (uint32_t i = 0; i < p->tensor_count; i++)
        if (context->tensor_rounds[i] == round)
            TN_TRY(resolve_tensor(context, i));
    TN_TRY(check_ios(context, round));
    TN_TRY(check_calls(context, round));
    resolve_outputs(context, round);
    TN_TRY(plan_arena(context, round));
    TN_TRY(reserve_scratch(context, round));
    TN_TRY(tn_context_fill_launches(context));
    TN_TRY(tn_context_check_prims(context, round));
    context->round_is_known[round] = true;
    return NULL;
}

tn_status tn_context_resolve_shapes(tn_context *context) {
    if (context->is_running)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "the context is running: an executor must not use the context that "
                             "calls it");
    if (!context->shapes_are_stale)
        return NULL;
    TN_TRY(check_inputs_given(context));
    TN_TRY(resolve_round(context, 0));
    context->shapes_are_stale = false;
    context->addresses_are_stale = true;
    return NULL;
}

tn_status tn_context_resolve(tn_context *context) {
    TN_TRY(tn_context_resolve_shapes(context));
    if (!context->addresses_are_stale)
        return NULL;
    TN_TRY(take_outputs(context));
    tn_context_fill_addresses(context, TN_ROUNDS_KNOWN);
    context->addresses_are_stale = false;
    return NULL;
}

tn_status tn_context_resolve_round(tn_context *context, uint32_t round) {
    TN_TRY(resolve_round(context, round));
    TN_TRY(take_outputs(context));
    tn_context_fill_addresses(context, round);
    return NULL;
}
