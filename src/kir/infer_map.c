/* infer_map.c: result types of maps, creation, reductions and scans. */
#include "kir/infer.h"

enum {
    FLOATS = TN_SET_FLOAT,
    NUMBERS = TN_SET_FLOAT | TN_SET_INT,
    BITS = TN_SET_INT | TN_SET_BOOL,
    ANY = TN_SET_FLOAT | TN_SET_INT | TN_SET_BOOL,
};

/* The dtypes that a map takes. */
static unsigned map_dtypes(tn_prim prim) {
    switch (prim) {
    case TN_PRIM_NEG:
    case TN_PRIM_ABS:
    case TN_PRIM_SIGN:
    case TN_PRIM_RELU:
    case TN_PRIM_FLOOR:
    case TN_PRIM_CEIL:
    case TN_PRIM_TRUNC:
    case TN_PRIM_ROUND:
    case TN_PRIM_ADD:
    case TN_PRIM_SUB:
    case TN_PRIM_MUL:
    case TN_PRIM_FLOORDIV:
    case TN_PRIM_TRUNCDIV:
    case TN_PRIM_REMAINDER:
    case TN_PRIM_FMOD:
    case TN_PRIM_POW:
        return NUMBERS;
    case TN_PRIM_NOT:
    case TN_PRIM_AND:
    case TN_PRIM_OR:
    case TN_PRIM_XOR:
        return BITS;
    case TN_PRIM_SHL:
    case TN_PRIM_SHR:
        return TN_SET_INT;
    case TN_PRIM_ISNAN:
    case TN_PRIM_CAST:
    case TN_PRIM_MIN:
    case TN_PRIM_MAX:
    case TN_PRIM_EQ:
    case TN_PRIM_NE:
    case TN_PRIM_LT:
    case TN_PRIM_LE:
    case TN_PRIM_SELECT:
        return ANY;
    default:
        return FLOATS;
    }
}

static tn_dtype map_result_dtype(const tn_infer *in, tn_dtype operand) {
    switch (in->prim) {
    case TN_PRIM_ISNAN:
    case TN_PRIM_EQ:
    case TN_PRIM_NE:
    case TN_PRIM_LT:
    case TN_PRIM_LE:
        return TN_BOOL;
    case TN_PRIM_CAST:
        return in->args[1].dtype;
    default:
        return operand;
    }
}

void tn_infer_map(tn_infer *in) {
    static const char *const names[2][3] = {{"a", "b", "c"}, {"cond", "a", "b"}};
    bool is_select = in->prim == TN_PRIM_SELECT;
    uint32_t first = is_select ? 1 : 0; /* the first operand that has the common dtype */
    uint32_t count = in->prim == TN_PRIM_CAST ? 1 : in->arg_count;
    tn_type shape = {.dtype = TN_DTYPE_NONE};
    for (uint32_t i = 0; i < count; i++) {
        const char *name = count == 1 ? "x" : names[is_select][i];
        const tn_type *type = tn_infer_operand(in, i);
        if (i < first)
            tn_infer_same_dtype(in, name, type, TN_BOOL);
        else if (i == first && tn_infer_dtype(in, name, type, map_dtypes(in->prim)))
            shape.dtype = type->dtype;
        else
            tn_infer_same_dtype(in, name, type, shape.dtype);
        if (!tn_infer_broadcast(in, type, &shape))
            return;
    }
    shape.dtype = map_result_dtype(in, shape.dtype);
    in->results[0] = shape;
}

void tn_infer_create(tn_infer *in) {
    tn_type *result = &in->results[0];
    if (in->prim == TN_PRIM_SYM_VALUE) {
        *result = (tn_type){.dtype = TN_I64};
        return;
    }
    const tn_arg *shape = &in->args[0];
    if (shape->count > TN_MAX_RANK) {
        tn_infer_fail(in, "rank is %u, wanted at most %d", shape->count, TN_MAX_RANK);
        return;
    }
    result->rank = shape->count;
    for (uint32_t d = 0; d < shape->count; d++)
        result->dims[d] = shape->ints[d];
    result->dtype = in->args[4].dtype;
    if (in->prim == TN_PRIM_IOTA) {
        tn_infer_dim(in, 1, shape->count);
        if (result->dtype != TN_I64 && result->dtype != TN_I32 && result->dtype != TN_F32 &&
            result->dtype != TN_F64)
            tn_infer_fail(in, "dtype is %s, wanted i64, i32, f32 or f64",
                          tn_dtype_name(result->dtype));
        return;
    }
    tn_infer_word(in, 1, "uniform normal");
    tn_infer_int(in, 2);
    tn_infer_int(in, 3);
    tn_infer_dtype(in, "dtype", result, FLOATS);
}

/* Dims of the result, from the sorted list of reduced dims. */
static void reduce_shape(tn_infer *in, const tn_type *x, tn_type *out_type) {
    const tn_arg *dims = &in->args[1];
    bool keep_dim = in->args[2].b;
    uint32_t next = 0;
    int64_t last = -1;
    for (uint32_t i = 0; i < dims->count; i++) {
        int64_t dim = tn_infer_int_at(in, 1, i);
        if (dim <= last || dim >= x->rank) {
            tn_infer_fail(in, "dims must ascend within 0 to %d, element %u is %lld",
                          (int)x->rank - 1, i, (long long)dim);
            return;
        }
        last = dim;
    }
    *out_type = (tn_type){.dtype = x->dtype};
    for (uint32_t d = 0; d < x->rank; d++) {
        if (next < dims->count && dims->ints[next]->value == (int64_t)d) {
            next++;
            if (keep_dim)
                out_type->dims[out_type->rank++] = tn_sym_const(in->syms, 1);
        } else {
            out_type->dims[out_type->rank++] = x->dims[d];
        }
    }
}

void tn_infer_reduce(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x)
        return;
    tn_type *result = &in->results[0];
    reduce_shape(in, x, result);
    switch (in->prim) {
    case TN_PRIM_REDUCE_SUM:
    case TN_PRIM_REDUCE_PROD:
        if (!tn_dtype_is_float(x->dtype))
            result->dtype = TN_I64;
        break;
    case TN_PRIM_REDUCE_MEAN:
    case TN_PRIM_REDUCE_VAR:
        tn_infer_dtype(in, "x", x, FLOATS);
        break;
    case TN_PRIM_REDUCE_ANY:
    case TN_PRIM_REDUCE_ALL:
        result->dtype = TN_BOOL;
        break;
    case TN_PRIM_ARGMIN:
    case TN_PRIM_ARGMAX:
        result->dtype = TN_I64;
        if (in->args[1].count != 1)
            tn_infer_fail(in, "dims has %u elements, wanted 1", in->args[1].count);
        break;
    default:
        break; /* min, max: the operand's dtype */
    }
}

/* x [T, N, G H], w [H, G H], h [N, H]. */
static bool recurrent_fits(tn_infer *in, const tn_type *x, const tn_type *w, const tn_type *h,
                           int64_t gates) {
    return x->rank == 3 && w->rank == 2 && h->rank == 2 &&
           tn_infer_same_dim(in, h->dims[0], x->dims[1]) &&
           tn_infer_same_dim(in, w->dims[0], h->dims[1]) &&
           tn_infer_same_dim(in, w->dims[1], x->dims[2]) &&
           tn_infer_same_dim(in, w->dims[1], tn_sym_muli(in->syms, h->dims[1], gates));
}

/* A vector of all gates or none, and a c like h for an lstm only. */
static bool recurrent_extras_fit(tn_infer *in, const tn_type *w, const tn_type *h) {
    const tn_type *bias = tn_infer_operand(in, 2), *c = tn_infer_operand(in, 4);
    if (bias && (bias->dtype != w->dtype || bias->rank != 1 ||
                 !tn_infer_same_dim(in, bias->dims[0], w->dims[1])))
        return false;
    if (tn_str_is(in->args[5].s, "lstm") != (c != NULL))
        return false;
    return !c ||
           (c->dtype == h->dtype && c->rank == 2 && tn_infer_same_dim(in, c->dims[0], h->dims[0]) &&
            tn_infer_same_dim(in, c->dims[1], h->dims[1]));
}

static void infer_recurrent(tn_infer *in) {
    const tn_type *x = tn_infer_operand(in, 0), *w = tn_infer_operand(in, 1);
    const tn_type *h = tn_infer_operand(in, 3);
    if (!x || !w || !h || !tn_infer_word(in, 5, "lstm gru tanh relu") ||
        !tn_infer_dtype(in, "x", x, TN_SET_FLOAT) || !tn_infer_same_dtype(in, "w", w, x->dtype) ||
        !tn_infer_same_dtype(in, "h", h, x->dtype))
        return;
    long long gates = tn_str_is(in->args[5].s, "lstm")  ? 4
                      : tn_str_is(in->args[5].s, "gru") ? 3
                                                        : 1;
    if (!recurrent_fits(in, x, w, h, gates) || !recurrent_extras_fit(in, w, h)) {
        tn_infer_fail(
            in,
            "x is %s, w is %s and h is %s, wanted [T, N, %lld H], [H, %lld H] and [N, H], "
            "a bias [%lld H] or none, and c [N, H] for lstm only",
            TN_TYPE_TEXT(x), TN_TYPE_TEXT(w), TN_TYPE_TEXT(h), gates, gates, gates);
        return;
    }
    in->results[0] = *x;
    in->results[0].dims[2] = h->dims[1];
    in->results[1] = *h;
    in->result_count = 2;
}

void tn_infer_scan(tn_infer *in) {
    if (in->prim == TN_PRIM_RECURRENT) {
        infer_recurrent(in);
        return;
    }
    const tn_type *x = tn_infer_operand(in, 0);
    if (!x)
        return;
    tn_infer_dim(in, 1, x->rank);
    in->results[0] = *x;
    if (in->prim == TN_PRIM_CUMSUM || in->prim == TN_PRIM_CUMPROD) {
        if (!tn_dtype_is_float(x->dtype))
            in->results[0].dtype = TN_I64;
        return;
    }
    in->results[1] = *x;
    in->results[1].dtype = TN_I64;
    in->result_count = 2;
}
