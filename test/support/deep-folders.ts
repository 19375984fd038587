/** Folders as a build can make them: by going down while making them, deeper than any path may be long. */
import { execFileSync } from 'node:child_process'

const script = `
const { mkdirSync, writeFileSync } = require('node:fs')
process.chdir(process.argv[1])
for (let depth = 0; depth < 40; depth++) {
  mkdirSync('d'.repeat(200))
  process.chdir('d'.repeat(200))
}
writeFileSync('file', '')`

/** Makes 40 folders of 200 letters each, one in another, below `dir`, and a file in the last. */
export function nestBeyondPaths(dir: string): void {
  execFileSync(process.execPath, ['-e', script, dir])
}
