/* ir_ops.c: schemas of every kind of parameter that the ir layer handles. */
#include "ir_ops.h"

tn_status tn_test_ops_fill(tn_op_table *table) {
    static const char *const schemas[] = {
        "aten::relu(Tensor self) -> Tensor",
        "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
        "aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
        "aten::cat(Tensor[] tensors, int dim=0) -> Tensor",
        "aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor",
        "aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
        "aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)",
        "aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, "
        "SymInt[2] padding=[0, 0], SymInt groups=1) -> Tensor",
        "aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, "
        "bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
        "aten::dropout(Tensor input, float p, bool train) -> Tensor",
        "aten::resize(Tensor self, float[]? scales, bool[2] flips=[True, False], "
        "str mode=\"linear\", str[] names=[], ScalarType dtype=float, float[2] w=0.5) -> Tensor",
        "aten::_assert(Scalar self, str message) -> ()",
        "aten::cond(Tensor pred, Graph then, Tensor[] operands=[]) -> Tensor",
    };
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        TN_TRY(tn_op_table_add(table, schemas[i], TN_OP_GRAPH, 0, NULL));
    return NULL;
}
