/* The calls that are held back: a table of numbers by ABI, and the classic BPF program made of it. Opens of directories (O_DIRECTORY, O_PATH; also
 * O_TMPFILE, whose file has no name until it is linked) pass without a question. Calls of an ABI that is not in the table pass. */
#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NONE = -1, ABIS = 2, LONGEST = 256 };
static const int PASSING = O_DIRECTORY | O_PATH;

struct row {
    enum what what;
    int number[ABIS];
    int flags; /* which argument holds open's flags; NONE: always asked */
};
/* Numbers: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl, include/uapi/asm-generic/unistd.h. */
#if defined __x86_64__
static const uint32_t abis[ABIS] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
static const struct row rows[] = {
    {OPENAT, {257, 295}, 2},      {OPEN, {2, 5}, 1},           {OPENAT2, {437, 437}, NONE}, {CREAT, {85, 8}, NONE},
    {RENAME, {82, 38}, NONE},     {RENAMEAT, {264, 302}, NONE}, {RENAMEAT2, {316, 353}, NONE}, {LINK, {86, 9}, NONE},
    {LINKAT, {265, 303}, NONE},   {SYMLINK, {88, 83}, NONE},    {SYMLINKAT, {266, 304}, NONE}, {UNLINK, {87, 10}, NONE},
    {RMDIR, {84, 40}, NONE},      {UNLINKAT, {263, 301}, NONE}, {TRUNCATE, {76, 92}, NONE},   {TRUNCATE, {NONE, 193}, NONE}, {EXECVE, {59, 11}, NONE},
    {EXECVEAT, {322, 358}, NONE}, {EXIT_GROUP, {231, 252}, NONE},
};
#elif defined __aarch64__
static const uint32_t abis[ABIS] = {AUDIT_ARCH_AARCH64, 0};
static const struct row rows[] = {
    {OPENAT, {56, NONE}, 2},        {OPENAT2, {437, NONE}, NONE},   {RENAMEAT, {38, NONE}, NONE}, {RENAMEAT2, {276, NONE}, NONE}, {LINKAT, {37, NONE}, NONE},
    {SYMLINKAT, {36, NONE}, NONE},  {UNLINKAT, {35, NONE}, NONE},   {TRUNCATE, {45, NONE}, NONE}, {EXECVE, {221, NONE}, NONE},    {EXECVEAT, {281, NONE}, NONE},
    {EXIT_GROUP, {94, NONE}, NONE},
};
#else
static const uint32_t abis[ABIS] = {0, 0};
static const struct row rows[] = {{OTHER, {NONE, NONE}, NONE}};
#endif
enum { ROWS = sizeof rows / sizeof *rows };

#define LOAD(member) {BPF_LOAD, 0, 0, (uint32_t)offsetof(struct seccomp_data, member)}
#define LOAD_ARGUMENT(n) {BPF_LOAD, 0, 0, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)(n))} /* its lower half */
#define RETURN(action) {BPF_RETURN, 0, 0, (action)}
#define PUT(...) program[n++] = (struct sock_filter) __VA_ARGS__

static size_t add_row(struct sock_filter *program, size_t n, const struct row *row, int abi) {
    if (row->number[abi] == NONE) return n;
    PUT({BPF_EQUAL, 0, row->flags == NONE ? 1 : 4, (uint32_t)row->number[abi]});
    if (row->flags != NONE) {
        PUT(LOAD_ARGUMENT(row->flags));
        PUT({BPF_ANY, 0, 1, (uint32_t)PASSING});
        PUT(RETURN(SECCOMP_RET_ALLOW));
    }
    PUT(RETURN(SECCOMP_RET_USER_NOTIF));
    return n;
}

static size_t add_abi(struct sock_filter *program, size_t n, int abi) {
    size_t over = n + 1;
    PUT({BPF_EQUAL, 1, 0, abis[abi]});
    PUT({BPF_GO, 0, 0, 0}); /* set below: a conditional jump reaches 255 at most */
    PUT(LOAD(nr));
    for (int i = 0; i < ROWS; i++) n = add_row(program, n, &rows[i], abi);
    PUT(RETURN(SECCOMP_RET_ALLOW));
    program[over].k = (uint32_t)(n - over - 1);
    return n;
}

int filter_install(void) {
    static struct sock_filter program[LONGEST];
    static const unsigned long wishes[] = {SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0};
    size_t n = 0;
    if (!abis[0]) {
        errno = ENOSYS;
        return -1;
    }
    PUT(LOAD(arch));
    for (int abi = 0; abi < ABIS; abi++)
        if (abis[abi]) n = add_abi(program, n, abi);
    PUT(RETURN(SECCOMP_RET_ALLOW));
    struct sock_fprog whole = {.len = (unsigned short)n, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) { /* what a kernel does not know yet is EINVAL */
        long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | wishes[i], &whole);
        if (listener >= 0 || errno != EINVAL) return (int)listener;
    }
    return -1;
}

enum what filter_call(const struct seccomp_data *d) {
    for (int abi = 0; abi < ABIS; abi++)
        for (int i = 0; d->arch == abis[abi] && i < ROWS; i++)
            if (rows[i].number[abi] == d->nr) return rows[i].what;
    return OTHER;
}
