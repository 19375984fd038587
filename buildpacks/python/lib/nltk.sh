# The corpora that nltk.txt lists, for apps with NLTK: a layer of their own, keyed by the list, so that a push that
# changes only source downloads nothing. They come from the internet; what can't be had costs a warning, no build.

readonly nltk_path=app/.heroku/nltk_data
readonly nltk_talk='^(Error installing package\. Retry.*|<frozen runpy>.*RuntimeWarning.*)$'

download_corpora() {
  local names=() log=$PAAS_WORK_DIR/out/nltk.log
  [[ -f $BUILD_DIR/nltk.txt && ! -f $ENV_DIR/NLTK_DATA && $installed == *' nltk '* ]] || return 0
  read -r -d '' -a names < <(tr -d '\r' <"$BUILD_DIR/nltk.txt") || true
  ((${#names[@]} > 0)) || return 0
  printf '%s\n' 'export NLTK_DATA="${NLTK_DATA:-$HOME/.heroku/nltk_data}"' >"$BUILD_DIR/.profile.d/nltk.sh"
  digest nltk nltk.txt
  if layer_fits nltk "$layer_key"; then
    reuse_layer nltk "$nltk_path"
    return 0
  fi
  step "Downloading NLTK corpora: ${names[*]}"
  mkdir "$PAAS_LAYERS_DIR/nltk"
  link_layer "$PAAS_LAYERS_DIR/nltk" "$nltk_path"
  # The downloader ends well whatever happened, so its lines are looked at.
  if quiet_lines=$nltk_talk indented "$log" in_app nltk_downloader "${names[@]}" &&
    ! grep -q -F '[nltk_data] Error' "$log"; then
    describe_layer nltk "$nltk_path" "$layer_key" ',"rank":8'
  else
    if rmdir "$PAAS_LAYERS_DIR/nltk" 2>/dev/null; then
      rm -f "$BUILD_DIR/.heroku/nltk_data" /app/.heroku/nltk_data
    else
      describe_layer nltk "$nltk_path" none ',"rank":8'
    fi
    warning 'Some of the corpora in nltk.txt could not be downloaded: the lines above say which.' \
      'The app goes on without them. Check their names, and push again; where builds have no way to the internet,' \
      'commit the corpora in a folder nltk_data/ and set it: paas config:set NLTK_DATA=/app/nltk_data'
  fi
}

# At a failure it asks whether to try again, and goes on with the next name when told not to.
nltk_downloader() { timeout 600 python -m nltk.downloader -d /app/.heroku/nltk_data "$@" < <(yes n 2>/dev/null); }
