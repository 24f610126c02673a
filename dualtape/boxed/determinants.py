"""Determinants of arrays of other libraries, with the formulas of `dualtape.arrays.determinants`."""

from dualtape.boxed.apply import apply
from dualtape.boxed.array import level_of, plain
from dualtape.boxed.backends import kind_of, namespace_of
from dualtape.boxed.indexing import diagonal
from dualtape.boxed.linalg import adjoint_of, inv, solve, trace
from dualtape.boxed.reductions import sum_
from dualtape.boxed.shape import astype, concat, conj, imag, matrix_transpose, real, reshape, stack

__all__ = ["det", "slogdet"]

_SINGULAR = 1e-9  # singular values below this part of the largest are eliminated by polynomials


def slogdet(a, /):
    """Signs and logarithms of determinants; of real matrices the signs are plain."""
    is_complex = kind_of(plain(a)) == "c"

    def function(a):
        if level_of(a):
            return slogdet(a)
        sign, logarithm = namespace_of(plain(a)).linalg.slogdet(plain(a))
        return sign, logarithm

    def jvp(place, k, t, outs, a):
        if place == 0 and not is_complex:
            return None
        slope = trace(solve(a, t))
        return real(slope) if place else outs[0] * (_complex_of(imag(slope), slope) * 1j)

    def vjp(place, k, bar, outs, a):
        if place == 0:
            if not is_complex:
                return None
            bar = _complex_of(imag(conj(outs[0]) * bar), bar) * 1j
        return bar[..., None, None] * adjoint_of(inv(a))

    sign, logarithm = apply(function, (a,), jvp, vjp)
    return sign if is_complex else plain(sign), logarithm


def _complex_of(x, like):
    return astype(x, plain(like).dtype)


def det(a, /):
    """Determinants, with derivatives that are exact where they are zero."""
    return apply(
        lambda a: det(a) if level_of(a) else namespace_of(plain(a)).linalg.det(plain(a)),
        (a,),
        lambda k, t, out, a: sum_(cofactors(a) * t, (-2, -1)),
        lambda k, bar, out, a: conj(cofactors(a)) * bar[..., None, None],
    )


def cofactors(a):
    """The derivatives of determinants by the elements of the matrices, to be differentiated again."""
    if not level_of(a):
        return _plain_cofactors(plain(a))
    near = plain(a)
    n = near.shape[-1]
    xp = namespace_of(near)
    if n == 0 or near.size == 0:
        return a
    if n == 1:
        return xp.ones_like(near)
    s = xp.linalg.svdvals(near)
    # A decision that needs the numbers: one bit goes to the host.
    if not bool(xp.any(s[..., -1] <= _SINGULAR * s[..., 0])):
        return det(a)[..., None, None] * matrix_transpose(inv(a))
    if len(near.shape) == 2:
        return _cofactors_of_singular(a)
    flat = reshape(a, (-1, n, n))
    return reshape(stack([cofactors(flat[k, ...]) for k in range(flat.shape[0])]), near.shape)


def _plain_cofactors(a):
    """The product of the other singular values for each, between the singular vectors."""
    n = a.shape[-1]
    xp = namespace_of(a)
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    phase = xp.linalg.det(u) * xp.linalg.det(vh)
    products = []
    for k in range(n):
        rest = xp.concat([s[..., :k], s[..., k + 1 :]], axis=-1)
        products.append(xp.prod(rest, axis=-1))
    others = xp.astype(xp.stack(products, axis=-1), u.dtype) if n else s
    return phase[..., None, None] * xp.matmul(conj(u), others[..., None] * conj(vh))


def _cofactors_of_singular(a):
    """Large singular values, which are apart in one block, are eliminated; those of what is left are polynomials."""
    near = plain(a)
    xp = namespace_of(near)
    u, s, vh = xp.linalg.svd(near)
    r = int(xp.sum(xp.astype(s > _SINGULAR * s[0], xp.int64)))
    scale = xp.linalg.det(u) * xp.linalg.det(vh)
    turned = adjoint_of(u) @ a @ adjoint_of(vh)
    if r == 0:
        inner = _polynomial_cofactors(turned)[0]
    else:
        a, b, c, d = turned[:r, :r], turned[:r, r:], turned[r:, :r], turned[r:, r:]
        over = solve(a, b)
        left = matrix_transpose(solve(matrix_transpose(a), matrix_transpose(c)))
        small, product = _polynomial_cofactors(d - c @ over)
        whole = det(a)
        small = whole * small
        right = small @ matrix_transpose(over)
        first = whole * product * matrix_transpose(inv(a)) + matrix_transpose(left) @ right
        top = concat([first, -(matrix_transpose(left) @ small)], axis=1)
        inner = concat([top, concat([-right, small], axis=1)], axis=0)
    return scale * (conj(u) @ inner @ conj(vh))


def _polynomial_cofactors(x):
    """Cofactors and determinant of a matrix by products alone (Faddeev and LeVerrier)."""
    near = plain(x)
    n = near.shape[-1]
    one = namespace_of(near).eye(n, dtype=near.dtype, device=near.device)
    adjugate = one
    for k in range(1, n):
        product = x @ adjugate
        adjugate = product - (sum_(diagonal(product)) / float(k)) * one
    sign = -1.0 if n % 2 == 0 else 1.0
    return sign * matrix_transpose(adjugate), sign * sum_(diagonal(x @ adjugate)) / float(n)


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {"linalg.det": det}
