/* status.h: making and passing on errors inside the library.
 *
 * An error is one allocation: code, message, then "while ..." notes added as it travels up. Running
 * out of memory while making an error degrades to a constant TN_OUT_OF_MEMORY error, so no error
 * path can fail. Errors use the C library's allocator, not the env's: they outlive the env, and
 * reporting a failed allocation must not need the allocator that failed.
 */
#ifndef TN_BASE_STATUS_H
#define TN_BASE_STATUS_H

#include "tenon/base.h"

/* Told to the compiler so that it knows the outputs to be set wherever a call succeeded. */
#if defined(__GNUC__) || defined(__clang__)
#define TN_RETURNS_NONNULL __attribute__((returns_nonnull))
#else
#define TN_RETURNS_NONNULL
#endif

/* Makes an error. The message names the thing, the value seen and the value wanted, in one line. */
TN_MUST_USE TN_RETURNS_NONNULL tn_status tn_error_make(tn_code code, const char *format, ...)
    TN_PRINTF(2, 3);

/* Adds a note ("while reading weight_3") and returns the same error; NULL stays NULL. */
TN_MUST_USE tn_status tn_status_annotate(tn_status status, const char *format, ...) TN_PRINTF(2, 3);

/* The constant error; never fails. */
TN_MUST_USE TN_RETURNS_NONNULL tn_status tn_error_out_of_memory(void);

/* Returns early from the calling function when expr is an error. */
#define TN_TRY(expr)                                                                               \
    do {                                                                                           \
        tn_status tn_try_status_ = (expr);                                                         \
        if (tn_try_status_)                                                                        \
            return tn_try_status_;                                                                 \
    } while (0)

/* The same, adding a note. */
#define TN_TRY_CTX(expr, ...)                                                                      \
    do {                                                                                           \
        tn_status tn_try_status_ = (expr);                                                         \
        if (tn_try_status_)                                                                        \
            return tn_status_annotate(tn_try_status_, __VA_ARGS__);                                \
    } while (0)

/* With resources held: sets the local `status` and jumps to `done:`. */
#define TN_GOTO(expr)                                                                              \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status)                                                                                \
            goto done;                                                                             \
    } while (0)

#endif
