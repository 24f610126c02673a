/* Tangents in lanes: where they lie, the stack of those overwritten, and reading and writing of elements. */
#include "lanes.h"

#include <string.h>

#include "runs.h"

/* --- where tangents lie --------------------------------------------------------------------------------------------- */

static int any_nonzero(const double *x, int nd, const int64_t *shape, const int64_t *step) {
    if (nd == 0) return *x != 0.0;
    const int64_t n = *step ? *shape : *shape > 0;
    if (nd == 1) {
        for (int64_t i = 0; i < n; i++)
            if (x[i * *step] != 0.0) return 1;
        return 0;
    }
    for (int64_t i = 0; i < n; i++)
        if (any_nonzero(x + i * *step, nd - 1, shape + 1, step + 1)) return 1;
    return 0;
}

/* The tangents of an operand with a shape and steps; NULL where they are zero. Those of a part of a storage are looked
 * at: where the directions are those of single variables, most parts do not move. */
double *dt_lanes_dot(dt_lanes *l, const dt_operand *x, int nd, const int64_t *shape, const int64_t *step) {
    if (x->storage == DT_NONE) return x->scalar == DT_NONE ? NULL : l->scalar_dot + (size_t)x->scalar * l->wide;
    double *dot = l->dot.bar[x->storage];
    int64_t n = 1;
    if (!dot) return NULL;
    dot += x->at;
    for (int k = 0; k < nd; k++) n *= step[k] ? shape[k] : 1;
    if (2 * n > l->bar->size[x->storage]) return dot;
    for (int j = 0; j < l->lanes; j++)
        if (any_nonzero(dot + j * dt_lane_of(l, x), nd, shape, step)) return dot;
    return NULL;
}

/* --- the stack of overwritten tangents ------------------------------------------------------------------------- */

static double *push(dt_lanes *l, size_t n) {
    if (l->used + n > l->room) {
        const size_t room = 2 * (l->used + n) + 1024;
        double *saved = realloc(l->saved, room * sizeof(double));
        if (!saved) {
            l->failed = 1;
            return NULL;
        }
        l->saved = saved;
        l->room = room;
    }
    double *top = l->saved + l->used;
    l->used += n;
    return top;
}

void dt_lanes_transfer(const dt_array_node *node, double *shadow, int lanes, int64_t lane,
                     double *packed, int into) {
    int64_t place[32];
    const int nd = node->nd, last = nd - 1;
    const int64_t inner = nd ? node->shape[last] : 1;
    const int64_t step = nd ? dt_step_of(node->out.bstep, node, last) : 0;
    for (int k = 0; k < lanes; k++) {
        double *p = shadow + k * lane + node->out.at;
        memset(place, 0, sizeof place);
        for (int64_t i = 0; i < node->n; i += inner) {
            if (!into)
                for (int64_t j = 0; j < inner; j++) packed[k * node->n + i + j] = p[j * step];
            else if (packed)
                for (int64_t j = 0; j < inner; j++) p[j * step] = packed[k * node->n + i + j];
            else
                for (int64_t j = 0; j < inner; j++) p[j * step] = 0.0;
            for (int a = last - 1; a >= 0; a--) {
                const int64_t by = dt_step_of(node->out.bstep, node, a);
                const int wraps = ++place[a] == node->shape[a];
                p += wraps ? (1 - node->shape[a]) * by : by;
                if (!wraps) break;
                place[a] = 0;
            }
        }
    }
}

enum { WAS_ZERO, WAS_SAVED };

/* Before a node overwrites: keep the tangents of what it writes to. */
void dt_lanes_save(dt_lanes *l, const dt_array_node *node) {
    double *dot = l->dot.bar[node->out.storage];
    const size_t n = dot ? (size_t)(node->n * l->lanes) : 0;
    if (!l->keeps) return;
    double *top = push(l, n + 1);
    if (!top) return;
    if (dot) dt_lanes_transfer(node, dot, l->lanes, l->bar->size[node->out.storage], top, 0);
    top[n] = dot ? WAS_SAVED : WAS_ZERO;
}

void dt_lanes_restore(dt_lanes *l, const dt_array_node *node) {
    double *dot = l->dot.bar[node->out.storage];
    const int64_t lane = l->bar->size[node->out.storage];
    if (!l->keeps) return;
    if (l->saved[--l->used] == WAS_SAVED) {
        l->used -= (size_t)(node->n * l->lanes);
        dt_lanes_transfer(node, dot, l->lanes, lane, l->saved + l->used, 1);
    } else if (dot) {
        dt_lanes_transfer(node, dot, l->lanes, lane, NULL, 1);
    }
}

/* --- nodes ----------------------------------------------------------------------------------------------------- */

void dt_lanes_tangent_array(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    if (node->kind == DT_MATMUL)
        dt_tangent_matmul(node, l, index);
    else
        dt_tangent_elementwise(node, l, index);
}

void dt_lanes_second_array(const dt_array_node *node, dt_lanes *l, uint32_t index) {
    if (node->kind == DT_MATMUL)
        dt_second_matmul(node, l, index);
    else
        dt_second_elementwise(node, l, index);
}

void dt_lanes_tangent_element(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t index) {
    const double *dot = l->dot.bar[storage];
    double *to = l->scalar_dot + (size_t)index * l->wide;
    if (!dot) return;
    for (int j = 0; j < l->lanes; j++) to[j] = dot[j * l->bar->size[storage] + place];
}

void dt_lanes_second_element(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t index) {
    const double w = l->scalar_bar[index], *wd = l->scalar_bardot + (size_t)index * l->wide;
    int zero = 1;
    for (int j = 0; j < l->lanes; j++) zero = zero && wd[j] == 0.0;
    if (w != 0.0) {
        double *bar = dt_shadow(l->bar, storage);
        if (!bar) goto failed;
        bar[place] += w;
    }
    if (!zero) {
        double *bardot = dt_shadow(&l->bardot, storage);
        if (!bardot) goto failed;
        for (int j = 0; j < l->lanes; j++) bardot[j * l->bar->size[storage] + place] += wd[j];
    }
    return;
failed:
    l->failed = 1;
}

void dt_lanes_tangent_store(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t scalar) {
    const double *from = scalar == DT_NONE ? NULL : l->scalar_dot + (size_t)scalar * l->wide;
    double *dot = l->dot.bar[storage];
    const int64_t lane = l->bar->size[storage];
    if (l->keeps) {
        double *top = push(l, (size_t)(dot ? l->lanes : 0) + 1);
        if (!top) return;
        for (int j = 0; dot && j < l->lanes; j++) *top++ = dot[j * lane + place];
        *top = dot ? WAS_SAVED : WAS_ZERO;
    }
    if (!dot && from) {
        int zero = 1;
        for (int j = 0; j < l->lanes; j++) zero = zero && from[j] == 0.0;
        if (zero) return;
        dot = dt_shadow(&l->dot, storage);
        if (!dot) {
            l->failed = 1;
            return;
        }
    }
    for (int j = 0; dot && j < l->lanes; j++) dot[j * lane + place] = from ? from[j] : 0.0;
}

void dt_lanes_second_store(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t scalar) {
    double *dot = l->dot.bar[storage], *bar = l->bar->bar[storage], *bardot = l->bardot.bar[storage];
    const int64_t lane = l->bar->size[storage];
    if (l->keeps) {
        const int saved = l->saved[--l->used] == WAS_SAVED;
        if (saved) l->used -= (size_t)l->lanes;
        for (int j = 0; dot && j < l->lanes; j++) dot[j * lane + place] = saved ? l->saved[l->used + j] : 0.0;
    }
    if (bar) {
        if (scalar != DT_NONE) l->scalar_bar[scalar] += bar[place];
        bar[place] = 0.0;
    }
    for (int j = 0; bardot && j < l->lanes; j++) {
        if (scalar != DT_NONE) l->scalar_bardot[(size_t)scalar * l->wide + j] += bardot[j * lane + place];
        bardot[j * lane + place] = 0.0;
    }
}
