/* emit_contract.h: the emitters of contractions per data type; tn_emit_gemm and tn_emit_conv choose
 * among them (emit_contract.c). */
#ifndef TN_CPU_EMIT_CONTRACT_H
#define TN_CPU_EMIT_CONTRACT_H

#include "backend/cpu/compile/cgen.h"

TN_MUST_USE tn_status tn_emit_gemm_f32(tn_cg *cg, const tn_gemm_spec *spec,
                                       tn_cg_kernel *out_kernel);
TN_MUST_USE tn_status tn_emit_conv_f32(tn_cg *cg, const tn_conv_spec *spec,
                                       tn_cg_kernel *out_kernel);
/* One filter per channel: groups == in_c == out_c; f32 or bf16. */
TN_MUST_USE tn_status tn_emit_depthwise(tn_cg *cg, const tn_conv_spec *spec,
                                        tn_cg_kernel *out_kernel);

/* bf16 operands, accumulated in fp32. */
TN_MUST_USE tn_status tn_emit_gemm_bf16(tn_cg *cg, const tn_gemm_spec *spec,
                                        tn_cg_kernel *out_kernel);
TN_MUST_USE tn_status tn_emit_conv_bf16(tn_cg *cg, const tn_conv_spec *spec,
                                        tn_cg_kernel *out_kernel);
/* Declares ky_begin and ky_end: the kernel's rows that lie in the image at output row oy. */
void tn_conv_print_kernel_rows(tn_cg *cg, const tn_conv_spec *spec);

#endif
