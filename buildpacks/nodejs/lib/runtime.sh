# Where the Node.js comes from: the providers in PAAS_RUNTIME_PROVIDERS, in order. Fills `node_version` and `node_root`
# (the tree during the build; in the dyno it is /app/.heroku/node).
#
# bundled: runtimes that the build image carries. mirror: archives in PAAS_MIRROR_DIR. upstream: the Node.js download
# site. npm: the packages node-linux-* of the npm registry. There is never a silent other version: what can't be had
# stops the build, with what there is and the line to change.

readonly runtime_path=app/.heroku/node
readonly PAAS_RUNTIMES_DIR=${PAAS_RUNTIMES_DIR:-/opt/paas/runtimes}
readonly corepack_folder=$PAAS_WORK_DIR/out/corepack
case $HOSTTYPE in aarch64) readonly node_arch=arm64 ;; *) readonly node_arch=x64 ;; esac

obtain_runtime() {
  local provider best asked=${wanted_in:+ ($wanted_in: $wanted_node)}
  [[ $wanted_in != 'the previous build' ]] || asked=' (as in the previous build)'
  local -a looked=() there_is=() matching=()
  for provider in ${PAAS_RUNTIME_PROVIDERS//,/ }; do
    case $provider in
      bundled) runtime_from_image || continue ;;
      mirror) runtime_from_previous_build || runtime_from_mirror || continue ;;
      upstream) runtime_from_previous_build || runtime_from_upstream || continue ;;
      npm) runtime_from_previous_build || runtime_from_npm || continue ;;
      *) continue ;;
    esac
    step "Using Node.js $node_version$asked"
    link_corepack
    return 0
  done
  refuse_version
}

# `corepack enable` writes commands beside its own, where it finds that on the PATH; the runtime's folder may be
# read-only.
link_corepack() {
  local file=$node_root/lib/node_modules/corepack/dist/corepack.js
  mkdir -p "$corepack_folder"
  [[ ! -f $file ]] || ln -sfn "$file" "$corepack_folder/corepack"
}

runtime_from_image() {
  local found=("$PAAS_RUNTIMES_DIR"/node-*) version
  found=("${found[@]##*/node-}")
  [[ ${found[0]} != '*' ]] || found=()
  there_is+=("${found[@]}")
  looked+=("the build image: ${found[*]:-nothing}")
  matching_versions "${wanted_node:-*}" "${found[@]}"
  best_version "${matching[@]}"
  [[ -n $best ]] || return 1
  node_version=$best node_root=$PAAS_RUNTIMES_DIR/node-$best
  digest "runtime $best"
  describe_runtime ",\"from\":\"$node_root\""
  if layer_fits node "$layer_key"; then
    reuse_layer node "$runtime_path"
  else
    link_layer "$node_root" "$runtime_path"
  fi
}

# What compiling add-ons needs, a dyno does not.
describe_runtime() {
  local exclude='["include","share","CHANGELOG.md","README.md"]'
  describe_layer node "$runtime_path" "$layer_key" ",\"rank\":1,\"version\":\"$best\",\"exclude\":$exclude${1:-}"
}

# The runtime of the previous build, when it is still what the app asks for.
runtime_from_previous_build() {
  local field
  read_previous_layer node || return 1
  previous_field version
  matching_versions "${wanted_node:-*}" "$field"
  ((${#matching[@]} == 1)) || return 1
  digest "runtime $field"
  layer_fits node "$layer_key" || return 1
  reuse_layer node "$runtime_path"
  node_version=$field node_root=$PAAS_PREVIOUS_DIR/layers/node
}

# Archives as Node.js publishes them, node-v22.1.0-linux-x64.tar.xz, with a checksum in NAME.sha256 beside them if any.
runtime_from_mirror() {
  local file versions=() wanted got
  for file in "$PAAS_MIRROR_DIR"/node-v*-linux-"$node_arch".tar.*; do
    [[ ! ${file##*/} =~ ^node-v([0-9]+\.[0-9]+\.[0-9]+)-linux- ]] || versions+=("${BASH_REMATCH[1]}")
  done
  there_is+=("${versions[@]}")
  looked+=("the mirror: ${versions[*]:-nothing}")
  matching_versions "${wanted_node:-*}" "${versions[@]}"
  best_version "${matching[@]}"
  [[ -n $best ]] || return 1
  local found=("$PAAS_MIRROR_DIR/node-v$best-linux-$node_arch".tar.[gxz]*)
  for file in "${found[@]}"; do [[ $file == *.sha256 ]] || break; done
  if [[ -f $file.sha256 ]]; then
    read -r wanted _ <"$file.sha256" || true
    got=$(sha256sum <"$file")
    [[ ${got%% *} == "$wanted" ]] ||
      stop "The mirror's archive ${file##*/} does not match its checksum." 'Put it there again.'
  fi
  unpack_runtime "$file" || stop "The mirror's archive ${file##*/} is damaged." 'Put it there again.'
}

unpack_runtime() {
  detail "Unpacking Node.js $best"
  mkdir -p "$PAAS_LAYERS_DIR/node"
  tar --extract --file="$1" --directory="$PAAS_LAYERS_DIR/node" --strip-components=1 || return 1
  keep_runtime
}

keep_runtime() {
  digest "runtime $best"
  describe_runtime
  node_version=$best node_root=$PAAS_LAYERS_DIR/node
  link_layer "$node_root" "$runtime_path"
}

runtime_from_upstream() {
  local site=${PAAS_NODE_DIST_URL:-https://nodejs.org/dist} file=$PAAS_WORK_DIR/out/node.tar.xz name sum
  local get=(curl --silent --show-error --fail --location --proto '=https' --proto-redir '=https'
    --connect-timeout "$CURL_CONNECT_TIMEOUT" --max-time "$CURL_TIMEOUT" --retry 1)
  if [[ $wanted_node =~ ^[v=]?([0-9]+\.[0-9]+\.[0-9]+)$ ]]; then
    best=${BASH_REMATCH[1]}
  else
    mapfile -t matching < <("${get[@]}" "$site/index.json" 2>"$file.log" |
      jq --raw-output '.[].version[1:]' 2>/dev/null)
    if ((${#matching[@]} == 0)); then
      looked+=('nodejs.org: not reached')
      return 1
    fi
    matching_versions "${wanted_node:-*}" "${matching[@]}"
    best_version "${matching[@]}"
  fi
  name=node-v$best-linux-$node_arch.tar.xz
  if [[ -z $best ]] || ! "${get[@]}" --output "$file" "$site/v$best/$name" 2>"$file.log"; then
    looked+=("nodejs.org: $([[ -s $file.log ]] && tail -n 1 "$file.log" || printf 'no such version')")
    return 1
  fi
  sum=$("${get[@]}" "$site/v$best/SHASUMS256.txt" 2>/dev/null | grep -F "  $name")
  [[ $(sha256sum <"$file") == "${sum%% *}"* && -n $sum ]] ||
    stop "Node.js $best from nodejs.org does not match its checksum." 'Push again.'
  unpack_runtime "$file"
}

# The registry's packages hold node and its headers; npm and corepack come as packages of their own, of releases that
# this Node.js runs.
runtime_from_npm() {
  local found=("$PAAS_RUNTIMES_DIR"/node-*) package=node-linux-$node_arch npm_release all packages
  local log=$PAAS_WORK_DIR/out/node-npm.log folder=$PAAS_WORK_DIR/out/node-npm
  local helper=${found[-1]}
  [[ -x $helper/bin/npm ]] || return 1
  local npm=(env "PATH=$helper/bin:$PATH" npm_config_cache="$folder/cache" npm_config_update_notifier=false npm)
  if ! all=$("${npm[@]}" view "$package" versions --json 2>"$log"); then
    looked+=('the npm registry: not reached')
    return 1
  fi
  mapfile -t matching < <(jq --raw-output '.[] | select(test("^[0-9.]+$"))' <<<"$all")
  matching_versions "${wanted_node:-*}" "${matching[@]}"
  best_version "${matching[@]}"
  [[ -n $best ]] || { looked+=("the npm registry: no such version of $package"); return 1; }
  case ${best%%.*} in
    [0-9] | 1[0-3]) npm_release=6 ;;
    14 | 15) npm_release=8 ;;
    16 | 17) npm_release=9 ;;
    18 | 19 | 2[01]) npm_release=10 ;;
    *) npm_release=11 ;;
  esac
  packages=("$package@$best" "npm@$npm_release")
  choose_corepack
  detail "Downloading Node.js $best from the npm registry"
  if ! "${npm[@]}" install --silent --no-save --ignore-scripts --prefix "$folder" \
    "${packages[@]}" >"$log" 2>&1 </dev/null; then
    looked+=("the npm registry: there is $best, but it could not be installed")
    return 1
  fi
  mv "$folder/node_modules/$package" "$PAAS_LAYERS_DIR/node"
  mkdir -p "$PAAS_LAYERS_DIR/node/lib/node_modules"
  mv "$folder/node_modules/npm" "$PAAS_LAYERS_DIR/node/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$PAAS_LAYERS_DIR/node/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$PAAS_LAYERS_DIR/node/bin/npx"
  if [[ -d $folder/node_modules/corepack ]]; then
    mv "$folder/node_modules/corepack" "$PAAS_LAYERS_DIR/node/lib/node_modules/corepack"
    ln -s ../lib/node_modules/corepack/dist/corepack.js "$PAAS_LAYERS_DIR/node/bin/corepack"
  fi
  keep_runtime
}

# Node.js comes with it from 16.9 to 24.
choose_corepack() {
  local order release=0.34
  compare "$best" 16.9
  ((order >= 0 && ${best%%.*} < 25)) || return 0
  compare "$best" 22.11
  ((order >= 0)) || release=0.33
  compare "$best" 18.17.1
  ((order >= 0)) || release=0.17
  packages+=("corepack@$release")
}

refuse_version() {
  local best line places
  best_version "${there_is[@]}"
  case $wanted_in in
    engines.node*) line="package.json:  \"engines\": { \"node\": \"${best%%.*}.x\" }" ;;
    *) line="$wanted_in:  ${best%%.*}" ;;
  esac
  printf -v places '%s; ' "${looked[@]}"
  stop "Node.js $wanted_node can't be had here (asked for in $wanted_in)." "Looked in ${places%; }." \
    "There is: ${there_is[*]:-nothing}" "Put the wanted version into the mirror${best:+, or change this line in $line}"
}
