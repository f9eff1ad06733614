/* compilation.c: see compilation.h. */
#include "driver/compilation.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "ir/text.h"
#include "ops/convert.h"

/* ---- options ------------------------------------------------------------------------------------
 */

static tn_status check_disabled(const char *names) {
    for (tn_str rest = tn_str_of(names); rest.len > 0;) {
        tn_str name;
        rest = tn_str_split(rest, ',', &name);
        if (!tn_pass_find(tn_str_trim(name)))
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "no pass is named \"%.*s\"; `tenon passes` lists them",
                                 TN_STR_ARG(name));
    }
    return NULL;
}

static tn_status take_assign_options(tn_compilation *c) {
    const tn_compile_options *o = &c->options;
    const char *requires = o->require_full_compilation ? o->require_full_compilation : "false";
    int64_t size = 1;
    if (o->min_block_size && (!tn_str_to_i64(tn_str_of(o->min_block_size), &size) || size < 1))
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "min_block_size is \"%s\", expected a number from 1",
                             o->min_block_size);
    if (strcmp(requires, "true") != 0 && strcmp(requires, "false") != 0)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "require_full_compilation is \"%s\", expected \"true\" or \"false\"",
                             requires);
    c->assign = (tn_assign_options){.min_block_size = (uint64_t)size,
                                    .executed_ops = o->executed_ops,
                                    .requires_engine = strcmp(requires, "true") == 0};
    return NULL;
}

static tn_status take_options(tn_compilation *c, const tn_compile_options *options) {
    if (options && options->size < sizeof c->options)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_compile_options.size is %zu, expected %zu",
                             options->size, sizeof c->options);
    if (options)
        c->options = *options;
    if (!c->options.target)
        c->options.target = "cpu:native";
    if (!c->options.codegen)
        c->options.codegen = "c";
    if (!tn_str_starts(tn_str_of(c->options.target), "cpu:"))
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "target \"%s\": expected one that begins with \"cpu:\"",
                             c->options.target);
    c->cpu_target = c->options.target + strlen("cpu:");
    if (strcmp(c->options.codegen, "c") != 0 && strcmp(c->options.codegen, "none") != 0)
        return tn_error_make(TN_INVALID_ARGUMENT, "codegen is \"%s\", expected \"c\" or \"none\"",
                             c->options.codegen);
    TN_TRY(take_assign_options(c));
    return c->options.disabled_passes ? check_disabled(c->options.disabled_passes) : NULL;
}

void tn_compilation_print_options(const tn_compilation *c, tn_buf *out) {
    tn_buf_printf(out, "target=%s codegen=%s", c->options.target, c->options.codegen);
    if (c->options.disabled_passes)
        tn_buf_printf(out, " disabled_passes=%s", c->options.disabled_passes);
    if (c->options.ranges)
        tn_buf_printf(out, " ranges=%s", c->options.ranges);
    if (c->options.min_block_size)
        tn_buf_printf(out, " min_block_size=%s", c->options.min_block_size);
    if (c->options.executed_ops)
        tn_buf_printf(out, " executed_ops=%s", c->options.executed_ops);
    if (c->options.require_full_compilation)
        tn_buf_printf(out, " require_full_compilation=%s", c->options.require_full_compilation);
}

/* "s0=1:8,s1=16": narrows the range of each symbol that is named. */
static tn_status take_ranges(tn_compilation *c) {
    tn_syms *syms = c->model.graph->syms;
    for (tn_str rest = tn_str_of(c->options.ranges ? c->options.ranges : ""); rest.len > 0;) {
        tn_str item, name, low;
        int64_t min = 0, max = 0;
        rest = tn_str_split(rest, ',', &item);
        tn_str bounds = tn_str_split(item, '=', &name);
        tn_str high = tn_str_split(bounds, ':', &low);
        bool is_valid = tn_str_to_i64(low, &min) && (high.len == 0 || tn_str_to_i64(high, &max));
        if (high.len == 0)
            max = min;
        if (!is_valid || min < 0 || max < min)
            return tn_error_make(TN_INVALID_ARGUMENT,
                                 "range \"%.*s\": expected SYMBOL=MIN:MAX with 0 <= MIN <= MAX",
                                 TN_STR_ARG(item));
        if (!tn_sym_find_var(syms, name))
            return tn_error_make(TN_NOT_FOUND,
                                 "range \"%.*s\": the model has no symbolic size %.*s",
                                 TN_STR_ARG(item), TN_STR_ARG(name));
        tn_sym_var(syms, name, min, max);
    }
    return tn_syms_status(syms);
}

/* ---- passes -------------------------------------------------------------------------------------
 */

static bool is_disabled(const tn_compilation *c, const tn_pass *pass) {
    for (tn_str rest = tn_str_of(c->options.disabled_passes ? c->options.disabled_passes : "");
         rest.len > 0;) {
        tn_str name;
        rest = tn_str_split(rest, ',', &name);
        if (tn_str_is(tn_str_trim(name), pass->name))
            return true;
    }
    return false;
}

static tn_status write_dump(tn_compilation *c, const char *pass, const tn_graph *graph) {
    if (mkdir(c->options.dump_dir, 0777) != 0 && errno != EEXIST)
        return tn_error_make(TN_IO, "making the folder %s: %s", c->options.dump_dir,
                             strerror(errno));
    const char *path =
        tn_arena_printf(&c->arena, "%s/%02u-%s.tn", c->options.dump_dir, c->dump_count++, pass);
    if (!path)
        return tn_error_out_of_memory();
    tn_buf text;
    tn_buf_init(&text, c->env->allocator);
    tn_graph_print(&text, graph, &(tn_text_options){.with_locs = true, .const_elems_max = 64});
    tn_status status = tn_buf_status(&text);
    tn_file_writer writer;
    if (!status)
        status = tn_file_writer_open(&writer, &c->env->allocator, path);
    if (!status) {
        status = tn_file_writer_append(&writer, text.data, text.len);
        if (!status)
            status = tn_file_writer_commit(&writer);
        tn_file_writer_close(&writer);
    }
    tn_buf_deinit(&text);
    return status;
}

static tn_status after_pass(void *user, const tn_pass *pass, const tn_graph *graph) {
    tn_compilation *c = user;
    return c->options.dump_dir ? write_dump(c, pass->name, graph) : NULL;
}

tn_status tn_compilation_run_passes(tn_compilation *c, tn_graph *graph,
                                    const tn_pass *const *passes, size_t count) {
    const tn_pass **enabled = NULL;
    size_t enabled_count = 0;
    TN_ARENA_TRY(&c->arena, enabled, count + 1);
    for (size_t i = 0; i < count; i++)
        if (!is_disabled(c, passes[i]))
            enabled[enabled_count++] = passes[i];
    tn_pass_ctx ctx = {.allocator = &c->env->allocator,
                       .prims = &c->prims,
                       .ops = &c->ops,
                       .after = after_pass,
                       .after_user = c};
    return tn_pass_run(&ctx, graph, enabled, enabled_count);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

tn_status tn_compilation_begin(tn_compilation *c, tn_env *env, const char *model_path,
                               const tn_compile_options *options) {
    *c = (tn_compilation){.env = env};
    tn_arena_init(&c->arena, env->allocator);
    tn_op_table_init(&c->ops, &c->arena);
    tn_op_table_init(&c->prims, &c->arena);
    if (!model_path)
        return tn_error_make(TN_INVALID_ARGUMENT, "the model's path is NULL");
    TN_TRY(take_options(c, options));
    TN_TRY(tn_op_list_fill(&c->ops));
    TN_TRY(tn_prim_table_fill(&c->prims));
    TN_TRY(tn_progress(env, 0.0, "reading %s", model_path));
    TN_TRY(tn_front_load(env, &c->arena, model_path, &c->ops, &c->model));
    TN_TRY(take_ranges(c));
    if (c->options.dump_dir)
        TN_TRY(write_dump(c, "load", c->model.graph));
    size_t count = 0;
    const tn_pass *const *passes = tn_pass_model_pipeline(&count);
    return tn_compilation_run_passes(c, c->model.graph, passes, count);
}

void tn_compilation_end(tn_compilation *c) {
    tn_model_unload(&c->model);
    tn_op_table_deinit(&c->ops);
    tn_op_table_deinit(&c->prims);
    tn_arena_deinit(&c->arena);
}
