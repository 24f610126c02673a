"""Distributions of vectors, of `scipy.stats`."""

import math

import numpy as np
import scipy.special as sp
import scipy.stats

from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of
from dualtape.scipy.dispatch import is_traced

__all__ = ["dirichlet", "multivariate_normal"]

_LOG_ROOT = math.log(math.sqrt(2.0 * math.pi))


def _number(x):
    """A 0-d array as a number, as SciPy gives it."""
    return x[()] if isinstance(x, Array) and x.ndim == 0 else x


class _MultivariateNormal:
    """`scipy.stats.multivariate_normal`, a function of the lower triangle of the covariance."""

    def logpdf(self, x, mean=None, cov=1, allow_singular=False):
        """SciPy's ``logpdf``."""
        if not is_traced([x, mean, cov]):
            return scipy.stats.multivariate_normal.logpdf(x, mean, cov, allow_singular)
        x, mean, cov = self._arguments(x, mean, cov)
        n = len(cov)
        distance = x if mean is None else x - mean
        if allow_singular:
            out = self._singular(np.reshape(distance, (-1, n)), cov)
        else:
            low = np.linalg.cholesky(cov)
            z = np.linalg.solve(low, np.reshape(distance, (-1, n)).T)
            half = np.sum(np.log(np.diagonal(low)))
            out = -0.5 * np.sum(z * z, axis=0) - half - n * _LOG_ROOT
        return _number(np.squeeze(np.reshape(out, distance.shape[:-1])))

    def _arguments(self, x, mean, cov):
        x, cov = as_array(x), as_array(cov)
        mean = None if mean is None else np.atleast_1d(as_array(mean))
        n = mean.shape[0] if mean is not None else cov.shape[0] if cov.ndim else 1
        if cov.ndim < 2:
            cov = np.eye(n) * cov
        if cov.shape != (n, n):
            raise ValueError(f"Array 'cov' must be square and of the size of 'mean', not of shape {cov.shape}.")
        if x.ndim == 0:
            x = np.reshape(x, (1, 1))
        elif x.ndim == 1:
            x = np.reshape(x, (-1, 1) if n == 1 else (1, -1))
        return x, mean, cov

    def _singular(self, distance, cov):
        """The density on the subspace that a plain covariance spans, by SciPy's rule for what counts as zero."""
        if level_of(cov):
            raise no_rule("scipy.stats.multivariate_normal.logpdf by cov with allow_singular=")
        values, vectors = np.linalg.eigh(plain_of(cov))
        small = 1e6 * np.finfo(values.dtype).eps * np.max(np.abs(values))
        if np.min(values) < -small:
            raise ValueError("The input matrix must be symmetric positive semidefinite.")
        kept = values > small
        z = np.matmul(distance, vectors[:, kept] / np.sqrt(values[kept]))
        constant = 0.5 * np.sum(np.log(values[kept])) + kept.sum() * _LOG_ROOT
        off = np.linalg.norm(plain_of(distance) @ vectors[:, ~kept], axis=-1) >= 1e3 * small
        return np.where(off, -np.inf, -0.5 * np.sum(z * z, axis=-1) - constant)

    def pdf(self, x, mean=None, cov=1, allow_singular=False):
        """SciPy's ``pdf``."""
        if not is_traced([x, mean, cov]):
            return scipy.stats.multivariate_normal.pdf(x, mean, cov, allow_singular)
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean=None, cov=1):
        """SciPy's ``entropy``."""
        if not is_traced([cov]):
            mean = plain_of(as_array(mean)) if is_traced([mean]) else mean
            return scipy.stats.multivariate_normal.entropy(mean, cov)
        _, _, cov = self._arguments(0.0, mean, cov)
        n = len(cov)
        return np.sum(np.log(np.diagonal(np.linalg.cholesky(cov)))) + n * (_LOG_ROOT + 0.5)

    def __getattr__(self, name):
        return getattr(scipy.stats.multivariate_normal, name)


class _Dirichlet:
    """`scipy.stats.dirichlet`: logpdf and pdf."""

    def logpdf(self, x, alpha):
        """SciPy's ``logpdf``."""
        if not is_traced([x, alpha]):
            return scipy.stats.dirichlet.logpdf(x, alpha)
        x, alpha = as_array(x), as_array(alpha)
        scipy.stats.dirichlet.logpdf(plain_of(x), plain_of(alpha))  # raises SciPy's errors
        if x.shape[0] < alpha.shape[0]:
            x = np.concatenate([x, 1.0 - np.sum(x, axis=0, keepdims=True)])
        norm = np.sum(sp.gammaln(alpha)) - sp.gammaln(np.sum(alpha))
        powers = np.reshape(alpha, (-1,) + (1,) * (x.ndim - 1)) - 1.0
        return np.sum(sp.xlogy(powers, x), axis=0) - norm

    def pdf(self, x, alpha):
        """SciPy's ``pdf``."""
        return np.exp(self.logpdf(x, alpha)) if is_traced([x, alpha]) else scipy.stats.dirichlet.pdf(x, alpha)

    def __getattr__(self, name):
        return getattr(scipy.stats.dirichlet, name)


multivariate_normal = _MultivariateNormal()
dirichlet = _Dirichlet()
