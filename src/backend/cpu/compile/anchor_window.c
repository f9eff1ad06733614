/* anchor_window.c: pools and resampling, over channels-last images. */
#include "backend/cpu/compile/anchor.h"

/* Images [N, C, H, W] or [N, C, W] whose spatial dims are those that argument 1 counts. */
static bool is_image(const tn_node *node) {
    uint32_t rank = node->operands[0]->type.rank, spatial = node->args[1].count;
    return (rank == 4 && spatial == 2) || (rank == 3 && spatial == 1);
}

/* Whether an image has elements, which what takes the nearest or largest needs. */
static bool is_known_full(const tn_node *node) {
    const tn_type *type = &node->operands[0]->type;
    for (uint32_t d = 2; d < type->rank; d++)
        if (type->dims[d]->min < 1)
            return false;
    return true;
}

/* What both need: the result's space prepared, and the source as seen in the operand's. */
static tn_status prepare_images(tn_anchor_attempt *at, tn_expr_builder *source,
                                const tn_expr **out_expr, bool *out_is_ready) {
    tn_segment *s = at->s;
    const tn_value *x = at->node->operands[0];
    at->space_count = tn_anchor_channels_last(s, &at->result->type, at->space);
    TN_TRY(
        tn_anchor_prepare(at, tn_anchor_channels_last_order(at->result->type.rank), out_is_ready));
    if (!*out_is_ready)
        return NULL;
    tn_view views[2];
    uint32_t view_count = tn_anchor_channels_last(s, &x->type, views);
    return tn_anchor_source(s, x, views, view_count, source, out_expr);
}

/* Height and width of an image's dims. */
static void find_sizes(tn_segment *s, const tn_type *type, const tn_sym **out_h,
                       const tn_sym **out_w) {
    *out_h = type->rank == 4 ? type->dims[2] : tn_anchor_size(s, 1);
    *out_w = type->dims[type->rank - 1];
}

/* ---- pools --------------------------------------------------------------------------------------
 */

bool tn_anchor_takes_pool(const tn_node *node) {
    if (tn_node_prim(node) == TN_PRIM_ADAPTIVE_MAX_POOL && !is_known_full(node))
        return false;
    return tn_expr_class(node->operands[0]->type.dtype) == 'f' && is_image(node) &&
           !tn_node_has_other_uses(node);
}

tn_status tn_anchor_pool(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    tn_prim prim = tn_node_prim(node);
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    bool is_ready = false;
    TN_TRY(prepare_images(at, &source, &expr, &is_ready));
    if (!is_ready)
        return NULL;
    const tn_layout *space = &at->store.layout;
    tn_pool_spec spec = {.name = "KERNEL",
                         .is_max = prim == TN_PRIM_MAX_POOL || prim == TN_PRIM_ADAPTIVE_MAX_POOL,
                         .batch = space->dims[0],
                         .out_h = space->dims[1],
                         .out_w = space->dims[2],
                         .channels = space->dims[3],
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .load = "KERNEL_prologue",
                         .store = "KERNEL_epilogue"};
    find_sizes(s, &node->operands[0]->type, &spec.in_h, &spec.in_w);
    spec.is_adaptive = prim == TN_PRIM_ADAPTIVE_AVG_POOL || prim == TN_PRIM_ADAPTIVE_MAX_POOL;
    if (!spec.is_adaptive) {
        spec.kernel_h = tn_anchor_spatial(&node->args[1], 0, 1);
        spec.kernel_w = tn_anchor_spatial(&node->args[1], 1, 1);
        spec.stride_h = tn_anchor_spatial(&node->args[2], 0, 1);
        spec.stride_w = tn_anchor_spatial(&node->args[2], 1, 1);
        spec.pad_top = tn_anchor_spatial(&node->args[3], 0, 0);
        spec.pad_left = tn_anchor_spatial(&node->args[3], 1, 0);
    }
    if (prim == TN_PRIM_MAX_POOL) {
        spec.dilation_h = tn_anchor_spatial(&node->args[4], 0, 1);
        spec.dilation_w = tn_anchor_spatial(&node->args[4], 1, 1);
    }
    if (prim == TN_PRIM_AVG_POOL)
        spec.divisor = node->args[4].i->value;
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    tn_nest_load_function(&kernel, spec.load, 4, &source, expr, NULL);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_pool(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    const tn_sym *flops =
        tn_type_elems(s->syms, spec.is_adaptive ? &node->operands[0]->type : &at->result->type);
    if (!spec.is_adaptive)
        flops = tn_sym_muli(s->syms, flops, spec.kernel_h * spec.kernel_w);
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL, flops, &source);
}

/* ---- resampling ---------------------------------------------------------------------------------
 */

static tn_resize_mode resize_mode(const tn_node *node) {
    tn_str name = node->args[2].s;
    return tn_str_is(name, "nearest")         ? TN_RESIZE_NEAREST
           : tn_str_is(name, "nearest_exact") ? TN_RESIZE_NEAREST_EXACT
           : tn_str_is(name, "linear")        ? TN_RESIZE_LINEAR
                                              : TN_RESIZE_CUBIC;
}

bool tn_anchor_takes_resize(const tn_node *node) {
    tn_resize_mode mode = resize_mode(node);
    bool is_nearest = mode == TN_RESIZE_NEAREST || mode == TN_RESIZE_NEAREST_EXACT;
    char class = tn_expr_class(node->operands[0]->type.dtype);
    return is_image(node) && is_known_full(node) && (class == 'f' || (is_nearest && class != 0));
}

tn_status tn_anchor_resize(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_type *type = &node->operands[0]->type;
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    bool is_ready = false;
    TN_TRY(prepare_images(at, &source, &expr, &is_ready));
    if (!is_ready)
        return NULL;
    const tn_layout *space = &at->store.layout;
    const tn_arg *scales = &node->args[4];
    tn_resize_spec spec = {.name = "KERNEL",
                           .mode = resize_mode(node),
                           .align_corners = node->args[3].b,
                           .class = tn_expr_class(type->dtype),
                           .batch = space->dims[0],
                           .out_h = space->dims[1],
                           .out_w = space->dims[2],
                           .channels = space->dims[3],
                           .scale_h = scales->count == 2 ? scales->floats[0] : 0,
                           .scale_w = scales->floats[scales->count - 1],
                           .load = "KERNEL_prologue",
                           .store = "KERNEL_epilogue"};
    find_sizes(s, type, &spec.in_h, &spec.in_w);
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    tn_nest_load_function(&kernel, spec.load, 4, &source, expr, NULL);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_resize(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL,
                            tn_sym_muli(s->syms, tn_type_elems(s->syms, &at->result->type), 8),
                            &source);
}
