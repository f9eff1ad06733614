/* engine_make.c: see engine_make.h. */
#include "engine_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "backend/cpu/compile/cpu_compile.h"
#include "backend/null/compile/null_compile.h"
#include "base/file.h"
#include "executor.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "run/context.h"

static tn_status compile_graph(tn_env *env, tn_arena *arena, const tn_graph *graph,
                               const char *target, tn_pb *pb) {
    if (!target)
        return tn_null_compile(arena, graph, pb);
    tn_cpu_options options = {.target = target, .keep_source_dir = getenv("KEEP_SOURCE")};
    return tn_cpu_compile(env, arena, graph, &options, pb);
}

tn_status engine_make(tn_env *env, const char *text, const char *target, const char *path,
                      uint32_t *out_step_count) {
    tn_arena arena;
    tn_arena_init(&arena, env->allocator);
    tn_op_table prims;
    tn_op_table_init(&prims, &arena);
    tn_pb pb;
    tn_pb_init(&pb, &arena);
    const tn_op_table *tables[] = {&prims};
    tn_graph *graph = NULL;
    tn_status status = NULL;
    TN_GOTO(tn_prim_table_fill(&prims));
    TN_GOTO(tn_graph_parse(&arena, tn_str_of(text), tables, 1, &graph));
    TN_GOTO(tn_graph_verify(graph, tn_prim_verify));
    TN_GOTO(compile_graph(env, &arena, graph, target, &pb));
    TN_GOTO(tn_pb_finish(&pb));
    *out_step_count = pb.program.step_count;
    TN_GOTO(tn_engine_file_write(&env->allocator, path, &pb.program, pb.parts, pb.part_count));
done:
    tn_pb_deinit(&pb);
    tn_op_table_deinit(&prims);
    tn_arena_deinit(&arena);
    return status;
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static void must(tn_status status) {
    if (!status)
        return;
    fprintf(stderr, "engine_make: %s\n", tn_status_message(status));
    exit(1);
}

static engine_bytes allocate(size_t count) {
    engine_bytes bytes = {.data = aligned_alloc(64, (count + 64) / 64 * 64), .count = count};
    if (!bytes.data) {
        fprintf(stderr, "engine_make: no memory for %zu bytes\n", count);
        exit(1);
    }
    return bytes;
}

engine_bytes engine_bytes_read(const char *path) {
    tn_mapping mapping;
    must(tn_mapping_open(path, &mapping));
    engine_bytes bytes = allocate(mapping.bytes);
    memcpy(bytes.data, mapping.data, mapping.bytes);
    tn_mapping_close(&mapping);
    return bytes;
}

engine_bytes engine_bytes_make(const char *text, const char *target) {
    tn_env *env = NULL;
    char path[64];
    uint32_t step_count = 0;
    snprintf(path, sizeof path, "engine_make_%d.tenon", (int)getpid());
    must(tn_env_create(NULL, &env));
    must(engine_make(env, text, target, path, &step_count));
    engine_bytes bytes = engine_bytes_read(path);
    unlink(path);
    tn_env_destroy(env);
    return bytes;
}

engine_bytes engine_bytes_copy(engine_bytes bytes) {
    engine_bytes copy = allocate(bytes.count);
    memcpy(copy.data, bytes.data, bytes.count);
    return copy;
}

void engine_bytes_free(engine_bytes *bytes) {
    free(bytes->data);
    *bytes = (engine_bytes){0};
}

static tn_file_header *header_of(engine_bytes bytes) {
    return (tn_file_header *)(void *)bytes.data;
}

tn_file_section *engine_section(engine_bytes bytes, uint32_t id) {
    tn_file_section *table = (tn_file_section *)(void *)(bytes.data + sizeof(tn_file_header));
    for (uint32_t i = 0; i < header_of(bytes)->section_count; i++)
        if (table[i].id == id)
            return &table[i];
    return NULL;
}

void engine_reseal(engine_bytes bytes) {
    if (bytes.count < sizeof(tn_file_header))
        return;
    tn_file_header *header = header_of(bytes);
    tn_file_section *table = (tn_file_section *)(void *)(bytes.data + sizeof *header);
    size_t room = (bytes.count - sizeof *header) / sizeof *table;
    if (header->section_count > room)
        return;
    for (uint32_t i = 0; i < header->section_count; i++)
        if (table[i].offset <= bytes.count && table[i].bytes <= bytes.count - table[i].offset)
            table[i].checksum = XXH3_64bits(bytes.data + table[i].offset, (size_t)table[i].bytes);
    header->table_checksum = XXH3_64bits(table, header->section_count * sizeof *table);
    header->file_bytes = bytes.count;
}

/* ---- trying -----------------------------------------------------------------------------------
 */

enum { MOST_BLOCK_BYTES = 1 << 20, MOST_ELEMS = 1 << 14 };

/* Refuses what only a damaged size can ask for. */
static void *resize_small(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    tn_allocator inner = tn_allocator_system();
    (void)self;
    return new_bytes > MOST_BLOCK_BYTES ? NULL
                                        : inner.resize(inner.self, ptr, old_bytes, new_bytes);
}

/* An input's memory, of exactly its size, so that AddressSanitizer sees each byte outside. */
typedef struct lent {
    struct lent *next;
    uint8_t data[];
} lent;

static tn_status lend(tn_context *context, const tn_engine *engine, size_t i, lent **inout_list) {
    tn_io_info info = {.size = sizeof info};
    TN_TRY(tn_engine_input_info(engine, i, &info));
    size_t elems = 1;
    for (uint32_t d = 0; d < info.rank; d++) {
        if (info.dims[d] < 0)
            info.dims[d] = info.dims_min[d] < 2 ? 2 : info.dims_min[d];
        if (info.dims[d] > MOST_ELEMS || elems * (size_t)info.dims[d] > MOST_ELEMS)
            return tn_error_make(TN_OUT_OF_RANGE, "input %zu is too large to try", i);
        elems *= (size_t)info.dims[d];
    }
    lent *memory = calloc(1, sizeof *memory + elems * tn_dtype_bytes(info.dtype));
    if (!memory)
        return tn_error_out_of_memory();
    memory->next = *inout_list;
    *inout_list = memory;
    DLTensor tensor = {.data = memory->data,
                       .device = {kDLCPU, 0},
                       .ndim = (int32_t)info.rank,
                       .dtype = tn_dtype_to_dlpack(info.dtype),
                       .shape = info.dims};
    return tn_context_set_input(context, i, &tensor);
}

static tn_status read_outputs(tn_context *context, const tn_engine *engine) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < tn_engine_output_count(engine); i++) {
        DLTensor tensor;
        TN_TRY(tn_context_get_output(context, i, &tensor));
        size_t bytes = tn_dtype_bytes(tn_dtype_from_dlpack(tensor.dtype));
        for (int32_t d = 0; d < tensor.ndim; d++)
            bytes *= (size_t)tensor.shape[d];
        for (size_t b = 0; b < bytes; b++)
            sum = (uint8_t)(sum + ((const uint8_t *)tensor.data)[b]);
    }
    return NULL;
}

/* A damaged size may be valid and ask for hours of work. */
static bool is_small(const tn_context *context) {
    const tn_program *p = &context->session->engine->file.program;
    for (uint32_t i = 0; i < p->tensor_count; i++) {
        const tn_tensor *tensor = &context->tensors[i];
        double elems = 1;
        for (uint32_t d = 0; d < tensor->rank; d++)
            elems *= (double)tensor->dims[d];
        if (elems > MOST_ELEMS)
            return false;
    }
    return true;
}

static tn_status run_engine(tn_engine *engine, lent **inout_lent) {
    test_executor executor;
    test_executor_init(&executor, EXECUTOR_OWN);
    tn_session_options options = {
        .size = sizeof options, .threads = 1, .executor = &executor.table};
    tn_session *session = NULL;
    tn_context *context = NULL;
    char *text = NULL;
    tn_status status = tn_engine_describe(engine, NULL, &text);
    tn_text_free(engine, text);
    tn_status_free(status); /* an engine may run that has no sizes at its smallest shapes */
    TN_GOTO(tn_session_create(engine, &options, &session));
    TN_GOTO(tn_context_create(session, &context));
    for (size_t i = 0; i < tn_engine_input_count(engine); i++)
        TN_GOTO(lend(context, engine, i, inout_lent));
    TN_GOTO(tn_context_infer_outputs(context));
    if (!is_small(context))
        TN_GOTO(tn_error_make(TN_OUT_OF_RANGE, "too large to try"));
    TN_GOTO(tn_context_run(context));
    TN_GOTO(read_outputs(context, engine));
done:
    tn_context_destroy(context);
    tn_session_destroy(session);
    return status;
}

tn_status engine_try(engine_bytes bytes) {
    tn_env_options env_options = {.size = sizeof env_options, .allocator = {resize_small, NULL}};
    tn_engine_options options = {.size = sizeof options, .allow_native_code = false};
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    lent *inputs = NULL;
    TN_TRY(tn_env_create(&env_options, &env));
    tn_status status = tn_engine_load_memory(env, bytes.data, bytes.count, &options, &engine);
    if (!status)
        status = run_engine(engine, &inputs);
    tn_engine_release(engine);
    tn_env_destroy(env);
    while (inputs) {
        lent *next = inputs->next;
        free(inputs);
        inputs = next;
    }
    return status;
}
