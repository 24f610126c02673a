/* Loops along one axis, of which the sweeps over arrays consist. Steps count doubles. */
#ifndef DUALTAPE_RUNS_H
#define DUALTAPE_RUNS_H

#include "array.h"

/* Points that slopes are computed at in one go: they stay in the first cache. */
enum { DT_RUN = 256 };

/* A product of the chain rule: zero where a factor is, unless IEEE is asked for. Without a branch, for the compiler to
 * make vector instructions of it. */
static inline double dt_product(double w, double d, int strict) {
    const double p = w * d;
    if (strict) return p;
    const double q = w == 0.0 ? 0.0 : p;
    return d == 0.0 ? 0.0 : q;
}

/* to = sign * w, to = w * d where `sets`, else added to it */
void dt_put_run(double *to, int64_t ts, const double *w, int64_t ws, int64_t n, double sign, int sets);
void dt_put_products(double *to, int64_t ts, const double *w, int64_t ws, const double *d, int64_t ds, int64_t n,
                     int strict, int sets);

/* bar += sign * w */
void dt_add_run(double *bar, int64_t bs, const double *w, int64_t ws, int64_t n, double sign);

/* bar += w * d, zero where a factor is unless `strict` */
void dt_add_products(double *bar, int64_t bs, const double *w, int64_t ws, const double *d, int64_t ds, int64_t n,
                     int strict);

/* w = w * d, with the same zeros */
void dt_scale(double *w, const double *d, int64_t n, int strict);

/* The numbers in contiguous memory: where they are, or copied to `room`. */
const double *dt_packed(const double *x, int64_t step, int64_t n, double *room);

/* The slopes of a row at contiguous points, at most DT_RUN. */
void dt_slopes(const dt_shadows *s, uint16_t row, int64_t n, const double *x, const double *y, const double *z,
               const double *out, double *const *d);

/* c (+)= a b for an m x k and a k x n matrix, with steps between rows and columns. */
void dt_multiply(dt_shadows *s, int64_t m, int64_t k, int64_t n, const double *a, int64_t ar, int64_t ac,
                 const double *b, int64_t br, int64_t bc, double *c, int64_t cr, int64_t cc, int add);

/* The step of an operand along an axis; NULL stands for those of contiguous memory. */
static inline int64_t dt_step_of(const int64_t *steps, const dt_array_node *node, int axis) {
    if (steps) return steps[axis];
    int64_t step = 1;
    for (int k = node->nd - 1; k > axis; k--) step *= node->shape[k];
    return step;
}

/* Whether a node goes through every element of an operand's storage once, and by no other operand: then its adjoint
 * may be written where it would be added to zeros. */
static inline int dt_goes_through_all(const dt_array_node *node, int64_t size, int operand) {
    const dt_operand *x = &node->x[operand];
    if (size != node->n) return 0;
    for (int k = 0; x->bstep && k < node->nd; k++)
        if (x->bstep[k] == 0 && node->shape[k] > 1) return 0;
    for (int k = 0; k < node->arity; k++)
        if (k != operand && node->x[k].storage == x->storage) return 0;
    return 1;
}

#endif
