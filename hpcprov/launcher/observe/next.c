/* The definition that stands behind ours: the first one in the objects that were loaded after this library, as dlsym(RTLD_NEXT) finds it. Not
 * by dlsym, which lives in a library of its own before glibc 2.34, takes the loader's lock and may allocate. The list of
 * loaded objects is the one that debuggers read (<link.h>), in the order in which names are looked up.
 *
 *     next_find("open")   // libc's, or Darshan's
 */
#define _GNU_SOURCE
#include "observe.h"

#include <elf.h>
#include <link.h>

extern struct r_debug _r_debug __attribute__((weak));          /* glibc */
extern struct r_debug *_dl_debug_addr __attribute__((weak));   /* musl */

struct symbols {
    const ElfW(Sym) *table;
    const char *strings;
    const uint32_t *gnu, *sysv;
    const uint16_t *versions;
};

static const struct link_map *loaded(void) {
    if (&_dl_debug_addr && _dl_debug_addr) return _dl_debug_addr->r_map;
    return &_r_debug ? _r_debug.r_map : NULL;
}

/* glibc relocates the addresses in the dynamic section, musl and the kernel's vdso do not. */
static const void *address(const struct link_map *object, ElfW(Addr) value) {
    return (const void *)(value < object->l_addr ? value + object->l_addr : value);
}

static struct symbols symbols_of(const struct link_map *object) {
    struct symbols s = {0};
    for (const ElfW(Dyn) *d = object->l_ld; d && d->d_tag != DT_NULL; d++) {
        const void *at = address(object, d->d_un.d_ptr);
        if (d->d_tag == DT_SYMTAB) s.table = at;
        else if (d->d_tag == DT_STRTAB) s.strings = at;
        else if (d->d_tag == DT_GNU_HASH) s.gnu = at;
        else if (d->d_tag == DT_HASH) s.sysv = at;
        else if (d->d_tag == DT_VERSYM) s.versions = at;
    }
    return s;
}

/* The definition that a program linked today would get: not one that is kept for older programs only. */
static bool is(const struct symbols *s, uint32_t i, const char *name) {
    const ElfW(Sym) *symbol = &s->table[i];
    bool old = s->versions && s->versions[i] & 0x8000;
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value && !old && words_same(s->strings + symbol->st_name, name);
}

static uint32_t find_gnu(const struct symbols *s, const char *name) {
    uint32_t hash = 5381;
    for (const char *c = name; *c; c++) hash = hash * 33 + (unsigned char)*c;
    uint32_t buckets = s->gnu[0], first = s->gnu[1], words = s->gnu[2], shift = s->gnu[3], bits = sizeof(ElfW(Addr)) * 8;
    const ElfW(Addr) *bloom = (const ElfW(Addr) *)(s->gnu + 4);
    const uint32_t *bucket = (const uint32_t *)(bloom + words), *chain = bucket + buckets;
    ElfW(Addr) both = (ElfW(Addr))1 << hash % bits | (ElfW(Addr))1 << (hash >> shift) % bits;
    if (!buckets || (bloom[hash / bits % words] & both) != both) return 0;
    uint32_t i = bucket[hash % buckets];
    if (i < first) return 0;
    for (;; i++) {
        if ((chain[i - first] | 1) == (hash | 1) && is(s, i, name)) return i;
        if (chain[i - first] & 1) return 0;
    }
}

static uint32_t find_sysv(const struct symbols *s, const char *name) {
    uint32_t hash = 0;
    for (const char *c = name; *c; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    uint32_t buckets = s->sysv[0], i = buckets ? s->sysv[2 + hash % buckets] : 0;
    while (i && !is(s, i, name)) i = s->sysv[2 + buckets + i];
    return i;
}

static void *definition(const struct link_map *object, const char *name) {
    struct symbols s = symbols_of(object);
    if (!s.table || !s.strings) return NULL;
    uint32_t i = s.gnu ? find_gnu(&s, name) : s.sysv ? find_sysv(&s, name) : 0;
    if (!i) return NULL;
    void *at = (void *)(object->l_addr + s.table[i].st_value);
    return ELF64_ST_TYPE(s.table[i].st_info) == STT_GNU_IFUNC ? ((void *(*)(void))at)() : at;
}

void *next_find(const char *name) {
    const struct link_map *object = loaded();
    while (object && object->l_ld != _DYNAMIC) object = object->l_next;
    for (object = object ? object->l_next : NULL; object; object = object->l_next) {
        void *found = definition(object, name);
        if (found) return found;
    }
    return NULL;
}

extern int *__errno_location(void) __attribute__((weak)); /* glibc and musl */

int next_missing(int number) {
    if (&__errno_location) *__errno_location() = number;
    return -1;
}

/* This library's own path, as the loader was given it; empty when it is not absolute or too long. */
void next_own_path(char path[VARIABLE_ROOM]) {
    const struct link_map *own = loaded();
    while (own && own->l_ld != _DYNAMIC) own = own->l_next;
    size_t size = own && own->l_name ? words_length(own->l_name) : 0;
    path[0] = 0;
    if (size && size < VARIABLE_ROOM && own->l_name[0] == '/') words_copy(path, own->l_name, size + 1);
}
