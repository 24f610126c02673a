/* Sine and cosine of short runs of doubles, by vector instructions.
 *
 * NumPy's loops call libm for each number where the platform's compiler has no vectors for them, and the sweep of a
 * sine takes a cosine as well. This is the method of fdlibm (Sun Microsystems, 1993), with its polynomials, but
 * without a branch, so that eight numbers go through it at once: with k = round(2x / pi),
 *
 *     r + l = x - k pi/2      in two doubles, pi/2 being the sum of two numbers of 33 bits, whose products with k are
 *                             exact, and a third of 53;
 *     sin(x) = +-sin(r + l) or +-cos(r + l)      by the last two bits of k.
 *
 * Errors are below 0.8 units in the last place for |x| up to LIMIT: also at the doubles next to the multiples of pi/2,
 * all of which were compared with a result of 300 bits.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* No one asks which floating-point exceptions were raised: so choices become masks, and loops vectors. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "circular.h"

#include <math.h>
#include <string.h>

#include "array.h"
#include "arithmetic.h"

#if DT_HAS_CLONES
#define CLONES __attribute__((target_clones("default", "arch=haswell", "avx512f")))
int dt_circular_serves(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define CLONES
int dt_circular_serves(void) {
#if defined(__SANITIZE_ADDRESS__)
    return 1; /* to be checked */
#else
    return 0;
#endif
}
#endif

/* Longer runs are NumPy's, bit for bit; for the shortest the calls of libm are as quick. */
enum { SHORTEST = 8, LONGEST = 256, LANES = 8 };
static const double LIMIT = 1e5;

/* k in the last bits of a double */
static const double ROUNDING = 0x1.8p52;
static const double TWO_OVER_PI = 0.63661977236758134308;
static const double HALF_PI[3] = {1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624879595063154e-21};
static const double S[6] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,  -1.98412698298579493134e-04,
                            2.75573137070700676789e-06,  -2.50507602534068634195e-08, 1.58969099521155010221e-10};
static const double C[6] = {4.16666666666666019037e-02,  -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                            -2.75573143513906633035e-07, 2.08757232129817482790e-09,  -1.13596475577881948265e-11};

DT_ALWAYS_INLINE void circular(const double *x, double *out, int64_t n, const int cosine) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
    for (int64_t i = 0; i < n; i++) {
        const double shifted = x[i] * TWO_OVER_PI + ROUNDING, k = shifted - ROUNDING;
        const double near = x[i] - k * HALF_PI[0], step = k * HALF_PI[1];
        const double high = near - step, low = ((near - high) - step) - k * HALF_PI[2];
        const double r = high + low, l = low - (r - high);
        const double z = r * r, v = z * r, w = z * z;
        const double odd = S[1] + z * (S[2] + z * S[3]) + z * w * (S[4] + z * S[5]);
        const double even = z * (C[0] + z * (C[1] + z * C[2])) + w * w * (C[3] + z * (C[4] + z * C[5]));
        const double first = 1.0 - 0.5 * z;
        double of_sine = r - ((z * (0.5 * l - v * odd) - l) - v * S[0]);
        const double of_cosine = first + (((1.0 - first) - 0.5 * z) + (z * even - r * l));
        of_sine = x[i] == 0.0 ? x[i] : of_sine; /* -0.0 */
        uint64_t quadrant, bits, others;
        memcpy(&quadrant, &shifted, 8);
        memcpy(&bits, &of_sine, 8);
        memcpy(&others, &of_cosine, 8);
        quadrant += (uint64_t)cosine;
        bits ^= (bits ^ others) & (0 - (quadrant & 1));
        bits ^= (quadrant & 2) << 62;
        memcpy(&out[i], &bits, 8);
    }
}

/* Whether all numbers are in the range of `circular`. Tiny ones would raise the flag of underflow, which NumPy's loop
 * does not. */
DT_ALWAYS_INLINE int in_range(const double *x, int64_t n) {
    int64_t outside = 0;
    for (int64_t i = 0; i < n; i++) {
        const double size = fabs(x[i]);
        outside |= (size <= LIMIT && (size > 1e-100 || size == 0.0)) ? 0 : 1;
    }
    return !outside;
}

/* Numbers that do not fill the last vector go through `circular` in one of their own. */
DT_ALWAYS_INLINE int run(const double *x, double *out, int64_t n, const int cosine) {
    if (!in_range(x, n)) return 0;
    const int64_t rest = n % LANES;
    double from[LANES] = {0.0}, to[LANES];
    const double *source = x;
    double *target = out;
    int64_t count = n - rest;
    memcpy(from, x + count, sizeof(double) * (size_t)rest);
    for (;;) { /* one loop, and not two copies of it */
        circular(source, target, count, cosine);
        if (target == to) {
            memcpy(out + n - rest, to, sizeof(double) * (size_t)rest);
            return 1;
        }
        if (!rest) return 1;
        source = from;
        target = to;
        count = LANES;
    }
}

CLONES static int sines(const double *x, double *out, int64_t n) { return run(x, out, n, 0); }

CLONES static int cosines(const double *x, double *out, int64_t n) { return run(x, out, n, 1); }

DT_ALWAYS_INLINE void loop(int (*own)(const double *, double *, int64_t), char **args, const intptr_t *dimensions,
                           const intptr_t *strides, void *data) {
    const intptr_t n = dimensions[0];
    if (n >= SHORTEST && n <= LONGEST && strides[0] == 8 && strides[1] == 8 &&
        own((const double *)args[0], (double *)args[1], n))
        return;
    const dt_ufunc *of_numpy = data;
    of_numpy->loop(args, dimensions, strides, of_numpy->data);
}

void dt_sin_loop(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data) {
    loop(sines, args, dimensions, strides, data);
}

void dt_cos_loop(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data) {
    loop(cosines, args, dimensions, strides, data);
}
