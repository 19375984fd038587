/**
 * HAProxy's command sockets: the running process's own, and the master's, which reloads and reaches processes that are
 * on their way out. One command a connection; a command has a deadline, and its reply is judged, since HAProxy answers
 * a refused command with a sentence and a closed connection like any other.
 */
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { isCode } from './durable-file.js'
import { parseAddress } from './observe.js'
import type { RouterPaths } from './paths.js'

/** HAProxy answered, but not with what the command answers when it worked. */
export class CommandRefused extends Error {
  constructor(
    readonly command: string,
    readonly reply: string,
  ) {
    super(`HAProxy refused '${command.split('\n', 1)[0]}': ${reply.trim()}`)
    this.name = 'CommandRefused'
  }
}

/** True for a socket that nobody listens on: HAProxy isn't running. */
export function isAway(error: unknown): boolean {
  return isCode(error, 'ENOENT', 'ECONNREFUSED')
}

/** True when whoever listened went away before its reply was whole. */
export function isCut(error: unknown): boolean {
  return error instanceof CutReply || isCode(error, 'ECONNRESET', 'EPIPE')
}

class CutReply extends Error {
  constructor(command: string) {
    super(`HAProxy went away while it answered '${command.split('\n', 1)[0]}'`)
  }
}

/** A process that ends closes its connections like one that has said all: only what it said tells them apart. */
function isWhole(command: string, reply: string): boolean {
  return reply.endsWith(command.startsWith('show ') ? '\n\n' : '\n')
}

const deadlineMs = 10_000

/** Sends one command and returns the whole reply. Rejects with the socket's error, or after the deadline. */
export function ask(socketPath: string, command: string, timeoutMs = deadlineMs): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath)
    const timer = setTimeout(() => fail(new Error(`HAProxy didn't answer '${command}' in ${timeoutMs} ms`)), timeoutMs)
    const parts: Buffer[] = []
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    socket.on('error', fail)
    socket.on('data', (part: Buffer) => parts.push(part))
    socket.on('end', () => {
      const reply = Buffer.concat(parts).toString('utf8')
      if (!isWhole(command, reply)) return fail(new CutReply(command))
      clearTimeout(timer)
      resolve(reply)
    })
    socket.end(`${command}\n`)
  })
}

/** What each command answers when it worked; commands not listed answer nothing. */
const answers: readonly [RegExp, RegExp][] = [
  // With what follows it in the same line, and answers nothing.
  [/^add server /, /^New server registered\.$/],
  [/^del server /, /^Server deleted\./],
  [/^set server \S+ addr /, /^(IP changed|port changed|nothing changed)/i],
  [/^new ssl cert /, /^New empty certificate store/],
  [/^set ssl cert /, /^Transaction (created|updated)/],
  [/^commit ssl cert /, /Success!/],
  [/^add ssl crt-list /, /Success!/],
  [/^del ssl crt-list /, /deleted/],
  [/^del ssl cert /, /deleted/],
]

/** Sends a command that changes something and resolves when it has; throws `CommandRefused` when it didn't. */
export async function tell(socketPath: string, command: string): Promise<void> {
  const reply = (await ask(socketPath, command)).trim()
  const expected = answers.find(([pattern]) => pattern.test(command))?.[1]
  if (expected === undefined ? reply !== '' : !expected.test(reply)) throw new CommandRefused(command, reply)
  const [, server, ip, port] = /^set server (\S+) addr (\S+) port (\d+)$/.exec(command) ?? []
  if (server !== undefined && !/^nothing changed/i.test(reply)) await untilMoved(socketPath, server, `${ip}:${port}`)
}

/** HAProxy answers before it has changed an address: a request that came at once would still go to the old one. */
async function untilMoved(socketPath: string, server: string, address: string): Promise<void> {
  const [backend] = server.split('/', 1)
  const deadline = Date.now() + deadlineMs
  while (parseAddress(await ask(socketPath, `show servers state ${backend}`), server) !== address) {
    if (Date.now() > deadline) throw new Error(`HAProxy did not move ${server} to ${address} in time`)
    await delay(1)
  }
}

/** Asks a process that a reload left behind; empty when it is gone. */
export async function askLeaving(pid: number, command: string, paths: RouterPaths): Promise<string> {
  const reply = await ask(paths.masterSocket, `@!${pid} ${command}`)
  return reply.startsWith("Can't find the target PID") ? '' : reply
}
