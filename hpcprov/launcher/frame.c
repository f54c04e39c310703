/* JSON text, checksums and frames (docs/frames.md). A frame is one write(2) of at most FRAME_MAX bytes. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- text */

static bool text_grow(struct text *t, size_t more) {
    if (t->failed) return false;
    if (t->len + more + 1 <= t->room) return true;
    size_t room = t->room ? t->room : 512;
    while (room < t->len + more + 1) room *= 2;
    char *at = realloc(t->at, room);
    if (!at) {
        t->failed = true;
        return false;
    }
    t->at = at;
    t->room = room;
    return true;
}

void text_add(struct text *t, const char *bytes, size_t len) {
    if (!text_grow(t, len)) return;
    memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = 0;
}

void text_puts(struct text *t, const char *s) { text_add(t, s, strlen(s)); }

void text_printf(struct text *t, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line) t->failed = true; /* callers format numbers and short names only */
    else text_add(t, line, (size_t)n);
}

void text_free(struct text *t) {
    free(t->at);
    memset(t, 0, sizeof *t);
}

/* ---- JSON, ASCII only; what is not UTF-8 becomes lone surrogates (PEP 383) */

/* Decodes one character of strict UTF-8 (no overlong forms, no surrogates); its length, or 0. */
static size_t utf8_char(const unsigned char *s, size_t len, uint32_t *code) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xE0) == 0xC0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : (s[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (n == 0 || n > len) return 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *code = c;
    return n;
}

/* Writes the JSON form of the first character of bytes to out; returns its length, *used is what it took. */
size_t json_escape(const char *bytes, size_t len, char out[12], size_t *used) {
    uint32_t c;
    *used = utf8_char((const unsigned char *)bytes, len, &c);
    if (*used == 0) {
        *used = 1;
        c = 0xDC00u + (unsigned char)bytes[0];
    }
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    if (c >= 0x20 && c < 0x7F) {
        out[0] = (char)c;
        return 1;
    }
    char form[16];
    int n;
    if (c == '\n') n = snprintf(form, sizeof form, "\\n");
    else if (c < 0x10000) n = snprintf(form, sizeof form, "\\u%04x", c);
    else n = snprintf(form, sizeof form, "\\u%04x\\u%04x", 0xD7C0 + (c >> 10), 0xDC00 + (c & 0x3FF));
    memcpy(out, form, (size_t)n);
    return (size_t)n;
}

void json_bytes(struct text *t, const char *bytes, size_t len) {
    text_add(t, "\"", 1);
    for (size_t i = 0, used; i < len; i += used) {
        char out[12];
        size_t n = json_escape(bytes + i, len - i, out, &used);
        text_add(t, out, n);
    }
    text_add(t, "\"", 1);
}

void json_string(struct text *t, const char *s) {
    if (s) json_bytes(t, s, strlen(s));
    else text_puts(t, "null");
}

void json_key(struct text *t, const char *key) {
    text_puts(t, ",\"");
    text_puts(t, key);
    text_puts(t, "\":");
}

void json_number(struct text *t, const char *key, int64_t value) {
    json_key(t, key);
    text_printf(t, "%lld", (long long)value);
}

void json_named(struct text *t, const char *key, const char *s) {
    json_key(t, key);
    json_string(t, s);
}

void json_list(struct text *t, const char *key, char *const *items, size_t count) {
    json_key(t, key);
    text_puts(t, "[");
    for (size_t i = 0; i < count; i++) {
        if (i) text_puts(t, ",");
        json_string(t, items[i]);
    }
    text_puts(t, "]");
}

int64_t clock_ns(int clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void nap(int64_t ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

void json_open(struct text *t, const char *event) {
    text_printf(t, "{\"v\":1,\"event\":\"%s\",\"time\":%lld,\"boot\":%lld", event, (long long)clock_ns(CLOCK_REALTIME),
                (long long)clock_ns(CLOCK_BOOTTIME));
}

/* ---- checksums */

static uint32_t crc32_of(const char *bytes, size_t len) { /* as in zlib; bitwise, since a rank writes some 3 KB in all */
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* SHA-256, FIPS 180-4. */
static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha_block(uint32_t h[8], const unsigned char block[64]) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
        uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

void sha256_hex(const void *data, size_t len, char hex[65]) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *at = data;
    size_t left = len;
    for (; left >= 64; left -= 64, at += 64) sha_block(h, at);
    unsigned char last[128] = {0};
    if (left) memcpy(last, at, left);
    last[left] = 0x80;
    size_t end = left < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) last[end - 1 - (size_t)i] = (unsigned char)((uint64_t)len * 8 >> (8 * i));
    sha_block(h, last);
    if (end == 128) sha_block(h, last + 64);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", h[i]);
}

/* ---- frames */

static bool write_frame(int fd, const char *json, size_t len) {
    char frame[FRAME_MAX];
    int head = snprintf(frame, sizeof frame, "\n%08x ", crc32_of(json, len));
    if ((size_t)head + len + 1 > sizeof frame) {
        errno = EMSGSIZE;
        return false;
    }
    memcpy(frame + head, json, len);
    frame[(size_t)head + len] = '\n';
    ssize_t total = head + (ssize_t)len + 1, n;
    do n = write(fd, frame, (size_t)total);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && n < total) errno = ENOSPC; /* the torn frame is skipped by readers; what is left is not tried again */
    return n == total;
}

/* JSON inside a JSON string needs two escapes only, since it is ASCII without control characters. */
static bool write_parts(int fd, const struct text *json) {
    enum { PIECE = 1900 }; /* every byte may double, and the part's own keys take some 130 */
    char digest[65];
    sha256_hex(json->at, json->len, digest);
    size_t parts = (json->len + PIECE - 1) / PIECE;
    for (size_t part = 0; part < parts; part++) {
        char line[FRAME_MAX];
        int n = snprintf(line, sizeof line, "{\"v\":1,\"blob\":\"%s\",\"part\":%zu,\"parts\":%zu,\"text\":\"", digest, part, parts);
        size_t at = (size_t)n, end = part + 1 < parts ? (part + 1) * PIECE : json->len;
        for (size_t i = part * PIECE; i < end; i++) {
            if (json->at[i] == '"' || json->at[i] == '\\') line[at++] = '\\';
            line[at++] = json->at[i];
        }
        line[at++] = '"';
        line[at++] = '}';
        if (!write_frame(fd, line, at)) return false;
    }
    return true;
}

bool frame_append(int fd, struct text *json) {
    text_puts(json, "}");
    if (json->failed) {
        errno = ENOMEM;
        return false;
    }
    enum { AROUND = 1 + 8 + 1 + 1 }; /* LF crc32 SP ... LF */
    return json->len + AROUND <= FRAME_MAX ? write_frame(fd, json->at, json->len) : write_parts(fd, json);
}
