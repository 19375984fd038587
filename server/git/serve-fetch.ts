/** The reading half: the list of refs that a fetch or a push begins with, and fetches. */
import { exchange } from './exchange.js'
import type { GitServiceName } from './git-transport.js'
import type { GitWork } from './git-work.js'
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

export async function advertiseRefs(work: GitWork, service: GitServiceName): Promise<void> {
  const { response, repository, deps } = work
  const protocol = service === 'upload-pack' ? protocolOf(work) : undefined
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
}

export async function serveFetch(work: GitWork): Promise<void> {
  const { request, response, repository, deps } = work
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
}
