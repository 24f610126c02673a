/* Loops along one axis, and slopes at its points. */
#if defined(__GNUC__) && !defined(__clang__)
/* No one asks which floating-point exceptions were raised: so `x == 0 ? 0 : p` becomes a mask, and loops vectors.
 * AVX-512 brings fused operations, which are left out: all clones are to give the same bits. */
#pragma GCC optimize("no-trapping-math", "fp-contract=off")
#endif

#include "runs.h"

#include <math.h>

#include "arithmetic.h"

/* bar += sign * w */
DT_WIDE_CLONES void dt_add_run(double *restrict bar, int64_t bs, const double *restrict w, int64_t ws, int64_t n,
                               double sign) {
    if (bs == 1 && ws == 1) {
        if (sign > 0.0)
            for (int64_t i = 0; i < n; i++) bar[i] += w[i];
        else
            for (int64_t i = 0; i < n; i++) bar[i] -= w[i];
    } else if (bs == 1 && ws == 0) {
        const double by = sign * *w;
        for (int64_t i = 0; i < n; i++) bar[i] += by;
    } else if (bs == 0) {
        double totals[4] = {0.0, 0.0, 0.0, 0.0};
        int64_t i = 0;
        for (; i + 4 <= n; i += 4)
            for (int k = 0; k < 4; k++) totals[k] += w[(i + k) * ws];
        for (; i < n; i++) totals[0] += w[i * ws];
        *bar += sign * ((totals[0] + totals[1]) + (totals[2] + totals[3]));
    } else {
        for (int64_t i = 0; i < n; i++) bar[i * bs] += sign * w[i * ws];
    }
}

/* bar += w * d */
DT_ALWAYS_INLINE void add_products_as(double *restrict bar, int64_t bs, const double *restrict w, int64_t ws,
                                      const double *restrict d, int64_t ds, int64_t n, const int strict) {
    if (bs == 1 && ws == 1 && ds == 1) {
        for (int64_t i = 0; i < n; i++) bar[i] += dt_product(w[i], d[i], strict);
    } else if (bs == 1 && ws == 1 && ds == 0) {
        const double factor = *d;
        for (int64_t i = 0; i < n; i++) bar[i] += dt_product(w[i], factor, strict);
    } else if (bs == 0 && ws == 1 && ds == 1) {
        double totals[4] = {0.0, 0.0, 0.0, 0.0};
        int64_t i = 0;
        for (; i + 4 <= n; i += 4)
            for (int k = 0; k < 4; k++) totals[k] += dt_product(w[i + k], d[i + k], strict);
        for (; i < n; i++) totals[0] += dt_product(w[i], d[i], strict);
        *bar += (totals[0] + totals[1]) + (totals[2] + totals[3]);
    } else if (bs == 0) {
        double total = 0.0;
        for (int64_t i = 0; i < n; i++) total += dt_product(w[i * ws], d[i * ds], strict);
        *bar += total;
    } else {
        for (int64_t i = 0; i < n; i++) bar[i * bs] += dt_product(w[i * ws], d[i * ds], strict);
    }
}

DT_WIDE_CLONES void dt_add_products(double *bar, int64_t bs, const double *w, int64_t ws, const double *d, int64_t ds,
                                    int64_t n, int strict) {
    if (strict)
        add_products_as(bar, bs, w, ws, d, ds, n, 1);
    else
        add_products_as(bar, bs, w, ws, d, ds, n, 0);
}

DT_WIDE_CLONES void dt_put_run(double *to, int64_t ts, const double *w, int64_t ws, int64_t n, double sign,
                               int sets) {
    if (!sets) {
        dt_add_run(to, ts, w, ws, n, sign);
        return;
    }
    if (ts == 1 && ws == 1)
        for (int64_t i = 0; i < n; i++) to[i] = sign * w[i];
    else
        for (int64_t i = 0; i < n; i++) to[i * ts] = sign * w[i * ws];
}

DT_WIDE_CLONES void dt_put_products(double *to, int64_t ts, const double *w, int64_t ws, const double *d, int64_t ds,
                                    int64_t n, int strict, int sets) {
    if (!sets) {
        dt_add_products(to, ts, w, ws, d, ds, n, strict);
        return;
    }
    if (ts == 1 && ws == 1 && ds == 1)
        for (int64_t i = 0; i < n; i++) to[i] = dt_product(w[i], d[i], strict);
    else
        for (int64_t i = 0; i < n; i++) to[i * ts] = dt_product(w[i * ws], d[i * ds], strict);
}

DT_WIDE_CLONES void dt_scale(double *restrict w, const double *restrict d, int64_t n, int strict) {
    if (strict)
        for (int64_t i = 0; i < n; i++) w[i] *= d[i];
    else
        for (int64_t i = 0; i < n; i++) w[i] = dt_product(w[i], d[i], 0);
}

const double *dt_packed(const double *x, int64_t step, int64_t n, double *room) {
    if (!x || step == 1) return x;
    if (step == 0)
        for (int64_t i = 0; i < n; i++) room[i] = *x;
    else
        for (int64_t i = 0; i < n; i++) room[i] = x[i * step];
    return room;
}

static void unary_loop(const dt_ufunc *f, const double *x, double *out, int64_t n) {
    char *args[2] = {(char *)x, (char *)out};
    const intptr_t dimensions[1] = {n}, strides[2] = {8, 8};
    f->loop(args, dimensions, strides, f->data);
}

/* 4 e / (1 + e)^2, in place */
DT_WIDE_CLONES static void sech2_of_exp(double *e, int64_t n, double scale) {
    for (int64_t i = 0; i < n; i++) e[i] = scale * e[i] / ((1.0 + e[i]) * (1.0 + e[i]));
}

DT_WIDE_CLONES static void minus_size(double *restrict out, const double *restrict x, int64_t n, double scale) {
    for (int64_t i = 0; i < n; i++) out[i] = -scale * fabs(x[i]);
}

/* The slopes of a row at contiguous points. Those that are themselves elementary functions go through NumPy's vector
 * loops: sech^2 from exp(-2|x|), which loses nothing where tanh is flat, unlike 1 - tanh^2. */
void dt_slopes(const dt_shadows *s, uint16_t row, int64_t n, const double *x, const double *y, const double *z,
                   const double *out, double *const *d) {
    double *d0 = d[0];
    if (row == DT_TANH || row == DT_SIGMOID) {
        const double slope = row == DT_TANH ? 2.0 : 1.0;
        if (n >= 8 && s->ufuncs[DT_EXP].loop) {
            minus_size(d0, x, n, slope);
            unary_loop(&s->ufuncs[DT_EXP], d0, d0, n);
            sech2_of_exp(d0, n, slope * slope);
        } else {
            for (int64_t i = 0; i < n; i++) {
                const double e = exp(-slope * fabs(x[i]));
                d0[i] = slope * slope * e / ((1.0 + e) * (1.0 + e));
            }
        }
    } else if (n >= 8 && row == DT_SIN && s->ufuncs[DT_COS].loop) {
        unary_loop(&s->ufuncs[DT_COS], x, d0, n);
    } else if (n >= 8 && row == DT_COS && s->ufuncs[DT_SIN].loop) {
        unary_loop(&s->ufuncs[DT_SIN], x, d0, n);
        for (int64_t i = 0; i < n; i++) d0[i] = -d0[i];
    } else {
        s->rows[row].slopes(n, x, y, z, out, d);
    }
}
