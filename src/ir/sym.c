/* sym.c: the table of interned expressions, symbols, evaluation and substitution. */
#include "ir/sym.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/checked.h"
#include "ir/sym_table.h"

/* A limit far above what models write and far below what would exhaust a stack or a minute. */
enum { TREE_SIZE_MAX = 4096, FIRST_SLOTS = 256 };

/* ---- table ---------------------------------------------------------------------------------- */

tn_status tn_syms_create(tn_arena *arena, tn_syms **out_syms) {
    *out_syms = NULL;
    tn_syms *syms = NULL;
    TN_ARENA_TRY(arena, syms, 1);
    TN_ARENA_TRY(arena, syms->slots, FIRST_SLOTS);
    syms->arena = arena;
    syms->slot_count = FIRST_SLOTS;
    tn_map_init(&syms->by_name, tn_arena_allocator(arena));
    *out_syms = syms;
    return NULL;
}

tn_status tn_syms_status(const tn_syms *syms) {
    if (syms->code == TN_OK)
        return NULL;
    if (syms->code == TN_OUT_OF_MEMORY)
        return tn_error_out_of_memory();
    return tn_error_make(syms->code, "%s", syms->message);
}

void tn_syms_forget_failure(tn_syms *syms) {
    syms->code = TN_OK;
    syms->message = NULL;
}

const tn_sym *tn_syms_fail(tn_syms *syms, tn_code code, const char *format, ...) {
    if (syms->code != TN_OK)
        return NULL;
    char message[512];
    va_list args;
    va_start(args, format);
    (void)tn_vformat(message, sizeof message, format, args);
    va_end(args);
    tn_str kept = tn_arena_str(syms->arena, tn_str_of(message));
    syms->code = kept.data ? code : TN_OUT_OF_MEMORY;
    syms->message = kept.data;
    return NULL;
}

static const tn_sym *fail_memory(tn_syms *syms) {
    return tn_syms_fail(syms, TN_OUT_OF_MEMORY, "out of memory");
}

static uint64_t hash_parts(tn_sym_kind kind, int64_t value, const tn_sym *const *args,
                           uint32_t arg_count) {
    uint64_t hash = tn_hash_bytes(&value, sizeof value, (uint64_t)kind);
    for (uint32_t i = 0; i < arg_count; i++)
        hash = tn_hash_bytes(&args[i]->id, sizeof args[i]->id, hash);
    return hash;
}

static bool has_parts(const tn_sym *s, tn_sym_kind kind, int64_t value, const tn_sym *const *args,
                      uint32_t arg_count) {
    return s->kind == kind && s->value == value && s->arg_count == arg_count &&
           (arg_count == 0 || memcmp(s->args, args, arg_count * sizeof *args) == 0);
}

static size_t free_slot(const tn_sym *const *slots, size_t slot_count, uint64_t hash) {
    size_t slot = (size_t)hash & (slot_count - 1);
    while (slots[slot])
        slot = (slot + 1) & (slot_count - 1);
    return slot;
}

static bool grow_slots(tn_syms *syms) {
    size_t slot_count = syms->slot_count * 2;
    const tn_sym **slots = tn_arena_alloc(syms->arena, slot_count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < syms->slot_count; i++) {
        const tn_sym *s = syms->slots[i];
        if (s) {
            uint64_t hash = hash_parts(s->kind, s->value, s->args, s->arg_count);
            slots[free_slot(slots, slot_count, hash)] = s;
        }
    }
    syms->slots = slots;
    syms->slot_count = slot_count;
    return true;
}

/* The lowest int64_t always means unbounded below, the highest unbounded above; as the other bound,
 * where a saturated sum or INT64_MAX itself would put them, they give way by one. */
static void set_range(tn_sym *s, int64_t min, int64_t max) {
    s->min = min == INT64_MAX ? INT64_MAX - 1 : min;
    s->max = max == INT64_MIN ? INT64_MIN + 1 : max;
}

/* A new expression in the table; what is not given stays zero. */
static tn_sym *insert(tn_syms *syms, tn_sym_kind kind, int64_t value, const tn_sym *const *args,
                      uint32_t arg_count) {
    bool has_room = syms->count < syms->slot_count / 2 || grow_slots(syms);
    tn_sym *s = has_room ? tn_arena_alloc(syms->arena, 1, sizeof *s) : NULL;
    const tn_sym **copy = s ? tn_arena_alloc(syms->arena, arg_count, sizeof *copy) : NULL;
    if (!copy || syms->count == UINT32_MAX) {
        fail_memory(syms);
        return NULL;
    }
    if (arg_count)
        memcpy(copy, args, arg_count * sizeof *copy);
    s->kind = kind;
    s->value = value;
    s->args = copy;
    s->arg_count = arg_count;
    s->id = (uint32_t)syms->count++;
    s->tree_size = 1;
    for (uint32_t i = 0; i < arg_count; i++)
        s->tree_size += args[i]->tree_size;
    syms->slots[free_slot(syms->slots, syms->slot_count,
                          hash_parts(kind, value, args, arg_count))] = s;
    return s;
}

static const tn_sym *find(const tn_syms *syms, tn_sym_kind kind, int64_t value,
                          const tn_sym *const *args, uint32_t arg_count) {
    size_t slot = (size_t)hash_parts(kind, value, args, arg_count) & (syms->slot_count - 1);
    for (; syms->slots[slot]; slot = (slot + 1) & (syms->slot_count - 1))
        if (has_parts(syms->slots[slot], kind, value, args, arg_count))
            return syms->slots[slot];
    return NULL;
}

const tn_sym *tn_sym_intern(tn_syms *syms, tn_sym_kind kind, const tn_sym *const *args,
                            uint32_t arg_count, int64_t min, int64_t max) {
    const tn_sym *found = find(syms, kind, 0, args, arg_count);
    if (found)
        return found;
    uint32_t tree_size = 1;
    for (uint32_t i = 0; i < arg_count; i++) {
        tree_size += args[i]->tree_size; /* cannot wrap: at most TN_POLY_TERMS_MAX arguments */
        if (tree_size > TREE_SIZE_MAX)
            return tn_syms_fail(syms, TN_OUT_OF_RANGE,
                                "symbolic expression has more than %d operations", TREE_SIZE_MAX);
    }
    tn_sym *s = insert(syms, kind, 0, args, arg_count);
    if (!s)
        return NULL;
    set_range(s, min, max);
    return s;
}

const tn_sym *tn_sym_const(tn_syms *syms, int64_t value) {
    const tn_sym *found = find(syms, TN_SYM_CONST, value, NULL, 0);
    if (found)
        return found;
    tn_sym *s = insert(syms, TN_SYM_CONST, value, NULL, 0);
    if (!s)
        return NULL;
    set_range(s, value, value);
    return s;
}

/* ---- symbols -------------------------------------------------------------------------------- */

bool tn_sym_name_ok(tn_str name) {
    static const char *const taken[] = {"min",  "max",   "select", "ceildiv", "none",
                                        "true", "false", "inf",    "nan",     "graph"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (tn_str_is(name, taken[i]))
            return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0;
}

const tn_sym *tn_sym_find_var(const tn_syms *syms, tn_str name) {
    return tn_map_get(&syms->by_name, name);
}

size_t tn_sym_var_count(const tn_syms *syms) {
    return syms->by_name.count;
}

const tn_sym *tn_sym_var_at(const tn_syms *syms, size_t i) {
    assert(i < syms->by_name.count);
    return syms->by_name.entries[i].value;
}

static const tn_sym *empty_range(tn_syms *syms, tn_str name, int64_t min, int64_t max) {
    return tn_syms_fail(syms, TN_OUT_OF_RANGE, "symbol %.*s: no value lies in [%lld, %lld]",
                        (int)(name.len < 100 ? name.len : 100), name.data, (long long)min,
                        (long long)max);
}

const tn_sym *tn_sym_var(tn_syms *syms, tn_str name, int64_t min, int64_t max) {
    tn_sym *var = tn_map_get(&syms->by_name, name);
    if (var) {
        int64_t low = min > var->min ? min : var->min;
        int64_t high = max < var->max ? max : var->max;
        if (low > high)
            return empty_range(syms, name, low, high);
        set_range(var, low, high);
        return var;
    }
    if (min > max)
        return empty_range(syms, name, min, max);
    if (!tn_sym_name_ok(name))
        return tn_syms_fail(syms, TN_INVALID_ARGUMENT,
                            "symbol '%.*s': expected a name of letters, digits and _ that is no "
                            "function",
                            (int)(name.len < 100 ? name.len : 100), name.data);
    var = insert(syms, TN_SYM_VAR, (int64_t)syms->by_name.count, NULL, 0);
    if (!var)
        return NULL;
    var->name = tn_arena_str(syms->arena, name);
    set_range(var, min, max);
    tn_status status =
        var->name.data ? tn_map_set(&syms->by_name, var->name, var) : tn_error_out_of_memory();
    if (status) {
        tn_status_free(status);
        return fail_memory(syms);
    }
    return var;
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

int tn_sym_compare(const tn_sym *a, const tn_sym *b) {
    if (a == b)
        return 0;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == TN_SYM_CONST)
        return compare_i64(a->value, b->value);
    if (a->kind == TN_SYM_VAR) { /* s9 before s10 */
        if (a->name.len != b->name.len)
            return a->name.len < b->name.len ? -1 : 1;
        return tn_str_compare(a->name, b->name);
    }
    if (a->arg_count != b->arg_count)
        return a->arg_count < b->arg_count ? -1 : 1;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (a->args[i] != b->args[i])
            return tn_sym_compare(a->args[i], b->args[i]);
    return 0;
}

/* ---- bounds --------------------------------------------------------------------------------- */

int64_t tn_bound_add(int64_t a, int64_t b) {
    if (a == INT64_MIN || a == INT64_MAX)
        return a;
    if (b == INT64_MIN || b == INT64_MAX)
        return b;
    int64_t sum = 0;
    if (tn_add_i64(a, b, &sum))
        return sum;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

int64_t tn_bound_mul(int64_t a, int64_t b) {
    int64_t product = 0;
    bool is_finite = a != INT64_MIN && a != INT64_MAX && b != INT64_MIN && b != INT64_MAX;
    if (a == 0 || b == 0)
        return 0;
    if (is_finite && tn_mul_i64(a, b, &product))
        return product;
    return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

/* Why a value cannot be computed, NULL if it can. */
static const char *eval(const tn_sym *s, const int64_t *values, int64_t *out);

static const char *eval_sum(const tn_sym *s, const int64_t *values, int64_t *out) {
    bool is_product = s->kind == TN_SYM_MUL;
    int64_t total = is_product ? 1 : 0;
    for (uint32_t i = 0; i < s->arg_count; i++) {
        int64_t part = 0;
        const char *why = eval(s->args[i], values, &part);
        if (why)
            return why;
        if (!(is_product ? tn_mul_i64(total, part, &total) : tn_add_i64(total, part, &total)))
            return "overflows 64 bits";
    }
    *out = total;
    return NULL;
}

static const char *eval_binary(const tn_sym *s, const int64_t *values, int64_t *out) {
    int64_t a = 0, b = 0;
    const char *why = eval(s->args[0], values, &a);
    if (!why)
        why = eval(s->args[1], values, &b);
    if (why)
        return why;
    switch (s->kind) {
    case TN_SYM_FLOORDIV:
    case TN_SYM_MOD:
        if (b == 0)
            return "divides by zero";
        if (b == -1) { /* INT64_MIN / -1 would trap */
            *out = 0;
            return s->kind == TN_SYM_MOD || tn_sub_i64(0, a, out) ? NULL : "overflows 64 bits";
        }
        *out = s->kind == TN_SYM_MOD ? tn_mod_i64(a, b) : tn_floordiv_i64(a, b);
        return NULL;
    case TN_SYM_MIN:
        *out = a < b ? a : b;
        return NULL;
    case TN_SYM_MAX:
        *out = a > b ? a : b;
        return NULL;
    case TN_SYM_EQ:
        *out = a == b;
        return NULL;
    default:
        *out = a <= b;
        return NULL;
    }
}

static const char *eval(const tn_sym *s, const int64_t *values, int64_t *out) {
    switch (s->kind) {
    case TN_SYM_CONST:
        *out = s->value;
        return NULL;
    case TN_SYM_VAR:
        *out = values[s->value];
        return NULL;
    case TN_SYM_ADD:
    case TN_SYM_MUL:
        return eval_sum(s, values, out);
    case TN_SYM_SELECT: {
        int64_t cond = 0;
        const char *why = eval(s->args[0], values, &cond);
        return why ? why : eval(s->args[cond ? 1 : 2], values, out);
    }
    default:
        return eval_binary(s, values, out);
    }
}

tn_status tn_sym_eval(const tn_syms *syms, const tn_sym *s, const int64_t *values,
                      int64_t *out_value) {
    *out_value = 0;
    const char *why = eval(s, values, out_value);
    if (!why)
        return NULL;
    *out_value = 0;
    tn_buf text;
    tn_buf_init(&text, syms->arena->allocator);
    tn_sym_print(&text, s);
    tn_status status = tn_error_make(TN_OUT_OF_RANGE, "%s %s", tn_buf_cstr(&text), why);
    tn_buf_deinit(&text);
    return status;
}

/* ---- substitution --------------------------------------------------------------------------- */

typedef const tn_sym *(*binary_fn)(tn_syms *, const tn_sym *, const tn_sym *);

static binary_fn builder_of(tn_sym_kind kind) {
    switch (kind) {
    case TN_SYM_ADD:
        return tn_sym_add;
    case TN_SYM_MUL:
        return tn_sym_mul;
    case TN_SYM_FLOORDIV:
        return tn_sym_floordiv;
    case TN_SYM_MOD:
        return tn_sym_mod;
    case TN_SYM_MIN:
        return tn_sym_min;
    case TN_SYM_MAX:
        return tn_sym_max;
    case TN_SYM_EQ:
        return tn_sym_eq;
    default:
        return tn_sym_le;
    }
}

const tn_sym *tn_sym_substitute(tn_syms *syms, const tn_sym *s,
                                const tn_sym *(*map)(void *user, const tn_sym *var), void *user) {
    if (!s || s->kind == TN_SYM_CONST)
        return s;
    if (s->kind == TN_SYM_VAR)
        return map(user, s);
    const tn_sym *first = tn_sym_substitute(syms, s->args[0], map, user);
    if (s->kind == TN_SYM_SELECT)
        return tn_sym_select(syms, first, tn_sym_substitute(syms, s->args[1], map, user),
                             tn_sym_substitute(syms, s->args[2], map, user));
    binary_fn build = builder_of(s->kind);
    for (uint32_t i = 1; i < s->arg_count; i++)
        first = build(syms, first, tn_sym_substitute(syms, s->args[i], map, user));
    return first;
}
