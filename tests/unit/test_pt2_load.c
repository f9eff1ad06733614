/* test_pt2_load.c: .pt2 archives: a good one loads with its weights mapped; damaged, edited and
 * foreign ones are refused by name, and every allocation may fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive.h"
#include "front/front.h"
#include "ir/verify.h"
#include "ops/convert.h"

static tn_arena op_arena;
static tn_op_table ops;
static tn_mapping good; /* counter-train.pt2 */

static int set_up(void **state) {
    (void)state;
    char path[4096];
    const char *tests = getenv("TENON_TESTS");
    tn_arena_init(&op_arena, tn_allocator_system());
    tn_op_table_init(&ops, &op_arena);
    tn_status status = tn_op_list_fill(&ops);
    snprintf(path, sizeof path, "%s/data/counter-train.pt2", tests ? tests : "tests");
    if (!status)
        status = tn_mapping_open(path, &good);
    if (status)
        print_error("%s\n", tn_status_message(status));
    int result = status ? 1 : 0;
    tn_status_free(status);
    return result;
}

static int tear_down(void **state) {
    (void)state;
    tn_mapping_close(&good);
    tn_op_table_deinit(&ops);
    tn_arena_deinit(&op_arena);
    return 0;
}

/* Loads from memory and verifies what came of it. */
static tn_status load(const void *data, size_t bytes, tn_allocator allocator) {
    tn_env_options options = {.size = sizeof options, .allocator = allocator};
    tn_env *env = NULL;
    tn_arena arena;
    tn_model model;
    TN_TRY(tn_env_create(&options, &env));
    tn_arena_init(&arena, allocator);
    tn_status status =
        tn_front_load_memory(env, &arena, data, bytes, TN_STR("model.pt2"), &ops, &model);
    if (!status)
        status = tn_graph_verify(model.graph, NULL);
    tn_model_unload(&model);
    tn_arena_deinit(&arena);
    tn_env_destroy(env);
    return status;
}

static void weights_are_views_of_the_file(void **state) {
    (void)state;
    tn_env *env = NULL;
    tn_arena arena;
    tn_model model;
    tn_arena_init(&arena, tn_allocator_system());
    assert_null(tn_env_create(NULL, &env));
    assert_null(tn_front_load_memory(env, &arena, good.data, good.bytes, TN_STR("model.pt2"), &ops,
                                     &model));
    assert_int_equal(model.graph->input_count, 1);
    assert_int_equal(model.graph->const_count, 4);
    for (size_t i = 0; i < model.graph->const_count; i++) {
        const tn_const *data = model.graph->consts[i]->data;
        assert_true(data->data >= good.data && data->data < good.data + good.bytes);
        assert_int_equal((data->data - good.data) % 64, 0);
        assert_true(data->is_contiguous);
    }
    assert_true(tn_str_starts(model.producer, "PyTorch 2."));
    tn_model_unload(&model);
    tn_arena_deinit(&arena);
    tn_env_destroy(env);
}

static void refuses_edits(void **state) {
    (void)state;
    static const struct {
        tn_test_edit edit;
        tn_code code;
        const char *part;
    } cases[] = {
        {{"archive_version", NULL, "1"}, TN_UNSUPPORTED, "archive_version is '1', expected '0'"},
        {{"byteorder", NULL, "big"}, TN_UNSUPPORTED, "byteorder is 'big'"},
        {{"archive_format", NULL, NULL}, TN_UNSUPPORTED, "no file archive_format"},
        {{"byteorder", NULL, NULL}, TN_CORRUPT, "no file byteorder"},
        {{"models/model.json", NULL, NULL}, TN_CORRUPT, "no program"},
        {{"models/model.json", NULL, "[]"}, TN_CORRUPT, "found an array, expected an object"},
        {{"models/model.json", NULL, "{}"}, TN_CORRUPT, "schema_version"},
        {{"models/model.json", "\"major\": 8", "\"major\": 9"}, TN_UNSUPPORTED, "major version 9"},
        {{"model_weights_config.json", "weight_0", "weight_7"}, TN_CORRUPT, "weights/weight_7"},
        {{"model_weights_config.json", "\"use_pickle\": false", "\"use_pickle\": true"},
         TN_UNSUPPORTED,
         "pickle"},
        {{"model_weights_config.json", "\"sizes\": [{\"as_int\": 2}",
          "\"sizes\": [{\"as_int\": 9}"},
         TN_CORRUPT,
         "needs elements"},
        {{"model_weights_config.json", "\"as_int\": 2", "\"as_int\": 9223372036854775807"},
         TN_CORRUPT,
         "overflows"},
        {{"model_weights_config.json", "\"as_int\": 2", "\"as_int\": -2"}, TN_CORRUPT, "a size of"},
        {{"model_weights_config.json", "\"storage_offset\": {\"as_int\": 0}",
          "\"storage_offset\": {\"as_int\": -1}"},
         TN_CORRUPT,
         "needs elements -1"},
        {{"model_weights_config.json", "\"layout\": 7", "\"layout\": 1"},
         TN_UNSUPPORTED,
         "layout 1"},
        {{"model_weights_config.json", "\"dtype\": 7", "\"dtype\": 10"},
         TN_UNSUPPORTED,
         "complex64"},
        {{"model_weights_config.json", "\"dtype\": 7", "\"dtype\": 99"}, TN_CORRUPT, "99"},
        {{"model_weights_config.json", "\"fc.weight\"", "\"fc.weigth\""},
         TN_CORRUPT,
         "'fc.weight'"},
        {{"models/model.json", "\"name\": \"input\", \"arg\": {\"as_tensor\": {\"name\": \"x\"",
          "\"name\": \"input\", \"arg\": {\"as_tensor\": {\"name\": \"q\""},
         TN_CORRUPT,
         "'q'"},
        {{"models/model.json", "\"range_constraints\": {\"s77\": {\"min_val\": 1",
          "\"range_constraints\": {\"s77\": {\"min_val\": 99"},
         TN_OUT_OF_RANGE,
         "s77"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tn_test_edit edits[] = {cases[i].edit, {NULL, NULL, NULL}};
        tn_buf edited;
        tn_buf_init(&edited, tn_allocator_system());
        if (!tn_test_archive_edit(good.data, good.bytes, edits, &edited))
            fail_msg("case %zu: the edit does not apply", i);
        tn_status status = load(edited.data, edited.len, tn_allocator_system());
        if (tn_status_code(status) != cases[i].code ||
            !strstr(tn_status_message(status), cases[i].part))
            fail_msg("case %zu: got %s '%s', expected '%s'", i,
                     tn_code_name(tn_status_code(status)), tn_status_message(status),
                     cases[i].part);
        tn_status_free(status);
        tn_buf_deinit(&edited);
    }
}

static void edited_archives_still_load(void **state) {
    (void)state;
    static const tn_test_edit cases[][2] = {
        {{"nothing", NULL, NULL}, {NULL, NULL, NULL}},
        /* An operator that nothing knows, weights on a GPU, a storage that was left out. */
        {{"models/model.json", "torch.ops.aten.linear.default", "torch.ops.mylib.linear.default"},
         {NULL, NULL, NULL}},
        {{"model_weights_config.json", "\"type\": \"cpu\"", "\"type\": \"cuda\""},
         {NULL, NULL, NULL}},
        {{"weights/weight_0", NULL, ""}, {NULL, NULL, NULL}},
        {{"models/model.json", "\"schema_version\"", "\"unknown\": [1], \"schema_version\""},
         {NULL, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_buf edited;
        tn_buf_init(&edited, tn_allocator_system());
        assert_true(tn_test_archive_edit(good.data, good.bytes, cases[i], &edited));
        tn_status status = load(edited.data, edited.len, tn_allocator_system());
        if (status)
            fail_msg("case %zu: %s", i, tn_status_message(status));
        tn_buf_deinit(&edited);
    }
}

static void other_files_are_named(void **state) {
    (void)state;
    static const struct {
        const char *entry, *part;
        tn_code code;
    } cases[] = {
        {"serialized_exported_program.json", "2.7 or older", TN_UNSUPPORTED},
        {"root/data.pkl", "not written by torch.export.save()", TN_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_buf archive;
        tn_buf_init(&archive, tn_allocator_system());
        const tn_test_entry entry = {cases[i].entry, TN_STR("{}")};
        tn_test_archive_make(&entry, 1, &archive);
        tn_status status = load(archive.data, archive.len, tn_allocator_system());
        assert_int_equal(tn_status_code(status), cases[i].code);
        assert_non_null(strstr(tn_status_message(status), cases[i].part));
        tn_status_free(status);
        tn_buf_deinit(&archive);
    }
    tn_status status = load("hello", 5, tn_allocator_system());
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_non_null(strstr(tn_status_message(status), "neither"));
    tn_status_free(status);
    static const char text[] = "// a comment\n graph g { input %x: f32[2] return %x }";
    status = load(text, sizeof text - 1, tn_allocator_system());
    if (status)
        fail_msg("%s", tn_status_message(status));
}

/* The first bytes of the archive, however many, are no archive; but the last 42 are two records
 * that point at what has been found by then, and minizip does without some of them. */
static void truncation_is_refused(void **state) {
    (void)state;
    for (size_t len = 0; len < good.bytes; len++) {
        tn_status status = load(good.data, len, tn_allocator_system());
        if (!status && len < good.bytes - 42)
            fail_msg("%zu of %zu bytes were accepted", len, good.bytes);
        tn_status_free(status);
    }
}

/* A changed byte is refused or changes nothing but weights; the sanitizers watch what it does. */
static void flipped_bytes_are_survived(void **state) {
    (void)state;
    uint8_t *copy = test_malloc(good.bytes);
    memcpy(copy, good.data, good.bytes);
    size_t refused = 0;
    for (size_t i = 0; i < good.bytes; i++) {
        copy[i] ^= (uint8_t)(1u << i % 8);
        tn_status status = load(copy, good.bytes, tn_allocator_system());
        refused += status != NULL;
        tn_status_free(status);
        copy[i] = good.data[i];
    }
    /* The program alone, whose checksum is compared, is more than half of the file. */
    assert_true(refused > good.bytes / 2);
    test_free(copy);
}

static void survives_failed_allocations(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        tn_status status =
            load(good.data, good.bytes, tn_test_allocator_init(&counter, tn_allocator_system(), n));
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (!status) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_views_of_the_file),
        cmocka_unit_test(refuses_edits),
        cmocka_unit_test(edited_archives_still_load),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(truncation_is_refused),
        cmocka_unit_test(flipped_bytes_are_survived),
        cmocka_unit_test(survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
