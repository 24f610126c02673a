"""A function of arrays in every mode: its value, and what its tangents and adjoints are."""

import numpy as np

from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import apart, kept_primal, plain_array, plain_of, tangents_at, wrap_dual, wrap_var
from dualtape.errors import conversion

__all__ = ["Outline", "apply", "apply_linear", "is_array", "unbroadcast"]


class Outline:
    """Shape and dtype of an operand whose numbers a rule does not read."""

    __slots__ = ("dtype", "shape")

    def __init__(self, x):
        if isinstance(x, (Array, np.ndarray, np.generic)):
            self.shape, self.dtype = x.shape, x.dtype
        else:
            self.shape, self.dtype = (), np.dtype(type(plain_of(x)))

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self):
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.intp))


def is_array(x):
    """Whether `x` is an array of any kind."""
    return isinstance(x, (Array, np.ndarray))


ALL = ("args", "out")


def apply(function, operands, jvp, vjp, reads=ALL):
    """A differentiable function at operands of any level.

    The value of the highest level among the operands does it: `function` runs on the primals, which may be traced
    values of lower levels.

    Parameters
    ----------
    function : callable
        ``function(*operands)``, a fresh array or a number.
    operands : sequence
        Arrays and numbers of any kind.
    jvp : callable
        ``jvp(k, t, out, *operands)``, the tangent of the result that a tangent `t` of operand k causes.
    vjp : callable
        ``vjp(k, bar, out, *operands)``, the contribution to the adjoint of operand k; None for zero.
    reads : tuple of {"args", "out", int}
        What `vjp` reads of the operands (all of them, or some by their places) and whether it reads the result. In
        place of what it does not read it gets Outlines.

    Returns
    -------
    Array, ndarray, number or Traced
    """
    level, active, operands, primals, tape = apart(operands, True)
    out = function(*primals)
    if level == 0:
        return _plain_result(out, active)
    if tape is None:
        return _forward(level, active, operands, primals, out, jvp)
    if not isinstance(out, (Array, Traced)) and np.asarray(out).dtype.kind not in "fc":
        if np.asarray(out).dtype == object:
            raise conversion("an operation with an array of objects", "Make it a traced array first: dt.array(x).")
        return out
    kept = [
        in_precision_of(out, kept_primal(level, x)) if "args" in reads or k in reads else Outline(p)
        for k, (x, p) in enumerate(zip(operands, primals, strict=True))
    ]
    if "out" not in reads:
        held = Outline(out)
    elif is_array(out) and out.ndim:
        held = None
    else:
        held = out

    def pull(bar):
        return [vjp(k, bar, held, *kept) for k in active]

    result = wrap_var(tape, out, [operands[k] for k in active], pull)
    if held is None:
        held = kept_primal(level, result)
    return result


def _plain_result(out, arrays):
    """A result of plain operands, traceable where one of them is an Array."""
    return plain_array(out) if arrays and isinstance(out, np.ndarray) else out


def in_precision_of(out, x):
    """A plain operand in the precision of the result, in which derivatives are to be computed."""
    if not isinstance(x, (np.ndarray, np.generic)) or x.dtype.kind != "f" or x.dtype is getattr(out, "dtype", None):
        return x
    if not isinstance(out, (Array, np.ndarray, np.generic)):
        return x.astype(np.float64) if x.dtype.itemsize < 8 else x  # a scalar result is of float64
    if out.dtype.kind in "fc" and np.finfo(out.dtype).eps < np.finfo(x.dtype).eps:
        return x.astype(np.finfo(out.dtype).dtype)
    return x


def _forward(level, active, operands, primals, out, jvp):
    width = None
    totals = []
    primals = [in_precision_of(out, p) for p in primals]
    for k in active:
        tangents = tangents_at(level, operands[k])
        if width is None:
            width = len(tangents)
            totals = [None] * width
        elif width != len(tangents):
            raise ValueError(f"Duals with {width} and {len(tangents)} partials do not mix")
        for i, t in enumerate(tangents):
            if t is None or (type(t) in (float, int) and t == 0):
                continue
            term = jvp(k, t, out, *primals)
            if term is not None:
                totals[i] = term if totals[i] is None else totals[i] + term
    return wrap_dual(level, out, totals)


def unbroadcast(x, shape):
    """The transpose of broadcasting: sums over the axes along which an operand of a shape was repeated."""
    have = np.shape(x) if not isinstance(x, Traced) else ()
    if have == shape:
        return x
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(lead + k for k, n in enumerate(shape) if n == 1 and have[lead + k] != 1)
    if axes:
        x = np.sum(x, axis=axes, keepdims=True)
    return np.reshape(x, shape) if shape else x[(0,) * len(have)]


def apply_linear(function, operands, transpose):
    """A function that is linear in all its operands together, at operands of any level.

    Parameters
    ----------
    function : callable
        ``function(*operands)``, a fresh array or a number.
    operands : sequence
        Arrays and numbers of any kind.
    transpose : callable
        ``transpose(bar, wanted)``: for each operand its part of the adjoint; it may give None where `wanted`, a list
        of bools, says that the part is not needed.

    Returns
    -------
    Array, ndarray, number or Traced
    """
    level, active, operands, primals, tape = apart(operands)
    out = function(*primals)
    if level == 0:
        return _plain_result(out, active)
    wanted = [k in active for k in range(len(operands))]
    if tape is not None:

        def pull(bar):
            parts = transpose(bar, wanted)
            return [parts[k] for k in active]

        return wrap_var(tape, out, [operands[k] for k in active], pull)
    tangents = [tangents_at(level, x) if own else None for x, own in zip(operands, wanted, strict=True)]
    width = len(tangents[active[0]])
    totals = []
    for i in range(width):
        parts = [None if t is None else t[i] for t in tangents]
        if all(p is None for p in parts):
            totals.append(None)
        else:
            totals.append(function(*[_zero_like(x) if p is None else p for x, p in zip(operands, parts, strict=True)]))
    return wrap_dual(level, out, totals)


def _zero_like(x):
    if is_array(x):
        return np.zeros(x.shape, dtype=x.dtype if x.dtype.kind in "fc" else np.float64)
    return 0.0
