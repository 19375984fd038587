/** Opens addresses in the desktop's browser, where there is one. */

/** An opener that fails does so at once; one still running after this long has become the browser. */
const settledMs = 2000

/** Hands the address to the system, and resolves with whether something took it. */
export async function openInBrowser(url: URL): Promise<boolean> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
  const { spawn } = await import('node:child_process')
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open'
  return new Promise((resolve) => {
    const child = spawn(opener, [url.href], { stdio: 'ignore', detached: true })
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
    setTimeout(() => resolve(true), settledMs)
  })
}
