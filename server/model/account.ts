/** A person (or a machine) that may use the platform, and the tokens that stand for them. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly isAdmin: boolean
  readonly createdAt: Date
}

export interface Authorization {
  readonly id: string
  readonly accountId: string
  readonly accountEmail: string
  readonly description: string
  readonly createdAt: Date
  readonly expiresAt: Date | undefined
  readonly lastUsedAt: Date | undefined
}
