/* test_interp_contract.c: contractions, windows and normalisations on the interpreter, against
 * their definitions written out as plain loops, and against values of PyTorch 2.13. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "generated.h"
#include "graph_case.h"

static const tn_allocator *allocator(void) {
    static tn_allocator system;
    system = tn_allocator_system();
    return &system;
}

static void fill(double *data, size_t count, unsigned long long seed) {
    for (size_t i = 0; i < count; i++)
        data[i] = (double)(tn_test_random(&seed) >> 8) / (1 << 23) - 1;
}

static tn_tensor tensor(double *data, uint32_t rank, const int64_t *dims) {
    tn_tensor t = {.dtype = TN_F64, .rank = rank, .data = data};
    int64_t stride = 1;
    for (uint32_t d = rank; d-- > 0; stride *= dims[d]) {
        t.dims[d] = dims[d];
        t.strides[d] = stride;
    }
    return t;
}
#define TENSOR(data, ...)                                                                          \
    tensor(data, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void assert_close(const double *seen, const double *wanted, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs(seen[i] - wanted[i]) <= 1e-12 * (1 + fabs(wanted[i])))) {
            print_error("element %zu is %.17g, wanted %.17g\n", i, seen[i], wanted[i]);
            fail();
        }
}

/* Sizes beside and beyond the panels (256 x 64); the right operand also column-major. */
static void matmul_sizes(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},   {3, 0, 2},     {2, 5, 64},  {5, 256, 65},
                                       {2, 257, 3}, {7, 513, 130}, {1, 300, 64}};
    for (size_t c = 0; c < sizeof sizes / sizeof sizes[0]; c++) {
        int64_t m = sizes[c][0], k = sizes[c][1], n = sizes[c][2];
        double *a = calloc((size_t)(m * k + 1), 8), *b = calloc((size_t)(k * n + 1), 8);
        double *bias = calloc((size_t)n, 8), *out = calloc((size_t)(m * n), 8);
        double *wanted = calloc((size_t)(m * n), 8);
        fill(a, (size_t)(m * k), 1 + c);
        fill(b, (size_t)(k * n), 99 + c);
        fill(bias, (size_t)n, 7 + c);
        for (int turned = 0; turned < 2; turned++) {
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double sum = bias[j];
                    for (int64_t l = 0; l < k; l++)
                        sum += a[i * k + l] * (turned ? b[j * k + l] : b[l * n + j]);
                    wanted[i * n + j] = sum;
                }
            tn_tensor ta = TENSOR(a, m, k), tb = TENSOR(b, k, n), tbias = TENSOR(bias, n);
            tn_tensor result = TENSOR(out, m, n);
            if (turned) {
                tb.strides[0] = 1;
                tb.strides[1] = k;
            }
            const tn_tensor *operands[3] = {&ta, &tb, &tbias};
            tn_resolved_arg args[3] = {{.kind = TN_ARG_VALUE, .operand = 0},
                                       {.kind = TN_ARG_VALUE, .operand = 1},
                                       {.kind = TN_ARG_VALUE, .operand = 2}};
            assert_null(
                tn_interp_run(allocator(), TN_PRIM_MATMUL, operands, 3, args, 3, &result, 1));
            assert_close(out, wanted, (size_t)(m * n));
        }
        free(a), free(b), free(bias), free(out), free(wanted);
    }
}

static void matmul_batches(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %a: f32[2, 1, 1, 2] = [1.0, 2.0, 3.0, 4.0]\n"
                  "const %b: f32[2, 2, 1] = [1.0, 10.0, 100.0, 1000.0]\n"
                  "%r: f32[2, 2, 1, 1] = k::matmul(%a, %b, none)\n"
                  "const %w0: f32[2, 2, 1, 1] = [21.0, 2100.0, 43.0, 4300.0]\n"
                  "const %c: i64[1, 2] = [4611686018427387904, 3]\n"
                  "const %d: i64[2, 1] = [4, 5] %i: i64[1, 1] = k::matmul(%c, %d, none)\n"
                  "const %w1: i64[1, 1] = [15]\n"
                  "const %e: bf16[1, 2] = [256.0, 1.0] const %f: bf16[2, 1] = [1.0, 1.0]\n"
                  "const %g: bf16[] = [1.0] %h: bf16[1, 1] = k::matmul(%e, %f, %g)\n"
                  "const %w2: bf16[1, 1] = [258.0] return %r, %w0, %i, %w1, %h, %w2 }",
                  0);
}

typedef struct conv_case {
    int64_t n, c, h, w, o, kh, kw, stride[2], lo[2], hi[2], dilation[2], groups;
    int64_t output_padding[2];
    bool transposed;
} conv_case;

/* The definition, by scattering for transposed convolutions. */
static void conv_reference(const conv_case *p, const double *x, const double *w, const double *bias,
                           int64_t oh, int64_t ow, double *out) {
    int64_t cg = p->c / p->groups, og = p->o / p->groups;
    for (int64_t i = 0; i < p->n * p->o * oh * ow; i++)
        out[i] = bias[i / (oh * ow) % p->o];
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t o = 0; o < p->o; o++)
            for (int64_t ci = 0; ci < cg; ci++)
                for (int64_t kh = 0; kh < p->kh; kh++)
                    for (int64_t kw = 0; kw < p->kw; kw++)
                        for (int64_t a = 0; a < (p->transposed ? p->h : oh); a++)
                            for (int64_t b = 0; b < (p->transposed ? p->w : ow); b++) {
                                int64_t c = o / og * cg + ci;
                                int64_t y = a * p->stride[0] - p->lo[0] + kh * p->dilation[0];
                                int64_t z = b * p->stride[1] - p->lo[1] + kw * p->dilation[1];
                                int64_t limit_y = p->transposed ? oh : p->h;
                                int64_t limit_z = p->transposed ? ow : p->w;
                                if (y < 0 || y >= limit_y || z < 0 || z >= limit_z)
                                    continue;
                                double weight =
                                    p->transposed ? w[((c * og + o % og) * p->kh + kh) * p->kw + kw]
                                                  : w[((o * cg + ci) * p->kh + kh) * p->kw + kw];
                                int64_t in_y = p->transposed ? a : y, in_z = p->transposed ? b : z;
                                int64_t out_y = p->transposed ? y : a,
                                        out_z = p->transposed ? z : b;
                                out[((n * p->o + o) * oh + out_y) * ow + out_z] +=
                                    weight * x[((n * p->c + c) * p->h + in_y) * p->w + in_z];
                            }
}

static int64_t conv_out(const conv_case *p, int d, int64_t in, int64_t k) {
    int64_t reach = (k - 1) * p->dilation[d] + 1;
    if (p->transposed)
        return (in - 1) * p->stride[d] + reach - p->lo[d] - p->hi[d] + p->output_padding[d];
    return (in + p->lo[d] + p->hi[d] - reach) / p->stride[d] + 1;
}

static void convolutions(void **state) {
    (void)state;
    static const conv_case cases[] = {
        {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1, {0, 0}, false},
        {2, 4, 9, 8, 6, 3, 3, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 1, {0, 0}, false},
        {1, 4, 9, 8, 4, 3, 2, {1, 2}, {1, 0}, {2, 1}, {2, 1}, 4, {0, 0}, false},
        {1, 40, 9, 11, 66, 3, 3, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 2, {0, 0}, false},
        {2, 6, 5, 4, 4, 3, 3, {2, 3}, {1, 0}, {1, 0}, {1, 2}, 2, {1, 2}, true},
        {1, 2, 3, 3, 2, 2, 2, {1, 1}, {-1, 0}, {0, 0}, {1, 1}, 1, {0, 0}, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const conv_case *p = &cases[c];
        int64_t oh = conv_out(p, 0, p->h, p->kh), ow = conv_out(p, 1, p->w, p->kw);
        int64_t w0 = p->transposed ? p->c : p->o;
        int64_t w1 = (p->transposed ? p->o : p->c) / p->groups;
        size_t xs = (size_t)(p->n * p->c * p->h * p->w), ws = (size_t)(w0 * w1 * p->kh * p->kw);
        size_t outs = (size_t)(p->n * p->o * oh * ow);
        double *x = calloc(xs, 8), *w = calloc(ws, 8), *bias = calloc((size_t)p->o, 8);
        double *out = calloc(outs, 8), *wanted = calloc(outs, 8);
        fill(x, xs, 5 + c);
        fill(w, ws, 50 + c);
        fill(bias, (size_t)p->o, 500 + c);
        conv_reference(p, x, w, bias, oh, ow, wanted);
        tn_tensor tx = TENSOR(x, p->n, p->c, p->h, p->w), tw = TENSOR(w, w0, w1, p->kh, p->kw);
        tn_tensor tb = TENSOR(bias, p->o), result = TENSOR(out, p->n, p->o, oh, ow);
        const tn_tensor *operands[3] = {&tx, &tw, &tb};
        tn_resolved_arg args[10] = {
            {.kind = TN_ARG_VALUE, .operand = 0},
            {.kind = TN_ARG_VALUE, .operand = 1},
            {.kind = TN_ARG_VALUE, .operand = 2},
            {.kind = TN_ARG_INTS, .count = 2, .ints = p->stride},
            {.kind = TN_ARG_INTS, .count = 2, .ints = p->lo},
            {.kind = TN_ARG_INTS, .count = 2, .ints = p->hi},
            {.kind = TN_ARG_INTS, .count = 2, .ints = p->dilation},
            {.kind = TN_ARG_INT, .i = p->groups},
            {.kind = TN_ARG_BOOL, .b = p->transposed},
            {.kind = TN_ARG_INTS, .count = 2, .ints = p->output_padding},
        };
        assert_null(tn_interp_run(allocator(), TN_PRIM_CONV, operands, 3, args, 10, &result, 1));
        assert_close(out, wanted, outs);
        free(x), free(w), free(bias), free(out), free(wanted);
    }
}

static void convolutions_1d_3d(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[1, 1, 4] = [1.0, 2.0, 3.0, 4.0]\n"
                  "const %w: f32[1, 1, 2] = [1.0, 10.0]\n"
                  "%r: f32[1, 1, 3] = k::conv(%x, %w, none, [2], [1], [1], [1], 1, false, [0])\n"
                  "const %w0: f32[1, 1, 3] = [10.0, 32.0, 4.0]\n"
                  "const %y: f32[1, 1, 2, 1, 2] = [1.0, 2.0, 3.0, 4.0]\n"
                  "const %v: f32[1, 1, 2, 1, 1] = [1.0, 10.0]\n"
                  "%s: f32[1, 1, 1, 1, 2] = k::conv(%y, %v, none, [1, 1, 1], [0, 0, 0], [0, 0, 0],"
                  " [1, 1, 1], 1, false, [0, 0, 0])\n"
                  "const %w1: f32[1, 1, 1, 1, 2] = [31.0, 42.0] return %r, %w0, %s, %w1 }",
                  0);
}

/* Against softmax written out; grouped keys, masks of every kind, rows that see nothing. */
static void attention_heads(void **state) {
    (void)state;
    enum { B = 2, H = 4, G = 2, S = 3, T = 5, D = 6, E = 2 };
    static double q[B * H * S * D], k[B * G * T * D], v[B * G * T * E], out[B * H * S * E];
    static double wanted[B * H * S * E], mask[S * T];
    static uint8_t hidden[B * T];
    fill(q, sizeof q / 8, 1);
    fill(k, sizeof k / 8, 2);
    fill(v, sizeof v / 8, 3);
    fill(mask, sizeof mask / 8, 4);
    for (int t = 0; t < T; t++)
        mask[1 * T + t] = -INFINITY;
    for (int i = 0; i < B * T; i++)
        hidden[i] = i % 3 != 0;
    for (int kind = 0; kind < 4; kind++) { /* none, causal, float, bool */
        for (int b = 0; b < B; b++)
            for (int h = 0; h < H; h++)
                for (int s = 0; s < S; s++) {
                    double weights[T], sum = 0;
                    int g = h / (H / G);
                    for (int t = 0; t < T; t++) {
                        double dot = 0;
                        for (int d = 0; d < D; d++)
                            dot +=
                                q[((b * H + h) * S + s) * D + d] * k[((b * G + g) * T + t) * D + d];
                        dot = dot * 0.5 + (kind == 2 ? mask[s * T + t] : 0);
                        bool is_hidden =
                            (kind == 1 && t > s - 1) || (kind == 3 && !hidden[b * T + t]);
                        weights[t] = is_hidden ? 0 : exp(dot);
                        sum += weights[t];
                    }
                    for (int e = 0; e < E; e++) {
                        double mean = 0;
                        for (int t = 0; t < T; t++)
                            mean += weights[t] * v[((b * G + g) * T + t) * E + e];
                        wanted[((b * H + h) * S + s) * E + e] = sum > 0 ? mean / sum : 0;
                    }
                }
        tn_tensor tq = TENSOR(q, B, H, S, D), tk = TENSOR(k, B, G, T, D),
                  tv = TENSOR(v, B, G, T, E);
        tn_tensor result = TENSOR(out, B, H, S, E), tm = TENSOR(mask, S, T);
        if (kind == 3) {
            tm = TENSOR((double *)(void *)hidden, B, 1, 1, T);
            tm.dtype = TN_BOOL;
        }
        const tn_tensor *operands[4] = {&tq, &tk, &tv, &tm};
        tn_resolved_arg args[7] = {
            {.kind = TN_ARG_VALUE, .operand = 0},
            {.kind = TN_ARG_VALUE, .operand = 1},
            {.kind = TN_ARG_VALUE, .operand = 2},
            {.kind = kind >= 2 ? TN_ARG_VALUE : TN_ARG_NONE, .operand = kind >= 2 ? 3 : 0},
            {.kind = TN_ARG_FLOAT, .f = 0.5},
            {.kind = TN_ARG_BOOL, .b = kind == 1},
            {.kind = TN_ARG_INT, .i = -1}};
        assert_null(tn_interp_run(allocator(), TN_PRIM_ATTENTION, operands, kind >= 2 ? 4 : 3, args,
                                  7, &result, 1));
        assert_close(out, wanted, sizeof out / 8);
    }
}

static void pools(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[1, 5] = [1.0, nan, 3.0, -inf, -inf]\n"
                  "%m: f32[1, 3], %i: i64[1, 3] = k::max_pool(%x, [2], [2], [1], [1], [3])\n"
                  "const %w0: f32[1, 3] = [1.0, nan, -inf] const %w1: i64[1, 3] = [0, 1, 3]\n"
                  "%d: f32[1, 2], %j: i64[1, 2] = k::max_pool(%x, [2], [1], [0], [3], [2])\n"
                  "const %w2: f32[1, 2] = [1.0, nan] const %w3: i64[1, 2] = [0, 1]\n"
                  "return %m, %w0, %i, %w1, %d, %w2, %j, %w3 }",
                  0);
    tn_test_pairs("graph g { const %x: f32[1, 2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
                  "%a: f32[1, 2, 2] = k::avg_pool(%x, [2, 2], [1, 2], [1, 0], 0, [2, 2])\n"
                  "const %w0: f32[1, 2, 2] = [0.75, 1.5, 3.0, 4.5]\n"
                  "%b: f32[1, 2, 2] = k::avg_pool(%x, [2, 2], [1, 2], [1, 0], -1, [2, 2])\n"
                  "const %w1: f32[1, 2, 2] = [1.5, 3.0, 3.0, 4.5]\n"
                  "%c: f32[1, 2, 2] = k::avg_pool(%x, [2, 2], [1, 2], [1, 0], 3, [2, 2])\n"
                  "const %w2: f32[1, 2, 2] = [1.0, 1.0, 4.0, 3.0]\n"
                  "%d: f32[1, 1, 2] = k::adaptive_avg_pool(%x, [1, 2])\n"
                  "const %w3: f32[1, 1, 2] = [3.0, 4.0]\n"
                  "%e: f32[1, 1, 2], %i: i64[1, 1, 2] = k::adaptive_max_pool(%x, [1, 2])\n"
                  "const %w4: f32[1, 1, 2] = [5.0, 6.0] const %w5: i64[1, 1, 2] = [4, 5]\n"
                  "return %a, %w0, %b, %w1, %c, %w2, %d, %w3, %e, %w4, %i, %w5 }",
                  1e-6);
}

/* Wanted values printed by torch.nn.functional.interpolate of PyTorch 2.13. */
static void resizes(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[1, 1, 4] = [1.0, 2.0, 4.0, 8.0]\n"
                  "%n: f32[1, 1, 6] = k::resize(%x, [6], \"nearest\", false, [0.0])\n"
                  "const %w0: f32[1, 1, 6] = [1.0, 1.0, 2.0, 4.0, 4.0, 8.0]\n"
                  "%e: f32[1, 1, 6] = k::resize(%x, [6], \"nearest_exact\", false, [0.0])\n"
                  "const %w1: f32[1, 1, 6] = [1.0, 2.0, 2.0, 4.0, 8.0, 8.0]\n"
                  "%l: f32[1, 1, 6] = k::resize(%x, [6], \"linear\", false, [0.0])\n"
                  "const %w2: f32[1, 1, 6] = [1.0, 1.5, 2.3333333, 3.6666665, 6.0, 8.0]\n"
                  "%a: f32[1, 1, 7] = k::resize(%x, [7], \"linear\", true, [0.0])\n"
                  "const %w3: f32[1, 1, 7] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0]\n"
                  "return %n, %w0, %e, %w1, %l, %w2, %a, %w3 }",
                  1e-6);
    tn_test_pairs("graph g { const %x: f32[1, 1, 2, 2] = [1.0, 2.0, 3.0, 4.0]\n"
                  "%c: f32[1, 1, 3, 3] = k::resize(%x, [3, 3], \"cubic\", false, [0.0, 0.0])\n"
                  "const %w: f32[1, 1, 3, 3] = [0.73958361, 1.3263891, 1.9131949, 1.9131947, 2.5, "
                  "3.0868058, 3.0868061, 3.6736112, 4.2604165]\n"
                  "const %y: i64[1, 1, 2] = [9007199254740993, 5]\n"
                  "%n: i64[1, 1, 4] = k::resize(%y, [4], \"nearest\", false, [2.0])\n"
                  "const %v: i64[1, 1, 4] = [9007199254740993, 9007199254740993, 5, 5]\n"
                  "return %c, %w, %n, %v }",
                  1e-6);
}

static void norms(void **state) {
    (void)state;
    tn_test_pairs("graph g { const %x: f32[2, 2] = [0.0, -inf, -inf, -inf]\n"
                  "%s: f32[2, 2] = k::softmax(%x, 1) const %w0: f32[2, 2] = [1.0, 0.0, nan, nan]\n"
                  "const %y: f32[2, 2] = [1.0, 1000.0, 1.0, 1001.0]\n"
                  "%t: f32[2, 2] = k::softmax(%y, 0)\n"
                  "const %w1: f32[2, 2] = [0.5, 0.26894143, 0.5, 0.7310586]\n"
                  "%l: f32[2, 2] = k::log_softmax(%y, 1)\n"
                  "const %w2: f32[2, 2] = [-999.0, 0.0, -1000.0, 0.0]\n"
                  "const %n: f32[2] = [nan, 1.0] %u: f32[2] = k::softmax(%n, 0)\n"
                  "const %w3: f32[2] = [nan, nan]\n"
                  "return %s, %w0, %t, %w1, %l, %w2, %u, %w3 }",
                  1e-6);
    tn_test_pairs("graph g { const %x: f32[2, 2] = [1.0, 3.0, -1.0, 5.0]\n"
                  "const %s: f32[2] = [2.0, 0.5] const %b: f32[2] = [1.0, -1.0]\n"
                  "%l: f32[2, 2] = k::layer_norm(%x, %s, %b, 1, 3.0)\n"
                  "const %w0: f32[2, 2] = [0.0, -0.75, -0.7320508, -0.5669873]\n"
                  "%n: f32[2, 2] = k::layer_norm(%x, none, none, 2, 0.0)\n"
                  "const %w1: f32[2, 2] = [-0.4472136, 0.4472136, -1.3416408, 1.3416408]\n"
                  "%r: f32[2, 2] = k::rms_norm(%x, %s, 1, 4.0)\n"
                  "const %w2: f32[2, 2] = [0.6666667, 0.5, -0.48507124, 0.60633904]\n"
                  "return %l, %w0, %n, %w1, %r, %w2 }",
                  1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_sizes),    cmocka_unit_test(matmul_batches),
        cmocka_unit_test(convolutions),    cmocka_unit_test(convolutions_1d_3d),
        cmocka_unit_test(attention_heads), cmocka_unit_test(pools),
        cmocka_unit_test(resizes),         cmocka_unit_test(norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
