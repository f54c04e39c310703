/* System calls without the C library: they touch no errno, take no lock and can not be interposed. Each gives the kernel's answer: -errno on
 * failure. Only what x86_64 and aarch64 both have is used, e.g. openat for open.
 *
 *     long fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);   // -ENOENT
 */
#ifndef HPCPROV_RAW_H
#define HPCPROV_RAW_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__x86_64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return n;
}
#elif defined(__aarch64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d,
                  x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "the observer knows the system calls of x86_64 and aarch64"
#endif

#ifndef SYS_statx /* Linux 4.11; the headers may be older than the kernel */
#if defined(__x86_64__)
#define SYS_statx 332
#else
#define SYS_statx 291
#endif
#endif

static inline long raw_openat(int dirfd, const char *path, int flags) { return raw6(SYS_openat, dirfd, (long)path, flags, 0, 0, 0); }
static inline long raw_close(int fd) { return raw6(SYS_close, fd, 0, 0, 0, 0, 0); }
static inline long raw_fstat(int fd, struct stat *into) { return raw6(SYS_fstat, fd, (long)into, 0, 0, 0, 0); }
static inline long raw_stat(const char *path, struct stat *into) { return raw6(SYS_newfstatat, AT_FDCWD, (long)path, (long)into, 0, 0, 0); }
static inline long raw_statat(int dirfd, const char *path, struct stat *into) {
    return raw6(SYS_newfstatat, dirfd, (long)path, (long)into, AT_SYMLINK_NOFOLLOW, 0, 0);
}
static inline long raw_pread(int fd, void *into, size_t size, uint64_t at) {
    return raw6(SYS_pread64, fd, (long)into, (long)size, (long)at, 0, 0);
}
static inline long raw_access(const char *path, int mode) { return raw6(SYS_faccessat, AT_FDCWD, (long)path, mode, 0, 0, 0); }
static inline long raw_readlink(const char *path, char *into, size_t room) {
    return raw6(SYS_readlinkat, AT_FDCWD, (long)path, (long)into, (long)room, 0, 0);
}
static inline long raw_getcwd(char *into, size_t room) { return raw6(SYS_getcwd, (long)into, (long)room, 0, 0, 0, 0); }
static inline long raw_yield(void) { return raw6(SYS_sched_yield, 0, 0, 0, 0, 0, 0); }
static inline long raw_sleep(const struct timespec *time) { return raw6(SYS_nanosleep, (long)time, 0, 0, 0, 0, 0); }
static inline long raw_getpid(void) { return raw6(SYS_getpid, 0, 0, 0, 0, 0, 0); }
static inline long raw_mmap(size_t size, int protection, int flags, int fd, uint64_t offset) {
    return raw6(SYS_mmap, 0, (long)size, protection, flags, fd, (long)offset);
}
static inline long raw_munmap(void *at, size_t size) { return raw6(SYS_munmap, (long)at, (long)size, 0, 0, 0, 0); }
static inline long raw_madvise(void *at, size_t size, int advice) { return raw6(SYS_madvise, (long)at, (long)size, advice, 0, 0, 0); }
static inline long raw_fallocate(int fd, int mode, uint64_t at, uint64_t size) {
    return raw6(SYS_fallocate, fd, mode, (long)at, (long)size, 0, 0);
}
static inline long raw_getlimit(int which, uint64_t limit[2]) { return raw6(SYS_prlimit64, 0, which, 0, (long)limit, 0, 0); }
static inline long raw_clock(int clock, struct timespec *into) { return raw6(SYS_clock_gettime, clock, (long)into, 0, 0, 0, 0); }
static inline long raw_getxattr(const char *path, const char *name) { return raw6(SYS_getxattr, (long)path, (long)name, 0, 0, 0, 0); }
static inline uint32_t raw_geteuid(void) { return (uint32_t)raw6(SYS_geteuid, 0, 0, 0, 0, 0, 0); }
static inline uint32_t raw_getegid(void) { return (uint32_t)raw6(SYS_getegid, 0, 0, 0, 0, 0, 0); }

static inline int raw_failed(long answer) { return (unsigned long)answer > -4096UL; }

#endif
