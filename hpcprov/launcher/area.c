/* The node's event area (area.h): made by the first launcher of a node, opened by the others, removed by the last to leave.
 *
 *   /dev/shm/hpcprov-1000-5f70bf18a0860070.../area      the spool is a directory of ours, 0700, named after the node's log
 *
 * Launchers are counted in the header, and the last one that leaves removes the names: the agent, which got the descriptor with `hello`, reads on
 * without, and a scheduler that ends it with the last launcher leaves nothing behind. Whoever uses an area also holds a shared lock on it. A lock that can
 * be had alone tells that nobody does: what a killed launcher left the agent removes at its end, or the user's next agent (agent/spools.py).
 */
#define _GNU_SOURCE
#include "launcher.h"
#include "area.h"
#include "containers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 50, SMALLEST = 4 * AREA_CHUNK, SHARE = 16 };
static const char FILE_NAME[] = "area";
/* What may be in a spool (seen from its area). */
static const char *const contents[] = {FILE_NAME, LIBRARY_NAME, "python.jsonl"};

/* Shared memory on a file system of the network is neither fast nor, between clients, shared. */
static bool of_this_node(int fd) {
    static const uint32_t elsewhere[] = {0x6969 /* NFS */,     0x0BD00BD0 /* Lustre */, 0x47504653 /* GPFS */, 0x19830326 /* BeeGFS */, 0x00C36400 /* Ceph */,
                                         0x65735546 /* FUSE */, 0x01021997 /* 9P */,     0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB 2 */,  0x5346414F /* AFS */};
    struct statfs fs;
    if (fstatfs(fd, &fs)) return false;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if ((uint32_t)fs.f_type == elsewhere[i]) return false;
    return true;
}

/* The spool as a descriptor; -1: not here. Never a directory that somebody else made, or could look into. */
static int open_spool(const char *path) {
    struct stat st;
    if (mkdir(path, 0700) && errno != EEXIST) return -1;
    int fd = fd_above_stdio(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)), error = errno;
    if (fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() && (st.st_mode & 07777) == 0700) return fd;
    if (fd >= 0) close(fd);
    else rmdir(path);
    errno = fd >= 0 ? EPERM : error;
    return -1;
}

/* A limit on the size of files must not stop the application; its own limit stays as it is. What nobody has read yet is memory that the
 * application is charged for: of a small limit no more than a share. */
static uint64_t make_room(int fd, uint64_t memory) {
    uint64_t capacity = AREA_CAPACITY;
    while (capacity > SMALLEST && capacity > memory / SHARE) capacity /= 2;
    for (; capacity >= SMALLEST; capacity /= 2)
        if (!ftruncate(fd, (off_t)(AREA_HEADER + capacity))) return capacity;
    return 0;
}

static bool write_header(int fd, uint64_t memory) {
    struct stat own;
    struct area_header header = {.header = AREA_HEADER, .version = 1, .chunk = AREA_CHUNK, .view = container_view(), .launchers = 1};
    memcpy(header.magic, AREA_MAGIC, sizeof header.magic);
    header.capacity = make_room(fd, memory);
    if (!stat("/proc/self/exe", &own)) {
        header.launcher_dev = own.st_dev;
        header.launcher_ino = own.st_ino;
    }
    return header.capacity && !posix_fallocate(fd, 0, AREA_HEADER) && pwrite(fd, &header, sizeof header, 0) == (ssize_t)sizeof header;
}

/* Made under a name of its own and then linked, so that nobody meets half of one. */
static int make_area(int spool, uint64_t memory) {
    char name[64];
    snprintf(name, sizeof name, ".%d-%lld", (int)getpid(), (long long)clock_ns(CLOCK_BOOTTIME));
    int fd = fd_above_stdio(openat(spool, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd < 0) return -1;
    bool made = write_header(fd, memory) && !flock(fd, LOCK_SH | LOCK_NB) && !linkat(spool, name, spool, FILE_NAME, 0);
    int error = errno;
    unlinkat(spool, name, 0);
    if (made) return fd;
    close(fd);
    errno = error;
    return -1;
}

static struct area_header *map_header(int fd) {
    void *at = mmap(NULL, AREA_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

/* One launcher more, unless the last one has just left. */
static bool count_in(int fd) {
    struct area_header *header = map_header(fd);
    bool counted = header && !(__atomic_fetch_add(&header->launchers, 1, __ATOMIC_ACQ_REL) & AREA_LEFT);
    if (header) munmap(header, AREA_HEADER);
    return counted;
}

/* One launcher less; gives whether it was the last. Then nobody writes any more: programs that start from now on find no area. */
static bool count_out(int fd) {
    struct area_header *header = map_header(fd);
    uint32_t now = header ? __atomic_load_n(&header->launchers, __ATOMIC_ACQUIRE) : 0;
    while (now > 0 && now < AREA_LEFT) {
        uint32_t next = now == 1 ? AREA_LEFT : now - 1;
        if (__atomic_compare_exchange_n(&header->launchers, &now, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) break;
    }
    if (now == 1) header->stopped = 1;
    if (header) munmap(header, AREA_HEADER);
    return now == 1;
}

/* Somebody may just be removing it: what can be locked and still has its name stays. */
static int join_area(int spool) {
    struct stat st;
    int fd = fd_above_stdio(openat(spool, FILE_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0) return -1;
    if (!flock(fd, LOCK_SH | LOCK_NB) && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink > 0 && count_in(fd)) return fd;
    close(fd);
    errno = EAGAIN;
    return -1;
}

static int area_in(const char *path, const struct memory *m) {
    for (int try = 0; try < TRIES; try++) {
        if (try) nap(1000000);
        int spool = open_spool(path);
        if (spool < 0) return -1;
        int fd = of_this_node(spool) ? join_area(spool) : -1;
        if (fd < 0 && errno == ENOENT) fd = make_area(spool, memory_limit(m));
        int error = errno;
        close(spool);
        if (fd >= 0) return fd;
        errno = error;
        if (error == ENOENT || error == EEXIST || error == EAGAIN) continue; /* somebody came, or went, at the same moment */
        rmdir(path);
        return -1;
    }
    return -1;
}

static char *spool_name(const char *base, const char *log_path) {
    char hex[65], *path;
    sha256_hex(log_path, strlen(log_path), hex);
    return asprintf(&path, "%s/hpcprov-%u-%.32s", base, (unsigned)geteuid(), hex) < 0 ? NULL : path;
}

bool area_open(struct area *a, const struct store *s, const struct memory *m) {
    const char *temporary = getenv("TMPDIR");
    const char *const places[] = {"/dev/shm", temporary && *temporary == '/' && strlen(temporary) < 1024 ? temporary : "/tmp", "/tmp"};
    mode_t umask_now = umask(077);
    for (size_t i = 0; a->fd < 0 && i < sizeof places / sizeof *places; i++) {
        free(a->spool);
        a->spool = spool_name(places[i], s->log_path);
        a->fd = a->spool ? area_in(a->spool, m) : -1;
    }
    umask(umask_now);
    return a->fd >= 0;
}

static void remove_names(const struct area *a) {
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", a->spool, contents[i]) < (int)sizeof path) unlink(path);
    }
    rmdir(a->spool);
}

/* What Pythons told of themselves the agent reads by its name. */
static bool has_audit(const struct area *a) {
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/python.jsonl", a->spool) < (int)sizeof path && !access(path, F_OK);
}

void area_release(const struct area *a) {
    struct stat st;
    if (a->fd < 0) return;
    bool there = !fstat(a->fd, &st) && st.st_nlink > 0; /* else the job has removed it: the agent tells */
    if (there && !has_audit(a) && count_out(a->fd)) remove_names(a);
    flock(a->fd, LOCK_UN);
}

void area_remove(const struct area *a) {
    struct stat st;
    if (a->fd < 0 || flock(a->fd, LOCK_EX | LOCK_NB) || fstat(a->fd, &st) || st.st_nlink == 0) return;
    remove_names(a);
}
