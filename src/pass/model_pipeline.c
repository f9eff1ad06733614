/* model_pipeline.c: which passes run on the model's operators, and in which order. */
#include "pass/model_passes.h"

static const tn_pass *const pipeline[] = {
    &tn_pass_functionalise,
};

const tn_pass *const *tn_pass_model_pipeline(size_t *out_count) {
    *out_count = sizeof pipeline / sizeof pipeline[0];
    return pipeline;
}
