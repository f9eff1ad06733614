/* ops_cast.c: changes of dtype; devices, layouts and memory formats do not matter to a graph. */
#include "ops/op_families.h"

static tn_status to_dtype(tn_cv *cv, tn_dtype dtype) {
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, tn_cv_tensor(cv, "self"), dtype));
    return NULL;
}

static tn_status convert_to(tn_cv *cv) {
    return to_dtype(cv, tn_cv_dtype(cv, "dtype", tn_value_dtype(tn_cv_tensor(cv, "self"))));
}

static tn_status convert_type_as(tn_cv *cv) {
    return to_dtype(cv, tn_value_dtype(tn_cv_tensor(cv, "other")));
}

/* copy: src in self's dtype and shape. */
static tn_status convert_copy(tn_cv *cv) {
    tn_value *self = tn_cv_tensor(cv, "self");
    tn_value *src = tn_kb_cast(cv->kb, tn_cv_tensor(cv, "src"), self->type.dtype);
    tn_cv_set_result(cv, 0, tn_cv_expand_as(cv, src, self));
    return NULL;
}

/* No results: what the exporter wrote down is checked once, here. */
static tn_status convert_assert_metadata(tn_cv *cv) {
    const tn_value *a = tn_cv_tensor(cv, "a");
    tn_dtype dtype = tn_cv_dtype(cv, "dtype", a->type.dtype);
    if (dtype != a->type.dtype)
        return tn_cv_refuse(cv, "a is %s, accepted is %s", tn_dtype_name(a->type.dtype),
                            tn_dtype_name(dtype));
    return NULL;
}

/* Ranges of symbolic sizes are checked when the inputs' shapes are bound. */
static tn_status convert_nothing(tn_cv *cv) {
    (void)cv;
    return NULL;
}

#define DTYPES                                                                                     \
    "(f32[2,3], dtype=torch.bfloat16)\n"                                                           \
    "(f32[40]{lo=-9,hi=9}, dtype=torch.int64)\n"                                                   \
    "(f32[40]{nc,nan}, dtype=torch.float16)\n"                                                     \
    "(f32[0], dtype=torch.bool)\n"                                                                 \
    "(f32[9]{few,nan}, dtype=torch.bool)\n"                                                        \
    "(f64[40], dtype=torch.float32)\n"                                                             \
    "(i64[9], dtype=torch.float32)\n"                                                              \
    "(i64[9]{lo=-300,hi=300}, dtype=torch.uint8)\n"                                                \
    "(i64[9]{lo=-300,hi=300}, dtype=torch.int8)\n"                                                 \
    "(bool[9], dtype=torch.float32)\n"                                                             \
    "(bool[9], dtype=torch.int64)\n"                                                               \
    "(bf16[40], dtype=torch.float32)\n"                                                            \
    "(f16[40], dtype=torch.bfloat16)\n"                                                            \
    "(u8[], dtype=torch.int32)\n"                                                                  \
    "(f32[1,2,1,2,1,2,1,2], dtype=torch.float64)\n"                                                \
    "(i32[3], dtype=torch.int16)\n"                                                                \
    "(f32[3], dtype=torch.float32)\n"

static const tn_op_entry entries[] = {
    {"aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, "
     "MemoryFormat? memory_format=None) -> Tensor(a)",
     convert_to, DTYPES, TN_PRIM_NONE},
    {"aten::to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None, bool non_blocking=False, bool copy=False, "
     "MemoryFormat? memory_format=None) -> Tensor(a)",
     convert_to, DTYPES "(f32[2])\n", TN_PRIM_NONE},
    {"aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, "
     "bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
     convert_to,
     "(f32[2,3], device='cpu', dtype=torch.bfloat16)\n"
     "(i64[0], 'cpu', torch.float32)\n"
     "(f32[9]{nc,nan}, 'cpu', torch.float16)\n"
     "(bool[1,2,1,2,1,2,1,2], 'cpu', torch.float64)\n",
     TN_PRIM_NONE},
    {"aten::to.other(Tensor(a) self, Tensor other, bool non_blocking=False, bool copy=False, "
     "MemoryFormat? memory_format=None) -> Tensor(a)",
     convert_type_as,
     "(f32[2,3], bf16[1])\n"
     "(i64[0], f32[2])@static\n"
     "(f32[9]{nc,nan}, f16[])\n"
     "(bool[1,2,1,2,1,2,1,2], f64[1])\n",
     TN_PRIM_NONE},
    {"aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? "
     "memory_format=None) -> Tensor",
     convert_to, DTYPES "(f32[2])\n", TN_PRIM_NONE},
    {"aten::type_as(Tensor self, Tensor other) -> Tensor", convert_type_as,
     "(f32[2,3], bf16[1])\n"
     "(i64[0], f32[2])@static\n"
     "(f32[9]{nc,nan}, f16[])\n"
     "(bool[1,2,1,2,1,2,1,2], f64[1])\n",
     TN_PRIM_NONE},
    {"aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor", convert_copy,
     "(f32[2,3], f32[2,3])\n"
     "(f32[2,3], bf16[3]{nan})\n"
     "(i64[0], i64[1])\n"
     "(f32[2,3]{nc}, i64[])\n"
     "(bf16[1,2,1,2,1,2,1,2], f32[2])\n",
     TN_PRIM_NONE},
    {"aten::_assert_tensor_metadata(Tensor a, SymInt[]? size=None, SymInt[]? stride=None, "
     "ScalarType? dtype=None, *, Device? device=None, Layout? layout=None) -> ()",
     convert_assert_metadata,
     "@shape\n"
     "(f32[2,3], dtype=torch.float32)\n"
     "(i64[0], None, None, torch.int64)\n",
     TN_PRIM_NONE},
    {"aten::_assert_scalar(Scalar self, str assert_msg) -> ()", convert_nothing,
     "@shape\n"
     "(1, 'message')\n"
     "(2, 'message')\n",
     TN_PRIM_NONE},
    {"aten::sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()",
     convert_nothing,
     "@shape\n"
     "(4, min=2)\n"
     "(3)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_cast = {"cast", entries, sizeof entries / sizeof *entries};
