/* compile.c: the whole pipeline, to be read as a list of calls. */
#include "tenon/compile.h"

#include <string.h>

#include "backend/cpu/compile/cpu_compile.h"
#include "backend/null/compile/null_compile.h"
#include "driver/compilation.h"
#include "engine/engine_file.h"
#include "plan/lower.h"

/* The backend's half: kernel IR to a program. */
static tn_status generate(tn_compilation *c, const tn_graph *kir, tn_pb *pb) {
    if (strcmp(c->options.codegen, "none") == 0)
        return tn_null_compile(&c->arena, kir, pb);
    tn_cpu_options options = {.target = c->cpu_target,
                              .compiler = c->options.compiler,
                              .keep_source_dir = c->options.keep_source_dir,
                              .cache_dir = c->options.cache_dir};
    return tn_cpu_compile(c->env, &c->arena, kir, &options, pb);
}

static tn_status write_engine(tn_compilation *c, tn_pb *pb, const char *path) {
    tn_buf text;
    tn_buf_init(&text, c->env->allocator);
    tn_compilation_print_options(c, &text);
    pb->program.options = tn_pb_str(pb, tn_buf_view(&text));
    pb->program.metadata = tn_pb_str(pb, tn_str_of(c->options.metadata ? c->options.metadata : ""));
    tn_status status = tn_buf_status(&text);
    tn_buf_deinit(&text);
    TN_TRY(status);
    TN_TRY(tn_pb_finish(pb));
    TN_TRY(tn_progress(c->env, 0.9, "writing %s", path));
    return tn_engine_file_write(&c->env->allocator, path, &pb->program, pb->parts, pb->part_count);
}

/* One warning per operator that is left to an executor, with the source line of its first node and
 * the reason. */
static void warn_of_calls(const tn_compilation *c, const tn_assignment *assignment) {
    for (size_t i = 0; i < assignment->count; i++) {
        const tn_node_fate *fate = &assignment->fates[i];
        size_t before = 0, count = 0;
        if (fate->fate != TN_FATE_FALLBACK)
            continue;
        for (size_t k = 0; k < assignment->count; k++) {
            const tn_node_fate *other = &assignment->fates[k];
            bool is_same = other->fate == TN_FATE_FALLBACK &&
                           tn_str_equal(other->node->op->name, fate->node->op->name);
            before += is_same && k < i;
            count += is_same;
        }
        if (before > 0)
            continue;
        const tn_locs *locs = &fate->node->locs;
        tn_str source = locs->count > 0 ? locs->items[0]->source : TN_STR("");
        tn_log(c->env, TN_LOG_WARNING, "%.*s is left to an executor (%zu node%s%s%.*s): %s",
               TN_STR_ARG(fate->node->op->name), count, count == 1 ? "" : "s",
               source.len > 0 ? ", first at " : "", TN_STR_ARG(source), fate->reason);
    }
}

static tn_status lower_and_write(tn_compilation *c, const char *engine_path) {
    tn_assignment *assignment = NULL;
    tn_graph *kir = NULL;
    TN_TRY(tn_progress(c->env, 0.1, "lowering %zu nodes", c->model.graph->node_count));
    TN_TRY(tn_assign(c->env, &c->arena, &c->prims, c->model.graph, &c->assign, &assignment));
    TN_TRY(tn_lower(c->env, &c->arena, &c->prims, c->model.graph, assignment, &kir));
    warn_of_calls(c, assignment);
    size_t count = 0;
    const tn_pass *const *passes = tn_pass_kernel_pipeline(&count);
    TN_TRY(tn_progress(c->env, 0.2, "running %zu passes", count));
    TN_TRY(tn_compilation_run_passes(c, kir, passes, count));
    tn_pb pb;
    tn_pb_init(&pb, &c->arena);
    TN_TRY(tn_progress(c->env, 0.4, "generating code for %zu nodes", kir->node_count));
    tn_status status = generate(c, kir, &pb);
    if (!status)
        status = write_engine(c, &pb, engine_path);
    tn_pb_deinit(&pb);
    return status;
}

tn_status tn_compile_file(tn_env *env, const char *model_path, const tn_compile_options *options,
                          const char *engine_path) {
    if (!env || !engine_path)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_compile_file: %s is NULL",
                             env ? "engine_path" : "env");
    tn_compilation c;
    tn_status status = tn_compilation_begin(&c, env, model_path, options);
    if (!status)
        status = lower_and_write(&c, engine_path);
    tn_compilation_end(&c);
    return tn_status_annotate(status, "while compiling %s", model_path ? model_path : "(null)");
}
