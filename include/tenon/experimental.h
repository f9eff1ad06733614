/* tenon/experimental.h: what may still change its form, or go, in any version. Needs libtenon. */
#ifndef TENON_EXPERIMENTAL_H
#define TENON_EXPERIMENTAL_H

#include "tenon/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tensors in NumPy's .npy files --------------------------------------------------------------
 *
 * bfloat16, which NumPy has no name for, is "|V2", as the ml_dtypes package writes it. */

/* An array read from a file. Thread-compatible. */
typedef struct tn_npy_array tn_npy_array;

/* Reads a whole array into memory. Codes: TN_NOT_FOUND, TN_IO, TN_CORRUPT (no .npy file, or cut
 * short), TN_UNSUPPORTED (element types or orders that tenon has not; the message says which and
 * what would do), TN_OUT_OF_MEMORY. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_npy_load(tn_env *env, const char *path, tn_npy_array **out_array);
/* Its tensor: host memory, row-major contiguous. Borrowed until the array is freed. */
TN_API const DLTensor *tn_npy_tensor(const tn_npy_array *array);
/* NULL is allowed. */
TN_API void tn_npy_free(tn_npy_array *array);
/* Writes a tensor (host memory, row-major contiguous) to a file, which is replaced whole or not at
 * all. Codes: TN_INVALID_ARGUMENT, TN_IO, TN_OUT_OF_MEMORY. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_npy_save(tn_env *env, const char *path, const DLTensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
