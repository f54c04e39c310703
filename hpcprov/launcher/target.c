/* What kind of program a file is, before it is executed: will the observer library be loaded into it, and may it be asked for? Read from the ELF
 * header, with system calls only, so that the library can do it between vfork and exec.
 *
 *     struct target t;
 *     target_inspect("./busybox", &t);   // BLIND_STATIC
 *
 * No PT_INTERP: no loader, no library. Set-id and file capabilities: the loader ignores LD_PRELOAD. Another machine's or a 32-bit program: its
 * loader would complain on stderr. AddressSanitizer's run-time library must come first and aborts otherwise. A Go program with an
 * interpreter loads the library but makes its system calls itself.
 */
#define _GNU_SOURCE
#include "target.h"

#include <elf.h>
#include <stdbool.h>

#include "observe/raw.h"
#include "observe/words.h"

enum { SCRIPT_LINE = 256, SCRIPT_LEVELS = 5, SEGMENTS = 16, SEGMENTS_MAX = 512, NEEDED_MAX = 64 };

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

/* Small: this may run on a signal's stack. */
struct image {
    int fd;
    long size; /* bytes read of the file's start */
    _Alignas(16) char start[SCRIPT_LINE];
    Elf64_Phdr segments[SEGMENTS]; /* from number `first` on, `count` of them */
    unsigned first, count;
};

static const Elf64_Ehdr *header(const struct image *image) { return (const Elf64_Ehdr *)image->start; }

/* The i-th program header, or NULL after the last one. They need not stand at the start: tools that edit programs move them. */
static const Elf64_Phdr *segment(struct image *image, unsigned i) {
    const Elf64_Ehdr *e = header(image);
    if (i >= e->e_phnum || i >= SEGMENTS_MAX || e->e_phentsize != sizeof(Elf64_Phdr)) return NULL;
    if (i < image->first || i >= image->first + image->count) {
        long size = raw_pread(image->fd, image->segments, sizeof image->segments, e->e_phoff + (uint64_t)i * sizeof(Elf64_Phdr));
        image->first = i;
        image->count = size > 0 ? (unsigned)((size_t)size / sizeof(Elf64_Phdr)) : 0;
    }
    return i < image->first + image->count ? &image->segments[i - image->first] : NULL;
}

static const Elf64_Phdr *segment_of(struct image *image, uint32_t type) {
    const Elf64_Phdr *s;
    for (unsigned i = 0; (s = segment(image, i)); i++)
        if (s->p_type == type) return s;
    return NULL;
}

static bool file_offset(struct image *image, uint64_t address, uint64_t *offset) {
    const Elf64_Phdr *s;
    for (unsigned i = 0; (s = segment(image, i)); i++)
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr < s->p_filesz) {
            *offset = s->p_offset + (address - s->p_vaddr);
            return true;
        }
    return false;
}

static bool is_go(struct image *image) {
    const Elf64_Phdr *s;
    struct { Elf64_Nhdr header; char name[4]; } note;
    for (unsigned i = 0; (s = segment(image, i)); i++) {
        uint64_t at = s->p_offset, end = s->p_offset + s->p_filesz;
        for (int notes = 0; s->p_type == PT_NOTE && notes < 16 && at < end; notes++) {
            if (raw_pread(image->fd, &note, sizeof note, at) != (long)sizeof note) break;
            if (note.header.n_namesz == 4 && words_equal(note.name, "Go\0", 4)) return true;
            at += sizeof note.header + ((note.header.n_namesz + 3ull) & ~3ull) + ((note.header.n_descsz + 3ull) & ~3ull);
        }
    }
    return false;
}

static bool is_sanitizer(const char *library) { return words_after(library, "libasan.so") || words_after(library, "libclang_rt.asan"); }

static bool needs_sanitizer(struct image *image) {
    const Elf64_Phdr *found = segment_of(image, PT_DYNAMIC);
    Elf64_Phdr dynamic = found ? *found : (Elf64_Phdr){0};
    uint64_t needed[NEEDED_MAX], strings = 0, offset;
    unsigned count = 0;
    Elf64_Dyn entries[32];
    for (uint64_t at = 0; at < dynamic.p_filesz; at += sizeof entries) {
        long got = raw_pread(image->fd, entries, sizeof entries, dynamic.p_offset + at) / (long)sizeof entries[0];
        if (got <= 0) break;
        for (long i = 0; i < got; i++) {
            if (entries[i].d_tag == DT_NEEDED && count < NEEDED_MAX) needed[count++] = entries[i].d_un.d_val;
            if (entries[i].d_tag == DT_STRTAB) strings = entries[i].d_un.d_ptr;
            if (entries[i].d_tag == DT_NULL) at = dynamic.p_filesz - sizeof entries, i = got;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        char name[24] = {0};
        if (file_offset(image, strings + needed[i], &offset) && raw_pread(image->fd, name, sizeof name - 1, offset) > 0 && is_sanitizer(name))
            return true;
    }
    return false;
}

static bool is_elf(const struct image *image) { return image->size >= (long)sizeof(Elf64_Ehdr) && words_equal(image->start, ELFMAG, SELFMAG); }

static enum area_blind inspect_elf(struct image *image) {
    const Elf64_Ehdr *e = header(image);
    if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_machine != OWN_MACHINE) return BLIND_OTHER_ABI;
    if (!segment_of(image, PT_INTERP)) return BLIND_STATIC;
    if (needs_sanitizer(image)) return BLIND_SANITIZER;
    return is_go(image) ? BLIND_GO : SEEN;
}

/* The loader runs in secure mode when the program gets rights that the caller does not have. */
static bool gains_rights(const char *path, const struct stat *file) {
    uint32_t user = raw_geteuid(), group = raw_getegid();
    if (file->st_mode & S_ISUID && file->st_uid != user) return true;
    if ((file->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file->st_gid != group) return true;
    return user != 0 && raw_getxattr(path, "security.capability") > 0;
}

/* The interpreter in `#! interpreter argument`, or false. */
static bool interpreter_of(const struct image *image, char into[SCRIPT_LINE]) {
    long i = 2, n = 0, end = image->size < SCRIPT_LINE ? image->size : SCRIPT_LINE - 1;
    while (i < end && (image->start[i] == ' ' || image->start[i] == '\t')) i++;
    for (; i < end && image->start[i] && image->start[i] != '\n' && image->start[i] != ' ' && image->start[i] != '\t'; i++) into[n++] = image->start[i];
    into[n] = 0;
    return n > 0;
}

static enum area_blind inspect_one(const char *path, struct image *image, struct target *out) {
    struct stat file;
    image->size = image->first = image->count = 0;
    image->fd = (int)raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->fd < 0) return image->fd == -13 /* EACCES */ ? BLIND_UNREADABLE : SEEN;
    if (raw_fstat(image->fd, &file) < 0 || !S_ISREG(file.st_mode)) return SEEN;
    out->dev = file.st_dev;
    out->ino = file.st_ino;
    image->size = raw_pread(image->fd, image->start, sizeof image->start, 0);
    if (!is_elf(image)) return SEEN;
    return gains_rights(path, &file) ? BLIND_SET_ID : inspect_elf(image);
}

enum area_blind target_inspect(const char *path, struct target *out) {
    struct image image;
    enum area_blind blind = SEEN;
    char interpreter[SCRIPT_LINE];
    out->dev = out->ino = 0;
    out->path[0] = 0;
    for (int level = 0; level < SCRIPT_LEVELS; level++) {
        blind = inspect_one(path, &image, out);
        if (image.fd >= 0) raw_close(image.fd);
        if (image.size < 3 || image.start[0] != '#' || image.start[1] != '!' || !interpreter_of(&image, interpreter)) break;
        words_copy(out->path, interpreter, words_length(interpreter) + 1);
        path = out->path;
    }
    return blind;
}
