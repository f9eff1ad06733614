/* cpu_features.h: what this processor and operating system can do, from feature bits alone; models
 * and names lie, hypervisors hide features one by one. */
#ifndef TN_CPU_FEATURES_H
#define TN_CPU_FEATURES_H

#include "base/str.h"

/* X(enumerator, bit, name as written in targets). Bits are stored in engine files. */
#define TN_CPU_FEATURE_LIST(X)                                                                     \
    X(TN_CPU_AVX2, 0, "avx2")                                                                      \
    X(TN_CPU_FMA, 1, "fma")                                                                        \
    X(TN_CPU_F16C, 2, "f16c")                                                                      \
    X(TN_CPU_AVX512F, 3, "avx512f")                                                                \
    X(TN_CPU_AVX512BW, 4, "avx512bw")                                                              \
    X(TN_CPU_AVX512DQ, 5, "avx512dq")                                                              \
    X(TN_CPU_AVX512VL, 6, "avx512vl")                                                              \
    X(TN_CPU_AVX512CD, 7, "avx512cd")                                                              \
    X(TN_CPU_AVX512_BF16, 8, "avx512bf16")                                                         \
    X(TN_CPU_AMX_TILE, 9, "amx-tile")                                                              \
    X(TN_CPU_AMX_BF16, 10, "amx-bf16")                                                             \
    X(TN_CPU_AMX_INT8, 11, "amx-int8")                                                             \
    X(TN_CPU_AVX512_VNNI, 12, "avx512vnni")

typedef enum tn_cpu_feature {
#define X(enumerator, bit, name) enumerator = 1 << bit,
    TN_CPU_FEATURE_LIST(X)
#undef X
} tn_cpu_feature;

/* The set of this machine: the processor has it and the operating system saves its registers. */
uint64_t tn_cpu_features(void);
/* "avx2, fma, amx-bf16" */
void tn_cpu_features_print(tn_buf *buf, uint64_t features);
/* Asks the kernel for the right to use AMX tiles, which Linux grants per process (and its later
 * threads). TN_UNSUPPORTED if it is refused. */
TN_MUST_USE tn_status tn_cpu_enable_amx(void);
/* Bytes of this core's caches; 0 when the processor does not say. */
void tn_cpu_caches(size_t *out_l1_bytes, size_t *out_l2_bytes);

#endif
