/* The tape: what a program did, as a flat array of nodes in order of execution. Plain C, no Python. */
#ifndef DUALTAPE_TAPE_H
#define DUALTAPE_TAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arithmetic.h"
#include "array.h"
#include "lanes.h"

/* [node]
 * A node is one scalar operation,
 *
 *     out = row(x, y):   op      what was done: the row of the rule table and which operands are constants
 *                        a, b    the operands: indices of earlier nodes, or of constants in the tape's pool
 *                        value   the result (the primal)
 *
 * in 18 bytes: 2 for op, 4 for each operand, 8 for the value. The value of node i and its adjoint bear the same
 * index. No partial derivative is stored: the sweeps compute them from the operands' values, so that one recording
 * serves the reverse sweep, the tangent sweep, the tangent-over-adjoint sweep, and replay at new inputs.
 * Operands are absolute indices; a loop of the program shows as a run of nodes whose distances `i - a` repeat.
 *
 * The four fields lie in arrays of their own (the reverse sweep reads op, a, b in one direction and jumps only for
 * values and adjoints), in blocks of DT_BLOCK nodes that never move: a sweep may read them without the GIL.
 */
enum { DT_BLOCK_BITS = 17, DT_BLOCK = 1 << DT_BLOCK_BITS, DT_MASK = DT_BLOCK - 1 };

typedef struct dt_block {
    double *value;
    uint32_t *a;
    uint32_t *b;
    uint16_t *op;
    struct dt_block *next; /* in the pool of free blocks */
} dt_block;
/* [/node] */

/* [op]
 * op = 4 * row + kind for an operation of the rule table. kind has bit 0 set where `a` is a constant, bit 1 where `b`
 * is. An operation of three operands reads the third from field `a` of the node before it, a DT_ARG; its operands
 * are never constants of the pool (a DT_LEAF holds a constant there).
 * A row that is piecewise constant (floor, sign, x // y) is a guard: its result left the tape as a plain number,
 * so a replay is valid only where the result comes out the same. So are the comparisons, with the outcome as value.
 */
enum {
    DT_A_CONSTANT = 1,
    DT_B_CONSTANT = 2,
    DT_INPUT = 0xF000, /* an independent variable */
    DT_LEAF,           /* a number that is an operand by index but no variable */
    DT_ARG,            /* the third operand of the next node */
    DT_BOXED,          /* a Python object: a is its record's place in the tape's list of records */
    DT_ARRAY,          /* a node on arrays in C: a and b are the halves of the pointer to its dt_array_node */
    DT_ELEMENT,        /* the element b of storage a, read */
    DT_STORE,          /* an element overwritten by scalar a, or by a constant if a is DT_NONE: dt_store in value */
    DT_CALL,           /* a node on arrays: a is its record's place in the tape's list of records */
    DT_PIN,            /* a guard: the value of node a was read as a plain number */
    DT_COMPARE = 0xF100 /* DT_COMPARE + 4 * (Python's Py_LT ... Py_GE) + kind; the value is the outcome, 0 or 1 */
};
/* [/op] */

enum { DT_OK = 0, DT_NO_MEMORY = -1, DT_CLOSED = -2, DT_FULL = -3 };
enum { DT_STATE_OPEN = 0, DT_STATE_FROZEN, DT_STATE_CLOSED };

/* 2^31 nodes; an index and a flag could share 32 bits. */
#define DT_MAX_NODES 0x80000000u

enum { DT_RECENT_BITS = 6 };

typedef struct dt_tape {
    /* Where the next node goes. `limit` is the size at which the current block is full, and 0 once nothing may be
     * recorded any more: one comparison covers a full block, a frozen tape and a closed one. */
    uint32_t size;
    uint32_t limit;
    double *value;
    uint32_t *a;
    uint32_t *b;
    uint16_t *op;
    double *constants;
    uint32_t n_constants;
    uint32_t cap_constants;
    uint32_t recent[1 << DT_RECENT_BITS]; /* places of constants used before, by hash: loops repeat their constants */
    dt_block **blocks;
    uint32_t n_blocks;
    uint32_t cap_blocks;
    int state;
    int sweeping;  /* sweeps that read the tape without the GIL: arrays that grow leave their old memory in place */
    void *retired; /* that old memory, a list of pairs (next, memory), freed when the last sweep ends */
    int64_t *shadow_size; /* of each array the doubles that its adjoint takes; -1 - number of its elements where
                             that is a Python object */
    uint32_t n_shadows;
    uint32_t cap_shadows;
    char *node_next; /* room for nodes on arrays, which never move */
    size_t node_room;
    void *node_chunks; /* the memory of those nodes, a list through the first words */
    int arrays;        /* bit 0: there are arrays, bit 1: there are nodes on them, bit 2: not all are of float64 */
    struct dt_tape *next_open; /* the tapes that are not closed form a list, to count what is alive */
    struct dt_tape *previous_open;
} dt_tape;

/* What is alive, for tests of leaks. */
typedef struct {
    int64_t open_tapes;
    int64_t pooled_blocks;
    int64_t pooled_bytes;
} dt_counts;
extern dt_counts dt_live;

void dt_tape_init(dt_tape *t);
int dt_tape_grow(dt_tape *t);
void dt_tape_freeze(dt_tape *t);
void dt_tape_rest(dt_tape *t);
void dt_tape_rewind(dt_tape *t);
void dt_tape_close(dt_tape *t);
void dt_tape_settle(dt_tape *t); /* the last sweep has ended */
size_t dt_tape_bytes(const dt_tape *t);
size_t dt_tape_held(const dt_tape *t);
int dt_constant_slow(dt_tape *t, double c, uint32_t slot, uint32_t *place);

void dt_pool_release(void);
int64_t dt_open_nodes(void);

static inline double dt_value_at(const dt_tape *t, uint32_t i) {
    return t->blocks[i >> DT_BLOCK_BITS]->value[i & DT_MASK];
}

/* Room for one more node, or an error code. */
static inline int dt_room(dt_tape *t) {
    return DT_LIKELY(t->size < t->limit) ? DT_OK : dt_tape_grow(t);
}

/* Append a node; the caller has called dt_room. */
static inline uint32_t dt_append(dt_tape *t, uint32_t op, uint32_t a, uint32_t b, double value) {
    uint32_t i = t->size, k = i & DT_MASK;
    t->op[k] = (uint16_t)op;
    t->a[k] = a;
    t->b[k] = b;
    t->value[k] = value;
    t->size = i + 1;
    return i;
}

/* The place of a constant in the pool, found again by hash where it was used lately. Compares bits: -0.0 is not 0.0. */
static inline int dt_constant(dt_tape *t, double c, uint32_t *place) {
    uint64_t bits;
    memcpy(&bits, &c, 8);
    uint32_t slot = (uint32_t)((bits * 0x9E3779B97F4A7C15u) >> (64 - DT_RECENT_BITS));
    uint32_t p = t->recent[slot];
    if (DT_LIKELY(p < t->n_constants && memcmp(&t->constants[p], &c, 8) == 0)) {
        *place = p;
        return DT_OK;
    }
    return dt_constant_slow(t, c, slot, place);
}

/* Where a DT_STORE writes, in the bits of its value. */
typedef struct {
    uint32_t storage;
    uint32_t place;
} dt_store;

static inline double dt_pack_store(uint32_t storage, uint32_t place) {
    dt_store where = {storage, place};
    double bits;
    memcpy(&bits, &where, sizeof bits);
    return bits;
}

int dt_tape_shadow(dt_tape *t, int64_t size, uint32_t *id); /* room for the adjoint of an array */
void *dt_tape_room(dt_tape *t, size_t bytes);               /* memory that lives as long as the program; NULL: none */

/* The same where there is room at hand: NULL sends the caller to dt_tape_room. */
static inline void *dt_tape_bump(dt_tape *t, size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > t->node_room) return NULL;
    void *p = t->node_next;
    t->node_next += bytes;
    t->node_room -= bytes;
    return p;
}

/* The reverse sweep over a tape with arrays: gives the place of a DT_CALL, which the caller does and goes on from, or
 * -1 at the end. */
int64_t dt_sweep_arrays(const dt_tape *t, const dt_row *rows, double *bar, uint32_t from, uint32_t to, int strict,
                        dt_shadows *s);

/* sweep.c: bar[a] += bar[i] * d(out)/d(a), for i from `from` - 1 down to `to`. */
void dt_sweep_reverse(const dt_tape *t, const dt_row *rows, double *bar, uint32_t from, uint32_t to, int strict);

/* second.c: tangents forwards, then adjoints and their tangents backwards, in lanes. They give the place of a DT_CALL,
 * which the caller does and goes on from, or -1 at the end. */
int64_t dt_sweep_tangent(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t from, uint32_t to);
int64_t dt_sweep_second(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t from, uint32_t to);

#endif
