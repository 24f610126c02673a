"""The rows of order n in Python, for the kinds of number that compute to any precision, and for complex ones."""

__all__ = ["erfcx_n", "log_ndtr_n", "sinc_n"]


def sinc_n(n, x, pi, sin, cos, epsilon):
    """The n-th derivative of sin(pi x) / (pi x).

    Parameters
    ----------
    n : int
        The order.
    x : number
        The point.
    pi : number
        Pi, of the kind and precision of x.
    sin, cos : callable
        Of numbers of that kind.
    epsilon : number
        Terms this much smaller than the sum are left out.

    Notes
    -----
    With t = pi x, S_n is the integral of u^n cos(t u + n pi/2) over 0 < u < 1. Integration by parts gives
    t S_n = sin^(n)(t) - n S_{n-1}, stable upwards for |t| > n; below, the series in t serves.
    """
    n = int(n)
    t = pi * x
    if abs(t) < n + 1:
        j = n % 2
        term = (-1) ** ((n + j) // 2) * t**j  # of the kind of t also where it is 1
        total = 0
        while True:
            part = term / (n + j + 1)
            total = total + part
            if j > abs(t) and abs(part) <= epsilon * abs(total):
                return pi**n * total
            term = -term * t * t / ((j + 1) * (j + 2))
            j += 2
    s, c = sin(t), cos(t)
    cycle = (s, c, -s, -c)
    total = s / t
    for j in range(1, n + 1):
        total = (cycle[j % 4] - j * total) / t
    return pi**n * total


def log_ndtr_n(n, x, ratio):
    """The n-th derivative, n >= 1, of the logarithm of the normal distribution function.

    Parameters
    ----------
    n : int
        The order.
    x : number
        The point.
    ratio : number
        The normal density over the distribution function at x.

    Notes
    -----
    m = density / ndtr satisfies m' = -m (x + m), which Leibniz's rule differentiates. It cancels in the left
    tail, by about 2 n log2(-x) bits.
    """
    m = [ratio]
    for i in range(int(n) - 1):
        total, binomial = 0, 1
        for j in range(i + 1):
            total = total + binomial * m[j] * m[i - j]
            binomial = binomial * (i - j) // (j + 1)
        m.append(-(total + x * m[i] + (i * m[i - 1] if i else 0)))
    return m[-1]


def erfcx_n(n, x, value, sqrt_pi):
    """The n-th derivative of exp(x^2) erfc(x), whose value at x is given.

    Parameters
    ----------
    n : int
        The order.
    x, value, sqrt_pi : number
        The point, the function there, and the root of pi.

    Notes
    -----
    y_1 = 2 x y - 2 / sqrt(pi) and y_{k+1} = 2 x y_k + 2 k y_{k-1}, which cancel where x is large.
    """
    before, y = None, value
    for k in range(int(n)):
        before, y = y, 2 * x * y + (2 * k * before if k else -2 / sqrt_pi)
    return y
