"""Divides the environment into parts, each a layer of its own, so that one more dependency sends one part anew.

    parts.py ENVIRONMENT PREVIOUS OUT FACTS

A distribution belongs to the part that its name's digest says; what belongs to none (the virtual environment itself, pip)
is the part `base`. So which parts there are, and what is in them, follows from what is installed alone, never from how it
came to be. A part's key covers the facts (stack, Python) and the digests that its distributions' RECORDs hold; of `base`
it covers the files' content. PREVIOUS is the environment this one was made from, or empty: then the bytecode of what
changed is compiled here. For each part OUT gets `python-env-NAME.json` and the list of its files, `python-env-NAME.list`.
"""

import compileall
import csv
import hashlib
import json
import os
import py_compile
import sys
from concurrent.futures import ProcessPoolExecutor

PARTS = 8
PATH = "app/.heroku/python"
SEEDS = {"pip"}


class Distribution:
    """One installed distribution: its name, its files by their paths in the environment, and its RECORD's digest."""

    def __init__(self, environment, site, folder):
        with open(os.path.join(site, folder, "RECORD"), newline="", encoding="utf-8") as file:
            text = file.read()
        self.name = folder[: -len(".dist-info")].rsplit("-", 1)[0].lower().replace("_", "-")
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self.folder = folder
        inside = os.path.relpath(site, environment)
        self.files = {
            os.path.normpath(os.path.join(inside, row[0])) for row in csv.reader(text.splitlines()) if row
        }
        self.files |= {bytecode for file in self.files if (bytecode := bytecode_of(file)) is not None}

    @property
    def part(self):
        if self.name in SEEDS:
            return "base"
        return str(int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16) % PARTS)


def bytecode_of(file):
    if not file.endswith(".py"):
        return None
    folder, name = os.path.split(file)
    return os.path.join(folder, "__pycache__", f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")


def read_distributions(environment):
    lib = os.path.join(environment, "lib")
    sites = [os.path.join(lib, name, "site-packages") for name in sorted(os.listdir(lib)) if name.startswith("python3")]
    return [
        Distribution(environment, site, folder)
        for site in sites
        for folder in sorted(os.listdir(site))
        if folder.endswith(".dist-info") and os.path.exists(os.path.join(site, folder, "RECORD"))
    ]


def all_files(environment):
    """Paths below the environment, of folders only the empty ones."""
    for folder, folders, files in os.walk(environment):
        inside = os.path.relpath(folder, environment)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            yield os.path.normpath(os.path.join(inside, name))
        if not folders and not files and inside != ".":
            yield inside


def compile_file(file):
    compileall.compile_file(
        file, force=True, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def renew_bytecode(environment, previous, distributions):
    """Bytecode is trusted unseen: whatever a changed distribution had before must go, and what has no source any more."""
    known = {(d.folder, d.digest) for d in read_distributions(previous)}
    sources = [
        os.path.join(environment, file)
        for d in distributions
        if (d.folder, d.digest) not in known
        for file in sorted(d.files)
        if file.endswith(".py") and os.path.exists(os.path.join(environment, file))
    ]
    if len(sources) > 200:
        with ProcessPoolExecutor() as pool:
            list(pool.map(compile_file, sources, chunksize=20))
    else:
        for source in sources:
            compile_file(source)
    tag = f".{sys.implementation.cache_tag}.pyc"
    for file in list(all_files(os.path.join(environment, "lib"))):
        folder, name = os.path.split(os.path.join(environment, "lib", file))
        if not name.endswith(tag) or os.path.basename(folder) != "__pycache__":
            continue
        if not os.path.exists(os.path.join(os.path.dirname(folder), name[: -len(tag)] + ".py")):
            os.unlink(os.path.join(folder, name))


def content_digest(file):
    if os.path.islink(file):
        return f"-> {os.readlink(file)}"
    if os.path.isdir(file):
        return "folder"
    with open(file, "rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()


def with_folders(files):
    """The files and all folders above them, so that each layer can say whose those are."""
    found = set(files)
    for file in files:
        while (file := os.path.dirname(file)) and file not in found:
            found.add(file)
    return sorted(found)


def divide(environment, distributions):
    owner = {file: d.part for d in distributions for file in d.files}
    parts = {}
    for file in all_files(environment):
        parts.setdefault(owner.get(file, "base"), []).append(file)
    return parts


def describe(environment, facts, name, files, distributions):
    digest = hashlib.sha256(f"{facts} {name}\n".encode())
    mine = [d for d in distributions if d.part == name]
    for d in mine:
        digest.update(f"{d.folder} {d.digest}\n".encode())
    owned = set().union(*(d.files for d in mine))
    for file in sorted(set(files) - owned):
        digest.update(f"{file} {content_digest(os.path.join(environment, file))}\n".encode())
    return digest.hexdigest()


def main(environment, previous, out, facts):
    distributions = read_distributions(environment)
    if previous:
        renew_bytecode(environment, previous, distributions)
    for name, files in sorted(divide(environment, distributions).items()):
        key = describe(environment, facts, name, files, distributions)
        layer = f"python-env-{name}"
        with open(os.path.join(out, f"{layer}.list"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(f"./{path}\0" for path in with_folders(files)))
        with open(os.path.join(out, f"{layer}.json"), "w", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "path": PATH, "tree": "python"}, separators=(",", ":")) + "\n")


main(*sys.argv[1:])
