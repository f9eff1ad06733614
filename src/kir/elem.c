/* elem.c: single elements of every dtype as double or int64, and the conversions of narrow floats.
 *
 * All roundings are to nearest even. f8e4m3 has no infinity: what lies beyond 448, infinities
 * included, becomes 448, as PyTorch 2.13 casts to float8_e4m3fn; f8e5m2 and f16 overflow to
 * infinity. */
#include <string.h>

#include "kir/interp.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float tn_bf16_to_f32(uint16_t bits) {
    return float_of((uint32_t)bits << 16);
}

uint16_t tn_f32_to_bf16(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40); /* stays NaN, quiet */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* A small float format: sign, exponent of exp_bits, fraction of frac_bits. */
typedef struct small_float {
    int exp_bits, frac_bits;
    bool has_infinity; /* else the largest exponent holds numbers, all ones is NaN */
} small_float;

static const small_float f16_format = {5, 10, true};
static const small_float f8e4m3_format = {4, 3, false};
static const small_float f8e5m2_format = {5, 2, true};

static float widen(small_float format, uint32_t bits) {
    int exp_mask = (1 << format.exp_bits) - 1, frac_mask = (1 << format.frac_bits) - 1;
    int bias = exp_mask >> 1;
    uint32_t sign = bits >> (format.exp_bits + format.frac_bits) & 1;
    int exponent = (int)(bits >> format.frac_bits) & exp_mask, fraction = (int)bits & frac_mask;
    bool is_special = exponent == exp_mask && (format.has_infinity || fraction == frac_mask);
    if (is_special) {
        uint32_t payload =
            format.has_infinity ? (uint32_t)fraction << (23 - format.frac_bits) : 0x400000u;
        return float_of(sign << 31 | 0x7f800000u | payload);
    }
    if (exponent == 0) { /* subnormal: fraction * 2^(1 - bias - frac_bits), exact in f32 */
        float unit = float_of((uint32_t)(127 + 1 - bias - format.frac_bits) << 23);
        float magnitude = (float)fraction * unit;
        return sign ? -magnitude : magnitude;
    }
    return float_of(sign << 31 | (uint32_t)(exponent - bias + 127) << 23 |
                    (uint32_t)fraction << (23 - format.frac_bits));
}

static uint32_t narrow(small_float format, float value) {
    uint32_t bits = bits_of(value), sign = bits >> 31, magnitude = bits & 0x7fffffffu;
    int exp_mask = (1 << format.exp_bits) - 1, bias = exp_mask >> 1;
    uint32_t sign_bit = sign << (format.exp_bits + format.frac_bits);
    uint32_t all_ones = (1u << (format.exp_bits + format.frac_bits)) - 1;
    uint32_t infinity = (uint32_t)exp_mask << format.frac_bits;
    uint32_t nan = format.has_infinity ? infinity | 1u << (format.frac_bits - 1) : all_ones;
    if (magnitude > 0x7f800000u)
        return sign_bit | nan;
    uint32_t overflow = format.has_infinity ? infinity : all_ones - 1;
    int exponent = (int)(magnitude >> 23) - 127 + bias; /* in the small format */
    if (exponent > exp_mask)
        return sign_bit | overflow;
    uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u; /* with the leading one */
    int shift = 23 - format.frac_bits;
    if (exponent < 1) {
        shift += 1 - exponent;
        exponent = 1;
    }
    if (shift > 24)
        return sign_bit; /* less than half of the smallest subnormal */
    uint32_t kept = fraction >> shift, rest = fraction & ((1u << shift) - 1);
    uint32_t half = 1u << (shift - 1);
    kept += rest > half || (rest == half && (kept & 1));
    /* A carry out of the fraction moves into the exponent by itself. The leading one of a normal
     * number counts as one step of the exponent, a subnormal has none. */
    uint32_t small = ((uint32_t)(exponent - 1) << format.frac_bits) + kept;
    uint32_t largest = format.has_infinity ? infinity - 1 : all_ones - 1;
    return sign_bit | (small > largest ? overflow : small);
}

float tn_f16_to_f32(uint16_t bits) {
    return widen(f16_format, bits);
}

uint16_t tn_f32_to_f16(float value) {
    return (uint16_t)narrow(f16_format, value);
}

float tn_f8e4m3_to_f32(uint8_t bits) {
    return widen(f8e4m3_format, bits);
}

uint8_t tn_f32_to_f8e4m3(float value) {
    return (uint8_t)narrow(f8e4m3_format, value);
}

float tn_f8e5m2_to_f32(uint8_t bits) {
    return widen(f8e5m2_format, bits);
}

uint8_t tn_f32_to_f8e5m2(float value) {
    return (uint8_t)narrow(f8e5m2_format, value);
}

/* double to float such that a second rounding to fewer bits gives what one rounding would: round to
 * odd. */
static float narrow_to_odd(double value) {
    float rounded = (float)value;
    uint32_t bits = bits_of(rounded);
    if ((double)rounded == value || value != value || (bits & 0x7f800000u) == 0x7f800000u)
        return rounded;
    bool is_above = ((double)rounded > value) == (value > 0); /* in magnitude */
    if (is_above)
        bits--;
    return float_of(bits | 1);
}

int64_t tn_f64_to_i64(double value) {
    if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0))
        return INT64_MIN; /* NaN too: what x86's conversion gives, and PyTorch there */
    return (int64_t)value;
}

int32_t tn_f64_to_i32(double value) {
    return value > -2147483649.0 && value < 2147483648.0 ? (int32_t)value : INT32_MIN;
}

uint64_t tn_f64_to_u64(double value) {
    if (value >= 9223372036854775808.0 && value < 18446744073709551616.0)
        return (uint64_t)value;
    return (uint64_t)tn_f64_to_i64(value);
}

/* Each dtype is loaded and stored through its own C type; memcpy because an element may be
 * unaligned. */
#define LOAD(type, element) (*(const type *)memcpy(&(type){0}, (element), sizeof(type)))
#define STORE(type, element, value) memcpy((element), &(type){(type)(value)}, sizeof(type))

double tn_elem_get_f64(tn_dtype dtype, const void *element) {
    switch (dtype) {
    case TN_F64:
        return LOAD(double, element);
    case TN_F32:
        return (double)LOAD(float, element);
    case TN_F16:
        return (double)tn_f16_to_f32(LOAD(uint16_t, element));
    case TN_BF16:
        return (double)tn_bf16_to_f32(LOAD(uint16_t, element));
    case TN_F8E4M3:
        return (double)tn_f8e4m3_to_f32(LOAD(uint8_t, element));
    case TN_F8E5M2:
        return (double)tn_f8e5m2_to_f32(LOAD(uint8_t, element));
    case TN_U64:
        return (double)LOAD(uint64_t, element);
    default:
        return (double)tn_elem_get_i64(dtype, element);
    }
}

void tn_elem_set_f64(tn_dtype dtype, void *element, double value) {
    switch (dtype) {
    case TN_F64:
        STORE(double, element, value);
        break;
    case TN_F32:
        STORE(float, element, value);
        break;
    case TN_F16:
        STORE(uint16_t, element, tn_f32_to_f16(narrow_to_odd(value)));
        break;
    case TN_BF16:
        STORE(uint16_t, element, tn_f32_to_bf16(narrow_to_odd(value)));
        break;
    case TN_F8E4M3:
        STORE(uint8_t, element, tn_f32_to_f8e4m3(narrow_to_odd(value)));
        break;
    case TN_F8E5M2:
        STORE(uint8_t, element, tn_f32_to_f8e5m2(narrow_to_odd(value)));
        break;
    case TN_U64:
        STORE(uint64_t, element, tn_f64_to_u64(value));
        break;
    case TN_BOOL:
        STORE(uint8_t, element, value != 0);
        break;
    case TN_I64:
    case TN_U32:
        tn_elem_set_i64(dtype, element, tn_f64_to_i64(value));
        break;
    default:
        tn_elem_set_i64(dtype, element, tn_f64_to_i32(value));
        break;
    }
}

int64_t tn_elem_get_i64(tn_dtype dtype, const void *element) {
    switch (dtype) {
    case TN_I64:
        return LOAD(int64_t, element);
    case TN_I32:
        return LOAD(int32_t, element);
    case TN_I16:
        return LOAD(int16_t, element);
    case TN_I8:
        return LOAD(int8_t, element);
    case TN_U64:
        return (int64_t)LOAD(uint64_t, element);
    case TN_U32:
        return LOAD(uint32_t, element);
    case TN_U16:
        return LOAD(uint16_t, element);
    case TN_U8:
        return LOAD(uint8_t, element);
    case TN_BOOL:
        return LOAD(uint8_t, element) != 0;
    default:
        return tn_f64_to_i64(tn_elem_get_f64(dtype, element));
    }
}

void tn_elem_set_i64(tn_dtype dtype, void *element, int64_t value) {
    switch (dtype) {
    case TN_I64:
    case TN_U64:
        STORE(int64_t, element, value);
        break;
    case TN_I32:
    case TN_U32:
        STORE(uint32_t, element, (uint64_t)value);
        break;
    case TN_I16:
    case TN_U16:
        STORE(uint16_t, element, (uint64_t)value);
        break;
    case TN_I8:
    case TN_U8:
        STORE(uint8_t, element, (uint64_t)value);
        break;
    case TN_BOOL:
        STORE(uint8_t, element, value != 0);
        break;
    case TN_F32:
        STORE(float, element, value);
        break; /* one rounding */
    default:
        tn_elem_set_f64(dtype, element, (double)value);
        break;
    }
}
