/* pt2_expr.h: expressions in the notation of sympy's srepr(), as .pt2 files write sizes. */
#ifndef TN_FRONT_PT2_EXPR_H
#define TN_FRONT_PT2_EXPR_H

#include "ir/sym.h"

typedef enum tn_pt2_number_kind {
    TN_PT2_RATIO = 0, /* num / den, exactly; den is positive */
    TN_PT2_DOUBLE,    /* a constant that is no such fraction */
    TN_PT2_UNKNOWN,   /* depends on sizes in a way that integers cannot express */
} tn_pt2_number_kind;

/* The value of an expression. Fractions are needed because sympy writes s // 2 as Mul(Rational(1,
 * 2), s) when it knows that s is even, and scaled sizes as TruncToInt(Mul(Float('2.0'),
 * ToFloat(s))). */
typedef struct tn_pt2_number {
    tn_pt2_number_kind kind;
    const tn_sym *num, *den;
    double f;
} tn_pt2_number;

/* Parses. Symbols that the table lacks are made, with the range that their assumptions give.
 * TN_CORRUPT with the column; TN_UNSUPPORTED for a function that is not known; codes of
 * tn_syms_status(). */
TN_MUST_USE tn_status tn_pt2_expr_parse(tn_syms *syms, tn_str text, tn_pt2_number *out_number);
/* The integer that the number is, NULL if it is none. */
const tn_sym *tn_pt2_number_sym(tn_syms *syms, const tn_pt2_number *number);
/* The number if it is constant; false otherwise. */
bool tn_pt2_number_constant(const tn_pt2_number *number, double *out_value);

#endif
