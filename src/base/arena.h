/* arena.h: memory that is freed all at once; what a compile is built from.
 *
 * Blocks double in size, up to 8 MiB; nothing is freed singly. Memory is zeroed and aligned to 16
 * bytes. Thread-compatible.
 */
#ifndef TN_BASE_ARENA_H
#define TN_BASE_ARENA_H

#include "base/alloc.h"
#include "base/str.h"

typedef struct tn_arena_block tn_arena_block;
typedef struct tn_arena {
    tn_allocator allocator;
    tn_arena_block *blocks; /* newest first */
    size_t used;            /* bytes used of the newest block */
} tn_arena;

void tn_arena_init(tn_arena *arena, tn_allocator allocator);
void tn_arena_deinit(tn_arena *arena);

/* NULL when memory is short. For code with a sticky error; others use TN_ARENA_TRY. */
void *tn_arena_alloc(tn_arena *arena, size_t count, size_t elem_bytes);
/* A zero-terminated copy; data is NULL when memory is short. */
tn_str tn_arena_str(tn_arena *arena, tn_str s);
/* A zero-terminated formatted string; NULL when memory is short. */
const char *tn_arena_printf(tn_arena *arena, const char *format, ...) TN_PRINTF(2, 3);

/* An allocator that takes from the arena and frees nothing, for containers that die with the arena
 * and are never deinitialised. The arena must stay where it is. */
tn_allocator tn_arena_allocator(tn_arena *arena);

/* Grows an arena-owned array so that it holds at least count + 1 elements (capacity doubles, the
 * old copy stays behind in the arena). Returns the array, or NULL when memory is short. */
void *tn_arena_grow(tn_arena *arena, void *array, size_t count, size_t *inout_capacity,
                    size_t elem_bytes);

/* Allocates into var or returns TN_OUT_OF_MEMORY from the calling function. */
#define TN_ARENA_TRY(arena, var, count)                                                            \
    do {                                                                                           \
        (var) = tn_arena_alloc((arena), (count), sizeof *(var));                                   \
        if (!(var))                                                                                \
            return tn_error_out_of_memory();                                                       \
    } while (0)

#endif
