/* The reverse sweep over nodes on arrays. */
#if defined(__GNUC__) && !defined(__clang__)
/* No one asks which floating-point exceptions were raised: so `x == 0 ? 0 : p` becomes a mask, and loops vectors. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"
#include "tape.h"

/* --- one axis ------------------------------------------------------------------------------------------------------- */

typedef struct {
    const double *value;
    double *bar;
    int64_t vs, bs;
    int sets; /* the adjoint is made by this node, which gives each of its numbers */
} run_operand;

static void run(const dt_shadows *s, const dt_array_node *node, int64_t n, const double *w, int64_t ws,
                const double *out, int64_t os, const run_operand *x, int strict) {
    const int row = node->row;
    switch (row) {
        case DT_ADD:
        case DT_POS:
            for (int k = 0; k < node->arity; k++)
                if (x[k].bar) dt_put_run(x[k].bar, x[k].bs, w, ws, n, 1.0, x[k].sets);
            return;
        case DT_SUB:
            if (x[0].bar) dt_put_run(x[0].bar, x[0].bs, w, ws, n, 1.0, x[0].sets);
            if (x[1].bar) dt_put_run(x[1].bar, x[1].bs, w, ws, n, -1.0, x[1].sets);
            return;
        case DT_NEG:
            dt_put_run(x[0].bar, x[0].bs, w, ws, n, -1.0, x[0].sets);
            return;
        case DT_MUL:
            if (x[0].bar) dt_put_products(x[0].bar, x[0].bs, w, ws, x[1].value, x[1].vs, n, strict, x[0].sets);
            if (x[1].bar) dt_put_products(x[1].bar, x[1].bs, w, ws, x[0].value, x[0].vs, n, strict, x[1].sets);
            return;
        default:
            break;
    }
    double rooms[4][DT_RUN], d[3][DT_RUN];
    double *const ds[3] = {d[0], d[1], d[2]};
    for (int64_t start = 0; start < n; start += DT_RUN) {
        const int64_t m = n - start < DT_RUN ? n - start : DT_RUN;
        const double *v[3] = {NULL, NULL, NULL};
        for (int k = 0; k < node->arity; k++)
            v[k] = x[k].value ? dt_packed(x[k].value + start * x[k].vs, x[k].vs, m, rooms[k]) : NULL;
        const double *o = out ? dt_packed(out + start * os, os, m, rooms[3]) : NULL;
        dt_slopes(s, node->row, m, v[0], v[1], v[2], o, ds);
        for (int k = 0; k < node->arity; k++)
            if (x[k].bar)
                dt_put_products(x[k].bar + start * x[k].bs, x[k].bs, w + start * ws, ws, d[k], 1, m, strict, x[k].sets);
    }
}

/* --- elementwise ----------------------------------------------------------------------------------------------- */

/* The adjoint of what a node overwrote, taken out: in contiguous memory of its own. */
static double *taken(const dt_shadows *s, const dt_array_node *node, double *bar, double *room) {
    double *w = node->n <= DT_RUN ? room : s->take((size_t)node->n * sizeof(double));
    if (!w) return NULL;
    if (!node->out.bstep || node->nd == 0) {
        memcpy(w, bar, (size_t)node->n * sizeof(double));
        memset(bar, 0, (size_t)node->n * sizeof(double));
        return w;
    }
    int64_t place[32] = {0};
    const int last = node->nd - 1;
    const int64_t inner = node->shape[last], step = node->out.bstep[last];
    int64_t i = 0;
    double *p = bar;
    while (i < node->n) {
        for (int64_t j = 0; j < inner; j++) {
            w[i + j] = p[j * step];
            p[j * step] = 0.0;
        }
        i += inner;
        for (int k = last - 1; k >= 0; k--) {
            p += node->out.bstep[k];
            if (++place[k] < node->shape[k]) break;
            p -= node->shape[k] * node->out.bstep[k];
            place[k] = 0;
        }
    }
    return w;
}

/* Whether the adjoint of a node's result, which is done with, can become that of its first operand as it is. */
static int inherits_adjoint(const dt_array_node *node) {
    if (node->row != DT_ADD && node->row != DT_SUB && node->row != DT_POS) return 0;
    if (node->overwrites || node->out.storage == DT_NONE || node->out.at || node->out.bstep) return 0;
    return !node->x[0].at && !node->x[0].bstep;
}

static void reverse_elementwise(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index,
                                int strict) {
    double room[DT_RUN];
    double *w;
    const int64_t *wstep = node->out.bstep;
    int64_t zero_steps[32];
    if (node->out.storage == DT_NONE) { /* a sum to a scalar */
        w = &scalar_bars[index];
        if (*w == 0.0 && !strict) return;
        memset(zero_steps, 0, sizeof zero_steps);
        wstep = zero_steps;
    } else {
        double *bar = s->bar[node->out.storage];
        if (!bar) return;
        w = bar + node->out.at;
        if (node->overwrites) {
            w = taken(s, node, w, room);
            if (!w) {
                s->failed = 1;
                return;
            }
            wstep = NULL;
        }
    }
    run_operand x[3];
    double totals[3] = {0.0, 0.0, 0.0};
    int flat = wstep == NULL, active = 0, inherits = 0;
    for (int k = 0; k < node->arity; k++) {
        const dt_operand *operand = &node->x[k];
        x[k].value = operand->value;
        x[k].bar = NULL;
        x[k].sets = 0;
        if (operand->storage != DT_NONE) {
            if (!s->bar[operand->storage]) {
                x[k].sets = dt_goes_through_all(node, s->size[operand->storage], k);
                if (k == 0 && x[k].sets && inherits_adjoint(node)) {
                    inherits = active = 1;
                    continue;
                }
            }
            double *bar = x[k].sets ? dt_shadow_make(s, operand->storage, 0) : dt_shadow(s, operand->storage);
            if (!bar) goto done;
            x[k].bar = bar + operand->at;
            active = 1;
            flat = flat && !operand->bstep;
        } else if (operand->scalar != DT_NONE) {
            x[k].bar = &totals[k];
            active = 1;
        }
        flat = flat && (!operand->value || !operand->vstep || operand->storage == DT_NONE);
    }
    if (!active) goto done;
    if (node->n == 0) goto done;
    if (flat || node->nd <= 1) {
        const int axis = node->nd - 1;
        for (int k = 0; k < node->arity; k++) {
            const dt_operand *operand = &node->x[k];
            x[k].vs = operand->vstep ? (node->nd ? operand->vstep[axis] : 0) : 1;
            x[k].bs = operand->storage == DT_NONE ? 0 : operand->bstep && node->nd ? operand->bstep[axis] : 1;
        }
        if (flat && node->nd > 1) { /* scalars and constants with steps 0 on all axes stay at 0 */
            int mixed = 0;
            for (int k = 0; k < node->arity; k++)
                if (node->x[k].vstep)
                    for (int a = 0; a < node->nd; a++) mixed |= node->x[k].vstep[a] != 0;
            if (mixed) goto general;
        }
        run(s, node, node->n, w, wstep ? (node->nd ? wstep[axis] : 0) : 1, node->out.value,
            node->out.vstep && node->nd ? node->out.vstep[axis] : 1, x, strict);
        goto scalars;
    }
general: {
    int64_t place[32] = {0};
    const int last = node->nd - 1;
    const int64_t inner = node->shape[last];
    for (int k = 0; k < node->arity; k++) {
        x[k].vs = node->x[k].value ? dt_step_of(node->x[k].vstep, node, last) : 0;
        x[k].bs = node->x[k].storage == DT_NONE ? 0 : dt_step_of(node->x[k].bstep, node, last);
    }
    const double *wp = w, *op = node->out.value;
    for (int64_t i = 0; i < node->n; i += inner) {
        run(s, node, inner, wp, dt_step_of(wstep, node, last), op, dt_step_of(node->out.vstep, node, last), x, strict);
        for (int k = last - 1; k >= 0; k--) {
            const int64_t m = node->shape[k];
            const int wraps = ++place[k] == m;
            const int64_t by = wraps ? 1 - m : 1;
            wp += by * dt_step_of(wstep, node, k);
            if (op) op += by * dt_step_of(node->out.vstep, node, k);
            for (int j = 0; j < node->arity; j++) {
                if (x[j].value) x[j].value += by * dt_step_of(node->x[j].vstep, node, k);
                if (x[j].bar && node->x[j].storage != DT_NONE) x[j].bar += by * dt_step_of(node->x[j].bstep, node, k);
            }
            if (!wraps) break;
            place[k] = 0;
        }
    }
}
scalars:
    for (int k = 0; k < node->arity; k++)
        if (node->x[k].storage == DT_NONE && node->x[k].scalar != DT_NONE)
            scalar_bars[node->x[k].scalar] += totals[k];
done:
    if (node->overwrites) {
        if (w != room) s->give(w);
    } else if (inherits) {
        s->bar[node->x[0].storage] = w;
        s->bar[node->out.storage] = NULL;
    } else if (node->out.storage != DT_NONE) {
        dt_shadow_drop(s, node->out.storage);
    }
}

/* bar (+)= the adjoint of operand k of a sum, difference or product that is DT_ALIKE. `bar` may be `w`. */
static void add_alike(const dt_array_node *node, int k, double *bar, double *w, int sets, int strict) {
    const int64_t n = node->n;
    if (node->row == DT_MUL) {
        const double *y = node->x[1 - k].value;
        if (n > 16) {
            if (sets)
                dt_scale(w, y, n, strict);
            else
                dt_add_products(bar, 1, w, 1, y, 1, n, strict);
        } else if (sets)
            for (int64_t i = 0; i < n; i++) bar[i] = dt_product(w[i], y[i], strict);
        else
            for (int64_t i = 0; i < n; i++) bar[i] += dt_product(w[i], y[i], strict);
        return;
    }
    const double sign = node->row == DT_SUB && k ? -1.0 : 1.0;
    if (sets && sign > 0.0) return;
    if (n > 16)
        dt_put_run(bar, 1, w, 1, n, sign, sets);
    else if (sets)
        for (int64_t i = 0; i < n; i++) bar[i] = sign * w[i];
    else
        for (int64_t i = 0; i < n; i++) bar[i] += sign * w[i];
}

/* The adjoints of the operands of another row that is DT_ALIKE: that of the heir, if there is one, replaces `w`. */
static void add_slopes(const dt_array_node *node, const dt_shadows *s, double *w, double *const *bars, int heir,
                       int strict) {
    double rooms[2][DT_RUN];
    double *const rooms_of[3] = {rooms[0], rooms[1], NULL};
    for (int64_t start = 0; start < node->n; start += DT_RUN) {
        const int64_t m = node->n - start < DT_RUN ? node->n - start : DT_RUN;
        const double *v[2] = {NULL, NULL}, *out = node->out.value ? node->out.value + start : NULL;
        const double *d[2] = {rooms[0], rooms[1]};
        for (int k = 0; k < node->arity; k++) v[k] = node->x[k].value ? node->x[k].value + start : NULL;
        if (node->row == DT_EXP && out)
            d[0] = out;
        else
            dt_slopes(s, node->row, m, v[0], v[1], NULL, out, rooms_of);
        for (int k = 0; k < node->arity; k++) {
            if (k == heir) continue;
            double *bar = bars[k] + start;
            if (m > 16)
                dt_add_products(bar, 1, w + start, 1, d[k], 1, m, strict);
            else
                for (int64_t i = 0; i < m; i++) bar[i] += dt_product(w[start + i], d[k][i], strict);
        }
        if (heir < 0) continue;
        if (m > 16)
            dt_scale(w + start, d[heir], m, strict);
        else
            for (int64_t i = 0; i < m; i++) w[start + i] = dt_product(w[start + i], d[heir][i], strict);
    }
}

/* An adjoint that such a node makes is written and not added to, and lies in the memory of the result's adjoint, which
 * is done with. */
static void reverse_alike(const dt_array_node *node, dt_shadows *s, int strict) {
    const uint32_t id = node->out.storage;
    double *w = s->bar[id];
    if (!w) return;
    const dt_operand *x = node->x;
    double *bars[2];
    int heir = -1;
    for (int k = 0; k < node->arity && heir < 0; k++)
        if (!s->bar[x[k].storage] && s->size[x[k].storage] == node->n) heir = k;
    if (node->arity > 1 && x[0].storage == x[1].storage) heir = -1;
    for (int k = 0; k < node->arity; k++) {
        if (k == heir) {
            bars[k] = w;
            continue;
        }
        bars[k] = dt_shadow(s, x[k].storage);
        if (!bars[k]) return;
        bars[k] += x[k].at;
    }
    if (node->row > DT_MUL) {
        add_slopes(node, s, w, bars, heir, strict);
    } else {
        for (int k = 0; k < 2; k++)
            if (k != heir) add_alike(node, k, bars[k], w, 0, strict);
        if (heir >= 0) add_alike(node, heir, w, w, 1, strict);
    }
    if (heir < 0) {
        dt_shadow_drop(s, id);
        return;
    }
    s->bar[x[heir].storage] = w;
    s->bar[id] = NULL;
}

/* --- matrix products ------------------------------------------------------------------------------------------- */

/* c (+)= a b for a column and a row */
DT_CLONES static void multiply_outer(int64_t m, int64_t n, const double *a, int64_t ar, const double *b, int64_t bc,
                                     double *c, int64_t cr, int64_t cc, int add) {
    for (int64_t i = 0; i < m; i++) {
        const double f = a[i * ar];
        double *restrict to = c + i * cr;
        if (!add)
            for (int64_t j = 0; j < n; j++) to[j * cc] = 0.0;
        if (bc == 1 && cc == 1)
            for (int64_t j = 0; j < n; j++) to[j] += f * b[j];
        else
            for (int64_t j = 0; j < n; j++) to[j * cc] += f * b[j * bc];
    }
}

/* c (+)= a b where b has at most `width` columns and 8 rows. */
DT_ALWAYS_INLINE void multiply_narrow(int64_t m, int64_t k, int64_t n, const double *a, int64_t ar, int64_t ac,
                                      const double *b, int64_t br, int64_t bc, double *c, int64_t cr, int64_t cc,
                                      int add, const int width) {
    double rows[8][8], sums[8];
    for (int64_t l = 0; l < k; l++)
        for (int64_t j = 0; j < width; j++) rows[l][j] = j < n ? b[l * br + j * bc] : 0.0;
    for (int64_t i = 0; i < m; i++) {
        for (int j = 0; j < width; j++) sums[j] = 0.0;
        for (int64_t l = 0; l < k; l++) {
            const double f = a[i * ar + l * ac];
            for (int j = 0; j < width; j++) sums[j] += f * rows[l][j];
        }
        double *to = c + i * cr;
        if (add)
            for (int64_t j = 0; j < n; j++) to[j * cc] += sums[j];
        else
            for (int64_t j = 0; j < n; j++) to[j * cc] = sums[j];
    }
}

DT_CLONES static void multiply_tiny(int64_t m, int64_t k, int64_t n, const double *a, int64_t ar, int64_t ac,
                                    const double *b, int64_t br, int64_t bc, double *c, int64_t cr, int64_t cc,
                                    int add) {
    if (n == 4 && cc == 1)
        multiply_narrow(m, k, 4, a, ar, ac, b, br, bc, c, cr, 1, add, 4);
    else if (n <= 4)
        multiply_narrow(m, k, n, a, ar, ac, b, br, bc, c, cr, cc, add, 4);
    else
        multiply_narrow(m, k, n, a, ar, ac, b, br, bc, c, cr, cc, add, 8);
}

/* c (+)= a b for an m x k and a k x n matrix, with steps between rows and columns. */
void dt_multiply(dt_shadows *s, int64_t m, int64_t k, int64_t n, const double *a, int64_t ar, int64_t ac,
                     const double *b, int64_t br, int64_t bc, double *c, int64_t cr, int64_t cc, int add) {
    const dt_ufunc *matmul = &s->ufuncs[DT_ROWS];
    if (k == 1) {
        multiply_outer(m, n, a, ar, b, bc, c, cr, cc, add);
        return;
    }
    if (m <= 8 && k <= 8 && n <= 8) {
        multiply_tiny(m, k, n, a, ar, ac, b, br, bc, c, cr, cc, add);
        return;
    }
    if (m * k * n <= 1024 || !matmul->loop) {
        if (!add)
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) c[i * cr + j * cc] = 0.0;
        for (int64_t i = 0; i < m; i++)
            for (int64_t l = 0; l < k; l++) {
                const double f = a[i * ar + l * ac];
                const double *row = b + l * br;
                double *to = c + i * cr;
                if (bc == 1 && cc == 1)
                    for (int64_t j = 0; j < n; j++) to[j] += f * row[j];
                else
                    for (int64_t j = 0; j < n; j++) to[j * cc] += f * row[j * bc];
            }
        return;
    }
    double *to = c;
    int64_t tr = cr, tc = cc;
    if (add) {
        to = s->take((size_t)(m * n) * sizeof(double));
        if (!to) {
            s->failed = 1;
            return;
        }
        tr = n;
        tc = 1;
    }
    char *args[3] = {(char *)a, (char *)b, (char *)to};
    const intptr_t dimensions[4] = {1, m, k, n};
    const intptr_t strides[9] = {0, 0, 0, 8 * ar, 8 * ac, 8 * br, 8 * bc, 8 * tr, 8 * tc};
    matmul->loop(args, dimensions, strides, matmul->data);
    if (add) {
        for (int64_t i = 0; i < m; i++) dt_add_run(c + i * cr, cc, to + i * n, 1, n, 1.0);
        s->give(to);
    }
}

/* out = x y: bar(x) += bar(out) y^T, bar(y) += x^T bar(out). Steps are those of rows and columns. */
static void reverse_matmul(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict) {
    const int64_t m = node->shape[0], k = node->shape[1], n = node->shape[2];
    const double *w;
    int64_t wr = 0, wc = 0;
    if (node->out.storage == DT_NONE) {
        w = &scalar_bars[index];
        if (*w == 0.0) return;
    } else {
        w = s->bar[node->out.storage];
        if (!w) return;
        w += node->out.at;
        wr = node->out.bstep[0];
        wc = node->out.bstep[1];
    }
    for (int side = 0; side < 2; side++) {
        const dt_operand *x = &node->x[side], *y = &node->x[1 - side];
        if (x->storage == DT_NONE) continue;
        const int64_t rows = side ? k : m, columns = side ? n : k;
        const int whole = !s->bar[x->storage] && x->at == 0 && s->size[x->storage] == rows * columns &&
                          x->bstep[1] == 1 && x->bstep[0] == columns;
        double *bar = whole ? dt_shadow_make(s, x->storage, 0) : dt_shadow(s, x->storage);
        if (!bar) return;
        bar += x->at;
        const int64_t r = x->bstep[0], c = x->bstep[1];
        if (side == 0)
            dt_multiply(s, m, n, k, w, wr, wc, y->value, y->vstep[1], y->vstep[0], bar, r, c, !whole);
        else
            dt_multiply(s, k, m, n, y->value, y->vstep[1], y->vstep[0], w, wr, wc, bar, r, c, !whole);
    }
    if (node->out.storage != DT_NONE) dt_shadow_drop(s, node->out.storage);
    (void)strict;
}

void dt_reverse_array(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict) {
    if (node->kind == DT_ALIKE)
        reverse_alike(node, s, strict);
    else if (node->kind == DT_MATMUL)
        reverse_matmul(node, s, scalar_bars, index, strict);
    else if (node->kind >= DT_TYPED)
        dt_reverse_typed(node, s, scalar_bars, index, strict);
    else
        reverse_elementwise(node, s, scalar_bars, index, strict);
}
