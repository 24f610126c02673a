/* Scalar functions of the rule table: see special.h. */
#define _DEFAULT_SOURCE 1 /* j0 and j1, which strict C11 hides */
#include "special.h"

#include <stddef.h>

#define DTS_PI 3.14159265358979323846
#define DTS_SQRT1_2 0.70710678118654752440
#define DTS_SQRT1_2_LOW -4.8336466567264567e-17 /* sqrt(1/2) - DTS_SQRT1_2 */
#define DTS_INV_SQRT_2PI 0.39894228040143267794
#define DTS_INV_SQRT_PI 0.56418958354775628695
#define DTS_LOG_SQRT_2PI 0.91893853320467274178

enum { MAX_ORDER = 64 }; /* highest order of the n-th derivatives */

dts_scipy dt_special; /* all NULL */

/* The order as an int, or -1 where it is none. */
static int order(double n) { return n >= 0.0 && n <= MAX_ORDER && n == floor(n) ? (int)n : -1; }

double dts_mod(double x, double y) {
    double r = fmod(x, y);
    if (r == 0.0) return copysign(0.0, y);
    return (y < 0.0) != (r < 0.0) ? r + y : r;
}

double dts_floordiv(double x, double y) {
    double r, q;
    if (y == 0.0) return x / y;
    r = fmod(x, y);
    q = (x - r) / y;
    if (r != 0.0 && (y < 0.0) != (r < 0.0)) q -= 1.0;
    if (q == 0.0) return copysign(0.0, x / y);
    /* q is within rounding of an integer. */
    r = floor(q);
    return q - r > 0.5 ? r + 1.0 : r;
}

double dts_gauss(double x) {
    double square, rest;
    if (fabs(x) > 28.0) return 0.0;
    square = x * x;
    rest = fma(x, x, -square);
    return exp(-square) * (1.0 - rest);
}

double dts_normal_density(double x) {
    double square, rest;
    if (fabs(x) > 39.0) return 0.0;
    square = x * x;
    rest = fma(x, x, -square);
    return DTS_INV_SQRT_2PI * exp(-0.5 * square) * (1.0 - 0.5 * rest);
}

double dts_ndtr(double x) {
    double z, low;
    if (x < -39.0) return 0.0;
    if (x > 39.0) return 1.0;
    /* z + low = -x / sqrt(2) in twice the precision; erfc to first order in low. */
    z = -x * DTS_SQRT1_2;
    low = fma(-x, DTS_SQRT1_2, -z) - x * DTS_SQRT1_2_LOW;
    return 0.5 * erfc(z) - DTS_INV_SQRT_PI * dts_gauss(z) * low;
}

/* [mills]
 * The left tail of the normal distribution, x = -t. With M_k the integral of u^k exp(-t u - u^2/2) over u > 0,
 * ndtr(x) = density(t) M_0, so that log_ndtr = log(density) + log(M_0), where the derivatives of log(M_0) are the
 * cumulants of the distribution whose moments are M_k / M_0. All M_k are positive, and their ratios
 * r_k = M_{k+1} / M_k follow from M_{k+1} = k M_{k-1} - t M_k, turned into the continued fraction
 * r_{k-1} = k / (t + r_k): nothing cancels at any t. The fraction needs about 400 / t^2 terms.
 */
static void tail_ratios(double t, int count, double *ratio) {
    int last = count + 24 + (int)(400.0 / (t * t)), k;
    double r = 0.5 * (sqrt(t * t + 4.0 * last) - t);
    for (k = last; k > 0; k--) {
        r = k / (t + r);
        if (k <= count) ratio[k - 1] = r;
    }
}
/* [/mills] */

double dts_log_ndtr(double x) {
    double ratio = 0.0;
    if (x > 0.0) return log1p(-dts_ndtr(-x));
    if (!(x < -1.0)) return log(dts_ndtr(x));
    if (x < -1e150) return -0.5 * x * x;
    tail_ratios(-x, 1, &ratio);
    return -0.5 * x * x - DTS_LOG_SQRT_2PI - log(ratio - x);
}

double dts_log_ndtr_n(double n, double x) {
    double a[MAX_ORDER + 1], b[MAX_ORDER + 1], binomial, sum;
    int k = order(n), i, j;
    if (k < 0 || x != x) return NAN;
    if (k == 0) return dts_log_ndtr(x);
    if (x > 40.0) return 0.0; /* the density underflows */
    if (x < -1e150) return k == 1 ? -x : k == 2 ? -1.0 : 0.0;
    if (x < -1.0) {
        tail_ratios(-x, k, a);
        if (k == 1) return a[0] - x;
        if (k == 2) return -(a[0] - x) * a[0];
        /* Moments in b, cumulants in a: c_i = m_i - sum over j < i of C(i-1, j-1) c_j m_{i-j}. */
        b[0] = 1.0;
        for (i = 1; i <= k; i++) b[i] = b[i - 1] * a[i - 1];
        for (i = 1; i <= k; i++) {
            sum = 0.0;
            binomial = 1.0;
            for (j = 1; j < i; j++) {
                sum += binomial * a[j] * b[i - j];
                binomial = binomial * (i - j) / j;
            }
            a[i] = b[i] - sum;
        }
        return a[k];
    }
    /* m = density / ndtr satisfies m' = -m (x + m); Leibniz's rule gives the higher derivatives. */
    a[0] = dts_normal_density(x) / dts_ndtr(x);
    for (i = 0; i + 1 < k; i++) {
        sum = 0.0;
        binomial = 1.0;
        for (j = 0; j <= i; j++) {
            sum += binomial * a[j] * a[i - j];
            binomial = binomial * (i - j) / (j + 1);
        }
        a[i + 1] = -(sum + (x * a[i] + (i > 0 ? i * a[i - 1] : 0.0)));
    }
    return a[k - 1];
}

/* sin(pi x) and cos(pi x), exactly 0 where they vanish. */
static void sincos_pi(double x, double *s, double *c) {
    double r = x - 2.0 * rint(0.5 * x), q = rint(2.0 * r), f = DTS_PI * (r - 0.5 * q);
    double sf = sin(f), cf = cos(f);
    switch ((int)q & 3) {
    case 0: *s = sf, *c = cf; break;
    case 1: *s = cf, *c = -sf; break;
    case 2: *s = -sf, *c = -cf; break;
    default: *s = -cf, *c = sf;
    }
}

/* The n-th derivative S_n of sin(t)/t is the integral of u^n cos(t u + n pi/2) over 0 < u < 1. Integration by parts
 * gives t S_n = sin^(n)(t) - n S_{n-1}, which is stable upwards where |t| > n; below, the series in t serves. */
double dts_sinc_n(double n, double x) {
    int k = order(n), j;
    double t = DTS_PI * x, s, c, sum, term, scale = 1.0, cycle[4];
    if (k < 0 || !(fabs(x) < INFINITY)) return NAN;
    for (j = 0; j < k; j++) scale *= DTS_PI;
    if (fabs(t) < k + 1.0) {
        /* The terms t^j / j! / (k + j + 1), of alternating sign, where k + j is even. */
        j = k & 1;
        term = (k + j) / 2 & 1 ? -1.0 : 1.0;
        if (j) term *= t;
        for (sum = 0.0; j < 200; j += 2) {
            double add = term / (k + j + 1);
            sum += add;
            if (j > fabs(t) && fabs(add) < 1e-18 * fabs(sum)) break;
            term *= -t * t / ((j + 1.0) * (j + 2.0));
        }
        return scale * sum;
    }
    sincos_pi(x, &s, &c);
    cycle[0] = s, cycle[1] = c, cycle[2] = -s, cycle[3] = -c;
    sum = s / t;
    for (j = 1; j <= k; j++) sum = (cycle[j & 3] - j * sum) / t;
    return scale * sum;
}

/* Hurwitz' zeta function of integral s > 1 and q > 0, by Euler and Maclaurin from q + shift on. */
static double hurwitz_zeta(int s, double q) {
    /* B_2j / (2j)! */
    static const double bernoulli[] = {
        1.0 / 12.0,           -1.0 / 720.0,         1.0 / 30240.0,         -1.0 / 1209600.0,
        1.0 / 47900160.0,     -5.284190138687493e-10, 1.3382536530684679e-11, -3.389680296322583e-13,
        8.586062056277845e-15, -2.174868698558062e-16,
    };
    double sum = 0.0, power, factor;
    int j;
    for (; q < 10.0 + s; q += 1.0) sum += pow(q, -s);
    power = pow(q, -s);
    sum += pow(q, 1.0 - s) / (s - 1.0) + 0.5 * power; /* not q * power, which underflows first */
    factor = s;
    for (j = 0; j < 10; j++) {
        power /= q;
        sum += bernoulli[j] * factor * power;
        factor *= (s + 2.0 * j + 1.0) * (s + 2.0 * j + 2.0);
        power /= q;
    }
    return sum;
}

/* The k-th derivative of pi cot(pi x): a polynomial p_k in c = cot(pi x), where p_{k+1} = -pi (1 + c^2) p_k'. */
static double cotangent_n(int k, double x) {
    double p[MAX_ORDER + 2] = {0.0}, q[MAX_ORDER + 2], s, c, value;
    int i, j;
    p[1] = DTS_PI;
    for (i = 0; i < k; i++) {
        for (j = 0; j <= i + 2; j++)
            q[j] = -DTS_PI * ((j <= i ? (j + 1) * p[j + 1] : 0.0) + (j >= 1 && j <= i + 2 ? (j - 1) * p[j - 1] : 0.0));
        for (j = 0; j <= i + 2; j++) p[j] = q[j];
    }
    sincos_pi(x, &s, &c);
    c /= s;
    value = p[k + 1];
    for (j = k; j >= 0; j--) value = value * c + p[j];
    return value;
}

double dts_digamma(double x) {
    if (!dt_special.psi) return NAN;
    /* SciPy has an expansion about its zero at -0.504; elsewhere it loses digits near the poles. */
    if (x < 0.0 && fabs(x + 0.504) > 0.3 && x != floor(x)) return dt_special.psi(1.0 - x, 0) - cotangent_n(0, x);
    return dt_special.psi(x, 0);
}

double dts_polygamma(double n, double x) {
    int k = order(n), j;
    double factorial = 1.0, sign = k & 1 ? 1.0 : -1.0;
    if (k == 0) return dts_digamma(x);
    if (k < 0 || x != x) return NAN;
    if (x <= 0.0 && x == floor(x)) return k & 1 ? INFINITY : NAN; /* a pole; of both signs for even k */
    if (x < 0.0) return -cotangent_n(k, x) - sign * dts_polygamma(n, 1.0 - x);
    for (j = 2; j <= k; j++) factorial *= j;
    return sign * factorial * hurwitz_zeta(k + 1, x);
}

#if defined(_MSC_VER)
double dts_j0(double x) { return _j0(x); }
double dts_j1(double x) { return _j1(x); }
#else
double dts_j0(double x) { return j0(x); }
double dts_j1(double x) { return j1(x); }
#endif

/* (x/2)^n / n!, which is all of the power series for |x| < 1e-8. */
static double leading_term(double n, double x) { return pow(0.5 * x, n) / tgamma(n + 1.0); }

double dts_jv(double n, double x) {
    if (n != floor(n)) return dt_special.jv ? dt_special.jv(n, x, 0) : NAN;
    if (n < 0.0) return fmod(n, 2.0) == 0.0 ? dts_jv(-n, x) : -dts_jv(-n, x);
    /* SciPy's j0 and j1 lose digits at large arguments; libm's do not. */
    if (n == 0.0) return dts_j0(x);
    if (n == 1.0) return dts_j1(x);
    if (fabs(x) < 1e-8) return leading_term(n, x);
    if (fabs(x) == INFINITY) return 0.0;
    return dt_special.jv ? dt_special.jv(n, x, 0) : NAN;
}

double dts_i0(double x) { return dt_special.i0 ? dt_special.i0(x, 0) : NAN; }
double dts_i1(double x) { return dt_special.i1 ? dt_special.i1(x, 0) : NAN; }

double dts_iv(double n, double x) {
    if (n != floor(n)) return dt_special.iv ? dt_special.iv(n, x, 0) : NAN;
    if (n < 0.0) return dts_iv(-n, x);
    if (n == 0.0) return dts_i0(x);
    if (n == 1.0) return dts_i1(x);
    if (fabs(x) < 1e-8) return leading_term(n, x);
    if (fabs(x) > 750.0) return x < 0.0 && fmod(n, 2.0) != 0.0 ? -INFINITY : INFINITY;
    return dt_special.iv ? dt_special.iv(n, x, 0) : NAN;
}

#if defined(_MSC_VER)
double dts_y0(double x) { return _y0(x); }
double dts_y1(double x) { return _y1(x); }
static double integral_y(int n, double x) { return _yn(n, x); }
#else
double dts_y0(double x) { return y0(x); }
double dts_y1(double x) { return y1(x); }
static double integral_y(int n, double x) { return yn(n, x); }
#endif

double dts_yn(double n, double x) {
    if (n != floor(n) || fabs(n) > 1e6) return NAN;
    if (n < 0.0) return fmod(n, 2.0) == 0.0 ? dts_yn(-n, x) : -dts_yn(-n, x);
    return integral_y((int)n, x);
}

double dts_rgamma(double x) { return x <= 0.0 && x == floor(x) ? 0.0 : 1.0 / tgamma(x); }

/* With y_k the k-th derivative, y_1 = 2 x y - 2/sqrt(pi) and y_{k+1} = 2 x y_k + 2 k y_{k-1}. On the left the terms are
 * of one sign. On the right they cancel, and the derivatives are the minimal solution: r_k = -y_k / y_{k-1} follows
 * from the continued fraction r_k = 2 k / (2 x + r_{k+1}). */
double dts_erfcx_n(double n, double x) {
    int k = order(n), j, start;
    double y, before, next, r, product = 1.0;
    if (k < 0 || !dt_special.erfcx) return NAN;
    y = dt_special.erfcx(x, 0);
    if (k == 0) return y;
    if (x < 0.75) {
        before = y;
        y = 2.0 * (x * y - DTS_INV_SQRT_PI);
        for (j = 1; j < k; j++) {
            next = 2.0 * (x * y + j * before);
            before = y;
            y = next;
        }
        return y;
    }
    start = k + 40 + (int)(400.0 / (x * x));
    r = sqrt(2.0 * start);
    for (j = start; j >= 1; j--) {
        r = 2.0 * j / (2.0 * x + r);
        if (j <= k) product *= -r;
    }
    return y * product;
}

#define DTS_ONE(name) \
    double dts_##name(double x) { return dt_special.name ? dt_special.name(x, 0) : NAN; }
#define DTS_TWO(name) \
    double dts_##name(double x, double y) { return dt_special.name ? dt_special.name(x, y, 0) : NAN; }
#define DTS_THREE(name) \
    double dts_##name(double x, double y, double z) { return dt_special.name ? dt_special.name(x, y, z, 0) : NAN; }

DTS_ONE(i0e)
DTS_ONE(i1e)
DTS_ONE(erfinv)
DTS_ONE(erfcinv)
DTS_ONE(ndtri)
DTS_ONE(k0)
DTS_ONE(k1)
DTS_TWO(ive)
DTS_TWO(yv)
DTS_TWO(kv)
DTS_TWO(beta)
DTS_TWO(betaln)
DTS_TWO(gammainc)
DTS_TWO(gammaincc)
DTS_THREE(betainc)
DTS_THREE(hyp1f1)
