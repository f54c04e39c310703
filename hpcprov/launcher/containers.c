/* Which container runtime is started, and how it is told what its programs need to be observed; see containers.h. podman-run(1). */
#define _GNU_SOURCE
#include "containers.h"
#include "area.h"
#include "observe/raw.h"
#include "observe/words.h"

bool container_put(struct container_words *out, const char *s, size_t size) {
    if (size >= sizeof out->text - out->used) return false;
    words_copy(out->text + out->used, s, size);
    out->used += size;
    out->text[out->used] = 0;
    return true;
}

bool container_puts(struct container_words *out, const char *const *parts) {
    for (; *parts; parts++)
        if (!container_put(out, *parts, words_length(*parts))) return false;
    return true;
}

/* One more assignment; the parts are written one after the other. */
bool container_add(struct container_words *out, const char *const *parts) {
    const char *start = out->text + out->used;
    if (out->count == sizeof out->add / sizeof *out->add || !container_puts(out, parts)) return false;
    out->used++;
    out->add[out->count++] = start;
    return true;
}

const char *container_base(const char *path) {
    const char *name = path;
    for (; *path; path++)
        if (*path == '/') name = path + 1;
    return name;
}

/* The value of prefix + name in an environment; NULL: not set. */
const char *container_value(char *const *env, const char *prefix, const char *name) {
    for (; env && *env; env++) {
        const char *rest = words_after(*env, prefix);
        rest = rest ? words_after(rest, name) : NULL;
        if (rest && *rest == '=') return rest + 1;
    }
    return NULL;
}

bool container_one_of(const char *word, const char *const *names) {
    for (; *names; names++)
        if (words_same(word, *names)) return true;
    return false;
}

bool container_has_library(const char *spool) {
    struct container_words path = {.used = 0};
    for (const char *c = spool; *c; c++)
        if (*c == ':' || *c == ',' || *c == ' ' || *c == '"' || *c == '\\' || *c == '$' || *c == '\n') return false;
    return PUT(&path, spool, "/" CONTAINER_LIBRARY) && raw_access(path.text, 4 /* R_OK */) == 0;
}

/* ---- another view of the file system */

/* The root's mount has an id of its own in each namespace (Linux 5.8), which costs a tenth of looking into /proc; layout: statx(2). */
static bool root_mount(uint64_t *view) {
    enum { MASK = 0, INODE = 0x20, DEVICE = 0x88, MOUNT = 0x90, WANT_INODE = 0x100, WANT_MOUNT = 0x1000, NO_SYNC = 0x4000 };
    char root[256];
    uint32_t mask;
    uint64_t inode, device, mount;
    if (raw6(SYS_statx, AT_FDCWD, (long)"/", NO_SYNC, WANT_INODE | WANT_MOUNT, (long)root, 0) < 0) return false;
    words_copy((char *)&mask, root + MASK, sizeof mask);
    words_copy((char *)&inode, root + INODE, sizeof inode);
    words_copy((char *)&device, root + DEVICE, sizeof device);
    words_copy((char *)&mount, root + MOUNT, sizeof mount);
    *view = mount ^ inode * 0x9E3779B97F4A7C15u ^ device << 16;
    return mask & WANT_MOUNT;
}

uint64_t container_view(void) {
    struct stat root, space;
    uint64_t found;
    if (root_mount(&found)) return found;
    found = raw_stat("/proc/self/ns/mnt", &space) == 0 ? space.st_ino : 0;
    if (raw_stat("/", &root) == 0) found ^= root.st_ino * 0x9E3779B97F4A7C15u ^ (uint64_t)root.st_dev << 32;
    return found;
}

/* A line of mountinfo whose fifth word is below /proc, /sys or /dev: no data is there, but in shared memory. */
static bool is_system_mount(const char *line) {
    for (int blanks = 0; blanks < 4; line++) {
        if (!*line) return true;
        blanks += *line == ' ';
    }
    if (words_after(line, "/dev/shm")) return false;
    return words_after(line, "/proc/") || words_after(line, "/sys/") || words_after(line, "/dev/");
}

size_t container_mounts(char *into, size_t room, int *cut) {
    char block[1024];
    uint64_t at = 0;
    size_t used = 0, line = 0; /* `line`: where the one being read starts */
    bool full = false;
    long n, fd = raw_openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    for (*cut = 0; fd >= 0 && (n = raw_pread((int)fd, block, sizeof block, at)) > 0; at += (uint64_t)n)
        for (long i = 0; i < n; i++) {
            full |= used + 1 >= room;
            *cut |= full;
            if (!full) into[used++] = block[i];
            if (block[i] != '\n') continue;
            into[full ? used : used - 1] = 0;
            if (full || is_system_mount(into + line)) used = line;
            else into[used - 1] = '\n';
            line = used;
            full = false;
        }
    if (fd >= 0) raw_close((int)fd);
    return line;
}

/* ---- podman, docker */

/* `-d`, `-dit`, `--detach`, `create`: the container outlives this run and its spool. */
static bool outlives(const char *word) {
    static const char *const words[] = {"--detach", "--detach=true", "create", NULL};
    bool detached = false;
    if (*word != '-' || word[1] == '-') return container_one_of(word, words);
    for (word++; *word; word++) {
        if (*word != 'd' && *word != 'i' && *word != 't' && *word != 'q') return false;
        detached |= *word == 'd';
    }
    return detached;
}

static enum container_way engine(const struct container_run *run, struct container_words *out) {
    bool asked = false, bound = false;
    for (char *const *word = run->argv; *word; word++) {
        if (outlives(*word)) return CONTAINER_DARK;
        const char *named = words_after(*word, "--env=");
        named = named ? named : words_after(*word, "-e") ? *word + 2 : NULL;
        if (named && !*named && word[1]) named = word[1];
        if (words_same(*word, "--env") && word[1]) named = word[1];
        asked |= named && words_same(named, AREA_VARIABLE);
        for (const char *c = *word; *c; c++) bound |= words_after(c, "/dev/shm:/dev/shm") != NULL;
    }
    if (!asked || !bound || !words_after(run->spool, "/dev/shm/") || !container_has_library(run->spool)) return CONTAINER_DARK;
    const char *user = container_value(run->env, "LD_PRELOAD", "");
    user = user ? user : "";
    struct container_words before = {.used = 0}; /* `v`: the engine itself must find them in its environment */
    if (!container_put(&before, run->before, words_length(run->before) - 1) || !PUT(&before, "v:")) return CONTAINER_DARK;
    bool fits = ADD(out, "LD_PRELOAD=", user, *user ? ":" : "", run->spool, "/" CONTAINER_LIBRARY) &&
                ADD(out, AREA_VARIABLE "=", before.text, run->spool, "/area");
    return fits ? CONTAINER_CARRIED : CONTAINER_DARK;
}

/* The file behind a name, symbolic links followed: /usr/bin/singularity may be Apptainer. False: no native program. */
static bool real_program(const char *path, char *into, size_t room) {
    char magic[4] = "", link[40] = "/proc/self/fd/";
    long fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC), n = -1;
    if (fd < 0) return false;
    bool elf = raw_pread((int)fd, magic, 4, 0) == 4 && words_equal(magic, "\177ELF", 4);
    *words_put_number(link + words_length(link), (uint64_t)fd) = 0;
    if (elf) n = raw_readlink(link, into, room - 1);
    raw_close((int)fd);
    if (n <= 0) return false;
    into[n] = 0;
    return true;
}

static const char *const apptainers[] = {"apptainer", "singularity", NULL}, *const engines[] = {"podman", "docker", "nerdctl", NULL};

bool container_named(const char *path) {
    const char *name = container_base(path);
    return container_one_of(name, apptainers) || container_one_of(name, engines);
}

enum container_way container_words(const struct container_run *run, struct container_words *out) {
    const char *name = container_base(run->path);
    char program[4096];
    out->count = out->used = 0;
    if (container_one_of(name, engines)) return real_program(run->path, program, sizeof program) ? engine(run, out) : CONTAINER_NONE;
    if (!container_one_of(name, apptainers) || !real_program(run->path, program, sizeof program)) return CONTAINER_NONE;
    const char *real = container_base(program);
    enum container_way way = container_one_of(real, apptainers) ? container_apptainer(run, program, real, out) : CONTAINER_DARK;
    if (way == CONTAINER_DARK) out->count = 0;
    return way;
}
