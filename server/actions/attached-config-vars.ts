import type { Attachment } from '../model/add-on.js'
import type { ConfigVars } from '../model/config-vars.js'
import { postgresConfigVars } from '../model/postgres-url.js'
import { listAttachments, readAddOnSecrets } from '../store/add-ons.js'
import type { Queryable } from '../store/database.js'

/** What one attachment sets: `DATABASE_URL`. */
export async function configVarsOf(db: Queryable, attachment: Attachment): Promise<ConfigVars> {
  return postgresConfigVars(attachment.name, attachment.addOnName, await readAddOnSecrets(db, attachment.addOnId))
}

/** What all of an app's attachments set. */
export async function attachedConfigVars(db: Queryable, appId: string): Promise<ConfigVars> {
  const each = await Promise.all(
    (await listAttachments(db, { appId })).map((attachment) => configVarsOf(db, attachment)),
  )
  return Object.assign({}, ...each) as ConfigVars
}
