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
     * tn_cv_set_result(). Errors of the builder are picked up by the caller. */
    tn_status (*convert)(tn_cv *cv);
    /* Test cases, one a line; see tests/ops/README.md. */
    const char *cases;
} tn_op_entry;

/* One family: a file of src/ops ends with its table. */
typedef struct tn_op_family {
    const char *name;
    const tn_op_entry *entries;
    size_t count;
} tn_op_family;

/* All families (src/ops/op_list.c names them). Thread-safe. */
const tn_op_family *const *tn_op_families(size_t *out_count);
/* Adds every entry to a table. */
TN_MUST_USE tn_status tn_op_list_fill(tn_op_table *table);

/* ---- inside a converter ---------------------------------------------------------------------- */

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
} tn_promotion;
void tn_promote_tensor(tn_promotion *promotion, const tn_value *value);
void tn_promote_scalar(tn_promotion *promotion, const tn_arg *arg);
tn_dtype tn_promoted(const tn_promotion *promotion);

/* "aten::topk: k is 5000, accepted up to 4096": the op's name is put in front. */
TN_MUST_USE tn_status tn_cv_refuse(const tn_cv *cv, const char *format, ...) TN_PRINTF(2, 3);

#endif
