/* pointwise.c: values that are expressions of stored ones: boxes that are split until each part
 * reads one operand only, loop nests, kernels. */
#include "backend/cpu/compile/segment.h"

#include <string.h>

enum { NESTS_MAX = 64 };

/* The nests that together store one value. */
typedef struct nest_list {
    tn_nest *nests;
    size_t count, capacity;
    bool is_impossible; /* the value has to run on the interpreter */
    bool is_part;       /* the rest of the value lies in its place already */
} nest_list;

/* A part of the value's index space. */
typedef struct box {
    const tn_sym *starts[TN_MAX_RANK], *sizes[TN_MAX_RANK];
} box;

static void box_view(const tn_type *type, const box *b, tn_syms *syms, tn_view *out_view) {
    *out_view = (tn_view){.kind = TN_VIEW_SLICE, .rank = type->rank};
    for (uint32_t d = 0; d < type->rank; d++) {
        out_view->dims[d] = b->sizes[d];
        out_view->starts[d] = b->starts[d] ? b->starts[d] : tn_sym_const(syms, 0);
        out_view->steps[d] = 1;
    }
}

/* Cuts a box in two along the dim that the builder asks for. */
static bool split_box(tn_segment *s, const tn_expr_builder *builder, box *low, box *high) {
    uint32_t d = builder->split_dim;
    if (!builder->split_at)
        return false;
    *high = *low;
    high->starts[d] = tn_sym_add(s->syms, low->starts[d], builder->split_at);
    high->sizes[d] = tn_sym_sub(s->syms, low->sizes[d], builder->split_at);
    low->sizes[d] = builder->split_at;
    return high->starts[d] && high->sizes[d];
}

/* Builds the expression of one box; on failure says in the builder why. */
static tn_status build_box(tn_segment *s, const tn_value *value, const box *b,
                           const tn_place *place, tn_nest *out_nest) {
    tn_view *view = NULL;
    tn_chain *chain = NULL;
    TN_ARENA_TRY(s->arena, view, 1);
    TN_ARENA_TRY(s->arena, chain, 1);
    box_view(&value->type, b, s->syms, view);
    chain->view = view;
    *out_nest = (tn_nest){.rank = value->type.rank};
    out_nest->builder = (tn_expr_builder){.arena = s->arena, .syms = s->syms, .places = s->places};
    memcpy(out_nest->dims, b->sizes, sizeof out_nest->dims);
    out_nest->expr = tn_expr_build(&out_nest->builder, value, chain);
    out_nest->store.buffer = place->buffer;
    out_nest->store.dtype = value->type.dtype;
    tn_layout_apply(s->syms, &place->layout, view, &out_nest->store.layout);
    return out_nest->builder.is_out_of_memory ? tn_error_out_of_memory() : NULL;
}

/* Fills `list`, splitting boxes and storing what blocks. */
static tn_status build_nests(tn_segment *s, const tn_value *value, const tn_place *place,
                             nest_list *list) {
    box pending[NESTS_MAX] = {0};
    size_t pending_count = 1;
    for (uint32_t d = 0; d < value->type.rank; d++) {
        pending[0].starts[d] = tn_sym_const(s->syms, 0);
        pending[0].sizes[d] = value->type.dims[d];
    }
    uint32_t attempts = 0;
    while (pending_count > 0) {
        box b = pending[--pending_count];
        if (list->count == NESTS_MAX || pending_count + 2 >= NESTS_MAX ||
            ++attempts > 4 * NESTS_MAX) {
            list->is_impossible = true;
            return NULL;
        }
        list->nests =
            tn_arena_grow(s->arena, list->nests, list->count, &list->capacity, sizeof *list->nests);
        if (!list->nests)
            return tn_error_out_of_memory();
        tn_nest *nest = &list->nests[list->count];
        TN_TRY(build_box(s, value, &b, place, nest));
        if (nest->expr) {
            list->count++;
            continue;
        }
        const tn_value *blocking = nest->builder.blocking;
        if (nest->builder.wants_split) {
            box high;
            if (!split_box(s, &nest->builder, &b, &high))
                return tn_error_out_of_memory();
            pending[pending_count++] = high;
        } else if (!blocking || blocking == value) {
            list->is_impossible = true;
            return NULL;
        } else {
            TN_TRY(tn_segment_materialise(s, blocking));
        }
        pending[pending_count++] = b;
    }
    return NULL;
}

/* Order of dims in memory for a pointwise root: that of the largest operand, so that channels-last
 * data stays channels-last. */
static void pointwise_order(const tn_segment *s, const tn_value *value, const tn_value *from,
                            uint32_t *order, bool *inout_is_found) {
    if (*inout_is_found)
        return;
    const tn_place *place = &s->places[from->id];
    if (!place->is_stored) {
        if (!from->def || tn_segment_kind(from->def) != TN_KIND_POINTWISE)
            return;
        for (uint32_t i = 0; i < from->def->operand_count; i++)
            if (from->def->operands[i]->type.rank == value->type.rank)
                pointwise_order(s, value, from->def->operands[i], order, inout_is_found);
        return;
    }
    for (uint32_t d = 0; d < value->type.rank; d++)
        if (from->type.rank != value->type.rank || from->type.dims[d] != value->type.dims[d] ||
            tn_sym_is(place->layout.strides[d], 0))
            return;
    for (uint32_t d = 0; d < value->type.rank; d++)
        order[d] = d;
    for (uint32_t a = 0; a < value->type.rank; a++)
        for (uint32_t b = a + 1; b < value->type.rank; b++) {
            const tn_sym *x = place->layout.strides[order[a]], *y = place->layout.strides[order[b]];
            bool a_is_one = tn_sym_is(value->type.dims[order[a]], 1);
            bool b_is_one = tn_sym_is(value->type.dims[order[b]], 1);
            if (a_is_one || b_is_one || tn_sym_known_le(s->syms, y, x) == 1)
                continue;
            if (tn_sym_known_le(s->syms, x, y) != 1)
                return;
            uint32_t swapped = order[a];
            order[a] = order[b];
            order[b] = swapped;
        }
    *inout_is_found = true;
}

static const tn_sym *bytes_of_nests(tn_segment *s, const nest_list *list) {
    const tn_sym *bytes = tn_sym_const(s->syms, 0);
    for (size_t i = 0; i < list->count; i++) {
        const tn_nest *nest = &list->nests[i];
        const tn_sym *size = tn_sym_const(s->syms, (int64_t)tn_dtype_bytes(nest->store.dtype));
        for (uint32_t d = 0; d < nest->rank; d++)
            size = tn_sym_mul(s->syms, size, nest->dims[d]);
        bytes = tn_sym_add(s->syms, bytes, size);
    }
    return bytes;
}

/* Emits one kernel that stores these values by their nests. locs: where it comes from; NULL: from
 * the nodes that it computes. */
static tn_status emit_nests(tn_segment *s, nest_list *const *lists, const tn_stored *stored,
                            size_t count, const tn_locs *locs) {
    tn_nest *nests = NULL;
    size_t nest_count = 0;
    for (size_t i = 0; i < count; i++)
        nest_count += lists[i]->count;
    TN_ARENA_TRY(s->arena, nests, nest_count);
    nest_count = 0;
    tn_step_info info = {0};
    for (size_t i = 0; i < count; i++) {
        tn_step_info part;
        TN_TRY(tn_segment_describe(s, stored[i].value, NULL, &part));
        if (lists[i]->is_part)
            part.bytes_written = bytes_of_nests(s, lists[i]);
        for (size_t n = 0; n < lists[i]->count; n++) {
            tn_segment_account(s, stored[i].value, &lists[i]->nests[n].builder, &part);
            tn_nest_simplify(s->syms, &lists[i]->nests[n]);
            nests[nest_count++] = lists[i]->nests[n];
        }
        if (i == 0) {
            info = part;
            continue;
        }
        tn_locs both[] = {info.locs, part.locs};
        TN_TRY(tn_locs_merge(s->arena, both, 2, &info.locs));
        info.flops = tn_sym_add(s->syms, info.flops, part.flops);
        info.bytes_read = tn_sym_add(s->syms, info.bytes_read, part.bytes_read);
        info.bytes_written = tn_sym_add(s->syms, info.bytes_written, part.bytes_written);
    }
    if (locs)
        info.locs = *locs;
    tn_kernel_print kernel;
    tn_buf text;
    tn_cg_kernel emitted = {0};
    tn_segment_begin_kernel(s, &kernel, &text);
    tn_nest_emit_pointwise(&kernel, "KERNEL", nests, nest_count, &emitted);
    return tn_segment_end_kernel(s, &kernel, &text, &emitted, NULL, &info, stored, count);
}

/* The contraction or attention that reads a value, through views, if that is its only use. */
static const tn_node *only_reader(const tn_value *value) {
    while (value->use_count == 1) {
        const tn_node *node = value->uses[0].node;
        switch (tn_segment_kind(node)) {
        case TN_KIND_VIEW:
            value = node->results[0];
            break;
        case TN_KIND_POINTERS:
            return node;
        default:
            return NULL;
        }
    }
    return NULL;
}

static bool has_pending_anchor(const tn_segment *s, const tn_value *root) {
    for (const tn_node *node = root->def->prev; node; node = node->prev)
        if (!s->is_emitted[node->id] && node->result_count > 0 &&
            s->roles[node->results[0]->id].sink == root && s->roles[node->results[0]->id].is_root)
            return true;
    return false;
}

/* All stored values below an expression of a root exist already. */
static bool is_ready(const tn_segment *s, const tn_value *value) {
    if (s->places[value->id].is_stored || value->kind != TN_VALUE_RESULT)
        return true;
    tn_node_kind kind = tn_segment_kind(value->def);
    if (kind != TN_KIND_VIEW && kind != TN_KIND_POINTWISE)
        return false;
    if (s->roles[value->id].is_root)
        return false;
    for (uint32_t i = 0; i < value->def->operand_count; i++)
        if (value->def->operands[i] && !is_ready(s, value->def->operands[i]))
            return false;
    return true;
}

/* Another pointwise root that is ready and feeds the same contraction as `root` (rotary embeddings
 * of queries and keys): the two become one kernel. */
static const tn_value *find_sibling(const tn_segment *s, const tn_value *root) {
    const tn_node *reader = only_reader(root);
    if (!reader)
        return NULL;
    for (const tn_node *node = root->def->next; node && node != reader; node = node->next) {
        const tn_value *value = node->results[0];
        if (s->is_emitted[node->id] || tn_segment_kind(node) != TN_KIND_POINTWISE ||
            !s->roles[value->id].is_root || only_reader(value) != reader)
            continue;
        bool is_ready_now = !has_pending_anchor(s, value);
        for (uint32_t i = 0; i < node->operand_count; i++)
            is_ready_now = is_ready_now && is_ready(s, node->operands[i]);
        if (is_ready_now)
            return value;
    }
    return NULL;
}

/* Whether the nests may write over the state that they read; leaves those out that would write what
 * lies there already. */
static bool may_write_state(nest_list *list, uint32_t state) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!tn_segment_may_write(&list->nests[i].builder, &list->nests[i].store))
            return false;
    for (size_t i = 0; i < list->count; i++) {
        const tn_expr *expr = list->nests[i].expr;
        if (expr->kind != TN_EXPR_LOAD || expr->buffer != state)
            list->nests[kept++] = list->nests[i];
    }
    list->is_part = kept < list->count;
    list->count = kept;
    return !list->is_impossible && kept > 0;
}

/* Nests that write the value where the state lies whose next content it is; no nests: it cannot
 * be done. */
static tn_status build_in_state(tn_segment *s, const tn_value *value, tn_stored *out_stored,
                                nest_list *list) {
    uint32_t state = TN_NO_INDEX;
    TN_TRY(tn_segment_next_buffer(s, value, &state));
    if (state == TN_NO_INDEX)
        return NULL;
    out_stored->place = (tn_place){.is_stored = true, .buffer = state};
    tn_layout_dense(s->syms, &value->type, NULL, &out_stored->place.layout);
    TN_TRY(build_nests(s, value, &out_stored->place, list));
    if (!may_write_state(list, state))
        *list = (nest_list){0};
    return NULL;
}

static tn_status build_stored(tn_segment *s, const tn_value *value, bool is_row_major,
                              tn_stored *out_stored, nest_list **out_list) {
    out_stored->value = value;
    TN_ARENA_TRY(s->arena, *out_list, 1);
    TN_TRY(build_in_state(s, value, out_stored, *out_list));
    if ((*out_list)->count > 0)
        return NULL;
    const tn_place *output = tn_segment_output(s, value, is_row_major);
    if (output) {
        out_stored->place = *output;
        return build_nests(s, value, output, *out_list);
    }
    uint32_t order[TN_MAX_RANK];
    bool is_ordered = !is_row_major && tn_segment_preferred_order(s, value, order);
    if (!is_row_major && value->def)
        for (uint32_t i = 0; i < value->def->operand_count && !is_ordered; i++)
            if (value->def->operands[i])
                pointwise_order(s, value, value->def->operands[i], order, &is_ordered);
    tn_segment_store(s, value, is_ordered ? order : NULL, &out_stored->place);
    return build_nests(s, value, &out_stored->place, *out_list);
}

tn_status tn_segment_emit_pointwise(tn_segment *s, const tn_value *value, bool is_row_major) {
    tn_stored stored[2];
    nest_list *lists[2];
    size_t count = 1;
    TN_TRY(build_stored(s, value, is_row_major, &stored[0], &lists[0]));
    if (lists[0]->is_impossible) {
        if (s->places[value->id].is_stored || !value->def)
            return tn_error_make(TN_INTERNAL, "value %.*s cannot be copied",
                                 TN_STR_ARG(value->name));
        return tn_segment_emit_prim(s, value->def);
    }
    const tn_value *sibling = is_row_major || !value->def ? NULL : find_sibling(s, value);
    if (sibling) {
        TN_TRY(build_stored(s, sibling, false, &stored[1], &lists[1]));
        if (lists[1]->is_impossible) {
            TN_TRY(tn_segment_emit_prim(s, sibling->def));
        } else {
            count = 2;
        }
        s->is_emitted[sibling->def->id] = true;
    }
    return emit_nests(s, lists, stored, count, NULL);
}

tn_status tn_segment_emit_copy(tn_segment *s, const tn_value *value, const tn_place *place,
                               const tn_locs *locs) {
    const tn_stored stored = {.value = value, .place = *place};
    nest_list *list = NULL;
    TN_ARENA_TRY(s->arena, list, 1);
    tn_place kept;
    TN_TRY(tn_segment_place(s, value, &kept));
    s->places[value->id] = kept;
    TN_TRY(build_nests(s, value, place, list));
    if (list->is_impossible)
        return tn_error_make(TN_INTERNAL, "value %.*s cannot be copied", TN_STR_ARG(value->name));
    TN_TRY(emit_nests(s, &list, &stored, 1, locs));
    s->places[value->id] = kept;
    return NULL;
}
