# Which tool installs the dependencies, and what decides the outcome. Fills `installer` (uv, poetry, pipenv, pip,
# project, setup, starter, none), `inputs` (files the layer's key covers), `unpinned` (versions that may float, so the layer
# ages), and `source_reason` (why the outcome depends on the source itself, so that it can't be reused; else empty).

choose_installer() {
  local file lockfiles=()
  installer=none inputs=() starter_packages=() unpinned='' source_reason='' plain_pip=''
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
    detail 'No dependencies: there is no requirements.txt, pyproject.toml, lockfile or setup.py.'
  fi
  for file in uv.toml .python-version pip.conf; do
    [[ ! -f $BUILD_DIR/$file ]] || inputs+=("$file")
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
  fi
}

use_pip() {
  installer=pip
  local -A seen=()
  read_requirements requirements.txt
}

# Follows -r and -c, and notes what makes the outcome float or depend on the source.
read_requirements() {
  local file=$1 dir line target pending=''
  [[ -z ${seen[$file]:-} ]] || return 0
  seen[$file]=yes
  [[ -f $BUILD_DIR/$file && $file != /* && $file != *../* ]] ||
    stop "requirements.txt refers to $file, which is not in the repository." 'Commit it, or remove the line.'
  inputs+=("$file")
  dir=${file%/*}/
  [[ $file == */* ]] || dir=
  while IFS= read -r line || [[ -n $line ]]; do
    line=$pending${line%$'\r'} pending=
    if [[ $line == *\\ ]]; then
      pending=${line%\\}
      continue
    fi
    line=${line%%[[:space:]]#*}
    read -r line <<<"$line"
    case $line in
      '' | '#'*) ;;
      -r* | -c* | --requirement* | --constraint*)
        [[ $line =~ ^(-r|-c|--requirement|--constraint)[=[:space:]]*(.*)$ ]]
        target=${BASH_REMATCH[2]}
        [[ $target =~ ^https?:// ]] && { unpinned=yes; continue; }
        read_requirements "$dir${target#./}"
        ;;
      -e*git+* | -e*hg+* | -e*svn+* | --editable*+*) plain_pip=yes unpinned=yes ;;
      -e* | --editable* | .* | /* | file:* | *@[[:space:]]file:*) source_reason="$file names a local path" ;;
      -*) ;;
      *==* | *@*https:*'#sha256='* | *.whl | *.tar.gz) ;;
      *) unpinned=yes ;;
    esac
  done <"$BUILD_DIR/$file"
}
