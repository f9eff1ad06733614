/* anchor_conv.c: convolutions, over channels-last images. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

bool tn_anchor_takes_conv(const tn_node *node) {
    bool is_transposed = node->args[8].b;
    const tn_value *x = node->operands[0], *w = node->operands[1];
    return tn_anchor_takes_product(node) && !is_transposed && x->type.rank <= 4 &&
           w->kind == TN_VALUE_CONST && tn_sym_is_const(x->type.dims[1]);
}

/* A 3-D tensor [N, C, W] seen as [N, C, 1, W]. */
static void add_height(tn_segment *s, const tn_type *type, tn_view *out_view) {
    *out_view =
        (tn_view){.kind = TN_VIEW_RESHAPE,
                  .rank = 4,
                  .dims = {type->dims[0], type->dims[1], tn_anchor_size(s, 1), type->dims[2]}};
}

const uint32_t *tn_anchor_channels_last_order(uint32_t rank) {
    static const uint32_t order3[3] = {0, 2, 1}, order4[4] = {0, 2, 3, 1};
    return rank == 4 ? order4 : order3;
}

uint32_t tn_anchor_channels_last(tn_segment *s, const tn_type *type, tn_view *views) {
    uint32_t count = 0;
    const tn_sym *h = type->rank == 4 ? type->dims[2] : tn_anchor_size(s, 1);
    if (type->rank == 3)
        add_height(s, type, &views[count++]);
    tn_view *permute = &views[count++];
    *permute = (tn_view){.kind = TN_VIEW_PERMUTE,
                         .rank = 4,
                         .dims = {type->dims[0], h, type->dims[type->rank - 1], type->dims[1]}};
    memcpy(permute->order, tn_anchor_channels_last_order(4), 4 * sizeof *permute->order);
    return count;
}

static bool place_through(tn_segment *s, const tn_layout *layout, const tn_view *views,
                          uint32_t count, tn_layout *out_layout) {
    *out_layout = *layout;
    for (uint32_t i = 0; i < count; i++) {
        tn_layout next;
        if (!tn_layout_apply(s->syms, out_layout, &views[i], &next))
            return false;
        *out_layout = next;
    }
    return true;
}

int64_t tn_anchor_spatial(const tn_arg *arg, uint32_t i, int64_t absent) {
    if (arg->count == 1)
        return i == 0 ? absent : arg->ints[0]->value;
    return arg->ints[i]->value;
}

tn_status tn_anchor_conv(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0], *w = node->operands[1];
    at->space_count = tn_anchor_channels_last(s, &at->result->type, at->space);
    /* A bias [O] broadcasts along channels: [O, 1, ..]. */
    tn_view tall = {.kind = TN_VIEW_RESHAPE, .rank = at->result->type.rank - 1};
    for (uint32_t d = 0; d < tall.rank; d++)
        tall.dims[d] = d == 0 ? w->type.dims[0] : tn_anchor_size(s, 1);
    at->anchor.bias = node->operand_count > 2 ? node->operands[2] : NULL;
    at->anchor.bias_view = &tall;
    bool is_ready = false;
    tn_status status =
        tn_anchor_prepare(at, tn_anchor_channels_last_order(at->result->type.rank), &is_ready);
    if (status || !is_ready)
        return status;
    tn_place x_place;
    TN_TRY(tn_segment_place(s, x, &x_place));
    tn_view views[2];
    uint32_t view_count = tn_anchor_channels_last(s, &x->type, views);
    tn_layout x_layout;
    if (!place_through(s, &x_place.layout, views, view_count, &x_layout))
        return tn_error_make(TN_INTERNAL, "input of %.*s has no channels-last view",
                             TN_STR_ARG(at->result->name));
    uint32_t w_rank = w->type.rank;
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    const tn_layout *space = &at->store.layout;
    tn_conv_spec spec = {.name = "KERNEL",
                         .dtype = x->type.dtype,
                         .batch = space->dims[0],
                         .in_h = x_layout.dims[1],
                         .in_w = x_layout.dims[2],
                         .out_h = space->dims[1],
                         .out_w = space->dims[2],
                         .in_c = x->type.dims[1]->value,
                         .out_c = w->type.dims[0]->value,
                         .groups = node->args[7].i->value,
                         .kernel_h = w_rank == 4 ? w->type.dims[2]->value : 1,
                         .kernel_w = w->type.dims[w_rank - 1]->value,
                         .stride_h = tn_anchor_spatial(&node->args[3], 0, 1),
                         .stride_w = tn_anchor_spatial(&node->args[3], 1, 1),
                         .pad_top = tn_anchor_spatial(&node->args[4], 0, 0),
                         .pad_left = tn_anchor_spatial(&node->args[4], 1, 0),
                         .dilation_h = tn_anchor_spatial(&node->args[6], 0, 1),
                         .dilation_w = tn_anchor_spatial(&node->args[6], 1, 1),
                         .weight_buf = tn_kernel_buf(&kernel, TN_CONST_BUFFER + w->id),
                         .store = "KERNEL_epilogue"};
    tn_cg_kernel emitted = {0};
    status = tn_anchor_operand(s, &kernel, &x_place, x, &x_layout, &spec.x);
    if (!status)
        status = tn_emit_conv(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    int64_t depth = spec.in_c / spec.groups * spec.kernel_h * spec.kernel_w;
    const tn_sym *flops =
        tn_sym_muli(s->syms, tn_type_elems(s->syms, &at->result->type), 2 * depth);
    const tn_value *weights[2] = {w, w};
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, weights, flops, NULL);
}
