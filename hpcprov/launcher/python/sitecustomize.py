"""What a Python program imports that is its user's own: its script, notebook and modules, not the interpreter's.

`hpcprov exec --audit python` puts this directory first on PYTHONPATH, so that every Python that starts runs this file,
whatever its version: old syntax, no import that the interpreter has not made. It takes itself out of what the program
sees, writes a line for each file into the file that HPCPROV_AUDIT names, and lets the site's own sitecustomize follow.

    {"path":"/home/ada/model/solve.py","as":"script","size":812,"mtime":1763712000000000000}
"""


def _start():
    import os
    import sys

    # First of all: what follows must not find this file again.
    here = os.path.dirname(__file__)
    sys.path[:] = [place for place in sys.path if place != here]
    sys.path_importer_cache.pop(here, None)
    # C's environment keeps both variables for the programs that this one starts; the program's own view does not.
    setting = os.environ._data.pop(b"HPCPROV_AUDIT", None)
    if setting is None:
        return
    flags, _, log = os.fsdecode(setting).partition(":")
    # A job script may have put more in front.
    places = os.environ.get("PYTHONPATH", "").split(":")
    if here in places:
        places.remove(here)
        if places or "e" in flags:
            os.environ._data[b"PYTHONPATH"] = os.fsencode(":".join(places))
        else:
            del os.environ._data[b"PYTHONPATH"]
    if log:
        _watch(log)


def _watch(log):
    import os
    import sys

    most_lines, most_bytes = 20000, 16 << 20
    roots = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__)}
    installed = tuple(root.rstrip("/") + "/" for root in roots if root.strip("/"))
    told = set()

    def note(path, how):
        try:
            if path.startswith(installed) or path in told or len(told) >= most_lines:
                return
            if "/site-packages/" in path or "/dist-packages/" in path:
                return
            told.add(path)
            path = os.path.join(os.getcwd(), path)
            found = os.stat(path)
            if found.st_mode & 0o170000 != 0o100000:
                return
            write(path, how, found)
        except Exception:
            pass  # the program's business goes on

    def write(path, how, found):
        from _json import encode_basestring_ascii as quoted

        text = '{"path":%s,"as":"%s","size":%d,"mtime":%d}\n'
        line = text % (quoted(path), how, found.st_size, found.st_mtime_ns)
        fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(fd).st_size < most_bytes:
                os.write(fd, line.encode())
        finally:
            os.close(fd)

    def note_spec(spec):
        origin = spec.origin
        if origin and spec.has_location:
            # A module in a zip file is named by the archive.
            archive = getattr(spec.loader, "archive", None)
            note(archive or origin, "archive" if archive else "module")

    # What importlib.machinery names, without the import of importlib.
    finder = sys.modules["_frozen_importlib_external"].PathFinder
    find_spec = finder.find_spec

    def find_and_note(cls, fullname, path=None, target=None):
        spec = find_spec(fullname, path, target)
        if spec is not None:
            try:
                note_spec(spec)
            except Exception:
                pass
        return spec

    finder.find_spec = classmethod(find_and_note)

    def note_words():
        """The script and notebooks of the command line. Not known yet at the start of Pythons before 3.8."""
        for number, word in enumerate(sys.argv):
            if number == 0 and word not in ("", "-", "-c", "-m"):
                note(word, "script")
            elif word.endswith(".ipynb"):
                note(word, "notebook")

    def note_rest():
        """Modules found in another way, such as importlib.util.spec_from_file_location."""
        for module in list(sys.modules.values()):
            spec = getattr(module, "__spec__", None)
            if spec is not None:
                try:
                    note_spec(spec)
                except Exception:
                    pass

    import atexit

    atexit.register(note_rest)
    if hasattr(sys, "argv"):
        note_words()
    else:
        atexit.register(note_words)


try:
    _start()
except Exception:
    pass
__import__("sys").modules.pop("sitecustomize", None)
# The site's own, or the ImportError that the interpreter expects when there is none.
__import__("sitecustomize")
