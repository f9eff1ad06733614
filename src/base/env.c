/* env.c: the environment, its log and its progress reports; the library's version; data type
 * facts. */
#include "base/env.h"

#include <stdarg.h>
#include <string.h>

#include "base/str.h"

/* Longer messages are cut; a log line that long helps nobody. */
enum { MESSAGE_BYTES = 2048 };

const char *tn_version(void) {
    return TN_VERSION_STRING;
}

const char *tn_dtype_name(tn_dtype dtype) {
    switch (dtype) {
#define X(enumerator, value, name, bytes, code, bits)                                              \
    case enumerator:                                                                               \
        return name;
        TN_DTYPE_LIST(X)
#undef X
    case TN_DTYPE_NONE:
        break;
    }
    return "none";
}

size_t tn_dtype_bytes(tn_dtype dtype) {
    switch (dtype) {
#define X(enumerator, value, name, bytes, code, bits)                                              \
    case enumerator:                                                                               \
        return bytes;
        TN_DTYPE_LIST(X)
#undef X
    case TN_DTYPE_NONE:
        break;
    }
    return 0;
}

tn_dtype tn_dtype_from_name(const char *name) {
    if (!name)
        return TN_DTYPE_NONE;
#define X(enumerator, value, text, bytes, code, bits)                                              \
    if (strcmp(name, text) == 0)                                                                   \
        return enumerator;
    TN_DTYPE_LIST(X)
#undef X
    return TN_DTYPE_NONE;
}

/* Copies options of an older, equal or newer caller; a newer caller may only have left at zero what
 * this version does not know. */
static tn_status read_options(const tn_env_options *options, tn_env_options *out_options) {
    *out_options = (tn_env_options){.size = sizeof *out_options};
    if (!options)
        return NULL;
    if (options->size < offsetof(tn_env_options, allocator))
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "tn_env_options.size is %zu, expected sizeof(tn_env_options) = %zu",
                             options->size, sizeof *options);
    const unsigned char *bytes = (const unsigned char *)options;
    for (size_t i = sizeof *options; i < options->size; i++) {
        if (bytes[i] != 0)
            return tn_error_make(
                TN_INVALID_ARGUMENT,
                "tn_env_options has a field at byte %zu that is set but unknown to "
                "tenon %s, whose options have %zu bytes",
                i, TN_VERSION_STRING, sizeof *options);
    }
    size_t known = options->size < sizeof *options ? options->size : sizeof *options;
    memcpy(out_options, options, known);
    out_options->size = sizeof *out_options;
    return NULL;
}

tn_status tn_env_create(const tn_env_options *options, tn_env **out_env) {
    if (!out_env)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_env_create: out_env is NULL");
    *out_env = NULL;
    tn_env_options known;
    TN_TRY(read_options(options, &known));
    if (!known.allocator.resize)
        known.allocator = tn_allocator_system();
    tn_env *env = NULL;
    TN_TRY(tn_alloc(&known.allocator, sizeof *env, &env));
    env->allocator = known.allocator;
    env->options = known;
    *out_env = env;
    return NULL;
}

void tn_env_destroy(tn_env *env) {
    if (!env)
        return;
    tn_allocator allocator = env->allocator;
    tn_alloc_free(&allocator, env, sizeof *env);
}

void tn_log(const tn_env *env, tn_log_level level, const char *format, ...) {
    if (!env->options.log)
        return;
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int len = tn_vformat(message, sizeof message, format, args);
    va_end(args);
    if (len >= 0)
        env->options.log(env->options.log_user, level, message);
}

tn_status tn_progress(const tn_env *env, double fraction, const char *format, ...) {
    if (!env->options.progress)
        return NULL;
    char message[MESSAGE_BYTES] = "";
    va_list args;
    va_start(args, format);
    (void)tn_vformat(message, sizeof message, format, args);
    va_end(args);
    if (env->options.progress(env->options.progress_user, fraction, message))
        return NULL;
    return tn_error_make(TN_CANCELLED, "cancelled while %s", message);
}
