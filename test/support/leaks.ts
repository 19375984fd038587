/**
 * What a test run may not leave behind: containers, networks, volumes, images of test platforms, processes and folders.
 *
 *   leaks.js list                   prints what is there, a line each
 *   leaks.js compare BEFORE AFTER   fails, naming them, when AFTER has lines that BEFORE lacks
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import Docker from 'dockerode'
import { createDockerEngine } from '../../server/engine/docker-engine.js'

const socketPath = process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock'

async function list(): Promise<string[]> {
  const engine = createDockerEngine({ socketPath })
  const [containers, networks, volumes] = await Promise.all([
    engine.listContainers({}),
    engine.listNetworks({}),
    engine.listVolumes({}),
  ])
  const images = [...(await engine.listTags('t*/*')), ...(await namelessImages())]
  return [
    ...containers.map((c) => `container ${c.name}`),
    ...networks.map((n) => `network ${n.name}`),
    ...volumes.map((v) => `volume ${v.name}`),
    ...images.map((i) => `image ${i}`),
    ...readdirSync(tmpdir())
      .filter((f) => /paas-|-test-/.test(f) && !f.endsWith('.lock'))
      .map((f) => `folder ${f}`),
    ...processes(),
  ]
}

/** An image that lost its last name while a container had it is found by nobody any more. */
async function namelessImages(): Promise<string[]> {
  const docker = new Docker({ socketPath })
  return (await docker.listImages({ filters: { dangling: ['true'] } })).map((image) => image.Id)
}

/** Processes of ours that outlived their test: control planes and git servers. */
function processes(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const folder = readlinkSync(`/proc/${pid}/cwd`)
      return /control-plane\.mjs|git (receive|upload)-pack/.test(command)
        ? [`process ${pid} ${command.trim()} in ${folder}`]
        : []
    } catch {
      return []
    }
  })
}

const [verb, before, after] = process.argv.slice(2)
if (verb === 'list') console.log((await list()).sort().join('\n'))
else {
  const known = new Set(readFileSync(before ?? '', 'utf8').split('\n'))
  const left = readFileSync(after ?? '', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !known.has(line))
  for (const line of left) console.error(`left behind: ${line}`)
  process.exit(left.length === 0 ? 0 : 1)
}
