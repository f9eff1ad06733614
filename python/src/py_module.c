/* py_module.c: the module tenon._core, and how statuses become exceptions. */
#include <string.h>

#include "py_core.h"

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tenon._core",
    .m_doc = "The C library under the package tenon; not for use from outside of it.",
    .m_size = 0,
};

PyObject *py_type(const char *name) {
    PyObject *module = PyState_FindModule(&definition);
    PyObject *type = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(type); /* the module keeps it */
    return type;
}

/* The message and the notes as a list of texts. */
static PyObject *list_texts(const tn_error *status) {
    PyObject *list = PyList_New(0);
    const char *text = tn_status_message(status);
    for (size_t i = 0; list && text; text = tn_status_note(status, i++)) {
        PyObject *item = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
        if (!item || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *py_raise(tn_status status) {
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *errors = PyImport_ImportModule("tenon._errors");
    PyObject *texts = list_texts(status);
    PyObject *made = NULL;
    if (errors && texts)
        made =
            PyObject_CallMethod(errors, "from_status", "sOO", tn_code_name(tn_status_code(status)),
                                texts, value ? value : Py_None);
    tn_status_free(status);
    Py_XDECREF(errors);
    Py_XDECREF(texts);
    if (made == value && value) {
        Py_DECREF(made);
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    if (made)
        PyErr_SetObject((PyObject *)Py_TYPE(made), made);
    Py_XDECREF(made);
    return NULL;
}

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    if (PyModule_AddStringConstant(module, "version", tn_version()) != 0 ||
        py_engine_add(module) != 0 || py_session_add(module) != 0 || py_context_add(module) != 0)
        Py_CLEAR(module);
#ifndef TENON_RT_ONLY
    if (module && py_compile_add(module) != 0)
        Py_CLEAR(module);
#endif
    return module;
}
