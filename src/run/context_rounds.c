/* context_rounds.c: which sizes, tensors and steps of a program are known when: a round is the
 * number of calls that must have been made before. Models whose sizes follow from their inputs'
 * have round 0 alone. */
#include "run/context.h"

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t tensor_round(const tn_context *context, uint32_t index) {
    const tn_program *p = &context->session->engine->file.program;
    const tn_rec_tensor *tensor = &p->tensors[index];
    const uint32_t *rounds = context->value_rounds;
    uint32_t round = larger(rounds[tensor->offset], rounds[p->buffers[tensor->buffer].bytes]);
    for (uint32_t d = 0; d < tensor->rank; d++)
        round = larger(round, larger(rounds[tensor->dims[d]], rounds[tensor->strides[d]]));
    return round;
}

static uint32_t list_round(const tn_context *context, tn_rec_range list, const uint32_t *rounds) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t round = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t entry = p->indices[list.first + i];
        round = entry == TN_NO_INDEX ? round : larger(round, rounds[entry]);
    }
    return round;
}

static uint32_t buffers_round(const tn_context *context, tn_rec_range list) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t round = 0;
    for (uint32_t i = 0; i < list.count; i++)
        round = larger(round, context->value_rounds[p->buffers[p->indices[list.first + i]].bytes]);
    return round;
}

static uint32_t args_round(const tn_context *context, tn_rec_range args) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t round = 0;
    for (uint32_t i = 0; i < args.count; i++) {
        const tn_rec_arg *arg = &p->args[args.first + i];
        if (arg->kind == TN_ARG_INT)
            round = larger(round, context->value_rounds[arg->operand]);
        else if (arg->kind == TN_ARG_INTS)
            round = larger(round, list_round(context, arg->list, context->value_rounds));
    }
    return round;
}

/* What a step needs to be known before it runs; a call's results are not part of that. */
static uint32_t step_round(const tn_context *context, const tn_rec_step *step) {
    const tn_program *p = &context->session->engine->file.program;
    const uint32_t *rounds = context->value_rounds;
    if (step->kind == TN_STEP_KERNEL)
        return larger(buffers_round(context, step->buffers),
                      larger(list_round(context, step->syms, rounds),
                             larger(rounds[step->task_count], rounds[step->scratch_bytes])));
    uint32_t round = list_round(context, step->operands, context->tensor_rounds);
    if (step->kind == TN_STEP_CALL)
        return larger(round, list_round(context, p->calls[step->kernel].ints, rounds));
    return larger(round, larger(list_round(context, step->results, context->tensor_rounds),
                                args_round(context, step->args)));
}

static tn_status check_steps(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t calls = 0;
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        bool is_call = step->kind == TN_STEP_CALL;
        uint32_t round = context->step_rounds[i] = step_round(context, step);
        uint32_t results = is_call ? list_round(context, step->results, context->tensor_rounds) : 0;
        if (round > calls || results > calls + 1)
            return tn_error_make(TN_CORRUPT,
                                 "step %u: its sizes are known after %u calls, it runs after %u", i,
                                 larger(round, results), calls);
        calls += is_call;
    }
    return NULL;
}

/* Memory of the caller is held against an output's shape before anything is written to it, so its
 * bytes must not be known earlier than that; without bytes nothing is written. */
static tn_status check_output(const tn_context *context, uint32_t i) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t tensor = p->outputs[i].tensor, buffer = p->tensors[tensor].buffer;
    const tn_rec_instr *bytes = &p->instrs[p->buffers[buffer].bytes];
    bool is_empty = bytes->op == TN_SHAPE_CONST && bytes->value == 0;
    if (is_empty || tn_context_buffer_round(context, buffer) == context->tensor_rounds[tensor])
        return NULL;
    return tn_error_make(TN_CORRUPT, "output %s: its bytes are known before its shape",
                         tn_program_str(p, p->outputs[i].name).data);
}

tn_status tn_context_assign_rounds(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    tn_program_rounds(p, context->value_rounds);
    for (uint32_t i = 0; i < p->instr_count; i++)
        if (tn_instr_is_of_call(&p->instrs[i]))
            context->call_brings_sizes[p->instrs[i].a] = true;
    for (uint32_t i = 0; i < p->tensor_count; i++)
        context->tensor_rounds[i] = tensor_round(context, i);
    for (uint32_t i = 0; i < p->input_count; i++)
        if (context->tensor_rounds[p->inputs[i].tensor] > 0)
            return tn_error_make(TN_CORRUPT, "input %s: its shape depends on a call's result",
                                 tn_program_str(p, p->inputs[i].name).data);
    for (uint32_t i = 0; i < p->output_count; i++)
        TN_TRY(check_output(context, i));
    return check_steps(context);
}
