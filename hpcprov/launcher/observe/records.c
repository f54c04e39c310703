/* What happened, put into a record: the strings of the call and the numbers that belong to its kind.
 *
 *     tell_names(AREA_RENAME, 0, &old, &new);
 */
#define _GNU_SOURCE
#include "observe.h"

size_t name_size(const struct name *name) { return name->base.size + (name->base.at != NULL) + name->rest.size; }

/* Copies at most `room - 1` bytes and ends them; gives the place after. */
static char *put(char *to, const char *end, const struct piece *piece) {
    size_t room = (size_t)(end - to), size = piece->size < room ? piece->size : room;
    words_copy(to, piece->at, size);
    return to + size;
}

/* Without an end of string; writes less than `end - to` bytes. */
char *name_put(char *to, const char *end, const struct name *name) {
    struct piece slash = {"/", name->base.at != NULL};
    return put(put(put(to, end - 1, &name->base), end - 1, &slash), end - 1, &name->rest);
}

static size_t most(size_t size, size_t limit) { return size < limit ? size : limit; }

static bool is_absolute(const struct name *name) { return name->base.at || (name->rest.size && *name->rest.at == '/'); }

void tell_access(const struct name *name, unsigned flags, const struct stat *file) {
    uint64_t at;
    size_t size = name_size(name) + 1;
    struct area_record *r = writer_begin(AREA_ACCESS, most(size, AREA_TEXT_MAX), &at);
    if (!r) return;
    bool whole = size <= AREA_TEXT_MAX && is_absolute(name);
    r->flags = (uint16_t)(flags | (whole ? 0 : STRINGS_CUT));
    r->is.access.size = flags & ACCESS_TRUNCATE || !file ? 0 : (uint64_t)file->st_size;
    r->is.access.mtime = flags & ACCESS_TRUNCATE || !file ? 0 : (int64_t)file->st_mtim.tv_sec * 1000000000 + file->st_mtim.tv_nsec;
    *name_put((char *)(r + 1), (char *)(r + 1) + most(size, AREA_TEXT_MAX), name) = 0;
    writer_end(r, at);
}

/* One name, or two: old and new. */
void tell_names(enum area_kind kind, unsigned flags, const struct name *old, const struct name *new) {
    uint64_t at;
    size_t half = AREA_TEXT_MAX / 2, first = name_size(old) + 1, second = new ? name_size(new) + 1 : 0;
    bool cut = first > half || second > half || !(is_absolute(old) || flags & LINK_SYMBOLIC) || (new && !is_absolute(new));
    struct area_record *r = writer_begin(kind, most(first, half) + most(second, half), &at);
    if (!r) return;
    r->flags = (uint16_t)(flags | (cut ? STRINGS_CUT : 0));
    char *to = (char *)(r + 1), *end = to + most(first, half);
    *(to = name_put(to, end, old)) = 0;
    if (new) *name_put(to + 1, to + 1 + most(second, half), new) = 0;
    writer_end(r, at);
}

void tell_end(uint32_t child, int status) {
    uint64_t at;
    struct area_record *r = writer_begin(AREA_END, 0, &at);
    if (!r) return;
    r->flags = 0;
    r->pid = (uint32_t)raw_getpid();
    r->is.end.status = status;
    r->is.end.child = child;
    writer_end(r, at);
}

void tell_not_run(uint32_t instance) {
    uint64_t at;
    struct area_record *r = writer_begin(AREA_NOT_RUN, 0, &at);
    if (!r) return;
    r->flags = 0;
    r->instance = instance;
    r->pid = (uint32_t)raw_getpid();
    writer_end(r, at);
}

void tell_view(void) {
    char text[AREA_TEXT_MAX];
    uint64_t at, view = container_view();
    int cut;
    bool told = view == observer.view;
    observer.view = !writer_view() || view == writer_view() ? 0 : view;
    if (told || !observer.view) return;
    size_t size = container_mounts(text, sizeof text, &cut);
    struct area_record *r = writer_begin(AREA_MOUNTS, size + 1, &at);
    if (!r) return;
    r->flags = cut ? STRINGS_CUT : 0;
    words_copy((char *)(r + 1), text, size);
    ((char *)(r + 1))[size] = 0;
    writer_end(r, at);
}

static size_t string_size(const char *s) { return words_length(s) + 1; }

/* Arguments that do not fit are left out, and the last one that is told is cut. */
void tell_program(uint32_t instance, uint32_t parent, enum area_blind blind, const char *path, const char *cwd, char *const *argv) {
    uint64_t at;
    size_t path_size = string_size(path), cwd_size = string_size(cwd), size = path_size + cwd_size;
    uint32_t count = 0;
    while (argv && argv[count] && size < AREA_TEXT_MAX) size += string_size(argv[count++]);
    bool cut = size > AREA_TEXT_MAX || (argv && argv[count]);
    struct area_record *r = writer_begin(AREA_PROGRAM, most(size, AREA_TEXT_MAX), &at);
    if (!r) return;
    r->flags = cut ? STRINGS_CUT : 0;
    r->instance = instance;
    r->pid = (uint32_t)raw_getpid();
    r->is.program.parent = parent;
    r->is.program.rank = observer.rank;
    r->is.program.blind = blind;
    r->is.program.argc = count;
    char *to = (char *)(r + 1), *end = to + most(size, AREA_TEXT_MAX);
    words_copy(to, path, path_size);
    words_copy(to += path_size, cwd, cwd_size);
    to += cwd_size;
    for (uint32_t i = 0; i < count; i++) {
        to = put(to, end - 1, &(struct piece){argv[i], words_length(argv[i])});
        if (to < end) *to++ = 0;
    }
    writer_end(r, at);
}
