/* runtime_alone.c: a program linked to libtenon_rt and nothing else of tenon. That it links proves
 * that the runtime needs no model parser and no compiler; that it runs, that the library loads. */
#include <stdio.h>
#include <string.h>

#include "tenon/base.h"

int main(void) {
    tn_env *env = NULL;
    tn_status status = tn_env_create(NULL, &env);
    if (status) {
        fprintf(stderr, "tn_env_create: %s\n", tn_status_message(status));
        tn_status_free(status);
        return 1;
    }
    tn_env_destroy(env);
    if (strcmp(tn_version(), TN_VERSION_STRING) != 0) {
        fprintf(stderr, "library is version %s, header %s\n", tn_version(), TN_VERSION_STRING);
        return 1;
    }
    return 0;
}
