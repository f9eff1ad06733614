/* cpu_features.c: CPUID and XGETBV on x86-64; other machines have no features, and run portable
 * code. */
#include "backend/cpu/exec/cpu_features.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void tn_cpu_features_print(tn_buf *buf, uint64_t features) {
    const char *separator = "";
#define X(enumerator, bit, name)                                                                   \
    if (features & enumerator) {                                                                   \
        tn_buf_printf(buf, "%s%s", separator, name);                                               \
        separator = ", ";                                                                          \
    }
    TN_CPU_FEATURE_LIST(X)
#undef X
}

#if defined(__x86_64__)

#include <cpuid.h>

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* A bit of a register of leaf 7, the state that the operating system must save for it, and what it
 * means. */
typedef struct leaf7_bit {
    uint64_t xcr0;
    char reg; /* 'b', 'c' or 'd' */
    uint32_t bit;
    uint64_t feature;
} leaf7_bit;

/* State components of XCR0: SSE and AVX; the three of AVX-512; the two of AMX. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_AMX = 0x60000 };

static const leaf7_bit leaf7_bits[] = {
    {XCR0_AVX, 'b', 5, TN_CPU_AVX2},
    {XCR0_AVX512, 'b', 16, TN_CPU_AVX512F},
    {XCR0_AVX512, 'b', 30, TN_CPU_AVX512BW},
    {XCR0_AVX512, 'b', 17, TN_CPU_AVX512DQ},
    {XCR0_AVX512, 'b', 31, TN_CPU_AVX512VL},
    {XCR0_AVX512, 'b', 28, TN_CPU_AVX512CD},
    {XCR0_AVX512, 'c', 11, TN_CPU_AVX512_VNNI},
    {XCR0_AMX, 'd', 24, TN_CPU_AMX_TILE},
    {XCR0_AMX, 'd', 22, TN_CPU_AMX_BF16},
    {XCR0_AMX, 'd', 25, TN_CPU_AMX_INT8},
};

uint64_t tn_cpu_features(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    uint64_t xcr0 = read_xcr0(), features = 0;
    if ((xcr0 & XCR0_AVX) != XCR0_AVX)
        return 0;
    if (c & bit_FMA)
        features |= TN_CPU_FMA;
    if (c & bit_F16C)
        features |= TN_CPU_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return features;
    for (size_t i = 0; i < sizeof leaf7_bits / sizeof leaf7_bits[0]; i++) {
        const leaf7_bit *entry = &leaf7_bits[i];
        uint32_t reg = entry->reg == 'b' ? b : entry->reg == 'c' ? c : d;
        if ((xcr0 & entry->xcr0) == entry->xcr0 && (reg >> entry->bit & 1))
            features |= entry->feature;
    }
    bool has_avx512 = features & TN_CPU_AVX512F;
    if (has_avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5))
        features |= TN_CPU_AVX512_BF16;
    return features;
}

tn_status tn_cpu_enable_amx(void) {
    enum { ARCH_REQ_XCOMP_PERM_CODE = 0x1023, XFEATURE_XTILEDATA = 18 };
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM_CODE, XFEATURE_XTILEDATA) == 0)
        return NULL;
    return tn_error_make(TN_UNSUPPORTED,
                         "Linux refuses the use of AMX tiles: %s; compile for "
                         "cpu:x86-64-v4 instead",
                         strerror(errno));
}

void tn_cpu_caches(size_t *out_l1_bytes, size_t *out_l2_bytes) {
    *out_l1_bytes = *out_l2_bytes = 0;
    uint32_t a, b, c, d;
    /* Leaf 4: one cache per subleaf until the type is 0. */
    for (uint32_t i = 0; i < 8 && __get_cpuid_count(4, i, &a, &b, &c, &d) && (a & 31) != 0; i++) {
        bool holds_data = (a & 31) == 1 || (a & 31) == 3;
        size_t bytes =
            (size_t)((b >> 22) + 1) * (((b >> 12) & 1023) + 1) * ((b & 4095) + 1) * ((size_t)c + 1);
        uint32_t level = (a >> 5) & 7;
        if (holds_data && level == 1)
            *out_l1_bytes = bytes;
        if (holds_data && level == 2)
            *out_l2_bytes = bytes;
    }
}

#else

uint64_t tn_cpu_features(void) {
    return 0;
}

tn_status tn_cpu_enable_amx(void) {
    return tn_error_make(TN_UNSUPPORTED, "this machine has no AMX tiles");
}

void tn_cpu_caches(size_t *out_l1_bytes, size_t *out_l2_bytes) {
    *out_l1_bytes = *out_l2_bytes = 0;
}

#endif
