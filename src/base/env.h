/* env.h: the inside of tn_env. */
#ifndef TN_BASE_ENV_H
#define TN_BASE_ENV_H

#include "base/alloc.h"

struct tn_env {
    tn_allocator allocator;
    tn_env_options options;
};

void tn_log(const tn_env *env, tn_log_level level, const char *format, ...) TN_PRINTF(3, 4);
/* TN_CANCELLED when the callback says stop. */
TN_MUST_USE tn_status tn_progress(const tn_env *env, double fraction, const char *format, ...)
    TN_PRINTF(3, 4);

#endif
