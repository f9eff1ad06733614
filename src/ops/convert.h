/* convert.h: operators of models, and converters that turn them into kernel IR.
 *
 * An operator is one entry: schema, converter, cases. Whether an operator can be compiled is asked
 * by running its converter on a throw-away graph (PROBE) and for real otherwise (EMIT): the same
 * function, so that the answer and the act cannot differ. A refusal is a TN_UNSUPPORTED status that
 * says what was seen and what would have been accepted.
 */
#ifndef TN_OPS_CONVERT_H
#define TN_OPS_CONVERT_H

#include "kir/kb.h"

typedef struct tn_cv tn_cv;

typedef struct tn_op_entry {
    const char *schema; /* as PyTorch prints it */
    /* Reads arguments with tn_cv_*, emits through cv->kb, sets every result with
     * tn_cv_set_result(). Errors of the builder are picked up by the caller. NULL for in-place
     * operators, which the functionalise pass replaces by those of the same name without the
     * underscore. */
    tn_status (*convert)(tn_cv *cv);
    /* Test cases, one a line; see tests/ops/README.md. */
    const char *cases;
    /* What tells this operator from others with the same converter; TN_PRIM_NONE if nothing. */
    tn_prim prim;
} tn_op_entry;

/* One family: a file of src/ops ends with its table. */
typedef struct tn_op_family {
    const char *name;
    const tn_op_entry *entries;
    size_t count;
} tn_op_family;

/* All families (src/ops/op_list.c names them). Thread-safe. */
const tn_op_family *const *tn_op_families(size_t *out_count);
/* Other names that PyTorch has for an operator, all overloads and in-place forms included:
 * "multiply" is "mul". Thread-safe. */
typedef struct tn_op_alias {
    const char *alias, *name; /* without namespace and overload */
} tn_op_alias;
const tn_op_alias *tn_op_aliases(size_t *out_count);
/* Appends the schema that an operator has under the alias; false if it is another operator's. */
bool tn_op_alias_schema(tn_buf *buf, const tn_op_alias *alias, const char *schema);

/* Adds every entry to a table, also under its other names. */
TN_MUST_USE tn_status tn_op_list_fill(tn_op_table *table);

/* Runs the converter of one node: the only way from a model's operator to kernel IR, for a probe as
 * for the real thing. operands are kernel IR values of node->operands; out_results gets
 * node->result_count values. TN_UNSUPPORTED says why not and what would help; TN_INTERNAL when the
 * results are not of the types that the model declares. */
TN_MUST_USE tn_status tn_convert_node(tn_kb *kb, const tn_node *node, tn_value *const *operands,
                                      bool is_probe, tn_value **out_results);

/* Adds where the node stands in the user's model to an error; NULL stays NULL. */
TN_MUST_USE tn_status tn_convert_annotate(tn_status status, const tn_node *node);

/* ---- inside a converter -------------------------------------------------------------------------
 */

struct tn_cv {
    tn_kb *kb;
    const tn_node *node;       /* the operator's node in the model's graph */
    tn_value *const *operands; /* kernel IR values of node->operands, NULL for None */
    tn_value **results;        /* set by the converter; node->result_count of them */
    bool is_probe;
};

/* Arguments by their name in the schema. A name that the schema lacks is a bug (assert). */
tn_value *tn_cv_tensor(tn_cv *cv, const char *name); /* NULL for None */
uint32_t tn_cv_tensors(tn_cv *cv, const char *name, tn_value *const **out_values);
bool tn_cv_is_none(const tn_cv *cv, const char *name);
bool tn_cv_bool(const tn_cv *cv, const char *name);
double tn_cv_float(const tn_cv *cv,
                   const char *name); /* int, float or bool; a symbolic int fails the builder */
const tn_sym *tn_cv_sym(tn_cv *cv, const char *name);
int64_t tn_cv_int(tn_cv *cv, const char *name); /* a symbolic one is refused through the builder */
/* A list of ints; one int where the schema says int[n] is repeated n times. Returns the count. */
uint32_t tn_cv_ints(tn_cv *cv, const char *name, int64_t *out_values, uint32_t capacity);
uint32_t tn_cv_syms(tn_cv *cv, const char *name, const tn_sym **out_values, uint32_t capacity);
tn_str tn_cv_str(const tn_cv *cv, const char *name);
tn_dtype tn_cv_dtype(const tn_cv *cv, const char *name, tn_dtype default_dtype);
const tn_arg *tn_cv_arg(const tn_cv *cv, const char *name);
/* dim in [-rank, rank) made non-negative; otherwise fails the builder. */
uint32_t tn_cv_dim(tn_cv *cv, const char *name, uint32_t rank);
/* Type that the model's graph declares for result i. */
const tn_type *tn_cv_result_type(const tn_cv *cv, uint32_t i);
void tn_cv_set_result(tn_cv *cv, uint32_t i, tn_value *value);

/* Type promotion of PyTorch: the dtype of an operation on these (categories bool < int < float;
 * rank-0 tensors and Python scalars yield to tensors with dims of the same category). Scalars: an
 * arg. */
typedef struct tn_promotion {
    tn_dtype dim_dtype, zero_dim_dtype, scalar_dtype; /* running result per priority */
    bool failed;                                      /* PyTorch has no common dtype for these */
} tn_promotion;
void tn_promote_tensor(tn_promotion *promotion, const tn_value *value);
void tn_promote_scalar(tn_promotion *promotion, const tn_arg *arg);
tn_dtype tn_promoted(const tn_promotion *promotion); /* TN_DTYPE_NONE if there is none */
/* The same for a Tensor or Scalar argument; and that argument in a dtype. */
void tn_cv_promote(tn_cv *cv, tn_promotion *promotion, const char *name);
tn_value *tn_cv_operand(tn_cv *cv, const char *name, tn_dtype dtype);

/* The prim of the node's entry. */
tn_prim tn_cv_prim(const tn_cv *cv);
/* A rank-0 value of this dtype with the number of a Scalar, float or int argument, a symbolic one
 * too. */
tn_value *tn_cv_scalar(tn_cv *cv, const char *name, tn_dtype dtype);
/* dims of a list argument as a mask; no list or an empty one: every dim. */
uint32_t tn_cv_dim_mask(tn_cv *cv, const char *name, uint32_t rank);
/* x in the dtype that PyTorch computes in: f32 for f16, bf16 and f8, and for integers and bool
 * where the operator gives floats; itself otherwise. */
tn_value *tn_cv_math(tn_cv *cv, tn_value *x);
/* The dtype of a float-valued operator on x: x's own if that is a float, else f32. */
tn_dtype tn_cv_float_dtype(const tn_value *x);
const tn_sym *tn_cv_size(tn_cv *cv, int64_t size); /* a constant size */
/* Reshapes; one size may be -1 and is computed from the others. */
tn_value *tn_cv_reshape(tn_cv *cv, tn_value *x, const tn_sym *const *dims, uint32_t rank);
/* dims first to last become one. */
tn_value *tn_cv_flatten(tn_cv *cv, tn_value *x, uint32_t first, uint32_t last);
/* x[start:end:step] of Python along dim: negative positions count from the end, and all are cut to
 * what is there. NULL for a bound that is not given. */
tn_value *tn_cv_slice(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *start, const tn_sym *end,
                      int64_t step);
/* The same as a first position and a number of elements, of a dim of this size. */
void tn_cv_slice_bounds(tn_cv *cv, const tn_sym *size, const tn_sym *start, const tn_sym *end,
                        int64_t step, const tn_sym **out_start, const tn_sym **out_count);
/* Moves a dim to another place. */
tn_value *tn_cv_move_dim(tn_cv *cv, tn_value *x, uint32_t from, uint32_t to);
/* x as often as `times` along dim: one whole after the other, or every element in place. */
tn_value *tn_cv_repeat(tn_cv *cv, tn_value *x, uint32_t dim, const tn_sym *times,
                       bool is_interleaved);
/* x broadcast to the shape of like. */
tn_value *tn_cv_expand_as(tn_cv *cv, tn_value *x, const tn_value *like);
/* TN_PRIM_SCATTER: src goes to (is added to, ...) the positions that index gives along dim of x. */
tn_value *tn_cv_scatter(tn_cv *cv, tn_value *x, tn_value *index, tn_value *src, uint32_t dim,
                        const char *reduce);
/* A vector of positions along dim as an index of the shape of like. */
tn_value *tn_cv_spread_index(tn_cv *cv, tn_value *index, uint32_t dim, const tn_value *like);

/* Facts of a value; harmless ones for NULL, so that formulas need no checks between their steps. */
static inline uint32_t tn_value_rank(const tn_value *value) {
    return value ? value->type.rank : 0;
}
static inline tn_dtype tn_value_dtype(const tn_value *value) {
    return value ? value->type.dtype : TN_DTYPE_NONE;
}
static inline const tn_sym *tn_value_size(const tn_value *value, uint32_t dim) {
    return value && dim < value->type.rank ? value->type.dims[dim] : NULL;
}
static inline bool tn_dtype_is_half(tn_dtype dtype) { /* computes in f32 */
    return dtype == TN_F16 || dtype == TN_BF16 || dtype == TN_F8E4M3 || dtype == TN_F8E5M2;
}

/* "aten::topk: k is 5000, accepted up to 4096": the op's name is put in front. */
TN_MUST_USE tn_status tn_cv_refuse(const tn_cv *cv, const char *format, ...) TN_PRINTF(2, 3);

#endif
