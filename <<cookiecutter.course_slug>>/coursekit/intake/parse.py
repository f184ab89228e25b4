"""A student's file, any bytes, as the cells of a notebook, or why it is none.

Only what grading needs is taken over: type, text, pictures, nbgrader's metadata and tags of each
cell. This runs in a worker, under the limits of its memory and time: so they are not set here.
"""

import io
import json
import re
import zipfile
from pathlib import PurePath, PurePosixPath
from typing import Any

from coursekit import notebook
from coursekit.assignment import Assignment
from coursekit.errors import Ungradable
from coursekit.intake.collect import OUTPUTS, HandedIn, choose, is_visible, printable, too_large
from coursekit.intake.repairs import RepairLog

FORMAT = (4, 5)
LONG = 100_000  # characters of a text: no answer is longer, but a program's log is
FIELDS = "metadata", "source", "outputs", "execution_count"  # of a code cell

PICTURE = re.compile(r"""(?<=[("'])data:(image/(\w{1,9})[\w.+-]{0,30});base64,([A-Za-z0-9+/=]+)""")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
CONFLICT = re.compile(r"^[<>]{7} ", re.M)
SIGNS = {  # how files begin that are often handed in under a notebook's name
    "<": "it is a web page, perhaps of a login",
    "PK": "it is a zip archive; unzip it and hand in the notebook inside",
    "%PDF": "it is a PDF; hand in the .ipynb file",
    "version https://git-lfs": "it is Git LFS's stand-in; hand in the file it stands for",
}

Json = Any
Cell = dict[str, Any]


def read(handed_in: HandedIn, assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Return the cells that were handed in, and all that was done to get at them, as clauses.

    Whatever is wrong, it is Ungradable, with a reason that a student understands.
    """
    if handed_in.refusal:
        raise Ungradable(handed_in.refusal)
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
    log, limit = RepairLog(), 1e6 * assignment.limits["file_mb"]
    name, data = handed_in.name, handed_in.data
    kind = PurePath(name).suffix.lower()
    if kind == ".zip":
        name, data = unpacked(name, data, handed_in.wanted, limit)
    if name != handed_in.wanted:
        log.add(f"{name} was taken for {handed_in.wanted}")
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
        raw = from_script(text) if kind == ".py" else from_json(text)
        cells = clean(raw, log)
    except Ungradable as error:
        raise Ungradable(f"{name} is not a notebook: {error}") from None
    size = sum(len(cell["source"]) + len(str(cell.get("attachments", ""))) for cell in cells)
    if size > limit:
        raise Ungradable(f"{name} has {size / 1e6:.3g} MB without outputs; {too_large(limit)}")
    refuse_another(name, cells, assignment)
    return cells, log.clauses()


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


def refuse_another(name: str, cells: list[Cell], assignment: Assignment) -> None:
    """Raise Ungradable if the named cells of a notebook are another module's."""
    ids = {notebook.grade_id(cell) for cell in cells} - {""}
    if ids.isdisjoint(map(notebook.grade_id, assignment.cells)):
        others = assignment.others or {}
        for other in (others[grade_id] for grade_id in ids if grade_id in others):
            raise Ungradable(f"{name} is the notebook of {other}, not of {assignment.name}")


# ---- Bytes, text, JSON


def decoded(data: bytes) -> tuple[str, str]:
    """Return a text and its encoding: UTF-8, 16 or 32, or else Windows' superset of Latin-1."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "Windows-1252"


def from_json(text: str) -> Json:
    try:
        return json.loads(text, strict=False)
    except ValueError as error:
        raise Ungradable(why_no_json(text, error)) from None


def why_no_json(text: str, error: ValueError) -> str:
    """Return in a student's words why a text is no JSON."""
    start = text.lstrip("\0\ufeff \t\r\n")
    if not start:
        return "it is empty"
    for sign, meaning in SIGNS.items():
        if start.startswith(sign):
            return meaning
    if CONFLICT.search(text):
        return "it holds the marks of a Git merge conflict"
    if not isinstance(error, json.JSONDecodeError):
        return f"it is no JSON ({str(error)[:80]})"
    if error.msg.startswith("Unterminated string") or not text[error.pos :].strip():
        return "it breaks off before its end"
    return f"it is no JSON (line {error.lineno}: {error.msg})"


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
    if not (given := list_of_cells(raw)):
        raise Ungradable("it holds no cells")
    version = raw.get("nbformat"), raw.get("nbformat_minor")
    if version != FORMAT:
        known = all(isinstance(n, int) and 0 <= n < 1000 for n in version)
        shown = f"{version[0]}.{version[1]}" if known else "unknown"
        log.add(f"notebook format {shown} was read as 4.5")
    cells = [sound(cell, number, log) for number, cell in enumerate(given, 1)]
    if version == FORMAT and len({cell["id"] for cell in cells} - {""}) < len(cells):
        log.add("cell ids were missing or repeated")
    return cells


def list_of_cells(raw: Json) -> list[Json]:
    """Return the cells of a notebook; before format 4, of all its worksheets."""
    sheets = raw.get("worksheets", [raw]) if isinstance(raw, dict) else None
    sheets = sheets if isinstance(sheets, list) else []
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    if not lists or not all(isinstance(cells, list) for cells in lists):
        raise Ungradable("it holds no list of cells")
    return [cell for cells in lists for cell in cells]


def sound(raw: Json, number: int, log: RepairLog) -> Cell:
    """Return a cell with what is usable in one."""
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
    name = raw.get("id")
    name = name if isinstance(name, str) and ID.fullmatch(name) else ""
    cell = {"id": name, "cell_type": kind, "metadata": metadata_of(raw), "source": text}
    if kind == "markdown" and is_attachments(raw.get("attachments")):
        cell["attachments"] = raw["attachments"]
    if kind != "code":
        shorten(cell, notebook.grade_id(cell) or f"cell {number}", log)
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
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shorten(cell: Cell, name: str, log: RepairLog) -> None:
    """Make pictures that stand in a text attachments of its cell; cut what is still too long.

    Colab pastes a picture as `![](data:image/png;base64,…)`: a wall of text to whoever reads it.
    """
    kept = cell.get("attachments", {})

    def attach(match: re.Match[str]) -> str:
        number = len(kept) + 1
        while (file := f"image-{number}.{match[2]}") in kept:
            number += 1
        kept[file] = {match[1]: match[3]}
        return f"attachment:{file}"

    if cell["cell_type"] == "markdown":
        text = PICTURE.sub(attach, cell["source"])
        if text != cell["source"]:
            log.add("pictures in a text became attachments", name)
            cell["source"], cell["attachments"] = text, kept
    if len(cell["source"]) > LONG:
        log.add(f"texts of more than {LONG:,} characters were cut", name)
        cell["source"] = cell["source"][:LONG]


def metadata_of(raw: Cell) -> dict[str, Any]:
    """Return the only thing that counts of a cell's metadata: its name."""
    given = raw.get("metadata")
    nbgrader = given.get("nbgrader") if isinstance(given, dict) else None
    name = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {"nbgrader": {"grade_id": encodable(name)}} if isinstance(name, str) else {}


def is_attachments(value: Json) -> bool:
    """Tell whether these are pictures in a cell: {name: {type: base64}}."""
    bundles = list(value.values()) if isinstance(value, dict) else [None]
    if not all(isinstance(bundle, dict) for bundle in bundles):
        return False
    texts = [text for bundle in bundles for pair in bundle.items() for text in pair]
    return all(isinstance(text, str) and text.isascii() for text in (*value, *texts))
