/* kernel_passes.h: the passes on kernel IR, one file each. */
#ifndef TN_PASS_KERNEL_PASSES_H
#define TN_PASS_KERNEL_PASSES_H

#include "pass/pass.h"

extern const tn_pass tn_pass_dead_code;
extern const tn_pass tn_pass_fold_constants;
extern const tn_pass tn_pass_simplify;
extern const tn_pass tn_pass_common_nodes;
extern const tn_pass tn_pass_expand_powers;
extern const tn_pass tn_pass_counters;
extern const tn_pass tn_pass_contract_views;
extern const tn_pass tn_pass_activations;
extern const tn_pass tn_pass_norms;
extern const tn_pass tn_pass_contract_affine;
extern const tn_pass tn_pass_attention;
extern const tn_pass tn_pass_attention_form;
extern const tn_pass tn_pass_merge_matmuls;
extern const tn_pass tn_pass_widen_products;

#endif
