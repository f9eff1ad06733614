/* anchors.c: what the kernels around one heavy primitive have in common: from the anchor's result
 * to the root that the kernel ends in, its store and load functions, the step. Each kind is in a
 * file of its own: it describes its iteration space to fusion (how its dense result is seen there)
 * and fills the spec of its emitter. Fusing is tried in one or more spaces; what cannot be fused is
 * left to kernels of its own. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

/* ---- from the anchor's result to the root -------------------------------------------------------
 */

static const tn_chain *prepend(tn_segment *s, const tn_view *view, const tn_chain *next) {
    tn_chain *link = tn_arena_alloc(s->arena, 1, sizeof *link);
    tn_view *copy = tn_arena_alloc(s->arena, 1, sizeof *copy);
    if (!link || !copy)
        return NULL;
    *copy = *view;
    *link = (tn_chain){.view = copy, .next = next};
    return link;
}

/* The next value on the way from `value` to `root`; NULL if there is none. */
static const tn_value *next_on_path(const tn_anchor_attempt *a, const tn_value *value) {
    for (uint32_t u = 0; u < value->use_count; u++) {
        const tn_value *next = value->uses[u].node->results[0];
        if (next == a->root || a->s->roles[next->id].sink == a->root)
            return next;
    }
    return NULL;
}

/* The chain from root back to the iteration space: the views between the result and root, inverted,
 * then the space's own. False if a view cannot be inverted. */
static bool find_chain(tn_anchor_attempt *a) {
    const tn_chain *chain = NULL;
    for (uint32_t i = a->space_count; i-- > 0;)
        chain = prepend(a->s, &a->space[i], chain);
    bool pair_is_open = a->is_paired;
    for (const tn_value *value = a->result; value != a->root;) {
        const tn_value *next = next_on_path(a, value);
        if (!next)
            return false;
        tn_view view, inverse;
        if (tn_view_of_node(next->def, &view)) {
            if (view.kind == TN_VIEW_SLICE && pair_is_open) {
                pair_is_open = false; /* the space of a pair is that of its halves */
            } else {
                if (!tn_view_invert(&view, value->type.rank, value->type.dims, &inverse))
                    return false;
                chain = prepend(a->s, &inverse, chain);
                if (!chain)
                    return false;
            }
        } else {
            /* A map that broadcasts its operand does not run once per element of it. */
            if (next->type.rank != value->type.rank ||
                memcmp(next->type.dims, value->type.dims,
                       value->type.rank * sizeof *value->type.dims) != 0)
                return false;
        }
        value = next;
    }
    a->chain = chain;
    return !pair_is_open;
}

static bool apply_all(tn_syms *syms, const tn_layout *layout, const tn_chain *chain,
                      tn_layout *out_layout) {
    *out_layout = *layout;
    for (; chain; chain = chain->next) {
        tn_layout next;
        if (!tn_layout_apply(syms, out_layout, chain->view, &next))
            return false;
        *out_layout = next;
    }
    return true;
}

/* What the emitter's vectors are, as layouts of the dense result in the iteration space. */
static bool expect_vectors(tn_anchor_attempt *a) {
    tn_segment *s = a->s;
    tn_layout dense, seen;
    tn_layout_dense(s->syms, &a->result->type, NULL, &dense);
    a->anchor.acc_count = 1;
    if (a->is_paired) {
        /* Halves of the last dim: elements n and n + N/2 of each row. */
        uint32_t last = dense.rank - 1;
        const tn_sym *half = tn_sym_floordiv(s->syms, dense.dims[last], tn_anchor_size(s, 2));
        dense.dims[last] = half;
        a->anchor.acc_count = 2;
    }
    seen = dense;
    for (uint32_t i = 0; i < a->space_count; i++) {
        tn_layout next;
        if (!tn_layout_apply(s->syms, &seen, &a->space[i], &next))
            return false;
        seen = next;
    }
    a->anchor.expected[0] = a->anchor.expected[1] = seen;
    if (a->is_paired)
        a->anchor.expected[1].offset = tn_sym_add(s->syms, seen.offset, dense.dims[dense.rank - 1]);
    return true;
}

/* Whether `value` is computed from the anchor's result inside this kernel. */
static bool depends_on(const tn_anchor_attempt *a, const tn_value *value) {
    if (value == a->result)
        return true;
    if (!value->def || a->s->places[value->id].is_stored)
        return false;
    tn_node_kind kind = tn_segment_kind(value->def);
    if (kind != TN_KIND_VIEW && kind != TN_KIND_POINTWISE)
        return false;
    for (uint32_t i = 0; i < value->def->operand_count; i++)
        if (value->def->operands[i] && depends_on(a, value->def->operands[i]))
            return true;
    return false;
}

/* Builds root's expression, storing side operands that block. */
static tn_status build_root(tn_anchor_attempt *a, bool *out_is_built) {
    *out_is_built = false;
    tn_segment *s = a->s;
    for (int tries = 0; tries < 32; tries++) {
        a->builder = (tn_expr_builder){
            .arena = s->arena, .syms = s->syms, .places = s->places, .anchor = &a->anchor};
        a->expr = tn_expr_build(&a->builder, a->root, a->chain);
        if (a->builder.is_out_of_memory)
            return tn_error_out_of_memory();
        if (a->expr) {
            *out_is_built = tn_expr_class(a->root->type.dtype) != 0;
            return NULL;
        }
        const tn_value *blocking = a->builder.blocking;
        if (!blocking || depends_on(a, blocking))
            return NULL;
        TN_TRY(tn_segment_materialise(s, blocking));
    }
    return NULL;
}

/* Makes a place root's storage, if the kernel may write there and that can be written from the
 * iteration space. */
static bool store_at(tn_anchor_attempt *a, const tn_place *place) {
    tn_store store = {.buffer = place->buffer, .dtype = a->root->type.dtype};
    if (!apply_all(a->s->syms, &place->layout, a->chain, &store.layout) ||
        !tn_segment_may_write(&a->builder, &store))
        return false;
    a->stored = (tn_stored){a->root, *place};
    a->store = store;
    return true;
}

/* Storage for root that others own: the state whose next content it is, or an output. */
static bool store_with_others(tn_anchor_attempt *a) {
    tn_place state = {.is_stored = true, .buffer = a->state};
    tn_layout_dense(a->s->syms, &a->root->type, NULL, &state.layout);
    const tn_place *output = tn_segment_output(a->s, a->root, false);
    return (a->state != TN_NO_INDEX && store_at(a, &state)) || (output && store_at(a, output));
}

/* Storage for root, in the first order that can be written from the iteration space. natural: the
 * order in which the anchor produces (of the result's dims). */
static bool choose_storage(tn_anchor_attempt *a, const uint32_t *natural) {
    tn_segment *s = a->s;
    uint32_t preferred[TN_MAX_RANK];
    const uint32_t *orders[3];
    uint32_t count = 0;
    if (store_with_others(a))
        return true;
    if (tn_segment_preferred_order(s, a->root, preferred))
        orders[count++] = preferred;
    if (natural && a->root->type.rank == a->result->type.rank)
        orders[count++] = natural;
    orders[count++] = NULL;
    for (uint32_t i = 0; i < count; i++) {
        tn_layout dense, seen;
        tn_layout_dense(s->syms, &a->root->type, orders[i], &dense);
        if (!apply_all(s->syms, &dense, a->chain, &seen))
            continue;
        tn_place place;
        tn_segment_store(s, a->root, orders[i], &place);
        return store_at(a, &place);
    }
    return false;
}

/* Everything before printing. natural: see choose_storage. */
tn_status tn_anchor_prepare(tn_anchor_attempt *a, const uint32_t *natural, bool *out_is_ready) {
    *out_is_ready = false;
    a->anchor.value = a->result;
    if (!expect_vectors(a) || !find_chain(a))
        return NULL;
    bool is_built = false;
    TN_TRY(build_root(a, &is_built));
    TN_TRY(tn_segment_next_buffer(a->s, a->root, &a->state));
    *out_is_ready = is_built && choose_storage(a, natural);
    return NULL;
}

/* ---- from operands ------------------------------------------------------------------------------
 */

/* A stored operand seen through a view (NULL: as it is), as emitters want it. */
tn_status tn_anchor_operand(tn_segment *s, tn_kernel_print *kernel, const tn_place *place,
                            const tn_value *value, const tn_layout *layout,
                            tn_cg_tensor *out_tensor) {
    *out_tensor = (tn_cg_tensor){.buf = tn_kernel_buf(kernel, place->buffer),
                                 .dtype = value->type.dtype,
                                 .offset = layout->offset};
    memcpy(out_tensor->strides, layout->strides, sizeof out_tensor->strides);
    return s->cg.failed ? tn_error_out_of_memory() : NULL;
}

bool tn_anchor_expand(tn_syms *syms, const tn_layout *layout, const tn_sym *const *dims,
                      uint32_t rank, tn_layout *out_layout) {
    tn_view view = {.kind = TN_VIEW_EXPAND, .rank = rank};
    memcpy(view.dims, dims, rank * sizeof *dims);
    return tn_layout_apply(syms, layout, &view, out_layout);
}

/* The load function of an anchor over rows: operand 0 through views. Stores what blocks. */
tn_status tn_anchor_source(tn_segment *s, const tn_value *operand, const tn_view *views,
                           uint32_t view_count, tn_expr_builder *builder,
                           const tn_expr **out_expr) {
    *out_expr = NULL;
    const tn_chain *chain = NULL;
    for (uint32_t i = view_count; i-- > 0;) {
        chain = prepend(s, &views[i], chain);
        if (!chain)
            return tn_error_out_of_memory();
    }
    for (int tries = 0; tries < 32 && !*out_expr; tries++) {
        *builder = (tn_expr_builder){.arena = s->arena, .syms = s->syms, .places = s->places};
        *out_expr = tn_expr_build(builder, operand, chain);
        if (builder->is_out_of_memory)
            return tn_error_out_of_memory();
        if (*out_expr)
            return NULL;
        TN_TRY(tn_segment_materialise(s, builder->blocking ? builder->blocking : operand));
    }
    return *out_expr ? NULL
                     : tn_error_make(TN_INTERNAL, "operand %.*s of a row kernel cannot be read",
                                     TN_STR_ARG(operand->name));
}

uint32_t tn_anchor_dim_last(const tn_type *type, uint32_t dim, tn_view *out_view) {
    if (dim + 1 == type->rank)
        return 0;
    *out_view = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = type->rank};
    for (uint32_t i = 0; i < type->rank; i++) {
        out_view->order[i] = i + 1 == type->rank ? dim : i < dim ? i : i + 1;
        out_view->dims[i] = type->dims[out_view->order[i]];
    }
    return 1;
}

bool tn_anchor_dense_dim_last(const tn_expr_builder *source, uint32_t rank, uint32_t *inout_dims,
                              uint32_t dim_count) {
    for (size_t i = 0; i < source->count; i++) {
        const tn_expr *e = source->exprs[i];
        if (e->kind != TN_EXPR_LOAD || e->layout.rank != rank)
            continue;
        for (uint32_t k = dim_count; k-- > 0;)
            if (tn_sym_is(e->layout.strides[inout_dims[k]], 1) &&
                !tn_sym_is(e->layout.dims[inout_dims[k]], 1)) {
                uint32_t dim = inout_dims[k];
                memmove(&inout_dims[k], &inout_dims[k + 1], (dim_count - k - 1) * sizeof dim);
                inout_dims[dim_count - 1] = dim;
                return true;
            }
    }
    return false;
}

/* ---- finishing ----------------------------------------------------------------------------------
 */

tn_status tn_anchor_finish(tn_anchor_attempt *a, tn_kernel_print *kernel, tn_buf *text,
                           const tn_cg_kernel *emitted, const tn_value *const *weights,
                           const tn_sym *flops, const tn_expr_builder *source) {
    tn_segment *s = a->s;
    tn_step_info info;
    tn_status status = tn_segment_describe(s, a->root, a->result, &info);
    if (status) {
        tn_buf_deinit(text);
        return status;
    }
    info.flops = flops;
    for (uint32_t i = 0; i < a->node->operand_count; i++) {
        const tn_value *operand = a->node->operands[i];
        bool is_counted = !operand || (source && i == 0);
        if (is_counted)
            continue;
        const tn_sym *elems = tn_type_elems(s->syms, &operand->type);
        info.bytes_read =
            tn_sym_add(s->syms, info.bytes_read,
                       tn_sym_muli(s->syms, elems, (int64_t)tn_dtype_bytes(operand->type.dtype)));
    }
    if (source)
        tn_segment_account(s, a->result, source, &info);
    tn_segment_account(s, a->root, &a->builder, &info);
    tn_stored stored[2] = {a->stored};
    if (a->other) {
        const tn_type *type = &a->other->root->type;
        stored[1] = a->other->stored;
        info.bytes_written = tn_sym_add(s->syms, info.bytes_written,
                                        tn_sym_muli(s->syms, tn_type_elems(s->syms, type),
                                                    (int64_t)tn_dtype_bytes(type->dtype)));
    }
    s->is_emitted[a->node->id] = true;
    s->is_emitted[a->root->def->id] = true;
    return tn_segment_end_kernel(s, kernel, text, emitted, weights, &info, stored,
                                 a->other ? 2 : 1);
}

/* Begins the kernel and prints the store function, KERNEL_epilogue. */
void tn_anchor_begin(tn_anchor_attempt *a, tn_kernel_print *kernel, tn_buf *text) {
    tn_segment_begin_kernel(a->s, kernel, text);
    tn_nest_store_function(kernel, "KERNEL_epilogue", a->store.layout.rank, a->anchor.acc_count,
                           &a->builder, a->expr, &a->store);
}

/* ---- dispatch -----------------------------------------------------------------------------------
 */

/* Every primitive that has kernels of its own; for some there are two ways. */
static const tn_anchor_kind kinds[] = {
    {TN_PRIM_MATMUL, TN_KIND_POINTERS, tn_anchor_takes_product, tn_anchor_matmul},
    {TN_PRIM_ATTENTION, TN_KIND_POINTERS, tn_anchor_takes_attention, tn_anchor_attention},
    {TN_PRIM_CONV, TN_KIND_POINTERS, tn_anchor_takes_conv, tn_anchor_conv},
    {TN_PRIM_MAX_POOL, TN_KIND_ROWS, tn_anchor_takes_pool, tn_anchor_pool},
    {TN_PRIM_AVG_POOL, TN_KIND_ROWS, tn_anchor_takes_pool, tn_anchor_pool},
    {TN_PRIM_ADAPTIVE_AVG_POOL, TN_KIND_ROWS, tn_anchor_takes_mean, tn_anchor_reduce},
    {TN_PRIM_ADAPTIVE_AVG_POOL, TN_KIND_ROWS, tn_anchor_takes_pool, tn_anchor_pool},
    {TN_PRIM_ADAPTIVE_MAX_POOL, TN_KIND_ROWS, tn_anchor_takes_pool, tn_anchor_pool},
    {TN_PRIM_RESIZE, TN_KIND_ROWS, tn_anchor_takes_resize, tn_anchor_resize},
    {TN_PRIM_SOFTMAX, TN_KIND_ROWS, tn_anchor_takes_rows, tn_anchor_rows},
    {TN_PRIM_LOG_SOFTMAX, TN_KIND_ROWS, tn_anchor_takes_rows, tn_anchor_rows},
    {TN_PRIM_LAYER_NORM, TN_KIND_ROWS, tn_anchor_takes_rows, tn_anchor_rows},
    {TN_PRIM_RMS_NORM, TN_KIND_ROWS, tn_anchor_takes_rows, tn_anchor_rows},
    {TN_PRIM_REDUCE_SUM, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_MEAN, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_PROD, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_MIN, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_MAX, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_ANY, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_ALL, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_REDUCE_VAR, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_ARGMIN, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_ARGMAX, TN_KIND_ROWS, tn_anchor_takes_reduce, tn_anchor_reduce},
    {TN_PRIM_CUMSUM, TN_KIND_ROWS, tn_anchor_takes_scan, tn_anchor_scan},
    {TN_PRIM_CUMPROD, TN_KIND_ROWS, tn_anchor_takes_scan, tn_anchor_scan},
    {TN_PRIM_CUMMAX, TN_KIND_ROWS, tn_anchor_takes_scan, tn_anchor_scan},
    {TN_PRIM_CUMMIN, TN_KIND_ROWS, tn_anchor_takes_scan, tn_anchor_scan},
    {TN_PRIM_SORT, TN_KIND_ROWS, tn_anchor_takes_order, tn_anchor_order},
    {TN_PRIM_TOPK, TN_KIND_ROWS, tn_anchor_takes_order, tn_anchor_order},
};

/* The first that takes the node, NULL if none does. */
static const tn_anchor_kind *find_kind(const tn_node *node) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].prim == tn_node_prim(node) && kinds[i].takes(node))
            return &kinds[i];
    return NULL;
}

tn_node_kind tn_anchor_node_kind(const tn_node *node) {
    const tn_anchor_kind *kind = find_kind(node);
    return kind ? kind->kind : TN_KIND_PRIM;
}

tn_status tn_segment_emit_anchor(tn_segment *s, const tn_node *node, const tn_value *root,
                                 bool *out_is_fused) {
    *out_is_fused = false;
    tn_anchor_attempt *at = NULL;
    TN_ARENA_TRY(s->arena, at, 1);
    *at = (tn_anchor_attempt){.s = s, .node = node, .result = node->results[0], .root = root};
    TN_TRY(find_kind(node)->emit(at, out_is_fused));
    if (*out_is_fused || root != node->results[0])
        return NULL;
    /* No space takes this one as it is (operands whose rows cannot be walked): run it as it stands.
     */
    *out_is_fused = true;
    return tn_segment_emit_prim(s, node);
}
