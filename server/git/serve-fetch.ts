/** The reading half: the list of refs that a fetch or a push begins with, and fetches. */
import { exchange } from './exchange.js'
import type { GitServiceName } from './git-transport.js'
import type { GitWork } from './git-work.js'
import { sendText } from './last-word.js'
import { RequestBody } from './request-body.js'

/** What a client asks for is ids; a history of 10⁶ commits stays far below. Unpacked bytes. */
const maxFetchBytes = 64 * 1024 ** 2

/** Only what git itself knows reaches git's environment. */
function protocolOf({ request }: GitWork): string | undefined {
  const header = request.headers['git-protocol']
  return typeof header === 'string' && /^version=[012]$/.test(header) ? header : undefined
}

/** How an answer begins in protocol versions 0 and 1: one line, in git's framing, and a flush. */
function serviceLine(service: GitServiceName): string {
  const line = `# service=git-${service}\n`
  return `${(line.length + 4).toString(16).padStart(4, '0')}${line}0000`
}

export function advertiseRefs(work: GitWork, service: GitServiceName): Promise<void> {
  const { response, repository, deps } = work
  const protocol = service === 'upload-pack' ? protocolOf(work) : undefined
  return inTurn(work, async () => {
    const run = await deps.transport.advertise({ service, repositoryPath: repository.path, protocol })
    await exchange({
      response,
      run,
      body: undefined,
      contentType: `application/x-git-${service}-advertisement`,
      preamble: protocol === 'version=2' ? undefined : serviceLine(service),
      limits: deps.limits,
      closing: work.closing,
      keepGit: () => false,
    })
  })
}

export function serveFetch(work: GitWork): Promise<void> {
  const { request, response, repository, deps } = work
  return inTurn(work, async () => {
    const run = await deps.transport.fetch({ repositoryPath: repository.path, protocol: protocolOf(work) })
    await exchange({
      response,
      run,
      body: new RequestBody(request, { ...deps.limits, maxBytes: maxFetchBytes }),
      contentType: 'application/x-git-upload-pack-result',
      limits: deps.limits,
      closing: work.closing,
      keepGit: () => false,
    })
  })
}

/** Waits for a place as long as a client may be silent; one that leaves meanwhile gives up its wait. */
async function inTurn({ response, account, deps, fetchTurns, closing }: GitWork, serve: () => Promise<void>) {
  const left = new AbortController()
  const onClose = () => left.abort()
  response.once('close', onClose)
  const late = AbortSignal.timeout(deps.limits.idleTimeoutMs)
  const leave = await fetchTurns.enter(account.id, AbortSignal.any([left.signal, late, closing]))
  response.off('close', onClose)
  if (!leave) return sendText(response, 503, 'The platform is busy. Try again in a moment.')
  try {
    if (!response.destroyed) await serve()
  } finally {
    leave()
  }
}
