/* status.c: errors as one block of memory: a header, then the message and the notes, each zero
 * terminated. A note that cannot be stored for want of memory is dropped; the error itself never
 * is. */
#include <stdarg.h>
#include <string.h>

#include "base/checked.h"
#include "base/str.h"

struct tn_error {
    tn_code code;
    size_t bytes;     /* of the whole block */
    size_t text_used; /* bytes of text, the zeros included */
    char text[];
};

/* Stands in for an error that could not be made, and is never freed. */
static const struct {
    tn_code code;
    size_t bytes;
    size_t text_used;
    char text[14];
} out_of_memory = {TN_OUT_OF_MEMORY, 0, sizeof "out of memory", "out of memory"};

static bool is_constant(const tn_error *status) {
    return (const void *)status == (const void *)&out_of_memory;
}

tn_status tn_error_out_of_memory(void) {
    /* Through an integer, because a status points to non-const while this one must stay in
     * read-only memory; nothing writes to it, see is_constant(). */
    return (tn_status)(uintptr_t)&out_of_memory;
}

/* Appends a formatted string to the block of *inout_error, which is NULL at first. */
static bool append_text(tn_error **inout_error, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = tn_vformat(NULL, 0, format, args);
    tn_error *old = *inout_error;
    size_t used = old ? old->text_used : 0;
    size_t bytes = 0;
    tn_error *error = NULL;
    if (len >= 0 && tn_add_size(sizeof *error + used, (size_t)len + 1, &bytes)) {
        tn_allocator system = tn_allocator_system();
        error = system.resize(system.self, old, old ? old->bytes : 0, bytes);
    }
    if (error) {
        error->bytes = bytes;
        error->text_used = used + (size_t)len + 1;
        tn_vformat(error->text + used, (size_t)len + 1, format, again);
        *inout_error = error;
    }
    va_end(again);
    return error != NULL;
}

tn_status tn_error_make(tn_code code, const char *format, ...) {
    tn_error *error = NULL;
    va_list args;
    va_start(args, format);
    bool is_made = append_text(&error, format, args);
    va_end(args);
    if (!is_made)
        return tn_error_out_of_memory();
    error->code = code;
    return error;
}

tn_status tn_status_create(tn_code code, const char *message) {
    if (code == TN_OK)
        return NULL;
    return tn_error_make(code, "%s", message ? message : tn_code_name(code));
}

tn_status tn_status_annotate(tn_status status, const char *format, ...) {
    if (!status || is_constant(status))
        return status;
    va_list args;
    va_start(args, format);
    (void)append_text(&status, format, args);
    va_end(args);
    return status;
}

tn_code tn_status_code(const tn_error *status) {
    return status ? status->code : TN_OK;
}

const char *tn_code_name(tn_code code) {
    switch (code) {
    case TN_OK:
        return "TN_OK";
    case TN_INVALID_ARGUMENT:
        return "TN_INVALID_ARGUMENT";
    case TN_UNSUPPORTED:
        return "TN_UNSUPPORTED";
    case TN_OUT_OF_MEMORY:
        return "TN_OUT_OF_MEMORY";
    case TN_IO:
        return "TN_IO";
    case TN_CORRUPT:
        return "TN_CORRUPT";
    case TN_NOT_FOUND:
        return "TN_NOT_FOUND";
    case TN_OUT_OF_RANGE:
        return "TN_OUT_OF_RANGE";
    case TN_TOOLCHAIN:
        return "TN_TOOLCHAIN";
    case TN_CANCELLED:
        return "TN_CANCELLED";
    case TN_INTERNAL:
        return "TN_INTERNAL";
    }
    return "unknown code";
}

const char *tn_status_message(const tn_error *status) {
    return status ? status->text : "";
}

const char *tn_status_note(const tn_error *status, size_t i) {
    if (!status)
        return NULL;
    const char *end = status->text + status->text_used;
    const char *note = status->text + strlen(status->text) + 1;
    for (; i > 0 && note < end; i--)
        note += strlen(note) + 1;
    return note < end ? note : NULL;
}

void tn_status_free(tn_status status) {
    if (!status || is_constant(status))
        return;
    tn_allocator system = tn_allocator_system();
    (void)system.resize(system.self, status, status->bytes, 0);
}
