/* Buffers for adjoints and tangents. */
#include "scratch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DT_POOLED_BUFFERS = 4 };
static const size_t DT_POOLED_BYTES = (size_t)64 << 20;

/* Scratch buffers carry their capacity in a header of one cache line, so that giving one back needs only its pointer. */
typedef struct {
    size_t doubles;
    char padding[64 - sizeof(size_t)];
} scratch_header;
static scratch_header *free_buffers[DT_POOLED_BUFFERS];

double *dt_scratch_take(size_t doubles) {
    int best = -1;
    for (int i = 0; i < DT_POOLED_BUFFERS; i++) {
        scratch_header *h = free_buffers[i];
        if (h && h->doubles >= doubles && (best < 0 || h->doubles < free_buffers[best]->doubles)) best = i;
    }
    scratch_header *h;
    if (best >= 0) {
        h = free_buffers[best];
        free_buffers[best] = NULL;
        memset(h + 1, 0, doubles * sizeof(double));
    } else {
        size_t cap = doubles < 512 ? 512 : doubles;
        if (cap > (SIZE_MAX - sizeof *h) / sizeof(double)) return NULL;
        h = calloc(1, sizeof *h + cap * sizeof(double));
        if (!h) return NULL;
        h->doubles = cap;
    }
    return (double *)(h + 1);
}

void dt_scratch_give(double *p) {
    if (!p) return;
    scratch_header *h = (scratch_header *)p - 1;
    size_t bytes = h->doubles * sizeof(double);
    if (bytes <= DT_POOLED_BYTES) {
        int smallest = 0;
        for (int i = 0; i < DT_POOLED_BUFFERS; i++) {
            if (!free_buffers[i]) {
                free_buffers[i] = h;
                return;
            }
            if (free_buffers[i]->doubles < free_buffers[smallest]->doubles) smallest = i;
        }
        if (free_buffers[smallest]->doubles < h->doubles) {
            scratch_header *old = free_buffers[smallest];
            free_buffers[smallest] = h;
            h = old;
        }
    }
    free(h);
}

/* Free what is kept; gives its bytes. */
size_t dt_scratch_release(void) {
    size_t bytes = 0;
    for (int i = 0; i < DT_POOLED_BUFFERS; i++) {
        if (free_buffers[i]) bytes += free_buffers[i]->doubles * sizeof(double);
        free(free_buffers[i]);
        free_buffers[i] = NULL;
    }
    return bytes;
}
