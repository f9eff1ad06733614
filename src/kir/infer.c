/* infer.c: result types of primitives: dispatch, and what all rules share. The rules themselves
 * stand in infer_map.c (maps, creation, reductions, scans), infer_view.c (views, indices, order)
 * and infer_contract.c (contractions, windows, normalisations). */
#include "kir/infer.h"

#include <assert.h>
#include <string.h>

bool tn_dtype_is_float(tn_dtype dtype) {
    return dtype == TN_F64 || dtype == TN_F32 || dtype == TN_F16 || dtype == TN_BF16 ||
           dtype == TN_F8E4M3 || dtype == TN_F8E5M2;
}

bool tn_dtype_is_int(tn_dtype dtype) {
    return dtype == TN_I64 || dtype == TN_I32 || dtype == TN_I16 || dtype == TN_I8 ||
           dtype == TN_U64 || dtype == TN_U32 || dtype == TN_U16 || dtype == TN_U8;
}

void tn_infer_fail(tn_infer *in, const char *format, ...) {
    if (in->status)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    tn_vformat(text, sizeof text, format, args);
    va_end(args);
    tn_str name = tn_prim_name(in->prim);
    in->status = tn_error_make(TN_INVALID_ARGUMENT, "%.*s: %s", TN_STR_ARG(name), text);
}

tn_type_text tn_type_text_of(const tn_type *type) {
    tn_type_text out;
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_type_print(&buf, type);
    size_t len = buf.len < sizeof out.text ? buf.len : sizeof out.text - 1;
    memcpy(out.text, tn_buf_cstr(&buf), len);
    out.text[len] = '\0';
    tn_buf_deinit(&buf);
    return out;
}

const tn_type *tn_infer_operand(tn_infer *in, uint32_t i) {
    assert(i < in->arg_count);
    const tn_arg *arg = &in->args[i];
    if (in->status || arg->kind == TN_ARG_NONE)
        return NULL;
    assert(arg->kind == TN_ARG_VALUE && arg->operand < in->operand_count);
    return in->operands[arg->operand];
}

static int64_t const_of(tn_infer *in, uint32_t i, const tn_sym *s) {
    if (in->status)
        return 0;
    if (!s || !tn_sym_is_const(s)) {
        tn_infer_fail(in, "argument %u is a symbolic integer, wanted a constant", i);
        return 0;
    }
    return s->value;
}

int64_t tn_infer_int(tn_infer *in, uint32_t i) {
    assert(i < in->arg_count && in->args[i].kind == TN_ARG_INT);
    return const_of(in, i, in->args[i].i);
}

int64_t tn_infer_int_at(tn_infer *in, uint32_t i, uint32_t j) {
    assert(i < in->arg_count && in->args[i].kind == TN_ARG_INTS && j < in->args[i].count);
    return const_of(in, i, in->args[i].ints[j]);
}

uint32_t tn_infer_dim(tn_infer *in, uint32_t i, uint32_t bound) {
    int64_t dim = tn_infer_int(in, i);
    if (in->status)
        return 0;
    if (dim < 0 || dim >= bound) {
        tn_infer_fail(in, "dim is %lld, wanted 0 to %lld", (long long)dim, (long long)bound - 1);
        return 0;
    }
    return (uint32_t)dim;
}

bool tn_infer_list(tn_infer *in, uint32_t i, uint32_t count, const char *name) {
    assert(i < in->arg_count);
    if (in->args[i].kind != TN_ARG_INTS || in->args[i].count != count)
        tn_infer_fail(in, "%s has %u elements, wanted %u", name, in->args[i].count, count);
    return !in->status;
}

bool tn_infer_word(tn_infer *in, uint32_t i, const char *words) {
    assert(i < in->arg_count && in->args[i].kind == TN_ARG_STR);
    tn_str rest = tn_str_of(words);
    while (rest.len) {
        tn_str word;
        rest = tn_str_split(rest, ' ', &word);
        if (tn_str_equal(word, in->args[i].s))
            return !in->status;
    }
    tn_infer_fail(in, "\"%.*s\" is not one of: %s", TN_STR_ARG(in->args[i].s), words);
    return false;
}

bool tn_infer_dtype(tn_infer *in, const char *what, const tn_type *type, unsigned dtype_sets) {
    if (in->status || !type)
        return false;
    unsigned set = tn_dtype_is_float(type->dtype) ? TN_SET_FLOAT
                   : tn_dtype_is_int(type->dtype) ? TN_SET_INT
                                                  : TN_SET_BOOL;
    if (set & dtype_sets)
        return true;
    static const char *const names[8] = {
        "",     "a float dtype",         "an integer dtype",         "a float or integer dtype",
        "bool", "a float dtype or bool", "an integer dtype or bool", "any dtype"};
    tn_infer_fail(in, "%s is %s, wanted %s", what, TN_TYPE_TEXT(type), names[dtype_sets & 7]);
    return false;
}

bool tn_infer_same_dtype(tn_infer *in, const char *what, const tn_type *type, tn_dtype wanted) {
    if (in->status || !type)
        return false;
    if (type->dtype != wanted)
        tn_infer_fail(in, "%s is %s, wanted %s", what, TN_TYPE_TEXT(type), tn_dtype_name(wanted));
    return !in->status;
}

bool tn_infer_same_dim(tn_infer *in, const tn_sym *a, const tn_sym *b) {
    return a == b || tn_sym_known_eq(in->syms, a, b) != 0;
}

/* The size that two broadcast sizes give, NULL when they are known to clash. Where the ranges leave
 * open whether they are equal, a constant decides; the exporter's guards vouch for the rest. */
static const tn_sym *broadcast_dim(tn_infer *in, const tn_sym *a, const tn_sym *b) {
    if (a == b || tn_sym_is(b, 1))
        return a;
    if (tn_sym_is(a, 1))
        return b;
    if (tn_sym_known_eq(in->syms, a, b) == 0 && a->min > 1 && b->min > 1)
        return NULL;
    return tn_sym_is_const(b) ? b : a;
}

bool tn_infer_broadcast(tn_infer *in, const tn_type *type, tn_type *inout_shape) {
    if (in->status || !type)
        return false;
    tn_type *shape = inout_shape;
    uint32_t rank = type->rank > shape->rank ? type->rank : shape->rank;
    const tn_sym *dims[TN_MAX_RANK] = {NULL};
    for (uint32_t i = 0; i < rank; i++) { /* from the last dim */
        const tn_sym *a = i < shape->rank ? shape->dims[shape->rank - 1 - i] : NULL;
        const tn_sym *b = i < type->rank ? type->dims[type->rank - 1 - i] : NULL;
        const tn_sym *dim = !a ? b : !b ? a : broadcast_dim(in, a, b);
        if (!dim) {
            tn_infer_fail(in, "%s does not broadcast with %s", TN_TYPE_TEXT(type),
                          TN_TYPE_TEXT(shape));
            return false;
        }
        dims[rank - 1 - i] = dim;
    }
    shape->rank = rank;
    memcpy(shape->dims, dims, rank * sizeof dims[0]);
    return true;
}

/* A size whose computation failed is NULL; the table of symbols knows why. */
static tn_status check_dims(const tn_infer *in) {
    for (uint32_t i = 0; i < in->result_count; i++)
        for (uint32_t d = 0; d < in->results[i].rank; d++) {
            const tn_sym *dim = in->results[i].dims[d];
            if (!dim) {
                TN_TRY(tn_syms_status(in->syms));
                return tn_error_out_of_memory();
            }
            if (dim->max < 0) {
                tn_str name = tn_prim_name(in->prim);
                return tn_error_make(TN_INVALID_ARGUMENT,
                                     "%.*s: result %u has a negative size (%lld) in dim %u",
                                     TN_STR_ARG(name), i, (long long)dim->max, d);
            }
        }
    return NULL;
}

tn_status tn_prim_infer(tn_syms *syms, tn_prim prim, const tn_type *const *operands,
                        uint32_t operand_count, const tn_arg *args, uint32_t arg_count,
                        tn_type *out_results, uint32_t *out_result_count) {
    tn_infer in = {.syms = syms,
                   .prim = prim,
                   .operands = operands,
                   .operand_count = operand_count,
                   .args = args,
                   .arg_count = arg_count,
                   .results = out_results,
                   .result_count = 1};
    *out_result_count = 0;
    memset(&out_results[0], 0, sizeof out_results[0]);
    switch (tn_prim_class_of(prim)) {
    case TN_CLASS_MAP:
        tn_infer_map(&in);
        break;
    case TN_CLASS_VIEW:
        tn_infer_view(&in);
        break;
    case TN_CLASS_REDUCE:
        tn_infer_reduce(&in);
        break;
    case TN_CLASS_SCAN:
        tn_infer_scan(&in);
        break;
    case TN_CLASS_CREATE:
        tn_infer_create(&in);
        break;
    case TN_CLASS_INDEX:
        tn_infer_index(&in);
        break;
    case TN_CLASS_CONTRACT:
        tn_infer_contract(&in);
        break;
    case TN_CLASS_WINDOW:
        tn_infer_window(&in);
        break;
    case TN_CLASS_NORM:
        tn_infer_norm(&in);
        break;
    case TN_CLASS_ORDER:
        tn_infer_order(&in);
        break;
    case TN_CLASS_CALL:
        tn_infer_fail(&in, "its results have the types that it is given");
        break;
    }
    if (in.status)
        return in.status;
    TN_TRY(check_dims(&in));
    *out_result_count = in.result_count;
    return NULL;
}
