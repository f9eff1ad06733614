/* py_executor.c: an engine's calls, served by a Python object with two methods:
 *
 *     prepare(index, op, node, arguments)    arguments: JSON text (docs/calls.md)
 *     run(index, operands, ints) -> results  operands: DLPack capsules; results: arrays or None
 *
 * The callbacks come on the thread that made the session or runs the context, which has released
 * the GIL. An exception stays set in that thread's state until py_raise() finds it there. */
#include "py_core.h"

/* The status that stands for the Python exception now set. */
static tn_status raised(void) {
    return tn_status_create(TN_INVALID_ARGUMENT, "the Python executor raised an exception");
}

static tn_status prepare(void *user, const tn_call_info *info) {
    const py_session *session = user;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *done =
        PyObject_CallMethod(session->executor, "prepare", "nsss", (Py_ssize_t)info->index, info->op,
                            info->node, info->arguments);
    tn_status status = done ? NULL : raised();
    Py_XDECREF(done);
    PyGILState_Release(gil);
    return status;
}

static PyObject *list_operands(const tn_call *call) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < call->operand_count; i++) {
        PyObject *capsule = py_capsule_of(&call->operands[i]);
        if (!capsule || PyList_Append(list, capsule) != 0)
            Py_CLEAR(list);
        Py_XDECREF(capsule);
    }
    return list;
}

static PyObject *list_ints(const tn_call *call) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < call->int_count; i++) {
        PyObject *value = PyLong_FromLongLong(call->ints[i]);
        if (!value || PyList_Append(list, value) != 0)
            Py_CLEAR(list);
        Py_XDECREF(value);
    }
    return list;
}

/* Points the call's results at the memory of the arrays, which `held` (a list) keeps alive. */
static int lend_results(PyObject *results, PyObject *held, tn_call *call) {
    Py_ssize_t count = PySequence_Size(results);
    if (count < 0 || (size_t)count != call->result_count) {
        if (count >= 0)
            PyErr_Format(PyExc_ValueError, "the operator gave %zd results, expected %zu", count,
                         call->result_count);
        return -1;
    }
    py_exchange exchange = {NULL, NULL, NULL, NULL};
    int code = 0;
    for (Py_ssize_t i = 0; code == 0 && i < count; i++) {
        PyObject *item = PySequence_GetItem(results, i);
        py_view view;
        if (item == Py_None) {
            Py_DECREF(item);
            continue;
        }
        code = item ? py_view_take(&exchange, item, &view) : -1;
        if (code == 0) {
            call->results[i] = view.tensor;
            code = PyList_Append(held, item);
            if (code == 0 && view.held)
                code = PyList_Append(held, view.held);
            py_view_drop(&view);
        }
        Py_XDECREF(item);
    }
    py_exchange_drop(&exchange);
    return code;
}

static tn_status run(void *user, tn_call *call) {
    const py_session *session = user;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *operands = list_operands(call);
    PyObject *ints = operands ? list_ints(call) : NULL;
    PyObject *results = NULL;
    if (ints)
        results = PyObject_CallMethod(session->executor, "run", "nOO", (Py_ssize_t)call->index,
                                      operands, ints);
    PyObject *held = results ? PyList_New(0) : NULL;
    /* Given back by release(), after an error too. */
    call->held = held;
    tn_status status = held && lend_results(results, held, call) == 0 ? NULL : raised();
    Py_XDECREF(results);
    Py_XDECREF(ints);
    Py_XDECREF(operands);
    PyGILState_Release(gil);
    return status;
}

static void release(void *user, void *held) {
    (void)user;
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF((PyObject *)held);
    PyGILState_Release(gil);
}

tn_executor py_executor(py_session *session) {
    return (tn_executor){.size = sizeof(tn_executor),
                         .user = session,
                         .prepare = prepare,
                         .run = run,
                         .release = release};
}
