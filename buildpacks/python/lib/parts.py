"""Divides the environment into parts, each a layer of its own, so that one more dependency sends little anew.

    parts.py ENVIRONMENT PREVIOUS OUT FACTS

What belongs to no distribution (the virtual environment itself), and pip, is the part `base`, at the bottom. Upon it each
large distribution is a part of its own, the largest lowest: a layer takes those above it along, and large ones change
seldom. All others together are the part `rest`, uppermost. So which parts there are, what is in them and how they lie
follows from what is installed alone, never from how it came to be.

A part's key covers the facts (stack, Python) and the digests that its distributions' RECORDs hold; of `base` it covers the
files' content. PREVIOUS is the environment this one was made from, and the bytecode of what changed since is compiled here;
or it is empty. For each part OUT gets `python-env-NAME.json` and the list of its files, `python-env-NAME.list`.
"""

import compileall
import csv
import hashlib
import json
import os
import py_compile
import re
import sys
from concurrent.futures import ProcessPoolExecutor

LARGE_PARTS = 8
LARGE_FILES = 200
LARGE_BYTES = 4 * 1024 * 1024
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
        rows = [row for row in csv.reader(text.splitlines()) if row]
        self.bytes = sum(int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit())
        self.files = {os.path.normpath(os.path.join(inside, row[0])) for row in rows}
        self.files |= {bytecode for file in self.files if (bytecode := bytecode_of(file)) is not None}

    @property
    def is_large(self):
        return len(self.files) >= LARGE_FILES or self.bytes >= LARGE_BYTES


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


def part_name(distribution):
    """A layer's name has few characters to choose from, and not many of them."""
    digest = hashlib.sha256(distribution.name.encode()).hexdigest()[:8]
    return f"{re.sub('[^a-z0-9]+', '-', distribution.name)[:16]}-{digest}"


class Part:
    def __init__(self, name, distributions=()):
        self.name = name
        self.distributions = distributions
        self.files = []


def divide(environment, distributions):
    """The parts that have files, from the lowest to the uppermost."""
    seeds = [d for d in distributions if d.name in SEEDS]
    others = [d for d in distributions if d.name not in SEEDS]
    large = sorted((d for d in others if d.is_large), key=lambda d: (-len(d.files), -d.bytes, d.name))[:LARGE_PARTS]
    parts = [
        Part("base", seeds),
        *(Part(part_name(d), [d]) for d in large),
        Part("rest", [d for d in others if d not in large]),
    ]
    owner = {file: part for part in parts for d in part.distributions for file in d.files}
    for file in all_files(environment):
        owner.get(file, parts[0]).files.append(file)
    return [part for part in parts if part.files]


def key_of(environment, facts, part):
    digest = hashlib.sha256(f"{facts} {part.name}\n".encode())
    for d in part.distributions:
        digest.update(f"{d.folder} {d.digest}\n".encode())
    owned = set().union(*(d.files for d in part.distributions))
    for file in sorted(set(part.files) - owned):
        digest.update(f"{file} {content_digest(os.path.join(environment, file))}\n".encode())
    return digest.hexdigest()


def main(environment, previous, out, facts):
    distributions = read_distributions(environment)
    if previous:
        renew_bytecode(environment, previous, distributions)
    for height, part in enumerate(divide(environment, distributions)):
        layer = f"python-env-{part.name}"
        about = {"key": key_of(environment, facts, part), "path": PATH, "tree": "python", "rank": 5 + height / 100}
        with open(os.path.join(out, f"{layer}.list"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(f"./{path}\0" for path in with_folders(part.files)))
        with open(os.path.join(out, f"{layer}.json"), "w", encoding="utf-8") as file:
            file.write(json.dumps(about, separators=(",", ":")) + "\n")


main(*sys.argv[1:])
