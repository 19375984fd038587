/** Entry point of the control plane: settings, log, start, and what to do on a signal. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pino } from 'pino'
import { loadConfig, scrubEnvironment } from './config.js'
import { startControlPlane } from './control-plane.js'

interface ImageFile {
  readonly stack: string
  readonly stackBuild: string
  readonly postgres: string
}

async function main(): Promise<void> {
  const config = loadConfig()
  scrubEnvironment()
  const log = pino(
    {
      level: config.logLevel,
      base: undefined,
      redact: ['req.headers.authorization', 'headers.authorization', '*.password', '*.token'],
    },
    pino.destination({ sync: true }),
  )
  const end = (code: number, why: string) => {
    log.fatal({}, why)
    process.exit(code)
  }
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'an exception nobody caught; ending so that a fresh start takes over')
    process.exit(70)
  })
  process.on('unhandledRejection', (err) => {
    log.fatal({ err }, 'a rejection nobody handled; ending so that a fresh start takes over')
    process.exit(70)
  })
  const imagesFile = path.join(config.dataDir, 'images.json')
  const images = JSON.parse(readFileSync(imagesFile, 'utf8')) as ImageFile
  const databaseUrl =
    config.databaseUrl ||
    `postgres://postgres@localhost/postgres?host=${encodeURIComponent(path.join(config.dataDir, 'platform-db', 'socket'))}`
  const migrationsDir = path.join(import.meta.dirname, 'server', 'store', 'migrations')
  const plane = await startControlPlane({
    config,
    log,
    databaseUrl,
    images,
    migrationsDir,
    onFatal: (reason) => end(75, reason),
  })
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping; apps go on')
    setTimeout(() => end(1, 'stopping took too long'), 20_000).unref()
    void plane.stop().then(() => process.exit(0))
  }
  process.once('SIGTERM', () => stop('SIGTERM'))
  process.once('SIGINT', () => stop('SIGINT'))
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
