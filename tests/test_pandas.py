"""pandas holds no traced values: what goes wrong says `.to_numpy()`, and what works is right."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import close

pd = pytest.importorskip("pandas")

X = np.array([0.5, 1.5, 2.5])
S = pd.Series([1.0, 2.0, 3.0])
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0]})

REFUSED = {
    "Series": lambda x: pd.Series(x),
    "DataFrame": lambda x: pd.DataFrame(x),
    "DataFrame of a dict": lambda x: pd.DataFrame({"a": x}),
    "DataFrame of a matrix": lambda x: pd.DataFrame(x.reshape(1, 3)),
    "Index": lambda x: pd.Index(x),
    "series * array": lambda x: S * x,
    "array * series": lambda x: x * S,
    "series + number": lambda x: S + x[0],
    "number - series": lambda x: x[0] - S,
    "series ** number": lambda x: S ** x[0],
    "number ** series": lambda x: x[0] ** S,
    "in place": lambda x: _in_place(x),
    "method": lambda x: S.add(x),
    "frame * array": lambda x: FRAME * x[:2],
    "number * frame": lambda x: x[0] * FRAME,
    "ufunc": lambda x: np.multiply(S, x),
    "ufunc, array first": lambda x: np.multiply(x, S),
    "ufunc of a number": lambda x: np.multiply(x[0], S),
    "ufunc of a series": lambda x: np.sin(pd.Series(x)),
    "series @ array": lambda x: S @ x,
    "array @ series": lambda x: x @ S,
    "frame @ array": lambda x: FRAME @ x[:2],
    "frame.dot": lambda x: FRAME.dot(x[:2]),
    "assignment": lambda x: S.copy().__setitem__(0, x[0]),
    "assignment by place": lambda x: _by_place(x),
    "assignment of a column": lambda x: FRAME.copy().__setitem__("c", x),
    "where": lambda x: S.where(S > 1.0, x[0]),
    "fillna": lambda x: pd.Series([1.0, np.nan]).fillna(x[0]),
    "concat": lambda x: pd.concat([S, pd.Series(x)]),
    "dt.array": lambda x: dt.array(S),
    "a result": lambda x: S,
    "a result of traced numbers": lambda x: pd.Series([x[0], x[1]]),
}


def _by_place(x):
    series = S.copy()
    series.iloc[0] = x[0]


def _in_place(x):
    x += S
    return x


@pytest.mark.parametrize("name", REFUSED)
def test_the_error_says_what_to_do(name):
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x), lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(dt.DualtapeError, match=r"\.to_numpy\(\)"):
            differentiate(REFUSED[name], X)


@pytest.mark.parametrize("argument", [S, FRAME], ids=["series", "frame"])
def test_arguments(argument):
    for operator in (dt.gradient, dt.jacobian):
        with pytest.raises(dt.InputError, match=r"\.to_numpy\(\)"):
            operator(lambda x: x, argument)


# What NumPy's functions take from a series they take to be plain numbers; lists of traced numbers stay objects.
RIGHT = {
    "to_numpy": lambda x: np.sum(x * S.to_numpy() ** 2),
    "dot": lambda x: np.dot(x, S) + x.dot(S),
    "solve": lambda x: np.sum(np.linalg.solve(np.diag(x), S)),
    "where": lambda x: np.sum(np.where(S > 1.0, x**2, 0.0)),
    "concatenate": lambda x: np.sum(np.concatenate([x, S]) ** 2),
    "mask": lambda x: np.sum(x[S > 1.0] ** 2),
    "index": lambda x: np.sum(x[S.index[::-1]] * [1.0, 2.0, 3.0]),
    "map": lambda x: S.map(lambda v: v * x[0] ** 2).sum(),
    "objects": lambda x: pd.Series([x[0] ** 2, x[1] * x[0]]).sum(),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_works_is_right(name):
    f, h = RIGHT[name], 1e-6
    wanted = np.array([(f(X + h * e) - f(X - h * e)) / (2 * h) for e in np.eye(3)])
    close(dt.gradient(f, X), wanted, 1e-8)
    close(np.array([dt.pushforward(f, X, e)[1] for e in np.eye(3)]), wanted, 1e-8)
