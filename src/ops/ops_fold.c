/* ops_fold.c: windows of images as columns, and back (im2col, col2im; F.unfold and F.fold). */
#include "ops/op_families.h"

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* The windows over one spatial dim. */
typedef struct tn_windows {
    int64_t kernel, dilation, padding, stride;
    const tn_sym *padded; /* size with padding on both sides */
    const tn_sym *count;  /* of windows */
} tn_windows;

/* Reads the arguments; sizes are those of the image, without padding. */
static tn_status read_windows(tn_cv *cv, const tn_sym *const *sizes, tn_windows *out_windows) {
    tn_syms *syms = cv->kb->graph->syms;
    int64_t kernel[2], dilation[2], padding[2], stride[2];
    if (tn_cv_ints(cv, "kernel_size", kernel, 2) != 2 ||
        tn_cv_ints(cv, "dilation", dilation, 2) != 2 ||
        tn_cv_ints(cv, "padding", padding, 2) != 2 || tn_cv_ints(cv, "stride", stride, 2) != 2)
        return tn_cv_refuse(cv, "an argument has not two elements, accepted are two");
    for (uint32_t i = 0; i < 2; i++) {
        if (kernel[i] < 1 || dilation[i] < 1 || padding[i] < 0 || stride[i] < 1)
            return tn_cv_refuse(cv,
                                "kernel_size, dilation, padding and stride are %lld, %lld, "
                                "%lld and %lld, accepted are padding from 0, the others from 1",
                                (long long)kernel[i], (long long)dilation[i], (long long)padding[i],
                                (long long)stride[i]);
        tn_windows w = {kernel[i], dilation[i], padding[i], stride[i], NULL, NULL};
        w.padded = tn_sym_addi(syms, sizes[i], 2 * padding[i]);
        w.count = tn_sym_addi(syms, w.padded, -dilation[i] * (kernel[i] - 1) - 1);
        w.count =
            tn_sym_addi(syms, tn_sym_floordiv(syms, w.count, tn_sym_const(syms, stride[i])), 1);
        out_windows[i] = w;
    }
    return NULL;
}

/* i64 [kernel, count]: where element k of window i lies in the padded dim. */
static tn_value *window_index(tn_cv *cv, const tn_windows *w) {
    tn_kb *kb = cv->kb;
    const tn_sym *rows[2] = {tn_cv_size(cv, w->kernel), tn_cv_size(cv, 1)};
    const tn_sym *columns[2] = {tn_cv_size(cv, 1), w->count};
    return tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, (double)w->dilation),
                      tn_kb_iota(kb, TN_I64, columns, 2, 1, 0, (double)w->stride));
}

/* [N, C, H, W] to [N, C * kernels, windows]; without N too. */
static tn_status convert_im2col(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_windows windows[2];
    uint32_t rank = x->type.rank;
    if (rank != 3 && rank != 4)
        return tn_cv_refuse(cv, "self has rank %u, accepted are 3 and 4", rank);
    TN_TRY(read_windows(cv, &x->type.dims[rank - 2], windows));
    if (rank == 3)
        x = tn_kb_unsqueeze(kb, x, 0);
    const tn_sym *zero = tn_cv_size(cv, 0);
    const tn_sym *pads[4] = {zero, zero, tn_cv_size(cv, windows[0].padding),
                             tn_cv_size(cv, windows[1].padding)};
    x = tn_kb_pad(kb, x, pads, pads, "constant", 0);
    x = tn_kb_take(kb, x, window_index(cv, &windows[0]), 2); /* [N, C, kh, oh, W] */
    x = tn_kb_take(kb, x, window_index(cv, &windows[1]), 4); /* [N, C, kh, oh, kw, ow] */
    static const uint32_t order[] = {0, 1, 2, 4, 3, 5};
    x = tn_kb_permute(kb, x, order);
    x = tn_cv_flatten(cv, tn_cv_flatten(cv, x, 4, 5), 1, 3);
    return set_result(cv, rank == 3 ? tn_kb_squeeze(kb, x, 0) : x);
}

/* [N, C * kernels, windows] to [N, C, H, W]: windows that overlap are added. */
static tn_status convert_col2im(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    tn_value *x = tn_cv_tensor(cv, "self");
    tn_windows windows[2];
    const tn_sym *sizes[2];
    uint32_t rank = x->type.rank;
    if ((rank != 2 && rank != 3) || tn_cv_syms(cv, "output_size", sizes, 2) != 2)
        return tn_cv_refuse(cv, "self has rank %u, accepted are 2 and 3, and two output sizes",
                            rank);
    TN_TRY(read_windows(cv, sizes, windows));
    const tn_windows *down = &windows[0], *across = &windows[1];
    if (rank == 2)
        x = tn_kb_unsqueeze(kb, x, 0);
    const tn_sym *kernels = tn_cv_size(cv, down->kernel * across->kernel);
    const tn_sym *channels = tn_sym_floordiv(syms, tn_value_size(x, 1), kernels);
    const tn_sym *batch = tn_value_size(x, 0);
    /* Row and column of every element of every window in the padded image, then its place. */
    const tn_sym *rows[4] = {tn_cv_size(cv, down->kernel), tn_cv_size(cv, 1), down->count,
                             tn_cv_size(cv, 1)};
    const tn_sym *columns[4] = {tn_cv_size(cv, 1), tn_cv_size(cv, across->kernel),
                                tn_cv_size(cv, 1), across->count};
    tn_value *row = tn_kb_reshape(kb, window_index(cv, down), rows, 4);
    tn_value *column = tn_kb_reshape(kb, window_index(cv, across), columns, 4);
    tn_value *index = tn_kb_map2(kb, TN_PRIM_MUL, row, tn_kb_sym(kb, across->padded));
    index = tn_cv_flatten(cv, tn_kb_map2(kb, TN_PRIM_ADD, index, column), 0, 3);
    const tn_sym *source[3] = {
        batch, channels, tn_sym_mul(syms, kernels, tn_sym_mul(syms, down->count, across->count))};
    const tn_sym *image[3] = {batch, channels, tn_sym_mul(syms, down->padded, across->padded)};
    x = tn_kb_reshape(kb, x, source, 3);
    tn_value *y = tn_kb_full(kb, tn_value_dtype(x), 0, image, 3);
    y = tn_cv_scatter(cv, y, tn_cv_spread_index(cv, index, 2, x), x, 2, "add");
    const tn_sym *planes[4] = {batch, channels, down->padded, across->padded};
    y = tn_kb_reshape(kb, y, planes, 4);
    y = tn_kb_slice(kb, y, 2, tn_cv_size(cv, down->padding), sizes[0], 1);
    y = tn_kb_slice(kb, y, 3, tn_cv_size(cv, across->padding), sizes[1], 1);
    return set_result(cv, rank == 2 ? tn_kb_squeeze(kb, y, 0) : y);
}

static const tn_op_entry entries[] = {
    {"aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] "
     "stride) -> Tensor",
     convert_im2col,
     "(f32[2,3,5,6], [2,3], [1,1], [0,0], [1,1])@static\n"
     "(f32[2,3,5,6]{nc,nan}, [3,3], [1,2], [1,2], [2,1])@static\n"
     "(f32[3,5,6], [1,1], [1,1], [0,0], [1,1])@static\n"
     "(f32[B=2,1,H=5,6], [2,2], [1,1], [1,1], [2,2])\n"
     "(bf16[1,2,3,3], [3,3], [1,1], [0,0], [1,1])@static\n"
     "(f64[1,1,1,1], [1,1], [1,1], [0,0], [1,1])@static\n",
     TN_PRIM_NONE},
    {"aten::col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, "
     "int[2] padding, int[2] stride) -> Tensor",
     convert_col2im,
     "@rtol=1e-5 atol=1e-6\n"
     "(f32[2,12,12], [4,5], [2,2], [1,1], [0,0], [1,1])@static\n"
     "(f32[2,18,9]{nc}, [5,5], [3,3], [1,1], [1,1], [2,2])@static\n"
     "(f32[4,6]{nan1}, [4,4], [2,2], [1,2], [0,0], [1,1])@static\n"
     "(f32[B=2,4,4], [4,4], [2,2], [1,1], [0,0], [2,2])\n"
     "(f64[1,1,1], [1,1], [1,1], [1,1], [0,0], [1,1])@static\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_fold = {"fold", entries, sizeof entries / sizeof *entries};
