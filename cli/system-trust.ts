/** Putting a CA into the machine's own trust store, where we know how and may. */
import { accessSync, constants, copyFileSync } from 'node:fs'
import path from 'node:path'

export interface TrustOutcome {
  readonly trusted: boolean
  /** What to do by hand, when it isn't trusted. */
  readonly instructions?: string
}

const debianFolder = '/usr/local/share/ca-certificates'

/** Adds the PEM file to the system store; without the means or the right to, it says what to do instead. */
export async function trustSystemWide(pemFile: string): Promise<TrustOutcome> {
  if (process.platform === 'darwin') return trustOnMacos(pemFile)
  const target = path.join(debianFolder, `paas-${path.basename(pemFile, '.pem')}.crt`)
  const byHand = `Run:\n  sudo cp '${pemFile}' '${target}'\n  sudo update-ca-certificates`
  if (!isWritable(debianFolder))
    return {
      trusted: false,
      instructions:
        process.platform === 'linux' && exists(debianFolder)
          ? byHand
          : `Add ${pemFile} to your system's certificate authorities.`,
    }
  copyFileSync(pemFile, target)
  return (await succeeds('update-ca-certificates', [])) ? { trusted: true } : { trusted: false, instructions: byHand }
}

async function trustOnMacos(pemFile: string): Promise<TrustOutcome> {
  const keychain = '/Library/Keychains/System.keychain'
  const args = ['add-trusted-cert', '-d', '-r', 'trustRoot', '-k', keychain, pemFile]
  const trusted = process.getuid?.() === 0 && (await succeeds('security', args))
  if (trusted) return { trusted }
  return { trusted, instructions: `Run:\n  sudo security ${args.slice(0, -1).join(' ')} '${pemFile}'` }
}

function isWritable(folder: string): boolean {
  return canAccess(folder, constants.W_OK)
}

function exists(folder: string): boolean {
  return canAccess(folder, constants.F_OK)
}

function canAccess(folder: string, mode: number): boolean {
  try {
    accessSync(folder, mode)
    return true
  } catch {
    return false
  }
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  const { execFile } = await import('node:child_process')
  return new Promise((resolve) => execFile(program, args, (error) => resolve(error === null)))
}
