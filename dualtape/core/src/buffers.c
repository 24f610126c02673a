/* Fresh pages cost more time than most operations on the numbers in them: large buffers are kept, by size, up to a
 * bound. Sweeps use them without the GIL, so a lock guards the lists. */
#include "buffers.h"

#include <stdint.h>
#include <stdlib.h>
#if defined(_WIN32)
#include <malloc.h>
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

enum { SMALLEST = 256, CLASSES = 4 * 52, HEADER = 64 };
static const size_t KEPT_BYTES = (size_t)256 << 20;

typedef struct buffer {
    size_t bytes;
    int class;
    struct buffer *next;
} buffer;

static buffer *kept[CLASSES];
static size_t kept_bytes = 0;

#if defined(_MSC_VER)
static volatile long taken = 0;
static void lock(void) {
    while (_InterlockedExchange(&taken, 1)) {
    }
}
static void unlock(void) { _InterlockedExchange(&taken, 0); }
#else
static char taken = 0;
static void lock(void) {
    while (__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE)) {
    }
}
static void unlock(void) { __atomic_clear(&taken, __ATOMIC_RELEASE); }
#endif

/* Vector instructions are slow on numbers that straddle lines of the cache: data begin at one. */
static void *aligned_take(size_t bytes) {
#if defined(_WIN32)
    return _aligned_malloc(bytes, HEADER);
#else
    void *p = NULL;
    return posix_memalign(&p, HEADER, bytes) == 0 ? p : NULL;
#endif
}

static void aligned_give(void *p) {
#if defined(_WIN32)
    _aligned_free(p);
#else
    free(p);
#endif
}

/* Sizes are rounded up to the next of four steps to each power of two. */
static int class_of(size_t bytes, size_t *rounded) {
    size_t power = SMALLEST;
    int class = 0;
    while (power < bytes / 2 + 1) {
        power *= 2;
        class += 4;
    }
    for (int k = 1; k <= 4; k++) {
        const size_t size = power + power / 4 * (size_t)k;
        if (size >= bytes) {
            *rounded = size;
            return class + k - 1;
        }
    }
    *rounded = bytes;
    return CLASSES;
}

void *dt_buffer_take(size_t bytes) {
    size_t rounded;
    if (bytes > SIZE_MAX / 2) return NULL;
    const int class = class_of(bytes, &rounded);
    buffer *b = NULL;
    if (class < CLASSES) {
        lock();
        b = kept[class];
        if (b) {
            kept[class] = b->next;
            kept_bytes -= b->bytes;
        }
        unlock();
    }
    if (!b) {
        b = aligned_take(HEADER + rounded);
        if (!b) return NULL;
        b->bytes = rounded;
        b->class = class;
    }
    return (char *)b + HEADER;
}

void dt_buffer_give(void *p) {
    if (!p) return;
    buffer *b = (buffer *)((char *)p - HEADER);
    if (b->class < CLASSES) {
        lock();
        if (kept_bytes + b->bytes <= KEPT_BYTES) {
            b->next = kept[b->class];
            kept[b->class] = b;
            kept_bytes += b->bytes;
            b = NULL;
        }
        unlock();
    }
    aligned_give(b);
}

size_t dt_buffer_release(void) {
    size_t bytes = 0;
    lock();
    for (int class = 0; class < CLASSES; class++)
        while (kept[class]) {
            buffer *b = kept[class];
            kept[class] = b->next;
            bytes += b->bytes;
            aligned_give(b);
        }
    kept_bytes = 0;
    unlock();
    return bytes;
}
