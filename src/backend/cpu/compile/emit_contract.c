/* emit_contract.c: which emitter prints a contraction, by data type and shape. */
#include "backend/cpu/compile/emit_contract.h"

#include <assert.h>

tn_status tn_emit_gemm(tn_cg *cg, const tn_gemm_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    if (spec->dtype == TN_F32)
        return tn_emit_gemm_f32(cg, spec, out_kernel);
    if (spec->dtype == TN_BF16)
        return tn_emit_gemm_bf16(cg, spec, out_kernel);
    return tn_error_make(TN_UNSUPPORTED, "matrix product of %s on the CPU, expected f32 or bf16",
                         tn_dtype_name(spec->dtype));
}

tn_status tn_emit_conv(tn_cg *cg, const tn_conv_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    bool is_known = spec->dtype == TN_F32 || spec->dtype == TN_BF16;
    if (is_known && spec->groups == spec->in_c && spec->groups == spec->out_c)
        return tn_emit_depthwise(cg, spec, out_kernel);
    if (spec->dtype == TN_F32)
        return tn_emit_conv_f32(cg, spec, out_kernel);
    if (spec->dtype == TN_BF16)
        return tn_emit_conv_bf16(cg, spec, out_kernel);
    return tn_error_make(TN_UNSUPPORTED, "convolution of %s on the CPU, expected f32 or bf16",
                         tn_dtype_name(spec->dtype));
}

void tn_contract_print_index(tn_cg *cg, const char *name, const tn_sym *count) {
    if (tn_sym_is(count, 1)) {
        tn_cg_line(cg, "const int64_t %s = 0;", name);
        return;
    }
    const char *text = tn_cg_sym(cg, count);
    tn_cg_line(cg, "const int64_t %s = rest %% %s;", name, text);
    tn_cg_line(cg, "rest /= %s;", text);
}

const void *tn_conv_weight_at(const tn_tensor *weight, int64_t o, int64_t c, int64_t y, int64_t x) {
    assert(weight->rank == 4 || (weight->rank == 3 && y == 0));
    const int64_t *strides = weight->strides;
    int64_t at = o * strides[0] + c * strides[1] + x * strides[weight->rank - 1];
    if (weight->rank == 4)
        at += y * strides[2];
    return (const char *)weight->data + at * (int64_t)tn_dtype_bytes(weight->dtype);
}

/* The kernel's first row inside is the first with iy + ky * dilation >= 0; the end likewise. */
void tn_conv_print_kernel_rows(tn_cg *cg, const tn_conv_spec *spec) {
    long long dilation = (long long)spec->dilation_h;
    const char *in_h = tn_cg_sym(cg, spec->in_h);
    tn_cg_line(cg, "const int64_t iy = oy * %lld - %lld;", (long long)spec->stride_h,
               (long long)spec->pad_top);
    tn_cg_line(cg, "const int64_t ky_begin = iy < 0 ? (%lld - iy) / %lld : 0;", dilation - 1,
               dilation);
    tn_cg_line(cg, "const int64_t ky_end = iy + %lld < %s ? %lld : (%s - iy + %lld) / %lld;",
               (long long)((spec->kernel_h - 1) * spec->dilation_h), in_h,
               (long long)spec->kernel_h, in_h, dilation - 1, dilation);
}
