/* pt2_op.c: operators by the names that exports use. */
#include "front/pt2.h"

tn_status tn_pt2_op_name(tn_pt2 *pt2, tn_str target, tn_str *out_name) {
    const char *text = NULL;
    if (!tn_str_starts(target, "torch.ops.")) {
        text = tn_arena_printf(pt2->arena, "python::%.*s", TN_STR_ARG(target));
    } else {
        tn_str rest = {target.data + sizeof "torch.ops." - 1,
                       target.len - (sizeof "torch.ops." - 1)};
        tn_str space;
        tn_str op;
        tn_str overload = tn_str_split(tn_str_split(rest, '.', &space), '.', &op);
        bool is_default = overload.len == 0 || tn_str_is(overload, "default");
        text = tn_arena_printf(pt2->arena, "%.*s::%.*s%s%.*s", TN_STR_ARG(space), TN_STR_ARG(op),
                               is_default ? "" : ".", is_default ? 0 : (int)overload.len,
                               overload.data);
    }
    *out_name = text ? tn_str_of(text) : TN_STR("");
    return text ? NULL : tn_error_out_of_memory();
}

tn_status tn_pt2_op_scalar_overload(tn_pt2 *pt2, tn_str name, const tn_op **out_op) {
    *out_op = NULL;
    if (!tn_str_ends(name, ".Tensor"))
        return NULL;
    const char *text = tn_arena_printf(pt2->arena, "%.*s.Scalar",
                                       (int)(name.len - (sizeof ".Tensor" - 1)), name.data);
    if (!text)
        return tn_error_out_of_memory();
    *out_op = tn_op_table_find(pt2->ops, tn_str_of(text));
    return NULL;
}
