/* memory_plan.c: greedy interval placement, repeated with the item that ended highest moved to the
 * front, until the lower bound is met or enough was tried; each try is quadratic in the number of
 * items, of which an engine has some hundreds. */
#include "engine/memory_plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* WORK_MAX bounds all tries together, in pairs of items: some milliseconds. Models of many equal
 * layers need about two tries a layer. */
enum { ALIGNMENT = 64, WORK_MAX = 1 << 23 };

/* Larger first; of equal sizes the one that starts earlier, so that the result does not depend on
 * qsort. */
static int compare_items(const void *a, const void *b) {
    const tn_plan_item *x = *(tn_plan_item *const *)a, *y = *(tn_plan_item *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first_step != y->first_step)
        return x->first_step < y->first_step ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool overlaps_in_time(const tn_plan_item *a, const tn_plan_item *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* The lowest offset at which item fits between the placed ones (sorted by offset) that live with
 * it. */
static size_t lowest_gap(const tn_plan_item *item, tn_plan_item *const *placed, size_t count) {
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (!overlaps_in_time(item, placed[i]))
            continue;
        if (placed[i]->offset >= offset && placed[i]->offset - offset >= item->bytes)
            break;
        size_t end = placed[i]->offset + placed[i]->bytes;
        if (end > offset)
            offset = end;
    }
    return offset;
}

static void insert_by_offset(tn_plan_item **placed, size_t count, tn_plan_item *item) {
    size_t at = count;
    while (at > 0 && placed[at - 1]->offset > item->offset) {
        placed[at] = placed[at - 1];
        at--;
    }
    placed[at] = item;
}

/* Sum of the sizes alive when `at` begins; the largest sum is reached at the beginning of some
 * item. */
static size_t live_at(const tn_plan_item *items, size_t count, uint32_t step) {
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].first_step <= step && step <= items[i].last_step)
            sum += items[i].bytes;
    return sum;
}

static size_t largest_live(const tn_plan_item *items, size_t count) {
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t live = live_at(items, count, items[i].first_step);
        if (live > largest)
            largest = live;
    }
    return largest;
}

/* Places the items in this order; returns the arena's size, and the position in the order of the
 * item that ends there. */
static size_t place(tn_plan_item *const *order, tn_plan_item **placed, size_t count,
                    size_t *out_highest) {
    size_t arena_bytes = 0, placed_count = 0;
    *out_highest = 0;
    for (size_t i = 0; i < count; i++) {
        tn_plan_item *item = order[i];
        if (item->bytes == 0)
            continue;
        item->offset = lowest_gap(item, placed, placed_count);
        insert_by_offset(placed, placed_count++, item);
        if (item->offset + item->bytes > arena_bytes) {
            arena_bytes = item->offset + item->bytes;
            *out_highest = i;
        }
    }
    return arena_bytes;
}

static void move_to_front(tn_plan_item **order, size_t at) {
    tn_plan_item *item = order[at];
    memmove(order + 1, order, at * sizeof *order);
    order[0] = item;
}

tn_status tn_memory_plan(const tn_allocator *allocator, tn_plan_item *items, size_t item_count,
                         size_t *out_arena_bytes, size_t *out_live_bytes) {
    *out_arena_bytes = 0;
    *out_live_bytes = 0;
    size_t total = 0;
    for (size_t i = 0; i < item_count; i++) {
        items[i].offset = 0;
        if (!tn_align_size(items[i].bytes, ALIGNMENT, &items[i].bytes) ||
            !tn_add_size(total, items[i].bytes, &total))
            return tn_error_make(TN_OUT_OF_RANGE,
                                 "sizes of %zu intermediate tensors overflow 64 bits", item_count);
    }
    if (item_count == 0)
        return NULL;
    tn_plan_item **order = NULL, **placed = NULL;
    size_t *best_offsets = NULL;
    tn_status status = NULL;
    TN_GOTO(tn_alloc_array(allocator, item_count, sizeof *order, &order));
    TN_GOTO(tn_alloc_array(allocator, item_count, sizeof *placed, &placed));
    TN_GOTO(tn_alloc_array(allocator, item_count, sizeof *best_offsets, &best_offsets));
    for (size_t i = 0; i < item_count; i++)
        order[i] = &items[i];
    qsort(order, item_count, sizeof *order, compare_items);
    *out_live_bytes = largest_live(items, item_count);
    *out_arena_bytes = SIZE_MAX;
    size_t tries = 1 + WORK_MAX / item_count / item_count;
    for (; tries > 0 && *out_arena_bytes > *out_live_bytes; tries--) {
        size_t highest;
        size_t arena_bytes = place(order, placed, item_count, &highest);
        if (arena_bytes < *out_arena_bytes) {
            *out_arena_bytes = arena_bytes;
            for (size_t i = 0; i < item_count; i++)
                best_offsets[i] = items[i].offset;
        }
        move_to_front(order, highest);
    }
    for (size_t i = 0; i < item_count; i++)
        items[i].offset = best_offsets[i];
done:
    tn_alloc_free(allocator, order, item_count * sizeof *order);
    tn_alloc_free(allocator, placed, item_count * sizeof *placed);
    tn_alloc_free(allocator, best_offsets, item_count * sizeof *best_offsets);
    return status;
}
