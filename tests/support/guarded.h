/* guarded.h: float arrays for tests of kernels: ending where an inaccessible page begins, filled,
 * and compared. */
#ifndef TN_TESTS_GUARDED_H
#define TN_TESTS_GUARDED_H

#include <stddef.h>

/* count floats, zeroed; touching anything past them ends the test. */
float *tn_test_guarded(size_t count);
/* The same, filled uniformly from [-1, 1). */
float *tn_test_guarded_random(size_t count, unsigned long long *state);
void tn_test_guarded_free(float *data, size_t count);

/* The relative L2 error; infinite if any element is not finite. 0 for two zeros. */
double tn_test_relative_error(const float *got, const double *want, size_t count);

#endif
