/* ops_create.c: tensors made of sizes and numbers. */
#include "ops/op_families.h"

#include <math.h>

static tn_status set_result(tn_cv *cv, tn_value *value) {
    tn_cv_set_result(cv, 0, value);
    return NULL;
}

/* A Scalar argument's value everywhere. */
static tn_value *filled(tn_cv *cv, const char *name, tn_dtype dtype, const tn_sym *const *dims,
                        uint32_t rank) {
    return tn_kb_expand(cv->kb, tn_cv_operand(cv, name, dtype), dims, rank);
}

/* The dtype that PyTorch gives to a number: bool, i64, or the default float. */
static tn_dtype number_dtype(const tn_cv *cv, const char *name) {
    const tn_arg *arg = tn_cv_arg(cv, name);
    return arg->kind == TN_ARG_BOOL ? TN_BOOL : arg->kind == TN_ARG_INT ? TN_I64 : TN_F32;
}

/* ---- one number everywhere
 * --------------------------------------------------------------------------- */

/* zeros, ones and empty: the entry's prim says which number: none is 0, add is 1. */
static double entry_number(const tn_cv *cv) {
    return tn_cv_prim(cv) == TN_PRIM_ADD ? 1 : 0;
}

static tn_status convert_number(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", TN_F32);
    return set_result(cv, tn_kb_full(cv->kb, dtype, entry_number(cv), dims, rank));
}

static tn_status convert_new_number(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", tn_value_dtype(tn_cv_tensor(cv, "self")));
    return set_result(cv, tn_kb_full(cv->kb, dtype, entry_number(cv), dims, rank));
}

static tn_status convert_number_like(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", x->type.dtype);
    return set_result(cv, tn_kb_full(cv->kb, dtype, entry_number(cv), x->type.dims, x->type.rank));
}

static tn_status convert_full(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", number_dtype(cv, "fill_value"));
    return set_result(cv, filled(cv, "fill_value", dtype, dims, rank));
}

static tn_status convert_new_full(tn_cv *cv) {
    const tn_sym *dims[TN_MAX_RANK];
    uint32_t rank = tn_cv_syms(cv, "size", dims, TN_MAX_RANK);
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", tn_value_dtype(tn_cv_tensor(cv, "self")));
    return set_result(cv, filled(cv, "fill_value", dtype, dims, rank));
}

static tn_status convert_full_like(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", x->type.dtype);
    return set_result(cv, filled(cv, "fill_value", dtype, x->type.dims, x->type.rank));
}

static tn_status convert_fill(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    return set_result(cv, filled(cv, "value", x->type.dtype, x->type.dims, x->type.rank));
}

static tn_status convert_zero(tn_cv *cv) {
    const tn_value *x = tn_cv_tensor(cv, "self");
    return set_result(cv, tn_kb_full(cv->kb, x->type.dtype, 0, x->type.dims, x->type.rank));
}

static tn_status convert_scalar_tensor(tn_cv *cv) {
    return set_result(cv, tn_cv_scalar(cv, "s", tn_cv_dtype(cv, "dtype", TN_F32)));
}

/* ---- sequences
 * ------------------------------------------------------------------------------------------ */

/* start + step * i for i from 0. The integer sequences may begin and end at symbolic sizes. */
static tn_value *int_sequence(tn_cv *cv, tn_dtype dtype, const tn_sym *start, const tn_sym *size,
                              int64_t step) {
    bool is_const = start && tn_sym_is_const(start);
    tn_value *y =
        tn_kb_iota(cv->kb, TN_I64, &size, 1, 0, is_const ? (double)start->value : 0, (double)step);
    if (!is_const)
        y = tn_kb_map2(cv->kb, TN_PRIM_ADD, y, tn_kb_sym(cv->kb, start));
    return tn_kb_cast(cv->kb, y, dtype);
}

static bool is_int_arg(const tn_cv *cv, const char *name) {
    return !name || tn_cv_arg(cv, name)->kind == TN_ARG_INT ||
           tn_cv_arg(cv, name)->kind == TN_ARG_BOOL;
}

static tn_value *float_sequence(tn_cv *cv, tn_dtype dtype, double start, double step,
                                int64_t size) {
    const tn_sym *dims[1] = {tn_cv_size(cv, size)};
    if (dtype == TN_F64 || dtype == TN_F32)
        return tn_kb_iota(cv->kb, dtype, dims, 1, 0, start, step);
    return tn_kb_cast(cv->kb, tn_kb_iota(cv->kb, TN_F32, dims, 1, 0, start, step), dtype);
}

/* start and step NULL: 0 and 1. */
static tn_status arange(tn_cv *cv, const char *start_name, const char *step_name) {
    tn_syms *syms = cv->kb->graph->syms;
    bool is_int = is_int_arg(cv, start_name) && is_int_arg(cv, "end") && is_int_arg(cv, step_name);
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", is_int ? TN_I64 : TN_F32);
    if (is_int) {
        const tn_sym *start = start_name ? tn_cv_sym(cv, start_name) : tn_cv_size(cv, 0);
        int64_t step = step_name ? tn_cv_int(cv, step_name) : 1;
        if (step == 0)
            return tn_cv_refuse(cv, "step is 0, accepted is any other");
        const tn_sym *span = tn_sym_sub(syms, tn_cv_sym(cv, "end"), start);
        if (step < 0)
            span = tn_sym_muli(syms, span, -1);
        span = tn_sym_max(syms, span, tn_cv_size(cv, 0));
        const tn_sym *size = tn_sym_ceildiv(syms, span, tn_cv_size(cv, step < 0 ? -step : step));
        return set_result(cv, int_sequence(cv, dtype, start, size, step));
    }
    double start = start_name ? tn_cv_float(cv, start_name) : 0, end = tn_cv_float(cv, "end");
    double step = step_name ? tn_cv_float(cv, step_name) : 1, size = ceil((end - start) / step);
    if (!(size >= 0 && size < 0x1p40))
        return tn_cv_refuse(cv, "from %g to %g by %g, accepted are finite sequences", start, end,
                            step);
    return set_result(cv, float_sequence(cv, dtype, start, step, (int64_t)size));
}

static tn_status convert_arange(tn_cv *cv) {
    return arange(cv, NULL, NULL);
}

static tn_status convert_arange_start(tn_cv *cv) {
    return arange(cv, "start", NULL);
}

static tn_status convert_arange_step(tn_cv *cv) {
    return arange(cv, "start", "step");
}

/* Like PyTorch's kernel: the first half counts from the start, the second half back from the end,
 * so that both ends are exact. */
static tn_status convert_linspace(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    double start = tn_cv_float(cv, "start"), end = tn_cv_float(cv, "end");
    int64_t steps = tn_cv_int(cv, "steps");
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", TN_F32);
    if (steps < 0)
        return tn_cv_refuse(cv, "steps is %lld, accepted are from 0", (long long)steps);
    if (!tn_dtype_is_float(dtype))
        return tn_cv_refuse(cv, "dtype is %s, accepted are floats", tn_dtype_name(dtype));
    tn_dtype compute = dtype == TN_F64 ? TN_F64 : TN_F32;
    double step = steps > 1 ? (end - start) / (double)(steps - 1) : 0;
    const tn_sym *dims[1] = {tn_cv_size(cv, steps)};
    tn_value *y = tn_kb_iota(kb, compute, dims, 1, 0, start, step);
    if (steps > 1) {
        tn_value *back = tn_kb_iota(kb, compute, dims, 1, 0, (double)(steps - 1), -1);
        back = tn_kb_map2(kb, TN_PRIM_MUL, back, tn_kb_float(kb, compute, step));
        tn_value *from_end = tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_float(kb, compute, end), back);
        tn_value *is_first = tn_kb_map2(kb, TN_PRIM_LT, tn_kb_iota(kb, TN_I64, dims, 1, 0, 0, 1),
                                        tn_kb_int(kb, TN_I64, steps / 2));
        y = tn_kb_select(kb, is_first, y, from_end);
    }
    return set_result(cv, tn_kb_cast(kb, y, dtype));
}

static tn_status eye(tn_cv *cv, const char *columns_name) {
    tn_kb *kb = cv->kb;
    const tn_sym *one = tn_cv_size(cv, 1);
    const tn_sym *rows[2] = {tn_cv_sym(cv, "n"), one},
                 *columns[2] = {one, tn_cv_sym(cv, columns_name)};
    tn_value *row = tn_kb_iota(kb, TN_I64, rows, 2, 0, 0, 1);
    tn_value *column = tn_kb_iota(kb, TN_I64, columns, 2, 1, 0, 1);
    tn_value *is_equal = tn_kb_map2(kb, TN_PRIM_EQ, row, column);
    return set_result(cv, tn_kb_cast(kb, is_equal, tn_cv_dtype(cv, "dtype", TN_F32)));
}

static tn_status convert_eye(tn_cv *cv) {
    return eye(cv, "n");
}

static tn_status convert_eye_m(tn_cv *cv) {
    return eye(cv, "m");
}

/* Indices up to num_classes become rows with a single 1. */
static tn_status convert_one_hot(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "self");
    const tn_sym *classes = tn_cv_sym(cv, "num_classes");
    if (!classes || classes->min < 1)
        return tn_cv_refuse(
            cv, "num_classes is not given, accepted are from 1 (else it depends on data)");
    tn_value *range = tn_kb_iota(kb, TN_I64, &classes, 1, 0, 0, 1);
    tn_value *is_it = tn_kb_map2(kb, TN_PRIM_EQ, tn_kb_unsqueeze(kb, x, x->type.rank), range);
    return set_result(cv, tn_kb_cast(kb, is_it, TN_I64));
}

/* ---- the family
 * --------------------------------------------------------------------------------------------- */

#define NUMBERS                                                                                    \
    "([2,3])\n"                                                                                    \
    "([0,3])\n"                                                                                    \
    "([])\n"                                                                                       \
    "([2], dtype=torch.int64)\n"                                                                   \
    "([2], dtype=torch.bool)\n"                                                                    \
    "([2], dtype=torch.bfloat16)\n"                                                                \
    "([1,2,1,2,1,2,1,2], dtype=torch.float64)\n"                                                   \
    "([2], dtype=torch.float16)\n"                                                                 \
    "([2], dtype=torch.int32)\n"
#define NEW_NUMBERS                                                                                \
    "(f32[4], [2,3])\n"                                                                            \
    "(i64[4]{nc}, [0,3])\n"                                                                        \
    "(bool[4], [])\n"                                                                              \
    "(f32[B=3], [B,2], dtype=torch.int64)\n"                                                       \
    "(f64[1], [1,2,1,2,1,2,1,2])\n"                                                                \
    "(bf16[1], [2])\n"                                                                             \
    "(f16[1], [2])\n"
#define LIKE                                                                                       \
    "(f32[2,3])\n"                                                                                 \
    "(f32[2,3]{nc,nan})\n"                                                                         \
    "(i64[0,3])\n"                                                                                 \
    "(bool[])\n"                                                                                   \
    "(bf16[2], dtype=torch.int32)\n"                                                               \
    "(f64[1,2,1,2,1,2,1,2])\n"                                                                     \
    "(f16[2])\n"                                                                                   \
    "(f32[2], dtype=torch.bool)\n"

static const tn_op_entry entries[] = {
    {"aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_number, NUMBERS, TN_PRIM_NONE},
    {"aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_number, NUMBERS, TN_PRIM_ADD},
    /* Any content will do: zeros here. */
    {"aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_number, "@shape\n" NUMBERS, TN_PRIM_NONE},
    {"aten::empty_strided(SymInt[] size, SymInt[] stride, *, ScalarType? dtype=None, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_number, "@shape\n([2,3], [3,1])\n([0], [1])\n([], [], dtype=torch.int64)\n",
     TN_PRIM_NONE},
    {"aten::empty_permuted(SymInt[] size, int[] physical_layout, *, ScalarType? dtype=None, "
     "Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_number, "@shape\n([2,3], [1,0])\n([0], [0])\n([], [], dtype=torch.int64)\n",
     TN_PRIM_NONE},
    {"aten::new_empty_strided(Tensor self, SymInt[] size, SymInt[] stride, *, ScalarType? "
     "dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_new_number,
     "@shape\n(f32[2], [2,3], [3,1])\n(i64[1], [0], [1])\n(bf16[], [], [], dtype=torch.int64)\n",
     TN_PRIM_NONE},
    {"aten::new_zeros(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_new_number, NEW_NUMBERS, TN_PRIM_NONE},
    {"aten::new_ones(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_new_number, NEW_NUMBERS, TN_PRIM_ADD},
    {"aten::new_empty(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_new_number, "@shape\n" NEW_NUMBERS, TN_PRIM_NONE},
    {"aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_number_like, LIKE, TN_PRIM_NONE},
    {"aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_number_like, LIKE, TN_PRIM_ADD},
    {"aten::empty_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     convert_number_like, "@shape\n" LIKE, TN_PRIM_NONE},
    {"aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_full,
     "([2,3], 1.5)\n"
     "([0,3], 2)\n"
     "([], True)\n"
     "([2], float('-inf'))\n"
     "([2], 3, dtype=torch.float32)\n"
     "([2], 2.7, dtype=torch.int64)\n"
     "([1,2,1,2,1,2,1,2], 2)\n"
     "([2], 0.1, dtype=torch.bfloat16)\n",
     TN_PRIM_NONE},
    {"aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, "
     "Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_new_full,
     "(f32[4], [2,3], 1.5)\n"
     "(i64[4]{nc}, [0,3], 2)\n"
     "(bool[4], [], True)\n"
     "(f32[B=3], [B,2], B, dtype=torch.int64)\n"
     "(bf16[1], [1,2,1,2,1,2,1,2], 0.3)\n",
     TN_PRIM_NONE},
    {"aten::full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) "
     "-> Tensor",
     convert_full_like,
     "(f32[2,3], 1.5)\n"
     "(i64[2,3]{nc}, 7)\n"
     "(bool[0], True)\n"
     "(f32[], 2, dtype=torch.int64)\n"
     "(bf16[1,2,1,2,1,2,1,2]{nan}, 0.3)\n"
     "(f32[2], float('nan'))\n",
     TN_PRIM_NONE},
    {"aten::fill.Scalar(Tensor self, Scalar value) -> Tensor", convert_fill,
     "(f32[2,3], 1.5)\n"
     "(i64[2,3]{nc}, 7)\n"
     "(bool[0], True)\n"
     "(f32[], 2)\n"
     "(bf16[1,2,1,2,1,2,1,2]{nan}, 0.3)\n",
     TN_PRIM_NONE},
    {"aten::fill.Tensor(Tensor self, Tensor value) -> Tensor", convert_fill,
     "(f32[2,3], f32[])\n"
     "(i64[2,3]{nc}, i64[])\n"
     "(bool[0], bool[])\n"
     "(f32[], i64[])\n"
     "(bf16[1,2,1,2,1,2,1,2]{nan}, f32[])\n",
     TN_PRIM_NONE},
    {"aten::zero(Tensor self) -> Tensor", convert_zero,
     "(f32[2,3])\n"
     "(i64[2,3]{nc})\n"
     "(bool[0])\n"
     "(f32[])\n"
     "(bf16[1,2,1,2,1,2,1,2]{nan})\n",
     TN_PRIM_NONE},
    {"aten::scalar_tensor(Scalar s, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_scalar_tensor,
     "(1.5)\n"
     "(2)\n"
     "(True)\n"
     "(float('-inf'))\n"
     "(3, dtype=torch.int64)\n"
     "(0.1, dtype=torch.bfloat16)\n"
     "(1, dtype=torch.bool)\n"
     "(float('nan'), dtype=torch.float64)\n",
     TN_PRIM_NONE},
    {"aten::arange(Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_arange,
     "(5)\n"
     "(0)\n"
     "(2.5)\n"
     "(5, dtype=torch.float32)\n"
     "(5, dtype=torch.int32)\n"
     "(4, dtype=torch.bfloat16)\n"
     "(B)@sym=B:4\n"
     "(4.2, dtype=torch.float64)\n",
     TN_PRIM_NONE},
    {"aten::arange.start(Scalar start, Scalar end, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_arange_start,
     "(2, 5)\n"
     "(5, 5)\n"
     "(0.5, 3)\n"
     "(-3, 2)\n"
     "(2, B)@sym=B:4\n"
     "(B, B+3)@sym=B:4\n"
     "(1, 5, dtype=torch.float16)\n",
     TN_PRIM_NONE},
    {"aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, "
     "Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_arange_step,
     "(2, 9, 2)\n"
     "(9, 2, -2)\n"
     "(0, 1, 0.25)\n"
     "(1, 0, -0.3)\n"
     "(5, 5, 1)\n"
     "(0, B, 3)@sym=B:7\n"
     "(0, 7)\n"
     "(0, 2, 0.5, dtype=torch.float64)\n"
     "(0, 9, 2, dtype=torch.float32)\n",
     TN_PRIM_NONE},
    {"aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     convert_linspace,
     "@rtol=1e-6 atol=1e-6\n"
     "(0, 1, 5)\n"
     "(-1.0, 1.0, 8)\n"
     "(3, 3, 4)\n"
     "(0, 1, 1)\n"
     "(0, 1, 0)\n"
     "(5, -5, 7, dtype=torch.float64)\n"
     "(0, 1, 9, dtype=torch.bfloat16)\n"
     "(0, 10, 100)\n",
     TN_PRIM_NONE},
    {"aten::eye(SymInt n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None) -> Tensor",
     convert_eye,
     "(3)\n"
     "(0)\n"
     "(2, dtype=torch.int64)\n"
     "(1, dtype=torch.bfloat16)\n"
     "(B)@sym=B:3\n",
     TN_PRIM_NONE},
    {"aten::eye.m(SymInt n, SymInt m, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     convert_eye_m,
     "(3, 4)\n"
     "(0, 2)\n"
     "(4, 2, dtype=torch.bool)\n",
     TN_PRIM_NONE},
    {"aten::one_hot(Tensor self, int num_classes=-1) -> Tensor", convert_one_hot,
     "(i64[3]{lo=0,hi=4}, 5)\n"
     "(i64[2,3]{lo=0,hi=4,nc}, 7)\n"
     "(i64[]{lo=0,hi=1}, 2)\n"
     "(i64[0], 4)\n"
     "(i64[1,2,1,2,1,2,1]{lo=0,hi=1}, 3)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_create = {"create", entries, sizeof entries / sizeof *entries};
