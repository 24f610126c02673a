"""What recorded nodes on arrays remember of their operands: whose adjoint, and which view of it."""

import numpy as np

from cpython.ref cimport PyObject

from dualtape.core.tape cimport Tape, Var
from dualtape.core.view cimport Storage, View, shape_of, view_of

from dualtape.core.hooks import HOOKS


cdef class Reference:
    """The adjoint of a view: what a recorded node remembers of an operand."""

    @property
    def geometry(self):
        return self.shape_source


# Whose storage views stand for that belong to references: they are geometry alone.
cdef Storage no_storage = Storage.__new__(Storage)


cdef Reference reference(View a):
    cdef Reference r = Reference.__new__(Reference)
    r.id = a.store.id
    cdef View g = View.__new__(View)
    g.store = no_storage
    g.nd = a.nd
    g.size = a.size
    g.offset = a.offset
    g.part = a.part
    cdef int k
    for k in range(a.nd):
        g.shape_[k] = a.shape_[k]
        g.step_[k] = a.step_[k]
    r.shape_source = g
    return r


cdef list references(Tape tape, operands):
    """For each operand its adjoint: a Reference, the index of a scalar, or None for a constant."""
    out = []
    for x in operands:
        if isinstance(x, View) and (<View>x).store.tape is tape and (<View>x).store.level == tape.level:
            out.append(reference(<View>x))
        elif isinstance(x, Var) and (<Var>x).owner == <PyObject *>tape:
            out.append((<Var>x).index)
        else:
            out.append(None)
    return out


cdef class Call:
    """A recorded node on arrays.

    Attributes
    ----------
    out : Reference or None
        Whose adjoint is pulled back; None where the result is the scalar of the node.
    operands : list
        As `references` gives them.
    pull : callable or None
        None for a plain write of constants.
    key : object
        What of `out` the node overwrote: its adjoint is zero before the node. None where the array was fresh.
    push : callable or None
        ``push(tangents)`` gives the tangents of the result, one for each lane or None for zero, from those of the
        operands: a list of such lists, None where all are zero. A `pull` that is not linear has a method
        ``second(bar, bardots, tangents, out_tangents)`` then, which gives the contributions to the adjoints, and for
        each lane those to their tangents. None where the node knows no tangents.
    """

    def __init__(self, out, operands, pull, key=None, push=None):
        self.out = out
        self.operands = operands
        self.pull = pull
        self.key = key
        self.push = push


def make_reference(View a):
    """The reference of an array's adjoint."""
    return reference(a)


def accumulate(flat, Reference r, bar):
    """Add to the part of a flat adjoint that a reference means."""
    cdef View g = r.shape_source
    view = view_of(flat, g)
    repeated = [k for k in range(g.nd) if g.step_[k] == 0 and g.shape_[k] > 1]
    if repeated:
        # A broadcast view: its elements along such an axis are one.
        bar = np.sum(HOOKS["spread"](bar, shape_of(g)), axis=tuple(repeated), keepdims=True)
        view = view[tuple([slice(0, 1) if k in repeated else slice(None) for k in range(g.nd)])]
    if isinstance(flat, np.ndarray):
        if isinstance(bar, np.ndarray) and bar.dtype.kind == "c" and flat.dtype.kind != "c":
            bar = bar.real
        view += bar
        return
    view[...] = view + bar


def reference_at(id, offset, shape, steps, part=0):
    """The reference of a view, from its geometry."""
    cdef Reference r = Reference.__new__(Reference)
    cdef View g = View.__new__(View)
    cdef int k
    r.id = id
    g.store = no_storage
    g.nd = len(shape)
    g.offset = offset
    g.part = part
    g.size = 1
    for k in range(g.nd):
        g.shape_[k] = shape[k]
        g.step_[k] = steps[k]
        g.size *= g.shape_[k]
    r.shape_source = g
    return r


def adjoint_view(flat, Reference r):
    """The view of a flat adjoint that a reference means."""
    return view_of(flat, r.shape_source)
