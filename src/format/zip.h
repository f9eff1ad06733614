/* zip.h: the directory of a zip archive that lies in memory, as names with the place of their
 * bytes.
 *
 * Nothing is unpacked: models store their entries as they are, and the reader hands out views of
 * the mapped file. The archive is untrusted: every entry lies within the archive, no two entries
 * share a byte, no name appears twice, and counts are limited.
 */
#ifndef TN_FORMAT_ZIP_H
#define TN_FORMAT_ZIP_H

#include "base/map.h"

typedef struct tn_zip_entry {
    tn_str name;         /* owned by the archive */
    const uint8_t *data; /* as stored: compressed if !is_stored */
    size_t bytes;        /* of data */
    uint32_t crc;        /* of the unpacked content */
    bool is_stored;      /* neither compressed nor encrypted */
} tn_zip_entry;

/* Thread-safe once open. */
typedef struct tn_zip {
    tn_allocator allocator;
    tn_zip_entry *entries; /* in the order of the directory */
    size_t entry_count;
    size_t entry_capacity;
    tn_map by_name; /* of tn_zip_entry * */
} tn_zip;

/* Reads the directory of the archive in data, which must outlive the result. TN_CORRUPT names the
 * entry and what is wrong with it; TN_OUT_OF_MEMORY. Close it in any case. */
TN_MUST_USE tn_status tn_zip_open(const tn_allocator *allocator, const uint8_t *data, size_t bytes,
                                  tn_zip *out_zip);
void tn_zip_close(tn_zip *zip);
/* NULL when there is no such entry. */
const tn_zip_entry *tn_zip_find(const tn_zip *zip, tn_str name);
/* TN_UNSUPPORTED unless the entry's bytes are its content. */
TN_MUST_USE tn_status tn_zip_entry_check_stored(const tn_zip_entry *entry);
/* TN_CORRUPT unless the content has the checksum that the directory gives. Reads every byte. */
TN_MUST_USE tn_status tn_zip_entry_check_crc(const tn_zip_entry *entry);

#endif
