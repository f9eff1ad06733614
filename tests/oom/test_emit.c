/* test_emit.c: the kernel emitters with an allocator that fails at the 1st, 2nd,
 * ... request until they succeed: every failure comes back as TN_OUT_OF_MEMORY, and nothing leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/cpu/compile/cgen.h"

typedef tn_status emit_function(tn_cg *cg);

static const tn_cpu_target target = {.has_avx2_fma = true,
                                     .has_avx512 = true,
                                     .has_amx_bf16 = true,
                                     .lanes = 16,
                                     .l1_bytes = 32 << 10,
                                     .l2_bytes = 1 << 20};

/* A failed symbol is NULL, as a caller that has not looked yet would pass it. */
static const tn_sym *dynamic(tn_cg *cg, const char *name) {
    return tn_sym_var(cg->syms, tn_str_of(name), 1, 4096);
}

static tn_status emit_gemm(tn_cg *cg, tn_dtype dtype, bool b_is_const) {
    const tn_sym *one = tn_sym_const(cg->syms, 1), *zero = tn_sym_const(cg->syms, 0);
    const tn_sym *m = dynamic(cg, "m"), *n = tn_sym_const(cg->syms, 100);
    const tn_sym *k = tn_sym_const(cg->syms, 30), *batch = dynamic(cg, "batch");
    TN_TRY(tn_syms_status(cg->syms));
    tn_gemm_spec spec = {.name = "gemm",
                         .dtype = dtype,
                         .batch_rank = 1,
                         .batch = {batch},
                         .m = m,
                         .n = n,
                         .k = k,
                         .a = {.buf = 0, .offset = zero, .strides = {k, one, m}},
                         .b = {.buf = 1, .offset = zero, .strides = {zero, n, one}},
                         .b_is_const = b_is_const,
                         .store = "store"};
    tn_cg_kernel kernel;
    return tn_emit_gemm(cg, &spec, &kernel);
}
static tn_status emit_gemm_const(tn_cg *cg) {
    return emit_gemm(cg, TN_F32, true);
}
static tn_status emit_gemm_dynamic(tn_cg *cg) {
    return emit_gemm(cg, TN_F32, false);
}
static tn_status emit_gemm_bf16_const(tn_cg *cg) {
    return emit_gemm(cg, TN_BF16, true);
}
static tn_status emit_gemm_bf16_dynamic(tn_cg *cg) {
    return emit_gemm(cg, TN_BF16, false);
}

static tn_status emit_conv(tn_cg *cg, tn_dtype dtype, int64_t groups) {
    const tn_sym *one = tn_sym_const(cg->syms, 1), *zero = tn_sym_const(cg->syms, 0);
    const tn_sym *size = dynamic(cg, "size"), *channels = tn_sym_const(cg->syms, 24);
    const tn_sym *row = tn_sym_mul(cg->syms, size, channels);
    const tn_sym *image = tn_sym_mul(cg->syms, row, size);
    TN_TRY(tn_syms_status(cg->syms));
    tn_conv_spec spec = {.name = "conv",
                         .dtype = dtype,
                         .batch = one,
                         .in_h = size,
                         .in_w = size,
                         .out_h = size,
                         .out_w = size,
                         .in_c = 24,
                         .out_c = 24,
                         .groups = groups,
                         .kernel_h = 3,
                         .kernel_w = 3,
                         .stride_h = 1,
                         .stride_w = 1,
                         .pad_top = 1,
                         .pad_left = 1,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .x = {.buf = 0, .offset = zero, .strides = {image, row, channels, one}},
                         .weight_buf = 1,
                         .store = "store"};
    tn_cg_kernel kernel;
    return tn_emit_conv(cg, &spec, &kernel);
}
static tn_status emit_conv_dense(tn_cg *cg) {
    return emit_conv(cg, TN_F32, 2);
}
static tn_status emit_conv_depthwise(tn_cg *cg) {
    return emit_conv(cg, TN_F32, 24);
}
static tn_status emit_conv_bf16(tn_cg *cg) {
    return emit_conv(cg, TN_BF16, 1);
}

static tn_status emit_attention(tn_cg *cg, tn_dtype dtype) {
    const tn_sym *one = tn_sym_const(cg->syms, 1), *zero = tn_sym_const(cg->syms, 0);
    const tn_sym *s = dynamic(cg, "s"), *t = dynamic(cg, "t"), *d = tn_sym_const(cg->syms, 40);
    const tn_sym *row = tn_sym_const(cg->syms, 320);
    TN_TRY(tn_syms_status(cg->syms));
    const tn_cg_tensor tensor = {.offset = zero, .dtype = dtype, .strides = {t, d, row, one}};
    tn_attention_spec spec = {.name = "attention",
                              .dtype = dtype,
                              .batch_rank = 1,
                              .batch = {dynamic(cg, "batch")},
                              .heads = tn_sym_const(cg->syms, 8),
                              .kv_heads = tn_sym_const(cg->syms, 2),
                              .s = s,
                              .t = t,
                              .d = d,
                              .e = d,
                              .q = tensor,
                              .k = tensor,
                              .v = tensor,
                              .mask = tensor,
                              .has_mask = true,
                              .scale = 0.5,
                              .is_causal = true,
                              .causal_offset = zero,
                              .store = "store"};
    TN_TRY(tn_syms_status(cg->syms));
    tn_cg_kernel kernel;
    return tn_emit_attention(cg, &spec, &kernel);
}
static tn_status emit_attention_vectors(tn_cg *cg) {
    return emit_attention(cg, TN_F16);
}
static tn_status emit_attention_tiles(tn_cg *cg) {
    return emit_attention(cg, TN_BF16);
}

static tn_status emit_rows(tn_cg *cg) {
    tn_row_spec spec = {.name = "rows",
                        .kind = TN_ROW_LAYER_NORM,
                        .outer_rank = 2,
                        .outer = {dynamic(cg, "batch"), dynamic(cg, "s")},
                        .n = dynamic(cg, "n"),
                        .load = "load",
                        .store = "store"};
    TN_TRY(tn_syms_status(cg->syms));
    tn_cg_kernel kernel;
    return tn_emit_rows(cg, &spec, &kernel);
}

/* One attempt; the writer's own set-up may fail, too. */
static tn_status attempt(emit_function *emit, tn_allocator allocator) {
    tn_arena arena;
    tn_buf text;
    tn_syms *syms;
    tn_arena_init(&arena, allocator);
    tn_buf_init(&text, allocator);
    tn_status status = tn_syms_create(&arena, &syms);
    if (!status) {
        tn_cg cg = {.arena = &arena, .syms = syms, .target = &target, .out = &text};
        status = emit(&cg);
    }
    tn_buf_deinit(&text);
    tn_arena_deinit(&arena);
    return status;
}

static void fail_everywhere(emit_function *emit) {
    size_t failures = 0;
    for (;; failures++) {
        tn_test_allocator counter;
        tn_allocator allocator =
            tn_test_allocator_init(&counter, tn_allocator_system(), failures + 1);
        tn_status status = attempt(emit, allocator);
        assert_int_equal(counter.live_blocks, 0);
        if (!status)
            break;
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
    assert_true(failures > 5); /* it did allocate */
}

static void products(void **state) {
    (void)state;
    fail_everywhere(emit_gemm_const);
    fail_everywhere(emit_gemm_dynamic);
    fail_everywhere(emit_gemm_bf16_const);
    fail_everywhere(emit_gemm_bf16_dynamic);
}

static void convolutions(void **state) {
    (void)state;
    fail_everywhere(emit_conv_dense);
    fail_everywhere(emit_conv_depthwise);
    fail_everywhere(emit_conv_bf16);
}

static void attention(void **state) {
    (void)state;
    fail_everywhere(emit_attention_vectors);
    fail_everywhere(emit_attention_tiles);
}

static void rows(void **state) {
    (void)state;
    fail_everywhere(emit_rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(attention),
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
