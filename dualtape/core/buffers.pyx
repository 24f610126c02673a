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
@cython.freelist(256)
cdef class _Buffer:
    """What holds a buffer."""
    cdef void *p

    def __dealloc__(self):
        dt_buffer_give(self.p)


cdef object buffer(Py_ssize_t n, double **p):
    """Room for n doubles, their values undefined: what holds it."""
    cdef _Buffer out = _Buffer.__new__(_Buffer)
    out.p = dt_buffer_take(8 * n)
    if out.p == NULL:
        raise MemoryError(f"no memory for {8 * n / 2**20:.1f} MiB more")
    p[0] = <double *>out.p
    return out


cdef object doubles(Py_ssize_t n):
    """A flat ndarray of float64, its numbers undefined."""
    cdef cnp.npy_intp size = n
    cdef double *p = NULL
    if n < LARGE:
        return cnp.PyArray_SimpleNew(1, &size, cnp.NPY_FLOAT64)
    base = buffer(n, &p)
    out = cnp.PyArray_SimpleNewFromData(1, &size, cnp.NPY_FLOAT64, p)
    cnp.set_array_base(out, base)
    return out


def release():
    """Return the memory that is kept to the operating system; gives its bytes."""
    return dt_buffer_release()
