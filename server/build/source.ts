import type { Readable } from 'node:stream'

/** A pushed source tree, wherever it lies: git's object store is one. */
export interface Source {
  /** Full commit id. */
  readonly commit: string
  /** First line of the commit's message. */
  readonly description: string
  readonly committedAt: Date
  /** The tree as a tar whose entries start with `build/`; throws a sentence (through `done`) when it is over a limit. */
  archive(): { readonly stream: Readable; readonly done: Promise<void>; kill(): void }
  /** Text of the named regular files at the root; absent ones are left out. Never follows a link. */
  readFiles(names: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** The branch it was pushed to, as a full ref name. */
  readonly ref: string
  /** Has the commit outlive its push, however that ends: a release that goes live needs it for its branch. */
  keep(): Promise<void>
}
