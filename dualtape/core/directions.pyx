"""Derivatives of a recorded program in several directions at a time: Jacobians and Hessians."""

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t

from dualtape.core.adjoint cimport Call, Reference, reference
from dualtape.core.lanes cimport Lanes
from dualtape.core.objects cimport reach_of
from dualtape.core.passes cimport DT_MOST_LANES
from dualtape.core.tape cimport Tape, Var
from dualtape.core.view cimport View

cnp.import_array()

# Doubles that the tangents of all arrays on a tape may take: with more, fewer lanes go at a time.
cdef int64_t MOST = 1 << 27


cdef bint fits(Tape tape):
    """Whether every node has tangents in lanes: all numbers are of float64, and all nodes that Python does know
    theirs."""
    if tape.boxed or tape.dtypes or tape.t.arrays & 4:
        return False
    for call in tape.records or ():
        if (<Call>call).push is None:
            return False
    return True


cdef int lanes_for(Tape tape, Py_ssize_t wanted):
    """How many directions to take at a time."""
    cdef int64_t total = 1
    cdef uint32_t i
    for i in range(tape.t.n_shadows):
        total += tape.t.shadow_size[i]
    return max(1, min(wanted, DT_MOST_LANES, MOST // total))


cdef list places_of(list outputs):
    """Where the numbers of results lie."""
    cdef list places = []
    for out in outputs:
        places.append(reference(<View>out) if isinstance(out, View) else (<Var>out).index)
    return places


cdef uint32_t reach(Tape tape, list outputs, list places):
    """Up to which node a sweep goes: the results, and the variables."""
    cdef uint32_t size = reach_of(tape, outputs)
    for place in places:
        if type(place) is Reference:
            if tape.scalars and (<Reference>place).id in tape.scalars:
                size = max(size, <uint32_t>tape.scalars[(<Reference>place).id] + (<Reference>place).shape_source.size)
        else:
            size = max(size, <uint32_t>place + 1)
    return size


cdef cnp.ndarray chunk_of(directions, Py_ssize_t first, Py_ssize_t used, Py_ssize_t n):
    """Some of the directions; those of single variables where none are given."""
    if directions is not None:
        return np.ascontiguousarray(directions[first : first + used], dtype=np.float64)
    block = np.zeros((used, n))
    np.fill_diagonal(block[:, first:], 1.0)
    return block


cdef Py_ssize_t count(list places):
    """How many numbers there are."""
    cdef Py_ssize_t n = 0
    for place in places:
        n += (<Reference>place).shape_source.size if type(place) is Reference else 1
    return n


def tangents(Tape tape, list inputs, list outputs, directions):
    """Jacobian-vector products by forward sweeps over a recording.

    Parameters
    ----------
    tape : Tape
    inputs : list of int or Reference
        Where the variables lie, n numbers.
    outputs : list of Var or VarArray
        Results, m numbers.
    directions : ndarray of float64, shape (k, n), or None
        None: those of single variables.

    Returns
    -------
    ndarray, shape (k, m), or None
        None where a node knows no tangents in lanes.
    """
    cdef Py_ssize_t n = count(inputs), first = 0
    cdef Py_ssize_t k = n if directions is None else directions.shape[0]
    cdef int lanes = lanes_for(tape, k), used
    cdef Lanes now
    if not fits(tape):
        return None
    places = places_of(outputs)
    size = reach(tape, outputs, inputs)
    products = np.zeros((k, count(places)))
    while first < k:
        used = min(lanes, k - first)
        now = Lanes(tape, size, used, True, False)
        now.seed(inputs, chunk_of(directions, first, used, n), False)
        now.forwards()
        now.gather(places, products[first : first + used], False)
        first += used
    return products


def cotangents(Tape tape, list inputs, list outputs, weights):
    """Vector-Jacobian products by reverse sweeps over a recording, several at a time.

    Parameters
    ----------
    tape, inputs, outputs
        As for `tangents`.
    weights : ndarray of float64, shape (k, m), or None
        None: those of single results.

    Returns
    -------
    ndarray, shape (k, n), or None
    """
    cdef list places = places_of(outputs)
    cdef Py_ssize_t m = count(places), first = 0
    cdef Py_ssize_t k = m if weights is None else weights.shape[0]
    cdef int lanes = lanes_for(tape, k), used
    cdef Lanes now
    if not fits(tape):
        return None
    size = reach(tape, outputs, inputs)
    products = np.zeros((k, count(inputs)))
    while first < k:
        used = min(lanes, k - first)
        now = Lanes(tape, size, used, False, True)
        now.seed(places, chunk_of(weights, first, used, m), True)
        now.backwards()
        now.gather(inputs, products[first : first + used], True)
        first += used
    return products


def second(Tape tape, list inputs, output, directions):
    """Hessian-vector products by tangent over adjoint.

    Parameters
    ----------
    tape, inputs
        As for `tangents`.
    output : Var, or VarArray without axes
    directions : ndarray of float64, shape (k, n), or None
        As for `tangents`.

    Returns
    -------
    ndarray, shape (k, n), or None
        None where a node knows no tangents in lanes.
    """
    cdef Py_ssize_t n = count(inputs), first = 0
    cdef Py_ssize_t k = n if directions is None else directions.shape[0]
    cdef int lanes = lanes_for(tape, k), used
    cdef Lanes now
    if not fits(tape):
        return None
    size = reach(tape, [output], inputs)
    products = np.zeros((k, n))
    while first < k:
        used = min(lanes, k - first)
        now = Lanes(tape, size, used, True, True)
        now.seed(inputs, chunk_of(directions, first, used, n), False)
        now.forwards()
        if isinstance(output, Var):
            now.c.scalar_bar[(<Var>output).index] = 1.0
        else:
            now.shadows.add(reference(<View>output), np.ones(()))
        now.backwards()
        now.gather(inputs, products[first : first + used], True)
        first += used
    return products
