/* Absolute paths as they are at the moment of the call, without resolving links or `..` (that is done by whoever reads the area): the working
 * directory and the name of a directory's descriptor are put in front, and before them what chroot made the root.
 *
 *     name_at(&name, AT_FDCWD, "out/x.npy", room)   // {"/home/u/run", "out/x.npy"}
 *
 * The working directory is asked for once, after each chdir, and after anybody moved a directory. A child of vfork shares our memory, not our
 * directory: only the process that owns the memory remembers; once another one changed directory each call asks who it is.
 */
#define _GNU_SOURCE
#include "observe.h"

enum { SLOTS = 4 }; /* a reader of one slot is safe until as many chdir calls have passed */

enum { ROOT_ROOM = 256 };

struct directory {
    struct piece path; /* in `room`; at NULL: not known */
    uint64_t moves;    /* of directories by anybody, when it was asked for */
    char room[PATH_ROOM];
};
static struct directory slots[SLOTS];
static const struct directory *cached; /* NULL: ask */
static uint32_t next_slot;
static uint32_t owner;                 /* the process whose directory is cached */
static bool ask_for_each_process, ask_always, nowhere;
static char root[ROOT_ROOM];           /* where / is, as it was outside; without a slash at its end */
static size_t root_size;

/* The path that a removed directory had. */
static size_t ask_removed(char room[PATH_ROOM]) {
    static const char mark[] = " (deleted)";
    long size = raw_readlink("/proc/self/cwd", room, PATH_ROOM), without = size - (long)sizeof mark + 1;
    return without > 0 && room[0] == '/' && words_equal(room + without, mark, sizeof mark - 1) ? (size_t)without : 0;
}

/* The kernel's answer without a slash at its end; unknown outside of a chroot and where it is longer than the kernel tells. */
static struct piece ask(char *room) {
    if (!room) return (struct piece){NULL, 0};
    char *within = room + root_size;
    long size = raw_getcwd(within, PATH_ROOM - root_size);
    words_copy(room, root, root_size);
    size = size == -2 /* ENOENT */ ? (long)ask_removed(within) : size - 1;
    if (size <= 0 || *within != '/') return (struct piece){NULL, 0};
    return (struct piece){room, root_size + (size == 1 ? 0 : (size_t)size)};
}

bool memory_is_own(void) { return (uint32_t)raw_getpid() == owner; }

static struct piece ask_and_cache(void) {
    struct directory *slot = &slots[__atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED) % SLOTS];
    slot->moves = writer_changes() / CHANGES_DIRECTORY;
    slot->path = ask(slot->room);
    __atomic_store_n(&cached, slot, __ATOMIC_RELEASE);
    return slot->path;
}

void cwd_owned(uint32_t process) {
    owner = process;
    ask_for_each_process = false;
}

void cwd_changed(void) {
    if (memory_is_own()) __atomic_store_n(&cached, NULL, __ATOMIC_RELEASE);
    else ask_for_each_process = true;
}

void cwd_of_each_thread(void) { ask_always = true; }

/* A root that can not be told leaves all paths unknown: no more are told. What this program starts tells of itself again, by its own mounts. */
void root_changed(const struct name *name) {
    char path[ROOT_ROOM];
    nowhere = !name || name_size(name) >= ROOT_ROOM;
    if (nowhere) return;
    size_t size = (size_t)(name_put(path, path + ROOT_ROOM, name) - path);
    while (size && path[size - 1] == '/') size--;
    words_copy(root, path, size);
    root_size = size;
    ask_always = true;
}

static const struct directory *still_valid(void) {
    const struct directory *found = __atomic_load_n(&cached, __ATOMIC_ACQUIRE);
    return found && found->moves == writer_changes() / CHANGES_DIRECTORY ? found : NULL;
}

static struct piece working_directory(char *room) {
    const struct directory *found = still_valid();
    if (ask_always || (ask_for_each_process && !memory_is_own())) return ask(room);
    if (found) return found->path;
    return memory_is_own() ? ask_and_cache() : ask(room);
}

/* Most names need none, and a signal's stack may not have it. */
bool name_needs_room(int dirfd, const char *path) {
    return path[0] != '/' && (dirfd != AT_FDCWD || ask_always || ask_for_each_process || (!still_valid() && !memory_is_own()));
}

/* What /proc says a descriptor is, without a slash at its end. */
static struct piece descriptor_path(int fd, char *room) {
    char link[40] = "/proc/self/fd/", *within = room + root_size;
    *words_put_number(link + 14, (uint64_t)fd) = 0;
    long size = raw_readlink(link, within, PATH_ROOM - root_size);
    words_copy(room, root, root_size);
    if (size <= 0 || *within != '/') return (struct piece){NULL, 0};
    return (struct piece){room, root_size + (size == 1 ? 0 : (size_t)size)};
}

/* `room` has PATH_ROOM bytes, or is NULL where name_needs_room says so. An empty path is the descriptor itself.
 * false: it has no name. Where the directory is not known the name stays relative. */
bool name_at(struct name *name, int dirfd, const char *path, char *room) {
    if (nowhere) return false;
    name->rest = (struct piece){path, words_length(path)};
    name->base = (struct piece){root, root_size};
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
    return name->rest.size > 0;
}
