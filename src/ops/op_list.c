/* op_list.c: all operator families, and the table of their operators by name. */
#include "ops/op_families.h"

const tn_op_family *const *tn_op_families(size_t *out_count) {
#define X(name) &tn_ops_##name,
    static const tn_op_family *const families[] = {TN_OP_FAMILY_LIST(X)};
#undef X
    *out_count = sizeof families / sizeof *families;
    return families;
}

tn_status tn_op_list_fill(tn_op_table *table) {
    size_t family_count;
    const tn_op_family *const *families = tn_op_families(&family_count);
    for (size_t f = 0; f < family_count; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            const tn_op_entry *entry = &families[f]->entries[i];
            TN_TRY_CTX(tn_op_table_add(table, entry->schema, TN_OP_GRAPH, 0, entry),
                       "while adding the operators of %s", families[f]->name);
        }
    }
    return NULL;
}
