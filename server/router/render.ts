/**
 * The files HAProxy starts from, as text. Pure: the same placement and options give the same bytes.
 *
 * The configuration always renders the current table in full, so that HAProxy comes back as it was with nobody there
 * to tell it. Its shape: one public frontend looks the host up in a map and hands the request to a slot's backend;
 * a host that is in no map ends in `no_app`, never in somebody's slot.
 */
import { createHash } from 'node:crypto'
import { remembered, rememberedJoin } from '../lib/remembered.js'
import { connectionName, serverDefaults } from './changes.js'
import { codeOfTermination } from './codes.js'
import { platformSlot, serversOf, slotName } from './layout.js'
import type { RouterSettings } from './options.js'
import type { Page } from './pages.js'
import { failurePage, misdirectedPage, noAppPage, renderPage, statePages } from './pages.js'
import type { RouterPaths } from './paths.js'
import type { PlacedApp, Placement } from './placement.js'
import { asPage, renderFrontends, renderSuccessor } from './render-frontend.js'

/** For TLS 1.2; 1.3 has no weak ones. */
const ciphers = ['ECDHE-ECDSA', 'ECDHE-RSA'].flatMap((keys) =>
  ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((cipher) => `${keys}-${cipher}`),
)

/** `haproxy.cfg`. */
export function renderConfig(placement: Placement, settings: RouterSettings, paths: RouterPaths): string {
  const mark = configMark(placement.slotCount, settings, paths)
  return [globalPart(mark, settings, paths), fixedPart(settings, paths), slotsPart(placement)].join('\n')
}

/** Differs between two configurations that only a reload leads from one to the other. A running HAProxy shows its own. */
export function configMark(slotCount: number, settings: RouterSettings, paths: RouterPaths): string {
  const parts = [String(slotCount), globalPart('', settings, paths), fixedPart(settings, paths), connectionName]
  const hash = createHash('sha256')
  for (const part of [...parts, ...renderPages(paths).values(), renderCodes()]) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** The whole pages folder: file name → text. */
export function renderPages(paths: RouterPaths): ReadonlyMap<string, string> {
  const pages = new Map<string, Page>([
    ['no-app', noAppPage],
    ['misdirected', misdirectedPage],
    ['failure', failurePage(paths.codesMap)],
    ...Object.entries(statePages),
  ])
  return new Map([...pages].map(([name, page]) => [`${name}.html`, renderPage(page)]))
}

/** A map file: `key value` a line. */
export const renderMap = remembered((map: ReadonlyMap<string, string>): string => {
  let text = ''
  for (const [key, value] of map) text += `${key} ${value}\n`
  return text
})

/** Termination state → code, for the failure page. */
export function renderCodes(): string {
  return renderMap(new Map(Object.entries(codeOfTermination)))
}

function globalPart(mark: string, settings: RouterSettings, paths: RouterPaths): string {
  return `# Written by the platform; a change made here is lost.
global
  description ${mark}
  user haproxy
  group haproxy
  chroot ${paths.jailDir}
  stats socket ${paths.adminSocket} mode 600 level admin
  hard-stop-after ${settings.hardStopMs}
  fd-hard-limit 100000
  tune.http.logurilen 3072
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-ciphers ${ciphers.join(':')}
  log ring@access len 16384 format raw local0

# Lines wait here while the control plane is away.
ring access
  format raw
  maxlen 16384
  size 4194304
  timeout connect 1s
  timeout server 10s
  server control_plane unix@/log.sock log-proto octet-count
`
}

/** Everything between the global part and the slots. */
function fixedPart(settings: RouterSettings, paths: RouterPaths): string {
  return [
    renderFrontends(settings, paths),
    renderSuccessor(settings),
    statesPart(paths),
    platformPart(settings),
    dynoPart(settings, paths),
  ].join('\n')
}

/** Backends that only answer, one a state; a state's backend is named for it. */
function statesPart(paths: RouterPaths): string {
  const answer = (page: Page, file: string) =>
    `  http-request return status ${page.status} ${asPage} lf-file ${paths.errorsDir}/${file}.html`
  const states = Object.entries(statePages).map(([state, page]) =>
    [
      `backend state_${state} from answers`,
      ...(page.code === undefined ? [] : [`  http-request set-var(txn.code) str(${page.code})`]),
      answer(page, state),
    ].join('\n'),
  )
  return `defaults answers
  mode http
  timeout connect 1s
  timeout server 1s

${states.join('\n\n')}

backend no_app from answers
${answer(noAppPage, 'no-app')}
`
}

function platformPart(settings: RouterSettings): string {
  const away = `'{"id":"unavailable","message":"The platform is restarting or stopped. Try again in a moment."}'`
  const errors = [502, 503, 504].map((s) => `  http-error status ${s} content-type application/json string ${away}`)
  return `# API and git: nothing is buffered, a push may be held for as long as its build takes, and the few seconds of a
# restart are waited for.
defaults platform
  mode http
  timeout connect ${settings.connectTimeoutMs}
  timeout server ${settings.apiIdleTimeoutMs}
  timeout tunnel ${settings.apiIdleTimeoutMs}
  option abortonclose
  option http-server-close
  http-reuse never
  retries 3
${errors.join('\n')}

backend ${platformSlot} from platform
  server control_plane 127.0.0.1:${settings.apiPort}
`
}

/**
 * A dyno's connection is reused where the request may be repeated (see `render-frontend.ts`) and a request is sent
 * again only where none of it arrived, or where a reused connection closed under a request that may be repeated.
 */
function dynoPart(settings: RouterSettings, paths: RouterPaths): string {
  const failures = [502, 503, 504].map(
    (status) => `  http-error status ${status} ${asPage} lf-file ${paths.errorsDir}/failure.html`,
  )
  return `defaults dyno
  mode http
  balance leastconn
  timeout connect ${settings.connectTimeoutMs}
  timeout check ${settings.connectTimeoutMs}
  timeout queue ${settings.connectTimeoutMs}
  timeout server ${settings.firstByteTimeoutMs}
  timeout tunnel ${settings.idleTimeoutMs}
  option abortonclose
  option redispatch 1
  retries 1
  retry-on conn-failure empty-response
  http-reuse safe
  default-server ${serverDefaults}
${sampling(settings)}  http-request set-var(txn.code) str(H10) if { nbsrv eq 0 }
  http-request return status 503 ${asPage} lf-file ${paths.errorsDir}/crashed.html if { nbsrv eq 0 }
  # The app speaks of its connection to us, not of the client's.
  http-response del-header keep-alive
  http-response set-var(txn.answered) bool(true)
  http-response set-timeout server ${settings.idleTimeoutMs}
${failures.join('\n')}
`
}

/**
 * More lines than an app's log takes would cost us and the control plane more than passing the requests on does, only to be
 * dropped: beyond that rate every other request is logged, beyond four times as much one in sixteen. A line that is left
 * says that others were left out; failures are always logged (see `routing`).
 */
function sampling({ logLinesPerSecond: most }: RouterSettings): string {
  return `  http-request set-var(txn.sample) int(1) if { be_sess_rate gt ${most} }
  http-request set-log-level silent if { var(txn.sample) -m found } !{ rand(2) eq 0 }
  http-request set-log-level silent if { be_sess_rate gt ${4 * most} } !{ rand(8) eq 0 }
`
}

function slotsPart({ apps, slotCount }: Placement): string {
  const slots: (PlacedApp | number)[] = Array.from({ length: slotCount }, (_, slot) => slot)
  for (const app of apps) slots[app.slot] = app
  return textOfSlots(slots)
}

const slotHead = (slot: number) => `backend ${slotName(slot)} from dyno\n`

const slotText = remembered((app: PlacedApp): string => {
  const servers = serversOf(app).map(
    ([server, address]) => `  server ${server.slice(server.indexOf('/') + 1)} ${address} ${connectionName}\n`,
  )
  return [slotHead(app.slot), ...servers].join('')
})

/** An empty slot is its number. */
const textOfSlots = rememberedJoin(
  (slot: PlacedApp | number) => (typeof slot === 'number' ? slotHead(slot) : slotText(slot)),
  '',
)
