"""Complex numbers: gradients of real functions are df/dx + i df/dy, holomorphic derivatives are f'(z)."""

import cmath
import math

import mpmath
import numpy as np
import pytest

import dualtape as dt

Z = 0.6 - 1.3j


def by_parts(f, z, h=1e-6):
    """df/dx + i df/dy by central differences."""
    dx = (f(z + h) - f(z - h)) / (2 * h)
    dy = (f(z + 1j * h) - f(z - 1j * h)) / (2 * h)
    return complex(dx, dy)


REAL_VALUED = {
    "|z|^2": (lambda m, z: abs(z) ** 2, lambda z: 2 * z),
    "|z|": (lambda m, z: abs(z), lambda z: z / abs(z)),
    "z conj z": (lambda m, z: (z * z.conjugate()).real, lambda z: 2 * z),
    "real": (lambda m, z: z.real, lambda z: 1),
    "imag": (lambda m, z: z.imag, lambda z: 1j),
    "re times im": (lambda m, z: z.real * z.imag, lambda z: complex(z.imag, z.real)),
    "re exp": (lambda m, z: m.exp(z).real, lambda z: cmath.exp(z).conjugate()),
    "im exp": (lambda m, z: m.exp(z).imag, lambda z: (-1j * cmath.exp(z)).conjugate()),
    "|sin z|^2": (
        lambda m, z: abs(m.sin(z)) ** 2,
        lambda z: 2 * cmath.sin(z) * cmath.cos(z).conjugate(),
    ),
    "re of a quotient": (lambda m, z: (1 / (z + 2)).real, lambda z: (-1 / (z + 2) ** 2).conjugate()),
    "re of z**3": (lambda m, z: (z**3).real, lambda z: (3 * z**2).conjugate()),
    "re of 2**z": (lambda m, z: (2**z).real, lambda z: (2**z * math.log(2)).conjugate()),
    "re of log": (lambda m, z: m.log(z).real, lambda z: (1 / z).conjugate()),
    "re of sqrt": (lambda m, z: m.sqrt(z).real, lambda z: (0.5 / cmath.sqrt(z)).conjugate()),
    "re of tanh": (lambda m, z: m.tanh(z).real, lambda z: (1 - cmath.tanh(z) ** 2).conjugate()),
}
real_valued = pytest.mark.parametrize(("f", "gradient"), REAL_VALUED.values(), ids=REAL_VALUED)


@real_valued
def test_gradient_of_a_real_function(f, gradient):
    slope = dt.gradient(lambda z: f(dt, z), Z)
    assert type(slope) is complex
    assert slope == pytest.approx(gradient(Z), rel=1e-14)
    assert slope == pytest.approx(by_parts(lambda z: f(cmath, z), Z), rel=1e-8)


@real_valued
def test_pullback_and_value_of_a_real_function(f, gradient):
    value, back = dt.pullback(lambda z: f(dt, z), Z)
    assert value == pytest.approx(f(cmath, Z), rel=1e-14)
    assert back(2.0) == pytest.approx(2 * gradient(Z), rel=1e-14)


@real_valued
@pytest.mark.parametrize("direction", [1.0, 1j, 0.3 - 0.7j])
def test_pushforward_of_a_real_function_is_the_directional_derivative(f, gradient, direction):
    value, slope = dt.pushforward(lambda z: f(dt, z), Z, direction)
    g = gradient(Z)
    assert value == pytest.approx(f(cmath, Z), rel=1e-14)
    assert slope == pytest.approx(g.real * direction.real + g.imag * direction.imag, rel=1e-13)


def test_descent_along_the_gradient_decreases_the_function():
    def f(z):
        return abs(z * z - (1 + 2j)) ** 2

    z = 1.0 + 0.5j
    for _ in range(200):
        z = z - 0.02 * dt.gradient(f, z)
    assert z == pytest.approx(cmath.sqrt(1 + 2j), abs=1e-6)


HOLOMORPHIC = {
    "exp": (lambda m, z: m.exp(z), lambda z: cmath.exp(z)),
    "sin": (lambda m, z: m.sin(z), lambda z: cmath.cos(z)),
    "cosh": (lambda m, z: m.cosh(z), lambda z: cmath.sinh(z)),
    "log": (lambda m, z: m.log(z), lambda z: 1 / z),
    "sqrt": (lambda m, z: m.sqrt(z), lambda z: 0.5 / cmath.sqrt(z)),
    "atan": (lambda m, z: m.atan(z), lambda z: 1 / (1 + z * z)),
    "asin": (lambda m, z: m.asin(z), lambda z: 1 / cmath.cos(cmath.asin(z))),
    "acosh": (lambda m, z: m.acosh(z), lambda z: 1 / (cmath.sqrt(z - 1) * cmath.sqrt(z + 1))),
    "tan": (lambda m, z: m.tan(z), lambda z: 1 + cmath.tan(z) ** 2),
    "power": (lambda m, z: z**3 + z**-2, lambda z: 3 * z**2 - 2 * z**-3),
    "complex power": (lambda m, z: z ** (1 + 2j), lambda z: (1 + 2j) * z**2j),
    "self power": (lambda m, z: z**z, lambda z: z**z * (1 + cmath.log(z))),
    "rational": (lambda m, z: (z + 1) / (z - 1), lambda z: -2 / (z - 1) ** 2),
}
holomorphic = pytest.mark.parametrize(("f", "slope"), HOLOMORPHIC.values(), ids=HOLOMORPHIC)


@holomorphic
@pytest.mark.parametrize("z", [Z, 1.5 + 0.2j, -0.4 + 0.9j, 2.0 + 0.0j])
def test_holomorphic_derivative(f, slope, z):
    out = dt.derivative(lambda z: f(dt, z), z)
    assert out == pytest.approx(slope(z), rel=1e-13)


@holomorphic
def test_pullback_of_a_holomorphic_function_conjugates(f, slope):
    # Under df/dx + i df/dy, the pullback of w is w times the conjugate of f'.
    value, back = dt.pullback(lambda z: f(dt, z), Z)
    assert value == pytest.approx(f(cmath, Z), rel=1e-14)
    for w in (1.0, 1j, 0.3 - 0.2j):
        assert back(w) == pytest.approx(w * slope(Z).conjugate(), rel=1e-13)


def test_second_derivative_of_exp_i_x_at_zero_is_minus_one():
    assert dt.derivative(dt.derivative(lambda x: dt.exp(1j * x)))(0.0) == -1
    assert dt.taylor(lambda x: dt.exp(1j * x), 0.0, 4) == pytest.approx([1, 1j, -1, -1j, 1], abs=1e-15)


def test_holomorphic_second_derivatives():
    second = dt.derivative(dt.derivative(lambda z: dt.exp(z * z)))
    assert second(Z) == pytest.approx((2 + 4 * Z * Z) * cmath.exp(Z * Z), rel=1e-13)


def test_gradient_of_a_complex_valued_function_is_refused():
    with pytest.raises(TypeError, match=r"(?i)complex|real") as info:
        dt.gradient(lambda z: z * z, Z)
    assert isinstance(info.value, dt.DualtapeError)


def test_gradient_of_a_multiprecision_complex_function_is_refused():
    with pytest.raises(TypeError, match=r"(?i)complex|real"):
        dt.gradient(lambda z: z * z, mpmath.mpc(1, 2))
    assert dt.gradient(lambda z: abs(z) ** 2, mpmath.mpc(1, 2)) == mpmath.mpc(2, 4)


def test_a_real_input_through_complex_intermediates():
    def f(x):
        z = dt.exp(1j * x) / (2 + x * 1j)
        return abs(z) ** 2 + z.real - 3 * z.imag

    def plain(x):
        z = cmath.exp(1j * x) / (2 + x * 1j)
        return abs(z) ** 2 + z.real - 3 * z.imag

    quotient = (plain(0.7 + 1e-6) - plain(0.7 - 1e-6)) / 2e-6
    value, slope = dt.value_and_gradient(f, 0.7)
    assert value == pytest.approx(plain(0.7), rel=1e-15)
    assert type(slope) is float and slope == pytest.approx(quotient, rel=1e-8)
    assert dt.derivative(f, 0.7) == pytest.approx(slope, rel=1e-14)


def test_mixed_real_and_complex_inputs():
    dr, dz = dt.gradient(lambda r, z: r * abs(z) ** 2, 2.0, Z)
    assert type(dr) is float and dr == pytest.approx(abs(Z) ** 2)
    assert type(dz) is complex and dz == pytest.approx(4 * Z)


def test_the_gradient_of_a_real_input_is_real():
    # The imaginary part of the cotangent belongs to no real direction.
    slope = dt.gradient(lambda x: ((1 + 2j) * x * (3 - 1j)).real, 1.5)
    assert type(slope) is float and slope == 5.0


def test_jacobians_of_complex_outputs_agree():
    # A real input, complex outputs: no mode may drop the imaginary part.
    f = lambda v: [dt.exp(1j * v[0]) * v[1], v[0] * v[1]]
    forward = dt.jacobian(f, [0.3, 2.0], mode="forward")
    z = cmath.exp(0.3j)
    assert forward[0].tolist() == pytest.approx([2j * z, z], rel=1e-14)
    for mode in ("reverse", "auto"):
        try:
            other = dt.jacobian(f, [0.3, 2.0], mode=mode)
        except TypeError:
            continue
        assert other.ravel().tolist() == pytest.approx(forward.ravel().tolist(), rel=1e-14)


def test_gradient_of_a_complex_output_of_a_real_input_is_refused():
    with pytest.raises(TypeError):
        dt.gradient(lambda x: dt.exp(1j * x), 0.3)
    with pytest.raises(TypeError):
        dt.hessian(lambda x: dt.exp(1j * x), 0.3)


def test_comparisons_of_complex_values_raise_as_in_python():
    for differentiate in (dt.derivative, dt.gradient):
        with pytest.raises(TypeError):
            differentiate(lambda z: z if z < 1 else -z, Z)
    assert dt.gradient(lambda z: abs(z) if z != 0 else 0.0, 3 + 4j) == pytest.approx(0.6 + 0.8j)


def test_abs_at_zero():
    assert dt.gradient(lambda z: abs(z), 0j) == 0
    assert dt.derivative(lambda x: abs(x * (1 + 1j)), 0.0) == 0


def test_polar_coordinates():
    def f(r, phi):
        z = r * dt.exp(1j * phi)
        return z.real**2 - z.imag

    r, phi = 1.3, 0.4
    dr, dphi = dt.gradient(f, r, phi)
    assert dr == pytest.approx(2 * r * math.cos(phi) ** 2 - math.sin(phi), rel=1e-14)
    assert dphi == pytest.approx(-2 * r * r * math.cos(phi) * math.sin(phi) - r * math.cos(phi), rel=1e-14)


def test_hessian_of_a_real_function_through_complex_numbers():
    def f(v):
        return abs(dt.exp(v[0] + 1j * v[1]) * (v[0] - 1j)) ** 2

    x = 0.3
    value = math.exp(2 * x)
    expected = value * (4 * (x * x + 1) + 8 * x + 2)
    hessian = dt.hessian(f, [x, 0.8])
    assert hessian[0, 0] == pytest.approx(expected, rel=1e-13)
    assert abs(hessian[0, 1]) < 1e-14 and abs(hessian[1, 1]) < 1e-14


@pytest.mark.parametrize("x", [-8.0, -0.5])
def test_a_negative_base_to_a_fractional_power(x):
    def f(x):
        return abs(x ** (1 / 3))

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(f, x) == pytest.approx(-(abs(x) ** (-2 / 3)) / 3, rel=1e-14)


CUTS = {
    "asin": (1.3, -1.3, 2.5),
    "acos": (1.3, -1.3, 2.5),
    "acosh": (0.4, -0.4, -1.3, -2.5),
    "asinh": (1.3j, -1.3j, -2.5j),
    "atanh": (1.3, -1.3, 2.5),
    "atan": (1.3j, -1.3j, 2.5j),
    "log": (-1.3, -2.5),
    "sqrt": (-1.3, -2.5),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_on_both_sides_of_a_branch_cut(name, zero):
    """The sign of a zero part says on which side of the cut a point is, for the derivative as for the value."""
    for place in CUTS[name]:
        along = 1j if isinstance(place, complex) else 1.0
        beside = lambda t, along=along: complex(zero, t.imag) if along == 1j else complex(t, zero)
        value = lambda t, along=along, beside=beside: getattr(cmath, name)(beside(place + t * along))
        h = 1e-4
        slope = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h) / along
        z = beside(place)
        f = getattr(dt, name)
        ufunc = getattr(np, name.replace("a", "arc", 1) if name[0] == "a" else name)
        assert dt.derivative(f, z) == pytest.approx(slope, rel=1e-8)
        assert dt.pushforward(ufunc, np.array([z]), np.array([1.0 + 0j]))[1][0] == pytest.approx(slope, rel=1e-8)
        gradient = dt.gradient(lambda z, ufunc=ufunc: ufunc(z).real.sum(), np.array([z]))[0]
        assert gradient.conjugate() == pytest.approx(slope, rel=1e-8)
