"""The programs that the benchmarks differentiate: ordinary Python that knows nothing of dualtape."""

import numpy as np

LORENZ_POINT = (1.0, 2.0, 3.0, 10.0, 28.0, 8.0 / 3.0)


def lorenz(x, y, z, sigma, rho, beta, steps=1000, h=0.005):
    """Squared distance from the origin after `steps` steps of the classical Runge-Kutta method.

    One step is 68 operations: four slopes of 8, three stages of 6, and a sum of 18.
    The last line adds 5.
    """
    half, sixth = 0.5 * h, h / 6.0
    for _ in range(steps):
        kx1 = sigma * (y - x)
        ky1 = x * (rho - z) - y
        kz1 = x * y - beta * z
        xs, ys, zs = x + half * kx1, y + half * ky1, z + half * kz1
        kx2 = sigma * (ys - xs)
        ky2 = xs * (rho - zs) - ys
        kz2 = xs * ys - beta * zs
        xs, ys, zs = x + half * kx2, y + half * ky2, z + half * kz2
        kx3 = sigma * (ys - xs)
        ky3 = xs * (rho - zs) - ys
        kz3 = xs * ys - beta * zs
        xs, ys, zs = x + h * kx3, y + h * ky3, z + h * kz3
        kx4 = sigma * (ys - xs)
        ky4 = xs * (rho - zs) - ys
        kz4 = xs * ys - beta * zs
        x = x + sixth * (kx1 + 2.0 * (kx2 + kx3) + kx4)
        y = y + sixth * (ky1 + 2.0 * (ky2 + ky3) + ky4)
        z = z + sixth * (kz1 + 2.0 * (kz2 + kz3) + kz4)
    return x * x + y * y + z * z


def lorenz_operations(steps=1000):
    """The number of arithmetic operations on traced values that `lorenz` performs."""
    return 68 * steps + 5


def rosenbrock(x):
    """Rosenbrock's function, its elements read one at a time: 8 operations for each pair."""
    total = 0.0
    for i in range(len(x) - 1):
        a = x[i + 1] - x[i] * x[i]
        b = 1.0 - x[i]
        total = total + (100.0 * a * a + b * b)
    return total


def rosenbrock_point(n=100):
    """A point away from the minimum, the same at every run."""
    return 1.0 + 0.5 * np.sin(np.arange(1.0, n + 1.0))


def taylor_sine(x):
    """The sine from its series, stopped when a term falls below 1e-8: a loop, a branch, an early return."""
    total, sign, factorial = 0.0, -1.0, 1.0
    for i in range(1, 20):
        factorial *= i
        if i % 2:
            term = x**i / factorial
            if abs(term) < 1e-8:
                return total
            sign = -sign
            total = total + sign * term
    return total


def spring(position, operations, h=0.01):
    """A mass on a spring, four operations a step. Value and derivative stay bounded however many the steps."""
    speed = 0.0
    for _ in range(operations // 4):
        speed = speed - h * position
        position = position + h * speed
    return position
