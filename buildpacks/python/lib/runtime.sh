# Where the Python comes from: the providers in PAAS_RUNTIME_PROVIDERS, in order. Fills `python_version` (full) and
# `python_executable`.
#
# bundled: the stack's own Python, already in every dyno. mirror: archives in PAAS_MIRROR_DIR. upstream: the standalone
# builds uv knows. Runtimes that the stack lacks are a layer at /app/.heroku/python-runtime. There is never a silent
# other version: what can't be had stops the build, with what there is and the line to change. (npm has no Python, and
# debian is what bundled is.)

readonly runtime_path=app/.heroku/python-runtime

obtain_runtime() {
  local provider asked=${wanted_in:+ (asked for in $wanted_in)}
  [[ $wanted_in != 'the previous build' ]] || asked=' (as in the previous build)'
  local -a looked=() there_is=()
  for provider in ${PAAS_RUNTIME_PROVIDERS//,/ }; do
    case $provider in
      bundled) runtime_from_stack || continue ;;
      mirror) runtime_from_previous_build || runtime_from_mirror || continue ;;
      upstream) runtime_from_previous_build || runtime_from_upstream || continue ;;
      *) continue ;;
    esac
    step "Using Python $python_version$asked"
    return 0
  done
  refuse_version
}

runtime_from_stack() {
  local file version best=
  for file in /usr/bin/python3.[0-9]*; do
    [[ ${file##*/} =~ ^python3\.[0-9]+$ ]] || continue
    version=$("$file" -V)
    version=${version#Python }
    there_is+=("$version")
    if version_is_wanted "$version" && newer "$version" "$best"; then best=$version python_executable=$file; fi
  done
  looked+=("the stack: ${there_is[*]:-nothing}")
  python_version=$best
  [[ -n $best ]]
}

newer() {
  [[ -n $2 ]] || return 0
  compare "$1" "$2"
  ((order > 0))
}

# The runtime of the previous build, when it is still what the app asks for.
runtime_from_previous_build() {
  local field key
  read_previous_layer python-runtime || return 1
  previous_field version
  version_is_wanted "$field" || return 1
  runtime_key "$field"
  layer_fits python-runtime "$layer_key" || return 1
  reuse_layer python-runtime "$runtime_path"
  python_version=$field
  runtime_executable "$PAAS_PREVIOUS_DIR/layers/python-runtime"
}

runtime_key() { digest "runtime $1"; }

runtime_executable() {
  local found=("$1"/bin/python3.[0-9]*) file
  for file in "${found[@]}"; do
    if [[ ${file##*/} =~ ^python3\.[0-9]+$ && -x $file ]]; then
      python_executable=/$runtime_path/bin/${file##*/}
      return 0
    fi
  done
  return 1
}

# Archives named cpython-3.12.7+….tar.gz (as the standalone builds are) or python-3.12.7-….tar.zst, for this machine's
# architecture, with a checksum in NAME.sha256 beside them if there is one.
runtime_from_mirror() {
  local file name best='' best_file='' versions=()
  for file in "$PAAS_MIRROR_DIR"/{cpython,python}-*; do
    name=${file##*/}
    [[ $name =~ ^c?python-([0-9]+\.[0-9]+\.[0-9]+)[^0-9].*\.(tgz|tar\.(gz|xz|zst))$ ]] || continue
    case $HOSTTYPE:$name in
      x86_64:*aarch64* | x86_64:*arm64* | aarch64:*x86_64* | aarch64:*amd64*) continue ;;
    esac
    versions+=("${BASH_REMATCH[1]}")
    if version_is_wanted "${versions[-1]}" && newer "${versions[-1]}" "$best"; then
      best=${versions[-1]} best_file=$file
    fi
  done
  looked+=("the mirror: ${versions[*]:-nothing}")
  there_is+=("${versions[@]}")
  [[ -n $best ]] || return 1
  [[ ! -f $best_file.sha256 ]] || verify_checksum "$best_file"
  detail "Unpacking Python $best from the mirror"
  mkdir -p "$PAAS_LAYERS_DIR/.python-runtime"
  tar --extract --file="$best_file" --directory="$PAAS_LAYERS_DIR/.python-runtime" ||
    stop "The mirror's archive ${best_file##*/} is damaged." 'Put it there again.'
  keep_runtime "$best"
}

verify_checksum() {
  local wanted got
  read -r wanted _ <"$1.sha256" || true
  got=$(sha256sum <"$1")
  [[ ${got%% *} == "$wanted" ]] ||
    stop "The mirror's archive ${1##*/} does not match its checksum." 'Put it there again.'
}

# uv carries the list of standalone builds, so which version it would be needs no network, only getting it does.
runtime_from_upstream() {
  local version best='' log=$PAAS_WORK_DIR/out/python-install.log
  while read -r version; do
    if version_is_wanted "$version" && newer "$version" "$best"; then best=$version; fi
  done < <(uv python list --only-downloads --all-versions --no-config --output-format json 2>/dev/null |
    jq --raw-output '.[] | select(.implementation == "cpython" and .variant == "default") | .version')
  if [[ -z $best ]]; then
    looked+=("uv's standalone builds: no such version")
    return 1
  fi
  detail "Downloading Python $best"
  if ! UV_HTTP_RETRIES=${UV_HTTP_RETRIES:-1} UV_HTTP_CONNECT_TIMEOUT=${UV_HTTP_CONNECT_TIMEOUT:-5} \
    uv python install --no-config --no-bin --no-progress --color never \
    --install-dir "$PAAS_LAYERS_DIR/.python-runtime" "$best" >"$log" 2>&1 </dev/null; then
    looked+=("uv's standalone builds: there is $best, but it could not be downloaded")
    quiet_download_failure "$log"
    return 1
  fi
  keep_runtime "$best"
}

quiet_download_failure() {
  local lines=()
  mapfile -t lines <"$1"
  detail "Not downloaded: ${lines[-1]#*cause: }"
  rm -rf "$PAAS_LAYERS_DIR/.python-runtime"
}

# Makes an unpacked tree the runtime layer. Its bytecode is compiled anew: cached files that trust the source's time
# would all be stale once times are fixed in the image.
keep_runtime() {
  local unpacked=$PAAS_LAYERS_DIR/.python-runtime log=$PAAS_WORK_DIR/out/runtime.log inside tree=
  for inside in "$unpacked" "$unpacked"/*; do
    [[ ! -x $inside/bin/python3 || -L $inside ]] || tree=$inside
  done
  [[ -n $tree ]] || stop "The Python $1 that was fetched has no bin/python3."
  mv "$tree" "$PAAS_LAYERS_DIR/python-runtime"
  rm -rf "$unpacked"
  runtime_key "$1"
  describe_layer python-runtime "$runtime_path" "$layer_key" ",\"rank\":1,\"version\":\"$1\""
  link_layer "$PAAS_LAYERS_DIR/python-runtime" "$runtime_path"
  python_version=$1
  runtime_executable "$PAAS_LAYERS_DIR/python-runtime"
  "$python_executable" -c 'import ssl, zlib' >"$log" 2>&1 </dev/null ||
    stop_with_tail "$log" "The Python $1 that was fetched does not run on this stack." \
      'Ask whoever runs the platform to put a build for it into the mirror.'
  "$python_executable" -m compileall -qq -f -j 0 --invalidation-mode unchecked-hash \
    "$PAAS_LAYERS_DIR/python-runtime/lib" >/dev/null 2>&1 </dev/null || true
}

refuse_version() {
  local newest=${there_is[0]:-} version line places
  for version in "${there_is[@]}"; do if newer "$version" "$newest"; then newest=$version; fi; done
  newest=${newest%.*}
  case $wanted_in in
    runtime.txt) line="runtime.txt:  python-$newest" ;;
    .python-version) line=".python-version:  $newest" ;;
    Pipfile.lock) line="Pipfile, then pipenv lock:  python_version = \"$newest\"" ;;
    pyproject.toml) line="pyproject.toml:  requires-python = \">=$newest\"" ;;
    *) line=".python-version:  $newest" ;;
  esac
  printf -v places '%s; ' "${looked[@]}"
  stop "Python $wanted_python can't be had here (asked for in $wanted_in)." \
    "Looked in ${places%; }." "There is: ${there_is[*]:-nothing}" \
    ${newest:+"Change this line in $line"} \
    'To have that version all the same, ask whoever runs the platform to put it into the mirror.'
}
