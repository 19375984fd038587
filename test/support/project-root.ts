import path from 'node:path'

/** The checkout, found from sources and from dist/ alike. */
export const projectRoot = findRoot(import.meta.dirname)

function findRoot(from: string): string {
  const root = path.resolve(from, '..', '..')
  return path.basename(root) === 'dist' ? path.dirname(root) : root
}
