/* cpu_code.c: memfd_create and dlopen of /proc/self/fd: the loader needs a path, the bytes need no
 * file. */
#include "backend/cpu/exec/cpu_code.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/cpu/exec/cpu_features.h"

static tn_status write_all(int fd, const uint8_t *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t written = write(fd, data, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return tn_error_make(TN_IO, "writing %zu bytes of code to memory: %s", bytes,
                                 strerror(errno));
        data += written;
        bytes -= (size_t)written;
    }
    return NULL;
}

/* The loader takes an object whose path it knows for the one that it has, so the descriptor, which
 * is part of the path, stays open until the code is unloaded. */
static tn_status open_object(const uint8_t *data, size_t bytes, tn_cpu_code *code) {
    code->fd = memfd_create("tenon-engine", MFD_CLOEXEC);
    if (code->fd < 0)
        return tn_error_make(TN_IO, "memfd_create: %s", strerror(errno));
    TN_TRY(write_all(code->fd, data, bytes));
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", code->fd);
    code->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (code->handle)
        return NULL;
    const char *reason = dlerror();
    return tn_error_make(TN_IO, "loading the engine's code: %s", reason ? reason : "unknown error");
}

static tn_status resolve(const tn_program *program, tn_cpu_code *code) {
    TN_TRY(tn_alloc_array(&code->allocator, program->kernel_count, sizeof *code->functions,
                          &code->functions));
    code->function_count = program->kernel_count;
    for (uint32_t i = 0; i < program->kernel_count; i++) {
        tn_str name = tn_program_str(program, program->kernels[i].name);
        void *symbol = dlsym(code->handle, name.data);
        if (!symbol)
            return tn_error_make(TN_CORRUPT, "the engine's code lacks kernel %.*s",
                                 TN_STR_ARG(name));
        /* POSIX promises that a function's address survives this. */
        memcpy(&code->functions[i], &symbol, sizeof symbol);
    }
    return NULL;
}

static tn_status refuse_features(const tn_program *program, const tn_allocator *allocator,
                                 uint64_t missing) {
    tn_buf text;
    tn_buf_init(&text, *allocator);
    tn_cpu_features_print(&text, missing);
    tn_status status = tn_error_make(
        TN_UNSUPPORTED,
        "the engine was compiled for %.*s; this machine lacks %s: compile with a lower --target",
        TN_STR_ARG(tn_program_str(program, program->blobs[0].target)), tn_buf_cstr(&text));
    tn_buf_deinit(&text);
    return status;
}

tn_status tn_cpu_code_load(const tn_allocator *allocator, const tn_program *program,
                           tn_cpu_code *out_code) {
    *out_code = (tn_cpu_code){.allocator = *allocator, .fd = -1};
    if (program->kernel_count == 0)
        return NULL;
    if (program->blob_count == 0)
        return tn_error_make(TN_CORRUPT, "the engine has %u kernels and no code",
                             program->kernel_count);
    uint64_t features = tn_cpu_features();
    const tn_rec_blob *chosen = NULL;
    for (uint32_t i = 0; i < program->blob_count && !chosen; i++)
        if ((program->blobs[i].features & ~features) == 0)
            chosen = &program->blobs[i];
    if (!chosen)
        return refuse_features(program, allocator, program->blobs[0].features & ~features);
    if (chosen->features & TN_CPU_AMX_TILE)
        TN_TRY(tn_cpu_enable_amx());
    tn_status status = open_object(program->code + chosen->offset, (size_t)chosen->bytes, out_code);
    if (!status)
        status = resolve(program, out_code);
    if (status)
        tn_cpu_code_unload(out_code);
    return status;
}

void tn_cpu_code_unload(tn_cpu_code *code) {
    if (code->handle)
        dlclose(code->handle);
    if (code->fd >= 0)
        close(code->fd);
    tn_alloc_free(&code->allocator, code->functions,
                  code->function_count * sizeof *code->functions);
    *code = (tn_cpu_code){.allocator = code->allocator, .fd = -1};
}
