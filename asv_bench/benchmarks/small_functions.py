"""Functions of NumPy on a few numbers, where their cost is that of the calls and not of the numbers."""

import numpy as np

import dualtape as dt

from .timing import microseconds

CALLS = 200

FUNCTIONS = {
    "tanh": np.tanh,
    "sum axis": lambda x: np.sum(x, axis=0),
    "mean": np.mean,
    "max axis": lambda x: np.max(x, axis=0),
    "reshape": lambda x: np.reshape(x, (2, 8)),
    "transpose": np.transpose,
    "slice": lambda x: x[1:3],
    "element": lambda x: x[1, 2],
    "integer index": lambda x: x[[0, 2]],
    "concatenate": lambda x: np.concatenate([x, x]),
    "stack": lambda x: np.stack([x, x]),
    "stack of numbers": lambda x: np.stack([x[0, 0], x[0, 1], x[1, 0]]),
    "where": lambda x: np.where(x > 1.0, x, 0.0),
    "maximum": lambda x: np.maximum(x, 1.0),
    "clip": lambda x: np.clip(x, 0.7, 1.5),
    "cumsum": np.cumsum,
    "prod": np.prod,
    "einsum": lambda x: np.einsum("ij,jk->ik", x, x),
    "outer": lambda x: np.outer(x[0], x[1]),
    "norm": lambda x: np.linalg.norm(x),
    "solve": lambda x: np.linalg.solve(x, x[0]),
}


class SmallFunctions:
    """Functions of a 4x4 array, called many times in one program."""

    params = tuple(FUNCTIONS)
    param_names = ("function",)

    def setup(self, function):
        self.f = FUNCTIONS[function]
        self.x = np.random.default_rng(0).uniform(0.5, 2.0, (4, 4)) + 2.0 * np.eye(4)

    def summed(self, x):
        """The program whose gradient is taken: each result counts."""
        return sum(np.sum(self.f(x)) for _ in range(CALLS))

    def sums_alone(self, x):
        """The same without the function."""
        return sum(np.sum(x) for _ in range(CALLS))

    def called(self, x):
        for _ in range(CALLS):
            out = self.f(x)
        return out

    def track_plain(self, function):
        """Microseconds of one call of NumPy's."""
        return microseconds(lambda: self.called(self.x)) / CALLS

    def track_reverse(self, function):
        """Microseconds of one call, recorded and swept."""
        whole = microseconds(lambda: dt.gradient(self.summed, self.x))
        return (whole - microseconds(lambda: dt.gradient(self.sums_alone, self.x))) / CALLS

    def track_forward(self, function):
        """Microseconds of one call with a tangent."""
        return microseconds(lambda: dt.pushforward(self.called, (self.x,), (self.x,))) / CALLS

    track_plain.unit = track_reverse.unit = track_forward.unit = "us"
