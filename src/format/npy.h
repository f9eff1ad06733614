/* npy.h: NumPy's .npy files, read as views of their bytes and written whole.
 *
 * The format: magic, version, and a header that is a Python dictionary with the keys descr,
 * fortran_order and shape (numpy.lib.format). bfloat16, which NumPy does not know, is what the
 * ml_dtypes package makes of it: two-byte voids, "|V2".
 */
#ifndef TN_FORMAT_NPY_H
#define TN_FORMAT_NPY_H

#include "base/str.h"

typedef struct tn_npy {
    tn_dtype dtype;
    uint32_t rank;
    int64_t dims[TN_MAX_RANK];
    const uint8_t *data; /* row-major elements */
    size_t bytes;
} tn_npy;

/* Reads an array from the bytes of a file, which must outlive it; name is for messages. TN_CORRUPT,
 * or TN_UNSUPPORTED for what tenon has no type or order for. Thread-safe. */
TN_MUST_USE tn_status tn_npy_read(const uint8_t *data, size_t bytes, tn_str name,
                                  tn_npy *out_array);
/* Writes row-major elements, atomically. Codes of tn_file_writer. */
TN_MUST_USE tn_status tn_npy_write(const tn_allocator *allocator, const char *path,
                                   const tn_npy *array);

#endif
