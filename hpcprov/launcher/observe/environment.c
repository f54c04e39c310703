/* The environment of a program that is started: the caller's, with both variables put back where the caller dropped them. What the caller says
 * itself is kept: its own LD_PRELOAD comes first, and HPCPROV_OBSERVE=off turns the observer off for that program and what it starts.
 *
 *     ENVIRONMENT(put, envp, program);
 *     execve(path, argv, environment_with(envp, &program, put.at));
 *     environment_done(&put);
 *
 * No memory is allocated but for a huge one: after vfork it would be the parent's and never be freed.
 */
#define _GNU_SOURCE
#include "observe.h"

#include <sys/mman.h>

#define PRELOAD "LD_PRELOAD="

static const char *value_in(char *const *environment, const char *prefix) {
    const char *value = NULL;
    for (; environment && *environment && !value; environment++) value = words_after(*environment, prefix);
    return value;
}

bool environment_off(char *const *environment) {
    const char *word = value_in(environment, OBSERVE_VARIABLE "=");
    return word && words_same(word, "off");
}

/* ldd: the loader lists libraries and no program runs; ours is none of the program's. */
static bool only_listed(char *const *environment) {
    const char *value = value_in(environment, "LD_TRACE_LOADED_OBJECTS=");
    return value && *value;
}

size_t environment_room(char *const *environment, const struct program *program) {
    const char *preload = value_in(environment, PRELOAD);
    size_t count = 0;
    while (environment && environment[count]) count++;
    if (program->path) return (count + CONTAINER_WORDS + 1) * sizeof(char *) + sizeof(struct container_words);
    return (count + 3) * sizeof(char *) + (preload ? words_length(preload) : 0) + 2 * VARIABLE_ROOM + 128;
}

void environment_map(struct environment_place *place, size_t size) {
    long at = raw_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    place->at = raw_failed(at) ? NULL : (void *)at;
    place->mapped = raw_failed(at) ? 0 : size;
}

void environment_done(const struct environment_place *place) {
    if (place->mapped) raw_munmap(place->at, place->mapped);
}

static char *put_string(char *to, const char *s) {
    size_t size = words_length(s);
    words_copy(to, s, size);
    to[size] = 0;
    return to + size;
}

static char *put_view(char *to, uint64_t view) {
    *to++ = 'm';
    for (int shift = 60; shift >= 0; shift -= 4) *to++ = "0123456789abcdef"[view >> shift & 15];
    return to;
}

const char *environment_spool(char into[VARIABLE_ROOM]) {
    size_t slash = words_length(observer.area);
    while (slash > 1 && observer.area[slash - 1] != '/') slash--;
    words_copy(into, observer.area, slash);
    into[slash > 1 ? slash - 1 : slash] = 0;
    return into;
}

static char *put_area(char *to, uint32_t parent, bool visible) {
    to = words_put_number(put_string(to, AREA_VARIABLE "=1:"), observer.rank);
    *to++ = ':';
    to = put_string(words_put_number(to, parent), visible ? ":v" : ":");
    if (observer.view) to = put_view(to, observer.view);
    *to++ = ':';
    return put_string(to, observer.area) + 1;
}

static bool lists_library(const char *list) {
    size_t size = words_length(observer.library);
    for (const char *at = list; *at; at++)
        if ((at == list || at[-1] == ':' || at[-1] == ' ') && !(words_length(at) < size) && words_equal(at, observer.library, size)) return true;
    return false;
}

/* LD_PRELOAD with this library last. */
static char *put_preload(char *to, const char *others, const char *library) {
    to = put_string(to, PRELOAD);
    if (others) {
        to = put_string(to, others);
        if (lists_library(others)) return to + 1;
        *to++ = ':';
    }
    return put_string(to, library) + 1;
}

static bool same_name(const char *a, const char *b) {
    for (; *a && *a == *b && *a != '='; a++) b++;
    return *a == '=' && *b == '=';
}

/* A container runtime's: each of its words in place of the variable of that name, nothing of ours for itself. */
static char **container_environment(char *const *environment, const struct program *program, char **list, struct container_words *words) {
    char head[64], spool[VARIABLE_ROOM], *to = put_string(words_put_number(put_string(head, "1:"), observer.rank), ":");
    struct container_run run = {program->path, program->argv, environment, head, environment_spool(spool)};
    size_t n = 0;
    *put_string(words_put_number(to, program->parent), "::") = 0;
    if (container_words(&run, words) != CONTAINER_CARRIED) words->count = 0;
    for (; environment && *environment; environment++) {
        bool replaced = words_after(*environment, AREA_VARIABLE "=") != NULL;
        for (size_t i = 0; i < words->count; i++) replaced |= same_name(*environment, words->add[i]);
        if (!replaced) list[n++] = *environment;
    }
    for (size_t i = 0; i < words->count; i++) list[n++] = (char *)words->add[i];
    list[n] = NULL;
    return list;
}

/* `room` holds environment_room() bytes, aligned for pointers; without one the environment stays as it is. Where the library must stay out the
 * caller's own LD_PRELOAD stays as it is. */
char **environment_with(char *const *environment, const struct program *program, void *room) {
    size_t count = 0, n = 0;
    bool preload = program->preload, done = false;
    if (!room || program->off || only_listed(environment)) return (char **)environment;
    while (environment && environment[count]) count++;
    char **list = room, *text = (char *)(list + count + 3);
    if (program->path) return container_environment(environment, program, list, (struct container_words *)(list + count + CONTAINER_WORDS + 1));
    for (size_t i = 0; i < count; i++) {
        const char *others = preload && !done ? words_after(environment[i], PRELOAD) : NULL;
        if (words_after(environment[i], AREA_VARIABLE "=")) continue;
        list[n++] = others ? text : environment[i];
        if (others) text = put_preload(text, others, program->library), done = true;
    }
    if (preload && !done) {
        list[n++] = text;
        text = put_preload(text, NULL, program->library);
    }
    list[n++] = text;
    put_area(text, program->parent, program->visible);
    list[n] = NULL;
    return list;
}
