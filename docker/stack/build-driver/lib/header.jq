# The result's first line, from what lib/export.sh passes as texts and the releases as inputs.
def lines: if . == "" then [] else split("\n") end;
def bytes($file):
  [$sizes | lines[] | capture("^(?<file>.*) (?<bytes>[0-9]+)$") | select(.file == $file) | .bytes | tonumber] | first;

[inputs | objects] as $releases
| {
    buildpacks: [$versions | lines[] | split("\t") | {name: .[0], version: .[1]}],
    process_types: ([$releases[].default_process_types | objects | select(length > 0)] | last // {}),
    addons: ([$releases[].addons | arrays[] | strings] | unique),
    layers: [$rows | lines[] | split("\t") | . as [$name, $path, $key, $sent, $launch]
      | bytes("/tmp/out/layer-\($name).tar") as $bytes
      | {$name, $path, $key, new: ($bytes != null), launch: ($launch == "true"), bytes: ($bytes // 0)}],
    cache: {changed: $cache},
    app_bytes: bytes("/tmp/out/app.tar"),
    env: ([$releases[].config_vars | objects] | add // {}),
    notes: [$notes | lines[]]
  }
