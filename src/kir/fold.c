/* fold.c: constants from constants, by views where that is possible and by the interpreter
 * otherwise. */
#include "kir/fold.h"

#include <string.h>

#include "base/checked.h"

tn_tensor tn_tensor_of_const(const tn_value *value) {
    union { /* the interpreter reads operands through the type that it writes results with */
        const void *constant;
        void *data;
    } pointer = {.constant = value->data->data};
    tn_tensor tensor = {.dtype = value->type.dtype, .rank = value->type.rank, .data = pointer.data};
    for (uint32_t d = 0; d < tensor.rank; d++) {
        tensor.dims[d] = value->type.dims[d]->value;
        tensor.strides[d] = value->data->strides[d];
    }
    return tensor;
}

/* ---- views ----------------------------------------------------------------------------------- */

static bool is_row_major(const tn_type *type, const int64_t *strides) {
    int64_t wanted = 1;
    for (uint32_t d = type->rank; d-- > 0;) {
        int64_t size = type->dims[d]->value;
        if (size != 1 && strides[d] != wanted)
            return false;
        wanted *= size;
    }
    return true;
}

static void row_major_strides(const tn_type *type, int64_t *out_strides) {
    int64_t stride = 1;
    for (uint32_t d = type->rank; d-- > 0;) {
        out_strides[d] = stride;
        stride *= type->dims[d]->value;
    }
}

static bool args_are_const(const tn_node *node) {
    for (uint32_t i = 0; i < node->op->schema->param_count; i++) {
        const tn_arg *arg = &node->args[i];
        if (arg->kind == TN_ARG_INT && !tn_sym_is_const(arg->i))
            return false;
        for (uint32_t j = 0; arg->kind == TN_ARG_INTS && j < arg->count; j++)
            if (!tn_sym_is_const(arg->ints[j]))
                return false;
    }
    return true;
}

static bool has_elements(const tn_type *type) {
    for (uint32_t d = 0; d < type->rank; d++)
        if (type->dims[d]->value == 0)
            return false;
    return true;
}

/* The node as a view of its operand's bytes; false when it is not one. */
static bool as_view(const tn_node *node, tn_const *out_data) {
    const tn_value *x = node->operand_count ? node->operands[0] : NULL;
    const tn_type *type = &node->results[0]->type;
    if (!x || !has_elements(type))
        return false;
    *out_data = *x->data;
    switch (tn_node_prim(node)) {
    case TN_PRIM_RESHAPE:
        if (!is_row_major(&x->type, x->data->strides))
            return false;
        row_major_strides(type, out_data->strides);
        break;
    case TN_PRIM_PERMUTE:
        for (uint32_t d = 0; d < type->rank; d++)
            out_data->strides[d] = x->data->strides[node->args[1].ints[d]->value];
        break;
    case TN_PRIM_SLICE:
        for (uint32_t d = 0; d < type->rank; d++) {
            out_data->data += node->args[1].ints[d]->value * x->data->strides[d] *
                              (int64_t)tn_dtype_bytes(type->dtype);
            out_data->strides[d] = x->data->strides[d] * node->args[3].ints[d]->value;
        }
        break;
    default:
        return false;
    }
    out_data->is_contiguous = is_row_major(type, out_data->strides);
    return true;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* Everything one evaluation borrows from the arena. */
typedef struct evaluation {
    const tn_tensor **operands;
    tn_resolved_arg *args;
    tn_tensor results[TN_PRIM_RESULTS_MAX];
} evaluation;

static tn_status resolve_args(tn_arena *arena, const tn_node *node, tn_resolved_arg *out_args) {
    for (uint32_t i = 0; i < node->op->schema->param_count; i++) {
        const tn_arg *arg = &node->args[i];
        tn_resolved_arg *out = &out_args[i];
        *out = (tn_resolved_arg){.kind = arg->kind, .count = arg->count};
        int64_t *ints = NULL;
        switch (arg->kind) {
        case TN_ARG_VALUE:
        case TN_ARG_VALUES:
            out->operand = arg->operand;
            break;
        case TN_ARG_INT:
            out->i = arg->i->value;
            break;
        case TN_ARG_INTS:
            TN_ARENA_TRY(arena, ints, arg->count);
            for (uint32_t j = 0; j < arg->count; j++)
                ints[j] = arg->ints[j]->value;
            out->ints = ints;
            break;
        case TN_ARG_FLOAT:
            out->f = arg->f;
            break;
        case TN_ARG_FLOATS:
            out->floats = arg->floats;
            break;
        case TN_ARG_BOOL:
            out->b = arg->b;
            break;
        case TN_ARG_STR:
            out->s = arg->s;
            break;
        case TN_ARG_DTYPE:
            out->dtype = arg->dtype;
            break;
        default:
            break;
        }
    }
    return NULL;
}

static tn_status resolve_operands(tn_arena *arena, const tn_node *node,
                                  const tn_tensor **out_operands) {
    tn_tensor *tensors = NULL;
    TN_ARENA_TRY(arena, tensors, node->operand_count);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        tensors[i] = tn_tensor_of_const(node->operands[i]);
        out_operands[i] = &tensors[i];
    }
    return NULL;
}

/* Row-major memory for a result in the arena; false when it is too large to be folded. */
static tn_status make_result(tn_arena *arena, const tn_type *type, tn_tensor *out_tensor,
                             bool *out_fits) {
    size_t bytes = tn_dtype_bytes(type->dtype);
    *out_tensor = (tn_tensor){.dtype = type->dtype, .rank = type->rank};
    *out_fits = false;
    for (uint32_t d = 0; d < type->rank; d++) {
        int64_t size = type->dims[d]->value;
        out_tensor->dims[d] = size;
        if (!tn_mul_size(bytes, (size_t)size, &bytes))
            return NULL;
    }
    if (bytes > TN_FOLD_BYTES_MAX)
        return NULL;
    row_major_strides(type, out_tensor->strides);
    uint8_t *data = NULL;
    TN_ARENA_TRY(arena, data, bytes);
    out_tensor->data = data;
    *out_fits = true;
    return NULL;
}

static tn_status add_const(tn_kb *kb, const tn_value *result, const tn_const *data,
                           tn_value **out_value) {
    return tn_graph_add_const(kb->graph, result->name, &result->type, data, out_value);
}

static tn_status evaluate(tn_kb *kb, const tn_node *node, tn_value **out_values) {
    tn_arena *arena = kb->graph->arena;
    evaluation e = {0};
    TN_ARENA_TRY(arena, e.operands, node->operand_count);
    TN_ARENA_TRY(arena, e.args, node->op->schema->param_count);
    TN_TRY(resolve_operands(arena, node, e.operands));
    TN_TRY(resolve_args(arena, node, e.args));
    for (uint32_t i = 0; i < node->result_count; i++) {
        bool fits;
        TN_TRY(make_result(arena, &node->results[i]->type, &e.results[i], &fits));
        if (!fits)
            return NULL;
    }
    tn_status status =
        tn_interp_run(&arena->allocator, tn_node_prim(node), e.operands, node->operand_count,
                      e.args, node->op->schema->param_count, e.results, node->result_count);
    if (tn_status_code(status) == TN_OUT_OF_MEMORY)
        return status;
    if (status) { /* it will fail in the same way when it runs */
        tn_status_free(status);
        return NULL;
    }
    for (uint32_t i = 0; i < node->result_count; i++) {
        tn_const data = {.data = e.results[i].data, .is_contiguous = true};
        memcpy(data.strides, e.results[i].strides, sizeof data.strides);
        TN_TRY(add_const(kb, node->results[i], &data, &out_values[i]));
    }
    return NULL;
}

tn_status tn_kir_fold(tn_kb *kb, const tn_node *node, tn_value **out_values) {
    tn_const view;
    memset(out_values, 0, node->result_count * sizeof *out_values);
    tn_prim prim = tn_node_prim(node);
    if (prim == TN_PRIM_RANDOM || prim == TN_PRIM_CALL || !args_are_const(node))
        return NULL;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!node->operands[i] || node->operands[i]->kind != TN_VALUE_CONST)
            return NULL;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (!tn_type_is_static(&node->results[i]->type))
            return NULL;
    if (as_view(node, &view))
        return add_const(kb, node->results[0], &view, &out_values[0]);
    return evaluate(kb, node, out_values);
}
