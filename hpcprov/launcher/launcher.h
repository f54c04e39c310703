/* hpcprov exec: the launcher. One per rank, native, static; see docs/launcher.md.
 *
 * Files, in the order in which a run passes through them:
 *   main.c         the verb: exec is served here, every other is handed to Python (handover.c)
 *   options.c      the command line of exec
 *   site.c         what the site's configuration file says
 *   place.c        which rank of which launch is this: tables of launcher variables, the run id
 *   store.c        where .hpcprov is; the run's directory and the node's log
 *   facts.c        the start, env and exit events (redact.c decides what of argv and environment may be told)
 *   frame.c        JSON, checksums, frames
 *   command.c      which file the command is
 *   area.c         the node's event area: where observed processes write
 *   program.c      the application's own entry there, where it does not write that itself
 *   streams.c      files that it has as standard input, output and error
 *   preload.c      the observer library in the application's environment (containers.h: in a container's)
 *   notify/        watching by the kernel instead (--observe notify)
 *   run.c          start the application, pass signals on, wait, end as it ended
 *   memory.c       how many processes the out-of-memory killer ended meanwhile
 *   sentinel.c     which signals the application did not get itself
 *   stop.c         stopping with the application
 *   descriptors.c  which descriptors stay open
 *   output.c       --capture-output
 *   audit.c        --audit python: which code of its user's own a Python program runs
 *   agent.c        election of the node's agent; what it is told at the end
 */
#ifndef HPCPROV_LAUNCHER_H
#define HPCPROV_LAUNCHER_H

#include "area.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define EXIT_USAGE 125 /* as in env(1), nohup(1) and timeout(1): the wrapper itself refused */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

#define FRAME_MAX 4096
#define RUN_ID_MAX 128

/* ---- frame.c */
struct text { /* a growing byte string; `failed` stays set when memory ran out */
    char *at;
    size_t len, room;
    bool failed;
};
void text_add(struct text *t, const char *bytes, size_t len);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);
void json_key(struct text *t, const char *key);
void json_bytes(struct text *t, const char *bytes, size_t len);
void json_string(struct text *t, const char *s); /* NULL gives null */
void json_number(struct text *t, const char *key, int64_t value);
void json_named(struct text *t, const char *key, const char *s);
void json_list(struct text *t, const char *key, char *const *items, size_t count);
void json_open(struct text *t, const char *event); /* {"v":1,"event":...,"time":...,"boot":... */
bool frame_append(int fd, struct text *json);      /* closes the object, writes it as one frame or as parts; errno on failure */
size_t json_escape(const char *bytes, size_t len, char out[12], size_t *used);
void sha256_hex(const void *data, size_t len, char hex[65]);
int64_t clock_ns(int clock);
void nap(int64_t ns); /* less than a second; a signal ends it early */

/* ---- options.c */
struct options {
    char **command; /* NULL-terminated */
    char **inputs, **outputs, **tags, **constraints;
    size_t n_inputs, n_outputs, n_tags, n_constraints;
    const char *name, *note, *run_id, *forward, *hash;
    const char *observe; /* preload, notify, off; never NULL after options_settle */
    const char *audit;   /* python, off, or NULL: not said */
    bool capture_output, no_agent, audits, stats, embed;
};
bool options_off(void);                     /* HPCPROV=off */
int options_parse(char **argv, struct options *o); /* -1: go on; else the exit status to end with */
const char *options_clash(const struct options *o); /* which two words of the command line exclude each other, or NULL */
const char *options_settle(struct options *o); /* what was not given, from the environment and the site; what is wrong with those, or NULL */
bool run_id_valid(const char *id, const char **why);

/* ---- site.c */
bool site_value(const char *key, char *into, size_t room); /* from HPCPROV_CONFIG, else /etc/hpcprov.conf: lines `key = value` */

/* ---- place.c */
struct place {
    char node[256], host[65], boot_id[40], pid_ns[64];
    const char *launcher; /* openmpi, mpich, mvapich, pmix, slurm, none */
    int64_t rank, size, local_rank, local_size, nodes; /* -1: not known */
    char run_id[RUN_ID_MAX + 16];
    char launch[48]; /* <ticks>-<pid> of the launching process */
    int64_t launch_time, ticks; /* ns since the epoch; own start in clock ticks since boot */
    int n;
    bool alone; /* a rank of a launch that nothing here names */
};
void place_find(struct place *p, const char *given_run_id);

/* ---- store.c */
struct store {
    int log, out;     /* descriptors, -1: none */
    char *root;       /* .../.hpcprov, absolute */
    char *log_path, *out_path;
    bool local_only;  /* on a file system that other nodes are unlikely to see */
};
bool store_open(struct store *s, const struct place *p, bool want_out); /* false: said why */
bool read_small_file(const char *path, char *into, size_t room);

/* ---- descriptors.c */
int fd_above_stdio(int fd);                   /* moves a descriptor out of 0..2, close-on-exec; -1 on failure */
void close_all_but(int *kept, size_t count); /* sorts kept; negative numbers in it are none */

/* ---- facts.c */
bool facts_start(const struct store *s, const struct place *p, const struct options *o);
bool facts_exit(const struct store *s, const struct place *p, int status, int exec_errno, int64_t duration,
                const struct rusage *usage, uint64_t lost_output, int64_t oom_kills);
void facts_signal(const struct store *s, const struct place *p, int signo, int from_pid, int from_uid, bool forwarded);
void facts_problem(const struct store *s, const struct place *p, const char *text);

/* ---- redact.c */
bool redact_env_allowed(const char *assignment);
void redact_word(struct text *out, const char *word, bool *secret);

/* ---- area.c */
#define LIBRARY_NAME "libhpcprov-observe.so"
struct area {
    int fd;                      /* -1: nothing is observed */
    char *spool;                 /* its directory, absolute */
    char *library;               /* what is preloaded */
    char *outer, *outer_library; /* what a run that this one is part of had put into our environment; NULL: nothing */
};
struct memory;
bool area_open(struct area *a, const struct store *s, const struct memory *m); /* false: errno */
void area_release(const struct area *a);               /* it is the agent's now; the last launcher removes its name */
void area_remove(const struct area *a);                /* unless somebody still uses it */

/* ---- preload.c */
void preload_take(struct area *a); /* an outer run's variables out of our environment */
bool preload_find(struct area *a); /* the library, as ld.so can load it */
void preload_in_child(const struct area *a, const struct place *p, const char *program, char *const *argv);

/* ---- program.c */
uint32_t program_tell(const struct area *a, const struct place *p, const char *path, char *const *argv, enum area_blind blind); /* its number */
void program_not_run(void); /* what was told could not be executed */
void program_ended(const struct area *a, const struct place *p, pid_t application, int status);

/* ---- streams.c */
void streams_tell(const struct area *a, const struct place *p);

/* ---- notify/ */
const char *notify_refused(const char *command);                          /* why it cannot be, or must not; NULL: it works */
const char *notify_start(const struct place *p, const struct area *a);    /* before the fork; NULL: done; else why not */
void notify_in_child(void);                                               /* the last before the command is executed: its calls are held back from now on */
void notify_in_parent(void);
bool notify_end(void); /* when the application has ended; false: it was not watched */

/* ---- command.c */
bool command_find(const char *word, char *into, size_t room); /* the file that a command is */
void command_execute(char *const *command, const char *found); /* found: NULL, or what command_find gave */

/* ---- agent.c */
struct agent {
    int fd;       /* connection, -1: none */
    bool crowded; /* its queue of connections was full: to be tried again */
};
struct joining { /* what a launcher tells of itself */
    const struct store *store;
    const struct place *place;
    pid_t application;
    int area; /* -1: none */
};
void agent_join(struct agent *a, const struct joining *j);
void agent_try_again(struct agent *a, const struct joining *j);
bool agent_tell_exit(struct agent *a, int status); /* false: it is not there any more */

/* ---- sentinel.c */
struct sentinel {
    pid_t pid; /* -1: there is none */
    struct seen *seen;
    uint32_t accounted[65]; /* by signal number */
    int64_t stopped_at;     /* when the job stopped, until what came meanwhile has been dealt with; 0: it runs */
};
bool sentinel_start(struct sentinel *s);
void sentinel_end(const struct sentinel *s);
bool sentinel_got(struct sentinel *s, int signo); /* this signal was sent to the sentinel, and so to the application, as well */

/* ---- stop.c */
pid_t stop_too(int signo, pid_t application);

/* ---- memory.c */
struct memory {
    char path[600]; /* the file that counts */
    int64_t kills;  /* counted before; -1: nothing counts here */
};
void memory_watch(struct memory *m);
int64_t memory_kills(const struct memory *m); /* since then; 0 also where nothing counts */
uint64_t memory_limit(const struct memory *m); /* bytes that the application and we may use together; UINT64_MAX: any number */

/* ---- run.c */
int run_command(const struct options *o, const struct place *p, struct store *s, struct area *area); /* ends the process as the command ended */
void signals_block(void);   /* from the first write on: a limit or a closed pipe must not kill us */
void signals_restore(void); /* as they were, less what our own writes brought about */
_Noreturn void exec_plain(char **command);

/* ---- output.c */
struct output {
    int pipes[2][2]; /* stdout, stderr: read end, write end */
    bool open[2];
    char *waiting[2]; /* read and not yet passed on: OUTPUT_ROOM bytes, of which [from, to) are left */
    size_t from[2], to[2];
    uint64_t lost;
};

bool output_prepare(struct output *c);
void output_in_child(const struct output *c);
void output_in_parent(struct output *c);
void output_wants(const struct output *c, struct pollfd fds[2]); /* what to wait for */
void output_turn(struct output *c, const struct pollfd fds[2], const struct store *s, const struct place *p);
void output_finish(struct output *c, int signals, const struct store *s, const struct place *p);

/* ---- audit.c */
bool audit_wanted(const char *option, const char *configured); /* the option's word, HPCPROV_PYTHON_AUDIT's, the configuration's */
bool audit_prepare(const char *spool); /* in the child: every Python of the application tells of its own code in <spool>/python.jsonl */

/* ---- handover.c */
bool own_prefix(char *into); /* PATH_MAX bytes: PREFIX, where this is PREFIX/bin/hpcprov */
_Noreturn void handover(char **argv);                /* python -m hpcprov ARGV; ends with 127 when there is none */
void handover_agent(char *const *arguments);          /* returns only on failure */
void warn_when_stale(void);

/* ---- main.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the one line on stderr; later ones are dropped */

extern char **environ;

#endif
