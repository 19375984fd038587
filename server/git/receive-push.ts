/**
 * One push: its list of updates, git, the announcement to the relay, its pack, and what became of it in the log.
 *
 * A pusher who leaves while the pack comes in ends git, which removes what it had stored. One who leaves while the push is
 * decided on cancels the build; git then waits for the relay's answer like any other time.
 */
import { type CommandList, CommandListReader } from './command-list.js'
import { exchange, faultAnswers, gitHeaders } from './exchange.js'
import type { GitWork } from './git-work.js'
import { sendText } from './last-word.js'
import { BodyError, type BodyFault, RequestBody } from './request-body.js'

const resultType = 'application/x-git-receive-pack-result'

type HeadFault = BodyFault | 'bad' | 'too-long'

/** Receives one push and answers it; resolves when its git has ended. Throws only before git was started. */
export async function receivePush(work: GitWork): Promise<void> {
  const { request, response, account, deps, pushes } = work
  // git refuses a pack over the limit in its own words; beyond that is room for the client to finish sending.
  const body = new RequestBody(request, { ...deps.limits, maxBytes: deps.limits.packBytes * 2 })
  const commands = await readCommands(body)
  if (commands === 'probe') response.writeHead(200, gitHeaders(resultType)).end()
  else if (commands === 'too-long') sendText(response, 413, 'This push carries more refs than this platform takes.')
  else if (typeof commands === 'string') sendText(response, ...faultAnswers[commands])
  else {
    await deps.relay.checkReady()
    const { appId } = work.repository
    work.rate.count(account, appId)
    work.underWay.begin(appId)
    pushes.add(account, 1)
    let exitCode: number | null = null
    try {
      exitCode = await runPush(work, body, commands)
    } finally {
      pushes.add(account, -1)
      await work.underWay.end(appId, exitCode === null)
    }
  }
}

async function readCommands(body: RequestBody): Promise<CommandList | 'probe' | HeadFault> {
  const reader = new CommandListReader()
  try {
    for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next()) {
      const state = reader.read(chunk)
      if (state === 'done') return reader.list
      if (state !== 'more') return state
    }
    return 'bad'
  } catch (error) {
    return error instanceof BodyError ? error.fault : 'gone'
  }
}

/** Resolves with git's exit code; null after a signal. */
async function runPush(work: GitWork, body: RequestBody, commands: CommandList): Promise<number | null> {
  const { response, account, appName, repository, deps, pushes } = work
  const begun = Date.now()
  const run = await deps.transport.push({ repositoryPath: repository.path, commands })
  const limit = deps.limits.pushesPerAccount
  // Git shows its user a hook's words but not those of an HTTP error, so the hook is where one push too many is refused.
  const refusal =
    pushes.of(account) > limit
      ? `You have ${limit} pushes under way already. Push again when one has ended.`
      : undefined
  const { appId } = repository
  const push = deps.relay.announce(run.pid, { account, appId, appName, refusal })
  let isCutShort = false
  const keepGit = (reason: string | undefined) => {
    isCutShort = true
    return !push.abort(reason)
  }
  const { limits } = deps
  let exitCode: number | null = null
  try {
    exitCode = await exchange({
      response,
      run,
      body,
      contentType: resultType,
      limits,
      closing: work.closing,
      keepGit,
    })
  } finally {
    // Whatever happens, the next push to the app gets its turn.
    run.kill()
    push.close()
  }
  const fields = { push: push.pushId, app: appName, account: account.id, phase: push.phase, exitCode, isCutShort }
  const ms = Date.now() - begun
  if (exitCode === 0) deps.log.info({ ...fields, ms }, 'push ended')
  else deps.log.warn({ ...fields, ms, stderr: run.stderr() }, 'push ended by a failure of git')
  return exitCode
}
