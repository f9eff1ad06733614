/* graph_case.h: graphs as cases of cmocka tests; what goes wrong in these functions fails the test.
 */
#ifndef TN_TESTS_GRAPH_CASE_H
#define TN_TESTS_GRAPH_CASE_H

#include "graph_run.h"

/* A graph with all that it lives in. */
typedef struct tn_test_graph {
    tn_arena arena;
    tn_op_table prims;
    tn_graph *graph;
} tn_test_graph;

/* Parses text, verifies it. */
void tn_test_graph_begin(tn_test_graph *test, const char *text);
void tn_test_graph_end(tn_test_graph *test);

/* Runs a graph whose outputs are pairs (seen, wanted), static and without inputs, and compares. */
void tn_test_pairs(const char *text, double tolerance);

#endif
