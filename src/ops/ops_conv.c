/* ops_conv.c: convolutions of 1 to 3 spatial dims, plain and transposed. */
#include "ops/op_families.h"

enum { SPATIAL_MAX = 3 };

/* Arguments of one convolution, each list with an element per spatial dim. */
typedef struct tn_conv {
    tn_value *x, *w, *bias;
    uint32_t spatial;
    int64_t stride[SPATIAL_MAX], pad_lo[SPATIAL_MAX], pad_hi[SPATIAL_MAX], dilation[SPATIAL_MAX];
    int64_t output_padding[SPATIAL_MAX];
    int64_t groups;
    bool is_transposed;
} tn_conv;

/* A list with one element per spatial dim, or one for all of them. */
static tn_status spatial_list(tn_cv *cv, const char *name, uint32_t spatial, int64_t *out_values) {
    int64_t values[TN_MAX_RANK];
    uint32_t count = tn_cv_ints(cv, name, values, TN_MAX_RANK);
    if (count != spatial && count != 1)
        return tn_cv_refuse(cv, "%s has %u elements, accepted are %u", name, count, spatial);
    for (uint32_t i = 0; i < spatial; i++)
        out_values[i] = values[count == 1 ? 0 : i];
    return NULL;
}

static tn_status read_padding(tn_cv *cv, tn_conv *conv) {
    tn_str text = tn_cv_str(cv, "padding");
    if (tn_cv_arg(cv, "padding")->kind != TN_ARG_STR) {
        TN_TRY(spatial_list(cv, "padding", conv->spatial, conv->pad_lo));
        for (uint32_t i = 0; i < conv->spatial; i++)
            conv->pad_hi[i] = conv->pad_lo[i];
        return NULL;
    }
    bool is_same = tn_str_is(text, "same");
    if (!is_same && !tn_str_is(text, "valid"))
        return tn_cv_refuse(cv, "padding is \"%.*s\", accepted are same and valid",
                            TN_STR_ARG(text));
    for (uint32_t i = 0; i < conv->spatial; i++) {
        const tn_sym *kernel = conv->w->type.dims[2 + i];
        if (is_same && !tn_sym_is_const(kernel))
            return tn_cv_refuse(cv, "the kernel's size depends on the input's shape, accepted is a "
                                    "constant");
        int64_t total = is_same ? conv->dilation[i] * (kernel->value - 1) : 0;
        conv->pad_lo[i] = total / 2;
        conv->pad_hi[i] = total - total / 2;
    }
    return NULL;
}

static tn_status read_operands(tn_cv *cv, tn_conv *conv) {
    conv->x = tn_cv_tensor(cv, "input");
    conv->w = tn_cv_tensor(cv, "weight");
    conv->bias = tn_cv_tensor(cv, "bias");
    uint32_t rank = conv->w->type.rank;
    if (rank < 3 || rank > 2 + SPATIAL_MAX ||
        (conv->x->type.rank != rank && conv->x->type.rank + 1 != rank))
        return tn_cv_refuse(
            cv,
            "input and weight have rank %u and %u, accepted are 3 to 5 of the same, "
            "or an input without the batch",
            conv->x->type.rank, rank);
    if (conv->x->type.dtype != conv->w->type.dtype || !tn_dtype_is_float(conv->x->type.dtype))
        return tn_cv_refuse(cv,
                            "input and weight are %s and %s, accepted are two of one float dtype",
                            tn_dtype_name(conv->x->type.dtype), tn_dtype_name(conv->w->type.dtype));
    conv->spatial = rank - 2;
    return NULL;
}

static tn_status emit(tn_cv *cv, const tn_conv *conv) {
    tn_kb *kb = cv->kb;
    bool is_batched = conv->x->type.rank == conv->w->type.rank;
    tn_value *x = is_batched ? conv->x : tn_kb_unsqueeze(kb, conv->x, 0);
    tn_value *operands[3] = {x, conv->w, conv->bias};
    tn_arg none = {.kind = TN_ARG_NONE};
    tn_arg args[] = {
        tn_arg_value(0),
        tn_arg_value(1),
        conv->bias ? tn_arg_value(2) : none,
        tn_arg_ints(kb, conv->stride, conv->spatial),
        tn_arg_ints(kb, conv->pad_lo, conv->spatial),
        tn_arg_ints(kb, conv->pad_hi, conv->spatial),
        tn_arg_ints(kb, conv->dilation, conv->spatial),
        tn_arg_int(kb, conv->groups),
        tn_arg_bool(conv->is_transposed),
        tn_arg_ints(kb, conv->output_padding, conv->spatial),
    };
    tn_value *y = tn_kb_node(kb, TN_PRIM_CONV, operands, conv->bias ? 3 : 2, args,
                             sizeof args / sizeof *args);
    tn_cv_set_result(cv, 0, is_batched ? y : tn_kb_squeeze(kb, y, 0));
    return NULL;
}

static tn_status convert_conv(tn_cv *cv) {
    tn_conv conv = {.groups = tn_cv_int(cv, "groups")};
    TN_TRY(read_operands(cv, &conv));
    TN_TRY(spatial_list(cv, "stride", conv.spatial, conv.stride));
    TN_TRY(spatial_list(cv, "dilation", conv.spatial, conv.dilation));
    TN_TRY(read_padding(cv, &conv));
    return emit(cv, &conv);
}

static tn_status convert_conv_transpose(tn_cv *cv) {
    tn_conv conv = {.groups = tn_cv_int(cv, "groups"), .is_transposed = true};
    TN_TRY(read_operands(cv, &conv));
    TN_TRY(spatial_list(cv, "stride", conv.spatial, conv.stride));
    TN_TRY(spatial_list(cv, "dilation", conv.spatial, conv.dilation));
    TN_TRY(spatial_list(cv, "output_padding", conv.spatial, conv.output_padding));
    TN_TRY(read_padding(cv, &conv));
    return emit(cv, &conv);
}

static tn_status convert_convolution(tn_cv *cv) {
    tn_conv conv = {.groups = tn_cv_int(cv, "groups"),
                    .is_transposed = tn_cv_bool(cv, "transposed")};
    TN_TRY(read_operands(cv, &conv));
    TN_TRY(spatial_list(cv, "stride", conv.spatial, conv.stride));
    TN_TRY(spatial_list(cv, "dilation", conv.spatial, conv.dilation));
    TN_TRY(spatial_list(cv, "output_padding", conv.spatial, conv.output_padding));
    TN_TRY(read_padding(cv, &conv));
    return emit(cv, &conv);
}

/* ---- the family
 * ------------------------------------------------------------------------------------------ */

/* Sums of many products: the order of the sum differs from PyTorch's. */
#define TOLERANCE "@rtol=1e-5 atol=1e-5\n"
#define CONV1D                                                                                     \
    TOLERANCE                                                                                      \
    "(f32[2,3,8], f32[4,3,3], f32[4])@batch\n"                                                     \
    "(f32[2,3,8]{nc,nan}, f32[4,3,3]{nc})@batch\n"                                                 \
    "(f64[1,1,1], f64[1,1,1], f64[1])@batch\n"                                                     \
    "(bf16[2,4,8], bf16[4,4,3], bf16[4])@batch\n"
#define CONV2D                                                                                     \
    TOLERANCE                                                                                      \
    "(f32[2,3,8,7], f32[4,3,3,2], f32[4])@batch\n"                                                 \
    "(f32[2,3,8,7]{nc}, f32[4,3,3,3]{nc})@batch\n"                                                 \
    "(f32[0,3,4,4], f32[4,3,3,3], f32[4])@batch\n"                                                 \
    "(f32[1,2,5,5]{nan}, f32[2,2,1,1])@batch\n"                                                    \
    "(f64[1,2,4,4], f64[3,2,2,2], f64[3])@batch\n"                                                 \
    "(bf16[2,3,6,6], bf16[4,3,3,3], bf16[4])@batch\n"                                              \
    "(f16[2,3,6,6], f16[4,3,3,3], f16[4])@batch\n"                                                 \
    "(f32[1,1,1,1], f32[1,1,1,1])@batch\n"

static const tn_op_entry entries[] = {
    {"aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] "
     "padding=[0], SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     convert_conv,
     CONV1D "(f32[3,8], f32[4,3,3], f32[4])@static\n"
            "(f32[2,4,9], f32[6,2,3], None, [2], [1], [2], 2)@batch\n"
            "(f16[1,2,5], f16[2,2,2])@batch\n",
     TN_PRIM_NONE},
    {"aten::conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], "
     "str padding=\"valid\", SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     convert_conv,
     CONV1D "(f32[2,4,9], f32[6,2,4], None, [1], 'same', [2], 2)@batch\n"
            "(f32[2,3,8], f32[4,3,3], f32[4], [1], 'valid')@batch\n",
     TN_PRIM_NONE},
    {"aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], "
     "SymInt[2] padding=[0, 0], SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     convert_conv,
     CONV2D "(f32[2,4,9,9], f32[6,2,3,3], f32[6], [2,1], [1,2], [2,1], 2)@batch\n"
            "(f32[1,4,6,6], f32[4,1,3,3], None, [1,1], [1,1], [1,1], 4)@batch\n"
            "(f32[3,5,5], f32[4,3,3,3], f32[4])@static\n",
     TN_PRIM_NONE},
    {"aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, "
     "1], str padding=\"valid\", SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     convert_conv,
     CONV2D "(f32[2,4,9,9], f32[6,2,3,4], f32[6], [1,1], 'same', [2,1], 2)@batch\n"
            "(f32[1,4,6,6], f32[4,1,3,3], None, [1,1], 'valid', [1,1], 4)@batch\n",
     TN_PRIM_NONE},
    {"aten::conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], "
     "SymInt[3] padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
     convert_conv,
     TOLERANCE
     "(f32[2,3,4,5,6], f32[4,3,2,3,3], f32[4])@batch\n"
     "(f32[2,4,4,5,6]{nc,nan}, f32[4,2,2,2,2], None, [2,1,2], [1,0,1], [1,2,1], 2)@batch\n"
     "(bf16[1,1,2,2,2], bf16[1,1,2,2,2])@batch\n"
     "(f64[2,3,3,3], f64[1,2,2,2,2], f64[1])@static\n"
     "(f32[0,3,4,4,4], f32[2,3,2,2,2])@batch\n",
     TN_PRIM_NONE},
    {"aten::conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], "
     "SymInt[1] padding=[0], SymInt[1] output_padding=[0], SymInt groups=1, SymInt[1] "
     "dilation=[1]) -> Tensor",
     convert_conv_transpose,
     TOLERANCE "(f32[2,3,8], f32[3,4,3], f32[4])@batch\n"
               "(f32[2,4,5]{nc,nan}, f32[4,2,3], None, [2], [1], [1], 2, [2])@batch\n"
               "(bf16[1,1,1], bf16[1,1,1])@batch\n"
               "(f64[1,2,4], f64[2,3,2], f64[3], [3])@batch\n"
               "(f32[2,4], f32[2,3,2])@static\n",
     TN_PRIM_NONE},
    {"aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] "
     "stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] output_padding=[0, 0], SymInt groups=1, "
     "SymInt[2] dilation=[1, 1]) -> Tensor",
     convert_conv_transpose,
     TOLERANCE "(f32[2,3,5,4], f32[3,4,3,2], f32[4])@batch\n"
               "(f32[2,4,5,4]{nc,nan}, f32[4,2,3,3], None, [2,1], [1,2], [1,0], 2, [1,2])@batch\n"
               "(bf16[1,2,3,3], bf16[2,2,2,2], bf16[2], [2,2])@batch\n"
               "(f64[1,1,1,1], f64[1,1,1,1])@batch\n"
               "(f16[1,2,3,3], f16[2,2,2,2])@batch\n"
               "(f32[0,3,4,4], f32[3,2,2,2])@batch\n",
     TN_PRIM_NONE},
    {"aten::conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] "
     "stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt "
     "groups=1, SymInt[3] dilation=[1, 1, 1]) -> Tensor",
     convert_conv_transpose,
     TOLERANCE
     "(f32[2,3,3,2,4], f32[3,4,2,3,2], f32[4])@batch\n"
     "(f32[1,2,2,3,2]{nc,nan}, f32[2,1,2,2,2], None, [2,2,2], [1,1,1], [1,1,1], 2)@batch\n"
     "(bf16[1,1,1,1,1], bf16[1,1,2,1,1])@batch\n",
     TN_PRIM_NONE},
    {"aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] "
     "padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> "
     "Tensor",
     convert_convolution,
     TOLERANCE
     "(f32[2,3,8,7], f32[4,3,3,2], f32[4], [1,1], [0,0], [1,1], False, [0,0], 1)@batch\n"
     "(f32[2,4,9,9]{nc,nan}, f32[6,2,3,3], None, [2,1], [1,2], [2,1], False, [0,0], 2)@batch\n"
     "(f32[2,4,9], f32[6,2,3], None, [2], [1], [2], False, [0], 2)@batch\n"
     "(f32[2,3,4,5,6], f32[4,3,2,3,3], f32[4], [1,1,1], [0,1,0], [1,1,1], False, [0,0,0], "
     "1)@batch\n"
     "(f32[2,4,5,4], f32[4,2,3,3], None, [2,1], [1,2], [1,2], True, [1,0], 2)@batch\n"
     "(bf16[2,3,6,6], bf16[4,3,3,3], bf16[4], [1,1], [1,1], [1,1], False, [0,0], 1)@batch\n"
     "(f32[0,3,4,4], f32[4,3,3,3], None, [1,1], [0,0], [1,1], False, [0,0], 1)@batch\n"
     "(f64[1,1,1,1], f64[1,1,1,1], f64[1], [1,1], [0,0], [1,1], False, [0,0], 1)@batch\n"
     "(f16[2,3,6,6], f16[4,3,3,3], f16[4], [1,1], [1,1], [1,1], False, [0,0], 1)@batch\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_conv = {"conv", entries, sizeof entries / sizeof *entries};
