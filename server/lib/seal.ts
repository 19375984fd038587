/** Seals secrets with AES-256-GCM. The context (for us: app and name) is authenticated, so a value can't be moved elsewhere. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

export interface Sealer {
  seal(plain: string, context: string): string
  /** Throws when the value was sealed with another key or for another context. */
  unseal(sealed: string, context: string): string
}

/** `key` is 32 bytes. A sealed value reads `v1.<key id>.<nonce><tag><ciphertext in base64>`. */
export function createSealer(key: Buffer): Sealer {
  const keyId = createHash('sha256').update(key).digest('hex').slice(0, 8)
  return {
    seal(plain, context) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(Buffer.from(context, 'utf8'))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return `v1.${keyId}.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')}`
    },
    unseal(sealed, context) {
      const [version, id, body, ...rest] = sealed.split('.')
      if (version !== 'v1' || body === undefined || rest.length > 0)
        throw new Error('a sealed value has an unknown format')
      if (id !== keyId)
        throw new Error(`a secret was sealed with another key (${id}); put that key back into secret.key`)
      const bytes = Buffer.from(body, 'base64')
      // A tag cut short would be easier to forge.
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAAD(Buffer.from(context, 'utf8'))
      decipher.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
    },
  }
}
