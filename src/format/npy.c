/* npy.c: a reader of the one dictionary that NumPy writes, strict about what it does not know, and
 * the matching writer. Headers are version 1.0 as written by NumPy; versions 2.0 and 3.0 are read
 * too. */
#include "format/npy.h"

#include <string.h>

#include "base/checked.h"
#include "base/file.h"

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

enum { PREFIX_BYTES = 8, HEADER_ALIGNMENT = 64 };

/* NumPy's type strings without the byte order. f8 types have no name of their own in NumPy
 * (ml_dtypes writes both as V1), so they are written but cannot be told apart when read. */
static const char *descr_of(tn_dtype dtype) {
    switch (dtype) {
    case TN_F64:
        return "<f8";
    case TN_F32:
        return "<f4";
    case TN_F16:
        return "<f2";
    case TN_BF16:
        return "|V2";
    case TN_F8E4M3:
    case TN_F8E5M2:
        return "|V1";
    case TN_I64:
        return "<i8";
    case TN_I32:
        return "<i4";
    case TN_I16:
        return "<i2";
    case TN_I8:
        return "|i1";
    case TN_U8:
        return "|u1";
    case TN_U16:
        return "<u2";
    case TN_U32:
        return "<u4";
    case TN_U64:
        return "<u8";
    case TN_BOOL:
        return "|b1";
    case TN_DTYPE_NONE:
        break;
    }
    return NULL;
}

static tn_dtype dtype_of(tn_str descr) {
    static const tn_dtype dtypes[] = {TN_F64, TN_F32, TN_F16, TN_BF16, TN_I64, TN_I32, TN_I16,
                                      TN_I8,  TN_U8,  TN_U16, TN_U32,  TN_U64, TN_BOOL};
    if (descr.len != 3)
        return TN_DTYPE_NONE;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        const char *known = descr_of(dtypes[i]);
        bool has_order = descr.data[0] == '<' || descr.data[0] == '=' ||
                         (descr.data[0] == '|' && known[0] == '|');
        if (has_order && memcmp(descr.data + 1, known + 1, 2) == 0)
            return dtypes[i];
    }
    return TN_DTYPE_NONE;
}

/* ---- the header's dictionary ------------------------------------------------------------------
 */

typedef struct reader {
    tn_str name; /* of the file */
    tn_str text;
    size_t position;
} reader;

static tn_status unexpected(const reader *r, const char *wanted) {
    return tn_error_make(TN_CORRUPT, "%.*s: the .npy header has '%.*s' at column %zu, expected %s",
                         TN_STR_ARG(r->name), (int)(r->position < r->text.len ? 1 : 0),
                         r->text.data + r->position, r->position, wanted);
}

static void skip_space(reader *r) {
    while (r->position < r->text.len &&
           (r->text.data[r->position] == ' ' || r->text.data[r->position] == '\n'))
        r->position++;
}

static bool take(reader *r, char c) {
    skip_space(r);
    if (r->position >= r->text.len || r->text.data[r->position] != c)
        return false;
    r->position++;
    return true;
}

static tn_status take_string(reader *r, tn_str *out_text) {
    *out_text = TN_STR("");
    char quote = '\'';
    if (!take(r, quote)) {
        quote = '"';
        if (!take(r, quote))
            return unexpected(r, "a string");
    }
    size_t start = r->position;
    while (r->position < r->text.len && r->text.data[r->position] != quote)
        r->position++;
    *out_text = (tn_str){r->text.data + start, r->position - start};
    return take(r, quote) ? NULL : unexpected(r, "a closing quote");
}

static tn_status take_word(reader *r, tn_str *out_word) {
    skip_space(r);
    size_t start = r->position;
    while (r->position < r->text.len) {
        char c = r->text.data[r->position];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            break;
        r->position++;
    }
    *out_word = (tn_str){r->text.data + start, r->position - start};
    return out_word->len ? NULL : unexpected(r, "a word or number");
}

static tn_status take_shape(reader *r, tn_npy *array) {
    array->rank = 0;
    if (!take(r, '('))
        return unexpected(r, "'('");
    while (!take(r, ')')) {
        tn_str word;
        TN_TRY(take_word(r, &word));
        if (array->rank == TN_MAX_RANK)
            return tn_error_make(TN_UNSUPPORTED, "%.*s: more than %d dimensions",
                                 TN_STR_ARG(r->name), TN_MAX_RANK);
        int64_t dim = 0;
        if (!tn_str_to_i64(word, &dim) || dim < 0)
            return unexpected(r, "a dimension before it");
        array->dims[array->rank++] = dim;
        if (!take(r, ',')) {
            if (!take(r, ')'))
                return unexpected(r, "',' or ')'");
            break;
        }
    }
    return NULL;
}

static tn_status take_descr(reader *r, tn_npy *array) {
    skip_space(r);
    if (r->position < r->text.len && r->text.data[r->position] == '[')
        return tn_error_make(TN_UNSUPPORTED, "%.*s: an array of records, expected numbers",
                             TN_STR_ARG(r->name));
    tn_str descr;
    TN_TRY(take_string(r, &descr));
    array->dtype = dtype_of(descr);
    if (array->dtype)
        return NULL;
    return tn_error_make(
        TN_UNSUPPORTED,
        "%.*s: its element type is '%.*s', expected a little-endian number of tenon's "
        "types (such as <f4, <i8, |b1, or |V2 for bfloat16)",
        TN_STR_ARG(r->name), TN_STR_ARG(descr));
}

static tn_status take_order(reader *r) {
    tn_str word;
    TN_TRY(take_word(r, &word));
    if (tn_str_is(word, "False"))
        return NULL;
    if (!tn_str_is(word, "True"))
        return unexpected(r, "True or False before it");
    return tn_error_make(TN_UNSUPPORTED,
                         "%.*s: the array is in Fortran order; save numpy.ascontiguousarray(array)",
                         TN_STR_ARG(r->name));
}

static tn_status take_dictionary(reader *r, tn_npy *array) {
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    if (!take(r, '{'))
        return unexpected(r, "'{'");
    while (!take(r, '}')) {
        tn_str key;
        TN_TRY(take_string(r, &key));
        if (!take(r, ':'))
            return unexpected(r, "':'");
        if (tn_str_is(key, "descr")) {
            TN_TRY(take_descr(r, array));
            seen |= DESCR;
        } else if (tn_str_is(key, "fortran_order")) {
            TN_TRY(take_order(r));
            seen |= ORDER;
        } else if (tn_str_is(key, "shape")) {
            TN_TRY(take_shape(r, array));
            seen |= SHAPE;
        } else {
            return unexpected(r, "descr, fortran_order or shape as the key before it");
        }
        if (!take(r, ',')) {
            if (!take(r, '}'))
                return unexpected(r, "',' or '}'");
            break;
        }
    }
    skip_space(r);
    if (r->position != r->text.len)
        return unexpected(r, "the end of the header");
    if (seen != ALL)
        return tn_error_make(TN_CORRUPT, "%.*s: the .npy header lacks %s", TN_STR_ARG(r->name),
                             !(seen & DESCR)   ? "descr"
                             : !(seen & ORDER) ? "fortran_order"
                                               : "shape");
    return NULL;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static tn_status array_bytes(tn_str name, const tn_npy *array, size_t *out_bytes) {
    size_t bytes = tn_dtype_bytes(array->dtype);
    for (uint32_t i = 0; i < array->rank; i++)
        if (!tn_mul_size(bytes, (size_t)array->dims[i], &bytes))
            return tn_error_make(TN_CORRUPT, "%.*s: the array's size overflows", TN_STR_ARG(name));
    *out_bytes = bytes;
    return NULL;
}

tn_status tn_npy_read(const uint8_t *data, size_t bytes, tn_str name, tn_npy *out_array) {
    *out_array = (tn_npy){0};
    if (bytes < PREFIX_BYTES + 4 || memcmp(data, magic, sizeof magic) != 0)
        return tn_error_make(TN_CORRUPT, "%.*s: not a .npy file (%zu bytes, no NumPy magic)",
                             TN_STR_ARG(name), bytes);
    unsigned major = data[6];
    if (major < 1 || major > 3)
        return tn_error_make(TN_UNSUPPORTED, "%.*s: .npy version %u, expected 1 to 3",
                             TN_STR_ARG(name), major);
    size_t header_bytes = (size_t)data[8] | (size_t)data[9] << 8;
    size_t start = PREFIX_BYTES + 2;
    if (major > 1) {
        header_bytes |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
        start += 2;
    }
    if (header_bytes > bytes - start)
        return tn_error_make(TN_CORRUPT, "%.*s: the .npy header has %zu bytes, the file only %zu",
                             TN_STR_ARG(name), header_bytes, bytes);
    reader r = {.name = name, .text = {(const char *)data + start, header_bytes}};
    tn_npy array = {0};
    TN_TRY(take_dictionary(&r, &array));
    TN_TRY(array_bytes(name, &array, &array.bytes));
    start += header_bytes;
    if (array.bytes != bytes - start)
        return tn_error_make(TN_CORRUPT,
                             "%.*s: the file has %zu bytes of elements, the shape needs %zu",
                             TN_STR_ARG(name), bytes - start, array.bytes);
    array.data = data + start;
    *out_array = array;
    return NULL;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* The header with its prefix, padded so that the elements are aligned. */
static tn_status print_header(tn_buf *buf, const tn_npy *array) {
    tn_buf_append(buf, magic, sizeof magic);
    tn_buf_append(buf, "\x01\x00\x00\x00", 4);
    tn_buf_printf(buf, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                  descr_of(array->dtype));
    for (uint32_t i = 0; i < array->rank; i++)
        tn_buf_printf(buf, "%s%lld", i ? ", " : "", (long long)array->dims[i]);
    tn_buf_printf(buf, "%s), }", array->rank == 1 ? "," : "");
    while ((buf->len + 1) % HEADER_ALIGNMENT != 0 && !buf->failed)
        tn_buf_append(buf, " ", 1);
    tn_buf_append(buf, "\n", 1);
    TN_TRY(tn_buf_status(buf));
    size_t bytes = buf->len - PREFIX_BYTES - 2;
    buf->data[PREFIX_BYTES] = (char)(bytes & 0xff);
    buf->data[PREFIX_BYTES + 1] = (char)(bytes >> 8);
    return NULL;
}

tn_status tn_npy_write(const tn_allocator *allocator, const char *path, const tn_npy *array) {
    if (!descr_of(array->dtype))
        return tn_error_make(TN_INVALID_ARGUMENT, "'%s': the array to write has no dtype", path);
    tn_buf header;
    tn_buf_init(&header, *allocator);
    tn_file_writer writer = {.fd = -1, .allocator = *allocator};
    tn_status status = NULL;
    TN_GOTO(print_header(&header, array));
    TN_GOTO(tn_file_writer_open(&writer, allocator, path));
    TN_GOTO(tn_file_writer_append(&writer, header.data, header.len));
    TN_GOTO(tn_file_writer_append(&writer, array->data, array->bytes));
    TN_GOTO(tn_file_writer_commit(&writer));
done:
    tn_file_writer_close(&writer);
    tn_buf_deinit(&header);
    return status;
}
