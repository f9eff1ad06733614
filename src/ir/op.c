/* op.c: tables of operators by full name. */
#include "ir/op.h"

void tn_op_table_init(tn_op_table *table, tn_arena *arena) {
    table->arena = arena;
    tn_map_init(&table->by_name, arena->allocator);
}

void tn_op_table_deinit(tn_op_table *table) {
    tn_map_deinit(&table->by_name);
}

tn_status tn_op_table_add(tn_op_table *table, const char *schema, tn_op_class op_class,
                          uint16_t code, const void *entry) {
    tn_op *op = NULL;
    TN_ARENA_TRY(table->arena, op, 1);
    TN_TRY(tn_schema_parse(table->arena, tn_str_of(schema), &op->schema));
    op->name = op->schema->full_name;
    op->op_class = op_class;
    op->code = code;
    op->entry = entry;
    if (tn_map_has(&table->by_name, op->name))
        return tn_error_make(TN_INVALID_ARGUMENT, "operator %.*s is in the table already",
                             TN_STR_ARG(op->name));
    return tn_map_set(&table->by_name, op->name, op);
}

const tn_op *tn_op_table_find(const tn_op_table *table, tn_str name) {
    return tn_map_get(&table->by_name, name);
}
