/* run_graph.c: runs the cases of operators for test_cases.py.
 *
 *   run_graph --list
 *       every entry: family, schema, cases, kind, separated by \x1f, \x1e at the end of each;
 *       then every alias: its name, the operator's, nothing, "alias"
 *   run_graph GRAPH INPUTS OUTPUTS N=V...
 *       a model's graph as text is lowered and interpreted
 *   run_graph --target T GRAPH INPUTS OUTPUTS N=V...
 *       the same, but the lowered graph becomes an engine of the CPU backend, which runs
 *   run_graph --starve GRAPH
 *       every node's converter runs with memory for so much and no more
 *
 * INPUTS holds for each input of the graph, in order, as i64: number of bytes, offset of the first
 * element, one stride (in elements) per dim; then the bytes. OUTPUTS gets for each output, as i64:
 * dtype, rank, dims; then the elements in row-major order. N=V gives symbols their values. Errors
 * go to standard error, exit code 1.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "engine_run.h"
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
    size_t alias_count;
    const tn_op_alias *aliases = tn_op_aliases(&alias_count);
    for (size_t i = 0; i < alias_count; i++)
        printf("%s\x1f%s\x1f\x1f%s\x1e", aliases[i].alias, aliases[i].name, "alias");
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

static tn_status read_graph(runner *run, const char *path, tn_graph **out_model) {
    const tn_op_table *tables[1] = {&run->ops};
    TN_TRY(tn_env_create(NULL, &run->env));
    TN_TRY(tn_op_list_fill(&run->ops));
    TN_TRY(tn_prim_table_fill(&run->prims));
    TN_TRY(tn_mapping_open(path, &run->graph_text));
    tn_str text = {(const char *)run->graph_text.data, run->graph_text.bytes};
    TN_TRY(tn_graph_parse(&run->arena, text, tables, 1, out_model));
    return tn_graph_verify(*out_model, tn_prim_verify);
}

/* target NULL: the graph is interpreted as it was lowered. */
static tn_status run_files(runner *run, const char *target, char **args, int arg_count) {
    tn_graph *model;
    TN_TRY(read_graph(run, args[0], &model));
    TN_TRY(tn_mapping_open(args[1], &run->input_bytes));
    static const tn_assign_options engine_only = {.requires_engine = true};
    tn_assignment *assignment = NULL;
    TN_TRY(tn_assign(run->env, &run->arena, &run->prims, model, &engine_only, &assignment));
    TN_TRY(tn_lower(run->env, &run->arena, &run->prims, model, assignment, &run->kir));
    TN_TRY(tn_graph_verify(run->kir, tn_prim_verify));
    TN_TRY(read_symbols(run, model, args + 3, arg_count - 3));
    TN_TRY(read_inputs(run, model));
    TN_ARENA_TRY(&run->arena, run->outputs, run->kir->output_count);
    if (target) {
        const char *path = tn_arena_printf(&run->arena, "%s.tenon", args[2]);
        if (!path)
            return tn_error_out_of_memory();
        TN_TRY(tn_test_engine_run(run->env, &run->arena, &run->prims, run->kir, target, path,
                                  run->inputs, run->outputs));
    } else {
        TN_TRY(tn_test_graph_run(run->kir, &run->arena, run->symbols, run->inputs, run->outputs));
    }
    return write_outputs(run, args[2]);
}

/* ---- short memory ------------------------------------------------------------------------------
 */

enum { STARVED_BYTES = 1 << 17 };

/* One conversion in an arena with room for `bytes` and no more. */
static tn_status convert_within(const runner *run, const tn_node *node, size_t bytes) {
    tn_test_allocator state;
    tn_arena arena;
    tn_kb kb;
    tn_graph *graph;
    tn_value *operands[16] = {NULL}, *results[16];
    tn_arena_init(&arena, tn_test_allocator_init(&state, tn_allocator_system(), 2));
    tn_status status = tn_arena_alloc(&arena, STARVED_BYTES, 1) ? NULL : tn_error_out_of_memory();
    arena.used = STARVED_BYTES - bytes;
    if (!status)
        status = tn_graph_create(&arena, node->graph->syms, TN_STR("starved"), &graph);
    for (uint32_t i = 0; !status && i < node->operand_count; i++)
        if (node->operands[i])
            status = tn_graph_add_input(graph, node->operands[i]->name, &node->operands[i]->type,
                                        &operands[i]);
    if (!status) {
        tn_kb_init(&kb, graph, &run->prims);
        status = tn_convert_node(&kb, node, operands, true, results);
    }
    tn_arena_deinit(&arena);
    return status;
}

/* Gives each node 16 bytes more until its converter succeeds: on the way every allocation fails
 * once, and each failure must come back as one. */
static tn_status starve(runner *run, const char *path) {
    tn_graph *model;
    TN_TRY(read_graph(run, path, &model));
    for (const tn_node *node = model->first; node; node = node->next) {
        size_t bytes = 0;
        tn_status status = convert_within(run, node, bytes);
        while (tn_status_code(status) == TN_OUT_OF_MEMORY && bytes < STARVED_BYTES) {
            tn_status_free(status);
            status = convert_within(run, node, bytes += 16);
        }
        TN_TRY_CTX(status, "while giving %.*s %zu bytes", TN_STR_ARG(node->op->name), bytes);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_entries();
    bool is_starving = argc == 3 && strcmp(argv[1], "--starve") == 0;
    bool is_compiled = argc > 2 && strcmp(argv[1], "--target") == 0;
    const char *target = is_compiled ? argv[2] : NULL;
    int first = is_compiled ? 3 : 1;
    if (!is_starving && argc < first + 3) {
        fprintf(stderr, "usage: run_graph --list | --starve GRAPH | "
                        "[--target T] GRAPH INPUTS OUTPUTS [N=V...]\n");
        return 2;
    }
    runner run = {0};
    tn_arena_init(&run.arena, tn_allocator_system());
    tn_op_table_init(&run.ops, &run.arena);
    tn_op_table_init(&run.prims, &run.arena);
    tn_status status =
        is_starving ? starve(&run, argv[2]) : run_files(&run, target, argv + first, argc - first);
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
