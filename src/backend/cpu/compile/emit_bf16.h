/* emit_bf16.h: what the bf16 contractions share: the order of packed weights, and passes over k. */
#ifndef TN_CPU_EMIT_BF16_H
#define TN_CPU_EMIT_BF16_H

#include "backend/cpu/compile/emit_contract.h"

enum {
    TN_BF16_STEP = 32,      /* rows of k of one tile */
    TN_BF16_PANEL = 32,     /* columns of two tiles */
    TN_BF16_BLOCK = 128,    /* rows of a task with tiles: their results fill half of L1 */
    TN_BF16_MOST_STEPS = 8, /* of one pass: both sides of 32 rows stay in L1 beside the results */
};

static inline int64_t tn_bf16_ceildiv(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
/* Elements of one packed panel. */
static inline int64_t tn_bf16_panel_elems(int64_t k) {
    return tn_bf16_ceildiv(k, TN_BF16_STEP) * TN_BF16_STEP * TN_BF16_PANEL;
}
/* Where element (k, n) of a packed matrix of depth k_count lies, in elements. */
static inline int64_t tn_bf16_packed_at(int64_t k_count, int64_t k, int64_t n) {
    const int64_t step = k / TN_BF16_STEP, pair = k % TN_BF16_STEP / 2, column = n % TN_BF16_PANEL;
    return n / TN_BF16_PANEL * tn_bf16_panel_elems(k_count) +
           ((step * 2 + column / 16) * 16 + pair) * 32 + column % 16 * 2 + k % 2;
}
/* Steps of k of one pass over L1: equal passes, none above the limit. */
static inline int64_t tn_bf16_pass_steps(int64_t steps) {
    const int64_t passes = tn_bf16_ceildiv(steps, TN_BF16_MOST_STEPS);
    return passes > 0 ? tn_bf16_ceildiv(steps, passes) : 1;
}
/* Cache lines of the next pass to ask for, per step and 32 rows, so that a task of `rows` rows (or
 * an unknown number, if < 1) asks for all of it: 32 lines per step of the next pass. */
static inline int64_t tn_bf16_ahead_lines(int64_t rows) {
    const int64_t blocks =
        rows < 1 || rows > TN_BF16_BLOCK ? TN_BF16_BLOCK / 32 : tn_bf16_ceildiv(rows, 32);
    return tn_bf16_ceildiv(32, blocks);
}

#endif
