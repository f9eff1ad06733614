/* generated.c: runs the system's compiler on generated C and opens the result. */
#include "generated.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AVX2_FLAGS "-mavx2 -mfma -mf16c"
#define AVX512_FLAGS                                                                               \
    AVX2_FLAGS " -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512"
#define BF16_FLAGS AVX512_FLAGS " -mavx512bf16"

/* Under the address sanitizer the generated code is watched, too. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER_FLAGS "-fsanitize=address"
#else
#define SANITIZER_FLAGS ""
#endif

static const tn_test_isa all_isas[] = {
    {"portable", "", false, false, false},
    {"avx2", AVX2_FLAGS, true, false, false},
    {"avx512", AVX512_FLAGS, true, true, false},
    {"avx512bf16", BF16_FLAGS, true, true, false},
    {"amx", BF16_FLAGS " -mamx-tile -mamx-bf16", true, true, true},
};

static bool has_amx_bf16(void) {
#if defined(__x86_64__)
    unsigned a = 7, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d >> 22 & 1) && (d >> 24 & 1);
#else
    return false;
#endif
}

size_t tn_test_isas(const tn_test_isa **out_isas) {
    size_t count = 1;
    *out_isas = all_isas;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return count;
    count++;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return count;
    count++;
    if (!__builtin_cpu_supports("avx512bf16"))
        return count;
    count++;
    if (has_amx_bf16())
        count++;
#endif
    return count;
}

void *tn_test_compile(const char *name, const char *flags, const char *source) {
    char path[256], command[1024];
    snprintf(path, sizeof path, "%s.c", name);
    FILE *file = fopen(path, "w");
    if (!file)
        return NULL;
    int wrote = fputs(source, file);
    if (fclose(file) != 0 || wrote < 0)
        return NULL;
    const char *compiler = getenv("CC");
    int length =
        snprintf(command, sizeof command,
                 "%s -O3 -fPIC -shared -w -Wno-psabi " SANITIZER_FLAGS " %s -o %s.so %s.c -lm",
                 compiler && *compiler ? compiler : "cc", flags, name, name);
    if (length < 0 || (size_t)length >= sizeof command || system(command) != 0)
        return NULL;
    snprintf(path, sizeof path, "./%s.so", name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fprintf(stderr, "%s\n", dlerror());
    return handle;
}

double tn_test_ulp(float value, double exact) {
    if (isnan(value) || isnan(exact))
        return isnan(value) && isnan(exact) ? 0 : INFINITY;
    if (isinf(value) || isinf((float)exact))
        return (double)value == exact || value == (float)exact ? 0 : INFINITY;
    int exponent = -149;
    if (exact != 0) {
        (void)frexp(exact, &exponent);
        exponent = exponent - 24 < -149 ? -149 : exponent - 24;
    }
    return fabs((double)value - exact) / ldexp(1, exponent);
}

unsigned tn_test_random(unsigned long long *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state >> 32);
}

float tn_test_uniform(unsigned long long *state) {
    return (float)(int)tn_test_random(state) * 0x1p-31f;
}
