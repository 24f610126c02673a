"""Arrays whose bytes are not in the machine's order: the same numbers, and results in the machine's order."""

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import close

X = np.array([1.5, 2.0, 3.0])
OTHER = X.dtype.newbyteorder()
SWAPPED = X.astype(OTHER)
MATRIX = np.eye(3, dtype=OTHER) * 2.0


def assigned(x, out):
    """An array with x in it, and an element of x in another place."""
    out[:] = x
    out[0] = x[1]
    return out * x


# (of traced arrays; the same in the machine's order)
CASES = {
    "astype": (lambda x: x.astype(OTHER) * x, lambda x: x * x),
    "slice of astype": (lambda x: x.astype(OTHER)[::-2] * 2.0, lambda x: x[::-2] * 2.0),
    "float32": (lambda x: x.astype(OTHER).astype(X.dtype) * x, lambda x: x * x),
    "complex": (lambda x: (x.astype(np.dtype(complex).newbyteorder()) * 1j).imag * x, lambda x: x * x),
    "cumsum": (lambda x: np.cumsum(x * x, dtype=OTHER), lambda x: np.cumsum(x * x)),
    "array": (lambda x: dt.array(SWAPPED) * x, lambda x: X * x),
    "array of traced ones": (lambda x: dt.array(x, dtype=OTHER) * x, lambda x: x * x),
    "ones": (lambda x: dt.ones(3, OTHER) * x, lambda x: x * 1.0),
    "zeros": (lambda x: assigned(x, dt.zeros(3, OTHER)), lambda x: assigned(x, np.zeros(3))),
    "zeros_like": (lambda x: assigned(x, np.zeros_like(x, OTHER)), lambda x: assigned(x, np.zeros(3))),
    "joined": (lambda x: np.concatenate([x * x, x], dtype=OTHER), lambda x: np.concatenate([x * x, x])),
    "constant": (lambda x: SWAPPED * x + x @ SWAPPED, lambda x: X * x + x @ X),
    "where": (lambda x: np.where([True, False, True], x * x, SWAPPED), lambda x: np.where([1, 0, 1], x * x, X)),
    "solve": (lambda x: np.linalg.solve(MATRIX, x * x), lambda x: x * x / 2.0),
}


@pytest.mark.parametrize("name", CASES)
def test_constants_and_dtypes(name):
    f, plain = CASES[name]
    agree(f, X, reference=plain, plain=plain)
    assert dt.pullback(f, X)[0].dtype.isnative


@pytest.mark.parametrize(
    "x", [SWAPPED, SWAPPED[::-1], np.stack([SWAPPED, X]).T.astype(OTHER)], ids=["", "steps", "columns"]
)
def test_inputs(x):
    f = lambda x: np.sum(np.sin(x) * x)
    expected = np.cos(x) * x + np.sin(x)
    close(dt.gradient(f, x), expected, 1e-14, "reverse")
    close(dt.pushforward(f, x, np.ones_like(x))[1], np.sum(expected), 1e-14, "forward")
    close(np.diagonal(dt.hessian(f, x.ravel())), (2 * np.cos(x) - x * np.sin(x)).ravel(), 1e-13, "hessian")
