// Builds dist/: every TypeScript file for tests and set-up (dist/server, dist/test …), one file for the control plane
// (dist/control-plane.mjs) and one for the command line (dist/paas.cjs).
import { build } from 'esbuild'
import { existsSync, readdirSync, chmodSync, rmSync, cpSync } from 'node:fs'
import path from 'node:path'

rmSync('dist', { recursive: true, force: true })

const files = ['server', 'cli', 'docker', 'test', 'bench']
  .filter((dir) => existsSync(dir))
  .flatMap((dir) => readdirSync(dir, { recursive: true }).map((f) => path.join(dir, f)))
  .filter((f) => f.endsWith('.ts') && !f.includes('fixtures/'))
await build({ entryPoints: files, outdir: 'dist', outbase: '.', platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' })
if (existsSync('server/store/migrations')) cpSync('server/store/migrations', 'dist/server/store/migrations', { recursive: true })

const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
if (existsSync('server/main.ts'))
  await build({ entryPoints: ['server/main.ts'], outfile: 'dist/control-plane.mjs', bundle: true, platform: 'node', target: 'node20', format: 'esm', minifySyntax: true, external: ['cpu-features', 'pg-native', '*.node'], banner: { js: banner }, logLevel: 'error' })
if (existsSync('cli/main.ts')) {
  await build({ entryPoints: ['cli/main.ts'], outfile: 'dist/paas.cjs', bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, banner: { js: '#!/usr/bin/env node' }, logLevel: 'error' })
  chmodSync('dist/paas.cjs', 0o755)
}
