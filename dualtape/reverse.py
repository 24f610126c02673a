"""Reverse mode: gradients by one sweep over the recorded program."""

import functools
import operator

import numpy as np

from dualtape.boxed.array import BoxedArray, detached
from dualtape.boxed.differentiate import boxed_variable, is_complex_array, seed
from dualtape.core.array import Array
from dualtape.core.sweep import Recording, value_and_gradient_of_float
from dualtape.core.tape import Var
from dualtape.core.traced import is_complex, plain
from dualtape.core.values import level_of, plain_of
from dualtape.errors import InputError, OptionError, complex_result, not_scalar, unknown_result
from dualtape.trees import Leaves, is_array, is_boxed, map_leaves

__all__ = ["gradient", "pullback", "stop_gradient", "value_and_gradient"]


def need_callable(f, operator_name):
    """Raise unless `f` can be called."""
    if not callable(f):
        raise InputError(
            f"dt.{operator_name} needs a function that it can call as its first argument, not {type(f).__name__!r}: "
            f"write dt.{operator_name}(f, x), not dt.{operator_name}(f(x))."
        )


def curry(operator_function, f, /, **options):
    """The operator with its point left out: a function of the point."""
    need_callable(f, operator_function.__name__)

    def differentiated(*args, **kwargs):
        return operator_function(f, *args, **options, **kwargs)

    try:
        functools.update_wrapper(differentiated, f)
    except (AttributeError, TypeError):
        pass  # a callable without a name, a builtin without a __dict__
    differentiated.__doc__ = f"dt.{operator_function.__name__} of {getattr(f, '__name__', repr(f))}."
    return differentiated


def points(args, kwargs, *names):
    """The positional arguments, or those that were given by their names in the signature of an operator."""
    if not args and all(name in kwargs for name in names):
        return tuple(kwargs.pop(name) for name in names)
    return args


def chosen(args, argnums):
    """The places of the arguments to differentiate with respect to, and whether the result is a tuple."""
    if argnums is None:
        return list(range(len(args))), len(args) != 1
    many = not hasattr(argnums, "__index__")
    if isinstance(argnums, (bool, str)):
        raise InputError(f"argnums must be an integer or a sequence of integers, not {argnums!r}")
    try:
        places = [operator.index(i) for i in (argnums if many else (argnums,))]
    except TypeError:
        raise InputError(f"argnums must be an integer or a sequence of integers, not {argnums!r}") from None
    for i in places:
        if not -len(args) <= i < len(args):
            raise OptionError(f"argnums={argnums!r}, but the function is called with {len(args)} positional arguments")
    places = [i % len(args) for i in places]
    if len(set(places)) != len(places):
        raise OptionError(f"argnums={argnums!r} names an argument twice")
    return places, many


class _Arguments:
    """The positional arguments of a call, those at some places to be differentiated."""

    def __init__(self, args, places):
        self.args = list(args)
        self.places = places
        self.parts = [Leaves(args[i], f"argument {i}") for i in places]

    def traced(self, recording):
        """The arguments with variables of the recording in them."""
        args = list(self.args)
        self.inputs = []
        for i, part in zip(self.places, self.parts, strict=True):
            values = []
            for x in part.slots:
                value, place = variable(recording, x)
                values.append(value)
                self.inputs.append(place)
            args[i] = part.rebuild(values)
        return args

    def derivatives(self, values, many):
        """The gradient, from one adjoint for each slot."""
        out = []
        place = 0
        for part in self.parts:
            out.append(part.derivatives(values[place : place + len(part.slots)]))
            place += len(part.slots)
        return tuple(out) if many else out[0]


def variable(recording, x):
    """A variable of a recording, and what its adjoint is asked for by."""
    if is_boxed(x):
        return boxed_variable(recording, x)
    if is_array(x):
        return recording.array(x)
    return (v := recording.variable(x)), v._index


def _split_aux(out, has_aux):
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise InputError(
            f"with has_aux=True the function must return a pair (value, aux); it returned {type(out).__name__!r}"
        )
    return out


def _strip(recording, structure):
    """A structure that leaves a differentiation: its own traced values become plain."""
    return map_leaves(functools.partial(_strip_leaf, recording), structure)


def _strip_leaf(recording, x):
    if isinstance(x, Array):
        if level_of(x) == 0:
            return plain_of(x).copy()
        return x.value if recording.owns(x) else x
    if isinstance(x, BoxedArray):
        own = recording.output(x)
        return x.value if recording.owns(own) else own
    if isinstance(x, np.ndarray) and x.dtype == object:
        out = np.empty(x.shape, dtype=object)
        for index in np.ndindex(x.shape):
            out[index] = _strip_leaf(recording, x[index])
        if x.size and all(type(e) in (float, int) for e in out.ravel()):
            return out.astype(np.float64)
        return out[()] if not x.ndim else out
    return x.value if recording.owns(x) else x


def value_and_gradient(f, /, *args, argnums=None, has_aux=False, **kwargs):
    """Value and reverse-mode gradient of a scalar function.

    Parameters
    ----------
    f : callable
        A function that returns one real number; with `has_aux`, a pair of it and anything else.
    *args : number, array or structure of them
        Where to evaluate. Left out, the result is a function of them.
    argnums : int or sequence of int, optional
        With respect to which positional arguments; all of them if left out.
    has_aux : bool, optional
        Whether f returns ``(value, aux)``.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    value : number
        ``f(*args)``; with `has_aux` the pair ``(value, aux)``.
    gradient : like the arguments
        With the structure, shapes and dtypes of the argument; a tuple for several arguments. For a complex argument
        z = x + iy it is df/dx + i df/dy.

    Raises
    ------
    InputError
        If an argument is boolean, or f returns anything but a real number.
    OptionError
        If `argnums` names an argument that f is not called with.
    EscapedTracerError
        If f uses a traced value that another differentiation has left behind.

    See Also
    --------
    gradient, pullback, derivative

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.value_and_gradient(lambda x, y: x * x * y, 3.0, 2.0)
    (18.0, (12.0, 9.0))
    """
    if not args:
        return curry(value_and_gradient, f, argnums=argnums, has_aux=has_aux, **kwargs)
    if len(args) == 1 and type(args[0]) is float and argnums is None and not has_aux and not kwargs:
        need_callable(f, "value_and_gradient")
        return value_and_gradient_of_float(f, args[0])
    need_callable(f, "value_and_gradient")
    if len(args) == 1 and type(args[0]) is np.ndarray and argnums is None and not has_aux and not kwargs:
        if args[0].dtype == np.float64:
            return _value_and_gradient_of_array(f, args[0])
    places, many = chosen(args, argnums)
    arguments = _Arguments(args, places)
    with Recording() as recording:
        out, aux = _split_aux(f(*arguments.traced(recording), **kwargs), has_aux)
        value, bars = scalar_gradient(recording, out, arguments.inputs)
        del out
        if has_aux:
            value = (value, _strip(recording, aux))
        del aux
    return value, arguments.derivatives(bars, many)


def _value_and_gradient_of_array(f, x):
    """Value and gradient at one array of float64: the short way, past structures."""
    with Recording() as recording:
        a, place = recording.array(x)
        out = f(a)
        del a
        value, bars = scalar_gradient(recording, out, [place])
        del out
    return value, bars[0]


def scalar_gradient(recording, out, inputs):
    """The value of a scalar result and its derivatives with respect to variables."""
    own = scalar_output(recording, out)
    if not recording.owns(own):
        return own, recording.adjoints([], [], inputs)
    if isinstance(own, Array):
        return own.value[()], recording.adjoints([own], [np.ones((), own.dtype)], inputs, last=True)
    one = seed(own.value) if is_boxed(own.value) else 1 if recording.boxed else 1.0
    return own.value, recording.adjoints([own], [one], inputs, last=True)


def scalar_output(recording, out):
    """What a function returned, as one real number; a 0-d array counts for one."""
    if type(out) is Var and recording.owns(out):
        return out
    own = recording.output(out)
    if own is None or (is_array(out) and len(out.shape)):
        raise not_scalar(type(out))
    if (is_complex_array(out) if is_boxed(out) else is_array(own) and own.dtype.kind == "c") or is_complex(own):
        raise complex_result()
    return own[()] if isinstance(own, np.ndarray) else own


def gradient(f, /, *args, argnums=None, has_aux=False, **kwargs):
    """Reverse-mode gradient of a scalar function.

    Parameters
    ----------
    f : callable
        A function that returns one real number; with `has_aux`, a pair of it and anything else.
    *args : number, array or structure of them
        Where to evaluate. Left out, the result is a function of them, so that ``gradient`` is a decorator and nests.
    argnums : int or sequence of int, optional
        With respect to which positional arguments; all of them if left out.
    has_aux : bool, optional
        Whether f returns ``(value, aux)``; the result is then ``(gradient, aux)``.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    gradient : like the arguments
        With the structure, shapes and dtypes of the argument; a tuple for several arguments. For a complex argument
        z = x + iy it is df/dx + i df/dy.

    Raises
    ------
    InputError
        If an argument is boolean, or f returns anything but a real number.
    OptionError
        If `argnums` names an argument that f is not called with.
    EscapedTracerError
        If f uses a traced value that another differentiation has left behind.

    See Also
    --------
    value_and_gradient, derivative, jacobian

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.gradient(lambda x: x * x, 3.0)
    6.0
    >>> dt.gradient(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 5.0})
    {'a': 5.0, 'b': 2.0}
    """
    if not args:
        return curry(gradient, f, argnums=argnums, has_aux=has_aux, **kwargs)
    if len(args) == 1 and type(args[0]) is float and argnums is None and not has_aux and not kwargs:
        if not callable(f):
            need_callable(f, "gradient")
        return value_and_gradient_of_float(f, args[0])[1]
    need_callable(f, "gradient")
    value, slopes = value_and_gradient(f, *args, argnums=argnums, has_aux=has_aux, **kwargs)
    return (slopes, value[1]) if has_aux else slopes


def pullback(f, /, *args, **kwargs):
    """Value of a function, and the function that pulls cotangents of the value back to its arguments.

    Parameters
    ----------
    f : callable
        A function that returns a number, an array or a structure of them.
    *args : number, array or structure of them
        Where to evaluate; f is differentiated with respect to all of them. Left out, the result is a function of
        them.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    value : like the result of f
    back : callable
        ``back(cotangent)``, with a cotangent of the structure of the value, is the vector-Jacobian product: the
        gradient for one argument, a tuple for several. It may be called again; the tape lives as long as it does.

    Raises
    ------
    InputError
        If an argument is boolean, or f returns an object without numbers.
    OptionError
        If the cotangent given to `back` has not the structure of the value.

    Examples
    --------
    >>> import dualtape as dt
    >>> value, back = dt.pullback(lambda x, y: (x * y, x + y), 3.0, 2.0)
    >>> value
    (6.0, 5.0)
    >>> back((1.0, 0.0)), back((0.0, 1.0))
    ((2.0, 3.0), (1.0, 1.0))
    """
    if not args:
        return curry(pullback, f, **kwargs)
    need_callable(f, "pullback")
    places, many = chosen(args, None)
    arguments = _Arguments(args, places)
    with Recording().lasting() as recording:
        out = f(*arguments.traced(recording), **kwargs)
    recording.freeze()
    results = Leaves(out, "the result")
    for leaf, count in zip(results.leaves, results.counts, strict=True):
        if count is None and not isinstance(leaf, (str, bytes)):
            raise unknown_result(type(leaf))
    own = [recording.output(x) for x in results.slots]
    value = _strip(recording, out)
    single = len(own) == 1 and results.shape == () and not is_array(results.slots[0])

    def back(cotangent):
        """The gradient for a cotangent of the value."""
        if single and type(cotangent) is float:  # by far the most usual
            mine = recording.owns(own[0])
            bars = recording.adjoints(own if mine else [], [cotangent] if mine else [], arguments.inputs)
            return arguments.derivatives(bars, many)
        weights = Leaves(cotangent, "the cotangent")
        weights.must_match(results, "the value")
        pairs = [(x, w) for x, w in zip(own, weights.like(results), strict=True) if recording.owns(x)]
        bars = recording.adjoints([x for x, _ in pairs], [w for _, w in pairs], arguments.inputs)
        return arguments.derivatives(bars, many)

    del out
    results.forget()
    return value, back


def stop_gradient(x):
    """`x` as a constant: plain numbers in place of traced ones.

    Parameters
    ----------
    x : number, array or structure of them

    Returns
    -------
    like `x`
        Without derivatives of any level.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.gradient(lambda x: x * dt.stop_gradient(x))(3.0)
    3.0
    """
    pin = getattr(x, "_pin", None)
    if pin is not None:
        return pin()
    return map_leaves(_stop_leaf, x)


def _stop_leaf(x):
    if isinstance(x, Array):
        return plain_of(x).copy()
    if isinstance(x, BoxedArray):
        return detached(x)
    if isinstance(x, np.ndarray) and x.dtype == object:
        out = np.empty(x.shape, dtype=object)
        for index in np.ndindex(x.shape):
            out[index] = _stop_leaf(x[index])
        if x.size and all(type(e) in (float, int) for e in out.ravel()):
            return out.astype(np.float64)
        return out
    pin = getattr(x, "_pin", None)
    return plain(x) if pin is None else pin()
