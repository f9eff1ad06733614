/* pt2_scope.c: what the names within one graph stand for. */
#include "front/pt2.h"

/* Tokens are kept in maps of pointers as their number plus one, so that no entry needs memory of
 * its own. The first entry of a duplicated key is overwritten by the last, as Python's reader does.
 */
static tn_status index_tokens(tn_pt2 *pt2, tn_map *map, tn_json_value object) {
    for (tn_json_walk walk = tn_json_begin(object); tn_json_step(&walk);) {
        tn_str name;
        TN_TRY(tn_json_str(pt2->arena, walk.key, &name));
        TN_TRY(tn_map_set(map, name, (void *)((uintptr_t)walk.value.index + 1)));
    }
    return NULL;
}

static tn_json_value token_of(const tn_pt2_scope *scope, const tn_map *map, tn_str name) {
    uintptr_t token = (uintptr_t)tn_map_get(map, name);
    return (tn_json_value){scope->json.doc, token ? (uint32_t)(token - 1) : UINT32_MAX};
}

tn_status tn_pt2_scope_open(tn_pt2_scope *scope, tn_pt2 *pt2, tn_graph *graph, tn_json_value json,
                            int depth) {
    *scope = (tn_pt2_scope){.pt2 = pt2, .graph = graph, .json = json, .depth = depth};
    tn_allocator allocator = tn_arena_allocator(pt2->arena);
    tn_map_init(&scope->values, allocator);
    tn_map_init(&scope->metas, allocator);
    tn_map_init(&scope->scalars, allocator);
    tn_json_value tensors;
    TN_TRY(tn_json_member(json, "tensor_values", TN_JSON_OBJECT, &tensors));
    TN_TRY(index_tokens(pt2, &scope->metas, tensors));
    TN_TRY(index_tokens(pt2, &scope->scalars, tn_json_find(json, "sym_int_values")));
    TN_TRY(index_tokens(pt2, &scope->scalars, tn_json_find(json, "sym_bool_values")));
    return index_tokens(pt2, &scope->scalars, tn_json_find(json, "sym_float_values"));
}

tn_status tn_pt2_scope_value(const tn_pt2_scope *scope, tn_json_value ref, tn_value **out_value) {
    tn_str name;
    *out_value = NULL;
    TN_TRY(tn_pt2_name(scope->pt2, ref, &name));
    *out_value = tn_map_get(&scope->values, name);
    if (*out_value)
        return NULL;
    return tn_json_error(ref, TN_CORRUPT, "no input and no node before it gives the tensor '%.*s'",
                         (int)(name.len < 200 ? name.len : 200), name.data);
}

tn_status tn_pt2_scope_bind(tn_pt2_scope *scope, tn_str name, tn_value *value) {
    return tn_map_set(&scope->values, name, value);
}

tn_json_value tn_pt2_scope_meta(const tn_pt2_scope *scope, tn_str name) {
    return token_of(scope, &scope->metas, name);
}

tn_status tn_pt2_scope_type(const tn_pt2_scope *scope, tn_json_value ref, tn_str name,
                            tn_type *out_type) {
    tn_json_value meta = tn_pt2_scope_meta(scope, name);
    *out_type = (tn_type){0};
    if (tn_json_kind_of(meta) == TN_JSON_ABSENT)
        return tn_json_error(ref, TN_CORRUPT, "tensor_values has no entry '%.*s'",
                             (int)(name.len < 200 ? name.len : 200), name.data);
    return tn_pt2_type(scope->pt2, meta, out_type);
}

tn_status tn_pt2_scope_number(const tn_pt2_scope *scope, tn_json_value arg,
                              tn_pt2_number *out_number) {
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_pt2_union(arg, &tag, &content));
    if (!tn_str_is(tag, "as_name"))
        return tn_pt2_number_of(scope->pt2, arg, out_number);
    tn_str name;
    TN_TRY(tn_json_str(scope->pt2->arena, content, &name));
    tn_json_value value = token_of(scope, &scope->scalars, name);
    if (tn_json_kind_of(value) == TN_JSON_ABSENT)
        return tn_json_error(content, TN_CORRUPT, "the graph declares no number '%.*s'",
                             (int)(name.len < 200 ? name.len : 200), name.data);
    return tn_pt2_number_of(scope->pt2, value, out_number);
}
