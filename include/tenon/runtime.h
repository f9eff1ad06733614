/* tenon/runtime.h: load an engine and run it. Needs libtenon_rt only.
 *
 *     tn_env *env;           tn_env_create(NULL, &env);
 *     tn_engine *engine;     tn_engine_load(env, "bert.tenon", NULL, &engine);
 *     tn_session *session;   tn_session_create(engine, NULL, &session);
 *     tn_context *context;   tn_context_create(session, &context);
 *     tn_context_set_input(context, 0, &ids);
 *     tn_context_run(context);
 *     tn_context_get_output(context, 0, &logits);
 *
 * Tensors are DLTensor structs of the DLPack standard (https://dmlc.github.io/dlpack); tenon
 * declares none of its own. Include dlpack.h before this header if you have it; otherwise this
 * header declares the same struct.
 */
#ifndef TENON_RUNTIME_H
#define TENON_RUNTIME_H

#include "tenon/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef DLPACK_DLPACK_H_
/* The layout fixed by DLPack 1.x; the guard is that of dlpack.h, so that either may come first. */
#define DLPACK_DLPACK_H_
typedef enum { kDLCPU = 1 } DLDeviceType;
typedef struct {
    int32_t device_type;
    int32_t device_id;
} DLDevice;
typedef struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} DLDataType;
typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: row-major contiguous */
    uint64_t byte_offset;
} DLTensor;
#endif

/* The DLPack type of a tenon dtype, and back (TN_DTYPE_NONE if tenon has none). Thread-safe. */
TN_API DLDataType tn_dtype_to_dlpack(tn_dtype dtype);
TN_API tn_dtype tn_dtype_from_dlpack(DLDataType type);

/* ---- engine ---------------------------------------------------------------------------------- */

/* A compiled model: immutable, thread-safe, reference counted. The file stays mapped while it
 * lives. */
typedef struct tn_engine tn_engine;

typedef struct tn_engine_options {
    size_t size; /* sizeof(tn_engine_options) */
    /* An engine holds native code, which runs with the rights of this process: load only what you
     * trust. false refuses engines with native code (TN_UNSUPPORTED); the default (options NULL) is
     * true, because the caller named the file. */
    bool allow_native_code;
    /* Also checks the checksum of the weights, which reads them all; the other sections are always
     * checked. */
    bool verify_weights;
} tn_engine_options;

/* Maps, verifies and opens an engine file. Codes: TN_NOT_FOUND, TN_IO, TN_CORRUPT (what is wrong
 * and where), TN_UNSUPPORTED (made by another version; for a machine with features this one lacks:
 * names them), TN_OUT_OF_MEMORY. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_engine_load(tn_env *env, const char *path,
                                            const tn_engine_options *options,
                                            tn_engine **out_engine);
/* The same from memory, which the caller keeps unchanged until the engine is destroyed; bytes must
 * be aligned to 64. */
TN_API TN_MUST_USE tn_status tn_engine_load_memory(tn_env *env, const void *bytes,
                                                   size_t byte_count,
                                                   const tn_engine_options *options,
                                                   tn_engine **out_engine);
TN_API void tn_engine_retain(tn_engine *engine);
/* Frees with the last reference; NULL is allowed. Sessions hold a reference. */
TN_API void tn_engine_release(tn_engine *engine);

/* What an engine takes or gives. Borrowed from the engine, valid while it lives. */
typedef struct tn_io_info {
    size_t size; /* sizeof(tn_io_info), set by the caller */
    const char *name;
    tn_dtype dtype;
    uint32_t rank;
    /* -1 for a dimension that depends on the inputs' shapes, or for outputs on their content */
    int64_t dims[TN_MAX_RANK];
    /* Smallest and largest size; dims_max INT64_MAX: unbounded. For outputs the bounds are known
     * only for plain symbols. */
    int64_t dims_min[TN_MAX_RANK], dims_max[TN_MAX_RANK];
    const char *dim_names[TN_MAX_RANK]; /* "s0" for a plain symbol, else NULL */
    /* Outputs: the input whose new content this is, which a model that changes its input gives; -1:
     * none. */
    int64_t mutates_input;
} tn_io_info;

TN_API size_t tn_engine_input_count(const tn_engine *engine);
TN_API size_t tn_engine_output_count(const tn_engine *engine);
/* How many states (buffers that the model changes) a context keeps from run to run. Since 0.1. */
TN_API size_t tn_engine_state_count(const tn_engine *engine);
/* TN_OUT_OF_RANGE for an index past the last. */
TN_API TN_MUST_USE tn_status tn_engine_input_info(const tn_engine *engine, size_t i,
                                                  tn_io_info *out_info);
TN_API TN_MUST_USE tn_status tn_engine_output_info(const tn_engine *engine, size_t i,
                                                   tn_io_info *out_info);
/* Index of the input or output of that name; TN_NOT_FOUND names what there is. */
TN_API TN_MUST_USE tn_status tn_engine_find_input(const tn_engine *engine, const char *name,
                                                  size_t *out_i);
TN_API TN_MUST_USE tn_status tn_engine_find_output(const tn_engine *engine, const char *name,
                                                   size_t *out_i);
/* Description of the whole engine: kernels with the source nodes of each, bytes moved, operations,
 * buffers, sections. JSON text (format in docs/inspect.md), owned by the caller; free with
 * tn_text_free(). Sizes that depend on input shapes are computed for `dims_text` ("x=1x128;y=2x3",
 * NULL: dynamic sizes take their minimum). */
TN_API TN_MUST_USE tn_status tn_engine_describe(const tn_engine *engine, const char *dims_text,
                                                char **out_json);
TN_API void tn_text_free(const tn_engine *engine, char *text);
/* The text given as tn_compile_options.metadata; "" if none was. Borrowed from the engine. Since
 * 0.1. */
TN_API const char *tn_engine_metadata(const tn_engine *engine);

/* ---- calls ----------------------------------------------------------------------------------- */

/* An operator that the engine cannot compute itself stands in it as a *call*, which the session's
 * executor serves when the step's turn comes (docs/calls.md). Strings are borrowed from the engine
 * and valid while it lives. */
typedef struct tn_call_info {
    size_t size;           /* sizeof(tn_call_info), set by the caller */
    size_t index;          /* of the call, in the order of execution */
    const char *op;        /* with its overload: "mylib::scale_mul.default" */
    const char *node;      /* its name in the model; "" if unknown, as for the two below */
    const char *module;    /* path of the nn.Module that it belongs to */
    const char *source;    /* line of the model's code */
    const char *arguments; /* in order, as JSON (docs/calls.md) */
    size_t operand_count, result_count, int_count;
} tn_call_info;

TN_API size_t tn_engine_call_count(const tn_engine *engine);
/* TN_OUT_OF_RANGE for an index past the last. Since 0.1. */
TN_API TN_MUST_USE tn_status tn_engine_call_info(const tn_engine *engine, size_t i,
                                                 tn_call_info *out_info);

/* One call under way. Everything but `held` and the fields of `results` is read-only; all of it is
 * valid until run returns. */
typedef struct tn_call {
    size_t size;  /* sizeof(tn_call) of the runtime */
    size_t index; /* these four as in tn_call_info */
    size_t operand_count, result_count, int_count;
    const DLTensor *operands; /* tensors, to be read only; strided, strides may be 0; never NULL */
    const int64_t *ints;      /* the symbolic integers among the arguments, now known */
    /* To be computed. data is memory of the shape and dtype that the model declares, row-major: the
     * executor writes there, or points data to memory of its own of the same shape and dtype,
     * row-major, and sets `held`, which keeps that memory alive: it is then read in place, without
     * a copy. Memory that is not held, or is an operand's, is copied when run has returned. A size
     * that the call decides on is -1 in shape, and data NULL: run sets both. */
    DLTensor *results;
    void *held; /* NULL before run; given to release once nothing reads the results any more */
} tn_call;

/* Who serves an engine's calls. Callbacks run on the thread that called tn_session_create (prepare)
 * or tn_context_run (run, release), while no worker runs for this context; contexts that run on
 * several threads call at the same time. A callback that fails returns an error that it owns no
 * more (tn_status_create). It must not use the context that is running; other contexts and
 * engines are free to it. */
typedef struct tn_executor {
    size_t size; /* sizeof(tn_executor) */
    void *user;
    /* Called for each call at session creation, in order; refuses an operator that it has not, or
     * that writes to its arguments. May be NULL. */
    tn_status (*prepare)(void *user, const tn_call_info *info);
    /* Computes the results. TN_INVALID_ARGUMENT from tn_context_run names operator, node, seen and
     * wanted when they come back with another shape, dtype, device or layout, or NULL. */
    tn_status (*run)(void *user, tn_call *call);
    /* Lets go of what `held` keeps alive, after a failed run too; every handle is given back
     * exactly once before tn_context_run returns. May be NULL if no call sets `held`. */
    void (*release)(void *user, void *held);
} tn_executor;

/* ---- session --------------------------------------------------------------------------------- */

/* An engine placed on this machine: its code loaded, its worker threads started. Thread-safe.
 * Contexts of one session share the workers: their runs take turns. */
typedef struct tn_session tn_session;

typedef struct tn_session_options {
    size_t size; /* sizeof(tn_session_options) */
    /* Threads that work on one run, the caller's included; 0: one per processor that this process
     * may use. */
    uint32_t threads;
    /* How long idle workers spin before they sleep, in microseconds; waking costs about 80. Default
     * (options NULL): 200. */
    uint32_t spin_us;
    /* Serves the engine's calls; copied, its user outlives the session. NULL: only engines without
     * calls run. */
    const tn_executor *executor;
} tn_session_options;

/* TN_UNSUPPORTED: the engine has calls and there is no executor (names the operators and what would
 * help); whatever prepare returns; TN_OUT_OF_MEMORY, TN_IO (starting threads). */
TN_API TN_MUST_USE tn_status tn_session_create(tn_engine *engine, const tn_session_options *options,
                                               tn_session **out_session);
/* After all its contexts; NULL is allowed. */
TN_API void tn_session_destroy(tn_session *session);

/* ---- context --------------------------------------------------------------------------------- */

/* One execution's shapes, memory and model state. Thread-compatible; any number per session. */
typedef struct tn_context tn_context;

TN_API TN_MUST_USE tn_status tn_context_create(tn_session *session, tn_context **out_context);
/* NULL is allowed. */
TN_API void tn_context_destroy(tn_context *context);

/* Gives input i: memory (host, row-major contiguous) borrowed until the next set or the context's
 * end, and read by each run. The shape becomes the input's shape. TN_INVALID_ARGUMENT names the
 * input, what was seen and what is wanted (dtype, rank, a fixed size, device, strides);
 * TN_OUT_OF_RANGE a size outside of its range. The DLTensor itself is copied. */
TN_API TN_MUST_USE tn_status tn_context_set_input(tn_context *context, size_t i,
                                                  const DLTensor *tensor);
/* Gives the memory that output i is written to, borrowed as above; its shape must be the output's
 * for the inputs of the run (checked by tn_context_run). NULL: back to memory owned by the
 * context. */
TN_API TN_MUST_USE tn_status tn_context_set_output(tn_context *context, size_t i,
                                                   const DLTensor *tensor);
/* Computes the shape of every output for the inputs set so far, without running: -1 for sizes that
 * depend on data.
 * TN_INVALID_ARGUMENT names an input that is missing, or two inputs that disagree on a symbolic
 * size. */
TN_API TN_MUST_USE tn_status tn_context_infer_outputs(tn_context *context);
/* Runs. Allocates nothing when all sizes are those of the run before. Besides the above:
 * TN_OUT_OF_RANGE for an index computed by the model that lies outside, TN_OUT_OF_MEMORY, and what
 * an executor's callback returns, with operator and node. After an error the contents of outputs
 * and states are undefined (states change where they lie, so some may have changed, in part, and
 * others not; tn_context_reset_state gives them their first content again), and the context stays
 * usable. A context is not re-entrant: from inside its executor's
 * callbacks this is TN_INVALID_ARGUMENT. */
TN_API TN_MUST_USE tn_status tn_context_run(tn_context *context);
/* Output i: valid after tn_context_infer_outputs (shape) or tn_context_run (content), until the
 * next run or shape change; sizes that depend on data are those of the last run. shape and strides
 * are borrowed from the context. */
TN_API TN_MUST_USE tn_status tn_context_get_output(tn_context *context, size_t i,
                                                   DLTensor *out_tensor);
/* Puts every state (a buffer that the model changes, like a cache) back to its first content. */
TN_API TN_MUST_USE tn_status tn_context_reset_state(tn_context *context);
/* Bytes of the context's arena for the current shapes (without what is planned when a call has
 * decided on its size), and the largest sum of values alive at
 * once. */
TN_API TN_MUST_USE tn_status tn_context_memory(tn_context *context, size_t *out_arena_bytes,
                                               size_t *out_live_bytes);
/* Nanoseconds that each step of the engine took in the last run, when profiling is on. */
TN_API void tn_context_set_profiling(tn_context *context, bool is_on);
TN_API TN_MUST_USE tn_status tn_context_step_times(const tn_context *context,
                                                   const uint64_t **out_ns, size_t *out_count);

#ifdef __cplusplus
}
#endif
#endif
