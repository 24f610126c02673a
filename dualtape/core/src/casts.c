/* Numbers of one kind made from those of another. */
#include "typed.h"

#define CAST(NAME, FROM, TO, COMPLEX) \
    void NAME(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data) { \
        const char *x = args[0]; \
        char *out = args[1]; \
        for (intptr_t i = 0; i < dimensions[0]; i++, x += strides[0], out += strides[1]) { \
            ((TO *)out)[0] = (TO) * (const FROM *)x; \
            if (COMPLEX) ((TO *)out)[1] = 0; \
        } \
        (void)data; \
    }

CAST(dt_double_to_float, double, float, 0)
CAST(dt_double_to_complex, double, double, 1)
CAST(dt_float_to_double, float, double, 0)
CAST(dt_float_to_complex, float, double, 1)
