/* Tangents, and tangents of adjoints, from one recording: one, four or eight directions at a time. */
#include "lanes.h"
#include "tape.h"

/* [second]
 * With dots for tangents along a direction v of the inputs, forwards
 *
 *     dot(out) = d_x dot(x) + d_y dot(y)
 *
 * and backwards, the adjoint's own tangent beside the adjoint,
 *
 *     bar(x)    += bar(out) d_x
 *     bardot(x) += bardot(out) d_x + bar(out) (d_xx dot(x) + d_xy dot(y)),
 *
 * so that bardot of the inputs is the Hessian times v. The second partials are derived from the rule table's text.
 */
typedef struct {
    int arity;
    uint32_t index[3]; /* the operands' nodes */
    int active[3];     /* 0 for constants */
    double x[3];
} operands;

static inline int read_operands(const dt_tape *t, const dt_row *rows, const dt_block *block, uint32_t i, operands *o) {
    uint32_t k = i & DT_MASK, op = block->op[k];
    if (op >= DT_INPUT) return 0;
    const dt_row *row = &rows[op >> 2];
    if (row->flags & DT_CONSTANT) return 0;
    o->arity = row->arity;
    o->index[0] = block->a[k];
    o->active[0] = !(op & DT_A_CONSTANT);
    o->x[0] = o->active[0] ? dt_value_at(t, o->index[0]) : t->constants[o->index[0]];
    o->x[1] = o->x[2] = 0.0;
    if (o->arity > 1) {
        o->index[1] = block->b[k];
        o->active[1] = !(op & DT_B_CONSTANT);
        o->x[1] = o->active[1] ? dt_value_at(t, o->index[1]) : t->constants[o->index[1]];
    }
    if (o->arity > 2) {
        o->index[2] = t->blocks[(i - 1) >> DT_BLOCK_BITS]->a[(i - 1) & DT_MASK];
        o->active[2] = 1;
        o->x[2] = dt_value_at(t, o->index[2]);
    }
    return 1;
}

/* First partials; those of the arithmetic rows without an indirect call. */
static inline void first_partials(const dt_row *rows, uint32_t op, const operands *o, double out, double *d) {
    double x = o->x[0], y = o->x[1];
    switch (op >> 2) {
        case DT_ADD:
            d[0] = dt_add_dx(x, y, out);
            d[1] = dt_add_dy(x, y, out);
            break;
        case DT_SUB:
            d[0] = dt_sub_dx(x, y, out);
            d[1] = dt_sub_dy(x, y, out);
            break;
        case DT_MUL:
            d[0] = dt_mul_dx(x, y, out);
            d[1] = dt_mul_dy(x, y, out);
            break;
        default:
            rows[op >> 2].partials(x, y, o->x[2], out, d);
    }
}

/* First and second partials; h is xx xy xz yy yz zz. */
static inline void second_partials(const dt_row *rows, uint32_t op, const operands *o, double out, double *d,
                                   double *h) {
    switch (op >> 2) {
        case DT_ADD:
        case DT_SUB:
            first_partials(rows, op, o, out, d);
            h[0] = h[1] = h[3] = 0.0;
            break;
        case DT_MUL:
            first_partials(rows, op, o, out, d);
            h[0] = h[3] = 0.0;
            h[1] = 1.0;
            break;
        default:
            rows[op >> 2].second(o->x[0], o->x[1], o->x[2], out, d, h);
    }
}

static const int PLACE[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};

/* The sweeps themselves. `arrays` is NULL for tapes without arrays, for which the compiler leaves out what is about
 * them. They give the place of a DT_CALL, which the caller does and goes on from, or -1 at the end. */
DT_ALWAYS_INLINE int64_t tangent(const dt_tape *t, const dt_row *rows, double *dot, uint32_t from, uint32_t to,
                                 const int wide, int strict, dt_lanes *arrays) {
    for (uint32_t i = from; i < to; i++) {
        const dt_block *block = t->blocks[i >> DT_BLOCK_BITS];
        const uint32_t k = i & DT_MASK, op = block->op[k];
        if (arrays && op >= DT_INPUT) {
            dt_store where;
            switch (op) {
                case DT_CALL:
                    return i;
                case DT_ARRAY:
                    dt_lanes_tangent_array(
                        (const dt_array_node *)((uintptr_t)block->a[k] | (uintptr_t)block->b[k] << 32), arrays, i);
                    break;
                case DT_ELEMENT:
                    dt_lanes_tangent_element(arrays, block->a[k], block->b[k], i);
                    break;
                case DT_STORE:
                    memcpy(&where, &block->value[k], sizeof where);
                    dt_lanes_tangent_store(arrays, where.storage, where.place, block->a[k]);
                    break;
                default:
                    break;
            }
            if (arrays->failed) return -1;
            continue;
        }
        operands o;
        if (!read_operands(t, rows, block, i, &o)) continue;
        double d[3], *restrict r = dot + (size_t)i * wide;
        first_partials(rows, op, &o, block->value[k], d);
        for (int p = 0; p < o.arity; p++) {
            if (!o.active[p]) continue;
            const double *restrict s = dot + (size_t)o.index[p] * wide;
            for (int l = 0; l < wide; l++) r[l] += dt_times(s[l], d[p], strict);
        }
    }
    return -1;
}

DT_ALWAYS_INLINE int64_t second(const dt_tape *t, const dt_row *rows, double *bar, const double *dot, double *bardot,
                                uint32_t from, uint32_t to, const int wide, int strict, dt_lanes *arrays) {
    for (uint32_t i = from; i-- > to;) {
        const double w = bar[i];
        const double *restrict wd = bardot + (size_t)i * wide;
        if (arrays) {
            const dt_block *block = t->blocks[i >> DT_BLOCK_BITS];
            const uint32_t k = i & DT_MASK, op = block->op[k];
            if (op >= DT_INPUT) {
                dt_store where;
                switch (op) {
                    case DT_CALL:
                        return i;
                    case DT_ARRAY:
                        dt_lanes_second_array(
                            (const dt_array_node *)((uintptr_t)block->a[k] | (uintptr_t)block->b[k] << 32), arrays, i);
                        break;
                    case DT_ELEMENT:
                        dt_lanes_second_element(arrays, block->a[k], block->b[k], i);
                        break;
                    case DT_STORE:
                        memcpy(&where, &block->value[k], sizeof where);
                        dt_lanes_second_store(arrays, where.storage, where.place, block->a[k]);
                        break;
                    default:
                        break;
                }
                if (arrays->failed) return -1;
                continue;
            }
        }
        int zero = w == 0.0 && !strict;
        for (int l = 0; l < wide; l++) zero = zero && wd[l] == 0.0;
        if (zero) continue;
        const dt_block *block = t->blocks[i >> DT_BLOCK_BITS];
        operands o;
        if (!read_operands(t, rows, block, i, &o)) continue;
        double d[3], h[6];
        second_partials(rows, block->op[i & DT_MASK], &o, block->value[i & DT_MASK], d, h);
        for (int p = 0; p < o.arity; p++) {
            if (!o.active[p]) continue;
            double *restrict target = bardot + (size_t)o.index[p] * wide;
            bar[o.index[p]] += dt_times(w, d[p], strict);
            for (int l = 0; l < wide; l++) {
                double curvature = 0.0;
                for (int q = 0; q < o.arity; q++)
                    if (o.active[q])
                        curvature += dt_times(dot[(size_t)o.index[q] * wide + l], h[PLACE[p][q]], strict);
                target[l] += dt_times(wd[l], d[p], strict) + dt_times(w, curvature, strict);
            }
        }
    }
    return -1;
}

#define FOR_EACH_WIDTH(CALL) \
    switch (l->wide) { \
        case 1: CALL(1); \
        case 4: CALL(4); \
        default: CALL(8); \
    }

int64_t dt_sweep_tangent(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t from, uint32_t to) {
    double *dot = l->scalar_dot;
#define TANGENT(WIDE) \
    return t->arrays & 2 ? tangent(t, rows, dot, from, to, WIDE, l->strict, l) \
                     : tangent(t, rows, dot, from, to, WIDE, l->strict, NULL)
    FOR_EACH_WIDTH(TANGENT)
}

int64_t dt_sweep_second(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t from, uint32_t to) {
    double *bar = l->scalar_bar, *bardot = l->scalar_bardot;
    const double *dot = l->scalar_dot;
#define SECOND(WIDE) \
    return t->arrays & 2 ? second(t, rows, bar, dot, bardot, from, to, WIDE, l->strict, l) \
                     : second(t, rows, bar, dot, bardot, from, to, WIDE, l->strict, NULL)
    FOR_EACH_WIDTH(SECOND)
}
/* [/second] */
