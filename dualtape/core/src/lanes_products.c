/* Tangents, and tangents of adjoints, of matrix products. */
#include "lanes.h"

#include <string.h>

#include "runs.h"

/* Whether an operand is all of its storage, row after row: then its lanes are one tall matrix. */
static int is_whole(const dt_lanes *l, const dt_operand *x, int64_t rows, int64_t columns) {
    return x->storage != DT_NONE && x->at == 0 && l->bar->size[x->storage] == rows * columns &&
           x->bstep[1] == 1 && x->bstep[0] == columns;
}

/* Whether a row of contiguous numbers holds any but zeros; without a branch, for vector instructions. */
static int row_is_zero(const double *x, int64_t n, int64_t step) {
    uint64_t all = 0, bits;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&bits, x + i * step, sizeof bits);
        all |= bits;
    }
    return all << 1 == 0; /* -0.0 too */
}

/* Where the nonzero elements of a matrix lie: first and last row, first and last column; whether there are any. */
static int box_of(const double *x, int64_t rows, int64_t columns, int64_t rs, int64_t cs, int64_t box[4]) {
    box[0] = -1;
    box[2] = columns;
    box[3] = -1;
    for (int64_t i = 0; i < rows; i++) {
        const double *row = x + i * rs;
        if ((columns == 0 || row[0] == 0.0) && (cs == 1 ? row_is_zero(row, columns, 1) : row_is_zero(row, columns, cs)))
            continue;
        if (box[0] < 0) box[0] = i;
        box[1] = i;
        int64_t left = 0, right = columns - 1;
        while (left < box[2] && row[left * cs] == 0.0) left++;
        while (right > box[3] && row[right * cs] == 0.0) right--;
        box[2] = left;
        box[3] = right;
    }
    return box[0] >= 0;
}

/* c (+)= a b, of which one (a: side 0, b: side 1) is a tangent: where directions are those of single variables, most
 * of its elements are zero, and only the box in which the others lie is gone through. */
static void multiply(dt_lanes *l, int side, int64_t m, int64_t k, int64_t n, const double *a, int64_t ar, int64_t ac,
                     const double *b, int64_t br, int64_t bc, double *c, int64_t cr, int64_t cc, int add) {
    int64_t box[4];
    if ((side ? m : n) < 16) { /* looking costs as much as multiplying */
        dt_multiply(&l->dot, m, k, n, a, ar, ac, b, br, bc, c, cr, cc, add);
        return;
    }
    const int any = side ? box_of(b, k, n, br, bc, box) : box_of(a, m, k, ar, ac, box);
    const int64_t rows = any ? box[1] - box[0] + 1 : 0, columns = any ? box[3] - box[2] + 1 : 0;
    if (!add && 2 * rows * columns > (side ? k * n : m * k)) {
        dt_multiply(&l->dot, m, k, n, a, ar, ac, b, br, bc, c, cr, cc, 0);
        return;
    }
    if (!add)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) c[i * cr + j * cc] = 0.0;
    if (!any) return;
    if (side)
        dt_multiply(&l->dot, m, rows, columns, a + box[0] * ac, ar, ac, b + box[0] * br + box[2] * bc, br, bc,
                    c + box[2] * cc, cr, cc, 1);
    else
        dt_multiply(&l->dot, rows, columns, n, a + box[0] * ar + box[2] * ac, ar, ac, b + box[2] * br, br, bc,
                    c + box[0] * cr, cr, cc, 1);
}

void dt_tangent_matmul(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    const int64_t m = node->shape[0], k = node->shape[1], n = node->shape[2];
    const dt_operand *a = &node->x[0], *b = &node->x[1];
    const double *adot = dt_lanes_dot(l, a, 2, node->shape, a->bstep), *bdot = dt_lanes_dot(l, b, 2, node->shape + 1, b->bstep);
    double *out;
    int64_t lane = 1;
    if (!adot && !bdot) return;
    if (node->out.storage == DT_NONE) {
        out = l->scalar_dot + (size_t)index * l->wide;
    } else {
        out = dt_shadow_make(&l->dot, node->out.storage, 0);
        if (!out) {
            l->failed = 1;
            return;
        }
        lane = dt_lane_of(l, &node->out);
    }
    const int tall = adot && node->out.storage != DT_NONE && is_whole(l, a, m, k);
    if (tall)
        multiply(l, 0, l->lanes * m, k, n, adot, k, 1, b->value, b->vstep[0], b->vstep[1], out, n, 1, 0);
    for (int j = 0; j < l->lanes; j++) {
        if (adot && !tall)
            multiply(l, 0, m, k, n, adot + j * dt_lane_of(l, a), a->bstep[0], a->bstep[1], b->value, b->vstep[0],
                     b->vstep[1], out + j * lane, n, 1, 0);
        if (bdot)
            multiply(l, 1, m, k, n, a->value, a->vstep[0], a->vstep[1], bdot + j * dt_lane_of(l, b), b->bstep[0],
                     b->bstep[1], out + j * lane, n, 1, adot != NULL);
    }
}

/* out = a b: bar(a) += bar(out) b^T, bar(b) += a^T bar(out), and the tangents of both. */
void dt_second_matmul(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    const int64_t m = node->shape[0], k = node->shape[1], n = node->shape[2];
    const double *w, *wd;
    int64_t lane = 1, wr = n, wc = 1;
    int tall = 0;
    if (node->out.storage == DT_NONE) {
        w = l->scalar_bar + index;
        wd = l->scalar_bardot + (size_t)index * l->wide;
        if (*w == 0.0) w = NULL;
    } else {
        w = l->bar->bar[node->out.storage];
        wd = l->bardot.bar[node->out.storage];
        lane = dt_lane_of(l, &node->out);
        wr = node->out.bstep[0];
        wc = node->out.bstep[1];
        tall = is_whole(l, &node->out, m, n);
        if (!w && !wd) return;
        w = w ? w + node->out.at : NULL;
        wd = wd ? wd + node->out.at : NULL;
    }
    for (int side = 0; side < 2; side++) {
        const dt_operand *x = &node->x[side], *y = &node->x[1 - side];
        if (x->storage == DT_NONE) continue;
        const double *ydot = w ? dt_lanes_dot(l, y, 2, node->shape + 1 - side, y->bstep) : NULL;
        const int64_t rows = side ? k : m, columns = side ? n : k, r = x->bstep[0], c = x->bstep[1];
        const int64_t xlane = dt_lane_of(l, x), ylane = dt_lane_of(l, y);
        const int whole = is_whole(l, x, rows, columns);
        if (w) {
            const int fresh = whole && !l->bar->bar[x->storage];
            double *bar = fresh ? dt_shadow_make(l->bar, x->storage, 0) : dt_shadow(l->bar, x->storage);
            if (!bar) goto failed;
            if (side == 0)
                dt_multiply(l->bar, m, n, k, w, wr, wc, y->value, y->vstep[1], y->vstep[0], bar + x->at, r, c, !fresh);
            else
                dt_multiply(l->bar, k, m, n, y->value, y->vstep[1], y->vstep[0], w, wr, wc, bar + x->at, r, c, !fresh);
        }
        if (!wd && !ydot) continue;
        int fresh = whole && !l->bardot.bar[x->storage];
        double *bardot = fresh ? dt_shadow_make(&l->bardot, x->storage, 0) : dt_shadow(&l->bardot, x->storage);
        if (!bardot) goto failed;
        bardot += x->at;
        int done = 0;
        if (wd && side == 0 && whole && tall) {
            dt_multiply(&l->bardot, l->lanes * m, n, k, wd, wr, wc, y->value, y->vstep[1], y->vstep[0], bardot, r, c,
                        !fresh);
            done = 1;
        }
        for (int j = 0; j < l->lanes; j++) {
            double *to = bardot + j * xlane;
            int add = !fresh || done;
            if (wd && !done) {
                if (side == 0)
                    dt_multiply(&l->bardot, m, n, k, wd + j * lane, wr, wc, y->value, y->vstep[1], y->vstep[0], to, r, c,
                                add);
                else
                    dt_multiply(&l->bardot, k, m, n, y->value, y->vstep[1], y->vstep[0], wd + j * lane, wr, wc, to, r, c,
                                add);
                add = 1;
            }
            if (!ydot) continue;
            if (side == 0)
                multiply(l, 1, m, n, k, w, wr, wc, ydot + j * ylane, y->bstep[1], y->bstep[0], to, r, c, add);
            else
                multiply(l, 0, k, m, n, ydot + j * ylane, y->bstep[1], y->bstep[0], w, wr, wc, to, r, c, add);
        }
    }
    dt_lanes_drop(l, node);
    return;
failed:
    l->failed = 1;
}
