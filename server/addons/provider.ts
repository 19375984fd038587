/**
 * What a kind of add-on must be able to do. The loop (add-on-loop.ts) decides when; a provider does it on the machine.
 *
 * Every method may be called at any time and any number of times, also after a crash in the middle of an earlier call:
 * it looks at what is there and does what is missing. Data is only ever removed by `removeData`.
 */
import type { Network } from '../engine/engine.js'
import type { AddOn } from '../model/add-on.js'
import type { AddOnSecrets } from '../store/add-ons.js'

/** One line of `pg:info` and its like. */
export interface InfoRow {
  readonly name: string
  readonly values: readonly string[]
}

export interface AddOnWish {
  readonly addOn: AddOn
  readonly secrets: AddOnSecrets
  /** Private networks of the apps it is attached to: it is reachable from these and from nowhere else. */
  readonly networks: readonly Network[]
}

export interface AddOnProvider {
  /** The service it provides, such as `heroku-postgresql`. */
  readonly service: string
  /**
   * Makes the add-on run and reachable from exactly the networks named; true when something had to be done. Throws a
   * sentence for the add-on's owner when it can't. An add-on that was ready before never gets new, empty data.
   */
  ensureReady(wish: AddOnWish): Promise<boolean>
  /** Ends everything of the add-on that runs; its data stays. */
  ensureStopped(addOnId: string): Promise<void>
  /** Removes its data for good. */
  removeData(addOnId: string): Promise<void>
  /**
   * Ends what runs for no row, and returns the ids of data that has no row: that is never removed. `knownIds` is asked
   * after the machine has been looked at, so that an add-on made meanwhile is known.
   */
  sweep(knownIds: () => Promise<ReadonlySet<string>>): Promise<readonly string[]>
  /** Makes ahead what takes long. */
  keepSpares(): Promise<void>
  /** What there is to tell; also when the add-on doesn't answer. */
  describe(addOn: AddOn, secrets: AddOnSecrets): Promise<readonly InfoRow[]>
}
