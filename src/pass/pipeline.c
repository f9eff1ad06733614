/* pipeline.c: which passes run on kernel IR, and in which order. */
#include "ir/verify.h"
#include "pass/kernel_passes.h"

/* First what shrinks the graph, so that patterns show: constants, views, masks made of counters.
 * Then contractions are brought into one form, so that the recognisers need to know only that one.
 * Merging comes late, because it takes the products apart again by slices; then only the types that
 * products are computed in are left to choose. */
static const tn_pass *const pipeline[] = {
    &tn_pass_dead_code,      &tn_pass_fold_constants,  &tn_pass_simplify,
    &tn_pass_common_nodes,   &tn_pass_expand_powers,   &tn_pass_counters,
    &tn_pass_fold_constants, &tn_pass_simplify,        &tn_pass_common_nodes,
    &tn_pass_contract_views, &tn_pass_simplify,        &tn_pass_activations,
    &tn_pass_norms,          &tn_pass_contract_affine, &tn_pass_attention,
    &tn_pass_attention_form, &tn_pass_merge_matmuls,   &tn_pass_widen_products,
    &tn_pass_fold_constants, &tn_pass_simplify,        &tn_pass_common_nodes,
    &tn_pass_dead_code,
};

const tn_pass *const *tn_pass_kernel_pipeline(size_t *out_count) {
    *out_count = sizeof pipeline / sizeof pipeline[0];
    return pipeline;
}

/* The i-th pass of both pipelines, NULL past the last. */
static const tn_pass *pass_at(size_t i) {
    size_t model_count;
    const tn_pass *const *model = tn_pass_model_pipeline(&model_count);
    if (i < model_count)
        return model[i];
    i -= model_count;
    return i < sizeof pipeline / sizeof pipeline[0] ? pipeline[i] : NULL;
}

size_t tn_pass_list(const tn_pass **out_passes, size_t capacity) {
    size_t count = 0;
    const tn_pass *pass;
    for (size_t i = 0; (pass = pass_at(i)); i++) {
        bool is_new = true;
        for (size_t j = 0; j < i; j++)
            is_new = is_new && pass_at(j) != pass;
        if (is_new && count < capacity)
            out_passes[count] = pass;
        count += is_new;
    }
    return count;
}

const tn_pass *tn_pass_find(tn_str name) {
    const tn_pass *pass;
    for (size_t i = 0; (pass = pass_at(i)); i++)
        if (tn_str_is(name, pass->name))
            return pass;
    return NULL;
}

tn_status tn_pass_run(tn_pass_ctx *ctx, tn_graph *graph, const tn_pass *const *passes,
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        TN_TRY_CTX(passes[i]->run(ctx, graph), "while running pass %s", passes[i]->name);
        TN_TRY_CTX(tn_graph_verify(graph, tn_prim_verify), "after pass %s", passes[i]->name);
        if (ctx->after)
            TN_TRY(ctx->after(ctx->after_user, passes[i], graph));
    }
    return NULL;
}
