/* engine_run.c: see engine_run.h. */
#include "engine_run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cpu/compile/cpu_compile.h"
#include "backend/null/compile/null_compile.h"
#include "engine/engine_file.h"
#include "pass/pass.h"
#include "tenon/runtime.h"

static tn_status write_engine(tn_env *env, tn_arena *memory, tn_graph *graph, const char *target,
                              const char *path) {
    tn_pb pb;
    tn_pb_init(&pb, memory);
    tn_cpu_options options = {.target = target, .keep_source_dir = getenv("KEEP_SOURCE")};
    tn_status status = target ? tn_cpu_compile(env, memory, graph, &options, &pb)
                              : tn_null_compile(memory, graph, &pb);
    if (!status)
        status = tn_pb_finish(&pb);
    if (!status)
        status = tn_engine_file_write(&env->allocator, path, &pb.program, pb.parts, pb.part_count);
    tn_pb_deinit(&pb);
    return status;
}

/* The elements of a tensor in row-major order. */
static uint8_t *pack(const tn_tensor *tensor, uint32_t dim, const uint8_t *from, uint8_t *to) {
    size_t bytes = tn_dtype_bytes(tensor->dtype);
    if (dim == tensor->rank) {
        memcpy(to, from, bytes);
        return to + bytes;
    }
    for (int64_t i = 0; i < tensor->dims[dim]; i++)
        to = pack(tensor, dim + 1, from + i * tensor->strides[dim] * (int64_t)bytes, to);
    return to;
}

static tn_status set_input(tn_context *context, tn_arena *memory, size_t i,
                           const tn_tensor *tensor) {
    int64_t shape[TN_MAX_RANK], elems = 1;
    for (uint32_t d = 0; d < tensor->rank; d++)
        elems *= shape[d] = tensor->dims[d];
    uint8_t *bytes = tn_arena_alloc(memory, (size_t)elems + 1, tn_dtype_bytes(tensor->dtype));
    if (!bytes)
        return tn_error_out_of_memory();
    if (elems > 0)
        pack(tensor, 0, tensor->data, bytes);
    DLTensor given = {.data = bytes,
                      .device = {kDLCPU, 0},
                      .ndim = (int32_t)tensor->rank,
                      .dtype = tn_dtype_to_dlpack(tensor->dtype),
                      .shape = shape};
    return tn_context_set_input(context, i, &given);
}

static tn_status take_output(tn_context *context, tn_arena *memory, size_t i, tn_tensor *out) {
    DLTensor seen;
    TN_TRY(tn_context_get_output(context, i, &seen));
    *out = (tn_tensor){.dtype = tn_dtype_from_dlpack(seen.dtype), .rank = (uint32_t)seen.ndim};
    int64_t elems = 1;
    for (uint32_t d = out->rank; d-- > 0;) {
        out->dims[d] = seen.shape[d];
        out->strides[d] = elems;
        elems *= seen.shape[d];
    }
    size_t bytes = tn_dtype_bytes(out->dtype);
    out->data = tn_arena_alloc(memory, (size_t)elems + 1, bytes);
    if (!out->data)
        return tn_error_out_of_memory();
    if (elems > 0)
        memcpy(out->data, seen.data, (size_t)elems * bytes);
    return NULL;
}

static tn_status run_engine(tn_env *env, tn_arena *memory, const char *path,
                            const tn_tensor *inputs, tn_tensor *outputs) {
    tn_engine *engine = NULL;
    tn_session *session = NULL;
    tn_context *context = NULL;
    tn_session_options options = {.size = sizeof options, .threads = 1};
    tn_status status = NULL;
    TN_GOTO(tn_engine_load(env, path, NULL, &engine));
    TN_GOTO(tn_session_create(engine, &options, &session));
    TN_GOTO(tn_context_create(session, &context));
    for (size_t i = 0; i < tn_engine_input_count(engine); i++)
        TN_GOTO(set_input(context, memory, i, &inputs[i]));
    TN_GOTO(tn_context_run(context));
    for (size_t i = 0; i < tn_engine_output_count(engine); i++)
        TN_GOTO(take_output(context, memory, i, &outputs[i]));
done:
    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    return status;
}

tn_status tn_test_engine_run(tn_env *env, tn_arena *memory, const tn_op_table *prims,
                             tn_graph *graph, const char *target, const char *path,
                             const tn_tensor *inputs, tn_tensor *outputs) {
    size_t count = 0;
    const tn_pass *const *passes = tn_pass_kernel_pipeline(&count);
    tn_pass_ctx ctx = {.allocator = &env->allocator, .prims = prims};
    TN_TRY(tn_pass_run(&ctx, graph, passes, count));
    tn_status status = write_engine(env, memory, graph, target, path);
    if (!status)
        status = run_engine(env, memory, path, inputs, outputs);
    unlink(path);
    return status;
}
