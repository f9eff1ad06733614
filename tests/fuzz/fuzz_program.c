/* fuzz_program.c: any bytes as the program (model.json) of an otherwise good .pt2 archive, so that
 * no checksum keeps them from the readers of JSON, of size expressions and of graphs.
 *
 * ctest: quick timeout=120 */
#include "archive.h"
#include "load_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define META(sizes, strides)                                                                       \
    "\"tensor_meta\":{\"dtype\":7,\"sizes\":" sizes ",\"strides\":" strides                        \
    ",\"storage_offset\":{\"as_int\":0},\"layout\":7}}"
#define INT(value) "{\"as_int\":" value "}"

/* The tensors that the programs of the corpus name. */
static const char config[] =
    "{\"config\":{"
    "\"fc.weight\":{\"path_name\":\"weight_0\"," META(
        "[" INT("2") "," INT("3") "]",
        "[" INT("3") "," INT(
            "1") "]") ","
                      "\"fc.bias\":{\"path_name\":\"weight_0\"," META(
                          "[" INT("2") "]",
                          "[" INT("1") "]") ","
                                            "\"count\":{\"path_name\":\"weight_1\"," META(
                                                "[" INT("2") "]",
                                                "[" INT("1") "]") ","
                                                                  "\"lifted_tensor_0\":{\"path_"
                                                                  "name\":\"weight_1\"," META(
                                                                      "[" INT("2") "]",
                                                                      "[" INT("1") "]") "}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char weights[24];
    const tn_test_entry entries[] = {
        {"m/archive_format", TN_STR("pt2")},
        {"m/archive_version", TN_STR("0")},
        {"m/byteorder", TN_STR("little")},
        {"m/models/model.json", {(const char *)data, size}},
        {"m/data/weights/model_weights_config.json", TN_STR(config)},
        {"m/data/weights/weight_0", {weights, 24}},
        {"m/data/weights/weight_1", {weights, 8}},
    };
    tn_buf archive;
    tn_buf_init(&archive, tn_allocator_system());
    tn_test_archive_make(entries, sizeof entries / sizeof *entries, &archive);
    if (!archive.failed)
        tn_test_load_any((const uint8_t *)archive.data, archive.len);
    tn_buf_deinit(&archive);
    return 0;
}
