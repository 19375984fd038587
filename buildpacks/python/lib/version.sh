# Which Python the app asks for. Fills `wanted_python` (a version `3.13.5`, the start of one `3.13`, or specifiers such
# as `>=3.10,<3.14`; empty for the default) and `wanted_in` (the file that says so).

# Some editors begin a file with one.
readonly byte_order_mark=$'\xef\xbb\xbf'

requested_version() {
  local line text
  wanted_python='' wanted_in=''
  if [[ -f $BUILD_DIR/runtime.txt ]]; then
    read -r line <"$BUILD_DIR/runtime.txt" || true
    line=${line#"$byte_order_mark"}
    wanted_in=runtime.txt wanted_python=${line%$'\r'}
    [[ $wanted_python =~ ^python-[0-9] ]] || bad_version 'a line such as python-3.13'
  elif [[ -f $BUILD_DIR/.python-version ]]; then
    read_python_version_file
  elif [[ -f $BUILD_DIR/Pipfile.lock ]]; then
    wanted_in=Pipfile.lock
    wanted_python=$(jq --raw-output '._meta.requires | .python_full_version // .python_version // empty' \
      "$BUILD_DIR/Pipfile.lock") ||
      stop 'Pipfile.lock is not valid JSON.' 'Run pipenv lock, commit and push again.'
  fi
  if [[ -z $wanted_python && -f $BUILD_DIR/pyproject.toml ]]; then read_requires_python; fi
  wanted_python=${wanted_python#python-}
  if [[ -z $wanted_python ]]; then
    previous_minor_version
  elif [[ ! $wanted_python =~ ^[0-9]+(\.[0-9]+){0,2}(\.\*)?$ ]]; then
    [[ $wanted_python =~ ^[0-9.*,\<\>=!~^\ \|]+$ ]] || bad_version 'a version such as 3.13 or 3.13.5'
  fi
  wanted_python=${wanted_python%.\*}
}

read_python_version_file() {
  local line
  wanted_in=.python-version
  while read -r line || [[ -n $line ]]; do
    line=${line#"$byte_order_mark"}
    line=${line%%#*}
    line=${line%%[[:space:]]*}
    [[ -n $line ]] || continue
    [[ -z $wanted_python ]] || stop '.python-version names more than one Python.' 'Keep a single line, such as 3.13.'
    wanted_python=${line#cpython}
    wanted_python=${wanted_python#[@-]}
    wanted_python=${wanted_python#python-}
  done <"$BUILD_DIR/.python-version"
  [[ -z $wanted_python || $wanted_python =~ ^[0-9]+(\.[0-9]+){0,2}$ ]] || bad_version 'a version such as 3.13 or 3.13.5'
}

# requires-python of [project], or Poetry's own `python = "…"`, both one-line strings in practice.
read_requires_python() {
  local text
  IFS= read -r -d '' text <"$BUILD_DIR/pyproject.toml" || true
  if [[ $text =~ (^|$'\n')[[:space:]]*requires-python[[:space:]]*=[[:space:]]*[\"\']([^\"\']*)[\"\'] ]] ||
    [[ $text =~ tool\.poetry\.dependencies\](.*$'\n')python[[:space:]]*=[[:space:]]*[\"\']([^\"\']*)[\"\'] ]]; then
    wanted_python=${BASH_REMATCH[2]} wanted_in=pyproject.toml
  fi
}

# An app that asks for nothing keeps the Python it was built with, so that a new default breaks nobody.
previous_minor_version() {
  local field
  read_previous_layer python || return 0
  previous_field python
  [[ ! $field =~ ^([0-9]+\.[0-9]+)\. ]] || wanted_python=${BASH_REMATCH[1]} wanted_in='the previous build'
}

bad_version() {
  stop "$wanted_in asks for Python '$wanted_python', which is not a version." "It must hold $1."
}

# True when a full version (3.13.5) is one of those wanted (in `wanted_python`).
version_is_wanted() {
  local version=$1 alternative part
  [[ -n $wanted_python ]] || return 0
  if [[ $wanted_python =~ ^[0-9.]+$ ]]; then
    [[ $version == "$wanted_python" || $version == "$wanted_python".* ]]
    return
  fi
  local -a alternatives parts
  IFS='|' read -ra alternatives <<<"${wanted_python//||/|}"
  for alternative in "${alternatives[@]}"; do
    IFS=', ' read -ra parts <<<"$(spaceless_specifiers "$alternative")"
    for part in "${parts[@]}"; do satisfies "$version" "$part" || continue 2; done
    return 0
  done
  return 1
}

# `>= 3.10` is one specifier: the space after the operator goes.
spaceless_specifiers() {
  local text=$1
  while [[ $text =~ ^(.*[\<\>=~^!])[[:space:]]+(.*)$ ]]; do text=${BASH_REMATCH[1]}${BASH_REMATCH[2]}; done
  printf '%s' "$text"
}

# One specifier of PEP 440, or Poetry's ^ and ~.
satisfies() {
  local version=$1 operator bound low
  [[ $2 =~ ^([\<\>=~^!]*)([0-9][0-9.]*[0-9]|[0-9])(\.\*)?$ ]] || { [[ $2 == '*' ]]; return; }
  operator=${BASH_REMATCH[1]} bound=${BASH_REMATCH[2]}
  local wildcard=${BASH_REMATCH[3]}
  case $operator in
    '' | == | === | =) [[ $version == "$bound" ]] || [[ -n $wildcard && $version == "$bound".* ]] ;;
    '!=') [[ $version != "$bound" ]] && [[ -z $wildcard || $version != "$bound".* ]] ;;
    '>=') compare "$version" "$bound"; ((order >= 0)) ;;
    '>') compare "$version" "$bound"; ((order > 0)) ;;
    '<=') compare "$version" "$bound"; ((order <= 0)) ;;
    '<') compare "$version" "$bound"; ((order < 0)) ;;
    '^') compare "$version" "$bound"; ((order >= 0)) && [[ $version == "${bound%%.*}".* ]] ;;
    '~=' | '~')
      low=${bound%.*}
      [[ $operator != '~' || $bound == *.*.* ]] || low=$bound
      compare "$version" "$bound"
      ((order >= 0)) && [[ $version == "$low".* ]]
      ;;
    *) return 1 ;;
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
