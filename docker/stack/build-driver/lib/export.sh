# The result: which layers there are, and their tars.
#
# A layer is a tree of an official buildpack that changes less often than the source (a runtime, the installed
# dependencies), described by $PAAS_LAYERS_DIR/<name>.json. One that the previous build had under the same key, upon the
# same layers, is only named: engines know a layer by what it lies on. The others are sent, and so is the app: everything in
# the build folder that no layer holds. Names in the tars are those in the image (app/…), entries sorted, owner and times
# fixed, so that equal trees are equal bytes.

export_result() {
  local -a rows=() tars=() app_options=()
  layer_rows || return 1
  pack_layers || return 1
  pack_app || return 1
  write_header || return 1
  cat "$work_dir/out/header.json" "${tars[@]}" >&3
}

# Fills `rows`: name, path, key, sent, launch, from, exclude, tree of each layer, by tabs. What changes seldom comes first,
# since a layer that changes takes those above it along.
layer_rows() {
  local files=("$PAAS_LAYERS_DIR"/*.json)
  [[ -e ${files[0]} ]] || return 0
  local record=$PAAS_PREVIOUS_DIR/record.json
  [[ -f $record ]] || record=/dev/null
  mapfile -t rows < <(jq --null-input --raw-output --from-file "$PAAS_DRIVER_DIR/lib/rows.jq" \
    --slurpfile record "$record" "${files[@]}")
  ((${#rows[@]} == ${#files[@]})) || { error 'A buildpack described a layer badly.'; return 1; }
}

pack_layers() {
  local row name path key sent launch from exclude tree part options list
  for row in "${rows[@]}"; do
    IFS=$'\t' read -r name path key sent launch from exclude tree <<<"$row"
    [[ $launch == true ]] || continue
    if [[ ! $path =~ ^app(/[A-Za-z0-9._-]+)+$ || $path == *..* ]]; then
      error "The layer $name has a bad path: $path."
      return 1
    fi
    app_options+=(--exclude="./${path#app/}")
    [[ $sent == true ]] || continue
    if [[ $tree != - ]]; then
      new_or_previous "$name.list"
      list=$found
      new_or_previous "$tree"
      pack "$work_dir/out/layer-$name.tar" "$found" "$path" --no-recursion --null --files-from="$list" || return 1
      continue
    fi
    if [[ $from == - ]]; then
      new_or_previous "$name"
      from=$found
    fi
    options=(--anchored)
    [[ $exclude == - ]] || for part in $exclude; do options+=(--exclude="./$part"); done
    pack "$work_dir/out/layer-$name.tar" "$from" "$path" "${options[@]}" . || return 1
  done
}

# Puts where a layer's tree or list is into `found`: made in this build, or kept from the previous one.
new_or_previous() {
  found=$PAAS_LAYERS_DIR/$1
  [[ -e $found ]] || found=$PAAS_PREVIOUS_DIR/layers/$1
}

pack_app() {
  # Folders above a layer belong to the app, so that it may write there.
  ((${#app_options[@]} == 0)) || [[ -d $build_dir/.heroku ]] || mkdir "$build_dir/.heroku" || return 1
  pack "$work_dir/out/app.tar" "$build_dir" app --anchored --exclude=./.git "${app_options[@]}" .
}

# Packs what the last arguments name of a tree under its path in the image.
pack() {
  local file=$1 tree=$2 path=$3
  shift 3
  if ! tar --create --format=gnu --sort=name --mtime=@0 --owner=59419 --group=59419 --numeric-owner \
    --transform="flags=rh;s,^\\.,$path," --file="$file" --directory="$tree" "$@"; then
    error "$path could not be packed."
    return 1
  fi
  tars+=("$file")
}

# One line of JSON. Process types are those of the last buildpack that has any, config vars and add-ons those of all.
write_header() {
  local number cache=false sizes versions=() IFS=$'\n'
  mapfile -t sizes < <(stat --format='%n %s' "${tars[@]}")
  [[ ! -d $cache_dir ]] || cache=true
  for number in "${!buildpack_names[@]}"; do
    versions+=("${buildpack_names[number]}"$'\t'"${buildpack_versions[number]}")
  done
  jq --null-input --compact-output --from-file "$PAAS_DRIVER_DIR/lib/header.jq" --argjson cache "$cache" \
    --arg versions "${versions[*]}" --arg rows "${rows[*]}" --arg sizes "${sizes[*]}" --arg notes "${notes[*]}" \
    "${release_files[@]}" </dev/null >"$work_dir/out/header.json"
}
