/* golden_pt2.c: the graph of tests/data/NAME.pt2 as it is read and as the functionalise pass leaves
 * it, against tests/golden/pt2/NAME.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "front/front.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/convert.h"
#include "pass/model_passes.h"

typedef struct run {
    tn_env *env;
    tn_arena arena;
    tn_op_table ops;
    tn_model model;
    tn_buf text;
    tn_mapping wanted;
} run;

static tn_status print_model(run *r, const char *path) {
    tn_allocator allocator = tn_allocator_system();
    tn_text_options options = {.with_locs = true, .const_elems_max = 6};
    tn_pass_ctx ctx = {.allocator = &allocator, .ops = &r->ops};
    TN_TRY(tn_op_list_fill(&r->ops));
    TN_TRY(tn_front_load(r->env, &r->arena, path, &r->ops, &r->model));
    TN_TRY(tn_graph_verify(r->model.graph, NULL));
    tn_buf_printf(&r->text, "// read\n");
    tn_graph_print(&r->text, r->model.graph, &options);
    TN_TRY(tn_pass_functionalise.run(&ctx, r->model.graph));
    TN_TRY(tn_graph_verify(r->model.graph, NULL));
    options.with_locs = false;
    tn_buf_printf(&r->text, "\n// functional\n");
    tn_graph_print(&r->text, r->model.graph, &options);
    return tn_buf_status(&r->text);
}

static tn_status bless(const run *r, const char *path) {
    tn_allocator allocator = tn_allocator_system();
    tn_file_writer writer;
    TN_TRY(tn_file_writer_open(&writer, &allocator, path));
    tn_status status = tn_file_writer_append(&writer, tn_buf_cstr(&r->text), r->text.len);
    if (!status)
        status = tn_file_writer_commit(&writer);
    tn_file_writer_close(&writer);
    return status;
}

static tn_status compare(run *r, const char *path) {
    TN_TRY(tn_mapping_open(path, &r->wanted));
    tn_str wanted = {(const char *)r->wanted.data, r->wanted.bytes};
    if (tn_str_equal(wanted, tn_buf_view(&r->text)))
        return NULL;
    return tn_error_make(TN_INVALID_ARGUMENT, "%s: expected another text than:\n%s", path,
                         tn_buf_cstr(&r->text));
}

/* DIR/golden/pt2/NAME.txt gives DIR/data/NAME.pt2. */
static tn_status run_case(run *r, const char *path, bool is_blessing) {
    char model[4096];
    const char *tail = strstr(path, "golden/pt2/");
    if (!tail || !tn_str_ends(tn_str_of(path), ".txt"))
        return tn_error_make(TN_INVALID_ARGUMENT, "'%s' is not .../golden/pt2/NAME.txt", path);
    const char *name = tail + strlen("golden/pt2/");
    snprintf(model, sizeof model, "%.*sdata/%.*s.pt2", (int)(tail - path), path,
             (int)(strlen(name) - 4), name);
    TN_TRY(print_model(r, model));
    return is_blessing ? bless(r, path) : compare(r, path);
}

int main(int argc, char **argv) {
    bool is_blessing = argc == 3 && strcmp(argv[1], "--bless") == 0;
    if (argc != 2 && !is_blessing)
        return 2;
    run r = {0};
    tn_arena_init(&r.arena, tn_allocator_system());
    tn_op_table_init(&r.ops, &r.arena);
    tn_buf_init(&r.text, tn_allocator_system());
    tn_status status = tn_env_create(NULL, &r.env);
    if (!status)
        status = run_case(&r, argv[argc - 1], is_blessing);
    if (status)
        fprintf(stderr, "%s\n", tn_status_message(status));
    int result = status ? 1 : 0;
    tn_status_free(status);
    tn_mapping_close(&r.wanted);
    tn_buf_deinit(&r.text);
    tn_model_unload(&r.model);
    tn_op_table_deinit(&r.ops);
    tn_arena_deinit(&r.arena);
    tn_env_destroy(r.env);
    return result;
}
