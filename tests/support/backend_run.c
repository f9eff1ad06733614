/* backend_run.c: see backend_run.h. */
#include "backend_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_make.h"
#include "kir/interp.h"

static void check(tn_status status, const char *what) {
    if (!status)
        return;
    print_error("%s: %s\n", what, tn_status_message(status));
    for (size_t i = 0; tn_status_note(status, i); i++)
        print_error("  %s\n", tn_status_note(status, i));
    tn_status_free(status);
    fail();
}

void backend_run_open(backend_run *run, const char *text, const char *target, uint32_t threads) {
    *run = (backend_run){.env = NULL};
    check(tn_env_create(NULL, &run->env), "env");
    char path[64];
    snprintf(path, sizeof path, "backend_run_%d.tenon", (int)getpid());
    check(engine_make(run->env, text, target, path, &run->step_count), "compiling");
    check(tn_engine_load(run->env, path, NULL, &run->engine), "loading");
    unlink(path);
    tn_session_options options = {.size = sizeof options, .threads = threads, .spin_us = 50};
    check(tn_session_create(run->engine, &options, &run->session), "session");
    check(tn_context_create(run->session, &run->context), "context");
}

typedef struct kept_input {
    struct kept_input *next;
    double data[];
} kept_input;

static kept_input *kept_inputs;

void backend_run_close(backend_run *run) {
    tn_context_destroy(run->context);
    tn_session_destroy(run->session);
    tn_engine_release(run->engine);
    tn_env_destroy(run->env);
    while (kept_inputs) {
        kept_input *next = kept_inputs->next;
        free(kept_inputs);
        kept_inputs = next;
    }
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

void backend_run_set_random(backend_run *run, size_t i, const int64_t *dims, int64_t int_bound,
                            uint64_t *state) {
    tn_io_info info = {.size = sizeof info};
    check(tn_engine_input_info(run->engine, i, &info), "input");
    int64_t shape[TN_MAX_RANK];
    size_t elems = 1;
    for (uint32_t d = 0; d < info.rank; d++) {
        shape[d] = dims ? dims[d] : info.dims[d];
        elems *= (size_t)shape[d];
    }
    kept_input *input = malloc(sizeof *input + (elems + 1) * 8);
    assert_non_null(input);
    input->next = kept_inputs;
    kept_inputs = input;
    size_t bytes = tn_dtype_bytes(info.dtype);
    bool is_float = info.dtype <= TN_F8E5M2;
    for (size_t e = 0; e < elems; e++) {
        void *element = (char *)input->data + e * bytes;
        if (is_float)
            tn_elem_set_f64(info.dtype, element, (double)next_random(state) / (1 << 30) - 1.0);
        else
            tn_elem_set_i64(info.dtype, element,
                            (int64_t)(next_random(state) % (uint64_t)int_bound));
    }
    DLTensor tensor = {.data = input->data,
                       .device = {kDLCPU, 0},
                       .ndim = (int32_t)info.rank,
                       .dtype = tn_dtype_to_dlpack(info.dtype),
                       .shape = shape};
    check(tn_context_set_input(run->context, i, &tensor), "set_input");
}

void backend_run_execute(backend_run *run) {
    check(tn_context_run(run->context), "run");
}

double backend_run_distance(backend_run *a, backend_run *b, size_t i) {
    DLTensor x, y;
    check(tn_context_get_output(a->context, i, &x), "output");
    check(tn_context_get_output(b->context, i, &y), "output");
    assert_int_equal(x.ndim, y.ndim);
    size_t elems = 1;
    for (int32_t d = 0; d < x.ndim; d++) {
        assert_int_equal(x.shape[d], y.shape[d]);
        elems *= (size_t)x.shape[d];
    }
    tn_dtype dtype = tn_dtype_from_dlpack(x.dtype);
    size_t bytes = tn_dtype_bytes(dtype);
    double difference = 0, norm = 0;
    for (size_t e = 0; e < elems; e++) {
        double p = tn_elem_get_f64(dtype, (char *)x.data + e * bytes);
        double q = tn_elem_get_f64(dtype, (char *)y.data + e * bytes);
        if (isnan(p) && isnan(q))
            continue;
        if (isinf(p) && p == q)
            continue;
        difference += (p - q) * (p - q);
        norm += q * q;
    }
    return elems == 0 ? 0 : sqrt(difference / (norm > 0 ? norm : 1));
}
