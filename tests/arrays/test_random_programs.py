"""Thousands of short random array programs in every mode, against complex steps on plain NumPy.

``DUALTAPE_PROGRAMS`` sets how many. A program that fails is shrunk and printed as Python.
"""

import itertools
import math
import os
import random

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import (
    COMPLEX,
    NAME,
    PLAIN,
    TRACED_COMPLEX,
    Instruction,
    Program,
    State,
    close,
    difference_gradient,
    shrink,
    step_gradient,
    step_hvp,
    weights,
)

PROGRAMS = int(os.environ.get("DUALTAPE_PROGRAMS", "300"))
CHUNK = 25


# --- instructions ---------------------------------------------------------------------------------------------------


class Writer:
    """Writes random instructions over the names of a state."""

    def __init__(self, rng, state):
        self.rng, self.state = rng, state

    def shape(self, expression):
        return np.shape(eval(expression, self.state.scope))

    def array(self, *dimensions):
        """The name of an array with one of so many dimensions; recent ones more often."""
        names = [n for n in self.state.names if not dimensions or self.shape(n).__len__() in dimensions]
        return self.rng.choice(names + names[-2:]) if names else None

    def target(self, *dimensions):
        """The name of an array that may be assigned to."""
        names = [n for n in self.state.names if self.state.is_open(n)]
        names = [n for n in names if not dimensions or len(self.shape(n)) in dimensions]
        return self.rng.choice(names + names[-2:]) if names else None

    def number(self):
        return f"{self.rng.choice([-1.1, -0.7, -0.3, 0.2, 0.45, 0.8, 1.3])}"

    def scalar(self, number=True):
        """A number, a scalar or an element."""
        kind = self.rng.random() + (number is False)
        if kind < 0.4:
            return self.number()
        if kind < 0.6 and self.state.scalars:
            return self.rng.choice(self.state.scalars)
        name = self.array()
        return f"{name}[{', '.join(str(self.rng.randrange(-n, n or 1)) for n in self.shape(name)) or '()'}]"

    def index(self, name):
        """A basic index."""
        if self.rng.random() < 0.1:
            return "..."
        parts = []
        for n in self.shape(name)[: self.rng.randrange(4)]:
            start, stop = self.rng.randrange(max(n, 1)), self.rng.randrange(max(n, 1))
            kinds = [
                ":",
                "::-1",
                f"{start}:",
                f":{stop + 1}",
                f"{start}::-1",
                "::2",
                f"-{stop + 1}:",
                "::-2",
                str(start),
            ]
            parts.append(self.rng.choice(kinds))
        if self.rng.random() < 0.15:
            parts.insert(self.rng.randrange(len(parts) + 1), self.rng.choice(["None", "..."]))
        return ", ".join(parts) or ":"

    def mask(self, name):
        """A mask of the array's shape and the decision that it is."""
        c = self.number()
        return self.rng.choice([f"{name} > {c}", f"{name} <= {c}"]), f"side({name} - {c})"

    def operand(self, shape):
        """An expression that broadcasts to the shape."""
        kind = self.rng.random()
        if kind < 0.25:
            return self.scalar()
        if kind < 0.35 and shape:
            return f"np.linspace(-0.8, 0.9, {shape[-1]})"
        terms = []
        for name in [*self.state.names, *self.state.names[-2:]]:
            for suffix in ("", "[::-1]", ".T", ".ravel()", "[..., 0]", "[0]"):
                try:
                    fits = np.broadcast_shapes(self.shape(name + suffix), shape) == shape
                except (ValueError, IndexError):
                    continue
                terms += [name + suffix] * (6 if fits and not suffix else fits)
        return self.smooth(self.rng.choice(terms)) if terms else self.scalar()

    def smooth(self, a):
        """A bounded function of an expression."""
        forms = [
            "{a}",
            "{a}",
            "np.sin({a})",
            "np.cos({a})",
            "np.tanh({a})",
            "np.exp(-np.square({a}))",
            "-{a}",
            "{a} * {a}",
        ]
        forms += [
            "1.0 / (2.0 + {a} ** 2)",
            "np.arctan({a})",
            "np.sqrt(1.0 + {a} * {a})",
            "0.6 * {a}",
            "np.arcsinh({a})",
        ]
        return self.rng.choice(forms).format(a=a)

    # Each of the following gives an instruction, or None where there is nothing to apply it to.

    def create(self, o):
        a, shape = self.array(), self.rng.choice(["4", "(2, 3)", "(3, 3)", "(2, 1)", "(1, 3)", "6"])
        if self.rng.random() < 0.3 or not self.state.is_traced(a):
            entries = ", ".join(self.scalar() for _ in range(self.rng.randrange(1, 5)))
            text = self.rng.choice([f"dt.zeros({shape})", f"dt.ones({shape})", f"dt.array([{entries}])"])
            return Instruction(f"{o} = {text}", o, fresh="array" not in text or not self.any_traced(entries))
        if self.rng.random() < 0.5:
            return Instruction(f"{o} = {a}.copy()", o)
        text = self.rng.choice(["np.zeros_like({a})", "np.ones_like({a})", "np.empty_like({a})\n{o}[...] = 0.5"])
        return Instruction(f"{o} = {text.format(a=a, o=o)}", o, fresh=True)

    def any_traced(self, text):
        return any(map(self.state.is_traced, NAME.findall(text)))

    def view(self, o):
        a = self.array()
        shape = self.shape(a)
        size = math.prod(shape)
        shapes = {(size,), (1, size), (size, 1), (-1,), *((n, size // n) for n in (2, 3) if size % n == 0)}
        order = list(range(len(shape)))
        self.rng.shuffle(order)
        texts = [f"[{self.index(a)}]"] * 4 + [
            ".T",
            f".transpose({', '.join(map(str, order))})",
            ".ravel()",
            ".squeeze()",
        ]
        texts += [f".reshape({self.rng.choice(sorted(shapes))})"] * 2 + ["[None]", "[...]", "[::-1]", "[..., ::-1]"]
        if len(shape) > 1:
            texts += [".diagonal()", ".swapaxes(0, -1)", ".mT", f"[{self.rng.randrange(shape[0])}]", ".reshape(-1)"]
        return Instruction(f"{o} = {a}{self.rng.choice(texts)}", o)

    def elementwise(self, o):
        a = self.array()
        b = self.operand(self.shape(a))
        form = self.rng.choice(
            ["{a} + {b}", "{a} * {b}", "{b} - {a}", "{a} / (1.7 + ({b}) ** 2)", "np.maximum({a}, {b})"]
        )
        form = form if self.rng.random() < 0.6 else self.smooth("{a}")
        decision = f"side({a} - ({b}))" if "max" in form else None
        return Instruction(f"{o} = {form.format(a=a, b=f'({b})' if ' - ' in form else b)}", o, decision=decision)

    def reduce(self, o):
        a = self.array()
        axis = self.rng.choice(["", *(f", axis={k}" for k in range(-len(self.shape(a)), len(self.shape(a))))])
        if axis and self.rng.random() < 0.3:
            axis += ", keepdims=True"
        name = self.rng.choice(["sum", "sum", "mean", "prod", "max", "min", "cumsum"])
        decision = f"order({a}, axis=None)" if name in ("max", "min") else None
        return Instruction(
            f"{o} = np.{name}({a}{axis.replace(', keepdims=True', '') if name == 'cumsum' else axis})",
            o,
            decision=decision,
        )

    def product(self, o):
        a, b = self.array(1, 2, 3), self.array(1, 2, 3)
        forms = ["{a} @ {b}", "{a} @ {b}.T", "np.dot({a}, {b})", "np.matmul({b}, {a})", "np.outer({a}, {b})"]
        forms += ["np.einsum('ij,ij->j', {a}, {b})", "np.einsum('i,j->ij', {a}, {b})", "np.einsum('ij,kj', {a}, {b})"]
        forms += ["np.linalg.solve({a} + 4.0 * np.eye(len({a})), {b})", "np.linalg.inv(3.0 * np.eye(len({a})) + {a})"]
        return Instruction(f"{o} = {self.rng.choice(forms).format(a=a, b=b)}", o) if a and b else None

    def assemble(self, o):
        a, b = self.array(), self.array()
        mask, decision = self.mask(a)
        axis = self.rng.randrange(2)
        texts = {
            f"np.concatenate([{a}, {b}], axis={axis})": None,
            f"np.stack([{a}, {self.operand(self.shape(a))}], axis={axis})": None,
            f"np.where({mask}, {a}, {self.operand(self.shape(a))})": decision,
            f"{a}[{mask}]": decision,
            f"{a}.ravel()[[0, -1, 0]]": None,
            f"np.clip({a}, -0.6, 0.7)": f"side(({a} + 0.6) * ({a} - 0.7))",
        }
        text = self.rng.choice(list(texts))
        return Instruction(f"{o} = {text}", o, decision=texts[text])

    def assign(self, o):
        t = self.target()
        place = f"{t}[{self.index(t)}]" if self.rng.random() < 0.75 else t
        value = self.operand(self.shape(place))
        sign = self.rng.choice(["=", "+=", "-=", "*=", "*=", "/=", "**="])
        if sign == "=" and place == t:
            place = f"{t}[...]"
        value = {"/=": f"1.6 + ({value}) ** 2", "**=": "2"}.get(sign, value)
        return Instruction(f"{place} {sign} {value}", target=t)

    def overlap(self, o):
        t = self.target(1, 2, 3)
        texts = [
            "{t}[1:] += {t}[:-1]",
            "{t}[:-1] *= {t}[1:]",
            "{t}[...] = {t}[::-1]",
            "{t} += {t}[::-1]",
            "{t} += {t}.T",
        ]
        texts += [
            "{t}[:] = {t}.T",
            "{t}[1:] = {t}[:-1]",
            "np.add({t}[:-1], {t}[1:], out={t}[1:])",
            "{t} -= 0.5 * {t}[0]",
        ]
        texts += [
            "np.sin({t}, out={t})",
            "np.multiply({t}, {t}[::-1], out={t})",
            "{t}[::2] -= {t}[:1]",
            "{t} *= {t}[..., :1]",
        ]
        return Instruction(self.rng.choice(texts).format(t=t), target=t) if t else None

    def out(self, o):
        t = self.target()
        a, b = self.operand(self.shape(t)), self.operand(self.shape(t))
        texts = [f"np.add({a}, {b}, out={t})", f"np.multiply({a}, {b}, out={t})", f"np.cos({b}, out={t})"]
        return Instruction(self.rng.choice(texts), target=t)

    def fancy(self, o):
        t = self.target(1, 2)
        if not t:
            return None
        n, rng = self.shape(t)[0], self.rng
        if not n:
            return None
        mask, decision = self.mask(t)
        places = str([rng.randrange(-n, n) for _ in range(rng.randrange(1, 5))])
        value = self.operand(self.shape(f"{t}[{places}]"))
        texts = {
            f"{t}[{places}] = {value}": None,
            f"{t}[{places}] += {value}": None,
            f"{t}[{places}] *= {value}": None,
            f"np.add.at({t}, {places}, 1.0 * ({value}))": None,
            f"np.subtract.at({t}, {places}, 1.0 * ({value}))": None,
            f"np.multiply.at({t}, {places}, 1.0 * ({value}))": None,
            f"{t}[{mask}] = {self.scalar()}": decision,
            f"{t}[{mask}] *= {self.scalar()}": decision,
            f"{t}[{mask}] = np.sin({t}[{mask}])": decision,
            f"{t}[{t}.argsort(axis=0)[0]] += 0.5": f"order({t}, axis=0)",
        }
        text = rng.choice(list(texts))
        return Instruction(text, target=t, decision=texts[text])

    def method(self, o):
        t = self.target()
        axis = self.rng.randrange(-1, max(1, len(self.shape(t))))
        if self.rng.random() < 0.3:
            return Instruction(f"{t}.fill({self.scalar()})", target=t)
        return Instruction(f"{t}.sort(axis={axis})", target=t, decision=f"order({t}, axis={axis})")

    def loop(self, o):
        t, b = self.target(1, 2, 3), self.array(1)
        if not t:
            return None
        row = "row" if len(self.shape(t)) > 1 else f"{t}[:1]"
        texts = [
            f"for i in range(1, len({t})):\n    {t}[i] += 0.5 * {t}[i - 1]",
            f"for i in range(len({t})):\n    {t}[i] = np.sin({t}[i]) * {t}[-1]",
            f"for row in {t}:\n    {row} *= 0.8",
            f"for row in {t}:\n    {row}[0] = np.sum(np.cos(row))",
            f"for row in {t}[::-1]:\n    {row}[...] = {row} + 0.3 * {t}[0]",
        ]
        if b:
            texts.append(f"for i, s in enumerate({b}):\n    {t}[i % len({t})] = {t}[i % len({t})] - 0.4 * s")
        return Instruction(self.rng.choice(texts), target=t)

    def pick(self, o):
        return Instruction(f"{o} = {self.scalar(number=False)}", o)


KINDS = {"create": 2, "view": 6, "elementwise": 4, "reduce": 2, "product": 2, "assemble": 2, "assign": 6}
KINDS |= {"overlap": 3, "out": 2, "fancy": 4, "method": 1, "loop": 2, "pick": 1}


def clear(program):
    """Whether its decisions hold at every point that the oracles visit, and its derivatives are moderate."""
    v = weights(program.x.shape, 5)
    if not program.steady(v):
        return False
    f = program.total(np, COMPLEX)
    slopes, curvatures = step_gradient(f, program.x), step_hvp(f, program.x, v)
    return np.max(np.abs(slopes)) < 1e3 and np.max(np.abs(curvatures)) < 1e4


def generate(seed, length=None):
    """A random program whose derivatives are moderate and whose decisions are clear."""
    for attempt in itertools.count():
        rng = random.Random(f"{seed} {attempt}")
        shape = rng.choice([(1,), (4,), (6,), (2, 3), (3, 3), (1, 4), (3, 1), (2, 2, 2), (2, 1, 3)])
        x = np.array([rng.uniform(-1.2, 1.2) for _ in range(math.prod(shape))]).reshape(shape)
        program, state = Program(x), State(x)
        wanted = length or rng.randrange(2, 13)
        for _ in range(30 * wanted):
            if len(program.instructions) == wanted:
                break
            kind = rng.choices(list(KINDS), KINDS.values())[0]
            try:
                step = getattr(Writer(rng, state), kind)(f"{rng.choice('abcdpqrs')}{len(program.instructions)}")
            except (IndexError, ValueError):
                continue  # the index does not fit the array
            trial = Program(x, [*program.instructions, step]) if step else None
            if trial and state.execute(step):
                program = trial
            elif trial:  # what it has changed before it failed is undone
                state = State(x)
                assert all(map(state.execute, program.instructions))
        if program.instructions and clear(program):
            return program


# --- the checks -----------------------------------------------------------------------------------------------------


def values(program):
    """Every result of the program in both modes and nested is plain NumPy's."""
    run, x = program.compiled(), program.x.copy()
    expected = run(x.copy(), np, PLAIN)

    def compare(x):
        seen = run(x, np, dt)
        for name, value in expected.items():
            close(seen[name], value, 1e-13, f"value of {name}")
            assert len(np.shape(value)) == 0 or seen[name].dtype == np.float64, name
        return seen["x"]

    dt.pullback(compare, x)
    dt.pushforward(compare, x, np.ones_like(x))
    dt.pushforward(lambda y: dt.pullback(compare, y)[0], x, np.ones_like(x))
    np.testing.assert_array_equal(x, program.x, err_msg="the caller's array was changed")


def first_order(program):
    """Reverse and forward mode give the slopes of complex steps."""
    run, x = program.compiled(), program.x.copy()
    v, f = weights(x.shape, 5), program.total(np, dt, run)
    expected = step_gradient(program.total(np, COMPLEX, run), x)
    close(dt.gradient(f, x), expected, 1e-11, "gradient")
    close(dt.pushforward(f, x, v)[1], np.sum(expected * v), 1e-11, "pushforward")
    np.testing.assert_array_equal(x, program.x, err_msg="the caller's array was changed")


def second_order(program):
    """Hessian times v by four nestings is that of differences of complex steps."""
    run, x = program.compiled(), program.x.copy()
    v, f = weights(x.shape, 5), program.total(np, dt, run)
    expected = step_hvp(program.total(np, COMPLEX, run), x, v)
    close(dt.hvp(f, x, v), expected, 1e-8, "hvp")
    close(dt.pushforward(lambda y: dt.gradient(f, y), x, v)[1], expected, 1e-8, "forward over reverse")
    close(dt.gradient(lambda y: np.sum(dt.gradient(f, y) * v), x), expected, 1e-8, "reverse over reverse")
    close(dt.gradient(lambda y: dt.pushforward(f, y, v)[1], x), expected, 1e-8, "reverse over forward")
    np.testing.assert_array_equal(x, program.x, err_msg="the caller's array was changed")


def complex_order(program):
    """The real part of the program at a complex point, against differences along both axes."""
    if any(step.decision for step in program.instructions):
        return  # the order of complex numbers is no smooth matter
    run, z = program.compiled(), program.x + 0.2j * weights(program.x.shape, 4)
    plain, traced = program.total(np, COMPLEX, run), program.total(np, TRACED_COMPLEX, run)
    with np.errstate(all="ignore"):
        slopes, finer = (difference_gradient(lambda z: plain(z).real, z, h) for h in (2e-3, 1e-3))
    if not np.max(np.abs(slopes - finer)) < 1e-9:
        return  # near a pole or a branch cut
    before, dz = z.copy(), weights(z.shape, 5) + 1j * weights(z.shape, 6)
    close(dt.value_and_gradient(lambda z: traced(z).real, z)[0], plain(z.copy()).real, 1e-12, "value")
    close(dt.gradient(lambda z: traced(z).real, z), finer, 1e-8, "gradient")
    close(dt.pushforward(traced, z, dz)[1].real, np.sum((finer.conj() * dz).real), 1e-8, "pushforward")
    np.testing.assert_array_equal(z, before, err_msg="the caller's array was changed")


def failure(check, program):
    """The exception of a check, or None."""
    try:
        check(program)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("check", [values, first_order, second_order, complex_order], ids=lambda check: check.__name__)
@pytest.mark.parametrize("start", range(0, PROGRAMS, CHUNK))
def test_random_programs(start, check):
    for seed in range(start, min(start + CHUNK, PROGRAMS)):
        program = generate(seed)
        error = failure(check, program)
        if error is not None:
            smallest = shrink(program, lambda p: clear(p) and type(failure(check, p)) is type(error))
            again = failure(check, smallest)
            pytest.fail(f"seed {seed}: {type(again).__name__}: {again}\nx = np.{smallest.x!r}\n{smallest}")


@pytest.mark.parametrize("start", range(0, PROGRAMS, 100))
def test_the_oracle_itself(start):
    """Complex steps agree with differences of real programs, whose values they share."""
    for seed in range(start, min(start + 100, PROGRAMS)):
        program = generate(seed)
        run = program.compiled()
        real, complex_ = run(program.x.copy(), np, PLAIN), run(program.x.astype(complex), np, COMPLEX)
        for name, value in real.items():
            np.testing.assert_allclose(
                complex_[name], value, rtol=1e-12, atol=1e-12, err_msg=f"{seed} {name}\n{program}"
            )
        slopes = step_gradient(program.total(np, COMPLEX, run), program.x)
        differences = difference_gradient(program.total(np, PLAIN, run), program.x)
        scale = 1.0 + np.max(np.abs(slopes), initial=0.0)
        np.testing.assert_allclose(slopes, differences, rtol=1e-7, atol=1e-8 * scale, err_msg=f"{seed}\n{program}")


def test_programs_cover_every_kind_of_instruction():
    text = "\n".join(str(generate(seed)) for seed in range(400))
    words = (
        "zeros_like empty_like dt.zeros dt.array .copy() .T .reshape .ravel .diagonal [::-1] ::-2 += *= **= out= .sort"
    )
    words += " .fill add.at np.where clip concatenate stack einsum outer solve inv cumsum prod max for None , ... @ ]]"
    missing = [word for word in words.split() if word not in text]
    assert missing == []
