/* interp_map.c: maps: chunks of the broadcast operands are loaded into arrays of the compute type
 * (float for f32 and narrower floats, double for f64, int64 for integers and bool), mapped, stored.
 */
#include <string.h>
#include <tgmath.h>

#include "kir/interp_impl.h"

#define REAL float
#define NAME(x) f32_##x
#include "kir/interp_real.inc"

#define REAL double
#define NAME(x) f64_##x
#include "kir/interp_real.inc"

/* ---- integers -------------------------------------------------------------------------------- */

/* Integers are held as the low 64 bits of the true value; sums and products wrap there, and again
 * when stored as fewer bits. u64 shares the bits, but divides, compares and shifts right as
 * unsigned. */
static int64_t wrap(uint64_t bits) {
    return (int64_t)bits;
}

static int64_t int_div(int64_t a, int64_t b, bool is_floor) {
    if (b == 0)
        return 0;
    if (b == -1)
        return wrap(0 - (uint64_t)a); /* the lowest integer's quotient does not fit */
    int64_t quotient = a / b;
    return is_floor && a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static int64_t int_rest(int64_t a, int64_t b, bool is_floor) {
    if (b == 0 || b == -1)
        return 0;
    int64_t rest = a % b;
    return is_floor && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* Negative exponents as PyTorch: 1 / x rounded to zero. */
static int64_t int_pow(int64_t a, int64_t b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    uint64_t result = 1, factor = (uint64_t)a;
    for (; b > 0; b >>= 1) {
        if (b & 1)
            result *= factor;
        factor *= factor;
    }
    return wrap(result);
}

/* Counts outside of the type's bits shift everything out. */
static int64_t shift_left(int64_t a, int64_t b) {
    return b < 0 || b > 63 ? 0 : wrap((uint64_t)a << b);
}

static int64_t shift_right(int64_t a, int64_t b) {
    if (b < 0 || b > 63)
        b = 63;
    return a < 0 ? ~(int64_t)(~(uint64_t)a >> b) : a >> b;
}

#define LOOP(expression)                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                          \
        int64_t a = x[i], b = y[i];                                                                \
        (void)b;                                                                                   \
        out[i] = (expression);                                                                     \
    }                                                                                              \
    break

/* y is x for unary maps. */
static void int_map(tn_prim prim, const int64_t *x, const int64_t *y, int64_t count, int64_t *out) {
    switch (prim) {
    case TN_PRIM_NEG:
        LOOP(wrap(0 - (uint64_t)a));
    case TN_PRIM_ABS:
        LOOP(a < 0 ? wrap(0 - (uint64_t)a) : a);
    case TN_PRIM_SIGN:
        LOOP((a > 0) - (a < 0));
    case TN_PRIM_RELU:
        LOOP(a < 0 ? 0 : a);
    case TN_PRIM_NOT:
        LOOP(~a);
    case TN_PRIM_ADD:
        LOOP(wrap((uint64_t)a + (uint64_t)b));
    case TN_PRIM_SUB:
        LOOP(wrap((uint64_t)a - (uint64_t)b));
    case TN_PRIM_MUL:
        LOOP(wrap((uint64_t)a * (uint64_t)b));
    case TN_PRIM_FLOORDIV:
        LOOP(int_div(a, b, true));
    case TN_PRIM_TRUNCDIV:
        LOOP(int_div(a, b, false));
    case TN_PRIM_REMAINDER:
        LOOP(int_rest(a, b, true));
    case TN_PRIM_FMOD:
        LOOP(int_rest(a, b, false));
    case TN_PRIM_POW:
        LOOP(int_pow(a, b));
    case TN_PRIM_MIN:
        LOOP(a < b ? a : b);
    case TN_PRIM_MAX:
        LOOP(a > b ? a : b);
    case TN_PRIM_AND:
        LOOP(a & b);
    case TN_PRIM_OR:
        LOOP(a | b);
    case TN_PRIM_XOR:
        LOOP(a ^ b);
    case TN_PRIM_SHL:
        LOOP(shift_left(a, b));
    case TN_PRIM_SHR:
        LOOP(shift_right(a, b));
    case TN_PRIM_EQ:
        LOOP(a == b);
    case TN_PRIM_NE:
        LOOP(a != b);
    case TN_PRIM_LT:
        LOOP(a < b);
    case TN_PRIM_LE:
        LOOP(a <= b);
    default:
        LOOP(a); /* floor and its kin: an integer is whole */
    }
}
#undef LOOP

#define LOOP(expression)                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                          \
        uint64_t a = (uint64_t)x[i], b = (uint64_t)y[i];                                           \
        (void)b;                                                                                   \
        out[i] = wrap(expression);                                                                 \
    }                                                                                              \
    break

static void u64_map(tn_prim prim, const int64_t *x, const int64_t *y, int64_t count, int64_t *out) {
    switch (prim) {
    case TN_PRIM_ABS:
    case TN_PRIM_RELU:
        LOOP(a);
    case TN_PRIM_SIGN:
        LOOP(a > 0);
    case TN_PRIM_FLOORDIV:
    case TN_PRIM_TRUNCDIV:
        LOOP(b ? a / b : 0);
    case TN_PRIM_REMAINDER:
    case TN_PRIM_FMOD:
        LOOP(b ? a % b : 0);
    case TN_PRIM_MIN:
        LOOP(a < b ? a : b);
    case TN_PRIM_MAX:
        LOOP(a > b ? a : b);
    case TN_PRIM_SHR:
        LOOP(b > 63 ? 0 : a >> b);
    case TN_PRIM_LT:
        LOOP(a < b);
    case TN_PRIM_LE:
        LOOP(a <= b);
    default:
        int_map(prim, x, y, count, out);
    }
}
#undef LOOP

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Buffers of one chunk; which member is in use follows from the operands' dtype. */
typedef union chunk {
    float f32[TN_CHUNK];
    double f64[TN_CHUNK];
    int64_t i64[TN_CHUNK];
} chunk;

typedef enum compute { COMPUTE_F32, COMPUTE_F64, COMPUTE_I64, COMPUTE_U64 } compute;

static compute compute_of(tn_dtype dtype) {
    if (dtype == TN_F64)
        return COMPUTE_F64;
    if (tn_dtype_is_float(dtype))
        return COMPUTE_F32;
    return dtype == TN_U64 ? COMPUTE_U64 : COMPUTE_I64;
}

static void load(compute type, tn_walk *walk, int64_t count, chunk *out) {
    if (type == COMPUTE_F32)
        tn_walk_load_f32(walk, count, out->f32);
    else if (type == COMPUTE_F64)
        tn_walk_load_f64(walk, count, out->f64);
    else
        tn_walk_load_i64(walk, count, out->i64);
}

static void store(compute type, tn_walk *walk, int64_t count, const chunk *in) {
    if (type == COMPUTE_F32)
        tn_walk_store_f32(walk, count, in->f32);
    else if (type == COMPUTE_F64)
        tn_walk_store_f64(walk, count, in->f64);
    else
        tn_walk_store_i64(walk, count, in->i64);
}

static bool is_comparison(tn_prim prim) {
    return prim == TN_PRIM_EQ || prim == TN_PRIM_NE || prim == TN_PRIM_LT || prim == TN_PRIM_LE;
}

static void is_nan(compute type, const chunk *x, int64_t count, chunk *out) {
    for (int64_t i = 0; i < count; i++)
        out->i64[i] = type == COMPUTE_F32   ? x->f32[i] != x->f32[i]
                      : type == COMPUTE_F64 ? x->f64[i] != x->f64[i]
                                            : 0;
}

/* One chunk through a map that is neither cast nor select. y is x for unary ones. */
static void compute_chunk(tn_prim prim, compute type, bool is_unary, const chunk *x, const chunk *y,
                          int64_t count, chunk *out) {
    if (prim == TN_PRIM_ISNAN)
        is_nan(type, x, count, out);
    else if (type == COMPUTE_I64)
        int_map(prim, x->i64, y->i64, count, out->i64);
    else if (type == COMPUTE_U64)
        u64_map(prim, x->i64, y->i64, count, out->i64);
    else if (is_comparison(prim) && type == COMPUTE_F32)
        f32_compare(prim, x->f32, y->f32, count, out->i64);
    else if (is_comparison(prim))
        f64_compare(prim, x->f64, y->f64, count, out->i64);
    else if (is_unary && type == COMPUTE_F32)
        f32_unary(prim, x->f32, count, out->f32);
    else if (is_unary)
        f64_unary(prim, x->f64, count, out->f64);
    else if (type == COMPUTE_F32)
        f32_binary(prim, x->f32, y->f32, count, out->f32);
    else
        f64_binary(prim, x->f64, y->f64, count, out->f64);
}

static void run_select(const tn_interp_call *call, int64_t elems) {
    const tn_tensor *result = &call->results[0];
    size_t bytes = tn_dtype_bytes(result->dtype);
    tn_walk walks[3], out = tn_walk_over(result);
    int64_t cond[TN_CHUNK];
    uint8_t a[TN_CHUNK * sizeof(uint64_t)], b[TN_CHUNK * sizeof(uint64_t)];
    for (uint32_t i = 0; i < 3; i++)
        walks[i] = tn_walk_broadcast(tn_interp_operand(call, i), result->rank, result->dims);
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        tn_walk_load_i64(&walks[0], count, cond);
        tn_walk_load_raw(&walks[1], count, a);
        tn_walk_load_raw(&walks[2], count, b);
        for (int64_t i = 0; i < count; i++)
            if (!cond[i])
                memcpy(a + (size_t)i * bytes, b + (size_t)i * bytes, bytes);
        tn_walk_store_raw(&out, count, a);
    }
}

/* Integers keep 64 bits on the way to integers and round once on the way to floats; u64 goes to
 * floats through double, and everything else starts as a float. */
static void run_cast(const tn_interp_call *call, int64_t elems) {
    const tn_tensor *x = tn_interp_operand(call, 0), *result = &call->results[0];
    bool is_exact =
        !tn_dtype_is_float(x->dtype) && (x->dtype != TN_U64 || !tn_dtype_is_float(result->dtype));
    tn_walk in = tn_walk_broadcast(x, result->rank, result->dims), out = tn_walk_over(result);
    chunk values;
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        load(is_exact ? COMPUTE_I64 : COMPUTE_F64, &in, count, &values);
        store(is_exact ? COMPUTE_I64 : COMPUTE_F64, &out, count, &values);
    }
}

tn_status tn_interp_map(const tn_interp_call *call) {
    const tn_tensor *result = &call->results[0];
    int64_t elems = tn_tensor_elems(result);
    if (call->prim == TN_PRIM_SELECT || call->prim == TN_PRIM_CAST) {
        if (call->prim == TN_PRIM_SELECT)
            run_select(call, elems);
        else
            run_cast(call, elems);
        return NULL;
    }
    const tn_tensor *x = tn_interp_operand(call, 0);
    bool is_unary = strchr(tn_prim_schema(call->prim), ',') == NULL;
    bool gives_bool = is_comparison(call->prim) || call->prim == TN_PRIM_ISNAN;
    compute type = compute_of(x->dtype);
    tn_walk in_x = tn_walk_broadcast(x, result->rank, result->dims), in_y = in_x;
    tn_walk out = tn_walk_over(result);
    if (!is_unary)
        in_y = tn_walk_broadcast(tn_interp_operand(call, 1), result->rank, result->dims);
    chunk a, b, c;
    for (int64_t done = 0; done < elems; done += TN_CHUNK) {
        int64_t count = tn_min_i64(elems - done, TN_CHUNK);
        load(type, &in_x, count, &a);
        if (!is_unary)
            load(type, &in_y, count, &b);
        compute_chunk(call->prim, type, is_unary, &a, is_unary ? &a : &b, count, &c);
        if (x->dtype == TN_BOOL && call->prim == TN_PRIM_NOT)
            for (int64_t i = 0; i < count; i++)
                c.i64[i] &= 1;
        store(gives_bool ? COMPUTE_I64 : type, &out, count, &c);
    }
    return NULL;
}
