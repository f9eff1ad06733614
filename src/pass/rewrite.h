/* rewrite.h: what passes share: matching values, replacing nodes, keeping provenance.
 *
 * A pass walks the nodes in order; for each it may build a replacement before it and put that in
 * its place. Nodes that this leaves without uses go at once, so use counts stay true, and their
 * provenance moves to the replacement.
 */
#ifndef TN_PASS_REWRITE_H
#define TN_PASS_REWRITE_H

#include "kir/simplify.h"
#include "pass/pass.h"

typedef struct tn_rewrite {
    tn_pass_ctx *ctx;
    tn_graph *graph;
    tn_kb kb;       /* builds before the node that is looked at, with its provenance */
    size_t changes; /* replacements so far */
} tn_rewrite;

/* Gives the value that result 0 of node is to be replaced with, or NULL. Errors stay in rw->kb. */
typedef tn_value *(*tn_rewrite_rule)(tn_rewrite *rw, tn_node *node);

/* Applies a rule to every node in order, again and again until it finds nothing (at most 16 times:
 * each change makes the graph simpler, so that is reached only by a rule that is wrong). */
TN_MUST_USE tn_status tn_rewrite_run(tn_pass_ctx *ctx, tn_graph *graph, tn_rewrite_rule rule);
/* Every use of `from` becomes `to`; what is dead then is removed. A value without a name of its own
 * takes the other's. */
TN_MUST_USE tn_status tn_rewrite_replace(tn_rewrite *rw, tn_value *from, tn_value *to);
/* For a value that takes the place of one that goes; names stay unique. */
void tn_rewrite_swap_names(tn_value *a, tn_value *b);
/* Removes a node without uses, and then its operands' nodes, as far as that goes. */
TN_MUST_USE tn_status tn_rewrite_drop(tn_rewrite *rw, tn_node *node, tn_node *heir);

/* What the builder's own rules (src/kir/simplify.h) make of a node, and unary maps of expands; NULL
 * when nothing applies. */
tn_value *tn_rewrite_simplify(tn_rewrite *rw, tn_node *node);

/* ---- matching -------------------------------------------------------------------------------- */

/* The node that made value, if it is this primitive; NULL is allowed and gives NULL. */
tn_node *tn_match(const tn_value *value, tn_prim prim);
/* True if the value has one use and is no output. */
bool tn_match_once(const tn_graph *graph, const tn_value *value);
/* prim(x, c) or, if prim commutes, prim(c, x), where all elements of c are one number and x has the
 * result's type. */
bool tn_match_scalar(const tn_value *value, tn_prim prim, tn_value **out_x, double *out_number);
/* prim(x, c) as above with c within `tolerance` (relative) of wanted. */
bool tn_match_number(const tn_value *value, tn_prim prim, double wanted, double tolerance,
                     tn_value **out_x);
/* The other operand of a commuting binary map, if `one` is an operand. */
tn_value *tn_match_other(const tn_node *node, const tn_value *one);
/* A reduction over exactly the trailing `count` dims with keep_dim; count is found. */
tn_node *tn_match_trailing(const tn_value *value, tn_prim prim, uint32_t *out_count);
/* True for f16 and bf16. */
bool tn_match_half(tn_dtype dtype);
/* A permute that swaps the last two dims. */
bool tn_match_swap(const tn_node *node);

/* ---- constants ------------------------------------------------------------------------------- */

/* If value was just made from constants alone, evaluates it and removes its node; otherwise value.
 */
tn_value *tn_rewrite_fold(tn_rewrite *rw, tn_value *value);
/* True for a constant (with data). */
static inline bool tn_is_const(const tn_value *value) {
    return value && value->kind == TN_VALUE_CONST;
}

#endif
