/* peak.c: the arithmetic limit of one core of this machine, in slices of under a millisecond.
 *
 * A shared library, so that a benchmark measures it in its own thread, between the kernels that it
 * times. fp32 is fused multiply-adds in the widest registers there are, bf16 is tile products (AMX)
 * on tiles that stay in registers: what no kernel can exceed. Operands are not zero, and enough
 * accumulators are in flight that latency hides. The instructions are written as assembly, because
 * a compiler would see that nothing is done with the results.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

/* One slice of work; the result is the number of floating-point operations done. */
typedef double run_slice(void);

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve accumulators, cleared and then added 1 * 1e-7 to: enough for two units of four cycles. */
#define CLEAR_12                                                                                   \
    "vxorps %%xmm0, %%xmm0, %%xmm0\n\t"                                                            \
    "vxorps %%xmm1, %%xmm1, %%xmm1\n\t"                                                            \
    "vxorps %%xmm2, %%xmm2, %%xmm2\n\t"                                                            \
    "vxorps %%xmm3, %%xmm3, %%xmm3\n\t"                                                            \
    "vxorps %%xmm4, %%xmm4, %%xmm4\n\t"                                                            \
    "vxorps %%xmm5, %%xmm5, %%xmm5\n\t"                                                            \
    "vxorps %%xmm6, %%xmm6, %%xmm6\n\t"                                                            \
    "vxorps %%xmm7, %%xmm7, %%xmm7\n\t"                                                            \
    "vxorps %%xmm8, %%xmm8, %%xmm8\n\t"                                                            \
    "vxorps %%xmm9, %%xmm9, %%xmm9\n\t"                                                            \
    "vxorps %%xmm10, %%xmm10, %%xmm10\n\t"                                                         \
    "vxorps %%xmm11, %%xmm11, %%xmm11\n\t"
#define FMA_12(reg)                                                                                \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "0\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "1\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "2\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "3\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "4\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "5\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "6\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "7\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "8\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "9\n\t"                                         \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "10\n\t"                                        \
    "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "11\n\t"
#define FMA_CLOBBERS                                                                               \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm14", "xmm15"

static const float one = 1.0F;
static const float small = 1e-7F;

static double fma_avx512(void) {
    const long count = 400000;
    long n = count;
    __asm__ volatile("vbroadcastss %1, %%zmm14\n\t"
                     "vbroadcastss %2, %%zmm15\n\t" CLEAR_12 "1:\n\t" FMA_12("zmm") "dec %0\n\t"
                                                                                    "jnz 1b\n\t"
                     : "+r"(n)
                     : "m"(one), "m"(small)
                     : "cc", FMA_CLOBBERS);
    return (double)count * 12 * 16 * 2;
}

static double fma_avx2(void) {
    const long count = 400000;
    long n = count;
    __asm__ volatile("vbroadcastss %1, %%ymm14\n\t"
                     "vbroadcastss %2, %%ymm15\n\t" CLEAR_12 "1:\n\t" FMA_12("ymm") "dec %0\n\t"
                                                                                    "jnz 1b\n\t"
                     : "+r"(n)
                     : "m"(one), "m"(small)
                     : "cc", FMA_CLOBBERS);
    return (double)count * 12 * 8 * 2;
}

/* The operand of ldtilecfg, as the architecture lays it out. */
typedef struct tile_config {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Eight full tiles: 0 to 3 accumulate, 4 to 7 hold operands of small bf16 values. */
static void load_tiles(void) {
    static uint16_t values[16 * 32];
    tile_config config;
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int tile = 0; tile < 8; tile++) {
        config.row_bytes[tile] = 64;
        config.rows[tile] = 16;
    }
    for (int i = 0; i < 16 * 32; i++)
        values[i] = (uint16_t)(0x3c00 + i % 128);
    const long stride = 64;
    __asm__ volatile("ldtilecfg %0\n\t"
                     "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"
                     "tileloadd (%1, %2), %%tmm4\n\ttileloadd (%1, %2), %%tmm5\n\t"
                     "tileloadd (%1, %2), %%tmm6\n\ttileloadd (%1, %2), %%tmm7\n\t"
                     :
                     : "m"(config), "r"(values), "r"(stride)
                     : "memory");
}

static double tile_products(void) {
    const long count = 40000;
    load_tiles(); /* each time: a signal handler or a sleep may have reset the tiles */
    for (long n = 0; n < count; n++)
        __asm__ volatile("tdpbf16ps %tmm6, %tmm4, %tmm0\n\ttdpbf16ps %tmm7, %tmm4, %tmm1\n\t"
                         "tdpbf16ps %tmm6, %tmm5, %tmm2\n\ttdpbf16ps %tmm7, %tmm5, %tmm3\n\t");
    __asm__ volatile("tilerelease");
    return (double)count * 4 * 16 * 16 * 32 * 2;
}

static bool has_amx_bf16(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    const uint32_t wanted = 1U << 22 | 1U << 24; /* AMX-BF16, AMX-TILE */
    return (d & wanted) == wanted &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

double peak_slice(const char *what);

static run_slice *choose(const char *what) {
    if (strcmp(what, "bf16") == 0)
        return has_amx_bf16() ? tile_products : NULL;
    if (strcmp(what, "fp32") != 0)
        return NULL;
    if (__builtin_cpu_supports("avx512f"))
        return fma_avx512;
    return __builtin_cpu_supports("fma") ? fma_avx2 : NULL;
}

/* The rate in GFLOP/s of one slice of "fp32" or "bf16"; 0 where the machine has no such unit. */
double peak_slice(const char *what) {
    run_slice *slice = choose(what);
    if (slice == NULL)
        return 0.0;
    const double start = now_s();
    const double operations = slice();
    return operations / (now_s() - start) / 1e9;
}
