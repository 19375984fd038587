/** The first account and its token, made where there is none; a token is shown to nobody but the `paas` command. */
import { randomBytes } from 'node:crypto'
import { hashToken, newToken } from '../server/actions/access.js'
import type { Config } from '../server/config.js'
import { readSealingKey } from '../server/config.js'
import { createSealer } from '../server/lib/seal.js'
import {
  findAccountByEmail,
  findAccountByTokenHash,
  insertAccount,
  insertAuthorization,
} from '../server/store/accounts.js'
import { openDatabase } from '../server/store/database.js'
import { platformDatabaseUrl } from './parts.js'

export const firstEmail = 'admin@localhost'

/** Returns `present` when it is a live token of this platform, else a new one for the first account. */
export async function ensureFirstToken(config: Config, present: string | undefined): Promise<string> {
  const db = openDatabase({ url: platformDatabaseUrl(config), sealer: createSealer(readSealingKey(config)) })
  try {
    if (present !== undefined && (await findAccountByTokenHash(db, hashToken(present)))) return present
    const account = (await findAccountByEmail(db, firstEmail)) ?? (await insertAccount(db, firstEmail, true))
    const token = newToken()
    await insertAuthorization(db, {
      accountId: account.id,
      description: `docker/up ${randomBytes(2).toString('hex')}`,
      tokenHash: hashToken(token),
      expiresInSeconds: undefined,
    })
    return token
  } finally {
    await db.close()
  }
}
