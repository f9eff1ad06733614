/* listing.c: the operators and passes that there are. */
#include "base/env.h"
#include "ops/convert.h"
#include "pass/pass.h"
#include "tenon/compile.h"

typedef struct op_visitor {
    bool (*visit)(void *user, const char *family, const char *schema, const char *cases,
                  bool has_converter);
    void *user;
    tn_buf schema; /* of an alias */
    bool is_done;
} op_visitor;

/* One entry, under all its names. */
static tn_status visit_entry(op_visitor *visitor, const char *family, const tn_op_entry *entry) {
    size_t count = 0;
    const tn_op_alias *aliases = tn_op_aliases(&count);
    bool has_converter = entry->convert != NULL;
    visitor->is_done =
        !visitor->visit(visitor->user, family, entry->schema, entry->cases, has_converter);
    for (size_t i = 0; i < count && !visitor->is_done; i++) {
        tn_buf_clear(&visitor->schema);
        if (!tn_op_alias_schema(&visitor->schema, &aliases[i], entry->schema))
            continue;
        TN_TRY(tn_buf_status(&visitor->schema));
        visitor->is_done = !visitor->visit(visitor->user, family, tn_buf_cstr(&visitor->schema),
                                           entry->cases, has_converter);
    }
    return NULL;
}

tn_status tn_list_ops(tn_env *env,
                      bool (*visit)(void *user, const char *family, const char *schema,
                                    const char *cases, bool has_converter),
                      void *user) {
    if (!env || !visit)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_list_ops: %s is NULL", env ? "visit" : "env");
    size_t count = 0;
    const tn_op_family *const *families = tn_op_families(&count);
    op_visitor visitor = {.visit = visit, .user = user};
    tn_status status = NULL;
    tn_buf_init(&visitor.schema, env->allocator);
    for (size_t f = 0; f < count; f++)
        for (size_t i = 0; i < families[f]->count && !visitor.is_done && !status; i++)
            status = visit_entry(&visitor, families[f]->name, &families[f]->entries[i]);
    tn_buf_deinit(&visitor.schema);
    return status;
}

tn_status tn_list_passes(tn_env *env,
                         bool (*visit)(void *user, const char *stage, const char *name,
                                       const char *summary),
                         void *user) {
    if (!env || !visit)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_list_passes: %s is NULL",
                             env ? "visit" : "env");
    size_t model_count = 0, kernel_count = 0;
    const tn_pass *const *model = tn_pass_model_pipeline(&model_count);
    const tn_pass *const *kernel = tn_pass_kernel_pipeline(&kernel_count);
    for (size_t i = 0; i < model_count; i++)
        if (!visit(user, "model", model[i]->name, model[i]->summary))
            return NULL;
    for (size_t i = 0; i < kernel_count; i++)
        if (!visit(user, "kernel", kernel[i]->name, kernel[i]->summary))
            return NULL;
    return NULL;
}
