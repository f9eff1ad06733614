/* test_memory_plan.c: placements are disjoint, aligned and near the lower bound; every allocation
 * may fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/memory_plan.h"
#include "run/context.h"

enum { ITEMS_MAX = 64 };

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* What must hold of any plan, whatever the heuristic. */
static void check_plan(const tn_plan_item *items, size_t count, size_t arena_bytes,
                       size_t live_bytes) {
    assert_true(arena_bytes >= live_bytes);
    for (size_t i = 0; i < count; i++) {
        const tn_plan_item *a = &items[i];
        assert_int_equal(a->offset % 64, 0);
        assert_true(a->offset + a->bytes <= arena_bytes);
        for (size_t j = 0; j < i; j++) {
            const tn_plan_item *b = &items[j];
            bool meet = a->first_step <= b->last_step && b->first_step <= a->last_step;
            bool touch = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
            assert_false(meet && touch && a->bytes > 0 && b->bytes > 0);
        }
    }
}

/* Two layers of a Llama with grouped queries, for which placing by size alone takes 1.21 times the
 * largest sum of live values. */
static void test_reaches_the_bound(void **state) {
    (void)state;
    tn_plan_item items[] = {{262144, 0, 6, 0},   {128, 1, 13, 0},     {262144, 2, 3, 0},
                            {393216, 3, 5, 0},   {262144, 4, 5, 0},   {65536, 4, 5, 0},
                            {262144, 5, 6, 0},   {262144, 6, 9, 0},   {262144, 7, 8, 0},
                            {720896, 8, 9, 0},   {262144, 9, 14, 0},  {262144, 10, 11, 0},
                            {393216, 11, 13, 0}, {262144, 12, 13, 0}, {65536, 12, 13, 0},
                            {262144, 13, 14, 0}, {262144, 14, 17, 0}, {262144, 15, 16, 0},
                            {720896, 16, 17, 0}, {262144, 17, 18, 0}, {262144, 18, 19, 0}};
    const size_t count = sizeof items / sizeof items[0];
    const tn_allocator allocator = tn_allocator_system();
    size_t arena_bytes, live_bytes;
    assert_null(tn_memory_plan(&allocator, items, count, &arena_bytes, &live_bytes));
    check_plan(items, count, arena_bytes, live_bytes);
    assert_int_equal(live_bytes, 1245312);
    assert_int_equal(arena_bytes, live_bytes);
}

static void test_random_items(void **state) {
    (void)state;
    const tn_allocator allocator = tn_allocator_system();
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        tn_plan_item items[ITEMS_MAX];
        const size_t count = next_random(&random) % ITEMS_MAX;
        for (size_t i = 0; i < count; i++) {
            const uint32_t first = (uint32_t)(next_random(&random) % 40);
            items[i] = (tn_plan_item){.bytes = next_random(&random) % 5000,
                                      .first_step = first,
                                      .last_step = first + (uint32_t)(next_random(&random) % 9)};
        }
        size_t arena_bytes, live_bytes;
        assert_null(tn_memory_plan(&allocator, items, count, &arena_bytes, &live_bytes));
        check_plan(items, count, arena_bytes, live_bytes);
    }
}

/* A chain of results over operands is one piece of memory, from the first's first step to the
 * last's last. A second result over the same operand gets a place of its own. */
static void test_results_over_operands(void **state) {
    (void)state;
    const tn_rec_buffer buffers[] = {
        {.kind = TN_BUFFER_INPUT},
        {.kind = TN_BUFFER_ARENA, .first_step = 0, .last_step = 2},
        {.kind = TN_BUFFER_ARENA, .first_step = 1, .last_step = 4},
        {.kind = TN_BUFFER_ARENA, .first_step = 2, .last_step = 3, .over = 2},
        {.kind = TN_BUFFER_ARENA, .first_step = 3, .last_step = 5, .over = 4},
        {.kind = TN_BUFFER_ARENA, .first_step = 2, .last_step = 3, .over = 2},
    };
    enum { COUNT = sizeof buffers / sizeof *buffers };
    const tn_program program = {.buffers = buffers, .buffer_count = COUNT};
    const size_t bytes[COUNT] = {100, 640, 64, 640, 640, 640};
    size_t offsets[COUNT] = {0}, arena_bytes, live_bytes;
    const tn_allocator allocator = tn_allocator_system();
    assert_null(
        tn_arena_plan(&allocator, &program, bytes, NULL, 0, offsets, &arena_bytes, &live_bytes));
    assert_int_equal(offsets[0], 0);
    assert_int_equal(offsets[3], offsets[1]);
    assert_int_equal(offsets[4], offsets[1]);
    assert_true(offsets[5] != offsets[1]);
    assert_int_equal(live_bytes, 640 + 64 + 640);
    assert_int_equal(arena_bytes, live_bytes);
}

static void test_sizes_overflow(void **state) {
    (void)state;
    tn_plan_item items[] = {{SIZE_MAX - 100, 0, 1, 0}, {4096, 0, 1, 0}};
    const tn_allocator allocator = tn_allocator_system();
    size_t arena_bytes, live_bytes;
    tn_status status = tn_memory_plan(&allocator, items, 2, &arena_bytes, &live_bytes);
    assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
    tn_status_free(status);
}

/* Refuses the allocation that brings *self to zero. */
static void *resize_or_fail(void *self, void *ptr, size_t old_bytes, size_t new_bytes) {
    int *left = self;
    if (new_bytes > 0 && (*left)-- == 0)
        return NULL;
    const tn_allocator system = tn_allocator_system();
    return system.resize(system.self, ptr, old_bytes, new_bytes);
}

static void test_allocations_fail(void **state) {
    (void)state;
    for (int failing = 0;; failing++) {
        tn_plan_item items[] = {{100, 0, 1, 0}, {200, 1, 2, 0}};
        int left = failing;
        const tn_allocator allocator = {.resize = resize_or_fail, .self = &left};
        size_t arena_bytes, live_bytes;
        tn_status status = tn_memory_plan(&allocator, items, 2, &arena_bytes, &live_bytes);
        if (!status) {
            assert_true(failing > 0);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaches_the_bound),     cmocka_unit_test(test_random_items),
        cmocka_unit_test(test_results_over_operands), cmocka_unit_test(test_sizes_overflow),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
