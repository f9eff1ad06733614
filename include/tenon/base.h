/* tenon/base.h: what every other public header needs: status, allocator, environment, data types.
 *
 * Conventions of the whole C API:
 *   - A function that can fail returns tn_status: NULL is success, anything else an error that the
 *     caller owns and frees with tn_status_free().
 *   - Outputs are the last arguments, named out_x, and are cleared before any work.
 *   - Strings are UTF-8, zero terminated, borrowed unless a comment says otherwise.
 *   - Each type states its thread class: thread-safe (any thread, any time), thread-compatible (one
 *     thread at a time), or set-up-only (one thread, before it is shared).
 */
#ifndef TENON_BASE_H
#define TENON_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TN_API __attribute__((visibility("default")))
#define TN_MUST_USE __attribute__((warn_unused_result))
#define TN_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#else
#define TN_API
#define TN_MUST_USE
#define TN_PRINTF(format_index, first_index)
#endif

#define TN_VERSION_MAJOR 0
#define TN_VERSION_MINOR 1
#define TN_VERSION_PATCH 0
#define TN_VERSION_STRING "0.1.0"

/* The version of the library linked at run time, "major.minor.patch". Thread-safe. Since 0.1. */
TN_API const char *tn_version(void);

/* ---- status -------------------------------------------------------------------------------- */

/* What kind of failure an error is; the message says which. Values are part of the ABI. */
typedef enum tn_code {
    TN_OK = 0,
    TN_INVALID_ARGUMENT = 1, /* the caller passed something that can never work */
    TN_UNSUPPORTED = 2,      /* valid, but tenon cannot do it; the message says what it could do */
    TN_OUT_OF_MEMORY = 3,    /* an allocation failed */
    TN_IO = 4,               /* the operating system refused a file operation */
    TN_CORRUPT = 5,          /* a file's content is not what its format demands */
    TN_NOT_FOUND = 6,        /* a file, name or symbol does not exist */
    TN_OUT_OF_RANGE = 7,     /* a size or index lies outside of what was declared */
    TN_TOOLCHAIN = 8,        /* the system's C compiler is missing or failed */
    TN_CANCELLED = 9,        /* the progress callback asked to stop */
    TN_INTERNAL = 10,        /* a bug in tenon: please report it */
} tn_code;

typedef struct tn_error tn_error;
/* NULL is success. Owned by whoever receives it; thread-compatible. */
typedef tn_error *tn_status;

/* The kind of failure; TN_OK for NULL. */
TN_API tn_code tn_status_code(const tn_error *status);
/* The name of a code as written above ("TN_IO"); "unknown code" for any other number. */
TN_API const char *tn_code_name(tn_code code);
/* The first line: what failed. "" for NULL. Borrowed until the status is freed. */
TN_API const char *tn_status_message(const tn_error *status);
/* The i-th "while ..." note, innermost first; NULL past the last. Borrowed. */
TN_API const char *tn_status_note(const tn_error *status, size_t i);
/* Frees a status; NULL is allowed. */
TN_API void tn_status_free(tn_status status);
/* Makes an error, for callbacks that fail: the message, copied, names the thing, the value seen and
 * the value wanted in one line (NULL: the code's name). Never fails: short of memory it gives
 * TN_OUT_OF_MEMORY, and TN_OK gives NULL. Thread-safe. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_status_create(tn_code code, const char *message);

/* ---- allocator ----------------------------------------------------------------------------- */

/* One function does everything, as in Lua: ptr NULL allocates, new_bytes 0 frees (and returns
 * NULL), otherwise the block is resized and may move. old_bytes is the size passed before (0 for
 * ptr NULL). Returns NULL when memory is short, leaving the old block whole. Blocks are aligned to
 * 16 bytes. Must be thread-safe if the environment is used by several threads. */
typedef struct tn_allocator {
    void *(*resize)(void *self, void *ptr, size_t old_bytes, size_t new_bytes);
    void *self;
} tn_allocator;

/* The C library's allocator. Thread-safe. Since 0.1. */
TN_API tn_allocator tn_allocator_system(void);

/* ---- data types ---------------------------------------------------------------------------- */

/* X(enumerator, value, textual name, bytes, DLPack code, DLPack bits). The values are stored in
 * engine files and never reused. */
#define TN_DTYPE_LIST(X)                                                                           \
    X(TN_F64, 1, "f64", 8, 2, 64)                                                                  \
    X(TN_F32, 2, "f32", 4, 2, 32)                                                                  \
    X(TN_F16, 3, "f16", 2, 2, 16)                                                                  \
    X(TN_BF16, 4, "bf16", 2, 4, 16)                                                                \
    X(TN_F8E4M3, 5, "f8e4m3", 1, 10, 8)                                                            \
    X(TN_F8E5M2, 6, "f8e5m2", 1, 12, 8)                                                            \
    X(TN_I64, 7, "i64", 8, 0, 64)                                                                  \
    X(TN_I32, 8, "i32", 4, 0, 32)                                                                  \
    X(TN_I16, 9, "i16", 2, 0, 16)                                                                  \
    X(TN_I8, 10, "i8", 1, 0, 8)                                                                    \
    X(TN_U8, 11, "u8", 1, 1, 8)                                                                    \
    X(TN_U16, 12, "u16", 2, 1, 16)                                                                 \
    X(TN_U32, 13, "u32", 4, 1, 32)                                                                 \
    X(TN_U64, 14, "u64", 8, 1, 64)                                                                 \
    X(TN_BOOL, 15, "bool", 1, 6, 8)

typedef enum tn_dtype {
    TN_DTYPE_NONE = 0,
#define X(enumerator, value, name, bytes, code, bits) enumerator = value,
    TN_DTYPE_LIST(X)
#undef X
} tn_dtype;

/* "f32"; "none" for anything that is not a dtype. Thread-safe. */
TN_API const char *tn_dtype_name(tn_dtype dtype);
/* Bytes of one element; 0 for anything that is not a dtype. Thread-safe. */
TN_API size_t tn_dtype_bytes(tn_dtype dtype);
/* The dtype of that name ("f32"), or TN_DTYPE_NONE. Thread-safe. */
TN_API tn_dtype tn_dtype_from_name(const char *name);

/* Highest rank of a tensor. */
#define TN_MAX_RANK 8

/* ---- environment --------------------------------------------------------------------------- */

typedef enum tn_log_level {
    TN_LOG_ERROR = 1,
    TN_LOG_WARNING = 2,
    TN_LOG_INFO = 3,
    TN_LOG_DEBUG = 4,
} tn_log_level;

typedef struct tn_env_options {
    size_t size;            /* sizeof(tn_env_options) */
    tn_allocator allocator; /* a zero resize function means the system's */
    /* Receives one message without a newline; NULL drops them. Thread-safe if threads share the
     * env. */
    void (*log)(void *user, tn_log_level level, const char *message);
    void *log_user;
    /* Called at steps of long work with the fraction done (0 to 1) and what is being done; a false
     * result cancels with TN_CANCELLED. NULL: no reports. */
    bool (*progress)(void *user, double fraction, const char *what);
    void *progress_user;
} tn_env_options;

/* What a compile or a session needs from outside: allocator, log, progress, registries. There are
 * no process globals. Set-up-only until first use, then thread-safe. Everything made with an env
 * must be destroyed before it. */
typedef struct tn_env tn_env;

/* Makes an environment; options NULL takes defaults. Codes: TN_OUT_OF_MEMORY, TN_INVALID_ARGUMENT.
 * Since 0.1. */
TN_API TN_MUST_USE tn_status tn_env_create(const tn_env_options *options, tn_env **out_env);
/* NULL is allowed. */
TN_API void tn_env_destroy(tn_env *env);

#ifdef __cplusplus
}
#endif
#endif
