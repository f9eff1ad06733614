/* emit_contract.h: the emitters of contractions per data type; tn_emit_gemm and tn_emit_conv choose
 * among them (emit_contract.c). */
#ifndef TN_CPU_EMIT_CONTRACT_H
#define TN_CPU_EMIT_CONTRACT_H

#include "backend/cpu/compile/cgen.h"

static inline int64_t tn_ceildiv(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
/* The value of a constant; `otherwise` for anything that is known at run time only. */
static inline int64_t tn_sym_const_or(const tn_sym *s, int64_t otherwise) {
    return tn_sym_is_const(s) ? s->value : otherwise;
}

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

/* Prints how one index is taken out of `rest`, what is left of the task number. */
void tn_contract_print_index(tn_cg *cg, const char *name, const tn_sym *count);
/* The element of a convolution's weight, [O, C/groups, KH, KW] or [O, C/groups, KW], by its place.
 */
const void *tn_conv_weight_at(const tn_tensor *weight, int64_t o, int64_t c, int64_t y, int64_t x);
/* Declares ky_begin and ky_end: the kernel's rows that lie in the image at output row oy. */
void tn_conv_print_kernel_rows(tn_cg *cg, const tn_conv_spec *spec);

#endif
