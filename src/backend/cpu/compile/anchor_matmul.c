/* anchor_matmul.c: products of matrices: rows collapsed to one long M where they can be, pairs of
 * columns where the root has half of them. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

bool tn_anchor_takes_product(const tn_node *node) {
    tn_dtype dtype = node->results[0]->type.dtype;
    return dtype == TN_F32 || dtype == TN_BF16;
}

/* The result seen as [product of leading dims, N]. */
static void collapse_rows(tn_segment *s, const tn_type *type, const tn_sym *n, tn_view *out_view) {
    const tn_sym *rows = tn_anchor_size(s, 1);
    for (uint32_t d = 0; d + 1 < type->rank; d++)
        rows = tn_sym_mul(s->syms, rows, type->dims[d]);
    *out_view = (tn_view){.kind = TN_VIEW_RESHAPE, .rank = 2, .dims = {rows, n}};
}

/* Operands of a product in its iteration space [batch.., m, n]. */
typedef struct product {
    tn_place a_place, b_place;
    tn_layout a, b;
    bool b_is_const;
} product;

static tn_status place_product(tn_anchor_attempt *at, bool is_collapsed, product *out,
                               bool *out_is_ready) {
    tn_segment *s = at->s;
    *out_is_ready = false;
    const tn_value *a = at->node->operands[0], *b = at->node->operands[1];
    const tn_type *type = &at->result->type;
    const tn_sym *k = a->type.dims[a->type.rank - 1];
    out->b_is_const = b->kind == TN_VALUE_CONST && b->type.rank == 2;
    TN_TRY(tn_segment_place(s, a, &out->a_place));
    if (!out->b_is_const)
        TN_TRY(tn_segment_place(s, b, &out->b_place));
    const tn_sym *dims[TN_MAX_RANK];
    memcpy(dims, type->dims, sizeof dims);
    dims[type->rank - 1] = k;
    if (!tn_anchor_expand(s->syms, &out->a_place.layout, dims, type->rank, &out->a))
        return NULL;
    if (is_collapsed) {
        tn_view view;
        tn_type a_type = {.rank = type->rank};
        memcpy(a_type.dims, dims, sizeof dims);
        collapse_rows(s, &a_type, k, &view);
        tn_layout collapsed;
        if (!out->b_is_const || !tn_layout_apply(s->syms, &out->a, &view, &collapsed))
            return NULL;
        out->a = collapsed;
    }
    if (!out->b_is_const) {
        memcpy(dims, type->dims, sizeof dims);
        dims[type->rank - 2] = k;
        if (!tn_anchor_expand(s->syms, &out->b_place.layout, dims, type->rank, &out->b))
            return NULL;
    }
    *out_is_ready = true;
    return NULL;
}

static tn_status print_product(tn_anchor_attempt *at, const product *p) {
    tn_segment *s = at->s;
    const tn_layout *space = &at->store.layout;
    const tn_value *a = at->node->operands[0], *b = at->node->operands[1];
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    tn_gemm_spec spec = {.name = "KERNEL",
                         .dtype = a->type.dtype,
                         .batch_rank = space->rank - 2,
                         .m = p->a.dims[p->a.rank - 2],
                         .n = at->result->type.dims[at->result->type.rank - 1],
                         .k = p->a.dims[p->a.rank - 1],
                         .b_is_const = p->b_is_const,
                         .is_paired = at->is_paired,
                         .store = "KERNEL_epilogue"};
    memcpy(spec.batch, space->dims, spec.batch_rank * sizeof *spec.batch);
    tn_status status = tn_anchor_operand(s, &kernel, &p->a_place, a, &p->a, &spec.a);
    if (!status && p->b_is_const) {
        spec.b = (tn_cg_tensor){.buf = tn_kernel_buf(&kernel, TN_CONST_BUFFER + b->id),
                                .dtype = b->type.dtype,
                                .offset = tn_anchor_size(s, 0)};
    } else if (!status) {
        status = tn_anchor_operand(s, &kernel, &p->b_place, b, &p->b, &spec.b);
    }
    tn_cg_kernel emitted = {0};
    if (!status)
        status = tn_emit_gemm(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    const tn_sym *flops = tn_sym_mul(s->syms, tn_type_elems(s->syms, &at->result->type),
                                     tn_sym_muli(s->syms, spec.k, 2));
    const tn_value *weights[2] = {b, b};
    return tn_anchor_finish(at, &kernel, &text, &emitted, weights, flops, NULL);
}

/* Spaces in the order of preference: rows collapsed (one long M); the result's own dims; and, where
 * the root has half the columns, pairs of columns. */
tn_status tn_anchor_matmul(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_type *type = &at->result->type;
    const tn_sym *n = type->dims[type->rank - 1];
    bool may_pair = at->root != at->result && tn_sym_is_const(n) &&
                    n->value % (2 * (int64_t)s->target->lanes) == 0;
    for (int variant = 0; variant < 4; variant++) {
        at->is_paired = variant >= 2;
        bool is_collapsed = variant % 2 == 0;
        if (at->is_paired && !may_pair)
            break;
        product p;
        bool is_ready = false;
        TN_TRY(place_product(at, is_collapsed, &p, &is_ready));
        if (!is_ready || (at->is_paired && !p.b_is_const))
            continue;
        at->space_count = 0;
        const tn_sym *columns =
            at->is_paired ? tn_sym_floordiv(s->syms, n, tn_anchor_size(s, 2)) : n;
        if (is_collapsed)
            collapse_rows(s, type, columns, &at->space[at->space_count++]);
        at->anchor.bias = at->node->operand_count > 2 ? at->node->operands[2] : NULL;
        TN_TRY(tn_anchor_prepare(at, NULL, &is_ready));
        if (!is_ready)
            continue;
        *out_is_fused = true;
        return print_product(at, &p);
    }
    return NULL;
}
