/* generated.h: compiles generated C within a test, for every instruction set that this machine
 * runs. */
#ifndef TN_TESTS_GENERATED_H
#define TN_TESTS_GENERATED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tn_test_isa {
    const char *name;
    const char *flags; /* for cc */
    bool has_fma;
    bool has_avx512;
    bool has_amx; /* the machine has it; the test must still ask the kernel for permission */
} tn_test_isa;

/* The instruction sets that this machine runs, the plainest first; "portable" always is. */
size_t tn_test_isas(const tn_test_isa **out_isas);

/* Writes source to NAME.c in the current folder, compiles it with cc into NAME.so and opens that.
 * Returns dlopen's handle; NULL, with the compiler's messages on standard error, if it fails. */
void *tn_test_compile(const char *name, const char *flags, const char *source);

/* Distance of value from the exact result in units of the last place of fp32; 0 when both are NaN
 * or the same infinity, infinite when only one is NaN. */
double tn_test_ulp(float value, double exact);

/* xorshift: the same numbers on every machine. state must not be 0. */
unsigned tn_test_random(unsigned long long *state);
/* Uniform in [-1, 1). */
float tn_test_uniform(unsigned long long *state);

#endif
