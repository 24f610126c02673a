"""A second generator of random programs: wider arrays, more functions, several inputs, every dtype.

Where `test_random_programs` composes instructions of a few kinds at every place, this one has a table of idioms, filled
in with names at random; what NumPy refuses is left out. Sizes lie about those at which the engine changes its ways.
Oracles go along directions, since the arrays have up to a thousand elements.
"""

import itertools
import math
import random
import re
import warnings

import numpy as np

import dualtape as dt
from arrays.random_programs import COMPLEX, DECIDE, DISTANCE, PLAIN, Instruction, State, close, decided, stand_in, weights

DTYPES = {"float64": float, "float32": np.float32, "complex128": complex}
LENGTHS = (1, 2, 3, 4, 5, 8, 9, 16, 31, 32, 33, 63, 64, 65, 128, 129, 255, 256, 257, 513, 1024, 1025)
SQUARES = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 16, 17, 32, 33)
OTHERS = ((1, 4), (4, 1), (2, 3), (3, 2), (9, 2), (2, 9), (1, 9), (33, 1), (1, 33), (5, 26), (2, 3, 3), (3, 2, 4), (2, 1, 3))
OTHERS += ((2, 2, 2, 2), (3, 0), (128, 2), (2, 128), (16, 16), (4, 8), (4, 9))
MOST = 40.0  # what no number of a program exceeds

# {a}, {b}, {c}: arrays; {t}: one that is changed; {o}: the result; {s}: a number or element; {v}: a view of {a}; {w}, {u}:
# views of {t}; {i}: integers that name places along the first axis; {m}: a mask of {a}; {k}: an axis of {a}.
IDIOMS = {
    "same array twice": """
        {o} = {a} + {a}.T | {o} = {a} * {a}.T | {o} = {a} - {a}[::-1] | {o} = {a} @ {a} | {o} = {a} @ {a}.T
        {o} = {a}.T @ {a} | {o} = np.dot({a}, {a}) | {o} = np.dot({a}, {a}.T) | {o} = {a}[1:] * {a}[:-1]
        {o} = {a}[1:] - {a}[:-1] | {o} = {a} + {a} | {o} = {a} - {a} | {o} = {a} * {a} | {o} = {a} / (2.5 + {a} * {a})
        {o} = {v} + {v} | {o} = {v} * {a} | {o} = {v} @ {a} | {o} = {a} @ {v} | {o} = {v} - {v}.T
        {o} = np.einsum('ij,ji->', {a}, {a}) | {o} = np.einsum('ij,jk,kl->il', {a}, {a}, {a}.T) | {o} = np.outer({a}, {a}[::-1])
        {o} = np.inner({a}, {a}) | {o} = 1.0 * np.tensordot({a}, {a}, {a}.ndim) | {o} = np.kron({a}, {a})
        {o} = np.concatenate([{a}, {a}[::-1], {a}]) | {o} = np.stack([{a}, {a}, 2.0 * {a}], axis={k})
        {o} = {a} + ({a} + ({a} + {a})) | {o} = ({a} * {a}) * ({a} - {a} * {a}) | {o} = {a}[{i}] * {a}[{i}]
        {o} = np.matmul({a}, np.matmul({a}, {a})) | {o} = np.where({m}, {a}, {a}[::-1]) | {o} = ({a} + {b}) * ({a} + {b})
    """,
    "in place": """
        {t} += {t}.T | {t}[1:] += {t}[:-1] | {t}[:-1] += {t}[1:] | {t}[...] = {t}[::-1] | {t} *= {t} | {t} += {t} | {t} -= {t}[::-1]
        {w} += {u} | {w} *= {u} | {w}[...] = {u} | {w} -= {a} | {w} *= {a} | {w}[...] = {a} | {w} += {v} | {w}[...] = {v}
        {t} += {a} | {t} -= {a} | {t} *= {a} | {t} /= 1.8 + {a} * {a} | {t}[...] = {a} | {t}[...] = 0.3 | {t} *= 0.5 | {t} += {s}
        {w}[...] = {s} | {w} *= {s} | {w} += {s} | {t}[...] = {t} @ {t} | {t} @= {a} | {w} @= {u}.T | {t} **= 2 | {w} **= 3
        np.add({t}, {t}.T, out={t}) | np.multiply({w}, {u}, out={w}) | np.add({u}, {a}, out={w}) | np.multiply({u}, {s}, out={w})
        np.matmul({t}, {a}, out={t}) | np.matmul({a}, {b}, out={t}) | np.dot({a}, {b}, out={t}) | np.sin({u}, out={w})
        np.exp(-{u} * {u}, out={w}) | np.subtract({t}[1:], {t}[:-1], out={t}[:-1]) | np.negative({t}[::-1], out={t})
        np.cumsum({t}, axis=-1, out={t}) | np.cumsum({a}, axis=-1, out={t}) | np.sum({a}, axis=0, out={t}) | np.clip({u}, -0.9, 0.9, out={w})
        np.add.at({t}, {i}, {s}) | np.add.at({t}, {i}, {t}[0] * 0.5) | np.subtract.at({t}, {i}, {a}) | np.multiply.at({t}, {i}, 0.7)
        {t}[{i}] = {s} | {t}[{i}] += {a} | {t}[{i}] = {t}[{i}] * 0.5 | {t}[{i}] *= {t}[{i}] | {t}[{i}] = {a}[{i}]
        np.copyto({w}, {u}) | np.copyto({w}, {a}) | np.copyto({t}, {a}, where={t} > 0.1) | np.put({t}, {i}, {a}) | np.place({t}, {t} > 0.2, [0.4, 0.1])
        np.add({t}, {a}, out={t}, where={t} > 0.1) | np.multiply({t}, {a}, out={t}, where={t} < 0.2) | np.fill_diagonal({t}, {s})
        np.add.reduce({t}, axis=0, out={t}[0]) | {t}[{t} > 0.1] *= 0.5 | {t}[{t} < 0.3] += {s} | {t}.sort() | {t}.sort(axis=0) | {t}.fill({s})
        {w}[...] = np.sin({u}) * {a} | {w}[...], {u}[...] = {u} * 1.0, {w} * 1.0 | {t}.flat = {s} | {t}.flat[::2] = 0.25 | {t}.T[...] = {a}
        {t}.reshape(-1)[::3] *= 0.5 | {t}.ravel()[1:] += {t}.ravel()[:-1] | {t}[None][0] *= 0.9 | {t}[..., 0] = {t}[..., -1] | {t}[0], {t}[-1] = {t}[-1] * 1.0, {t}[0] * 1.0
    """,
    "views": """
        {o} = {v} | {o} = {a}.T | {o} = {a}[::-1] | {o} = {a}.reshape(-1) | {o} = {a}[..., None] | {o} = {a}[0] | {o} = {a}[1:] | {o} = {a}[:-1]
        {o} = {a}.ravel() | {o} = {a}[::2] | {o} = {a}[..., ::-2] | {o} = np.broadcast_to({a}, (3, *{a}.shape)) | {o} = {a}.diagonal()
        {o} = np.swapaxes({a}, 0, -1) | {o} = np.moveaxis({a}, 0, -1) | {o} = np.atleast_2d({a}) | {o} = {a}.reshape({a}.shape[::-1])
        {o} = np.array_split({a}, 3)[1] | {o} = np.split({a}, 2)[0] | {o} = np.squeeze({a}) | {o} = {a}[:, 0] | {o} = {a}[:, 1:] | {o} = {a}[:1]
        {o} = np.expand_dims({a}, -1) | {o} = np.rot90({a}) | {o} = np.flip({a}) | {o} = np.unstack({a})[0]
    """,
    "new memory": """
        {o} = {a}.copy() | {o} = np.zeros_like({a}) | {o} = {a} * 1.0 | {o} = +{a} | {o} = np.zeros_like({a}, shape=(4, 4))
        {o} = dt.zeros({a}.shape) | {o} = dt.ones({a}.size) | {o} = dt.array([{s}, {s}, {s}]) | {o} = dt.array([{a}[0], {a}[-1]])
        {o} = {a}.copy(order='F') | {o} = {a}.flatten() | {o} = np.ones_like({a})
    """,
    "elementwise": """
        {o} = {a} + {b} | {o} = {a} - {b} | {o} = {a} * {b} | {o} = {a} / (2.0 + {b} * {b}) | {o} = {a} + {s} | {o} = {s} - {a} | {o} = {s} * {a}
        {o} = np.sin({a}) | {o} = np.exp(-{a} * {a}) | {o} = np.tanh({a}) | {o} = np.cos({a}) * {b} | {o} = np.sqrt(2.0 + {a} * {a})
        {o} = np.log(2.5 + {a} * {a}) | {o} = np.square({a}) | {o} = {a} ** 3 | {o} = (2.0 + {a} * {a}) ** {b} | {o} = np.reciprocal(2.0 + {a} * {a})
        {o} = np.where({m}, {a}, {b}) | {o} = np.where({m}, {s}, {a}) | {o} = np.maximum({a}, {b}) | {o} = np.minimum({a}, 0.3) | {o} = np.clip({a}, -0.5, 0.8)
        {o} = {a}[:, None] * {b} | {o} = {a}[..., None] - {b}[None] | {o} = np.add.outer({a}, {b}) | {o} = np.multiply.outer({a}, {b}) | {o} = {a} * np.linspace(0.1, 0.9, {a}.shape[-1])
        {o} = np.arctan({a}) | {o} = np.sinh({a}) | {o} = np.expm1({a} * 0.3) | {o} = np.log1p(0.1 * {a} * {a}) | {o} = -{a} | {o} = np.float64(0.7) * {a}
        {o} = np.sin({a}, out=np.zeros_like({a}), where={m}) | {o} = np.add({a}, {b}, out={b}.copy(), where={m}) | {o} = np.divide(1.0, 2.0 + {a} ** 2)
    """,
    "reductions": """
        {o} = {a}.sum() | {o} = np.sum({a}, axis={k}) | {o} = np.sum({a}, axis={k}, keepdims=True) | {o} = np.mean({a}, axis={k}) | {o} = {a}.mean()
        {o} = np.max({a}, axis={k}) | {o} = np.min({a}, axis={k}) | {o} = np.max({a}) | {o} = np.prod({a} * 0.5 + 1.0, axis={k}) | {o} = np.cumsum({a}, axis={k})
        {o} = np.cumprod(1.0 + 0.1 * {a}, axis={k}) | {o} = np.sort({a}, axis={k}) | {o} = np.take_along_axis({a}, np.argsort({b}, axis={k}), axis={k})
        {o} = np.add.reduce({a}, axis={k}) | {o} = np.add.accumulate({a}, axis={k}) | {o} = np.multiply.reduce(0.5 + {a}, axis={k}) | {o} = np.maximum.reduce({a}, axis={k})
        {o} = np.maximum.accumulate({a}, axis={k}) | {o} = np.multiply.accumulate(1.0 + 0.1 * {a}, axis={k}) | {o} = np.add.reduceat({a}, [0, 1, 0]) | {o} = np.sum({a}, where={m})
        {o} = np.diff({a}, axis={k}) | {o} = np.trace({a}) | {o} = np.median({a}, axis={k}) | {o} = np.ptp({a}, axis={k})
        {o} = np.sum({a} * {b}) | {o} = np.sum({a} * {a}, axis={k}) | {o} = {a}.sum(axis=(0, 1)) | {o} = np.average({a}, axis={k}) | {o} = np.sum({a}, initial=0.5) | {o} = np.sum({v})
    """,
    "products": """
        {o} = {a} @ {b} | {o} = {a} @ {b}.T | {o} = {a}.T @ {b} | {o} = {v} @ {b} | {o} = np.dot({a}, {b}) | {o} = np.outer({a}, {b}) | {o} = {a} @ {b}[..., None]
        {o} = np.einsum('ij,jk->ik', {a}, {b}) | {o} = np.einsum('ij,ij->i', {a}, {b}) | {o} = np.einsum('ij->ji', {a}) | {o} = np.einsum('ii->i', {a}) | {o} = np.einsum('bij,bjk->bik', {a}, {b})
        {o} = np.einsum('i,ij,j', {a}, {b}, {a}) | {o} = np.einsum('...i,...i', {a}, {b}) | {o} = np.inner({a}, {b}) | {o} = 1.0 * np.tensordot({a}, {b}, 1) | {o} = np.matvec({a}, {b})
        {o} = np.linalg.solve({a} + 9.0 * np.eye(len({a})), {b}) | {o} = np.linalg.inv({a} + 9.0 * np.eye(len({a}))) | {o} = np.linalg.det(0.3 * {a} + np.eye(len({a})))
        {o} = {a} @ np.linspace(-0.5, 0.5, {a}.shape[-1]) | {o} = np.linspace(-0.5, 0.5, len({a})) @ {a} | {o} = 0.1 * np.ones((3, {a}.shape[0])) @ {a} | {o} = np.linalg.matrix_power(0.3 * {a}, 3)
        {o} = np.kron({a}, {b}) | {o} = np.cross({a}, {b}) | {o} = np.convolve({a}, {b}) | {o} = np.matmul({a}, {a}[..., None, :, :]) | {o} = np.linalg.multi_dot([{a}, {b}, {a}])
    """,
    "assembling": """
        {o} = np.concatenate([{a}, {b}]) | {o} = np.concatenate([{a}, {b}], axis=-1) | {o} = np.stack([{a}, {b}], axis={k}) | {o} = np.hstack([{a}, {b}]) | {o} = np.vstack([{a}, {b}, {a}])
        {o} = {a}[{i}] | {o} = {a}[..., {i}] | {o} = {a}[{m}] | {o} = {a}[{i}, {i}] | {o} = np.take({a}, {i}, axis={k}) | {o} = np.pad({a}, 1) | {o} = np.pad({a}, 1, mode='edge') | {o} = np.pad({a}, 2, mode='wrap')
        {o} = np.roll({a}, 1) | {o} = np.roll({a}, -2, axis={k}) | {o} = np.repeat({a}, 2, axis={k}) | {o} = np.tile({a}, 2) | {o} = np.tril({a}) | {o} = np.diag({a}) | {o} = np.delete({a}, 0, axis={k})
        {o} = np.append({a}, {b}) | {o} = np.insert({a}, 1, {s}, axis={k}) | {o} = np.block([[{a}, {b}], [{b}, {a}]]) | {o} = np.select([{m}], [{a}], {b}) | {o} = np.pad({a}, 1, mode='reflect')
        {o} = np.stack([{s}, {s}]) | {o} = np.choose([0, 1, 0], [{a}, {b}]) | {o} = np.interp(np.linspace(0, 1, 5), np.linspace(0, 1, {a}.size), {a}) | {o} = np.column_stack([{a}, {b}]) | {o} = np.compress([True, False], {a}, axis={k})
    """,
    "elements": """
        {o} = {s} | {o} = {s} * {s} + {s} | {o} = np.sin({s}) * {s} | {o} = {a}[0] * {b}[-1] | {o} = {a}.sum() * {s} | {o} = {s} / (2.0 + {s} ** 2) | {o} = {a}[-1] * {a}
        {t}[0] = {s} | {t}[-1] = {t}[0] * {s} | {t}[0] += {s} | {t}[0] *= {t}[-1] | {t}[0, 0] = {s} | {t}[-1, 0] *= {s} | {t}[0] = {a}.sum() * 0.1 | {t}[0] = np.mean({t})
        for i in range(min(len({t}), 7)):⏎    {t}[i] = {t}[i] * {t}[i - 1] + {s} | for i in range(1, min(len({t}), 9)):⏎    {t}[i] += 0.5 * {t}[i - 1] | for i, e in enumerate({a}[:8]):⏎    {t}[i % len({t})] = {t}[0] * 0.5 + e
        for i in range(min(len({t}), 5)):⏎    {t}[i], {t}[-i - 1] = {t}[-i - 1], {t}[i] | for row in {t}[:6]:⏎    row *= row | for row in {t}[:5]:⏎    row[...] = row[::-1] | for row in {t}[:6]:⏎    row += {t}[0]
        {o} = dt.zeros(3)⏎for i in range(3):⏎    {o}[i] = {a}[i] * {a}[-i - 1] | {o} = dt.array([e * e for e in {a}[:9]]) | {o} = sum(e * e for e in {a}[:9]) | {o} = sum(row for row in {a}) | {o} = dt.array([np.sum(row * row) for row in {a}])
    """,
    "loops": """
        {o} = {a}⏎for _ in range(5):⏎    {o} = {o} + {b} * 0.1 | {o} = {a}⏎for _ in range(4):⏎    {o} = {o} - 0.3 * {o} * {o} | {o} = {a} * 1.0⏎for _ in range(4):⏎    {o} += 0.2 * {b}⏎    {o} *= 0.8
        {o} = {a} * 1.0⏎for _ in range(3):⏎    c9 = {o} + {b}⏎    {o} = c9 * 0.5 + {o} | {o} = {a} * 1.0⏎for _ in range(3):⏎    {o}[1:-1] = {o}[1:-1] + 0.1 * ({o}[2:] - 2.0 * {o}[1:-1] + {o}[:-2])
        {o} = np.zeros_like({a})⏎for _ in range(3):⏎    np.multiply({a}, {b}, out={o})⏎    {t} += {o} | {o} = {a}⏎for _ in range(4):⏎    {o} = np.tanh({o} @ {b} * 0.1) | {o} = {a} * 1.0⏎for i in range(3):⏎    {o} = {o} + {o}.T - {o} * 0.5
        {o} = np.zeros_like({a})⏎for i in range(min(len({a}), 6)):⏎    {o}[i] = {a}[i] + {o}[i - 1] * 0.5 | {o} = {a}⏎for _ in range(3):⏎    {o} = ({o} + {b}) - ({o} - {b}) * 0.5 | {o} = {a}⏎for _ in range(6):⏎    {o} = {o} + {o}[::-1] * 0.1
        {o} = {a} * 1.0⏎c9 = {o}⏎for _ in range(3):⏎    c9 = c9 + {o}⏎    {o} = {o} + c9 * 0.1⏎    {o}[0] = 0.5 | {o} = {a} - {b}⏎for _ in range(4):⏎    {o} -= 0.1 * ({o} * {o}) | {o} = {a}.copy()⏎{o}[::2] = {a}[::2] * {b}[::2]⏎{o}[1::2] = {b}[1::2] - {a}[1::2]
    """,
}
COMPLEX_IDIOMS = """
    {o} = {a}.real | {o} = {a}.imag | {o} = {a}.conj() | {o} = np.abs({a}) ** 2 | {o} = {a}.real * {b} | {o} = {a} + 1j * {b} | {o} = {a} * {b}.conj() | {o} = np.vdot({a}, {b})
    {t}.real += {a}.real | {t}.imag[...] = {a}.imag * 0.5 | {t}.real[...] = {t}.imag | {t}.real *= {t}.imag | {t}.imag -= {t}.real[::-1] | {o} = {a} @ {b}.conj().T | {t} *= 1j | {t} += 0.3j
    {o} = np.sum({a}.real * {a}.imag) | {o} = np.real({a} * {a}) | {o} = {a}.real @ {b} | {o} = {a}.real + {a}.imag.T | {o} = {a}.real.copy() | {o} = np.exp(1j * {a}.real) | {t}.real = {a}.imag | {t}.imag = 0.2
    {o} = {a}.real + {b}.real | {o} = {a}.real[::2] * {a}.imag[::2] | {o} = np.sum({a}.imag, axis={k}) | {o} = np.concatenate([{a}, {b}.real]) | {o} = np.where({a}.real > 0.1, {a}, {b}.imag) | {o} = np.stack([{a}.real, {a}.imag], -1)
"""


def parse(text):
    return [piece.strip().replace("⏎", "\n") for line in text.split("\n") for piece in line.split(" | ") if piece.strip()]


TEMPLATES = {kind: parse(text) for kind, text in IDIOMS.items()}
COMPLEX_TEMPLATES = parse(COMPLEX_IDIOMS)
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
        """All that is needed to run it elsewhere."""
        if True:
            values = "\n".join(
                f"{n} = np.array({a.tolist()}, dtype=np.{a.dtype}).reshape({a.shape})" if a.size <= 6 else f"{n} = {a.shape}"
                for n, a in self.inputs.items()
            )
        return f"{values}\n{self}"

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
                    out = out + np.sum(w.reshape(-1) * np.reshape(a, -1) * np.reshape(a, -1)[::-1]) if np.size(a) else out
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
        texts += [f"[:{max(1, n // 2)}]", f"[{n // 2}:]", f"[-{max(1, n // 2)}:]", "[..., :3]", "[:2, :2]", "[:, 0]", "[0]", "[-1]"]
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
        fields |= {"i": str([rng.randrange(-n, n) for _ in range(rng.randrange(1, 5))]), "m": f"{a} > {rng.choice([-0.4, 0.0, 0.3])}"}
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
        if program.dtype is complex:
            d = [u + 1j * weights(u.shape, seed + 10 * k + j + 50) for j, u in enumerate(d)]
        out.append(d)
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
        shape = (rng.choice(LENGTHS),) if roll < 0.4 else (n := rng.choice(SQUARES), n) if roll < 0.75 else rng.choice(OTHERS)
        real = np.float64 if kind is complex else kind
        count = rng.choice([1, 1, 2])
        inputs = {}
        for name in ["x", "y0"][:count]:
            if name == "y0" and rng.random() < 0.4:
                shape = shape[-1:]
            draw = np.random.default_rng(rng.randrange(10**9)).uniform(-1.2, 1.2, (2, *shape))
            inputs[name] = draw[0] + 1j * draw[1] if kind is complex else draw[0].astype(real)
            inputs[name] = inputs[name].T if rng.random() < 0.15 else inputs[name][::-1] if shape and rng.random() < 0.1 else inputs[name]
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
        return abs(slope(program, both[0])) < 1e4 and abs(curvature(program, both[0], both[1])) < 1e6


# --- the checks -----------------------------------------------------------------------------------------------------


def same(found, expected, dtype, what):
    """Values are NumPy's, and so are shapes and dtypes."""
    close(found, expected, 1e-5 if dtype is np.float32 else 1e-12, what)
    if isinstance(expected, np.ndarray):
        assert np.ndim(expected) == 0 or found.dtype == expected.dtype, f"{what}: dtype of {found!r:.80} for {expected.dtype}"


def tolerance(program, sharp, loose):
    return {float: sharp, complex: loose, np.float32: 2e-3}[program.dtype]


def near(found, expected, rtol, scale, what):
    found = np.asarray(found)
    assert np.all(np.abs(found - expected) <= rtol * (1.0 + scale)), f"{what}: {found!r} for {expected!r}, scale {scale:.3g}"


def structure(program, values):
    return values[0] if len(values) == 1 else dict(zip(program.inputs, values))


def of_structure(program, f):
    """F of several arguments as one of their structure."""
    return f if len(program.inputs) == 1 else lambda args: f(*args.values())


def check_values(program):
    """Every result is plain NumPy's, whatever traces it."""
    run, values = program.compiled(), program.values()
    with np.errstate(all="ignore"):
        expected = run(*program.values(), np, stand_in(program.dtype))
    traced = stand_in(program.dtype, dt)

    def compare(args):
        seen = run(*(args.values() if isinstance(args, dict) else (args,)), np, traced)
        for name, value in expected.items():
            same(seen[name], value, program.dtype, f"value of {name}")
        return next(iter(seen.values()))

    x = structure(program, values)
    ones = structure(program, [np.ones_like(v) for v in values])
    dt.pullback(compare, x)
    dt.pushforward(compare, x, ones)
    dt.pushforward(lambda y: dt.pullback(compare, y)[0], x, ones)
    unchanged(program, values)


def unchanged(program, values):
    for v, w in zip(values, program.values()):
        np.testing.assert_array_equal(v, w, err_msg="the caller's array was changed")


def check_first(program):
    """Reverse and forward mode, along two directions."""
    values, traced = program.values(), stand_in(program.dtype, dt)
    f = program.total(traced)
    g = (lambda *args: f(*args).real) if program.dtype is complex else f
    rtol = tolerance(program, 1e-10, 1e-7)
    argnums = {"argnums": tuple(range(len(values)))}
    results = {"gradient": dt.gradient(g, *values, **argnums)}
    x = structure(program, values)
    results["pullback"] = dt.pullback(of_structure(program, g), x)[1](1.0)
    results["pullback"] = list(results["pullback"].values()) if len(values) > 1 else [results["pullback"]]
    for d in directions(program):
        d = [u.astype(v.dtype) for u, v in zip(d, values)]
        expected = slope(program, d)
        scale = sum(np.sum(np.abs(a) * np.abs(b)) for a, b in zip(results["gradient"], d))
        for name, found in results.items():
            for a, v in zip(found, values):
                assert a.dtype == v.dtype and a.shape == v.shape, f"{name}: {a.dtype} {a.shape}"
            near(dot(found, d), expected, rtol, scale, name)
        found = dt.pushforward(of_structure(program, f), x, structure(program, d))[1]
        near(np.real(found), expected, rtol, scale, "pushforward")
    unchanged(program, values)


def check_second(program):
    """Hessians times a direction, in all nestings."""
    if program.dtype is not float:
        return
    values, traced = program.values(), stand_in(program.dtype, dt)
    f = of_structure(program, program.total(traced))
    u, v = directions(program)
    expected = curvature(program, u, v)
    x, us, vs = structure(program, values), structure(program, u), structure(program, v)
    several = len(values) > 1
    pairs = lambda g: list(g.values()) if several else [g]
    inner = lambda a, b: sum(np.sum(p * q) for p, q in zip(pairs(a), pairs(b)))
    found = {"hvp": dt.hvp(f, x, vs), "forward over reverse": dt.pushforward(lambda y: dt.gradient(f, y), x, vs)[1]}
    found["reverse over reverse"] = dt.gradient(lambda y: inner(dt.gradient(f, y), vs), x)
    found["reverse over forward"] = dt.gradient(lambda y: dt.pushforward(f, y, vs)[1], x)
    if not several and values[0].size <= 40:
        found["hessian"] = np.tensordot(dt.hessian(f, x), v[0], values[0].ndim)
    scale = sum(np.sum(np.abs(a) * np.abs(b)) for a, b in zip(pairs(found["hvp"]), u))
    for name, h in found.items():
        near(inner(h, us), expected, 2e-7, scale + abs(expected), name)
        for a, b in zip(pairs(h), pairs(found["hvp"])):
            near(a, b, 1e-9, np.max(np.abs(b), initial=0.0), f"{name} against hvp")
    unchanged(program, values)


def check_jacobian(program):
    """Jacobians by lanes of the first results' entries, both ways."""
    if program.dtype is not float or len(program.inputs) > 1 or program.values()[0].size > 40:
        return
    run, x = program.compiled(), program.values()[0]

    def results(creator):
        def f(x):
            out = run(x, np, creator)
            parts = [np.reshape(a, -1)[:30] for a in list(out.values())[::-1] if np.ndim(a)]
            return np.concatenate(parts)[:60]

        return f

    if not any(np.ndim(a) for a in run(x.copy(), np, PLAIN).values()):
        return
    d = directions(program)[0][0]
    expected = np.imag(results(COMPLEX)(x + 1e-30j * d)) / 1e-30
    for mode in ("forward", "reverse", "auto"):
        found = dt.jacobian(results(dt), x, mode=mode)
        scale = np.tensordot(np.abs(found), np.abs(d), d.ndim)
        near(np.tensordot(found, d, d.ndim), expected, 1e-11, scale, f"jacobian {mode}")
    unchanged(program, [x])


def check_mixed(program):
    """One input differentiated inside, the other outside: values of both levels meet in one program."""
    if program.dtype is not float or len(program.inputs) < 2:
        return
    f = program.total(stand_in(float, dt))
    x, y = program.values()
    (u, _), (_, v) = directions(program)
    expected = curvature(program, [u, np.zeros_like(y)], [np.zeros_like(x), v])
    slope_in_y = lambda x: np.sum(dt.gradient(lambda y: f(x.copy(), y), y) * v)
    found = {
        "reverse over reverse": np.sum(dt.gradient(slope_in_y, x) * u),
        "forward over reverse": dt.pushforward(slope_in_y, x, u)[1],
        "reverse over forward": np.sum(
            dt.gradient(lambda x: dt.pushforward(lambda y: f(x.copy(), y), y, v)[1], x) * u
        ),
        "forward over forward": dt.pushforward(lambda x: dt.pushforward(lambda y: f(x.copy(), y), y, v)[1], x, u)[1],
    }
    for name, h in found.items():
        near(h, expected, 2e-7, abs(expected), f"mixed, {name}")
    unchanged(program, [x, y])


CHECKS = [check_values, check_first, check_second, check_jacobian, check_mixed]


def failure(check, program):
    """The exception of a check, or None."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            check(program)
    except Exception as error:
        return error
    return None


def report(seed, program, check):
    """What to say of a failure: the smallest program that fails like it."""
    error = failure(check, program)
    if error is None:
        return None
    kind = type(error)
    smallest = program.shrunk(lambda p: clear(p) and type(failure(check, p)) is kind)
    again = failure(check, smallest) or error
    return f"seed {seed} {check.__name__} {np.dtype(program.dtype)}: {kind.__name__}: {str(again)[:1500]}\n{smallest.source()}"
