/* pt2_op.c: operators by the names that exports use. */
#include "front/pt2.h"

#include <string.h>

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

/* The operator's own name, without namespace and overload. */
static tn_str base_name(tn_str name) {
    tn_str space;
    tn_str base = tn_str_split(name, ':', &space);
    if (base.len && base.data[0] == ':')
        base = (tn_str){base.data + 1, base.len - 1};
    tn_str overload = tn_str_split(base, '.', &base);
    (void)overload;
    return base;
}

bool tn_pt2_op_writes(tn_str name) {
    tn_str base = base_name(name);
    if (!tn_str_starts(name, "aten::") || base.len < 2)
        return false;
    if (tn_str_ends(base, "__")) /* __iadd__ and its kin; __and__ does not write */
        return tn_str_starts(base, "__i") && !tn_str_is(base, "__invert__");
    return tn_str_ends(base, "_");
}

/* "aten::add.Tensor" of "aten::add_.Tensor", "aten::__and__.Tensor" of "aten::__iand__.Tensor". */
static tn_status twin_name(tn_pt2 *pt2, tn_str name, tn_str *out_name) {
    tn_str base = base_name(name);
    size_t before = (size_t)(base.data - name.data);
    size_t after = before + base.len;
    bool is_dunder = tn_str_ends(base, "__");
    tn_str head = is_dunder ? TN_STR("__") : (tn_str){base.data, base.len - 1};
    tn_str tail = is_dunder ? (tn_str){base.data + 3, base.len - 3} : TN_STR("");
    const char *text =
        tn_arena_printf(pt2->arena, "%.*s%.*s%.*s%.*s", (int)before, name.data, TN_STR_ARG(head),
                        TN_STR_ARG(tail), (int)(name.len - after), name.data + after);
    *out_name = text ? tn_str_of(text) : TN_STR("");
    return text ? NULL : tn_error_out_of_memory();
}

/* An operator that writes to its first argument, with the schema of the one that does not. */
static tn_status make_inplace(tn_pt2 *pt2, tn_str name, const tn_op *twin, const tn_op **out_op) {
    tn_op *op = NULL;
    tn_schema *schema = NULL;
    tn_param *params = NULL;
    tn_param *results = NULL;
    TN_ARENA_TRY(pt2->arena, op, 1);
    TN_ARENA_TRY(pt2->arena, schema, 1);
    TN_ARENA_TRY(pt2->arena, params, twin->schema->param_count);
    TN_ARENA_TRY(pt2->arena, results, 1);
    memcpy(params, twin->schema->params, twin->schema->param_count * sizeof *params);
    params[0].is_written = true;
    params[0].alias = 'a';
    *results = twin->schema->results[0];
    results->is_written = true;
    results->alias = 'a';
    *schema = *twin->schema;
    schema->full_name = name;
    schema->overload = tn_str_split(name, '.', &schema->name);
    schema->params = params;
    schema->results = results;
    *op = (tn_op){.name = name, .op_class = TN_OP_OPAQUE, .schema = schema};
    *out_op = op;
    return tn_map_set(&pt2->inplace_ops, name, op);
}

tn_status tn_pt2_op_find(tn_pt2 *pt2, tn_str name, const tn_op **out_op) {
    *out_op = tn_op_table_find(pt2->ops, name);
    if (!*out_op)
        *out_op = tn_map_get(&pt2->inplace_ops, name);
    if (*out_op || !tn_pt2_op_writes(name))
        return NULL;
    tn_str other;
    TN_TRY(twin_name(pt2, name, &other));
    const tn_op *twin = tn_op_table_find(pt2->ops, other);
    bool is_twin = twin && twin->schema->param_count > 0 && twin->schema->result_count == 1 &&
                   twin->schema->params[0].type == TN_PARAM_TENSOR &&
                   !twin->schema->params[0].is_list;
    return is_twin ? make_inplace(pt2, name, twin, out_op) : NULL;
}

tn_status tn_pt2_op_scalar_overload(tn_pt2 *pt2, tn_str name, const tn_op **out_op) {
    *out_op = NULL;
    if (!tn_str_ends(name, ".Tensor"))
        return NULL;
    const char *text = tn_arena_printf(pt2->arena, "%.*s.Scalar",
                                       (int)(name.len - (sizeof ".Tensor" - 1)), name.data);
    return text ? tn_pt2_op_find(pt2, tn_str_of(text), out_op) : tn_error_out_of_memory();
}
