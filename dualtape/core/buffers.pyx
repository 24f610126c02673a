"""Memory for the numbers of large arrays, kept from one use to the next: fresh pages cost more than most operations."""

cimport cython
cimport numpy as cnp

cdef extern from "buffers.h" nogil:
    void *dt_buffer_take(size_t bytes)
    void dt_buffer_give(void *p)
    size_t dt_buffer_release()

cnp.import_array()

# Below this many doubles malloc's own lists serve as well.
cdef enum:
    LARGE = 512


cdef void *take(size_t bytes) noexcept nogil:
    """Memory whose content is undefined; NULL where there is none."""
    return dt_buffer_take(bytes)


cdef void give(void *p) noexcept nogil:
    """The counterpart of `take`."""
    dt_buffer_give(p)


@cython.no_gc
cdef class _Buffer:
    """What holds a buffer for an ndarray."""
    cdef void *p

    def __dealloc__(self):
        dt_buffer_give(self.p)


cdef object doubles(Py_ssize_t n):
    """A flat ndarray of float64, its numbers undefined."""
    cdef cnp.npy_intp size = n
    cdef _Buffer buffer
    if n < LARGE:
        return cnp.PyArray_SimpleNew(1, &size, cnp.NPY_FLOAT64)
    buffer = _Buffer.__new__(_Buffer)
    buffer.p = dt_buffer_take(8 * n)
    if buffer.p == NULL:
        raise MemoryError(f"no memory for {8 * n / 2**20:.1f} MiB more")
    out = cnp.PyArray_SimpleNewFromData(1, &size, cnp.NPY_FLOAT64, buffer.p)
    cnp.set_array_base(out, buffer)
    return out


def release():
    """Return the memory that is kept to the operating system; gives its bytes."""
    return dt_buffer_release()
