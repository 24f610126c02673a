/* The reverse sweep over nodes on numbers that are not all float64: float32, complex128, and what becomes of one kind
 * from another. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-trapping-math") /* as in array.c */
#endif

#include <math.h>

#include "runs.h"
#include "tape.h"
#include "typed.h"

/* --- float32: one axis ----------------------------------------------------------------------------------------- */

static inline float product(float w, float d, int strict) {
    const float p = w * d;
    if (strict) return p;
    const float q = w == 0.0f ? 0.0f : p;
    return d == 0.0f ? 0.0f : q;
}

DT_CLONES static void add_run(float *restrict bar, int64_t bs, const float *restrict w, int64_t ws, int64_t n, float sign) {
    if (bs == 1 && ws == 1) {
        for (int64_t i = 0; i < n; i++) bar[i] += sign * w[i];
    } else if (bs == 0) {
        double total = 0.0;
        for (int64_t i = 0; i < n; i++) total += w[i * ws];
        *bar += sign * (float)total;
    } else {
        for (int64_t i = 0; i < n; i++) bar[i * bs] += sign * w[i * ws];
    }
}

DT_ALWAYS_INLINE void add_products_as(float *restrict bar, int64_t bs, const float *restrict w, int64_t ws,
                                      const float *restrict d, int64_t ds, int64_t n, const int strict) {
    if (bs == 1 && ws == 1 && ds == 1) {
        for (int64_t i = 0; i < n; i++) bar[i] += product(w[i], d[i], strict);
    } else if (bs == 1 && ws == 1 && ds == 0) {
        const float factor = *d;
        for (int64_t i = 0; i < n; i++) bar[i] += product(w[i], factor, strict);
    } else if (bs == 0) {
        double total = 0.0;
        for (int64_t i = 0; i < n; i++) total += product(w[i * ws], d[i * ds], strict);
        *bar += (float)total;
    } else {
        for (int64_t i = 0; i < n; i++) bar[i * bs] += product(w[i * ws], d[i * ds], strict);
    }
}

DT_CLONES static void add_products(float *bar, int64_t bs, const float *w, int64_t ws, const float *d, int64_t ds,
                                   int64_t n, int strict) {
    if (strict)
        add_products_as(bar, bs, w, ws, d, ds, n, 1);
    else
        add_products_as(bar, bs, w, ws, d, ds, n, 0);
}

static const float *packed(const float *x, int64_t step, int64_t n, float *room) {
    if (!x || step == 1) return x;
    for (int64_t i = 0; i < n; i++) room[i] = x[i * step];
    return room;
}

static const double *widened(const char *p, int64_t step, int64_t n, double *room) {
    const float *x = (const float *)p;
    if (!x) return NULL;
    for (int64_t i = 0; i < n; i++) room[i] = x[i * step];
    return room;
}

static void unary_loop(const dt_ufunc *f, const float *x, float *out, int64_t n) {
    char *args[2] = {(char *)x, (char *)out};
    const intptr_t dimensions[1] = {n}, strides[2] = {4, 4};
    f->loop(args, dimensions, strides, f->data);
}

/* 4 e / (1 + e)^2, in place */
DT_CLONES static void sech2_of_exp(float *e, int64_t n) {
    for (int64_t i = 0; i < n; i++) e[i] = 4.0f * e[i] / ((1.0f + e[i]) * (1.0f + e[i]));
}

/* c / x */
DT_CLONES static void divide(float *restrict d, const float *restrict x, int64_t n, float c) {
    for (int64_t i = 0; i < n; i++) d[i] = c / x[i];
}

/* The slope by operand k, in single precision, at contiguous points: of rows that are arithmetic, or for which NumPy
 * has a vector loop. Whether the row is one of those. */
static int single_slopes(const dt_shadows *s, int row, int k, int64_t n, const float *x, const float *y,
                         const float *out, float *d) {
    const dt_ufunc *f;
    switch (row) {
        case DT_DIV:
            divide(d, y, n, 1.0f);
            if (k)
                for (int64_t i = 0; i < n; i++) d[i] *= -out[i];
            return 1;
        case DT_SQUARE:
            for (int64_t i = 0; i < n; i++) d[i] = 2.0f * x[i];
            return 1;
        case DT_SQRT:
            divide(d, out, n, 0.5f);
            return 1;
        case DT_RECIPROCAL:
            for (int64_t i = 0; i < n; i++) d[i] = -out[i] * out[i];
            return 1;
        case DT_EXP:
            memcpy(d, out, (size_t)n * sizeof *d);
            return 1;
        case DT_TANH:
            f = dt_loop_of(s, DT_FLOAT, DT_EXP);
            if (n < 8 || !f->loop) return 0;
            for (int64_t i = 0; i < n; i++) d[i] = -2.0f * fabsf(x[i]);
            unary_loop(f, d, d, n);
            sech2_of_exp(d, n);
            return 1;
        case DT_SIN:
        case DT_COS:
            f = dt_loop_of(s, DT_FLOAT, row == DT_SIN ? DT_COS : DT_SIN);
            if (n < 8 || !f->loop) return 0;
            unary_loop(f, x, d, n);
            if (row == DT_COS)
                for (int64_t i = 0; i < n; i++) d[i] = -d[i];
            return 1;
        default:
            return 0;
    }
}

void dt_run_float(const dt_run *r) {
    const dt_array_node *node = r->node;
    const dt_run_operand *x = r->x;
    const float *w = (const float *)r->w;
    float *bars[3] = {(float *)x[0].bar, NULL, NULL};
    for (int k = 1; k < node->arity; k++) bars[k] = (float *)x[k].bar;
    switch (node->row) {
        case DT_ADD:
        case DT_POS:
        case DT_SUB:
        case DT_NEG:
            for (int k = 0; k < node->arity; k++)
                if (bars[k])
                    add_run(bars[k], x[k].bs, w, r->ws, r->n,
                            node->row == DT_NEG || (node->row == DT_SUB && k) ? -1.0f : 1.0f);
            return;
        case DT_MUL:
            for (int k = 0; k < 2; k++)
                if (bars[k])
                    add_products(bars[k], x[k].bs, w, r->ws, (const float *)x[1 - k].value, x[1 - k].vs, r->n,
                                 r->strict);
            return;
        default:
            break;
    }
    double rooms[4][DT_RUN], d[3][DT_RUN];
    double *const ds[3] = {d[0], d[1], d[2]};
    float narrow[3][DT_RUN], slope[DT_RUN];
    for (int64_t start = 0; start < r->n; start += DT_RUN) {
        const int64_t m = r->n - start < DT_RUN ? r->n - start : DT_RUN;
        const char *v[4] = {NULL, NULL, NULL, r->out ? r->out + 4 * start * r->os : NULL};
        const float *near[2] = {NULL, NULL};
        for (int k = 0; k < node->arity; k++) {
            v[k] = x[k].value ? x[k].value + 4 * start * x[k].vs : NULL;
            if (k < 2) near[k] = packed((const float *)v[k], x[k].vs, m, narrow[k]);
        }
        const float *out = packed((const float *)v[3], r->os, m, narrow[2]);
        int wide = 0; /* whether the slopes are there in double precision */
        for (int k = 0; k < node->arity; k++) {
            if (!bars[k]) continue;
            if (wide || !single_slopes(r->s, node->row, k, m, near[0], near[1], out, slope)) {
                if (!wide)
                    dt_slopes(r->s, node->row, m, widened(v[0], x[0].vs, m, rooms[0]),
                              node->arity > 1 ? widened(v[1], x[1].vs, m, rooms[1]) : NULL,
                              node->arity > 2 ? widened(v[2], x[2].vs, m, rooms[2]) : NULL,
                              widened(v[3], r->os, m, rooms[3]), ds);
                wide = 1;
                for (int64_t i = 0; i < m; i++) slope[i] = (float)d[k][i];
            }
            add_products(bars[k] + start * x[k].bs, x[k].bs, w + start * r->ws, r->ws, slope, 1, m, r->strict);
        }
    }
}

/* --- from one kind to another ---------------------------------------------------------------------------------- */

#define ADD_CAST(FROM, FROM_STEP, TO) \
    { \
        const FROM *w = (const FROM *)r->w; \
        TO *bar = (TO *)r->x[0].bar; \
        if (r->x[0].bs == 0) { \
            double total = 0.0; \
            for (int64_t i = 0; i < r->n; i++) total += w[FROM_STEP * i * r->ws]; \
            *bar += (TO)total; \
        } else { \
            for (int64_t i = 0; i < r->n; i++) bar[i * r->x[0].bs] += (TO)w[FROM_STEP * i * r->ws]; \
        } \
    }

/* The adjoint of a real number is real. */
static void run_cast(const dt_run *r) {
    const int from = r->node->elements >> 2, to = r->node->elements & 3;
    if (from == DT_FLOAT)
        ADD_CAST(float, 1, double)
    else if (from == DT_DOUBLE)
        ADD_CAST(double, 1, float)
    else if (to == DT_FLOAT)
        ADD_CAST(double, 2, float)
    else
        ADD_CAST(double, 2, double)
}

static void run(const dt_run *r) {
    const int kind = r->node->elements & 3;
    if (r->node->row >= DT_CAST)
        run_cast(r);
    else if (kind == DT_COMPLEX)
        dt_run_complex(r);
    else
        dt_run_float(r);
}

/* --- elementwise ----------------------------------------------------------------------------------------------- */

/* The one step in which all axes are gone through: 1 where there are no steps, 0 where all are; -1 where there is none. */
static int64_t only_step(const int64_t *steps, const dt_array_node *node) {
    if (!steps) return 1;
    if (node->nd == 1) return steps[0];
    for (int k = 0; k < node->nd; k++)
        if (steps[k] != 0) return -1;
    return 0;
}

/* The adjoint of what a node overwrote, taken out: in contiguous memory of its own. */
static char *taken(const dt_shadows *s, const dt_array_node *node, char *bar, int64_t size) {
    char *w = s->take((size_t)(node->n * size));
    int64_t place[32] = {0};
    if (!w) return NULL;
    const int64_t last = only_step(node->out.bstep, node);
    const int64_t inner = last != -1 || node->nd == 0 ? node->n : node->shape[node->nd - 1];
    const int64_t step = last != -1 ? last : node->out.bstep[node->nd - 1];
    for (int64_t i = 0; i < node->n; i += inner) {
        for (int64_t j = 0; j < inner; j++) {
            memcpy(w + (i + j) * size, bar + j * step * size, (size_t)size);
            memset(bar + j * step * size, 0, (size_t)size);
        }
        for (int k = node->nd - 2; k >= 0 && last == -1; k--) {
            bar += node->out.bstep[k] * size;
            if (++place[k] < node->shape[k]) break;
            bar -= node->shape[k] * node->out.bstep[k] * size;
            place[k] = 0;
        }
    }
    return w;
}

static void go(dt_run *r, const int64_t *wstep) {
    const dt_array_node *node = r->node;
    const int64_t xsize = dt_size_of(node->elements & 3), osize = dt_size_of(node->elements >> 2);
    const int64_t ws = only_step(wstep, node), os = r->out ? only_step(node->out.vstep, node) : 0;
    int flat = ws != -1 && os != -1;
    for (int k = 0; k < node->arity; k++) {
        const dt_operand *x = &node->x[k];
        r->x[k].vs = x->value ? only_step(x->vstep, node) : 0;
        r->x[k].bs = x->storage == DT_NONE ? 0 : only_step(x->bstep, node);
        flat = flat && r->x[k].vs != -1 && r->x[k].bs != -1;
    }
    if (flat || node->nd <= 1) { /* a step of -1 may be one */
        r->ws = ws;
        r->os = os;
        r->n = node->n;
        run(r);
        return;
    }
    int64_t place[32] = {0};
    const int last = node->nd - 1;
    r->n = node->shape[last];
    r->ws = dt_step_of(wstep, node, last);
    r->os = dt_step_of(node->out.vstep, node, last);
    for (int k = 0; k < node->arity; k++) {
        r->x[k].vs = node->x[k].value ? dt_step_of(node->x[k].vstep, node, last) : 0;
        r->x[k].bs = node->x[k].storage == DT_NONE ? 0 : dt_step_of(node->x[k].bstep, node, last);
    }
    for (int64_t i = 0; i < node->n; i += r->n) {
        run(r);
        for (int k = last - 1; k >= 0; k--) {
            const int64_t m = node->shape[k];
            const int wraps = ++place[k] == m;
            const int64_t by = wraps ? 1 - m : 1;
            r->w += by * dt_step_of(wstep, node, k) * osize;
            if (r->out) r->out += by * dt_step_of(node->out.vstep, node, k) * osize;
            for (int j = 0; j < node->arity; j++) {
                dt_run_operand *x = &r->x[j];
                if (x->value) x->value += by * dt_step_of(node->x[j].vstep, node, k) * xsize;
                if (x->bar && node->x[j].storage != DT_NONE) x->bar += by * dt_step_of(node->x[j].bstep, node, k) * xsize;
            }
            if (!wraps) break;
            place[k] = 0;
        }
    }
}

static void reverse_elementwise(const dt_array_node *node, dt_shadows *s, double *scalar_bars, int strict) {
    const int64_t xsize = dt_size_of(node->elements & 3), osize = dt_size_of(node->elements >> 2);
    double totals[3][2] = {{0.0}};
    const int64_t *wstep = node->out.bstep;
    int active = 0;
    dt_run r;
    if (!s->bar[node->out.storage]) return;
    char *w = (char *)s->bar[node->out.storage] + node->out.at * osize;
    if (node->overwrites) {
        w = taken(s, node, w, osize);
        if (!w) {
            s->failed = 1;
            return;
        }
        wstep = NULL;
    }
    for (int k = 0; k < node->arity; k++) {
        const dt_operand *x = &node->x[k];
        r.x[k].value = (const char *)x->value;
        r.x[k].bar = NULL;
        if (x->storage != DT_NONE) {
            double *bar = dt_shadow(s, x->storage);
            if (!bar) goto done;
            r.x[k].bar = (char *)bar + x->at * xsize;
            active = 1;
        } else if (x->scalar != DT_NONE) {
            r.x[k].bar = (char *)totals[k];
            active = 1;
        }
    }
    if (active && node->n) {
        r.s = s;
        r.node = node;
        r.w = w;
        r.out = (const char *)node->out.value;
        r.strict = strict;
        go(&r, wstep);
        for (int k = 0; k < node->arity; k++)
            if (node->x[k].storage == DT_NONE && node->x[k].scalar != DT_NONE)
                scalar_bars[node->x[k].scalar] += totals[k][0];
    }
done:
    if (node->overwrites)
        s->give(w);
    else
        dt_shadow_drop(s, node->out.storage);
}

/* --- matrix products ------------------------------------------------------------------------------------------- */

/* A conjugated copy of a matrix, in C order; NULL where there is no memory. */
static char *conjugated(const dt_shadows *s, const char *p, int64_t rows, int64_t columns, int64_t r, int64_t c) {
    double *to = s->take((size_t)(16 * rows * columns));
    if (!to) return NULL;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const double *x = (const double *)p + 2 * (i * r + j * c);
            to[2 * (i * columns + j)] = x[0];
            to[2 * (i * columns + j) + 1] = -x[1];
        }
    return (char *)to;
}

/* c += a b for an m x k and a k x n matrix, with steps between rows and columns. */
static int multiply(const dt_shadows *s, int kind, int64_t m, int64_t k, int64_t n, const char *a, int64_t ar,
                    int64_t ac, const char *b, int64_t br, int64_t bc, char *c, int64_t cr, int64_t cc) {
    const int64_t size = dt_size_of(kind);
    const dt_ufunc *matmul = dt_loop_of(s, kind, DT_ROWS);
    double room[2 * 64];
    char *to = m * n <= 64 ? (char *)room : s->take((size_t)(m * n * size));
    if (!to) return 0;
    char *args[3] = {(char *)a, (char *)b, to};
    const intptr_t dimensions[4] = {1, m, k, n};
    const intptr_t strides[9] = {0, 0, 0, size * ar, size * ac, size * br, size * bc, size * n, size};
    matmul->loop(args, dimensions, strides, matmul->data);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            char *bar = c + size * (i * cr + j * cc);
            const char *part = to + size * (i * n + j);
            if (kind == DT_FLOAT) {
                *(float *)bar += *(const float *)part;
            } else {
                ((double *)bar)[0] += ((const double *)part)[0];
                ((double *)bar)[1] += ((const double *)part)[1];
            }
        }
    if (to != (char *)room) s->give(to);
    return 1;
}

/* out = x y: bar(x) += bar(out) y^H, bar(y) += x^H bar(out) */
static void reverse_matmul(const dt_array_node *node, dt_shadows *s) {
    const int64_t m = node->shape[0], k = node->shape[1], n = node->shape[2];
    const int kind = node->elements & 3;
    const int64_t size = dt_size_of(kind);
    if (!s->bar[node->out.storage]) return;
    const char *w = (const char *)s->bar[node->out.storage] + node->out.at * size;
    const int64_t wr = node->out.bstep[0], wc = node->out.bstep[1];
    for (int side = 0; side < 2 && !s->failed; side++) {
        const dt_operand *x = &node->x[side], *y = &node->x[1 - side];
        if (x->storage == DT_NONE || m * k * n == 0) continue;
        double *shadow = dt_shadow(s, x->storage);
        if (!shadow) return;
        char *bar = (char *)shadow + x->at * size;
        const char *v = (const char *)y->value;
        int64_t vr = y->vstep[0], vc = y->vstep[1];
        if (kind == DT_COMPLEX) {
            const int64_t columns = side ? k : n;
            v = conjugated(s, v, side ? m : k, columns, vr, vc);
            vr = columns;
            vc = 1;
        }
        if (!v)
            s->failed = 1;
        else if (side == 0)
            s->failed |= !multiply(s, kind, m, n, k, w, wr, wc, v, vc, vr, bar, x->bstep[0], x->bstep[1]);
        else
            s->failed |= !multiply(s, kind, k, m, n, v, vc, vr, w, wr, wc, bar, x->bstep[0], x->bstep[1]);
        if (kind == DT_COMPLEX && v) s->give((void *)v);
    }
    dt_shadow_drop(s, node->out.storage);
}

void dt_reverse_typed(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict) {
    if (node->kind == DT_TYPED + DT_MATMUL)
        reverse_matmul(node, s);
    else
        reverse_elementwise(node, s, scalar_bars, strict);
    (void)index;
}
