/* op_list.c: all operator families, and the table of their operators by name. */
#include "ops/op_families.h"

#include <string.h>

const tn_op_family *const *tn_op_families(size_t *out_count) {
#define X(name) &tn_ops_##name,
    static const tn_op_family *const families[] = {TN_OP_FAMILY_LIST(X)};
#undef X
    *out_count = sizeof families / sizeof *families;
    return families;
}

const tn_op_alias *tn_op_aliases(size_t *out_count) {
    static const tn_op_alias aliases[] = {
        {"absolute", "abs"},        {"arccos", "acos"},         {"arccosh", "acosh"},
        {"arcsin", "asin"},         {"arcsinh", "asinh"},       {"arctan", "atan"},
        {"arctan2", "atan2"},       {"arctanh", "atanh"},       {"clip", "clamp"},
        {"concat", "cat"},          {"concatenate", "cat"},     {"divide", "div"},
        {"greater", "gt"},          {"greater_equal", "ge"},    {"less", "lt"},
        {"less_equal", "le"},       {"moveaxis", "movedim"},    {"multiply", "mul"},
        {"negative", "neg"},        {"not_equal", "ne"},        {"special_erf", "erf"},
        {"special_erfc", "erfc"},   {"special_exp2", "exp2"},   {"special_expit", "sigmoid"},
        {"special_expm1", "expm1"}, {"special_log1p", "log1p"}, {"special_logsumexp", "logsumexp"},
        {"special_sinc", "sinc"},   {"subtract", "sub"},
    };
    *out_count = sizeof aliases / sizeof *aliases;
    return aliases;
}

bool tn_op_alias_schema(tn_buf *buf, const tn_op_alias *alias, const char *schema) {
    tn_str space, packet, rest = tn_str_split(tn_str_of(schema), ':', &space);
    rest.data++; /* the second colon */
    rest.len--;
    size_t length = strcspn(rest.data, ".(");
    packet = (tn_str){rest.data, length};
    bool is_in_place = tn_str_ends(packet, "_");
    packet.len -= is_in_place;
    bool has_in_place = !tn_str_starts(tn_str_of(alias->alias), "special_");
    if (!tn_str_is(packet, alias->name) || (is_in_place && !has_in_place))
        return false;
    tn_buf_printf(buf, "%.*s::%s%s%s", TN_STR_ARG(space), alias->alias, is_in_place ? "_" : "",
                  rest.data + length);
    return true;
}

/* An entry under its other names. */
static tn_status add_aliases(tn_op_table *table, const tn_op_entry *entry) {
    size_t count;
    const tn_op_alias *aliases = tn_op_aliases(&count);
    tn_status status = NULL;
    tn_buf schema;
    tn_buf_init(&schema, table->arena->allocator);
    for (size_t i = 0; i < count && !status; i++) {
        tn_buf_clear(&schema);
        if (!tn_op_alias_schema(&schema, &aliases[i], entry->schema))
            continue;
        const char *text = tn_arena_printf(table->arena, "%s", tn_buf_cstr(&schema));
        status = tn_buf_status(&schema);
        if (!status)
            status = text ? tn_op_table_add(table, text, TN_OP_GRAPH, 0, entry)
                          : tn_error_out_of_memory();
    }
    tn_buf_deinit(&schema);
    return status;
}

tn_status tn_op_list_fill(tn_op_table *table) {
    size_t family_count;
    const tn_op_family *const *families = tn_op_families(&family_count);
    for (size_t f = 0; f < family_count; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            const tn_op_entry *entry = &families[f]->entries[i];
            TN_TRY_CTX(tn_op_table_add(table, entry->schema, TN_OP_GRAPH, 0, entry),
                       "while adding the operators of %s", families[f]->name);
            TN_TRY_CTX(add_aliases(table, entry), "while adding the operators of %s",
                       families[f]->name);
        }
    }
    return NULL;
}
