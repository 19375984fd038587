# The parts of package.json that a build needs, a line each, in the order read_manifest takes them.
def line: if . == null then "" else tostring | gsub("[\r\n]"; " ") end;
def object: if type == "object" then . else {} end;

if type != "object" then error("it must be an object") else . end
| (.scripts | object) as $scripts
| ((.dependencies | object) + (.optionalDependencies | object) + (.devDependencies | object)) as $all
| (.engines | object) as $engines
| ($scripts | with_entries(select(.key | IN("preinstall", "install", "postinstall", "prepublish", "preprepare",
    "prepare", "postprepare", "dependencies", "pnpm:devPreinstall")))) as $install
| ($engines.node | line),
  ($engines.npm | line),
  ($engines.yarn | line),
  ($engines.pnpm | line),
  (.packageManager | line),
  (.main | strings | line) // "",
  ($scripts.start | line),
  (if $scripts.prestart or $scripts.poststart then "yes" else "" end),
  ($scripts | keys_unsorted | map(select(test("^[A-Za-z0-9:._-]+$"))) | join(" ")),
  ($install | if . == {} then "" else tojson end),
  (if .workspaces then "workspaces" else
    [$all | to_entries[] | select(.value | tostring | test("^(file|link|portal|workspace):|^(\\.{1,2}|~)?/")) | .key]
    | first // "" end),
  (if (.devDependencies | object | length) > 0 then "yes" else "" end),
  (if ($all | length) > 0 or .workspaces or $install != {} then "yes" else "" end),
  ([.cacheDirectories // .cache_directories | arrays[] | strings] | tojson),
  ({dependencies, optionalDependencies, devDependencies, peerDependencies, bundleDependencies, bundledDependencies,
    overrides, resolutions, engines, packageManager, pnpm, dependenciesMeta, workspaces, scripts: $install,
    os, cpu, libc, config, allowScripts, trustedDependencies} | tojson),
  # Drivers of PostgreSQL: an app that has one is meant to have a database.
  (if (.dependencies | object | keys | any(IN("pg", "postgres", "pg-promise", "pg-native", "slonik"))) then "yes" else "" end)
