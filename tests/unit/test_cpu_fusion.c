/* test_cpu_fusion.c: generated code against the interpreter on graphs that exercise fusion: views
 * through pointwise work, epilogues, concatenation, padding, reductions, gathers, symbolic sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "backend_run.h"

typedef struct fusion_case {
    const char *name, *text;
    int64_t dims[4][8]; /* per input; all zeros: as the graph says */
    uint32_t kernels;   /* steps expected, 0: any */
    double tolerance;   /* 0: 1e-5 */
} fusion_case;

static const fusion_case cases[] = {
    {.name = "maps",
     .text = "graph g {\n input %x: f32[3, 37]\n input %b: f32[37]\n"
             " %0: f32[3, 37] = k::add(%x, %b)\n %1: f32[3, 37] = k::gelu_erf(%0)\n"
             " %2: f32[3, 37] = k::mul(%1, %x)\n return %2\n}\n",
     .kernels = 1},
    {.name = "permute and reshape between maps",
     .text = "graph g {\n input %x: f32[2, 6, 20]\n"
             " %0: f32[2, 6, 20] = k::exp(%x)\n %1: f32[2, 20, 6] = k::permute(%0, [0, 2, 1])\n"
             " %2: f32[40, 6] = k::reshape(%1, [40, 6])\n %3: f32[40, 6] = k::neg(%2)\n return "
             "%3\n}\n"},
    {.name = "matmul with bias, gelu and residual",
     .text = "graph g {\n input %x: f32[2, 5, 24]\n input %w: f32[24, 40]\n input %b: f32[40]\n"
             " input %r: f32[2, 5, 40]\n %0: f32[2, 5, 40] = k::matmul(%x, %w, %b)\n"
             " %1: f32[2, 5, 40] = k::gelu_tanh(%0)\n %2: f32[2, 5, 40] = k::add(%1, %r)\n return "
             "%2\n}\n",
     .kernels = 1},
    {.name = "symbolic rows",
     .text = "graph g {\n symbol s0 in [1, 64]\n input %x: f32[s0, 24]\n input %w: f32[24, 40]\n"
             " %0: f32[s0, 40] = k::matmul(%x, %w, none)\n %1: f32[s0, 40] = k::relu(%0)\n"
             " %2: f32[s0] = k::reduce_sum(%1, [1], false)\n return %1, %2\n}\n",
     .dims = {{7, 24}, {24, 40}}},
    {.name = "rotary",
     .text =
         "graph g {\n input %x: f32[2, 3, 5, 16]\n input %c: f32[5, 16]\n input %s: f32[5, 16]\n"
         " %a: f32[2, 3, 5, 8] = k::slice(%x, [0, 0, 0, 0], [2, 3, 5, 8], [1, 1, 1, 1])\n"
         " %b: f32[2, 3, 5, 8] = k::slice(%x, [0, 0, 0, 8], [2, 3, 5, 8], [1, 1, 1, 1])\n"
         " %n: f32[2, 3, 5, 8] = k::neg(%b)\n %r: f32[2, 3, 5, 16] = k::concat([%n, %a], 3)\n"
         " %0: f32[2, 3, 5, 16] = k::mul(%x, %c)\n %1: f32[2, 3, 5, 16] = k::mul(%r, %s)\n"
         " %2: f32[2, 3, 5, 16] = k::add(%0, %1)\n return %2\n}\n",
     .kernels = 1},
    {.name = "pad and concat",
     .text = "graph g {\n input %x: f32[3, 5]\n input %y: f32[3, 2]\n"
             " %0: f32[5, 8] = k::pad(%x, [1, 2], [1, 1], \"constant\", 0.5)\n"
             " %1: f32[3, 7] = k::concat([%x, %y], 1)\n %2: f32[5, 8] = k::mul(%0, %0)\n"
             " return %2, %1\n}\n"},
    {.name = "layer norm with residual before and scale after",
     .text =
         "graph g {\n input %x: f32[4, 33]\n input %r: f32[4, 33]\n input %w: f32[33]\n input %b: "
         "f32[33]\n"
         " %0: f32[4, 33] = k::add(%x, %r)\n %1: f32[4, 33] = k::layer_norm(%0, %w, %b, 1, 1e-5)\n"
         " %2: f32[4, 33] = k::tanh(%1)\n return %2\n}\n",
     .kernels = 1},
    {.name = "softmax along a middle dim",
     .text = "graph g {\n input %x: f32[3, 9, 17]\n %0: f32[3, 9, 17] = k::softmax(%x, 1)\n return "
             "%0\n}\n"},
    {.name = "reductions",
     .text = "graph g {\n input %x: f32[3, 9, 17, 5]\n"
             " %0: f32[3, 9, 1, 1] = k::reduce_mean(%x, [2, 3], true)\n"
             " %1: f32[9, 17, 5] = k::reduce_max(%x, [0], false)\n"
             " %2: f32[3, 17] = k::reduce_sum(%x, [1, 3], false)\n return %0, %1, %2\n}\n"},
    {.name = "an input without elements",
     .text = "graph g {\n symbol a in [1, 9]\n symbol b in [0, 9]\n input %x: f32[a, b, 4]\n"
             " %0: f32[a, b, 4] = k::gelu_erf(%x)\n return %0\n}\n",
     .dims = {{3, 0, 4}}},
    {.name = "a product without rows",
     .text = "graph g {\n input %x: f32[0, 4]\n input %w: f32[4, 1]\n"
             " %0: f32[0, 1] = k::matmul(%x, %w, none)\n return %0\n}\n"},
    {.name = "take with maps",
     .text = "graph g {\n input %t: f32[11, 20]\n input %i: i64[2, 6]\n input %p: f32[6, 20]\n"
             " %0: f32[2, 6, 20] = k::take(%t, %i, 0)\n %1: f32[2, 6, 20] = k::add(%0, %p)\n "
             "return %1\n}\n",
     .kernels = 1},
    {.name = "take whose lanes read entries of their own",
     .text = "graph g {\n input %t: f32[3, 11]\n input %i: i64[2, 6]\n"
             " %0: f32[3, 2, 6] = k::take(%t, %i, 1)\n return %0\n}\n",
     .kernels = 1},
    {.name = "compare, select, iota",
     .text =
         "graph g {\n input %x: f32[6, 6]\n %i: i64[6, 6] = k::iota([6, 6], 0, 0, 1, dtype=i64)\n"
         " %j: i64[6, 6] = k::iota([6, 6], 1, 0, 1, dtype=i64)\n %c: bool[6, 6] = k::le(%j, %i)\n"
         " %n: f32[6, 6] = k::neg(%x)\n %0: f32[6, 6] = k::select(%c, %x, %n)\n return %0, "
         "%c\n}\n"},
    {.name = "attention on views of one buffer",
     .text = "graph g {\n input %x: f32[2, 7, 96]\n input %m: f32[2, 1, 1, 7]\n"
             " %q0: f32[2, 7, 32] = k::slice(%x, [0, 0, 0], [2, 7, 32], [1, 1, 1])\n"
             " %k0: f32[2, 7, 32] = k::slice(%x, [0, 0, 32], [2, 7, 32], [1, 1, 1])\n"
             " %v0: f32[2, 7, 32] = k::slice(%x, [0, 0, 64], [2, 7, 32], [1, 1, 1])\n"
             " %q1: f32[2, 7, 4, 8] = k::reshape(%q0, [2, 7, 4, 8])\n"
             " %k1: f32[2, 7, 4, 8] = k::reshape(%k0, [2, 7, 4, 8])\n"
             " %v1: f32[2, 7, 4, 8] = k::reshape(%v0, [2, 7, 4, 8])\n"
             " %q: f32[2, 4, 7, 8] = k::permute(%q1, [0, 2, 1, 3])\n"
             " %k: f32[2, 4, 7, 8] = k::permute(%k1, [0, 2, 1, 3])\n"
             " %v: f32[2, 4, 7, 8] = k::permute(%v1, [0, 2, 1, 3])\n"
             " %a: f32[2, 4, 7, 8] = k::attention(%q, %k, %v, %m, 0.35, false, 0)\n"
             " %p: f32[2, 7, 4, 8] = k::permute(%a, [0, 2, 1, 3])\n %0: f32[2, 7, 32] = "
             "k::reshape(%p, [2, 7, 32])\n"
             " %1: f32[2, 7, 32] = k::add(%0, %q0)\n return %1\n}\n"},
    {.name = "convolution with bias, residual and relu, then another",
     .text = "graph g {\n input %x: f32[2, 3, 9, 11]\n const %w: f32[16, 3, 3, 3] = @W\n"
             " const %b: f32[16] = @B\n const %v: f32[16, 16, 1, 1] = @V\n"
             " %0: f32[2, 16, 5, 6] = k::conv(%x, %w, %b, [2, 2], [1, 1], [1, 1], [1, 1], 1, "
             "false, [0, 0])\n"
             " %1: f32[2, 16, 5, 6] = k::relu(%0)\n"
             " %2: f32[2, 16, 5, 6] = k::conv(%1, %v, none, [1, 1], [0, 0], [0, 0], [1, 1], 1, "
             "false, [0, 0])\n"
             " %3: f32[2, 16, 5, 6] = k::add(%2, %1)\n %4: f32[2, 16, 5, 6] = k::relu(%3)\n"
             " %5: f32[2, 16] = k::reduce_mean(%4, [2, 3], false)\n return %5\n}\n",
     .kernels = 3},
    {.name = "gated pair of columns",
     .text = "graph g {\n input %x: f32[5, 8]\n const %w: f32[8, 64] = @G\n"
             " %0: f32[5, 64] = k::matmul(%x, %w, none)\n"
             " %g: f32[5, 32] = k::slice(%0, [0, 0], [5, 32], [1, 1])\n"
             " %u: f32[5, 32] = k::slice(%0, [0, 32], [5, 32], [1, 1])\n"
             " %s: f32[5, 32] = k::silu(%g)\n %1: f32[5, 32] = k::mul(%s, %u)\n return %1\n}\n",
     .kernels = 1},
    {.name = "outputs that are views of results",
     .text = "graph g {\n input %x: f32[2, 5, 24]\n input %w: f32[24, 40]\n"
             " %a: f32[2, 5, 40] = k::matmul(%x, %w, none)\n"
             " %b: f32[2, 5, 4, 10] = k::reshape(%a, [2, 5, 4, 10])\n"
             " %c: f32[2, 4, 5, 10] = k::permute(%b, [0, 2, 1, 3])\n"
             " %d: f32[2, 5, 24] = k::exp(%x)\n %e: f32[24, 5, 2] = k::permute(%d, [2, 1, 0])\n"
             " %f: f32[2, 5, 24] = k::softmax(%x, 1)\n %h: f32[2, 5, 24] = k::flip(%f, [1])\n"
             " %i: f32[240] = k::reshape(%h, [240])\n return %c, %e, %i\n}\n",
     .kernels = 4},
    {.name = "outputs that are views of one result, and the result",
     .text = "graph g {\n input %x: f32[6, 24]\n input %w: f32[24, 8]\n"
             " %a: f32[6, 8] = k::matmul(%x, %w, none)\n %b: f32[8, 6] = k::permute(%a, [1, 0])\n"
             " %c: f32[48] = k::reshape(%a, [48])\n return %b, %a, %c, %a\n}\n",
     .kernels = 4},
    {.name = "an output that is a view of a result which others read",
     .text = "graph g {\n input %x: f32[6, 24]\n input %w: f32[24, 24]\n"
             " %a: f32[6, 24] = k::matmul(%x, %w, none)\n %b: f32[24, 6] = k::permute(%a, [1, 0])\n"
             " %c: f32[6, 24] = k::matmul(%a, %w, none)\n %d: f32[144] = k::reshape(%a, [144])\n"
             " %e: f32[3, 24] = k::slice(%c, [0, 0], [3, 24], [1, 1])\n return %b, %c, %d, %e\n}\n",
     .kernels = 4},
    {.name = "an output that is permuted, of a primitive without kernel",
     .text = "graph g {\n %a: f32[6, 5] = k::random([6, 5], \"uniform\", 1, 2, f32)\n"
             " %b: f32[5, 6] = k::permute(%a, [1, 0])\n return %b\n}\n",
     .kernels = 2},
    {.name = "convolution whose output is a list of pixels",
     .text = "graph g {\n input %x: f32[2, 3, 9, 11]\n const %w: f32[16, 3, 3, 3] = @W\n"
             " %0: f32[2, 16, 5, 6] = k::conv(%x, %w, none, [2, 2], [1, 1], [1, 1], [1, 1], 1, "
             "false, [0, 0])\n %1: f32[2, 16, 30] = k::reshape(%0, [2, 16, 30])\n"
             " %2: f32[2, 30, 16] = k::permute(%1, [0, 2, 1])\n return %2\n}\n",
     .kernels = 1},
    {.name = "bf16 pool",
     .text = "graph g {\n input %x: bf16[1, 16, 32, 32]\n"
             " %0: bf16[1, 16, 16, 16], %i: i64[1, 16, 16, 16] = k::max_pool(%x, [3, 3], [2, 2], "
             "[1, 1], [1, 1], [16, 16])\n"
             " return %0\n}\n",
     .tolerance = 5e-3},
    {.name = "bf16 stem",
     .text = "graph g {\n input %x: bf16[1, 3, 64, 64]\n const %w: bf16[16, 3, 7, 7] = @S\n"
             " %0: bf16[1, 16, 32, 32] = k::conv(%x, %w, none, [2, 2], [3, 3], [3, 3], [1, 1], 1, "
             "false, [0, 0])\n"
             " return %0\n}\n",
     .tolerance = 5e-3},
    {.name = "bf16 3x3 convolution with residual",
     .text = "graph g {\n input %x: bf16[1, 16, 16, 16]\n const %w: bf16[16, 16, 3, 3] = @T\n "
             "const %b: bf16[16] = @B\n"
             " %0: bf16[1, 16, 16, 16] = k::conv(%x, %w, %b, [1, 1], [1, 1], [1, 1], [1, 1], 1, "
             "false, [0, 0])\n"
             " %1: bf16[1, 16, 16, 16] = k::add(%0, %x)\n %2: bf16[1, 16, 16, 16] = k::relu(%1)\n"
             " return %2\n}\n",
     .tolerance = 5e-3},
    {.name = "bf16 1x1 convolution with stride",
     .text = "graph g {\n input %x: bf16[1, 16, 16, 16]\n const %w: bf16[16, 16, 1, 1] = @V\n"
             " %0: bf16[1, 16, 8, 8] = k::conv(%x, %w, none, [2, 2], [0, 0], [0, 0], [1, 1], 1, "
             "false, [0, 0])\n"
             " return %0\n}\n",
     .tolerance = 5e-3},
    {.name = "bf16 convolution after a convolution: channels-last input",
     .text = "graph g {\n input %x: bf16[1, 16, 16, 16]\n const %w: bf16[16, 16, 3, 3] = @T\n"
             " %0: bf16[1, 16, 16, 16] = k::conv(%x, %w, none, [1, 1], [1, 1], [1, 1], [1, 1], 1, "
             "false, [0, 0])\n"
             " %1: bf16[1, 16, 16, 16] = k::conv(%0, %w, none, [1, 1], [1, 1], [1, 1], [1, 1], 1, "
             "false, [0, 0])\n return %1\n}\n",
     .tolerance = 1e-2},
    {.name = "bf16 vector times matrix",
     .text = "graph g {\n input %x: bf16[1, 47]\n const %w: bf16[47, 50] = @M\n const %b: bf16[50] "
             "= @N\n"
             " %0: bf16[1, 50] = k::matmul(%x, %w, %b)\n return %0\n}\n",
     .tolerance = 5e-3},
    {.name = "bf16 mean over positions, then a matrix",
     .text = "graph g {\n input %x: bf16[1, 128, 2, 2]\n const %w: bf16[128, 18] = @T\n"
             " %0: bf16[1, 128, 1, 1] = k::reduce_mean(%x, [2, 3], true)\n"
             " %1: bf16[1, 128] = k::reshape(%0, [1, 128])\n"
             " %2: bf16[1, 18] = k::matmul(%1, %w, none)\n return %2\n}\n",
     .tolerance = 5e-3},
    {.name = "pools",
     .text = "graph g {\n input %x: f32[2, 19, 9, 11]\n"
             " %0: f32[2, 19, 5, 6], %i: i64[2, 19, 5, 6] = k::max_pool(%x, [3, 3], [2, 2], [1, "
             "1], [1, 1], [5, 6])\n"
             " %1: f32[2, 19, 4, 5] = k::avg_pool(%x, [3, 3], [2, 2], [0, 0], 0, [4, 5])\n"
             " %2: f32[2, 19, 1, 1] = k::adaptive_avg_pool(%x, [1, 1])\n return %0, %1, %2\n}\n"},
    {.name = "argmax of a sum, compared",
     .text = "graph g {\n input %x: f32[3, 37]\n input %b: f32[37]\n"
             " %0: f32[3, 37] = k::add(%x, %b)\n %1: i64[3] = k::argmax(%0, [1], false)\n"
             " const %c: i64[] = [5]\n %2: bool[3] = k::lt(%1, %c)\n return %2\n}\n",
     .kernels = 1},
    {.name = "argmin along the first dim, and of everything",
     .text = "graph g {\n symbol s0 in [1, 64]\n input %x: f32[s0, 37]\n"
             " %0: i64[37] = k::argmin(%x, [0], false)\n"
             " %1: f32[s0 * 37] = k::reshape(%x, [s0 * 37])\n"
             " %2: i64[1] = k::argmin(%1, [0], true)\n return %0, %2\n}\n",
     .dims = {{9, 37}},
     .kernels = 2},
    {.name = "running sums of products, scaled",
     .text = "graph g {\n input %x: f32[3, 37]\n input %y: f32[3, 37]\n"
             " %0: f32[3, 37] = k::mul(%x, %y)\n %1: f32[3, 37] = k::cumsum(%0, 1)\n"
             " %2: f32[3, 37] = k::add(%1, %x)\n return %2\n}\n",
     .kernels = 1},
    {.name = "running extremes in columns, and their positions alone in rows",
     .text = "graph g {\n input %x: f32[2, 5, 37]\n %e: f32[2, 5, 37] = k::exp(%x)\n"
             " %0: f32[2, 5, 37], %1: i64[2, 5, 37] = k::cummax(%e, 1)\n"
             " %n: f32[2, 5, 37] = k::neg(%x)\n"
             " %2: f32[2, 5, 37], %3: i64[2, 5, 37] = k::cummin(%n, 2)\n return %0, %1, %3\n}\n",
     .kernels = 2},
    {.name = "top k of a softmax, its values and positions",
     .text = "graph g {\n symbol s0 in [1, 64]\n input %x: f32[s0, 200]\n"
             " %0: f32[s0, 200] = k::softmax(%x, 1)\n"
             " %1: f32[s0, 4], %2: i64[s0, 4] = k::topk(%0, 4, 1, true)\n"
             " %3: f32[s0, 1] = k::reduce_sum(%1, [1], true)\n %4: f32[s0, 4] = k::div(%1, %3)\n"
             " return %4, %2\n}\n",
     .dims = {{7, 200}}},
    {.name = "positions of a sort along the first dim, added to",
     .text = "graph g {\n input %x: f32[70, 3]\n %a: f32[70, 3] = k::abs(%x)\n"
             " %0: f32[70, 3], %1: i64[70, 3] = k::sort(%a, 0, true)\n"
             " %2: i64[70, 3] = k::add(%1, %1)\n return %2\n}\n",
     .kernels = 2},
    {.name = "values of a sort, scaled in its kernel",
     .text = "graph g {\n input %x: f32[3, 70]\n input %w: f32[70]\n"
             " %0: f32[3, 70], %1: i64[3, 70] = k::sort(%x, 1, false)\n"
             " %2: f32[3, 70] = k::mul(%0, %w)\n return %2\n}\n",
     .kernels = 1},
    {.name = "gather of a product's rows, doubled",
     .text = "graph g {\n input %x: f32[5, 37]\n input %i: i64[3, 37]\n"
             " %0: f32[3, 37] = k::gather(%x, %i, 0)\n %1: f32[3, 37] = k::add(%0, %0)\n"
             " return %1\n}\n",
     .kernels = 1},
    {.name = "reflected edges, then repeated ones of the exponential",
     .text = "graph g {\n symbol s0 in [4, 64]\n input %x: f32[2, s0, 7]\n"
             " %0: f32[2, s0 + 5, 9] = k::pad(%x, [0, 2, 1], [0, 3, 1], \"reflect\", 0.0)\n"
             " %1: f32[2, s0, 7] = k::exp(%x)\n"
             " %2: f32[4, s0, 10] = k::pad(%1, [1, 0, 1], [1, 0, 2], \"replicate\", 0.0)\n"
             " %3: f32[2, s0, 15] = k::pad(%x, [0, 0, 7], [0, 0, 1], \"circular\", 0.0)\n"
             " return %0, %2, %3\n}\n",
     .dims = {{2, 9, 7}},
     .kernels = 3},
    {.name = "bilinear image plus another, in its kernel",
     .text = "graph g {\n input %x: f32[2, 19, 5, 7]\n input %y: f32[2, 19, 9, 6]\n"
             " %0: f32[2, 19, 5, 7] = k::relu(%x)\n"
             " %1: f32[2, 19, 9, 6] = k::resize(%0, [9, 6], \"linear\", false, [0.0, 0.0])\n"
             " %2: f32[2, 19, 9, 6] = k::add(%1, %y)\n return %2\n}\n",
     .kernels = 1},
    {.name = "cubic image, and the nearest of positions of a dynamic one",
     .text = "graph g {\n symbol s0 in [1, 64]\n input %x: f32[1, 3, 8, 6]\n"
             " input %y: i64[1, 3, s0]\n"
             " %0: f32[1, 3, 11, 13] = k::resize(%x, [11, 13], \"cubic\", true, [0.0, 0.0])\n"
             " %1: i64[1, 3, 2 * s0] = k::resize(%y, [2 * s0], \"nearest_exact\", false, [2.0])\n"
             " return %0, %1\n}\n",
     .dims = {{1, 3, 8, 6}, {1, 3, 11}},
     .kernels = 2},
    {.name = "pools of rows, and adaptive ones",
     .text = "graph g {\n input %x: f32[2, 19, 11]\n input %y: f32[2, 19, 9, 11]\n"
             " %0: f32[2, 19, 6], %i: i64[2, 19, 6] = k::max_pool(%x, [3], [2], [1], [1], [6])\n"
             " %1: f32[2, 19, 6] = k::avg_pool(%x, [3], [2], [1], 0, [6])\n"
             " %2: f32[2, 19, 4, 7] = k::adaptive_avg_pool(%y, [4, 7])\n"
             " %3: f32[2, 19, 4, 7], %j: i64[2, 19, 4, 7] = k::adaptive_max_pool(%y, [4, 7])\n"
             " return %0, %1, %2, %3\n}\n",
     .kernels = 4},
    {.name = "sums by index in columns, the largest by index in rows",
     .text = "graph g {\n input %x: f32[6, 70]\n input %i: i64[9, 70]\n input %y: f32[9, 70]\n"
             " input %j: i64[5, 4]\n"
             " %0: f32[6, 70] = k::scatter(%x, %i, %y, 0, \"add\")\n"
             " %s: f32[5, 4] = k::slice(%y, [0, 0], [5, 4], [1, 1])\n"
             " %1: f32[6, 70] = k::scatter(%x, %j, %s, 1, \"amax\")\n return %0, %1\n}\n",
     .kernels = 4},
    {.name = "rows multiplied by index, in halves",
     .text = "graph g {\n input %x: bf16[6, 70]\n input %i: i64[9, 1]\n input %y: bf16[9, 70]\n"
             " %j: i64[9, 70] = k::expand(%i, [9, 70])\n"
             " %0: bf16[6, 70] = k::scatter(%x, %j, %y, 0, \"mul\")\n"
             " %1: bf16[6, 70] = k::scatter(%x, %j, %y, 0, \"none\")\n return %0, %1\n}\n",
     .tolerance = 1e-2},
    {.name = "every other row replaced by an exponential",
     .text = "graph g {\n symbol s0 in [1, 64]\n input %x: f32[7, s0]\n input %y: f32[3, s0]\n"
             " %0: f32[3, s0] = k::exp(%y)\n"
             " %1: f32[7, s0] = k::scatter_slice(%x, %0, [1, 0], [2, 1])\n return %1\n}\n",
     .dims = {{7, 19}, {3, 19}},
     .kernels = 3},
};

/* Lists of numbers in place of "@W" (432), "@B" (16), "@V" (256), "@G" (512), "@S" (2352), "@T"
 * (2304) and so on. */
static void expand_constants(const char *text, char *out, size_t capacity) {
    static const struct {
        char name;
        int count;
    } lists[] = {{'W', 432},  {'B', 16},   {'V', 256},  {'G', 512},
                 {'S', 2352}, {'T', 2304}, {'M', 2350}, {'N', 50}};
    size_t used = 0;
    for (; *text; text++) {
        int count = 0;
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
            if (text[0] == '@' && text[1] == lists[i].name)
                count = lists[i].count;
        if (count == 0) {
            assert_true(used + 1 < capacity);
            out[used++] = *text;
            continue;
        }
        text++;
        for (int i = 0; i < count; i++) {
            assert_true(used + 16 < capacity);
            used += (size_t)snprintf(out + used, capacity - used, "%s%.3f", i ? ", " : "[",
                                     (double)((i * 37 + *text) % 101) / 50 - 1);
        }
        out[used++] = ']';
    }
    out[used] = 0;
}

static void run_case(const fusion_case *c, const char *target, uint32_t threads) {
    backend_run compiled, reference;
    static char text[32 << 10];
    expand_constants(c->text, text, sizeof text);
    backend_run_open(&reference, text, NULL, 1);
    backend_run_open(&compiled, text, target, threads);
    if (c->kernels) {
        if (compiled.step_count != c->kernels)
            print_error("%s: %u steps, wanted %u\n", c->name, compiled.step_count, c->kernels);
        assert_int_equal(compiled.step_count, c->kernels);
    }
    for (size_t i = 0; i < tn_engine_input_count(reference.engine); i++) {
        const int64_t *dims = c->dims[i][0] ? c->dims[i] : NULL;
        uint64_t a = 17 + i, b = 17 + i;
        backend_run_set_random(&reference, i, dims, 5, &a);
        backend_run_set_random(&compiled, i, dims, 5, &b);
    }
    backend_run_execute(&reference);
    backend_run_execute(&compiled);
    double tolerance = c->tolerance > 0 ? c->tolerance : 1e-5;
    for (size_t i = 0; i < tn_engine_output_count(reference.engine); i++) {
        double distance = backend_run_distance(&compiled, &reference, i);
        if (!(distance <= tolerance))
            print_error("%s, output %zu on %s: distance %g, wanted at most %g\n", c->name, i,
                        target, distance, tolerance);
        assert_true(distance <= tolerance);
    }
    backend_run_close(&compiled);
    backend_run_close(&reference);
}

static void test_native(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], "native", 1);
}

static void test_two_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], "native", 2);
}

static void test_portable(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], "portable", 1);
}

/* What has no result is an error of the run. */
static void expect_out_of_range(const char *text, const int64_t *dims) {
    backend_run run;
    uint64_t random = 17;
    backend_run_open(&run, text, "native", 1);
    backend_run_set_random(&run, 0, dims, 5, &random);
    tn_status status = tn_context_run(run.context);
    assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
    tn_status_free(status);
    backend_run_close(&run);
}

static void test_errors(void **state) {
    (void)state;
    expect_out_of_range("graph g {\n symbol s0 in [0, 64]\n input %x: f32[s0, 5]\n"
                        " %0: i64[5] = k::argmax(%x, [0], false)\n return %0\n}\n",
                        (const int64_t[]){0, 5});
    expect_out_of_range("graph g {\n symbol s0 in [0, 64]\n input %x: f32[3, s0]\n"
                        " %0: f32[3, 4], %1: i64[3, 4] = k::topk(%x, 4, 1, true)\n"
                        " return %0, %1\n}\n",
                        (const int64_t[]){3, 2});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_portable),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
