"""Forward mode: derivatives that travel with the values, by dual numbers."""

import numpy as np

from dualtape.boxed.differentiate import boxed_dual, boxed_tangents, unit_array
from dualtape.core.array import Array
from dualtape.core.assign import leaf_dual
from dualtape.core.dual import make_dual
from dualtape.core.levels import close_level, open_level
from dualtape.core.perturbation import derivative_of_float, split
from dualtape.core.traced import Traced, to_number
from dualtape.core.values import level_of, plain_of, primal_at, tangents_at
from dualtape.errors import InputError, escaped, unknown_result
from dualtape.reverse import curry, need_callable, points
from dualtape.trees import Leaves, coerce, flatten, is_array, is_boxed, object_array, unflatten

__all__ = ["derivative", "dual_inputs", "pushforward", "tangents_of", "unit_directions"]


def one_like(x):
    """The seed of a tangent: a float for floats, an exact 1 for numbers of other kinds."""
    while isinstance(x, Traced):
        x = x.value
    return 1.0 if type(x) in (float, int) else 1


def dual_inputs(level, slots, directions):
    """Values of a forward level for numbers and arrays.

    Parameters
    ----------
    level : int
    slots : list of number or array
    directions : list of list
        For each tangent what it is of each slot.
    """
    out = []
    for j, x in enumerate(slots):
        parts = [direction[j] for direction in directions]
        if is_boxed(x):
            out.append(boxed_dual(level, x, parts))
        elif is_array(x):
            out.append(leaf_dual(level, x, parts))
        else:
            out.append(make_dual(level, x, [0 if t is None else t for t in parts]))
    return out


def unit_directions(slots, first, width):
    """The unit vectors `first` to `first + width` of the space of all numbers in the slots, as directions."""
    directions = [[None] * len(slots) for _ in range(width)]
    place = 0
    for j, x in enumerate(slots):
        n = x.size if is_array(x) else 1
        for k in range(max(first, place), min(first + width, place + n)):
            if is_boxed(x):
                directions[k - first][j] = unit_array(x, k - place)
            elif is_array(x):
                unit = np.zeros(x.shape, dtype=x.dtype)
                unit.reshape(-1)[k - place] = 1.0
                directions[k - first][j] = unit
            else:
                directions[k - first][j] = one_like(x)
        place += n
    return directions


def tangents_of(level, leaf, place):
    """One leaf of what a function returned: its value and one of its tangents."""
    if is_boxed(leaf):
        return boxed_tangents(level, leaf, place)
    if isinstance(leaf, Array):
        if level_of(leaf) > level:
            raise escaped()
        tangents = tangents_at(level, leaf) if leaf._level == level else None
        value = primal_at(level, leaf)
        value = value.copy() if level_of(value) else np.array(plain_of(value))
        if tangents is None or tangents[place] is None:
            return value, np.zeros(leaf.shape, dtype=leaf.dtype if leaf.dtype.kind in "fc" else np.float64)
        tangent = tangents[place]
        return value, tangent.copy() if level_of(tangent) else np.array(plain_of(tangent))
    if isinstance(leaf, np.ndarray):
        if leaf.dtype != object:
            return leaf, np.zeros(leaf.shape, dtype=leaf.dtype if leaf.dtype.kind in "fc" else np.float64)
        pairs = [tangents_of(level, x, place) for x in leaf.ravel().tolist()]
        return tuple(_number_array([pair[k] for pair in pairs], leaf.shape) for k in (0, 1))
    value, tangents = split(level, leaf)
    if value is None:
        if not isinstance(leaf, (str, bytes)):
            raise unknown_result(type(leaf))
        return leaf, None
    return value, coerce(value, 0.0 if tangents is None else tangents[place])


def _number_array(values, shape):
    """An array of floats where all values are, else of objects."""
    if all(type(x) in (float, int) for x in values):
        return np.array(values, dtype=np.float64).reshape(shape)
    if all(type(x) in (float, int, complex) for x in values):
        return np.array(values, dtype=np.complex128).reshape(shape)
    return object_array(values, shape)


class _Absent:
    """An argument that was left out, as `help` shows it."""

    def __repr__(self):
        return "<left out>"


_ABSENT = _Absent()


def derivative(f, x=_ABSENT, /, **kwargs):
    """Derivative of a function of one number, by forward mode.

    Parameters
    ----------
    f : callable
        A function of a number that returns a number, an array, a structure of them, or a function.
    x : number
        Where to differentiate. Left out, the result is a function of it, so that ``derivative`` is a decorator and
        nests: ``dt.derivative(dt.derivative(f))(x)``.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    like the result of f
        df/dx. Of a complex x it is the complex derivative, if f is holomorphic. Where f returns a function, its
        derivative is the function of the same arguments that gives the derivative of the result.

    Raises
    ------
    InputError
        If x is no number, or boolean.

    See Also
    --------
    gradient, jacobian, taylor

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.derivative(lambda x: x**3, 2.0)
    12.0
    >>> dt.derivative(lambda t: [dt.sin(t), t * t])(0.0)
    [1.0, 0.0]
    >>> dt.derivative(dt.derivative(dt.exp))(0.0)
    1.0
    """
    if type(x) is float and not kwargs and callable(f):
        value, tangent, native = derivative_of_float(f, x)
        if native:
            return tangent
        try:
            return _tangent_structure(f, x, kwargs, tangent[0], value)
        finally:
            close_level(*tangent)
    need_callable(f, "derivative")
    if x is _ABSENT:
        return derivative(f, kwargs.pop("x"), **kwargs) if "x" in kwargs else curry(derivative, f, **kwargs)
    if isinstance(x, Array) and x.ndim == 0:
        x = x[()]
    if isinstance(x, (bool, np.bool_)):
        raise InputError("dt.derivative with respect to a boolean: it has no derivative")
    number = to_number(x)
    if number is None:
        kind = "an array; use dt.gradient or dt.jacobian" if isinstance(x, np.ndarray) else f"{type(x).__name__!r}"
        raise InputError(f"dt.derivative needs a number to differentiate at, not {kind}")
    if type(number) is int:
        number = float(number)
    level, before = open_level()
    try:
        out = f(make_dual(level, number, [one_like(number)]), **kwargs)
        slope = _tangent_structure(f, x, kwargs, level, out)
    finally:
        close_level(level, before)
    return coerce(x, slope) if isinstance(x, np.generic) and isinstance(slope, float) else slope


def _tangent_structure(f, x, kwargs, level, out):
    """The tangents of whatever f returned."""
    if callable(out) and not isinstance(out, Traced):
        # A function of further arguments. Its derivative is taken when it is called, at a level of its own, so that
        # tangents of different calls never mix.
        def curried(*args, **more):
            return derivative(lambda t: f(t, **kwargs)(*args, **more), x)

        return curried
    leaves, spec = flatten(out)
    return unflatten(spec, [tangents_of(level, leaf, 0)[1] for leaf in leaves])


def pushforward(f, /, *args, **kwargs):
    """Value and Jacobian-vector product of a function, by forward mode.

    Parameters
    ----------
    f : callable
        A function that returns a number, an array or a structure of them.
    primals : number, array or structure of them
        Where to evaluate. A tuple means several arguments, ``f(*primals)``; anything else is the one argument. Left
        out together with `tangents`, the result is a function of both.
    tangents : like primals
        The direction.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    value : like the result of f
    tangent : like the result of f
        The directional derivative.

    Raises
    ------
    InputError
        If one of them holds booleans or an object without numbers.
    OptionError
        If primals and tangents differ in structure.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.pushforward(lambda x, y: x * y, (3.0, 2.0), (1.0, 10.0))
    (6.0, 32.0)
    """
    args = points(args, kwargs, "primals", "tangents")
    if not args:
        return curry(pushforward, f, **kwargs)
    need_callable(f, "pushforward")
    if len(args) != 2:
        raise TypeError("dt.pushforward(f, primals, tangents) takes two points; f's own options go by keyword")
    primals, tangents = args
    several = type(primals) is tuple
    point = Leaves(primals, "primals")
    direction = Leaves(tangents, "tangents")
    direction.must_match(point, "primals")
    level, before = open_level()
    try:
        duals = dual_inputs(level, point.slots, [direction.like(point)])
        inputs = point.rebuild(duals)
        out = f(*inputs, **kwargs) if several else f(inputs, **kwargs)
        leaves, spec = flatten(out)
        pairs = [tangents_of(level, leaf, 0) for leaf in leaves]
    finally:
        close_level(level, before)
    return unflatten(spec, [value for value, _ in pairs]), unflatten(spec, [tangent for _, tangent in pairs])
