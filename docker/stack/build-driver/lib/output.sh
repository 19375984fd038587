# What the pusher sees, in the shapes of Heroku's build log. Sourced by the driver and by the official buildpacks.

# A step of the build.
step() { printf -- '-----> %s\n' "$*"; }

# A line below a step.
detail() { printf '       %s\n' "$@"; }

# An error: the cause first, then how to put it right, a line each.
error() {
  printf ' !\n'
  printf ' !     %s\n' "$@"
  printf ' !\n'
}

# Something that needs a look but does not stop the build.
warning() {
  printf ' !     Warning: %s\n' "$1"
  shift
  (($# == 0)) || printf ' !     %s\n' "$@"
}

# Prints each line of a text as a warning.
warning_lines() {
  local line
  while IFS= read -r line; do [[ -z $line ]] || warning "$line"; done <<<"$1"
}

# Runs a command, its output indented line by line as it comes and kept in the file named first; its exit code is the
# command's. Lines that match the pattern in `quiet_lines` are kept but not shown.
indented() {
  local log=$1 line
  shift
  "$@" 2>&1 </dev/null | while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    line=${line##*$'\r'}
    printf '%s\n' "$line" >&4
    [[ -n ${quiet_lines:-} && $line =~ $quiet_lines ]] || printf '       %s\n' "$line"
  done 4>"$log"
  return "${PIPESTATUS[0]}"
}

# Puts the text as a JSON string into `quoted`. Control characters other than newline and tab become spaces.
json_quote() {
  quoted=${1//\\/\\\\}
  quoted=${quoted//\"/\\\"}
  quoted=${quoted//$'\n'/\\n}
  quoted=${quoted//$'\t'/\\t}
  quoted=\"${quoted//[[:cntrl:]]/ }\"
}
