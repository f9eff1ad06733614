/* graph_run.c: a plain executor of graphs for tests: one tensor per value, nodes in order. */
#include "graph_run.h"

#include <math.h>
#include <stdio.h>

#include "executor.h"
#include "generated.h"
#include "kir/fold.h"

static tn_status make_tensor(const tn_syms *syms, tn_arena *memory, const tn_type *type,
                             const int64_t *values, tn_tensor *out_tensor) {
    int64_t elems = 1;
    *out_tensor = (tn_tensor){.dtype = type->dtype, .rank = type->rank};
    for (uint32_t d = type->rank; d-- > 0;) {
        TN_TRY(tn_sym_eval(syms, type->dims[d], values, &out_tensor->dims[d]));
        out_tensor->strides[d] = elems;
        elems *= out_tensor->dims[d];
    }
    out_tensor->data = tn_arena_alloc(memory, (size_t)elems, tn_dtype_bytes(type->dtype));
    return out_tensor->data ? NULL : tn_error_out_of_memory();
}

static tn_status resolve(const tn_syms *syms, tn_arena *memory, const int64_t *values,
                         const tn_arg *arg, tn_resolved_arg *out) {
    int64_t *ints = NULL;
    *out = (tn_resolved_arg){.kind = arg->kind, .count = arg->count};
    switch (arg->kind) {
    case TN_ARG_INT:
        return tn_sym_eval(syms, arg->i, values, &out->i);
    case TN_ARG_INTS:
        TN_ARENA_TRY(memory, ints, arg->count);
        for (uint32_t i = 0; i < arg->count; i++)
            TN_TRY(tn_sym_eval(syms, arg->ints[i], values, &ints[i]));
        out->ints = ints;
        return NULL;
    case TN_ARG_FLOAT:
        out->f = arg->f;
        return NULL;
    case TN_ARG_FLOATS:
        out->floats = arg->floats;
        return NULL;
    case TN_ARG_BOOL:
        out->b = arg->b;
        return NULL;
    case TN_ARG_STR:
        out->s = arg->s;
        return NULL;
    case TN_ARG_DTYPE:
        out->dtype = arg->dtype;
        return NULL;
    default:
        out->operand = arg->operand;
        return NULL;
    }
}

static tn_status run_node(const tn_node *node, tn_arena *memory, const int64_t *values,
                          tn_tensor *tensors) {
    const tn_syms *syms = node->graph->syms;
    uint32_t arg_count = node->op->schema->param_count;
    const tn_tensor **operands = NULL;
    tn_resolved_arg *args = NULL;
    tn_tensor *results = NULL;
    TN_ARENA_TRY(memory, results, node->result_count);
    TN_ARENA_TRY(memory, operands, node->operand_count);
    TN_ARENA_TRY(memory, args, arg_count);
    for (uint32_t i = 0; i < node->operand_count; i++)
        operands[i] = &tensors[node->operands[i]->id];
    for (uint32_t i = 0; i < arg_count; i++)
        TN_TRY(resolve(syms, memory, values, &node->args[i], &args[i]));
    for (uint32_t i = 0; i < node->result_count; i++) {
        TN_TRY(make_tensor(syms, memory, &node->results[i]->type, values, &results[i]));
        tensors[node->results[i]->id] = results[i];
    }
    if (tn_node_prim(node) == TN_PRIM_CALL) {
        test_call_eval(operands, node->operand_count, args[TN_CALL_INTS].ints,
                       args[TN_CALL_INTS].count, results, node->result_count);
        return NULL;
    }
    tn_allocator system = tn_allocator_system();
    return tn_interp_run(&system, tn_node_prim(node), operands, node->operand_count, args,
                         arg_count, results, node->result_count);
}

tn_status tn_test_graph_run(const tn_graph *graph, tn_arena *memory, const int64_t *values,
                            const tn_tensor *inputs, tn_tensor *outputs) {
    tn_tensor *tensors = NULL;
    TN_ARENA_TRY(memory, tensors, graph->value_id_end);
    for (size_t i = 0; i < graph->input_count; i++)
        tensors[graph->inputs[i]->id] = inputs[i];
    for (size_t i = 0; i < graph->const_count; i++)
        tensors[graph->consts[i]->id] = tn_tensor_of_const(graph->consts[i]);
    for (const tn_node *node = graph->first; node; node = node->next)
        TN_TRY_CTX(run_node(node, memory, values, tensors), "while running %%%.*s",
                   TN_STR_ARG(node->results[0]->name));
    for (size_t i = 0; i < graph->output_count; i++)
        outputs[i] = tensors[graph->outputs[i].value->id];
    return NULL;
}

tn_status tn_test_random_inputs(const tn_graph *graph, tn_arena *memory, const int64_t *values,
                                unsigned seed, tn_tensor *out_inputs) {
    for (size_t i = 0; i < graph->input_count; i++) {
        const tn_value *input = graph->inputs[i];
        tn_tensor *tensor = &out_inputs[i];
        TN_TRY(make_tensor(graph->syms, memory, &input->type, values, tensor));
        unsigned long long state = tn_hash_bytes(input->name.data, input->name.len, seed) | 1;
        int64_t elems = 1;
        for (uint32_t d = 0; d < tensor->rank; d++)
            elems *= tensor->dims[d];
        for (int64_t e = 0; e < elems; e++) {
            unsigned bits = tn_test_random(&state);
            uint8_t *element = (uint8_t *)tensor->data + (size_t)e * tn_dtype_bytes(tensor->dtype);
            double real = (double)(bits >> 8) / (1 << 22) - 2;
            bool is_float = tensor->dtype <= TN_F8E5M2;
            if (is_float)
                tn_elem_set_f64(tensor->dtype, element, real);
            else
                tn_elem_set_i64(tensor->dtype, element,
                                bits >> 9 & (tensor->dtype == TN_BOOL ? 1 : 3));
        }
    }
    return NULL;
}

static const uint8_t *element_at(const tn_tensor *tensor, const int64_t *index) {
    int64_t offset = 0;
    for (uint32_t d = 0; d < tensor->rank; d++)
        offset += index[d] * tensor->strides[d];
    return (const uint8_t *)tensor->data + offset * (int64_t)tn_dtype_bytes(tensor->dtype);
}

static bool same_element(tn_dtype dtype, const uint8_t *a, const uint8_t *b, double tolerance) {
    if (dtype > TN_F8E5M2)
        return tn_elem_get_i64(dtype, a) == tn_elem_get_i64(dtype, b);
    double seen = tn_elem_get_f64(dtype, a), wanted = tn_elem_get_f64(dtype, b);
    if (isnan(seen) || isnan(wanted))
        return isnan(seen) && isnan(wanted);
    if (seen == wanted)
        return tolerance > 0 || signbit(seen) == signbit(wanted);
    return fabs(seen - wanted) <= tolerance * (1 + fabs(wanted)) && !isinf(wanted);
}

bool tn_test_same(const tn_tensor *seen, const tn_tensor *wanted, double tolerance) {
    int64_t elems = 1, index[TN_MAX_RANK] = {0};
    bool is_same = seen->dtype == wanted->dtype && seen->rank == wanted->rank;
    for (uint32_t d = 0; is_same && d < seen->rank; d++) {
        is_same = seen->dims[d] == wanted->dims[d];
        elems *= seen->dims[d];
    }
    if (!is_same) {
        fprintf(stderr, "types differ\n");
        return false;
    }
    for (int64_t e = 0; e < elems; e++) {
        const uint8_t *a = element_at(seen, index), *b = element_at(wanted, index);
        if (!same_element(seen->dtype, a, b, tolerance)) {
            fprintf(stderr, "element %lld is %.17g, wanted %.17g\n", (long long)e,
                    tn_elem_get_f64(seen->dtype, a), tn_elem_get_f64(wanted->dtype, b));
            return false;
        }
        for (uint32_t d = seen->rank; d-- > 0;) {
            if (++index[d] < seen->dims[d])
                break;
            index[d] = 0;
        }
    }
    return true;
}
