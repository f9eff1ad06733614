/* run_engine.c: loads an engine file and runs it once, on zeros of the smallest shapes it accepts.
 *
 *     cc run_engine.c -o run_engine $(pkg-config --cflags --libs tenon_rt)
 *     ./run_engine model.tenon
 */
#include <stdio.h>
#include <stdlib.h>
#include <tenon/runtime.h>

static void check(tn_status status) {
    if (!status)
        return;
    fprintf(stderr, "run_engine: %s\n", tn_status_message(status));
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: run_engine ENGINE\n");
        return 2;
    }
    tn_env *env;
    tn_engine *engine;
    tn_session *session;
    tn_context *context;
    check(tn_env_create(NULL, &env));
    check(tn_engine_load(env, argv[1], NULL, &engine));
    check(tn_session_create(engine, NULL, &session));
    check(tn_context_create(session, &context));

    size_t input_count = tn_engine_input_count(engine);
    void **inputs = calloc(input_count + 1, sizeof *inputs);
    for (size_t i = 0; inputs && i < input_count; i++) {
        tn_io_info info = {.size = sizeof info};
        check(tn_engine_input_info(engine, i, &info));
        size_t bytes = tn_dtype_bytes(info.dtype);
        for (uint32_t d = 0; d < info.rank; d++)
            bytes *= (size_t)info.dims_min[d];
        inputs[i] = calloc(bytes + 1, 1);
        check(tn_context_set_input(context, i,
                                   &(DLTensor){.data = inputs[i],
                                               .device = {.device_type = kDLCPU},
                                               .ndim = (int32_t)info.rank,
                                               .dtype = tn_dtype_to_dlpack(info.dtype),
                                               .shape = info.dims_min}));
    }
    check(tn_context_run(context));

    for (size_t i = 0; i < tn_engine_output_count(engine); i++) {
        tn_io_info info = {.size = sizeof info};
        DLTensor output;
        check(tn_engine_output_info(engine, i, &info));
        check(tn_context_get_output(context, i, &output));
        int64_t elems = 1;
        printf("%s: %s [", info.name, tn_dtype_name(info.dtype));
        for (int d = 0; d < output.ndim; d++) {
            elems *= output.shape[d];
            printf("%s%lld", d ? ", " : "", (long long)output.shape[d]);
        }
        printf("]");
        if (info.dtype == TN_F32 && elems > 0)
            printf(", the first element is %g", (double)*(const float *)output.data);
        printf("\n");
    }

    tn_context_destroy(context);
    tn_session_destroy(session);
    tn_engine_release(engine);
    tn_env_destroy(env);
    for (size_t i = 0; inputs && i < input_count; i++)
        free(inputs[i]);
    free(inputs);
}
