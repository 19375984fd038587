/**
 * The public frontend: who is asked, what the app is told about the client, and where the request goes.
 *
 * Headers that speak for the router (`X-Forwarded-*`, `X-Request-Id`, `X-Request-Start`, `Via`) are the router's alone:
 * what a client sent under these names, or under spellings that CGI-like gateways confuse with them, is removed before
 * ours are set. Only `X-Forwarded-For` keeps the client's value, with the address we saw appended, as on Heroku; of
 * several such lines the last.
 * `X-Request-Id`, and `X-Forwarded-For` where the client sent none, are set by HAProxy's own options, behind all rules.
 * Hop-by-hop headers go first, so that `Connection: x-forwarded-for` can't make a later hop drop one of ours.
 *
 * A process that a reload left behind still hears its open connections, but its servers can't be changed any more. So
 * from that moment it hands each request to the process that came after it, through the `relay` frontend on a socket in
 * the jail; headers have been set by then.
 */
import { platformSlot } from './layout.js'
import type { RouterSettings } from './options.js'
import type { RouterPaths } from './paths.js'

/** Path that answers 200 on any host that is no app's: the router's own health. */
export const healthPath = '/.well-known/router-health'

/** How HAProxy is told to send a page of ours. */
export const asPage = 'content-type "text/html; charset=utf-8" hdr Cache-Control no-store'

export function renderFrontends(settings: RouterSettings, paths: RouterPaths): string {
  const lookup = whoIsAsked(settings, paths)
  return [
    ...[publicFrontend(settings, paths), refusals(paths), lookup, headers, repeating, leaving, routing],
    ...[relayFrontend(settings, paths), lookup, repeating, routing],
  ].join('\n')
}

/**
 * One JSON object a request; `access-log.ts` reads it. HAProxy drops a record that is longer than its buffers, so all that a
 * client may write is bounded: the request line by `logurilen` (each of its bytes becomes three at most), the rest by what is
 * refused. Control characters stand in it as they came.
 */
function logFormat(tls: string): string {
  return [
    '%{+json}o',
    '%(at:sint)[request_date(ms)] %(app)[var(txn.app)] %(code)[var(txn.code)] %(server)s',
    `%(method)HM %(path)HPO %(query)HQ %(host)[var(txn.host)] %(id)ID %(fwd)[var(txn.fwd),bytes(0,2048)] %(client)ci %(tls)${tls}`,
    '%(receive)TR %(wait)Tw %(connect)Tc %(data)Td %(total)Ta %(status)ST %(bytes)B %(end)ts %(sample)[var(txn.sample)]',
  ].join(' ')
}

function publicFrontend(settings: RouterSettings, paths: RouterPaths): string {
  const address = settings.bind.includes(':') ? `ipv6@${settings.bind}` : `ipv4@${settings.bind}`
  return `defaults clients
  mode http
  timeout client ${settings.idleTimeoutMs}
  timeout client-fin 10s
  timeout http-request ${settings.headersTimeoutMs}
  timeout http-keep-alive ${settings.keepAliveTimeoutMs}
  option dontlognull
  option disable-h2-upgrade
  option idle-close-on-response
  unique-id-format %[uuid()]

frontend public from clients
  bind ${address}:${settings.httpPort}
  bind ${address}:${settings.httpsPort} ssl crt ${paths.defaultCert} crt-list ${paths.certList} alpn h2,http/1.1
  log global
  log-format "${logFormat('sslv')}"
  unique-id-header x-request-id
  option forwardfor if-none header x-forwarded-for
`
}

/** What is answered without asking anybody. */
function refusals(paths: RouterPaths): string {
  return `  acl has_sni ssl_fc_has_sni
  acl sni_is_host ssl_fc_sni,lower,strcmp(txn.host) eq 0
  http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)
  acl usual_method method GET HEAD POST
  acl refused_method method CONNECT
  acl refused_method method,length gt 64
  http-request deny deny_status 405 if !usual_method refused_method
  acl is_h2 req.ver 2.0
  acl is_path url -m beg /
  # HTTP/2 comes in this form too. A longer authority would leave a log without the path.
  acl is_absolute url -m reg -i '^https?://[^/?@]{1,320}([/?]|$)'
  http-request deny deny_status 400 if !is_path !is_absolute !{ url -m str * }
  http-request deny deny_status 400 if HTTP_1.0 { req.hdr(transfer-encoding) -m found }
  http-request return status 414 if { pathq,length gt 8192 }
  http-request set-var(txn.code) str(H31) if has_sni !sni_is_host
  http-request return status 421 ${asPage} lf-file ${paths.errorsDir}/misdirected.html if has_sni !sni_is_host
`
}

/** The host decides: the map's slot, else the slot of the wildcard one label up, else nobody's. */
function whoIsAsked(settings: RouterSettings, { hostsMap, slotsMap }: RouterPaths): string {
  return `  http-request set-var(txn.slot) var(txn.host),map_str(${hostsMap})
  http-request set-var(txn.slot) var(txn.host),regsub("^[^.]+","*"),map_str(${hostsMap}) unless { var(txn.slot) -m found } or { var(txn.host),length gt 253 }
  http-request set-var(txn.app) var(txn.slot),map_str(${slotsMap})
  http-request return status 200 content-type text/plain string "ok" if !{ var(txn.app) -m found } { path ${healthPath} }
  http-request set-timeout client ${settings.apiIdleTimeoutMs} if { var(txn.slot) -m str ${platformSlot} }
`
}

const headers = `  acl has_upgrade req.hdr(upgrade) -m found
  http-request del-header keep-alive
  http-request del-header proxy-connection
  http-request del-header connection unless has_upgrade
  http-request set-header connection upgrade if has_upgrade
  http-request set-var-fmt(txn.fwd) "%[req.fhdr(x-forwarded-for)], %[src]" if { req.fhdr(x-forwarded-for),length gt 0 }
  http-request del-header x-forwarded- -m beg
  http-request del-header forwarded
  http-request del-header proxy
  http-request del-header ^x[-_](forwarded[-_].*|request[-_](id|start))$ -m reg if { req.hdr_names -m sub _ }
  http-request add-header x-forwarded-for %[var(txn.fwd)] if { var(txn.fwd) -m found }
  http-request add-header x-forwarded-proto %[ssl_fc,iif(https,http)]
  http-request add-header x-forwarded-port %[dst_port]
  http-request del-header x-request-id
  http-request set-header x-request-start %[request_date(ms)]
  http-request set-header via "1.1 paas"
  http-request set-uri %[pathq] if !is_path !is_h2 is_absolute
`

/**
 * An app may close an idle connection in the very moment a request is sent down it. A request that may be repeated
 * (no body, a method that changes nothing) is then sent once more; any other never meets a closing connection and never
 * is sent twice, since it always gets a connection of its own. So does the repetition: connections are pooled by a name,
 * which is nought for a first attempt at a repeatable request, and a number that nobody else has for all else. The first
 * request of a client's connection gets a fresh one by `http-reuse safe` and isn't repeated either.
 */
const repeating = `  acl repeatable method GET HEAD OPTIONS
  acl has_body req.hdr(content-length) -m found
  acl has_body req.hdr(transfer-encoding) -m found
  acl once var(txn.own) -m int gt 0
  http-request set-var(txn.number) rand,add(1)
  http-request set-var(txn.own) int(0)
  http-request set-var(txn.own) var(txn.number) if !repeatable or has_body
  http-request set-header connection close if once !{ req.hdr(upgrade) -m found }
  http-request disable-l7-retry if once or { http_first_req }
`

const leaving = `  use_backend successor if { stopping }
`

const routing = `  # The app's own 502 and 504 pass; ours are 503, as Heroku's are.
  http-after-response set-status 503 if { status 502 504 } !{ var(txn.answered) -m bool }
  http-after-response set-log-level info if { status ge 500 } { var(txn.sample) -m found }
  http-after-response set-status 408 if { status 400 } { txn.sess_term_state -m beg c }
  use_backend %[var(txn.slot)] if { var(txn.app) -m beg up: }
  use_backend state_%[var(txn.app),word(1,:)] if { var(txn.app) -m found }
  default_backend no_app
`

function relayFrontend(settings: RouterSettings, paths: RouterPaths): string {
  return `defaults relayed from clients
  timeout client ${settings.apiIdleTimeoutMs}
  unique-id-format %[req.hdr(x-request-id)]

frontend relay from relayed
  bind unix@${paths.jailDir}/relay.sock mode 666
  log global
  log-format "${logFormat('[var(txn.tls)]')}"
  http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)
  http-request set-var(txn.fwd) req.fhdr(x-forwarded-for)
  http-request set-var(txn.tls) str(TLS) if { req.hdr(x-forwarded-proto) -m str https }
`
}

/** The way from a leaving process to its successor, who has all the deadlines. */
export function renderSuccessor(settings: RouterSettings): string {
  return `defaults successors
  mode http
  timeout connect 5s
  timeout server ${settings.apiIdleTimeoutMs}
  timeout tunnel ${settings.apiIdleTimeoutMs}
  option abortonclose
  option http-server-close
  http-reuse never
  retries 3
  http-response set-var(txn.answered) bool(true)

backend successor from successors
  server relay unix@/relay.sock
`
}
