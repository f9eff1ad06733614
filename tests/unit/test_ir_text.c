/* test_ir_text.c: textual graphs: options of the printer, limits of the parser, and every
 * allocation failing once. What the text looks like is in tests/golden/text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/text.h"
#include "ir/text_elem.h"
#include "ir/verify.h"
#include "ir_ops.h"

static const char example[] =
    "graph g {\n"
    "  symbol s0 in [1, 8]\n"
    "  input %x: f32[s0, 2]\n"
    "  const %w: f32[3, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
    "  state %s \"buffer\": f32[1] = [0.5]\n"
    "  %y: f32[s0, 3] = aten::linear(%x, %w) loc(\"linear\", \"aten::linear\", \"fc\", "
    "\"m.py:1\")\n"
    "  %z: f32[s0, 3] = my::op([%y, none], \"text\", [1.5, 2.5], [s0, 2*s0], [true], flag=false)\n"
    "  %t: f32[s0, 3] = aten::cond(%z, graph sub {\n"
    "    input %a: f32[]\n"
    "    return %a\n"
    "  })\n"
    "  return %z as \"out\", %t\n"
    "}\n";

/* Parses with the test operators; the arena keeps all. */
static tn_status parse(tn_arena *arena, tn_str text, tn_graph **out_graph) {
    tn_op_table ops;
    const tn_op_table *tables[] = {&ops};
    *out_graph = NULL;
    tn_op_table_init(&ops, arena);
    tn_status status = tn_test_ops_fill(&ops);
    if (!status)
        status = tn_graph_parse(arena, text, tables, 1, out_graph);
    tn_op_table_deinit(&ops);
    return status;
}

static void prints_what_it_parses(void **state) {
    (void)state;
    tn_arena arena;
    tn_graph *graph = NULL;
    tn_buf buf;
    tn_arena_init(&arena, tn_allocator_system());
    tn_buf_init(&buf, tn_allocator_system());
    assert_null(parse(&arena, tn_str_of(example), &graph));
    assert_null(tn_graph_verify(graph, NULL));
    tn_text_options options = {.with_locs = true, .const_elems_max = 6};
    tn_graph_print(&buf, graph, &options);
    assert_string_equal(tn_buf_cstr(&buf), example);
    assert_true(tn_str_is(graph->states[0].name, "buffer"));
    assert_int_equal(graph->first->locs.count, 1);
    assert_true(tn_str_is(graph->first->locs.items[0]->module, "fc"));
    assert_int_equal(graph->first->next->op->op_class, TN_OP_OPAQUE);

    options.with_locs = false;
    tn_buf_clear(&buf);
    tn_node_print(&buf, graph->first, &options);
    assert_string_equal(tn_buf_cstr(&buf), "%y: f32[s0, 3] = aten::linear(%x, %w)");

    options.const_elems_max = 5;
    tn_buf_clear(&buf);
    tn_graph_print(&buf, graph, &options);
    assert_non_null(strstr(tn_buf_cstr(&buf), "const %w: f32[3, 2] = hash 0x"));
    tn_buf_deinit(&buf);
    tn_arena_deinit(&arena);
}

/* A constant prints in logical order whatever its strides are. */
static void prints_strided_constants(void **state) {
    (void)state;
    static const int16_t numbers[] = {1, 2, 3, 4, 5, 6};
    tn_arena arena;
    tn_graph *graph = NULL;
    tn_value *value = NULL;
    tn_buf buf;
    tn_arena_init(&arena, tn_allocator_system());
    tn_buf_init(&buf, tn_allocator_system());
    assert_null(parse(&arena, TN_STR("graph g { return }"), &graph));
    tn_type type = {.dtype = TN_I16, .rank = 2};
    type.dims[0] = tn_sym_const(graph->syms, 3);
    type.dims[1] = tn_sym_const(graph->syms, 2);
    tn_const transposed = {.data = (const uint8_t *)numbers, .strides = {1, 3}};
    assert_null(tn_graph_add_const(graph, TN_STR("t"), &type, &transposed, &value));
    transposed.data = (const uint8_t *)&numbers[5];
    transposed.strides[0] = -1;
    transposed.strides[1] = 0;
    assert_null(tn_graph_add_const(graph, TN_STR("r"), &type, &transposed, &value));
    tn_graph_print(&buf, graph, &(tn_text_options){.const_elems_max = 6});
    assert_string_equal(tn_buf_cstr(&buf), "graph g {\n"
                                           "  const %t: i16[3, 2] = [1, 4, 2, 5, 3, 6]\n"
                                           "  const %r: i16[3, 2] = [6, 6, 5, 5, 4, 4]\n"
                                           "  return\n"
                                           "}\n");
    tn_buf_deinit(&buf);
    tn_arena_deinit(&arena);
}

/* Every bit pattern of the small formats, and many of f32 and f64, read back as printed. */
static void elements_round_trip(void **state) {
    (void)state;
    static const tn_dtype dtypes[] = {TN_F16, TN_BF16, TN_F8E4M3, TN_F8E5M2, TN_I8,
                                      TN_U8,  TN_I16,  TN_BOOL,   TN_F32,    TN_F64};
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        size_t bytes = tn_dtype_bytes(dtypes[d]);
        uint64_t count = bytes == 1 ? 256 : bytes == 2 ? 65536 : 3000;
        for (uint64_t i = 0; i < count; i++) {
            uint64_t bits = bytes <= 2 ? i : i * 0x9e3779b97f4a7c15u >> (64 - 8 * bytes);
            uint8_t data[8], back[8] = {0};
            for (size_t k = 0; k < 8; k++)
                data[k] = (uint8_t)(bits >> (8 * k));
            tn_buf_clear(&buf);
            tn_elem_print(&buf, dtypes[d], data);
            bool is_read = tn_elem_parse(tn_buf_view(&buf), dtypes[d], back);
            if (!is_read || memcmp(data, back, bytes) != 0)
                fail_msg("%s of bits 0x%llx is printed as %s", tn_dtype_name(dtypes[d]),
                         (unsigned long long)bits, tn_buf_cstr(&buf));
        }
    }
    tn_buf_deinit(&buf);
}

static void decimals_round_to_nearest_even(void **state) {
    (void)state;
    static const struct {
        tn_dtype dtype;
        const char *text;
        uint32_t bits;
    } cases[] = {
        {TN_BF16, "1.00390625", 0x3f80}, /* halfway: to even, below */
        {TN_BF16, "1.01171875", 0x3f82}, /* halfway: to even, above */
        {TN_BF16, "1.0039063", 0x3f81},
        {TN_F16, "65519", 0x7bff},
        {TN_F16, "65520", 0x7c00}, /* infinity */
        {TN_F16, "-1e-9", 0x8000},
        {TN_F16, "6.1035e-05", 0x0400}, /* a carry from subnormal to normal */
        {TN_F8E4M3, "464", 0x7e},       /* halfway between 448 and what would be 480 */
        {TN_F8E4M3, "465", 0x7e},       /* the largest number, as PyTorch casts */
        {TN_F8E4M3, "-inf", 0xfe},
        {TN_F8E5M2, "61440", 0x7c},
        {TN_F8E5M2, "-nan", 0xfe},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[8] = {0};
        assert_true(tn_elem_parse(tn_str_of(cases[i].text), cases[i].dtype, data));
        uint32_t bits = data[0] | (uint32_t)data[1] << 8;
        if (bits != cases[i].bits)
            fail_msg("%s: 0x%x", cases[i].text, (unsigned)bits);
    }
}

/* Nested graphs beyond the limit are an error and no overflow of the stack. */
static void depth_is_limited(void **state) {
    (void)state;
    for (int depth = 15; depth <= 200; depth += depth < 17 ? 1 : 183) {
        tn_arena arena;
        tn_graph *graph = NULL;
        tn_buf buf;
        tn_arena_init(&arena, tn_allocator_system());
        tn_buf_init(&buf, tn_allocator_system());
        for (int i = 0; i < depth; i++)
            tn_buf_printf(&buf, "graph g { a::b(");
        tn_buf_printf(&buf, "graph g { return }");
        for (int i = 0; i < depth; i++)
            tn_buf_printf(&buf, ") return }");
        tn_status status = parse(&arena, tn_buf_view(&buf), &graph);
        if (depth <= 16) {
            assert_null(status);
            assert_null(tn_graph_verify(graph, NULL));
        } else {
            assert_non_null(strstr(tn_status_message(status), "at most 16 nested graphs"));
            tn_status_free(status);
        }
        tn_buf_deinit(&buf);
        tn_arena_deinit(&arena);
    }
}

/* Every prefix of a text, and every text with one byte changed: an error or a graph that verifies.
 */
static void damaged_text(void **state) {
    (void)state;
    static const char replacements[] = "\"%[](){},=:x0 \n\\/-\x80";
    char copy[sizeof example];
    for (size_t i = 0; i < sizeof example - 1; i++) {
        for (size_t k = 0; k < sizeof replacements; k++) { /* the final zero is one of them */
            tn_arena arena;
            tn_graph *graph = NULL;
            tn_arena_init(&arena, tn_allocator_system());
            memcpy(copy, example, sizeof example);
            copy[i] = replacements[k];
            tn_str text = {copy, k == 0 ? i : sizeof example - 1};
            tn_status status = parse(&arena, text, &graph);
            assert_int_equal(tn_status_code(status), graph ? TN_OK : TN_INVALID_ARGUMENT);
            if (k == 0 && i < sizeof example - 2)
                assert_null(graph);
            if (graph)
                tn_status_free(tn_graph_verify(graph, NULL));
            tn_status_free(status);
            tn_arena_deinit(&arena);
        }
    }
}

static tn_status round_trip(tn_allocator allocator) {
    tn_arena arena;
    tn_graph *graph = NULL;
    tn_buf buf;
    tn_arena_init(&arena, allocator);
    tn_buf_init(&buf, allocator);
    tn_status status = parse(&arena, tn_str_of(example), &graph);
    assert_true((status == NULL) == (graph != NULL));
    if (!status) {
        tn_graph_print(&buf, graph, &(tn_text_options){.with_locs = true, .const_elems_max = 6});
        status = tn_buf_status(&buf);
    }
    if (!status)
        status = tn_graph_verify(graph, NULL);
    tn_buf_deinit(&buf);
    tn_arena_deinit(&arena);
    return status;
}

static void failing_allocations(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        tn_status status = round_trip(tn_test_allocator_init(&counter, tn_allocator_system(), n));
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (!status) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(tn_status_code(status), TN_OUT_OF_MEMORY);
        tn_status_free(status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_it_parses), cmocka_unit_test(prints_strided_constants),
        cmocka_unit_test(elements_round_trip),   cmocka_unit_test(decimals_round_to_nearest_even),
        cmocka_unit_test(depth_is_limited),      cmocka_unit_test(damaged_text),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
