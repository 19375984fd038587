/**
 * One request and its git, from the first byte of the body to the end of both. The answer's head is written at git's first
 * byte and not before: a body that git doesn't understand is answered 400, not with an empty success.
 *
 * A request ends before its time when the client leaves, falls silent or takes too long, or the server closes. Git ends with
 * it, unless `keepGit` says that git must be let run (a push whose answer is on its way); then its output is read and dropped.
 */
import type { ServerResponse } from 'node:http'
import type { GitRun } from './git-transport.js'
import { endAnswer, isAnswered, sendText } from './last-word.js'
import type { GitLimits } from './push-request.js'
import { BodyError, type BodyFault, drained, type RequestBody } from './request-body.js'

export interface ExchangeInput {
  readonly response: ServerResponse
  readonly run: GitRun
  /** Not read from yet, or only its head; none for a list of refs. */
  readonly body: RequestBody | undefined
  readonly contentType: string
  /** Written before git's first byte. */
  readonly preamble?: string
  readonly limits: Pick<GitLimits, 'timeoutMs' | 'idleTimeoutMs'>
  /** Fires when the server closes. */
  readonly closing: AbortSignal
  /** Asked when the request ends early, with a sentence unless the client is gone. True: git runs on. */
  readonly keepGit: (reason: string | undefined) => boolean
}

/** Answers and waits until git has ended; resolves with git's exit code. Never throws. */
export async function exchange(input: ExchangeInput): Promise<number | null> {
  const { response, run, body, limits } = input
  const stop = () => {
    if (!input.keepGit(undefined)) run.kill()
  }
  const onClose = () => {
    body?.abandon()
    if (!response.writableFinished) stop()
  }
  response.on('error', () => {})
  response.once('close', onClose)
  if (response.destroyed) onClose()
  const cut = (status: number, sentence: string) => {
    if (input.keepGit(sentence)) return
    run.kill()
    sendText(response, status, sentence)
  }
  const onClosing = () => cut(503, 'The platform is stopping. Try again in a moment.')
  input.closing.addEventListener('abort', onClosing, { once: true })
  if (input.closing.aborted) onClosing()
  const timer = setTimeout(() => cut(408, 'This took too long and was ended.'), limits.timeoutMs)
  const received = body === undefined ? undefined : receive(body, run, stop)
  await sendOutput(input, received)
  const code = await run.ended
  clearTimeout(timer)
  input.closing.removeEventListener('abort', onClosing)
  return code
}

interface Reception {
  /** What was wrong with the body, so far. */
  fault: BodyFault | undefined
  readonly ended: Promise<void>
}

/** Gives the body to git. One that breaks off ends git, which says so in words for a client that isn't there. */
function receive(body: RequestBody, run: GitRun, stop: () => void): Reception {
  const ended = body.sendTo(run.input).catch((error) => {
    reception.fault = error instanceof BodyError ? error.fault : 'gone'
    stop()
  })
  const reception: Reception = { fault: undefined, ended }
  return reception
}

async function sendOutput(input: ExchangeInput, reception: Reception | undefined): Promise<void> {
  const { response, run, contentType, limits } = input
  let isWhole = true
  try {
    for await (const chunk of run.output) {
      if (reception?.fault !== undefined) isWhole = false
      if (isAnswered(response) || !isWhole) continue
      if (!response.headersSent) {
        response.writeHead(200, gitHeaders(contentType))
        if (input.preamble !== undefined) response.write(input.preamble)
      }
      if (response.write(chunk)) continue
      // A client that reads nothing would hold git, and with it the app's turn.
      if (!(await drained(response, limits.idleTimeoutMs))) response.destroy()
    }
  } catch {
    // A pipe of git's that breaks is told by its exit code.
  }
  await reception?.ended
  const fault = reception?.fault
  if (isAnswered(response)) return
  if (fault === undefined && response.headersSent) return void response.end()
  const code = await run.ended
  // Git, which takes no more than a pack, has answered one with too much behind it.
  if (response.headersSent && isWhole && code !== null) return endAnswer(response)
  if (fault === undefined && code === 0) response.writeHead(200, gitHeaders(contentType)).end()
  else if (fault === undefined && reception === undefined) sendText(response, 500, 'The repository could not be read.')
  else sendText(response, ...faultAnswers[fault ?? 'bad'])
}

/** What a body that isn't a git request's is answered. */
export const faultAnswers: Record<BodyFault | 'bad', readonly [number, string]> = {
  bad: [400, 'The request body is not what git sends.'],
  gone: [400, 'The request body is not what git sends.'],
  'not-gzip': [400, 'The request body is not gzip.'],
  idle: [408, 'Nothing came for too long.'],
  'too-large': [413, 'The request is larger than this platform takes.'],
}

export function gitHeaders(contentType: string): Record<string, string> {
  return {
    'content-type': contentType,
    'cache-control': 'no-cache, max-age=0, must-revalidate',
    pragma: 'no-cache',
    expires: 'Fri, 01 Jan 1980 00:00:00 GMT',
  }
}
