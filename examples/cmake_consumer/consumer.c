/* consumer.c: the smallest program that uses an installed tenon: makes an environment, says which
 * version it runs with. */
#include <stdio.h>
#include <tenon/base.h>

int main(void) {
    tn_env *env = NULL;
    tn_status status = tn_env_create(NULL, &env);
    if (status) {
        fprintf(stderr, "consumer: %s\n", tn_status_message(status));
        tn_status_free(status);
        return 1;
    }
    printf("tenon %s\n", tn_version());
    tn_env_destroy(env);
    return 0;
}
