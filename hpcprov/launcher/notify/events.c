/* Records in the event area, written as area.h says. What does not fit is counted. The application can write into the header as it likes: the ring's
 * size is remembered, and positions that cannot be are not written to. */
#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ATOMIC(member) __atomic_load_n(&(member), __ATOMIC_ACQUIRE)

bool events_map(struct events *e, int fd) {
    struct stat st;
    struct area_header *h;
    if (fstat(fd, &st) || st.st_size <= (off_t)AREA_HEADER) return false;
    *e = (struct events){.fd = fd, .size = (size_t)st.st_size};
    h = mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED) return false;
    e->header = h;
    e->capacity = h->capacity;
    return !memcmp(h->magic, AREA_MAGIC, sizeof h->magic) && h->version == 1 && h->header == AREA_HEADER && e->capacity && e->capacity % AREA_CHUNK == 0
           && e->capacity <= e->size - AREA_HEADER;
}

bool events_wanted(const struct events *e) { return !ATOMIC(e->header->stopped); }

uint32_t events_instance(struct events *e) { return __atomic_add_fetch(&e->header->instances, 1, __ATOMIC_RELAXED); }

void events_lost(struct events *e, uint64_t count) { __atomic_add_fetch(&e->header->lost, count, __ATOMIC_RELAXED); }

/* Memory for the ring up to `end`, by the system call that can fail: a full file system must not become SIGBUS. */
static bool allocate(struct events *e, uint64_t end) {
    struct area_header *h = e->header;
    for (uint64_t have = ATOMIC(h->allocated); have < end; have = ATOMIC(h->allocated)) {
        uint64_t start = have - have % AREA_CHUNK;
        if (end - start > e->capacity + AREA_CHUNK || fallocate(e->fd, 0, (off_t)(AREA_HEADER + start % e->capacity), AREA_CHUNK)) return false;
        __atomic_compare_exchange_n(&h->allocated, &have, start + AREA_CHUNK, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    return true;
}

static struct area_record *at(struct events *e, uint64_t position) {
    return (struct area_record *)((char *)e->header + AREA_HEADER + position % e->capacity);
}

/* `size` bytes in one piece; NULL: no room. */
static struct area_record *reserve(struct events *e, uint32_t size) {
    struct area_header *h = e->header;
    uint64_t tail = ATOMIC(h->tail), pad, end, head;
    do {
        if (tail % 16) return NULL;
        uint64_t left = e->capacity - tail % e->capacity;
        pad = left < size ? left : 0;
        end = tail + pad + size;
        head = ATOMIC(h->head);
        if (end > head - head % AREA_CHUNK + e->capacity || !allocate(e, end)) return NULL;
    } while (!__atomic_compare_exchange_n(&h->tail, &tail, end, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    if (pad) {
        struct area_record *filler = at(e, tail);
        filler->kind = AREA_PAD;
        __atomic_store_n(&filler->state, (uint32_t)pad << 8 | AREA_COMMITTED, __ATOMIC_RELEASE);
    }
    struct area_record *r = at(e, tail + pad);
    __atomic_store_n(&r->state, size << 8 | AREA_RESERVED, __ATOMIC_RELEASE);
    return r;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void events_write(struct events *e, const struct event *event) {
    bool cut = event->len > AREA_TEXT_MAX || event->flags & STRINGS_CUT;
    size_t len = event->len > AREA_TEXT_MAX ? AREA_TEXT_MAX : event->len;
    uint32_t size = (uint32_t)(sizeof(struct area_record) + len + 15) & ~15u;
    struct area_record *r = reserve(e, size);
    if (!r) {
        events_lost(e, 1);
        return;
    }
    r->kind = (uint16_t)event->kind;
    r->flags = (uint16_t)(event->flags | (cut ? STRINGS_CUT : 0));
    r->instance = event->instance;
    r->pid = (uint32_t)event->pid;
    r->time = now();
    memcpy(&r->is, event->is, sizeof r->is);
    if (len) memcpy(r + 1, event->strings, len); /* NULL may not be copied from, not even nothing of it */
    memset((char *)(r + 1) + len, 0, size - sizeof *r - len);
    if (event->len > AREA_TEXT_MAX) ((char *)(r + 1))[len - 1] = 0;
    if (cut) __atomic_add_fetch(&e->header->cut, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&r->state, size << 8 | AREA_COMMITTED, __ATOMIC_RELEASE);
}
