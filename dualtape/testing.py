"""Checks of derivatives for users' own programs and rules."""

import numpy as np

from dualtape.core.traced import plain
from dualtape.errors import DerivativeMismatchError, InputError, OptionError
from dualtape.forward import pushforward
from dualtape.reverse import pullback
from dualtape.trees import Leaves

__all__ = ["check_derivatives"]

# Steps of the finite differences, relative to the number and at least to 1.
STEPS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6)


def check_derivatives(f, *args, order=2, modes=("forward", "reverse"), rtol=1e-5, atol=1e-6, **kwargs):
    """Compare the derivatives of a function with finite differences, and the modes with one another.

    Every input is checked by itself. The finite differences are central, of order four, and adapt their step: the
    comparison is with the best of several steps.

    Parameters
    ----------
    f : callable
        A function that returns numbers, an array or a structure of them.
    *args : number, array or structure of them
        Where to check, away from kinks and jumps of f.
    order : int, optional
        1 for first derivatives, 2 for second ones too, and so on.
    modes : sequence of {"forward", "reverse"}, optional
        Which modes to check; for `order` > 1 every combination of them.
    rtol, atol : float, optional
        Tolerances for the comparison with finite differences, relative to the entry and to the largest entry; the
        rounding errors of the differences come on top. Modes must agree to a hundred-thousandth of both.
    **kwargs
        Passed to f and not differentiated.

    Raises
    ------
    DerivativeMismatchError
        If two results disagree. The message names the worst entry, what was computed and what was expected.
    InputError
        If an argument cannot be differentiated.
    OptionError
        If `order` or `modes` is wrong.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.testing.check_derivatives(lambda x, y: dt.sin(x) * y, 0.5, 2.0)
    >>> dt.testing.check_derivatives(lambda x: dt.stop_gradient(x) * x, 0.5, order=1)
    Traceback (most recent call last):
        ...
    dualtape.errors.DerivativeMismatchError: order 1, forward: d result[0] / d argument 0 is 0.5, but finite ...
    """
    if not args:
        raise InputError("check_derivatives needs the point at which to check: check_derivatives(f, x)")
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not modes or any(mode not in ("forward", "reverse") for mode in modes):
        raise OptionError(f'modes must be chosen from "forward" and "reverse", not {modes!r}')
    if not isinstance(order, int) or order < 1:
        raise OptionError(f"order must be an integer from 1 on, not {order!r}")
    point = [Leaves(arg, f"argument {i}") for i, arg in enumerate(args)]

    if not any(part.size for part in point):
        return  # no inputs, no derivatives

    def flat(*numbers):
        return _call_flat(f, point, numbers, kwargs)

    names = [f"argument {i}{place}" for i, part in enumerate(point) for place in part.places()]
    numbers = [x for part in point for x in part.numbers]
    if any(not isinstance(x, float) for x in numbers):
        raise InputError("check_derivatives compares with finite differences, which needs real arguments")
    _check(flat, numbers, names, order, modes, rtol, atol, "")


def _call_flat(f, point, numbers, kwargs):
    """F as a function from numbers to a list of numbers."""
    args = []
    place = 0
    for part in point:
        args.append(part.rebuild(part.slots_of(numbers[place : place + part.size])))
        place += part.size
    out = Leaves(f(*args, **kwargs), "the result")
    return out.numbers


def _check(flat, numbers, names, order, modes, rtol, atol, above):
    """Compare the Jacobians of `flat`, then go on to the function that is its Jacobian."""
    expected, noise = _finite_differences(flat, numbers)
    jacobians = {mode: (_by_columns if mode == "forward" else _by_rows) for mode in modes}
    found = {mode: np.array(jac(flat, numbers), dtype=float).reshape(expected.shape) for mode, jac in jacobians.items()}
    depth = above.count(" over ") + 1 if above else 1
    scale = np.abs(expected).max(initial=0.0)
    for mode, value in found.items():
        allowed = noise + atol * scale + rtol * np.abs(expected)
        _compare(f"order {depth}, {mode}{above}", value, expected, allowed, names, "finite differences give")
    for mode, value in found.items():
        other = found[modes[0]]
        allowed = 1e-5 * (atol * scale + rtol * np.abs(other))
        _compare(f"order {depth}, {mode}{above}", value, other, allowed, names, f"{modes[0]} mode gives")
    if order > 1:
        for mode, jac in jacobians.items():

            def slopes(*xs, jac=jac):
                return [d for row in jac(flat, xs) for d in row]

            _check(slopes, numbers, names, order - 1, modes, rtol * 10, atol * 10, f" over {mode}{above}")


def _compare(label, value, expected, allowed, names, source):
    """Raise for the worst entry, if it is outside the tolerance."""
    with np.errstate(invalid="ignore"):
        excess = np.abs(value - expected) - allowed
    excess[(value == expected) | (np.isnan(value) & np.isnan(expected))] = -1.0
    excess[np.isnan(excess)] = np.inf
    if excess.size == 0 or excess.max() <= 0.0:
        return
    i, j = np.unravel_index(np.argmax(excess), excess.shape)
    raise DerivativeMismatchError(
        f"{label}: d result[{i}] / d {names[j]} is {value[i, j]:.12g}, but {source} {expected[i, j]:.12g} "
        f"({int((excess > 0).sum())} of {excess.size} entries disagree). If f has a kink there, check elsewhere; else "
        "a rule is wrong, or the derivative is cut by stop_gradient or a conversion."
    )


def _finite_differences(flat, numbers):
    """Central differences of order four, with the step where they change least, and how far to trust them.

    Returns
    -------
    slopes, noise : ndarray, shape (results, numbers)
    """
    columns = []
    outside = np.full(len(flat(*numbers)), np.nan)
    for j, x in enumerate(numbers):
        scale = max(1.0, abs(plain(x)))
        tries, sizes = [], []
        for h in STEPS:
            f1, f2, f3, f4 = (_plain_results(flat, numbers, j, x + k * h * scale, outside) for k in (2, 1, -1, -2))
            tries.append((-f1 + 8.0 * f2 - 8.0 * f3 + f4) / (12.0 * h * scale))
            sizes.append(np.abs(f2) / (h * scale))
        with np.errstate(invalid="ignore"):
            changes = np.abs(np.diff(np.array(tries), axis=0))
        best = np.argmin(np.nan_to_num(changes, nan=np.inf), axis=0)
        entries = np.arange(best.size)
        rounding = 1e2 * np.finfo(float).eps * np.array(sizes)[best, entries]
        columns.append((np.array(tries)[best, entries], 10.0 * changes[best, entries] + rounding))
    shape = (-1, len(numbers))
    return tuple(np.array([column[k] for column in columns]).T.reshape(shape) for k in (0, 1))


def _plain_results(flat, numbers, j, x, outside):
    """The results with another j-th number; `outside` where that is outside of the function's domain."""
    moved = [*numbers[:j], x, *numbers[j + 1 :]]
    try:
        with np.errstate(all="ignore"):
            return np.array([plain(y) for y in flat(*moved)], dtype=float)
    except (ValueError, ArithmeticError):
        return outside


def _by_columns(flat, xs):
    n = len(xs)
    columns = [
        pushforward(lambda *a: flat(*a), tuple(xs), tuple(1.0 if i == j else 0.0 for i in range(n)))[1]
        for j in range(n)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _by_rows(flat, xs):
    value, back = pullback(lambda *a: flat(*a), *xs)
    m = len(value)
    rows = []
    for i in range(m):
        bar = back([1.0 if k == i else 0.0 for k in range(m)])
        rows.append(list(bar) if len(xs) != 1 else [bar])
    return rows
