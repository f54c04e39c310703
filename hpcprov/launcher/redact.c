/* What of the environment and of the command line may be told. The tables come from allowlist.txt and secrets.txt in
 * hpcprov/capture; the rules, with the same names, are stated in hpcprov/capture/redact.py, and both are held to tests/capture/scrub_cases.json. */
#define _GNU_SOURCE
#include "launcher.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "allowlist.h" /* made by the build: env_exact, env_prefix, env_never, secret_options, secret_prefixes */

static const char hidden[] = "***";
enum { HIDDEN = sizeof hidden - 1 };
static const char url_ends[] = "/?#\\<>\"' \t\r\n", value_ends[] = "\"'&;,|<>)]} \t\r\n", line_ends[] = "\"'\r\n";
static const char *const query_names[] = {"sig", "signature", "x-amz-signature", "x-goog-signature", NULL};
#define NOWHERE ((size_t)-1)

static bool letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
static bool word_char(char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'; }
static bool one_of(char c, const char *set) { return c && strchr(set, c); }
static bool quote(char c) { return c == '"' || c == '\''; }

static void hide(struct text *t, size_t start, size_t end) {
    struct text whole = {0};
    text_add(&whole, t->at, start);
    text_add(&whole, hidden, HIDDEN);
    text_add(&whole, t->at + end, t->len - end);
    whole.failed |= t->failed;
    text_free(t);
    *t = whole;
}

static size_t find(const struct text *t, const char *what, size_t from) {
    char *at = from <= t->len ? memmem(t->at + from, t->len - from, what, strlen(what)) : NULL;
    return at ? (size_t)(at - t->at) : NOWHERE;
}

static size_t run_end(const struct text *t, size_t start) {
    while (start < t->len && word_char(t->at[start])) start++;
    return start;
}

static size_t run_start(const struct text *t, size_t end) {
    while (end > 0 && word_char(t->at[end - 1])) end--;
    return end;
}

static bool ends_word(const char *name, size_t len, size_t place) {
    if (place >= len || !letter(name[place])) return true;
    return islower((unsigned char)name[place - 1]) && isupper((unsigned char)name[place]);
}

static bool is_sensitive(const char *name, size_t len) {
    for (size_t i = 0; env_never[i]; i++)
        for (size_t at = 0, n = strlen(env_never[i]); at + n <= len; at++)
            if (!strncasecmp(name + at, env_never[i], n) && ends_word(name, len, at + n)) return true;
    return false;
}

static void scrub_keys(struct text *t) {
    size_t begin = 0;
    while ((begin = find(t, "-----BEGIN ", begin)) != NOWHERE) {
        size_t header = find(t, "PRIVATE KEY-----", begin);
        if (header == NOWHERE) return;
        size_t end = find(t, "-----END ", header), tail = end == NOWHERE ? NOWHERE : find(t, "-----", end + strlen("-----END "));
        hide(t, begin, tail == NOWHERE ? t->len : tail + 5);
    }
}

static void scrub_url(struct text *t) {
    for (size_t place = 0; (place = find(t, "://", place)) != NOWHERE; place += 3) {
        size_t start = place + 3, end = start, at = NOWHERE, scheme = run_start(t, place);
        for (; end < t->len && !one_of(t->at[end], url_ends); end++)
            if (t->at[end] == '@') at = end;
        if (at == NOWHERE) continue;
        bool web = (place - scheme >= 4 && !strncasecmp(t->at + place - 4, "http", 4)) || (place - scheme >= 5 && !strncasecmp(t->at + place - 5, "https", 5));
        if (web || memchr(t->at + start, ':', at - start)) hide(t, start, at);
    }
}

static bool names_secret(const struct text *t, size_t place) {
    bool quoted = place > 0 && quote(t->at[place - 1]);
    if (t->at[place] == ':' && !quoted && t->at[place + 1] != ' ') return false;
    size_t end = quoted ? place - 1 : place, start = run_start(t, end), len = end - start;
    bool in_query = start > 0 && one_of(t->at[start - 1], "?&");
    bool signature = false;
    for (size_t i = 0; query_names[i]; i++) signature |= len == strlen(query_names[i]) && !strncasecmp(t->at + start, query_names[i], len);
    return is_sensitive(t->at + start, len) || (in_query && signature);
}

/* What is in quotes at `start`, or else all up to one of the `ends`. */
static void word_span(const struct text *t, size_t *start, size_t *end, const char *ends) {
    char opening = t->at[*start];
    if (quote(opening)) ++*start;
    for (*end = *start; *end < t->len && !(quote(opening) ? t->at[*end] == opening : one_of(t->at[*end], ends));) ++*end;
}

static void value_span(const struct text *t, size_t place, size_t *start, size_t *end) {
    bool colon = t->at[place] == ':';
    *start = place + 1;
    while (colon && t->at[*start] == ' ') ++*start;
    word_span(t, start, end, colon ? line_ends : value_ends);
}

static void scrub_assignments(struct text *t) {
    for (size_t place = 0; place < t->len; place++) {
        if (!one_of(t->at[place], "=:") || !names_secret(t, place)) continue;
        size_t start, end;
        value_span(t, place, &start, &end);
        if (end <= start) continue;
        hide(t, start, end);
        place = start + HIDDEN - 1;
    }
}

static void scrub_tokens(struct text *t) {
    for (size_t i = 0; secret_prefixes[i].prefix; i++) {
        size_t n = strlen(secret_prefixes[i].prefix);
        for (size_t place = 0; (place = find(t, secret_prefixes[i].prefix, place)) != NOWHERE; place++) {
            if (place > 0 && letter(t->at[place - 1])) continue;
            size_t end = run_end(t, place + n);
            if (end - place - n >= secret_prefixes[i].least) hide(t, place, end);
        }
    }
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

static void scrub_options(struct text *t) {
    if (!t->len || !memchr(t->at, '-', t->len) || !(memchr(t->at, ' ', t->len) || memchr(t->at, '\t', t->len))) return;
    for (size_t i = 0; secret_options[i]; i++) {
        size_t n = strlen(secret_options[i]);
        for (size_t place = 0; (place = find(t, secret_options[i], place)) != NOWHERE; place += n) {
            size_t start = place + n, end;
            while (start < t->len && blank(t->at[start])) start++;
            if (start == place + n || start == t->len || t->at[start] == '-' || (place > 0 && word_char(t->at[place - 1]))) continue;
            word_span(t, &start, &end, value_ends);
            if (end > start) hide(t, start, end);
        }
    }
}

static bool token_char(char c) { return word_char(c) || one_of(c, "~+/="); }

/* Whether a word is no word of a language: very long, or long with a digit in it. */
static bool is_token(const char *word, size_t len) {
    bool digit = false;
    for (size_t i = 0; i < len; i++) digit |= word[i] >= '0' && word[i] <= '9';
    return len >= 20 || (len >= 8 && digit);
}

static void scrub_bearers(struct text *t) {
    static const char *const schemes[] = {"Bearer", "bearer", "BEARER", NULL};
    for (size_t i = 0; schemes[i]; i++) {
        size_t n = strlen(schemes[i]);
        for (size_t place = 0; (place = find(t, schemes[i], place)) != NOWHERE; place += n) {
            size_t start = place + n, end;
            while (start < t->len && blank(t->at[start])) start++;
            for (end = start; end < t->len && token_char(t->at[end]);) end++;
            if (start == place + n || (place > 0 && word_char(t->at[place - 1]))) continue;
            if (is_token(t->at + start, end - start)) hide(t, start, end);
        }
    }
}

static void scrub_word(struct text *t) {
    size_t end = run_end(t, 0);
    if (end + 1 < t->len && t->at[end] == '=' && is_sensitive(t->at, end)) {
        hide(t, end + 1, t->len);
        return;
    }
    scrub_keys(t);
    scrub_url(t);
    scrub_assignments(t);
    scrub_tokens(t);
    scrub_options(t);
    scrub_bearers(t);
}

static bool secret_option(const char *word) {
    for (size_t i = 0; secret_options[i]; i++)
        if (!strcmp(word, secret_options[i])) return true;
    return false;
}

/* The scrubbed word; *secret says whether it is the value of the option before it, and then whether the next one is its value. */
void redact_word(struct text *out, const char *word, bool *secret) {
    bool value = *secret && strncmp(word, "--", 2) != 0;
    *secret = secret_option(word) && !value;
    text_puts(out, value ? hidden : word);
    if (!value && !out->failed) scrub_word(out);
}

static bool holds_never(const char *name, size_t len) {
    for (size_t i = 0; env_never[i]; i++)
        for (size_t at = 0, n = strlen(env_never[i]); at + n <= len; at++)
            if (!strncasecmp(name + at, env_never[i], n)) return true;
    return false;
}

bool redact_env_allowed(const char *assignment) {
    const char *equals = strchr(assignment, '=');
    size_t len = equals ? (size_t)(equals - assignment) : 0;
    if (!len || holds_never(assignment, len)) return false;
    for (size_t i = 0; env_exact[i]; i++)
        if (strlen(env_exact[i]) == len && !memcmp(env_exact[i], assignment, len)) return true;
    for (size_t i = 0; env_prefix[i]; i++)
        if (strlen(env_prefix[i]) <= len && !memcmp(env_prefix[i], assignment, strlen(env_prefix[i]))) return true;
    return false;
}
