/* expr.c: building expressions: the one place where views and broadcasts turn into index
 * arithmetic. */
#include "backend/cpu/compile/expr_impl.h"

#include <string.h>

char tn_expr_class(tn_dtype dtype) {
    switch (dtype) {
    case TN_F32:
    case TN_BF16:
    case TN_F16:
        return 'f';
    case TN_F64:
        return 'd';
    case TN_I64:
        return 'l';
    case TN_I32:
    case TN_I16:
    case TN_I8:
    case TN_U8:
        return 'i';
    case TN_BOOL:
        return 'm';
    default:
        return 0;
    }
}

/* Which classes a map can be rendered on, by its operands' class. */
static bool class_is_rendered(tn_prim prim, char operand_class) {
    switch (prim) {
    case TN_PRIM_CAST:
    case TN_PRIM_SELECT:
        return true;
    case TN_PRIM_EQ:
    case TN_PRIM_NE:
    case TN_PRIM_AND:
    case TN_PRIM_OR:
    case TN_PRIM_XOR:
        return (operand_class != 'f' && operand_class != 'd') || prim == TN_PRIM_EQ ||
               prim == TN_PRIM_NE;
    case TN_PRIM_NOT:
        return operand_class == 'm' || operand_class == 'i' || operand_class == 'l';
    case TN_PRIM_ADD:
    case TN_PRIM_SUB:
    case TN_PRIM_MUL:
    case TN_PRIM_NEG:
    case TN_PRIM_ABS:
    case TN_PRIM_MIN:
    case TN_PRIM_MAX:
    case TN_PRIM_RELU:
    case TN_PRIM_LT:
    case TN_PRIM_LE:
        return operand_class != 'm';
    case TN_PRIM_FLOORDIV:
    case TN_PRIM_TRUNCDIV:
    case TN_PRIM_REMAINDER:
    case TN_PRIM_FMOD:
    case TN_PRIM_SHL:
    case TN_PRIM_SHR:
        return operand_class == 'l' || operand_class == 'i';
    case TN_PRIM_DIV:
    case TN_PRIM_SQRT:
    case TN_PRIM_RSQRT:
    case TN_PRIM_RECIP:
        return operand_class == 'f' || operand_class == 'd';
    case TN_PRIM_POW:
        return operand_class == 'f' || operand_class == 'l' || operand_class == 'i';
    default:
        return operand_class == 'f';
    }
}

bool tn_expr_can_render(const tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    if (!tn_expr_class(node->results[0]->type.dtype))
        return false;
    switch (prim) {
    case TN_PRIM_IOTA:
        return node->results[0]->type.dtype == TN_I64 || node->results[0]->type.dtype == TN_F32 ||
               node->results[0]->type.dtype == TN_I32;
    case TN_PRIM_SYM_VALUE:
    case TN_PRIM_CONCAT:
        return true;
    case TN_PRIM_PAD:
        return tn_expr_can_pad(node);
    case TN_PRIM_TAKE:
    case TN_PRIM_GATHER:
        return node->operands[1]->type.dtype == TN_I64 || node->operands[1]->type.dtype == TN_I32;
    default:
        break;
    }
    if (tn_prim_class_of(prim) != TN_CLASS_MAP)
        return false;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!tn_expr_class(node->operands[i]->type.dtype))
            return false;
    const tn_value *typical = node->operands[node->operand_count - 1];
    return class_is_rendered(prim, tn_expr_class(typical->type.dtype));
}

/* ---- interning ---------------------------------------------------------------------------------
 */

static bool same_expr(const tn_expr *a, const tn_expr *b) {
    if (a->kind != b->kind || a->dtype != b->dtype || a->prim != b->prim ||
        a->arg_count != b->arg_count || a->buffer != b->buffer || a->sym != b->sym ||
        a->take_stride != b->take_stride || a->acc != b->acc || a->integer != b->integer ||
        memcmp(&a->number, &b->number, sizeof a->number) != 0 || a->step != b->step)
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (a->args[i] != b->args[i])
            return false;
    bool has_layout = a->kind == TN_EXPR_LOAD || a->kind == TN_EXPR_IOTA || a->kind == TN_EXPR_TAKE;
    return !has_layout || tn_layout_equal(&a->layout, &b->layout);
}

const tn_expr *tn_expr_intern(tn_expr_builder *b, const tn_expr *expr) {
    for (size_t i = 0; i < b->count; i++)
        if (same_expr(b->exprs[i], expr))
            return b->exprs[i];
    tn_expr **exprs =
        tn_arena_grow(b->arena, (void *)b->exprs, b->count, &b->capacity, sizeof *exprs);
    tn_expr *copy = exprs ? tn_arena_alloc(b->arena, 1, sizeof *copy) : NULL;
    if (!copy) {
        b->is_out_of_memory = true;
        return NULL;
    }
    *copy = *expr;
    copy->id = (uint32_t)b->count;
    b->exprs = exprs;
    exprs[b->count++] = copy;
    return copy;
}

const tn_expr *tn_expr_map(tn_expr_builder *builder, tn_prim prim, tn_dtype dtype, const tn_expr *a,
                           const tn_expr *b) {
    if (!a)
        return NULL;
    tn_expr expr = {.kind = TN_EXPR_MAP, .dtype = dtype, .prim = prim, .args = {a, b}};
    expr.arg_count = b ? 2 : 1;
    return tn_expr_intern(builder, &expr);
}

/* ---- chains ------------------------------------------------------------------------------------
 */

const tn_chain *tn_expr_push(tn_expr_builder *b, const tn_view *view, const tn_value *operand,
                             const tn_chain *chain) {
    tn_chain *link = tn_arena_alloc(b->arena, 1, sizeof *link);
    tn_view *copy = link ? tn_arena_alloc(b->arena, 1, sizeof *copy) : NULL;
    if (!copy) {
        b->is_out_of_memory = true;
        return NULL;
    }
    *copy = *view;
    *link = (tn_chain){.view = copy, .operand = operand, .next = chain};
    return link;
}

const tn_chain *tn_expr_apply_chain(tn_expr_builder *b, const tn_layout *layout,
                                    const tn_chain *chain, tn_layout *out_layout) {
    *out_layout = *layout;
    for (; chain; chain = chain->next) {
        tn_layout next;
        if (!tn_layout_apply(b->syms, out_layout, chain->view, &next))
            return chain;
        *out_layout = next;
    }
    return NULL;
}

/* A leaf's layout in the iteration space; if there is none, notes what blocks. */
static bool leaf_layout(tn_expr_builder *b, const tn_layout *layout, const tn_chain *chain,
                        tn_layout *out_layout) {
    const tn_chain *failed = tn_expr_apply_chain(b, layout, chain, out_layout);
    if (failed)
        b->blocking = failed->operand;
    return !failed;
}

/* ---- leaves ------------------------------------------------------------------------------------
 */

static const tn_expr *scalar_const(tn_expr_builder *b, const tn_value *value) {
    tn_dtype dtype = value->type.dtype;
    tn_expr expr = {.kind = TN_EXPR_CONST, .dtype = dtype};
    char class = tn_expr_class(dtype);
    if (class == 'f' || class == 'd')
        expr.number = tn_elem_get_f64(dtype, value->data->data);
    else
        expr.integer = tn_elem_get_i64(dtype, value->data->data);
    return tn_expr_intern(b, &expr);
}

/* Vector number of the anchor that the chain selects, -1 if it selects anything else. */
static int anchor_acc(tn_expr_builder *b, const tn_chain *chain) {
    tn_layout dense, seen;
    tn_layout_dense(b->syms, &b->anchor->value->type, NULL, &dense);
    if (tn_expr_apply_chain(b, &dense, chain, &seen))
        return -1;
    for (uint32_t i = 0; i < b->anchor->acc_count; i++)
        if (tn_layout_equal(&seen, &b->anchor->expected[i]))
            return (int)i;
    return -1;
}

/* A per-channel value of the anchor (bias, scale), broadcast to its result. */
static const tn_expr *anchor_operand(tn_expr_builder *b, const tn_value *operand,
                                     const tn_view *operand_view, const tn_chain *chain) {
    const tn_type *type = &b->anchor->value->type;
    tn_view view = {.kind = TN_VIEW_EXPAND, .rank = type->rank};
    memcpy(view.dims, type->dims, sizeof view.dims);
    const tn_chain *pushed = tn_expr_push(b, &view, NULL, chain);
    if (pushed && operand_view)
        pushed = tn_expr_push(b, operand_view, NULL, pushed);
    return pushed ? tn_expr_build(b, operand, pushed) : NULL;
}

static const tn_expr *anchor_leaf(tn_expr_builder *b, const tn_value *value,
                                  const tn_chain *chain) {
    int acc = anchor_acc(b, chain);
    if (acc < 0) {
        b->blocking = value;
        return NULL;
    }
    tn_expr expr = {.kind = TN_EXPR_ACC, .dtype = value->type.dtype, .acc = (uint32_t)acc};
    const tn_expr *result = tn_expr_intern(b, &expr);
    if (b->anchor->scale) {
        const tn_expr *scale = anchor_operand(b, b->anchor->scale, NULL, chain);
        result = scale ? tn_expr_map(b, TN_PRIM_MUL, value->type.dtype, result, scale) : NULL;
    }
    if (b->anchor->bias && result) {
        const tn_expr *bias = anchor_operand(b, b->anchor->bias, b->anchor->bias_view, chain);
        result = bias ? tn_expr_map(b, TN_PRIM_ADD, value->type.dtype, result, bias) : NULL;
    }
    return result;
}

void tn_expr_counting_layout(tn_syms *syms, const tn_type *type, uint32_t dim, tn_layout *out) {
    *out = (tn_layout){.rank = type->rank, .offset = tn_sym_const(syms, 0)};
    for (uint32_t d = 0; d < type->rank; d++) {
        out->dims[d] = type->dims[d];
        out->strides[d] = tn_sym_const(syms, d == dim);
    }
}

static bool is_exact_double(const tn_arg *arg) {
    const int64_t limit = (int64_t)1 << 53;
    return arg->kind != TN_ARG_INT ||
           (tn_sym_is_const(arg->i) && arg->i->value <= limit && arg->i->value >= -limit);
}

static const tn_expr *build_iota(tn_expr_builder *b, const tn_node *node, const tn_chain *chain) {
    const tn_value *value = node->results[0];
    tn_layout counting;
    tn_expr_counting_layout(b->syms, &value->type, (uint32_t)node->args[1].i->value, &counting);
    tn_expr expr = {.kind = TN_EXPR_IOTA, .dtype = value->type.dtype};
    if (!leaf_layout(b, &counting, chain, &expr.layout))
        return NULL;
    const tn_arg *start = &node->args[2], *step = &node->args[3];
    if (!is_exact_double(start) || !is_exact_double(step)) {
        b->blocking = value;
        return NULL;
    }
    expr.number = start->kind == TN_ARG_INT ? (double)start->i->value : start->f;
    expr.step = step->kind == TN_ARG_INT ? (double)step->i->value : step->f;
    return tn_expr_intern(b, &expr);
}

/* ---- take and gather ---------------------------------------------------------------------------
 */

/* Take puts the index's dims in the place of the table's dim; gather has an index of the result's
 * own shape. */
static const tn_expr *build_take(tn_expr_builder *b, const tn_node *node, const tn_chain *chain) {
    const tn_value *value = node->results[0], *table = node->operands[0],
                   *index = node->operands[1];
    bool is_gather = tn_node_prim(node) == TN_PRIM_GATHER;
    uint32_t dim = (uint32_t)node->args[2].i->value, index_rank = is_gather ? 1 : index->type.rank;
    const tn_place *place = &b->places[table->id];
    if (!place->is_stored) {
        b->blocking = table;
        return NULL;
    }
    /* The table's other dims, seen from the result; and the index, broadcast to it. */
    tn_layout rest = {.rank = value->type.rank, .offset = place->layout.offset};
    tn_view index_dims = {.kind = TN_VIEW_RESHAPE, .rank = value->type.rank};
    tn_view broadcast = {.kind = TN_VIEW_EXPAND, .rank = value->type.rank};
    for (uint32_t d = 0; d < value->type.rank; d++) {
        bool is_index = d >= dim && d < dim + index_rank;
        uint32_t table_dim = d < dim ? d : d + 1 - index_rank;
        rest.dims[d] = broadcast.dims[d] = value->type.dims[d];
        rest.strides[d] = is_index ? tn_sym_const(b->syms, 0) : place->layout.strides[table_dim];
        index_dims.dims[d] = is_index ? value->type.dims[d] : tn_sym_const(b->syms, 1);
    }
    const tn_chain *index_chain = chain;
    if (!is_gather) {
        index_chain = tn_expr_push(b, &broadcast, NULL, chain);
        index_chain = index_chain ? tn_expr_push(b, &index_dims, NULL, index_chain) : NULL;
    }
    if (b->is_out_of_memory)
        return NULL;
    const tn_expr *position = tn_expr_build(b, index, index_chain);
    if (!position)
        return NULL;
    tn_expr expr = {.kind = TN_EXPR_TAKE,
                    .dtype = value->type.dtype,
                    .args = {position},
                    .arg_count = 1,
                    .buffer = place->buffer,
                    .value = table,
                    .sym = table->type.dims[dim],
                    .take_stride = place->layout.strides[dim]};
    if (!leaf_layout(b, &rest, chain, &expr.layout))
        return NULL;
    return tn_expr_intern(b, &expr);
}

/* ---- maps --------------------------------------------------------------------------------------
 */

static const tn_expr *build_map(tn_expr_builder *b, const tn_node *node, const tn_chain *chain) {
    const tn_type *type = &node->results[0]->type;
    tn_expr expr = {.kind = TN_EXPR_MAP,
                    .dtype = type->dtype,
                    .prim = tn_node_prim(node),
                    .arg_count = node->operand_count};
    tn_view view = {.kind = TN_VIEW_EXPAND, .rank = type->rank};
    memcpy(view.dims, type->dims, sizeof view.dims);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const tn_type *operand = &node->operands[i]->type;
        bool is_same = operand->rank == type->rank &&
                       memcmp(operand->dims, type->dims, type->rank * sizeof *type->dims) == 0;
        const tn_chain *pushed = is_same ? chain : tn_expr_push(b, &view, NULL, chain);
        if (!is_same && !pushed)
            return NULL;
        expr.args[i] = tn_expr_build(b, node->operands[i], pushed);
        if (!expr.args[i])
            return NULL;
    }
    return tn_expr_intern(b, &expr);
}

const tn_expr *tn_expr_build(tn_expr_builder *b, const tn_value *value, const tn_chain *chain) {
    if (b->anchor && value == b->anchor->value)
        return anchor_leaf(b, value, chain);
    const tn_place *place = &b->places[value->id];
    if (value->kind == TN_VALUE_CONST && value->type.rank == 0)
        return scalar_const(b, value);
    if (place->is_stored) {
        tn_expr expr = {.kind = TN_EXPR_LOAD,
                        .dtype = value->type.dtype,
                        .buffer = place->buffer,
                        .value = value};
        if (!leaf_layout(b, &place->layout, chain, &expr.layout))
            return NULL;
        return tn_expr_intern(b, &expr);
    }
    const tn_node *node = value->def;
    if (!node) {
        b->blocking = value;
        return NULL;
    }
    tn_view view;
    if (tn_view_of_node(node, &view)) {
        const tn_chain *pushed = tn_expr_push(b, &view, node->operands[0], chain);
        return pushed ? tn_expr_build(b, node->operands[0], pushed) : NULL;
    }
    if (!tn_expr_can_render(node)) {
        b->blocking = value;
        return NULL;
    }
    switch (tn_node_prim(node)) {
    case TN_PRIM_IOTA:
        return build_iota(b, node, chain);
    case TN_PRIM_SYM_VALUE: {
        tn_expr expr = {.kind = TN_EXPR_SYM, .dtype = TN_I64, .sym = node->args[0].i};
        return tn_expr_intern(b, &expr);
    }
    case TN_PRIM_TAKE:
    case TN_PRIM_GATHER:
        return build_take(b, node, chain);
    case TN_PRIM_CONCAT:
        return tn_expr_build_concat(b, node, chain);
    case TN_PRIM_PAD:
        return tn_expr_build_pad(b, node, chain);
    default:
        return build_map(b, node, chain);
    }
}
