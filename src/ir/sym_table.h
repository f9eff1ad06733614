/* sym_table.h: the inside of the symbol table, shared by sym.c (table), sym_poly.c (polynomials)
 * and sym_simplify.c (atoms). */
#ifndef TN_IR_SYM_TABLE_H
#define TN_IR_SYM_TABLE_H

#include "base/map.h"
#include "ir/sym.h"

struct tn_syms {
    tn_arena *arena;
    const tn_sym **slots; /* the interned expressions, open addressing */
    size_t slot_count;    /* a power of two */
    size_t count;
    tn_map by_name; /* of variables; its order is the order of creation */
    tn_code code;   /* of the first failure */
    const char *message;
};

/* Records the first failure and returns NULL. */
const tn_sym *tn_syms_fail(tn_syms *syms, tn_code code, const char *format, ...) TN_PRINTF(3, 4);

/* The expression with these parts, made if new; args are copied. No simplification. */
const tn_sym *tn_sym_intern(tn_syms *syms, tn_sym_kind kind, const tn_sym *const *args,
                            uint32_t arg_count, int64_t min, int64_t max);

/* A total order by structure: independent of the order of creation, so that an expression that is
 * printed and parsed in another table comes out the same. */
int tn_sym_compare(const tn_sym *a, const tn_sym *b);

/* ---- polynomials ----------------------------------------------------------------------------- */

enum { TN_POLY_TERMS_MAX = 128 };

/* coef * mono; mono is NULL (1), an atom, or an interned TN_SYM_MUL of atoms without a constant. */
typedef struct tn_poly_term {
    int64_t coef;
    const tn_sym *mono;
} tn_poly_term;

/* Terms in the order of their monomials, the constant last; no coefficient is 0. */
typedef struct tn_poly {
    uint32_t count;
    tn_poly_term terms[TN_POLY_TERMS_MAX];
} tn_poly;

/* These return false after a failure, which they have recorded. */
bool tn_poly_from_sym(tn_syms *syms, const tn_sym *s, tn_poly *out);
bool tn_poly_add(tn_syms *syms, const tn_poly *a, int64_t scale, const tn_poly *b, tn_poly *out);
bool tn_poly_mul(tn_syms *syms, const tn_poly *a, const tn_poly *b, tn_poly *out);
const tn_sym *tn_poly_to_sym(tn_syms *syms, const tn_poly *poly);
/* The constant term, 0 if there is none. */
int64_t tn_poly_constant(const tn_poly *poly);
/* Greatest common divisor of the coefficients other than the constant's; 0 without any. */
uint64_t tn_poly_gcd(const tn_poly *poly);
/* The product of two monomials; NULL is 1. */
bool tn_mono_mul(tn_syms *syms, const tn_sym *a, const tn_sym *b, const tn_sym **out);
/* a / b if b divides a. */
bool tn_mono_div(tn_syms *syms, const tn_sym *a, const tn_sym *b, const tn_sym **out);

/* ---- numbers --------------------------------------------------------------------------------- */

/* Floor division and the remainder that goes with it; b is not 0, and not INT64_MIN / -1. */
static inline int64_t tn_floordiv_i64(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q - (a % b != 0 && (a % b < 0) != (b < 0));
}
static inline int64_t tn_mod_i64(int64_t a, int64_t b) {
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline uint64_t tn_abs_i64(int64_t a) {
    return a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
}
static inline uint64_t tn_gcd_u64(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Bounds, where the ends of int64_t stand for infinity. */
int64_t tn_bound_add(int64_t a, int64_t b);
int64_t tn_bound_mul(int64_t a, int64_t b);

#endif
