/* program.h: what an engine executes: flat arrays of fixed-size records that refer to each other by
 * index. The compiler fills them, the engine file stores them as they are, the runtime uses them in
 * place after verifying every index once.
 *
 * Sizes are values of the *shape program*: a list of instructions over int64, evaluated from first
 * to last when a context's input shapes change (those that depend on a call's results, when it has
 * been made); value i is the result of instruction i. Constants,
 * symbols and expressions are all values, so every size, stride, offset and count in the records is
 * one index.
 *
 * Records are little-endian, naturally aligned, without padding holes, and only ever grow at the
 * end (a section stores its record size, so that older and newer files of one minor version apart
 * are read).
 */
#ifndef TN_ENGINE_PROGRAM_H
#define TN_ENGINE_PROGRAM_H

#include "base/str.h"

/* Index of a record; TN_NO_INDEX stands for none. */
#define TN_NO_INDEX UINT32_MAX

/* Text: a range of the string section; a zero byte follows it. */
typedef struct tn_rec_str {
    uint32_t offset, len;
} tn_rec_str;

/* A range of another record array. */
typedef struct tn_rec_range {
    uint32_t first, count;
} tn_rec_range;

typedef enum tn_shape_op {
    TN_SHAPE_CONST = 0, /* value */
    TN_SHAPE_INPUT = 1, /* size of dim b of input a */
    TN_SHAPE_ADD = 2,   /* a + b; overflow is an error, as everywhere here */
    TN_SHAPE_MUL = 3,
    TN_SHAPE_FLOORDIV = 4, /* a divisor of 0 is an error */
    TN_SHAPE_MOD = 5,
    TN_SHAPE_MIN = 6,
    TN_SHAPE_MAX = 7,
    TN_SHAPE_EQ = 8,
    TN_SHAPE_LE = 9,
    TN_SHAPE_SELECT = 10, /* a ? b : c */
    TN_SHAPE_RESULT = 11, /* size of dim c of result b of call a, known once that has been made */
    TN_SHAPE_ITEM = 12,   /* what result b of call a, an i64[], holds */
} tn_shape_op;

typedef struct tn_rec_instr {
    uint32_t op; /* tn_shape_op */
    uint32_t a, b, c;
    int64_t value;
} tn_rec_instr;

/* A symbolic dimension: its value and what it must satisfy. */
typedef struct tn_rec_symbol {
    tn_rec_str name;
    uint32_t value; /* a TN_SHAPE_INPUT, TN_SHAPE_RESULT or TN_SHAPE_ITEM instruction */
    uint32_t reserved;
    int64_t min, max; /* INT64_MAX: unbounded */
} tn_rec_symbol;

typedef enum tn_buffer_kind {
    TN_BUFFER_ARENA =
        0, /* planned in the context's arena, alive in steps [first_step, last_step] */
    TN_BUFFER_INPUT = 1,  /* the caller's memory of input `index` */
    TN_BUFFER_OUTPUT = 2, /* memory of output `index` */
    TN_BUFFER_WEIGHT = 3, /* at byte `weight_offset` of the weight section */
    TN_BUFFER_STATE = 4,  /* state `index` of the context */
    TN_BUFFER_ERROR = 5,  /* the tn_kernel_error of step `index`, cleared before each run */
    TN_BUFFER_KIND_COUNT,
} tn_buffer_kind;

/* What a kernel reports: an index read from data that lies outside of [-bound, bound). Several
 * threads may write it, with relaxed atomic stores; any one of them is as good. */
typedef struct tn_kernel_error {
    int64_t is_set;
    int64_t index, bound;
} tn_kernel_error;

typedef struct tn_rec_buffer {
    uint32_t kind;
    uint32_t index;
    uint32_t bytes; /* value */
    uint32_t first_step, last_step;
    uint32_t over; /* arena: 1 + an earlier buffer of the same size whose memory this one may take
                    * in its first step, which is the other's last; 0: none */
    uint64_t weight_offset; /* multiple of 64 */
} tn_rec_buffer;

/* A strided view of a buffer; sizes are values, strides and offset in elements. */
typedef struct tn_rec_tensor {
    uint32_t buffer;
    uint32_t dtype; /* tn_dtype */
    uint32_t rank;
    uint32_t offset;
    uint32_t dims[8];
    uint32_t strides[8];
} tn_rec_tensor;

/* An input or output of the engine. Row-major contiguous. */
typedef struct tn_rec_io {
    tn_rec_str name;
    uint32_t tensor;
    uint32_t mutates_input; /* outputs: the input whose new content this is, or TN_NO_INDEX */
} tn_rec_io;

typedef struct tn_rec_state {
    tn_rec_str name;
    uint32_t tensor;         /* on its TN_BUFFER_STATE */
    uint32_t initial_buffer; /* a weight with the first content; TN_NO_INDEX: zeros */
} tn_rec_state;

/* An argument of a primitive; the value list and the string section hold what does not fit. */
typedef struct tn_rec_arg {
    uint32_t kind;     /* tn_arg_kind */
    uint32_t operand;  /* TN_ARG_VALUE, TN_ARG_VALUES: first operand; TN_ARG_INT: value */
    tn_rec_range list; /* TN_ARG_INTS: in the index list, each a value; TN_ARG_FLOATS: in floats */
    tn_rec_str text;   /* TN_ARG_STR */
    double f;          /* TN_ARG_FLOAT */
    int64_t i;         /* TN_ARG_BOOL, TN_ARG_DTYPE */
    uint32_t count;    /* TN_ARG_VALUES */
    uint32_t reserved;
} tn_rec_arg;

typedef enum tn_step_kind {
    TN_STEP_KERNEL = 0, /* a function of the code blob */
    TN_STEP_PRIM = 1,   /* a primitive run by the interpreter */
    TN_STEP_CALL = 2,   /* an operator served by the session's executor */
} tn_step_kind;

typedef struct tn_rec_step {
    uint32_t kind;
    uint32_t kernel;        /* TN_STEP_KERNEL: index into kernels; TN_STEP_CALL: into calls */
    tn_rec_range buffers;   /* TN_STEP_KERNEL: buf[], in the index list */
    tn_rec_range syms;      /* TN_STEP_KERNEL: sym[], values in the index list */
    uint32_t task_count;    /* TN_STEP_KERNEL: value */
    uint32_t scratch_bytes; /* TN_STEP_KERNEL: value, per thread */
    tn_rec_str prim;        /* TN_STEP_PRIM: "k::sort" */
    tn_rec_range operands;  /* PRIM, CALL: tensors, in the index list; TN_NO_INDEX (PRIM): None */
    tn_rec_range results;   /* PRIM, CALL: tensors, in the index list */
    tn_rec_range args;      /* TN_STEP_PRIM */
    tn_rec_range sources;   /* source nodes, in sources */
    uint32_t flops;         /* value: operations; a multiply-add counts two */
    uint32_t bytes_read, bytes_written; /* values: each operand and result counted once */
    uint32_t reserved;
} tn_rec_step;

/* A function of the code blob. */
typedef struct tn_rec_kernel {
    tn_rec_str name;    /* its symbol */
    tn_rec_str summary; /* "matmul 128x768x768 + bias + gelu" */
} tn_rec_kernel;

/* What an executor is asked for. Calls stand in the order of their steps. */
typedef struct tn_rec_call {
    tn_rec_str op;        /* "mylib::scale_mul.default" */
    tn_rec_str arguments; /* JSON (docs/calls.md) */
    tn_rec_range ints;    /* values in the index list: the symbolic integers of the arguments */
    uint32_t step;        /* its TN_STEP_CALL */
    uint32_t reserved;
} tn_rec_call;

/* A node of the model that a step computes; from tn_loc. */
typedef struct tn_rec_source {
    tn_rec_str node, op, module, source;
} tn_rec_source;

/* Native code; one per target. */
typedef struct tn_rec_blob {
    tn_rec_str target;      /* "cpu:x86-64-v4+amx-bf16" */
    tn_rec_str compiler;    /* "gcc (Debian 12.2.0-14) 12.2.0" */
    uint64_t offset, bytes; /* in the code section */
    uint64_t features;      /* tn_cpu_feature bits that the code needs */
} tn_rec_blob;

/* Views of the arrays, wherever they live. */
typedef struct tn_program {
    const tn_rec_instr *instrs;
    const tn_rec_symbol *symbols;
    const tn_rec_buffer *buffers;
    const tn_rec_tensor *tensors;
    const tn_rec_io *inputs;
    const tn_rec_io *outputs;
    const tn_rec_state *states;
    const tn_rec_arg *args;
    const tn_rec_step *steps;
    const tn_rec_kernel *kernels;
    const tn_rec_source *sources;
    const tn_rec_blob *blobs;
    const tn_rec_call *calls;
    const uint32_t *indices; /* the index list */
    const double *floats;
    const char *strings;
    const uint8_t *code;
    const uint8_t *weights; /* 64-byte aligned */
    uint32_t instr_count, symbol_count, buffer_count, tensor_count, input_count, output_count,
        state_count, arg_count, step_count, kernel_count, source_count, blob_count, call_count,
        index_count, float_count;
    uint64_t string_bytes, code_bytes, weight_bytes;
    tn_rec_str name;     /* of the model */
    tn_rec_str options;  /* the settings it was compiled with, as text */
    tn_rec_str metadata; /* of whoever compiled it */
} tn_program;

static inline tn_str tn_program_str(const tn_program *program, tn_rec_str s) {
    return (tn_str){program->strings + s.offset, s.len};
}

/* Checks every index, range, kind and alignment against the arrays' sizes, so that the runtime can
 * trust them. TN_CORRUPT names record, field, seen and limit. */
TN_MUST_USE tn_status tn_program_verify(const tn_program *program);

/* An instruction whose value a call gives. */
static inline bool tn_instr_is_of_call(const tn_rec_instr *instr) {
    return instr->op == TN_SHAPE_RESULT || instr->op == TN_SHAPE_ITEM;
}
/* A value's round is the number of calls that must have been made before it is known: 0 if it
 * follows from the inputs' shapes. out_rounds: instr_count. */
void tn_program_rounds(const tn_program *program, uint32_t *out_rounds);

/* Evaluates the values of one round (rounds NULL: of all). input_dims: TN_MAX_RANK sizes per input;
 * inout_values: instr_count, those of earlier rounds, of TN_SHAPE_RESULT
 * and of TN_SHAPE_ITEM given. TN_OUT_OF_RANGE
 * on overflow or division by zero, naming the instruction. */
TN_MUST_USE tn_status tn_program_eval(const tn_program *program,
                                      const int64_t (*input_dims)[TN_MAX_RANK],
                                      const uint32_t *rounds, uint32_t round,
                                      int64_t *inout_values);

#endif
