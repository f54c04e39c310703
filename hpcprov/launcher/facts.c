/* The events that a launcher writes itself: start, env, signal, exit, problem (docs/frames.md). */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_ranked(struct text *t, const char *event, const struct place *p) {
    json_open(t, event);
    json_number(t, "rank", p->rank);
    json_number(t, "pid", getpid());
}

static void json_number_or_null(struct text *t, const char *key, int64_t value) {
    if (value >= 0) json_number(t, key, value);
    else json_named(t, key, NULL);
}

static void json_bool(struct text *t, const char *key, bool value) {
    json_key(t, key);
    text_puts(t, value ? "true" : "false");
}

/* Names of what execve(2) says; strerrorname_np is younger than the C libraries of many clusters. */
static const char *errno_name(int error) {
    static const struct {
        int error;
        const char *name;
    } names[] = {{ENOENT, "ENOENT"}, {EACCES, "EACCES"}, {ENOEXEC, "ENOEXEC"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {E2BIG, "E2BIG"},
                 {ENOMEM, "ENOMEM"}, {ELOOP, "ELOOP"}, {ETXTBSY, "ETXTBSY"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {EIO, "EIO"}, {EPERM, "EPERM"},
                 {EAGAIN, "EAGAIN"}, {ENFILE, "ENFILE"}, {EMFILE, "EMFILE"}, {EINVAL, "EINVAL"}, {ELIBBAD, "ELIBBAD"}, {EFAULT, "EFAULT"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error) return names[i].name;
    return "unknown error";
}

static bool append(int fd, struct text *t) {
    bool written = frame_append(fd, t);
    int error = errno;
    text_free(t);
    errno = error;
    return written;
}

static void json_argv(struct text *t, char *const *argv) {
    bool secret = false;
    json_key(t, "argv");
    text_puts(t, "[");
    for (size_t i = 0; argv[i]; i++) {
        struct text argument = {0};
        redact_word(&argument, argv[i], &secret);
        if (i) text_puts(t, ",");
        json_bytes(t, argument.at ? argument.at : "", argument.len);
        t->failed |= argument.failed;
        text_free(&argument);
    }
    text_puts(t, "]");
}

static void json_tags(struct text *t, char *const *tags, size_t count) {
    json_key(t, "tags");
    text_puts(t, "{");
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(tags[i], '=');
        if (i) text_puts(t, ",");
        struct text scrubbed = {0};
        bool secret = false;
        redact_word(&scrubbed, tags[i], &secret);
        json_bytes(t, tags[i], (size_t)(equals - tags[i]));
        text_puts(t, ":");
        json_string(t, scrubbed.at && strchr(scrubbed.at, '=') ? strchr(scrubbed.at, '=') + 1 : "***");
        t->failed |= scrubbed.failed;
        text_free(&scrubbed);
    }
    text_puts(t, "}");
}

/* HPCPROV_RUN=<run-id>/<rank> is what an outer launcher left for us; anything else is somebody else's. */
static bool parent_of(const char *outer, char id[RUN_ID_MAX + 16], const char **rank) {
    const char *slash = outer ? strrchr(outer, '/') : NULL, *why;
    if (!slash || (size_t)(slash - outer) >= RUN_ID_MAX + 16) return false;
    memcpy(id, outer, (size_t)(slash - outer));
    id[slash - outer] = 0;
    *rank = slash + 1;
    size_t digits = strspn(*rank, "0123456789");
    return run_id_valid(id, &why) && digits > 0 && digits < 10 && (*rank)[digits] == 0;
}

static void json_parent(struct text *t) {
    char id[RUN_ID_MAX + 16];
    const char *rank;
    json_key(t, "parent");
    if (!parent_of(getenv("HPCPROV_RUN"), id, &rank)) {
        text_puts(t, "null");
        return;
    }
    text_puts(t, "{\"run\":");
    json_string(t, id);
    text_printf(t, ",\"rank\":%d}", atoi(rank));
}

/* Free text may hold a secret as well. Paths are not scrubbed: `key=7` in a path is a partition, and the path must be found again. */
static void json_scrubbed(struct text *t, const char *key, const char *s) {
    struct text scrubbed = {0};
    bool secret = false;
    if (s) redact_word(&scrubbed, s, &secret);
    json_named(t, key, s ? (scrubbed.at ? scrubbed.at : "") : NULL);
    t->failed |= scrubbed.failed;
    text_free(&scrubbed);
}

static bool write_start(const struct store *s, const struct place *p, const struct options *o) {
    struct text t = {0};
    char *cwd = getcwd(NULL, 0), mask[8];
    mode_t umask_now = umask(0);
    umask(umask_now);
    snprintf(mask, sizeof mask, "%04o", (unsigned)umask_now & 07777u);
    open_ranked(&t, "start", p);
    json_named(&t, "run", p->run_id);
    json_number(&t, "n", p->n);
    json_named(&t, "node", p->node);
    json_named(&t, "host", p->host);
    json_named(&t, "boot_id", p->boot_id);
    json_named(&t, "pid_ns", p->pid_ns);
    json_number(&t, "ticks", p->ticks);
    json_named(&t, "launch", p->launch);
    json_number(&t, "launch_time", p->launch_time);
    json_named(&t, "launcher", p->launcher);
    json_number_or_null(&t, "size", p->size);
    json_number_or_null(&t, "local_rank", p->local_rank);
    json_number_or_null(&t, "local_size", p->local_size);
    json_number_or_null(&t, "nodes", p->nodes);
    json_argv(&t, o->command);
    json_named(&t, "cwd", cwd);
    json_named(&t, "umask", mask);
    json_number(&t, "uid", getuid());
    json_number(&t, "gid", getgid());
    json_scrubbed(&t, "name", o->name);
    json_scrubbed(&t, "note", o->note);
    json_tags(&t, o->tags, o->n_tags);
    json_list(&t, "inputs", o->inputs, o->n_inputs);
    json_list(&t, "outputs", o->outputs, o->n_outputs);
    json_parent(&t);
    json_named(&t, "hash", o->hash);
    if (o->stats) json_bool(&t, "stats", true);
    if (o->embed) json_bool(&t, "embed", true);
    if (o->n_constraints) json_list(&t, "constraints", o->constraints, o->n_constraints);
    json_named(&t, "forward", o->forward);
    json_bool(&t, "capture_output", o->capture_output);
    json_bool(&t, "agent", !o->no_agent);
    json_named(&t, "observe", o->observe);
    json_named(&t, "hpcprov", HPCPROV_VERSION);
    json_named(&t, "clock", "CLOCK_REALTIME");
    free(cwd);
    return append(s->log, &t);
}

static bool write_env(const struct store *s, const struct place *p) {
    struct text t = {0};
    bool first = true;
    open_ranked(&t, "env", p);
    json_key(&t, "env");
    text_puts(&t, "{");
    for (char **e = environ; *e; e++) {
        if (!redact_env_allowed(*e)) continue;
        struct text scrubbed = {0};
        bool secret = false;
        redact_word(&scrubbed, *e, &secret); /* an allowed variable may still hold a URL with a password */
        char *equals = scrubbed.at ? strchr(scrubbed.at, '=') : NULL;
        if (equals) {
            if (!first) text_puts(&t, ",");
            first = false;
            json_bytes(&t, scrubbed.at, (size_t)(equals - scrubbed.at));
            text_puts(&t, ":");
            json_string(&t, equals + 1);
        }
        t.failed |= scrubbed.failed;
        text_free(&scrubbed);
    }
    text_puts(&t, "}");
    return append(s->log, &t);
}

bool facts_start(const struct store *s, const struct place *p, const struct options *o) {
    if (!write_start(s, p, o)) return false;
    if (!write_env(s, p)) {
        say("the environment is not recorded: %s", strerror(errno));
        facts_problem(s, p, "the environment could not be written");
    }
    if (p->alone) facts_problem(s, p, "which launch this rank belongs to cannot be told here: it has a record of its own");
    return true;
}

bool facts_exit(const struct store *s, const struct place *p, int status, int exec_errno, int64_t duration, const struct rusage *u,
                uint64_t lost_output, int64_t oom_kills) {
    struct text t = {0};
    open_ranked(&t, "exit", p);
    json_number_or_null(&t, "code", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    json_number_or_null(&t, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    json_bool(&t, "core", WIFSIGNALED(status) && WCOREDUMP(status));
    json_number(&t, "duration", duration);
    json_named(&t, "error", exec_errno ? errno_name(exec_errno) : NULL);
    json_key(&t, "rusage");
    text_printf(&t, "{\"utime\":%lld.%06ld,\"stime\":%lld.%06ld", (long long)u->ru_utime.tv_sec, (long)u->ru_utime.tv_usec,
                (long long)u->ru_stime.tv_sec, (long)u->ru_stime.tv_usec);
    json_number(&t, "maxrss", u->ru_maxrss);
    json_number(&t, "minflt", u->ru_minflt);
    json_number(&t, "majflt", u->ru_majflt);
    json_number(&t, "inblock", u->ru_inblock);
    json_number(&t, "oublock", u->ru_oublock);
    json_number(&t, "nvcsw", u->ru_nvcsw);
    json_number(&t, "nivcsw", u->ru_nivcsw);
    text_puts(&t, "}");
    if (lost_output) json_number(&t, "lost_output", (int64_t)lost_output);
    if (oom_kills) json_number(&t, "oom_kills", oom_kills);
    return append(s->log, &t);
}

void facts_signal(const struct store *s, const struct place *p, int signo, int from_pid, int from_uid, bool forwarded) {
    struct text t = {0};
    open_ranked(&t, "signal", p);
    json_number(&t, "signal", signo);
    json_number(&t, "from_pid", from_pid);
    json_number(&t, "from_uid", from_uid);
    json_bool(&t, "forwarded", forwarded);
    append(s->log, &t);
}

void facts_problem(const struct store *s, const struct place *p, const char *text) {
    struct text t = {0};
    open_ranked(&t, "problem", p);
    json_named(&t, "node", p->node);
    json_named(&t, "text", text);
    append(s->log, &t);
}
