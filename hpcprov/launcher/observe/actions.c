/* What a child of posix_spawn shall open before its program starts: the C library does that out of our sight, so it is told when it is asked for,
 * as not confirmed. A directory that the child shall change to first is remembered with the caller's object.
 *
 *     addchdir_np(&actions, "dir"); addopen(&actions, 1, "out", O_CREAT | O_WRONLY, 0666)   ->   ACCESS written /home/u/run/dir/out
 */
#define _GNU_SOURCE
#include "observe.h"

enum { DIRECTORIES = 16, DIRECTORY_ROOM = 1024 };

struct remembered {
    const posix_spawn_file_actions_t *actions; /* NULL: free */
    char path[DIRECTORY_ROOM];                 /* absolute; empty: too long */
};
static struct remembered directories[DIRECTORIES];

static struct remembered *find(const posix_spawn_file_actions_t *actions) {
    for (int i = 0; i < DIRECTORIES; i++)
        if (__atomic_load_n(&directories[i].actions, __ATOMIC_ACQUIRE) == actions) return &directories[i];
    return NULL;
}

static struct remembered *find_or_take(const posix_spawn_file_actions_t *actions) {
    struct remembered *found = find(actions);
    for (int i = 0; !found && i < DIRECTORIES; i++) {
        const posix_spawn_file_actions_t *none = NULL;
        if (__atomic_compare_exchange_n(&directories[i].actions, &none, actions, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            directories[i].path[0] = 0;
            found = &directories[i];
        }
    }
    return found;
}

static void forget(const posix_spawn_file_actions_t *actions) {
    struct remembered *found = find(actions);
    if (found) __atomic_store_n(&found->actions, NULL, __ATOMIC_RELEASE);
}

/* `path` as the child will understand it; false: it can not be told. */
static bool name_in_child(struct name *name, const posix_spawn_file_actions_t *actions, const char *path, char room[PATH_ROOM]) {
    const struct remembered *directory = *path == '/' ? NULL : find(actions);
    if (!directory) return name_at(name, AT_FDCWD, path, room);
    *name = (struct name){{directory->path, words_length(directory->path)}, {path, words_length(path)}};
    return name->base.size > 0;
}

static void remember(const posix_spawn_file_actions_t *actions, const struct name *name) {
    struct remembered *own = find_or_take(actions);
    if (!own) return;
    char path[DIRECTORY_ROOM] = "";
    if (name_size(name) < DIRECTORY_ROOM) *name_put(path, path + DIRECTORY_ROOM, name) = 0;
    words_copy(own->path, path, words_length(path) + 1);
}

/* The path of a program that is started with these actions. */
const char *actions_path(const posix_spawn_file_actions_t *actions, const char *path, char room[PATH_ROOM]) {
    struct name name;
    if (!actions || !path || *path == '/' || !find(actions)) return path;
    if (!name_in_child(&name, actions, path, room) || name_size(&name) >= PATH_ROOM) return path;
    *name_put(room, room + PATH_ROOM, &name) = 0;
    return room;
}

static void will_open(const posix_spawn_file_actions_t *actions, const char *path, int flags) {
    char room[PATH_ROOM];
    struct name name;
    if (name_in_child(&name, actions, path, room)) tell_access(&name, access_of(flags) | ACCESS_UNCONFIRMED, NULL);
}

static void will_change(const posix_spawn_file_actions_t *actions, int dirfd, const char *path) {
    char room[PATH_ROOM];
    struct name name;
    bool told = dirfd == AT_FDCWD ? name_in_child(&name, actions, path, room) : name_at(&name, dirfd, path, room);
    if (told) remember(actions, &name);
}

int posix_spawn_file_actions_addchdir(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addfchdir(posix_spawn_file_actions_t *actions, int fd);
#define ASKED(after) (result == 0 && observing() ? after : (void)0)
HOOK(posix_spawn_file_actions_addopen, (posix_spawn_file_actions_t *restrict actions, int fd, const char *restrict path, int flags, mode_t mode),
     (actions, fd, path, flags, mode), ASKED(will_open(actions, path, flags)))
HOOK(posix_spawn_file_actions_addchdir_np, (posix_spawn_file_actions_t *restrict actions, const char *restrict path), (actions, path),
     ASKED(will_change(actions, AT_FDCWD, path)))
HOOK(posix_spawn_file_actions_addfchdir_np, (posix_spawn_file_actions_t *actions, int fd), (actions, fd), ASKED(will_change(actions, fd, "")))
HOOK(posix_spawn_file_actions_addchdir, (posix_spawn_file_actions_t *actions, const char *path), (actions, path),
     ASKED(will_change(actions, AT_FDCWD, path)))
HOOK(posix_spawn_file_actions_addfchdir, (posix_spawn_file_actions_t *actions, int fd), (actions, fd), ASKED(will_change(actions, fd, "")))
HOOK(posix_spawn_file_actions_init, (posix_spawn_file_actions_t *actions), (actions), forget(actions))
HOOK(posix_spawn_file_actions_destroy, (posix_spawn_file_actions_t *actions), (actions), forget(actions))
