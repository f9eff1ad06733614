/* prim.c: the table of primitives: classes, schemas, names. Everything comes from TN_PRIM_LIST. */
#include "kir/prim.h"

#include <assert.h>
#include <string.h>

typedef struct prim_row {
    tn_prim_class prim_class;
    const char *schema;
} prim_row;

static const prim_row rows[TN_PRIM_COUNT] = {
#define X(enumerator, prim_class, schema) [enumerator] = {TN_CLASS_##prim_class, schema},
    TN_PRIM_LIST(X)
#undef X
};

tn_prim_class tn_prim_class_of(tn_prim prim) {
    assert(prim > TN_PRIM_NONE && prim < TN_PRIM_COUNT);
    return rows[prim].prim_class;
}

const char *tn_prim_schema(tn_prim prim) {
    assert(prim > TN_PRIM_NONE && prim < TN_PRIM_COUNT);
    return rows[prim].schema;
}

tn_str tn_prim_name(tn_prim prim) {
    const char *schema = tn_prim_schema(prim);
    return (tn_str){schema, (size_t)(strchr(schema, '(') - schema)};
}

tn_prim tn_prim_from_name(tn_str name) {
    for (int i = TN_PRIM_NONE + 1; i < TN_PRIM_COUNT; i++)
        if (tn_str_equal(tn_prim_name((tn_prim)i), name))
            return (tn_prim)i;
    return TN_PRIM_NONE;
}

tn_status tn_prim_table_fill(tn_op_table *table) {
    for (int i = TN_PRIM_NONE + 1; i < TN_PRIM_COUNT; i++)
        TN_TRY(tn_op_table_add(table, rows[i].schema, TN_OP_PRIM, (uint16_t)i, NULL));
    return NULL;
}
