"""Reading and writing by every kind of index, against plain NumPy and complex steps."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, check_case, close, weights

MASK = np.array([True, False, True, True])
MASK2 = np.arange(12).reshape(4, 3) % 5 != 1

# Each index with the shape of the array that it is applied to.
INDICES = {
    "integer": ((4, 3), np.s_[1]),
    "negative integer": ((4, 3), np.s_[-2]),
    "np.int64": ((4, 3), np.int64(2)),
    "two integers": ((4, 3), np.s_[3, -1]),
    "one integer of a vector": ((5,), np.s_[2]),
    "a tuple of one": ((5,), (3,)),
    "slice": ((4, 3), np.s_[1:3]),
    "slice with a step": ((5,), np.s_[::2]),
    "negative step": ((5,), np.s_[::-1]),
    "negative step between ends": ((5,), np.s_[4:1:-2]),
    "slice beyond the end": ((5,), np.s_[3:99]),
    "empty slice": ((5,), np.s_[3:3]),
    "slices of two axes": ((4, 3), np.s_[1:, ::-1]),
    "integer and slice": ((4, 3), np.s_[:, 1]),
    "Ellipsis": ((2, 3, 2), np.s_[..., 1]),
    "Ellipsis alone": ((2, 3), np.s_[...]),
    "Ellipsis and integers": ((3,), np.s_[..., 1]),
    "Ellipsis in the middle": ((2, 3, 2), np.s_[1, ..., ::-1]),
    "None": ((4, 3), np.s_[:, None]),
    "None first and last": ((3,), np.s_[None, ..., None]),
    "empty tuple": ((2, 2), ()),
    "integer list": ((5,), [0, 3, 3, -1]),
    "integer array": ((5,), np.array([[0, 3], [3, -1]])),
    "integer array of another kind": ((5,), np.array([1, 4], dtype=np.uint8)),
    "integer array on rows": ((4, 3), [2, 0, 2]),
    "integer array on columns": ((4, 3), np.s_[:, [2, 0, 2]]),
    "0-d integer array": ((4, 3), np.array(2)),
    "two integer arrays": ((4, 3), ([0, 1, 3, 3], [2, 2, 0, 0])),
    "broadcast integer arrays": ((4, 3), np.ix_([3, 0], [1, 1, 2])),
    "integer array and integer": ((4, 3), ([0, 2, 2], 1)),
    "integer arrays around a slice": ((2, 3, 4), ([0, 1], slice(None), [3, 0])),
    "integer array after a slice": ((2, 3, 4), (slice(None), [0, 2], [3, 3])),
    "integer array and None": ((4, 3), ([1, 1], None)),
    "integer array and Ellipsis": ((2, 3, 4), (..., [1, 3, 1])),
    "empty integer array": ((5,), np.array([], dtype=int)),
    "empty list": ((5,), []),
    "mask": ((4,), MASK),
    "mask as a list": ((4,), [False, True, True, False]),
    "mask of rows": ((4, 3), MASK),
    "mask of two axes": ((4, 3), MASK2),
    "mask and integer": ((4, 3), (MASK, 1)),
    "mask and slice": ((4, 3), (MASK, slice(None, None, -1))),
    "slice and mask": ((3, 4), (slice(1, None), MASK)),
    "mask and integer array": ((4, 3), (MASK, [0, 2, 2])),
    "mask that takes nothing": ((4,), np.zeros(4, dtype=bool)),
    "True": ((4,), True),
    "False": ((4,), False),
    "np.where": ((4, 3), np.where(MASK2)),
}
ids = pytest.mark.parametrize("name", INDICES)


@ids
def test_reading(name):
    shape, index = INDICES[name]
    check(lambda x: x[index], weights(shape, 1))


@ids
def test_writing_a_traced_array(name):
    shape, index = INDICES[name]
    value = weights(np.shape(np.empty(shape)[index]), 2)

    def f(x, dt):
        y = x * x
        y[index] = value * x.reshape(-1)[0] + np.sum(x)
        return y

    check_case(f, weights(shape, 1))


@ids
def test_writing_constants_and_scalars(name):
    shape, index = INDICES[name]
    value = weights(np.shape(np.empty(shape)[index]), 2)

    def f(x, dt):
        a, b, c, d = x * x, x * x, x * x, dt.zeros(shape)
        a[index] = value
        b[index] = 1.5
        c[index] = x.reshape(-1)[1]
        d[index] = x.reshape(-1)[1] ** 2
        return a * x, b * x, c, d

    check_case(f, weights(shape, 1))


@ids
def test_in_place_operators_on_an_index(name):
    shape, index = INDICES[name]
    value = weights(np.shape(np.empty(shape)[index]), 2)

    def f(x, dt):
        y = x * 1.0
        y[index] += value
        y[index] *= y[index]
        y[index] -= x.reshape(-1)[-1]
        return y

    check_case(f, weights(shape, 1))


@ids
def test_np_add_at(name):
    shape, index = INDICES[name]

    def f(x, dt):
        y = x * x
        np.add.at(y, index, x.reshape(-1)[0])
        np.add.at(y, index, np.sin(x)[index])
        return y

    check_case(f, weights(shape, 1))


@ids
@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda x: x[::-1].copy()[::-1], lambda x: np.repeat(x, 2, -1)[..., ::2]]
)
def test_reading_from_other_layouts(name, layout):
    shape, index = INDICES[name]
    x = layout(weights(shape, 1))
    expected = np.zeros(shape)
    np.add.at(expected, index, 2 * x[index])
    for f in (lambda x: np.sum(x[index] ** 2), lambda x: np.sum(np.square(x.T.T)[index])):
        close(dt.gradient(f, x), expected, 1e-14)
        close(dt.jacobian(f, x, mode="forward"), expected, 1e-14)


@pytest.mark.parametrize("name", INDICES)
def test_kinds_of_results(name):
    shape, index = INDICES[name]
    expected, seen = np.empty(shape)[index], []

    def f(x):
        y = x[index]
        seen.append((type(y).__name__, np.shape(y)))
        return np.sum(y)

    x = weights(shape)
    dt.gradient(f, x)
    dt.pushforward(f, x, x)
    scalar = not isinstance(expected, np.ndarray)
    assert seen == [
        ("Var" if scalar else "VarArray", expected.shape),
        ("Dual" if scalar else "DualArray", expected.shape),
    ]


def test_a_random_choice_of_indices():
    generator = np.random.default_rng(0)
    x = weights((3, 4, 2), 1)
    for _ in range(60):
        index = []
        for n in x.shape[: generator.integers(1, 4)]:
            start, stop = generator.integers(-n, n, 2)
            step = generator.choice([-2, -1, 1, 2])
            choices = [int(start), slice(start, None), slice(None, stop, step), slice(start, stop, step)]
            choices += [list(generator.integers(-n, n, 2)), generator.integers(-n, n, (2, 1)), slice(None)]
            index.append(choices[generator.integers(len(choices))])
        if generator.random() < 0.3:
            index.insert(generator.integers(len(index) + 1), None)
        index = tuple(index)
        expected = np.zeros(x.shape)
        np.add.at(expected, index, 3 * x[index] ** 2)
        close(dt.gradient(lambda x: np.sum(x[index] ** 3), x), expected, 1e-13, str(index))
        close(dt.pushforward(lambda x: x[index] ** 3, x, x)[1], 3 * x[index] ** 3, 1e-13, str(index))

        def f(x):
            y = x * 1.0
            y[index] = y[index] ** 2
            return np.sum(y * y)

        untouched = np.ones(x.shape, dtype=bool)
        untouched[index] = False
        once = np.where(untouched, 2 * x, 4 * x**3)
        close(dt.gradient(f, x), once, 1e-13, str(index))


def test_an_index_that_is_changed_after_use_changes_nothing():
    def f(x):
        index, mask = np.array([0, 2]), np.array([True, False, True])
        y = x[index] * x[mask]
        z = x * 1.0
        z[index] = y
        z[mask] *= x[0]
        index[:] = 1
        mask[:] = False
        return np.sum(z) + y[0]

    x = np.array([1.0, 2.0, 3.0])
    close(dt.gradient(f, x), [3 * 1.0 + 9.0 + 2.0, 1.0, 2 * 3.0 * 1.0], 1e-14)


def test_indices_from_comparisons_and_sorting_of_traced_arrays():
    def f(x):
        order = np.argsort(x)
        best = x.argmax()
        positive = np.nonzero(x > 0)[0]
        return x[order[0]] * x[best] + np.sum(x[order] * np.arange(4.0)) + np.sum(x[positive] ** 2) + x[x < 0][0]

    x = np.array([0.5, -1.0, 2.0, -0.25])
    close(dt.gradient(f, x), [2.0 + 1.0, 0.0 + 2.0 + 1.0, -1.0 + 3.0 + 4.0, 1.0], 1e-14)
    close(dt.jacobian(f, x, mode="forward"), [3.0, 3.0, 6.0, 1.0], 1e-14)


def test_scalars_read_from_arrays_are_scalars_of_the_language():
    def f(x):
        total = 0.0
        for i in range(len(x)):
            total = total + x[i] * x[i] if x[i] > 0 else total - x[i]
        return total

    x = np.array([0.5, -1.0, 2.0])
    close(dt.gradient(f, x), [1.0, -1.0, 4.0], 1e-15)
    close(np.diag(dt.hessian(f, x)), [2.0, 0.0, 2.0], 1e-15)


ERRORS = {
    "beyond the end": (lambda x: x[3], IndexError),
    "beyond the start": (lambda x: x[-4], IndexError),
    "too many": (lambda x: x[0, 0], IndexError),
    "array beyond the end": (lambda x: x[[0, 3]], IndexError),
    "mask of another length": (lambda x: x[np.array([True, False])], IndexError),
    "a float": (lambda x: x[1.0], IndexError),
    "a string": (lambda x: x["a"], IndexError),
    "two Ellipses": (lambda x: x[..., ...], IndexError),
    "a zero step": (lambda x: x[::0], ValueError),
    "writing beyond the end": (lambda x: x.__setitem__(3, 1.0), IndexError),
    "writing another shape": (lambda x: x.__setitem__(slice(None), np.ones(2)), ValueError),
    "writing another traced shape": (lambda x: x.__setitem__(slice(None), x[:2]), ValueError),
    "writing to a mask": (lambda x: x.__setitem__([True, False, True], np.ones(3)), ValueError),
    "in-place growth": (lambda x: x.__iadd__(np.ones((2, 3))), ValueError),
    "deleting": (lambda x: x.__delitem__(0), ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_numpy(name):
    f, error = ERRORS[name]
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x)):
        with pytest.raises(error):
            differentiate(f, np.ones(3))


def test_an_error_of_an_index_leaves_the_array_as_it_was():
    def f(x):
        y = x * x
        with pytest.raises(ValueError):
            y[:] = np.ones(2)
        with pytest.raises(IndexError):
            y[[0, 9]] = 0.0
        return np.sum(y)

    close(dt.gradient(f, np.arange(3.0)), 2 * np.arange(3.0), 1e-15)
    close(dt.pushforward(f, np.arange(3.0), np.ones(3))[1], 6.0, 1e-15)


def test_integer_arrays_without_axes_are_integers():
    one = np.array(1)

    def f(x):
        return x[one, 2] * x[np.array(0)].sum() + x[one][one] * x[:, one][0] + x.ravel()[np.array(-1)] ** 2

    check(f, np.array([[0.3, 0.7, -0.2], [0.9, 0.4, 0.6]]))


def test_compress_by_place():
    check(lambda x: np.compress([True, False, True], x, 1) ** 2, np.array([[0.3, 0.7, -0.2], [0.9, 0.4, 0.6]]))


def test_real_parts_of_empty_complex_arrays():
    assert dt.pullback(lambda x: (x * 1j).real, np.zeros((0, 2)))[0].dtype == np.float64


@pytest.mark.parametrize("index", [10**20, -(10**20), (10**20,), (0, 10**20), (slice(None), -(10**20))], ids=str)
def test_huge_indices_are_out_of_bounds(index):
    x = np.ones((2, 3)) if isinstance(index, tuple) and len(index) > 1 else np.ones(3)

    def read(x):
        with pytest.raises(IndexError):
            x[index]
        with pytest.raises(IndexError):
            x[index] = 1.0
        return np.sum(x)

    dt.gradient(read, x)
    dt.pushforward(read, x, x)
