# What the official buildpacks share: config vars, layers, hooks. Sourced by their bin/compile with BUILD_DIR, CACHE_DIR
# and ENV_DIR set; see README.md for the contract of layers.

# shellcheck source=/dev/null
source "$PAAS_DRIVER_DIR/lib/output.sh"
# shellcheck source=/dev/null
source "$PAAS_DRIVER_DIR/lib/cache.sh"

# A failure that nothing handles is a bug: it stops the build where it happens. In a subshell it is the parent's to
# judge.
stop_at_bug() {
  ((BASH_SUBSHELL == 0)) || return 0
  stop "Internal error of the $buildpack_name buildpack in ${BASH_SOURCE[1]##*/} line $1: $2" "$not_yours"
}
trap 'stop_at_bug "$LINENO" "$BASH_COMMAND"' ERR
set -E

# The shell also ends by itself, at a variable that was never set for one, after a line of its own.
readonly not_yours='That is a fault of the platform and not of your app. Please report it with the lines above.'
stopped=
trap '(($? == 0)) || [[ -n $stopped ]] || error "Internal error of the $buildpack_name buildpack." "$not_yours"' EXIT

readonly denied_of_shell='PATH|HOME|LANG|IFS|ENV|BASH.*|SHELLOPTS|UID|EUID|PPID|GIT_DIR|GIT_WORK_TREE'
readonly denied_of_tools='CPATH|CPPATH|LD_.*|LIBRARY_PATH|PYTHONHOME|PYTHONSTARTUP|PYTHONEXECUTABLE|VIRTUAL_ENV'
readonly denied_of_build='BUILD_DIR|CACHE_DIR|ENV_DIR|STACK|PAAS_.*'
readonly denied_config_vars="^($denied_of_shell|$denied_of_tools|$denied_of_build)\$"

# Exports the config vars, byte for byte, less those that would break the build itself. What the platform set for the
# build's network (a certificate bundle, a registry mirror) gives way to the app's own.
export_config_vars() {
  local file name value
  for file in "$ENV_DIR"/*; do
    name=${file##*/}
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ! $name =~ $denied_config_vars ]] || continue
    IFS= read -r -d '' value <"$file" || true
    export "$name=$value"
  done
}

# Stops the build: the cause first, then how to put it right.
stop() {
  stopped=yes
  error "$@"
  exit 1
}

# Stops the build after a command whose output was kept in the file: its last lines are said again with the cause, so
# that the end of the log tells the story.
stop_with_tail() {
  local log=$1 lines=() shown
  shift
  mapfile -t lines <"$log"
  shown=$((${#lines[@]} > 12 ? ${#lines[@]} - 12 : 0))
  stop "$1" '' "${lines[@]:shown}" '' "${@:2}"
}

# Adds a note for the pusher; the control plane shows notes once the build is done.
note() { printf '%s\n' "$1" >>notes; }

# Digests facts and files (names relative to the build folder) into `layer_key`; `layer_inputs` keeps each file's own
# digest, to tell later which one changed.
digest() {
  local facts=$1
  shift
  layer_inputs=
  (($# == 0)) || layer_inputs=$(cd "$BUILD_DIR" && exec sha256sum -- "$@")
  layer_key=$(sha256sum <<<"${PAAS_STACK_ID:-} $HOSTTYPE $buildpack_name $buildpack_version $facts"$'\n'"$layer_inputs")
  layer_key=${layer_key%% *}
}

# Reads what the previous build says of a layer into `previous_layer`; fails when it had none.
read_previous_layer() {
  previous_layer=
  [[ -f $PAAS_PREVIOUS_DIR/layers/$1.json ]] || return 1
  IFS= read -r previous_layer <"$PAAS_PREVIOUS_DIR/layers/$1.json" || true
}

# Puts a text field of `previous_layer` into `field`; empty when it has none.
previous_field() {
  [[ $previous_layer =~ \"$1\":\"([^\"]*)\" ]] && field=${BASH_REMATCH[1]} || field=
}

# True when the previous build's layer can stand in for the one with this key. A layer that follows floating versions
# (made with `stale_after` hours) counts only so long. Says what differs when it can't: in `layer_miss`.
layer_fits() {
  local name=$1 key=$2 field tree
  layer_miss='first build'
  read_previous_layer "$name" || return 1
  previous_field key
  if [[ $field != "$key" ]]; then
    changed_inputs "$previous_layer"
    return 1
  fi
  if [[ $previous_layer =~ \"stale_at\":([0-9]+) ]] && ((BASH_REMATCH[1] < EPOCHSECONDS)); then
    layer_miss='versions are not pinned, and a day has passed'
    return 1
  fi
  previous_tree "$name"
  [[ -d $tree ]]
}

# Puts where the tree of `previous_layer` lies into `tree`: kept from the previous build, or a part of the stack.
previous_tree() {
  local field
  previous_field from
  tree=${field:-$PAAS_PREVIOUS_DIR/layers/$1}
}

# Names the inputs whose digests the previous layer's description does not have.
changed_inputs() {
  local sum file names=()
  while read -r sum file; do
    [[ -z $sum || $1 == *"$sum"* ]] || names+=("$file")
  done <<<"$layer_inputs"
  layer_miss='runtime, stack or settings changed'
  ((${#names[@]} == 0)) || layer_miss="changed: ${names[*]}"
}

# Keeps the previous build's layer as it is: nothing of it is sent again.
keep_layer() {
  read_previous_layer "$1"
  previous_layer=${previous_layer/\"reuse\":true,/}
  printf '{"reuse":true,%s\n' "${previous_layer#\{}" >"$PAAS_LAYERS_DIR/$1.json"
}

# Keeps all of the previous build's layers with a name that begins so.
keep_layers() {
  local file
  for file in "$PAAS_PREVIOUS_DIR/layers/$1"*.json; do
    file=${file##*/}
    [[ $file == *'*'* ]] || keep_layer "${file%.json}"
  done
}

# A layer just described that is the same as in the previous build needs no sending; its place may be another.
keep_if_same() {
  local field key described
  IFS= read -r described <"$PAAS_LAYERS_DIR/$1.json"
  previous_layer=$described
  previous_field key
  key=$field
  read_previous_layer "$1" || return 0
  previous_field key
  [[ $field != "$key" ]] || printf '{"reuse":true,%s\n' "${described#\{}" >"$PAAS_LAYERS_DIR/$1.json"
}

# Keeps it, and links its tree where it will be in the dyno.
reuse_layer() {
  local tree
  keep_layer "$1"
  previous_tree "$1"
  link_layer "$tree" "$2"
}

# Describes a layer made in this build. More fields, as JSON text beginning with a comma, may follow.
describe_layer() {
  local name=$1 path=$2 key=$3 more=${4:-} sum file quoted inputs=
  while read -r sum file; do
    [[ -n $sum ]] || continue
    json_quote "$file"
    inputs+="${inputs:+,}$quoted:\"$sum\""
  done <<<"$layer_inputs"
  printf '{"key":"%s","path":"%s"%s,"inputs":{%s}}\n' "$key" "$path" "$more" "$inputs" >"$PAAS_LAYERS_DIR/$name.json"
}

# Links a tree at its place: app/.heroku/x at /app/.heroku/x and in the build folder, app/x in the build folder.
link_layer() {
  local tree=$1 inside=${2#app/}
  [[ ! -e $BUILD_DIR/$inside && ! -L $BUILD_DIR/$inside ]] || rm -rf -- "${BUILD_DIR:?}/$inside"
  ln -s "$tree" "$BUILD_DIR/$inside"
  [[ $inside != .heroku/* ]] || ln -sfn "$tree" "/app/$inside"
}
