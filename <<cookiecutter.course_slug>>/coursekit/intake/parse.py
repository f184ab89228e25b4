"""A student's file, any bytes, as the cells of a notebook, or why it is none.

Only what grading needs is taken over: type, name, text and pictures of each cell. This runs in a
worker, under the limits of its memory and time: so they are not set here.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import PurePath, PurePosixPath
from typing import Any

from coursekit import notebook
from coursekit.assignment import Assignment
from coursekit.errors import Ungradable
from coursekit.intake.collect import OUTPUTS, HandedIn, choose, is_visible, printable, too_large

FORMAT = (4, 5)
LONG = 100_000  # characters of a text: no answer is longer, but a program's log is
FIELDS = "metadata", "source", "outputs", "execution_count"  # of a code cell

PICTURE = re.compile(r"""(?<=[("'])data:(image/(\w{1,9})[\w.+-]{0,30});base64,([A-Za-z0-9+/=]+)""")
CONFLICT = re.compile(r"^[<>]{7} ", re.M)
SIGNS = {  # how files begin that are often handed in under a notebook's name
    "<": "it is a web page, perhaps of a login",
    "PK": "it is a zip archive; unzip it and hand in the notebook inside",
    "%PDF": "it is a PDF; hand in the .ipynb file",
    "version https://git-lfs": "it is Git LFS's stand-in; hand in the file it stands for",
}

Json = Any
Cell = dict[str, Any]


class RepairLog(dict[str, list[str]]):
    """What was put right in a submission, in order, and the names of the cells that had it."""

    def add(self, what: str, cell: str = "") -> None:
        names = self.setdefault(what, [])
        if cell and cell not in names:
            names.append(cell)

    def clauses(self) -> Iterator[str]:
        """Yield a clause for each thing: `moved back to their place: a, b, c and 4 more`."""
        for what, names in self.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"{what}: {', '.join(names[:3])}{more}" if names else what


def read(handed_in: HandedIn, assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Return the cells that were handed in, and all that was done to get at them, as clauses.

    Whatever is wrong, it is Ungradable, with a reason that a student understands.
    """
    name = handed_in.name
    try:
        return cells_of(handed_in, assignment)
    except Ungradable as error:  # a second notebook beside this one may explain it
        reason = "; ".join([str(error), *handed_in.notes])
    except MemoryError:
        reason = f"{name} takes more memory to be read than one submission may have"
    except RecursionError:
        reason = f"{name} is not a notebook: it is nested too deeply"
    except Exception as error:
        reason = f"{name} cannot be read ({type(error).__name__})"
    raise Ungradable(reason)  # only here, where what filled the memory is gone


def cells_of(handed_in: HandedIn, assignment: Assignment) -> tuple[list[Cell], list[str]]:
    if handed_in.refusal:
        raise Ungradable(handed_in.refusal)
    log, limit = RepairLog(), 1e6 * assignment.limits["file_mb"]
    name, data = handed_in.name, handed_in.data
    kind = PurePath(name).suffix.lower()
    if kind == ".zip":
        name, data = unpacked(name, data, assignment.file, limit)
    if name != assignment.file:
        log.add(f"{name} was taken for {assignment.file}")
    for note in handed_in.notes:
        log.add(note)
    text, encoding = decoded(data)
    if encoding == "utf-8-sig":
        log.add(f"{name} began with a byte order mark")
    elif encoding != "utf-8":
        log.add(f"{name} was read as {encoding.upper()}, not UTF-8")
    if text.endswith("\0"):
        log.add("empty bytes at its end were dropped")
        text = text.rstrip("\0")
    try:
        cells = clean(from_script(text) if kind == ".py" else from_json(text), log)
    except Ungradable as error:
        raise Ungradable(f"{name} is not a notebook: {error}") from None
    size = sum(len(cell["source"]) + len(str(cell.get("attachments", ""))) for cell in cells)
    if size > limit:
        raise Ungradable(f"{name} has {size / 1e6:.3g} MB without outputs; {too_large(limit)}")
    ids, others = {notebook.grade_id(cell) for cell in cells}, assignment.others
    if ids.isdisjoint(filter(None, map(notebook.grade_id, assignment.cells))):
        for other in {others[grade_id] for grade_id in ids & others.keys()}:
            raise Ungradable(f"{name} is the notebook of {other}, not of {assignment.name}")
    return cells, list(log.clauses())


def unpacked(archive: str, data: bytes, wanted: str, limit: float) -> tuple[str, bytes]:
    """Return name and bytes of the notebook in a zip file; no name in it becomes a path."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            paths = {PurePosixPath(info.filename): info for info in file.infolist()}
            visible = [
                p for p in paths if p.suffix.lower() == ".ipynb" and all(map(is_visible, p.parts))
            ]
            if not (found := choose(visible, wanted)):
                raise Ungradable(f"{archive} holds no notebook; hand in {wanted} itself")
            with file.open(paths[found[0]]) as member:
                data = member.read(int(OUTPUTS * limit) + 1)
    except (Ungradable, MemoryError):
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        reason = f"{archive} cannot be unzipped ({str(error)[:60]})"
        raise Ungradable(f"{reason}; hand in {wanted} itself") from None
    name = printable(str(found[0]))
    if len(data) > OUTPUTS * limit:
        raise Ungradable(f"{name} is too large; {too_large(limit)}")
    return f"{archive}/{name}", data


# ---- Bytes, text, JSON


def decoded(data: bytes) -> tuple[str, str]:
    """Return a text and its encoding: UTF-8, 16 or 32, or else Windows' superset of Latin-1."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "Windows-1252"


def from_json(text: str) -> Json:
    """Return what a text says as JSON, or say in a student's words why it is none."""
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        start = text.lstrip("\0\ufeff \t\r\n")
        signs = [meaning for sign, meaning in SIGNS.items() if start.startswith(sign)]
        if not start:
            reason = "it is empty"
        elif signs:
            reason = signs[0]
        elif CONFLICT.search(text):
            reason = "it holds the marks of a Git merge conflict"
        elif error.msg.startswith("Unterminated string") or not text[error.pos :].strip():
            reason = "it breaks off before its end"
        else:
            reason = f"it is no JSON (line {error.lineno}: {error.msg})"
    raise Ungradable(reason)


def from_script(text: str) -> Json:
    """Return the notebook in a percent-format .py that kept nbgrader's metadata."""
    if '"grade_id"' not in text:
        raise Ungradable("its cells carry no names; hand in the .ipynb file")
    import jupytext  # takes a second, and hardly any student hands in a script

    try:
        return jupytext.reads(text, fmt="py:percent")
    except Exception as error:  # jupytext raises whatever its parsers raise
        raise Ungradable(f"jupytext cannot read it ({type(error).__name__})") from None


# ---- Cells


def clean(raw: Json, log: RepairLog) -> list[Cell]:
    """Return sound cells of what is usable in a parsed notebook."""
    try:
        sheets = raw.get("worksheets", [raw])  # of formats before 4
        given = [cell for sheet in sheets for cell in sheet["cells"]]
    except (AttributeError, LookupError, TypeError):
        raise Ungradable("it holds no list of cells") from None
    if not given:
        raise Ungradable("it holds no cells")
    version = raw.get("nbformat"), raw.get("nbformat_minor")
    if version != FORMAT:
        known = all(number in range(1000) for number in version)
        shown = f"{version[0]}.{version[1]}" if known else "unknown"
        log.add(f"notebook format {shown} was read as 4.5")
    cells = [sound(cell, number, log) for number, cell in enumerate(given, 1)]
    ids = {cell["id"] for cell in given if isinstance(cell.get("id"), str)}
    if version == FORMAT and len(ids) < len(cells):
        log.add("cell ids were missing or repeated")
    return cells


def sound(raw: Json, number: int, log: RepairLog) -> Cell:
    """Return a cell with what is usable in one; of its metadata, that is only its name."""
    if not isinstance(raw, dict):
        raise Ungradable(f"its cell {number} is no cell")
    kind, text = raw.get("cell_type"), source_of(raw, number, log)
    if kind == "heading":  # format 3
        level = raw.get("level")
        kind, text = "markdown", f"{'#' * level if level in range(7) else '#'} {text}"
    elif kind not in ("code", "markdown", "raw"):
        log.add("cells of an unknown type were read as raw text")
        kind = "raw"
    required = FIELDS if kind == "code" else FIELDS[:2]
    if any(field not in raw for field in required) and "input" not in raw:
        log.add("fields that cells lacked were filled in")
    name = raw
    for key in ("metadata", "nbgrader", "grade_id"):
        name = name.get(key) if isinstance(name, dict) else None
    meta = {"nbgrader": {"grade_id": encodable(name)}} if isinstance(name, str) else {}
    cell = {"cell_type": kind, "metadata": meta, "source": text}
    shown = printable(notebook.grade_id(cell)) or f"cell {number}"
    if kind == "markdown":
        attach_pictures(cell, raw.get("attachments"))
        if cell["source"] != text:
            log.add("pictures in a text became attachments", shown)
    if kind != "code" and len(cell["source"]) > LONG:
        log.add(f"texts of more than {LONG:,} characters were cut", shown)
        cell["source"] = cell["source"][:LONG]
    return cell


def source_of(raw: Cell, number: int, log: RepairLog) -> str:
    """Return the text of a cell: one string or a list of lines, with \\n as line ends."""
    lines = raw.get("source", raw.get("input", ""))  # format 3 says input
    lines = [lines] if isinstance(lines, str) else lines
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Ungradable(f"the source of its cell {number} is no text")
    joint = ""
    if len(lines) > 1 and not any(line.endswith(("\n", "\r")) for line in lines[:-1]):
        log.add("line ends that cells lacked were filled in")
        joint = "\n"
    text = joint.join(lines)
    if "\r" in text:
        log.add("line ends of Windows were replaced")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    proper = encodable(text).replace("\0", "\ufffd")
    if proper != text:
        log.add("characters that are none were replaced")
    return proper


def encodable(text: str) -> str:
    """Return a text with halves of surrogate pairs replaced: UTF-8 has no such characters."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def attach_pictures(cell: Cell, before: Json) -> None:
    """Keep the attachments a cell had before, and make more of the pictures in its text.

    Colab pastes a picture as `![](data:image/png;base64,…)`: a wall of text to whoever reads it.
    """
    kept = dict(before) if is_attachments(before) else {}

    def attach(match: re.Match[str]) -> str:
        names = (f"image-{number}.{match[2]}" for number in count(len(kept) + 1))
        file = next(name for name in names if name not in kept)
        kept[file] = {match[1]: match[3]}
        return f"attachment:{file}"

    cell["source"] = PICTURE.sub(attach, cell["source"])
    if kept:
        cell["attachments"] = kept


def is_attachments(value: Json) -> bool:
    """Tell whether these are pictures in a cell: {name: {type: base64}}."""
    try:
        texts = [text for bundle in value.values() for pair in bundle.items() for text in pair]
        return "".join([*value, *texts]).isascii()
    except (AttributeError, TypeError):  # something else
        return False
