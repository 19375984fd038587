# Which Node.js the app asks for: fills `wanted_node` (a semver range; empty for the default) and `wanted_in`.

requested_version() {
  local file field
  wanted_node='' wanted_in=''
  if [[ -n $engine_node ]]; then
    wanted_node=$engine_node wanted_in='engines.node in package.json'
  else
    for file in .nvmrc .node-version; do
      [[ -f $BUILD_DIR/$file ]] || continue
      read -r wanted_node _ <"$BUILD_DIR/$file" || true
      wanted_node=${wanted_node%$'\r'} wanted_in=$file
      break
    done
  fi
  if [[ -n $wanted_node ]]; then
    read -r wanted_node <<<"$wanted_node"
    return 0
  fi
  # An app that asks for nothing keeps the major version it was built with, so that a new default breaks nobody.
  read_previous_layer node || return 0
  previous_field version
  [[ ! $field =~ ^([0-9]+)\. ]] || wanted_node=${BASH_REMATCH[1]} wanted_in='the previous build'
}

# Fills `matching` with those of the versions given that satisfy a range. The shapes people write are decided here, the
# rest by npm's own semver, which costs the start of a Node.js.
matching_versions() {
  local range=$1 version status
  shift
  matching=()
  for version in "$@"; do
    status=0
    in_range "$range" "$version" || status=$?
    ((status != 2)) || break
    ((status != 0)) || matching+=("$version")
  done
  ((${status:-0} == 2)) || return 0
  local node=("$PAAS_RUNTIMES_DIR"/node-*)
  mapfile -t matching < <("${node[-1]}/bin/node" lib/matching.cjs "${node[-1]}" "$range" "$@" 2>/dev/null)
  [[ ${matching[0]:-} != invalid ]] || stop "$wanted_in is '$range', which is not a range of versions." \
    'Write a version such as 22.x, commit and push again.'
}

# 0: in the range, 1: not, 2: a shape that isn't decided here.
in_range() {
  local alternative part parts result
  local -a alternatives
  IFS='|' read -ra alternatives <<<"${1//||/|}"
  ((${#alternatives[@]} > 0)) || alternatives=('*')
  for alternative in "${alternatives[@]}"; do
    # `>= 18` is one comparator: the space after the operator goes.
    while [[ $alternative =~ ^(.*[\<\>=~^])[[:space:]]+(.*)$ ]]; do
      alternative=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
    done
    read -ra parts <<<"$alternative"
    ((${#parts[@]} > 0)) || parts=('*')
    result=0
    for part in "${parts[@]}"; do
      satisfies "$part" "$2" || result=$(($? > result ? $? : result))
    done
    ((result == 1)) || return $result
  done
  return 1
}

satisfies() {
  local operator bound low
  case $1 in
    '*' | x | X | latest | current | node | stable) return 0 ;;
    lts | 'lts/*') [[ $2 =~ ^[0-9]*[02468]\. ]]; return ;;
    lts/hydrogen) [[ $2 == 18.* ]]; return ;;
    lts/iron) [[ $2 == 20.* ]]; return ;;
    lts/jod) [[ $2 == 22.* ]]; return ;;
    lts/krypton) [[ $2 == 24.* ]]; return ;;
  esac
  [[ $1 =~ ^(\<=?|\>=?|=|\^|~)?v?([0-9]+(\.[0-9]+){0,2})((\.[xX*]){0,2})$ ]] || return 2
  operator=${BASH_REMATCH[1]} bound=${BASH_REMATCH[2]} low=${BASH_REMATCH[2]%%.*}
  compare "$2" "$bound"
  case $operator in
    '' | =) [[ $2 == "$bound" || $2 == "$bound".* ]] ;;
    '^') ((order >= 0)) && [[ $2 == "$low".* ]] ;;
    '~')
      [[ $bound != *.*.* ]] || bound=${bound%.*}
      ((order >= 0)) && [[ $2 == "$bound".* ]]
      ;;
    '>=') ((order >= 0)) ;;
    '<') ((order < 0)) ;;
    # `>22` means above all of 22, `<=22` up to the last of 22.
    '>') ((order > 0)) && [[ $2 != "$bound".* ]] ;;
    '<=') ((order <= 0)) || [[ $2 == "$bound".* ]] ;;
  esac
}

# Puts -1, 0 or 1 into `order`: how one dotted version stands to another; missing parts are 0.
compare() {
  local -a a b
  local i
  IFS=. read -ra a <<<"$1"
  IFS=. read -ra b <<<"$2"
  order=0
  for i in 0 1 2; do
    ((order == 0)) || return 0
    ((order = (10#${a[i]:-0} > 10#${b[i]:-0}) - (10#${a[i]:-0} < 10#${b[i]:-0}))) || true
  done
}

# Puts the version to take into `best`: the newest of an even major (a long-term one), else the newest.
best_version() {
  local version even=
  best=
  for version in "$@"; do
    [[ $version =~ ^[0-9]*[02468]\. ]] || continue
    [[ -n $even ]] && compare "$version" "$even" && ((order <= 0)) || even=$version
  done
  for version in "$@"; do
    [[ -n $best ]] && compare "$version" "$best" && ((order <= 0)) || best=$version
  done
  best=${even:-$best}
}
