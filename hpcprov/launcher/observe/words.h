/* Bytes and strings without the C library, whose own may not be relocated yet when the observer starts. Byte by byte where the end of a string
 * is looked for: reading ahead would make memory checkers complain in the application's name.
 *
 *     struct words w = words_of("a/b");    // {"a/b", 3}
 */
#ifndef HPCPROV_WORDS_H
#define HPCPROV_WORDS_H

#include <stddef.h>
#include <stdint.h>

static inline size_t words_length(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

static inline void words_copy(char *to, const char *from, size_t size) {
    for (; size >= 8; size -= 8, to += 8, from += 8) __builtin_memcpy(to, from, 8);
    while (size--) *to++ = *from++;
}

static inline int words_equal(const char *a, const char *b, size_t size) {
    while (size--)
        if (*a++ != *b++) return 0;
    return 1;
}

static inline int words_same(const char *a, const char *b) {
    for (; *a && *a == *b; a++) b++;
    return *a == *b;
}

/* After `prefix` in s, or NULL. */
static inline const char *words_after(const char *s, const char *prefix) {
    for (; *prefix; prefix++)
        if (*s++ != *prefix) return 0;
    return s;
}

/* Decimal digits at *s; moves past them. */
static inline uint64_t words_number(const char **s) {
    uint64_t n = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++) n = n * 10 + (uint64_t)(**s - '0');
    return n;
}

/* Writes n in decimal, gives the end; at most 20 bytes. */
static inline char *words_put_number(char *to, uint64_t n) {
    char digits[20];
    int i = 0;
    do digits[i++] = (char)('0' + n % 10);
    while (n /= 10);
    while (i) *to++ = digits[--i];
    return to;
}

/* Eight bytes at a time, multiplied and folded; not for adversaries. */
static inline uint64_t words_hash(uint64_t seed, const char *s, size_t size) {
    uint64_t h = seed ^ (size * 0x9E3779B97F4A7C15u), word;
    for (; size >= 8; size -= 8, s += 8) {
        __builtin_memcpy(&word, s, 8);
        h = (h ^ word) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    for (word = 0; size--;) word = word << 8 | (unsigned char)*s++;
    h = (h ^ word) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 29;
}

#endif
