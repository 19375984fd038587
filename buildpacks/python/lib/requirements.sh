# Which tool installs the dependencies, and what decides the outcome. Fills `installer` (uv, poetry, pipenv, pip,
# project, setup, starter, none), `inputs` (files the layer's key covers), `unpinned` (versions that may float, so the layer
# ages), `local_archives` (some inputs are packages, of a name and version that say nothing of what is in them), and
# `source_reason` (why the outcome depends on the source itself, so that it can't be reused; else empty).

choose_installer() {
  local file lockfiles=()
  installer=none inputs=() starter_packages=() unpinned='' source_reason='' plain_pip='' local_archives=''
  for file in uv.lock poetry.lock Pipfile.lock; do
    [[ ! -f $BUILD_DIR/$file ]] || lockfiles+=("$file")
  done
  ((${#lockfiles[@]} < 2)) || stop "Two lockfiles are committed: ${lockfiles[0]} and ${lockfiles[1]}." \
    'They can disagree, and only one tool can install. Remove the one you do not use and push again:' \
    "  git rm ${lockfiles[1]} && git commit -m 'Keep one lockfile'"

  # Heroku's order, for repositories that have kept an exported or an older list beside their lockfile.
  if [[ -f $BUILD_DIR/Pipfile.lock || -f $BUILD_DIR/Pipfile ]]; then
    use_pipenv
  elif [[ -f $BUILD_DIR/requirements.txt ]]; then
    ((${#lockfiles[@]} == 0)) ||
      warning "requirements.txt and ${lockfiles[0]} are both here; requirements.txt is used." \
      "Remove requirements.txt to install from ${lockfiles[0]}."
    use_pip
  elif [[ -f $BUILD_DIR/poetry.lock ]]; then
    use_project poetry poetry.lock
  elif [[ -f $BUILD_DIR/uv.lock ]]; then
    use_project uv uv.lock
  elif [[ -f $BUILD_DIR/pyproject.toml ]] && has_line pyproject.toml '^\[(project|tool\.poetry)\]'; then
    unpinned=yes
    local tool=uv
    has_line pyproject.toml '^\[project\]' || tool=poetry
    warning 'There is no lockfile, so versions can change from build to build.' \
      "Commit $tool.lock (made by: $tool lock)."
    if [[ $tool == uv ]]; then use_project project; else use_project poetry; fi
  elif [[ -f $BUILD_DIR/setup.py ]]; then
    installer=setup inputs=(setup.py) source_reason='setup.py installs the source itself'
  elif starter_list; then
    installer=starter unpinned=yes
  else
    explain_no_dependencies
  fi
  [[ $installer != @(none|setup|starter) ]] || mention_misspelled_list
  for file in uv.toml .python-version pip.conf; do
    [[ ! -f $BUILD_DIR/$file ]] || inputs+=("$file")
  done
}

explain_no_dependencies() {
  if [[ -f $BUILD_DIR/pyproject.toml ]]; then
    detail 'No dependencies: pyproject.toml has no [project] that could list them, and there is no requirements.txt.'
  else
    detail 'No dependencies: there is no requirements.txt, pyproject.toml, lockfile or setup.py.'
  fi
}

# Names differ by case here, unlike on the machines where many projects are written.
mention_misspelled_list() {
  local file
  for file in "$BUILD_DIR"/*; do
    file=${file##*/}
    [[ ${file,,} == @(requirement|requirements).txt && $file != requirements.txt ]] || continue
    warning "$file is not read: the list of packages must be called requirements.txt, in lower case." \
      'Rename it, commit and push again:' "  git mv $file requirements.txt"
    return 0
  done
}

# True when a line of a file of the app matches.
has_line() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    [[ ! $line =~ $2 ]] || return 0
  done <"$BUILD_DIR/$1"
  return 1
}

use_pipenv() {
  local file
  installer=pipenv
  for file in Pipfile Pipfile.lock; do [[ ! -f $BUILD_DIR/$file ]] || inputs+=("$file"); done
  if [[ ! -f $BUILD_DIR/Pipfile.lock ]]; then
    unpinned=yes
    warning 'There is no Pipfile.lock, so versions can change from build to build.' 'Commit it (made by: pipenv lock).'
    ! has_line Pipfile '^[^#]*[{,[:space:]](path|file) *= *"[^:]+"' || source_reason='Pipfile names a local path'
  elif has_line Pipfile.lock '^[[:space:]]*"(path|editable)":'; then
    source_reason='Pipfile.lock names a local path'
  fi
}

readonly pure_build_backends='hatchling\.build|uv_build|poetry\.core\.masonry\.api|flit_core\.buildapi|pdm\.backend|setuptools\.build_meta'

# A tool that reads pyproject.toml. The app itself is installed as editable when it is a package: links to the source,
# which stay good from build to build as long as its build backend makes nothing else.
use_project() {
  installer=$1
  inputs=(pyproject.toml)
  [[ -z ${2:-} ]] || inputs+=("$2")
  if [[ -f $BUILD_DIR/setup.py || -f $BUILD_DIR/build.py ]]; then
    source_reason='a build script installs the source itself'
  elif has_line pyproject.toml '^build-backend' &&
    ! has_line pyproject.toml "^build-backend *= *\"($pure_build_backends)\""; then
    source_reason='the build backend in pyproject.toml compiles the source'
  elif [[ ${2:-} == uv.lock ]] && has_line uv.lock '^source = \{ (path|directory|editable|virtual) = "[^".]'; then
    source_reason='uv.lock names a local path'
  elif [[ ${2:-} == poetry.lock ]] && has_line poetry.lock '^type = "(directory|file)"'; then
    source_reason='poetry.lock names a local path'
  elif [[ -z ${2:-} ]] && project_names_local_path; then
    source_reason='pyproject.toml names a local path'
  fi
  add_listing_files
}

# A dependency with a path, or a member of the workspace, where no lockfile says it in a form of its own.
project_names_local_path() {
  local text
  IFS= read -r -d '' text <"$BUILD_DIR/pyproject.toml" || true
  [[ $text =~ \{([^}]*[,[:space:]])?(path[[:space:]]*=[[:space:]]*[\"\']|workspace[[:space:]]*=[[:space:]]*true) ||
    $text =~ \[tool\.uv\.sources\.[^]]*\][^[]*(path|workspace)[[:space:]]*= ||
    $text =~ @[[:space:]]*file: ]]
}

# Where the list of dependencies is dynamic, a build backend takes it from files that pyproject.toml names.
add_listing_files() {
  local text inside
  IFS= read -r -d '' text <"$BUILD_DIR/pyproject.toml" || true
  [[ $text =~ dynamic[[:space:]]*=[[:space:]]*\[[^]]*dependencies ]] || return 0
  while [[ $text =~ [\"\']([^\"\']+\.(txt|in))[\"\'](.*)$ ]]; do
    text=${BASH_REMATCH[3]}
    if path_inside "${BASH_REMATCH[1]}" && [[ -f $BUILD_DIR/$inside ]]; then inputs+=("$inside"); fi
  done
}

use_pip() {
  installer=pip
  local -A seen=()
  read_requirements requirements.txt requirements.txt
}

# Puts a path of the app, without its dots, into `inside`; fails where it leads out of the app.
path_inside() {
  local part parts=() kept=()
  [[ $1 != /* ]] || return 1
  IFS=/ read -ra parts <<<"$1"
  for part in "${parts[@]}"; do
    case $part in
      '' | .) ;;
      ..)
        ((${#kept[@]} > 0)) || return 1
        unset 'kept[-1]'
        ;;
      *) kept+=("$part") ;;
    esac
  done
  local IFS=/
  inside="${kept[*]}"
}

# Follows -r and -c, and notes what makes the outcome float or depend on the source.
read_requirements() {
  local file dir line pending='' inside
  path_inside "$1" || stop "$2 refers to $1, which is outside of the repository." \
    'Only what is committed gets here: copy it into the repository, or remove the line.'
  file=$inside
  [[ -z ${seen[$file]:-} ]] || return 0
  seen[$file]=yes
  [[ -f $BUILD_DIR/$file ]] ||
    stop "$2 refers to $file, which is not in the repository." 'Commit it, or remove the line.'
  inputs+=("$file")
  dir=${file%/*}/
  [[ $file == */* ]] || dir=
  while IFS= read -r line || [[ -n $line ]]; do
    line=$pending${line%$'\r'} pending=
    line=${line#"$byte_order_mark"}
    if [[ $line == *\\ ]]; then
      pending=${line%\\}
      continue
    fi
    line=${line%%[[:space:]]#*}
    read -r line <<<"$line"
    [[ -z $line || $line == '#'* ]] || judge_requirement
  done <"$BUILD_DIR/$file"
}

# One line (`line`) of a list (`file`, in the folder `dir`).
judge_requirement() {
  local target
  ! needs_pip || plain_pip=yes
  case $line in
    -r* | -c* | --requirement* | --constraint*)
      option_value
      [[ $target =~ ^https?:// ]] && { unpinned=yes; return; }
      [[ $target == /* ]] || target=$dir$target
      read_requirements "$target" "$file"
      ;;
    -f* | --find-links*)
      option_value
      add_archives "$target"
      ;;
    -e*git+* | -e*hg+* | -e*svn+* | --editable*+*) plain_pip=yes unpinned=yes ;;
    -e* | --editable*) source_reason="$file names a local path" ;;
    -*) ;;
    *) judge_package ;;
  esac
}

# Puts the value of an option's line into `target`, without quotes.
option_value() {
  [[ $line =~ ^(--[a-z-]+|-[a-z])[=[:space:]]*(.*)$ ]]
  target=${BASH_REMATCH[2]}
  [[ ! $target =~ ^(\"(.*)\"|\'(.*)\')$ ]] || target=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
}

# What decides the outcome and uv leaves out with a warning, or refuses, though pip takes it.
needs_pip() {
  [[ $line =~ ^--(pre|prefer-binary|trusted-host)([=[:space:]]|$) ||
    $line =~ ^--(no|only)-binary[=[:space:]].*, ||
    $line =~ [[:space:]](-C|--config-settings?|--global-option)([=[:space:]]|$) ]]
}

# A path is told from a name by its slash, or by being a package's file.
judge_package() {
  local place=$line inside
  [[ ! $place =~ ^[A-Za-z0-9._-]+(\[[^]]*\])?[[:space:]]*@[[:space:]]*(.*)$ ]] || place=${BASH_REMATCH[2]}
  place=${place%%[[:space:]]*}
  place=${place%%;*}
  place=${place%%\[*}
  place=${place#file:}
  case $place in
    /* | .*) ;;
    */* | *.whl | *.tar.gz | *.zip) [[ $place != *://* ]] || place= ;;
    *) place= ;;
  esac
  path_inside "$place" || inside=
  if [[ -n $inside && -f $BUILD_DIR/$inside ]]; then
    inputs+=("$inside") local_archives=yes
  elif [[ $line == @(.*|/*|file:*|*@[[:space:]]file:*) || -n $inside && -d $BUILD_DIR/$inside ]]; then
    source_reason="$file names a local path"
  else
    case $line in
      *==* | *@*https:*'#sha256='* | *.whl | *.tar.gz) ;;
      *) unpinned=yes ;;
    esac
  fi
}

# The packages in a folder of the app, which pip looks for beside the list and at the app's root.
add_archives() {
  local place archive inside
  for place in "$dir$1" "$1"; do
    path_inside "$place" && [[ -d $BUILD_DIR/$inside ]] || continue
    for archive in "$BUILD_DIR/$inside"/*; do
      [[ -f $archive && $archive == *.@(whl|tar.gz|tgz|tar.bz2|tar.xz|zip) ]] || continue
      inputs+=("${archive#"$BUILD_DIR/"}") local_archives=yes
    done
    return 0
  done
}
