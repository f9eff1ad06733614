/* anchors.c: the kernels built around one heavy primitive. Each kind describes its iteration space
 * to fusion (how its dense result is seen there), prints its store and load functions, and fills
 * the spec of its emitter. Fusing is tried in one or more spaces; what cannot be fused is left to
 * kernels of its own. */
#include "backend/cpu/compile/segment.h"

#include <string.h>

/* One attempt at an anchor's kernel. */
typedef struct attempt {
    tn_segment *s;
    const tn_node *node;
    const tn_value *result, *root;
    tn_view space[2]; /* from the result to the iteration space */
    uint32_t space_count;
    bool is_paired;
    tn_anchor_result anchor;
    const tn_chain *chain; /* from root to the iteration space */
    tn_expr_builder builder;
    const tn_expr *expr;
    tn_stored stored;
    tn_store store;
} attempt;

static const tn_sym *constant(tn_segment *s, int64_t value) {
    return tn_sym_const(s->syms, value);
}

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
static const tn_value *next_on_path(const attempt *a, const tn_value *value) {
    for (uint32_t u = 0; u < value->use_count; u++) {
        const tn_value *next = value->uses[u].node->results[0];
        if (next == a->root || a->s->roles[next->id].sink == a->root)
            return next;
    }
    return NULL;
}

/* The chain from root back to the iteration space: the views between the result and root, inverted,
 * then the space's own. False if a view cannot be inverted. */
static bool find_chain(attempt *a) {
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
static bool expect_vectors(attempt *a) {
    tn_segment *s = a->s;
    tn_layout dense, seen;
    tn_layout_dense(s->syms, &a->result->type, NULL, &dense);
    a->anchor.acc_count = 1;
    if (a->is_paired) {
        /* Halves of the last dim: elements n and n + N/2 of each row. */
        uint32_t last = dense.rank - 1;
        const tn_sym *half = tn_sym_floordiv(s->syms, dense.dims[last], constant(s, 2));
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
static bool depends_on(const attempt *a, const tn_value *value) {
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
static tn_status build_root(attempt *a, bool *out_is_built) {
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

/* Storage for root, in the first order that can be written from the iteration space. natural: the
 * order in which the anchor produces (of the result's dims). */
static bool choose_storage(attempt *a, const uint32_t *natural) {
    tn_segment *s = a->s;
    uint32_t preferred[TN_MAX_RANK];
    bool is_output = s->output_of[a->root->id] != TN_NO_INDEX;
    const uint32_t *orders[3];
    uint32_t count = 0;
    if (!is_output && tn_segment_preferred_order(s, a->root, preferred))
        orders[count++] = preferred;
    if (!is_output && natural && a->root->type.rank == a->result->type.rank)
        orders[count++] = natural;
    orders[count++] = NULL;
    for (uint32_t i = 0; i < count; i++) {
        tn_layout dense, seen;
        tn_layout_dense(s->syms, &a->root->type, orders[i], &dense);
        if (!apply_all(s->syms, &dense, a->chain, &seen))
            continue;
        a->stored.value = a->root;
        tn_segment_store(s, a->root, orders[i], &a->stored.place);
        a->store = (tn_store){
            .buffer = a->stored.place.buffer, .dtype = a->root->type.dtype, .layout = seen};
        return true;
    }
    return false;
}

/* Everything before printing. natural: see choose_storage. */
static tn_status prepare(attempt *a, const uint32_t *natural, bool *out_is_ready) {
    *out_is_ready = false;
    a->anchor.value = a->result;
    if (!expect_vectors(a) || !find_chain(a))
        return NULL;
    bool is_built = false;
    TN_TRY(build_root(a, &is_built));
    *out_is_ready = is_built && choose_storage(a, natural);
    return NULL;
}

/* ---- from operands ------------------------------------------------------------------------------
 */

/* A stored operand seen through a view (NULL: as it is), as emitters want it. */
static tn_status operand_tensor(tn_segment *s, tn_kernel_print *kernel, const tn_place *place,
                                const tn_value *value, const tn_layout *layout,
                                tn_cg_tensor *out_tensor) {
    *out_tensor = (tn_cg_tensor){.buf = tn_kernel_buf(kernel, place->buffer),
                                 .dtype = value->type.dtype,
                                 .offset = layout->offset};
    memcpy(out_tensor->strides, layout->strides, sizeof out_tensor->strides);
    return s->cg.failed ? tn_error_out_of_memory() : NULL;
}

static bool expand_to(tn_syms *syms, const tn_layout *layout, const tn_sym *const *dims,
                      uint32_t rank, tn_layout *out_layout) {
    tn_view view = {.kind = TN_VIEW_EXPAND, .rank = rank};
    memcpy(view.dims, dims, rank * sizeof *dims);
    return tn_layout_apply(syms, layout, &view, out_layout);
}

/* The load function of an anchor over rows: operand 0 through views. Stores what blocks. */
static tn_status build_source(tn_segment *s, const tn_value *operand, const tn_view *views,
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

/* ---- finishing ----------------------------------------------------------------------------------
 */

static tn_status finish(attempt *a, tn_kernel_print *kernel, tn_buf *text,
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
    s->is_emitted[a->node->id] = true;
    s->is_emitted[a->root->def->id] = true;
    return tn_segment_end_kernel(s, kernel, text, emitted, weights, &info, &a->stored, 1);
}

/* Begins the kernel and prints the store function, KERNEL_epilogue. */
static void begin(attempt *a, tn_kernel_print *kernel, tn_buf *text) {
    tn_segment_begin_kernel(a->s, kernel, text);
    tn_nest_store_function(kernel, "KERNEL_epilogue", a->store.layout.rank, a->anchor.acc_count,
                           &a->builder, a->expr, &a->store);
}

/* ---- matmul -------------------------------------------------------------------------------------
 */

/* The result seen as [product of leading dims, N]. */
static void collapse_rows(tn_segment *s, const tn_type *type, const tn_sym *n, tn_view *out_view) {
    const tn_sym *rows = constant(s, 1);
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

static tn_status place_product(attempt *at, bool is_collapsed, product *out, bool *out_is_ready) {
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
    if (!expand_to(s->syms, &out->a_place.layout, dims, type->rank, &out->a))
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
        if (!expand_to(s->syms, &out->b_place.layout, dims, type->rank, &out->b))
            return NULL;
    }
    *out_is_ready = true;
    return NULL;
}

static tn_status print_product(attempt *at, const product *p) {
    tn_segment *s = at->s;
    const tn_layout *space = &at->store.layout;
    const tn_value *a = at->node->operands[0], *b = at->node->operands[1];
    tn_kernel_print kernel;
    tn_buf text;
    begin(at, &kernel, &text);
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
    tn_status status = operand_tensor(s, &kernel, &p->a_place, a, &p->a, &spec.a);
    if (!status && p->b_is_const) {
        spec.b = (tn_cg_tensor){.buf = tn_kernel_buf(&kernel, TN_CONST_BUFFER + b->id),
                                .dtype = b->type.dtype,
                                .offset = constant(s, 0)};
    } else if (!status) {
        status = operand_tensor(s, &kernel, &p->b_place, b, &p->b, &spec.b);
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
    return finish(at, &kernel, &text, &emitted, weights, flops, NULL);
}

/* Spaces in the order of preference: rows collapsed (one long M); the result's own dims; and, where
 * the root has half the columns, pairs of columns. */
static tn_status emit_matmul(attempt *at, bool *out_is_fused) {
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
        const tn_sym *columns = at->is_paired ? tn_sym_floordiv(s->syms, n, constant(s, 2)) : n;
        if (is_collapsed)
            collapse_rows(s, type, columns, &at->space[at->space_count++]);
        at->anchor.bias = at->node->operand_count > 2 ? at->node->operands[2] : NULL;
        TN_TRY(prepare(at, NULL, &is_ready));
        if (!is_ready)
            continue;
        *out_is_fused = true;
        return print_product(at, &p);
    }
    return NULL;
}

/* ---- convolution --------------------------------------------------------------------------------
 */

/* A 3-D tensor [N, C, W] seen as [N, C, 1, W]. */
static void add_height(tn_segment *s, const tn_type *type, tn_view *out_view) {
    *out_view = (tn_view){.kind = TN_VIEW_RESHAPE,
                          .rank = 4,
                          .dims = {type->dims[0], type->dims[1], constant(s, 1), type->dims[2]}};
}

static const uint32_t channels_last[4] = {0, 2, 3, 1};

/* From a result [N, C, spatial..] to [n, y, x, c]. */
static uint32_t channels_last_space(tn_segment *s, const tn_type *type, tn_view *views) {
    uint32_t count = 0;
    const tn_sym *h = type->rank == 4 ? type->dims[2] : constant(s, 1);
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

static tn_status emit_conv(attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0], *w = node->operands[1];
    static const uint32_t order3[3] = {0, 2, 1};
    at->space_count = channels_last_space(s, &at->result->type, at->space);
    /* A bias [O] broadcasts along channels: [O, 1, ..]. */
    tn_view tall = {.kind = TN_VIEW_RESHAPE, .rank = at->result->type.rank - 1};
    for (uint32_t d = 0; d < tall.rank; d++)
        tall.dims[d] = d == 0 ? w->type.dims[0] : constant(s, 1);
    at->anchor.bias = node->operand_count > 2 ? node->operands[2] : NULL;
    at->anchor.bias_view = &tall;
    bool is_ready = false;
    tn_status status = prepare(at, at->result->type.rank == 4 ? channels_last : order3, &is_ready);
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
    begin(at, &kernel, &text);
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
    status = operand_tensor(s, &kernel, &x_place, x, &x_layout, &spec.x);
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
    return finish(at, &kernel, &text, &emitted, weights, flops, NULL);
}

/* ---- attention ----------------------------------------------------------------------------------
 */

static tn_status emit_attention(attempt *at, bool *out_is_fused) {
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
    TN_TRY(prepare(at, natural, &is_ready));
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
        if (!expand_to(s->syms, &places[i].layout, dims, rank, &layouts[i]))
            return tn_error_make(TN_INTERNAL, "operand %u of %.*s does not broadcast", i,
                                 TN_STR_ARG(at->result->name));
    }
    tn_kernel_print kernel;
    tn_buf text;
    begin(at, &kernel, &text);
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
            status =
                operand_tensor(s, &kernel, &places[i], node->operands[i], &layouts[i], tensors[i]);
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
    return finish(at, &kernel, &text, &emitted, NULL,
                  tn_sym_muli(s->syms, tn_sym_mul(s->syms, rows, scores), 2), NULL);
}

/* ---- rows: softmax and normalisation ------------------------------------------------------------
 */

/* The space of whole rows: the normalised dims last, as one. */
static void row_space(attempt *at, tn_row_spec *spec) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_type *type = &node->operands[0]->type;
    tn_prim prim = tn_node_prim(node);
    tn_view *view = &at->space[0];
    at->space_count = 0;
    if (prim == TN_PRIM_SOFTMAX || prim == TN_PRIM_LOG_SOFTMAX) {
        spec->kind = prim == TN_PRIM_SOFTMAX ? TN_ROW_SOFTMAX : TN_ROW_LOG_SOFTMAX;
        uint32_t dim = (uint32_t)node->args[1].i->value;
        if (dim + 1 == type->rank)
            return;
        *view = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = type->rank};
        for (uint32_t i = 0; i < type->rank; i++) {
            view->order[i] = i + 1 == type->rank ? dim : i < dim ? i : i + 1;
            view->dims[i] = type->dims[view->order[i]];
        }
        at->space_count = 1;
        return;
    }
    bool is_layer_norm = prim == TN_PRIM_LAYER_NORM;
    uint32_t dims = (uint32_t)node->args[is_layer_norm ? 3 : 2].i->value;
    spec->kind = is_layer_norm ? TN_ROW_LAYER_NORM : TN_ROW_RMS_NORM;
    spec->eps = node->args[is_layer_norm ? 4 : 3].f;
    if (dims == 1)
        return;
    *view = (tn_view){.kind = TN_VIEW_RESHAPE, .rank = type->rank - dims + 1};
    memcpy(view->dims, type->dims, sizeof view->dims);
    for (uint32_t d = view->rank; d < type->rank; d++)
        view->dims[view->rank - 1] = tn_sym_mul(s->syms, view->dims[view->rank - 1], type->dims[d]);
    at->space_count = 1;
}

/* Weight and bias of a normalisation, stored, become the anchor's scale and bias. */
static tn_status row_operands(attempt *at) {
    tn_prim prim = tn_node_prim(at->node);
    if (prim == TN_PRIM_LAYER_NORM || prim == TN_PRIM_RMS_NORM)
        at->anchor.scale = tn_node_arg_value(at->node, 1);
    if (prim == TN_PRIM_LAYER_NORM)
        at->anchor.bias = tn_node_arg_value(at->node, 2);
    const tn_value *operands[2] = {at->anchor.scale, at->anchor.bias};
    for (int i = 0; i < 2; i++)
        if (operands[i] && !at->s->places[operands[i]->id].is_stored)
            TN_TRY(tn_segment_materialise(at->s, operands[i]));
    return NULL;
}

static tn_status emit_rows(attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_value *x = at->node->operands[0];
    tn_row_spec spec = {.name = "KERNEL", .load = "KERNEL_prologue", .store = "KERNEL_epilogue"};
    row_space(at, &spec);
    TN_TRY(row_operands(at));
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(build_source(s, x, at->space, at->space_count, &source, &expr));
    bool is_ready = false;
    TN_TRY(prepare(at, NULL, &is_ready));
    if (!is_ready)
        return NULL;
    /* Preparing may have stored operands of the source. */
    TN_TRY(build_source(s, x, at->space, at->space_count, &source, &expr));
    tn_kernel_print kernel;
    tn_buf text;
    begin(at, &kernel, &text);
    const tn_layout *space = &at->store.layout;
    spec.outer_rank = space->rank - 1;
    memcpy(spec.outer, space->dims, spec.outer_rank * sizeof *spec.outer);
    spec.n = space->dims[spec.outer_rank];
    tn_nest_load_function(&kernel, "KERNEL_prologue", space->rank, &source, expr);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_rows(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return finish(at, &kernel, &text, &emitted, NULL,
                  tn_sym_muli(s->syms, tn_type_elems(s->syms, &x->type), 8), &source);
}

/* ---- pooling ------------------------------------------------------------------------------------
 */

static tn_status emit_pool(attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0];
    bool is_max = tn_node_prim(node) == TN_PRIM_MAX_POOL;
    at->space_count = channels_last_space(s, &at->result->type, at->space);
    bool is_ready = false;
    TN_TRY(prepare(at, channels_last, &is_ready));
    if (!is_ready)
        return NULL;
    tn_view views[2];
    uint32_t view_count = channels_last_space(s, &x->type, views);
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(build_source(s, x, views, view_count, &source, &expr));
    tn_kernel_print kernel;
    tn_buf text;
    begin(at, &kernel, &text);
    tn_nest_load_function(&kernel, "KERNEL_prologue", 4, &source, expr);
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
    return finish(at, &kernel, &text, &emitted, NULL,
                  tn_sym_muli(s->syms, tn_type_elems(s->syms, &at->result->type),
                              spec.kernel_h * spec.kernel_w),
                  &source);
}

/* ---- reductions ---------------------------------------------------------------------------------
 */

/* Which dims are reduced, and by what. */
static uint32_t reduced_mask(const tn_node *node) {
    uint32_t mask = 0, rank = node->operands[0]->type.rank;
    if (tn_node_prim(node) == TN_PRIM_ADAPTIVE_AVG_POOL) {
        for (uint32_t i = 0; i < node->args[1].count; i++)
            mask |= 1u << (rank - 1 - i);
        return mask;
    }
    for (uint32_t i = 0; i < node->args[1].count; i++)
        mask |= 1u << node->args[1].ints[i]->value;
    return mask;
}

/* Whether the stored layout of a source makes the last kept dim the one of stride 1. */
static bool kept_dim_is_dense(const tn_expr_builder *source, uint32_t rank, uint32_t *inout_kept,
                              uint32_t kept_count) {
    for (size_t i = 0; i < source->count; i++) {
        const tn_expr *e = source->exprs[i];
        if (e->kind != TN_EXPR_LOAD || e->layout.rank != rank)
            continue;
        for (uint32_t k = kept_count; k-- > 0;)
            if (tn_sym_is(e->layout.strides[inout_kept[k]], 1) &&
                !tn_sym_is(e->layout.dims[inout_kept[k]], 1)) {
                uint32_t dim = inout_kept[k];
                memmove(&inout_kept[k], &inout_kept[k + 1], (kept_count - k - 1) * sizeof dim);
                inout_kept[kept_count - 1] = dim;
                return true;
            }
    }
    return false;
}

static tn_status emit_reduce(attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0];
    const tn_type *type = &x->type;
    uint32_t mask = reduced_mask(node), kept[TN_MAX_RANK], kept_count = 0;
    for (uint32_t d = 0; d < type->rank; d++)
        if (!(mask >> d & 1))
            kept[kept_count++] = d;
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(build_source(s, x, NULL, 0, &source, &expr));
    tn_reduce_nest nest = {.rank = type->rank, .reduced = type->rank - kept_count};
    nest.lanes_along_kept =
        kept_count > 0 && kept_dim_is_dense(&source, type->rank, kept, kept_count);
    nest.prim =
        tn_node_prim(node) == TN_PRIM_ADAPTIVE_AVG_POOL ? TN_PRIM_REDUCE_MEAN : tn_node_prim(node);
    /* The result's space: the kept dims in this order, without those of size 1 that keep_dim left.
     */
    tn_view *squeeze = &at->space[0], *permute = &at->space[1];
    uint32_t sorted[TN_MAX_RANK];
    memcpy(sorted, kept, sizeof sorted);
    for (uint32_t i = 0; i < kept_count; i++)
        for (uint32_t j = i + 1; j < kept_count; j++)
            if (sorted[j] < sorted[i]) {
                uint32_t swapped = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = swapped;
            }
    *squeeze = (tn_view){.kind = TN_VIEW_RESHAPE, .rank = kept_count};
    *permute = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = kept_count};
    for (uint32_t i = 0; i < kept_count; i++) {
        squeeze->dims[i] = type->dims[sorted[i]];
        permute->dims[i] = type->dims[kept[i]];
        for (uint32_t j = 0; j < kept_count; j++)
            if (sorted[j] == kept[i])
                permute->order[i] = j;
    }
    at->space_count = 2;
    bool is_ready = false;
    TN_TRY(prepare(at, NULL, &is_ready));
    if (!is_ready)
        return NULL;
    tn_view order = {.kind = TN_VIEW_PERMUTE, .rank = type->rank};
    uint32_t at_dim = 0, numbered = kept_count - nest.lanes_along_kept;
    for (uint32_t i = 0; i < numbered; i++)
        order.order[at_dim++] = kept[i];
    for (uint32_t d = 0; d < type->rank; d++)
        if (mask >> d & 1)
            order.order[at_dim++] = d;
    if (nest.lanes_along_kept)
        order.order[at_dim++] = kept[kept_count - 1];
    for (uint32_t d = 0; d < type->rank; d++)
        nest.dims[d] = order.dims[d] = type->dims[order.order[d]];
    TN_TRY(build_source(s, x, &order, 1, &source, &expr));
    nest.source_builder = &source;
    nest.source = expr;
    nest.builder = &at->builder;
    nest.expr = at->expr;
    nest.store = at->store;
    tn_kernel_print kernel;
    tn_buf text;
    tn_segment_begin_kernel(s, &kernel, &text);
    tn_cg_kernel emitted = {0};
    tn_nest_emit_reduce(&kernel, "KERNEL", &nest, &emitted);
    *out_is_fused = true;
    return finish(at, &kernel, &text, &emitted, NULL, tn_type_elems(s->syms, type), &source);
}

/* ---- dispatch -----------------------------------------------------------------------------------
 */

static tn_status emit_kind(attempt *at, bool *out_is_fused) {
    switch (tn_node_prim(at->node)) {
    case TN_PRIM_MATMUL:
        return emit_matmul(at, out_is_fused);
    case TN_PRIM_CONV:
        return emit_conv(at, out_is_fused);
    case TN_PRIM_ATTENTION:
        return emit_attention(at, out_is_fused);
    case TN_PRIM_SOFTMAX:
    case TN_PRIM_LOG_SOFTMAX:
    case TN_PRIM_LAYER_NORM:
    case TN_PRIM_RMS_NORM:
        return emit_rows(at, out_is_fused);
    case TN_PRIM_MAX_POOL:
    case TN_PRIM_AVG_POOL:
        return emit_pool(at, out_is_fused);
    default:
        return emit_reduce(at, out_is_fused);
    }
}

tn_status tn_segment_emit_anchor(tn_segment *s, const tn_node *node, const tn_value *root,
                                 bool *out_is_fused) {
    *out_is_fused = false;
    attempt *at = NULL;
    TN_ARENA_TRY(s->arena, at, 1);
    *at = (attempt){.s = s, .node = node, .result = node->results[0], .root = root};
    TN_TRY(emit_kind(at, out_is_fused));
    if (*out_is_fused || root != node->results[0])
        return NULL;
    /* No space takes this one as it is (operands whose rows cannot be walked): run it as it stands.
     */
    *out_is_fused = true;
    return tn_segment_emit_prim(s, node);
}
