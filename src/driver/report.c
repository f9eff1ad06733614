/* report.c: what would happen to each node of a model, as JSON. It is made of the same assignment
 * that a compile acts on. */
#include <string.h>

#include "driver/compilation.h"
#include "plan/assign.h"

static void print_io(tn_buf *out, const char *key, tn_value *const *values, size_t count) {
    tn_buf_printf(out, "\"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        tn_buf type;
        tn_buf_init(&type, out->allocator);
        tn_type_print(&type, &values[i]->type);
        tn_buf_printf(out, "%s{\"name\": ", i ? ", " : "");
        tn_buf_json(out, values[i]->name);
        tn_buf_printf(out, ", \"type\": ");
        tn_buf_json(out, tn_buf_view(&type));
        tn_buf_printf(out, "}");
        tn_buf_deinit(&type);
    }
    tn_buf_printf(out, "]");
}

static void print_symbols(tn_buf *out, const tn_syms *syms) {
    tn_buf_printf(out, "\"symbols\": [");
    for (size_t i = 0; i < tn_sym_var_count(syms); i++) {
        const tn_sym *symbol = tn_sym_var_at(syms, i);
        tn_buf_printf(out, "%s{\"name\": ", i ? ", " : "");
        tn_buf_json(out, symbol->name);
        tn_buf_printf(out, ", \"min\": %lld", (long long)symbol->min);
        if (symbol->max != INT64_MAX)
            tn_buf_printf(out, ", \"max\": %lld", (long long)symbol->max);
        tn_buf_printf(out, "}");
    }
    tn_buf_printf(out, "]");
}

static void print_field(tn_buf *out, const char *key, tn_str value) {
    tn_buf_printf(out, ", \"%s\": ", key);
    tn_buf_json(out, value);
}

static void print_fate(tn_buf *out, const tn_node_fate *fate) {
    const tn_node *node = fate->node;
    tn_str name = node->result_count > 0 ? node->results[0]->name : TN_STR("");
    tn_buf_printf(out, "{\"node\": ");
    tn_buf_json(out, node->locs.count > 0 ? node->locs.items[0]->node : name);
    print_field(out, "op", node->op->name);
    static const char *const fates[] = {[TN_FATE_ENGINE] = "engine",
                                        [TN_FATE_FALLBACK] = "fallback",
                                        [TN_FATE_REFUSED] = "refused"};
    print_field(out, "fate", tn_str_of(fates[fate->fate]));
    if (fate->code)
        print_field(out, "code", tn_str_of(tn_code_name(fate->code)));
    if (*fate->reason)
        print_field(out, "reason", tn_str_of(fate->reason));
    if (*fate->setting)
        print_field(out, "setting", tn_str_of(fate->setting));
    if (node->locs.count > 0) {
        print_field(out, "module", node->locs.items[0]->module);
        print_field(out, "source", node->locs.items[0]->source);
    }
    tn_buf_printf(out, "}");
}

static tn_status print_report(tn_compilation *c, const char *model_path, tn_buf *out) {
    const tn_graph *graph = c->model.graph;
    tn_assignment *assignment = NULL;
    TN_TRY(tn_assign(c->env, &c->arena, &c->prims, graph, &c->assign, &assignment));
    tn_buf_printf(out, "{\"model\": ");
    tn_buf_json(out, tn_str_of(model_path));
    print_field(out, "producer", c->model.producer);
    tn_buf options;
    tn_buf_init(&options, out->allocator);
    tn_compilation_print_options(c, &options);
    print_field(out, "options", tn_buf_view(&options));
    tn_buf_deinit(&options);
    tn_buf_printf(out, ", \"node_count\": %zu, \"fallback_count\": %zu, \"refused_count\": %zu, ",
                  assignment->count, assignment->fallback_count, assignment->refused_count);
    print_symbols(out, graph->syms);
    tn_buf_printf(out, ", ");
    print_io(out, "inputs", graph->inputs, graph->input_count);
    tn_buf_printf(out, ", \"outputs\": [");
    for (size_t i = 0; i < graph->output_count; i++) {
        tn_buf_printf(out, "%s", i ? ", " : "");
        tn_buf_json(out, graph->outputs[i].name);
    }
    tn_buf_printf(out, "], \"nodes\": [");
    for (size_t i = 0; i < assignment->count; i++) {
        tn_buf_printf(out, "%s\n  ", i ? "," : "");
        print_fate(out, &assignment->fates[i]);
    }
    tn_buf_printf(out, "]}\n");
    return tn_buf_status(out);
}

tn_status tn_report_file(tn_env *env, const char *model_path, const tn_compile_options *options,
                         char **out_json) {
    *out_json = NULL;
    if (!env)
        return tn_error_make(TN_INVALID_ARGUMENT, "tn_report_file: env is NULL");
    tn_compilation c;
    tn_buf text;
    tn_buf_init(&text, env->allocator);
    tn_status status = tn_compilation_begin(&c, env, model_path, options);
    if (!status)
        status = print_report(&c, model_path, &text);
    if (!status)
        status = tn_alloc(&env->allocator, text.len + 1, out_json);
    if (!status)
        memcpy(*out_json, text.data, text.len);
    tn_buf_deinit(&text);
    tn_compilation_end(&c);
    return tn_status_annotate(status, "while reporting on %s", model_path ? model_path : "(null)");
}

void tn_report_free(tn_env *env, char *text) {
    if (text)
        tn_alloc_free(&env->allocator, text, strlen(text) + 1);
}
