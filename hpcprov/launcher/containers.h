/* Observing what a container's programs do, when the program to be started is a container runtime: which variables bring the library and the
 * area inside. Linked into the launcher and into the observer library, so: system calls of its own, no memory but the caller's.
 *
 *     struct container_run run = {"/usr/bin/apptainer", argv, env, "1:0:7::", "/dev/shm/hpcprov-1000-5f70..."};
 *     struct container_words words;
 *     switch (container_words(&run, &words)) {
 *     case CONTAINER_NONE:     no runtime: both variables as for any program
 *     case CONTAINER_CARRIED:  words.add[0..count), "NAME=value", each in place of the variable of its name; not our two
 *     case CONTAINER_DARK:     neither; what runs inside is not seen (BLIND_CONTAINER)
 *     }
 *
 * Apptainer hands APPTAINERENV_X to the container as X and to no other program, also with --cleanenv and by its set-uid starter. In a container that
 * has its own /dev/shm (--contain) the spool is bound below /tmp, the one place that has always room for a mount point. Nothing is tried
 * that could fail or print a warning: an option, a variable or a site's configuration that is not understood leaves the container dark. podman and
 * docker take nothing from outside but what their command line says: `-v /dev/shm:/dev/shm -e HPCPROV_IO -e LD_PRELOAD` is the user's to give.
 */
#ifndef HPCPROV_CONTAINERS_H
#define HPCPROV_CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTAINER_WORDS 5

enum container_way { CONTAINER_NONE, CONTAINER_CARRIED, CONTAINER_DARK };

struct container_run {
    const char *path;               /* of the program, as execve gets it */
    char *const *argv, *const *env; /* env: without our own two */
    const char *before;             /* HPCPROV_IO of the program inside, up to the area: "1:<rank>:<parent>:<flags>:" */
    const char *spool;              /* absolute; holds `area` and a copy of the library */
};

struct container_words {
    const char *add[CONTAINER_WORDS];
    size_t count, used;
    char text[6144];
};

bool container_named(const char *path); /* is it called like a container runtime? */
enum container_way container_words(const struct container_run *run, struct container_words *out);

/* What tells one view of the file system from another: mount namespace and root directory. 0: cannot be told. */
uint64_t container_view(void);
/* /proc/self/mountinfo without what is mounted below /proc, /sys and /dev (but not /dev/shm), whole lines; its length. *cut: not all fitted. */
size_t container_mounts(char *into, size_t room, int *cut);

/* ---- containers.c, for apptainer.c: words are put one after the other; false: no room */
bool container_put(struct container_words *out, const char *s, size_t size);
bool container_puts(struct container_words *out, const char *const *parts);
bool container_add(struct container_words *out, const char *const *parts); /* one more assignment of these parts */
#define PUT(out, ...) container_puts(out, (const char *const[]){__VA_ARGS__, NULL})
#define ADD(out, ...) container_add(out, (const char *const[]){__VA_ARGS__, NULL})
const char *container_base(const char *path);
const char *container_value(char *const *env, const char *prefix, const char *name); /* of prefix + name; NULL: not set */
bool container_one_of(const char *word, const char *const *names);
bool container_has_library(const char *spool);
#define CONTAINER_LIBRARY "libhpcprov-observe.so" /* as the launcher copies it into the spool */

/* ---- apptainer.c: `program` is the real file, `name` its name */
enum container_way container_apptainer(const struct container_run *run, const char *program, const char *name, struct container_words *out);

#endif
