/* --capture-output: standard output and error go through pipes, byte for byte to where they went before, and as frames to the
 * node's .out file. What cannot be stored is counted, never waited for. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool output_prepare(struct output *c) {
    for (int i = 0; i < 2; i++) {
        if (pipe2(c->pipes[i], O_CLOEXEC)) return false;
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

/* False when the reader is gone: the application must then see it as well, by SIGPIPE or EPIPE. */
static bool pass_through(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR) return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
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
    while (len > 0) {
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

static void shut(struct output *c, int which) {
    close(c->pipes[which][0]);
    c->open[which] = false;
}

void output_pump(struct output *c, int which, const struct store *s, const struct place *p) {
    char bytes[65536];
    ssize_t n = read(c->pipes[which][0], bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        shut(c, which);
        return;
    }
    keep(c, which, bytes, (size_t)n, s, p);
    if (!pass_through(which + 1, bytes, (size_t)n)) shut(c, which);
}

/* The application has ended: take what is in the pipes. A process that it left behind may go on writing; a copy of this
 * process then passes that on, unrecorded, until it ends. */
void output_finish(struct output *c, const struct store *s, const struct place *p) {
    for (int i = 0; i < 2; i++) {
        struct pollfd ready = {.fd = c->pipes[i][0], .events = POLLIN};
        while (c->open[i] && poll(&ready, 1, 0) == 1) output_pump(c, i, s, p);
    }
    if ((!c->open[0] && !c->open[1]) || fork() != 0) return;
    signal(SIGPIPE, SIG_IGN);
    struct store unrecorded = {.log = -1, .out = -1};
    while (c->open[0] || c->open[1]) {
        struct pollfd fds[2] = {{.fd = c->open[0] ? c->pipes[0][0] : -1, .events = POLLIN}, {.fd = c->open[1] ? c->pipes[1][0] : -1, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents) output_pump(c, i, &unrecorded, p);
    }
    _exit(0);
}
