/**
 * Puts every app's routes together into one numbered table and hands it to the router. Starts from the table the router
 * has, so that apps not yet looked at keep their routes.
 */
import type { AppRoutes, RouteTable } from '../model/route-table.js'
import { printRoutes } from './routes.js'

/** The part of the router that the loop needs. */
export interface TableRouter {
  current(): RouteTable
  publish(table: RouteTable): Promise<unknown>
  inFlight(appId: string, backendName: string): Promise<number>
}

export interface RoutePublisher {
  isRouted(appId: string, backendName: string): boolean
  /** Whether the app is in the table. */
  has(appId: string): boolean
  /** The app's published routes as one line; undefined when it has none. */
  published(appId: string): string | undefined
  publish(routes: AppRoutes): Promise<void>
  /** Takes an app out of the table. */
  withdraw(appId: string): Promise<void>
  /** App ids in the table. */
  appIds(): string[]
  inFlight(appId: string, backendName: string): Promise<number>
}

export function createRoutePublisher(router: TableRouter, nextVersion: () => Promise<number>): RoutePublisher {
  const apps = new Map(router.current().apps.map((app) => [app.appId, app]))
  let tail: Promise<unknown> = Promise.resolve()

  /** One table at a time; apps that change together share one. */
  const send = (change: () => void): Promise<void> => {
    const sent = tail.then(async () => {
      change()
      const version = Math.max(await nextVersion(), router.current().version + 1)
      await router.publish({ version, apps: [...apps.values()] })
    })
    tail = sent.catch(() => {})
    return sent
  }

  return {
    isRouted: (appId, name) => apps.get(appId)?.backends.some((b) => b.name === name) ?? false,
    has: (appId) => apps.has(appId),
    published: (appId) => {
      const routes = apps.get(appId)
      return routes && printRoutes(routes)
    },
    publish: async (routes) => {
      const before = apps.get(routes.appId)
      try {
        await send(() => apps.set(routes.appId, routes))
      } catch (error) {
        // Unpublished routes must not count as published; the next pass tries again.
        if (before) apps.set(routes.appId, before)
        else apps.delete(routes.appId)
        throw error
      }
    },
    withdraw: async (appId) => {
      if (apps.has(appId)) await send(() => apps.delete(appId))
    },
    appIds: () => [...apps.keys()],
    inFlight: (appId, name) => router.inFlight(appId, name),
  }
}
