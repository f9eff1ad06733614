/* context_call.c: one call of an operator by the session's executor.
 *
 * Results may come back in memory of the executor's own. Steps that read them then get that address
 * in place of the planned one, until the last of them is over and the memory is given back. What
 * leaves the engine, what nothing keeps alive, and what lies in an operand's memory (which later
 * steps may use for something else) is copied. */
#include <string.h>

#include "run/context.h"

static const tn_program *program_of(const tn_context *context) {
    return &context->session->engine->file.program;
}

/* ---- what came back ----------------------------------------------------------------------------
 */

/* NULL if nothing is wrong with it. */
static const char *fault_of(const DLTensor *seen, const tn_tensor *wanted) {
    if (seen->device.device_type != kDLCPU)
        return "not in host memory";
    if (tn_dtype_from_dlpack(seen->dtype) != wanted->dtype)
        return "of another dtype";
    if (seen->ndim != (int32_t)wanted->rank || (wanted->rank > 0 && !seen->shape))
        return "of another rank";
    bool is_empty = false;
    for (uint32_t d = 0; d < wanted->rank; d++) {
        if (seen->shape[d] != wanted->dims[d])
            return "of another shape";
        is_empty = is_empty || wanted->dims[d] == 0;
    }
    if (!tn_dlpack_is_contiguous(seen))
        return "not row-major contiguous";
    if (!is_empty && !seen->data)
        return "without memory (NULL)";
    if (((uintptr_t)seen->data + seen->byte_offset) % tn_dtype_bytes(wanted->dtype) != 0)
        return "not aligned to its elements";
    return NULL;
}

/* A size that is not given is "?". */
static void print_type(tn_buf *buf, tn_dtype dtype, int64_t rank, const int64_t *dims) {
    tn_buf_printf(buf, "%s[", tn_dtype_name(dtype));
    for (int64_t d = 0; dims && d < rank && d < TN_MAX_RANK; d++) {
        tn_buf_printf(buf, "%s", d ? ", " : "");
        if (dims[d] < 0)
            tn_buf_printf(buf, "?");
        else
            tn_buf_printf(buf, "%lld", (long long)dims[d]);
    }
    tn_buf_printf(buf, "]");
}

static tn_status wrong_result(const tn_context *context, uint32_t result, const DLTensor *seen,
                              const tn_tensor *wanted, const char *fault) {
    tn_buf text;
    tn_buf_init(&text, context->session->engine->env->allocator);
    print_type(&text, tn_dtype_from_dlpack(seen->dtype), seen->ndim, seen->shape);
    tn_buf_printf(&text, ", %s; wanted ", fault);
    print_type(&text, wanted->dtype, wanted->rank, wanted->dims);
    tn_status status = tn_error_make(TN_INVALID_ARGUMENT, "the executor's result %u is %s", result,
                                     tn_buf_cstr(&text));
    tn_buf_deinit(&text);
    return status;
}

static tn_status check_result(const tn_context *context, uint32_t result, const DLTensor *seen,
                              const tn_tensor *wanted) {
    const char *fault = fault_of(seen, wanted);
    return fault ? wrong_result(context, result, seen, wanted, fault) : NULL;
}

/* ---- where it lies -----------------------------------------------------------------------------
 */

static bool lies_in_operand(const tn_context *context, const tn_rec_step *step, const uint8_t *data,
                            size_t bytes) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < step->operands.count; i++) {
        uint32_t buffer = p->tensors[p->indices[step->operands.first + i]].buffer;
        const uint8_t *start = context->addresses[buffer];
        if (data < start + context->buffer_bytes[buffer] && start < data + bytes)
            return true;
    }
    return false;
}

/* Every later step that touches the buffer finds it there. */
static void move_buffer(tn_context *context, uint32_t step, uint32_t buffer, uint8_t *data) {
    const tn_program *p = program_of(context);
    context->addresses[buffer] = data;
    for (uint32_t i = step + 1; i <= p->buffers[buffer].last_step; i++) {
        const tn_rec_step *reader = &p->steps[i];
        for (uint32_t b = 0; reader->kind == TN_STEP_KERNEL && b < reader->buffers.count; b++)
            if (p->indices[reader->buffers.first + b] == buffer)
                context->launches[i].buf[b] = data;
        for (uint32_t o = 0; reader->kind != TN_STEP_KERNEL && o < reader->operands.count; o++) {
            uint32_t tensor = p->indices[reader->operands.first + o];
            if (tensor == TN_NO_INDEX || p->tensors[tensor].buffer != buffer)
                continue;
            tn_tensor *moved = &context->tensors[tensor];
            moved->data = data + context->values[p->tensors[tensor].offset] *
                                     (int64_t)tn_dtype_bytes(moved->dtype);
        }
    }
}

/* Makes a result readable for the steps that follow; *inout_last_step becomes the last one that
 * reads the executor's memory. */
static tn_status take_result(tn_context *context, const tn_call *call, const tn_rec_step *step,
                             uint32_t result, uint32_t *inout_last_step) {
    const tn_program *p = program_of(context);
    uint32_t number = p->calls[call->index].step;
    uint32_t tensor = p->indices[step->results.first + result];
    uint32_t buffer = p->tensors[tensor].buffer;
    const DLTensor *seen = &call->results[result];
    TN_TRY(check_result(context, result, seen, &context->tensors[tensor]));
    size_t bytes = context->buffer_bytes[buffer];
    uint8_t *planned = tn_context_planned_address(context, buffer);
    uint8_t *data = (uint8_t *)seen->data + seen->byte_offset;
    if (bytes == 0)
        return NULL;
    bool is_moved = data != planned && call->held && p->buffers[buffer].kind == TN_BUFFER_ARENA &&
                    !lies_in_operand(context, step, data, bytes);
    if (!is_moved && data != planned)
        memmove(planned, data, bytes);
    move_buffer(context, number, buffer, is_moved ? data : planned);
    if (is_moved && p->buffers[buffer].last_step > *inout_last_step)
        *inout_last_step = p->buffers[buffer].last_step;
    return NULL;
}

/* ---- calling -----------------------------------------------------------------------------------
 */

static DLTensor lend(const tn_tensor *tensor, void *data) {
    /* DLPack has no const; the executor only reads sizes. */
    return (DLTensor){.data = data,
                      .device = {kDLCPU, 0},
                      .ndim = (int32_t)tensor->rank,
                      .dtype = tn_dtype_to_dlpack(tensor->dtype),
                      .shape = (int64_t *)(uintptr_t)tensor->dims,
                      .strides = (int64_t *)(uintptr_t)tensor->strides};
}

/* A result whose size only the call tells: what is known of its shape, -1 for the rest, and no
 * memory. */
static DLTensor lend_unknown(const tn_context *context, uint32_t index, const tn_rec_tensor *record,
                             tn_tensor *result) {
    *result = (tn_tensor){.dtype = (tn_dtype)record->dtype, .rank = record->rank};
    for (uint32_t d = 0; d < record->rank; d++)
        result->dims[d] =
            context->value_rounds[record->dims[d]] > index ? -1 : context->values[record->dims[d]];
    DLTensor lent = lend(result, NULL);
    lent.strides = NULL;
    return lent;
}

static void lend_all(const tn_context *context, uint32_t index, const tn_rec_step *step,
                     const tn_launch *launch) {
    const tn_program *p = program_of(context);
    for (uint32_t o = 0; o < step->operands.count; o++)
        launch->lent[o] = lend(launch->operands[o], launch->operands[o]->data);
    for (uint32_t r = 0; r < step->results.count; r++) {
        uint32_t tensor = p->indices[step->results.first + r];
        const tn_rec_tensor *record = &p->tensors[tensor];
        DLTensor *lent = &launch->lent[step->operands.count + r];
        if (context->tensor_rounds[tensor] > index) {
            *lent = lend_unknown(context, index, record, &launch->results[r]);
            continue;
        }
        launch->results[r] = context->tensors[tensor]; /* a copy, so that theirs stays ours */
        *lent = lend(&launch->results[r], tn_context_planned_address(context, record->buffer));
    }
}

/* The value of an instruction that a call gives. */
static tn_status read_size(const tn_context *context, const tn_call *call,
                           const tn_rec_instr *instr, int64_t *out_value) {
    const tn_launch *launch = &context->launches[program_of(context)->calls[call->index].step];
    const DLTensor *seen = &call->results[instr->b];
    const tn_tensor *wanted = &launch->results[instr->b];
    *out_value = 0;
    if (instr->op == TN_SHAPE_ITEM) {
        TN_TRY(check_result(context, instr->b, seen, wanted));
        memcpy(out_value, (const uint8_t *)seen->data + seen->byte_offset, sizeof *out_value);
        return NULL;
    }
    if (seen->ndim <= (int32_t)instr->c || !seen->shape || seen->shape[instr->c] < 0)
        return wrong_result(context, instr->b, seen, wanted, "of a shape that is not given");
    *out_value = seen->shape[instr->c];
    return NULL;
}

/* The sizes that a call has brought, and what follows from them. */
static tn_status take_sizes(tn_context *context, const tn_call *call) {
    const tn_program *p = program_of(context);
    uint32_t round = (uint32_t)call->index + 1;
    bool is_new = !context->round_is_known[round];
    for (uint32_t i = 0; i < p->instr_count; i++) {
        const tn_rec_instr *instr = &p->instrs[i];
        int64_t value = 0;
        if (!tn_instr_is_of_call(instr) || instr->a != call->index)
            continue;
        TN_TRY(read_size(context, call, instr, &value));
        is_new = is_new || context->values[i] != value;
        context->values[i] = value;
    }
    return is_new ? tn_context_resolve_round(context, round) : NULL;
}

static tn_status serve(tn_context *context, tn_call *call) {
    const tn_executor *executor = &context->session->executor;
    const tn_program *p = program_of(context);
    const tn_rec_step *step = &p->steps[p->calls[call->index].step];
    tn_status status = executor->run(executor->user, call);
    uint32_t last_step = 0;
    if (!status && context->call_brings_sizes[call->index])
        status = take_sizes(context, call);
    for (uint32_t r = 0; r < step->results.count && !status; r++)
        status = take_result(context, call, step, r, &last_step);
    if (call->held)
        context->held[context->held_count++] = (tn_held){call->held, last_step};
    return status;
}

tn_status tn_context_call(tn_context *context, uint32_t index) {
    const tn_program *p = program_of(context);
    const tn_rec_call *record = &p->calls[index];
    const tn_rec_step *step = &p->steps[record->step];
    const tn_launch *launch = &context->launches[record->step];
    lend_all(context, index, step, launch);
    context->call = (tn_call){.size = sizeof context->call,
                              .index = index,
                              .operand_count = step->operands.count,
                              .result_count = step->results.count,
                              .int_count = record->ints.count,
                              .operands = launch->lent,
                              .ints = launch->sym,
                              .results = launch->lent + step->operands.count};
    tn_status status = serve(context, &context->call);
    if (!status || step->sources.count == 0)
        return status;
    const tn_rec_source *source = &p->sources[step->sources.first];
    if (source->source.len > 0)
        status =
            tn_status_annotate(status, "while reading %s", tn_program_str(p, source->source).data);
    return tn_status_annotate(status, "while running node %s (%s)",
                              tn_program_str(p, source->node).data,
                              tn_program_str(p, record->op).data);
}

void tn_context_release_held(tn_context *context, uint32_t next_step) {
    const tn_executor *executor = &context->session->executor;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < context->held_count; i++) {
        if (context->held[i].last_step >= next_step)
            context->held[kept++] = context->held[i];
        else if (executor->release)
            executor->release(executor->user, context->held[i].handle);
    }
    context->held_count = kept;
}
