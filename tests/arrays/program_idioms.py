"""What the programs of `wide_programs` are made of: lines of NumPy with fields for names.

{a} and {b} are arrays, {v} is a view of {a}, {t} an array that is changed, {w} and {u} are views of it; {o} is the
name of the result, {s} a number, a scalar or an element; {i} are integers that name places along the first axis, {m} is
a mask of {a}, {k} an axis of it.
"""

IDIOMS = {
    "same array twice": """
        {o} = {a} + {a}.T | {o} = {a} * {a}.T | {o} = {a} - {a}[::-1] | {o} = {a} @ {a} | {o} = {a} @ {a}.T
        {o} = {a}.T @ {a} | {o} = np.dot({a}, {a}) | {o} = np.dot({a}, {a}.T) | {o} = {a}[1:] * {a}[:-1]
        {o} = {a}[1:] - {a}[:-1] | {o} = {a} + {a} | {o} = {a} - {a} | {o} = {a} * {a}
        {o} = {a} / (2.5 + {a} * {a}) | {o} = {v} + {v} | {o} = {v} * {a} | {o} = {v} @ {a} | {o} = {a} @ {v}
        {o} = {v} - {v}.T | {o} = np.einsum('ij,ji->', {a}, {a}) | {o} = np.einsum('ij,jk,kl->il', {a}, {a}, {a}.T)
        {o} = np.outer({a}, {a}[::-1]) | {o} = np.inner({a}, {a}) | {o} = 1.0 * np.tensordot({a}, {a}, {a}.ndim)
        {o} = np.kron({a}, {a}) | {o} = np.concatenate([{a}, {a}[::-1], {a}])
        {o} = np.stack([{a}, {a}, 2.0 * {a}], axis={k}) | {o} = {a} + ({a} + ({a} + {a}))
        {o} = ({a} * {a}) * ({a} - {a} * {a}) | {o} = {a}[{i}] * {a}[{i}]
        {o} = np.matmul({a}, np.matmul({a}, {a})) | {o} = np.where({m}, {a}, {a}[::-1])
        {o} = ({a} + {b}) * ({a} + {b})
    """,
    "in place": """
        {t} += {t}.T | {t}[1:] += {t}[:-1] | {t}[:-1] += {t}[1:] | {t}[...] = {t}[::-1] | {t} *= {t} | {t} += {t}
        {t} -= {t}[::-1] | {w} += {u} | {w} *= {u} | {w}[...] = {u} | {w} -= {a} | {w} *= {a} | {w}[...] = {a}
        {w} += {v} | {w}[...] = {v} | {t} += {a} | {t} -= {a} | {t} *= {a} | {t} /= 1.8 + {a} * {a} | {t}[...] = {a}
        {t}[...] = 0.3 | {t} *= 0.5 | {t} += {s} | {w}[...] = {s} | {w} *= {s} | {w} += {s} | {t}[...] = {t} @ {t}
        {t} @= {a} | {w} @= {u}.T | {t} **= 2 | {w} **= 3 | np.add({t}, {t}.T, out={t})
        np.multiply({w}, {u}, out={w}) | np.add({u}, {a}, out={w}) | np.multiply({u}, {s}, out={w})
        np.matmul({t}, {a}, out={t}) | np.matmul({a}, {b}, out={t}) | np.dot({a}, {b}, out={t})
        np.sin({u}, out={w}) | np.exp(-{u} * {u}, out={w}) | np.subtract({t}[1:], {t}[:-1], out={t}[:-1])
        np.negative({t}[::-1], out={t}) | np.cumsum({t}, axis=-1, out={t}) | np.add({a}, {a}[::-1], out={t})
        np.sum({a}, axis=0, out={t}) | np.clip({t}, -0.9, 0.9, out={t}) | np.add.at({t}, {i}, {s})
        np.add.at({t}, {i}, {t}[0] * 0.5) | np.subtract.at({t}, {i}, {a}) | np.multiply.at({t}, {i}, 0.7)
        {t}[{i}] = {s} | {t}[{i}] += {a} | {t}[{i}] = {t}[{i}] * 0.5 | {t}[{i}] *= {t}[{i}] | {t}[{i}] = {a}[{i}]
        np.copyto({w}, {u}) | np.copyto({w}, {a}) | np.copyto({t}, {a}, where={t} > 0.1) | np.put({t}, {i}, {a})
        np.place({t}, {t} > 0.2, [0.4, 0.1]) | np.add({t}, {a}, out={t}, where={t} > 0.1)
        np.multiply({t}, {a}, out={t}, where={t} < 0.2) | np.fill_diagonal({t}, {s})
        np.add.reduce({t}, axis=0, out={t}[0]) | {t}[{t} > 0.1] *= 0.5 | {t}[{t} < 0.3] += {s} | {t}.sort()
        {t}.sort(axis=0) | {t}.fill({s}) | {w}[...] = np.sin({u}) * {a} | {w}[...], {u}[...] = {u} * 1.0, {w} * 1.0
        {t}.flat = {s} | {t}.flat[::2] = 0.25 | {t}.T[...] = {a} | {t}.reshape(-1)[::3] *= 0.5
        {t}.ravel()[1:] += {t}.ravel()[:-1] | {t}[None][0] *= 0.9 | {t}[..., 0] = {t}[..., -1]
        {t}[0], {t}[-1] = {t}[-1] * 1.0, {t}[0] * 1.0
    """,
    "views": """
        {o} = {v} | {o} = {a}.T | {o} = {a}[::-1] | {o} = {a}.reshape(-1) | {o} = {a}[..., None] | {o} = {a}[0]
        {o} = {a}[1:] | {o} = {a}[:-1] | {o} = {a}.ravel() | {o} = {a}[::2] | {o} = {a}[..., ::-2]
        {o} = np.broadcast_to({a}, (3, *{a}.shape)) | {o} = {a}.diagonal() | {o} = np.swapaxes({a}, 0, -1)
        {o} = np.moveaxis({a}, 0, -1) | {o} = np.atleast_2d({a}) | {o} = {a}.reshape({a}.shape[::-1])
        {o} = np.array_split({a}, 3)[1] | {o} = np.split({a}, 2)[0] | {o} = np.squeeze({a}) | {o} = {a}[:, 0]
        {o} = {a}[:, 1:] | {o} = {a}[:1] | {o} = np.expand_dims({a}, -1) | {o} = np.rot90({a}) | {o} = np.flip({a})
        {o} = np.unstack({a})[0]
    """,
    "new memory": """
        {o} = {a}.copy() | {o} = np.zeros_like({a}) | {o} = {a} * 1.0 | {o} = +{a}
        {o} = np.zeros_like({a}, shape=(4, 4)) | {o} = dt.zeros({a}.shape) | {o} = dt.ones({a}.size)
        {o} = dt.array([{s}, {s}, {s}]) | {o} = dt.array([{a}[0], {a}[-1]]) | {o} = {a}.copy(order='F')
        {o} = {a}.flatten() | {o} = np.ones_like({a})
    """,
    "elementwise": """
        {o} = {a} + {b} | {o} = {a} - {b} | {o} = {a} * {b} | {o} = {a} / (2.0 + {b} * {b}) | {o} = {a} + {s}
        {o} = {s} - {a} | {o} = {s} * {a} | {o} = np.sin({a}) | {o} = np.exp(-{a} * {a}) | {o} = np.tanh({a})
        {o} = np.cos({a}) * {b} | {o} = np.sqrt(2.0 + {a} * {a}) | {o} = np.log(2.5 + {a} * {a})
        {o} = np.square({a}) | {o} = {a} ** 3 | {o} = (2.0 + {a} * {a}) ** {b}
        {o} = np.reciprocal(2.0 + {a} * {a}) | {o} = np.where({m}, {a}, {b}) | {o} = np.where({m}, {s}, {a})
        {o} = np.maximum({a}, {b}) | {o} = np.minimum({a}, 0.3) | {o} = np.clip({a}, -0.5, 0.8)
        {o} = {a}[:, None] * {b} | {o} = {a}[..., None] - {b}[None] | {o} = np.add.outer({a}, {b})
        {o} = np.multiply.outer({a}, {b}) | {o} = {a} * np.linspace(0.1, 0.9, {a}.shape[-1]) | {o} = np.arctan({a})
        {o} = np.sinh({a}) | {o} = np.expm1({a} * 0.3) | {o} = np.log1p(0.1 * {a} * {a}) | {o} = -{a}
        {o} = np.float64(0.7) * {a} | {o} = np.sin({a}, out=np.zeros_like({a}), where={m})
        {o} = np.add({a}, {b}, out={b}.copy(), where={m}) | {o} = np.divide(1.0, 2.0 + {a} ** 2)
    """,
    "reductions": """
        {o} = {a}.sum() | {o} = np.sum({a}, axis={k}) | {o} = np.sum({a}, axis={k}, keepdims=True)
        {o} = np.mean({a}, axis={k}) | {o} = {a}.mean() | {o} = np.max({a}, axis={k}) | {o} = np.min({a}, axis={k})
        {o} = np.max({a}) | {o} = np.prod({a} * 0.5 + 1.0, axis={k}) | {o} = np.cumsum({a}, axis={k})
        {o} = np.cumprod(1.0 + 0.1 * {a}, axis={k}) | {o} = np.sort({a}, axis={k})
        {o} = np.take_along_axis({a}, np.argsort({b}, axis={k}), axis={k}) | {o} = np.add.reduce({a}, axis={k})
        {o} = np.add.accumulate({a}, axis={k}) | {o} = np.multiply.reduce(0.5 + {a}, axis={k})
        {o} = np.maximum.reduce({a}, axis={k}) | {o} = np.maximum.accumulate({a}, axis={k})
        {o} = np.multiply.accumulate(1.0 + 0.1 * {a}, axis={k}) | {o} = np.add.reduceat({a}, [0, 1, 0])
        {o} = np.sum({a}, where={m}) | {o} = np.diff({a}, axis={k}) | {o} = np.trace({a})
        {o} = np.median({a}, axis={k}) | {o} = np.ptp({a}, axis={k}) | {o} = np.sum({a} * {b})
        {o} = np.sum({a} * {a}, axis={k}) | {o} = {a}.sum(axis=(0, 1)) | {o} = np.average({a}, axis={k})
        {o} = np.sum({a}, initial=0.5) | {o} = np.sum({v})
    """,
    "products": """
        {o} = {a} @ {b} | {o} = {a} @ {b}.T | {o} = {a}.T @ {b} | {o} = {v} @ {b} | {o} = np.dot({a}, {b})
        {o} = np.outer({a}, {b}) | {o} = {a} @ {b}[..., None] | {o} = np.einsum('ij,jk->ik', {a}, {b})
        {o} = np.einsum('ij,ij->i', {a}, {b}) | {o} = np.einsum('ij->ji', {a}) | {o} = np.einsum('ii->i', {a})
        {o} = np.einsum('bij,bjk->bik', {a}, {b}) | {o} = np.einsum('i,ij,j', {a}, {b}, {a})
        {o} = np.einsum('...i,...i', {a}, {b}) | {o} = np.inner({a}, {b}) | {o} = 1.0 * np.tensordot({a}, {b}, 1)
        {o} = np.matvec({a}, {b}) | {o} = np.linalg.solve({a} + 9.0 * np.eye(len({a})), {b})
        {o} = np.linalg.inv({a} + 9.0 * np.eye(len({a}))) | {o} = np.linalg.det(0.3 * {a} + np.eye(len({a})))
        {o} = {a} @ np.linspace(-0.5, 0.5, {a}.shape[-1]) | {o} = np.linspace(-0.5, 0.5, len({a})) @ {a}
        {o} = 0.1 * np.ones((3, {a}.shape[0])) @ {a} | {o} = np.linalg.matrix_power(0.3 * {a}, 3)
        {o} = np.kron({a}, {b}) | {o} = np.cross({a}, {b}) | {o} = np.convolve({a}, {b})
        {o} = np.matmul({a}, {a}[..., None, :, :]) | {o} = np.linalg.multi_dot([{a}, {b}, {a}])
    """,
    "assembling": """
        {o} = np.concatenate([{a}, {b}]) | {o} = np.concatenate([{a}, {b}], axis=-1)
        {o} = np.stack([{a}, {b}], axis={k}) | {o} = np.hstack([{a}, {b}]) | {o} = np.vstack([{a}, {b}, {a}])
        {o} = {a}[{i}] | {o} = {a}[..., {i}] | {o} = {a}[{m}] | {o} = {a}[{i}, {i}]
        {o} = np.take({a}, {i}, axis={k}) | {o} = np.pad({a}, 1) | {o} = np.pad({a}, 1, mode='edge')
        {o} = np.pad({a}, 2, mode='wrap') | {o} = np.roll({a}, 1) | {o} = np.roll({a}, -2, axis={k})
        {o} = np.repeat({a}, 2, axis={k}) | {o} = np.tile({a}, 2) | {o} = np.tril({a}) | {o} = np.diag({a})
        {o} = np.delete({a}, 0, axis={k}) | {o} = np.append({a}, {b}) | {o} = np.insert({a}, 1, {s}, axis={k})
        {o} = np.block([[{a}, {b}], [{b}, {a}]]) | {o} = np.select([{m}], [{a}], {b})
        {o} = np.pad({a}, 1, mode='reflect') | {o} = np.stack([{s}, {s}]) | {o} = np.choose([0, 1, 0], [{a}, {b}])
        {o} = np.interp(np.linspace(0, 1, 5), np.linspace(0, 1, {a}.size), {a}) | {o} = np.column_stack([{a}, {b}])
        {o} = np.compress([True, False], {a}, axis={k})
    """,
    "elements": """
        {o} = {s} | {o} = {s} * {s} + {s} | {o} = np.sin({s}) * {s} | {o} = {a}[0] * {b}[-1] | {o} = {a}.sum() * {s}
        {o} = {s} / (2.0 + {s} ** 2) | {o} = {a}[-1] * {a} | {t}[0] = {s} | {t}[-1] = {t}[0] * {s} | {t}[0] += {s}
        {t}[0] *= {t}[-1] | {t}[0, 0] = {s} | {t}[-1, 0] *= {s} | {t}[0] = {a}.sum() * 0.1 | {t}[0] = np.mean({t})
        {o} = dt.array([e * e for e in {a}[:9]]) | {o} = sum(e * e for e in {a}[:9]) | {o} = sum(row for row in {a})
        {o} = dt.array([np.sum(row * row) for row in {a}])
    """,
}
# Idioms of several lines, between empty ones.
BLOCKS = {
    "elements": """
for i in range(min(len({t}), 7)):
    {t}[i] = {t}[i] * {t}[i - 1] + {s}

for i in range(1, min(len({t}), 9)):
    {t}[i] += 0.5 * {t}[i - 1]

for i, e in enumerate({a}[:8]):
    {t}[i % len({t})] = {t}[0] * 0.5 + e

for i in range(min(len({t}), 5)):
    {t}[i], {t}[-i - 1] = {t}[-i - 1], {t}[i]

for row in {t}[:6]:
    row *= row

for row in {t}[:5]:
    row[...] = row[::-1]

for row in {t}[:6]:
    row += {t}[0]

{o} = dt.zeros(3)
for i in range(3):
    {o}[i] = {a}[i] * {a}[-i - 1]
""",
    "loops": """
{o} = {a}
for _ in range(5):
    {o} = {o} + {b} * 0.1

{o} = {a}
for _ in range(4):
    {o} = {o} - 0.3 * {o} * {o}

{o} = {a} * 1.0
for _ in range(4):
    {o} += 0.2 * {b}
    {o} *= 0.8

{o} = {a} * 1.0
for _ in range(3):
    c9 = {o} + {b}
    {o} = c9 * 0.5 + {o}

{o} = {a} * 1.0
for _ in range(3):
    {o}[1:-1] = {o}[1:-1] + 0.1 * ({o}[2:] - 2.0 * {o}[1:-1] + {o}[:-2])

{o} = np.zeros_like({a})
for _ in range(3):
    np.multiply({a}, {b}, out={o})
    {t} += {o}

{o} = {a}
for _ in range(4):
    {o} = np.tanh({o} @ {b} * 0.1)

{o} = {a} * 1.0
for i in range(3):
    {o} = {o} + {o}.T - {o} * 0.5

{o} = np.zeros_like({a})
for i in range(min(len({a}), 6)):
    {o}[i] = {a}[i] + {o}[i - 1] * 0.5

{o} = {a}
for _ in range(3):
    {o} = ({o} + {b}) - ({o} - {b}) * 0.5

{o} = {a}
for _ in range(6):
    {o} = {o} + {o}[::-1] * 0.1

{o} = {a} * 1.0
c9 = {o}
for _ in range(3):
    c9 = c9 + {o}
    {o} = {o} + c9 * 0.1
    {o}[0] = 0.5

{o} = {a} - {b}
for _ in range(4):
    {o} -= 0.1 * ({o} * {o})

{o} = {a}.copy()
{o}[::2] = {a}[::2] * {b}[::2]
{o}[1::2] = {b}[1::2] - {a}[1::2]
""",
}
COMPLEX_IDIOMS = """
    {o} = {a}.real | {o} = {a}.imag | {o} = {a}.conj() | {o} = np.abs({a}) ** 2 | {o} = {a}.real * {b}
    {o} = {a} + 1j * {b} | {o} = {a} * {b}.conj() | {o} = np.vdot({a}, {b}) | {t}.real += {a}.real
    {t}.imag[...] = {a}.imag * 0.5 | {t}.real[...] = {t}.imag | {t}.real *= {t}.imag | {t}.imag -= {t}.real[::-1]
    {o} = {a} @ {b}.conj().T | {t} *= 1j | {t} += 0.3j | {o} = np.sum({a}.real * {a}.imag)
    {o} = np.real({a} * {a}) | {o} = {a}.real @ {b} | {o} = {a}.real + {a}.imag.T | {o} = {a}.real.copy()
    {o} = np.exp(1j * {a}.real) | {t}.real = {a}.imag | {t}.imag = 0.2 | {o} = {a}.real + {b}.real
    {o} = {a}.real[::2] * {a}.imag[::2] | {o} = np.sum({a}.imag, axis={k}) | {o} = np.concatenate([{a}, {b}.real])
    {o} = np.where({a}.real > 0.1, {a}, {b}.imag) | {o} = np.stack([{a}.real, {a}.imag], -1)
"""


def parse(text):
    return [piece.strip() for line in text.split("\n") for piece in line.split(" | ") if piece.strip()]


TEMPLATES = {kind: parse(text) for kind, text in IDIOMS.items()}
for kind, text in BLOCKS.items():
    TEMPLATES[kind] = [*TEMPLATES.get(kind, []), *text.strip().split("\n\n")]
COMPLEX_TEMPLATES = parse(COMPLEX_IDIOMS)
