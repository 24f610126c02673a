"""A function of arrays in every mode: its value, and what its tangents and adjoints are."""

import numpy as np

from dualtape.core.array import Array
from dualtape.core.levels import close_level, open_level
from dualtape.core.traced import Traced
from dualtape.core.values import apart, kept_primal, plain_array, plain_of, primal_at, tangents_at, wrap_dual, wrap_var
from dualtape.errors import conversion

__all__ = ["Outline", "apply", "apply_linear", "is_array", "unbroadcast", "with_value"]


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
        in_precision_of(out, kept_primal(level, x)) if tape.keeps_all or "args" in reads or k in reads else None
        for k, x in enumerate(operands)
    ]
    read = [x if "args" in reads or k in reads else Outline(primals[k]) for k, x in enumerate(kept)]
    pull = _Pull(jvp, vjp, active, read, out if "out" in reads else Outline(out))
    result = wrap_var(tape, out, [operands[k] for k in active], pull, pull.push if tape.keeps_all else None)
    if ("out" in reads or tape.keeps_all) and is_array(out) and out.ndim:
        out = kept_primal(level, result)
        if "out" in reads:
            pull.out = out
    if tape.keeps_all:
        pull.primals = (out, *kept)
    return result


class _Pull:
    """What the sweeps do at a recorded function."""

    __slots__ = ("active", "args", "jvp", "out", "primals", "vjp")

    def __init__(self, jvp, vjp, active, args, out):
        self.jvp = jvp
        self.vjp = vjp
        self.active = active
        self.args = args  # Outlines where `vjp` does not read them, as is the result
        self.out = out
        self.primals = None  # the result and the operands, for `jvp`, where tangents are to follow

    def __call__(self, bar):
        return [self.vjp(k, bar, self.out, *self.args) for k in self.active]

    def push(self, tangents):
        """The tangents of the result from those of the active operands, in some lanes."""
        totals = None
        for k, lanes in zip(self.active, tangents, strict=True):
            if lanes is None:
                continue
            terms = [self.jvp(k, t, *self.primals) for t in lanes]
            totals = terms if totals is None else [_sum(a, b) for a, b in zip(totals, terms, strict=True)]
        return totals

    def second(self, bar, bardots, tangents, out_tangents):
        """The contributions to the adjoints, and for each lane those to their tangents."""
        linear = isinstance(self.out, Outline) and all(isinstance(self.args[k], Outline) for k in self.active)
        if linear or bar is None or all(t is None for t in (bardots, *tangents)):
            return [] if bar is None else self(bar), [] if bardots is None else [self(b) for b in bardots]
        lanes = len(next(t for t in (bardots, *tangents) if t is not None))
        level, before = open_level()
        try:
            args = list(self.args)
            for k, t in zip(self.active, tangents, strict=True):
                if t is not None and not isinstance(args[k], Outline):
                    args[k] = wrap_dual(level, args[k], t)
            out = self.out
            if out_tangents is not None and not isinstance(out, Outline):
                out = wrap_dual(level, out, out_tangents)
            if bardots is not None:
                bar = wrap_dual(level, bar, bardots)
            parts = [self.vjp(k, bar, out, *args) for k in self.active]
            dots = [(None if p is None else tangents_at(level, p)) or [None] * lanes for p in parts]
            return [None if p is None else primal_at(level, p) for p in parts], list(zip(*dots, strict=True))
        finally:
            close_level(level, before)


def _sum(a, b):
    return b if a is None else a if b is None else a + b


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

        push = _linear_push(function, operands, active) if tape.keeps_all else None
        return wrap_var(tape, out, [operands[k] for k in active], pull, push)
    tangents = [tangents_at(level, x) if own else None for x, own in zip(operands, wanted, strict=True)]
    return wrap_dual(level, out, _linear_tangents(function, [Outline(x) for x in operands], tangents))


def _linear_push(function, operands, active):
    outlines = [Outline(x) for x in operands]

    def push(lanes):
        tangents = [None] * len(outlines)
        for k, t in zip(active, lanes, strict=True):
            tangents[k] = t
        return _linear_tangents(function, outlines, tangents)

    return push


def _linear_tangents(function, outlines, tangents):
    """The tangents of a linear function: the function of the operands' tangents."""
    totals = []
    for i in range(max(len(t) for t in tangents if t is not None)):
        parts = [None if t is None else t[i] for t in tangents]
        if all(p is None for p in parts):
            totals.append(None)
        else:
            totals.append(function(*[_zero(x) if p is None else p for x, p in zip(outlines, parts, strict=True)]))
    return totals


def _zero(x):
    return np.zeros(x.shape, dtype=x.dtype if x.dtype.kind in "fc" else np.float64) if x.shape else 0.0


def with_value(out, value):
    """A result with the value that NumPy or SciPy finds, whose last digits a formula to be differentiated may miss."""
    with np.errstate(invalid="ignore"):
        rest = value - plain_of(out)
    return out + np.where(np.isfinite(rest), rest, 0.0)
