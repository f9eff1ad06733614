/* pass_counters.c: what is known of integers that only count: comparisons of positions, differences
 * of neighbours, gathers by positions. Exporters compute attention masks from these; with symbolic
 * sizes constant folding cannot. */
#include "pass/affine.h"
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* The truth of a comparison at every index: 1, 0, or -1 when it is neither always true nor always
 * false. diff is a - b. */
static int compare(tn_syms *syms, tn_prim prim, const tn_affine *diff, const tn_sym *const *dims) {
    const tn_sym *zero = tn_sym_const(syms, 0), *one = tn_sym_const(syms, 1);
    const tn_sym *low = tn_affine_min(syms, diff, dims), *high = tn_affine_max(syms, diff, dims);
    if (!low || !high)
        return -1;
    bool below = tn_sym_known_le(syms, high, tn_sym_const(syms, -1)) == 1;
    bool above = tn_sym_known_le(syms, one, low) == 1;
    bool not_above = tn_sym_known_le(syms, high, zero) == 1;
    bool not_below = tn_sym_known_le(syms, zero, low) == 1;
    bool is_zero = low == zero && high == zero;
    switch (prim) {
    case TN_PRIM_EQ:
        return is_zero ? 1 : below || above ? 0 : -1;
    case TN_PRIM_NE:
        return is_zero ? 0 : below || above ? 1 : -1;
    case TN_PRIM_LT:
        return below ? 1 : not_below ? 0 : -1;
    default:
        return not_above ? 1 : above ? 0 : -1; /* le */
    }
}

static tn_value *known_comparison(tn_rewrite *rw, const tn_node *node) {
    tn_syms *syms = rw->graph->syms;
    tn_affine a, b, diff;
    const tn_type *type = &node->results[0]->type;
    if (!tn_affine_of(syms, node->operands[0], &a) || !tn_affine_of(syms, node->operands[1], &b) ||
        !tn_affine_sub(syms, &a, &b, &diff) || diff.rank != type->rank)
        return NULL;
    int truth = compare(syms, tn_node_prim(node), &diff, type->dims);
    return truth < 0 ? NULL : tn_kb_full(&rw->kb, TN_BOOL, truth, type->dims, type->rank);
}

/* A sum or product that is one number, known or symbolic, for every index. */
static tn_value *known_number(tn_rewrite *rw, const tn_node *node) {
    tn_kb *kb = &rw->kb;
    tn_affine a;
    const tn_type *type = &node->results[0]->type;
    if (!tn_affine_of(rw->graph->syms, node->results[0], &a) || !tn_affine_is_constant(&a))
        return NULL;
    tn_value *number = tn_kb_cast(kb, tn_kb_sym(kb, a.constant), type->dtype);
    return tn_kb_expand(kb, number, type->dims, type->rank);
}

/* The running sum of equal numbers counts. */
static tn_value *known_sum(tn_rewrite *rw, const tn_node *node) {
    double number;
    const tn_type *type = &node->results[0]->type;
    if (type->dtype != TN_I64 || !tn_value_splat(node->operands[0], &number))
        return NULL;
    if (number == 0)
        return tn_kb_full(&rw->kb, TN_I64, 0, type->dims, type->rank);
    return tn_kb_iota(&rw->kb, TN_I64, type->dims, type->rank, (uint32_t)node->args[1].i->value,
                      number, number);
}

/* The index counts through all of a vector in row-major order. */
static bool counts_all(tn_syms *syms, const tn_affine *index, const tn_type *type,
                       const tn_sym *size) {
    const tn_sym *stride = tn_sym_const(syms, 1);
    if (!tn_sym_is(index->constant, 0))
        return false;
    for (uint32_t d = type->rank; d-- > 0 && stride;) {
        if (!tn_sym_is(type->dims[d], 1) && index->coef[d] != stride)
            return false;
        stride = tn_sym_mul(syms, stride, type->dims[d]);
    }
    return stride && stride == size;
}

/* The one dim of the index along which it counts, by a constant step; false if it does along
 * several. */
static bool counting_dim(const tn_affine *index, const tn_type *type, uint32_t *out_dim) {
    uint32_t found = 0;
    for (uint32_t d = 0; d < type->rank; d++) {
        if (tn_sym_is(type->dims[d], 1))
            continue;
        found++;
        *out_dim = d;
    }
    return found == 1 && tn_sym_is_const(index->coef[*out_dim]) &&
           index->coef[*out_dim]->value >= 1;
}

/* A gather by positions is a view, if the positions are known to be inside. */
static tn_value *known_take(tn_rewrite *rw, const tn_node *node) {
    tn_kb *kb = &rw->kb;
    tn_syms *syms = rw->graph->syms;
    tn_value *x = node->operands[0];
    const tn_type *index_type = &node->operands[1]->type, *type = &node->results[0]->type;
    uint32_t dim = (uint32_t)node->args[2].i->value, along = 0;
    tn_affine index;
    if (!tn_affine_of(syms, node->operands[1], &index))
        return NULL;
    if (x->type.rank == 1 && counts_all(syms, &index, index_type, x->type.dims[0]))
        return tn_kb_reshape(kb, x, type->dims, type->rank);
    const tn_sym *low = tn_affine_min(syms, &index, index_type->dims);
    const tn_sym *high = tn_affine_max(syms, &index, index_type->dims);
    const tn_sym *last = tn_sym_addi(syms, x->type.dims[dim], -1);
    if (!low || !high || !last || low->min < 0 || tn_sym_known_le(syms, high, last) != 1 ||
        !counting_dim(&index, index_type, &along))
        return NULL;
    x = tn_kb_slice(kb, x, dim, index.constant, index_type->dims[along], index.coef[along]->value);
    return tn_kb_reshape(kb, x, type->dims, type->rank);
}

static tn_value *known(tn_rewrite *rw, tn_node *node) {
    tn_value *y = NULL;
    switch (tn_node_prim(node)) {
    case TN_PRIM_EQ:
    case TN_PRIM_NE:
    case TN_PRIM_LT:
    case TN_PRIM_LE:
        y = known_comparison(rw, node);
        break;
    case TN_PRIM_ADD:
    case TN_PRIM_SUB:
    case TN_PRIM_MUL:
    case TN_PRIM_NEG:
        y = known_number(rw, node);
        break;
    case TN_PRIM_CUMSUM:
        y = known_sum(rw, node);
        break;
    case TN_PRIM_TAKE:
        y = known_take(rw, node);
        break;
    default:
        break;
    }
    /* What follows is needed at once: select on a known condition, views of views. */
    return y || rw->kb.status ? y : tn_rewrite_simplify(rw, node);
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, known);
}

const tn_pass tn_pass_counters = {
    "counters", "evaluates comparisons and gathers of positions, sizes symbolic or not", run};
