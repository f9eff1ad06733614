/* py_session.c: tenon._core.Session: an engine's code and worker threads, and its executor. */
#include "py_core.h"

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    (void)keywords;
    PyObject *engine = NULL, *executor = Py_None;
    unsigned int threads = 0, spin_us = 0;
    PyObject *engine_type = py_type("Engine");
    if (!engine_type ||
        !PyArg_ParseTuple(args, "O!IIO", engine_type, &engine, &threads, &spin_us, &executor))
        return NULL;
    py_session *self = (py_session *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    Py_INCREF(engine);
    self->engine = (py_engine *)engine;
    if (executor != Py_None) {
        Py_INCREF(executor);
        self->executor = executor;
    }
    tn_executor serving = py_executor(self);
    tn_session_options options = {.size = sizeof options,
                                  .threads = threads,
                                  .spin_us = spin_us,
                                  .executor = self->executor ? &serving : NULL};
    tn_status status = NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = tn_session_create(self->engine->engine, &options, &self->session);
    Py_END_ALLOW_THREADS;
    if (!status)
        return (PyObject *)self;
    Py_DECREF(self);
    return py_raise(status);
}

static void session_dealloc(PyObject *object) {
    py_session *self = (py_session *)object;
    PyTypeObject *type = Py_TYPE(object);
    tn_session_destroy(self->session);
    Py_XDECREF(self->executor);
    Py_XDECREF(self->engine);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_new, session_new},
    {Py_tp_dealloc, session_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {.name = "tenon._core.Session",
                           .basicsize = sizeof(py_session),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

int py_session_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Session", type) : -1;
}
