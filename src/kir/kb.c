/* kb.c: the builder: one function makes nodes (tn_kb_node), everything else spells its arguments.
 */
#include "kir/kb.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"
#include "kir/infer.h"
#include "kir/interp.h"
#include "kir/simplify.h"

void tn_kb_init(tn_kb *kb, tn_graph *graph, const tn_op_table *prims) {
    *kb = (tn_kb){.graph = graph, .prims = prims};
}

tn_status tn_kb_status(tn_kb *kb) {
    tn_status status = kb->status;
    kb->status = NULL;
    return status;
}

void tn_kb_fail(tn_kb *kb, tn_status status) {
    if (kb->status)
        tn_status_free(status);
    else
        kb->status = status;
}

/* A copy in the graph's arena; NULL and a failed builder when memory is short. */
static void *arena_copy(tn_kb *kb, const void *data, size_t count, size_t elem_bytes) {
    void *copy = tn_arena_alloc(kb->graph->arena, count, elem_bytes);
    if (!copy)
        tn_kb_fail(kb, tn_error_out_of_memory());
    else if (count)
        memcpy(copy, data, count * elem_bytes);
    return copy;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static tn_value *make_node(tn_kb *kb, const tn_prim_use *use, const tn_type *results,
                           uint32_t result_count) {
    const tn_op *op = tn_op_table_find(kb->prims, tn_prim_name(use->prim));
    assert(op);
    tn_node_desc desc = {.op = op,
                         .operands = use->operands,
                         .operand_count = use->operand_count,
                         .args = use->args,
                         .arg_count = use->arg_count,
                         .result_types = results,
                         .result_count = result_count,
                         .locs = kb->locs};
    tn_node *node = NULL;
    tn_status status = tn_graph_add_node(kb->graph, kb->before, &desc, &node);
    if (status) {
        tn_kb_fail(kb, status);
        return NULL;
    }
    return node->results[0];
}

/* Lists whose making failed have a count without elements. */
static bool args_are_whole(tn_kb *kb, const tn_arg *args, uint32_t arg_count) {
    for (uint32_t i = 0; i < arg_count && !kb->status; i++) {
        bool is_whole = true;
        if (args[i].kind == TN_ARG_INT)
            is_whole = args[i].i != NULL;
        else if (args[i].kind == TN_ARG_INTS)
            for (uint32_t j = 0; is_whole && j < args[i].count; j++)
                is_whole = args[i].ints && args[i].ints[j];
        if (!is_whole) {
            tn_status status = tn_syms_status(kb->graph->syms);
            tn_kb_fail(kb, status ? status : tn_error_out_of_memory());
        }
    }
    return !kb->status;
}

tn_value *tn_kb_node(tn_kb *kb, tn_prim prim, tn_value *const *operands, uint32_t operand_count,
                     const tn_arg *args, uint32_t arg_count) {
    tn_type results[TN_PRIM_RESULTS_MAX];
    uint32_t result_count = 0;
    if (kb->status || !args_are_whole(kb, args, arg_count))
        return NULL;
    const tn_type **types = tn_arena_alloc(kb->graph->arena, operand_count, sizeof *types);
    if (!types) {
        tn_kb_fail(kb, tn_error_out_of_memory());
        return NULL;
    }
    for (uint32_t i = 0; i < operand_count; i++) {
        if (!operands[i]) {
            tn_str name = tn_prim_name(prim);
            tn_kb_fail(
                kb, tn_error_make(TN_INTERNAL, "%.*s: operand %u is missing", TN_STR_ARG(name), i));
            return NULL;
        }
        types[i] = &operands[i]->type;
    }
    tn_status status = tn_prim_infer(kb->graph->syms, prim, types, operand_count, args, arg_count,
                                     results, &result_count);
    if (status) {
        tn_kb_fail(kb, status);
        return NULL;
    }
    tn_prim_use use = {prim, operands, operand_count, args, arg_count, &results[0]};
    tn_value *simpler = tn_kb_simplify(kb, &use);
    if (simpler || kb->status)
        return kb->status ? NULL : simpler;
    return make_node(kb, &use, results, result_count);
}

/* ---- arguments ------------------------------------------------------------------------------- */

tn_arg tn_arg_value(uint32_t operand) {
    return (tn_arg){.kind = TN_ARG_VALUE, .operand = operand};
}

tn_arg tn_arg_sym(const tn_sym *value) {
    return (tn_arg){.kind = TN_ARG_INT, .i = value};
}

tn_arg tn_arg_int(tn_kb *kb, int64_t value) {
    return tn_arg_sym(tn_sym_const(kb->graph->syms, value));
}

tn_arg tn_arg_float(double value) {
    return (tn_arg){.kind = TN_ARG_FLOAT, .f = value};
}

tn_arg tn_arg_bool(bool value) {
    return (tn_arg){.kind = TN_ARG_BOOL, .b = value};
}

tn_arg tn_arg_str(const char *literal) {
    return (tn_arg){.kind = TN_ARG_STR, .s = tn_str_of(literal)};
}

tn_arg tn_arg_dtype(tn_dtype dtype) {
    return (tn_arg){.kind = TN_ARG_DTYPE, .dtype = dtype};
}

tn_arg tn_arg_syms(tn_kb *kb, const tn_sym *const *values, uint32_t count) {
    const tn_sym **copy = arena_copy(kb, values, count, sizeof *values);
    return (tn_arg){.kind = TN_ARG_INTS, .count = count, .ints = copy};
}

tn_arg tn_arg_ints(tn_kb *kb, const int64_t *values, uint32_t count) {
    const tn_sym **syms = tn_arena_alloc(kb->graph->arena, count, sizeof *syms);
    for (uint32_t i = 0; syms && i < count; i++)
        syms[i] = tn_sym_const(kb->graph->syms, values[i]);
    return (tn_arg){.kind = TN_ARG_INTS, .count = count, .ints = syms};
}

static tn_arg none_arg(void) {
    return (tn_arg){.kind = TN_ARG_NONE};
}

/* Appends an operand that may be absent and gives the argument for it. */
static tn_arg optional_arg(tn_value *value, tn_value **operands, uint32_t *inout_count) {
    if (!value)
        return none_arg();
    operands[*inout_count] = value;
    return tn_arg_value((*inout_count)++);
}

/* ---- constants and creation ------------------------------------------------------------------ */

tn_value *tn_kb_const(tn_kb *kb, const tn_type *type, const void *bytes, size_t byte_count) {
    if (kb->status)
        return NULL;
    tn_const data = {.is_contiguous = true};
    int64_t elems = 1;
    for (uint32_t d = type->rank; d-- > 0;) {
        data.strides[d] = elems;
        assert(tn_sym_is_const(type->dims[d]));
        if (!tn_mul_i64(elems, type->dims[d]->value, &elems)) {
            tn_kb_fail(kb, tn_error_make(TN_OUT_OF_RANGE, "a constant of type %s is too large",
                                         TN_TYPE_TEXT(type)));
            return NULL;
        }
    }
    assert((size_t)elems * tn_dtype_bytes(type->dtype) == byte_count);
    data.data = arena_copy(kb, bytes, byte_count, 1);
    if (!data.data)
        return NULL;
    tn_value *value = NULL;
    tn_status status = tn_graph_add_const(kb->graph, TN_STR(""), type, &data, &value);
    if (status)
        tn_kb_fail(kb, status);
    return value;
}

tn_value *tn_kb_float(tn_kb *kb, tn_dtype dtype, double value) {
    uint64_t element = 0;
    if (kb->status) /* then dtype may be that of a value that is not there */
        return NULL;
    tn_elem_set_f64(dtype, &element, value);
    tn_type type = {.dtype = dtype};
    return tn_kb_const(kb, &type, &element, tn_dtype_bytes(dtype));
}

tn_value *tn_kb_int(tn_kb *kb, tn_dtype dtype, int64_t value) {
    uint64_t element = 0;
    if (kb->status) /* then dtype may be that of a value that is not there */
        return NULL;
    tn_elem_set_i64(dtype, &element, value);
    tn_type type = {.dtype = dtype};
    return tn_kb_const(kb, &type, &element, tn_dtype_bytes(dtype));
}

tn_value *tn_kb_sym(tn_kb *kb, const tn_sym *value) {
    if (value && tn_sym_is_const(value))
        return tn_kb_int(kb, TN_I64, value->value);
    tn_arg arg = tn_arg_sym(value);
    return tn_kb_node(kb, TN_PRIM_SYM_VALUE, NULL, 0, &arg, 1);
}

tn_value *tn_kb_full(tn_kb *kb, tn_dtype dtype, double value, const tn_sym *const *dims,
                     uint32_t rank) {
    return tn_kb_expand(kb, tn_kb_float(kb, dtype, value), dims, rank);
}

tn_value *tn_kb_iota(tn_kb *kb, tn_dtype dtype, const tn_sym *const *dims, uint32_t rank,
                     uint32_t dim, double start, double step) {
    bool is_float = tn_dtype_is_float(dtype);
    tn_arg args[5] = {tn_arg_syms(kb, dims, rank), tn_arg_int(kb, dim),
                      is_float ? tn_arg_float(start) : tn_arg_int(kb, (int64_t)start),
                      is_float ? tn_arg_float(step) : tn_arg_int(kb, (int64_t)step),
                      tn_arg_dtype(dtype)};
    return tn_kb_node(kb, TN_PRIM_IOTA, NULL, 0, args, 5);
}

/* ---- maps ------------------------------------------------------------------------------------ */

tn_value *tn_kb_map1(tn_kb *kb, tn_prim prim, tn_value *x) {
    tn_arg arg = tn_arg_value(0);
    return tn_kb_node(kb, prim, &x, 1, &arg, 1);
}

tn_value *tn_kb_map2(tn_kb *kb, tn_prim prim, tn_value *a, tn_value *b) {
    tn_value *operands[2] = {a, b};
    tn_arg args[2] = {tn_arg_value(0), tn_arg_value(1)};
    return tn_kb_node(kb, prim, operands, 2, args, 2);
}

tn_value *tn_kb_select(tn_kb *kb, tn_value *cond, tn_value *a, tn_value *b) {
    tn_value *operands[3] = {cond, a, b};
    tn_arg args[3] = {tn_arg_value(0), tn_arg_value(1), tn_arg_value(2)};
    return tn_kb_node(kb, TN_PRIM_SELECT, operands, 3, args, 3);
}

tn_value *tn_kb_cast(tn_kb *kb, tn_value *x, tn_dtype dtype) {
    tn_arg args[2] = {tn_arg_value(0), tn_arg_dtype(dtype)};
    return tn_kb_node(kb, TN_PRIM_CAST, &x, 1, args, 2);
}

/* ---- views ----------------------------------------------------------------------------------- */

tn_value *tn_kb_reshape(tn_kb *kb, tn_value *x, const tn_sym *const *dims, uint32_t rank) {
    tn_arg args[2] = {tn_arg_value(0), tn_arg_syms(kb, dims, rank)};
    return tn_kb_node(kb, TN_PRIM_RESHAPE, &x, 1, args, 2);
}

tn_value *tn_kb_permute(tn_kb *kb, tn_value *x, const uint32_t *order) {
    int64_t wide[TN_MAX_RANK] = {0};
    for (uint32_t i = 0; x && i < x->type.rank; i++)
        wide[i] = order[i];
    tn_arg args[2] = {tn_arg_value(0), tn_arg_ints(kb, wide, x ? x->type.rank : 0)};
    return tn_kb_node(kb, TN_PRIM_PERMUTE, &x, 1, args, 2);
}

tn_value *tn_kb_transpose(tn_kb *kb, tn_value *x, uint32_t dim_a, uint32_t dim_b) {
    uint32_t order[TN_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    assert(dim_a < TN_MAX_RANK && dim_b < TN_MAX_RANK);
    order[dim_a] = dim_b;
    order[dim_b] = dim_a;
    return tn_kb_permute(kb, x, order);
}

tn_value *tn_kb_expand(tn_kb *kb, tn_value *x, const tn_sym *const *dims, uint32_t rank) {
    tn_arg args[2] = {tn_arg_value(0), tn_arg_syms(kb, dims, rank)};
    return tn_kb_node(kb, TN_PRIM_EXPAND, &x, 1, args, 2);
}

tn_value *tn_kb_unsqueeze(tn_kb *kb, tn_value *x, uint32_t dim) {
    const tn_sym *dims[TN_MAX_RANK + 1];
    uint32_t rank = 0;
    if (!x)
        return tn_kb_reshape(kb, x, NULL, 0);
    assert(dim <= x->type.rank);
    for (uint32_t d = 0; d <= x->type.rank; d++) {
        if (d == dim)
            dims[rank++] = tn_sym_const(kb->graph->syms, 1);
        if (d < x->type.rank)
            dims[rank++] = x->type.dims[d];
    }
    return tn_kb_reshape(kb, x, dims, rank);
}

tn_value *tn_kb_squeeze(tn_kb *kb, tn_value *x, uint32_t dim) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; x && d < x->type.rank; d++)
        if (d != dim)
            dims[rank++] = x->type.dims[d];
    return tn_kb_reshape(kb, x, dims, rank);
}

tn_value *tn_kb_slice(tn_kb *kb, tn_value *x, uint32_t dim, const tn_sym *start, const tn_sym *size,
                      int64_t step) {
    const tn_sym *starts[TN_MAX_RANK], *sizes[TN_MAX_RANK];
    int64_t steps[TN_MAX_RANK];
    uint32_t rank = x ? x->type.rank : 0;
    for (uint32_t d = 0; d < rank; d++) {
        starts[d] = d == dim ? start : tn_sym_const(kb->graph->syms, 0);
        sizes[d] = d == dim ? size : x->type.dims[d];
        steps[d] = d == dim ? step : 1;
    }
    tn_arg args[4] = {tn_arg_value(0), tn_arg_syms(kb, starts, rank), tn_arg_syms(kb, sizes, rank),
                      tn_arg_ints(kb, steps, rank)};
    return tn_kb_node(kb, TN_PRIM_SLICE, &x, 1, args, 4);
}

tn_value *tn_kb_flip(tn_kb *kb, tn_value *x, const uint32_t *dims, uint32_t dim_count) {
    int64_t wide[TN_MAX_RANK];
    assert(dim_count <= TN_MAX_RANK);
    for (uint32_t i = 0; i < dim_count; i++)
        wide[i] = dims[i];
    tn_arg args[2] = {tn_arg_value(0), tn_arg_ints(kb, wide, dim_count)};
    return tn_kb_node(kb, TN_PRIM_FLIP, &x, 1, args, 2);
}

tn_value *tn_kb_pad(tn_kb *kb, tn_value *x, const tn_sym *const *lo, const tn_sym *const *hi,
                    const char *mode, double value) {
    uint32_t rank = x ? x->type.rank : 0;
    tn_arg args[5] = {tn_arg_value(0), tn_arg_syms(kb, lo, rank), tn_arg_syms(kb, hi, rank),
                      tn_arg_str(mode), tn_arg_float(value)};
    return tn_kb_node(kb, TN_PRIM_PAD, &x, 1, args, 5);
}

tn_value *tn_kb_concat(tn_kb *kb, tn_value *const *xs, uint32_t count, uint32_t dim) {
    tn_arg args[2] = {{.kind = TN_ARG_VALUES, .count = count, .operand = 0}, tn_arg_int(kb, dim)};
    return tn_kb_node(kb, TN_PRIM_CONCAT, xs, count, args, 2);
}

/* ---- reductions, indices, contractions, normalisations --------------------------------------- */

tn_value *tn_kb_reduce(tn_kb *kb, tn_prim prim, tn_value *x, uint32_t dim_mask, bool keep_dim) {
    int64_t dims[TN_MAX_RANK];
    uint32_t count = 0;
    assert(prim != TN_PRIM_REDUCE_VAR && dim_mask < 1u << TN_MAX_RANK);
    for (uint32_t d = 0; d < TN_MAX_RANK; d++)
        if (dim_mask >> d & 1)
            dims[count++] = d;
    tn_arg args[3] = {tn_arg_value(0), tn_arg_ints(kb, dims, count), tn_arg_bool(keep_dim)};
    return tn_kb_node(kb, prim, &x, 1, args, 3);
}

static tn_value *indexed(tn_kb *kb, tn_prim prim, tn_value *x, tn_value *index, uint32_t dim) {
    tn_value *operands[2] = {x, index};
    tn_arg args[3] = {tn_arg_value(0), tn_arg_value(1), tn_arg_int(kb, dim)};
    return tn_kb_node(kb, prim, operands, 2, args, 3);
}

tn_value *tn_kb_take(tn_kb *kb, tn_value *x, tn_value *index, uint32_t dim) {
    return indexed(kb, TN_PRIM_TAKE, x, index, dim);
}

tn_value *tn_kb_gather(tn_kb *kb, tn_value *x, tn_value *index, uint32_t dim) {
    return indexed(kb, TN_PRIM_GATHER, x, index, dim);
}

tn_value *tn_kb_matmul(tn_kb *kb, tn_value *a, tn_value *b, tn_value *bias) {
    tn_value *operands[3] = {a, b};
    uint32_t count = 2;
    tn_arg args[3] = {tn_arg_value(0), tn_arg_value(1), optional_arg(bias, operands, &count)};
    return tn_kb_node(kb, TN_PRIM_MATMUL, operands, count, args, 3);
}

tn_value *tn_kb_softmax(tn_kb *kb, tn_value *x, uint32_t dim, bool is_log) {
    tn_arg args[2] = {tn_arg_value(0), tn_arg_int(kb, dim)};
    return tn_kb_node(kb, is_log ? TN_PRIM_LOG_SOFTMAX : TN_PRIM_SOFTMAX, &x, 1, args, 2);
}

tn_value *tn_kb_layer_norm(tn_kb *kb, tn_value *x, tn_value *weight, tn_value *bias,
                           uint32_t dim_count, double eps) {
    tn_value *operands[3] = {x};
    uint32_t count = 1;
    tn_arg args[5] = {tn_arg_value(0), optional_arg(weight, operands, &count),
                      optional_arg(bias, operands, &count), tn_arg_int(kb, dim_count),
                      tn_arg_float(eps)};
    return tn_kb_node(kb, TN_PRIM_LAYER_NORM, operands, count, args, 5);
}

tn_value *tn_kb_rms_norm(tn_kb *kb, tn_value *x, tn_value *weight, uint32_t dim_count, double eps) {
    tn_value *operands[2] = {x};
    uint32_t count = 1;
    tn_arg args[4] = {tn_arg_value(0), optional_arg(weight, operands, &count),
                      tn_arg_int(kb, dim_count), tn_arg_float(eps)};
    return tn_kb_node(kb, TN_PRIM_RMS_NORM, operands, count, args, 4);
}

tn_value *tn_kb_attention(tn_kb *kb, const tn_kb_attention_args *attention) {
    tn_value *operands[4] = {attention->q, attention->k, attention->v};
    uint32_t count = 3;
    tn_arg args[7] = {tn_arg_value(0),
                      tn_arg_value(1),
                      tn_arg_value(2),
                      optional_arg(attention->mask, operands, &count),
                      tn_arg_float(attention->scale),
                      tn_arg_bool(attention->is_causal),
                      attention->causal_offset ? tn_arg_sym(attention->causal_offset)
                                               : tn_arg_int(kb, 0)};
    return tn_kb_node(kb, TN_PRIM_ATTENTION, operands, count, args, 7);
}
