/* Nodes on arrays: what the sweeps need to know of an operation on whole arrays. Plain C, no Python. */
#ifndef DUALTAPE_ARRAY_H
#define DUALTAPE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* The kinds of numbers that nodes are made for. Memory of each is aligned for doubles; shadows are measured in them. */
enum { DT_DOUBLE, DT_FLOAT, DT_COMPLEX, DT_KINDS };

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
    uint8_t elements; /* where `kind` has DT_TYPED: the kind of the operands' numbers, and 4 times that of the result's */
    dt_operand out;
    dt_operand x[3];
} dt_array_node;
/* [/operand] */

enum { DT_NONE = 0xFFFFFFFF };
/* DT_ALIKE is a row at one contiguous array, or at two of one shape, elementwise, to a fresh one.
 * DT_TYPED is added to the kinds of nodes on numbers that are not all float64; their operands' pointers to double are
 * pointers to such numbers. */
enum { DT_ELEMENTWISE, DT_SUM, DT_MATMUL, DT_ALIKE, DT_TYPED };

/* What is elementwise without a row of the table: DT_CAST + k makes numbers of kind k. The loop of matmul has the
 * number DT_ROWS. */
enum { DT_CONJUGATE = DT_ROWS + 1, DT_CAST, DT_LOOPS = DT_CAST + DT_KINDS };

/* The loops of NumPy's ufuncs, by kind of the operands (DT_LOOPS apart) and row of the table; NULL where there is none.
 * Strides are in bytes. */
typedef void (*dt_loop)(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
typedef struct {
    dt_loop loop;
    void *data;
} dt_ufunc;

/* Shadows: the adjoints of the arrays on a tape during a sweep, made when first touched. */
typedef struct {
    double **bar;         /* by storage; NULL: zero */
    const int64_t *size;  /* of each storage, in doubles; negative: its adjoint is a Python object */
    uint32_t count;
    double *arena;        /* small adjoints lie here */
    size_t used, room;
    void *arenas;         /* all arenas, a list through their first word */
    const dt_ufunc *ufuncs; /* loops, as above */
    const dt_row *rows;
    void *(*take)(size_t bytes); /* memory for large adjoints, and its return */
    void (*give)(void *p);
    int failed;           /* out of memory */
} dt_shadows;

enum { DT_SMALL = 32 };

enum { DT_ARENA_DOUBLES = 1 << 13 };

static inline double *dt_shadow_make(dt_shadows *s, uint32_t storage, int zero) {
    const int64_t n = s->size[storage];
    double *bar;
    if (n <= DT_SMALL) {
        const size_t wanted = n > 0 ? (size_t)n : 1;
        if (s->used + wanted > s->room) {
            void **arena = malloc(sizeof(void *) * 8 + DT_ARENA_DOUBLES * sizeof(double));
            if (!arena) {
                s->failed = 1;
                return NULL;
            }
            *arena = s->arenas;
            s->arenas = arena;
            s->arena = (double *)(arena + 8);
            s->used = 0;
            s->room = DT_ARENA_DOUBLES;
        }
        bar = s->arena + s->used;
        s->used += wanted;
    } else {
        bar = s->take((size_t)n * sizeof(double));
        if (!bar) {
            s->failed = 1;
            return NULL;
        }
    }
    if (zero) memset(bar, 0, (size_t)n * sizeof(double));
    s->bar[storage] = bar;
    return bar;
}

static inline void dt_shadow_drop(dt_shadows *s, uint32_t storage) {
    if (s->size[storage] > DT_SMALL) s->give(s->bar[storage]);
    s->bar[storage] = NULL;
}

static inline void dt_shadows_end(dt_shadows *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->bar[i] && s->size[i] > DT_SMALL) s->give(s->bar[i]);
    while (s->arenas) {
        void **arena = s->arenas;
        s->arenas = *arena;
        free(arena);
    }
    free(s->bar);
    s->bar = NULL;
}

static inline double *dt_shadow(dt_shadows *s, uint32_t storage) {
    double *bar = s->bar[storage];
    return bar ? bar : dt_shadow_make(s, storage, 1);
}

/* array_typed.c: the reverse sweep of a node with DT_TYPED. */
void dt_reverse_typed(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict);

/* The reverse sweep of one node. */
void dt_reverse_array(const dt_array_node *node, dt_shadows *s, double *scalar_bars, uint32_t index, int strict);

#endif
