/* sym_poly.c: sums of products with integer coefficients: the canonical form around the atoms.
 *
 * A polynomial being worked on is a sorted array of terms on the stack; only finished expressions
 * and monomials enter the table. */
#include <string.h>

#include "base/checked.h"
#include "ir/sym_table.h"

enum { DEGREE_MAX = 64 };

static bool fail_overflow(tn_syms *syms) {
    (void)tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbolic expression overflows 64 bits");
    return false;
}

/* ---- monomials ------------------------------------------------------------------------------ */

/* The atoms of a monomial; a single atom is its own list. */
static const tn_sym *const *atoms_of(const tn_sym *const *mono, uint32_t *out_count) {
    if (!*mono) {
        *out_count = 0;
        return NULL;
    }
    if ((*mono)->kind != TN_SYM_MUL) {
        *out_count = 1;
        return mono;
    }
    *out_count = (*mono)->arg_count;
    return (*mono)->args;
}

/* The range of a product of two intervals. */
static void multiply_bounds(int64_t min, int64_t max, int64_t *inout_min, int64_t *inout_max) {
    int64_t corners[4] = {tn_bound_mul(min, *inout_min), tn_bound_mul(min, *inout_max),
                          tn_bound_mul(max, *inout_min), tn_bound_mul(max, *inout_max)};
    *inout_min = *inout_max = corners[0];
    for (int i = 1; i < 4; i++) {
        if (corners[i] < *inout_min)
            *inout_min = corners[i];
        if (corners[i] > *inout_max)
            *inout_max = corners[i];
    }
}

static const tn_sym *intern_product(tn_syms *syms, const tn_sym *const *factors, uint32_t count) {
    int64_t min = 1, max = 1;
    for (uint32_t i = 0; i < count; i++)
        multiply_bounds(factors[i]->min, factors[i]->max, &min, &max);
    return tn_sym_intern(syms, TN_SYM_MUL, factors, count, min, max);
}

static bool mono_from_atoms(tn_syms *syms, const tn_sym *const *atoms, uint32_t count,
                            const tn_sym **out) {
    *out = NULL;
    if (count == 0)
        return true;
    *out = count == 1 ? atoms[0] : intern_product(syms, atoms, count);
    return *out != NULL;
}

bool tn_mono_mul(tn_syms *syms, const tn_sym *a, const tn_sym *b, const tn_sym **out) {
    uint32_t a_count = 0, b_count = 0;
    const tn_sym *const *a_atoms = atoms_of(&a, &a_count);
    const tn_sym *const *b_atoms = atoms_of(&b, &b_count);
    const tn_sym *atoms[DEGREE_MAX];
    if (a_count + b_count > DEGREE_MAX) {
        (void)tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbolic product has more than %d factors",
                           DEGREE_MAX);
        return false;
    }
    uint32_t count = 0, i = 0, k = 0;
    while (i < a_count || k < b_count) {
        bool from_a = k == b_count || (i < a_count && tn_sym_compare(a_atoms[i], b_atoms[k]) <= 0);
        atoms[count++] = from_a ? a_atoms[i++] : b_atoms[k++];
    }
    return mono_from_atoms(syms, atoms, count, out);
}

bool tn_mono_div(tn_syms *syms, const tn_sym *a, const tn_sym *b, const tn_sym **out) {
    uint32_t a_count = 0, b_count = 0;
    const tn_sym *const *a_atoms = atoms_of(&a, &a_count);
    const tn_sym *const *b_atoms = atoms_of(&b, &b_count);
    const tn_sym *atoms[DEGREE_MAX];
    uint32_t count = 0, k = 0;
    for (uint32_t i = 0; i < a_count; i++) {
        if (k < b_count && a_atoms[i] == b_atoms[k])
            k++;
        else
            atoms[count++] = a_atoms[i];
    }
    return k == b_count && mono_from_atoms(syms, atoms, count, out);
}

/* Constants come last, so that "s0 + 1" prints that way round. */
static int compare_monos(const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return (a == NULL) - (b == NULL);
    return tn_sym_compare(a, b);
}

/* ---- polynomials ---------------------------------------------------------------------------- */

static bool push(tn_syms *syms, tn_poly *poly, int64_t coef, const tn_sym *mono) {
    if (coef == 0)
        return true;
    if (poly->count == TN_POLY_TERMS_MAX) {
        (void)tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbolic sum has more than %d terms",
                           (int)TN_POLY_TERMS_MAX);
        return false;
    }
    poly->terms[poly->count++] = (tn_poly_term){coef, mono};
    return true;
}

/* One argument of a sum, or a whole expression that is none. */
static bool push_term(tn_syms *syms, tn_poly *poly, const tn_sym *s) {
    if (s->kind == TN_SYM_CONST)
        return push(syms, poly, s->value, NULL);
    if (s->kind != TN_SYM_MUL || s->args[0]->kind != TN_SYM_CONST)
        return push(syms, poly, 1, s);
    const tn_sym *mono = NULL;
    return mono_from_atoms(syms, s->args + 1, s->arg_count - 1, &mono) &&
           push(syms, poly, s->args[0]->value, mono);
}

bool tn_poly_from_sym(tn_syms *syms, const tn_sym *s, tn_poly *out) {
    out->count = 0;
    if (s->kind != TN_SYM_ADD)
        return push_term(syms, out, s);
    /* a sum's arguments are in the order of their printed terms, which is that of the monomials */
    for (uint32_t i = 0; i < s->arg_count; i++)
        if (!push_term(syms, out, s->args[i]))
            return false;
    return true;
}

bool tn_poly_add(tn_syms *syms, const tn_poly *a, int64_t scale, const tn_poly *b, tn_poly *out) {
    tn_poly sum = {0};
    uint32_t i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : compare_monos(a->terms[i].mono, b->terms[k].mono);
        int64_t coef = 0;
        const tn_sym *mono = order <= 0 ? a->terms[i].mono : b->terms[k].mono;
        if (order >= 0 && !tn_mul_i64(b->terms[k++].coef, scale, &coef))
            return fail_overflow(syms);
        if (order <= 0 && !tn_add_i64(coef, a->terms[i++].coef, &coef))
            return fail_overflow(syms);
        if (!push(syms, &sum, coef, mono))
            return false;
    }
    *out = sum;
    return true;
}

bool tn_poly_mul(tn_syms *syms, const tn_poly *a, const tn_poly *b, tn_poly *out) {
    tn_poly total = {0};
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            tn_poly one = {.count = 1};
            if (!tn_mul_i64(a->terms[i].coef, b->terms[k].coef, &one.terms[0].coef))
                return fail_overflow(syms);
            if (!tn_mono_mul(syms, a->terms[i].mono, b->terms[k].mono, &one.terms[0].mono) ||
                !tn_poly_add(syms, &total, 1, &one, &total))
                return false;
        }
    }
    *out = total;
    return true;
}

static const tn_sym *term_to_sym(tn_syms *syms, const tn_poly_term *term) {
    if (!term->mono)
        return tn_sym_const(syms, term->coef);
    if (term->coef == 1)
        return term->mono;
    const tn_sym *factors[DEGREE_MAX + 1] = {tn_sym_const(syms, term->coef)};
    uint32_t count = 0;
    const tn_sym *const *atoms = atoms_of(&term->mono, &count);
    memcpy(factors + 1, atoms, count * sizeof *atoms);
    return factors[0] ? intern_product(syms, factors, count + 1) : NULL;
}

const tn_sym *tn_poly_to_sym(tn_syms *syms, const tn_poly *poly) {
    if (poly->count == 0)
        return tn_sym_const(syms, 0);
    const tn_sym *args[TN_POLY_TERMS_MAX];
    int64_t min = 0, max = 0;
    for (uint32_t i = 0; i < poly->count; i++) {
        args[i] = term_to_sym(syms, &poly->terms[i]);
        if (!args[i])
            return NULL;
        min = i ? tn_bound_add(min, args[i]->min) : args[i]->min;
        max = i ? tn_bound_add(max, args[i]->max) : args[i]->max;
    }
    return poly->count == 1 ? args[0]
                            : tn_sym_intern(syms, TN_SYM_ADD, args, poly->count, min, max);
}

int64_t tn_poly_constant(const tn_poly *poly) {
    if (poly->count == 0 || poly->terms[poly->count - 1].mono)
        return 0;
    return poly->terms[poly->count - 1].coef;
}

uint64_t tn_poly_gcd(const tn_poly *poly) {
    uint64_t gcd = 0;
    for (uint32_t i = 0; i < poly->count; i++)
        if (poly->terms[i].mono)
            gcd = tn_gcd_u64(gcd, tn_abs_i64(poly->terms[i].coef));
    return gcd;
}

/* ---- sums and products ---------------------------------------------------------------------- */

static const tn_sym *combine(tn_syms *syms, const tn_sym *a, int64_t scale, const tn_sym *b) {
    tn_poly pa, pb;
    if (!a || !b || !tn_poly_from_sym(syms, a, &pa) || !tn_poly_from_sym(syms, b, &pb) ||
        !tn_poly_add(syms, &pa, scale, &pb, &pa))
        return NULL;
    return tn_poly_to_sym(syms, &pa);
}

const tn_sym *tn_sym_add(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return combine(syms, a, 1, b);
}

const tn_sym *tn_sym_sub(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return combine(syms, a, -1, b);
}

const tn_sym *tn_sym_mul(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    tn_poly pa, pb;
    if (!a || !b || !tn_poly_from_sym(syms, a, &pa) || !tn_poly_from_sym(syms, b, &pb) ||
        !tn_poly_mul(syms, &pa, &pb, &pa))
        return NULL;
    return tn_poly_to_sym(syms, &pa);
}

const tn_sym *tn_sym_addi(tn_syms *syms, const tn_sym *a, int64_t b) {
    return tn_sym_add(syms, a, tn_sym_const(syms, b));
}

const tn_sym *tn_sym_muli(tn_syms *syms, const tn_sym *a, int64_t b) {
    return tn_sym_mul(syms, a, tn_sym_const(syms, b));
}
