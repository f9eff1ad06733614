/* py_context.c: tenon._core.Context: one execution; inputs and outputs are bound in place.
 *
 * run() is the path that every call takes, so what can be kept from call to call is: room for the
 * views, the table of the arrays' type. Outputs are new arrays for each run, which the engine
 * writes to directly; those whose size depends on data are made after the run and copied. */
#include <string.h>

#include "py_core.h"

typedef struct py_context {
    PyObject ob_base;
    py_session *session;
    tn_context *context;
    py_view *views; /* inputs, then outputs */
    bool *is_late;  /* outputs: the size depends on data, so that it is known after a run only */
    Py_ssize_t input_count, output_count;
    py_exchange exchange;
    bool is_running;
} py_context;

/* How the caller's kind of array is made: the second argument of run(). */
typedef struct array_kind {
    PyObject *contiguous; /* contiguous(array) -> array */
    PyObject *makers;     /* tuple, per output: maker(shape) -> array */
    int has_bits; /* dtypes without a DLPack type in this package come as unsigned integers */
} array_kind;

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    (void)keywords;
    PyObject *session = NULL;
    PyObject *session_type = py_type("Session");
    if (!session_type || !PyArg_ParseTuple(args, "O!", session_type, &session))
        return NULL;
    py_context *self = (py_context *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    Py_INCREF(session);
    self->session = (py_session *)session;
    const tn_engine *engine = self->session->engine->engine;
    self->input_count = (Py_ssize_t)tn_engine_input_count(engine);
    self->output_count = (Py_ssize_t)tn_engine_output_count(engine);
    size_t bytes = (size_t)(self->input_count + self->output_count) * sizeof *self->views;
    self->views = PyMem_Calloc(1, bytes);
    self->is_late = PyMem_Calloc((size_t)self->output_count, sizeof *self->is_late);
    if (!self->views || !self->is_late) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    tn_status status = NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = tn_context_create(self->session->session, &self->context);
    Py_END_ALLOW_THREADS;
    if (!status)
        return (PyObject *)self;
    Py_DECREF(self);
    return py_raise(status);
}

static void context_dealloc(PyObject *object) {
    py_context *self = (py_context *)object;
    PyTypeObject *type = Py_TYPE(object);
    tn_context_destroy(self->context);
    PyMem_Free(self->views);
    PyMem_Free(self->is_late);
    py_exchange_drop(&self->exchange);
    Py_XDECREF(self->session);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* ---- run --------------------------------------------------------------------------------------
 */

/* The engine's dtype where the array's unsigned integers stand for the bits of one. */
static void name_bits(tn_dtype wanted, DLTensor *tensor) {
    DLDataType type = tn_dtype_to_dlpack(wanted);
    bool is_unsigned = tensor->dtype.code == 1 && tensor->dtype.lanes == 1;
    bool is_small_float = wanted == TN_BF16 || wanted == TN_F8E4M3 || wanted == TN_F8E5M2;
    if (is_unsigned && is_small_float && tensor->dtype.bits == type.bits)
        tensor->dtype = type;
}

/* Makes the exception that an array's package has raised one that names the input. */
static int about_input(const tn_engine *engine, Py_ssize_t i) {
    tn_io_info info = {.size = sizeof info};
    tn_status_free(tn_engine_input_info(engine, (size_t)i, &info));
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *errors = PyImport_ImportModule("tenon._errors");
    PyObject *made = NULL;
    if (errors)
        made = PyObject_CallMethod(errors, "from_array", "zO", info.name, value);
    if (made)
        PyErr_SetObject((PyObject *)Py_TYPE(made), made);
    Py_XDECREF(made);
    Py_XDECREF(errors);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return -1;
}

static int bind_input(py_context *self, Py_ssize_t i, PyObject *object, const array_kind *kind) {
    const tn_engine *engine = self->session->engine->engine;
    py_view *view = &self->views[i];
    if (py_view_take(&self->exchange, object, view) != 0)
        return about_input(engine, i);
    if (!py_is_contiguous(&view->tensor)) {
        py_view_drop(view);
        PyObject *copy = PyObject_CallFunctionObjArgs(kind->contiguous, object, NULL);
        if (!copy)
            return about_input(engine, i);
        int code = py_view_take(&self->exchange, copy, view);
        if (code == 0 && !view->held)
            view->held = copy;
        else
            Py_DECREF(copy); /* the capsule holds it */
        if (code != 0)
            return about_input(engine, i);
    }
    if (kind->has_bits) {
        tn_io_info info = {.size = sizeof info};
        tn_status status = tn_engine_input_info(engine, (size_t)i, &info);
        tn_status_free(status);
        name_bits(info.dtype, &view->tensor);
    }
    tn_status status = tn_context_set_input(self->context, (size_t)i, &view->tensor);
    if (status)
        (void)py_raise(status);
    return status ? -1 : 0;
}

static PyObject *shape_of(const DLTensor *tensor) {
    PyObject *shape = PyTuple_New(tensor->ndim);
    for (int32_t d = 0; shape && d < tensor->ndim; d++) {
        PyObject *size = PyLong_FromLongLong(tensor->shape[d]);
        if (!size || PyTuple_SetItem(shape, d, size) != 0)
            Py_CLEAR(shape);
    }
    return shape;
}

/* Makes the array of output i, of the shape that the engine says now. */
static PyObject *make_output(py_context *self, Py_ssize_t i, const DLTensor *wanted,
                             const array_kind *kind) {
    PyObject *shape = shape_of(wanted);
    if (!shape)
        return NULL;
    PyObject *array = PyObject_CallFunctionObjArgs(PyTuple_GetItem(kind->makers, i), shape, NULL);
    Py_DECREF(shape);
    py_view *view = &self->views[self->input_count + i];
    if (!array || py_view_take(&self->exchange, array, view) != 0) {
        Py_XDECREF(array);
        return NULL;
    }
    if (kind->has_bits)
        name_bits(tn_dtype_from_dlpack(wanted->dtype), &view->tensor);
    return array;
}

/* Makes output i and gives its memory to the context; None if its size depends on data. */
static PyObject *bind_output(py_context *self, Py_ssize_t i, const array_kind *kind) {
    DLTensor wanted;
    tn_status status = tn_context_get_output(self->context, (size_t)i, &wanted);
    if (status)
        return py_raise(status);
    /* A size that is not known shows in the first run; later ones would show that of the last. */
    for (int32_t d = 0; d < wanted.ndim; d++)
        self->is_late[i] = self->is_late[i] || wanted.shape[d] < 0;
    if (self->is_late[i]) {
        Py_INCREF(Py_None);
        return Py_None;
    }
    PyObject *array = make_output(self, i, &wanted, kind);
    if (!array)
        return NULL;
    status =
        tn_context_set_output(self->context, (size_t)i, &self->views[self->input_count + i].tensor);
    if (!status)
        return array;
    Py_DECREF(array);
    return py_raise(status);
}

/* A copy of an output whose size the run has decided. */
static PyObject *copy_output(py_context *self, Py_ssize_t i, const array_kind *kind) {
    DLTensor result;
    tn_status status = tn_context_get_output(self->context, (size_t)i, &result);
    if (status)
        return py_raise(status);
    PyObject *array = make_output(self, i, &result, kind);
    if (!array)
        return NULL;
    const DLTensor *copy = &self->views[self->input_count + i].tensor;
    size_t bytes = result.dtype.bits / 8u;
    for (int32_t d = 0; d < result.ndim; d++)
        bytes *= (size_t)result.shape[d];
    if (bytes > 0)
        memcpy((char *)copy->data + copy->byte_offset, result.data, bytes);
    return array;
}

static int bind_outputs(py_context *self, PyObject *outputs, const array_kind *kind) {
    for (Py_ssize_t i = 0; i < self->output_count; i++) {
        PyObject *array = bind_output(self, i, kind);
        if (!array || PyList_SetItem(outputs, i, array) != 0)
            return -1;
    }
    return 0;
}

static int copy_late_outputs(py_context *self, PyObject *outputs, const array_kind *kind) {
    for (Py_ssize_t i = 0; i < self->output_count; i++) {
        if (!self->is_late[i])
            continue;
        PyObject *array = copy_output(self, i, kind);
        if (!array || PyList_SetItem(outputs, i, array) != 0)
            return -1;
    }
    return 0;
}

static PyObject *run_bound(py_context *self, PyObject *inputs, const array_kind *kind) {
    for (Py_ssize_t i = 0; i < self->input_count; i++)
        if (bind_input(self, i, PyTuple_GetItem(inputs, i), kind) != 0)
            return NULL;
    tn_status status = tn_context_infer_outputs(self->context);
    if (status)
        return py_raise(status);
    PyObject *outputs = PyList_New(self->output_count);
    if (!outputs)
        return NULL;
    if (bind_outputs(self, outputs, kind) != 0) {
        Py_DECREF(outputs);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    status = tn_context_run(self->context);
    Py_END_ALLOW_THREADS;
    if (!status && copy_late_outputs(self, outputs, kind) == 0)
        return outputs;
    Py_DECREF(outputs);
    return status ? py_raise(status) : NULL;
}

static int claim(py_context *self) {
    if (self->is_running) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the context is running on another thread: use one context per thread");
        return -1;
    }
    self->is_running = true;
    return 0;
}

/* run(inputs, (contiguous, makers, has_bits)) -> [outputs] */
static PyObject *context_run(PyObject *object, PyObject *args) {
    py_context *self = (py_context *)object;
    PyObject *inputs = NULL;
    array_kind kind;
    if (!PyArg_ParseTuple(args, "O!(OO!p)", &PyTuple_Type, &inputs, &kind.contiguous, &PyTuple_Type,
                          &kind.makers, &kind.has_bits))
        return NULL;
    if (PyTuple_Size(inputs) != self->input_count)
        return PyErr_Format(PyExc_TypeError, "the engine takes %zd inputs, given %zd",
                            self->input_count, PyTuple_Size(inputs));
    if (PyTuple_Size(kind.makers) != self->output_count)
        return PyErr_Format(PyExc_TypeError, "the engine gives %zd outputs, %zd makers given",
                            self->output_count, PyTuple_Size(kind.makers));
    if (claim(self) != 0)
        return NULL;
    PyObject *outputs = run_bound(self, inputs, &kind);
    for (Py_ssize_t i = 0; i < self->input_count + self->output_count; i++)
        py_view_drop(&self->views[i]);
    self->is_running = false;
    return outputs;
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static PyObject *context_reset_state(PyObject *object, PyObject *unused) {
    (void)unused;
    py_context *self = (py_context *)object;
    if (claim(self) != 0)
        return NULL;
    tn_status status = tn_context_reset_state(self->context);
    self->is_running = false;
    if (status)
        return py_raise(status);
    Py_INCREF(Py_None);
    return Py_None;
}

/* (arena_bytes, live_bytes) for the shapes of the last run. */
static PyObject *context_memory(PyObject *object, PyObject *unused) {
    (void)unused;
    py_context *self = (py_context *)object;
    size_t arena_bytes = 0, live_bytes = 0;
    if (claim(self) != 0)
        return NULL;
    tn_status status = tn_context_memory(self->context, &arena_bytes, &live_bytes);
    self->is_running = false;
    if (status)
        return py_raise(status);
    return Py_BuildValue("nn", (Py_ssize_t)arena_bytes, (Py_ssize_t)live_bytes);
}

static PyMethodDef methods[] = {
    {"run", context_run, METH_VARARGS, NULL},
    {"reset_state", context_reset_state, METH_NOARGS, NULL},
    {"memory", context_memory, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, context_new},
    {Py_tp_dealloc, context_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {.name = "tenon._core.Context",
                           .basicsize = sizeof(py_context),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

int py_context_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Context", type) : -1;
}
