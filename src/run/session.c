/* session.c: an engine's code loaded and its workers started. */
#include <sched.h>

#include "run/engine.h"

enum { DEFAULT_SPIN_US = 200, THREADS_MAX = 1024 };

static uint32_t usable_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

tn_status tn_session_create(tn_engine *engine, const tn_session_options *options,
                            tn_session **out_session) {
    *out_session = NULL;
    if (!engine)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_session_create: engine is NULL");
    tn_session_options chosen = {.size = sizeof chosen, .spin_us = DEFAULT_SPIN_US};
    if (options) {
        if (options->size < sizeof chosen)
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "tn_session_options.size is %zu, expected %zu", options->size,
                                 sizeof chosen);
        chosen = *options;
    }
    if (chosen.threads == 0)
        chosen.threads = usable_processors();
    if (chosen.threads > THREADS_MAX)
        return tn_error_make(TN_INVALID_ARGUMENT, "%u threads asked for, expected at most %d",
                             chosen.threads, THREADS_MAX);
    const tn_allocator *allocator = &engine->env->allocator;
    tn_session *session = NULL;
    TN_TRY(tn_alloc(allocator, sizeof *session, &session));
    session->engine = engine;
    tn_engine_retain(engine);
    session->code = (tn_cpu_code){.allocator = *allocator, .fd = -1};
    tn_status status = tn_session_take_executor(session, chosen.executor);
    if (!status)
        status = tn_cpu_code_load(allocator, &engine->file.program, &session->code);
    if (!status)
        status = tn_cpu_pool_create(allocator, chosen.threads, chosen.spin_us, &session->pool);
    if (status) {
        tn_session_destroy(session);
        return status;
    }
    *out_session = session;
    return NULL;
}

void tn_session_destroy(tn_session *session) {
    if (!session)
        return;
    tn_engine *engine = session->engine;
    tn_cpu_pool_destroy(session->pool);
    tn_cpu_code_unload(&session->code);
    tn_alloc_free(&engine->env->allocator, session, sizeof *session);
    tn_engine_release(engine);
}
