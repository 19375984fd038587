/** Refusals that are given while the client is still sending. */
import net from 'node:net'
import t, { type Test } from 'tap'
import { startFront, transports } from './front-world.js'
import { rawRequest } from './raw-git.js'

t.setTimeout(60_000)

/** No request comes as far as git. */
async function openFront(t: Test) {
  const front = await startFront({ transport: transports.spawn() })
  t.teardown(() => front.close())
  return front
}

t.test('a client that sends to the end before it reads gets its refusal', async (t) => {
  const front = await openFront(t)
  const large = rawRequest('unknown-app', Buffer.alloc(30 * 1024 ** 2))
  for (let round = 0; round < 10; round++) {
    const socket = net.connect(front.port, '127.0.0.1')
    const ended = new Promise<string>((resolve) => socket.once('close', () => resolve('ended')))
    const faults: string[] = []
    socket.on('error', (error) => faults.push(error.message))
    await Promise.race([new Promise((resolve) => socket.write(large, resolve)), ended])
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    await ended
    t.strictSame(faults, [])
    t.match(answer, /^HTTP\/1\.1 404 [\s\S]*Couldn't find that app\.\n$/)
  }
})

t.test('a client that never stops sending after its refusal is cut', async (t) => {
  const front = await openFront(t)
  const socket = net.connect(front.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const head = rawRequest('unknown-app', Buffer.alloc(0)).toString()
  socket.write(head.replace('Content-Length: 0', `Content-Length: ${10 * 1024 ** 3}`))
  const piece = Buffer.alloc(65_536)
  const send = () => {
    while (socket.writable && socket.write(piece));
  }
  socket.on('drain', send)
  socket.once('connect', send)
  await closed
  t.ok(socket.bytesWritten > 60 * 1024 ** 2, `${socket.bytesWritten} bytes`)
  t.ok(socket.bytesWritten < 200 * 1024 ** 2, `${socket.bytesWritten} bytes`)
})
