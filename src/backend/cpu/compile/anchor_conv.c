/* anchor_conv.c: convolutions and pools, over channels-last images. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

/* ---- convolution --------------------------------------------------------------------------------
 */

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

static const uint32_t channels_last[4] = {0, 2, 3, 1};

/* From a result [N, C, spatial..] to [n, y, x, c]. */
static uint32_t channels_last_space(tn_segment *s, const tn_type *type, tn_view *views) {
    uint32_t count = 0;
    const tn_sym *h = type->rank == 4 ? type->dims[2] : tn_anchor_size(s, 1);
    if (type->rank == 3)
        add_height(s, type, &views[count++]);
    tn_view *permute = &views[count++];
    *permute = (tn_view){.kind = TN_VIEW_PERMUTE,
                         .rank = 4,
                         .dims = {type->dims[0], h, type->dims[type->rank - 1], type->dims[1]}};
    memcpy(permute->order, channels_last, sizeof channels_last);
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

/* Element i of an int list whose missing first entry (1-D windows) is `absent`. */
static int64_t spatial(const tn_arg *arg, uint32_t i, int64_t absent) {
    if (arg->count == 1)
        return i == 0 ? absent : arg->ints[0]->value;
    return arg->ints[i]->value;
}

tn_status tn_anchor_conv(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0], *w = node->operands[1];
    static const uint32_t order3[3] = {0, 2, 1};
    at->space_count = channels_last_space(s, &at->result->type, at->space);
    /* A bias [O] broadcasts along channels: [O, 1, ..]. */
    tn_view tall = {.kind = TN_VIEW_RESHAPE, .rank = at->result->type.rank - 1};
    for (uint32_t d = 0; d < tall.rank; d++)
        tall.dims[d] = d == 0 ? w->type.dims[0] : tn_anchor_size(s, 1);
    at->anchor.bias = node->operand_count > 2 ? node->operands[2] : NULL;
    at->anchor.bias_view = &tall;
    bool is_ready = false;
    tn_status status =
        tn_anchor_prepare(at, at->result->type.rank == 4 ? channels_last : order3, &is_ready);
    if (status || !is_ready)
        return status;
    tn_place x_place;
    TN_TRY(tn_segment_place(s, x, &x_place));
    tn_view views[2];
    uint32_t view_count = channels_last_space(s, &x->type, views);
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
                         .stride_h = spatial(&node->args[3], 0, 1),
                         .stride_w = spatial(&node->args[3], 1, 1),
                         .pad_top = spatial(&node->args[4], 0, 0),
                         .pad_left = spatial(&node->args[4], 1, 0),
                         .dilation_h = spatial(&node->args[6], 0, 1),
                         .dilation_w = spatial(&node->args[6], 1, 1),
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

/* ---- pooling ------------------------------------------------------------------------------------
 */

/* Windows of channels-last images: rank 4, two spatial dims. */
bool tn_anchor_takes_pool(const tn_node *node) {
    const tn_value *x = node->operands[0];
    return tn_expr_class(x->type.dtype) == 'f' && x->type.rank == 4 && node->args[1].count == 2 &&
           !tn_node_has_other_uses(node);
}

tn_status tn_anchor_pool(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0];
    bool is_max = tn_node_prim(node) == TN_PRIM_MAX_POOL;
    at->space_count = channels_last_space(s, &at->result->type, at->space);
    bool is_ready = false;
    TN_TRY(tn_anchor_prepare(at, channels_last, &is_ready));
    if (!is_ready)
        return NULL;
    tn_view views[2];
    uint32_t view_count = channels_last_space(s, &x->type, views);
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(tn_anchor_source(s, x, views, view_count, &source, &expr));
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    tn_nest_load_function(&kernel, "KERNEL_prologue", 4, &source, expr, NULL);
    const tn_layout *space = &at->store.layout;
    tn_pool_spec spec = {.name = "KERNEL",
                         .is_max = is_max,
                         .batch = space->dims[0],
                         .in_h = x->type.dims[2],
                         .in_w = x->type.dims[3],
                         .out_h = space->dims[1],
                         .out_w = space->dims[2],
                         .channels = space->dims[3],
                         .kernel_h = node->args[1].ints[0]->value,
                         .kernel_w = node->args[1].ints[1]->value,
                         .stride_h = node->args[2].ints[0]->value,
                         .stride_w = node->args[2].ints[1]->value,
                         .pad_top = node->args[3].ints[0]->value,
                         .pad_left = node->args[3].ints[1]->value,
                         .dilation_h = is_max ? node->args[4].ints[0]->value : 1,
                         .dilation_w = is_max ? node->args[4].ints[1]->value : 1,
                         .divisor = is_max ? 0 : node->args[4].i->value,
                         .load = "KERNEL_prologue",
                         .store = "KERNEL_epilogue"};
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_pool(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL,
                            tn_sym_muli(s->syms, tn_type_elems(s->syms, &at->result->type),
                                        spec.kernel_h * spec.kernel_w),
                            &source);
}
