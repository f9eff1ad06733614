/* test_pipeline.c: every allocation of parsing, verifying and rewriting a graph, and those of the
 * interpreter, fail in turn: each time the error comes back and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/text.h"
#include "kir/interp.h"
#include "pass/pass.h"

/* Small, but every pass finds something to do. */
static const char *const model =
    "graph g {\n"
    "  symbol b in [1, 4]\n"
    "  symbol s in [2, 8]\n"
    "  input %x: f32[b, s, 4]\n"
    "  input %image: f32[b, 1, 3, 3]\n"
    "  const %wq: f32[4, 4] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, "
    "6.0,"
    " 7.0, 8.0]\n"
    "  const %wk: f32[4, 4] = [8.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, "
    "6.0,"
    " 7.0, 8.0]\n"
    "  const %wc: f32[2, 1, 2, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]\n"
    "  const %scale: f32[1, 2, 1, 1] = [0.5, 2.0]\n"
    "  const %eps: f32[] = [1e-05]\n"
    "  const %two: f32[] = [2.0]\n"
    "  const %zero: f32[] = [0.0]\n"
    "  const %inf: f32[] = [-inf]\n"
    "  %sq: f32[b, s, 4] = k::pow(%x, %two)\n"
    "  %mean: f32[b, s, 1] = k::reduce_mean(%sq, [2], true)\n"
    "  %var: f32[b, s, 1] = k::add(%mean, %eps)\n"
    "  %r: f32[b, s, 1] = k::rsqrt(%var)\n"
    "  %n: f32[b, s, 4] = k::mul(%x, %r)\n"
    "  %flat: f32[b*s, 4] = k::reshape(%n, [b*s, 4])\n"
    "  %q2: f32[b*s, 4] = k::matmul(%flat, %wq, none)\n"
    "  %k2: f32[b*s, 4] = k::matmul(%flat, %wk, none)\n"
    "  %q: f32[b, s, 4] = k::reshape(%q2, [b, s, 4])\n"
    "  %k: f32[b, s, 4] = k::reshape(%k2, [b, s, 4])\n"
    "  %kt: f32[b, 4, s] = k::permute(%k, [0, 2, 1])\n"
    "  %p: f32[b, s, s] = k::matmul(%q, %kt, none)\n"
    "  %i: i64[s] = k::iota([s], 0, 0, 1, i64)\n"
    "  %ii: i64[s, 1] = k::reshape(%i, [s, 1])\n"
    "  %le: bool[s, s] = k::le(%i, %ii)\n"
    "  %mask: f32[s, s] = k::select(%le, %zero, %inf)\n"
    "  %pm: f32[b, s, s] = k::add(%p, %mask)\n"
    "  %sm: f32[b, s, s] = k::softmax(%pm, 2)\n"
    "  %y: f32[b, s, 4] = k::matmul(%sm, %k, none)\n"
    "  %sig: f32[b, s, 4] = k::sigmoid(%y)\n"
    "  %z: f32[b, s, 4] = k::mul(%sig, %y)\n"
    "  %c: f32[b, 2, 2, 2] = k::conv(%image, %wc, none, [1, 1], [0, 0], [0, 0], [1, 1], 1, false,"
    " [0, 0])\n"
    "  %d: f32[b, 2, 2, 2] = k::mul(%c, %scale)\n"
    "  return %z, %d\n"
    "}\n";

static tn_status rewrite(const tn_allocator *allocator, size_t *out_nodes) {
    tn_arena arena;
    tn_op_table prims;
    tn_graph *graph = NULL;
    tn_arena_init(&arena, *allocator);
    tn_op_table_init(&prims, &arena);
    const tn_op_table *tables[1] = {&prims};
    tn_pass_ctx ctx = {.allocator = allocator, .prims = &prims};
    size_t count;
    const tn_pass *const *passes = tn_pass_kernel_pipeline(&count);
    tn_status status = tn_prim_table_fill(&prims);
    if (!status)
        status = tn_graph_parse(&arena, tn_str_of(model), tables, 1, &graph);
    if (!status)
        status = tn_pass_run(&ctx, graph, passes, count);
    if (!status)
        *out_nodes = graph->node_count;
    tn_op_table_deinit(&prims);
    tn_arena_deinit(&arena);
    return status;
}

static void every_allocation_fails(void **state) {
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        tn_test_allocator failing;
        tn_allocator allocator = tn_test_allocator_init(&failing, tn_allocator_system(), fail_at);
        size_t nodes = 0;
        tn_status status = rewrite(&allocator, &nodes);
        assert_int_equal(atomic_load(&failing.live_blocks), 0);
        if (!status) {
            /* rms_norm, one product, two slices, attention, silu, conv */
            assert_int_equal(nodes, 7);
            assert_true(fail_at > 10);
            break;
        }
        if (tn_status_code(status) != TN_OUT_OF_MEMORY)
            print_error("request %zu: %s\n", fail_at, tn_status_message(status));
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

/* Primitives that need scratch, on a [2, 2] operand and with two results at most. */
static void interpreter(void **state) {
    (void)state;
    static const tn_resolved_arg value0 = {.kind = TN_ARG_VALUE, .operand = 0};
    static const tn_resolved_arg none = {.kind = TN_ARG_NONE};
    static const int64_t two[2] = {2, 2}, one[2] = {1, 1};
    static const double scales[2] = {0, 0};
    const tn_resolved_arg dim = {.kind = TN_ARG_INT, .i = 1}, flag = {.kind = TN_ARG_BOOL};
    const tn_resolved_arg eps = {.kind = TN_ARG_FLOAT, .f = 1};
    const tn_resolved_arg sizes = {.kind = TN_ARG_INTS, .count = 2, .ints = two};
    const tn_resolved_arg pads = {.kind = TN_ARG_INTS, .count = 2, .ints = one};
    const tn_resolved_arg reflect = {.kind = TN_ARG_STR, .s = TN_STR("reflect")};
    const tn_resolved_arg linear = {.kind = TN_ARG_STR, .s = TN_STR("linear")};
    const tn_resolved_arg factors = {.kind = TN_ARG_FLOATS, .count = 2, .floats = scales};
    const tn_resolved_arg f32 = {.kind = TN_ARG_DTYPE, .dtype = TN_F32};
    const struct {
        tn_prim prim;
        uint32_t arg_count, result_count;
        int64_t size; /* of both dims of the results */
        tn_resolved_arg args[5];
    } calls[] = {
        {TN_PRIM_SOFTMAX, 2, 1, 2, {value0, dim}},
        {TN_PRIM_RMS_NORM, 4, 1, 2, {value0, none, dim, eps}},
        {TN_PRIM_CUMSUM, 2, 1, 2, {value0, dim}},
        {TN_PRIM_SORT, 3, 2, 2, {value0, dim, flag}},
        {TN_PRIM_MATMUL, 3, 1, 2, {value0, value0, none}},
        {TN_PRIM_IOTA, 5, 1, 2, {sizes, dim, dim, dim, f32}},
        {TN_PRIM_PAD, 5, 1, 4, {value0, pads, pads, reflect, eps}},
        {TN_PRIM_RESIZE, 5, 1, 2, {value0, sizes, linear, flag, factors}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        float in[4] = {1, 2, 3, 4}, out[16];
        int64_t indices[4], n = calls[i].size;
        tn_tensor x = {TN_F32, 2, {2, 2}, {2, 1}, in};
        tn_tensor results[2] = {{TN_F32, 2, {n, n}, {n, 1}, out},
                                {TN_I64, 2, {2, 2}, {2, 1}, indices}};
        const tn_tensor *operands[1] = {&x};
        for (size_t fail_at = 1; fail_at < 3; fail_at++) {
            tn_test_allocator failing;
            tn_allocator allocator =
                tn_test_allocator_init(&failing, tn_allocator_system(), fail_at);
            tn_status status = tn_interp_run(&allocator, calls[i].prim, operands, 1, calls[i].args,
                                             calls[i].arg_count, results, calls[i].result_count);
            tn_code wanted = fail_at == 1 ? TN_OUT_OF_MEMORY : TN_OK; /* one request each */
            if (tn_status_code(status) != wanted)
                print_error("%s: %s\n", tn_prim_schema(calls[i].prim), tn_status_message(status));
            assert_int_equal(tn_status_code(status), wanted);
            assert_int_equal(atomic_load(&failing.live_blocks), 0);
            tn_status_free(status);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails),
                                       cmocka_unit_test(interpreter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
