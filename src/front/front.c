/* front.c: finds out what a model file is and hands it to its reader. */
#include "front/front.h"

#include <string.h>

#include "front/pt2.h"
#include "ir/text.h"

/* Of any zip archive: its first local header, or the end record of an empty one. */
static bool is_zip(const uint8_t *data, size_t bytes) {
    return bytes >= 4 && data[0] == 'P' && data[1] == 'K' &&
           ((data[2] == 3 && data[3] == 4) || (data[2] == 5 && data[3] == 6));
}

/* The first word, after white space and comments, is "graph". */
static bool is_text(const uint8_t *data, size_t bytes) {
    tn_str text = {(const char *)data, bytes};
    for (;;) {
        text = tn_str_trim(text);
        if (!tn_str_starts(text, "//"))
            return tn_str_starts(text, "graph");
        tn_str comment;
        text = tn_str_split(text, '\n', &comment);
    }
}

tn_status tn_front_load_memory(tn_env *env, tn_arena *arena, const uint8_t *data, size_t bytes,
                               tn_str name, const tn_op_table *ops, tn_model *out_model) {
    *out_model = (tn_model){0};
    if (is_zip(data, bytes))
        return tn_pt2_load(env, arena, data, bytes, ops, out_model);
    if (is_text(data, bytes)) {
        out_model->producer = TN_STR("");
        return tn_graph_parse(arena, (tn_str){(const char *)data, bytes}, &ops, 1,
                              &out_model->graph);
    }
    return tn_error_make(
        TN_INVALID_ARGUMENT,
        "'%.*s' is neither a .pt2 archive of torch.export (a zip file) nor a textual "
        "graph (\"graph NAME { ... }\")",
        TN_STR_ARG(name));
}

tn_status tn_front_load(tn_env *env, tn_arena *arena, const char *path, const tn_op_table *ops,
                        tn_model *out_model) {
    *out_model = (tn_model){0};
    tn_mapping mapping;
    TN_TRY(tn_mapping_open(path, &mapping));
    tn_status status = tn_front_load_memory(env, arena, mapping.data, mapping.bytes,
                                            tn_str_of(path), ops, out_model);
    out_model->mapping = mapping;
    if (status) {
        tn_model_unload(out_model);
        return tn_status_annotate(status, "while loading '%s'", path);
    }
    return NULL;
}

void tn_model_unload(tn_model *model) {
    tn_mapping_close(&model->mapping);
    *model = (tn_model){0};
}
