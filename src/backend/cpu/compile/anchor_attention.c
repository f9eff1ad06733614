/* anchor_attention.c: attention: operands are views of any strides, the result prefers the
 * heads of one position next to each other. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

bool tn_anchor_takes_attention(const tn_node *node) {
    tn_dtype dtype = node->results[0]->type.dtype;
    return dtype == TN_F32 || dtype == TN_BF16 || dtype == TN_F16;
}

tn_status tn_anchor_attention(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_type *type = &at->result->type;
    uint32_t rank = type->rank;
    /* Rows of all heads of one position next to each other: [B.., S, H, E]. */
    uint32_t natural[TN_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        natural[d] = d;
    natural[rank - 3] = rank - 2;
    natural[rank - 2] = rank - 3;
    bool is_ready = false;
    at->space_count = 0;
    TN_TRY(tn_anchor_prepare(at, natural, &is_ready));
    if (!is_ready)
        return NULL;
    tn_place places[4];
    tn_layout layouts[4];
    for (uint32_t i = 0; i < 4; i++) {
        const tn_value *operand = node->operand_count > i ? node->operands[i] : NULL;
        if (!operand)
            continue;
        TN_TRY(tn_segment_place(s, operand, &places[i]));
        const tn_sym *dims[TN_MAX_RANK];
        memcpy(dims, type->dims, sizeof dims);
        uint32_t own = operand->type.rank;
        if (i < 3) {
            for (uint32_t d = 1; d <= 3; d++)
                dims[rank - d] = operand->type.dims[own - d];
        } else {
            dims[rank - 1] = node->operands[1]->type.dims[node->operands[1]->type.rank - 2];
        }
        if (!tn_anchor_expand(s->syms, &places[i].layout, dims, rank, &layouts[i]))
            return tn_error_make(TN_INTERNAL, "operand %u of %.*s does not broadcast", i,
                                 TN_STR_ARG(at->result->name));
    }
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    const tn_value *q = node->operands[0], *k = node->operands[1];
    tn_attention_spec spec = {.name = "KERNEL",
                              .dtype = q->type.dtype,
                              .batch_rank = rank - 3,
                              .heads = type->dims[rank - 3],
                              .kv_heads = k->type.dims[k->type.rank - 3],
                              .s = type->dims[rank - 2],
                              .t = k->type.dims[k->type.rank - 2],
                              .d = q->type.dims[q->type.rank - 1],
                              .e = type->dims[rank - 1],
                              .has_mask = node->operand_count > 3 && node->operands[3],
                              .scale = node->args[4].f,
                              .is_causal = node->args[5].b,
                              .causal_offset = node->args[6].i,
                              .store = "KERNEL_epilogue"};
    memcpy(spec.batch, type->dims, spec.batch_rank * sizeof *spec.batch);
    tn_cg_tensor *tensors[4] = {&spec.q, &spec.k, &spec.v, &spec.mask};
    tn_status status = NULL;
    for (uint32_t i = 0; i < 4 && !status; i++)
        if (node->operand_count > i && node->operands[i])
            status = tn_anchor_operand(s, &kernel, &places[i], node->operands[i], &layouts[i],
                                       tensors[i]);
    tn_cg_kernel emitted = {0};
    if (!status)
        status = tn_emit_attention(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    /* Two products of 2 * d and 2 * e operations per score. */
    const tn_sym *scores = tn_sym_mul(s->syms, spec.t, tn_sym_add(s->syms, spec.d, spec.e));
    const tn_sym *rows = tn_sym_mul(s->syms, spec.heads, spec.s);
    for (uint32_t d = 0; d < spec.batch_rank; d++)
        rows = tn_sym_mul(s->syms, rows, spec.batch[d]);
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL,
                            tn_sym_muli(s->syms, tn_sym_mul(s->syms, rows, scores), 2), NULL);
}
