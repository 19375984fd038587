/** A package without dependencies for apps of tests, and an app that has it. */
/** The digest of ms 2.1.3, as lockfiles name it. */
export const ms = 'sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=='

/** A package.json that has `ms` among its development dependencies, with its lockfile. */
export function withDevDependency(scripts: Record<string, string>) {
  const root = { name: 'dev', devDependencies: { ms: '2.1.3' } }
  const packages = { '': root, 'node_modules/ms': { version: '2.1.3', integrity: ms, dev: true } }
  return {
    'package.json': JSON.stringify({ ...root, scripts }),
    'package-lock.json': JSON.stringify({ name: 'dev', lockfileVersion: 3, requires: true, packages }),
    'index.js': 'console.log("unused")\n',
  }
}
