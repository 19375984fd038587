# Runs the buildpacks, one after the other, by the classic Buildpack API.
#
# Each runs as a process of its own with the buildpack's root as working directory and a copy of the buildpack that it
# may write to. ENV_DIR holds the config vars; they are not in its environment. What a buildpack writes to `export` is
# sourced before the next one compiles. bin/release runs last, once everything has compiled.

declare -a buildpack_versions=() release_files=() notes=()

# Returns the exit code of the phase that failed.
run_buildpacks() {
  local number dir last=$((${#buildpack_names[@]} - 1))
  for number in "${!buildpack_names[@]}"; do
    dir=$work_dir/buildpacks/$((number + 1))
    obtain_buildpack "$number" "$dir" || return 20
    if ! applies "$number" "$dir"; then
      [[ $optional_buildpack == "${buildpack_names[number]}" ]] || return 20
      unset "buildpack_names[number]"
      continue
    fi
    compile "$number" "$dir" || return 30
    ((number == last)) || [[ ! -f $dir/export ]] || source_export "$dir/export"
  done
  for number in "${!buildpack_names[@]}"; do
    release "$number" "$work_dir/buildpacks/$((number + 1))" || return 40
  done
}

obtain_buildpack() {
  local name=${buildpack_names[$1]} url=${buildpack_urls[$1]} dir=$2 fetched_version=
  if [[ -n $url ]]; then
    step "Buildpack $name"
    fetch_buildpack "$url" "$dir" || return 1
    use_cache
    buildpack_versions+=("$fetched_version")
    [[ -x $dir/bin/compile ]] && return 0
    error "$name is not a buildpack: it has no executable bin/compile."
    return 1
  fi
  cp --recursive "$PAAS_BUILDPACKS_DIR/$name" "$dir" || { error 'The build folder is full.'; return 1; }
  IFS= read -r fetched_version <"$dir/version" || true
  buildpack_versions+=("$fetched_version")
}

# In a list that somebody wrote down, each buildpack must apply, and its own words say why it doesn't.
applies() {
  local name=${buildpack_names[$1]} dir=$2 answer log=$work_dir/out/detect.log
  if [[ -v detected_as[$name] ]]; then
    step "${detected_as[$name]} app detected"
    return 0
  fi
  if [[ ! -x $dir/bin/detect ]]; then
    [[ -n ${buildpack_urls[$1]} ]] && return 0
  elif answer=$(cd "$dir" && exec ./bin/detect "$build_dir" 2>"$log" </dev/null 3>&-); then
    step "${answer:-$name} app detected"
    return 0
  fi
  if [[ $optional_buildpack == "$name" ]]; then
    detail 'The build made no site with an index.html to serve.'
    return 1
  fi
  [[ -z ${answer:-} ]] || warning_lines "$answer"
  local line said=()
  while IFS= read -r line; do said+=("$line"); done <"$log"
  error "The buildpack $name does not apply to this app (named by $chosen_by)." "${said[@]}" \
    'Remove it from the list, or add the files it looks for.'
  return 1
}

compile() {
  local name=${buildpack_names[$1]} url=${buildpack_urls[$1]} status line
  (cd "$2" && exec ./bin/compile "$build_dir" "$cache_dir" "$env_dir" </dev/null 3>&-)
  status=$?
  if ((status != 0)); then
    explain_failure "$name" "$url" $status
    return 1
  fi
  [[ ! -f $2/notes ]] || while IFS= read -r line; do notes+=("$line"); done <"$2/notes"
}

# Ours have said what is wrong; for the others, and for a death by the build's limits, this is the last word.
explain_failure() {
  local killed
  killed=$(out_of_memory_kills)
  if ((killed > 0)); then
    error "The build ran out of memory: the $1 buildpack was stopped." \
      'Make the build need less (fewer parallel jobs), or raise the memory of builds (PAAS_BUILD_MEMORY).'
  elif ! : >"$work_dir/out/probe"; then
    error "The build ran out of disk space in the $1 buildpack." 'Make the app smaller, or raise PAAS_BUILD_DISK.'
  elif (($3 > 128)); then
    error "The $1 buildpack was ended by signal $(($3 - 128))."
  elif [[ -n $2 ]]; then
    error "The buildpack $1 failed (exit $3)." 'Its own lines above say why.'
  fi
}

# How often the kernel has killed something in this container for lack of memory.
out_of_memory_kills() {
  local file key value
  for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [[ -r $file ]] || continue
    while read -r key value; do
      [[ $key != oom_kill ]] || { printf '%s' "$value"; return 0; }
    done <"$file"
  done
  printf 0
}

# A buildpack's export expects a lax shell, as Heroku's is.
source_export() {
  set +u
  # shellcheck source=/dev/null
  source "$1" </dev/null
  set -u
}

# Keeps what bin/release says as JSON. A missing bin/release, or one that says nothing, is fine.
release() {
  local name=${buildpack_names[$1]} said file=$work_dir/out/release-$1.json
  [[ -x $2/bin/release ]] || return 0
  if ! said=$(cd "$2" && exec ./bin/release "$build_dir" </dev/null 3>&-); then
    error "bin/release of the buildpack $name failed."
    return 1
  fi
  [[ -n ${said//[[:space:]]/} ]] || return 0
  if [[ $said == '{'* ]]; then
    printf '%s\n' "$said" >"$file"
  elif ! ruby "$PAAS_DRIVER_DIR/lib/yaml-to-json.rb" <<<"$said" >"$file"; then
    error "bin/release of the buildpack $name did not print YAML."
    return 1
  fi
  release_files+=("$file")
}
