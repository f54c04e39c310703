/* system and popen start a shell with `environ` from inside the C library, so for the time of the call `environ` is a list that has both variables.
 *
 *     system("cp a b")   ->   the shell and cp are observed
 *
 * Other threads may read and change their environment meanwhile. So the memory of the list is never given back, and a list that somebody changed
 * becomes the environment, without the two variables.
 */
#define _GNU_SOURCE
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

extern char **environ __attribute__((weak));

static uint32_t busy;                /* while one of these is changed */
static uint32_t users;               /* calls that are under way */
static char **lent, **original;      /* what `environ` is meanwhile, and was */
static size_t lent_size;

/* Held for no longer than it takes to copy a list, or to change it: who has it for long is a thread that a child of fork left behind. */
static void lock(void) {
    struct timespec moment = {0, 1000000};
    for (int i = 0; i < 1500 && __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE); i++) {
        if (i < 1000) raw_yield();
        else raw_sleep(&moment);
    }
}

static void unlock(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

static bool swap(char **from, char **to) { return __atomic_compare_exchange_n(&environ, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED); }

static bool make_room(size_t size) {
    if (lent && size <= lent_size) return true;
    long at = raw_mmap(2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw_failed(at)) return false;
    lent = (char **)at;
    lent_size = 2 * size;
    return true;
}

/* The name of an assignment is the same, and it is none of our two. */
static bool same_name(const char *a, const char *b) {
    if (words_after(a, "LD_PRELOAD=")) return words_after(b, "LD_PRELOAD=");
    for (; *a && *a == *b && *a != '='; a++) b++;
    return *a == *b;
}

/* Both lists in step: `from` is the one that others may have changed last. false: names were added or taken away. */
static bool carry_over(char **from, char **to, bool do_it) {
    static char *nothing[1];
    if (!from) from = nothing; /* clearenv */
    if (!to) to = nothing;
    for (;; from++, to++) {
        while (*from && words_after(*from, AREA_VARIABLE "=")) from++;
        while (*to && words_after(*to, AREA_VARIABLE "=")) to++;
        if (!*from || !*to) break;
        if (*from == *to) continue;
        if (!same_name(*from, *to)) break;
        if (do_it && !words_after(*from, "LD_PRELOAD=")) *to = *from;
    }
    char **longer = *from ? from : to;
    return !*longer || (words_after(*longer, "LD_PRELOAD=") && (!longer[1] || words_after(longer[1], AREA_VARIABLE "=")));
}

/* A program may change the list without the calls below: what another thread changed between copy and swap is carried over. */
static bool lend(void) {
    char **own = environ;
    struct program shell = program_prepare("/bin/sh", NULL, own);
    if (shell.off || !make_room(environment_room(own, &shell))) return false;
    original = own;
    if (environment_with(own, &shell, lent) != lent || !swap(own, lent)) return false;
    carry_over(original, lent, true);
    return true;
}

/* Where `environ` is not the lent list any more the original may be gone. */
static void take_back(void) {
    if (environ == lent && carry_over(lent, original, false) && swap(lent, original)) {
        carry_over(lent, original, true);
        return;
    }
    if (environ) start_hide(environ);
    lent = NULL; /* it is in use from now on */
}

static bool begin(const char *command) {
    if (!command || !observing() || !&environ) return false;
    lock();
    bool done = users > 0 || lend();
    users += done;
    unlock();
    return done;
}

static void end(bool begun) {
    if (!begun) return;
    lock();
    if (--users == 0) take_back();
    unlock();
}

/* The thread that was in such a call is none of the child's. */
void shells_forked(void) {
    if (users || (lent && environ == lent)) take_back();
    users = 0;
    unlock();
}

NEXT(system)
EXPORT int system(const char *command) {
    __typeof__(&system) next = get_system();
    if (!next) return next_missing(38);
    bool begun = begin(command);
    int result = next(command);
    end(begun);
    return result;
}

NEXT(popen)
EXPORT FILE *popen(const char *command, const char *mode) {
    __typeof__(&popen) next = get_popen();
    if (!next) return next_missing(38), NULL;
    bool begun = begin(command);
    FILE *stream = next(command, mode);
    end(begun);
    return stream;
}

/* ---- changes by the C library: none is lost while one list takes another's place */
#define CHANGE(name, parameters, arguments) \
    NEXT(name) \
    EXPORT int name parameters { \
        __typeof__(&name) next = get_##name(); \
        bool held = observing(); \
        if (held) lock(); \
        int result = next ? next arguments : next_missing(38); \
        if (held) unlock(); \
        return result; \
    }
CHANGE(setenv, (const char *variable, const char *value, int replace), (variable, value, replace))
CHANGE(unsetenv, (const char *variable), (variable))
CHANGE(putenv, (char *assignment), (assignment))
CHANGE(clearenv, (void), ())
