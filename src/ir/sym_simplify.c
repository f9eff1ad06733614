/* sym_simplify.c: the atoms: division, remainder, minimum, maximum, comparisons and select, each
 * simplified as it is built.
 *
 * What exported models write is mostly of three kinds: exact divisions from reshapes, clamps from
 * slices, and window sizes from convolutions. The rules below settle those; an atom is what is
 * left. */
#include "base/checked.h"
#include "ir/sym_table.h"

static const tn_sym *fail_zero(tn_syms *syms) {
    return tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbolic expression divides by zero");
}

static const tn_sym *fail_overflow(tn_syms *syms) {
    return tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbolic expression overflows 64 bits");
}

static const tn_sym *negate(tn_syms *syms, const tn_sym *a) {
    return tn_sym_muli(syms, a, -1);
}

static bool is_unbounded(int64_t bound) {
    return bound == INT64_MIN || bound == INT64_MAX;
}

/* True when floor(s / d) is the same for every value of s; d > 0. */
static bool has_one_quotient(const tn_sym *s, int64_t d, int64_t *out_quotient) {
    if (is_unbounded(s->min) || is_unbounded(s->max))
        return false;
    *out_quotient = tn_floordiv_i64(s->min, d);
    return *out_quotient == tn_floordiv_i64(s->max, d);
}

static const tn_sym *poly_sum(tn_syms *syms, const tn_poly *a, const tn_sym *b) {
    return tn_sym_add(syms, tn_poly_to_sym(syms, a), b);
}

static void keep_term(tn_poly *poly, int64_t coef, const tn_sym *mono) {
    if (coef != 0)
        poly->terms[poly->count++] = (tn_poly_term){coef, mono};
}

/* ---- division by a constant ----------------------------------------------------------------- */

static const tn_sym *floordiv_const(tn_syms *syms, const tn_sym *a, int64_t d);

static int64_t bound_floordiv(int64_t bound, int64_t d) {
    return is_unbounded(bound) ? bound : tn_floordiv_i64(bound, d);
}

/* (x // c + k) // d is (x + k*c) // (c*d). NULL without a failure when rest has another form. */
static const tn_sym *merge_nested(tn_syms *syms, const tn_poly *rest, int64_t d) {
    const tn_sym *inner = rest->terms[0].mono;
    int64_t product = 0, shift = 0;
    bool has_form = rest->terms[0].coef == 1 && inner && inner->kind == TN_SYM_FLOORDIV &&
                    tn_sym_is_const(inner->args[1]) &&
                    (rest->count == 1 || (rest->count == 2 && !rest->terms[1].mono));
    if (!has_form || !tn_mul_i64(inner->args[1]->value, d, &product) ||
        !tn_mul_i64(inner->args[1]->value, tn_poly_constant(rest), &shift))
        return NULL;
    return floordiv_const(syms, tn_sym_addi(syms, inner->args[0], shift), product);
}

/* rest // d, where no coefficient of rest is a multiple of d and its constant lies in [0, d). */
static const tn_sym *floordiv_rest(tn_syms *syms, tn_poly *rest, int64_t d) {
    if (rest->count == 0)
        return tn_sym_const(syms, 0);
    int64_t gcd = (int64_t)tn_gcd_u64(tn_poly_gcd(rest), (uint64_t)d);
    tn_poly reduced = {0};
    for (uint32_t i = 0; i < rest->count; i++)
        keep_term(&reduced, tn_floordiv_i64(rest->terms[i].coef, gcd), rest->terms[i].mono);
    d /= gcd;
    const tn_sym *s = tn_poly_to_sym(syms, &reduced);
    int64_t quotient = 0;
    if (!s)
        return NULL;
    if (has_one_quotient(s, d, &quotient))
        return tn_sym_const(syms, quotient);
    const tn_sym *merged = merge_nested(syms, &reduced, d);
    if (merged || syms->code != TN_OK)
        return merged;
    const tn_sym *args[2] = {s, tn_sym_const(syms, d)};
    if (!args[1])
        return NULL;
    return tn_sym_intern(syms, TN_SYM_FLOORDIV, args, 2, bound_floordiv(s->min, d),
                         bound_floordiv(s->max, d));
}

static const tn_sym *floordiv_const(tn_syms *syms, const tn_sym *a, int64_t d) {
    if (!a)
        return NULL;
    if (d == 0)
        return fail_zero(syms);
    if (d == INT64_MIN)
        return fail_overflow(syms);
    if (d < 0) { /* a // -d is -a // d */
        a = negate(syms, a);
        d = -d;
    }
    tn_poly poly, whole = {0}, rest = {0};
    if (!a || !tn_poly_from_sym(syms, a, &poly))
        return NULL;
    for (uint32_t i = 0; i < poly.count; i++) {
        int64_t coef = poly.terms[i].coef;
        const tn_sym *mono = poly.terms[i].mono;
        bool is_split = !mono || coef % d == 0;
        keep_term(&whole, is_split ? tn_floordiv_i64(coef, d) : 0, mono);
        keep_term(&rest, is_split ? tn_mod_i64(coef, d) : coef, mono);
    }
    return poly_sum(syms, &whole, floordiv_rest(syms, &rest, d));
}

/* ---- remainder by a constant ---------------------------------------------------------------- */

/* Replaces c * (x % e) by c * x where d divides c * e; true when it did. */
static bool unwrap_mod(tn_syms *syms, tn_poly *poly, int64_t d) {
    for (uint32_t i = 0; i < poly->count; i++) {
        const tn_sym *mono = poly->terms[i].mono;
        int64_t coef = poly->terms[i].coef, product = 0;
        if (!mono || mono->kind != TN_SYM_MOD || !tn_sym_is_const(mono->args[1]) ||
            !tn_mul_i64(coef, mono->args[1]->value, &product) || product % d != 0)
            continue;
        tn_poly inner;
        tn_poly one = {.count = 1, .terms = {{1, mono}}};
        return tn_poly_from_sym(syms, mono->args[0], &inner) &&
               tn_poly_add(syms, poly, -coef, &one, poly) &&
               tn_poly_add(syms, poly, coef, &inner, poly);
    }
    return false;
}

static const tn_sym *mod_const(tn_syms *syms, const tn_sym *a, int64_t d) {
    if (d == 0)
        return fail_zero(syms);
    if (d == INT64_MIN)
        return fail_overflow(syms);
    if (d < 0) { /* a % -d is -(-a % d) */
        const tn_sym *negated = negate(syms, a);
        return negated ? negate(syms, mod_const(syms, negated, -d)) : NULL;
    }
    int64_t quotient = 0, shift = 0;
    if (has_one_quotient(a, d, &quotient) && tn_mul_i64(quotient, -d, &shift))
        return tn_sym_addi(syms, a, shift);
    tn_poly poly, rest = {0};
    if (!tn_poly_from_sym(syms, a, &poly))
        return NULL;
    while (unwrap_mod(syms, &poly, d)) {
    }
    if (syms->code != TN_OK)
        return NULL;
    for (uint32_t i = 0; i < poly.count; i++)
        keep_term(&rest, tn_mod_i64(poly.terms[i].coef, d), poly.terms[i].mono);
    /* (g*x + c) % (g*k) is g * ((x + c // g) % k) + c % g */
    int64_t gcd = (int64_t)tn_gcd_u64(tn_poly_gcd(&rest), (uint64_t)d);
    int64_t left_over = tn_mod_i64(tn_poly_constant(&rest), gcd);
    tn_poly reduced = {0};
    for (uint32_t i = 0; i < rest.count; i++)
        keep_term(&reduced, tn_floordiv_i64(rest.terms[i].coef, gcd), rest.terms[i].mono);
    d /= gcd;
    const tn_sym *s = tn_poly_to_sym(syms, &reduced);
    if (!s)
        return NULL;
    if (has_one_quotient(s, d, &quotient) && tn_mul_i64(quotient, -d, &shift)) {
        s = tn_sym_addi(syms, s, shift);
    } else {
        const tn_sym *args[2] = {s, tn_sym_const(syms, d)};
        s = args[1] ? tn_sym_intern(syms, TN_SYM_MOD, args, 2, 0, d - 1) : NULL;
    }
    return tn_sym_addi(syms, tn_sym_muli(syms, s, gcd), left_over);
}

/* ---- division by an expression -------------------------------------------------------------- */

static bool is_nonzero(const tn_sym *s) {
    return s->min > 0 || s->max < 0;
}

static bool poly_equal(const tn_poly *a, const tn_poly *b) {
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->terms[i].coef != b->terms[i].coef || a->terms[i].mono != b->terms[i].mono)
            return false;
    return true;
}

static bool divide_term(tn_syms *syms, const tn_poly_term *a, const tn_poly_term *b,
                        tn_poly_term *out) {
    if (b->coef == -1 && a->coef == INT64_MIN)
        return false;
    if (a->coef % b->coef != 0 || !tn_mono_div(syms, a->mono, b->mono, &out->mono))
        return false;
    out->coef = a->coef / b->coef;
    return true;
}

/* Splits a = whole * b + rest, taking every term that a one-term b divides, or, for a longer b,
 * only an exact quotient of one term. False after a failure. */
static bool split_exact(tn_syms *syms, const tn_poly *a, const tn_poly *b, tn_poly *whole,
                        tn_poly *rest) {
    *whole = *rest = (tn_poly){0};
    for (uint32_t i = 0; i < a->count; i++) {
        tn_poly quotient = {.count = 1};
        bool divides = divide_term(syms, &a->terms[i], &b->terms[0], &quotient.terms[0]);
        if (syms->code != TN_OK)
            return false;
        if (b->count == 1) {
            if (divides && !tn_poly_add(syms, whole, 1, &quotient, whole))
                return false;
            if (!divides)
                keep_term(rest, a->terms[i].coef, a->terms[i].mono);
            continue;
        }
        tn_poly product;
        if (!divides)
            continue;
        if (!tn_poly_mul(syms, &quotient, b, &product))
            return false;
        if (poly_equal(&product, a)) {
            *whole = quotient;
            return true;
        }
    }
    if (b->count > 1)
        *rest = *a;
    return true;
}

/* Divides all terms of both by what they share: a constant, and positive factors of the one-term
 * b. */
static bool cancel(tn_syms *syms, tn_poly *a, tn_poly *b) {
    tn_poly_term shared = {.coef = (int64_t)tn_gcd_u64(tn_poly_gcd(a), tn_poly_gcd(b))};
    if (tn_poly_constant(a) || shared.coef <= 0)
        shared.coef = 1;
    const tn_sym *mono = b->terms[0].mono;
    uint32_t count = mono && mono->kind == TN_SYM_MUL ? mono->arg_count : 1;
    for (uint32_t i = 0; mono && i < count; i++) {
        const tn_sym *atom = mono->kind == TN_SYM_MUL ? mono->args[i] : mono;
        const tn_sym *larger = NULL, *quotient = NULL;
        bool is_shared = tn_mono_mul(syms, shared.mono, atom, &larger) &&
                         tn_mono_div(syms, mono, larger, &quotient);
        for (uint32_t k = 0; is_shared && k < a->count; k++)
            is_shared = tn_mono_div(syms, a->terms[k].mono, larger, &quotient);
        if (is_shared)
            shared.mono = larger;
    }
    if (syms->code != TN_OK || (shared.coef == 1 && !shared.mono))
        return false;
    tn_poly reduced = {0};
    for (uint32_t i = 0; i < a->count; i++) {
        /* dividing by a monomial may change the order of terms, so they are added up anew */
        tn_poly one = {.count = 1};
        if (!divide_term(syms, &a->terms[i], &shared, &one.terms[0]) ||
            !tn_poly_add(syms, &reduced, 1, &one, &reduced))
            return false;
    }
    *a = reduced;
    return divide_term(syms, &b->terms[0], &shared, &b->terms[0]);
}

static void floordiv_range(const tn_sym *a, const tn_sym *b, int64_t *out_min, int64_t *out_max) {
    *out_min = INT64_MIN;
    *out_max = INT64_MAX;
    if (b->min <= 0)
        return;
    bool b_is_unbounded = b->max == INT64_MAX;
    if (a->min >= 0)
        *out_min = b_is_unbounded ? 0 : tn_floordiv_i64(a->min, b->max);
    else
        *out_min = bound_floordiv(a->min, b->min);
    if (a->max >= 0)
        *out_max = bound_floordiv(a->max, b->min);
    else
        *out_max = b_is_unbounded ? -1 : tn_floordiv_i64(a->max, b->max);
}

/* 0 <= a < b for all values. */
static bool is_below(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return a->min >= 0 && tn_sym_known_le(syms, b, a) == 0;
}

const tn_sym *tn_sym_floordiv(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    if (tn_sym_is_const(b))
        return floordiv_const(syms, a, b->value);
    tn_poly whole = {0};
    if (is_nonzero(b)) {
        tn_poly pa, pb, rest;
        if (!tn_poly_from_sym(syms, a, &pa) || !tn_poly_from_sym(syms, b, &pb) ||
            !split_exact(syms, &pa, &pb, &whole, &rest))
            return NULL;
        if (rest.count == 0)
            return tn_poly_to_sym(syms, &whole);
        if (pb.count == 1 && cancel(syms, &rest, &pb))
            return poly_sum(
                syms, &whole,
                tn_sym_floordiv(syms, tn_poly_to_sym(syms, &rest), tn_poly_to_sym(syms, &pb)));
        if (syms->code != TN_OK)
            return NULL;
        a = tn_poly_to_sym(syms, &rest);
        if (!a)
            return NULL;
    }
    if (is_below(syms, a, b))
        return tn_poly_to_sym(syms, &whole);
    int64_t min = 0, max = 0;
    floordiv_range(a, b, &min, &max);
    const tn_sym *args[2] = {a, b};
    return poly_sum(syms, &whole, tn_sym_intern(syms, TN_SYM_FLOORDIV, args, 2, min, max));
}

const tn_sym *tn_sym_ceildiv(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    /* The form with b - 1 is the one people write, and equal for a positive b. */
    if (b->min > 0)
        return tn_sym_floordiv(syms, tn_sym_add(syms, a, tn_sym_addi(syms, b, -1)), b);
    return negate(syms, tn_sym_floordiv(syms, negate(syms, a), b));
}

const tn_sym *tn_sym_mod(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    if (tn_sym_is_const(b))
        return mod_const(syms, a, b->value);
    if (is_nonzero(b)) {
        tn_poly pa, pb, whole, rest;
        if (!tn_poly_from_sym(syms, a, &pa) || !tn_poly_from_sym(syms, b, &pb) ||
            !split_exact(syms, &pa, &pb, &whole, &rest))
            return NULL;
        a = tn_poly_to_sym(syms, &rest);
        if (!a || tn_sym_is(a, 0))
            return a;
    }
    if (is_below(syms, a, b))
        return a;
    int64_t min = b->min >= 0 ? 0 : tn_bound_add(b->min, 1);
    int64_t max = b->max <= 0 ? 0 : tn_bound_add(b->max, -1);
    if (a->min >= 0 && b->min > 0 && a->max < max)
        max = a->max;
    const tn_sym *args[2] = {a, b};
    return tn_sym_intern(syms, TN_SYM_MOD, args, 2, min, max);
}

/* ---- minimum and maximum -------------------------------------------------------------------- */

enum { LEAVES_MAX = 16 };

/* Collects the operands of nested minima (or maxima); false when there are too many. */
static bool collect_leaves(tn_sym_kind kind, const tn_sym *s, const tn_sym **leaves,
                           uint32_t *inout_count) {
    if (s->kind == kind)
        return collect_leaves(kind, s->args[0], leaves, inout_count) &&
               collect_leaves(kind, s->args[1], leaves, inout_count);
    if (*inout_count == LEAVES_MAX)
        return false;
    leaves[(*inout_count)++] = s;
    return true;
}

static const tn_sym *extreme_of_two(tn_syms *syms, tn_sym_kind kind, const tn_sym *a,
                                    const tn_sym *b) {
    if (!a || !b)
        return NULL;
    const tn_sym *args[2] = {a, b};
    if (kind == TN_SYM_MIN)
        return tn_sym_intern(syms, kind, args, 2, a->min < b->min ? a->min : b->min,
                             a->max < b->max ? a->max : b->max);
    return tn_sym_intern(syms, kind, args, 2, a->min > b->min ? a->min : b->min,
                         a->max > b->max ? a->max : b->max);
}

/* True if a never beats b, so that it can be left out beside it. */
static bool is_redundant(tn_syms *syms, tn_sym_kind kind, const tn_sym *a, const tn_sym *b) {
    return (kind == TN_SYM_MIN ? tn_sym_known_le(syms, b, a) : tn_sym_known_le(syms, a, b)) == 1;
}

static void sort_leaves(const tn_sym **leaves, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        const tn_sym *leaf = leaves[i];
        uint32_t k = i;
        /* constants last */
        for (; k > 0 && (tn_sym_is_const(leaves[k - 1]) ||
                         (!tn_sym_is_const(leaf) && tn_sym_compare(leaves[k - 1], leaf) > 0));
             k--)
            leaves[k] = leaves[k - 1];
        leaves[k] = leaf;
    }
}

static const tn_sym *extreme(tn_syms *syms, tn_sym_kind kind, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    const tn_sym *leaves[LEAVES_MAX];
    uint32_t count = 0;
    if (!collect_leaves(kind, a, leaves, &count) || !collect_leaves(kind, b, leaves, &count))
        return extreme_of_two(syms, kind, a, b);
    for (uint32_t i = 0; i < count; i++) {
        bool is_dropped = false;
        for (uint32_t k = 0; k < count && !is_dropped; k++)
            is_dropped = k != i && is_redundant(syms, kind, leaves[i], leaves[k]);
        if (is_dropped) {
            leaves[i--] = leaves[--count];
        }
    }
    sort_leaves(leaves, count);
    const tn_sym *result = leaves[0];
    for (uint32_t i = 1; i < count; i++)
        result = extreme_of_two(syms, kind, result, leaves[i]);
    return result;
}

const tn_sym *tn_sym_min(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return extreme(syms, TN_SYM_MIN, a, b);
}

const tn_sym *tn_sym_max(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return extreme(syms, TN_SYM_MAX, a, b);
}

/* ---- comparisons ---------------------------------------------------------------------------- */

static bool is_truth(const tn_sym *s) {
    return s->min >= 0 && s->max <= 1;
}

static bool is_comparison(const tn_sym *s) {
    return s->kind == TN_SYM_EQ || s->kind == TN_SYM_LE;
}

/* "positive terms ? negative terms and constant", from a difference to be compared with 0. */
static bool split_sides(tn_syms *syms, const tn_poly *difference, const tn_sym *out_sides[2]) {
    tn_poly left = {0}, right = {0};
    for (uint32_t i = 0; i < difference->count; i++) {
        int64_t coef = difference->terms[i].coef;
        const tn_sym *mono = difference->terms[i].mono;
        bool is_left = mono && coef > 0;
        if (!is_left && coef == INT64_MIN)
            return fail_overflow(syms) != NULL;
        keep_term(is_left ? &left : &right, is_left ? coef : -coef, mono);
    }
    out_sides[0] = tn_poly_to_sym(syms, &left);
    out_sides[1] = tn_poly_to_sym(syms, &right);
    return out_sides[0] && out_sides[1];
}

static bool subtract(tn_syms *syms, const tn_sym *a, const tn_sym *b, tn_poly *out) {
    tn_poly pb;
    return a && b && tn_poly_from_sym(syms, a, out) && tn_poly_from_sym(syms, b, &pb) &&
           tn_poly_add(syms, out, -1, &pb, out);
}

/* Divides by the greatest common divisor of the coefficients. For an equation the constant must be
 * a multiple (false if not: it has no solution); for <= it is rounded up. */
static bool divide_by_gcd(tn_poly *poly, bool is_equation) {
    uint64_t gcd = tn_poly_gcd(poly);
    if (gcd <= 1 || gcd > INT64_MAX)
        return true;
    int64_t constant = tn_poly_constant(poly);
    if (is_equation && constant % (int64_t)gcd != 0)
        return false;
    tn_poly reduced = {0};
    for (uint32_t i = 0; i < poly->count; i++) {
        int64_t coef = poly->terms[i].coef;
        int64_t quotient = coef / (int64_t)gcd;
        if (!poly->terms[i].mono && coef % (int64_t)gcd > 0)
            quotient++;
        keep_term(&reduced, quotient, poly->terms[i].mono);
    }
    *poly = reduced;
    return true;
}

const tn_sym *tn_sym_le(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    int known = tn_sym_known_le(syms, a, b);
    if (known >= 0)
        return tn_sym_const(syms, known);
    tn_poly difference;
    if (!subtract(syms, a, b, &difference))
        return NULL;
    (void)divide_by_gcd(&difference, false);
    const tn_sym *sides[2];
    if (!split_sides(syms, &difference, sides))
        return NULL;
    return tn_sym_intern(syms, TN_SYM_LE, sides, 2, 0, 1);
}

const tn_sym *tn_sym_lt(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return tn_sym_le(syms, tn_sym_addi(syms, a, 1), b);
}

/* 1 - truth, as a comparison. */
static const tn_sym *negate_truth(tn_syms *syms, const tn_sym *truth) {
    if (truth->kind == TN_SYM_LE)
        return tn_sym_lt(syms, truth->args[1], truth->args[0]);
    if (truth->kind == TN_SYM_EQ && is_truth(truth->args[0]) && tn_sym_is(truth->args[1], 0))
        return truth->args[0];
    const tn_sym *args[2] = {truth, tn_sym_const(syms, 0)};
    return args[1] ? tn_sym_intern(syms, TN_SYM_EQ, args, 2, 0, 1) : NULL;
}

const tn_sym *tn_sym_eq(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return NULL;
    int known = tn_sym_known_eq(syms, a, b);
    if (known >= 0)
        return tn_sym_const(syms, known);
    tn_poly difference;
    if (!subtract(syms, a, b, &difference))
        return NULL;
    if (!divide_by_gcd(&difference, true))
        return tn_sym_const(syms, 0);
    tn_poly zero = {0};
    if (difference.terms[0].coef < 0 && !tn_poly_add(syms, &zero, -1, &difference, &difference))
        return NULL;
    const tn_sym *sides[2];
    if (!split_sides(syms, &difference, sides))
        return NULL;
    if (is_comparison(sides[0]) && tn_sym_is(sides[1], 0))
        return negate_truth(syms, sides[0]);
    if (is_comparison(sides[0]) && tn_sym_is(sides[1], 1))
        return sides[0];
    return tn_sym_intern(syms, TN_SYM_EQ, sides, 2, 0, 1);
}

const tn_sym *tn_sym_select(tn_syms *syms, const tn_sym *cond, const tn_sym *a, const tn_sym *b) {
    if (!cond || !a || !b)
        return NULL;
    if (a == b || is_nonzero(cond))
        return a;
    if (tn_sym_is(cond, 0))
        return b;
    if (cond->kind == TN_SYM_EQ && tn_sym_is(cond->args[1], 0))
        return tn_sym_select(syms, cond->args[0], b, a);
    if (is_truth(cond) && tn_sym_is(a, 1) && tn_sym_is(b, 0))
        return cond;
    if (is_comparison(cond) && tn_sym_is(a, 0) && tn_sym_is(b, 1))
        return negate_truth(syms, cond);
    const tn_sym *args[3] = {cond, a, b};
    return tn_sym_intern(syms, TN_SYM_SELECT, args, 3, a->min < b->min ? a->min : b->min,
                         a->max > b->max ? a->max : b->max);
}

/* ---- proofs --------------------------------------------------------------------------------- */

/* Replaces coef * atom in d by coef * bound / scale, everything multiplied by scale: whoever proves
 * the result <= 0 has proved d <= 0, if the bound is one in the right direction. */
static const tn_sym *replace_atom(tn_syms *syms, const tn_sym *d, const tn_poly_term *term,
                                  const tn_sym *bound, int64_t scale) {
    const tn_sym *without = tn_sym_sub(syms, d, tn_sym_muli(syms, term->mono, term->coef));
    return tn_sym_add(syms, tn_sym_muli(syms, without, scale),
                      tn_sym_muli(syms, bound, term->coef));
}

static bool prove_le_zero(tn_syms *syms, const tn_sym *d, int depth);

static bool prove_by_atom(tn_syms *syms, const tn_sym *d, const tn_poly_term *term, int depth) {
    const tn_sym *atom = term->mono;
    bool is_above = term->coef > 0; /* an upper bound of the atom is wanted */
    if (atom->kind == TN_SYM_FLOORDIV && tn_sym_is_const(atom->args[1])) {
        int64_t c = atom->args[1]->value; /* always positive; x - c + 1 <= c * (x // c) <= x */
        const tn_sym *bound = is_above ? atom->args[0] : tn_sym_addi(syms, atom->args[0], 1 - c);
        return prove_le_zero(syms, replace_atom(syms, d, term, bound, c), depth - 1);
    }
    if (atom->kind == TN_SYM_MOD && is_above && atom->args[0]->min >= 0 && atom->args[1]->min > 0)
        return prove_le_zero(syms, replace_atom(syms, d, term, atom->args[0], 1), depth - 1) ||
               prove_le_zero(syms,
                             replace_atom(syms, d, term, tn_sym_addi(syms, atom->args[1], -1), 1),
                             depth - 1);
    if (atom->kind == TN_SYM_MIN || atom->kind == TN_SYM_MAX) {
        /* an upper bound of a minimum is either operand, of a maximum it takes both */
        bool first = prove_le_zero(syms, replace_atom(syms, d, term, atom->args[0], 1), depth - 1);
        bool either = (atom->kind == TN_SYM_MIN) == is_above;
        if (first == either)
            return first;
        return prove_le_zero(syms, replace_atom(syms, d, term, atom->args[1], 1), depth - 1);
    }
    return false;
}

static bool prove_le_zero(tn_syms *syms, const tn_sym *d, int depth) {
    if (!d)
        return false;
    if (d->max <= 0)
        return true;
    tn_poly poly;
    if (depth == 0 || !tn_poly_from_sym(syms, d, &poly))
        return false;
    for (uint32_t i = 0; i < poly.count; i++)
        if (poly.terms[i].mono && prove_by_atom(syms, d, &poly.terms[i], depth))
            return true;
    return false;
}

enum { PROOF_DEPTH = 2 };

/* An overflow during a proof is no failure of the table, only no proof. */
static void forget_overflow(tn_syms *syms, tn_code code, const char *message) {
    if (syms->code == TN_OUT_OF_MEMORY)
        return;
    syms->code = code;
    syms->message = message;
}

int tn_sym_known_le(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return -1;
    if (a == b || tn_sym_is(a, INT64_MIN) || tn_sym_is(b, INT64_MAX))
        return 1;
    if (a->max <= b->min)
        return 1;
    if (a->min > b->max)
        return 0;
    tn_code code = syms->code;
    const char *message = syms->message;
    int known = -1;
    const tn_sym *difference = tn_sym_sub(syms, a, b);
    if (difference && prove_le_zero(syms, difference, PROOF_DEPTH))
        known = 1;
    else if (difference &&
             prove_le_zero(syms, tn_sym_addi(syms, negate(syms, difference), 1), PROOF_DEPTH))
        known = 0;
    forget_overflow(syms, code, message);
    return known;
}

int tn_sym_known_eq(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    if (!a || !b)
        return -1;
    if (a == b)
        return 1;
    if (tn_sym_is_const(a) && tn_sym_is_const(b))
        return 0;
    if (tn_sym_known_le(syms, a, b) == 0 || tn_sym_known_le(syms, b, a) == 0)
        return 0;
    return -1;
}
