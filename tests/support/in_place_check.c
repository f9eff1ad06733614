/* in_place_check.c: see in_place_check.h. */
#include "in_place_check.h"

#include <string.h>

#include "base/arena.h"
#include "base/env.h"
#include "kir/interp.h"

enum { RUNS = 3, TYPICAL_SIZE = 5, BUFFERS_SECTION = 3 };

typedef struct runner {
    tn_engine *engine;
    tn_session *session;
    tn_context *context;
} runner;

static tn_status open_runner(tn_env *env, engine_bytes bytes, uint32_t threads, runner *run) {
    tn_engine_options options = {.size = sizeof options, .allow_native_code = true};
    tn_session_options session = {.size = sizeof session, .threads = threads};
    TN_TRY(tn_engine_load_memory(env, bytes.data, bytes.count, &options, &run->engine));
    TN_TRY(tn_session_create(run->engine, &session, &run->session));
    return tn_context_create(run->session, &run->context);
}

static void close_runner(runner *run) {
    tn_context_destroy(run->context);
    tn_session_destroy(run->session);
    tn_engine_release(run->engine);
}

/* Random elements: floats in [-1, 1); integers 0 and 1, which every index and mask may be. */
static tn_status lend_random(tn_arena *memory, const runner *runs, size_t count, size_t input,
                             uint64_t *random) {
    tn_io_info info = {.size = sizeof info};
    TN_TRY(tn_engine_input_info(runs[0].engine, input, &info));
    size_t elems = 1, bytes = tn_dtype_bytes(info.dtype);
    for (uint32_t d = 0; d < info.rank; d++) {
        if (info.dims[d] < 0)
            info.dims[d] = info.dims_max[d] < TYPICAL_SIZE   ? info.dims_max[d]
                           : info.dims_min[d] > TYPICAL_SIZE ? info.dims_min[d]
                                                             : TYPICAL_SIZE;
        elems *= (size_t)info.dims[d];
    }
    uint8_t *data = tn_arena_alloc(memory, elems + 1, bytes);
    if (!data)
        return tn_error_out_of_memory();
    for (size_t i = 0; i < elems; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if (info.dtype <= TN_F8E5M2)
            tn_elem_set_f64(info.dtype, data + i * bytes,
                            (double)(*random >> 33) / (1 << 30) - 1.0);
        else
            tn_elem_set_i64(info.dtype, data + i * bytes, (int64_t)(*random >> 63));
    }
    DLTensor tensor = {.data = data,
                       .device = {kDLCPU, 0},
                       .ndim = (int32_t)info.rank,
                       .dtype = tn_dtype_to_dlpack(info.dtype),
                       .shape = info.dims};
    for (size_t r = 0; r < count; r++)
        TN_TRY(tn_context_set_input(runs[r].context, input, &tensor));
    return NULL;
}

static tn_status compare_outputs(const runner *a, const runner *b) {
    for (size_t i = 0; i < tn_engine_output_count(a->engine); i++) {
        DLTensor x, y;
        TN_TRY(tn_context_get_output(a->context, i, &x));
        TN_TRY(tn_context_get_output(b->context, i, &y));
        size_t bytes = tn_dtype_bytes(tn_dtype_from_dlpack(x.dtype));
        for (int32_t d = 0; d < x.ndim; d++)
            bytes *= (size_t)x.shape[d];
        if (bytes > 0 && memcmp(x.data, y.data, bytes) != 0)
            return tn_error_make(TN_INTERNAL, "output %zu differs when results lie over operands",
                                 i);
    }
    return NULL;
}

static tn_status run_both(const runner *runs, tn_arena *memory) {
    uint64_t random = 1;
    for (int round = 0; round < RUNS; round++) {
        for (size_t i = 0; i < tn_engine_input_count(runs[0].engine); i++)
            TN_TRY(lend_random(memory, runs, 2, i, &random));
        TN_TRY(tn_context_run(runs[0].context));
        TN_TRY(tn_context_run(runs[1].context));
        TN_TRY(compare_outputs(&runs[0], &runs[1]));
    }
    return NULL;
}

/* Gives each buffer a memory of its own; returns how many shared one. */
static uint32_t separate(engine_bytes bytes) {
    const tn_file_section *section = engine_section(bytes, BUFFERS_SECTION);
    uint32_t count = 0;
    for (uint64_t at = 0; section && at < section->bytes; at += section->record_bytes) {
        tn_rec_buffer *buffer = (tn_rec_buffer *)(void *)(bytes.data + section->offset + at);
        count += buffer->over > 0;
        buffer->over = 0;
    }
    engine_reseal(bytes);
    return count;
}

tn_status in_place_compare(tn_env *env, engine_bytes bytes, uint32_t threads, uint32_t *out_count) {
    engine_bytes separated = engine_bytes_copy(bytes);
    *out_count = separate(separated);
    runner runs[2] = {0};
    tn_arena memory;
    tn_arena_init(&memory, env->allocator);
    tn_status status = open_runner(env, bytes, threads, &runs[0]);
    if (!status)
        status = open_runner(env, separated, threads, &runs[1]);
    if (!status)
        status = run_both(runs, &memory);
    close_runner(&runs[0]);
    close_runner(&runs[1]);
    tn_arena_deinit(&memory);
    engine_bytes_free(&separated);
    return status;
}
