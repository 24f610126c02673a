/* Memory for the numbers of large arrays, kept from one use to the next. */
#ifndef DUALTAPE_BUFFERS_H
#define DUALTAPE_BUFFERS_H

#include <stddef.h>

void *dt_buffer_take(size_t bytes); /* NULL: out of memory; what is in it is undefined */
void dt_buffer_give(void *p);
size_t dt_buffer_release(void); /* frees what is kept, gives its bytes */

#endif
