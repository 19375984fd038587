/**
 * Something that answers on port 80 of a link-local address, as a cloud's metadata service does: in a network name space of
 * its own, joined to this machine by a pair of interfaces. The address is never the real one, and nothing leaves the machine.
 */
import { spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { runCommand } from './world.js'

export interface StandIn {
  readonly address: string
  remove(): Promise<void>
}

const serve = "require('node:http').createServer((_, r) => r.end('secret')).listen(80, () => console.log('up'))"

export async function standInForMetadata(): Promise<StandIn> {
  const id = randomBytes(3).toString('hex')
  const [space, outer, inner] = [`paas-meta-${id}`, `pm${id}o`, `pm${id}i`]
  // Far from 169.254.169.254, and two addresses of it only.
  const network = `169.254.${randomInt(200, 250)}`
  const ip = async (...args: string[]) => {
    const done = await runCommand('ip', args, '/', { PATH: process.env.PATH ?? '' })
    if (done.code !== 0) throw new Error(`ip ${args.join(' ')}: ${done.output}`)
  }
  const remove = () => ip('netns', 'delete', space)
  await ip('netns', 'add', space)
  try {
    await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', space)
    await ip('address', 'add', `${network}.1/30`, 'dev', outer)
    await ip('link', 'set', outer, 'up')
    await ip('-n', space, 'address', 'add', `${network}.2/30`, 'dev', inner)
    await ip('-n', space, 'link', 'set', inner, 'up')
    await ip('-n', space, 'route', 'add', 'default', 'via', `${network}.1`)
    const server = spawn('ip', ['netns', 'exec', space, process.execPath, '-e', serve], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await Promise.race([
      once(server.stdout, 'data'),
      once(server, 'exit').then(() => Promise.reject(new Error('the stand-in ended'))),
    ])
    return {
      address: `${network}.2`,
      async remove() {
        server.kill('SIGKILL')
        if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
