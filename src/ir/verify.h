/* verify.h: what every graph must satisfy between passes. */
#ifndef TN_IR_VERIFY_H
#define TN_IR_VERIFY_H

#include "ir/graph.h"

/* True if the parameter's type takes an argument of this kind. */
bool tn_arg_fits(const tn_param *param, const tn_arg *arg);

/* Definitions before uses, use lists exact, names unique, arguments as the schema says (kinds,
 * counts), constants static with in-bounds data, outputs defined. Primitives also get their own
 * rules through tn_prim_verify (src/kir/verify_prim.h), which the caller passes to keep ir free of
 * kir. TN_INTERNAL names node, value, seen and wanted. */
TN_MUST_USE tn_status tn_graph_verify(const tn_graph *graph,
                                      tn_status (*verify_prim)(const tn_node *node));

#endif
