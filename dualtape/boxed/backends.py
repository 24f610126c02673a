"""What differs between the libraries that arrays come from."""

import contextlib
import functools

import numpy as np

from dualtape.errors import ConversionError, NoRuleError, user_line

__all__ = [
    "backend_of", "copied", "is_foreign", "kind_of", "mixed", "namespace_of", "number_of", "precision_of", "real_dtype",
]  # fmt: skip


@functools.cache
def is_foreign_type(kind):
    """Whether a class is of arrays that are not NumPy's: of the array API standard, or CuPy's."""
    ours = kind.__module__.partition(".")[0] == "dualtape"
    return not ours and not issubclass(kind, (np.ndarray, np.generic)) and hasattr(kind, "__array_namespace__")


def is_foreign(x):
    """Whether a value is an array of another library than NumPy."""
    return is_foreign_type(type(x))


_namespaces: dict = {}


def namespace_of(x):
    """The functions of the library that an array comes from, as array-api-compat gives them where it is installed."""
    found = _namespaces.get(type(x))
    if found is None:
        try:
            from array_api_compat import array_namespace

            found = array_namespace(x)
        except ImportError:
            found = x.__array_namespace__()
        _namespaces[type(x)] = found
    return found


def kind_of(x):
    """The letter of an array's dtype as NumPy has it: b, i, u, f or c."""
    return _letter(x.dtype, namespace_of(x))


@functools.cache
def _letter(dtype, xp):
    letter = getattr(dtype, "kind", None)
    if isinstance(letter, str):
        return letter
    for letter, kind in (
        ("f", "real floating"), ("c", "complex floating"), ("b", "bool"), ("i", "signed integer"),
        ("u", "unsigned integer"),
    ):  # fmt: skip
        if xp.isdtype(dtype, kind):
            return letter
    return "O"


@functools.cache
def _real(dtype, xp):
    return xp.finfo(dtype).dtype


def real_dtype(x):
    """The dtype of the real part of an array."""
    return _real(x.dtype, namespace_of(x)) if kind_of(x) == "c" else x.dtype


def precision_of(x):
    """The spacing of the numbers of an array's dtype at 1."""
    return float(namespace_of(x).finfo(x.dtype).eps)


def mixed(x, like):
    """The error for an array of another library, or of the host, beside those of `like`'s."""
    name = getattr(namespace_of(like), "__name__", "its namespace").removeprefix("array_api_compat.")
    whose = f"of {type(x).__module__.partition('.')[0]}"
    return ConversionError(
        f"{user_line()}: an array {whose} and a traced array of {name} do not mix: it would have to be copied from one "
        f"memory to the other. Convert it first, outside of the differentiated function if it is constant: "
        f"{name}.asarray(x)."
    )


class Backend:
    """The ways of a library for what the array API standard has no function for. This one serves libraries whose arrays
    lie in the memory of the host.
    """

    def __init__(self, xp):
        self.xp = xp

    def copied(self, x):
        """A copy in memory of its own."""
        return self.xp.asarray(x, copy=True)

    def number(self, x):
        """The only element of an array, as a number of Python's own."""
        return complex(x) if kind_of(x) == "c" else float(x)

    def scatter(self, x, key, shape):
        """Zeros of a shape with `x` added at an index, element by element."""
        try:
            host = np.zeros(shape, dtype=np.from_dlpack(x).dtype)
        except (AttributeError, BufferError, RuntimeError, TypeError):
            raise NoRuleError(
                f"{user_line()}: indexing by an array of integers has no derivative for arrays of "
                f"{self.xp.__name__}, which have no way to add at repeated indices. Use slices, masks or take."
            ) from None
        key = tuple(np.from_dlpack(k) if is_foreign(k) else k for k in (key if isinstance(key, tuple) else (key,)))
        np.add.at(host, key, np.from_dlpack(x))
        return self.xp.asarray(host, copy=True) if not hasattr(self.xp, "from_dlpack") else self.xp.from_dlpack(host)

    def shares_memory(self, x, y):
        """Whether two arrays look into the same memory."""
        try:
            return bool(np.may_share_memory(np.from_dlpack(x), np.from_dlpack(y)))
        except (AttributeError, BufferError, RuntimeError, TypeError):
            return True

    def special(self, name):
        """A special function by SciPy's name; None where the library has none."""
        return getattr(self.xp, name, None)

    def slope_times(self, name, k, bar, args, out):
        """The adjoint of operand k of a row, in one kernel; None where the library has no such thing."""
        return None

    def context(self):
        """Where work is queued now, as a function that gives a context to queue more there; None where there is but
        one such place.
        """
        return None


class CuPy(Backend):
    """CuPy's ways: nothing of this goes through the memory of the host, but `number`."""

    def copied(self, x):
        return x.copy()

    def number(self, x):
        return x.item()

    def scatter(self, x, key, shape):
        import cupy

        out = cupy.zeros(shape, dtype=x.dtype)
        cupy.add.at(out, key, x)
        return out

    def shares_memory(self, x, y):
        first, second = (a.base.data.ptr if getattr(a, "base", None) is not None else a.data.ptr for a in (x, y))
        return first == second

    def special(self, name):
        found = getattr(self.xp, name, None)
        if found is None:
            import cupyx.scipy.special

            found = getattr(cupyx.scipy.special, name, None)
        return found

    def context(self):
        import cupy

        stream, device = cupy.cuda.get_current_stream(), cupy.cuda.Device()
        if stream == cupy.cuda.Stream.null and cupy.cuda.runtime.getDeviceCount() == 1:
            return None
        return functools.partial(_queued, stream, device)


@contextlib.contextmanager
def _queued(stream, device):
    """Work on a stream, after what has been queued on the current one, which then waits for it."""
    import cupy

    outside = cupy.cuda.get_current_stream()
    with device:
        if stream != outside:
            stream.wait_event(outside.record())
        with stream:
            yield
        if stream != outside:
            outside.wait_event(stream.record())


@functools.cache
def _backend(kind, xp):
    return CuPy(xp) if kind.__module__.partition(".")[0] == "cupy" else Backend(xp)


def backend_of(x):
    """The backend of an array."""
    return _backend(type(x), namespace_of(x))


def copied(x):
    """A copy of an array."""
    return backend_of(x).copied(x)


def number_of(x):
    """The only element of an array as a number; from a device it is copied to the host."""
    return backend_of(x).number(x)
