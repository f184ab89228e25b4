"""No file of the template holds a delimiter that Jinja would take for its own."""

import delimiters
import pytest


def test_template_holds_no_stray_delimiter():
    paths = delimiters.tracked_files(delimiters.TEMPLATE)
    assert paths
    assert [message for path in paths for message in delimiters.problems(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "<< cookiecutter.package_name >>",
        '"<< cookiecutter.__course_title_quoted >>"',
        "(c) << cookiecutter.first_day[:4] >> << cookiecutter.instructor_name >>",
        '<% if cookiecutter.license == "MIT" -%>\n…\n<%- elif x -%>…<%- else %>…<% endif %>',
        "<% for n in range(3) %>#<< cookiecutter.term >><% endfor %>",
        "<% raw %>\n1 << 3, <#a#>, <%s>\n<% endraw %>",
        "    >>> Tensor([1.0])\n>>>\n",
        "a < b, c > d, {{ x }}, {% y %}, {# z #}, ${{ secrets.A }}, $ cat < a > b",
    ],
)
def test_tags_are_allowed(text):
    assert not list(delimiters.stray_delimiters(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1 << 3", [(1, 7, "<<")]),
        ("x = 1\ny = x >> 2", [(2, 7, ">>")]),
        ("a << 8 >> 8", [(1, 3, "<<"), (1, 8, ">>")]),
        ("cat <<EOF\nEOF", [(1, 5, "<<")]),
        ('print("<%s>" % x)', [(1, 8, "<%")]),
        ("100 %>", [(1, 5, "%>")]),
        ("[a](<#anchor>)", [(1, 5, "<#")]),
        ("#> out", [(1, 1, "#>")]),
        ("<<cookiecutter.term>>", [(1, 1, "<<"), (1, 20, ">>")]),
        ("<<< cookiecutter.email >>", [(1, 1, "<<"), (1, 24, ">>")]),
        ("<< cookiecutter.term\n>>", [(1, 1, "<<"), (2, 1, ">>")]),
        ("<% set x = 1 %>", [(1, 1, "<%"), (1, 14, "%>")]),
        ("<% raw %> 1 << 3", [(1, 1, "<%"), (1, 8, "%>"), (1, 13, "<<")]),
        ("x >>> 2", [(1, 3, ">>")]),
        ("<<<<<<< HEAD", [(1, 1, "<<"), (1, 3, "<<"), (1, 5, "<<")]),
    ],
)
def test_stray_delimiters_are_found(text, found):
    assert list(delimiters.stray_delimiters(text)) == found


def test_message_says_where_and_what_instead(tmp_path, monkeypatch):
    monkeypatch.setattr(delimiters, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("one = 1\nfour = one << 2\n", encoding="utf-8")
    (message,) = delimiters.problems(tmp_path / "a.py")
    assert message.startswith("a.py:2:12: << belongs to Cookiecutter")
    assert "x * 2**n" in message and "<% raw %>" in message


def test_binary_files_are_left_alone(tmp_path):
    (tmp_path / "digits.npz").write_bytes(b"PK\0<<\xff")
    assert not list(delimiters.problems(tmp_path / "digits.npz"))


def test_program_fails_on_a_stray_delimiter(tmp_path, monkeypatch):
    (tmp_path / "a.sh").write_text("cat <<EOF\n", encoding="utf-8")
    monkeypatch.setattr(delimiters, "ROOT", tmp_path)
    monkeypatch.setattr(delimiters, "tracked_files", lambda folder: [tmp_path / "a.sh"])
    with pytest.raises(SystemExit, match="a.sh:1:5"):
        delimiters.main()
