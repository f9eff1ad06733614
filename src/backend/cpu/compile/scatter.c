/* scatter.c: scatters as kernels. They write where their result lies: what they replace nothing of
 * is copied there before, unless it is the operand itself that may be overwritten (in_place.c). */
#include "backend/cpu/compile/segment.h"

#include <string.h>

static tn_prim combine_of(const tn_node *node) {
    tn_str reduce = node->args[4].s;
    return tn_str_is(reduce, "add")    ? TN_PRIM_ADD
           : tn_str_is(reduce, "mul")  ? TN_PRIM_MUL
           : tn_str_is(reduce, "amin") ? TN_PRIM_MIN
           : tn_str_is(reduce, "amax") ? TN_PRIM_MAX
                                       : TN_PRIM_NONE;
}

static bool can_scatter_elements(const tn_node *node) {
    const tn_type *type = &node->results[0]->type;
    tn_dtype index = node->operands[1]->type.dtype;
    return (type->dtype != TN_BOOL || combine_of(node) == TN_PRIM_NONE) &&
           type->dims[node->args[3].i->value]->min >= 1 && (index == TN_I64 || index == TN_I32);
}

/* Whether the slice lies inside for all sizes: a kernel does not check. */
static bool can_scatter_slice(const tn_node *node) {
    tn_syms *syms = node->graph->syms;
    for (uint32_t d = 0; d < node->results[0]->type.rank; d++) {
        const tn_sym *start = node->args[2].ints[d], *size = node->operands[1]->type.dims[d];
        const tn_sym *extent =
            tn_sym_muli(syms, tn_sym_addi(syms, size, -1), node->args[3].ints[d]->value);
        const tn_sym *last = tn_sym_add(syms, start, extent);
        if (!last || start->min < 0 || size->min < 1 ||
            tn_sym_known_le(syms, tn_sym_addi(syms, last, 1), node->results[0]->type.dims[d]) != 1)
            return false;
    }
    return true;
}

bool tn_segment_can_scatter(const tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    if ((prim != TN_PRIM_SCATTER && prim != TN_PRIM_SCATTER_SLICE) ||
        !tn_expr_class(node->results[0]->type.dtype))
        return false;
    return prim == TN_PRIM_SCATTER ? can_scatter_elements(node) : can_scatter_slice(node);
}

static tn_status emit_slice(tn_segment *s, const tn_node *node, const tn_place *result) {
    const tn_value *src = node->operands[1];
    tn_view view = {.kind = TN_VIEW_SLICE, .rank = src->type.rank};
    for (uint32_t d = 0; d < view.rank; d++) {
        view.dims[d] = src->type.dims[d];
        view.starts[d] = node->args[2].ints[d];
        view.steps[d] = node->args[3].ints[d]->value;
    }
    tn_place part = *result;
    tn_layout_apply(s->syms, &result->layout, &view, &part.layout);
    TN_TRY(tn_segment_emit_copy(s, src, &part, &node->locs));
    s->places[node->results[0]->id] = *result;
    return NULL;
}

static tn_cg_tensor tensor_of(tn_kernel_print *kernel, const tn_value *value,
                              const tn_place *place) {
    tn_cg_tensor tensor = {.buf = tn_kernel_buf(kernel, place->buffer),
                           .dtype = value->type.dtype,
                           .offset = place->layout.offset};
    memcpy(tensor.strides, place->layout.strides, sizeof tensor.strides);
    return tensor;
}

static tn_status emit_elements(tn_segment *s, const tn_node *node, const tn_place *operands,
                               const tn_place *result) {
    const tn_value *out = node->results[0], *index = node->operands[1], *src = node->operands[2];
    tn_step_info info;
    TN_TRY(tn_segment_describe(s, out, out, &info));
    tn_kernel_print kernel;
    tn_buf text;
    tn_segment_begin_kernel(s, &kernel, &text);
    tn_scatter_spec spec = {.name = "KERNEL",
                            .combine = combine_of(node),
                            .class = tn_expr_class(out->type.dtype),
                            .rank = out->type.rank,
                            .dim = (uint32_t)node->args[3].i->value,
                            .out = tensor_of(&kernel, out, result),
                            .index = tensor_of(&kernel, index, &operands[1]),
                            .src = tensor_of(&kernel, src, &operands[2]),
                            .error_buf = tn_kernel_buf(&kernel, kernel.error_buffer)};
    spec.size = out->type.dims[spec.dim];
    memcpy(spec.dims, index->type.dims, sizeof spec.dims);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_scatter(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    const tn_sym *elems = tn_type_elems(s->syms, &index->type);
    int64_t element_bytes = (int64_t)tn_dtype_bytes(out->type.dtype);
    info.flops = spec.combine == TN_PRIM_NONE ? tn_sym_const(s->syms, 0) : elems;
    info.bytes_written = tn_sym_muli(s->syms, elems, element_bytes);
    info.bytes_read =
        tn_sym_muli(s->syms, elems, element_bytes + (int64_t)tn_dtype_bytes(index->type.dtype));
    const tn_stored stored = {out, *result};
    return tn_segment_end_kernel(s, &kernel, &text, &emitted, NULL, &info, &stored, 1);
}

tn_status tn_segment_emit_scatter(tn_segment *s, const tn_node *node, const tn_place *operands,
                                  const tn_place *result) {
    if (result->buffer != operands[0].buffer)
        TN_TRY(tn_segment_emit_copy(s, node->operands[0], result, &node->locs));
    return tn_node_prim(node) == TN_PRIM_SCATTER ? emit_elements(s, node, operands, result)
                                                 : emit_slice(s, node, result);
}
