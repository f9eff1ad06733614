/* ops_grid.c: samples of images at positions that data give (torch.nn.functional.grid_sample). */
#include "ops/op_families.h"

typedef struct tn_axis {
    tn_value *position; /* [N, P], in elements of the input's dim */
    tn_value *low;      /* its floor */
    tn_value *size;     /* of the input's dim, rank 0 */
} tn_axis;

static tn_value *map2(tn_cv *cv, tn_prim prim, tn_value *a, tn_value *b) {
    return tn_kb_map2(cv->kb, prim, a, b);
}

static tn_value *number(tn_cv *cv, const tn_value *like, double value) {
    return tn_kb_float(cv->kb, tn_value_dtype(like), value);
}

/* Coordinate i of the grid, from [-1, 1] to positions; the last dim of the grid is x first. */
static tn_axis read_axis(tn_cv *cv, tn_value *grid, uint32_t i, const tn_sym *size, bool is_border,
                         bool is_nearest) {
    tn_kb *kb = cv->kb;
    tn_axis axis;
    tn_value *x = tn_kb_slice(kb, grid, 3, tn_cv_size(cv, i), tn_cv_size(cv, 1), 1);
    const tn_sym *dims[2] = {
        tn_value_size(grid, 0),
        tn_sym_mul(kb->graph->syms, tn_value_size(grid, 1), tn_value_size(grid, 2))};
    x = tn_kb_reshape(kb, x, dims, 2);
    axis.size = tn_kb_cast(kb, tn_kb_sym(kb, size), tn_value_dtype(x));
    tn_value *last = map2(cv, TN_PRIM_SUB, axis.size, number(cv, x, 1));
    x = map2(cv, TN_PRIM_ADD, x, number(cv, x, 1));
    if (tn_cv_bool(cv, "align_corners"))
        x = map2(cv, TN_PRIM_MUL, map2(cv, TN_PRIM_DIV, x, number(cv, x, 2)), last);
    else
        x = map2(cv, TN_PRIM_DIV,
                 map2(cv, TN_PRIM_SUB, map2(cv, TN_PRIM_MUL, x, axis.size), number(cv, x, 1)),
                 number(cv, x, 2));
    if (is_border)
        x = map2(cv, TN_PRIM_MIN, map2(cv, TN_PRIM_MAX, x, number(cv, x, 0)), last);
    axis.position = is_nearest ? tn_kb_map1(kb, TN_PRIM_ROUND, x) : x;
    axis.low = tn_kb_map1(kb, TN_PRIM_FLOOR, axis.position);
    return axis;
}

/* The element `step` beyond low: its weight, 0 outside of the input, and its position within it. */
static tn_value *corner(tn_cv *cv, const tn_axis *axis, int step, tn_value **inout_weight) {
    tn_kb *kb = cv->kb;
    tn_value *at = map2(cv, TN_PRIM_ADD, axis->low, number(cv, axis->low, step));
    tn_value *last = map2(cv, TN_PRIM_SUB, axis->size, number(cv, at, 1));
    tn_value *cut = map2(cv, TN_PRIM_MIN, map2(cv, TN_PRIM_MAX, at, number(cv, at, 0)), last);
    tn_value *distance = tn_kb_map1(kb, TN_PRIM_ABS, map2(cv, TN_PRIM_SUB, axis->position, at));
    tn_value *weight = map2(cv, TN_PRIM_SUB, number(cv, at, 1), distance);
    weight = tn_kb_select(kb, map2(cv, TN_PRIM_EQ, cut, at), weight, number(cv, at, 0));
    *inout_weight = *inout_weight ? map2(cv, TN_PRIM_MUL, *inout_weight, weight) : weight;
    return tn_kb_cast(kb, cut, TN_I64);
}

/* input as [N, C, H * W], taken at one position per sample and output element. */
static tn_value *take_corner(tn_cv *cv, tn_value *flat, const tn_axis *x, const tn_axis *y,
                             int step_x, int step_y, const tn_sym *width) {
    tn_kb *kb = cv->kb;
    tn_value *weight = NULL;
    tn_value *row = corner(cv, y, step_y, &weight), *column = corner(cv, x, step_x, &weight);
    tn_value *index =
        map2(cv, TN_PRIM_ADD, map2(cv, TN_PRIM_MUL, row, tn_kb_sym(kb, width)), column);
    const tn_sym *dims[3] = {tn_value_size(flat, 0), tn_value_size(flat, 1),
                             tn_value_size(index, 1)};
    index = tn_kb_expand(kb, tn_kb_unsqueeze(kb, index, 1), dims, 3);
    return map2(cv, TN_PRIM_MUL, tn_kb_gather(kb, flat, index, 2), tn_kb_unsqueeze(kb, weight, 1));
}

static tn_status convert_grid_sampler(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *input = tn_cv_tensor(cv, "input"), *grid = tn_cv_tensor(cv, "grid");
    int64_t mode = tn_cv_int(cv, "interpolation_mode"), padding = tn_cv_int(cv, "padding_mode");
    if (input->type.rank != 4 || grid->type.rank != 4 || !tn_dtype_is_float(input->type.dtype))
        return tn_cv_refuse(cv, "input is %s of rank %u, accepted are floats of rank 4",
                            tn_dtype_name(input->type.dtype), input->type.rank);
    if (mode < 0 || mode > 1 || padding < 0 || padding > 1)
        return tn_cv_refuse(cv,
                            "interpolation_mode is %lld and padding_mode %lld, accepted are 0 "
                            "(bilinear), 1 (nearest) and 0 (zeros), 1 (border)",
                            (long long)mode, (long long)padding);
    tn_value *positions = tn_cv_math(cv, grid), *sum = NULL;
    const tn_sym *height = input->type.dims[2], *width = input->type.dims[3];
    tn_axis x = read_axis(cv, positions, 0, width, padding == 1, mode == 1);
    tn_axis y = read_axis(cv, positions, 1, height, padding == 1, mode == 1);
    tn_value *flat = tn_cv_flatten(cv, tn_cv_math(cv, input), 2, 3);
    for (int i = 0; i < (mode == 1 ? 1 : 4); i++) {
        tn_value *part = take_corner(cv, flat, &x, &y, i & 1, i >> 1, width);
        sum = sum ? map2(cv, TN_PRIM_ADD, sum, part) : part;
    }
    const tn_sym *dims[4] = {input->type.dims[0], input->type.dims[1], grid->type.dims[1],
                             grid->type.dims[2]};
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, tn_kb_reshape(kb, sum, dims, 4), input->type.dtype));
    return NULL;
}

/* A position on the edge between two samples is rounded elsewhere. */
#define SAMPLES                                                                                    \
    "@rtol=1e-5 atol=1e-5\n"                                                                       \
    "(f32[2,3,5,4], f32[2,3,2,2]{lo=-1.3,hi=1.3}, 0, 0, False)\n"                                  \
    "(f32[2,3,5,4]{nc}, f32[2,3,2,2]{lo=-1.3,hi=1.3}, 0, 1, True)\n"                               \
    "(f32[1,2,4,4], f32[1,3,3,2]{lo=-1.3,hi=1.3}, 1, 0, False)\n"                                  \
    "(f32[1,2,4,4], f32[1,3,3,2]{lo=-1.3,hi=1.3}, 1, 1, True)\n"                                   \
    "(f64[1,1,1,1], f64[1,2,2,2]{lo=-1,hi=1}, 0, 0, False)\n"                                      \
    "(f32[2,3,5,4], f32[2,3,2,2]{lo=-3,hi=3}, 0, 0, True)\n"

static const tn_op_entry entries[] = {
    {"aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     convert_grid_sampler, SAMPLES, TN_PRIM_NONE},
    {"aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, "
     "bool align_corners) -> Tensor",
     convert_grid_sampler, SAMPLES, TN_PRIM_NONE},
};

const tn_op_family tn_ops_grid = {"grid", entries, sizeof entries / sizeof *entries};
