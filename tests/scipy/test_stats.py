"""dualtape.scipy.stats against differences of SciPy and against mpmath."""

import mpmath
import numpy as np
import pytest
import scipy.stats

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import close, weights
from dualtape.errors import NoRuleError
from dualtape.scipy import stats

X = np.array([0.2, 0.7, 1.9, 3.1])
CONTINUOUS = {
    "norm": ([], lambda y: mpmath.npdf(y)),
    "t": ([2.5], lambda y, v: (1 + y * y / v) ** (-(v + 1) / 2) / mpmath.sqrt(v) / mpmath.beta(0.5, v / 2)),
    "gamma": ([2.3], lambda y, a: y ** (a - 1) * mpmath.exp(-y) / mpmath.gamma(a)),
    "chi2": ([3.4], lambda y, k: y ** (k / 2 - 1) * mpmath.exp(-y / 2) / mpmath.gamma(k / 2) / 2 ** (k / 2)),
    "beta": ([1.7, 2.2], lambda y, a, b: y ** (a - 1) * (1 - y) ** (b - 1) / mpmath.beta(a, b)),
    "lognorm": ([0.8], lambda y, s: mpmath.npdf(mpmath.log(y) / s) / s / y),
    "expon": ([], lambda y: mpmath.exp(-y)),
}
CASES = [
    (name, method)
    for name in CONTINUOUS
    for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf")
    if method in getattr(stats, name)._rules
]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_continuous(name, method):
    shapes, _ = CONTINUOUS[name]
    scale = 5.0 if name == "beta" else 1.6
    of = lambda module: getattr(getattr(module, name), method)
    # the value, loc and scale
    f = lambda x, m=stats: of(m)(x[:4], *shapes, x[4], x[5])
    x = np.array([*X, 0.1, scale])
    options = {"order": 3, "exact": False, "rtol": 1e-7}
    agree(f, x, plain=lambda x: f(x, scipy.stats), reference=lambda x: f(x, scipy.stats), **options)
    by_name = lambda x: of(stats)(X, *shapes, loc=x[4], scale=x[5])
    close(dt.gradient(lambda x: np.sum(by_name(x)), x)[4:], dt.gradient(lambda x: np.sum(f(x)), x)[4:], 1e-13)
    of_array = dt.gradient(lambda x: np.sum(of(stats)(x, *shapes)), np.array([0.7]))[0]
    close(dt.gradient(lambda x: of(stats)(x, *shapes), 0.7), of_array, 1e-14)
    np.testing.assert_array_equal(of(stats)(X, *shapes, 0.1, scale), of(scipy.stats)(X, *shapes, 0.1, scale))
    if shapes:
        g = lambda p, m=stats: of(m)(X / scale, *p)
        agree(g, np.array(shapes), plain=lambda p: g(p, scipy.stats), reference=lambda p: g(p, scipy.stats), **options)
        both = lambda p, m=stats: of(m)(p[:2] / scale, *p[2:])
        both_plain = lambda p: both(p, scipy.stats)
        agree(both, np.array([0.7, 1.9, *shapes]), plain=both_plain, reference=both_plain, **options)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_densities_by_mpmath(name):
    shapes, density = CONTINUOUS[name]
    x = X / 5
    of = getattr(stats, name)
    for k in range(3):
        wanted = [float(mpmath.diff(lambda y: mpmath.log(density(y, *shapes)), c, k)) for c in x]
        f = lambda x: of.logpdf(x, *shapes)
        for _ in range(k):
            f = dt.derivative(f)
        close(np.array([f(c) for c in x]), np.array(wanted), 1e-11)
    for place, s in enumerate(shapes):
        along = lambda p, c, place=place: mpmath.log(density(c, *shapes[:place], p, *shapes[place + 1 :]))
        wanted = sum(float(mpmath.diff(lambda p, c=c: along(p, c), s)) for c in x)
        close(dt.gradient(lambda p: np.sum(of.logpdf(x, *p)), np.array(shapes))[place], wanted, 1e-12)


def test_outside_of_the_support_and_wrong_parameters():
    x = np.array([-1.0, 0.5, 2.0, np.nan])
    for name, (shapes, _) in CONTINUOUS.items():
        for method in ("logpdf", "pdf", "cdf", "logsf"):
            f = lambda x, m=stats, name=name, method=method, shapes=shapes: getattr(getattr(m, name), method)(
                x, *shapes
            )
            np.testing.assert_allclose(dt.pullback(f, x)[0], f(x, scipy.stats), rtol=1e-13)
            gradient = dt.gradient(lambda x, f=f: np.sum(f(x)[:3]), x)
            assert np.all(np.isfinite(gradient[:3])), (name, method)
            if name in ("gamma", "chi2", "beta", "lognorm", "expon"):
                assert gradient[0] == 0
            wrong = lambda s, name=name, method=method, shapes=shapes: getattr(getattr(stats, name), method)(
                0.5, *shapes, scale=s
            )
            assert np.isnan(dt.pullback(wrong, -1.0)[0])


# For each distribution shape parameters and values: in the tails, near the largest density, far out, and small shapes.
TAILS = {
    "gamma": [(0.5, 0.3), (5.0, 2.0), (5.0, 5.0), (5.0, 9.0), (0.01, 0.001), (0.01, 0.5), (200.0, 260.0), (3.0, 80.0)],
    "chi2": [(1.0, 0.3), (10.0, 4.0), (10.0, 25.0), (0.02, 0.5), (400.0, 520.0)],
    "beta": [
        (2.0, 3.0, 0.3),
        (2.0, 3.0, 0.9),
        (0.1, 0.2, 0.5),
        (0.01, 1.0, 0.009),
        (3.0, 0.02, 0.999),
        (50.0, 20.0, 0.3),
    ],
    "t": [(2.5, -1.0), (3.0, 0.7), (1.0, 40.0), (0.5, -40.0), (300.0, 2.0), (30.0, -6.0)],
}


def tails(name, shapes, y):
    """The lower and the upper tail, by mpmath."""
    if name in ("gamma", "chi2"):
        a, y = (shapes[0], y) if name == "gamma" else (shapes[0] / 2, y / 2)
        parts = ((0, y), (y, mpmath.inf))
        return [mpmath.gammainc(a, low, high, regularized=True) for low, high in parts]
    if name == "beta":
        a, b = shapes
        return mpmath.betainc(a, b, 0, y, regularized=True), mpmath.betainc(b, a, 0, 1 - y, regularized=True)
    v = shapes[0]
    half = mpmath.betainc(v / 2, mpmath.mpf(1) / 2, 0, v / (v + y * y), regularized=True) / 2
    return (half, 1 - half) if y < 0 else (1 - half, half)


@pytest.mark.parametrize("name", TAILS)
def test_distribution_functions_by_shape(name):
    for *shapes, y in TAILS[name]:
        for method, k in ((m, k) for m in ("cdf", "sf", "logcdf", "logsf") for k in range(len(shapes))):
            number = getattr(getattr(stats, name), method)
            f = lambda s: number(y, *shapes[:k], s, *shapes[k + 1 :])
            with mpmath.workdps(40):

                def exact(s):
                    at = [*map(mpmath.mpf, shapes[:k]), s, *map(mpmath.mpf, shapes[k + 1 :])]
                    out = tails(name, at, mpmath.mpf(y))[method.endswith("sf")]
                    return mpmath.log(out) if method.startswith("log") else out

                wanted = float(mpmath.diff(exact, mpmath.mpf(shapes[k]), h=mpmath.mpf(10) ** -13))
            for found in (dt.derivative(f, shapes[k]), dt.gradient(f, shapes[k])):
                np.testing.assert_allclose(found, wanted, rtol=1e-10, err_msg=f"{shapes} {y} {method} {k}")


COLUMN = np.array([[1.5], [2.5], [0.7]])
COUNTS, TRIALS = np.array([0, 1, 5]), np.array([3, 4, 5])
BROADCAST = {
    "shapes": (lambda a, m: m.gamma.logpdf(X, a), COLUMN),
    "shapes of cdf": (lambda a, m: m.gamma.cdf(X, a), COLUMN),
    "shapes of logsf": (lambda a, m: m.t.logsf(X, a, 0.1, a), COLUMN),
    "values": (lambda x, m: m.gamma.cdf(x, COLUMN, scale=COLUMN), X),
    "scales": (lambda s, m: m.norm.logpdf(X, 0.1, s), COLUMN),
    "integers": (lambda mu, m: m.poisson.logpmf(COUNTS, mu), COLUMN),
    "trials": (lambda p, m: m.binom.logpmf(COUNTS, TRIALS, p), np.array([0.2, 0.3, 0.6])),
    "trials of cdf": (lambda p, m: m.binom.cdf(COUNTS, TRIALS, p), np.array([0.2, 0.3, 0.6])),
    "numbers": (lambda p, m: m.norm.logpdf(3, p[0], p[1]), np.array([0.2, 1.5])),
    "a list": (lambda p, m: m.t.logpdf([1, 2, 3], p[0], p[1], p[2]), np.array([3.2, 0.5, 1.5])),
    "a list of traced": (lambda p, m: m.expon.logpdf([p[0], 2.0], scale=p[1]), np.array([3.2, 1.5])),
}


@pytest.mark.parametrize("name", BROADCAST)
def test_broadcasting(name):
    f, x = BROADCAST[name]
    reference = lambda x: f(x, scipy.stats)
    agree(lambda x: f(x, stats), x, plain=reference, reference=reference, order=3, exact=False, rtol=1e-7)


def test_t_of_infinitely_many_degrees_of_freedom():
    close(dt.gradient(lambda x: stats.t.logpdf(x, np.inf), 0.7), -0.7, 1e-15)
    close(dt.pullback(lambda x: stats.t.logpdf(x, np.inf), 0.7)[0], scipy.stats.norm.logpdf(0.7), 1e-15)
    value, back = dt.pullback(lambda df: stats.t.cdf(0.7, df), np.array([np.inf, 3.0]))
    np.testing.assert_array_equal(value, scipy.stats.t.cdf(0.7, [np.inf, 3.0]))
    assert back(np.ones(2))[0] == 0 and back(np.ones(2))[1] > 0


def test_discrete():
    k = np.arange(-1.0, 6.0)
    for method in ("logpmf", "pmf", "cdf", "sf", "logcdf", "logsf"):
        options = {"order": 3, "exact": False}
        f = lambda mu, m=stats, method=method: getattr(m.poisson, method)(k[1:], mu)
        agree(
            f, np.array([2.3]), plain=lambda mu: f(mu, scipy.stats), reference=lambda mu: f(mu, scipy.stats), **options
        )
        g = lambda p, m=stats, method=method: getattr(m.binom, method)(k[1:6], 6, p, loc=0)
        agree(g, np.array([0.3]), plain=lambda p: g(p, scipy.stats), reference=lambda p: g(p, scipy.stats), **options)
        for h in (f, g):
            np.testing.assert_array_equal(h(np.array([0.4])), h(np.array([0.4]), scipy.stats))
    # what has probability 0
    for method in ("logpmf", "pmf", "cdf", "sf"):
        f = lambda mu, m=stats, method=method: getattr(m.poisson, method)([-1, 0.5, 2], mu)
        np.testing.assert_allclose(dt.pullback(f, 2.3)[0], f(2.3, scipy.stats), rtol=1e-13)
        assert np.all(np.isfinite(dt.jacobian(f, np.array([2.3]))))
    for f in (lambda x: stats.poisson.logpmf(x, 2.0), lambda x: stats.binom.logpmf(1, x, 0.5)):
        with pytest.raises(NoRuleError):
            dt.gradient(f, 2.0)


def test_frozen_and_other_methods():
    close(dt.gradient(lambda s: stats.norm(0.5, s).logpdf(1.5), 2.0), 0.125 - 0.5, 1e-15)
    assert stats.norm.mean() == 0.0 and stats.norm(1.0, 2.0).mean() == 1.0
    assert stats.uniform is scipy.stats.uniform
    for f in (lambda x: stats.gamma.ppf(x, 2.0), lambda x: stats.norm.logpdf(1.0, 0.0, 1.0, x)):
        with pytest.raises(TypeError):
            dt.gradient(f, 0.5)
    for f in (lambda x: stats.gamma.logpdf(x), lambda x: stats.norm.logpdf(x, size=3)):
        with pytest.raises(TypeError):
            dt.gradient(f, 0.5)


MEAN = np.array([0.3, -0.2, 0.5])
ROOT = weights((3, 3), 1) * 0.3 + np.eye(3)
COV = ROOT @ ROOT.T
POINTS = weights((4, 3), 2)
NORMAL = {
    "value": (lambda x, m: m.logpdf(x, MEAN, COV), POINTS),
    "one value": (lambda x, m: m.logpdf(x, MEAN, COV), POINTS[0]),
    "stack": (lambda x, m: m.logpdf(x, MEAN, COV), POINTS.reshape(2, 2, 3)),
    "mean": (lambda x, m: m.logpdf(POINTS, x, COV), MEAN),
    "covariance": (lambda x, m: m.logpdf(POINTS, MEAN, x @ x.T), ROOT),
    "diagonal": (lambda x, m: m.logpdf(POINTS, MEAN, x), np.array([1.0, 2.0, 0.5])),
    "number": (lambda x, m: m.logpdf(POINTS, MEAN, x[0]), np.array([1.5])),
    "one dimension": (lambda x, m: m.logpdf(x, 0.5, 2.0), np.array([0.1, 0.2, 1.0])),
    "defaults": (lambda x, m: m.logpdf(x), np.array([0.1, 0.2, 1.0])),
    "pdf": (lambda x, m: m.pdf(x, mean=MEAN, cov=COV), POINTS),
    "entropy": (lambda x, m: m.entropy(MEAN, x @ x.T), ROOT),
    "entropy of a diagonal": (lambda x, m: m.entropy(MEAN, x), np.array([1.0, 2.0, 0.5])),
}


@pytest.mark.parametrize("name", NORMAL)
def test_multivariate_normal(name):
    f, x = NORMAL[name]
    agree(
        lambda x: f(x, stats.multivariate_normal), x, plain=lambda x: f(x, scipy.stats.multivariate_normal),
        reference=lambda x: f(x, scipy.stats.multivariate_normal), exact=False, rtol=1e-7,
    )  # fmt: skip
    np.testing.assert_array_equal(f(x, stats.multivariate_normal), f(x, scipy.stats.multivariate_normal))


def test_multivariate_normal_with_a_singular_covariance():
    with pytest.raises(np.linalg.LinAlgError):
        dt.gradient(lambda x: np.sum(stats.multivariate_normal.logpdf(x, MEAN, np.ones((3, 3)))), POINTS)
    with pytest.raises(NoRuleError):
        dt.gradient(lambda c: stats.multivariate_normal.logpdf(POINTS, MEAN, c, allow_singular=True).sum(), COV)
    flat = np.outer(ROOT[0], ROOT[0]) + np.outer(ROOT[1], ROOT[1])
    on = lambda y: MEAN + y @ ROOT[:2]  # the plane that the covariance spans
    for name in ("logpdf", "pdf"):
        f = lambda y, m=stats, name=name: getattr(m.multivariate_normal, name)(on(y), MEAN, flat, allow_singular=True)
        plain = lambda y, f=f: f(y, scipy.stats)
        agree(f, POINTS[:, :2].copy(), plain=plain, reference=plain, exact=False, rtol=1e-7)
    off = lambda x: stats.multivariate_normal.logpdf(x, MEAN, flat, allow_singular=True)
    assert dt.pullback(off, POINTS[0])[0] == off(POINTS[0]) == -np.inf


ALPHA = np.array([1.4, 2.2, 0.9])
SIMPLEX = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]).T
DIRICHLET = {
    "parameters": (lambda x, m: m.logpdf(SIMPLEX, x), ALPHA),
    "values": (lambda x, m: m.logpdf(x / x.sum(axis=0), ALPHA), SIMPLEX),
    "all but the last": (lambda x, m: m.logpdf(x, ALPHA), SIMPLEX[:2]),
    "one value": (lambda x, m: m.logpdf(x, ALPHA), SIMPLEX[:2, 0]),
    "pdf": (lambda x, m: m.pdf(SIMPLEX[:, 1], x), ALPHA),
}


@pytest.mark.parametrize("name", DIRICHLET)
def test_dirichlet(name):
    f, x = DIRICHLET[name]
    plain = lambda x: f(x, scipy.stats.dirichlet)
    agree(lambda x: f(x, stats.dirichlet), x, plain=plain, reference=plain, exact=False, rtol=1e-7)
    np.testing.assert_array_equal(f(x, stats.dirichlet), plain(x))
    with pytest.raises(ValueError, match="sum"):
        dt.pullback(lambda x: stats.dirichlet.logpdf(x, ALPHA), SIMPLEX * 0.9)
