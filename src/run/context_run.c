/* context_run.c: walking the launch records. Every thread of the session walks all steps: its share
 * of a kernel's tasks, then a barrier. Primitives run on thread 0 alone. Calls stand between
 * stretches of steps: the caller's thread makes them while the workers are free, so that they take
 * no processor from the executor's own threads, and serve other contexts meanwhile. */
#include <string.h>
#include <time.h>

#include "run/context.h"

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run_kernel(const tn_context *context, const tn_launch *launch, uint32_t thread,
                       uint32_t thread_count) {
    int64_t begin = launch->task_count * thread / thread_count;
    int64_t end = launch->task_count * (thread + 1) / thread_count;
    if (begin < end)
        launch->fn(launch->buf, launch->sym, begin, end,
                   context->scratch.data + thread * context->scratch_bytes_per_thread);
}

static tn_status run_prim(const tn_context *context, const tn_rec_step *step,
                          const tn_launch *launch) {
    const tn_engine *engine = context->session->engine;
    tn_status status =
        tn_interp_run(&engine->env->allocator, launch->prim, launch->operands, step->operands.count,
                      launch->args, step->args.count, launch->results, step->results.count);
    if (!status || step->sources.count == 0)
        return status;
    const tn_rec_source *source = &engine->file.program.sources[step->sources.first];
    return tn_status_annotate(status, "while running node %s (%s)",
                              tn_program_str(&engine->file.program, source->node).data,
                              tn_program_str(&engine->file.program, source->op).data);
}

static void run_steps(void *user, uint32_t thread, uint32_t thread_count) {
    tn_context *context = user;
    const tn_program *program = &context->session->engine->file.program;
    uint64_t began = context->is_profiling ? now_ns() : 0;
    for (uint32_t i = context->first_step; i < context->end_step; i++) {
        const tn_rec_step *step = &program->steps[i];
        const tn_launch *launch = &context->launches[i];
        if (step->kind == TN_STEP_KERNEL) {
            run_kernel(context, launch, thread, thread_count);
        } else if (thread == 0) {
            context->run_status = run_prim(context, step, launch);
            if (context->run_status)
                atomic_store_explicit(&context->failed_step, i, memory_order_relaxed);
        }
        tn_cpu_pool_barrier(context->session->pool);
        /* Thread 0 may be one step ahead and have failed there: all leave after the same step. */
        if (atomic_load_explicit(&context->failed_step, memory_order_relaxed) <= i)
            return;
        if (thread == 0 && context->is_profiling) {
            uint64_t ended = now_ns();
            context->step_ns[i] = ended - began;
            began = ended;
        }
    }
}

/* The first error that a kernel of the stretch has reported. */
static tn_status take_kernel_error(const tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    for (uint32_t i = context->first_step; i < context->end_step; i++) {
        const tn_kernel_error *error = &context->kernel_errors[i];
        if (!error->is_set)
            continue;
        tn_str node = TN_STR("?"), op = TN_STR("?");
        if (p->steps[i].sources.count > 0) {
            const tn_rec_source *source = &p->sources[p->steps[i].sources.first];
            node = tn_program_str(p, source->node);
            op = tn_program_str(p, source->op);
        }
        return tn_error_make(
            TN_OUT_OF_RANGE,
            "node %.*s (%.*s): index %lld is out of range for a dimension of size %lld",
            TN_STR_ARG(node), TN_STR_ARG(op), (long long)error->index, (long long)error->bound);
    }
    return NULL;
}

static tn_status run_stretch(tn_context *context, uint32_t first, uint32_t end) {
    if (first == end)
        return NULL;
    context->first_step = first;
    context->end_step = end;
    tn_cpu_pool_run(context->session->pool, run_steps, context);
    tn_status status = context->run_status;
    context->run_status = NULL;
    return status ? status : take_kernel_error(context);
}

static tn_status run_call(tn_context *context, uint32_t call, uint32_t step) {
    uint64_t began = context->is_profiling ? now_ns() : 0;
    tn_context_release_held(context, step);
    tn_status status = tn_context_call(context, call);
    if (context->is_profiling)
        context->step_ns[step] = now_ns() - began;
    return status;
}

static tn_status run_program(tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    uint32_t first = 0;
    for (uint32_t call = 0; call < p->call_count; call++) {
        uint32_t step = p->calls[call].step;
        TN_TRY(run_stretch(context, first, step));
        TN_TRY(run_call(context, call, step));
        first = step + 1;
    }
    return run_stretch(context, first, p->step_count);
}

tn_status tn_context_run(tn_context *context) {
    if (!context)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_context_run: context is NULL");
    TN_TRY(tn_context_resolve(context));
    const tn_program *p = &context->session->engine->file.program;
    context->run_status = NULL;
    if (p->step_count > 0)
        memset(context->kernel_errors, 0, p->step_count * sizeof *context->kernel_errors);
    atomic_store_explicit(&context->failed_step, UINT32_MAX, memory_order_relaxed);
    context->is_running = true;
    tn_status status = run_program(context);
    tn_context_release_held(context, UINT32_MAX);
    context->is_running = false;
    return status;
}
