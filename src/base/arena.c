/* arena.c: a list of blocks, newest first, each handed out from its start. A request too large to
 * share a block gets one of its own behind the newest, so that the newest keeps filling up. */
#include "base/arena.h"

#include <stdarg.h>
#include <string.h>

#include "base/checked.h"

enum { FIRST_BLOCK_BYTES = 4096, LARGEST_BLOCK_BYTES = 8 << 20, ALIGNMENT = 16 };

struct tn_arena_block {
    tn_arena_block *next;
    size_t bytes; /* of data */
    _Alignas(ALIGNMENT) unsigned char data[];
};

void tn_arena_init(tn_arena *arena, tn_allocator allocator) {
    *arena = (tn_arena){.allocator = allocator};
}

void tn_arena_deinit(tn_arena *arena) {
    tn_arena_block *block = arena->blocks;
    while (block) {
        tn_arena_block *next = block->next;
        tn_alloc_free(&arena->allocator, block, sizeof *block + block->bytes);
        block = next;
    }
    arena->blocks = NULL;
    arena->used = 0;
}

static tn_arena_block *make_block(tn_arena *arena, size_t data_bytes) {
    size_t bytes = 0;
    if (!tn_add_size(data_bytes, sizeof(tn_arena_block), &bytes))
        return NULL;
    tn_arena_block *block = arena->allocator.resize(arena->allocator.self, NULL, 0, bytes);
    if (!block)
        return NULL;
    block->bytes = data_bytes;
    block->next = NULL;
    return block;
}

/* Bytes of the next ordinary block. */
static size_t next_block_bytes(const tn_arena *arena) {
    if (!arena->blocks)
        return FIRST_BLOCK_BYTES;
    size_t doubled = arena->blocks->bytes * 2;
    return doubled < LARGEST_BLOCK_BYTES ? doubled : LARGEST_BLOCK_BYTES;
}

static void *alloc_slow(tn_arena *arena, size_t bytes) {
    size_t ordinary = next_block_bytes(arena);
    if (arena->blocks && bytes > ordinary / 2) {
        tn_arena_block *own = make_block(arena, bytes);
        if (!own)
            return NULL;
        own->next = arena->blocks->next;
        arena->blocks->next = own;
        return memset(own->data, 0, bytes);
    }
    tn_arena_block *block = make_block(arena, bytes > ordinary ? bytes : ordinary);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = bytes;
    return memset(block->data, 0, bytes);
}

void *tn_arena_alloc(tn_arena *arena, size_t count, size_t elem_bytes) {
    size_t bytes = 0;
    if (!tn_mul_size(count, elem_bytes, &bytes) || !tn_align_size(bytes, ALIGNMENT, &bytes))
        return NULL;
    if (bytes == 0)
        bytes = ALIGNMENT; /* NULL means failure, so that nothing needs an address too */
    if (!arena->blocks || bytes > arena->blocks->bytes - arena->used)
        return alloc_slow(arena, bytes);
    void *start = arena->blocks->data + arena->used;
    arena->used += bytes;
    return memset(start, 0, bytes);
}

tn_str tn_arena_str(tn_arena *arena, tn_str s) {
    size_t bytes = 0;
    char *copy = tn_add_size(s.len, 1, &bytes) ? tn_arena_alloc(arena, bytes, 1) : NULL;
    if (!copy)
        return (tn_str){NULL, 0};
    if (s.len)
        memcpy(copy, s.data, s.len);
    return (tn_str){copy, s.len};
}

const char *tn_arena_printf(tn_arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = tn_vformat(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : tn_arena_alloc(arena, (size_t)len + 1, 1);
    if (text)
        tn_vformat(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

void *tn_arena_grow(tn_arena *arena, void *array, size_t count, size_t *inout_capacity,
                    size_t elem_bytes) {
    if (count < *inout_capacity)
        return array;
    size_t capacity = 8;
    if (*inout_capacity >= capacity && !tn_mul_size(*inout_capacity, 2, &capacity))
        return NULL;
    if (capacity <= count)
        capacity = count + 1;
    void *larger = tn_arena_alloc(arena, capacity, elem_bytes);
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, array, count * elem_bytes);
    *inout_capacity = capacity;
    return larger;
}

static void *arena_resize(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes == 0)
        return NULL;
    if (ptr && new_bytes <= old_bytes)
        return ptr;
    void *larger = tn_arena_alloc(self, new_bytes, 1);
    if (larger && ptr)
        memcpy(larger, ptr, old_bytes);
    return larger;
}

tn_allocator tn_arena_allocator(tn_arena *arena) {
    return (tn_allocator){.resize = arena_resize, .self = arena};
}
