"""Linear algebra on arrays of other libraries.

The formulas are those of M. B. Giles, An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation (2008), and of the files of `dualtape.arrays` on the same functions.
"""

import math

from dualtape.boxed.apply import apply, like, unbroadcast
from dualtape.boxed.array import is_any_array, is_host_array, level_of, plain
from dualtape.boxed.backends import backend_of, kind_of, mixed, namespace_of, precision_of
from dualtape.boxed.elementwise import where
from dualtape.boxed.indexing import diag_matrix, diagonal, tri
from dualtape.boxed.reductions import sum_
from dualtape.boxed.repeated import warn_of_equal
from dualtape.boxed.shape import (
    axes_of,
    broadcast_to,
    concat,
    conj,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    real,
    reshape,
)
from dualtape.errors import NoRuleError, user_line

__all__ = ["functions"]


def adjoint_of(a):
    """The conjugate transposes of matrices."""
    return conj(matrix_transpose(a))


def matmul(x, y, /):
    """The matrix product."""
    near = like((x, y))
    for a in (x, y):
        if is_host_array(a):
            raise mixed(a, near)
        if not is_any_array(a):
            raise TypeError(f"matmul needs arrays, not {type(a).__name__!r}")
    if len(x.shape) == 1 or len(y.shape) == 1:
        if not len(x.shape) or not len(y.shape):
            raise ValueError("matmul needs arrays of at least one dimension")
        left = expand_dims(x, 0) if len(x.shape) == 1 else x
        right = expand_dims(y, 1) if len(y.shape) == 1 else y
        out = _matmul(left, right)
        drop = ([-2] if len(x.shape) == 1 else []) + ([-1] if len(y.shape) == 1 else [])
        shape = [n for k, n in enumerate(out.shape) if k - len(out.shape) not in drop]
        return reshape(out, tuple(shape))
    return _matmul(x, y)


def _matmul(x, y):
    def function(x, y):
        if level_of(x) or level_of(y):
            return _matmul(x, y)
        return namespace_of(plain(x)).matmul(plain(x), plain(y))

    return apply(
        function,
        (x, y),
        lambda k, t, out, x, y: _matmul(t, y) if k == 0 else _matmul(x, t),
        lambda k, bar, out, x, y: (
            unbroadcast(_matmul(bar, adjoint_of(y)), plain(x).shape)
            if k == 0
            else unbroadcast(_matmul(adjoint_of(x), bar), plain(y).shape)
        ),
    )


def tensordot(x, y, /, *, axes=2):
    """The contraction of axes."""
    if isinstance(axes, int):
        first, second = tuple(range(len(x.shape) - axes, len(x.shape))), tuple(range(axes))
    else:
        first, second = (
            axes_of(a, tuple(k) if hasattr(k, "__iter__") else k) for a, k in zip((x, y), axes, strict=True)
        )
    rest = [k for k in range(len(x.shape)) if k not in first]
    left = [k for k in range(len(y.shape)) if k not in second]
    shape = tuple(x.shape[k] for k in rest) + tuple(y.shape[k] for k in left)
    inner = 1
    for a, b in zip(first, second, strict=True):
        if x.shape[a] != y.shape[b]:
            raise ValueError("shape-mismatch for sum")
        inner *= x.shape[a]
    x = reshape(permute_dims(x, (*rest, *first)), (math.prod(x.shape[k] for k in rest), inner))
    y = reshape(permute_dims(y, (*second, *left)), (inner, math.prod(y.shape[k] for k in left)))
    return reshape(_matmul(x, y), shape)


def dot(x, y):
    """np.dot: of matrices their product, of vectors the sum of products."""
    if not len(x.shape) or not len(y.shape):
        return x * y
    return tensordot(x, y, axes=((-1,), (-1 if len(y.shape) == 1 else -2,)))


def vecdot(x, y, /, *, axis=-1):
    """The sum of products along an axis, the first factor conjugated."""
    return sum_(conj(x) * y, axis)


def outer(x, y, /):
    """All products of the elements of two vectors."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


def cross(x, y, /, *, axis=-1):
    """The vector product."""
    x, y = moveaxis(x, axis, -1), moveaxis(y, axis, -1)
    a, b = ([v[..., k] for k in range(3)] for v in (x, y))
    parts = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    return moveaxis(concat([expand_dims(p, -1) for p in parts], axis=-1), -1, axis)


def kron(x, y):
    """The Kronecker product."""
    n = max(len(x.shape), len(y.shape))
    first, second = ((1,) * (n - len(a.shape)) + tuple(a.shape) for a in (x, y))
    x = reshape(x, tuple(m for k in first for m in (k, 1)))
    y = reshape(y, tuple(m for k in second for m in (1, k)))
    return reshape(x * y, tuple(a * b for a, b in zip(first, second, strict=True)))


def trace(x, /, *, offset=0, dtype=None):
    """The sums of diagonals."""
    return sum_(diagonal(x, offset), -1, dtype)


def inv(a, /):
    """Inverses of matrices."""
    return apply(
        lambda a: inv(a) if level_of(a) else namespace_of(plain(a)).linalg.inv(plain(a)),
        (a,),
        lambda k, t, out, a: -(out @ t @ out),
        lambda k, bar, out, a: -(adjoint_of(out) @ bar @ adjoint_of(out)),
    )


def solve(a, b, /):
    """Solutions of linear systems."""
    vector = len(b.shape) == 1
    if vector:
        b = reshape(b, (-1, 1))

    def function(a, b):
        if level_of(a) or level_of(b):
            return solve(a, b)
        return namespace_of(plain(a)).linalg.solve(plain(a), plain(b))

    def vjp(k, bar, out, a, b):
        w = solve(adjoint_of(a), bar)
        return unbroadcast(w, plain(b).shape) if k else unbroadcast(-(w @ adjoint_of(out)), plain(a).shape)

    out = apply(function, (a, b), lambda k, t, out, a, b: solve(a, t) if k else -solve(a, t @ out), vjp)
    return reshape(out, (*out.shape[:-2], -1)) if vector else out


def cholesky(a, /, *, upper=False):
    """Cholesky factors of positive definite matrices, of which the lower triangle is read."""
    if upper:
        return adjoint_of(cholesky(a))

    def phi(m):
        """The lower triangle, its diagonal halved."""
        return tri("tril")(m) - 0.5 * diag_matrix(diagonal(m))

    def jvp(k, t, out, a):
        t = _hermitian_of_lower(t)
        m = adjoint_of(solve_lower(out, adjoint_of(solve_lower(out, t))))
        return out @ phi(m)

    def vjp(k, bar, out, a):
        m = phi(adjoint_of(out) @ tri("tril")(bar))
        m = m + adjoint_of(m)
        s = solve_lower(out, adjoint_of(solve_lower(out, m, True)), True)
        # What the lower triangle alone determines: its entries stand for those above as well.
        s = 0.5 * s
        return tri("tril")(s + adjoint_of(s)) - diag_matrix(diagonal(s))

    return apply(
        lambda a: cholesky(a) if level_of(a) else namespace_of(plain(a)).linalg.cholesky(plain(a)), (a,), jvp, vjp
    )


def _hermitian_of_lower(t):
    lower = tri("tril")(t, k=-1)
    return lower + adjoint_of(lower) + diag_matrix(diagonal(t))


def solve_lower(l, b, adjoint=False):
    """The solution for lower triangular matrices, or for their conjugate transposes."""

    def function(l, b):
        if level_of(l) or level_of(b):
            return solve_lower(l, b, adjoint)
        return backend_of(plain(l)).solve_lower(plain(l), plain(b), adjoint)

    def jvp(k, t, out, l, b):
        if k == 0:
            t = -((adjoint_of(t) if adjoint else t) @ out)
        return solve_lower(l, t, adjoint)

    def vjp(k, bar, out, l, b):
        w = solve_lower(l, bar, not adjoint)
        if k == 0:
            return tri("tril")(-(out @ adjoint_of(w) if adjoint else w @ adjoint_of(out)))
        return w

    return apply(function, (l, b), jvp, vjp)


def eigh(a, /):
    """Eigenvalues and vectors of symmetric or Hermitian matrices, of which the lower triangle is read."""
    return _eigh(a, user_line() if level_of(a) else None)


def _eigh(a, line):
    """As `eigh`; without a `line`, that of the user's call, there are no warnings of repeated eigenvalues."""

    def function(a):
        if level_of(a):
            return _eigh(a, line)
        w, v = namespace_of(plain(a)).linalg.eigh(plain(a))
        return w, v

    def jvp(place, k, t, outs, a):
        w, v = outs
        m = adjoint_of(v) @ _hermitian_of_lower(t) @ v
        if place == 1 and line is not None:
            warn_of_equal("linalg.eigh", w, m, line)
        return real(diagonal(m)) if place == 0 else v @ (_gaps(w) * m)

    def vjp(place, k, bar, outs, a):
        w, v = outs
        if place == 0:
            s = (v * bar[..., None, :]) @ adjoint_of(v)
        else:
            q = adjoint_of(v) @ bar
            if line is not None:
                warn_of_equal("linalg.eigh", w, q, line)
            s = v @ (_gaps(w) * q) @ adjoint_of(v)
        s = 0.5 * (s + adjoint_of(s))
        return 2.0 * tri("tril")(s) - diag_matrix(diagonal(s))

    return apply(function, (a,), jvp, vjp)


def _gaps(w):
    """1 / (w[j] - w[i]), zero where the two are equal to rounding."""
    gaps = w[..., None, :] - w[..., :, None]
    scale = namespace_of(plain(w)).max(abs(plain(w)), axis=-1)[..., None, None] * precision_of(plain(w))
    close = abs(plain(gaps)) <= 4.0 * scale
    return where(close, 0.0, 1.0 / where(close, 1.0, gaps))


def eigvalsh(a, /):
    """Eigenvalues of symmetric or Hermitian matrices."""
    return _eigh(a, None)[0]


def svd(a, /, *, full_matrices=True):
    """Singular values and vectors."""
    m, n = plain(a).shape[-2:]
    if full_matrices and m != n:
        raise NoRuleError(
            f"{user_line()}: linalg.svd(x, full_matrices=True) of a matrix that is not square has no derivative rule "
            "for arrays of this library: the additional vectors are arbitrary. Use full_matrices=False."
        )

    return _svd(a, user_line() if level_of(a) else None)


def _svd(a, line):
    """As `svd`; without a `line`, that of the user's call, there are no warnings of repeated singular values."""
    m, n = plain(a).shape[-2:]

    def function(a):
        if level_of(a):
            return _svd(a, line)
        u, s, vh = namespace_of(plain(a)).linalg.svd(plain(a), full_matrices=False)
        return u, s, vh

    def jvp(place, k, t, outs, a):
        u, s, vh = outs
        v = adjoint_of(vh)
        p = adjoint_of(u) @ t @ v
        if place == 1:
            return real(diagonal(p))
        if line is not None:
            warn_of_equal("linalg.svd", s, p, line)
        ph = adjoint_of(p)
        row, column = s[..., None, :], s[..., :, None]
        f = _square_gaps(s)
        phase = _phases(p, s)
        if place == 0:
            d = u @ (f * (p * row + column * ph) + phase)
            return d + (t @ v - u @ p) * _inverse(s)[..., None, :] if m > n else d
        d = (f * (column * p + ph * row)) @ vh * -1.0
        if n > m:
            d = d + _inverse(s)[..., :, None] * (adjoint_of(u) @ t - p @ vh)
        return d

    def vjp(place, k, bar, outs, a):
        u, s, vh = outs
        v = adjoint_of(vh)
        uh = adjoint_of(u)
        if place == 1:
            return (u * bar[..., None, :]) @ vh
        f = _square_gaps(s)
        row = s[..., None, :]
        if place == 0:
            q = uh @ bar
            if line is not None:
                warn_of_equal("linalg.svd", s, q, line)
            inner = (f * (q - adjoint_of(q))) * row
            if kind_of(plain(a)) == "c":
                inner = inner + diag_matrix((diagonal(q) - conj(diagonal(q))) * _inverse(s) * 0.5)
            out = u @ inner @ vh
            if m > n:
                out = out + ((bar - u @ q) * _inverse(s)[..., None, :]) @ vh
            return out
        vbar = adjoint_of(bar)
        q = vh @ vbar
        if line is not None:
            warn_of_equal("linalg.svd", s, q, line)
        out = u @ (s[..., :, None] * (f * (q - adjoint_of(q)))) @ vh
        if n > m:
            out = out + (u * _inverse(s)[..., None, :]) @ adjoint_of(vbar - v @ q)
        return out

    return apply(function, (a,), jvp, vjp)


def _phases(p, s):
    """The turn of the left vectors' phases, for complex matrices; the right ones keep theirs."""
    if kind_of(plain(p)) != "c":
        return 0.0
    d = diagonal(p)
    return diag_matrix((d - conj(d)) * 0.5 * _inverse(s))


def _inverse(s):
    zero = plain(s) == 0
    return where(zero, 0.0, 1.0 / where(zero, 1.0, s))


def _square_gaps(s):
    """1 / (s[j]^2 - s[i]^2), zero where the two are equal to rounding."""
    row, column = s[..., None, :], s[..., :, None]
    gaps = (row - column) * (row + column)
    top = namespace_of(plain(s)).max(plain(s), axis=-1)[..., None, None]
    close = abs(plain(row) - plain(column)) <= 4.0 * precision_of(plain(s)) * top
    return where(close, 0.0, 1.0 / where(close, 1.0, gaps))


def svdvals(a, /):
    """Singular values."""
    return _svd(a, None)[1]


def qr(a, /, *, mode="reduced"):
    """Orthonormal and triangular factors, for matrices that have at least as many rows as columns."""
    rows, columns = plain(a).shape[-2:]
    if mode != "reduced" or rows < columns:
        raise NoRuleError(
            f"{user_line()}: linalg.qr has a derivative rule for arrays of this library where mode is 'reduced' and "
            "there are at least as many rows as columns"
        )

    def function(a):
        if level_of(a):
            return qr(a)
        q, r = namespace_of(plain(a)).linalg.qr(plain(a))
        return q, r

    def right_solve(x, r):
        """X R^-1."""
        return adjoint_of(solve(adjoint_of(r), adjoint_of(x)))

    def jvp(place, k, t, outs, a):
        q, r = outs
        c = right_solve(t, r)
        qc = adjoint_of(q) @ c
        lower = tri("tril")(qc, k=-1)
        omega = lower - adjoint_of(lower)
        if kind_of(plain(a)) == "c":
            d = diagonal(qc)
            omega = omega + diag_matrix((d - conj(d)) * 0.5)
        return q @ omega + c - q @ qc if place == 0 else (qc - omega) @ r

    def vjp(place, k, bar, outs, a):
        q, r = outs
        if place == 0:
            m = -(adjoint_of(bar) @ q)
            start = bar
        else:
            m = r @ adjoint_of(bar)
            start = 0.0
        lower = tri("tril")(m, k=-1)
        d = diagonal(m)
        h = lower + adjoint_of(lower) + diag_matrix(real(d) if kind_of(plain(a)) != "c" else (d + conj(d)) * 0.5)
        return right_solve_h(start + q @ h, r)

    def right_solve_h(x, r):
        """X R^-H."""
        return adjoint_of(solve(r, adjoint_of(x)))

    return apply(function, (a,), jvp, vjp)


def pinv(a, /, *, rtol=None):
    """Pseudo-inverses, with derivatives among the matrices of the same rank (G. H. Golub and V. Pereyra, 1973)."""

    def function(a):
        return pinv(a, rtol=rtol) if level_of(a) else namespace_of(plain(a)).linalg.pinv(plain(a), **options)

    def jvp(k, t, out, a):
        h, th = adjoint_of(out), adjoint_of(t)
        d = -(out @ t @ out)
        d = d + out @ h @ (th - th @ a @ out)
        return d + (th - out @ a @ th) @ h @ out

    def vjp(k, bar, out, a):
        h, b = adjoint_of(out), adjoint_of(bar)
        d = -(h @ bar @ h)
        d = d + (b - a @ out @ b) @ out @ h
        return d + h @ out @ (b - b @ out @ a)

    options = {} if rtol is None else {"rtol": rtol}
    return apply(function, (a,), jvp, vjp)


def matrix_power(a, n, /):
    """Powers of matrices by whole numbers."""
    if n < 0:
        return matrix_power(inv(a), -n)
    near = plain(a)
    out = namespace_of(near).eye(near.shape[-1], dtype=near.dtype, device=near.device)
    out = broadcast_to(out, near.shape)
    base = a
    first = True
    while n:
        if n & 1:
            out = base if first else out @ base
            first = False
        n >>= 1
        base = base @ base if n else base
    return out


def functions():
    """The functions of this file, by the names that libraries have for them."""
    both = {"matmul": matmul, "tensordot": tensordot, "vecdot": vecdot}
    inner = {
        "outer": outer, "cross": cross, "trace": trace, "inv": inv, "solve": solve,
        "cholesky": cholesky, "eigvalsh": eigvalsh, "svdvals": svdvals,
        "pinv": pinv, "matrix_power": matrix_power, "matrix_transpose": matrix_transpose,
    }  # fmt: skip
    outside = {"dot": dot, "outer": outer, "kron": kron, "cross": cross}
    return both | outside | {f"linalg.{name}": f for name, f in (both | inner).items()}
