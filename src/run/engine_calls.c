/* engine_calls.c: the calls of an engine: asking what they are, and holding them against an
 * executor when a session is made. */
#include <string.h>

#include "run/engine.h"

/* How many of the operators that nobody serves an error names. */
enum { NAMED_MAX = 4 };

size_t tn_engine_call_count(const tn_engine *engine) {
    return engine->file.program.call_count;
}

static void fill_call_info(const tn_program *p, uint32_t index, tn_call_info *out) {
    const tn_rec_call *call = &p->calls[index];
    const tn_rec_step *step = &p->steps[call->step];
    out->index = index;
    out->op = tn_program_str(p, call->op).data;
    out->node = out->module = out->source = "";
    if (step->sources.count > 0) {
        const tn_rec_source *source = &p->sources[step->sources.first];
        out->node = tn_program_str(p, source->node).data;
        out->module = tn_program_str(p, source->module).data;
        out->source = tn_program_str(p, source->source).data;
    }
    out->arguments = tn_program_str(p, call->arguments).data;
    out->operand_count = step->operands.count;
    out->result_count = step->results.count;
    out->int_count = call->ints.count;
}

tn_status tn_engine_call_info(const tn_engine *engine, size_t i, tn_call_info *out_info) {
    const tn_program *p = &engine->file.program;
    if (out_info->size < sizeof *out_info)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_call_info.size is %zu, expected %zu",
                             out_info->size, sizeof *out_info);
    if (i >= p->call_count)
        return tn_error_make(TN_OUT_OF_RANGE, "call %zu: the engine has %u", i, p->call_count);
    fill_call_info(p, (uint32_t)i, out_info);
    return NULL;
}

static bool is_first_of_its_op(const tn_program *p, uint32_t index) {
    for (uint32_t i = 0; i < index; i++)
        if (tn_str_equal(tn_program_str(p, p->calls[i].op), tn_program_str(p, p->calls[index].op)))
            return false;
    return true;
}

static tn_status no_executor(const tn_engine *engine) {
    const tn_program *p = &engine->file.program;
    tn_buf names;
    tn_buf_init(&names, engine->env->allocator);
    size_t count = 0;
    for (uint32_t i = 0; i < p->call_count; i++)
        if (is_first_of_its_op(p, i) && count++ < NAMED_MAX)
            tn_buf_printf(&names, "%s%s", count > 1 ? ", " : "",
                          tn_program_str(p, p->calls[i].op).data);
    if (count > NAMED_MAX)
        tn_buf_printf(&names, " and %zu more", count - NAMED_MAX);
    tn_status status = tn_error_make(
        TN_UNSUPPORTED,
        "the engine leaves %u node%s to an executor, for %s: give one that has %s in "
        "tn_session_options.executor (in Python, PyTorch serves them), or compile with "
        "require_full_compilation to see what keeps them out of the engine",
        p->call_count, p->call_count == 1 ? "" : "s", tn_buf_cstr(&names),
        count == 1 ? "it" : "them");
    tn_buf_deinit(&names);
    return status;
}

tn_status tn_session_take_executor(tn_session *session, const tn_executor *executor) {
    const tn_program *p = &session->engine->file.program;
    if (!executor)
        return p->call_count > 0 ? no_executor(session->engine) : NULL;
    if (executor->size < sizeof *executor)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_executor.size is %zu, expected %zu",
                             executor->size, sizeof *executor);
    if (!executor->run)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_executor.run is NULL, expected a function");
    session->executor = *executor;
    for (uint32_t i = 0; executor->prepare && i < p->call_count; i++) {
        tn_call_info info = {.size = sizeof info};
        fill_call_info(p, i, &info);
        TN_TRY_CTX(executor->prepare(executor->user, &info),
                   "while preparing the executor for %s (node %s)", info.op, info.node);
    }
    return NULL;
}
