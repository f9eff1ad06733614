/* golden_pass.c: passes on kernel IR. The first line of a graph names them: "// passes: simplify"
 * or
 * "// passes: all" for the whole pipeline, perhaps with "tolerance 1e-3". The graph that comes out
 * is printed; and both graphs are run by the interpreter on random inputs, for two values of every
 * symbol, and must agree. Several inputs in a file are parted by lines of "====". */
#include "golden.h"
#include "graph_run.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "pass/pass.h"

enum { MOST_PASSES = 64, MOST_VALUES = 16 };

typedef struct job {
    const tn_pass *passes[MOST_PASSES];
    size_t count;
    double tolerance;
} job;

static tn_status read_job(tn_str line, job *out) {
    tn_str word, rest = line;
    bool is_tolerance = false;
    *out = (job){.tolerance = 1e-6};
    while (rest.len) {
        rest = tn_str_trim(tn_str_split(rest, ' ', &word));
        if (tn_str_is(word, "//") || tn_str_is(word, "passes:"))
            continue;
        if (is_tolerance && tn_str_to_f64(word, &out->tolerance)) {
            is_tolerance = false;
        } else if (tn_str_is(word, "tolerance")) {
            is_tolerance = true;
        } else if (tn_str_is(word, "all")) {
            const tn_pass *const *all = tn_pass_kernel_pipeline(&out->count);
            for (size_t i = 0; i < out->count; i++)
                out->passes[i] = all[i];
        } else {
            const tn_pass *pass = tn_pass_find(word);
            if (!pass)
                return tn_error_make(TN_NOT_FOUND, "no pass \"%.*s\"", TN_STR_ARG(word));
            out->passes[out->count++] = pass;
        }
    }
    return NULL;
}

static tn_status compare(const tn_graph *before, const tn_graph *after, tn_arena *arena,
                         unsigned round, double tolerance) {
    tn_tensor inputs[MOST_VALUES], seen[MOST_VALUES], wanted[MOST_VALUES];
    int64_t values[MOST_VALUES], values_after[MOST_VALUES];
    if (before->input_count > MOST_VALUES || before->output_count != after->output_count)
        return tn_error_make(TN_INTERNAL, "inputs or outputs do not fit");
    for (size_t i = 0; i < tn_sym_var_count(before->syms) && i < MOST_VALUES; i++) {
        const tn_sym *var = tn_sym_var_at(before->syms, i);
        int64_t value = (int64_t)(round == 0 ? 2 + 3 * i : 1 + i);
        values[i] = value < var->min ? var->min : value > var->max ? var->max : value;
    }
    for (size_t i = 0; i < tn_sym_var_count(after->syms) && i < MOST_VALUES; i++)
        values_after[i] = values[i]; /* a pass makes no symbols, and both were parsed alike */
    TN_TRY(tn_test_random_inputs(before, arena, values, 7 + round, inputs));
    TN_TRY_CTX(tn_test_graph_run(before, arena, values, inputs, wanted), "before the passes");
    TN_TRY_CTX(tn_test_graph_run(after, arena, values_after, inputs, seen), "after the passes");
    for (size_t i = 0; i < before->output_count; i++)
        if (!tn_test_same(&seen[i], &wanted[i], tolerance))
            return tn_error_make(TN_INTERNAL, "output %zu differs in round %u", i, round);
    return NULL;
}

static tn_status run_one(tn_arena *arena, const tn_op_table *prims, tn_str input, tn_buf *out) {
    static const tn_text_options options = {.const_elems_max = 16};
    tn_graph *before = NULL, *after = NULL;
    tn_allocator system = tn_allocator_system();
    tn_pass_ctx ctx = {.allocator = &system, .prims = prims};
    tn_str line;
    job wanted;
    tn_str_split(input, '\n', &line);
    TN_TRY(read_job(line, &wanted));
    TN_TRY(tn_graph_parse(arena, input, &prims, 1, &before));
    TN_TRY(tn_graph_parse(arena, input, &prims, 1, &after));
    TN_TRY(tn_graph_verify(before, tn_prim_verify));
    TN_TRY(tn_pass_run(&ctx, after, wanted.passes, wanted.count));
    tn_graph_print(out, after, &options);
    for (unsigned round = 0; round < 2; round++)
        TN_TRY(compare(before, after, arena, round, wanted.tolerance));
    return NULL;
}

static tn_str next_input(tn_str *rest) {
    tn_str all = *rest, line;
    size_t used = 0;
    while (rest->len) {
        *rest = tn_str_split(*rest, '\n', &line);
        if (tn_str_is(line, "===="))
            return (tn_str){all.data, used};
        used += line.len + 1;
    }
    return all;
}

static tn_status run(tn_arena *arena, tn_str input, tn_buf *out) {
    tn_op_table prims;
    tn_op_table_init(&prims, arena);
    tn_status status = tn_prim_table_fill(&prims);
    for (bool is_first = true; !status && input.len; is_first = false) {
        tn_buf one;
        tn_buf_init(&one, tn_allocator_system());
        tn_status failure = run_one(arena, &prims, next_input(&input), &one);
        tn_buf_printf(out, "%s%s%s", is_first ? "" : "====\n",
                      failure ? tn_status_message(failure) : tn_buf_cstr(&one),
                      failure ? "\n" : "");
        tn_status_free(failure);
        tn_buf_deinit(&one);
    }
    tn_op_table_deinit(&prims);
    return status;
}

int main(int argc, char **argv) {
    return tn_golden_main(argc, argv, run);
}
