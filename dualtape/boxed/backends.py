"""What differs between the libraries that arrays come from."""

import contextlib
import functools

import numpy as np

from dualtape.core import kernels
from dualtape.core.strict import is_strict
from dualtape.errors import ConversionError, NoRuleError, user_line
from dualtape.rules.table import BY_NAME, INDEX

__all__ = [
    "adjoint_kernel", "backend_of", "copied", "is_foreign", "kind_of", "mixed", "namespace_of", "number_of",
    "precision_of",
]  # fmt: skip


# Classes whose namespace array-api-compat knows, and they themselves do not.
_KNOWN = {("cupy", "ndarray"), ("torch", "Tensor")}


@functools.cache
def is_foreign_type(kind):
    """Whether a class is of arrays that are not NumPy's: of the array API standard, CuPy's or PyTorch's."""
    roots = {(base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__}
    if any(root == "dualtape" for root, _ in roots) or issubclass(kind, (np.ndarray, np.generic)):
        return False
    return hasattr(kind, "__array_namespace__") or bool(roots & _KNOWN)


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
            if not hasattr(x, "__array_namespace__"):
                library = type(x).__module__.partition(".")[0]
                raise ImportError(f"arrays of {library} need a package: pip install array-api-compat") from None
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


def precision_of(x):
    """The spacing of the numbers of an array's dtype at 1."""
    return float(namespace_of(x).finfo(x.dtype).eps)


def mixed(x, like):
    """The error for an array of another library, or of the host, beside those of `like`'s."""
    while not is_foreign(like):
        like = like.value
    name = getattr(namespace_of(like), "__name__", "its namespace").removeprefix("array_api_compat.")
    whose = "of NumPy" if not is_foreign(x) else f"of {type(x).__module__.partition('.')[0]}"
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
        """A copy in memory of its own; of arrays that never change, these."""
        if hasattr(x, "at"):  # as JAX's
            return x
        return self.xp.asarray(x, copy=True)

    def written(self, x, key, value):
        """A fresh array with other elements at an index."""
        if hasattr(x, "at"):
            return x.at[key].set(value)
        x[key] = value
        return x

    def number(self, x):
        """The only element of an array, as a number of Python's own."""
        return complex(x) if kind_of(x) == "c" else float(x)

    def counts(self, x):
        """Numbers of repetitions as the library's ``repeat`` takes them."""
        return x

    def scatter(self, x, key, shape):
        """Zeros of a shape with `x` added at an index, element by element."""
        if hasattr(x, "at"):
            return self.xp.zeros(shape, dtype=x.dtype, device=x.device).at[key].add(x)
        try:
            host = np.zeros(shape, dtype=np.from_dlpack(x).dtype)
        except (AttributeError, BufferError, RuntimeError, TypeError):
            raise NoRuleError(
                f"{user_line()}: indexing by an array of integers has no derivative for arrays of "
                f"{self.xp.__name__}, which have no way to add at repeated indices. Use slices, masks or take."
            ) from None
        key = tuple(np.from_dlpack(k) if is_foreign(k) else k for k in (key if isinstance(key, tuple) else (key,)))
        np.add.at(host, key, np.from_dlpack(x))
        return self._taken(host)

    def solve_lower(self, l, b, adjoint):
        """The solution for lower triangular matrices, or for their conjugate transposes."""
        if adjoint:
            l = self.xp.conj(self.xp.matrix_transpose(l)) if kind_of(l) == "c" else self.xp.matrix_transpose(l)
        return self.xp.linalg.solve(l, b)

    def shares_memory(self, x, y):
        """Whether two arrays look into the same memory."""
        try:
            return bool(np.may_share_memory(np.from_dlpack(x), np.from_dlpack(y)))
        except (AttributeError, BufferError, RuntimeError, TypeError):
            return True

    def lies_alike(self, x, y):
        """Whether the elements of two arrays of one shape lie in memory in the same order."""
        if hasattr(x, "at"):
            return True
        try:
            return np.from_dlpack(x).strides == np.from_dlpack(y).strides
        except (AttributeError, BufferError, RuntimeError, TypeError):
            return False

    def special(self, name, is_complex=False):
        """A function by NumPy's or SciPy's name; None where the library has none and NumPy's cannot read its arrays."""
        return getattr(self.xp, name, None) or self._on_host(name, is_complex)

    def _on_host(self, name, is_complex):
        import scipy.special

        found = (getattr(module, name, None) for module in (np, scipy.special))
        ufunc = next((f for f in found if isinstance(f, np.ufunc)), None)
        if ufunc is None and (name not in INDEX or is_complex):
            return None  # the kernels are of real numbers
        if ufunc is None:
            ufunc = functools.partial(kernels.on_arrays, INDEX[name], -1)

        def function(*args):
            dtype = self.xp.result_type(*[x for x in args if is_foreign(x)])
            try:
                host = [np.from_dlpack(x) if is_foreign(x) else x for x in args]
            except (AttributeError, BufferError, RuntimeError, TypeError):
                raise NoRuleError(
                    f"{user_line()}: {self.xp.__name__} has no function {name}(), and its arrays cannot be given to "
                    "NumPy's. Write the call with functions that the library has."
                ) from None
            return self.xp.asarray(self._taken(np.asarray(ufunc(*host))), dtype=dtype)

        return function

    def _taken(self, host):
        """NumPy's array as one of the library."""
        return self.xp.from_dlpack(host) if hasattr(self.xp, "from_dlpack") else self.xp.asarray(host)

    def slope_times(self, name, k, bar, args, out):
        """The adjoint of operand k of a row, in one kernel; None where the library has no such thing."""
        return None

    def context(self):
        """In what derivatives are computed, as a function that gives a context: where the work of the function itself
        has been queued, and without the warnings that its own numbers have given.
        """
        return functools.partial(np.errstate, all="ignore")


class CuPy(Backend):
    """CuPy's ways: nothing of this goes through the memory of the host, but `number`."""

    def copied(self, x):
        return x.copy()

    def number(self, x):
        return x.item()

    def counts(self, x):
        return x.tolist() if is_foreign(x) else x  # CuPy's repeat reads them on the host

    def scatter(self, x, key, shape):
        import cupy

        out = cupy.zeros(shape, dtype=x.dtype)
        cupy.add.at(out, key, x)
        return out

    def solve_lower(self, l, b, adjoint):
        if l.ndim > 2 or b.ndim > 2:
            return super().solve_lower(l, b, adjoint)
        import cupyx.scipy.linalg

        return cupyx.scipy.linalg.solve_triangular(l, b, lower=True, trans="C" if adjoint else "N")

    def slope_times(self, name, k, bar, args, out):
        from dualtape.rules.emit_cuda import has_adjoint

        values = (bar, *args, out)
        if not has_adjoint(name, k) or any(
            isinstance(x, complex) or (hasattr(x, "dtype") and (not is_foreign(x) or x.dtype != bar.dtype))
            for x in values
        ):
            return None
        if bar.dtype.char not in "fd" or is_strict():
            return None
        return adjoint_kernel(name, k)(*values)

    def shares_memory(self, x, y):
        first, second = (a.base.data.ptr if getattr(a, "base", None) is not None else a.data.ptr for a in (x, y))
        return first == second

    def lies_alike(self, x, y):
        return x.strides == y.strides

    def special(self, name, is_complex=False):
        found = getattr(self.xp, name, None)
        if found is None:
            import cupyx.scipy.special

            found = getattr(cupyx.scipy.special, name, None)
        return found

    def context(self):
        import cupy

        return functools.partial(_queued, cupy.cuda.get_current_stream(), cupy.cuda.Device())


@functools.cache
def adjoint_kernel(name, k):
    """The kernel of CuPy's for the adjoint of operand k of a row: of the result's adjoint, the operands, the result."""
    import cupy

    from dualtape.rules.emit_cuda import preamble

    rule = BY_NAME[name]
    names = (*rule.args, "out")
    return cupy.ElementwiseKernel(
        "T bar_, " + ", ".join(f"T {x}" for x in names),
        "T slope_",
        f"slope_ = dt_times<T>(bar_, dt_{name}_d{rule.args[k]}<T>({', '.join(names)}))",
        f"dualtape_{name}_d{rule.args[k]}",
        preamble=preamble(name, k),
    )


def _queued(stream, device):
    """Work on a stream, after what has been queued on the current one, which then waits for it."""
    import cupy

    outside = cupy.cuda.get_current_stream()
    # Streams are equal by their handles: that of the default stream is the same on every device.
    if stream == outside and device == cupy.cuda.Device():
        return contextlib.nullcontext()
    return _elsewhere(stream, device, outside)


@contextlib.contextmanager
def _elsewhere(stream, device, outside):
    # An event belongs to the device that is current when it is made, which must be that of the stream it is put on.
    before = outside.record()
    with device:
        stream.wait_event(before)
        with stream:
            yield
        after = stream.record()
    outside.wait_event(after)


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
