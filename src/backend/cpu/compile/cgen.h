/* cgen.h: how the CPU backend prints C: the writer, and the interface between fusion and the kernel
 * emitters.
 *
 * One engine segment is one translation unit: a prelude (vector types, loads and stores, math),
 * then per kernel some static inline functions and one function of this type, which the runtime's
 * workers call:
 *
 *     void NAME(void *const *buf, const int64_t *sym, int64_t task_begin, int64_t task_end,
 *               void *scratch);
 *
 * buf[i] is the address of the kernel's i-th buffer, sym[i] the value of its i-th symbol,
 * [task_begin, task_end) the caller's share of independent tasks (results must not depend on how
 * tasks are shared out), scratch is 64-byte aligned memory of the calling thread.
 *
 * Fusion meets emitters in functions of the generated C: an emitter is given the *name* of a store
 * function that fusion has printed before, and calls it with the position in its iteration space
 * and a vector of TN_W results in f32 (or the accumulator type); the function applies the pointwise
 * work that follows (bias, residual, activation, cast) and stores. In the same way anchors that
 * stream rows (norms, softmax, pooling, reductions) read through a load function that fusion
 * printed. The compiler inlines both. Emitters of contractions read their operands through plain
 * pointers and strides instead.
 *
 * Kernels must depend on sizes and strides only, never on names or on which weights they read, so
 * that equal layers share one function: fusion compares the printed text without the function's
 * name.
 */
#ifndef TN_CPU_CGEN_H
#define TN_CPU_CGEN_H

#include "ir/graph.h"
#include "kir/interp.h"

/* ---- target ---------------------------------------------------------------------------------- */

/* What the generated code may use. From `--target cpu:x86-64-v3`, `cpu:x86-64-v4` (+amx if named),
 * or the feature bits of this machine for cpu:native. */
typedef struct tn_cpu_target {
    bool has_avx2_fma;
    bool has_avx512;      /* F, BW, DQ, VL, CD */
    bool has_avx512_bf16; /* conversions only; VDPBF16PS is slow here */
    bool has_amx_bf16;
    bool is_portable; /* plain C, no builtins of any machine */
    uint32_t lanes;   /* TN_W: f32 lanes of a vector: 16 (AVX-512), 8 (AVX2 and portable) */
    size_t l1_bytes, l2_bytes; /* of one core; 32 KiB and 1 MiB when unknown */
} tn_cpu_target;

/* ---- writer ---------------------------------------------------------------------------------- */

/* State of one translation unit. Thread-compatible. */
typedef struct tn_cg {
    tn_arena *arena;
    tn_syms *syms;
    const tn_cpu_target *target;
    tn_buf *out;     /* text of the kernel that is being printed */
    uint32_t indent; /* levels of four spaces */
    /* Symbols of the kernel that is being printed, in the order of first use: sym[i]. */
    const tn_sym **kernel_syms;
    size_t kernel_sym_count, kernel_sym_capacity;
    uint32_t parts; /* of tn_cg_part: what the kernels printed so far call */
    bool failed;    /* sticky: an allocation failed */
} tn_cg;

/* Parts of the prelude that only some kernels call; each is a file prelude_PART.c.in. Emitters set
 * the bits, tn_cg_print_parts() prints the parts between prelude and kernels. */
typedef enum tn_cg_part {
    TN_CG_PART_ROWS = 1 << 0,
    TN_CG_PART_ATTENTION = 1 << 1,
    TN_CG_PART_BF16 = 1 << 2,
    TN_CG_PART_AMX = 1 << 3,
    TN_CG_PART_ATTENTION_AMX = 1 << 4, /* with the three before it */
    TN_CG_PART_REDUCE = 1 << 5,
    TN_CG_PART_SCAN = 1 << 6,
    TN_CG_PART_ORDER = 1 << 7,
    TN_CG_PART_RESIZE = 1 << 8,
} tn_cg_part;
void tn_cg_print_parts(uint32_t parts, tn_buf *out);

/* Prints one line, indented; a format ending in "{" opens a block. */
void tn_cg_line(tn_cg *cg, const char *format, ...) TN_PRINTF(2, 3);
/* Closes a block: "}" followed by the text ("", ";", " else {" which opens again). */
void tn_cg_close(tn_cg *cg, const char *after);
/* The C expression of a symbolic integer, parenthesised if it is not atomic: "768", "s0", "(s0 *
 * 12)". Symbols become local names; emitters print tn_cg_declare_syms() at the top of each function
 * that uses any. Lives in the arena; never NULL ("0" after a failure, which is sticky). */
const char *tn_cg_sym(tn_cg *cg, const tn_sym *s);
/* Whether s is known to be a multiple of unit; false after a failure, too. */
bool tn_cg_is_multiple(tn_cg *cg, const tn_sym *s, int64_t unit);
/* A copy of formatted text in the arena; "" after a failure, which is sticky. */
const char *tn_cg_text(tn_cg *cg, const char *format, ...) TN_PRINTF(2, 3);
/* Declares, at the top of a function that has `sym`, every symbol of the kernel so far:
 * "const int64_t s0 = sym[0];". Functions are therefore printed to their own buffer first and
 * appended with tn_cg_end_function(). */
typedef struct tn_cg_function {
    tn_buf body;
    tn_buf *outer;
    uint32_t outer_indent;
    const char *signature;
} tn_cg_function;
/* Between begin and end, lines go into the function's body. */
void tn_cg_begin_function(tn_cg *cg, tn_cg_function *function, const char *signature);
void tn_cg_end_function(tn_cg *cg, tn_cg_function *function);
/* "void NAME(void *const *buf, ...)" of a kernel. */
const char *tn_cg_kernel_signature(tn_cg *cg, const char *name);
/* "float": how an element lies in memory, of a dtype that some class of vectors holds. */
const char *tn_cg_element(tn_dtype dtype);
/* "tn_vf" for 'f' and so on: the vector type of a class (tn_expr_class). */
const char *tn_cg_vector(char class);
/* How many points a box has. */
const tn_sym *tn_cg_points(const tn_cg *cg, uint32_t rank, const tn_sym *const *dims);
/* Declares i0 .. i(rank-1), the position of point `number` (an expression) of a box. */
void tn_cg_indices(tn_cg *cg, uint32_t rank, const tn_sym *const *dims, const char *number);
/* "buf, sym, i0, i1": what the arguments of load and store functions begin with. */
const char *tn_cg_arguments(tn_cg *cg, uint32_t rank);
/* TN_OUT_OF_MEMORY after a sticky failure of the writer, its buffer or its symbols; else NULL. */
TN_MUST_USE tn_status tn_cg_status(const tn_cg *cg);

/* ---- what emitters take and give ------------------------------------------------------------- */

/* A tensor in memory as a kernel addresses it: element at index i.. is at
 * (dtype *)buf[buf] + offset + sum(i * stride), all in elements. */
typedef struct tn_cg_tensor {
    uint32_t buf;
    tn_dtype dtype;
    const tn_sym *offset;
    const tn_sym *strides[TN_MAX_RANK]; /* per dim of the emitter's documented index space */
} tn_cg_tensor;

/* Constant data that a kernel wants in a form of its own (panels, tiles). The emitter fills this;
 * the backend calls pack at compile time and stores the result in the engine; at run time its
 * address is buf[buf]. */
typedef struct tn_cg_pack tn_cg_pack;
struct tn_cg_pack {
    uint32_t buf;
    size_t bytes;
    /* Fills out (bytes of it, zeroed, 64-byte aligned) from the logical weight. Deterministic. */
    void (*pack)(const tn_cg_pack *self, const tn_tensor *weight, void *out);
    int64_t params[8]; /* the emitter's own */
};

/* What an emitter says about the kernel it printed. */
typedef struct tn_cg_kernel {
    const tn_sym *task_count;    /* >= 1 unless the output is empty */
    const tn_sym *scratch_bytes; /* per thread */
    tn_cg_pack packs[2];
    uint32_t pack_count;
} tn_cg_kernel;

/* The index arguments of load and store functions are int64_t, in the order given per emitter;
 * `lanes` is 1..TN_W: how many of the vector's lanes, starting at the last index, are meant. */

/* out[b.., m, n] = sum_k a[b.., m, k] * b[b.., k, n]; store(buf, sym, b.., m, n, lanes, value).
 * Strides of a: batch dims, m, k; of b: batch dims, k, n. When b_is_const, the emitter packs b
 * (which then has no batch dims) and ignores its strides. f32 x f32 or bf16 x bf16, accumulated in
 * f32. */
typedef struct tn_gemm_spec {
    const char *name;
    tn_dtype dtype;
    uint32_t batch_rank;
    const tn_sym *batch[TN_MAX_RANK];
    const tn_sym *m, *n, *k;
    tn_cg_tensor a, b;
    bool b_is_const;
    /* Gated units: the store function gets columns n and n + N/2 together, store(.., m, n, lanes,
     * value, value of n + N/2) for n < N/2; the emitter interleaves them when packing. Only with
     * b_is_const; N/2 is a multiple of TN_W. */
    bool is_paired;
    const char *store;
} tn_gemm_spec;
TN_MUST_USE tn_status tn_emit_gemm(tn_cg *cg, const tn_gemm_spec *spec, tn_cg_kernel *out_kernel);

/* out[n, oy, ox, c] over channels-last data; x indexed [n, y, x, c], and out's lanes run along c:
 * store(buf, sym, n, oy, ox, c, lanes, value). The weight is constant, logical [O, C/groups, KH,
 * KW]. 1-D convolutions arrive with height 1; 3-D and transposed ones do not arrive here. Depthwise
 * (groups == C == O) and other groups included. Sizes may be symbolic, except channels and
 * kernel. */
typedef struct tn_conv_spec {
    const char *name;
    tn_dtype dtype;
    const tn_sym *batch, *in_h, *in_w, *out_h, *out_w;
    int64_t in_c, out_c, groups, kernel_h, kernel_w;
    int64_t stride_h, stride_w, pad_top, pad_left, dilation_h,
        dilation_w; /* pad_bottom, pad_right follow */
    tn_cg_tensor
        x; /* strides: n, y, x, c; the c stride may be other than 1 (a first layer in NCHW) */
    uint32_t weight_buf; /* the pack */
    const char *store;
} tn_conv_spec;
TN_MUST_USE tn_status tn_emit_conv(tn_cg *cg, const tn_conv_spec *spec, tn_cg_kernel *out_kernel);

/* Windows over channels-last data: out[n, oy, ox, c]; load(buf, sym, n, y, x, c, lanes) gives f32
 * lanes along c; store as for convolutions. is_max: else the sum times 1/divisor (divisor 0: kernel
 * size, without what lies beyond the padding; -1: elements inside). is_adaptive: windows are those
 * that cut the image into out_h by out_w parts, and the members after channels are unused. */
typedef struct tn_pool_spec {
    const char *name;
    bool is_max, is_adaptive;
    const tn_sym *batch, *in_h, *in_w, *out_h, *out_w, *channels;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w,
        divisor;
    const char *load, *store;
} tn_pool_spec;
TN_MUST_USE tn_status tn_emit_pool(tn_cg *cg, const tn_pool_spec *spec, tn_cg_kernel *out_kernel);

/* How positions of a result become positions of the operand, as PyTorch's interpolate says. */
typedef enum tn_resize_mode {
    TN_RESIZE_NEAREST,
    TN_RESIZE_NEAREST_EXACT,
    TN_RESIZE_LINEAR,
    TN_RESIZE_CUBIC,
} tn_resize_mode;

/* Resampling of channels-last images; load and store as for windows, but vectors of load and store
 * are of any class where no arithmetic is done (nearest). scale_h, scale_w: result sizes per
 * operand size that replace the quotient of the two sizes; 0: they do not. */
typedef struct tn_resize_spec {
    const char *name;
    tn_resize_mode mode;
    bool align_corners;
    char class; /* of load's vectors */
    const tn_sym *batch, *in_h, *in_w, *out_h, *out_w, *channels;
    double scale_h, scale_w;
    const char *load, *store;
} tn_resize_spec;
TN_MUST_USE tn_status tn_emit_resize(tn_cg *cg, const tn_resize_spec *spec,
                                     tn_cg_kernel *out_kernel);

/* out[b.., h, s, e]; store(buf, sym, b.., h, s, e, lanes, value). Strides: q [b.., h, s, d],
 * k [b.., g, t, d], v [b.., g, t, e], mask [b.., h, s, t] (0 where broadcast). Semantics:
 * k::attention. */
typedef struct tn_attention_spec {
    const char *name;
    tn_dtype dtype;
    uint32_t batch_rank;
    const tn_sym *batch[TN_MAX_RANK];
    const tn_sym *heads, *kv_heads, *s, *t, *d, *e;
    tn_cg_tensor q, k, v, mask;
    bool has_mask; /* mask.dtype is bool or the dtype of a float mask */
    double scale;
    bool is_causal;
    const tn_sym *causal_offset;
    const char *store;
} tn_attention_spec;
TN_MUST_USE tn_status tn_emit_attention(tn_cg *cg, const tn_attention_spec *spec,
                                        tn_cg_kernel *out_kernel);

typedef enum tn_row_kind {
    TN_ROW_SOFTMAX,
    TN_ROW_LOG_SOFTMAX,
    TN_ROW_LAYER_NORM, /* (x - mean) * rsqrt(var + eps); weight and bias are the store function's
                          work */
    TN_ROW_RMS_NORM,   /* x * rsqrt(mean(x^2) + eps) */
} tn_row_kind;

/* Whole rows: outer dims rows.., then n elements: load(buf, sym, i.., j, lanes) gives f32 lanes,
 * store(buf, sym, i.., j, lanes, value). */
typedef struct tn_row_spec {
    const char *name;
    tn_row_kind kind;
    uint32_t outer_rank;
    const tn_sym *outer[TN_MAX_RANK];
    const tn_sym *n;
    double eps;
    const char *load, *store;
} tn_row_spec;
TN_MUST_USE tn_status tn_emit_rows(tn_cg *cg, const tn_row_spec *spec, tn_cg_kernel *out_kernel);

/* out[kept..] is x reduced by prim (REDUCE_*, ARGMIN, ARGMAX). The space of load is the kept dims,
 * then the reduced ones, along the last of which vectors run; or, with lanes_along_kept, all kept
 * dims but one, the reduced ones, and the last kept dim, along which vectors run. store gets the
 * kept dims. */
typedef struct tn_reduce_spec {
    const char *name;
    tn_prim prim;
    char class; /* of load's vectors */
    uint32_t rank, reduced;
    const tn_sym *dims[TN_MAX_RANK];
    bool lanes_along_kept;
    double correction;  /* of REDUCE_VAR */
    bool reports_empty; /* to buf[error_buf]: nothing to choose from */
    uint32_t error_buf;
    const char *load, *store;
} tn_reduce_spec;
TN_MUST_USE tn_status tn_emit_reduce(tn_cg *cg, const tn_reduce_spec *spec,
                                     tn_cg_kernel *out_kernel);

/* Running sums, products, extremes (CUMSUM, CUMPROD, CUMMAX, CUMMIN) along n elements. The space is
 * outer dims, then n, along which vectors run; or outer dims, n, columns, along which vectors run.
 * store or store_indices (of extremes) is NULL where that result is not wanted. */
typedef struct tn_scan_spec {
    const char *name;
    tn_prim prim;
    char class; /* of load's vectors */
    uint32_t outer_rank;
    const tn_sym *outer[TN_MAX_RANK];
    const tn_sym *n, *columns; /* columns: NULL where vectors run along n */
    const char *load, *store, *store_indices;
} tn_scan_spec;
TN_MUST_USE tn_status tn_emit_scan(tn_cg *cg, const tn_scan_spec *spec, tn_cg_kernel *out_kernel);

/* The first k of n elements per row in ascending or descending order, with their positions; stable,
 * NaN the greatest. load is over outer dims and n, both stores over outer dims and k; either may be
 * NULL. */
typedef struct tn_order_spec {
    const char *name;
    char class; /* of load's vectors */
    bool is_descending;
    uint32_t outer_rank;
    const tn_sym *outer[TN_MAX_RANK];
    const tn_sym *n, *k; /* the same for a sort */
    bool reports_excess; /* to buf[error_buf]: k may be larger than n */
    uint32_t error_buf;
    const char *load, *store, *store_indices;
} tn_order_spec;
TN_MUST_USE tn_status tn_emit_order(tn_cg *cg, const tn_order_spec *spec, tn_cg_kernel *out_kernel);

/* out[.., index[i..], ..] = src[i..], for every i of the box dims: the index stands for dim `dim`
 * of out, whose other dims may be larger than the box. combine: what joins the element there and
 * the new one, TN_PRIM_NONE (the last of an equal index stays), ADD, MUL, MIN or MAX. Strides: of
 * out's, index's, src's dims. An index outside is reported to buf[error_buf]. */
typedef struct tn_scatter_spec {
    const char *name;
    tn_prim combine;
    char class;
    uint32_t rank, dim;
    const tn_sym *dims[TN_MAX_RANK];
    const tn_sym *size; /* of out's dim `dim`, at least 1 */
    tn_cg_tensor out, index, src;
    uint32_t error_buf;
} tn_scatter_spec;
TN_MUST_USE tn_status tn_emit_scatter(tn_cg *cg, const tn_scatter_spec *spec,
                                      tn_cg_kernel *out_kernel);

/* ---- prelude
 * ------------------------------------------------------------------------------------- */

/* The text before all kernels: includes nothing but <stdint.h> and <stddef.h>; defines for the
 * target:
 *   TN_W, tn_vf (TN_W floats), tn_vi (TN_W int32), tn_vd (TN_W doubles), tn_vl (TN_W int64);
 *   bool lanes are tn_vi of 0 and -1;
 *   tn_load_<dtype>(const void *element, int64_t stride, int64_t lanes): lanes at p, p + stride,
 *     ... (stride 1: a vector load; 0: a broadcast; lanes < TN_W: masked, the other lanes are 0;
 *     never reads outside), giving tn_vf for f32, bf16, f16, f8*; tn_vd for f64; tn_vl for i64,
 *     u64 and u32; tn_vi for i32, i16, i8, u8, u16; mask tn_vi for bool;
 *   tn_store_<dtype>(void *element, int64_t stride, int64_t lanes, vector): the reverse, rounding
 *     to nearest even;
 *   tn_cast_<from>_<to>(vector) between those four vector types and bool masks, as PyTorch's CPU
 *     casts;
 *   tn_sel_f/i/d/l(mask, a, b); comparisons tn_lt_f(a, b)... give masks;
 *   math on tn_vf: tn_exp_f, tn_log_f, tn_tanh_f, tn_erf_f, tn_sigmoid_f, tn_gelu_erf_f,
 *     tn_gelu_tanh_f, tn_silu_f, tn_sin_f, tn_cos_f, tn_pow_f, tn_rsqrt_f, tn_sqrt_f, ...: one for
 *     every map primitive on f32, named tn_<primitive>_f; and the same names with _d, _i, _l for
 *     the types where the primitive makes sense; tn_gelu_erf_bf16_f for results that become bf16;
 *   tn_hsum_f, tn_hmax_f: horizontal reductions (max propagates NaN).
 * All are static inline. Only the parts marked by the used masks are printed when that saves
 * time. */
TN_MUST_USE tn_status tn_cg_prelude(const tn_cpu_target *target, tn_buf *out);

#endif
