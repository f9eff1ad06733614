/* rewrite.c: replacing nodes, and small matchers. */
#include "pass/rewrite.h"

#include <assert.h>
#include <math.h>

#include "kir/fold.h"

enum { MOST_SWEEPS = 16 };

/* ---- replacing ------------------------------------------------------------------------------- */

static bool is_dead(const tn_graph *graph, const tn_node *node) {
    for (uint32_t i = 0; i < node->result_count; i++)
        if (node->results[i]->use_count > 0 || tn_value_is_output(graph, node->results[i]))
            return false;
    return true;
}

/* Puts the provenance of a node in front of the heir's. */
static tn_status inherit(tn_graph *graph, const tn_node *node, tn_node *heir) {
    if (!heir || node == heir || node->locs.count == 0)
        return NULL;
    const tn_locs parts[2] = {node->locs, heir->locs};
    return tn_locs_merge(graph->arena, parts, 2, &heir->locs);
}

tn_status tn_rewrite_drop(tn_rewrite *rw, tn_node *node, tn_node *heir) {
    /* A stack of nodes that may be dead; a node is pushed once per operand that refers to it. */
    tn_node **stack = NULL;
    size_t count = 0, capacity = 0;
    tn_status status = NULL;
    while (node) {
        if (node != heir && is_dead(rw->graph, node)) {
            TN_GOTO(inherit(rw->graph, node, heir));
            uint32_t operand_count = node->operand_count;
            if (count + operand_count > capacity) {
                size_t larger = 2 * (count + operand_count);
                TN_GOTO(tn_alloc_resize(rw->ctx->allocator, &stack, capacity * sizeof *stack,
                                        larger * sizeof *stack));
                capacity = larger;
            }
            for (uint32_t i = 0; i < operand_count; i++) {
                tn_node *def = node->operands[i] ? node->operands[i]->def : NULL;
                bool is_twice = false; /* a removed node must not be looked at again */
                for (size_t j = 0; j < count; j++)
                    is_twice = is_twice || stack[j] == def;
                if (def && !is_twice)
                    stack[count++] = def;
            }
            tn_graph_remove_node(rw->graph, node);
        }
        node = count ? stack[--count] : NULL;
    }
done:
    tn_alloc_free(rw->ctx->allocator, stack, capacity * sizeof *stack);
    return status;
}

void tn_rewrite_swap_names(tn_value *a, tn_value *b) {
    tn_str name = a->name;
    a->name = b->name;
    b->name = name;
}

static bool is_numbered(const tn_value *value) {
    return value->name.len > 0 && value->name.data[0] >= '0' && value->name.data[0] <= '9';
}

tn_status tn_rewrite_replace(tn_rewrite *rw, tn_value *from, tn_value *to) {
    rw->changes++;
    if (to->kind == TN_VALUE_RESULT && is_numbered(to))
        tn_rewrite_swap_names(from, to);
    TN_TRY(tn_value_replace(rw->graph, from, to));
    return from->def ? tn_rewrite_drop(rw, from->def, to->def) : NULL;
}

static tn_status sweep(tn_rewrite *rw, tn_rewrite_rule rule) {
    for (tn_node *node = rw->graph->first, *next; node; node = next) {
        tn_value *from = node->results[0];
        rw->kb.before = node;
        rw->kb.locs = node->locs;
        tn_value *to = rule(rw, node);
        next = node->next; /* after the rule: it may have removed nodes, but only before this one */
        TN_TRY(tn_kb_status(&rw->kb));
        if (to && to != from)
            TN_TRY(tn_rewrite_replace(rw, from, to));
    }
    return NULL;
}

tn_status tn_rewrite_run(tn_pass_ctx *ctx, tn_graph *graph, tn_rewrite_rule rule) {
    tn_rewrite rw = {.ctx = ctx, .graph = graph};
    tn_kb_init(&rw.kb, graph, ctx->prims);
    for (int i = 0; i < MOST_SWEEPS; i++) {
        size_t changes = rw.changes;
        TN_TRY(sweep(&rw, rule));
        if (rw.changes == changes)
            break;
    }
    return NULL;
}

/* A unary map of an expand is the expand of the map: computed once per distinct element. */
static tn_value *map_before_expand(tn_rewrite *rw, const tn_node *node) {
    tn_kb *kb = &rw->kb;
    const tn_node *expand =
        tn_match(node->operand_count == 1 ? node->operands[0] : NULL, TN_PRIM_EXPAND);
    if (!expand || tn_prim_class_of(tn_node_prim(node)) != TN_CLASS_MAP)
        return NULL;
    tn_value *y = tn_kb_node(kb, tn_node_prim(node), expand->operands, 1, node->args,
                             node->op->schema->param_count);
    const tn_type *type = &node->results[0]->type;
    return tn_kb_expand(kb, tn_rewrite_fold(rw, y), type->dims, type->rank);
}

tn_value *tn_rewrite_simplify(tn_rewrite *rw, tn_node *node) {
    if (node->result_count != 1)
        return NULL;
    tn_prim_use use = {.prim = tn_node_prim(node),
                       .operands = node->operands,
                       .operand_count = node->operand_count,
                       .args = node->args,
                       .arg_count = node->op->schema->param_count,
                       .type = &node->results[0]->type};
    tn_value *simpler = tn_kb_simplify(&rw->kb, &use);
    return simpler || rw->kb.status ? simpler : map_before_expand(rw, node);
}

/* ---- matching -------------------------------------------------------------------------------- */

tn_node *tn_match(const tn_value *value, tn_prim prim) {
    return value && value->kind == TN_VALUE_RESULT && tn_node_prim(value->def) == prim ? value->def
                                                                                       : NULL;
}

bool tn_match_once(const tn_graph *graph, const tn_value *value) {
    return value->use_count == 1 && !tn_value_is_output(graph, value);
}

static bool commutes(tn_prim prim) {
    return prim == TN_PRIM_ADD || prim == TN_PRIM_MUL || prim == TN_PRIM_MIN ||
           prim == TN_PRIM_MAX || prim == TN_PRIM_EQ || prim == TN_PRIM_NE || prim == TN_PRIM_AND ||
           prim == TN_PRIM_OR;
}

bool tn_match_scalar(const tn_value *value, tn_prim prim, tn_value **out_x, double *out_number) {
    const tn_node *node = tn_match(value, prim);
    if (!node)
        return false;
    for (uint32_t i = 0; i < (commutes(prim) ? 2 : 1); i++) {
        tn_value *x = node->operands[i];
        const tn_type *result = &node->results[0]->type;
        bool has_shape = x->type.rank == result->rank;
        for (uint32_t d = 0; has_shape && d < result->rank; d++)
            has_shape = x->type.dims[d] == result->dims[d];
        if (has_shape && tn_value_splat(node->operands[1 - i], out_number)) {
            *out_x = x;
            return true;
        }
    }
    return false;
}

bool tn_match_number(const tn_value *value, tn_prim prim, double wanted, double tolerance,
                     tn_value **out_x) {
    double number;
    return tn_match_scalar(value, prim, out_x, &number) &&
           (number == wanted || fabs(number - wanted) <= tolerance * fabs(wanted));
}

tn_value *tn_match_other(const tn_node *node, const tn_value *one) {
    return node->operands[0] == one   ? node->operands[1]
           : node->operands[1] == one ? node->operands[0]
                                      : NULL;
}

tn_node *tn_match_trailing(const tn_value *value, tn_prim prim, uint32_t *out_count) {
    tn_node *node = tn_match(value, prim);
    if (!node || !node->args[2].b || node->args[1].count == 0)
        return NULL;
    const tn_arg *dims = &node->args[1];
    uint32_t rank = node->operands[0]->type.rank;
    for (uint32_t i = 0; i < dims->count; i++)
        if (dims->ints[i]->value != (int64_t)(rank - dims->count + i))
            return NULL;
    *out_count = dims->count;
    return node;
}

bool tn_match_half(tn_dtype dtype) {
    return dtype == TN_F16 || dtype == TN_BF16;
}

bool tn_match_swap(const tn_node *node) {
    uint32_t rank = node->results[0]->type.rank;
    if (tn_node_prim(node) != TN_PRIM_PERMUTE || rank < 2)
        return false;
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t wanted = d == rank - 1 ? rank - 2 : d == rank - 2 ? rank - 1 : d;
        if (node->args[1].ints[d]->value != (int64_t)wanted)
            return false;
    }
    return true;
}

/* ---- constants ------------------------------------------------------------------------------- */

tn_value *tn_rewrite_fold(tn_rewrite *rw, tn_value *value) {
    tn_value *folded[TN_PRIM_RESULTS_MAX];
    if (!value || !value->def || rw->kb.status || value->use_count > 0)
        return value;
    tn_node *node = value->def;
    tn_status status = tn_kir_fold(&rw->kb, node, folded);
    if (status) {
        tn_kb_fail(&rw->kb, status);
        return NULL;
    }
    if (!folded[0])
        return value;
    tn_graph_remove_node(rw->graph, node);
    return folded[0];
}
