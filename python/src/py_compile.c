/* py_compile.c: tenon._core.compile_file and report_file, with progress, log and cancelling. Built
 * only where the whole library is: a runtime-only module lacks both, which is how the package
 * tells.
 */
#include "py_core.h"
#include "tenon/compile.h"

typedef struct listener {
    PyObject *progress, *log; /* callables; Py_None: none */
} listener;

/* The long calls run without the GIL; these come on their thread. */
static bool on_progress(void *user, double fraction, const char *what) {
    const listener *l = user;
    PyGILState_STATE gil = PyGILState_Ensure();
    bool goes_on = PyErr_CheckSignals() == 0;
    if (goes_on && l->progress != Py_None) {
        PyObject *answer = PyObject_CallFunction(l->progress, "ds", fraction, what);
        goes_on = answer && answer != Py_False;
        Py_XDECREF(answer);
    }
    PyGILState_Release(gil);
    return goes_on;
}

static void on_log(void *user, tn_log_level level, const char *message) {
    const listener *l = user;
    PyGILState_STATE gil = PyGILState_Ensure();
    if (!PyErr_Occurred()) {
        PyObject *done = PyObject_CallFunction(l->log, "is", (int)level, message);
        if (!done)
            PyErr_WriteUnraisable(l->log);
        Py_XDECREF(done);
    }
    PyGILState_Release(gil);
}

/* Texts are borrowed from the dictionary. */
static int take_options(PyObject *dict, tn_compile_options *out_options) {
    *out_options = (tn_compile_options){.size = sizeof *out_options};
    PyObject *key = NULL, *item = NULL;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &item)) {
        const char *name = NULL, *value = NULL;
        if (!PyArg_Parse(key, "s", &name) || !PyArg_Parse(item, "s", &value))
            return -1;
        tn_status status = tn_compile_options_set(out_options, name, value);
        if (status) {
            (void)py_raise(status);
            return -1;
        }
    }
    return 0;
}

typedef struct job {
    PyObject *model, *engine; /* paths as bytes; engine NULL: a report */
    listener listener;
    tn_compile_options options;
} job;

/* Compiles, or makes the report. */
static PyObject *run_job(job *j) {
    tn_env_options env_options = {.size = sizeof env_options,
                                  .log = j->listener.log == Py_None ? NULL : on_log,
                                  .log_user = &j->listener,
                                  .progress = on_progress,
                                  .progress_user = &j->listener};
    const char *model = PyBytes_AsString(j->model);
    const char *engine = j->engine ? PyBytes_AsString(j->engine) : NULL;
    tn_env *env = NULL;
    char *json = NULL;
    tn_status status = NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = tn_env_create(&env_options, &env);
    if (!status)
        status = engine ? tn_compile_file(env, model, &j->options, engine)
                        : tn_report_file(env, model, &j->options, &json);
    Py_END_ALLOW_THREADS;
    PyObject *result = NULL;
    if (status) {
        result = py_raise(status);
    } else if (json) {
        result = PyUnicode_FromString(json);
    } else {
        Py_INCREF(Py_None);
        result = Py_None;
    }
    tn_report_free(env, json);
    tn_env_destroy(env);
    return result;
}

static PyObject *start_job(job *j, PyObject *options) {
    PyObject *result = take_options(options, &j->options) == 0 ? run_job(j) : NULL;
    Py_XDECREF(j->model);
    Py_XDECREF(j->engine);
    return result;
}

static PyObject *compile_file(PyObject *module, PyObject *args) {
    (void)module;
    job j = {NULL, NULL, {NULL, NULL}, {0}};
    PyObject *options = NULL;
    if (!PyArg_ParseTuple(args, "O&O&O!OO", PyUnicode_FSConverter, &j.model, PyUnicode_FSConverter,
                          &j.engine, &PyDict_Type, &options, &j.listener.progress, &j.listener.log))
        return NULL;
    return start_job(&j, options);
}

static PyObject *report_file(PyObject *module, PyObject *args) {
    (void)module;
    job j = {NULL, NULL, {Py_None, Py_None}, {0}};
    PyObject *options = NULL;
    if (!PyArg_ParseTuple(args, "O&O!", PyUnicode_FSConverter, &j.model, &PyDict_Type, &options))
        return NULL;
    return start_job(&j, options);
}

static PyMethodDef functions[] = {
    {"compile_file", compile_file, METH_VARARGS,
     "compile_file(model, engine, options, progress, log)"},
    {"report_file", report_file, METH_VARARGS, "report_file(model, options) -> JSON text"},
    {NULL, NULL, 0, NULL},
};

int py_compile_add(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
