/* archive.c: a writer of stored zip archives, after PKWARE's APPNOTE. */
#include "archive.h"

#include <string.h>
#include <zlib.h>

#include "format/zip.h"

static void put(tn_buf *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        char byte = (char)(value >> (8 * i) & 0xff);
        tn_buf_append(out, &byte, 1);
    }
}

static uint32_t crc_of(tn_str content) {
    return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)content.data, (uInt)content.len);
}

/* The fields that local and central headers share. */
static void put_common(tn_buf *out, tn_str name, tn_str content, size_t extra_bytes) {
    put(out, 0, 2); /* flags */
    put(out, 0, 2); /* stored */
    put(out, 0, 4); /* time and date */
    put(out, crc_of(content), 4);
    put(out, content.len, 4);
    put(out, content.len, 4);
    put(out, name.len, 2);
    put(out, extra_bytes, 2);
}

static void put_entry(tn_buf *out, tn_buf *directory, tn_str name, tn_str content) {
    static const char zeros[64];
    size_t offset = out->len;
    size_t extra = (64 - (offset + 30 + name.len + 4) % 64) % 64;
    put(out, 0x04034b50, 4);
    put(out, 20, 2);
    put_common(out, name, content, extra + 4);
    tn_buf_str_append(out, name);
    put(out, 0x4246, 2); /* PyTorch's name for its padding */
    put(out, extra, 2);
    tn_buf_append(out, zeros, extra);
    tn_buf_str_append(out, content);
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put(directory, 20, 2);
    put_common(directory, name, content, 0);
    put(directory, 0, 6); /* no comment, first disk, internal attributes */
    put(directory, 0, 4);
    put(directory, offset, 4);
    tn_buf_str_append(directory, name);
}

static void put_end(tn_buf *out, const tn_buf *directory, size_t count) {
    size_t offset = out->len;
    tn_buf_str_append(out, tn_buf_view(directory));
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, count, 2);
    put(out, count, 2);
    put(out, directory->len, 4);
    put(out, offset, 4);
    put(out, 0, 2);
}

/* The content with the edit made; false if its text is not there. */
static bool apply(const tn_test_edit *edit, tn_str content, tn_buf *out) {
    if (!edit->find) {
        tn_buf_printf(out, "%s", edit->replace);
        return true;
    }
    size_t len = strlen(edit->find);
    for (size_t i = 0; i + len <= content.len; i++) {
        if (memcmp(content.data + i, edit->find, len) != 0)
            continue;
        tn_buf_append(out, content.data, i);
        tn_buf_printf(out, "%s", edit->replace);
        tn_buf_append(out, content.data + i + len, content.len - i - len);
        return true;
    }
    return false;
}

static bool edit_entry(const tn_zip_entry *entry, const tn_test_edit *edits, tn_buf *out,
                       tn_buf *directory, size_t *inout_count) {
    tn_str content = {(const char *)entry->data, entry->bytes};
    tn_buf edited;
    tn_buf_init(&edited, tn_allocator_system());
    bool is_kept = true;
    bool is_found = true;
    for (; edits->entry; edits++) {
        if (!tn_str_ends(entry->name, edits->entry))
            continue;
        is_kept = edits->replace != NULL;
        is_found = !is_kept || apply(edits, content, &edited);
        content = tn_buf_view(&edited);
        break;
    }
    if (is_kept) {
        put_entry(out, directory, entry->name, content);
        ++*inout_count;
    }
    tn_buf_deinit(&edited);
    return is_found;
}

bool tn_test_archive_edit(const uint8_t *data, size_t bytes, const tn_test_edit *edits,
                          tn_buf *out) {
    tn_allocator allocator = tn_allocator_system();
    tn_zip zip;
    tn_buf directory;
    size_t count = 0;
    tn_buf_init(&directory, allocator);
    tn_status status = tn_zip_open(&allocator, data, bytes, &zip);
    bool is_good = !status;
    for (size_t i = 0; is_good && i < zip.entry_count; i++)
        is_good = edit_entry(&zip.entries[i], edits, out, &directory, &count);
    put_end(out, &directory, count);
    tn_status_free(status);
    tn_zip_close(&zip);
    is_good = is_good && !out->failed && !directory.failed;
    tn_buf_deinit(&directory);
    return is_good;
}

void tn_test_archive_make(const tn_test_entry *entries, size_t count, tn_buf *out) {
    tn_buf directory;
    tn_buf_init(&directory, tn_allocator_system());
    for (size_t i = 0; i < count; i++)
        put_entry(out, &directory, tn_str_of(entries[i].name), entries[i].content);
    put_end(out, &directory, count);
    tn_buf_deinit(&directory);
}
