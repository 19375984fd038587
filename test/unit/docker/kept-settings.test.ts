// What docker/up keeps of the settings it was given, and what it refuses before it changes anything.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import {
  describeChanges,
  keepSettings,
  parseKept,
  readKeptSettings,
  settingsIn,
  unknownSettings,
} from '../../../docker/kept-settings.js'
import { projectRoot } from '../../support/project-root.js'

interface Ran {
  readonly code: number
  readonly output: string
}

function bash(script: string, env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd: projectRoot, env: { PATH: process.env.PATH ?? '', ...env } }
    execFile('bash', ['--norc', '-c', script], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, output: stdout + stderr }),
    )
  })
}

const folder = mkdtempSync(path.join(tmpdir(), 'paas-settings-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

t.test('settings are kept as given, but for those of one run', async (t) => {
  const file = path.join(folder, 'etc', 'paas.env')
  t.same(readKeptSettings(file), {}, 'nothing at first')
  const given = { PAAS_DOMAIN: ' apps.example.com ', PAAS_FAILPOINT: 'x', PAAS_API_KEY: 'secret', PAAS_HTTP_PORT: '' }
  const settings = settingsIn({ ...given, HOME: '/root' })
  t.same(settings, { PAAS_DOMAIN: 'apps.example.com' })
  keepSettings(file, settings)
  t.equal(statSync(file).mode & 0o777, 0o600, 'an address in it may hold a password')
  t.same(readKeptSettings(file), settings)
  t.notMatch(readFileSync(file, 'utf8'), /secret/)
  keepSettings(file, {})
  t.notOk(existsSync(file), 'defaults need no file')
  t.throws(() => settingsIn({ PAAS_DOMAIN: 'a\nPAAS_API_PORT=1' }), { message: 'PAAS_DOMAIN has a line break in it.' })
  t.same(parseKept('# PAAS_DOMAIN=no\n\nPAAS_DOMAIN=a=b\r\nnothing\n'), { PAAS_DOMAIN: 'a=b' })
})

t.test('what changed is said, passwords are not', async (t) => {
  const before = { PAAS_DOMAIN: 'old.example', PAAS_HTTP_PORT: '8080', PAAS_API_PORT: '5001' }
  const url = 'postgres://me:hidden@db/paas'
  t.same(describeChanges(before, { PAAS_DOMAIN: 'new.example', PAAS_API_PORT: '5001', PAAS_DATABASE_URL: url }), [
    'PAAS_DATABASE_URL=postgres://me:…@db/paas',
    'PAAS_DOMAIN=new.example (was old.example)',
    'PAAS_HTTP_PORT is back at its default, 80 (was 8080)',
  ])
  t.same(unknownSettings({ PAAS_DOMIAN: 'x', PAAS_API_KEY: 'k', PAAS_ENGINE_LOG: '/x', PAAS_DEBIAN_MIRROR: 'm' }), [
    'PAAS_DOMIAN',
  ])
})

t.test('what was kept comes back, and the environment wins, also when it says nothing', async (t) => {
  const file = path.join(folder, 'kept.env')
  keepSettings(file, { PAAS_DOMAIN: 'kept.example', PAAS_HTTP_PORT: '8080', PAAS_API_PORT: '5001' })
  const script = '. docker/settings; load_kept_settings; echo "$PAAS_DOMAIN|$PAAS_HTTP_PORT|$PAAS_API_PORT"'
  const env = { PAAS_SETTINGS_FILE: file, PAAS_HTTP_PORT: '9090', PAAS_API_PORT: '' }
  t.equal((await bash(script, env)).output, 'kept.example|9090|\n')
  t.equal(
    (await bash(`set -euo pipefail; ${script}`, { ...env, PAAS_SETTINGS_FILE: '/none', PAAS_DOMAIN: 'x' })).output,
    'x|9090|\n',
  )
})

t.test('a taken port is said in a sentence before anything is changed', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const port = String((server.address() as net.AddressInfo).port)
  const instance = 'not-there-at-all'
  const env = { PAAS_INSTANCE: instance, PAAS_HTTP_PORT: '1', PAAS_HTTPS_PORT: '2', PAAS_API_PORT: '3' }
  const check = 'set -euo pipefail; . docker/preflight; preflight_ports'
  t.same(await bash(check, env), { code: 0, output: '' })
  for (const name of ['PAAS_HTTP_PORT', 'PAAS_HTTPS_PORT', 'PAAS_API_PORT']) {
    const ran = await bash(check, { ...env, [name]: port })
    t.equal(ran.code, 1)
    t.equal(
      ran.output,
      `docker/up: port ${port} is taken by another program. Stop that program, or choose another port: ${name}=… docker/up\n`,
    )
  }
})

t.test('no root and too little disk are each a sentence, and docker/up ends there', async (t) => {
  const copy = path.join(folder, 'checkout')
  mkdirSync(copy)
  cpSync(path.join(projectRoot, 'docker'), path.join(copy, 'docker'), { recursive: true })
  await bash(`chmod 755 ${folder} && chmod -R a+rX ${copy}`)
  const unprivileged = await bash(`cd ${copy} && exec setpriv --reuid 65534 --regid 65534 --clear-groups docker/up`)
  t.equal(unprivileged.code, 1)
  t.match(unprivileged.output, /^docker\/up: run it as root \(sudo docker\/up\)[^\n]*\n$/)
  const small = `mount -t tmpfs -o size=9m none ${folder} && . docker/preflight && preflight_disk`
  const full = await bash(`unshare --mount bash --norc -c '${small}'`, {
    PAAS_DATA_DIR: path.join(folder, 'data', 'deep'),
  })
  t.equal(full.code, 1)
  t.match(full.output, /^docker\/up: only 9 MB of disk are free at \S+; the platform needs about \d+ MB there\.\n$/)
})
