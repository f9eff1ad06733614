/* ops_part.c: parts of a tensor: slices, pieces, diagonals. */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* ---- parts
 * ------------------------------------------------------------------------------------------------------
 */

static tn_status convert_slice(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    int64_t step = tn_cv_int(cv, "step");
    if (x->type.rank == 0 || step < 1)
        return tn_cv_refuse(cv, "rank %u and step %lld, accepted are rank and step from 1",
                            x->type.rank, (long long)step);
    return set_result(cv,
                      tn_cv_slice(cv, x, dim, tn_cv_sym(cv, "start"), tn_cv_sym(cv, "end"), step));
}

static tn_status convert_narrow(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    const tn_sym *start = tn_cv_sym(cv, "start"), *length = tn_cv_sym(cv, "length");
    if (start->max < 0)
        start = tn_sym_add(syms, start, tn_value_size(x, dim));
    return set_result(cv, tn_kb_slice(cv->kb, x, dim, start, length, 1));
}

static tn_value *select_at(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *index) {
    tn_syms *syms = cv->kb->graph->syms;
    if (index && index->max < 0)
        index = tn_sym_add(syms, index, tn_value_size(x, dim));
    else if (index && index->min < 0)
        index = tn_sym_select(syms, tn_sym_lt(syms, index, tn_cv_size(cv, 0)),
                              tn_sym_add(syms, index, tn_value_size(x, dim)), index);
    return tn_kb_squeeze(cv->kb, tn_kb_slice(cv->kb, x, dim, index, tn_cv_size(cv, 1), 1), dim);
}

static tn_status convert_select(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    if (x->type.rank == 0)
        return tn_cv_refuse(cv, "self has rank 0, accepted is rank from 1");
    return set_result(cv, select_at(cv, x, dim, tn_cv_sym(cv, "index")));
}

static tn_status convert_unbind(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    if (!tn_value_size(x, dim) || !tn_sym_is(x->type.dims[dim], cv->node->result_count))
        return tn_cv_refuse(cv,
                            "dim %u has a size that depends on the input's shape, accepted is a "
                            "constant",
                            dim);
    for (uint32_t i = 0; i < cv->node->result_count; i++)
        tn_cv_set_result(cv, i, select_at(cv, x, dim, tn_cv_size(cv, i)));
    return NULL;
}

/* Parts of this size, the last one with what is left. */
static tn_status split_even(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *part) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *total = tn_value_size(x, dim);
    for (uint32_t i = 0; i < cv->node->result_count; i++) {
        const tn_sym *start = tn_sym_min(syms, tn_sym_muli(syms, part, i), total);
        const tn_sym *size = tn_sym_min(syms, part, tn_sym_sub(syms, total, start));
        tn_cv_set_result(cv, i, tn_kb_slice(cv->kb, x, dim, start, size, 1));
    }
    return NULL;
}

static tn_status convert_split(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    return split_even(cv, x, dim, tn_cv_sym(cv, "split_size"));
}

static tn_status convert_chunk(tn_cv *cv) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    int64_t chunks = tn_cv_int(cv, "chunks");
    if (chunks < 1)
        return tn_cv_refuse(cv, "chunks is %lld, accepted are from 1", (long long)chunks);
    return split_even(cv, x, dim,
                      tn_sym_ceildiv(syms, tn_value_size(x, dim), tn_sym_const(syms, chunks)));
}

static tn_status split_sizes(tn_cv *cv, const char *name) {
    tn_syms *syms = cv->kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t dim = tn_cv_dim(cv, "dim", x->type.rank);
    const tn_arg *sizes = tn_cv_arg(cv, name);
    const tn_sym *start = tn_cv_size(cv, 0);
    for (uint32_t i = 0; i < sizes->count; i++) {
        tn_cv_set_result(cv, i, tn_kb_slice(cv->kb, x, dim, start, sizes->ints[i], 1));
        start = tn_sym_add(syms, start, sizes->ints[i]);
    }
    return NULL;
}

static tn_status convert_split_with_sizes(tn_cv *cv) {
    return split_sizes(cv, "split_sizes");
}

static tn_status convert_split_sizes(tn_cv *cv) {
    return split_sizes(cv, "split_size");
}

static tn_status convert_diagonal(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t rank = x->type.rank;
    uint32_t dim1 = tn_cv_dim(cv, "dim1", rank), dim2 = tn_cv_dim(cv, "dim2", rank);
    int64_t offset = tn_cv_int(cv, "offset");
    if (rank < 2 || dim1 == dim2)
        return tn_cv_refuse(cv, "dims %u and %u of rank %u, accepted are two different ones", dim1,
                            dim2, rank);
    /* The two dims go last; element i of the diagonal is flat element i * (columns + 1). */
    x = tn_cv_move_dim(cv, x, dim1, rank - 1);
    x = tn_cv_move_dim(cv, x, dim2 > dim1 ? dim2 - 1 : dim2, rank - 1);
    x = tn_cv_slice(cv, x, rank - (offset < 0 ? 2 : 1),
                    tn_cv_size(cv, offset < 0 ? -offset : offset), NULL, 1);
    const tn_sym *rows = tn_value_size(x, rank - 2), *columns = tn_value_size(x, rank - 1);
    if (!columns || !tn_sym_is_const(columns))
        return tn_cv_refuse(cv,
                            "dim %u has a size that depends on the input's shape, accepted is a "
                            "constant",
                            dim2);
    const tn_sym *count = tn_sym_min(syms, rows, columns);
    x = tn_kb_slice(kb, x, rank - 2, tn_cv_size(cv, 0), count, 1);
    x = tn_cv_flatten(cv, x, rank - 2, rank - 1);
    const tn_sym *zero = tn_cv_size(cv, 0);
    return set_result(cv, tn_kb_slice(kb, x, rank - 2, zero, count, columns->value + 1));
}

/* ---- the family
 * -----------------------------------------------------------------------------------
 */

#define SPLITS                                                                                     \
    "(f32[7,3], 3)@static\n"                                                                       \
    "(f32[2,7]{nc,nan}, 2, 1)@static\n"                                                            \
    "(f32[6,2], 6, -2)@static\n"                                                                   \
    "(i64[4], 1)@static\n"                                                                         \
    "(f32[B=3,8], 4, 1)\n"                                                                         \
    "(bool[5], 2)@static\n"                                                                        \
    "(bf16[4], 3)@static\n"                                                                        \
    "(f32[1,2,1,2,1,2,1,2], 1, 3)@static\n"                                                        \
    "(f32[0,4], 2, 1)@static\n"                                                                    \
    "(f64[4], 2)@static\n"                                                                         \
    "(f16[4], 2)@static\n"                                                                         \
    "(i32[4], 2)@static\n"
#define SIZES                                                                                      \
    "(f32[7,3], [3,4])@static\n"                                                                   \
    "(f32[2,7]{nc,nan}, [2,0,5], 1)@static\n"                                                      \
    "(i64[4], [4])@static\n"                                                                       \
    "(f32[B=3,8], [3,5], -1)\n"                                                                    \
    "(f32[B=4,2], [B-1,1])\n"                                                                      \
    "(bool[5], [2,3])@static\n"                                                                    \
    "(bf16[4], [3,1])@static\n"                                                                    \
    "(f32[0,4], [2,2], 1)@static\n"                                                                \
    "(f32[1,2,1,2,1,2,1,2], [1,1], 3)@static\n"

static const tn_op_entry entries[] = {
    {"aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt "
     "step=1) -> Tensor(a)",
     convert_slice,
     "(f32[5,4], 0, 1, 3)@static\n"
     "(f32[5,4]{nc,nan}, 1, -3, -1)\n"
     "(f32[5], 0, 0, 9223372036854775807)\n"
     "(f32[5], 0, 1, 99, 2)\n"
     "(f32[5], 0, 3, 1)@static\n"
     "(f32[5], 0, -99, 2)\n"
     "(f32[0], 0, 0, 4)\n"
     "(i64[7], 0, None, None, 3)\n"
     "(bool[5], 0, 1)\n"
     "(bf16[5], 0, None, 2)\n"
     "(f32[1,2,1,2,1,2,1,4], 7, 1, 3)@static\n"
     "(f32[B=5,2], 0, 0, B-1)\n"
     "(f32[B=5,2], 0, B-2, B)\n"
     "(f32[B=5], 0, 99, 100)\n"
     "(f32[B=5], 0, -2, B+7)\n"
     "(f64[5], 0, 1, -1)\n"
     "(f16[5], 0, 2)\n"
     "(u8[5], -1, 2)\n",
     TN_PRIM_NONE},
    {"aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)",
     convert_narrow,
     "(f32[5,4], 0, 1, 3)\n"
     "(f32[5,4]{nc,nan}, 1, -3, 2)\n"
     "(f32[5], 0, 5, 0)@static\n"
     "(i64[7], -1, 0, 7)@static\n"
     "(f32[1,2,1,2,1,2,1,4], 7, 1, 3)\n"
     "(bf16[B=5], 0, 1, B-1)\n",
     TN_PRIM_NONE},
    {"aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", convert_select,
     "(f32[5,4], 0, 1)\n"
     "(f32[5,4]{nc,nan}, 1, -1)\n"
     "(f32[3], 0, 2)\n"
     "(f32[0,3], 1, 1)\n"
     "(i64[3,2], -1, 0)\n"
     "(bool[3], 0, 0)\n"
     "(bf16[3,2], 0, 1)\n"
     "(f32[1,2,1,2,1,2,1,2], 5, 1)\n"
     "(f32[B=4,2], 0, B-1)\n"
     "(f64[2], 0, 0)\n"
     "(f16[2], 0, 0)\n",
     TN_PRIM_NONE},
    {"aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]", convert_unbind,
     "(f32[3,2])@static\n"
     "(f32[2,3]{nc,nan}, 1)@static\n"
     "(f32[2,0], 0)@static\n"
     "(i64[3])@static\n"
     "(bool[2])@static\n"
     "(bf16[B=4,2], -1)\n"
     "(f32[1,2,1,2,1,2,1,2], 5)@static\n",
     TN_PRIM_NONE},
    {"aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
     convert_split, SPLITS, TN_PRIM_NONE},
    {"aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]",
     convert_split_sizes, SIZES, TN_PRIM_NONE},
    {"aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]",
     convert_split_with_sizes, SIZES, TN_PRIM_NONE},
    {"aten::unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]",
     convert_split, SPLITS, TN_PRIM_NONE},
    {"aten::unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]",
     convert_split_with_sizes, SIZES, TN_PRIM_NONE},
    {"aten::unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", convert_chunk,
     "(f32[7,3], 3)@static\n"
     "(i64[4], 1)\n"
     "(f32[B=6,2], 2)\n",
     TN_PRIM_NONE},
    {"aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]", convert_chunk,
     "(f32[7,3], 3)@static\n"
     "(f32[2,7]{nc,nan}, 2, 1)@static\n"
     "(f32[5], 4)@static\n"
     "(f32[2], 5)@static\n"
     "(i64[4], 1)\n"
     "(bool[5], 2)@static\n"
     "(f32[B=3,8], 2, -1)\n"
     "(bf16[1,2,1,2,1,2,1,2], 2, 3)@static\n"
     "(f32[0,4], 2, 1)@static\n"
     "(f32[B=6,2], 2)\n",
     TN_PRIM_NONE},
    {"aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
     convert_diagonal,
     "(f32[3,4])@static\n"
     "(f32[3,4]{nc,nan}, 1)@static\n"
     "(f32[4,3], -2)@static\n"
     "(f32[2,3,4], 0, 1, 2)@static\n"
     "(f32[2,3,4], 1, 2, 0)@static\n"
     "(f32[0,3])@static\n"
     "(i64[2,2])@static\n"
     "(bf16[B=3,4])\n"
     "(f32[1,2,1,2,1,2,1,2], 0, 1, 3)@static\n"
     "(f32[3,4], 9)@static\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_part = {"part", entries, sizeof entries / sizeof *entries};
