/* in_place_check.h: holds engines whose results lie over operands against the same engines with a
 * memory of its own for every buffer: not a bit of any output may differ. Usable without cmocka. */
#ifndef TN_TESTS_IN_PLACE_CHECK_H
#define TN_TESTS_IN_PLACE_CHECK_H

#include "engine_make.h"

/* Runs both several times on the same random inputs, so that states change too; out_count: buffers
 * that may lie over another. Native code is allowed. TN_INTERNAL: an output differs. */
TN_MUST_USE tn_status in_place_compare(tn_env *env, engine_bytes bytes, uint32_t threads,
                                       uint32_t *out_count);

#endif
