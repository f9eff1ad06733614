/* test_cpu_layout.c: layouts under random chains of views against a list of positions that is
 * moved element by element. Some sizes are symbols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/compile/layout.h"

enum { MOST_ELEMS = 4096, ROUNDS = 4000, CHAIN = 6 };

/* A value: sizes and, in row-major order, where each of its elements lies. */
typedef struct model {
    uint32_t rank;
    int64_t dims[TN_MAX_RANK];
    int64_t count;
    int64_t at[MOST_ELEMS];
} model;

typedef struct fixture {
    tn_arena arena;
    tn_syms *syms;
    int64_t values[8]; /* of the symbols */
    uint64_t random;
} fixture;

static uint32_t pick(fixture *f, uint32_t bound) {
    f->random = f->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((f->random >> 33) % bound);
}

/* A size as an expression: its value, or a symbol (n is one of 2 to 5) with that value. */
static const tn_sym *size(fixture *f, int64_t n, bool is_symbolic) {
    static const char *const names[] = {"a", "b", "c", "d"};
    if (!is_symbolic || n < 2 || n > 5)
        return tn_sym_const(f->syms, n);
    f->values[n - 2] = n;
    return tn_sym_var(f->syms, tn_str_of(names[n - 2]), 1, 64);
}

static int64_t value_of(const fixture *f, const tn_sym *s) {
    int64_t value = 0;
    assert_non_null(s);
    assert_null(tn_sym_eval(f->syms, s, f->values, &value));
    return value;
}

/* Row-major number of an index; and the index of a number. */
static int64_t number_of(const model *m, const int64_t *index) {
    int64_t number = 0;
    for (uint32_t d = 0; d < m->rank; d++)
        number = number * m->dims[d] + index[d];
    return number;
}

static void index_of(const model *m, int64_t number, int64_t *out_index) {
    for (uint32_t d = m->rank; d-- > 0;) {
        out_index[d] = number % m->dims[d];
        number /= m->dims[d];
    }
}

/* Fills a view for `from`; the sizes of what comes out in `to`. */
static void random_view(fixture *f, const model *from, const tn_layout *layout, tn_view *view,
                        model *to) {
    *view = (tn_view){.kind = (tn_view_kind)pick(f, TN_VIEW_EMBED), .rank = from->rank};
    *to = (model){.rank = from->rank};
    memcpy(view->dims, layout->dims, sizeof view->dims);
    memcpy(to->dims, from->dims, sizeof to->dims);
    switch (view->kind) {
    case TN_VIEW_RESHAPE:
        if (from->rank > 1 && pick(f, 2)) { /* join two dims */
            uint32_t d = pick(f, from->rank - 1);
            view->dims[d] = tn_sym_mul(f->syms, view->dims[d], view->dims[d + 1]);
            to->dims[d] *= to->dims[d + 1];
            for (uint32_t i = d + 1; i + 1 < from->rank; i++) {
                view->dims[i] = view->dims[i + 1];
                to->dims[i] = to->dims[i + 1];
            }
            view->rank = --to->rank;
        } else if (from->rank < TN_MAX_RANK) { /* split one, in halves or off a 1 */
            uint32_t d = from->rank ? pick(f, from->rank) : 0;
            bool is_even = from->rank && tn_sym_is_const(view->dims[d]) && to->dims[d] % 2 == 0;
            int64_t outer = is_even ? 2 : 1;
            for (uint32_t i = from->rank; i > d; i--) {
                view->dims[i] = view->dims[i - 1];
                to->dims[i] = to->dims[i - 1];
            }
            if (is_even)
                view->dims[d + 1] = tn_sym_const(f->syms, to->dims[d] / 2);
            view->dims[d] = tn_sym_const(f->syms, outer);
            if (from->rank)
                to->dims[d + 1] = to->dims[d] / outer;
            to->dims[d] = outer;
            view->rank = ++to->rank;
        }
        break;
    case TN_VIEW_PERMUTE:
        for (uint32_t d = 0; d < from->rank; d++)
            view->order[d] = d;
        for (uint32_t d = from->rank; d > 1; d--) {
            uint32_t other = pick(f, d), kept = view->order[d - 1];
            view->order[d - 1] = view->order[other];
            view->order[other] = kept;
        }
        for (uint32_t d = 0; d < from->rank; d++) {
            view->dims[d] = layout->dims[view->order[d]];
            to->dims[d] = from->dims[view->order[d]];
        }
        break;
    case TN_VIEW_EXPAND:
        for (uint32_t d = 0; d < from->rank; d++)
            if (from->dims[d] == 1 && pick(f, 2)) {
                to->dims[d] = 3;
                view->dims[d] = size(f, 3, pick(f, 2));
            }
        break;
    case TN_VIEW_SLICE:
        for (uint32_t d = 0; d < from->rank; d++) {
            int64_t start = from->dims[d] > 1 ? pick(f, 2) : 0;
            view->steps[d] = 1 + pick(f, 2);
            to->dims[d] = (from->dims[d] - start + view->steps[d] - 1) / view->steps[d];
            view->starts[d] = tn_sym_const(f->syms, start);
            if (start != 0 || view->steps[d] != 1)
                view->dims[d] = tn_sym_const(f->syms, to->dims[d]);
        }
        break;
    case TN_VIEW_FLIP:
        view->flip_mask = pick(f, 1u << from->rank);
        break;
    case TN_VIEW_EMBED:
        break;
    }
    to->count = 1;
    for (uint32_t d = 0; d < to->rank; d++)
        to->count *= to->dims[d];
}

/* Where element `index` of the view comes from in `from`. */
static int64_t source_of(const fixture *f, const tn_view *view, const model *from, const model *to,
                         int64_t number) {
    int64_t index[TN_MAX_RANK], source[TN_MAX_RANK];
    if (view->kind == TN_VIEW_RESHAPE)
        return number;
    index_of(to, number, index);
    for (uint32_t d = 0; d < from->rank; d++) {
        if (view->kind == TN_VIEW_PERMUTE)
            source[view->order[d]] = index[d];
        else if (view->kind == TN_VIEW_EXPAND)
            source[d] = from->dims[d] == 1 ? 0 : index[d];
        else if (view->kind == TN_VIEW_SLICE)
            source[d] = value_of(f, view->starts[d]) + index[d] * view->steps[d];
        else
            source[d] = view->flip_mask >> d & 1 ? from->dims[d] - 1 - index[d] : index[d];
    }
    return number_of(from, source);
}

static void check_positions(const fixture *f, const tn_layout *layout, const model *m) {
    assert_int_equal(layout->rank, m->rank);
    int64_t offset = value_of(f, layout->offset), strides[TN_MAX_RANK];
    for (uint32_t d = 0; d < m->rank; d++) {
        assert_int_equal(value_of(f, layout->dims[d]), m->dims[d]);
        strides[d] = value_of(f, layout->strides[d]);
    }
    for (int64_t i = 0; i < m->count; i++) {
        int64_t index[TN_MAX_RANK], at = offset;
        index_of(m, i, index);
        for (uint32_t d = 0; d < m->rank; d++)
            at += index[d] * strides[d];
        assert_int_equal(at, m->at[i]);
    }
}

/* Whether positions of `to` can be written with one stride per dim: the only excuse for a failure.
 */
static bool is_strided(const model *m) {
    for (uint32_t d = 0; d < m->rank; d++) {
        int64_t step = 1, stride = 0;
        for (uint32_t i = d + 1; i < m->rank; i++)
            step *= m->dims[i];
        if (m->dims[d] > 1)
            stride = m->at[step] - m->at[0];
        for (int64_t i = 0; i < m->count; i++) {
            int64_t index[TN_MAX_RANK];
            index_of(m, i, index);
            if (index[d] > 0 && m->at[i] - m->at[i - step] != stride)
                return false;
        }
    }
    return true;
}

static void chains_of_views(void **state) {
    (void)state;
    static model from, to;
    int applied = 0, refused = 0;
    fixture f = {.random = 5};
    for (int round = 0; round < ROUNDS; round++) {
        tn_arena_init(&f.arena, tn_allocator_system());
        assert_null(tn_syms_create(&f.arena, &f.syms));
        for (uint32_t i = 0; i < 4; i++) /* every symbol exists: values[] is by number */
            size(&f, 2 + i, true);
        tn_type type = {.dtype = TN_F32, .rank = pick(&f, 5)};
        from = (model){.rank = type.rank, .count = 1};
        for (uint32_t d = 0; d < type.rank; d++) {
            from.dims[d] = 1 + pick(&f, 5);
            type.dims[d] = size(&f, from.dims[d], pick(&f, 2));
            from.count *= from.dims[d];
        }
        for (int64_t i = 0; i < from.count; i++)
            from.at[i] = i;
        tn_layout layout;
        tn_layout_dense(f.syms, &type, NULL, &layout);
        for (int i = 0; i < CHAIN; i++) {
            tn_view view;
            random_view(&f, &from, &layout, &view, &to);
            if (to.count > MOST_ELEMS)
                break;
            for (int64_t e = 0; e < to.count; e++)
                to.at[e] = from.at[source_of(&f, &view, &from, &to, e)];
            tn_layout next;
            if (!tn_layout_apply(f.syms, &layout, &view, &next)) {
                assert_int_equal(view.kind, TN_VIEW_RESHAPE);
                bool is_static = true; /* nothing is left to prove */
                for (uint32_t d = 0; d < view.rank; d++)
                    is_static &= tn_sym_is_const(view.dims[d]);
                for (uint32_t d = 0; d < layout.rank; d++)
                    is_static &= tn_sym_is_const(layout.strides[d]);
                assert_false(is_static && is_strided(&to) && to.count > 1);
                refused++;
                break;
            }
            check_positions(&f, &next, &to);
            applied++;
            layout = next;
            from = to;
        }
        assert_null(tn_syms_status(f.syms));
        tn_arena_deinit(&f.arena);
    }
    assert_true(applied > ROUNDS);
    assert_true(refused > ROUNDS / 100);
}

/* An inverse undoes its view. */
static void inverses(void **state) {
    (void)state;
    fixture f = {.random = 11};
    static model from, to;
    int inverted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        tn_arena_init(&f.arena, tn_allocator_system());
        assert_null(tn_syms_create(&f.arena, &f.syms));
        tn_type type = {.dtype = TN_F32, .rank = 1 + pick(&f, 4)};
        from = (model){.rank = type.rank, .count = 1};
        for (uint32_t d = 0; d < type.rank; d++) {
            from.dims[d] = 1 + pick(&f, 5);
            type.dims[d] = tn_sym_const(f.syms, from.dims[d]);
            from.count *= from.dims[d];
        }
        tn_layout layout, seen, back;
        tn_layout_dense(f.syms, &type, NULL, &layout);
        tn_view view, inverse;
        random_view(&f, &from, &layout, &view, &to);
        bool loses = view.kind == TN_VIEW_EXPAND || view.kind == TN_VIEW_SLICE;
        assert_int_equal(tn_view_invert(&view, layout.rank, layout.dims, &inverse), !loses);
        if (!loses) {
            assert_true(tn_layout_apply(f.syms, &layout, &view, &seen));
            assert_true(tn_layout_apply(f.syms, &seen, &inverse, &back));
            assert_true(tn_layout_equal(&back, &layout));
            inverted++;
        }
        tn_arena_deinit(&f.arena);
    }
    assert_true(inverted > ROUNDS / 4);
}

/* No elements: every reshape can be had, whatever lay there. */
static void empty_reshapes(void **state) {
    (void)state;
    fixture f = {.random = 1};
    tn_arena_init(&f.arena, tn_allocator_system());
    assert_null(tn_syms_create(&f.arena, &f.syms));
    const tn_sym *zero = tn_sym_const(f.syms, 0), *three = tn_sym_const(f.syms, 3);
    tn_layout from = {.rank = 2, .dims = {zero, three}, .strides = {zero, zero}, .offset = three};
    tn_layout to;
    assert_true(tn_layout_apply(
        f.syms, &from, &(tn_view){.kind = TN_VIEW_RESHAPE, .rank = 1, .dims = {zero}}, &to));
    assert_int_equal(to.rank, 1);
    assert_ptr_equal(to.offset, three);
    tn_arena_deinit(&f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_of_views),
        cmocka_unit_test(inverses),
        cmocka_unit_test(empty_reshapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
