/* pt2_json.c: the pieces of the export schema that several parts read: unions, types, sizes. */
#include "front/pt2.h"

/* Code of torch._export.serde.schema.ScalarType, tenon's type (none: not supported), PyTorch's
 * name. */
#define SCALAR_TYPES(X)                                                                            \
    X(1, TN_U8, "uint8")                                                                           \
    X(2, TN_I8, "int8")                                                                            \
    X(3, TN_I16, "int16")                                                                          \
    X(4, TN_I32, "int32")                                                                          \
    X(5, TN_I64, "int64")                                                                          \
    X(6, TN_F16, "float16")                                                                        \
    X(7, TN_F32, "float32")                                                                        \
    X(8, TN_F64, "float64")                                                                        \
    X(9, TN_DTYPE_NONE, "complex32")                                                               \
    X(10, TN_DTYPE_NONE, "complex64")                                                              \
    X(11, TN_DTYPE_NONE, "complex128")                                                             \
    X(12, TN_BOOL, "bool")                                                                         \
    X(13, TN_BF16, "bfloat16")                                                                     \
    X(28, TN_U16, "uint16")                                                                        \
    X(29, TN_F8E4M3, "float8_e4m3fn")                                                              \
    X(30, TN_F8E5M2, "float8_e5m2")                                                                \
    X(31, TN_DTYPE_NONE, "float8_e4m3fnuz")                                                        \
    X(32, TN_DTYPE_NONE, "float8_e5m2fnuz")                                                        \
    X(33, TN_DTYPE_NONE, "float8_e8m0fnu")                                                         \
    X(34, TN_U32, "uint32")                                                                        \
    X(35, TN_U64, "uint64")

static const struct {
    int64_t code;
    tn_dtype dtype;
    const char *name;
} scalar_types[] = {
#define X(code, dtype, name) {code, dtype, name},
    SCALAR_TYPES(X)
#undef X
};

tn_status tn_pt2_union(tn_json_value value, tn_str *out_tag, tn_json_value *out_content) {
    *out_tag = TN_STR("");
    *out_content = (tn_json_value){value.doc, UINT32_MAX};
    TN_TRY(tn_json_expect(value, TN_JSON_OBJECT));
    if (tn_json_count(value) != 1)
        return tn_json_error(value, TN_CORRUPT, "a union with %u members, expected one",
                             (unsigned)tn_json_count(value));
    tn_json_walk walk = tn_json_begin(value);
    (void)tn_json_step(&walk);
    *out_tag = tn_json_raw(walk.key);
    *out_content = walk.value;
    return NULL;
}

tn_status tn_pt2_name(tn_pt2 *pt2, tn_json_value holder, tn_str *out_name) {
    tn_json_value name;
    *out_name = TN_STR("");
    TN_TRY(tn_json_member(holder, "name", TN_JSON_STRING, &name));
    return tn_json_str(pt2->arena, name, out_name);
}

tn_status tn_pt2_dtype(tn_json_value value, tn_dtype *out_dtype) {
    int64_t code = 0;
    *out_dtype = TN_DTYPE_NONE;
    TN_TRY(tn_json_i64(value, &code));
    for (size_t i = 0; i < sizeof scalar_types / sizeof *scalar_types; i++) {
        if (scalar_types[i].code != code)
            continue;
        *out_dtype = scalar_types[i].dtype;
        if (*out_dtype)
            return NULL;
        return tn_json_error(value, TN_UNSUPPORTED, "elements of type torch.%s are not supported",
                             scalar_types[i].name);
    }
    return tn_json_error(value, TN_CORRUPT, "%lld is no known ScalarType", (long long)code);
}

/* Parses each text once: exports repeat a handful of them thousands of times. */
static tn_status parse_expr(tn_pt2 *pt2, tn_json_value text_value, tn_pt2_number *out_number) {
    tn_str text;
    TN_TRY(tn_json_str(pt2->arena, text_value, &text));
    const tn_pt2_number *known = tn_map_get(&pt2->exprs, text);
    if (!known) {
        tn_pt2_number *number = NULL;
        TN_ARENA_TRY(pt2->arena, number, 1);
        tn_status status = tn_pt2_expr_parse(pt2->syms, text, number);
        if (status) {
            tn_status placed =
                tn_json_error(text_value, tn_status_code(status), "%s", tn_status_message(status));
            tn_status_free(status);
            return placed;
        }
        TN_TRY(tn_map_set(&pt2->exprs, text, number));
        known = number;
    }
    *out_number = *known;
    return NULL;
}

tn_status tn_pt2_number_of(tn_pt2 *pt2, tn_json_value value, tn_pt2_number *out_number) {
    tn_str tag;
    tn_json_value content;
    *out_number = (tn_pt2_number){.kind = TN_PT2_UNKNOWN};
    TN_TRY(tn_pt2_union(value, &tag, &content));
    if (tn_str_is(tag, "as_expr")) {
        tn_json_value text;
        TN_TRY(tn_json_member(content, "expr_str", TN_JSON_STRING, &text));
        return parse_expr(pt2, text, out_number);
    }
    if (tn_str_is(tag, "as_float")) {
        *out_number = (tn_pt2_number){.kind = TN_PT2_DOUBLE};
        return tn_json_f64(content, &out_number->f);
    }
    int64_t literal = 0;
    if (tn_str_is(tag, "as_bool")) {
        bool is_true = false;
        TN_TRY(tn_json_bool(content, &is_true));
        literal = is_true;
    } else if (tn_str_is(tag, "as_int")) {
        TN_TRY(tn_json_i64(content, &literal));
    } else {
        return tn_json_error(value, TN_CORRUPT,
                             "'%.*s', expected as_expr, as_int, as_bool or as_float",
                             (int)(tag.len < 64 ? tag.len : 64), tag.data);
    }
    out_number->kind = TN_PT2_RATIO;
    out_number->num = tn_sym_const(pt2->syms, literal);
    out_number->den = tn_sym_const(pt2->syms, 1);
    return out_number->num && out_number->den ? NULL : tn_syms_status(pt2->syms);
}

tn_status tn_pt2_sym(tn_pt2 *pt2, tn_json_value value, const tn_sym **out_sym) {
    tn_pt2_number number;
    *out_sym = NULL;
    TN_TRY(tn_pt2_number_of(pt2, value, &number));
    *out_sym = tn_pt2_number_sym(pt2->syms, &number);
    if (*out_sym)
        return NULL;
    TN_TRY(tn_syms_status(pt2->syms));
    return tn_json_error(value, TN_UNSUPPORTED, "a size that is not an integer expression");
}

tn_status tn_pt2_type(tn_pt2 *pt2, tn_json_value meta, tn_type *out_type) {
    tn_json_value dtype;
    tn_json_value sizes;
    *out_type = (tn_type){0};
    TN_TRY(tn_json_member(meta, "dtype", TN_JSON_NUMBER, &dtype));
    TN_TRY(tn_pt2_dtype(dtype, &out_type->dtype));
    TN_TRY(tn_json_member(meta, "sizes", TN_JSON_ARRAY, &sizes));
    if (tn_json_count(sizes) > TN_MAX_RANK)
        return tn_json_error(sizes, TN_UNSUPPORTED, "%u dimensions, at most %d are supported",
                             (unsigned)tn_json_count(sizes), TN_MAX_RANK);
    for (tn_json_walk walk = tn_json_begin(sizes); tn_json_step(&walk);) {
        const tn_sym *dim = NULL;
        TN_TRY(tn_pt2_sym(pt2, walk.value, &dim));
        if (dim->max < 0)
            return tn_json_error(walk.value, TN_CORRUPT,
                                 "a size of at most %lld, expected 0 or more", (long long)dim->max);
        out_type->dims[out_type->rank++] = dim;
    }
    return NULL;
}

tn_status tn_pt2_strides(tn_pt2 *pt2, tn_json_value meta, uint32_t rank,
                         const tn_sym **out_strides) {
    tn_json_value strides;
    TN_TRY(tn_json_member(meta, "strides", TN_JSON_ARRAY, &strides));
    if (tn_json_count(strides) != rank)
        return tn_json_error(strides, TN_CORRUPT, "%u strides for %u dimensions",
                             (unsigned)tn_json_count(strides), (unsigned)rank);
    uint32_t i = 0;
    for (tn_json_walk walk = tn_json_begin(strides); tn_json_step(&walk); i++)
        TN_TRY(tn_pt2_sym(pt2, walk.value, &out_strides[i]));
    return NULL;
}
