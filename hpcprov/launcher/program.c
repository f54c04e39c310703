/* The application as a program in the event area, written here where the observer library will not do it: it is not loaded into static,
 * set-id and Go programs nor into container runtimes. What those start is observed again, with this program as its parent. */
#define _GNU_SOURCE
#include "launcher.h"
#include "notify/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct events events;
static uint32_t told; /* its number; 0: not told */

static void add_string(struct text *t, const char *s) { text_add(t, s, strlen(s) + 1); }

static struct text strings_of(const char *path, char *const *argv, uint32_t *count) {
    struct text t = {0};
    char *real = realpath(path, NULL), *cwd = getcwd(NULL, 0);
    add_string(&t, real ? real : path);
    add_string(&t, cwd ? cwd : "");
    for (*count = 0; argv[*count] && t.len < AREA_TEXT_MAX; ++*count) add_string(&t, argv[*count]);
    free(real);
    free(cwd);
    return t;
}

uint32_t program_tell(const struct area *a, const struct place *p, const char *path, char *const *argv, enum area_blind blind) {
    uint32_t count;
    struct area_record as = {.is.program = {.rank = (uint32_t)p->rank, .blind = blind}};
    if (!a->library || !events_map(&events, a->fd)) return 0; /* without a library it is the kernel that tells */
    struct text strings = strings_of(path, argv, &count);
    as.is.program.argc = count;
    told = events_instance(&events);
    struct event event = {.kind = AREA_PROGRAM, .instance = told, .pid = getpid(), .strings = strings.at, .len = strings.len};
    memcpy(event.is, &as.is, sizeof event.is);
    event.flags = strings.len > AREA_TEXT_MAX || argv[count] ? STRINGS_CUT : 0;
    if (!strings.failed) events_write(&events, &event);
    text_free(&strings);
    return told;
}

void program_not_run(void) {
    if (told) events_write(&events, &(struct event){.kind = AREA_NOT_RUN, .instance = told, .pid = getpid(), .strings = ""});
}

/* Nobody whom the library observes waits for the application. */
void program_ended(const struct area *a, const struct place *p, pid_t application, int status) {
    struct events parents = {0};
    struct area_record as = {.is.end = {status, (uint32_t)application}};
    struct event event = {.kind = AREA_END, .pid = (pid_t)p->rank};
    if (a->fd < 0 || !events_map(&parents, a->fd)) return;
    memcpy(event.is, &as.is, sizeof event.is);
    events_write(&parents, &event);
    munmap(parents.header, parents.size);
}
