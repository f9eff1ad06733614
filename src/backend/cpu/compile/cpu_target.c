/* cpu_target.c: three levels, and AMX on top of the highest. Levels rather than single features:
 * every processor that has AVX-512 BW, DQ and VL is served by the same code. */
#include "backend/cpu/compile/cpu_target.h"

#include <string.h>

#include "backend/cpu/exec/cpu_features.h"

enum {
    FEATURES_V3 = TN_CPU_AVX2 | TN_CPU_FMA | TN_CPU_F16C,
    FEATURES_V4 = FEATURES_V3 | TN_CPU_AVX512F | TN_CPU_AVX512BW | TN_CPU_AVX512DQ |
                  TN_CPU_AVX512VL | TN_CPU_AVX512CD,
    FEATURES_AMX = TN_CPU_AMX_TILE | TN_CPU_AMX_BF16 | TN_CPU_AVX512_BF16,
};

typedef struct level {
    const char *name, *full_name;
    uint64_t features;
    const char *flags[16];
} level;

/* Lowest first. The vector width is set by hand because compilers tune "native" to 256 bits. */
static const level levels[] = {
    {"portable", "cpu:portable", 0, {NULL}},
    {"x86-64-v3", "cpu:x86-64-v3", FEATURES_V3, {"-mavx2", "-mfma", "-mf16c", "-mbmi2", NULL}},
    {"x86-64-v4",
     "cpu:x86-64-v4",
     FEATURES_V4,
     {"-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl",
      "-mavx512cd", "-mprefer-vector-width=512", NULL}},
    {"x86-64-v4+amx-bf16",
     "cpu:x86-64-v4+amx-bf16",
     FEATURES_V4 | FEATURES_AMX,
     {"-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl",
      "-mavx512cd", "-mavx512bf16", "-mamx-tile", "-mamx-bf16", "-mprefer-vector-width=512", NULL}},
};
enum { LEVEL_COUNT = sizeof levels / sizeof levels[0] };

static const level *level_of(const tn_cpu_target *target) {
    return &levels[target->has_amx_bf16   ? 3
                   : target->has_avx512   ? 2
                   : target->has_avx2_fma ? 1
                                          : 0];
}

static void set_level(size_t index, tn_cpu_target *out) {
    *out = (tn_cpu_target){.has_avx2_fma = index >= 1,
                           .has_avx512 = index >= 2,
                           .has_avx512_bf16 = index >= 3,
                           .has_amx_bf16 = index >= 3,
                           .is_portable = index == 0,
                           .lanes = index >= 2 ? 16 : 8};
    tn_cpu_caches(&out->l1_bytes, &out->l2_bytes);
    if (out->l1_bytes == 0)
        out->l1_bytes = 32 << 10;
    if (out->l2_bytes == 0)
        out->l2_bytes = 1 << 20;
}

tn_status tn_cpu_target_parse(const char *name, tn_cpu_target *out_target) {
    *out_target = (tn_cpu_target){0};
    if (strcmp(name, "native") == 0) {
        uint64_t features = tn_cpu_features();
        for (size_t i = LEVEL_COUNT; i-- > 0;) {
            if ((levels[i].features & ~features) != 0)
                continue;
            set_level(i, out_target);
            return NULL;
        }
    }
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(name, levels[i].name) != 0)
            continue;
        set_level(i, out_target);
        /* Blocking must not depend on the machine that compiles for another. */
        out_target->l1_bytes = 32 << 10;
        out_target->l2_bytes = 1 << 20;
        return NULL;
    }
    return tn_error_make(TN_INVALID_ARGUMENT,
                         "target \"cpu:%s\" is not known; there are cpu:native, cpu:portable, "
                         "cpu:x86-64-v3, cpu:x86-64-v4, cpu:x86-64-v4+amx-bf16",
                         name);
}

const char *tn_cpu_target_name(const tn_cpu_target *target) {
    return level_of(target)->full_name;
}

uint64_t tn_cpu_target_features(const tn_cpu_target *target) {
    return level_of(target)->features;
}

const char *const *tn_cpu_target_flags(const tn_cpu_target *target) {
    return level_of(target)->flags;
}
