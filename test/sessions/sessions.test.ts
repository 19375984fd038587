// Goal: what the files *.session here show is what a user sees, word for word.
// Method: each is typed into a shell, in a folder with the Django app, on a platform of the test's own; curl is led to its
// ports, and in what is printed these are written as the usual ones.
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { findDifference, parseSession } from '../support/session.js'
import { projectRoot, runCommand, startWorld, until, type World } from '../support/world.js'

t.setTimeout(400_000)

const folder = path.join(projectRoot, 'test', 'sessions')

let world: World
t.before(async () => {
  world = await startWorld()
  const { httpPort, httpsPort } = world.config
  const ca = path.join(world.dir, 'ca.pem')
  await writeFile(ca, (await world.paas(['certs:ca'])).stdout)
  const flags = `--cacert '${ca}' --connect-to :80:127.0.0.1:${httpPort} --connect-to :443:127.0.0.1:${httpsPort}`
  await writeFile(path.join(world.dir, 'bin', 'curl'), `#!/bin/sh\nexec /usr/bin/curl ${flags} "$@"\n`, { mode: 0o755 })
})
t.teardown(() => world.stop())

/** As it would be on a platform with the usual ports. */
function usual(output: string): string {
  const { httpPort, apiPort } = world.config
  return output.replaceAll(`localhost:${apiPort}`, 'localhost:5000').replaceAll(`localhost:${httpPort}`, 'localhost')
}

t.test('sessions', async (t) => {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.session'))
  t.not(files.length, 0)
  for (const file of files)
    await t.test(file, async (t) => {
      const repo = path.join(world.dir, 'repos', file)
      await cp(path.join(projectRoot, 'test', 'fixtures', 'apps', 'django'), repo, { recursive: true })
      await world.git(['init', '-q', '-b', 'master'], repo)
      await world.commitAll(repo, 'First')
      const env = { ...world.env, PATH: `${path.join(world.dir, 'bin')}:${world.env.PATH}` }
      for (const step of parseSession(await readFile(path.join(folder, file), 'utf8'))) {
        const type = async () => {
          const ran = await runCommand('bash', ['--norc', '-c', `exec 2>&1; ${step.command}`], repo, env)
          const output = usual(ran.output)
          return { output, difference: findDifference(step, output, ran.code) }
        }
        const fits = step.soon
          ? await until(step.command, async () => !(await type()).difference, 60_000).catch(() => false)
          : false
        const { output, difference } = fits ? { output: '', difference: undefined } : await type()
        t.equal(difference, undefined, `${file}:${step.line} $ ${step.command}\n${difference ? output : ''}`)
        if (difference !== undefined) return
      }
    })
})
