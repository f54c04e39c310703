/* A program that is about to be started: will it tell of itself? One that will not (see ../target.h) is told here, by who starts it, with a number
 * of its own, which its children get as their parent. If it then could not be started that is told as well.
 *
 *     execve("/bin/busybox", ...)   ->   PROGRAM 18, parent 17, static, /bin/busybox sh -c ...
 */
#define _GNU_SOURCE
#include "observe.h"

#include <unistd.h>

extern char **environ __attribute__((weak));

/* The library stays out where the loader would complain on stderr about it, or the program end. */
static bool takes_library(enum area_blind blind) { return blind != BLIND_OTHER_ABI && blind != BLIND_SANITIZER; }

/* Only what uses the C library's loader takes the variables out of sight and puts them back. */
static bool hands_on_itself(enum area_blind blind) { return blind == SEEN || blind == BLIND_UNREADABLE; }

static void absolute(const char *path, char into[PATH_ROOM], char room[PATH_ROOM]) {
    struct name name;
    long size = words_after(path, "/proc/self/") ? raw_readlink(path, into, PATH_ROOM - 1) : 0; /* fexecve: nobody can tell later */
    into[size > 0 ? size : 0] = 0;
    if (size <= 0 && name_at(&name, AT_FDCWD, path, room)) *name_put(into, into + PATH_ROOM, &name) = 0;
}

static __attribute__((noinline)) uint32_t tell_unseen(const char *path, char *const *argv, enum area_blind blind) {
    char full[PATH_ROOM], cwd[PATH_ROOM];
    uint32_t instance = writer_instance();
    absolute(path, full, cwd); /* one buffer for both: a thread's stack may have 16 KiB */
    if (raw_getcwd(cwd, sizeof cwd) < 0 || cwd[0] != '/') cwd[0] = 0;
    tell_program(instance, observer.instance, blind, full, cwd, argv);
    return instance;
}

static __attribute__((noinline)) enum container_way container_way(const char *path, char *const *argv, char *const *environment) {
    struct container_words words;
    char spool[VARIABLE_ROOM];
    return container_words(&(struct container_run){path, argv, environment, "1:0:0::", environment_spool(spool)}, &words);
}

struct program program_prepare(const char *path, char *const *argv, char *const *environment) {
    struct program program = {.parent = observer.instance, .off = true};
    if (!observing() || !path) return program;
    struct target target;
    enum area_blind blind = target_inspect(path, &target);
    if (!target.ino && raw_access(path, F_OK) == -14 /* EFAULT */) return program; /* the kernel tells */
    if (target.ino && writer_is_launcher(target.dev, target.ino)) blind = BLIND_LAUNCHER;
    program.off = environment_off(environment);
    enum container_way way = container_named(path) ? container_way(path, argv, environment) : CONTAINER_NONE;
    if (way != CONTAINER_NONE && !program.off) program.path = path, program.argv = argv;
    program.visible = !hands_on_itself(blind);
    program.library = raw_access(observer.library, R_OK) == 0 ? observer.library : observer.copy; /* another root may have the copy's place */
    program.preload = takes_library(blind) && raw_access(program.library, R_OK) == 0;
    if (program.off) blind = BLIND_OFF;
    else if (way != CONTAINER_NONE) blind = way == CONTAINER_DARK ? BLIND_CONTAINER : SEEN;
    else if (blind == SEEN && !program.preload) blind = BLIND_UNREADABLE;
    if (blind != SEEN || program.path) program.unseen = tell_unseen(target.path[0] ? target.path : path, argv, blind);
    if (program.unseen) program.parent = program.unseen;
    program.off |= blind == BLIND_SET_ID && !program.path; /* the loader keeps what is preloaded from it and all that it starts */
    return program;
}

void program_failed(const struct program *program) {
    if (program->unseen) tell_not_run(program->unseen);
}

static bool executable(const char *path) {
    struct stat file;
    return raw_access(path, X_OK) == 0 && raw_stat(path, &file) == 0 && S_ISREG(file.st_mode);
}

static const char *search_list(void) {
    const char *value = NULL;
    for (char **at = &environ ? environ : NULL; at && *at && !value; at++) value = words_after(*at, "PATH=");
    return value ? value : "/bin:/usr/bin";
}

/* The file that execvp would take for a name without a slash; `file` itself where there is none. */
const char *program_search(const char *file, char room[PATH_ROOM]) {
    size_t size = file ? words_length(file) : 0;
    for (size_t i = 0; i < size; i++)
        if (file[i] == '/') return file;
    for (const char *at = size ? search_list() : ""; *at;) {
        size_t length = 0;
        while (at[length] && at[length] != ':') length++;
        if (length + size + 2 <= PATH_ROOM) {
            words_copy(room, at, length);
            if (length) room[length] = '/';
            words_copy(room + length + (length > 0), file, size + 1);
            if (executable(room)) return room;
        }
        at += length + (at[length] == ':');
    }
    return file;
}
