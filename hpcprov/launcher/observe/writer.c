/* Records into the event area (../area.h has the format): reserve, fill in, commit, from any thread of any process, without a lock.
 *
 *     uint64_t at;
 *     struct area_record *r = writer_begin(AREA_UNLINK, size + 1, &at);
 *     if (r) { ...copy the path behind r...; writer_end(r, at); }
 *
 * A page is touched only when the file system has promised its memory: a full tmpfs must not become SIGBUS in the application. Where the
 * application's address space is limited the area is not mapped for good: each record maps what it needs for a moment.
 */
#define _GNU_SOURCE
#include "observe.h"

#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static struct area_header *header;
static char *ring; /* NULL: mapped for each record */
static uint64_t capacity;
static const char *area_path;

static bool header_valid(const struct area_header *h, uint64_t file_size) {
    return words_equal(h->magic, AREA_MAGIC, 8) && h->version == 1 && h->header == AREA_HEADER && h->chunk == AREA_CHUNK && h->capacity &&
           h->capacity % AREA_CHUNK == 0 && h->capacity <= file_size - AREA_HEADER;
}

static long map(int fd, uint64_t at, size_t size) { return raw_mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at); }

static bool address_space_is_limited(void) {
    uint64_t limit[2];
    return raw_getlimit(RLIMIT_AS, limit) < 0 || limit[0] != ~0ull;
}

/* The whole file in one piece, or its header alone. */
static bool attach(int fd) {
    struct stat file;
    if (raw_fstat(fd, &file) < 0 || !S_ISREG(file.st_mode) || file.st_size <= (off_t)AREA_HEADER) return false;
    size_t size = address_space_is_limited() ? AREA_HEADER : (size_t)file.st_size;
    long at = map(fd, 0, size);
    if (raw_failed(at) && size > AREA_HEADER) at = map(fd, 0, size = AREA_HEADER);
    if (raw_failed(at)) return false;
    if (!header_valid((struct area_header *)at, (uint64_t)file.st_size)) {
        raw_munmap((void *)at, size);
        return false;
    }
    header = (struct area_header *)at;
    capacity = header->capacity;
    if (size > AREA_HEADER) ring = (char *)header + AREA_HEADER;
    return true;
}

bool writer_attach(const char *path) {
    long fd = raw_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    bool done = attach((int)fd);
    raw_close((int)fd);
    area_path = path;
    return done;
}

/* Each record maps its own part from now on. Nobody may be writing. */
void writer_unmap(void) {
    if (ring) raw_munmap(ring, (size_t)capacity);
    ring = NULL;
}

uint32_t writer_instance(void) { return __atomic_add_fetch(&header->instances, 1, __ATOMIC_RELAXED); }
bool writer_is_launcher(uint64_t dev, uint64_t ino) { return header->launcher_ino == ino && header->launcher_dev == dev; }
uint64_t writer_view(void) { return header->view; }
uint64_t writer_changes(void) { return __atomic_load_n(&header->changes, __ATOMIC_RELAXED); }
void writer_changed(bool directory) { __atomic_add_fetch(&header->changes, directory ? CHANGES_DIRECTORY + 1 : 1, __ATOMIC_RELAXED); }

NEXT(clock_gettime)

/* By the C library's, which asks the kernel without a system call. */
int64_t writer_now(void) {
    struct timespec t = {0, 0};
    __typeof__(&clock_gettime) next = get_clock_gettime();
    if (!next || next(CLOCK_REALTIME_COARSE, &t)) raw_clock(CLOCK_REALTIME_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Memory for one chunk. By populating, which needs no descriptor and no path; before Linux 5.14, or without the map, by fallocate. */
static bool allocate_chunk(uint64_t offset) {
    if (ring) {
        long done = raw_madvise(ring + offset, AREA_CHUNK, MADV_POPULATE_WRITE);
        if (done != -22 /* EINVAL: older kernel */) return done == 0;
    }
    long fd = raw_openat(AT_FDCWD, area_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    long done = raw_fallocate((int)fd, FALLOC_FL_KEEP_SIZE, AREA_HEADER + offset, AREA_CHUNK);
    raw_close((int)fd);
    return done == 0;
}

static bool allocate(uint64_t end) {
    uint64_t done = __atomic_load_n(&header->allocated, __ATOMIC_ACQUIRE);
    while (done < end) {
        uint64_t start = done - done % AREA_CHUNK;
        if (end - start > capacity + AREA_CHUNK || !allocate_chunk(start % capacity)) return false;
        uint64_t after = start + AREA_CHUNK;
        if (__atomic_compare_exchange_n(&header->allocated, &done, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) done = after;
    }
    return true;
}

static uint64_t padding(uint64_t position, uint64_t size) {
    uint64_t left = capacity - position % capacity;
    return left < size ? left : 0;
}

/* The position of `size` bytes that do not cross the end of the ring, after `*pad` bytes that do; false: no room. What lies in the chunk of
 * `head` is given back with the whole chunk, so the chunk counts as unread. */
static bool reserve(uint64_t size, uint64_t *position, uint64_t *pad) {
    uint64_t tail = __atomic_load_n(&header->tail, __ATOMIC_RELAXED), head, end;
    do {
        if (tail % 16) return false; /* somebody scribbled on it */
        *pad = padding(tail, size);
        end = tail + *pad + size;
        head = __atomic_load_n(&header->head, __ATOMIC_ACQUIRE);
        if (end > head - head % AREA_CHUNK + capacity || !allocate(end)) return false;
    } while (!__atomic_compare_exchange_n(&header->tail, &tail, end, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    *position = tail + *pad;
    return true;
}

/* The map of [position, position + size), for a moment where there is none for good. */
static uint64_t window_start(uint64_t position) { return position % capacity & ~4095ull; }
static size_t window_size(uint64_t position, uint64_t size) { return (size_t)(position % capacity + size - window_start(position)); }

static char *place_of(uint64_t position, uint64_t size) {
    if (ring) return ring + position % capacity;
    long fd = raw_openat(AT_FDCWD, area_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return NULL;
    long at = map((int)fd, AREA_HEADER + window_start(position), window_size(position, size));
    raw_close((int)fd);
    return raw_failed(at) ? NULL : (char *)at + (position % capacity & 4095);
}

static void leave(uint64_t position, void *at, uint64_t size) {
    if (!ring) raw_munmap((void *)((uintptr_t)at & ~(uintptr_t)4095), window_size(position, size));
}

static void fill_end_of_ring(uint64_t position, uint64_t size) {
    struct area_record *pad = size ? (struct area_record *)place_of(position, size) : NULL;
    if (!pad) return;
    __atomic_store_n(&pad->state, (uint32_t)(size << 8) | AREA_COMMITTED, __ATOMIC_RELEASE); /* the kind is 0 already: AREA_PAD */
    leave(position, pad, size);
}

void writer_lost(void) { __atomic_add_fetch(&header->lost, 1, __ATOMIC_RELAXED); }

static struct area_record *lost(void) {
    writer_lost();
    return NULL;
}

/* A record with room for `text` bytes behind it, or NULL; ended by writer_end. Time, pid and instance are filled in. */
struct area_record *writer_begin(enum area_kind kind, size_t text, uint64_t *position) {
    uint64_t size = (sizeof(struct area_record) + text + 15) & ~15ull, pad;
    if (__atomic_load_n(&header->stopped, __ATOMIC_RELAXED)) return NULL;
    if (text > AREA_TEXT_MAX || size > capacity || !reserve(size, position, &pad)) return lost();
    fill_end_of_ring(*position - pad, pad);
    struct area_record *r = (struct area_record *)place_of(*position, size);
    if (!r) return lost();
    __atomic_store_n(&r->state, (uint32_t)(size << 8) | AREA_RESERVED, __ATOMIC_RELEASE);
    r->kind = (uint16_t)kind;
    r->instance = observer.instance;
    r->pid = observer.pid;
    r->time = writer_now();
    return r;
}

void writer_end(struct area_record *r, uint64_t position) {
    uint32_t size = r->state >> 8;
    if (r->flags & STRINGS_CUT) __atomic_add_fetch(&header->cut, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&r->state, size << 8 | AREA_COMMITTED, __ATOMIC_RELEASE);
    leave(position, r, size);
}
