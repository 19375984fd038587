"""Prints a JSON file without // and /* */ comments and trailing commas, which people write into app.json."""
import re
import sys

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|,(?=\s*[\]}])', re.S)

with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
    text = file.read()
# Comments go first, so that a comma followed by a comment counts as trailing too.
text = TOKEN.sub(lambda match: match[0] if match[0][0] in '",' else " ", text)
sys.stdout.write(TOKEN.sub(lambda match: "" if match[0] == "," else match[0], text))
