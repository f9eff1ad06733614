/* memory_plan.c: greedy-by-size interval placement; quadratic in the number of items, of which an
 * engine has some hundreds. */
#include "engine/memory_plan.h"

#include <stdlib.h>

#include "base/checked.h"

enum { ALIGNMENT = 64 };

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
    tn_status status = NULL;
    TN_GOTO(tn_alloc_array(allocator, item_count, sizeof *order, &order));
    TN_GOTO(tn_alloc_array(allocator, item_count, sizeof *placed, &placed));
    for (size_t i = 0; i < item_count; i++)
        order[i] = &items[i];
    qsort(order, item_count, sizeof *order, compare_items);
    size_t placed_count = 0;
    for (size_t i = 0; i < item_count; i++) {
        tn_plan_item *item = order[i];
        if (item->bytes == 0)
            continue;
        item->offset = lowest_gap(item, placed, placed_count);
        insert_by_offset(placed, placed_count++, item);
        if (item->offset + item->bytes > *out_arena_bytes)
            *out_arena_bytes = item->offset + item->bytes;
        size_t live = live_at(items, item_count, item->first_step);
        if (live > *out_live_bytes)
            *out_live_bytes = live;
    }
done:
    tn_alloc_free(allocator, order, item_count * sizeof *order);
    tn_alloc_free(allocator, placed, item_count * sizeof *placed);
    return status;
}
