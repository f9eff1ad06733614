/* pt2_args.c: one Argument of a node, as the parameter of the operator's schema wants it. */
#include "front/pt2.h"
#include "ir/verify.h"

#include <math.h>

/* torch._export.serde.schema.Layout and MemoryFormat, by their codes. */
static const char *const layouts[] = {NULL,         "sparse_coo", "sparse_csr", "sparse_csc",
                                      "sparse_bsr", "sparse_bsc", "mkldnn",     "strided"};
static const char *const memory_formats[] = {NULL, "contiguous_format", "channels_last",
                                             "channels_last_3d", "preserve_format"};

tn_status tn_pt2_args_push(tn_pt2_args *args, tn_value *value, uint32_t *out_operand) {
    tn_value **operands =
        tn_arena_grow(args->scope->pt2->arena, args->operands, args->operand_count,
                      &args->operand_capacity, sizeof *operands);
    if (!operands)
        return tn_error_out_of_memory();
    args->operands = operands;
    *out_operand = (uint32_t)args->operand_count;
    operands[args->operand_count++] = value;
    return NULL;
}

/* ---- one reader for each kind of Argument -----------------------------------------------------
 */

typedef tn_status arg_reader(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg);

static tn_status read_none(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    (void)value;
    *out_arg = (tn_arg){.kind = TN_ARG_NONE};
    return NULL;
}

static tn_status read_tensor(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    tn_value *tensor = NULL;
    TN_TRY(tn_pt2_scope_value(args->scope, value, &tensor));
    *out_arg = (tn_arg){.kind = TN_ARG_VALUE};
    return tn_pt2_args_push(args, tensor, &out_arg->operand);
}

static tn_status read_optional_tensor(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_pt2_union(value, &tag, &content));
    if (tn_str_is(tag, "as_tensor"))
        return read_tensor(args, content, out_arg);
    return read_none(args, content, out_arg);
}

static tn_status read_tensors(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    *out_arg = (tn_arg){.kind = TN_ARG_VALUES,
                        .operand = (uint32_t)args->operand_count,
                        .count = tn_json_count(value)};
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk);) {
        tn_value *tensor = NULL;
        uint32_t operand = 0;
        TN_TRY(tn_pt2_scope_value(args->scope, walk.value, &tensor));
        TN_TRY(tn_pt2_args_push(args, tensor, &operand));
    }
    return NULL;
}

static tn_status read_optional_tensors(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    *out_arg = (tn_arg){.kind = TN_ARG_VALUES,
                        .operand = (uint32_t)args->operand_count,
                        .count = tn_json_count(value)};
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk);) {
        tn_arg element;
        uint32_t operand = 0;
        TN_TRY(read_optional_tensor(args, walk.value, &element));
        if (element.kind == TN_ARG_NONE)
            TN_TRY(tn_pt2_args_push(args, NULL, &operand));
    }
    return NULL;
}

static tn_status int_of(tn_pt2_args *args, tn_json_value value, const tn_sym **out_sym) {
    int64_t literal = 0;
    TN_TRY(tn_json_i64(value, &literal));
    *out_sym = tn_sym_const(args->scope->pt2->syms, literal);
    return *out_sym ? NULL : tn_syms_status(args->scope->pt2->syms);
}

static tn_status sym_int_of(tn_pt2_args *args, tn_json_value value, const tn_sym **out_sym) {
    tn_syms *syms = args->scope->pt2->syms;
    tn_pt2_number number;
    *out_sym = NULL;
    TN_TRY(tn_pt2_scope_number(args->scope, value, &number));
    *out_sym = tn_pt2_number_sym(syms, &number);
    if (*out_sym)
        return NULL;
    TN_TRY(tn_syms_status(syms));
    return tn_json_error(value, TN_UNSUPPORTED, "it is not an integer expression of sizes");
}

static tn_status read_int(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_INT};
    return int_of(args, value, &out_arg->i);
}

static tn_status read_sym_int(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_INT};
    return sym_int_of(args, value, &out_arg->i);
}

static tn_status read_int_list(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg,
                               tn_status (*element)(tn_pt2_args *args, tn_json_value value,
                                                    const tn_sym **out_sym)) {
    const tn_sym **ints = NULL;
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    uint32_t count = 0;
    TN_ARENA_TRY(args->scope->pt2->arena, ints, tn_json_count(value));
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk); count++)
        TN_TRY(element(args, walk.value, &ints[count]));
    *out_arg = (tn_arg){.kind = TN_ARG_INTS, .count = count, .ints = ints};
    return NULL;
}

static tn_status read_ints(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_int_list(args, value, out_arg, int_of);
}

static tn_status read_sym_ints(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_int_list(args, value, out_arg, sym_int_of);
}

static tn_status read_float(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    *out_arg = (tn_arg){.kind = TN_ARG_FLOAT};
    return tn_json_f64(value, &out_arg->f);
}

static tn_status sym_float_of(tn_pt2_args *args, tn_json_value value, double *out_value) {
    tn_pt2_number number;
    *out_value = 0;
    TN_TRY(tn_pt2_scope_number(args->scope, value, &number));
    if (tn_pt2_number_constant(&number, out_value))
        return NULL;
    return tn_json_error(
        value, TN_UNSUPPORTED,
        "a floating-point number that depends on sizes; only constants are supported");
}

static tn_status read_sym_float(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_FLOAT};
    return sym_float_of(args, value, &out_arg->f);
}

static tn_status read_float_list(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg,
                                 bool is_symbolic) {
    double *floats = NULL;
    uint32_t count = 0;
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    TN_ARENA_TRY(args->scope->pt2->arena, floats, tn_json_count(value));
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk); count++)
        TN_TRY(is_symbolic ? sym_float_of(args, walk.value, &floats[count])
                           : tn_json_f64(walk.value, &floats[count]));
    *out_arg = (tn_arg){.kind = TN_ARG_FLOATS, .count = count, .floats = floats};
    return NULL;
}

static tn_status read_floats(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_float_list(args, value, out_arg, false);
}

static tn_status read_sym_floats(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_float_list(args, value, out_arg, true);
}

static tn_status read_bool(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    *out_arg = (tn_arg){.kind = TN_ARG_BOOL};
    return tn_json_bool(value, &out_arg->b);
}

static tn_status sym_bool_of(tn_pt2_args *args, tn_json_value value, bool *out_value) {
    const tn_sym *sym = NULL;
    TN_TRY(sym_int_of(args, value, &sym));
    *out_value = !tn_sym_is(sym, 0);
    if (tn_sym_is_const(sym))
        return NULL;
    return tn_json_error(value, TN_UNSUPPORTED,
                         "a condition that depends on sizes; only constants are supported");
}

static tn_status read_sym_bool(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_BOOL};
    return sym_bool_of(args, value, &out_arg->b);
}

static tn_status read_bool_list(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg,
                                bool is_symbolic) {
    bool *bools = NULL;
    uint32_t count = 0;
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    TN_ARENA_TRY(args->scope->pt2->arena, bools, tn_json_count(value));
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk); count++)
        TN_TRY(is_symbolic ? sym_bool_of(args, walk.value, &bools[count])
                           : tn_json_bool(walk.value, &bools[count]));
    *out_arg = (tn_arg){.kind = TN_ARG_BOOLS, .count = count, .bools = bools};
    return NULL;
}

static tn_status read_bools(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_bool_list(args, value, out_arg, false);
}

static tn_status read_sym_bools(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    return read_bool_list(args, value, out_arg, true);
}

static tn_status read_string(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_STR};
    return tn_json_str(args->scope->pt2->arena, value, &out_arg->s);
}

static tn_status read_strings(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    tn_str *strs = NULL;
    uint32_t count = 0;
    TN_TRY(tn_json_expect(value, TN_JSON_ARRAY));
    TN_ARENA_TRY(args->scope->pt2->arena, strs, tn_json_count(value));
    for (tn_json_walk walk = tn_json_begin(value); tn_json_step(&walk); count++)
        TN_TRY(tn_json_str(args->scope->pt2->arena, walk.value, &strs[count]));
    *out_arg = (tn_arg){.kind = TN_ARG_STRS, .count = count, .strs = strs};
    return NULL;
}

static tn_status read_dtype(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    *out_arg = (tn_arg){.kind = TN_ARG_DTYPE};
    return tn_pt2_dtype(value, &out_arg->dtype);
}

static tn_status read_code(tn_json_value value, const char *const *names, size_t name_count,
                           tn_arg *out_arg) {
    int64_t code = 0;
    TN_TRY(tn_json_i64(value, &code));
    if (code < 0 || (uint64_t)code >= name_count || !names[code])
        return tn_json_error(value, TN_CORRUPT, "the code %lld is not known", (long long)code);
    *out_arg = (tn_arg){.kind = TN_ARG_STR, .s = tn_str_of(names[code])};
    return NULL;
}

static tn_status read_layout(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    return read_code(value, layouts, sizeof layouts / sizeof *layouts, out_arg);
}

static tn_status read_memory_format(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    (void)args;
    return read_code(value, memory_formats, sizeof memory_formats / sizeof *memory_formats,
                     out_arg);
}

/* {"type": "cuda", "index": 0} as "cuda:0"; the engine decides where things run. */
static tn_status read_device(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    tn_json_value type;
    tn_str name;
    TN_TRY(tn_json_member(value, "type", TN_JSON_STRING, &type));
    TN_TRY(tn_json_str(args->scope->pt2->arena, type, &name));
    tn_json_value index = tn_json_find(value, "index");
    if (!tn_json_is_missing(index)) {
        int64_t number = 0;
        TN_TRY(tn_json_i64(index, &number));
        const char *text = tn_arena_printf(args->scope->pt2->arena, "%.*s:%lld", TN_STR_ARG(name),
                                           (long long)number);
        if (!text)
            return tn_error_out_of_memory();
        name = tn_str_of(text);
    }
    *out_arg = (tn_arg){.kind = TN_ARG_STR, .s = name};
    return NULL;
}

static tn_status read_graph(tn_pt2_args *args, tn_json_value value, tn_arg *out_arg) {
    *out_arg = (tn_arg){.kind = TN_ARG_GRAPH};
    return tn_pt2_subgraph_read(args->scope, value, &out_arg->graph);
}

static const struct {
    const char *tag;
    arg_reader *read;
} readers[] = {
    {"as_tensor", read_tensor},
    {"as_int", read_int},
    {"as_ints", read_ints},
    {"as_sym_int", read_sym_int},
    {"as_sym_ints", read_sym_ints},
    {"as_none", read_none},
    {"as_bool", read_bool},
    {"as_float", read_float},
    {"as_tensors", read_tensors},
    {"as_scalar_type", read_dtype},
    {"as_device", read_device},
    {"as_layout", read_layout},
    {"as_memory_format", read_memory_format},
    {"as_string", read_string},
    {"as_operator", read_string},
    {"as_optional_tensor", read_optional_tensor},
    {"as_optional_tensors", read_optional_tensors},
    {"as_floats", read_floats},
    {"as_bools", read_bools},
    {"as_strings", read_strings},
    {"as_sym_bool", read_sym_bool},
    {"as_sym_bools", read_sym_bools},
    {"as_sym_float", read_sym_float},
    {"as_sym_floats", read_sym_floats},
    {"as_graph", read_graph},
};

/* ---- fitting the parameter --------------------------------------------------------------------
 */

/* A number where a tensor is expected, which PyTorch takes as a tensor of rank 0 that does not take
 * part in promotion: it gets the type of the operand before it if that can hold it. */
static tn_status number_to_tensor(tn_pt2_args *args, tn_arg *arg) {
    tn_pt2 *pt2 = args->scope->pt2;
    tn_pt2_number number = {.kind = TN_PT2_RATIO, .den = tn_sym_const(pt2->syms, 1)};
    tn_dtype dtype = TN_I64;
    if (arg->kind == TN_ARG_INT) {
        number.num = arg->i;
    } else if (arg->kind == TN_ARG_BOOL) {
        number.num = tn_sym_const(pt2->syms, arg->b);
        dtype = TN_BOOL;
    } else {
        number = (tn_pt2_number){.kind = TN_PT2_DOUBLE, .f = arg->f};
        dtype = args->operand_count && args->operands[0] && args->operands[0]->type.dtype == TN_F64
                    ? TN_F64
                    : TN_F32;
    }
    tn_value *tensor = NULL;
    TN_TRY(
        tn_pt2_scalar_tensor(pt2, args->scope->graph, TN_STR("number"), &number, dtype, &tensor));
    *arg = (tn_arg){.kind = TN_ARG_VALUE};
    return tn_pt2_args_push(args, tensor, &arg->operand);
}

static tn_status ints_to_floats(tn_arena *arena, tn_arg *arg) {
    double *floats = NULL;
    TN_ARENA_TRY(arena, floats, arg->count);
    for (uint32_t i = 0; i < arg->count; i++) {
        if (!tn_sym_is_const(arg->ints[i]))
            return NULL; /* stays symbolic */
        floats[i] = (double)arg->ints[i]->value;
    }
    *arg = (tn_arg){.kind = TN_ARG_FLOATS, .count = arg->count, .floats = floats};
    return NULL;
}

static void empty_list(const tn_param *param, uint32_t operand, tn_arg *arg) {
    switch (param->type) {
    case TN_PARAM_TENSOR:
        *arg = (tn_arg){.kind = TN_ARG_VALUES, .operand = operand};
        break;
    case TN_PARAM_FLOAT:
        *arg = (tn_arg){.kind = TN_ARG_FLOATS};
        break;
    case TN_PARAM_BOOL:
        *arg = (tn_arg){.kind = TN_ARG_BOOLS};
        break;
    case TN_PARAM_STR:
        *arg = (tn_arg){.kind = TN_ARG_STRS};
        break;
    default:
        break;
    }
}

/* One integer for a list of them: int[2] takes it twice. */
static tn_status int_to_list(tn_arena *arena, const tn_param *param, tn_arg *arg) {
    const tn_sym **ints = NULL;
    uint32_t count = param->list_size > 0 ? (uint32_t)param->list_size : 1;
    TN_ARENA_TRY(arena, ints, count);
    for (uint32_t i = 0; i < count; i++)
        ints[i] = arg->i;
    *arg = (tn_arg){.kind = TN_ARG_INTS, .count = count, .ints = ints};
    return NULL;
}

/* What Python lets pass for something else becomes that. */
static tn_status coerce(tn_pt2_args *args, const tn_param *param, tn_arg *arg) {
    tn_arena *arena = args->scope->pt2->arena;
    bool is_number =
        arg->kind == TN_ARG_INT || arg->kind == TN_ARG_FLOAT || arg->kind == TN_ARG_BOOL;
    if (param->type == TN_PARAM_ANY)
        return NULL;
    if (arg->kind == TN_ARG_INTS && arg->count == 0)
        empty_list(param, (uint32_t)args->operand_count, arg);
    else if (param->type == TN_PARAM_TENSOR && !param->is_list && is_number)
        return number_to_tensor(args, arg);
    else if (param->type == TN_PARAM_TENSOR && param->is_list && arg->kind == TN_ARG_VALUE)
        *arg = (tn_arg){.kind = TN_ARG_VALUES, .operand = arg->operand, .count = 1};
    else if (param->type == TN_PARAM_INT && param->is_list && arg->kind == TN_ARG_INT)
        return int_to_list(arena, param, arg);
    else if (param->type == TN_PARAM_FLOAT && arg->kind == TN_ARG_INT && tn_sym_is_const(arg->i))
        *arg = (tn_arg){.kind = TN_ARG_FLOAT, .f = (double)arg->i->value};
    else if (param->type == TN_PARAM_FLOAT && arg->kind == TN_ARG_INTS)
        return ints_to_floats(arena, arg);
    return NULL;
}

static tn_status check_fit(const tn_pt2_args *args, const tn_param *param, tn_json_value value,
                           const tn_arg *arg, tn_str tag) {
    bool fits = tn_arg_fits(param, arg);
    bool may_be_none = param->type == TN_PARAM_ANY || param->is_element_optional;
    for (uint32_t i = 0; fits && arg->kind == TN_ARG_VALUES && i < arg->count; i++)
        fits = may_be_none || args->operands[arg->operand + i];
    if (fits)
        return NULL;
    return tn_json_error(value, TN_CORRUPT, "%.*s is not what the parameter '%.*s' takes",
                         TN_STR_ARG(tag), TN_STR_ARG(param->name));
}

tn_status tn_pt2_arg_read(tn_pt2_args *args, const tn_param *param, tn_json_value value,
                          tn_arg *out_arg) {
    tn_str tag;
    tn_json_value content;
    *out_arg = (tn_arg){.kind = TN_ARG_NONE};
    TN_TRY(tn_pt2_union(value, &tag, &content));
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (!tn_str_is(tag, readers[i].tag))
            continue;
        TN_TRY(readers[i].read(args, content, out_arg));
        TN_TRY(coerce(args, param, out_arg));
        return check_fit(args, param, value, out_arg, tag);
    }
    if (param->type != TN_PARAM_ANY)
        return tn_json_error(value, TN_UNSUPPORTED, "arguments of the kind %.*s are not supported",
                             (int)(tag.len < 64 ? tag.len : 64), tag.data);
    /* An unknown operator keeps what it was given, as text, for whoever may know it. */
    *out_arg = (tn_arg){.kind = TN_ARG_STR, .s = tn_json_raw(content)};
    return NULL;
}
