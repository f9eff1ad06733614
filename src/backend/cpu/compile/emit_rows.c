/* emit_rows.c: kernels over whole rows: softmax, log-softmax, LayerNorm, RMSNorm.
 *
 * A row is read once through the load function and kept as fp32 in the thread's scratch, where it
 * stays in the L1 cache between the passes (prelude_rows.c.in): two-pass statistics are then as
 * cheap as online ones, and exact.
 */
#include "backend/cpu/compile/cgen.h"

static const char *const kind_names[] = {
    [TN_ROW_SOFTMAX] = "softmax",
    [TN_ROW_LOG_SOFTMAX] = "log_softmax",
    [TN_ROW_LAYER_NORM] = "layer_norm: (x - mean) * rsqrt(var + eps)",
    [TN_ROW_RMS_NORM] = "rms_norm: x * rsqrt(mean(x^2) + eps)",
};

/* Prints the statistics of the row and the loops that store `form` of every element x. */
static void print_result(tn_cg *cg, const tn_row_spec *spec, const char *args) {
    const char *form = "";
    switch (spec->kind) {
    case TN_ROW_SOFTMAX:
        tn_cg_line(cg, "const float max = tn_row_max(row, n);");
        tn_cg_line(cg, "const float scale = 1.0f / tn_row_exp_sum(row, n, max, row);");
        form = "x * scale";
        break;
    case TN_ROW_LOG_SOFTMAX:
        tn_cg_line(cg, "const float max = tn_row_max(row, n);");
        tn_cg_line(cg, "const float sum = tn_row_exp_sum(row, n, max, NULL);");
        tn_cg_line(cg, "const float log_sum = tn_log_f(tn_set_f(sum))[0];");
        form = "x - max - log_sum";
        break;
    case TN_ROW_LAYER_NORM:
        tn_cg_line(cg, "const float mean = tn_row_sum(row, n) / (float)n;");
        tn_cg_line(cg, "const float variance = tn_row_square_sum(row, n, mean) / (float)n;");
        tn_cg_line(cg, "const float scale = tn_rsqrt_f(tn_set_f(variance + eps))[0];");
        form = "(x - mean) * scale";
        break;
    case TN_ROW_RMS_NORM:
        tn_cg_line(cg, "const float square = tn_row_square_sum(row, n, 0.0f) / (float)n;");
        tn_cg_line(cg, "const float scale = tn_rsqrt_f(tn_set_f(square + eps))[0];");
        form = "x * scale";
        break;
    }
    tn_cg_line(cg, "for (int64_t j = 0; j < whole; j += TN_W) {");
    tn_cg_line(cg, "const tn_vf x = tn_load_f32(row + j, 1, TN_W);");
    tn_cg_line(cg, "%s(%s, j, TN_W, %s);", spec->store, args, form);
    tn_cg_close(cg, "");
    tn_cg_line(cg, "if (tail > 0) {");
    tn_cg_line(cg, "const tn_vf x = tn_load_f32(row + whole, 1, tail);");
    tn_cg_line(cg, "%s(%s, whole, tail, %s);", spec->store, args, form);
    tn_cg_close(cg, "");
}

tn_status tn_emit_rows(tn_cg *cg, const tn_row_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    cg->parts |= TN_CG_PART_ROWS;
    tn_cg_line(cg, "/* %s; one row per task, held in L1 between the passes */",
               kind_names[spec->kind]);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "const int64_t n = %s, tail = n %% TN_W, whole = n - tail;",
               tn_cg_sym(cg, spec->n));
    if (spec->kind == TN_ROW_LAYER_NORM || spec->kind == TN_ROW_RMS_NORM)
        tn_cg_line(cg, "const float eps = %af;", spec->eps);
    tn_cg_line(cg, "float *row = scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    tn_cg_indices(cg, spec->outer_rank, spec->outer, "task");
    const char *args = tn_cg_arguments(cg, spec->outer_rank);
    tn_cg_line(cg, "for (int64_t j = 0; j < whole; j += TN_W)");
    tn_cg_line(cg, "    tn_store_f32(row + j, 1, TN_W, %s(%s, j, TN_W));", spec->load, args);
    tn_cg_line(cg, "if (tail > 0)");
    tn_cg_line(cg, "    tn_store_f32(row + whole, 1, tail, %s(%s, whole, tail));", spec->load,
               args);
    print_result(cg, spec, args);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);

    out_kernel->task_count = tn_cg_points(cg, spec->outer_rank, spec->outer);
    out_kernel->scratch_bytes = tn_sym_muli(cg->syms, spec->n, sizeof(float));
    return tn_cg_status(cg);
}
