/* compare_in_place.c: compare_in_place ENGINE: holds an engine against itself with a memory of its
 * own for every buffer (tests/support/in_place_check.h), on one thread and on three. Prints how
 * many buffers lie over another. */
#include <stdio.h>

#include "in_place_check.h"

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: compare_in_place ENGINE\n");
        return 2;
    }
    tn_env *env = NULL;
    tn_status status = tn_env_create(NULL, &env);
    engine_bytes bytes = engine_bytes_read(argv[1]);
    uint32_t count = 0;
    for (uint32_t threads = 1; !status && threads <= 3; threads += 2)
        status = in_place_compare(env, bytes, threads, &count);
    if (status)
        fprintf(stderr, "%s: %s\n", argv[1], tn_status_message(status));
    else
        printf("%u\n", count);
    int code = status != NULL;
    tn_status_free(status);
    engine_bytes_free(&bytes);
    tn_env_destroy(env);
    return code;
}
