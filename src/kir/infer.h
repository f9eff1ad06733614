/* infer.h: inside of tn_prim_infer: the state of one inference and what the rules of the classes
 * share.
 *
 * Rules report the first error through tn_infer.status and return; getters give a harmless value
 * after an error, so that a rule reads as the shapes that it describes.
 */
#ifndef TN_KIR_INFER_H
#define TN_KIR_INFER_H

#include "kir/prim.h"

typedef struct tn_infer {
    tn_syms *syms;
    tn_prim prim;
    const tn_type *const *operands;
    uint32_t operand_count;
    const tn_arg *args;
    uint32_t arg_count;
    tn_type *results;
    uint32_t result_count;
    tn_status status; /* the first error */
} tn_infer;

/* One function per group of classes, each in its file. */
void tn_infer_map(tn_infer *in);
void tn_infer_view(tn_infer *in);
void tn_infer_create(tn_infer *in);
void tn_infer_reduce(tn_infer *in);
void tn_infer_scan(tn_infer *in);
void tn_infer_index(tn_infer *in);
void tn_infer_contract(tn_infer *in);
void tn_infer_window(tn_infer *in);
void tn_infer_norm(tn_infer *in);
void tn_infer_order(tn_infer *in);

/* Sets the error "k::name: ..." unless there is one. */
void tn_infer_fail(tn_infer *in, const char *format, ...) TN_PRINTF(2, 3);
/* A type's text for messages, cut if long: TN_TYPE_TEXT(type) is a const char * until the end of
 * the statement. */
typedef struct tn_type_text {
    char text[160];
} tn_type_text;
tn_type_text tn_type_text_of(const tn_type *type);
#define TN_TYPE_TEXT(type) (tn_type_text_of(type).text)

/* The type of the tensor argument i; NULL for None, and after an error. */
const tn_type *tn_infer_operand(tn_infer *in, uint32_t i);
/* A constant integer argument. */
int64_t tn_infer_int(tn_infer *in, uint32_t i);
/* Element j of the list argument i, a constant. */
int64_t tn_infer_int_at(tn_infer *in, uint32_t i, uint32_t j);
/* An integer argument that counts from 0 and lies below bound. */
uint32_t tn_infer_dim(tn_infer *in, uint32_t i, uint32_t bound);
/* Fails unless list argument i has `count` elements. */
bool tn_infer_list(tn_infer *in, uint32_t i, uint32_t count, const char *name);
/* Fails unless the string argument i is one of the words (separated by spaces). */
bool tn_infer_word(tn_infer *in, uint32_t i, const char *words);

/* Sets of dtypes. */
typedef enum tn_dtype_set {
    TN_SET_FLOAT = 1,
    TN_SET_INT = 2, /* without bool */
    TN_SET_BOOL = 4,
} tn_dtype_set;
bool tn_infer_dtype(tn_infer *in, const char *what, const tn_type *type, unsigned dtype_sets);
bool tn_infer_same_dtype(tn_infer *in, const char *what, const tn_type *type, tn_dtype wanted);
/* True unless the sizes are known to differ. */
bool tn_infer_same_dim(tn_infer *in, const tn_sym *a, const tn_sym *b);
/* Broadcasts type's dims into *inout_shape (rank and dims). */
bool tn_infer_broadcast(tn_infer *in, const tn_type *type, tn_type *inout_shape);

#endif
