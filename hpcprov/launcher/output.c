/* --capture-output: standard output and error go through pipes, byte for byte to where they went before, and as frames to the
 * node's .out file. What cannot be stored is counted, never waited for; and a reader that stalls keeps the application
 * waiting, as it would without hpcprov, but not the launcher: signals must go through. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { OUTPUT_ROOM = 65536 };

bool output_prepare(struct output *c) {
    for (int i = 0; i < 2; i++) {
        if (!(c->waiting[i] = malloc(OUTPUT_ROOM)) || pipe2(c->pipes[i], O_CLOEXEC)) return false;
        for (int end = 0; end < 2; end++)
            if ((c->pipes[i][end] = fd_above_stdio(c->pipes[i][end])) < 0) return false;
        c->open[i] = true;
    }
    return true;
}

void output_in_child(const struct output *c) {
    dup2(c->pipes[0][1], STDOUT_FILENO);
    dup2(c->pipes[1][1], STDERR_FILENO);
}

void output_in_parent(struct output *c) {
    for (int i = 0; i < 2; i++) close(c->pipes[i][1]);
}

static bool waits(const struct output *c, int which) { return c->from[which] < c->to[which]; }

/* First to where it went before, then more of it. */
void output_wants(const struct output *c, struct pollfd fds[2]) {
    for (int i = 0; i < 2; i++) {
        fds[i] = (struct pollfd){.fd = c->open[i] ? c->pipes[i][0] : -1, .events = POLLIN};
        if (c->open[i] && waits(c, i)) fds[i] = (struct pollfd){.fd = i + 1, .events = POLLOUT};
    }
}

static void shut(struct output *c, int which) {
    close(c->pipes[which][0]);
    c->open[which] = false;
    c->from[which] = c->to[which] = 0;
}

/* A pipe that is ready takes this much without blocking. When its reader is gone, the application must see that as well. */
static void pass_on(struct output *c, int which) {
    size_t left = c->to[which] - c->from[which];
    ssize_t n = write(which + 1, c->waiting[which] + c->from[which], left < PIPE_BUF ? left : PIPE_BUF);
    if (n >= 0) c->from[which] += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR) shut(c, which);
}

/* One frame's worth of bytes at a time: a byte may take six characters in JSON. */
static size_t frame_piece(struct text *t, const char *bytes, size_t len) {
    size_t taken = 0, written = 0, used;
    char out[12];
    text_puts(t, "\"");
    while (taken < len && written < FRAME_MAX - 300) {
        size_t n = json_escape(bytes + taken, len - taken, out, &used);
        text_add(t, out, n);
        taken += used;
        written += n;
    }
    text_puts(t, "\"");
    return taken;
}

static void keep(struct output *c, int which, const char *bytes, size_t len, const struct store *s, const struct place *p) {
    while (s && len > 0) {
        struct text t = {0};
        json_open(&t, "output");
        json_number(&t, "rank", p->rank);
        json_number(&t, "pid", getpid());
        json_number(&t, "stream", which + 1);
        json_key(&t, "data");
        size_t taken = frame_piece(&t, bytes, len);
        if (s->out < 0 || !frame_append(s->out, &t)) c->lost += taken;
        text_free(&t);
        bytes += taken;
        len -= taken;
    }
}

static void take_in(struct output *c, int which, const struct store *s, const struct place *p) {
    ssize_t n = read(c->pipes[which][0], c->waiting[which], OUTPUT_ROOM);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        shut(c, which);
        return;
    }
    c->from[which] = 0;
    c->to[which] = (size_t)n;
    keep(c, which, c->waiting[which], (size_t)n, s, p);
}

void output_turn(struct output *c, const struct pollfd fds[2], const struct store *s, const struct place *p) {
    for (int i = 0; i < 2; i++) {
        if (!c->open[i] || !fds[i].revents) continue;
        if (waits(c, i)) pass_on(c, i);
        else take_in(c, i, s, p);
    }
}

static bool anything_left(const struct output *c, const size_t budget[2]) {
    for (int i = 0; i < 2; i++)
        if (c->open[i] && (waits(c, i) || budget[i] > 0)) return true;
    return false;
}

static void be_pump(struct output *c) {
    int kept[] = {1, 2, c->open[0] ? c->pipes[0][0] : -1, c->open[1] ? c->pipes[1][0] : -1};
    close_all_but(kept, 4);
    signals_restore();
    signal(SIGPIPE, SIG_IGN);
    while (c->open[0] || c->open[1]) {
        struct pollfd fds[2];
        output_wants(c, fds);
        if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
        output_turn(c, fds, NULL, NULL);
    }
    _exit(0);
}

/* Whether the signals that wait tell of nothing but ended children, the application's own end most of all. */
static bool only_children(int signals) {
    struct signalfd_siginfo si;
    while (read(signals, &si, sizeof si) == (ssize_t)sizeof si)
        if (si.ssi_signo != SIGCHLD) return false;
    return true;
}

/* The application has ended: take what was in the pipes then. A process that it left behind may go on writing, and a reader may
 * stall; a copy of this process then passes on the rest, unrecorded, while this one ends. */
void output_finish(struct output *c, int signals, const struct store *s, const struct place *p) {
    size_t budget[2] = {0, 0};
    for (int i = 0, bytes = 0; i < 2; i++)
        if (c->open[i] && !ioctl(c->pipes[i][0], FIONREAD, &bytes) && bytes > 0) budget[i] = (size_t)bytes;
    while (anything_left(c, budget)) {
        struct pollfd fds[3] = {{.fd = -1}, {.fd = -1}, {.fd = signals, .events = POLLIN}};
        output_wants(c, fds);
        for (int i = 0; i < 2; i++)
            if (!waits(c, i) && !budget[i]) fds[i].fd = -1;
        if ((poll(fds, 3, -1) < 0 && errno != EINTR) || (fds[2].revents && !only_children(signals))) break;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents && !waits(c, i)) budget[i] = 0; /* one reading takes all that a pipe held */
        output_turn(c, fds, s, p);
    }
    if ((c->open[0] || c->open[1]) && fork() == 0) be_pump(c);
    for (int i = 0; i < 2; i++)
        if (c->open[i]) close(c->pipes[i][0]);
}
