/* The command line of `hpcprov exec`. Options end at the first word that is not one, or at `--`. */
#define _GNU_SOURCE
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char help[] =
    "usage: hpcprov exec [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Run COMMAND and record what made its results. COMMAND cannot tell that hpcprov is there, and its\n"
    "exit status is the exit status.\n"
    "\n"
    "  --input PATH            a file, directory or store that COMMAND reads; may be a glob; repeatable\n"
    "  --output PATH           one that it writes; globs are resolved after the run; repeatable\n"
    "  --name NAME             a name for the run\n"
    "  --tag KEY=VALUE         a tag, to find it again; repeatable\n"
    "  --note TEXT             why this run was made\n"
    "  --run-id ID             a run id of your own: letters, digits, `.`, `_`, `-`, at most 128\n"
    "  --capture-output        keep standard output and error with the record, rank by rank,\n"
    "                          as they are: what a program prints is not searched for secrets\n"
    "  --forward auto|always|never\n"
    "                          pass signals on to COMMAND: when it did not get them itself (auto, the default)\n"
    "  --hash now|later|off    sign inputs and outputs when the run ends (now, the default), with\n"
    "                          `hpcprov settle` (later), or never (off)\n"
    "  --stats                 count, too, while signing: smallest, largest, missing values and more of each field\n"
    "  --constraints FILE      say whether outputs are as FILE wants them (`hpcprov constraints --help`); repeatable\n"
    "  --embed                 write what made them into the outputs themselves (`hpcprov trail --help`),\n"
    "                          once they are signed: with --hash later by `hpcprov settle`\n"
    "  --observe preload|notify|off\n"
    "                          see which files COMMAND reads and writes and which programs it starts: by a\n"
    "                          preloaded library (preload, the default), by the kernel (notify: static programs\n"
    "                          too, but slower, and with no_new_privs: set-user-id programs have no privileges),\n"
    "                          or not (off)\n"
    "  --audit python|off      name the script and the modules of your own that Python programs run\n"
    "  --no-agent              record the launcher's own facts only\n"
    "  --help                  this text\n"
    "\n"
    "environment: HPCPROV=off runs COMMAND and nothing else; HPCPROV_DIR=DIR keeps records in DIR instead of the\n"
    "nearest .hpcprov; HPCPROV_QUIET=1 keeps hpcprov's own lines off standard error; HPCPROV_PYTHON names the Python;\n"
    "HPCPROV_OBSERVE is --observe where that is not given, HPCPROV_STATS=1 is --stats, HPCPROV_EMBED=1 is --embed.\n"
    "A site sets them in /etc/hpcprov.conf: `observe = off`, `stats = on`.\n"
    "\n"
    "exit status: COMMAND's; 125 the options are wrong, 126 COMMAND cannot be executed, 127 it is not found.\n"
    "\n"
    "example: mpiexec -n 4 hpcprov exec --input terrain.npz --output 'out/*.zarr' -- python solve.py\n";

enum kind { TEXT, LIST, FLAG, HELP };
struct option_row {
    const char *name;
    enum kind kind;
    size_t at, count_at;     /* offsets into struct options */
    const char *const *values; /* NULL: any */
};
static const char *const forward_values[] = {"auto", "always", "never", NULL};
static const char *const hash_values[] = {"now", "later", "off", NULL};
static const char *const observe_values[] = {"preload", "notify", "off", NULL};
static const char *const audit_values[] = {"python", "off", NULL};
#define AT(member) offsetof(struct options, member)
static const struct option_row rows[] = {
    {"--input", LIST, AT(inputs), AT(n_inputs), NULL},
    {"--output", LIST, AT(outputs), AT(n_outputs), NULL},
    {"--tag", LIST, AT(tags), AT(n_tags), NULL},
    {"--constraints", LIST, AT(constraints), AT(n_constraints), NULL},
    {"--name", TEXT, AT(name), 0, NULL},
    {"--note", TEXT, AT(note), 0, NULL},
    {"--run-id", TEXT, AT(run_id), 0, NULL},
    {"--forward", TEXT, AT(forward), 0, forward_values},
    {"--hash", TEXT, AT(hash), 0, hash_values},
    {"--observe", TEXT, AT(observe), 0, observe_values},
    {"--audit", TEXT, AT(audit), 0, audit_values},
    {"--stats", FLAG, AT(stats), 0, NULL},
    {"--embed", FLAG, AT(embed), 0, NULL},
    {"--capture-output", FLAG, AT(capture_output), 0, NULL},
    {"--no-agent", FLAG, AT(no_agent), 0, NULL},
    {"--help", HELP, 0, 0, NULL},
    {"-h", HELP, 0, 0, NULL},
};

static bool says_off(const char *value) {
    static const char *const off[] = {"off", "0", "no", "false"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (!strcasecmp(value, off[i])) return true;
    return false;
}

bool options_off(void) {
    const char *value = getenv("HPCPROV");
    return value && says_off(value);
}

bool run_id_valid(const char *id, const char **why) {
    size_t len = strlen(id);
    *why = len == 0                  ? "it is empty"
           : len > RUN_ID_MAX        ? "it is longer than 128"
           : strchr(".-", id[0])     ? "it starts with a dot or a dash"
           : strstr(id, "..")        ? "it holds `..`"
           : strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len
               ? "only letters, digits, `.`, `_` and `-` are allowed"
               : NULL;
    return *why == NULL;
}

/* Usage errors hold what the user typed: control characters must not reach the terminal. */
static int refuse(const char *format, const char *value, const char *detail) {
    char safe[200];
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)value; *c && n < sizeof safe - 1; c++) safe[n++] = *c < 0x20 || *c == 0x7F ? '?' : (char)*c;
    safe[n] = 0;
    fputs("hpcprov exec: ", stderr);
    fprintf(stderr, format, safe, detail);
    fputs(" (see `hpcprov exec --help`)\n", stderr);
    return EXIT_USAGE;
}

static const struct option_row *row_of(const char *word, size_t len) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == len && !memcmp(rows[i].name, word, len)) return &rows[i];
    return NULL;
}

static bool add_to_list(struct options *o, const struct option_row *row, char *value) {
    char ***list = (char ***)((char *)o + row->at);
    size_t *count = (size_t *)((char *)o + row->count_at);
    char **longer = realloc(*list, (*count + 1) * sizeof *longer);
    if (!longer) return false;
    longer[(*count)++] = value;
    *list = longer;
    return true;
}

static int check_value(const struct option_row *row, const char *value) {
    for (size_t i = 0; row->values; i++) {
        if (!row->values[i]) {
            char one_of[80];
            size_t n = (size_t)snprintf(one_of, sizeof one_of, "%s must be one of ", row->name);
            for (size_t k = 0; row->values[k]; k++) n += (size_t)snprintf(one_of + n, sizeof one_of - n, "%s%s", k ? ", " : "", row->values[k]);
            return refuse("`%s`: %s", value, one_of);
        }
        if (!strcmp(value, row->values[i])) break;
    }
    const char *why;
    if (row->at == AT(run_id) && row->kind == TEXT && !run_id_valid(value, &why)) return refuse("`%s` cannot be a run id: %s", value, why);
    if (row->at == AT(tags) && (!strchr(value, '=') || value[0] == '=')) return refuse("--tag `%s`: %s", value, "a tag is KEY=VALUE");
    if (row->kind == LIST && value[0] == 0) return refuse("`%s%s`: an empty value", row->name, "");
    return -1;
}

int options_parse(char **argv, struct options *o) {
    *o = (struct options){.forward = "auto", .hash = "now"};
    char **word = argv;
    for (; *word && (*word)[0] == '-' && (*word)[1]; word++) {
        if (!strcmp(*word, "--")) {
            word++;
            break;
        }
        char *equals = !strncmp(*word, "--", 2) ? strchr(*word, '=') : NULL;
        const struct option_row *row = row_of(*word, equals ? (size_t)(equals - *word) : strlen(*word));
        if (!row) return refuse("unknown option `%s`%s", *word, "; put `--` in front of the command if it is part of it");
        if (row->kind == HELP) {
            fputs(help, stdout);
            return fflush(stdout) ? 1 : 0;
        }
        if (row->kind == FLAG) {
            if (equals) return refuse("`%s`: %s", *word, "this option takes no value");
            *(bool *)((char *)o + row->at) = true;
            continue;
        }
        char *value = equals ? equals + 1 : *++word;
        if (!value) return refuse("`%s` needs %s", row->name, "a value");
        int refused = check_value(row, value);
        if (refused >= 0) return refused;
        if (row->kind == TEXT) *(const char **)((char *)o + row->at) = value;
        else if (!add_to_list(o, row, value)) return refuse("`%s`: %s", row->name, "out of memory");
    }
    if (!*word) return refuse("no command after `%s`%s", word > argv ? word[-1] : "exec", ": what should run?");
    o->command = word;
    return -1;
}

const char *options_clash(const struct options *o) {
    if (!o->embed) return NULL;
    if (!strcmp(o->hash, "off")) return "--embed writes nothing with --hash off: `hpcprov stamp PATH --run RUN` does it afterwards";
    if (o->no_agent) return "--embed writes nothing with --no-agent: `hpcprov settle RUN` does it afterwards";
    return NULL;
}

static const char *known(const char *value) {
    for (size_t i = 0; observe_values[i]; i++)
        if (!strcmp(value, observe_values[i])) return observe_values[i];
    return NULL;
}

/* Whether the environment, or else the site, switches on what was not asked for. */
static bool is_on(const char *variable, const char *key) {
    char configured[16];
    const char *value = getenv(variable);
    if ((!value || !*value) && site_value(key, configured, sizeof configured)) value = configured;
    return value && *value && !says_off(value);
}

const char *options_settle(struct options *o) {
    const char *variable = getenv("HPCPROV_OBSERVE"), *wrong = NULL;
    char configured[16];
    o->stats |= is_on("HPCPROV_STATS", "stats");
    o->embed |= is_on("HPCPROV_EMBED", "embed");
    if (o->no_agent) o->observe = "off"; /* nobody would read the events */
    if (!o->observe && variable && *variable && !(o->observe = known(variable))) wrong = "HPCPROV_OBSERVE is none of preload, notify, off";
    if (!o->observe && site_value("observe", configured, sizeof configured) && !(o->observe = known(configured)))
        wrong = "the site's `observe` is none of preload, notify, off";
    if (!o->observe) o->observe = observe_values[0];
    o->audits = audit_wanted(o->audit, site_value("audit", configured, sizeof configured) ? configured : NULL);
    return wrong;
}
