/* fuzz_engine.c: engine files. An input whose first byte is 0 is the rest of it, taken as a file;
 * with any other it is a list of edits of a good engine (3 and 4: with calls), after which
 * checksums are made right, so that what lies behind them is reached and seeds stay good when the
 * format changes: per edit 5 bytes, section id, offset (little-endian), what to add to the byte
 * there, and how many bytes. */
#include <stdlib.h>
#include <string.h>

#include "engine_graphs.h"
#include "engine_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EDIT_BYTES = 5 };

static void edit(engine_bytes bytes, const uint8_t *edits, size_t size) {
    for (; size >= EDIT_BYTES; edits += EDIT_BYTES, size -= EDIT_BYTES) {
        const tn_file_section *section = engine_section(bytes, edits[0]);
        if (!section || section->bytes == 0 || section->offset >= bytes.count)
            continue;
        uint64_t at = section->offset + (edits[1] | edits[2] << 8) % section->bytes;
        for (int i = 0; i <= edits[4] % 8 && at + (unsigned)i < bytes.count; i++)
            bytes.data[at + (unsigned)i] = (uint8_t)(bytes.data[at + (unsigned)i] + edits[3]);
    }
    engine_reseal(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static engine_bytes engines[4];
    if (!engines[0].data) {
        engines[0] = engine_bytes_make(ENGINE_GRAPH_ALL, NULL);
        engines[1] = engine_bytes_make(ENGINE_GRAPH_WINDOW, NULL);
        engines[2] = engine_bytes_make(ENGINE_GRAPH_CALLS, NULL);
        engines[3] = engine_bytes_make(ENGINE_GRAPH_SIZES, NULL);
    }
    if (size == 0)
        return 0;
    engine_bytes bytes;
    if (data[0] == 0) {
        engine_bytes whole = {.data = (uint8_t *)(uintptr_t)(data + 1), .count = size - 1};
        bytes = engine_bytes_copy(whole);
    } else {
        bytes =
            engine_bytes_copy(engines[data[0] == 3 || data[0] == 4 ? data[0] - 1 : data[0] % 2]);
        edit(bytes, data + 1, size - 1);
    }
    tn_status_free(engine_try(bytes));
    engine_bytes_free(&bytes);
    return 0;
}
