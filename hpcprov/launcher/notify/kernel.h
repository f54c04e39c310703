/* The kernel's side of seccomp notification, as in linux/seccomp.h, linux/filter.h and linux/audit.h: written down here because the launcher is also built
 * where these are too old, or missing. What the running kernel lacks, the rehearsal finds out. See seccomp_unotify(2). */
#ifndef HPCPROV_KERNEL_H
#define HPCPROV_KERNEL_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SYS_seccomp
#if defined __x86_64__
#define SYS_seccomp 317
#else
#define SYS_seccomp 277
#endif
#endif
#ifndef PR_SET_NO_NEW_PRIVS
#define PR_SET_NO_NEW_PRIVS 38
#endif

struct seccomp_data {
    int nr;
    uint32_t arch;
    uint64_t instruction_pointer, args[6];
};
struct seccomp_notif {
    uint64_t id;
    uint32_t pid, flags;
    struct seccomp_data data;
};
struct seccomp_notif_resp {
    uint64_t id;
    int64_t val;
    int32_t error;
    uint32_t flags;
};
struct seccomp_notif_sizes {
    uint16_t seccomp_notif, seccomp_notif_resp, seccomp_data;
};

enum { SECCOMP_SET_MODE_FILTER = 1, SECCOMP_GET_NOTIF_SIZES = 3 };
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#define SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define SECCOMP_RET_ALLOW 0x7fff0000u
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE 1u
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#define SECCOMP_IOCTL_NOTIF_RECV _IOWR('!', 0, struct seccomp_notif)
#define SECCOMP_IOCTL_NOTIF_SEND _IOWR('!', 1, struct seccomp_notif_resp)
#define SECCOMP_IOCTL_NOTIF_ID_VALID _IOW('!', 2, uint64_t)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t) /* Linux 6.6: who asks and who answers take turns on one CPU */

#define AUDIT_ARCH_X86_64 0xc000003eu
#define AUDIT_ARCH_I386 0x40000003u
#define AUDIT_ARCH_AARCH64 0xc00000b7u

struct sock_filter { /* classic BPF */
    uint16_t code;
    uint8_t jt, jf; /* how many to skip when it holds, and when not */
    uint32_t k;
};
struct sock_fprog {
    unsigned short len;
    struct sock_filter *filter;
};
enum { BPF_LOAD = 0x20 /* LD W ABS */, BPF_GO = 0x05 /* JMP JA */, BPF_EQUAL = 0x15 /* JMP JEQ K */, BPF_ANY = 0x45 /* JMP JSET K */, BPF_RETURN = 0x06 };

#endif
