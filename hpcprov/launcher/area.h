/* The event area: what observed processes write and the node's agent reads. Shared by the launcher, which makes it (area.c), the observer
 * library (observe/) and the notification supervisor (notify.c); Python's twin is hpcprov/capture/observed/area.py. See docs/observing.md.
 *
 * One file, <spool>/area, mode 0600, below /dev/shm or else the node's temporary directory: a header page, then a ring. A record lies at
 * header + position % capacity; positions only grow. It is 16-byte aligned, never crosses the end of the ring (a PAD record fills the rest),
 * and what is before `head` has been read, and its pages given back (a hole reads as zeros, so a ring that comes round is zeroed).
 *
 * To write: while tail + need <= start of head's chunk + capacity, make sure that `allocated` covers it (fallocate, so that a full file system is an error and no
 * SIGBUS), move `tail` by compare-and-swap, store RESERVED | size, fill in, store COMMITTED | size. A writer that is killed between the last
 * two leaves a RESERVED record that is skipped by its size; one that is killed right after the swap leaves zeros: the reader goes on
 * to the next 16-byte boundary that holds a magic. What does not fit is counted in `lost`.
 *
 * The reader gives whole chunks back, and only then moves `head`: the chunk that holds `head` counts as unread, so room ends one capacity after
 * that chunk's start.
 */
#ifndef HPCPROV_AREA_H
#define HPCPROV_AREA_H

#include <stdint.h>

#define AREA_MAGIC "hpcprov1"        /* 8 bytes */
#define AREA_HEADER 4096u
#define AREA_CHUNK 65536u            /* bytes; what is allocated and given back at a time */
#define AREA_CAPACITY (64u << 20)    /* bytes of ring, a multiple of AREA_CHUNK; halved until the map fits the limits of a process */
#define AREA_TEXT_MAX 16384u         /* bytes of all strings of one record; longer ones are cut and flagged */

struct area_header {
    char magic[8];
    uint32_t header, version;        /* AREA_HEADER, 1 */
    uint64_t capacity, chunk;
    uint64_t launcher_dev, launcher_ino; /* of the launcher's own file: running it is a run of its own */
    uint64_t view;                   /* of the launcher on the file system (containers.h): whose differs tells its mounts */
    _Alignas(64) uint64_t tail;      /* writers: the next position */
    _Alignas(64) uint64_t head;      /* reader: everything before it has been read */
    _Alignas(64) uint64_t allocated; /* positions before it have memory */
    _Alignas(64) uint64_t lost;      /* records that did not fit */
    uint64_t cut;                    /* records whose strings were cut */
    _Alignas(64) uint32_t instances; /* programs so far; the next one's number is this plus 1 */
    uint32_t stopped;                /* not 0: nobody reads any more, writers write nothing */
    _Alignas(64) uint64_t changes;   /* names renamed or removed so far (high half: directories moved): what is written after one is told again */
    _Alignas(64) uint32_t launchers; /* that use the area; AREA_LEFT: the last one has left and has removed its name */
};
#define AREA_LEFT (1u << 31)

enum area_magic { AREA_RESERVED = 0x52, AREA_COMMITTED = 0x43 }; /* low byte of `state`; the rest is the size */

enum area_kind { AREA_PAD, AREA_PROGRAM, AREA_ACCESS, AREA_RENAME, AREA_LINK, AREA_UNLINK, AREA_END, AREA_NOT_RUN, AREA_MOUNTS };

/* Every record; strings follow, each ended by NUL, the whole padded to 16 bytes. */
struct area_record {
    uint32_t state;     /* size << 8 | magic: size in bytes with header and padding, a multiple of 16 (so below 16 MiB) */
    uint16_t kind;      /* area_kind */
    uint16_t flags;
    uint32_t instance;  /* the program that did it; forks without exec keep their program's number; 0: none, a rank was started with it */
    uint32_t pid;       /* of a program and of who waited: its own; else of the process in which the program started; without a program: the rank */
    int64_t time;       /* CLOCK_REALTIME (coarse), ns */
    union {
        struct { uint32_t parent, rank; uint32_t blind; uint32_t argc; } program; /* strings: executable's absolute path, cwd, argv... */
        struct { uint64_t size; int64_t mtime; } access;                          /* of the regular file when it was opened (before a truncation
                                                                                     this is not known: 0); string: absolute path */
        struct { int32_t status; uint32_t child; } end;                           /* of wait(2) */
        uint64_t none[2];                                                         /* RENAME, LINK: old, new; UNLINK: path;
                                        MOUNTS: what /proc/self/mountinfo says */
    } is;
};                                   /* 40 bytes */

enum area_flags {
    ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_CREATE = 4 /* O_CREAT */, ACCESS_TRUNCATE = 8,
    ACCESS_UNCONFIRMED = 16, /* the call was seen, not its result (notify) */
    RENAME_EXCHANGED = 32, LINK_SYMBOLIC = 64, UNLINK_DIRECTORY = 128,
    STRINGS_CUT = 256,
};

/* Why what a program reads and writes cannot be seen. Its children are seen where they get its environment. */
enum area_blind { SEEN, BLIND_STATIC, BLIND_SET_ID, BLIND_OTHER_ABI /* 32-bit, another machine's */, BLIND_SANITIZER, BLIND_GO, BLIND_LAUNCHER, BLIND_UNREADABLE, BLIND_OFF, BLIND_CONTAINER /* the runtime let nothing of ours in */ };

/* In the environment of every observed program: "<version>:<rank>:<parent instance>:<flags>:<absolute path of the area>", and the library last
 * in LD_PRELOAD. The library takes both out of `environ` when it starts, unless flags holds `v` (visible: a program that does not use
 * the C library's environ must hand them on itself), and puts them back for every program that is executed. */
#define AREA_VARIABLE "HPCPROV_IO"
#define OBSERVE_VARIABLE "HPCPROV_OBSERVE" /* preload, notify, off: the user's word; `off` in a child's environment is obeyed */

#endif
