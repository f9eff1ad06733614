/* pt2_archive.c: the archive around a program: its folder, versions, documents and stored tensors.
 */
#include "base/checked.h"
#include "front/pt2.h"

#include <stdio.h>

enum { SCHEMA_MAJOR = 8, PATH_BYTES_MAX = 5000 };

/* The entry root/path, NULL if there is none. */
static const tn_zip_entry *find_entry(const tn_pt2 *pt2, const char *folder, tn_str name) {
    char path[PATH_BYTES_MAX];
    int len =
        snprintf(path, sizeof path, "%.*s/%s%.*s", TN_STR_ARG(pt2->root), folder, TN_STR_ARG(name));
    if (len < 0 || (size_t)len >= sizeof path)
        return NULL;
    return tn_zip_find(&pt2->zip, (tn_str){path, (size_t)len});
}

static tn_str entry_text(const tn_zip_entry *entry) {
    return (tn_str){(const char *)entry->data, entry->bytes};
}

/* Archives of PyTorch 2.7 and before have no root folder but files with these names. */
static tn_status find_root(tn_pt2 *pt2) {
    if (pt2->zip.entry_count == 0)
        return tn_error_make(TN_CORRUPT, "the archive has no entries");
    tn_str first = pt2->zip.entries[0].name;
    tn_str rest = tn_str_split(first, '/', &pt2->root);
    bool is_old = tn_zip_find(&pt2->zip, TN_STR("serialized_exported_program.json")) != NULL;
    if (is_old || rest.len == 0 || !find_entry(pt2, "", TN_STR("archive_format")))
        return tn_error_make(
            TN_UNSUPPORTED, "%s; PyTorch 2.9 to 2.13 is accepted: export the model again",
            is_old ? "the archive was written by PyTorch 2.7 or older"
                   : "the archive has no file archive_format: it was not written by "
                     "torch.export.save()");
    return NULL;
}

static tn_status check_small_file(const tn_pt2 *pt2, const char *name, const char *wanted,
                                  const char *reason) {
    const tn_zip_entry *entry = find_entry(pt2, "", tn_str_of(name));
    if (!entry)
        return tn_error_make(TN_CORRUPT, "the archive has no file %s", name);
    tn_str seen = tn_str_trim(entry_text(entry));
    if (tn_str_is(seen, wanted))
        return NULL;
    return tn_error_make(TN_UNSUPPORTED, "%s is '%.*s', expected '%s'%s", name,
                         (int)(seen.len < 32 ? seen.len : 32), seen.data, wanted, reason);
}

static tn_status open_document(tn_pt2 *pt2, const tn_zip_entry *entry, tn_json *out_doc) {
    TN_TRY(tn_zip_entry_check_stored(entry));
    TN_TRY(tn_zip_entry_check_crc(entry));
    return tn_json_open(&pt2->env->allocator, entry_text(entry), entry->name, out_doc);
}

/* The program is models/NAME.json; an archive with several needs none but the one called model. */
static tn_status open_program(tn_pt2 *pt2, tn_str *out_name) {
    const tn_zip_entry *found = find_entry(pt2, "models/", TN_STR("model.json"));
    size_t prefix = pt2->root.len + sizeof "/models/" - 1;
    for (size_t i = 0; i < pt2->zip.entry_count && !found; i++) {
        tn_str name = pt2->zip.entries[i].name;
        if (name.len <= prefix || !tn_str_ends(name, ".json"))
            continue;
        tn_str stem = {name.data + prefix, name.len - prefix};
        if (find_entry(pt2, "models/", stem) == &pt2->zip.entries[i])
            found = &pt2->zip.entries[i];
    }
    if (!found)
        return tn_error_make(TN_CORRUPT, "the archive has no program (models/model.json)");
    *out_name =
        (tn_str){found->name.data + prefix, found->name.len - prefix - (sizeof ".json" - 1)};
    return open_document(pt2, found, &pt2->program);
}

static tn_status check_schema_version(const tn_pt2 *pt2) {
    tn_json_value version;
    tn_json_value number;
    int64_t major = 0;
    tn_json_value root = tn_json_root(&pt2->program);
    TN_TRY(tn_json_member(root, "schema_version", TN_JSON_OBJECT, &version));
    TN_TRY(tn_json_member(version, "major", TN_JSON_NUMBER, &number));
    TN_TRY(tn_json_i64(number, &major));
    if (major != SCHEMA_MAJOR)
        return tn_json_error(number, TN_UNSUPPORTED,
                             "the schema has major version %lld, expected %d (PyTorch 2.9 to 2.13)",
                             (long long)major, SCHEMA_MAJOR);
    return NULL;
}

/* Enters the tensors that data/FOLDER/NAME_FOLDER_config.json lists. The file may be missing when
 * there are none. */
static tn_status index_tensors(tn_pt2 *pt2, tn_str model, const char *folder, tn_json *doc) {
    char path[PATH_BYTES_MAX];
    int len = snprintf(path, sizeof path, "data/%s/%.*s_%s_config.json", folder, TN_STR_ARG(model),
                       folder);
    if (len < 0 || (size_t)len >= sizeof path)
        return NULL; /* no entry has a name this long */
    const tn_zip_entry *entry = find_entry(pt2, path, TN_STR(""));
    if (!entry) {
        int old = snprintf(path, sizeof path, "data/%s/%.*s.pt", folder, TN_STR_ARG(model));
        if (old > 0 && (size_t)old < sizeof path && find_entry(pt2, path, TN_STR("")))
            return tn_error_make(TN_UNSUPPORTED,
                                 "the archive keeps its %s as a pickle (%s), as PyTorch 2.8 did; "
                                 "PyTorch 2.9 to 2.13 is accepted: export the model again",
                                 folder, path);
        return NULL;
    }
    TN_TRY(open_document(pt2, entry, doc));
    tn_json_value config;
    TN_TRY(tn_json_member(tn_json_root(doc), "config", TN_JSON_OBJECT, &config));
    for (tn_json_walk walk = tn_json_begin(config); tn_json_step(&walk);) {
        tn_pt2_stored *stored = NULL;
        tn_str name;
        TN_TRY(tn_json_str(pt2->arena, walk.key, &name));
        TN_ARENA_TRY(pt2->arena, stored, 1);
        *stored = (tn_pt2_stored){.entry = walk.value, .folder = folder};
        TN_TRY(tn_map_set(&pt2->tensors, name, stored));
    }
    return NULL;
}

tn_status tn_pt2_open_archive(tn_pt2 *pt2, const uint8_t *data, size_t bytes) {
    TN_TRY(tn_zip_open(&pt2->env->allocator, data, bytes, &pt2->zip));
    TN_TRY(find_root(pt2));
    TN_TRY(check_small_file(pt2, "archive_format", "pt2", ""));
    TN_TRY(check_small_file(pt2, "archive_version", "0", ""));
    TN_TRY(check_small_file(pt2, "byteorder", "little",
                            ": export the model on a little-endian machine"));
    tn_str model;
    TN_TRY(open_program(pt2, &model));
    TN_TRY(check_schema_version(pt2));
    TN_TRY(index_tensors(pt2, model, "weights", &pt2->weights));
    return index_tensors(pt2, model, "constants", &pt2->constants);
}

/* ---- stored tensors ---------------------------------------------------------------------------
 */

/* Zeros for tensors whose storage was left out; every stride is 0 then. */
static const uint8_t zeros[16];

static bool is_contiguous(const tn_type *type, const int64_t *strides) {
    int64_t expected = 1;
    for (uint32_t i = type->rank; i-- > 0;) {
        if (type->dims[i]->value != 1 && strides[i] != expected)
            return false;
        if (!tn_mul_i64(expected, type->dims[i]->value, &expected))
            return false;
    }
    return true;
}

/* The number of elements, and of the storage elements from the first to one past the last. */
static tn_status span_of(tn_json_value meta, const tn_type *type, const int64_t *strides,
                         int64_t *out_elems, int64_t *out_span) {
    int64_t elems = 1;
    int64_t span = 1;
    bool fits = true;
    for (uint32_t i = 0; i < type->rank; i++) {
        int64_t dim = type->dims[i]->value;
        int64_t reach = 0;
        if (strides[i] < 0)
            return tn_json_error(meta, TN_CORRUPT, "stride %u is %lld, expected 0 or more",
                                 (unsigned)i, (long long)strides[i]);
        /* Zero dimensions may not hide an overflow of the others. */
        fits = fits && tn_mul_i64(elems, dim > 0 ? dim : 1, &elems);
        fits = fits && tn_mul_i64(dim > 0 ? dim - 1 : 0, strides[i], &reach);
        fits = fits && tn_add_i64(span, reach, &span);
    }
    if (!fits)
        return tn_json_error(meta, TN_CORRUPT, "the tensor's size overflows 64 bits");
    for (uint32_t i = 0; i < type->rank; i++)
        if (type->dims[i]->value == 0)
            elems = span = 0;
    *out_elems = elems;
    *out_span = span;
    return NULL;
}

static tn_status constant_sym(tn_pt2 *pt2, tn_json_value value, const char *what,
                              int64_t *out_value) {
    const tn_sym *sym = NULL;
    TN_TRY(tn_pt2_sym(pt2, value, &sym));
    if (!tn_sym_is_const(sym))
        return tn_json_error(value, TN_CORRUPT, "%s of a stored tensor is symbolic", what);
    *out_value = sym->value;
    return NULL;
}

static tn_status check_layout(tn_json_value meta) {
    enum { STRIDED = 7 };
    int64_t layout = 0;
    tn_json_value value = tn_json_find(meta, "layout");
    if (tn_json_is_missing(value))
        return NULL;
    TN_TRY(tn_json_i64(value, &layout));
    if (layout == STRIDED)
        return NULL;
    return tn_json_error(value, TN_UNSUPPORTED,
                         "layout %lld, expected a dense tensor (%d, strided)", (long long)layout,
                         STRIDED);
}

static tn_status check_pickle(tn_json_value entry) {
    tn_json_value value = tn_json_find(entry, "use_pickle");
    bool is_pickled = false;
    if (tn_json_is_missing(value))
        return NULL;
    TN_TRY(tn_json_bool(value, &is_pickled));
    if (!is_pickled)
        return NULL;
    return tn_json_error(
        value, TN_UNSUPPORTED,
        "the tensor is stored as a pickle (a tensor subclass); pickles are never read: "
        "export the model with plain tensors");
}

static tn_status find_storage(const tn_pt2 *pt2, const tn_pt2_stored *stored,
                              const tn_zip_entry **out_entry) {
    tn_json_value path;
    tn_str name;
    char folder[32];
    TN_TRY(tn_json_member(stored->entry, "path_name", TN_JSON_STRING, &path));
    TN_TRY(tn_json_str(pt2->arena, path, &name));
    (void)snprintf(folder, sizeof folder, "data/%s/", stored->folder);
    *out_entry = find_entry(pt2, folder, name);
    if (!*out_entry)
        return tn_json_error(path, TN_CORRUPT, "the archive has no file %s%.*s", folder,
                             (int)(name.len < 100 ? name.len : 100), name.data);
    return tn_zip_entry_check_stored(*out_entry);
}

/* Points data at the storage's bytes. */
static tn_status view_storage(const tn_zip_entry *entry, tn_json_value meta, const tn_type *type,
                              int64_t offset_elems, tn_const *data) {
    int64_t elems = 0;
    int64_t span = 0;
    size_t elem_bytes = tn_dtype_bytes(type->dtype);
    TN_TRY(span_of(meta, type, data->strides, &elems, &span));
    if (entry->bytes == 0 || elems == 0) {
        for (uint32_t i = 0; i < type->rank && elems > 0; i++)
            data->strides[i] = 0;
        data->data = zeros;
        data->is_contiguous = is_contiguous(type, data->strides);
        return NULL;
    }
    uint64_t stored_elems = entry->bytes / elem_bytes;
    if (offset_elems < 0 || (uint64_t)offset_elems > stored_elems ||
        (uint64_t)span > stored_elems - (uint64_t)offset_elems)
        return tn_json_error(meta, TN_CORRUPT,
                             "the tensor needs elements %lld to %lld, the file %.*s has %llu",
                             (long long)offset_elems, (long long)(offset_elems + (span - 1)),
                             TN_STR_ARG(entry->name), (unsigned long long)stored_elems);
    data->data = entry->data + (size_t)offset_elems * elem_bytes;
    if ((uintptr_t)data->data % elem_bytes != 0)
        return tn_json_error(
            meta, TN_UNSUPPORTED,
            "the file %.*s does not begin at a multiple of %zu bytes in the archive: "
            "write it with torch.export.save(), not with a zip program",
            TN_STR_ARG(entry->name), elem_bytes);
    data->is_contiguous = is_contiguous(type, data->strides);
    return NULL;
}

tn_status tn_pt2_stored_data(tn_pt2 *pt2, tn_str name, tn_type *out_type, tn_const *out_data) {
    *out_type = (tn_type){0};
    *out_data = (tn_const){0};
    const tn_pt2_stored *stored = tn_map_get(&pt2->tensors, name);
    if (!stored)
        return tn_error_make(TN_CORRUPT,
                             "the archive has no tensor '%.*s' among weights and constants",
                             (int)(name.len < 200 ? name.len : 200), name.data);
    TN_TRY(check_pickle(stored->entry));
    tn_json_value meta;
    TN_TRY(tn_json_member(stored->entry, "tensor_meta", TN_JSON_OBJECT, &meta));
    TN_TRY(check_layout(meta));
    TN_TRY(tn_pt2_type(pt2, meta, out_type));
    const tn_sym *strides[TN_MAX_RANK];
    TN_TRY(tn_pt2_strides(pt2, meta, out_type->rank, strides));
    for (uint32_t i = 0; i < out_type->rank; i++) {
        if (!tn_sym_is_const(out_type->dims[i]) || !tn_sym_is_const(strides[i]))
            return tn_json_error(meta, TN_CORRUPT, "the size of a stored tensor is symbolic");
        out_data->strides[i] = strides[i]->value;
    }
    int64_t offset_elems = 0;
    tn_json_value offset = tn_json_find(meta, "storage_offset");
    if (!tn_json_is_missing(offset))
        TN_TRY(constant_sym(pt2, offset, "the offset", &offset_elems));
    const tn_zip_entry *entry = NULL;
    TN_TRY(find_storage(pt2, stored, &entry));
    return view_storage(entry, meta, out_type, offset_elems, out_data);
}
