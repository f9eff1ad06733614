/* engine.h: the inside of tn_engine, tn_session. */
#ifndef TN_RUN_ENGINE_H
#define TN_RUN_ENGINE_H

#include <stdatomic.h>

#include "backend/cpu/exec/cpu_code.h"
#include "backend/cpu/exec/cpu_pool.h"
#include "base/env.h"
#include "base/file.h"
#include "engine/engine_file.h"
#include "tenon/runtime.h"

struct tn_engine {
    atomic_uint references;
    const tn_env *env;
    tn_mapping mapping; /* empty when loaded from the caller's memory */
    tn_engine_file file;
};

struct tn_session {
    tn_engine *engine; /* a reference */
    tn_cpu_code code;
    tn_cpu_pool *pool;
    tn_executor executor; /* all zero if the engine has no calls and none was given */
};

/* Takes the executor (NULL: none) after it has been asked for each call of the engine. */
TN_MUST_USE tn_status tn_session_take_executor(tn_session *session, const tn_executor *executor);

/* The symbol whose value this is, or NULL. */
const tn_rec_symbol *tn_program_symbol(const tn_program *program, uint32_t value);
/* "batch: i64[s0, 128]" for messages: what the engine wants at input or output i. */
void tn_io_print(tn_buf *buf, const tn_program *program, const tn_rec_io *io);

#endif
