/* Nodes on arrays: what the sweeps need to know of an operation on whole arrays. Plain C, no Python. */
#ifndef DUALTAPE_ARRAY_H
#define DUALTAPE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "dualtape_rules.h"

/* [operand]
 * An operand is a view of a storage. Its adjoint lies in the storage's shadow, from place `at` on, by the steps
 * `bstep` (in elements, one for each axis of the node). Its primal, where the sweeps read it, is at `value`, by the
 * steps `vstep`: memory that nothing writes to any more. Steps that are NULL are those of a contiguous array. An
 * operand may also be a scalar of the tape, or a constant.
 */
typedef struct {
    const double *value;
    const int64_t *vstep;
    const int64_t *bstep;
    int64_t at;
    uint32_t storage; /* DT_NONE: no array */
    uint32_t scalar;  /* DT_NONE: no scalar */
} dt_operand;

/* A node out = f(x, y, z), elementwise over `shape`, or the matrix product of an m x k and a k x n matrix, whose shape
 * is {m, k, n}. A node that `overwrites` wrote to a storage that was there before it: before the node the adjoint of
 * what it wrote is zero. A sum is an elementwise copy to an `out` with steps 0.
 */
typedef struct {
    int64_t n; /* elements to go through */
    const int64_t *shape;
    uint16_t kind;
    uint16_t row;
    uint8_t nd;
    uint8_t arity;
    uint8_t overwrites;
    dt_operand out;
    dt_operand x[3];
} dt_array_node;
/* [/operand] */

enum { DT_NONE = 0xFFFFFFFF };
enum { DT_ELEMENTWISE, DT_SUM, DT_MATMUL };

/* The loops of NumPy's ufuncs for float64, by row of the table; NULL where there is none. Strides are in bytes. */
typedef void (*dt_loop)(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
typedef struct {
    dt_loop loop;
    void *data;
} dt_ufunc;

/* Shadows: the adjoints of the arrays on a tape during a sweep, made when first touched. */
typedef struct {
    double **bar;         /* by storage; NULL: zero */
    const int64_t *size;  /* of each storage; negative: not of float64, its adjoint is a Python object */
    uint32_t count;
    double *arena;        /* small adjoints lie here */
    size_t used, room;
    void *arenas;         /* all arenas, a list through their first word */
    const dt_ufunc *ufuncs; /* by row of the table; behind them that of matmul */
    const dt_row *rows;
    int failed;           /* out of memory */
} dt_shadows;

enum { DT_SMALL = 32 };

void dt_shadows_end(dt_shadows *s);
double *dt_shadow_make(dt_shadows *s, uint32_t storage, int zero);
void dt_shadow_drop(dt_shadows *s, uint32_t storage);

static inline double *dt_shadow(dt_shadows *s, uint32_t storage) {
    double *bar = s->bar[storage];
    return bar ? bar : dt_shadow_make(s, storage, 1);
}

/* The reverse sweep of one node. */
void dt_reverse_array(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict);

#endif
