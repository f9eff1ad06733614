/* cpu_target.h: `--target cpu:...` to what generated code may use, and the compiler's flags for it.
 */
#ifndef TN_CPU_TARGET_H
#define TN_CPU_TARGET_H

#include "backend/cpu/compile/cgen.h"

/* "native" (the features of this machine), "portable", "x86-64-v3", "x86-64-v4", with "+amx-bf16"
 * behind it if wanted; `name` without "cpu:". TN_INVALID_ARGUMENT lists what there is. */
TN_MUST_USE tn_status tn_cpu_target_parse(const char *name, tn_cpu_target *out_target);
/* The canonical name: "cpu:x86-64-v4+amx-bf16". */
const char *tn_cpu_target_name(const tn_cpu_target *target);
/* Bits of tn_cpu_feature that code for this target needs. */
uint64_t tn_cpu_target_features(const tn_cpu_target *target);
/* Flags for gcc and clang, NULL-terminated. */
const char *const *tn_cpu_target_flags(const tn_cpu_target *target);

#endif
