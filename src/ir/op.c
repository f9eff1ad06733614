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

static tn_status split_name(tn_arena *arena, tn_str name, tn_schema *schema) {
    schema->full_name = tn_arena_str(arena, name);
    if (!schema->full_name.data)
        return tn_error_out_of_memory();
    schema->overload = tn_str_split(schema->full_name, '.', &schema->name);
    return NULL;
}

tn_status tn_op_make_opaque(tn_arena *arena, tn_str name, const tn_str *names, uint32_t param_count,
                            uint32_t result_count, const tn_op **out_op) {
    *out_op = NULL;
    tn_op *op = NULL;
    tn_schema *schema = NULL;
    tn_param *params = NULL;
    tn_param *results = NULL;
    TN_ARENA_TRY(arena, op, 1);
    TN_ARENA_TRY(arena, schema, 1);
    TN_ARENA_TRY(arena, params, param_count);
    TN_ARENA_TRY(arena, results, result_count);
    TN_TRY(split_name(arena, name, schema));
    for (uint32_t i = 0; i < param_count; i++) {
        params[i] = (tn_param){.type = TN_PARAM_ANY, .list_size = -1};
        params[i].is_keyword_only = names[i].len > 0;
        if (params[i].is_keyword_only) {
            params[i].name = tn_arena_str(arena, names[i]);
        } else {
            const char *numbered = tn_arena_printf(arena, "arg%u", (unsigned)i);
            params[i].name = numbered ? tn_str_of(numbered) : (tn_str){NULL, 0};
        }
        if (!params[i].name.data)
            return tn_error_out_of_memory();
    }
    for (uint32_t i = 0; i < result_count; i++)
        results[i] = (tn_param){.type = TN_PARAM_TENSOR, .list_size = -1, .name = TN_STR("")};
    schema->params = params;
    schema->param_count = param_count;
    schema->results = results;
    schema->result_count = result_count;
    *op = (tn_op){.name = schema->full_name, .op_class = TN_OP_OPAQUE, .schema = schema};
    *out_op = op;
    return NULL;
}
