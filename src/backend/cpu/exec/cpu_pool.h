/* cpu_pool.h: the worker threads of a session.
 *
 * All threads run one function together; inside it they meet at barriers. Forking costs about 0.1
 * us while the workers spin, 80 us once they sleep, so they spin for a while after each run before
 * they sleep.
 */
#ifndef TN_CPU_POOL_H
#define TN_CPU_POOL_H

#include "base/alloc.h"

typedef struct tn_cpu_pool tn_cpu_pool;
typedef void (*tn_pool_fn)(void *user, uint32_t thread, uint32_t thread_count);

/* threads >= 1, the caller's included. TN_OUT_OF_MEMORY, TN_IO when a thread cannot be started. */
TN_MUST_USE tn_status tn_cpu_pool_create(const tn_allocator *allocator, uint32_t threads,
                                         uint32_t spin_us, tn_cpu_pool **out_pool);
void tn_cpu_pool_destroy(tn_cpu_pool *pool);
uint32_t tn_cpu_pool_threads(const tn_cpu_pool *pool);

/* Runs fn on every thread, the caller being thread 0, and returns when all have finished. Callers
 * take turns. Thread-safe. */
void tn_cpu_pool_run(tn_cpu_pool *pool, tn_pool_fn fn, void *user);
/* Inside fn: returns when every thread has called it. */
void tn_cpu_pool_barrier(tn_cpu_pool *pool);

#endif
