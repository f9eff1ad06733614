/* ops_norm.c: normalisations: over the batch, over trailing dims, over groups of channels. */
#include "ops/op_families.h"

/* The dtype of saved statistics: PyTorch's CPU kernels give the parameters', which may be wider
 * than the input's, but its tracer says the input's. What follows in the model was typed by the
 * latter. */
static tn_dtype saved_dtype(tn_cv *cv) {
    tn_dtype declared = tn_cv_result_type(cv, 1)->dtype;
    if (declared != TN_DTYPE_NONE)
        return declared;
    const tn_value *x = tn_cv_tensor(cv, "input"), *weight = tn_cv_tensor(cv, "weight");
    return weight ? weight->type.dtype : x->type.dtype;
}

/* ---- over the batch
 * ------------------------------------------------------------------------------------- */

/* A vector over the channels (dim 1), shaped to broadcast over x. */
static tn_value *per_channel(tn_cv *cv, tn_value *v, const tn_value *x) {
    const tn_sym *dims[TN_MAX_RANK];
    if (!v)
        return NULL;
    for (uint32_t d = 0; d < x->type.rank; d++)
        dims[d] = d == 1 ? tn_value_size(v, 0) : tn_cv_size(cv, 1);
    return tn_kb_reshape(cv->kb, tn_cv_math(cv, v), dims, x->type.rank);
}

/* x * scale + shift with scale = weight / sqrt(var + eps), shift = bias - mean * scale: the two are
 * constants of an inference, and a convolution before takes them in. */
static tn_value *normalise(tn_cv *cv, tn_value *x, tn_value *mean, tn_value *var, tn_value *weight,
                           tn_value *bias, double eps) {
    tn_kb *kb = cv->kb;
    tn_dtype dtype = tn_value_dtype(x), compute = tn_value_dtype(var);
    tn_value *scale = tn_kb_map1(kb, TN_PRIM_RSQRT,
                                 tn_kb_map2(kb, TN_PRIM_ADD, var, tn_kb_float(kb, compute, eps)));
    if (weight)
        scale = tn_kb_map2(kb, TN_PRIM_MUL, scale, weight);
    tn_value *shift = tn_kb_map2(kb, TN_PRIM_MUL, mean, scale);
    shift = bias ? tn_kb_map2(kb, TN_PRIM_SUB, bias, shift) : tn_kb_map1(kb, TN_PRIM_NEG, shift);
    tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_cast(kb, x, compute), scale);
    return tn_kb_cast(kb, tn_kb_map2(kb, TN_PRIM_ADD, y, shift), dtype);
}

static tn_status batch_norm(tn_cv *cv, const char *x_name) {
    tn_value *x = tn_cv_tensor(cv, x_name);
    tn_value *mean = tn_cv_tensor(cv, "running_mean"), *var = tn_cv_tensor(cv, "running_var");
    if (x->type.rank < 2 || !tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(cv, "input is %s of rank %u, accepted are floats of rank from 2",
                            tn_dtype_name(x->type.dtype), x->type.rank);
    if (!mean || !var)
        return tn_cv_refuse(cv, "running_mean or running_var is None, accepted are tensors");
    tn_value *y = normalise(cv, x, per_channel(cv, mean, x), per_channel(cv, var, x),
                            per_channel(cv, tn_cv_tensor(cv, "weight"), x),
                            per_channel(cv, tn_cv_tensor(cv, "bias"), x), tn_cv_float(cv, "eps"));
    tn_cv_set_result(cv, 0, y);
    return NULL;
}

static tn_status convert_batch_norm(tn_cv *cv) {
    if (tn_cv_bool(cv, "training"))
        return tn_cv_refuse(cv, "training is True, accepted is False (export after model.eval())");
    return batch_norm(cv, "input");
}

/* The saved statistics of the inference form are empty. */
static tn_status convert_batch_norm_no_training(tn_cv *cv) {
    const tn_sym *dims[1] = {tn_cv_size(cv, 0)};
    tn_dtype dtype = saved_dtype(cv);
    TN_TRY(batch_norm(cv, "input"));
    for (uint32_t i = 1; i < 3; i++)
        tn_cv_set_result(cv, i, tn_kb_full(cv->kb, dtype, 0, dims, 1));
    return NULL;
}

/* Mean and population variance over every dim of the mask, kept as 1. */
static void moments(tn_cv *cv, tn_value *x, uint32_t mask, tn_value **out_mean,
                    tn_value **out_var) {
    tn_kb *kb = cv->kb;
    int64_t dims[TN_MAX_RANK];
    uint32_t count = 0;
    for (uint32_t d = 0; d < tn_value_rank(x); d++)
        if (mask >> d & 1)
            dims[count++] = d;
    tn_arg args[] = {tn_arg_value(0), tn_arg_ints(kb, dims, count), tn_arg_bool(true),
                     tn_arg_float(0)};
    *out_mean = tn_kb_reduce(kb, TN_PRIM_REDUCE_MEAN, x, mask, true);
    *out_var = tn_kb_node(kb, TN_PRIM_REDUCE_VAR, &x, 1, args, 4);
}

/* Without running statistics: those of the batch itself (instance_norm decomposes to it). */
static tn_status convert_batch_norm_no_stats(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *input = tn_cv_tensor(cv, "input"), *mean, *var;
    if (input->type.rank < 2 || !tn_dtype_is_float(input->type.dtype))
        return tn_cv_refuse(cv, "input is %s of rank %u, accepted are floats of rank from 2",
                            tn_dtype_name(input->type.dtype), input->type.rank);
    if (!tn_cv_bool(cv, "training"))
        return tn_cv_refuse(cv, "training is False without statistics, accepted is True");
    tn_value *x = tn_cv_math(cv, input);
    double eps = tn_cv_float(cv, "eps");
    moments(cv, x, ((1u << input->type.rank) - 1) & ~2u, &mean, &var);
    tn_value *y = normalise(cv, x, mean, var, per_channel(cv, tn_cv_tensor(cv, "weight"), input),
                            per_channel(cv, tn_cv_tensor(cv, "bias"), input), eps);
    tn_value *rstd =
        tn_kb_map1(kb, TN_PRIM_RSQRT,
                   tn_kb_map2(kb, TN_PRIM_ADD, var, tn_kb_float(kb, tn_value_dtype(x), eps)));
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, input->type.dtype));
    tn_cv_set_result(cv, 1, tn_kb_reshape(kb, mean, &input->type.dims[1], 1));
    tn_cv_set_result(cv, 2, tn_kb_reshape(kb, rstd, &input->type.dims[1], 1));
    return NULL;
}

/* ---- over groups of channels
 * ------------------------------------------------------------------------------ */

/* x [N, C, ...] as [N, groups, C / groups * ...], normalised over the last dim. out_mean and
 * out_rstd, if wanted, are [N, groups]. */
static tn_status group_norm(tn_cv *cv, const char *x_name, int64_t groups, tn_value **out_mean,
                            tn_value **out_rstd) {
    tn_kb *kb = cv->kb;
    tn_value *input = tn_cv_tensor(cv, x_name), *mean, *var;
    if (input->type.rank < 2 || !tn_dtype_is_float(input->type.dtype) || groups < 1)
        return tn_cv_refuse(
            cv,
            "input is %s of rank %u in %lld groups, accepted are floats of rank from "
            "2 in 1 and more",
            tn_dtype_name(input->type.dtype), input->type.rank, (long long)groups);
    tn_value *x = tn_cv_math(cv, input);
    const tn_sym *split[3] = {input->type.dims[0], tn_cv_size(cv, groups), tn_cv_size(cv, -1)};
    double eps = tn_cv_float(cv, "eps");
    tn_syms *syms = kb->graph->syms;
    split[2] = tn_sym_floordiv(syms, input->type.dims[1], split[1]);
    for (uint32_t d = 2; d < input->type.rank; d++)
        split[2] = tn_sym_mul(syms, split[2], input->type.dims[d]);
    x = tn_kb_reshape(kb, x, split, 3);
    moments(cv, x, 4, &mean, &var);
    tn_value *rstd =
        tn_kb_map1(kb, TN_PRIM_RSQRT,
                   tn_kb_map2(kb, TN_PRIM_ADD, var, tn_kb_float(kb, tn_value_dtype(x), eps)));
    tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, x, mean), rstd);
    y = tn_kb_reshape(kb, y, input->type.dims, input->type.rank);
    tn_value *weight = per_channel(cv, tn_cv_tensor(cv, "weight"), input);
    tn_value *bias = per_channel(cv, tn_cv_tensor(cv, "bias"), input);
    if (weight)
        y = tn_kb_map2(kb, TN_PRIM_MUL, y, weight);
    if (bias)
        y = tn_kb_map2(kb, TN_PRIM_ADD, y, bias);
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, input->type.dtype));
    if (out_mean)
        *out_mean = tn_kb_squeeze(kb, mean, 2);
    if (out_rstd)
        *out_rstd = tn_kb_squeeze(kb, rstd, 2);
    return NULL;
}

static tn_status convert_group_norm(tn_cv *cv) {
    return group_norm(cv, "input", tn_cv_int(cv, "num_groups"), NULL, NULL);
}

static tn_status convert_native_group_norm(tn_cv *cv) {
    tn_value *mean, *rstd;
    TN_TRY(group_norm(cv, "input", tn_cv_int(cv, "group"), &mean, &rstd));
    tn_dtype dtype = saved_dtype(cv);
    tn_cv_set_result(cv, 1, tn_kb_cast(cv->kb, mean, dtype));
    tn_cv_set_result(cv, 2, tn_kb_cast(cv->kb, rstd, dtype));
    return NULL;
}

/* Every channel of every sample by itself. */
static tn_status convert_instance_norm(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "input");
    if (!tn_cv_bool(cv, "use_input_stats"))
        return batch_norm(cv, "input");
    if (!tn_value_size(x, 1) || !tn_sym_is_const(x->type.dims[1]))
        return tn_cv_refuse(cv,
                            "the number of channels depends on the input's shape, accepted is a "
                            "constant");
    return group_norm(cv, "input", x->type.dims[1]->value, NULL, NULL);
}

/* ---- over trailing dims
 * ------------------------------------------------------------------------------------- */

static tn_status check_trailing(tn_cv *cv, const tn_value *x, uint32_t *out_count) {
    const tn_sym *shape[TN_MAX_RANK];
    *out_count = tn_cv_syms(cv, "normalized_shape", shape, TN_MAX_RANK);
    if (*out_count == 0 || *out_count > x->type.rank || !tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(
            cv,
            "input is %s of rank %u with %u normalised dims, accepted are floats with "
            "1 to rank",
            tn_dtype_name(x->type.dtype), x->type.rank, *out_count);
    return NULL;
}

/* weight or bias in x's dtype; models in autocast mix them. */
static tn_value *parameter(tn_cv *cv, const char *name, tn_dtype dtype) {
    tn_value *v = tn_cv_tensor(cv, name);
    return v ? tn_kb_cast(cv->kb, v, dtype) : NULL;
}

/* A wider parameter is used as it is: x is then normalised in f32. */
static tn_value *layer_norm(tn_cv *cv, tn_value *x, uint32_t count) {
    tn_dtype compute = x->type.dtype;
    tn_value *weight = tn_cv_tensor(cv, "weight"), *bias = tn_cv_tensor(cv, "bias");
    if ((weight && weight->type.dtype != compute) || (bias && bias->type.dtype != compute))
        compute = TN_F32;
    tn_value *y =
        tn_kb_layer_norm(cv->kb, tn_kb_cast(cv->kb, x, compute), parameter(cv, "weight", compute),
                         parameter(cv, "bias", compute), count, tn_cv_float(cv, "eps"));
    return tn_kb_cast(cv->kb, y, x->type.dtype);
}

static tn_status convert_layer_norm(tn_cv *cv) {
    tn_value *x = tn_cv_tensor(cv, "input");
    uint32_t count;
    TN_TRY(check_trailing(cv, x, &count));
    tn_cv_set_result(cv, 0, layer_norm(cv, x, count));
    return NULL;
}

static tn_status convert_native_layer_norm(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *input = tn_cv_tensor(cv, "input"), *mean, *var;
    uint32_t count;
    TN_TRY(check_trailing(cv, input, &count));
    tn_cv_set_result(cv, 0, layer_norm(cv, input, count));
    tn_value *x = tn_cv_math(cv, input);
    uint32_t lead = input->type.rank - count;
    moments(cv, x, ((1u << count) - 1) << lead, &mean, &var);
    tn_value *rstd =
        tn_kb_map1(kb, TN_PRIM_RSQRT,
                   tn_kb_map2(kb, TN_PRIM_ADD, var,
                              tn_kb_float(kb, tn_value_dtype(x), tn_cv_float(cv, "eps"))));
    tn_dtype dtype = saved_dtype(cv);
    tn_cv_set_result(cv, 1, tn_kb_cast(kb, mean, dtype));
    tn_cv_set_result(cv, 2, tn_kb_cast(kb, rstd, dtype));
    return NULL;
}

/* eps None is the dtype's epsilon; for f16 and bf16 that of f32, in which PyTorch computes. */
static tn_status convert_rms_norm(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "input");
    tn_dtype dtype = x->type.dtype;
    uint32_t count;
    TN_TRY(check_trailing(cv, x, &count));
    double eps = dtype == TN_F64 ? 0x1p-52 : 0x1p-23;
    if (!tn_cv_is_none(cv, "eps"))
        eps = tn_cv_float(cv, "eps");
    tn_cv_set_result(cv, 0, tn_kb_rms_norm(kb, x, parameter(cv, "weight", dtype), count, eps));
    return NULL;
}

/* v * (g / norm(v)), the norm over every dim but one. */
static tn_status weight_norm(tn_cv *cv, tn_value **out_norm) {
    tn_kb *kb = cv->kb;
    tn_value *v = tn_cv_tensor(cv, "v"), *g = tn_cv_tensor(cv, "g");
    int64_t given = tn_cv_int(cv, "dim");
    uint32_t rank = v->type.rank, mask = (1u << rank) - 1;
    if (given != -1)
        mask &= ~(1u << tn_cv_dim(cv, "dim", rank));
    tn_value *x = tn_cv_math(cv, v);
    tn_value *norm = tn_kb_map1(
        kb, TN_PRIM_SQRT,
        tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, tn_kb_map2(kb, TN_PRIM_MUL, x, x), mask, true));
    tn_value *scale = tn_kb_map2(kb, TN_PRIM_DIV, tn_cv_math(cv, g), norm);
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, tn_kb_map2(kb, TN_PRIM_MUL, x, scale), v->type.dtype));
    *out_norm = norm;
    return NULL;
}

static tn_status convert_weight_norm(tn_cv *cv) {
    tn_value *norm;
    return weight_norm(cv, &norm);
}

static tn_status convert_weight_norm_interface(tn_cv *cv) {
    tn_value *norm;
    TN_TRY(weight_norm(cv, &norm));
    tn_cv_set_result(cv, 1, norm);
    return NULL;
}

/* ---- the family
 * ------------------------------------------------------------------------------------------------
 */

/* Sums in another order, then a division by a small number. */
#define TOLERANCE "@rtol=1e-5 atol=1e-5\n"

static const tn_op_entry entries[] = {
    {"aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     convert_batch_norm,
     TOLERANCE
     "(f32[2,3,4,5], f32[3], f32[3], f32[3], f32[3]{lo=1,hi=2}, False, 0.1, 1e-5, False)@batch\n"
     "(f32[2,3]{nc,nan}, None, None, f32[3], f32[3]{lo=1,hi=2}, False, 0.1, 1e-3, False)@batch\n"
     "(f32[0,3,4], f32[3], None, f32[3], f32[3]{lo=1,hi=2}, False, 0.1, 1e-5, True)@batch\n"
     "(bf16[2,3,4,5], bf16[3], bf16[3], bf16[3], bf16[3]{lo=1,hi=2}, False, 0.1, 1e-5, "
     "False)@batch\n"
     "(bf16[2,3,4,5], f32[3], f32[3], f32[3], f32[3]{lo=1,hi=2}, False, 0.1, 1e-5, False)@batch\n"
     "(f64[1,1,1], f64[1], f64[1], f64[1], f64[1]{lo=1,hi=2}, False, 0.1, 1e-5, False)@batch\n"
     "(f32[1,2,1,2,1,2,1,2], f32[2], f32[2], f32[2], f32[2]{lo=1,hi=2}, False, 0.1, 1e-5, "
     "False)@batch\n",
     TN_PRIM_NONE},
    {"aten::_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, "
     "Tensor running_mean, Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, "
     "Tensor)",
     convert_batch_norm_no_training,
     TOLERANCE "(f32[2,3,4,5], f32[3], f32[3], f32[3], f32[3]{lo=1,hi=2}, 0.1, 1e-5)@batch\n"
               "(f32[2,3]{nc,nan}, None, None, f32[3], f32[3]{lo=1,hi=2}, 0.1, 1e-3)@batch\n"
               "(f32[0,3,4], f32[3], None, f32[3], f32[3]{lo=1,hi=2}, 0.1, 1e-5)@batch\n"
               "(bf16[2,3,4,5], bf16[3], bf16[3], bf16[3], bf16[3]{lo=1,hi=2}, 0.1, 1e-5)@batch\n"
               "(f64[1,1,1], f64[1], f64[1], f64[1], f64[1]{lo=1,hi=2}, 0.1, 1e-5)@batch\n",
     TN_PRIM_NONE},
    {"aten::_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool "
     "training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     convert_batch_norm_no_stats,
     TOLERANCE "(f32[2,3,4,5], f32[3], f32[3], True, 0.1, 1e-5)@batch\n"
               "(f32[4,3]{nc,nan}, None, None, True, 0.1, 1e-3)@batch\n"
               "(f64[2,1,3], f64[1], None, True, 0.1, 1e-5)@batch\n",
     TN_PRIM_NONE},
    {"aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? "
     "bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
     convert_layer_norm,
     TOLERANCE "(f32[2,3,8], [8], f32[8], f32[8])@static\n"
               "(f32[2,3,8]{nc,nan}, [3,8])@static\n"
               "(f32[0,8], [8], f32[8], None)@static\n"
               "(f32[B=2,S=3,8], [8], f32[8], f32[8])\n"
               "(bf16[3,40], [40], bf16[40], bf16[40])@static\n"
               "(f16[3,40], [40], f16[40], f16[40])@static\n"
               "(f64[1,2,1,2,1,2,1,4], [4], None, f64[4], 1e-3)@static\n"
               "(bf16[3,40], [40], f32[40], f32[40])@static\n"
               "(f32[4,1], [1])@static\n",
     TN_PRIM_NONE},
    {"aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? "
     "bias, float eps) -> (Tensor, Tensor, Tensor)",
     convert_native_layer_norm,
     TOLERANCE "(f32[2,3,8], [8], f32[8], f32[8], 1e-5)@static\n"
               "(f32[2,3,8]{nc,nan}, [3,8], None, None, 1e-5)@static\n"
               "(f32[B=2,S=3,8], [8], f32[8], f32[8], 1e-12)\n"
               "(bf16[3,40], [40], bf16[40], bf16[40], 1e-5)@static\n"
               "(bf16[3,40], [40], f32[40], f32[40], 1e-5)@static\n"
               "(f64[1,2,1,2,1,2,1,4], [4], None, f64[4], 1e-3)@static\n"
               "(f16[3,40], [40], None, None, 1e-5)@static\n",
     TN_PRIM_NONE},
    {"aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? "
     "eps=None) -> Tensor",
     convert_rms_norm,
     TOLERANCE "(f32[2,3,8], [8], f32[8])@static\n"
               "(f32[2,3,8]{nc,nan}, [3,8], None, 1e-6)@static\n"
               "(f32[0,8], [8], f32[8])@static\n"
               "(f32[B=2,S=3,8], [8], f32[8], 1e-5)\n"
               "(bf16[3,40], [40], bf16[40], 1e-6)@static\n"
               "(f16[3,40], [40], f16[40])@static\n"
               "(f64[1,2,1,2,1,2,1,4], [4])@static\n",
     TN_PRIM_NONE},
    {"aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
     "eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor",
     convert_group_norm,
     TOLERANCE "(f32[2,6,4,5], 3, f32[6], f32[6])@batch\n"
               "(f32[2,4,5]{nc,nan}, 2)@batch\n"
               "(f32[2,6], 1, f32[6], None)@batch\n"
               "(bf16[2,4,3,3], 2, bf16[4], bf16[4])@batch\n"
               "(f64[1,2,1,2,1,2,1,2], 2)@batch\n"
               "(f32[0,4,3], 2)@static\n",
     TN_PRIM_NONE},
    {"aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, "
     "SymInt HxW, int group, float eps) -> (Tensor, Tensor, Tensor)",
     convert_native_group_norm,
     TOLERANCE "(f32[2,6,4,5], f32[6], f32[6], 2, 6, 20, 3, 1e-5)@static\n"
               "(f32[2,4,5]{nan}, None, None, 2, 4, 5, 2, 1e-3)@static\n"
               "(f64[B=2,6,1], f64[6], None, B, 6, 1, 1, 1e-5)\n",
     TN_PRIM_NONE},
    {"aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
     "Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> "
     "Tensor",
     convert_instance_norm,
     TOLERANCE
     "(f32[2,3,4,5], f32[3], f32[3], None, None, True, 0.1, 1e-5, False)@batch\n"
     "(f32[2,3,8]{nc,nan}, None, None, None, None, True, 0.1, 1e-3, False)@batch\n"
     "(f32[2,3,4,5], f32[3], f32[3], f32[3], f32[3]{lo=1,hi=2}, False, 0.1, 1e-5, False)@batch\n"
     "(bf16[1,2,3,3], bf16[2], bf16[2], None, None, True, 0.1, 1e-5, False)@batch\n",
     TN_PRIM_NONE},
    {"aten::_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor", convert_weight_norm,
     TOLERANCE "(f32[4,3,2], f32[4,1,1])\n"
               "(f32[4,3]{nc,nan}, f32[1,3], 1)\n"
               "(f64[2,3], f64[2,1], 0)\n"
               "(bf16[3,4], bf16[3,1], 0)\n",
     TN_PRIM_NONE},
    {"aten::_weight_norm_interface(Tensor v, Tensor g, int dim=0) -> (Tensor, Tensor)",
     convert_weight_norm_interface,
     TOLERANCE "(f32[4,3,2], f32[4,1,1])\n"
               "(f32[4,3]{nan}, f32[1,3], 1)\n"
               "(f64[2,3], f64[2,1], 0)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_norm = {"norm", entries, sizeof entries / sizeof *entries};
