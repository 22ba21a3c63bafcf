"""Turns the older sets (`tests/fixtures/knowledge`) into folders that `answers` reads, for `fit.py`.

older.py FOLDER
"""

import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures/knowledge"
#: This project's pages, as the demo tenant learns them; the settings as plain text.
OWN = {
    "README.md": "README.md",
    "schema/PROTOCOL.md": "schema/PROTOCOL.md",
    "schema/ERRORS.md": "schema/ERRORS.md",
    "engine/config/src/default.toml": "engine/config/src/default.txt",
}


def rows(files, prefix):
    """Rows about this set's documents, and those that no document answers."""
    for file in files:
        for line in (FIXTURES / file).read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            ask, sources, words = line.split("\t")
            if sources == "-":
                yield {"kind": "unknown", "ask": ask}
            elif any(source.startswith(prefix) for source in sources.split(",")):
                alternatives = words.split("||")
                # A row of a table is met by its cells.
                right = [[cell.strip()] for cell in words.split("|") if cell.strip()] if " | " in words else [alternatives]
                yield {"kind": "fact", "ask": ask, "right": right}


def write(folder, questions):
    lines = (json.dumps({"id": f"q{n:03}", **row}, ensure_ascii=False) for n, row in enumerate(questions, 1))
    (folder / "questions.jsonl").write_text("".join(f"{line}\n" for line in lines))


def main(out):
    for name in ("shop", "manual"):
        folder = out / name
        shutil.copytree(FIXTURES / name, folder / "pages", dirs_exist_ok=True)
        write(folder, rows(["questions.tsv", "held-out.tsv"], f"{name}/"))
    for source, name in OWN.items():
        page = out / "own/pages" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, page)
    write(out / "own", rows(["own.tsv"], ""))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
