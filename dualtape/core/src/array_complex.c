/* The reverse sweep along one axis of a node on complex numbers. The adjoint of z = x + iy is df/dx + i df/dy, so that
 * of an operand is the result's times the conjugate of the slope. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-trapping-math") /* as in array.c */
#endif

#include <math.h>

#include "arithmetic.h"
#include "typed.h"

enum { BLOCK = 128 };

typedef struct {
    double re, im;
} complex_t;

/* As NumPy divides. */
static inline complex_t divide(complex_t a, complex_t b) {
    complex_t out;
    if (fabs(b.re) >= fabs(b.im)) {
        if (b.re == 0.0 && b.im == 0.0) {
            out.re = a.re / fabs(b.re);
            out.im = a.im / fabs(b.re);
            return out;
        }
        const double ratio = b.im / b.re, scale = 1.0 / (b.re + b.im * ratio);
        out.re = (a.re + a.im * ratio) * scale;
        out.im = (a.im - a.re * ratio) * scale;
    } else {
        const double ratio = b.re / b.im, scale = 1.0 / (b.im + b.re * ratio);
        out.re = (a.re * ratio + a.im) * scale;
        out.im = (a.im * ratio - a.re) * scale;
    }
    return out;
}

/* 1 / x */
DT_CLONES static void reciprocals(complex_t *restrict d, const complex_t *restrict x, int64_t n) {
    const complex_t one = {1.0, 0.0};
    int64_t unsafe = 0;
    for (int64_t i = 0; i < n; i++) {
        const double size = x[i].re * x[i].re + x[i].im * x[i].im, scale = 1.0 / size;
        d[i].re = x[i].re * scale;
        d[i].im = -x[i].im * scale;
        unsafe |= !(size > 1e-280) | !(size < 1e280);
    }
    if (unsafe)
        for (int64_t i = 0; i < n; i++) d[i] = divide(one, x[i]);
}

static inline complex_t times(complex_t a, complex_t b) {
    const complex_t out = {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    return out;
}

static const complex_t *packed(const char *p, int64_t step, int64_t n, complex_t *room) {
    const complex_t *x = (const complex_t *)p;
    if (step == 1) return x;
    for (int64_t i = 0; i < n; i++) room[i] = x[i * step];
    return room;
}

DT_CLONES static void add(complex_t *restrict bar, int64_t bs, const complex_t *restrict w, int64_t n, double sign,
                          double sign_im) {
    if (bs == 0) {
        complex_t total = {0.0, 0.0};
        for (int64_t i = 0; i < n; i++) {
            total.re += w[i].re;
            total.im += w[i].im;
        }
        bar->re += sign * total.re;
        bar->im += sign_im * total.im;
        return;
    }
    if (bs == 1 && sign == 1.0 && sign_im == 1.0) {
        double *to = &bar->re;
        const double *from = &w->re;
        for (int64_t i = 0; i < 2 * n; i++) to[i] += from[i];
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        bar[i * bs].re += sign * w[i].re;
        bar[i * bs].im += sign_im * w[i].im;
    }
}

/* Whether all of m numbers are finite. */
DT_CLONES static int all_finite(const complex_t *z, int64_t m) {
    const double *p = &z->re;
    double zeros[8] = {0.0}, zero = 0.0;
    int64_t i = 0;
    for (; i + 8 <= 2 * m; i += 8)
        for (int k = 0; k < 8; k++) zeros[k] += 0.0 * p[i + k];
    for (; i < 2 * m; i++) zero += 0.0 * p[i];
    for (int k = 0; k < 8; k++) zero += zeros[k];
    return zero == 0.0;
}

/* bar += w times the conjugate of d */
DT_CLONES static void add_finite_products(complex_t *restrict bar, int64_t bs, const complex_t *restrict w,
                                          const complex_t *restrict d, int64_t n) {
    if (bs == 1) {
        for (int64_t i = 0; i < n; i++) {
            bar[i].re += w[i].re * d[i].re + w[i].im * d[i].im;
            bar[i].im += w[i].im * d[i].re - w[i].re * d[i].im;
        }
    } else if (bs == 0) {
        complex_t total = {0.0, 0.0};
        for (int64_t i = 0; i < n; i++) {
            total.re += w[i].re * d[i].re + w[i].im * d[i].im;
            total.im += w[i].im * d[i].re - w[i].re * d[i].im;
        }
        bar->re += total.re;
        bar->im += total.im;
    } else {
        for (int64_t i = 0; i < n; i++) {
            bar[i * bs].re += w[i].re * d[i].re + w[i].im * d[i].im;
            bar[i * bs].im += w[i].im * d[i].re - w[i].re * d[i].im;
        }
    }
}

/* The same, where a product is zero that has a factor that is, unless IEEE is asked for: 1, or -1 where w is finite. */
static void add_products(complex_t *bar, int64_t bs, const complex_t *w, const complex_t *d, int64_t n, int strict) {
    if (strict > 0 || (strict < 0 && all_finite(d, n))) {
        add_finite_products(bar, bs, w, d, n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if ((w[i].re != 0.0 || w[i].im != 0.0) && (d[i].re != 0.0 || d[i].im != 0.0))
            add_finite_products(bar + i * bs, 1, w + i, d + i, 1);
}

static void unary(const dt_shadows *s, int row, const complex_t *x, complex_t *out, int64_t n) {
    const dt_ufunc *f = dt_loop_of(s, DT_COMPLEX, row);
    char *args[2] = {(char *)x, (char *)out};
    const intptr_t dimensions[1] = {n}, strides[2] = {16, 16};
    f->loop(args, dimensions, strides, f->data);
}

/* c x^(c - 1), which is 0 for c = 0 wherever x is a number other than 0. */
static void power_slopes(const dt_shadows *s, const complex_t *x, const complex_t *y, complex_t *d, int64_t n) {
    const dt_ufunc *f = dt_loop_of(s, DT_COMPLEX, DT_POW);
    complex_t less = {y->re - 1.0, y->im};
    char *args[3] = {(char *)x, (char *)&less, (char *)d};
    const intptr_t dimensions[1] = {n}, strides[3] = {16, 0, 16};
    if (y->re == 0.0 && y->im == 0.0) {
        memset(d, 0, (size_t)n * sizeof *d);
        return;
    }
    f->loop(args, dimensions, strides, f->data);
    for (int64_t i = 0; i < n; i++) d[i] = times(*y, d[i]);
}

/* 1 - tanh^2; where that has lost digits 4 e / (1 + e)^2 with e = exp(-2 x), on the right half of the plane. */
DT_CLONES static void tanh_slopes(complex_t *restrict d, const complex_t *restrict x, const complex_t *restrict out,
                                  int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        d[i].re = 1.0 - (out[i].re - out[i].im) * (out[i].re + out[i].im);
        d[i].im = -2.0 * out[i].re * out[i].im;
    }
    for (int64_t i = 0; i < n; i++) {
        if (d[i].re * d[i].re + d[i].im * d[i].im > 0.25) continue;
        const double by = x[i].re < 0.0 ? 2.0 : -2.0, size = exp(by * x[i].re);
        const complex_t e = {size * cos(by * x[i].im), size * sin(by * x[i].im)};
        const complex_t root = {1.0 + e.re, e.im}, square = times(root, root), four = {4.0 * e.re, 4.0 * e.im};
        d[i] = divide(four, square);
    }
}

/* The slope by operand k of a row at contiguous points. */
static void slopes(const dt_shadows *s, int row, int k, int64_t n, const complex_t *x, const complex_t *y,
                   const complex_t *out, complex_t *d) {
    switch (row) {
        case DT_DIV:
            reciprocals(d, y, n);
            if (k)
                for (int64_t i = 0; i < n; i++) {
                    d[i] = times(out[i], d[i]);
                    d[i].re = -d[i].re;
                    d[i].im = -d[i].im;
                }
            break;
        case DT_SQUARE:
            for (int64_t i = 0; i < n; i++) {
                d[i].re = 2.0 * x[i].re;
                d[i].im = 2.0 * x[i].im;
            }
            break;
        case DT_RECIPROCAL:
            for (int64_t i = 0; i < n; i++) {
                d[i] = times(out[i], out[i]);
                d[i].re = -d[i].re;
                d[i].im = -d[i].im;
            }
            break;
        case DT_SQRT:
            reciprocals(d, out, n);
            for (int64_t i = 0; i < n; i++) {
                d[i].re *= 0.5;
                d[i].im *= 0.5;
            }
            break;
        case DT_LOG:
            reciprocals(d, x, n);
            break;
        case DT_SIN:
            unary(s, DT_COS, x, d, n);
            break;
        case DT_COS:
            unary(s, DT_SIN, x, d, n);
            for (int64_t i = 0; i < n; i++) {
                d[i].re = -d[i].re;
                d[i].im = -d[i].im;
            }
            break;
        case DT_SINH:
            unary(s, DT_COSH, x, d, n);
            break;
        case DT_COSH:
            unary(s, DT_SINH, x, d, n);
            break;
        case DT_TANH:
            tanh_slopes(d, x, out, n);
            break;
        default: /* DT_POW */
            power_slopes(s, x, y, d, n);
    }
}

/* w x / |x|, and 0 at 0 */
static void run_modulus(const dt_run *r) {
    const double *w = (const double *)r->w, *out = (const double *)r->out;
    const complex_t *x = (const complex_t *)r->x[0].value;
    complex_t *bar = (complex_t *)r->x[0].bar;
    for (int64_t i = 0; i < r->n; i++) {
        const double size = out[i * r->os];
        const complex_t z = x[i * r->x[0].vs];
        complex_t *to = &bar[i * r->x[0].bs];
        if (size == 0.0) continue;
        to->re += dt_times(w[i * r->ws], z.re / size, r->strict);
        to->im += dt_times(w[i * r->ws], z.im / size, r->strict);
    }
}

void dt_run_complex(const dt_run *r) {
    const dt_array_node *node = r->node;
    const int row = node->row;
    complex_t rooms[4][BLOCK], d[BLOCK];
    if (row == DT_ABS) {
        run_modulus(r);
        return;
    }
    for (int64_t start = 0; start < r->n; start += BLOCK) {
        const int64_t m = r->n - start < BLOCK ? r->n - start : BLOCK;
        const complex_t *w = packed(r->w + 16 * start * r->ws, r->ws, m, rooms[0]);
        const complex_t *v[2] = {NULL, NULL}, *out = NULL;
        if (row != DT_MUL) {
            for (int k = 0; k < node->arity && k < 2; k++)
                if (r->x[k].value)
                    v[k] = packed(r->x[k].value + 16 * start * r->x[k].vs, r->x[k].vs, m, rooms[1 + k]);
            if (r->out) out = packed(r->out + 16 * start * r->os, r->os, m, rooms[3]);
        }
        int strict = r->strict;
        if (!strict && row != DT_ADD && row != DT_SUB && all_finite(w, m)) strict = -1;
        for (int k = 0; k < node->arity && k < 2; k++) {
            if (!r->x[k].bar) continue;
            const int64_t bs = r->x[k].bs;
            complex_t *bar = (complex_t *)r->x[k].bar + start * bs;
            if (row == DT_ADD || row == DT_POS || (row == DT_SUB && k == 0)) {
                add(bar, bs, w, m, 1.0, 1.0);
            } else if (row == DT_SUB || row == DT_NEG) {
                add(bar, bs, w, m, -1.0, -1.0);
            } else if (row == DT_CONJUGATE) {
                add(bar, bs, w, m, 1.0, -1.0);
            } else if (row == DT_MUL) {
                const dt_run_operand *y = &r->x[1 - k];
                add_products(bar, bs, w, packed(y->value + 16 * start * y->vs, y->vs, m, rooms[1]), m, strict);
            } else if (row == DT_EXP) {
                add_products(bar, bs, w, out, m, strict);
            } else {
                slopes(r->s, row, k, m, v[0], v[1], out, d);
                add_products(bar, bs, w, d, m, strict);
            }
        }
    }
}
