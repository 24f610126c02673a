/* Several tangents at a time over a tape with arrays. Plain C, no Python. */
#ifndef DUALTAPE_LANES_H
#define DUALTAPE_LANES_H

#include "array.h"

/* [lanes]
 * A lane is one direction of the inputs, or one cotangent of the outputs. The tangents of an array in all lanes lie in
 * one piece of memory, one lane behind the other, each laid out as the array's storage is; those of scalars lie lane
 * beside lane, `wide` to a scalar. So one set of slopes serves all lanes, and each lane of an array is an array.
 *
 * A node that overwrites part of a storage puts the tangents that were there on a stack as the sweep goes forwards,
 * and finds them there again as it goes backwards: every node sees its operands' tangents as they were.
 */
typedef struct {
    dt_shadows *bar;       /* adjoints of arrays */
    dt_shadows dot;        /* tangents, and */
    dt_shadows bardot;     /* tangents of adjoints: `lanes` for each number */
    double *scalar_bar;
    double *scalar_dot;
    double *scalar_bardot;
    int lanes;             /* that are used */
    int wide;              /* that scalars have room for */
    double *saved;         /* the stack */
    size_t used, room;
    int keeps;             /* whether a sweep backwards will follow */
    int strict;
    int failed;            /* out of memory */
} dt_lanes;
/* [/lanes] */

enum { DT_MOST_LANES = 8 };

/* One node on arrays, forwards and backwards. `index` is its place on the tape. */
void dt_lanes_tangent_array(const dt_array_node *node, dt_lanes *l, uint32_t index);
void dt_lanes_second_array(const dt_array_node *node, dt_lanes *l, uint32_t index);

/* The reading of element `place` of a storage as scalar `index`; the writing of one, from a scalar or, where that is
 * DT_NONE, from a constant. */
void dt_lanes_tangent_element(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t index);
void dt_lanes_second_element(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t index);
void dt_lanes_tangent_store(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t scalar);
void dt_lanes_second_store(dt_lanes *l, uint32_t storage, uint32_t place, uint32_t scalar);

/* --- for the files of the lanes --- */

/* From one lane of an operand to the next. */
static inline int64_t dt_lane_of(const dt_lanes *l, const dt_operand *x) {
    return x->storage == DT_NONE ? 1 : l->bar->size[x->storage];
}

/* The tangents of an operand with a shape and steps; NULL where they are zero. */
double *dt_lanes_dot(dt_lanes *l, const dt_operand *x, int nd, const int64_t *shape, const int64_t *step);

/* The part of a storage that a node overwrites, in some lanes: copied to `packed`, or (`into`) from it, zeros where
 * `packed` is NULL. */
void dt_lanes_transfer(const dt_array_node *node, double *shadow, int lanes, int64_t lane, double *packed, int into);

/* Before a node overwrites tangents: put them on the stack. Before the way back through it: take them from there. */
void dt_lanes_save(dt_lanes *l, const dt_array_node *node);
void dt_lanes_restore(dt_lanes *l, const dt_array_node *node);

/* Forget the adjoints of a node's result. */
static inline void dt_lanes_drop(dt_lanes *l, const dt_array_node *node) {
    const uint32_t id = node->out.storage;
    if (id == DT_NONE) return;
    if (l->bar->bar[id]) dt_shadow_drop(l->bar, id);
    if (l->bardot.bar[id]) dt_shadow_drop(&l->bardot, id);
}

void dt_tangent_elementwise(const dt_array_node *node, dt_lanes *l, uint32_t index);
void dt_second_elementwise(const dt_array_node *node, dt_lanes *l, uint32_t index);
void dt_tangent_matmul(const dt_array_node *node, dt_lanes *l, uint32_t index);
void dt_second_matmul(const dt_array_node *node, dt_lanes *l, uint32_t index);

#endif
