"""Jacobians, Hessians and Hessian-vector products."""

import numpy as np

from dualtape.boxed.differentiate import is_complex_array
from dualtape.boxed_jacobian import boxed_jacobian
from dualtape.core.levels import close_level, open_level
from dualtape.core.sweep import Recording
from dualtape.core.traced import Traced, is_complex, plain
from dualtape.core.values import level_of
from dualtape.errors import InputError, OptionError
from dualtape.forward import dual_inputs, tangents_of, unit_directions
from dualtape.reverse import curry, gradient, need_callable, points, scalar_output, variable
from dualtape.trees import Leaves, array_of, elements, flatten, is_array, is_boxed, object_array

__all__ = ["hessian", "hvp", "jacobian"]

# Tangents that one Dual carries in a chunk of a Jacobian: as many as it holds without a larger allocation.
CHUNK = 8


def jacobian(f, /, *args, mode="auto", **kwargs):
    """Jacobian of a function: the derivative of each output with respect to each input.

    Parameters
    ----------
    f : callable
        A function of one argument that returns numbers.
    x : number, array or structure of them
        Where to differentiate. Left out, the result is a function of it.
    mode : {"auto", "forward", "reverse"}, optional
        Forward mode runs f once for every eight inputs. Reverse mode records it once and sweeps once for every eight
        outputs, or once for every output where numbers other than floats take part. "auto" takes the cheaper of
        sweeps over one recording, for the outputs or for the inputs, and of running f on dual numbers where those do
        not serve.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    ndarray, shape out.shape + in.shape
        Lists and tuples of numbers count as vectors, nested ones as matrices. Where the output or the input is
        another structure (a dict, a namedtuple), a structure of the output's kind whose leaves are structures of the
        input's.

    Raises
    ------
    InputError
        If an input is boolean, or f returns anything but numbers.
    OptionError
        If `mode` is unknown.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.jacobian(lambda x: [x[0] * x[1], dt.sin(x[0])], [0.0, 2.0])
    array([[2., 0.],
           [1., 0.]])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise OptionError(f'mode must be "auto", "forward" or "reverse", not {mode!r}')
    args = points(args, kwargs, "x")
    if not args:
        return curry(jacobian, f, mode=mode, **kwargs)
    need_callable(f, "jacobian")
    if len(args) != 1:
        raise TypeError(f"dt.jacobian(f, x) takes one point ({len(args)} given): pass further values by keyword")
    point = Leaves(args[0], "x")
    if any(is_boxed(x) for x in point.slots):
        return boxed_jacobian(f, args[0], kwargs, mode)
    few = point.size <= CHUNK and not any(is_array(x) for x in point.slots)
    if mode == "forward" or (mode == "auto" and few):
        return _forward_jacobian(f, point, kwargs)
    return _reverse_jacobian(f, point, kwargs, mode)


def _forward_jacobian(f, point, kwargs):
    n = point.size
    columns = []
    result = None
    for first in range(0, max(n, 1), CHUNK):
        width = min(CHUNK, n - first)
        level, before = open_level()
        try:
            directions = unit_directions(point.slots, first, width) or [[None] * len(point.slots)]
            out = f(point.rebuild(dual_inputs(level, point.slots, directions)), **kwargs)
            result = result or _Result(out)
            leaves = flatten(out)[0]
            for k in range(width):
                column = []
                for leaf in leaves:
                    column.extend(_numbers_of(tangents_of(level, leaf, k)[1]))
                columns.append(column)
        finally:
            close_level(level, before)
    rows = [[column[i] for column in columns] for i in range(result.size)]
    return result.assemble(rows, point)


def _numbers_of(x):
    if x is None:
        raise InputError("the function returned something that is no number. dt.jacobian needs numbers or arrays")
    return elements(x) if is_array(x) else [x]


class _Result:
    """The shape of what a function returned: one array, or a structure of numbers and arrays."""

    def __init__(self, out):
        self.leaves = Leaves(out, "the result")
        if None in self.leaves.counts:
            bad = self.leaves.leaves[self.leaves.counts.index(None)]
            raise InputError(f"the function returned {type(bad).__name__!r} where numbers are needed")
        self.size = self.leaves.size
        self.shapes = [x.shape if is_array(x) else () for x in self.leaves.leaves]
        self.sizes = [x.size if is_array(x) else 1 for x in self.leaves.leaves]

    def assemble(self, rows, point):
        """The Jacobian from its rows, one for each output number: an ndarray, or a list of lists."""
        shape = self.leaves.shape
        if shape is not None and point.shape is not None:
            return _as_array(_flat(rows), shape + point.shape, point.dtype)
        place = 0
        leaves = []
        for leaf_shape, count in zip(self.shapes, self.sizes, strict=True):
            part = rows[place : place + count]
            place += count
            leaves.append(_block(part, leaf_shape, point))
        return self.leaves.unflatten(leaves)


def _flat(rows, start=None, stop=None):
    """The numbers of some columns, row after row."""
    if isinstance(rows, np.ndarray):
        return rows[:, start:stop].reshape(-1)
    return [x for row in rows for x in row[start:stop]]


def _block(rows, shape, point):
    """The Jacobian of one leaf of the output with respect to a structure: arrays of shape + the input leaf's."""
    start = 0
    blocks = []
    for leaf, count in zip(point.leaves, point.counts, strict=True):
        if count is None:
            blocks.append(None)
            continue
        count = leaf.size if is_array(leaf) else 1
        part = _flat(rows, start, start + count)
        start += count
        blocks.append(_as_array(part, shape + (leaf.shape if is_array(leaf) else ()), np.dtype(np.float64)))
    return point.unflatten(blocks)


def _as_array(values, shape, dtype):
    """Numbers as an array, of objects where they are traced; a number where the shape is ()."""
    if isinstance(values, np.ndarray):
        if shape == ():
            return float(values[0]) if dtype == np.float64 else dtype.type(values[0])
        return values.reshape(shape).astype(dtype, copy=False)
    if shape == ():
        return values[0] if isinstance(values[0], Traced) or dtype == np.float64 else dtype.type(values[0])
    if all(type(x) in (int, float) for x in values):
        return np.array(values, dtype=dtype).reshape(shape)
    if all(type(x) in (int, float, complex) for x in values):
        return np.array(values, dtype=np.complex128).reshape(shape)
    if any(isinstance(x, Traced) and level_of(x) for x in values) and all(is_real_number(x) for x in values):
        return array_of(values, shape)
    return object_array(values, shape)


def is_real_number(x):
    """Whether a number is, below all levels, a float or an int: an element that an array can have."""
    return type(plain(x)) in (float, int)


def _reverse_jacobian(f, point, kwargs, mode):
    n = point.size
    with Recording() as recording:
        recording.keep_all()
        pairs = [variable(recording, x) for x in point.slots]
        inputs = [place for _, place in pairs]
        out = f(point.rebuild([value for value, _ in pairs]), **kwargs)
        del pairs
        result = _Result(out)
        own = [recording.output(x) for x in result.leaves.slots]
        if any(_complex(x) for x in (*own, *point.slots)):
            # An adjoint is one complex number where the derivative of a complex result takes two real ones.
            return _forward_jacobian(f, point, kwargs)
        mine = [x for x in own if recording.owns(x)]
        size = sum(x.size if is_array(x) else 1 for x in mine)
        columns = None
        if mode == "auto" and 2 * size > n and mine:
            columns = recording.tangents(inputs, mine)
        if columns is not None:
            columns = columns.T
        elif mode == "auto" and size > n:
            del out, own, mine, result
            return _forward_jacobian(f, point, kwargs)
        else:
            columns = recording.cotangents(inputs, mine) if size > 1 else None
            if columns is None:
                columns = [_row(recording, x, w, inputs) for x in mine for w in _unit_cotangents(recording, x)]
        rows = _with_zeros(columns, own, recording, n)
        result.leaves.slots = []
        del out, own, mine, columns
        shape_holder = _plain_result(result, recording)
    return shape_holder.assemble(rows, point)


def _with_zeros(rows, own, recording, n):
    """The rows of a Jacobian with those of results that depend on nothing between them."""
    if isinstance(rows, np.ndarray):
        depends = np.concatenate([np.full(x.size if is_array(x) else 1, recording.owns(x)) for x in own])
        if depends.all():
            return rows
        out = np.zeros((depends.size, n))
        out[depends] = rows
        return out
    rows = iter(rows)
    return [next(rows) if recording.owns(x) else [0.0] * n for x in own for _ in range(x.size if is_array(x) else 1)]


def _complex(x):
    if is_boxed(x):
        return is_complex_array(x)
    return x.dtype.kind == "c" if is_array(x) else is_complex(x)


def _unit_cotangents(recording, x):
    """The cotangents that pick one number of a result each."""
    if not is_array(x):
        yield 1 if recording.boxed else 1.0
        return
    for index in np.ndindex(x.shape):
        unit = np.zeros(x.shape, dtype=x.dtype)
        unit[index] = 1.0
        yield unit


def _row(recording, x, cotangent, inputs):
    row = []
    for bar in recording.adjoints([x], [cotangent], inputs):
        row.extend(elements(bar) if is_array(bar) else [bar])
    return row


def _plain_result(result, recording):
    """Let go of the traced values in a result, so that the tape can serve again."""
    result.leaves.leaves = [
        np.empty(x.shape) if is_array(x) else x.value if recording.owns(x) else x for x in result.leaves.leaves
    ]
    return result


def hessian(f, /, *args, **kwargs):
    """Hessian of a scalar function, by forward over reverse mode.

    f is recorded once. Programs on floats and arrays of float64 are then swept with eight directions at a time;
    programs on other numbers, and nested differentiations, go by dual numbers through the gradient.

    Parameters
    ----------
    f : callable
        A function of one argument that returns a real number.
    x : number, array or structure of them
        Where to differentiate. Left out, the result is a function of it.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    ndarray, shape in.shape + in.shape
        Lists and tuples of numbers count as vectors. For another structure, a structure of structures.

    Raises
    ------
    InputError
        If an input is boolean, or f returns anything but a real number.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.hessian(lambda x: x[0] ** 2 * x[1], [1.0, 3.0])
    array([[6., 2.],
           [2., 0.]])
    """
    args = points(args, kwargs, "x")
    if not args:
        return curry(hessian, f, **kwargs)
    need_callable(f, "hessian")
    if len(args) != 1:
        raise TypeError(f"dt.hessian(f, x) takes one point ({len(args)} given): pass further values by keyword")
    point = Leaves(args[0], "x")
    if any(_complex(x) for x in point.slots):
        raise InputError(
            "dt.hessian is not defined at complex points: write f as a function of real and imaginary parts"
        )
    rows = _second(f, point, None, kwargs)
    if rows is None:
        return jacobian(lambda x: gradient(f, x, **kwargs), args[0], mode="forward")
    if point.shape is not None:
        return _as_array(_flat(rows), point.shape + point.shape, point.dtype)
    place = 0
    leaves = []
    for leaf, count in zip(point.leaves, point.counts, strict=True):
        size = None if count is None else leaf.size if is_array(leaf) else 1
        shape = leaf.shape if is_array(leaf) else ()
        leaves.append(None if count is None else _block(rows[place : place + size], shape, point))
        place += size or 0
    return point.unflatten(leaves)


def _second(f, point, directions, kwargs):
    """Hessian-vector products in lanes, all for single variables by default; None where the program has none."""
    if any(type(x) is not float and not _is_float64(x) for x in point.slots):
        return None
    with Recording() as recording:
        recording.keep_all()
        pairs = [_scalars(recording, x) for x in point.slots]
        inputs = [place for _, place in pairs]
        out = f(point.rebuild([value for value, _ in pairs]), **kwargs)
        del pairs
        own = scalar_output(recording, out)
        if isinstance(own, Traced) and not recording.owns(own):
            return None
        if recording.owns(own):
            rows = recording.second(inputs, own, directions)
        else:
            rows = np.zeros((point.size if directions is None else len(directions), point.size))
        del out, own
    return rows


def _is_float64(x):
    return type(x) is np.ndarray and x.dtype == np.float64


def _scalars(recording, x):
    """A variable of a program that may turn out to be one on scalars alone, and where it lies."""
    return recording.scalars(x) if is_array(x) else variable(recording, x)


def hvp(f, /, *args, **kwargs):
    """Hessian of a scalar function times a vector, without the Hessian.

    Parameters
    ----------
    f : callable
        A function of one argument that returns a real number.
    x : number, array or structure of them
        Where to differentiate. Left out together with `v`, the result is a function of both.
    v : like x
        The vector.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    like x
        The product.

    Raises
    ------
    InputError
        If an input is boolean, or f returns anything but a real number.
    OptionError
        If x and v differ in structure.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.hvp(lambda x: x[0] ** 2 * x[1], [1.0, 3.0], [1.0, 0.0])
    [6.0, 2.0]
    """
    args = points(args, kwargs, "x", "v")
    if len(args) == 1 and "v" in kwargs:
        args = (*args, kwargs.pop("v"))
    if not args:
        return curry(hvp, f, **kwargs)
    need_callable(f, "hvp")
    if len(args) != 2:
        raise TypeError("dt.hvp(f, x, v) takes a point and a vector; f's own options go by keyword")
    point = Leaves(args[0], "x")
    vector = Leaves(args[1], "v")
    vector.must_match(point, "x")
    if any(_complex(x) for x in point.slots):
        raise InputError("dt.hvp is not defined at complex points: write f as a function of real and imaginary parts")
    if all(type(v) is float or _is_float64(v) for v in vector.slots):
        rows = _second(f, point, np.concatenate([np.ravel(v) for v in vector.slots] or [[]])[None], kwargs)
        if rows is not None:
            return point.derivatives(point.slots_of(rows[0]))
    return _boxed_hvp(f, point, vector, kwargs)


def _boxed_hvp(f, point, vector, kwargs):
    """Forward over reverse by dual numbers: the tangent of the gradient along `vector`."""
    level, before = open_level()
    try:
        slopes = gradient(f, point.rebuild(dual_inputs(level, point.slots, [vector.like(point)])), **kwargs)
        tangents = [tangents_of(level, x, 0)[1] for x in Leaves(slopes, "the gradient").slots]
    finally:
        close_level(level, before)
    return point.derivatives(tangents)
