/* py_core.h: what the files of the extension module tenon._core share. The module is a thin layer
 * over include/tenon/: it turns Python objects into the C API's and statuses into exceptions; what
 * users see is written in Python (python/tenon). Built with the limited API, so that one binary
 * serves Python 3.9 and all later versions.
 *
 * Every function here needs the GIL. Functions that return a PyObject or an int follow Python's
 * convention: NULL or -1 means that an exception is set. */
#ifndef TENON_PY_CORE_H
#define TENON_PY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "tenon/runtime.h"

/* Python's type slots hold functions as void pointers, which POSIX allows and ISO C does not. */
#pragma GCC diagnostic ignored "-Wpedantic"

/* Raises the exception of a status (tenon/_errors.py) and frees it. If a callback has left a Python
 * exception behind, that one stays, with the status's text as its notes. Returns NULL. */
PyObject *py_raise(tn_status status);

/* ---- arrays ---------------------------------------------------------------------------------- */

/* The type last seen, and the table of functions by which its objects show their memory. Zeros at
 * first. */
typedef struct py_exchange {
    PyObject *type; /* owned */
    const struct py_exchange_api *api;
    PyObject *no_args, *keywords; /* owned: what __dlpack__ is called with */
} py_exchange;

/* An array's memory, for as long as the object and `held` live. */
typedef struct py_view {
    DLTensor tensor;
    PyObject *held; /* owned; NULL if the object itself is all that is needed */
    bool is_read_only;
} py_view;

/* Any object with __dlpack__: NumPy arrays, torch tensors, ... No memory is copied. */
int py_view_take(py_exchange *exchange, PyObject *object, py_view *out_view);
void py_view_drop(py_view *view);
void py_exchange_drop(py_exchange *exchange);
/* A capsule for from_dlpack() of memory that outlives what is made of it. */
PyObject *py_capsule_of(const DLTensor *tensor);
bool py_is_contiguous(const DLTensor *tensor);

/* ---- objects --------------------------------------------------------------------------------- */

typedef struct py_engine {
    PyObject ob_base;
    tn_env *env;
    tn_engine *engine;
} py_engine;

typedef struct py_session {
    PyObject ob_base;
    py_engine *engine;
    PyObject *executor; /* NULL: none */
    tn_session *session;
} py_session;

/* Make the types and add them to the module. */
int py_engine_add(PyObject *module);
int py_session_add(PyObject *module);
int py_context_add(PyObject *module);
#ifndef TENON_RT_ONLY
int py_compile_add(PyObject *module);
#endif
/* The type of that name in tenon._core; borrowed. */
PyObject *py_type(const char *name);

/* Serves an engine's calls by the object session->executor. */
tn_executor py_executor(py_session *session);

#endif
