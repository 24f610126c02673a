"""Values of any level."""

cpdef unsigned long long level_of(object x) except? 0
cpdef object tape_of(object x)
cpdef object primal_at(unsigned long long level, object x)
cpdef object tangents_at(unsigned long long level, object x)
cpdef object plain_of(object x)
cdef object native_order(object value)
cdef tuple flattened(object value)
