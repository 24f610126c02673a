"""Functions of arrays with several results, each result differentiable."""

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.core.array import Array
from dualtape.core.traced import Traced

__all__ = ["apply_parts"]


class Layout:
    """How several arrays lie one after the other in a vector; known once the function has run on plain numbers."""

    def __init__(self):
        self.shapes = self.dtypes = None

    def note(self, parts):
        """Keep shapes and dtypes of plain results."""
        self.shapes = [p.shape for p in parts]
        self.dtypes = [p.dtype for p in parts]

    def pack(self, parts):
        """The parts as one vector. None stands for zeros."""
        parts = [np.zeros(s, d) if p is None else p for p, s, d in zip(parts, self.shapes, self.dtypes, strict=True)]
        return np.concatenate([np.reshape(p, (-1,)) for p in parts])

    def unpack(self, vector):
        """The vector as parts, the real ones real."""
        ends = np.cumsum([int(np.prod(s, dtype=np.intp)) for s in self.shapes])
        starts = [0, *ends[:-1]]
        parts = [np.reshape(vector[int(a) : int(b)], s) for a, b, s in zip(starts, ends, self.shapes, strict=True)]
        return [p.real if d.kind != "c" and p.dtype.kind == "c" else p for p, d in zip(parts, self.dtypes, strict=True)]


def apply_parts(function, operands, jvp, vjp, reads=("args", "out")):
    """As `apply`, for a function with several results: on a tape they are one vector, of which each is a view.

    Parameters
    ----------
    function : callable
        ``function(*operands)`` at plain arrays: a sequence of plain arrays.
    operands : sequence
        Arrays of any kind.
    jvp : callable
        ``jvp(k, t, parts, *operands)``: the tangents of the results, None for zero.
    vjp : callable
        ``vjp(k, bars, parts, *operands)``: the contribution to the adjoint of operand k.
    reads : tuple
        As of `apply`; without "out", the rules get None for `parts`.

    Returns
    -------
    list
        The results.
    """
    layout = Layout()

    def value(*xs):
        if any(isinstance(x, (Array, Traced)) for x in xs):
            return packed(xs)
        parts = [np.asarray(p) for p in function(*xs)]
        layout.note(parts)
        return layout.pack(parts)

    def seen(out):
        return layout.unpack(out) if "out" in reads else None

    def packed(xs):
        return apply(
            value,
            xs,
            lambda k, t, out, *xs: layout.pack(jvp(k, t, layout.unpack(out), *xs)),
            lambda k, bar, out, *xs: vjp(k, layout.unpack(bar), seen(out), *xs),
            reads=reads,
        )

    return layout.unpack(packed(operands))
