/** What docker/down does: control plane first, so that nothing is started again, then apps, add-ons, router, database. */
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { loadConfig } from '../server/config.js'
import { createDockerEngine } from '../server/engine/docker-engine.js'
import type { Container } from '../server/engine/engine.js'
import { removeFirewall } from '../server/engine/host-firewall.js'
import { settingsFileOf } from './kept-settings.js'
import { firewallRules } from '../server/shared-networks.js'

const order = ['control-plane', 'build', 'dyno', 'one-off', 'release', 'router', 'add-on', 'database']

async function main(): Promise<void> {
  const config = loadConfig()
  const engine = createDockerEngine({ socketPath: config.engineSocket })
  const purge = process.argv.includes('--purge')
  if (purge && !process.argv.includes('--yes') && !(await confirmed(config.dataDir))) {
    const how = process.stdin.isTTY ? '' : ' Without a terminal to ask on, docker/down --purge --yes is the answer.'
    console.error(`docker/down: nothing was removed.${how}`)
    process.exit(1)
  }
  const labels = { 'paas.instance': config.instance }
  const all = await engine.listContainers(labels)
  const stop = async (container: Container) => {
    await engine.stopContainer(container.id, config.dynos.stopGraceSeconds)
    await engine.removeContainer(container.id, { force: true })
  }
  for (const kind of order) {
    const some = all.filter((c) => c.labels['paas.kind'] === kind)
    if (some.length === 0) continue
    console.log(`-----> Stopping ${kind} (${some.length})`)
    await Promise.all(some.map(stop))
  }
  await Promise.all(all.filter((c) => !order.includes(c.labels['paas.kind'] ?? '')).map(stop))
  await removeFirewall(firewallRules(config)).catch((error: unknown) => console.error(`docker/down: ${String(error)}`))
  for (const network of await engine.listNetworks(labels)) await engine.removeNetwork(network.name)
  if (!purge) {
    console.log('The platform is stopped; its data is kept. Start it again with docker/up.')
    return
  }
  for (const volume of await engine.listVolumes(labels)) await engine.removeVolume(volume.name)
  for (const tag of await engine.listTags(`${config.instance}/*`)) await engine.removeImage(tag, { force: true })
  await rm(config.dataDir, { recursive: true, force: true })
  await rm(settingsFileOf(config.instance), { force: true })
  console.log('The platform and all its data are removed.')
}

async function confirmed(dataDir: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(
    `This removes every app, database and log below ${dataDir}. Type 'purge' to go on: `,
  )
  terminal.close()
  return answer.trim() === 'purge'
}

main().catch((error: unknown) => {
  console.error(`docker/down: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
