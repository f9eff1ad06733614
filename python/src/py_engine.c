/* py_engine.c: tenon._core.Engine: an engine file, opened; what it takes, gives and says. */
#include "py_core.h"

static PyObject *engine_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    (void)keywords;
    PyObject *path = NULL;
    int allow_native_code = 1, verify_weights = 0;
    if (!PyArg_ParseTuple(args, "O&|pp", PyUnicode_FSConverter, &path, &allow_native_code,
                          &verify_weights))
        return NULL;
    py_engine *self = (py_engine *)PyType_GenericAlloc(type, 0);
    if (!self) {
        Py_DECREF(path);
        return NULL;
    }
    const char *text = PyBytes_AsString(path);
    tn_engine_options options = {.size = sizeof options,
                                 .allow_native_code = allow_native_code,
                                 .verify_weights = verify_weights};
    tn_status status = NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = tn_env_create(NULL, &self->env);
    if (!status)
        status = tn_engine_load(self->env, text, &options, &self->engine);
    Py_END_ALLOW_THREADS;
    Py_DECREF(path);
    if (!status)
        return (PyObject *)self;
    Py_DECREF(self);
    return py_raise(status);
}

static void engine_dealloc(PyObject *object) {
    py_engine *self = (py_engine *)object;
    PyTypeObject *type = Py_TYPE(object);
    tn_engine_release(self->engine);
    tn_env_destroy(self->env);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *tuple_of_dims(const int64_t *dims, uint32_t rank) {
    PyObject *tuple = PyTuple_New(rank);
    for (uint32_t d = 0; tuple && d < rank; d++) {
        PyObject *size = PyLong_FromLongLong(dims[d]);
        if (!size || PyTuple_SetItem(tuple, d, size) != 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *tuple_of_names(const char *const *texts, uint32_t rank) {
    PyObject *tuple = PyTuple_New(rank);
    for (uint32_t d = 0; tuple && d < rank; d++) {
        PyObject *text = Py_BuildValue("z", texts[d]);
        if (!text || PyTuple_SetItem(tuple, d, text) != 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* (name, dtype, dims, dims_min, dims_max, dim_names, mutates_input) */
static PyObject *describe_io(const tn_io_info *info) {
    return Py_BuildValue(
        "ssNNNNL", info->name, tn_dtype_name(info->dtype), tuple_of_dims(info->dims, info->rank),
        tuple_of_dims(info->dims_min, info->rank), tuple_of_dims(info->dims_max, info->rank),
        tuple_of_names(info->dim_names, info->rank), (long long)info->mutates_input);
}

typedef tn_status (*info_function)(const tn_engine *engine, size_t i, tn_io_info *out_info);

static PyObject *list_io(const tn_engine *engine, size_t count, info_function ask) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        tn_io_info info = {.size = sizeof info};
        tn_status status = ask(engine, i, &info);
        PyObject *item = status ? py_raise(status) : describe_io(&info);
        if (!item || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *engine_inputs(PyObject *object, PyObject *unused) {
    (void)unused;
    const tn_engine *engine = ((py_engine *)object)->engine;
    return list_io(engine, tn_engine_input_count(engine), tn_engine_input_info);
}

static PyObject *engine_outputs(PyObject *object, PyObject *unused) {
    (void)unused;
    const tn_engine *engine = ((py_engine *)object)->engine;
    return list_io(engine, tn_engine_output_count(engine), tn_engine_output_info);
}

static PyObject *engine_state_count(PyObject *object, PyObject *unused) {
    (void)unused;
    return PyLong_FromSize_t(tn_engine_state_count(((py_engine *)object)->engine));
}

/* [{"op", "node", "module", "source"}] */
static PyObject *engine_calls(PyObject *object, PyObject *unused) {
    (void)unused;
    const tn_engine *engine = ((py_engine *)object)->engine;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < tn_engine_call_count(engine); i++) {
        tn_call_info info = {.size = sizeof info};
        tn_status status = tn_engine_call_info(engine, i, &info);
        PyObject *item = status ? py_raise(status)
                                : Py_BuildValue("{ssssssss}", "op", info.op, "node", info.node,
                                                "module", info.module, "source", info.source);
        if (!item || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *engine_describe(PyObject *object, PyObject *args) {
    const tn_engine *engine = ((py_engine *)object)->engine;
    const char *dims = NULL;
    if (!PyArg_ParseTuple(args, "|z", &dims))
        return NULL;
    char *json = NULL;
    tn_status status = tn_engine_describe(engine, dims, &json);
    if (status)
        return py_raise(status);
    PyObject *text = PyUnicode_FromString(json);
    tn_text_free(engine, json);
    return text;
}

static PyObject *engine_metadata(PyObject *object, PyObject *unused) {
    (void)unused;
    return PyUnicode_FromString(tn_engine_metadata(((py_engine *)object)->engine));
}

static PyMethodDef methods[] = {
    {"inputs", engine_inputs, METH_NOARGS, NULL},
    {"outputs", engine_outputs, METH_NOARGS, NULL},
    {"state_count", engine_state_count, METH_NOARGS, NULL},
    {"calls", engine_calls, METH_NOARGS, NULL},
    {"describe", engine_describe, METH_VARARGS, NULL},
    {"metadata", engine_metadata, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, engine_new},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {.name = "tenon._core.Engine",
                           .basicsize = sizeof(py_engine),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

int py_engine_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Engine", type) : -1;
}
