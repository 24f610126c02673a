"""The methods of traced arrays of other libraries, with the parameters of ndarray's."""

from dualtape.boxed import indexing, reductions, shape
from dualtape.boxed.apply import item
from dualtape.boxed.array import FUNCTIONS, plain
from dualtape.boxed.backends import namespace_of

__all__ = ["diagonal_of", "methods", "stored", "trace_of"]


def stored(out, result, name):
    """Put a result where ``out=`` says."""
    if out is None:
        return result
    if not hasattr(out, "_write"):
        raise indexing.refuse_write(name)
    indexing.setitem(out, ..., result)
    return out


def _sum(x, axis=None, dtype=None, out=None, keepdims=False):
    return stored(out, reductions.sum_(x, axis, dtype, keepdims), "sum")


def _prod(x, axis=None, dtype=None, out=None, keepdims=False):
    return stored(out, reductions.prod(x, axis, dtype, keepdims), "prod")


def _mean(x, axis=None, dtype=None, out=None, keepdims=False):
    return stored(out, reductions.mean(x, axis, dtype, keepdims), "mean")


def _extreme(name):
    function = getattr(reductions, f"{name}_")
    return lambda x, axis=None, out=None, keepdims=False: stored(out, function(x, axis, keepdims), name)


def _spread(name):
    function = getattr(reductions, name)

    def method(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
        x = x if dtype is None else shape.astype(x, dtype)
        return stored(out, function(x, axis, ddof, keepdims), name)

    return method


def _running(name):
    def method(x, axis=None, dtype=None, out=None):
        x = x if dtype is None else shape.astype(x, dtype)
        return stored(out, FUNCTIONS[name](x, axis), name)

    return method


def _sort(x, axis=-1, kind=None):
    """Sorting in place, as ndarray does."""
    indexing.setitem(x, ..., reductions.sort(x, axis=axis))


def _clip(x, min=None, max=None, out=None):
    return stored(out, reductions.clip(x, min, max), "clip")


def _take(x, indices, axis=None, out=None, mode=None):
    return stored(out, indexing.take(x, indices, axis=axis), "take")


def _reshape(x, *dims, order="C"):
    if order != "C":
        raise ValueError("traced arrays of this kind are reshaped in C order only")
    return shape.reshape(x, dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)


def trace_of(x, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """np.trace."""
    x = shape.moveaxis(x, (axis1, axis2), (-2, -1))
    return stored(out, FUNCTIONS["linalg.trace"](x, offset=offset, dtype=dtype), "trace")


def diagonal_of(x, offset=0, axis1=0, axis2=1):
    """np.diagonal."""
    return indexing.diagonal_view(shape.moveaxis(x, (axis1, axis2), (-2, -1)), offset=offset)


def _of_plain(name):
    """What depends on the plain elements alone."""

    def method(x, *args, **kwargs):
        near = plain(x)
        own = getattr(near, name, None)
        return own(*args, **kwargs) if own is not None else getattr(namespace_of(near), name)(near, *args, **kwargs)

    return method


def methods():
    """The methods by name."""
    own = "ravel squeeze swapaxes repeat copy astype to_device dot".split()
    plain_ones = "argmax argmin argsort any all nonzero tolist get".split()
    return (
        {name: FUNCTIONS[name] for name in own}
        | {name: _of_plain(name) for name in plain_ones}
        | {
            "sum": _sum, "prod": _prod, "mean": _mean, "max": _extreme("max"), "min": _extreme("min"),
            "var": _spread("var"), "std": _spread("std"), "cumsum": _running("cumsum"), "cumprod": _running("cumprod"),
            "sort": _sort, "clip": _clip, "take": _take, "reshape": _reshape, "trace": trace_of,
            "diagonal": diagonal_of, "transpose": shape.transpose, "flatten": shape.flatten, "item": item,
            "conj": shape.conj, "conjugate": shape.conj,
            "fill": lambda x, value: indexing.setitem(x, ..., value),
        }
    )  # fmt: skip
