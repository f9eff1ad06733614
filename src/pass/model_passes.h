/* model_passes.h: the passes on graphs of a model's operators, which run before these become kernel
 * IR. */
#ifndef TN_PASS_MODEL_PASSES_H
#define TN_PASS_MODEL_PASSES_H

#include "pass/pass.h"

extern const tn_pass tn_pass_functionalise;

#endif
