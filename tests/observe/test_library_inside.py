"""What changes inside the C library, or by a limit, while a program runs: where it is, how much memory it may use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.require import require

from .area_tool import ALLOCATED, HEAD, LOST, READ, TAIL, Area, library
from .test_library import PLAIN, accesses, compiled, programs, run

LARGE = 64 << 20  # bytes of ring, as the launcher makes it
FAR = 1 << 62  # a multiple of any ring's size


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Area]:
    with Area.make(tmp_path / "area", capacity=LARGE) as made:
        yield made


# ---- where it is

WALKS = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>
static int visit(const char *path, const struct stat *file, int kind, struct FTW *at) {
    return file && kind == FTW_F ? close(open(path + at->base, O_RDONLY)) : 0;
}
int main(int argc, char **argv) {
    char *tops[] = {"top", NULL};
    int bad = close(open("first", O_RDONLY));
    if (argc == 2 && !strcmp(argv[1], "nftw")) bad |= nftw("top", visit, 5, FTW_CHDIR);
    if (argc == 2 && !strcmp(argv[1], "fts")) {
        FTSENT *entry;
        for (FTS *walk = fts_open(tops, FTS_PHYSICAL, NULL); (entry = fts_read(walk));)
            if (entry->fts_info == FTS_F) bad |= close(open(entry->fts_accpath, O_RDONLY));
    }
    if (argc == 3) bad |= daemon(0, 1) || close(open(argv[2], O_RDONLY));
    return bad;
}
"""


@pytest.mark.parametrize("way", ["nftw", "fts", "daemon"])
def test_directories_that_the_c_library_changes_itself(area: Area, tmp_path: Path, way: str) -> None:
    program = compiled(tmp_path, WALKS)
    (tmp_path / "top").mkdir()
    for name in ("first", "top/leaf"):
        (tmp_path / name).touch()
    leaf = os.fsencode(tmp_path / "top/leaf")
    assert run(area, program, way, *([leaf.decode()[1:]] if way == "daemon" else []), cwd=tmp_path) == (0, b"", b"")
    until = time.monotonic() + 60  # the daemon goes on alone
    while len(accesses(area)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert accesses(area) == {(os.fsencode(tmp_path / "first"), READ), (leaf, READ)}


def test_a_static_program_by_its_descriptor(area: Area, tmp_path: Path) -> None:
    """Its name in /proc/self says nothing to others."""
    static = compiled(tmp_path, "int main(void) { return 0; }", "-static", name="static")
    text = """
    #include <fcntl.h>
    #include <unistd.h>
    extern char **environ;
    int main(int argc, char **argv) { return argc > 1 ? fexecve(open(argv[1], O_RDONLY), argv + 1, environ) : 1; }
    """
    assert run(area, compiled(tmp_path, text), static) == (0, b"", b"")
    assert programs(area)["static"].path == os.fsencode(static)


def test_a_path_that_is_no_address(area: Area, tmp_path: Path) -> None:
    """The kernel says so, and the program goes on."""
    text = """
    #include <errno.h>
    #include <unistd.h>
    extern char **environ;
    int main(int argc, char **argv) { return execve((char *)(long)argc, argv, environ) != -1 || errno != EFAULT; }
    """
    assert run(area, compiled(tmp_path, text, "-w")) == (0, b"", b"")


# ---- how much memory it may use

HOLDS = "resource.setrlimit(resource.RLIMIT_AS, (90 << 20, 90 << 20)); bytearray(40 << 20)"
LIMITED = [
    ("bash", "-c", "ulimit -v 60000; x=$(printf '%*s' 3000000 x); echo >out; cat in"),
    (sys.executable, "-c", f"import resource; {HOLDS}; open('out', 'w'); print(open('in').read(), end='')"),
]


@pytest.mark.parametrize("command", LIMITED, ids=["bash", "python"])
def test_a_program_that_limits_its_memory(area: Area, tmp_path: Path, command: tuple[str, ...]) -> None:
    """The area's map does not count."""
    (tmp_path / "in").write_text("in\n")
    assert run(area, *command, cwd=tmp_path) == (0, b"in\n", b"")
    assert {os.fsencode(tmp_path / name) for name in ("in", "out")} <= {path for path, _ in accesses(area)}
    assert area.number(LOST) == 0


def test_a_program_that_locks_its_memory(area: Area, tmp_path: Path) -> None:
    require("root", os.geteuid() == 0)  # to be nobody
    program = compiled(
        tmp_path,
        """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <sys/mman.h>
        #include <sys/resource.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            struct rlimit limit = {8 << 20, 8 << 20};
            if (argc < 2 || setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(65534)) return 1;
            return mlockall(MCL_CURRENT) ? 2 : open(argv[1], O_RDONLY) < 0;
        }
        """,
    )
    assert run(area, program, "/etc/passwd") == (0, b"", b"")


def test_a_thread_with_a_small_stack_starts_a_static_program(area: Area, tmp_path: Path) -> None:
    """16 KiB, the smallest there is."""
    static = compiled(tmp_path, "int main(void) { return 7; }", "-static", name="static")
    text = """
    #include <pthread.h>
    #include <spawn.h>
    #include <stdlib.h>
    #include <sys/wait.h>
    extern char **environ;
    static void *work(void *path) {
        char *const words[] = {path, NULL};
        int status = 0;
        pid_t child;
        if (posix_spawn(&child, path, NULL, NULL, words, environ) || waitpid(child, &status, 0) != child) return NULL;
        return (void *)(long)status;
    }
    int main(int argc, char **argv) {
        pthread_t thread;
        pthread_attr_t small;
        void *status;
        if (pthread_attr_init(&small) || pthread_attr_setstacksize(&small, 16384)) return 2;
        if (pthread_create(&thread, &small, work, argv[1]) || pthread_join(thread, &status)) return 3;
        return status == (void *)(7L << 8) ? 0 : 1;
    }
    """
    assert run(area, compiled(tmp_path, text, "-pthread"), static) == (0, b"", b"")
    assert programs(area)["static"].blind == "static"


def test_a_header_that_was_written_over(area: Area, tmp_path: Path) -> None:
    """By a program that writes where it should not: others lose events, and do not search for room for ever."""
    for offset, value in ((TAIL, FAR), (HEAD, FAR), (ALLOCATED, 0)):
        area.put(offset, value)
    given = PLAIN | area.environment(library())
    assert subprocess.run(["cp", "/etc/passwd", tmp_path / "copy"], env=given, timeout=60).returncode == 0
    assert area.number(LOST) > 0


# ---- its environment


def test_an_environment_that_changes_while_shells_start(area: Area, tmp_path: Path) -> None:
    """Nothing that one thread sets is lost while others call system and popen."""
    program = compiled(
        tmp_path,
        """
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        static int bad, running = 4;
        static void *work(void *nothing) {
            for (int i = 0; i < 100; i++) {
                FILE *from = i % 2 ? popen("exit 7", "r") : NULL;
                int status = from ? pclose(from) : system("exit 7");
                if (status != 7 << 8) __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
            }
            __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
            return nothing;
        }
        int main(void) {
            char text[16];
            pthread_t threads[4];
            for (int i = 0; i < 1000; i++) {
                snprintf(text, sizeof text, "V%d", i);
                setenv(text, "", 1);
            }
            for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
            for (int i = 0; __atomic_load_n(&running, __ATOMIC_RELAXED); i++) {
                snprintf(text, sizeof text, "%d", i);
                setenv("WORD", text, 1);
                if (!getenv("WORD") || strcmp(getenv("WORD"), text)) return 1;
                if (i % 100 == 0) usleep(500);
            }
            for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
            return bad || getenv("LD_PRELOAD") || getenv("HPCPROV_IO");
        }
        """,
        "-pthread",
    )
    assert run(area, program) == (0, b"", b"")
    assert len([r for r in area.records() if r.kind == "program"]) == 401


# ---- its system calls


def test_a_program_that_forbids_itself_system_calls(area: Area, tmp_path: Path) -> None:
    """It is ended at any other than its own, and would be at one of ours."""
    program = compiled(
        tmp_path,
        """
        #include <fcntl.h>
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <stddef.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        #define ALLOW(n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
        int main(void) {
            struct sock_filter rules[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), ALLOW(SYS_openat),
                ALLOW(SYS_write), ALLOW(SYS_exit_group), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
            struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
            if (open("before", O_RDONLY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 1;
            if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 2;
            return open("after", O_RDONLY) < 0 || write(1, "x", 1) != 1;
        }
        """,
    )
    for name in ("before", "after"):
        (tmp_path / name).touch()
    assert run(area, program, cwd=tmp_path) == (0, b"x", b"")
    assert accesses(area) == {(os.fsencode(tmp_path / "before"), READ)}
    assert area.number(LOST) == 1
