/* Tangents, and tangents of adjoints, of elementwise nodes and sums. */
#include "lanes.h"

#include <string.h>

#include "runs.h"

/* --- nodes as loops -------------------------------------------------------------------------------------------- */

/* An operand, or the result, as the loops see it. Steps of 0 are those of scalars and constants. */
typedef struct {
    const double *value;
    double *bar, *dot, *bardot; /* NULL: zero, or not asked for */
    int64_t dot_lane, bardot_lane; /* from one lane to the next */
    int sets; /* 1: the adjoint, 2: its tangents, are made by this node, which gives each of their numbers */
    int64_t vstep[32], bstep[32];
} operand;

/* A node whose axes are merged where the steps of all operands allow. x[arity] is the result. */
typedef struct {
    const dt_array_node *node;
    dt_lanes *l;
    int nd, count;
    int64_t n, shape[32];
    operand x[4];
} loops;

typedef void (*run)(const loops *s, int64_t n);

static void read_steps(operand *x, const dt_operand *from, const dt_array_node *node) {
    const int is_array = from->storage != DT_NONE;
    for (int k = 0; k < node->nd; k++) {
        x->vstep[k] = from->value ? dt_step_of(from->vstep, node, k) : 0;
        x->bstep[k] = is_array || from->bstep ? dt_step_of(from->bstep, node, k) : 0;
    }
    x->value = from->value;
    x->bar = x->dot = x->bardot = NULL;
    x->dot_lane = x->bardot_lane = 1;
    x->sets = 0;
}

static void begin(loops *s, const dt_array_node *node, dt_lanes *l) {
    s->node = node;
    s->l = l;
    s->count = node->arity + 1;
    s->nd = node->nd;
    s->n = node->n;
    for (int k = 0; k < node->nd; k++) s->shape[k] = node->shape[k];
    for (int k = 0; k < node->arity; k++) {
        read_steps(&s->x[k], &node->x[k], node);
        s->x[k].dot = dt_lanes_dot(l, &node->x[k], node->nd, node->shape, s->x[k].bstep);
        s->x[k].dot_lane = dt_lane_of(l, &node->x[k]);
    }
    read_steps(&s->x[node->arity], &node->out, node);
    if (node->out.storage == DT_NONE) /* a sum to a scalar */
        memset(s->x[node->arity].bstep, 0, sizeof(int64_t) * 32);
}

/* Merge neighbouring axes that all operands go through as through one. */
static void merge(loops *s) {
    int last = 0;
    for (int k = 1; k < s->nd; k++) {
        int fits = 1;
        for (int j = 0; j < s->count && fits; j++)
            fits = s->x[j].vstep[last] == s->x[j].vstep[k] * s->shape[k] &&
                   s->x[j].bstep[last] == s->x[j].bstep[k] * s->shape[k];
        if (fits) {
            s->shape[last] *= s->shape[k];
        } else {
            last++;
            s->shape[last] = s->shape[k];
        }
        for (int j = 0; j < s->count; j++) {
            s->x[j].vstep[last] = s->x[j].vstep[k];
            s->x[j].bstep[last] = s->x[j].bstep[k];
        }
    }
    if (s->nd) s->nd = last + 1;
}

static inline void advance(operand *x, int axis, int64_t by) {
    if (x->value) x->value += by * x->vstep[axis];
    if (x->bar) x->bar += by * x->bstep[axis];
    if (x->dot) x->dot += by * x->bstep[axis];
    if (x->bardot) x->bardot += by * x->bstep[axis];
}

/* All runs along the last axis. */
static void each(loops *s, run f) {
    int64_t place[32] = {0};
    const int last = s->nd - 1;
    if (s->n == 0) return;
    if (s->nd == 0) {
        s->nd = 1; /* one number */
        for (int j = 0; j < s->count; j++) s->x[j].vstep[0] = s->x[j].bstep[0] = 0;
        f(s, 1);
        return;
    }
    const int64_t inner = s->shape[last];
    for (int64_t i = 0; i < s->n; i += inner) {
        f(s, inner);
        for (int k = last - 1; k >= 0; k--) {
            const int wraps = ++place[k] == s->shape[k];
            for (int j = 0; j < s->count; j++) advance(&s->x[j], k, wraps ? 1 - s->shape[k] : 1);
            if (!wraps) break;
            place[k] = 0;
        }
    }
}

/* --- elementwise ----------------------------------------------------------------------------------------------- */

static const int PLACE[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};

/* Of up to DT_RUN points from `start` on: operands and result in contiguous memory. */
static void read_points(const loops *s, int64_t start, int64_t m, double rooms[4][DT_RUN], const double *v[4]) {
    const int axis = s->nd - 1;
    v[0] = v[1] = v[2] = v[3] = NULL;
    for (int k = 0; k < s->count; k++) {
        const operand *x = &s->x[k];
        if (x->value) v[k == s->count - 1 ? 3 : k] = dt_packed(x->value + start * x->vstep[axis], x->vstep[axis], m, rooms[k]);
    }
}

static void tangent_run(const loops *s, int64_t n) {
    const dt_lanes *l = s->l;
    const int axis = s->nd - 1, arity = s->node->arity, row = s->node->row, strict = l->strict;
    const operand *out = &s->x[arity];
    const int64_t os = out->bstep[axis];
    int sets = out->sets;
    if (row == DT_ADD || row == DT_SUB || row == DT_POS || row == DT_NEG) {
        for (int k = 0; k < arity; k++) {
            const double sign = row == DT_NEG || (row == DT_SUB && k == 1) ? -1.0 : 1.0;
            if (!s->x[k].dot) continue;
            for (int j = 0; j < l->lanes; j++)
                dt_put_run(out->dot + j * out->dot_lane, os, s->x[k].dot + j * s->x[k].dot_lane, s->x[k].bstep[axis], n,
                           sign, sets);
            sets = 0;
        }
        return;
    }
    if (row == DT_MUL) {
        for (int k = 0; k < 2; k++) {
            const operand *x = &s->x[k], *y = &s->x[1 - k];
            if (!x->dot) continue;
            for (int j = 0; j < l->lanes; j++)
                dt_put_products(out->dot + j * out->dot_lane, os, x->dot + j * x->dot_lane, x->bstep[axis], y->value,
                                y->vstep[axis], n, strict, sets);
            sets = 0;
        }
        return;
    }
    double rooms[4][DT_RUN], d[3][DT_RUN];
    double *const ds[3] = {d[0], d[1], d[2]};
    for (int64_t start = 0; start < n; start += DT_RUN) {
        const int64_t m = n - start < DT_RUN ? n - start : DT_RUN;
        const double *v[4];
        read_points(s, start, m, rooms, v);
        dt_slopes(l->bar, row, m, v[0], v[1], v[2], v[3], ds);
        sets = out->sets;
        for (int k = 0; k < arity; k++) {
            const operand *x = &s->x[k];
            if (!x->dot) continue;
            for (int j = 0; j < l->lanes; j++)
                dt_put_products(out->dot + start * os + j * out->dot_lane, os,
                                x->dot + start * x->bstep[axis] + j * x->dot_lane, x->bstep[axis], d[k], 1, m, strict,
                                sets);
            sets = 0;
        }
    }
}

/* First and second slopes at contiguous points; h in the order xx xy xz yy yz zz. */
static void curvatures(const dt_lanes *l, int row, int64_t n, const double *const *v, double d[3][DT_RUN],
                       double h[6][DT_RUN]) {
    const dt_row *r = &l->bar->rows[row];
    const dt_ufunc *f = &l->bar->ufuncs[row];
    if (n >= 8 && f->loop && (row == DT_TANH || row == DT_SIN || row == DT_COS)) {
        double *const ds[3] = {d[0], d[1], d[2]};
        char *args[2] = {(char *)v[0], (char *)h[0]};
        const intptr_t count = n, strides[2] = {8, 8};
        dt_slopes(l->bar, row, n, v[0], NULL, NULL, v[3], ds);
        f->loop(args, &count, strides, f->data);
        if (row == DT_TANH)
            for (int64_t i = 0; i < n; i++) h[0][i] = -2.0 * h[0][i] * d[0][i];
        else
            for (int64_t i = 0; i < n; i++) h[0][i] = -h[0][i];
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double di[3], hi[6];
        r->second(v[0] ? v[0][i] : 0.0, v[1] ? v[1][i] : 0.0, v[2] ? v[2][i] : 0.0, v[3] ? v[3][i] : 0.0, di, hi);
        for (int k = 0; k < r->arity; k++)
            for (int q = k; q < r->arity; q++) h[PLACE[k][q]][i] = hi[PLACE[k][q]];
        for (int k = 0; k < r->arity; k++) d[k][i] = di[k];
    }
}

static void second_run(const loops *s, int64_t n) {
    const dt_lanes *l = s->l;
    const int axis = s->nd - 1, arity = s->node->arity, row = s->node->row, strict = l->strict;
    const operand *out = &s->x[arity];
    const double *w = out->bar, *wd = out->bardot;
    const int64_t ws = out->bstep[axis];
    if (row == DT_ADD || row == DT_SUB || row == DT_POS || row == DT_NEG) {
        for (int k = 0; k < arity; k++) {
            const double sign = row == DT_NEG || (row == DT_SUB && k == 1) ? -1.0 : 1.0;
            const operand *x = &s->x[k];
            if (x->bar && w) dt_put_run(x->bar, x->bstep[axis], w, ws, n, sign, x->sets & 1);
            for (int j = 0; x->bardot && wd && j < l->lanes; j++)
                dt_put_run(x->bardot + j * x->bardot_lane, x->bstep[axis], wd + j * out->bardot_lane, ws, n, sign,
                           x->sets & 2);
        }
        return;
    }
    if (row == DT_MUL) {
        for (int k = 0; k < 2; k++) {
            const operand *x = &s->x[k], *y = &s->x[1 - k];
            const int64_t xs = x->bstep[axis], ys = y->vstep[axis];
            if (x->bar && w) dt_put_products(x->bar, xs, w, ws, y->value, ys, n, strict, x->sets & 1);
            for (int j = 0; x->bardot && j < l->lanes; j++) {
                double *to = x->bardot + j * x->bardot_lane;
                if (wd)
                    dt_put_products(to, xs, wd + j * out->bardot_lane, ws, y->value, ys, n, strict, x->sets & 2);
                if (w && y->dot) dt_add_products(to, xs, w, ws, y->dot + j * y->dot_lane, y->bstep[axis], n, strict);
            }
        }
        return;
    }
    double rooms[4][DT_RUN], d[3][DT_RUN], h[6][DT_RUN], bend[DT_RUN];
    double *const ds[3] = {d[0], d[1], d[2]};
    int bends = 0;
    for (int k = 0; k < arity; k++) bends = bends || (w && s->x[k].dot);
    for (int64_t start = 0; start < n; start += DT_RUN) {
        const int64_t m = n - start < DT_RUN ? n - start : DT_RUN;
        const double *v[4];
        read_points(s, start, m, rooms, v);
        if (bends)
            curvatures(l, row, m, v, d, h);
        else
            dt_slopes(l->bar, row, m, v[0], v[1], v[2], v[3], ds);
        for (int k = 0; k < arity; k++) {
            const operand *x = &s->x[k];
            const int64_t xs = x->bstep[axis];
            if (x->bar && w)
                dt_put_products(x->bar + start * xs, xs, w + start * ws, ws, d[k], 1, m, strict, x->sets & 1);
            for (int j = 0; x->bardot && j < l->lanes; j++) {
                double *to = x->bardot + start * xs + j * x->bardot_lane;
                if (wd)
                    dt_put_products(to, xs, wd + start * ws + j * out->bardot_lane, ws, d[k], 1, m, strict,
                                    x->sets & 2);
                if (!bends) continue;
                int sets = 1;
                for (int q = 0; q < arity; q++) {
                    const operand *y = &s->x[q];
                    if (!y->dot) continue;
                    dt_put_products(bend, 1, y->dot + start * y->bstep[axis] + j * y->dot_lane, y->bstep[axis],
                                    h[PLACE[k][q]], 1, m, strict, sets);
                    sets = 0;
                }
                dt_add_products(to, xs, w + start * ws, ws, bend, 1, m, strict);
            }
        }
    }
}

/* Whether a node goes through every element of an operand's storage once. */
static int is_all(const dt_array_node *node, const dt_lanes *l, const dt_operand *from, const operand *x) {
    if (l->bar->size[from->storage] != node->n) return 0;
    for (int k = 0; k < node->nd; k++)
        if (x->bstep[k] == 0 && node->shape[k] > 1) return 0;
    return 1;
}

/* Steps of the contiguous memory in which the numbers of an overwriting node lie meanwhile. */
static void steps_of_contiguous(operand *x, const dt_array_node *node) {
    for (int k = 0; k < node->nd; k++) x->bstep[k] = dt_step_of(NULL, node, k);
}

void dt_tangent_elementwise(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    loops s;
    begin(&s, node, l);
    operand *out = &s.x[node->arity];
    int moves = 0;
    for (int k = 0; k < node->arity; k++) moves = moves || s.x[k].dot;
    if (node->out.storage == DT_NONE) {
        if (!moves) return;
        out->dot = l->scalar_dot + (size_t)index * l->wide;
        merge(&s);
        each(&s, tangent_run);
        return;
    }
    if (!node->overwrites) {
        if (!moves) return;
        out->sets = is_all(node, l, &node->out, out);
        double *dot = dt_shadow_make(&l->dot, node->out.storage, !out->sets);
        if (!dot) {
            l->failed = 1;
            return;
        }
        out->dot = dot + node->out.at;
        out->dot_lane = dt_lane_of(l, &node->out);
        merge(&s);
        each(&s, tangent_run);
        return;
    }
    dt_lanes_save(l, node);
    if (l->failed || (!moves && !l->dot.bar[node->out.storage])) return;
    double *dot = dt_shadow(&l->dot, node->out.storage);
    const size_t bytes = (size_t)(node->n * l->lanes) * sizeof(double);
    double *room = l->bar->take(bytes ? bytes : 8);
    if (!dot || !room) {
        l->failed = 1;
        return;
    }
    memset(room, 0, bytes);
    out->dot = room;
    out->dot_lane = node->n;
    steps_of_contiguous(out, node);
    merge(&s);
    each(&s, tangent_run);
    dt_lanes_transfer(node, dot, l->lanes, dt_lane_of(l, &node->out), room, 1);
    l->bar->give(room);
}

/* The adjoints of an operand, to be added to. */
static int make_bars(dt_lanes *l, const dt_array_node *node, int k, operand *x, int bar, int bardot, int gives_bardot) {
    const dt_operand *from = &node->x[k];
    if (from->storage == DT_NONE) {
        if (from->scalar == DT_NONE) return 1;
        x->bar = l->scalar_bar + from->scalar;
        x->bardot = l->scalar_bardot + (size_t)from->scalar * l->wide;
        return 1;
    }
    x->bardot_lane = dt_lane_of(l, from);
    if (dt_goes_through_all(node, l->bar->size[from->storage], k)) {
        if (bar && !l->bar->bar[from->storage]) x->sets |= 1;
        if (gives_bardot && !l->bardot.bar[from->storage]) x->sets |= 2;
    }
    x->bar = !bar ? NULL : x->sets & 1 ? dt_shadow_make(l->bar, from->storage, 0) : dt_shadow(l->bar, from->storage);
    x->bardot = !bardot       ? NULL
                : x->sets & 2 ? dt_shadow_make(&l->bardot, from->storage, 0)
                              : dt_shadow(&l->bardot, from->storage);
    if ((bar && !x->bar) || (bardot && !x->bardot)) return 0;
    if (x->bar) x->bar += from->at;
    if (x->bardot) x->bardot += from->at;
    return 1;
}

void dt_second_elementwise(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    loops s;
    double *room = NULL;
    if (node->overwrites) dt_lanes_restore(l, node);
    begin(&s, node, l);
    operand *out = &s.x[node->arity];
    int moves = 0;
    for (int k = 0; k < node->arity; k++) moves = moves || s.x[k].dot;
    if (node->out.storage == DT_NONE) {
        out->bar = l->scalar_bar + index;
        out->bardot = l->scalar_bardot + (size_t)index * l->wide;
        if (*out->bar == 0.0 && !l->strict) out->bar = NULL;
    } else {
        double *bar = l->bar->bar[node->out.storage], *bardot = l->bardot.bar[node->out.storage];
        const int64_t lane = dt_lane_of(l, &node->out);
        if (!bar && !bardot) return;
        out->bar = bar ? bar + node->out.at : NULL;
        out->bardot = bardot ? bardot + node->out.at : NULL;
        out->bardot_lane = lane;
        if (node->overwrites) {
            room = l->bar->take((size_t)(node->n * (l->lanes + 1)) * sizeof(double) + 8);
            if (!room) {
                l->failed = 1;
                return;
            }
            if (bar) {
                dt_lanes_transfer(node, bar, 1, lane, room, 0);
                dt_lanes_transfer(node, bar, 1, lane, NULL, 1);
                out->bar = room;
            }
            if (bardot) {
                dt_lanes_transfer(node, bardot, l->lanes, lane, room + node->n, 0);
                dt_lanes_transfer(node, bardot, l->lanes, lane, NULL, 1);
                out->bardot = room + node->n;
            }
            out->bardot_lane = node->n;
            steps_of_contiguous(out, node);
        }
    }
    for (int k = 0; k < node->arity; k++)
        if (!make_bars(l, node, k, &s.x[k], out->bar != NULL, out->bardot || (out->bar && moves),
                       out->bardot != NULL)) {
            l->failed = 1;
            goto done;
        }
    merge(&s);
    each(&s, second_run);
done:
    if (room) {
        l->bar->give(room);
    } else {
        dt_lanes_drop(l, node);
    }
}
