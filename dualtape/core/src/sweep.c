/* The reverse sweep: adjoints of every node that the output depends on. */
#include "tape.h"

/* The value of an operand, which mostly lies in the block of the node itself. */
static inline double near_value(const dt_tape *t, const double *value, uint32_t first, uint32_t i) {
    return DT_LIKELY(i >= first) ? value[i - first] : dt_value_at(t, i);
}

/* [reverse]
 * For each node out = row(x, y), from the last to the first,
 *
 *     bar(x) += bar(out) * d out / d x        bar(y) += bar(out) * d out / d y.
 *
 * A node whose adjoint is zero is skipped. The arithmetic rows are written out; every other row goes through its
 * kernel, whose cost the indirect call does not change.
 */
#define CASE_UNARY(ROW, row) \
    case 4 * ROW: { \
        double x = near_value(t, value, first, a); \
        bar[a] += dt_times(w, row##_dx(x, out), strict); \
        break; \
    }

#define CASE_BINARY(ROW, row) \
    case 4 * ROW: { \
        double x = near_value(t, value, first, a), y = near_value(t, value, first, b); \
        bar[a] += dt_times(w, row##_dx(x, y, out), strict); \
        bar[b] += dt_times(w, row##_dy(x, y, out), strict); \
        break; \
    } \
    case 4 * ROW + DT_A_CONSTANT: { \
        double x = constants[a], y = near_value(t, value, first, b); \
        bar[b] += dt_times(w, row##_dy(x, y, out), strict); \
        break; \
    } \
    case 4 * ROW + DT_B_CONSTANT: { \
        double x = near_value(t, value, first, a), y = constants[b]; \
        bar[a] += dt_times(w, row##_dx(x, y, out), strict); \
        break; \
    }

static void general(const dt_tape *t, const dt_row *rows, double *bar, uint32_t i, uint32_t op, uint32_t a, uint32_t b,
                    double out, double w, int strict) {
    const dt_row *row = &rows[op >> 2];
    if (row->flags & DT_CONSTANT) return;
    double d[3], x, y = 0.0, z = 0.0;
    uint32_t c = 0;
    x = (op & DT_A_CONSTANT) ? t->constants[a] : dt_value_at(t, a);
    if (row->arity > 1) y = (op & DT_B_CONSTANT) ? t->constants[b] : dt_value_at(t, b);
    if (row->arity > 2) {
        c = t->blocks[(i - 1) >> DT_BLOCK_BITS]->a[(i - 1) & DT_MASK];
        z = dt_value_at(t, c);
    }
    row->partials(x, y, z, out, d);
    if (!(op & DT_A_CONSTANT)) bar[a] += dt_times(w, d[0], strict);
    if (row->arity > 1 && !(op & DT_B_CONSTANT)) bar[b] += dt_times(w, d[1], strict);
    if (row->arity > 2) bar[c] += dt_times(w, d[2], strict);
}

/* The sweep itself. `s` is NULL for tapes without arrays, for which the compiler leaves out what is about them. */
DT_ALWAYS_INLINE int64_t sweep(const dt_tape *t, const dt_row *rows, double *bar, uint32_t from, uint32_t to,
                               int strict, dt_shadows *s) {
    const double *constants = t->constants;
    uint32_t i = from;
    while (i > to) {
        const uint32_t first = (i - 1) & ~(uint32_t)DT_MASK;
        const dt_block *block = t->blocks[first >> DT_BLOCK_BITS];
        const double *value = block->value;
        const uint16_t *ops = block->op;
        const uint32_t *as = block->a, *bs = block->b;
        const uint32_t start = first < to ? to : first;
        while (i > start) {
            i--;
            double w = bar[i];
            uint32_t k = i & DT_MASK, op = ops[k];
            if (w == 0.0 && !strict && (!s || op < DT_ARRAY || op == DT_ELEMENT)) continue;
            uint32_t a = as[k], b = bs[k];
            double out = value[k];
            (void)out;
            switch (op) {
                CASE_BINARY(DT_ADD, dt_add)
                CASE_BINARY(DT_SUB, dt_sub)
                CASE_BINARY(DT_MUL, dt_mul)
                CASE_BINARY(DT_DIV, dt_div)
                CASE_UNARY(DT_NEG, dt_neg)
                case DT_ELEMENT:
                    if (s) {
                        double *shadow = dt_shadow(s, a);
                        if (!shadow) return -1;
                        shadow[b] += w;
                    }
                    break;
                case DT_STORE:
                    if (s) {
                        dt_store where;
                        memcpy(&where, &value[k], sizeof where);
                        double *shadow = s->bar[where.storage];
                        if (!shadow) break;
                        if (a != DT_NONE) bar[a] += shadow[where.place];
                        shadow[where.place] = 0.0;
                    }
                    break;
                case DT_ARRAY:
                    if (s) {
                        dt_reverse_array((const dt_array_node *)((uintptr_t)a | (uintptr_t)b << 32), s, bar, i, strict);
                        if (s->failed) return -1;
                    }
                    break;
                case DT_CALL:
                    if (s) return i;
                    break;
                default:
                    if (op < DT_INPUT) general(t, rows, bar, i, op, a, b, out, w, strict);
            }
        }
    }
    return -1;
}

void dt_sweep_reverse(const dt_tape *t, const dt_row *rows, double *bar, uint32_t from, uint32_t to, int strict) {
    sweep(t, rows, bar, from, to, strict, NULL);
}

int64_t dt_sweep_arrays(const dt_tape *t, const dt_row *rows, double *bar, uint32_t from, uint32_t to, int strict,
                        dt_shadows *s) {
    return sweep(t, rows, bar, from, to, strict, s);
}
/* [/reverse] */
