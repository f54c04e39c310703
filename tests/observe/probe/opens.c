/* Every way of the C library to open a file: `opens WAY` reads `in`, writes `out` or changes `old`, whatever that way can do. */
#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int put(int fd) { return fd < 0 || write(fd, "put\n", 4) != 4 || close(fd); }
static int get(int fd) { char text[64]; return fd < 0 || read(fd, text, sizeof text) < 0 || close(fd); }
static int fput(FILE *file) { return !file || fputs("put\n", file) < 0 || fclose(file); }
static int fget(FILE *file) { char text[64]; return !file || !fgets(text, sizeof text, file) || fclose(file); }
/* Not known to the compiler, so that the checked variants (__open_2, __openat_2) are called. */
static volatile int reading = O_RDONLY, writing = O_WRONLY, both = O_RDWR;

static int way_open(void) { return get(open("in", O_RDONLY)) || put(open("out", O_WRONLY | O_CREAT | O_TRUNC, 0644)); }
static int way_open64(void) { return get(open64("in", O_RDONLY)) || put(open64("out", O_RDWR | O_CREAT | O_EXCL, 0644)); }
static int way_creat(void) { return put(creat("out", 0644)) || put(creat64("out64", 0644)); }
static int way_append(void) { return put(open("old", O_WRONLY | O_APPEND)) || put(open("out", O_WRONLY | O_APPEND | O_CREAT, 0644)); }
static int way_update(void) { return put(open("old", O_RDWR)); }
static int way_overwrite(void) { return put(open("old", O_WRONLY)); }
static int way_checked(void) {
    return get(open("in", reading)) || put(open("old", writing)) || get(open64("old", both)) || get(openat(AT_FDCWD, "in", reading))
        || get(openat64(AT_FDCWD, "in2", reading));
}
static int way_dirfd(void) {
    int dir = open("dir", O_RDONLY | O_DIRECTORY), path = open("dir/deep", O_PATH);
    int bad = get(openat(dir, "in", O_RDONLY)) || put(openat(dir, "../out", O_WRONLY | O_CREAT, 0644))
        || put(openat64(path, "out", O_WRONLY | O_CREAT | O_TRUNC, 0644)) || put(openat(path, "../../dir/out", O_CREAT | O_RDWR, 0600));
    return bad || close(dir) || close(path);
}
static int way_chdir(void) {
    int before = open(".", O_RDONLY);
    if (chdir("dir") || get(open("in", O_RDONLY)) || chdir("deep") || put(open("out", O_WRONLY | O_CREAT, 0644))) return 1;
    return fchdir(before) || put(open("out", O_WRONLY | O_CREAT, 0644)) || close(before);
}
static int way_path_only(void) {
    char again[64];
    int fd = open("in", O_PATH), unread = open("in2", O_PATH);
    snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
    return unread < 0 || get(open(again, O_RDONLY));
}
static int way_failing(void) {
    return open("none", O_RDONLY) >= 0 || open("none/out", O_WRONLY | O_CREAT, 0600) >= 0 || open("in", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0
        || fopen("none", "r") || rename("none", "new") == 0 || unlink("none") == 0 || truncate("none", 0) == 0 || get(open("in", O_RDONLY));
}
static int way_link_followed(void) { return symlink("in", "link") || get(open("link", O_RDONLY)) || symlink("out", "dangling") || put(open("dangling", O_WRONLY | O_CREAT, 0644)); }
static int way_fopen(void) {
    return fget(fopen("in", "r")) || fput(fopen("out", "w")) || fput(fopen("old", "a")) || fput(fopen("old2", "r+")) || fput(fopen("out2", "w+"))
        || fput(fopen("out3", "a+")) || fget(fopen("in2", "rbe")) || fput(fopen("out4", "wxe"));
}
static int way_fopen64(void) { return fget(fopen64("in", "r")) || fput(fopen64("out", "wb")); }
static int way_fdopen(void) { return fget(fdopen(open("in", O_RDONLY), "r")) || fput(fdopen(open("out", O_CREAT | O_WRONLY, 0600), "w")); }
static int way_freopen(void) {
    FILE *file = fopen("in", "r");
    return !(file = freopen("in2", "r", file)) || !(file = freopen64("out", "w", file)) || fput(file) || !freopen("printed", "w", stdout) || puts("text") < 0;
}
static int way_temporary(void) {
    char a[] = "a-XXXXXX", b[] = "b-XXXXXX.txt", c[] = "c-XXXXXX", d[] = "d-XXXXXX.txt", e[] = "e-XXXXXX", f[] = "f-XXXXXX";
    char directory[] = "g-XXXXXX";
    return put(mkstemp(a)) || put(mkstemps(b, 4)) || put(mkostemp(c, O_CLOEXEC)) || put(mkostemps(d, 4, 0)) || put(mkstemp64(e)) || put(mkostemp64(f, 0))
        || !mkdtemp(directory) || chdir(directory) || put(open("out", O_CREAT | O_WRONLY, 0600));
}
static int way_replace(void) {
    char name[] = "dir/.out-XXXXXX";
    return put(mkstemp(name)) || rename(name, "out") || get(open("out", O_RDONLY));
}
static int way_nameless(void) {
    char path[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0644);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return write(fd, "put\n", 4) != 4 || linkat(AT_FDCWD, path, AT_FDCWD, "out", AT_SYMLINK_FOLLOW) || close(fd);
}
static int way_tmpfile(void) { return fput(tmpfile()) || fput(tmpfile64()) || fput(fopen("out", "w")); }
static int way_truncate(void) {
    int fd = open("old2", O_RDWR);
    return truncate("old", 1) || truncate64("in", 2) || ftruncate(fd, 1) || ftruncate64(fd, 2) || close(fd);
}
static int way_mmap(void) {
    int in = open("in", O_RDONLY), old = open("old", O_RDWR);
    char *from = mmap(NULL, 2, PROT_READ, MAP_PRIVATE, in, 0), *to = mmap(NULL, 2, PROT_READ | PROT_WRITE, MAP_SHARED, old, 0);
    if (from == MAP_FAILED || to == MAP_FAILED || close(in) || close(old)) return 1;
    memcpy(to, from, 2);
    return msync(to, 2, MS_SYNC);
}
static int way_copy_range(void) {
    int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644);
    return copy_file_range(in, NULL, out, NULL, 4, 0) != 4 || close(in) || close(out);
}
static int way_sendfile(void) {
    int in = open("in", O_RDONLY), out = open("out", O_WRONLY | O_CREAT, 0644);
    return sendfile(out, in, NULL, 4) != 4 || close(in) || close(out);
}
static int way_vectors(void) {
    char text[] = "put\n";
    struct iovec vector = {text, 4};
    int out = open("out", O_RDWR | O_CREAT, 0644);
    return pwritev(out, &vector, 1, 0) != 4 || preadv(out, &vector, 1, 0) != 4 || pwrite(out, text, 4, 4) != 4 || close(out);
}
static int way_dlopen(void) { void *library = dlopen("./library.so", RTLD_NOW); return !library || dlclose(library) || get(open("in", O_RDONLY)); }
static int way_special(void) {
    return mkfifo("pipe", 0600) || close(open("pipe", O_RDWR)) || put(open("/dev/null", O_WRONLY)) || get(open("in", O_RDONLY));
}
static int way_shared_memory(void) {
    char name[64];
    snprintf(name, sizeof name, "/hpcprov-probe-%d", (int)getpid());
    int fd = shm_open(name, O_CREAT | O_RDWR, 0600);
    return put(fd) || shm_unlink(name) || get(open("in", O_RDONLY));
}
static int way_odd_names(void) {
    return put(open("new\nline", O_CREAT | O_WRONLY, 0600)) || put(open("bytes-\xff\xfe", O_CREAT | O_WRONLY, 0600)) || put(open("a b\t\"<>,\\", O_CREAT | O_WRONLY, 0600))
        || get(open("bytes-\xff\xfe", O_RDONLY)) || get(open("./dir/../in", O_RDONLY)) || get(open("dir//deep/..//in", O_RDONLY));
}
/* Directories until the absolute path has 4,080 bytes, wherever it began: the longest that is readable has 4,095. */
static int enter_long(void) {
    char name[202], path[4096];
    memset(name, 'n', 201);
    name[201] = 0;
    if (!getcwd(path, sizeof path)) return 1;
    size_t length = strlen(path);
    for (; length + 201 < 4079; length += 201)
        if (mkdir(name + 1, 0700) || chdir(name + 1)) return 1;
    const char *rest = name + 201 - (4080 - length - 1);
    return mkdir(rest, 0700) || chdir(rest) || put(open("out", O_CREAT | O_WRONLY, 0600));
}
/* A relative name beyond that, and one in a working directory beyond that. */
static int way_long_names(void) { return enter_long() || put(open("beyond-the-longest-path", O_CREAT | O_WRONLY, 0600)); }
static int way_long_directory(void) {
    return enter_long() || mkdir("beyond-the-longest-path", 0700) || chdir("beyond-the-longest-path") || put(open("beyond", O_CREAT | O_WRONLY, 0600));
}
/* Not through the C library: nothing that is preloaded sees it. */
static int way_raw(void) { return get((int)syscall(SYS_openat, AT_FDCWD, "in", O_RDONLY)) || put(open("out", O_CREAT | O_WRONLY, 0600)); }

static const struct { const char *name; int (*run)(void); } ways[] = {
#define WAY(name) {#name, way_##name}
    WAY(open), WAY(open64), WAY(creat), WAY(append), WAY(update), WAY(overwrite), WAY(checked), WAY(dirfd), WAY(chdir), WAY(path_only), WAY(failing),
    WAY(link_followed), WAY(fopen), WAY(fopen64), WAY(fdopen), WAY(freopen), WAY(temporary), WAY(replace), WAY(nameless), WAY(tmpfile), WAY(truncate),
    WAY(mmap), WAY(copy_range), WAY(sendfile), WAY(vectors), WAY(dlopen), WAY(special), WAY(shared_memory), WAY(odd_names), WAY(long_names), WAY(long_directory), WAY(raw),
};

int main(int argc, char **argv) {
    for (size_t at = 0; argc == 2 && at < sizeof ways / sizeof *ways; at++)
        if (!strcmp(argv[1], ways[at].name)) return ways[at].run();
    return 99;
}
