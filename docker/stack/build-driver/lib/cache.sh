# CACHE_DIR: one folder for all buildpacks of an app, kept from one successful build to the next.
#
# The build works on a copy, so a failed build leaves the kept cache as it was. Copying is the dear part, so it happens
# only when somebody will really use it: the driver calls `use_cache` for buildpacks that aren't ours, an official
# buildpack calls it once it knows that it has to install something.

# Makes CACHE_DIR hold what the last successful build left there. Does so once in a build.
use_cache() {
  local cache=$PAAS_WORK_DIR/cache
  [[ ! -d $cache ]] || return 0
  mkdir -p "$cache"
  [[ ! -d $PAAS_PREVIOUS_DIR/cache ]] || cp --archive "$PAAS_PREVIOUS_DIR/cache/." "$cache/"
}

# Drops a part of the cache that has grown beyond a number of MiB.
bound_cache() {
  local part=$PAAS_WORK_DIR/cache/$1 size
  [[ -d $part ]] || return 0
  read -r size _ < <(du --summarize --block-size=1M "$part")
  ((size <= $2)) || rm -rf "$part"
}
