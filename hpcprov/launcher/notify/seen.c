/* What has been written already: a direct-mapped table of names. A name that is pushed out is written once more, which does no harm. */
#include "notify.h"

#include <sys/mman.h>

enum { SLOTS = 1 << 15, ACCESS = 15 }; /* read, write, create, truncate: in the lowest bits of a slot */
static _Atomic uint64_t *slots;

bool seen_begin(void) {
    void *room = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    slots = room;
    return true;
}

static uint64_t hash_of(const char *path) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *c = path; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash ^ hash >> 29;
}

bool seen_before(uint32_t instance, const char *path, unsigned access) {
    uint64_t hash = hash_of(path), mark = (hash ^ instance * UINT64_C(0x9E3779B97F4A7C15)) & ~(uint64_t)ACCESS;
    _Atomic uint64_t *slot = &slots[hash % SLOTS];
    uint64_t have = atomic_load_explicit(slot, memory_order_relaxed);
    if ((have & ~(uint64_t)ACCESS) != mark) have = mark;
    if ((have & access) == access && access) return true;
    atomic_store_explicit(slot, have | access, memory_order_relaxed);
    return false;
}

void seen_forget(const char *path) { atomic_store_explicit(&slots[hash_of(path) % SLOTS], 0, memory_order_relaxed); }
