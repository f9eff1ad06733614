/* test_engine_file.c: engine files that are cut, damaged, or written by a neighbouring version. A
 * damaged file gives an error or runs; it never crashes (sanitizers watch). Records are damaged
 * with checksums made right again, so that it is the verification of records that is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_graphs.h"
#include "engine_make.h"

static const char *const graphs[] = {ENGINE_GRAPH_ALL, ENGINE_GRAPH_WINDOW, ENGINE_GRAPH_CALLS,
                                     ENGINE_GRAPH_SIZES};
enum { GRAPH_COUNT = sizeof graphs / sizeof *graphs };

static void expect(tn_status status, tn_code code, const char *part) {
    if (tn_status_code(status) != code || !strstr(tn_status_message(status), part))
        print_error("%s \"%s\", wanted %s with \"%s\"\n", tn_code_name(tn_status_code(status)),
                    tn_status_message(status), tn_code_name(code), part);
    assert_int_equal(tn_status_code(status), code);
    assert_non_null(strstr(tn_status_message(status), part));
    tn_status_free(status);
}

static tn_code try_code(engine_bytes bytes) {
    tn_status status = engine_try(bytes);
    tn_code code = tn_status_code(status);
    tn_status_free(status);
    return code;
}

static void whole_engines_run(void **state) {
    (void)state;
    for (int g = 0; g < GRAPH_COUNT; g++) {
        engine_bytes bytes = engine_bytes_make(graphs[g], NULL);
        tn_status status = engine_try(bytes);
        if (status)
            print_error("%s\n", tn_status_message(status));
        assert_null(status);
        engine_reseal(bytes);
        assert_int_equal(try_code(bytes), TN_OK);
        engine_bytes_free(&bytes);
    }
}

/* Every length, in memory of exactly that length. The two last sections are padding and weights,
 * and even there the length in the header tells. */
static void cut_at_every_byte(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(graphs[0], NULL);
    for (size_t count = 0; count < whole.count; count++) {
        engine_bytes cut = {.data = whole.data, .count = count};
        engine_bytes exact = engine_bytes_copy(cut);
        assert_int_equal(try_code(exact), TN_CORRUPT);
        engine_bytes_free(&exact);
    }
    engine_bytes_free(&whole);
}

/* Without new checksums every change of a section is noticed; weights are checked when asked. */
static void checksums_notice(void **state) {
    (void)state;
    engine_bytes bytes = engine_bytes_make(graphs[0], NULL);
    tn_env *env = NULL;
    tn_engine *engine = NULL;
    tn_engine_options options = {
        .size = sizeof options, .allow_native_code = true, .verify_weights = true};
    assert_null(tn_env_create(NULL, &env));
    for (uint32_t id = 1; id <= TN_SECTION_TEXTS; id++) {
        const tn_file_section *section = engine_section(bytes, id);
        for (uint64_t at = 0; section && at < section->bytes; at += 1 + section->bytes / 16) {
            bytes.data[section->offset + at] ^= 1;
            expect(tn_engine_load_memory(env, bytes.data, bytes.count, &options, &engine),
                   TN_CORRUPT, "checksum is wrong");
            bytes.data[section->offset + at] ^= 1;
        }
    }
    assert_null(tn_engine_load_memory(env, bytes.data, bytes.count, &options, &engine));
    tn_engine_release(engine);
    tn_env_destroy(env);
    engine_bytes_free(&bytes);
}

/* One changed byte at a time in every section of records and texts: to its neighbours by one bit,
 * to zero and to all ones. Both outcomes must occur, or nothing was tried. */
static void every_byte_of_records(void **state) {
    (void)state;
    size_t refused = 0, ran = 0;
    for (int g = 0; g < GRAPH_COUNT; g++) {
        engine_bytes whole = engine_bytes_make(graphs[g], NULL);
        for (uint32_t id = 1; id <= TN_SECTION_TEXTS; id++) {
            const tn_file_section *entry = engine_section(whole, id);
            if (!entry || id == 33 || id == 34) /* code, weights: any content is valid */
                continue;
            tn_file_section section = *entry;
            for (uint64_t at = section.offset; at < section.offset + section.bytes; at++) {
                const uint8_t old = whole.data[at];
                const uint8_t values[] = {(uint8_t)(old ^ 1u << at % 8), (uint8_t)(old + 1), 0xff};
                for (size_t v = 0; v < sizeof values; v++) {
                    whole.data[at] = values[v];
                    engine_reseal(whole);
                    if (try_code(whole) == TN_OK)
                        ran++;
                    else
                        refused++;
                }
                whole.data[at] = old;
            }
        }
        engine_reseal(whole);
        assert_int_equal(try_code(whole), TN_OK);
        engine_bytes_free(&whole);
    }
    assert_true(refused > 1000 && ran > 1000);
}

/* The header and the table, whose damage no checksum of a section covers. */
static void every_byte_of_the_header(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(graphs[0], NULL);
    const tn_file_header *header = (const tn_file_header *)(const void *)whole.data;
    size_t end = sizeof *header + header->section_count * sizeof(tn_file_section);
    for (size_t at = 0; at < end; at++) {
        for (int bit = 0; bit < 8; bit++) {
            engine_bytes damaged = engine_bytes_copy(whole);
            damaged.data[at] ^= (uint8_t)(1 << bit);
            (void)try_code(damaged);
            engine_reseal(damaged);
            (void)try_code(damaged);
            engine_bytes_free(&damaged);
        }
    }
    whole.data[0] = 'X';
    expect(engine_try(whole), TN_CORRUPT, "not an engine file");
    engine_bytes_free(&whole);
}

/* ---- neighbouring versions ---------------------------------------------------------------------
 */

/* The same engine with records that are `extra` bytes longer (or shorter) in each section of
 * records, as another minor version would write them. */
static engine_bytes with_record_size(engine_bytes whole, int extra) {
    size_t room = whole.count * 3 + 65536;
    engine_bytes out = {.data = aligned_alloc(64, (room + 63) / 64 * 64), .count = 0};
    assert_non_null(out.data);
    memset(out.data, 0xa5, room); /* what the new fields hold must not matter */
    memcpy(out.data, whole.data, sizeof(tn_file_header));
    tn_file_header *header = (tn_file_header *)(void *)out.data;
    const tn_file_section *from =
        (const tn_file_section *)(const void *)(whole.data + sizeof *header);
    tn_file_section *to = (tn_file_section *)(void *)(out.data + sizeof *header);
    size_t position = (sizeof *header + TN_FILE_SECTIONS_MAX * sizeof *to + 63) / 64 * 64;
    for (uint32_t i = 0; i < header->section_count; i++) {
        to[i] = from[i];
        bool is_records = from[i].record_bytes > 8; /* lists of numbers have no fields to add */
        uint32_t record = from[i].record_bytes;
        to[i].record_bytes = is_records ? (uint32_t)((int)record + extra) : record;
        size_t count = (size_t)(from[i].bytes / record);
        uint32_t shared = record < to[i].record_bytes ? record : to[i].record_bytes;
        to[i].bytes = count * to[i].record_bytes;
        to[i].offset = position;
        for (size_t r = 0; r < count; r++)
            memcpy(out.data + position + r * to[i].record_bytes,
                   whole.data + from[i].offset + r * record, shared);
        position = (size_t)((position + to[i].bytes + 63) / 64 * 64);
    }
    out.count = position;
    return out;
}

static void neighbouring_versions(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(graphs[0], NULL);
    engine_bytes later = with_record_size(whole, 8);
    tn_file_header *header = (tn_file_header *)(void *)later.data;
    header->format_minor = TN_ENGINE_FORMAT_MINOR + 1;
    /* A section that this version does not know is passed over. */
    tn_file_section *table = (tn_file_section *)(void *)(later.data + sizeof *header);
    table[header->section_count] =
        (tn_file_section){.id = 1000, .record_bytes = 1, .offset = table[0].offset, .bytes = 1};
    header->section_count++;
    engine_reseal(later);
    tn_status status = engine_try(later);
    if (status)
        print_error("%s\n", tn_status_message(status));
    assert_null(status);

    header->format_minor = TN_ENGINE_FORMAT_MINOR + 2;
    expect(engine_try(later), TN_UNSUPPORTED, "engine file has format 1.2");
    header->format_minor = TN_ENGINE_FORMAT_MINOR;
    header->format_major = TN_ENGINE_FORMAT_MAJOR + 1;
    expect(engine_try(later), TN_UNSUPPORTED, "compile the model again");
    engine_bytes_free(&later);

    /* Fields that an earlier version did not write read as zero, and are checked as such. */
    engine_bytes earlier = with_record_size(whole, -4);
    engine_reseal(earlier);
    tn_code code = try_code(earlier);
    assert_true(code == TN_OK || code == TN_CORRUPT || code == TN_INVALID_ARGUMENT ||
                code == TN_OUT_OF_RANGE);
    engine_bytes_free(&earlier);
    engine_bytes_free(&whole);
}

/* ---- hand-broken records -----------------------------------------------------------------------
 */

/* Record i of a section of an engine. */
static void *record_at(engine_bytes bytes, uint32_t id, size_t i) {
    const tn_file_section *section = engine_section(bytes, id);
    assert_non_null(section);
    assert_true((i + 1) * section->record_bytes <= section->bytes);
    return bytes.data + section->offset + i * section->record_bytes;
}

/* Applies one edit to a copy and expects the message. */
#define EXPECT_BROKEN(type, id, i, edit, code, message)                                            \
    do {                                                                                           \
        engine_bytes copy = engine_bytes_copy(whole);                                              \
        type *r = record_at(copy, id, i);                                                          \
        edit;                                                                                      \
        engine_reseal(copy);                                                                       \
        expect(engine_try(copy), code, message);                                                   \
        engine_bytes_free(&copy);                                                                  \
    } while (0)

static uint32_t first_arena_buffer(engine_bytes bytes) {
    for (uint32_t i = 0;; i++)
        if (((const tn_rec_buffer *)record_at(bytes, 3, i))->kind == TN_BUFFER_ARENA)
            return i;
}

static void broken_records(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(graphs[0], NULL);
    uint32_t arena = first_arena_buffer(whole);
    EXPECT_BROKEN(tn_rec_instr, 1, 0, r->op = 13, TN_CORRUPT, "shape instruction 0: operation");
    EXPECT_BROKEN(tn_rec_symbol, 2, 0, r->value = 1000000, TN_CORRUPT, "symbol 0: value");
    EXPECT_BROKEN(tn_rec_symbol, 2, 0, r->name.len = 7, TN_CORRUPT, "symbol 0: name");
    EXPECT_BROKEN(tn_rec_symbol, 2, 0, r->max = 1, TN_OUT_OF_RANGE, "expected 2 to 1");
    EXPECT_BROKEN(tn_rec_buffer, 3, 0, r->kind = 99, TN_CORRUPT, "buffer 0: kind is 99");
    EXPECT_BROKEN(tn_rec_buffer, 3, 0, r->index = 2, TN_CORRUPT, "buffer 0: input is 2");
    EXPECT_BROKEN(tn_rec_buffer, 3, arena, r->over = 1 + arena, TN_CORRUPT, ": operand is");
    EXPECT_BROKEN(tn_rec_buffer, 3, arena, r->over = 1, TN_CORRUPT, ": lies over buffer 0");
    EXPECT_BROKEN(tn_rec_tensor, 4, 0, r->rank = 9, TN_CORRUPT, "tensor 0: rank is 9");
    EXPECT_BROKEN(tn_rec_tensor, 4, 0, r->dtype = 77, TN_CORRUPT, "tensor 0: 77 is no dtype");
    EXPECT_BROKEN(tn_rec_tensor, 4, 0, r->strides[0] = r->strides[1], TN_CORRUPT,
                  "input x: its record is not that of a contiguous tensor");
    EXPECT_BROKEN(tn_rec_io, 5, 1, r->tensor = 0, TN_CORRUPT, "input 1: its tensor");
    EXPECT_BROKEN(tn_rec_state, 7, 1, r->initial_buffer = 0, TN_CORRUPT, "state 1: its first");
    EXPECT_BROKEN(tn_rec_step, 9, 0, r->kind = 3, TN_CORRUPT, "step 0: kind is 3");
    EXPECT_BROKEN(tn_rec_step, 9, 0, r->args.count = 1u << 31, TN_CORRUPT, "step 0: arguments");
    EXPECT_BROKEN(tn_rec_step, 9, 0, r->results = r->operands, TN_CORRUPT, "step 0:");
    EXPECT_BROKEN(tn_rec_step, 9, 1, r->args.count = 0, TN_INVALID_ARGUMENT, "k::softmax");
    EXPECT_BROKEN(tn_rec_step, 9, 3, r->operands.first--, TN_INVALID_ARGUMENT, "");
    engine_bytes_free(&whole);
}

static void broken_calls(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(ENGINE_GRAPH_CALLS, NULL);
    EXPECT_BROKEN(tn_rec_call, 15, 0, r->step = 0, TN_CORRUPT, "its call 0 is of step 0");
    EXPECT_BROKEN(tn_rec_call, 15, 1, r->step = 99, TN_CORRUPT, "its call 1 is of step 99");
    EXPECT_BROKEN(tn_rec_call, 15, 0, r->op.len++, TN_CORRUPT, "call 0: operator");
    EXPECT_BROKEN(tn_rec_call, 15, 0, r->arguments.offset = 1u << 30, TN_CORRUPT,
                  "call 0: arguments");
    EXPECT_BROKEN(tn_rec_call, 15, 0, r->ints.count = 1u << 30, TN_CORRUPT, "call 0: integers");
    EXPECT_BROKEN(tn_rec_step, 9, 2, r->kernel = 2, TN_CORRUPT, "step 2: call is 2");
    EXPECT_BROKEN(tn_rec_step, 9, 2, r->kernel = 1, TN_CORRUPT, "step 2: its call 1 is of step");
    EXPECT_BROKEN(tn_rec_step, 9, 2, r->kind = TN_STEP_PRIM, TN_CORRUPT, "call 0: step 2 is not");
    const tn_rec_step *call = record_at(whole, 9, 2);
    const uint32_t *result = record_at(whole, 13, call->results.first);
    EXPECT_BROKEN(tn_rec_tensor, 4, *result, r->strides[0] = r->strides[1], TN_CORRUPT,
                  "call 0: the record of result 0 is not that of a contiguous tensor");
    EXPECT_BROKEN(tn_rec_step, 9, 2, r->results.count = 1u << 30, TN_CORRUPT, "step 2: results");
    engine_bytes_free(&whole);
}

/* The first shape instruction of an operation. */
static size_t first_instr(engine_bytes bytes, tn_shape_op op) {
    size_t i = 0;
    while (((const tn_rec_instr *)record_at(bytes, 1, i))->op != op)
        i++;
    return i;
}

static void broken_sizes_of_calls(void **state) {
    (void)state;
    engine_bytes whole = engine_bytes_make(ENGINE_GRAPH_SIZES, NULL);
    size_t at = first_instr(whole, TN_SHAPE_RESULT), item = first_instr(whole, TN_SHAPE_ITEM);
    const tn_rec_io *output = record_at(whole, 6, 1); /* of the inputs' sizes alone */
    EXPECT_BROKEN(tn_rec_instr, 1, at, r->a = 3, TN_CORRUPT, "call is 3");
    EXPECT_BROKEN(tn_rec_instr, 1, at, r->b = 2, TN_CORRUPT, "result is 2");
    EXPECT_BROKEN(tn_rec_instr, 1, at, r->c = 2, TN_CORRUPT, "dimension is 2");
    EXPECT_BROKEN(tn_rec_instr, 1, at, r->a = 1, TN_CORRUPT, "sizes are known after 2 calls");
    EXPECT_BROKEN(tn_rec_instr, 1, at, r->op = TN_SHAPE_ITEM, TN_CORRUPT,
                  "result 0 of call 0 is no i64[]");
    EXPECT_BROKEN(tn_rec_instr, 1, item, r->b = 1, TN_CORRUPT, "result is 1");
    EXPECT_BROKEN(tn_rec_instr, 1, item, r->op = TN_SHAPE_RESULT, TN_CORRUPT, "dimension is 0");
    EXPECT_BROKEN(tn_rec_instr, 1, 0, (*r = (tn_rec_instr){.op = TN_SHAPE_RESULT}), TN_CORRUPT,
                  "input x: its shape depends on a call's result");
    EXPECT_BROKEN(tn_rec_tensor, 4, output->tensor, r->dims[0] = (uint32_t)at, TN_CORRUPT, "");
    engine_bytes_free(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_engines_run),        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(checksums_notice),         cmocka_unit_test(every_byte_of_records),
        cmocka_unit_test(every_byte_of_the_header), cmocka_unit_test(neighbouring_versions),
        cmocka_unit_test(broken_records),           cmocka_unit_test(broken_calls),
        cmocka_unit_test(broken_sizes_of_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
