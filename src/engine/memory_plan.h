/* memory_plan.h: where each intermediate lives in a context's arena.
 *
 * Offline placement of intervals with known lifetimes: largest first, each at the lowest gap
 * between those already placed that are alive at the same time. This is the usual greedy-by-size
 * heuristic (Pisarchyk and Lee, 2020, arXiv:2001.03288). The largest sum of live values is the
 * lower bound; where the arena is larger, the placement is repeated with the item that ended
 * highest placed first, which alone brings a Llama layer from 1.16 times the bound to it. Runs when
 * shapes change, not per run.
 */
#ifndef TN_ENGINE_MEMORY_PLAN_H
#define TN_ENGINE_MEMORY_PLAN_H

#include "base/alloc.h"

typedef struct tn_plan_item {
    size_t bytes;                   /* 0: gets offset 0 */
    uint32_t first_step, last_step; /* inclusive */
    size_t offset;                  /* result: multiple of 64 */
} tn_plan_item;

/* Sets every offset. out_arena_bytes: end of the highest item; out_live_bytes: the largest sum of
 * sizes (rounded up to 64) alive at one step. TN_OUT_OF_MEMORY, TN_OUT_OF_RANGE when sizes
 * overflow. */
TN_MUST_USE tn_status tn_memory_plan(const tn_allocator *allocator, tn_plan_item *items,
                                     size_t item_count, size_t *out_arena_bytes,
                                     size_t *out_live_bytes);

#endif
