/* The command `hpcprov`: `exec` is served here, natively; every other verb is Python. */
#define _GNU_SOURCE
#include "launcher.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...) {
    static bool said;
    const char *quiet = getenv("HPCPROV_QUIET");
    char line[1024] = "hpcprov: ";
    if (said || (quiet && *quiet && strcmp(quiet, "0") != 0)) return;
    said = true;
    size_t n = strlen(line);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (more < 0) return;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?'; /* names are untrusted, terminals obey control characters */
    n = strlen(line);
    line[n] = '\n';
    if (write(STDERR_FILENO, line, n + 1) < 0) return; /* closed: nobody to tell */
}

static int run_exec(char **argv) {
    struct options options;
    struct place place;
    struct store store;
    struct area area = {.fd = -1};
    int refused = options_parse(argv, &options);
    if (refused >= 0) return refused;
    if (options_off()) exec_plain(options.command);
    signals_block();
    warn_when_stale();
    const char *clash = options_clash(&options); /* before what is a site's choice: its users cannot mend that */
    const char *wrong = options_settle(&options), *refused_watch = !strcmp(options.observe, "notify") ? notify_refused(options.command[0]) : NULL;
    if (refused_watch) {
        options.observe = "preload";
        say("--observe notify is not possible (%s): preload instead", refused_watch);
    }
    place_find(&place, options.run_id);
    if (!store_open(&store, &place, options.capture_output)) exec_plain(options.command);
    preload_take(&area);
    if (!facts_start(&store, &place, &options)) {
        say("nothing is recorded: cannot write to %s", store.log_path);
        preload_in_child(&area, &place, NULL, options.command); /* an outer run goes on observing */
        exec_plain(options.command);
    }
    if (store.local_only && place.rank == 0) {
        say("%s may be on a file system that other nodes do not see: set HPCPROV_DIR to a shared one", store.root);
        facts_problem(&store, &place, "the run's directory may be on a file system that other nodes do not see");
    }
    if (clash && place.rank == 0) {
        say("%s", clash);
        facts_problem(&store, &place, clash);
    }
    if (wrong) facts_problem(&store, &place, wrong);
    if (refused_watch) {
        char text[200];
        snprintf(text, sizeof text, "observed by preload, not by notify as asked: %s", refused_watch);
        facts_problem(&store, &place, text);
    }
    return run_command(&options, &place, &store, &area);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "exec")) return run_exec(argv + 2);
    if (argc == 2 && !strcmp(argv[1], "--version")) return printf("hpcprov %s\n", HPCPROV_VERSION) < 0 || fflush(stdout) ? 1 : 0;
    warn_when_stale();
    handover(argv);
}
