/* alloc.c: the C library's allocator behind tn_allocator, checked helpers over any allocator, and
 * the test allocator. The only file that calls malloc's family. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

_Static_assert(_Alignof(max_align_t) >= 16, "tn_allocator promises blocks aligned to 16 bytes");

static void *system_resize(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)self;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_bytes);
}

tn_allocator tn_allocator_system(void) {
    return (tn_allocator){.resize = system_resize, .self = NULL};
}

/* out_ptr is the address of a pointer of any object type; memcpy is the portable way to store
 * one. */
static void store_pointer(void *out_ptr, void *value) {
    memcpy(out_ptr, &value, sizeof value);
}

tn_status tn_alloc(const tn_allocator *allocator, size_t bytes, void *out_ptr) {
    store_pointer(out_ptr, NULL);
    if (bytes == 0)
        return NULL;
    void *block = allocator->resize(allocator->self, NULL, 0, bytes);
    if (!block)
        return tn_error_out_of_memory();
    memset(block, 0, bytes);
    store_pointer(out_ptr, block);
    return NULL;
}

tn_status tn_alloc_array(const tn_allocator *allocator, size_t count, size_t elem_bytes,
                         void *out_ptr) {
    size_t bytes = 0;
    if (!tn_mul_size(count, elem_bytes, &bytes)) {
        store_pointer(out_ptr, NULL);
        return tn_error_out_of_memory();
    }
    return tn_alloc(allocator, bytes, out_ptr);
}

tn_status tn_alloc_resize(const tn_allocator *allocator, void *inout_ptr, size_t old_bytes,
                          size_t new_bytes) {
    void *old = NULL;
    memcpy(&old, inout_ptr, sizeof old);
    if (new_bytes == 0) {
        tn_alloc_free(allocator, old, old_bytes);
        store_pointer(inout_ptr, NULL);
        return NULL;
    }
    void *block = allocator->resize(allocator->self, old, old ? old_bytes : 0, new_bytes);
    if (!block)
        return tn_error_out_of_memory();
    store_pointer(inout_ptr, block);
    return NULL;
}

void tn_alloc_free(const tn_allocator *allocator, void *ptr, size_t bytes) {
    if (ptr)
        (void)allocator->resize(allocator->self, ptr, bytes, 0);
}

/* ---- test allocator ------------------------------------------------------------------------- */

static void note_peak(tn_test_allocator *state, size_t live) {
    size_t peak = atomic_load(&state->peak_bytes);
    while (live > peak && !atomic_compare_exchange_weak(&state->peak_bytes, &peak, live)) {
    }
}

static void *test_resize(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    tn_test_allocator *state = self;
    if (new_bytes > old_bytes) {
        size_t request = atomic_fetch_add(&state->request_count, 1) + 1;
        if (state->fail_at != 0 && request >= state->fail_at)
            return NULL;
    }
    void *block = state->inner.resize(state->inner.self, ptr, old_bytes, new_bytes);
    if (!block && new_bytes != 0)
        return NULL;
    if (!ptr && new_bytes != 0)
        atomic_fetch_add(&state->live_blocks, 1);
    if (ptr && new_bytes == 0)
        atomic_fetch_sub(&state->live_blocks, 1);
    /* Unsigned wrap-around makes one addition serve growth and shrinking. */
    size_t change = new_bytes - old_bytes;
    note_peak(state, atomic_fetch_add(&state->live_bytes, change) + change);
    return block;
}

tn_allocator tn_test_allocator_init(tn_test_allocator *out, tn_allocator inner, size_t fail_at) {
    out->inner = inner;
    out->fail_at = fail_at;
    atomic_init(&out->request_count, 0);
    atomic_init(&out->live_bytes, 0);
    atomic_init(&out->live_blocks, 0);
    atomic_init(&out->peak_bytes, 0);
    return (tn_allocator){.resize = test_resize, .self = out};
}
