# Fetches buildpacks that aren't ours: `https://host/repository[#ref]` by git, `https://….tgz` by curl.
#
# The address comes from whoever can push, and is fetched from inside the build's container: only https, no names or
# passwords in it, nothing that a command could take for an option, and no way into the private network, also not by a
# redirect. PAAS_BUILDPACK_HOSTS, when set, lists the only hosts allowed; those may be private ones.

readonly path_pattern='(/[A-Za-z0-9._~%+,=:@/-]*)?(\?[A-Za-z0-9._~%&=/-]*)?'
readonly url_pattern="^https://([A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?$path_pattern\$"
readonly ref_pattern='^[A-Za-z0-9][A-Za-z0-9._/-]*$'

# Prints the error and fails unless the URL has an allowed form.
check_buildpack_url() {
  local url=${1%%#*} ref=
  [[ $1 != *'#'* ]] || ref=${1#*#}
  if [[ ! $url =~ $url_pattern || $url == *..* || ${#url} -gt 2000 ]]; then
    error "'$1' is not a buildpack: give a name such as python, or an https URL without a user name." \
      'A git URL may end in #branch-or-tag.'
    return 1
  fi
  if [[ -n $ref && (! $ref =~ $ref_pattern || $ref == *..*) ]]; then
    error "'$ref' is not a branch, tag or commit of a buildpack."
    return 1
  fi
}

# True when the host may be fetched from; else says why not.
host_is_allowed() {
  local host=$1 address addresses
  if [[ -n ${PAAS_BUILDPACK_HOSTS:-} ]]; then
    [[ " $PAAS_BUILDPACK_HOSTS " == *" $host "* ]] && return 0
    error "Buildpacks may not be fetched from $host." "Allowed hosts: $PAAS_BUILDPACK_HOSTS."
    return 1
  fi
  # Behind a proxy names are the proxy's to look up, and so is the fence around the private network.
  [[ -z ${HTTPS_PROXY:-${https_proxy:-}} ]] || return 0
  if ! addresses=$(getent ahosts "$host"); then
    error "The host $host of a buildpack could not be found."
    return 1
  fi
  while read -r address _; do
    is_public_address "$address" && continue
    error "The buildpack host $host is at the private address $address." \
      'Buildpacks are fetched from public hosts only.'
    return 1
  done <<<"$addresses"
}

is_public_address() {
  case $1 in
    0.* | 10.* | 127.* | 169.254.* | 192.168.* | 192.0.0.* | 22[4-9].* | 23[0-9].* | 24[0-9].* | 25[0-5].*) return 1 ;;
    172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 198.1[89].*) return 1 ;;
    100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].*) return 1 ;;
    *:*) [[ $1 =~ ^[23][0-9a-f]{3}: && ! $1 =~ ^2001:0?0?0?0?: && ! $1 =~ ^2002: ]] ;;
  esac
}

# Fetches a buildpack into a folder; puts what it turned out to be (a commit, a checksum) into `fetched_version`.
fetch_buildpack() {
  local url=${1%%#*} ref=
  [[ $1 != *'#'* ]] || ref=${1#*#}
  detail "Fetching $1"
  if [[ $url =~ \.(tgz|tar\.gz)$ ]]; then fetch_archive "$url" "$2"; else fetch_repository "$url" "$ref" "$2"; fi
}

fetch_repository() {
  local url=$1 ref=$2 dir=$3 final pin
  follow_redirects "${url%/}/info/refs?service=git-upload-pack" /dev/null || return 1
  final=${final%/info/refs*}
  local git=(git -c protocol.allow=never -c protocol.https.allow=always -c http.followRedirects=false
    -c credential.helper= -c core.hooksPath=/dev/null -c advice.detachedHead=false)
  [[ -z $pin ]] || git+=(-c "http.curloptResolve=$pin")
  export GIT_TERMINAL_PROMPT=0
  # A commit can't be named to a shallow clone, and a server of plain files can't make one: then all of it is cloned.
  if ! "${git[@]}" clone --quiet --depth 1 ${ref:+--branch "$ref"} -- "$final" "$dir" 2>/dev/null; then
    rm -rf -- "$dir"
    "${git[@]}" clone --quiet -- "$final" "$dir" || { error "The buildpack $url could not be fetched."; return 1; }
    [[ -z $ref ]] || "${git[@]}" -C "$dir" checkout --quiet --detach "$ref" -- 2>/dev/null || {
      error "The buildpack $url has no branch, tag or commit '$ref'."
      return 1
    }
  fi
  [[ ! -f $dir/.gitmodules ]] || "${git[@]}" -C "$dir" submodule --quiet update --init --recursive --depth 1 || return 1
  fetched_version=$(git -C "$dir" rev-parse HEAD)
}

fetch_archive() {
  local archive=$work_dir/out/buildpack.tgz final
  follow_redirects "$1" "$archive" || return 1
  mkdir -p "$2"
  if ! tar --extract --gzip --no-same-owner --file="$archive" --directory="$2"; then
    error "The buildpack $1 is not a .tgz archive."
    return 1
  fi
  # Archives of a repository hold one folder with everything in it.
  local inside=("$2"/*)
  if [[ ! -d $2/bin && ${#inside[@]} == 1 && -d ${inside[0]}/bin ]]; then
    mv "${inside[0]}" "$2.inside" && rmdir "$2" && mv "$2.inside" "$2" || return 1
  fi
  read -r fetched_version _ < <(sha256sum "$archive")
}

# Downloads a URL into a file, each hop checked anew and fetched from the very address that was checked. Where it ended
# goes into `final`, that address into `pin`.
follow_redirects() {
  local host port answer code next address
  final=$1
  for _ in 1 2 3 4 5; do
    [[ $final =~ $url_pattern ]] || { error "$1 leads to $final, which is not an https URL."; return 1; }
    host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]:-:443} pin=
    host_is_allowed "$host" || return 1
    if [[ -z ${HTTPS_PROXY:-${https_proxy:-}} ]] && read -r address _ < <(getent ahosts "$host"); then
      [[ $address != *:* ]] || address=[$address]
      pin=$host$port:$address
    fi
    answer=$(curl --silent --show-error --proto '=https' --connect-timeout "$CURL_CONNECT_TIMEOUT" \
      --max-time "$CURL_TIMEOUT" --max-filesize 200000000 --output "$2" --write-out '%{http_code} %{redirect_url}' \
      ${pin:+--resolve "$pin"} --url "$final") || { error "The buildpack at $1 could not be fetched."; return 1; }
    read -r code next <<<"$answer"
    case $code in
      200) return 0 ;;
      30[12378]) final=$next ;;
      *) error "The buildpack at $1 could not be fetched: $host answered $code."; return 1 ;;
    esac
  done
  error "The buildpack at $1 could not be fetched: too many redirects."
  return 1
}
