/* ir_ops.h: a handful of operators for tests of the ir layer, which knows none itself. */
#ifndef TN_TESTS_IR_OPS_H
#define TN_TESTS_IR_OPS_H

#include "ir/op.h"

TN_MUST_USE tn_status tn_test_ops_fill(tn_op_table *table);

#endif
