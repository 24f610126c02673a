"""Jacobians with respect to arrays of other libraries."""

import math

from dualtape.boxed.array import FUNCTIONS
from dualtape.boxed.differentiate import is_complex_array, stacked, unit_array, zero_of
from dualtape.forward import pushforward
from dualtape.reverse import pullback
from dualtape.trees import Leaves, flatten, is_array, is_boxed, unflatten

__all__ = ["boxed_jacobian"]


def _unit(x, k):
    return unit_array(x, k) if is_boxed(x) else 1.0


def _is_complex(x):
    return is_boxed(x) and is_complex_array(x)


def _size(x):
    return x.size if is_array(x) else 1


def _shape(x):
    return tuple(x.shape) if is_array(x) else ()


def boxed_jacobian(f, x, kwargs, mode):
    """The Jacobian of a function, with one sweep for each element of its results or one run for each of its argument.

    Parameters
    ----------
    f : callable
    x : array or structure
        With an array of another library than NumPy in it.
    kwargs : dict
        Passed to f.
    mode : {"auto", "forward", "reverse"}

    Returns
    -------
    array or structure
        Of the result's kind, whose leaves are structures of the argument's: arrays of the library, of shape
        ``out.shape + in.shape``.
    """
    inputs, inner = flatten(x)
    # An adjoint is one complex number where the derivative of a complex result takes two real ones.
    if mode != "forward" and not any(map(_is_complex, inputs)):
        value, back = pullback(lambda x: f(x, **kwargs), x)
        outputs, outer = flatten(value)
        few = mode == "reverse" or sum(map(_size, outputs)) <= Leaves(x).size
        if few and not any(map(_is_complex, outputs)):
            return unflatten(
                outer, [unflatten(inner, _rows(back, outputs, outer, i, inputs)) for i in range(len(outputs))]
            )
        del back
    columns = [_columns(f, kwargs, inputs, inner, j) for j in range(len(inputs))]
    outer = columns[0][1]
    return unflatten(outer, [unflatten(inner, [parts[i] for parts, _ in columns]) for i in range(outer.num_leaves)])


def _near(*leaves):
    return next(x for x in leaves if is_boxed(x))


def _rows(back, outputs, outer, i, inputs):
    """The derivatives of one result with respect to each leaf of the argument."""
    rows = []
    for k in range(_size(outputs[i])):
        weights = [zero_of(x) for x in outputs]
        weights[i] = _unit(outputs[i], k)
        rows.append(flatten(back(unflatten(outer, weights)))[0])
    shape = _shape(outputs[i])
    return [
        stacked([row[j] for row in rows], shape + _shape(x), x if is_boxed(x) else _near(*inputs))
        for j, x in enumerate(inputs)
    ]


def _columns(f, kwargs, inputs, inner, j):
    """The derivatives of each result with respect to one leaf of the argument, and the results' structure."""
    columns = []
    size = _size(inputs[j])
    for k in range(max(size, 1)):  # of an array without elements too, for the structure of the results
        direction = [zero_of(x) for x in inputs]
        if size:
            direction[j] = _unit(inputs[j], k)
        _, tangent = pushforward(lambda x: f(x, **kwargs), unflatten(inner, inputs), unflatten(inner, direction))
        columns.append(flatten(tangent))
    near, parts = _near(*inputs), []
    for i, first in enumerate(columns[0][0]):
        shape = _shape(first)
        if not size:
            parts.append(stacked([], shape + _shape(inputs[j]), first if is_boxed(first) else near))
            continue
        lines = stacked(
            [column[i] for column, _ in columns], (size, math.prod(shape)), first if is_boxed(first) else near
        )
        parts.append(FUNCTIONS["reshape"](FUNCTIONS["matrix_transpose"](lines), shape + _shape(inputs[j])))
    return parts, columns[0][1]
