/* listing.c: the operators and passes that there are. */
#include "base/env.h"
#include "ops/convert.h"
#include "pass/pass.h"
#include "tenon/compile.h"

tn_status tn_list_ops(tn_env *env,
                      bool (*visit)(void *user, const char *family, const char *schema,
                                    const char *cases, bool has_converter),
                      void *user) {
    if (!env || !visit)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_list_ops: %s is NULL", env ? "visit" : "env");
    size_t count = 0;
    const tn_op_family *const *families = tn_op_families(&count);
    for (size_t f = 0; f < count; f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const tn_op_entry *entry = &families[f]->entries[i];
            if (!visit(user, families[f]->name, entry->schema, entry->cases,
                       entry->convert != NULL))
                return NULL;
        }
    return NULL;
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
