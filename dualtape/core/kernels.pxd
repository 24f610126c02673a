# The rule table as C functions, for the other modules of the core.

cdef extern from "special.h":
    ctypedef struct dts_scipy:
        double (*psi)(double, int) noexcept nogil
        double (*i0)(double, int) noexcept nogil
        double (*i1)(double, int) noexcept nogil
        double (*iv)(double, double, int) noexcept nogil
        double (*jv)(double, double, int) noexcept nogil
        double (*i0e)(double, int) noexcept nogil
        double (*i1e)(double, int) noexcept nogil
        double (*ive)(double, double, int) noexcept nogil
        double (*erfcx)(double, int) noexcept nogil
        double (*erfinv)(double, int) noexcept nogil
        double (*erfcinv)(double, int) noexcept nogil
        double (*ndtri)(double, int) noexcept nogil
        double (*beta)(double, double, int) noexcept nogil
        double (*betaln)(double, double, int) noexcept nogil
        double (*gammainc)(double, double, int) noexcept nogil
        double (*gammaincc)(double, double, int) noexcept nogil
        double (*betainc)(double, double, double, int) noexcept nogil
        double (*hyp1f1)(double, double, double, int) noexcept nogil
        double (*yv)(double, double, int) noexcept nogil
        double (*k0)(double, int) noexcept nogil
        double (*k1)(double, int) noexcept nogil
        double (*kv)(double, double, int) noexcept nogil

    dts_scipy dt_special

cdef extern from "dualtape_rules.h":
    enum:
        DT_ADD, DT_SUB, DT_MUL, DT_DIV, DT_NEG, DT_POW, DT_HYPOT
        DT_SIN, DT_COS, DT_TANH, DT_POS, DT_ABS, DT_FLOORDIV, DT_MOD, DT_FLOOR, DT_CEIL, DT_TRUNC, DT_ROUND
        DT_ROWS
        DT_CONSTANT
        DT_NEEDS_SCIPY
        DT_READS_X, DT_READS_Y, DT_READS_Z, DT_READS_OUT

    unsigned int DT_FINGERPRINT

    ctypedef struct dt_row:
        const char *name
        int arity
        int flags
        double (*value)(double x, double y, double z) noexcept nogil
        void (*partials)(double x, double y, double z, double out, double *d) noexcept nogil
        void (*second)(double x, double y, double z, double out, double *d, double *h) noexcept nogil
        void (*slopes)(long n, const double *x, const double *y, const double *z, const double *out,
                       double *const *d) noexcept nogil

    const dt_row dt_rows[]

# The table, DT_ROWS rows long. It lies in this module alone: others read it through this pointer.
cdef const dt_row *rows

# Load SciPy's functions for the rows with the flag DT_NEEDS_SCIPY; costs a comparison once loaded.
cdef int load_special() except -1
