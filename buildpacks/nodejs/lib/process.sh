# What starts the app when the Procfile names no web process.

write_release() {
  local web='' made='' quoted addons='' start_tool=${start_script%% *}
  [[ -z $speaks_postgresql ]] || addons='"heroku-postgresql"'
  if [[ -n $start_script ]]; then
    web="$installer start"
    if pruned_start && has_script start:prod; then
      web="$installer run start:prod"
      procfile_names_web ||
        detail "'$start_tool' of the start script goes with the devDependencies: '$web' is the web process"
    elif [[ $installer == npm ]]; then
      direct_start
    fi
  elif [[ -f $BUILD_DIR/server.js ]]; then
    web='node server.js'
  elif made_server; then
    procfile_names_web || detail "The build made a server, $made: that is the web process"
  elif [[ $main_file =~ ^[A-Za-z0-9._/-]+$ && (-f $BUILD_DIR/$main_file || -f $BUILD_DIR/$main_file.js) ]]; then
    web="node $main_file"
  fi
  if [[ -z $web ]]; then
    explain_adapter
    printf '{"addons":[%s]}\n' "$addons" >release.json
    return 0
  fi
  json_quote "$web"
  printf '{"default_process_types":{"web":%s},"addons":[%s]}\n' "$quoted" "$addons" >release.json
}

# Servers that a framework's build leaves, in places nothing else uses. Their own defaults would have Astro listen where the
# router can't reach it, and SvelteKit take each request for one by https.
made_server() {
  local -A commands=(
    [.output/server/index.mjs]='node .output/server/index.mjs'
    [dist/server/entry.mjs]='HOST=${HOST-0.0.0.0} node dist/server/entry.mjs'
    [build/handler.js]='PROTOCOL_HEADER=${PROTOCOL_HEADER-x-forwarded-proto} node build'
  )
  for made in "${!commands[@]}"; do
    web=${commands[$made]}
    [[ ! -f $BUILD_DIR/$made ]] || return 0
  done
  web=''
  return 1
}

# SvelteKit's skeleton leaves the choice of what to make to the host, and makes nothing where it knows none.
explain_adapter() {
  [[ $install_manifest == *'"@sveltejs/adapter-auto"'* ]] && ! procfile_names_web || return 0
  warning "SvelteKit's build made no server: @sveltejs/adapter-auto knows none to make here." \
    'Run npm install --save-dev @sveltejs/adapter-node, and import it in svelte.config.js in place of adapter-auto.'
}

# NestJS's own skeleton starts with a tool that compiles first, and has start:prod for what was compiled.
pruned_start() {
  [[ $start_tool =~ ^[A-Za-z0-9@._-]+$ && -n $has_dev_dependencies && $prune == yes ]] &&
    ! in_app type -P "$start_tool" >/dev/null
}

# `npm start` keeps a second Node.js in memory and costs a quarter of a second at each boot. A start script that is
# nothing but `node …`, without hooks around it, means the same when it is run as it is; signals then reach it too.
direct_start() {
  [[ -z $start_hooks && $start_script =~ ^node(\ [A-Za-z0-9@%+=:,./_-]+)+$ ]] || return 0
  web=$start_script
  procfile_names_web || detail "npm start is '$web': the dyno runs it without npm around it"
}

procfile_names_web() {
  local line
  [[ -f $BUILD_DIR/Procfile ]] || return 1
  while IFS= read -r line; do [[ ! $line =~ ^web[[:space:]]*: ]] || return 0; done <"$BUILD_DIR/Procfile"
  return 1
}
