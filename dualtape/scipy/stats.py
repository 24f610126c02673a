"""`scipy.stats`: densities and distribution functions of common distributions, by value and parameters."""

import math

import numpy as np
import scipy.special as sp
import scipy.stats

from dualtape.arrays.apply import ALL, apply, with_value
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of
from dualtape.scipy.dispatch import is_traced
from dualtape.scipy.multivariate import dirichlet, multivariate_normal
from dualtape.scipy.tails import BETA, CHI2, GAMMA, T, integral_of_tail

__all__ = [
    "beta", "binom", "chi2", "dirichlet", "expon", "gamma", "lognorm", "multivariate_normal", "norm", "poisson", "t",
]  # fmt: skip

_LOG_ROOT = math.log(math.sqrt(2.0 * math.pi))


def __getattr__(name):
    return getattr(scipy.stats, name)


def _number(x):
    """A 0-d array as a number, as SciPy gives it."""
    return x[()] if isinstance(x, Array) and x.ndim == 0 else x


class Distribution:
    """A distribution of SciPy's, with rules for traced values.

    Parameters
    ----------
    own : scipy.stats distribution
        What plain arguments go to.
    shapes : sequence of str
        Names of the shape parameters, which come before ``loc`` and ``scale``.
    rules : dict
        By the name of a method: the function of the standardized value and the shape parameters.
    inside : callable
        Where the standardized value is in the support, at plain arrays.
    valid : callable
        Where the shape parameters are valid, at plain arrays.
    """

    def __init__(self, own, shapes, rules, inside, valid=lambda *shapes: True):
        self._own, self._names = own, (*shapes, *self._last)
        self._count, self._rules, self._inside, self._valid = len(shapes), rules, inside, valid

    _last = ("loc", "scale")

    def _parameters(self, args, kwargs):
        if len(args) > len(self._names):
            raise TypeError(f"{self._own.name} takes at most {len(self._names)} parameters, not {len(args)}")
        given = dict(zip(self._names, args, strict=False))
        for name, value in kwargs.items():
            if name not in self._names or name in given:
                raise TypeError(f"{self._own.name} got an unexpected or repeated parameter {name!r}")
            given[name] = value
        missing = [name for name in self._names[: self._count] if name not in given]
        if missing:
            raise TypeError(f"{self._own.name} misses its parameter {missing[0]!r}")
        loc, scale = given.get("loc", 0.0), given.get("scale", 1.0)
        return [as_array(given[name]) for name in self._names[: self._count]], as_array(loc), as_array(scale)

    def _call(self, method, x, args, kwargs):
        if not is_traced([x, *args, *kwargs.values()]):
            return getattr(self._own, method)(x, *args, **kwargs)
        if method not in self._rules:
            raise no_rule(f"scipy.stats.{self._own.name}.{method}")
        shapes, loc, scale = self._parameters(args, kwargs)
        with np.errstate(all="ignore"):  # as SciPy does; what is invalid becomes NaN
            return _number(self._at(method, as_array(x), shapes, loc, scale))

    def _at(self, method, x, shapes, loc, scale):
        plain = [plain_of(s) for s in shapes]
        y = (x - loc) / scale
        inside = self._inside(plain_of(y), *plain)
        good = (plain_of(scale) > 0) & self._valid(*plain) & ~np.isnan(plain_of(y))
        # where the density is 0, the formulas are not to be met: any point of the support does
        typical = self._own.median(*plain)
        y = np.where(inside & good, y, np.where(np.isfinite(typical), typical, 0.5))
        out = self._rules[method](y, *shapes)
        if method == "logpdf":
            out = out - np.log(scale)
        elif method == "pdf":
            out = out / scale
        outside = self._outside(method, plain_of((x - loc) / scale), plain)
        return np.where(good, np.where(inside, out, outside), np.nan)

    def _outside(self, method, y, shapes):
        if method in ("logpdf", "pdf"):
            return -np.inf if method == "logpdf" else 0.0
        return getattr(self._own, method)(y, *shapes)

    def __call__(self, *args, **kwargs):
        """The distribution with its parameters fixed."""
        return Frozen(self, args, kwargs) if is_traced([*args, *kwargs.values()]) else self._own(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._own, name)


class Frozen:
    """A distribution with its parameters fixed."""

    def __init__(self, distribution, args, kwargs):
        self.distribution, self.args, self.kwds = distribution, args, kwargs

    def __getattr__(self, name):
        method = getattr(self.distribution, name)
        return lambda x: method(x, *self.args, **self.kwds)


def _method(name):
    def method(self, x, *args, **kwargs):
        return self._call(name, x, args, kwargs)

    method.__name__ = name
    method.__doc__ = f"SciPy's ``{name}``."
    return method


for _name in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
    setattr(Distribution, _name, _method(_name))


class Discrete(Distribution):
    """A distribution on the integers: differentiable in its parameters."""

    _last = ("loc",)

    def _at(self, method, x, shapes, loc, scale):
        if level_of(x) or level_of(loc):
            raise no_rule(f"scipy.stats.{self._own.name}.{method} by its integers")
        k = plain_of(x) - plain_of(loc)
        plain = [plain_of(s) for s in shapes]
        if method in ("cdf", "sf"):
            k = np.floor(k)
        inside = self._inside(k, *plain)
        good = self._valid(*plain)
        out = self._rules[method](np.where(inside & good, k, 0.0), *shapes)
        outside = getattr(self._own, method)(k, *plain)
        return np.where(good, np.where(inside, out, outside), np.nan)


for _name in ("logpmf", "pmf"):
    setattr(Discrete, _name, _method(_name))


def _integral(own, method, log_density, tail):
    """A distribution function by SciPy, whose slope is the density; by shape parameters it is an integral."""
    upper, logarithm = method.endswith("sf"), method.startswith("log")
    side = -1.0 if upper else 1.0

    def by_value(y, *plain):
        def slope(y, out, t):
            exponent = log_density(y, *plain)
            return side * t * np.exp(exponent - out if logarithm else exponent)

        return apply(
            lambda y: by_value(y, *plain) if isinstance(y, Array) else np.asarray(getattr(own, method)(y, *plain)),
            (y,),
            lambda k, t, out, y: slope(y, out, t),
            lambda k, bar, out, y: slope(y, out, bar),
            reads=ALL if logarithm else ("args",),
        )

    def integral(y, *shapes):
        plain = [plain_of(s) for s in shapes]
        if not any(map(level_of, shapes)):
            return by_value(y, *plain)
        out, value = integral_of_tail(tail, y, shapes, upper, logarithm), getattr(own, method)(plain_of(y), *plain)
        # infinitely many degrees of freedom make no difference any more
        return np.where(np.isfinite(plain_of(out)), with_value(out, value), value)

    return integral


def _with_integrals(own, log_density, tail):
    """The rules of a distribution whose integrals are SciPy's."""
    return {
        "logpdf": log_density,
        "pdf": lambda y, *shapes: np.exp(log_density(y, *shapes)),
    } | {method: _integral(own, method, log_density, tail) for method in ("cdf", "sf", "logcdf", "logsf")}


def _positive(*shapes):
    good = True
    for s in shapes:
        good = good & (s > 0)
    return good


def _log_t(y, df):
    normal = np.isinf(plain_of(df))
    df = np.where(normal, 1.0, df)
    out = -sp.betaln(0.5, df / 2.0) - 0.5 * np.log(df) - (df + 1.0) / 2.0 * np.log1p(y * y / df)
    return np.where(normal, -(y * y) / 2.0 - _LOG_ROOT, out) if np.any(normal) else out


norm = Distribution(
    scipy.stats.norm,
    (),
    {
        "logpdf": lambda y: -(y * y) / 2.0 - _LOG_ROOT,
        "pdf": lambda y: np.exp(-(y * y) / 2.0) / math.sqrt(2.0 * math.pi),
        "cdf": lambda y: sp.ndtr(y),
        "sf": lambda y: sp.ndtr(-y),
        "logcdf": lambda y: sp.log_ndtr(y),
        "logsf": lambda y: sp.log_ndtr(-y),
    },
    lambda y: np.isfinite(y),
)
t = Distribution(
    scipy.stats.t,
    ("df",),
    _with_integrals(scipy.stats.t, _log_t, T),
    lambda y, df: np.isfinite(y),
    _positive,
)
gamma = Distribution(
    scipy.stats.gamma,
    ("a",),
    _with_integrals(scipy.stats.gamma, lambda y, a: sp.xlogy(a - 1.0, y) - y - sp.gammaln(a), GAMMA),
    lambda y, a: (y >= 0) & np.isfinite(y),
    _positive,
)
chi2 = Distribution(
    scipy.stats.chi2,
    ("df",),
    _with_integrals(
        scipy.stats.chi2,
        lambda y, df: sp.xlogy(df / 2.0 - 1.0, y) - y / 2.0 - sp.gammaln(df / 2.0) - math.log(2.0) * df / 2.0,
        CHI2,
    ),
    lambda y, df: (y >= 0) & np.isfinite(y),
    _positive,
)
beta = Distribution(
    scipy.stats.beta,
    ("a", "b"),
    _with_integrals(
        scipy.stats.beta,
        lambda y, a, b: sp.xlog1py(b - 1.0, -y) + sp.xlogy(a - 1.0, y) - sp.betaln(a, b),
        BETA,
    ),
    lambda y, a, b: (y >= 0) & (y <= 1),
    _positive,
)
lognorm = Distribution(
    scipy.stats.lognorm,
    ("s",),
    {
        "logpdf": lambda y, s: -((np.log(y) / s) ** 2) / 2.0 - np.log(s * y) - _LOG_ROOT,
        "pdf": lambda y, s: np.exp(-((np.log(y) / s) ** 2) / 2.0 - np.log(s * y) - _LOG_ROOT),
        "cdf": lambda y, s: sp.ndtr(np.log(y) / s),
        "sf": lambda y, s: sp.ndtr(-np.log(y) / s),
        "logcdf": lambda y, s: sp.log_ndtr(np.log(y) / s),
        "logsf": lambda y, s: sp.log_ndtr(-np.log(y) / s),
    },
    lambda y, s: (y > 0) & np.isfinite(y),
    _positive,
)
expon = Distribution(
    scipy.stats.expon,
    (),
    {
        "logpdf": lambda y: -y,
        "pdf": lambda y: np.exp(-y),
        "cdf": lambda y: -np.expm1(-y),
        "sf": lambda y: np.exp(-y),
        "logsf": lambda y: -y,
        "logcdf": lambda y: np.log(-np.expm1(-y)),
    },
    lambda y: (y >= 0) & np.isfinite(y),
)


def _log_poisson(k, mu):
    return sp.xlogy(k, mu) - sp.gammaln(k + 1.0) - mu


def _log_binom(k, n, p):
    ways = sp.gammaln(n + 1.0) - (sp.gammaln(k + 1.0) + sp.gammaln(n - k + 1.0))
    return ways + sp.xlogy(k, p) + sp.xlog1py(n - k, -p)


def _plain_n(n):
    if level_of(n):
        raise no_rule("scipy.stats.binom by its number of trials")
    return plain_of(n)


def _whole(k):
    return np.floor(k) == k


def _binom_cdf(k, n, p):
    n = _plain_n(n)
    return np.where(k < n, sp.betainc(np.where(k < n, n - k, 1.0), k + 1.0, 1.0 - p), 1.0)


def _binom_sf(k, n, p):
    n = _plain_n(n)
    return np.where(k < n, sp.betainc(k + 1.0, np.where(k < n, n - k, 1.0), p), 0.0)


def _with_logarithms(own, **rules):
    """Rules with those for the logarithms of distribution functions."""

    def logarithm(method):
        return lambda k, *shapes: with_value(
            np.log(rules[method](k, *shapes)), getattr(own, f"log{method}")(k, *[plain_of(s) for s in shapes])
        )

    return rules | {f"log{method}": logarithm(method) for method in ("cdf", "sf")}


poisson = Discrete(
    scipy.stats.poisson,
    ("mu",),
    _with_logarithms(
        scipy.stats.poisson,
        logpmf=_log_poisson,
        pmf=lambda k, mu: np.exp(_log_poisson(k, mu)),
        cdf=lambda k, mu: sp.gammaincc(k + 1.0, mu),
        sf=lambda k, mu: sp.gammainc(k + 1.0, mu),
    ),
    lambda k, mu: (k >= 0) & _whole(k),
    lambda mu: mu >= 0,
)
binom = Discrete(
    scipy.stats.binom,
    ("n", "p"),
    _with_logarithms(
        scipy.stats.binom,
        logpmf=lambda k, n, p: _log_binom(k, _plain_n(n), p),
        pmf=lambda k, n, p: np.exp(_log_binom(k, _plain_n(n), p)),
        cdf=_binom_cdf,
        sf=_binom_sf,
    ),
    lambda k, n, p: (k >= 0) & (k <= n) & _whole(k),
    lambda n, p: (n >= 0) & _whole(n) & (p >= 0) & (p <= 1),
)
