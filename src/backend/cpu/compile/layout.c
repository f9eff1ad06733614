/* layout.c: layouts under views. Reshape is the only view that can fail; it follows the rule of
 * torch.Tensor.view: split both shapes into the shortest groups of equal size; a group is possible
 * if its operand dims are dense among themselves. */
#include "backend/cpu/compile/layout.h"

#include <string.h>

void tn_layout_dense(tn_syms *syms, const tn_type *type, const uint32_t *order,
                     tn_layout *out_layout) {
    *out_layout = (tn_layout){.rank = type->rank, .offset = tn_sym_const(syms, 0)};
    const tn_sym *stride = tn_sym_const(syms, 1);
    for (uint32_t i = type->rank; i-- > 0;) {
        uint32_t d = order ? order[i] : i;
        out_layout->dims[d] = type->dims[d];
        out_layout->strides[d] = stride;
        stride = tn_sym_mul(syms, stride, type->dims[d]);
    }
}

const tn_sym *tn_layout_elems(tn_syms *syms, const tn_layout *layout) {
    const tn_sym *elems = tn_sym_const(syms, 1);
    for (uint32_t d = 0; d < layout->rank; d++)
        elems = tn_sym_mul(syms, elems, layout->dims[d]);
    return elems;
}

bool tn_layout_equal(const tn_layout *a, const tn_layout *b) {
    if (a->rank != b->rank || a->offset != b->offset)
        return false;
    for (uint32_t d = 0; d < a->rank; d++) {
        if (a->dims[d] != b->dims[d])
            return false;
        if (a->strides[d] != b->strides[d] && !tn_sym_is(a->dims[d], 1))
            return false;
    }
    return true;
}

bool tn_layout_is_row_major(tn_syms *syms, const tn_layout *layout, uint32_t first) {
    const tn_sym *stride = tn_sym_const(syms, 1);
    for (uint32_t d = layout->rank; d-- > first;) {
        if (!tn_sym_is(layout->dims[d], 1) && layout->strides[d] != stride)
            return false;
        stride = tn_sym_mul(syms, stride, layout->dims[d]);
    }
    return true;
}

/* ---- views as nodes ----------------------------------------------------------------------------
 */

static void set_slice(const tn_node *node, tn_view *view) {
    view->kind = TN_VIEW_SLICE;
    for (uint32_t d = 0; d < view->rank; d++) {
        view->starts[d] = node->args[1].ints[d];
        view->steps[d] = node->args[3].ints[d]->value;
    }
}

bool tn_view_of_node(const tn_node *node, tn_view *out_view) {
    const tn_type *type = &node->results[0]->type;
    *out_view = (tn_view){.rank = type->rank};
    memcpy(out_view->dims, type->dims, sizeof out_view->dims);
    switch (tn_node_prim(node)) {
    case TN_PRIM_RESHAPE:
        out_view->kind = TN_VIEW_RESHAPE;
        return true;
    case TN_PRIM_PERMUTE:
        out_view->kind = TN_VIEW_PERMUTE;
        for (uint32_t d = 0; d < type->rank; d++)
            out_view->order[d] = (uint32_t)node->args[1].ints[d]->value;
        return true;
    case TN_PRIM_EXPAND:
        out_view->kind = TN_VIEW_EXPAND;
        return true;
    case TN_PRIM_SLICE:
        set_slice(node, out_view);
        return true;
    case TN_PRIM_FLIP:
        out_view->kind = TN_VIEW_FLIP;
        for (uint32_t i = 0; i < node->args[1].count; i++)
            out_view->flip_mask |= 1u << node->args[1].ints[i]->value;
        return true;
    default:
        return false;
    }
}

bool tn_view_invert(const tn_view *view, uint32_t operand_rank, const tn_sym *const *operand_dims,
                    tn_view *out_view) {
    *out_view = (tn_view){.kind = view->kind, .rank = operand_rank, .flip_mask = view->flip_mask};
    memcpy(out_view->dims, operand_dims, operand_rank * sizeof *operand_dims);
    switch (view->kind) {
    case TN_VIEW_RESHAPE:
    case TN_VIEW_FLIP:
        return true;
    case TN_VIEW_PERMUTE:
        for (uint32_t i = 0; i < view->rank; i++)
            out_view->order[view->order[i]] = i;
        return true;
    case TN_VIEW_EXPAND:
    case TN_VIEW_SLICE:
    case TN_VIEW_EMBED:
        break;
    }
    return false;
}

/* ---- views of layouts --------------------------------------------------------------------------
 */

/* The dims of `from` in [from_begin, from_end) that are not 1, joined to one run of elements with
 * the stride of the last: false unless each is dense over the next. */
static bool join_dims(tn_syms *syms, const tn_layout *from, uint32_t begin, uint32_t end,
                      const tn_sym **out_stride) {
    const tn_sym *stride = NULL, *expected = NULL;
    for (uint32_t d = end; d-- > begin;) {
        if (tn_sym_is(from->dims[d], 1))
            continue;
        if (!stride)
            stride = from->strides[d];
        else if (from->strides[d] != expected)
            return false;
        expected = tn_sym_mul(syms, from->strides[d], from->dims[d]);
        if (!expected)
            return false;
    }
    *out_stride = stride ? stride : tn_sym_const(syms, 0);
    return true;
}

/* Whether b is known to be a multiple of a. */
static bool divides(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (a->min < 1)
        return false;
    const tn_sym *rest = tn_sym_mod(syms, b, a);
    return rest && tn_sym_is(rest, 0);
}

/* Dims [i, i_end) of the operand and [j, j_end) of the result that hold the same elements. */
typedef struct dim_group {
    uint32_t i, i_end, j, j_end;
} dim_group;

/* Grows the shortest group with equal sizes that begins at g->i and g->j; false if there is none.
 */
static bool find_group(tn_syms *syms, const tn_layout *from, const tn_view *to, dim_group *g) {
    const tn_sym *one = tn_sym_const(syms, 1);
    const tn_sym *a = g->i < from->rank ? from->dims[g->i] : one;
    const tn_sym *b = g->j < to->rank ? to->dims[g->j] : one;
    g->i_end = g->i < from->rank ? g->i + 1 : g->i;
    g->j_end = g->j < to->rank ? g->j + 1 : g->j;
    while (a && b && a != b) {
        bool a_is_smaller = tn_sym_known_le(syms, a, b) == 1 || divides(syms, a, b);
        bool grows_a = g->i_end < from->rank && (g->j_end == to->rank || a_is_smaller);
        if (grows_a)
            a = tn_sym_mul(syms, a, from->dims[g->i_end++]);
        else if (g->j_end < to->rank)
            b = tn_sym_mul(syms, b, to->dims[g->j_end++]);
        else
            return false;
    }
    return a && b;
}

static bool is_empty(const tn_view *view) {
    for (uint32_t d = 0; d < view->rank; d++)
        if (tn_sym_is(view->dims[d], 0))
            return true;
    return false;
}

static bool reshape(tn_syms *syms, const tn_layout *from, const tn_view *view, tn_layout *to) {
    /* No elements, or all in their order: dense whatever the dims, which symbols may not tell to be
     * groups of equal size. */
    if (is_empty(view) || tn_layout_is_row_major(syms, from, 0)) {
        tn_type type = {.rank = view->rank};
        memcpy(type.dims, view->dims, sizeof type.dims);
        tn_layout_dense(syms, &type, NULL, to);
        to->offset = from->offset;
        return true;
    }
    dim_group g = {0};
    for (; g.i < from->rank || g.j < to->rank; g.i = g.i_end, g.j = g.j_end) {
        if (!find_group(syms, from, view, &g))
            return false;
        const tn_sym *stride = NULL;
        if (g.i_end == g.i + 1 && g.j_end == g.j + 1)
            stride = from->strides[g.i];
        else if (!join_dims(syms, from, g.i, g.i_end, &stride))
            return false;
        for (uint32_t d = g.j_end; d-- > g.j;) {
            to->strides[d] = stride;
            stride = tn_sym_mul(syms, stride, view->dims[d]);
            if (!stride)
                return false;
        }
    }
    return true;
}

static void expand(tn_syms *syms, const tn_layout *from, const tn_view *view, tn_layout *to) {
    uint32_t shift = to->rank - from->rank;
    for (uint32_t d = 0; d < to->rank; d++) {
        bool is_repeated =
            d < shift || (tn_sym_is(from->dims[d - shift], 1) && !tn_sym_is(view->dims[d], 1));
        to->strides[d] = is_repeated ? tn_sym_const(syms, 0) : from->strides[d - shift];
    }
}

bool tn_layout_apply(tn_syms *syms, const tn_layout *from, const tn_view *view, tn_layout *to) {
    *to = (tn_layout){.rank = view->rank, .offset = from->offset};
    memcpy(to->dims, view->dims, sizeof to->dims);
    switch (view->kind) {
    case TN_VIEW_RESHAPE:
        return reshape(syms, from, view, to);
    case TN_VIEW_PERMUTE:
        for (uint32_t d = 0; d < to->rank; d++)
            to->strides[d] = from->strides[view->order[d]];
        return true;
    case TN_VIEW_EXPAND:
        expand(syms, from, view, to);
        return true;
    case TN_VIEW_SLICE:
        for (uint32_t d = 0; d < to->rank; d++) {
            to->strides[d] = tn_sym_muli(syms, from->strides[d], view->steps[d]);
            to->offset =
                tn_sym_add(syms, to->offset, tn_sym_mul(syms, view->starts[d], from->strides[d]));
        }
        return true;
    case TN_VIEW_FLIP:
        for (uint32_t d = 0; d < to->rank; d++) {
            to->strides[d] = from->strides[d];
            if (!(view->flip_mask >> d & 1))
                continue;
            const tn_sym *last = tn_sym_addi(syms, from->dims[d], -1);
            to->offset = tn_sym_add(syms, to->offset, tn_sym_mul(syms, last, from->strides[d]));
            to->strides[d] = tn_sym_muli(syms, from->strides[d], -1);
        }
        return true;
    case TN_VIEW_EMBED:
        for (uint32_t d = 0; d < to->rank; d++) {
            to->strides[d] = from->strides[d];
            to->offset =
                tn_sym_sub(syms, to->offset, tn_sym_mul(syms, view->starts[d], from->strides[d]));
        }
        return true;
    }
    return false;
}
