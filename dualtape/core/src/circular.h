/* Sine and cosine of short runs of doubles, by vector instructions. */
#ifndef DUALTAPE_CIRCULAR_H
#define DUALTAPE_CIRCULAR_H

#include <stdint.h>

/* Whether the processor has the instructions that make the loops below worth while. */
int dt_circular_serves(void);

/* Loops as NumPy's. `data` is the dt_ufunc of NumPy's own, which does what is not for these: long runs, steps, and
 * numbers that are huge, tiny or not finite. */
void dt_sin_loop(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);
void dt_cos_loop(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data);

#endif
