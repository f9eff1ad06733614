/* text_elem.c: elements of constants as decimals that read back exactly. The small float formats
 * are converted here by their parameters; the layer that computes with them is further right. */
#include "ir/text_elem.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

tn_dtype tn_dtype_from_str(tn_str name) {
#define X(enumerator, value, text, bytes, code, bits)                                              \
    if (tn_str_is(name, text))                                                                     \
        return enumerator;
    TN_DTYPE_LIST(X)
#undef X
    return TN_DTYPE_NONE;
}

/* ---- small floats --------------------------------------------------------------------------- */

/* value = mantissa * 2^(exponent - mantissa_bits); exponents from exponent_min on are normal. */
typedef struct small_float {
    int mantissa_bits;
    int exponent_bits;
    int exponent_min;
    bool has_infinity; /* else only the pattern of all ones is special, NaN, and what is too large
                        * becomes the largest number, as PyTorch casts */
} small_float;

static bool small_format(tn_dtype dtype, small_float *out) {
    switch (dtype) {
    case TN_F16:
        *out = (small_float){10, 5, -14, true};
        return true;
    case TN_BF16:
        *out = (small_float){7, 8, -126, true};
        return true;
    case TN_F8E4M3:
        *out = (small_float){3, 4, -6, false};
        return true;
    case TN_F8E5M2:
        *out = (small_float){2, 5, -14, true};
        return true;
    default:
        return false;
    }
}

static double small_to_f64(const small_float *format, uint32_t bits) {
    uint32_t mantissa_mask = (1u << format->mantissa_bits) - 1;
    uint32_t exponent_mask = (1u << format->exponent_bits) - 1;
    uint32_t mantissa = bits & mantissa_mask;
    uint32_t exponent = bits >> format->mantissa_bits & exponent_mask;
    bool is_negative = bits >> (format->mantissa_bits + format->exponent_bits) & 1;
    double value = 0;
    if (exponent == exponent_mask && format->has_infinity)
        value = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == exponent_mask && mantissa == mantissa_mask)
        value = (double)NAN;
    else if (exponent == 0)
        value = ldexp(mantissa, format->exponent_min - format->mantissa_bits);
    else
        value = ldexp(mantissa | (mantissa_mask + 1),
                      (int)exponent - 1 + format->exponent_min - format->mantissa_bits);
    return is_negative ? -value : value;
}

/* Rounds to nearest even. */
static uint32_t small_from_f64(const small_float *format, double value) {
    uint32_t sign_bit = 1u << (format->mantissa_bits + format->exponent_bits);
    uint32_t infinity = (sign_bit - 1) & ~((1u << format->mantissa_bits) - 1);
    uint32_t quiet_nan =
        format->has_infinity ? infinity | 1u << (format->mantissa_bits - 1) : sign_bit - 1;
    uint32_t overflow = format->has_infinity ? infinity : quiet_nan - 1;
    uint32_t sign = signbit(value) ? sign_bit : 0;
    if (isnan(value))
        return sign | quiet_nan;
    if (isinf(value))
        return sign | overflow;
    value = fabs(value);
    if (value == 0)
        return sign;
    int exponent = ilogb(value);
    if (exponent < format->exponent_min)
        exponent = format->exponent_min;
    /* Counting in units of the last place, a carry out of the mantissa moves into the exponent. */
    double mantissa = nearbyint(ldexp(value, format->mantissa_bits - exponent));
    double bits = mantissa + ldexp(exponent - format->exponent_min, format->mantissa_bits);
    return sign | (bits < overflow ? (uint32_t)bits : overflow);
}

/* ---- elements ------------------------------------------------------------------------------- */

static uint64_t load_bits(tn_dtype dtype, const void *data) {
    const uint8_t *bytes = data;
    uint64_t bits = 0;
    for (size_t i = tn_dtype_bytes(dtype); i-- > 0;)
        bits = bits << 8 | bytes[i];
    return bits;
}

static void store_bits(tn_dtype dtype, uint64_t bits, void *data) {
    uint8_t *bytes = data;
    for (size_t i = 0; i < tn_dtype_bytes(dtype); i++, bits >>= 8)
        bytes[i] = (uint8_t)bits;
}

static bool is_float(tn_dtype dtype) {
    small_float format;
    return dtype == TN_F64 || dtype == TN_F32 || small_format(dtype, &format);
}

static double float_from_bits(tn_dtype dtype, uint64_t bits) {
    small_float format;
    if (small_format(dtype, &format))
        return small_to_f64(&format, (uint32_t)bits);
    if (dtype == TN_F32) {
        uint32_t half = (uint32_t)bits;
        float value = 0;
        memcpy(&value, &half, sizeof value);
        return value;
    }
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t float_to_bits(tn_dtype dtype, double value) {
    small_float format;
    if (small_format(dtype, &format))
        return small_from_f64(&format, value);
    uint64_t bits = 0;
    if (dtype == TN_F32) {
        float narrow = (float)value;
        uint32_t half = 0;
        memcpy(&half, &narrow, sizeof half);
        return half;
    }
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The value as a decimal; bits where no decimal gives them (NaN). An f32 prints the shortest that
 * reads back, 0.1, as people write them; the small formats print exactly, or 448 would come out
 * as 4.5e+02. */
static void print_float(tn_buf *buf, tn_dtype dtype, uint64_t bits) {
    double value = float_from_bits(dtype, bits);
    char digits[32];
    /* reading "nan" back gives one pattern of many */
    if (float_to_bits(dtype, isnan(value) ? (double)NAN : value) != bits) {
        tn_buf_printf(buf, "0x%0*llx", (int)tn_dtype_bytes(dtype) * 2, (unsigned long long)bits);
        return;
    }
    if (dtype != TN_F32 || isnan(value) || isinf(value)) {
        tn_buf_append(buf, digits, tn_format_f64(digits, sizeof digits, value));
        return;
    }
    for (int precision = 1; precision <= 9; precision++) {
        tn_format(digits, sizeof digits, "%.*g", precision, value);
        double back = 0;
        if (tn_str_to_f64(tn_str_of(digits), &back) && float_to_bits(dtype, back) == bits)
            break;
    }
    tn_buf_printf(buf, "%s%s", digits, strpbrk(digits, ".e") ? "" : ".0");
}

static bool is_signed(tn_dtype dtype) {
    return dtype == TN_I64 || dtype == TN_I32 || dtype == TN_I16 || dtype == TN_I8;
}

static int64_t sign_extend(tn_dtype dtype, uint64_t bits) {
    unsigned shift = 64 - 8 * (unsigned)tn_dtype_bytes(dtype);
    uint64_t sign = (uint64_t)1 << (63 - shift);
    bits ^= sign;
    /* now an unsigned number that is too large by sign */
    return bits >= sign ? (int64_t)(bits - sign) : -1 - (int64_t)(sign - 1 - bits);
}

void tn_elem_print(tn_buf *buf, tn_dtype dtype, const void *data) {
    uint64_t bits = load_bits(dtype, data);
    if (is_float(dtype))
        print_float(buf, dtype, bits);
    else if (is_signed(dtype))
        tn_buf_printf(buf, "%lld", (long long)sign_extend(dtype, bits));
    else if (dtype == TN_BOOL && bits <= 1)
        tn_buf_printf(buf, "%s", bits ? "true" : "false");
    else if (dtype == TN_BOOL) /* no proper bool, but what the file says */
        tn_buf_printf(buf, "0x%02llx", (unsigned long long)bits);
    else
        tn_buf_printf(buf, "%llu", (unsigned long long)bits);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* "0x" and exactly the digits of the dtype's size. */
static bool parse_bits(tn_str text, tn_dtype dtype, uint64_t *out_bits) {
    uint64_t bits = 0;
    if (text.len != 2 + 2 * tn_dtype_bytes(dtype))
        return false;
    for (size_t i = 2; i < text.len; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return false;
        bits = bits << 4 | (uint64_t)digit;
    }
    *out_bits = bits;
    return true;
}

static bool parse_unsigned(tn_str text, uint64_t max, uint64_t *out_value) {
    uint64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out_value = value;
    return true;
}

static bool parse_integer(tn_str text, tn_dtype dtype, uint64_t *out_bits) {
    unsigned bit_count = 8 * (unsigned)tn_dtype_bytes(dtype);
    uint64_t highest = UINT64_MAX >> (64 - bit_count);
    if (!is_signed(dtype))
        return parse_unsigned(text, highest, out_bits);
    int64_t value = 0;
    int64_t limit = (int64_t)(highest >> 1);
    if (!tn_str_to_i64(text, &value) || value > limit || value < -limit - 1)
        return false;
    *out_bits = (uint64_t)value;
    return true;
}

bool tn_elem_parse(tn_str text, tn_dtype dtype, void *out_data) {
    uint64_t bits = 0;
    double value = 0;
    if (tn_str_starts(text, "0x") && (is_float(dtype) || dtype == TN_BOOL)) {
        if (!parse_bits(text, dtype, &bits))
            return false;
    } else if (is_float(dtype)) {
        if (!tn_str_to_f64(text, &value))
            return false;
        bits = float_to_bits(dtype, value);
    } else if (dtype == TN_BOOL) {
        bits = tn_str_is(text, "true");
        if (!bits && !tn_str_is(text, "false"))
            return false;
    } else if (!parse_integer(text, dtype, &bits)) {
        return false;
    }
    store_bits(dtype, bits, out_data);
    return true;
}

/* ---- walking -------------------------------------------------------------------------------- */

bool tn_const_next(const tn_type *type, int64_t *inout_index) {
    for (uint32_t i = type->rank; i-- > 0;) {
        if (++inout_index[i] < type->dims[i]->value)
            return true;
        inout_index[i] = 0;
    }
    return false;
}

const uint8_t *tn_const_at(const tn_type *type, const tn_const *data, const int64_t *index) {
    int64_t elems = 0;
    for (uint32_t i = 0; i < type->rank; i++)
        elems += index[i] * data->strides[i];
    return data->data + elems * (int64_t)tn_dtype_bytes(type->dtype);
}

bool tn_const_elems(const tn_type *type, size_t *out_elems) {
    size_t elems = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (type->dims[i]->value < 0 || !tn_mul_size(elems, (size_t)type->dims[i]->value, &elems))
            return false;
    *out_elems = elems;
    return true;
}
