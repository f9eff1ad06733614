/* text.h: the textual form of graphs; it prints and parses back exactly.
 *
 *   graph bert {
 *     symbol s0 in [1, 512]                            // a bound may be inf or -inf
 *     input %ids: i64[1, s0]
 *     const %w: f32[2, 2] = [1.0, 2.0, 3.0, 0.75]      // row-major
 *     const %big: f32[768, 768] = hash 0x0123456789abcdef
 *     state %cache "attn.cache": f32[1, 8] = zeros     // the buffer's name, if it is another
 *     %x: f32[1, s0, 2] = aten::linear(%e, %w) loc("linear_1", "aten::linear", "fc", "m.py:3: y")
 *     %a: f32[2], %b: f32[2] = aten::split.Tensor(%x, 2, 1)
 *     %i: i64[] holds u0 = aten::item(%n)              // the value of a symbol
 *     next %cache = %b                                 // a state without one keeps its content
 *     return %x, %a as "logits", %b into %ids          // into: the new content of an input
 *   }
 *
 * Arguments stand positionally up to the keyword-only ones, which are name=value; both forms parse
 * anywhere. What equals a default is left out, as far as that leaves no gap. Lists are [..], None
 * is none, floats have a point or an exponent and all digits, symbolic integers are expressions,
 * dtypes stand by name (as dtype(f32) where the schema expects no dtype), an empty list of a kind
 * that the schema does not tell is ints[], floats[], bools[], strs[] or values[], a subgraph is a
 * graph in place. Names with other characters than letters, digits, _ and . are quoted: %"a/b".
 * Constants of f16, bf16 and f8 are decimals too; a NaN with a payload is 0x and its bits. Comments
 * run from // to the end of the line. Used by golden tests, as a model format for tests, and for
 * dumps.
 */
#ifndef TN_IR_TEXT_H
#define TN_IR_TEXT_H

#include "ir/graph.h"

typedef struct tn_text_options {
    bool with_locs;
    /* Constants up to this many elements print their content; larger ones print "= hash 0x..." and
     * do not parse back. */
    size_t const_elems_max;
} tn_text_options;

void tn_graph_print(tn_buf *buf, const tn_graph *graph, const tn_text_options *options);
void tn_node_print(tn_buf *buf, const tn_node *node, const tn_text_options *options);

/* Parses one graph. Operators are looked up in the tables in order; an unknown one becomes an
 * opaque node whose result types must be written. TN_INVALID_ARGUMENT with line:column, seen and
 * expected. */
TN_MUST_USE tn_status tn_graph_parse(tn_arena *arena, tn_str text, const tn_op_table *const *tables,
                                     size_t table_count, tn_graph **out_graph);

#endif
