/* npy_array.c: .npy files for users of the C API, as tensors in memory of their own: a file's bytes
 * need not be aligned, and may change while they are mapped. */
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "format/npy.h"
#include "tenon/experimental.h"

struct tn_npy_array {
    tn_allocator allocator;
    DLTensor tensor;
    int64_t dims[TN_MAX_RANK];
    size_t bytes; /* of tensor.data */
};

static tn_status copy_array(const tn_allocator *allocator, const tn_npy *npy,
                            tn_npy_array **out_array) {
    tn_npy_array *array = NULL;
    TN_TRY(tn_alloc(allocator, sizeof *array, &array));
    array->allocator = *allocator;
    array->bytes = npy->bytes;
    memcpy(array->dims, npy->dims, sizeof array->dims);
    array->tensor = (DLTensor){.device = {kDLCPU, 0},
                               .ndim = (int32_t)npy->rank,
                               .dtype = tn_dtype_to_dlpack(npy->dtype),
                               .shape = array->dims};
    tn_status status = tn_alloc(allocator, npy->bytes, &array->tensor.data);
    if (status) {
        tn_npy_free(array);
        return status;
    }
    if (npy->bytes > 0)
        memcpy(array->tensor.data, npy->data, npy->bytes);
    *out_array = array;
    return NULL;
}

tn_status tn_npy_load(tn_env *env, const char *path, tn_npy_array **out_array) {
    *out_array = NULL;
    if (!env || !path)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_npy_load: %s is NULL", env ? "path" : "env");
    tn_mapping mapping;
    TN_TRY(tn_mapping_open(path, &mapping));
    tn_npy npy;
    tn_status status = tn_npy_read(mapping.data, mapping.bytes, tn_str_of(path), &npy);
    if (!status)
        status = copy_array(&env->allocator, &npy, out_array);
    tn_mapping_close(&mapping);
    return status;
}

const DLTensor *tn_npy_tensor(const tn_npy_array *array) {
    return &array->tensor;
}

void tn_npy_free(tn_npy_array *array) {
    if (!array)
        return;
    tn_allocator allocator = array->allocator;
    tn_alloc_free(&allocator, array->tensor.data, array->bytes);
    tn_alloc_free(&allocator, array, sizeof *array);
}

tn_status tn_npy_save(tn_env *env, const char *path, const DLTensor *tensor) {
    if (!env || !path || !tensor)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_npy_save: %s is NULL",
                             !env    ? "env"
                             : !path ? "path"
                                     : "tensor");
    tn_npy npy = {.dtype = tn_dtype_from_dlpack(tensor->dtype)};
    if (npy.dtype == TN_DTYPE_NONE || tensor->ndim < 0 || tensor->ndim > TN_MAX_RANK ||
        tensor->device.device_type != kDLCPU)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "%s: a tensor of DLPack type %d, rank %d, device %d, expected one of "
                             "tenon's types, rank up to %d, in host memory",
                             path, tensor->dtype.code, (int)tensor->ndim,
                             (int)tensor->device.device_type, TN_MAX_RANK);
    npy.rank = (uint32_t)tensor->ndim;
    npy.bytes = tn_dtype_bytes(npy.dtype);
    int64_t stride = 1;
    for (uint32_t d = npy.rank; d-- > 0;) {
        npy.dims[d] = tensor->shape[d];
        npy.bytes *= (size_t)tensor->shape[d];
        if (tensor->strides && tensor->shape[d] > 1 && tensor->strides[d] != stride)
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "%s: stride %u is %lld, expected %lld: row-major contiguous", path,
                                 d, (long long)tensor->strides[d], (long long)stride);
        stride *= tensor->shape[d];
    }
    if (npy.bytes > 0)
        npy.data = (const uint8_t *)tensor->data + tensor->byte_offset;
    return tn_npy_write(&env->allocator, path, &npy);
}
