/* executor.c: see executor.h. */
#include "executor.h"

#include <stdlib.h>
#include <string.h>

/* A damaged engine may ask for more. */
enum { MOST_BYTES = 1 << 20 };

/* ---- computing ---------------------------------------------------------------------------------
 */

static bool has_shape_of(const tn_tensor *a, const tn_tensor *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

static double element(const tn_tensor *tensor, const int64_t *index) {
    int64_t at = 0;
    for (uint32_t d = 0; d < tensor->rank; d++)
        at += index[d] * tensor->strides[d];
    return tn_elem_get_f64(tensor->dtype, (const uint8_t *)tensor->data +
                                              at * (int64_t)tn_dtype_bytes(tensor->dtype));
}

void test_call_eval(const tn_tensor *const *operands, size_t operand_count, const int64_t *ints,
                    size_t int_count, const tn_tensor *results, size_t result_count) {
    double addend = 0;
    for (size_t i = 0; i < int_count; i++)
        addend += (double)ints[i];
    for (size_t r = 0; r < result_count; r++) {
        const tn_tensor *result = &results[r];
        int64_t index[TN_MAX_RANK] = {0}, elems = 1;
        for (uint32_t d = 0; d < result->rank; d++)
            elems *= result->dims[d];
        for (int64_t j = 0; j < elems && result->data; j++) {
            double sum = 0;
            for (size_t o = 0; o < operand_count; o++)
                if (has_shape_of(operands[o], result))
                    sum += element(operands[o], index);
            tn_elem_set_f64(result->dtype,
                            (uint8_t *)result->data + j * (int64_t)tn_dtype_bytes(result->dtype),
                            (double)(r + 1) * sum + addend);
            for (uint32_t d = result->rank; d-- > 0 && ++index[d] == result->dims[d];)
                index[d] = 0;
        }
    }
}

/* ---- serving -----------------------------------------------------------------------------------
 */

static tn_tensor tensor_of(const DLTensor *given) {
    tn_tensor tensor = {.dtype = tn_dtype_from_dlpack(given->dtype),
                        .rank = (uint32_t)given->ndim,
                        .data = given->data ? (uint8_t *)given->data + given->byte_offset : NULL};
    memcpy(tensor.dims, given->shape, tensor.rank * sizeof *tensor.dims);
    if (given->strides)
        memcpy(tensor.strides, given->strides, tensor.rank * sizeof *tensor.strides);
    return tensor;
}

static size_t bytes_of(const tn_tensor *tensor) {
    size_t bytes = tn_dtype_bytes(tensor->dtype);
    for (uint32_t d = 0; d < tensor->rank; d++)
        bytes *= (size_t)tensor->dims[d];
    return bytes;
}

/* What a call's results live in while it is held: one block for all. */
typedef struct holding {
    int64_t dims[TN_MAX_RANK];
    uint8_t data[];
} holding;

/* Decides on sizes. */
static void choose_sizes(const test_executor *executor, tn_call *call) {
    for (size_t r = 0; r < call->result_count; r++)
        for (int32_t d = 0; d < call->results[r].ndim; d++)
            if (call->results[r].shape[d] < 0)
                call->results[r].shape[d] = executor->size;
}

static void fill_new(tn_dtype dtype, uint8_t *data, size_t bytes) {
    size_t elem_bytes = tn_dtype_bytes(dtype);
    for (size_t j = 0; j < bytes / elem_bytes; j++)
        tn_elem_set_f64(dtype, data + j * elem_bytes, (double)j);
}

static void move_results(tn_call *call, uint8_t *memory) {
    size_t used = 0;
    for (size_t r = 0; r < call->result_count; r++) {
        tn_tensor result = tensor_of(&call->results[r]);
        size_t bytes = bytes_of(&result);
        if (!call->results[r].data)
            fill_new(result.dtype, memory + used, bytes);
        else if (bytes > 0)
            memcpy(memory + used, result.data, bytes);
        /* As DLPack allows, and to see that both are taken into account. */
        call->results[r].data = memory;
        call->results[r].byte_offset = used;
        call->results[r].strides = NULL;
        used += (bytes + 63) / 64 * 64;
    }
}

static holding *hold(test_executor *executor, tn_call *call) {
    size_t bytes = 64;
    for (size_t r = 0; r < call->result_count; r++) {
        tn_tensor result = tensor_of(&call->results[r]);
        bytes += bytes_of(&result) + 64;
    }
    holding *memory = bytes < MOST_BYTES ? calloc(1, sizeof *memory + bytes) : NULL;
    if (!memory)
        return NULL;
    call->held = memory;
    atomic_fetch_add(&executor->held, 1);
    return memory;
}

static void spoil(const test_executor *executor, DLTensor *result, holding *memory) {
    memcpy(memory->dims, result->shape, (size_t)result->ndim * sizeof *memory->dims);
    switch (executor->mode) {
    case EXECUTOR_SHAPE:
        result->shape = memory->dims;
        memory->dims[0]++;
        break;
    case EXECUTOR_DTYPE:
        result->dtype = tn_dtype_to_dlpack(TN_F64);
        break;
    case EXECUTOR_RANK:
        result->ndim--;
        break;
    case EXECUTOR_STRIDES:
        memset(memory->dims, 0, sizeof memory->dims);
        result->strides = memory->dims;
        break;
    case EXECUTOR_NULL:
        result->data = NULL;
        break;
    case EXECUTOR_DEVICE:
        result->device.device_type = (DLDeviceType)2;
        break;
    default:
        break;
    }
}

static tn_status evaluate(tn_call *call) {
    tn_tensor *tensors = calloc(call->operand_count + call->result_count + 1, sizeof *tensors);
    const tn_tensor **operands = calloc(call->operand_count + 1, sizeof *operands);
    tn_status status = NULL;
    if (tensors && operands) {
        tn_tensor *results = tensors + call->operand_count;
        for (size_t i = 0; i < call->operand_count; i++) {
            tensors[i] = tensor_of(&call->operands[i]);
            operands[i] = &tensors[i];
        }
        for (size_t i = 0; i < call->result_count; i++)
            results[i] = tensor_of(&call->results[i]);
        test_call_eval(operands, call->operand_count, call->ints, call->int_count, results,
                       call->result_count);
    } else {
        status = tn_status_create(TN_OUT_OF_MEMORY, "the test's executor has no memory");
    }
    free(operands);
    free(tensors);
    return status;
}

static tn_status run(void *user, tn_call *call) {
    test_executor *executor = user;
    atomic_fetch_add(&executor->runs, 1);
    choose_sizes(executor, call);
    tn_status status = evaluate(call);
    if (status || executor->mode == EXECUTOR_PLANNED)
        return status;
    if (executor->mode == EXECUTOR_LOOSE) {
        memset(executor->loose, 0xff, sizeof executor->loose);
        move_results(call, (uint8_t *)executor->loose);
        return NULL;
    }
    holding *memory = hold(executor, call);
    if (!memory)
        return tn_status_create(TN_OUT_OF_MEMORY, "the test's executor has no memory");
    if (executor->mode == EXECUTOR_FAIL)
        return tn_status_create(TN_IO, "the disk is on fire");
    if (executor->mode == EXECUTOR_OPERAND)
        call->results[0].data = call->operands[0].data;
    else
        move_results(call, memory->data);
    spoil(executor, &call->results[0], memory);
    return NULL;
}

static tn_status prepare(void *user, const tn_call_info *info) {
    test_executor *executor = user;
    atomic_fetch_add(&executor->prepared, 1);
    if (executor->refused_op && strcmp(executor->refused_op, info->op) == 0)
        return tn_status_create(TN_UNSUPPORTED, "the test refuses it");
    return NULL;
}

static void release(void *user, void *held) {
    test_executor *executor = user;
    atomic_fetch_add(&executor->released, 1);
    free(held);
}

void test_executor_init(test_executor *executor, executor_mode mode) {
    memset(executor, 0, sizeof *executor);
    executor->table = (tn_executor){.size = sizeof executor->table,
                                    .user = executor,
                                    .prepare = prepare,
                                    .run = run,
                                    .release = release};
    executor->mode = mode;
    executor->size = 3;
}
