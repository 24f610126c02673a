"""A second generator of random programs: wider arrays, more functions, several inputs, every dtype.

Where `test_random_programs` composes instructions of a few kinds at every place, this one has a table of idioms, filled
in with names at random; what NumPy refuses is left out. Sizes lie about those at which the engine changes its ways.
Oracles go along directions, since the arrays have up to a thousand elements.
"""

import itertools
import random
import re
import warnings

import numpy as np

from arrays.program_idioms import COMPLEX_TEMPLATES, TEMPLATES
from arrays.random_programs import (
    COMPLEX,
    DECIDE,
    DISTANCE,
    Instruction,
    State,
    decided,
    stand_in,
    weights,
)

DTYPES = {"float64": float, "float32": np.float32, "complex128": complex}
LENGTHS = (1, 2, 3, 4, 5, 8, 9, 16, 31, 32, 33, 63, 64, 65, 128, 129, 255, 256, 257, 513, 1024, 1025)
SQUARES = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 16, 17, 32, 33)
OTHERS = ((1, 4), (4, 1), (2, 3), (3, 2), (9, 2), (2, 9), (1, 9), (33, 1), (1, 33), (5, 26), (2, 3, 3), (3, 2, 4))
OTHERS += ((2, 1, 3), (2, 2, 2, 2), (3, 0), (128, 2), (2, 128), (16, 16), (4, 8), (4, 9))
MOST = 40.0  # what no number of a program exceeds

KINDS = {"same array twice": 5, "in place": 9, "views": 4, "new memory": 2, "elementwise": 5, "reductions": 4}
KINDS |= {"products": 3, "assembling": 3, "elements": 4, "loops": 3}
# What depends on an order, and of which it does.
ORDERED = re.compile(
    r"np\.(?:max|min|ptp|median|sort|maximum\.reduce|maximum\.accumulate)\((\w+)|argsort\((\w+)|(\w+)\.sort\("
)
SIDED = re.compile(r"(\w+(?:\.real)?) ([<>]) (-?[\d.]+)")
NAME = re.compile(r"\b[a-z]\d+\b|\bx\b")


def decision_of(text):
    """The expression over plain arrays that decides what a text does; None where nothing does."""
    parts = [f"order({next(filter(None, m.groups()))}, None).ravel()" for m in ORDERED.finditer(text)]
    parts += [f"side({m[1]} - ({m[3]})).ravel()" for m in SIDED.finditer(text)]
    for m in re.finditer(r"np\.(?:maximum|minimum)\((\w+), ([^)]+)\)", text):
        parts.append(f"side(np.ravel({m[1]} - ({m[2]})))")
    for m in re.finditer(r"np\.clip\((\w+), (-[\d.]+), ([\d.]+)", text):
        parts.append(f"side(({m[1]} - ({m[2]})) * ({m[1]} - {m[3]})).ravel()")
    return f"np.concatenate([{', '.join(parts)}])" if parts else None


class WideState(State):
    """A state that starts from several inputs of a dtype."""

    def __init__(self, inputs, dtype):
        super().__init__(next(iter(inputs.values())))
        self.inputs, self.dtype = inputs, dtype
        self.scope["dt"] = stand_in(dtype)
        self.names, self.traced = list(inputs), set()
        for name, value in inputs.items():
            self.scope[name] = value.copy()
            self.depends[name] = True
            self.traced.add(id(root_of(self.scope[name])))
        self.open = set(self.traced)

    def fits(self, a):
        return np.size(a) <= 2200 and np.all(np.abs(a) < MOST)

    def execute(self, step):
        """As in State, for numbers of any dtype."""
        reads = [name for name in set(NAME.findall(step.text)) if name in self.scope and name != step.out]
        if step.target and (step.target not in self.scope or not self.may_change(step.target)):
            return False
        tainted = any(map(self.is_traced, reads))
        try:
            with np.errstate(all="raise", under="ignore"), warnings.catch_warnings(action="error"):
                if step.decision:
                    if self.dtype is complex or not decided(eval(step.decision, {**self.scope, **DISTANCE})):
                        return False
                exec(step.text, self.scope)
        except (ValueError, IndexError, TypeError, NameError, SyntaxError, ArithmeticError, AttributeError, Warning):
            return False
        if step.target and tainted:
            self.traced.add(id(root_of(self.scope[step.target])))
        if step.out:
            value = self.scope[step.out]
            if isinstance(value, np.ndarray):
                if value.dtype.kind not in "fc":
                    return False
                memory = id(root_of(value))
                fresh = step.fresh and (tainted or "dt." in step.text)  # zeros_like of a plain array is plain
                self.traced |= {memory} if tainted and not fresh else set()
                self.open |= {memory} if tainted or fresh else set()
                self.names.append(step.out)
            else:
                self.depends[step.out] = tainted
                self.scalars.append(step.out)
        return all(self.fits(self.scope[name]) for name in [*self.names, *self.scalars])


def root_of(a):
    while isinstance(getattr(a, "base", None), np.ndarray):
        a = a.base
    return a


class WideProgram:
    """A list of instructions over several inputs; `unused` names results that the outcome does not depend on."""

    def __init__(self, inputs, dtype, instructions=(), unused=()):
        self.inputs, self.dtype, self.instructions, self.unused = inputs, dtype, list(instructions), set(unused)

    def names(self):
        names = [*self.inputs, *(step.out for step in self.instructions if step.out)]
        return [n for n in names if n not in self.unused]

    def __str__(self):
        lines = [line for step in self.instructions for line in step.text.split("\n")]
        body = [*lines, f"return dict({', '.join(f'{n}={n}' for n in self.names())})"]
        return "\n    ".join([f"def program({', '.join(self.inputs)}, np, dt):", *body])

    def source(self):
        """The program with its inputs, of large ones the shapes."""
        inputs = [f"# {n}: {a!r}" if a.size <= 6 else f"# {n}: shape {a.shape}" for n, a in self.inputs.items()]
        return "\n".join([*inputs, str(self)])

    def compiled(self):
        scope = {}
        exec(str(self), scope)
        return scope["program"]

    def values(self):
        return [a.copy() for a in self.inputs.values()]

    def total(self, creator, numpy=np):
        """A scalar function of the inputs, in which the results count in several ways."""
        program = self.compiled()

        def f(*args):
            out = 0.0
            for k, a in enumerate(program(*args, numpy, creator).values()):
                w = weights(np.shape(a), k).astype(np.float32 if self.dtype is np.float32 else float)
                if k % 3 == 0:
                    out = out + np.sum(w * np.sin(a))
                elif k % 3 == 1:
                    out = out + np.sum(w * a)
                else:
                    out = (
                        out + np.sum(w.reshape(-1) * np.reshape(a, -1) * np.reshape(a, -1)[::-1]) if np.size(a) else out
                    )
            return out

        return f

    def decisions(self, values):
        scope, out = {"np": np, "dt": stand_in(self.dtype), **{n: v.copy() for n, v in zip(self.inputs, values)}}, []
        for step in self.instructions:
            if step.decision:
                out.append(np.array(eval(step.decision, {**scope, **DECIDE})))
            exec(step.text, scope)
        return out

    def steady(self, directions, h):
        base = self.decisions(self.values())
        for d in directions:
            for k in (-3, 3):
                near = self.decisions([v + k * h * dv for v, dv in zip(self.values(), d)])
                if not all(map(np.array_equal, base, near)):
                    return False
        return True

    def valid(self):
        state = WideState(self.inputs, self.dtype)
        return all(map(state.execute, self.instructions))

    def without(self, i):
        return WideProgram(self.inputs, self.dtype, self.instructions[:i] + self.instructions[i + 1 :], self.unused)

    def shrunk(self, fails):
        program = self
        while True:
            smaller = [program.without(i) for i in reversed(range(len(program.instructions)))]
            smaller += [
                WideProgram(program.inputs, program.dtype, program.instructions, program.unused | {n})
                for n in program.names()
                if len(program.names()) > 1
            ]
            for candidate in smaller:
                if candidate.valid() and fails(candidate):
                    program = candidate
                    break
            else:
                return program


class Filler:
    """Fills templates with names of a state."""

    def __init__(self, rng, state):
        self.rng, self.state = rng, state

    def pick(self, names):
        return self.rng.choice(names + names[-2:])

    def view(self, name):
        shape = np.shape(self.state.scope[name])
        n = shape[0] if shape else 1
        if not shape:
            return name
        texts = [".T", "[::-1]", "[1:]", "[:-1]", "[::2]", "[..., ::-1]", "[..., 1:]", "[...]", "[1:-1]", "[..., :-1]"]
        texts += [
            f"[:{max(1, n // 2)}]",
            f"[{n // 2}:]",
            f"[-{max(1, n // 2)}:]",
            "[..., :3]",
            "[:2, :2]",
            "[:, 0]",
            "[0]",
            "[-1]",
        ]
        texts += [f"[{n // 5}:{n // 5 + max(1, n // 6)}]", "[:, ::-1].T", ".reshape(-1)", "[::-2]", "[1:2]", "[None]"]
        return name + self.rng.choice(texts)

    def scalar(self):
        kind = self.rng.random()
        if kind < 0.35:
            return str(self.rng.choice([-1.1, -0.7, -0.3, 0.2, 0.45, 0.8, 1.3]))
        if kind < 0.6 and self.state.scalars:
            return self.rng.choice(self.state.scalars)
        name = self.pick(self.state.names)
        shape = np.shape(self.state.scope[name])
        return f"{name}[{', '.join(str(self.rng.randrange(-n, n or 1)) for n in shape)}]" if shape else name

    def partner(self, name):
        """A name of an array that goes with another one, more often than not."""
        shape = np.shape(self.state.scope[name])
        like = [n for n in self.state.names if np.shape(self.state.scope[n]) == shape]
        return self.pick(like if self.rng.random() < 0.6 else self.state.names)

    def step(self, template, o):
        rng, state = self.rng, self.state
        a = self.pick(state.names)
        opened = [n for n in state.names if state.is_open(n)]
        t = self.partner(a) if rng.random() < 0.5 else None
        if t not in opened:
            t = self.pick(opened) if opened else None
        if "{t}" in template or "{w}" in template or "{u}" in template:
            if t is None:
                return None
            a = self.partner(t)
        b = self.partner(a)
        if ".imag" in template and not np.iscomplexobj(state.scope[a]):
            return None  # plain zeros
        indexed = t if "{t}[{i}]" in template or ".at(" in template or "np.put" in template else a
        n = (np.shape(state.scope[indexed]) or (1,))[0] or 1
        text = template
        while "{s}" in text:
            text = text.replace("{s}", self.scalar(), 1)
        fields = {"a": a, "b": b, "t": t, "o": o, "k": rng.randrange(-1, max(1, np.ndim(state.scope[a])))}
        fields |= {"v": self.view(a), "w": self.view(t) if t else "", "u": self.view(t) if t else ""}
        fields |= {
            "i": str([rng.randrange(-n, n) for _ in range(rng.randrange(1, 5))]),
            "m": f"{a} > {rng.choice([-0.4, 0.0, 0.3])}",
        }
        text = text.format(**fields)
        bound = o if "{o}" in template else None
        target = t if any(f in template for f in ("{t}", "{w}", "{u}")) else None
        fresh = bool(bound) and any(f in template for f in ("zeros_like", "ones_like", "dt.zeros", "dt.ones"))
        return Instruction(text, bound, target, fresh, decision_of(text))


def directions(program, seed=5):
    """Two dense directions over the inputs; complex ones where they are."""
    out = []
    for k in range(2):
        d = [weights(v.shape, seed + 10 * k + j) for j, v in enumerate(program.values())]
        imaginary = [weights(u.shape, seed + 10 * k + j + 50) for j, u in enumerate(d)]
        out.append(
            [u + 1j * w if np.iscomplexobj(v) else u for u, v, w in zip(d, program.values(), imaginary, strict=True)]
        )
    return out


def dot(u, v):
    """The real inner product of structures."""
    return sum(np.sum((np.conj(a) * b).real) for a, b in zip(u, v))


DIFFERENCES = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))


def slope(program, direction, values=None, h=1e-3, part=np.real):
    """The slope of the total along a direction, from plain NumPy."""
    values = values or program.values()
    if program.dtype is complex:
        f = program.total(stand_in(complex))
        with np.errstate(all="ignore"):
            at = lambda k: f(*(v + k * h * d for v, d in zip(values, direction)))
            return part(sum(c * (at(k) - at(-k)) for k, c in DIFFERENCES) / h)
    f, h = program.total(COMPLEX), 1e-30
    return np.imag(f(*(v + 1j * h * d for v, d in zip(values, direction)))) / h


def curvature(program, u, v, h=2e-4):
    """The second derivative along two directions."""
    at = lambda k: slope(program, u, [a + k * h * d for a, d in zip(program.values(), v)])
    return sum(c * (at(k) - at(-k)) for k, c in DIFFERENCES) / h


def generate(seed, dtype=None, length=None):
    """A random program whose decisions are clear and whose derivatives are moderate."""
    for attempt in itertools.count():
        rng = random.Random(f"wide {seed} {attempt}")
        kind = dtype or DTYPES[rng.choice(["float64"] * 6 + ["float32", "complex128"])]
        roll = rng.random()
        shape = (
            (rng.choice(LENGTHS),)
            if roll < 0.4
            else (n := rng.choice(SQUARES), n)
            if roll < 0.75
            else rng.choice(OTHERS)
        )
        count = rng.choice([1, 1, 2])
        inputs = {}
        for name in ["x", "y0"][:count]:
            if name == "y0" and rng.random() < 0.4:
                shape = shape[-1:]
            draw = np.random.default_rng(rng.randrange(10**9)).uniform(-1.2, 1.2, (2, *shape))
            own = float if name == "y0" and rng.random() < 0.3 else kind  # dtypes meet
            inputs[name] = draw[0] + 1j * draw[1] if own is complex else draw[0].astype(own)
            inputs[name] = (
                inputs[name].T
                if rng.random() < 0.15
                else inputs[name][::-1]
                if shape and rng.random() < 0.1
                else inputs[name]
            )
        program, state = WideProgram(inputs, kind), WideState(inputs, kind)
        wanted = length or rng.randrange(2, 10)
        for _ in range(12 * wanted):
            if len(program.instructions) == wanted:
                break
            table = TEMPLATES[rng.choices(list(KINDS), KINDS.values())[0]]
            if kind is complex and rng.random() < 0.35:
                table = COMPLEX_TEMPLATES
            step = Filler(rng, state).step(rng.choice(table), f"{rng.choice('abcdpqrs')}{len(program.instructions)}")
            if step is None:
                continue
            if state.execute(step):
                program.instructions.append(step)
            else:
                state = WideState(inputs, kind)
                assert all(map(state.execute, program.instructions))
        names = program.names()
        program.unused = {n for n in names[:-1] if rng.random() < 0.25}
        if program.instructions and program.names() and clear(program):
            return program


def clear(program):
    """Whether the oracles can be asked: they run, decisions are the same at all points, derivatives are moderate."""
    try:
        return is_clear(program)
    except (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError):
        return False  # a function that knows no complex numbers


def is_clear(program):
    """Whether decisions hold at every point the oracles visit, and derivatives are moderate."""
    both = directions(program)
    if program.dtype is complex:
        with np.errstate(all="ignore"):
            pairs = [(slope(program, d, part=complex), slope(program, d, h=5e-4, part=complex)) for d in both]
        return all(abs(s) < 1e4 and abs(s - t) < 1e-8 * (1.0 + abs(s)) for s, t in pairs)
    with np.errstate(all="ignore"):
        if not program.steady(both, 2e-4):
            return False
        return abs(slope(program, both[0])) < 1e4 and abs(curvature(program, both[0], both[1])) < 2e4
