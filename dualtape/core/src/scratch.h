/* Zeroed scratch memory for adjoints and tangents, from a bounded pool that the GIL guards. */
#ifndef DUALTAPE_SCRATCH_H
#define DUALTAPE_SCRATCH_H

#include <stddef.h>

double *dt_scratch_take(size_t doubles); /* NULL when there is no memory */
void dt_scratch_give(double *p);
size_t dt_scratch_release(void);

#endif
