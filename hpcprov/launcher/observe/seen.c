/* What this process told a moment ago is not told again: a direct-mapped table of path hashes. One word an entry, so threads can not tear it:
 *
 *     bits 0-3 read, written, created, truncated   4-19 when (8 s units)   20-31 renames and removals in the area at that time   32-63 hash
 *
 * An access is told again after a while, so that its last time is known, and a write after any name was renamed or removed by anybody: the
 * file that was written may have been moved away, and this may be another one.
 */
#include "observe.h"

/* A program that opens little touches one page of it. */
enum { ENTRIES_FIRST = 512, ENTRIES = 8192, UNIT_BITS = 33 /* 2^33 ns = 8.6 s */, CLASS = 15 };

static _Alignas(4096) uint64_t table[ENTRIES];
static uint32_t told;

static uint64_t hash_of(const struct name *name) {
    uint64_t h = words_hash(0, name->base.at, name->base.size);
    return words_hash(h, name->rest.at, name->rest.size);
}

static uint64_t *entry_of(uint64_t hash) { return &table[hash % (told < ENTRIES_FIRST ? ENTRIES_FIRST : ENTRIES)]; }

bool seen_before(const struct name *name, unsigned flags, int64_t now) {
    uint64_t hash = hash_of(name), changes = writer_changes() & 0xfff, when = (uint64_t)now >> UNIT_BITS & 0xffff;
    uint64_t *entry = entry_of(hash), stamp = hash >> 32 << 32 | changes << 20 | when << 4;
    uint64_t was = __atomic_load_n(entry, __ATOMIC_RELAXED), class = flags & CLASS;
    bool same = was >> 32 == stamp >> 32 && ((was ^ stamp) >> 4 & 0xffff) < 4 /* the high bits of the time are the same */;
    bool unchanged = (was ^ stamp) >> 20 == 0 || !(class & ACCESS_WRITE);
    if (same && unchanged && (was & class) == class) return true;
    __atomic_store_n(entry, stamp | class | (same && unchanged ? was & CLASS : 0), __ATOMIC_RELAXED);
    if (told < ENTRIES_FIRST) told++;
    return false;
}

void seen_forget(const struct name *name) { __atomic_store_n(entry_of(hash_of(name)), 0, __ATOMIC_RELAXED); }
