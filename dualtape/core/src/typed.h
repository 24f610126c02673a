/* Between the files that sweep over nodes on numbers that are not all float64. */
#ifndef DUALTAPE_TYPED_H
#define DUALTAPE_TYPED_H

#include "array.h"

/* One axis of a node. Steps count numbers of the kind that lies there. */
typedef struct {
    const char *value;
    char *bar; /* NULL: not asked for */
    int64_t vs, bs;
} dt_run_operand;

typedef struct {
    const dt_shadows *s;
    const dt_array_node *node;
    int64_t n;
    const char *w; /* the adjoint of the result */
    int64_t ws;
    const char *out; /* the result, where the slopes read it */
    int64_t os;
    dt_run_operand x[3];
    int strict;
} dt_run;

static inline const dt_ufunc *dt_loop_of(const dt_shadows *s, int kind, int row) {
    return &s->ufuncs[kind * DT_LOOPS + row];
}

static inline int64_t dt_size_of(int kind) {
    return kind == DT_FLOAT ? 4 : kind == DT_COMPLEX ? 16 : 8;
}

void dt_run_float(const dt_run *r);
void dt_run_complex(const dt_run *r); /* of a result that is complex, or of abs() */

/* Values: numbers of one kind made from those of another, as loops of ufuncs. */
void dt_double_to_float(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
void dt_double_to_complex(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
void dt_float_to_double(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
void dt_float_to_complex(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);

#endif
