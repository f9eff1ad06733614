/* archive.h: edits zip archives for tests: replaces text within entries and writes a valid archive.
 */
#ifndef TN_TESTS_ARCHIVE_H
#define TN_TESTS_ARCHIVE_H

#include "base/str.h"

typedef struct tn_test_edit {
    const char *entry;   /* the entry's name ends so; NULL ends a list of edits */
    const char *find;    /* the first place of this text; NULL: the whole content */
    const char *replace; /* NULL: the entry is left out */
} tn_test_edit;

/* Writes the archive in data, edited, to out (initialised by the caller). Entries are stored and
 * aligned to 64 bytes, as PyTorch does. False if an edit found nothing, the archive is broken or
 * memory is short. */
bool tn_test_archive_edit(const uint8_t *data, size_t bytes, const tn_test_edit *edits,
                          tn_buf *out);
typedef struct tn_test_entry {
    const char *name;
    tn_str content;
} tn_test_entry;

/* Appends an archive of these entries. */
void tn_test_archive_make(const tn_test_entry *entries, size_t count, tn_buf *out);

#endif
