/* schema.h: operator schemas in PyTorch's notation, parsed.
 *
 * "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor". The grammar is that
 * of PyTorch's native_functions.yaml and torch._C._jit_get_all_schemas().
 */
#ifndef TN_IR_SCHEMA_H
#define TN_IR_SCHEMA_H

#include "base/arena.h"

typedef enum tn_param_type {
    TN_PARAM_TENSOR = 0,
    TN_PARAM_INT, /* int and SymInt */
    TN_PARAM_FLOAT,
    TN_PARAM_BOOL,
    TN_PARAM_SCALAR, /* int, float or bool */
    TN_PARAM_STR,
    TN_PARAM_DTYPE,  /* ScalarType */
    TN_PARAM_LAYOUT, /* Layout, MemoryFormat, Device, Generator: kept as strings */
    TN_PARAM_MEMORY_FORMAT,
    TN_PARAM_DEVICE,
    TN_PARAM_GENERATOR,
    TN_PARAM_GRAPH,
    TN_PARAM_ANY, /* parameters of ops whose schema is not known */
} tn_param_type;

typedef enum tn_default_kind {
    TN_DEFAULT_ABSENT, /* the argument must be given */
    TN_DEFAULT_NONE,
    TN_DEFAULT_INT,
    TN_DEFAULT_FLOAT,
    TN_DEFAULT_BOOL,
    TN_DEFAULT_STR, /* also names: contiguous_format, strided; dtypes by tenon's name: f32 */
    TN_DEFAULT_INTS,
    TN_DEFAULT_FLOATS,
    TN_DEFAULT_BOOLS,
} tn_default_kind;

typedef struct tn_default {
    tn_default_kind kind;
    uint32_t count;
    union {
        int64_t i;
        double f;
        bool b;
        tn_str s;
        const int64_t *ints;
        const double *floats;
        const bool *bools;
    };
} tn_default;

typedef struct tn_param {
    tn_str name; /* empty for unnamed results */
    tn_param_type type;
    bool is_list;
    bool is_optional;         /* T? : the whole argument may be None */
    bool is_element_optional; /* T?[] */
    bool is_keyword_only;
    bool is_symbolic;   /* SymInt, SymFloat, SymBool */
    bool is_written;    /* (a!) */
    bool alias_escapes; /* (a -> *): it may also end up inside a container */
    char alias;         /* the letter of (a) or (a!), 0 for none, '*' for a wildcard */
    char other_alias;   /* the second letter of (a|b), 0 for none */
    int32_t list_size;  /* 2 of int[2]: one int stands for that many; -1 without */
    tn_default default_value;
} tn_param;

typedef struct tn_schema {
    tn_str name;      /* "aten::add" */
    tn_str overload;  /* "Tensor", or empty */
    tn_str full_name; /* "aten::add.Tensor"; without a dot when there is no overload */
    const tn_param *params;
    uint32_t param_count;
    const tn_param *results;
    uint32_t result_count;
    bool is_vararg; /* "..." */
} tn_schema;

/* Parses one schema into the arena. TN_INVALID_ARGUMENT with the column, what stood there and what
 * was expected. Thread-compatible. */
TN_MUST_USE tn_status tn_schema_parse(tn_arena *arena, tn_str text, const tn_schema **out_schema);
/* Prints in the same notation. */
void tn_schema_print(tn_buf *buf, const tn_schema *schema);
/* Index of the parameter of that name, -1 if there is none. */
int32_t tn_schema_find_param(const tn_schema *schema, tn_str name);

#endif
