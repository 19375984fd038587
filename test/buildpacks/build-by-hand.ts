/**
 * Builds an app folder by hand, several times over, and shows the log, the result and the time of each build:
 *
 *   npx tsx test/buildpacks/build-by-hand.ts FOLDER [--times N] [--config NAME=VALUE]… [--env NAME=VALUE]… [--mount INSIDE=FOLDER]… [--run]
 *
 * `--run` starts the web process afterwards and shows what `/` answers, its memory and how long it took.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ScratchApp } from './sandbox.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    times: { type: 'string', default: '2' },
    config: { type: 'string', multiple: true, default: [] },
    env: { type: 'string', multiple: true, default: [] },
    mount: { type: 'string', multiple: true, default: [] },
    run: { type: 'boolean', default: false },
  },
})
const pairs = (list: readonly string[]) =>
  Object.fromEntries(list.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
const [folder] = positionals
if (folder === undefined) throw new Error('name the folder of an app')

const app = new ScratchApp()
try {
  let web = ''
  for (let number = 1; number <= Number(values.times); number += 1) {
    const built = await app.build(path.resolve(folder), {
      config: pairs(values.config),
      env: pairs(values.env),
      mounts: pairs(values.mount),
    })
    console.log(`${built.log}=== build ${number}: exit ${built.exitCode}, ${built.ms} ms`)
    console.log(JSON.stringify(built.header, undefined, 1))
    web = built.header?.process_types.web ?? web
  }
  if (values.run) {
    const procfile = /^web:\s*(.*)$/m.exec(readText(path.join(folder, 'Procfile')))
    const started = performance.now()
    const dyno = await app.run(procfile?.[1] ?? web, pairs(values.config))
    const response = await dyno.get()
    console.log(`=== ${procfile?.[1] ?? web}: ${response.status} after ${Math.round(performance.now() - started)} ms`)
    console.log(await response.text())
    console.log(await dyno.exec(['bash', '-c', 'grep -h -E "^(Name|VmRSS)" /proc/[0-9]*/status']))
    console.log(await dyno.logs())
  }
} finally {
  await app.close()
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
