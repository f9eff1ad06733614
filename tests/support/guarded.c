/* guarded.c: see guarded.h. */
#include "guarded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "generated.h"

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t count) {
    size_t page = page_bytes();
    return (count * sizeof(float) + page - 1) / page * page;
}

float *tn_test_guarded(size_t count) {
    size_t page = page_bytes(), bytes = whole_pages(count);
    char *base =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + bytes, page, PROT_NONE) != 0) {
        perror("guarded memory");
        exit(1);
    }
    return (float *)(void *)(base + bytes - count * sizeof(float));
}

float *tn_test_guarded_random(size_t count, unsigned long long *state) {
    float *data = tn_test_guarded(count);
    for (size_t i = 0; i < count; i++)
        data[i] = tn_test_uniform(state);
    return data;
}

void tn_test_guarded_free(float *data, size_t count) {
    size_t bytes = whole_pages(count);
    char *end = (char *)(data + count);
    munmap(end - bytes, bytes + page_bytes());
}

double tn_test_relative_error(const float *got, const double *want, size_t count) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(got[i]))
            return INFINITY;
        error += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    if (norm == 0)
        return error == 0 ? 0 : INFINITY;
    return sqrt(error / norm);
}
