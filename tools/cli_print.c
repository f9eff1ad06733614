/* cli_print.c: numbers as people read them: three digits and a unit. */
#include <math.h>

#include "cli.h"

static const char *scaled(double value, double step, const char *const *units, char *out) {
    size_t unit = 0;
    while (value >= step * 0.9995 && units[unit + 1]) {
        value /= step;
        unit++;
    }
    int decimals = unit == 0 && value == floor(value) ? 0 : value < 9.995 ? 2 : value < 99.95;
    snprintf(out, CLI_NUMBER_BYTES, "%.*f%s", decimals, value, units[unit]);
    return out;
}

const char *cli_count_text(double value, char out[CLI_NUMBER_BYTES]) {
    static const char *const units[] = {"", " k", " M", " G", " T", NULL};
    return scaled(value, 1000, units, out);
}

const char *cli_bytes_text(double bytes, char out[CLI_NUMBER_BYTES]) {
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    return scaled(bytes, 1024, units, out);
}
