/** Runs single functions of the bash libraries, without a container. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

/** The root of the checkout, also when the test runs from where it was built. */
export const checkout = ancestorWith('package.json', import.meta.dirname)

function ancestorWith(name: string, folder: string): string {
  return existsSync(path.join(folder, name)) ? folder : ancestorWith(name, path.dirname(folder))
}

/** Sources files of the checkout, runs a script with arguments, and returns its exit code and output. */
export async function bash(files: readonly string[], script: string, args: readonly string[]) {
  const source = files.map((_, index) => `source "\${${index + 1}}"`).join('; ')
  const paths = files.map((file) => path.join(checkout, file))
  const child = spawn('bash', ['-c', `${source}; shift ${files.length}; ${script}`, 'bash', ...paths, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
  return { exitCode, output }
}

/** Runs a command to its end; throws with its output when it fails. */
export async function run(command: readonly string[], cwd: string): Promise<string> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${output}`)
  return output
}
