/* emitted.c: compiles and runs printed kernels. */
#include "emitted.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "embedded_cpu_compile.h"

/* Not cmocka's assertions: this file is linked into programs without it, too. */
static void require(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "test set-up failed: %s\n", what);
        exit(1);
    }
}

static void require_ok(tn_status status, const char *what) {
    if (status) {
        fprintf(stderr, "%s: %s\n", what, tn_status_message(status));
        exit(1);
    }
}

void tn_test_unit_begin(tn_test_unit *unit, const tn_test_isa *isa) {
    *unit = (tn_test_unit){.isa = *isa};
    bool has_bf16 = strstr(isa->flags, "avx512bf16") != NULL;
    unit->target = (tn_cpu_target){
        .has_avx2_fma = isa->has_fma,
        .has_avx512 = isa->has_avx512,
        .has_avx512_bf16 = has_bf16,
        .has_amx_bf16 = isa->has_amx,
        .is_portable = !isa->has_fma,
        .lanes = isa->has_avx512 ? 16 : 8,
        .l1_bytes = 32 << 10,
        .l2_bytes = 1 << 20,
    };
#if defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    if (isa->has_amx)
        require(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0, "AMX permission");
#endif
    tn_arena_init(&unit->arena, tn_allocator_system());
    require_ok(tn_syms_create(&unit->arena, &unit->syms), "symbols");
    tn_buf_init(&unit->out, tn_allocator_system());
    unit->cg = (tn_cg){
        .arena = &unit->arena, .syms = unit->syms, .target = &unit->target, .out = &unit->out};
}

tn_test_kernel *tn_test_unit_add(tn_test_unit *unit, const char *name, tn_status status,
                                 const tn_cg_kernel *facts) {
    require_ok(status, name);
    require(unit->kernel_count < TN_TEST_MAX_KERNELS, "too many kernels in one unit");
    tn_test_kernel *kernel = &unit->kernels[unit->kernel_count++];
    *kernel = (tn_test_kernel){.name = name,
                               .facts = *facts,
                               .syms = unit->cg.kernel_syms,
                               .sym_count = unit->cg.kernel_sym_count};
    unit->cg.kernel_syms = NULL;
    unit->cg.kernel_sym_count = unit->cg.kernel_sym_capacity = 0;
    return kernel;
}

void tn_test_unit_compile(tn_test_unit *unit, const char *name) {
    tn_buf source;
    tn_buf_init(&source, tn_allocator_system());
    tn_buf_printf(&source, "%s%s", tn_text_prelude_vector_c, tn_text_prelude_math_c);
    tn_cg_print_parts(unit->cg.parts, &source);
    tn_buf_str_append(&source, tn_buf_view(&unit->out));
    require_ok(tn_buf_status(&source), "source");
    char file[128];
    snprintf(file, sizeof file, "%s_%s", name, unit->isa.name);
    unit->handle = tn_test_compile(file, unit->isa.flags, tn_buf_cstr(&source));
    tn_buf_deinit(&source);
    require(unit->handle != NULL, file);
    for (size_t i = 0; i < unit->kernel_count; i++) {
        *(void **)&unit->kernels[i].run = dlsym(unit->handle, unit->kernels[i].name);
        require(unit->kernels[i].run != NULL, unit->kernels[i].name);
    }
}

void tn_test_unit_end(tn_test_unit *unit) {
    if (unit->handle)
        dlclose(unit->handle);
    tn_buf_deinit(&unit->out);
    tn_arena_deinit(&unit->arena);
}

const tn_sym *tn_test_size(tn_test_unit *unit, int64_t value) {
    return tn_sym_const(unit->syms, value);
}

uint16_t tn_test_random_bf16(unsigned long long *state) {
    float x = tn_test_uniform(state);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

double tn_test_widen_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static void *aligned_bytes(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    require(memory != NULL, "memory");
    return memory;
}

void *tn_test_pack(const tn_cg_pack *pack, const tn_tensor *weight) {
    void *out = aligned_bytes(pack->bytes);
    memset(out, 0, pack->bytes);
    pack->pack(pack, weight, out);
    return out;
}

void tn_test_run(const tn_test_unit *unit, const tn_test_kernel *kernel, void *const *bufs,
                 const int64_t *values, int64_t shares) {
    int64_t tasks, scratch_bytes, sym[8] = {0};
    require(kernel->sym_count <= 8, "too many symbols");
    for (size_t i = 0; i < kernel->sym_count; i++)
        require_ok(tn_sym_eval(unit->syms, kernel->syms[i], values, &sym[i]), kernel->name);
    require_ok(tn_sym_eval(unit->syms, kernel->facts.task_count, values, &tasks), kernel->name);
    require_ok(tn_sym_eval(unit->syms, kernel->facts.scratch_bytes, values, &scratch_bytes),
               kernel->name);
    if (shares > tasks)
        shares = tasks;
    enum { GUARD_BYTES = 256 };
    uint8_t guard[GUARD_BYTES];
    memset(guard, 0xff, sizeof guard);
    for (int64_t share = shares - 1; share >= 0; share--) {
        uint8_t *scratch = aligned_bytes((size_t)scratch_bytes + GUARD_BYTES);
        memset(scratch, 0xff, (size_t)scratch_bytes + GUARD_BYTES);
        kernel->run(bufs, sym, tasks * share / shares, tasks * (share + 1) / shares, scratch);
        require(memcmp(scratch + scratch_bytes, guard, GUARD_BYTES) == 0, "scratch overrun");
        free(scratch);
    }
}
