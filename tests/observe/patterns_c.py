"""The ways of the C library: a row for each way of `probe/opens.c`, `names.c` and `processes.c`. See pattern.py."""

from __future__ import annotations

from .pattern import Pattern


def opens(way: str, read: str = "", written: str = "", **more: str) -> Pattern:
    """A row of `probe/opens.c`."""
    return Pattern(f"opens {way}", ("opens", way), read, written, **more)  # type: ignore[arg-type]


def named(way: str, read: str = "", written: str = "", **more: str) -> Pattern:
    """A row of `probe/names.c`."""
    return Pattern(f"names {way}", ("names", way), read, written, **more)  # type: ignore[arg-type]


def process(way: str, read: str = "", written: str = "", *, status: int = 0, **more: str) -> Pattern:
    """A row of `probe/processes.c`."""
    return Pattern(f"processes {way}", ("processes", way), read, written, status=status, **more)  # type: ignore[arg-type]


OPENS = (
    opens("open", "in", "out"),
    opens("open64", "in", "out"),
    opens("creat", "", "out out64"),
    opens("append", "", "old out"),
    opens("update", "old", "old"),
    opens("overwrite", "", "old"),
    opens("checked", "in in2 old", "old"),
    opens("dirfd", "dir/in", "out dir/deep/out dir/out"),
    opens("chdir", "dir/in", "dir/deep/out out"),
    opens("path_only", "in"),
    opens("failing", "in"),
    opens("link_followed", "in", "out", linked=">link >dangling"),
    opens("fopen", "in in2 old2 out2 out3", "out old old2 out2 out3 out4"),
    opens("fopen64", "in", "out"),
    opens("fdopen", "in", "out"),
    opens("freopen", "in in2", "out printed"),
    opens("temporary"),
    opens("replace", "out"),
    opens("nameless", linked=">out"),
    opens("tmpfile", "", "out"),
    opens("truncate", "old2", "old in"),
    opens("mmap", "in old", "old"),
    opens("copy_range", "in", "out"),
    opens("sendfile", "in", "out"),
    opens("vectors", "out", "out"),
    opens("dlopen", "in", unseen="library.so"),
    opens("special", "in"),
    opens("shared_memory", "in"),
    opens("odd_names", "in"),
    opens("long_names"),
    opens("raw", "in", "out", unseen="in"),
)

NAMES = (
    named("rename", "", "part", renamed="in>new part>old"),
    named("renameat", renamed="dir/in>new old>dir/deep/new"),
    named("renameat2", renamed="in>new"),
    named("exchange", renamed="in>old old>in"),
    named("rename_directory", "", "moved/later", renamed="dir>moved"),
    named("back_and_forth", "", "in", renamed="in>new new>newer"),
    named("link", "", "hard", linked="in>hard dir/in>hard2"),
    named("symlink", "", "in", linked=">soft >soft2"),
    named("unlink", "", "scratch", removed="in dir/in old scratch dir/empty"),
    named("rmdir", "", "fresh/a", removed="fresh fresh/a"),
    named("unlink_while_open", "kept", "kept", removed="kept"),
    named("again", "", "out", renamed="out>out2", removed="out"),
)

PROCESSES = (
    process("fork", "in", "out"),
    process("double_fork", "in", "out"),
    process("execv", "in"),
    process("execve", "in"),
    process("execl", "in in2"),
    process("execle", "in"),
    process("execlp", "in in2"),
    process("execvp", "in"),
    process("execvpe", "in"),
    process("fexecve", "in"),
    process("execveat", "in"),
    process("exec_fails", "in", "out"),
    process("exec_script", "in script"),
    process("exec_many", "in"),
    process("vfork", "in", "out"),
    process("vfork_opens", "in", "out"),
    process("empty_environment", "in"),
    process("clearenv", "in"),
    process("no_environ", "in", "out"),
    process("own_preload", "in"),
    process("unset", "in", "out"),
    process("off", "in", "out", unseen="in cat"),
    process("spawn", "in"),
    process("spawn_actions", "dir/in in2", "dir/out"),
    process("system", "in", "out"),
    process("popen", "in", "out"),
    process("exit_at_once", "in", "out", status=7),
    process("abort", "in", "out", status=-6),
    process("killed", "in", "out", status=-9),
    process("child_killed", "in", "out"),
    process("close_all", "in", "out", status=1),
    process("close_each", "in", "out"),
    process("few_descriptors", "in", "out"),
    process("handler", "in", "out"),
    process("threads", "out0 out7", "out0 out1 out2 out3 out4 out5 out6 out7"),
    process("threads_spawn", "in", "out0 out1 out2 out3 out4 out5 out6 out7"),
    process("thread_execs", "in", "out"),
    process("thread_elsewhere", "in dir/in", "out dir/out"),
    process("fork_chdir", "", "out dir/out"),
    process("cwd_renamed", "", "dir/first moved/out", renamed="dir>moved"),
    process("cwd_removed", "in", removed="gone"),
    process("many_forks", "in", "out"),
    process("sessions", "in", "out"),
)
