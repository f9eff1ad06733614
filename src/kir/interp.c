/* interp.c: entry of the interpreter: checks the call's form and hands it to the primitive's class.
 */
#include <string.h>

#include "kir/interp_impl.h"

const tn_tensor *tn_interp_operand(const tn_interp_call *call, uint32_t i) {
    return call->args[i].kind == TN_ARG_NONE ? NULL : call->operands[call->args[i].operand];
}

tn_status tn_interp_error(const tn_interp_call *call, tn_code code, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    tn_vformat(text, sizeof text, format, args);
    va_end(args);
    tn_str name = tn_prim_name(call->prim);
    return tn_error_make(code, "%.*s: %s", TN_STR_ARG(name), text);
}

tn_status tn_interp_refuse_dtype(const tn_interp_call *call, tn_dtype dtype) {
    return tn_interp_error(call, TN_UNSUPPORTED, "the interpreter does not take dtype %s here",
                           tn_dtype_name(dtype));
}

/* The argument kind that a parameter's type in the schema demands. */
static bool kind_fits(tn_str type, tn_arg_kind kind) {
    if (tn_str_is(type, "Tensor"))
        return kind == TN_ARG_VALUE;
    if (tn_str_is(type, "Tensor?"))
        return kind == TN_ARG_VALUE || kind == TN_ARG_NONE;
    if (tn_str_is(type, "Tensor[]"))
        return kind == TN_ARG_VALUES;
    if (tn_str_is(type, "int") || tn_str_is(type, "SymInt"))
        return kind == TN_ARG_INT;
    if (tn_str_is(type, "int[]") || tn_str_is(type, "SymInt[]"))
        return kind == TN_ARG_INTS;
    if (tn_str_is(type, "float[]"))
        return kind == TN_ARG_FLOATS;
    if (tn_str_is(type, "float"))
        return kind == TN_ARG_FLOAT;
    if (tn_str_is(type, "bool"))
        return kind == TN_ARG_BOOL;
    if (tn_str_is(type, "str"))
        return kind == TN_ARG_STR;
    if (tn_str_is(type, "ScalarType"))
        return kind == TN_ARG_DTYPE;
    return kind == TN_ARG_INT || kind == TN_ARG_FLOAT; /* Scalar */
}

static bool operands_fit(const tn_interp_call *call, const tn_resolved_arg *arg) {
    uint32_t count = arg->kind == TN_ARG_VALUE ? 1 : arg->kind == TN_ARG_VALUES ? arg->count : 0;
    if (count > call->operand_count || (count && arg->operand > call->operand_count - count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!call->operands[arg->operand + i])
            return false;
    return true;
}

/* Arguments come from engine files too, so their kinds are compared with the schema's text. */
static tn_status check_args(const tn_interp_call *call, uint32_t arg_count) {
    tn_str name = tn_prim_name(call->prim);
    const char *schema = tn_prim_schema(call->prim) + name.len + 1;
    tn_str rest = {schema, (size_t)(strchr(schema, ')') - schema)};
    uint32_t i = 0;
    for (; rest.len; i++) {
        tn_str param, type;
        rest = tn_str_trim(tn_str_split(rest, ',', &param));
        tn_str_split(param, ' ', &type);
        if (i >= arg_count || !kind_fits(type, call->args[i].kind) ||
            !operands_fit(call, &call->args[i]))
            return tn_interp_error(call, TN_INVALID_ARGUMENT,
                                   "argument %u is not what the schema %s wants", i,
                                   tn_prim_schema(call->prim));
    }
    if (i != arg_count)
        return tn_interp_error(call, TN_INVALID_ARGUMENT, "%u arguments, wanted %u", arg_count, i);
    return NULL;
}

static uint32_t results_of(tn_prim prim) {
    return strstr(tn_prim_schema(prim), "-> (") ? 2 : 1;
}

tn_status tn_interp_check(tn_prim prim, const tn_tensor *const *operands, uint32_t operand_count,
                          const tn_resolved_arg *args, uint32_t arg_count, uint32_t result_count) {
    if (prim <= TN_PRIM_NONE || prim >= TN_PRIM_COUNT)
        return tn_error_make(TN_INVALID_ARGUMENT, "primitive code is %d, wanted 1 to %d", (int)prim,
                             TN_PRIM_COUNT - 1);
    tn_interp_call call = {NULL, prim, operands, operand_count, args, NULL};
    if (prim == TN_PRIM_CALL)
        return tn_interp_error(&call, TN_UNSUPPORTED, "an executor runs it, not the interpreter");
    if (result_count != results_of(prim))
        return tn_interp_error(&call, TN_INVALID_ARGUMENT, "%u results, wanted %u", result_count,
                               results_of(prim));
    return check_args(&call, arg_count);
}

tn_status tn_interp_run(const tn_allocator *allocator, tn_prim prim,
                        const tn_tensor *const *operands, uint32_t operand_count,
                        const tn_resolved_arg *args, uint32_t arg_count, const tn_tensor *results,
                        uint32_t result_count) {
    TN_TRY(tn_interp_check(prim, operands, operand_count, args, arg_count, result_count));
    tn_interp_call call = {allocator, prim, operands, operand_count, args, results};
    switch (tn_prim_class_of(prim)) {
    case TN_CLASS_MAP:
        return tn_interp_map(&call);
    case TN_CLASS_VIEW:
        return tn_interp_view(&call);
    case TN_CLASS_REDUCE:
        return tn_interp_reduce(&call);
    case TN_CLASS_SCAN:
        return tn_interp_scan(&call);
    case TN_CLASS_CREATE:
        return tn_interp_create(&call);
    case TN_CLASS_INDEX:
        return tn_interp_index(&call);
    case TN_CLASS_CONTRACT:
        return tn_interp_contract(&call);
    case TN_CLASS_WINDOW:
        return tn_interp_window(&call);
    case TN_CLASS_NORM:
        return tn_interp_norm(&call);
    case TN_CLASS_ORDER:
        return tn_interp_order(&call);
    case TN_CLASS_CALL: /* refused above */
        break;
    }
    return NULL;
}
