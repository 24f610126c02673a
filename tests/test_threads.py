"""Threads, asyncio tasks and generators that interleave get the right answers."""

import asyncio
import contextvars
import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import dualtape as dt
from modes import FIRST, SECOND

THREADS = 8


def in_threads(work):
    """Call work(0..7) in eight threads that start together; return the results."""
    barrier = threading.Barrier(THREADS)

    def start(i):
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


def program(x, i):
    y = x
    for k in range(50):
        y = dt.sin(y) * x + (k % (i + 2)) * 0.1
    return y


@pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)
def test_first_derivatives_in_eight_threads(differentiate):
    expected = [differentiate(lambda x: program(x, i), 1.1) for i in range(THREADS)]

    def work(i):
        return [differentiate(lambda x: program(x, i), 1.1) for _ in range(10)]

    for i, results in enumerate(in_threads(work)):
        assert results == [expected[i]] * 10


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
def test_nested_derivatives_in_eight_threads(second):
    expected = [second(lambda x: program(x, i), 1.1) for i in range(THREADS)]

    def work(i):
        return [second(lambda x: program(x, i), 1.1) for _ in range(5)]

    for i, results in enumerate(in_threads(work)):
        assert results == [expected[i]] * 5


def test_gradients_in_gradients_in_eight_threads():
    def confusion(i):
        out = []
        for _ in range(20):
            out.append(dt.gradient(lambda x: x * dt.gradient(lambda y: x * y, 1.0 + i), 4.0))
            out.append(dt.derivative(lambda x: x * dt.derivative(lambda y: x + y, 1.0), 1.0 + i))
        return out

    assert in_threads(confusion) == [[8.0, 1.0] * 20] * THREADS


def test_a_tape_built_in_one_thread_and_swept_in_another():
    tape = dt.Tape()
    x = tape.variable(1.1)
    y = program(x, 3)
    expected = dt.gradient(lambda x: program(x, 3), 1.1)
    assert in_threads(lambda i: tape.gradient(y, [x])) == [[expected]] * THREADS


def test_recording_beside_a_sweep():
    # A sweep over a long tape runs without the GIL: another thread may record on the tape meanwhile.
    tape = dt.Tape()
    x = tape.variable(1.0)
    y = x
    for _ in range(300_000):
        y = y * 0.999999
    started = threading.Event()

    def sweep():
        for _ in range(20):
            started.set()
            tape.gradient(y, [x])

    thread = threading.Thread(target=sweep)
    thread.start()
    started.wait(10)
    z = x
    for i in range(20_000):
        z = z * (1.0 + 1e-9 * i)
        if not thread.is_alive():
            break
    thread.join()
    (slope,) = tape.gradient(z, [x])
    assert slope == pytest.approx(z.value, rel=1e-12)
    assert tape.gradient(y, [x])[0] == pytest.approx(y.value, rel=1e-12)


def test_a_pullback_called_from_many_threads():
    _, back = dt.pullback(lambda x: program(x, 3), 1.1)
    slope = back(1.0)
    assert in_threads(lambda i: [back(float(i)) for _ in range(20)]) == [
        pytest.approx([i * slope] * 20, rel=1e-14) for i in range(THREADS)
    ]


def test_threads_inside_a_differentiated_function():
    # Inner differentiations in threads of their own, over the outer variable.
    def f(x):
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda i: dt.derivative(lambda y: dt.sin(x * y) * i, x), range(4)))
        return sum(parts)

    # 6 x cos(x^2)
    x = 0.7
    expected = 6 * (math.cos(x * x) - 2 * x * x * math.sin(x * x))
    assert dt.derivative(f, x) == pytest.approx(expected, rel=1e-13)


def test_levels_are_ordered_across_threads():
    # An outer variable made in the main thread, inner gradients in eight threads at once.
    def f(x):
        def work(i):
            return dt.gradient(lambda y: dt.gradient(lambda z: x * y * z * z, y), x) * (i + 1)

        return sum(in_threads(work))

    # d/dy [2 x y^2] at y = x: 4 x^2, times 36
    assert dt.derivative(f, 1.5) == pytest.approx(2 * 144 * 1.5, rel=1e-13)


def test_many_short_gradients_in_eight_threads():
    def work(i):
        return [dt.gradient(lambda x, y: x * y + x / y, float(k + 1), i + 1.0) for k in range(300)]

    for i, results in enumerate(in_threads(work)):
        b = i + 1.0
        expected = [(b + 1 / b, (k + 1) - (k + 1) / b**2) for k in range(300)]
        assert np.allclose(results, expected, rtol=1e-14)


def test_asyncio_tasks_that_interleave():
    async def slope(i):
        async def f(x):
            y = x
            for _ in range(10):
                y = y * x + i
                await asyncio.sleep(0)
            return y

        tape = dt.Tape()
        x = tape.variable(1.01)
        y = await f(x)
        await asyncio.sleep(0)
        reverse = tape.gradient(y, [x])[0]
        dual = await f(dt.Dual(1.01, 1.0))
        return reverse, dual.partials[0]

    async def main():
        return await asyncio.gather(*(slope(i) for i in range(20)))

    def plain(i):
        y, s = 1.01, 1.0
        for _ in range(10):
            y, s = y * 1.01 + i, s * 1.01 + y
        return s

    for i, (reverse, forward) in enumerate(asyncio.run(main())):
        assert reverse == pytest.approx(plain(i), rel=1e-13)
        assert forward == pytest.approx(plain(i), rel=1e-13)


def test_gradients_inside_asyncio_tasks():
    async def work(i):
        out = []
        for k in range(5):
            await asyncio.sleep(0)
            out.append(dt.derivative(dt.gradient(lambda x: x**3 * i))(k + 1.0))
        return out

    async def main():
        return await asyncio.gather(*(work(i) for i in range(10)))

    assert asyncio.run(main()) == [[6.0 * i * (k + 1) for k in range(5)] for i in range(10)]


def test_generators_that_interleave_two_differentiations():
    # Two tapes recorded in turns, neither nested in the other.
    def steps(x):
        y = x
        while True:
            y = y * x
            yield y

    first, second = dt.Tape(), dt.Tape()
    a, b = first.variable(1.5), second.variable(0.5)
    for y, z in itertools.islice(zip(steps(a), steps(b), strict=True), 4):
        pass
    assert first.gradient(y, [a])[0] == pytest.approx(5 * 1.5**4)
    assert second.gradient(z, [b])[0] == pytest.approx(5 * 0.5**4)


def test_a_generator_started_in_one_level_and_continued_in_another():
    def running_product(x):
        total = x
        while True:
            total = total * x
            yield total

    def f(x):
        powers = running_product(x)
        square = next(powers)
        # The inner differentiation advances the outer generator.
        inner = dt.gradient(lambda y: y * y * next(powers), x)  # 2 x x^3
        return square + inner + next(powers)

    # x^2 + 2 x^4 + x^4
    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(f, 1.5) == pytest.approx(3.0 + 12 * 1.5**3, rel=1e-14)


def test_a_generator_that_differentiates_while_it_is_differentiated():
    def slopes(x):
        for i in range(1, 4):
            yield dt.gradient(lambda y: y**i * x, x)  # i x^i

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(lambda x: sum(slopes(x)), 1.5) == pytest.approx(1 + 4 * 1.5 + 9 * 1.5**2, rel=1e-14)


def test_strict_nan_belongs_to_its_thread_or_context():
    def f(x):
        return dt.sqrt(0.0 * x) + x

    entered, checked = threading.Event(), threading.Event()
    seen = []

    def strict():
        with dt.strict_nan():
            entered.set()
            checked.wait(10)
            seen.append(dt.gradient(f, 0.0))

    thread = threading.Thread(target=strict)
    thread.start()
    entered.wait(10)
    outside = dt.gradient(f, 0.0)
    checked.set()
    thread.join()
    assert outside == 1.0
    assert math.isnan(seen[0])
    assert contextvars.copy_context().run(dt.gradient, f, 0.0) == 1.0


def test_threads_that_end_give_their_pools_back():
    def work():
        dt.gradient(lambda x: program(x, 1), 1.1)

    for _ in range(100):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert dt.gradient(lambda x: x * x, 3.0) == 6.0
