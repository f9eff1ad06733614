/* fuzz_pt2.c: any bytes as a model file: the zip directory, and what checksums let through.
 *
 * ctest: quick timeout=120 */
#include "load_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_test_load_any(data, size);
    return 0;
}
