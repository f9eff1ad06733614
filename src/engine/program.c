/* program.c: checking a program's records once.
 *
 * Everything that the runtime later uses as an index, a range or a kind is checked here against the
 * size of the array it points into, so no other code needs to. */
#include "engine/program.h"

#include "base/checked.h"
#include "ir/graph.h"

/* ---- verification ---------------------------------------------------------------------------- */

typedef struct checker {
    const tn_program *program;
    const char *record; /* "step" */
    uint32_t index;     /* of the record */
} checker;

static tn_status below(const checker *c, const char *field, uint64_t seen, uint64_t limit) {
    if (seen < limit)
        return NULL;
    return tn_error_make(TN_CORRUPT, "%s %u: %s is %llu, expected less than %llu", c->record,
                         c->index, field, (unsigned long long)seen, (unsigned long long)limit);
}

static tn_status range_in(const checker *c, const char *field, tn_rec_range range, uint64_t limit) {
    if ((uint64_t)range.first + range.count <= limit)
        return NULL;
    return tn_error_make(TN_CORRUPT, "%s %u: %s is [%u, +%u), expected to end by %llu", c->record,
                         c->index, field, range.first, range.count, (unsigned long long)limit);
}

static tn_status text_in(const checker *c, const char *field, tn_rec_str text) {
    const tn_program *p = c->program;
    if ((uint64_t)text.offset + text.len < p->string_bytes &&
        p->strings[text.offset + text.len] == 0)
        return NULL;
    return tn_error_make(TN_CORRUPT,
                         "%s %u: %s at [%u, +%u) is no zero-terminated text within %llu "
                         "bytes",
                         c->record, c->index, field, text.offset, text.len,
                         (unsigned long long)p->string_bytes);
}

static tn_status value_in(const checker *c, const char *field, uint32_t value) {
    return below(c, field, value, c->program->instr_count);
}

/* Every entry of an index list range lies below limit; TN_NO_INDEX passes if allowed. */
static tn_status list_in(const checker *c, const char *field, tn_rec_range range, uint64_t limit,
                         bool may_be_none) {
    TN_TRY(range_in(c, field, range, c->program->index_count));
    for (uint32_t i = 0; i < range.count; i++) {
        uint32_t entry = c->program->indices[range.first + i];
        if (!(may_be_none && entry == TN_NO_INDEX))
            TN_TRY(below(c, field, entry, limit));
    }
    return NULL;
}

static tn_status verify_instr(const checker *c, const tn_rec_instr *instr) {
    TN_TRY(below(c, "operation", instr->op, TN_SHAPE_ITEM + 1));
    if (instr->op == TN_SHAPE_CONST || tn_instr_is_of_call(instr)) /* checked with the calls */
        return NULL;
    if (instr->op == TN_SHAPE_INPUT) {
        TN_TRY(below(c, "input", instr->a, c->program->input_count));
        return below(c, "dimension", instr->b, TN_MAX_RANK);
    }
    TN_TRY(below(c, "first operand", instr->a, c->index));
    TN_TRY(below(c, "second operand", instr->b, c->index));
    return instr->op == TN_SHAPE_SELECT ? below(c, "third operand", instr->c, c->index) : NULL;
}

static tn_status verify_over(const checker *c, const tn_rec_buffer *buffer) {
    if (buffer->over == 0)
        return NULL;
    TN_TRY(below(c, "operand", buffer->over - 1, c->index));
    const tn_rec_buffer *operand = &c->program->buffers[buffer->over - 1];
    if (operand->kind == TN_BUFFER_ARENA && operand->bytes == buffer->bytes &&
        operand->last_step == buffer->first_step)
        return NULL;
    return tn_error_make(TN_CORRUPT,
                         "buffer %u: lies over buffer %u, which is none of the arena with the same "
                         "size that ends in step %u",
                         c->index, buffer->over - 1, buffer->first_step);
}

static tn_status verify_buffer(const checker *c, const tn_rec_buffer *buffer) {
    const tn_program *p = c->program;
    TN_TRY(below(c, "kind", buffer->kind, TN_BUFFER_KIND_COUNT));
    TN_TRY(value_in(c, "bytes", buffer->bytes));
    switch ((tn_buffer_kind)buffer->kind) {
    case TN_BUFFER_ARENA:
        TN_TRY(below(c, "last step", buffer->last_step, p->step_count));
        TN_TRY(below(c, "first step", buffer->first_step, (uint64_t)buffer->last_step + 1));
        return verify_over(c, buffer);
    case TN_BUFFER_INPUT:
        return below(c, "input", buffer->index, p->input_count);
    case TN_BUFFER_OUTPUT:
        return below(c, "output", buffer->index, p->output_count);
    case TN_BUFFER_STATE:
        return below(c, "state", buffer->index, p->state_count);
    case TN_BUFFER_ERROR:
        return below(c, "step", buffer->index, p->step_count);
    case TN_BUFFER_WEIGHT:
    case TN_BUFFER_KIND_COUNT:
        break;
    }
    const tn_rec_instr *bytes = &p->instrs[buffer->bytes];
    if (bytes->op != TN_SHAPE_CONST || bytes->value < 0)
        return tn_error_make(TN_CORRUPT, "buffer %u: a weight's size must be a constant", c->index);
    if (buffer->weight_offset % 64 != 0 || buffer->weight_offset > p->weight_bytes ||
        (uint64_t)bytes->value > p->weight_bytes - buffer->weight_offset)
        return tn_error_make(TN_CORRUPT,
                             "buffer %u: weight at [%llu, +%lld), expected a multiple of 64 and an "
                             "end by %llu",
                             c->index, (unsigned long long)buffer->weight_offset,
                             (long long)bytes->value, (unsigned long long)p->weight_bytes);
    return NULL;
}

static tn_status verify_tensor(const checker *c, const tn_rec_tensor *tensor) {
    TN_TRY(below(c, "buffer", tensor->buffer, c->program->buffer_count));
    TN_TRY(below(c, "rank", tensor->rank, TN_MAX_RANK + 1));
    TN_TRY(value_in(c, "offset", tensor->offset));
    if (tn_dtype_bytes((tn_dtype)tensor->dtype) == 0)
        return tn_error_make(TN_CORRUPT, "tensor %u: %u is no dtype", c->index, tensor->dtype);
    for (uint32_t d = 0; d < tensor->rank; d++) {
        TN_TRY(value_in(c, "size", tensor->dims[d]));
        TN_TRY(value_in(c, "stride", tensor->strides[d]));
    }
    return NULL;
}

static tn_status verify_io(const checker *c, const tn_rec_io *io, tn_buffer_kind kind) {
    const tn_program *p = c->program;
    TN_TRY(text_in(c, "name", io->name));
    TN_TRY(below(c, "tensor", io->tensor, p->tensor_count));
    const tn_rec_buffer *buffer = &p->buffers[p->tensors[io->tensor].buffer];
    if (buffer->kind != (uint32_t)kind || buffer->index != c->index)
        return tn_error_make(TN_CORRUPT, "%s %u: its tensor lies in a buffer of another kind",
                             c->record, c->index);
    if (kind == TN_BUFFER_OUTPUT && io->mutates_input != TN_NO_INDEX)
        return below(c, "mutated input", io->mutates_input, p->input_count);
    return NULL;
}

static tn_status verify_state(const checker *c, const tn_rec_state *state) {
    const tn_program *p = c->program;
    TN_TRY(text_in(c, "name", state->name));
    TN_TRY(below(c, "tensor", state->tensor, p->tensor_count));
    const tn_rec_buffer *buffer = &p->buffers[p->tensors[state->tensor].buffer];
    if (buffer->kind != TN_BUFFER_STATE || buffer->index != c->index)
        return tn_error_make(TN_CORRUPT, "state %u: its tensor is not on its buffer", c->index);
    if (p->instrs[buffer->bytes].op != TN_SHAPE_CONST || p->instrs[buffer->bytes].value < 0)
        return tn_error_make(TN_CORRUPT, "state %u: its size must be a constant", c->index);
    if (state->initial_buffer == TN_NO_INDEX)
        return NULL;
    TN_TRY(below(c, "initial buffer", state->initial_buffer, p->buffer_count));
    const tn_rec_buffer *initial = &p->buffers[state->initial_buffer];
    if (initial->kind != TN_BUFFER_WEIGHT || initial->bytes >= p->instr_count ||
        p->instrs[initial->bytes].value != p->instrs[buffer->bytes].value)
        return tn_error_make(TN_CORRUPT, "state %u: its first content is no weight of its size",
                             c->index);
    return NULL;
}

static tn_status verify_arg(const checker *c, const tn_rec_arg *arg) {
    const tn_program *p = c->program;
    switch ((tn_arg_kind)arg->kind) {
    case TN_ARG_INT:
        return value_in(c, "value", arg->operand);
    case TN_ARG_INTS:
        return list_in(c, "list", arg->list, p->instr_count, false);
    case TN_ARG_FLOATS:
        return range_in(c, "list", arg->list, p->float_count);
    case TN_ARG_STR:
        return text_in(c, "text", arg->text);
    case TN_ARG_NONE:
    case TN_ARG_VALUE: /* operands are checked with their step */
    case TN_ARG_VALUES:
    case TN_ARG_FLOAT:
    case TN_ARG_BOOL:
        return NULL;
    case TN_ARG_DTYPE:
        if (arg->i > 0 && arg->i <= UINT32_MAX && tn_dtype_bytes((tn_dtype)arg->i) > 0)
            return NULL;
        return tn_error_make(TN_CORRUPT, "argument %u: %lld is no dtype", c->index,
                             (long long)arg->i);
    case TN_ARG_BOOLS:
    case TN_ARG_STRS:
    case TN_ARG_GRAPH:
        break;
    }
    return tn_error_make(TN_CORRUPT, "argument %u: %u is no kind of argument", c->index, arg->kind);
}

/* What the interpreter may touch: it reads anything but the records of kernels' errors, and writes
 * neither what is mapped from the file nor what the caller lends for reading. */
static tn_status verify_access(const checker *c, tn_rec_range tensors, bool is_written) {
    const tn_program *p = c->program;
    for (uint32_t i = 0; i < tensors.count; i++) {
        uint32_t tensor = p->indices[tensors.first + i];
        if (tensor == TN_NO_INDEX)
            continue;
        uint32_t kind = p->buffers[p->tensors[tensor].buffer].kind;
        if (kind == TN_BUFFER_ERROR ||
            (is_written && (kind == TN_BUFFER_WEIGHT || kind == TN_BUFFER_INPUT)))
            return tn_error_make(TN_CORRUPT, "step %u: %s tensor %u of a buffer of kind %u",
                                 c->index, is_written ? "writes" : "reads", tensor, kind);
    }
    return NULL;
}

static tn_status verify_prim_step(const checker *c, const tn_rec_step *step) {
    const tn_program *p = c->program;
    TN_TRY(text_in(c, "primitive", step->prim));
    TN_TRY(list_in(c, "operands", step->operands, p->tensor_count, true));
    TN_TRY(list_in(c, "results", step->results, p->tensor_count, false));
    TN_TRY(verify_access(c, step->operands, false));
    TN_TRY(verify_access(c, step->results, true));
    TN_TRY(range_in(c, "arguments", step->args, p->arg_count));
    for (uint32_t i = 0; i < step->args.count; i++) {
        const tn_rec_arg *arg = &p->args[step->args.first + i];
        if (arg->kind == TN_ARG_VALUE)
            TN_TRY(below(c, "operand", arg->operand, step->operands.count));
        else if (arg->kind == TN_ARG_VALUES)
            TN_TRY(range_in(c, "operands", (tn_rec_range){arg->operand, arg->count},
                            step->operands.count));
    }
    return NULL;
}

static tn_status verify_call_step(const checker *c, const tn_rec_step *step) {
    const tn_program *p = c->program;
    TN_TRY(below(c, "call", step->kernel, p->call_count));
    if (p->calls[step->kernel].step != c->index)
        return tn_error_make(TN_CORRUPT, "step %u: its call %u is of step %u", c->index,
                             step->kernel, p->calls[step->kernel].step);
    TN_TRY(list_in(c, "operands", step->operands, p->tensor_count, false));
    TN_TRY(list_in(c, "results", step->results, p->tensor_count, false));
    TN_TRY(verify_access(c, step->operands, false));
    return verify_access(c, step->results, true);
}

static tn_status verify_result_size(const checker *c, const tn_rec_instr *instr) {
    const tn_program *p = c->program;
    if (!tn_instr_is_of_call(instr))
        return NULL;
    TN_TRY(below(c, "call", instr->a, p->call_count));
    tn_rec_range results = p->steps[p->calls[instr->a].step].results;
    TN_TRY(below(c, "result", instr->b, results.count));
    const tn_rec_tensor *result = &p->tensors[p->indices[results.first + instr->b]];
    if (instr->op == TN_SHAPE_RESULT)
        return below(c, "dimension", instr->c, result->rank);
    if (result->rank == 0 && result->dtype == TN_I64)
        return NULL;
    return tn_error_make(TN_CORRUPT, "shape instruction %u: result %u of call %u is no i64[]",
                         c->index, instr->b, instr->a);
}

static tn_status verify_call(const checker *c, const tn_rec_call *call) {
    const tn_program *p = c->program;
    TN_TRY(text_in(c, "operator", call->op));
    TN_TRY(text_in(c, "arguments", call->arguments));
    TN_TRY(list_in(c, "integers", call->ints, p->instr_count, false));
    TN_TRY(below(c, "step", call->step, p->step_count));
    const tn_rec_step *step = &p->steps[call->step];
    if (step->kind != TN_STEP_CALL || step->kernel != c->index)
        return tn_error_make(TN_CORRUPT, "call %u: step %u is not its step", c->index, call->step);
    if (c->index > 0 && p->calls[c->index - 1].step >= call->step)
        return tn_error_make(TN_CORRUPT,
                             "call %u: step %u does not come after that of the call "
                             "before it",
                             c->index, call->step);
    return NULL;
}

static tn_status verify_step(const checker *c, const tn_rec_step *step) {
    const tn_program *p = c->program;
    TN_TRY(below(c, "kind", step->kind, TN_STEP_CALL + 1));
    TN_TRY(value_in(c, "operations", step->flops));
    TN_TRY(value_in(c, "bytes read", step->bytes_read));
    TN_TRY(value_in(c, "bytes written", step->bytes_written));
    TN_TRY(range_in(c, "sources", step->sources, p->source_count));
    if (step->kind == TN_STEP_PRIM)
        return verify_prim_step(c, step);
    if (step->kind == TN_STEP_CALL)
        return verify_call_step(c, step);
    TN_TRY(below(c, "kernel", step->kernel, p->kernel_count));
    TN_TRY(list_in(c, "buffers", step->buffers, p->buffer_count, false));
    TN_TRY(list_in(c, "symbols", step->syms, p->instr_count, false));
    TN_TRY(value_in(c, "tasks", step->task_count));
    return value_in(c, "scratch", step->scratch_bytes);
}

/* Memory that is not of the arena is as large as the input, output or state whose it is. */
static tn_status verify_lent(const tn_program *p) {
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        const tn_rec_buffer *buffer = &p->buffers[i];
        uint32_t tensor;
        if (buffer->kind == TN_BUFFER_INPUT)
            tensor = p->inputs[buffer->index].tensor;
        else if (buffer->kind == TN_BUFFER_OUTPUT)
            tensor = p->outputs[buffer->index].tensor;
        else if (buffer->kind == TN_BUFFER_STATE)
            tensor = p->states[buffer->index].tensor;
        else
            continue;
        uint32_t wanted = p->buffers[p->tensors[tensor].buffer].bytes;
        if (buffer->bytes != wanted)
            return tn_error_make(TN_CORRUPT,
                                 "buffer %u: its bytes are value %u, expected %u as of the input, "
                                 "output or state that it is",
                                 i, buffer->bytes, wanted);
    }
    return NULL;
}

static tn_status verify_names(const tn_program *p) {
    checker c = {p, "kernel", 0};
    for (c.index = 0; c.index < p->kernel_count; c.index++) {
        TN_TRY(text_in(&c, "name", p->kernels[c.index].name));
        TN_TRY(text_in(&c, "summary", p->kernels[c.index].summary));
    }
    c.record = "source";
    for (c.index = 0; c.index < p->source_count; c.index++) {
        const tn_rec_source *source = &p->sources[c.index];
        TN_TRY(text_in(&c, "node", source->node));
        TN_TRY(text_in(&c, "operator", source->op));
        TN_TRY(text_in(&c, "module", source->module));
        TN_TRY(text_in(&c, "source", source->source));
    }
    c.record = "code";
    for (c.index = 0; c.index < p->blob_count; c.index++) {
        const tn_rec_blob *blob = &p->blobs[c.index];
        TN_TRY(text_in(&c, "target", blob->target));
        TN_TRY(text_in(&c, "compiler", blob->compiler));
        if (blob->offset > p->code_bytes || blob->bytes > p->code_bytes - blob->offset)
            return tn_error_make(TN_CORRUPT, "code %u: [%llu, +%llu) ends past %llu", c.index,
                                 (unsigned long long)blob->offset, (unsigned long long)blob->bytes,
                                 (unsigned long long)p->code_bytes);
    }
    c = (checker){p, "program", 0};
    TN_TRY(text_in(&c, "name", p->name));
    TN_TRY(text_in(&c, "options", p->options));
    return text_in(&c, "metadata", p->metadata);
}

tn_status tn_program_verify(const tn_program *p) {
    checker c = {p, "shape instruction", 0};
    for (c.index = 0; c.index < p->instr_count; c.index++)
        TN_TRY(verify_instr(&c, &p->instrs[c.index]));
    c.record = "symbol";
    for (c.index = 0; c.index < p->symbol_count; c.index++) {
        TN_TRY(text_in(&c, "name", p->symbols[c.index].name));
        TN_TRY(value_in(&c, "value", p->symbols[c.index].value));
    }
    c.record = "buffer";
    for (c.index = 0; c.index < p->buffer_count; c.index++)
        TN_TRY(verify_buffer(&c, &p->buffers[c.index]));
    c.record = "tensor";
    for (c.index = 0; c.index < p->tensor_count; c.index++)
        TN_TRY(verify_tensor(&c, &p->tensors[c.index]));
    c.record = "input";
    for (c.index = 0; c.index < p->input_count; c.index++)
        TN_TRY(verify_io(&c, &p->inputs[c.index], TN_BUFFER_INPUT));
    c.record = "output";
    for (c.index = 0; c.index < p->output_count; c.index++)
        TN_TRY(verify_io(&c, &p->outputs[c.index], TN_BUFFER_OUTPUT));
    c.record = "state";
    for (c.index = 0; c.index < p->state_count; c.index++)
        TN_TRY(verify_state(&c, &p->states[c.index]));
    TN_TRY(verify_lent(p));
    c.record = "argument";
    for (c.index = 0; c.index < p->arg_count; c.index++)
        TN_TRY(verify_arg(&c, &p->args[c.index]));
    c.record = "step";
    for (c.index = 0; c.index < p->step_count; c.index++)
        TN_TRY(verify_step(&c, &p->steps[c.index]));
    c.record = "call";
    for (c.index = 0; c.index < p->call_count; c.index++)
        TN_TRY(verify_call(&c, &p->calls[c.index]));
    c.record = "shape instruction";
    for (c.index = 0; c.index < p->instr_count; c.index++)
        TN_TRY(verify_result_size(&c, &p->instrs[c.index]));
    return verify_names(p);
}
