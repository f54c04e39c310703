/* Every way of the C library to give, change and take names: `names WAY`, on the files `in`, `old` and `dir/in`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(const char *name) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    return fd < 0 || write(fd, "put\n", 4) != 4 || close(fd);
}

static int way_rename(void) { return rename("in", "new") || put("part") || rename("part", "old"); }
static int way_renameat(void) {
    int dir = open("dir", O_RDONLY);
    return renameat(dir, "in", AT_FDCWD, "new") || renameat(AT_FDCWD, "old", dir, "deep/new") || close(dir);
}
static int way_renameat2(void) { return renameat2(AT_FDCWD, "in", AT_FDCWD, "new", 0) || !renameat2(AT_FDCWD, "new", AT_FDCWD, "old", RENAME_NOREPLACE); }
static int way_exchange(void) { return renameat2(AT_FDCWD, "in", AT_FDCWD, "old", RENAME_EXCHANGE); }
static int way_rename_directory(void) { return put("dir/out") || rename("dir", "moved") || put("moved/later"); }
static int way_back_and_forth(void) { return rename("in", "new") || put("in") || rename("new", "newer") || rename("in", "new") || put("in"); }
static int way_link(void) { return link("in", "hard") || linkat(AT_FDCWD, "dir/in", AT_FDCWD, "hard2", 0) || put("hard"); }
static int way_symlink(void) { return symlink("in", "soft") || symlinkat("dir/in", AT_FDCWD, "soft2") || put("soft"); }
static int way_unlink(void) {
    int dir = open("dir", O_RDONLY);
    return unlink("in") || unlinkat(dir, "in", 0) || remove("old") || put("scratch") || unlink("scratch") || unlinkat(dir, "empty", AT_REMOVEDIR) || close(dir);
}
static int way_rmdir(void) { return mkdir("fresh", 0700) || put("fresh/a") || unlink("fresh/a") || rmdir("fresh") || mkdir("fresh", 0700) || remove("fresh"); }
static int way_unlink_while_open(void) {
    int fd = open("kept", O_CREAT | O_RDWR, 0600);
    return unlink("kept") || write(fd, "put\n", 4) != 4 || close(fd) || put("kept");
}
static int way_again(void) { return put("out") || unlink("out") || put("out") || rename("out", "out2") || put("out"); }

static const struct { const char *name; int (*run)(void); } ways[] = {
#define WAY(name) {#name, way_##name}
    WAY(rename), WAY(renameat), WAY(renameat2), WAY(exchange), WAY(rename_directory), WAY(back_and_forth), WAY(link), WAY(symlink), WAY(unlink),
    WAY(rmdir), WAY(unlink_while_open), WAY(again),
};

int main(int argc, char **argv) {
    for (size_t at = 0; argc == 2 && at < sizeof ways / sizeof *ways; at++)
        if (!strcmp(argv[1], ways[at].name)) return ways[at].run();
    return 99;
}
