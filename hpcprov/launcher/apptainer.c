/* Apptainer and Singularity: from the command line, the environment and the site's configuration, whether the spool is seen inside, and the
 * variables that then bring the library and the area there. Sources: `apptainer exec --help` (1.4), the appendix of Apptainer's user guide.
 *
 *     apptainer exec --containall step.sif python x.py
 *         APPTAINERENV_LD_PRELOAD=/tmp/.hpcprov-1000-5f70.../libhpcprov-observe.so
 *         APPTAINERENV_HPCPROV_IO=1:0:7::/tmp/.hpcprov-1000-5f70.../area
 *         APPTAINER_BINDPATH=/dev/shm/hpcprov-1000-5f70...:/tmp/.hpcprov-1000-5f70...
 */
#define _GNU_SOURCE
#include "containers.h"
#include "area.h"
#include "observe/raw.h"
#include "observe/words.h"

enum effect { OTHER, CONTAIN = 1, CLEAN = 2, BINDS = 4, UNKNOWN = 8 /* changes what is mounted in a way not followed here */, VALUE = 16 };
struct option {
    const char *name;
    int effect;
};
/* Flags of exec, run, shell and test that matter here or have a value in the next word. */
static const struct option flags[] = {
    {"-c", CONTAIN},          {"--contain", CONTAIN},         {"-C", CONTAIN | CLEAN},   {"--containall", CONTAIN | CLEAN},
    {"--compat", CONTAIN | CLEAN}, {"-e", CLEAN},             {"--cleanenv", CLEAN},     {"-B", BINDS | VALUE},
    {"--bind", BINDS | VALUE}, {"-H", BINDS | VALUE},         {"--home", BINDS | VALUE}, {"--mount", UNKNOWN | VALUE},
    {"-S", UNKNOWN | VALUE},  {"--scratch", UNKNOWN | VALUE}, {"-W", UNKNOWN | VALUE},   {"--workdir", UNKNOWN | VALUE},
    {"--no-mount", UNKNOWN | VALUE}, {"--fusemount", UNKNOWN | VALUE}, {"--oci", UNKNOWN}, {"--sharens", UNKNOWN},
    {"-f", UNKNOWN},          {"--fakeroot", UNKNOWN},        {"--dmtcp-launch", UNKNOWN | VALUE}, {"--dmtcp-restart", UNKNOWN | VALUE},
    {"--add-caps", VALUE},    {"--app", VALUE},               {"--apply-cgroups", VALUE}, {"--authfile", VALUE},
    {"--blkio-weight", VALUE}, {"--blkio-weight-device", VALUE}, {"--cpu-shares", VALUE}, {"--cpus", VALUE},
    {"--cpuset-cpus", VALUE}, {"--cpuset-mems", VALUE},       {"--cwd", VALUE},          {"--pwd", VALUE},
    {"--dns", VALUE},         {"--docker-host", VALUE},       {"--drop-caps", VALUE},    {"--env", VALUE},
    {"--env-file", VALUE},    {"--hostname", VALUE},          {"--memory", VALUE},       {"--memory-reservation", VALUE},
    {"--memory-swap", VALUE}, {"--netns-path", VALUE},        {"--network", VALUE},      {"--network-args", VALUE},
    {"-o", VALUE},            {"--overlay", VALUE},           {"--pem-path", VALUE},     {"--pids-limit", VALUE},
    {"--security", VALUE},    {"--pid-file", VALUE},          {"-s", VALUE},             {"--shell", VALUE},
    {"--cdi-dirs", VALUE},    {"--device", VALUE},            {"--runscript-timeout", VALUE},
};
/* The same as variables, APPTAINER_ or SINGULARITY_ before them. */
static const struct option variables[] = {
    {"CONTAIN", CONTAIN}, {"CONTAINALL", CONTAIN | CLEAN}, {"COMPAT", CONTAIN | CLEAN}, {"CLEANENV", CLEAN}, {"BIND", BINDS},
    {"BINDPATH", BINDS},  {"HOME", BINDS},                 {"MOUNT", UNKNOWN},          {"SCRATCH", UNKNOWN}, {"WORKDIR", UNKNOWN},
    {"NO_MOUNT", UNKNOWN}, {"FUSESPEC", UNKNOWN},          {"OCI", UNKNOWN},            {"SHARENS", UNKNOWN}, {"FAKEROOT", UNKNOWN},
    {"DMTCP_LAUNCH", UNKNOWN}, {"DMTCP_RESTART", UNKNOWN}, {"CONFIG_FILE", UNKNOWN},
};
static const char *const prefixes[] = {"APPTAINER", "SINGULARITY"};

struct wish { /* what the command line and the environment ask for */
    int effects;
    bool binds_cover; /* a bind puts something of its own where the spool would be */
    bool user_binds;
    const char *image;
};

/* ---- the command line */

static const struct option *option_of(const char *name, size_t size) {
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (words_length(flags[i].name) == size && words_equal(flags[i].name, name, size)) return &flags[i];
    return NULL;
}

static bool is_on(const char *value) { return *value && !words_same(value, "0") && !words_same(value, "false"); }

static bool covers(const char *mount, size_t size, const char *path) {
    while (size > 1 && mount[size - 1] == '/') size--;
    return size == 1 || (words_length(path) >= size && words_equal(mount, path, size) && (path[size] == '/' || !path[size]));
}

/* `source[:destination[:options]],...`: does one put something else where `path` is, or may a mount at `path` end up outside? */
static bool bind_covers(const char *list, const char *path) {
    while (*list) {
        size_t source = 0, end = 0, to;
        while (list[end] && list[end] != ',') end++;
        while (source < end && list[source] != ':') source++;
        const char *destination = list + source + 1;
        for (to = 0; source < end && destination + to < list + end && destination[to] != ':'; to++) continue;
        if (source == end || to == 0) destination = list, to = source;
        bool same = to == source && words_equal(destination, list, to) && !words_after(path, "/tmp/.");
        if (!same && covers(destination, to, path)) return true;
        list += end + (list[end] == ',');
    }
    return false;
}

static void note(struct wish *wish, int effect, const char *value, const char *path) {
    wish->effects |= effect;
    if (!(effect & BINDS)) return;
    wish->user_binds = true;
    if (value && bind_covers(value, path)) wish->binds_cover = true;
}

/* One word of flags, short ones perhaps in a group; says whether its value is the next word. */
static bool read_flag(struct wish *wish, const char *word, const char *next, const char *path) {
    if (word[1] == '-') {
        size_t size = 0;
        while (word[size] && word[size] != '=') size++;
        const struct option *o = option_of(word, size);
        const char *value = word[size] ? word + size + 1 : NULL;
        bool valued = o && (o->effect & VALUE);
        if (o && (valued || !value || is_on(value))) note(wish, o->effect, valued && !value ? next : value, path);
        return valued && !value;
    }
    for (const char *letter = word + 1; *letter && *letter != '='; letter++) {
        const struct option *o = option_of((char[]){'-', *letter, 0}, 2);
        bool valued = o && (o->effect & VALUE);
        const char *value = letter[1] == '=' ? letter + 2 : letter + 1;
        if (o) note(wish, o->effect, valued && !*value ? next : value, path);
        if (valued) return !*value;
    }
    return false;
}

/* The words from the action on; NULL: global flags that are not followed. */
static char *const *action_of(char *const *argv) {
    static const char *const plain[] = {"-d", "--debug", "-q",        "--quiet", "-s", "--silent", "-v", "--verbose",
                                        "--nocolor", "--version", "-h", "--help",  NULL};
    char *const *word = *argv ? argv + 1 : argv;
    while (*word && **word == '-' && container_one_of(*word, plain)) word++;
    return *word && **word == '-' ? NULL : word;
}

static void read_flags(struct wish *wish, char *const *word, const char *path) {
    for (; *word && **word == '-' && (*word)[1]; word++) {
        if (words_same(*word, "--")) {
            word++;
            break;
        }
        if (read_flag(wish, *word, word[1], path) && word[1]) word++;
    }
    wish->image = *word;
}

static void read_variables(struct wish *wish, char *const *env, const char *path) {
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
            char name[64];
            size_t size = words_length(variables[i].name) + 1;
            if (size > sizeof name / 2) continue; /* none is: it tells the compiler */
            name[0] = '_';
            words_copy(name + 1, variables[i].name, size);
            const char *value = container_value(env, prefixes[p], name);
            if (value && is_on(value)) note(wish, variables[i].effect, value, path);
        }
}

/* ---- the site's configuration */

struct site {
    bool found, dev, tmp, binds;
};

/* `mount dev = yes`, without its blanks. */
static void read_setting(struct site *site, const char *line) {
    const char *value;
    if ((value = words_after(line, "mountdev="))) site->dev = words_same(value, "yes");
    if ((value = words_after(line, "mounttmp="))) site->tmp = words_same(value, "yes");
    if ((value = words_after(line, "userbindcontrol="))) site->binds = words_same(value, "yes");
}

static void read_site(struct site *site, const char *path) {
    char block[1024], line[64];
    size_t size = 0;
    uint64_t at = 0;
    long n, fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    *site = (struct site){true, true, true, true}; /* what a missing line means */
    for (; (n = raw_pread((int)fd, block, sizeof block, at)) > 0; at += (uint64_t)n)
        for (long i = 0; i < n; i++) {
            if (block[i] != '\n') {
                if (size < sizeof line - 1 && block[i] != ' ' && block[i] != '\t' && block[i] != '\r') line[size++] = block[i];
                continue;
            }
            line[size] = 0;
            size = 0;
            read_setting(site, line);
        }
    raw_close((int)fd);
}

/* /etc/apptainer/apptainer.conf, or etc/apptainer/apptainer.conf beside the bin directory of the program. */
static struct site site_of(const char *program, const char *name) {
    struct site site = {false, false, false, false};
    struct container_words path = {.used = 0};
    size_t up = words_length(program);
    for (int slashes = 0; up && slashes < 2;) slashes += program[--up] == '/';
    if (container_put(&path, program, up) && PUT(&path, "/etc/", name, "/", name, ".conf")) read_site(&site, path.text);
    path.used = 0;
    if (!site.found && PUT(&path, "/etc/", name, "/", name, ".conf")) read_site(&site, path.text);
    return site;
}

/* ---- Apptainer */

/* The user's own list of libraries inside, as it would be without us. */
static const char *preload_inside(const struct container_run *run, int effects, const char **variable) {
    static const char *const names[] = {"APPTAINERENV_LD_PRELOAD", "SINGULARITYENV_LD_PRELOAD"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = container_value(run->env, names[i], "");
        if (!value) continue;
        *variable = names[i];
        return value;
    }
    const char *value = effects & CLEAN ? NULL : container_value(run->env, "LD_PRELOAD", "");
    return value ? value : "";
}

static bool add_bind(const struct container_run *run, const struct wish *wish, const char *prefix, const char *inside, struct container_words *out) {
    static const char *const names[] = {"_BIND", "_BINDPATH"};
    const char *found = NULL, *value = NULL, *before = prefix;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < 2; i++) {
            const char *one = container_value(run->env, prefixes[p], names[i]);
            if (!one) continue;
            if (found) return false; /* which of them counts is not for us to say */
            found = names[i], value = one, before = prefixes[p];
        }
    const char *comma = value && *value ? "," : "";
    if (!ADD(out, before, found ? found : "_BINDPATH", "=", value ? value : "", comma, run->spool, ":", inside)) return false;
    if (wish->user_binds) return true;
    /* Inside, APPTAINER_BIND lists the binds: as it would be without ours. */
    return ADD(out, prefix, "ENV_APPTAINER_BIND=") && ADD(out, prefix, "ENV_SINGULARITY_BIND=");
}

/* Whether a container that is not contained has the node's own directory at that place. */
static bool shows(const struct site *site, const char *spool) {
    if (words_after(spool, "/dev/shm/")) return site->dev;
    return site->tmp && (words_after(spool, "/tmp/") || words_after(spool, "/var/tmp/"));
}

static bool carry(const struct container_run *run, const struct wish *wish, const char *program, const char *name, struct container_words *out) {
    const char *prefix = words_same(name, "apptainer") ? prefixes[0] : prefixes[1];
    struct site site = site_of(program, name);
    struct container_words place = {.used = 0};
    const char *inside = run->spool;
    if (!site.found || wish->effects & UNKNOWN || wish->binds_cover) return false;
    if (wish->effects & CONTAIN) {
        inside = place.text;
        if (!site.tmp || !site.binds || !PUT(&place, "/tmp/.", container_base(run->spool))) return false;
        if (!add_bind(run, wish, prefix, inside, out)) return false;
    } else if (!shows(&site, run->spool)) return false;
    const char *variable = NULL, *user = preload_inside(run, wish->effects, &variable);
    const char *own = prefix == prefixes[0] ? "APPTAINERENV_LD_PRELOAD" : "SINGULARITYENV_LD_PRELOAD";
    return ADD(out, variable ? variable : own, "=", user, *user ? ":" : "", inside, "/" CONTAINER_LIBRARY) &&
           ADD(out, prefix, "ENV_" AREA_VARIABLE "=", run->before, inside, "/area");
}

enum container_way container_apptainer(const struct container_run *run, const char *program, const char *name, struct container_words *out) {
    static const char *const actions[] = {"exec", "run", "shell", "test", NULL}, *const others[] = {"instance", "build", NULL};
    char *const *action = action_of(run->argv);
    struct wish wish = {0, false, false, NULL};
    if (!action) return CONTAINER_DARK;
    if (!*action) return CONTAINER_CARRIED;
    if (!container_one_of(*action, actions)) return container_one_of(*action, others) ? CONTAINER_DARK : CONTAINER_CARRIED;
    struct container_words place = {.used = 0};
    if (!PUT(&place, "/tmp/.", container_base(run->spool))) return CONTAINER_DARK;
    read_variables(&wish, run->env, run->spool);
    read_flags(&wish, action + 1, run->spool);
    if (wish.effects & CONTAIN) { /* once more: what covers the place that the spool has in such a container? */
        wish.binds_cover = false;
        read_variables(&wish, run->env, place.text);
        read_flags(&wish, action + 1, place.text);
    }
    if (!wish.image) return CONTAINER_CARRIED;
    if (words_after(wish.image, "instance://") || !container_has_library(run->spool)) return CONTAINER_DARK;
    return carry(run, &wish, program, name, out) ? CONTAINER_CARRIED : CONTAINER_DARK;
}
