/* engine_graphs.h: graphs whose engines hold records of every kind, for tests of engine files. */
#ifndef TN_TESTS_ENGINE_GRAPHS_H
#define TN_TESTS_ENGINE_GRAPHS_H

/* Symbols and expressions, a weight, a state, two results, arguments of each kind. */
#define ENGINE_GRAPH_ALL                                                                           \
    "graph all {\n symbol s0 in [2, 8]\n input %x: f32[s0, 6]\n input %i: i64[s0]\n"               \
    " const %w: f32[6, 4] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, "   \
    "3, 4]\n"                                                                                      \
    " state %cache \"attn.cache\": f32[4] = zeros\n state %count: f32[4] = [1, 2, 3, 4]\n"         \
    " %0: f32[s0, 4] = k::matmul(%x, %w, none) loc(\"mm\", \"aten::mm\", \"fc\", \"m.py:3\")\n"    \
    " %1: f32[s0, 4] = k::softmax(%0, 1)\n %2: f32[4] = k::reduce_sum(%1, [0], false)\n"           \
    " %3: f32[4] = k::add(%2, %cache)\n %4: f32[4] = k::mul(%3, %count)\n"                         \
    " %5: f32[s0 + 3, 8] = k::pad(%1, [1, 2], [2, 2], \"constant\", 0.5)\n"                        \
    " %6: f32[s0, 4] = k::take(%1, %i, 0)\n %7: bf16[s0, 4] = k::cast(%6, bf16)\n"                 \
    " %8: f32[s0, 8] = k::concat([%1, %6], 1)\n next %cache = %4\n"                                \
    " return %5, %7, %8 as \"joined\"\n}\n"

/* Windows and products, whose loops are bounded by sizes. */
#define ENGINE_GRAPH_WINDOW                                                                        \
    "graph window {\n input %x: f32[1, 3, 9, 9]\n const %w: f32[2, 3, 3, 3] = zeros\n"             \
    " %0: f32[1, 2, 5, 5] = k::conv(%x, %w, none, [2, 2], [1, 1], [1, 1], [1, 1], 1, false, "      \
    "[0, 0])\n"                                                                                    \
    " %1: f32[1, 2, 3, 3], %i: i64[1, 2, 3, 3] = k::max_pool(%0, [3, 3], [2, 2], [1, 1], [1, "     \
    "1], [3, 3])\n"                                                                                \
    " %2: f32[1, 2, 2, 2] = k::avg_pool(%1, [2, 2], [1, 1], [0, 0], 0, [2, 2])\n"                  \
    " %3: f32[1, 1, 2, 2] = k::slice(%2, [0, 0, 0, 0], [1, 1, 2, 2], [1, 1, 1, 1])\n"              \
    " return %3, %i\n}\n"

/* Calls: with two results, an integer and an operand that is a view; one that leaves the engine. */
#define ENGINE_GRAPH_CALLS                                                                         \
    "graph calls {\n symbol s0 in [1, 64]\n input %x: f32[s0, 6]\n"                                \
    " const %w: f32[6, 4] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "   \
    "1, 1]\n"                                                                                      \
    " %0: f32[s0, 4] = k::matmul(%x, %w, none)\n"                                                  \
    " %t: f32[4, s0] = k::permute(%0, [1, 0])\n"                                                   \
    " %a: f32[4, s0], %b: f32[4, s0] = k::call([%t], \"test::two.default\", \"[]\", [2*s0]) "      \
    "loc(\"two_1\", \"test::two\", \"net.two\", \"net.py:7: two(t)\")\n"                           \
    " %1: f32[4, s0] = k::add(%a, %b)\n"                                                           \
    " %c: f32[4, s0] = k::call([%1], \"test::one.default\", \"[]\", [])\n"                         \
    " %2: f32[4] = k::reduce_sum(%c, [1], false)\n return %2, %c, %b\n}\n"

/* Sizes that calls decide on: of a tensor that is used with one of a fixed size, of an expression,
 * of a weight's slice, of outputs, of an integer argument. */
#define ENGINE_GRAPH_SIZES                                                                         \
    "graph sizes {\n symbol s0 in [1, 9]\n symbol u0 in [0, 24]\n symbol u1 in [0, 24]\n"          \
    " symbol u2 in [0, 9]\n"                                                                       \
    " input %x: f32[s0, 6]\n const %w: f32[6] = [1, 2, 3, 4, 5, 6]\n"                              \
    " %e: f32[s0, 6] = k::exp(%x)\n"                                                               \
    " %n: f32[u0, 6], %m: i64[u0] = k::call([%e], \"test::pick.default\", \"[]\", [])\n"           \
    " %0: f32[u0, 6] = k::mul(%n, %w)\n %1: f32[u0] = k::reduce_sum(%0, [1], false)\n"             \
    " %2: f32[6] = k::reduce_sum(%e, [0], false)\n"                                                \
    " %i: f32[u0, s0] = k::iota([u0, s0], 0, 0.0, 1.0, f32)\n"                                     \
    " %q: f32[u1] = k::call([%1, %m], \"test::again.default\", \"[]\", [2*u0])\n"                  \
    " %3: f32[u0 + u1] = k::concat([%1, %q], 0)\n %4: f32[u0 + u1] = k::cumsum(%3, 0)\n"           \
    " const %c: i64[] = [4]\n"                                                                     \
    " %k: i64[] holds u2 = k::call([%c], \"test::item.default\", \"[]\", [])\n"                    \
    " %v: i64[] = k::sym_value(u2 + u1)\n %z: f32[u2, 2] = k::iota([u2, 2], 0, 0.0, 1.0, f32)\n"   \
    " return %4, %2, %i, %m, %v, %z\n}\n"

#endif
