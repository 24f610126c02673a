"""Sums over indices of products of arrays of other libraries."""

import math

from dualtape.boxed.apply import like
from dualtape.boxed.array import FUNCTIONS, plain
from dualtape.boxed.backends import namespace_of
from dualtape.boxed.indexing import writable_diagonal
from dualtape.boxed.linalg import matmul
from dualtape.boxed.reductions import sum_
from dualtape.boxed.shape import broadcast_to, conj, moveaxis, permute_dims, reshape

__all__ = ["einsum", "functions", "meshgrid"]


def einsum(subscripts, *operands, optimize=None):
    """np.einsum for subscripts written as text: products of pairs, from left to right, as matrix products."""
    if not isinstance(subscripts, str):
        raise TypeError("einsum of traced arrays takes its subscripts as text")
    terms, out = _parse(subscripts, operands)
    values = [_without_repeats(x, term) for x, term in zip(operands, terms, strict=True)]
    (value, have), *rest = values
    for k, (x, term) in enumerate(rest):
        needed = set(out).union(*[t for _, t in rest[k + 1 :]])
        value, have = _product(value, have, x, term, needed)
    value, have = _summed(value, have, set(out))
    return permute_dims(value, tuple(have.index(i) for i in out)) if out else value


def _parse(subscripts, operands):
    """The indices of each operand and of the result, one letter each; those of ellipses by numbers from the end."""
    left, arrow, out = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(operands):
        raise ValueError("einsum: there must be as many terms as operands")
    terms, longest = [], 0
    for part, x in zip(parts, operands, strict=True):
        head, dots, tail = part.partition("...")
        free = len(x.shape) - len(head) - len(tail)
        if free < 0 or (free and not dots):
            raise ValueError(f"einsum: the term {part!r} does not fit an array of {len(x.shape)} dimensions")
        longest = max(longest, free)
        terms.append([*head, *range(-free, 0), *tail])
    if arrow:
        head, dots, tail = out.partition("...")
        return terms, [*head, *(range(-longest, 0) if dots else ()), *tail]
    every = [i for term in terms for i in term if isinstance(i, str)]
    return terms, [*range(-longest, 0), *sorted(i for i in set(every) if every.count(i) == 1)]


def _without_repeats(x, term):
    """An operand whose repeated indices are diagonals."""
    term = list(term)
    for i in dict.fromkeys(term):
        while term.count(i) > 1:
            first = term.index(i)
            second = term.index(i, first + 1)
            x = writable_diagonal(moveaxis(x, (first, second), (-2, -1)))
            term = [t for k, t in enumerate(term) if k not in (first, second)] + [i]
    return x, term


def _summed(x, term, needed):
    """An operand summed over the indices that nothing else needs."""
    axes = tuple(k for k, i in enumerate(term) if i not in needed)
    return (sum_(x, axes), [i for i in term if i in needed]) if axes else (x, term)


def _product(x, have, y, term, needed):
    """The product of two operands, summed over what is not needed any more."""
    x, have = _summed(x, have, needed | set(term))
    y, term = _summed(y, term, needed | set(have))
    both = [i for i in have if i in term]
    inner = [i for i in both if i not in needed]
    batch = [i for i in both if i in needed]
    rows = [i for i in have if i not in both]
    columns = [i for i in term if i not in both]
    lengths = {}
    for value, indices in ((x, have), (y, term)):
        for i, n in zip(indices, value.shape, strict=True):
            if lengths.setdefault(i, n) != n and 1 not in (n, lengths[i]):
                raise ValueError(f"einsum: the index {i!r} has the lengths {lengths[i]} and {n}")
            lengths[i] = max(lengths[i], n)

    def arranged(value, indices, order, shape):
        value = permute_dims(value, tuple(indices.index(i) for i in order))
        value = broadcast_to(value, tuple(lengths[i] for i in order))
        return reshape(value, shape)

    sizes = [math.prod(lengths[i] for i in part) for part in (batch, rows, inner, columns)]
    left = arranged(x, have, [*batch, *rows, *inner], (sizes[0], sizes[1], sizes[2]))
    right = arranged(y, term, [*batch, *inner, *columns], (sizes[0], sizes[2], sizes[3]))
    order = [*batch, *rows, *columns]
    return reshape(matmul(left, right), tuple(lengths[i] for i in order)), order


def meshgrid(*arrays, indexing="xy"):
    """The coordinates of a grid from those of its axes."""
    n = len(arrays)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    lengths = [plain(x).shape[0] for x in arrays]
    shape = tuple(lengths[k] for k in order)
    out = []
    for k, x in enumerate(arrays):
        line = reshape(x, tuple(-1 if order[j] == k else 1 for j in range(n)))
        out.append(broadcast_to(line, shape))
    return out


def inner(x, y):
    """Sums of products over the last axes."""
    return FUNCTIONS["tensordot"](x, y, axes=((-1,), (-1,))) if x.shape and y.shape else x * y


def vdot(x, y):
    """The sum of products of all elements, the first factor conjugated."""
    return sum_(conj(reshape(x, (-1,))) * reshape(y, (-1,)))


def average(x, axis=None, weights=None):
    """The mean with weights."""
    if weights is None:
        return FUNCTIONS["mean"](x, axis)
    near = like((x, weights))
    weights = namespace_of(near).asarray(weights) if not hasattr(weights, "shape") else weights
    return sum_(x * weights, axis) / sum_(broadcast_to(weights, x.shape), axis)


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {"einsum": einsum, "meshgrid": meshgrid, "inner": inner, "vdot": vdot, "average": average}
