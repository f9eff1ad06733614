/* sym.h: symbolic integers: the sizes of dynamic dimensions and everything computed from them.
 *
 * Expressions are interned in canonical form, so equal expressions are the same pointer: a
 * polynomial (sum of integer coefficient times product of atoms), where an atom is a symbol or one
 * of floordiv, mod, min, max, a comparison or select. Every expression knows its value range, and
 * simplification uses it (floordiv(4*s0, 4) is s0; max(1, s0) is s0 when s0 >= 1). Comparisons are
 * 0 or 1. Ranges are read when an expression is built, so declare symbols with their ranges first.
 *
 * Simplification takes for granted that nothing divides by zero or overflows: evaluating a
 * simplified expression may succeed where the one as written would have failed.
 *
 * Building never returns a status: a failed allocation, an overflow or a NULL operand gives NULL,
 * and NULL operands give NULL, so a chain is checked once at its end with tn_syms_status(). The
 * table is thread-compatible; finished expressions are immutable.
 */
#ifndef TN_IR_SYM_H
#define TN_IR_SYM_H

#include "base/arena.h"

typedef enum tn_sym_kind {
    TN_SYM_CONST = 0,
    TN_SYM_VAR = 1,
    TN_SYM_ADD = 2,      /* n-ary; args in a structural order, a constant last */
    TN_SYM_MUL = 3,      /* n-ary; a constant first, then atoms in a structural order */
    TN_SYM_FLOORDIV = 4, /* rounds to minus infinity */
    TN_SYM_MOD = 5,      /* sign of the divisor, as in Python */
    TN_SYM_MIN = 6,      /* binary */
    TN_SYM_MAX = 7,
    TN_SYM_EQ = 8,
    TN_SYM_LE = 9,      /* a < b is kept as a + 1 <= b */
    TN_SYM_SELECT = 10, /* args: condition, value if not 0, value if 0 */
} tn_sym_kind;

typedef struct tn_sym tn_sym;
struct tn_sym {
    tn_sym_kind kind;
    uint32_t id; /* order of creation in its table: a deterministic sort key */
    uint32_t arg_count;
    uint32_t tree_size; /* nodes of the expression written out as a tree; limited, so that every
                         * walk ends soon although subexpressions are shared */
    const tn_sym *const *args;
    int64_t value;    /* TN_SYM_CONST; of TN_SYM_VAR its number in the table */
    int64_t min, max; /* every value lies in [min, max]; INT64_MIN and INT64_MAX mean unbounded */
    tn_str name;      /* TN_SYM_VAR */
};

typedef struct tn_syms tn_syms;

/* The table lives in the arena. */
TN_MUST_USE tn_status tn_syms_create(tn_arena *arena, tn_syms **out_syms);
/* The first failure since creation, or since failures were forgotten: TN_OUT_OF_MEMORY,
 * TN_OUT_OF_RANGE (overflow, division by zero, a symbol without a possible value, an expression
 * with too many terms), TN_INVALID_ARGUMENT (a symbol's name is no identifier). */
TN_MUST_USE tn_status tn_syms_status(const tn_syms *syms);
/* For who has tried out expressions that may fail, and throws away what they were for. */
void tn_syms_forget_failure(tn_syms *syms);

const tn_sym *tn_sym_const(tn_syms *syms, int64_t value);
/* The symbol of that name; the first call creates it with this range, later calls intersect it. */
const tn_sym *tn_sym_var(tn_syms *syms, tn_str name, int64_t min, int64_t max);
/* NULL when there is no such symbol. */
const tn_sym *tn_sym_find_var(const tn_syms *syms, tn_str name);
size_t tn_sym_var_count(const tn_syms *syms);
const tn_sym *tn_sym_var_at(const tn_syms *syms, size_t i); /* in order of creation */

const tn_sym *tn_sym_add(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_sub(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_mul(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_floordiv(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_ceildiv(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_mod(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_min(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_max(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_eq(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_lt(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_le(tn_syms *syms, const tn_sym *a, const tn_sym *b);
const tn_sym *tn_sym_select(tn_syms *syms, const tn_sym *cond, const tn_sym *a, const tn_sym *b);
/* Shorthands with a constant. */
const tn_sym *tn_sym_addi(tn_syms *syms, const tn_sym *a, int64_t b);
const tn_sym *tn_sym_muli(tn_syms *syms, const tn_sym *a, int64_t b);

/* NULL, what failed to be built, is no constant. */
static inline bool tn_sym_is_const(const tn_sym *s) {
    return s && s->kind == TN_SYM_CONST;
}
static inline bool tn_sym_is(const tn_sym *s, int64_t value) {
    return s && s->kind == TN_SYM_CONST && s->value == value;
}

/* What the ranges prove: 1 yes, 0 no, -1 unknown. Never fails: what overflows is unknown. */
int tn_sym_known_eq(tn_syms *syms, const tn_sym *a, const tn_sym *b);
int tn_sym_known_le(tn_syms *syms, const tn_sym *a, const tn_sym *b);

/* The value with values[i] for the i-th symbol of the table. TN_OUT_OF_RANGE on overflow or
 * division by zero; the message prints the expression. */
TN_MUST_USE tn_status tn_sym_eval(const tn_syms *syms, const tn_sym *s, const int64_t *values,
                                  int64_t *out_value);
/* Replaces each symbol by map(user, symbol), which may return the symbol itself; NULL on
 * failure. */
const tn_sym *tn_sym_substitute(tn_syms *syms, const tn_sym *s,
                                const tn_sym *(*map)(void *user, const tn_sym *var), void *user);

/* "4*s0 + 1", "s0 // 2", "(s0 + 7) % 8", "min(s0, 512)", "select(s0 <= 4, 1, 2)"; parses back to
 * the same pointer. */
void tn_sym_print(tn_buf *buf, const tn_sym *s);
/* Parses what tn_sym_print prints, and ceildiv(a, b), <, >, >=, !=. Unknown symbols are an error
 * unless make_vars, which makes them with any non-negative value. TN_INVALID_ARGUMENT names the
 * column. */
TN_MUST_USE tn_status tn_sym_parse(tn_syms *syms, tn_str text, bool make_vars,
                                   const tn_sym **out_sym);
/* Parses the longest expression that text begins with; *out_used is where it ends, or where the
 * error is. */
TN_MUST_USE tn_status tn_sym_parse_prefix(tn_syms *syms, tn_str text, bool make_vars,
                                          const tn_sym **out_sym, size_t *out_used);
/* True for what tn_sym_var takes as a name: [A-Za-z_][A-Za-z0-9_]*, but no function of the
 * notation. */
bool tn_sym_name_ok(tn_str name);

#endif
