/* run_graph.c: runs the cases of operators for test_cases.py.
 *
 *   run_graph --list                       every entry: family, schema, cases, separated by \x1f,
 * \x1e at the end of each run_graph GRAPH INPUTS OUTPUTS N=V...  a model's graph as text is lowered
 * and interpreted
 *
 * INPUTS holds for each input of the graph, in order, as i64: number of bytes, offset of the first
 * element, one stride (in elements) per dim; then the bytes. OUTPUTS gets for each output, as i64:
 * dtype, rank, dims; then the elements in row-major order. N=V gives symbols their values. Errors
 * go to standard error, exit code 1.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "graph_run.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/convert.h"
#include "plan/lower.h"

static int list_entries(void) {
    size_t family_count;
    const tn_op_family *const *families = tn_op_families(&family_count);
    for (size_t f = 0; f < family_count; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            const tn_op_entry *entry = &families[f]->entries[i];
            printf("%s\x1f%s\x1f%s\x1f%s\x1e", families[f]->name, entry->schema,
                   entry->cases ? entry->cases : "", entry->convert ? "converter" : "inplace");
        }
    }
    return 0;
}

/* All that one run holds. */
typedef struct runner {
    tn_env *env;
    tn_arena arena;
    tn_op_table ops, prims;
    tn_mapping graph_text, input_bytes;
    int64_t *symbols;
    tn_graph *kir;
    tn_tensor *inputs, *outputs;
} runner;

static tn_status read_symbols(runner *run, const tn_graph *model, char **args, int arg_count) {
    TN_ARENA_TRY(&run->arena, run->symbols, tn_sym_var_count(model->syms));
    for (int i = 0; i < arg_count; i++) {
        tn_str name, value = tn_str_split(tn_str_of(args[i]), '=', &name);
        for (size_t s = 0; s < tn_sym_var_count(model->syms); s++)
            if (tn_str_equal(tn_sym_var_at(model->syms, s)->name, name) &&
                !tn_str_to_i64(value, &run->symbols[s]))
                return tn_error_make(TN_INVALID_ARGUMENT, "%s is no number", args[i]);
    }
    return NULL;
}

static tn_status read_inputs(runner *run, const tn_graph *model) {
    const uint8_t *at = run->input_bytes.data;
    TN_ARENA_TRY(&run->arena, run->inputs, model->input_count);
    for (size_t i = 0; i < model->input_count; i++) {
        const tn_type *type = &model->inputs[i]->type;
        tn_tensor *tensor = &run->inputs[i];
        int64_t head[2];
        *tensor = (tn_tensor){.dtype = type->dtype, .rank = type->rank};
        memcpy(head, at, sizeof head);
        memcpy(tensor->strides, at + sizeof head, type->rank * sizeof(int64_t));
        at += sizeof head + type->rank * sizeof(int64_t);
        for (uint32_t d = 0; d < type->rank; d++)
            TN_TRY(tn_sym_eval(model->syms, type->dims[d], run->symbols, &tensor->dims[d]));
        uint8_t *bytes = tn_arena_alloc(&run->arena, (size_t)head[0] + 1, 1);
        if (!bytes)
            return tn_error_out_of_memory();
        memcpy(bytes, at, (size_t)head[0]);
        at += head[0];
        tensor->data = bytes + head[1] * (int64_t)tn_dtype_bytes(type->dtype);
    }
    return NULL;
}

static void write_elements(FILE *out, const tn_tensor *tensor, uint32_t dim, const uint8_t *at) {
    size_t bytes = tn_dtype_bytes(tensor->dtype);
    if (dim == tensor->rank) {
        fwrite(at, bytes, 1, out);
        return;
    }
    for (int64_t i = 0; i < tensor->dims[dim]; i++)
        write_elements(out, tensor, dim + 1, at + i * tensor->strides[dim] * (int64_t)bytes);
}

static tn_status write_outputs(const runner *run, const char *path) {
    FILE *out = fopen(path, "wb");
    if (!out)
        return tn_error_make(TN_IO, "%s cannot be written", path);
    for (size_t i = 0; i < run->kir->output_count; i++) {
        const tn_tensor *tensor = &run->outputs[i];
        int64_t head[2] = {tensor->dtype, tensor->rank};
        fwrite(head, sizeof head, 1, out);
        fwrite(tensor->dims, sizeof(int64_t), tensor->rank, out);
        write_elements(out, tensor, 0, tensor->data);
    }
    return fclose(out) == 0 ? NULL : tn_error_make(TN_IO, "%s cannot be written", path);
}

static tn_status run_files(runner *run, char **args, int arg_count) {
    const tn_op_table *tables[1] = {&run->ops};
    tn_graph *model;
    TN_TRY(tn_env_create(NULL, &run->env));
    TN_TRY(tn_op_list_fill(&run->ops));
    TN_TRY(tn_prim_table_fill(&run->prims));
    TN_TRY(tn_mapping_open(args[0], &run->graph_text));
    TN_TRY(tn_mapping_open(args[1], &run->input_bytes));
    tn_str text = {(const char *)run->graph_text.data, run->graph_text.bytes};
    TN_TRY(tn_graph_parse(&run->arena, text, tables, 1, &model));
    TN_TRY(tn_graph_verify(model, tn_prim_verify));
    TN_TRY(tn_lower(run->env, &run->arena, &run->prims, model, &run->kir));
    TN_TRY(tn_graph_verify(run->kir, tn_prim_verify));
    TN_TRY(read_symbols(run, model, args + 3, arg_count - 3));
    TN_TRY(read_inputs(run, model));
    TN_ARENA_TRY(&run->arena, run->outputs, run->kir->output_count);
    TN_TRY(tn_test_graph_run(run->kir, &run->arena, run->symbols, run->inputs, run->outputs));
    return write_outputs(run, args[2]);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_entries();
    if (argc < 4) {
        fprintf(stderr, "usage: run_graph --list | GRAPH INPUTS OUTPUTS [NAME=VALUE...]\n");
        return 2;
    }
    runner run = {0};
    tn_arena_init(&run.arena, tn_allocator_system());
    tn_op_table_init(&run.ops, &run.arena);
    tn_op_table_init(&run.prims, &run.arena);
    tn_status status = run_files(&run, argv + 1, argc - 1);
    if (status) {
        fprintf(stderr, "%s\n", tn_status_message(status));
        for (size_t i = 0; tn_status_note(status, i); i++)
            fprintf(stderr, "  %s\n", tn_status_note(status, i));
    }
    bool failed = status != NULL;
    tn_status_free(status);
    tn_op_table_deinit(&run.ops);
    tn_op_table_deinit(&run.prims);
    tn_mapping_close(&run.graph_text);
    tn_mapping_close(&run.input_bytes);
    tn_arena_deinit(&run.arena);
    tn_env_destroy(run.env);
    return failed;
}
