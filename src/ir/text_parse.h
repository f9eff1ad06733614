/* text_parse.h: the parser of textual graphs, shared by its two files. */
#ifndef TN_IR_TEXT_PARSE_H
#define TN_IR_TEXT_PARSE_H

#include "ir/text.h"
#include "ir/text_elem.h"
#include "ir/text_scan.h"

#define TN_GRAPH_DEPTH_MAX 16

typedef struct tn_text_parser {
    tn_scan scan;
    tn_arena *arena;
    tn_syms *syms;
    const tn_op_table *const *tables;
    size_t table_count;
    tn_graph *graph;
    tn_map values; /* of the graph being parsed, by name */
    tn_map *locs;  /* of the whole text, by their text */
    int depth;
} tn_text_parser;

TN_MUST_USE tn_status tn_parse_expr(tn_text_parser *p, const tn_sym **out_sym);
TN_MUST_USE tn_status tn_parse_value(tn_text_parser *p, tn_value **out_value);
TN_MUST_USE tn_status tn_parse_subgraph(tn_text_parser *p, tn_graph **out_graph);
/* Arguments from after "(" to ")". Fills operands and arguments; when desc->op is NULL an opaque
 * operator of that name is made. */
TN_MUST_USE tn_status tn_parse_args(tn_text_parser *p, tn_str op_name, tn_node_desc *desc);

#endif
