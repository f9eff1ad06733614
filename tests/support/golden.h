/* golden.h: golden tests: a file holds an input, a line of four dashes, and the output expected. */
#ifndef TN_TESTS_GOLDEN_H
#define TN_TESTS_GOLDEN_H

#include "base/arena.h"

/* Makes the output of one input. A status becomes the output "error: ..." with its notes. */
typedef tn_status (*tn_golden_run)(tn_arena *arena, tn_str input, tn_buf *out);

/* The main of a golden test: [--bless] FILE. Compares, or rewrites FILE with what comes out. */
int tn_golden_main(int argc, char **argv, tn_golden_run run);

#endif
