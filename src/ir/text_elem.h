/* text_elem.h: elements of constants as text; shared by the printer and the parser of graphs. */
#ifndef TN_IR_TEXT_ELEM_H
#define TN_IR_TEXT_ELEM_H

#include "ir/graph.h"

/* tn_dtype_from_name() for a view. */
tn_dtype tn_dtype_from_str(tn_str name);
/* Prints the element at data so that it reads back bit by bit. */
void tn_elem_print(tn_buf *buf, tn_dtype dtype, const void *data);
/* Reads one element; false when the text is no element of that dtype. Decimals round to nearest. */
bool tn_elem_parse(tn_str text, tn_dtype dtype, void *out_data);

/* Walks the elements of a constant in row-major order: *inout_index starts as zeros and is
 * advanced; false after the last one. dims are static. */
bool tn_const_next(const tn_type *type, int64_t *inout_index);
/* The element at an index. */
const uint8_t *tn_const_at(const tn_type *type, const tn_const *data, const int64_t *index);
/* Number of elements of a static type; false on overflow. */
bool tn_const_elems(const tn_type *type, size_t *out_elems);

#endif
