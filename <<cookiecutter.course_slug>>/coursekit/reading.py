"""A student's file, any bytes, as a valid notebook of today's format, or why it is none.

Only what grading needs is taken over: the type, text, attachments, nbgrader's metadata and tags of
each cell. So nothing else in the file can be invalid, too large or too deep for what comes later.
"""

import json
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from coursekit.errors import Ungradable

PIECES = 2_000_000  # brackets and commas: what parsing takes in memory grows with them
CELLS = 2_000  # a module has about 80
PROSE, ALL_PROSE = 10_000, 150_000  # characters of a text cell, of all: HTML of more takes minutes
TEXT = 5_000_000  # characters in all cells
FORMAT = (4, 5)

CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
CONFLICT = re.compile(r"^[<>]{7} ", re.M)
SIGNS = {  # how files begin that are often handed in under a notebook's name
    "<": "it is a web page, perhaps of a login",
    "PK": "it is a zip archive; unzip it and hand in the notebook inside",
    "%PDF": "it is a PDF; hand in the .ipynb file",
    "version https://git-lfs": "it is Git LFS's stand-in; hand in the file it stands for",
}

Json = Any
Notes = dict[str, None]  # clauses, each once, in order


def read(name: str, data: bytes) -> tuple[NotebookNode, list[str]]:
    """Return the notebook in these bytes and what was repaired; raise Ungradable if none is."""
    notes: Notes = {}
    text = decoded(name, data, notes)
    if text.endswith("\0"):
        notes["empty bytes at its end were dropped"] = None
        text = text.rstrip("\0")
    parse = percent if PurePath(name).suffix.lower() == ".py" else parsed
    try:
        nb = clean(parse(text), notes)
    except Ungradable as error:
        raise Ungradable(f"{name} is not a notebook: {error}") from None
    return nb, list(notes)


def decoded(name: str, data: bytes, notes: Notes) -> str:
    """Return the text of a file in UTF-8, 16 or 32, or else in Windows' superset of Latin-1."""
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "Windows-1252"
        text = data.decode("cp1252", errors="replace")
    if encoding == "utf-8-sig":
        notes[f"{name} began with a byte order mark"] = None
    elif encoding != "utf-8":
        notes[f"{name} was read as {encoding.upper()}, not UTF-8"] = None
    return text


def parsed(text: str) -> Json:
    """Return the JSON in a text."""
    if sum(map(text.count, "{[,")) > PIECES:
        raise Ungradable(f"it has more than {PIECES:,} pieces; clear its outputs")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise Ungradable(why_no_json(text, error)) from None


def why_no_json(text: str, error: Exception) -> str:
    """Return in a student's words why a text is no JSON."""
    start = text.lstrip("\0\ufeff \t\r\n")
    if not start:
        return "it is empty"
    for sign, meaning in SIGNS.items():
        if start.startswith(sign):
            return meaning
    if CONFLICT.search(text):
        return "it holds the marks of a Git merge conflict"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return f"it is no JSON ({str(error)[:80]})"
    if error.msg.startswith("Unterminated string") or not text[error.pos :].strip():
        return "it breaks off before its end"
    return f"it is no JSON (line {error.lineno}: {error.msg})"


def percent(text: str) -> Json:
    """Return the notebook in a percent-format .py that kept nbgrader's metadata."""
    if '"grade_id"' not in text:
        raise Ungradable("its cells carry no names; hand in the .ipynb file")
    try:
        return jupytext.reads(text, fmt="py:percent")
    except Exception as error:  # jupytext raises whatever its parsers raise
        raise Ungradable(f"jupytext cannot read it ({type(error).__name__})") from None


def clean(raw: Json, notes: Notes) -> NotebookNode:
    """Return a valid notebook of what is usable in a parsed one."""
    given = cells_in(raw)
    if not given:
        raise Ungradable("it holds no cells")
    if len(given) > CELLS:
        raise Ungradable(f"it has {len(given):,} cells, more than {CELLS:,}")
    version = raw.get("nbformat"), raw.get("nbformat_minor")
    if version != FORMAT:
        known = all(isinstance(n, int) and 0 <= n < 1000 for n in version)
        shown = f"{version[0]}.{version[1]}" if known else "unknown"
        notes[f"notebook format {shown} was read as 4.5"] = None
    cells = [cell_of(cell, number, notes) for number, cell in enumerate(given, 1)]
    shorten([cell for cell in cells if cell.cell_type != "code"], notes)
    if sum(len(cell.source) for cell in cells) > TEXT:
        raise Ungradable(f"its cells hold more than {TEXT:,} characters")
    if unique(cells) and version == FORMAT:
        notes["cell ids were missing or repeated"] = None
    major, minor = FORMAT
    return NotebookNode(cells=cells, metadata={}, nbformat=major, nbformat_minor=minor)


def shorten(prose: list[NotebookNode], notes: Notes) -> None:
    """Cut texts that are longer than any answer."""
    left = ALL_PROSE
    for cell in prose:
        most = max(0, min(PROSE, left))
        if len(cell.source) > most:
            notes[f"texts of more than {PROSE:,} characters were cut"] = None
            cell.source = cell.source[:most]
        left -= len(cell.source)


def cells_in(raw: Json) -> list[Json]:
    """Return the cells of a notebook; before format 4, of all its worksheets."""
    if not isinstance(raw, dict):
        raise Ungradable("it holds no list of cells")
    sheets = raw.get("worksheets") if "cells" not in raw else [raw]
    lists = [s.get("cells") for s in sheets if isinstance(s, dict)] if is_list(sheets) else []
    if not lists or not all(map(is_list, lists)):
        raise Ungradable("it holds no list of cells")
    return [cell for cells in lists for cell in cells]


def is_list(value: Json) -> bool:
    return isinstance(value, list)


def cell_of(raw: Json, number: int, notes: Notes) -> NotebookNode:
    """Return a valid cell of what is usable in one; its id may be missing."""
    if not isinstance(raw, dict):
        raise Ungradable(f"its cell {number} is no cell")
    kind, text = raw.get("cell_type"), text_of(raw, number, notes)
    if kind == "heading":  # format 3
        kind, text = "markdown", f"{'#' * level_of(raw)} {text}"
    elif kind not in ("code", "markdown", "raw"):
        notes["cells of an unknown type were read as raw text"] = None
        kind = "raw"
    if any(field not in raw for field in required(kind)) and "input" not in raw:
        notes["fields that cells lacked were filled in"] = None
    fields = {"id": raw.get("id"), "cell_type": kind, "metadata": metadata_of(raw), "source": text}
    if kind == "code":
        fields |= {"outputs": [], "execution_count": None}
    elif kind == "markdown" and is_attachments(raw.get("attachments")):
        fields["attachments"] = raw["attachments"]
    return nbformat.from_dict(fields)


def required(kind: str) -> tuple[str, ...]:
    code = ("outputs", "execution_count") if kind == "code" else ()
    return ("metadata", "source", *code)


def level_of(raw: Json) -> int:
    level = raw.get("level")
    return min(max(level, 1), 6) if isinstance(level, int) else 1


def text_of(raw: Json, number: int, notes: Notes) -> str:
    """Return the text of a cell: one string or a list of lines, with \\n as line ends."""
    value = raw.get("source", raw.get("input", ""))  # format 3 says input
    if isinstance(value, str):
        value = [value]
    if not is_list(value) or not all(isinstance(line, str) for line in value):
        raise Ungradable(f"the source of its cell {number} is no text")
    if len(value) > 1 and not any(line.endswith(("\n", "\r")) for line in value[:-1]):
        notes["line ends that cells lacked were filled in"] = None
        return mended("\n".join(value), notes)
    return mended("".join(value), notes)


def mended(text: str, notes: Notes) -> str:
    """Return a text with Unix line ends that can be written in UTF-8 and compiled."""
    if "\r" in text:
        notes["line ends of Windows were replaced"] = None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    proper = encodable(text).replace("\0", "\ufffd")
    if proper != text:
        notes["characters that are none were replaced"] = None
    return proper


def encodable(text: str) -> str:
    """Return a text with halves of surrogate pairs replaced: UTF-8 has no such characters."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def metadata_of(raw: Json) -> dict[str, Any]:
    """Return nbgrader's metadata and the tags of a cell, where they are what they should be."""
    given = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    nbgrader, tags, kept = given.get("nbgrader"), given.get("tags"), {}
    if isinstance(nbgrader, dict):
        plain = {encodable(key): value for key, value in nbgrader.items() if is_plain(value)}
        kept["nbgrader"] = {k: encodable(v) if isinstance(v, str) else v for k, v in plain.items()}
    if is_list(tags):
        kept["tags"] = unique_texts(encodable(tag) for tag in tags if isinstance(tag, str))
    return kept


def is_plain(value: Json) -> bool:
    return isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**31)


def unique_texts(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text and "," not in text))


def is_attachments(value: Json) -> bool:
    """Tell whether these are pictures in a cell: {name: {type: base64}}."""
    return isinstance(value, dict) and all(
        isinstance(bundle, dict) and all(map(is_ascii, bundle.values()))
        for bundle in value.values()
    )


def is_ascii(value: Json) -> bool:
    return isinstance(value, str) and value.isascii()


def unique(cells: list[NotebookNode]) -> bool:
    """Give each cell without a valid id of its own one; tell whether there were any."""
    taken = {cell.id for cell in cells if is_id(cell.id)}
    seen: set[str] = set()
    wrong = [c for c in cells if not is_id(c.id) or c.id in seen or seen.add(c.id)]
    free = (name for n in range(len(cells) + len(taken)) if (name := f"cell-{n}") not in taken)
    for cell, name in zip(wrong, free, strict=False):
        cell.id = name
    return bool(wrong)


def is_id(value: Json) -> bool:
    return isinstance(value, str) and bool(CELL_ID.fullmatch(value))
