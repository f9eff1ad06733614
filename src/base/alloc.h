/* alloc.h: the env's allocator as the library uses it, and the two allocators that tests wrap
 * around another: one counts, one fails at the N-th request. */
#ifndef TN_BASE_ALLOC_H
#define TN_BASE_ALLOC_H

#include <stdatomic.h>

#include "base/status.h"

/* Allocates bytes (zeroed); *out_ptr is NULL for 0 bytes. TN_OUT_OF_MEMORY otherwise. */
TN_MUST_USE tn_status tn_alloc(const tn_allocator *allocator, size_t bytes, void *out_ptr);
/* Allocates count elements of elem_bytes (zeroed); the product is checked. */
TN_MUST_USE tn_status tn_alloc_array(const tn_allocator *allocator, size_t count, size_t elem_bytes,
                                     void *out_ptr);
/* Resizes *ptr from old_bytes to new_bytes; on failure *ptr stays valid. New bytes are not
 * zeroed. */
TN_MUST_USE tn_status tn_alloc_resize(const tn_allocator *allocator, void *inout_ptr,
                                      size_t old_bytes, size_t new_bytes);
/* Frees; NULL is allowed. bytes is the size asked for. */
void tn_alloc_free(const tn_allocator *allocator, void *ptr, size_t bytes);

/* An allocator that counts and can fail. Thread-safe. */
typedef struct tn_test_allocator {
    tn_allocator inner;
    atomic_size_t request_count; /* allocations and growths so far */
    atomic_size_t live_bytes;
    atomic_size_t live_blocks;
    atomic_size_t peak_bytes;
    size_t fail_at; /* the request of this number (from 1) and all later ones fail; 0: never */
} tn_test_allocator;

/* Wraps inner; *out is its state and must outlive all blocks. */
tn_allocator tn_test_allocator_init(tn_test_allocator *out, tn_allocator inner, size_t fail_at);

#endif
