"""Tapes are freed, whatever happens: long chains, many gradients, exceptions, no memory left."""

import gc
import subprocess
import sys
import textwrap
import tracemalloc

import pytest

import dualtape as dt
from dualtape.core.tape import live


def run(program):
    """Run a program in a process of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


def chain(x, n):
    y = x
    for _ in range(n):
        y = y * 0.999999
    return y


def test_a_chain_of_a_million_nodes_is_differentiated_and_freed():
    assert dt.gradient(lambda x: chain(x, 1_000_000), 1.0) == pytest.approx(0.999999**1_000_000, rel=1e-9)
    assert live() == (0, 0)


def test_a_chain_of_a_million_nodes_is_freed_without_a_sweep():
    tape = dt.Tape()
    y = chain(tape.variable(1.0), 1_000_000)
    assert live() == (1, len(tape))
    assert len(tape) >= 1_000_000
    del tape
    assert live()[0] == 1  # y keeps its tape
    del y
    assert live() == (0, 0)


def test_a_boxed_chain_of_a_hundred_thousand_nodes():
    out = dt.gradient(lambda x: chain(x * x, 100_000), dt.Dual(1.0, 1.0))
    assert out.value == pytest.approx(2 * 0.999999**100_000, rel=1e-9)
    assert out.partials == pytest.approx([2 * 0.999999**100_000], rel=1e-9)
    assert dt.derivative(dt.gradient(lambda x: chain(x, 100_000)))(1.0) == 0.0


def test_a_second_derivative_of_a_long_chain_by_nested_tapes():
    slope = dt.gradient(dt.gradient(lambda x: chain(x * x, 50_000)))(1.0)
    assert slope == pytest.approx(2 * 0.999999**50_000, rel=1e-9)


def test_ten_thousand_gradients_leave_memory_where_it_was():
    def f(x, y):
        return dt.sin(x) * y + x**2 / y

    def batch(n):
        for i in range(n):
            dt.gradient(f, 1.0 + i, 2.0)
            dt.derivative(lambda x: f(x, 2.0), 1.0)

    batch(1000)
    gc.collect()
    tracemalloc.start()
    try:
        batch(100)
        before, _ = tracemalloc.get_traced_memory()
        batch(10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert live() == (0, 0)


OPERATORS = {
    "gradient": lambda f: dt.gradient(f, 1.5),
    "derivative": lambda f: dt.derivative(f, 1.5),
    "hessian": lambda f: dt.hessian(lambda v: f(v[0] * v[1]), [1.5, 1.0]),
    "hvp": lambda f: dt.hvp(f, 1.5, 1.0),
    "pullback": lambda f: dt.pullback(f, 1.5)[1](1.0),
    "taylor": lambda f: dt.taylor(f, 1.5, 2),
    "jacobian": lambda f: dt.jacobian(lambda v: [f(v[0]), f(v[1])], [1.5, 1.0], mode="reverse"),
    "nested gradients": lambda f: dt.gradient(dt.gradient(f))(1.5),
    "mixed": lambda f: dt.gradient(lambda y: dt.derivative(lambda x: f(x) * y, y))(1.5),
    "boxed": lambda f: dt.gradient(f, dt.Dual(1.5, 1.0)),
}


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_no_memory_grows_over_many_calls(operator):
    def f(x):
        y = dt.exp(-x) * x
        for _ in range(20):
            y = dt.sin(y) + x * 0.5
        return y if y > -5 else -y

    for _ in range(20):
        operator(f)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(5):
            operator(f)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(100):
            operator(f)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 8_000
    assert live() == (0, 0)


class Bomb(Exception):
    pass


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_an_exception_at_every_operation_leaves_nothing_alive(operator):
    def program(x, fuse):
        steps = [
            lambda y: y * x,
            lambda y: y + 1.0,
            lambda y: dt.sin(y),
            lambda y: y / (x + 3.0),
            lambda y: dt.hypot(y, x),
            lambda y: 2.0**y,
            lambda y: y if y > 0 else -y,
            lambda y: dt.where(y > x, y, x * y),
            lambda y: -y + abs(x),
        ]
        y = x
        for i, step in enumerate(steps):
            if i == fuse:
                raise Bomb
            y = step(y)
        return y

    for fuse in range(9):
        with pytest.raises(Bomb):
            operator(lambda x: program(x, fuse))
        gc.collect()
        assert live() == (0, 0), fuse
    operator(lambda x: program(x, 99))
    gc.collect()
    assert live() == (0, 0)


def test_what_lives_for_each_operation_is_not_tracked_by_the_collector():
    tape = dt.Tape()
    for x in (dt.Dual(1.0, 2.0), dt.Dual(1.0, *range(20)), tape.variable(1.0) * 2.0, dt.sin(tape.variable(1.0))):
        assert not gc.is_tracked(x)


def test_gradients_in_worker_processes():
    # A fork takes the pools with it; both sides go on for themselves.
    out = run(
        """
        import multiprocessing
        import dualtape as dt

        def slope(x):
            return dt.derivative(dt.gradient(lambda y: y**3 * x))(x)

        if __name__ == "__main__":
            assert slope(1.0) == 6.0
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(slope, [1.0, 2.0, 3.0]) == [6.0, 24.0, 54.0]
            assert slope(3.0) == 54.0
            print("done")
        """
    )
    assert out == ["done"]


def test_a_pullback_holds_its_tape_until_it_is_dropped():
    _, back = dt.pullback(lambda x: x * x, 3.0)
    assert live()[0] == 1
    assert back(1.0) == 6.0
    assert live()[0] == 1
    del back
    gc.collect()
    assert live() == (0, 0)


def test_cycles_through_pullbacks_and_variables_are_collected():
    class Holder:
        pass

    for _ in range(10):
        holder = Holder()
        holder.me = holder
        holder.value, holder.back = dt.pullback(lambda x: x * x, 3.0)
        holder.tape = dt.Tape()
        holder.variable = holder.tape.variable(1.0) * 2.0
    del holder
    gc.collect()
    assert live() == (0, 0)


def test_release_memory_frees_the_pool_and_the_library_stays_usable():
    for _ in range(3):
        dt.gradient(lambda x: chain(x, 100_000), 1.0)
        dt.release_memory()
        assert dt.gradient(lambda x: x * x, 3.0) == 6.0
    tape = dt.Tape()
    x = tape.variable(2.0)
    y = chain(x, 10)
    dt.release_memory()
    assert tape.gradient(y * y / y, [x]) == pytest.approx([0.999999**10])


def test_release_memory_inside_a_differentiation():
    def f(x):
        y = chain(x, 20_000)
        dt.release_memory()
        return y * x

    assert dt.gradient(f, 1.0) == pytest.approx(2 * 0.999999**20_000)
    assert dt.derivative(dt.gradient(f))(1.0) == pytest.approx(2 * 0.999999**20_000)


def test_out_of_memory_raises_and_the_library_is_usable_after_it():
    out = run(
        """
        import resource
        import dualtape as dt
        from dualtape.core.tape import live

        def endless(x):
            y = x
            while True:
                y = y * 1.0000001

        assert dt.gradient(lambda x: x * x, 3.0) == 6.0
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + 300 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for _ in range(2):
            try:
                dt.gradient(endless, 1.0)
            except MemoryError as error:
                assert isinstance(error, dt.DualtapeError), repr(error)
                assert any(c.isdigit() for c in str(error)), str(error)
                print("MemoryError")
            assert live() == (0, 0), live()
            assert dt.gradient(lambda x: x * x, 3.0) == 6.0
        try:
            dt.gradient(dt.gradient(endless))(1.0)
        except MemoryError:
            print("nested")
        dt.release_memory()
        assert dt.derivative(dt.gradient(lambda x: x**3))(2.0) == 12.0
        assert dt.hessian(lambda v: v[0] * v[1], [1.0, 2.0]).tolist() == [[0.0, 1.0], [1.0, 0.0]]
        print("usable")
        """
    )
    assert out == ["MemoryError", "MemoryError", "nested", "usable"]


def test_a_sweep_without_memory_for_its_buffer_raises():
    out = run(
        """
        import resource
        import dualtape as dt

        tape = dt.Tape()
        x = tape.variable(1.0)
        y = x
        for _ in range(4_000_000):
            y = y * 0.9999999
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + 8 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        try:
            tape.gradient(y, [x])
            print("no limit reached")
        except MemoryError as error:
            assert isinstance(error, dt.DualtapeError)
            print("MemoryError")
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        (slope,) = tape.gradient(y, [x])
        assert abs(slope - y.value) < 1e-12
        print("usable")
        """
    )
    assert out == ["MemoryError", "usable"]


def test_memory_of_a_large_tape_goes_back_to_the_system():
    out = run(
        """
        import dualtape as dt

        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096

        def f(x):
            y = x
            for _ in range(5_000_000):
                y = y * 0.9999999
            return y

        dt.gradient(lambda x: x * x, 1.0)
        before = resident()
        dt.gradient(f, 1.0)
        dt.release_memory()
        print((resident() - before) // 2**20)
        """
    )
    assert int(out[0]) < 16


def test_the_pool_is_bounded():
    out = run(
        """
        import dualtape as dt

        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096

        def f(x):
            y = x
            for _ in range(200_000):
                y = y * 0.9999999
            return y

        for _ in range(3):
            dt.gradient(f, 1.0)
        before = resident()
        for _ in range(30):
            dt.gradient(f, 1.0)
        print((resident() - before) // 2**20)
        """
    )
    assert int(out[0]) < 8
