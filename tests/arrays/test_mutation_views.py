"""Assignment and views: what NumPy writes through, and in which order, is what is differentiated."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import (
    COMPLEX,
    check_case,
    close,
    contract,
    difference_gradient,
    step_gradient,
    weights,
)

# Each case is a program of (x, dt), with the shape of x as its annotation.


class Views:
    """Writing to a view is writing to its base, and the other way round."""

    def slice_writes_to_its_base(x: (6,), dt):
        y = x * 1.5
        part = y[1:4]
        part *= part
        part[0] = x[5]
        return y, part

    def base_writes_to_its_slice(x: (6,), dt):
        y = x * 1.5
        part = y[1:4]
        y *= y
        y[2] = x[0] * x[1]
        return part

    def two_slices_of_one_base(x: (6,), dt):
        y = np.sin(x)
        a, b = y[:4], y[2:]
        a *= 2.0
        b *= a
        a += b[::-1]
        return a, b, y

    def transpose_writes_through(x: (2, 3), dt):
        y = x * x
        t = y.T
        t[0] = x[:, 1] * 3.0
        y[1] *= t[:, 0]
        return y, t

    def reshape_of_contiguous_is_a_view(x: (2, 3), dt):
        y = x + 1.0
        flat = y.reshape(-1)
        flat[1:] *= flat[:-1]
        return y

    def reshape_of_transposed_is_a_copy(x: (2, 3), dt):
        y = x + 1.0
        flat = y.T.reshape(-1)
        flat *= 5.0
        return y, flat

    def results_keep_the_order_of_operands(x: (2, 3, 2), dt):
        y = x.T * x.T
        y.reshape(2, 6)[0] = 0.0
        y.T.reshape(2, 6)[1] *= x[0, 0, 0]
        return y

    def ravel_is_a_view(x: (2, 3), dt):
        y = x * 2.0
        r = y.ravel()
        r[::2] = x[0] * x[1]
        return y

    def flatten_is_a_copy(x: (2, 3), dt):
        y = x * 2.0
        r = y.flatten()
        r[::2] = 0.0
        return y * y, r

    def diagonal_follows_its_base(x: (3, 3), dt):
        y = x * x
        d = y.diagonal()
        y[1, 1] = x[0, 2] * x[2, 0]
        y *= 0.5
        return d

    def swapaxes_and_mt_write_through(x: (3, 3), dt):
        y = x * 0.5
        y.swapaxes(0, 1)[0] *= x[1]
        y.mT[2] += x[0]
        return y

    def transpose_with_axes_writes_through(x: (2, 2, 3), dt):
        y = x.copy()
        y.transpose(2, 0, 1)[1] = x[:, :, 0] * x[:, :, 2]
        return y

    def rows_of_an_iteration_are_views(x: (3, 2), dt):
        y = x * 1.0
        for k, row in enumerate(y):
            row *= k + x[0, 0]
            row[0] = row[1] * row[0]
        return y

    def the_input_itself(x: (4,), dt):
        view = x[::-1]
        view[1:] += view[:-1]
        return x, view

    def view_of_view_of_view(x: (2, 3), dt):
        y = x * x
        v = y.T[1:][::-1].reshape(2, 2)
        y[0] = 1.5 * x[1]
        w = y.T[1:][:, 1]
        w += x[0, 1:]
        return y, v

    def new_axis_and_squeeze_write_through(x: (6,), dt):
        y = x * 1.0
        y[None, ::2][0, 1] = x[0] * x[5]
        y.reshape(1, 6, 1).squeeze()[4] *= x[3]
        return y

    def ellipsis_is_a_view(x: (4,), dt):
        y = x * x
        y[...][1] = x[0]
        y[()][2] *= x[3]
        return y

    def flat_writes_through(x: (4,), dt):
        y = (x * x).reshape(2, 2).T
        y.flat[1] = x[0] * x[3]
        return y, y.flat[2] * 1.0

    def an_element_read_earlier_keeps_its_value(x: (5,), dt):
        y = x * 2.0
        old = y[1]
        y[1] = 0.0
        y[2] *= old
        return y, old * old

    def a_row_read_earlier_changes(x: (3, 3), dt):
        row = x[1]
        x[1] = x[0] * x[2]
        return row * row

    def iteration_sees_what_the_loop_changes(x: (6,), dt):
        for i, s in enumerate(x[::-2]):
            x[i] -= 0.4 * s
        return x


class InPlace:
    """Operators in place, also where operands and targets overlap."""

    def overlapping_add(x: (5,), dt):
        x[1:] += x[:-1]
        return x

    def overlapping_multiply_backwards(x: (5,), dt):
        x[:-1] *= x[1:]
        return x

    def reversed_assignment(x: (5,), dt):
        x[:] = x[::-1] * x
        x[:] = x[::-1]
        return x

    def transposed_assignment(x: (3, 3), dt):
        y = x * x
        y[:] = y.T
        y += y.T
        return y

    def shifted_assignment(x: (5,), dt):
        y = np.sin(x)
        y[2:] = y[:-2]
        y[:-1] = y[1:]
        return y

    def every_in_place_operator(x: (4,), dt):
        y = x * 1.0
        y += x
        y -= 0.3 * x[::-1]
        y *= x
        y /= 2.0 + x * x
        y **= 2
        y += 1.5
        y **= x
        return y

    def in_place_matmul(x: (2, 2), dt):
        y = x * 0.5
        y @= x
        y @= y
        return y

    def in_place_broadcasting(x: (2, 3), dt):
        y = x * x
        y += x[0]
        y *= x[:, :1]
        y -= x[1, 2]
        return y

    def repeated_overwriting(x: (4,), dt):
        y = x * 1.0
        for k in range(5):
            y[k % 4] = np.sin(y[(k + 1) % 4]) * y[k % 4]
            y[1:3] = y[:2] * 0.5
        return y

    def overwritten_operands_of_nonlinear_functions(x: (4,), dt):
        y = x * 1.2
        a = np.exp(y)
        b = y * a
        y[:] = 7.0
        c = a * a
        a *= 0.0
        return b, c, y, a

    def overwritten_operands_of_products(x: (3, 3), dt):
        y = x * 1.0
        z = y @ y
        y[1] = 0.0
        w = z @ y
        z.fill(2.0)
        return w, np.sum(w * w)


class Out:
    """The argument out=."""

    def ufunc_out(x: (4,), dt):
        c = dt.zeros(4)
        d = np.add(x, x[::-1], out=c)
        assert d is c
        np.multiply(c, x, out=c)
        np.sin(c[1:], out=c[:-1])
        return c

    def ufunc_out_of_overlapping_views(x: (4,), dt):
        np.multiply(x[:-1], x[1:], out=x[1:])
        np.add(x[::-1], x, out=x)
        return x

    def ufunc_out_that_broadcasts(x: (2, 3), dt):
        c = dt.ones((2, 3))
        np.multiply(x[0], x[1, 0], out=c)
        np.add(c, x, out=c.T.T)
        return c

    def reductions_with_out(x: (2, 3), dt):
        c = dt.zeros(3)
        np.sum(x * x, axis=0, out=c)
        np.cumsum(x, axis=1, out=x)
        return c, x

    def matmul_out(x: (2, 2), dt):
        c = dt.zeros((2, 2))
        np.matmul(x, x, out=c)
        d = dt.zeros((2, 2))
        np.dot(c, x, out=d)
        return c, d

    def where_of_a_ufunc(x: (4,), dt):
        c = dt.ones(4)
        np.multiply(x, x, out=c, where=np.array([True, False, True, False]))
        return c


class Fancy:
    """Assignment through integer arrays and masks."""

    def masked_constant(x: (5,), dt):
        y = x * x
        y[x > 0] = 0.0
        return y

    def masked_values(x: (5,), dt):
        y = x * x
        y[x > 0] = np.sin(x[x > 0])
        y[x <= 0] *= 3.0
        return y

    def fancy_assignment_with_repeats_takes_the_last(x: (5,), dt):
        y = x * 1.0
        y[[0, 2, 0, 2]] = x[:4] * x[1:]
        return y

    def fancy_in_place_adds_once(x: (5,), dt):
        y = x * 1.0
        y[[1, 1, 3]] += x[:3]
        y[[4, 4]] *= x[2]
        return y

    def fancy_pairs(x: (3, 3), dt):
        y = x * x
        y[[0, 1, 2], [2, 0, 2]] = x[1]
        y[np.ix_([0, 2], [1, 2])] *= x[0, 0]
        y[:, [0, 0]] = x[:, 1:]
        return y

    def add_at(x: (5,), dt):
        y = x * 1.0
        np.add.at(y, [0, 0, 3, -1], x[1:])
        np.subtract.at(y, np.array([2, 2]), x[0])
        np.add.at(y, x > 0, 0.5)
        return y

    def multiply_at(x: (5,), dt):
        y = x * 1.0
        np.multiply.at(y, [0, 0, 3], x[2:])
        np.negative.at(y, [1, 1, 2])
        return y


class SortAndFill:
    """Methods that change their array."""

    def sort_in_place(x: (5,), dt):
        x *= x
        x.sort()
        return x

    def sort_along_an_axis_through_a_view(x: (3, 4), dt):
        y = x * 1.0
        y.T.sort(axis=1)
        y[1].sort()
        return y

    def fill(x: (4,), dt):
        y = x * x
        y[1:3].fill(x[0])
        return y


class Creation:
    """Traced values in new arrays."""

    def zeros_receive_elements(x: (4,), dt):
        out = dt.zeros(4)
        for i in range(4):
            out[i] = x[i] * x[i - 1]
        return out

    def zeros_receive_slices(x: (4,), dt):
        out = dt.zeros((2, 4))
        out[0] = x
        out[1, ::2] = x[2:] * x[1]
        return out

    def ones_and_array(x: (4,), dt):
        a = dt.ones(4)
        a *= x
        b = dt.array([x[0], 2.0, x[3] * x[1]])
        b[1] = x[2]
        c = dt.array([[x[0], 1.0], [0.5, x[1] * x[2]]])
        return a, b, c @ c

    def likes(x: (4,), dt):
        a, b, c = np.zeros_like(x), np.empty_like(x), np.ones_like(x)
        a[1:] = x[:-1] * x[1:]
        b[:] = x[::-1]
        c[2] = x[0]
        return a, b, c

    def plain_into_traced(x: (4,), dt):
        y = x * x
        y[1:] = np.array([1.0, 2.0, 3.0])
        y[0] = 4.0
        z = x * x
        z[:2] = [5.0, 6.0]
        z[3] = np.float64(7.0)
        return y * x, z

    def copies_are_independent(x: (4,), dt):
        y = x.copy()
        y[0] = x[1] * x[2]
        x[3] = y[0]
        return x, y

    def prefix_recursion(x: (5,), dt):
        state = dt.zeros(3)
        history = dt.zeros((5, 3))
        for i in range(5):
            state = np.tanh(state + x[i] * weights((3,)))
            history[i] = state
        return history

    def a_swap_by_tuples(x: (4,), dt):
        x[0], x[3] = x[3] * x[1], x[0]
        x[[1, 2]] = x[[2, 1]]
        return x

    def assignment_of_traced_scalars_to_slices(x: (4,), dt):
        y = dt.zeros((2, 3))
        y[:] = x[0]
        y[1] *= x[1] * x[2]
        y[:, 2] = np.sum(x)
        return y


CASES = {
    name: (f, f.__annotations__["x"])
    for group in (Views, InPlace, Out, Fancy, SortAndFill, Creation)
    for name, f in vars(group).items()
    if callable(f)
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_in_every_mode(name):
    f, shape = CASES[name]
    x = 1.1 * weights(shape, 3)
    if name == "every_in_place_operator":
        x = 1.5 + 0.3 * x
    check_case(f, x)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_at_inputs_of_other_layouts(name, layout):
    f, shape = CASES[name]
    x = LAYOUTS[layout](0.8 + 0.6 * weights(shape, 4))
    before = x.copy()
    expected = step_gradient(contract(lambda x: f(x, COMPLEX)), x)
    close(dt.gradient(contract(lambda x: f(x, dt)), x), expected, 1e-11, "gradient")
    v = weights(shape, 6)
    close(dt.pushforward(contract(lambda x: f(x, dt)), x, v)[1], np.sum(expected * v), 1e-11, "pushforward")
    np.testing.assert_array_equal(x, before)


# --- what plain NumPy cannot differentiate by complex steps ---------------------------------------------------------


def test_floor_division_and_remainder_in_place():
    def f(x):
        y, z = x * 3.0, x * 3.0
        y //= 0.4
        z %= 0.4
        return np.sum(y * x) + np.sum(z * z)

    x = np.array([0.3, -0.7, 1.1])
    expected = (3 * x) // 0.4 + 6 * ((3 * x) % 0.4)
    close(dt.gradient(f, x), expected, 1e-14)
    close(dt.pushforward(f, x, np.ones(3))[1], np.sum(expected), 1e-14)


def test_real_and_imaginary_parts_are_views():
    def f(z):
        w = z * z
        w.real[0] = 2.0 * np.sum(z.imag)
        w.imag *= w.real
        w.imag[1] += z.real[0]
        return np.sum(w.real**2) + np.sum(w.imag * weights((3,)))

    z = weights((3,), 1) + 1j * weights((3,), 2)
    expected, dz = difference_gradient(f, z), z[::-1] * 1j
    close(dt.gradient(f, z), expected, 1e-9)
    close(dt.pushforward(f, z, dz)[1], np.sum((expected.conj() * dz).real), 1e-9)


@pytest.mark.parametrize("differentiate", [dt.gradient, lambda f, x: dt.jacobian(f, x, mode="forward")])
def test_the_real_part_of_a_real_array_is_itself(differentiate):
    def f(x):
        y = x * x
        y.real[1] = x[3]
        y.real[2:] *= y.real[:2]
        return np.sum(np.sin(y) * weights((4,)))

    x = weights((4,), 1)
    close(differentiate(f, x), difference_gradient(f, x), 1e-9)


def test_views_share_what_numpy_says_they_share():
    shared = []

    def f(x):
        y = x * 1.0
        for view in (y[1:], y.T, y.reshape(-1), y.ravel(), y[..., 0], y.swapaxes(0, 1), y[None], y.diagonal()):
            y[0, 0] += 1.0
            shared.append(float(dt.stop_gradient(y)[0, 0]) in np.ravel(dt.stop_gradient(view)))
        return np.sum(y)

    dt.gradient(f, np.zeros((2, 2)))
    assert shared == [False, True, True, True, True, True, True, True]
