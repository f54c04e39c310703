/* Start the application, pass on the signals that it did not get itself, wait, end as it ended.
 *
 * All signals are blocked here and read from a descriptor, so that inherited dispositions stay as they are for the application.
 * Which signals the application did not get itself is for sentinel.c to tell.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SIGNAL_EVENTS = 16, FIRST_ANSWER_MS = 5000, OTHER_NODES_MS = 10000, HASHING_MS = 60000, SLACK_MS = 5000, TOLD_MS = 30000, RETRY_MS = 50 };

struct watch {
    const struct options *options;
    const struct place *place;
    struct store *store;
    struct area *area;
    bool watched;              /* by the kernel: notify/ */
    struct output output;
    struct agent agent;
    int signals;               /* signalfd */
    pid_t application;
    struct sentinel sentinel;
    pid_t waker;               /* who may have continued us last */
    struct memory memory;
    int signal_events;
    int64_t told_to_end;       /* when TERM, INT, HUP, ... arrived last, CLOCK_BOOTTIME, ns; 0: never */
    bool ended;
    int subreaper;
    int status, exec_errno;
    struct rusage usage;
    int64_t started, duration; /* CLOCK_BOOTTIME, ns */
};

static const char NO_NEW_PRIVILEGES[] = "observed by seccomp notification: no_new_privs was set, so set-user-id programs had no privileges of their own, and "
                                        "results of calls are not known: what failed may be listed";

static sigset_t mask_before;
static struct sigaction chld_before;
static bool blocked;

void signals_block(void) {
    sigset_t all;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask_before);
    sigaction(SIGCHLD, &standard, &chld_before); /* inherited as ignored, it would keep the status from us */
    blocked = true;
}

void signals_restore(void) {
    if (!blocked) return;
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGXFSZ);
    sigaddset(&own, SIGPIPE);
    while (sigtimedwait(&own, NULL, &(struct timespec){0}) > 0) continue;
    sigaction(SIGCHLD, &chld_before, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* ---- signals */

/* What a terminal sends to its foreground group, and never to one process. */
static bool by_terminal(const struct signalfd_siginfo *si) {
    static const int kinds[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH};
    for (size_t i = 0; si->ssi_code == SI_KERNEL && i < sizeof kinds / sizeof *kinds; i++)
        if ((int)si->ssi_signo == kinds[i]) return true;
    return false;
}

static bool is_own(const struct watch *w, const struct signalfd_siginfo *si) {
    return si->ssi_pid == (uint32_t)getpid() || (si->ssi_signo == SIGCONT && si->ssi_pid == (uint32_t)w->waker);
}

static bool should_forward(struct watch *w, const struct signalfd_siginfo *si) {
    if (w->ended || is_own(w, si) || by_terminal(si) || !strcmp(w->options->forward, "never")) return false;
    if (!strcmp(w->options->forward, "always") || w->sentinel.pid <= 0) return true;
    return !sentinel_got(&w->sentinel, (int)si->ssi_signo);
}

static void forward(const struct watch *w, const struct signalfd_siginfo *si) {
    union sigval value = {.sival_ptr = (void *)(uintptr_t)si->ssi_ptr};
    if (si->ssi_code == SI_QUEUE) sigqueue(w->application, (int)si->ssi_signo, value);
    else kill(w->application, (int)si->ssi_signo);
}

static void take_signal(struct watch *w, const struct signalfd_siginfo *si) {
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU};
    int signo = (int)si->ssi_signo;
    if (signo == SIGCHLD && si->ssi_code > 0) return; /* a child of ours: see reap */
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (signo == ending[i]) w->told_to_end = clock_ns(CLOCK_BOOTTIME);
    bool pass = should_forward(w, si);
    if (pass) forward(w, si);
    if (signo != SIGWINCH && !is_own(w, si) && w->signal_events++ < MAX_SIGNAL_EVENTS)
        facts_signal(w->store, w->place, signo, (int)si->ssi_pid, (int)si->ssi_uid, pass);
}

static void reap(struct watch *w) {
    int status;
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage)) > 0) { /* orphans as well, where we are process 1 */
        if (pid == w->sentinel.pid && !WIFSTOPPED(status)) w->sentinel.pid = -1;
        if (pid != w->application) continue;
        if (WIFSTOPPED(status)) {
            w->sentinel.stopped_at = clock_ns(CLOCK_MONOTONIC);
            w->waker = stop_too(WSTOPSIG(status), w->application);
            continue;
        }
        w->ended = true;
        w->status = status;
        w->usage = usage;
        w->duration = clock_ns(CLOCK_BOOTTIME) - w->started;
    }
}

static void read_signals(struct watch *w) {
    struct signalfd_siginfo si;
    while (read(w->signals, &si, sizeof si) == (ssize_t)sizeof si) take_signal(w, &si);
    w->sentinel.stopped_at = 0; /* what came while we were stopped has been dealt with */
    reap(w);
}

/* ---- the application */

static int status_of(int exec_errno) { return exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE; }

_Noreturn void exec_plain(char **command) {
    signals_restore();
    execvp(command[0], command);
    int error = errno;
    say("cannot run `%s`: %s", command[0], strerror(error));
    exit(status_of(error));
}

static _Noreturn void be_application(struct watch *w, int report, pid_t launcher) {
    char own[RUN_ID_MAX + 40], found[PATH_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* without hpcprov, kill -9 of this process would have killed the command */
    if (getppid() != launcher) _exit(127);
    snprintf(own, sizeof own, "%s/%lld", w->place->run_id, (long long)w->place->rank);
    if (setenv("HPCPROV_RUN", own, 1)) errno = 0; /* out of memory: a nested run then misses its parent */
    if (w->options->capture_output) output_in_child(&w->output);
    if (w->subreaper) prctl(PR_SET_CHILD_SUBREAPER, 1); /* lost by fork, kept by exec */
    const char *program = command_find(w->options->command[0], found, sizeof found) ? found : NULL;
    if (!w->watched) preload_in_child(w->area, w->place, program, w->options->command);
    if (w->area->fd >= 0 && w->options->audits) audit_prepare(w->area->spool);
    if (w->watched) notify_in_child();
    signals_restore();
    command_execute(w->options->command, program);
    int error = errno;
    program_not_run();
    if (write(report, &error, sizeof error) < 0) _exit(127);
    _exit(status_of(error));
}

static bool start_application(struct watch *w) {
    int report[2];
    if (pipe2(report, O_CLOEXEC)) return false;
    int read_end = fd_above_stdio(report[0]), write_end = fd_above_stdio(report[1]);
    pid_t launcher = getpid();
    w->started = clock_ns(CLOCK_BOOTTIME);
    w->application = read_end >= 0 && write_end >= 0 ? fork() : -1;
    if (w->application == 0) be_application(w, write_end, launcher);
    close(write_end);
    int error = 0;
    ssize_t n = 0;
    if (w->application > 0)
        do n = read(read_end, &error, sizeof error); /* end-of-file: the program runs */
        while (n < 0 && errno == EINTR);
    close(read_end);
    if (n == (ssize_t)sizeof error) w->exec_errno = error;
    return w->application > 0;
}

static bool prepare(struct watch *w) {
    sigset_t all;
    sigfillset(&all);
    prctl(PR_GET_CHILD_SUBREAPER, &w->subreaper);
    w->signals = fd_above_stdio(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    return w->signals >= 0 && sentinel_start(&w->sentinel) && (!w->options->capture_output || output_prepare(&w->output));
}

/* What the application closes must be closed, since somebody may wait for its end-of-file. So nothing inherited stays open here but stderr, for
 * a last word, what captured output is passed on to, and PMI_FD: when that closes, hydra kills the other ranks and us, and it
 * must neither do so before the exit is written nor after it has reaped this process (then it does not do so at all). */
static void close_inherited(const struct watch *w) {
    const char *pmi = getenv("PMI_FD");
    int own[9] = {2, w->signals, w->store->log, w->store->out, w->area->fd, pmi ? atoi(pmi) : -1}, n = 6;
    for (int i = 0; i < 2 && w->options->capture_output; i++) own[n++] = w->output.pipes[i][0];
    if (w->options->capture_output) own[n++] = 1;
    close_all_but(own, (size_t)n);
}

static struct joining joining(const struct watch *w) {
    return (struct joining){.store = w->store, .place = w->place, .application = w->application, .area = w->area->fd};
}

static void try_agent_again(struct watch *w) {
    struct joining j = joining(w);
    if (w->agent.crowded) agent_try_again(&w->agent, &j);
}

static void wait_for_end(struct watch *w) {
    reap(w);
    while (!w->ended) {
        struct pollfd fds[3] = {{.fd = -1}, {.fd = -1}, {.fd = w->signals, .events = POLLIN}};
        if (w->options->capture_output) output_wants(&w->output, fds);
        if (poll(fds, 3, w->agent.crowded ? RETRY_MS : -1) < 0 && errno != EINTR) break;
        if (w->options->capture_output) output_turn(&w->output, fds, w->store, w->place);
        if (fds[2].revents) read_signals(w);
        try_agent_again(w);
    }
}

/* Told to end, and not long ago: a checkpoint signal of an hour before is no reason to leave without signatures. */
static bool leaving(const struct watch *w) {
    return w->told_to_end && clock_ns(CLOCK_BOOTTIME) - w->told_to_end < TOLD_MS * INT64_C(1000000);
}

static void miss_agent(const struct watch *w) {
    say("the agent of this node did not start or has ended: facts and signatures of this run are not recorded");
    facts_problem(w->store, w->place, "the agent did not start, did not answer or has ended early");
}

/* Only a node's last launcher is asked to wait: the agent then signs and merges. Everybody else is sent away at once. */
static void wait_for_agent(struct watch *w) {
    bool answered = false;
    int64_t now = clock_ns(CLOCK_BOOTTIME), until = now + FIRST_ANSWER_MS * INT64_C(1000000);
    while (!leaving(w) && now < until) {
        struct pollfd fds[2] = {{.fd = w->agent.fd, .events = POLLIN}, {.fd = w->signals, .events = POLLIN}};
        poll(fds, 2, (int)((until - now) / 1000000) + 1);
        if (fds[0].revents) {
            char answer[64];
            ssize_t n = recv(w->agent.fd, answer, sizeof answer, 0);
            if (n <= 0 && !answered) break;
            if (n <= 0 || answer[0] != 'w') return;
            answered = true;
            until = clock_ns(CLOCK_BOOTTIME) + (HASHING_MS + OTHER_NODES_MS + SLACK_MS) * INT64_C(1000000) + w->duration / 10;
        }
        if (fds[1].revents) read_signals(w);
        now = clock_ns(CLOCK_BOOTTIME);
    }
    if (!answered && !leaving(w)) miss_agent(w);
}

static _Noreturn void end_as_it_ended(const struct watch *w) {
    sentinel_end(&w->sentinel);
    if (WIFEXITED(w->status)) _exit(WEXITSTATUS(w->status));
    int signo = WTERMSIG(w->status);
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signo);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* the application's core is the one that matters */
    prctl(PR_SET_DUMPABLE, 0);
    sigaction(signo, &standard, NULL);
    raise(signo);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + signo); /* process 1 of a namespace cannot die of a signal */
}

static bool watch_by_kernel(const struct place *p, const struct store *s, const struct area *area) {
    char why[200];
    const char *wrong = notify_start(p, area);
    snprintf(why, sizeof why, "observed by preload, not by notify as asked: %s", wrong ? wrong : "");
    facts_problem(s, p, wrong ? why : NO_NEW_PRIVILEGES);
    return !wrong;
}

static void drop_area(struct area *area) {
    area_release(area);
    area_remove(area);
    if (area->fd >= 0) close(area->fd);
    area->fd = -1;
}

static bool start(struct watch *w) { return prepare(w) && start_application(w); }

/* Whatever is missing for it: the application runs unobserved, and the record says why. Returns whether the kernel watches. */
static bool prepare_observation(const struct options *o, const struct place *p, const struct store *s, const struct memory *m, struct area *area) {
    char why[200];
    if (!strcmp(o->observe, "off")) return false;
    bool opened = area_open(area, s, m);
    if (opened && !strcmp(o->observe, "notify") && watch_by_kernel(p, s, area)) return true;
    if (!opened) snprintf(why, sizeof why, "not observed: no place for events on this node: %s", strerror(errno));
    else if (!preload_find(area)) snprintf(why, sizeof why, "not observed: no observer library beside the launcher that can be loaded");
    else return false;
    facts_problem(s, p, why);
    drop_area(area);
    return false;
}

int run_command(const struct options *o, const struct place *p, struct store *s, struct area *area) {
    struct watch w = {.options = o, .place = p, .store = s, .area = area, .sentinel = {.pid = -1}, .waker = -1, .agent = {-1}};
    memory_watch(&w.memory);
    w.watched = prepare_observation(o, p, s, &w.memory, area);
    if (area->fd >= 0) streams_tell(area, p);
    bool started = start(&w);
    if (!started && area->fd >= 0 && !w.watched) { /* a record without what was read and written is better than none */
        facts_problem(s, p, "not observed: too few descriptors or processes");
        drop_area(area);
        if (w.signals >= 0) close(w.signals);
        sentinel_end(&w.sentinel);
        w.sentinel = (struct sentinel){.pid = -1};
        started = start(&w);
    }
    if (!started) {
        say("nothing more is recorded: %s", strerror(errno));
        facts_problem(s, p, "the launcher could not watch the command: too few descriptors or processes");
        sentinel_end(&w.sentinel);
        drop_area(area);
        preload_in_child(area, p, NULL, o->command); /* an outer run goes on observing */
        exec_plain(o->command);
    }
    if (w.exec_errno) say("cannot run `%s`: %s", o->command[0], strerror(w.exec_errno));
    if (o->capture_output) output_in_parent(&w.output);
    if (w.watched) notify_in_parent();
    close_inherited(&w);
    struct joining j = joining(&w);
    if (!o->no_agent) agent_join(&w.agent, &j);
    wait_for_end(&w);
    program_ended(area, p, w.application, w.status);
    if (w.watched && !notify_end()) facts_problem(s, p, "not observed: the application could not take on the filter");
    int64_t oom_kills = w.status ? memory_kills(&w.memory) : 0;
    if (!facts_exit(s, p, w.status, w.exec_errno, w.duration, &w.usage, w.output.lost, oom_kills)) say("the end of this run is not recorded: %s", strerror(errno));
    uint64_t lost = w.output.lost;
    if (o->capture_output) output_finish(&w.output, w.signals, s, p);
    if (w.output.lost != lost) facts_problem(s, p, "the last of the captured output could not be stored");
    try_agent_again(&w);
    area_release(area);
    bool well = WIFEXITED(w.status) && WEXITSTATUS(w.status) == 0 && !leaving(&w);
    bool told = agent_tell_exit(&w.agent, w.status);
    if (!told) area_remove(area);
    if (told && well) wait_for_agent(&w);
    else if (!told && well && !o->no_agent) miss_agent(&w);
    end_as_it_ended(&w);
}
