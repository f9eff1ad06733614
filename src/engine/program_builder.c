/* program_builder.c: growing a program's arrays. The arrays of tn_program are const for their
 * readers; the builder owns the memory behind them and is the one place that casts that away. */
#include "engine/program_builder.h"

#include <string.h>

#include "kir/prim.h"

enum { WEIGHT_ALIGNMENT = 64 };

/* One slot of tn_pb.capacities per record array. */
enum {
#define X(id, field, type, count) SLOT_##field,
    TN_RECORD_SECTIONS(X)
#undef X
};

void tn_pb_init(tn_pb *pb, tn_arena *arena) {
    memset(pb, 0, sizeof *pb);
    pb->arena = arena;
    tn_buf_init(&pb->strings, arena->allocator);
    tn_map_init(&pb->string_offsets, arena->allocator);
    tn_map_init(&pb->sym_values, arena->allocator);
    tn_map_init(&pb->const_values, arena->allocator);
    pb->program.name = pb->program.options = pb->program.metadata = tn_pb_str(pb, TN_STR(""));
}

void tn_pb_deinit(tn_pb *pb) {
    tn_buf_deinit(&pb->strings);
    tn_map_deinit(&pb->string_offsets);
    tn_map_deinit(&pb->sym_values);
    tn_map_deinit(&pb->const_values);
    tn_status_free(pb->status);
    pb->status = NULL;
}

void tn_pb_fail(tn_pb *pb, tn_status status) {
    if (pb->status)
        tn_status_free(status);
    else
        pb->status = status;
}

tn_status tn_pb_finish(tn_pb *pb) {
    tn_pb_fail(pb, tn_buf_status(&pb->strings));
    pb->program.strings = tn_buf_cstr(&pb->strings);
    pb->program.string_bytes = pb->strings.len;
    tn_status status = pb->status;
    pb->status = NULL;
    return status;
}

/* Appends one record to an array; the index is 0 after a failure. */
static uint32_t append(tn_pb *pb, const void *array_field, size_t slot, uint32_t *count,
                       const void *record, size_t record_bytes) {
    if (pb->status)
        return 0;
    void *array = NULL;
    memcpy(&array, array_field, sizeof array);
    array = tn_arena_grow(pb->arena, array, *count, &pb->capacities[slot], record_bytes);
    if (!array) {
        tn_pb_fail(pb, tn_error_out_of_memory());
        return 0;
    }
    memcpy((char *)array + *count * record_bytes, record, record_bytes);
    memcpy((void *)(uintptr_t)array_field, &array, sizeof array);
    return (*count)++;
}

#define APPEND(pb, field, count_field, record)                                                     \
    append(pb, &(pb)->program.field, SLOT_##field, &(pb)->program.count_field, record,             \
           sizeof *(record))

tn_rec_str tn_pb_str(tn_pb *pb, tn_str text) {
    uintptr_t known = (uintptr_t)tn_map_get(&pb->string_offsets, text);
    if (known)
        return (tn_rec_str){(uint32_t)(known - 1), (uint32_t)text.len};
    if (pb->strings.len + text.len >= UINT32_MAX) {
        tn_pb_fail(pb, tn_error_make(TN_OUT_OF_RANGE, "the engine's texts exceed 4 GiB"));
        return (tn_rec_str){0, 0};
    }
    tn_rec_str result = {(uint32_t)pb->strings.len, (uint32_t)text.len};
    tn_str key = tn_arena_str(pb->arena, text);
    if (!key.data)
        tn_pb_fail(pb, tn_error_out_of_memory());
    else
        tn_pb_fail(pb,
                   tn_map_set(&pb->string_offsets, key, (void *)(uintptr_t)(result.offset + 1)));
    tn_buf_str_append(&pb->strings, text);
    tn_buf_append(&pb->strings, "", 1);
    return result;
}

/* ---- shape program --------------------------------------------------------------------------- */

static uint32_t add_instr(tn_pb *pb, const tn_rec_instr *instr) {
    return APPEND(pb, instrs, instr_count, instr);
}

uint32_t tn_pb_const(tn_pb *pb, int64_t value) {
    uintptr_t known = (uintptr_t)tn_map_get_u64(&pb->const_values, (uint64_t)value);
    if (known)
        return (uint32_t)(known - 1);
    uint32_t index = add_instr(pb, &(tn_rec_instr){.op = TN_SHAPE_CONST, .value = value});
    tn_pb_fail(pb,
               tn_map_set_u64(&pb->const_values, (uint64_t)value, (void *)(uintptr_t)(index + 1)));
    return index;
}

static tn_shape_op shape_op(tn_sym_kind kind) {
    switch (kind) {
    case TN_SYM_ADD:
        return TN_SHAPE_ADD;
    case TN_SYM_MUL:
        return TN_SHAPE_MUL;
    case TN_SYM_FLOORDIV:
        return TN_SHAPE_FLOORDIV;
    case TN_SYM_MOD:
        return TN_SHAPE_MOD;
    case TN_SYM_MIN:
        return TN_SHAPE_MIN;
    case TN_SYM_MAX:
        return TN_SHAPE_MAX;
    case TN_SYM_EQ:
        return TN_SHAPE_EQ;
    case TN_SYM_LE:
        return TN_SHAPE_LE;
    case TN_SYM_SELECT:
        return TN_SHAPE_SELECT;
    case TN_SYM_CONST:
    case TN_SYM_VAR:
        break;
    }
    return TN_SHAPE_CONST;
}

uint32_t tn_pb_sym(tn_pb *pb, const tn_sym *expr) {
    if (!expr)
        tn_pb_fail(pb, tn_error_out_of_memory());
    if (pb->status)
        return 0;
    if (expr->kind == TN_SYM_CONST)
        return tn_pb_const(pb, expr->value);
    uint64_t key = (uint64_t)(uintptr_t)expr;
    uintptr_t known = (uintptr_t)tn_map_get_u64(&pb->sym_values, key);
    if (known)
        return (uint32_t)(known - 1);
    if (expr->kind == TN_SYM_VAR) {
        tn_pb_fail(
            pb, tn_error_make(TN_UNSUPPORTED,
                              "symbolic size %.*s is the size of no input's dimension, nor of a "
                              "call's result; other sizes that depend on data cannot be compiled",
                              TN_STR_ARG(expr->name)));
        return 0;
    }
    tn_rec_instr instr = {.op = shape_op(expr->kind)};
    instr.a = tn_pb_sym(pb, expr->args[0]);
    instr.b = tn_pb_sym(pb, expr->args[1]);
    uint32_t index;
    if (expr->kind == TN_SYM_SELECT) {
        instr.c = tn_pb_sym(pb, expr->args[2]);
        index = add_instr(pb, &instr);
    } else {
        index = add_instr(pb, &instr);
        for (uint32_t i = 2; i < expr->arg_count; i++) {
            instr.b = tn_pb_sym(pb, expr->args[i]);
            instr.a = index;
            index = add_instr(pb, &instr);
        }
    }
    tn_pb_fail(pb, tn_map_set_u64(&pb->sym_values, key, (void *)(uintptr_t)(index + 1)));
    return index;
}

static void bind(tn_pb *pb, const tn_sym *symbol, const tn_rec_instr *instr) {
    uint64_t key = (uint64_t)(uintptr_t)symbol;
    if (pb->status || tn_map_get_u64(&pb->sym_values, key))
        return;
    uint32_t value = add_instr(pb, instr);
    tn_pb_fail(pb, tn_map_set_u64(&pb->sym_values, key, (void *)(uintptr_t)(value + 1)));
    tn_rec_symbol record = {.name = tn_pb_str(pb, symbol->name),
                            .value = value,
                            .min = symbol->min,
                            .max = symbol->max};
    APPEND(pb, symbols, symbol_count, &record);
}

void tn_pb_bind_input(tn_pb *pb, const tn_sym *symbol, uint32_t input, uint32_t dim) {
    bind(pb, symbol, &(tn_rec_instr){.op = TN_SHAPE_INPUT, .a = input, .b = dim});
}

void tn_pb_bind_result(tn_pb *pb, const tn_sym *symbol, uint32_t call, uint32_t result,
                       uint32_t dim) {
    bind(pb, symbol, &(tn_rec_instr){.op = TN_SHAPE_RESULT, .a = call, .b = result, .c = dim});
}

void tn_pb_bind_item(tn_pb *pb, const tn_sym *symbol, uint32_t call, uint32_t result) {
    bind(pb, symbol, &(tn_rec_instr){.op = TN_SHAPE_ITEM, .a = call, .b = result});
}

/* ---- records --------------------------------------------------------------------------------- */

uint32_t tn_pb_buffer(tn_pb *pb, const tn_rec_buffer *buffer) {
    return APPEND(pb, buffers, buffer_count, buffer);
}
uint32_t tn_pb_tensor(tn_pb *pb, const tn_rec_tensor *tensor) {
    return APPEND(pb, tensors, tensor_count, tensor);
}
uint32_t tn_pb_input(tn_pb *pb, const tn_rec_io *io) {
    return APPEND(pb, inputs, input_count, io);
}
uint32_t tn_pb_output(tn_pb *pb, const tn_rec_io *io) {
    return APPEND(pb, outputs, output_count, io);
}
uint32_t tn_pb_state(tn_pb *pb, const tn_rec_state *state) {
    return APPEND(pb, states, state_count, state);
}
uint32_t tn_pb_arg(tn_pb *pb, const tn_rec_arg *arg) {
    return APPEND(pb, args, arg_count, arg);
}
uint32_t tn_pb_step(tn_pb *pb, const tn_rec_step *step) {
    return APPEND(pb, steps, step_count, step);
}
uint32_t tn_pb_kernel(tn_pb *pb, const tn_rec_kernel *kernel) {
    return APPEND(pb, kernels, kernel_count, kernel);
}
uint32_t tn_pb_blob(tn_pb *pb, const tn_rec_blob *blob) {
    return APPEND(pb, blobs, blob_count, blob);
}

tn_rec_range tn_pb_sources(tn_pb *pb, const tn_locs *locs) {
    tn_rec_range range = {pb->program.source_count, locs->count};
    for (uint32_t i = 0; i < locs->count; i++) {
        const tn_loc *loc = locs->items[i];
        tn_rec_source source = {.node = tn_pb_str(pb, loc->node),
                                .op = tn_pb_str(pb, loc->op),
                                .module = tn_pb_str(pb, loc->module),
                                .source = tn_pb_str(pb, loc->source)};
        APPEND(pb, sources, source_count, &source);
    }
    return range;
}

tn_rec_range tn_pb_indices(tn_pb *pb, const uint32_t *indices, uint32_t count) {
    tn_rec_range range = {pb->program.index_count, count};
    for (uint32_t i = 0; i < count; i++)
        APPEND(pb, indices, index_count, &indices[i]);
    return range;
}

tn_rec_range tn_pb_floats(tn_pb *pb, const double *floats, uint32_t count) {
    tn_rec_range range = {pb->program.float_count, count};
    for (uint32_t i = 0; i < count; i++)
        APPEND(pb, floats, float_count, &floats[i]);
    return range;
}

/* Making a value may append to other arrays, but never to the index list. */
static tn_rec_range value_list(tn_pb *pb, const tn_arg *ints) {
    tn_rec_range range = {pb->program.index_count, ints->count};
    for (uint32_t i = 0; i < ints->count; i++) {
        uint32_t value = tn_pb_sym(pb, ints->ints[i]);
        tn_pb_indices(pb, &value, 1);
    }
    return range;
}

static tn_rec_arg arg_record(tn_pb *pb, const tn_arg *arg) {
    tn_rec_arg record = {.kind = (uint32_t)arg->kind};
    record.text = tn_pb_str(pb, arg->kind == TN_ARG_STR ? arg->s : TN_STR(""));
    switch (arg->kind) {
    case TN_ARG_NONE:
        break;
    case TN_ARG_VALUES:
        record.count = arg->count;
        record.operand = arg->operand;
        break;
    case TN_ARG_VALUE:
        record.operand = arg->operand;
        break;
    case TN_ARG_INT:
        record.operand = tn_pb_sym(pb, arg->i);
        break;
    case TN_ARG_INTS:
        record.list = value_list(pb, arg);
        break;
    case TN_ARG_FLOAT:
        record.f = arg->f;
        break;
    case TN_ARG_FLOATS:
        record.list = tn_pb_floats(pb, arg->floats, arg->count);
        break;
    case TN_ARG_BOOL:
        record.i = arg->b;
        break;
    case TN_ARG_STR:
        break;
    case TN_ARG_DTYPE:
        record.i = (int64_t)arg->dtype;
        break;
    case TN_ARG_BOOLS:
    case TN_ARG_STRS:
    case TN_ARG_GRAPH:
        tn_pb_fail(pb, tn_error_make(TN_INTERNAL, "a primitive has an argument of kind %d",
                                     (int)arg->kind));
        break;
    }
    return record;
}

uint32_t tn_pb_call(tn_pb *pb, const tn_node *node) {
    uint32_t number = 0; /* as sizes are bound to it */
    for (const tn_node *at = node->prev; at; at = at->prev)
        number += tn_node_prim(at) == TN_PRIM_CALL;
    if (number != pb->program.call_count)
        tn_pb_fail(pb, tn_error_make(TN_INTERNAL, "call %u of the graph is made as number %u",
                                     number, pb->program.call_count));
    tn_rec_call call = {.op = tn_pb_str(pb, node->args[TN_CALL_OP].s),
                        .arguments = tn_pb_str(pb, node->args[TN_CALL_ARGUMENTS].s),
                        .ints = value_list(pb, &node->args[TN_CALL_INTS]),
                        .step = pb->program.step_count};
    return APPEND(pb, calls, call_count, &call);
}

tn_rec_range tn_pb_node_args(tn_pb *pb, const tn_node *node) {
    tn_rec_range range = {pb->program.arg_count, node->op->schema->param_count};
    for (uint32_t i = 0; i < range.count; i++) {
        tn_rec_arg record = arg_record(pb, &node->args[i]);
        tn_pb_arg(pb, &record);
    }
    return range;
}

uint32_t tn_pb_weight(tn_pb *pb, const void *data, size_t bytes) {
    if (pb->status)
        return 0;
    uint64_t offset =
        (pb->program.weight_bytes + WEIGHT_ALIGNMENT - 1) / WEIGHT_ALIGNMENT * WEIGHT_ALIGNMENT;
    tn_weight_part *parts =
        tn_arena_grow(pb->arena, pb->parts, pb->part_count, &pb->part_capacity, sizeof *parts);
    if (!parts) {
        tn_pb_fail(pb, tn_error_out_of_memory());
        return 0;
    }
    pb->parts = parts;
    parts[pb->part_count++] = (tn_weight_part){offset, bytes, data};
    pb->program.weight_bytes = offset + bytes;
    return tn_pb_buffer(pb, &(tn_rec_buffer){.kind = TN_BUFFER_WEIGHT,
                                             .bytes = tn_pb_const(pb, (int64_t)bytes),
                                             .weight_offset = offset});
}

tn_rec_buffer *tn_pb_buffer_at(tn_pb *pb, uint32_t buffer) {
    return (tn_rec_buffer *)(uintptr_t)&pb->program.buffers[buffer];
}
