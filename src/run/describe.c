/* describe.c: what is in an engine, as JSON (docs/inspect.md): everything that its records say,
 * with sizes computed for one set of input shapes. Needs no session, so that an engine for another
 * machine can be described too. */
#include <string.h>

#include "backend/cpu/exec/cpu_features.h"
#include "base/arena.h"
#include "base/json_write.h"
#include "run/context.h"

typedef struct describer {
    const tn_engine *engine;
    const tn_program *program;
    tn_arena arena;
    int64_t (*given_dims)[TN_MAX_RANK]; /* -1: not in dims_text */
    int64_t (*input_dims)[TN_MAX_RANK]; /* as far as the shape program reads them */
    int64_t *values;                    /* of the shape program */
    size_t *buffer_bytes, *arena_offsets;
    size_t arena_bytes, live_bytes;
    tn_buf buf;
    tn_json_writer json;
} describer;

/* ---- input shapes ---------------------------------------------------------------------------- */

/* The input dimension that a value is, or NULL. */
static int64_t *input_dim(describer *d, uint32_t value) {
    const tn_rec_instr *instr = &d->program->instrs[value];
    return instr->op == TN_SHAPE_INPUT ? &d->input_dims[instr->a][instr->b] : NULL;
}

/* "1x128", "" for rank 0. */
static tn_status set_shape(describer *d, uint32_t input, tn_str text) {
    const tn_program *p = d->program;
    const tn_rec_tensor *tensor = &p->tensors[p->inputs[input].tensor];
    const char *name = tn_program_str(p, p->inputs[input].name).data;
    tn_str rest = text;
    uint32_t rank = 0;
    while (rest.len > 0) {
        tn_str word;
        int64_t size = 0;
        rest = tn_str_split(rest, 'x', &word);
        if (!tn_str_to_i64(word, &size) || size < 0)
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "shape of input %s: \"%.*s\", expected sizes such as 1x128", name,
                                 TN_STR_ARG(text));
        if (rank < tensor->rank) {
            int64_t *dim = input_dim(d, tensor->dims[rank]);
            if (dim)
                *dim = size;
            d->given_dims[input][rank] = size;
        }
        rank++;
    }
    if (rank == tensor->rank)
        return NULL;
    return tn_error_make(TN_INVALID_ARGUMENT,
                         "shape of input %s: \"%.*s\" has rank %u, expected %u", name,
                         TN_STR_ARG(text), rank, tensor->rank);
}

/* "x=1x128;y=2x3" */
static tn_status set_shapes(describer *d, tn_str text) {
    while (text.len > 0) {
        tn_str item, name;
        text = tn_str_split(text, ';', &item);
        tn_str shape = tn_str_split(item, '=', &name);
        uint32_t i = 0;
        const tn_program *p = d->program;
        while (i < p->input_count && !tn_str_equal(tn_program_str(p, p->inputs[i].name), name))
            i++;
        if (i == p->input_count)
            return tn_error_make(TN_NOT_FOUND, "shape \"%.*s\": no input has that name",
                                 TN_STR_ARG(item));
        TN_TRY(set_shape(d, i, shape));
    }
    return NULL;
}

/* Symbols that no shape has set take their minimum, then everything follows from them. */
static tn_status resolve_sizes(describer *d, const char *dims_text) {
    const tn_program *p = d->program;
    TN_ARENA_TRY(&d->arena, d->given_dims, p->input_count + 1);
    TN_ARENA_TRY(&d->arena, d->input_dims, p->input_count + 1);
    TN_ARENA_TRY(&d->arena, d->values, p->instr_count + 1);
    TN_ARENA_TRY(&d->arena, d->buffer_bytes, p->buffer_count + 1);
    TN_ARENA_TRY(&d->arena, d->arena_offsets, p->buffer_count + 1);
    for (uint32_t i = 0; i < p->input_count; i++)
        for (uint32_t k = 0; k < TN_MAX_RANK; k++)
            d->given_dims[i][k] = d->input_dims[i][k] = -1;
    TN_TRY(set_shapes(d, tn_str_of(dims_text ? dims_text : "")));
    for (uint32_t i = 0; i < p->symbol_count; i++) {
        int64_t *dim = input_dim(d, p->symbols[i].value);
        if (dim && *dim < 0)
            *dim = p->symbols[i].min;
        if (dim && (*dim < p->symbols[i].min || *dim > p->symbols[i].max))
            return tn_error_make(TN_OUT_OF_RANGE, "size %s is %lld, expected %lld to %lld",
                                 tn_program_str(p, p->symbols[i].name).data, (long long)*dim,
                                 (long long)p->symbols[i].min, (long long)p->symbols[i].max);
    }
    for (uint32_t i = 0; i < p->symbol_count; i++)
        if (tn_instr_is_of_call(&p->instrs[p->symbols[i].value]))
            d->values[p->symbols[i].value] = p->symbols[i].min > 0 ? p->symbols[i].min : 0;
    TN_TRY(tn_program_eval(p, (const int64_t(*)[TN_MAX_RANK])d->input_dims, NULL, 0, d->values));
    for (uint32_t i = 0; i < p->input_count; i++) {
        const tn_rec_tensor *tensor = &p->tensors[p->inputs[i].tensor];
        for (uint32_t k = 0; k < tensor->rank; k++)
            if (d->given_dims[i][k] >= 0 && d->given_dims[i][k] != d->values[tensor->dims[k]])
                return tn_error_make(
                    TN_INVALID_ARGUMENT, "shape of input %s: dimension %u is %lld, expected %lld",
                    tn_program_str(p, p->inputs[i].name).data, k, (long long)d->given_dims[i][k],
                    (long long)d->values[tensor->dims[k]]);
    }
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        int64_t bytes = d->values[p->buffers[i].bytes];
        if (bytes < 0)
            return tn_error_make(TN_OUT_OF_RANGE, "buffer %u has %lld bytes for these shapes", i,
                                 (long long)bytes);
        d->buffer_bytes[i] = (size_t)bytes;
    }
    return tn_arena_plan(&d->engine->env->allocator, p, d->buffer_bytes, NULL, 0, d->arena_offsets,
                         &d->arena_bytes, &d->live_bytes);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void write_rec_str(describer *d, const char *key, tn_rec_str text) {
    tn_json_write_str(&d->json, key, tn_program_str(d->program, text));
}

/* dims: a number, or what the size is called: a symbol's name, "?" for an expression. */
static void write_type(describer *d, const tn_rec_tensor *tensor) {
    tn_json_writer *w = &d->json;
    tn_json_write_str(w, "dtype", tn_str_of(tn_dtype_name((tn_dtype)tensor->dtype)));
    tn_json_begin_list(w, "shape");
    for (uint32_t k = 0; k < tensor->rank; k++) {
        const tn_rec_symbol *symbol = tn_program_symbol(d->program, tensor->dims[k]);
        if (d->program->instrs[tensor->dims[k]].op == TN_SHAPE_CONST)
            tn_json_write_i64(w, NULL, d->values[tensor->dims[k]]);
        else if (symbol)
            write_rec_str(d, NULL, symbol->name);
        else
            tn_json_write_str(w, NULL, TN_STR("?"));
    }
    tn_json_end_list(w);
    tn_json_begin_list(w, "sizes");
    for (uint32_t k = 0; k < tensor->rank; k++)
        tn_json_write_i64(w, NULL, d->values[tensor->dims[k]]);
    tn_json_end_list(w);
    tn_json_write_u64(w, "bytes", d->buffer_bytes[tensor->buffer]);
}

static void write_ios(describer *d, const char *key, const tn_rec_io *ios, uint32_t count) {
    tn_json_begin_list(&d->json, key);
    for (uint32_t i = 0; i < count; i++) {
        tn_json_begin_object(&d->json, NULL);
        write_rec_str(d, "name", ios[i].name);
        write_type(d, &d->program->tensors[ios[i].tensor]);
        if (ios[i].mutates_input < d->program->input_count)
            write_rec_str(d, "mutates", d->program->inputs[ios[i].mutates_input].name);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static void write_symbols(describer *d) {
    tn_json_begin_list(&d->json, "symbols");
    for (uint32_t i = 0; i < d->program->symbol_count; i++) {
        const tn_rec_symbol *symbol = &d->program->symbols[i];
        tn_json_begin_object(&d->json, NULL);
        write_rec_str(d, "name", symbol->name);
        tn_json_write_i64(&d->json, "min", symbol->min);
        if (symbol->max == INT64_MAX)
            tn_json_write_null(&d->json, "max");
        else
            tn_json_write_i64(&d->json, "max", symbol->max);
        tn_json_write_i64(&d->json, "value", d->values[symbol->value]);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static void write_states(describer *d) {
    tn_json_begin_list(&d->json, "states");
    for (uint32_t i = 0; i < d->program->state_count; i++) {
        const tn_rec_state *state = &d->program->states[i];
        tn_json_begin_object(&d->json, NULL);
        write_rec_str(d, "name", state->name);
        write_type(d, &d->program->tensors[state->tensor]);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static void write_code(describer *d) {
    tn_json_begin_list(&d->json, "code");
    for (uint32_t i = 0; i < d->program->blob_count; i++) {
        const tn_rec_blob *blob = &d->program->blobs[i];
        tn_buf features;
        tn_buf_init(&features, d->buf.allocator);
        tn_cpu_features_print(&features, blob->features);
        tn_json_begin_object(&d->json, NULL);
        write_rec_str(d, "target", blob->target);
        write_rec_str(d, "compiler", blob->compiler);
        tn_json_write_str(&d->json, "features", tn_buf_view(&features));
        tn_json_write_u64(&d->json, "bytes", blob->bytes);
        tn_json_end_object(&d->json);
        tn_buf_deinit(&features);
    }
    tn_json_end_list(&d->json);
}

static void write_sources(describer *d, tn_rec_range sources) {
    tn_json_begin_list(&d->json, "nodes");
    for (uint32_t i = 0; i < sources.count; i++) {
        const tn_rec_source *source = &d->program->sources[sources.first + i];
        tn_json_begin_object(&d->json, NULL);
        write_rec_str(d, "node", source->node);
        write_rec_str(d, "op", source->op);
        write_rec_str(d, "module", source->module);
        write_rec_str(d, "source", source->source);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

/* Whether a buffer takes the memory of the one that it may lie over. */
static bool is_over(const describer *d, uint32_t index) {
    const tn_rec_buffer *buffer = &d->program->buffers[index];
    return buffer->kind == TN_BUFFER_ARENA && buffer->over > 0 && d->buffer_bytes[index] > 0 &&
           d->arena_offsets[index] == d->arena_offsets[buffer->over - 1];
}

static bool has_result_in(const tn_program *p, const tn_rec_step *step, uint32_t buffer) {
    for (uint32_t i = 0; i < step->results.count; i++)
        if (p->tensors[p->indices[step->results.first + i]].buffer == buffer)
            return true;
    return false;
}

/* Whether a step writes a result over an operand. */
static bool is_in_place(const describer *d, uint32_t index) {
    const tn_program *p = d->program;
    const tn_rec_step *step = &p->steps[index];
    for (uint32_t i = 0; step->kind == TN_STEP_KERNEL && i < step->buffers.count; i++) {
        uint32_t buffer = p->indices[step->buffers.first + i];
        if (p->buffers[buffer].first_step == index && is_over(d, buffer))
            return true;
    }
    for (uint32_t i = 0; step->kind == TN_STEP_PRIM && i < step->operands.count; i++) {
        uint32_t operand = p->indices[step->operands.first + i];
        if (operand != TN_NO_INDEX && has_result_in(p, step, p->tensors[operand].buffer))
            return true;
    }
    return false;
}

static void write_steps(describer *d) {
    const tn_program *p = d->program;
    tn_json_begin_list(&d->json, "steps");
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        bool is_kernel = step->kind == TN_STEP_KERNEL, is_call = step->kind == TN_STEP_CALL;
        tn_json_begin_object(&d->json, NULL);
        tn_json_write_str(&d->json, "kind",
                          is_kernel ? TN_STR("kernel")
                          : is_call ? TN_STR("call")
                                    : TN_STR("primitive"));
        write_rec_str(d, "name",
                      is_kernel ? p->kernels[step->kernel].name
                      : is_call ? p->calls[step->kernel].op
                                : step->prim);
        if (is_call)
            write_rec_str(d, "arguments", p->calls[step->kernel].arguments);
        if (is_kernel) {
            write_rec_str(d, "summary", p->kernels[step->kernel].summary);
            tn_json_write_i64(&d->json, "tasks", d->values[step->task_count]);
            tn_json_write_i64(&d->json, "scratch_bytes", d->values[step->scratch_bytes]);
        }
        tn_json_write_bool(&d->json, "in_place", is_in_place(d, i));
        tn_json_write_i64(&d->json, "flops", d->values[step->flops]);
        tn_json_write_i64(&d->json, "bytes_read", d->values[step->bytes_read]);
        tn_json_write_i64(&d->json, "bytes_written", d->values[step->bytes_written]);
        write_sources(d, step->sources);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static void write_buffers(describer *d) {
    static const char *const kinds[TN_BUFFER_KIND_COUNT] = {
        [TN_BUFFER_ARENA] = "arena",   [TN_BUFFER_INPUT] = "input", [TN_BUFFER_OUTPUT] = "output",
        [TN_BUFFER_WEIGHT] = "weight", [TN_BUFFER_STATE] = "state", [TN_BUFFER_ERROR] = "error"};
    tn_json_begin_list(&d->json, "buffers");
    for (uint32_t i = 0; i < d->program->buffer_count; i++) {
        const tn_rec_buffer *buffer = &d->program->buffers[i];
        tn_json_begin_object(&d->json, NULL);
        tn_json_write_str(&d->json, "kind", tn_str_of(kinds[buffer->kind]));
        tn_json_write_u64(&d->json, "bytes", d->buffer_bytes[i]);
        if (buffer->kind == TN_BUFFER_ARENA) {
            tn_json_write_u64(&d->json, "first_step", buffer->first_step);
            tn_json_write_u64(&d->json, "last_step", buffer->last_step);
            tn_json_write_u64(&d->json, "offset", d->arena_offsets[i]);
            if (is_over(d, i))
                tn_json_write_u64(&d->json, "over", buffer->over - 1);
        } else if (buffer->kind == TN_BUFFER_WEIGHT) {
            tn_json_write_u64(&d->json, "offset", buffer->weight_offset);
        } else {
            tn_json_write_u64(&d->json, "index", buffer->index);
        }
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static void write_memory(describer *d) {
    size_t state_bytes = 0;
    for (uint32_t i = 0; i < d->program->state_count; i++)
        state_bytes += d->buffer_bytes[d->program->tensors[d->program->states[i].tensor].buffer];
    tn_json_begin_object(&d->json, "memory");
    tn_json_write_u64(&d->json, "arena_bytes", d->arena_bytes);
    tn_json_write_u64(&d->json, "live_bytes", d->live_bytes);
    tn_json_write_u64(&d->json, "weight_bytes", d->program->weight_bytes);
    tn_json_write_u64(&d->json, "state_bytes", state_bytes);
    tn_json_end_object(&d->json);
}

static void write_file(describer *d) {
    const tn_engine_file *file = &d->engine->file;
    tn_engine_file_info about = tn_engine_file_about(file);
    tn_json_write_str(&d->json, "tenon", tn_str_of(about.tenon_version));
    tn_json_begin_list(&d->json, "format");
    tn_json_write_u64(&d->json, NULL, about.format_major);
    tn_json_write_u64(&d->json, NULL, about.format_minor);
    tn_json_end_list(&d->json);
    tn_json_write_u64(&d->json, "file_bytes", file->byte_count);
    tn_json_begin_list(&d->json, "sections");
    for (uint32_t i = 0; i < about.section_count; i++) {
        tn_engine_section_info section = tn_engine_file_section(file, i);
        tn_json_begin_object(&d->json, NULL);
        tn_json_write_str(&d->json, "name", tn_str_of(section.name));
        tn_json_write_u64(&d->json, "offset", section.offset);
        tn_json_write_u64(&d->json, "bytes", section.bytes);
        tn_json_write_u64(&d->json, "record_bytes", section.record_bytes);
        tn_json_end_object(&d->json);
    }
    tn_json_end_list(&d->json);
}

static tn_status describe(describer *d, const char *dims_text) {
    const tn_program *p = d->program;
    TN_TRY(resolve_sizes(d, dims_text));
    tn_json_writer_init(&d->json, &d->buf);
    tn_json_begin_object(&d->json, NULL);
    write_rec_str(d, "name", p->name);
    write_rec_str(d, "options", p->options);
    write_code(d);
    write_symbols(d);
    write_ios(d, "inputs", p->inputs, p->input_count);
    write_ios(d, "outputs", p->outputs, p->output_count);
    write_states(d);
    write_steps(d);
    write_buffers(d);
    write_memory(d);
    write_file(d);
    tn_json_end_object(&d->json);
    return tn_buf_status(&d->buf);
}

tn_status tn_engine_describe(const tn_engine *engine, const char *dims_text, char **out_json) {
    *out_json = NULL;
    if (!engine)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_engine_describe: engine is NULL");
    describer d = {.engine = engine, .program = &engine->file.program};
    tn_arena_init(&d.arena, engine->env->allocator);
    tn_buf_init(&d.buf, engine->env->allocator);
    tn_status status = describe(&d, dims_text);
    if (!status)
        status = tn_alloc(&engine->env->allocator, d.buf.len + 1, out_json);
    if (!status)
        memcpy(*out_json, d.buf.data, d.buf.len);
    tn_buf_deinit(&d.buf);
    tn_arena_deinit(&d.arena);
    return status;
}

void tn_text_free(const tn_engine *engine, char *text) {
    /* The text has no zero byte: JSON escapes it. */
    if (text)
        tn_alloc_free(&engine->env->allocator, text, strlen(text) + 1);
}
