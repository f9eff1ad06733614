/* golden_fusion.c: what fusion makes of kernel IR: the steps, each with the primitives that it
 * computes and what it moves; and, where the first line of a graph says "// source", the text of
 * the kernels for x86-64-v4, whose blocking does not depend on this machine. Several inputs in a
 * file are parted by lines of "====". */
#include <string.h>
#include <unistd.h>

#include "backend/cpu/compile/cpu_compile.h"
#include "base/file.h"
#include "golden.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "kir/prim.h"

/* Where code generation leaves its text; the compiler is never found, so it ends there. */
#define SOURCE_DIR "source"
#define NO_COMPILER "./no-such-compiler"

static void print_value(tn_buf *out, const char *name, const tn_program *p, uint32_t value) {
    if (p->instrs[value].op == TN_SHAPE_CONST)
        tn_buf_printf(out, ", %s %lld", name, (long long)p->instrs[value].value);
    else
        tn_buf_printf(out, ", %s symbolic", name);
}

/* Whether a result of the step may lie over an operand. */
static bool is_in_place(const tn_program *p, uint32_t step) {
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (p->buffers[i].over > 0 && p->buffers[i].first_step == step)
            return true;
    return false;
}

static void print_steps(tn_buf *out, const tn_program *p) {
    for (uint32_t i = 0; i < p->step_count; i++) {
        const tn_rec_step *step = &p->steps[i];
        bool is_kernel = step->kind == TN_STEP_KERNEL;
        bool is_call = step->kind == TN_STEP_CALL;
        tn_str name = tn_program_str(p, is_kernel ? p->kernels[step->kernel].name
                                        : is_call ? p->calls[step->kernel].op
                                                  : step->prim);
        tn_buf_printf(out, "%u: %s%.*s", i, is_call ? "call " : "", TN_STR_ARG(name));
        print_value(out, "flops", p, step->flops);
        print_value(out, "read", p, step->bytes_read);
        print_value(out, "written", p, step->bytes_written);
        tn_buf_printf(out, "%s\n", is_in_place(p, i) ? ", in place" : "");
    }
}

/* The kept source without the prelude, which ends where the first kernel's comment begins. */
static tn_status print_source(tn_buf *out) {
    static const char first_kernel[] = "\n/* k0_";
    tn_mapping mapping;
    TN_TRY(tn_mapping_open(SOURCE_DIR "/segment0.c", &mapping));
    const char *text = (const char *)mapping.data;
    const char *kernels = memmem(text, mapping.bytes, first_kernel, strlen(first_kernel));
    if (kernels)
        tn_buf_append(out, kernels + 1, mapping.bytes - (size_t)(kernels + 1 - text));
    tn_mapping_close(&mapping);
    unlink(SOURCE_DIR "/segment0.c");
    return kernels ? NULL : tn_error_make(TN_INTERNAL, "the source has no kernel");
}

static tn_status run_one(tn_env *env, tn_arena *arena, const tn_op_table *prims, tn_str input,
                         tn_buf *out) {
    tn_graph *graph = NULL;
    tn_str line;
    tn_str_split(input, '\n', &line);
    TN_TRY(tn_graph_parse(arena, input, &prims, 1, &graph));
    TN_TRY(tn_graph_verify(graph, tn_prim_verify));
    tn_pb pb;
    tn_pb_init(&pb, arena);
    tn_cpu_options options = {
        .target = "x86-64-v4", .compiler = NO_COMPILER, .keep_source_dir = SOURCE_DIR};
    tn_status status = tn_cpu_compile(env, arena, graph, &options, &pb);
    if (tn_status_code(status) == TN_TOOLCHAIN) {
        tn_status_free(status);
        status = NULL;
    }
    if (!status)
        status = tn_pb_finish(&pb);
    if (!status) {
        print_steps(out, &pb.program);
        if (tn_str_is(line, "// source"))
            status = print_source(out);
    }
    tn_pb_deinit(&pb);
    return status;
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
    tn_env *env = NULL;
    tn_status status = tn_env_create(NULL, &env);
    if (!status)
        status = tn_prim_table_fill(&prims);
    for (bool is_first = true; !status && input.len; is_first = false) {
        tn_str one = next_input(&input);
        if (!is_first)
            tn_buf_printf(out, "====\n");
        status = run_one(env, arena, &prims, one, out);
    }
    tn_op_table_deinit(&prims);
    tn_env_destroy(env);
    return status;
}

int main(int argc, char **argv) {
    return tn_golden_main(argc, argv, run);
}
