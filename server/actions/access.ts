/**
 * The only place that says who may do what. Every route names a permission; another's app, add-on or build answers like an
 * unknown one.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Account } from '../model/account.js'
import type { AddOn } from '../model/add-on.js'
import type { App } from '../model/app.js'
import { notFound } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { findAccountByTokenHash } from '../store/accounts.js'
import { findAddOn, listAttachments } from '../store/add-ons.js'
import { findLiveApp } from '../store/apps.js'

/** What a route asks for: nothing, a valid token, or the right to that app. */
export type Permission = 'public' | 'account' | 'app'

export interface Principal {
  readonly account: Account
  readonly authorizationId: string
}

const tokenPattern = /^[\x21-\x7e]{8,200}$/

export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** 256 random bits with a prefix of our own, so that a leaked token is recognisable. */
export function newToken(): string {
  return `PAAS-${randomBytes(32).toString('base64url')}`
}

/** The token of `Bearer …` or of `Basic …` (as the password; any user name), or undefined for anything else. */
export function tokenOf(header: string | undefined): string | undefined {
  const match = /^(bearer|basic) +([^\s]{1,2000})$/i.exec(header?.trim() ?? '')
  if (!match?.[1] || !match[2]) return undefined
  if (match[1].toLowerCase() === 'bearer') return tokenPattern.test(match[2]) ? match[2] : undefined
  const pair = Buffer.from(match[2], 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  const token = colon < 0 ? '' : pair.slice(colon + 1)
  return tokenPattern.test(token) ? token : undefined
}

/** Who a request's Authorization header stands for; undefined for no, malformed, unknown, expired and revoked ones alike. */
export async function authenticate(platform: Platform, header: string | undefined): Promise<Principal | undefined> {
  const token = tokenOf(header)
  return token === undefined ? undefined : findAccountByTokenHash(platform.db, hashToken(token))
}

export function mayUseApp(account: Account, app: Pick<App, 'ownerId'>): boolean {
  return account.isAdmin || app.ownerId === account.id
}

/** The app by id or name if it lives and is theirs; throws the same `not_found` otherwise. */
export async function appFor(platform: Platform, account: Account, idOrName: string): Promise<App> {
  const app = idOrName.length <= 64 ? await findLiveApp(platform.db, idOrName) : undefined
  if (!app || !mayUseApp(account, app)) throw notFound('app')
  return app
}

/** The add-on by id or name if it was made for, or is attached to, an app of theirs. */
export async function addOnFor(platform: Platform, account: Account, idOrName: string): Promise<AddOn> {
  const addOn = idOrName.length <= 128 ? await findAddOn(platform.db, idOrName) : undefined
  if (!addOn || !(await mayUseAddOn(platform, account, addOn))) throw notFound('add_on', 'add-on')
  return addOn
}

async function mayUseAddOn(platform: Platform, account: Account, addOn: AddOn): Promise<boolean> {
  if (account.isAdmin) return true
  const attachments = await listAttachments(platform.db, { addOnId: addOn.id })
  for (const appId of new Set([addOn.appId, ...attachments.map((a) => a.appId)])) {
    const app = appId === '' ? undefined : await findLiveApp(platform.db, appId)
    if (app && mayUseApp(account, app)) return true
  }
  return false
}
