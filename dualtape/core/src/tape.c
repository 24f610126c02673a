/* Memory of tapes: blocks of nodes, the pool of constants, and what is kept for the next tape. */
#include "tape.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Fresh memory costs a page fault for every 4 KiB, as much time as the recording itself: blocks are kept from one
 * differentiation to the next, up to this bound. The GIL guards the pool. */
enum { DT_POOLED_BLOCKS = 32, DT_KEPT_CONSTANTS = 1 << 16 };
static const size_t DT_ALIGNMENT = (size_t)2 << 20;

dt_counts dt_live = {0, 0, 0};
static dt_block *free_blocks = NULL;

static const size_t BLOCK_BYTES = (size_t)DT_BLOCK * (sizeof(double) + 2 * sizeof(uint32_t) + sizeof(uint16_t));

static void *aligned_take(size_t bytes) {
#if defined(_WIN32)
    return _aligned_malloc(bytes, DT_ALIGNMENT);
#else
    void *p = NULL;
    if (posix_memalign(&p, DT_ALIGNMENT, bytes) != 0) return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
#endif
}

static void aligned_give(void *p) {
#if defined(_WIN32)
    _aligned_free(p);
#else
    free(p);
#endif
}

static dt_block *block_take(void) {
    dt_block *block = free_blocks;
    if (block) {
        free_blocks = block->next;
        dt_live.pooled_blocks--;
        dt_live.pooled_bytes -= (int64_t)BLOCK_BYTES;
        return block;
    }
    block = malloc(sizeof *block);
    if (!block) return NULL;
    block->value = aligned_take(BLOCK_BYTES);
    if (!block->value) {
        free(block);
        return NULL;
    }
    block->a = (uint32_t *)(block->value + DT_BLOCK);
    block->b = block->a + DT_BLOCK;
    block->op = (uint16_t *)(block->b + DT_BLOCK);
    block->next = NULL;
    return block;
}

static void block_free(dt_block *block) {
    aligned_give(block->value);
    free(block);
}

static void block_give(dt_block *block) {
    if (dt_live.pooled_blocks >= DT_POOLED_BLOCKS) {
        block_free(block);
        return;
    }
    block->next = free_blocks;
    free_blocks = block;
    dt_live.pooled_blocks++;
    dt_live.pooled_bytes += (int64_t)BLOCK_BYTES;
}

static dt_tape *open_list = NULL;

static void enlist(dt_tape *t) {
    t->previous_open = NULL;
    t->next_open = open_list;
    if (open_list) open_list->previous_open = t;
    open_list = t;
    dt_live.open_tapes++;
}

static void delist(dt_tape *t) {
    if (t->previous_open)
        t->previous_open->next_open = t->next_open;
    else
        open_list = t->next_open;
    if (t->next_open) t->next_open->previous_open = t->previous_open;
    dt_live.open_tapes--;
}

/* Nodes on tapes that are not closed. */
int64_t dt_open_nodes(void) {
    int64_t nodes = 0;
    for (const dt_tape *t = open_list; t; t = t->next_open) nodes += t->size;
    return nodes;
}

void dt_tape_init(dt_tape *t) {
    memset(t, 0, sizeof *t);
    t->state = DT_STATE_OPEN;
    enlist(t);
}

/* An array of a tape with room for more. A sweep under way may be reading the old one. */
static void *enlarged(dt_tape *t, void *old, size_t bytes, size_t wanted) {
    if (!t->sweeping || !old) return realloc(old, wanted);
    void *array = malloc(wanted);
    if (!array) return NULL;
    memcpy(array, old, bytes);
    void **retired = malloc(2 * sizeof *retired);
    if (!retired) {
        free(array);
        return NULL;
    }
    retired[0] = t->retired;
    retired[1] = old;
    t->retired = retired;
    return array;
}

void dt_tape_settle(dt_tape *t) {
    while (t->retired) {
        void **retired = t->retired;
        t->retired = retired[0];
        free(retired[1]);
        free(retired);
    }
}

int dt_tape_shadow(dt_tape *t, int64_t size, uint32_t *id) {
    if (t->state != DT_STATE_OPEN) return DT_CLOSED;
    if (t->n_shadows == t->cap_shadows) {
        if (t->n_shadows >= DT_MAX_NODES) return DT_FULL;
        uint32_t cap = t->cap_shadows ? 2 * t->cap_shadows : 64;
        int64_t *sizes = enlarged(t, t->shadow_size, (size_t)t->n_shadows * sizeof *sizes, (size_t)cap * sizeof *sizes);
        if (!sizes) return DT_NO_MEMORY;
        t->shadow_size = sizes;
        t->cap_shadows = cap;
    }
    t->arrays |= 1;
    t->shadow_size[t->n_shadows] = size;
    *id = t->n_shadows++;
    return DT_OK;
}

enum { NODE_CHUNK = 1 << 16 };

void *dt_tape_room(dt_tape *t, size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > t->node_room) {
        const size_t wanted = bytes + 16 > NODE_CHUNK ? bytes + 16 : NODE_CHUNK;
        void **chunk = malloc(wanted);
        if (!chunk) return NULL;
        *chunk = t->node_chunks;
        t->node_chunks = chunk;
        t->node_next = (char *)chunk + 16;
        t->node_room = wanted - 16;
    }
    void *p = t->node_next;
    t->node_next += bytes;
    t->node_room -= bytes;
    return p;
}

/* Forget the nodes on arrays; a tape that rests keeps its first chunk. */
static void drop_arrays(dt_tape *t, int keep) {
    while (t->node_chunks) {
        void **chunk = t->node_chunks;
        if (keep && !*chunk && t->node_next >= (char *)chunk) {
            const size_t held = (size_t)(t->node_next - (char *)chunk) + t->node_room;
            t->node_next = (char *)chunk + 16;
            t->node_room = held - 16;
            break;
        }
        t->node_chunks = *chunk;
        t->node_next = NULL;
        t->node_room = 0;
        free(chunk);
    }
    if (!keep) {
        free(t->shadow_size);
        t->shadow_size = NULL;
        t->cap_shadows = 0;
    }
    t->n_shadows = 0;
    t->arrays = 0;
}

static void point_at(dt_tape *t, dt_block *block) {
    t->value = block->value;
    t->a = block->a;
    t->b = block->b;
    t->op = block->op;
}

/* Called when size has reached limit: the tape takes another block, or says why it cannot. */
int dt_tape_grow(dt_tape *t) {
    if (t->state != DT_STATE_OPEN) return DT_CLOSED;
    if (t->size > DT_MAX_NODES - DT_BLOCK) return DT_FULL;
    if (t->n_blocks == t->cap_blocks) {
        uint32_t cap = t->cap_blocks ? 2 * t->cap_blocks : 16;
        dt_block **blocks = enlarged(t, t->blocks, t->n_blocks * sizeof *blocks, cap * sizeof *blocks);
        if (!blocks) return DT_NO_MEMORY;
        t->blocks = blocks;
        t->cap_blocks = cap;
    }
    dt_block *block = block_take();
    if (!block) return DT_NO_MEMORY;
    t->blocks[t->n_blocks++] = block;
    point_at(t, block);
    t->limit = t->n_blocks << DT_BLOCK_BITS;
    return DT_OK;
}

/* Nothing more is recorded; what is there stays readable for sweeps. */
void dt_tape_freeze(dt_tape *t) {
    if (t->state == DT_STATE_OPEN) t->state = DT_STATE_FROZEN;
    t->limit = 0;
}

/* Closed, but ready to be rewound: keeps its first block and its pool of constants. */
void dt_tape_rest(dt_tape *t) {
    if (t->state == DT_STATE_CLOSED) return;
    while (t->n_blocks > 1) block_give(t->blocks[--t->n_blocks]);
    if (t->cap_constants > DT_KEPT_CONSTANTS) {
        free(t->constants);
        t->constants = NULL;
        t->cap_constants = 0;
    }
    t->n_constants = 0;
    t->size = t->limit = 0;
    drop_arrays(t, 1);
    t->state = DT_STATE_CLOSED;
    delist(t);
}

/* Empty and open again. */
void dt_tape_rewind(dt_tape *t) {
    if (t->state == DT_STATE_CLOSED) enlist(t);
    if (t->n_blocks) point_at(t, t->blocks[0]);
    t->limit = t->n_blocks << DT_BLOCK_BITS;
    t->size = 0;
    t->n_constants = 0;
    t->state = DT_STATE_OPEN;
}

void dt_tape_close(dt_tape *t) {
    while (t->n_blocks) block_give(t->blocks[--t->n_blocks]);
    free(t->blocks);
    free(t->constants);
    t->blocks = NULL;
    t->constants = NULL;
    t->cap_blocks = t->n_constants = t->cap_constants = 0;
    drop_arrays(t, 0);
    t->size = t->limit = 0;
    if (t->state != DT_STATE_CLOSED) delist(t);
    t->state = DT_STATE_CLOSED;
}

/* Bytes that the recorded nodes and constants take. */
size_t dt_tape_bytes(const dt_tape *t) {
    return (size_t)t->size * (BLOCK_BYTES / DT_BLOCK) + (size_t)t->n_constants * sizeof(double);
}

/* Bytes that the tape holds, whole blocks counted. */
size_t dt_tape_held(const dt_tape *t) {
    return t->n_blocks * BLOCK_BYTES + t->cap_constants * sizeof(double);
}

int dt_constant_slow(dt_tape *t, double c, uint32_t slot, uint32_t *place) {
    if (t->n_constants == t->cap_constants) {
        uint32_t cap = t->cap_constants ? t->cap_constants + t->cap_constants / 2 : 64;
        double *constants = enlarged(t, t->constants, (size_t)t->n_constants * sizeof *constants,
                                     (size_t)cap * sizeof *constants);
        if (!constants) return DT_NO_MEMORY;
        t->constants = constants;
        t->cap_constants = cap;
    }
    t->constants[t->n_constants] = c;
    t->recent[slot] = *place = t->n_constants++;
    return DT_OK;
}

void dt_pool_release(void) {
    while (free_blocks) {
        dt_block *block = free_blocks;
        free_blocks = block->next;
        block_free(block);
    }
    dt_live.pooled_blocks = dt_live.pooled_bytes = 0;
}
