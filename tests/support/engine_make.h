/* engine_make.h: engine files for tests, from textual kernel IR; and their bytes, edited so that
 * all checksums hold. Usable without cmocka. */
#ifndef TN_TESTS_ENGINE_MAKE_H
#define TN_TESTS_ENGINE_MAKE_H

#include "engine/file_layout.h"
#include "tenon/runtime.h"

/* Compiles a graph to an engine file; target NULL: the interpreter. */
TN_MUST_USE tn_status engine_make(tn_env *env, const char *text, const char *target,
                                  const char *path, uint32_t *out_step_count);

/* The bytes of an engine, aligned to 64. */
typedef struct engine_bytes {
    uint8_t *data;
    size_t count;
} engine_bytes;

/* Both end the process with a message when they cannot. */
engine_bytes engine_bytes_make(const char *text, const char *target);
engine_bytes engine_bytes_read(const char *path);
engine_bytes engine_bytes_copy(engine_bytes bytes);
void engine_bytes_free(engine_bytes *bytes);
/* The section's entry in the table, or NULL. */
tn_file_section *engine_section(engine_bytes bytes, uint32_t id);
/* Makes checksums right again, wherever a section lies within the file. */
void engine_reseal(engine_bytes bytes);

/* Opens, describes and, unless it has native code, runs the engine on small inputs and reads its
 * outputs, all with little memory; frees everything. NULL: it ran. */
TN_MUST_USE tn_status engine_try(engine_bytes bytes);

#endif
