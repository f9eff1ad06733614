/* zip.c: the directory of an archive, walked once with minizip.
 *
 * minizip reads through the callbacks below, which serve bytes of the mapped archive and nothing
 * else, and compares each local header with the directory. What it leaves to its caller is checked
 * here: that an entry's bytes lie within the archive and that no two entries overlap, so that a few
 * bytes of input cannot stand for many. minizip allocates a few kilobytes with malloc while an
 * archive is being walked and frees them before tn_zip_open() returns. */
#include "format/zip.h"

#include <limits.h>
#include <minizip/unzip.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/checked.h"

enum { ENTRY_COUNT_MAX = 1 << 17, NAME_BYTES_MAX = 4096 };

/* ---- the archive as minizip's file ------------------------------------------------------------
 */

typedef struct memory_file {
    const uint8_t *data;
    size_t bytes;
    size_t position;
} memory_file;

/* There is one stream and it is the opaque pointer, so opening returns that. */
static voidpf file_open(voidpf opaque, const void *name, int mode) {
    (void)name;
    (void)mode;
    return opaque;
}

static uLong file_read(voidpf opaque, voidpf stream, void *buffer, uLong bytes) {
    (void)opaque;
    memory_file *file = stream;
    size_t left = file->bytes - file->position;
    size_t count = bytes < left ? (size_t)bytes : left;
    if (count)
        memcpy(buffer, file->data + file->position, count);
    file->position += count;
    return (uLong)count;
}

static uLong file_write(voidpf opaque, voidpf stream, const void *buffer, uLong bytes) {
    (void)opaque;
    (void)stream;
    (void)buffer;
    (void)bytes;
    return 0;
}

static ZPOS64_T file_tell(voidpf opaque, voidpf stream) {
    (void)opaque;
    const memory_file *file = stream;
    return file->position;
}

static long file_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
    (void)opaque;
    memory_file *file = stream;
    size_t start = 0;
    if (origin == ZLIB_FILEFUNC_SEEK_CUR)
        start = file->position;
    else if (origin == ZLIB_FILEFUNC_SEEK_END)
        start = file->bytes;
    if (offset > file->bytes - start)
        return -1;
    file->position = start + (size_t)offset;
    return 0;
}

static int file_close(voidpf opaque, voidpf stream) {
    (void)opaque;
    (void)stream;
    return 0;
}

static int file_error(voidpf opaque, voidpf stream) {
    (void)opaque;
    (void)stream;
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

static tn_status add_entry(tn_zip *zip, const tn_zip_entry *entry) {
    if (zip->entry_count == zip->entry_capacity) {
        size_t capacity = zip->entry_capacity ? zip->entry_capacity * 2 : 64;
        TN_TRY(tn_alloc_resize(&zip->allocator, &zip->entries,
                               zip->entry_capacity * sizeof *zip->entries,
                               capacity * sizeof *zip->entries));
        zip->entry_capacity = capacity;
    }
    char *name = NULL;
    TN_TRY(tn_alloc(&zip->allocator, entry->name.len + 1, &name));
    memcpy(name, entry->name.data, entry->name.len);
    zip->entries[zip->entry_count] = *entry;
    zip->entries[zip->entry_count++].name.data = name;
    return NULL;
}

static tn_status corrupt(const char *name, const char *what) {
    return tn_error_make(TN_CORRUPT, "zip entry '%s': %s", name, what);
}

/* Reads the walk's current entry. name is for messages too and holds NAME_BYTES_MAX + 1. */
static tn_status read_entry(tn_zip *zip, unzFile walk, const memory_file *file, char *name) {
    unz_file_info64 info;
    name[0] = 0;
    if (unzGetCurrentFileInfo64(walk, &info, name, NAME_BYTES_MAX + 1, NULL, 0, NULL, 0) != UNZ_OK)
        return tn_error_make(TN_CORRUPT, "zip directory: entry %zu is cut short or broken",
                             zip->entry_count);
    if (info.size_filename > NAME_BYTES_MAX)
        return tn_error_make(TN_CORRUPT,
                             "zip directory: the name of entry %zu has %lu bytes, at most %d are "
                             "accepted",
                             zip->entry_count, info.size_filename, NAME_BYTES_MAX);
    name[info.size_filename] = 0;
    if (strlen(name) != info.size_filename)
        return corrupt(name, "its name contains a zero byte");
    int method = 0;
    int level = 0;
    /* Raw: no decompressor is set up; the call checks the local header and finds the data. */
    int result = unzOpenCurrentFile2(walk, &method, &level, 1);
    if (result == UNZ_INTERNALERROR)
        return tn_error_out_of_memory();
    if (result != UNZ_OK)
        return corrupt(name, "its local header is missing or contradicts the directory");
    ZPOS64_T offset = unzGetCurrentFileZStreamPos64(walk);
    (void)unzCloseCurrentFile(walk);
    if (offset > file->bytes || info.compressed_size > file->bytes - offset)
        return tn_error_make(
            TN_CORRUPT,
            "zip entry '%s': its data (%llu bytes at %llu) reaches past the end of "
            "the archive (%zu bytes)",
            name, (unsigned long long)info.compressed_size, (unsigned long long)offset,
            file->bytes);
    bool is_stored = info.compression_method == 0 && (info.flag & 1) == 0;
    if (is_stored && info.compressed_size != info.uncompressed_size)
        return corrupt(name, "it is stored, but its two sizes differ");
    tn_zip_entry entry = {
        .name = {name, info.size_filename},
        .data = file->data + offset,
        .bytes = (size_t)info.compressed_size,
        .crc = (uint32_t)info.crc,
        .is_stored = is_stored,
    };
    return add_entry(zip, &entry);
}

static tn_status read_entries(tn_zip *zip, unzFile walk, const memory_file *file, char *name) {
    unz_global_info64 info;
    if (unzGetGlobalInfo64(walk, &info) != UNZ_OK)
        return tn_error_make(TN_CORRUPT, "zip directory: its end record is broken");
    if (info.number_entry > ENTRY_COUNT_MAX)
        return tn_error_make(TN_CORRUPT,
                             "zip directory: it lists %llu entries, at most %d are accepted",
                             (unsigned long long)info.number_entry, ENTRY_COUNT_MAX);
    if (info.number_entry == 0)
        return NULL;
    int result = unzGoToFirstFile(walk);
    while (result == UNZ_OK) {
        TN_TRY(read_entry(zip, walk, file, name));
        result = unzGoToNextFile(walk);
    }
    if (result != UNZ_END_OF_LIST_OF_FILE || zip->entry_count != info.number_entry)
        return tn_error_make(TN_CORRUPT,
                             "zip directory: it announces %llu entries, %zu can be read",
                             (unsigned long long)info.number_entry, zip->entry_count);
    return NULL;
}

static int compare_places(const void *a, const void *b) {
    const tn_zip_entry *left = *(const tn_zip_entry *const *)a;
    const tn_zip_entry *right = *(const tn_zip_entry *const *)b;
    if (left->data != right->data)
        return left->data < right->data ? -1 : 1;
    return (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

static tn_status check_overlaps(const tn_zip *zip) {
    const tn_zip_entry **sorted = NULL;
    TN_TRY(tn_alloc_array(&zip->allocator, zip->entry_count, sizeof *sorted, &sorted));
    for (size_t i = 0; i < zip->entry_count; i++)
        sorted[i] = &zip->entries[i];
    if (zip->entry_count)
        qsort(sorted, zip->entry_count, sizeof *sorted, compare_places);
    tn_status status = NULL;
    for (size_t i = 1; i < zip->entry_count && !status; i++) {
        const tn_zip_entry *before = sorted[i - 1];
        if (before->bytes > (size_t)(sorted[i]->data - before->data))
            status = tn_error_make(TN_CORRUPT, "zip entries '%.*s' and '%.*s' overlap",
                                   TN_STR_ARG(before->name), TN_STR_ARG(sorted[i]->name));
    }
    tn_alloc_free(&zip->allocator, sorted, zip->entry_count * sizeof *sorted);
    return status;
}

static tn_status index_names(tn_zip *zip) {
    for (size_t i = 0; i < zip->entry_count; i++) {
        tn_zip_entry *entry = &zip->entries[i];
        if (tn_map_has(&zip->by_name, entry->name))
            return tn_error_make(TN_CORRUPT, "zip entry '%.*s' appears twice",
                                 TN_STR_ARG(entry->name));
        TN_TRY(tn_map_set(&zip->by_name, entry->name, entry));
    }
    return NULL;
}

tn_status tn_zip_open(const tn_allocator *allocator, const uint8_t *data, size_t bytes,
                      tn_zip *out_zip) {
    *out_zip = (tn_zip){.allocator = *allocator};
    tn_map_init(&out_zip->by_name, *allocator);
    memory_file file = {.data = data, .bytes = bytes};
    zlib_filefunc64_def functions = {
        .zopen64_file = file_open,
        .zread_file = file_read,
        .zwrite_file = file_write,
        .ztell64_file = file_tell,
        .zseek64_file = file_seek,
        .zclose_file = file_close,
        .zerror_file = file_error,
        .opaque = &file,
    };
    char *name = NULL;
    TN_TRY(tn_alloc(allocator, NAME_BYTES_MAX + 1, &name));
    unzFile walk = unzOpen2_64("", &functions);
    tn_status status =
        walk ? read_entries(out_zip, walk, &file, name)
             : tn_error_make(TN_CORRUPT, "not a zip archive, or its end is missing (%zu bytes)",
                             bytes);
    if (walk)
        (void)unzClose(walk);
    tn_alloc_free(allocator, name, NAME_BYTES_MAX + 1);
    if (!status)
        status = check_overlaps(out_zip);
    if (!status)
        status = index_names(out_zip);
    return status;
}

void tn_zip_close(tn_zip *zip) {
    for (size_t i = 0; i < zip->entry_count; i++) {
        union {
            const char *constant;
            char *plain;
        } name = {.constant = zip->entries[i].name.data};
        tn_alloc_free(&zip->allocator, name.plain, zip->entries[i].name.len + 1);
    }
    tn_alloc_free(&zip->allocator, zip->entries, zip->entry_capacity * sizeof *zip->entries);
    tn_map_deinit(&zip->by_name);
    *zip = (tn_zip){.allocator = zip->allocator};
}

const tn_zip_entry *tn_zip_find(const tn_zip *zip, tn_str name) {
    return tn_map_get(&zip->by_name, name);
}

tn_status tn_zip_entry_check_stored(const tn_zip_entry *entry) {
    if (entry->is_stored)
        return NULL;
    return tn_error_make(
        TN_UNSUPPORTED,
        "zip entry '%.*s' is compressed or encrypted; torch.export.save() writes entries "
        "as they are, so that they can be mapped",
        TN_STR_ARG(entry->name));
}

tn_status tn_zip_entry_check_crc(const tn_zip_entry *entry) {
    uLong crc = crc32(0, NULL, 0);
    for (size_t done = 0; done < entry->bytes;) {
        size_t left = entry->bytes - done;
        uInt piece = left < INT_MAX ? (uInt)left : (uInt)INT_MAX;
        crc = crc32(crc, entry->data + done, piece);
        done += piece;
    }
    if ((uint32_t)crc == entry->crc)
        return NULL;
    return tn_error_make(TN_CORRUPT,
                         "zip entry '%.*s': its checksum is %08x, the directory says %08x",
                         TN_STR_ARG(entry->name), (unsigned)crc, (unsigned)entry->crc);
}
