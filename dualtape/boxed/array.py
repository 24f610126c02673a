"""The class of traced arrays of other libraries than NumPy: handles, their levels, and views."""

import functools

import numpy as np

from dualtape.boxed.backends import copied, is_foreign, kind_of, namespace_of, number_of
from dualtape.core.array import Array
from dualtape.core.levels import is_running
from dualtape.core.traced import Traced
from dualtape.core.values import level_of as level_of_number
from dualtape.errors import NoBufferError, conversion, no_array, no_attribute, no_float, user_line

__all__ = [
    "FUNCTIONS", "METHODS", "BoxedArray", "boxed", "detached", "is_any_array", "is_host_array", "is_inexact",
    "level_of", "look", "plain", "snapshot",
]  # fmt: skip


class _Functions(dict):
    """A table that is filled when it is first looked into: most programs have no arrays of other libraries."""

    def __missing__(self, name):
        load()
        if name not in self:
            raise KeyError(name)
        return self[name]


@functools.cache
def load():
    """Import the functions and methods of traced arrays."""
    from dualtape.boxed import front  # noqa: F401


FUNCTIONS: dict = _Functions()
"""The functions of traced arrays, by the names that the array API standard and NumPy have for them. Those of a part of
a namespace carry its name: ``linalg.solve``."""

METHODS: dict = {}
"""The methods of traced arrays, functions of the array and of the method's arguments."""


class BoxedArray:
    """An array of another library than NumPy (CuPy, or any that follows the array API standard) that carries
    derivatives, or into which values that do may be assigned.

    Its functions are those of its namespace: ``x.__array_namespace__()``, or `dualtape.cupy` for CuPy. Its methods and
    operators are those of the library's arrays.

    Attributes
    ----------
    value : array
        The primal: an array of the library or, where differentiations nest, a BoxedArray.
    shape, ndim, size, dtype, device, T, mT
        As the library's arrays have them.
    """

    def __init__(self, *args, **kwargs):
        raise TypeError("BoxedArray objects come from operators such as dt.gradient, and from functions of such arrays")

    # --- state -------------------------------------------------------------------------------------------------------

    def _take(self, other):
        """Become what another array is now."""
        self._level = other._level
        self._value = other._value
        self._var = other._var
        self._tangents = other._tangents
        self._version += 1

    def _settle(self):
        """Bring a view up to date with the array that it looks at, and forget differentiations that have ended."""
        root = self._root
        if root is not None:
            root._forget()
            if root._version != self._seen:
                for view in self._line():
                    view._take(view._look[0](view._parent))
                    view._seen = root._version
        self._forget()

    def _line(self):
        """The views from the one of the root to this one, which is a view of a view of ..."""
        line = []
        view = self
        while view._parent is not None:
            line.append(view)
            view = view._parent
        return line[::-1]

    def _forget(self):
        while self._level and self._var is None and not is_running(self._level):
            if isinstance(self._value, BoxedArray):
                self._take(self._value)
            else:
                self._level, self._tangents = 0, None

    def _write(self, new):
        """Let the array, and those that it is a view of, have new elements."""
        self._settle()
        for view in reversed(self._line()):
            new = view._look[1](view._parent, new)
        # The views read it from there when they are used next. So they lie in memory as they did, by which it is
        # decided whether a reshape of them is a view.
        root = self if self._root is None else self._root
        root._take(new if isinstance(new, BoxedArray) else boxed(new))

    # --- attributes --------------------------------------------------------------------------------------------------

    @property
    def value(self):
        """The primal."""
        self._settle()
        return copied(self._value) if is_foreign(self._value) else snapshot(self._value)

    @property
    def shape(self):
        """The lengths of the axes."""
        return plain(self).shape

    @property
    def ndim(self):
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self):
        """How many elements there are."""
        return plain(self).size

    @property
    def dtype(self):
        """The library's dtype."""
        return plain(self).dtype

    @property
    def device(self):
        """Where the elements lie."""
        return plain(self).device

    @property
    def T(self):
        """The axes in reverse order."""
        return METHODS["transpose"](self)

    @property
    def mT(self):
        """The last two axes exchanged."""
        return FUNCTIONS["matrix_transpose"](self)

    @property
    def real(self):
        """The real part."""
        return FUNCTIONS["real"](self)

    @property
    def imag(self):
        """The imaginary part."""
        return FUNCTIONS["imag"](self)

    def __getattr__(self, name):
        method = METHODS.get(name)
        if method is None:
            if name.startswith("_"):
                raise NoBufferError(
                    f"{user_line()}: a function of the library itself, which asks for {name!r}, would drop the "
                    "derivatives of a traced array. Take the functions of x.__array_namespace__(), which keep them."
                )
            raise no_attribute(self, name, hasattr(plain(self), name))
        return lambda *args, **kwargs: method(self, *args, **kwargs)

    def __dir__(self):
        return sorted({*object.__dir__(self), *METHODS})

    # --- operators ---------------------------------------------------------------------------------------------------

    def __add__(self, x):
        return FUNCTIONS["operator"]("add", self, x)

    def __radd__(self, x):
        return FUNCTIONS["operator"]("add", x, self)

    def __sub__(self, x):
        return FUNCTIONS["operator"]("sub", self, x)

    def __rsub__(self, x):
        return FUNCTIONS["operator"]("sub", x, self)

    def __mul__(self, x):
        return FUNCTIONS["operator"]("mul", self, x)

    def __rmul__(self, x):
        return FUNCTIONS["operator"]("mul", x, self)

    def __truediv__(self, x):
        return FUNCTIONS["operator"]("div", self, x)

    def __rtruediv__(self, x):
        return FUNCTIONS["operator"]("div", x, self)

    def __mod__(self, x):
        return FUNCTIONS["operator"]("mod", self, x)

    def __rmod__(self, x):
        return FUNCTIONS["operator"]("mod", x, self)

    def __floordiv__(self, x):
        return FUNCTIONS["operator"]("floordiv", self, x)

    def __rfloordiv__(self, x):
        return FUNCTIONS["operator"]("floordiv", x, self)

    def __divmod__(self, x):
        return self // x, self % x

    def __rdivmod__(self, x):
        return x // self, x % self

    def __pow__(self, x):
        return FUNCTIONS["operator"]("pow", self, x)

    def __rpow__(self, x):
        return FUNCTIONS["operator"]("pow", x, self)

    def __matmul__(self, x):
        return FUNCTIONS["matmul"](self, x)

    def __rmatmul__(self, x):
        return FUNCTIONS["matmul"](x, self)

    def __neg__(self):
        return FUNCTIONS["negative"](self)

    def __pos__(self):
        return FUNCTIONS["positive"](self)

    def __abs__(self):
        return FUNCTIONS["abs"](self)

    def __iadd__(self, x):
        return FUNCTIONS["inplace"]("add", self, x)

    def __isub__(self, x):
        return FUNCTIONS["inplace"]("sub", self, x)

    def __imul__(self, x):
        return FUNCTIONS["inplace"]("mul", self, x)

    def __itruediv__(self, x):
        return FUNCTIONS["inplace"]("div", self, x)

    def __ipow__(self, x):
        return FUNCTIONS["inplace"]("pow", self, x)

    def __imod__(self, x):
        return FUNCTIONS["inplace"]("mod", self, x)

    def __ifloordiv__(self, x):
        return FUNCTIONS["inplace"]("floordiv", self, x)

    def __imatmul__(self, x):
        return FUNCTIONS["inplace"]("matmul", self, x)

    def __lt__(self, x):
        return plain(self) < plain(x)

    def __le__(self, x):
        return plain(self) <= plain(x)

    def __gt__(self, x):
        return plain(self) > plain(x)

    def __ge__(self, x):
        return plain(self) >= plain(x)

    def __eq__(self, x):
        return plain(self) == plain(x)

    def __ne__(self, x):
        return plain(self) != plain(x)

    def __hash__(self):
        raise TypeError("unhashable type: 'BoxedArray'")

    # --- elements ----------------------------------------------------------------------------------------------------

    def __getitem__(self, key):
        return FUNCTIONS["getitem"](self, key)

    def __setitem__(self, key, value):
        FUNCTIONS["setitem"](self, key, value)

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(self.shape[0]))

    # --- conversions -------------------------------------------------------------------------------------------------

    def __bool__(self):
        return bool(plain(self))

    def __int__(self):
        return int(plain(self))

    def __float__(self):
        if level_of(self) == 0:
            return float(number_of(plain(self)))
        raise no_float("x.item() for a traced number of the host, functions of x.__array_namespace__() for the array")

    def __complex__(self):
        if level_of(self) == 0:
            return complex(number_of(plain(self)))
        raise conversion("complex()", "Use x + 0j, or dt.stop_gradient(x) where the plain number is meant.")

    def __index__(self):
        raise TypeError("only integer scalar arrays can be converted to a scalar index")

    def __array__(self, dtype=None, copy=None):
        raise no_array(
            "Use the functions of x.__array_namespace__() in place of NumPy's, or dt.stop_gradient(x) where the plain "
            "numbers are meant."
        )

    def __dlpack__(self, **options):
        raise conversion("export through DLPack", "Give dt.stop_gradient(x) where the plain numbers are meant.")

    def __array_namespace__(self, *, api_version=None):
        return FUNCTIONS["front"](namespace_of(plain(self)))

    def __array_ufunc__(self, function, method, *inputs, **kwargs):
        return FUNCTIONS["ufunc"](function, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return FUNCTIONS["function"](function, args, kwargs)

    def __cupy_override_elementwise_kernel__(self, kernel, *args, **kwargs):
        return FUNCTIONS["kernel"](kernel, args, kwargs)

    def __cupy_override_reduction_kernel__(self, kernel, axis=None, dtype=None, out=None, keepdims=False):
        options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
        return FUNCTIONS["kernel"](kernel, (self,), options)

    def __copy__(self):
        return snapshot(self)

    def __deepcopy__(self, memo):
        return snapshot(self)

    def __reduce_ex__(self, protocol):
        raise conversion(
            "pickling",
            "A traced array belongs to a differentiation in this process. Pickle dt.stop_gradient(x), the plain array.",
        )

    def __repr__(self):
        return f"BoxedArray({plain(self)!r})"

    def __str__(self):
        return str(plain(self))

    def __format__(self, spec):
        return format(number_of(plain(self)), spec) if spec and not self.ndim else format(plain(self), spec)


@functools.cache
def _class_for(kind):
    """The class of traced arrays over a library's.

    Where that is one of plain Python, whose operators may refuse all arrays but their own (as those of
    array_api_strict do), it is a class derived from both: Python asks the operand of a derived class first.
    """
    load()
    if issubclass(kind, BoxedArray) or kind.__base__ is not object or not kind.__flags__ & 1 << 9:
        return kind if issubclass(kind, BoxedArray) else BoxedArray
    try:
        return type("BoxedArray", (BoxedArray, kind), METHODS | {"__module__": __name__})
    except TypeError:
        return BoxedArray


def boxed(value, level=0, var=None, tangents=None):
    """A traced array.

    Parameters
    ----------
    value : array
        The primal.
    level : int
    var : Var, optional
        Its place on the tape of a reverse level.
    tangents : list of array or None, optional
        Of a forward level; None for zero.
    """
    out = object.__new__(_class_for(type(value)))
    out._value = value
    out._level = level
    out._var = var
    out._tangents = tangents
    out._parent = out._look = out._root = None
    out._seen = out._version = 0
    return out


def look(parent, get, put):
    """A view: ``get(parent)`` gives its elements, ``put(parent, new)`` the parent with new ones in their place."""
    out = get(parent)
    if not isinstance(out, BoxedArray):
        out = boxed(out)
    root = parent if parent._root is None else parent._root
    out._parent, out._look, out._root, out._seen = parent, (get, put), root, root._version
    return out


def snapshot(x):
    """An array as it is now, whatever is written to it later. Other values are given as they are."""
    if not isinstance(x, BoxedArray):
        return x
    x._settle()
    return boxed(x._value, x._level, x._var, x._tangents)


def level_of(x):
    """The level of a value of any kind: 0 for plain ones."""
    if isinstance(x, BoxedArray):
        x._settle()
        return x._level
    return level_of_number(x) if isinstance(x, Traced) else 0


def plain(x):
    """The plain array or number below all levels."""
    while isinstance(x, BoxedArray):
        x._settle()
        x = x._value
    while isinstance(x, Traced):
        x = x.value
    return x


def detached(x):
    """The plain array below all levels, in memory of its own."""
    return copied(plain(x))


def is_any_array(x):
    """Whether a value is an array of another library, plain or traced."""
    return isinstance(x, BoxedArray) or is_foreign(x)


def is_inexact(x):
    """Whether an array is of real or complex floating numbers, which alone have derivatives."""
    return kind_of(x) in "fc"


def is_host_array(x):
    """Whether a value is an array of NumPy's, plain or traced, that has axes."""
    return isinstance(x, (np.ndarray, Array)) and x.ndim > 0
