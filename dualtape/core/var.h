/* Vars: memory that is kept for the next one. For the module of Vars alone, whose objects they are. */
#ifndef DUALTAPE_VAR_H
#define DUALTAPE_VAR_H

#include <Python.h>
#include <stdint.h>

/* Vars are born and die once for each operation of the program: they are kept for reuse, type and all, so that
 * a new one costs a few stores. The GIL guards the list. */
enum { DT_KEPT_VARS = 512 };
static PyObject *dt_kept_vars[DT_KEPT_VARS];
static int dt_n_kept_vars = 0;

/* A Var as C sees it; the module checks at import that this is how Cython lays it out. */
typedef struct {
    PyObject_HEAD
    unsigned long long level;
    PyObject *owner;
    double primal;
    uint32_t index;
} dt_var;

static inline void *dt_new_var(PyTypeObject *type, PyObject *tape, unsigned long long level, uint32_t index,
                               double primal) {
    PyObject *o;
    if (dt_n_kept_vars > 0) {
        o = dt_kept_vars[--dt_n_kept_vars];
        Py_SET_REFCNT(o, 1);
    } else {
        o = (PyObject *)PyObject_Malloc(sizeof(dt_var));
        if (!o) return PyErr_NoMemory();
        PyObject_Init(o, type);
    }
    dt_var *x = (dt_var *)o;
    x->level = level;
    Py_INCREF(tape);
    x->owner = tape;
    x->primal = primal;
    x->index = index;
    return o;
}

static inline void dt_give_var(PyObject *o) {
    if (dt_n_kept_vars < DT_KEPT_VARS)
        dt_kept_vars[dt_n_kept_vars++] = o;
    else
        PyObject_Free(o);
}

#endif
