"""Functions with several results, under the names that the array API standard has for these."""

from collections import namedtuple

from dualtape.boxed import determinants, linalg
from dualtape.boxed.array import plain
from dualtape.boxed.backends import namespace_of
from dualtape.boxed.indexing import take
from dualtape.boxed.shape import reshape

__all__ = ["functions"]

EighResult = namedtuple("EighResult", "eigenvalues eigenvectors")
QRResult = namedtuple("QRResult", "Q R")
SVDResult = namedtuple("SVDResult", "U S Vh")
SlogdetResult = namedtuple("SlogdetResult", "sign logabsdet")


def eigh(a, /):
    """Eigenvalues and vectors of symmetric or Hermitian matrices."""
    return EighResult(*linalg.eigh(a))


def qr(a, /, *, mode="reduced"):
    """Orthonormal and triangular factors."""
    return QRResult(*linalg.qr(a, mode=mode))


def svd(a, /, *, full_matrices=True):
    """Singular values and vectors."""
    return SVDResult(*linalg.svd(a, full_matrices=full_matrices))


def slogdet(a, /):
    """Signs and logarithms of determinants."""
    return SlogdetResult(*determinants.slogdet(a))


def unique(name):
    """unique_values and its kin: each value is an element of the array, and all the rest is plain."""

    def function(x, /):
        near = plain(x)
        xp = namespace_of(near)
        found = getattr(xp, name)(near)
        values = take(reshape(x, (-1,)), xp.unique_all(near).indices)
        return values if name == "unique_values" else type(found)(values, *found[1:])

    return function


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {
        "linalg.eigh": eigh, "linalg.qr": qr, "linalg.svd": svd, "linalg.slogdet": slogdet,
        "unique_values": unique("unique_values"), "unique_all": unique("unique_all"),
        "unique_counts": unique("unique_counts"), "unique_inverse": unique("unique_inverse"),
    }  # fmt: skip
