// Builds dist/: every TypeScript file for tests and set-up (dist/server, dist/test …), one file for the control plane
// (dist/control-plane.mjs) and one for the command line (dist/paas.cjs).
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const common = { platform: 'node', target: 'node20', logLevel: 'error' }

// dockerode brings clients for engines over SSH and for BuildKit, swagger a writer of YAML; we use none of them, and they
// cost memory and start-up.
const unused = {
  name: 'unused',
  setup(context) {
    context.onResolve({ filter: /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|yaml)$/ }, (args) => ({
      path: args.path,
      namespace: 'unused',
    }))
    context.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}', loader: 'js' }))
  },
}

rmSync('dist', { recursive: true, force: true })

const files = ['server', 'cli', 'docker', 'test', 'bench']
  .filter((dir) => existsSync(dir))
  .flatMap((dir) => readdirSync(dir, { recursive: true }).map((file) => path.join(dir, file)))
  .filter((file) => file.endsWith('.ts') && !file.includes('fixtures/'))
await build({ ...common, entryPoints: files, outdir: 'dist', outbase: '.', format: 'esm' })
cpSync('server/store/migrations', 'dist/server/store/migrations', { recursive: true })

// CommonJS packages inside an ES module look for these.
const banner = [
  "import { createRequire as createRequireOfBundle } from 'node:module'",
  "import { dirname as dirnameOfBundle } from 'node:path'",
  "import { fileURLToPath as fileURLToPathOfBundle } from 'node:url'",
  'const require = createRequireOfBundle(import.meta.url)',
  'const __filename = fileURLToPathOfBundle(import.meta.url)',
  'const __dirname = dirnameOfBundle(__filename)',
].join('\n')
await build({
  ...common,
  entryPoints: ['server/main.ts'],
  outfile: 'dist/control-plane.mjs',
  bundle: true,
  format: 'esm',
  // V8 keeps the text in memory, twice as large once a single letter of it is not ASCII: no comments, and lines short
  // enough that a stack trace still says where.
  minify: true,
  keepNames: true,
  lineLimit: 160,
  charset: 'ascii',
  legalComments: 'external',
  external: ['pg-native'],
  plugins: [unused],
  banner: { js: banner },
})
await build({
  ...common,
  entryPoints: ['cli/main.ts'],
  outfile: 'dist/paas.cjs',
  bundle: true,
  format: 'cjs',
  minify: true,
  banner: { js: '#!/usr/bin/env node' },
})
chmodSync('dist/paas.cjs', 0o755)
