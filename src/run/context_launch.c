/* context_launch.c: one launch record per step: functions, sizes and lists when sizes have changed,
 * pointers when addresses have. */
#include "run/context.h"

static const tn_program *program_of(const tn_context *context) {
    return &context->session->engine->file.program;
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

tn_status tn_context_fill_launches(tn_context *context) {
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
        return context->arenas[tn_context_buffer_round(context, index)].data +
               context->arena_offsets[index];
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

/* Whether what is of `round` is filled now: everything known, or one round. */
static bool is_filled(const tn_context *context, uint32_t round, uint32_t wanted) {
    return wanted == TN_ROUNDS_KNOWN ? context->round_is_known[round] : round == wanted;
}

static void fill_step(tn_context *context, uint32_t index, uint32_t wanted) {
    const tn_program *p = program_of(context);
    const tn_rec_step *step = &p->steps[index];
    tn_launch *launch = &context->launches[index];
    if (step->kind == TN_STEP_KERNEL) {
        for (uint32_t b = 0; b < step->buffers.count; b++) {
            uint32_t buffer = p->indices[step->buffers.first + b];
            if (is_filled(context, tn_context_buffer_round(context, buffer), wanted))
                launch->buf[b] = context->addresses[buffer];
        }
        return;
    }
    for (uint32_t o = 0; o < step->operands.count; o++) {
        uint32_t tensor = p->indices[step->operands.first + o];
        launch->operands[o] = tensor == TN_NO_INDEX ? NULL : &context->tensors[tensor];
    }
    /* Those of calls are filled when they are made: the executor may have written to them. */
    for (uint32_t r = 0; step->kind == TN_STEP_PRIM && r < step->results.count; r++) {
        uint32_t tensor = p->indices[step->results.first + r];
        if (is_filled(context, context->tensor_rounds[tensor], wanted))
            launch->results[r] = context->tensors[tensor];
    }
}

void tn_context_fill_addresses(tn_context *context, uint32_t wanted) {
    const tn_program *p = program_of(context);
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (is_filled(context, tn_context_buffer_round(context, i), wanted))
            context->addresses[i] = tn_context_planned_address(context, i);
    for (uint32_t i = 0; i < p->tensor_count; i++) {
        tn_tensor *tensor = &context->tensors[i];
        const tn_rec_tensor *record = &p->tensors[i];
        if (is_filled(context, context->tensor_rounds[i], wanted))
            tensor->data = (uint8_t *)context->addresses[record->buffer] +
                           context->values[record->offset] * (int64_t)tn_dtype_bytes(tensor->dtype);
    }
    for (uint32_t i = 0; i < p->step_count; i++)
        fill_step(context, i, wanted);
}
