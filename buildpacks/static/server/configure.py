"""Reads how a site wants to be served and prints it as one JSON object for answers.py.

From static.json (Heroku's static buildpack), Staticfile (Cloud Foundry's) or .static (a marker); else the folder with
the index.html is the root. Lines for the build log go to stderr; an error is its cause and what to do, and exit code 1.
"""
import json
import os
import re
import sys

KNOWN = {
    "root", "clean_urls", "routes", "redirects", "headers", "error_page", "https_only", "canonical_host", "basic_auth",
}
# Settings of the original that change nothing here: its server's log and encoding.
IGNORED = {"logging", "debug", "encoding", "http_methods", "buildpack_runs", "name"}
BUILT = ("dist", "build", "out", "_site", "site")


def stop(*lines):
    print("\n".join(lines), file=sys.stderr)
    sys.exit(1)


def say(line):
    print(line, file=sys.stderr)


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8-sig", errors="replace") as file:
        return file.read()


def from_static_json(folder):
    try:
        given = json.loads(read(folder, "static.json"))
    except ValueError as error:
        stop(f"static.json is not valid JSON: {error}.", "Mend it, commit and push again.")
    if not isinstance(given, dict):
        stop("static.json must be an object, such as { \"root\": \"public\" }.", "Mend it, commit and push again.")
    if "proxies" in given:
        say("warning: 'proxies' in static.json is not supported: those paths will answer 404.")
    unknown = sorted(set(given) - KNOWN - IGNORED - {"proxies"})
    if unknown:
        say(f"warning: static.json has settings that mean nothing here: {', '.join(unknown)}.")
    return {name: value for name, value in given.items() if name in KNOWN}


def from_staticfile(folder):
    """Staticfile is `name: value` lines; of its settings root, pushstate, force_https and 404 are taken."""
    config = {}
    for line in read(folder, "Staticfile").splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "root":
            config["root"] = value.strip("\"'")
        elif name == "pushstate" and value in ("enabled", "true"):
            config["routes"] = {"/**": "index.html"}
        elif name == "force_https" and value in ("enabled", "true"):
            config["https_only"] = True
        elif name == "404":
            config["error_page"] = value.lstrip("/")
    return config


def check(config):
    """Wrong types would only show when somebody visits, so they stop the build."""
    shapes = {
        "root": str, "error_page": str, "canonical_host": str, "clean_urls": bool, "https_only": bool,
        "routes": dict, "redirects": dict, "headers": dict,
    }
    for name, shape in shapes.items():
        if name in config and not isinstance(config[name], shape):
            words = {str: "a text", bool: "true or false", dict: "an object"}[shape]
            stop(f"'{name}' in static.json must be {words}.", "Mend it, commit and push again.")
    for source, target in config.get("redirects", {}).items():
        url = target.get("url") if isinstance(target, dict) else target
        if not isinstance(url, str) or re.search(r"[\r\n]", url):
            stop(f"The redirect '{source}' in static.json needs a \"url\".", "Mend it, commit and push again.")
    for source, fields in config.get("headers", {}).items():
        valid = isinstance(fields, dict) and all(
            re.fullmatch(r"[A-Za-z0-9-]+", name) and isinstance(value, str) and not re.search(r"[\r\n]", value)
            for name, value in fields.items()
        )
        if not valid:
            stop(f"The headers of '{source}' in static.json must be texts by name.", "Mend it, commit and push again.")


def find_root(folder, config, named):
    def has_index(name):
        return os.path.isfile(os.path.join(folder, name, "index.html"))

    root = config.get("root")
    if root is None:
        # What a build made comes before the source it was made from.
        order = (*BUILT, "public", "public_html", ".")
        if not os.path.isfile(os.path.join(folder, "package.json")):
            order = (".", "public", "public_html", *BUILT)
        if named:
            order = ("public_html", *order)
        root = next((name for name in order if has_index(name)), None)
        if root is None:
            stop(
                "The site has no index.html.",
                'Commit one, or say in static.json where the site is: { "root": "public" }',
            )
    # `/app/dist` and `dist/` both mean the folder in the repository.
    root = os.path.normpath(re.sub(r"^(/app)?/+", "", root) or ".")
    if root.startswith(".."):
        stop(f"The root '{root}' is outside of the app.", "Name a folder of the repository in static.json.")
    if not os.path.isdir(os.path.join(folder, root)):
        stop(f"The root of the site, {root}/, does not exist.", "Commit it, or mend \"root\" in static.json.")
    return root


def main():
    folder = sys.argv[1]
    named = None
    config = {}
    if os.path.isfile(os.path.join(folder, "static.json")):
        named, config = "static.json", from_static_json(folder)
    elif os.path.isfile(os.path.join(folder, "Staticfile")):
        named, config = "Staticfile", from_staticfile(folder)
    check(config)
    config["root"] = find_root(folder, config, named)
    where = "the root folder" if config["root"] == "." else f"{config['root']}/"
    say(f"Serving {where}" + (f" as {named} says" if named else ""))
    print(json.dumps(config))


main()
