/* prim.h: the kernel IR: a closed set of primitives on tensors, one table.
 *
 * X(enumerator, class, schema). A primitive is an ordinary node whose op has class TN_OP_PRIM and
 * this code. All primitives are functional. Dims are symbolic. Rules common to all:
 *   - `map` primitives broadcast their operands like NumPy (a size-1 dimension stretches, missing
 *     leading dimensions are added); all operands have one dtype, which is the result's, unless
 *     said otherwise.
 *   - bf16, f16 and f8 compute in f32 and round once per primitive; a fused kernel may keep f32
 *     between.
 *   - Integers wrap; integer division by zero gives 0 for integer dtypes; NaN and Inf follow
 *     PyTorch.
 *   - dims count from 0 (converters normalise negative ones).
 */
#ifndef TN_KIR_PRIM_H
#define TN_KIR_PRIM_H

#include "ir/graph.h"

typedef enum tn_prim_class {
    TN_CLASS_MAP,      /* scalar function of broadcast operands */
    TN_CLASS_VIEW,     /* moves elements, computes nothing */
    TN_CLASS_REDUCE,   /* over the dims in `dims` */
    TN_CLASS_SCAN,     /* along one dim */
    TN_CLASS_CREATE,   /* no tensor operands */
    TN_CLASS_INDEX,    /* addresses taken from data */
    TN_CLASS_CONTRACT, /* matmul, convolution, attention */
    TN_CLASS_WINDOW,
    TN_CLASS_NORM,  /* softmax, normalisation */
    TN_CLASS_ORDER, /* sort and its kin */
    TN_CLASS_CALL,  /* computed outside of the engine */
} tn_prim_class;

/* Unary and binary maps. add..fmod: numeric; results have the operands' dtype.
 * floordiv and remainder round to minus infinity (Python), fmod and truncdiv to zero.
 * min and max propagate NaN. Bit operations: integers and bool. Comparisons give bool.
 * select(cond: bool, a, b). cast: float to integer truncates, NaN and out of range as PyTorch's
 * CPU. gelu_* and silu are primitives so that recognisers have a target and kernels a fast form. */
#define TN_PRIM_LIST(X)                                                                            \
    X(TN_PRIM_NEG, MAP, "k::neg(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_ABS, MAP, "k::abs(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_SIGN, MAP, "k::sign(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_SQRT, MAP, "k::sqrt(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_RSQRT, MAP, "k::rsqrt(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_RECIP, MAP, "k::recip(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_EXP, MAP, "k::exp(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_EXPM1, MAP, "k::expm1(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_LOG, MAP, "k::log(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_LOG2, MAP, "k::log2(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_LOG10, MAP, "k::log10(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_LOG1P, MAP, "k::log1p(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_SIN, MAP, "k::sin(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_COS, MAP, "k::cos(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_TAN, MAP, "k::tan(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_ASIN, MAP, "k::asin(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_ACOS, MAP, "k::acos(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_ATAN, MAP, "k::atan(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_SINH, MAP, "k::sinh(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_COSH, MAP, "k::cosh(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_TANH, MAP, "k::tanh(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_ERF, MAP, "k::erf(Tensor x) -> Tensor")                                              \
    X(TN_PRIM_SIGMOID, MAP, "k::sigmoid(Tensor x) -> Tensor")                                      \
    X(TN_PRIM_RELU, MAP, "k::relu(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_SILU, MAP, "k::silu(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_GELU_ERF, MAP, "k::gelu_erf(Tensor x) -> Tensor")                                    \
    X(TN_PRIM_GELU_TANH, MAP, "k::gelu_tanh(Tensor x) -> Tensor")                                  \
    X(TN_PRIM_FLOOR, MAP, "k::floor(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_CEIL, MAP, "k::ceil(Tensor x) -> Tensor")                                            \
    X(TN_PRIM_TRUNC, MAP, "k::trunc(Tensor x) -> Tensor")                                          \
    X(TN_PRIM_ROUND, MAP, "k::round(Tensor x) -> Tensor") /* half to even */                       \
    X(TN_PRIM_NOT, MAP, "k::not(Tensor x) -> Tensor")     /* bitwise; logical on bool */           \
    X(TN_PRIM_ISNAN, MAP, "k::isnan(Tensor x) -> Tensor") /* gives bool */                         \
    X(TN_PRIM_CAST, MAP, "k::cast(Tensor x, ScalarType dtype) -> Tensor")                          \
    X(TN_PRIM_ADD, MAP, "k::add(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_SUB, MAP, "k::sub(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_MUL, MAP, "k::mul(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_DIV, MAP, "k::div(Tensor a, Tensor b) -> Tensor") /* floats */                       \
    X(TN_PRIM_FLOORDIV, MAP, "k::floordiv(Tensor a, Tensor b) -> Tensor")                          \
    X(TN_PRIM_TRUNCDIV, MAP, "k::truncdiv(Tensor a, Tensor b) -> Tensor")                          \
    X(TN_PRIM_REMAINDER, MAP, "k::remainder(Tensor a, Tensor b) -> Tensor")                        \
    X(TN_PRIM_FMOD, MAP, "k::fmod(Tensor a, Tensor b) -> Tensor")                                  \
    X(TN_PRIM_POW, MAP, "k::pow(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_ATAN2, MAP, "k::atan2(Tensor a, Tensor b) -> Tensor")                                \
    X(TN_PRIM_MIN, MAP, "k::min(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_MAX, MAP, "k::max(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_AND, MAP, "k::and(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_OR, MAP, "k::or(Tensor a, Tensor b) -> Tensor")                                      \
    X(TN_PRIM_XOR, MAP, "k::xor(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_SHL, MAP, "k::shl(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_SHR, MAP, "k::shr(Tensor a, Tensor b) -> Tensor")                                    \
    X(TN_PRIM_EQ, MAP, "k::eq(Tensor a, Tensor b) -> Tensor")                                      \
    X(TN_PRIM_NE, MAP, "k::ne(Tensor a, Tensor b) -> Tensor")                                      \
    X(TN_PRIM_LT, MAP, "k::lt(Tensor a, Tensor b) -> Tensor")                                      \
    X(TN_PRIM_LE, MAP, "k::le(Tensor a, Tensor b) -> Tensor")                                      \
    X(TN_PRIM_SELECT, MAP, "k::select(Tensor cond, Tensor a, Tensor b) -> Tensor")                 \
    /* Views. reshape: row-major order, same number of elements. permute: result dim i is operand  \
     * dim order[i]. expand: size-1 dims stretch, leading dims are added. slice: result size       \
     * sizes[d], element i of dim d is operand element starts[d] + i * steps[d], steps >= 1.       \
     * flip: reverses dims. pad: lo and hi per dim, >= 0; mode constant (value), reflect,          \
     * replicate, circular. concat: along dim. */                                                  \
    X(TN_PRIM_RESHAPE, VIEW, "k::reshape(Tensor x, SymInt[] shape) -> Tensor")                     \
    X(TN_PRIM_PERMUTE, VIEW, "k::permute(Tensor x, int[] order) -> Tensor")                        \
    X(TN_PRIM_EXPAND, VIEW, "k::expand(Tensor x, SymInt[] shape) -> Tensor")                       \
    X(TN_PRIM_SLICE, VIEW,                                                                         \
      "k::slice(Tensor x, SymInt[] starts, SymInt[] sizes, int[] steps) -> Tensor")                \
    X(TN_PRIM_FLIP, VIEW, "k::flip(Tensor x, int[] dims) -> Tensor")                               \
    X(TN_PRIM_PAD, VIEW,                                                                           \
      "k::pad(Tensor x, SymInt[] lo, SymInt[] hi, str mode, float value) -> Tensor")               \
    X(TN_PRIM_CONCAT, VIEW, "k::concat(Tensor[] xs, int dim) -> Tensor")                           \
    /* Create. iota: element i along dim `dim` is start + step * i, in dtype (i64, i32, f32, f64). \
     * sym_value: a rank-0 i64 holding a symbolic integer. random: Philox4x32-10, counter =        \
     * element index, key = (seed, stream); kind uniform [0, 1), normal; interp_create.c has the   \
     * exact bits. */                                                                              \
    X(TN_PRIM_IOTA, CREATE,                                                                        \
      "k::iota(SymInt[] shape, int dim, Scalar start, Scalar step, ScalarType dtype) -> Tensor")   \
    X(TN_PRIM_SYM_VALUE, CREATE, "k::sym_value(SymInt value) -> Tensor")                           \
    X(TN_PRIM_RANDOM, CREATE,                                                                      \
      "k::random(SymInt[] shape, str kind, int seed, int stream, ScalarType dtype) -> Tensor")     \
    /* Reductions over dims (sorted); keep_dim leaves size 1. sum, prod, min, max, mean: the       \
     * operand's dtype (integers: i64 for sum and prod). any, all: bool. argmin, argmax: i64, one  \
     * dim, first of equals, NaN wins. var: population variance times n / (n - correction). Empty: \
     * sum 0, prod 1, mean NaN, any 0, all 1; min, max, arg*: an error at run time. */             \
    X(TN_PRIM_REDUCE_SUM, REDUCE, "k::reduce_sum(Tensor x, int[] dims, bool keep_dim) -> Tensor")  \
    X(TN_PRIM_REDUCE_MEAN, REDUCE,                                                                 \
      "k::reduce_mean(Tensor x, int[] dims, bool keep_dim) -> Tensor")                             \
    X(TN_PRIM_REDUCE_PROD, REDUCE,                                                                 \
      "k::reduce_prod(Tensor x, int[] dims, bool keep_dim) -> Tensor")                             \
    X(TN_PRIM_REDUCE_MIN, REDUCE, "k::reduce_min(Tensor x, int[] dims, bool keep_dim) -> Tensor")  \
    X(TN_PRIM_REDUCE_MAX, REDUCE, "k::reduce_max(Tensor x, int[] dims, bool keep_dim) -> Tensor")  \
    X(TN_PRIM_REDUCE_ANY, REDUCE, "k::reduce_any(Tensor x, int[] dims, bool keep_dim) -> Tensor")  \
    X(TN_PRIM_REDUCE_ALL, REDUCE, "k::reduce_all(Tensor x, int[] dims, bool keep_dim) -> Tensor")  \
    X(TN_PRIM_ARGMIN, REDUCE, "k::argmin(Tensor x, int[] dims, bool keep_dim) -> Tensor")          \
    X(TN_PRIM_ARGMAX, REDUCE, "k::argmax(Tensor x, int[] dims, bool keep_dim) -> Tensor")          \
    X(TN_PRIM_REDUCE_VAR, REDUCE,                                                                  \
      "k::reduce_var(Tensor x, int[] dims, bool keep_dim, float correction) -> Tensor")            \
    X(TN_PRIM_CUMSUM, SCAN, "k::cumsum(Tensor x, int dim) -> Tensor")                              \
    X(TN_PRIM_CUMPROD, SCAN, "k::cumprod(Tensor x, int dim) -> Tensor")                            \
    X(TN_PRIM_CUMMAX, SCAN, "k::cummax(Tensor x, int dim) -> (Tensor values, Tensor indices)")     \
    X(TN_PRIM_CUMMIN, SCAN, "k::cummin(Tensor x, int dim) -> (Tensor values, Tensor indices)")     \
    /* recurrent: the cells of recurrent networks along the first dim, from its end if reversed.   \
     * x [T, N, G*H] is the input's part of the G gates, w [H, G*H] makes the hidden state's part, \
     * bias [G*H] is added to that; h and c [N, H] are the states before the first step. cell:     \
     * lstm (gates i f g o), gru (r z n), tanh, relu (one gate). out [T, N, H] holds h after every \
     * step, last [N, H] the final c of an lstm, the final h of the others. Floats; T from 1. */   \
    X(TN_PRIM_RECURRENT, SCAN,                                                                     \
      "k::recurrent(Tensor x, Tensor w, Tensor? bias, Tensor h, Tensor? c, str cell, "             \
      "bool is_reversed) -> (Tensor out, Tensor last)")                                            \
    /* Index. take: result shape x.shape[:dim] + index.shape + x.shape[dim+1:]. gather: like       \
     * torch.gather. scatter: like torch.scatter with src of index's shape, reduce none, add, mul, \
     * amin, amax (include_self); equal indices with none: the last in row-major order wins.       \
     * Indices are i64 or i32, negative ones count from the end, outside is a run-time error.      \
     * scatter_slice: x with the slice (starts, steps, src's sizes) replaced by src. */            \
    X(TN_PRIM_TAKE, INDEX, "k::take(Tensor x, Tensor index, int dim) -> Tensor")                   \
    X(TN_PRIM_GATHER, INDEX, "k::gather(Tensor x, Tensor index, int dim) -> Tensor")               \
    X(TN_PRIM_SCATTER, INDEX,                                                                      \
      "k::scatter(Tensor x, Tensor index, Tensor src, int dim, str reduce) -> Tensor")             \
    X(TN_PRIM_SCATTER_SLICE, INDEX,                                                                \
      "k::scatter_slice(Tensor x, Tensor src, SymInt[] starts, int[] steps) -> Tensor")            \
    /* Contractions accumulate at least in f32 (f64 for f64, i32/i64 for integers). matmul:        \
     * a [B.., M, K], b [B.., K, N], leading dims broadcast; bias broadcasts to the result.        \
     * conv: x [N, C, spatial..], w [O, C/groups, spatial..] (transposed: [C, O/groups,            \
     * spatial..]), bias [O], 1 to 3 spatial dims; pad_lo and pad_hi are zeros before and after    \
     * (may be negative for transposed convolutions). attention: q [B.., H, S, D], k [B.., G, T,   \
     * D], v [B.., G, T, E], H a multiple of G, mask broadcast to [B.., H, S, T]: bool (true:      \
     * attend) or float (added); causal keeps t <= s + causal_offset. Result [B.., H, S, E].       \
     * softmax in f32. A row whose scores are all -inf gives 0, whatever                           \
     * hid them, as PyTorch's SDPA does since 2.5. */                                              \
    X(TN_PRIM_MATMUL, CONTRACT, "k::matmul(Tensor a, Tensor b, Tensor? bias) -> Tensor")           \
    X(TN_PRIM_CONV, CONTRACT,                                                                      \
      "k::conv(Tensor x, Tensor w, Tensor? bias, int[] stride, int[] pad_lo, int[] pad_hi, "       \
      "int[] dilation, int groups, bool transposed, int[] output_padding) -> Tensor")              \
    X(TN_PRIM_ATTENTION, CONTRACT,                                                                 \
      "k::attention(Tensor q, Tensor k, Tensor v, Tensor? mask, float scale, bool is_causal, "     \
      "SymInt causal_offset) -> Tensor")                                                           \
    /* Windows over the trailing len(kernel) dims. max_pool pads with -inf; second result: flat    \
     * index in the unpadded plane. avg_pool divides by the kernel's size (divisor 0; what lies    \
     * beyond the padding is not counted), by the elements inside (divisor -1), or by divisor.     \
     * adaptive_*: windows [floor(i*in/out), ceil((i+1)*in/out)). result sizes are given. resize:  \
     * nearest, nearest_exact, linear (1 to 3 dims), cubic (2 dims); scale 0 means in/out. */      \
    X(TN_PRIM_MAX_POOL, WINDOW,                                                                    \
      "k::max_pool(Tensor x, int[] kernel, int[] stride, int[] pad_lo, int[] dilation, "           \
      "SymInt[] out_sizes) -> (Tensor values, Tensor indices)")                                    \
    X(TN_PRIM_AVG_POOL, WINDOW,                                                                    \
      "k::avg_pool(Tensor x, int[] kernel, int[] stride, int[] pad_lo, int divisor, "              \
      "SymInt[] out_sizes) -> Tensor")                                                             \
    X(TN_PRIM_ADAPTIVE_AVG_POOL, WINDOW,                                                           \
      "k::adaptive_avg_pool(Tensor x, SymInt[] out_sizes) -> Tensor")                              \
    X(TN_PRIM_ADAPTIVE_MAX_POOL, WINDOW,                                                           \
      "k::adaptive_max_pool(Tensor x, SymInt[] out_sizes) -> (Tensor values, Tensor indices)")     \
    X(TN_PRIM_RESIZE, WINDOW,                                                                      \
      "k::resize(Tensor x, SymInt[] out_sizes, str mode, bool align_corners, float[] scales) -> "  \
      "Tensor")                                                                                    \
    /* softmax and log_softmax along dim, in f32. layer_norm, rms_norm over the trailing `dims`    \
     * dims; weight and bias have those dims' shape. */                                            \
    X(TN_PRIM_SOFTMAX, NORM, "k::softmax(Tensor x, int dim) -> Tensor")                            \
    X(TN_PRIM_LOG_SOFTMAX, NORM, "k::log_softmax(Tensor x, int dim) -> Tensor")                    \
    X(TN_PRIM_LAYER_NORM, NORM,                                                                    \
      "k::layer_norm(Tensor x, Tensor? weight, Tensor? bias, int dims, float eps) -> Tensor")      \
    X(TN_PRIM_RMS_NORM, NORM,                                                                      \
      "k::rms_norm(Tensor x, Tensor? weight, int dims, float eps) -> Tensor")                      \
    /* sort: stable; NaN is the greatest. topk: sorted. */                                         \
    X(TN_PRIM_SORT, ORDER,                                                                         \
      "k::sort(Tensor x, int dim, bool descending) -> (Tensor values, Tensor indices)")            \
    X(TN_PRIM_TOPK, ORDER,                                                                         \
      "k::topk(Tensor x, SymInt k, int dim, bool largest) -> (Tensor values, Tensor indices)")     \
    /* call: an operator of the model that the session's executor serves. Its results have the     \
     * types that the model declares; nothing else is known of it but that it writes to no         \
     * operand: it may be random, so equal calls are never joined, folded or moved across one      \
     * another, and only one without uses goes. arguments: JSON, see docs/calls.md; ints: what     \
     * {"int": i} refers to there. */                                                              \
    X(TN_PRIM_CALL, CALL, "k::call(Tensor[] xs, str op, str arguments, SymInt[] ints) -> Tensor[]")

/* The arguments of a TN_PRIM_CALL. */
enum { TN_CALL_OPERANDS, TN_CALL_OP, TN_CALL_ARGUMENTS, TN_CALL_INTS };

typedef enum tn_prim {
    TN_PRIM_NONE = 0,
#define X(enumerator, prim_class, schema) enumerator,
    TN_PRIM_LIST(X)
#undef X
        TN_PRIM_COUNT,
} tn_prim;

/* The table's facts. Thread-safe. */
tn_prim_class tn_prim_class_of(tn_prim prim);
const char *tn_prim_schema(tn_prim prim);
/* "k::add"; not zero terminated. */
tn_str tn_prim_name(tn_prim prim);
/* The primitive of that name ("k::add"), or TN_PRIM_NONE. */
tn_prim tn_prim_from_name(tn_str name);
/* Adds all primitives to a table. */
TN_MUST_USE tn_status tn_prim_table_fill(tn_op_table *table);

/* Facts of dtypes. Thread-safe. */
bool tn_dtype_is_float(tn_dtype dtype);
bool tn_dtype_is_int(tn_dtype dtype); /* bool is none */

static inline tn_prim tn_node_prim(const tn_node *node) {
    return node->op->op_class == TN_OP_PRIM ? (tn_prim)node->op->code : TN_PRIM_NONE;
}

enum { TN_PRIM_RESULTS_MAX = 2 };

/* Result types from operand types and arguments: the one place that knows each primitive's shape
 * and dtype rule (but a call's, whose types are given: TN_INVALID_ARGUMENT); the builder calls it
 * to type a node, the verifier to check one. out_results has room for TN_PRIM_RESULTS_MAX.
 * TN_INVALID_ARGUMENT names primitive, operand, seen and wanted. Where ranges leave open whether
 * two sizes are equal, they are taken to be. */
TN_MUST_USE tn_status tn_prim_infer(tn_syms *syms, tn_prim prim, const tn_type *const *operands,
                                    uint32_t operand_count, const tn_arg *args, uint32_t arg_count,
                                    tn_type *out_results, uint32_t *out_result_count);
/* The verifier's rule for one primitive node. */
TN_MUST_USE tn_status tn_prim_verify(const tn_node *node);

#endif
