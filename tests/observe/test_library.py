"""The observer library by itself: what it needs to be loaded, and what it does to a program's environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.require import require

from .area_tool import READ, WRITE, Area, Record, library

PLAIN = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Area]:
    with Area.make(tmp_path / "area") as made:
        yield made


def run(area: Area, *command: str | Path, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
    given = {**PLAIN, **area.environment(library())}
    seen = subprocess.run(command, env=given, cwd=cwd, capture_output=True, timeout=60)
    return seen.returncode, seen.stdout, seen.stderr


def programs(area: Area) -> dict[str, Record]:
    """The programs by their file's name; the last of each."""
    return {os.fsdecode(r.path).rpartition("/")[2]: r for r in area.records() if r.kind == "program"}


def accesses(area: Area) -> set[tuple[bytes, int]]:
    return {(r.path, r.flags & (READ | WRITE)) for r in area.records() if r.kind == "access"}


def compiled(directory: Path, text: str, *words: str, compiler: str = "cc", name: str = "program") -> Path:
    require("cc" if compiler == "cc" else compiler, shutil.which(compiler))
    source = directory / f"{name}.c"
    source.write_text(text)
    subprocess.run([compiler, "-O1", "-o", directory / name, source, *words], check=True)
    return directory / name


# Reads, writes, renames, says its last argument, and with one runs another program.
ACTS = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    FILE *in = fopen("in", "r");
    int out = open("out", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (!in || out < 0 || write(out, "x", 1) != 1 || getenv("HPCPROV_IO") || getenv("LD_PRELOAD")) return 9;
    rename("out", "final");
    puts(argv[argc - 1]);
    fflush(stdout);
    return argc > 1 ? execl("/bin/cat", "cat", "in", (char *)0) : 0;
}
"""
# The same without a look at its environment, for programs in which the variables stay.
SHOWS = ACTS.replace("|| getenv", "|| 0 && getenv")

# ---- the file


def test_it_needs_no_library_and_only_old_names() -> None:
    require("readelf", shutil.which("readelf"))
    dynamic = subprocess.run(["readelf", "-dW", library()], capture_output=True, text=True, check=True).stdout
    assert "(NEEDED)" not in dynamic and "(VERNEED)" not in dynamic and "TEXTREL" not in dynamic
    table = subprocess.run(
        ["readelf", "--dyn-syms", "-W", library()], capture_output=True, text=True, check=True
    ).stdout
    needed = {line.split()[-1]: line for line in table.splitlines() if " UND " in line and not line.endswith(" UND ")}
    assert set(needed) <= {"environ", "__errno_location", "_r_debug", "_dl_debug_addr"}
    assert all(" WEAK " in line for line in needed.values())


def test_it_makes_no_stack_executable_and_keeps_no_thread_data() -> None:
    require("readelf", shutil.which("readelf"))
    segments = subprocess.run(["readelf", "-lW", library()], capture_output=True, text=True, check=True).stdout
    assert re.search(r"GNU_STACK.* RW ", segments)
    assert " TLS " not in segments


# ---- a program's environment


def test_a_program_sees_nothing_of_it(area: Area) -> None:
    bare = subprocess.run(["env"], env=PLAIN, capture_output=True, check=True)
    assert run(area, "env") == (0, bare.stdout, b"")


@pytest.mark.parametrize("others", ["/lib/none.so", "/lib/a.so:/lib/b.so", ""], ids=["one", "two", "none"])
@pytest.mark.parametrize("own_place", [True, False], ids=["last", "first"])
def test_what_a_program_preloads_itself_is_left(area: Area, others: str, own_place: bool) -> None:
    both = [str(library()), others] if others else [str(library())]
    given = {**PLAIN, **area.environment(library()), "LD_PRELOAD": ":".join(reversed(both) if own_place else both)}
    out = subprocess.run(["env"], env=given, capture_output=True, text=True, check=True).stdout
    assert [line for line in out.splitlines() if line.startswith("LD_PRELOAD")] == (
        [f"LD_PRELOAD={others}"] if others else []
    )
    assert "env" in programs(area)


@pytest.mark.parametrize(
    "command",
    [
        "cat in",
        "env -i /bin/cat in",
        "LD_PRELOAD= cat in",
        "unset LD_PRELOAD HPCPROV_IO; cat in",
        "env - sh -c 'env -i sh -c \"cat in\"'",
        "HPCPROV_IO=nonsense cat in",
        "HPCPROV_IO=1:0:0::/nonexistent cat in",
        "exec -a other cat in",
    ],
)
def test_children_are_observed_whatever_their_environment(area: Area, tmp_path: Path, command: str) -> None:
    (tmp_path / "in").write_text("text\n")
    assert run(area, "bash", "-c", command, cwd=tmp_path) == (0, b"text\n", b"")
    assert (os.fsencode(tmp_path / "in"), READ) in accesses(area)


def test_off_is_obeyed(area: Area, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("text\n")
    assert run(area, "sh", "-c", "HPCPROV_OBSERVE=off cat in; :", cwd=tmp_path) == (0, b"text\n", b"")
    assert programs(area)["cat"].blind == "off"
    assert not accesses(area)


def test_the_tree_of_programs(area: Area, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("text\n")
    assert run(area, "sh", "-c", "sh -c 'cat in; exit 3'; kill -9 $$", cwd=tmp_path)[0] == -9
    first, second, cat = (r for r in area.records() if r.kind == "program")
    assert (first.parent, second.parent, cat.parent) == (0, first.instance, second.instance)
    assert cat.strings[1:] == [os.fsencode(tmp_path), b"cat", b"in"]
    ends = {r.numbers[1]: r.numbers[0] for r in area.records() if r.kind == "end"}
    assert ends[cat.pid] == 0 and ends[second.pid] == 3 << 8


def test_what_could_not_be_executed_did_not_run(area: Area, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELF\x01" + bytes(100))
    (tmp_path / "broken").chmod(0o755)
    assert run(area, "sh", "-c", "./broken; :", cwd=tmp_path)[0] == 0
    (unseen,) = (r for r in area.records() if r.kind == "program" and r.path.endswith(b"/broken"))
    assert unseen.blind == "other abi"
    assert unseen.instance in {r.instance for r in area.records() if r.kind == "not run"}


# ---- programs of every kind


def test_musl(area: Area, tmp_path: Path) -> None:
    program = compiled(tmp_path, ACTS, compiler="musl-gcc")
    (tmp_path / "in").write_text("text\n")
    assert run(area, program, "argument", cwd=tmp_path) == (0, b"argument\ntext\n", b"")
    assert programs(area)["program"].strings[2:] == [os.fsencode(program), b"argument"]
    top = os.fsencode(tmp_path)
    assert accesses(area) >= {(top + b"/in", READ), (top + b"/out", WRITE)}
    assert [r.strings for r in area.records() if r.kind == "rename"] == [[top + b"/out", top + b"/final"]]
    assert "cat" in programs(area)


def test_before_and_behind_another_preloaded_library(area: Area, tmp_path: Path) -> None:
    """It counts opens as Darshan does; both see each of them, in either order."""
    counter = compiled(
        tmp_path,
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <unistd.h>
        static int opens;
        int open(const char *path, int flags, ...) {
            opens++;
            return ((int (*)(const char *, int, int))dlsym(RTLD_NEXT, "open"))(path, flags, 0644);
        }
        __attribute__((destructor)) static void tell(void) { dprintf(1, "%d opens\\n", opens); }
        """,
        "-shared",
        "-fPIC",
        "-ldl",
        name="counter.so",
    )
    program = compiled(tmp_path, SHOWS)
    (tmp_path / "in").write_text("text\n")
    for order in (f"{counter}:{library()}", f"{library()}:{counter}"):
        given = {**PLAIN, **area.environment(library()), "LD_PRELOAD": order}
        seen = subprocess.run([program], cwd=tmp_path, env=given, capture_output=True, timeout=60)
        assert (seen.returncode, seen.stdout, seen.stderr) == (0, os.fsencode(program) + b"\n1 opens\n", b"")
        (tmp_path / "final").unlink()
    written = [r.path for r in area.records() if r.kind == "access" and r.flags & WRITE]
    assert written == [os.fsencode(tmp_path / "out")] * 2


@pytest.mark.parametrize("sanitizer", ["address", "undefined", "thread", "leak"])
def test_sanitizers(area: Area, tmp_path: Path, sanitizer: str) -> None:
    compiled(tmp_path, SHOWS, f"-fsanitize={sanitizer}")
    (tmp_path / "in").write_text("text\n")
    bare = subprocess.run(["sh", "-c", "./program; :"], cwd=tmp_path, env=PLAIN, capture_output=True, timeout=60)
    assert run(area, "sh", "-c", "./program; :", cwd=tmp_path) == (bare.returncode, bare.stdout, bare.stderr)
    told = programs(area)["program"]
    if sanitizer == "address":
        assert told.blind == "sanitizer"
    else:
        assert told.blind == "seen" and (os.fsencode(tmp_path / "in"), READ) in accesses(area)


def test_32_bits(area: Area, tmp_path: Path) -> None:
    (tmp_path / "try.c").write_text("int main(void) { return 0; }")
    have = shutil.which("cc") and subprocess.run(
        ["cc", "-m32", tmp_path / "try.c", "-o", "/dev/null"], capture_output=True
    )
    require("gcc-multilib", have and have.returncode == 0)
    compiled(tmp_path, SHOWS, "-m32")
    (tmp_path / "in").write_text("text\n")
    assert run(area, "sh", "-c", "./program; :", cwd=tmp_path) == (0, b"./program\n", b"")
    assert programs(area)["program"].blind == "other abi"


def test_a_static_program_and_its_children(area: Area, tmp_path: Path) -> None:
    compiled(tmp_path, SHOWS, "-static")
    (tmp_path / "in").write_text("text\n")
    assert run(area, "sh", "-c", "./program x; :", cwd=tmp_path) == (0, b"x\ntext\n", b"")
    unseen, cat = programs(area)["program"], programs(area)["cat"]
    assert unseen.blind == "static" and unseen.strings[2:] == [b"./program", b"x"]
    assert cat.parent == unseen.instance and (os.fsencode(tmp_path / "in"), READ) in accesses(area)


def test_a_set_id_program(area: Area, tmp_path: Path) -> None:
    require("root", os.geteuid() == 0)
    shutil.copy("/bin/cat", tmp_path / "cat-as-other")
    os.chown(tmp_path / "cat-as-other", 1, 1)
    (tmp_path / "cat-as-other").chmod(0o4755)
    tmp_path.chmod(0o755)
    (tmp_path / "in").write_text("text\n")
    assert run(area, "sh", "-c", "./cat-as-other < in; :", cwd=tmp_path) == (0, b"text\n", b"")
    assert programs(area)["cat-as-other"].blind == "set-id"


@pytest.mark.parametrize("cgo", [False, True], ids=["static", "cgo"])
def test_go(area: Area, tmp_path: Path, cgo: bool) -> None:
    require("go", shutil.which("go"))
    (tmp_path / "program.go").write_text(
        "package main\n"
        + ('import "C"\n' if cgo else "")
        + 'import ("os"; "os/exec")\n'
        + 'func main() { os.ReadFile("in"); c := exec.Command("/bin/cat", "in2"); c.Stdout = os.Stdout; c.Run() }\n'
    )
    for name in ("in", "in2"):
        (tmp_path / name).write_text("text\n")
    cache = {
        "HOME": str(tmp_path),
        "GOCACHE": str(tmp_path / "cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": str(int(cgo)),
    }
    subprocess.run(
        ["go", "build", "-o", "program", "program.go"], cwd=tmp_path, env=PLAIN | cache, check=True, timeout=120
    )
    assert run(area, "sh", "-c", "./program; :", cwd=tmp_path) == (0, b"text\n", b"")
    blind = [r.blind for r in area.records() if r.kind == "program" and r.path.endswith(b"/program")]
    assert blind == ["go" if cgo else "static"]
    assert (os.fsencode(tmp_path / "in2"), READ) in accesses(area)
    assert programs(area)["cat"].strings[2:] == [b"/bin/cat", b"in2"]


def test_a_library_that_was_removed_meanwhile(area: Area, tmp_path: Path) -> None:
    """The loader would say on stderr that it is not there."""
    own = tmp_path / "libhpcprov-observe.so"
    shutil.copy(library(), own)
    given = {**PLAIN, **area.environment(own)}
    seen = subprocess.run(["sh", "-c", f"rm {own}; cat /dev/null; env"], env=given, capture_output=True, timeout=60)
    assert seen.returncode == 0 and seen.stderr == b"" and b"LD_PRELOAD" not in seen.stdout
    assert programs(area)["cat"].blind == "unreadable"


# ---- what a path means

CHANGES = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void put(const char *path) {
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    if (fd < 0 || close(fd)) exit(9);
}
int main(int argc, char **argv) {
    char *const none[] = {"none", NULL};
    if (argc > 1 && (chroot("inner") || chdir("/"))) return 8;
    if (vfork() == 0) {
        if (chdir("a")) _exit(7);
        execv("/nonexistent", none);
        _exit(0);
    }
    put("parent");
    if (fork() == 0) {
        if (chdir("a")) _exit(7);
        put("child");
        put("child2");
        _exit(0);
    }
    put(argc > 1 ? "/parent2" : "parent2");
    int bad = 0, status;
    while (wait(&status) > 0) bad |= status;
    return bad != 0;
}
"""


@pytest.mark.parametrize("within", [False, True], ids=["plain", "chroot"])
def test_directories_of_parents_and_children(area: Area, tmp_path: Path, within: bool) -> None:
    """Also when a child of vfork, which shares the memory, changes its own; and when / is somewhere else."""
    require("root", os.geteuid() == 0)
    program = compiled(tmp_path, CHANGES)
    top = tmp_path / "inner" if within else tmp_path
    (top / "a").mkdir(parents=True)
    assert run(area, program, *(["within"] if within else []), cwd=tmp_path) == (0, b"", b"")
    expected = {os.fsencode(top / name) for name in ("parent", "parent2", "a/child", "a/child2")}
    assert {path for path, flags in accesses(area)} == expected


def test_an_environment_of_any_size(area: Area, tmp_path: Path) -> None:
    """From a thread whose stack could not hold it."""
    program = compiled(
        tmp_path,
        """
        #include <pthread.h>
        #include <spawn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/wait.h>
        extern char **environ;
        static void *work(void *nothing) {
            char *const words[] = {"sh", "-c", "exit $V77", NULL};
            int status = 1;
            pid_t child;
            if (posix_spawn(&child, "/bin/sh", nothing, NULL, words, environ)) return NULL;
            waitpid(child, &status, 0);
            printf("%d\\n", WEXITSTATUS(status));
            return NULL;
        }
        int main(void) {
            char name[16];
            pthread_t thread;
            pthread_attr_t small;
            for (int i = 0; i < 20000; i++) {
                snprintf(name, sizeof name, "V%d", i);
                setenv(name, "7", 1);
            }
            pthread_attr_init(&small);
            pthread_attr_setstacksize(&small, 32768);
            pthread_create(&thread, &small, work, NULL);
            pthread_join(thread, NULL);
            printf("%d\\n", WEXITSTATUS(system("exit $V19999")));
            return getenv("LD_PRELOAD") || getenv("HPCPROV_IO");
        }
        """,
        "-pthread",
    )
    assert run(area, program) == (0, b"7\n7\n", b"")
    assert len([r for r in area.records() if r.kind == "program"]) == 3


def test_shells_of_several_threads(area: Area, tmp_path: Path) -> None:
    """While one shell runs others come and go, and the environment changes: each shell is observed and none fails."""
    program = compiled(
        tmp_path,
        """
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        static int bad;
        static void *work(void *nothing) {
            char text[8];
            for (int i = 0; i < 20; i++) {
                FILE *from = popen("echo hi", "r");
                int wrong = !from || !fgets(text, sizeof text, from) || strcmp(text, "hi\\n") || pclose(from);
                wrong |= system("exit 7") != 7 << 8;
                if (wrong) __atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED);
            }
            return nothing;
        }
        int main(void) {
            pthread_t threads[4];
            for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
            for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
            int left = getenv("LD_PRELOAD") || getenv("HPCPROV_IO");
            setenv("WORD", "5", 1);
            bad |= system("exit $WORD") != 5 << 8;
            clearenv();
            bad |= system("exit 6") != 6 << 8;
            return bad || left || getenv("HPCPROV_IO");
        }
        """,
        "-pthread",
    )
    assert run(area, program) == (0, b"", b"")
    assert len([r for r in area.records() if r.kind == "program"]) == 1 + 4 * 20 * 2 + 2


def test_a_relative_name_on_a_signals_stack(area: Area, tmp_path: Path) -> None:
    """The first one, with 3 KiB left: the working directory must be asked for."""
    program = compiled(
        tmp_path,
        """
        #include <alloca.h>
        #include <fcntl.h>
        #include <signal.h>
        #include <sys/mman.h>
        enum { SIZE = 1 << 17, LEFT = 3072 };
        static char *lowest;
        static void handle(int number) {
            char here, *taken = alloca(&here - lowest - LEFT);
            taken[0] = (char)number;
            open(taken[0] ? "in" : taken, O_RDONLY);
        }
        int main(void) {
            lowest = (char *)mmap(0, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + SIZE;
            stack_t stack = {.ss_sp = lowest, .ss_size = SIZE};
            struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
            if (open("/dev/null", O_RDONLY) < 0 || mprotect(lowest - SIZE, SIZE, PROT_NONE)) return 1;
            return sigaltstack(&stack, 0) || sigaction(SIGUSR1, &action, 0) || raise(SIGUSR1);
        }
        """,
    )
    (tmp_path / "in").write_text("in")
    assert run(area, program, cwd=tmp_path) == (0, b"", b"")
    assert (os.fsencode(tmp_path / "in"), READ) in accesses(area)
