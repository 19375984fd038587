/** What docker/up does once the engine and Node.js are there: checks, images, parts, account, command, sample app. */
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { loadCliConfig } from '../cli/config.js'
import { Credentials } from '../cli/credentials.js'
import type { Config } from '../server/config.js'
import { createDockerEngine } from '../server/engine/docker-engine.js'
import type { Engine } from '../server/engine/engine.js'
import { ensureFirstToken, firstEmail } from './first-account.js'
import { ensureImages } from './images.js'
import {
  describeChanges,
  keepSettings,
  readKeptSettings,
  type Settings,
  settingsFileOf,
  settingsIn,
  unknownSettings,
} from './kept-settings.js'
import { loadMachineConfig } from './machine-network.js'
import { pushSample } from './sample-app.js'
import { platformAnswers, startControlPlaneContainer, startFoundations } from './start-platform.js'

const root = path.resolve(import.meta.dirname, '..', '..')

function say(line: string): void {
  console.log(line)
}

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const startedAt = Date.now()
  say(`-----> ${title}`)
  const result = await work()
  say(`       done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
  return result
}

/** A port that somebody else has is said before anything is changed. */
async function checkPorts(engine: Engine, config: Config): Promise<void> {
  const ours = (await engine.listContainers({ 'paas.instance': config.instance })).filter((c) => c.state === 'running')
  const isUp = (kind: string) => ours.some((c) => c.labels['paas.kind'] === kind)
  const wanted = [
    ...(isUp('router') ? [] : [{ port: config.httpPort, host: config.routerBind, setting: 'PAAS_HTTP_PORT' }]),
    ...(isUp('router') ? [] : [{ port: config.httpsPort, host: config.routerBind, setting: 'PAAS_HTTPS_PORT' }]),
    ...(isUp('control-plane') ? [] : [{ port: config.apiPort, host: '127.0.0.1', setting: 'PAAS_API_PORT' }]),
  ]
  for (const { port, host, setting } of wanted)
    if (!(await isFree(port, host)))
      throw new Error(
        `Port ${port} is taken by another program. Stop that program, or choose another port with ${setting}.`,
      )
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/** Puts `paas` on the PATH: for everybody when root, else for this user. */
function installCommand(): string {
  const isRoot = process.getuid?.() === 0
  const home = isRoot ? '/usr/local' : path.join(os.homedir(), '.local')
  const lib = path.join(home, 'lib', 'paas')
  mkdirSync(lib, { recursive: true })
  mkdirSync(path.join(home, 'bin'), { recursive: true })
  copyFileSync(path.join(root, 'dist', 'paas.cjs'), path.join(lib, 'paas.cjs'))
  chmodSync(path.join(lib, 'paas.cjs'), 0o755)
  const link = path.join(home, 'bin', 'paas')
  rmSync(link, { force: true })
  symlinkSync(path.join(lib, 'paas.cjs'), link)
  return link
}

/** The settings in force, for the control plane's container. */
function controlPlaneSettings(config: Config, settings: Settings): Settings {
  return config.network.caBundle === '' ? settings : { ...settings, PAAS_CA_BUNDLE: config.network.caBundle }
}

/** Says what is other than the last time; whoever runs this sees which settings are in force without asking. */
function sayChanges(file: string, before: Settings, now: Settings): void {
  for (const name of unknownSettings(process.env))
    say(` !     Warning: ${name} is not a setting; docs/operating.md lists them.`)
  const changes = describeChanges(before, now)
  const kept = Object.keys(now).length
  if (kept > 0 || changes.length > 0) say(`-----> Settings (kept in ${file}${changes.length > 0 ? '' : ', as before'})`)
  for (const line of changes.length > 0 ? changes : describeChanges({}, now)) say(`       ${line}`)
}

async function main(): Promise<void> {
  const config = loadMachineConfig()
  const settings = settingsIn(process.env)
  const settingsFile = settingsFileOf(config.instance)
  sayChanges(settingsFile, readKeptSettings(settingsFile), settings)
  const engine = createDockerEngine({ socketPath: config.engineSocket })
  await checkPorts(engine, config)
  keepSettings(settingsFile, settings)
  const images = await step('Building images (the first time takes some minutes)', () =>
    ensureImages(engine, { network: config.network, removeOld: true, onLine: (line) => say(`       ${line}`) }),
  )
  await step('Starting database and router', () => startFoundations(engine, config, images))
  await step('Starting the control plane', async () => {
    await startControlPlaneContainer(engine, config, images, controlPlaneSettings(config, settings))
    await platformAnswers(config, 60_000)
  })
  const command = installCommand()
  const credentials = new Credentials(
    loadCliConfig({ ...process.env, PAAS_API_KEY: undefined, PAAS_API_URL: `http://localhost:${config.apiPort}` }),
  )
  const token = await ensureFirstToken(config, credentials.token())
  credentials.store({ token, email: firstEmail })
  say(`-----> ${command} is logged in as ${firstEmail}`)
  let sample: { address: string; seconds: number | undefined } | undefined
  if (!process.argv.includes('--no-sample')) {
    const source = path.join(root, 'test', 'fixtures', 'apps', 'django')
    sample = await step('Pushing the sample app (Django + PostgreSQL)', () =>
      pushSample({ config, engine, token, source, name: 'hello', write: (text) => process.stdout.write(text) }),
    )
  }
  summary(config, sample)
}

function summary(config: Config, sample: { address: string; seconds: number | undefined } | undefined): void {
  const pushed = sample?.seconds === undefined ? 'pushed before' : `pushed just now in ${sample.seconds.toFixed(1)} s`
  say('')
  say(`Your platform is up:   http://localhost:${config.apiPort}        (API and git)`)
  if (sample) say(`Sample app:            ${sample.address}       (Django + PostgreSQL, ${pushed}; https too)`)
  say('Try next:              paas create my-app && git push paas master')
  say(`                       paas logs --tail --app ${sample ? 'hello' : 'my-app'}`)
  say('                       paas help')
}

main().catch(async (error: unknown) => {
  console.error(`docker/up: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
