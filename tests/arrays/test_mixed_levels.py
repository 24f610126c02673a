"""Arrays of one differentiation that are assigned into those of another one."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import close, difference_gradient, step_gradient

X, Y = np.cos(np.arange(9.0)).reshape(3, 3), np.sin(1.0 + np.arange(3.0))
V = np.array([0.7, -1.3, 0.4])


def swap(x, y):
    x[0], x[1] = x[1] * y, x[0] * 1.0


def both_ways(x, y):
    y *= x[1]
    x[:, 2] = y
    y[...] = x[0]


def by_rows(x, y):
    for row in x:
        row[...] = y
        y[1:] = row[:-1] * y[0]


# What happens to the matrix x and the vector y, of different levels.
WRITES = {
    "a column": lambda x, y: x.__setitem__((slice(None), 0), y),
    "a row": lambda x, y: x.__setitem__(1, y),
    "all": lambda x, y: x.__setitem__(..., y),
    "all, transposed": lambda x, y: x.T.__setitem__(..., y),
    "the diagonal": lambda x, y: np.einsum("ii->i", x).__setitem__(..., y),
    "an element": lambda x, y: x.__setitem__((1, 2), y[0]),
    "integers": lambda x, y: x.__setitem__(([0, 2, 0], [1, 1, 1]), y),
    "copyto": lambda x, y: np.copyto(x[2], y),
    "in place": lambda x, y: x[1].__iadd__(y),
    "in place, product": lambda x, y: x.__imul__(y),
    "out=": lambda x, y: np.add(x[1], y, out=x[0]),
    "out= of one": lambda x, y: np.sin(y, out=x[0]),
    "into the other": lambda x, y: y.__setitem__(..., x[1]),
    "into the other, in place": lambda x, y: y.__isub__(x[2]),
    "swap": swap,
    "both ways": both_ways,
    "by rows": by_rows,
    "new memory": lambda x, y: x.__setitem__(0, np.concatenate([y[:1], x[0, 1:]]) * y),
}


def outcome(write):
    def f(x, y):
        x, y = x * 1.0, y.copy()
        view = x[::-1]
        before = np.sum(x * x)
        write(x, y)
        return np.sum(x @ x) + np.sum(view[0] * y) + before * y[1] + np.sum(np.sin(x))

    return f


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("copied", [False, True])
def test_assignment_across_levels(name, copied):
    f = outcome(WRITES[name])
    if copied:  # the level's own array is written to, not one that is computed from it
        inner = f
        f = lambda x, y: (
            inner(x, y) + (WRITES[name](x := x.copy(), y := y.copy()), np.sum(x * x * x) + np.sum(y @ x))[1]
        )
    in_y = lambda x: np.dot(step_gradient(lambda y: f(x + 0j, y), Y), V)
    in_x = lambda y: np.sum(step_gradient(lambda x: f(x, y + 0j), X) * X)
    wanted_x, wanted_y = difference_gradient(in_y, X, 1e-3), difference_gradient(in_x, Y, 1e-3)
    reverse_y = lambda x: np.dot(dt.gradient(lambda y: f(x, y), Y), V)
    forward_y = lambda x: dt.pushforward(lambda y: f(x, y), Y, V)[1]
    reverse_x = lambda y: np.sum(dt.gradient(lambda x: f(x, y), X) * X)
    forward_x = lambda y: dt.pushforward(lambda x: f(x, y), X, X)[1]
    for g, at, wanted in (
        (reverse_y, X, wanted_x),
        (forward_y, X, wanted_x),
        (reverse_x, Y, wanted_y),
        (forward_x, Y, wanted_y),
    ):
        close(dt.gradient(g, at), wanted, 1e-8, "reverse over the other")
        close(dt.pushforward(g, at, at)[1], np.sum(wanted * at), 1e-8, "forward over the other")
        close(dt.hvp(lambda z, g=g: np.sin(g(z)), at, at), hessian_product(g, at), 1e-6, "a third level")


def hessian_product(g, at, h=1e-3):
    """The derivative of the gradient of sin(g) along `at`, by differences of gradients that are checked already."""

    def slope(z):
        value, gradient = dt.value_and_gradient(g, z)
        return np.cos(value) * gradient

    terms = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    return sum(c * (slope(at + k * h * at) - slope(at - k * h * at)) for k, c in terms) / h
