/* graph_run.h: runs graphs of kernel IR on the interpreter. */
#ifndef TN_TESTS_GRAPH_RUN_H
#define TN_TESTS_GRAPH_RUN_H

#include "ir/graph.h"
#include "kir/interp.h"

/* Runs a graph, its calls as test_call_eval does; values[i] is the i-th symbol's. outputs, one per
 * graph output, live in memory. */
TN_MUST_USE tn_status tn_test_graph_run(const tn_graph *graph, tn_arena *memory,
                                        const int64_t *values, const tn_tensor *inputs,
                                        tn_tensor *outputs);

/* Inputs with random content: floats in [-2, 2), integers 0 to 3, bools. The same seed gives the
 * same content for the same input names, whatever else is in the graph. */
TN_MUST_USE tn_status tn_test_random_inputs(const tn_graph *graph, tn_arena *memory,
                                            const int64_t *values, unsigned seed,
                                            tn_tensor *out_inputs);

/* True if every element differs by at most tolerance * (1 + |wanted|), NaN matching NaN; otherwise
 * the first that does not is printed. Tolerance 0 also demands equal signs of zeros. */
bool tn_test_same(const tn_tensor *seen, const tn_tensor *wanted, double tolerance);

#endif
