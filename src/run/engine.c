/* engine.c: loading engines and asking what they take and give. */
#include "run/engine.h"

#include <string.h>

#include "ir/graph.h"

DLDataType tn_dtype_to_dlpack(tn_dtype dtype) {
    switch (dtype) {
#define X(enumerator, value, name, bytes, dl_code, dl_bits)                                        \
    case enumerator:                                                                               \
        return (DLDataType){.code = dl_code, .bits = dl_bits, .lanes = 1};
        TN_DTYPE_LIST(X)
#undef X
    case TN_DTYPE_NONE:
        break;
    }
    return (DLDataType){0, 0, 0};
}

tn_dtype tn_dtype_from_dlpack(DLDataType type) {
    if (type.lanes != 1)
        return TN_DTYPE_NONE;
#define X(enumerator, value, name, bytes, dl_code, dl_bits)                                        \
    if (type.code == dl_code && type.bits == dl_bits)                                              \
        return enumerator;
    TN_DTYPE_LIST(X)
#undef X
    return TN_DTYPE_NONE;
}

/* ---- loading -----------------------------------------------------------------------------------
 */

static tn_status open_bytes(tn_engine *engine, const uint8_t *bytes, size_t byte_count,
                            const tn_engine_options *options) {
    tn_engine_options chosen = {.size = sizeof chosen, .allow_native_code = true};
    if (options) {
        if (options->size < sizeof chosen)
            return tn_error_make(TN_INVALID_ARGUMENT, "tn_engine_options.size is %zu, expected %zu",
                                 options->size, sizeof chosen);
        chosen = *options;
    }
    TN_TRY(tn_engine_file_open(&engine->env->allocator, bytes, byte_count, chosen.verify_weights,
                               &engine->file));
    if (engine->file.program.kernel_count > 0 && !chosen.allow_native_code)
        return tn_error_make(TN_UNSUPPORTED, "the engine holds native code, which "
                                             "tn_engine_options.allow_native_code forbids");
    return NULL;
}

static void destroy_engine(tn_engine *engine) {
    tn_allocator allocator = engine->env->allocator;
    tn_engine_file_close(&engine->file);
    tn_mapping_close(&engine->mapping);
    tn_alloc_free(&allocator, engine, sizeof *engine);
}

static tn_status make_engine(tn_env *env, tn_engine **out_engine) {
    TN_TRY(tn_alloc(&env->allocator, sizeof **out_engine, out_engine));
    (*out_engine)->env = env;
    (*out_engine)->file.allocator = env->allocator;
    atomic_init(&(*out_engine)->references, 1);
    return NULL;
}

tn_status tn_engine_load(tn_env *env, const char *path, const tn_engine_options *options,
                         tn_engine **out_engine) {
    *out_engine = NULL;
    if (!env || !path)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_engine_load: %s is NULL",
                             env ? "path" : "env");
    tn_engine *engine = NULL;
    TN_TRY(make_engine(env, &engine));
    tn_status status = tn_mapping_open(path, &engine->mapping);
    if (!status)
        status = open_bytes(engine, engine->mapping.data, engine->mapping.bytes, options);
    if (status) {
        destroy_engine(engine);
        return tn_status_annotate(status, "while loading %s", path);
    }
    *out_engine = engine;
    return NULL;
}

tn_status tn_engine_load_memory(tn_env *env, const void *bytes, size_t byte_count,
                                const tn_engine_options *options, tn_engine **out_engine) {
    *out_engine = NULL;
    if (!env || !bytes)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_engine_load_memory: %s is NULL",
                             env ? "bytes" : "env");
    tn_engine *engine = NULL;
    TN_TRY(make_engine(env, &engine));
    tn_status status = open_bytes(engine, bytes, byte_count, options);
    if (status) {
        destroy_engine(engine);
        return status;
    }
    *out_engine = engine;
    return NULL;
}

void tn_engine_retain(tn_engine *engine) {
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
}

void tn_engine_release(tn_engine *engine) {
    if (engine && atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) == 1)
        destroy_engine(engine);
}

/* ---- what it takes and gives -------------------------------------------------------------------
 */

size_t tn_engine_input_count(const tn_engine *engine) {
    return engine->file.program.input_count;
}

size_t tn_engine_output_count(const tn_engine *engine) {
    return engine->file.program.output_count;
}

size_t tn_engine_state_count(const tn_engine *engine) {
    return engine->file.program.state_count;
}

const tn_rec_symbol *tn_program_symbol(const tn_program *program, uint32_t value) {
    for (uint32_t i = 0; i < program->symbol_count; i++)
        if (program->symbols[i].value == value)
            return &program->symbols[i];
    return NULL;
}

static void fill_info(const tn_program *program, const tn_rec_io *io, tn_io_info *out) {
    const tn_rec_tensor *tensor = &program->tensors[io->tensor];
    out->name = tn_program_str(program, io->name).data;
    out->dtype = (tn_dtype)tensor->dtype;
    out->rank = tensor->rank;
    out->mutates_input = io->mutates_input < program->input_count ? (int64_t)io->mutates_input : -1;
    for (uint32_t d = 0; d < TN_MAX_RANK; d++) {
        out->dims[d] = out->dims_min[d] = out->dims_max[d] = 0;
        out->dim_names[d] = NULL;
        if (d >= tensor->rank)
            continue;
        const tn_rec_instr *instr = &program->instrs[tensor->dims[d]];
        const tn_rec_symbol *symbol = tn_program_symbol(program, tensor->dims[d]);
        bool is_fixed = instr->op == TN_SHAPE_CONST;
        out->dims[d] = is_fixed ? instr->value : -1;
        out->dims_min[d] = is_fixed ? instr->value : symbol ? symbol->min : 0;
        out->dims_max[d] = is_fixed ? instr->value : symbol ? symbol->max : INT64_MAX;
        if (symbol)
            out->dim_names[d] = tn_program_str(program, symbol->name).data;
    }
}

static tn_status io_info(const tn_engine *engine, const char *kind, const tn_rec_io *ios,
                         uint32_t count, size_t i, tn_io_info *out_info) {
    if (out_info->size < sizeof *out_info)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_io_info.size is %zu, expected %zu",
                             out_info->size, sizeof *out_info);
    if (i >= count)
        return tn_error_make(TN_OUT_OF_RANGE, "%s %zu: the engine has %u", kind, i, count);
    fill_info(&engine->file.program, &ios[i], out_info);
    return NULL;
}

tn_status tn_engine_input_info(const tn_engine *engine, size_t i, tn_io_info *out_info) {
    const tn_program *program = &engine->file.program;
    return io_info(engine, "input", program->inputs, program->input_count, i, out_info);
}

tn_status tn_engine_output_info(const tn_engine *engine, size_t i, tn_io_info *out_info) {
    const tn_program *program = &engine->file.program;
    return io_info(engine, "output", program->outputs, program->output_count, i, out_info);
}

static tn_status find_io(const tn_engine *engine, const char *kind, const tn_rec_io *ios,
                         uint32_t count, const char *name, size_t *out_i) {
    *out_i = 0;
    const tn_program *program = &engine->file.program;
    for (uint32_t i = 0; i < count; i++) {
        if (tn_str_is(tn_program_str(program, ios[i].name), name)) {
            *out_i = i;
            return NULL;
        }
    }
    tn_buf names;
    tn_buf_init(&names, engine->env->allocator);
    for (uint32_t i = 0; i < count; i++)
        tn_buf_printf(&names, "%s%s", i ? ", " : "", tn_program_str(program, ios[i].name).data);
    tn_status status = tn_error_make(TN_NOT_FOUND, "no %s is named \"%s\"; there are: %s", kind,
                                     name, tn_buf_cstr(&names));
    tn_buf_deinit(&names);
    return status;
}

tn_status tn_engine_find_input(const tn_engine *engine, const char *name, size_t *out_i) {
    const tn_program *program = &engine->file.program;
    return find_io(engine, "input", program->inputs, program->input_count, name, out_i);
}

tn_status tn_engine_find_output(const tn_engine *engine, const char *name, size_t *out_i) {
    const tn_program *program = &engine->file.program;
    return find_io(engine, "output", program->outputs, program->output_count, name, out_i);
}

const char *tn_engine_metadata(const tn_engine *engine) {
    return tn_program_str(&engine->file.program, engine->file.program.metadata).data;
}

void tn_io_print(tn_buf *buf, const tn_program *program, const tn_rec_io *io) {
    const tn_rec_tensor *tensor = &program->tensors[io->tensor];
    tn_buf_printf(buf, "%s: %s[", tn_program_str(program, io->name).data,
                  tn_dtype_name((tn_dtype)tensor->dtype));
    for (uint32_t d = 0; d < tensor->rank; d++) {
        const tn_rec_instr *instr = &program->instrs[tensor->dims[d]];
        const tn_rec_symbol *symbol = tn_program_symbol(program, tensor->dims[d]);
        if (d)
            tn_buf_printf(buf, ", ");
        if (instr->op == TN_SHAPE_CONST)
            tn_buf_printf(buf, "%lld", (long long)instr->value);
        else
            tn_buf_printf(buf, "%s", symbol ? tn_program_str(program, symbol->name).data : "?");
    }
    tn_buf_printf(buf, "]");
}
