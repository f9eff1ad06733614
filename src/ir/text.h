/* text.h: the textual form of graphs; it prints and parses back exactly.
 *
 *   graph bert {
 *     symbol s0 in [1, 512]
 *     input %ids: i64[1, s0]
 *     const %w: f32[2, 2] = [1, 2, 3, 0x1.8p-1]
 *     const %big: f32[768, 768] = data @12            // bytes kept in a side table, see
 * tn_text_options state %cache: f32[1, 8] = zeros %x: f32[1, s0, 2] = aten::linear(%e, %w, none)
 * loc("linear", "encoder.0", "model.py:3: y = ...") %a: f32[2], %b: f32[2] = aten::split.Tensor(%x,
 * 2, dim=0) return %x
 *   }
 *
 * Arguments print positionally up to the keyword-only ones, which print as name=value; both forms
 * parse anywhere. Lists are [..], None is none, floats keep all digits, symbolic integers print as
 * expressions, dtypes by name. Used by golden tests, by `tenon compile` as a model format for
 * tests, and for dumps.
 */
#ifndef TN_IR_TEXT_H
#define TN_IR_TEXT_H

#include "ir/graph.h"

typedef struct tn_text_options {
    bool with_locs;
    size_t const_elems_max; /* constants up to this many elements print their content, larger ones
                             * print
                             * "= hash 0x..." and do not parse back */
} tn_text_options;

void tn_graph_print(tn_buf *buf, const tn_graph *graph, const tn_text_options *options);
void tn_node_print(tn_buf *buf, const tn_node *node, const tn_text_options *options);

/* Parses one graph. Operators are looked up in the tables in order; an unknown one becomes an
 * opaque node whose result types must be written. TN_INVALID_ARGUMENT with line:column, seen and
 * expected. */
TN_MUST_USE tn_status tn_graph_parse(tn_arena *arena, tn_str text, const tn_op_table *const *tables,
                                     size_t table_count, tn_graph **out_graph);

#endif
