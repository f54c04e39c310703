"""Keeping secrets out of the log before the first write: an allow-list for the environment, scrubbing for the rest.

The tables are in allowlist.txt and secrets.txt, from which the launcher's C version of `scrub_argv` and `scrub_word` is
built as well; tests/capture/scrub_cases.json holds for both. Example:

    scrub_argv(["curl", "--token", "s3cr3t", "https://ada:pw@host/x?sig=abc"]) \\
        == ["curl", "--token", "***", "https://***@host/x?sig=***"]

The rules for one word (an argument, the value of a variable), in order:

1. `NAME=...` from its start, NAME made of A-Z a-z 0-9 _ . - : all after `=` goes when NAME is sensitive.
2. A PEM private key goes, from its BEGIN to its END line.
3. `scheme://user:password@` loses all before the `@`; `http(s)://anything@` does too.
4. `NAME=value` anywhere, NAME also in quotes: the value goes, up to white space or one of `"'&;,|<>)]}` (in quotes: up
   to the same quote); `NAME: value` too, up to the end of the line or a quote. In a query (`?` or `&` before it) the
   names of signatures (`sig`, ...) count as well.
5. A word of its own that begins with one of the known prefixes goes.
6. In a text of several words (`bash -c "..."`), the word after an option whose argument is a secret goes, or what is in
   its quotes.
7. After `Bearer ` (RFC 6750) a token goes: 20 or more of A-Z a-z 0-9 _ - . ~ + / =, or 8 with a digit among them.

NAME is sensitive when one of the never-parts is in it, whatever its case, and a word ends there: the next character is
no letter, or it is upper case after lower case (`api_key`, `accessKeyId`, `TOKEN2`; not `tokenizer`, `keyframes`).
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HIDDEN = "***"
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
WORD = LETTERS | frozenset("0123456789_-.")
QUOTES = "\"'"
URL_ENDS = frozenset("/?#\\<>\"' \t\r\n")
VALUE_ENDS = frozenset("\"'&;,|<>)]} \t\r\n")
TOKEN = WORD | frozenset("~+/=")
SCHEMES = ("Bearer", "bearer", "BEARER")
BLANKS = (" ", "\t")
LINE_ENDS = frozenset("\"'\r\n")
QUERY_NAMES = ("sig", "signature", "x-amz-signature", "x-goog-signature")
PEM_BEGIN, PEM_END, PEM_KEY = "-----BEGIN ", "-----END ", "PRIVATE KEY-----"


class Tables:
    """The entries of both tables by kind."""

    def __init__(self, text: str) -> None:
        """Parse the text of the tables; their first lines say how."""
        lines = [line.strip() for line in text.splitlines()]
        entries = [line for line in lines if line and not line.startswith("#")]
        self.never = tuple(line[1:].upper() for line in entries if line.startswith("!"))
        self.options = tuple(line for line in entries if line.startswith("-"))
        self.tokens = tuple(parse_token(line) for line in entries if line.startswith("@"))
        names = [line for line in entries if line[0] not in "!-@"]
        self.prefixes = tuple(line[:-1] for line in names if line.endswith("*"))
        self.names = frozenset(line for line in names if not line.endswith("*"))


def parse_token(line: str) -> tuple[str, int]:
    """`@ghp_ 30` -> ("ghp_", 30)."""
    prefix, count = line[1:].split()
    return prefix, int(count)


def read_tables() -> Tables:
    """The tables beside this module."""
    folder = os.path.dirname(__file__)
    return Tables("".join(read_text(os.path.join(folder, name)) for name in ("allowlist.txt", "secrets.txt")))


TABLES = read_tables()


def is_allowed(name: str) -> bool:
    """Whether an environment variable may be recorded."""
    if any(part in name.upper() for part in TABLES.never):
        return False
    return name in TABLES.names or name.startswith(TABLES.prefixes)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that may be recorded, sorted by name, with scrubbed values."""
    return {name: scrub_word(environ[name]) for name in sorted(environ) if is_allowed(name)}


def scrub_argv(argv: Sequence[str]) -> list[str]:
    """A command line without its secrets: as many words as before."""
    found, hide = [], False
    for word in argv:
        secret = hide and not word.startswith("--")
        found.append(HIDDEN if secret else scrub_word(word))
        hide = word in TABLES.options and not secret
    return found


def scrub_word(word: str) -> str:
    """One argument or value without its secrets."""
    end = run_end(word, 0)
    if word[end : end + 1] == "=" and len(word) > end + 1 and is_sensitive(word[:end]):
        return word[: end + 1] + HIDDEN
    return scrub_text(word)


def scrub_text(text: str) -> str:
    """The rules for any place in a text."""
    return scrub_bearers(scrub_options(scrub_tokens(scrub_assignments(scrub_url(scrub_keys(text))))))


def scrub(text: str) -> str:
    """Any text (output, several lines) without its secrets: the rules for a word, also where ` = ` stands in it."""
    import re

    text = re.sub(r"(?i)((?:password|passwd|token|secret)[ \t]+=[ \t]*)[^\s\"',;]+", rf"\1{HIDDEN}", text)
    return scrub_text(text)


def is_sensitive(name: str) -> bool:
    """Whether a name stands for a secret: a never-part ends a word of it."""
    upper = ascii_upper(name)
    for part in TABLES.never:
        place = upper.find(part)
        while place >= 0:
            if ends_word(name, place + len(part)):
                return True
            place = upper.find(part, place + 1)
    return False


def ascii_upper(text: str) -> str:
    """Upper case for a-z alone, so that the length stays."""
    return "".join(chr(ord(letter) - 32) if "a" <= letter <= "z" else letter for letter in text)


def ends_word(name: str, place: int) -> bool:
    """Whether a word of a name ends before `place`: `api_key|_id`, `accessKey|Id`."""
    if place >= len(name) or name[place] not in LETTERS:
        return True
    return name[place - 1].islower() and name[place].isupper()


def run_end(text: str, start: int) -> int:
    """The end of the run of word characters that starts here."""
    while start < len(text) and text[start] in WORD:
        start += 1
    return start


def run_start(text: str, end: int) -> int:
    """The start of the run of word characters that ends here."""
    while end > 0 and text[end - 1] in WORD:
        end -= 1
    return end


def scrub_keys(text: str) -> str:
    """Hide PEM private keys (rule 2)."""
    begin = text.find(PEM_BEGIN)
    while begin >= 0:
        header = text.find(PEM_KEY, begin)
        if header < 0:
            return text
        end = text.find(PEM_END, header)
        tail = text.find("-----", end + len(PEM_END)) if end >= 0 else -1
        rest = text[tail + 5 :] if tail >= 0 else ""
        text = text[:begin] + HIDDEN + rest
        begin = text.find(PEM_BEGIN, begin)
    return text


def scrub_url(text: str) -> str:
    """Hide who logs in with what in each URL (rule 3)."""
    place = text.find("://")
    while place >= 0:
        start = end = place + 3
        while end < len(text) and text[end] not in URL_ENDS:
            end += 1
        at = text.rfind("@", start, end)
        secure = text[run_start(text, place) : place].lower().endswith(("http", "https"))
        if at >= 0 and (":" in text[start:at] or secure):
            text = text[:start] + HIDDEN + text[at:]
        place = text.find("://", start)
    return text


def scrub_assignments(text: str) -> str:
    """Hide the values of sensitive names (rule 4)."""
    place = 0
    while place < len(text):
        if text[place] in "=:" and names_secret(text, place):
            start, end = value_span(text, place)
            if end > start:
                text, place = text[:start] + HIDDEN + text[end:], start + len(HIDDEN) - 1
        place += 1
    return text


def names_secret(text: str, place: int) -> bool:
    """Whether a sensitive name, perhaps in quotes, stands before the `=` or `:` at `place`."""
    quoted = place > 0 and text[place - 1] in QUOTES
    if text[place] == ":" and not quoted and text[place + 1 : place + 2] != " ":
        return False
    end = place - 1 if quoted else place
    start = run_start(text, end)
    in_query = start > 0 and text[start - 1] in "?&"
    return is_sensitive(text[start:end]) or (in_query and text[start:end].lower() in QUERY_NAMES)


def value_span(text: str, place: int) -> tuple[int, int]:
    """Where the value after the `=` or `:` at `place` starts and ends."""
    start = place + 1
    while text[place] == ":" and text[start : start + 1] == " ":
        start += 1
    return word_span(text, start, LINE_ENDS if text[place] == ":" else VALUE_ENDS)


def word_span(text: str, start: int, ends: frozenset[str]) -> tuple[int, int]:
    """Where what is in quotes at `start`, or else all up to one of the `ends`, starts and ends."""
    if text[start : start + 1] and text[start] in QUOTES:
        end = text.find(text[start], start + 1)
        return start + 1, end if end >= 0 else len(text)
    end = start
    while end < len(text) and text[end] not in ends:
        end += 1
    return start, end


def scrub_tokens(text: str) -> str:
    """Hide words with known prefixes (rule 5)."""
    for prefix, count in TABLES.tokens:
        place = text.find(prefix)
        while place >= 0:
            if place == 0 or text[place - 1] not in LETTERS:
                end = run_end(text, place + len(prefix))
                if end - place - len(prefix) >= count:
                    text = text[:place] + HIDDEN + text[end:]
            place = text.find(prefix, place + 1)
    return text


def scrub_options(text: str) -> str:
    """Hide what follows an option whose argument is a secret (rule 6)."""
    if not ("-" in text and (" " in text or "\t" in text)):
        return text
    for option in TABLES.options:
        place = text.find(option)
        while place >= 0:
            gap = start = place + len(option)
            while text[start : start + 1] in BLANKS:
                start += 1
            if start > gap and (place == 0 or text[place - 1] not in WORD) and text[start : start + 1] != "-":
                start, end = word_span(text, start, VALUE_ENDS)
                text = text[:start] + HIDDEN + text[end:] if end > start else text
            place = text.find(option, gap)
    return text


def scrub_bearers(text: str) -> str:
    """Hide the token after `Bearer` (rule 7)."""
    for scheme in SCHEMES:
        place = text.find(scheme)
        while place >= 0:
            gap = start = place + len(scheme)
            while text[start : start + 1] in BLANKS:
                start += 1
            end = start
            while end < len(text) and text[end] in TOKEN:
                end += 1
            if start > gap and (place == 0 or text[place - 1] not in WORD) and is_token(text[start:end]):
                text = text[:start] + HIDDEN + text[end:]
            place = text.find(scheme, gap)
    return text


def is_token(word: str) -> bool:
    """Whether a word is no word of a language: very long, or long with a digit in it."""
    return len(word) >= 20 or (len(word) >= 8 and any("0" <= letter <= "9" for letter in word))
