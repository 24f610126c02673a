"""Short random NumPy programs, and derivatives of them that do not come from dualtape.

A program is a list of instructions, each one or a few lines of Python with the names that it reads and writes.
`Program.run` executes it with whatever stands for ``np`` and ``dt``: the same text computes on plain arrays, on complex
arrays for a complex step (NumPy orders complex numbers by their real parts first, so that sorting, masks and maxima
decide as for real ones), and on traced arrays.
"""

import math
import re
import types
import warnings
from typing import NamedTuple

import numpy as np

import dualtape as dt

MARGIN = 0.02  # decisions are at least this far from going the other way
STEP = 2e-4  # of central differences of sixth order, whose error is far below what rounding leaves


class Instruction(NamedTuple):
    """One step of a program."""

    text: str  # the lines; {o} of a template is already the name of the result
    out: str | None = None  # the name that it binds
    target: str | None = None  # the array that it changes in place
    fresh: bool = False  # whether the result accepts traced values, though none is in it yet
    decision: str | None = None  # an expression over plain arrays whose value must not depend on small changes


# --- oracles --------------------------------------------------------------------------------------------------------


def primal(x):
    """The plain number or array in a traced value of any order."""
    while hasattr(x, "value"):
        x = x.value
    return x


def weights(shape, seed=0):
    """Numbers without a pattern, by which a permuted result would be noticed."""
    return np.cos(1.0 + seed + 1.7 * np.arange(math.prod(shape))).reshape(shape)


def step_gradient(f, x, h=1e-30):
    """The gradient of a scalar f at a float array, to machine precision: Im f(x + ih e) / h."""
    x = np.asarray(x, dtype=float)
    slopes = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        z = x.astype(complex)
        z[place] += 1j * h
        slopes[place] = np.imag(f(z)) / h
    return slopes


def step_hvp(f, x, v, h=STEP):
    """Hessian times v: central differences of sixth order of complex steps."""
    terms = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    return sum(c * (step_gradient(f, x + k * h * v) - step_gradient(f, x - k * h * v)) for k, c in terms) / h


def difference_gradient(f, x, h=STEP):
    """The gradient of a scalar f, also of complex x (df/dx + i df/dy), by central differences of sixth order."""
    terms = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    slopes = np.zeros(x.shape, dtype=x.dtype)
    for place in np.ndindex(x.shape):
        for unit in (1.0, 1j) if np.iscomplexobj(x) else (1.0,):
            e = np.zeros_like(x)
            e[place] = unit * h
            slopes[place] += unit * sum(c * (f(x + k * e) - f(x - k * e)) for k, c in terms) / h
    return slopes


# Every way to the gradient of f at x, to the slope along v, and to Hessian times v.
GRADIENTS = {
    "gradient": lambda f, x: dt.gradient(f, x),
    "value_and_gradient": lambda f, x: dt.value_and_gradient(f)(x)[1],
    "pullback": lambda f, x: dt.pullback(f, x)[1](1.0),
    "jacobian reverse": lambda f, x: dt.jacobian(f, x, mode="reverse"),
    "jacobian of several": lambda f, x: (
        dt.jacobian(lambda y: f(y) * weights((3,)), x, mode="reverse")[1] / weights((3,))[1]
    ),
    "jacobian of many": lambda f, x: dt.jacobian(lambda y: f(y) * weights((20,)), x)[17] / weights((20,))[17],
    "jacobian forward": lambda f, x: dt.jacobian(f, x, mode="forward"),
    "gradient in pushforward": lambda f, x: dt.pushforward(lambda y: dt.gradient(f, y), x, np.ones_like(x))[0],
    "gradient in pullback": lambda f, x: dt.pullback(lambda y: dt.gradient(f, y), x)[0],
}
SLOPES = {
    "pushforward": lambda f, x, v: dt.pushforward(f, x, v)[1],
    "pushforward in pushforward": lambda f, x, v: dt.pushforward(lambda y: dt.pushforward(f, y, v)[1], x, v)[0],
    "pushforward in pullback": lambda f, x, v: dt.pullback(lambda y: dt.pushforward(f, y, v)[1], x)[0],
}
PRODUCTS = {
    "hvp": lambda f, x, v: dt.hvp(f, x, v),
    "forward over reverse": lambda f, x, v: dt.pushforward(lambda y: dt.gradient(f, y), x, v)[1],
    "reverse over reverse": lambda f, x, v: dt.gradient(lambda y: np.sum(dt.gradient(f, y) * v), x),
    "reverse over forward": lambda f, x, v: dt.gradient(lambda y: dt.pushforward(f, y, v)[1], x),
    "hessian": lambda f, x, v: np.tensordot(dt.hessian(f, x), v, np.ndim(x)),
}


def pieces(out):
    """What a function returned, as a sequence of arrays and scalars."""
    return out if isinstance(out, tuple | list) else (out,)


def contract(f):
    """F, which gives arrays or scalars, as one number that depends on every entry in its own way."""

    def scalar(x):
        outs = enumerate(pieces(f(x)))
        return sum(np.sum(weights(np.shape(out), k) * np.sin(out)) for k, out in outs)

    return scalar


def close(found, expected, rtol, what=""):
    """Compare values and shapes; the absolute tolerance follows from the largest entry."""
    found, scale = primal(found), 1.0 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale, err_msg=what)
    assert np.shape(found) == np.shape(expected), what


def check(f, x, reference=None, second=True, rtol=1e-11):
    """Compare all modes of f, which gives arrays or scalars, with complex steps of f on plain NumPy.

    ``reference`` stands for f where f itself takes no plain or no complex array.
    """
    reference = reference or f
    before, v, scalar = np.array(x, copy=True), weights(np.shape(x), 5), contract(f)
    expected = pieces(reference(before.copy()))
    found = pieces(dt.pullback(f, x)[0])
    assert len(found) == len(expected)
    for k, out in enumerate(expected):
        close(found[k], out, 1e-13, "value")
    expected = step_gradient(contract(reference), x)
    for name, find in GRADIENTS.items():
        close(find(scalar, x), expected, rtol, name)
    for name, find in SLOPES.items():
        close(find(scalar, x, v), np.sum(expected * v), rtol, name)
    if second:
        expected = step_hvp(contract(reference), x, v)
        for name, find in PRODUCTS.items():
            close(find(scalar, x, v), expected, max(100 * rtol, 1e-8), name)
    np.testing.assert_array_equal(x, before, err_msg="the caller's array was changed")


# --- programs -------------------------------------------------------------------------------------------------------


def stand_in(dtype, module=np):
    """What dt is for arrays of a dtype: the creating functions alone."""
    return types.SimpleNamespace(
        zeros=lambda shape: module.zeros(shape, dtype),
        ones=lambda shape: module.ones(shape, dtype),
        array=lambda entries: module.array(entries, dtype),
    )


PLAIN, COMPLEX, TRACED_COMPLEX = stand_in(float), stand_in(complex), stand_in(complex, dt)


def check_case(case, x, **options):
    """`check` for a function of (x, dt) that creates arrays with what is given as dt."""
    plain = lambda x: case(x, COMPLEX if np.iscomplexobj(x) else PLAIN)
    check(lambda x: case(x, dt), x, reference=plain, **options)


NAME = re.compile(r"\b[a-z]\d+\b|\bx\b")


class Program:
    """A list of instructions that start from an array x."""

    def __init__(self, x, instructions=()):
        self.x, self.instructions = x, list(instructions)

    def __str__(self):
        lines = [line for step in self.instructions for line in step.text.split("\n")]
        names = self.names()
        body = [*lines, f"return dict({', '.join(f'{n}={n}' for n in names)})"]
        return "\n    ".join(["def program(x, np, dt):", *body])

    def names(self):
        """The results, in order."""
        return ["x", *(step.out for step in self.instructions if step.out)]

    def compiled(self):
        """The program as a function of x and what stands for np and dt; it gives a dict of all its names."""
        scope = {}
        exec(str(self), scope)
        return scope["program"]

    def total(self, numpy=np, dualtape=dt, program=None):
        """The program as a scalar function, in which every entry of every result counts."""
        program = program or self.compiled()

        def f(x):
            out = 0.0
            for k, a in enumerate(program(x, numpy, dualtape).values()):
                out = out + np.sum(weights(np.shape(a), k) * np.sin(a))
            return out

        return f

    def decisions(self, x):
        """What the program decides at x: orders and masks."""
        scope, out = {"np": np, "dt": PLAIN, "x": x.copy()}, []
        for step in self.instructions:
            if step.decision:
                out.append(np.array(eval(step.decision, {**scope, **DECIDE})))
            exec(step.text, scope)
        return out

    def steady(self, v, h=STEP):
        """Whether all decisions are the same at every point that the oracle of second order visits."""
        base = self.decisions(self.x)
        return all(all(map(np.array_equal, base, self.decisions(self.x + k * h * v))) for k in (-3, -2, -1, 1, 2, 3))


class State:
    """A program being executed step by step on plain arrays: what its names hold, and what may be assigned where."""

    def __init__(self, x):
        self.scope = {"np": np, "dt": PLAIN, "x": x.copy()}
        self.names = ["x"]
        self.scalars = []
        self.traced = {id(root(self.scope["x"]))}  # memory that holds traced values
        self.open = set(self.traced)  # memory that may receive them
        self.depends = {"x": True}  # of scalars, whether they do

    def is_traced(self, name):
        value = self.scope[name]
        return id(root(value)) in self.traced if isinstance(value, np.ndarray) else self.depends[name]

    def is_open(self, name):
        return id(root(self.scope[name])) in self.open

    def may_change(self, name):
        return self.is_open(name) and self.scope[name].flags.writeable  # np.add.at does not look

    def execute(self, step):
        """Execute one more step; False where it does not belong into a program."""
        reads = [name for name in set(NAME.findall(step.text)) if name != step.out]
        if any(name not in self.scope for name in reads) or (step.target and not self.may_change(step.target)):
            return False
        tainted = any(map(self.is_traced, reads))
        try:
            with np.errstate(all="raise", under="ignore"), warnings.catch_warnings(action="error"):
                if step.decision and not decided(eval(step.decision, {**self.scope, **DISTANCE})):
                    return False
                exec(step.text, self.scope)
        except (ValueError, IndexError, ArithmeticError, RuntimeWarning, np.linalg.LinAlgError):
            return False
        if step.target and tainted:
            self.traced.add(id(root(self.scope[step.target])))
        if step.out:
            value = self.scope[step.out]
            if isinstance(value, np.ndarray):
                memory = id(root(value))
                self.traced |= {memory} if tainted and not step.fresh else set()
                self.open |= {memory} if tainted or step.fresh else set()
                self.names.append(step.out)
            else:
                self.depends[step.out] = tainted
                self.scalars.append(step.out)
        arrays = (self.scope[name] for name in [*self.names, *self.scalars])
        return all(np.size(a) <= 40 and np.all(np.abs(a) < 20) for a in arrays)


def root(a):
    """The array that owns the memory of a."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


# The two functions in which decisions are written: what they decide, and how far that is from the opposite.
DECIDE = {"order": lambda a, axis: np.argsort(a, axis), "side": np.sign}
DISTANCE = {"order": lambda a, axis: np.diff(np.sort(a, axis=None)), "side": lambda a: a}


def decided(distance):
    """Whether a decision keeps its distance."""
    return np.all(np.abs(distance) > MARGIN)


def valid(program):
    """Whether a list of instructions is a program: names, shapes, and no traced value into a plain array."""
    state = State(program.x)
    return all(map(state.execute, program.instructions))


def shrink(program, fails):
    """The program without the instructions that its failure does not need."""
    while True:
        for i in reversed(range(len(program.instructions))):
            steps = program.instructions[:i] + program.instructions[i + 1 :]
            smaller = Program(program.x, steps)
            if valid(smaller) and fails(smaller):
                program = smaller
                break
        else:
            return program
