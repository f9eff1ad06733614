/* toolchain.h: the system's C compiler: found, run on a source text, its shared object read back.
 */
#ifndef TN_CPU_TOOLCHAIN_H
#define TN_CPU_TOOLCHAIN_H

#include "base/arena.h"
#include "base/env.h"

typedef struct tn_toolchain {
    const char *path;    /* of the compiler */
    const char *version; /* the first line that it prints for --version */
} tn_toolchain;

/* wanted NULL: $CC, then cc, gcc, clang. TN_TOOLCHAIN says what was tried and what would help. */
TN_MUST_USE tn_status tn_toolchain_find(tn_arena *arena, const char *wanted,
                                        tn_toolchain *out_toolchain);
/* Compiles source with the target's flags (NULL-terminated) into a shared object. cache_dir may be
 * NULL. TN_TOOLCHAIN quotes what the compiler said. The code lives in the arena. */
TN_MUST_USE tn_status tn_toolchain_build(const tn_env *env, tn_arena *arena,
                                         const tn_toolchain *toolchain, const char *const *flags,
                                         tn_str source, const char *cache_dir,
                                         const uint8_t **out_code, size_t *out_bytes);

#endif
