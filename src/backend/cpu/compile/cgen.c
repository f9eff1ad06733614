/* cgen.c: the writer of generated C. Text goes to cg->out; failures are sticky and are asked for
 * once, when a kernel is complete. */
#include "backend/cpu/compile/cgen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "embedded_cpu_compile.h"

static void append_indent(tn_cg *cg) {
    for (uint32_t i = 0; i < cg->indent; i++)
        tn_buf_append(cg->out, "    ", 4);
}

void tn_cg_line(tn_cg *cg, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list measure;
    va_copy(measure, args);
    int len = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    char *text = len < 0 ? NULL : tn_arena_alloc(cg->arena, (size_t)len + 1, 1);
    if (!text) {
        cg->failed = true;
        va_end(args);
        return;
    }
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    if (len == 0) {
        tn_buf_append(cg->out, "\n", 1);
        return;
    }
    if (text[0] != '#')
        append_indent(cg);
    tn_buf_append(cg->out, text, (size_t)len);
    tn_buf_append(cg->out, "\n", 1);
    if (text[len - 1] == '{')
        cg->indent++;
}

void tn_cg_close(tn_cg *cg, const char *after) {
    if (cg->indent > 0)
        cg->indent--;
    tn_cg_line(cg, "}%s", after);
}

const char *tn_cg_text(tn_cg *cg, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list measure;
    va_copy(measure, args);
    int len = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    char *text = len < 0 ? NULL : tn_arena_alloc(cg->arena, (size_t)len + 1, 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, format, args);
    else
        cg->failed = true;
    va_end(args);
    return text ? text : "";
}

/* ---- symbolic integers ----------------------------------------------------------------------- */

/* The number of a symbol among the kernel's. Symbols print as s0, s1 ... in the order of first use,
 * so that kernels that differ only in the model's names for its sizes are the same text. */
static size_t symbol_number(tn_cg *cg, const tn_sym *symbol) {
    for (size_t i = 0; i < cg->kernel_sym_count; i++)
        if (cg->kernel_syms[i] == symbol)
            return i;
    const tn_sym **syms = tn_arena_grow(cg->arena, (void *)cg->kernel_syms, cg->kernel_sym_count,
                                        &cg->kernel_sym_capacity, sizeof *syms);
    if (!syms) {
        cg->failed = true;
        return 0;
    }
    cg->kernel_syms = syms;
    syms[cg->kernel_sym_count] = symbol;
    return cg->kernel_sym_count++;
}

/* Joins the arguments with an operator: "(a + b + c)". */
static const char *join(tn_cg *cg, const tn_sym *s, const char *op) {
    const char *text = tn_cg_sym(cg, s->args[0]);
    for (uint32_t i = 1; i < s->arg_count; i++)
        text = tn_cg_text(cg, "%s %s %s", text, op, tn_cg_sym(cg, s->args[i]));
    return tn_cg_text(cg, "(%s)", text);
}

static const char *call2(tn_cg *cg, const tn_sym *s, const char *function) {
    return tn_cg_text(cg, "%s(%s, %s)", function, tn_cg_sym(cg, s->args[0]),
                      tn_cg_sym(cg, s->args[1]));
}

/* Division and remainder are C's own where both operands are known not to be negative. */
static const char *divide(tn_cg *cg, const tn_sym *s, const char *op, const char *function) {
    if (s->args[0]->min >= 0 && s->args[1]->min > 0)
        return join(cg, s, op);
    return call2(cg, s, function);
}

const char *tn_cg_sym(tn_cg *cg, const tn_sym *s) {
    if (!s) {
        cg->failed = true;
        return "0";
    }
    switch (s->kind) {
    case TN_SYM_CONST:
        return tn_cg_text(cg, s->value < 0 ? "(%lld)" : "%lld", (long long)s->value);
    case TN_SYM_VAR:
        return tn_cg_text(cg, "s%zu", symbol_number(cg, s));
    case TN_SYM_ADD:
        return join(cg, s, "+");
    case TN_SYM_MUL:
        return join(cg, s, "*");
    case TN_SYM_FLOORDIV:
        return divide(cg, s, "/", "tn_floordiv");
    case TN_SYM_MOD:
        return divide(cg, s, "%", "tn_floormod");
    case TN_SYM_MIN:
        return call2(cg, s, "tn_min_i64");
    case TN_SYM_MAX:
        return call2(cg, s, "tn_max_i64");
    case TN_SYM_EQ:
        return join(cg, s, "==");
    case TN_SYM_LE:
        return join(cg, s, "<=");
    case TN_SYM_SELECT:
        return tn_cg_text(cg, "(%s ? %s : %s)", tn_cg_sym(cg, s->args[0]),
                          tn_cg_sym(cg, s->args[1]), tn_cg_sym(cg, s->args[2]));
    }
    cg->failed = true;
    return "0";
}

bool tn_cg_is_multiple(tn_cg *cg, const tn_sym *s, int64_t unit) {
    const tn_sym *rest = tn_sym_mod(cg->syms, s, tn_sym_const(cg->syms, unit));
    return rest && tn_sym_is(rest, 0);
}

/* ---- functions ------------------------------------------------------------------------------- */

void tn_cg_begin_function(tn_cg *cg, tn_cg_function *function, const char *signature) {
    *function =
        (tn_cg_function){.outer = cg->out, .outer_indent = cg->indent, .signature = signature};
    tn_buf_init(&function->body, cg->out->allocator);
    cg->out = &function->body;
    cg->indent = 1;
}

static bool is_word_part(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Whether a function's text uses symbol i; the others would be unused variables. */
static bool names_symbol(const char *text, size_t i) {
    char word[24];
    size_t len = (size_t)snprintf(word, sizeof word, "s%zu", i);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if ((at == text || !is_word_part(at[-1])) && !is_word_part(at[len]))
            return true;
    return false;
}

void tn_cg_end_function(tn_cg *cg, tn_cg_function *function) {
    cg->out = function->outer;
    cg->indent = function->outer_indent;
    tn_cg_line(cg, "%s {", function->signature);
    for (size_t i = 0; i < cg->kernel_sym_count; i++)
        if (names_symbol(tn_buf_cstr(&function->body), i))
            tn_cg_line(cg, "const int64_t s%zu = sym[%zu];", i, i);
    tn_buf_str_append(cg->out, tn_buf_view(&function->body));
    if (function->body.failed)
        cg->failed = true;
    tn_buf_deinit(&function->body);
    tn_cg_close(cg, "");
    tn_cg_line(cg, "%s", "");
}

const char *tn_cg_kernel_signature(tn_cg *cg, const char *name) {
    return tn_cg_text(cg,
                      "void %s(void *const *buf, const int64_t *sym, int64_t task_begin,\n"
                      "    int64_t task_end, void *scratch)",
                      name);
}

/* ---- loads, stores and tasks ---------------------------------------------------------------- */

const char *tn_cg_vector(char class) {
    switch (class) {
    case 'd':
        return "tn_vd";
    case 'l':
        return "tn_vl";
    case 'i':
    case 'm':
        return "tn_vi";
    default:
        return "tn_vf";
    }
}

const char *tn_cg_element(tn_dtype dtype) {
    switch (dtype) {
    case TN_F64:
        return "double";
    case TN_F32:
        return "float";
    case TN_BF16:
    case TN_F16:
    case TN_U16:
        return "uint16_t";
    case TN_I64:
        return "int64_t";
    case TN_I32:
        return "int32_t";
    case TN_I16:
        return "int16_t";
    case TN_I8:
        return "int8_t";
    default:
        return "uint8_t";
    }
}

const tn_sym *tn_cg_points(const tn_cg *cg, uint32_t rank, const tn_sym *const *dims) {
    const tn_sym *count = tn_sym_const(cg->syms, 1);
    for (uint32_t d = 0; d < rank; d++)
        count = tn_sym_mul(cg->syms, count, dims[d]);
    return count;
}

void tn_cg_indices(tn_cg *cg, uint32_t rank, const tn_sym *const *dims, const char *number) {
    for (uint32_t d = rank; d-- > 1;) {
        tn_cg_line(cg, "const int64_t i%u = %s %% %s;", d, number, tn_cg_sym(cg, dims[d]));
        number = tn_cg_text(cg, "(%s / %s)", number, tn_cg_sym(cg, dims[d]));
    }
    if (rank > 0)
        tn_cg_line(cg, "const int64_t i0 = %s;", number);
}

const char *tn_cg_arguments(tn_cg *cg, uint32_t rank) {
    const char *text = "buf, sym";
    for (uint32_t d = 0; d < rank; d++)
        text = tn_cg_text(cg, "%s, i%u", text, d);
    return text;
}

tn_status tn_cg_status(const tn_cg *cg) {
    TN_TRY(tn_syms_status(cg->syms));
    TN_TRY(tn_buf_status(cg->out));
    return cg->failed ? tn_error_out_of_memory() : NULL;
}

void tn_cg_print_parts(uint32_t parts, tn_buf *out) {
    const struct {
        tn_cg_part part;
        const char *text;
    } texts[] = {
        {TN_CG_PART_ROWS, tn_text_prelude_rows_c},
        {TN_CG_PART_ATTENTION, tn_text_prelude_attention_c},
        {TN_CG_PART_BF16, tn_text_prelude_bf16_c},
        {TN_CG_PART_AMX, tn_text_prelude_amx_c},
        {TN_CG_PART_ATTENTION_AMX, tn_text_prelude_attention_amx_c},
        {TN_CG_PART_REDUCE, tn_text_prelude_reduce_c},
        {TN_CG_PART_SCAN, tn_text_prelude_scan_c},
        {TN_CG_PART_ORDER, tn_text_prelude_order_c},
        {TN_CG_PART_RESIZE, tn_text_prelude_resize_c},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (parts & texts[i].part)
            tn_buf_str_append(out, tn_str_of(texts[i].text));
}

tn_status tn_cg_prelude(const tn_cpu_target *target, tn_buf *out) {
    (void)target; /* the compiler's flags tell the texts what the target has */
    tn_buf_str_append(out, tn_str_of(tn_text_prelude_vector_c));
    tn_buf_str_append(out, tn_str_of(tn_text_prelude_math_c));
    tn_buf_str_append(out, tn_str_of(tn_text_prelude_types_c));
    return tn_buf_status(out);
}
