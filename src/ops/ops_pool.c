/* ops_pool.c: pooling windows and resizing of 1 to 3 spatial dims. */
#include "ops/op_families.h"

enum { SPATIAL_MAX = 3 };

typedef struct tn_pool {
    tn_value *x;
    uint32_t spatial;
    int64_t kernel[SPATIAL_MAX], stride[SPATIAL_MAX], pad[SPATIAL_MAX], dilation[SPATIAL_MAX];
    bool is_ceil;
    const tn_sym *out_sizes[SPATIAL_MAX];
} tn_pool;

/* One element stands for every spatial dim; no list at all leaves the values as they are. */
static tn_status spatial_list(tn_cv *cv, const char *name, uint32_t spatial,
                              int64_t *inout_values) {
    int64_t values[TN_MAX_RANK];
    uint32_t count = tn_cv_ints(cv, name, values, TN_MAX_RANK);
    if (count != 0 && count != 1 && count != spatial)
        return tn_cv_refuse(cv, "%s has %u elements, accepted are %u", name, count, spatial);
    for (uint32_t i = 0; count && i < spatial; i++)
        inout_values[i] = values[count == 1 ? 0 : i];
    return NULL;
}

/* The number of spatial dims, from the operator's name. */
static uint32_t spatial_of(const tn_cv *cv) {
    tn_str name = cv->node->op->schema->name;
    for (size_t i = 0; i + 1 < name.len; i++)
        if (name.data[i] >= '1' && name.data[i] <= '3' && name.data[i + 1] == 'd')
            return (uint32_t)(name.data[i] - '0');
    return 2;
}

static tn_status check_rank(const tn_cv *cv, const tn_value *x, uint32_t spatial) {
    if (x->type.rank < spatial + 1 || x->type.rank > spatial + 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted are %u and %u", x->type.rank,
                            spatial + 1, spatial + 2);
    return NULL;
}

/* PyTorch's pooling_output_shape: with ceil_mode the last window must begin inside the input or its
 * left padding. */
static const tn_sym *pooled_size(tn_cv *cv, const tn_pool *pool, uint32_t i) {
    tn_syms *syms = cv->kb->graph->syms;
    const tn_sym *size = tn_value_size(pool->x, pool->x->type.rank - pool->spatial + i);
    int64_t stride = pool->stride[i];
    const tn_sym *span =
        tn_sym_addi(syms, size, 2 * pool->pad[i] - pool->dilation[i] * (pool->kernel[i] - 1) - 1);
    const tn_sym *divisor = tn_sym_const(syms, stride);
    if (!pool->is_ceil)
        return tn_sym_addi(syms, tn_sym_floordiv(syms, span, divisor), 1);
    span = tn_sym_addi(syms, span, stride - 1);
    const tn_sym *count = tn_sym_addi(syms, tn_sym_floordiv(syms, span, divisor), 1);
    const tn_sym *last = tn_sym_muli(syms, tn_sym_addi(syms, count, -1), stride);
    const tn_sym *is_outside = tn_sym_le(syms, tn_sym_addi(syms, size, pool->pad[i]), last);
    return tn_sym_sub(syms, count, is_outside);
}

static tn_status read_pool(tn_cv *cv, bool has_dilation, tn_pool *pool) {
    pool->x = tn_cv_tensor(cv, "self");
    pool->spatial = spatial_of(cv);
    pool->is_ceil = tn_cv_bool(cv, "ceil_mode");
    TN_TRY(check_rank(cv, pool->x, pool->spatial));
    for (uint32_t i = 0; i < SPATIAL_MAX; i++)
        pool->kernel[i] = pool->dilation[i] = 1;
    TN_TRY(spatial_list(cv, "kernel_size", pool->spatial, pool->kernel));
    for (uint32_t i = 0; i < SPATIAL_MAX; i++)
        pool->stride[i] = pool->kernel[i];
    TN_TRY(spatial_list(cv, "stride", pool->spatial, pool->stride));
    TN_TRY(spatial_list(cv, "padding", pool->spatial, pool->pad));
    if (has_dilation)
        TN_TRY(spatial_list(cv, "dilation", pool->spatial, pool->dilation));
    for (uint32_t i = 0; i < pool->spatial; i++)
        if (pool->kernel[i] < 1 || pool->stride[i] < 1 || pool->dilation[i] < 1 || pool->pad[i] < 0)
            return tn_cv_refuse(
                cv,
                "kernel %lld, stride %lld, padding %lld, dilation %lld, accepted are "
                "padding from 0, and from 1",
                (long long)pool->kernel[i], (long long)pool->stride[i], (long long)pool->pad[i],
                (long long)pool->dilation[i]);
    for (uint32_t i = 0; i < pool->spatial; i++)
        pool->out_sizes[i] = pooled_size(cv, pool, i);
    return NULL;
}

/* Max pools; the second result, the indices, if the operator has it. */
static tn_status convert_max_pool(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pool pool = {0};
    TN_TRY(read_pool(cv, true, &pool));
    tn_arg args[] = {
        tn_arg_value(0),
        tn_arg_ints(kb, pool.kernel, pool.spatial),
        tn_arg_ints(kb, pool.stride, pool.spatial),
        tn_arg_ints(kb, pool.pad, pool.spatial),
        tn_arg_ints(kb, pool.dilation, pool.spatial),
        tn_arg_syms(kb, pool.out_sizes, pool.spatial),
    };
    tn_value *y = tn_kb_node(kb, TN_PRIM_MAX_POOL, &pool.x, 1, args, sizeof args / sizeof *args);
    tn_cv_set_result(cv, 0, y);
    if (cv->node->result_count > 1)
        tn_cv_set_result(cv, 1, y ? y->def->results[1] : NULL);
    return NULL;
}

static tn_status convert_avg_pool(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_pool pool = {0};
    TN_TRY(read_pool(cv, false, &pool));
    int64_t divisor = tn_cv_bool(cv, "count_include_pad") ? 0 : -1;
    bool has_override = pool.spatial > 1 && !tn_cv_is_none(cv, "divisor_override");
    if (has_override)
        divisor = tn_cv_int(cv, "divisor_override");
    if (has_override && divisor < 1)
        return tn_cv_refuse(cv, "divisor_override is %lld, accepted are from 1",
                            (long long)divisor);
    tn_value *x = pool.x;
    if (divisor == 0 && pool.is_ceil) {
        /* A window that hangs over the right padding counts only what lies inside the padded input.
         */
        const tn_sym *pads[TN_MAX_RANK];
        uint32_t lead = x->type.rank - pool.spatial;
        for (uint32_t d = 0; d < x->type.rank; d++)
            pads[d] = tn_cv_size(cv, d < lead ? 0 : pool.pad[d - lead]);
        x = tn_kb_pad(kb, x, pads, pads, "constant", 0);
        for (uint32_t i = 0; i < pool.spatial; i++)
            pool.pad[i] = 0;
        divisor = -1;
    }
    tn_arg args[] = {
        tn_arg_value(0),
        tn_arg_ints(kb, pool.kernel, pool.spatial),
        tn_arg_ints(kb, pool.stride, pool.spatial),
        tn_arg_ints(kb, pool.pad, pool.spatial),
        tn_arg_int(kb, divisor),
        tn_arg_syms(kb, pool.out_sizes, pool.spatial),
    };
    tn_cv_set_result(cv, 0,
                     tn_kb_node(kb, TN_PRIM_AVG_POOL, &x, 1, args, sizeof args / sizeof *args));
    return NULL;
}

/* adaptive_avg_pool and adaptive_max_pool, whichever prim the entry names. */
static tn_status convert_adaptive(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    uint32_t spatial = spatial_of(cv);
    const tn_sym *sizes[SPATIAL_MAX];
    TN_TRY(check_rank(cv, x, spatial));
    uint32_t count = tn_cv_syms(cv, "output_size", sizes, SPATIAL_MAX);
    if (count != spatial)
        return tn_cv_refuse(cv, "output_size has %u elements, accepted are %u", count, spatial);
    bool is_one = true;
    for (uint32_t i = 0; i < spatial; i++)
        is_one = is_one && tn_sym_is(sizes[i], 1);
    if (is_one && tn_cv_prim(cv) == TN_PRIM_ADAPTIVE_AVG_POOL) {
        uint32_t mask = ((1u << spatial) - 1) << (x->type.rank - spatial);
        tn_cv_set_result(cv, 0, tn_kb_reduce(kb, TN_PRIM_REDUCE_MEAN, x, mask, true));
        return NULL;
    }
    tn_arg args[] = {tn_arg_value(0), tn_arg_syms(kb, sizes, spatial)};
    tn_value *y = tn_kb_node(kb, tn_cv_prim(cv), &x, 1, args, 2);
    tn_cv_set_result(cv, 0, y);
    if (cv->node->result_count > 1)
        tn_cv_set_result(cv, 1, y ? y->def->results[1] : NULL);
    return NULL;
}

/* ---- resizing
 * --------------------------------------------------------------------------------------------- */

typedef struct tn_resize {
    uint32_t spatial;
    const char *mode;
    bool align_corners;
    const tn_sym *sizes[SPATIAL_MAX];
    double scales[SPATIAL_MAX]; /* 0: in / out */
} tn_resize;

/* Output sizes from output_size or, where that is None, floor(size * factor). */
static tn_status resize_sizes(tn_cv *cv, const char *size_name, const char *factors_name,
                              tn_resize *resize) {
    tn_value *x =
        tn_cv_tensor(cv, cv->node->op->schema->params[0].name.data[0] == 'i' ? "input" : "self");
    uint32_t count = tn_cv_syms(cv, size_name, resize->sizes, SPATIAL_MAX);
    if (count != 0 && count != resize->spatial)
        return tn_cv_refuse(cv, "%s has %u elements, accepted are %u", size_name, count,
                            resize->spatial);
    if (!factors_name || tn_cv_is_none(cv, factors_name)) {
        if (count == 0)
            return tn_cv_refuse(cv, "no sizes are given, accepted are %u", resize->spatial);
        return NULL;
    }
    const tn_arg *factors = tn_cv_arg(cv, factors_name);
    if (factors->kind != TN_ARG_FLOATS || factors->count != resize->spatial)
        return tn_cv_refuse(cv, "%s has %u elements, accepted are %u", factors_name, factors->count,
                            resize->spatial);
    for (uint32_t i = 0; i < resize->spatial; i++) {
        const tn_sym *size = tn_value_size(x, x->type.rank - resize->spatial + i);
        double factor = factors->floats[i];
        resize->scales[i] = count ? 0 : factor;
        if (count)
            continue;
        if (tn_sym_is_const(size))
            resize->sizes[i] = tn_cv_size(cv, (int64_t)((double)size->value * factor));
        else if (factor >= 1 && factor == (double)(int64_t)factor)
            resize->sizes[i] = tn_sym_muli(cv->kb->graph->syms, size, (int64_t)factor);
        else
            return tn_cv_refuse(cv,
                                "%s is %g for a size that depends on the input's shape, accepted "
                                "are whole factors",
                                factors_name, factor);
    }
    return NULL;
}

static tn_status emit_resize(tn_cv *cv, tn_value *x, const tn_resize *resize) {
    tn_kb *kb = cv->kb;
    if (x->type.rank != resize->spatial + 2)
        return tn_cv_refuse(cv, "input has rank %u, accepted is %u", x->type.rank,
                            resize->spatial + 2);
    double *scales = tn_arena_alloc(kb->graph->arena, SPATIAL_MAX, sizeof *scales);
    if (!scales)
        return tn_error_out_of_memory();
    for (uint32_t i = 0; i < resize->spatial; i++)
        scales[i] = resize->scales[i];
    tn_arg args[] = {
        tn_arg_value(0),
        tn_arg_syms(kb, resize->sizes, resize->spatial),
        tn_arg_str(resize->mode),
        tn_arg_bool(resize->align_corners),
        {.kind = TN_ARG_FLOATS, .count = resize->spatial, .floats = scales},
    };
    tn_cv_set_result(cv, 0,
                     tn_kb_node(kb, TN_PRIM_RESIZE, &x, 1, args, sizeof args / sizeof *args));
    return NULL;
}

/* "upsample_bilinear2d" and so on: the mode is in the name. */
static const char *resize_mode(const tn_cv *cv) {
    tn_str name = cv->node->op->schema->name;
    if (tn_str_glob(TN_STR("*nearest_exact*"), name))
        return "nearest_exact";
    if (tn_str_glob(TN_STR("*nearest*"), name))
        return "nearest";
    return tn_str_glob(TN_STR("*bicubic*"), name) ? "cubic" : "linear";
}

/* Overloads .vec: sizes or factors as lists. */
static tn_status convert_resize_vec(tn_cv *cv) {
    tn_resize resize = {.spatial = spatial_of(cv), .mode = resize_mode(cv)};
    if (tn_schema_find_param(cv->node->op->schema, TN_STR("align_corners")) >= 0)
        resize.align_corners = tn_cv_bool(cv, "align_corners");
    TN_TRY(resize_sizes(cv, "output_size", "scale_factors", &resize));
    return emit_resize(cv, tn_cv_tensor(cv, "input"), &resize);
}

/* The other overloads: sizes, and factors of their own arguments, which only place the samples. */
static tn_status convert_resize(tn_cv *cv) {
    static const char *const names[SPATIAL_MAX][SPATIAL_MAX] = {
        {"scales"}, {"scales_h", "scales_w"}, {"scales_d", "scales_h", "scales_w"}};
    tn_resize resize = {.spatial = spatial_of(cv), .mode = resize_mode(cv)};
    if (tn_schema_find_param(cv->node->op->schema, TN_STR("align_corners")) >= 0)
        resize.align_corners = tn_cv_bool(cv, "align_corners");
    TN_TRY(resize_sizes(cv, "output_size", NULL, &resize));
    for (uint32_t i = 0; i < resize.spatial; i++) {
        const char *name = names[resize.spatial - 1][i];
        resize.scales[i] = tn_cv_is_none(cv, name) ? 0 : tn_cv_float(cv, name);
    }
    return emit_resize(cv, tn_cv_tensor(cv, "self"), &resize);
}

/* ---- the family
 * ---------------------------------------------------------------------------------------------- */

#define MAX1D                                                                                      \
    "(f32[2,3,8], [2])@batch\n"                                                                    \
    "(f32[2,3,9]{nc}, [3], [2], [1], [1], True)@batch\n"                                           \
    "(f32[3,8], [3], [1], [0], [2])@static\n"                                                      \
    "(bf16[1,1,4], [2])@batch\n"                                                                   \
    "(f32[2,2,5]{nan}, [2], [1])@batch\n"
#define MAX2D                                                                                      \
    "(f32[2,3,8,7], [2,2])@batch\n"                                                                \
    "(f32[2,3,9,9]{nc}, [3,2], [2,1], [1,1], [1,1], True)@batch\n"                                 \
    "(f32[3,8,8], [3,3], [1,2], [0,1], [2,1])@static\n"                                            \
    "(bf16[1,1,4,4], [2])@batch\n"                                                                 \
    "(f32[2,2,5,5]{nan,inf}, [2,2], [1,1])@batch\n"                                                \
    "(f32[0,3,4,4], [2,2])@batch\n"                                                                \
    "(f64[1,2,4,4], [2,2])@batch\n"                                                                \
    "(f16[1,2,6,6], [3,3], [2,2], [1,1])@batch\n"
#define MAX3D                                                                                      \
    "(f32[2,3,4,5,6], [2,2,2])@batch\n"                                                            \
    "(f32[1,2,5,5,5]{nc,nan}, [3,2,2], [2,1,1], [1,1,0], [1,1,2], True)@batch\n"                   \
    "(bf16[1,2,2,2], [2,2,2])@static\n"
#define ADAPTIVE                                                                                   \
    "(f32[2,3,7,8], [3,4])\n"                                                                      \
    "(f32[2,3,7,8]{nc,nan}, [1,1])\n"                                                              \
    "(f32[3,5,5], [2,7])\n"                                                                        \
    "(bf16[1,2,4,4], [2,2])\n"                                                                     \
    "(f64[1,1,1,1], [1,1])\n"                                                                      \
    "(f16[1,2,4,4], [3,3])\n"

static const tn_op_entry entries[] = {
    {"aten::max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], "
     "int[1] dilation=[1], bool ceil_mode=False) -> Tensor",
     convert_max_pool, MAX1D, TN_PRIM_NONE},
    {"aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
     "dilation=1, bool ceil_mode=False) -> Tensor",
     convert_max_pool, MAX2D, TN_PRIM_NONE},
    {"aten::max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] "
     "dilation=1, bool ceil_mode=False) -> Tensor",
     convert_max_pool, MAX3D, TN_PRIM_NONE},
    {"aten::max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] "
     "padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     convert_max_pool, MAX2D, TN_PRIM_NONE},
    {"aten::max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] "
     "padding=0, int[3] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     convert_max_pool, MAX3D, TN_PRIM_NONE},
    {"aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool "
     "ceil_mode=False, bool count_include_pad=True) -> Tensor",
     convert_avg_pool,
     "(f32[2,3,8], [2])@batch\n"
     "(f32[2,3,9]{nc}, [3], [2], [1], True, False)@batch\n"
     "(f32[3,9], [4], [3], [1], True)@static\n"
     "(bf16[1,1,4], [2])@batch\n"
     "(f32[2,2,5]{nan}, [2], [1], [1])@batch\n",
     TN_PRIM_NONE},
    {"aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool "
     "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     convert_avg_pool,
     "(f32[2,3,8,7], [2,2])@batch\n"
     "(f32[2,3,9,9]{nc}, [3,2], [2,2], [1,1], True, False)@batch\n"
     "(f32[3,9,9], [4,3], [3,3], [1,1], True, True)@static\n"
     "(f32[2,3,9,9], [4,3], [3,3], [1,1], True, True)@batch\n"
     "(bf16[1,1,4,4], [2])@batch\n"
     "(f32[2,2,5,5]{nan,inf}, [2,2], [1,1], [1,0])@batch\n"
     "(f32[0,3,4,4], [2,2])@batch\n"
     "(f32[1,2,6,6], [3,3], [2,2], [1,1], False, True, 5)@batch\n"
     "(f64[1,2,4,4], [2,2])@batch\n"
     "(f16[1,2,4,4], [2,2])@batch\n",
     TN_PRIM_NONE},
    {"aten::avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool "
     "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     convert_avg_pool,
     "(f32[2,3,4,5,6], [2,2,2])@batch\n"
     "(f32[1,2,5,5,5]{nc,nan}, [3,2,2], [2,1,2], [1,1,0], True, False)@batch\n"
     "(f32[1,2,2,2], [2,2,2])@static\n",
     TN_PRIM_NONE},
    {"aten::adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", convert_adaptive,
     "(f32[2,3,7], [3])\n"
     "(f32[2,3,8]{nc,nan}, [1])\n"
     "(f32[3,5], [7])\n"
     "(bf16[1,2,4], [2])\n",
     TN_PRIM_ADAPTIVE_AVG_POOL},
    {"aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", convert_adaptive,
     ADAPTIVE, TN_PRIM_ADAPTIVE_AVG_POOL},
    {"aten::_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", convert_adaptive,
     ADAPTIVE, TN_PRIM_ADAPTIVE_AVG_POOL},
    {"aten::adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", convert_adaptive,
     "(f32[2,3,4,5,6], [2,3,4])\n"
     "(f32[2,3,4,5,6]{nc,nan}, [1,1,1])\n"
     "(f32[2,2,2,2], [2,1,2])\n"
     "(bf16[1,1,2,2,2], [1,2,2])\n",
     TN_PRIM_ADAPTIVE_AVG_POOL},
    {"aten::_adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", convert_adaptive,
     "(f32[2,3,4,5,6], [2,3,4])\n"
     "(f32[2,3,4,5,6]{nc,nan}, [1,1,1])\n"
     "(bf16[1,1,2,2,2], [1,2,2])\n",
     TN_PRIM_ADAPTIVE_AVG_POOL},
    {"aten::adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)",
     convert_adaptive,
     "(f32[2,3,7], [3])\n"
     "(f32[2,3,8]{nc}, [1])\n"
     "(f32[3,5], [7])\n"
     "(bf16[1,2,4], [2])\n",
     TN_PRIM_ADAPTIVE_MAX_POOL},
    {"aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)",
     convert_adaptive,
     "(f32[2,3,7,8], [3,4])\n"
     "(f32[2,3,7,8]{nc,nan}, [1,1])\n"
     "(f32[3,5,5], [2,7])\n"
     "(bf16[1,2,4,4], [2,2])\n",
     TN_PRIM_ADAPTIVE_MAX_POOL},
    {"aten::upsample_nearest1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> "
     "Tensor",
     convert_resize_vec,
     "(f32[2,3,5], [8], None)\n"
     "(f32[2,3,5]{nc,nan}, None, [2.0])\n"
     "(bf16[1,1,1], [3], None)\n"
     "(f32[1,2,7], None, [0.6])@batch\n",
     TN_PRIM_NONE},
    {"aten::upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> "
     "Tensor",
     convert_resize_vec,
     "(f32[2,3,5,4], [8,3], None)\n"
     "(f32[2,3,5,4]{nc,nan}, None, [2.0,3.0])\n"
     "(bf16[1,1,1,1], [3,2], None)\n"
     "(f64[1,2,7,7], None, [1.7,0.6])@batch\n",
     TN_PRIM_NONE},
    {"aten::upsample_nearest3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> "
     "Tensor",
     convert_resize_vec,
     "(f32[2,3,2,3,4], [4,5,6], None)\n"
     "(f32[1,2,2,2,2]{nc,nan}, None, [2.0,1.0,3.0])\n",
     TN_PRIM_NONE},
    {"aten::upsample_nearest1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor",
     convert_resize,
     "(f32[2,3,5], [8])\n"
     "(f32[2,3,5]{nc,nan}, [10], 2.0)\n"
     "(bf16[1,1,1], [3])\n",
     TN_PRIM_NONE},
    {"aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? "
     "scales_w=None) -> Tensor",
     convert_resize,
     "(f32[2,3,5,4], [8,3])\n"
     "(f32[2,3,5,4]{nc,nan}, [10,12], 2.0, 3.0)\n"
     "(bf16[1,1,1,1], [3,2])\n",
     TN_PRIM_NONE},
    {"aten::_upsample_nearest_exact1d(Tensor self, SymInt[1] output_size, float? scales=None) -> "
     "Tensor",
     convert_resize,
     "(f32[2,3,5], [8])\n"
     "(f32[2,3,5]{nc,nan}, [10], 2.0)\n"
     "(bf16[1,1,1], [3])\n",
     TN_PRIM_NONE},
    {"aten::_upsample_nearest_exact2d(Tensor self, SymInt[2] output_size, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     convert_resize,
     "(f32[2,3,5,4], [8,3])\n"
     "(f32[2,3,5,4]{nc,nan}, [10,12], 2.0, 3.0)\n"
     "(bf16[1,1,1,1], [3,2])\n",
     TN_PRIM_NONE},
    /* The weights of the samples are rounded elsewhere than in PyTorch. */
    {"aten::upsample_linear1d.vec(Tensor input, SymInt[]? output_size, bool align_corners, "
     "float[]? scale_factors) -> Tensor",
     convert_resize_vec,
     "@atol=2e-6\n"
     "(f32[2,3,5], [8], False, None)\n"
     "(f32[2,3,5]{nc}, None, True, [2.0])\n"
     "(bf16[1,1,1], [3], False, None)\n"
     "(f32[1,2,7], None, False, [1.7])@batch\n",
     TN_PRIM_NONE},
    {"aten::upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, "
     "float[]? scale_factors) -> Tensor",
     convert_resize_vec,
     "@atol=2e-6\n"
     "(f32[2,3,5,4], [8,3], False, None)\n"
     "(f32[2,3,5,4]{nc}, None, True, [2.0,3.0])\n"
     "(bf16[1,1,1,1], [3,2], False, None)\n"
     "(f64[1,2,7,7], None, False, [1.7,0.6])@batch\n"
     "(f32[1,2,4,4], [1,1], True, None)\n",
     TN_PRIM_NONE},
    {"aten::upsample_trilinear3d.vec(Tensor input, SymInt[]? output_size, bool align_corners, "
     "float[]? scale_factors) -> Tensor",
     convert_resize_vec,
     "@atol=2e-6\n"
     "(f32[2,3,2,3,4], [4,5,6], False, None)\n"
     "(f32[1,2,2,2,2]{nc}, None, True, [2.0,1.0,3.0])\n",
     TN_PRIM_NONE},
    {"aten::upsample_linear1d(Tensor self, SymInt[1] output_size, bool align_corners, float? "
     "scales=None) -> Tensor",
     convert_resize,
     "@atol=2e-6\n"
     "(f32[2,3,5], [8], False)\n"
     "(f32[2,3,5]{nc}, [10], True, 2.0)\n"
     "(bf16[1,1,1], [3], False)\n",
     TN_PRIM_NONE},
    {"aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? "
     "scales_h=None, float? scales_w=None) -> Tensor",
     convert_resize,
     "@atol=2e-6\n"
     "(f32[2,3,5,4], [8,3], False)\n"
     "(f32[2,3,5,4]{nc}, [10,12], True, 2.0, 3.0)\n"
     "(bf16[1,1,1,1], [3,2], False)\n"
     "(f32[2,3,5,4], [7,6], False, 1.5, 1.5)\n",
     TN_PRIM_NONE},
    {"aten::upsample_bicubic2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, "
     "float[]? scale_factors) -> Tensor",
     convert_resize_vec,
     "@atol=1e-5\n"
     "(f32[2,3,5,4], [8,3], False, None)\n"
     "(f32[2,3,5,4]{nc}, None, True, [2.0,3.0])\n"
     "(f64[1,2,7,7], None, False, [1.7,0.6])@batch\n",
     TN_PRIM_NONE},
    {"aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? "
     "scales_h=None, float? scales_w=None) -> Tensor",
     convert_resize,
     "@atol=1e-5\n"
     "(f32[2,3,5,4], [8,3], False)\n"
     "(f32[2,3,5,4]{nc}, [10,12], True, 2.0, 3.0)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_pool = {"pool", entries, sizeof entries / sizeof *entries};
