/* fuzz_npy.c: any bytes as a .npy file; an accepted one has the bytes that its shape needs. */
#include <stdlib.h>

#include "format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_npy array;
    tn_status status = tn_npy_read(data, size, TN_STR("fuzz.npy"), &array);
    if (!status) {
        size_t bytes = tn_dtype_bytes(array.dtype);
        for (uint32_t i = 0; i < array.rank; i++)
            bytes *= (size_t)array.dims[i];
        if (array.rank > TN_MAX_RANK || bytes != array.bytes || array.data < data ||
            array.bytes > size || array.data > data + (size - array.bytes))
            abort();
    }
    tn_status_free(status);
    return 0;
}
