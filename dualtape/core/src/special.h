/* Scalar functions of the rule table that the C library lacks, or does not compute to full precision.
 * Plain C, no Python. Every function follows IEEE 754: no exceptions, NaN in gives NaN out. */
#ifndef DUALTAPE_SPECIAL_H
#define DUALTAPE_SPECIAL_H

#include <math.h>

#if defined(__GNUC__)
#define DTS_CONST __attribute__((const))
#else
#define DTS_CONST
#endif

/* Functions of scipy.special.cython_special, as its capsules hold them; the int is Cython's skip_dispatch.
 * NULL until they are loaded, and the functions that need them are NaN until then. */
typedef struct {
    double (*psi)(double, int);
    double (*i0)(double, int);
    double (*i1)(double, int);
    double (*iv)(double, double, int);
    double (*jv)(double, double, int);
    double (*i0e)(double, int);
    double (*i1e)(double, int);
    double (*ive)(double, double, int);
    double (*erfcx)(double, int);
    double (*erfinv)(double, int);
    double (*erfcinv)(double, int);
    double (*ndtri)(double, int);
    double (*beta)(double, double, int);
    double (*betaln)(double, double, int);
    double (*gammainc)(double, double, int);
    double (*gammaincc)(double, double, int);
    double (*betainc)(double, double, double, int);
    double (*hyp1f1)(double, double, double, int);
    double (*yv)(double, double, int);
    double (*k0)(double, int);
    double (*k1)(double, int);
    double (*kv)(double, double, int);
} dts_scipy;

extern dts_scipy dt_special;

/* Python's float // and %: rounded down, the remainder takes the sign of y. NaN where Python raises. */
DTS_CONST double dts_floordiv(double x, double y);
DTS_CONST double dts_mod(double x, double y);

/* exp(-x^2), and the normal density and distribution function, to full relative precision in the tails:
 * the rounding error of the square, which exp would magnify a thousandfold, is carried along. */
DTS_CONST double dts_gauss(double x);
DTS_CONST double dts_normal_density(double x);
DTS_CONST double dts_ndtr(double x);

/* log(ndtr(x)) and its n-th derivative. */
DTS_CONST double dts_log_ndtr(double x);
DTS_CONST double dts_log_ndtr_n(double n, double x);

/* The n-th derivative of sin(pi x) / (pi x). */
DTS_CONST double dts_sinc_n(double n, double x);

DTS_CONST double dts_digamma(double x);
DTS_CONST double dts_polygamma(double n, double x);

/* Bessel functions of integral order n. */
DTS_CONST double dts_j0(double x);
DTS_CONST double dts_j1(double x);
DTS_CONST double dts_jv(double n, double x);
DTS_CONST double dts_i0(double x);
DTS_CONST double dts_i1(double x);
DTS_CONST double dts_iv(double n, double x);

/* The n-th derivative of exp(x^2) erfc(x). */
DTS_CONST double dts_erfcx_n(double n, double x);

/* 1 / gamma, 0 at the poles; Bessel functions of the second kind, of integral order. */
DTS_CONST double dts_rgamma(double x);
DTS_CONST double dts_y0(double x);
DTS_CONST double dts_y1(double x);
DTS_CONST double dts_yn(double n, double x);

/* SciPy's functions as they are. */
DTS_CONST double dts_i0e(double x);
DTS_CONST double dts_i1e(double x);
DTS_CONST double dts_ive(double n, double x);
DTS_CONST double dts_erfinv(double x);
DTS_CONST double dts_erfcinv(double x);
DTS_CONST double dts_ndtri(double x);
DTS_CONST double dts_beta(double a, double b);
DTS_CONST double dts_betaln(double a, double b);
DTS_CONST double dts_gammainc(double a, double x);
DTS_CONST double dts_gammaincc(double a, double x);
DTS_CONST double dts_betainc(double a, double b, double x);
DTS_CONST double dts_hyp1f1(double a, double b, double x);
DTS_CONST double dts_yv(double n, double x);
DTS_CONST double dts_k0(double x);
DTS_CONST double dts_k1(double x);
DTS_CONST double dts_kv(double n, double x);

/* -1, 0 or 1; NaN stays NaN. */
static inline double dts_sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x == 0.0 ? 0.0 : x; }

/* The x * x of 1 + x * x overflows, hypot does not. */
static inline double dts_asinh_slope(double x) { return 1.0 / hypot(1.0, x); }

/* x**y in partials, where y is 1 or 0 for the commonest of powers, squares. */
static inline double dts_pow(double x, double y) {
    return y == 1.0 ? x : y == 2.0 ? x * x : y == 0.0 ? 1.0 : pow(x, y);
}

#endif
