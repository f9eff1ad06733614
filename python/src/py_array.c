/* py_array.c: arrays of any package seen as DLTensor, without a copy.
 *
 * Two ways, both of the DLPack standard: a type's table of C functions
 * (__dlpack_c_exchange_api__, DLPack 1.3; 0.1 us for a torch tensor, whose __dlpack__ takes 4), and
 * the method __dlpack__, which all have. Nothing here knows a package by its name.
 *
 * A capsule that nobody consumes frees its tensor when it goes, so that holding it is borrowing. */
#include <stdlib.h>

#include "py_core.h"

/* ---- what dlpack.h declares besides DLTensor ---------------------------------------------------
 */

typedef struct managed_tensor {
    DLTensor tensor;
    void *owner;
    void (*deleter)(struct managed_tensor *self);
} managed_tensor;

typedef struct version {
    uint32_t major, minor;
} version;

enum { FLAG_READ_ONLY = 1 };

typedef struct versioned_tensor {
    version version;
    void *owner;
    void (*deleter)(struct versioned_tensor *self);
    uint64_t flags;
    DLTensor tensor;
} versioned_tensor;

typedef struct py_exchange_api {
    version version;
    const struct py_exchange_api *older;
    /* Of these, only the one that lends a DLTensor is used here. */
    void (*allocate)(void);
    void (*managed_from_object)(void);
    void (*managed_to_object)(void);
    int (*lend)(void *object, DLTensor *out_tensor); /* NULL: the type cannot */
    void (*work_stream)(void);
} py_exchange_api;

/* ---- views ------------------------------------------------------------------------------------
 */

/* Looks the table of a type up, if it has one that we understand. */
static int learn(py_exchange *exchange, PyObject *type) {
    Py_CLEAR(exchange->type);
    exchange->api = NULL;
    PyObject *capsule = PyObject_GetAttrString(type, "__dlpack_c_exchange_api__");
    if (!capsule) {
        PyErr_Clear();
    } else {
        const py_exchange_api *api = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
        Py_DECREF(capsule); /* the table lives as long as the type */
        if (!api)
            return -1;
        while (api && api->version.major > 1)
            api = api->older;
        exchange->api = api && api->version.major == 1 && api->lend ? api : NULL;
    }
    Py_INCREF(type);
    exchange->type = type;
    return 0;
}

void py_exchange_drop(py_exchange *exchange) {
    Py_CLEAR(exchange->type);
    Py_CLEAR(exchange->no_args);
    Py_CLEAR(exchange->keywords);
    exchange->api = NULL;
}

/* object.__dlpack__(max_version=(1, 1)), or without the argument for those that are older. */
static PyObject *ask_capsule(py_exchange *exchange, PyObject *object) {
    PyObject *method = PyObject_GetAttrString(object, "__dlpack__");
    if (!method) {
        PyErr_Clear();
        PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__name__");
        if (name)
            PyErr_Format(PyExc_TypeError, "expected an array with __dlpack__, not %S", name);
        Py_XDECREF(name);
        return NULL;
    }
    if (!exchange->no_args)
        exchange->no_args = PyTuple_New(0);
    if (!exchange->keywords)
        exchange->keywords = Py_BuildValue("{s(ii)}", "max_version", 1, 1);
    PyObject *capsule = NULL;
    if (exchange->no_args && exchange->keywords)
        capsule = PyObject_Call(method, exchange->no_args, exchange->keywords);
    if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        capsule = PyObject_CallObject(method, NULL);
    }
    Py_DECREF(method);
    return capsule;
}

static int open_capsule(PyObject *capsule, py_view *out_view) {
    if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        const versioned_tensor *managed = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        if (managed->version.major != 1) {
            PyErr_Format(PyExc_BufferError, "__dlpack__ gave version %u.%u, expected 1.x",
                         managed->version.major, managed->version.minor);
            return -1;
        }
        out_view->tensor = managed->tensor;
        out_view->is_read_only = (managed->flags & FLAG_READ_ONLY) != 0;
        return 0;
    }
    const managed_tensor *managed = PyCapsule_GetPointer(capsule, "dltensor");
    if (!managed)
        return -1;
    out_view->tensor = managed->tensor;
    return 0;
}

int py_view_take(py_exchange *exchange, PyObject *object, py_view *out_view) {
    out_view->held = NULL;
    out_view->is_read_only = false;
    if ((PyObject *)Py_TYPE(object) != exchange->type &&
        learn(exchange, (PyObject *)Py_TYPE(object)) != 0)
        return -1;
    if (exchange->api)
        return exchange->api->lend(object, &out_view->tensor);
    PyObject *capsule = ask_capsule(exchange, object);
    if (!capsule || open_capsule(capsule, out_view) != 0) {
        Py_XDECREF(capsule);
        return -1;
    }
    out_view->held = capsule;
    return 0;
}

void py_view_drop(py_view *view) {
    Py_CLEAR(view->held);
}

bool py_is_contiguous(const DLTensor *tensor) {
    int64_t wanted = 1;
    bool is_dense = true, is_empty = false; /* no stride of an empty tensor is wrong */
    for (int32_t d = tensor->ndim; tensor->strides && d-- > 0;) {
        is_empty = is_empty || tensor->shape[d] == 0;
        is_dense = is_dense && (tensor->shape[d] == 1 || tensor->strides[d] == wanted);
        wanted *= is_dense ? tensor->shape[d] : 1;
    }
    return is_dense || is_empty;
}

/* ---- lending -----------------------------------------------------------------------------------
 */

typedef struct lent_tensor {
    managed_tensor managed;
    int64_t shape[TN_MAX_RANK], strides[TN_MAX_RANK];
} lent_tensor;

static void free_lent(managed_tensor *managed) {
    free(managed->owner);
}

/* A capsule whose tensor was taken has another name. */
static void drop_capsule(PyObject *capsule) {
    if (!PyCapsule_IsValid(capsule, "dltensor"))
        return;
    managed_tensor *managed = PyCapsule_GetPointer(capsule, "dltensor");
    managed->deleter(managed);
}

PyObject *py_capsule_of(const DLTensor *tensor) {
    lent_tensor *lent = malloc(sizeof *lent);
    if (!lent)
        return PyErr_NoMemory();
    lent->managed = (managed_tensor){.tensor = *tensor, .owner = lent, .deleter = free_lent};
    lent->managed.tensor.shape = lent->shape;
    lent->managed.tensor.strides = tensor->strides ? lent->strides : NULL;
    for (int32_t d = 0; d < tensor->ndim; d++) {
        lent->shape[d] = tensor->shape[d];
        if (tensor->strides)
            lent->strides[d] = tensor->strides[d];
    }
    PyObject *capsule = PyCapsule_New(&lent->managed, "dltensor", drop_capsule);
    if (!capsule)
        free(lent);
    return capsule;
}
