/**
 * Which refs a push may change, decided per ref from the whole list that git gives the hook, never from the wire.
 *
 * master or main deploys; tags are kept and deploy nothing; every other ref is refused. One refused ref refuses the push,
 * and each has its own sentence, so that one more try is enough.
 */

export interface RefUpdate {
  readonly ref: string
  /** All zeros for a ref that didn't exist. */
  readonly oldOid: string
  /** All zeros for a deletion. */
  readonly newOid: string
}

export interface RefVerdict {
  /** Sentences; any refuses the whole push. */
  readonly refusals: readonly string[]
  /** The update that deploys; none in a push of tags only. */
  readonly deploy: RefUpdate | undefined
  /** Sentences for the pusher of a push that isn't refused. */
  readonly notes: readonly string[]
}

const deployRefs = new Set(['refs/heads/master', 'refs/heads/main'])

export function isDeployRef(ref: string): boolean {
  return deployRefs.has(ref)
}

export function isZeroOid(oid: string): boolean {
  return /^0+$/.test(oid)
}

export function judgeRefs(updates: readonly RefUpdate[], refsPerPush: number): RefVerdict {
  if (updates.length > refsPerPush)
    return refused(
      `This push carries ${updates.length} refs; one push may carry ${refsPerPush}. Push fewer branches and tags at once.`,
    )
  const refusals = updates.flatMap((update) => refusalOf(update) ?? [])
  const deploys = updates.filter((update) => isDeployRef(update.ref))
  if (deploys.length > 1) refusals.push('master and main both deploy. Push one of them.')
  if (refusals.length > 0) return { refusals, deploy: undefined, notes: [] }
  const [deploy] = deploys
  const tags = updates.length - deploys.length
  const stored = tags === 0 ? [] : [`${tags === 1 ? 'The tag was' : `${tags} tags were`} stored.`]
  const notes = deploy ? stored : [...stored, 'Nothing was deployed: only master or main deploys.']
  return { refusals: [], deploy, notes: notes.length > 0 ? [notes.join(' ')] : [] }
}

function refused(sentence: string): RefVerdict {
  return { refusals: [sentence], deploy: undefined, notes: [] }
}

function refusalOf({ ref, newOid }: RefUpdate): string | undefined {
  if (isZeroOid(newOid)) return `${shown(ref)} can't be deleted: the platform keeps what was pushed.`
  if (isDeployRef(ref)) return undefined
  // Such a tag's short name would be read as a branch by people and by git alike.
  if (ref.startsWith('refs/tags/refs/')) return `${shown(ref)} is refused: a tag's name can't begin with refs/.`
  if (ref.startsWith('refs/tags/')) return undefined
  if (ref.startsWith('refs/heads/')) {
    const branch = shown(ref.slice('refs/heads/'.length))
    return `Branch ${branch} doesn't deploy; only master or main does. To deploy it: git push paas ${pasteable(branch)}:master`
  }
  return `${shown(ref)} is refused: only branch master or main, and tags, are taken.`
}

/** Git lets no control character into a ref name, but any length. */
function shown(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}…` : name
}

/** People paste what we print; a name that a shell would read as more than a name isn't offered. */
function pasteable(branch: string): string {
  return /^[\w][\w./-]*$/.test(branch) ? branch : '<branch>'
}
