"""The exceptions of dualtape, each with the sentence that says what to do.

Every one is a :class:`DualtapeError` and also the built-in exception that Python would raise in the same place,
so that ``except TypeError`` keeps working in code that knows nothing of dualtape.
"""

import os
import sys
import warnings

__all__ = [
    "ConversionError",
    "DerivativeMismatchError",
    "DualtapeError",
    "EscapedTracerError",
    "InputError",
    "LostDerivativeWarning",
    "NoRuleError",
    "OptionError",
    "TapeMemoryError",
]

_PACKAGE = os.path.dirname(__file__)
_LIBRARIES = os.path.dirname(os.__file__)


def _frames():
    """The frames that run outside of this package, from the innermost one on, and how many lie further in."""
    frame = sys._getframe(1)
    depth = 0
    while frame is not None:
        if not frame.f_code.co_filename.startswith((_PACKAGE, "<frozen", "dualtape/")):
            yield frame, depth
        frame = frame.f_back
        depth += 1


def user_line():
    """The user's line that is running, as ``file.py:12``: the innermost one outside this package and, if there is such
    a line, outside of installed packages and the standard library.
    """
    first = None
    for frame, _ in _frames():
        name = frame.f_code.co_filename
        line = f"{name}:{frame.f_lineno}"
        first = first or line
        if not name.startswith(_LIBRARIES) and "site-packages" not in name and "dist-packages" not in name:
            return line
    return first or "unknown line"


def stack_level():
    """The `stacklevel` at which a warning that the caller gives names the innermost line outside of this package."""
    return next((depth for _, depth in _frames()), 1) - 1


def numpy_caller():
    """The public function of NumPy that the user's line has called and that is running, as ``np.linalg.norm``; None
    where NumPy runs in C alone.
    """
    name = None
    for frame, _ in _frames():
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.partition(".")[0] != "numpy":
            break
        if not function.startswith(("_", "<")):
            inner = next((part for part in ("linalg", "fft", "random") if f".{part}" in module), None)
            name = f"np.{inner}.{function}" if inner else f"np.{function}"
    return name


def _by_pandas(remedy):
    """What to do instead: where pandas asks, which takes what it stores to NumPy, that is to take its numbers out."""
    for frame, _ in _frames():
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module == "pandas":
            return (
                "pandas cannot hold traced values. Take the numbers out of its objects first, as in "
                "series.to_numpy() * x, and put plain results into them (dt.stop_gradient)."
            )
        if module != "numpy":
            break
    return remedy


class DualtapeError(Exception):
    """The base of all errors that dualtape raises itself, and of its warning."""


class EscapedTracerError(DualtapeError, RuntimeError):
    """A traced value was used after its differentiation had ended.

    Return it from the function instead of keeping it; ``has_aux=True`` makes room for further results.
    """


class ConversionError(DualtapeError, TypeError):
    """A conversion of a traced value would have dropped its derivative.

    ``float(x)``, ``math.sin(x)``, ``np.asarray(x)``, and storing into plain arrays raise it. Where the plain number is
    meant, take ``dt.stop_gradient(x)``.
    """


class NoBufferError(ConversionError, AttributeError):
    """An attribute that gives away the memory of an array; ``hasattr`` is False of it."""


class NoRuleError(DualtapeError, TypeError):
    """A function, or one of its options, has no derivative rule for traced values."""


class InputError(DualtapeError, TypeError):
    """An argument of an operator, or what the function returned, cannot be differentiated.

    Booleans, text and objects without numbers are such arguments; a vector is such a result, for `gradient`.
    """


class LostDerivativeWarning(DualtapeError, RuntimeWarning):
    """A derivative may lack a part that no rule can find; a warning, not an error, since it may as well be right.

    It comes where a program uses vectors of repeated eigenvalues or singular values.
    """


class OptionError(DualtapeError, ValueError):
    """An option has a value that it cannot have, or arguments do not fit together.

    An unknown `mode` is one, and tangents that have not the structure of the primals.
    """


class TapeMemoryError(DualtapeError, MemoryError):
    """There is no memory, or no more room for indices, for what the program does.

    The library goes on working. Forward mode records nothing.
    """


class DerivativeMismatchError(DualtapeError, AssertionError):
    """Two ways to compute the same derivative disagree: `check_derivatives` raises it, and names the worst entry."""


def escaped():
    """The error for a value whose tape is closed or frozen."""
    return EscapedTracerError(
        f"{user_line()}: a traced value (Var) was used after the differentiation that made it had ended. It was kept "
        "in a variable outside the function, a cache, a generator or a closure. Return what you need from the "
        "function (has_aux=True returns extra values), or keep dt.stop_gradient(x), the plain number, instead."
    )


def conversion(what, remedy):
    """The error for a conversion that would drop the derivative."""
    return ConversionError(
        f"{user_line()}: {what} of a traced value would drop its derivative silently. {_by_pandas(remedy)}"
    )


def masked_operand():
    """The error for a masked array beside traced values."""
    return ConversionError(
        f"{user_line()}: a masked array beside traced values would lose its mask. Use m.filled(...) for the numbers, "
        "and np.where(m.mask, ..., x) or where= for the choice."
    )


def no_array(remedy):
    """The error for NumPy making a plain array of traced values."""
    caller = numpy_caller()
    what = f"{caller}()" if caller else "np.array(), np.asarray() or another function of NumPy's"
    return ConversionError(
        f"{user_line()}: {what} would make a plain array of traced values, which would drop their derivatives "
        f"silently. {_by_pandas(remedy)}"
    )


def no_float(remedy):
    """The error for a conversion of a traced value to a float."""
    return conversion(
        "float(), or storing into an array of np.zeros, np.ones or np.empty,",
        f"math.sin(x) and its kin ask for float(x), too. Make the array with dt.zeros(n), dt.ones(n) or dt.array(...), "
        f"{remedy}, or dt.stop_gradient(x) where the plain number is meant.",
    )


def no_buffer(name):
    """The error for an attribute or a method that would give away the plain memory of a traced array."""
    return NoBufferError(
        f"{user_line()}: .{name} of a traced array would give away its plain numbers and drop its derivative silently. "
        f"Use dt.stop_gradient(x).{name} where they are meant."
    )


def fixed_size():
    """The error for an array that is to change its size in place."""
    return OptionError(
        f"{user_line()}: a traced array does not change its size in place, since its views, and recorded operations, "
        "refer to its memory. Use x = np.resize(x, shape), or make a larger array with dt.zeros(shape) and assign to "
        "part of it."
    )


def no_attribute(x, name, known):
    """The error for an attribute that arrays do not have; `known` says whether ndarrays have it."""
    if not known:
        return AttributeError(f"{type(x).__name__!r} object has no attribute {name!r}")
    return NoBufferError(
        f"{user_line()}: traced arrays have no {name!r}, as ndarrays do. Use NumPy's functions on x itself, or "
        f"dt.stop_gradient(x).{name} where the plain numbers are meant."
    )


def equal_singular_values():
    """The error for a norm that has no second derivative."""
    return NoRuleError(
        f"{user_line()}: np.linalg.norm(x, 2) and norm(x, -2) have no second derivative where two singular values are "
        "the largest, or the smallest."
    )


def no_series():
    """The error for a number of `dt.taylor` that meets an array."""
    return NoRuleError(
        f"{user_line()}: numbers of dt.taylor do not mix with traced arrays, nor go into arrays. Nest dt.derivative "
        "instead."
    )


def lost_derivative(function, line=None):
    """Warn of vectors of repeated eigenvalues or singular values; `line` is where they were computed."""
    warnings.warn(
        f"{line or user_line()}: {function} met repeated values, whose vectors are one basis of many. Derivatives "
        "through these vectors may lack a part: those of (V * f(w)) @ V.T do, as do second derivatives. Of functions "
        "of a matrix use dualtape.scipy.linalg.funm, expm, logm or sqrtm, of values alone np.linalg.eigvalsh or "
        "svdvals. A projection on the whole space of equal values has its first derivative.",
        LostDerivativeWarning,
        stacklevel=stack_level(),
    )


def no_memory(nodes, held, wanted):
    """The error for a tape, or a buffer of a sweep, that could not be allocated."""
    return TapeMemoryError(
        f"{user_line()}: no memory for {wanted / 2**20:.1f} MiB more; the tape holds {nodes} operations in "
        f"{held / 2**20:.1f} MiB. Differentiate a shorter piece at a time, or use forward mode (dt.derivative), "
        "which stores nothing."
    )


def tape_full(nodes):
    """The error for a tape at the limit of its 32-bit indices."""
    return TapeMemoryError(
        f"{user_line()}: a tape holds at most 2**31 operations, and {nodes} are on it. Differentiate a shorter piece "
        "at a time, or use forward mode (dt.derivative), which stores nothing."
    )


def numbers_hint(kind):
    """What to say of an object of a library whose numbers are to be taken out first."""
    module = kind.__module__.partition(".")[0]
    which = {"pandas": ".to_numpy()", "xarray": ".data"}.get(module)
    return f" Use the {which} of objects of {module}." if which else ""


def not_scalar(kind):
    """The error for a function that should have returned one number."""
    return InputError(
        f"the function returned {kind.__name__!r} where one real number is needed. For a vector of results use "
        f"dt.jacobian, for extra results has_aux=True.{numbers_hint(kind)}"
    )


def complex_result():
    """The error for a function that returned a complex number where a real one is needed."""
    return InputError(
        "the function returned a complex number, whose gradient is not defined. Return abs(z), z.real or z.imag, or "
        "use dt.derivative for the derivative of a holomorphic function."
    )


def unknown_result(kind):
    """The error for a result in which derivatives could be lost."""
    return InputError(
        f"the function returned an object of type {kind.__name__!r}, into which dualtape cannot see: derivatives in it "
        "would be lost. Return numbers, arrays, tuples, lists, dicts, namedtuples or dataclasses of them, or register "
        f"the class with optree.register_pytree_node(..., namespace='dualtape').{numbers_hint(kind)}"
    )
