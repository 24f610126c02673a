/* The processor's floating-point flags: what an operation since dt_clear_flags() has raised.
 *
 * NumPy clears them before a loop and reads them after it. fenv.h does as much, but on x86 it saves and restores the
 * whole environment of the x87 unit, which takes longer than a short loop. Doubles are computed by SSE there, whose
 * flags lie in a register of their own, and are written only where they are set.
 */
#ifndef DUALTAPE_FLOATING_H
#define DUALTAPE_FLOATING_H

/* As NumPy numbers them for the function of np.seterrcall. */
enum { DT_FLAG_DIVIDE = 1, DT_FLAG_OVER = 2, DT_FLAG_UNDER = 4, DT_FLAG_INVALID = 8 };

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>

/* Bits of MXCSR: invalid 0, denormal 1, divide by zero 2, overflow 3, underflow 4, inexact 5. */
enum { DT_MXCSR_FLAGS = 0x1d };

static inline void dt_clear_flags(void) {
    unsigned int flags = _mm_getcsr();
    if (flags & DT_MXCSR_FLAGS) _mm_setcsr(flags & ~(unsigned int)DT_MXCSR_FLAGS);
}

static inline int dt_raised_flags(void) {
    unsigned int flags = _mm_getcsr() & DT_MXCSR_FLAGS;
    return (int)((flags >> 2) | ((flags & 1) << 3));
}
#else
#include <fenv.h>

static inline void dt_clear_flags(void) { feclearexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW); }

static inline int dt_raised_flags(void) {
    int flags = fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW);
    return (flags & FE_INVALID ? DT_FLAG_INVALID : 0) | (flags & FE_DIVBYZERO ? DT_FLAG_DIVIDE : 0) |
           (flags & FE_OVERFLOW ? DT_FLAG_OVER : 0) | (flags & FE_UNDERFLOW ? DT_FLAG_UNDER : 0);
}
#endif
#endif
