/* emit_contract.c: which emitter prints a contraction, by data type and shape. */
#include "backend/cpu/compile/emit_contract.h"

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
