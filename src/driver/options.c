/* options.c: compile options by name, from one table. */
#include <string.h>

#include "base/env.h"
#include "base/str.h"
#include "tenon/compile.h"

typedef struct option {
    const char *name;
    size_t offset;
} option;

#define OPTION(field)                                                                              \
    { #field, offsetof(tn_compile_options, field) }
static const option options_table[] = {
    OPTION(target),
    OPTION(codegen),
    OPTION(compiler),
    OPTION(keep_source_dir),
    OPTION(cache_dir),
    OPTION(dump_dir),
    OPTION(disabled_passes),
    OPTION(ranges),
    OPTION(min_block_size),
    OPTION(executed_ops),
    OPTION(require_full_compilation),
    OPTION(metadata),
};
enum { OPTION_COUNT = sizeof options_table / sizeof options_table[0] };

tn_status tn_compile_options_set(tn_compile_options *options, const char *name, const char *value) {
    if (!options || !name)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_compile_options_set: %s is NULL",
                             options ? "name" : "options");
    const char *nearest = options_table[0].name;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options_table[i];
        if (strcmp(o->name, name) == 0) {
            memcpy((char *)options + o->offset, &value, sizeof value);
            return NULL;
        }
        if (tn_str_distance(tn_str_of(name), tn_str_of(o->name)) <
            tn_str_distance(tn_str_of(name), tn_str_of(nearest)))
            nearest = o->name;
    }
    return tn_error_make(TN_INVALID_ARGUMENT,
                         "unknown compile option \"%s\"; the nearest is \"%s\"", name, nearest);
}
