"""Norms of vectors and matrices of other libraries."""

from dualtape.boxed.array import plain
from dualtape.boxed.backends import namespace_of
from dualtape.boxed.elementwise import elementwise, where
from dualtape.boxed.linalg import svdvals
from dualtape.boxed.reductions import max_, min_, sum_
from dualtape.boxed.shape import axes_of, moveaxis, reshape

__all__ = ["functions"]


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Norms of vectors, with derivative 0 at 0."""
    axes = axes_of(x, axis)
    size = elementwise("abs", x)
    if ord == float("inf"):
        return max_(size, axes, keepdims)
    if ord == -float("inf"):
        return min_(size, axes, keepdims)
    if ord == 0:
        near = plain(x)
        xp = namespace_of(near)
        return xp.sum(xp.astype(near != 0, plain(size).dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axes, keepdims=keepdims)
    if ord == 2:
        return elementwise("sqrt", sum_(size * size, axes, keepdims=keepdims))
    total = sum_(elementwise("pow", size, float(ord)), axes, keepdims=keepdims)
    zero = plain(total) == 0
    return where(zero, 0.0, elementwise("pow", where(zero, 1.0, total), 1.0 / ord))


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Norms of matrices."""
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        out = sum_(svdvals(x), -1)
    elif ord in (2, -2):
        out = (max_ if ord == 2 else min_)(svdvals(x), -1)
    elif ord in (1, -1, float("inf"), -float("inf")):
        lines = sum_(elementwise("abs", x), -2 if abs(ord) == 1 else -1)
        out = (max_ if ord > 0 else min_)(lines, -1)
    else:
        raise ValueError(f"invalid norm order {ord!r} for matrices")
    return out[..., None, None] if keepdims else out


def norm(x, ord=None, axis=None, keepdims=False):
    """Norms of vectors or matrices, as NumPy's function of that name."""
    if axis is None and (ord is None or len(x.shape) == 1):
        out = vector_norm(reshape(x, (-1,)), ord=2 if ord is None else ord)
        return reshape(out, (1,) * len(x.shape)) if keepdims else out
    axes = axes_of(x, axis)
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    out = matrix_norm(moveaxis(x, axes, (-2, -1)), ord="fro" if ord is None else ord)
    return reshape(out, tuple(1 if k in axes else n for k, n in enumerate(x.shape))) if keepdims else out


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {"linalg.vector_norm": vector_norm, "linalg.matrix_norm": matrix_norm, "linalg.norm": norm}
