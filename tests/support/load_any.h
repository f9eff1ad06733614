/* load_any.h: what fuzz targets do with a model file. */
#ifndef TN_TESTS_LOAD_ANY_H
#define TN_TESTS_LOAD_ANY_H

#include <stddef.h>
#include <stdint.h>

/* Loads a model from memory, verifies and functionalises its graph. Errors are what most inputs
 * give; a graph that was accepted and does not verify aborts. */
void tn_test_load_any(const uint8_t *data, size_t bytes);

#endif
