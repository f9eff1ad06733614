/* emit_harness.c: see emit_harness.h. */
#include "emit_harness.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedded_cpu_compile.h"

typedef void kernel_function(void *const *buf, const int64_t *sym, int64_t task_begin,
                             int64_t task_end, void *scratch);

void emit_harness_open(emit_harness *harness, const tn_test_isa *isa) {
    *harness = (emit_harness){
        .isa = isa,
        .target = {.has_avx2_fma = isa->has_fma,
                   .has_avx512 = isa->has_avx512,
                   .is_portable = !isa->has_fma,
                   .lanes = isa->has_avx512 ? 16 : 8,
                   .l1_bytes = 32 << 10,
                   .l2_bytes = 1 << 20},
    };
    tn_arena_init(&harness->arena, tn_allocator_system());
    tn_buf_init(&harness->source, tn_allocator_system());
    tn_buf_printf(&harness->source, "%s", tn_text_prelude_vector_c);
    tn_buf_printf(&harness->source, "%s", tn_text_prelude_math_c);
    tn_syms *syms;
    assert_null(tn_syms_create(&harness->arena, &syms));
    harness->cg = (tn_cg){.arena = &harness->arena,
                          .syms = syms,
                          .target = &harness->target,
                          .out = &harness->source};
}

void emit_harness_compile(emit_harness *harness, const char *name) {
    assert_null(tn_cg_status(&harness->cg));
    harness->library = tn_test_compile(tn_cg_text(&harness->cg, "%s_%s", name, harness->isa->name),
                                       harness->isa->flags, tn_buf_cstr(&harness->source));
    assert_non_null(harness->library);
}

void emit_harness_close(emit_harness *harness) {
    if (harness->library)
        dlclose(harness->library);
    tn_buf_deinit(&harness->source);
    tn_arena_deinit(&harness->arena);
}

static size_t guarded_bytes(size_t count) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (count * sizeof(float) + page - 1) / page * page;
}

float *emit_guarded(size_t count) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = guarded_bytes(count);
    char *base =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    assert_int_equal(mprotect(base + bytes, page, PROT_NONE), 0);
    return (float *)(void *)(base + bytes - count * sizeof(float));
}

void emit_guarded_free(float *data, size_t count) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = guarded_bytes(count);
    char *end = (char *)(data + count);
    assert_int_equal(munmap(end - bytes, bytes + page), 0);
}

void emit_fill(float *data, size_t count, unsigned long long *state) {
    for (size_t i = 0; i < count; i++)
        data[i] = tn_test_uniform(state);
}

/* The scratch of one call: every byte 0xff is NaN. */
static void *make_scratch(size_t bytes) {
    void *scratch = aligned_alloc(64, (bytes + 64) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes);
    return scratch;
}

void emit_run(emit_harness *harness, const char *name, const tn_cg_kernel *kernel, void *const *buf,
              const int64_t *sym_values, bool is_single_call) {
    kernel_function *function;
    *(void **)&function = dlsym(harness->library, name);
    assert_non_null(function);
    tn_syms *syms = harness->cg.syms;
    int64_t tasks, scratch_bytes, sym[16];
    assert_null(tn_sym_eval(syms, kernel->task_count, sym_values, &tasks));
    assert_null(tn_sym_eval(syms, kernel->scratch_bytes, sym_values, &scratch_bytes));
    assert_true(harness->cg.kernel_sym_count <= 16);
    for (size_t i = 0; i < harness->cg.kernel_sym_count; i++)
        assert_null(tn_sym_eval(syms, harness->cg.kernel_syms[i], sym_values, &sym[i]));
    void *scratch = make_scratch((size_t)scratch_bytes);
    if (is_single_call) {
        function(buf, sym, 0, tasks, scratch);
    } else {
        for (int64_t task = tasks; task-- > 0;) {
            memset(scratch, 0xff, (size_t)scratch_bytes);
            function(buf, sym, task, task + 1, scratch);
        }
    }
    free(scratch);
}

void emit_compare(const char *name, const float *got, const double *want, size_t count,
                  double limit) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(got[i]))
            fail_msg("%s: element %zu is %g, expected %g", name, i, (double)got[i], want[i]);
        error += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    if (error > limit * limit * norm)
        fail_msg("%s: relative L2 error %.2e, limit %.0e", name, sqrt(error / norm), limit);
}
