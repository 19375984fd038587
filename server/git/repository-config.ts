/**
 * What every repository is configured to do, as text: git's own checks are on, its clever parts are off, and every
 * decision about a push is left to the hook.
 */

/** A value in git's configuration syntax. */
function quoted(value: string): string {
  if (/[\n\0]/.test(value)) throw new Error('a git setting has one line')
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

export function repositoryConfig(values: { readonly hooksDir: string; readonly packBytes: number }): string {
  return `# Written at every start of the control plane; changes made here are lost.
[core]
	hooksPath = ${quoted(values.hooksDir)}
	logAllRefUpdates = false
	# A ref that was reported as moved survives a power cut.
	fsync = committed,reference
	# Larger files are streamed, not held in memory.
	bigFileThreshold = 32m
[receive]
	# A pack is kept as it comes: unpacking it into files is the slowest part of a large push.
	unpackLimit = 1
	maxInputSize = ${values.packBytes}
	fsckObjects = true
	denyDeletes = true
	# A forced push deploys, as on Heroku.
	denyNonFastForwards = false
	# Continuous integration pushes from clones without history.
	shallowUpdate = true
	autogc = false
	advertisePushOptions = false
	advertiseAtomic = true
	keepAlive = 5
	hideRefs = refs/paas
# Harmless dents of old history, found in many public repositories.
[receive "fsck"]
	badTimezone = ignore
	missingEmail = ignore
	missingNameBeforeEmail = ignore
	missingSpaceBeforeDate = ignore
	missingSpaceBeforeEmail = ignore
	zeroPaddedFilemode = ignore
[uploadpack]
	allowFilter = true
	hideRefs = refs/
	hideRefs = !refs/heads/
	hideRefs = !refs/tags/
[transfer]
	fsckObjects = true
	advertiseSID = false
[gc]
	autoDetach = false
	autoPackLimit = 50
[maintenance]
	auto = false
[tar]
	umask = 0022
`
}

/**
 * These win over a tree's own `.gitattributes`: an app is built from all of its files, byte for byte, though `git archive`
 * would leave out or rewrite some for a source release.
 */
export const repositoryAttributes = '* -export-ignore -export-subst -text -ident -filter -working-tree-encoding\n'
