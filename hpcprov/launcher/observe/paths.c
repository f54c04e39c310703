/* Absolute paths as they are at the moment of the call, without resolving links or `..` (that is done by whoever reads the area): the working
 * directory and the name of a directory's descriptor are put in front.
 *
 *     name_at(&name, AT_FDCWD, "out/x.npy", room)   // {"/home/u/run", "out/x.npy"}
 *
 * The working directory is asked for once, after each chdir, and after anybody moved a directory. A child of vfork shares our memory, not our directory: when a process other
 * than the one that asked changes directory, each process asks for itself from then on.
 */
#define _GNU_SOURCE
#include "observe.h"

enum { SLOTS = 4 }; /* a reader of one slot is safe until as many chdir calls have passed */

struct directory {
    size_t length;
    uint64_t moves; /* of directories by anybody, when it was asked for */
    char path[PATH_ROOM];
};
static struct directory slots[SLOTS];
static const struct directory *cached; /* NULL: ask */
static uint32_t next_slot;
static uint32_t owner;                 /* the process whose directory is cached */
static bool ask_for_each_process, ask_always;

/* The path that a removed directory had. */
static size_t ask_removed(char room[PATH_ROOM]) {
    static const char mark[] = " (deleted)";
    long size = raw_readlink("/proc/self/cwd", room, PATH_ROOM), without = size - (long)sizeof mark + 1;
    return without > 0 && room[0] == '/' && words_equal(room + without, mark, sizeof mark - 1) ? (size_t)without : 0;
}

/* The length of the kernel's answer without a slash at its end; 0: the root, or not known (outside of a chroot) */
static size_t ask(char room[PATH_ROOM]) {
    long size = raw_getcwd(room, PATH_ROOM);
    if (size == -2 /* ENOENT */) return ask_removed(room);
    return size <= 2 || room[0] != '/' ? 0 : (size_t)size - 1;
}

static const struct directory *cache_own(void) {
    struct directory *slot = &slots[__atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED) % SLOTS];
    slot->moves = writer_changes() / CHANGES_DIRECTORY;
    slot->length = ask(slot->path);
    __atomic_store_n(&owner, (uint32_t)raw_getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&cached, slot, __ATOMIC_RELEASE);
    return slot;
}

void cwd_changed(void) {
    if (owner && (uint32_t)raw_getpid() != owner) ask_for_each_process = true;
    else __atomic_store_n(&cached, NULL, __ATOMIC_RELEASE);
}

void cwd_of_each_thread(void) { ask_always = true; }

static struct piece working_directory(char room[PATH_ROOM]) {
    const struct directory *found = __atomic_load_n(&cached, __ATOMIC_ACQUIRE);
    bool elsewhere = ask_always || (ask_for_each_process && (uint32_t)raw_getpid() != owner);
    if (elsewhere) return (struct piece){room, ask(room)};
    if (!found || found->moves != writer_changes() / CHANGES_DIRECTORY) found = cache_own();
    return (struct piece){found->path, found->length};
}

/* What /proc says a descriptor is, without a slash at its end. */
static struct piece descriptor_path(int fd, char room[PATH_ROOM]) {
    char link[40] = "/proc/self/fd/";
    *words_put_number(link + 14, (uint64_t)fd) = 0;
    long size = raw_readlink(link, room, PATH_ROOM);
    if (size <= 0 || room[0] != '/') return (struct piece){room, 0};
    return (struct piece){room, size == 1 ? 0 : (size_t)size};
}

/* false: the path can not be told. An empty path is the descriptor itself. */
bool name_at(struct name *name, int dirfd, const char *path, char room[PATH_ROOM]) {
    name->rest = (struct piece){path, words_length(path)};
    name->base = (struct piece){room, 0};
    if (path[0] == '/') {
        name->rest.at++; /* between base and rest there is a slash */
        name->rest.size--;
        return true;
    }
    if (dirfd != AT_FDCWD && dirfd < 0) return false;
    while (name->rest.size > 2 && name->rest.at[0] == '.' && name->rest.at[1] == '/') {
        name->rest.at += 2;
        name->rest.size -= 2;
    }
    name->base = dirfd == AT_FDCWD ? working_directory(room) : descriptor_path(dirfd, room);
    if (!name->rest.size) *name = (struct name){{NULL, 0}, name->base};
    return true;
}
