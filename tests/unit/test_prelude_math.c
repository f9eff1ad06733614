/* test_prelude_math.c: the vector mathematics of generated code against libm in double, in units of
 * the last place, on random bits, on ranges where the functions bend, and on edge values; for every
 * instruction set of this machine. */
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedded_cpu_compile.h"
#include "generated.h"

enum { BATCH = 4096, BATCHES = 48 };

static double ref_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double ref_silu(double x) {
    return x / (1 + exp(-x));
}
static double ref_gelu(double x) {
    return x * (0.5 * erfc(-x * sqrt(0.5)));
}
static double ref_gelu_tanh(double x) {
    return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
static double ref_rsqrt(double x) {
    return 1 / sqrt(x);
}

/* Limits in ulp. The plain column is without fused multiply-add. The limits of silu and gelu stand
 * for their far left tails, where the result is a product with an almost vanishing factor; 2^14 is
 * a relative error of 2^-10. */
static const struct function {
    const char *name;
    double (*exact)(double);
    double limit, plain_limit;
} functions[] = {
    {"exp", exp, 1.0, 1.0},
    {"expm1", expm1, 1.6, 1.6},
    {"log", log, 1.0, 1.0},
    {"log1p", log1p, 1.6, 1.6},
    {"log2", log2, 2, 2},
    {"log10", log10, 2, 2},
    {"sigmoid", ref_sigmoid, 3, 3},
    {"silu", ref_silu, 60, 60},
    {"tanh", tanh, 1.5, 1.5},
    {"erf", erf, 1.3, 1.3},
    {"gelu_erf", ref_gelu, 10, 80},
    {"gelu_tanh", ref_gelu_tanh, 220, 260},
    {"sin", sin, 1.7, 1.7},
    {"cos", cos, 1.7, 1.7},
    {"sqrt", sqrt, 0.5, 0.5},
    {"rsqrt", ref_rsqrt, 1.6, 1.6},
    {"gelu_erf_bf16", ref_gelu, 0x1p14, 0x1p14},
    {"floor", floor, 0, 0},
    {"ceil", ceil, 0, 0},
    {"trunc", trunc, 0, 0},
    {"round", rint, 0, 0},
};
enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

static const float edges[] = {
    0.0f,          -0.0f,         1.0f,          -1.0f,           INFINITY,   -INFINITY,
    NAN,           0x1p-149f,     -0x1p-149f,    1e-40f,          -1e-40f,    0x1p-126f,
    -0x1p-126f,    3.4e38f,       -3.4e38f,      88.7f,           89.0f,      -87.3f,
    -88.0f,        -103.0f,       -104.0f,       -105.0f,         0.625f,     0.93f,
    4.0f,          -4.0f,         5.0f,          -5.0f,           -13.0f,     -14.5f,
    1e6f,          1e7f,          -1e10f,        1e20f,           0x1p20f,    -0x1.000008p20f,
    0x1p24f,       0x1p-24f,      -0x1p-24f,     -0x1.fffffep-1f, 2.0f,       -2.0f,
    3.0f,          -3.0f,         0.5f,          -0.5f,           2.5f,       0x1.921fb6p0f,
    0x1.921fb6p1f, 0x1.6ac5b2p6f, 0x1.62e42ep6f, 0x1.62e43p6f,    8388607.5f, -8388608.0f,
    7.0f,          1.5f,
};
enum { EDGE_COUNT = sizeof edges / sizeof *edges };

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Random bits, then [-2, 2], then [-20, 20], then the edges. */
static float sample(int batch, int i, unsigned long long *state) {
    switch (batch % 4) {
    case 0:
        return from_bits(tn_test_random(state));
    case 1:
        return tn_test_uniform(state) * 2;
    case 2:
        return tn_test_uniform(state) * 20;
    default:
        return edges[i % EDGE_COUNT];
    }
}

static const char wrappers[] =
    "void test_pow(const float *x, const float *e, float *y, int n) {\n"
    "    for (int i = 0; i < n; i += TN_W) {\n"
    "        tn_vf power = tn_pow_f(tn_load_f32(x + i, 1, TN_W), tn_load_f32(e + i, 1, TN_W));\n"
    "        tn_store_f32(y + i, 1, TN_W, power);\n"
    "    }\n"
    "}\n"
    "void test_narrow(const float *x, uint16_t *bf16, uint16_t *f16, int n) {\n"
    "    for (int i = 0; i < n; i += TN_W) {\n"
    "        tn_store_bf16(bf16 + i, 1, TN_W, tn_load_f32(x + i, 1, TN_W));\n"
    "        tn_store_f16(f16 + i, 1, TN_W, tn_load_f32(x + i, 1, TN_W));\n"
    "    }\n"
    "}\n"
    "void test_widen(const uint16_t *h, float *bf16, float *f16, int n) {\n"
    "    for (int i = 0; i < n; i += TN_W) {\n"
    "        tn_store_f32(bf16 + i, 1, TN_W, tn_load_bf16(h + i, 1, TN_W));\n"
    "        tn_store_f32(f16 + i, 1, TN_W, tn_load_f16(h + i, 1, TN_W));\n"
    "    }\n"
    "}\n"
    "void test_fold(const float *x, const float *y, float *sum, float *max, float *minmax) {\n"
    "    tn_vf a = tn_load_f32(x, 1, TN_W), b = tn_load_f32(y, 1, TN_W);\n"
    "    *sum = tn_hsum_f(a), *max = tn_hmax_f(a);\n"
    "    tn_store_f32(minmax, 1, TN_W, tn_min_f(a, b));\n"
    "    tn_store_f32(minmax + TN_W, 1, TN_W, tn_max_f(a, b));\n"
    "}\n"
    "void test_lanes(float *x, uint16_t *h, const float *y, const uint16_t *g, long stride, long "
    "n) {\n"
    "    tn_store_f32(x, stride, n, tn_load_f32(y, stride, n));\n"
    "    tn_store_bf16(h, stride, n, tn_load_bf16(g, stride, n));\n"
    "}\n"
    "int test_lane_count(void) { return TN_W; }\n";

static void *compile_functions(const tn_test_isa *isa) {
    size_t capacity = tn_text_prelude_vector_c_bytes + tn_text_prelude_math_c_bytes + 16384, used;
    char name[64], *source = malloc(capacity);
    assert_non_null(source);
    used = (size_t)snprintf(source, capacity, "%s%s", tn_text_prelude_vector_c,
                            tn_text_prelude_math_c);
    for (size_t f = 0; f < FUNCTION_COUNT; f++)
        used += (size_t)snprintf(
            source + used, capacity - used,
            "void test_%s(const float *x, float *y, int n) {\n"
            "    for (int i = 0; i < n; i += TN_W)\n"
            "        tn_store_f32(y + i, 1, TN_W, tn_%s_f(tn_load_f32(x + i, 1, TN_W)));\n}\n",
            functions[f].name, functions[f].name);
    used += (size_t)snprintf(source + used, capacity - used, "%s", wrappers);
    assert_true(used < capacity);
    snprintf(name, sizeof name, "math_%s", isa->name);
    void *handle = tn_test_compile(name, isa->flags, source);
    free(source);
    assert_non_null(handle);
    return handle;
}

static void check_functions(const tn_test_isa *isa, void *handle) {
    static float x[BATCH], y[BATCH];
    for (size_t f = 0; f < FUNCTION_COUNT; f++) {
        char name[64];
        snprintf(name, sizeof name, "test_%s", functions[f].name);
        void (*apply)(const float *, float *, int);
        *(void **)&apply = dlsym(handle, name);
        assert_non_null(apply);
        unsigned long long state = 88172645463325252ull;
        double worst = 0;
        float worst_at = 0, worst_value = 0;
        for (int batch = 0; batch < BATCHES; batch++) {
            for (int i = 0; i < BATCH; i++)
                x[i] = sample(batch, i, &state);
            apply(x, y, BATCH);
            for (int i = 0; i < BATCH; i++) {
                double ulp = tn_test_ulp(y[i], functions[f].exact((double)x[i]));
                if (ulp > worst)
                    worst = ulp, worst_at = x[i], worst_value = y[i];
            }
        }
        double limit = isa->has_fma ? functions[f].limit : functions[f].plain_limit;
        if (worst > limit)
            fail_msg("%s on %s: %g ulp at x = %a (result %a), wanted at most %g", functions[f].name,
                     isa->name, worst, (double)worst_at, (double)worst_value, limit);
    }
}

static void check_pow(const tn_test_isa *isa, void *handle) {
    static float x[BATCH], e[BATCH], y[BATCH];
    void (*apply)(const float *, const float *, float *, int);
    *(void **)&apply = dlsym(handle, "test_pow");
    unsigned long long state = 123456789;
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++) {
            x[i] = batch % 2 ? edges[i % EDGE_COUNT] : sample(batch / 2, i, &state);
            e[i] = batch % 2 ? edges[(i / EDGE_COUNT) % EDGE_COUNT] : sample(batch / 2, i, &state);
            if (batch % 8 == 4)
                x[i] = fabsf(x[i]) * 5;
        }
        apply(x, e, y, BATCH);
        for (int i = 0; i < BATCH; i++) {
            double exact = pow((double)x[i], (double)e[i]);
            if (tn_test_ulp(y[i], exact) > 1.0 || (exact == 0 && !signbit(exact) != !signbit(y[i])))
                fail_msg("pow(%a, %a) on %s is %a, wanted %a", (double)x[i], (double)e[i],
                         isa->name, (double)y[i], exact);
        }
    }
}

/* bf16 by integer arithmetic: nearest even; denormal inputs may be flushed by the machine. */
static bool bf16_is_right(float x, uint16_t got) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x))
        return (got & 0x7f80) == 0x7f80 && (got & 0x7f) != 0;
    if ((bits & 0x7f800000) == 0 && (got & 0x7fff) == 0)
        return true;
    return got == (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The nearest of the 65536 halves, found through doubles: value and the even neighbour rule. */
static double f16_value(uint16_t h) {
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return h >> 15 ? -magnitude : magnitude;
}
static bool f16_is_right(float x, uint16_t got) {
    if (isnan(x))
        return (got & 0x7c00) == 0x7c00 && (got & 0x3ff) != 0;
    if (!signbit(x) != !(got >> 15))
        return false;
    double magnitude = fabs((double)x);
    got &= 0x7fff;
    if (magnitude >= 65520)
        return got == 0x7c00;
    if (got >= 0x7c00)
        return false;
    double error = fabs(f16_value(got) - magnitude);
    double above = fabs(f16_value((uint16_t)(got + 1)) - magnitude);
    double below = got ? fabs(f16_value((uint16_t)(got - 1)) - magnitude) : INFINITY;
    bool odd = got & 1;
    return odd ? error < above && error < below : error <= above && error <= below;
}

static void check_narrow(const tn_test_isa *isa, void *handle) {
    static float x[BATCH], bf16_wide[BATCH], f16_wide[BATCH];
    static uint16_t bf16[BATCH], f16[BATCH];
    void (*narrow)(const float *, uint16_t *, uint16_t *, int);
    void (*widen)(const uint16_t *, float *, float *, int);
    *(void **)&narrow = dlsym(handle, "test_narrow");
    *(void **)&widen = dlsym(handle, "test_widen");
    unsigned long long state = 42;
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++) {
            x[i] = sample(batch, i, &state);
            if (batch % 8 == 1) /* halfway cases of fp16, its denormals among them */
                x[i] = ldexpf((float)(tn_test_random(&state) % 4096),
                              (int)(tn_test_random(&state) % 30) - 26);
        }
        narrow(x, bf16, f16, BATCH);
        for (int i = 0; i < BATCH; i++)
            if (!bf16_is_right(x[i], bf16[i]) || !f16_is_right(x[i], f16[i]))
                fail_msg("%a on %s narrows to bf16 %04x, fp16 %04x", (double)x[i], isa->name,
                         bf16[i], f16[i]);
    }
    for (int first = 0; first < 65536; first += BATCH) {
        for (int i = 0; i < BATCH; i++)
            bf16[i] = (uint16_t)(first + i);
        widen(bf16, bf16_wide, f16_wide, BATCH);
        for (int i = 0; i < BATCH; i++) {
            float exact = from_bits((uint32_t)bf16[i] << 16);
            bool same = isnan(exact) ? isnan(bf16_wide[i]) : bf16_wide[i] == exact;
            bool special = (bf16[i] & 0x7c00) == 0x7c00;
            double half = !special          ? f16_value(bf16[i])
                          : bf16[i] & 0x3ff ? NAN
                          : bf16[i] >> 15   ? -INFINITY
                                            : INFINITY;
            bool half_same = isnan(half) ? isnan(f16_wide[i]) : (double)f16_wide[i] == half;
            if (!same || !half_same)
                fail_msg("%04x on %s widens to %a as bf16, %a as fp16", bf16[i], isa->name,
                         (double)bf16_wide[i], (double)f16_wide[i]);
        }
    }
}

static void check_fold(const tn_test_isa *isa, void *handle) {
    int (*lane_count)(void);
    void (*fold)(const float *, const float *, float *, float *, float *);
    *(void **)&lane_count = dlsym(handle, "test_lane_count");
    *(void **)&fold = dlsym(handle, "test_fold");
    int lanes = lane_count();
    assert_int_equal(lanes, isa->has_avx512 ? 16 : 8);
    for (int largest = 0; largest < lanes; largest++) {
        float x[16], y[16], sum, max, both[32];
        for (int i = 0; i < lanes; i++)
            x[i] = i == largest ? 3.0f : (float)-i, y[i] = i == largest ? NAN : (float)(-i + 1);
        fold(x, y, &sum, &max, both);
        assert_true(max == 3.0f);
        assert_true(sum == 3.0f + (float)largest - (float)(lanes * (lanes - 1) / 2));
        for (int i = 0; i < lanes; i++) {
            assert_true(i == largest ? isnan(both[i]) : both[i] == x[i]);
            assert_true(i == largest ? isnan(both[lanes + i]) : both[lanes + i] == y[i]);
        }
        x[largest] = NAN;
        fold(x, y, &sum, &max, both);
        assert_true(isnan(max) && isnan(sum) && isnan(both[largest]));
    }
}

/* Every count of lanes at strides 0, 1 and 3, on allocations that end with the last lane, so that
 * the address sanitizer sees an overrun. */
static void check_lanes(void *handle) {
    int (*lane_count)(void);
    void (*copy)(float *, uint16_t *, const float *, const uint16_t *, long, long);
    *(void **)&lane_count = dlsym(handle, "test_lane_count");
    *(void **)&copy = dlsym(handle, "test_lanes");
    static const long strides[] = {0, 1, 3};
    for (int s = 0; s < 3; s++)
        for (long count = 1; count <= lane_count(); count++) {
            long stride = strides[s], span = (count - 1) * stride + 1;
            float *x = calloc((size_t)span, sizeof *x), *y = calloc((size_t)span, sizeof *y);
            uint16_t *h = calloc((size_t)span, sizeof *h), *g = calloc((size_t)span, sizeof *g);
            assert_true(x && y && h && g);
            for (long i = 0; i < span; i++)
                y[i] = (float)(i + 1), g[i] = (uint16_t)(0x3f80 + i);
            copy(x, h, y, g, stride, count);
            for (long i = 0; i < span; i++) {
                bool meant = stride == 0 || i % stride == 0;
                assert_true(x[i] == (meant ? y[i] : 0.0f));
                assert_int_equal(h[i], meant ? g[i] : 0);
            }
            free(x), free(y), free(h), free(g);
        }
}

static void test_every_isa(void **state) {
    (void)state;
    const tn_test_isa *isas;
    size_t isa_count = tn_test_isas(&isas);
    for (size_t i = 0; i < isa_count; i++) {
        void *handle = compile_functions(&isas[i]);
        check_functions(&isas[i], handle);
        check_pow(&isas[i], handle);
        check_narrow(&isas[i], handle);
        check_fold(&isas[i], handle);
        check_lanes(handle);
        dlclose(handle);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_isa)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
