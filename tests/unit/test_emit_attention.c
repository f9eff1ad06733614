/* test_emit_attention.c: attention kernels against double: every kind of mask, causal with offsets,
 * grouped heads, sizes around the blocks and the vector width, merged and transposed layouts, rows
 * with nothing to attend to, NaN. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emitted.h"

typedef enum mask_kind { NO_MASK, BOOL_MASK, FLOAT_MASK, KEY_MASK } mask_kind;

/* How q, k and v lie in memory. */
typedef enum layout {
    HEADS_FIRST,  /* [b, h, s, d], dense */
    MERGED,       /* q, k, v in one row of [b, s, (heads + 2 * kv_heads) * d] */
    TRANSPOSED_K, /* HEADS_FIRST, but k is [b, g, d, t] */
} layout;

typedef struct shape {
    int64_t b, h, g, s, t, d, e;
} shape;

typedef struct attention_case {
    const char *name;
    shape size;
    bool is_dynamic; /* s and t are symbols; the kernel is also run with other_sizes */
    mask_kind mask;
    layout layout;
    bool is_causal;
    int64_t causal_offset;
} attention_case;

static const attention_case cases[] = {
    {"plain", {2, 3, 3, 37, 53, 20, 24}, false, NO_MASK, HEADS_FIRST, false, 0},
    {"tiny", {1, 1, 1, 1, 1, 1, 1}, false, NO_MASK, HEADS_FIRST, false, 0},
    {"grouped", {2, 6, 2, 19, 70, 32, 32}, false, NO_MASK, HEADS_FIRST, false, 0},
    {"merged", {2, 4, 2, 33, 33, 16, 16}, false, NO_MASK, MERGED, true, 0},
    {"transposed", {1, 2, 2, 9, 21, 12, 40}, false, NO_MASK, TRANSPOSED_K, false, 0},
    {"bool_mask", {2, 2, 2, 40, 67, 24, 8}, false, BOOL_MASK, HEADS_FIRST, false, 0},
    {"float_mask", {2, 2, 1, 40, 67, 8, 24}, false, FLOAT_MASK, HEADS_FIRST, false, 0},
    {"key_mask", {2, 2, 2, 66, 130, 16, 17}, false, KEY_MASK, HEADS_FIRST, false, 0},
    {"negative_offset", {1, 2, 2, 30, 20, 16, 16}, false, NO_MASK, HEADS_FIRST, true, -5},
    {"masked_causal", {1, 2, 2, 70, 90, 16, 16}, false, FLOAT_MASK, HEADS_FIRST, true, 20},
    {"dynamic", {2, 2, 2, 1, 1, 64, 64}, true, NO_MASK, HEADS_FIRST, false, 0},
    {"dynamic_causal", {1, 4, 2, 1, 1, 64, 64}, true, KEY_MASK, MERGED, true, 0},
    {"wide", {1, 1, 1, 5, 6, 256, 256}, false, NO_MASK, HEADS_FIRST, false, 0},
};
enum { CASES = sizeof cases / sizeof *cases };

static const int64_t other_sizes[][2] = {{1, 1},   {1, 77},   {2, 200},   {31, 32},  {32, 31},
                                         {64, 64}, {65, 129}, {128, 128}, {130, 65}, {197, 197}};
enum { OTHER_SIZES = sizeof other_sizes / sizeof *other_sizes };

/* Strides of [b, h, s, d] tensors; number says which of q, k, v. */
static void strides_of(const attention_case *c, const shape *z, int number, int64_t out[4],
                       int64_t *out_offset) {
    const int64_t heads = number == 0 ? z->h : z->g, rows = number == 0 ? z->s : z->t;
    const int64_t width = number == 2 ? z->e : z->d;
    *out_offset = 0;
    out[3] = 1;
    out[2] = width;
    out[1] = rows * width;
    out[0] = heads * rows * width;
    if (c->layout == MERGED) {
        *out_offset = number == 0 ? 0 : number == 1 ? z->h * z->d : (z->h + z->g) * z->d;
        out[2] = (z->h + 2 * z->g) * z->d;
        out[1] = width;
        out[0] = rows * out[2];
    }
    if (c->layout == TRANSPOSED_K && number == 1) {
        out[3] = rows;
        out[2] = 1;
    }
}

static void mask_strides(const attention_case *c, const shape *z, int64_t out[4]) {
    const bool has_rows = c->mask != KEY_MASK;
    out[3] = 1;
    out[2] = has_rows ? z->t : 0;
    out[1] = has_rows ? z->s * z->t : 0;
    out[0] = has_rows ? z->h * z->s * z->t : z->t;
}

/* The same strides as symbolic expressions: computed for two sets of sizes would be a second rule,
 * so the layouts are spelt out again only where s and t enter. */
static void set_strides(tn_test_unit *unit, const attention_case *c, const tn_sym *rows, int which,
                        tn_cg_tensor *tensor) {
    const shape *z = &c->size;
    const int64_t heads = which == 0 ? z->h : z->g, width = which == 2 ? z->e : z->d;
    int64_t strides[4], offset;
    strides_of(c, z, which, strides, &offset);
    tensor->offset = tn_test_size(unit, offset);
    for (int i = 0; i < 4; i++)
        tensor->strides[i] = tn_test_size(unit, strides[i]);
    if (!c->is_dynamic)
        return;
    assert_true(c->layout != TRANSPOSED_K);
    const tn_sym *plane = tn_sym_muli(unit->syms, rows, width);
    if (c->layout == MERGED) {
        tensor->strides[0] = tn_sym_muli(unit->syms, rows, strides[2]);
    } else {
        tensor->strides[1] = plane;
        tensor->strides[0] = tn_sym_muli(unit->syms, plane, heads);
    }
}

static void print_store(tn_test_unit *unit, const attention_case *c, const char *name,
                        const tn_sym *s) {
    tn_cg *cg = &unit->cg;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "TN_INLINE void store_%s(void *const *buf, const int64_t *sym, "
                                    "int64_t b0, int64_t h, int64_t s, int64_t e, int64_t lanes, "
                                    "tn_vf value)",
                                    name));
    tn_cg_line(cg, "float *out = (float *)buf[4] + ((b0 * %s + s) * %lld + h) * %lld + e;",
               tn_cg_sym(cg, s), (long long)c->size.h, (long long)c->size.e);
    tn_cg_line(cg, "tn_store_f32(out, 1, lanes, value);");
    tn_cg_end_function(cg, &function);
}

static void emit(tn_test_unit *unit, const attention_case *c, tn_dtype dtype) {
    tn_cg *cg = &unit->cg;
    const char *name = tn_cg_text(cg, "%s_%s", c->name, tn_dtype_name(dtype));
    const shape *z = &c->size;
    const tn_sym *s = tn_test_size(unit, z->s), *t = tn_test_size(unit, z->t);
    if (c->is_dynamic) {
        s = tn_sym_var(unit->syms, TN_STR("s0"), 1, 4096);
        t = tn_sym_var(unit->syms, TN_STR("s1"), 1, 4096);
    }
    print_store(unit, c, name, s);
    tn_attention_spec spec = {
        .name = name,
        .dtype = dtype,
        .batch_rank = 1,
        .batch = {tn_test_size(unit, z->b)},
        .heads = tn_test_size(unit, z->h),
        .kv_heads = tn_test_size(unit, z->g),
        .s = s,
        .t = t,
        .d = tn_test_size(unit, z->d),
        .e = tn_test_size(unit, z->e),
        .q = {.buf = 0, .dtype = dtype},
        .k = {.buf = 1, .dtype = dtype},
        .v = {.buf = 2, .dtype = dtype},
        .mask = {.buf = 3, .dtype = c->mask == BOOL_MASK ? TN_BOOL : dtype},
        .has_mask = c->mask != NO_MASK,
        .scale = 0.25,
        .is_causal = c->is_causal,
        .causal_offset = tn_test_size(unit, c->causal_offset),
        .store = tn_cg_text(cg, "store_%s", name),
    };
    set_strides(unit, c, s, 0, &spec.q);
    set_strides(unit, c, t, 1, &spec.k);
    set_strides(unit, c, t, 2, &spec.v);
    int64_t strides[4];
    mask_strides(c, z, strides);
    spec.mask.offset = tn_test_size(unit, 0);
    for (int i = 0; i < 4; i++)
        spec.mask.strides[i] = tn_test_size(unit, strides[i]);
    if (c->is_dynamic && c->mask == KEY_MASK)
        spec.mask.strides[0] = t;
    tn_cg_kernel facts;
    tn_status status = tn_emit_attention(cg, &spec, &facts);
    tn_test_unit_add(unit, name, status, &facts);
}

/* A buffer of dtype with exactly `count` elements, and its values as the kernel sees them. */
typedef struct values {
    void *data;
    float *exact;
} values;

static values make_values(tn_dtype dtype, int64_t count, unsigned long long *random) {
    values v = {malloc((size_t)count * (dtype == TN_F32 ? 4 : 2)),
                malloc((size_t)count * sizeof(float))};
    assert_true(v.data && v.exact);
    for (int64_t i = 0; i < count; i++) {
        float x = tn_test_uniform(random) * 2;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (dtype == TN_BF16) {
            bits &= 0xffff0000;
            ((uint16_t *)v.data)[i] = (uint16_t)(bits >> 16);
        } else {
            ((float *)v.data)[i] = x;
        }
        memcpy(&v.exact[i], &bits, sizeof x);
    }
    return v;
}

static void set_value(values *v, tn_dtype dtype, int64_t i, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (dtype == TN_BF16)
        ((uint16_t *)v->data)[i] = (uint16_t)(bits >> 16);
    else
        ((float *)v->data)[i] = x;
    v->exact[i] = x;
}

static void free_values(values *v) {
    free(v->data);
    free(v->exact);
}

static int64_t span(const int64_t strides[4], const int64_t sizes[4]) {
    int64_t last = 0;
    for (int i = 0; i < 4; i++)
        last += (sizes[i] - 1) * strides[i];
    return last + 1;
}

typedef struct operands {
    values q, k, v, mask;
    uint8_t *bool_mask;
    int64_t qs[4], ks[4], vs[4], ms[4], q_offset, k_offset, v_offset;
} operands;

static operands make_operands(const attention_case *c, const shape *z, tn_dtype dtype) {
    unsigned long long random = 4242;
    operands o = {0};
    strides_of(c, z, 0, o.qs, &o.q_offset);
    strides_of(c, z, 1, o.ks, &o.k_offset);
    strides_of(c, z, 2, o.vs, &o.v_offset);
    mask_strides(c, z, o.ms);
    const int64_t qn[4] = {z->b, z->h, z->s, z->d}, kn[4] = {z->b, z->g, z->t, z->d};
    const int64_t vn[4] = {z->b, z->g, z->t, z->e};
    const int64_t mn[4] = {z->b, o.ms[1] ? z->h : 1, o.ms[2] ? z->s : 1, z->t};
    o.q = make_values(dtype, o.q_offset + span(o.qs, qn), &random);
    o.k = make_values(dtype, o.k_offset + span(o.ks, kn), &random);
    o.v = make_values(dtype, o.v_offset + span(o.vs, vn), &random);
    const int64_t mask_count = span(o.ms, mn);
    o.mask = make_values(dtype, mask_count, &random);
    o.bool_mask = malloc((size_t)mask_count);
    assert_non_null(o.bool_mask);
    for (int64_t i = 0; i < mask_count; i++) {
        const bool is_first_row = o.ms[2] && i / o.ms[2] % z->s == 0;
        o.bool_mask[i] = !is_first_row && tn_test_random(&random) % 3 > 0;
        if (!o.bool_mask[i] && (i + 1 < z->t || c->mask == FLOAT_MASK))
            set_value(&o.mask, dtype, i,
                      -INFINITY); /* row 0 of a full mask: nothing to attend to */
    }
    if (c->mask == NO_MASK && z->s > 2)
        set_value(&o.q, dtype, o.q_offset + 2 * o.qs[2], NAN); /* row 2 becomes NaN, and no other */
    return o;
}

static void free_operands(operands *o) {
    free_values(&o->q);
    free_values(&o->k);
    free_values(&o->v);
    free_values(&o->mask);
    free(o->bool_mask);
}

/* One row of the result, [e]. */
static void reference(const attention_case *c, const shape *z, const operands *o, int64_t b,
                      int64_t h, int64_t s, double *score, double *out) {
    const int64_t g = h / (z->h / z->g);
    double max = -INFINITY, sum = 0;
    for (int64_t t = 0; t < z->t; t++) {
        score[t] = 0;
        for (int64_t d = 0; d < z->d; d++)
            score[t] +=
                (double)o->q.exact[o->q_offset + b * o->qs[0] + h * o->qs[1] + s * o->qs[2] +
                                   d * o->qs[3]] *
                (double)o->k
                    .exact[o->k_offset + b * o->ks[0] + g * o->ks[1] + t * o->ks[2] + d * o->ks[3]];
        score[t] *= 0.25;
        const int64_t at = b * o->ms[0] + h * o->ms[1] + s * o->ms[2] + t * o->ms[3];
        if (c->mask == FLOAT_MASK || c->mask == KEY_MASK)
            score[t] += (double)o->mask.exact[at];
        bool is_kept = !(c->mask == BOOL_MASK && !o->bool_mask[at]) &&
                       !(c->is_causal && t > s + c->causal_offset);
        if (!is_kept)
            score[t] = -INFINITY;
        max = score[t] > max || isnan(score[t]) ? score[t] : max;
    }
    for (int64_t t = 0; t < z->t; t++)
        sum += score[t] = exp(score[t] - max);
    for (int64_t e = 0; e < z->e; e++) {
        out[e] = 0;
        for (int64_t t = 0; t < z->t && max != -INFINITY; t++)
            if (score[t] != 0)
                out[e] += score[t] / sum *
                          (double)o->v.exact[o->v_offset + b * o->vs[0] + g * o->vs[1] +
                                             t * o->vs[2] + e * o->vs[3]];
    }
}

static void check(const tn_test_unit *unit, const tn_test_kernel *kernel, const attention_case *c,
                  const shape *z, tn_dtype dtype, int64_t shares) {
    operands o = make_operands(c, z, dtype);
    float *out = malloc((size_t)(z->b * z->s * z->h * z->e) * sizeof *out);
    double *exact = malloc((size_t)z->e * sizeof *exact),
           *score = malloc((size_t)z->t * sizeof *score);
    assert_true(out && exact && score);
    void *mask = c->mask == BOOL_MASK ? (void *)o.bool_mask : o.mask.data;
    void *bufs[] = {o.q.data, o.k.data, o.v.data, mask, out};
    int64_t symbols[] = {z->s, z->t};
    tn_test_run(unit, kernel, bufs, symbols, shares);
    /* bf16 may round the probabilities to bf16, as PyTorch does. */
    const double tolerance = dtype == TN_F32 ? 1e-5 : 1.5e-2;
    for (int64_t b = 0; b < z->b; b++)
        for (int64_t h = 0; h < z->h; h++)
            for (int64_t s = 0; s < z->s; s++) {
                reference(c, z, &o, b, h, s, score, exact);
                for (int64_t e = 0; e < z->e; e++) {
                    double got = (double)out[((b * z->s + s) * z->h + h) * z->e + e];
                    bool same = isnan(exact[e])
                                    ? isnan(got)
                                    : fabs(got - exact[e]) <= tolerance * (1 + fabs(exact[e]));
                    if (!same)
                        fail_msg(
                            "%s on %s, s = %lld, t = %lld: result [%lld, %lld, %lld, %lld] is %g, "
                            "wanted %g",
                            kernel->name, unit->isa.name, (long long)z->s, (long long)z->t,
                            (long long)b, (long long)h, (long long)s, (long long)e, got, exact[e]);
                }
            }
    free(out);
    free(exact);
    free(score);
    free_operands(&o);
}

/* The shapes once per instruction set that makes a difference: compiling takes the test's time. */
static bool is_tested(const tn_test_isa *isa, tn_dtype dtype) {
    if (strcmp(isa->name, "avx512bf16") == 0)
        return false;
    return dtype == TN_F32 ? !isa->has_amx : isa->has_amx || strcmp(isa->name, "avx2") == 0;
}

static void check_case(const tn_test_unit *unit, const tn_test_kernel *kernel,
                       const attention_case *c, tn_dtype dtype) {
    if (!c->is_dynamic) {
        check(unit, kernel, c, &c->size, dtype, 3);
        return;
    }
    for (int size = 0; size < OTHER_SIZES; size++) {
        shape z = c->size;
        z.s = other_sizes[size][0];
        z.t = c->layout == MERGED ? z.s : other_sizes[size][1];
        check(unit, kernel, c, &z, dtype, 1 + size % 4);
    }
}

static void test_attention(void **state) {
    (void)state;
    const tn_test_isa *isas;
    const tn_dtype dtypes[] = {TN_F32, TN_BF16};
    size_t isa_count = tn_test_isas(&isas);
    for (size_t i = 0; i < 2 * isa_count; i++) {
        const tn_dtype dtype = dtypes[i % 2];
        if (!is_tested(&isas[i / 2], dtype))
            continue;
        static tn_test_unit unit;
        tn_test_unit_begin(&unit, &isas[i / 2]);
        for (int c = 0; c < CASES; c++)
            emit(&unit, &cases[c], dtype);
        tn_test_unit_compile(&unit, dtype == TN_F32 ? "attention_f32" : "attention_bf16");
        for (int c = 0; c < CASES; c++)
            check_case(&unit, &unit.kernels[c], &cases[c], dtype);
        tn_test_unit_end(&unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
