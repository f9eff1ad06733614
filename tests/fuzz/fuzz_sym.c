/* fuzz_sym.c: any bytes to the parser of symbolic expressions; what it accepts prints and parses
 * back to the same pointer, and evaluates within its range or to an error. */
#include <stdlib.h>

#include "ir/sym.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(tn_syms *syms, const tn_sym *s) {
    tn_buf buf;
    const tn_sym *again = NULL;
    tn_buf_init(&buf, tn_allocator_system());
    tn_sym_print(&buf, s);
    if (tn_sym_parse(syms, tn_buf_view(&buf), false, &again) || again != s)
        abort();
    tn_buf_deinit(&buf);
    static const int64_t values[][3] = {{1, 2, 0}, {7, 512, -5}, {INT64_MAX, 3, INT64_MIN}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int64_t value = 0;
        tn_status status = tn_sym_eval(syms, s, values[i], &value);
        if (!status && (value < s->min || value > s->max))
            abort();
        tn_status_free(status);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_arena arena;
    tn_syms *syms = NULL;
    const tn_sym *s = NULL;
    tn_arena_init(&arena, tn_allocator_system());
    if (tn_syms_create(&arena, &syms) || !tn_sym_var(syms, TN_STR("s0"), 1, INT64_MAX) ||
        !tn_sym_var(syms, TN_STR("s1"), 2, 512) ||
        !tn_sym_var(syms, TN_STR("x"), INT64_MIN, INT64_MAX))
        abort();
    tn_status status = tn_sym_parse(syms, (tn_str){(const char *)data, size}, false, &s);
    if (!status)
        check(syms, s);
    tn_status_free(status);
    tn_arena_deinit(&arena);
    return 0;
}
