/* cpu_pool.c: an epoch that workers watch, and a central barrier.
 *
 * A run raises the epoch. A worker that has spun long enough counts itself as a sleeper and waits
 * on a condition variable; the submitter raises the epoch first and looks for sleepers after, both
 * in sequentially consistent order, so one of the two always sees the other.
 */
#include "backend/cpu/exec/cpu_pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum {
    CACHE_LINE = 64,
    SPINS_PER_LOOK = 256,
    /* At a barrier, before the processor is given away in case that the thread waited for has none:
     * about 40 us of pauses, more than the shares of a step differ by, and far less than the time
     * slice that spinning on would cost. */
    SPINS_BEFORE_YIELD = 1 << 10,
};

typedef struct worker {
    tn_cpu_pool *pool;
    pthread_t thread;
    uint32_t index;
} worker;

struct tn_cpu_pool {
    tn_allocator allocator;
    uint32_t threads;
    uint64_t spin_ns;
    pthread_mutex_t turn; /* held by the caller that is running */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    worker *workers; /* threads - 1 */
    uint32_t started;
    tn_pool_fn fn;
    void *user;
    bool is_stopping;
    /* Each on a cache line of its own. */
    char padding0[CACHE_LINE];
    atomic_uint epoch;
    char padding1[CACHE_LINE];
    atomic_uint sleepers;
    char padding2[CACHE_LINE];
    atomic_uint arrived;
    char padding3[CACHE_LINE];
    atomic_uint generation;
};

static inline void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Waits until *word differs from old, giving the processor away when that takes long. */
static void spin_until_changed(atomic_uint *word, unsigned old) {
    for (uint32_t spins = 0; atomic_load_explicit(word, memory_order_acquire) == old; spins++) {
        if (spins < SPINS_BEFORE_YIELD)
            pause_cpu();
        else
            sched_yield();
    }
}

void tn_cpu_pool_barrier(tn_cpu_pool *pool) {
    if (pool->threads == 1)
        return;
    unsigned generation = atomic_load_explicit(&pool->generation, memory_order_relaxed);
    unsigned arrived = atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1;
    if (arrived == pool->threads) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->generation, generation + 1, memory_order_release);
    } else {
        spin_until_changed(&pool->generation, generation);
    }
}

/* Returns when the epoch has left `seen`. */
static void wait_for_work(tn_cpu_pool *pool, unsigned seen) {
    uint64_t deadline = now_ns() + pool->spin_ns;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (atomic_load_explicit(&pool->epoch, memory_order_acquire) != seen)
                return;
            pause_cpu();
        }
    } while (now_ns() < deadline);
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->epoch) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument) {
    worker *self = argument;
    tn_cpu_pool *pool = self->pool;
    for (unsigned seen = 0;;) {
        wait_for_work(pool, seen);
        seen = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        if (pool->is_stopping)
            return NULL;
        pool->fn(pool->user, self->index, pool->threads);
        tn_cpu_pool_barrier(pool);
    }
}

static void raise_epoch(tn_cpu_pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

tn_status tn_cpu_pool_create(const tn_allocator *allocator, uint32_t threads, uint32_t spin_us,
                             tn_cpu_pool **out_pool) {
    *out_pool = NULL;
    tn_cpu_pool *pool = NULL;
    TN_TRY(tn_alloc(allocator, sizeof *pool, &pool));
    pool->allocator = *allocator;
    pool->threads = threads;
    pool->spin_ns = (uint64_t)spin_us * 1000;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    tn_status status =
        tn_alloc_array(allocator, threads - 1, sizeof *pool->workers, &pool->workers);
    for (uint32_t i = 0; !status && i + 1 < threads; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i + 1};
        int error = pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        if (error)
            status = tn_error_make(TN_IO, "starting worker thread %u of %u: %s", i + 1, threads - 1,
                                   strerror(error));
        else
            pool->started++;
    }
    if (status) {
        tn_cpu_pool_destroy(pool);
        return status;
    }
    *out_pool = pool;
    return NULL;
}

void tn_cpu_pool_destroy(tn_cpu_pool *pool) {
    if (!pool)
        return;
    pool->is_stopping = true;
    raise_epoch(pool);
    for (uint32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    pthread_mutex_destroy(&pool->turn);
    tn_allocator allocator = pool->allocator;
    tn_alloc_free(&allocator, pool->workers, (pool->threads - 1) * sizeof *pool->workers);
    tn_alloc_free(&allocator, pool, sizeof *pool);
}

uint32_t tn_cpu_pool_threads(const tn_cpu_pool *pool) {
    return pool->threads;
}

void tn_cpu_pool_run(tn_cpu_pool *pool, tn_pool_fn fn, void *user) {
    /* Without workers nothing is shared, and callers need not take turns. */
    if (pool->threads == 1) {
        fn(user, 0, 1);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->fn = fn;
    pool->user = user;
    raise_epoch(pool);
    fn(user, 0, pool->threads);
    tn_cpu_pool_barrier(pool);
    pthread_mutex_unlock(&pool->turn);
}
