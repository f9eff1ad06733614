/* test_kir_build.c: types that primitives infer, nodes that the builder does not make, sticky
 * errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kir/kb.h"
#include "kir/simplify.h"

typedef struct bench {
    tn_arena arena;
    tn_op_table prims;
    tn_syms *syms;
    tn_kb kb;
} bench;

static int setup(void **state) {
    static bench b;
    memset(&b, 0, sizeof b);
    tn_arena_init(&b.arena, tn_allocator_system());
    tn_op_table_init(&b.prims, &b.arena);
    assert_null(tn_prim_table_fill(&b.prims));
    assert_null(tn_syms_create(&b.arena, &b.syms));
    tn_graph *graph = NULL;
    assert_null(tn_graph_create(&b.arena, b.syms, TN_STR("g"), &graph));
    tn_kb_init(&b.kb, graph, &b.prims);
    *state = &b;
    return 0;
}

static int teardown(void **state) {
    bench *b = *state;
    tn_status_free(tn_kb_status(&b->kb));
    tn_op_table_deinit(&b->prims);
    tn_arena_deinit(&b->arena);
    return 0;
}

/* An input whose sizes are given; -1 stands for the symbol s0 in [1, 64]. */
static tn_value *input(bench *b, tn_dtype dtype, uint32_t rank, const int64_t *dims) {
    tn_type type = {.dtype = dtype, .rank = rank};
    for (uint32_t d = 0; d < rank; d++)
        type.dims[d] =
            dims[d] < 0 ? tn_sym_var(b->syms, TN_STR("s0"), 1, 64) : tn_sym_const(b->syms, dims[d]);
    tn_value *value = NULL;
    assert_null(tn_graph_add_input(b->kb.graph, TN_STR("x"), &type, &value));
    return value;
}
#define INPUT(b, dtype, ...)                                                                       \
    input(b, dtype, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void assert_type(bench *b, const tn_value *value, const char *wanted) {
    if (!value) {
        tn_status status = tn_kb_status(&b->kb);
        print_error("%s\n", tn_status_message(status));
        tn_status_free(status);
    }
    assert_non_null(value);
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_type_print(&buf, &value->type);
    assert_string_equal(tn_buf_cstr(&buf), wanted);
    tn_buf_deinit(&buf);
    if (value->def)
        assert_null(tn_prim_verify(value->def));
}

/* The builder has failed with a message that contains these words. */
static void assert_failed(bench *b, const tn_value *value, const char *words) {
    assert_null(value);
    tn_status status = tn_kb_status(&b->kb);
    assert_non_null(status);
    if (!strstr(tn_status_message(status), words))
        print_error("message: %s\nwanted:  %s\n", tn_status_message(status), words);
    assert_non_null(strstr(tn_status_message(status), words));
    tn_status_free(status);
}

static void names(void **state) {
    (void)state;
    assert_int_equal(tn_prim_from_name(TN_STR("k::add")), TN_PRIM_ADD);
    assert_int_equal(tn_prim_from_name(TN_STR("k::topk")), TN_PRIM_TOPK);
    assert_int_equal(tn_prim_from_name(TN_STR("k::")), TN_PRIM_NONE);
    assert_int_equal(tn_prim_from_name(TN_STR("aten::add")), TN_PRIM_NONE);
}

static void maps(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, -1, 1, 8), *y = INPUT(b, TN_F32, 4, 1);
    assert_type(b, tn_kb_map2(kb, TN_PRIM_ADD, x, y), "f32[s0, 4, 8]");
    assert_type(b, tn_kb_map2(kb, TN_PRIM_LT, x, y), "bool[s0, 4, 8]");
    assert_type(b, tn_kb_cast(kb, x, TN_BF16), "bf16[s0, 1, 8]");
    assert_failed(b, tn_kb_map2(kb, TN_PRIM_ADD, x, INPUT(b, TN_F32, 3)), "does not broadcast");
    assert_failed(b, tn_kb_map2(kb, TN_PRIM_ADD, x, INPUT(b, TN_I64, 8)),
                  "b is i64[8], wanted f32");
    assert_failed(b, tn_kb_map1(kb, TN_PRIM_EXP, INPUT(b, TN_I64, 8)), "wanted a float dtype");
    assert_failed(b, tn_kb_select(kb, x, x, x), "cond is f32[s0, 1, 8], wanted bool");
    assert_failed(b, tn_kb_map2(kb, TN_PRIM_ADD, x, NULL), "operand 1 is missing");
}

static void identities(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, 2, -1, 8);
    size_t nodes = kb->graph->node_count;
    const tn_sym *two = tn_sym_const(b->syms, 2), *zero = tn_sym_const(b->syms, 0);
    assert_ptr_equal(tn_kb_cast(kb, x, TN_F32), x);
    assert_ptr_equal(tn_kb_reshape(kb, x, x->type.dims, 3), x);
    assert_ptr_equal(tn_kb_expand(kb, x, x->type.dims, 3), x);
    assert_ptr_equal(tn_kb_permute(kb, x, (uint32_t[]){0, 1, 2}), x);
    assert_ptr_equal(tn_kb_slice(kb, x, 0, zero, two, 1), x);
    assert_ptr_equal(tn_kb_map2(kb, TN_PRIM_ADD, x, tn_kb_float(kb, TN_F32, 0)), x);
    assert_ptr_equal(tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_float(kb, TN_F32, 1), x), x);
    assert_ptr_equal(tn_kb_concat(kb, &x, 1, 1), x);
    const tn_sym *none[3] = {zero, zero, zero};
    assert_ptr_equal(tn_kb_pad(kb, x, none, none, "constant", 3), x);
    assert_ptr_equal(tn_kb_flip(kb, x, NULL, 0), x);
    assert_int_equal(kb->graph->node_count, nodes);
    /* An identity that would lose the broadcast stays. */
    tn_value *wide = tn_kb_full(kb, TN_F32, 0,
                                (const tn_sym *[]){two, two, x->type.dims[1], x->type.dims[2]}, 4);
    assert_type(b, tn_kb_map2(kb, TN_PRIM_ADD, x, wide), "f32[2, 2, s0, 8]");
}

static void joins(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, 2, 3, 8);
    const tn_sym *flat = tn_sym_const(b->syms, 48);
    tn_value *reshaped = tn_kb_reshape(kb, x, &flat, 1);
    assert_type(b, reshaped, "f32[48]");
    assert_ptr_equal(tn_kb_reshape(kb, reshaped, x->type.dims, 3), x);
    tn_value *turned = tn_kb_permute(kb, x, (uint32_t[]){2, 0, 1});
    assert_type(b, turned, "f32[8, 2, 3]");
    assert_ptr_equal(tn_kb_permute(kb, turned, (uint32_t[]){1, 2, 0}), x);
    tn_value *swapped = tn_kb_transpose(kb, turned, 1, 2);
    assert_type(b, swapped, "f32[8, 3, 2]");
    assert_ptr_equal(swapped->def->operands[0], x);
    const tn_sym *one = tn_sym_const(b->syms, 1), *three = tn_sym_const(b->syms, 3);
    tn_value *odd = tn_kb_slice(kb, x, 2, one, three, 2);                       /* 1 3 5 */
    tn_value *last = tn_kb_slice(kb, odd, 2, one, tn_sym_const(b->syms, 2), 1); /* 3 5 */
    assert_ptr_equal(last->def->operands[0], x);
    assert_int_equal(last->def->args[1].ints[2]->value, 3);
    assert_int_equal(last->def->args[3].ints[2]->value, 2);
    tn_value *half = tn_kb_cast(kb, INPUT(b, TN_BF16, 4), TN_F32);
    assert_ptr_equal(tn_kb_cast(kb, half, TN_BF16), half->def->operands[0]);
    /* Narrowing loses bits: f32 to bf16 and back is not the identity. */
    tn_value *again = tn_kb_cast(kb, tn_kb_cast(kb, x, TN_BF16), TN_F32);
    assert_ptr_not_equal(again, x);
}

static void views(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, -1, 6);
    const tn_sym *s0 = x->type.dims[0];
    const tn_sym *split[3] = {s0, tn_sym_const(b->syms, 2), tn_sym_const(b->syms, 3)};
    assert_type(b, tn_kb_reshape(kb, x, split, 3), "f32[s0, 2, 3]");
    assert_failed(b, tn_kb_reshape(kb, x, split, 2), "wanted the number of elements of f32[s0, 2]");
    assert_type(b, tn_kb_unsqueeze(kb, x, 2), "f32[s0, 6, 1]");
    tn_value *xs[2] = {x, x};
    assert_type(b, tn_kb_concat(kb, xs, 2, 0), "f32[2*s0, 6]");
    assert_type(b, tn_kb_concat(kb, xs, 2, 1), "f32[s0, 12]");
    xs[1] = INPUT(b, TN_F32, 4, 5);
    assert_failed(b, tn_kb_concat(kb, xs, 2, 0), "xs[1] is f32[4, 5], wanted f32[s0, 6]");
    assert_failed(b, tn_kb_slice(kb, x, 1, split[1], tn_sym_const(b->syms, 5), 1), "leaves dim 1");
    const tn_sym *lo[2] = {tn_sym_const(b->syms, 0), split[1]};
    assert_type(b, tn_kb_pad(kb, x, lo, lo, "reflect", 0), "f32[s0, 10]");
    assert_failed(b, tn_kb_pad(kb, x, lo, lo, "mirror", 0), "\"mirror\" is not one of");
}

static void contractions(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, -1, 4, 16), *w = INPUT(b, TN_F32, 16, 32);
    assert_type(b, tn_kb_matmul(kb, x, w, NULL), "f32[s0, 4, 32]");
    assert_type(b, tn_kb_matmul(kb, x, w, INPUT(b, TN_F32, 32)), "f32[s0, 4, 32]");
    assert_failed(b, tn_kb_matmul(kb, x, x, NULL), "wanted [.., M, K] and [.., K, N]");
    assert_failed(b, tn_kb_matmul(kb, x, w, INPUT(b, TN_F32, 5)), "bias is f32[5]");
    tn_kb_attention_args args = {.q = INPUT(b, TN_F32, 1, 8, -1, 64),
                                 .k = INPUT(b, TN_F32, 1, 2, 10, 64),
                                 .v = INPUT(b, TN_F32, 1, 2, 10, 32),
                                 .scale = 0.125};
    assert_type(b, tn_kb_attention(kb, &args), "f32[1, 8, s0, 32]");
    args.k = args.q;
    assert_failed(b, tn_kb_attention(kb, &args), "k f32[1, 8, s0, 64]");
    tn_value *operands[2] = {INPUT(b, TN_F32, -1, 3, 224, 224), INPUT(b, TN_F32, 64, 3, 7, 7)};
    int64_t two[2] = {2, 2}, three[2] = {3, 3}, one[2] = {1, 1}, zero[2] = {0, 0};
    tn_arg conv[10] = {tn_arg_value(0),           tn_arg_value(1),
                       {.kind = TN_ARG_NONE},     tn_arg_ints(kb, two, 2),
                       tn_arg_ints(kb, three, 2), tn_arg_ints(kb, three, 2),
                       tn_arg_ints(kb, one, 2),   tn_arg_int(kb, 1),
                       tn_arg_bool(false),        tn_arg_ints(kb, zero, 2)};
    assert_type(b, tn_kb_node(kb, TN_PRIM_CONV, operands, 2, conv, 10), "f32[s0, 64, 112, 112]");
    conv[8] = tn_arg_bool(true);
    operands[1] = INPUT(b, TN_F32, 3, 5, 4, 4);
    /* (224 - 1) * 2 - 6 + 3 + 1 */
    assert_type(b, tn_kb_node(kb, TN_PRIM_CONV, operands, 2, conv, 10), "f32[s0, 5, 444, 444]");
    conv[7] = tn_arg_int(kb, 2);
    assert_failed(b, tn_kb_node(kb, TN_PRIM_CONV, operands, 2, conv, 10), "channels do not match");
}

static void splats(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    double number = 0;
    float same[6] = {2, 2, 2, 2, 2, 2}, other[6] = {2, 2, 2, 2, 2, 3};
    tn_type type = {.dtype = TN_F32, .rank = 2};
    type.dims[0] = tn_sym_const(b->syms, 2);
    type.dims[1] = tn_sym_const(b->syms, 3);
    assert_true(tn_value_splat(tn_kb_const(kb, &type, same, sizeof same), &number));
    assert_true(number == 2);
    assert_false(tn_value_splat(tn_kb_const(kb, &type, other, sizeof other), &number));
    assert_true(tn_value_splat(tn_kb_full(kb, TN_BF16, -0.5, type.dims, 2), &number));
    assert_true(number == -0.5);
    assert_true(tn_value_splat(tn_kb_int(kb, TN_I64, 7), &number) && number == 7);
}

static void errors_stick(void **state) {
    bench *b = *state;
    tn_kb *kb = &b->kb;
    tn_value *x = INPUT(b, TN_F32, 2, 3);
    assert_null(tn_kb_map2(kb, TN_PRIM_ADD, x, INPUT(b, TN_F32, 7)));
    assert_null(tn_kb_map1(kb, TN_PRIM_EXP, x)); /* fine by itself */
    assert_failed(b, NULL, "f32[7] does not broadcast");
    assert_non_null(tn_kb_map1(kb, TN_PRIM_EXP, x)); /* cleared by taking the status */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test_setup_teardown(maps, setup, teardown),
        cmocka_unit_test_setup_teardown(identities, setup, teardown),
        cmocka_unit_test_setup_teardown(joins, setup, teardown),
        cmocka_unit_test_setup_teardown(views, setup, teardown),
        cmocka_unit_test_setup_teardown(contractions, setup, teardown),
        cmocka_unit_test_setup_teardown(splats, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_stick, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
