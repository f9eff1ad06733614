/* cli_inputs.c: the inputs of a run: read from .npy files, or random from a seed. Sizes that nobody
 * has given follow from those given by name of symbol, or are the smallest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef struct cli_input {
    tn_io_info info;
    tn_npy_array *array; /* read from a file, or NULL */
    void *memory;        /* random content, or NULL */
    DLTensor tensor;
    int64_t shape[TN_MAX_RANK];
    bool has_shape;
} cli_input;

/* ---- elements -------------------------------------------------------------------------------- */

/* Floats of at most 16 bits, as exponent and fraction bits. */
typedef struct small_float {
    int exponent_bits, fraction_bits;
    bool has_infinity; /* f8e4m3 has none: its last exponent is ordinary, but for one NaN */
} small_float;

static bool small_float_of(tn_dtype dtype, small_float *out) {
    switch (dtype) {
    case TN_F16:
        *out = (small_float){5, 10, true};
        return true;
    case TN_BF16:
        *out = (small_float){8, 7, true};
        return true;
    case TN_F8E5M2:
        *out = (small_float){5, 2, true};
        return true;
    case TN_F8E4M3:
        *out = (small_float){4, 3, false};
        return true;
    default:
        return false;
    }
}

static double small_to_double(small_float f, unsigned bits) {
    int bias = (1 << (f.exponent_bits - 1)) - 1;
    int top = (1 << f.exponent_bits) - 1;
    int exponent = (int)(bits >> f.fraction_bits) & top;
    int fraction = (int)bits & ((1 << f.fraction_bits) - 1);
    double sign = bits >> (f.exponent_bits + f.fraction_bits) & 1 ? -1 : 1;
    if (exponent == top && f.has_infinity)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == top && fraction == (1 << f.fraction_bits) - 1)
        return (double)NAN;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - f.fraction_bits);
    return sign * ldexp((1 << f.fraction_bits) + fraction, exponent - bias - f.fraction_bits);
}

/* Of a normal number that the type holds exactly, or 0. */
static unsigned small_from_double(small_float f, double value) {
    if (value == 0)
        return 0;
    int exponent = 0;
    double fraction = frexp(fabs(value), &exponent); /* in [0.5, 1) */
    unsigned bits = (unsigned)((fraction * 2 - 1) * (1 << f.fraction_bits));
    bits |= (unsigned)(exponent - 1 + (1 << (f.exponent_bits - 1)) - 1) << f.fraction_bits;
    return value < 0 ? bits | 1u << (f.exponent_bits + f.fraction_bits) : bits;
}

double cli_element(const DLTensor *tensor, int64_t i) {
    tn_dtype dtype = tn_dtype_from_dlpack(tensor->dtype);
    const char *at =
        (const char *)tensor->data + tensor->byte_offset + (size_t)i * tn_dtype_bytes(dtype);
    small_float small;
    if (small_float_of(dtype, &small)) {
        uint16_t bits = 0; /* the host is little-endian, as .npy files are here */
        memcpy(&bits, at, tn_dtype_bytes(dtype));
        return small_to_double(small, bits);
    }
    switch (dtype) {
#define CASE(enumerator, type)                                                                     \
    case enumerator: {                                                                             \
        type value;                                                                                \
        memcpy(&value, at, sizeof value);                                                          \
        return (double)value;                                                                      \
    }
        CASE(TN_F64, double)
        CASE(TN_F32, float)
        CASE(TN_I64, int64_t)
        CASE(TN_I32, int32_t)
        CASE(TN_I16, int16_t)
        CASE(TN_I8, int8_t)
        CASE(TN_U8, uint8_t)
        CASE(TN_U16, uint16_t)
        CASE(TN_U32, uint32_t)
        CASE(TN_U64, uint64_t)
        CASE(TN_BOOL, uint8_t)
#undef CASE
    default:
        return (double)NAN;
    }
}

int64_t cli_elem_count(const DLTensor *tensor) {
    int64_t count = 1;
    for (int32_t d = 0; d < tensor->ndim; d++)
        count *= tensor->shape[d];
    return count;
}

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Floats in [-1, 1), with few enough bits for the type. Integers are 0 or 1: good as token ids and
 * as masks alike. */
static void fill_random(tn_dtype dtype, void *memory, size_t count, uint64_t state) {
    size_t bytes = tn_dtype_bytes(dtype);
    small_float small;
    bool is_small = small_float_of(dtype, &small);
    for (size_t i = 0; i < count; i++) {
        char *at = (char *)memory + i * bytes;
        uint64_t r = next_random(&state) >> 32;
        int steps = bytes == 1 ? 8 : 128;
        double number = is_small
                            ? (double)((int)(r % (unsigned)(2 * steps - 1)) - steps + 1) / steps
                            : (double)(r >> 8) / (1 << 23) - 1;
        uint16_t narrow = is_small ? (uint16_t)small_from_double(small, number) : 0;
        float single = (float)number;
        uint64_t integer = r & 1;
        const void *value = dtype == TN_F64   ? (const void *)&number
                            : dtype == TN_F32 ? (const void *)&single
                            : is_small        ? (const void *)&narrow
                                              : (const void *)&integer;
        memcpy(at, value, bytes);
    }
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* "1x128" (or "" for rank 0) into dims. */
static bool parse_shape(const char *text, int64_t *dims, int32_t *out_rank) {
    *out_rank = 0;
    while (*text) {
        char word[24];
        uint64_t size = 0;
        size_t length = strcspn(text, "x");
        if (length >= sizeof word || *out_rank == TN_MAX_RANK)
            return false;
        memcpy(word, text, length);
        word[length] = 0;
        if (!cli_to_count(word, &size) || size > INT64_MAX)
            return false;
        dims[(*out_rank)++] = (int64_t)size;
        text += length;
        if (*text == 'x' && !*++text)
            return false;
    }
    return true;
}

/* The size that an input given before has for this symbol, or -1. */
static int64_t known_size(const cli_inputs *inputs, const char *symbol) {
    for (size_t i = 0; i < inputs->count; i++) {
        const cli_input *input = &inputs->items[i];
        for (uint32_t d = 0; input->has_shape && d < input->info.rank; d++)
            if (input->info.dim_names[d] && strcmp(input->info.dim_names[d], symbol) == 0 &&
                (int32_t)d < input->tensor.ndim)
                return input->tensor.shape[d];
    }
    return -1;
}

static int choose_shape(const cli_inputs *inputs, cli_input *input) {
    const tn_io_info *info = &input->info;
    for (uint32_t d = 0; d < info->rank; d++) {
        int64_t size = info->dims[d];
        if (size < 0 && !info->dim_names[d])
            return cli_error(CLI_USAGE,
                             "input %s: dimension %u follows from other sizes; give its shape with "
                             "--shape %s=...",
                             info->name, d, info->name);
        if (size < 0)
            size = known_size(inputs, info->dim_names[d]);
        if (size < 0) /* an empty run shows nothing */
            size = info->dims_min[d] == 0 && info->dims_max[d] > 0 ? 1 : info->dims_min[d];
        input->shape[d] = size;
    }
    input->tensor.ndim = (int32_t)info->rank;
    return CLI_OK;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The input that "NAME=value" names, and the value. */
static int find_input(const tn_engine *engine, const char *option, const char *item,
                      cli_inputs *inputs, cli_input **out_input, const char **out_value) {
    const char *equals = strchr(item, '=');
    if (!equals)
        return cli_error(CLI_USAGE, "%s \"%s\", expected NAME=%s", option, item,
                         strcmp(option, "--input") == 0 ? "X.npy" : "1x128");
    char *name = strndup(item, (size_t)(equals - item));
    if (!name)
        return cli_no_memory();
    size_t i = 0;
    int code = cli_fail(tn_engine_find_input(engine, name, &i));
    free(name);
    if (code)
        return code == CLI_BAD_FILE ? CLI_USAGE : code; /* a name, not a file, was not found */
    *out_input = &inputs->items[i];
    *out_value = equals + 1;
    if ((*out_input)->has_shape)
        return cli_error(CLI_USAGE, "%s \"%s\": input %s is given twice", option, item,
                         (*out_input)->info.name);
    (*out_input)->has_shape = true;
    return CLI_OK;
}

static int take_given(tn_env *env, const tn_engine *engine, const cli_feed *feed,
                      cli_inputs *inputs) {
    cli_input *input = NULL;
    const char *value = NULL;
    for (size_t i = 0; i < feed->inputs.count; i++) {
        int code = find_input(engine, "--input", feed->inputs.items[i], inputs, &input, &value);
        if (!code)
            code = cli_fail(tn_npy_load(env, value, &input->array));
        if (code)
            return code;
        input->tensor = *tn_npy_tensor(input->array);
    }
    for (size_t i = 0; i < feed->shapes.count; i++) {
        int code = find_input(engine, "--shape", feed->shapes.items[i], inputs, &input, &value);
        if (code)
            return code;
        if (!parse_shape(value, input->shape, &input->tensor.ndim))
            return cli_error(CLI_USAGE, "--shape \"%s\", expected sizes such as %s=1x128",
                             feed->shapes.items[i], input->info.name);
        input->tensor.shape = input->shape;
    }
    return CLI_OK;
}

static int make_random(cli_input *input, uint64_t seed) {
    size_t count = 1, bytes = 0;
    for (int32_t d = 0; d < input->tensor.ndim; d++)
        if (__builtin_mul_overflow(count, (size_t)input->shape[d], &count))
            return cli_error(CLI_USAGE, "input %s: its shape overflows", input->info.name);
    if (__builtin_mul_overflow(count, tn_dtype_bytes(input->info.dtype), &bytes))
        return cli_error(CLI_USAGE, "input %s: its shape overflows", input->info.name);
    input->memory = malloc(bytes ? bytes : 1);
    if (!input->memory)
        return cli_error(CLI_FAILED, "input %s: no memory for %zu bytes", input->info.name, bytes);
    fill_random(input->info.dtype, input->memory, count, seed);
    int32_t rank = input->tensor.ndim;
    input->tensor = (DLTensor){.data = input->memory,
                               .device = {kDLCPU, 0},
                               .ndim = rank,
                               .dtype = tn_dtype_to_dlpack(input->info.dtype),
                               .shape = input->shape};
    return CLI_OK;
}

int cli_inputs_make(tn_env *env, const tn_engine *engine, const cli_feed *feed,
                    cli_inputs *out_inputs) {
    size_t count = tn_engine_input_count(engine);
    *out_inputs = (cli_inputs){.items = calloc(count + 1, sizeof(cli_input)), .count = count};
    if (!out_inputs->items)
        return cli_no_memory();
    int code = CLI_OK;
    for (size_t i = 0; i < count && !code; i++) {
        out_inputs->items[i].info.size = sizeof(tn_io_info);
        code = cli_fail(tn_engine_input_info(engine, i, &out_inputs->items[i].info));
    }
    if (!code)
        code = take_given(env, engine, feed, out_inputs);
    for (size_t i = 0; i < count && !code; i++) {
        cli_input *input = &out_inputs->items[i];
        if (!input->has_shape)
            code = choose_shape(out_inputs, input);
        if (!code && !input->array)
            code = make_random(input, feed->seed + i);
        input->has_shape = true;
    }
    return code;
}

int cli_inputs_set(const cli_inputs *inputs, tn_context *context) {
    for (size_t i = 0; i < inputs->count; i++) {
        int code = cli_fail(tn_context_set_input(context, i, &inputs->items[i].tensor));
        if (code)
            return code;
    }
    return CLI_OK;
}

void cli_inputs_free(cli_inputs *inputs) {
    for (size_t i = 0; i < inputs->count && inputs->items; i++) {
        tn_npy_free(inputs->items[i].array);
        free(inputs->items[i].memory);
    }
    free(inputs->items);
    *inputs = (cli_inputs){0};
}

/* ---- shapes as text -------------------------------------------------------------------------- */

char *cli_inputs_shapes(const cli_inputs *inputs) {
    enum { SIZE_BYTES = 24 };
    size_t bytes = 1;
    for (size_t i = 0; i < inputs->count; i++)
        bytes += strlen(inputs->items[i].info.name) + 2 + TN_MAX_RANK * SIZE_BYTES;
    char *text = calloc(bytes, 1);
    size_t used = 0;
    for (size_t i = 0; text && i < inputs->count; i++) {
        const cli_input *input = &inputs->items[i];
        used +=
            (size_t)snprintf(text + used, bytes - used, "%s%s=", i ? ";" : "", input->info.name);
        for (int32_t d = 0; d < input->tensor.ndim; d++)
            used += (size_t)snprintf(text + used, bytes - used, "%s%lld", d ? "x" : "",
                                     (long long)input->tensor.shape[d]);
    }
    return text;
}

char *cli_shapes_text(const cli_list *shapes) {
    size_t bytes = 1;
    for (size_t i = 0; i < shapes->count; i++)
        bytes += strlen(shapes->items[i]) + 1;
    char *text = calloc(bytes, 1);
    size_t used = 0;
    for (size_t i = 0; text && i < shapes->count; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? ";" : "", shapes->items[i]);
    return text;
}
