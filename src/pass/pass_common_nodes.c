/* pass_common_nodes.c: one node for equal nodes, one constant for equal constants.
 *
 * Nodes are looked up by a hash of primitive, operands and arguments, and compared in full; a clash
 * of hashes moves on to the next key. Constants are equal if they are views of the same bytes, or
 * small with the same content. */
#include <string.h>

#include "kir/fold.h"
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

enum { COMPARED_BYTES_MAX = 64 };

/* ---- arguments ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t len) {
    return tn_hash_bytes(bytes, len, hash);
}

static uint64_t hash_arg(uint64_t hash, const tn_arg *arg) {
    hash = mix(hash, &arg->kind, sizeof arg->kind);
    switch (arg->kind) {
    case TN_ARG_INT:
        return mix(hash, &arg->i->id, sizeof arg->i->id);
    case TN_ARG_INTS:
        for (uint32_t i = 0; i < arg->count; i++)
            hash = mix(hash, &arg->ints[i]->id, sizeof arg->ints[i]->id);
        return hash;
    case TN_ARG_FLOAT:
        return mix(hash, &arg->f, sizeof arg->f);
    case TN_ARG_FLOATS:
        return mix(hash, arg->floats, arg->count * sizeof *arg->floats);
    case TN_ARG_BOOL:
        return mix(hash, &arg->b, sizeof arg->b);
    case TN_ARG_STR:
        return mix(hash, arg->s.data, arg->s.len);
    case TN_ARG_DTYPE:
        return mix(hash, &arg->dtype, sizeof arg->dtype);
    default:
        return mix(hash, &arg->operand, sizeof arg->operand);
    }
}

/* Floats are compared by their bits: 0 and -0 differ, NaN equals itself. */
static bool same_arg(const tn_arg *a, const tn_arg *b) {
    if (a->kind != b->kind || a->count != b->count)
        return false;
    switch (a->kind) {
    case TN_ARG_NONE:
        return true;
    case TN_ARG_INT:
        return a->i == b->i;
    case TN_ARG_INTS:
        return a->count == 0 || memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0;
    case TN_ARG_FLOAT:
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case TN_ARG_FLOATS:
        return a->count == 0 || memcmp(a->floats, b->floats, a->count * sizeof *a->floats) == 0;
    case TN_ARG_BOOL:
        return a->b == b->b;
    case TN_ARG_STR:
        return tn_str_equal(a->s, b->s);
    case TN_ARG_DTYPE:
        return a->dtype == b->dtype;
    default:
        return a->operand == b->operand;
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint64_t hash_node(const tn_node *node) {
    uint64_t hash = mix(0, &node->op->code, sizeof node->op->code);
    for (uint32_t i = 0; i < node->operand_count; i++)
        hash = mix(hash, &node->operands[i]->id, sizeof node->operands[i]->id);
    for (uint32_t i = 0; i < node->op->schema->param_count; i++)
        hash = hash_arg(hash, &node->args[i]);
    return hash;
}

static bool same_node(const tn_node *a, const tn_node *b) {
    bool is_same = a->op == b->op && a->operand_count == b->operand_count;
    for (uint32_t i = 0; is_same && i < a->operand_count; i++)
        is_same = a->operands[i] == b->operands[i];
    for (uint32_t i = 0; is_same && i < a->op->schema->param_count; i++)
        is_same = same_arg(&a->args[i], &b->args[i]);
    for (uint32_t i = 0; is_same && i < a->result_count; i++)
        is_same = tn_type_equal(&a->results[i]->type, &b->results[i]->type);
    return is_same;
}

static tn_status join_nodes(tn_graph *graph, tn_map *seen) {
    for (tn_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (tn_node_prim(node) == TN_PRIM_CALL) /* may give something else each time */
            continue;
        uint64_t key = hash_node(node);
        tn_node *first = tn_map_get_u64(seen, key);
        while (first && !same_node(first, node))
            first = tn_map_get_u64(seen, ++key);
        if (!first) {
            TN_TRY(tn_map_set_u64(seen, key, node));
            continue;
        }
        const tn_locs parts[2] = {first->locs, node->locs};
        TN_TRY(tn_locs_merge(graph->arena, parts, 2, &first->locs));
        for (uint32_t i = 0; i < node->result_count; i++)
            TN_TRY(tn_value_replace(graph, node->results[i], first->results[i]));
        tn_graph_remove_node(graph, node);
    }
    return NULL;
}

/* ---- constants ------------------------------------------------------------------------------- */

/* Bytes of a small contiguous constant; 0 for others, which are compared by address. */
static size_t small_bytes(const tn_value *value) {
    size_t bytes = tn_dtype_bytes(value->type.dtype);
    if (!value->data->is_contiguous)
        return 0;
    for (uint32_t d = 0; d < value->type.rank; d++) {
        int64_t size = value->type.dims[d]->value;
        if (size > COMPARED_BYTES_MAX)
            return 0;
        bytes *= (size_t)size;
        if (bytes > COMPARED_BYTES_MAX)
            return 0;
    }
    return bytes;
}

static uint64_t hash_const(const tn_value *value) {
    size_t bytes = small_bytes(value);
    uint64_t hash = mix(1, &value->type.dtype, sizeof value->type.dtype);
    for (uint32_t d = 0; d < value->type.rank; d++)
        hash = mix(hash, &value->type.dims[d]->id, sizeof value->type.dims[d]->id);
    if (bytes)
        return mix(hash, value->data->data, bytes);
    hash = mix(hash, &value->data->data, sizeof value->data->data);
    return mix(hash, value->data->strides, value->type.rank * sizeof value->data->strides[0]);
}

static bool same_const(const tn_value *a, const tn_value *b) {
    size_t bytes = small_bytes(a);
    if (!tn_type_equal(&a->type, &b->type) || bytes != small_bytes(b))
        return false;
    if (bytes)
        return memcmp(a->data->data, b->data->data, bytes) == 0;
    return a->data->data == b->data->data && memcmp(a->data->strides, b->data->strides,
                                                    a->type.rank * sizeof a->data->strides[0]) == 0;
}

/* The later of two equal constants keeps its place without uses, for the dead-code pass. */
static tn_status join_consts(tn_graph *graph, tn_map *seen) {
    for (size_t i = 0; i < graph->const_count; i++) {
        tn_value *value = graph->consts[i];
        uint64_t key = hash_const(value);
        tn_value *first = tn_map_get_u64(seen, key);
        while (first && !same_const(first, value))
            first = tn_map_get_u64(seen, ++key);
        if (!first)
            TN_TRY(tn_map_set_u64(seen, key, value));
        else
            TN_TRY(tn_value_replace(graph, value, first));
    }
    return NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    tn_map consts, nodes;
    tn_map_init(&consts, *ctx->allocator);
    tn_map_init(&nodes, *ctx->allocator);
    tn_status status = join_consts(graph, &consts);
    if (!status)
        status = join_nodes(graph, &nodes);
    tn_map_deinit(&nodes);
    tn_map_deinit(&consts);
    return status;
}

const tn_pass tn_pass_common_nodes = {"common-nodes", "computes equal things once", run};
